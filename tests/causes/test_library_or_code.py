"""A changed library and changed code: told apart by what is on record, never by likeness."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from mortis.causes.serving import decide_departures
from mortis.records import Change
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    answered,
    facts_of,
    served,
)

IN_TIME = INCIDENT.start - timedelta(hours=3)
UPGRADE = Change("dependencies.1", "dependency", IN_TIME, "lightgbm 4.5.0 → 4.7.0")
COMMIT = Change("git.1a2b3c4", "code", IN_TIME, "Round features before scoring")


@pytest.fixture
def lost(rng):
    """Facts whose incident's answers no model file gives any more, with the changes on record."""
    before, during = served(rng, 3000), served(rng, 3000, window=INCIDENT)
    struck = answered(during, np.clip(0.6 - 0.8 * (during.score - 0.5) + rng.normal(0, 0.05, len(during)), 0, 1))

    def facts(changes=None, unrecorded=()):
        return facts_of(before, struck, changes=changes, unrecorded=unrecorded)

    return facts


def decided(facts):
    return {one.id: one for one in decide_departures(facts)}


@pytest.mark.parametrize(
    ("changes", "unrecorded", "p1", "p3"),
    [
        ([UPGRADE], (), "supported", "refuted"),
        ([COMMIT], (), "refuted", "supported"),
        ([UPGRADE, COMMIT], (), "supported", "inconclusive"),
        ([COMMIT], ("dependency files",), "inconclusive", "supported"),
        ([], (), "supported", "refuted"),
        (None, (), "supported", "inconclusive"),
    ],
    ids=["an upgrade", "a commit", "both", "no lock files", "an empty record", "no record"],
)
def test_what_is_on_record_tells_the_library_from_the_code(lost, changes, unrecorded, p1, p3):
    """Ruled out only where its own sources were handed over and hold nothing in time."""
    found = decided(lost(changes, unrecorded))
    assert (found["P1"].verdict, found["P3"].verdict) == (p1, p3)


def test_the_change_on_record_is_named(lost):
    found = decided(lost([UPGRADE]))
    assert "lightgbm 4.5.0 → 4.7.0 (dependencies.1)" in found["P1"].result
    assert "no change of code until the onset is on record" in found["P3"].result


@pytest.mark.parametrize("days", [-40, 11], ids=["before the baseline", "after the incident"])
def test_a_change_out_of_time_speaks_for_nothing(lost, days):
    late = Change("git.9", "code", INCIDENT.start + timedelta(days=days), "Something else")
    found = decided(lost([late]))
    assert (found["P1"].verdict, found["P3"].verdict) == ("supported", "refuted")


def test_answers_that_the_files_give_rule_both_out(rng):
    found = decided(facts_of(served(rng, 2000), served(rng, 2000, window=INCIDENT), changes=[UPGRADE, COMMIT]))
    assert (found["P1"].verdict, found["P3"].verdict) == ("refuted", "refuted")


def test_a_fallback_score_is_no_changed_environment(rng):
    before, during = served(rng, 3000), served(rng, 3000, window=INCIDENT)
    score = np.where(np.arange(len(during)) % 2 == 0, 0.5, during.score)
    found = decided(facts_of(before, answered(during, score), changes=[UPGRADE]))
    assert {one.verdict for one in found.values()} == {"refuted"}
