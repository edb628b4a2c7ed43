"""Several fields of one sender's requests that have another form at once: its payload changed, not each field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mortis.causes.facts import Bools, Facts
from mortis.causes.record import on_record
from mortis.integrity.kinds.repair import VERSION, Region, Repair, undone
from mortis.problems import listed

PAYLOAD = "payload"
RELEASE = "release"
"""The parameter of a payload that names the release on record which brought it."""
FORMS = frozenset({"unit", "sign", "transform", "respelling"})
"""The same value written otherwise, as a client may write it."""
WELL, MOSTLY = 0.6, 0.5  # of a field's change, and of the sender's rows: that several fields say the same adds to it
NEAR = 0.05  # within which factors are one: a sender scales all of its numbers alike
MOST_SAID = 4
SHORTEST = 3  # letters of a name that is looked for in prose
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
    """The repairs, with those of one payload made one: two fields or more in another form for one value of a column.

    One field alone may be anybody's doing and stays what it is.
    """
    found = list(repairs)
    for scope, parts in _by_sender(repairs).items():
        if len(parts) > 1:
            names = {one.features for one in parts}
            merged = [one for one in found if one.scope == scope and one.features in names and one.kind in FORMS]
            found = [_as_one(parts, scope, facts), *(one for one in found if one not in merged)]
    return found


def _by_sender(repairs: Iterable[Repair]) -> Mapping[tuple[str, str], list[Repair]]:
    """For each value whose rows mostly have fields in another form, the repair of each field that fits best."""
    found: dict[tuple[str, str], dict[tuple[str, ...], Repair]] = {}
    for one in sorted(repairs, key=lambda one: -one.fit):
        well = one.kind in FORMS and one.fit >= WELL and one.share >= MOSTLY
        if well and one.scope and one.scope[0] != VERSION and not names_machines(one.scope[0]):
            found.setdefault(one.scope, {}).setdefault(one.features, one)
    return {scope: list(parts.values()) for scope, parts in found.items()}


def _release(scope: tuple[str, str], facts: Facts) -> str:
    """The release of the sender that is on record about the onset; empty where there is none."""
    column, sender = scope
    word = re.compile(rf"(?<!\w){re.escape(sender)}(?!\w)")
    for one in on_record(facts, "product", "deploy"):
        if one.scope.get(column) == sender or (len(sender) >= SHORTEST and word.search(one.summary)):
            return one.id
    return ""


def _as_one(by_fit: Sequence[Repair], scope: tuple[str, str], facts: Facts) -> Repair:
    """One repair of all parts, in the order of their names."""
    parts = sorted(by_fit, key=lambda one: one.features)
    since = [one.region.since for one in parts]
    region = Region(*scope, None if None in since else min(one for one in since if one is not None))
    release = _release(scope, facts)
    whose = f"by a release on record ({release})" if release else "by its sender, or by what feeds these fields"
    said = listed((f"{', '.join(one.features)} ({one.kind})" for one in parts), most=MOST_SAID)
    return replace(
        by_fit[0],
        kind=PAYLOAD,
        features=tuple(name for one in parts for name in one.features),
        parameters={"caller": scope[1], **_factor(by_fit), **({RELEASE: release} if release else {})},
        statement=f"several fields have another form at once{region.text()}, {whose}: {said}",
        fit=min(one.fit for one in parts),
        region=region,
        share=min(one.share for one in parts),
        rows=_rows(parts),
        undo=undone(parts),
        reenacted=None,
    )


def _factor(by_fit: Sequence[Repair]) -> dict[str, float]:
    """The factor of all numbers, where they have about the same."""
    factors = [float(one.parameters["factor"]) for one in by_fit if "factor" in one.parameters]
    alike = bool(factors) and all(abs(one - factors[0]) <= NEAR * abs(factors[0]) for one in factors)
    return {"factor": factors[0]} if alike else {}


def _rows(parts: Sequence[Repair]) -> Bools | None:
    marked = [one.rows for one in parts if one.rows is not None]
    return np.logical_or.reduce(marked) if len(marked) == len(parts) else None
