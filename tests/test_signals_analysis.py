"""Step 2's whole answer: what is named, how it is ordered and told, and where the walk ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from metric_series import ar1, clock, series, windows
from mortis.problems import InputProblem
from mortis.records import Onset
from mortis.signals.analysis import MOST_ONSETS, find_signals
from mortis.signals.graph import CallGraph
from mortis.telemetry import MetricSeries

HOURS, DURING = 240, 24
PLACE = np.arange(HOURS + DURING)
BASELINE, INCIDENT = windows(HOURS, DURING)
GRAPH = CallGraph.of([("web", "search"), ("web", "mail"), ("search", "db")])


def latency(rng, service, *, since=None, by=20.0):
    noise = 100 + ar1(rng, PLACE.shape, 0.5)
    return series(noise + (0.0 if since is None else by * (since <= PLACE)), "latency", service=service)


def found_in(members, **options):
    return find_signals(members, baseline=BASELINE, incident=INCIDENT, **options)


def at(hour):
    return BASELINE.start + timedelta(hours=hour)


def test_what_moved_is_named_and_ordered(rng):
    """The database before the failure, the frontend with it, the mail after; what is still is not named."""
    members = [
        latency(rng, "db", since=HOURS - 3),
        latency(rng, "web", since=HOURS + 5),
        latency(rng, "mail", since=HOURS + 15),
        latency(rng, "ads"),
    ]
    found = found_in(members, onset=Onset(at(HOURS + 5), at(HOURS + 4), at(HOURS + 6), "abrupt"))
    orders = {one.name: one.order for one in found.signals}
    assert orders == {
        'latency{service="db"}': "before",
        'latency{service="web"}': "with",
        'latency{service="mail"}': "after",
    }
    for one in found.signals:
        assert one.onset_low <= one.onset <= one.onset_high <= INCIDENT.end
        assert (one.direction, one.harm, one.n) == ("up", "up", DURING)
        assert one.score > one.usual
    assert found.signals == tuple(sorted(found.signals, key=lambda one: -one.score))
    assert found.statement.startswith("3 of 4 series moved; to be named, a series must go ")
    assert (found.looked_at, found.stretches, found.unjudged) == (4, 9, ())


def test_the_order_is_told_against_the_symptom_where_the_onset_is_not_stated(rng):
    members = [latency(rng, "db", since=HOURS + 2), latency(rng, "web", since=HOURS + 12)]
    found = found_in(members, symptom='latency{service="web"}')
    assert {one.name: one.order for one in found.signals} == {
        'latency{service="db"}': "before",
        'latency{service="web"}': "with",
    }
    assert {one.order for one in found_in(members).signals} == {"with"}


def test_neither_the_order_of_series_nor_their_unit_matters(rng):
    members = [latency(rng, name, since=HOURS + hour) for hour, name in enumerate(("web", "search", "db"))]
    members += [latency(rng, "mail"), series(np.full(len(PLACE), np.nan), "lag")]
    once = found_in(members, graph=GRAPH, symptom="web")
    again = found_in(members[::-1], graph=GRAPH, symptom="web")
    assert replace(again, unjudged=()) == replace(once, unjudged=())
    seconds = found_in([replace(one, values=one.values / 1000) for one in members], graph=GRAPH, symptom="web")
    assert [one.name for one in seconds.signals] == [one.name for one in once.signals]
    assert [one.node for one in seconds.candidates] == [one.node for one in once.candidates]


def test_a_series_that_is_still_changes_no_others_score(rng):
    members = [latency(rng, "web", since=HOURS), latency(rng, "db", since=HOURS)]
    once = {one.name: (one.score, one.usual, one.onset) for one in found_in(members).signals}
    more = {one.name: (one.score, one.usual, one.onset) for one in found_in([*members, latency(rng, "ads")]).signals}
    assert more.items() >= once.items()


def test_the_walk_ends_at_the_deepest_that_moved_with_the_symptom(rng):
    members = [latency(rng, name, since=HOURS + 8) for name in ("web", "search", "db")] + [latency(rng, "mail")]
    found = found_in(members, graph=GRAPH, symptom="web")
    first = found.candidates[0]
    assert (first.node, first.path, first.explains) == ("db", ("web", "search", "db"), ("search", "web"))
    assert first.match > 0.9
    assert found.no_candidates == ""


def test_what_moved_at_another_time_is_no_candidate(rng):
    """The mail was slow before the incident's first third was over, and fast again when the frontend became slow."""
    slow = (PLACE >= HOURS) & (PLACE < HOURS + 8)
    mail = series(100 + ar1(rng, PLACE.shape, 0.5) + 20 * slow, "latency", service="mail")
    members = [latency(rng, "web", since=HOURS + 8), latency(rng, "search", since=HOURS + 8), mail]
    found = found_in(members, graph=GRAPH, symptom="web")
    assert [one.node for one in found.candidates] == ["search"]
    assert 'latency{service="mail"}' in {one.name for one in found.signals}


def test_more_traffic_at_a_callee_is_no_fault_of_its(rng):
    requests = replace(latency(rng, "search", since=HOURS + 8), name="requests")
    found = found_in([latency(rng, "web", since=HOURS + 8), requests], graph=GRAPH, symptom="web")
    assert found.candidates == ()
    assert found.no_candidates == "no node that web calls has a series whose name tells which way is worse"


def test_the_walk_says_why_it_names_nobody(rng):
    still, moved = latency(rng, "search"), latency(rng, "web", since=HOURS + 8)
    better = latency(rng, "web", since=HOURS, by=-20.0)
    quiet = found_in([better, latency(rng, "search", since=HOURS)], graph=GRAPH, symptom="web")
    assert quiet.no_candidates.startswith("the symptom went ")
    assert (
        found_in([moved, still], graph=GRAPH, symptom="web").no_candidates
        == "nothing that web calls moved together with it"
    )
    assert found_in([moved, still], graph=GRAPH).no_candidates == "no symptom was stated"
    assert found_in([moved, still], symptom=moved.title).no_candidates == "no call graph was stated"
    apart = replace(moved, labels={})
    reason = "the symptom's series belongs to no node of the call graph"
    assert found_in([apart, still], graph=GRAPH, symptom="latency").no_candidates == reason
    unknown = series(np.full(len(PLACE), np.nan), "latency", service="web")
    reason = "none of the symptom's series could be judged"
    assert found_in([unknown, still], graph=GRAPH, symptom="web").no_candidates == reason


def test_series_of_other_clocks_walk_together(rng):
    """Every five minutes here, every hour there."""
    fine = np.arange(12 * len(PLACE))
    values = 100 + ar1(rng, fine.shape, 0.5) + 20 * (fine >= 12 * (HOURS + 8))
    search = MetricSeries("latency", clock(len(fine), 300) + 7, values, {"service": "search"})
    found = found_in([latency(rng, "web", since=HOURS + 8), search], graph=GRAPH, symptom="web")
    assert [one.node for one in found.candidates] == ["search"]


def test_no_more_onsets_are_asked_than_are_told(rng):
    """The others are named without one, and the statement says so."""
    members = [latency(rng, f"s{number}", since=HOURS) for number in range(MOST_ONSETS + 3)]
    found = found_in(members)
    assert len(found.signals) == MOST_ONSETS + 3
    assert [one.onset is None for one in found.signals] == [False] * MOST_ONSETS + [True] * 3
    assert found.statement.endswith(f"when they began was asked of the {MOST_ONSETS} furthest")


def test_an_earlier_failure_in_the_baseline_is_pointed_out(rng):
    bad = ((PLACE >= 114) & (PLACE < 138)) | (PLACE >= HOURS)
    found = found_in([series(100 + rng.normal(size=len(PLACE)) + 30 * bad, "lag", queue="jobs")])
    assert found.signals == ()
    assert 'in the stretch from 2024-01-05T18:00:00Z, lag{queue="jobs"} went ' in found.statement


def test_no_series_is_no_signal():
    found = found_in([])
    assert (found.signals, found.statement) == ((), "0 of 0 series moved")


def test_windows_that_overlap_are_refused(rng):
    with pytest.raises(ValueError, match="must end before the incident"):
        find_signals([latency(rng, "web")], baseline=INCIDENT, incident=BASELINE)


def test_an_unknown_symptom_is_refused_before_anything_is_measured(rng):
    with pytest.raises(InputProblem, match="did you mean 'search'"):
        found_in([latency(rng, "web")], graph=GRAPH, symptom="serch")


def system(rng, *, faulty):
    """Twenty services that call each other at random, three metrics each, two days and four hours; the faulty one.

    Its slowness reaches its callers, each time less.
    """
    size, before, during = 20, 576, 48
    place = np.arange(before + during)
    calls = {
        caller: rng.choice(np.arange(caller + 1, size), min(size - 1 - caller, 2), replace=False)
        for caller in range(size)
    }
    metrics = {
        "latency_ms": 20 + 5 * ar1(rng, (size, len(place)), 0.7),
        "cpu": 40 + 8 * ar1(rng, (size, len(place)), 0.9) + 10 * np.sin(2 * np.pi * place / 288),
        "errors": rng.poisson(0.05, (size, len(place))).astype(float),
    }
    graph = CallGraph.of((f"s{caller}", f"s{callee}") for caller, called in calls.items() for callee in called)
    node = str(rng.choice(sorted(graph.behind("s0")))) if faulty else ""
    if faulty:
        reached = {int(node[1:]): 1.0}
        for caller in reversed(range(size)):
            through = [reached[callee] for callee in calls[caller].tolist() if callee in reached]
            if through and caller not in reached:
                reached[caller] = max(through) * rng.uniform(0.5, 0.9)
        since = before + rng.integers(5, 25)
        for service, share in reached.items():
            metrics["latency_ms"][service] += 25 * share / reached[0] * (place >= since)
    members = [
        MetricSeries(name, clock(len(place), 300), values[service], {"service": f"s{service}"})
        for name, values in metrics.items()
        for service in range(size)
    ]
    return members, graph, node


def test_the_faulty_service_of_a_random_system_is_first():
    """In 80 of 100, and where nothing is faulty nobody is named in 95; twenty systems of each kind."""
    baseline, incident = windows(576, 48, 300)
    first = silent = 0
    for seed in range(20):
        for faulty in (True, False):
            members, graph, node = system(np.random.default_rng(seed), faulty=faulty)
            symptom = 'latency_ms{service="s0"}'
            found = find_signals(members, baseline=baseline, incident=incident, graph=graph, symptom=symptom)
            names = [one.node for one in found.candidates]
            first += faulty and names[:1] == [node]
            silent += not faulty and not names
    assert first >= 16
    assert silent >= 19
