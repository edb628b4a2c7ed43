"""System metrics every ten minutes: days and weeks in them, noise, spikes that mean nothing, and a fault's traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mortis.lab.course import Course
from mortis.lab.traces import MetricTrace
from mortis.lab.traffic import DAY, Floats, Stretch

STEP = 600
MEMORY = 0.7
"""How much of its noise a metric keeps from one step to the next."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A metric's level, how far it follows the load (0: not at all), its noise as a share, and the most it can be."""

    level: float
    load: float
    noise: float
    most: float = float("inf")


METRICS: Mapping[str, Usual] = MappingProxyType(
    {
        "gateway.requests_per_minute": Usual(1_500, 1.0, 0.04),
        "gateway.latency_p99_ms": Usual(90, 0.25, 0.07),
        "gateway.error_rate": Usual(0.0008, 0.1, 0.35, 1),
        "gateway.cpu_percent": Usual(28, 0.6, 0.06, 100),
        "model.latency_p99_ms": Usual(34, 0.1, 0.07),
        "model.error_rate": Usual(0.0004, 0.0, 0.35, 1),
        "model.fallback_rate": Usual(0.001, 0.0, 0.35, 1),
        "model.cpu_percent": Usual(24, 0.6, 0.06, 100),
        "model.gpu_percent": Usual(41, 0.6, 0.06, 100),
        "model.memory_mib": Usual(900, 0.06, 0.01),
        "model.restarts": Usual(0.02, 0.0, 0.4),
        "features.latency_p99_ms": Usual(13, 0.25, 0.08),
        "features.error_rate": Usual(0.0010, 0.1, 0.35, 1),
        "features.cache_hit_rate": Usual(0.83, 0.03, 0.01, 1),
        "features.lag_seconds": Usual(40, 0.2, 0.12),
        "features.rows_written": Usual(1_000, 1.0, 0.04),
        "features.cpu_percent": Usual(31, 0.5, 0.06, 100),
        "warehouse.cpu_percent": Usual(20, 0.1, 0.15, 100),
        "warehouse.rows_loaded": Usual(900, 0.9, 0.05),
        "warehouse.labels_per_hour": Usual(120, 0.3, 0.10),
        "notifier.queue_length": Usual(3, 0.8, 0.20),
    }
)
"""What every service measures; a fault's traces name one of these."""

_SPIKES = (
    "warehouse.cpu_percent",
    "notifier.queue_length",
    "gateway.cpu_percent",
    "gateway.latency_p99_ms",
    "features.cpu_percent",
)


@dataclass(frozen=True, slots=True)
class Spike:
    """An hour or so in which a metric is several times what it would be, for no reason that matters."""

    metric: str
    start: int
    end: int
    times: float


def spikes_of(stretch: Stretch, n: int, rng: np.random.Generator) -> tuple[Spike, ...]:
    """So many spikes, anywhere in what is served."""
    first, last = int(stretch.start.timestamp()), int(stretch.end.timestamp())
    drawn = zip(
        rng.choice(_SPIKES, n), rng.integers(first, last, n), rng.integers(2, 9, n), rng.uniform(1.8, 3, n), strict=True
    )
    return tuple(
        Spike(str(metric), int(at), int(at + steps * STEP), float(times)) for metric, at, steps, times in drawn
    )


def series_of(
    stretch: Stretch,
    traces: Iterable[tuple[MetricTrace, Course]],
    spikes: Sequence[Spike],
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Epoch seconds under "time" and each metric's values (n,) by its name."""
    seconds = np.arange(int(stretch.start.timestamp()), int(stretch.end.timestamp()), STEP)
    load = load_of(seconds)
    noise = _wandering(rng, series=len(METRICS), steps=len(seconds))
    found: dict[str, Floats] = {"time": seconds.astype(np.float64)}
    for (name, usual), wander in zip(METRICS.items(), noise, strict=True):
        found[name] = usual.level * (1 + usual.load * (load - 1)) * np.exp(usual.noise * wander)
    for one in spikes:
        found[one.metric] = np.where(
            (seconds >= one.start) & (seconds < one.end), found[one.metric] * one.times, found[one.metric]
        )
    for trace, course in traces:
        strength = course.strength(seconds)
        plus = trace.plus + trace.daily * (seconds - course.onset.timestamp()) / DAY
        found[trace.metric] = found[trace.metric] * (1 + strength * (trace.times - 1)) + strength * plus
    return found | {name: np.clip(found[name], 0, usual.most) for name, usual in METRICS.items()}


def load_of(seconds: np.ndarray) -> Floats:  # type: ignore[type-arg]  whole seconds or fractions
    """How busy it is, about 1: least by night, less at weekends."""
    angle = 2 * np.pi * (seconds % DAY) / DAY
    day = 1 - 0.55 * np.cos(angle - 2 * np.pi * 3 / 24)
    weekend = (seconds // DAY + 3) % 7 >= 5  # day 0 of the epoch was a Thursday
    return np.asarray(day * np.where(weekend, 0.8, 1.0), dtype=np.float64)


def _wandering(rng: np.random.Generator, *, series: int, steps: int) -> Iterator[Floats]:
    """Noise (steps,) for each series, of mean 0 and spread 1, that keeps a part of what it was."""
    fresh = rng.normal(0, np.sqrt(1 - MEMORY**2), (steps, series))
    fresh[0] = rng.normal(size=series)
    for step in range(1, steps):
        fresh[step] += MEMORY * fresh[step - 1]
    return iter(fresh.T)
