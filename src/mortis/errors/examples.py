"""Rows to look at: sampled errors of a slice, each with the nearest row of the slice that was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.engine.dataset import Condition
from mortis.records import Example

Row = Mapping[str, Any]
MOST_EXAMPLES = 4
MOST_COLUMNS = 14
MASK = "(masked)"


def pick_examples(
    rows: Sequence[Row], conditions: Sequence[Condition], features: Sequence[str], *, sensitive: Sequence[str] = ()
) -> tuple[Example, ...]:
    """Up to four wrong rows of the slice, each followed by its nearest right row; fewer where the sample holds fewer.

    Each row maps feature names to values and has `is_error` (True, False, or None where it counts as neither), and
    `shown`: the further columns to show, such as label and score. Nearness is Gower's: the mean over the features of
    the scaled difference of numbers, or of 0 and 1 for equal and different categories.

    >>> def row(hour: float, *, is_error: bool) -> Row:
    ...     return {"hour": hour, "is_error": is_error, "shown": {}}
    >>> rows = [row(7.0, is_error=True), row(23.0, is_error=False), row(8.0, is_error=False)]
    >>> [(one.values, one.wrong) for one in pick_examples(rows, [], ["hour"])]
    [({'hour': '7'}, True), ({'hour': '8'}, False)]

    Source: Gower 1971, 'A general coefficient of similarity and some of its properties'.
    """
    inside = [row for row in rows if all(fulfils(row, one) for one in conditions)]
    wrong = [row for row in inside if row["is_error"] is True][:MOST_EXAMPLES]
    right = [row for row in inside if row["is_error"] is False]
    named = [one.column for one in conditions]
    columns = list(dict.fromkeys([*named, *features]))[:MOST_COLUMNS]
    distances = _distances(wrong, right, features)
    examples: list[Example] = []
    for i, row in enumerate(wrong):
        examples.append(_example(row, columns, sensitive, wrong=True))
        if right:
            nearest = int(np.argmin(distances[i]))
            examples.append(_example(right[nearest], columns, sensitive, wrong=False))
    return tuple(examples)


def fulfils(row: Row, condition: Condition) -> bool:
    """Whether a row meets one condition of a slice.

    >>> morning = Condition("hour", low=6.0, high=12.0)
    >>> fulfils({"hour": 6.0}, morning), fulfils({"hour": 12.0}, morning), fulfils({"hour": None}, morning)
    (True, False, False)
    """
    value = row[condition.column]
    if condition.is_null or value is None:
        return condition.is_null and value is None
    if condition.value is not None:
        return str(value) == condition.value
    if condition.none_of:
        return str(value) not in condition.none_of
    above = condition.low is None or value >= condition.low
    return bool(above and (condition.high is None or value < condition.high))


def _distances(wrong: Sequence[Row], right: Sequence[Row], features: Sequence[str]) -> npt.NDArray[np.float64]:
    """Gower's distance of each wrong row from each right one: (wrong, right)."""
    total = np.zeros((len(wrong), len(right)))
    for name in features:
        ours, theirs = [row[name] for row in wrong], [row[name] for row in right]
        if all(isinstance(v, int | float) or v is None for v in (*ours, *theirs)):
            total += _number_distance(ours, theirs)
        else:
            total += np.array([[float(a != b) for b in theirs] for a in ours]).reshape(total.shape)
    return total / max(1, len(features))


def _number_distance(ours: Sequence[Any], theirs: Sequence[Any]) -> npt.NDArray[np.float64]:
    a = np.array([np.nan if v is None else v for v in ours], dtype=float)
    b = np.array([np.nan if v is None else v for v in theirs], dtype=float)
    known = np.concatenate([a, b])
    known = known[np.isfinite(known)]
    spread = float(np.ptp(known)) if len(known) else 0.0
    off = np.abs(a[:, None] - b[None, :]) / (
        spread or 1.0
    )  # all known values equal: the differences are zero, nulls stay
    both_missing = np.isnan(a)[:, None] & np.isnan(b)[None, :]
    return np.asarray(np.where(np.isnan(off), np.where(both_missing, 0.0, 1.0), off))


def _example(row: Row, columns: Sequence[str], sensitive: Sequence[str], *, wrong: bool) -> Example:
    values = dict(row["shown"]) | {name: row[name] for name in columns}
    return Example({name: MASK if name in sensitive else _text(value) for name, value in values.items()}, wrong)


def _text(value: object) -> str:
    if value is None:
        return "null"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
