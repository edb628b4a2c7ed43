"""A feature that labels no longer hang on is told by the labels alone, and from a world that changed (M5, D6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mortis.causes.meaningless import meaningless_repairs
from mortis.causes.repairs import decide_repairs
from mortis.clarify.metrics import metric_for
from mortis.integrity.kinds.repair import Region
from mortis.sources.models.scorer import Scorer
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    BASELINE,
    INCIDENT,
    answered,
    corrupted,
    facts_of,
    inputs,
    repair_of,
    rows_of,
    served,
)


@pytest.fixture
def size():
    return 4000


def encoded_otherwise(rng, sample):
    """Load holds low values that mean nothing where region is us."""
    rows = sample.features["region"] == "us"
    return corrupted(sample, "load", np.where(rows, rng.uniform(-3.0, -2.0, len(sample)), sample.features["load"]))


def standing(facts):
    return {one.id: one for one in decide_repairs(facts) if one.verdict in ("confirmed", "supported")}


def test_values_of_another_encoding_are_incompatible_parts_where_they_stand(rng, before, during):
    found = standing(facts_of(before, encoded_otherwise(rng, during)))
    assert list(found) == ["M5"]
    one = found["M5"]
    assert (one.verdict, one.features, one.scope) == ("supported", ("load",), "region = us")
    assert one.parameters["items"] == "us"
    assert one.parameters["low"] == pytest.approx(-3, abs=0.1)
    assert one.parameters["high"] == pytest.approx(-2, abs=0.1)
    assert one.share.low <= 1 <= one.share.high


def test_usual_values_of_other_rows_are_told_though_no_other_column_tells_of_them(rng, before, during):
    found = standing(facts_of(before, corrupted(during, "load", rng.permutation(during.features["load"]))))
    assert list(found) == ["D6"]
    assert (found["D6"].verdict, found["D6"].features, found["D6"].scope) == ("supported", ("load",), "")
    assert found["D6"].share.low <= 1 <= found["D6"].share.high


@pytest.mark.parametrize("turned", [-1.0, -0.5, 3.0])
def test_a_world_in_which_a_feature_matters_otherwise_is_no_fault_of_it(rng, before, turned):
    during = served(rng, 4000, window=INCIDENT, turned=turned)
    assert not list(meaningless_repairs(facts_of(before, during)))


@pytest.mark.parametrize("turned", [0.0, 0.1])
def test_a_world_in_which_a_feature_matters_no_more_is_not_told_from_a_fault_and_that_is_said(rng, before, turned):
    during = served(rng, 4000, window=INCIDENT, turned=turned)
    for one in decide_repairs(facts_of(before, during)):
        if one.id == "D6" and one.verdict != "refuted":
            assert "a world in which it matters no more would look the same" in one.result


@pytest.mark.parametrize("broken", [0.3, 0.4, 0.5, 0.7, "exchanged"])
@pytest.mark.parametrize("where", ["us", ""])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_labels_that_broke_are_no_fault_of_a_feature(rng, broken, where, task):
    """They depend less on all features alike."""
    before, during = (rows_for(rng, task, window) for window in (BASELINE, INCIDENT))
    inside = during.features["region"] == where if where else np.ones(len(during), bool)
    y = np.asarray(during.y)
    other = rng.permutation(y) if broken == "exchanged" else y.max() + y.min() - y
    hit = inside & (rng.random(len(y)) < (1.0 if broken == "exchanged" else broken))
    during = replace(during, y=np.where(hit, other, y))
    more = {"task": "regression", "metric": "mae", "models": {"good": FIGURES}} if task == "regression" else {}
    assert not list(meaningless_repairs(facts_of(before, during, **more)))


FIGURES = Scorer("good", lambda c: 10 + 0.2 * c["delay"] + 4 * c["load"] + c["noise"] * 0.5)


def rows_for(rng, task, window):
    """Rows of the good model, or of one of figures."""
    if task == "binary":
        return served(rng, 4000, window=window)
    features = inputs(rng, 4000)
    p = FIGURES.score(features)
    return rows_of(features, p + rng.normal(0, 2, 4000), p, p, window=window, metric=metric_for("mae", "regression"))


def test_a_figures_model_is_asked_too_and_missing_inputs_are_left_out(rng):
    """A linear model answers nothing where an input is missing."""
    before, during = (rows_for(rng, "regression", window) for window in (BASELINE, INCIDENT))
    gone = rng.random(4000) < 0.02
    during = during.with_feature("load", rng.permutation(during.features["load"]))
    during = during.with_feature("delay", np.where(gone, np.nan, during.features["delay"]))
    p = FIGURES.score(during.features)
    during = replace(during, p=p, score=p)
    found = list(
        meaningless_repairs(facts_of(before, during, task="regression", metric="mae", models={"good": FIGURES}))
    )
    assert [(one.kind, one.features) for one in found] == [("other rows", ("load",))]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_feature_with_one_value_is_not_asked(before, during, value):
    """That is for the tests of constants and nulls to decide."""
    rows = during.features["region"] == "us"
    during = corrupted(during, "load", np.where(rows, value, during.features["load"]))
    assert not list(meaningless_repairs(facts_of(before, during)))


def test_where_nothing_changed_all_features_tell_something(before, during):
    assert not list(meaningless_repairs(facts_of(before, during)))


def test_fewer_positives_of_one_region_are_no_fault_of_a_feature(rng, before, during):
    fewer = (during.features["region"] == "us") & (rng.random(len(during)) < 0.6)
    drifted = replace(during, y=np.where(fewer, 0.0, during.y))
    assert not list(meaningless_repairs(facts_of(before, drifted)))


def test_values_in_another_unit_mean_something_still(before, during):
    hit = during.features["region"] == "us"
    during = corrupted(during, "load", np.where(hit, 0.2 * during.features["load"] - 3, during.features["load"]))
    assert not list(meaningless_repairs(facts_of(before, during)))


def test_a_unit_whose_values_tell_nothing_is_not_one(rng, before, during):
    """The map brings usual values back, and these do less harm; handed out anew they do as well."""
    during = encoded_otherwise(rng, during)

    def undo(sample):
        rows = sample.features["region"] == "us"
        usual = (sample.features["load"] + 2.5) * 3
        return sample.with_feature("load", np.where(rows, usual, sample.features["load"]))

    repair = repair_of("unit", "load", undo, fit=0.6, region=Region("region", "us"))
    found = {one.id: one for one in decide_repairs(facts_of(before, during, repairs=[repair]))}
    assert found["D3"].verdict == "inconclusive"
    assert "handed out anew" in found["D3"].result
    assert found["M5"].verdict == "supported"


def test_answers_that_are_not_the_models_own_tell_nothing_of_features(rng, before, during):
    during = answered(during, rng.permutation(during.score))
    assert not list(meaningless_repairs(facts_of(before, during)))


def test_without_a_model_file_nothing_is_told(rng, before, during):
    during = encoded_otherwise(rng, during)
    assert not list(meaningless_repairs(facts_of(before, during, models={})))
