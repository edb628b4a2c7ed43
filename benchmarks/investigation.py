"""The whole investigation of a log with a planted fault: seconds by stage, CPU time and memory, beside a bare scan.

Run: python benchmarks/investigation.py [--rows 1000000] [--rounds 3] [--folder build/bench]

`--rows` is the size of each of the two windows. The log has 20 features, labels and scores; from an onset on, one
region's feed sends the amount in hundredths. A round is `investigate` and the rendering of all formats in a process of
its own, then the bare scan (see engine.py) in another; medians count. The engine's queries are counted in the steps
that ask them, and set out by themselves too. On a busy machine the CPU seconds say more.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import bare_scan  # type: ignore[import-not-found]  # the program beside this one

ROWS = 1_000_000
DAYS = 30  # of each window
BEGINS = datetime(2025, 1, 6, tzinfo=UTC)
ONSET = BEGINS + timedelta(days=DAYS + 2, hours=9)
FAULTY, FACTOR, SCOPE = "amount", 100.0, ("region", "north")
CATEGORIES = {
    "region": 4,
    "device": 3,
    "channel": 6,
    "plan": 5,
    "country": 30,
    "merchant": 200,
    "weekday": 7,
    "tier": 4,
}
REGIONS = ("east", "north", "south", "west")
NUMBERS = (
    *("amount", "age", "tenure", "balance", "visits", "basket", "distance", "hour"),
    *("speed", "rating", "discount", "load"),
)
TRAINED_ON, TREES, BATCH = 60_000, 60, 250_000
STEPS = ("mortis.preparation", "mortis.questions")  # where the functions live that the flow is made of
ENGINE = ("sample", "profile", "coded", "count")
MOST_SECONDS, MOST_MEMORY = 8, 1024

Features = dict[str, NDArray[Any]]


def make_case(folder: Path, rows: int, *, seed: int = 7) -> None:
    """Write the case: the log as Parquet with zstd, in order of time, and the model that scored it, as LightGBM's text.

    The model is fitted to rows like the baseline's; the log's scores are its own, of what was served.
    """
    from pyarrow import parquet

    rng = np.random.default_rng(seed)
    booster, vocabulary = _trained(rng)
    folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(folder / "model.txt")
    beside = folder / "predictions.part"
    writer: Any = None
    for start in range(0, 2 * rows, BATCH):
        i = np.arange(start, min(start + BATCH, 2 * rows))
        table = _log(i, rows, booster, vocabulary, rng)
        writer = writer or parquet.ParquetWriter(beside, table.schema, compression="zstd")
        writer.write_table(table)
    writer.close()
    beside.replace(folder / "predictions.parquet")


def _log(i: NDArray[np.int64], rows: int, booster: Any, vocabulary: Features, rng: np.random.Generator) -> Any:
    """The log's rows at these places: features as served, the model's answers to them, what came of the true ones."""
    import pyarrow as pa

    true = _features(len(i), rng)
    second = BEGINS.timestamp() + i * (DAYS * 86400 / rows)
    struck = (second >= ONSET.timestamp()) & (true[SCOPE[0]] == SCOPE[1])
    served = true | {FAULTY: np.where(struck, true[FAULTY] * FACTOR, true[FAULTY])}
    score = booster.predict(_matrix(served, vocabulary))
    words = rng.integers(0, 2**63, (2, len(i)), dtype=np.uint64)
    columns = {
        "scored_at": pa.array((second * 1e6).astype("int64"), pa.timestamp("us", "UTC")),
        "request_id": pa.array([f"{a:016x}{b:016x}" for a, b in zip(*words.tolist(), strict=True)]),
        "y_score": score,
        "y_pred": (score >= 0.5).astype("int8"),
        "y_true": (rng.random(len(i)) < _chance(true)).astype("int8"),
        "model_version": np.full(len(i), "v1"),
        "latency_ms": rng.lognormal(3, 0.5, len(i)).round(2),
    }
    features = {name: pa.array(values, from_pandas=values.dtype.kind == "f") for name, values in served.items()}
    return pa.table(columns | features)


def _features(n: int, rng: np.random.Generator) -> Features:
    """Rows as the world sends them: amounts and waits with long tails, counts, shares, nulls, skewed categories."""
    numbers = {
        "amount": rng.lognormal(3, 1, n).round(2),
        "age": rng.integers(18, 90, n).astype(float),
        "tenure": np.where(rng.random(n) < 0.05, np.nan, rng.exponential(800, n).round()),
        "balance": rng.normal(1200, 900, n).round(2),
        "visits": rng.poisson(4, n).astype(float),
        "basket": rng.gamma(2, 15, n).round(2),
        "distance": rng.exponential(12, n).round(1),
        "hour": rng.normal(14, 4, n).round() % 24,
        "speed": rng.normal(50, 12, n),
        "rating": rng.integers(1, 6, n).astype(float),
        "discount": np.where(rng.random(n) < 0.7, 0.0, rng.beta(2, 8, n).round(2)),
        "load": rng.beta(3, 3, n),
    }
    places = {name: (size * rng.random(n) ** 1.5).astype(int) for name, size in CATEGORIES.items()}
    texts = {name: _names(name, CATEGORIES[name])[place] for name, place in places.items()}
    return numbers | texts


def _names(column: str, size: int) -> NDArray[Any]:
    return np.array(REGIONS if column == "region" else [f"{column} {j:03d}" for j in range(size)])


def _chance(rows: Features) -> NDArray[np.float64]:
    """The true probability of the outcome, which hangs on the amount above all."""
    tenure = np.nan_to_num(rows["tenure"], nan=400.0)
    logit = (
        1.6 * (np.log(rows["amount"]) - 3)
        + 0.03 * (rows["age"] - 50)
        - 0.6 * (tenure / 800 - 1)
        + 0.5 * (rows["visits"] - 4) * (rows["device"] == "device 000")
        + 0.8 * (rows["plan"] == "plan 003")
        - 2.0 * (rows["discount"] - 0.06)
        - 0.8
    )
    chance: NDArray[np.float64] = 1 / (1 + np.exp(-logit))
    return chance


def _trained(rng: np.random.Generator) -> tuple[Any, Features]:
    import lightgbm

    rows = _features(TRAINED_ON, rng)
    vocabulary = {name: _names(name, size) for name, size in CATEGORIES.items()}
    label = rng.random(TRAINED_ON) < _chance(rows)
    data = lightgbm.Dataset(
        _matrix(rows, vocabulary), label, feature_name=list(rows), categorical_feature=list(vocabulary)
    )
    settings = {"objective": "binary", "num_leaves": 31, "cat_smooth": 50, "seed": 7, "deterministic": True}
    booster = lightgbm.train(settings | {"force_row_wise": True, "verbose": -1}, data, num_boost_round=TREES)
    booster.pandas_categorical = [values.tolist() for values in vocabulary.values()]
    return booster, vocabulary


def _matrix(rows: Features, vocabulary: Features) -> NDArray[np.float64]:
    """The features (n, 20) as the model reads them: a category by its place in the vocabulary, which is in order."""
    return np.column_stack(
        [np.searchsorted(vocabulary[name], v) if name in vocabulary else v for name, v in rows.items()]
    ).astype(float)


def _case() -> dict[str, Any]:
    turn, end = (BEGINS + timedelta(days=days) for days in (DAYS, 2 * DAYS))
    return {
        "title": "Accuracy fell in February",
        "model": {"name": "orders", "task": "binary", "positive": 1},
        "predictions": {
            "table": "predictions.parquet",
            "time": "scored_at",
            "id": "request_id",
            "prediction": "y_pred",
            "score": "y_score",
            "label": "y_true",
            "version": "model_version",
            "latency_ms": "latency_ms",
            "segments": ["region", "device", "channel", "plan", "tier"],
        },
        "failure": {"metric": "accuracy"},
        "windows": {
            "baseline": [BEGINS.isoformat(), turn.isoformat()],
            "incident": [turn.isoformat(), end.isoformat()],
            "bucket": "1d",
        },
        "models": [{"version": "v1", "file": "model.txt"}],
    }


class Clock:
    """Wall and CPU seconds of this process by what they were spent on, in the order of their beginning."""

    def __init__(self) -> None:
        self.spent: dict[str, tuple[float, float]] = {}

    def timed(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its seconds counted under a name."""

        @wraps(call)
        def run(*args: Any, **options: Any) -> Any:
            self.spent.setdefault(what, (0.0, 0.0))
            begun, used = time.perf_counter(), time.process_time()
            try:
                return call(*args, **options)
            finally:
                wall, cpu = self.spent[what]
                self.spent[what] = (wall + time.perf_counter() - begun, cpu + time.process_time() - used)

        return run


def measure(folder: Path) -> dict[str, Any]:
    """Seconds (wall, CPU) by stage and over all, peak memory in MiB, and the first cause, of one investigation."""
    clock = Clock()
    found, texts = clock.timed("in all", _investigated)(folder, clock)
    first = found.causes[0]
    return {
        "seconds": clock.spent,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "found": [first.id, first.verdict, *first.features, first.parameters.get("factor"), first.scope],
        "bytes": {name: len(text.encode()) for name, text in texts.items()},
    }


def _investigated(folder: Path, clock: Clock) -> tuple[Any, dict[str, str]]:
    """The post-mortem and its texts; the functions that the flow calls are timed, and it is the flow that users run."""
    flow = clock.timed("imports", import_module)("mortis.investigation")
    from mortis import Case
    from mortis.document import formats, render
    from mortis.engine.duckdb import DuckDBEngine

    for name, step in list(vars(flow).items()):
        if isfunction(step) and step.__module__.startswith(STEPS):
            setattr(flow, name, clock.timed(name, step))
    for name in ENGINE:
        setattr(DuckDBEngine, name, clock.timed(f"  engine: {name}", getattr(DuckDBEngine, name)))
    found = flow.investigate(Case.parse(_case(), root=folder))
    return found, {name: clock.timed("render", render)(found, name) for name in formats()}


def scan(file: Path) -> dict[str, float]:
    """Seconds (wall, CPU) of the bare scan."""
    import duckdb

    connection = duckdb.connect()
    used = time.process_time()
    wall = bare_scan(connection, file)
    return {"wall": wall, "cpu": time.process_time() - used}


def show(rounds: list[dict[str, Any]], scans: list[dict[str, float]], rows: int) -> None:
    """Print the medians."""
    scan_wall, scan_cpu = (statistics.median(one[key] for one in scans) for key in ("wall", "cpu"))
    seconds = {
        what: [statistics.median(one["seconds"][what][i] for one in rounds) for i in (0, 1)]
        for what in rounds[0]["seconds"]
    }
    whole_wall, whole_cpu = seconds.pop("in all")
    times = f"{whole_wall / scan_wall:.0f} x the bare scan, {whole_cpu / scan_cpu:.0f} x its CPU"
    print(f"{rows:,} + {rows:,} rows, {len(NUMBERS) + len(CATEGORIES)} features, medians of {len(rounds)} rounds")
    print(f"{'seconds':20}{'wall':>8}{'CPU':>8}")
    for what, (wall, cpu) in seconds.items():
        print(f"{what:20}{wall:8.2f}{cpu:8.2f}")
    print(f"{'in all':20}{whole_wall:8.2f}{whole_cpu:8.2f}   at most {MOST_SECONDS} s on a quiet machine; {times}")
    print(f"{'bare scan':20}{scan_wall:8.2f}{scan_cpu:8.2f}")
    print(f"{'peak memory':20}{max(one['memory'] for one in rounds):8.0f} MiB   at most {MOST_MEMORY}")
    print(f"first cause: {' '.join(str(part) for part in rounds[0]['found'])}")
    print(f"bytes: {', '.join(f'{name} {size:,}' for name, size in rounds[0]['bytes'].items())}")


def main() -> None:
    """Make the case where it is missing, measure in fresh processes, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each window")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--measure", choices=["investigation", "scan"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.folder / f"investigation-{args.rows}"
    file = folder / "predictions.parquet"
    if args.measure:
        print(json.dumps(measure(folder) if args.measure == "investigation" else scan(file)))
        return
    if not file.exists():
        print(f"writing 2 x {args.rows:,} rows to {file}", flush=True)
        make_case(folder, args.rows)
    _apart("investigation", args.folder)  # compiles the modules, which happens once
    pairs = [(_apart("investigation", args.folder), _apart("scan", args.folder)) for _ in range(args.rounds)]
    show([one for one, _ in pairs], [scanned for _, scanned in pairs], args.rows)


def _apart(what: str, folder: Path) -> dict[str, Any]:
    """What a process of its own measures, so that its peak memory is the measurement's alone.

    Compiled modules are kept, as they are on a user's machine, whatever this environment says.
    """
    command = [sys.executable, *sys.argv, "--measure", what]
    env = os.environ | {"PYTHONPYCACHEPREFIX": str((folder / "bytecode").resolve()), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)  # noqa: S603  this program
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
