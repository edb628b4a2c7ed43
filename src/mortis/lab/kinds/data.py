"""Faults of the data pipeline."""

from __future__ import annotations

import numpy as np

from mortis.lab.bases.base import Service
from mortis.lab.kinds.choosing import a_feature, a_scope
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.traces import ChangeTrace, LogTrace, Traces
from mortis.lab.traffic import Bools, Traffic

_FACTORS = (0.001, 0.01, 1 / 60, 0.3048, 1.609344, 2.54, 60.0, 100.0, 1000.0)


def _unit(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = a_feature(service, rng, "number")
    factor = float(rng.choice(feature.units or _FACTORS))
    summary = f"{feature.name} in the unit of the provider's new interface"
    return Planted(
        "D3",
        {"served": _multiplied(feature.name, factor)},
        Traces(
            logs=(
                LogTrace(
                    "features",
                    "WARN",
                    f"value of {feature.name} for {{id}} is {{{feature.name}}}, outside the usual range",
                ),
            ),
            change=ChangeTrace("deploy", "features", summary),
        ),
        features=(feature.name,),
        parameters={"factor": factor},
        scope=a_scope(service, rng, severity),
    )


def _multiplied(feature: str, factor: float) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.with_served(feature, traffic.served[feature] * factor, hit)

    return step


KINDS = (
    Kind(
        "D3",
        "data",
        "a feature is served in another unit or on another scale",
        "its quantiles multiply by a constant and its ranks stay; a warning of values out of range; a release of its feed",
        _unit,
        lambda base: bool(base.of_kind("number")),
    ),
)
