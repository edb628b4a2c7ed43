"""Deploys and other events from a table: when, of which kind, what, and whom it reached."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mortis.problems import InputProblem, WorkProblem, counted, listed, near
from mortis.records import Change, Input
from mortis.sources.changes.masking import one_line
from mortis.sources.changes.reading import ReadingContext, word_set
from mortis.sources.tables import fingerprint, open_table
from mortis.sources.times import moment_of

COLUMNS = ("time", "kind", "summary")
MOST_ROWS = 200_000
MOST_BYTES = 256 << 20
MOST_NAMED = 5
ISO = "write ISO 8601 like 2013-08-01T06:00:00Z"

# Columns that say something of an event, but not whom it reached; and those that name what was rolled out.
_REMARKS = word_set("""
    id uuid author user by who owner actor email url link ticket issue commit sha revision hash ref tag title
    text description details message notes note comment status result duration end ended finished source""")
_ROLLED_OUT = ("commit", "sha", "revision", "tag")
_EVERYBODY = frozenset({"", "*", "all", "any", "every", "everywhere", "everyone", "global", "none", "null", "n/a", "-"})


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: where it stands ("line 3"), its cells by column in lower case, its number over all files.

    `fault` says why it can't be used.
    """

    place: str
    cells: Mapping[str, Any]
    fault: str = ""
    number: int = 0


def read_events(source: str, context: ReadingContext) -> Iterator[Change]:
    """The events of a table (CSV, JSON lines, Parquet) that lie in the window, and those whose time can't be read.

    Columns `time`, `kind` and `summary` are compulsory; any other that is no remark names whom the event reached. Rows
    that can't be used are told by their place. Raises InputProblem where a column is missing, or no time can be read.
    """
    table = open_table(source, root=context.root, key=context.key)
    found = [row for file in table.files for row in _named(_ROWS[table.format](file, context), file, len(table.files))]
    rows = [replace(row, number=number) for number, row in enumerate(found, 1)]
    context.record(Input(source, len(rows), fingerprint(table), "changes"))
    whole = [row for row in rows if not row.fault]
    if rows and not whole:
        raise InputProblem(f"{context.key}: {source} holds no event that can be read: {rows[0].place}: {rows[0].fault}")
    columns = list(dict.fromkeys(column for row in whole for column in row.cells))
    _check_columns(columns, source, context)
    changes = [(row, _event(row, f"{context.name}.{row.number}", source)) for row in whole]
    timeless = [row for row, change in changes if change.time is None]
    if whole and len(timeless) == len(whole):
        example = _shown(whole[0].cells.get("time"))
        raise InputProblem(f"{context.key}: {source}: none of the times can be read, such as {example!r}; {ISO}")
    inside = [change for _, change in changes if change.time is None or change.time in context.around]
    yield from inside
    outside = len(whole) - len(inside)
    context.tell(
        f"{context.key}: {source} holds {counted(len(whole), 'event')}, {outside:,} of them outside {context.around}"
    )
    _tell(rows, timeless, columns, source, context)


def _named(rows: Iterable[Row], file: Path, files: int) -> Iterator[Row]:
    """The rows, their places with the file's name where there are several."""
    for row in rows:
        yield replace(row, place=f"{file.name} {row.place}") if files > 1 else row


def _tell(
    rows: Sequence[Row], timeless: Sequence[Row], columns: Sequence[str], source: str, context: ReadingContext
) -> None:
    """Say which rows could not be used as they stand, and which columns were not taken for whom events reached."""
    for fault in dict.fromkeys(row.fault for row in rows if row.fault):
        places = [row.place for row in rows if row.fault == fault]
        context.tell(f"{context.key}: {source}: left out, as {fault}: {listed(places, most=MOST_NAMED)}")
    if timeless:
        places = [f"{row.place} ({_shown(row.cells.get('time'))!r})" for row in timeless]
        context.tell(
            f"{context.key}: {source}: kept without a time, as theirs can't be read: "
            f"{listed(places, most=MOST_NAMED)}; {ISO}"
        )
    remarks = [column for column in columns if column in _REMARKS]
    if remarks:
        context.tell(f"{context.key}: {source}: not taken for whom an event reached: {listed(remarks)}")
    if len(rows) >= MOST_ROWS:
        context.tell(f"{context.key}: {source}: the first {MOST_ROWS:,} rows of each file were read")


def _check_columns(columns: Sequence[str], source: str, context: ReadingContext) -> None:
    for column in COLUMNS if columns else ():
        if column not in columns:
            there = listed(column for column in columns) or "none"
            guess = near(column, [one for one in columns if one not in COLUMNS]) or ";"
            raise InputProblem(f"{context.key}: {source} has no column {column!r}{guess} there are: {there}")


def _event(row: Row, id_: str, source: str) -> Change:
    rolled_out = [f"{column} {_shown(row.cells[column])}" for column in _ROLLED_OUT if _shown(row.cells.get(column))]
    summary = _shown(row.cells.get("summary")) or "(no summary)"
    return Change(
        id=id_,
        kind=_shown(row.cells.get("kind")).lower() or "event",
        time=moment_of(row.cells.get("time")),
        summary=f"{summary} ({', '.join(rolled_out)})" if rolled_out else summary,
        scope=_scope(row.cells),
        source=source,
    )


def _scope(cells: Mapping[str, Any]) -> dict[str, str]:
    """Whom an event reached, by column; a cell that means everybody restricts nothing."""
    inner = [cells[column] for column in cells if isinstance(cells[column], dict)]
    plain = {column: cell for column, cell in cells.items() if not isinstance(cell, dict)}
    stated = {str(key): cell for one in (plain, *inner) for key, cell in one.items()}
    shown = {one_line(column): _shown(cell) for column, cell in stated.items() if column not in {*COLUMNS, *_REMARKS}}
    return {column: value for column, value in shown.items() if value.lower() not in _EVERYBODY}


def _shown(cell: Any) -> str:
    """A cell as one line of text; a list as its entries with commas between."""
    if cell is None:
        return ""
    return one_line(", ".join(map(str, cell)) if isinstance(cell, list) else str(cell))


def _text(file: Path, context: ReadingContext) -> str:
    """The text of a file, unpacked where it is compressed; raises InputProblem where it is too long or no text."""
    import pyarrow as pa

    packing = {".gz": "gzip", ".zst": "zstd"}.get(file.suffix.lower())
    try:
        with pa.input_stream(str(file), compression=packing) as stream:
            raw = stream.read(MOST_BYTES + 1)
    except (pa.ArrowException, OSError) as error:
        if packing:
            raise InputProblem(
                f"{context.key}: {file.name} is damaged ({one_line(str(error))}); fetch it again"
            ) from None
        raise WorkProblem(f"{context.key}: {file.name} can't be read: {one_line(str(error))}") from None
    if len(raw) > MOST_BYTES:
        raise InputProblem(
            f"{context.key}: {file.name} holds more than {MOST_BYTES >> 20} MiB; hand over the window alone"
        )
    try:
        return bytes(raw).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputProblem(f"{context.key}: {file.name} is not UTF-8 text; save it as UTF-8") from None


def _csv_rows(file: Path, context: ReadingContext) -> Iterator[Row]:
    text = _text(file, context)
    mark = max(",;\t|", key=text.partition("\n")[0].count)
    # Read strictly: a quote that is never closed would swallow all that follows into one cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    began = 1
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        began = reader.line_num + 1
        for values in islice(reader, MOST_ROWS):
            place, began = f"line {began}", reader.line_num + 1
            if not values:
                continue
            fault = "" if len(values) == len(header) else f"its fields are not {len(header)}, as in the header"
            yield Row(place, dict(zip(header, values, strict=False)), fault)
    except csv.Error as error:
        raise InputProblem(f"{context.key}: {file.name} line {began}: {_why_no_csv(error)}; mend that row") from None


def _why_no_csv(error: csv.Error) -> str:
    """What is wrong with a row; the csv module counts signs and doesn't say what they mean."""
    if str(error).startswith("unexpected end of data"):
        return "a quote is opened and never closed"
    if str(error).startswith("field larger than"):
        return f"a cell is longer than {csv.field_size_limit():,} signs, as where a quote is never closed"
    return f"not CSV: {error}"


def _json_rows(file: Path, context: ReadingContext) -> Iterator[Row]:
    text = _text(file, context)
    if text.lstrip().startswith("["):
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise InputProblem(f"{context.key}: {file.name} is not JSON: {why}; hand over a list of objects") from None
        for number, entry in enumerate(entries[:MOST_ROWS], 1):
            yield _json_row(f"entry {number}", entry)
        return
    for number, line in enumerate(islice(text.split("\n"), MOST_ROWS), 1):
        if line.strip():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                entry = None
            yield _json_row(f"line {number}", entry)


def _json_row(place: str, entry: Any) -> Row:
    if not isinstance(entry, dict):
        return Row(place, {}, "it is no JSON object")
    return Row(place, {key.strip().lower(): cell for key, cell in entry.items()})


def _parquet_rows(file: Path, context: ReadingContext) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
        # Python has no nanoseconds.
        moments = {field.name for field in table.schema if pa.types.is_timestamp(field.type)}
        for name in moments:
            zone = table.schema.field(name).type.tz
            cast = table.column(name).cast(pa.timestamp("us", zone), safe=False)
            table = table.set_column(table.schema.get_field_index(name), name, cast)
        rows = table.slice(0, MOST_ROWS).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise WorkProblem(f"{context.key}: {file.name} can't be read: {one_line(str(error))}") from None
    for number, row in enumerate(rows, 1):
        yield Row(f"row {number}", {key.strip().lower(): cell for key, cell in row.items()})


_ROWS: Mapping[str, Callable[[Path, ReadingContext], Iterator[Row]]] = {
    "csv": _csv_rows,
    "jsonl": _json_rows,
    "parquet": _parquet_rows,
}
