"""Prints the time of finding the series that moved, and how often healthy ones are named.

    python benchmarks/signal_scores.py [--series 1000] [--points 10000] [--moved 30] [--seeds 60]

The time is that of the whole search, once with all series at the same times and once each at its own. The false alarms
are those of a hundred healthy series (smooth, seasonal, skewed, heavy-tailed and counting, twenty of each) in cases of
several lengths; `named` is the share of cases in which anything was.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mortis.records import Window
from mortis.signals.analysis import find_signals
from mortis.telemetry import MetricSeries

BEGINS = datetime(2024, 1, 1, tzinfo=UTC)
CASES = ((300, 2.0, 0.5), (300, 7.0, 6.0), (3600, 14.0, 24.0), (3600, 30.0, 72.0), (86_400, 60.0, 168.0))
"""Seconds between points, days of baseline, hours of incident."""

Floats = NDArray[np.float64]


def windows(step: int, before: int, during: int) -> tuple[Window, Window]:
    """Baseline and incident of so many points."""
    middle = BEGINS + timedelta(seconds=step * before)
    return Window(BEGINS, middle), Window(middle, middle + timedelta(seconds=step * during))


def as_series(values: Floats, step: int, *, apart: int = 0) -> list[MetricSeries]:
    """One series of each row, `apart` seconds later than the one before."""
    seconds = int(BEGINS.timestamp()) + np.arange(values.shape[1]) * step
    return [MetricSeries("metric", seconds + apart * at, row, {"at": str(at)}) for at, row in enumerate(values)]


def timed(series: Sequence[MetricSeries], baseline: Window, incident: Window) -> str:
    """What a search took and found."""
    start = time.perf_counter()
    found = find_signals(series, baseline=baseline, incident=incident)
    return f"{time.perf_counter() - start:.2f} s; {found.statement}"


def print_times(rng: np.random.Generator, *, series: int, points: int, moved: int) -> None:
    """Print seconds and peak memory for series of five minutes, the last day being the incident."""
    during = min(288, points // 8)
    values = rng.normal(50, 5, (series, points))
    values[:moved, points - during // 2 :] += 40
    baseline, incident = windows(300, points - during, during)
    print(f"{series} series of {points} points at the same times: {timed(as_series(values, 300), baseline, incident)}")
    print(f"299 of them, each at its own times: {timed(as_series(values, 300, apart=1)[:299], baseline, incident)}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, input included")


def healthy(rng: np.random.Generator, points: int, step: int) -> Floats:
    """A hundred series in which nothing happens."""
    from scipy.signal import lfilter

    def memory(phi: float) -> Floats:
        noise = rng.normal(size=(20, points + 200))
        return np.asarray(lfilter([1], [1, -phi], noise, axis=1)[:, 200:] * np.sqrt(1 - phi**2))

    day = np.sin(2 * np.pi * np.arange(points) * step / 86_400 + rng.uniform(0, 6, (20, 1)))
    kinds = (
        memory(0.9),
        3 * day + memory(0.5),
        rng.lognormal(size=(20, points)),
        rng.standard_t(2, (20, points)),
        rng.poisson(0.3, (20, points)),
    )
    return np.asarray(10 + np.concatenate(kinds), dtype=np.float64)


def print_alarms(seeds: int) -> None:
    """Print how often anything is named where nothing happened."""
    for step, days, hours in CASES:
        before, during = int(days * 86_400 / step), max(3, int(hours * 3600 / step))
        baseline, incident = windows(step, before, during)
        named = 0
        for seed in range(seeds):
            members = as_series(healthy(np.random.default_rng(seed), before + during, step), step)
            named += bool(find_signals(members, baseline=baseline, incident=incident).signals)
        print(f"every {step} s, {days:g} days before, {hours:g} h of incident: named in {named / seeds:.1%} of {seeds}")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--moved", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=60)
    options = parser.parse_args()
    print_times(np.random.default_rng(0), series=options.series, points=options.points, moved=options.moved)
    print_alarms(options.seeds)


if __name__ == "__main__":
    main()
