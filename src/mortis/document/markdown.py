"""The post-mortem as plain GitHub Markdown: the same content as the page, without its pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from mortis.document import figures, wording
from mortis.document.comparison import comparison
from mortis.document.figures import INTERVAL, NARROW, chance, count, estimate, moment, number, percent, points
from mortis.document.limits import LEVELS, shortened
from mortis.document.svg import clean
from mortis.document.timeline import thinned
from mortis.records import Cause, Evidence, Postmortem, Slice

MOST_POINTS = 60
SPECIAL = re.compile(r"([\\`*_\[\]~])")
LINE_START = re.compile(r"^([#+\-=>:]|\d+(?=[.)]))")
Section = Callable[[Postmortem], list[str]]


def as_markdown(postmortem: Postmortem) -> str:
    """The document as GitHub Markdown; every text from the data is escaped or stands in a code span."""
    shown = shortened(postmortem, LEVELS[0])
    lines = [line for section in SECTIONS for line in [*section(shown), ""]]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def prose(text: str) -> str:
    """Text that reads as it is, on one line and in any cell of a table.

    >>> prose("a|b <i> *c*"), prose("1. not a list")
    ('a&#124;b &lt;i> \\\\*c\\\\*', '1\\\\. not a list')
    """
    line = " ".join(clean(text).split())
    escaped = SPECIAL.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;")).replace("|", "&#124;")
    return LINE_START.sub(lambda found: _held(found[1]), escaped)


def _held(start: str) -> str:
    return f"{start}\\" if start.isdigit() else f"\\{start}"


def code(text: str) -> str:
    """Text as a code span that no backtick and no pipe breaks; a dash where there is none.

    >>> code("a`b"), code("a|b"), code("")
    ('``a`b``', '`a\\\\|b`', '–')
    """
    line = " ".join(clean(text).split())
    if not line:
        return figures.NONE
    if "\\|" in line:
        return prose(line)  # a backslash before a pipe cannot be told from an escaped pipe
    fence = "`" * (longest_run(line) + 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


def longest_run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max((len(run) for run in re.findall("`+", text)), default=0)


def block(text: str) -> list[str]:
    """Text as a fenced block."""
    fence = "`" * max(3, longest_run(text) + 1)
    return [f"{fence}text", *clean(text).replace("\r", "\n").split("\n"), fence]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of cells that are Markdown already.

    >>> table(["a", "b"], [["1", "2"]])
    ['', '| a | b |', '| --- | --- |', '| 1 | 2 |', '']
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return ["", *("| " + " | ".join(line) + " |" for line in lines), ""]


def refs(postmortem: Postmortem, ids: Iterable[str]) -> str:
    """Links to the numbered evidence of these ids."""
    numbers = {item.id: number for number, item in reversed(list(enumerate(postmortem.evidence, start=1)))}
    return "".join(f" [\\[{numbers[id_]}\\]](#evidence-{numbers[id_]})" for id_ in ids if id_ in numbers)


def summary(p: Postmortem) -> list[str]:
    """The first screen: headline, levels, answers."""
    style, failure = figures.metric_style(p.failure), p.failure
    lines = [f"# {prose(wording.headline(failure))}", "", prose(p.case.title), ""]
    lines += [f"Post-mortem of {code(p.case.model or 'unnamed model')}. All times are UTC.", ""]
    levels = [("Baseline", failure.baseline), ("Incident", failure.incident)]
    rows = [[name, style.value(level.value), style.between(level), count(level.n)] for name, level in levels]
    change = failure.shift
    rows.append(["Change", style.change(change.value), style.between(change, signed=True), count(change.n)])
    if failure.baseline.value is not None or failure.incident.value is not None:
        lines += table([prose(wording.first_up(figures.metric_name(failure.metric))), "Value", INTERVAL, "n"], rows)
    for claim in wording.summary(p):
        lines += [f"**{claim.question}:** {prose(claim.text)}{refs(p, claim.evidence)}", ""]
        lines += [*(f"- {prose(detail)}" for detail in claim.details), ""]
    return lines


def timeline(p: Postmortem) -> list[str]:
    """The windows, the onset, and the series as a table of at most `MOST_POINTS` rows."""
    failure, style = p.failure, figures.metric_style(p.failure)
    clock = failure.bucket_seconds < figures.DAY

    def at(when: object) -> str:
        return moment(when, clock=clock)  # type: ignore[arg-type]

    lines = ["## Timeline", "", f"- Baseline: {at(failure.baseline_window.start)} to {at(failure.baseline_window.end)}"]
    return lines + [style.metric]


SECTIONS: tuple[Section, ...] = (summary, timeline)
