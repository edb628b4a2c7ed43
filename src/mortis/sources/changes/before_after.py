"""Two files, one from before a change and one from after it: their texts, and what their comparison comes to."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from mortis.problems import CaseProblem, InputProblem, WorkProblem
from mortis.records import Change
from mortis.sources.files import neighbours

MOST_BYTES = 16 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two files differ in: no change where they say the same. `note` tells what was compared and what wasn't."""

    changes: tuple[Change, ...]
    note: str


def read_text(name: str, *, root: Path, key: str) -> str:
    """The text of a file, whose path starts from `root`: UTF-8, or UTF-16 as PowerShell's `>` writes it.

    Raises InputProblem where there is no such file, or it is empty, too large or no text; WorkProblem where it can't be
    read. `key` says who names it.
    """
    raw = _bytes(name, root, key)
    if not raw.strip():
        raise InputProblem(f"{key}: {name} is empty; hand over a file with content")
    try:
        text = raw.decode("utf-16" if raw.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputProblem(f"{key}: {name} holds binary data; hand over text in UTF-8")
    return text


def plain_file(name: str, *, root: Path, key: str) -> Path:
    """The file of that name; raises CaseProblem where there is none: a pipe or a device would never end."""
    file = root / name
    if file.exists() and not file.is_file():
        what = "a folder" if file.is_dir() else "no plain file"
        raise CaseProblem(f"{key}: {name} is {what}; name a file")
    if not file.exists():
        raise CaseProblem(f"{key}: no such file: {name} (looked in {root.resolve()}){neighbours(file)}")
    return file


def _bytes(name: str, root: Path, key: str) -> bytes:
    """At most `MOST_BYTES` of a file."""
    file = plain_file(name, root=root, key=key)
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise WorkProblem(f"{key}: {name} can't be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise InputProblem(f"{key}: {name} is larger than {MOST_BYTES >> 20} MiB; hand over a smaller file")
    return raw
