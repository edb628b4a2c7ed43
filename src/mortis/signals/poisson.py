"""How far series of counts vary beyond chance, and what that leaves of a p-value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.intervals import FloatArray
from mortis.onset.noise import autocorrelation

FEWEST_BLOCKS = 8
SMALLEST_P = 1e-300


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
