"""Which templates of log lines are new, surged, gone, or written at a higher level: counts against the baseline's."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mortis.intervals import FloatArray, bh, fall_p, rate_ratio, rise_p
from mortis.records import Interval
from mortis.signals.poisson import Spread, widened
from mortis.signals.template_counts import Ints, TemplateCounts
from mortis.signals.templates import OTHER
from mortis.sources.logs.levels import LEVELS

Change = Literal["new", "surged", "gone", "escalated"]

MOST_Q = 0.05
LEAST_RATIO = 2.0
FEWEST_LINES = 5
GONE_BELOW = 0.05
MARGIN = 1.25
FEWEST_ACTIVE = 5
RARE_QUANTILE = 0.9
STORM = 10.0
FEWEST_EVENTS = 10
WARN = LEVELS.index("WARN")


@dataclass(frozen=True, slots=True)
class Shifted:
    """A template whose lines changed, with those of both windows; of an escalated one, those at `level` or above.

    `ratio` is the rate in the incident in multiples of the baseline's, by time or by volume of lines, whichever says
    less; None where the baseline has no such line. `score` is the log-likelihood ratio of the change.
    """

    number: int
    change: Change
    baseline: int
    incident: int
    q: float
    level: str
    ratio: Interval | None
    score: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The templates that changed, the most severe first, then by score; and how many tests were made."""

    shifted: tuple[Shifted, ...]
    tests: int


def judge(counts: TemplateCounts, split: int, *, known: int, silent: Collection[int] = ()) -> Judged:
    """Every template's lines in the incident (the buckets from `split` on) against the baseline's.

    Templates with numbers below `known` are the baseline's, and OTHER stands for all that are in none: where the
    baseline has such lines, no template can be told to be new. Those that are `silent`, because what wrote them writes
    nothing in the incident, aren't gone. Nothing is judged where one of the windows holds no line.

    >>> rows = {(0, "INFO"): np.full(60, 100), (1, "ERROR"): np.repeat([0, 30], [48, 12])}
    >>> [(one.number, one.change, one.incident) for one in judge(TemplateCounts(60, rows), 48, known=1).shifted]
    [(1, 'new', 360)]

    Sources: Przyborowski and Wilenski (1940) for p; Benjamini and Hochberg (1995) for q; the gates by ratio and by
    placebo windows are Mortis' own.
    """
    if not counts.size:
        return Judged((), 0)
    table = _Table.of(counts, split)
    if not table.before.any() or not table.after.any():
        return Judged((), 0)
    is_full = any(number == OTHER and lines[:split].any() for (number, _), lines in counts.rows.items())
    usual = _usual(table)
    readings = [*_volumes(table, usual, known=math.inf if is_full else known, silent=silent), *_levels(table, usual)]
    found: dict[int, Shifted] = {}
    for reading, q in zip(readings, bh(np.array([one.p for one in readings])).tolist(), strict=True):
        if reading.stands and q <= MOST_Q:
            found.setdefault(reading.number, reading.shifted(q))
    ranked = sorted(found.values(), key=lambda one: (-severity(one.level), -one.score, one.number))
    return Judged(tuple(ranked), len(readings))


def severity(level: str) -> int:
    """A level's place among all; what is less than a warning, or unknown, counts alike.

    >>> severity("INFO") == severity("") < severity("WARN") < severity("ERROR")
    True
    """
    return max(LEVELS.index(level), WARN - 1) if level in LEVELS else WARN - 1


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Lines by template and bucket, the level that most bear, the highest that enough bear, and the lines at that.

    `split` is the first bucket of the incident; `before` and `after` sum up both windows; the dispersions tell how
    much the two kinds of lines vary in the baseline, `late_spread` how much a template's do in the incident.
    """

    numbers: tuple[int, ...]
    split: int
    lines: Ints
    levels: tuple[str, ...]
    highest: tuple[str, ...]
    high: Ints
    before: Ints
    after: Ints
    spread: Spread
    high_spread: Spread
    late_spread: Spread

    @classmethod
    def of(cls, counts: TemplateCounts, split: int) -> _Table:
        by_template: dict[int, dict[str, Ints]] = {}
        for (number, level), lines in counts.rows.items():
            if number != OTHER:
                by_template.setdefault(number, {})[level] = lines
        numbers = tuple(sorted(by_template))
        highest = tuple(_highest(by_template[number], split) for number in numbers)
        lines, high = np.zeros((2, len(numbers), counts.size), dtype=np.int64)
        for i, number in enumerate(numbers):
            for level, own in by_template[number].items():
                lines[i] += own
                high[i] += own if severity(level) >= severity(highest[i]) else 0
        return cls(
            numbers,
            split,
            lines,
            tuple(_commonest(by_template[number], split) for number in numbers),
            highest,
            high,
            lines[:, :split].sum(axis=1),
            lines[:, split:].sum(axis=1),
            _spread(lines, split),
            _spread(high, split),
            Spread.of(lines[:, split:]),
        )


def _highest(rows: Mapping[str, Ints], split: int) -> str:
    """The highest level that enough lines of the incident bear, or the lowest there is."""
    beyond = 0
    for level in sorted(rows, key=severity, reverse=True):
        beyond += int(rows[level][split:].sum())
        if beyond >= FEWEST_LINES:
            return level
    return min(rows, key=severity)


def _commonest(rows: Mapping[str, Ints], split: int) -> str:
    """The level of most lines of the incident, or of the baseline where the incident has none."""
    return max(rows, key=lambda level: (rows[level][split:].sum(), rows[level].sum(), severity(level)))


def _spread(lines: Ints, split: int) -> Spread:
    """How much each row varies in the baseline; rare ones at least as much as nine in ten rare ones do."""
    own = Spread.of(lines[:, :split], longest=lines.shape[1] - split)
    active = (lines[:, :split] > 0).sum(axis=1)
    rare = active < FEWEST_ACTIVE
    like = own.dispersion[rare & (active > 0)]
    if not like.size:
        return own
    return Spread(
        np.where(rare, np.maximum(own.dispersion, np.quantile(like, RARE_QUANTILE)), own.dispersion), own.freedom
    )


@dataclass(frozen=True, slots=True)
class _Exposure:
    """The incident in multiples of the baseline, by time and by volume of lines: the larger and the smaller."""

    most: float
    least: float


def _exposure(before: Ints, after: Ints, times: float) -> _Exposure:
    """By `times` the baseline's length, and by the ratio of lines of which half of the baseline's lines have less.

    That ratio is not moved by what a few templates do.
    """
    usable = before >= FEWEST_LINES
    volume = times
    if usable.any():
        ratios, weights = after[usable] / before[usable], before[usable]
        order = np.argsort(ratios)
        middle = int(np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2))
        volume = float(ratios[order][middle]) or times
    return _Exposure(max(times, volume), min(times, volume))


def _times(lines: Ints, split: int) -> float:
    """The incident's length in multiples of the baseline's, each from its first line to its last."""
    active = lines.sum(axis=0) > 0
    before, after = (np.flatnonzero(part) for part in np.split(active, [split]))
    return float((after[-1] - after[0] + 1) / (before[-1] - before[0] + 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Usual:
    """What happens in the baseline itself, between a window of it and its rest.

    By template: the largest ratio of rates, the largest ratio of shares of its high lines, whether it ever stays away.
    By severity: the most lines of a template of that severity or above that occurs in one window alone.
    """

    ratio: FloatArray
    high_ratio: FloatArray
    stays_away: npt.NDArray[np.bool_]
    fresh: Mapping[int, int]


def _usual(table: _Table) -> _Usual:
    """What windows of the baseline show, as long as the incident, or a quarter of the baseline if that is less."""
    length = max(1, min(table.lines.shape[1] - table.split, table.split // 4))
    step, per = max(1, length // 2), min(2, length)
    steps = table.split // step
    cut = (len(table.numbers), steps, step)
    lines, high = (one[:, : steps * step].reshape(cut).sum(axis=2) for one in (table.lines, table.high))
    severities = np.array([severity(level) for level in table.levels])
    ratio, high_ratio = np.zeros((2, len(table.numbers)))
    stays_away = np.zeros(len(table.numbers), dtype=np.bool_)
    fresh = dict.fromkeys(range(WARN - 1, len(LEVELS)), 0)
    for first in range(steps - per + 1 if steps > per else 0):
        window = slice(first, first + per)
        after, high_after = lines[:, window].sum(axis=1), high[:, window].sum(axis=1)
        before, high_before = table.before - after, high.sum(axis=1) - high_after
        exposure = _exposure(before, after, per / (steps - per))
        ratio = np.maximum(ratio, _smoothed(before, after) / exposure.most)
        high_ratio = np.maximum(high_ratio, _smoothed(high_before, high_after) / _smoothed(before, after))
        stays_away |= after <= GONE_BELOW * before * exposure.least
        for least in fresh:
            fresh[least] = max(fresh[least], int(after[(before == 0) & (severities >= least)].max(initial=0)))
    return _Usual(ratio, high_ratio, stays_away, fresh)


def _smoothed(before: Ints, after: Ints) -> FloatArray:
    """Lines after over lines before, half a line more on either side."""
    return np.asarray((after + 0.5) / (before + 0.5))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A test of one template; `stands` tells that its change is large and unusual enough, whatever its p."""

    number: int
    change: Change
    baseline: int
    incident: int
    level: str
    ratio: Interval | None
    score: float
    p: float
    stands: bool

    def shifted(self, q: float) -> Shifted:
        return Shifted(self.number, self.change, self.baseline, self.incident, q, self.level, self.ratio, self.score)


def _volumes(table: _Table, usual: _Usual, *, known: float, silent: Collection[int]) -> Iterator[_Reading]:
    """Each template's lines: new, surged or gone."""
    exposure = _exposure(table.before, table.after, _times(table.lines, table.split))
    for i, number in enumerate(table.numbers):
        before, after = int(table.before[i]), int(table.after[i])
        fresh = max(FEWEST_LINES, MARGIN * usual.fresh[severity(table.levels[i])])
        if before == 0:
            stands = number >= known and after >= fresh
            yield _reading(table, i, "new", exposure.most, stands=stands, spread=_late(table, i, fresh))
        elif after > before * exposure.most:
            least = max(LEAST_RATIO, MARGIN * usual.ratio[i])
            stands = after >= FEWEST_LINES and after >= least * before * exposure.most
            yield _reading(table, i, "surged", exposure.most, stands=stands, spread=_late(table, i, fresh))
        else:
            awaited = before * exposure.least
            stands = awaited >= FEWEST_LINES and after <= GONE_BELOW * awaited
            stands = stands and not usual.stays_away[i] and number not in silent
            yield _reading(table, i, "gone", exposure.least, stands=stands)


def _late(table: _Table, i: int, fresh: float) -> float:
    """How much a template's lines vary in the incident, where the baseline has too few events to tell; else 1.

    A burst is one event, however many its lines, unless they are many times what the baseline ever shows anew.
    """
    before, after = table.before[i], table.after[i]
    is_rare = before < FEWEST_EVENTS * table.spread.dispersion[i]
    is_storm = after >= STORM * max(fresh, before)
    return float(table.late_spread.dispersion[i]) if is_rare and not is_storm else 1.0


def _levels(table: _Table, usual: _Usual) -> Iterator[_Reading]:
    """The lines of templates at their highest level, as a share of all their lines, where it is a warning or more."""
    for i, level in enumerate(table.highest):
        before, after = int(table.before[i]), int(table.after[i])
        high = int(table.high[i, : table.split].sum()), int(table.high[i, table.split :].sum())
        if severity(level) < WARN or before < FEWEST_LINES or high == (before, after):
            continue
        least = max(LEAST_RATIO, MARGIN * usual.high_ratio[i])
        stands = high[1] >= FEWEST_LINES and high[1] >= least * high[0] * after / before
        yield _reading(table, i, "escalated", after / before, stands=stands)


def _reading(table: _Table, i: int, change: Change, exposure: float, *, stands: bool, spread: float = 1.0) -> _Reading:
    """The test of a template's rate, or of its high lines' where it escalated; they vary by `spread` at least."""
    is_high = change == "escalated"
    lines = (table.high if is_high else table.lines)[i]
    before, after = int(lines[: table.split].sum()), int(lines[table.split :].sum())
    known = table.high_spread if is_high else table.spread
    spread = max(spread, float(known.dispersion[i]))
    b, a = before / spread, after / spread
    tail = float((fall_p if change == "gone" else rise_p)(b, a, exposure))
    expected = max(b, 0.5) * exposure
    return _Reading(
        table.numbers[i],
        change,
        before,
        after,
        (table.highest if is_high else table.levels)[i],
        rate_ratio(before, after, exposure, dispersion=spread) if before else None,
        (a * math.log(a / expected) if a else 0.0) - (a - expected),
        widened(min(1.0, 2 * tail), float(known.freedom[i])),
        stands,
    )
