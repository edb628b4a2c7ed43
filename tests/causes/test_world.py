"""A shift of inputs and a changed relation are told apart where they can be, and their shares sum to the rise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mortis.causes.propensity import RIDGE, auc, logistic, one_hot, propensity
from mortis.causes.world import decide_world, decompose, parts, shared_support
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    BASELINE,
    INCIDENT,
    facts_of,
    rows_of,
)

HARD = {"asia": 0.05, "eu": 0.15, "us": 0.45}


def rows(rng, n, shares, *, window=BASELINE, error=None):
    """Rows of three regions with these shares, wrong as often as `error` says for each region."""
    region = rng.choice(list(HARD), n, p=shares).astype(object)
    chance = np.array([(error or HARD)[value] for value in region])
    features = {"region": region, "noise": rng.normal(0, 1, n)}
    y = (rng.random(n) < 0.5).astype(float)
    p = np.where(rng.random(n) < chance, 1 - y, y)
    return rows_of(features, y, p, np.full(n, np.nan), window=window)


def decided(before, during):
    return {one.id: one for one in decide_world(facts_of(before, during, models={}))}


@given(st.data())
def test_the_parts_sum_to_the_rise_exactly(data):
    n = data.draw(st.integers(4, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    came = np.concatenate([[0.0, 1.0], rng.integers(0, 2, n)])
    loss, weights = rng.random(n + 2), shared_support(rng.uniform(0.01, 0.99, n + 2), came)
    rise = loss[came == 1].mean() - loss[came == 0].mean()
    assert parts(loss, came, weights, np.ones(n + 2)).sum() == pytest.approx(rise, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=2, max_size=50))
def test_the_area_is_that_of_scikit_learn(pairs):
    score, came = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    if 0 < came.sum() < len(came):
        assert auc(score, came) == pytest.approx(roc_auc_score(came, score))


def test_the_regression_is_that_of_scikit_learn(rng):
    before, after = rows(rng, 900, [0.5, 0.3, 0.2]), rows(rng, 700, [0.2, 0.3, 0.5])
    x = one_hot(before, after)
    came = np.concatenate([np.zeros(900), np.ones(700)])
    fitted = LogisticRegression(C=1 / RIDGE, tol=1e-8, max_iter=500).fit(x[:, 1:], came)
    assert logistic(x, came)[0] == pytest.approx([*fitted.intercept_, *fitted.coef_[0]], abs=2e-3)


def test_the_classifiers_area_is_that_of_scikit_learns_model_where_windows_differ(rng):
    """Cross-fitted on rows not seen: near the area of a model fitted and judged on separate halves."""
    before, after = rows(rng, 3000, [0.6, 0.3, 0.1]), rows(rng, 3000, [0.1, 0.3, 0.6])
    came = np.concatenate([np.zeros(3000), np.ones(3000)])
    x = one_hot(before, after)
    half = rng.random(6000) < 0.5
    fitted = LogisticRegression(C=1 / RIDGE).fit(x[half], came[half])
    expected = roc_auc_score(came[~half], fitted.predict_proba(x[~half])[:, 1])
    assert auc(propensity(before, after, np.ones((1, 6000)), rng=rng).chance, came) == pytest.approx(expected, abs=0.02)


def test_rows_that_moved_to_harder_inputs_are_a_shift_of_inputs(rng):
    found = decided(rows(rng, 4000, [0.6, 0.3, 0.1]), rows(rng, 4000, [0.1, 0.3, 0.6], window=INCIDENT))
    assert (found["W1"].verdict, found["W2"].verdict) == ("supported", "refuted")
    assert found["W1"].share.value == pytest.approx(1, abs=0.15)


def test_like_inputs_that_fare_worse_are_concept_drift(rng):
    worse = {"asia": 0.25, "eu": 0.35, "us": 0.65}
    found = decided(rows(rng, 4000, [0.4, 0.3, 0.3]), rows(rng, 4000, [0.4, 0.3, 0.3], window=INCIDENT, error=worse))
    assert (found["W1"].verdict, found["W2"].verdict) == ("refuted", "supported")
    assert found["W2"].share.value == pytest.approx(1, abs=0.15)


def test_a_new_segment_that_fares_badly_is_a_shift_of_inputs(rng):
    """A region the baseline never had takes 30 % of the rows: what it costs lies outside the baseline's support."""
    before, during = rows(rng, 4000, [0.5, 0.5, 0.0]), rows(rng, 4000, [0.35, 0.35, 0.3], window=INCIDENT)
    found = decompose(facts_of(before, during, models={}), rng=rng)
    assert found.outside.low > 0.7
    assert decided(before, during)["W1"].verdict == "supported"


def test_windows_without_common_inputs_are_not_parted(rng):
    found = decided(rows(rng, 2000, [1, 0, 0]), rows(rng, 2000, [0, 0, 1], window=INCIDENT))
    assert {one.verdict for one in found.values()} == {"inconclusive"}
    assert "share too few inputs" in found["W2"].result


def test_few_rows_or_no_rise_are_said_to_be_untested(rng):
    few = decided(rows(rng, 150, [0.4, 0.3, 0.3]), rows(rng, 150, [0, 0, 1], window=INCIDENT))
    fell = decided(rows(rng, 900, [0, 0, 1]), rows(rng, 900, [1, 0, 0], window=INCIDENT))
    for one in (*few.values(), *fell.values()):
        assert one.verdict == "not_tested"


@pytest.mark.parametrize(("errors", "verdict"), [(70, "not_tested"), (100, "supported")])
def test_a_rise_that_the_worst_of_many_days_shows_by_chance_is_not_the_worlds(rng, errors, verdict):
    """One error in ten, then 70 of 500: three deviations; 100 of 500 are seven."""

    def wrong(n, errors, **more):
        p = rng.permutation(np.arange(n) < errors).astype(float)
        return rows_of({"noise": rng.normal(0, 1, n)}, np.zeros(n), p, np.full(n, np.nan), **more)

    found = decided(wrong(4000, 400), wrong(500, errors, window=INCIDENT))
    assert found["W2"].verdict == verdict


def truth(p, q, old, new):
    """The true shares of a discrete world: harder inputs, changed relation, outside the support."""
    shared = p * q / (p + q)
    shared /= shared.sum()
    steps = np.array([shared @ old - p @ old, shared @ new - shared @ old, q @ new - shared @ new])
    return steps / steps.sum()


@pytest.mark.parametrize(
    ("p", "q", "worse"),
    [
        ((0.6, 0.3, 0.1), (0.2, 0.3, 0.5), 0.0),
        ((0.4, 0.3, 0.3), (0.4, 0.3, 0.3), 0.15),
        ((0.5, 0.3, 0.2), (0.2, 0.3, 0.5), 0.1),
    ],
    ids=["inputs", "relation", "both"],
)
def test_the_shares_intervals_hold_the_true_shares(p, q, worse):
    """In 25 worlds of known shares, at least 20 of the intervals of each part hold the truth."""
    later = {region: chance + worse for region, chance in HARD.items()}
    expected = truth(np.array(p), np.array(q), np.array(list(HARD.values())), np.array(list(later.values())))
    held = np.zeros(3)
    for seed in range(25):
        rng = np.random.default_rng(seed)
        facts = facts_of(rows(rng, 1500, p), rows(rng, 1500, q, window=INCIDENT, error=later), models={})
        found = decompose(facts, rng=rng)
        for i, one in enumerate((found.harder, found.relation, found.outside)):
            held[i] += one.low - 1e-9 <= expected[i] <= one.high + 1e-9
    assert held.min() >= 20, held


def test_healthy_windows_blame_no_world(rng):
    """In 30 pairs of windows from one world, neither is supported."""
    for _ in range(30):
        found = decided(rows(rng, 1200, [0.4, 0.3, 0.3]), rows(rng, 800, [0.4, 0.3, 0.3], window=INCIDENT))
        assert {one.verdict for one in found.values()} <= {"not_tested", "inconclusive", "refuted"}
