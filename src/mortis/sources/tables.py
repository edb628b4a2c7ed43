"""Tables: files by path, glob or folder, frames from Python, and queries of a database."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mortis.case import Query, TableSource
from mortis.problems import InputProblem, WorkProblem, listed
from mortis.sources.files import find_files

SAMPLED_ABOVE = 256 << 20
_BLOCK = 1 << 20
_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: its suffixes, and what is wrong by a file's first and last bytes (None where nothing is)."""

    name: str
    suffixes: tuple[str, ...]
    fault: Callable[[bytes, bytes], str | None]


def _not_parquet(head: bytes, tail: bytes) -> str | None:
    if head[:4] != b"PAR1":
        return "it does not begin like Parquet; name it by what it holds"
    return None if tail[-4:] == b"PAR1" else "it is Parquet cut short; fetch the whole file"


def not_text(head: bytes, _tail: bytes) -> str | None:
    """What is wrong with a file of plain text by its first bytes."""
    if head[:4] == b"PAR1":
        return "it is Parquet; name it .parquet"
    if head[:2] == b"PK":
        return "it is a zip archive (a spreadsheet?); export it as CSV or Parquet"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "it is UTF-16; save it as UTF-8"
    return "it holds binary data; hand over text" if b"\0" in head else None


def _not_json_lines(head: bytes, tail: bytes) -> str | None:
    if fault := not_text(head, tail):
        return fault
    return None if head.lstrip()[:1] in (b"{", b"[") else "it does not begin like JSON; name it by what it holds"


def not_packed(name: str, magic: bytes) -> Callable[[bytes, bytes], str | None]:
    """Compressed text can't be judged by its first bytes, but whether it is compressed can."""
    return lambda head, _: None if head.startswith(magic) else f"it is not compressed by {name}; name it by its kind"


FORMATS: dict[str, Format] = {}


def register_format(one: Format) -> None:
    """Make a format known by its suffixes; built-in ones go through the same door."""
    for suffix in one.suffixes:
        FORMATS[suffix] = one


for _format in (
    Format("parquet", (".parquet", ".pq"), _not_parquet),
    Format("csv", (".csv", ".tsv"), not_text),
    Format("csv", (".csv.gz", ".tsv.gz"), not_packed("gzip", b"\x1f\x8b")),
    Format("csv", (".csv.zst", ".tsv.zst"), not_packed("zstd", b"\x28\xb5\x2f\xfd")),
    Format("jsonl", (".jsonl", ".ndjson", ".json"), _not_json_lines),
    Format("jsonl", (".jsonl.gz", ".ndjson.gz"), not_packed("gzip", b"\x1f\x8b")),
    Format("jsonl", (".jsonl.zst", ".ndjson.zst"), not_packed("zstd", b"\x28\xb5\x2f\xfd")),
):
    register_format(_format)


@dataclass(frozen=True, slots=True)
class Table:
    """A relation that an engine can scan: files of one format, an Arrow frame, or a database query.

    Two frames are told apart by `url`, their place in memory: comparing their content would cost a scan.
    """

    name: str
    format: str
    files: tuple[Path, ...] = ()
    frame: Any = field(default=None, compare=False)
    url: str = ""
    query: str = ""


def open_table(source: TableSource, *, root: Path, key: str) -> Table:
    """The table that a case's `key` (or the command line's) points to, its files found and looked into.

    Raises InputProblem where there is no such file, the suffix is unknown, or a file isn't what its name says.
    """
    if isinstance(source, Query):
        from mortis.sources.databases import located

        url = located(source.url, root=root, key=key)
        return Table(
            _short(source.query or source.table), "query", url=url, query=source.query or _all_of(source.table)
        )
    if paths := paths_in(source):
        return _with_plain_names(open_files(paths, root=root, key=key), key=key)
    frame = to_arrow(source, key=key)
    return Table("frame", "frame", frame=frame, url=f"memory:{id(frame)}")


def to_arrow(frame: Any, *, key: str) -> Any:
    """An Arrow table of a pandas, Polars or Arrow frame.

    Raises InputProblem where the object is none of these.
    """
    import pyarrow as pa

    if isinstance(frame, pa.Table) or hasattr(frame, "__arrow_c_stream__"):
        table = frame if isinstance(frame, pa.Table) else pa.table(frame)
        check_names(table.column_names, f"{key}: the frame")
        return table
    raise InputProblem(
        f"{key}: {type(frame).__name__} is not a table; hand over a path or an Arrow, pandas or Polars frame"
    )


def _short(query: str, *, most: int = 60) -> str:
    """A query on one line, cut where it is long."""
    line = " ".join(query.split())
    return line if len(line) <= most else f"{line[:most]}..."


def _all_of(table: str) -> str:
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
    return f"SELECT * FROM {quoted}"  # noqa: S608  each part is quoted


def paths_in(source: TableSource) -> list[str]:
    """The paths, globs or folders that a source names; none where it is a database or a frame."""
    stated = source if isinstance(source, list) else [source]
    return [str(one) for one in stated] if all(isinstance(one, str | Path) for one in stated) else []


def open_files(sources: list[str], *, root: Path, key: str, formats: Mapping[str, Format] | None = None) -> Table:
    """The table in files, found and looked into; its columns' names are not.

    `formats` are those that a reader knows, by suffix; the registered ones where left out. Raises InputProblem as
    `open_table` does.
    """
    known = FORMATS if formats is None else formats
    files = tuple(file for one in sources for file in _find(one, known, root=root, key=key))
    names = {_format_of(file, known, key=key).name for file in files}
    if len(names) > 1:
        raise InputProblem(f"{key}: files of different formats ({listed(sorted(names))}); hand over one format")
    for file in files:
        _look_into(file, known, key=key)
    return Table(listed(sources), names.pop(), files=files)


def _with_plain_names(table: Table, *, key: str) -> Table:
    """The table, once the names in its first file are told apart."""
    first = table.files[0]
    check_names(_NAMES.get(_suffix(first, FORMATS), lambda _: ())(first), f"{key}: {first.name}")
    return table


def _find(source: str, formats: Mapping[str, Format], *, root: Path, key: str) -> list[Path]:
    """The files of known formats behind a path, a glob or a folder, in the order of their names."""
    none_inside = f"table; files may end in {_suffixes(formats)}"
    return find_files(
        source, root=root, key=key, wanted=lambda file: _suffix(file, formats) in formats, none_inside=none_inside
    )


def _suffix(file: Path, formats: Mapping[str, Format]) -> str:
    """The longest known suffix of a file's name, such as '.csv.gz', or its plain one."""
    name = file.name.lower()
    known = [suffix for suffix in formats if name.endswith(suffix)]
    return max(known, key=len) if known else file.suffix.lower()


def _suffixes(formats: Mapping[str, Format]) -> str:
    return listed(sorted(formats), most=30)


def _format_of(file: Path, formats: Mapping[str, Format], *, key: str) -> Format:
    suffix = _suffix(file, formats)
    if suffix not in formats:
        raise InputProblem(
            f"{key}: {file.name}: unknown kind of file {suffix or '(no suffix)'!r}; known: {_suffixes(formats)}"
        )
    return formats[suffix]


def _look_into(file: Path, formats: Mapping[str, Format], *, key: str) -> None:
    """Raises InputProblem where a file is empty or isn't what its name says."""
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
            stream.seek(max(0, file.stat().st_size - 8))
            tail = stream.read()
    except OSError as error:
        raise WorkProblem(f"{key}: {file.name} can't be read: {error.strerror}") from None
    if not head.strip():
        raise InputProblem(f"{key}: {file.name} is empty; hand over a file with rows")
    fault = _format_of(file, formats, key=key).fault(head, tail)
    if fault:
        raise InputProblem(f"{key}: {file.name} isn't what its name says: {fault}")


def check_names(names: Iterable[str], where: str) -> None:
    """Raises InputProblem where two columns bear one name: an engine would rename the second silently."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputProblem(f"{where} has two columns named {name!r}; rename one")
        seen.add(name)


def _parquet_names(file: Path) -> list[str]:
    """The column names in a Parquet file's footer; none where it can't be read, which the engine then tells."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowException, OSError):
        return []


def _csv_names(file: Path) -> list[str]:
    """The names in a CSV file's first line, parted by what occurs there most; none where they look like values."""
    with file.open("r", encoding="utf-8-sig", errors="replace", newline="") as stream:
        first = stream.readline(1 << 16)
    mark = max(",;\t|", key=first.count)
    names = next(csv.reader([first], delimiter=mark), [])
    return [] if any(name.strip().replace(".", "").isdigit() for name in names) else names


_NAMES: Mapping[str, Callable[[Path], list[str]]] = {
    ".parquet": _parquet_names,
    ".pq": _parquet_names,
    ".csv": _csv_names,
    ".tsv": _csv_names,
}


def fingerprint(table: Table) -> str:
    """The start of the SHA-256 of a table's bytes, its kind before the colon: files in order, frame, or query's text.

    Files above 256 MiB together are hashed by their sizes and 64 evenly spaced blocks each: 'sha256-sampled:'.
    """
    if table.files:
        return fingerprint_of_files(table.files)
    digest = hashlib.sha256()
    if table.frame is not None:
        digest.update(table.frame.schema.serialize())
        for batch in table.frame.to_batches(max_chunksize=_BATCH_ROWS):
            digest.update(batch.serialize())
        return f"sha256-memory:{digest.hexdigest()[:32]}"
    digest.update(table.query.encode())
    return f"sha256-query:{digest.hexdigest()[:32]}"


def fingerprint_of_files(files: Iterable[Path]) -> str:
    """The start of the SHA-256 of the files' bytes in order; large ones are sampled, as for a table."""
    files, digest = tuple(files), hashlib.sha256()
    sampled = sum(f.stat().st_size for f in files) > SAMPLED_ABOVE
    for file in files:
        for block in _blocks(file, sampled=sampled):
            digest.update(block)
    return f"sha256{'-sampled' if sampled else ''}:{digest.hexdigest()[:32]}"


def _blocks(file: Path, *, sampled: bool) -> Iterable[bytes]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if not sampled:
            while block := stream.read(_BLOCK):
                yield block
            return
        yield str(size).encode()
        for i in range(64):
            stream.seek(max(0, (size - _BLOCK) * i // 63))
            yield stream.read(_BLOCK)
