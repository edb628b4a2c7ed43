"""A small case, 40 days of a binary model that is worse from 31 January on, and how commands end on it."""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import yaml

from mortis.cli import main

if TYPE_CHECKING:
    import pytest

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, A_DAY, WORSE_FROM = 40, 60, 30
CASE: dict[str, Any] = {
    "title": "A small case",
    "model": {"task": "binary", "positive": 1},
    "predictions": {
        "table": "log.parquet",
        "time": "ts",
        "id": "request_id",
        "prediction": "y_pred",
        "score": "y_score",
        "label": "y_true",
        "latency_ms": "latency",
        "segments": ["region"],
    },
    "failure": {"metric": "accuracy"},
    "windows": {"baseline": ["2024-01-01", "2024-01-26"], "incident": ["2024-01-26", "2024-02-10"], "bucket": "1d"},
}


@cache
def log() -> pa.Table:
    """The prediction log: 2400 rows."""
    rng = np.random.default_rng(20240131)
    n = DAYS * A_DAY
    label = rng.integers(0, 2, n)
    wrong = rng.random(n) < np.where(np.arange(n) // A_DAY < WORSE_FROM, 0.1, 0.4)
    score = np.clip(np.where(label ^ wrong, 0.8, 0.2) + rng.normal(0, 0.05, n), 0, 1)
    return pa.table(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "ts": pa.array(times(n), pa.timestamp("us", tz="UTC")),
            "y_pred": (score >= 0.5).astype(int),
            "y_score": score,
            "y_true": label,
            "region": rng.choice(["north", "south"], n),
            "amount": rng.gamma(2, 50, n).round(6),
            "latency": rng.gamma(2, 10, n).round(6),
        }
    )


def times(n: int) -> list[datetime]:
    """The time of each prediction, every 24 minutes."""
    return [START + timedelta(seconds=i * 86400 // A_DAY) for i in range(n)]


def with_column(name: str, values: Any) -> pa.Table:
    """The log with other values in one column."""
    return log().set_column(log().column_names.index(name), name, pa.array(values))


def changed(**changes: Any) -> dict[str, Any]:
    """The case with some keys changed, named like `windows__bucket`; a key set to None is left out."""
    case = copy.deepcopy(CASE)
    for path, value in changes.items():
        *sections, key = path.split("__")
        inner = case
        for section in sections:
            inner = inner.setdefault(section, {})
        if value is None:
            inner.pop(key)
        else:
            inner[key] = value
    return case


def write_case(folder: Path, **changes: Any) -> Path:
    """The case file, with some keys changed, in a folder."""
    file = folder / "incident.yaml"
    file.write_text(yaml.safe_dump(changed(**changes), sort_keys=False), encoding="utf-8")
    return file


def write_log(folder: Path, table: pa.Table | None = None, *, name: str = "log.parquet") -> Path:
    """The log as a file of the kind its name says."""
    table = log() if table is None else table
    file = folder / name
    if file.suffix == ".csv":
        pc.write_csv(table, file)
    elif file.suffix == ".jsonl":
        text = table.set_column(1, "ts", table["ts"].cast(pa.timestamp("s")).cast(pa.string()))
        file.write_text("".join(f"{row}\n" for row in _json_rows(text)), encoding="utf-8")
    else:
        pq.write_table(table, file)
    return file


def _json_rows(table: pa.Table) -> list[str]:
    import json

    return [json.dumps(row) for row in table.to_pylist()]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs `mortis` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *args: str | Path) -> Ended:
        """How `mortis` with these arguments ends."""
        self._monkeypatch.setattr(sys, "argv", ["mortis", *map(str, args)])
        self._capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        shown = self._capsys.readouterr()
        return Ended(code, shown.out, shown.err)
