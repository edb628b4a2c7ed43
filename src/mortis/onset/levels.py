"""Two levels of a series over time buckets, normal and affected: how well a split into them fits and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Harm = Literal["up", "down"]
Run = tuple[int, int]
"""Affected buckets start..end, half-open."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Additive sums of a series: `y` is the weighted value of each bucket, `w` its weight, none of them zero.

    `counts` says that y are errors among w predictions (binomial); otherwise the values are Gaussian with variances
    in proportion to 1/w, `square` is the sum of w times the squared value, and `floor` is added to sums of squares so
    that a zero scale never decides. `temper` in (0, 1] is the information that autocorrelation leaves.
    """

    y: FloatArray
    w: FloatArray
    cum_y: FloatArray
    cum_w: FloatArray
    counts: bool
    square: float
    floor: float
    temper: float

    @property
    def size(self) -> int:
        """Number of buckets."""
        return int(self.y.size)

    @property
    def values(self) -> FloatArray:
        """The rate or value of each bucket."""
        return self.y / self.w


@dataclass(frozen=True, slots=True)
class Search:
    """What a run of affected buckets may look like: which way harm points, first possible start, fewest buckets."""

    harm: Harm | None
    earliest: int
    shortest: int


@dataclass(frozen=True, slots=True)
class Fit:
    """Runs of affected buckets and their tempered log likelihood over that of no change at all."""

    runs: tuple[Run, ...]
    gain: float


SMALLEST_RELATIVE_SCALE = 1e-3

EXACT_SIZE = 150
"""Up to this many buckets the likelihood of all pairs takes a few milliseconds."""


def make_levels(values: FloatArray, weights: FloatArray, *, counts: bool, phi: float) -> Levels:
    """The sums of a series with its weights, ready for splitting; phi is the lag-1 autocorrelation of its noise.

    >>> make_levels(np.array([0.1, 0.3]), np.array([10.0, 20.0]), counts=True, phi=0.0).cum_y.tolist()
    [0.0, 1.0, 7.0]
    """
    w = weights if counts else weights / weights.mean()
    y = values * w
    scale = SMALLEST_RELATIVE_SCALE * float(w @ np.abs(values)) / values.size
    return Levels(
        y=y,
        w=w,
        cum_y=np.concatenate(([0.0], np.cumsum(y))),
        cum_w=np.concatenate(([0.0], np.cumsum(w))),
        counts=counts,
        square=float(y @ values),
        floor=values.size * scale**2,
        temper=(1 - phi) / (1 + phi),
    )


def split_gain(levels: Levels, on_y: FloatArray, on_w: FloatArray) -> FloatArray:
    """Tempered log likelihood of two levels over that of one, where the affected buckets sum to on_y with weight on_w.

    Any shape; both sides must have positive weight.

    >>> levels = make_levels(np.array([1.0, 1.1, 3.0, 3.1]), np.ones(4), counts=False, phi=0.0)
    >>> split_gain(levels, np.array([6.1, 3.1]), np.array([2.0, 1.0])).round(2).tolist()
    [5.99, 0.46]

    Source: profile likelihoods of the binomial and of the Gaussian with unknown variance.
    """
    off_y, off_w = levels.cum_y[-1] - on_y, levels.cum_w[-1] - on_w
    total_y, total_w = levels.cum_y[-1:], levels.cum_w[-1:]
    if levels.counts:
        gain = _binomial(on_y, on_w) + _binomial(off_y, off_w) - _binomial(total_y, total_w)
        return np.asarray(levels.temper * gain)
    one = np.maximum(levels.square - total_y**2 / total_w, 0.0) + levels.floor
    two = np.maximum(levels.square - on_y**2 / on_w - off_y**2 / off_w, 0.0) + levels.floor
    if levels.floor == 0:
        return np.zeros_like(on_y)
    return np.asarray(levels.temper * (levels.size - 2) / 2 * np.log(one / two))


def best_step(levels: Levels, search: Search) -> Fit | None:
    """The best change that lasts to the end of the series, or None where none points the way harm does.

    >>> levels = make_levels(np.array([1.0, 1.1, 3.0, 3.1]), np.ones(4), counts=False, phi=0.0)
    >>> best_step(levels, Search("up", 1, 1)).runs
    ((2, 4),)
    """
    starts = np.arange(search.earliest, levels.size - search.shortest + 1)
    return _best(levels, starts, np.full_like(starts, levels.size), search.harm)


def best_pulse(levels: Levels, search: Search) -> Fit | None:
    """The best change that is over before the series ends, or None where none points the way harm does.

    Rates in short series: by likelihood over all pairs of start and end. Else all pairs are scored (the efficient
    score, which orders Gaussian values exactly), the best end of each start is compared by likelihood, and start and
    end are polished in turn.

    >>> levels = make_levels(np.array([1.0, 1.1, 3.0, 3.1, 1.0]), np.ones(5), counts=False, phi=0.0)
    >>> best_pulse(levels, Search("up", 1, 1)).runs
    ((2, 4),)

    Source: the scan of circular binary segmentation, Olshen and others (2004).
    """
    starts = np.arange(search.earliest, levels.size - search.shortest)
    if starts.size == 0:
        return None
    if levels.counts and levels.size <= EXACT_SIZE:
        first, last = np.triu_indices(levels.size, search.shortest)
        inside = first >= search.earliest
        return _best(levels, first[inside], last[inside], search.harm)
    fit = _best(levels, starts, _best_ends(levels, starts, search), search.harm)
    for _ in range(3):
        if fit is None:
            return None
        start, end = fit.runs[0]
        ends = np.arange(start + search.shortest, levels.size)
        better_end = _best(levels, np.full_like(ends, start), ends, search.harm) or fit
        end = better_end.runs[0][1]
        earlier = np.arange(search.earliest, end - search.shortest + 1)
        better = _best(levels, earlier, np.full_like(earlier, end), search.harm) or better_end
        if better.gain <= fit.gain + 1e-9:
            return better
        fit = better
    return fit


def start_log_posterior(levels: Levels, runs: tuple[Run, ...], search: Search) -> tuple[IntArray, FloatArray]:
    """Candidate starts of the first run and their log posterior (not normalized), the other edges held fixed.

    >>> levels = make_levels(np.array([1.0, 1.1, 3.0, 3.1]), np.ones(4), counts=False, phi=0.0)
    >>> starts, log_p = start_log_posterior(levels, ((2, 4),), Search("up", 1, 1))
    >>> int(starts[log_p.argmax()])
    2

    Source: posterior of one change point under a flat prior on both levels and 1/sigma on the scale.
    """
    (_, end), rest = runs[0], runs[1:]
    starts = np.arange(search.earliest, end - search.shortest + 1)
    rest_y = sum(float(levels.cum_y[b] - levels.cum_y[a]) for a, b in rest)
    rest_w = sum(float(levels.cum_w[b] - levels.cum_w[a]) for a, b in rest)
    on_y = levels.cum_y[end] - levels.cum_y[starts] + rest_y
    on_w = levels.cum_w[end] - levels.cum_w[starts] + rest_w
    buckets = end - starts + sum(b - a for a, b in rest)
    log_p = split_gain(levels, on_y, on_w) - 0.5 * np.log(buckets * (levels.size - buckets))
    return starts, np.where(_harmful(levels, on_y, on_w, search.harm), log_p, -np.inf)


def runs_gain(levels: Levels, runs: tuple[Run, ...]) -> float:
    """Tempered log likelihood of the given runs over that of no change."""
    on_y = np.array([sum(float(levels.cum_y[b] - levels.cum_y[a]) for a, b in runs)])
    on_w = np.array([sum(float(levels.cum_w[b] - levels.cum_w[a]) for a, b in runs)])
    return float(split_gain(levels, on_y, on_w)[0])


def contrast_share(levels: Levels, run: Run) -> float:
    """How much more evidence than `temper` leaves stands behind one run: from 1 for long to 1 / temper for short ones.

    Autocorrelation inflates the variance of a mean over many buckets, but not that of a single bucket.

    >>> levels = make_levels(np.arange(200.0), np.ones(200), counts=False, phi=0.5)
    >>> [round(contrast_share(levels, run), 2) for run in ((50, 51), (50, 54), (50, 150))]
    [2.97, 1.44, 1.01]

    Source: the variance of a mean of n AR(1) values.
    """
    phi = (1 - levels.temper) / (1 + levels.temper)
    on = run[1] - run[0]

    def variance(n: int) -> float:
        return ((1 + phi) / (1 - phi) - 2 * phi * (1 - phi**n) / (n * (1 - phi) ** 2)) / n

    off = levels.size - on
    return (1 / on + 1 / off) / (variance(on) + variance(off)) / levels.temper


def level_values(levels: Levels, on: NDArray[np.bool_]) -> tuple[float, float]:
    """The normal and the affected level: weighted means of the other and of the marked buckets; both must exist.

    >>> levels = make_levels(np.array([1.0, 1.0, 3.0, 3.0]), np.ones(4), counts=False, phi=0.0)
    >>> level_values(levels, affected(4, ((2, 4),)))
    (1.0, 3.0)
    """
    return (
        float(levels.y[~on].sum() / levels.w[~on].sum()),
        float(levels.y[on].sum() / levels.w[on].sum()),
    )


def affected(size: int, runs: tuple[Run, ...]) -> NDArray[np.bool_]:
    """Which of `size` buckets lie inside the runs.

    >>> affected(4, ((1, 3),)).tolist()
    [False, True, True, False]
    """
    on = np.zeros(size, dtype=np.bool_)
    for start, end in runs:
        on[start:end] = True
    return on


def _binomial(errors: FloatArray, n: FloatArray) -> FloatArray:
    """The log likelihood of errors at their own rate."""
    from scipy.special import xlogy

    # Sums of effective counts leave [0, n] by rounding alone.
    k = np.clip(errors, 0.0, n)
    return np.asarray(xlogy(k, k / n) + xlogy(n - k, (n - k) / n))


def _harmful(levels: Levels, on_y: FloatArray, on_w: FloatArray, harm: Harm | None) -> NDArray[np.bool_]:
    rise = on_y * levels.cum_w[-1] - levels.cum_y[-1] * on_w
    if harm is None:
        return np.ones(rise.shape, dtype=np.bool_)
    return np.asarray(rise > 0 if harm == "up" else rise < 0)


def _best(levels: Levels, starts: IntArray, ends: IntArray, harm: Harm | None) -> Fit | None:
    if starts.size == 0:
        return None
    on_y = levels.cum_y[ends] - levels.cum_y[starts]
    on_w = levels.cum_w[ends] - levels.cum_w[starts]
    gain = np.where(_harmful(levels, on_y, on_w, harm), split_gain(levels, on_y, on_w), -np.inf)
    i = int(gain.argmax())
    return Fit(((int(starts[i]), int(ends[i])),), float(gain[i])) if np.isfinite(gain[i]) else None


def _best_ends(levels: Levels, starts: IntArray, search: Search, *, block: int = 128) -> IntArray:
    """For each start the end with the highest score; in blocks, so that memory stays small."""
    total_w = levels.cum_w[-1]
    excess = levels.cum_y - levels.cum_y[-1] / total_w * levels.cum_w
    sign = -1.0 if search.harm == "down" else 1.0
    ends = np.empty_like(starts)
    for first in range(0, starts.size, block):
        rows = starts[first : first + block]
        columns = np.arange(int(rows[0]) + search.shortest, levels.size)
        weight = levels.cum_w[columns] - levels.cum_w[rows, None]
        rise = sign * (excess[columns] - excess[rows, None])
        allowed = columns >= rows[:, None] + search.shortest
        weight = np.where(allowed, weight * (total_w - weight), 1.0)
        score = rise * np.abs(rise) / weight if search.harm else rise * rise / weight
        ends[first : first + block] = columns[np.where(allowed, score, -np.inf).argmax(axis=1)]
    return ends
