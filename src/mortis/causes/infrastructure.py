"""Causes in the serving itself: fallback scores, and rows that are there twice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, Remedy, percent, plainly
from mortis.causes.replay import replay, why_not_replayed
from mortis.causes.trial import says, tried
from mortis.problems import listed
from mortis.profiles import Floats
from mortis.records import Signal
from mortis.rows import RowSample

RISEN, REPEATED = 0.02, 0.01
RESOURCES = "resources"
IDLE = "an accelerator that does less while answers take longer"
_ACCELERATOR = re.compile(r"(?i)gpu|\btpu|cuda|nvidia|accelerat|driver")
_RESOURCE = re.compile(
    r"(?i)cpu|processor|load|memory|\bmem|heap|\brss|swap|queue|backlog|pending|saturat|utili[sz]|throttl|connection|"
    r"thread|worker|pool|disk|gpu"
)


def decide_fallback(facts: Facts) -> Iterable[Outcome]:
    """H1: one score that gained mass, and that the model does not give to these rows; the metric without them.

    Supported at most where no model file tells whether the model gives that score itself. Of a failure of operation, it
    is decided by what ran out of room.
    """
    if facts.metric.kind == "operational":
        yield _overload(facts)
        return
    name = "leave the rows with the fallback score out"
    score = facts.during.score
    if not np.isfinite(score).any():
        yield plainly("H1", "not_tested", name, "not tested, because the log holds no scores")
        return
    fallback, share, usual = _risen(facts.before.score, score)
    told = f"the score {fallback:.4g} has {percent(share, 1)} of the rows ({percent(usual, 1)} in the baseline)"
    rows = score == fallback
    if share - usual < RISEN:
        yield plainly("H1", "refuted", name, f"no score gained mass: most did {fallback:.4g}, with {percent(share, 1)}")
        return
    if share > 1 - RISEN:
        yield plainly("H1", "inconclusive", name, f"{told}: without them too few are left to judge")
        return
    replayable = why_not_replayed(facts) is None
    if replayable and replay(facts, facts.during).reproduced()[rows].mean() > 0.5:
        yield plainly("H1", "refuted", name, f"{told}, and the model itself gives it to these rows")
        return
    remedy = Remedy(keep=~rows)
    found = tried(facts, remedy)
    verdict = found.verdict if replayable or found.verdict != "confirmed" else "supported"
    yield Outcome(
        "H1",
        verdict,
        name,
        f"{told}; without them, {says(found, facts.metric.name)}",
        CONFIDENCE[verdict],
        found.share,
        parameters={"fallback_score": fallback, "share_of_rows": round(share, 4)},
        remedy=remedy,
    )


def _idle(facts: Facts) -> list[Signal]:
    """The accelerators' series that fell with the failure."""
    return [
        one
        for one in facts.signals or ()
        if one.direction == "down" and one.order == "with" and _ACCELERATOR.search(one.name)
    ]


def decide_accelerator(facts: Facts) -> Iterable[Outcome]:
    """H2: an accelerator that does less while answers take longer: under overload it would do more.

    Supported, and confirmed where a change of the accelerator, its driver or its libraries is on record as well.
    """
    if facts.metric.kind != "operational" or facts.signals is None:
        missing = "no metrics were handed over"
        why = missing if facts.signals is None else f"{facts.metric.name} doesn't tell how fast answers come"
        yield plainly("H2", "not_tested", IDLE, f"not tested, because {why}")
        return
    idle = _idle(facts)
    if not idle:
        yield plainly("H2", "refuted", IDLE, "no accelerator's use fell with the failure")
        return
    until = facts.failure.onset.high if facts.failure.onset else facts.failure.since_onset.end
    since = facts.failure.baseline_window.start
    changed = [
        f"{part} ({one.id})"
        for one in facts.changes or ()
        if one.time is None or since <= one.time <= until
        for part in one.parts
        if _ACCELERATOR.search(str(part))
    ]
    told = "; ".join(f"{one.name} {one.statement}" for one in idle[:2])
    told += f"; on record: {listed(changed, most=3)}" if changed else "; no change of accelerators is on record"
    slower = (
        facts.failure.incident.value / facts.failure.baseline.value if facts.failure.baseline.value else float("nan")
    )
    found = plainly("H2", "confirmed" if changed else "supported", IDLE, f"with the failure, {told}")
    yield replace(found, parameters={"slower": round(slower, 2)}) if np.isfinite(slower) else found


def _overload(facts: Facts) -> Outcome:
    """H1 of a failure of operation: a resource that filled up with it, beyond what it does in healthy stretches.

    Supported at most: what filled up may itself be a consequence, as where an accelerator is idle and the processor
    does its work. What moved before the failure and apart from it doesn't count.
    """
    name = "a resource that fills up with the failure, beyond its healthy stretches"
    if facts.signals is None:
        return plainly("H1", "not_tested", name, "not tested, because no metrics were handed over")
    full = [one for one in facts.signals if one.direction == "up" and _RESOURCE.search(one.name)]
    together = [one for one in full if one.order == "with"]
    apart = [one.name for one in full if one.order != "with"]
    others = f"; {listed(apart, most=3)} moved, but not with it" if apart else ""
    if not together:
        result = f"no resource's use rose with the failure, of {len(facts.signals):,} series that moved{others}"
        return plainly("H1", "refuted", name, result)
    told = "; ".join(f"{one.name} {one.statement}" for one in together[:3])
    idle = _idle(facts)
    if idle:
        result = (
            f"with the failure, {told}; but {listed((one.name for one in idle), most=2)} fell, whose work that may be"
        )
        return plainly("H1", "inconclusive", name, result)
    found = plainly("H1", "supported", name, f"with the failure, {told}{others}")
    return replace(found, parameters={RESOURCES: listed((one.name for one in together), most=3)})


def _risen(before: Floats, during: Floats) -> tuple[float, float, float]:
    """The score whose share of the rows rose most, with its share in the incident and in the baseline."""
    values, counts = np.unique(during[np.isfinite(during)], return_counts=True)
    known = np.sort(before[np.isfinite(before)])
    usual = (np.searchsorted(known, values, "right") - np.searchsorted(known, values, "left")) / max(len(known), 1)
    share = counts / counts.sum()
    most = int(np.argmax(share - usual))
    return float(values[most]), float(share[most]), float(usual[most])


def decide_duplicates(facts: Facts) -> Iterable[Outcome]:
    """D7: ids that repeat more than before; the metric with one row for each id."""
    name = "keep one row per id"
    if all(one is None for one in facts.during.ids.tolist()):
        yield plainly("D7", "not_tested", name, "not tested, because the log has no ids (predictions.id)")
        return
    first, usual = first_rows(facts.during), 1 - float(first_rows(facts.before).mean())
    repeated = 1 - float(first.mean())
    told = f"{percent(repeated, 1)} of the incident's rows repeat an id ({percent(usual, 1)} in the baseline)"
    if repeated - usual < REPEATED:
        yield plainly("D7", "refuted", name, told)
        return
    if facts.metric.kind == "operational":
        reason = f"how repeated rows bear on {facts.metric.name} takes an independent count of requests"
        yield plainly("D7", "not_tested", name, f"{told}; not tested, because {reason}")
        return
    remedy = Remedy(keep=first)
    found = tried(facts, remedy)
    yield Outcome(
        "D7",
        found.verdict,
        name,
        f"{told}; with one row per id, {says(found, facts.metric.name)}",
        CONFIDENCE[found.verdict],
        found.share,
        parameters={"share_of_rows": round(repeated, 4)},
        remedy=remedy,
    )


def first_rows(sample: RowSample) -> Bools:
    """Whether each row is the first with its id; rows without one count as first."""
    seen: set[object] = set()
    first = np.ones(len(sample), dtype=bool)
    for i, key in enumerate(sample.ids.tolist()):
        first[i] = key is None or key not in seen
        seen.add(key)
    return first
