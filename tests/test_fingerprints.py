"""Laws of a table's fingerprint: parts add up to the whole, order doesn't matter, any change is seen and named."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.engine import open_engine
from mortis.engine.printing import fingerprint_of
from mortis.fingerprints import ColumnPrint, TableFingerprint, compare_tables, read_fingerprint
from mortis.problems import InputProblem
from mortis.sources.tables import open_table

HASHES = st.integers(0, 2**64 - 1)
COLUMNS = st.dictionaries(
    st.text(min_size=1, max_size=12),
    st.builds(ColumnPrint, st.sampled_from(["number", "text", "time"]), HASHES, HASHES, st.integers(0, 99)),
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


# Content

ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(width=64),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.text(max_size=5),
        st.none() | st.booleans(),
        st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001  Arrow holds plain times
    ),
    max_size=30,
)
TYPES = {"x": pa.float64(), "n": pa.int64(), "s": pa.string(), "b": pa.bool_(), "t": pa.timestamp("us")}


def arrow(rows) -> pa.Table:
    """The rows as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [[]] * len(TYPES)
    return pa.table({name: pa.array(list(column), TYPES[name]) for name, column in zip(TYPES, columns, strict=True)})


def printed(table: pa.Table, size: int = 7) -> TableFingerprint:
    """The fingerprint from batches of a few rows."""
    return fingerprint_of(table.to_batches(max_chunksize=size))


@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_parts_add_up_to_the_whole_in_any_order(some, more, random):
    both = [*some, *more]
    whole = printed(arrow(both))
    assert printed(arrow(some)) + printed(arrow(more)) == whole or not some or not more
    random.shuffle(both)
    assert printed(arrow(both), size=3) == whole
    assert whole + TableFingerprint() == whole == TableFingerprint() + whole


@given(ROWS.filter(len), st.data())
def test_one_changed_value_is_seen_in_its_column_alone(rows, data):
    i = data.draw(st.integers(0, len(rows) - 1))
    number = rows[i][0]
    other = 1.0 if number is None or number != 1.0 else 2.0
    changed = [*rows]
    changed[i] = (other, *rows[i][1:])
    match = compare_tables(printed(arrow(rows)).recorded(), printed(arrow(changed)))
    assert match.changed == ("x",)


def test_numbers_are_told_by_their_value_whatever_holds_them():
    """A whole number equals the double and the decimal of its value; big ones are told apart beyond doubles."""
    kinds = [pa.array([1, 2, None]), pa.array([1.0, 2.0, None]), pa.array([Decimal(1), Decimal(2), None])]
    assert len({printed(pa.table({"n": kind})).text() for kind in kinds}) == 1
    big = [printed(pa.table({"n": pa.array([2**60 + i])})).text() for i in range(3)]
    assert len(set(big)) == 3
    assert printed(pa.table({"n": [0.0]})) == printed(pa.table({"n": [-0.0]}))


def test_a_date_is_the_midnight_that_it_names():
    plain = pa.table({"t": [date(2020, 1, 1)]})
    moment = pa.table({"t": pa.array([datetime(2020, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC"))})
    assert printed(plain) == printed(moment)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_has_the_fingerprint_of_its_rows(tmp_path: Path, kind):
    """However the engine reads it: shuffled, as Parquet or as CSV."""
    rng = np.random.default_rng(5)
    table = pa.table(
        {"x": rng.normal(size=500).round(3), "n": rng.integers(0, 9, 500), "s": rng.choice(["a", "b"], 500)}
    )
    shuffled = table.take(pa.array(rng.permutation(500)))
    file = tmp_path / f"training.{kind}"
    pq.write_table(shuffled, file) if kind == "parquet" else pc.write_csv(shuffled, file)
    engine = open_engine()
    try:
        assert engine.fingerprint(open_table(str(file), root=tmp_path, key="training.table")) == printed(table)
    finally:
        engine.close()


def test_the_hashes_stay_what_they_are():
    """A fingerprint recorded by an earlier version must still be the table's."""
    table = pa.table({"age": [31.0, 44.5, None], "city": ["oslo", None, "rome"], "ok": [True, False, True]})
    assert printed(table).text() == "mortis1:3:db3e49cd693e0dccae9e4b7274d96cec:4vOKeo6rJgB5Y0rmqV74-nkUAaozQoa7"
