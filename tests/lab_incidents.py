"""What the tests of the lab's kinds of fault ask alike of the raw tables of an incident."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from mortis.lab.around.changes import LEAD, brought
from mortis.lab.around.logs import Traced, lines_of
from mortis.lab.around.metrics import series_of
from mortis.lab.bases import BASES
from mortis.lab.kinds import KINDS, Planted
from mortis.lab.making import Acting, Incident, played
from mortis.lab.traffic import Bools, Column, missing

SEEDS = (1, 2)


@cache
def incident_of(kind: str, base: str, seed: int) -> Incident:
    return played(kind, base, seed)


def cases(*kinds: str) -> list[tuple[str, str, int]]:
    """Each kind on the loans with each seed, and once on another base that suits it."""
    found = []
    for place, kind in enumerate(kinds):
        found += [(kind, "credit", seed) for seed in SEEDS if KINDS[kind].suits(BASES["credit"])]
        others = [name for name, base in BASES.items() if name != "credit" and KINDS[kind].suits(base)]
        found += [(kind, others[place % len(others)], 3)] if others else []
    return found


def acting_in(incident: Incident) -> Acting:
    (one,) = incident.acting
    return one


def fault_of(incident: Incident) -> Planted:
    return acting_in(incident).fault


def hits(incident: Incident) -> Bools:
    return acting_in(incident).hits(incident.traffic)


def changed(before: Column, after: Column) -> Bools:
    """Where two columns (n,) have other values; a missing one is like a missing one."""
    return np.asarray(~((before == after) | (missing(before) & missing(after))), dtype=bool)


def only_served_differs(incident: Incident) -> None:
    """Rows that are hit differ in the features that the fault names; of the others nothing does, nor does the world."""
    traffic, healthy, hit = incident.traffic, incident.healthy, hits(incident)
    assert 0 < hit.sum() < len(hit)
    assert np.array_equal(traffic.ids, healthy.ids)
    assert np.array_equal(traffic.at, healthy.at)
    assert np.array_equal(traffic.label, healthy.label, equal_nan=True)
    for name, usual in healthy.served.items():
        differs = changed(usual, traffic.served[name])
        if name in fault_of(incident).features:
            assert differs.any(), f"{name} is as ever"
            assert not differs[~hit].any(), f"{name} differs where nothing is hit"
        else:
            assert not differs.any(), f"{name} differs too"
    assert not changed(healthy.score, traffic.score)[~hit].any()
    assert not changed(healthy.prediction, traffic.prediction)[~hit].any()


def metric_falls(incident: Incident) -> None:
    assert incident.fall > 0


def traced_metrics(incident: Incident) -> NDArray[np.str_]:
    """The metrics that differ from what they would be: from the onset on, never before."""
    acting, stretch = acting_in(incident), incident.stretch
    traces = [(one, acting.course) for one in acting.fault.traces.metrics]
    with_fault = series_of(stretch, traces, (), np.random.default_rng(5))
    without = series_of(stretch, (), (), np.random.default_rng(5))
    before = with_fault["time"] < acting.course.onset.timestamp()
    moved = [name for name, values in with_fault.items() if not np.array_equal(values, without[name])]
    assert not any((with_fault[name] != without[name])[before].any() for name in moved)
    return np.array(sorted(moved))


def traced_lines(incident: Incident) -> list[str]:
    """The messages that only the fault brings into the log: of requests that were hit, since the onset."""
    acting = acting_in(incident)
    hit = hits(incident)
    traced = [Traced(one, hit) for one in acting.fault.traces.logs]
    usual = set(lines_of(incident.traffic, (), (), (), np.random.default_rng(5)))
    lines = [one for one in lines_of(incident.traffic, traced, (), (), np.random.default_rng(5)) if one not in usual]
    times = set(incident.traffic.at[hit].tolist())
    assert all(line.at >= acting.course.onset.timestamp() and line.at in times for line in lines)
    assert {line.service for line in lines} == {one.service for one in acting.fault.traces.logs}
    return [line.message for line in lines]


def change_precedes(incident: Incident) -> None:
    """The change that brought it lies some minutes before the onset."""
    acting = acting_in(incident)
    change = acting.fault.traces.change
    assert change is not None
    record = brought(change, acting.course.onset, acting.fault.scope, 0, np.random.default_rng(5))
    assert LEAD[0] * 60 <= acting.course.onset.timestamp() - record.at <= LEAD[1] * 60
