"""Data faults are decided by undoing them: put the features right, score again, see whether the metric recovers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from mortis.causes.attempts import Trial, standing_trials, try_repair
from mortis.causes.facts import CONFIDENCE, Facts, Outcome, percent, plainly
from mortis.causes.inputs import distance
from mortis.causes.joins import NO_PARTNER, joined
from mortis.causes.meaningless import OTHER_CODES, OTHER_ROWS, meaningless_repairs, why_not_asked
from mortis.causes.offline import ANOTHER_DAY, OTHERWISE, offline_repairs
from mortis.causes.payloads import PAYLOAD, of_one_sender
from mortis.causes.replay import why_not_replayed
from mortis.causes.stale import STILL, stale_repairs
from mortis.causes.trial import says, says_again
from mortis.integrity.kinds.filling import usual
from mortis.records import STANDING, iso
from mortis.rows import is_number

if TYPE_CHECKING:
    from mortis.integrity.kinds.repair import Repair

NAME = "repair and score again"
MEANINGLESS = "labels with and without each feature; what strange values cost, done again in the baseline"
CAUSE_OF_KIND: Mapping[str, str] = {
    "null": "D1",
    "default": "D1",
    "constant": "D1",
    "sentinel": "D2",
    "unit": "D3",
    "sign": "D3",
    "transform": "D3",
    "clip": "S1",
    "rounding": "S1",
    "respelling": "D4",
    "remap": "D4",
    "stale": "D5",
    STILL: "D5",
    "permutation": "D6",
    "reference": "D8",
    "swap": "S2",
    "overwritten": "S2",
    "timezone": "S4",
    OTHERWISE: "S1",
    ANOTHER_DAY: "H4",
    NO_PARTNER: "D6",
    PAYLOAD: "P4",
    OTHER_CODES: "M5",
    OTHER_ROWS: "D6",
}
LOOKED_FOR = ("D1", "D2", "D3", "D4", "D5", "D6", "D8", "S2", "S3", "S4")
ELSEWHERE = ("duplication",)  # repeated rows are decided by the cause of that name, which drops them
SUSPECTED = 0.2  # what an untested corruption that fits and moved its feature altogether adds to its confidence
MOST_OF_FALL = 0.7  # explained, and no feature is looked for that means nothing any more
CENTRE = 0.05  # of a feature's spread: a value so near its mean or median is what is put in for a missing one


def decide_repairs(facts: Facts) -> Iterable[Outcome]:
    """One outcome per corruption that fits; of rivals for the same rows of a feature, one stands.

    Where none fits, the causes that show as a corrupted feature are ruled out.
    """
    if facts.repairs is None:
        return
    alone = _fitting(facts)
    repairs = of_one_sender(alone, facts)
    why = why_not_replayed(facts)
    if why:
        yield from (_untested(one, facts, why) for one in repairs)
    else:
        yield from _tried(facts, repairs)
    looked_at = {cause_of(one, facts) for one in repairs}
    in_a_payload = {cause_of(one, facts) for one in alone} - looked_at
    for id_ in (one for one in LOOKED_FOR if one not in looked_at):
        n = len(facts.before.features)
        result = f"none of the {n} features changed in this way beyond what the baseline does by itself"
        if id_ in in_a_payload:
            result = "no field changed in this way by itself, but several of one sender at once: see P4"
        yield plainly(id_, "refuted", "look for the corruption in every feature", result)


def _fitting(facts: Facts) -> list[Repair]:
    """The corruptions that would explain how features changed, each once: by offline values, by time, by their fit."""
    fitted = {one.statement: one for one in reversed(facts.repairs or ()) if one.kind not in ELSEWHERE}
    known = list(offline_repairs(facts))
    told = {name for one in known for name in one.features}
    still = [one for one in stale_repairs(facts) if not told & set(one.features)]
    return [*known, *still, *joined(list(reversed(fitted.values())), facts)]


def _tried(facts: Facts, repairs: Sequence[Repair]) -> Iterable[Outcome]:
    """Every repair's outcome, and that of a feature that means nothing where none makes up for most of the fall."""
    trials = [try_repair(facts, one) for one in repairs]
    most = max((one.worth for one in trials if one.recovers), default=0.0)
    if most < MOST_OF_FALL:
        trials += [try_repair(facts, one) for one in meaningless_repairs(facts)]
    standing = standing_trials(trials)
    named = {(cause_of(one.repair, facts), one.repair.features) for one in standing if one.recovers}
    for one in trials:
        rival = one not in standing
        # Another parameter of the cause that stands for the feature is not another cause.
        if not rival or (cause_of(one.repair, facts), one.repair.features) not in named:
            yield _outcome(one, facts, rival=rival)
    if not any(one.repair.kind == OTHER_CODES for one in trials):
        yield _parts_fit(facts, most)


def _parts_fit(facts: Facts, most: float) -> Outcome:
    """M5 where no feature was found that means nothing for some items: why none was looked for, or that none does."""
    enough = f"a repair makes up for {percent(most)} of the fall" if most >= MOST_OF_FALL else ""
    why = enough or why_not_asked(facts)
    if why:
        return plainly("M5", "not_tested", MEANINGLESS, f"not tested, because {why}")
    return plainly("M5", "refuted", MEANINGLESS, "labels depend on each feature that the model relies on as they did")


def cause_of(repair: Repair, facts: Facts) -> str:
    """The catalogue's id for a kind of corruption.

    Categories that trade places among known names are S3; whole numbers of what were fractions are D4; one value in
    place of many is D1 where it is a usual one, D2 where it stands for an error.
    """
    if repair.kind == "remap":
        name = repair.features[0]
        known = {value for value in facts.before.features[name].tolist() if value is not None}
        changed = repair.undo(facts.during).features[name] != facts.during.features[name]
        if set(facts.during.features[name][changed].tolist()) - {None} <= known:
            return "S3"
    if repair.kind in ("constant", "sentinel"):
        return _cause_of_value(repair, facts)
    if repair.kind == "rounding" and repair.parameters.get("step") == 1:
        return "D4"
    return CAUSE_OF_KIND.get(repair.kind, "D4")


def _cause_of_value(repair: Repair, facts: Facts) -> str:
    """What one value in place of many stands for.

    Zero for shares is what a whole-number type leaves of them, where a change of the field's type is on record.
    """
    name, value = repair.features[0], repair.parameters.get("value")
    column = facts.before.features[name]
    if value is None:
        return CAUSE_OF_KIND[repair.kind]
    if isinstance(value, str) or not is_number(column):
        return "D1"
    known = np.asarray(column, dtype=float)
    known = known[np.isfinite(known)]
    if not len(known):
        return "D2"
    if value == 0 and (np.abs(known) < 1).all() and not (known == np.round(known)).all() and _retyped(facts, name):
        return "D4"
    near = CENTRE * float(known.std())
    central = min(abs(value - float(known.mean())), abs(value - float(np.median(known)))) <= near
    strange = usual(value) or not known.min() <= value <= known.max()
    return "D2" if strange and not central else "D1"


def _retyped(facts: Facts, name: str) -> bool:
    """Whether a change of schema on record names the feature."""
    changes = [one for one in facts.changes or () if one.kind == "schema"]
    return any(name in one.summary or any(name in part.name for part in one.parts) for one in changes)


def _outcome(one: Trial, facts: Facts, *, rival: bool) -> Outcome:
    verdict, result = one.verdict, f"{one.repair.statement}; {_said(one, facts.metric.name)}"
    if verdict in STANDING and not one.returned:
        verdict = "inconclusive"
        result += f"; but undone so, {' and '.join(one.repair.features)} still differs from the baseline"
    elif verdict in STANDING and one.added:
        verdict = "inconclusive"
        result += "; but other rows come as often as before, and more in all: a population may have grown"
    elif verdict in STANDING and one.shuffled_alike:
        verdict = "inconclusive"
        result += "; but the same values handed out anew among those rows take back about as much"
    elif one.costs_more:
        result += "; that is surely more than what happened"
    elif rival:
        verdict, result = "refuted", f"{result}; but another repair of the same rows fits better or takes back more"
    untried = replace(_untested(one.repair, facts, ""), verdict=verdict, result=result, confidence=CONFIDENCE[verdict])
    return replace(untried, share=one.found.share, remedy=one.remedy)


def _said(one: Trial, metric: str) -> str:
    """What came of the trial: undone, done again where the true values are lost, or with those of like rows."""
    if not one.repair.donors:
        return f"undone, {says(one.found, metric)}"
    if one.repair.reenacted:
        return f"as the true values are lost, done again in the baseline's rows: {says_again(one.found, metric)}"
    told = f"with values of like rows in their place, {says(one.found, metric)}"
    recovers = one.verdict in STANDING
    return told + ("; as the true values are lost, it may explain more" if recovers else "")


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
