"""Log files: their entries in time, level, message and scope, and an account of every line that was read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from mortis.case import LogsSource
from mortis.problems import listed
from mortis.records import Input, Window
from mortis.sources.files import find_files
from mortis.sources.logs.layouts import Scope
from mortis.sources.logs.reading import (
    LONGEST_MESSAGE,
    FileRead,
    LogEntry,
    LogFile,
    Part,
    first_reading,
    second_reading,
)
from mortis.sources.tables import fingerprint_of_files

__all__ = ["LONGEST_MESSAGE", "FileRead", "LogEntry", "LogFile", "LogReading", "Scope", "read_logs"]


class LogReading:
    """The entries of log files: those of the baseline first, then those of the incident.

    Files may be in any order and reach over both windows. The first reading goes over all of each file and hands on the
    baseline's entries; the second goes over the parts that hold entries of the incident. Nothing is kept but what
    `files` tells of each file, which is complete after the first reading.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[LogFile]],
        baseline: Window,
        incident: Window,
        *,
        sensitive: Collection[str] = (),
    ) -> None:
        self._sources = sources
        self._files = tuple(dict.fromkeys(file for files in sources.values() for file in files))
        self._sensitive = tuple(sensitive)
        self._read: dict[LogFile, tuple[FileRead, Part | None]] = {}
        self.baseline = baseline
        self.incident = incident

    @property
    def files(self) -> tuple[FileRead, ...]:
        """What came of each file, in order; nothing before its first reading."""
        return tuple(self._read[file][0] for file in self._files if file in self._read)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What was read, by source as the case states it: the lines of its files; complete after the first reading."""
        return tuple(
            Input(
                stated,
                sum(self._read[file][0].counts.get("lines", 0) for file in files if file in self._read),
                fingerprint_of_files(file.path for file in files),
                "logs",
            )
            for stated, files in self._sources.items()
        )

    def baseline_entries(self) -> Iterator[tuple[LogFile, Iterator[LogEntry]]]:
        """Each file with its entries of the baseline, to be taken one file after the other.

        Raises WorkProblem where a file can't be read.
        """
        for file in self._files:
            yield file, self._first(file)

    def incident_entries(self) -> Iterator[tuple[LogFile, Iterator[LogEntry]]]:
        """Each file with its entries of the incident; to be taken after the baseline's, else those are passed over.

        Raises WorkProblem where a file can't be read.
        """
        for file in self._files:
            if file not in self._read:
                for _ in self._first(file):
                    pass
        for file in self._files:
            part = self._read[file][1]
            if part is not None:
                yield file, second_reading(file, part, self.incident)

    def _first(self, file: LogFile) -> Iterator[LogEntry]:
        self._read[file] = yield from first_reading(file, self.baseline, self.incident, sensitive=self._sensitive)


def read_logs(
    sources: Sequence[LogsSource], *, root: Path, baseline: Window, incident: Window, sensitive: Collection[str] = ()
) -> LogReading:
    """The entries of a case's log files in its two windows; nothing is read yet.

    Keys of JSON lines named `sensitive` are passed over. Raises InputProblem where a path, folder or glob has no file.
    """
    files: dict[Path, LogFile] = {}
    of_sources: dict[str, list[LogFile]] = {}
    for i, source in enumerate(sources):
        parts = [source.files] if isinstance(source.files, str) else source.files
        own = of_sources.setdefault(listed(parts), [])
        for stated in parts:
            key = f"logs[{i}].files"
            found = find_files(
                stated, root=root, key=key, wanted=lambda file: not file.name.startswith("."), none_inside="file"
            )
            own += [files.setdefault(path.resolve(), LogFile(path, _name(path, root))) for path in found]
    return LogReading(of_sources, baseline, incident, sensitive=sensitive)


def _name(path: Path, root: Path) -> str:
    """A file's name in the case's folder, or its own where it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
