"""What a model learned from: rows as an incident leaves them, outcomes that stand for something else, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from mortis.causes.facts import Facts
from mortis.causes.labels import in_words
from mortis.causes.likelihood import LabelLaw
from mortis.causes.payloads import FORMS
from mortis.causes.proxies import FOLLOWS, HALF, follow
from mortis.causes.relation import CLEAR, FEWEST_ROWS, Relation, labelled, relation
from mortis.causes.replay import answers_in, figures, nulls, replay
from mortis.integrity.corruption import propose
from mortis.integrity.kinds.repair import Repair
from mortis.problems import Problem
from mortis.rows import RowSample, is_number

BROKEN = ("flipped", "exchanged")  # labels as no world gives them: the opposite of what came, or another row's
SURELY = 0.9  # of a feature's difference explained


@dataclass(frozen=True, slots=True)
class Learned:
    """What the training table holds, held against the log's baseline.

    `cause` is L3 or M6 where it holds what explains a worse version, else empty; `unread` then says what was not looked
    at, if anything.
    """

    says: str
    cause: str = ""
    unread: str = ""
    features: tuple[str, ...] = ()
    parameters: Mapping[str, str | float] = field(default_factory=dict)
    scope: str = ""


def learned(facts: Facts, old: str) -> Learned:
    """What the training table tells of a version that does worse than `old`, which it replaced.

    Features are compared as served ones are, and labels are held against those that the baseline's relation to inputs
    and to the old version's answers would give: it answers the training rows as it answered the log's. A feature in
    another form, if labels say that it is one and not other values, or labels that are turned round or another row's
    are an incident's (L3); labels that follow a feature which the log's don't stand for something else (M6).
    """
    unread = _why_unread(facts, old)
    if unread:
        return Learned("", unread=unread)
    rows = _as_served(facts, old)
    logged = replace(facts.before, features={name: facts.before.features[name] for name in rows.features})
    struck = [one for one in propose(logged, rows, rng=facts.rng()) if one.fit >= SURELY]
    form = next((one for one in struck if one.kind in FORMS and _is_a_form(facts, old, one, rows)), None)
    if form:
        return _of_a_form(form)
    proxy = _proxy(logged, rows)
    if proxy:
        return Learned(
            f"in the training table labels follow {proxy}, which the log's don't", "M6", parameters={"follows": proxy}
        )
    if struck:
        # Answers to features that are others than the log's tell nothing of labels.
        return Learned(
            "", unread=f"features there differ from the log's ({struck[0].statement}), so that labels tell nothing"
        )
    found = relation(replace(facts, before=logged, during=rows))
    if found is None:
        return Learned("", unread="too few rows of it, or of the baseline, have labels")
    return _of_labels(found, facts)


def _why_unread(facts: Facts, old: str) -> str:
    """Why the training table can't be held against the baseline; empty where it can."""
    if facts.task not in ("binary", "regression"):
        return "only labels of a yes or no, or of a figure, are held against a training table's"
    if facts.training is None:
        return "no training table of the promoted version, with its label (training.label), was handed over"
    known = facts.training.y[~nulls(facts.training.y)]
    if min(len(known), int(labelled(facts.before).sum())) < FEWEST_ROWS:
        return f"fewer than {FEWEST_ROWS} rows of the training table, or of the baseline, have labels"
    if len(np.unique(known)) < 2:
        return "the training table's labels are all alike, or spelt otherwise than the log's"
    try:
        _as_served(facts, old)
    except Problem as problem:
        return f"{old} can't answer the training table's rows: {problem}"
    return ""


def _is_a_form(facts: Facts, old: str, one: Repair, rows: RowSample) -> bool:
    """Whether labels are likelier at the old version's answers once a feature's form is undone: else values differ."""
    usual = np.asarray(replay(facts, facts.before).given[old], dtype=float)
    known = labelled(facts.before) & np.isfinite(usual)
    law = LabelLaw.of(facts.task, usual[known], facts.before.y[known])
    as_is, put_right = np.asarray(answers_in(facts, rows), dtype=float), figures(facts, old, one.undo(rows))
    known = labelled(rows) & np.isfinite(as_is) & np.isfinite(put_right)
    kept = rows.where(known)
    return law.judged(kept, put_right[known]).gain_over(law.judged(kept, as_is[known])) >= CLEAR


def _of_a_form(one: Repair) -> Learned:
    told: dict[str, str | float] = {"kind": one.kind}
    told |= {name: value for name, value in one.parameters.items() if name in ("factor", "function", "how")}
    told["share_of_rows"] = round(one.share, 3)
    scope = " = ".join(one.scope) if one.scope else ""
    return Learned(f"in the training table {one.statement}", "L3", features=one.features, parameters=told, scope=scope)


def _proxy(logged: RowSample, rows: RowSample) -> str:
    """The feature that training labels follow, and the log's don't; empty where there is none."""
    follows = {}
    for name, column in rows.features.items():
        was, now = (_followed(sample, name) for sample in (logged, rows))
        if now >= FOLLOWS and was <= HALF * now and is_number(column):
            follows[name] = now - was
    return max(follows, key=lambda name: follows[name], default="")


def _followed(sample: RowSample, name: str) -> float:
    known = labelled(sample)
    return follow(sample.features[name][known], np.asarray(sample.y, dtype=float)[known])


def _of_labels(found: Relation, facts: Facts) -> Learned:
    way = found.best
    if way is None or way.name not in BROKEN:
        told = f"; there {in_words(way, facts)}" if way else ""
        return Learned(f"the training table holds neither broken labels nor features in other forms{told}")
    return Learned(
        f"in the training table {in_words(way, facts)}",
        "L3",
        parameters={"share_of_rows": round(way.part, 3)},
        scope=str(way.place),
    )


@lru_cache(maxsize=1)  # asked whether it can be done, then for the rows
def _as_served(facts: Facts, old: str) -> RowSample:
    """The training rows as if the old version had answered them, spread over the incident.

    With the features that the log has too, of the same kind. Raises Problem where the version can't answer them.
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
    given = figures(facts, old, blank)
    if facts.task == "binary":
        threshold = 0.5 if facts.threshold is None else facts.threshold
        return replace(blank, score=given, p=np.where(np.isfinite(given), given >= threshold, np.nan))
    scores = np.isfinite(facts.before.score).any()
    return replace(blank, p=given, score=given if scores else none)
