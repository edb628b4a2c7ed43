"""Faults of measuring: the model answers as before, and the figure is worse; each leaves its entry's traces."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from lab_raw import (
    changed,
    columns_of,
    course_of,
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
from mortis.lab.measuring import measured
from mortis.lab.traffic import DAY, Traffic, in_scope

SEEDS = (1, 2)


def figure(incident: Incident, traffic: Traffic) -> float:
    return measured(traffic, incident.service.base, incident.metric)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["E1", "E2", "E3", "E4"])
def test_the_figure_falls(kind: str, seed: int) -> None:
    incident = incident_of(kind, seed)
    assert incident.fall > 0
    assert fell(incident) > 0


def test_a_broken_join_leaves_answers_and_what_came_as_they_were() -> None:
    """A recount from what came shows nothing; recorded is the label of the row hit before, or 0 within the hour."""
    ways = set()
    for seed in (1, 2, 3):
        incident, hit = incident_of("E1", seed), hit_in(incident_of("E1", seed))
        assert only_hit(incident)
        assert set(changed(incident)) <= {"label", "labelled"}
        recount = [replace(one, label=one.y) for one in (incident.traffic, incident.healthy)]
        assert figure(incident, recount[0]) == figure(incident, recount[1])
        label, came, at = incident.traffic.label[hit], incident.traffic.y[hit], incident.traffic.at[hit]
        way = fault_of(incident).parameters["way"]
        ways.add(way)
        if way == "shifted":
            assert (label == np.roll(came, 1)).all()
            assert label.mean() == came.mean(), "the share of positives doesn't move"
            assert not lines_with(incident)
        else:
            assert set(label) == {0.0}
            assert ((incident.traffic.labelled[hit] - at) <= 3600).all()
            assert lines_with(incident)
        assert record_of(incident).kind == "measurement"
        assert not moved(incident)
    assert ways == {"shifted", "filled"}


@pytest.mark.parametrize("seed", SEEDS)
def test_early_labels_make_the_last_days_look_worse_whenever_one_looks(seed: int) -> None:
    """Nothing but the labels' times differs; with time the figure is as ever; a look a week earlier shows the same."""
    incident = incident_of("E2", seed)
    assert set(changed(incident)) == {"labelled"}
    assert incident.noticed - incident.stretch.end == timedelta(days=1)
    assert figure(incident, incident.traffic) == figure(incident, incident.healthy)
    for moment in (incident.noticed, incident.noticed - timedelta(days=7)):
        as_of = moment.timestamp()
        seen = incident.traffic.take(incident.traffic.at < as_of)
        known = seen.take(seen.labelled <= as_of)
        old = known.at < as_of - 12 * DAY
        assert figure(incident, known.take(~old)) < 0.95 * figure(incident, known.take(old))
    assert not moved(incident)
    assert not lines_with(incident)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mix_shift_moves_shares_and_no_part_s_figure(seed: int) -> None:
    incident, hit = incident_of("E3", seed), hit_in(incident_of("E3", seed))
    column, value = (str(fault_of(incident).parameters[name]) for name in ("column", "value"))
    part = {column: value}
    differs = np.zeros(len(hit), dtype=bool)
    for rows in changed(incident).values():
        differs |= rows
    assert not (differs & ~hit).any()
    assert in_scope(incident.traffic, part)[hit].all(), "rows hit are all of the hard value"
    assert not {"at", "ids", "version", "latency_ms", "asked: replica"} & set(changed(incident))
    before, since = incident.before(incident.traffic), incident.served_since(incident.traffic)
    assert in_scope(since, part).mean() > 1.5 * in_scope(before, part).mean()
    spread = 0.05
    for inside in (True, False):
        one, other = (figure(incident, some.take(in_scope(some, part) == inside)) for some in (before, since))
        assert other > one - spread
    assert not moved(incident)


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_are_not_logged_are_of_one_band_of_scores_and_the_gateway_counts_them(seed: int) -> None:
    incident = incident_of("E4", seed)
    logged = np.isin(incident.healthy.ids.astype(str), incident.traffic.ids.astype(str))
    missing = incident.healthy.take(~logged)
    low, high = (float(fault_of(incident).parameters[name]) for name in ("low", "high"))
    assert ((missing.score >= low) & (missing.score < high)).all()
    assert missing.at.min() >= incident.onset.timestamp()
    assert in_scope(missing, fault_of(incident).scope).all()
    kept, logs = columns_of(incident.healthy.take(logged)), columns_of(incident.traffic)
    assert all(same(kept[name], logs[name]).all() for name in kept)
    there = course_of(incident).strength(incident.healthy.at) > 0
    there &= in_scope(incident.healthy, fault_of(incident).scope)
    band = there & (incident.healthy.score >= low) & (incident.healthy.score < high)
    assert (~logged)[band].mean() > 0.9
    assert set(moved(incident)) == {"warehouse.rows_loaded"}, "the gateway's count is as before"
    assert moved(incident)["warehouse.rows_loaded"] < 1


@pytest.mark.parametrize("seed", SEEDS)
def test_one_bad_day_by_chance_is_like_days_of_the_weeks_before(seed: int) -> None:
    incident = incident_of("E5", seed)
    assert not incident.acting
    assert incident.plot.answer == "no_failure"
    day = incident.traffic.at // DAY
    daily = np.array([figure(incident, incident.traffic.take(day == one)) for one in np.unique(day)])
    before, during = daily[: incident.stretch.before], daily[incident.stretch.before :]
    assert during.min() > before.min() - 0.1
    windows = incident.before(incident.traffic), incident.served_since(incident.traffic)
    whole = [figure(incident, one) for one in windows]
    assert abs(whole[0] - whole[1]) < 0.05
