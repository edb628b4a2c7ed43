"""What lies on one surface, below a threshold, or is no longer logged, is told from what lies everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mortis.causes.gaming import decide_gaming
from mortis.causes.infrastructure import decide_accelerator, decide_fallback
from mortis.causes.labels import decide_labels
from mortis.causes.surface import decide_surface
from mortis.causes.unlogged import decide_unlogged
from mortis.records import Change, ChangedPart, Signal
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    answered,
    facts_of,
    models,
    rows_of,
    served,
)

N = 4000


def during(rng, n=N, **more):
    return served(rng, n, window=INCIDENT, **more)


def decided(decider, before, after, **more):
    return {one.id: one for one in decider(facts_of(before, after, **more))}


def with_labels(sample, y):
    return answered(replace(sample, y=y), sample.score)


def new_form(rng, *, delay):
    """In the us, positives are halved, and `delay` says what becomes of that input."""
    rows = during(rng)
    us = rows.features["region"] == "us"
    y = np.where(us & (rng.random(N) < 0.5), 0.0, rows.y)
    moved = rows.with_feature("delay", np.where(us, rows.features["delay"] * delay, rows.features["delay"]))
    return with_labels(answered(moved, models()["good"].score(moved.features)), y)


def test_inputs_and_labels_of_one_surface_are_the_products(rng):
    found = decided(decide_surface, served(rng, N), new_form(rng, delay=1.6))
    assert (found["W5"].verdict, found["W5"].scope, found["W5"].features) == ("supported", "region = us", ("delay",))
    assert found["P4"].verdict == "refuted"


def test_labels_alone_of_one_surface_are_not(rng):
    found = decided(decide_surface, served(rng, N), new_form(rng, delay=1.0))
    assert {one.verdict for one in found.values()} == {"refuted"}


def test_requests_added_by_one_caller_of_which_nothing_comes_are_the_callers(rng):
    usual, more = during(rng), during(rng, 2 * N, us=1.0)
    added = {name: np.concatenate([column, more.features[name]]) for name, column in usual.features.items()}
    y, p = np.concatenate([usual.y, np.zeros(2 * N)]), np.concatenate([usual.p, more.p])
    rows = rows_of(added, y, p, np.concatenate([usual.score, more.score]), window=INCIDENT)
    before = served(rng, N)
    found = decided(decide_surface, before, rows)
    assert (found["P4"].verdict, found["P4"].parameters["caller"]) == ("supported", "us")
    assert decided(decide_labels, before, rows)["E1"].verdict == "refuted"


def lossy(rng, lost, *, times=1):
    """Rows of a window half as long as the baseline, `times` as many a day but for those that were lost."""
    rows = during(rng, 2 * N)
    kept = rows.where(~lost(rows) | (rng.random(2 * N) < 0.1))
    return replace(kept, rows=times * len(kept) // 4)


def test_rows_missing_beyond_a_sharp_score_are_not_logged(rng):
    found = decided(decide_unlogged, served(rng, N), lossy(rng, lambda rows: rows.score >= 0.8), metric="recall")
    assert found["E4"].verdict == "supported"
    assert found["E4"].parameters["low"] == pytest.approx(0.8, abs=0.08)


def test_rows_of_low_scores_that_grew_are_no_loss_of_the_others(rng):
    """Twice as many rows below an edge, and as many above it as ever."""
    rows = during(rng, 2 * N)
    twice = rows.where((rows.score < 0.8) | (rng.random(2 * N) < 0.5))
    grown = replace(twice, rows=len(twice) // 2)
    found = decided(decide_unlogged, served(rng, N), grown, metric="recall")["E4"]
    assert (found.verdict, "the others grew" in found.result) == ("refuted", True)


def test_rows_that_became_fewer_while_others_grew_may_have_given_way_to_these(rng):
    grown = lossy(rng, lambda rows: rows.score >= 0.8, times=2)
    found = decided(decide_unlogged, served(rng, N), grown, metric="recall")["E4"]
    assert (found.verdict, "may have taken the place" in found.result) == ("inconclusive", True)


def test_scores_that_shift_without_an_edge_are_not_lost_rows(rng):
    rows = during(rng, 2 * N)
    kept = rows.where(rng.random(2 * N) > rows.score)
    assert decided(decide_unlogged, served(rng, N), kept, metric="recall")["E4"].verdict == "refuted"


def test_as_many_rows_as_ever_lost_nothing(rng):
    for _ in range(5):
        assert decided(decide_unlogged, served(rng, N), during(rng))["E4"].verdict == "refuted"


def test_positives_that_bunch_below_the_threshold_are_gamed(rng):
    rows = during(rng)
    some = (rows.y == 1) & (rows.score > 0.5) & (rng.random(N) < 0.7)
    found = decided(
        decide_gaming, served(rng, N), answered(rows, np.where(some, rng.uniform(0.47, 0.5, N), rows.score))
    )
    assert (found["W4"].verdict, found["W4"].parameters["threshold"]) == ("supported", 0.5)


def test_scores_as_ever_are_not_gamed(rng):
    for _ in range(5):
        assert decided(decide_gaming, served(rng, N), during(rng))["W4"].verdict == "refuted"


def signal(name, direction):
    return Signal(name, 12.0, INCIDENT.start, direction, "with", statement="moved")


OUT_OF_USE = Change(
    "env", "environment", INCIDENT.start - timedelta(hours=1), "", parts=(ChangedPart("GPU", "NVIDIA L4", None),)
)


@pytest.mark.parametrize(
    ("signals", "changes", "idle", "overload"),
    [
        ([signal("gpu_percent", "down"), signal("cpu_percent", "up")], (), "supported", "inconclusive"),
        ([signal("gpu_percent", "down"), signal("cpu_percent", "up")], (OUT_OF_USE,), "confirmed", "inconclusive"),
        ([signal("gpu_percent", "up"), signal("cpu_percent", "up")], (OUT_OF_USE,), "refuted", "supported"),
    ],
    ids=["idle", "idle, on record", "busy"],
)
def test_an_idle_accelerator_is_told_from_overload(rng, signals, changes, idle, overload):
    facts = facts_of(served(rng, 100), during(rng, 100), metric="latency_p95", signals=signals, changes=changes)
    found = {one.id: one.verdict for decider in (decide_accelerator, decide_fallback) for one in decider(facts)}
    assert found == {"H2": idle, "H1": overload}
