"""Error slices on a table that already holds counts: errors and totals by attribute and time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mortis.engine import Span, Watch, open_engine, silent
from mortis.engine.coding import Coding, category_coding
from mortis.engine.dataset import Condition
from mortis.errors.analysis import slice_record
from mortis.errors.counting import CodedRows
from mortis.errors.slices import complement, find_slices, rise_direction
from mortis.intake import Origin, check_column, check_numbers, check_time, kind
from mortis.intake.windows import two_windows
from mortis.problems import InputProblem, listed
from mortis.records import ErrorAnalysis, Window, iso
from mortis.sources.tables import open_table

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
    """The slices of a table of counts in which the errors rose, or the successes fell where `errors` counts these.

    `errors` and `count` name the columns of failures and totals, `time` that of the times; every other column is an
    attribute. `windows` are the baseline and the incident, as Window or as text 'A..B', half-open, in UTC. Such a table
    has no second half to confirm on, so that no slice is `held_out`; instead its score is corrected for all slices
    searched.

    Raises InputProblem where a column is missing, a window is empty, or there are more errors than totals.
    """
    before, after = two_windows(windows)
    with closing(open_engine(engine, watch=watch)) as running:
        source = open_table(table, root=Path(), key="--table")
        origin = Origin(running, source, running.schema(source, text=(time,)))
        attributes = _attributes(origin, {"--errors": errors, "--count": count, "--time": time})
        unit, span = check_time(origin, time, key="--time")
        grouped = [_grouped(origin, (errors, count, time), unit, span, w) for w in (before, after)]
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


def _attributes(origin: Origin, roles: Mapping[str, str]) -> list[str]:
    """The columns to slice by; checks those that play a role."""
    names = origin.schema.names
    for key, column in roles.items():
        check_column(origin, column, key=key)
        twin = next(other for other, name in roles.items() if name == column)
        if twin != key:
            raise InputProblem(
                f"{key}: column {column!r} is that of {twin} already; there are: {listed(names, most=40)}"
            )
    attributes = [name for name in names if name not in roles.values() and kind(origin, name) != "other"]
    if not attributes:
        raise InputProblem(f"--table: no column of {origin.table.name} is left to slice by; there are: {listed(names)}")
    return attributes


def _grouped(origin: Origin, roles: tuple[str, str, str], unit: str, span: Span, window: Window) -> pa.Table:
    """Errors and totals by all attributes, summed over a window."""
    errors, count, time = roles
    table = origin.table
    for key, column in (("--errors", errors), ("--count", count)):
        check_numbers(origin, column, key=key, remedy="name a column of counts")
    found = origin.engine.grouped(table, time=time, unit=unit, sums=(errors, count), window=window)
    if not found.num_rows:
        first, last = (datetime.fromtimestamp(moment, UTC) for moment in (span.first or 0, (span.last or 0) + 1))
        raise InputProblem(f"--table: no rows of {table.name} lie in {window}; it spans {iso(first)} to {iso(last)}")
    if found.num_rows > MOST_GROUPS:
        raise InputProblem(f"--table: {found.num_rows:,} different rows of attributes; leave out columns that are keys")
    return found


def _coded(table: pa.Table, attributes: list[str], codings: list[Coding]) -> CodedRows:
    errors, n = (_whole(table[name], key) for name, key in (("mortis_0", "--errors"), ("mortis_1", "--count")))
    if bool((errors > n).any()) or bool((errors < 0).any()):
        raise InputProblem(
            "--errors: some rows count more errors than rows in all, or fewer than none; check --errors and --count"
        )
    codes = [coding.encode(table[name]) for name, coding in zip(attributes, codings, strict=True)]
    matrix = np.asfortranarray(np.column_stack(codes))
    return CodedRows(tuple(attributes), tuple(c.names for c in codings), matrix, n, errors)


def _whole(column: pa.ChunkedArray, key: str) -> npt.NDArray[np.int64]:
    """Sums of counts as integers; a count that is absent is none."""
    sums: npt.NDArray[np.float64] = column.fill_null(0.0).to_numpy()
    if not np.array_equal(sums, np.round(sums)):
        raise InputProblem(
            f"{key}: the column holds fractions or no numbers; name a column of whole counts, not of rates"
        )
    return sums.astype(np.int64)


def _condition(codings: list[Coding], attributes: list[str], pair: tuple[str, str]) -> Condition:
    coding = codings[attributes.index(pair[0])]
    return coding.conditions[coding.names.index(pair[1])]
