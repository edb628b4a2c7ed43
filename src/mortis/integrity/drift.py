"""Drift: how far a column's distribution moved, beyond what it does between stretches of the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mortis.integrity.readings import IntegrityCheck, Reading
from mortis.integrity.windows import Column
from mortis.integrity.yardstick import clean_distance, compare, distance_interval, pool_rare, stretches, usual
from mortis.profiles import Floats

# What a shift by a tenth of a standard deviation makes of the distance.
LEAST_DRIFT = 0.04


def drift(column: Column) -> Iterable[Reading]:
    """The Jensen-Shannon distance between the two windows over the column's slots, null being one of them.

    What chance alone makes of the distance is taken off, so that few rows or many slots don't look like drift.
    """
    return drift_reading(column, check="drift", length=len(column.incident.rows))


def drift_reading(column: Column, *, check: str, length: int) -> tuple[Reading, ...]:
    """The distance as a reading of the check named; `length` is how many buckets a placebo stretch has."""
    before, after = pool_rare(column.baseline.rows, column.incident.rows)
    a, b = before.sum(axis=0), after.sum(axis=0)
    if not a.sum() or not b.sum():
        return ()
    found = compare(before, after)
    effect = distance_interval(a, b, found.dispersion)
    inside, rest = stretches(before, length)
    placebo = usual(clean_distance(rest, inside, found.dispersion))
    reading = Reading(
        feature=column.name,
        check=check,
        baseline=placebo.median if placebo else 0.0,
        incident=effect.value,
        effect=effect,
        rows=(int(a.sum()), int(b.sum())),
        p=found.p,
        usual=placebo,
        least=LEAST_DRIFT,
        strength=effect.value,
        statement=(
            f"{_MOVED[check]} by {effect.value:.3f} (Jensen-Shannon distance of 0 to 1, 95 % interval "
            f"{effect.low:.3f} to {effect.high:.3f}){_where(column)}"
        ),
    )
    return (reading,)


_MOVED = {"drift": "the distribution moved", "training drift": "the training table differs from the baseline"}


def _where(column: Column) -> str:
    """The slots that gained and lost most, in words."""
    a, b = column.baseline.rows.sum(axis=0), column.incident.rows.sum(axis=0)
    change: Floats = b / b.sum() - a / a.sum()
    up, down = int(np.argmax(change)), int(np.argmin(change))
    if change[up] <= 0:
        return ""
    return (
        f"; {column.slots[up]} gained most ({100 * change[up]:+.1f} points), "
        f"{column.slots[down]} lost most ({100 * change[down]:+.1f} points)"
    )


@dataclass(frozen=True, slots=True)
class Ranked:
    """A feature with its flagged checks, strongest first; `weight` is the strongest's strength × the reliance."""

    feature: str
    weight: float
    reliance: float
    checks: tuple[IntegrityCheck, ...]


def rank_features(
    checks: Iterable[IntegrityCheck], *, reliance: Mapping[str, float] | None = None
) -> tuple[Ranked, ...]:
    """Features with flagged checks, by how much they changed times how much the model relies on them; largest first.

    `reliance` maps features to figures of any scale, 0 where one is not named; without it all count alike. What stands
    in parentheses (the model's output, all rows) is no feature.

    >>> from mortis.records import Interval
    >>> one = IntegrityCheck("a", "drift", 0, 0.2, Interval(0.2, 0.1, 0.3), 9, 9, None, 0.01, 0.2, True, "")
    >>> two = IntegrityCheck("b", "drift", 0, 0.1, Interval(0.1, 0.1, 0.2), 9, 9, None, 0.01, 0.1, True, "")
    >>> (
    ...     [r.feature for r in rank_features([one, two])],
    ...     [r.feature for r in rank_features([one, two], reliance={"a": 1, "b": 3})],
    ... )
    (['a', 'b'], ['b', 'a'])
    """
    flagged: dict[str, list[IntegrityCheck]] = {}
    for check in checks:
        if check.flagged and not check.feature.startswith("("):
            flagged.setdefault(check.feature, []).append(check)
    found = []
    for feature, own in flagged.items():
        ordered = tuple(sorted(own, key=lambda check: -check.strength))
        relied = 1.0 if reliance is None else float(reliance.get(feature, 0.0))
        found.append(Ranked(feature, ordered[0].strength * relied, relied, ordered))
    return tuple(sorted(found, key=lambda ranked: (-ranked.weight, -ranked.checks[0].strength, ranked.feature)))
