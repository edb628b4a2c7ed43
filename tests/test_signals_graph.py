"""The call graph and the walk through it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metric_series import series
from mortis.problems import InputProblem
from mortis.signals.graph import CallGraph, Moved, node_of, walk
from mortis.signals.symptom import find_symptom

edges = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=15)


def moved(**match):
    return [Moved(node, value, 1.0, f"latency of {node}") for node, value in match.items()]


@given(edges)
def test_what_lies_behind_is_what_powers_of_the_matrix_reach(pairs):
    """Cycles included; each path is one, and the shortest."""
    graph = CallGraph.of(pairs)
    names = sorted(graph.callees)
    calls = np.array([[b in graph.callees[a] for b in names] for a in names], dtype=int).reshape(len(names), len(names))
    for row, name in enumerate(names):
        behind = graph.behind(name)
        power, length = np.eye(len(names), dtype=int), {}
        for step in range(1, len(names) + 1):
            power = np.minimum(power @ calls, 1)
            for other in np.flatnonzero(power[row]):
                length.setdefault(names[other], step)
        length.pop(name, None)
        assert {node: len(path) - 1 for node, path in behind.items()} == length
        for node, path in behind.items():
            assert (path[0], path[-1]) == (name, node)
            assert all(b in graph.callees[a] for a, b in pairwise(path))


@given(edges, st.dictionaries(st.sampled_from("bcdef"), st.floats(0, 1)), st.randoms())
def test_candidates_moved_and_are_reached_through_what_moved(pairs, match, random):
    """The order of edges and nodes doesn't matter, and cycles end."""
    graph = CallGraph.of([*pairs, ("a", "b")])
    found = walk(graph, "a", moved(**match))
    for one in found:
        assert all(match[node] >= 0.5 for node in one.path[1:])
        assert set(one.path[:-1]) <= set(one.explains)
    random.shuffle(pairs)
    shuffled = list(match.items())
    random.shuffle(shuffled)
    assert walk(CallGraph.of([("a", "b"), *pairs]), "a", moved(**dict(shuffled))) == found


@given(st.integers(1, 8), st.floats(0.5, 1))
def test_of_a_chain_that_moved_alike_the_end_is_first(length, match):
    nodes = [f"n{i}" for i in range(length + 1)]
    graph = CallGraph.of(pairwise(nodes))
    found = walk(graph, "n0", moved(**dict.fromkeys(nodes[1:], match)))
    assert [one.node for one in found] == nodes[:0:-1]
    assert found[0].explains == tuple(sorted(nodes[:-1]))


def test_what_moved_otherwise_is_not_walked_through():
    """The database moved with the symptom, but nothing between them did."""
    graph = CallGraph.of([("web", "search"), ("search", "db"), ("web", "mail")])
    assert [one.node for one in walk(graph, "web", moved(search=0.4, db=1.0, mail=0.6))] == ["mail"]
    assert walk(graph, "web", moved(search=0.4, db=1.0)) == ()


def test_what_callers_besides_the_symptom_call_too_ranks_first():
    """Two callees moved alike: one of them also explains a service that is not behind the symptom."""
    graph = CallGraph.of([("web", "ads"), ("web", "search"), ("batch", "search")])
    first, second = walk(graph, "web", moved(ads=0.9, search=0.9, batch=0.9))
    assert (first.node, first.explains) == ("search", ("batch", "web"))
    assert second.node == "ads"
    assert first.reason.endswith("called by batch, web, which moved too")


def test_a_label_names_the_node_or_the_name_begins_with_it():
    nodes = {"cart", "cart-db", "a.b"}
    assert node_of(series([1.0], "latency", pod="cart-1", service="cart"), nodes) == "cart"
    assert node_of(series([1.0], "cart-db_cpu"), nodes) == "cart-db"
    assert node_of(series([1.0], "cart_cpu"), nodes) == "cart"
    assert node_of(series([1.0], "a.b/latency"), nodes) == "a.b"
    assert node_of(series([1.0], "cartoon_cpu"), nodes) is None
    assert node_of(series([1.0], "cart"), nodes) is None


GRAPH = CallGraph.of([("web", "db")])
SERIES = [
    series([1.0], "latency", service="web", statistic="p50"),
    series([1.0], "latency", service="web", statistic="p99"),
    series([1.0], "requests", service="web"),
    series([1.0], "latency", service="db", statistic="p50"),
    series([1.0], "precision"),
]


@pytest.mark.parametrize(
    ("symptom", "places", "node"),
    [
        ('latency{service="web",statistic="p50"}', (0, 1), "web"),
        ("requests", (2,), "web"),
        ("web", (0, 1), "web"),
        ("precision", (4,), None),
    ],
)
def test_a_symptom_is_found_by_title_name_or_node(symptom, places, node):
    found = find_symptom(SERIES, symptom, GRAPH)
    assert (found.series, found.node) == (places, node)


def test_without_a_graph_a_title_is_one_series():
    assert find_symptom(SERIES, SERIES[0].title, None).series == (0,)


@pytest.mark.parametrize(
    ("symptom", "message"),
    [
        ("latency", 'symptom: 3 series are named \'latency\'; state one of: latency{service="web",statistic="p50"}'),
        ("precison", "symptom: 'precison' is neither a series nor a node of the graph; did you mean 'precision'?"),
        ("zzz", "symptom: 'zzz' is neither a series nor a node of the graph; there are: latency{"),
    ],
)
def test_an_unknown_symptom_is_refused(symptom, message):
    with pytest.raises(InputProblem) as refused:
        find_symptom(SERIES, symptom, GRAPH)
    assert str(refused.value).startswith(message)
