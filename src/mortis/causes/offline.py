"""Faults told by the training pipeline's own values: put in place of the served ones, they are the truth itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mortis.causes.earlier import Earlier, earlier_values, follows_truth, values_known
from mortis.causes.facts import Bools, Facts, Outcome, percent, plainly
from mortis.causes.versions import hit_value
from mortis.integrity.kinds.repair import Region, Repair, Undo
from mortis.integrity.skew import EXPLAINED, differing
from mortis.problems import listed
from mortis.rows import Column, OfflineRows, RowSample

if TYPE_CHECKING:
    from mortis.integrity.skew import Parity

NAME = "look served rows up in the training pipeline's values"
KIND_OF_SKEW: Mapping[str, str] = {
    "null served": "null",
    "constant": "constant",
    "factor": "unit",
    "offset": "unit",
    "affine": "unit",
    "renamed": "remap",
    "permuted": "permutation",
}
OTHERWISE = "two paths"
"""The kind of a feature that two code paths compute differently: by a rule of the code's own, or by none."""
NAMED_PATHS = ("rounded", "stepped", "clipped")
ANOTHER_DAY = "another day"
"""The kind of features that a job made of another day's inputs."""
FEWEST_ROWS = 20


def offline_repairs(facts: Facts) -> Iterator[Repair]:
    """A repair for each feature that departs from the offline values more than in the baseline: these values back.

    Features that a job serves together, all of them those of an earlier day, are one repair.
    """
    values = facts.offline
    if values is None:
        return
    rose = [one for one in facts.skews if one.rose]
    together = _of_one_job(facts, values, [one for one in rose if not _has_a_rule(one)])
    if together is not None:
        yield together
    for one in rose:
        if together is None or one.feature not in together.features:
            yield _repair(facts, values, one)


def _has_a_rule(one: Parity) -> bool:
    return one.during.how in KIND_OF_SKEW and one.during.explained >= EXPLAINED


def _repair(facts: Facts, values: OfflineRows, one: Parity) -> Repair:
    name = one.feature
    rows = values.found & differing(facts.during.features[name], values.columns[name])
    kind, parameters = KIND_OF_SKEW.get(one.during.how, OTHERWISE), one.during.parameters
    statement = one.statement
    if kind == OTHERWISE and one.during.how not in NAMED_PATHS:
        earlier = earlier_values(facts, values, (name,), rows)
        if _another_moments(facts, values, name, rows, earlier):
            kind, parameters = "stale", {}
            statement += f"; {percent(earlier.found)} of them hold a value that an earlier row had"
    return _put_back(facts, values, (name,), rows, kind=kind, parameters=parameters, statement=statement)


def _another_moments(facts: Facts, values: OfflineRows, name: str, rows: Bools, earlier: Earlier) -> bool:
    """Whether a feature's values are those of another moment, and not worked out otherwise from its own."""
    served, true = facts.during.features[name][rows], values.columns[name][rows]
    return earlier.surely or (values_known(facts, name, rows) and not follows_truth(served, true))


def _of_one_job(facts: Facts, values: OfflineRows, rose: Sequence[Parity]) -> Repair | None:
    """One repair for features that together are those of an earlier row; None where there are none such."""
    names = tuple(one.feature for one in rose)
    if len(names) < 2:
        return None
    rows = values.found & np.all([differing(facts.during.features[n], values.columns[n]) for n in names], axis=0)
    if rows.sum() < FEWEST_ROWS:
        return None
    earlier = earlier_values(facts, values, names, rows)
    if not earlier.surely:
        return None
    any_ = values.found & np.any([differing(facts.during.features[n], values.columns[n]) for n in names], axis=0)
    return _put_back(
        facts,
        values,
        names,
        any_,
        kind=ANOTHER_DAY,
        parameters={"days": float(earlier.days)},
        statement=f"{listed(names)} are together those of an earlier row in {percent(earlier.found)} of the rows "
        f"where all of them differ, mostly {earlier.days} days before",
    )


def _put_back(
    facts: Facts,
    values: OfflineRows,
    names: tuple[str, ...],
    rows: Bools,
    *,
    kind: str,
    parameters: Mapping[str, str | float],
    statement: str,
) -> Repair:
    """What puts the offline values of some features in place of those served."""
    hit = hit_value(facts.during, rows)

    def undo(sample: RowSample) -> RowSample:
        for name in names:
            sample = _offline_values(name, facts.during, values.columns[name], rows)(sample)
        return sample

    return Repair(
        kind=kind,
        features=names,
        parameters=parameters,
        statement=f"{statement}{f' (where {hit[0]} = {hit[1]})' if hit else ''}; offline values put in place",
        fit=1.0,
        region=Region(*hit) if hit else Region(),
        share=float(rows.mean()),
        rows=rows,
        undo=undo,
    )


def _offline_values(name: str, sample: RowSample, column: Column, rows: Bools) -> Undo:
    """What puts the offline values in place of those served, in any of the sample's rows, told by their ids."""
    known = dict(zip(sample.ids[rows].tolist(), column[rows].tolist(), strict=True))

    def undo(other: RowSample) -> RowSample:
        served = other.features[name]
        put = served.copy()
        put[:] = [known.get(key, own) for key, own in zip(other.ids.tolist(), served.tolist(), strict=True)]
        return other.with_feature(name, put)

    return undo


def decide_two_paths(facts: Facts) -> Iterable[Outcome]:
    """S1, where no feature departs from the offline values by more than before: then skew didn't bring the failure.

    What does depart is decided as the fault that it is, by putting the offline values in place.
    """
    if facts.offline is None:
        return
    found = int(facts.offline.found.sum())
    if not found or not facts.skews:
        reason = "none of the sampled rows, or of their features, is in the offline features"
        yield plainly("S1", "not_tested", NAME, f"not tested, because {reason}")
        return
    if any(one.rose and one.during.how not in KIND_OF_SKEW for one in facts.skews):
        return
    steady = [one for one in facts.skews if one.differs and not one.rose]
    told = f"{found:,} served rows were looked up; "
    if steady:
        most = steady[0]
        told += (
            f"{', '.join(one.feature for one in steady[:5])} departs from the offline values "
            f"({percent(most.during.mismatch.value, 1)} of rows), but no more than in the baseline"
        )
    else:
        told += "no feature departs from the offline values by a rule without a name"
    yield plainly("S1", "refuted", NAME, told)
