"""Laws of ramps and of failures that come and go."""

from __future__ import annotations

import doctest
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mortis.onset import shapes
from mortis.onset.levels import Search, make_levels
from mortis.onset.shapes import find_runs, fit_ramp


def test_doctests_hold() -> None:
    result = doctest.testmod(shapes)
    assert result.attempted > 0
    assert result.failed == 0


@settings(deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=1, max_size=9), st.floats(0.1, 3))
def test_dynamic_programming_finds_the_best_of_all_sequences(ratio: list[float], cost: float) -> None:
    def worth(states: tuple[bool, ...]) -> float:
        switches = sum(a != b for a, b in pairwise(states))
        return sum(r for r, on in zip(ratio, states, strict=True) if on) - cost * switches

    everything = [s for s in product([False, True], repeat=len(ratio)) if not s[0]]
    got = shapes._two_states(np.array(ratio), cost)
    assert worth(tuple(got.tolist())) == pytest.approx(max(map(worth, everything)), abs=1e-9)


@pytest.mark.parametrize(("start", "duration"), [(30, 12), (60, 40)])
def test_the_ramp_gain_is_that_of_least_squares(start: int, duration: int) -> None:
    """The hinge's cumulative sums against NumPy's least squares."""
    rng = np.random.default_rng(start)
    t = np.arange(120)
    x = np.clip((t - start + 1) / duration, 0, 1)
    values, w = 5 + x + rng.normal(0, 0.2, 120), rng.uniform(0.5, 2, 120)
    levels = make_levels(values, w, counts=False, phi=0.0)
    w = levels.w
    design = np.column_stack([np.ones(120), x]) * np.sqrt(w)[:, None]
    rest = float(np.linalg.lstsq(design, values * np.sqrt(w), rcond=None)[1][0])
    total = float((w * (values - np.average(values, weights=w)) ** 2).sum())
    spread = float((w * (x - np.average(x, weights=w)) ** 2).sum())
    wanted = 59 * np.log((total + levels.floor) / (rest + levels.floor)) - 0.5 * np.log(spread)
    got = shapes._hinge_log_posterior(levels, np.array([[start]]), np.array([[duration]]), Search("up", 1, 1))
    assert float(got[0, 0]) == pytest.approx(wanted, rel=1e-3)


def test_a_step_is_no_ramp_and_a_ramp_no_step() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(100)
    for shape, is_ramp in ((t >= 50, False), (np.clip((t - 30) / 40, 0, 1), True)):
        levels = make_levels(10 + 4 * shape + rng.normal(size=100), np.ones(100), counts=False, phi=0.0)
        ramp = fit_ramp(levels, Search("up", 1, 1), stop=100)
        assert ramp is not None
        assert (ramp.log_bayes_factor > 4) == is_ramp
        assert ramp.probability.sum() == pytest.approx(1)


def test_a_series_too_short_for_a_ramp_has_none() -> None:
    assert fit_ramp(make_levels(np.arange(6.0), np.ones(6), counts=False, phi=0.0), Search("up", 1, 1), stop=2) is None


def test_a_constant_series_has_no_runs() -> None:
    levels = make_levels(np.full(10, 0.3), np.full(10, 100.0), counts=True, phi=0.0)
    assert find_runs(levels, np.arange(10) > 5, switch_cost=3.0) == ()
