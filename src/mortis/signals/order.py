"""When a series began to move, and whether that was before, with or after the failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mortis.onset import Values, find_onset
from mortis.records import Harm, Window
from mortis.signals.course import course_of
from mortis.telemetry import MetricSeries

Order = Literal["before", "with", "after"]


@dataclass(frozen=True, slots=True)
class Began:
    """When something began: the likeliest moment, and the interval that holds it with 95 % probability."""

    best: datetime
    low: datetime
    high: datetime


def begin_of(one: MetricSeries, direction: Harm, *, baseline: Window, incident: Window) -> Began | None:
    """When a series that is known to have moved began to; None where it has too few points to tell.

    Looked for from a quarter of the incident's length before it, to its end.

    >>> import numpy as np
    >>> from datetime import UTC
    >>> day = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 5, 6)]
    >>> seconds = int(day[0].timestamp()) + np.arange(120) * 3600
    >>> values = np.resize([1.0, 2.0, 1.5, 2.5, 1.0], 120) + 9.0 * (np.arange(120) >= 100)
    >>> began = begin_of(
    ...     MetricSeries("cpu", seconds, values), "up", baseline=Window(*day[:2]), incident=Window(*day[1:])
    ... )
    >>> began.best.isoformat(), (began.high - began.low).total_seconds() / 3600
    ('2024-01-05T04:00:00+00:00', 1.0)

    Source: `mortis.onset.find_onset`, the change being certain.
    """
    course = course_of(one, baseline=baseline, incident=incident)
    if course is None:
        return None
    buckets = Values(course.values, course.n)
    onset = find_onset(buckets, harm=direction, baseline=course.known, earliest=course.known, certain=True)
    if onset is None:
        return None
    # A change inside a bucket went to its nearer edge: half a bucket further on both sides.
    half = timedelta(seconds=course.width / 2)
    return Began(
        course.moment(onset.best), course.moment(onset.low) - half, min(course.moment(onset.high) + half, incident.end)
    )


def order_of(began: Began | None, failure: Began) -> Order:
    """Before or after where the two intervals lie apart; with, where they overlap or the series' is not known.

    >>> from datetime import UTC
    >>> day = [datetime(2024, 1, d, tzinfo=UTC) for d in range(1, 8)]
    >>> failure = Began(day[3], day[2], day[4])
    >>> order_of(Began(day[1], day[0], day[1]), failure), order_of(Began(day[1], day[0], day[2]), failure)
    ('before', 'with')
    """
    if began is None:
        return "with"
    if began.high < failure.low:
        return "before"
    return "after" if began.low > failure.high else "with"
