"""Scoring the sampled rows again: which version reproduces what was served, and what a remedy would have changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mortis.causes.facts import Bools, Facts, Remedy, Scorer, percent
from mortis.problems import Problem
from mortis.profiles import Floats
from mortis.rows import Column, RowSample, Texts, is_number

TOLERANCE = 1e-5
MOST_DECIMALS = 6
REPRODUCED = 0.9
OWN = 0.97  # of the incident's answers: where fewer are the model's own, what made the others may have made the fall


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Each version's answers (rows,), where they equal those that were served, and the version that the log names."""

    given: Mapping[str, Column]
    equal: Mapping[str, Bools]
    logged: Texts

    def reproduced(self) -> Bools:
        """Rows whose logged version gives the logged answer."""
        hit = np.zeros(len(self.logged), dtype=bool)
        for version, equal in self.equal.items():
            hit |= (self.logged == version) & equal
        return hit

    def at_hand(self) -> Bools:
        """Rows whose logged version's file was handed over."""
        return np.isin(self.logged, list(self.equal))


@lru_cache(maxsize=4)  # several tests replay both windows, as they were and with the faults put right
def replay(facts: Facts, sample: RowSample) -> Replay:
    """The sample answered by every candidate version."""
    served = answers_in(facts, sample)
    given = {version: answers(facts, model, sample) for version, model in facts.models.items()}
    equal = {version: _equal(answer, served) for version, answer in given.items()}
    return Replay(given, equal, logged_versions(facts, sample, equal))


def answers_in(facts: Facts, sample: RowSample) -> Column:
    """What the log says was answered (rows,): the class, the number, or the score."""
    return sample.p if facts.task in ("multiclass", "regression", "ranking") else sample.score


def answers(facts: Facts, model: Scorer, sample: RowSample) -> Column:
    """What a model answers (rows,), in the log's terms. Raises Problem where the file can't answer the rows."""
    positive = facts.positive if facts.positive in (model.classes or ()) else None
    figures = model.score(sample.features, positive=positive)
    if facts.task != "multiclass":
        return figures
    if model.classes is None:
        raise Problem("the model file doesn't name its classes")
    if figures.ndim == 1:
        figures = np.column_stack([1 - figures, figures])
    named: Column = np.array(model.classes, dtype=object)[figures.argmax(axis=1)]
    return named


def figures(facts: Facts, version: str, sample: RowSample) -> Floats:
    """A version's answers (rows,) where these are figures: of a binary model or one of numbers."""
    return np.asarray(answers(facts, facts.models[version], sample), dtype=float)


def _equal(answer: Column, served: Column) -> Bools:
    if not is_number(served):
        return np.asarray(answer == served, dtype=bool)
    # Large figures carry the rounding of single precision, which goes by their size.
    near = tolerance(served) * np.maximum(1, np.abs(np.asarray(served, dtype=float)))
    return np.asarray(np.abs(np.asarray(answer, dtype=float) - served) <= near, dtype=bool)


def tolerance(served: Column) -> float:
    """How far an equal answer may lie from the logged one, which may have been rounded.

    >>> tolerance(np.array([0.25, 0.1234])), tolerance(np.array([1 / 3]))
    (6e-05, 1e-05)
    """
    known = np.asarray(served, dtype=float)
    known = known[np.isfinite(known)]
    for decimals in range(2, MOST_DECIMALS):
        if len(known) and np.abs(known - np.round(known, decimals)).max() < 1e-9:
            return float(round(0.5 * 10**-decimals + TOLERANCE, 12))
    return TOLERANCE


def logged_versions(facts: Facts, sample: RowSample, equal: Mapping[str, Bools]) -> Texts:
    """The version (rows,) that should have served each row: as logged.

    Where the log names none it is the one that reproduces most of the baseline.
    """
    if not facts.models or (sample.version != "").any():
        return sample.version
    if sample is not facts.before:
        return np.full(len(sample), replay(facts, facts.before).logged[0], dtype=object)
    best = max(equal, key=lambda version: int(equal[version].sum()))
    return np.full(len(sample), best, dtype=object)


@lru_cache(maxsize=1)  # asked by each test that scores again
def why_not_replayed(facts: Facts) -> str | None:
    """Why scoring again would prove nothing, or None: the answers must come back in the baseline, and be judgeable."""
    return why_not_answered(facts) or _why_not_judged(facts)


@lru_cache(maxsize=1)
def why_not_answered(facts: Facts) -> str | None:
    """Why a model file can't be held against what was served, or None: it must first give the baseline's answers."""
    why = _what_is_missing(facts)
    if why:
        return why
    try:
        share = float(replay(facts, facts.before).reproduced()[answered(facts, facts.before)].mean())
    except Problem as problem:
        return str(problem)
    if share < REPRODUCED:
        return f"the model files reproduce only {percent(share)} of the baseline's logged answers"
    return None


@lru_cache(maxsize=2)  # of the facts, and of those with the faults put right
def mostly_served(facts: Facts) -> str:
    """The version at hand that served most of the baseline; ValueError where none of its rows names one."""
    served = Counter(one for one in replay(facts, facts.before).logged.tolist() if one in facts.models)
    if not served:
        raise ValueError("no model file is of a version that the baseline's log names")
    return str(served.most_common(1)[0][0])


@lru_cache(maxsize=1)
def why_not_own(facts: Facts) -> str:
    """Why the incident's answers say little of inputs and outcomes: too many are not those of the version logged.

    Empty where they are, and where no file tells.
    """
    if why_not_replayed(facts) is not None:
        return ""
    replayed = replay(facts, facts.during)
    known = answered(facts, facts.during) & replayed.at_hand()
    share = float(replayed.reproduced()[known].mean()) if known.any() else 1.0
    return "" if share >= OWN else f"only {percent(share)} of the incident's answers are the model's own"


def _what_is_missing(facts: Facts) -> str | None:
    if facts.metric.kind == "operational":
        return f"{facts.metric.name} doesn't depend on what the model answered"
    if not facts.models:
        return "no model file was handed over"
    if not answered(facts, facts.before).any():
        return "the log holds no scores to compare a model's with"
    return None


def _why_not_judged(facts: Facts) -> str | None:
    if facts.task == "binary" and facts.threshold is None and "prediction" in facts.metric.needs:
        return why_no_threshold(facts)
    values = [facts.judged(one).value(facts.metric)[0] for one in (facts.before, facts.during)]
    if not np.isfinite(values).all():
        return f"{facts.metric.name} can't be computed from labels, predictions and scores of the sampled rows"
    return None


def why_no_threshold(facts: Facts) -> str:
    """Why the baseline's rows don't tell from which score on predictions are positive."""
    said = np.asarray(facts.before.p, dtype=float)
    said = said[np.isfinite(said)]
    if len(said) and said.min() == said.max():
        every = "positive" if said[0] == 1 else "negative"
        return f"every prediction of the baseline is {every}, so its threshold can't be told"
    return "the baseline's predictions don't follow from one threshold of the score"


def answered(facts: Facts, sample: RowSample) -> Bools:
    """Rows (n,) for which the log holds an answer."""
    return ~nulls(answers_in(facts, sample))


def nulls(column: Column) -> Bools:
    """Rows (n,) without a value.

    >>> nulls(np.array([1.0, np.nan])).tolist(), nulls(np.array(["a", None], dtype=object)).tolist()
    ([False, True], [False, True])
    """
    if is_number(column):
        return np.asarray(~np.isfinite(np.asarray(column, dtype=float)), dtype=bool)
    return np.array([value is None for value in column.tolist()], dtype=bool)


def remedied(facts: Facts, remedies: Sequence[Remedy]) -> tuple[RowSample, Bools]:
    """The incident's rows as they would have been under the remedies together, and which of them would be there.

    Rows are scored again where features changed or another version should have served; the others keep what was logged.
    """
    sample = fixed = facts.during
    version = np.full(len(sample), "", dtype=object)
    keep = np.ones(len(sample), dtype=bool)
    threshold: float | None = None
    for one in remedies:
        fixed = one.undo(fixed) if one.undo else fixed
        version = version if one.version is None else np.where(one.version != "", one.version, version)
        keep = keep if one.keep is None else keep & one.keep
        threshold = threshold if one.threshold is None else one.threshold
    if fixed is not sample:
        replayed = replay(facts, sample)
        again = touched(sample, fixed) & (version == "") & replayed.reproduced()
        version = np.where(again, replayed.logged, version)
    return _rescored(facts, fixed, version, threshold), keep


def reenacted(facts: Facts, usual: RowSample, struck: RowSample) -> RowSample:
    """Rows of the baseline as the version that served them would have answered them with `struck`'s features."""
    version = usual.version
    if not (version != "").any():
        version = np.full(len(usual), replay(facts, facts.before).logged[0], dtype=object)
    return _rescored(facts, struck, np.where(touched(usual, struck), version, ""), None)


def touched(before: RowSample, after: RowSample) -> Bools:
    """Rows (n,) in which some feature's value differs between the two."""
    changed = np.zeros(len(before), dtype=bool)
    for name, column in after.features.items():
        own = before.features[name]
        if column is not own:
            both_null = nulls(own) & nulls(column)
            changed |= np.asarray((own != column) & ~both_null, dtype=bool)
    return changed


def _rescored(facts: Facts, sample: RowSample, version: Texts, threshold: float | None) -> RowSample:
    """The sample with the rows that bear a version answered by it, and decided by the threshold where one is given."""
    served = answers_in(facts, sample).copy()
    again = np.zeros(len(sample), dtype=bool)
    for name in sorted(set(version) & set(facts.models)):
        rows = version == name
        served[rows] = answers(facts, facts.models[name], sample.where(rows))
        again |= rows
    if facts.task == "multiclass":
        return replace(sample, p=served)
    if facts.task in ("regression", "ranking"):
        score = np.where(np.isfinite(sample.score), np.asarray(served, dtype=float), sample.score)
        return replace(sample, p=served, score=score)
    if facts.task != "binary":
        return replace(sample, score=np.asarray(served, dtype=float))
    p = np.asarray(sample.p, dtype=float).copy()
    if facts.threshold is not None:
        rows = again & ~(np.abs(served - sample.score) <= TOLERANCE)
        p[rows] = served[rows] >= facts.threshold
    if threshold is not None:
        rows = np.isfinite(served)
        p[rows] = served[rows] >= threshold
    return replace(sample, score=np.asarray(served, dtype=float), p=p)
