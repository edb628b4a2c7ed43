"""Features that went missing together, on the same rows: a join found no partner for these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mortis.causes.facts import Bools, Facts
from mortis.causes.replay import nulls, touched
from mortis.integrity.kinds.proposal import filled
from mortis.integrity.kinds.repair import Reenactment, Repair
from mortis.problems import listed
from mortis.rows import RowSample

NO_PARTNER = "no partner"
SAME_ROWS = 0.8  # of the rows in which either is null: in so many both are


def joined(repairs: Sequence[Repair], facts: Facts) -> list[Repair]:
    """The repairs, those of nulls that strike the same rows made one."""
    missing = {one.features: one for one in reversed(repairs) if one.kind == "null"}
    first = max(missing.values(), key=lambda one: one.share * one.fit, default=None)
    if first is None:
        return list(repairs)
    rows = _null_rows(first, facts.during)
    parts = [one for one in missing.values() if one is not first and _same(rows, _null_rows(one, facts.during))]
    if not parts:
        return list(repairs)
    parts = [first, *parts]
    names = {one.features for one in parts}
    rest = [one for one in repairs if not (one.kind == "null" and one.features in names)]
    return [_as_one(parts), *rest]


def _null_rows(repair: Repair, sample: RowSample) -> Bools:
    return nulls(sample.features[repair.features[0]])


def _same(one: Bools, other: Bools) -> bool:
    either = int((one | other).sum())
    return bool(either) and int((one & other).sum()) >= SAME_ROWS * either


def _as_one(parts: Sequence[Repair]) -> Repair:
    """One repair of all parts: what each puts back, and all made null on the rows where the first was."""
    first, names = parts[0], tuple(sorted(one.features[0] for one in parts))

    def undo(sample: RowSample) -> RowSample:
        for one in parts:
            sample = one.undo(sample)
        return sample

    statement = f"{listed(names)} are null together, on the same rows{first.region.text()}"
    return replace(
        first,
        kind=NO_PARTNER,
        features=names,
        statement=statement,
        fit=min(one.fit for one in parts),
        undo=undo,
        reenacted=_all_null(first.reenacted, names) if first.reenacted else None,
    )


def _all_null(one: Reenactment, names: Sequence[str]) -> Reenactment:
    rows, struck = touched(one.usual, one.struck), one.usual
    for name in names:
        struck = struck.with_feature(name, np.asarray(filled(one.usual.features[name], None, rows)))
    return Reenactment(one.usual, struck)
