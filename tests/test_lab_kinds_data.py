"""Each fault of the data pipeline leaves on the raw tables what its entry says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from lab_incidents import (
    cases,
    change_precedes,
    changed,
    fault_of,
    hits,
    incident_of,
    metric_falls,
    only_served_differs,
    traced_lines,
    traced_metrics,
)
from mortis.lab.bases import service_of
from mortis.lab.kinds import KINDS
from mortis.lab.kinds.data import replaced
from mortis.lab.making import Incident, played
from mortis.lab.measuring import measured
from mortis.lab.traffic import Column, in_scope, missing


def _served(incident: Incident) -> tuple[Column, Column]:
    """The first feature named, as served to those hit with the fault, and as it would have been without."""
    name = fault_of(incident).features[0]
    hit = hits(incident)
    return incident.traffic.served[name][hit], incident.healthy.served[name][hit]


@pytest.mark.parametrize("case", cases("D1"))
def test_a_missing_field_is_null_or_one_usual_value_for_those_hit(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    only_served_differs(incident)
    now, _ = _served(incident)
    if "value" in fault.parameters:
        assert (now == fault.parameters["value"]).all()
    else:
        assert missing(now).all()
    metric_falls(incident)
    assert list(traced_metrics(incident)) == ["features.error_rate"]
    assert all(line.startswith(f"field {fault.features[0]} missing for ") for line in traced_lines(incident))
    change_precedes(incident)
    change = fault.traces.change
    assert set(change.before) - set(change.after) == (set(fault.features) if change.kind == "schema" else set())


@pytest.mark.parametrize("case", cases("D2"))
def test_a_sentinel_is_served_to_a_part_while_the_upstream_call_fails_and_nobody_changed_anything(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    only_served_differs(incident)
    now, _ = _served(incident)
    assert (now == fault.parameters["value"]).all()
    whole = in_scope(incident.traffic, fault.scope) & (incident.acting[0].course.strength(incident.traffic.at) == 1)
    assert hits(incident)[whole].mean() == pytest.approx(fault.share, abs=0.04)
    metric_falls(incident)
    assert {"features.error_rate", "features.latency_p99_ms"} <= set(traced_metrics(incident))
    assert all(one.level == "ERROR" for one in fault.traces.logs)
    assert all(line.startswith(f"rpc to the source of {fault.features[0]} failed") for line in traced_lines(incident))
    assert fault.traces.change is None


@pytest.mark.parametrize("case", cases("D3"))
def test_another_unit_is_one_increasing_map_of_what_would_be_served(case):
    incident = incident_of(*case)
    parameters = fault_of(incident).parameters
    only_served_differs(incident)
    now, usual = (column[~missing(column)] for column in _served(incident))
    if "function" in parameters:
        expected = np.log1p(usual)
    else:
        expected = usual * parameters.get("factor", 1.0) + parameters.get("offset", 0.0)
    np.testing.assert_allclose(now, expected, rtol=1e-12)
    assert (np.diff(now[np.argsort(usual, kind="stable")]) >= 0).all()
    metric_falls(incident)
    assert all("outside the usual range" in line for line in traced_lines(incident))
    change_precedes(incident)


def test_units_come_as_factors_offsets_degrees_and_logarithms():
    rng = np.random.default_rng(8)
    drawn = [KINDS["D3"].plant(service_of("credit"), rng, 2).parameters for _ in range(80)]
    assert {tuple(one) for one in drawn} == {("factor",), ("offset",), ("factor", "offset"), ("function",)}


@pytest.mark.parametrize("case", cases("D4"))
def test_another_vocabulary_stands_for_the_old_one_value_by_value_and_the_schema_says_so(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    (name,) = fault.features
    only_served_differs(incident)
    now, usual = _served(incident)
    if "cast" in fault.parameters:
        np.testing.assert_array_equal(now, np.trunc(usual))
    else:
        new = {old: str(value) for old, value in fault.parameters.items()}
        assert not changed(replaced(usual, new), now).any()
        trained = set(incident.service.past.columns[name])
        assert len(set(new.values())) == len(new)
        assert {value for old, value in new.items() if value != old}.isdisjoint(trained)
    metric_falls(incident)
    assert all(name in line for line in traced_lines(incident))
    change_precedes(incident)
    change = fault.traces.change
    assert change.kind == "schema"
    assert [one for one in change.before if change.before[one] != change.after[one]] == [name]


def test_shares_may_be_cast_to_whole_numbers():
    rng = np.random.default_rng(8)
    drawn = [KINDS["D4"].plant(service_of("credit"), rng, 2) for _ in range(40)]
    assert {"integer"} == {one.parameters["cast"] for one in drawn if "cast" in one.parameters}
    assert any("cast" not in one.parameters for one in drawn)


@pytest.mark.parametrize("case", cases("D5"))
def test_a_stale_feed_serves_only_what_its_segment_had_before_and_its_age_grows(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    only_served_differs(incident)
    traffic, usual, hit = incident.traffic, incident.healthy.served[fault.features[0]], hits(incident)
    by = next(iter(incident.service.base.segments))
    now = traffic.served[fault.features[0]]
    seconds = int(fault.parameters["hours"]) * 3600
    frozen = fault.parameters["values"] == "frozen at the onset"
    for value in incident.service.base.segments[by]:
        mine = traffic.columns[by] == value
        if not (mine & hit).any():
            continue
        if frozen:
            first = traffic.at[hit].min()
            old = mine & (traffic.at < first) & (traffic.at >= first - seconds)
            assert set(now[mine & hit].astype(str)) <= set(usual[old].astype(str))
        else:
            for renewal in np.unique(traffic.at[mine & hit] // seconds):
                block = mine & hit & (traffic.at // seconds == renewal)
                last = np.flatnonzero(mine & (traffic.at < renewal * seconds))[-1]
                assert set(now[block].astype(str)) == {str(usual[last])}
    metric_falls(incident)
    assert list(traced_metrics(incident)) == ["features.lag_seconds"]
    assert all("success" in line for line in traced_lines(incident))
    # The training pipeline's values, where they are handed over, are the fresh ones.
    assert not changed(traffic.columns[fault.features[0]], usual).any()


@pytest.mark.parametrize("case", cases("D6"))
def test_a_failed_join_loses_its_features_together_and_some_rows_of_those_hit_while_requests_stay(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    traffic, healthy = incident.traffic, incident.healthy
    lost = ~np.isin(healthy.row, traffic.row)
    hit = incident.acting[0].hits(healthy)
    assert not lost[~hit].any()
    assert lost[hit].mean() == pytest.approx(fault.parameters["lost"], abs=0.05)
    kept = healthy.take(~lost)
    assert np.array_equal(kept.ids, traffic.ids)
    assert len(fault.features) >= 2
    for name, column in traffic.served.items():
        joined = name in fault.features
        assert not changed(kept.served[name], column)[~hits(incident) | (not joined)].any()
        assert missing(column)[hits(incident)].all() or not joined
    assert np.array_equal(kept.label, traffic.label, equal_nan=True)
    metric_falls(incident)
    assert set(traced_metrics(incident)) == {"features.rows_written", "warehouse.rows_loaded"}
    assert all(one.times < 1 for one in fault.traces.metrics)
    assert all("found no row" in line for line in traced_lines(incident))
    change_precedes(incident)


@pytest.mark.parametrize("case", cases("D7"))
def test_repeats_are_the_same_rows_again_of_hard_cases_most_and_one_of_each_restores_the_metric(case):
    incident = incident_of(*case)
    base = incident.service.base
    traffic, healthy = incident.traffic, incident.healthy
    first = np.unique(traffic.row, return_index=True)[1]
    once = traffic.take(first)
    assert np.array_equal(once.ids, healthy.ids)
    for name, column in traffic.served.items():
        assert not changed(healthy.served[name][traffic.row], column).any()
    times = np.bincount(traffic.row)
    hit = incident.acting[0].hits(healthy)
    assert (times[~hit] == 1).all()
    error = np.abs(healthy.prediction - healthy.y)
    hard = hit & (error > np.quantile(error, 0.8) if base.task == "regression" else error > 0)
    assert (times > 1)[hard].mean() > 3 * (times > 1)[hit & ~hard].mean()
    metric_falls(incident)
    for part in (incident.served_since, incident.before):
        assert measured(part(once), base, incident.metric) == measured(part(healthy), base, incident.metric)
    assert {"features.rows_written", "warehouse.rows_loaded"} < set(traced_metrics(incident))
    assert all(one.times > 1 for one in fault_of(incident).traces.metrics)
    assert all("delivered again" in line for line in traced_lines(incident))


@pytest.mark.parametrize("case", cases("D8"))
def test_a_corrupted_reference_moves_one_feature_by_segment_or_into_other_buckets(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    only_served_differs(incident)
    now, usual = _served(incident)
    there = ~missing(usual)
    if fault.parameters["by"] == "bucket":
        assert len(np.unique(now[there])) <= 8
        assert (np.diff(now[there][np.argsort(usual[there])]) >= 0).all()
        assert np.sign(np.median(now[there] - usual[there])) == np.sign(fault.parameters["moved"])
    else:
        segment = incident.traffic.columns[fault.parameters["by"]][hits(incident)][there]
        for value in np.unique(segment[~missing(segment)].astype(str)):
            moved = (now - usual)[there][segment == value]
            np.testing.assert_allclose(moved, fault.parameters[value], atol=1e-6 * abs(usual[there]).max())
    metric_falls(incident)
    assert all(fault.features[0] in line for line in traced_lines(incident))
    change_precedes(incident)


def test_references_are_wrong_by_segment_or_by_bucket():
    rng = np.random.default_rng(8)
    drawn = {KINDS["D8"].plant(service_of("credit"), rng, 2).parameters["by"] for _ in range(20)}
    assert drawn == {"bucket", "region"}


@pytest.mark.parametrize("kind", ["D5", "D7"])
def test_the_same_seed_gives_the_same_rows(kind):
    one, again = incident_of(kind, "credit", 1), played(kind, "credit", 1)
    assert fault_of(one).parameters == fault_of(again).parameters
    assert np.array_equal(one.traffic.ids, again.traffic.ids)
    assert not any(changed(column, again.traffic.served[name]).any() for name, column in one.traffic.served.items())
