"""Features that went missing together, on the same rows: a join found no partner for these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mortis.causes.facts import Bools, Facts
from mortis.causes.replay import nulls, touched
from mortis.integrity.kinds.proposal import filled
from mortis.integrity.kinds.repair import Reenactment, Repair, undone
from mortis.problems import listed
from mortis.rows import RowSample

NO_PARTNER = "no partner"
SAME_ROWS = 0.95  # of the rows where one is null the others are
AS_BEFORE = 0.05


def joined(repairs: Sequence[Repair], facts: Facts) -> list[Repair]:
    """The repairs, those of nulls that strike the same rows made one."""
    missing = {one.features: one for one in reversed(repairs) if one.kind == "null"}
    if not missing:
        return list(repairs)
    # The one that hardly ever was null before tells best which rows found no partner.
    first = min(missing.values(), key=lambda one: float(_null_rows(one, facts.before).mean()))
    parts = [one for one in missing.values() if one is not first and _goes_with(one, first, facts)]
    if not parts:
        return list(repairs)
    parts = [first, *parts]
    names = {one.features for one in parts}
    rest = [one for one in repairs if not (one.kind == "null" and one.features in names)]
    return [_as_one(parts), *rest]


def _null_rows(repair: Repair, sample: RowSample) -> Bools:
    return nulls(sample.features[repair.features[0]])


def _goes_with(one: Repair, first: Repair, facts: Facts) -> bool:
    """Whether a feature is null wherever the first is, and elsewhere no more than it was before."""
    there, rows = _null_rows(first, facts.during), _null_rows(one, facts.during)
    if there.all() or not there.any():
        return bool(rows.all() and there.any())
    usual = float(_null_rows(one, facts.before).mean())
    return bool(rows[there].mean() >= SAME_ROWS and rows[~there].mean() <= usual + AS_BEFORE)


def _as_one(parts: Sequence[Repair]) -> Repair:
    """One repair of all parts: what each puts back, and all made null on the rows where the first was."""
    first, names = parts[0], tuple(sorted(one.features[0] for one in parts))
    statement = f"{listed(names)} are null together, on the same rows{first.region.text()}"
    return replace(
        first,
        kind=NO_PARTNER,
        features=names,
        statement=statement,
        fit=min(one.fit for one in parts),
        undo=undone(parts),
        reenacted=_all_null(first.reenacted, names) if first.reenacted else None,
    )


def _all_null(one: Reenactment, names: Sequence[str]) -> Reenactment:
    rows, struck = touched(one.usual, one.struck), one.usual
    for name in names:
        struck = struck.with_feature(name, filled(one.usual.features[name], None, rows))
    return Reenactment(one.usual, struck)
