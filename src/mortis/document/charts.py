"""Small charts that stand in a line or a table cell: an interval on a common axis, bars of rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mortis.document.figures import percent
from mortis.document.svg import Axis, element, label, short, words
from mortis.document.timeline import finite
from mortis.records import Interval, Rate

WIDTH = 200
HEIGHT = 22


def common_axis(intervals: Iterable[Interval], *, width: int = WIDTH) -> Axis | None:
    """An axis from pixel 6 that holds zero and every limit of the intervals; None where nothing can be drawn.

    >>> common_axis([Interval(0.1, 0.0, 0.2)])
    Axis(low=0.0, high=0.2, start=6.0, end=194.0)
    """
    limits = [v for i in intervals for v in map(finite, (i.value, i.low, i.high)) if v is not None]
    if not limits:
        return None
    low, high = min(0.0, *limits), max(0.0, *limits)
    return Axis(low, high if high > low else low + 1.0, 6.0, width - 6.0)


def interval_chart(interval: Interval, axis: Axis | None, *, text: str, kind: str = "") -> str:
    """A dot with its interval over the line of zero; an empty text where there is no value. `text` says it in words."""
    value = finite(interval.value)
    if axis is None or value is None:
        return ""
    middle = HEIGHT / 2
    zero = element("path", d=f"M{short(axis(0.0))} 2V{HEIGHT - 2}", class_="zero")
    parts = [zero]
    low, high = finite(interval.low), finite(interval.high)
    if low is not None and high is not None:
        path = f"M{short(axis.inside(low))} {short(middle)}H{short(axis.inside(high))}"
        parts.append(element("path", d=path, class_=f"whisker {kind}".strip()))
    parts.append(element("circle", cx=axis.inside(value), cy=middle, r=4, class_=f"dot {kind}".strip()))
    return picture(parts, text=text, width=axis.end + 6, height=HEIGHT, kind="interval")


def rate_bars(baseline: Rate, incident: Rate, *, highest: float, text: str) -> str:
    """Two bars, the rate of errors before and during, on an axis from zero to `highest`; empty without any rows."""
    if not baseline.n and not incident.n:
        return ""
    axis = Axis(0.0, highest if highest > 0 else 1.0, 66.0, 250.0)
    parts: list[str] = []
    for row, (name, rate) in enumerate((("baseline", baseline), ("incident", incident))):
        y = 4 + 22 * row
        parts.append(label(58, y + 12, name, class_="tick end"))
        if rate.n:
            long = max(1.5, axis.inside(rate.value) - axis.start)
            parts.append(element("rect", x=axis.start, y=y, width=long, height=16, rx=1.5, class_=f"rate {name}-rate"))
            parts.append(label(axis.start + long + 6, y + 12, percent(rate.value), class_="figure"))
        else:
            parts.append(label(axis.start, y + 12, "no rows", class_="tick"))
    return picture(parts, text=text, width=310, height=46, kind="rates")


def picture(parts: Sequence[str], *, text: str, width: float, height: float, kind: str) -> str:
    """An SVG picture with its text alternative."""
    size: dict[str, str | float] = {"viewBox": f"0 0 {short(width)} {short(height)}", "width": width, "height": height}
    return element("svg", element("title", words(text)), *parts, **size, role="img", class_=kind)


def highest_rate(rates: Iterable[Rate]) -> float:
    """The highest rate of those that have rows; zero where none has.

    >>> highest_rate([Rate(1, 10), Rate(3, 10), Rate()])
    0.3
    """
    return max((rate.value for rate in rates if rate.n), default=0.0)
