"""What every reader of changes is given, and how a pair of files becomes one change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from mortis.case import BeforeAfter
from mortis.problems import InputProblem, WorkProblem, listed
from mortis.records import Change, ChangedPart, Window
from mortis.sources.files import neighbours

MOST_BYTES = 4 << 20
MOST_NAMED = 3
_LEAST_EPOCH, _LEAST_MILLISECONDS = 1e8, 1e11  # a smaller number is no time of our days


@dataclass(frozen=True, slots=True)
class ReadingContext:
    """Where a source stands: `key` is its place in the case, `root` the folder that relative paths start from.

    `name` is what the ids of its changes begin with, unique in the case. `around` bounds what is read of a long record.
    `tell` takes a sentence about what was read, left out or not understood.
    """

    root: Path
    around: Window
    key: str
    name: str
    tell: Callable[[str], None]


ChangeReader = Callable[[Any, ReadingContext], Iterable[Change]]
"""From what the case states under a source's key (a path, or a file before and after) to the changes in it.

Raises InputProblem for whatever the user can mend, and WorkProblem where the source is out of reach.
"""


def pair_files(source: BeforeAfter, context: ReadingContext) -> tuple[Path, Path]:
    """The files before and after; raises InputProblem where one isn't there, is empty, or is a folder."""
    return _file(source.before, f"{context.key}.before", context), _file(source.after, f"{context.key}.after", context)


def _file(stated: str, key: str, context: ReadingContext) -> Path:
    file = context.root / stated
    if file.is_dir():
        raise InputProblem(f"{key}: {stated} is a folder; hand over one file of it")
    if not file.is_file():
        raise InputProblem(f"{key}: no such file: {stated} (looked in {context.root.resolve()}){neighbours(file)}")
    if file.stat().st_size == 0:
        raise InputProblem(f"{key}: {file.name} is empty; hand over the file as it was in use")
    return file


def read_text(file: Path, key: str) -> str:
    """The text of a small file; raises InputProblem where it is too large or no text, WorkProblem where unreadable."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputProblem(
                f"{key}: {file.name} is larger than {MOST_BYTES >> 20} MiB; hand over the part that matters"
            )
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputProblem(f"{key}: {file.name} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise WorkProblem(f"{key}: {file.name} can't be read: {error.strerror}") from None
    if "\0" in text:
        raise InputProblem(f"{key}: {file.name} holds binary data; hand over text")
    return text


def change_of_pair(
    kind: str, source: BeforeAfter, context: ReadingContext, parts: Sequence[ChangedPart]
) -> Iterator[Change]:
    """The change from one file to the other; none where nothing differs, which is told."""
    before, after = Path(source.before).name, Path(source.after).name
    if not parts:
        context.tell(f"{context.key}: {before} and {after} don't differ")
        return
    if source.at is None:
        context.tell(f"{context.key}: when {after} took effect is not stated; add `at: 2013-08-01T06:00:00Z`")
    n = f"{len(parts):,} difference{'s' if len(parts) > 1 else ''}"
    named = listed((str(part) for part in parts), most=MOST_NAMED)
    file = after if before == after else f"{before} → {after}"
    yield Change(context.name, kind, source.at, f"{file}: {n}: {named}", parts=tuple(parts), source=source.after)


def word_set(text: str) -> frozenset[str]:
    """The words of a text, for lists of names that read better as prose."""
    return frozenset(text.split())


def moment_of(value: Any) -> datetime | None:
    """The moment in UTC that a cell states: ISO 8601, or epoch seconds or milliseconds; None where it states none.

    What carries no offset is taken as UTC.

    >>> print(moment_of("2013-08-01T08:00:00+02:00"), moment_of(1375336800), moment_of("last week"))
    2013-08-01 06:00:00+00:00 2013-08-01 06:00:00+00:00 None
    """
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.isascii() and text.isdigit() and len(text) in (10, 13) else text.removesuffix(" UTC")
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and abs(value) >= _LEAST_EPOCH:
            value = datetime.fromtimestamp(value / 1000 if abs(value) >= _LEAST_MILLISECONDS else value, UTC)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001  taken as UTC below
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
