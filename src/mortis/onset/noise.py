"""What varies without any failure: season, day-to-day spread beyond sampling, and autocorrelation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mortis.intervals import lag_autocorrelation
from mortis.onset.levels import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Spread:
    """How the variance of a bucket depends on its rows: proportional to 1/n + (1 - 1/n) * `between`.

    `between` is in 0..1: 0 is sampling noise alone, 1 is variation of the buckets alone, whatever their rows.
    """

    between: float

    def of(self, n: FloatArray) -> FloatArray:
        """The weight of buckets with n rows: their effective number of rows."""
        return np.asarray(n / (1 + np.maximum(n - 1, 0.0) * self.between))


CANDIDATES = np.concatenate(([0.0], np.geomspace(1e-7, 1.0, 57)))


def bucket_weights(values: FloatArray, n: FloatArray, expected: FloatArray, *, counts: bool, fitted: int) -> Spread:
    """The spread of buckets around what is expected of them; `fitted` is how many levels were estimated.

    Rates: the intra-bucket correlation that brings Pearson's statistic to its degrees of freedom; never less than
    binomial. Values: the one of greatest Gaussian likelihood.

    >>> rates = np.array([0.02, 0.08, 0.03, 0.07, 0.02, 0.08])
    >>> bucket_weights(rates, np.full(6, 1e4), np.full(6, 0.05), counts=True, fitted=1).of(np.array([1e4])).round()
    array([53.])

    Source: Williams (1982), "Extra-binomial variation in logistic linear models"; maximum likelihood for values.
    """
    share = CANDIDATES[:, None]
    weights = n / (1 + np.maximum(n - 1, 0.0) * share)
    squares = weights * (values - expected) ** 2
    freedom = max(values.size - 2 * fitted + 1, 1)
    if counts:
        statistic = (squares / _binomial_variance(n, expected)).sum(axis=1)
        # The statistic falls as the share rises, and interpolation wants rising abscissas.
        return Spread(float(np.interp(-freedom, -statistic, CANDIDATES)))
    total = squares.sum(axis=1)
    if not total[0] > 0:
        return Spread(0.0)
    likelihood = 0.5 * np.log(weights).sum(axis=1) - 0.5 * values.size * np.log(total)
    return Spread(float(CANDIDATES[int(likelihood.argmax())]))


def residuals(values: FloatArray, weights: FloatArray, expected: FloatArray, *, counts: bool) -> FloatArray:
    """Standardized residuals (up to one common factor), one per bucket.

    >>> residuals(np.array([1.0, 3.0]), np.array([4.0, 1.0]), np.array([2.0, 2.0]), counts=False).tolist()
    [-2.0, 1.0]
    """
    variance = _binomial_variance(weights, expected) if counts else 1.0
    return np.asarray((values - expected) * np.sqrt(weights / variance))


def autocorrelation(left: FloatArray, *, fitted: int) -> float:
    """Autocorrelation phi of residuals, in 0..0.95: an AR(1) of this phi leaves as little information as they do.

    The lag-1 autocorrelation, corrected for the `fitted` levels taken out, or more where lag 2 shows a longer memory
    behind white noise, as rates do whose sampling noise covers a slow drift.

    >>> autocorrelation(np.array([1.0, -1.0] * 10), fitted=1)
    0.0

    Sources: Kendall (1954), the bias -(1 + 4 phi) / n of the estimate; the variance of a mean of ARMA(1, 1) noise.
    """
    bias = fitted / left.size
    first = lag_autocorrelation(left, 1)
    first = min(first + bias * (1 + 3 * max(first, 0.0)), MOST_AUTOCORRELATED)
    # Below one standard error the decay from lag 1 to lag 2 is noise.
    if first <= 1 / np.sqrt(left.size):
        return max(first, 0.0)
    decay = (lag_autocorrelation(left, 2) + bias * (1 + 3 * first)) / first
    inflation = 1 + 2 * first / (1 - float(np.clip(decay, first, max(first, 0.9))))
    return min((inflation - 1) / (inflation + 1), MOST_AUTOCORRELATED)


MOST_AUTOCORRELATED = 0.95


def tame_outliers(values: FloatArray, n: FloatArray) -> FloatArray:
    """The values with lone wild ones pulled in to two dozen median deviations from the median of their neighbors.

    Neighbors are three buckets, so what holds for two is left alone. Without this one spike passes for so much noise
    that no change can be told from it. A scale of zero pulls nothing.

    >>> tame_outliers(np.array([1.0, 1.2, 0.9, 50.0, 1.1, 1.0, 1.2]), np.ones(7)).round(1).tolist()
    [1.0, 1.2, 0.9, 7.1, 1.1, 1.0, 1.2]

    Source: the Hampel filter (Hampel 1974, Pearson 2002), with pulling in instead of replacing.
    """
    padded = np.pad(values, 1, mode="edge")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 3), axis=1)
    off = np.abs(values - middle)
    # A third of the buckets are their own median and say nothing about the scale.
    seen = off > 0
    if not seen.any():
        return values
    day, row = float(np.median(off[seen])), float(np.median((off * np.sqrt(n))[seen]))
    limit = 24 * np.maximum(day, row / np.sqrt(n))
    return np.clip(values, middle - limit, middle + limit)


def remove_season(
    values: FloatArray, n: FloatArray, expected: FloatArray, *, phase: IntArray, part: slice, counts: bool
) -> FloatArray:
    """The values with each phase brought to the common level; rates are moved on the logit scale and stay in 0..1.

    Phases are compared with what is `expected` of them inside `part`, where each that occurs must occur twice at least,
    else a ValueError: one cycle alone cannot be told from a change.

    >>> values = np.array([1.0, 5.0, 1.0, 5.0])
    >>> remove_season(values, np.ones(4), np.full(4, 3.0), phase=np.arange(4) % 2, part=slice(None), counts=False)
    array([3., 3., 3., 3.])
    """
    from scipy.special import expit, logit

    size = int(phase.max()) + 1
    seen = np.bincount(phase[part], minlength=size)
    if np.any(seen[np.unique(phase)] < 2):
        raise ValueError(
            "removing a season needs at least two full cycles of buckets with rows in the part known to be normal"
        )

    def total(x: FloatArray) -> FloatArray:
        return np.bincount(phase[part], weights=x[part], minlength=size).astype(np.float64)

    rows, found, awaited = total(n), total(n * values), total(n * expected)
    if not counts:
        shift = (found - awaited) / np.where(rows > 0, rows, 1.0)
        return np.asarray(values - shift[phase])
    # Half an error on either side keeps phases without any error finite.
    shift = logit((found + 0.5) / (rows + 1)) - logit((awaited + 0.5) / (rows + 1))
    with np.errstate(divide="ignore"):
        return np.asarray(expit(logit(values) - shift[phase]))


def _binomial_variance(n: FloatArray, expected: FloatArray) -> FloatArray:
    """p(1-p), kept from 0 by half an error in all rows: a level of no errors is known no better than that."""
    tiny = 0.5 / max(float(n.sum()), 1.0)
    p = np.clip(expected, tiny, 1 - tiny)
    return np.asarray(p * (1 - p))
