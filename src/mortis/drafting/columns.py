"""A table as the drafting sees it: its columns, their kinds, and their commonest values, asked for once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mortis.engine import Engine, Span
from mortis.engine.dataset import Kind
from mortis.problems import InputProblem, listed
from mortis.profiles import NULL
from mortis.sources.tables import Table, open_table

MOST_VALUES = 1000
_NEARLY = 0.99
# Epoch seconds of 1990 and 2100: a number outside them, in no unit, is no time.
_EPOCH_SECONDS = (631_152_000, 4_102_444_800)
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, what it is good for, and its Arrow type by name."""

    name: str
    kind: Kind
    type: str

    @property
    def is_bool(self) -> bool:
        """Whether it holds true and false."""
        return self.type == "bool"

    @property
    def is_float(self) -> bool:
        """Whether it holds fractions."""
        return self.kind == "number" and "int" not in self.type


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A table that was opened: as it was named, its columns, and what the engine has told of it so far."""

    sources: tuple[str, ...]
    table: Table
    columns: Mapping[str, Column]
    engine: Engine
    _counts: dict[str, Mapping[str, int]] = field(default_factory=dict)
    _spans: dict[str, Span] = field(default_factory=dict)
    _unique: dict[str, bool] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The first file's name without folder and suffix."""
        return Path(self.sources[0]).name.partition(".")[0]

    @property
    def name(self) -> str:
        """The tables' names as they were handed in."""
        return listed(self.sources, most=3)

    def counts(self, column: str) -> Mapping[str, int]:
        """The commonest values (at most 1000) of a column as text with their rows, without null."""
        if column not in self._counts:
            found = self.engine.values(self.table, column, most=MOST_VALUES + 1)
            self._counts[column] = {value: rows for value, rows in found.items() if value != NULL}
        return self._counts[column]

    def distinct(self, column: str) -> int:
        """How many different values a column has; what exceeds 1000 counts as 1000."""
        return min(len(self.counts(column)), MOST_VALUES)

    def numbers(self, column: str) -> list[float]:
        """The finite numbers among a column's commonest values."""
        if self.columns[column].kind != "number":
            return []
        return [x for x in map(float, self.counts(column)) if math.isfinite(x)]

    def is_unique(self, column: str) -> bool:
        """Whether (nearly) every row has a value of its own."""
        if column not in self._unique:
            counts = self.counts(column)
            few = len(counts) <= MOST_VALUES
            n, distinct = (sum(counts.values()), len(counts)) if few else self.engine.keys(self.table, column)
            self._unique[column] = n > 0 and distinct >= _NEARLY * n
        return self._unique[column]

    def span(self, column: str) -> Span | None:
        """What a column of times holds; None where none of its values is a time."""
        kind = self.columns[column].kind
        unit = self.time_unit(column)
        if (kind == "number" and not unit) or kind == "other" or self.columns[column].is_bool:
            return None
        if kind == "category" and not self.counts(column):
            return None
        if column not in self._spans:
            self._spans[column] = self.engine.span(self.table, column, unit)
        return self._spans[column] if self._spans[column].first is not None else None

    def not_a_time(self, column: str) -> str | None:
        """The first value of a column that can't be read as a time, where its times were looked for."""
        seen = self._spans.get(column)
        return seen.unparsable[1] if seen and seen.unparsable else None

    def time_unit(self, column: str) -> str:
        """What a number counts since 1970 ("s", "ms", "us", "ns"), told by its size; empty where it is no time."""
        found = self.numbers(column)
        low, high = _EPOCH_SECONDS
        for unit, per in _UNITS.items():
            if found and low * per <= min(found) and max(found) <= high * per:
                return unit
        return ""


def open_sheet(sources: tuple[str, ...], *, root: Path, engine: Engine, key: str = "init") -> Sheet:
    """The sheet of one or several files of like columns.

    Raises InputProblem where a file is absent, isn't what its name says, or has no names for its columns.
    """
    from mortis.engine.types import kind_of

    table = open_table(list(sources) if len(sources) > 1 else sources[0], root=root, key=key)
    schema = engine.schema(table)
    columns = {f.name: Column(f.name, kind_of(f.type), str(f.type)) for f in schema}
    if table.format == "csv" and _nameless(columns):
        raise InputProblem(
            f"{listed(sources)}: the first line holds no column names (they read {listed(columns, most=4)}); "
            "put a line with the names of the columns before the rows"
        )
    return Sheet(sources, table, columns, engine)


def _nameless(names: Mapping[str, Column]) -> bool:
    """Whether the names are those a reader makes up, or values of a first row that is no header."""
    made_up = sum(re.fullmatch(r"column\d+", name) is not None for name in names)
    values = sum(re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", name) is not None for name in names)
    return made_up == len(names) or (len(names) > 2 and values * 3 >= len(names))
