"""Laws of the two-level fits, with exhaustive search and ruptures as oracles."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import ruptures
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, norm

from mortis.onset import levels as levels_module
from mortis.onset.levels import (
    Harm,
    Levels,
    Search,
    affected,
    best_pulse,
    best_step,
    make_levels,
    runs_gain,
    split_gain,
)


def test_doctests_hold() -> None:
    result = doctest.testmod(levels_module)
    assert result.attempted > 0
    assert result.failed == 0


@st.composite
def any_levels(draw: st.DrawFn) -> Levels:
    size = draw(st.integers(4, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = rng.integers(1, 60, size=size).astype(np.float64)
    counts = draw(st.booleans())
    values = rng.binomial(n.astype(np.int64), 0.3) / n if counts else rng.normal(5, 1, size=size)
    return make_levels(values, n, counts=counts, phi=draw(st.sampled_from([0.0, 0.4])))


def direct_gain(levels: Levels, on: NDArray[np.bool_]) -> float:
    """The likelihood ratio by scipy's densities, bucket by bucket."""
    whole = np.ones(levels.size, dtype=np.bool_)
    split = [part for part in (on, ~on) if part.any()]
    return levels.temper * (log_density(levels, split) - log_density(levels, [whole]))


def log_density(levels: Levels, parts: list[NDArray[np.bool_]]) -> float:
    """The greatest log likelihood with one level in each part, the Gaussian's scaled to its degrees of freedom."""
    means = [(part, float(np.average(levels.values[part], weights=levels.w[part]))) for part in parts]
    if levels.counts:
        return sum(float(np.sum(binom.logpmf(levels.y[p].round(), levels.w[p], np.clip(m, 0, 1)))) for p, m in means)
    square = sum(float((levels.w[p] * (levels.values[p] - m) ** 2).sum()) for p, m in means) + levels.floor
    scale = np.sqrt(square / levels.size)
    density = sum(float(norm.logpdf(levels.values[p], m, scale / np.sqrt(levels.w[p])).sum()) for p, m in means)
    # With the floor the squares make up size / 2 at the best scale, whatever the split.
    return (density - levels.floor / float(2 * scale**2)) * (levels.size - 2) / levels.size


@given(any_levels(), st.data())
def test_gain_is_the_log_likelihood_ratio(levels: Levels, data: st.DataObject) -> None:
    start = data.draw(st.integers(1, levels.size - 1))
    end = data.draw(st.integers(start + 1, levels.size))
    got = runs_gain(levels, ((start, end),))
    assert got == pytest.approx(direct_gain(levels, affected(levels.size, ((start, end),))), abs=1e-6)


@settings(deadline=None)
@given(any_levels(), st.sampled_from(["up", "down", None]), st.integers(1, 3), st.integers(1, 2))
def test_best_pulse_and_step_beat_every_other(levels: Levels, harm: Harm | None, earliest: int, shortest: int) -> None:
    """Against trying every pair."""
    search = Search(harm, earliest, shortest)

    def exhaustive(ends: range) -> float:
        gains = [-np.inf]
        for a in range(earliest, levels.size):
            for b in ends:
                if b - a < shortest:
                    continue
                on = affected(levels.size, ((a, b),))
                rise = levels.y[on].sum() / levels.w[on].sum() - levels.y[~on].sum() / levels.w[~on].sum()
                if harm is None or (rise > 1e-12 if harm == "up" else rise < -1e-12):
                    gains.append(runs_gain(levels, ((a, b),)))
        return max(gains)

    step, pulse = best_step(levels, search), best_pulse(levels, search)
    wanted = exhaustive(range(levels.size, levels.size + 1))
    assert step.gain == pytest.approx(wanted, abs=1e-9) if step and np.isfinite(wanted) else wanted < 1e-9
    wanted = exhaustive(range(levels.size))
    assert pulse.gain == pytest.approx(wanted, abs=1e-9) if pulse and np.isfinite(wanted) else wanted < 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_best_step_is_the_change_point_of_ruptures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = int(rng.integers(5, 95))
    values = rng.normal(size=100) + 1.5 * (np.arange(100) >= start)
    found = ruptures.Dynp(model="l2", min_size=1, jump=1).fit(values).predict(n_bkps=1)[0]
    fit = best_step(make_levels(values, np.ones(100), counts=False, phi=0.0), Search(None, 1, 1))
    assert fit is not None
    assert fit.runs[0][0] == found


@pytest.mark.parametrize("seed", range(5))
def test_the_score_finds_pulses_of_rates_as_likely_as_trying_all(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    n = rng.integers(5, 500, size=100).astype(np.float64)
    on = affected(100, ((40, 40 + 3 * seed + 2),))
    rates = rng.binomial(n.astype(np.int64), np.where(on, 0.2, 0.05)) / n
    levels = make_levels(rates, n, counts=True, phi=0.0)
    exact = best_pulse(levels, Search("up", 1, 1))
    monkeypatch.setattr(levels_module, "EXACT_SIZE", 0)
    quick = best_pulse(levels, Search("up", 1, 1))
    assert exact is not None
    assert quick is not None
    assert quick.gain >= 0.95 * exact.gain


@given(any_levels(), st.integers(2, 9))
def test_scaling_all_rows_scales_the_evidence_of_rates_and_leaves_that_of_values(levels: Levels, times: int) -> None:
    phi = (1 - levels.temper) / (1 + levels.temper)
    more = make_levels(levels.values, levels.w * times, counts=levels.counts, phi=phi)
    factor = times if levels.counts else 1
    gains = [float(split_gain(x, x.y[-1:], x.w[-1:])[0]) for x in (levels, more)]
    assert gains[1] == pytest.approx(factor * gains[0], rel=1e-6, abs=1e-6)
