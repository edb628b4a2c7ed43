"""What the services around the demo's model measure every ten minutes: days, weeks, noise, and one red herring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mortis.lab.services import FEATURES, GATEWAY, MODEL
from mortis.records import Window

if TYPE_CHECKING:
    import pyarrow as pa

STEP = timedelta(minutes=10)
BATCH_HOST = "batch-1"
SPIKED = f"{BATCH_HOST}.cpu_percent"
NIGHTLY_HOUR = 7  # UTC: two or three at night in New York

_STEP_SECONDS = int(STEP.total_seconds())
_LASTS, _LEAD = timedelta(minutes=50), timedelta(hours=9)
_DIGITS = {"_percent": 1, "_ms": 1, "_mib": 0, "_rate": 5, "_minute": 1, "_length": 0}
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spike:
    """A job out of turn that takes all of one host's processors for a while; nothing else notices."""

    start: datetime
    end: datetime


def spike_of(served: Window, incident: Window, anchor: datetime) -> Spike:
    """The spike before the anchor: midway since the incident window began, or late in the baseline.

    It lies in what was served, and not in the hours of the nightly job.
    """
    room = anchor - incident.start
    at = incident.start + room / 2 if room > _LEAD else min(anchor, incident.start) - _LEAD
    at = min(max(at, served.start), served.end - 2 * _LEAD)
    at = at.replace(minute=at.minute // 10 * 10, second=0, microsecond=0)
    if at.hour in (NIGHTLY_HOUR - 1, NIGHTLY_HOUR):
        at -= timedelta(hours=3)
    return Spike(at, at + _LASTS)


def metric_table(served: Window, asked: NDArray[np.datetime64], spike: Spike, *, rng: np.random.Generator) -> pa.Table:
    """A column `time` and one for each metric, named service.metric; `asked` (n,) is when the model was asked, UTC."""
    import pyarrow as pa

    start, end = (int(moment.timestamp()) for moment in (served.start, served.end))
    seconds = np.arange(start, end, _STEP_SECONDS)
    columns = _series(seconds, _per_minute(asked, seconds), spike, rng)
    rounded = {name: np.round(values, _digits(name)) for name, values in columns.items()}
    time = [f"{moment}Z" for moment in np.datetime_as_string(seconds.astype("datetime64[s]"))]
    return pa.table({"time": time} | rounded)


def _per_minute(asked: NDArray[np.datetime64], seconds: NDArray[np.int64]) -> Floats:
    """How often the model was asked a minute, by step."""
    edges = np.append(seconds, seconds[-1] + _STEP_SECONDS)
    counts, _ = np.histogram(asked.astype("datetime64[s]").astype(np.int64), bins=edges)
    return counts * 60 / _STEP_SECONDS


def _digits(name: str) -> int:
    return next(digits for ending, digits in _DIGITS.items() if name.endswith(ending))


def _series(seconds: NDArray[np.int64], asked: Floats, spike: Spike, rng: np.random.Generator) -> dict[str, Floats]:
    """The metrics by name; what the model is asked is what was really asked."""
    load = _load(seconds)
    noise = iter(_wandering(rng, series=13, steps=len(seconds)))
    hour = seconds // 3600 % 24
    nightly = (hour == NIGHTLY_HOUR) & (seconds % 3600 >= 600)
    spiked = (seconds >= spike.start.timestamp()) & (seconds < spike.end.timestamp())
    queue = rng.poisson(0.4 + 2.2 * load).astype(np.float64)
    errors = rng.poisson(0.9 * load * np.exp(0.4 * next(noise))) / (12_000 * load)
    job = 4 + 52 * nightly + 2 * np.abs(next(noise))
    return {
        f"{GATEWAY}.requests_per_minute": 1_900 * load * np.exp(0.05 * next(noise)),
        f"{GATEWAY}.latency_p99_ms": (74 + 21 * load) * np.exp(0.08 * next(noise)),
        f"{GATEWAY}.error_rate": errors,
        f"{GATEWAY}.cpu_percent": 9 + 24 * load + 2 * next(noise),
        f"{MODEL}.requests_per_minute": asked,
        f"{MODEL}.latency_p99_ms": 31.5 * np.exp(0.07 * next(noise)),
        f"{MODEL}.cpu_percent": 6 + 15 * load + 1.5 * next(noise),
        f"{MODEL}.memory_mib": 640 + 30 * load + 7 * next(noise),
        f"{FEATURES}.latency_p99_ms": (10.5 + 3 * load) * np.exp(0.09 * next(noise)),
        f"{FEATURES}.queue_length": queue,
        f"{FEATURES}.cpu_percent": 11 + 19 * load + 2 * next(noise),
        f"{FEATURES}.memory_mib": 880 + 45 * load + 9 * next(noise),
        SPIKED: np.where(spiked, 96 + rng.uniform(0, 3, len(seconds)), job),
        f"{BATCH_HOST}.memory_mib": 410 + 260 * nightly + 6 * next(noise),
    }


def _load(seconds: NDArray[np.int64]) -> Floats:
    """How busy it is, about 1: least at four in the morning of New York, less at weekends."""
    angle = 2 * np.pi * (seconds % 86_400 / 86_400)
    day = 1 - 0.62 * np.cos(angle - 2 * np.pi * 9 / 24) + 0.12 * np.cos(2 * angle - 2 * np.pi * 20 / 24)
    # Day 0 of the epoch was a Thursday.
    weekend = (seconds // 86_400 + 3) % 7 >= 5
    return np.asarray(np.maximum(day, 0.15) * np.where(weekend, 0.86, 1.0))


def _wandering(rng: np.random.Generator, *, series: int, steps: int, memory: float = 0.7) -> Floats:
    """Noise (series, steps) of mean 0 and spread 1 that keeps a part of what it was: an autoregression of order 1."""
    fresh = rng.normal(0, np.sqrt(1 - memory**2), (steps, series))
    fresh[0] = rng.normal(size=series)
    for step in range(1, steps):
        fresh[step] += memory * fresh[step - 1]
    return fresh.T
