"""Faults of the model: each leaves the traces on the raw tables that its catalogue entry names, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from lab_raw import changed, fault_of, fell, hit_in, incident_of, lines_with, moved, only_hit, record_of
from mortis.lab.making import Incident
from mortis.lab.traffic import Bools, Floats

KINDS = ("M1", "M2", "M3", "M4", "M5", "M6")
SEEDS = (1, 2)


def scores_by(incident: Incident, version: str) -> Floats:
    """What a version gives to what was logged (n,)."""
    features = {one.name: incident.traffic.served[one.name] for one in incident.service.base.features}
    return incident.service.scores(features, version)


def reproduced(incident: Incident, version: str) -> Bools:
    return np.asarray(np.abs(scores_by(incident, version) - incident.traffic.score) < 1e-9, dtype=bool)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_only_the_rows_hit_differ_and_the_metric_falls(kind: str, seed: int) -> None:
    incident = incident_of(kind, seed)
    assert only_hit(incident)
    assert incident.fall > 0
    assert fell(incident) > 0
    assert not moved(incident)
    assert not lines_with(incident)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["M1", "M6"])
def test_a_promotion_is_in_the_log_and_on_record(kind: str, seed: int) -> None:
    """The log names the new version where it serves, nowhere before; that version gives the scores."""
    incident, hit = incident_of(kind, seed), hit_in(incident_of(kind, seed))
    assert set(changed(incident)) <= {"version", "served_by", "score", "prediction"}
    assert ((incident.traffic.version == "v3") == hit).all()
    assert reproduced(incident, "v3")[hit].all()
    assert reproduced(incident, "v2")[~hit].all()
    record = record_of(incident)
    assert (record.kind, record.service) == ("model", "model")
    assert "v3" in record.summary
    assert fault_of(incident).version == "v3"


def test_a_promoted_version_learned_from_an_odd_window() -> None:
    """The training table that is handed over is that of the new version, and not like what is served."""
    for seed in SEEDS:
        incident = incident_of("M1", seed)
        learned, usual = fault_of(incident).training, incident.service.past
        assert learned is not None
        assert usual is not None
        stuck = [name for name, column in learned.columns.items() if len(set(column.tolist())) == 1]
        assert stuck or learned.y.mean() < 0.5 * usual.y.mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_objective_raises_the_mean_score(seed: int) -> None:
    incident, hit = incident_of("M6", seed), hit_in(incident_of("M6", seed))
    assert incident.traffic.score[hit].mean() > 1.2 * incident.healthy.score[hit].mean()
    assert incident.traffic.y[hit].mean() == incident.healthy.y[hit].mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_version_gives_scores_under_the_right_one_s_name(seed: int) -> None:
    incident, hit = incident_of("M2", seed), hit_in(incident_of("M2", seed))
    assert set(changed(incident)) <= {"served_by", "score", "prediction"}
    assert set(incident.traffic.version) == {"v2"}
    assert reproduced(incident, "v1")[hit].all()
    assert reproduced(incident, "v2")[~hit].all()
    assert (~reproduced(incident, "v2"))[hit].mean() > 0.9


def test_a_rule_out_of_step_moves_decisions_or_scores_but_not_both_ways() -> None:
    ways = set()
    for seed in range(1, 5):
        incident, hit = incident_of("M3", seed), hit_in(incident_of("M3", seed))
        kept = (incident.traffic.score >= incident.service.base.threshold) == (incident.traffic.prediction == 1)
        assert kept[~hit].all()
        if "score" in changed(incident):
            ways.add("scores")
            assert kept.all()
            order = np.argsort(incident.healthy.score[hit], kind="stable")
            assert (np.diff(incident.traffic.score[hit][order]) >= 0).all(), "ranks stay"
        else:
            ways.add("decisions")
            limit = float(fault_of(incident).parameters["threshold"])
            assert ((incident.traffic.score >= limit) == (incident.traffic.prediction == 1))[hit].all()
            record = record_of(incident)
            assert record.before["decision"]["threshold"] == incident.service.base.threshold  # type: ignore[index]
            assert record.after["decision"]["threshold"] == limit  # type: ignore[index]
    assert ways == {"scores", "decisions"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_setting_changes_answers_with_the_weights_the_same(seed: int) -> None:
    """No version gives the scores to what is logged; the settings before and after differ in the key that matters."""
    incident, hit = incident_of("M4", seed), hit_in(incident_of("M4", seed))
    assert set(changed(incident)) <= {"score", "prediction"}
    differs = ~np.isclose(incident.traffic.score, incident.healthy.score)
    assert not (differs & (reproduced(incident, "v2") | reproduced(incident, "v1"))).any()
    assert (differs & hit).sum() > 0.2 * hit.sum()
    record, parameters = record_of(incident), fault_of(incident).parameters
    assert record.kind == "config"
    assert record.after[str(parameters["key"])] == parameters["value"]
    assert record.before[str(parameters["key"])] != parameters["value"]
    assert record.before["version"] == record.after["version"]
    others = {key for key in record.after if record.after[key] != record.before[key]} - {parameters["key"]}
    assert others == {"log_level"}, "a key that matters is not alone"


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_that_do_not_fit_make_one_number_low_for_old_items(seed: int) -> None:
    incident, hit = incident_of("M5", seed), hit_in(incident_of("M5", seed))
    (feature,) = fault_of(incident).features
    assert set(changed(incident)) <= {f"served: {feature}", "score", "prediction"}
    served, true = incident.traffic.served[feature][hit], incident.traffic.columns[feature][hit]
    known = ~np.isnan(true)
    assert (np.isnan(served) == ~known).all(), "nothing becomes null"
    assert np.median(served[known]) < np.quantile(true[known], 0.2)
    assert len(np.unique(served[known])) > 0.9 * known.sum(), "not one value, as a default would be"
    assert abs(np.corrcoef(served[known], true[known])[0, 1]) < 0.1
    assert record_of(incident).service == "features"
