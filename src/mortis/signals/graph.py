"""Who calls whom, and the walk from a symptom to what lies behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mortis.telemetry import MetricSeries

LEAST_MATCH = 0.5
SEPARATORS = "._-:/ "


@dataclass(frozen=True, slots=True)
class CallGraph:
    """The services that each service calls."""

    callees: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, edges: Iterable[tuple[str, str]]) -> CallGraph:
        """The graph of (caller, callee) pairs; calls to oneself are left out.

        >>> CallGraph.of([("web", "search"), ("search", "search")]).callees["search"]
        frozenset()
        """
        callees: dict[str, set[str]] = {}
        for caller, callee in edges:
            callees.setdefault(callee, set())
            callees.setdefault(caller, set()).update({callee} - {caller})
        return cls({node: frozenset(called) for node, called in callees.items()})

    def behind(self, node: str, among: Iterable[str] | None = None) -> dict[str, tuple[str, ...]]:
        """What a node calls, at first or at last hand, each with the shortest path there from it.

        `among` are the nodes that may be passed and reached, all where left out.

        >>> CallGraph.of([("web", "search"), ("search", "db"), ("web", "db")]).behind("web")
        {'db': ('web', 'db'), 'search': ('web', 'search')}
        """
        allowed = set(self.callees if among is None else among) - {node}
        paths: dict[str, tuple[str, ...]] = {node: (node,)}
        edge = [node]
        while edge:
            found = {
                callee: (*paths[caller], callee)
                for caller in edge
                for callee in sorted(self.callees.get(caller, frozenset()) & allowed)
                if callee not in paths
            }
            edge = sorted(found)
            paths |= {callee: found[callee] for callee in edge}
        return {reached: path for reached, path in paths.items() if reached != node}


@dataclass(frozen=True, slots=True)
class Moved:
    """A node of which a series moved together with the symptom.

    `match` is how alike the two courses are (a correlation, 0..1), `sure` how surely it moved (0..1), `series` the
    series that matches best, `title` that series' name.
    """

    node: str
    match: float
    sure: float
    title: str

    @property
    def weight(self) -> float:
        """What the node counts for."""
        return self.match * self.sure


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node behind the symptom that may be where the failure begins.

    `path` leads there from the symptom; `explains` are the nodes that moved too and call it, at first or at last hand;
    `rank` orders the candidates.
    """

    node: str
    rank: float
    match: float
    series: str
    path: tuple[str, ...]
    explains: tuple[str, ...]
    reason: str


def node_of(one: MetricSeries, nodes: Iterable[str]) -> str | None:
    """The node of the graph that a series belongs to: the one that a label names, else the one its name begins with.

    >>> import numpy as np
    >>> empty = np.zeros(0, dtype=np.int64), np.zeros(0)
    >>> node_of(MetricSeries("latency", *empty, {"service": "search", "unit": "ms"}), ["search", "web"])
    'search'
    >>> node_of(MetricSeries("search-db_latency", *empty), ["search", "search-db"])
    'search-db'
    """
    known = nodes if isinstance(nodes, set | frozenset | Mapping) else set(nodes)
    for _, value in sorted(one.labels.items()):
        if value in known:
            return value
    cuts = [at for at, letter in enumerate(one.name) if letter in SEPARATORS]
    return next((one.name[:at] for at in reversed(cuts) if one.name[:at] in known), None)


def walk(graph: CallGraph, symptom: str, moved: Iterable[Moved]) -> tuple[Candidate, ...]:
    """The nodes behind the symptom that moved together with it, the likeliest beginning of the failure first.

    Only nodes that moved are walked through. A node ranks by its own weight (how alike its course is to the symptom's,
    and how surely it moved) times the weight of what it explains: itself, the symptom, and every node that moved too
    and calls it through such nodes. So of two nodes that moved alike, the one further down ranks first.

    >>> graph = CallGraph.of([("web", "search"), ("search", "db"), ("web", "mail")])
    >>> moved = [Moved(node, match, 1.0, "") for node, match in (("search", 0.9), ("db", 0.9), ("mail", 0.6))]
    >>> [(one.node, round(one.rank, 2)) for one in walk(graph, "web", moved)]
    [('db', 2.52), ('search', 1.71), ('mail', 0.96)]

    Source: the walk from the symptom through anomalous callees is that of Kim, Sumbaly and Shah (2013) and their
    followers in its plainest form; the ranking by what a node explains is Mortis' own.
    """
    alike = {one.node: one for one in moved if one.match >= LEAST_MATCH and one.node != symptom}
    weights = {symptom: 1.0} | {node: one.weight for node, one in alike.items()}
    upstream = {node: set(graph.behind(node, weights)) for node in weights}
    candidates = []
    for node, path in graph.behind(symptom, weights).items():
        callers = sorted(caller for caller, reached in upstream.items() if node in reached)
        explained = weights[node] + sum(weights[caller] for caller in callers)
        candidates.append(_candidate(alike[node], weights[node] * explained, path, callers))
    return tuple(sorted(candidates, key=lambda one: (-one.rank, -len(one.path), one.node)))


def _candidate(one: Moved, rank: float, path: tuple[str, ...], callers: list[str]) -> Candidate:
    called = (
        " and ".join((", ".join(callers[:3]), f"{len(callers) - 3} more")) if len(callers) > 3 else ", ".join(callers)
    )
    reason = f"{one.title} moved with the symptom (correlation {one.match:.2f}); called by {called}, which moved too"
    return Candidate(one.node, rank, one.match, one.title, path, tuple(callers), reason)
