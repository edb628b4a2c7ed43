"""Rows that stand in the log more than once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mortis.integrity.kinds.coding import null_rows
from mortis.integrity.kinds.judge import Verdict
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.proposal import Proposal, Supposed, Told
from mortis.integrity.kinds.repair import Bools
from mortis.rows import Column, RowSample

LEAST_REPEATED = 0.005


def propose_repeats(pair: Pair) -> Iterator[Proposal]:
    """Rows were logged or joined twice: ids repeat. The fit is the share of exact copies among the repeated rows."""
    again = repeated(pair.incident)
    before, after = float(repeated(pair.before).mean()), float(again.mean())
    if after - before < max(LEAST_REPEATED, before):
        return
    exact = _copies(pair.incident, again)
    told = Told(
        "duplication",
        {"repeated": round(after, 4)},
        "stand in the log again",
        counted=f"{after:.1%}, {before:.1%} before",
    )

    def undo(sample: RowSample) -> RowSample:
        return sample.where(~repeated(sample))

    yield Proposal(Supposed((), (), Verdict(exact * (1 - before / after), after)), told, repeated, undo)


def repeated(sample: RowSample) -> Bools:
    """Which rows (n,) bear an id that a row before them bears.

    Rows without an id count as unique.
    """
    seen: set[str] = set()
    found = np.zeros(len(sample), dtype=np.bool_)
    for place, one in enumerate(sample.ids.tolist()):
        if one is None:
            continue
        found[place] = one in seen
        seen.add(one)
    return found


def _copies(sample: RowSample, again: Bools) -> float:
    """The share of repeated rows whose features are those of the row first seen with the id."""
    first: dict[str, int] = {}
    for place, one in enumerate(sample.ids.tolist()):
        if one is not None:
            first.setdefault(one, place)
    rows = np.flatnonzero(again)
    origin = np.array([first[one] for one in sample.ids[rows].tolist()], dtype=np.int64)
    same = np.ones(len(rows), dtype=np.bool_)
    for column in sample.features.values():
        same &= _alike(column[rows], column[origin])
    return float(same.mean())


def _alike(one: Column, other: Column) -> Bools:
    both = null_rows(one) & null_rows(other)
    return np.asarray((one == other) | both, dtype=np.bool_)
