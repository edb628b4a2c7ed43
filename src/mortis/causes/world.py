"""Whether the world changed: inputs where the baseline had few or none, or like inputs that now fare worse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import Bools, Facts, Outcome, bounded, plainly
from mortis.causes.inputs import moved_features
from mortis.causes.propensity import auc, propensity
from mortis.causes.scoring import errors_among, redrawn
from mortis.profiles import Floats
from mortis.records import CauseVerdict, Interval
from mortis.rows import RowSample

DRAWS = 200
NO_SUPPORT = 0.95
SURELY = 3.5  # deviations that errors must have risen by: of the many stretches looked at, one rises by three by chance
FEWEST_ROWS = 200
MOST, CLEARLY, LITTLE = 0.5, 0.4, 0.25  # the larger part by the estimate, and not much less by the interval
NAME = "reweight both windows to the inputs they share"


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The rise of the error rate in three parts that sum to it exactly, and how well inputs tell the windows apart.

    `harder` is what a move towards harder known inputs explains, `relation` what like inputs fare worse, `outside` what
    lies outside the baseline's support, each a share of the rise; `inputs` is harder and outside together. `area` is
    the AUC of the cross-fitted classifier of the windows.
    """

    harder: Interval
    relation: Interval
    outside: Interval
    inputs: Interval
    area: float
    n: int


def decide_world(facts: Facts) -> Iterable[Outcome]:
    """W1 and W2: how much of the rise of the error rate is the inputs', and how much is the relation's."""
    if facts.metric.kind != "quality":
        for id_ in ("W1", "W2"):
            yield plainly(
                id_, "not_tested", NAME, f"not tested, because {facts.metric.name} does not judge predictions"
            )
        return
    found = decompose(facts, rng=facts.rng())
    if found is None:
        reason = f"there are no features, no clear rise of errors, or fewer than {FEWEST_ROWS} rows in a window"
        for id_ in ("W1", "W2"):
            yield plainly(id_, "not_tested", NAME, f"not tested, because {reason}")
        return
    for id_, share, what in (
        ("W1", found.inputs, "rows moved to inputs that were harder, or rare, in the baseline"),
        ("W2", found.relation, "like inputs fare worse than in the baseline"),
    ):
        result = (
            f"{what}: that makes {bounded(share)} of the rise of the error rate (n = {found.n:,}); "
            f"a classifier tells the two windows apart by their inputs with AUC {found.area:.2f} (0.5 is chance)"
        )
        if found.area >= NO_SUPPORT:
            result += ", so the windows share too few inputs to part the two"
        verdict = _verdict(share, found)
        features = moved_features(facts) if id_ == "W1" and verdict != "refuted" else ()
        if features:
            result += f"; the inputs that moved most are {', '.join(features)}"
        yield Outcome(id_, verdict, NAME, result, _confidence(share), share, features=features)


def _verdict(share: Interval, found: Decomposition) -> CauseVerdict:
    """Most of the rise is support, never confirmation: inputs that were not logged could explain it too."""
    if found.area >= NO_SUPPORT:
        return "inconclusive"
    if share.value >= MOST and share.low >= CLEARLY:
        return "supported"
    return "refuted" if share.high < LITTLE else "inconclusive"


def _confidence(share: Interval) -> float:
    return round(float(np.clip(0.2 + 0.5 * min(share.value, 1.0), 0.05, 0.7)), 3)


def decompose(facts: Facts, *, rng: np.random.Generator) -> Decomposition | None:
    """The three parts of the rise of the error rate among the rows that the metric is about; None without a clear rise.

    Source: Cai, Namkoong, Yadlowsky (2023), "Diagnosing model performance under distribution shift" (DISDE).
    """
    (before, old), (after, new) = (_counted(facts, sample) for sample in (facts.before, facts.during))
    if min(len(before), len(after)) < FEWEST_ROWS or not before.features:
        return None
    loss = np.concatenate([old, new]).astype(float)
    came = np.concatenate([np.zeros(len(old)), np.ones(len(new))])
    counts = _draws(came, rng)
    pi = propensity(before, after, counts, rng=rng)
    middle = parts(loss, came, shared_support(pi.chance, came), np.ones(len(came)))
    drawn = np.array([parts(loss, came, shared_support(p, came), n) for p, n in zip(pi.drawn, counts, strict=True)])
    if middle.sum() <= SURELY * drawn.sum(axis=1).std():
        return None
    shares, draws = middle / middle.sum(), drawn / drawn.sum(axis=1, keepdims=True)
    harder, relation, outside = (_interval(draws[:, i], shares[i], len(came)) for i in range(3))
    inputs = _interval(draws[:, 0] + draws[:, 2], shares[0] + shares[2], len(came))
    return Decomposition(harder, relation, outside, inputs, auc(pi.chance, came), len(came))


def _counted(facts: Facts, sample: RowSample) -> tuple[RowSample, Bools]:
    among, errors = errors_among(sample, facts.metric.judgement)
    return sample.where(among), errors[among]


def _interval(draws: Floats, share: float, n: int) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(share), float(low), float(high), n)


def parts(loss: Floats, came: Floats, weights: Floats, counts: Floats) -> Floats:
    """The rise of the mean loss by harder inputs, changed relation, outside support: (3,), which sum to the rise.

    `weights` carry both windows to the inputs that they share; `counts` say how often a row is drawn.
    """
    old, new = came == 0, came == 1

    def mean(where: Bools, by: Floats) -> float:
        return float(np.sum(loss[where] * by[where]) / max(np.sum(by[where]), 1e-12))

    e_p, e_q = mean(old, counts), mean(new, counts)
    s_p, s_q = mean(old, counts * weights), mean(new, counts * weights)
    return np.array([s_p - e_p, s_q - s_p, e_q - s_q])


def _draws(came: Floats, rng: np.random.Generator) -> Floats:
    """Bootstrap counts (draws, n) of the rows, each window drawn by itself."""
    counts = np.empty((DRAWS, len(came)))
    for window in (0, 1):
        inside = came == window
        counts[:, inside] = redrawn(int(inside.sum()), rng, draws=DRAWS)
    return counts


def shared_support(pi: Floats, came: Floats) -> Floats:
    """Weights (n,) that carry both windows to where both have rows."""
    share = came.mean()
    down = share * (1 - pi) + pi * (1 - share)
    return np.asarray(np.where(came == 1, share * (1 - pi), (1 - share) * pi) / np.maximum(down, 1e-12))
