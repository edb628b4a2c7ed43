"""Guards: from a confirmed cause to a check by day that fails on the incident and passes on the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Facts
from mortis.causes.replay import replay
from mortis.profiles import Floats
from mortis.records import Cause, Guard
from mortis.rows import RowSample, is_number

DAY = 86400
FEWEST_ROWS_A_DAY = 8
FEWEST_DAYS = 5
MARGIN = 0.5  # of the baseline's spread, beyond its extremes

Figure = Callable[[RowSample], float]


@dataclass(frozen=True, slots=True)
class Watched:
    """One figure to watch by day, in words and as a function of a day's rows, in the rows where a scope holds."""

    what: str
    figure: Figure
    scope: str = ""


def make_guards(causes: Iterable[Cause], facts: Facts) -> tuple[Guard, ...]:
    """The guards of the confirmed and supported causes that prove themselves: failing on the incident, passing on the baseline.

    Each is run by day on the sampled rows of both windows; its false-alarm rate is that of bounds drawn from the other baseline
    days on each day left out.
    """
    made = []
    for cause in causes:
        if cause.verdict not in ("confirmed", "supported"):
            continue
        for i, watched in enumerate(_watched(cause, facts), 1):
            guard = _proven(f"{cause.id}-{i}", watched, facts)
            if guard is not None:
                made.append(guard)
    return tuple(made)


def _watched(cause: Cause, facts: Facts) -> Iterable[Watched]:
    """What to watch for a cause: its feature's median or null share in its scope, or the share of scores it reproduces."""
    for name in cause.features:
        column = facts.before.features.get(name)
        if column is None:
            continue
        if is_number(column):
            yield Watched(f"median of {name}", _median(name), cause.scope)
        else:
            common = _commonest(column)
            yield Watched(f"share of {name} = {common}", _share_of(name, common), cause.scope)
        yield Watched(f"null share of {name}", _null_share(name), cause.scope)
    if cause.id in ("M1", "M2") and facts.models:
        yield Watched("share of served scores that the logged version reproduces", _reproduced(facts), cause.scope)
    if cause.id == "H1":
        fallback = float(cause.parameters.get("fallback_score", float("nan")))
        yield Watched(f"share of the score {fallback:.4g}", lambda rows: float((rows.score == fallback).mean()))


def _median(name: str) -> Figure:
    return lambda rows: float(np.nanmedian(rows.features[name])) if np.isfinite(rows.features[name]).any() else np.nan


def _null_share(name: str) -> Figure:
    return lambda rows: float(_nulls(rows, name).mean())


def _nulls(rows: RowSample, name: str) -> npt.NDArray[np.bool_]:
    column = rows.features[name]
    if is_number(column):
        return np.asarray(~np.isfinite(column))
    return np.array([value is None for value in column], dtype=bool)


def _share_of(name: str, value: str) -> Figure:
    return lambda rows: float(np.mean(rows.features[name] == value))


def _commonest(column: npt.NDArray[np.object_]) -> str:
    values, counts = np.unique([str(value) for value in column], return_counts=True)
    return str(values[np.argmax(counts)])


def _reproduced(facts: Facts) -> Figure:
    return lambda rows: float(replay(facts, rows).reproduced().mean())


def _proven(id_: str, watched: Watched, facts: Facts) -> Guard | None:
    """The guard with its proof; None where it doesn't fail on the incident, or the baseline is too short to set bounds."""
    before, during = (_by_day(watched, sample) for sample in (facts.before, facts.during))
    if len(before) < FEWEST_DAYS or not len(during):
        return None
    low, high = _bounds(before)
    fails = float(np.mean((during < low) | (during > high))) >= 0.5
    if not fails:
        return None
    alarms = [_outside(before[i], np.delete(before, i)) for i in range(len(before))]
    where = f" where {watched.scope}" if watched.scope else ""
    return Guard(
        id=id_,
        check=f"{watched.what}{where}, by day, lies within {low:.4g} to {high:.4g}",
        fails_on_incident=True,
        passes_on_baseline=bool(((before >= low) & (before <= high)).all()),
        false_alarm_rate=float(np.mean(alarms)),
    )


def _by_day(watched: Watched, sample: RowSample) -> Floats:
    """The figure on each day with enough rows."""
    inside = _in_scope(watched.scope, sample)
    days = sample.second // DAY
    figures = [
        watched.figure(sample.where(inside & (days == day)))
        for day in np.unique(days)
        if int((inside & (days == day)).sum()) >= FEWEST_ROWS_A_DAY
    ]
    found = np.array(figures, dtype=float)
    return found[np.isfinite(found)]


def _in_scope(scope: str, sample: RowSample) -> npt.NDArray[np.bool_]:
    column, separator, value = scope.partition(" = ")
    if not separator or column not in sample.features:
        return np.ones(len(sample), dtype=bool)
    return np.asarray(sample.features[column] == value, dtype=bool)


def _bounds(days: Floats) -> tuple[float, float]:
    """The baseline's extremes, widened by half their distance; a share that never moves gets half a percent point."""
    spread = max(
        float(np.ptp(days)) * MARGIN, 0.005 if days.max() <= 1 and days.min() >= 0 else abs(days.mean()) * 0.05
    )
    return float(days.min()) - spread, float(days.max()) + spread


def _outside(one: float, others: Floats) -> bool:
    low, high = _bounds(others)
    return not low <= one <= high
