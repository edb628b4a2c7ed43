"""Checks of shares: rows without a value, zeros, one value's share, values never seen before."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mortis.integrity.readings import Reading, Share, percent, share_of, share_reading
from mortis.integrity.windows import Column
from mortis.integrity.yardstick import Usual, distance, share_change, stretches, usual
from mortis.problems import listed
from mortis.profiles import NULL, OTHER, Floats

LEAST_SHARE = 0.005
LEAST_TOP = 0.02


def nulls(column: Column) -> Iterable[Reading]:
    """The share of rows without a value."""
    if NULL not in column.slots:
        return
    null = column.slots.index(NULL)
    share = share_of(column, (null,), tuple(range(len(column.slots))))
    yield share_reading(column, "nulls", share, what="no value", least=LEAST_SHARE)


def zeros(column: Column) -> Iterable[Reading]:
    """The share of zeros among the known values of a number.

    Where the pass did not count zeros, the bucket that begins at 0 stands for them, and the statement says so.
    """
    known = column.named
    if column.kind != "number":
        return
    if column.baseline.zeros is not None and column.incident.zeros is not None:
        parts = [
            np.column_stack([zero, counts.rows[:, list(known)].sum(axis=1) - zero])
            for counts, zero in ((column.baseline, column.baseline.zeros), (column.incident, column.incident.zeros))
        ]
        yield share_reading(column, "zeros", Share(parts[0], parts[1]), what="zero", least=LEAST_SHARE, about="0")
        return
    place = _bucket_from_zero(column)
    if place is not None and len(known) > 1:
        name = column.slots[place] if place else f"0 to {column.slots[0]}"
        share = share_of(column, (place,), known)
        yield share_reading(column, "zeros", share, what=f"values of {name}", least=LEAST_TOP, about=name)


def _bucket_from_zero(column: Column) -> int | None:
    """The bucket whose smallest value is 0; None where no bucket begins there."""
    lowest = min(column.baseline.low.min(initial=np.inf), column.incident.low.min(initial=np.inf))
    if lowest == 0:
        return 0
    return column.edges.index(0.0) + 1 if 0.0 in column.edges else None


def top_value(column: Column) -> Iterable[Reading]:
    """The share of the incident's commonest value (or bucket of values) among the known ones."""
    known = column.named
    rows = column.incident.rows.sum(axis=0)
    if len(known) < 2 or not rows[list(known)].sum():
        return
    top = max(known, key=lambda i: rows[i])
    whole = tuple(i for i, slot in enumerate(column.slots) if slot != NULL)
    name = column.slots[top]
    yield share_reading(
        column,
        "top value",
        share_of(column, (top,), whole),
        what=f"the commonest value, {name}" if column.kind == "category" else f"the commonest values, {name}",
        least=LEAST_TOP,
        looked_at=len(known),
        about=name,
    )


def rare_values(column: Column) -> Iterable[Reading]:
    """The share of `(other)`: of values that are not among the commonest 64 of the log."""
    if OTHER not in column.slots:
        return
    whole = tuple(i for i, slot in enumerate(column.slots) if slot != NULL)
    share = share_of(column, (column.slots.index(OTHER),), whole)
    yield share_reading(column, "rare values", share, what="rare values, each of its own", least=LEAST_TOP, about=OTHER)


def new_values(column: Column) -> Iterable[Reading]:
    """The share of the incident's rows whose value the baseline never had, among the values known by name."""
    if column.kind != "category" or not column.named:
        return
    whole = [i for i, slot in enumerate(column.slots) if slot != NULL]
    named = np.isin(whole, column.named)
    before, after = column.baseline.rows[:, whole], column.incident.rows[:, whole]
    a, b = before.sum(axis=0), after.sum(axis=0)
    if not a.sum() or not b.sum():
        return
    unseen = np.flatnonzero((a == 0) & (b > 0) & named)
    share = float(b[unseen].sum() / b.sum())
    counts = np.array([0.0, a.sum()]), np.array([b[unseen].sum(), b.sum() - b[unseen].sum()])
    names = [column.slots[whole[i]] for i in sorted(unseen, key=lambda i: -b[i])]
    yield Reading(
        feature=column.name,
        check="new values",
        baseline=0.0,
        incident=share,
        effect=share_change(*counts, 1.0),
        rows=(int(a.sum()), int(b.sum())),
        p=_unseen_p(a, b, unseen),
        usual=_unseen_usual(before[:, named], after, before.sum(axis=1)),
        least=LEAST_SHARE,
        strength=float(distance(counts[0][None], counts[1][None])[0]),
        statement=_unseen_words(names, share),
        about=listed(names, most=5),
    )


def _unseen_p(a: Floats, b: Floats, unseen: np.ndarray) -> float:
    """The chance that some value's rows all fell into the incident, for the likeliest proof among the unseen ones."""
    if not len(unseen):
        return 1.0
    part = b.sum() / (a.sum() + b.sum())
    return float(min(1.0, np.count_nonzero(a + b) * part ** b[unseen].max()))


def _unseen_usual(named: Floats, after: Floats, rows: Floats) -> Usual | None:
    inside, rest = stretches(np.column_stack([named, rows]), len(after))
    with np.errstate(invalid="ignore", divide="ignore"):
        return usual((inside[:, :-1] * (rest[:, :-1] == 0)).sum(axis=1) / inside[:, -1])


def _unseen_words(names: list[str], share: float) -> str:
    if not names:
        return "every value was there before"
    return f"values that the baseline never had: {listed(names, most=3)}, in {percent(share)} of rows"
