"""What kinds of fault do alike to answers: score on other values, score otherwise; and how the service does usually."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mortis.lab.bases.base import Base, Service
from mortis.lab.kinds.kind import Severity, Step
from mortis.lab.measuring import measured, worse_by
from mortis.lab.traffic import Bools, Columns, Floats, Stretch, Traffic, in_scope

_EDGE = 1e-6
_SIZES = (0.4, 0.6, 0.8, 1.1, 1.5, 2.0, 2.6, 3.3)
_COSTS = (0.1, 0.17, 0.28)  # of the metric
Change = Callable[[Floats], Floats]
Reading = Callable[[Traffic, Bools], Columns]


def has_models(base: Base) -> bool:
    """Whether models of one's own answer, so that scores can be told from features."""
    return base.past is not None and bool(base.features)


def has_labels(base: Base) -> bool:
    """Whether such models' answers are held against labels."""
    return has_models(base) and base.task != "score"


def with_score(traffic: Traffic, score: Floats, hit: Bools) -> Traffic:
    """The same requests, answered with these scores where the mask holds."""
    return replace(traffic, score=np.where(hit, score, traffic.score))


def rescored(change: Change) -> Step:
    """A step that turns the scores (n,) of the requests hit into others."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        score = traffic.score.copy()
        score[hit] = change(score[hit])
        return with_score(traffic, score, hit)

    return step


def scored_on(reading: Reading) -> Step:
    """A step that scores the requests hit on other values than are logged: those that `reading` gives, by feature."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        if not hit.any():
            return traffic
        served = {one.name: traffic.served[one.name] for one in service.base.features} | dict(reading(traffic, hit))
        score = traffic.score.copy()
        for version in np.unique(traffic.served_by[hit].astype(str)):
            mine = hit & (traffic.served_by == version)
            score[mine] = service.scores({name: column[mine] for name, column in served.items()}, str(version))
        return with_score(traffic, score, hit)

    return step


def judged_worse(by: float) -> Step:
    """A step by which a judge finds the answers hit worse, by so much in log odds and by more or less for each."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        odds = logit(traffic.score) - by * rng.gamma(4, 1 / 4, len(traffic))
        return with_score(traffic, np.round(1 / (1 + np.exp(-odds)), 3), hit)

    return step


def is_judged(base: Base) -> bool:
    """Whether a judge scores what others answer, so that nobody can score again."""
    return base.task == "score"


def bounded(base: Base, score: Floats) -> Floats:
    """Scores kept to what can be one: within 0 and 1 where they are probabilities."""
    return np.clip(score, _EDGE, 1 - _EDGE) if base.task in ("binary", "score") else score


def logit(p: Floats) -> Floats:
    """Log odds of probabilities."""
    sure = np.clip(p, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(sure / (1 - sure)), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """Requests answered as usual, from which a fault's size and place are chosen: those of the training."""

    base: Base
    traffic: Traffic

    def fall(self, score: Floats, threshold: float | None = None) -> float:
        """By how much the base's metric is worse with other scores or another threshold."""
        usual, other = (
            measured(_decided(self.base, self.traffic, one, limit), self.base, self.base.metric)
            for one, limit in ((self.traffic.score, None), (score, threshold))
        )
        return worse_by(self.base.metric, usual, other)

    def enough(self, severity: Severity, scope: Mapping[str, str], fall: Callable[[float], float]) -> float:
        """The least shift, up or down, that costs enough of the metric where it reaches that all of it shows it.

        `fall` says what a shift costs where it is; where none costs so much, it is the one that costs most.
        """
        usual = _decided(self.base, self.traffic, self.traffic.score, None)
        wanted = _COSTS[severity - 1] * measured(usual, self.base, self.base.metric)
        reached = float(in_scope(self.traffic, scope).mean())
        costs = {size * sign: fall(size * sign) for size in _SIZES for sign in (-1.0, 1.0)}
        return next(
            (one for one, cost in costs.items() if cost * reached >= wanted), max(costs, key=lambda x: costs[x])
        )

    def relabelled(self, label: Floats) -> float:
        """By how much the base's metric is worse against other labels."""
        usual = _decided(self.base, self.traffic, self.traffic.score, None)
        before, after = (measured(one, self.base, self.base.metric) for one in (usual, replace(usual, label=label)))
        return worse_by(self.base.metric, before, after)

    def without(self, where: Bools) -> float:
        """By how much the base's metric is worse without the requests where the mask holds."""
        usual = _decided(self.base, self.traffic, self.traffic.score, None)
        every, rest = (measured(one, self.base, self.base.metric) for one in (usual, usual.take(~where)))
        return worse_by(self.base.metric, every, rest)

    def worse(self, where: Bools) -> float:
        """By how much the base's metric is worse for the requests where the mask holds than for the others."""
        usual = _decided(self.base, self.traffic, self.traffic.score, None)
        there, others = (measured(usual.take(mask), self.base, self.base.metric) for mask in (where, ~where))
        return worse_by(self.base.metric, others, there)


@cache
def rehearsal(service: Service) -> Rehearsal:
    """How a service answers as usual."""
    base = service.base
    if service.past is None:
        week = Stretch(base.starts[0], 7, 0)
        return Rehearsal(base, base.draw(week, np.random.default_rng(17)))
    features = {one.name: service.past.columns[one.name] for one in base.features}
    return Rehearsal(base, replace(service.past, score=service.scores(features, service.current)))


def _decided(base: Base, traffic: Traffic, score: Floats, threshold: float | None) -> Traffic:
    limit = base.threshold if threshold is None else threshold
    prediction = (score >= limit).astype(np.float64) if base.task == "binary" else score
    return replace(traffic, score=score, prediction=prediction)
