"""How much a statistic shifts between stretches of the baseline alone: the yardstick for the incident's shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mortis.intervals import FloatArray, Statistic


@dataclass(frozen=True, slots=True)
class Placebo:
    """An observed shift among those of placebo windows.

    `low`, `median`, `high` are quantiles of the placebo shifts; `exceedance` is the share (0..1) of them at least as
    harmful as the observed one; `windows` is how many there were. Windows may overlap, so they are not independent.
    """

    low: float
    median: float
    high: float
    exceedance: float
    windows: int


def placebo_shifts(
    sums: ArrayLike,
    statistic: Statistic,
    length: int,
    *,
    stride: int = 1,
    period: int | None = None,
    phase: int = 0,
) -> FloatArray:
    """Shifts of a statistic between each window of `length` baseline buckets and the rest of the baseline.

    `sums` is (buckets, k), additive, in order of time; `statistic` maps summed arrays (m, k) to (m,). With a `period`
    (7 for days) only windows that start where the incident did, at bucket `phase` of the period counted from the first
    baseline bucket, are taken, and the rest is weighted to the same mix of phases. Windows without such a rest, and
    those on which the statistic is not finite, are left out; the array may be empty. ValueError on options that make
    no window.

    >>> sums = np.array([[5, 100], [7, 100], [5, 100], [7, 100], [6, 100]])
    >>> placebo_shifts(sums, lambda s: s[:, 0] / s[:, 1], 2).round(4).tolist()
    [0.0, 0.0, 0.0, 0.0083]

    Source: placebo tests in time, as in synthetic control studies (Abadie, Diamond and Hainmueller 2010).
    """
    buckets = np.asarray(sums, dtype=np.float64)
    _check(buckets, length, stride=stride, period=period)
    starts = np.arange(0, len(buckets) - length + 1, stride)
    if period is not None:
        starts = starts[starts % period == phase % period]
    inside = _inside(starts, length, len(buckets))
    windows = inside @ buckets
    if period is None:
        usable, rest = np.ones(starts.size, dtype=np.bool_), buckets.sum(axis=0) - windows
    else:
        usable, weights = _matched_rest(inside, np.arange(len(buckets)) % period)
        rest = weights @ buckets
    # Where a window has no rows the statistic is 0/0: such windows are left out below.
    with np.errstate(divide="ignore", invalid="ignore"):
        shifts = statistic(windows[usable]) - statistic(rest[usable])
    return np.asarray(shifts[np.isfinite(shifts)], dtype=np.float64)


def compare_with_placebo(
    observed: float,
    shifts: ArrayLike,
    *,
    harm: Literal["up", "down"] | None = None,
    confidence: float = 0.95,
) -> Placebo:
    """Where an observed shift stands among placebo shifts; `harm` None counts shifts of either sign by their size.

    ValueError where there is no placebo shift at all, as no yardstick exists then.

    >>> compare_with_placebo(0.03, [-0.01, 0.0, 0.01, 0.04], harm="up")
    Placebo(low=-0.00925, median=0.005, high=0.03775, exceedance=0.25, windows=4)
    """
    values = np.asarray(shifts, dtype=np.float64)
    if values.size == 0:
        raise ValueError("there are no placebo shifts: the baseline holds no window of the incident's length")
    if harm is None:
        exceed = np.abs(values) >= abs(observed)
    else:
        exceed = values >= observed if harm == "up" else values <= observed
    low, median, high = np.quantile(values, [0.5 - confidence / 2, 0.5, 0.5 + confidence / 2]).tolist()
    return Placebo(low, median, high, float(exceed.mean()), values.size)


def _check(buckets: FloatArray, length: int, *, stride: int, period: int | None) -> None:
    if buckets.ndim != 2:
        raise ValueError(f"sums must have the shape (buckets, k); got {buckets.shape}")
    if not 1 <= length < max(len(buckets), 2):
        raise ValueError(
            f"length must lie in 1..{len(buckets) - 1}, so that a rest of the baseline is left; got {length}"
        )
    if stride < 1:
        raise ValueError(f"stride must be 1 or more; got {stride}")
    if period is not None and period < 2:
        raise ValueError(f"period must be 2 or more buckets; got {period}")


def _inside(starts: NDArray[np.int64], length: int, size: int) -> FloatArray:
    """1 where a bucket lies inside a window, shape (windows, buckets)."""
    bucket = np.arange(size)
    first = starts[:, None]
    return ((bucket >= first) & (bucket < first + length)).astype(np.float64)


def _matched_rest(inside: FloatArray, phases: NDArray[np.int64]) -> tuple[NDArray[np.bool_], FloatArray]:
    """Which windows have a rest in each of their phases, and the weights (windows, buckets) that give it their mix."""
    one_hot = (phases[:, None] == np.arange(phases.max() + 1)).astype(np.float64)
    wanted = inside @ one_hot
    left = (1 - inside) @ one_hot
    usable = ~((wanted > 0) & (left == 0)).any(axis=1)
    ratio = np.divide(wanted, left, out=np.zeros_like(wanted), where=left > 0)
    return usable, (1 - inside) * (ratio @ one_hot.T)
