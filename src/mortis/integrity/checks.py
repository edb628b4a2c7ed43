"""The integrity checks: one registry, every feature in the baseline against the incident, judged together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mortis.integrity import drift, limits, shares, volume
from mortis.integrity.readings import Check, IntegrityCheck, Reading
from mortis.integrity.training import schema_checks, training_readings
from mortis.integrity.windows import Kind, columns_of, kinds_of, traffic
from mortis.integrity.yardstick import Usual
from mortis.intervals import bh
from mortis.profiles import Profile
from mortis.records import Window

MOST_Q = 0.05
MARGIN = 1.25

COLUMN_CHECKS: dict[str, Check] = {
    "nulls": shares.nulls,
    "zeros": shares.zeros,
    "top value": shares.top_value,
    "constant": limits.constant,
    "range": limits.value_range,
    "new values": shares.new_values,
    "rare values": shares.rare_values,
    "distinct": limits.distinct,
    "segment volume": volume.segment_volume,
    "drift": drift.drift,
}
"""Checks of every column, by name. A new one is a function and a line here."""

TRAFFIC_CHECKS: dict[str, Check] = {"volume": volume.volume, "gaps": volume.gaps}
"""Checks of all rows together, by name."""

FAULTS = frozenset({"nulls", "constant", "range", "new values", "gaps"})
"""Checks of what values can't be while the data are whole. The others tell that values moved, as a world's may."""


def check_profile(
    profile: Profile,
    baseline: Window,
    incident: Window,
    *,
    column_checks: Mapping[str, Check] = COLUMN_CHECKS,
    traffic_checks: Mapping[str, Check] = TRAFFIC_CHECKS,
) -> tuple[IntegrityCheck, ...]:
    """Every check of every column, incident against baseline: all rows first, then the model's output, then features.

    A check is flagged where its q-value among all checks is at most 0.05 and its effect is worth naming and larger than
    any between stretches of the baseline, by a quarter. A window without rows gives no checks but those of the volume.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    >>> check_profile(Profile(), Window(days[0], days[1]), Window(days[1], days[2]))
    ()
    """
    rows = traffic(profile, baseline, incident)
    readings = [reading for check in traffic_checks.values() for reading in check(rows)]
    for column in columns_of(profile, baseline, incident):
        readings += [reading for check in column_checks.values() for reading in check(column)]
    return judge(readings)


def check_training(
    training: Profile, log: Profile, baseline: Window, *, kinds: Mapping[str, Kind] | None = None
) -> tuple[IntegrityCheck, ...]:
    """Names and kinds of the training table's features against the log's, then how far the baseline lies from it.

    `training` is the training table profiled under the log's layout. Where that layout hides a difference of kinds (a
    number read as text), hand over the table's own `kinds`.
    """
    schema = schema_checks(kinds or kinds_of(training), kinds_of(log))
    return (*schema, *judge(training_readings(training, log, baseline)))


def judge(readings: Iterable[Reading]) -> tuple[IntegrityCheck, ...]:
    """The readings of one case as checks, flagged where they stand out: see `check_profile`.

    Source: Benjamini and Hochberg (1995) for q; the gate by placebo stretches is Mortis' own.
    """
    measured: Sequence[Reading] = tuple(readings)
    q = bh(np.array([reading.p for reading in measured]))
    return tuple(_judged(reading, float(rate)) for reading, rate in zip(measured, q, strict=True))


def worst_first(checks: Iterable[IntegrityCheck]) -> list[IntegrityCheck]:
    """The checks that stand out: faults of values before columns that only moved, the strongest of each first."""
    flagged = (one for one in checks if one.flagged)
    return sorted(flagged, key=lambda one: (not _is_fault(one), -one.strength))


def _is_fault(one: IntegrityCheck) -> bool:
    # Fewer nulls or gaps than before are a move too.
    return one.check in FAULTS and one.effect.value > 0


def _judged(reading: Reading, q: float) -> IntegrityCheck:
    size = abs(reading.effect.value)
    stands_out = bool(np.isfinite(size)) and size >= reading.least and size > MARGIN * _largest(reading.usual)
    return IntegrityCheck(
        feature=reading.feature,
        check=reading.check,
        baseline=reading.baseline,
        incident=reading.incident,
        effect=reading.effect,
        n_baseline=reading.rows[0],
        n_incident=reading.rows[1],
        usual=reading.usual,
        q=q,
        strength=reading.strength,
        flagged=stands_out and q <= MOST_Q,
        statement=f"{reading.feature}: {reading.statement}",
        about=reading.about,
    )


def _largest(found: Usual | None) -> float:
    return found.largest if found else 0.0
