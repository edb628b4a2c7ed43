"""Faults of machines and of what runs on them: overload, devices, jobs, caches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mortis.lab.bases.base import Base, Service
from mortis.lab.course import Shape
from mortis.lab.kinds.answers import bounded, has_models, is_judged, rehearsal, with_score
from mortis.lab.kinds.choosing import a_machine, a_part, a_scope, machines_of
from mortis.lab.kinds.kind import Kind, Planted, Severity, Stage, Step
from mortis.lab.traces import ChangeTrace, LogTrace, MetricTrace, Traces
from mortis.lab.traffic import DAY, Bools, Column, Floats, Traffic, in_scope

_COMING_AND_GOING: tuple[Shape, ...] = ("abrupt", "intermittent")

# --- H1: overload


def _overload(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Too much to do in peaks: requests wait for long, or are answered by a fallback once they time out."""
    share = (0.35, 0.6, 0.9)[severity - 1]
    slower = float(rng.uniform(4, 9))
    falls_back = rng.random() < 0.5
    line = "model timed out for {id}, answered by the fallback" if falls_back else "{id} waits for a worker"
    fewer = {"workers": 8, "timeout_ms": 400, "log_level": "info"}
    changes = (
        ChangeTrace("config", "model", "fewer workers at night", fewer, fewer | {"workers": 3}),
        ChangeTrace("product", "gateway", "a partner's customers come in too"),
        ChangeTrace("hardware", "model", "smaller machines", recorded=False),
    )
    steps: dict[Stage, Step] = {"logged": _slower(slower)}
    return Planted(
        "H1",
        steps | ({"scored": _fallback(_prior(service))} if falls_back else {}),
        Traces(
            metrics=(
                MetricTrace("model.latency_p99_ms", times=slower * 2),
                MetricTrace("gateway.latency_p99_ms", times=slower),
                MetricTrace("model.cpu_percent", times=3.2),
                MetricTrace("notifier.queue_length", times=4),
                *((MetricTrace("model.fallback_rate", plus=share),) if falls_back else ()),
            ),
            logs=(LogTrace("gateway", "WARN", line, hourly=30),),
            change=changes[int(rng.integers(3))],
        ),
        parameters={"fallback": _prior(service)} if falls_back else {"slower": slower},
        share=share,
        metric="" if falls_back else "latency_p95",
        peaks=True,
    )


def _prior(service: Service) -> float:
    """What is answered where no model does: the usual outcome; a judge finds an apology poor."""
    usual = rehearsal(service).traffic
    if is_judged(service.base):
        return round(float(np.nanquantile(usual.score, 0.1)), 2)
    return round(float(np.nanmean(usual.y)), 2)


def _fallback(prior: float) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return with_score(traffic, np.full(len(traffic), prior), hit)

    return step


def _slower(times: float) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        latency = traffic.latency_ms * times * rng.lognormal(0, 0.2, len(traffic))
        return replace(traffic, latency_ms=np.where(hit, np.round(latency, 2), traffic.latency_ms))

    return step


# --- H2: accelerators


def _accelerator(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """The runtime falls back to the processor without a word: the same answers, to the last digits, much later."""
    scope = a_part(service, rng, severity)
    touched = float(in_scope(rehearsal(service).traffic, scope).mean())
    slower = float(rng.uniform(2, 3)) * (1 + severity)
    before = {"gpu": "NVIDIA L4", "driver": "550.127.05", "numpy": "2.1.3", "onnxruntime-gpu": "1.20.1"}
    after = before | {"gpu": "", "driver": ""}
    if rng.random() < 0.5:
        after = {"gpu": "NVIDIA L4", "driver": "570.86.10", "numpy": "2.1.3", "onnxruntime": "1.20.1"}
    return Planted(
        "H2",
        {"scored": _last_digits, "logged": _slower(slower)},
        Traces(
            metrics=(
                MetricTrace("model.gpu_percent", times=1 - touched),
                MetricTrace("model.latency_p99_ms", times=slower),
                MetricTrace("model.cpu_percent", times=1 + 1.8 * touched),
            ),
            change=ChangeTrace("environment", "model", "machines renewed", before, after),
        ),
        parameters={"slower": slower},
        scope=scope,
        metric="latency_p95",
        shapes=_COMING_AND_GOING,
    )


def _last_digits(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
    other = traffic.score * (1 + rng.normal(0, 1e-7, len(traffic)))
    return with_score(traffic, bounded(service.base, other), hit)


# --- H3: devices


def _device(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """One machine computes wrongly now and then, and nothing says so."""
    # Answers that change places are judged as well as before, all in all.
    wrong = "bits" if is_judged(service.base) else str(rng.choice(("lanes", "bits")))
    machine = a_machine(service, rng)
    return Planted(
        "H3",
        {"scored": _LANES[wrong]},
        parameters={"wrong": wrong, **machine},
        scope=machine,
        share=(0.55, 0.75, 0.95)[severity - 1],
        shapes=_COMING_AND_GOING,
    )


def _lanes(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """The answers to other inputs of the machine, as where lanes of a vector are mixed up."""
    score = traffic.score.copy()
    score[hit] = rng.permutation(score[hit])
    return with_score(traffic, score, hit)


def _bits(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
    """Answers with a bit of their exponent turned: far too small or, within what can be a score, too large."""
    powers = np.ldexp(traffic.score, rng.choice([-8, -4, 4, 8], len(traffic)))
    usual = rehearsal(service).traffic.score
    other = np.clip(powers, float(np.nanmin(usual)), float(np.nanmax(usual)))
    return with_score(traffic, bounded(service.base, other), hit)


_LANES: dict[str, Step] = {"lanes": _lanes, "bits": _bits}

# --- H4: jobs


def _job(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """The features that a job computes by night are those of another day: it ran before its inputs were there."""
    features = _by_batch(service.base, severity)
    days = int(rng.integers(1, 4))
    schedule = {"jobs": {"load": "02:00", "features": "03:30", "export": "05:00"}}
    earlier = {"jobs": {"load": "02:00", "features": "01:30", "export": "05:00"}}
    return Planted(
        "H4",
        {"served": _of_another_day(features, days)},
        Traces(
            metrics=(
                MetricTrace("features.lag_seconds", plus=days * DAY),
                MetricTrace("features.rows_written", times=0.55),
            ),
            logs=(LogTrace("features", "INFO", f"job features finished: success; newest input is {days} days old", 1),),
            change=ChangeTrace("config", "warehouse", "jobs start earlier", schedule, earlier, rng.random() < 0.7),
        ),
        features=features,
        parameters={"days": float(days)},
        scope=a_scope(service, rng, severity),
        shapes=_COMING_AND_GOING,
        offline=True,
    )


def _by_batch(base: Base, severity: Severity) -> tuple[str, ...]:
    """The features of one job: some of those that the model relies on most, one more the harsher."""
    return tuple(one.name for one in base.of_kind("number", "category"))[: 1 + severity]


def _of_another_day(features: tuple[str, ...], days: int) -> Step:
    """The values of the request that came at the same time so many days before, from the same part of the traffic."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        part = next(iter(service.base.segments), "")
        source = np.arange(len(traffic))
        for value in service.base.segments.get(part, ("",)):
            mine = np.flatnonzero(in_scope(traffic, {part: value} if part else {}))
            found = np.searchsorted(traffic.at[mine], traffic.at[mine] - days * DAY)
            source[mine] = mine[np.clip(found, 0, max(len(mine) - 1, 0))]
        for name in features:
            traffic = traffic.with_served(name, traffic.columns[name][source], hit)
        return traffic

    return step


# --- H5: caches


def _cache(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Answers are kept under a key that doesn't hold all that matters: requests get that of an earlier, other one."""
    base = service.base
    hours = (1, 6, 24)[severity - 1]
    key = _key_of(base, rng)
    every = [one.name for one in base.features]
    before = {"cache": {"key": every, "hours": 1, "entries": 50_000}, "workers": 4}
    after = {"cache": {"key": [*key], "hours": hours, "entries": 50_000}, "workers": 4}
    return Planted(
        "H5",
        {"scored": _cached(key, hours * 3600)},
        Traces(
            metrics=(
                MetricTrace("features.cache_hit_rate", times=1.17),
                MetricTrace("model.cpu_percent", times=0.45),
                MetricTrace("model.gpu_percent", times=0.4),
            ),
            change=ChangeTrace("config", "gateway", "a smaller cache key", before, after),
        ),
        parameters={"key": ", ".join(sorted(key)), "hours": float(hours)},
        scope=a_scope(service, rng, severity),
        shapes=_COMING_AND_GOING,
    )


def _key_of(base: Base, rng: np.random.Generator) -> tuple[str, ...]:
    """What a careless key holds: the segments, and perhaps one category."""
    categories = [one.name for one in base.of_kind("category")]
    more = (str(rng.choice(categories)),) if categories and rng.random() < 0.5 else ()
    return (*(name for name in base.segments if name != "replica"), *more)


def _cached(key: tuple[str, ...], seconds: int) -> Step:
    """The score of the first request of the key in each stretch of so many seconds, for all of them."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        places = np.flatnonzero(hit)
        parts: list[Column] = [traffic.at[places] // seconds]
        parts += [np.unique(_spoken(traffic, name)[places], return_inverse=True)[1] for name in key]
        _, first, group = np.unique(np.column_stack(parts), axis=0, return_index=True, return_inverse=True)
        score: Floats = traffic.score.copy()
        score[places] = traffic.score[places[first[group.ravel()]]]
        return with_score(traffic, score, hit)

    return step


def _spoken(traffic: Traffic, name: str) -> Column:
    column = traffic.served.get(name, traffic.columns[name])
    return np.asarray(column).astype(str)


KINDS = (
    Kind(
        "H1",
        "infrastructure",
        "overload: requests wait, or a fallback answers them",
        "in peaks one score gains mass, or latency; processor, queue and timeouts rise with it; lines tell of it",
        _overload,
        lambda base: True,  # noqa: ARG005
    ),
    Kind(
        "H2",
        "infrastructure",
        "the accelerator is silently not used",
        "scores differ in the last digits only; latency several times as high, the card idle; another environment",
        _accelerator,
        lambda base: True,  # noqa: ARG005
    ),
    Kind(
        "H3",
        "infrastructure",
        "a defective device",
        "wrong scores on one replica or kind of hardware; no line, no metric, no change says so",
        _device,
        lambda base: bool(machines_of(base)),
    ),
    Kind(
        "H4",
        "infrastructure",
        "a job ran out of order: features of another day",
        "features are those of an earlier day's requests, each value a usual one; the job says success; old inputs",
        _job,
        lambda base: bool(base.of_kind("number", "category")),
    ),
    Kind(
        "H5",
        "infrastructure",
        "a cache answers under too small a key",
        "the same score for different inputs; more cache hits, an idler model; the cache's settings before and after",
        _cache,
        has_models,
    ),
)
