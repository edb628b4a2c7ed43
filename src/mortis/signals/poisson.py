"""Counts in two windows: exact tests of their rates, and how far a series of counts varies beyond chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.intervals import FloatArray
from mortis.onset.noise import autocorrelation
from mortis.records import Interval

FEWEST_BLOCKS = 8
SMALLEST_P = 1e-300


def rise_p(before: npt.ArrayLike, after: npt.ArrayLike, exposure: npt.ArrayLike) -> FloatArray:
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


def fall_p(before: npt.ArrayLike, after: npt.ArrayLike, exposure: npt.ArrayLike) -> FloatArray:
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


def widened(p: float, freedom: float) -> float:
    """A p-value as it is where the dispersion that it rests on is an estimate of so many degrees of freedom.

    >>> round(widened(0.001, 1000), 4), round(widened(0.001, 3), 4)
    (0.001, 0.0461)

    Source: Student's t in place of the normal distribution, as for quasi-likelihoods (McCullagh and Nelder 1989).
    """
    from scipy.special import ndtri, stdtr

    normal = float(ndtri(max(p, SMALLEST_P) / 2))
    return float(2 * stdtr(freedom, normal))


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How much counts vary beyond chance, by row: variance over mean, 1 at least, and from how much it is known."""

    dispersion: FloatArray
    freedom: FloatArray

    @classmethod
    def of(cls, counts: npt.ArrayLike, *, longest: int = 1) -> Spread:
        """That of rows of counts by bucket, asked for sums of up to `longest` buckets, as bursts may last.

        The dispersion is the largest over sums of 1, 2, 4 ... buckets, while there are eight sums or more, and of what
        the autocorrelation of single buckets makes of it. The degrees of freedom are those of as many independent
        buckets as the autocorrelation leaves.

        >>> spread = Spread.of([[5, 5, 5, 5], [0, 0, 20, 0]])
        >>> spread.dispersion.tolist(), spread.freedom.tolist()
        ([1.0, 20.0], [3.0, 3.0])

        Sources: Cox and Lewis (1966), "The statistical analysis of series of events", the index of dispersion; the
        autocorrelation as in `mortis.onset.noise`.
        """
        rows = np.asarray(counts, dtype=np.float64)
        lasting = _lasting(rows) if longest > 1 else np.ones(len(rows))
        found = np.maximum(1.0, _index(rows, 1) * lasting)
        width = 2
        while width <= longest and rows.shape[1] // width >= FEWEST_BLOCKS:
            found = np.maximum(found, _index(rows, width))
            width *= 2
        return cls(found, np.maximum(1.0, rows.shape[1] / lasting - 1))


def _index(rows: FloatArray, width: int) -> FloatArray:
    """Variance over mean of each row's sums of so many buckets; 1 where there is nothing to say it of."""
    number = rows.shape[1] // width
    blocks = rows[:, : number * width].reshape(len(rows), number, width).sum(axis=2)
    if blocks.shape[1] < 2:
        return np.ones(len(rows))
    mean = blocks.mean(axis=1)
    return np.asarray(np.divide(blocks.var(axis=1, ddof=1), mean, out=np.ones(len(rows)), where=mean > 0))


def _lasting(rows: FloatArray) -> FloatArray:
    """By how much autocorrelation raises the variance of long sums, 1 at least."""
    if rows.shape[1] < FEWEST_BLOCKS:
        return np.ones(len(rows))
    phi = np.array([autocorrelation(row, fitted=1) for row in rows])
    return np.asarray((1 + phi) / (1 - phi))
