"""A shift between windows, weekday for weekday or hour for hour: what the season does by itself is no change."""

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
SIGNIFICANT = 0.01  # of the test whether the phases differ at all


@dataclass(frozen=True, slots=True)
class _Buckets:
    """The sums of a window's buckets that hold rows, (buckets, slots), and where each stands in the period."""

    sums: Floats
    phase: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        return len(self.phase)


def seasonal_shift(series: Series, metric: Metric, baseline: Window, incident: Window) -> Interval | None:
    """The metric's shift against the same weekdays (or hours) of the baseline; None where it lacks three of each, or
    where these don't differ by more than chance.

    The interval rests on how much the baseline's buckets vary about their weekday, autocorrelation included, and on the
    rows of both windows: an incident whose days differ from each other is not for that the less certain.

    Source: the jackknife variance of a post-stratified figure (Efron 1982, "The jackknife, the bootstrap and other
    resampling plans"), with days for draws.
    """
    period = PERIODS.get(series.width)
    if period is None:
        return None
    old, new = (_buckets(series, metric, window, period) for window in (baseline, incident))
    seen, asked = (np.bincount(part.phase, minlength=period) for part in (old, new))
    if seen.min() < FEWEST_CYCLES or not new.size:
        return None
    weights = (asked / seen)[old.phase] * old.size / new.size
    usual, shifted = (_value(metric, series, part) for part in (weights @ old.sums, new.sums.sum(axis=0)))
    influence = old.size * (usual - _value(metric, series, old.sums.sum(axis=0) - old.sums))
    if not (np.isfinite(usual) and np.isfinite(shifted) and np.isfinite(influence).all()):
        return None
    rows = [metric.n(Sums(series.tally.slots, part.sums.sum(axis=0, keepdims=True)))[0] for part in (old, new)]
    spread = _spread(influence, old.phase, period)
    if spread is None:
        return None
    thinner = max(1.0, float(rows[0] / old.size) / max(float(rows[1] / new.size), 1e-9))
    half = spread * np.sqrt(float(weights @ weights) / old.size**2 + thinner / new.size)
    down, up = _by_rows(metric, series, old, new)
    change = float(shifted - usual)
    return Interval(change, change - max(half, down), change + max(half, up), int(sum(rows)))


def _buckets(series: Series, metric: Metric, window: Window, period: int) -> _Buckets:
    inside = slice(series.index(window.start), series.index(window.end))
    sums = series.tally.values[inside]
    filled = np.isfinite(_value(metric, series, sums))
    return _Buckets(sums[filled], (np.arange(len(series.starts))[inside] % period)[filled])


def _value(metric: Metric, series: Series, sums: Floats) -> Floats:
    """The metric of sums, (slots,) or (buckets, slots)."""
    return metric.compute(Sums(series.tally.slots, sums))


def _spread(influence: Floats, phase: npt.NDArray[np.int64], period: int) -> float | None:
    """Half the width of the interval that a single bucket would have, from what its weekday leaves unexplained.

    None where the weekdays don't differ by more than chance makes them.
    """
    from scipy.special import fdtrc, stdtrit

    count = np.bincount(phase, minlength=period)
    by_phase = (np.bincount(phase, weights=influence, minlength=period) / count)[phase]
    left, explained = influence - by_phase, by_phase - influence.mean()
    freedom = influence.size - period
    variance = float(left @ left) / freedom
    if variance <= 0 or fdtrc(period - 1, freedom, float(explained @ explained) / (period - 1) / variance) > SIGNIFICANT:
        return None
    phi = lag_autocorrelation(left) + 1 / influence.size
    phi = phi if phi > 1 / np.sqrt(influence.size) else 0.0
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2) * np.sqrt(variance * (1 + phi) / (1 - phi)))


def _by_rows(metric: Metric, series: Series, old: _Buckets, new: _Buckets) -> tuple[float, float]:
    """How far below and above its value the shift may lie by the rows alone; zero where these give no limits."""
    if metric.measure.limits is None:
        return 0.0, 0.0
    both = Sums(series.tally.slots, np.stack([old.sums.sum(axis=0), new.sums.sum(axis=0)]))
    low, high = metric.measure.limits(both)
    value = metric.compute(both)
    under, over = value - low, high - value
    offsets = np.nan_to_num(np.array([np.hypot(under[1], over[0]), np.hypot(over[1], under[0])]))
    return float(offsets[0]), float(offsets[1])
