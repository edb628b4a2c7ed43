"""Several fields of one sender's requests that have another form at once: its payload changed, not each field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mortis.causes.facts import Facts
from mortis.causes.record import on_record
from mortis.integrity.kinds.repair import VERSION, Region, Repair
from mortis.problems import listed
from mortis.rows import RowSample

PAYLOAD = "payload"
FORMS = frozenset({"unit", "sign", "transform", "respelling"})
"""The same value written otherwise, as a client may write it."""
SURELY = 0.9  # of a field's change explained, where it is the only one
WELL, MOSTLY = 0.6, 0.5  # of its change, and of the sender's rows, where several fields say the same
NEAR = 0.05  # within which factors are one: a sender scales all of its numbers alike
MOST_SAID = 4
_PARTLY = ", in about"  # how a statement goes on where a part of the rows was struck
MACHINES = frozenset(
    {"replica", "host", "hostname", "node", "machine", "instance", "server", "pod", "worker", "hardware", "gpu"}
)


def names_machines(column: str) -> bool:
    """Whether a column tells which machine served a row.

    >>> names_machines("serving_replica"), names_machines("client")
    (True, False)
    """
    return bool(set(re.split(r"[\W_]+", column.casefold())) & MACHINES)


def of_one_sender(repairs: Sequence[Repair], facts: Facts) -> list[Repair]:
    """The repairs, those of one payload made one.

    That are two fields or more which have another form for one value of a column at once, or one field, where a
    release on record names that value.
    """
    found = list(repairs)
    for scope, parts in _by_sender(repairs).items():
        if len(parts) > 1 or (parts[0].fit >= SURELY and _released(scope[1], facts)):
            names = {one.features for one in parts}
            found = [one for one in found if not (one.scope == scope and one.features in names)]
            found.insert(0, _as_one(parts, scope))
    return found


def _by_sender(repairs: Iterable[Repair]) -> Mapping[tuple[str, str], list[Repair]]:
    """For each value whose rows mostly have fields in another form, the repair of each field that fits best."""
    found: dict[tuple[str, str], dict[tuple[str, ...], Repair]] = {}
    for one in sorted(repairs, key=lambda one: -one.fit):
        well = one.kind in FORMS and one.fit >= WELL and one.share >= MOSTLY
        if well and one.scope and one.scope[0] != VERSION and not names_machines(one.scope[0]):
            found.setdefault(one.scope, {}).setdefault(one.features, one)
    return {scope: list(parts.values()) for scope, parts in found.items()}


def _released(sender: str, facts: Facts) -> bool:
    words = re.compile(rf"(?<!\w){re.escape(sender)}(?!\w)", re.IGNORECASE)
    record = on_record(facts, "product", "deploy")
    return any(words.search(one.summary) or sender in one.scope.values() for one in record)


def _as_one(parts: Sequence[Repair], scope: tuple[str, str]) -> Repair:
    """One repair of all parts, in the order of their names."""
    by_fit, parts = parts, sorted(parts, key=lambda one: one.features)
    since = [one.region.since for one in parts]
    first = max(parts, key=lambda one: one.share)
    region = Region(*scope, None if None in since else min(one for one in since if one is not None))

    def undo(sample: RowSample) -> RowSample:
        for one in parts:
            sample = one.undo(sample)
        return sample

    said = listed((one.statement.split(_PARTLY)[0].replace(one.region.text(), "") for one in parts), most=MOST_SAID)
    factors = [float(one.parameters["factor"]) for one in by_fit if "factor" in one.parameters]
    alike = bool(factors) and all(abs(one - factors[0]) <= NEAR * abs(factors[0]) for one in factors)
    return replace(
        first,
        kind=PAYLOAD,
        features=tuple(name for one in parts for name in one.features),
        parameters={"caller": scope[1], **({"factor": factors[0]} if alike else {})},
        statement=f"the payload has another form{region.text()}: {said}",
        fit=min(one.fit for one in parts),
        region=region,
        undo=undo,
        reenacted=None,
    )
