"""A post-mortem cut to a size that a reader, a mail and a browser can take, whatever the data hold."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from mortis.document.figures import count
from mortis.document.timeline import thinned
from mortis.records import Postmortem

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is shown: letters of a text, letters of a value in a table, entries of a list."""

    text: int
    value: int
    items: int


# Tried in turn until the document is small enough; the last fits whatever it is given.
LEVELS = (Limits(8000, 240, 200), Limits(3000, 200, 60), Limits(1000, 120, 25), Limits(200, 60, 10), Limits(60, 30, 5))


def shortened(record: Record, limits: Limits) -> Record:
    """A copy of the record with long texts and lists cut; the metric's series is thinned instead.

    >>> from mortis.records import NotChecked
    >>> shortened(NotChecked("what", "x" * 50, ""), Limits(text=10, value=5, items=3)).why
    'xxxxxxxxxx… (40 more characters)'
    """
    if isinstance(record, Postmortem):
        failure = replace(record.failure, series=thinned(record.failure.series))
        record = replace(record, failure=replace(failure, series=()))
        short: Postmortem = _cut(record, limits)
        return replace(short, failure=replace(short.failure, series=failure.series))
    return _cut(record, limits)


def _cut(value: Any, limits: Limits) -> Any:
    if isinstance(value, str):
        return cut_text(value, limits.text)
    if isinstance(value, tuple):
        return tuple(_cut(item, limits) for item in value[: limits.items])
    if isinstance(value, dict):
        pairs = list(value.items())[: limits.items]
        return {cut_text(str(k), limits.value): _cut_value(v, limits) for k, v in pairs}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _cut(getattr(value, f.name), limits) for f in fields(value)})
    return value


def _cut_value(value: Any, limits: Limits) -> Any:
    return cut_text(value, limits.value) if isinstance(value, str) else value


def cut_text(text: str, most: int) -> str:
    """The text, or its beginning and how much is left out."""
    return text if len(text) <= most else f"{text[:most]}… ({count(len(text) - most)} more characters)"


def left_out(full: Postmortem, shown: Postmortem) -> dict[str, int]:
    """How many entries of each list are not shown."""
    names = [f.name for f in fields(full) if isinstance(getattr(full, f.name), tuple)]
    return {name: len(getattr(full, name)) - len(getattr(shown, name)) for name in names}
