"""How far metric series moved in the incident, beside what they do between healthy stretches of the same length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mortis.problems import counted
from mortis.profiles import Floats
from mortis.records import Harm, Window
from mortis.signals.direction import harm_of
from mortis.signals.season import DAY, Flags, Ints, mean, median, without_season
from mortis.signals.worst import BRIEF, FEWEST_POINTS, LASTING, Ordered
from mortis.telemetry import MetricSeries

FEWEST_BASELINE = 20
FEWEST_STRETCHES = 3
MOST_STRETCHES = 500
ENOUGH_BY_CLOCK = 44  # stretches at the incident's time of day: so many that one of them may be wild
LEAD = 0.25  # of the incident's length: what leads to a failure begins before it, so the time just before isn't normal
LONGEST_STRETCH = 0.25  # of the baseline, so that there are four at least
RELATIVE_FLOOR = 1e-3
MAD_TO_SIGMA = 1.4826
MEAN_DEVIATION_TO_SIGMA = 1.2533
SIGNS: Mapping[Harm, float] = {"down": -1.0, "up": 1.0}
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

    `score` is how far the median of the worst `taken` among the incident's `points` lies from the baseline's median, in
    units of the baseline's spread, positive where it lies in `direction`. `healthy` is the same figure for every
    healthy stretch, not a number where the series has too few points in it. `brief` says that three points are taken
    instead of a quarter, `mostly_equal` that more than half of the baseline's are the same; `chance` is then that of as
    many points departing, where each does so as often as in the baseline. `harm` is the direction known to be for the
    worse; `center` and `level` are the baseline's median and that of the worst points, as the series has them (its
    season included).
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
    chance: float = 0.0
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

    There is a shift for the worst quarter of the incident's points, and one for the worst three where these are fewer
    and the baseline's points vary: a failure may be much shorter than the window that holds it.

    >>> from datetime import UTC, datetime
    >>> moments = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 3, 4)]
    >>> seconds = np.arange(72) * 3600 + int(moments[0].timestamp())
    >>> calm = np.resize([10.0, 11.0, 12.0, 11.0, 10.0], 72)
    >>> slow = MetricSeries("latency", seconds, np.where(seconds < moments[1].timestamp(), calm, calm + 50))
    >>> (shift,) = measure_shifts([slow], baseline=Window(*moments[:2]), incident=Window(*moments[1:])).shifts
    >>> shift.direction, round(shift.score, 1), round(shift.usual, 1), shift.level
    ('up', 34.4, 0.9, 62.0)

    Source: scores by median and MAD as in Hampel (1974); one side and the worst points alone are Mortis' own.
    """
    normal = normal_part(baseline, incident)
    stretches = healthy_stretches(normal, incident)
    shifts: list[Shift] = []
    unjudged: dict[int, Unjudged] = {}
    for indices, values, seconds in _batches(series):
        cuts = _Cuts.of(seconds, normal, incident, stretches)
        why = _unusable(values, cuts)
        unjudged |= {at: Unjudged(series[at].title, said) for at, said in zip(indices, why, strict=True) if said}
        usable = [row for row, said in enumerate(why) if not said]
        if not usable:
            continue
        whose = [indices[row] for row in usable]
        names = [series[at].name for at in whose]
        found = list(_shifts(_Batch.of(values[usable], seconds, cuts), whose, names))
        judged = {shift.index for shift in found}
        few = f"fewer than {FEWEST_STRETCHES} healthy stretches of the baseline hold {FEWEST_POINTS} points"
        unjudged |= {at: Unjudged(series[at].title, few) for at in whose if at not in judged}
        shifts += found
    shifts.sort(key=lambda shift: (shift.index, shift.direction, -shift.taken))
    return Measured(tuple(shifts), tuple(unjudged[at] for at in sorted(unjudged)), stretches)


def healthy_stretches(baseline: Window, incident: Window) -> Stretches:
    """Stretches of a baseline as long as the incident, none overlapping another, the last at its end.

    An incident longer than a quarter of the baseline is compared with quarters. Where there are 44 at the
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


def normal_part(baseline: Window, incident: Window) -> Window:
    """The baseline without the time just before the incident, but half of it at least.

    What leads to a failure begins before it: taken as healthy, it would hide itself.

    >>> from datetime import UTC, datetime
    >>> day = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 7, 9)]
    >>> str(normal_part(Window(day[0], day[1]), Window(day[1], day[2])))
    '2024-01-01..2024-01-06T12:00:00Z'
    """
    lead = incident.start - LEAD * (incident.end - incident.start)
    middle = baseline.start + (baseline.end - baseline.start) / 2
    return Window(baseline.start, min(baseline.end, max(lead, middle)))


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
    """The windows as places among the times; the healthy stretches by their first places and those past their last."""

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
        return f"no value in the normal baseline, {after} in the incident: it may have begun with the incident"
    usual = f"{counted(before, 'value')} in the normal baseline"
    if not after:
        return f"{usual}, none in the incident: it stopped, or its collection did"
    if before < FEWEST_BASELINE:
        return f"{usual}, fewer than {FEWEST_BASELINE}"
    return f"{counted(after, 'value')} in the incident, fewer than {FEWEST_POINTS}" if after < FEWEST_POINTS else ""


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
    """The baseline's median, its scale, and whether most points are equal.

    The scale is the MAD's, or where most points are equal that of the mean deviation. Neither counts below a thousandth
    of the baseline's mean size. A baseline of zeros alone has none: what leaves it is measured by the incident's.
    """
    known = values[:, cuts.baseline]
    center = median(known)
    off = np.abs(known - center[:, None])
    size = mean(np.abs(raw[:, cuts.baseline]))
    floor = RELATIVE_FLOOR * np.where(size > 0, size, mean(np.abs(raw[:, cuts.incident])))
    by_median = MAD_TO_SIGMA * median(off)
    equal = by_median <= floor
    scale = np.where(equal, np.maximum(MEAN_DEVIATION_TO_SIGMA * mean(off), floor), by_median)
    # Where all is zero in both windows nothing moved, whatever the unit.
    return center, np.where(scale > 0, scale, 1.0), equal


def _shifts(batch: _Batch, whose: Sequence[int], names: Sequence[str]) -> Iterator[Shift]:
    """The shifts of a batch; none for a series that too few healthy stretches hold."""
    inside = batch.cuts.incident
    offsets = (batch.values - batch.center[:, None]) / batch.scale[:, None]
    stretches, incident, raw = map(Ordered.of, (_cut(offsets, batch.cuts), offsets[:, inside], batch.raw[:, inside]))
    count = stretches.enough.sum(axis=1)
    # A stretch is compared with a median and a season that it helped to make; the incident is not.
    apart = (batch.widening * np.where(count > 1, count / np.maximum(count - 1, 1), 1.0))[:, None]
    center = median(batch.raw[:, batch.cuts.baseline])
    chance = {
        way: np.where(
            batch.mostly_equal, _departing(sign * offsets[:, batch.cuts.baseline], sign * offsets[:, inside]), 0.0
        )
        for way, sign in SIGNS.items()
    }
    usual_points = np.maximum(median(stretches.known.astype(np.float64)), FEWEST_POINTS)
    for share in (LASTING, BRIEF):
        # Three of few points are a larger share of them: the same is then taken of a longer incident.
        alike = np.maximum(share, FEWEST_POINTS / usual_points)
        healthy, score, level = stretches.medians(share), incident.medians(alike), raw.medians(alike)
        taken = incident.taken(alike)
        asked = count >= FEWEST_STRETCHES
        if share == BRIEF:
            # Where most points are equal, brief departures are what the baseline is made of.
            asked &= ~batch.mostly_equal & (taken < incident.taken(LASTING))
        for row in np.flatnonzero(asked).tolist():
            harm = harm_of(names[row])
            for way in SIGNS if harm is None else (harm,):
                sign, side = SIGNS[way], int(way == "up")
                yield Shift(
                    index=whose[row],
                    direction=way,
                    harm=harm,
                    score=sign * float(score[side][row]),
                    healthy=sign * apart[row] * healthy[side][row],
                    center=float(center[row]),
                    level=float(level[side][row]),
                    taken=int(taken[row]),
                    points=int(incident.known[row]),
                    mostly_equal=bool(batch.mostly_equal[row]),
                    chance=float(chance[way][row]),
                    brief=share == BRIEF,
                )


def _departing(baseline: Floats, incident: Floats) -> Floats:
    """The chance of at least as many points beyond one unit as the incident has, given how many the baseline has.

    Source: the upper tail of the binomial distribution, the rate having one of each kind of point added.
    """
    from scipy.special import betainc

    n, k = np.isfinite(incident).sum(axis=1), (incident > 1).sum(axis=1)
    rate = ((baseline > 1).sum(axis=1) + 1) / (np.isfinite(baseline).sum(axis=1) + 2)
    return np.where(k > 0, betainc(np.maximum(k, 1), n - np.maximum(k, 1) + 1, rate), 1.0)


def _cut(values: Floats, cuts: _Cuts) -> Floats:
    """The stretches' values, (series, stretches, points), filled up with NaN where a stretch has fewer points."""
    longest = int((cuts.stop - cuts.first).max(initial=0))
    place = cuts.first[:, None] + np.arange(longest)
    inside = place < cuts.stop[:, None]
    taken = values[:, np.minimum(place, values.shape[1] - 1)]
    return np.where(inside, taken, np.nan)
