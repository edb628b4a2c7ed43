"""Whether the fall is what the same season did before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np

from mortis.causes.facts import Facts, Outcome, bounded, plainly
from mortis.profiles import Floats
from mortis.records import CauseVerdict, Failure, Interval, Point, Window

YEAR = timedelta(days=364)  # whole weeks, so that weekdays meet
MOST = 0.5
LITTLE = 0.25
FEWEST_BUCKETS = 3
NAME = "compare with the same weeks of the year before"


def decide_season(facts: Facts) -> Iterable[Outcome]:
    """W3: how much of the fall the same weeks of the year before show, against the weeks that stand for the baseline.

    Supported at most, as one earlier year is one case, and without a share of the drop: what the season changed, inputs
    or their relation, is W1's and W2's to say. Step 1 has compared like weekdays (or hours) already.
    """
    failure = facts.failure
    before = _a_year_before(failure)
    if before is None:
        days = (failure.since_onset.start - failure.series[0].start) / timedelta(days=1) if failure.series else 0
        reason = f"the log reaches back {days:.0f} days from the onset, and a season takes a year"
        yield plainly("W3", "not_tested", NAME, f"not tested, because {reason}")
        return
    result = f"a year before, {facts.metric.name} moved by {bounded(before)} of what it moved now"
    yield plainly("W3", _verdict(before), NAME, result)


def _verdict(part: Interval) -> CauseVerdict:
    if part.low >= MOST:
        return "supported"
    return "refuted" if part.high < LITTLE else "inconclusive"


def _a_year_before(failure: Failure) -> Interval | None:
    """What the metric did a year before, as a share of what it did now; None where the log doesn't reach back."""
    windows = [_back(failure.baseline_window), _back(failure.since_onset)]
    old, then = (_values(failure.series, window) for window in windows)
    usual, now = (_values(failure.series, one) for one in (failure.baseline_window, failure.since_onset))
    if min(len(part) for part in (old, then, usual, now)) < FEWEST_BUCKETS:
        return None
    moved = float(now.mean() - usual.mean())
    change = float(then.mean() - old.mean())
    half = 1.96 * float(np.hypot(_error(then), _error(old)))
    if moved == 0:
        return None
    low, high = sorted(((change - half) / moved, (change + half) / moved))
    return Interval(change / moved, low, high, len(old) + len(then))


def _back(window: Window) -> Window:
    return Window(window.start - YEAR, window.end - YEAR)


def _values(series: Sequence[Point], window: Window) -> Floats:
    inside = [point.value.value for point in series if point.start in window]
    return np.array([value for value in inside if np.isfinite(value)])


def _error(values: Floats) -> float:
    """The standard error of a mean of buckets."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))
