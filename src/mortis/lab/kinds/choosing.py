"""What kinds of fault draw alike: which feature, whom."""

from __future__ import annotations

import numpy as np

from mortis.lab.bases.base import Base, Feature, FeatureKind, Service
from mortis.lab.kinds.kind import Severity


def a_feature(service: Service, rng: np.random.Generator, *kinds: FeatureKind) -> Feature:
    """One of the features of these kinds, the likelier the more the model relies on it."""
    features = service.base.of_kind(*kinds)
    weights = np.array([one.weight**2 for one in features])
    return features[rng.choice(len(features), p=weights / weights.sum())]


def a_scope(service: Service, rng: np.random.Generator, severity: Severity) -> dict[str, str]:
    """Whom a fault of the feeds reaches: one value of the first segment where mild, everybody where harsh, else either."""
    segments = service.base.segments
    if not segments or severity == 3 or (severity == 2 and rng.random() < 0.5):
        return {}
    name = next(iter(segments))
    return {name: str(rng.choice(segments[name]))}


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
