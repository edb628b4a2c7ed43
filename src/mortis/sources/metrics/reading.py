"""What is asked of a source of metrics and what comes back, and the last steps that every source takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mortis.case import MetricsSource
from mortis.problems import InputProblem, counted, listed
from mortis.profiles import Floats
from mortis.records import Input, Window, iso
from mortis.sources.metrics.counters import counter_names, falls_of, rate
from mortis.sources.metrics.points import Bools, Ints, sort_points
from mortis.telemetry import MetricSeries


@dataclass(frozen=True, slots=True)
class Asked:
    """How a source is to be read: relative paths start at `root`; points outside `window` stay out.

    `step_seconds` is the distance of a server's points, chosen by the window's length where it is None; `key` is what
    messages begin with, a key of the case file or an option.
    """

    root: Path
    window: Window | None = None
    step_seconds: int | None = None
    key: str = "metrics"

    def place(self, part: str) -> str:
        """What messages about a part of the source begin with; an option has no parts.

        >>> Asked(Path()).place("time"), Asked(Path(), key="--metrics").place("time")
        ('metrics.time', '--metrics')
        """
        return self.key if self.key.startswith("--") else f"{self.key}.{part}"


@dataclass(frozen=True, slots=True, eq=False)
class MetricsRead:
    """The series of a source, in the order of their titles, each with at least one number.

    `notes` say what was guessed, counted and left out, one sentence each; `inputs` what was read.
    """

    series: tuple[MetricSeries, ...]
    notes: tuple[str, ...]
    inputs: tuple[Input, ...]


MetricsReader = Callable[[MetricsSource, Asked], MetricsRead]


def inside(seconds: Ints | Floats, window: Window | None) -> Bools:
    """Which moments (epoch seconds) lie in the half-open window; all where there is none."""
    if window is None:
        return np.ones(len(seconds), dtype=np.bool_)
    return np.asarray((seconds >= window.start.timestamp()) & (seconds < window.end.timestamp()))


def check_window(found: Sequence[Ints], asked: Asked, what: str) -> None:
    """Raises InputProblem, beginning with `what`, where none of the moments found lies in the window."""
    if any(inside(seconds, asked.window).any() for seconds in found):
        return
    first, last = (int(pick(pick(seconds) for seconds in found if len(seconds))) for pick in (min, max))
    spans = " to ".join(iso(datetime.fromtimestamp(moment, UTC)) for moment in (first, last))
    raise InputProblem(f"{what} {asked.window}; it spans {spans}")


def finished(
    parts: Iterable[MetricSeries],
    *,
    where: str,
    notes: Sequence[str],
    inputs: Sequence[Input],
    counters: Mapping[str, bool] | None = None,
) -> MetricsRead:
    """What was read: parts of one series joined, infinite values unmeasured, counters as rates, empty series out.

    `counters` says of names whether they count up, where the source tells; others show it by their name and course.
    Raises InputProblem, beginning with `where`, if no number is left.
    """
    told = list(notes)
    series = _joined(list(parts), told)
    series = _finite(series, told)
    series = _as_rates(series, counters or {}, told)
    known = [one for one in series if not np.isnan(one.values).all()]
    if not known:
        raise InputProblem(f"{where} holds no number in {len(series):,} series; hand over values that were measured")
    if len(known) < len(series):
        empty = [one.title for one in series if np.isnan(one.values).all()]
        told.append(f"{len(empty):,} series without a number left out: {listed(empty, most=3)}")
    known.sort(key=lambda one: one.title)
    return MetricsRead(tuple(known), tuple(dict.fromkeys(told)), tuple(inputs))


def _joined(parts: list[MetricSeries], told: list[str]) -> list[MetricSeries]:
    """The parts with those of one name and labels put together."""
    by_key: dict[tuple[str, tuple[tuple[str, str], ...]], list[MetricSeries]] = {}
    for part in parts:
        by_key.setdefault((part.name, tuple(sorted(part.labels.items()))), []).append(part)
    merged = 0
    series = []
    for same in by_key.values():
        if len(same) == 1:
            series.append(same[0])
            continue
        seconds = np.concatenate([part.seconds for part in same])
        points = sort_points(np.zeros(len(seconds), np.int64), seconds, groups=1)
        values = points.values(np.concatenate([part.values for part in same]))
        series.append(replace(same[0], seconds=points.seconds, values=values))
        merged += points.merged
    if merged:
        told.append(f"{counted(merged, 'point')} averaged with another of the same series and second")
    return series


def _finite(series: list[MetricSeries], told: list[str]) -> list[MetricSeries]:
    infinite = [int(np.isinf(one.values).sum()) for one in series]
    if not any(infinite):
        return series
    told.append(f"{counted(sum(infinite), 'infinite value')} taken as not measured")
    return [
        replace(one, values=np.where(np.isinf(one.values), np.nan, one.values)) if n else one
        for one, n in zip(series, infinite, strict=True)
    ]


def _as_rates(series: list[MetricSeries], counters: Mapping[str, bool], told: list[str]) -> list[MetricSeries]:
    """The series with each counter replaced by its increase per second: how high it stands tells nothing."""
    there = {one.name for one in series}
    names = {name for name in counter_names(series) if counters.get(name, True)}
    names |= {name for name, counts in counters.items() if counts and name in there}
    if names:
        told.append(
            f"counters are replaced by their increase per second, as rate(name): {listed(sorted(names), most=6)}"
        )
    falls = sum(falls_of(one) for one in series if one.name in names)
    if falls:
        told.append(f"{counted(falls, 'fall')} of counters taken as their beginning anew at 0")
    return [rate(one) if one.name in names else one for one in series]
