"""A feature that labels no longer hang on is told by the labels alone, and from a world that changed (M5, D6)."""

from __future__ import annotations

import numpy as np
import pytest

from mortis.causes.meaningless import meaningless_repairs
from mortis.causes.repairs import decide_repairs
from mortis.integrity.kinds.repair import Region
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    answered,
    corrupted,
    facts_of,
    repair_of,
    served,
)


@pytest.fixture
def before(rng):
    return served(rng, 4000)


@pytest.fixture
def clean(rng):
    return served(rng, 4000, window=INCIDENT)


def encoded_otherwise(rng, sample):
    """Load holds low values that mean nothing where region is us."""
    rows = sample.features["region"] == "us"
    return corrupted(sample, "load", np.where(rows, rng.uniform(-3.0, -2.0, len(sample)), sample.features["load"]))


def standing(facts):
    return {one.id: one for one in decide_repairs(facts) if one.verdict in ("confirmed", "supported")}


def test_values_of_another_encoding_are_incompatible_parts_where_they_stand(rng, before, clean):
    found = standing(facts_of(before, encoded_otherwise(rng, clean)))
    assert list(found) == ["M5"]
    one = found["M5"]
    assert (one.verdict, one.features, one.scope) == ("supported", ("load",), "region = us")
    assert one.parameters["items"] == "us"
    assert one.parameters["low"] == pytest.approx(-3, abs=0.1)
    assert one.parameters["high"] == pytest.approx(-2, abs=0.1)
    assert one.share.low <= 1 <= one.share.high


def test_usual_values_of_other_rows_are_told_though_no_other_column_tells_of_them(rng, before, clean):
    found = standing(facts_of(before, corrupted(clean, "load", rng.permutation(clean.features["load"]))))
    assert list(found) == ["D6"]
    assert (found["D6"].verdict, found["D6"].features, found["D6"].scope) == ("supported", ("load",), "")
    assert found["D6"].share.low <= 1 <= found["D6"].share.high


@pytest.mark.parametrize("turned", [-1.0, -0.5, 3.0])
def test_a_world_in_which_a_feature_matters_otherwise_is_no_fault_of_it(rng, before, turned):
    during = served(rng, 4000, window=INCIDENT, turned=turned)
    assert not list(meaningless_repairs(facts_of(before, during)))


def test_where_nothing_changed_all_features_tell_something(before, clean):
    assert not list(meaningless_repairs(facts_of(before, clean)))


def test_fewer_positives_of_one_region_are_no_fault_of_a_feature(rng, before, clean):
    rows = (clean.features["region"] == "us") & (rng.random(len(clean)) < 0.6)
    drifted = corrupted(clean, "noise", clean.features["noise"])
    drifted.y[rows] = 0.0
    assert not list(meaningless_repairs(facts_of(before, drifted)))


def test_values_in_another_unit_mean_something_still(before, clean):
    hit = clean.features["region"] == "us"
    during = corrupted(clean, "load", np.where(hit, 0.2 * clean.features["load"] - 3, clean.features["load"]))
    assert not list(meaningless_repairs(facts_of(before, during)))


def test_a_unit_whose_values_tell_nothing_is_not_one(rng, before, clean):
    """The map brings usual values back, and these do less harm; handed out anew they do as well."""
    during = encoded_otherwise(rng, clean)

    def undo(sample):
        rows = sample.features["region"] == "us"
        usual = (sample.features["load"] + 2.5) * 3
        return sample.with_feature("load", np.where(rows, usual, sample.features["load"]))

    repair = repair_of("unit", "load", undo, fit=0.6, region=Region("region", "us"))
    found = {one.id: one for one in decide_repairs(facts_of(before, during, repairs=[repair]))}
    assert found["D3"].verdict == "inconclusive"
    assert "handed out anew" in found["D3"].result
    assert found["M5"].verdict == "supported"


def test_answers_that_are_not_the_models_own_tell_nothing_of_features(rng, before, clean):
    during = answered(clean, rng.permutation(clean.score))
    assert not list(meaningless_repairs(facts_of(before, during)))


def test_without_a_model_file_nothing_is_told(rng, before, clean):
    during = encoded_otherwise(rng, clean)
    assert not list(meaningless_repairs(facts_of(before, during, models={})))
