"""A mix shift is confirmed where segments changed their share and none fared worse, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.causes.mix import Counts, decide_mix, split_by_value
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    BASELINE,
    INCIDENT,
    facts_of,
    profile_of,
    rows_of,
)

ERROR = {"asia": 0.05, "eu": 0.15, "us": 0.45}


def rows(rng, n, shares, *, window=BASELINE, error=ERROR):
    """Rows of three regions with these shares and error rates, and a number that tells nothing."""
    region = rng.choice(list(ERROR), n, p=shares).astype(object)
    y = (rng.random(n) < 0.5).astype(float)
    wrong = rng.random(n) < np.array([error.get(value, 0.6) for value in region])
    features = {"noise": rng.normal(0, 1, n), "region": region}
    return rows_of(features, y, np.where(wrong, 1 - y, y), y, window=window)


def decided(before, during):
    return next(iter(decide_mix(facts_of(before, during, models={}, profile=profile_of(before, during)))))


COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=3, max_size=3)


@given(COUNTS.filter(lambda c: sum(n for n, _ in c) > 0), COUNTS.filter(lambda c: sum(n for n, _ in c) > 0))
def test_the_parts_of_all_values_sum_to_the_rise_exactly(before, after):
    """Also where a window lacks a value."""
    old, new = (Counts(*np.array([(n, min(n, e)) for n, e in side], dtype=float).T) for side in (before, after))
    between, within = split_by_value(old, new)
    assert between.sum() + within.sum() == pytest.approx(new.rate - old.rate, abs=1e-12)


def test_segments_that_only_changed_their_share_are_a_mix_shift(rng):
    """Simpson: the whole fares worse by far, and no region does."""
    found = decided(rows(rng, 5000, [0.6, 0.3, 0.1]), rows(rng, 3000, [0.2, 0.3, 0.5], window=INCIDENT))
    assert (found.verdict, found.features) == ("confirmed", ("region",))
    assert found.share.value == pytest.approx(1, abs=0.15)
    assert found.share.low <= 1 <= found.share.high
    assert "no value of it fares worse" in found.result


@pytest.mark.parametrize("shares", [[0.4, 0.3, 0.3], [0.2, 0.3, 0.5]], ids=["same-mix", "other-mix"])
def test_segments_that_fared_worse_are_no_mix_shift(rng, shares):
    worse = {region: chance + 0.15 for region, chance in ERROR.items()}
    found = decided(rows(rng, 5000, [0.4, 0.3, 0.3]), rows(rng, 3000, shares, window=INCIDENT, error=worse))
    assert found.verdict in ("refuted", "inconclusive")
    assert found.share is None


def test_a_new_segment_that_fares_badly_is_no_mix_shift(rng):
    before, during = rows(rng, 5000, [0.5, 0.5, 0.0]), rows(rng, 3000, [0.35, 0.35, 0.3], window=INCIDENT)
    found = decided(before, during)
    assert found.verdict in ("refuted", "inconclusive")


def test_healthy_windows_have_no_mix_shift():
    """In 30 pairs of windows from one world, none is confirmed."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found = decided(rows(rng, 1500, [0.4, 0.3, 0.3]), rows(rng, 900, [0.4, 0.3, 0.3], window=INCIDENT))
        assert found.verdict != "confirmed"


def test_a_mix_that_makes_far_more_than_the_rise_is_not_the_mix_alone(rng):
    """Rows of the hard region grew, and fare better than such rows did: they are not such rows."""
    before, during = (
        rows(rng, 6000, [0.5, 0.3, 0.2]),
        rows(rng, 6000, [0.1, 0.1, 0.8], window=INCIDENT, error={"asia": 0.05, "eu": 0.15, "us": 0.28}),
    )
    found = decided(before, during)
    assert found.verdict in ("inconclusive", "refuted")
