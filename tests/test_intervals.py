"""Laws of the intervals, with statsmodels and scipy as oracles."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import false_discovery_control
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from mortis import intervals
from mortis.intervals import (
    bh,
    block_bootstrap,
    block_bootstrap_shift,
    lag_autocorrelation,
    newcombe,
    rate_shift,
    wilson,
    wilson_bounds,
)
from mortis.records import Rate

FloatArray = NDArray[np.float64]


@st.composite
def rates(draw: st.DrawFn, smallest: int = 0) -> Rate:
    n = draw(st.integers(smallest, 100_000))
    return Rate(draw(st.integers(0, n)), n)


def ratio(sums: FloatArray) -> FloatArray:
    return sums[:, 0] / sums[:, 1]


def test_doctests_hold() -> None:
    result = doctest.testmod(intervals, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@given(rates(), rates(), rates())
def test_rates_form_a_commutative_monoid(a: Rate, b: Rate, c: Rate) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Rate() == a == Rate() + a


@given(rates(smallest=1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_statsmodels(rate: Rate, confidence: float) -> None:
    got = wilson(rate.errors, rate.n, confidence=confidence)
    low, high = proportion_confint(rate.errors, rate.n, alpha=1 - confidence, method="wilson")
    assert (got.low, got.high) == pytest.approx((low, high), abs=1e-12)
    assert got.low <= got.value <= got.high
    assert got.n == rate.n


@given(rates(smallest=1), rates(smallest=1))
def test_newcombe_equals_statsmodels(before: Rate, after: Rate) -> None:
    got = newcombe(before, after)
    low, high = confint_proportions_2indep(
        after.errors, after.n, before.errors, before.n, method="newcomb", compare="diff", correction=False
    )
    assert (got.low, got.high) == pytest.approx((low, high), abs=1e-9)
    shift = rate_shift(before, after)
    assert (shift.change, shift.low, shift.high) == (got.value, got.low, got.high)


@given(rates(smallest=1), rates(smallest=1))
def test_swapping_the_periods_mirrors_the_shift(before: Rate, after: Rate) -> None:
    there, back = newcombe(before, after), newcombe(after, before)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-12)


@given(rates(smallest=1), st.integers(2, 50))
def test_more_rows_at_the_same_rate_never_widen_the_interval(rate: Rate, times: int) -> None:
    once, often = wilson(rate.errors, rate.n), wilson(rate.errors * times, rate.n * times)
    assert often.high - often.low <= once.high - once.low + 1e-12


def test_bounds_of_no_rows_say_nothing_is_known() -> None:
    low, high = wilson_bounds([0, 3], [0, 10])
    assert (low[0], high[0]) == (0.0, 1.0)
    assert 0 < low[1] < 0.3 < high[1] < 1


@pytest.mark.parametrize(("errors", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_impossible_rates_are_refused(errors: int, n: int) -> None:
    with pytest.raises(ValueError, match=r"errors must lie in 0\.\.n"):
        Rate(errors, n)


def test_a_rate_of_no_rows_has_no_value() -> None:
    with pytest.raises(ValueError, match="no rows"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="no rows"):
        rate_shift(Rate(), Rate(1, 10))


@given(st.lists(st.floats(0, 1), max_size=60))
def test_bh_equals_scipy(p: list[float]) -> None:
    expected = false_discovery_control(p) if p else np.array([])
    np.testing.assert_allclose(bh(p), expected, atol=1e-12)


def test_bh_refuses_what_is_no_probability() -> None:
    for p in ([0.2, 1.2], [0.2, float("nan")]):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            bh(p)


def daily_sums(rng: np.random.Generator, days: int, phi: float) -> FloatArray:
    """Errors and rows by day; the day's rate is AR(1) around 0.1."""
    noise = rng.normal(size=days)
    for i in range(1, days):
        noise[i] = phi * noise[i - 1] + np.sqrt(1 - phi**2) * noise[i]
    n = rng.integers(500, 1500, size=days)
    return np.column_stack([rng.binomial(n, np.clip(0.1 + 0.02 * noise, 0, 1)), n]).astype(np.float64)


def coverage(*, days: int, phi: float, run: int | None, runs: int = 300) -> float:
    rng = np.random.default_rng(days)
    held = 0
    for _ in range(runs):
        sums = daily_sums(rng, days, phi)
        got = block_bootstrap(sums, ratio, n=int(sums[:, 1].sum()), rng=rng, draws=400, run=run)
        held += got.low <= 0.1 <= got.high
    return held / runs


@pytest.mark.parametrize("days", [6, 14, 60])
def test_the_bootstrap_interval_holds_the_truth_as_often_as_it_says(days: int) -> None:
    assert coverage(days=days, phi=0.0, run=1) >= 0.91


def test_drawing_neighbors_together_repairs_coverage_under_autocorrelation() -> None:
    naive, moving = (coverage(days=120, phi=0.6, run=run) for run in (1, None))
    assert naive < 0.8
    assert moving > naive + 0.08


def test_the_bootstrap_agrees_with_the_standard_error_of_a_mean() -> None:
    rng = np.random.default_rng(3)
    sums = np.column_stack([rng.normal(5, 1, size=200), np.ones(200)])
    got = block_bootstrap(sums, ratio, n=200, rng=rng, draws=4000)
    assert (got.high - got.low) == pytest.approx(2 * 1.97 * sums[:, 0].std(ddof=1) / np.sqrt(200), rel=0.08)


def test_the_bootstrap_is_seeded_and_indifferent_to_the_order_of_independent_blocks_in_law() -> None:
    sums = daily_sums(np.random.default_rng(0), 30, 0.0)
    first, again = (block_bootstrap(sums, ratio, n=1, rng=np.random.default_rng(1)) for _ in range(2))
    assert first == again
    turned = block_bootstrap(sums[::-1], ratio, n=1, rng=np.random.default_rng(1), draws=4000)
    assert (turned.low, turned.high) == pytest.approx((first.low, first.high), abs=0.002)


def test_totals_keep_their_scale_when_runs_do_not_divide_the_blocks() -> None:
    sums = np.column_stack([np.full(10, 3.0), np.full(10, 7.0)])
    got = block_bootstrap(sums, lambda s: s[:, 0], n=70, rng=np.random.default_rng(0), run=3)
    assert (got.value, got.low, got.high) == pytest.approx((30.0, 30.0, 30.0))


def test_the_difference_of_two_windows_holds_the_truth() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        before, after = daily_sums(rng, 60, 0.3), daily_sums(rng, 14, 0.3)
        got = block_bootstrap_shift(before, after, ratio, n=1, rng=rng, draws=300)
        held += got.low <= 0 <= got.high
    assert held / 200 >= 0.88


@pytest.mark.parametrize(
    ("sums", "run", "message"),
    [
        (np.ones((4, 2)), 1, "at least 5 blocks"),
        (np.ones(8), 1, "shape"),
        (np.ones((8, 2)), 5, "half of the blocks"),
        (np.zeros((8, 2)), 1, "not defined"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_cannot_be_bootstrapped_is_refused(sums: FloatArray, run: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        block_bootstrap(sums, ratio, n=1, rng=np.random.default_rng(0), run=run)


def test_a_constant_series_is_not_autocorrelated() -> None:
    assert lag_autocorrelation(np.full(9, 0.1)) == 0.0
