"""What the user calls the symptom, among the series and the nodes of the call graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mortis.problems import InputProblem, listed, near
from mortis.signals.direction import harm_of
from mortis.signals.graph import CallGraph, node_of
from mortis.telemetry import MetricSeries


@dataclass(frozen=True, slots=True)
class Symptom:
    """What shows that something is wrong: places of series among those handed in, and their node, None without one."""

    series: tuple[int, ...]
    node: str | None


def find_symptom(series: Sequence[MetricSeries], symptom: str, graph: CallGraph | None) -> Symptom:
    """The symptom of that name: a series by its title, or by its name where one series has it, or a node of the graph.

    With a series go those of its name at the same node, as several statistics of one metric. With a node go its series
    whose names tell which way is worse, or all of them where none does.

    Raises InputProblem where there is none of that name, or where several series share it.

    >>> import numpy as np
    >>> empty = np.zeros(0, dtype=np.int64), np.zeros(0)
    >>> web = [MetricSeries(name, *empty, {"service": "web"}) for name in ("latency", "requests")]
    >>> find_symptom(web, "web", CallGraph.of([("web", "search")]))
    Symptom(series=(0,), node='web')
    """
    nodes = [node_of(one, graph.callees) if graph else None for one in series]
    titles = [one.title for one in series]
    named = [at for at, one in enumerate(series) if one.name == symptom]
    places = [at for at, title in enumerate(titles) if title == symptom] or (named if len(named) == 1 else [])
    if places:
        first = places[0]
        alike = [at for at, one in enumerate(series) if one.name == series[first].name and nodes[at] == nodes[first]]
        return Symptom(tuple(alike if nodes[first] is not None else places), nodes[first])
    if graph is not None and symptom in graph.callees:
        own = [at for at, node in enumerate(nodes) if node == symptom]
        return Symptom(tuple([at for at in own if harm_of(series[at].name)] or own), symptom)
    raise _unknown(symptom, [titles[at] for at in named], [*titles, *(graph.callees if graph else ())])


def _unknown(symptom: str, named: Sequence[str], known: Sequence[str]) -> InputProblem:
    if named:
        return InputProblem(f"symptom: {len(named)} series are named {symptom!r}; state one of: {listed(named)}")
    hint = near(symptom, known) or f"; there are: {listed(known)}"
    return InputProblem(f"symptom: {symptom!r} is neither a series nor a node of the graph{hint}")
