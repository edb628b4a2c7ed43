"""Each change of the world leaves on the raw tables what its entry says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from lab_incidents import (
    acting_in,
    cases,
    change_precedes,
    changed,
    fault_of,
    hits,
    incident_of,
    metric_falls,
    traced_lines,
    traced_metrics,
)
from mortis.lab.bases import BASES, service_of
from mortis.lab.kinds import KINDS
from mortis.lab.kinds.regions import Region, a_region, harder_regions
from mortis.lab.making import Incident, played
from mortis.lab.measuring import measured
from mortis.lab.traffic import YEAR, Bools, Traffic, missing


def _inside(incident: Incident, traffic: Traffic) -> Bools:
    """Which requests lie in the region that the fault's parameters tell."""
    column, sign, bound = str(fault_of(incident).parameters["region"]).split(" ", 2)
    values = traffic.columns[column]
    if sign == "=":
        return np.asarray(values == bound)
    # The bound is told in six digits.
    slack = 1e-5 * abs(float(bound))
    return np.asarray(values >= float(bound) - slack if sign == ">=" else values <= float(bound) + slack)


def _errors(traffic: Traffic) -> np.ndarray:
    return np.abs(traffic.prediction - traffic.y)


@pytest.mark.parametrize("case", cases("W1"))
def test_more_of_a_region_come_and_fare_as_such_requests_always_did(case):
    incident = incident_of(*case)
    traffic, healthy = incident.traffic, incident.healthy
    old = np.isin(traffic.ids.astype(str), healthy.ids.astype(str))
    assert np.array_equal(traffic.ids[old], healthy.ids)
    assert len(set(traffic.ids)) == len(traffic)
    for name, column in healthy.served.items():
        assert not changed(column, traffic.served[name][old]).any()
    new = traffic.take(~old)
    assert _inside(incident, new).all()
    assert (new.at >= incident.onset.timestamp()).all()
    assert (np.diff(traffic.at) >= 0).all()
    if "hour" in new.columns and np.array_equal(healthy.columns["hour"], healthy.at // 3600 % 24):
        assert np.array_equal(new.columns["hour"], new.at // 3600 % 24)
    # Within the region the new ones fare as the others do.
    since = incident.served_since(healthy)
    usual, now = _errors(since.take(_inside(incident, since))), _errors(new)
    spread = np.hypot(usual.std() / len(usual) ** 0.5, now.std() / len(now) ** 0.5)
    assert abs(usual.mean() - now.mean()) < 4 * spread
    shares = [_inside(incident, incident.served_since(one)).mean() for one in (healthy, traffic)]
    assert shares[1] > 1.5 * shares[0]
    metric_falls(incident)
    assert "gateway.requests_per_minute" in traced_metrics(incident)
    assert not traced_lines(incident)


def test_regions_hold_about_the_share_asked_for():
    service, rng = service_of("credit"), np.random.default_rng(8)
    shares = [a_region(service, rng, 0.3).holds(service.past.columns).mean() for _ in range(30)]
    assert min(shares) > 0.14
    assert max(shares) < 0.7


def test_a_region_is_told_as_it_holds():
    columns = {"x": np.array([1.0, 2.0, np.nan]), "c": np.array(["a", None, "b"], object)}
    assert Region("x", low=2).holds(columns).tolist() == [False, True, False]
    assert Region("x", high=1).holds(columns).tolist() == [True, False, False]
    assert Region("c", value="a").holds(columns).tolist() == [True, False, False]
    assert [str(one) for one in (Region("x", low=2), Region("x", high=1), Region("c", value="a"))] == [
        "x >= 2",
        "x <= 1",
        "c = a",
    ]


def test_harder_regions_come_with_what_the_metric_loses():
    service = service_of("credit")
    found = harder_regions(service, 0.15, times=4)
    lost = [worse for _, worse in found]
    assert lost == sorted(lost, reverse=True)
    assert lost[0] > 0 > lost[-1]


@pytest.mark.parametrize("case", cases("W2"))
def test_like_inputs_come_out_otherwise_in_one_region_and_are_answered_as_before(case):
    incident = incident_of(*case)
    base, fault = incident.service.base, fault_of(incident)
    traffic, healthy = incident.traffic, incident.healthy
    assert np.array_equal(traffic.ids, healthy.ids)
    for name, column in healthy.served.items():
        assert not changed(column, traffic.served[name]).any()
    assert np.array_equal(traffic.score, healthy.score)
    turned = traffic.y != healthy.y
    where = hits(incident) & _inside(incident, traffic)
    assert turned.any()
    assert not turned[~where].any()
    more = fault.parameters["outcomes"] == "more"
    if base.task == "binary":
        open_to_it = where & (healthy.y == (0 if more else 1))
        assert (traffic.y[turned] == float(more)).all()
        assert turned[open_to_it].mean() == pytest.approx(fault.parameters["amount"], abs=0.06)
    else:
        by = 1 + fault.parameters["amount"]
        np.testing.assert_allclose(traffic.y[where], healthy.y[where] * (by if more else 1 / by))
    known = ~np.isnan(healthy.label)
    assert np.array_equal(traffic.label[known & turned], traffic.y[known & turned])
    assert np.array_equal(np.isnan(traffic.label), ~known)
    metric_falls(incident)
    assert not len(traced_metrics(incident))
    assert fault.traces.change is None


@pytest.mark.parametrize("case", cases("W3"))
def test_a_season_did_the_same_to_the_same_weeks_of_the_year_before(case):
    incident = incident_of(*case)
    base, stretch = incident.service.base, incident.stretch
    traffic, healthy = incident.traffic, incident.healthy
    earlier = stretch.year_before()
    assert (stretch.holds(traffic.at) ^ earlier.holds(traffic.at)).all()
    assert len(set(traffic.ids)) == len(traffic)
    (name,) = fault_of(incident).features
    turned = (traffic.y != healthy.y) | changed(traffic.served[name], healthy.served[name])
    onset = incident.onset.timestamp()
    season = (traffic.at >= onset) | (earlier.holds(traffic.at) & (traffic.at >= onset - YEAR.total_seconds()))
    assert not turned[~season].any()
    falls = []
    for weeks in (stretch, earlier):
        inside = weeks.holds(traffic.at)
        figures = [measured(traffic.take(inside & one), base, incident.metric) for one in (~season, season)]
        falls.append(figures[0] - figures[1])
        assert turned[inside & season].mean() > 0.1
    now, then = np.abs(falls)
    assert now == pytest.approx(then, rel=0.4)
    assert np.sign(falls[0]) == np.sign(falls[1])
    metric_falls(incident)
    assert list(traced_metrics(incident)) == ["gateway.requests_per_minute"]


@pytest.mark.parametrize("base", BASES)
def test_a_season_needs_a_base_that_reaches_back_a_year(base):
    starts = BASES[base].starts
    assert not KINDS["W3"].suits(BASES[base]) or any(one - YEAR in starts for one in starts)


@pytest.mark.parametrize("case", cases("W4"))
def test_some_positives_give_figures_with_which_they_just_pass(case):
    incident = incident_of(*case)
    fault, threshold = fault_of(incident), incident.service.base.threshold
    traffic, healthy = incident.traffic, incident.healthy
    gamed = np.zeros(len(traffic), bool)
    for name, column in healthy.served.items():
        differs = changed(column, traffic.served[name])
        assert name in fault.features or not differs.any()
        gamed |= differs
    assert gamed.any()
    assert not gamed[~hits(incident)].any()
    assert (healthy.y[gamed] == 1).all()
    assert (healthy.score[gamed] >= threshold).all()
    assert (traffic.score[gamed] < threshold).all()
    assert np.array_equal(traffic.label, healthy.label, equal_nan=True)
    # They bunch: just under the threshold there are far more positives than there were.
    since = [one.take((one.at >= incident.onset.timestamp()) & (one.y == 1)) for one in (healthy, traffic)]
    before, now = (int(((one.score >= 0.8 * threshold) & (one.score < threshold)).sum()) for one in since)
    assert now > 2 * before
    metric_falls(incident)
    assert list(traced_metrics(incident)) == ["gateway.requests_per_minute"]
    assert fault.traces.change is None or fault.traces.change.kind == "product"


@pytest.mark.parametrize("case", cases("W5"))
def test_a_product_changes_inputs_and_outcomes_on_its_surface_and_nowhere_else(case):
    incident = incident_of(*case)
    fault = fault_of(incident)
    traffic, healthy, hit = incident.traffic, incident.healthy, hits(incident)
    ((column, surface),) = fault.scope.items()
    assert (traffic.columns[column][hit] == surface).all()
    (name,) = fault.features
    for one, usual in healthy.served.items():
        differs = changed(usual, traffic.served[one])
        assert not (differs & ~hit).any()
        assert differs.any() == (one == name)
    turned = traffic.y != healthy.y
    assert turned.any()
    assert not turned[~hit].any()
    # The difference of the differences is the surface's own.
    there = hit & ~missing(healthy.served[name])
    assert traffic.served[name][there].mean() > healthy.served[name][there].mean()
    rose = traffic.y[hit].mean() > healthy.y[hit].mean()
    assert rose == (fault.parameters["outcomes"] == "more")
    metric_falls(incident)
    change_precedes(incident)
    assert fault.traces.change.kind == "product"
    assert surface in fault.traces.change.summary


@pytest.mark.parametrize("kind", ["W1", "W4"])
def test_the_same_seed_gives_the_same_world(kind):
    one, again = incident_of(kind, "credit", 1), played(kind, "credit", 1)
    assert acting_in(one).course == acting_in(again).course
    assert np.array_equal(one.traffic.ids, again.traffic.ids)
    assert np.array_equal(one.traffic.score, again.traffic.score)
