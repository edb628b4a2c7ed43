"""The case file as YAML: what was guessed stands as keys, the rest as comments that show how it would be stated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from mortis.problems import printable

_PLAIN = re.compile(r"[A-Za-z_./][\w./-]*", re.ASCII)
_BOOLEAN_ELSEWHERE = {"y", "n"}  # PyYAML reads them as text, YAML 1.1 doesn't
_COMMENT_COLUMN = 46


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of the case file with a comment; where `value` is None, `example` shows how it would be stated."""

    key: str
    value: Any
    comment: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A key with keys inside, or, with `key` empty, keys of the top level."""

    key: str
    entries: tuple[Entry, ...]


def stated(moment: datetime) -> str:
    """A moment as a case file states it: the date alone at midnight.

    >>> from datetime import UTC
    >>> stated(datetime(2013, 8, 1, tzinfo=UTC)), stated(datetime(2013, 8, 1, 6, tzinfo=UTC))
    ('2013-08-01', '2013-08-01T06:00:00Z')
    """
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.date().isoformat() if midnight else moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def scalar(value: Any) -> str:
    """A value as YAML on one line: text is quoted wherever a reader could take it for anything else.

    >>> scalar("y_pred"), scalar("yes"), scalar("a: b"), scalar(0.5), scalar(["x", "1"]), scalar({"a b": "p"})
    ('y_pred', '"yes"', '"a: b"', '0.5', '[x, "1"]', '{"a b": p}')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {scalar(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(scalar(one) for one in value) + "]"
    if isinstance(value, datetime):
        return stated(value)
    if isinstance(value, str) and _stays_text(value):
        return value
    style = '"' if isinstance(value, str) else None
    dumped: str = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=float("inf"))
    return dumped.removesuffix("\n").removesuffix("...").strip()


def _stays_text(value: str) -> bool:
    """Whether YAML reads a text as itself without quotes, in a list as well."""
    return (
        _PLAIN.fullmatch(value) is not None
        and value.lower() not in _BOOLEAN_ELSEWHERE
        and yaml.safe_load(f"[{value}]") == [value]
    )


def written(head: Iterable[str], sections: Iterable[Section]) -> str:
    """The whole text of the case file."""
    lines = [f"# {printable(line)}".rstrip() for line in head]
    for section in sections:
        lines += ["", *(_section(section) if section.key else _entries(section.entries, indent=""))]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> list[str]:
    stated = any(entry.value is not None for entry in section.entries)
    return [f"{'' if stated else '# '}{section.key}:", *_entries(section.entries, indent="  " if stated else "#   ")]


def _entries(entries: Iterable[Entry], *, indent: str) -> list[str]:
    return [_line(entry, indent) for entry in entries]


def _line(entry: Entry, indent: str) -> str:
    if entry.value is not None:
        stated = f"{indent}{entry.key}: {scalar(entry.value)}"
    else:
        mark = "" if indent.startswith("#") else "# "
        stated = f"{indent}{mark}{entry.key}: {entry.example}".rstrip()
    comment = printable(entry.comment)
    return f"{stated:<{_COMMENT_COLUMN}}  # {comment}" if comment else stated
