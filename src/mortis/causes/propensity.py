"""How much a row looks like the incident's: a classifier of the two windows by their inputs, cross-fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.profiles import Floats
from mortis.rows import Column, Ints, RowSample, is_number

BINS = 8
MOST_VALUES = 12
FOLDS = 3
MOST_FITTED = 6_000  # rows per fit: beyond, the time grows and the figures hardly move
RIDGE = 2.0
LEAST = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Propensity:
    """P(incident | inputs) of each row (n,), and as it would be in each draw of the rows (draws, n)."""

    chance: Floats
    drawn: Floats


def propensity(before: RowSample, after: RowSample, counts: Floats, *, rng: np.random.Generator) -> Propensity:
    """How much each row (before's, then after's) looks like the incident's, by a fit that has not seen the row.

    A ridge-penalised logistic regression on the bins of each feature, fitted on at most 6,000 rows. `counts` (draws, n)
    say how often a draw takes each row; a draw's fit is one Newton step from that of all rows.

    Source: the one-step bootstrap, Shao and Tu (1995), "The jackknife and bootstrap", 10.2.
    """
    x = one_hot(before, after)
    came = np.concatenate([np.zeros(len(before)), np.ones(len(after))])
    fold = rng.permutation(len(came)) % FOLDS
    chance, drawn = np.empty(len(came)), np.empty((len(counts), len(came)))
    for one in range(FOLDS):
        seen = rng.permutation(np.flatnonzero(fold != one))[:MOST_FITTED]
        beta, curve = logistic(x[seen], came[seen])
        off = (came[seen] - expit(x[seen] @ beta)).astype(np.float32)
        moved = ((counts[:, seen].astype(np.float32) - 1) * off) @ x[seen]
        shifted = beta[:, None] + np.linalg.solve(curve, moved.T).astype(np.float32)
        chance[fold == one] = expit(x[fold == one] @ beta)
        drawn[:, fold == one] = expit(x[fold == one] @ shifted).T
    return Propensity(np.clip(chance, LEAST, 1 - LEAST), np.clip(drawn, LEAST, 1 - LEAST))


def one_hot(before: RowSample, after: RowSample) -> npt.NDArray[np.float32]:
    """Both windows' rows (n, k) as 0 and 1: quantile bins of numbers, the commonest texts, null apart; first a one."""
    blocks = [np.ones((len(before) + len(after), 1), dtype=np.float32)]
    for name in before.features:
        column = np.concatenate([before.features[name], after.features[name]])
        codes = codes_of(column)
        blocks.append((codes[:, None] == np.unique(codes)[1:]).astype(np.float32))
    return np.column_stack(blocks)


def codes_of(column: Column) -> Ints:
    """Whole numbers (n,) in place of values: quantile bins of numbers, the commonest texts, null apart."""
    return _number_codes(column) if is_number(column) else _text_codes(column)


def _number_codes(column: Column) -> Ints:
    numbers = np.asarray(column, dtype=float)
    known = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.zeros(0)
    return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="right"), -1)


def _text_codes(column: Column) -> Ints:
    texts = np.array(["\0" if value is None else str(value) for value in column])
    values, inverse, counts = np.unique(texts, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    place = np.full(len(values), MOST_VALUES)
    place[order] = np.arange(len(order))
    return place[inverse]


def logistic(x: npt.NDArray[np.float32], y: Floats, *, steps: int = 12) -> tuple[npt.NDArray[np.float32], Floats]:
    """Coefficients (k,) by Newton's method, and the curvature there (k, k); the first column, a one, is not penalised.

    Source: iteratively reweighted least squares, McCullagh and Nelder (1989), "Generalized linear models", 2.5.
    """
    beta, curve = np.zeros(x.shape[1]), np.eye(x.shape[1])
    penalty = np.full(x.shape[1], RIDGE)
    penalty[0] = 1e-6
    for _ in range(steps):
        p = expit(x @ beta.astype(np.float32))
        slope = x.T @ (y - p).astype(np.float32) - penalty * beta
        curve = (x * (p * (1 - p)).astype(np.float32)[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        beta += step
        if np.abs(step).max() < 1e-3:
            break
    return beta.astype(np.float32), curve


def expit(z: npt.NDArray[np.float32]) -> Floats:
    """Chances (n,) of log odds."""
    chance: Floats = 1 / (1 + np.exp(-np.clip(z.astype(float), -30, 30)))
    return chance


def auc(pi: Floats, came: Floats) -> float:
    """Probability that an incident row looks more like one than a baseline row does; ties count half.

    >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0.0, 0.0, 1.0, 1.0]))
    0.875
    """
    values, inverse = np.unique(pi, return_inverse=True)
    old, new = (np.bincount(inverse[came == window], minlength=len(values)) for window in (0, 1))
    below = np.cumsum(old) - old
    return float(np.sum(new * (below + old / 2)) / (old.sum() * new.sum()))
