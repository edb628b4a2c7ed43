"""Faults of labels: what is recorded is wrong, missing, or was learned from; each leaves its entry's traces."""

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

SEEDS = (1, 2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["L1", "L2", "L3"])
def test_only_the_rows_hit_differ_and_the_metric_falls(kind: str, seed: int) -> None:
    incident = incident_of(kind, seed)
    assert only_hit(incident)
    assert incident.fall > 0
    assert fell(incident) > 0
    assert not lines_with(incident)
    assert record_of(incident).kind == ("model" if kind == "L3" else "label")


def test_a_label_break_flips_outcomes_or_counts_fewer_while_predictions_are_stable() -> None:
    """What is recorded is not what came; nothing else moves; the share of positives steps, or the confusion inverts."""
    ways = set()
    for seed in range(1, 5):
        incident, hit = incident_of("L1", seed), hit_in(incident_of("L1", seed))
        assert set(changed(incident)) == {"label"}
        assert not moved(incident)
        recorded, came = incident.traffic.label[hit], incident.traffic.y[hit]
        way = fault_of(incident).parameters["way"]
        ways.add(way)
        if way == "flipped":
            assert (recorded == 1 - came).all()
        else:
            assert (recorded <= came).all()
            assert recorded.mean() < 0.8 * came.mean()
            _check_condition(incident_of("L1", seed).traffic.columns[fault_of(incident).features[0]][hit], recorded)
    assert ways == {"flipped", "redefined"}


def _check_condition(values: np.ndarray, recorded: np.ndarray) -> None:  # type: ignore[type-arg]
    """What counts, counts on one side of a value only."""
    counted = values[recorded == 1]
    apart = (np.nanmin(counted) > np.nanquantile(values, 0.1), np.nanmax(counted) < np.nanquantile(values, 0.9))
    assert any(apart)


@pytest.mark.parametrize("seed", SEEDS)
def test_selective_labels_are_missing_by_decision(seed: int) -> None:
    incident, hit = incident_of("L2", seed), hit_in(incident_of("L2", seed))
    assert set(changed(incident)) == {"label"}
    acted = fault_of(incident).parameters["labelled"] == "acted upon"
    missing = np.isnan(incident.traffic.label)
    assert set(incident.traffic.prediction[missing]) == {0.0 if acted else 1.0}
    assert (missing == (hit & (incident.traffic.prediction == (0.0 if acted else 1.0)))).all()
    assert incident.metric == ("accuracy" if acted else "f1")
    assert moved(incident)["warehouse.labels_per_hour"] < 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_contaminated_version_is_logged_and_its_training_table_holds_the_incident(seed: int) -> None:
    incident, hit = incident_of("L3", seed), hit_in(incident_of("L3", seed))
    assert set(changed(incident)) <= {"version", "served_by", "score", "prediction"}
    assert ((incident.traffic.version == "v3") == hit).all()
    learned, usual = fault_of(incident).training, incident.service.past
    assert learned is not None
    assert usual is not None
    if fault_of(incident).parameters["trained"] == "flipped":
        assert 0.3 < (learned.y != usual.y).mean() < 0.45
    else:
        (feature,) = fault_of(incident).features
        served = np.nanmedian(incident.traffic.served[feature])
        assert np.nanmedian(learned.columns[feature]) == pytest.approx(10 * served, rel=0.1)
    assert "incident" in record_of(incident).summary
