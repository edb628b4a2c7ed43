"""A training pipeline that knows the outcome is told from one that differs in an honest way."""

from __future__ import annotations

import numpy as np

from mortis.causes.leaks import decide_leak
from mortis.integrity.skew import parity
from mortis.rows import OfflineRows
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    facts_of,
    served,
)


def decided(rng, added):
    """The outcome where the pipeline's load is the served one and what `added` gives for a window's rows."""
    before, during = served(rng, 2000), served(rng, 2000, window=INCIDENT)
    old, new = (
        OfflineRows({**one.features, "load": one.features["load"] + added(one)}, np.ones(len(one), bool))
        for one in (before, during)
    )
    facts = facts_of(before, during, offline=new, skews=parity(before, old, during, new))
    (found,) = decide_leak(facts)
    return found


def test_a_feature_that_holds_the_outcome_in_training_is_a_leak(rng):
    found = decided(rng, lambda one: 2.0 * (one.y - 0.5))
    assert (found.verdict, found.features) == ("confirmed", ("load",))
    assert "as training promised" in found.result


def test_a_feature_that_differs_without_the_outcome_is_none(rng):
    assert decided(rng, lambda one: np.full(len(one), 0.3)).verdict == "refuted"
    assert decided(rng, lambda one: rng.normal(0, 1, len(one))).verdict == "refuted"
    assert decided(rng, lambda one: np.zeros(len(one))).verdict == "refuted"
