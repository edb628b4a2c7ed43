"""Which nodes behind a symptom moved together with it, further than in healthy stretches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mortis.profiles import Floats
from mortis.signals.course import course_of, interval
from mortis.signals.gate import seldom_exceeded
from mortis.signals.graph import CallGraph, Candidate, Moved, node_of, walk
from mortis.signals.moves import Moves
from mortis.signals.symptom import Symptom

ENOUGH_STRETCHES = 19  # as many as tell one in twenty
LEAST_TOGETHER = 0.5  # of the furthest healthy stretch of each, as the symptom and a node bear each other out
LEAST_TOGETHER_OF_FEW = 1.0
FEWEST_BUCKETS = 5


def find_suspects(moves: Moves, graph: CallGraph, symptom: Symptom) -> tuple[tuple[Candidate, ...], str]:
    """The candidates of the walk, likeliest first, and where there are none the reason.

    A node moved together with the symptom where both went as far at once as they did in at most one healthy stretch of
    twenty, for any node behind the symptom. The walk then goes through the nodes that did: see `mortis.signals.graph`.

    Source: conformal prediction (Vovk and others 2005), the score being the smaller of the two.
    """
    if symptom.node is None:
        return (), "the symptom's series belongs to no node of the call graph"
    own = moves.of_series(symptom.series)
    if not own:
        return (), "none of the symptom's series could be judged"
    nodes = _by_node(moves, graph)
    behind = [nodes[name] for name in graph.behind(symptom.node) if name in nodes]
    if not behind:
        return (), f"no node that {symptom.node} calls has a series whose name tells which way is worse"
    needed = _needed(moves, own, behind)
    went = moves.went(own[0])
    if went < needed:
        return (), f"the symptom went {went:.2g} times as far as in any healthy stretch, where {needed:.2g} is needed"
    moved = [_moved(moves, name, places, own[0], needed) for name, places in nodes.items() if name != symptom.node]
    found = walk(graph, symptom.node, [one for one in moved if one])
    return found, "" if found else f"nothing that {symptom.node} calls moved together with it"


def _by_node(moves: Moves, graph: CallGraph) -> dict[str, list[int]]:
    """The places of the shifts of each node's series whose names tell the direction of harm.

    Load goes down from callers to the called, slowness and errors come up: so traffic, which may be worse either way,
    is no sign of a node's own failing.
    """
    found: dict[str, list[int]] = {}
    for at, shift in enumerate(moves.shifts):
        node = node_of(moves.series[shift.index], graph.callees) if shift.harm else None
        if node is not None:
            found.setdefault(node, []).append(at)
    return {node: found[node] for node in sorted(found)}


def _needed(moves: Moves, own: Sequence[int], behind: Iterable[Sequence[int]]) -> float:
    """How far the symptom and a node behind it must both go, in multiples of their furthest healthy stretches."""
    healthy = moves.gate.healthy
    symptom = healthy[list(own)].max(axis=0)
    both = np.max([np.minimum(symptom, healthy[list(places)].max(axis=0)) for places in behind], axis=0)
    least = LEAST_TOGETHER if len(both) >= ENOUGH_STRETCHES else LEAST_TOGETHER_OF_FEW
    return max(seldom_exceeded(both), least)


def _moved(moves: Moves, node: str, places: Sequence[int], symptom: int, needed: float) -> Moved | None:
    """How a node moved with the symptom; None where it didn't move far enough."""
    far = [at for at in places if moves.went(at) >= needed]
    if not far:
        return None
    match, best = max(((_match(moves, at, symptom), at) for at in far), key=lambda pair: (pair[0], -pair[1]))
    sure = max(moves.went(at) / float(moves.gate.margins[at]) for at in far)
    return Moved(node, match, min(1.0, sure), moves.title(best))


def _match(moves: Moves, at: int, symptom: int) -> float:
    """How alike two shifts' courses are around the incident: Pearson's correlation of their badness, 0 at least."""
    shifts = moves.shifts[at], moves.shifts[symptom]
    step = max(interval(moves.series[shift.index].seconds) for shift in shifts)
    bad = []
    for shift in shifts:
        course = course_of(moves.series[shift.index], baseline=moves.baseline, incident=moves.incident, step=step)
        if course is None:
            return 0.0
        # As much before the incident as in it: a longer calm would make everything alike.
        bad.append(course.badness(shift.direction)[max(0, 2 * course.incident - len(course.starts)) :])
    return _correlation(*bad)


def _correlation(a: Floats, b: Floats) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < FEWEST_BUCKETS or not np.ptp(a) > 0 or not np.ptp(b) > 0:
        return 0.0
    return max(0.0, float(np.corrcoef(a, b)[0, 1]))
