"""What somebody or something changed: repositories, tables of events, files before and after; each has its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mortis.case import BeforeAfter, ChangeSource
from mortis.records import Change, Input, Window
from mortis.sources.changes.before_after import Comparison
from mortis.sources.changes.config import read_config
from mortis.sources.changes.dependencies import read_dependencies
from mortis.sources.changes.environment import read_environment
from mortis.sources.changes.events import read_events
from mortis.sources.changes.git import read_git
from mortis.sources.changes.reading import ChangeReader, ReadingContext, record_pair
from mortis.sources.changes.schema import read_schema

__all__ = ["READERS", "ChangeReader", "ChangesRead", "ReadingContext", "read_changes"]


def _told(compare: Callable[..., Comparison]) -> ChangeReader:
    """The reader that compares two files, and tells what was compared."""

    def read(stated: BeforeAfter, context: ReadingContext) -> tuple[Change, ...]:
        found = compare(stated, root=context.root, key=context.key, name=context.name)
        context.tell(found.note)
        record_pair(stated, context)
        return found.changes

    return read


READERS: dict[str, ChangeReader] = {
    "git": read_git,
    "events": read_events,
    "dependencies": _told(read_dependencies),
    "schema": read_schema,
    "environment": _told(read_environment),
    "config": read_config,
}
"""Readers by the key under which the case states their source. A new one is a function and a line here."""

PAIRED = ("dependencies", "schema", "environment", "config")
TITLES: Mapping[str, str] = {
    "git": "a git repository",
    "events": "deploys and other events",
    "dependencies": "dependency files",
    "environment": "environment snapshots",
    "schema": "data schemas",
    "config": "configuration",
}
"""What each kind of source is called in a sentence."""


@dataclass(frozen=True, slots=True)
class ChangesRead:
    """The changes on record, as sources tell them; `notes` say what was read, left out or not understood.

    `unrecorded` names the kinds of sources that were not handed over or not read, so that silence is no sign of calm;
    `inputs` are those that were.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    unrecorded: tuple[str, ...]
    inputs: tuple[Input, ...] = ()


Attempt = Callable[[Callable[[], tuple[Change, ...]]], tuple[Change, ...] | None]
"""What reads one source: its changes, or None where it can't be read and the others are to be read all the same."""


def _at_once(read: Callable[[], tuple[Change, ...]]) -> tuple[Change, ...]:
    return read()


def read_changes(
    sources: Sequence[ChangeSource],
    *,
    root: Path,
    around: Window,
    readers: Mapping[str, ChangeReader] = READERS,
    attempt: Attempt = _at_once,
) -> ChangesRead:
    """The changes in all sources of a case, in the order of the sources; nothing in them is run.

    `around` bounds what is read of repositories and tables of events. Files before and after always count. Raises
    InputProblem where a source is not there or not what it should be, WorkProblem where it can't be read, unless
    `attempt` makes something else of them.
    """
    changes: list[Change] = []
    inputs: list[Input] = []
    notes: dict[str, None] = {}
    read: dict[str, bool] = {}
    places: dict[str, int] = {}
    for key, kind, part in _stated(sources):
        if kind not in readers:
            notes[f"{key}: nothing reads it in this version; what was handed over was left unread"] = None
            continue
        places[kind] = places.get(kind, 0) + 1
        name = _name(kind, places[kind])
        context = ReadingContext(root, around, key, name, lambda note: notes.update({note: None}), inputs.append)
        found = attempt(partial(_whole, readers[kind], part, context))
        # One that was not read leaves a gap in its kind, whatever the others tell.
        read[kind] = read.get(kind, True) and found is not None
        changes += found or ()
    unrecorded = tuple(TITLES[kind] for kind in TITLES if not read.get(kind))
    return ChangesRead(tuple(changes), tuple(notes), unrecorded, tuple(inputs))


def _whole(reader: ChangeReader, part: Any, context: ReadingContext) -> tuple[Change, ...]:
    return tuple(reader(part, context))


def _name(kind: str, place: int) -> str:
    """What the ids of a source's changes begin with: a pair of files is one change, other sources hold many."""
    if kind in PAIRED:
        return f"{kind}.{place}"
    return kind if place == 1 else f"{kind}{place}"


def _stated(sources: Sequence[ChangeSource]) -> Iterator[tuple[str, str, Any]]:
    """Each source with its place in the case and its kind."""
    kinds = {name: field.alias or name for name, field in ChangeSource.model_fields.items()}
    for i, source in enumerate(sources):
        stated = {kind: getattr(source, name) for name, kind in kinds.items() if getattr(source, name) is not None}
        for kind, part in stated.items():
            yield f"changes.{i}.{kind}", kind, part
