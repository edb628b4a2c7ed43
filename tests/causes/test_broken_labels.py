"""Labels that broke are told from a changed world, by how they hang on inputs and scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mortis.causes.labels import decide_labels, decide_selective
from mortis.causes.measurement import looked_too_early
from mortis.causes.scoring import outcomes_of
from mortis.causes.surface import decide_surface
from mortis.causes.world import decide_world
from mortis.clarify.metrics import metric_for
from mortis.records import Change, Interval
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    facts_of,
    failure,
    served,
)

N = 3000


def labelled(sample, y):
    """The rows with other labels."""
    judgement = metric_for("accuracy", "binary").judgement
    return replace(sample, y=y, outcome=outcomes_of(judgement, y, sample.p, sample.score))


def broken(rng, change, *, changes=()):
    """Outcomes by cause where the incident's labels went through a change."""
    during = served(rng, N, window=INCIDENT)
    facts = facts_of(served(rng, N), labelled(during, change(during, rng)), changes=changes)
    deciders = (decide_surface, decide_labels, decide_selective)
    return {one.id: one for decider in deciders for one in decider(facts)}, facts


def flipped(sample, rng, share=0.8):
    return np.where(rng.random(N) < share, 1 - sample.y, sample.y)


def recorded(kind):
    return (Change("c1", kind, INCIDENT.start + timedelta(hours=1), "outcomes come otherwise"),)


def test_more_labels_turned_round_than_not_are_a_label_break(rng):
    found, _ = broken(rng, flipped)
    assert found["L1"].verdict == "confirmed"
    assert found["L1"].parameters["share_of_rows"] == pytest.approx(0.8, abs=0.05)
    assert found["L1"].share.low > 0.8
    assert found["E1"].verdict == "refuted"


def test_a_rule_without_exception_is_another_definition_and_names_its_feature(rng):
    found, _ = broken(rng, lambda rows, _: np.where(rows.features["delay"] > 15, rows.y, 0.0))
    assert (found["L1"].verdict, found["L1"].features) == ("supported", ("delay",))


def test_labels_that_only_came_out_fewer_in_a_region_are_the_worlds(rng):
    """Half of the positives of a region are gone: like inputs come out otherwise, and no rule says so."""

    def drift(rows, rng):
        return np.where((rows.features["delay"] > 15) & (rng.random(N) < 0.5), 0.0, rows.y)

    found, facts = broken(rng, drift)
    assert {found[id_].verdict for id_ in ("L1", "E1", "L2", "W5", "P4")} == {"refuted"}
    world = {one.id: one for one in decide_world(facts)}
    assert (world["W2"].verdict, world["W2"].features) == ("supported", ("delay",))
    assert world["W2"].parameters == {"outcomes": "fewer"}


def test_labels_of_other_rows_are_misjoined_where_the_record_says_so(rng):
    def exchanged(rows, rng):
        return np.where(rng.random(N) < 0.7, rng.permutation(rows.y), rows.y)

    found, _ = broken(rng, exchanged, changes=recorded("measurement"))
    assert found["E1"].verdict == "supported"
    assert found["L1"].verdict in ("inconclusive", "refuted")  # half are positive: turned round looks nearly alike
    found, _ = broken(rng, exchanged)
    assert found["E1"].verdict == "inconclusive"


def test_labels_of_the_same_world_blame_nothing(rng):
    for _ in range(5):
        found, _ = broken(rng, lambda rows, _: rows.y, changes=recorded("label"))
        assert {one.verdict for one in found.values()} == {"refuted"}


@pytest.mark.parametrize("kept", [0, 1])
def test_labels_by_decision_are_selective(rng, kept):
    def selective(rows, rng):
        return np.where((rows.p == kept) | (rng.random(N) < 0.1), rows.y, np.nan)

    during = served(rng, N, window=INCIDENT)
    facts = facts_of(served(rng, N), labelled(during, selective(during, rng)), metric="precision" if kept else "recall")
    (found,) = decide_selective(facts)
    assert f"{'no' if kept else 'yes'} have a label (100 % in the baseline)" in found.result
    assert found.parameters.get("labelled", "") in ("", "acted upon" if kept else "not acted upon")


def test_fewer_labels_of_both_decisions_are_not_selective(rng):
    found, _ = broken(rng, lambda rows, rng: np.where(rng.random(N) < 0.4, rows.y, np.nan))
    assert found["L2"].verdict == "refuted"


def moved(value, low, high):
    return Interval(value, low, high, 900)


@pytest.mark.parametrize(
    ("verdict", "now", "expected"),
    [
        ("no_failure", moved(-0.01, -0.03, 0.01), "confirmed"),
        ("cannot_tell", moved(-0.01, -0.05, 0.03), "supported"),
        ("cannot_tell", moved(-0.01, -0.3, 0.3), None),
        ("failure", moved(-0.2, -0.22, -0.18), None),
    ],
)
def test_a_fall_that_equal_label_age_takes_away_was_looked_at_too_early(verdict, now, expected):
    seemed = failure(shift=moved(-0.2, -0.22, -0.18))
    found = looked_too_early(failure(verdict=verdict, shift=now), seemed)
    assert (found.verdict if found else None) == expected


def test_nothing_was_too_early_where_ages_were_equal():
    assert looked_too_early(failure(verdict="no_failure"), None) is None
