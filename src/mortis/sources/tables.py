"""Tables: files by path, glob or folder, frames from Python, and queries of a database."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mortis.case import Query, TableSource
from mortis.problems import InputProblem, WorkProblem, listed

SAMPLED_ABOVE = 256 << 20
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: its suffixes, and what is wrong with a file's first bytes (None where nothing is)."""

    name: str
    suffixes: tuple[str, ...]
    fault: Callable[[bytes], str | None]


def _not_parquet(head: bytes) -> str | None:
    return None if head[:4] == b"PAR1" else "it does not begin like Parquet"


def _not_text(head: bytes) -> str | None:
    if head[:4] == b"PAR1":
        return "it is Parquet; name it .parquet"
    if head[:2] == b"PK":
        return "it is a zip archive (a spreadsheet?); export it as CSV or Parquet"
    return "it holds binary data" if b"\0" in head else None


def _not_json_lines(head: bytes) -> str | None:
    if fault := _not_text(head):
        return fault
    return None if head.lstrip()[:1] in (b"{", b"[") else "it does not begin like JSON"


def _packed(fault: Callable[[bytes], str | None]) -> Callable[[bytes], str | None]:
    """Compressed text can't be judged by its first bytes; only Parquet under a wrong name is told."""
    return lambda head: fault(head) if head[:4] == b"PAR1" else None


FORMATS: dict[str, Format] = {}


def register_format(one: Format) -> None:
    """Make a format known by its suffixes; built-in ones go through the same door."""
    for suffix in one.suffixes:
        FORMATS[suffix] = one


for _format in (
    Format("parquet", (".parquet", ".pq"), _not_parquet),
    Format("csv", (".csv", ".tsv"), _not_text),
    Format("csv", (".csv.gz", ".tsv.gz", ".csv.zst"), _packed(_not_text)),
    Format("jsonl", (".jsonl", ".ndjson", ".json"), _not_json_lines),
    Format("jsonl", (".jsonl.gz", ".ndjson.gz", ".jsonl.zst"), _packed(_not_json_lines)),
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
    """The table that a case's key points to, its files found and looked into.

    Raises InputProblem where there is no such file, the suffix is unknown, or a file isn't what its name says.
    """
    if isinstance(source, Query):
        return Table(source.query or source.table, "query", url=source.url, query=source.query or _all_of(source.table))
    if isinstance(source, str | Path):
        return _from_files([str(source)], root=root, key=key)
    if isinstance(source, list) and source and all(isinstance(one, str | Path) for one in source):
        return _from_files([str(one) for one in source], root=root, key=key)
    frame = to_arrow(source, key=key)
    return Table("frame", "frame", frame=frame, url=f"memory:{id(frame)}")


def to_arrow(frame: Any, *, key: str) -> Any:
    """An Arrow table of a pandas, Polars or Arrow frame.

    Raises InputProblem where the object is none of these.
    """
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    raise InputProblem(
        f"{key}.table: {type(frame).__name__} is not a table; hand over a path or an Arrow, pandas or Polars frame"
    )


def _all_of(table: str) -> str:
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
    return f"SELECT * FROM {quoted}"  # noqa: S608  each part is quoted


def _from_files(sources: list[str], *, root: Path, key: str) -> Table:
    files = tuple(file for one in sources for file in _find(one, root=root, key=key))
    formats = {_format_of(file, key=key).name for file in files}
    if len(formats) > 1:
        raise InputProblem(f"{key}.table: files of different formats ({listed(sorted(formats))}); hand over one format")
    for file in files:
        _look_into(file, key=key)
    return Table(listed(sources), formats.pop(), files=files)


def _find(source: str, *, root: Path, key: str) -> list[Path]:
    """The files behind a path, a glob or a folder, in the order of their names."""
    path = Path(source) if Path(source).is_absolute() else root / source
    if path.is_dir():
        inside = sorted(f for f in path.rglob("*") if f.is_file() and _suffix(f) in FORMATS)
        if not inside:
            raise InputProblem(f"{key}.table: folder {source} holds no table; files may end in {_suffixes()}")
        return inside
    if path.is_file():
        return [path]
    found = sorted(Path(f) for f in glob.glob(str(path), recursive=True) if Path(f).is_file())
    if not found:
        raise InputProblem(f"{key}.table: no such file: {source} (looked in {root.resolve()}); {_neighbours(path)}")
    return found


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    names = sorted(f.name for f in path.parent.iterdir())
    return f"there are: {listed(names, most=8)}" if names else "that folder is empty"


def _suffix(file: Path) -> str:
    """The longest known suffix of a file's name, such as '.csv.gz', or its plain one."""
    name = file.name.lower()
    known = [suffix for suffix in FORMATS if name.endswith(suffix)]
    return max(known, key=len) if known else file.suffix.lower()


def _suffixes() -> str:
    return listed(sorted(FORMATS), most=20)


def _format_of(file: Path, *, key: str) -> Format:
    suffix = _suffix(file)
    if suffix not in FORMATS:
        raise InputProblem(
            f"{key}.table: {file.name}: unknown kind of file {suffix or '(no suffix)'!r}; known: {_suffixes()}"
        )
    return FORMATS[suffix]


def _look_into(file: Path, *, key: str) -> None:
    """Raises InputProblem where a file is empty or isn't what its name says."""
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise WorkProblem(f"{key}.table: {file.name} can't be read: {error.strerror}") from None
    if not head.strip():
        raise InputProblem(f"{key}.table: {file.name} is empty; hand over a file with rows")
    fault = _format_of(file, key=key).fault(head)
    if fault:
        raise InputProblem(f"{key}.table: {file.name} isn't what its name says: {fault}")


def fingerprint(table: Table) -> str:
    """SHA-256 of a table's bytes (of its files in order, of a frame's buffers, of a query's text), its kind before the colon.

    Files above 256 MiB together are hashed by their size and 64 evenly spaced blocks: 'sha256-sampled:'.
    """
    digest = hashlib.sha256()
    if table.files:
        sampled = sum(f.stat().st_size for f in table.files) > SAMPLED_ABOVE
        for file in table.files:
            for block in _blocks(file, sampled=sampled):
                digest.update(block)
        return f"sha256{'-sampled' if sampled else ''}:{digest.hexdigest()[:32]}"
    if table.frame is not None:
        for batch in table.frame.to_batches():
            for column in batch.columns:
                for buffer in column.buffers():
                    digest.update(memoryview(buffer) if buffer is not None else b"-")
        return f"sha256-memory:{digest.hexdigest()[:32]}"
    digest.update(table.query.encode())
    return f"sha256-query:{digest.hexdigest()[:32]}"


def _blocks(file: Path, *, sampled: bool) -> Iterable[bytes]:
    size = file.stat().st_size
    yield f"{file.name}:{size}".encode()
    with file.open("rb") as stream:
        if not sampled:
            while block := stream.read(_BLOCK):
                yield block
            return
        for i in range(64):
            stream.seek(max(0, (size - _BLOCK) * i // 63))
            yield stream.read(_BLOCK)
