"""What every reader of changes is given, and how a pair of files becomes one change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mortis.case import BeforeAfter
from mortis.problems import InputProblem, counted, listed
from mortis.records import Change, ChangedPart, Input, Window
from mortis.sources.changes.before_after import MOST_BYTES, read_text
from mortis.sources.tables import fingerprint_of_files

MOST_SIGNS = 1 << 20
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class ReadingContext:
    """Where a source stands: `key` is its place in the case, `root` the folder that relative paths start from.

    `name` is what the ids of its changes begin with, unique in the case. `around` bounds what is read of a long record.
    `tell` takes a sentence about what was read, left out or not understood, `record` what was read itself.
    """

    root: Path
    around: Window
    key: str
    name: str
    tell: Callable[[str], None]
    record: Callable[[Input], None]


ChangeReader = Callable[[Any, ReadingContext], Iterable[Change]]
"""From what the case states under a source's key (a path, or a file before and after) to the changes in it.

Raises InputProblem for whatever the user can mend, and WorkProblem where the source is out of reach.
"""


def text_of(name: str, key: str, context: ReadingContext) -> str:
    """The text of a file that a key of the case names.

    Raises InputProblem where there is no such file, or it is empty, no text, or too large to be compared.
    """
    text = read_text(name, root=context.root, key=key)
    if len(text) > MOST_SIGNS:
        raise InputProblem(f"{key}: {name} holds more than {MOST_SIGNS:,} signs; hand over the part that matters")
    return text


def change_of_pair(
    kind: str, source: BeforeAfter, context: ReadingContext, parts: Sequence[ChangedPart]
) -> Iterator[Change]:
    """The change from one file to the other; none where nothing differs, which is told; both files are recorded."""
    record_pair(source, context)
    before, after = Path(source.before).name, Path(source.after).name
    if not parts:
        context.tell(f"{context.key}: {before} and {after} don't differ")
        return
    if source.at is None:
        context.tell(f"{context.key}: when {after} took effect is not stated; add `at: 2013-08-01T06:00:00Z`")
    named = listed((str(part) for part in parts), most=MOST_NAMED)
    file = after if before == after else f"{before} → {after}"
    found = f"{source.before} → {source.after}"
    summary = f"{file}: {counted(len(parts), 'difference')}: {named}"
    yield Change(context.name, kind, source.at, summary, parts=tuple(parts), source=found)


def record_pair(stated: BeforeAfter, context: ReadingContext) -> None:
    """Record both files with their lines; those of a binary one, or of one too large to be text, are not counted."""
    for name in (stated.before, stated.after):
        file = context.root / name
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
        lines = 0 if b"\0" in raw or len(raw) > MOST_BYTES else len(raw.splitlines())
        context.record(Input(name, lines, fingerprint_of_files([file]), "changes"))


def word_set(text: str) -> frozenset[str]:
    """The words of a text, for lists of names that read better as prose."""
    return frozenset(text.split())
