"""Codes and names of the rows that slices are searched on: each name belongs to one code, and means what it says."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mortis.engine.coding import CODED_CATEGORIES, category_coding, number_coding
from mortis.engine.dataset import Condition
from mortis.errors.analysis import as_sql

edges = st.lists(st.floats(-1e18, 1e18), min_size=1, max_size=20, unique=True).map(sorted)


@given(edges)
def test_names_of_buckets_are_told_apart(values):
    coding = number_coding("x", values)
    assert len(set(coding.names)) == len(coding.names) == len(values) + 2


def test_dates_written_as_numbers_keep_their_digits():
    """Six digits made two buckets of one name, so that a slice was counted in the other's rows."""
    assert number_coding("day", (20130801.0, 20130808.0, 20130815.0)).names[1] == "20130801 to < 20130808"


def test_a_category_that_is_called_other_is_not_the_rest():
    many = [f"v{i}" for i in range(CODED_CATEGORIES + 5)]
    column = pa.chunked_array([["(other)"] * 9 + many])
    coding = category_coding("channel", [column])
    assert len(set(coding.names)) == len(coding.names)
    assert coding.conditions[coding.names.index("(other)")] == Condition("channel", value="(other)")
    assert coding.conditions[-1].none_of


@given(st.floats(-1e300, 1e300))
def test_the_sql_of_a_bound_is_exact(bound):
    assert float(as_sql(Condition("x", low=bound)).removeprefix('"x" >= ')) == bound
