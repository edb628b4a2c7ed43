"""A repair tried: undone, or done again in the baseline, and held against other repairs of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import Bools, Facts, Remedy, per_second
from mortis.causes.inputs import APART, distance
from mortis.causes.meaningless import OTHER_CODES, OTHER_ROWS
from mortis.causes.payloads import PAYLOAD, RELEASE
from mortis.causes.replay import touched
from mortis.causes.scoring import Recovery
from mortis.causes.trial import done_again, tried
from mortis.integrity.kinds.judge import ALL_STRUCK
from mortis.integrity.kinds.repair import Repair, Undo
from mortis.records import STANDING, CauseVerdict
from mortis.rows import RowSample

TOLD_BY_LABELS = (OTHER_CODES, OTHER_ROWS)  # a world in which a feature matters no more would look the same
SAME = 0.1  # a share of the fall within which two repairs recover alike, so that the better fit decides
AS_WELL = 0.05  # within which two repairs fit alike, so that the one which knows the true values stands
RETURNED = 0.5  # of the way back: at least so far must a repair carry a feature that lies apart from the baseline's
BEYOND_DOUBT = 0.9  # of a feature's change explained, and the corruption itself needs no further proof
SO_SO = 0.8  # of a feature's change explained: less, and any map to usual values may do as well
SHUFFLED_ALIKE = 0.8  # of what a repair recovers
FAR_MORE = 1.25  # of the fall
SOMETHING = 0.02  # of the fall: less has no consequence
GROWN = 1.2  # times as many rows as before, at least, where a population grew
ADDED_WITHIN = 0.75  # times as many other rows as before, at least, where none was changed
CHANCE = 1.36  # Kolmogorov's distance that one in twenty pairs of samples exceeds, times the root of their size


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A repair that was tried: what it takes back, which rows it changes, and whether its feature came back by it.

    `added` tells that rows with the value came on top of the others, which are as many as before: none was changed.
    `shuffled_alike` tells that the values put right do no better than the same ones handed out anew among the rows.
    """

    repair: Repair
    remedy: Remedy
    found: Recovery
    rows: Bools
    returned: bool
    added: bool = False
    shuffled_alike: bool = False

    @property
    def verdict(self) -> CauseVerdict:
        """What the trial says; a corruption that is there beyond doubt needs less than one that was only inferred.

        It is supported where it takes back little, but surely something. At most so is what labels alone tell, and a
        sender's payload without a release on record.
        """
        verdict, share, kind = self.found.verdict, self.found.share, self.repair.kind
        if self.costs_more:
            return "inconclusive"
        at_most = kind in TOLD_BY_LABELS or (kind == PAYLOAD and RELEASE not in self.repair.parameters)
        if at_most and verdict == "confirmed":
            return "supported"
        if self.repair.fit < BEYOND_DOUBT or verdict in STANDING:
            return verdict
        return "supported" if share.low >= SOMETHING else verdict

    @property
    def costs_more(self) -> bool:
        """Whether the fault, done again, costs surely far more than what happened, and so is not what happened.

        Of what has other codes no part of the rows is known that was struck.
        """
        most = {OTHER_ROWS: 1.0, OTHER_CODES: np.inf}.get(self.repair.kind, FAR_MORE)
        return self.repair.donors and self.found.share.low > most

    @property
    def recovers(self) -> bool:
        """Whether the repair stands by itself, whatever others do."""
        return self.returned and not self.added and not self.shuffled_alike and self.verdict in STANDING

    @property
    def worth(self) -> float:
        """What the trial explains, at most all; one that can only be done again does so as far as it fits.

        What destroys more than the fault did always makes up for the whole fall.
        """
        share = min(self.found.share.value, 1.0)
        return share * self.repair.fit if self.repair.donors else share


def try_repair(facts: Facts, repair: Repair) -> Trial:
    """What came of a repair: undone in the incident's rows, or done to the baseline's where true values are lost."""
    fixed = repair.undo(facts.during)
    exact = not repair.donors and repair.share >= ALL_STRUCK
    rows = touched(facts.during, fixed)
    undo: Undo | None = repair.undo
    if repair.donors and not rows.any():
        # What can't be put back may be wrong in any of them.
        rows, undo = repair.region.rows(facts.during), None
    remedy = Remedy(undo=undo, exact=exact, again=repair.reenacted)
    again = repair.reenacted if repair.donors else None
    if again or (repair.share < ALL_STRUCK and not repair.donors):
        # What was not undone, or in rows that were guessed, can't bring the feature back: how well the fault explains
        # its change is known as a whole.
        returned = repair.fit >= RETURNED
    else:
        returned = all(_returned(facts, repair, fixed, rows, name) for name in repair.features)
    found = done_again(facts, again) if again else tried(facts, remedy)
    shuffled_alike = not again and repair.fit < SO_SO and _does_shuffled(facts, repair, fixed, rows, found)
    return Trial(repair, remedy, found, rows, returned, _added(facts, repair), shuffled_alike)


def _does_shuffled(facts: Facts, repair: Repair, fixed: RowSample, rows: Bools, found: Recovery) -> bool:
    """Whether a repair that fits so-so recovers as much with its values handed out anew among the rows that it changes.

    Then they are not known to be the true ones: any usual value would do.
    """
    if found.verdict not in STANDING:
        return False
    rng, places = facts.rng(), np.flatnonzero(rows)
    shuffled = fixed  # of the incident's rows alone: it is tried by itself
    for name in repair.features:
        column = fixed.features[name].copy()
        column[places] = column[rng.permutation(places)]
        shuffled = shuffled.with_feature(name, column)
    by_lot = tried(facts, Remedy(undo=lambda _: shuffled))
    return by_lot.share.value >= SHUFFLED_ALIKE * found.share.value


def _added(facts: Facts, repair: Repair) -> bool:
    """Whether the rows thought struck came on top of the others: these as often as before, and more rows in all.

    Where values were put in place of others, there are fewer of these.
    """
    samples, region = (facts.before, facts.during), repair.region
    if repair.kind in ("constant", "sentinel") and "value" in repair.parameters:
        name, value = repair.features[0], repair.parameters["value"]
        rates = [per_second(sample, np.ones(len(sample), dtype=bool)) for sample in samples]
        others = [per_second(sample, np.asarray(sample.features[name] != value)) for sample in samples]
    elif repair.kind == "permutation" and repair.share < ALL_STRUCK:
        rates = [per_second(sample, region.in_scope(sample)) for sample in samples]
        others = [rates[0], rates[1] * (1 - repair.share)]
    else:
        return False
    as_often = ADDED_WITHIN * others[0] <= others[1] <= others[0] / ADDED_WITHIN
    return as_often and rates[1] >= GROWN * rates[0]


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


def standing_trials(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no better one of the same rows and feature displaces.

    Among those that recover alike the better fit counts; among those that fit alike too, that the true values come
    back, as values drawn from like rows mend any fault of a feature a little.
    """
    rest = sorted((one for one in trials if one.recovers), key=lambda one: -one.worth)
    standing: list[Trial] = []
    while rest:
        alike = [one for one in rest if one is rest[0] or (_rivals(one, rest[0]) and rest[0].worth - one.worth <= SAME)]
        fit = max(one.repair.fit for one in alike) - AS_WELL
        best = max(
            (one for one in alike if one.repair.fit >= fit),
            key=lambda one: (not one.repair.donors, one.repair.fit, one.worth),
        )
        standing.append(best)
        rest = [one for one in rest if one is not best and not _rivals(one, best)]
    return standing + [one for one in trials if not one.recovers]


def _rivals(one: Trial, other: Trial) -> bool:
    """Whether two repairs change the same feature in the same rows."""
    shared = float((one.rows & other.rows).sum())
    return bool(set(one.repair.features) & set(other.repair.features)) and shared > 0.1 * min(
        one.rows.sum(), other.rows.sum()
    )
