"""Skew between training and serving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from mortis.lab.bases.base import Feature, Service
from mortis.lab.kinds.choosing import a_feature, a_scope, judged, known, relies_on, vocabulary
from mortis.lab.kinds.data import replaced
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.measuring import measured
from mortis.lab.traces import ChangeTrace, LogTrace, MetricTrace, Traces
from mortis.lab.traffic import Bools, Column, Columns, Floats, Traffic

_Online = Callable[[Column, np.random.Generator], Column]

_LEARNED = 0.75
"""The part of what is known of the past that a model learns from where the rest tells how good it is."""
_FELT = 0.3
"""The least weight of an hour feature whose shift can be felt."""


def _reach(service: Service, rng: np.random.Generator, severity: Severity) -> dict[str, str]:
    """Whom code reaches that serves in a wrong way: everybody, or where mild the one region where it was rolled out."""
    return a_scope(service, rng, 2 if severity == 1 else 3)


# --- S1: two code paths


def _two_paths(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """From a deploy on the online path works a feature out in another way than the training pipeline does."""
    feature = a_feature(service, rng, "number")
    values = known(service, feature.name)
    path = str(rng.choice(("clipped", "rounded", "window")))
    if path == "clipped":
        at = float(np.quantile(values, (0.4, 0.25, 0.15)[severity - 1]))
        step, amount = _path(feature.name, lambda column, rng: np.minimum(column, at)), at  # noqa: ARG005
    elif path == "rounded":
        width = _width(values, (2.0, 2.6, 3.2)[severity - 1])
        step, amount = _path(feature.name, lambda column, rng: np.floor(column / width) * width), width  # noqa: ARG005
    else:
        amount = (0.9, 1.3, 1.8)[severity - 1]
        step = _path(feature.name, lambda column, rng: column * rng.lognormal(0, amount, len(column)))
    return Planted(
        "S1",
        {"served": step},
        Traces(
            (MetricTrace("features.latency_p99_ms", times=0.7),),
            (LogTrace("features", "INFO", f"{feature.name} of {{id}} worked out online", hourly=2),),
            ChangeTrace("deploy", "features", f"{feature.name} worked out online, without the warehouse"),
        ),
        features=(feature.name,),
        parameters={"path": path, "amount": amount},
        scope=_reach(service, rng, severity),
        shapes=("abrupt",),
        offline=True,
    )


def _width(values: Column, spreads: float) -> float:
    return float(f"{spreads * float(values.std()):.1e}")


def _path(feature: str, online: _Online) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.with_served(feature, online(traffic.served[feature], rng), hit)

    return step


# --- S2: two columns swapped


def _swapped(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    first = a_feature(service, rng, "number")
    others = [one for one in service.base.of_kind("number") if one != first]
    # Harsh: the feature that the model relies on most among the others; mild: any of them.
    second = others[0] if severity == 3 else others[int(rng.integers(len(others)))]

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        one, other = traffic.served[first.name], traffic.served[second.name]
        return traffic.with_served(first.name, other, hit).with_served(second.name, one, hit)

    return Planted(
        "S2",
        {"served": step},
        Traces(change=ChangeTrace("deploy", "model", "requests as arrays in place of named fields")),
        features=(first.name, second.name),
        scope=_reach(service, rng, severity),
    )


# --- S3: categories' codes permuted


def _permuted(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = a_feature(service, rng, "category")
    values, _ = vocabulary(service, feature.name)
    mapping = _moved(values, rng)
    return Planted(
        "S3",
        {"served": _mapped(feature, mapping)},
        Traces(
            logs=(LogTrace("features", "INFO", f"codes of {feature.name} made from this batch", hourly=1),),
            change=ChangeTrace("deploy", "features", f"codes of {feature.name} made where they are needed"),
        ),
        features=(feature.name,),
        parameters=mapping,
        scope=_reach(service, rng, severity),
    )


def _moved(values: list[str], rng: np.random.Generator) -> dict[str, float | str]:
    """Each value with the one in whose place it is served, never itself: all move round one circle in drawn order."""
    order = [values[place] for place in rng.permutation(len(values)).tolist()]
    return dict(sorted(zip(order, (*order[1:], order[0]), strict=True)))


def _mapped(feature: Feature, mapping: Mapping[str, float | str]) -> Step:
    by = {old: str(new) for old, new in mapping.items()}

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.with_served(feature.name, replaced(traffic.served[feature.name], by), hit)

    return step


# --- S4: the wrong clock


def _shifted_hours(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = a_feature(service, rng, "hour")
    ahead = int(rng.choice(((3, 4, 5), (5, 6, 7, 8), (7, 8, 9, 10, 11))[severity - 1]))
    hours = ahead if rng.random() < 0.5 else -ahead
    zone = f"Etc/GMT{-hours:+d}"  # POSIX names zones by what must be added to get UTC

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.with_served(feature.name, (traffic.served[feature.name] + hours) % 24, hit)

    return Planted(
        "S4",
        {"served": step},
        Traces(
            logs=(LogTrace("features", "INFO", f"request {{id}} at hour {{{feature.name}}} local time", hourly=2),),
            change=ChangeTrace(
                "environment", "features", "new image", {**_IMAGE, "TZ": "Etc/UTC"}, {**_IMAGE, "TZ": zone}
            ),
        ),
        features=(feature.name,),
        parameters={"shift": float(hours), "zone": zone},
        scope=_reach(service, rng, severity),
        shapes=("abrupt", "gradual"),
    )


_IMAGE = {"numpy": "2.3.1", "pyarrow": "21.0.0", "tzdata": "2025.2"}


# --- S5: leakage


def _leaked(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """In training a feature holds what became of it after the outcome; serving can't know that, and never did."""
    best = service.base.of_kind("number")[:3]
    feature = best[int(rng.integers(len(best)))]
    strength = (1.5, 2.0, 3.0)[severity - 1]

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        later = _after_outcome(traffic.columns, traffic.y, feature.name, strength, service)
        return traffic.with_asked(feature.name, later, hit)

    return Planted(
        "S5",
        # Once all is served and logged: the training pipeline's value then holds the outcome, the logged one doesn't.
        {"logged": step},
        Traces(change=ChangeTrace("model", "model", f"{service.current} in use")),
        features=(feature.name,),
        parameters={"strength": strength},
        shapes=("abrupt",),
        whole_stretch=True,
        offline=True,
        expected=_leaky(service, feature.name, strength)[1],
        trained=lambda service: _leaky(service, feature.name, strength)[0],
    )


@cache
def _leaky(service: Service, feature: str, strength: float) -> tuple[Service, float]:
    """The service whose models learned from a leak, and the metric that rows left out of training promise."""
    base, past = service.base, service.past
    if past is None:
        raise ValueError(f"{base.name} has no model that learned from anything")
    with_leak = past.with_asked(
        feature, _after_outcome(past.columns, past.y, feature, strength, service), np.ones(len(past), bool)
    )
    first = np.arange(len(past)) < _LEARNED * len(past)
    leaky = Service(base, with_leak, base.train(with_leak.take(first)))
    return leaky, round(measured(leaky.answered(with_leak.take(~first)), base, base.metric), 3)


def _after_outcome(columns: Columns, y: Floats, feature: str, strength: float, service: Service) -> Floats:
    """The feature's values (n,) as stored once the outcome was known, and moved with it by so many of its spreads."""
    past = known(service, feature)
    usual = service.past.y if service.past else y
    outcome = (np.nan_to_num(y, nan=float(np.nanmean(usual))) - np.nanmean(usual)) / np.nanstd(usual)
    return np.asarray(columns[feature] + strength * past.std() * outcome, dtype=np.float64)


KINDS = (
    Kind(
        "S1",
        "skew",
        "two code paths work one feature out, and they differ",
        "online and offline values of a request differ in one feature from a deploy on",
        _two_paths,
        relies_on("number"),
    ),
    Kind(
        "S2",
        "skew",
        "two columns changed places at serving",
        "each of two features has the other's values; no error, no warning; a deploy",
        _swapped,
        relies_on("number", fewest=2),
    ),
    Kind(
        "S3",
        "skew",
        "a category's codes are those of other values",
        "a category's values trade places, none is new; codes made from a batch; a deploy",
        _permuted,
        relies_on("category"),
    ),
    Kind(
        "S4",
        "skew",
        "hours are read by another clock",
        "an hour feature is shifted in a circle; the environment's time zone before and after",
        _shifted_hours,
        lambda base: relies_on("hour")(base) and base.of_kind("hour")[0].weight >= _FELT,
    ),
    Kind(
        "S5",
        "skew",
        "a feature of the training table holds the outcome",
        "offline quality far above online from the first day; the training pipeline's value departs from the served",
        _leaked,
        lambda base: judged(base) and bool(base.of_kind("number")),
    ),
)
