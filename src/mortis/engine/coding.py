"""Rows as small integers: a number's place between its edges, a category's place among the commonest values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mortis.engine import CodedSample
from mortis.engine.dataset import Condition, Layout
from mortis.profiles import NULL, OTHER

if TYPE_CHECKING:
    import pyarrow as pa

CODED_CATEGORIES = 30


@dataclass(frozen=True, slots=True)
class Coding:
    """The codes of one column: code i is called names[i] and means conditions[i]; `place` maps what the engine sent."""

    names: tuple[str, ...]
    conditions: tuple[Condition, ...]
    place: dict[Any, int]
    default: int

    def encode(self, column: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
        """The column's codes as bytes."""
        unique = column.combine_chunks().dictionary_encode()
        codes = np.array([self.place.get(v, self.default) for v in unique.dictionary.to_pylist()], dtype=np.uint8)
        indices = unique.indices.to_numpy(zero_copy_only=False)
        return codes[indices] if len(codes) else np.zeros(len(indices), dtype=np.uint8)


def number_coding(name: str, edges: Sequence[float]) -> Coding:
    """One code for each bucket of a number, and one for null.

    >>> number_coding("hour", (6.0, 12.0)).names
    ('< 6', '6 to < 12', '>= 12', '(null)')
    """
    bounds: list[tuple[float | None, float | None]] = list(zip((None, *edges), (*edges, None), strict=True))
    shown = _distinct(edges)
    names = [_range_name(low, high) for low, high in zip((None, *shown), (*shown, None), strict=True)]
    conditions = [Condition(name, low=low, high=high) for low, high in bounds]
    place = {i: i for i in range(len(bounds))} | {-1: len(bounds)}
    return Coding((*names, NULL), (*conditions, Condition(name, is_null=True)), place, len(bounds))


def _distinct(edges: Sequence[float]) -> list[str]:
    """The edges as text, with as many digits as tell them apart: a slice is found again by its name.

    >>> _distinct((20130801.0, 20130808.0))
    ['20130801', '20130808']
    """
    if all(edge == int(edge) and abs(edge) < 1e15 for edge in edges):
        return [str(int(edge)) for edge in edges]
    for digits in range(6, 17):
        shown = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(shown)) == len(edges):
            return shown
    return [repr(edge) for edge in edges]


def _range_name(low: str | None, high: str | None) -> str:
    if low is None:
        return "any value" if high is None else f"< {high}"
    return f">= {low}" if high is None else f"{low} to < {high}"


def category_coding(name: str, columns: Sequence[pa.ChunkedArray]) -> Coding:
    """One code for each of the commonest values over all windows, one for null where it occurs, one for the rest.

    >>> import pyarrow as pa
    >>> category_coding("origin", [pa.chunked_array([["EWR", "JFK"]]), pa.chunked_array([["JFK"]])]).names
    ('JFK', 'EWR')
    """
    counts: Counter[str] = Counter()
    for column in columns:
        for entry in column.value_counts().to_pylist():
            counts[entry["values"]] += entry["counts"]
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    kept = ranked[:CODED_CATEGORIES] if len(ranked) > CODED_CATEGORIES + 1 else ranked
    if NULL in counts and NULL not in kept:
        kept = [*kept, NULL]
    names, conditions = (
        list(kept),
        [Condition(name, is_null=True) if value == NULL else Condition(name, value=value) for value in kept],
    )
    if len(kept) < len(ranked):
        names.append(OTHER if OTHER not in counts else f"{OTHER}, the rest")
        conditions.append(Condition(name, none_of=tuple(value for value in kept if value != NULL)))
    return Coding(tuple(names), tuple(conditions), {v: i for i, v in enumerate(kept)}, max(len(names) - 1, 0))


def assemble_samples(
    layout: Layout, columns: tuple[str, ...], fetched: Sequence[tuple[pa.Table, bool]]
) -> tuple[CodedSample, ...]:
    """Coded samples of several windows under one coding, so that a code means the same in all of them.

    `fetched` holds for each window the table with `outcome`, `half` and one column `k0`, `k1`, ... for each of
    `columns`, and whether it has all rows.
    """
    codings = [
        number_coding(name, layout.numbers[name].edges)
        if name in layout.numbers
        else category_coding(name, [table[f"k{i}"] for table, _ in fetched])
        for i, name in enumerate(columns)
    ]
    return tuple(
        CodedSample(
            columns=columns,
            codes=_matrix([coding.encode(table[f"k{i}"]) for i, coding in enumerate(codings)], table.num_rows),
            names=tuple(coding.names for coding in codings),
            conditions=tuple(coding.conditions for coding in codings),
            outcome=table["outcome"].to_numpy().astype(np.int8),
            half=table["half"].to_numpy(),
            exact=exact,
        )
        for table, exact in fetched
    )


def _matrix(columns: Sequence[npt.NDArray[np.uint8]], rows: int) -> npt.NDArray[np.uint8]:
    return np.column_stack(columns) if columns else np.zeros((rows, 0), dtype=np.uint8)
