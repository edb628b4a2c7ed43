"""Regions of the inputs: the requests whose feature is above or below a bound, or is one category."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mortis.lab.bases.base import Feature, Service
from mortis.lab.kinds.choosing import a_feature, known, vocabulary
from mortis.lab.measuring import measured, worse_by
from mortis.lab.traffic import Bools, Columns, Stretch, Traffic


@dataclass(frozen=True, slots=True)
class Region:
    """Where a column is at least `low`, at most `high`, or the text `value`; missing values lie in none."""

    column: str
    low: float = -np.inf
    high: float = np.inf
    value: str = ""

    def holds(self, columns: Columns) -> Bools:
        """Which requests (n,) lie in it."""
        values = columns[self.column]
        if self.value:
            return np.asarray(values == self.value, dtype=bool)
        return np.asarray((values >= self.low) & (values <= self.high))

    def __str__(self) -> str:
        if self.value:
            return f"{self.column} = {self.value}"
        return f"{self.column} >= {self.low:g}" if np.isfinite(self.low) else f"{self.column} <= {self.high:g}"


def a_region(service: Service, rng: np.random.Generator, share: float) -> Region:
    """The upper or lower part of a number, about so large a share (0..1) of the requests, or a category."""
    feature = a_feature(service, rng, "number", "category")
    if feature.kind == "category":
        values, shares = vocabulary(service, feature.name)
        fitting = np.where(shares >= share / 2, shares, 0) if shares.max() >= share / 2 else shares
        return Region(feature.name, value=values[int(rng.choice(len(values), p=fitting / fitting.sum()))])
    return _ends(service, feature, share)[int(rng.integers(2))]


def _ends(service: Service, feature: Feature, share: float) -> tuple[Region, Region]:
    """The lower and the upper end of a number."""
    low, high = np.quantile(known(service, feature.name), (share, 1 - share))
    return Region(feature.name, high=float(low)), Region(feature.name, low=float(high))


def harder_regions(service: Service, share: float, *, times: float) -> Sequence[tuple[Region, float]]:
    """Regions with what the metric would lose if they had so many times their requests, the most first.

    Looked at are both ends of each number, about so large a share of the requests each, categories and segments.
    """
    base, weeks = service.base, _usual_weeks(service)
    usual = measured(weeks, base, base.metric)
    found = []
    for region in _candidates(service, share):
        inside = region.holds(weeks.columns)
        if 0 < inside.mean() <= 2 * share:
            places = np.repeat(np.arange(len(weeks)), np.where(inside, round(times), 1))
            grown = measured(weeks.take(places), base, base.metric)
            found.append((region, worse_by(base.metric, usual, grown)))
    return sorted(found, key=lambda one: -one[1])


def _candidates(service: Service, share: float) -> Iterator[Region]:
    for one in service.base.of_kind("number"):
        yield from _ends(service, one, share)
    for one in service.base.of_kind("category"):
        yield from (Region(one.name, value=value) for value in vocabulary(service, one.name)[0])
    for name, values in service.base.segments.items():
        if name != "replica":
            yield from (Region(name, value=value) for value in values)


@cache
def _usual_weeks(service: Service) -> Traffic:
    """Weeks of requests with the answers of the version in use, which has not learned from them."""
    base = service.base
    return service.answered(base.draw(Stretch(base.starts[0]), np.random.default_rng(31)))
