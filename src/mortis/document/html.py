"""The post-mortem as one HTML file that opens offline, loads nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mortis.document import figures, wording
from mortis.document.charts import common_axis, highest_rate, interval_chart, rate_bars
from mortis.document.comparison import comparison
from mortis.document.limits import LEVELS, Limits, cut_text, left_out, shortened, weight
from mortis.document.svg import Axis, clean
from mortis.document.timeline import Mark, timeline
from mortis.records import Cause, ConfusionCell, Evidence, Interval, Postmortem, Slice, in_words

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 1_500_000
FRAME_HEIGHT = 820
MOST_CHANGES_DRAWN = 8
MOST_SIGNALS_DRAWN = 6
LONGEST_MARK = 160


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a piece of evidence stands in the document: its number and its anchor."""

    number: int
    anchor: str
    question: str


def as_html(postmortem: Postmortem, *, most_bytes: int = MOST_BYTES) -> str:
    """The document as one HTML file of at most `most_bytes` bytes of UTF-8: what doesn't fit is cut and said to be."""
    page = ""
    for limits in LEVELS:
        # Not everything is shown, but what weighs twice the room will not fit: don't draw it first.
        if limits is not LEVELS[-1] and weight(postmortem, limits, enough=2 * most_bytes) > 2 * most_bytes:
            continue
        page = _page(postmortem, limits)
        if len(page.encode()) <= most_bytes:
            break
    return page


def notebook_frame(postmortem: Postmortem) -> str:
    """The document in a frame of its own, for a notebook's cell: neither side's styles or scripts reach the other."""
    inner = escape(as_html(postmortem), quote=True)
    title = escape(clean(f"Post-mortem: {postmortem.case.title}"), quote=True)
    # The page's own policy admits its one script by hash; without allow-same-origin it cannot touch the notebook.
    return (
        f'<iframe title="{title}" sandbox="allow-scripts" width="100%" height="{FRAME_HEIGHT}" '
        f'frameborder="0" srcdoc="{inner}"></iframe>'
    )


def _page(postmortem: Postmortem, limits: Limits) -> str:
    shown = shortened(postmortem, limits)
    css, script = _asset("report.css"), _asset("report.js")
    template = _environment().get_template("page.html.j2")
    return template.render(
        p=shown,
        left_out=left_out(postmortem, shown),
        points_in_all=len(postmortem.failure.series),
        css=_safe(css),
        script=_safe(script),
        policy=content_policy(css, script),
        headline=wording.headline(shown.failure),
        claims=wording.summary(shown),
        style=figures.metric_style(shown.failure),
        clock=shown.failure.bucket_seconds < figures.DAY,
        references=references(shown.evidence),
        **_charts(shown),
        **_selections(shown),
    )


def content_policy(css: str, script: str) -> str:
    """The page's content security policy: nothing is loaded, and only this style sheet and this script count."""
    return (
        f"default-src 'none'; style-src {_hash(css)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def references(evidence: Sequence[Evidence]) -> dict[str, Reference]:
    """Evidence by id, numbered in order, each with an anchor of its own.

    >>> references([Evidence("clarify.onset", "Since when?", "Since Monday")])["clarify.onset"].anchor
    'ev-clarify.onset'
    """
    found: dict[str, Reference] = {}
    taken: set[str] = set()
    for number, item in enumerate(evidence, start=1):
        anchor = "ev-" + re.sub(r"[^A-Za-z0-9_.-]", "-", item.id)
        if anchor in taken:
            anchor = f"{anchor}-{number}"
        taken.add(anchor)
        found.setdefault(item.id, Reference(number, anchor, item.question))
    return found


def marks(postmortem: Postmortem) -> tuple[Mark, ...]:
    """What is drawn under the metric: the changes ranked highest, and the signals that moved most."""
    changes = sorted(postmortem.changes, key=lambda change: -change.ranking)[:MOST_CHANGES_DRAWN]
    signals = sorted(postmortem.signals, key=lambda signal: -signal.score)[:MOST_SIGNALS_DRAWN]
    drawn = [
        Mark(change.time, cut_text(change.summary, LONGEST_MARK), "change")
        for change in changes
        if change.time is not None
    ]
    drawn += [
        Mark(s.onset, f"{cut_text(s.name, LONGEST_MARK)} went {s.direction}", s.direction)
        for s in signals
        if s.onset is not None
    ]
    return tuple(drawn)


def _charts(shown: Postmortem) -> dict[str, Any]:
    """The pictures that a page holds, drawn once each; those of the timeline for wide and for narrow screens."""
    style, drawn = figures.metric_style(shown.failure), marks(shown)
    wide = timeline(shown.failure, drawn, style=style, width=860, name="wide")
    narrow = timeline(shown.failure, drawn, style=style, width=344, name="narrow")
    highest = highest_rate(rate for found in shown.slices for rate in (found.baseline, found.incident))
    shares = [cause.share_of_drop for cause in shown.causes if cause.share_of_drop is not None]
    return {
        "timeline_wide": _safe(wide),
        "timeline_narrow": _safe(narrow),
        "slice_axis": common_axis(found.change for found in shown.slices),
        "cell_axis": common_axis(cell.change for cell in shown.confusion),
        "share_axis": common_axis([*shares, shown.unexplained_share]) if shares else None,
        "highest": highest,
    }


def _selections(shown: Postmortem) -> dict[str, Any]:
    """The post-mortem's parts as the sections show them."""
    looked_at = wording.hypotheses(shown)
    standing = ("confirmed", "supported", "inconclusive")
    found = {
        "standing": [cause for cause in looked_at if cause.verdict in standing],
        "refuted": _alike(cause for cause in looked_at if cause.verdict == "refuted"),
        "untested": [cause for cause in looked_at if cause.verdict == "not_tested"],
        "unknown": [cause for cause in shown.causes if cause.id == "unknown"],
        "first_of_query": wording.first_of_query(shown.evidence),
        "integrity": wording.of_step(shown.evidence, "integrity"),
        "gaps": lambda *words: wording.gaps(shown.not_checked, *words),
        "about": lambda *topics: wording.about(shown.evidence, *topics),
    }
    return found | {"changes": {change.id: place for place, change in enumerate(shown.changes, start=1)}}


def _alike(causes: Iterable[Cause]) -> list[list[Cause]]:
    """Causes that one test with one result ruled out, put together where the first of them stands."""
    groups: dict[object, list[Cause]] = {}
    for cause in causes:
        bare = not (cause.features or cause.scope or cause.parameters or cause.share_of_drop or cause.changes)
        groups.setdefault((cause.test, cause.confidence) if cause.test and bare else cause.id, []).append(cause)
    return list(groups.values())


def slice_chart(found: Slice, axis: Axis | None) -> str:
    """The change of a slice's rate of errors as a dot with its interval."""
    text = f"{figures.points(found.change.value)}, {figures.INTERVAL} {wording.change_interval(found.change)}"
    return _safe(interval_chart(found.change, axis, text=text, kind=_direction(found.change)))


def cell_chart(cell: ConfusionCell, axis: Axis | None) -> str:
    """The change of a confusion cell's share as a dot with its interval."""
    text = f"{figures.points(cell.change.value)}, {figures.INTERVAL} {wording.change_interval(cell.change)}"
    kind = "" if cell.label == cell.prediction else _direction(cell.change)
    return _safe(interval_chart(cell.change, axis, text=text, kind=kind))


def share_chart(share: Interval, axis: Axis | None) -> str:
    """A share of the drop as a dot with its interval."""
    return _safe(interval_chart(share, axis, text=wording.share_interval(share)))


def slice_bars(found: Slice, highest: float) -> str:
    """A slice's rate of errors before and during as bars."""
    text = f"error rate {figures.percent(found.baseline.value)} before, {figures.percent(found.incident.value)} during"
    return _safe(rate_bars(found.baseline, found.incident, highest=highest, text=text))


def _direction(change: Interval) -> str:
    return "harm" if change.low > 0 else ""


def _safe(markup: str) -> str:
    """Markup that was escaped where it was made."""
    from markupsafe import Markup

    return Markup(markup)  # noqa: S704 - the style sheet, the script, and pictures whose texts svg.py escapes


@cache
def _asset(name: str) -> str:
    return files("mortis.document").joinpath("templates", name).read_text(encoding="utf-8")


def _finished(value: object) -> object:
    """What every expression of a template goes through: signs that HTML may not hold are replaced."""
    return clean(value) if type(value) is str else value


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finished,
    )
    words: tuple[Callable[..., Any], ...] = (
        figures.chance,
        figures.estimate,
        figures.known,
        figures.count,
        figures.duration,
        figures.metric_name,
        figures.moment,
        figures.number,
        figures.parameter,
        figures.percent,
        figures.points,
        wording.change_interval,
        wording.conditions,
        wording.first_up,
        wording.how_sure,
        in_words,
        wording.sentence,
        wording.share_interval,
        comparison,
        cell_chart,
        share_chart,
        slice_bars,
        slice_chart,
    )
    made.globals.update({word.__name__: word for word in words})
    made.globals |= {"VERDICTS": wording.VERDICTS, "INTERVAL": figures.INTERVAL, "NARROW": figures.NARROW}
    return made
