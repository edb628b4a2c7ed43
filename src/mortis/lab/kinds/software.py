"""Faults of the software around the model: libraries, precision, code, callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mortis.lab.bases.base import Base, Service
from mortis.lab.course import Shape
from mortis.lab.kinds.answers import Reading, has_models, is_judged, judged_worse, logit, rehearsal, rescored, scored_on
from mortis.lab.kinds.choosing import a_feature, a_machine, a_part, a_scope, machines_of
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.traces import ChangeTrace, LogTrace, MetricTrace, Traces
from mortis.lab.traffic import Bools, Column, Columns, Floats, Traffic, in_scope, texts

_STEADY: tuple[Shape, ...] = ("abrupt", "gradual")
_PACKAGES = {"fastapi": "0.115.6", "httpx": "0.28.1", "lightgbm": "4.5.0", "numpy": "2.1.3", "scikit-learn": "1.5.2"}
_UPGRADED = _PACKAGES | {"httpx": "0.28.2", "lightgbm": "4.6.0", "scikit-learn": "1.6.1"}

# --- P1: libraries


def _library(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """An upgrade scores the same inputs otherwise: from another base score, or with categories in another order."""
    ways = ["base score"] if service.base.task != "ranking" else ["ties"]
    ways += ["category codes"] if service.base.of_kind("category") else []
    way = str(rng.choice(ways))
    scope = a_part(service, rng, severity)
    step = _LIBRARY[way](service, rng, severity, scope)
    kind = "dependency" if rng.random() < 0.5 else "environment"
    return Planted(
        "P1",
        {"scored": step},
        Traces(
            change=ChangeTrace("dependency", "model", "libraries brought up to date", _PACKAGES, _UPGRADED)
            if kind == "dependency"
            else ChangeTrace("environment", "model", "new base image", _PACKAGES, _UPGRADED)
        ),
        parameters={"way": way},
        scope=scope,
        shapes=_STEADY,
    )


def _other_base_score(service: Service, rng: np.random.Generator, severity: Severity, scope: Mapping[str, str]) -> Step:
    usual = rehearsal(service)

    def shifted(score: Floats, by: float) -> Floats:
        if service.base.task == "binary":
            return np.asarray(1 / (1 + np.exp(-logit(score) - by)), dtype=np.float64)
        return score + by * float(np.nanstd(usual.traffic.score))

    by = usual.enough(severity, scope, lambda one: usual.fall(shifted(usual.traffic.score, one)))
    by *= float(rng.uniform(1, 1.2))
    return rescored(lambda score: shifted(score, by))


def _ties(  # ways are asked alike
    service: Service,
    rng: np.random.Generator,  # noqa: ARG001
    severity: Severity,
    scope: Mapping[str, str],  # noqa: ARG001
) -> Step:
    """Scores come out so coarse that many are equal."""
    grain = float(np.nanstd(rehearsal(service).traffic.score)) * (0.8, 1.5, 3.0)[severity - 1]
    return rescored(lambda score: np.round(score / grain) * grain)


def _other_codes(
    service: Service,
    rng: np.random.Generator,
    severity: Severity,
    scope: Mapping[str, str],  # noqa: ARG001
) -> Step:
    """Categories are numbered in another order than in training, so that each is read as another one."""
    features = [one.name for one in service.base.of_kind("category")]
    known = rehearsal(service).traffic.columns
    chosen = features if severity > 1 else [features[0]]
    mapped = {name: _renumbered(known[name], rng) for name in chosen}

    def reading(traffic: Traffic, hit: Bools) -> Columns:  # noqa: ARG001
        return {name: _looked_up(traffic.served[name], codes) for name, codes in mapped.items()}

    return scored_on(reading)


def _renumbered(column: Column, rng: np.random.Generator) -> dict[str, str]:
    """Each value's other one: a shuffle, turned by one, in which none stays what it was."""
    values = rng.permutation(sorted({str(one) for one in column if one is not None}))
    return dict(zip(values.tolist(), np.roll(values, 1).tolist(), strict=True))


def _looked_up(column: Column, codes: Mapping[str, str]) -> Column:
    """The column with each value as `codes` has it; one that they lack stays."""
    found = column.copy()
    for value, other in codes.items():
        found[column == value] = other
    return found


_LIBRARY = {"base score": _other_base_score, "ties": _ties, "category codes": _other_codes}

# --- P2: precision


def _precision(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Numbers reach the model in a few steps and cut at both ends, as if its ranges had been calibrated too tightly."""
    scope = a_machine(service, rng) if is_judged(service.base) else a_part(service, rng, severity)
    tail, steps = (0.2, 0.28, 0.36)[severity - 1], int(rng.integers(3, 9))
    known = rehearsal(service).traffic.columns
    ends = {
        one.name: tuple(float(end) for end in np.nanquantile(known[one.name], [tail / 2, 1 - tail]))
        for one in service.base.of_kind("number")
    }
    before = {"gpu": "NVIDIA T4", "driver": "535.183.01", "numpy": "2.1.3", "onnxruntime-gpu": "1.20.1"}
    after = {"gpu": "NVIDIA L4", "driver": "550.127.05", "numpy": "2.1.3", "tensorrt": "10.7.0"}
    return Planted(
        "P2",
        {"scored": judged_worse(3 * tail) if is_judged(service.base) else scored_on(_coarse(ends, steps))},
        Traces(
            metrics=(MetricTrace("model.latency_p99_ms", times=0.7), MetricTrace("model.gpu_percent", times=0.75)),
            change=ChangeTrace("environment", "model", "int8 engine on the newer cards", before, after),
        ),
        parameters={"steps": float(steps), "cut": tail},
        scope=scope,
        shapes=_STEADY,
    )


def _coarse(ends: Mapping[str, tuple[float, ...]], steps: int) -> Reading:
    def reading(traffic: Traffic, hit: Bools) -> Columns:  # noqa: ARG001
        return {name: _stepped(traffic.served[name], low, high, steps) for name, (low, high) in ends.items()}

    return reading


def _stepped(values: Floats, low: float, high: float, steps: int) -> Floats:
    """Values cut to a range and rounded to so many steps of it.

    >>> _stepped(np.array([-9.0, 0.4, 9.0]), 0.0, 1.0, 2)
    array([0. , 0.5, 1. ])
    """
    if high <= low:
        return values
    place = (np.clip(values, low, high) - low) / (high - low)
    return np.asarray(low + np.round(place * steps) / steps * (high - low), dtype=np.float64)


# --- P3: code


def _code(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """The code between the log and the model spoils a feature: its sign, its row, or the value for none."""
    feature = a_feature(service, rng, "number").name
    way = str(rng.choice(("sign", "row", "lost")))
    said = {
        "sign": f"{feature} as a difference to the limit",
        "row": "requests are scored in batches",
        "lost": f"{feature} read from the new record",
    }
    kind = "code" if rng.random() < 0.5 else "deploy"
    change = ChangeTrace("code", "model", said[way]) if kind == "code" else ChangeTrace("deploy", "model", said[way])
    return Planted(
        "P3",
        {"scored": scored_on(_spoilt(feature, way))},
        Traces(change=change),
        features=(feature,),
        parameters={"way": way},
        scope=a_scope(service, rng, severity),
        shapes=("abrupt",),
    )


def _spoilt(feature: str, way: str) -> Reading:
    def reading(traffic: Traffic, hit: Bools) -> Columns:  # noqa: ARG001
        values = traffic.served[feature]
        return {feature: {"sign": -values, "row": np.roll(values, 1), "lost": np.zeros(len(values))}[way]}

    return reading


# --- P4: callers


def _caller(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    if service.base.group or rng.random() < 0.5:
        return _payload(service, rng, severity)
    return _test_job(service, rng, severity)


def _a_caller(base: Base, rng: np.random.Generator) -> dict[str, str]:
    """One caller: a value of the last column that parts the traffic by who asks."""
    column = [name for name in base.segments if name != "replica"][-1]
    return {column: str(rng.choice(base.segments[column]))}


def _payload(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """A caller's new client sends fields as the contract doesn't have them: numbers scaled, categories in capitals."""
    base, scope = service.base, _a_caller(service.base, rng)
    (caller,) = scope.values()
    numbers = [one.name for one in base.of_kind("number")][: severity + 1]
    categories = [one.name for one in base.of_kind("category")][:severity]
    factor = float(rng.choice((0.01, 100.0, 1000.0)))
    return Planted(
        "P4",
        {"served": _sent(numbers, factor, categories)},
        Traces(
            logs=(LogTrace("gateway", "WARN", f"payload of {caller} for {{id}} names no version, read as version 1"),),
            change=ChangeTrace("product", "gateway", f"client 5.0 of {caller} out"),
        ),
        features=(*numbers, *categories),
        parameters={"caller": caller, "factor": factor},
        scope=scope,
        shapes=_STEADY,
    )


def _sent(numbers: list[str], factor: float, categories: list[str]) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        for name in numbers:
            traffic = traffic.with_served(name, traffic.served[name] * factor, hit)
        for name in categories:
            usual = traffic.served[name]
            capitals = np.array([None if value is None else str(value).upper() for value in usual], dtype=object)
            traffic = traffic.with_served(name, capitals, hit)
        return traffic

    return step


def _test_job(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """A caller's test job talks to production: further requests that fit no customer, of which nothing comes."""
    scope = _a_caller(service.base, rng)
    (caller,) = scope.values()
    times = (0.8, 1.5, 3.0)[severity - 1]
    usual = float(in_scope(rehearsal(service).traffic, scope).mean())
    return Planted(
        "P4",
        {"asked": _tested(times)},
        Traces(
            metrics=(MetricTrace("gateway.requests_per_minute", times=1 + times * usual),),
            logs=(LogTrace("gateway", "INFO", f"agent qa-suite/2.3 asks for {caller}", hourly=3),),
            change=ChangeTrace("deploy", "gateway", f"nightly checks of {caller} run all day", recorded=False),
        ),
        parameters={"caller": caller, "times": times},
        scope=scope,
        shapes=("abrupt", "intermittent"),
    )


def _tested(times: float) -> Step:
    """Adds `times` as many requests as are hit, with values mixed from all of these, and outcomes of nothing."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
        places = np.flatnonzero(hit)
        if not len(places):
            return traffic
        drawn = rng.choice(places, int(times * len(places)))
        order = np.sort(np.concatenate([np.arange(len(traffic)), drawn]))
        added = np.concatenate([[False], order[1:] == order[:-1]])
        return _as_test(traffic.take(order), added, service.base, rng)

    return step


def _as_test(traffic: Traffic, added: Bools, base: Base, rng: np.random.Generator) -> Traffic:
    n = int(added.sum())
    ids, label, labelled = traffic.ids.copy(), traffic.label.copy(), traffic.labelled.copy()
    ids[added] = texts(np.char.add("test-", rng.permutation(np.arange(n) + 10 * n).astype(str)))
    label[added] = 0.0
    labelled[added] = traffic.at[added] + 3600
    columns = dict(traffic.columns)
    for one in base.features:
        column = columns[one.name].copy()
        column[added] = rng.permutation(column[added])
        columns[one.name] = column
    return replace(traffic, ids=ids, label=label, y=np.where(added, 0.0, traffic.y), labelled=labelled, columns=columns)


KINDS = (
    Kind(
        "P1",
        "software",
        "an upgrade of libraries changes the output",
        "a step in the scores where features are as before; no version gives them; packages before and after",
        _library,
        has_models,
    ),
    Kind(
        "P2",
        "software",
        "less precision: a conversion or quantised engine",
        "most scores differ little, those of extreme inputs much, by device; other card, driver and engine",
        _precision,
        lambda base: bool(base.of_kind("number")) or (is_judged(base) and bool(machines_of(base))),
    ),
    Kind(
        "P3",
        "software",
        "a regression in the serving code",
        "a step at a commit: scores fit other values of one feature than are logged; no version gives them",
        _code,
        lambda base: has_models(base) and bool(base.of_kind("number")),
    ),
    Kind(
        "P4",
        "software",
        "one caller breaks the contract, or its test job asks production",
        "one caller alone is hit: its fields are of another form, or unfamiliar requests of its are added",
        _caller,
        lambda base: has_models(base) and any(name != "replica" for name in base.segments),
    ),
)
