"""Lines by template, level and time bucket: a sum, as every profile is."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.case import BUCKET_SECONDS
from mortis.records import Window
from mortis.sources.logs import LogEntry, Scope

Ints = npt.NDArray[np.int64]
Row = tuple[int, str]
"""A template's number and a level."""
Place = tuple[str, Scope]
"""The file that lines stand in, and the scope that they state."""
First = tuple[int, str, int]
"""When and where: whole seconds (epoch, UTC), the file and its line."""

FEWEST_BUCKETS = 24
MOST_BUCKETS = 6_000
MOST_SCOPES = 500


@dataclass(frozen=True, slots=True)
class Buckets:
    """Time cut into buckets: those of the baseline first, then those of the incident; the last of each may be short."""

    baseline: Window
    incident: Window
    seconds: int

    @classmethod
    def over(cls, baseline: Window, incident: Window) -> Buckets:
        """The longest buckets of which each window holds two dozen, or the shortest that are not too many."""
        shortest = min(baseline.seconds, incident.seconds) / FEWEST_BUCKETS
        fewest = (baseline.seconds + incident.seconds) / MOST_BUCKETS
        lengths = sorted(BUCKET_SECONDS.values())
        fitting = [length for length in lengths if length <= shortest] or lengths[:1]
        return cls(baseline, incident, next((n for n in lengths if n >= max(fitting[-1], fewest)), lengths[-1]))

    @property
    def split(self) -> int:
        """How many buckets the baseline has."""
        return self._within(self.baseline)

    def __len__(self) -> int:
        return self.split + self._within(self.incident)

    def _within(self, window: Window) -> int:
        return max(1, -int(-window.seconds // self.seconds))


@dataclass(frozen=True, slots=True, eq=False)
class TemplateCounts:
    """How many lines there are by template and level in each of `size` buckets; `TemplateCounts()` is the identity.

    `places` tells the lines of a template by whether they are the incident's and where they stand; `firsts` the first
    of a template in the incident.

    >>> a = TemplateCounts(2, {(0, "INFO"): np.array([3, 1])})
    >>> b = TemplateCounts(2, {(0, "INFO"): np.array([0, 1]), (4, "ERROR"): np.array([0, 7])})
    >>> {row: lines.tolist() for row, lines in (a + b + TemplateCounts()).rows.items()}
    {(0, 'INFO'): [3, 2], (4, 'ERROR'): [0, 7]}
    """

    size: int = 0
    rows: Mapping[Row, Ints] = field(default_factory=dict)
    places: Mapping[tuple[int, bool, Place], int] = field(default_factory=dict)
    firsts: Mapping[int, First] = field(default_factory=dict)

    def __add__(self, other: TemplateCounts) -> TemplateCounts:
        if not self.size or not other.size:
            return self if self.size else other
        if self.size != other.size:
            raise ValueError(f"counts of {self.size} and of {other.size} buckets can't be added")
        return TemplateCounts(
            self.size,
            _summed([*self.rows.items(), *other.rows.items()]),
            _summed([*self.places.items(), *other.places.items()]),
            _earliest([*self.firsts.items(), *other.firsts.items()]),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TemplateCounts):
            return NotImplemented
        mine, its = ({row: n.tolist() for row, n in one.rows.items() if n.any()} for one in (self, other))
        return (mine, self.places, self.firsts) == (its, other.places, other.firsts)

    __hash__ = None  # type: ignore[assignment]  # compared by content, which is mutable NumPy memory

    def renumbered(self, number: Callable[[int], int]) -> TemplateCounts:
        """The same lines with other numbers of templates; those that get the same one are added up."""
        return TemplateCounts(
            self.size,
            _summed([((number(old), level), n) for (old, level), n in self.rows.items()]),
            _summed([((number(old), late, place), n) for (old, late, place), n in self.places.items()]),
            _earliest([(number(old), first) for old, first in self.firsts.items()]),
        )


def _summed(items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    sums: dict[Any, Any] = {}
    for key, value in items:
        sums[key] = sums[key] + value if key in sums else value
    return sums


def _earliest(items: Iterable[tuple[int, First]]) -> dict[int, First]:
    firsts: dict[int, First] = {}
    for number, first in items:
        firsts[number] = min(first, firsts.get(number, first))
    return firsts


def count_entries(
    entries: Iterable[LogEntry], number_of: Callable[[str], int], buckets: Buckets, *, file: str, in_incident: bool
) -> TemplateCounts:
    """The lines of a file's entries in one of the windows, by what `number_of` says of their messages.

    Where a file states more than MOST_SCOPES scopes, lines of further ones count as stating none.
    """
    window = buckets.incident if in_incident else buckets.baseline
    origin = math.ceil(window.start.timestamp()) - (buckets.split * buckets.seconds if in_incident else 0)
    seconds_each, size = buckets.seconds, len(buckets)
    rows: defaultdict[Row, array[int]] = defaultdict(lambda: array("q", bytes(8 * size)))
    places: dict[Scope, defaultdict[int, int]] = {}
    firsts: dict[int, First] = {}
    for seconds, level, message, scope, line in entries:
        number = number_of(message)
        rows[number, level][(seconds - origin) // seconds_each] += 1
        if scope not in places:
            scope = scope if len(places) < MOST_SCOPES else ()  # noqa: PLW2901  too many to be kept apart
            places.setdefault(scope, defaultdict(int))
        places[scope][number] += 1
        first = firsts.get(number)
        if first is None or seconds < first[0] or (seconds == first[0] and line < first[2]):
            firsts[number] = (seconds, file, line)
    return TemplateCounts(
        size,
        {row: np.frombuffer(lines, dtype=np.int64) for row, lines in rows.items()},
        {(number, in_incident, (file, scope)): n for scope, own in places.items() for number, n in own.items()},
        firsts if in_incident else {},
    )
