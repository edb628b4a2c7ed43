"""What stands over the rows of a table: a CSV file's delimiter and header rows, and pandas' tuples of headings."""

from __future__ import annotations

import csv
import io
import json
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from mortis.problems import InputProblem
from mortis.sources.tables import check_names
from mortis.sources.times import epoch_unit

_DELIMITERS = ",;\t|"
_ROWS_SEEN = 12
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class CsvHead:
    """What stands over a CSV file's rows.

    `lines` are those above the first row of values. `headings` holds a tuple per column, with a text for each header
    row; `levels` are the names of several header rows.
    """

    delimiter: str
    lines: int
    levels: tuple[str, ...]
    headings: tuple[tuple[str, ...], ...]


def unpacked(file: Path) -> Any:
    """A file as an Arrow stream of bytes, unpacked by its suffix."""
    import pyarrow as pa

    return pa.input_stream(str(file), compression=_COMPRESSIONS.get(file.suffix.lower()))


def stem(file: Path) -> str:
    """A file's name without its suffixes.

    >>> stem(Path("logs/cpu.web-1.csv.gz"))
    'cpu.web-1'
    """
    return Path(file.name.removesuffix(file.suffix) if file.suffix.lower() in _COMPRESSIONS else file.name).stem


def told_apart(files: Sequence[Path], last: Callable[[Path], str]) -> dict[Path, str]:
    """What each file is called: by `last`, with as many folders before it as tell all of them apart.

    >>> list(told_apart([Path("a/cpu.csv"), Path("b/cpu.csv")], stem).values())
    ['a/cpu', 'b/cpu']
    """
    names: dict[Path, str] = {}
    for folders in range(max(len(file.parts) for file in files)):
        names = {file: "/".join([*file.parts[-folders - 1 : -1], last(file)]) for file in files}
        if len(set(names.values())) == len(files):
            break
    return names


def not_utf8(file: Path, key: str) -> InputProblem:
    """The problem of a text file that is not UTF-8, with the first line that isn't."""
    with unpacked(file) as stream:
        for number, line in enumerate(io.BufferedReader(stream), 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return InputProblem(f"{key}: {file.name} line {number}: it is not UTF-8; save the file as UTF-8")
    return InputProblem(f"{key}: {file.name}: it is not UTF-8; save the file as UTF-8")


def read_csv_head(file: Path, *, key: str) -> CsvHead:
    """What stands over the rows of a CSV file: comments and `sep=` skipped, its header rows told from its values.

    Raises InputProblem where the first row holds values, two columns bear one name, or the text is not UTF-8.
    """
    where = f"{key}: {file.name}"
    try:
        skipped, rows, lines, delimiter = _first_rows(file)
    except UnicodeDecodeError:
        raise not_utf8(file, key) from None
    except (OSError, csv.Error) as error:
        raise InputProblem(f"{where} is damaged ({error}); fetch it again") from None
    if not rows:
        raise InputProblem(f"{where} is empty; hand over a file with rows")
    value = next((cell for cell in rows[0] if is_moment(cell)), None)
    if value is not None:
        raise InputProblem(
            f"{where} line {skipped + 1} holds {value!r}, where the columns' names should stand; add them"
        )
    count = header_rows(rows)
    if count == 1:
        check_names(rows[0], where)
        return CsvHead(delimiter, lines[0], (), tuple((name,) for name in rows[0]))
    levels, headings = _levels(rows[:count])
    return CsvHead(delimiter, lines[count - 1], levels, headings)


def _first_rows(file: Path) -> tuple[int, list[list[str]], list[int], str]:
    """Lines skipped at the top, the first rows, the line that each ends in, and what parts their cells."""
    with io.TextIOWrapper(unpacked(file), encoding="utf-8-sig", newline="") as text:
        skipped, start = _skipped(text)
        second = text.readline()
        delimiter = max(_DELIMITERS, key=lambda mark: min(_width(start, mark), _width(second or start, mark)))
        reader = csv.reader(_chained(start, second, text), delimiter=delimiter)
        rows, ends = [], []
        for row in islice(reader, _ROWS_SEEN):
            if row:
                rows.append([cell.strip() for cell in row])
                ends.append(skipped + reader.line_num)
    return skipped, rows, ends, delimiter


def _skipped(text: io.TextIOWrapper) -> tuple[int, str]:
    """How many lines at the top say nothing, and the first that does."""
    skipped = 0
    while (line := text.readline()) and (not line.strip() or line.startswith(("#", "sep="))):
        skipped += 1
    return skipped, line


def _chained(first: str, second: str, rest: Iterator[str]) -> Iterator[str]:
    yield from (line for line in (first, second) if line)
    yield from rest


def _width(line: str, mark: str) -> int:
    return len(next(csv.reader([line], delimiter=mark), []))


def is_moment(cell: str) -> bool:
    """Whether a cell reads as a time: ISO 8601, or seconds (or their fractions) since 1970 later than 1973.

    >>> [is_moment(cell) for cell in ("2024-01-01 00:05", "2024/01/01", "1681866420.0", "200", "cpu")]
    [True, True, True, False, False]
    """
    try:
        return bool(epoch_unit(float(cell)))
    except ValueError:
        pass
    try:
        datetime.fromisoformat(cell.replace("/", "-"))
    except ValueError:
        return False
    return True


def header_rows(rows: Sequence[Sequence[str]]) -> int:
    """How many header rows stand over the values: several only where at least two hold texts, before the first time.

    The time stands in the first column then, as pandas writes a frame whose columns have several levels.

    >>> header_rows([["svc", "a", "b"], ["metric", "cpu", "cpu"], ["ts", "", ""], ["2024-01-01", "1", "2"]])
    3
    >>> header_rows([["ts", "cpu"], ["yesterday", "1"], ["2024-01-01", "2"]])
    1
    """
    first = next((place for place, row in enumerate(rows) if is_moment(row[0])), 0)
    above = rows[:first]
    texts = [row for row in above if any(cell and not _is_number(cell) for cell in row[1:])]
    plain = all(not is_moment(cell) for row in above for cell in row) and len({len(row) for row in above}) == 1
    return first if len(texts) >= 2 and plain else 1


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == "-"
    return True


def _levels(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The names of header rows, and the headings under them; a last row that only names the times is none of them."""
    time = rows[-1][0]
    named = rows[:-1] if not any(rows[-1][1:]) else rows
    levels = tuple(row[0] or f"level {place}" for place, row in enumerate(named, 1))
    headings = [tuple(row[place] for row in named) for place in range(1, len(rows[0]))]
    return levels, ((time if named is not rows else "time",), *headings)


def tuple_headings(schema: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The names of pandas' column levels and the heading of every column; no levels where names are plain."""
    parsed = {name: _as_tuple(name) for name in schema.names}
    depth = max((len(heading) for heading in parsed.values() if heading), default=0)
    if not depth:
        return (), [(name,) for name in schema.names]
    pandas = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    named = [one.get("name") for one in pandas.get("column_indexes", [])]
    levels = [str(name) if name is not None else f"level {place}" for place, name in enumerate(named, 1)]
    levels += [f"level {place}" for place in range(len(levels) + 1, depth + 1)]
    return tuple(levels[:depth]), [parsed[name] or (name,) for name in schema.names]


def _as_tuple(name: str) -> tuple[str, ...]:
    """The texts in a name that is written as a tuple; none where it is no such name."""
    if not (name.startswith("(") and name.endswith(")")):
        return ()
    try:
        value = literal_eval(name)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ()
    return tuple(str(part) for part in value) if isinstance(value, tuple) and len(value) > 1 else ()
