"""Guards: from a cause that stands to a check by day that fails on the incident and passes on the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import Bools, Facts
from mortis.causes.infrastructure import first_rows
from mortis.causes.replay import nulls, replay
from mortis.causes.scoring import errors_among
from mortis.profiles import Floats
from mortis.records import STANDING, Cause, Guard
from mortis.rows import Column, RowSample, is_number

DAY = 86400
FEWEST_ROWS_A_DAY = 8
FEWEST_DAYS = 5
FAILS = 0.5  # of the incident's days must lie outside the bounds
MOST_ALARMS = 0.2  # of the baseline's days, each held against the others
MARGIN = 0.5  # of the baseline's spread, beyond its extremes
LEAST_SHARE, LEAST_PART = 0.005, 0.05  # bounds are at least this far from a share, or from any other figure
MOST_LISTED = 20
VERSION = "(version)"

Values = Callable[[RowSample], Floats]
"""A figure of each row; NaN where the row doesn't count."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A figure to watch by day: the mean (for 0 and 1, the share) or the median of rows, where a scope holds."""

    what: str
    values: Values
    scope: str = ""
    median: bool = False


def make_guards(causes: Iterable[Cause], facts: Facts) -> tuple[Guard, ...]:
    """The standing causes' guards that prove themselves: failing on the incident, passing on the baseline.

    Each is run by day (UTC) on the sampled rows of both windows. Its false-alarm rate is the share of the
    baseline's days that lie outside the bounds drawn from the others.
    """
    made: list[Guard] = []
    for cause in causes:
        if cause.verdict not in STANDING:
            continue
        for watched in _watched(cause, facts):
            number = 1 + sum(guard.id.startswith(f"{cause.id}-") for guard in made)
            guard = prove(f"{cause.id}-{number}", watched, facts)
            if guard is not None and guard.check not in {other.check for other in made}:
                made.append(guard)
    return tuple(made)


def _watched(cause: Cause, facts: Facts) -> Iterable[Watched]:
    """What to watch for a cause: its features where it struck, or the symptom that tells it from others."""
    for name in cause.features:
        if name in facts.before.features:
            yield from _of_feature(name, cause, facts)
    if cause.id in ("M2", "M3", "M4", "P1", "P2", "P3", "H3", "H5") and facts.models:
        share = "share of served answers that the logged version's file gives"
        yield Watched(share, lambda rows: replay(facts, rows).reproduced().astype(float), cause.scope)
    if cause.id == "H1" and "fallback_score" in cause.parameters:
        fallback = float(cause.parameters["fallback_score"])
        yield Watched(f"share of rows with score = {fallback:.6g}", lambda rows: (rows.score == fallback).astype(float))
    if cause.id == "M3" and "before" in cause.parameters:
        rule = float(cause.parameters["before"])
        depart = f"share of predictions that depart from score >= {rule:.6g}"
        yield Watched(depart, lambda rows: ((rows.score >= rule) != (np.asarray(rows.p) == 1)).astype(float))
    if cause.id == "D7":
        yield Watched("share of rows that repeat an id", lambda rows: (~first_rows(rows)).astype(float))
    if cause.id in ("M1", "W1", "W2"):
        judgement = facts.metric.judgement
        wrong = f"share of errors ({', '.join(judgement.errors)}) among labelled rows ({', '.join(judgement.among)})"
        yield Watched(wrong, _errors(facts))


def _of_feature(name: str, cause: Cause, facts: Facts) -> Iterable[Watched]:
    """A feature's null share, its median or the share of the value that moved most, and of values unseen before."""
    column, scope = facts.before.features[name], cause.scope
    if is_number(column):
        yield Watched(f"median of {name}", _numbers(name), scope, median=True)
        for key in ("value", "bound"):
            value = cause.parameters.get(key)
            if isinstance(value, int | float):
                yield Watched(f"share of {name} = {value:.6g}", _share_of(name, float(value)), scope)
    else:
        moved = _most_moved(column, facts.during.features[name], *_scoped(scope, facts))
        yield Watched(f"share of {name} = {moved}", _share_of(name, moved), scope)
        known = sorted({str(value) for value in column.tolist() if value is not None})
        if len(known) <= MOST_LISTED:
            yield Watched(f"share of {name} other than {', '.join(known)}", _unknown(name, frozenset(known)), scope)
    yield Watched(f"null share of {name}", lambda rows: nulls(rows.features[name]).astype(float), scope)


def _scoped(scope: str, facts: Facts) -> tuple[Bools, Bools]:
    return _in_scope(scope, facts.before), _in_scope(scope, facts.during)


def _numbers(name: str) -> Values:
    return lambda rows: np.asarray(rows.features[name], dtype=float)


def _share_of(name: str, value: str | float) -> Values:
    return lambda rows: np.asarray(rows.features[name] == value, dtype=float)


def _unknown(name: str, known: frozenset[str]) -> Values:
    return lambda rows: np.array(
        [value is not None and value not in known for value in rows.features[name].tolist()], dtype=float
    )


def _most_moved(before: Column, after: Column, old: Bools, new: Bools) -> str:
    """The value whose share of the rows changed most."""
    shares = []
    for column in (before[old].tolist(), after[new].tolist()):
        values, counts = np.unique([str(value) for value in column if value is not None], return_counts=True)
        shares.append(dict(zip(values.tolist(), (counts / max(len(column), 1)).tolist(), strict=True)))
    first, then = shares
    every = sorted({*first, *then})
    return max(every, key=lambda value: abs(then.get(value, 0.0) - first.get(value, 0.0)), default="")


def _errors(facts: Facts) -> Values:
    def values(rows: RowSample) -> Floats:
        among, errors = errors_among(rows, facts.metric.judgement)
        return np.where(among, errors.astype(float), np.nan)

    return values


def prove(id_: str, watched: Watched, facts: Facts) -> Guard | None:
    """The guard with its proof; None where it doesn't prove itself, or the baseline is too short to set bounds."""
    before, during = (by_day(watched, sample) for sample in (facts.before, facts.during))
    if len(before) < FEWEST_DAYS or not len(during):
        return None
    low, high = bounds(before)
    alarms = float(np.mean([_outside(before[i], np.delete(before, i)) for i in range(len(before))]))
    passes = alarms <= MOST_ALARMS  # each day against bounds that have not seen it: drawn bounds hold their own days
    fails = float(np.mean((during < low) | (during > high))) >= FAILS
    if not fails or not passes:
        return None
    where = f" where {watched.scope}" if watched.scope else ""
    check = f"by day (UTC), the {watched.what}{where} lies from {low:.4g} to {high:.4g}"
    return Guard(id_, check, fails_on_incident=fails, passes_on_baseline=passes, false_alarm_rate=alarms)


def by_day(watched: Watched, sample: RowSample) -> Floats:
    """The figure on each day (UTC) with at least eight rows that count."""
    values = watched.values(sample)
    counts = _in_scope(watched.scope, sample) & np.isfinite(values)
    values, days = values[counts], (sample.second // DAY)[counts]
    figure = np.median if watched.median else np.mean
    each = [values[days == day] for day in np.unique(days)]
    return np.array([float(figure(one)) for one in each if len(one) >= FEWEST_ROWS_A_DAY])


def _in_scope(scope: str, sample: RowSample) -> Bools:
    column, _, value = scope.partition(" = ")
    if column == VERSION:
        return np.asarray(sample.version == value, dtype=bool)
    if column not in sample.features:
        return np.ones(len(sample), dtype=bool)
    return np.asarray(sample.features[column].astype(object) == value, dtype=bool)


def bounds(days: Floats) -> tuple[float, float]:
    """The baseline's extremes, widened by half their distance; at least by half a percentage point or a twentieth.

    >>> low, high = bounds(np.array([0.10, 0.12, 0.11]))
    >>> round(low, 3), round(high, 3)
    (0.09, 0.13)
    """
    share = days.min() >= 0 and days.max() <= 1
    least = LEAST_SHARE if share else abs(float(days.mean())) * LEAST_PART
    spread = max(float(np.ptp(days)) * MARGIN, least)
    low, high = float(days.min()) - spread, float(days.max()) + spread
    return (max(low, 0.0), min(high, 1.0)) if share else (low, high)


def _outside(one: float, others: Floats) -> bool:
    low, high = bounds(others)
    return not low <= one <= high
