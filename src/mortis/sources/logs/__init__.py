"""Log files: their entries in time, level, message and scope, and an account of every line that was read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from mortis.case import LogsSource
from mortis.records import Window
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

__all__ = ["LONGEST_MESSAGE", "FileRead", "LogEntry", "LogFile", "LogReading", "Scope", "read_logs"]


class LogReading:
    """The entries of log files: those of the baseline first, then those of the incident.

    Files may be in any order and reach over both windows. The first reading goes over all of each file and hands on the
    baseline's entries; the second goes over the parts that hold entries of the incident. Nothing is kept but what
    `files` tells of each file, which is complete after the first reading.
    """

    def __init__(
        self, files: Sequence[LogFile], baseline: Window, incident: Window, *, sensitive: Collection[str] = ()
    ) -> None:
        self._files = tuple(files)
        self._sensitive = tuple(sensitive)
        self._read: dict[LogFile, tuple[FileRead, Part | None]] = {}
        self.baseline = baseline
        self.incident = incident

    @property
    def files(self) -> tuple[FileRead, ...]:
        """What came of each file, in order; nothing before its first reading."""
        return tuple(self._read[file][0] for file in self._files if file in self._read)

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
    for i, source in enumerate(sources):
        for stated in [source.files] if isinstance(source.files, str) else source.files:
            key = f"logs[{i}].files"
            found = find_files(
                stated, root=root, key=key, wanted=lambda file: not file.name.startswith("."), none_inside="file"
            )
            for path in found:
                files.setdefault(path.resolve(), LogFile(path, _name(path, root)))
    return LogReading(tuple(files.values()), baseline, incident, sensitive=sensitive)


def _name(path: Path, root: Path) -> str:
    """A file's name in the case's folder, or its own where it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
