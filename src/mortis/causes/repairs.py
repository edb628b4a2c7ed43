"""Data faults are decided by undoing them: put the features right, score again, see whether the metric recovers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, Remedy, plainly
from mortis.causes.inputs import APART, distance
from mortis.causes.joins import NO_PARTNER, joined
from mortis.causes.meaningless import OTHER_CODES, OTHER_ROWS, meaningless_repairs
from mortis.causes.offline import ANOTHER_DAY, OTHERWISE, offline_repairs
from mortis.causes.payloads import PAYLOAD, of_one_sender
from mortis.causes.replay import touched, why_not_replayed
from mortis.causes.scoring import Recovery
from mortis.causes.stale import STILL, stale_repairs
from mortis.causes.trial import done_again, says, says_again, tried
from mortis.integrity.kinds.filling import usual
from mortis.integrity.kinds.judge import ALL_STRUCK
from mortis.records import STANDING, CauseVerdict, iso
from mortis.rows import RowSample, is_number

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
LOOKED_FOR = ("D1", "D2", "D3", "D4", "D8", "S2", "S3", "S4")
TOLD_BY_LABELS = (OTHER_CODES, OTHER_ROWS)  # a world in which a feature matters no more would look the same
ELSEWHERE = ("duplication",)  # repeated rows are decided by the cause of that name, which drops them
SUSPECTED = 0.2  # what an untested corruption that fits and moved its feature altogether adds to its confidence
SAME = 0.1  # a share of the fall within which two repairs recover alike, so that the better fit decides
AS_WELL = 0.05  # within which two repairs fit alike, so that the one which knows the true values stands
RETURNED = 0.5  # of the way back: at least so far must a repair carry a feature that lies apart from the baseline's
BEYOND_DOUBT = 0.9  # of a feature's change explained, and the corruption itself needs no further proof
MOST = 0.7  # of the fall explained, and no feature is looked for that means nothing any more
AS_MUCH = 0.8  # of what a repair recovers
SOMETHING = 0.02  # of the fall: less has no consequence
GROWN = 1.2  # times as many rows as before, at least, where a population grew
ADDED_WITHIN = 0.75  # times as many other rows as before, at least, where none was changed
CENTRE = 0.05  # of a feature's spread: a value so near its mean or median is what is put in for a missing one
CHANCE = 1.36  # Kolmogorov's distance that one in twenty pairs of samples exceeds, times the root of their size


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A repair that was tried: what it takes back, which rows it changes, and whether its feature came back by it.

    `added` tells that rows with the value came on top of the others, which are as many as before: none was changed.
    `anyones` tells that the values put right do no better than the same ones handed out anew among the rows.
    """

    repair: Repair
    remedy: Remedy
    found: Recovery
    rows: Bools
    returned: bool
    added: bool = False
    anyones: bool = False


def decide_repairs(facts: Facts) -> Iterable[Outcome]:
    """One outcome per corruption that fits; of rivals for the same rows of a feature, one stands.

    Where none fits, the causes that show as a corrupted feature are ruled out.
    """
    if facts.repairs is None:
        return
    fitted = {one.statement: one for one in reversed(facts.repairs) if one.kind not in ELSEWHERE}
    known = list(offline_repairs(facts))
    told = {name for one in known for name in one.features}
    still = [one for one in stale_repairs(facts) if not told & set(one.features)]
    repairs = [*known, *still, *of_one_sender(joined(list(reversed(fitted.values())), facts), facts)]
    why = why_not_replayed(facts)
    if why:
        yield from (_untested(one, facts, why) for one in repairs)
    else:
        trials = [_try(facts, one) for one in repairs]
        if not any(_recovers(one) and _worth(one) >= MOST for one in trials):
            trials += [_try(facts, one) for one in meaningless_repairs(facts)]
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


def _try(facts: Facts, repair: Repair) -> Trial:
    fixed = repair.undo(facts.during)
    exact = not repair.donors and repair.share >= ALL_STRUCK
    remedy = Remedy(undo=repair.undo, exact=exact, again=repair.reenacted)
    rows = touched(facts.during, fixed)
    if repair.donors and not rows.any():
        rows = repair.region.rows(facts.during)  # what can't be put back may be wrong in any of them
    again = repair.reenacted if repair.donors else None
    if again or (repair.share < ALL_STRUCK and not repair.donors):
        # What was not undone, or in rows that were guessed, can't bring the feature back: how well the fault explains
        # its change is known as a whole.
        returned = repair.kind == STILL or repair.fit >= RETURNED
    else:
        returned = all(_returned(facts, repair, fixed, rows, name) for name in repair.features)
    found = done_again(facts, again) if again else tried(facts, remedy)
    anyones = not again and repair.fit < BEYOND_DOUBT and _anyones(facts, repair, fixed, rows, found)
    return Trial(repair, remedy, found, rows, returned, _added(facts, repair), anyones)


def _anyones(facts: Facts, repair: Repair, fixed: RowSample, rows: Bools, found: Recovery) -> bool:
    """Whether a repair that fits so-so recovers as much with its values handed out anew among the rows that it changes.

    Then they are not known to be the true ones: any usual value would do.
    """
    if found.verdict not in STANDING:
        return False
    order, places = facts.rng(), np.flatnonzero(rows)
    shuffled = fixed
    for name in repair.features:
        column = fixed.features[name].copy()
        column[places] = column[order.permutation(places)]
        shuffled = shuffled.with_feature(name, column)
    by_lot = tried(facts, Remedy(undo=lambda _: shuffled))
    return by_lot.share.value >= AS_MUCH * found.share.value


def _added(facts: Facts, repair: Repair) -> bool:
    """Whether the rows thought struck came on top of the others: these as often as before, and more rows in all.

    Where values were put in place of others, there are fewer of these.
    """
    samples, region = (facts.before, facts.during), repair.region
    if any(len(sample) < 2 or np.ptp(sample.second) == 0 for sample in samples):
        return False
    if repair.kind in ("constant", "sentinel") and "value" in repair.parameters:
        name, value = repair.features[0], repair.parameters["value"]
        rates = [_rate(sample, np.ones(len(sample), dtype=bool)) for sample in samples]
        others = [_rate(sample, np.asarray(sample.features[name] != value)) for sample in samples]
    elif repair.kind == "permutation" and repair.share < ALL_STRUCK:
        rates = [_rate(sample, region.in_scope(sample)) for sample in samples]
        others = [rates[0], rates[1] * (1 - repair.share)]
    else:
        return False
    as_often = ADDED_WITHIN * others[0] <= others[1] <= others[0] / ADDED_WITHIN
    return as_often and rates[1] >= GROWN * rates[0]


def _rate(sample: RowSample, rows: Bools) -> float:
    """How many of the window's rows are like the marked ones, per second."""
    return sample.rows * float(rows.mean()) / float(np.ptp(sample.second))


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
    rest = sorted((one for one in trials if _recovers(one)), key=lambda one: -_worth(one))
    standing: list[Trial] = []
    while rest:
        alike = [
            one for one in rest if one is rest[0] or (_rivals(one, rest[0]) and _worth(rest[0]) - _worth(one) <= SAME)
        ]
        fit = max(one.repair.fit for one in alike) - AS_WELL
        best = max(
            (one for one in alike if one.repair.fit >= fit),
            key=lambda one: (not one.repair.donors, one.repair.fit, _worth(one)),
        )
        standing.append(best)
        rest = [one for one in rest if one is not best and not _rivals(one, best)]
    return standing + [one for one in trials if not _recovers(one)]


def _worth(one: Trial) -> float:
    """What a trial explains, at most all; one that can only be done again does so as far as it fits.

    What destroys more than the fault did always makes up for the whole fall.
    """
    share = min(one.found.share.value, 1.0)
    return share * one.repair.fit if one.repair.donors else share


def _recovers(one: Trial) -> bool:
    return one.returned and not one.added and not one.anyones and _verdict(one) in STANDING


def _verdict(one: Trial) -> CauseVerdict:
    """What the trial says; a corruption that is there beyond doubt needs less than one that was only inferred.

    It is supported where it takes back little, but surely something. At most so is what labels alone tell.
    """
    verdict, share = one.found.verdict, one.found.share
    if one.repair.kind in TOLD_BY_LABELS and verdict == "confirmed":
        return "supported"
    if one.repair.fit < BEYOND_DOUBT or verdict in STANDING:
        return verdict
    return "supported" if share.low >= SOMETHING else verdict


def _rivals(one: Trial, other: Trial) -> bool:
    """Whether two repairs change the same feature in the same rows."""
    shared = float((one.rows & other.rows).sum())
    return bool(set(one.repair.features) & set(other.repair.features)) and shared > 0.1 * min(
        one.rows.sum(), other.rows.sum()
    )


def _outcome(one: Trial, facts: Facts, *, rival: bool) -> Outcome:
    verdict, result = _verdict(one), f"{one.repair.statement}; {_said(one, facts.metric.name)}"
    if verdict in STANDING and not one.returned:
        verdict = "inconclusive"
        result += f"; but undone so, {' and '.join(one.repair.features)} still differs from the baseline"
    elif verdict in STANDING and one.added:
        verdict = "inconclusive"
        result += "; but other rows come as often as before, and more in all: a population may have grown"
    elif verdict in STANDING and one.anyones:
        verdict = "inconclusive"
        result += "; but the same values handed out anew among those rows take back about as much"
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
    recovers = _verdict(one) in STANDING
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
