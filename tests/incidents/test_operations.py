"""A failure of operation, with no labels at all: latency rises as a database fills up, and decoys lie about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from planted import Rows, day, sound, told, window
from pyarrow import csv, parquet

from mortis import Case, investigate
from mortis.document import render
from mortis.records import Postmortem

STEP = 600
SINCE = 31.0


def metrics(rng: np.random.Generator) -> pa.Table:
    """Ten-minute series of three hosts: a database that fills up, a brief spike of a batch job the day before, calm."""
    n = int(37 * 86400 / STEP)
    days = np.arange(n) * STEP / 86400
    daily = 8 * np.sin(2 * np.pi * days)
    columns: dict[str, Any] = {"time": [day(one).isoformat() for one in days]}
    for host in ("api-1", "batch-1", "db-1"):
        columns[f"cpu_percent{{host={host}}}"] = 35 + daily + rng.normal(0, 2, n)
        columns[f"memory_percent{{host={host}}}"] = 60 + rng.normal(0, 1, n)
    columns["cpu_percent{host=db-1}"] += 45 * (days >= SINCE)
    columns["cpu_percent{host=batch-1}"] += 55 * ((days >= 30.2) & (days < 30.3))
    columns["gateway_requests_per_second"] = 100 + 4 * daily + rng.normal(0, 3, n)
    return pa.table(columns)


def lines(rng: np.random.Generator) -> list[str]:
    """JSON lines of a service: ordinary ones all the time, and a warning about the pool since the failure."""
    written = []
    for i, at in enumerate(np.sort(rng.uniform(0, 37, 12_000))):
        kind = f"served request {i} in {rng.integers(5, 60)} ms"
        written.append((at, "INFO", kind))
    written += [
        (at, "WARN", f"connection pool exhausted: waited {rng.integers(100, 900)} ms for client {rng.integers(1, 99)}")
        for at in rng.uniform(SINCE, 37, 400)
    ]
    return [
        json.dumps({"time": day(at).isoformat(), "level": level, "service": "api", "message": message})
        for at, level, message in sorted(written)
    ]


EVENTS = """\
time,kind,summary,service
{cause},config,db pool size 40 -> 4,arrivals
{decoy},deploy,billing 3.2.0,billing
{late},deploy,arrivals 2.1.1,arrivals
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Postmortem:
    """The post-mortem of a case that names latency and nothing to judge quality by."""
    folder: Path = tmp_path_factory.mktemp("operations")
    rows = Rows(11)
    slow = np.where(rows.days >= SINCE, 4.0, 1.0)
    latency = (20 * rows.rng.lognormal(0, 0.4, rows.n) * slow).round(2)
    parquet.write_table(pa.table(rows.columns(latency=latency)), folder / "log.parquet")
    csv.write_csv(metrics(rows.rng), folder / "metrics.csv")
    (folder / "api.jsonl").write_text("\n".join(lines(rows.rng)) + "\n", encoding="utf-8")
    moments = {"cause": SINCE - 0.02, "decoy": SINCE - 0.09, "late": SINCE + 3}
    (folder / "deploys.csv").write_text(EVENTS.format(**{k: day(v).isoformat() for k, v in moments.items()}))
    (folder / "services.csv").write_text("caller,callee\ngateway,arrivals\narrivals,db\ngateway,billing\n")
    stated = {
        "model": {"name": "arrivals"},
        "predictions": {
            "table": "log.parquet",
            "time": "at",
            "id": "key",
            "latency_ms": "latency",
            "segments": ["region", "device"],
        },
        "failure": {"metric": "latency_p95"},
        "windows": {"baseline": window(0, 30), "incident": window(30, 37), "bucket": "1d"},
        "metrics": [{"table": "metrics.csv"}],
        "graph": "services.csv",
        "logs": [{"files": "*.jsonl"}],
        "changes": [{"events": "deploys.csv"}],
    }
    investigated: Postmortem = sound(investigate(Case.parse(stated, root=folder)))
    return investigated


def test_the_failure_is_one_of_operation(found):
    assert (found.failure.verdict, found.failure.kind, found.failure.metric) == (
        "failure",
        "operational",
        "latency_p95",
    )
    assert found.failure.onset.low <= day(SINCE) <= found.failure.onset.high


def test_the_series_that_filled_up_moved_with_it_and_the_spike_did_not(found):
    order = {one.name: one.order for one in found.signals}
    assert next(one.name for one in found.signals if one.order == "with") == "cpu_percent{host=db-1}"
    assert order["cpu_percent{host=db-1}"] == "with"
    assert order.get("cpu_percent{host=batch-1}") != "with"


def test_overload_is_supported_by_what_filled_up(found):
    first = found.causes[0]
    assert (first.id, first.verdict) == ("H1", "supported"), told(found)
    assert "db-1" in first.test.result
    assert "batch-1" not in first.test.result.partition("; ")[0]


def test_what_is_to_be_done_is_about_what_filled_up_and_not_about_scores(found):
    done = [one for one in found.actions if one.addresses.startswith("H1 ")]
    assert {one.type for one in done} == {"mitigate", "detect"}
    assert all("db-1" in one.addresses and "what filled up" in one.title for one in done)
    assert not any("fallback" in f"{one.title} {one.acceptance}" for one in found.actions)


def test_the_new_log_line_is_named(found):
    new = [one for one in found.log_templates if one.change == "new"]
    assert any("connection pool exhausted" in one.template for one in new)
    assert not any("served request" in one.template for one in found.log_templates)


def test_the_change_that_did_it_ranks_first_and_the_decoys_are_refuted_with_reasons(found):
    first, *others = found.changes
    assert "pool size" in first.summary
    verdicts = {one.summary: one.verdict for one in others}
    assert "service = billing" in verdicts["billing 3.2.0"]
    assert "after" in verdicts["arrivals 2.1.1"]
    assert first.id in found.causes[0].changes


def test_a_complete_report_comes_of_it(found):
    """Every format is drawn, and nothing of it speaks of labels as if there were any."""
    for name in ("html", "md", "json"):
        assert "connection pool exhausted" in render(found, name)
    assert found.actions
    assert any("dependency files" in gap.what for gap in found.not_checked)


def test_moments_are_utc(found):
    assert all(one.onset is None or one.onset.tzinfo == UTC for one in found.signals)
    assert datetime(2024, 3, 4, tzinfo=UTC) + timedelta(days=30) <= found.signals[0].onset
