"""The search: slice after slice, each the simplest among those that explain most of what the earlier ones left."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mortis.errors.counting import (
    INCIDENT_ERRORS,
    INCIDENT_N,
    BoolArray,
    Condition,
    FloatArray,
    Tallies,
    Tally,
    count_slices,
)
from mortis.errors.scan import (
    expected_errors,
    own_rise_p,
    rise_p,
    rise_score,
    seen_before,
    slice_lift,
    slice_score,
)

NEAR_BEST = 0.99  # scores this close to the best are as good: fewer conditions win
LEAST_LIFT = 1.5  # a slice's errors must have multiplied by this much more than those of the other rows
ROSE_TOO = 2.0  # rows that a condition leaves out rose too when their errors doubled ...
ROSE_TOO_SCORE = 5.0  # ... with this log-likelihood ratio (one-sided p below 0.001)
LEAST_GAIN = 3.0  # a condition that gains less over the slice without it (one-sided p above 0.007) tells nothing
SAME_ROWS = 0.9  # Jaccard index above which two slices are one
MOST_ALIAS_CONDITIONS = 62  # bits of a row's pattern


@dataclass(frozen=True, slots=True)
class Rules:
    """What every round of a search goes by: most conditions, the overall baseline rate, a slice's least excess."""

    max_conditions: int
    prior: float
    least_excess: float


@dataclass(frozen=True, slots=True)
class Pick:
    """A slice chosen by the search; `p` is corrected for the number of slices searched, `gain` as in `FoundSlice`."""

    conditions: tuple[Condition, ...]
    score: float
    gain: float
    lift: float
    p: float
    aliases: tuple[tuple[Condition, ...], ...]


def search_slices(tallies: Tallies, rules: Rules, *, searched: int, most: int) -> list[Pick]:
    """Slices one after another, at most so many, each found in the rows that those before it left.

    `searched` is the number of different slices, by which the p-values are multiplied.

    >>> from mortis.errors.counting import CodedRows, tallies_of
    >>> codes = np.array([[0], [1], [2]], np.uint8)
    >>> names, n = (("site",), (("a", "b", "c"),)), np.full(3, 1000)
    >>> before, after = (CodedRows(*names, codes, n, np.array(e)) for e in ([50, 50, 50], [50, 50, 150]))
    >>> rules = Rules(max_conditions=3, prior=0.05, least_excess=25.0)
    >>> [pick.conditions for pick in search_slices(tallies_of(before, after), rules, searched=3, most=5)]
    [((0, 2),)]

    Source: see `find_slices`.
    """
    picks: list[Pick] = []
    while len(picks) < most:
        chosen = best_slice(tallies, rules)
        if not chosen:
            break
        chosen = _simplify(chosen, tallies, rules)
        whole, inside = tallies.totals(), tallies.of(chosen)
        picks.append(
            Pick(
                chosen,
                score=float(slice_score(inside, whole, rules.prior)),
                gain=_least_gain(chosen, tallies, rules.prior),
                lift=float(slice_lift(inside, whole, rules.prior)),
                p=min(1.0, max(rise_p(seen_before(inside, whole)), own_rise_p(inside, whole)) * searched),
                aliases=_aliases(chosen, tallies.parts[INCIDENT_N], rules.max_conditions),
            )
        )
        tallies = tallies.without(chosen)
    return picks


def best_slice(tallies: Tallies, rules: Rules) -> tuple[Condition, ...]:
    """The slice with the fewest conditions among those within 99 % of the best score; empty where none qualifies.

    A slice qualifies with at least `rules.least_excess` errors above expectation and a lift of 1.5. Ties go to the
    higher score, then to the columns and values that come first.

    >>> from mortis.errors.counting import CodedRows, tallies_of
    >>> codes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.uint8)
    >>> names, n = (("a", "b"), (("x", "y"), ("u", "v"))), np.full(4, 100)
    >>> before, after = (CodedRows(*names, codes, n, np.array(e)) for e in ([5, 5, 5, 5], [5, 5, 5, 50]))
    >>> best_slice(tallies_of(before, after), Rules(max_conditions=3, prior=0.05, least_excess=10.0))
    ((0, 1), (1, 1))

    Source: exhaustive enumeration.
    """
    whole = tallies.totals()
    near: list[tuple[int, float, tuple[Condition, ...]]] = []
    best = 0.0
    for cells in count_slices(tallies, max_conditions=rules.max_conditions, min_errors=rules.least_excess):
        scores = _qualified_scores(cells.counts, whole, rules)
        best = max(best, float(scores.max(initial=0.0)))
        for at in np.flatnonzero((scores > 0) & (scores >= NEAR_BEST * best)):
            conditions = tuple(zip(cells.columns, cells.codes[at].tolist(), strict=True))
            near.append((len(conditions), -float(scores[at]), conditions))
    return min((slice_ for slice_ in near if -slice_[1] >= NEAR_BEST * best), default=(0, 0.0, ()))[2]


def _qualified_scores(counts: FloatArray, whole: FloatArray, rules: Rules) -> FloatArray:
    above = counts[INCIDENT_ERRORS] - expected_errors(counts, rules.prior)
    lift = slice_lift(counts, whole, rules.prior)
    enough = (above >= rules.least_excess) & (above > 0) & (lift >= LEAST_LIFT)
    return np.where(enough, slice_score(counts, whole, rules.prior), 0.0)


def _simplify(chosen: tuple[Condition, ...], tallies: Tallies, rules: Rules) -> tuple[Condition, ...]:
    """The slice without the conditions whose left-out rows rose too, or that tell nothing."""
    whole = tallies.totals()
    while len(chosen) > 1:
        inside = tallies.of(chosen)
        simpler: list[tuple[float, tuple[Condition, ...]]] = []
        for parent in _parents(chosen):
            around = tallies.of(parent)
            score = float(_qualified_scores(around, whole, rules))
            tells_nothing = float(slice_score(inside, around, rules.prior)) < LEAST_GAIN
            if score > 0 and (tells_nothing or _left_out_rose(around - inside, rules.prior)):
                simpler.append((-score, parent))
        if not simpler:
            break
        chosen = min(simpler)[1]
    return chosen


def _left_out_rose(rest: FloatArray, prior: float) -> bool:
    expected = expected_errors(rest, prior)
    observed = rest[INCIDENT_ERRORS]
    return bool(observed >= ROSE_TOO * expected and rise_score(observed, expected) >= ROSE_TOO_SCORE)


def _least_gain(chosen: tuple[Condition, ...], tallies: Tallies, prior: float) -> float:
    inside = tallies.of(chosen)
    around = [tallies.of(parent) for parent in _parents(chosen)] or [tallies.totals()]
    return min(float(slice_score(inside, counts, prior)) for counts in around)


def _parents(conditions: tuple[Condition, ...]) -> list[tuple[Condition, ...]]:
    """The slices with some of the conditions, one at least."""
    return [kept for size in range(len(conditions) - 1, 0, -1) for kept in combinations(conditions, size)]


def _aliases(chosen: tuple[Condition, ...], rows: Tally, max_conditions: int) -> tuple[tuple[Condition, ...], ...]:
    """Other slices of nearly the same rows (Jaccard index above 0.9), those with the fewest conditions.

    Such a slice has only conditions that hold for more than 0.9 of the chosen rows: few are left to combine.
    """
    inside = rows.matching(chosen)
    size = rows.sum_where(inside)
    near = _shared_conditions(rows, inside, SAME_ROWS * size)[:MOST_ALIAS_CONDITIONS]
    bits = np.zeros(rows.rows, dtype=np.int64)
    for bit, (column, code) in enumerate(near):
        bits |= (rows.codes[column] == code).astype(np.int64) << bit
    patterns, at = np.unique(bits, return_inverse=True)
    total = np.bincount(at, weights=rows.weights)
    weights = None if rows.weights is None else rows.weights[inside]
    shared = np.bincount(at[inside], weights=weights, minlength=total.size)
    found: list[tuple[Condition, ...]] = []
    for combo in (combo for k in range(1, max_conditions + 1) for combo in combinations(range(len(near)), k)):
        conditions = tuple(near[bit] for bit in combo)
        if any(set(known) <= set(conditions) for known in (*found, chosen)):
            continue
        mask = sum(1 << bit for bit in combo)
        met = (patterns & mask) == mask
        both = float(shared[met].sum())
        if both > SAME_ROWS * (size + float(total[met].sum()) - both):
            found.append(conditions)
    return tuple(found)


def _shared_conditions(rows: Tally, inside: BoolArray, least: float) -> list[Condition]:
    """Every column's value that holds for at least so much of the rows marked."""
    weights = None if rows.weights is None else rows.weights[inside]
    near: list[Condition] = []
    for column, codes in enumerate(rows.codes):
        counted = np.bincount(codes[inside], weights=weights)
        if float(counted.max(initial=0.0)) > least:
            near.append((column, int(counted.argmax())))
    return near
