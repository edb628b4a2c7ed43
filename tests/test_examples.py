"""Sampled rows of a slice: wrong ones, each with the nearest right one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.engine.dataset import Condition
from mortis.errors.examples import MASK, MOST_EXAMPLES, fulfils, pick_examples

EVERYWHERE: tuple[Condition, ...] = ()


def row(*, wrong: bool | None, **features: Any) -> dict[str, Any]:
    """A row as the examples need it."""
    return {"is_error": wrong, "shown": {"label": 1}, **features}


def test_the_nearest_right_row_follows_each_wrong_one():
    rows = [row(wrong=True, x=1.0), row(wrong=False, x=9.0), row(wrong=False, x=2.0)]
    found = pick_examples(rows, EVERYWHERE, ("x",))
    assert [(one.values["x"], one.wrong) for one in found] == [("1", True), ("2", False)]


def test_rows_outside_the_slice_are_never_shown():
    rows = [row(wrong=True, x=1.0), row(wrong=True, x=9.0), row(wrong=False, x=1.1)]
    found = pick_examples(rows, (Condition("x", low=5.0),), ("x",))
    assert [one.values["x"] for one in found] == ["9"]


def test_rows_that_count_as_neither_are_never_shown():
    """A row without a label is no error and no right row."""
    assert pick_examples([row(wrong=None, x=1.0)], EVERYWHERE, ("x",)) == ()


def test_a_sensitive_column_is_masked_and_still_counts_for_nearness():
    rows = [row(wrong=True, name="ann", x=1), row(wrong=False, name="bob", x=1), row(wrong=False, name="ann", x=1)]
    found = pick_examples(rows, EVERYWHERE, ("name", "x"), sensitive=("name",))
    assert {one.values["name"] for one in found} == {MASK}
    assert len(found) == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from([True, False, None]),
            st.one_of(st.none(), st.floats(-5, 5)),
            st.one_of(st.none(), st.sampled_from("abc")),
        ),
        max_size=25,
    )
)
def test_nearness_is_that_of_a_brute_force_search(drawn):
    """Gower's distance: scaled differences of numbers, 0 or 1 of categories, a missing value far from a present one."""
    rows = [row(wrong=wrong, x=x, c=c) for wrong, x, c in drawn]
    found = pick_examples(rows, EVERYWHERE, ("x", "c"))
    wrong = [one for one in rows if one["is_error"] is True][:MOST_EXAMPLES]
    right = [one for one in rows if one["is_error"] is False]
    assert len(found) == len(wrong) * (2 if right else 1)
    known = [one["x"] for one in (*wrong, *right) if one["x"] is not None]
    spread = max(known) - min(known) if known else 0.0

    def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
        x, y = one["x"], other["x"]
        if x is None or y is None:
            number = 0.0 if x is None and y is None else 1.0
        else:
            number = abs(x - y) / spread if spread else 0.0
        return float(number + (one["c"] != other["c"]))

    for one, near in zip(wrong, found[1::2], strict=True) if right else ():
        distances = [apart(one, other) for other in right]
        shown = [other for other in right if _shown(other) == (near.values["x"], near.values["c"])]
        assert min(apart(one, other) for other in shown) == pytest.approx(min(distances))


def _shown(one: dict[str, Any]) -> tuple[str, str]:
    x, c = one["x"], one["c"]
    return ("null" if x is None else f"{x:.6g}"), ("null" if c is None else c)


@pytest.mark.parametrize(
    ("condition", "meets"),
    [
        (Condition("x", low=1.0), [False, True, True, False]),
        (Condition("x", high=2.0), [True, True, False, False]),
        (Condition("x", low=1.0, high=2.0), [False, True, False, False]),
        (Condition("x", is_null=True), [False, False, False, True]),
    ],
)
def test_ranges_are_half_open_and_null_meets_only_null(condition, meets):
    assert [fulfils({"x": x}, condition) for x in (0.0, 1.0, 2.0, None)] == meets


def test_values_are_compared_as_text():
    """Booleans and whole numbers stand in conditions as text."""
    assert fulfils({"x": "a"}, Condition("x", value="a"))
    assert fulfils({"x": "b"}, Condition("x", none_of=("a",)))
    assert not fulfils({"x": None}, Condition("x", none_of=("a",)))


def test_the_same_rows_give_the_same_examples(rng):
    rows = [row(wrong=bool(w), x=float(x)) for w, x in zip(rng.integers(0, 2, 50), rng.normal(size=50), strict=True)]
    assert pick_examples(rows, EVERYWHERE, ("x",)) == pick_examples(list(rows), EVERYWHERE, ("x",))
