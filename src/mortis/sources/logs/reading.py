"""One log file read line by line: entries of a window, and an account of what came of every line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mortis.problems import WorkProblem, counted
from mortis.records import Window
from mortis.sources.logs.blocks import Blocks, decoded, why_no_text
from mortis.sources.logs.layouts import FAILURE, Layout, Scope, failure_in, is_continuation, layout_of, with_failure

IntArray = npt.NDArray[np.int64]

KINDS = (
    "baseline", "incident", "outside", "continued", "blank", "untimed", "unparsed", "undecoded", "nulls", "long", "cut"
)  # fmt: skip
LONGEST_MESSAGE = 2_000
"""Characters of a message that are handed on."""


class LogEntry(NamedTuple):
    """One entry: whole seconds (epoch, UTC), level (empty where none is told), message, scope, and its line from 1."""

    seconds: int
    level: str
    message: str
    scope: Scope
    line: int


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file: where it lies, and its name in the case's folder."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class FileRead:
    """What came of a file: how its lines are laid out, how many were what, the first of each, and the time they span.

    The kinds in `counts`: `lines` in all, of which are entries in the `baseline`, in the `incident` or `outside` both;
    lines `continued` from the one before and `blank` ones; those `untimed` and those `unparsed`, which are not used. Of
    the entries: those `undecoded` (not UTF-8), with `nulls` (null bytes), `long` (their message was cut), `cut` (not
    read to their end). `fault` tells why the file was not read, or not to its end.
    """

    file: LogFile
    kind: str = ""
    clock: str = ""
    has_offset: bool = True
    counts: Mapping[str, int] = field(default_factory=dict)
    first: Mapping[str, int] = field(default_factory=dict)
    begins: datetime | None = None
    ends: datetime | None = None
    fault: str = ""

    @property
    def statement(self) -> str:
        """How the file was read, in one line."""
        if not self.kind:
            return f"{self.file.name}: {self.fault}"
        zone = "" if self.has_offset else ", taken as UTC"
        parts = [counted(self.counts.get("lines", 0), "line")]
        parts += [f"{self.counts[kind]:,} {kind}" for kind in KINDS if self.counts.get(kind)]
        fault = f"; {self.fault}" if self.fault else ""
        return f"{self.file.name}: {self.kind}, times as {self.clock}{zone}; {', '.join(parts)}{fault}"


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a file that holds the incident's entries: its first byte, the lines before it, and its end."""

    layout: Layout
    start: int
    lines_before: int
    end: int


@dataclass(slots=True)
class _Account:
    """What is known of a file while it is read: counts and first lines by kind, and the first and last second."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    begins: int | None = None
    ends: int | None = None

    def add(self, kind: str, line: int, times: int = 1) -> None:
        if times:
            self.counts[kind] += times
            self.first.setdefault(kind, line)

    def add_times(self, times: IntArray, baseline: Window, incident: Window, line: int) -> int:
        """Adds entries by their seconds; gives how many lie in the incident."""
        if not times.size:
            return 0
        in_baseline, in_incident = _inside(times, baseline), _inside(times, incident)
        for kind, count in (
            ("baseline", in_baseline),
            ("incident", in_incident),
            ("outside", times.size - in_baseline - in_incident),
        ):
            self.add(kind, line, count)
        first, last = int(times.min()), int(times.max())
        self.begins = first if self.begins is None else min(first, self.begins)
        self.ends = last if self.ends is None else max(last, self.ends)
        return in_incident


def _inside(times: IntArray, window: Window) -> int:
    return int(((times >= window.start.timestamp()) & (times < window.end.timestamp())).sum())


def first_reading(
    file: LogFile, baseline: Window, incident: Window, *, sensitive: Collection[str] = ()
) -> Generator[LogEntry, None, tuple[FileRead, Part | None]]:
    """The baseline's entries of a file; in the end, what came of all its lines, and where those of the incident lie.

    Raises WorkProblem where the file can't be read.
    """
    account, blocks = _Account(), Blocks(file.path)
    pieces = _readable(blocks, file)
    head = next(pieces, None)
    fault = why_no_text(head[1]) if head else ""
    if head is None or fault:
        return FileRead(file, fault=fault or blocks.fault or "it is empty"), None
    layout = layout_of(decoded(head[1])[0], (baseline, incident), sensitive=sensitive)
    pieces = chain([head], pieces)
    if layout is None:
        for _, block in pieces:
            account.add("lines", 1, block.count(b"\n") + (not block.endswith(b"\n")))
        account.add("untimed", 1, account.counts["lines"])
        fault = (
            f"none of its first lines bears a time in a known form; its lines, {account.counts['lines']:,}, are unused"
        )
        return FileRead(file, counts=account.counts, first=account.first, fault=fault), None
    part = yield from _baseline_entries(pieces, layout, baseline, incident, account, blocks)
    read = FileRead(
        file,
        layout.kind,
        layout.clock,
        layout.has_offset,
        account.counts,
        account.first,
        _moment(account.begins),
        _moment(account.ends),
        blocks.fault,
    )
    return read, part


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _baseline_entries(
    pieces: Iterator[tuple[int, bytes]],
    layout: Layout,
    baseline: Window,
    incident: Window,
    account: _Account,
    blocks: Blocks,
) -> Generator[LogEntry, None, Part | None]:
    lines = _Lines(layout, baseline, account)
    part: Part | None = None
    for place, block in pieces:
        before, first = lines.read, account.counts["lines"]
        account.add("cut", first + 1, blocks.cut - account.counts["cut"])
        entries, times = lines.of(block)
        yield from entries
        if account.add_times(times, baseline, incident, first + 1):
            end = place + len(block)
            part = replace(part, end=end) if part else Part(layout, place, before, end)
    yield from lines.held
    return part


def second_reading(file: LogFile, part: Part, incident: Window) -> Iterator[LogEntry]:
    """The incident's entries of a file, in the part that holds them.

    Raises WorkProblem where the file can't be read.
    """
    lines = _Lines(part.layout, incident, _Account(), part.lines_before)
    for place, block in _readable(Blocks(file.path), file, part.start):
        if place >= part.end and not lines.is_open:
            break
        yield from lines.of(block)[0]
    yield from lines.held


def _readable(blocks: Blocks, file: LogFile, start: int = 0) -> Iterator[tuple[int, bytes]]:
    try:
        yield from blocks.read(start)
    except OSError as error:
        raise WorkProblem(f"logs: {file.name} can't be read: {error.strerror}") from None


@dataclass(slots=True)
class _Lines:
    """The lines of a file, block after block: `read` is how many there were, `held` the last entry, still open."""

    layout: Layout
    wanted: Window
    account: _Account
    read: int = 0
    held: list[LogEntry] = field(default_factory=list)
    is_open: bool = False
    has_begun: bool = False
    in_failure: bool = False

    def of(self, block: bytes) -> tuple[list[LogEntry], IntArray]:
        """The entries of the wanted window that are complete now, and the seconds of all entries of the block."""
        texts, undecoded, nulls = decoded(block)
        for kind, places in (("undecoded", undecoded), ("nulls", nulls)):
            self.account.add(kind, self.read + 1 + next(iter(places), 0), len(places))
        moment, content = self.layout.moment, self.layout.content
        start, stop = self.wanted.start.timestamp(), self.wanted.end.timestamp()
        entries, times = self.held, []
        for number, line in enumerate(texts, self.read + 1):
            found = moment(line)
            if found is None:
                self._without_time(line, number, entries)
                continue
            seconds, rest = found
            times.append(seconds)
            self.has_begun, self.in_failure = True, False
            self.is_open = start <= seconds < stop
            if self.is_open:
                level, message, scope = content(rest)
                if len(message) > LONGEST_MESSAGE:
                    self.account.add("long", number)
                    message = message[:LONGEST_MESSAGE]
                entries.append(LogEntry(seconds, level, message, scope, number))
        self.read += len(texts)
        self.account.add("lines", 1, len(texts))
        self.held = entries[-1:]
        return entries[:-1], np.array(times, dtype=np.int64)

    def _without_time(self, line: str, number: int, entries: list[LogEntry]) -> None:
        """Adds a line without a time to the account, and the failure that it tells to the entry before."""
        if not line or line.isspace():
            self.account.add("blank", number)
        elif self.layout.continues and self.has_begun and is_continuation(line, after_failure=self.in_failure):
            self.account.add("continued", number)
            self.in_failure = True
            failure = failure_in(line)
            if failure and self.is_open:
                message = entries[-1].message.partition(FAILURE)[0]
                entries[-1] = entries[-1]._replace(message=with_failure(message, failure)[:LONGEST_MESSAGE])
        else:
            self.account.add("untimed" if self.layout.is_parsed(line) else "unparsed", number)
