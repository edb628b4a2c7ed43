"""What a made incident shows on its raw tables, beside the same weeks without its faults."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np

from mortis.lab.around.changes import Recorded, brought
from mortis.lab.around.logs import Line, Traced, lines_of
from mortis.lab.around.metrics import series_of
from mortis.lab.course import Course
from mortis.lab.kinds.kind import Planted, Severity
from mortis.lab.making import Incident, played
from mortis.lab.measuring import measured, worse_by
from mortis.lab.traffic import Bools, Column, Floats, Traffic


@cache
def incident_of(kind: str, seed: int = 1, severity: Severity = 2, base: str = "credit") -> Incident:
    """An incident of one kind, made once for all tests."""
    return played(kind, base, seed, severity=severity)


def fault_of(incident: Incident) -> Planted:
    """Its one fault."""
    (acting,) = incident.acting
    return acting.fault


def course_of(incident: Incident) -> Course:
    """When its one fault is there."""
    (acting,) = incident.acting
    return acting.course


def hit_in(incident: Incident) -> Bools:
    """Which requests (n,) its one fault hits."""
    (acting,) = incident.acting
    return acting.hits(incident.traffic)


def same(one: Column, other: Column) -> Bools:
    """Where two columns (n,) hold the same, missing values included."""
    if one.dtype == object:
        return np.asarray(one == other, dtype=bool)
    return np.asarray((one == other) | (np.isnan(one) & np.isnan(other)), dtype=bool)


_ANSWERS = ("at", "y", "label", "labelled", "version", "served_by", "score", "prediction", "latency_ms", "ids")


def columns_of(traffic: Traffic) -> dict[str, Column]:
    """Every column by a name: the true features, the served ones under "served: x", and what was answered."""
    named: dict[str, Column] = {name: np.asarray(getattr(traffic, name)) for name in _ANSWERS}
    named |= {f"served: {name}": column for name, column in traffic.served.items()}
    return named | {f"asked: {name}": column for name, column in traffic.columns.items()}


def changed(incident: Incident) -> dict[str, Bools]:
    """For each column that the fault changed, in which rows (n,); both runs must hold the same rows."""
    with_fault, without = columns_of(incident.traffic), columns_of(incident.healthy)
    differ = {name: ~same(column, without[name]) for name, column in with_fault.items()}
    return {name: rows for name, rows in differ.items() if rows.any()}


def only_hit(incident: Incident) -> bool:
    """Whether no row differs that is not hit, and hits are where the fault's scope is and since its onset."""
    hit = hit_in(incident)
    assert hit.any()
    assert incident.traffic.at[hit].min() >= incident.onset.timestamp()
    for name, value in fault_of(incident).scope.items():
        assert set(incident.traffic.columns[name][hit]) == {value}
    return all(not (rows & ~hit).any() for rows in changed(incident).values())


def fell(incident: Incident) -> float:
    """By how much the metric is worse since the onset than in the weeks before, in its own unit."""
    base, metric = incident.service.base, incident.metric
    after, before = (
        measured(incident.known(one), base, metric)
        for one in (incident.served_since(incident.traffic), incident.before(incident.traffic))
    )
    return float(worse_by(metric, before, after))


def series_with(incident: Incident) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """The system metrics with the fault's traces, and the same without them."""
    traces = [(trace, one.course) for one in incident.acting for trace in one.fault.traces.metrics]
    with_fault, without = (
        series_of(incident.stretch, some, (), np.random.default_rng(incident.seed)) for some in (traces, [])
    )
    return with_fault, without


def moved(incident: Incident) -> dict[str, float]:
    """For each metric that the fault moved, by what factor while it is there; nothing may move before the onset."""
    with_fault, without = series_with(incident)
    there = course_of(incident).strength(with_fault["time"]) > 0.9
    early = with_fault["time"] < incident.onset.timestamp()
    found = {}
    for name, values in with_fault.items():
        assert np.array_equal(values[early], without[name][early])
        if not np.array_equal(values, without[name]):
            found[name] = float(values[there].mean() / without[name][there].mean())
    return found


def lines_with(incident: Incident) -> list[Line]:
    """The log lines that only the fault brings."""
    traced = [Traced(trace, one.hits(incident.traffic)) for one in incident.acting for trace in one.fault.traces.logs]
    with_fault, without = (
        lines_of(incident.traffic, some, (), (), np.random.default_rng(incident.seed)) for some in (traced, [])
    )
    return list((Counter(with_fault) - Counter(without)).elements())


def record_of(incident: Incident) -> Recorded:
    """The record of the change that brought the fault."""
    change = fault_of(incident).traces.change
    assert change is not None
    found = brought(change, incident.onset, fault_of(incident).scope, 0, np.random.default_rng(incident.seed))
    assert 0 < incident.onset.timestamp() - found.at < 3600
    return found
