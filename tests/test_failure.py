"""Step 1's verdict: what makes a failure, what makes none, and what is never claimed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.clarify.failure import Clarified, Stated, clarify, error_rate
from mortis.clarify.metrics import metric_for
from mortis.clarify.season import season_of, shift_beside_baseline
from mortis.clarify.series import series_of
from mortis.clarify.verdict import MetricShift, rule
from mortis.engine.dataset import LABEL_AGE
from mortis.profiles import Cell, NumberProfile, Profile, Tally
from mortis.records import Interval, Window

DAY = 86_400
BEGINS = datetime(2024, 3, 4, tzinfo=UTC)
SECOND = int(BEGINS.timestamp())


def days(first: float, end: float) -> Window:
    """A window in days from the first."""
    return Window(BEGINS + timedelta(days=first), BEGINS + timedelta(days=end))


def profile_of(errors: list[int], n: int) -> Profile:
    """Errors among n negatives by day, as false positives."""
    cells: dict[Cell, dict[str, float]] = {
        (SECOND + DAY * i, ""): {"fp": float(e), "tn": float(n - e)} for i, e in enumerate(errors)
    }
    outcomes = Tally.of(cells)
    rows = Tally.of({cell: {"rows": float(n), "labelled": float(n)} for cell in cells})
    return Profile(DAY, n * len(errors), outcomes + rows, outcomes=outcomes)


def clarified(errors: list[int], n: int = 1000, *, split: int | None = None, metric: str = "accuracy") -> Clarified:
    """Step 1 on errors by day, with the windows split at a day, or without windows."""
    size = len(errors)
    windows = (days(0, split), days(split, size)) if split else (None, None)
    stated = Stated(days(0, size), *windows)
    profile = profile_of(errors, n)
    return clarify(profile, profile.quality, metric_for(metric, "binary"), stated, rng=np.random.default_rng(0))


QUIET = [98, 103, 95, 110, 101, 92, 99, 104, 97, 106, 94, 100, 103, 99, 96, 105, 102, 98, 101, 95, 107]


def test_a_clear_rise_is_a_failure_since_its_first_day():
    found = clarified([*QUIET, 200, 190, 205, 210, 195], split=21).failure
    assert found.verdict == "failure"
    assert found.onset is not None
    assert found.onset.best == BEGINS + timedelta(days=21)
    assert found.onset.low <= found.onset.best <= found.onset.high


def test_excess_errors_are_what_the_baseline_would_not_have_made():
    """Errors since the onset less the baseline's rate times the rows."""
    failure = clarified([*QUIET, 200, 190, 205, 210, 195], split=21).failure
    assert failure.impact.excess_errors.value == pytest.approx(1000 - 5000 * sum(QUIET) / 21_000)
    assert failure.impact.predictions == 5000


def test_what_came_after_the_failure_recovered_is_not_counted_as_hit():
    """Three bad days in a stated window of eight: the rows and the excess errors are those of the three days."""
    failure = clarified([*QUIET, 400, 420, 410, 99, 101, 97, 103, 100], split=21).failure
    assert failure.incident_window == days(21, 29)
    assert (failure.onset.best, failure.onset.recovered) == (days(21, 24).start, days(21, 24).end)
    assert failure.impact.predictions == 3000
    assert failure.impact.excess_errors.value == pytest.approx(1230 - 3000 * sum(QUIET) / 21_000)


def timed(errors: list[int], n: int = 1000) -> Profile:
    """The same log with the labels' ages: all arrived within a day."""
    profile = profile_of(errors, n)
    ages = Tally.of({(*cell, "tn"): {"bin:0": float(n)} for cell in profile.outcomes.cells})
    return replace(profile, numbers={LABEL_AGE: NumberProfile((24.0,), 0.0, ages)})


@given(st.integers(3, 30), st.data())
def test_windows_that_are_found_follow_each_other_whenever_the_labels_were_taken_out(size, data):
    """Each holds a bucket and none is reversed, though the labels be immature before the stated baseline ends."""
    errors = data.draw(st.lists(st.integers(0, 200), min_size=size, max_size=size))
    split = data.draw(st.none() | st.integers(1, size - 1))
    as_of = days(0, data.draw(st.integers(1, size + 2))).end
    baseline = days(data.draw(st.integers(0, split - 1)), split) if split else None
    profile = timed(errors)
    stated = Stated(days(0, size), baseline, as_of=as_of)
    rng = np.random.default_rng(0)
    failure = clarify(profile, profile.quality, metric_for("accuracy", "binary"), stated, rng=rng).failure
    before, after = failure.baseline_window, failure.incident_window
    assert before.start < before.end <= after.start < after.end


def test_an_incident_reaches_beyond_a_stated_baseline_though_labels_be_young_before_its_end():
    """Labels of the last of twenty baseline days have not matured: the first day after the baseline is looked at."""
    profile = timed([*QUIET[:18], 200, 210, 205, 199, 202])
    stated = Stated(days(0, 23), days(0, 20), as_of=days(0, 20).end)
    failure = clarify(
        profile, profile.quality, metric_for("accuracy", "binary"), stated, rng=np.random.default_rng(0)
    ).failure
    assert failure.incident_window.end == days(0, 21).end


def test_only_the_affected_part_of_a_stated_window_is_judged():
    """Two bad days in a window of twelve are a failure, and the report says which days."""
    found = clarified([*QUIET, 99, 101, 97, 160, 170, 98, 100, 103, 96, 99, 102, 98], split=21)
    assert found.failure.verdict == "failure"
    assert found.failure.incident_window == days(24, 26)
    assert "of the stated incident window only" in found.failure.reason


def test_a_rise_for_the_better_is_no_failure():
    assert clarified([*QUIET, 50, 55, 45, 52, 48], split=21).failure.verdict == "no_failure"


def test_too_few_rows_cannot_tell():
    found = clarified([1, 0, 1, 0, 1, 1, 3, 2], n=3, split=6).failure
    assert found.verdict == "cannot_tell"
    assert found.onset is None


@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(20, 3000), st.floats(0.0, 0.5))
def test_the_parts_of_an_answer_agree(seed, size, n, rate):
    """Whatever the log: an onset only in a failure, values inside their intervals, windows apart, rows all counted."""
    rng = np.random.default_rng(seed)
    errors = rng.binomial(n, np.clip(rate + 0.3 * (np.arange(size) >= 2 * size // 3) * rng.integers(0, 2), 0, 1))
    split = int(rng.integers(2, size - 1)) if seed % 2 else None
    failure = clarified(errors.tolist(), n, split=split).failure
    assert (failure.onset is None) or failure.verdict == "failure"
    if failure.onset:
        assert failure.onset.low <= failure.onset.best <= failure.onset.high
    for one in (failure.baseline, failure.incident, failure.shift):
        assert one.low <= one.value <= one.high
    assert failure.incident_window is not None
    assert failure.baseline_window.end <= failure.incident_window.start
    assert len(failure.series) == size
    assert failure.impact.predictions <= n * size


@given(st.permutations(range(6)))
def test_the_order_of_cells_is_of_no_account(order):
    """Sums have no order: the verdict is that of the sorted log."""
    errors = [*QUIET, 200, 190]
    profile = profile_of(errors, 1000)
    cells = [profile.quality.cells[i] for i in order] + list(profile.quality.cells[6:])
    values = np.concatenate([profile.quality.values[list(order)], profile.quality.values[6:]])
    shuffled = Tally(tuple(cells), profile.quality.slots, values)
    stated = Stated(days(0, 23), days(0, 21), days(21, 23))
    accuracy = metric_for("accuracy", "binary")
    one, other = (
        clarify(profile, quality, accuracy, stated, rng=np.random.default_rng(0)).failure
        for quality in (profile.quality, shuffled)
    )
    assert one == other


def shifted(metric: str, before: float, after: float, half: float, *, n: int = 5000) -> str:
    """The verdict on a shift with an interval of this half width."""
    change = Interval(after - before, after - before - half, after - before + half, 2 * n)
    windows = Interval(before, before, before, n), Interval(after, after, after, n)
    return rule(metric_for(metric, "binary"), MetricShift(*windows, change)).verdict


@pytest.mark.parametrize(
    ("metric", "before", "after", "half", "verdict"),
    [
        ("accuracy", 0.90, 0.89, 0.001, "no_failure"),  # a point of ten is certain and doesn't matter
        ("accuracy", 0.90, 0.87, 0.010, "failure"),
        ("accuracy", 0.90, 0.87, 0.028, "cannot_tell"),  # not at 99 %
        ("accuracy", 0.90, 0.87, 0.060, "cannot_tell"),
        ("accuracy", 0.90, 0.93, 0.010, "no_failure"),
        ("accuracy", 0.99, 0.98, 0.002, "failure"),  # errors doubled
        ("error_rate", 0.002, 0.006, 0.001, "failure"),
        ("error_rate", 0.0, 0.0005, 0.0002, "no_failure"),
        ("auroc", 0.90, 0.87, 0.010, "failure"),
        ("log_loss", 0.50, 0.51, 0.005, "no_failure"),
        ("log_loss", 0.50, 0.60, 0.020, "failure"),
        ("positive_rate", 0.30, 0.20, 0.02, "failure"),  # harm either way
        ("positive_rate", 0.20, 0.30, 0.02, "failure"),
    ],
)
def test_what_matters_depends_on_the_figure(metric, before, after, half, verdict):
    assert shifted(metric, before, after, half) == verdict


def test_a_stated_figure_goes_before_the_baseline():
    shift = MetricShift(Interval(0.9, 0.9, 0.9, 900), Interval(0.9, 0.89, 0.91, 900), Interval(0, -0.01, 0.01, 1800))
    accuracy = metric_for("accuracy", "binary")
    found = [rule(accuracy, shift, expected=figure).verdict for figure in (0.95, 0.90, 0.85)]
    assert found == ["failure", "cannot_tell", "no_failure"]


def test_missing_labels_forbid_a_verdict():
    shift = MetricShift(Interval(0.9, 0.9, 0.9, 900), Interval(0.5, 0.4, 0.6, 90), Interval(-0.4, -0.5, -0.3, 990))
    ruling = rule(metric_for("accuracy", "binary"), shift, mature=0.3, usual=1.0)
    assert ruling.verdict == "cannot_tell"
    assert "30%" in ruling.reason


def weekly(rng: np.random.Generator, size: int, effect: float) -> tuple[Profile, list[int]]:
    """A log whose weekends have more errors."""
    rate = 0.1 + effect * (np.arange(size) % 7 >= 5)
    errors = rng.binomial(1000, rate).tolist()
    return profile_of(errors, 1000), errors


def test_weekends_are_compared_with_weekends(rng):
    """The shift of a healthy weekend is near zero, though weekends are worse than weekdays."""
    accuracy = metric_for("accuracy", "binary")
    profile, errors = weekly(rng, 35, 0.15)
    series = series_of(profile.quality, DAY)
    assert season_of(series, accuracy, days(0, 33)) == 7
    shift = shift_beside_baseline(series, accuracy, days(0, 33), days(33, 35))
    assert shift is not None
    weekends = [i for i in range(33) if i % 7 >= 5]
    usual = 1 - sum(errors[i] for i in weekends) / (1000 * len(weekends))
    # Both weekend days stand equally often in the baseline here but for the last Saturday and Sunday.
    assert shift.value == pytest.approx(1 - sum(errors[33:]) / 2000 - usual, abs=0.005)
    assert shift.low <= 0 <= shift.high


def test_a_log_without_season_has_none(rng):
    """At most one in a hundred logs without a season shows one."""
    accuracy = metric_for("accuracy", "binary")
    seen = [
        season_of(series_of(weekly(rng, 28, 0.0)[0].quality, DAY), accuracy, days(0, 28)) is not None
        for _ in range(200)
    ]
    assert sum(seen) <= 6


def test_the_interval_beside_the_baseline_covers():
    """Where nothing changed, at least 93 % of the intervals hold zero, day-to-day variation included."""
    accuracy, rng, held = metric_for("accuracy", "binary"), np.random.default_rng(5), []
    for _ in range(600):
        rate = 1 / (1 + np.exp(2.2 + 0.15 * rng.normal(size=35)))
        series = series_of(profile_of(rng.binomial(800, rate).tolist(), 800).quality, DAY)
        shift = shift_beside_baseline(series, accuracy, days(0, 28), days(28, 35))
        assert shift is not None
        held.append(shift.low <= 0 <= shift.high)
    assert np.mean(held) >= 0.93


def test_a_short_baseline_has_no_yardstick_of_its_own():
    series = series_of(profile_of(QUIET, 1000).quality, DAY)
    accuracy = metric_for("accuracy", "binary")
    assert shift_beside_baseline(series, accuracy, days(0, 13), days(13, 21)) is None
    assert shift_beside_baseline(series, accuracy, days(0, 14), days(14, 21)) is not None


def test_errors_are_counted_among_the_rows_the_metric_is_about():
    """Precision looks at predicted positives, recall at positives."""
    profile = Profile(DAY, 100, outcomes=Tally.of({(SECOND, ""): {"tp": 30, "fp": 10, "fn": 5, "tn": 55}}))
    rates = [error_rate(profile, metric_for(name, "binary"), days(0, 1)) for name in ("precision", "recall")]
    assert [(rate.errors, rate.n) for rate in rates] == [(10, 40), (5, 35)]
