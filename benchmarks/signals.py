"""Series read and those found that moved, beside a bare read of the same file; and how often healthy ones are named.

Run: python benchmarks/signals.py [--series 1000] [--points 10000] [--rounds 3] [--seeds 60] [--folder build/bench]

Five files hold the same figures: wide and long, Parquet and CSV, and one whose series have sixty clocks among them.
Thirty of the series rise in the last half day. The bare read is Arrow's own reader with nothing after it. The three
take turns, so that a busy machine slows all, and the medians' ratio is what counts.

Then a hundred healthy series (smooth, seasonal, skewed, heavy-tailed and counting, twenty of each) are searched in
cases of several lengths; `named` is the share of cases in which anything was.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mortis.case import MetricsSource
from mortis.records import Window
from mortis.signals.analysis import SignalsFound, find_signals
from mortis.sources.metrics import read_metrics
from mortis.telemetry import MetricSeries

MOST_SECONDS = 10.0
BEGINS = datetime(2025, 1, 1, tzinfo=UTC)
STEP = 300
DAY = 86_400 // STEP
MOVED = 30
CLOCKS = 60
FORMS = ("wide.parquet", "wide.csv", "long.parquet", "long.csv", "clocks.parquet")
HEALTHY = ((300, 2.0, 0.5), (300, 7.0, 6.0), (3600, 14.0, 24.0), (3600, 30.0, 72.0), (86_400, 60.0, 168.0))
"""Seconds between points, days of baseline, hours of incident."""

Floats = NDArray[np.float64]
Found = TypeVar("Found")


def windows(step: int, before: int, during: int) -> tuple[Window, Window]:
    """Baseline and incident of so many points."""
    middle = BEGINS + timedelta(seconds=step * before)
    return Window(BEGINS, middle), Window(middle, middle + timedelta(seconds=step * during))


def make_file(file: Path, form: str, series: int, points: int) -> None:
    """Write the figures in a form, moment by moment, as scrapers and exports write them."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    rng = np.random.default_rng(7)
    values = np.round(rng.normal(50, 5, (points, series)), 4)
    values[-DAY // 2 :, :MOVED] += 40
    names = [f"service_{i:04d}_latency_ms" for i in range(series)]
    apart = np.arange(series) % CLOCKS if form.startswith("clocks") else np.zeros(series, np.int64)
    seconds = int(BEGINS.timestamp()) + STEP * np.arange(points)
    if form.startswith("wide"):
        table = pa.table({"time": _times(seconds, file), **dict(zip(names, values.T, strict=True))})
    else:
        times = _times((seconds[:, None] + apart).ravel(), file)
        called = pa.array(names).take(np.tile(np.arange(series), points))
        table = pa.table({"time": times, "metric": called, "value": values.ravel()})
    if file.suffix == ".csv":
        csv.write_csv(table, file)
    else:
        parquet.write_table(table, file, compression="zstd")


def _times(seconds: NDArray[np.int64], file: Path) -> Any:
    """Times in Parquet, their text in CSV."""
    import pyarrow as pa
    import pyarrow.compute as pc

    times = pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC"))
    return pc.strftime(times, "%Y-%m-%dT%H:%M:%SZ") if file.suffix == ".csv" else times


def bare_read(file: Path) -> Any:
    """The file's columns in memory, by Arrow alone, in the large blocks that suit it best."""
    from pyarrow import csv, parquet

    if file.suffix == ".parquet":
        return parquet.read_table(file, read_dictionary=["metric"])
    return csv.read_csv(
        file,
        read_options=csv.ReadOptions(block_size=16 << 20),
        convert_options=csv.ConvertOptions(auto_dict_encode=True, auto_dict_max_cardinality=1_000_000),
    )


def read(file: Path) -> Sequence[MetricSeries]:
    """The series in the file."""
    return read_metrics(MetricsSource(table=file.name), root=file.parent).series


def search(series: Sequence[MetricSeries], points: int) -> SignalsFound:
    """The series that moved on the last day."""
    baseline, incident = windows(STEP, points - DAY, DAY)
    return find_signals(series, baseline=baseline, incident=incident)


def timed(work: Callable[[], Found]) -> tuple[float, Found]:
    """Seconds by the clock, and what came of them."""
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def one_round(file: Path, points: int) -> tuple[tuple[float, float, float], SignalsFound]:
    """Seconds of the bare read, of reading, and of the search in what was read; and what that found."""
    bare, _ = timed(lambda: bare_read(file).num_rows)  # nothing of it stays in memory
    reading, series = timed(lambda: read(file))
    searching, found = timed(lambda: search(series, points))
    return (bare, reading, searching), found


def measure(file: Path, form: str, points: int, rounds: int) -> None:
    """Print the medians of several rounds, and what was found."""
    seconds, found = zip(*(one_round(file, points) for _ in range(rounds)), strict=True)
    bare, reading, searching = (statistics.median(one) for one in zip(*seconds, strict=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{form:15s} {bare:8.2f} {reading:8.2f} {reading / bare:6.2f} x {searching:8.2f} {reading + searching:8.2f} "
        f"{memory:9,.0f} MiB   {len(found[0].signals)} of {found[0].looked_at:,} moved",
        flush=True,
    )


def healthy(rng: np.random.Generator, points: int, step: int) -> list[MetricSeries]:
    """A hundred series in which nothing happens."""
    from scipy.signal import lfilter

    def memory(phi: float) -> Floats:
        noise = rng.normal(size=(20, points + 200))
        return np.asarray(lfilter([1], [1, -phi], noise, axis=1)[:, 200:] * np.sqrt(1 - phi**2))

    seconds = int(BEGINS.timestamp()) + np.arange(points) * step
    day = np.sin(2 * np.pi * np.arange(points) * step / 86_400 + rng.uniform(0, 6, (20, 1)))
    kinds = (
        memory(0.9),
        3 * day + memory(0.5),
        rng.lognormal(size=(20, points)),
        rng.standard_t(2, (20, points)),
        rng.poisson(0.3, (20, points)),
    )
    rows = np.asarray(10 + np.concatenate(kinds), dtype=np.float64)
    return [MetricSeries("metric", seconds, row, {"at": str(at)}) for at, row in enumerate(rows)]


def print_alarms(seeds: int) -> None:
    """Print how often anything is named where nothing happened."""
    for step, days, hours in HEALTHY:
        before, during = int(days * 86_400 / step), max(3, int(hours * 3600 / step))
        baseline, incident = windows(step, before, during)
        named = 0
        for seed in range(seeds):
            series = healthy(np.random.default_rng(seed), before + during, step)
            named += bool(find_signals(series, baseline=baseline, incident=incident).signals)
        case = f"every {step:6,} s, {days:4g} days before, {hours:5g} h of incident"
        print(f"{case}: named in {named / seeds:5.1%} of {seeds}", flush=True)


def main() -> None:
    """Make the files where they are missing, measure each in a fresh process, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--measure", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    files = {form: args.folder / f"metrics-{args.series}x{args.points}-{form}" for form in FORMS}
    if args.measure:
        measure(files[args.measure], args.measure, args.points, args.rounds)
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    for form, file in files.items():
        if not file.exists():
            print(f"writing {args.series:,} series of {args.points:,} points to {file}", flush=True)
            make_file(file, form, args.series, args.points)
    print(
        f"{args.series:,} series of {args.points:,} points, median of {args.rounds}; at most {MOST_SECONDS:g} s in all"
    )
    print(f"{'file':15s} {'bare s':>8s} {'read s':>8s} {'':8s} {'search s':>8s} {'in all s':>8s} {'peak':>9s}")
    for form in FORMS:
        # A process of its own, so that its peak memory is the measurement's alone.
        subprocess.run([sys.executable, *sys.argv, "--measure", form], check=True)  # noqa: S603  this program, as called
    print("a hundred healthy series in a case")
    print_alarms(args.seeds)


if __name__ == "__main__":
    main()
