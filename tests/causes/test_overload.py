"""Overload of a failure of operation: a resource that fills up with it, and nothing that moved apart from it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mortis.causes.infrastructure import decide_fallback
from mortis.records import Signal
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    facts_of,
    served,
)

BEGAN = INCIDENT.start


def signal(name, order="with", direction="up"):
    return Signal(name, 12.0, BEGAN - timedelta(days=order == "before"), direction, order, statement="from 40 to 97")


def decided(rng, signals):
    facts = facts_of(served(rng, 100), served(rng, 100, window=INCIDENT), metric="latency_p95", signals=signals)
    (found,) = decide_fallback(facts)
    return found


@pytest.mark.parametrize("name", ['cpu{host="a"}', "db_connections_in_use", "worker.queue.length", "heap used bytes"])
def test_a_resource_that_fills_up_with_the_failure_supports_overload(rng, name):
    found = decided(rng, [signal("requests"), signal(name)])
    assert found.verdict == "supported"
    assert found.result == f"with the failure, {name} from 40 to 97"


@pytest.mark.parametrize(
    "signals",
    [[], [signal("cpu", "before")], [signal("cpu", "after")], [signal("cpu", direction="down")], [signal("requests")]],
    ids=["nothing moved", "before it", "after it", "emptier", "no resource"],
)
def test_whatever_moved_apart_from_it_rules_overload_out(rng, signals):
    assert decided(rng, signals).verdict == "refuted"


def test_a_spike_of_its_own_is_told_and_does_not_count(rng):
    assert "cpu moved, but not with it" in decided(rng, [signal("cpu", "before")]).result


def test_without_metrics_overload_is_not_tested(rng):
    assert decided(rng, None).verdict == "not_tested"
