"""Answers that no model file gives any more: a changed library or changed code, told apart by what is on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, Remedy, percent, plainly
from mortis.causes.replay import answered, answers_in, replay, why_not_replayed
from mortis.causes.trial import says, tried
from mortis.causes.versions import FEWEST_ROWS, LEAST_SHARE, scope_of
from mortis.changes.kinds import kinds_of
from mortis.records import CauseVerdict, Change
from mortis.sources.changes import TITLES

NAME = "replay outside the serving environment"
LIBRARIES = frozenset({"dependency", "environment", "hardware"})
CODE = frozenset({"code", "deploy"})
SOURCES = {"P1": (TITLES["dependencies"], TITLES["environment"]), "P3": (TITLES["git"],)}


@dataclass(frozen=True, slots=True)
class _InTime:
    """The changes on record that came no later than the failure and after the baseline began, by what they change."""

    libraries: Sequence[Change]
    code: Sequence[Change]

    @classmethod
    def of(cls, facts: Facts) -> _InTime:
        since = facts.failure.baseline_window.start
        until = facts.failure.onset.high if facts.failure.onset else facts.failure.since_onset.end
        known = [one for one in facts.changes or () if one.time is None or since <= one.time <= until]
        libraries, code = ([one for one in known if of & set(kinds_of(one.kind))] for of in (LIBRARIES, CODE))
        return cls(libraries, code)


def decide_environment(facts: Facts) -> Iterable[Outcome]:
    """P1 and P3: rows whose answers no version gives any more, though the files gave the baseline's.

    Supported at most, as nothing was run in the old environment. Which of the two it is, only the record can say: where
    it holds changes of one sort alone, and the other sort was handed over as well, the other is ruled out.
    """
    why = why_not_replayed(facts)
    if why:
        yield from (plainly(id_, "not_tested", NAME, f"not tested, because {why}") for id_ in SOURCES)
        return
    replayed = replay(facts, facts.during)
    known = answered(facts, facts.during) & replayed.at_hand()
    lost = known & ~np.logical_or.reduce(list(replayed.equal.values()))
    share = float(lost.sum() / max(1, known.sum()))
    if lost.sum() < max(FEWEST_ROWS, LEAST_SHARE * known.sum()):
        result = f"the model files give {percent(1 - share, 1)} of the incident's answers (n = {known.sum():,})"
        yield plainly("P1", "refuted", NAME, result)
        yield plainly("P3", "refuted", NAME, f"{result}; code that spoils a feature shows as a fault of that feature")
        return
    fallback = _fallback(facts, lost)
    if fallback:
        yield from (plainly(id_, "refuted", NAME, fallback) for id_ in SOURCES)
        return
    yield from _by_record(facts, lost, share)


def _fallback(facts: Facts, lost: Bools) -> str:
    """What is said where the answers that no version gives are mostly one score; empty where they are not."""
    served = answers_in(facts, facts.during)[lost].tolist()
    value, times = Counter(served).most_common(1)[0]
    if facts.task != "binary" or times <= len(served) / 2:
        return ""
    return f"the answers that no version gives are mostly one score, {value:.4g}: a fallback, not a changed environment"


def _by_record(facts: Facts, lost: Bools, share: float) -> Iterable[Outcome]:
    """Both causes by what the scoring outside the environment takes back, and by the changes on record."""
    remedy = Remedy(version=np.where(lost, replay(facts, facts.during).logged, ""))
    found = tried(facts, remedy)
    told = f"no version gives {percent(share, 1)} of the answers; scored here, {says(found, facts.metric.name)}"
    verdict: CauseVerdict = "supported" if found.verdict == "confirmed" else found.verdict
    record = _InTime.of(facts)
    first, second = ("P3", "P1") if record.code and not record.libraries else ("P1", "P3")
    yield Outcome(
        first,
        verdict,
        NAME,
        f"{told}; {_on_record(first, record, facts)}",
        CONFIDENCE[verdict],
        found.share,
        parameters={"share_of_rows": round(share, 4)},
        scope=scope_of(facts.during, lost),
        remedy=remedy,
    )
    yield plainly(second, *_the_other(second, record, facts, told))


def _the_other(id_: str, record: _InTime, facts: Facts, told: str) -> tuple[CauseVerdict, str, str]:
    """Verdict, test and result of the cause that the record speaks for less."""
    changes = record.code if id_ == "P3" else record.libraries
    result = f"{told}; {_on_record(id_, record, facts)}"
    if not changes and _handed_over(id_, facts):
        return "refuted", NAME, result
    return "inconclusive", NAME, result


def _on_record(id_: str, record: _InTime, facts: Facts) -> str:
    """What the record says for or against a cause."""
    changes, what = (record.code, "code") if id_ == "P3" else (record.libraries, "libraries or machines")
    if changes:
        named = "; ".join(f"{one.summary} ({one.id})" for one in changes[:3])
        return f"on record of {what} until the onset: {named}"
    if _handed_over(id_, facts):
        return f"no change of {what} until the onset is on record"
    return f"no record of {what} was handed over ({' and '.join(SOURCES[id_])})"


def _handed_over(id_: str, facts: Facts) -> bool:
    """Whether every source in which such a change would stand was read."""
    return facts.changes is not None and not set(SOURCES[id_]) & set(facts.unrecorded)
