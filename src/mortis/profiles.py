"""Mergeable summaries: every profile is a sum with an identity, `+` and JSON, and is all that the steps read.

Counts are kept by cell. A cell of a feature is (bucket, version, outcome): the start of the time bucket in epoch
seconds, the served version, and what came of the prediction ("tp", "wrong", "unlabelled", ...). A cell of the quality
figures is (bucket, version). A window is a sum of cells, so moving a window needs no new pass over the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from mortis.records import Window

Floats = npt.NDArray[np.float64]
Cell = tuple[int | str, ...]
Keep = Callable[[Cell], bool]

OTHER = "(other)"
NULL = "(null)"
SKETCH_PLACES = 62  # as many as a signed 64-bit sum of shifted ones holds on every engine


def _aligned(
    parts: Sequence[tuple[Sequence[Any], Floats]], keys: Sequence[Any], fill: float, axis: int
) -> list[Floats]:
    """Each part's array with its rows (or columns) put at the places that `keys` gives them, `fill` elsewhere."""
    place = {key: i for i, key in enumerate(keys)}
    laid = []
    for own, values in parts:
        shape = list(values.shape)
        shape[axis] = len(keys)
        wide = np.full(shape, fill)
        where = [place[key] for key in own]
        if axis == 0:
            wide[where] = values
        else:
            wide[:, where] = values
        laid.append(wide)
    return laid


def _begins_in(window: Window) -> Keep:
    start, end = window.start.timestamp(), window.end.timestamp()
    return lambda cell: start <= int(cell[0]) < end


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sums by cell and slot: `values[i, j]` belongs to `cells[i]` and `slots[j]`; what is absent counts zero.

    >>> a = Tally.of({(0, "v1"): {"right": 3}})
    >>> b = Tally.of({(0, "v1"): {"right": 1, "wrong": 2}, (60, "v1"): {"right": 5}})
    >>> (a + b + Tally()).total()
    {'right': 9.0, 'wrong': 2.0}
    """

    cells: tuple[Cell, ...] = ()
    slots: tuple[str, ...] = ()
    values: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def of(cls, sums: Mapping[Cell, Mapping[str, float]]) -> Self:
        """A tally from nested mappings, cells in order."""
        cells = tuple(sorted(sums))
        slots = tuple(dict.fromkeys(slot for cell in cells for slot in sums[cell]))
        values = np.array([[sums[cell].get(slot, 0.0) for slot in slots] for cell in cells], dtype=float)
        return cls(cells, slots, values.reshape(len(cells), len(slots)))

    def __add__(self, other: Tally) -> Tally:
        if not self.cells:
            return other
        if not other.cells:
            return self
        cells = tuple(sorted({*self.cells, *other.cells}))
        slots = tuple(dict.fromkeys((*self.slots, *other.slots)))
        rows = _aligned([(self.cells, self.values), (other.cells, other.values)], cells, 0.0, 0)
        mine, theirs = _aligned([(self.slots, rows[0]), (other.slots, rows[1])], slots, 0.0, 1)
        return Tally(cells, slots, mine + theirs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tally):
            return NotImplemented
        return self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # compared by content, which is mutable NumPy memory

    def _content(self) -> dict[tuple[Cell, str], float]:
        """The figures that are not zero: two tallies that differ only in zeros or order are the same sum."""
        filled = np.argwhere(self.values)
        return {(self.cells[i], self.slots[j]): round(float(self.values[i, j]), 9) for i, j in filled}

    def where(self, keep: Keep) -> Tally:
        """The cells for which `keep` holds."""
        chosen = [i for i, cell in enumerate(self.cells) if keep(cell)]
        return Tally(tuple(self.cells[i] for i in chosen), self.slots, self.values[chosen])

    def within(self, window: Window) -> Tally:
        """The cells whose bucket begins in the window.

        >>> from datetime import UTC, datetime
        >>> day = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC))
        >>> Tally.of({(0, "v1"): {"rows": 2}, (86400, "v1"): {"rows": 5}}).within(day).total()
        {'rows': 2.0}
        """
        return self.where(_begins_in(window))

    def by(self, part: Callable[[Cell], Cell]) -> Tally:
        """The cells added up by a part of their key, such as the bucket alone."""
        keys = [part(cell) for cell in self.cells]
        cells = tuple(sorted(set(keys)))
        place = {cell: i for i, cell in enumerate(cells)}
        values = np.zeros((len(cells), len(self.slots)))
        np.add.at(values, [place[key] for key in keys], self.values)
        return Tally(cells, self.slots, values)

    def column(self, slot: str) -> Floats:
        """One slot's sums by cell; zeros where the slot was never counted."""
        return self.values[:, self.slots.index(slot)] if slot in self.slots else np.zeros(len(self.cells))

    def block(self, prefix: str) -> Floats:
        """The sums by cell of all slots whose name begins so, in the slots' numeric order: (cells, slots)."""
        chosen = sorted((int(s[len(prefix) :]), j) for j, s in enumerate(self.slots) if s.startswith(prefix))
        return self.values[:, [j for _, j in chosen]]

    def total(self) -> dict[str, float]:
        """The sum over all cells, by slot."""
        return dict(zip(self.slots, self.values.sum(axis=0).tolist(), strict=True)) if self.cells else {}

    def to_json(self) -> dict[str, Any]:
        """Plain lists, as JSON takes them."""
        return {"cells": [list(c) for c in self.cells], "slots": list(self.slots), "values": self.values.tolist()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tally that `to_json` wrote."""
        shape = (len(data["cells"]), len(data["slots"]))
        return cls(
            tuple(tuple(c) for c in data["cells"]),
            tuple(data["slots"]),
            np.array(data["values"], dtype=float).reshape(shape),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """Smallest and largest value by cell; merging takes the outer ones."""

    cells: tuple[Cell, ...] = ()
    low: Floats = field(default_factory=lambda: np.zeros(0))
    high: Floats = field(default_factory=lambda: np.zeros(0))

    def __add__(self, other: Extremes) -> Extremes:
        cells = tuple(sorted({*self.cells, *other.cells}))
        lows = _aligned([(self.cells, self.low), (other.cells, other.low)], cells, np.inf, 0)
        highs = _aligned([(self.cells, self.high), (other.cells, other.high)], cells, -np.inf, 0)
        return Extremes(cells, np.minimum(*lows), np.maximum(*highs))

    def where(self, keep: Keep) -> Extremes:
        """The cells for which `keep` holds."""
        chosen = [i for i, cell in enumerate(self.cells) if keep(cell)]
        return Extremes(tuple(self.cells[i] for i in chosen), self.low[chosen], self.high[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class DistinctSketch:
    """Which of 62 places the hashed values of each cell fell on; merging is a bitwise or.

    The estimate by linear counting is good to about 150 distinct values; above that it says only 'many'.
    Source: Whang, Vander-Zanden, Taylor 1990, 'A linear-time probabilistic counting algorithm'.
    """

    cells: tuple[Cell, ...] = ()
    bits: tuple[int, ...] = ()

    def __add__(self, other: DistinctSketch) -> DistinctSketch:
        merged: dict[Cell, int] = dict(zip(self.cells, self.bits, strict=True))
        for cell, bits in zip(other.cells, other.bits, strict=True):
            merged[cell] = merged.get(cell, 0) | bits
        cells = tuple(sorted(merged))
        return DistinctSketch(cells, tuple(merged[cell] for cell in cells))

    def where(self, keep: Keep) -> DistinctSketch:
        """The cells for which `keep` holds."""
        chosen = [i for i, cell in enumerate(self.cells) if keep(cell)]
        return DistinctSketch(tuple(self.cells[i] for i in chosen), tuple(self.bits[i] for i in chosen))

    @property
    def distinct(self) -> float:
        """Estimated number of distinct values; infinite where all places are taken, NaN where nothing was sketched."""
        if not self.cells:
            return float("nan")
        bits = 0
        for one in self.bits:
            bits |= one
        empty = SKETCH_PLACES - bits.bit_count()
        return float(-SKETCH_PLACES * np.log(empty / SKETCH_PLACES)) if empty else float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class NumberProfile:
    """A numeric column by cell: bucket counts between fixed edges, nulls, moments about a fixed centre, extremes.

    Bucket i holds edges[i-1] <= x < edges[i], open at both ends. `sums` has the slots bin:0 ... bin:k, "nulls" (null,
    NaN or infinite), "sum" and "square" (of x - centre).
    """

    edges: tuple[float, ...] = ()
    centre: float = 0.0
    sums: Tally = field(default_factory=Tally)
    extremes: Extremes = field(default_factory=Extremes)
    sketch: DistinctSketch = field(default_factory=DistinctSketch)

    def __add__(self, other: NumberProfile) -> NumberProfile:
        if self._is_identity:
            return other
        if other._is_identity:
            return self
        if (self.edges, self.centre) != (other.edges, other.centre):
            raise ValueError(f"profiles with different edges don't add: {self.edges} and {other.edges}")
        return replace(
            self,
            sums=self.sums + other.sums,
            extremes=self.extremes + other.extremes,
            sketch=self.sketch + other.sketch,
        )

    def where(self, keep: Keep) -> NumberProfile:
        """The part of the profile in the cells for which `keep` holds."""
        return replace(
            self, sums=self.sums.where(keep), extremes=self.extremes.where(keep), sketch=self.sketch.where(keep)
        )

    @property
    def _is_identity(self) -> bool:
        """Whether nothing was ever counted: an empty window still knows where its column is cut."""
        return not self.sums.cells and not self.edges and self.centre == 0

    @property
    def counts(self) -> Floats:
        """Rows by cell and bucket: (cells, len(edges) + 1)."""
        return self.sums.block("bin:")

    @property
    def n(self) -> int:
        """Rows that hold a finite value."""
        return int(self.counts.sum())

    @property
    def nulls(self) -> int:
        """Rows that hold none."""
        return int(self.sums.column("nulls").sum())

    @property
    def mean(self) -> float:
        """Mean over the cells; not a number where there is no value."""
        return self.centre + float(self.sums.column("sum").sum()) / self.n if self.n else float("nan")

    @property
    def std(self) -> float:
        """Standard deviation (of the population); not a number where there is no value."""
        if not self.n:
            return float("nan")
        first = float(self.sums.column("sum").sum()) / self.n
        return float(np.sqrt(max(float(self.sums.column("square").sum()) / self.n - first**2, 0.0)))

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value; (inf, -inf) where there is none."""
        return float(self.extremes.low.min(initial=np.inf)), float(self.extremes.high.max(initial=-np.inf))

    def quantile(self, q: float) -> float:
        """The q-quantile, interpolated inside its bucket; exact only at the edges."""
        counts = self.counts.sum(axis=0)
        if not counts.sum():
            return float("nan")
        low, high = self.range
        bounds = np.clip(np.array([low, *self.edges, high]), low, high)
        reached = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        return float(np.interp(q, reached, bounds))


@dataclass(frozen=True, slots=True, eq=False)
class CategoryProfile:
    """A categorical column by cell: rows per value; slots are the values as text, `(null)` and `(other)`.

    `distinct` is the number of values seen before the rare ones were folded into `(other)`; a merged profile's is at
    least the larger of the two.
    """

    sums: Tally = field(default_factory=Tally)
    distinct: int = 0

    def __add__(self, other: CategoryProfile) -> CategoryProfile:
        sums = self.sums + other.sums
        named = sum(1 for slot in sums.slots if slot not in (NULL, OTHER))
        return CategoryProfile(sums, max(self.distinct, other.distinct, named))

    def where(self, keep: Keep) -> CategoryProfile:
        """The part of the profile in the cells for which `keep` holds."""
        return replace(self, sums=self.sums.where(keep))

    @property
    def n(self) -> int:
        """Rows that hold a value."""
        return int(sum(rows for value, rows in self.sums.total().items() if value != NULL))

    @property
    def nulls(self) -> int:
        """Rows that hold none."""
        return int(self.sums.total().get(NULL, 0))


P = TypeVar("P", NumberProfile, CategoryProfile)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What one pass over the predictions leaves: quality figures by (bucket, version), columns by outcome as well.

    `outcomes` counts by (bucket, version) what came of the rows: its slots are the outcomes.
    `width` is the length of a time bucket in seconds, `rows` how many predictions were read.
    """

    width: int = 0
    rows: int = 0
    quality: Tally = field(default_factory=Tally)
    confusion: Tally = field(default_factory=Tally)
    numbers: dict[str, NumberProfile] = field(default_factory=dict)
    categories: dict[str, CategoryProfile] = field(default_factory=dict)
    outcomes: Tally = field(default_factory=Tally)

    def __add__(self, other: Profile) -> Profile:
        if self.width and other.width and self.width != other.width:
            raise ValueError(f"profiles of buckets of {self.width} s and {other.width} s don't add")
        return Profile(
            self.width or other.width,
            self.rows + other.rows,
            self.quality + other.quality,
            self.confusion + other.confusion,
            _merged(self.numbers, other.numbers, NumberProfile()),
            _merged(self.categories, other.categories, CategoryProfile()),
            self.outcomes + other.outcomes,
        )

    def where(self, keep: Keep) -> Profile:
        """The part of the profile in the cells for which `keep` holds; `keep` reads (bucket, version, ...)."""
        return Profile(
            self.width,
            self.rows,
            self.quality.where(keep),
            self.confusion.where(keep),
            {name: one.where(keep) for name, one in self.numbers.items()},
            {name: one.where(keep) for name, one in self.categories.items()},
            self.outcomes.where(keep),
        )

    def within(self, window: Window) -> Profile:
        """The part of the profile in the buckets that begin in the window."""
        return self.where(_begins_in(window))

    def to_json(self) -> str:
        """One JSON text that `from_json` reads back to an equal profile."""
        numbers = {
            name: {
                "edges": list(one.edges),
                "centre": one.centre,
                "sums": one.sums.to_json(),
                "extremes": [
                    [list(cell), float(low), float(high)]
                    for cell, low, high in zip(one.extremes.cells, one.extremes.low, one.extremes.high, strict=True)
                    if np.isfinite(low)
                ],
                "sketch": [[list(cell), bits] for cell, bits in zip(one.sketch.cells, one.sketch.bits, strict=True)],
            }
            for name, one in self.numbers.items()
        }
        categories = {n: {"sums": c.sums.to_json(), "distinct": c.distinct} for n, c in self.categories.items()}
        return json.dumps(
            {
                "width": self.width,
                "rows": self.rows,
                "quality": self.quality.to_json(),
                "confusion": self.confusion.to_json(),
                "numbers": numbers,
                "categories": categories,
                "outcomes": self.outcomes.to_json(),
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The profile that `to_json` wrote."""
        data = json.loads(text)
        return cls(
            data["width"],
            data["rows"],
            Tally.from_json(data["quality"]),
            Tally.from_json(data["confusion"]),
            {name: _number_from_json(one) for name, one in data["numbers"].items()},
            {n: CategoryProfile(Tally.from_json(c["sums"]), c["distinct"]) for n, c in data["categories"].items()},
            Tally.from_json(data["outcomes"]),
        )


def _number_from_json(data: Mapping[str, Any]) -> NumberProfile:
    extremes = data["extremes"]
    return NumberProfile(
        tuple(data["edges"]),
        data["centre"],
        Tally.from_json(data["sums"]),
        Extremes(
            tuple(tuple(cell) for cell, _, _ in extremes),
            np.array([low for _, low, _ in extremes], dtype=float),
            np.array([high for _, _, high in extremes], dtype=float),
        ),
        DistinctSketch(
            tuple(tuple(cell) for cell, _ in data["sketch"]),
            tuple(bits for _, bits in data["sketch"]),
        ),
    )


def _merged(mine: dict[str, P], theirs: dict[str, P], zero: P) -> dict[str, P]:
    """Column profiles added name by name; a column that only one side has is kept as it is."""
    return {name: mine.get(name, zero) + theirs.get(name, zero) for name in dict.fromkeys((*mine, *theirs))}


def merge(profiles: Iterable[Profile]) -> Profile:
    """The sum of many profiles, such as one per file or per day; the empty profile for none.

    >>> merge([Profile(3600, 10), Profile(3600, 5), Profile()]).rows
    15
    """
    whole = Profile()
    for one in profiles:
        whole = whole + one
    return whole
