"""Faults told by the training pipeline's own values: put in place of the served ones, they are the truth itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mortis.causes.facts import Bools, Facts, Outcome, percent, plainly
from mortis.causes.versions import hit_value
from mortis.integrity.kinds.repair import Region, Repair, Undo
from mortis.integrity.skew import differing
from mortis.rows import Column, RowSample

NAME = "look served rows up in the training pipeline's values"
KIND_OF_SKEW: Mapping[str, str] = {
    "null served": "null",
    "constant": "constant",
    "factor": "unit",
    "offset": "unit",
    "affine": "unit",
    "rounded": "rounding",
    "clipped": "clip",
    "renamed": "remap",
    "permuted": "permutation",
}
OTHERWISE = "two paths"
"""The kind of a feature that two code paths compute differently, by no rule that has a name."""


def offline_repairs(facts: Facts) -> Iterator[Repair]:
    """A repair for each feature that departs from the offline values more than in the baseline: these values back."""
    values = facts.offline
    if values is None:
        return
    for one in facts.skews:
        if not one.rose:
            continue
        name = one.feature
        rows = values.found & differing(facts.during.features[name], values.columns[name])
        hit = hit_value(facts.during, rows)
        yield Repair(
            kind=KIND_OF_SKEW.get(one.during.how, OTHERWISE),
            features=(name,),
            parameters=one.during.parameters,
            statement=f"{one.statement}{f' (where {hit[0]} = {hit[1]})' if hit else ''}; offline values put in place",
            fit=1.0,
            region=Region(*hit) if hit else Region(),
            share=float(rows.mean()),
            rows=rows,
            undo=_offline_values(name, facts.during, values.columns[name], rows),
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
