"""Laws of the placebo windows, with a loop over windows as oracle."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mortis.clarify import placebo
from mortis.clarify.placebo import compare_with_placebo, placebo_shifts

FloatArray = NDArray[np.float64]


def ratio(sums: FloatArray) -> FloatArray:
    return sums[:, 0] / sums[:, 1]


def test_doctests_hold() -> None:
    result = doctest.testmod(placebo)
    assert result.attempted > 0
    assert result.failed == 0


def by_loop(sums: FloatArray, length: int, period: int | None, phase: int) -> list[float]:
    """The definition, window by window and day by day."""
    shifts = []
    for start in range(len(sums) - length + 1):
        if period and start % period != phase:
            continue
        window = range(start, start + length)
        others = [i for i in range(len(sums)) if i not in window]
        if period:
            rest = np.zeros(2)
            for i in window:
                same = [j for j in others if j % period == i % period]
                if not same:
                    break
                rest = rest + sums[same].mean(axis=0)
            else:
                shifts.append(sums[list(window)].sum(axis=0)[0] / sums[list(window)].sum(axis=0)[1] - rest[0] / rest[1])
            continue
        inside, outside = sums[list(window)].sum(axis=0), sums[others].sum(axis=0)
        shifts.append(inside[0] / inside[1] - outside[0] / outside[1])
    return shifts


@given(st.data())
def test_shifts_equal_the_definition(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 30))
    n = data.draw(st.lists(st.integers(1, 50), min_size=size, max_size=size))
    errors = [data.draw(st.integers(0, k)) for k in n]
    sums = np.column_stack([errors, n]).astype(np.float64)
    length = data.draw(st.integers(1, size - 1))
    period = data.draw(st.sampled_from([None, 2, 7]))
    phase = data.draw(st.integers(0, (period or 1) - 1))
    got = placebo_shifts(sums, ratio, length, period=period, phase=phase)
    np.testing.assert_allclose(got, by_loop(sums, length, period, phase), atol=1e-12)


def test_a_weekly_pattern_gives_no_shift_when_weekdays_are_matched() -> None:
    errors = np.tile([10, 10, 10, 10, 10, 40, 40], 8)
    sums = np.column_stack([errors, np.full(56, 100)])
    matched = placebo_shifts(sums, ratio, 2, period=7, phase=5)
    assert np.abs(matched).max() < 1e-12
    assert np.abs(placebo_shifts(sums, ratio, 2)).max() > 0.2


def test_windows_without_rows_are_left_out() -> None:
    sums = np.array([[0, 0], [1, 10], [2, 10], [1, 10]])
    assert placebo_shifts(sums, ratio, 1).size == 3


def test_an_incident_that_is_none_stands_anywhere_among_the_placebos() -> None:
    """The exceedance of a changeless window is near uniform, so rarely below 5 %."""
    rng = np.random.default_rng(0)
    small = 0
    for _ in range(300):
        errors = rng.binomial(1000, 0.1, size=47)
        sums = np.column_stack([errors, np.full(47, 1000)])
        observed = ratio(sums[40:].sum(axis=0, keepdims=True)) - ratio(sums[:40].sum(axis=0, keepdims=True))
        got = compare_with_placebo(float(observed[0]), placebo_shifts(sums[:40], ratio, 7), harm="up")
        small += got.exceedance <= 0.05
    assert small / 300 <= 0.15


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.floats(-1, 1))
def test_mirrored_shifts_and_harm_give_the_same_exceedance(shifts: list[float], observed: float) -> None:
    up = compare_with_placebo(observed, shifts, harm="up")
    down = compare_with_placebo(-observed, [-s for s in shifts], harm="down")
    assert up.exceedance == down.exceedance
    assert up.low <= up.median <= up.high
    assert up.windows == len(shifts)


def test_what_makes_no_window_is_refused() -> None:
    sums = np.ones((5, 2))
    for length, options, message in ((5, {}, "length"), (0, {}, "length"), (2, {"stride": 0}, "stride")):
        with pytest.raises(ValueError, match=message):
            placebo_shifts(sums, ratio, length, **options)
    with pytest.raises(ValueError, match="period"):
        placebo_shifts(sums, ratio, 2, period=1)
    with pytest.raises(ValueError, match="shape"):
        placebo_shifts(np.ones(5), ratio, 2)
    with pytest.raises(ValueError, match="no placebo shifts"):
        compare_with_placebo(0.1, [])
