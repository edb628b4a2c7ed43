"""How far metric series moved in the incident, beside what they do between healthy stretches of the same length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mortis.profiles import Floats
from mortis.records import Harm, Window
from mortis.signals.direction import harm_of
from mortis.signals.season import DAY, Flags, Ints, between, median, without_season
from mortis.telemetry import MetricSeries

FEWEST_POINTS = (
    3  # in the incident, and in a healthy stretch: one point may be a slip, and the worst of two is one point
)
FEWEST_BASELINE = 20
FEWEST_STRETCHES = 3
MOST_STRETCHES = 500
ENOUGH_BY_CLOCK = 20  # stretches at the incident's hour of the day: as many as tell one in twenty
LONGEST_STRETCH = 0.25  # of the baseline, so that there are four at least
LASTING, BRIEF = 0.25, 0.0  # the share of a window's points that are its worst, three points at least
RELATIVE_FLOOR = 1e-3
MAD_TO_SIGMA = 1.4826
MEAN_DEVIATION_TO_SIGMA = 1.2533
BLOCK = 1 << 20  # values worked on at once, so that they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Stretches:
    """Where the healthy stretches of the baseline start (epoch seconds, ascending), how long each is (seconds).

    `by_clock` says that all of them start at the incident's time of day.
    """

    starts: Ints
    length: int
    by_clock: bool


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """How far one series moved in one direction, `index` being its place among those handed in.

    `score` is how far the median of the incident's worst points lies from the baseline's median, in units of the
    baseline's spread, positive where it lies in `direction`: of the worst `taken` among its `points`. `healthy` is the
    same figure for every healthy stretch, not a number where the series has too few points in it. `mostly_equal` says
    that more than half of the baseline's points are the same, `brief` that three points are taken instead of a quarter. `harm` is the
    direction known to be for the worse, `center` and `level` are the baseline's median and that of the worst points, as
    the series has them (its season included).
    """

    index: int
    direction: Harm
    harm: Harm | None
    score: float
    healthy: Floats
    center: float
    level: float
    taken: int
    points: int
    mostly_equal: bool = False
    brief: bool = False

    @property
    def usual(self) -> float:
        """The largest score of a healthy stretch, zero at least."""
        return max(0.0, float(np.nanmax(self.healthy)))


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A series that could not be judged, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Every shift that could be measured, in the order of the series, and the series without one."""

    shifts: tuple[Shift, ...]
    unjudged: tuple[Unjudged, ...]
    stretches: Stretches


def measure_shifts(series: Sequence[MetricSeries], *, baseline: Window, incident: Window) -> Measured:
    """How far each series moved, in its direction of harm where its name tells it, else both ways.

    There is a shift for the worst quarter of the incident's points, and one for the worst three where these are fewer:
    a failure may be much shorter than the window that holds it.

    >>> from datetime import UTC, datetime
    >>> moments = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 3, 4)]
    >>> seconds = np.arange(72) * 3600 + int(moments[0].timestamp())
    >>> calm = np.resize([10.0, 11.0, 12.0, 11.0, 10.0], 72)
    >>> slow = MetricSeries("latency", seconds, np.where(seconds < moments[1].timestamp(), calm, calm + 50))
    >>> shift, _ = measure_shifts([slow], baseline=Window(*moments[:2]), incident=Window(*moments[1:])).shifts
    >>> shift.direction, round(shift.score, 1), round(shift.usual, 1), shift.level
    ('up', 34.4, 0.9, 62.0)

    Source: scores by median and MAD as in Hampel (1974); one side and the worst points alone are Mortis' own.
    """
    stretches = healthy_stretches(baseline, incident)
    shifts: list[Shift] = []
    unjudged: dict[int, Unjudged] = {}
    for indices, values, seconds in _batches(series):
        cuts = _Cuts.of(seconds, baseline, incident, stretches)
        why = _unusable(values, cuts)
        unjudged |= {at: Unjudged(series[at].title, said) for at, said in zip(indices, why, strict=True) if said}
        usable = [row for row, said in enumerate(why) if not said]
        if not usable:
            continue
        whose = [indices[row] for row in usable]
        names = [series[at].name for at in whose]
        found = list(_shifts(_Batch.of(values[usable], seconds, cuts), whose, names))
        judged = {shift.index for shift in found}
        few = Unjudged(
            "", f"fewer than {FEWEST_STRETCHES} healthy stretches of the baseline hold {FEWEST_POINTS} points"
        )
        unjudged |= {at: Unjudged(series[at].title, few.why) for at in whose if at not in judged}
        shifts += found
    shifts.sort(key=lambda shift: (shift.index, shift.direction, -shift.taken))
    return Measured(tuple(shifts), tuple(unjudged[at] for at in sorted(unjudged)), stretches)


def healthy_stretches(baseline: Window, incident: Window) -> Stretches:
    """Stretches of the baseline as long as the incident, none overlapping another, the last at the baseline's end.

    An incident longer than a quarter of the baseline is compared with quarters. Where there are twenty at the
    incident's own time of day, these alone are taken; where there were more than 500, 500 spread evenly.

    >>> from datetime import UTC, datetime
    >>> day = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 7, 8)]
    >>> found = healthy_stretches(Window(day[0], day[1]), Window(day[1], day[2]))
    >>> len(found.starts), found.length, found.by_clock
    (6, 86400, False)
    """
    first, end = int(baseline.start.timestamp()), int(baseline.end.timestamp())
    length = max(1, int(min(incident.seconds, baseline.seconds * LONGEST_STRETCH)))
    clock = np.arange(int(incident.start.timestamp()) % DAY + first // DAY * DAY, end - length + 1, DAY)
    clock = clock[clock >= first]
    if length <= DAY and len(clock) >= ENOUGH_BY_CLOCK:
        return Stretches(clock[-MOST_STRETCHES:], length, by_clock=True)
    starts = np.arange(end - length, first - 1, -length)[::-1]
    if len(starts) > MOST_STRETCHES:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_STRETCHES).round().astype(np.int64)]
    return Stretches(starts, length, by_clock=False)


def _batches(series: Sequence[MetricSeries]) -> Iterator[tuple[list[int], Floats, Ints]]:
    """Series of the same times as one array (series, times), a bounded number of values at once."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for at, one in enumerate(series):
        groups[one.seconds.tobytes()].append(at)
    for group in groups.values():
        seconds = series[group[0]].seconds
        size = max(1, BLOCK // max(1, len(seconds)))
        for start in range(0, len(group), size):
            indices = group[start : start + size]
            values = np.stack([series[at].values for at in indices]).astype(np.float64)
            yield indices, np.where(np.isfinite(values), values, np.nan), seconds


@dataclass(frozen=True, slots=True)
class _Cuts:
    """The windows as places among the times: baseline, incident, and the healthy stretches (first, one past the last)."""

    baseline: slice
    incident: slice
    first: Ints
    stop: Ints

    @classmethod
    def of(cls, seconds: Ints, baseline: Window, incident: Window, stretches: Stretches) -> _Cuts:
        return cls(
            _slice(seconds, baseline),
            _slice(seconds, incident),
            np.searchsorted(seconds, stretches.starts),
            np.searchsorted(seconds, stretches.starts + stretches.length),
        )


def _slice(seconds: Ints, window: Window) -> slice:
    """The places of the times inside a window."""
    return slice(*np.searchsorted(seconds, [window.start.timestamp(), window.end.timestamp()]).tolist())


def _unusable(values: Floats, cuts: _Cuts) -> list[str]:
    """Why each series can't be judged by its points; empty where it can."""
    before, after = (np.isfinite(values[:, cut]).sum(axis=1).tolist() for cut in (cuts.baseline, cuts.incident))
    return [_too_few(*counts) for counts in zip(before, after, strict=True)]


def _too_few(before: int, after: int) -> str:
    if not before and not after:
        return "no value in either window"
    if not before:
        return f"no value in the baseline, {after} in the incident: it may have begun with the incident"
    if not after:
        return f"{before} values in the baseline, none in the incident: it stopped, or its collection did"
    if before < FEWEST_BASELINE:
        return f"{before} values in the baseline, fewer than {FEWEST_BASELINE}"
    return f"{after} values in the incident, fewer than {FEWEST_POINTS}" if after < FEWEST_POINTS else ""


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Series of the same times without their season, and what a score is measured with: (series,) each."""

    raw: Floats
    values: Floats
    cuts: _Cuts
    center: Floats
    scale: Floats
    widening: Floats
    mostly_equal: Flags

    @classmethod
    def of(cls, raw: Floats, seconds: Ints, cuts: _Cuts) -> _Batch:
        level = without_season(raw, seconds, cuts.baseline, needed=cuts.incident)
        center, scale, equal = _yardstick(raw, level.values, cuts)
        return cls(raw, level.values, cuts, center, scale * level.widening, level.widening, equal)


def _yardstick(raw: Floats, values: Floats, cuts: _Cuts) -> tuple[Floats, Floats, Flags]:
    """The baseline's median and scale: the MAD's, or where most points are equal (the third) that of the mean deviation.

    Neither counts below a thousandth of the baseline's mean size. A baseline of zeros alone has no size: what leaves it
    is measured by the incident's.
    """
    known = values[:, cuts.baseline]
    center = median(known)
    off = np.abs(known - center[:, None])
    size = _mean(np.abs(raw[:, cuts.baseline]))
    floor = RELATIVE_FLOOR * np.where(size > 0, size, _mean(np.abs(raw[:, cuts.incident])))
    by_median = MAD_TO_SIGMA * median(off)
    equal = by_median <= floor
    scale = np.where(equal, np.maximum(MEAN_DEVIATION_TO_SIGMA * _mean(off), floor), by_median)
    # Where all is zero in both windows nothing moved, whatever the unit.
    return center, np.where(scale > 0, scale, 1.0), equal


def _mean(values: Floats) -> Floats:
    seen = np.isfinite(values)
    return np.asarray(np.where(seen, values, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))


def _shifts(batch: _Batch, whose: list[int], names: list[str]) -> Iterator[Shift]:
    """The shifts of a batch; none for a series that too few healthy stretches hold."""
    inside = batch.cuts.incident
    points = np.isfinite(batch.values[:, inside]).sum(axis=1)
    offsets = (batch.values - batch.center[:, None]) / batch.scale[:, None]
    stretches = _cut(offsets, batch.cuts)
    count = (np.isfinite(stretches).sum(axis=2) >= FEWEST_POINTS).sum(axis=1)
    # A stretch is compared with a median and a season that it helped to make; the incident is not.
    apart = (batch.widening * np.where(count > 1, count / np.maximum(count - 1, 1), 1.0))[:, None]
    center = median(batch.raw[:, batch.cuts.baseline])
    for share in (LASTING, BRIEF):
        healthy = _by_direction(apart, worst(stretches, share))
        score = _by_direction(1.0, worst(offsets[:, inside], share))
        level = worst(batch.raw[:, inside], share)
        taken = _taken(points, share)
        asked = (count >= FEWEST_STRETCHES) & ((share == LASTING) | (taken < _taken(points, LASTING)))
        for row in np.flatnonzero(asked).tolist():
            harm = harm_of(names[row])
            for way in _directions(harm):
                yield Shift(
                    index=whose[row],
                    direction=way,
                    harm=harm,
                    score=float(score[way][row]),
                    healthy=healthy[way][row],
                    center=float(center[row]),
                    level=float(level[way == "up"][row]),
                    taken=int(taken[row]),
                    points=int(points[row]),
                    mostly_equal=bool(batch.mostly_equal[row]),
                    brief=share == BRIEF,
                )


def _directions(harm: Harm | None) -> tuple[Harm, ...]:
    return ("down", "up") if harm is None else (harm,)


def _by_direction(factor: Floats | float, ends: tuple[Floats, Floats]) -> dict[Harm, Floats]:
    """Offsets of the lowest and the highest points as scores: positive in their own direction."""
    return {"down": -factor * ends[0], "up": factor * ends[1]}


def _cut(values: Floats, cuts: _Cuts) -> Floats:
    """The stretches' values, (series, stretches, points), filled up with NaN where a stretch has fewer points."""
    longest = int((cuts.stop - cuts.first).max(initial=0))
    place = cuts.first[:, None] + np.arange(longest)
    inside = place < cuts.stop[:, None]
    taken = values[:, np.minimum(place, values.shape[1] - 1)]
    return np.where(inside, taken, np.nan)


def worst(values: Floats, share: float = LASTING) -> tuple[Floats, Floats]:
    """The medians of the lowest and of the highest `share` of points over the last axis, three points at least.

    Not a number where there are fewer than three.

    >>> low, high = worst(np.array([5.0, 1.0, 9.0, 2.0, 8.0]))
    >>> float(low), float(high)
    (2.0, 8.0)
    """
    ordered = np.sort(values, axis=-1)
    known = np.isfinite(values).sum(axis=-1)
    taken = _taken(known, share)
    there = known >= FEWEST_POINTS
    near, far = (taken - 1) // 2, taken // 2
    return between(ordered, near, far, there), between(ordered, known - 1 - far, known - 1 - near, there)


def _taken(known: Ints, share: float) -> Ints:
    """How many of a window's points are its worst."""
    return np.maximum(FEWEST_POINTS, np.ceil(share * known).astype(np.int64))
