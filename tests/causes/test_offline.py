"""The training pipeline's values in place of the served ones: the fault by its kind, not one that was always there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mortis.causes.offline import decide_two_paths, offline_repairs
from mortis.causes.repairs import decide_repairs
from mortis.integrity.skew import parity
from mortis.rows import OfflineRows
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    corrupted,
    facts_of,
)


def offline(sample, **columns):
    """The pipeline's values of all rows: those served, or others."""
    return OfflineRows({**sample.features, **columns}, np.ones(len(sample), bool))


def held(before, during, old, new):
    """Facts of rows that were held against the pipeline's values of both windows."""
    return facts_of(before, during, offline=new, skews=parity(before, old, during, new))


def decided(before, during, old, new):
    facts = held(before, during, old, new)
    return [*decide_repairs(facts), *decide_two_paths(facts)]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda x, _: 60 * x, "D3"),
        (lambda x, _: np.full(len(x), np.nan), "D1"),
        (lambda x, _: np.minimum(x, 5.0), "S1"),
        (lambda x, rng: rng.permutation(x), "D6"),
        (lambda x, rng: x * rng.lognormal(0, 1.5, len(x)) + 7, "S1"),
    ],
    ids=["a factor", "nulls", "a limit", "another row's", "no rule"],
)
def test_the_kind_of_skew_names_the_cause_and_the_true_values_decide(before, during, rng, change, cause):
    """Each kind in all rows: confirmed, and with the true values the whole fall is taken back.

    A limit that only serving applies is no unit, but another way of working the feature out.
    """
    true = during.features["delay"]
    struck = corrupted(during, "delay", change(true, rng))
    found = decided(before, struck, offline(before), offline(during))
    best = next(one for one in found if one.features == ("delay",))
    assert (best.id, best.verdict) == (cause, "confirmed")
    assert best.share.low > 0.5


def test_features_of_another_day_are_one_fault_of_the_job_that_made_them(before, during):
    """Three days late, two features together: H4 with its days, not two ways of working features out."""
    back = np.searchsorted(during.second, during.second - 3 * 86_400)
    struck = during
    for name in ("delay", "load"):
        struck = corrupted(struck, name, during.features[name][back])
    best = decided(before, struck, offline(before), offline(during))[0]
    assert (best.id, best.verdict, set(best.features)) == ("H4", "confirmed", {"delay", "load"})
    assert best.parameters["days"] == 3


def test_one_feature_that_holds_what_it_held_before_is_stale(before, during):
    """D5; its look-alike, a feature worked out otherwise, holds values that no row ever had."""
    last = during.features["load"][np.arange(len(during)) // 300 * 300]
    found = decided(before, corrupted(during, "load", last), offline(before), offline(during))
    assert (found[0].id, found[0].features) == ("D5", ("load",))
    assert found[0].verdict in ("confirmed", "supported")


def test_only_rows_that_the_pipeline_knows_are_put_right(before, during):
    struck = corrupted(during, "delay", 60 * during.features["delay"])
    known = np.arange(len(during)) < 1000
    facts = held(before, struck, offline(before), replace(offline(during), found=known))
    (repair,) = offline_repairs(facts)
    fixed = repair.undo(struck).features["delay"]
    np.testing.assert_allclose(fixed[known], during.features["delay"][known])
    np.testing.assert_allclose(fixed[~known], struck.features["delay"][~known])
    part = struck.where(np.arange(len(during)) % 2 == 0)
    np.testing.assert_allclose(repair.undo(part).features["delay"], fixed[::2])


def test_skew_that_was_there_before_is_no_cause(before, during):
    """As far in the baseline as in the incident: told with its size, and ruled out."""
    old, new = (offline(one, load=one.features["load"] + 0.3) for one in (before, during))
    found = decided(before, during, old, new)
    assert {one.verdict for one in found} == {"refuted"}
    paths = next(one for one in found if one.id == "S1" and "looked up" in one.result)
    assert "load departs from the offline values (100.0 % of rows), but no more than in the baseline" in paths.result


def test_rows_that_are_not_found_decide_nothing(before, during):
    nothing = [replace(offline(one), found=np.zeros(len(one), bool)) for one in (before, during)]
    (paths,) = decide_two_paths(held(before, during, *nothing))
    assert paths.verdict == "not_tested"


def test_without_offline_values_nothing_is_said(before, during):
    facts = facts_of(before, during)
    assert not list(offline_repairs(facts))
    assert not list(decide_two_paths(facts))
