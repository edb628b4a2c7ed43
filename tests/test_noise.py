"""Laws of season, spread and autocorrelation."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.onset import noise
from mortis.onset.noise import autocorrelation, bucket_weights, remove_season


def test_doctests_hold() -> None:
    result = doctest.testmod(noise)
    assert result.attempted > 0
    assert result.failed == 0


def test_binomial_rates_keep_nearly_all_their_rows() -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(200, 2000, size=200).astype(np.float64)
    rates = rng.binomial(n.astype(np.int64), 0.1) / n
    spread = bucket_weights(rates, n, np.full(200, 0.1), counts=True, fitted=1)
    assert np.median(spread.of(n) / n) > 0.8


@pytest.mark.parametrize("between", [0.002, 0.02])
def test_the_spread_between_buckets_is_found(between: float) -> None:
    """Rates drawn from a beta distribution of known intra-bucket correlation."""
    rng = np.random.default_rng(1)
    n = rng.integers(200, 4000, size=400).astype(np.float64)
    total = 1 / between - 1
    rates = rng.binomial(n.astype(np.int64), rng.beta(0.1 * total, 0.9 * total, size=400)) / n
    got = bucket_weights(rates, n, np.full(400, 0.1), counts=True, fitted=1)
    assert got.between == pytest.approx(between, rel=0.25)


def test_values_of_unequal_rows_are_weighted_by_rows_only_where_that_is_so() -> None:
    rng = np.random.default_rng(2)
    n = rng.integers(10, 1000, size=400).astype(np.float64)
    sampling = bucket_weights(rng.normal(size=400) / np.sqrt(n), n, np.zeros(400), counts=False, fitted=1)
    daily = bucket_weights(rng.normal(size=400), n, np.zeros(400), counts=False, fitted=1)
    assert np.ptp(np.log(sampling.of(n) / n)) < 0.5
    assert np.ptp(np.log(daily.of(n))) < 0.25 * np.ptp(np.log(n))


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_autocorrelation_is_near_the_truth_or_above_it(phi: float) -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        x = rng.normal(size=120)
        for i in range(1, 120):
            x[i] = phi * x[i - 1] + np.sqrt(1 - phi**2) * x[i]
        found.append(autocorrelation(x - x.mean(), fitted=1))
    assert phi - 0.03 < np.mean(found) < phi + 0.12


def test_slow_drift_under_white_noise_counts_for_more_than_its_lag_one() -> None:
    rng = np.random.default_rng(4)
    drift = rng.normal(size=20_000)
    for i in range(1, drift.size):
        drift[i] = 0.8 * drift[i - 1] + 0.6 * drift[i]
    found = autocorrelation(drift + rng.normal(size=20_000), fitted=1)
    # The variance of a mean is inflated by 1 + 2 * 0.4 / (1 - 0.8) = 5, as by an AR(1) of 2/3; lag 1 alone is 0.4.
    assert found == pytest.approx(2 / 3, abs=0.06)


@given(st.integers(2, 8), st.integers(2, 6), st.integers(0, 2**32))
def test_removing_a_season_leaves_no_season(period: int, cycles: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.tile(rng.normal(size=period), cycles) + rng.normal(size=period * cycles)
    phase = np.arange(values.size) % period
    level = np.full(values.size, values.mean())
    got = remove_season(values, np.ones(values.size), level, phase=phase, part=slice(None), counts=False)
    np.testing.assert_allclose(np.bincount(phase, weights=got) / cycles, values.mean(), atol=1e-9)


def test_rates_stay_rates_when_their_season_is_removed() -> None:
    rates = np.array([0.0, 0.5, 1.0, 0.1] * 3)
    phase = np.arange(12) % 2
    got = remove_season(rates, np.full(12, 20.0), np.full(12, 0.4), phase=phase, part=slice(None), counts=True)
    assert got.min() == 0.0
    assert got.max() == 1.0


def test_one_cycle_is_not_enough_to_know_a_season() -> None:
    with pytest.raises(ValueError, match="two full cycles"):
        remove_season(np.ones(9), np.ones(9), np.ones(9), phase=np.arange(9) % 7, part=slice(None), counts=False)
