"""Laws of the training table's schema, and of how far the log lies from it."""

from __future__ import annotations

import numpy as np
import pytest

from mortis.integrity.checks import check_training
from mortis.integrity.training import folded, schema_checks, training_readings
from mortis.profiles import NULL, OTHER, CategoryProfile, Profile, Tally
from profiled import days, healthy, profile_of

# Schema


def test_schemas_that_agree_give_no_check():
    assert schema_checks({"a": "number", "b": "category"}, {"b": "category", "a": "number"}) == ()


def test_features_that_are_missing_or_of_another_kind_are_flagged_and_new_ones_are_told():
    found = schema_checks({"a": "number", "b": "category"}, {"b": "number", "c": "number"})
    assert [(check.feature, check.flagged) for check in found] == [("a", True), ("b", True), ("c", False)]
    assert [check.statement for check in found] == [
        "a: in the training table, not in the log",
        "b: a category in the training table, a number in the log",
        "c: in the log, not in the training table",
    ]
    assert {check.check for check in found} == {"schema"}


# The training table against the baseline


def both(rng, *, shift: float = 0.0, rows: int = 10_000) -> tuple[Profile, Profile]:
    """The training table's profile and the log's, under one layout: the table's `share` is shifted."""
    columns, day = healthy(rng, rows=2 * rows, length=40)
    log = day >= 20
    columns["share"] = columns["share"] + np.where(log, 0.0, shift)
    columns["region"] = np.where(~log & (shift > 0) & (rng.random(2 * rows) < 0.3), "mars", columns["region"])
    whole = profile_of(columns, day, reference=20)
    return whole.within(days(0, 20)), whole.within(days(20, 40))


def test_a_training_table_like_the_log_is_not_flagged():
    flags = 0
    for seed in range(20):
        training, log = both(np.random.default_rng(seed))
        checks = check_training(training, log, days(20, 40))
        assert len(checks) == 10
        flags += sum(check.flagged for check in checks)
    assert flags <= 2


def test_features_that_differ_from_the_training_table_are_flagged(rng):
    """A number that lies elsewhere and a category the log never has; the others are left alone."""
    training, log = both(rng, shift=0.15)
    checks = check_training(training, log, days(20, 40))
    assert {check.feature for check in checks if check.flagged} == {"share", "region"}
    region = next(check for check in checks if check.feature == "region")
    assert region.statement.startswith("region: the training table differs from the baseline by 0.")
    assert "mars gained most" in region.statement


def test_kinds_of_the_training_table_are_told_before_its_values(rng):
    training, log = both(rng)
    del training.categories["plan"]
    checks = check_training(training, log, days(20, 40))
    assert (checks[0].feature, checks[0].check, checks[0].flagged) == ("plan", "schema", False)
    named = check_training(training, log, days(20, 40), kinds={"plan": "number"})
    assert [check.statement for check in named if check.feature == "plan"] == [
        "plan: a number in the training table, a category in the log"
    ]


def test_a_training_table_cut_otherwise_is_refused(rng):
    training, _ = both(rng)
    _, log = both(rng, shift=0.3)
    with pytest.raises(ValueError, match="profiled with other edges"):
        training_readings(training, log, days(20, 40))


def test_values_that_the_log_does_not_name_are_counted_as_other():
    """Only where the log has other values: else a value of the training table alone is news."""
    cell = (0, "", "rows")
    cities = {"oslo": 5, "bergen": 3, "rome": 2, NULL: 1}
    trained = Profile(categories={"city": CategoryProfile(Tally.of({cell: cities}))})
    few = Profile(categories={"city": CategoryProfile(Tally.of({cell: {"oslo": 9}}))})
    many = Profile(categories={"city": CategoryProfile(Tally.of({cell: {"oslo": 9, OTHER: 4}}))})
    assert folded(trained, few).categories["city"].sums.total() == cities
    assert folded(trained, many).categories["city"].sums.total() == {"oslo": 5, OTHER: 5, NULL: 1}
