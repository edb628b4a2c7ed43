"""One column in two windows, bucket by bucket: what every integrity check looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from mortis.engine.dataset import LABEL, LABEL_AGE, LATENCY, PREDICTION, SCORE
from mortis.profiles import NULL, OTHER, Cell, Floats, NumberProfile, Profile, Tally
from mortis.records import Window

Kind = Literal["number", "category"]
ROWS = "(rows)"

_NOT_FEATURES = (LABEL, LABEL_AGE, LATENCY)


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """A column's rows in one window: `rows` is (buckets, slots), buckets without rows included.

    `low` and `high` (buckets,) are the extremes of a number (inf and -inf where a bucket holds no value), `zeros` its
    rows that are exactly zero, where the pass counted them, `bits` the sketch of its distinct values.
    """

    rows: Floats
    low: Floats
    high: Floats
    zeros: Floats | None = None
    bits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column in the baseline and in the incident window, over the same slots.

    The slots of a number are its buckets, those of a category its values and `(other)`; the last slot is `(null)`.
    """

    name: str
    kind: Kind
    slots: tuple[str, ...]
    edges: tuple[float, ...]
    baseline: Counts
    incident: Counts

    @property
    def named(self) -> tuple[int, ...]:
        """Places of the slots that are a bucket or a value of their own."""
        return tuple(i for i, slot in enumerate(self.slots) if slot not in (NULL, OTHER))


class _Buckets:
    """The buckets of two windows, and where a tally's cells fall among them."""

    def __init__(self, profile: Profile, windows: Sequence[Window]) -> None:
        anchor = next((int(cell[0]) for cell in profile.quality.cells), 0) % max(profile.width, 1)
        self._starts = [_starts(window, profile.width, anchor) for window in windows]
        self._known: dict[int, list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]] = {}

    def sums(self, tally: Tally) -> list[Floats]:
        """The tally's sums by bucket, for each window: (buckets, slots)."""
        found = []
        for (place, chosen), starts in zip(self.places(tally.cells), self._starts, strict=True):
            sums = np.zeros((len(starts), len(tally.slots)))
            np.add.at(sums, place, tally.values[chosen])
            found.append(sums)
        return found

    def outer(self, cells: tuple[Cell, ...], low: Floats, high: Floats) -> list[tuple[Floats, Floats]]:
        """Smallest and largest values by bucket, for each window."""
        found = []
        for (place, chosen), starts in zip(self.places(cells), self._starts, strict=True):
            lows, highs = np.full(len(starts), np.inf), np.full(len(starts), -np.inf)
            np.minimum.at(lows, place, low[chosen])
            np.maximum.at(highs, place, high[chosen])
            found.append((lows, highs))
        return found

    def bits(self, cells: tuple[Cell, ...], bits: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Sketches joined by bucket, for each window; empty where nothing was sketched."""
        found: list[tuple[int, ...]] = []
        for (place, chosen), starts in zip(self.places(cells), self._starts, strict=True):
            joined = [0] * len(starts)
            for i, j in zip(place.tolist(), chosen.tolist(), strict=True):
                joined[i] |= bits[j]
            found.append(tuple(joined) if cells else ())
        return found

    def places(self, cells: tuple[Cell, ...]) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """For each window the bucket of its cells, and which cells these are; columns often share their cells."""
        if id(cells) not in self._known:
            at = np.array([int(cell[0]) for cell in cells], dtype=np.int64)
            self._known[id(cells)] = [_inside(at, starts) for starts in self._starts]
        return self._known[id(cells)]


def _starts(window: Window, width: int, anchor: int) -> npt.NDArray[np.int64]:
    """Starts of the buckets that begin in a window, as epoch seconds."""
    start, end = window.start.timestamp(), window.end.timestamp()
    if width < 1:
        return np.zeros(0, dtype=np.int64)
    first = int(np.ceil((start - anchor) / width)) * width + anchor
    return np.arange(first, int(np.ceil(end)), width, dtype=np.int64)


def _inside(
    at: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    if not len(starts):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    place = np.searchsorted(starts, at)
    chosen = np.flatnonzero((place < len(starts)) & (starts[np.minimum(place, len(starts) - 1)] == at))
    return place[chosen], chosen


def columns_of(profile: Profile, baseline: Window, incident: Window) -> tuple[Column, ...]:
    """Every column of a profile in the two windows: the model's output first, then the features by name.

    Labels, their age and latencies are not among them: they are no input or output of the model.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    >>> epoch = [int(day.timestamp()) for day in days]
    >>> from mortis.profiles import CategoryProfile
    >>> sums = Tally.of({(epoch[0], "v1", "tn"): {"eu": 3, "us": 1}, (epoch[1], "v1", "tn"): {"us": 4}})
    >>> quality = Tally.of({(epoch[0], "v1"): {"rows": 4}, (epoch[1], "v1"): {"rows": 4}})
    >>> profile = Profile(86400, 8, quality, categories={"region": CategoryProfile(sums)})
    >>> (region,) = columns_of(profile, Window(days[0], days[1]), Window(days[1], days[2]))
    >>> region.slots, region.baseline.rows.tolist(), region.incident.rows.tolist()
    (('eu', 'us', '(null)'), [[3.0, 1.0, 0.0]], [[0.0, 4.0, 0.0]])
    """
    buckets = _Buckets(profile, (baseline, incident))
    found = [_number(name, one, buckets) for name, one in profile.numbers.items() if name not in _NOT_FEATURES]
    found += [
        _category(name, one.sums, buckets) for name, one in profile.categories.items() if name not in _NOT_FEATURES
    ]
    predicted = _predicted(profile.quality)
    if PREDICTION not in profile.numbers and predicted.slots:
        found.append(_category(PREDICTION, predicted, buckets))
    return tuple(sorted(found, key=lambda column: (column.name not in (SCORE, PREDICTION), column.name)))


def traffic(profile: Profile, baseline: Window, incident: Window) -> Column:
    """All rows by bucket in the two windows, as a column of one slot."""
    rows = Tally(profile.quality.cells, (ROWS,), profile.quality.column("rows")[:, None])
    return _category(ROWS, rows, _Buckets(profile, (baseline, incident)), null=False)


def _predicted(quality: Tally) -> Tally:
    """Rows by predicted class, from the quality figures of a classifier; no slots where there are no classes."""
    if "positives" in quality.slots:
        positive = quality.column("positives")
        both = {"positive": positive, "negative": quality.column("predicted") - positive}
    else:
        both = {s.removeprefix("predicted="): quality.column(s) for s in quality.slots if s.startswith("predicted=")}
    values = np.column_stack(list(both.values())) if both else np.zeros((len(quality.cells), 0))
    return Tally(quality.cells, tuple(both), values)


def _number(name: str, profile: NumberProfile, buckets: _Buckets) -> Column:
    block = profile.counts
    slots = (*_ranges(profile.edges), NULL)
    values = np.column_stack([block, profile.sums.column("nulls")])
    zeros = Tally(profile.sums.cells, ("zeros",), profile.sums.column("zeros")[:, None])
    zero_rows: Sequence[Floats | None] = [None, None]
    if "zeros" in profile.sums.slots:
        zero_rows = [sums[:, 0] for sums in buckets.sums(zeros)]
    parts = zip(
        buckets.sums(Tally(profile.sums.cells, slots, values)),
        buckets.outer(profile.extremes.cells, profile.extremes.low, profile.extremes.high),
        zero_rows,
        buckets.bits(profile.sketch.cells, profile.sketch.bits),
        strict=True,
    )
    before, after = (Counts(rows, low, high, zero, bits) for rows, (low, high), zero, bits in parts)
    return Column(name, "number", slots, profile.edges, before, after)


def _ranges(edges: Sequence[float]) -> tuple[str, ...]:
    """The buckets between edges, in words.

    >>> _ranges((0.0, 2.5))
    ('below 0', '0 to below 2.5', '2.5 or more')
    """
    if not edges:
        return ("any value",)
    inner = [f"{low:.6g} to below {high:.6g}" for low, high in pairwise(edges)]
    return (f"below {edges[0]:.6g}", *inner, f"{edges[-1]:.6g} or more")


def _category(name: str, sums: Tally, buckets: _Buckets, *, null: bool = True) -> Column:
    values = sorted(slot for slot in sums.slots if slot not in (NULL, OTHER))
    wanted = (*values, *([OTHER] if OTHER in sums.slots else []), *([NULL] if null else []))
    laid = np.column_stack([sums.column(slot) for slot in wanted]) if wanted else np.zeros((len(sums.cells), 0))
    both = buckets.sums(Tally(sums.cells, wanted, laid))
    before, after = (Counts(rows, np.zeros(0), np.zeros(0)) for rows in both)
    return Column(name, "category", wanted, (), before, after)


def slots_of(profile: Profile, name: str) -> tuple[Kind, Mapping[str, float]] | None:
    """A column's kind and its rows by slot, over all of a profile; None where it was not profiled."""
    if name in profile.numbers:
        number = profile.numbers[name]
        rows = [*number.counts.sum(axis=0).tolist(), float(number.nulls)]
        return "number", dict(zip((*_ranges(number.edges), NULL), rows, strict=True))
    return ("category", profile.categories[name].sums.total()) if name in profile.categories else None


def kinds_of(profile: Profile) -> Mapping[str, Kind]:
    """Each feature's kind, by its name."""
    roles = (*_NOT_FEATURES, SCORE, PREDICTION)
    kinds: dict[str, Kind] = {name: "number" for name in profile.numbers if name not in roles}
    return kinds | {name: "category" for name in profile.categories if name not in roles}
