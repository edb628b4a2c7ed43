"""Whether a model learned from rows as an incident leaves them: labels turned round, or a feature in another form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mortis.causes.facts import Facts, percent
from mortis.causes.payloads import FORMS
from mortis.causes.relation import FEWEST_ROWS, Way, relation
from mortis.causes.replay import answers
from mortis.integrity.corruption import propose
from mortis.problems import Problem
from mortis.rows import RowSample, is_number

TOLD = ("factor", "function", "how", "share")  # of the parameters of a feature's form
SURELY = 0.9  # of a feature's difference explained by another form


@dataclass(frozen=True, slots=True)
class Contamination:
    """What is wrong in the rows that a version learned from, held against the log's baseline, and the cause that is."""

    id: str
    says: str
    features: tuple[str, ...]
    parameters: Mapping[str, str | float]


def why_not_held_against(facts: Facts, old: str) -> str:
    """Why the training table can't be held against the baseline; empty where it can."""
    if facts.training is None:
        return "no training table with the model's features and its labels was handed over (training.label)"
    if len(facts.training.y) < FEWEST_ROWS:
        return f"the training table has fewer than {FEWEST_ROWS} rows"
    if len({*facts.training.y.tolist()} - {None}) < 2:
        return "the training table's labels are all alike, or spelt otherwise than the log's"
    try:
        _as_served(facts, old)
    except Problem as problem:
        return f"{old} can't answer the training table's rows: {problem}"
    return ""


def contamination(facts: Facts, old: str) -> Contamination | None:
    """What the training table holds that an incident would leave there; None where it looks like the baseline's rows.

    Features are compared as served ones are. Labels are held against those that the baseline's relation to inputs and
    to the answers of the version `old` would give: it answers the training rows as it answered the log's. Turned round,
    they are an incident's (L3); higher where a feature is, whatever came, they stand for something else (M6).
    """
    if why_not_held_against(facts, old):
        return None
    learned = _as_served(facts, old)
    logged = replace(facts.before, features={name: facts.before.features[name] for name in learned.features})
    struck = [one for one in propose(logged, learned, rng=facts.rng()) if one.fit >= SURELY]
    for one in struck:
        if one.kind in FORMS:
            told = {key: value for key, value in one.parameters.items() if key in TOLD}
            return Contamination("L3", f"in the training table {one.statement}", one.features, told)
    # Where other features are than in the log, answers to them tell nothing of labels.
    found = None if struck else relation(replace(facts, before=logged, during=learned))
    return _of_labels(found.best) if found and found.best else None


def _of_labels(way: Way) -> Contamination | None:
    where = f" where {way.place}" if way.place.column else ""
    if way.name == "flipped":
        said = f"in the training table about {percent(way.part)} of the labels{where} are as the opposite of what came"
        return Contamination("L3", said, (), {"share_of_rows": round(way.part, 3)})
    if way.name == "more" and np.isfinite(way.place.low):
        said = f"in the training table labels are higher{where}, whatever came"
        return Contamination("M6", said, (), {"follows": way.place.column})
    return None


@lru_cache(maxsize=1)  # asked whether it can be done, then for the rows
def _as_served(facts: Facts, old: str) -> RowSample:
    """The training rows as if the old version had answered them, spread over the incident.

    Raises Problem where it can't, for want of a feature.
    """
    training = facts.training
    if training is None:
        raise ValueError("there is no training table")
    features = {
        name: training.features[name]
        for name, column in facts.before.features.items()
        if name in training.features and is_number(training.features[name]) == is_number(column)
    }
    n, seconds = len(training.y), facts.during.second
    none = np.full(n, np.nan)
    blank = RowSample(
        features=features,
        y=training.y,
        p=none,
        score=none,
        second=np.linspace(int(seconds.min()), int(seconds.max()), n).astype(np.int64),
        version=np.full(n, old, dtype=object),
        outcome=np.zeros(n, np.int8),
        latency_ms=none,
        ids=np.full(n, None, dtype=object),
        rows=n,
    )
    given = answers(facts, facts.models[old], blank)
    if facts.task == "binary":
        decided = (np.asarray(given, dtype=float) >= (facts.threshold or 0.5)).astype(float)
        return replace(blank, score=np.asarray(given, dtype=float), p=decided)
    scores = np.isfinite(facts.before.score).any()
    return replace(blank, p=given, score=np.asarray(given, dtype=float) if scores else none)
