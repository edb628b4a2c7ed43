"""Tables of metrics as columns in memory, files with the same headings together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mortis.problems import InputProblem, WorkProblem, listed
from mortis.profiles import Floats
from mortis.sources.metrics.headings import CsvHead, not_utf8, read_csv_head, stem, told_apart, tuple_headings, unpacked
from mortis.sources.metrics.points import Ints
from mortis.sources.metrics.words import Words, words_of
from mortis.sources.refusals import problem_of
from mortis.sources.tables import Table, check_names

if TYPE_CHECKING:
    import duckdb

Kind = Literal["number", "time", "text", "empty", "other"]
NOTHING = ("", "-", "NaN", "nan", "NAN", "null", "NULL", "None", "N/A", "n/a", "NA", "undefined")
UNNAMED = "(unnamed)"
_BLOCK = 16 << 20  # large blocks have few dictionaries to unite: five times as fast as Arrow's own choice of 1 MiB
_MOST_WORDS = 1_000_000
_WIDTH = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True, eq=False)
class Column:
    """A column's heading, one text per header row, and its values as an Arrow chunked array."""

    heading: tuple[str, ...]
    data: Any

    @property
    def title(self) -> str:
        """The heading on one line."""
        return " / ".join(part for part in self.heading if part) or UNNAMED

    @cached_property
    def kind(self) -> Kind:
        """What the column is good for."""
        return _kind(self.data.type)

    @cached_property
    def words(self) -> Words:
        """The column's distinct words, whatever it holds."""
        return words_of(self.data)

    def with_values(self, values: Floats) -> Column:
        """The column with other values, as numbers."""
        import pyarrow as pa

        return Column(self.heading, pa.chunked_array([values]))


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Rows under the same headings. `levels` names the header rows where there are several, and is empty elsewhere.

    `stems` are the files' names without suffix, none for what is no file; `of_file` tells which of them a row is from.
    """

    name: str
    columns: tuple[Column, ...]
    levels: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    of_file: Ints | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0].data) if self.columns else 0

    def titles(self) -> str:
        """The columns' titles, for messages."""
        return listed((column.title for column in self.columns), most=20)


def open_sheets(table: Table, *, key: str) -> list[Sheet]:
    """The table's rows, one sheet for each set of headings among its files.

    Raises InputProblem, beginning with `key`, where a file is not what it should be.
    """
    opener = _OPENERS.get(table.format)
    if opener is None:
        raise WorkProblem(f"{key}: {table.name}: metrics have no reader for {table.format}")
    return opener(table, key)


def _from_frame(table: Table, _key: str) -> list[Sheet]:
    return [_plain_sheet(table.name, table.frame)]


def _from_query(table: Table, _key: str) -> list[Sheet]:
    import pyarrow as pa

    from mortis.sources.databases import read_query

    return [_plain_sheet(table.name, pa.Table.from_batches(read_query(table.url, table.query)))]


def _from_json(table: Table, key: str) -> list[Sheet]:
    """JSON lines or lists of objects; times stay text, so that what is no time can be told."""
    import duckdb

    files = [str(file.resolve()) for file in table.files]
    options = "union_by_name = true, maximum_sample_files = 32"
    with embedded_database() as connection:
        try:
            scan = f"SELECT * FROM read_json($files, {options})"  # noqa: S608  the options are those above
            kinds = connection.sql(f"DESCRIBE {scan}", params={"files": files}).fetchall()
            columns = {name: _untimed(kind) for name, kind, *_ in kinds}
            read = f"SELECT * FROM read_json($files, {options}, columns = $columns)"  # noqa: S608  as above
            rows = connection.sql(read, params={"files": files, "columns": columns}).to_arrow_table()
        except duckdb.Error as error:
            raise problem_of(error, f"{key}: {table.name} can't be read as JSON") from None
    return [_plain_sheet(table.name, rows)]


def embedded_database() -> duckdb.DuckDBPyConnection:
    """A DuckDB inside this process that reaches for nothing and takes times without an offset as UTC."""
    import duckdb

    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False},
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _untimed(kind: str) -> str:
    """The type to read a column with: text for times, and for values of several types, which DuckDB would quote."""
    return "VARCHAR" if kind.startswith(("TIME", "DATE", "JSON")) else kind


def _from_parquet(table: Table, key: str) -> list[Sheet]:
    import pyarrow.parquet as pq

    def headings(file: Path) -> tuple[tuple[str, ...], ...]:
        names = _told(lambda: pq.read_schema(file).names, file, key)
        check_names(names, f"{key}: {file.name}")
        return tuple((name,) for name in names)

    def read(file: Path) -> Any:
        schema = _told(lambda: pq.read_schema(file), file, key)
        words = [field.name for field in schema if _kind(field.type) == "text"]
        return _told(lambda: pq.read_table(file, read_dictionary=words), file, key)

    return [_joined(alike, table, [read(file) for file in alike]) for alike in _alike(table.files, headings).values()]


def _from_csv(table: Table, key: str) -> list[Sheet]:
    heads = {file: read_csv_head(file, key=key) for file in table.files}
    together = _alike(table.files, lambda file: (heads[file].levels, heads[file].headings))
    return [
        _joined(files, table, [_read_csv(file, heads[file], key) for file in files], heads[files[0]])
        for files in together.values()
    ]


_OPENERS: dict[str, Callable[[Table, str], list[Sheet]]] = {
    "frame": _from_frame,
    "query": _from_query,
    "jsonl": _from_json,
    "parquet": _from_parquet,
    "csv": _from_csv,
}


def _alike(files: Iterable[Path], headings: Callable[[Path], object]) -> dict[object, list[Path]]:
    """The files by their headings, in the order in which these first occur."""
    together: dict[object, list[Path]] = {}
    for file in files:
        together.setdefault(headings(file), []).append(file)
    return together


def _plain_sheet(name: str, rows: Any) -> Sheet:
    """The sheet of an Arrow table; tuples that pandas made of several header rows are taken apart."""
    levels, headings = tuple_headings(rows.schema)
    columns = zip(headings, rows.columns, strict=True)
    return Sheet(name, tuple(Column(heading, data) for heading, data in columns), levels)


def _joined(files: Sequence[Path], table: Table, parts: Sequence[Any], head: CsvHead | None = None) -> Sheet:
    """One sheet of files with the same headings."""
    names = told_apart(table.files, lambda file: file.name)
    name = table.name if len(files) == len(table.files) > 1 else listed([names[file] for file in files], most=1)
    stems = told_apart(table.files, stem)
    sheet = _plain_sheet(name, parts[0])
    levels, headings = (head.levels, head.headings) if head else (sheet.levels, [c.heading for c in sheet.columns])
    data = [_one_type([part.column(place) for part in parts]) for place in range(len(headings))]
    return Sheet(
        name,
        tuple(Column(heading, column) for heading, column in zip(headings, data, strict=True)),
        levels,
        tuple(stems[file] for file in files),
        np.repeat(np.arange(len(parts)), [part.num_rows for part in parts]) if len(parts) > 1 else None,
    )


def _one_type(parts: list[Any]) -> Any:
    """A column's parts from several files as one: numbers as floats and anything else as text where they differ."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len({part.type for part in parts}) > 1:
        kinds = {_kind(part.type) for part in parts} - {"empty"}
        if "other" in kinds:
            return pa.chunked_array([pa.nulls(sum(len(part) for part in parts), pa.list_(pa.null()))])
        common = pa.float64() if kinds <= {"number"} else pa.string()
        parts = [pc.cast(_numeric(part) if common == pa.float64() else part, common, safe=False) for part in parts]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], type=parts[0].type)


def _numeric(data: Any) -> Any:
    """Booleans as 0 and 1, which Arrow doesn't cast to floats by itself."""
    import pyarrow as pa

    return data.cast(pa.int8()) if pa.types.is_boolean(data.type) else data


def numbers_of(column: Column) -> Any:
    """A column of numbers as float64; null is NaN."""
    import pyarrow as pa

    return _numeric(column.data).cast(pa.float64(), safe=False).to_numpy()


def _kind(arrow: Any) -> Kind:
    import pyarrow.types as at

    if at.is_boolean(arrow) or at.is_integer(arrow) or at.is_floating(arrow) or at.is_decimal(arrow):
        return "number"
    if at.is_timestamp(arrow) or at.is_date(arrow):
        return "time"
    if at.is_null(arrow):
        return "empty"
    if at.is_dictionary(arrow):
        return "text"
    return "text" if at.is_string(arrow) or at.is_large_string(arrow) or at.is_string_view(arrow) else "other"


def _read_csv(file: Path, head: CsvHead, key: str) -> Any:
    """The rows under a CSV file's headings; the types of its columns are those that all their values have."""
    from pyarrow import csv

    def read(*, threads: bool) -> Any:
        return csv.read_csv(
            unpacked(file),
            read_options=csv.ReadOptions(
                column_names=[str(place) for place in range(len(head.headings))],
                skip_rows=head.lines,
                block_size=_BLOCK,
                use_threads=threads,
            ),
            parse_options=csv.ParseOptions(delimiter=head.delimiter),
            convert_options=csv.ConvertOptions(
                null_values=NOTHING,
                strings_can_be_null=True,
                auto_dict_encode=True,
                auto_dict_max_cardinality=_MOST_WORDS,
            ),
        )

    rows = _told(lambda: read(threads=True), file, key, again=lambda: read(threads=False))
    if any(_is_bytes(kind) for kind in rows.schema.types):  # what Arrow makes of text that is not UTF-8
        raise not_utf8(file, key)
    for column in rows.columns:
        _check_quotes(column, file, head, key)
    return rows


def _check_quotes(column: Any, file: Path, head: CsvHead, key: str) -> None:
    """Raises InputProblem where a cell goes over several lines: a quote never closed swallows the rows after it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    row = 0
    for chunk in column.chunks:
        codes, words = (chunk.indices, chunk.dictionary) if pa.types.is_dictionary(chunk.type) else (None, chunk)
        place = pc.index(pc.match_substring(words, "\n"), True).as_py() if _kind(words.type) == "text" else -1
        if place >= 0:
            line = head.lines + row + 1 + (place if codes is None else pc.index(codes, place).as_py())
            raise InputProblem(f"{key}: {file.name} line {line}: a cell goes over several lines; close its quote")
        row += len(chunk)


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as at

    return bool(at.is_binary(kind.value_type if at.is_dictionary(kind) else kind))


def _told(read: Callable[[], Any], file: Path, key: str, *, again: Callable[[], Any] | None = None) -> Any:
    """What is read; what Arrow refuses is told in one line. `again` reads in order, so that Arrow can name the line."""
    import pyarrow as pa

    try:
        return read()
    except (pa.ArrowException, OSError) as error:
        if again is not None and _WIDTH.search(str(error)):
            return _told(again, file, key)
        raise InputProblem(_refusal(str(error), f"{key}: {file.name}")) from None


def _refusal(reason: str, where: str) -> str:
    first = reason.strip().splitlines()[0].rstrip(".")
    if width := _WIDTH.search(first):
        line = f" line {width[1]}" if width[1] else ""
        return (
            f"{where}{line}: {width[3]} values for {width[2]} columns; mend that row, or quote what holds the delimiter"
        )
    return f"{where} is damaged ({first}); fetch it again"
