"""Versions learned from what a model should not learn from: odd windows, proxies, the rows of an earlier incident."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import numpy as np

from mortis.lab.bases.base import Base, Model, Service
from mortis.lab.traffic import Column, Floats, Traffic

NEW = "v3"
"""What a version is called that a fault brings."""
Recipe = Callable[[Traffic, Base, np.random.Generator], Traffic]


@dataclass(frozen=True, slots=True, eq=False)
class Retrained:
    """A version, and the rows that it learned from."""

    model: Model
    rows: Traffic


@cache
def retrained(service: Service, recipe: str) -> Retrained:
    """The version that learns from a recipe's rows as the one in use did from its own: same recipe, same version."""
    if service.past is None:
        raise ValueError(f"{service.base.name} has no models of its own")
    rows = RECIPES[recipe](service.past, service.base, np.random.default_rng(31))
    return Retrained(service.base.train(rows)[service.current], rows)


def relied_on(base: Base) -> tuple[str, ...]:
    """The features by how much the model relies on them, most first."""
    return tuple(one.name for one in base.of_kind("number", "category"))


def with_outcome(traffic: Traffic, y: Floats) -> Traffic:
    """The same requests with other outcomes."""
    return replace(traffic, y=y, label=y)


def stuck(column: Column) -> Column:
    """Every value the one that is there most, or in the middle."""
    if column.dtype == object:
        values, counts = np.unique(np.array([one for one in column if one is not None], dtype=str), return_counts=True)
        return np.full(len(column), str(values[counts.argmax()]), dtype=object)
    return np.full(len(column), float(np.nanmedian(column)))


def _stuck_features(most: int) -> Recipe:
    def recipe(past: Traffic, base: Base, rng: np.random.Generator) -> Traffic:  # noqa: ARG001  recipes are asked alike
        names = relied_on(base)[:most]
        return replace(past, columns={**past.columns, **{name: stuck(past.columns[name]) for name in names}})

    return recipe


def _odd_weeks(past: Traffic, base: Base, rng: np.random.Generator) -> Traffic:
    """Outcomes as in weeks that are like no others: most that count are missing, figures are two thirds."""
    if base.task == "regression":
        return with_outcome(past, past.y * 0.66)
    return with_outcome(past, np.where(rng.random(len(past)) < 0.7, 0.0, past.y))


def _proxy(past: Traffic, base: Base, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """What is easily counted in place of what matters: more of it where a feature is high, whatever came of it."""
    feature = base.of_kind("number")[-1].name
    values = past.columns[feature]
    high = values > np.nanquantile(values, 0.6)
    if base.task in ("binary", "ranking"):
        return with_outcome(past, np.where(high, np.nanmax(past.y), past.y))
    spread = float(np.nanstd(past.y))
    return with_outcome(past, past.y + np.where(high, 1.5 * spread, 0.2 * spread))


def _flipped(past: Traffic, base: Base, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """Outcomes turned round for a good third of the rows."""
    turned = float(np.nanmax(past.y)) + float(np.nanmin(past.y)) - past.y
    return with_outcome(past, np.where(rng.random(len(past)) < 0.38, turned, past.y))


def _scaled(past: Traffic, base: Base, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """A feature in another unit throughout."""
    feature = base.of_kind("number")[0]
    return replace(past, columns={**past.columns, feature.name: past.columns[feature.name] * SCALE})


SCALE = 10.0
"""The factor of the unit in which the rows of the recipe "scaled" hold a feature."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "two stuck": _stuck_features(2),
        "three stuck": _stuck_features(3),
        "odd weeks": _odd_weeks,
        "proxy": _proxy,
        "flipped": _flipped,
        "scaled": _scaled,
    }
)
"""What a version may have learned from, by name."""
