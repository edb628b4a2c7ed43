"""Data faults are decided by undoing them: put the features right, score again, see whether the metric recovers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, Remedy, plainly
from mortis.causes.inputs import APART, distance
from mortis.causes.offline import OTHERWISE, offline_repairs
from mortis.causes.replay import touched, why_not_replayed
from mortis.causes.scoring import Recovery
from mortis.causes.trial import reproduced, says, says_reproduced, tried
from mortis.integrity.kinds.judge import ALL_STRUCK
from mortis.records import iso
from mortis.rows import RowSample

if TYPE_CHECKING:
    from mortis.integrity.kinds.repair import Repair

NAME = "repair and score again"
CAUSE_OF_KIND: Mapping[str, str] = {
    "null": "D1",
    "default": "D1",
    "constant": "D1",
    "sentinel": "D2",
    "unit": "D3",
    "sign": "D3",
    "transform": "D3",
    "clip": "D3",
    "rounding": "D3",
    "respelling": "D4",
    "remap": "D4",
    "stale": "D5",
    "permutation": "D6",
    "swap": "S2",
    "overwritten": "S2",
    "timezone": "S4",
    OTHERWISE: "S1",
}
LOOKED_FOR = ("D1", "D2", "D3", "D4", "S2", "S3", "S4")
ELSEWHERE = ("duplication",)  # repeated rows are decided by the cause of that name, which drops them
SUSPECTED = 0.2  # what an untested corruption that fits and moved its feature altogether adds to its confidence
SAME = 0.1  # a share of the fall within which two repairs recover alike, so that the better fit decides
AS_WELL = 0.05  # within which two repairs fit alike, so that the one which knows the true values stands
# The values show that something was lost, and where no other column tells of it, stand-ins bring nothing back. What the
# loss costs shows on the baseline's rows, where it can be made. Other rows' values don't show: they need a remedy.
LOST = ("null", "default", "constant", "sentinel", "clip", "rounding", "overwritten")
RETURNED = 0.5  # of the way back: at least so far must a repair carry a feature that lies apart from the baseline's
CHANCE = 1.36  # Kolmogorov's distance that one in twenty pairs of samples exceeds, times the root of their size


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A repair that was tried: what it takes back, or what the fault costs where it is `reproduced`, and its rows."""

    repair: Repair
    remedy: Remedy
    found: Recovery
    rows: Bools
    returned: bool
    reproduced: bool


def decide_repairs(facts: Facts) -> Iterable[Outcome]:
    """One outcome per corruption that fits; of rivals for the same rows of a feature, one stands.

    Where none fits, the causes that show as a corrupted feature are ruled out.
    """
    if facts.repairs is None:
        return
    fitted = {one.statement: one for one in reversed(facts.repairs) if one.kind not in ELSEWHERE}
    repairs = [*offline_repairs(facts), *reversed(fitted.values())]
    why = why_not_replayed(facts)
    if why:
        yield from (_untested(one, facts, why) for one in repairs)
    else:
        trials = [_try(facts, one) for one in repairs]
        standing = _standing(trials)
        named = {(cause_of(one.repair, facts), one.repair.features) for one in standing if _recovers(one)}
        for one in trials:
            rival = one not in standing
            # Another parameter of the cause that stands for the feature is not another cause.
            if not rival or (cause_of(one.repair, facts), one.repair.features) not in named:
                yield _outcome(one, facts, rival=rival)
    looked_at = {cause_of(one, facts) for one in repairs}
    for id_ in LOOKED_FOR:
        if id_ not in looked_at:
            n = len(facts.before.features)
            result = f"none of the {n} features changed in this way beyond what the baseline does by itself"
            yield plainly(id_, "refuted", "look for the corruption in every feature", result)


def cause_of(repair: Repair, facts: Facts) -> str:
    """The catalogue's id for a kind of corruption; categories that trade places among known names are S3."""
    if repair.kind == "remap":
        name = repair.features[0]
        known = {value for value in facts.before.features[name].tolist() if value is not None}
        changed = repair.undo(facts.during).features[name] != facts.during.features[name]
        if set(facts.during.features[name][changed].tolist()) - {None} <= known:
            return "S3"
    return CAUSE_OF_KIND.get(repair.kind, "D4")


def _try(facts: Facts, repair: Repair) -> Trial:
    fixed = repair.undo(facts.during)
    remedy = Remedy(undo=repair.undo, exact=not repair.donors and repair.share >= ALL_STRUCK)
    rows = touched(facts.during, fixed)
    example = repair.example if repair.donors and repair.kind in LOST else None
    if example or (repair.share < ALL_STRUCK and not repair.donors):
        # What was not undone, or in rows that were guessed, can't bring the feature back: how well the fault explains
        # its change is known as a whole.
        returned = repair.fit >= RETURNED
    else:
        returned = all(_returned(facts, repair, fixed, rows, name) for name in repair.features)
    found = reproduced(facts, example) if example else tried(facts, remedy)
    return Trial(repair, remedy, found, rows, returned, reproduced=example is not None)


def _returned(facts: Facts, repair: Repair, fixed: RowSample, rows: Bools, name: str) -> bool:
    """Whether a feature, over all rows where the repair applies, came back to the baseline's or near it.

    Near is measured against the part of those rows that the repair changed, and against what chance would show.
    """
    before, during = repair.region.in_scope(facts.before), repair.region.rows(facts.during)
    if not before.any() or not during.any():
        return True
    like = facts.before.features[name][before]
    was, now = (distance(like, one.features[name][during]) for one in (facts.during, fixed))
    chance = CHANCE * float(np.sqrt(1 / before.sum() + 1 / during.sum()))
    return now <= max(APART * float(rows[during].mean()), RETURNED * was, chance)


def _standing(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no better one of the same rows and feature displaces.

    Among those that recover alike the better fit counts; among those that fit alike too, that the true values come
    back, as values drawn from like rows mend any fault of a feature a little.
    """
    rest = sorted((one for one in trials if _recovers(one)), key=lambda one: -one.found.share.value)
    standing: list[Trial] = []
    while rest:
        alike = [
            one
            for one in rest
            if one is rest[0] or (_rivals(one, rest[0]) and rest[0].found.share.value - one.found.share.value <= SAME)
        ]
        fit = max(one.repair.fit for one in alike) - AS_WELL
        best = max(
            (one for one in alike if one.repair.fit >= fit),
            key=lambda one: (not one.repair.donors, one.repair.fit, one.found.share.value),
        )
        standing.append(best)
        rest = [one for one in rest if one is not best and not _rivals(one, best)]
    return standing + [one for one in trials if not _recovers(one)]


def _recovers(one: Trial) -> bool:
    return one.returned and _stands(one)


def _rivals(one: Trial, other: Trial) -> bool:
    """Whether two repairs change the same feature in the same rows."""
    shared = float((one.rows & other.rows).sum())
    return bool(set(one.repair.features) & set(other.repair.features)) and shared > 0.1 * min(
        one.rows.sum(), other.rows.sum()
    )


def _outcome(one: Trial, facts: Facts, *, rival: bool) -> Outcome:
    verdict, result = one.found.verdict, f"{one.repair.statement}; {_told(one, facts.metric.name)}"
    if _stands(one) and not one.returned:
        verdict = "inconclusive"
        result += f"; but undone so, {' and '.join(one.repair.features)} still differs from the baseline"
    elif rival:
        verdict, result = "refuted", f"{result}; but another repair of the same rows fits better or takes back more"
    untried = replace(_untested(one.repair, facts, ""), verdict=verdict, result=result, confidence=CONFIDENCE[verdict])
    return replace(untried, share=one.found.share, remedy=one.remedy)


def _told(one: Trial, metric: str) -> str:
    """What the trial found, in words."""
    if one.reproduced:
        return f"put into the baseline's rows, {says_reproduced(one.found, metric)}"
    if not one.repair.donors:
        return f"undone, {says(one.found, metric)}"
    more = "; as the true values are lost, it may explain more" if _stands(one) else ""
    return f"with values of like rows in their place, {says(one.found, metric)}{more}"


def _stands(one: Trial) -> bool:
    return one.found.verdict in ("confirmed", "supported")


def _untested(repair: Repair, facts: Facts, why: str) -> Outcome:
    return Outcome(
        id=cause_of(repair, facts),
        verdict="not_tested",
        test=NAME,
        result=f"{repair.statement}; not tested, because {why}",
        confidence=_suspicion(repair, facts),
        features=repair.features,
        parameters=_parameters(repair),
        scope=" = ".join(repair.scope) if repair.scope else "",
    )


def _suspicion(repair: Repair, facts: Facts) -> float:
    """How much an untested corruption is to be suspected: more than what nothing speaks for, by fit and by how far.

    A corruption may fit well and have moved its feature by little, and then it can't have harmed much.
    """
    far = [distance(facts.before.features[name], facts.during.features[name]) for name in repair.features]
    return round(CONFIDENCE["not_tested"] + SUSPECTED * repair.fit * max(far, default=0.0), 3)


def _parameters(repair: Repair) -> dict[str, str | float]:
    """What describes the corruption, its times as text; the scope stands apart."""
    told: dict[str, str | float] = {"kind": repair.kind}
    for key, value in repair.parameters.items():
        if key in ("since", "until"):
            told[key] = iso(datetime.fromtimestamp(float(value), UTC))
        elif key not in ("scope_column", "scope_value") and (key, value) != ("offset", 0.0):
            told[{"share": "share_of_rows"}.get(key, key)] = value
    return told
