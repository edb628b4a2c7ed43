"""The daily and weekly course of metric series, estimated on the baseline and taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.profiles import Floats

HOUR, DAY, WEEK = 3600, 86_400, 604_800
FEWEST_CYCLES = 2
WORTH = 0.8  # a season is taken out where it leaves at most this share of the spread

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Level:
    """Series of the same times without their season.

    `values` is (series, times), `period` the season's length in seconds (0 where none was taken out). What a profile of
    few cycles leaves of these very cycles is less than what it leaves of a new one: `widening` says how many times.
    """

    values: Floats
    period: Ints
    widening: Floats


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the times stand in a season's cycles.

    `phase` is that of every time. The baseline's times fall into cells (an hour of one cycle, say): `first` is where
    each begins among them, `cycle` and `cell_phase` tell which one it is.
    """

    period: int
    phase: Ints
    first: Ints
    cycle: Ints
    cell_phase: Ints
    cycles: int
    phases: int

    @property
    def widening(self) -> float:
        """How many times less the cycles' mean leaves of these very cycles than of another one."""
        return float(np.sqrt((self.cycles + 1) / (self.cycles - 1)))


def without_season(values: Floats, seconds: Ints, known: slice, *, needed: slice) -> Level:
    """The series (series, times) without the day or the week, whichever explains more of each; as they are without one.

    `known` are the baseline's times, on which the season is estimated: the median over its cycles of the means by hour
    (by day, for the week of a series of days). Two cycles at least must be there. A phase that the baseline lacks has
    no value afterwards; a season that lacks one among the times `needed` is not taken out.

    >>> seconds = np.arange(72) * 3600
    >>> daily = np.where(seconds % DAY < 6 * HOUR, 1.0, 5.0)[None, :]
    >>> level = without_season(daily, seconds, slice(0, 48), needed=slice(48, 72))
    >>> int(level.period[0]), float(np.ptp(level.values))
    (86400, 0.0)

    Source: seasonal adjustment by phase medians; the widening is that of a mean of n cycles.
    """
    level = Level(values, np.zeros(len(values), dtype=np.int64), np.ones(len(values)))
    if not len(seconds[known]):
        return level
    step = max(HOUR, int(np.median(np.diff(seconds)))) if len(seconds) > 1 else HOUR
    least = np.full(len(values), np.inf)
    for period, phase_length in ((DAY, step), (WEEK, min(DAY, step))):
        places = _places(seconds, known, period, phase_length)
        if places is not None:
            level, least = _if_better(level, least, values, _Profile.of(values[:, known], places), needed)
    return level


def _places(seconds: Ints, known: slice, period: int, phase_length: int) -> _Places | None:
    """None where the baseline doesn't hold two cycles, or a cycle not two phases."""
    baseline = seconds[known]
    cycles = int((baseline[-1] - baseline[0] + phase_length) // period)
    phases = -(-period // phase_length)
    if cycles < FEWEST_CYCLES or phases < 2:
        return None
    phase = seconds % period // phase_length
    cycle = baseline // period
    cell = cycle * phases + phase[known]
    first = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
    return _Places(period, phase, first, cycle[first] - cycle[0], phase[known][first], cycles, phases)


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """The level of each phase (series, phases), and what it leaves of the baseline's cells beside what there is."""

    places: _Places
    levels: Floats
    spread: Floats
    left: Floats

    @classmethod
    def of(cls, values: Floats, places: _Places) -> _Profile:
        """The median over the cycles of the means by cell; not a number where fewer than two cycles show a phase."""
        seen = np.isfinite(values)
        total = np.add.reduceat(np.where(seen, values, 0.0), places.first, axis=1)
        count = np.add.reduceat(seen, places.first, axis=1, dtype=np.float64)
        by_cycle = np.full((len(values), places.phases, int(places.cycle.max()) + 1), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            by_cycle[:, places.cell_phase, places.cycle] = total / count
        shown = np.isfinite(by_cycle).sum(axis=-1) >= FEWEST_CYCLES
        levels = np.where(shown, median(by_cycle), np.nan)
        cells = by_cycle.reshape(len(values), -1)
        left = places.widening * _mean_size((by_cycle - levels[..., None]).reshape(cells.shape))
        return cls(places, levels, _mean_size(cells - mean(cells)[:, None]), left)


def _if_better(level: Level, least: Floats, values: Floats, profile: _Profile, needed: slice) -> tuple[Level, Floats]:
    """The level without the profile's season where that leaves less than others, and enough less than there is."""
    there = np.isfinite(profile.levels[:, np.unique(profile.places.phase[needed])]).all(axis=1)
    better = there & (profile.left < np.minimum(least, WORTH * profile.spread))
    if not better.any():
        return level, least
    flat = level.values.copy()
    flat[better] = values[better] - profile.levels[better][:, profile.places.phase]
    places = profile.places
    period, widening = (
        np.where(better, new, old) for new, old in ((places.period, level.period), (places.widening, level.widening))
    )
    return Level(flat, period, widening), np.where(better, profile.left, least)


def mean(values: Floats) -> Floats:
    """The mean of what is known of each series, (series, points); zero where nothing is."""
    seen = np.isfinite(values)
    return np.asarray(np.where(seen, values, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))


def _mean_size(values: Floats) -> Floats:
    return mean(np.abs(values))


def median(values: Floats) -> Floats:
    """Medians over the last axis, of what is known; not a number where nothing is.

    >>> median(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])).tolist()
    [2.0, nan]
    """
    ordered = np.sort(values, axis=-1)
    known = np.isfinite(values).sum(axis=-1)
    return between(ordered, (known - 1) // 2, known // 2, known > 0)


def between(ordered: Floats, low: Ints, high: Ints, there: Flags) -> Floats:
    """The mean of two entries of the last axis, by their places; not a number where `there` is false."""
    rows = ordered.reshape(-1, ordered.shape[-1])
    at = np.arange(len(rows))
    a, b = (rows[at, np.where(there, place, 0).ravel()].reshape(there.shape) for place in (low, high))
    return np.where(there, a + (b - a) / 2, np.nan)
