"""Whether the world changed: inputs where the baseline had none, or like inputs that now fare worse; and mix shift."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Facts, Outcome
from mortis.causes.scoring import errors_among
from mortis.profiles import Floats, Tally
from mortis.records import CauseVerdict, Interval, Window
from mortis.rows import RowSample, is_number

BINS = 8
MOST_VALUES = 12
FOLDS = 5
DRAWS = 200
NO_SUPPORT = 0.95
FEWEST_ROWS = 200
MOST, CLEARLY = 0.5, 0.4  # the larger part by the estimate, and not much less by the interval
NAME = "reweighting to shared support"


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The rise of the error rate in three parts that sum to it exactly, and how well inputs tell the windows apart.

    `harder` is what a move towards harder known inputs explains, `relation` what like inputs fare worse, `outside` what lies
    outside the baseline's support; each a share of the rise. `auc` is the cross-fitted domain classifier's.
    """

    harder: Interval
    relation: Interval
    outside: Interval
    inputs: Interval
    auc: float
    n: int


def decide_world(facts: Facts) -> Iterable[Outcome]:
    """W1 and W2: how much of the rise of the error rate is the inputs', and how much is the relation's."""
    found = decompose(facts)
    if found is None:
        reason = f"there are no features, no rise of errors, or fewer than {FEWEST_ROWS} labelled rows in a window"
        for id_ in ("W1", "W2"):
            yield Outcome(id_, "not_tested", NAME, f"not tested, because {reason}", 0.1)
        return
    told = f"incident and baseline rows are told apart by their inputs with AUC {found.auc:.3f} (n = {found.n})"
    for id_, share, what in (
        ("W1", found.inputs, "inputs that moved to harder ones or outside the baseline's support"),
        ("W2", found.relation, "like inputs that fare worse than before"),
    ):
        result = (
            f"{told}; {share.value:.0%} of the rise of the error rate lies in {what} "
            f"(95 % interval {share.low:.0%} to {share.high:.0%})"
        )
        if found.auc >= NO_SUPPORT:
            result += "; with so little common support the split between the two is not identified"
        yield Outcome(id_, _verdict(id_, share, found), NAME, result, _confidence(share), share)


def _verdict(id_: str, share: Interval, found: Decomposition) -> CauseVerdict:
    """Most of the rise is support, never confirmation: inputs that were not logged could explain it too."""
    if id_ == "W2" and found.auc >= NO_SUPPORT:
        return "inconclusive"
    if share.value >= MOST and share.low >= CLEARLY:
        return "supported"
    return "refuted" if share.high < 0.25 else "inconclusive"


def _confidence(share: Interval) -> float:
    return float(np.clip(0.2 + 0.5 * min(share.value, 1.0), 0.05, 0.7))


def decompose(facts: Facts) -> Decomposition | None:
    """The three parts of the rise of the error rate among the rows that the metric is about.

    Source: Cai, Namkoong, Yadlowsky 2023, 'Diagnosing model performance under distribution shift' (DISDE).
    """
    before, after = (_labelled(facts, sample) for sample in (facts.before, facts.during))
    if min(len(before[0]), len(after[0])) < FEWEST_ROWS or not facts.before.features:
        return None
    x = _one_hot(before[0], after[0])
    came = np.concatenate([np.zeros(len(before[0])), np.ones(len(after[0]))])
    rng = facts.rng()
    pi = _cross_fitted(x, came, rng)
    loss = np.concatenate([before[1], after[1]]).astype(float)
    if loss[came == 1].mean() <= loss[came == 0].mean():
        return None
    weights = _shared_support(pi, came)
    parts = np.array([_parts(loss, came, weights, draw) for draw in _draws(came, rng)])
    middle = _parts(loss, came, weights, np.ones(len(came)))
    shares = [_share(parts[:, i], middle[i], len(came)) for i in range(3)]
    both = _share(parts[:, 0] + parts[:, 2], middle[0] + middle[2], len(came))
    return Decomposition(*shares, both, _auc(pi, came), len(came))


def _labelled(facts: Facts, sample: RowSample) -> tuple[RowSample, npt.NDArray[np.bool_]]:
    among, errors = errors_among(sample, facts.metric.judgement)
    return sample.where(among), errors[among]


def _share(draws: Floats, value: float, n: int) -> Interval:
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return Interval(value, float(low), float(high), n)


def _parts(loss: Floats, came: Floats, weights: Floats, counts: Floats) -> tuple[float, float, float]:
    """Harder inputs, changed relation, outside support, each as a share of the rise."""

    def mean(where: npt.NDArray[np.bool_], by: Floats) -> float:
        return float(np.sum(loss[where] * by[where]) / max(np.sum(by[where]), 1e-12))

    old, new = came == 0, came == 1
    e_p, e_q = mean(old, counts), mean(new, counts)
    s_p, s_q = mean(old, counts * weights), mean(new, counts * weights)
    rise = e_q - e_p
    if rise == 0:
        return (float("nan"),) * 3
    return (s_p - e_p) / rise, (s_q - s_p) / rise, (e_q - s_q) / rise


def _draws(came: Floats, rng: np.random.Generator) -> Iterable[Floats]:
    """Bootstrap counts of the rows, each window drawn by itself."""
    for _ in range(DRAWS):
        counts = np.empty(len(came))
        for window in (0, 1):
            inside = came == window
            n = int(inside.sum())
            counts[inside] = np.bincount(rng.integers(0, n, n), minlength=n)
        yield counts


def _shared_support(pi: Floats, came: Floats) -> Floats:
    """Weights that carry both windows to where both have rows."""
    share = came.mean()
    down = share * (1 - pi) + pi * (1 - share)
    return np.asarray(np.where(came == 1, share * (1 - pi), (1 - share) * pi) / np.maximum(down, 1e-12))


def _one_hot(before: RowSample, after: RowSample) -> Floats:
    """Both windows' rows as 0 and 1: quantile bins of numbers, the commonest texts, null apart."""
    blocks = []
    for name in before.features:
        column = np.concatenate([before.features[name], after.features[name]])
        codes = _number_codes(column) if is_number(column) else _text_codes(column)
        levels = np.unique(codes)
        blocks.append((codes[:, None] == levels[1:]).astype(float))
    ones = np.ones((len(before) + len(after), 1))
    return np.column_stack([ones, *blocks])


def _number_codes(column: Floats) -> npt.NDArray[np.int64]:
    known = column[np.isfinite(column)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.zeros(0)
    return np.where(np.isfinite(column), np.searchsorted(edges, column, side="right"), -1)


def _text_codes(column: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    texts = np.array(["\0" if value is None else str(value) for value in column])
    values, inverse, counts = np.unique(texts, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    place = np.full(len(values), MOST_VALUES)
    place[order] = np.arange(len(order))
    return place[inverse]


def _cross_fitted(x: Floats, came: Floats, rng: np.random.Generator) -> Floats:
    """P(incident | inputs) for each row, by a ridge-penalised logistic regression that has not seen the row."""
    fold = rng.permutation(len(came)) % FOLDS
    pi = np.empty(len(came))
    for one in range(FOLDS):
        seen = fold != one
        beta = _logistic(x[seen], came[seen])
        pi[~seen] = 1 / (1 + np.exp(-np.clip(x[~seen] @ beta, -30, 30)))
    return np.clip(pi, 1e-4, 1 - 1e-4)


def _logistic(x: Floats, y: Floats, *, ridge: float = 2.0, steps: int = 12) -> Floats:
    """Coefficients by Newton's method; the intercept (first column) is not penalised."""
    beta = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], ridge)
    penalty[0] = 1e-9
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        slope = x.T @ (y - p) - penalty * beta
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        beta += step
        if np.abs(step).max() < 1e-6:
            break
    return beta


def _auc(pi: Floats, came: Floats) -> float:
    """Probability that an incident row looks more like one than a baseline row does; ties count half."""
    values, inverse = np.unique(pi, return_inverse=True)
    old, new = (np.bincount(inverse[came == window], minlength=len(values)) for window in (0, 1))
    below = np.cumsum(old) - old
    return float(np.sum(new * (below + old / 2)) / (old.sum() * new.sum()))


def decide_mix(facts: Facts) -> Iterable[Outcome]:
    """E3: the change of the error rate split exactly within and between the values of each column; the best column counts."""
    name = "exact split within and between segments"
    parts = {column: split for column, sums in _columns(facts) if (split := _within_between(facts, sums)) is not None}
    if not parts:
        yield Outcome("E3", "not_tested", name, "not tested, because there are no columns or no rise of errors", 0.05)
        return
    column = max(parts, key=lambda one: parts[one][0])
    between, within = parts[column]
    result = (
        f"of the columns, {column} explains most by its mix: {between:.0%} between its values, {within:.0%} within them"
    )
    verdict = "supported" if between >= 0.8 else "inconclusive" if between >= 0.5 else "refuted"
    confidence = {"supported": 0.7, "inconclusive": 0.3}.get(verdict, 0.05)
    share = Interval(between, between, between, len(facts.during)) if verdict == "supported" else None
    features = (column,) if verdict == "supported" else ()
    yield Outcome("E3", verdict, name, result, confidence, share, features)


def _columns(facts: Facts) -> Iterable[tuple[str, Tally]]:
    """Each feature's counts by (bucket, version, outcome) and value or bin."""
    for name, column in facts.profile.categories.items():
        yield name, column.sums
    for name, number in facts.profile.numbers.items():
        if name in facts.before.features:
            bins = tuple(i for i, slot in enumerate(number.sums.slots) if slot.startswith("bin:") or slot == "nulls")
            slots = tuple(number.sums.slots[i] for i in bins)
            yield name, Tally(number.sums.cells, slots, number.sums.values[:, list(bins)])


def _within_between(facts: Facts, sums: Tally) -> tuple[float, float] | None:
    """Shares of the rise between the column's values (their mix) and within them; they sum to one."""
    failure = facts.failure
    if failure.incident_window is None:
        return None
    old = _rates(facts, sums, failure.baseline_window)
    new = _rates(facts, sums, failure.incident_window)
    if old is None or new is None:
        return None
    rise = float((new[0] * new[1]).sum() - (old[0] * old[1]).sum())
    if rise <= 0:
        return None
    between = float(((new[0] - old[0]) * (old[1] + new[1]) / 2).sum())
    return between / rise, 1 - between / rise


def _rates(facts: Facts, sums: Tally, window: Window) -> tuple[Floats, Floats] | None:
    """Each value's share of the rows that the metric is about, and its error rate there (the overall one where it has none)."""
    judgement = facts.metric.judgement
    start, end = window.start.timestamp(), window.end.timestamp()

    def count(outcomes: Iterable[str]) -> Floats:
        kept = set(outcomes)
        inside = sums.where(lambda cell: start <= int(cell[0]) < end and cell[2] in kept)
        return np.asarray(inside.values.sum(axis=0))

    n, errors = count(judgement.among), count(judgement.errors)
    if not n.sum():
        return None
    overall = errors.sum() / n.sum()
    return n / n.sum(), np.where(n > 0, errors / np.maximum(n, 1), overall)
