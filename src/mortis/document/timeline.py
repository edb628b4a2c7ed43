"""The timeline: the metric, its windows and onset, and what changed or moved, on one axis of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from mortis.document.figures import MetricStyle, fixed, metric_name, moment
from mortis.document.svg import Axis, element, fitted, label, round_ticks, short, time_ticks, words
from mortis.records import Failure, Point, Window

MOST_POINTS = 400
THIN_BEYOND = 600
LANE = 22
MarkKind = Literal["change", "up", "down"]
SHAPES: dict[MarkKind, str] = {"change": "M0 -5L5 0L0 5L-5 0Z", "up": "M0 -5L5 4L-5 4Z", "down": "M0 5L5 -4L-5 -4Z"}


@dataclass(frozen=True, slots=True)
class Mark:
    """Something with a time that is shown under the metric: a change, or a signal that moved."""

    at: datetime
    text: str
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things stand in the picture, in pixels: axes of time (epoch seconds) and of the metric."""

    width: float
    height: float
    x: Axis
    y: Axis

    @property
    def left(self) -> float:
        """Where the plot begins."""
        return self.x.start

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return self.x.end

    @property
    def top(self) -> float:
        """The plot's upper edge."""
        return self.y.end

    @property
    def bottom(self) -> float:
        """The plot's lower edge."""
        return self.y.start

    def at(self, when: datetime) -> float:
        """The horizontal place of a moment."""
        return self.x(when.timestamp())


def thinned(series: Sequence[Point], *, most: int = MOST_POINTS, beyond: int = THIN_BEYOND) -> tuple[Point, ...]:
    """The series itself, or at most `most` of its points where it has more than `beyond`.

    Of each stretch of points the lowest and the highest are kept, in their order, so that no peak is lost; of a
    stretch without values, one point, so that the gap stays.

    >>> from mortis.records import Interval
    >>> day = datetime(2013, 8, 1, tzinfo=UTC)
    >>> many = [Point(day + timedelta(hours=i), Interval(i % 7, 0, 9)) for i in range(1000)]
    >>> len(thinned(many)), max(p.value.value for p in thinned(many))
    (400, 6)
    """
    if len(series) <= beyond:
        return tuple(series)
    stretches = most // 2
    edges = [round(i * len(series) / stretches) for i in range(stretches + 1)]
    return tuple(p for a, b in pairwise(edges) for p in _extremes(series[a:b]))


def _extremes(stretch: Sequence[Point]) -> list[Point]:
    seen = [(v, i) for i, p in enumerate(stretch) if (v := finite(p.value.value)) is not None]
    if not seen:
        return list(stretch[:1])
    return [stretch[i] for i in sorted({min(seen)[1], max(seen)[1]})]


def finite(value: float) -> float | None:
    """The value, or None where it isn't a number that can be drawn."""
    return value if math.isfinite(value) else None


def timeline(failure: Failure, marks: Sequence[Mark], *, style: MetricStyle, width: int, name: str) -> str:
    """The picture `width` pixels wide as SVG; `name` is the prefix of its ids. An empty text where there is no series.

    Groups of class `stretch` are drawn over the plot alone and those of class `at` stand at `data-x`: the script zooms
    by scaling the first and moving the second. Without it the picture is complete.
    """
    points = thinned(failure.series)
    if not any(finite(p.value.value) is not None for p in points):
        return ""
    frame = framed(failure, points, marks, width=width)
    clip = f"{name}-clip"
    plot = element("rect", x=frame.left, y=0, width=frame.right - frame.left, height=frame.height)
    inner = element("g", *_bands(frame, failure), *_series(frame, failure, points), class_="stretch")
    clipped = element("g", inner, clip_path=f"url(#{clip})")
    return element(
        "svg",
        element("title", words(_title(failure)), id=f"{name}-title"),
        element("desc", words(_description(failure, style, marks)), id=f"{name}-desc"),
        element("clipPath", plot, id=clip),
        *_level_axis(frame, style),
        clipped,
        *_heads(frame, failure),
        *_lanes(frame, marks),
        *_time_axis(frame),
        viewBox=f"0 0 {short(frame.width)} {short(frame.height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_="timeline",
        data_left=frame.left,
        data_right=frame.right,
        data_start=str(round(frame.x.low * 1000)),
        data_end=str(round(frame.x.high * 1000)),
        data_top=frame.top,
        data_bottom=frame.bottom,
    )


def framed(failure: Failure, points: Sequence[Point], marks: Sequence[Mark], *, width: int) -> Frame:
    """The frame that holds the series, the windows and the onset; marks outside its time don't widen it."""
    times = [p.start for p in points] + [points[-1].start + timedelta(seconds=failure.bucket_seconds)]
    times += [failure.baseline_window.start]
    if failure.incident_window is not None:
        times.append(failure.incident_window.end)
    if failure.detected_at is not None:
        times.append(failure.detected_at)
    start, end = min(times).timestamp(), max(times).timestamp()
    narrow = width < 600
    plot = 170 if narrow else 230
    left, top = 46 if narrow else 58, 24 + 17 * sum(when is not None for when in (failure.onset, failure.detected_at))
    held = sum(start <= mark.at.timestamp() <= end for mark in marks)
    height = top + plot + 30 + LANE * held
    low, high = value_range(failure, points)
    x = Axis(start, max(end, start + 1), left, width - 8)
    return Frame(width, height, x, Axis(low, high, top + plot, top))


def value_range(failure: Failure, points: Sequence[Point]) -> tuple[float, float]:
    """The range of levels to show: the values and both windows' intervals, and of the points' intervals as much again.

    A bucket with few rows has an interval so wide that it would flatten all else; it is cut at the edge.
    """
    levels = [failure.baseline.value, failure.baseline.low, failure.baseline.high]
    levels += [failure.incident.value, failure.incident.low, failure.incident.high]
    known = [v for v in map(finite, [p.value.value for p in points] + levels) if v is not None]
    low, high = min(known), max(known)
    room = (high - low) / 2 or abs(high) / 10 or 1.0
    limits = [v for p in points for v in (finite(p.value.low), finite(p.value.high)) if v is not None]
    low = max(low - room, min([low, *limits]))
    high = min(high + room, max([high, *limits]))
    # Levels closer than this can't be told apart by their ticks.
    pad = max(0.04 * (high - low), 1e-9 * max(1.0, abs(low), abs(high)))
    return low - pad, high + pad


def _bands(frame: Frame, failure: Failure) -> list[str]:
    parts = [_band(frame, failure.baseline_window, "baseline")]
    if failure.incident_window is not None:
        parts.append(_band(frame, failure.incident_window, compared(failure)))
    if failure.onset is not None:
        left, right = frame.at(failure.onset.low), frame.at(failure.onset.high)
        wide = max(3.0, right - left)
        parts.append(_box(frame, (left + right - wide) / 2, wide, "onset-range"))
        parts.append(_upright(frame, failure.onset.best, "onset-best"))
    if failure.detected_at is not None:
        parts.append(_upright(frame, failure.detected_at, "detected"))
    return parts


def compared(failure: Failure) -> str:
    """What the window after the baseline is called: an incident only where something failed."""
    return "incident" if failure.verdict == "failure" else "compared"


def _band(frame: Frame, window: Window, kind: str) -> str:
    """A window's shade over the plot and its bar above."""
    left, right = frame.at(window.start), frame.at(window.end)
    bar = element("path", d=f"M{short(left)} 18H{short(right)}", class_=f"line bar {kind}-bar")
    return bar + _box(frame, left, right - left, kind)


def _box(frame: Frame, left: float, width: float, kind: str) -> str:
    height = frame.bottom - frame.top
    return element("rect", x=left, y=frame.top, width=max(0.0, width), height=height, class_=kind)


def _upright(frame: Frame, when: datetime, kind: str) -> str:
    path = f"M{short(frame.at(when))} {short(frame.top)}V{short(frame.bottom)}"
    return element("path", d=path, class_=f"line {kind}")


def _series(frame: Frame, failure: Failure, points: Sequence[Point]) -> list[str]:
    parts = [element("path", d=_ribbon(frame, failure, run), class_="ribbon") for run in runs(points, limits=True)]
    level = finite(failure.baseline.value)
    if level is not None:
        y = short(frame.y.inside(level))
        path = f"M{short(frame.left)} {y}H{short(frame.right)}"
        parts.append(element("path", d=path, class_="line level"))
    half = failure.bucket_seconds / 2
    dots: list[str] = []
    for run in runs(points, limits=False):
        places = [(frame.x(p.start.timestamp() + half), frame.y(p.value.value)) for p in run]
        path = "M" + "L".join(f"{short(x)} {short(y)}" for x, y in places)
        parts.append(element("path", d=path, class_="line series"))
        dots += [f"M{short(x)} {short(y)}h0" for x, y in places]
    if len(dots) <= frame.width / 5 or len(dots) == 1:
        parts.append(element("path", d="".join(dots), class_="line dots"))
    return parts


def _ribbon(frame: Frame, failure: Failure, run: Sequence[Point]) -> str:
    """The outline of the intervals: along the upper limits and back along the lower ones."""
    half = failure.bucket_seconds / 2
    upper = [(frame.x(p.start.timestamp() + half), frame.y.inside(p.value.high)) for p in run]
    lower = [(frame.x(p.start.timestamp() + half), frame.y.inside(p.value.low)) for p in run]
    return "M" + "L".join(f"{short(x)} {short(y)}" for x, y in [*upper, *reversed(lower)]) + "Z"


def runs(points: Sequence[Point], *, limits: bool) -> list[list[Point]]:
    """The points in unbroken runs: those with a value, or (`limits`) those with both limits of an interval."""
    parts: list[list[Point]] = [[]]
    for point in points:
        needed = (point.value.low, point.value.high) if limits else (point.value.value,)
        if all(finite(v) is not None for v in needed):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _level_axis(frame: Frame, style: MetricStyle) -> list[str]:
    ticks = round_ticks(frame.y.low * style.factor, frame.y.high * style.factor, 5)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    parts = []
    for tick in ticks:
        y = frame.y(tick / style.factor)
        parts.append(element("path", d=f"M{short(frame.left)} {short(y)}H{short(frame.right)}", class_="grid"))
        parts.append(label(frame.left - 8, y + 4, fixed(tick, decimals), class_="tick end"))
    if style.unit:
        parts.append(label(frame.left - 8, frame.top - 8, style.unit, class_="tick end"))
    return parts


def _time_axis(frame: Frame) -> list[str]:
    start, end = (datetime.fromtimestamp(t, UTC) for t in (frame.x.low, frame.x.high))
    ticks = []
    for when, text in time_ticks(start, end, max(2, int((frame.right - frame.left) / 110))):
        x = frame.at(when)
        mark = element("path", d=f"M{short(x)} {short(frame.bottom)}v5", class_="stroke")
        if x <= frame.right - 20:
            mark += label(max(x, frame.left), frame.bottom + 19, text, class_="tick middle" if x > 40 else "tick")
        ticks.append(mark)
    base = element("path", d=f"M{short(frame.left)} {short(frame.bottom)}H{short(frame.right)}", class_="stroke")
    return [base, element("g", *ticks, class_="ticks")]


def _heads(frame: Frame, failure: Failure) -> list[str]:
    """Names over the plot, each in a row of its own so that none covers another."""
    parts = [_window_name(frame, failure.baseline_window, "baseline")]
    if failure.incident_window is not None:
        parts.append(_window_name(frame, failure.incident_window, compared(failure)))
    clock = failure.bucket_seconds < 86400
    if failure.onset is not None:
        text = f"onset {moment(failure.onset.best, clock=clock)}"
        parts.append(_head(frame, failure.onset.best, text, row=1, kind="onset-name"))
    if failure.detected_at is not None:
        text = f"detected {moment(failure.detected_at)}"
        parts.append(
            _head(frame, failure.detected_at, text, row=1 if failure.onset is None else 2, kind="detected-name")
        )
    return parts


def _window_name(frame: Frame, window: Window, kind: str) -> str:
    left, right = frame.at(window.start), frame.at(window.end)
    if right - left < 7 * len(kind):
        return ""
    return at(left, label(0, 12, kind, class_=f"head {kind}-name"), until=right)


def _head(frame: Frame, when: datetime, text: str, *, row: int, kind: str) -> str:
    x, y = frame.at(when), 16 + 17 * row
    flipped = x > frame.left + 0.55 * (frame.right - frame.left)
    stem = element("path", d=f"M0 {short(y - 9)}V{short(frame.top)}", class_=f"stem {kind}")
    name = label(-5 if flipped else 5, y, text, class_=f"head {kind}{' end' if flipped else ''}")
    return at(x, stem + name)


def at(x: float, content: str, *, until: float | None = None, y: float = 0.0) -> str:
    """A group at a place in time, which the script moves when the axis is zoomed."""
    place = f"translate({short(x)} {short(y)})"
    return element("g", content, class_="at", transform=place, data_x=x, data_until=until, data_y=y or None)


def _lanes(frame: Frame, marks: Sequence[Mark]) -> list[str]:
    """One line for each mark within the axis, in order of time."""
    held = sorted((m for m in marks if frame.x.low <= m.at.timestamp() <= frame.x.high), key=lambda m: m.at)
    parts = []
    for row, mark in enumerate(held):
        x, y = frame.at(mark.at), frame.bottom + 40 + LANE * row
        flipped = x > frame.left + 0.5 * (frame.right - frame.left)
        room = (x if flipped else frame.right - x) - 14
        stem = element("path", d=f"M0 {short(frame.bottom - y)}V-6", class_="stem mark")
        shape = element("path", d=SHAPES[mark.kind], class_=f"shape {mark.kind}")
        text = label(-11 if flipped else 11, 4, fitted(mark.text, room), class_=f"lane{' end' if flipped else ''}")
        parts.append(at(x, element("title", words(f"{moment(mark.at)} {mark.text}")) + stem + shape + text, y=y))
    return parts


def _title(failure: Failure) -> str:
    return f"{metric_name(failure.metric)} over time"


def _description(failure: Failure, style: MetricStyle, marks: Sequence[Mark]) -> str:
    parts = [
        f"Baseline {style.value(failure.baseline.value)}, incident {style.value(failure.incident.value)}.",
    ]
    first, last = failure.series[0].start, failure.series[-1].start
    parts.append(f"{len(failure.series)} time buckets from {moment(first)} to {moment(last)} UTC.")
    if failure.onset is not None:
        parts.append(
            f"Onset {moment(failure.onset.best)} UTC, between {moment(failure.onset.low)} and"
            f" {moment(failure.onset.high)}."
        )
    if marks:
        parts.append(f"{len(marks)} changes and signals are marked. The table below holds the figures.")
    return " ".join(parts)
