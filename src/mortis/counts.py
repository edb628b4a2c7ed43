"""Error slices on a table that already holds counts: errors and totals by attribute and time."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mortis.engine import Engine, Watch, open_engine, silent
from mortis.engine.coding import Coding, category_coding
from mortis.engine.dataset import Condition
from mortis.errors.analysis import slice_record
from mortis.errors.counting import CodedRows
from mortis.errors.slices import complement, find_slices, rise_direction
from mortis.intake import check_column, check_time
from mortis.problems import InputProblem, listed
from mortis.records import ErrorAnalysis, Window, iso
from mortis.sources.tables import Table, open_table

if TYPE_CHECKING:
    import pyarrow as pa

    from mortis.case import TableSource

MOST_GROUPS = 2_000_000


def errors_of_counts(
    table: TableSource,
    *,
    errors: str,
    count: str,
    time: str,
    windows: tuple[str | Window, str | Window],
    engine: str = "duckdb",
    watch: Watch = silent,
) -> ErrorAnalysis:
    """The slices of a table of counts in which the errors rose (or fell, where `errors` counts successes and these fell).

    `errors` and `count` name the columns of failures and totals, `time` that of the times; every other column is an
    attribute. `windows` are the baseline and the incident, as Window or as text 'A..B', half-open, in UTC. Such a table has
    no second half to confirm on, so that no slice is `held_out`; instead its score is corrected for all slices searched.

    Raises InputProblem where a column is missing, a window is empty, or there are more errors than totals.
    """
    before, after = (parse_window(w, key) for w, key in zip(windows, ("--baseline", "--incident"), strict=True))
    if before.overlaps(after):
        raise InputProblem(
            f"--baseline {before} and --incident {after} overlap; end the baseline where the incident begins"
        )
    with closing(open_engine(engine, watch=watch)) as running:
        source = open_table(table, root=Path(), key="--table")
        grouped = [_grouped(running, source, (errors, count, time), w) for w in (before, after)]
    attributes = [name for name in grouped[0].column_names if not name.startswith("mortis_")]
    codings = [category_coding(name, [one[name] for one in grouped]) for name in attributes]
    rows = [_coded(one, attributes, codings) for one in grouped]
    falls = rise_direction(*rows) == "down"
    if falls:
        rows = [complement(one) for one in rows]
    report = find_slices(rows[0], rows[1])
    slices = tuple(
        slice_record(
            found,
            [_condition(codings, attributes, pair) for pair in found.conditions],
            (found.baseline, found.incident),
        )
        for found in report.slices
    )
    counted = f"{count} - {errors}" if falls else errors
    note = (
        f"{report.statement} (counting {counted}). {report.searched:,} slices of up to three conditions were searched"
    )
    return ErrorAnalysis(slices, (), report.searched, note)


def parse_window(text: str | Window, key: str) -> Window:
    """A window written 'A..B', each a date or an ISO 8601 moment; what has no offset is UTC.

    >>> parse_window("2013-08-01..2013-08-02T12:00", "--baseline").seconds
    129600.0
    """
    if isinstance(text, Window):
        return text
    parts = text.split("..")
    try:
        start, end = (datetime.fromisoformat(part.strip()) for part in parts)
    except ValueError:
        raise InputProblem(f"{key} {text!r}: not a window; write it like 2013-08-01..2013-08-15") from None
    moments = [m.replace(tzinfo=UTC) if m.tzinfo is None else m.astimezone(UTC) for m in (start, end)]
    if moments[0] >= moments[1]:
        raise InputProblem(f"{key} {text!r}: the window is empty; its end must come after its start")
    return Window(moments[0], moments[1])


def _grouped(engine: Engine, table: Table, roles: tuple[str, str, str], window: Window) -> pa.Table:
    """Errors and totals by all attributes, summed over a window."""
    errors, count, time = roles
    schema = engine.schema(table, text=(time,))
    for key, column in zip(("--errors", "--count", "--time"), roles, strict=True):
        check_column(key, column, table, schema)
    unit, span = check_time(engine, table, schema, time, key="--time")
    found = engine.grouped(table, time=time, unit=unit, sums=(errors, count), window=window)
    if not found.num_rows:
        log = f"{iso(datetime.fromtimestamp(span.first or 0, UTC))} to {iso(datetime.fromtimestamp((span.last or 0) + 1, UTC))}"
        raise InputProblem(f"--table: no rows of {table.name} lie in {window}; it spans {log}")
    if found.num_rows > MOST_GROUPS:
        raise InputProblem(f"--table: {found.num_rows:,} different rows of attributes; leave out columns that are keys")
    return found


def _coded(table: pa.Table, attributes: list[str], codings: list[Coding]) -> CodedRows:
    n = table["mortis_1"].to_numpy().astype(np.int64)
    errors = table["mortis_0"].to_numpy().astype(np.int64)
    if bool((errors > n).any()) or bool((errors < 0).any()):
        raise InputProblem(
            "--errors: some rows count more errors than rows in all, or fewer than none; check --errors and --count"
        )
    codes = [coding.encode(table[name]) for name, coding in zip(attributes, codings, strict=True)]
    matrix = np.asfortranarray(np.column_stack(codes)) if codes else np.zeros((len(n), 0), dtype=np.uint8)
    if not attributes:
        raise InputProblem(f"--table: no column is left to slice by; there are {listed(table.column_names)}")
    return CodedRows(tuple(attributes), tuple(c.names for c in codings), matrix, n, errors)


def _condition(codings: list[Coding], attributes: list[str], pair: tuple[str, str]) -> Condition:
    coding = codings[attributes.index(pair[0])]
    return coding.conditions[coding.names.index(pair[1])]
