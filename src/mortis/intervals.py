"""Intervals and tests shared by several steps: rates, their differences and ratios, sums over time blocks, q-values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mortis.records import Interval, Rate

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""From summed arrays (draws, k) to one value per draw (draws,)."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A change between two periods with its confidence limits."""

    change: float
    low: float
    high: float


def wilson_bounds(errors: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Lower and upper limits of error rates, elementwise; 0 and 1 where n is 0, as nothing is known there.

    >>> low, high = wilson_bounds([5, 0], [100, 0])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0215, 0.0], [0.1118, 1.0])

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    k, m = np.broadcast_arrays(np.asarray(errors, dtype=np.float64), np.asarray(n, dtype=np.float64))
    if np.any(k < 0) or np.any(k > m):
        raise ValueError("errors must lie in 0..n in every element")
    z2 = normal_quantile(confidence) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (k + z2 / 2) / (m + z2)
        half = np.sqrt(z2 * (k * (m - k) / m + z2 / 4)) / (m + z2)
    low = np.where(k > 0, middle - half, 0.0)
    high = np.where(k < m, middle + half, 1.0)
    return np.where(m > 0, low, 0.0), np.where(m > 0, high, 1.0)


def wilson(errors: int, n: int, *, confidence: float = 0.95) -> Interval:
    """The error rate with Wilson's score interval; a ValueError where there are no rows.

    >>> wilson(5, 100)
    Interval(value=0.05, low=0.0215..., high=0.1117..., n=100)

    Source: as `wilson_bounds`.
    """
    if n == 0:
        raise ValueError("a rate of no rows has no value; ask only where n >= 1")
    value = Rate(errors, n).value
    low, high = wilson_bounds(errors, n, confidence=confidence)
    return Interval(value, float(low), float(high), n)


def newcombe(before: Rate, after: Rate, *, confidence: float = 0.95) -> Interval:
    """The rate after minus the rate before, with Newcombe's hybrid score interval; n counts the rows of both.

    >>> newcombe(Rate(30, 1000), Rate(55, 1000))
    Interval(value=0.025, low=0.0073..., high=0.0432..., n=2000)

    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
    """
    p, q = wilson(before.errors, before.n, confidence=confidence), wilson(after.errors, after.n, confidence=confidence)
    change = q.value - p.value
    low = change - float(np.hypot(q.value - q.low, p.high - p.value))
    high = change + float(np.hypot(q.high - q.value, p.value - p.low))
    return Interval(change, low, high, before.n + after.n)


def rate_shift(before: Rate, after: Rate, *, confidence: float = 0.95) -> Shift:
    """Change of an error rate between two periods, by Newcombe's interval.

    >>> rate_shift(Rate(30, 1000), Rate(55, 1000))
    Shift(change=0.025, low=0.0073..., high=0.0432...)

    Source: as `newcombe`.
    """
    interval = newcombe(before, after, confidence=confidence)
    return Shift(interval.value, interval.low, interval.high)


def block_bootstrap(
    sums: ArrayLike,
    statistic: Statistic,
    *,
    n: int,
    rng: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.95,
    run: int | None = 1,
) -> Interval:
    """A statistic of summed time blocks with its bootstrap interval, the blocks (days, say) being what is resampled.

    `sums` is (blocks, k): additive sums of each block, in order of time. `statistic` maps (draws, k) to (draws,).
    `n` is the number of rows behind the sums. `run` is how many neighboring blocks are drawn together: 1 where blocks
    are independent, None to choose it from their autocorrelation. Five blocks at least, else a ValueError: with fewer
    the interval means nothing and the caller must say so or use finer blocks.

    >>> sums = np.array([[3, 100], [5, 100], [4, 100], [6, 100], [2, 100], [4, 100]])
    >>> block_bootstrap(sums, lambda s: s[:, 0] / s[:, 1], n=600, rng=np.random.default_rng(0))
    Interval(value=0.04, low=0.02..., high=0.05..., n=600)

    Sources: Politis and Romano (1992), circular blocks; Hesterberg (2015), percentiles widened for few blocks.
    """
    blocks = _as_blocks(sums)
    if run is None:
        length = _run_length(len(blocks), _autocorrelation(blocks, statistic))
    else:
        length = _checked_run(run, len(blocks))
    values = statistic(_resample(blocks, length, draws, rng))
    level = _widened(confidence, len(blocks) // length)
    return _percentile(_value_of(statistic, blocks), values, level, n)


def block_bootstrap_shift(
    before: ArrayLike,
    after: ArrayLike,
    statistic: Statistic,
    *,
    n: int,
    rng: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """The statistic of the blocks after minus that of the blocks before, each window resampled on its own.

    Arguments as in `block_bootstrap`; how many neighbors are drawn together follows from the autocorrelation of the
    longer window.

    >>> before, after = np.tile([[4, 100], [6, 100]], (5, 1)), np.tile([[9, 100], [11, 100]], (5, 1))
    >>> shift = block_bootstrap_shift(before, after, lambda s: s[:, 0] / s[:, 1], n=2000, rng=np.random.default_rng(0))
    >>> round(shift.value, 3), shift.low > 0.03, shift.high < 0.07
    (0.05, True, True)

    Sources: as `block_bootstrap`.
    """
    old, new = _as_blocks(before), _as_blocks(after)
    # A short window cannot show its autocorrelation: both take the one of the longer.
    phi = _autocorrelation(max(old, new, key=len), statistic)
    lengths = _run_length(len(old), phi), _run_length(len(new), phi)
    values = statistic(_resample(new, lengths[1], draws, rng)) - statistic(_resample(old, lengths[0], draws, rng))
    level = _widened(confidence, min(len(old) // lengths[0], len(new) // lengths[1]))
    return _percentile(_value_of(statistic, new) - _value_of(statistic, old), values, level, n)


def bh(p: ArrayLike) -> FloatArray:
    """Benjamini-Hochberg q-values of p-values, in the order given; an empty array stays empty.

    >>> bh([0.01, 0.02, 0.03, 0.5]).round(3).tolist()
    [0.04, 0.04, 0.04, 0.5]

    Source: Benjamini and Hochberg (1995), "Controlling the false discovery rate".
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not bool(np.all((values >= 0) & (values <= 1))):
        raise ValueError("p-values must be one row of numbers in 0..1")
    order = np.argsort(values)[::-1]
    ranks = np.arange(values.size, 0, -1)
    q = np.empty_like(values)
    q[order] = np.minimum.accumulate(np.minimum(values[order] * values.size / ranks, 1.0))
    return q


def normal_quantile(confidence: float) -> float:
    """The two-sided standard normal quantile of a confidence level strictly between 0 and 1.

    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1; got {confidence}")
    return float(ndtri(0.5 + confidence / 2))


def lag_autocorrelation(values: FloatArray, lag: int = 1) -> float:
    """The correlation of a series with itself `lag` entries on, about its mean; 0 for a constant series.

    >>> lag_autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]))
    -0.75
    """
    centered = values - values.mean()
    scale = float(centered @ centered)
    floor = values.size * (1e-12 * float(np.abs(values).max(initial=0.0))) ** 2
    return float(centered[lag:] @ centered[:-lag]) / scale if scale > floor else 0.0


FEWEST_BLOCKS = 5


def _as_blocks(sums: ArrayLike) -> FloatArray:
    blocks = np.asarray(sums, dtype=np.float64)
    if blocks.ndim != 2:
        raise ValueError(f"sums must have the shape (blocks, k); got {blocks.shape}")
    if len(blocks) < FEWEST_BLOCKS:
        raise ValueError(
            f"a block bootstrap needs at least {FEWEST_BLOCKS} blocks, here are {len(blocks)}: use finer ones"
        )
    return blocks


def _checked_run(run: int, blocks: int) -> int:
    if not 1 <= run <= blocks // 2:
        raise ValueError(f"run must lie in 1..{blocks // 2} (half of the blocks); got {run}")
    return run


def _autocorrelation(blocks: FloatArray, statistic: Statistic) -> float:
    """Lag-1 autocorrelation, in 0..0.95, of the influence each block has on the statistic; 0 where not significant."""
    influence = statistic(blocks.sum(axis=0) - blocks)
    if not np.all(np.isfinite(influence)):
        return 0.0
    phi = lag_autocorrelation(influence)
    phi += (1 + 3 * max(phi, 0.0)) / len(blocks)
    return min(phi, 0.95) if phi > 1 / np.sqrt(len(blocks)) else 0.0


def _run_length(blocks: int, phi: float) -> int:
    """Neighbors to draw together: the length that suits a mean of AR(1) blocks (Carlstein 1986)."""
    if phi == 0:
        return 1
    length = (2 * phi / (1 - phi**2)) ** (2 / 3) * (1.5 * blocks) ** (1 / 3)
    return int(np.clip(round(length), 1, max(1, blocks // 3)))


def _resample(blocks: FloatArray, length: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """Sums of resampled blocks (draws, k), scaled to the number of blocks there were."""
    m = len(blocks)
    runs = blocks
    for lag in range(1, length):
        runs = runs + np.roll(blocks, -lag, axis=0)
    drawn = -(-m // length)
    counts = rng.multinomial(drawn, np.full(m, 1 / m), size=draws)
    sums: FloatArray = counts @ runs * (m / (drawn * length))
    return sums


def _widened(confidence: float, blocks: int) -> float:
    """The percentile level that gives the stated coverage when only few independent blocks are behind it."""
    from scipy.special import ndtr, stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1; got {confidence}")
    m = max(blocks, 3)
    t: Any = stdtrit(m - 1, 0.5 + confidence / 2)
    return float(2 * ndtr(np.sqrt(m / (m - 1)) * t) - 1)


def _value_of(statistic: Statistic, blocks: FloatArray) -> float:
    value = float(statistic(blocks.sum(axis=0, keepdims=True))[0])
    if not np.isfinite(value):
        raise ValueError("the statistic is not defined on these blocks: it gave no finite number")
    return value


def _percentile(value: float, values: FloatArray, level: float, n: int) -> Interval:
    usable = values[np.isfinite(values)]
    if usable.size < values.size / 2:
        raise ValueError("the statistic is undefined on more than half of the draws: too few rows per block")
    low, high = np.quantile(usable, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high), n)


def rise_p(before: ArrayLike, after: ArrayLike, exposure: ArrayLike) -> FloatArray:
    """The chance of so many counts after, or more, among those of both windows, where the rate stayed; elementwise.

    `exposure` is that of the window after in multiples of the one before. Counts may be fractions: those of a
    series that varies more than by chance are divided by its dispersion.

    >>> rise_p([10, 10, 0], [10, 30, 5], 1.0).round(5).tolist()
    [0.5881, 0.00111, 0.03125]

    Source: Przyborowski and Wilenski (1940), the conditional test of two Poisson rates; the binomial tail as an
    incomplete beta function.
    """
    b, a, r = (np.asarray(x, dtype=np.float64) for x in (before, after, exposure))
    return _tail(a, b, r / (1 + r))


def fall_p(before: ArrayLike, after: ArrayLike, exposure: ArrayLike) -> FloatArray:
    """The chance of so few counts after, or fewer; as `rise_p`.

    >>> fall_p([10, 30], [10, 10], 1.0).round(5).tolist()
    [0.5881, 0.00111]
    """
    b, a, r = (np.asarray(x, dtype=np.float64) for x in (before, after, exposure))
    return _tail(b, a, 1 / (1 + r))


def _tail(k: FloatArray, rest: FloatArray, p: FloatArray) -> FloatArray:
    """P(X >= k) of a binomial X of k + rest draws."""
    from scipy.special import betainc

    k, rest, p = np.broadcast_arrays(k, rest, p)
    found: FloatArray = np.where(k > 0, betainc(np.where(k > 0, k, 1.0), rest + 1, p), 1.0)
    return found


def rate_ratio(before: float, after: float, exposure: float, *, dispersion: float = 1.0) -> Interval:
    """The rate after in multiples of the rate before, with the exact conditional interval; `before` is above 0.

    The counts are divided by the dispersion for the interval; `n` counts those of both windows.

    >>> rate_ratio(10, 30, 1.0)
    Interval(value=3.0, low=1.4274..., high=6.8793..., n=40)

    Source: Clopper and Pearson (1934) on the share of the counts that fell into the window after.
    """
    from scipy.special import betaincinv

    b, a = before / dispersion, after / dispersion
    low = float(betaincinv(a, b + 1, 0.025)) if a > 0 else 0.0
    high = float(betaincinv(a + 1, b, 0.975))
    odds = (low / (1 - low) / exposure, high / (1 - high) / exposure if high < 1 else float("inf"))
    return Interval(after / before / exposure, odds[0], odds[1], round(before + after))
