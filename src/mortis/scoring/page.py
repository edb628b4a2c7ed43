"""The score as a page of Markdown with plots beside it, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mortis.document.svg import element, label, words
from mortis.problems import WorkProblem
from mortis.scoring.summary import Band, KindScore, Score, Share
from mortis.scoring.table import brief, counted, overall, told

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.end{text-anchor:end}.mid{text-anchor:middle}.bar{fill:#2f6f9f}"
    ".whisker{stroke:#1f2328;stroke-width:1.5}.line{stroke:#8b949e;fill:none}.dash{stroke-dasharray:4 4}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#6cb6e8}.whisker{stroke:#e6edf3}}"
)
_LEFT, _WIDE, _ROW = 90, 420, 22


def write_page(score: Score, page: Path) -> None:
    """Write the page, and its plots into `images` beside it; WorkProblem where that can't be done."""
    images = page.parent / "images"
    files = {
        images / "lab-kinds.svg": kinds_plot(score.kinds),
        images / "lab-confidence.svg": confidence_plot(score.bands),
        page: "\n".join(_lines(score)) + "\n",  # last, so that a page has its pictures
    }
    try:
        images.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise WorkProblem(f"--page {page}: can't be written: {error.strerror}") from None


def _lines(score: Score) -> Iterator[str]:
    yield "# How often the diagnosis is right"
    yield ""
    yield (
        f"`mortis lab score --cases {score.cases} --seed {score.seed}` made {score.cases} cases with a known cause, "
        f"investigated each without its truth, and wrote this page. Its seeds are of the **{score.half}** half; "
        "what the cases are, and what counts as right, is told in [the lab](lab.md)."
    )
    yield ""
    if score.unmade:
        yield f"{score.unmade} cases could not be made so that the fault shows in the metric, and count for nothing."
        yield ""
    yield from (f"- The program broke on `` {one} ``." for one in score.broke)
    yield from table(("question", "share of the cases it applies to"), overall(score))
    yield "## By kind"
    yield ""
    yield "![Share of the cases with the right answer first, by kind, with 95 % intervals](images/lab-kinds.svg)"
    yield ""
    yield (
        "First: the right cause (or *unknown*, or *no failure*) was named first. "
        "Figures: factor, version and the like, within 5 %."
    )
    yield ""
    rows = (
        (one.plot, one.meaning, *map(counted, (one.first, one.among, one.feature, one.parameters)))
        for one in score.kinds
    )
    yield from table(("kind", "what goes wrong", "first", "in the first three", "features", "figures"), rows)
    yield "## Is the stated confidence earned?"
    yield ""
    yield "![Stated confidence against the share of first named causes that are right](images/lab-confidence.svg)"
    yield ""
    bands = ((f"{one.low:.1f} to {one.high:.1f}", f"{one.stated:.2f}", told(one.right)) for one in score.bands)
    yield from table(("stated confidence", "mean", "first named cause is right"), bands)
    yield "## Beside simple rules"
    yield ""
    yield "Each on the same cases, those in which there is something for it to name."
    yield ""
    rules = (
        (one.rule, one.names, brief(one.right), brief(one.product), brief(one.false_alarms)) for one in score.naive
    )
    yield from table(("rule", "names", "right", "Mortis, the same question", "alarms where nothing failed"), rules)
    yield "## What is mistaken for what"
    yield ""
    yield "What was told first, by what was true. *unknown*: a failure without a cause that stood."
    yield ""
    confused = (
        (true, ", ".join(f"{answer} {n}" for answer, n in answers.items())) for true, answers in score.confusion.items()
    )
    yield from table(("true", "told first, in how many cases"), confused)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown, and an empty line."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)
    yield ""


def kinds_plot(kinds: Sequence[KindScore]) -> str:
    """A picture: for each kind the share that came first, as a bar with its interval."""
    parts = [part for i, one in enumerate(kinds) for part in _bar(one.plot, one.first, 6 + _ROW * i)]
    return _picture(parts, text="Share right first, by kind", height=_ROW * len(kinds) + 12)


def _bar(name: str, share: Share, y: int) -> Iterator[str]:
    found = share.interval
    if found is None:
        return
    yield label(_LEFT - 8, y + 14, name, class_="end")
    yield element("rect", x=_LEFT, y=y + 3, width=_WIDE * found.value, height=14, class_="bar")
    ends = (_LEFT + _WIDE * found.low, _LEFT + _WIDE * found.high)
    yield element("line", x1=ends[0], x2=ends[1], y1=y + 10, y2=y + 10, class_="whisker")
    yield label(_LEFT + _WIDE + 12, y + 14, counted(share))


def confidence_plot(bands: Sequence[Band]) -> str:
    """A picture: the stated confidence across, the share that is right upwards; on the diagonal both agree."""
    side, low = 260, 280
    parts = [
        element("rect", x=_LEFT, y=low - side, width=side, height=side, class_="line"),
        element("line", x1=_LEFT, y1=low, x2=_LEFT + side, y2=low - side, class_="line dash"),
        label(_LEFT + side / 2, low + 18, "stated confidence, 0 to 1", class_="mid"),
        label(_LEFT - 8, low - side / 2, "right, 0 to 1", class_="end"),
    ]
    for one in bands:
        found = one.right.interval
        if found:
            x = _LEFT + side * one.stated
            parts.append(
                element("line", x1=x, x2=x, y1=low - side * found.low, y2=low - side * found.high, class_="whisker")
            )
            parts.append(element("circle", cx=x, cy=low - side * found.value, r=5, class_="bar"))
    return _picture(parts, text="Confidence against share right", height=low + 30)


def _picture(parts: Sequence[str], *, text: str, height: float) -> str:
    size: Mapping[str, str | float] = {"viewBox": f"0 0 600 {height:g}", "width": 600, "height": height}
    style = element("style", _STYLE)
    return element(
        "svg", element("title", words(text)), style, *parts, xmlns="http://www.w3.org/2000/svg", role="img", **size
    )
