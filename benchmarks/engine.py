"""The one pass beside a bare scan of the same rows: seconds, their ratio, and peak memory.

Run: python benchmarks/engine.py [--rows 10000000] [--rounds 5] [--folder build/bench]

The bare scan is one query with `bit_xor(hash(c))` of every column; it decodes and touches each value once. Both run in
turn, so that a busy machine slows both, and the medians' ratio is what counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROWS = 10_000_000
DAYS = 60
BEGINS = datetime(2025, 1, 1, tzinfo=UTC)
CATEGORIES = (3, 6, 12, 25, 50, 200)
NUMBERS = 16


def make_rows(file: Path, rows: int, *, seed: int = 7) -> None:
    """Write a prediction log of 30 columns, in order of time, as Parquet with zstd: the form such logs usually have."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    beside = file.with_suffix(".part")
    beside.parent.mkdir(parents=True, exist_ok=True)
    writer: Any = None
    for start in range(0, rows, 1_000_000):
        i = np.arange(start, min(start + 1_000_000, rows))
        table = pa.table(_columns(i, rows, rng))
        writer = writer or pq.ParquetWriter(beside, table.schema, compression="zstd")
        writer.write_table(table)
    writer.close()
    beside.replace(file)


def _columns(i: Any, rows: int, rng: Any) -> dict[str, Any]:
    import numpy as np
    import pyarrow as pa

    n = len(i)
    second = (BEGINS.timestamp() + i * (DAYS * 86400 / rows)).astype("int64")
    score = rng.beta(2, 5, n)
    words = rng.integers(0, 2**63, (2, n), dtype=np.uint64)
    ids = [f"{a:016x}-{b:016x}" for a, b in zip(*words.tolist(), strict=True)]
    columns = {"scheduled_at": pa.array(second * 1_000_000, pa.timestamp("us")), "request_id": pa.array(ids)}
    columns |= {f"number_{k}": rng.normal(k, 1 + k / 4, n) for k in range(NUMBERS)}
    for k, size in enumerate(CATEGORIES):
        names = np.array([f"value {j:03d}" for j in range(size)])
        columns[f"category_{k}"] = names[np.minimum((size * rng.random(n) ** 2).astype(int), size - 1)]
    return columns | {
        "y_score": score,
        "y_pred": (score > 0.5).astype("int8"),
        "y_true": (rng.random(n) < score).astype("int8"),
        "model_version": np.where(i % 10 == 0, "v2", "v1"),
        "latency_ms": rng.lognormal(3, 0.5, n),
        "amount": np.round(rng.lognormal(3, 1, n), 2),
    }


def bare_scan(connection: Any, file: Path) -> float:
    """Seconds of the bare scan."""
    source = f"read_parquet('{file}')"
    names = [name for name, *_ in connection.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    begun = time.perf_counter()
    connection.sql(f"SELECT {', '.join(f'bit_xor(hash({name}))' for name in names)} FROM {source}").fetchall()
    return time.perf_counter() - begun


def measure(file: Path, rounds: int) -> dict[str, float]:
    """Medians of the bare scan and of the pass, in seconds, and the rows that the pass counted."""
    import duckdb

    from mortis.case import Case
    from mortis.engine import open_engine
    from mortis.preparation import make_ready

    connection = duckdb.connect(config={"threads": os.cpu_count() or 1})
    case = Case.parse(_case(file))
    engine = open_engine()
    bare, whole = [], []
    begun = time.perf_counter()
    ready = make_ready(case, engine)
    prepared = time.perf_counter() - begun
    profile = engine.profile(ready.dataset, ready.layout)
    for _ in range(rounds):
        bare.append(bare_scan(connection, file))
        begun = time.perf_counter()
        profile = engine.profile(ready.dataset, ready.layout)
        whole.append(time.perf_counter() - begun)
    engine.close()
    return {
        "rows": profile.rows,
        "columns": len(ready.layout.numbers) + len(ready.layout.categories),
        "bare": statistics.median(bare),
        "pass": statistics.median(whole),
        "ready": prepared,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _case(file: Path) -> dict[str, Any]:
    return {
        "model": {"task": "binary", "positive": 1},
        "predictions": {
            "table": str(file.resolve()),
            "time": "scheduled_at",
            "id": "request_id",
            "prediction": "y_pred",
            "score": "y_score",
            "label": "y_true",
            "version": "model_version",
            "latency_ms": "latency_ms",
        },
        "windows": {"baseline": ["2025-01-01", "2025-02-01"], "incident": ["2025-02-01", "2025-03-02"], "bucket": "1d"},
    }


def main() -> None:
    """Make the rows where they are missing, measure in a fresh process, and print the figures."""
    parser = argparse.ArgumentParser(description="The one pass beside a bare scan.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    file = args.folder / f"predictions-{args.rows}.parquet"
    if not args.measure:
        if not file.exists():
            print(f"writing {args.rows:,} rows of 30 columns to {file}", flush=True)
            make_rows(file, args.rows)
        # A process of its own, so that its peak memory is the measurement's alone.
        subprocess.run([sys.executable, *sys.argv, "--measure"], check=True)  # noqa: S603  this program itself, as called
        return
    found = measure(file, args.rounds)
    print(f"{found['rows']:,.0f} rows, {found['columns']:.0f} columns profiled, median of {args.rounds} rounds")
    print(f"bare scan      {found['bare']:7.2f} s")
    print(f"the pass       {found['pass']:7.2f} s   {found['pass'] / found['bare']:.2f} x the bare scan")
    print(f"made ready     {found['ready']:7.2f} s   (columns looked at, edges sampled)")
    print(f"peak memory    {found['memory']:7.0f} MiB")


if __name__ == "__main__":
    main()
