"""A shift between windows, judged by how much the baseline's time buckets vary about their weekday or hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.clarify.metrics import Metric, Sums
from mortis.clarify.series import FEWEST_CYCLES, PERIODS, Series
from mortis.intervals import lag_autocorrelation
from mortis.profiles import Floats
from mortis.records import Interval, Window

CONFIDENCE = 0.95
SIGNIFICANT = 0.01  # of the test whether weekdays (or hours) differ at all
FEWEST_BUCKETS = 14  # a shorter baseline says less about its own variation than the two windows together


@dataclass(frozen=True, slots=True)
class _Buckets:
    """The sums of a window's buckets that hold rows, (buckets, slots), and where each stands in the period."""

    sums: Floats
    phase: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        return len(self.phase)


def shift_beside_baseline(series: Series, metric: Metric, baseline: Window, incident: Window) -> Interval | None:
    """The metric's shift, against the same weekdays (or hours) of the baseline where these differ by more than chance.

    The interval rests on how much the baseline's buckets vary, autocorrelation included, and on the rows of both
    windows: an incident whose days differ from each other is not for that the less certain. None where the baseline has
    fewer than fourteen buckets.

    Source: the jackknife variance of a post-stratified figure (Efron 1982, "The jackknife, the bootstrap and other
    resampling plans"), with days for draws.
    """
    period = season_of(series, metric, baseline) or 1
    old, new = (_buckets(series, metric, window, period) for window in (baseline, incident))
    if old.size < FEWEST_BUCKETS or not new.size:
        return None
    seen, asked = (np.bincount(part.phase, minlength=period) for part in (old, new))
    weights = (asked / seen)[old.phase] * old.size / new.size
    usual, shifted = (_value(metric, series, part) for part in (weights @ old.sums, new.sums.sum(axis=0)))
    spread = _spread(_influence(metric, series, old), old.phase, period)
    if not (np.isfinite(usual) and np.isfinite(shifted) and np.isfinite(spread)):
        return None
    rows = [float(metric.n(Sums(series.tally.slots, part.sums)).sum()) for part in (old, new)]
    thinner = max(1.0, rows[0] / old.size / max(rows[1] / new.size, 1e-9))
    half = spread * np.sqrt(float(weights @ weights) / old.size**2 + thinner / new.size)
    down, up = _by_rows(metric, series, old, new)
    change = float(shifted - usual)
    return Interval(change, change - max(half, down), change + max(half, up), int(sum(rows)))


def season_of(series: Series, metric: Metric, baseline: Window) -> int | None:
    """The metric's period in buckets (a week of days, a day of hours); None where its phases differ by chance alone.

    Source: the F test of one-way analysis of variance, each phase being there three times at least.
    """
    from scipy.special import fdtrc

    period = PERIODS.get(series.width, 1)
    old = _buckets(series, metric, baseline, period)
    if period == 1 or np.bincount(old.phase, minlength=period).min() < FEWEST_CYCLES:
        return None
    influence = _influence(metric, series, old)
    by_phase = _phase_means(influence, old.phase, period)
    left, explained = influence - by_phase, by_phase - influence.mean()
    noise, freedom = float(left @ left), old.size - period
    if not noise > 0:
        return None
    p = fdtrc(period - 1, freedom, float(explained @ explained) / (period - 1) / (noise / freedom))
    return period if p < SIGNIFICANT else None


def _buckets(series: Series, metric: Metric, window: Window, period: int) -> _Buckets:
    inside = slice(series.index(window.start), series.index(window.end))
    sums = series.tally.values[inside]
    filled = np.isfinite(_value(metric, series, sums))
    return _Buckets(sums[filled], (np.arange(len(series.starts))[inside] % period)[filled])


def _value(metric: Metric, series: Series, sums: Floats) -> Floats:
    """The metric of sums, (slots,) or (buckets, slots)."""
    return metric.compute(Sums(series.tally.slots, sums))


def _influence(metric: Metric, series: Series, part: _Buckets) -> Floats:
    """By how much each bucket moves the figure, times the number of buckets."""
    total = part.sums.sum(axis=0)
    moved: Floats = part.size * (_value(metric, series, total) - _value(metric, series, total - part.sums))
    return moved


def _phase_means(values: Floats, phase: npt.NDArray[np.int64], period: int) -> Floats:
    """Each entry's mean over its phase."""
    count = np.bincount(phase, minlength=period)
    means: Floats = (np.bincount(phase, weights=values, minlength=period) / np.maximum(count, 1))[phase]
    return means


def _spread(influence: Floats, phase: npt.NDArray[np.int64], period: int) -> float:
    """Half the width of the interval that a single bucket would have, from what its phase leaves unexplained."""
    from scipy.special import stdtrit

    left = influence - _phase_means(influence, phase, period)
    freedom = influence.size - period
    phi = lag_autocorrelation(left) + 1 / influence.size
    phi = phi if phi > 1 / np.sqrt(influence.size) else 0.0
    variance = float(left @ left) / freedom * (1 + phi) / (1 - phi)
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2) * np.sqrt(variance))


def _by_rows(metric: Metric, series: Series, old: _Buckets, new: _Buckets) -> tuple[float, float]:
    """How far below and above its value the shift may lie by the rows alone; zero where these give no limits."""
    if metric.measure.limits is None:
        return 0.0, 0.0
    both = Sums(series.tally.slots, np.stack([old.sums.sum(axis=0), new.sums.sum(axis=0)]))
    low, high = metric.measure.limits(both)
    value = metric.compute(both)
    under, over = value - low, high - value
    down, up = np.nan_to_num(np.array([np.hypot(under[1], over[0]), np.hypot(over[1], under[0])])).tolist()
    return down, up
