"""How different two windows are, how sure that is, and how different stretches of the baseline itself are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mortis.intervals import fall_p, rate_ratio, rise_p, wilson_bounds
from mortis.profiles import Floats
from mortis.records import Interval

MOST_STRETCHES = 200
MOST_BLOCKS = 120
LEAST_EXPECTED = 5.0
# Two or three buckets tell little about dispersion, and most logs' rows are close to independent.
PRIOR_BUCKETS = 5

Effect = Callable[[Floats, Floats], Floats]
"""From counts of two windows, each (m, slots), to how much the second differs from the first: (m,)."""


@dataclass(frozen=True, slots=True)
class Usual:
    """The same effect between stretches of the baseline, each as long as the incident, and the rest of the baseline.

    `low`, `median` and `high` are its 2.5, 50 and 97.5 % quantiles, `largest` the largest by size, `stretches` how many
    there were; they overlap, so they are not independent.
    """

    low: float
    median: float
    high: float
    largest: float
    stretches: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Whether two windows hold the same shares: chi-square with its degrees of freedom, and what it is measured by.

    `dispersion` is how many times more the shares vary from bucket to bucket than independent rows would (1 at least),
    `p` the chance of such a difference where nothing changed, day-to-day variation allowed for.
    """

    chi_square: float
    freedom: int
    dispersion: float
    p: float


def stretches(counts: Floats, length: int) -> tuple[Floats, Floats]:
    """Sums over stretches of `length` baseline buckets, and over the rest of the baseline: (m, slots) each.

    At most half of the baseline is taken, so that a rest is left; evenly spaced where there would be more than 200
    stretches; none where the baseline is a single bucket.

    >>> inside, rest = stretches(np.array([[1.0], [2.0], [3.0]]), 1)
    >>> inside.ravel().tolist(), rest.ravel().tolist()
    ([1.0, 2.0, 3.0], [5.0, 4.0, 3.0])
    """
    starts, length = stretch_starts(len(counts), length)
    reached = np.vstack([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    inside = reached[starts + length] - reached[starts]
    return inside, reached[-1] - inside


def stretch_starts(buckets: int, length: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
    """First buckets of the stretches, and the length that they have."""
    length = max(1, min(length, buckets // 2))
    if buckets < 2:
        return np.zeros(0, dtype=np.int64), length
    last = buckets - length
    return np.unique(np.linspace(0, last, min(last + 1, MOST_STRETCHES)).round().astype(np.int64)), length


def usual(values: Floats) -> Usual | None:
    """The placebo effects in short; None where there are none.

    >>> usual(np.array([-0.2, 0.0, 0.1]))
    Usual(low=-0.19, median=0.0, high=0.095, largest=0.2, stretches=3)
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, median, high = (round(float(q), 12) for q in np.quantile(known, [0.025, 0.5, 0.975]))
    return Usual(low, median, high, float(np.abs(known).max()), len(known))


def compare(before: Floats, after: Floats) -> Difference:
    """Whether the rows of two windows, (buckets, slots) each, fall on the slots in the same shares.

    Pearson's chi-square against what the baseline's own buckets make of it, as rows of one day are alike and days
    follow each other: a plain test takes that for a change.

    >>> before, after = np.tile([[90.0, 10.0]], (10, 1)), np.tile([[70.0, 30.0]], (5, 1))
    >>> round(compare(before, after).chi_square), compare(before, after).p < 1e-6, compare(before, before).p
    (96, True, 1.0)

    Source: Rao and Scott (1981), second-order correction for clustered rows, with the F reference of Thomas and Rao
    (1987) and the covariance of Newey and West (1987) over neighboring buckets.
    """
    from scipy.special import fdtrc

    before, after = pool_rare(before, after)
    a, b = before.sum(axis=0), after.sum(axis=0)
    freedom = int(np.count_nonzero(a + b)) - 1
    if freedom < 1 or not a.sum() or not b.sum():
        return Difference(0.0, max(freedom, 0), 1.0, 1.0)
    found = float(chi_square(a[None], b[None])[0])
    spread = Spread.of(before)
    blocks = int(np.count_nonzero(before.sum(axis=1))) - 1 + PRIOR_BUCKETS
    scale = max(spread.dispersion, _with_wander(before, len(after), spread.dispersion, blocks))
    effective = freedom / (1 + spread.unevenness)
    p = fdtrc(effective, effective * blocks, found / freedom / scale)
    return Difference(found, freedom, spread.dispersion, float(p))


def _with_wander(before: Floats, length: int, dispersion: float, blocks: int) -> float:
    """The dispersion averaged with that between stretches of the incident's length, each by what it was measured on."""
    inside, rest = stretches(before, length)
    if not len(inside):
        return dispersion
    freedom = max(int(np.count_nonzero(before.sum(axis=0))) - 1, 1)
    wander = float(np.mean(chi_square(inside, rest))) / freedom
    _, length = stretch_starts(len(before), length)
    apart = len(before) / length
    return float((apart * wander + blocks * dispersion) / (apart + blocks))


@dataclass(frozen=True, slots=True)
class Spread:
    """How the shares vary from bucket to bucket against those of independent rows.

    `dispersion` is how many times more (1 at least), the mean over the directions the shares can move in; `unevenness`
    the squared coefficient of variation among these directions, 0 where all are alike.
    """

    dispersion: float
    unevenness: float

    @classmethod
    def of(cls, counts: Floats) -> Spread:
        """The spread of a window's counts (buckets, slots).

        >>> Spread.of(np.array([[50.0, 50.0], [50.0, 50.0], [80.0, 20.0], [20.0, 80.0]])).dispersion > 5
        True
        """
        counts = _blocks(counts)
        counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
        buckets, freedom = len(counts), counts.shape[1] - 1
        if buckets < 2 or freedom < 1:
            return cls(1.0, 0.0)
        total = counts.sum(axis=0)
        expected = counts.sum(axis=1, keepdims=True) * total / total.sum()
        moves = _long_run((counts - expected) / np.sqrt(total)) * buckets / (buckets - 1)
        directions = np.maximum(np.linalg.eigvalsh(moves)[-freedom:], 1.0)
        mean = float(directions.mean())
        # A covariance of few buckets looks more uneven than it is.
        uneven = float((directions**2).sum()) / (freedom * mean**2) - 1 - freedom / (buckets - 1)
        return cls(mean, max(0.0, uneven))


def _blocks(counts: Floats) -> Floats:
    """Neighboring buckets added up until there are at most 120."""
    length = -(-len(counts) // MOST_BLOCKS) or 1
    padded = np.vstack([counts, np.zeros((-len(counts) % length, counts.shape[1]))])
    return np.asarray(padded.reshape(-1, length, counts.shape[1]).sum(axis=1), dtype=np.float64)


def _long_run(moves: Floats) -> Floats:
    """Covariance (slots, slots) of the sum of a series (buckets, slots), neighbors' likeness included."""
    whole = moves.T @ moves
    lags = int(len(moves) ** (1 / 3)) if len(moves) >= 8 else 0
    for lag in range(1, lags + 1):
        shared = moves[lag:].T @ moves[:-lag]
        whole = whole + (1 - lag / (lags + 1)) * (shared + shared.T)
    return np.asarray(whole, dtype=np.float64)


def chi_square(a: Floats, b: Floats) -> Floats:
    """Pearson's chi-square of each pair of count rows (m, slots); 0 where one of the two is empty.

    >>> chi_square(np.array([[10.0, 10.0]]), np.array([[15.0, 5.0]])).round(3).tolist()
    [2.667]
    """
    n, m = a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = (a * np.sqrt(m / n) - b * np.sqrt(n / m)) ** 2 / (a + b)
    return np.asarray(np.nan_to_num(terms, posinf=0.0).sum(axis=1), dtype=np.float64)


def pool_rare(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """The counts with those slots added up in which one window would hold fewer than five rows if nothing changed.

    >>> rare = pool_rare(np.array([[90.0, 8.0, 2.0]]), np.array([[95.0, 4.0, 1.0]]))
    >>> [part.tolist() for part in rare]
    [[[90.0, 8.0, 2.0]], [[95.0, 4.0, 1.0]]]
    >>> rare = pool_rare(np.array([[90.0, 3.0, 2.0, 1.0]]), np.array([[95.0, 4.0, 1.0, 0.0]]))
    >>> [part.tolist() for part in rare]
    [[[90.0, 6.0]], [[95.0, 5.0]]]
    """
    a, b = before.sum(axis=0), after.sum(axis=0)
    whole = max(float(a.sum() + b.sum()), 1.0)
    expected = (a + b) * min(a.sum(), b.sum()) / whole
    rare = expected < LEAST_EXPECTED
    if np.count_nonzero(rare) < 2:
        return before, after
    both = [np.column_stack([part[:, ~rare], part[:, rare].sum(axis=1)]) for part in (before, after)]
    return both[0], both[1]


def distance(a: Floats, b: Floats) -> Floats:
    """Jensen-Shannon distance (0..1, logarithms to base 2) of each pair of count rows (m, slots); 0 where one is empty.

    >>> distance(np.array([[1.0, 0.0], [5.0, 5.0]]), np.array([[0.0, 3.0], [1.0, 1.0]])).tolist()
    [1.0, 0.0]

    Source: Endres and Schindelin (2003), "A new metric for probability distributions".
    """
    n, m = a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = a / n, b / m
        middle = (p + q) / 2
        terms = np.nan_to_num(p * np.log2(p / middle)) + np.nan_to_num(q * np.log2(q / middle))
    return np.asarray(np.sqrt(np.clip(terms.sum(axis=1) / 2, 0.0, 1.0)), dtype=np.float64)


def clean_distance(a: Floats, b: Floats, dispersion: float = 1.0) -> Floats:
    """Jensen-Shannon distance less what chance alone makes of it: about 0 where nothing changed, however few the rows.

    >>> drawn = np.random.default_rng(0).multinomial(500, np.full(12, 1 / 12), size=2).astype(float)
    >>> float(distance(drawn[:1], drawn[1:])[0]) > 0.05 > float(clean_distance(drawn[:1], drawn[1:])[0])
    True
    """
    freedom = np.count_nonzero(a + b, axis=1) - 1
    found = chi_square(a, b)
    with np.errstate(invalid="ignore", divide="ignore"):
        real = np.nan_to_num(np.clip(1 - freedom * dispersion / found, 0.0, 1.0), neginf=0.0)
    return np.asarray(distance(a, b) * np.sqrt(real), dtype=np.float64)


def distance_interval(a: Floats, b: Floats, dispersion: float) -> Interval:
    """The distance of two count rows (slots,), less chance, with its 95 % interval from the non-central chi-square.

    >>> distance_interval(np.array([900.0, 100.0]), np.array([400.0, 100.0]), 1.0)
    Interval(value=0.117..., low=0.076..., high=0.163..., n=1500)

    Source: the squared distance is chi-square times 1/(8 ln 2) (1/n + 1/m) to second order (Endres and Schindelin
    2003); limits of the non-centrality by inverting its distribution.
    """
    from scipy.special import chndtrinc

    value = float(clean_distance(a[None], b[None], dispersion)[0])
    found = float(chi_square(a[None], b[None])[0]) / dispersion
    freedom, n = int(np.count_nonzero(a + b)) - 1, int(a.sum() + b.sum())
    if freedom < 1 or not found > 0:
        return Interval(value, 0.0, 1.0 if not n else value, n)
    raw = float(distance(a[None], b[None])[0])
    low, high = (float(chndtrinc(found, freedom, tail)) for tail in (0.975, 0.025))
    low = low if low > 1e-6 else 0.0  # where no centrality is low enough, the search ends beside 0
    limits = [min(1.0, raw * float(np.sqrt(limit / found))) for limit in (low, high)]
    return Interval(value, min(limits[0], value), max(limits[1], value), n)


def share_change(before: Floats, after: Floats, dispersion: float) -> Interval:
    """The share of the first slot after minus that before, counts as [part, rest], by Newcombe's interval.

    `dispersion` divides the rows: what varies more from day to day is known less exactly.

    >>> share_change(np.array([30.0, 970.0]), np.array([55.0, 945.0]), 1.0)
    Interval(value=0.025, low=0.0073..., high=0.0432..., n=2000)

    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
    """
    parts, wholes = np.array([before[0], after[0]]), np.array([before.sum(), after.sum()])
    n = int(wholes.sum())
    if not wholes.all():
        return Interval(float("nan"), -1.0, 1.0, n)
    low, high = wilson_bounds(parts / dispersion, wholes / dispersion)
    share = parts / wholes
    change = float(share[1] - share[0])
    down = float(np.hypot(share[1] - low[1], high[0] - share[0]))
    up = float(np.hypot(high[1] - share[1], share[0] - low[0]))
    return Interval(change, change - down, change + up, n)


def rare_p(part: tuple[float, float], whole: tuple[float, float]) -> float:
    """The chance, at most, of rare rows to fall on two windows as unevenly as they did, by the exact binomial test.

    `part` counts the rare rows before and after, `whole` all rows. Chi-square promises too much where few are rare.

    >>> round(rare_p((0, 3), (10_000, 5_000)), 3)
    0.074
    """
    if not min(whole):
        return 1.0
    exposure = whole[1] / whole[0]
    return min(1.0, 2 * float(min(rise_p(*part, exposure), fall_p(*part, exposure))))


def ratio_interval(before: tuple[float, float], after: tuple[float, float], dispersion: float) -> Interval:
    """How many times as often rows came after as before, minus 1: (rows, exposure) each, with overdispersed counts.

    >>> ratio_interval((1000, 10), (300, 5), 1.0)
    Interval(value=-0.4, low=-0.47..., high=-0.31..., n=1300)
    """
    if not before[0] or not min(before[1], after[1]):
        return Interval(float("nan"), -1.0, float("inf"), int(before[0] + after[0]))
    ratio = rate_ratio(before[0], after[0], after[1] / before[1], dispersion=dispersion)
    return Interval(ratio.value - 1, ratio.low - 1, ratio.high - 1, ratio.n)
