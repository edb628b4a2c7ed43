"""Reading metrics beside a bare read of the same file: seconds and their ratio, for long and wide Parquet and CSV.

Run: python benchmarks/signals.py [--series 1000] [--points 10000] [--rounds 3] [--folder build/bench]

The bare read is Arrow's own reader with nothing after it; what is added is guessing, parsing times, grouping and
sorting. Both run in turn, so that a busy machine slows both, and the medians' ratio is what counts.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERIES = 1000
POINTS = 10_000
BEGINS = 1_735_689_600  # 2025-01-01
STEP = 60
FORMS = ("wide.parquet", "wide.csv", "long.parquet", "long.csv")


def make_files(folder: Path, series: int, points: int, *, seed: int = 7) -> None:
    """Write the same figures in every form, minute by minute, as scrapers and exports write them."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv, parquet

    rng = np.random.default_rng(seed)
    seconds = BEGINS + STEP * np.arange(points)
    values = np.round(rng.normal(50, 5, (points, series)), 4)
    names = [f"service_{i:04d}_latency_ms" for i in range(series)]
    stamps = pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC"))
    texts = pa.array([f"{text}Z" for text in np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()])
    repeated = np.repeat(np.arange(points), series)
    called = pa.array(names).take(np.tile(np.arange(series), points))
    for kind, times in (("parquet", stamps), ("csv", texts)):
        wide = pa.table({"time": times, **{name: values[:, i] for i, name in enumerate(names)}})
        long = pa.table({"time": times.take(repeated), "metric": called, "value": values.ravel()})
        for form, table in (("wide", wide), ("long", long)):
            file = folder / f"metrics-{series}x{points}-{form}.{kind}"
            if kind == "csv":
                csv.write_csv(table, file)
            else:
                parquet.write_table(table, file, compression="zstd")


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


def read(file: Path) -> int:
    """The number of points in the series that are read."""
    from mortis.case import MetricsSource
    from mortis.sources.metrics import read_metrics

    found = read_metrics(MetricsSource(table=file.name), root=file.parent)
    return sum(map(len, found.series))


def timed(work: Callable[[Path], Any], file: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processors."""
    begun, used = time.perf_counter(), time.process_time()
    work(file)
    return time.perf_counter() - begun, time.process_time() - used


def measure(file: Path, rounds: int) -> None:
    """Print the medians of the bare read and of reading, the one after the other."""
    points = read(file)
    pairs = [(timed(bare_read, file), timed(read, file)) for _ in range(rounds)]
    bare, whole, bare_used, used = (
        statistics.median(pair[who][what] for pair in pairs) for what in (0, 1) for who in (0, 1)
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{file.name.split('-')[-1]:13s} {points:12,d} {bare:8.2f} {whole:8.2f} {whole / bare:6.2f} x"
        f" {bare_used:8.2f} {used:8.2f} {memory:9,.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Make the files where they are missing, measure each in a fresh process, and print the figures."""
    parser = argparse.ArgumentParser(description="Reading metrics beside a bare read.")
    parser.add_argument("--series", type=int, default=SERIES)
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--measure", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    files = {form: args.folder / f"metrics-{args.series}x{args.points}-{form}" for form in FORMS}
    if args.measure:
        measure(files[args.measure], args.rounds)
        return
    if not all(file.exists() for file in files.values()):
        args.folder.mkdir(parents=True, exist_ok=True)
        print(f"writing {args.series:,} series of {args.points:,} points to {args.folder}", flush=True)
        make_files(args.folder, args.series, args.points)
    print(f"{'file':13s} {'points':>12s} {'bare s':>8s} {'read s':>8s} {'':8s} {'bare CPU':>8s} {'read CPU':>8s}")
    for form in FORMS:
        # A process of its own, so that its peak memory is the measurement's alone.
        subprocess.run([sys.executable, *sys.argv, "--measure", form], check=True)  # noqa: S603  this program, as called


if __name__ == "__main__":
    main()
