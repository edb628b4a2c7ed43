"""Faults of the software around the model: each leaves the traces that its entry names, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from lab_raw import (
    changed,
    columns_of,
    fault_of,
    fell,
    hit_in,
    incident_of,
    lines_with,
    moved,
    only_hit,
    record_of,
    same,
)
from mortis.lab.making import Incident
from mortis.lab.traffic import Floats

SEEDS = (1, 2)


def scores_on(incident: Incident, **columns: Floats) -> Floats:
    """What the version in use gives to what was logged, some columns replaced."""
    features = {one.name: incident.traffic.served[one.name] for one in incident.service.base.features}
    return incident.service.scores({**features, **columns}, "v2")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["P1", "P2", "P3"])
def test_answers_differ_where_features_and_versions_do_not(kind: str, seed: int) -> None:
    """Only rows hit differ, in their scores alone, and no version gives these to what is logged."""
    incident, hit = incident_of(kind, seed), hit_in(incident_of(kind, seed))
    assert only_hit(incident)
    assert set(changed(incident)) <= {"score", "prediction"}
    assert incident.fall > 0
    assert fell(incident) > 0
    differs = np.abs(incident.traffic.score - incident.healthy.score) > 1e-9
    assert differs[hit].mean() > 0.5
    features = {one.name: incident.traffic.served[one.name] for one in incident.service.base.features}
    for version in incident.service.models:
        given = np.abs(incident.service.scores(features, version) - incident.traffic.score) < 1e-9
        assert given[differs].mean() < 0.05
    assert not lines_with(incident)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_upgrade_is_on_record_with_the_packages_before_and_after(seed: int) -> None:
    record = record_of(incident_of("P1", seed))
    assert record.kind in ("dependency", "environment")
    assert set(record.before) == set(record.after)
    assert any(record.before[name] != record.after[name] for name in record.before)
    assert not moved(incident_of("P1", seed))


def test_an_upgrade_keeps_ranks_or_reads_categories_as_others() -> None:
    ways = set()
    for seed in range(1, 5):
        incident, hit = incident_of("P1", seed), hit_in(incident_of("P1", seed))
        way = fault_of(incident).parameters["way"]
        ways.add(way)
        order = np.argsort(incident.healthy.score[hit], kind="stable")
        ranked = (np.diff(incident.traffic.score[hit][order]) >= 0).all()
        assert ranked == (way == "base score")
    assert ways == {"base score", "category codes"}


@pytest.mark.parametrize("seed", SEEDS)
def test_less_precision_hurts_extreme_inputs_most_and_brings_another_device(seed: int) -> None:
    incident, hit = incident_of("P2", seed), hit_in(incident_of("P2", seed))
    off = np.abs(incident.traffic.score - incident.healthy.score)[hit]
    assert np.quantile(off, 0.99) > 4 * np.median(off), "a small error mostly, a large one in the tail"
    used = incident.traffic.served["utilization"][hit]
    extreme = used > np.nanquantile(used, 0.9)
    assert off[extreme].mean() > 1.5 * off[~extreme].mean()
    record = record_of(incident)
    assert record.kind == "environment"
    assert record.before["gpu"] != record.after["gpu"]
    assert record.before["driver"] != record.after["driver"]
    assert moved(incident)["model.latency_p99_ms"] < 1


def test_spoilt_code_scores_one_feature_otherwise_than_it_is_logged() -> None:
    """Undoing what the code did to the feature gives the scores served; it is on record as code or a deploy."""
    for seed in SEEDS:
        incident, hit = incident_of("P3", seed), hit_in(incident_of("P3", seed))
        (feature,) = fault_of(incident).features
        values = incident.traffic.served[feature]
        way = fault_of(incident).parameters["way"]
        spoilt = {"sign": -values, "row": np.roll(values, 1), "lost": np.zeros(len(values))}[str(way)]
        assert np.allclose(scores_on(incident, **{feature: spoilt})[hit], incident.traffic.score[hit])
        assert record_of(incident).kind in ("code", "deploy")
        assert record_of(incident).service == "model"
        assert not moved(incident)


def test_a_broken_contract_hits_one_caller_alone() -> None:
    """Either its fields are of another form, or its test job adds requests that fit no customer."""
    ways = set()
    for seed in SEEDS:
        incident = incident_of("P4", seed)
        (scope,) = fault_of(incident).scope.items()
        assert scope[0] == "channel"
        assert incident.fall > 0
        if len(incident.traffic) == len(incident.healthy):
            ways.add("payload")
            _check_payload(incident)
        else:
            ways.add("test job")
            _check_test_job(incident, *scope)
    assert ways == {"payload", "test job"}


def _check_payload(incident: Incident) -> None:
    assert only_hit(incident)
    served = {f"served: {name}" for name in fault_of(incident).features}
    assert served <= set(changed(incident)) <= served | {"score", "prediction"}
    assert {line.service for line in lines_with(incident)} == {"gateway"}
    assert min(line.at for line in lines_with(incident)) >= incident.onset.timestamp()
    assert record_of(incident).scope == fault_of(incident).scope


def _check_test_job(incident: Incident, column: str, caller: str) -> None:
    """Added rows are that caller's, since the onset, unlike its usual ones; the others are as they were."""
    known = np.isin(incident.traffic.ids.astype(str), incident.healthy.ids.astype(str))
    added = incident.traffic.take(~known)
    assert set(added.columns[column]) == {caller}
    assert added.at.min() >= incident.onset.timestamp()
    assert len(set(incident.traffic.ids)) == len(incident.traffic)
    assert set(added.label) == {0.0}
    before, after = columns_of(incident.healthy), columns_of(incident.traffic.take(known))
    assert all(same(before[name], after[name]).all() for name in before)
    hours = added.at // 3600 % 24
    assert (added.columns["hour"] == hours).mean() < 0.2, "values that don't belong together"
    assert moved(incident)["gateway.requests_per_minute"] > 1.1
