"""All tests run, their verdicts put in order, and the drop shared out among the causes that stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mortis.causes.attribution import remainder, repaired_facts, scaled, share_out
from mortis.causes.catalogue import catalogue
from mortis.causes.facts import CONFIDENCE, Decider, Facts, Outcome, percent, plainly
from mortis.causes.gaming import decide_gaming
from mortis.causes.infrastructure import RESOURCES, decide_accelerator, decide_duplicates, decide_fallback
from mortis.causes.labels import decide_labels, decide_selective
from mortis.causes.leaks import decide_leak
from mortis.causes.measurement import decide_maturity, decide_ordinary
from mortis.causes.mix import decide_mix
from mortis.causes.offline import decide_two_paths
from mortis.causes.promotion import decide_promotion
from mortis.causes.repairs import CAUSE_OF_KIND, LOOKED_FOR, decide_repairs
from mortis.causes.replay import why_not_own, why_not_replayed
from mortis.causes.season import decide_season
from mortis.causes.serving import decide_departures
from mortis.causes.surface import decide_surface
from mortis.causes.unlogged import decide_unlogged
from mortis.causes.versions import decide_decision_rule, decide_served_version
from mortis.causes.world import decide_world
from mortis.records import (
    STANDING,
    Action,
    Answer,
    Cause,
    CauseVerdict,
    Evidence,
    EvidenceStatus,
    Failure,
    FailureKind,
    Interval,
    Test,
)

# The tests with the causes they decide. Integrity first: what it explains is taken out of what the world is blamed for.
DECIDERS: list[tuple[Decider, tuple[str, ...]]] = [
    (decide_repairs, tuple(sorted({*CAUSE_OF_KIND.values(), *LOOKED_FOR}))),
    (decide_two_paths, ("S1",)),
    (decide_leak, ("S5",)),
    (decide_served_version, ("M2",)),
    (decide_departures, ("M3", "M4", "P1", "P2", "P3", "H3", "H5")),
    (decide_promotion, ("M1", "M6", "L3")),
    (decide_decision_rule, ("M3",)),
    (decide_fallback, ("H1",)),
    (decide_accelerator, ("H2",)),
    (decide_duplicates, ("D7",)),
    (decide_maturity, ("E2",)),
    (decide_ordinary, ("E5",)),
]
Tier = Sequence[tuple[Decider, tuple[str, ...]]]
# What faults leave, from the particular to the general: where a test of one tier stands, those of later tiers can't be
# told apart from it.
WORLD_DECIDERS: tuple[Tier, ...] = (
    (
        (decide_season, ("W3",)),
        (decide_gaming, ("W4",)),
    ),
    (
        (decide_surface, ("W5", "P4")),
        (decide_labels, ("L1", "E1")),
        (decide_selective, ("L2",)),
        (decide_unlogged, ("E4",)),
    ),
    (
        (decide_mix, ("E3",)),
        (decide_world, ("W1", "W2")),
    ),
)
RANK: dict[CauseVerdict, int] = {"confirmed": 0, "supported": 1, "inconclusive": 2, "refuted": 3, "not_tested": 4}
EXPLAINED = 0.7
OF_ANSWERS = frozenset({"M1", "M2", "M3", "M4", "M6", "L3", "P1", "P2", "P3", "H1", "H3", "H5"})
"""The causes that explain why answers are not those of the version logged."""
MOST_ACTED_ON = 3


@dataclass(frozen=True, slots=True)
class Weighed:
    """The causes, best first, what they leave unexplained, the answer in one word, and what follows from it."""

    causes: tuple[Cause, ...]
    unexplained: Interval
    answer: Answer
    evidence: tuple[Evidence, ...]
    actions: tuple[Action, ...]


def weigh(facts: Facts) -> Weighed:
    """Every cause of the catalogue with its verdict; one is confirmed only where an executed test says so.

    The shares of the causes that stand and what is unexplained sum to one.
    """
    integrity = share_out(facts, [outcome for decider, _ in DECIDERS for outcome in decider(facts)])
    world = _mix_counts_once(
        [
            one
            for one in _world(facts, integrity.outcomes, integrity.explained)
            if not _told_already(one, integrity.outcomes)
        ]
    )
    outcomes = (*integrity.outcomes, *world)
    ranked = sorted(
        outcomes, key=lambda one: (RANK[one.verdict], -(one.share.value if one.share else 0.0), -one.confidence)
    )
    named = [one for one in ranked if one.verdict in STANDING]
    tested = {one.id for one in outcomes}
    causes = [_cause(one, i) for i, one in enumerate(ranked, 1)]
    causes += [_not_tested(id_) for id_ in catalogue() if id_ not in tested]
    if not named:
        causes.insert(0, _unknown(ranked))
    counted = [one.share for one in world if one.verdict in STANDING and one.share is not None]
    return Weighed(
        tuple(causes),
        remainder(integrity.explained, counted),
        _answer(named),
        tuple(_evidence(one, i) for i, one in enumerate(ranked, 1)),
        tuple(_actions(named, facts.metric.kind) if named else _leads(ranked)),
    )


def _told_already(one: Outcome, integrity: Sequence[Outcome]) -> bool:
    """Whether a cause that two tests decide stands by the other, or this one has nothing to add to the other."""
    verdicts = {other.verdict for other in integrity if other.id == one.id}
    return bool(verdicts & set(STANDING)) or (bool(verdicts) and one.verdict in ("refuted", "not_tested"))


def weighed_alone(outcome: Outcome, failure: Failure) -> Weighed:
    """The one cause of what seemed to be a failure and, judged rightly, is none: nothing is left to explain."""
    nan = float("nan")
    return Weighed(
        (_cause(outcome, 1),),
        Interval(nan, nan, nan, failure.incident.n),
        "cause",
        (_evidence(outcome, 1),),
        tuple(_actions([outcome], failure.kind)),
    )


def _world(facts: Facts, integrity: Sequence[Outcome], explained: Interval) -> Iterable[Outcome]:
    """The world's causes, on what standing faults leave of the drop: a corrupted column looks like drift."""
    rest = repaired_facts(facts, integrity)
    explains_answers = any(one.id in OF_ANSWERS and one.verdict in STANDING for one in integrity)
    unnamed = "" if explains_answers else why_not_own(facts)
    faults = [one for one in integrity if one.verdict in STANDING and one.remedy]
    exact = all(fault.remedy.exact for fault in faults if fault.remedy)
    standing: list[str] = []
    for tier in WORLD_DECIDERS:
        found: list[Outcome] = []
        for decider, ids in tier:
            why = ""
            if explained.value >= EXPLAINED:
                why = f"the faults that stand explain {percent(explained.value)} of the drop, and little is left"
            elif faults and (rest is None or decider is decide_mix):
                why = "it can't be told apart from the faults that stand"
            elif standing:
                why = f"it can't be told apart from {' and '.join(standing)}, which stands"
            if why or rest is None:
                found += [
                    plainly(id_, "not_tested", catalogue()[id_].test, f"not tested, because {why}") for id_ in ids
                ]
            elif faults:
                found += [_beside_unnamed(_of_the_rest(one, explained, exact=exact), unnamed) for one in decider(rest)]
            else:
                found += [_beside_unnamed(_beside_untested(facts, one), unnamed) for one in decider(facts)]
        standing += [one.id for one in found if one.verdict in STANDING]
        yield from found


def _of_the_rest(one: Outcome, explained: Interval, *, exact: bool) -> Outcome:
    """An outcome about repaired rows, its share that of the whole drop; stand-ins for lost values look like drift."""
    share = scaled(one.share, 1 - explained.value) if one.share else None
    result = f"with the faults put right, which explain {percent(explained.value)} of the drop: {one.result}"
    if exact or one.verdict != "supported":
        return replace(one, share=share, result=result)
    result += "; the faults were put right by stand-ins, or in rows that were guessed, which leaves a rest of its own"
    return replace(one, verdict="inconclusive", confidence=CONFIDENCE["inconclusive"], share=share, result=result)


def _beside_unnamed(one: Outcome, unnamed: str) -> Outcome:
    """An outcome about the world, of no weight where many answers are nobody's and no cause of that stands."""
    if one.verdict != "supported" or not unnamed:
        return one
    return _of_no_weight(one, f"{one.result}; but {unnamed}, and what made the others would look the same")


def _beside_untested(facts: Facts, one: Outcome) -> Outcome:
    """An outcome about the world, of no weight where a fault in the serving would look alike and was not tested."""
    why = why_not_replayed(facts)
    if why is None or one.verdict != "supported":
        return one
    alike = "a fault in data or serving would look the same: hand over `models`"
    return _of_no_weight(one, f"{one.result}; but {why}, and {alike}")


def _of_no_weight(one: Outcome, why: str) -> Outcome:
    return replace(one, verdict="inconclusive", confidence=CONFIDENCE["inconclusive"], result=why)


def _mix_counts_once(world: Sequence[Outcome]) -> list[Outcome]:
    """A confirmed mix shift is also a shift of inputs: the drop is counted once, under the mix."""
    if not any(one.id == "E3" and one.verdict == "confirmed" for one in world):
        return list(world)
    return [
        replace(one, share=None, result=f"{one.result}; counted under E3, which names the column")
        if one.id in ("W1", "W2")
        else one
        for one in world
    ]


def _answer(named: Sequence[Outcome]) -> Answer:
    """One cause, several where more than one was confirmed (or supported, where none was confirmed), or unknown."""
    if not named:
        return "unknown"
    confirmed = [one for one in named if one.verdict == "confirmed"]
    return "several" if len(confirmed or named) > 1 else "cause"


def _actions(named: Sequence[Outcome], kind: FailureKind) -> Iterable[Action]:
    """The catalogue's actions for the first of the causes that stand, the confirmed before the supported."""
    for one in named[:MOST_ACTED_ON]:
        entry = catalogue()[one.id]
        what = ", ".join(one.features) or str(one.parameters.get(RESOURCES, ""))
        parts = [what, f"where {one.scope}" if one.scope else ""]
        yield from entry.actions_for(f"{one.id} {' '.join(part for part in parts if part) or entry.name}", kind)


def _leads(ranked: Sequence[Outcome]) -> Iterable[Action]:
    """What to do where no cause stands: try, or take back, a version that began to serve and could not be tried."""
    for one in ranked:
        if one.id == "M1" and one.verdict == "not_tested" and "version" in one.parameters:
            new, old = one.parameters["version"], one.parameters["replaced"] or "the version before"
            title = f"Roll back from {new} to {old}, or hand over the files of both as `models` and run again"
            done = "the metric is the baseline's, or the same rows under both versions tell that it isn't the version"
            yield Action(title, "mitigate", f"{new}, which began to serve by then", done)


def _cause(one: Outcome, place: int) -> Cause:
    said = f"causes.{place}-{one.id}"
    return Cause(
        id=one.id,
        name=catalogue()[one.id].name,
        verdict=one.verdict,
        confidence=one.confidence,
        features=one.features,
        parameters=one.parameters,
        scope=one.scope,
        share_of_drop=one.share if one.verdict in STANDING and one.share and one.share.low == one.share.low else None,
        evidence_for=(said,) if one.verdict in STANDING else (),
        evidence_against=(said,) if one.verdict == "refuted" else (),
        test=Test(one.test, one.result),
    )


def _not_tested(id_: str) -> Cause:
    entry = catalogue()[id_]
    return Cause(id_, entry.name, "not_tested", 0.0, test=Test(entry.test, f"not tested: it needs {entry.needs}"))


def _unknown(ranked: Sequence[Outcome]) -> Cause:
    tried = sum(one.verdict in ("refuted", "inconclusive") for one in ranked)
    result = f"{tried} tests were run, and none confirms or supports a cause"
    return Cause("unknown", "Unknown", "inconclusive", 0.5, test=Test("all tests of the catalogue", result))


def _evidence(one: Outcome, place: int) -> Evidence:
    status: EvidenceStatus = "inferred" if one.verdict == "not_tested" else "tested"
    question = f"Was it {one.id}, {catalogue()[one.id].name[0].lower()}{catalogue()[one.id].name[1:]}?"
    return Evidence(f"causes.{place}-{one.id}", question, one.result, status, value=one.share)
