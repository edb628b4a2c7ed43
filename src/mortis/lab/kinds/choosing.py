"""What kinds of fault draw alike: which feature, whom, and what is known of its values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np

from mortis.lab.bases.base import Base, Feature, FeatureKind, Service
from mortis.lab.kinds.kind import Severity
from mortis.lab.traffic import YEAR, Column, Floats, missing


def a_feature(service: Service, rng: np.random.Generator, *kinds: FeatureKind) -> Feature:
    """One of the features of these kinds, the likelier the more the model relies on it."""
    return one_of(service.base.of_kind(*kinds), rng)


def one_of(features: tuple[Feature, ...], rng: np.random.Generator) -> Feature:
    """One of these features, the likelier the more the model relies on it."""
    weights = np.array([one.weight**2 for one in features])
    return features[rng.choice(len(features), p=weights / weights.sum())]


def a_scope(service: Service, rng: np.random.Generator, severity: Severity) -> dict[str, str]:
    """Whom a fault of the feeds reaches: one value of the first segment (mild), everybody (harsh), or either."""
    segments = service.base.segments
    if not segments or severity == 3 or (severity == 2 and rng.random() < 0.5):
        return {}
    name = next(iter(segments))
    return {name: str(rng.choice(segments[name]))}


def relies_on(*kinds: FeatureKind, fewest: int = 1) -> Callable[[Base], bool]:
    """Says of a base whether it has a trained model that reads so many features of these kinds."""
    return lambda base: base.past is not None and len(base.of_kind(*kinds)) >= fewest


def judged(base: Base) -> bool:
    """Whether a trained model's answers are compared with outcomes, row by row."""
    return base.past is not None and base.task in ("binary", "regression")


def years_after(base: Base) -> tuple[datetime, ...]:
    """The starts of stretches for which the same weeks of the year before can be drawn as well."""
    return tuple(one for one in base.starts if one - YEAR in base.starts)


def known(service: Service, name: str) -> Column:
    """The values (n,) of a column in what the models learned from, without the missing ones."""
    if service.past is None:
        raise ValueError(f"{service.base.name} has no model that learned from anything")
    values = service.past.columns[name]
    return values[~missing(values)]


def vocabulary(service: Service, name: str) -> tuple[list[str], Floats]:
    """The values that a category had in training, in the order of the alphabet, and their shares."""
    values, counts = np.unique(known(service, name).astype(str), return_counts=True)
    return values.tolist(), counts / counts.sum()


def a_part(service: Service, rng: np.random.Generator, severity: Severity) -> dict[str, str]:
    """Whom a fault of machines reaches: one sort of them where mild, everybody where harsh; or as `a_scope` has it."""
    column = machines_of(service.base)
    if severity < 3 and column and rng.random() < 0.6:
        return a_machine(service, rng)
    return a_scope(service, rng, severity)


def a_machine(service: Service, rng: np.random.Generator) -> dict[str, str]:
    """One replica, or one kind of hardware."""
    column = machines_of(service.base)
    return {column: str(rng.choice(service.base.segments[column]))}


def machines_of(base: Base) -> str:
    """The column that says which machine answered; empty where none does."""
    return next((name for name in ("replica", "hardware") if name in base.segments), "")
