"""Who calls whom: a table of callers and callees, or a matrix of services by services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mortis.problems import InputProblem
from mortis.records import Input
from mortis.sources.metrics.sheets import Sheet, open_sheets
from mortis.sources.tables import fingerprint, open_table

CALLER = ("caller", "source", "from", "parent", "client")
CALLEE = ("callee", "target", "to", "destination", "child", "server")
Calls = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CallsRead:
    """The (caller, callee) pairs of a table, each once, in order; `input` is the table that was read."""

    calls: Calls
    input: Input


def read_calls(stated: str, *, root: Path, key: str = "graph") -> CallsRead:
    """The calls that a table states.

    A table has a column `caller` and a column `callee`; a matrix has a caller in each row's first cell, a callee in
    each further heading, and a number other than zero where the one calls the other. Raises InputProblem where it is
    neither.
    """
    table = open_table(stated, root=root, key=key)
    (sheet, *more) = open_sheets(table, key=key)
    if more:
        raise InputProblem(f"{key}: {sheet.name} and {more[0].name} have different columns; hand over one table")
    pairs = _pairs(sheet) if _role(sheet, CALLER) is not None else _cells(sheet)
    calls = tuple(sorted({(caller, callee) for caller, callee in pairs if caller and callee}))
    if not calls:
        raise InputProblem(
            f"{key}: {sheet.name} holds no calls; hand over columns `caller` and `callee`, or a matrix of services; "
            f"columns there: {sheet.titles()}"
        )
    return CallsRead(calls, Input(table.name, len(calls), fingerprint(table), "graph"))


def _role(sheet: Sheet, known: Sequence[str]) -> int | None:
    """The place of the column that bears one of the known names."""
    titles = [column.title.strip().lower() for column in sheet.columns]
    return next((titles.index(name) for name in known if name in titles), None)


def _pairs(sheet: Sheet) -> Iterator[tuple[str, str]]:
    caller, callee = _role(sheet, CALLER), _role(sheet, CALLEE)
    if caller is None or callee is None:
        return
    columns = (sheet.columns[place].data.to_pylist() for place in (caller, callee))
    yield from ((_text(one), _text(other)) for one, other in zip(*columns, strict=True))


def _cells(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """The calls of a matrix; none where a heading names no row, or a cell holds no number."""
    first, *rest = sheet.columns
    callers = [_text(cell) for cell in first.data.to_pylist()]
    if not rest or not {column.title for column in rest} & set(callers) or any(one.kind != "number" for one in rest):
        return
    for column in rest:
        for caller, cell in zip(callers, column.data.to_pylist(), strict=True):
            if cell:
                yield caller, column.title


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()
