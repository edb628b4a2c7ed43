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
    """Where the times stand: their phase, the cells (an hour of one cycle) of the baseline's times, and those cells'
    cycle and phase.
    """

    phase: Ints
    first: Ints
    cycle: Ints
    cell_phase: Ints
    cycles: int
    phases: int


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

    Source: seasonal adjustment by phase medians; the widening is that of a mean of n cycles, ((n + 1) / (n - 1)) ** 0.5.
    """
    level = Level(values, np.zeros(len(values), dtype=np.int64), np.ones(len(values)))
    if len(seconds) < 2 or not len(seconds[known]):
        return level
    best = _spread(values[:, known])
    step = max(HOUR, int(np.median(np.diff(seconds))))
    for period, phase_length in ((DAY, step), (WEEK, min(DAY, step))):
        places = _places(seconds, known, period, phase_length)
        if places is None:
            continue
        profile = _profile(values[:, known], places)
        widening = float(np.sqrt((places.cycles + 1) / (places.cycles - 1)))
        left = values - profile[:, places.phase]
        spread = widening * _spread(left[:, known])
        there = np.isfinite(profile[:, np.unique(places.phase[needed])]).all(axis=1)
        better = there & (spread < best * np.where(level.period == 0, WORTH, 1.0))
        level = Level(
            np.where(better[:, None], left, level.values),
            np.where(better, period, level.period),
            np.where(better, widening, level.widening),
        )
        best = np.where(better, spread, best)
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
    return _Places(phase, first, cycle[first] - cycle[0], phase[known][first], cycles, phases)


def _profile(values: Floats, places: _Places) -> Floats:
    """The level of each phase, (series, phases); not a number where fewer than two cycles show it."""
    seen = np.isfinite(values)
    total = np.add.reduceat(np.where(seen, values, 0.0), places.first, axis=1)
    count = np.add.reduceat(seen, places.first, axis=1, dtype=np.float64)
    by_cycle = np.full((len(values), int(places.cycle.max()) + 1, places.phases), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_cycle[:, places.cycle, places.cell_phase] = total / count
    cycles = np.isfinite(by_cycle).sum(axis=1)
    return np.where(cycles >= FEWEST_CYCLES, median(np.moveaxis(by_cycle, 1, -1)), np.nan)


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
    ends = (np.where(there, place, 0)[..., None] for place in (low, high))
    a, b = (np.take_along_axis(ordered, place, axis=-1)[..., 0] for place in ends)
    return np.where(there, a + (b - a) / 2, np.nan)


def _spread(values: Floats) -> Floats:
    """The mean absolute deviation of each series; zero where nothing is known."""
    seen = np.isfinite(values)
    n = np.maximum(seen.sum(axis=1), 1)
    filled = np.where(seen, values, 0.0)
    mean = filled.sum(axis=1) / n
    return np.asarray(np.where(seen, np.abs(filled - mean[:, None]), 0.0).sum(axis=1) / n)
