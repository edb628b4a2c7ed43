"""Wrong rows beside their nearest right ones, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from mortis.records import Example

MOST_PAIRS = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in a table of examples; `differs` from its neighbour."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Wrong rows beside their nearest right ones: one line per column, cells in pairs of wrong and right."""

    heads: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Cell, ...]], ...]


def comparison(examples: Sequence[Example]) -> Comparison | None:
    """Wrong rows beside their nearest right ones, in the order they were sampled; None where there are none.

    >>> rows = [Example({"a": "1", "b": "x"}, wrong=True), Example({"a": "2", "b": "x"}, wrong=False)]
    >>> found = comparison(rows)
    >>> [(column, [cell.differs for cell in cells]) for column, cells in found.lines]
    [('a', [True, True]), ('b', [False, False])]
    """
    wrong = [e.values for e in examples if e.wrong][:MOST_PAIRS]
    right = [e.values for e in examples if not e.wrong][:MOST_PAIRS]
    pairs = list(zip_longest(wrong, right))
    if not pairs:
        return None
    columns = dict.fromkeys(column for pair in pairs for row in pair if row for column in row)
    lines = tuple((column, tuple(cell for pair in pairs for cell in _cells(column, *pair))) for column in columns)
    heads = tuple(name for pair in pairs for name, row in zip(("wrong", "right"), pair, strict=True) if row is not None)
    return Comparison(heads, lines)


def _cells(column: str, wrong: dict[str, str] | None, right: dict[str, str] | None) -> list[Cell]:
    rows = [row.get(column, "") for row in (wrong, right) if row is not None]
    differs = len(rows) == 2 and rows[0] != rows[1]
    return [Cell(text, differs) for text in rows]
