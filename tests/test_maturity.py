"""Label maturity: shares that have arrived, and the age at which two windows can be compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.clarify.maturity import age_of, equal_age, label_maturity, mature_age
from mortis.engine.dataset import LABEL_AGE
from mortis.profiles import Cell, NumberProfile, Profile, Tally
from mortis.records import Window

DAY = 86_400
BEGINS = datetime(2024, 3, 4, tzinfo=UTC)
SECOND = int(BEGINS.timestamp())
EDGES = (24.0, 48.0, 96.0)
BASELINE, INCIDENT = (Window(BEGINS + timedelta(days=a), BEGINS + timedelta(days=b)) for a, b in ((0, 4), (4, 8)))


def profile_of(arrived: list[tuple[int, int, int, int]], rows: int = 100) -> Profile:
    """Days of so many rows each, with the labels that arrived within a day, two, four, and later."""
    outcomes: dict[Cell, dict[str, float]] = {}
    ages: dict[Cell, dict[str, float]] = {}
    for i, counts in enumerate(arrived):
        start = SECOND + DAY * i
        outcomes[start, ""] = {"tn": float(sum(counts)), "unlabelled": float(rows - sum(counts))}
        ages[start, "", "tn"] = {f"bin:{j}": float(count) for j, count in enumerate(counts)}
    numbers = {LABEL_AGE: NumberProfile(EDGES, 0.0, Tally.of(ages))}
    return Profile(DAY, rows * len(arrived), outcomes=Tally.of(outcomes), numbers=numbers)


def steady(as_of: float) -> Profile:
    """Eight days of which 40 % of the labels arrive within a day, 30 % within two and 30 % within four."""
    days = []
    for i in range(8):
        age = (as_of - i - 1) * 24
        days.append((40 * (age >= 24), 30 * (age >= 48), 30 * (age >= 96), 0))
    return profile_of([(int(a), int(b), int(c), d) for a, b, c, d in days])


def test_maturity_is_the_share_of_rows_with_a_label():
    maturity = label_maturity(profile_of([(90, 0, 0, 0)] * 4 + [(50, 0, 0, 0)] * 4), None)
    assert maturity.of(BASELINE) == pytest.approx(0.9)
    assert maturity.of(INCIDENT) == pytest.approx(0.5)
    assert maturity.at(SECOND) == pytest.approx(0.9)
    assert maturity.at(SECOND - DAY) is None


def test_a_log_that_needs_no_labels_has_no_maturity():
    profile = Profile(DAY, 10, outcomes=Tally.of({(SECOND, ""): {"fine": 8.0, "slow": 2.0}}))
    assert label_maturity(profile, None).of(BASELINE) is None


@given(
    st.lists(st.tuples(*[st.integers(0, 20)] * 4), min_size=1, max_size=8), st.floats(0.01, 1.0), st.floats(0.01, 1.0)
)
def test_more_labels_take_no_less_time(arrived, one, other):
    """The age by which a share had arrived rises with the share, and is an edge."""
    profile = profile_of(arrived)
    low, high = sorted((one, other))
    assert age_of(profile, low) <= age_of(profile, high)
    assert age_of(profile, low) in EDGES


def test_as_complete_windows_are_compared_as_they_are():
    profile = profile_of([(40, 30, 30, 0)] * 8)
    assert equal_age(profile, BASELINE, INCIDENT, BEGINS + timedelta(days=8.1)) is None


def test_the_age_is_what_the_last_prediction_has_reached():
    """Two days after the incident's end, its last labels are two days old at most."""
    equal = equal_age(steady(10), BASELINE, INCIDENT, BEGINS + timedelta(days=10))
    assert equal is not None
    assert equal.hours == 48
    assert equal.incident == INCIDENT


def test_predictions_too_young_for_any_label_are_left_out():
    """At the incident's end nothing of its last day is known: it is judged by what is a day old."""
    equal = equal_age(steady(8), BASELINE, INCIDENT, BEGINS + timedelta(days=8))
    assert equal is not None
    assert equal.hours == 24
    assert equal.incident == Window(INCIDENT.start, INCIDENT.end - timedelta(days=1))


def test_without_times_of_arrival_nothing_can_be_equalized():
    profile = profile_of([(90, 0, 0, 0)] * 4 + [(50, 0, 0, 0)] * 4)
    assert equal_age(profile, BASELINE, INCIDENT, None) is None
    untimed = Profile(DAY, 800, outcomes=profile.outcomes)
    assert equal_age(untimed, BASELINE, INCIDENT, BEGINS + timedelta(days=8)) is None
    assert not label_maturity(untimed, None).timed


def test_labels_had_time_until_the_mature_age_before_they_were_taken_out():
    profile, as_of = steady(30), BEGINS + timedelta(days=30)
    assert mature_age(profile) == 96
    assert label_maturity(profile, as_of).until == as_of - timedelta(hours=96)
