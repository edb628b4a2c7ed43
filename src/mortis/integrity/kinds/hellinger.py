"""How far two windows' counts lie apart: the squared Hellinger distance, freed of what chance alone would show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mortis.profiles import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """Squared Hellinger distance above chance (0: alike, 1: disjoint), its standard deviation by chance, rows after."""

    excess: Floats
    sd: Floats
    rows: Floats


def apart(before: Floats, after: Floats) -> Apart:
    """Distance of the counts `after` (..., z, x) from `before`, of x given z, weighted as z occurs after.

    Cells of z that hold no row before or after count as unchanged: nothing is known of them.

    >>> same = apart(np.array([[50.0, 50.0]]), np.array([[500.0, 500.0]]))
    >>> other = apart(np.array([[100.0, 0.0]]), np.array([[0.0, 100.0]]))
    >>> bool(same.excess < 0), bool(other.excess > 0.98)
    (True, True)

    Source: the distance is Hellinger's; its mean and variance under equal distributions follow from the variance of a
    Poisson count's square root.
    """
    n, m = before.sum(-1, keepdims=True), after.sum(-1, keepdims=True)
    known = (n > 0) & (m > 0)
    n1, m1 = np.maximum(n, 1.0), np.maximum(m, 1.0)
    distance = 0.5 * np.square(np.sqrt(before / n1) - np.sqrt(after / m1)).sum(-1)
    rate = (before + after) / (n1 + m1)
    spread = _root_variance(rate * n1) / n1 + _root_variance(rate * m1) / m1
    known = known[..., 0]
    excess = np.where(known, distance - 0.5 * spread.sum(-1), 0.0)
    variance = np.where(known, 0.5 * np.square(spread).sum(-1), 0.0)
    weight = m[..., 0] / np.maximum(m[..., 0].sum(-1, keepdims=True), 1.0)
    return Apart((weight * excess).sum(-1), np.sqrt((np.square(weight) * variance).sum(-1)), after.sum(axis=(-2, -1)))


def _root_variance(mean: Floats) -> Floats:
    """Variance of the square root of a Poisson count with these means."""
    grid, values = _table()
    return np.interp(mean, grid, values)


@cache
def _table() -> tuple[Floats, Floats]:
    """Means 0..30 and the variances there; beyond, the variance is a quarter."""
    grid = np.concatenate([np.linspace(0.0, 4.0, 41), np.linspace(4.5, 30.0, 52)])
    count = np.arange(120.0)
    log_factorial = np.array([math.lgamma(k + 1) for k in count])
    with np.errstate(divide="ignore"):
        log_mean = np.log(grid)
    exponent = np.where(count > 0, count * np.where(count > 0, log_mean[:, None], 0.0), 0.0)
    mass = np.exp(exponent - grid[:, None] - log_factorial)
    root = (mass * np.sqrt(count)).sum(1)
    values = grid - np.square(root)
    values[-1] = 0.25
    return grid, values
