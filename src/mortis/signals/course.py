"""A series' course around the incident, by time buckets and without its season."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mortis.profiles import Floats
from mortis.records import Harm, Window
from mortis.signals.season import Ints, without_season
from mortis.signals.shift import normal_part
from mortis.signals.worst import LASTING, Ordered
from mortis.telemetry import MetricSeries

MOST_BUCKETS = 400
BEFORE = 3  # lengths of the incident that show what is normal
FEWEST_BEFORE = 60  # intervals of measurement that do, where the incident is short


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A series by buckets of `width` seconds: when each starts, the mean of its points, and how many these are.

    The first `known` buckets are normal; the incident's begin at `incident`.
    """

    starts: Ints
    values: Floats
    n: Floats
    known: int
    incident: int
    width: int

    def moment(self, bucket: int) -> datetime:
        """When a bucket starts."""
        return datetime.fromtimestamp(int(self.starts[bucket]), UTC)

    def badness(self, direction: Harm) -> Floats:
        """How bad each bucket was, from 0 (the normal median or better) to 1 (the incident's worst); NaN if empty.

        >>> course = Course(np.arange(6), np.array([1.0, 1, 1, 3, 5, 5]), np.ones(6), known=3, incident=3, width=1)
        >>> course.badness("up").tolist()
        [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]
        """
        values = np.where(self.n > 0, self.values if direction == "up" else -self.values, np.nan)
        normal = values[: self.known]
        if not np.isfinite(normal).any():
            return np.full(len(values), np.nan)
        usual = float(np.nanmedian(normal))
        top = float(Ordered.of(values[self.incident :]).medians(LASTING)[1]) - usual
        if not top > 0:
            return np.where(self.n > 0, 0.0, np.nan)
        return np.asarray(np.clip((values - usual) / top, 0.0, 1.0))


def course_of(one: MetricSeries, *, baseline: Window, incident: Window, step: int | None = None) -> Course | None:
    """The series in at most about 400 buckets from three lengths before; None where it has fewer than two points.

    The last quarter of a length before the incident isn't taken as normal, as what leads to a failure begins before it.
    `step` is the series' interval in seconds, its own where left out: series of one step get the same buckets.

    >>> from datetime import UTC, datetime
    >>> day = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 5, 6)]
    >>> seconds = int(day[0].timestamp()) + np.arange(120) * 3600
    >>> flat = MetricSeries("cpu", seconds, np.ones(120))
    >>> course = course_of(flat, baseline=Window(day[0], day[1]), incident=Window(day[1], day[2]))
    >>> len(course.starts), course.known, course.incident, course.width
    (102, 72, 78, 3600)
    """
    span = _Span.of(baseline, incident)
    inside = (one.seconds >= span.start) & (one.seconds < span.ends) & np.isfinite(one.values)
    seconds = one.seconds[inside]
    if len(seconds) < 2:
        return None
    step = step or interval(seconds)
    starts, width = span.buckets(step)
    known, after = np.searchsorted(seconds, [span.normal_end, span.begins]).tolist()
    level = without_season(one.values[inside][None, :], seconds, slice(0, known), needed=slice(after, len(seconds)))
    values, n = _means(level.values[0], seconds, starts, width)
    normal, begun = np.searchsorted(starts, [span.normal_end, span.begins]).tolist()
    return Course(starts, values, n, max(1, normal), begun, width)


def interval(seconds: Ints) -> int:
    """The usual time between two points, in seconds; one where there are fewer than two.

    >>> interval(np.array([0, 60, 120, 600]))
    60
    """
    return max(1, int(np.median(np.diff(seconds)))) if len(seconds) > 1 else 1


@dataclass(frozen=True, slots=True)
class _Span:
    """The two windows in epoch seconds: a baseline of start..end, normal to normal_end; an incident of begins..ends."""

    start: int
    end: int
    begins: int
    ends: int
    normal_end: int

    @classmethod
    def of(cls, baseline: Window, incident: Window) -> _Span:
        normal = normal_part(baseline, incident)
        moments = (baseline.start, baseline.end, incident.start, incident.end, normal.end)
        return cls(*(int(moment.timestamp()) for moment in moments))

    def buckets(self, step: int) -> tuple[Ints, int]:
        """Where the buckets start, and their width; a gap longer than the incident is one bucket."""
        back = max(BEFORE * (self.ends - self.begins), FEWEST_BEFORE * step)
        first = max(self.start, self.normal_end - back)
        apart = self.begins - self.end > self.ends - self.begins
        gap = self.begins - self.end if apart else 0
        width = step * max(1, -(-(self.ends - first - gap) // (step * MOST_BUCKETS)))
        edge = self.end if apart else self.begins
        before = np.arange(edge - -(-(edge - first) // width) * width, edge, width)
        after = np.arange(self.begins, self.ends, width)
        return np.concatenate((before, [self.end] if apart else [], after)).astype(np.int64), width


def _means(values: Floats, seconds: Ints, starts: Ints, width: int) -> tuple[Floats, Floats]:
    """The mean of the known values in each bucket (0 where there are none) and their number."""
    bucket = np.searchsorted(starts, seconds, side="right") - 1
    there = (bucket >= 0) & np.isfinite(values) & (seconds < starts[np.maximum(bucket, 0)] + width)
    n = np.bincount(bucket[there], minlength=len(starts)).astype(np.float64)
    total = np.bincount(bucket[there], weights=values[there], minlength=len(starts))
    return total / np.maximum(n, 1), n
