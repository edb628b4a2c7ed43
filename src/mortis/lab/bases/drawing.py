"""What the realistic bases draw alike: when requests come, who asks, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mortis.lab.traffic import DAY, Bools, Column, Floats, Stretch, texts

Ints = NDArray[np.int64]
REPLICAS = ("r1", "r2", "r3")


def moments(stretch: Stretch, daily: int, rng: np.random.Generator, *, weekend: float = 0.75) -> Ints:
    """When requests come, in epoch seconds and in order: busier by day than by night, fewer at weekends."""
    first = int(stretch.start.timestamp())
    days = np.arange(stretch.days)
    weekday = (first // DAY + days + 3) % 7  # day 0 of the epoch was a Thursday
    wanted = daily * np.where(weekday >= 5, weekend, 1.0) * rng.lognormal(0, 0.04, stretch.days)
    day = np.repeat(days, rng.poisson(wanted))
    hours = 1 - 0.7 * np.cos(2 * np.pi * (np.arange(24) - 3) / 24)
    hour = rng.choice(24, len(day), p=hours / hours.sum())
    return np.sort(first + day * DAY + hour * 3600 + rng.integers(0, 3600, len(day)))


def request_ids(prefix: str, n: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """Ids that tell nothing of the order."""
    numbers = rng.permutation(np.arange(n, dtype=np.int64)) + 10 * n
    return texts(np.char.add(f"{prefix}-", numbers.astype(str)))


def drawn(shares: Mapping[str, float], n: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """Values (n,) by their shares."""
    chances = np.array(list(shares.values()))
    return np.array(list(shares), dtype=object)[rng.choice(len(shares), n, p=chances / chances.sum())]


def drawn_by(
    given: NDArray[np.object_], shares: Mapping[str, Mapping[str, float]], rng: np.random.Generator
) -> NDArray[np.object_]:
    """Values (n,), each by the shares that go with the given one; missing where none do."""
    found = np.full(len(given), None, dtype=object)
    for value, its_shares in shares.items():
        here = np.flatnonzero(given == value)
        found[here] = drawn(its_shares, len(here), rng)
    return found


def by_day(at: Ints, spread: float, rng: np.random.Generator) -> Floats:
    """A factor about 1 for each moment (n,), the same throughout its day: days differ."""
    day = at // DAY - (at[0] // DAY if len(at) else 0)
    return np.asarray(rng.lognormal(0, spread, int(day.max(initial=0)) + 1)[day])


def effect(values: NDArray[np.object_], of: Mapping[str, float]) -> Floats:
    """What each value counts for (n,); nothing where it isn't named.

    >>> effect(np.array(["a", None], object), {"a": 2.0})
    array([2., 0.])
    """
    return np.array([of.get(value, 0.0) for value in values], dtype=np.float64)


def chance(logit: Floats) -> Floats:
    """Probability by the logistic function."""
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float64)


def mondays(first: datetime, weeks: int) -> tuple[datetime, ...]:
    """So many Mondays in a row, as starts of stretches."""
    monday = first.replace(tzinfo=UTC)
    monday -= timedelta(days=monday.weekday())
    return tuple(monday + timedelta(weeks=i) for i in range(weeks))


def holed(values: Column, share: float | Floats, rng: np.random.Generator) -> Column:
    """The values with this share of them missing, the same for all or each its own (n,)."""
    return without(values, rng.random(len(values)) < share)


def without(values: Column, gone: Bools) -> Column:
    """The values, missing where the mask holds.

    >>> without(np.array([1.0, 2.0]), np.array([True, False]))
    array([nan,  2.])
    """
    found = values.copy()
    found[gone] = None if values.dtype == object else np.nan
    return found


def later(at: Ints, days: Sequence[float] | Floats) -> Ints:
    """Moments (n,) so many days after others."""
    return at + (np.asarray(days) * DAY).astype(np.int64)
