"""Faults where a judge scores what a language model answers: no model file, no labels."""

from __future__ import annotations

import numpy as np
import pytest

from lab_raw import (
    changed,
    fault_of,
    fell,
    hit_in,
    incident_of,
    moved,
    only_hit,
    record_of,
)
from mortis.lab.making import Incident

SEEDS = (1, 2)


def judged(kind: str, seed: int) -> Incident:
    return incident_of(kind, seed, base="judge")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["M2", "M4", "P2", "H1", "H2", "H3"])
def test_only_the_rows_hit_differ_and_the_metric_is_worse(kind: str, seed: int) -> None:
    incident, hit = judged(kind, seed), hit_in(judged(kind, seed))
    assert only_hit(incident)
    assert set(changed(incident)) <= {"score", "prediction", "latency_ms"}
    assert incident.fall > 0
    assert fell(incident) > 0
    score = incident.traffic.score
    assert ((score >= 0) & (score <= 1)).all()
    if incident.metric == "mean_score":
        assert score[hit].mean() < incident.healthy.score[hit].mean() - 0.02


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["M2", "P2", "H3"])
def test_a_fault_of_machines_is_on_one_kind_of_hardware(kind: str, seed: int) -> None:
    incident = judged(kind, seed)
    assert list(fault_of(incident).scope) == ["hardware"]
    if kind == "H3":
        assert fault_of(incident).traces.change is None
    else:
        assert record_of(incident).kind == {"M2": "config", "P2": "environment"}[kind]


@pytest.mark.parametrize("seed", SEEDS)
def test_settings_of_the_prompt_are_on_record_before_and_after(seed: int) -> None:
    incident = judged("M4", seed)
    record, key = record_of(incident), str(fault_of(incident).parameters["key"])
    assert record.before[key] != record.after[key]
    assert set(incident.traffic.version) == {"v2"}, "the weights are the same"
    assert not moved(incident)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mix_moves_and_no_part_is_judged_worse(seed: int) -> None:
    incident = judged("E3", seed)
    column, value = (str(fault_of(incident).parameters[name]) for name in ("column", "value"))
    before, since = incident.before(incident.traffic), incident.served_since(incident.traffic)
    assert (since.columns[column] == value).mean() > (before.columns[column] == value).mean() + 0.1
    for one in np.unique(before.columns[column].astype(str)):
        parts = [some.score[some.columns[column] == one] for some in (before, since)]
        assert parts[1].mean() > parts[0].mean() - 0.03
    assert fell(incident) > 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_good_answers_are_not_logged(seed: int) -> None:
    incident = judged("E4", seed)
    logged = np.isin(incident.healthy.ids.astype(str), incident.traffic.ids.astype(str))
    missing = incident.healthy.take(~logged)
    assert len(missing)
    assert missing.score.min() >= float(fault_of(incident).parameters["low"])
    assert missing.at.min() >= incident.onset.timestamp()
