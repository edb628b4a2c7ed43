"""Laws of the training table's fingerprint, of its schema, and of how far the log lies from it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.integrity.checks import check_training
from mortis.integrity.training import (
    ColumnPrint,
    TableFingerprint,
    compare_tables,
    read_fingerprint,
    schema_checks,
    training_readings,
)
from mortis.problems import InputProblem
from mortis.profiles import Profile
from profiled import days, healthy, profile_of

HASHES = st.integers(0, 2**128 - 1)
COLUMNS = st.dictionaries(
    st.text(min_size=1, max_size=12),
    st.builds(ColumnPrint, st.sampled_from(["double", "text", "int64"]), HASHES, HASHES, st.integers(0, 99)),
    max_size=8,
)
FINGERPRINTS = st.builds(TableFingerprint, st.integers(0, 10**12), COLUMNS)


def table(**changed: ColumnPrint) -> TableFingerprint:
    """A fingerprint of three columns, some of them changed."""
    columns = {name: ColumnPrint("double", i, i + 1, 0) for i, name in enumerate(("age", "city", "income"))}
    return TableFingerprint(1000, columns | changed)


@given(FINGERPRINTS)
def test_fingerprints_survive_json_and_know_themselves(found):
    assert TableFingerprint.from_json(found.to_json()) == found
    assert json.loads(found.to_json())["rows"] == found.rows
    assert read_fingerprint(found.text()) == found.recorded()
    assert read_fingerprint(f" {found.text()}\n") == found.recorded()
    match = compare_tables(found.recorded(), found)
    assert match.same
    assert (match.changed, match.added, match.gone) == ((), (), 0)


@given(FINGERPRINTS, st.data())
def test_any_change_of_any_column_is_seen_and_named(found, data):
    """One column's type, hashes or nulls changed: the tables differ, and that column is named."""
    if not found.columns:
        return
    name = data.draw(st.sampled_from(sorted(found.columns)))
    one = found.columns[name]
    other = data.draw(
        st.sampled_from(
            [
                ColumnPrint(one.type + "!", one.sum_hash, one.xor_hash, one.nulls),
                ColumnPrint(one.type, one.sum_hash + 1, one.xor_hash, one.nulls),
                ColumnPrint(one.type, one.sum_hash, one.xor_hash ^ 1, one.nulls),
                ColumnPrint(one.type, one.sum_hash, one.xor_hash, one.nulls + 1),
            ]
        )
    )
    match = compare_tables(found.recorded(), TableFingerprint(found.rows, {**found.columns, name: other}))
    assert not match.same
    assert match.changed == (name,)


def test_the_order_of_columns_does_not_matter():
    turned = TableFingerprint(1000, dict(reversed(list(table().columns.items()))))
    assert turned.text() == table().text()


def test_what_tells_two_tables_apart_is_said():
    recorded = table().recorded()
    more = TableFingerprint(1200, {**table().columns, "zip": ColumnPrint("text", 5, 5, 0)})
    assert compare_tables(recorded, table()).statement == "the training table is the recorded one, in all 1,000 rows"
    match = compare_tables(recorded, more)
    assert (match.changed, match.added, match.gone) == ((), ("zip",), 0)
    assert match.statement == (
        "the training table is not the recorded one: zip was not recorded (1,000 rows then, 1,200 now)"
    )
    less = TableFingerprint(1000, {"age": ColumnPrint("int64", 0, 1, 0), "city": table().columns["city"]})
    match = compare_tables(recorded, less)
    assert (match.changed, match.added, match.gone) == (("age",), (), 1)
    assert match.statement == (
        "the training table is not the recorded one: age holds other values; "
        "1 recorded column is not there (1,000 rows in both)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mortis1:",
        "mortis2:1:" + "0" * 32 + ":",
        "mortis1:-1:" + "0" * 32 + ":",
        "mortis1:1:xyz:",
        table().text()[:-3],
    ],
)
def test_what_is_no_fingerprint_is_refused_in_one_line(text):
    with pytest.raises(
        InputProblem, match=r"training\.fingerprint: .* is no fingerprint of a table; record Mortis' own"
    ) as told:
        read_fingerprint(text)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 250


def test_a_digest_of_mlflow_is_refused_for_what_it_is():
    with pytest.raises(InputProblem, match="looks like a digest of MLflow"):
        read_fingerprint("9c36a1b2")


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
