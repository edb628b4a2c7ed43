"""Whether the world changed: inputs where the baseline had few or none, or like inputs that now fare worse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import Bools, Facts, Outcome, bounded, each_plainly, plainly
from mortis.causes.inputs import moved_features
from mortis.causes.mix import added_to
from mortis.causes.propensity import auc, propensity
from mortis.causes.relation import PARTIAL, relation
from mortis.causes.replay import why_not_replayed
from mortis.causes.scoring import errors_among, redrawn
from mortis.causes.trial import says, with_usual_labels
from mortis.engine.dataset import OUTCOMES
from mortis.profiles import Floats
from mortis.records import CauseVerdict, Interval
from mortis.rows import RowSample

DRAWS = 200
NO_SUPPORT = 0.95
SURELY = 3.5  # deviations that errors must have risen by: of the many stretches looked at, one rises by three by chance
ALIKE = 0.6  # AUC up to which the windows' inputs count as the same
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
        why = f"{facts.metric.name} does not judge predictions"
        yield from each_plainly(("W1", "W2"), "not_tested", NAME, f"not tested, because {why}")
        return
    found = decompose(facts, rng=facts.rng())
    if found is None:
        why = _why_not_parted(facts)
        yield from each_plainly(("W1", "W2"), "not_tested", NAME, f"not tested, because {why}")
        return
    yield _inputs(facts, found)
    yield _relation(facts, found)


def _why_not_parted(facts: Facts) -> str:
    """Why the rise of errors can't be parted."""
    if not facts.before.features:
        return "the log has no features"
    rows = min(int(Judgeable.of(facts, sample).among.sum()) for sample in (facts.before, facts.during))
    if rows < FEWEST_ROWS:
        return f"a window has {rows:,} sampled rows that {facts.metric.name} is about, fewer than {FEWEST_ROWS}"
    return "errors don't rise clearly among the sampled rows"


def _inputs(facts: Facts, found: Decomposition) -> Outcome:
    """W1, with the population that grew where one did, else with the inputs that moved most."""
    verdict = _verdict(found.inputs, found)
    told = _told("rows moved to inputs that were harder, or rare, in the baseline", found.inputs, found)
    features = moved_features(facts) if verdict != "refuted" else ()
    grown = added_to(facts) if features else None
    parameters: dict[str, str | float] = {}
    if grown and grown.column == features[0]:
        told += f"; rows where {grown.where} are {grown.times:.1f} times as many, the others as many as before"
        features, parameters = (grown.column,), {"times": round(grown.times, 1)}
    elif features:
        told += f"; the inputs that moved most are {', '.join(features)}"
    return Outcome("W1", verdict, NAME, told, _confidence(found.inputs), found.inputs, features, parameters)


def _relation(facts: Facts, found: Decomposition) -> Outcome:
    """W2, with where labels come out otherwise, as far as that can be told."""
    verdict = _verdict(found.relation, found)
    told = _told("like inputs fare worse than in the baseline", found.relation, found)
    # Answers must be the model's own: what like inputs fare worse by has then to show in their labels.
    changed = relation(facts) if verdict != "refuted" and why_not_replayed(facts) is None else None
    if changed and not changed.best and verdict == "supported":
        return plainly("W2", "inconclusive", NAME, f"{told}; but labels hang on inputs and scores as in the baseline")
    way = changed.best if changed else None
    if changed is None or way is None or way.name not in PARTIAL:
        return Outcome("W2", verdict, NAME, told, _confidence(found.relation), found.relation)
    taken = with_usual_labels(facts, changed)
    share = found.relation
    if found.area < ALIKE and _verdict(found.inputs, found) != "supported" and np.isfinite(taken.share.low):
        # Where inputs are those of the baseline, its relation holds for them, and tells more finely than weights do.
        share = taken.share
    verdict = _verdict(share, found)
    told += f"; {'more or higher' if way.name == 'more' else 'fewer or lower'} labels for like inputs "
    told += f"where {way.place}" if way.place.column else "everywhere"
    told += f": with labels as in the baseline, {says(taken, facts.metric.name)}"
    if verdict != "supported":
        return Outcome("W2", verdict, NAME, told, _confidence(share), share)
    features = (way.place.column,) if way.place.column else ()
    return Outcome("W2", verdict, NAME, told, _confidence(share), share, features, {"outcomes": way.name})


def _told(what: str, share: Interval, found: Decomposition) -> str:
    result = (
        f"{what}: that makes {bounded(share)} of the rise of the error rate (n = {found.n:,}); "
        f"a classifier tells the two windows apart by their inputs with AUC {found.area:.2f} (0.5 is chance)"
    )
    if found.area >= NO_SUPPORT:
        result += ", so the windows share too few inputs to part the two"
    return result


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
    old, new = (Judgeable.of(facts, sample) for sample in (facts.before, facts.during))
    if min(old.among.sum(), new.among.sum()) < FEWEST_ROWS or not old.rows.features:
        return None
    loss, among = (np.concatenate(pair).astype(float) for pair in ((old.errors, new.errors), (old.among, new.among)))
    came = np.concatenate([np.zeros(len(old.rows)), np.ones(len(new.rows))])
    counts = _draws(came, rng)
    pi = propensity(old.rows, new.rows, counts, rng=rng)
    middle = parts(loss, came, shared_support(pi.chance, came), np.ones(len(came)), among)
    drawn = np.array(
        [parts(loss, came, shared_support(p, came), n, among) for p, n in zip(pi.drawn, counts, strict=True)]
    )
    if middle.sum() <= SURELY * drawn.sum(axis=1).std():
        return None
    shares, draws = middle / middle.sum(), drawn / drawn.sum(axis=1, keepdims=True)
    harder, relation, outside = (_interval(draws[:, i], shares[i], len(came)) for i in range(3))
    inputs = _interval(draws[:, 0] + draws[:, 2], shares[0] + shares[2], len(came))
    return Decomposition(harder, relation, outside, inputs, auc(pi.chance, came), len(came))


@dataclass(frozen=True, slots=True, eq=False)
class Judgeable:
    """The rows whose outcome is known, with those that the metric is about and its errors among them (rows,).

    All of them are weighed: which rows a metric such as F1 is about hangs on their labels, so that among those alone
    inputs seem to move where labels do.
    """

    rows: RowSample
    among: Bools
    errors: Bools

    @classmethod
    def of(cls, facts: Facts, sample: RowSample) -> Judgeable:
        """The judgeable rows of a sample."""
        among, errors = errors_among(sample, facts.metric.judgement)
        known = among | (sample.outcome < len(OUTCOMES[facts.metric.judgement.by]) - 1)
        return cls(sample.where(known), among[known], errors[known])


def _interval(draws: Floats, share: float, n: int) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(share), float(low), float(high), n)


def parts(loss: Floats, came: Floats, weights: Floats, counts: Floats, among: Floats | None = None) -> Floats:
    """The rise of the mean loss by harder inputs, changed relation, outside support: (3,), which sum to the rise.

    `weights` carry both windows to the inputs that they share; `counts` say how often a row is drawn; `among` marks the
    rows that the mean is taken over, all where it is not given.
    """
    old, new = came == 0, came == 1
    judged = np.ones(len(loss)) if among is None else among

    def mean(where: Bools, by: Floats) -> float:
        return float(np.sum(loss[where] * by[where]) / max(np.sum(judged[where] * by[where]), 1e-12))

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
