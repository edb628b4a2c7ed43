"""Faults of machines, jobs and caches: each leaves the traces that its entry names, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from lab_raw import (
    changed,
    fault_of,
    fell,
    hit_in,
    incident_of,
    lines_with,
    moved,
    only_hit,
    record_of,
)
from mortis.lab.making import Incident

SEEDS = (1, 2)
ANSWERS = {"score", "prediction"}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["H1", "H2", "H3", "H4", "H5"])
def test_only_the_rows_hit_differ_and_the_metric_is_worse(kind: str, seed: int) -> None:
    incident = incident_of(kind, seed)
    assert only_hit(incident)
    assert incident.fall > 0
    assert fell(incident) > 0
    assert all(line.at >= incident.onset.timestamp() for line in lines_with(incident))


def test_overload_is_there_in_peaks_and_falls_back_or_makes_wait() -> None:
    metrics = set()
    for seed in (1, 2, 6):
        incident, hit = incident_of("H1", seed), hit_in(incident_of("H1", seed))
        metrics.add(incident.metric)
        hour = incident.traffic.at[hit] // 3600 % 24
        assert (hour.min(), hour.max()) == (9, 20)
        slower = incident.traffic.latency_ms[hit] / incident.healthy.latency_ms[hit]
        assert np.median(slower) > 3
        factors = moved(incident)
        assert factors["model.latency_p99_ms"] > 3
        assert factors["model.cpu_percent"] > 1.8
        assert lines_with(incident)
        assert all(line.service == "gateway" for line in lines_with(incident))
        _check_fallback(incident)
    assert metrics == {"f1", "latency_p95"}


def _check_fallback(incident: Incident) -> None:
    """One score gains mass where the metric is one of quality; with it go the rate of fallbacks and lines."""
    hit, factors = hit_in(incident), moved(incident)
    told = ["fallback" in line.message for line in lines_with(incident)]
    if incident.metric == "latency_p95":
        assert set(changed(incident)) == {"latency_ms"}
        assert "model.fallback_rate" not in factors
        assert not any(told)
        return
    assert set(incident.traffic.score[hit]) == {fault_of(incident).parameters["fallback"]}
    assert factors["model.fallback_rate"] > 50
    assert all(told)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_idle_accelerator_makes_answers_late_and_hardly_others(seed: int) -> None:
    incident, hit = incident_of("H2", seed), hit_in(incident_of("H2", seed))
    assert incident.metric == "latency_p95"
    assert set(changed(incident)) <= {"score", "prediction", "latency_ms"}
    off = np.abs(incident.traffic.score - incident.healthy.score)
    assert 0 < off[hit].max() < 1e-5
    assert np.median(incident.traffic.latency_ms[hit] / incident.healthy.latency_ms[hit]) > 3
    factors, scoped = moved(incident), bool(fault_of(incident).scope.get("replica"))
    assert factors["model.gpu_percent"] == pytest.approx(2 / 3 if scoped else 0, abs=0.01)
    assert factors["model.latency_p99_ms"] > 2
    record = record_of(incident)
    assert record.kind == "environment"
    assert record.before != record.after
    assert not lines_with(incident)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_defective_device_errs_on_one_replica_and_nothing_says_so(seed: int) -> None:
    incident, hit = incident_of("H3", seed), hit_in(incident_of("H3", seed))
    assert set(changed(incident)) == ANSWERS
    assert list(fault_of(incident).scope) == ["replica"]
    differs = incident.traffic.score != incident.healthy.score
    assert differs[hit].mean() > 0.9
    assert not moved(incident)
    assert not lines_with(incident)
    assert fault_of(incident).traces.change is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_job_out_of_order_serves_values_of_another_day(seed: int) -> None:
    """Features of a job together are those of one earlier request, whose true values they were."""
    incident, hit = incident_of("H4", seed), hit_in(incident_of("H4", seed))
    names, days = fault_of(incident).features, fault_of(incident).parameters["days"]
    assert set(changed(incident)) <= {f"served: {name}" for name in names} | ANSWERS
    served = list(zip(*(incident.traffic.served[name].astype(str) for name in names), strict=True))
    true = list(zip(*(incident.traffic.columns[name].astype(str) for name in names), strict=True))
    at = incident.traffic.at
    for place in np.flatnonzero(hit)[:: max(1, hit.sum() // 25)].tolist():
        earlier = np.abs(at - (at[place] - float(days) * 86_400)) < 6 * 3600
        assert served[place] in {true[i] for i in np.flatnonzero(earlier).tolist()}
    assert moved(incident)["features.lag_seconds"] > 100
    assert moved(incident)["features.rows_written"] == pytest.approx(0.55)
    assert lines_with(incident)
    assert all("success" in line.message and line.level == "INFO" for line in lines_with(incident))
    assert fault_of(incident).offline


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_cache_key_answers_different_inputs_alike(seed: int) -> None:
    incident, hit = incident_of("H5", seed), hit_in(incident_of("H5", seed))
    assert set(changed(incident)) == ANSWERS
    with_fault, without = incident.traffic.score[hit], incident.healthy.score[hit]
    assert len(np.unique(with_fault)) < 0.5 * len(np.unique(without))
    assert set(with_fault) <= set(without), "each is an answer that was right for some request"
    _check_key(incident)
    assert moved(incident)["features.cache_hit_rate"] > 1.1
    assert moved(incident)["model.cpu_percent"] < 0.6
    record = record_of(incident)
    assert record.kind == "config"
    assert len(record.after["cache"]["key"]) < len(record.before["cache"]["key"])  # type: ignore[index]


def _check_key(incident: Incident) -> None:
    """Requests with the same key within the time are answered as the first of them."""
    parameters, traffic = fault_of(incident).parameters, incident.traffic.take(hit_in(incident))
    seconds = int(float(parameters["hours"]) * 3600)
    columns = [traffic.columns[name] for name in str(parameters["key"]).split(", ")]
    answered: dict[tuple[object, ...], float] = {}
    for at, score, *key in zip(traffic.at.tolist(), traffic.score.tolist(), *columns, strict=True):
        assert answered.setdefault((at // seconds, *key), score) == score
