"""Each fault of skew leaves on the raw tables what its entry says, and nothing else."""

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
from mortis.lab.measuring import measured
from mortis.lab.traffic import missing


@pytest.mark.parametrize("case", cases("S1"))
def test_the_online_path_departs_from_the_training_pipeline_by_its_rule(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    only_served_differs(incident)
    (name,) = fault.features
    hit = hits(incident)
    there = hit & ~missing(incident.healthy.served[name])
    now, usual = incident.traffic.served[name][there], incident.healthy.served[name][there]
    amount = fault.parameters["amount"]
    if fault.parameters["path"] == "clipped":
        np.testing.assert_array_equal(now, np.minimum(usual, amount))
    elif fault.parameters["path"] == "rounded":
        np.testing.assert_allclose(now / amount, np.round(now / amount), atol=1e-9)
        assert ((usual - now >= 0) & (usual - now < amount * (1 + 1e-9))).all()
    else:
        ratio = np.log(now[usual > 0] / usual[usual > 0])
        assert ratio.std() == pytest.approx(amount, rel=0.1)
    assert fault.offline
    assert not changed(incident.traffic.columns[name], incident.healthy.served[name]).any()
    metric_falls(incident)
    assert list(traced_metrics(incident)) == ["features.latency_p99_ms"]
    assert all("worked out online" in line for line in traced_lines(incident))
    change_precedes(incident)
    assert incident.acting[0].course.shape == "abrupt"


def test_paths_differ_by_clipping_rounding_and_window():
    rng = np.random.default_rng(8)
    drawn = {KINDS["S1"].plant(service_of("credit"), rng, 2).parameters["path"] for _ in range(30)}
    assert drawn == {"clipped", "rounded", "window"}


@pytest.mark.parametrize("case", cases("S2"))
def test_two_columns_have_each_others_values(case):
    incident = incident_of(*case)
    only_served_differs(incident)
    first, second = fault_of(incident).features
    hit, traffic, healthy = hits(incident), incident.traffic, incident.healthy
    assert not changed(traffic.served[first], healthy.served[second])[hit].any()
    assert not changed(traffic.served[second], healthy.served[first])[hit].any()
    metric_falls(incident)
    assert not len(traced_metrics(incident))
    assert not traced_lines(incident)
    change_precedes(incident)


@pytest.mark.parametrize("case", cases("S3"))
def test_every_value_of_a_category_is_served_as_another_known_one(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    only_served_differs(incident)
    (name,) = fault.features
    mapping = {old: str(new) for old, new in fault.parameters.items()}
    assert set(mapping) == set(mapping.values())
    assert all(old != new for old, new in mapping.items())
    usual = incident.healthy.served[name]
    assert set(mapping) == {value for value in usual if value is not None}
    hit = hits(incident)
    assert not changed(replaced(usual[hit], mapping), incident.traffic.served[name][hit]).any()
    metric_falls(incident)
    assert all(f"codes of {name}" in line for line in traced_lines(incident))
    change_precedes(incident)


@pytest.mark.parametrize("case", cases("S4"))
def test_hours_go_round_a_circle_and_the_images_zone_says_by_how_much(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    only_served_differs(incident)
    (name,) = fault.features
    hit, hours = hits(incident), fault.parameters["shift"]
    now, usual = incident.traffic.served[name][hit], incident.healthy.served[name][hit]
    assert set((now - usual) % 24) == {hours % 24}
    assert ((now >= 0) & (now < 24)).all()
    metric_falls(incident)
    assert all("local time" in line for line in traced_lines(incident))
    change_precedes(incident)
    change = fault.traces.change
    assert [one for one in change.before if change.before[one] != change.after[one]] == ["TZ"]
    # POSIX turns the sign: five hours ahead of UTC is GMT-5.
    assert change.after["TZ"] == f"Etc/GMT{-int(hours):+d}"


@pytest.mark.parametrize("case", cases("S5"))
def test_a_leak_promises_what_serving_never_gave_from_the_first_day(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    base, (name,) = incident.service.base, fault.features
    traffic, healthy = incident.traffic, incident.healthy
    # What was served is what could be known then; the training pipeline's value knows the outcome.
    assert not any(changed(column, traffic.served[one]).any() for one, column in healthy.served.items())
    there = ~missing(traffic.served[name]) & ~np.isnan(traffic.y)
    later = (traffic.columns[name] - traffic.served[name])[there]
    assert np.corrcoef(later, traffic.y[there])[0, 1] > 0.99
    assert not any(
        changed(column, traffic.served[one]).any()
        for one, column in traffic.columns.items()
        if one in traffic.served and one != name
    )
    trained = incident.service.past
    known = ~missing(trained.columns[name])
    leaked, sound = (
        abs(np.corrcoef(rows.columns[name][known], rows.y[known])[0, 1])
        for rows in (trained, service_of(base.name).past)
    )
    assert leaked > sound + 0.2
    # Before and since, online is as far below the promise.
    online = [measured(part(traffic), base, incident.metric) for part in (incident.before, incident.served_since)]
    assert min(abs(fault.expected - one) for one in online) > 3 * abs(online[0] - online[1])
    assert measured(incident.service.answered(traffic), base, incident.metric) == pytest.approx(
        fault.expected, abs=0.06
    )
    metric_falls(incident)
    assert incident.onset == incident.stretch.start
    assert fault.offline
    change_precedes(incident)


def test_models_that_learned_from_a_leak_lean_on_it():
    """With the leak's values in place of the served ones, they are far better than online."""
    incident = incident_of(*cases("S5")[0])
    base = incident.service.base
    with_leak = incident.service.answered(incident.traffic)
    assert measured(with_leak, base, "f1") > measured(incident.traffic, base, "f1") + 0.1
