"""All tests run, their verdicts put in order, and the drop shared out among what was confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mortis.causes.catalogue import catalogue
from mortis.causes.facts import Decider, Facts, Outcome
from mortis.causes.infrastructure import decide_duplicates, decide_fallback
from mortis.causes.measurement import decide_maturity, decide_ordinary
from mortis.causes.repairs import decide_repairs
from mortis.causes.versions import decide_decision_rule, decide_promotion, decide_served_version
from mortis.causes.world import decide_mix, decide_world
from mortis.records import Action, Answer, Cause, CauseVerdict, Evidence, Interval, Test

# The tests, integrity first: what they confirm is taken out of what the world is blamed for.
DECIDERS: list[Decider] = [
    decide_repairs,
    decide_served_version,
    decide_promotion,
    decide_decision_rule,
    decide_fallback,
    decide_duplicates,
    decide_mix,
    decide_maturity,
    decide_ordinary,
    decide_world,
]
RANK: dict[CauseVerdict, int] = {"confirmed": 0, "supported": 1, "inconclusive": 2, "refuted": 3, "not_tested": 4}
EXPLAINED = 0.7
WORLD = ("W1", "W2")


@dataclass(frozen=True, slots=True)
class Weighed:
    """The causes, best first, what they leave unexplained, the answer in one word, and what follows from it."""

    causes: tuple[Cause, ...]
    unexplained: Interval
    answer: Answer
    evidence: tuple[Evidence, ...]
    actions: tuple[Action, ...]


def weigh(facts: Facts) -> Weighed:
    """Every cause of the catalogue with its verdict; one is confirmed only where an executed test says so."""
    outcomes = [outcome for decider in DECIDERS for outcome in decider(facts)]
    outcomes = _integrity_first(outcomes)
    ranked = sorted(
        outcomes, key=lambda one: (RANK[one.verdict], -(one.share.value if one.share else 0), -one.confidence)
    )
    tested = {one.id for one in outcomes}
    causes = [_cause(one, i) for i, one in enumerate(ranked, 1)]
    causes += [_not_tested(id_) for id_ in catalogue() if id_ not in tested]
    named = [one for one in ranked if one.verdict in ("confirmed", "supported")]
    if not named:
        causes.insert(0, _unknown(ranked))
    return Weighed(
        tuple(causes),
        _unexplained(named, len(facts.during)),
        "unknown" if not named else "several" if _several(named) else "cause",
        tuple(_evidence(one, i) for i, one in enumerate(ranked, 1)),
        tuple(action for one in named[:2] for action in catalogue()[one.id].actions_for(f"{one.id} {_what(one)}")),
    )


def _integrity_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The world is not blamed for what a confirmed fault explains: a corrupted column looks like drift to any decomposition."""
    explained = max((o.share.value for o in outcomes if o.verdict == "confirmed" and o.share), default=0.0)
    if explained < EXPLAINED:
        return list(outcomes)
    reason = f"a confirmed fault explains {explained:.0%} of the fall, so what is left is too little to share out"
    return [
        replace(
            o, verdict="not_tested", result=f"not weighed, because {reason} ({o.result})", confidence=0.05, share=None
        )
        if o.id in WORLD
        else o
        for o in outcomes
    ]


def _several(named: Sequence[Outcome]) -> bool:
    """Whether more than one cause was confirmed, or none confirmed and several supported."""
    confirmed = [one for one in named if one.verdict == "confirmed"]
    return len(confirmed) > 1 or (not confirmed and len(named) > 1)


def _unexplained(named: Sequence[Outcome], n: int) -> Interval:
    """What the first cause leaves of the fall; causes are not added up, as their repairs overlap."""
    best = next((one.share for one in named if one.share is not None), None)
    if best is None:
        return Interval(1.0, 1.0, 1.0, n)
    return Interval(1 - best.value, 1 - best.high, 1 - best.low, n)


def _what(one: Outcome) -> str:
    parts = [", ".join(one.features), one.scope]
    return " ".join(part for part in parts if part) or catalogue()[one.id].name


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
        share_of_drop=one.share,
        evidence_for=(said,) if one.verdict in ("confirmed", "supported") else (),
        evidence_against=(said,) if one.verdict == "refuted" else (),
        test=Test(one.test, one.result),
    )


def _not_tested(id_: str) -> Cause:
    entry = catalogue()[id_]
    result = f"not tested; it would be decided so: {entry.test}; that needs {entry.needs}"
    return Cause(id_, entry.name, "not_tested", 0.0, test=Test(entry.test, result))


def _unknown(ranked: Sequence[Outcome]) -> Cause:
    tried = sum(one.verdict in ("refuted", "inconclusive") for one in ranked)
    result = f"none of the {tried} tests that were executed confirms or supports a cause"
    return Cause("unknown", "Unknown", "inconclusive", 0.5, test=Test("all tests of the catalogue", result))


def _evidence(one: Outcome, place: int) -> Evidence:
    status = "inferred" if one.verdict == "not_tested" else "tested"
    question = f"Was it {one.id}: {catalogue()[one.id].name.lower()}?"
    return Evidence(f"causes.{place}-{one.id}", question, one.result, status, value=one.share)
