"""Step 2's answer on metric series: which moved, in which order, and where in the call graph the failure begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mortis.problems import InputProblem, listed, near
from mortis.profiles import Floats
from mortis.records import Onset, Signal, Window
from mortis.signals.course import course_of, interval
from mortis.signals.gate import MOST_Q, Gate, judge, seldom_exceeded
from mortis.signals.graph import CallGraph, Candidate, Moved, node_of, walk
from mortis.signals.order import Began, begin_of, order_of
from mortis.signals.shift import Measured, Shift, Stretches, Unjudged, measure_shifts
from mortis.telemetry import MetricSeries

MOST_ONSETS = 50
ENOUGH_STRETCHES = 19
LEAST_TOGETHER = 0.5  # of the furthest healthy stretch of each, as the symptom and a node bear each other out
LEAST_TOGETHER_OF_FEW = 1.0


@dataclass(frozen=True, slots=True)
class SignalsFound:
    """The series that moved, furthest first, and the candidates of the walk, likeliest first.

    `unjudged` are the series that could not be judged, `stretches` how many healthy stretches there were to compare
    with, `alarms` in how many of them something would have been named. `no_candidates` says why there are none;
    `statement` sums up what was looked at.
    """

    signals: tuple[Signal, ...]
    candidates: tuple[Candidate, ...]
    no_candidates: str
    unjudged: tuple[Unjudged, ...]
    looked_at: int
    stretches: int
    alarms: int
    statement: str


def find_signals(
    series: Sequence[MetricSeries],
    *,
    baseline: Window,
    incident: Window,
    onset: Onset | None = None,
    graph: CallGraph | None = None,
    symptom: str | None = None,
) -> SignalsFound:
    """The series that moved in the incident, what each did when, and the nodes behind the symptom that moved with it.

    A series counts as moved where it left its baseline further than healthy stretches of the same length do, by the
    rule of `mortis.signals.gate.judge`. `onset` is the failure's; without it a signal's order is told against the onset
    of the symptom's own series, or without these against the incident window. `symptom` is a series (its title, or its
    name where one series has it) or a node of the graph. With both, the graph is walked: see `mortis.signals.graph`.

    Raises ValueError where the baseline doesn't end before the incident, InputProblem where the symptom is unknown.

    >>> from datetime import UTC, datetime
    >>> day = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 8, 9)]
    >>> seconds = int(day[0].timestamp()) + np.arange(192) * 3600
    >>> calm = np.random.default_rng(0).normal(50, 5, 192)
    >>> rising = MetricSeries("cpu", seconds, calm + 40 * (np.arange(192) >= 175))
    >>> still = MetricSeries("memory", seconds, calm[::-1].copy())
    >>> found = find_signals([rising, still], baseline=Window(*day[:2]), incident=Window(*day[1:]))
    >>> [(one.name, one.direction, one.onset.isoformat()) for one in found.signals]
    [('cpu', 'up', '2024-01-08T07:00:00+00:00')]
    """
    if baseline.end > incident.start:
        raise ValueError(f"the baseline {baseline} must end before the incident {incident} starts")
    search = _Search.of(series, baseline, incident)
    shown = search.symptom(symptom, graph) if symptom is not None else ()
    began = search.begins(shown)
    failure = _failure(search, shown, began, onset)
    signals = tuple(_signal(search, at, began.get(at), failure) for at in search.named)
    candidates, why_not = _candidates(search, graph, symptom, shown)
    return SignalsFound(
        signals=signals,
        candidates=candidates,
        no_candidates=why_not,
        unjudged=search.measured.unjudged,
        looked_at=len(series),
        stretches=search.gate.stretches,
        alarms=search.gate.alarms,
        statement=_statement(search),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What the search has learned: the measured shifts, how they were judged, and the places of those named."""

    series: Sequence[MetricSeries]
    baseline: Window
    incident: Window
    measured: Measured
    gate: Gate
    named: tuple[int, ...]

    @classmethod
    def of(cls, series: Sequence[MetricSeries], baseline: Window, incident: Window) -> _Search:
        measured = measure_shifts(series, baseline=baseline, incident=incident)
        gate = judge(measured.shifts)
        return cls(series, baseline, incident, measured, gate, _named(series, measured.shifts, gate))

    def shift(self, at: int) -> Shift:
        return self.measured.shifts[at]

    def of_series(self, indices: Sequence[int]) -> list[int]:
        """The places of the shifts of some series, the furthest gone first."""
        wanted = set(indices)
        places = [at for at, shift in enumerate(self.measured.shifts) if shift.index in wanted]
        return sorted(places, key=lambda at: (-float(self.gate.times[at]), self.series[self.shift(at).index].title))

    def begins(self, shown: Sequence[int]) -> dict[int, Began | None]:
        """When the furthest moved series began to, by the places of their shifts, and the symptom's furthest."""
        places = {*self.named[:MOST_ONSETS], *self.of_series(shown)[:1]}
        return {at: self.begin(self.shift(at)) for at in sorted(places)}

    def begin(self, shift: Shift) -> Began | None:
        one = self.series[shift.index]
        return begin_of(one, shift.direction, baseline=self.baseline, incident=self.incident)

    def symptom(self, symptom: str, graph: CallGraph | None) -> tuple[int, ...]:
        """The series that show the symptom: those of its name on the same node, or all of a node."""
        titles = [one.title for one in self.series]
        if symptom in titles:
            one = self.series[titles.index(symptom)]
            node = node_of(one, graph.callees) if graph else None
            return tuple(
                at
                for at, other in enumerate(self.series)
                if titles[at] == symptom
                or (node is not None and other.name == one.name and graph and node_of(other, graph.callees) == node)
            )
        by_name = tuple(at for at, other in enumerate(self.series) if other.name == symptom)
        if len(by_name) == 1:
            return by_name
        if graph and symptom in graph.callees:
            return tuple(at for at, other in enumerate(self.series) if node_of(other, graph.callees) == symptom)
        raise _unknown(symptom, [titles[at] for at in by_name], [*titles, *(graph.callees if graph else ())])


def _unknown(symptom: str, named: Sequence[str], known: Sequence[str]) -> InputProblem:
    if named:
        return InputProblem(f"symptom: {len(named)} series are named {symptom!r}; state one of: {listed(named)}")
    hint = near(symptom, known) or f"; there are: {listed(known)}"
    return InputProblem(f"symptom: {symptom!r} is neither a series nor a node of the graph{hint}")


def _named(series: Sequence[MetricSeries], shifts: Sequence[Shift], gate: Gate) -> tuple[int, ...]:
    """The places of the shifts that are named, furthest first; of a series that may go both ways, the further one."""
    best: dict[int, int] = {}
    for at in np.flatnonzero(gate.named).tolist():
        index = shifts[at].index
        if index not in best or gate.times[at] > gate.times[best[index]]:
            best[index] = at
    return tuple(sorted(best.values(), key=lambda at: (-shifts[at].score, series[shifts[at].index].title)))


def _failure(search: _Search, shown: Sequence[int], began: dict[int, Began | None], onset: Onset | None) -> Began:
    """The interval in which the failure began, as far as it is known."""
    if onset is not None:
        return Began(onset.best, onset.low, onset.high)
    places = search.of_series(shown)
    own = began.get(places[0]) if places else None
    return own or Began(search.incident.start, search.incident.start, search.incident.end)


def _signal(search: _Search, at: int, began: Began | None, failure: Began) -> Signal:
    shift = search.shift(at)
    return Signal(
        name=search.series[shift.index].title,
        score=shift.score,
        onset=began.best if began else None,
        direction=shift.direction,
        order=order_of(began, failure),
        statement=_moved_by(shift, search.gate),
        onset_low=began.low if began else None,
        onset_high=began.high if began else None,
        usual=shift.usual,
        harm=shift.harm,
        n=shift.points,
    )


def _moved_by(shift: Shift, gate: Gate) -> str:
    known = int(np.isfinite(shift.healthy).sum())
    return (
        f"from {shift.center:.4g} (baseline's median) to {shift.level:.4g} (median of the worst {shift.taken} of "
        f"{shift.points} points): {shift.score:.3g} times the usual spread; {known} healthy stretches reach {shift.usual:.3g}"
    )


def _candidates(
    search: _Search, graph: CallGraph | None, symptom: str | None, shown: Sequence[int]
) -> tuple[tuple[Candidate, ...], str]:
    """The candidates of the walk, or why there are none."""
    if graph is None or symptom is None:
        return (), f"no {'call graph' if graph is None else 'symptom'} was stated"
    nodes = _by_node(search, graph)
    node = symptom if symptom in graph.callees else node_of(search.series[shown[0]], graph.callees)
    at_symptom = search.of_series(shown)
    if node is None:
        return (), f"the series {symptom} belongs to no node of the graph"
    if not at_symptom:
        return (), f"no series of the symptom {symptom} could be judged"
    behind = {name: places for name, places in nodes.items() if name in graph.behind(node)}
    if not behind:
        return (), f"no series belongs to a node that {node} calls and tells by its name which way is worse"
    needed = _needed(search, at_symptom, behind.values())
    times = _times(search, at_symptom)
    if times < needed:
        far = f"{times:.2g} times as far as in any healthy stretch" if times > 0 else "no further than chance allows"
        return (), f"the symptom's own series went {far}, where {needed:.2g} times is needed"
    moved = [_moved(search, name, places, at_symptom[0], needed) for name, places in nodes.items() if name != node]
    found = walk(graph, node, [one for one in moved if one])
    return found, "" if found else f"nothing that {node} calls moved together with it"


def _by_node(search: _Search, graph: CallGraph) -> dict[str, list[int]]:
    """The places of the shifts of each node's series whose names tell the direction of harm.

    Load goes down from callers to the called, slowness and errors come up: so traffic, which may be worse either way,
    is no sign of a node's own failing.
    """
    found: dict[str, list[int]] = {}
    for at, shift in enumerate(search.measured.shifts):
        node = node_of(search.series[shift.index], graph.callees) if shift.harm else None
        if node is not None:
            found.setdefault(node, []).append(at)
    return {node: found[node] for node in sorted(found)}


def _times(search: _Search, places: Sequence[int]) -> float:
    """How far the furthest of some shifts went, zero where chance may have moved it."""
    return max(float(search.gate.times[at]) if search.gate.q[at] <= MOST_Q else 0.0 for at in places)


def _needed(search: _Search, at_symptom: Sequence[int], behind: Sequence[Sequence[int]]) -> float:
    """How far the symptom and a node behind it must both go: as far as in one healthy stretch of twenty at most."""
    healthy = search.gate.healthy
    own = healthy[list(at_symptom)].max(axis=0)
    both = np.max([np.minimum(own, healthy[list(places)].max(axis=0)) for places in behind], axis=0)
    least = LEAST_TOGETHER if len(both) >= ENOUGH_STRETCHES else LEAST_TOGETHER_OF_FEW
    return max(seldom_exceeded(both), least)


def _moved(search: _Search, node: str, places: Sequence[int], symptom: int, needed: float) -> Moved | None:
    """How a node moved with the symptom; None where it didn't move far enough."""
    times = _times(search, places)
    if times < needed:
        return None
    far = [at for at in places if search.gate.times[at] >= needed]
    match, best = max(((_match(search, at, symptom), at) for at in far), key=lambda pair: (pair[0], -pair[1]))
    title = search.series[search.shift(best).index].title
    sure = max(float(search.gate.times[at] / search.gate.margins[at]) for at in far)
    return Moved(node, match, min(1.0, sure), title)


def _match(search: _Search, at: int, symptom: int) -> float:
    """How alike the courses of two shifts are around the incident: Pearson's correlation of their badness, 0 at least."""
    shifts = (search.shift(at), search.shift(symptom))
    step = max(interval(search.series[shift.index].seconds) for shift in shifts)
    windows = {"baseline": search.baseline, "incident": search.incident}
    courses = [course_of(search.series[shift.index], **windows, step=step) for shift in shifts]
    one, other = courses
    if one is None or other is None:
        return 0.0
    a, b = (course.badness(shift.direction) for course, shift in zip((one, other), shifts, strict=True))
    # As much before the incident as in it: a longer calm would make everything alike.
    first = max(0, 2 * one.incident - len(one.starts))
    return _correlation(a[first:], b[first:])


def _correlation(a: Floats, b: Floats) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < 5 or not np.ptp(a) > 0 or not np.ptp(b) > 0:
        return 0.0
    return max(0.0, float(np.corrcoef(a, b)[0, 1]))


def _statement(search: _Search) -> str:
    total, left_out, gate = len(search.series), len(search.measured.unjudged), search.gate
    parts = [f"{len(search.named)} of {total - left_out} series moved"]
    if left_out:
        parts.append(f"{left_out} more could not be judged")
    if gate.stretches:
        parts.append(_compared(search.measured.stretches, gate))
    if len(search.named) > MOST_ONSETS:
        parts.append(f"when they began was asked of the {MOST_ONSETS} furthest")
    return "; ".join(parts)


def _compared(stretches: Stretches, gate: Gate) -> str:
    hours = stretches.length / 3600
    clock = ", each at the incident's time of day" if stretches.by_clock else ""
    low, high = float(gate.margins.min()), float(gate.margins.max())
    times = f"{low:.3g} times" if high < 1.005 * low else f"{low:.3g} to {high:.3g} times"
    return (
        f"a series must go {times} as far as in any of the {gate.stretches} healthy stretches of {hours:.3g} h that it was "
        f"compared with{clock}; in {gate.alarms} of these, something would have been named"
    )
