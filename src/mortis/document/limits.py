"""A post-mortem cut to a size that a reader, a mail and a browser can take, whatever the data hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import islice
from typing import Any

from mortis.document.figures import count
from mortis.document.timeline import thinned
from mortis.records import Point, Postmortem


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is shown: letters of a text, letters of a value in a table, entries of a list."""

    text: int
    value: int
    items: int


# Tried in turn until the document is small enough; the last fits whatever it is given.
LEVELS = (Limits(8000, 240, 200), Limits(3000, 200, 60), Limits(1000, 120, 25), Limits(200, 60, 10), Limits(60, 30, 5))


def shortened(postmortem: Postmortem, limits: Limits) -> Postmortem:
    """A copy of the post-mortem with long texts and lists cut; the metric's series is thinned instead."""
    series = thinned(postmortem.failure.series)
    bare: Postmortem = _cut(replace(postmortem, failure=replace(postmortem.failure, series=())), limits)
    return replace(bare, failure=replace(bare.failure, series=series))


def weight(value: Any, limits: Limits, *, enough: int) -> int:
    """How many letters are left of a record after cutting; counting ends soon after `enough`.

    >>> weight(("x" * 50, "y"), Limits(10, 5, 3), enough=1000), weight(("x" * 50,) * 9, Limits(10, 5, 3), enough=15)
    (11, 20)
    """
    if isinstance(value, str):
        return min(len(value), limits.text)
    total = 0
    for part in _parts(value, limits):
        total += (
            min(len(part), limits.value) if isinstance(value, dict) else weight(part, limits, enough=enough - total)
        )
        if total > enough:
            break
    return total


def _parts(value: Any, limits: Limits) -> Iterator[Any]:
    """What a record, a tuple or a table of values consists of, as far as it is shown; a series' points are none."""
    if isinstance(value, tuple):
        yield from value[: limits.items]
    elif isinstance(value, dict):
        yield from (str(part) for pair in islice(value.items(), limits.items) for part in pair)
    elif is_dataclass(value) and not isinstance(value, Point | type):
        yield from (getattr(value, field.name) for field in fields(value))


def _cut(value: Any, limits: Limits) -> Any:
    if isinstance(value, str):
        return cut_text(value, limits.text)
    if isinstance(value, tuple):
        return tuple(_cut(item, limits) for item in value[: limits.items])
    if isinstance(value, dict):
        return _cut_table(value, limits)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _cut(getattr(value, f.name), limits) for f in fields(value)})
    return value


def _cut_table(table: dict[Any, Any], limits: Limits) -> dict[str, Any]:
    """The first entries with names and values cut; names that are cut alike stay apart by a number."""
    cut: dict[str, Any] = {}
    for number, (key, value) in enumerate(islice(table.items(), limits.items), start=1):
        name = cut_text(str(key), limits.value)
        name = f"{name} #{number}" if name in cut else name
        cut[name] = cut_text(value, limits.value) if isinstance(value, str) else value
    return cut


def cut_text(text: str, most: int) -> str:
    """The text, or its beginning and how much is left out.

    >>> cut_text("x" * 50, 10)
    'xxxxxxxxxx… (40 more characters)'
    """
    return text if len(text) <= most else f"{text[:most]}… ({count(len(text) - most)} more characters)"


def left_out(full: Postmortem, shown: Postmortem) -> dict[str, int]:
    """How many entries of each list are not shown."""
    names = [f.name for f in fields(full) if isinstance(getattr(full, f.name), tuple)]
    return {name: len(getattr(full, name)) - len(getattr(shown, name)) for name in names}
