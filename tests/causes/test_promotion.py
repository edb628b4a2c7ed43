"""A worse version is told by what it learned: rows of an incident (L3), a proxy (M6), or neither (M1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mortis.causes.promotion import decide_promotion
from mortis.causes.weighing import weigh
from mortis.problems import Problem
from mortis.rows import TrainingRows
from mortis.sources.models.scorer import Scorer
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    answered,
    facts_of,
    inputs,
    labels,
    models,
    profile_of,
    served,
)


@pytest.fixture
def size():
    return 4000


@pytest.fixture
def during(during):
    """The bad version serves from the onset on."""
    by_bad = answered(during, models()["bad"].score(during.features))
    return replace(by_bad, version=np.full(len(during), "bad", dtype=object))


@pytest.fixture
def learned(rng):
    features = inputs(rng, 4000)
    return TrainingRows(features, labels(rng, features))


def decided(before, during, training):
    return {one.id: one for one in decide_promotion(facts_of(before, during, training=training))}


def verdicts(found):
    return {id_: found[id_].verdict for id_ in ("M1", "M6", "L3")}


def test_training_rows_like_the_log_spoil_nothing(before, during, learned):
    found = decided(before, during, learned)
    assert verdicts(found) == {"M1": "confirmed", "M6": "refuted", "L3": "refuted"}


def test_labels_turned_round_in_training_are_an_incident_that_was_learned(rng, before, during, learned):
    turned = rng.random(len(learned.y)) < 0.4
    found = decided(before, during, replace(learned, y=np.where(turned, 1 - learned.y, learned.y)))
    assert verdicts(found) == {"M1": "inconclusive", "M6": "inconclusive", "L3": "supported"}
    assert found["L3"].parameters["share_of_rows"] == pytest.approx(0.4, abs=0.06)
    assert (found["L3"].parameters["version"], found["L3"].parameters["replaced"]) == ("bad", "good")
    assert found["L3"].share.low > 0.25


def test_a_feature_in_another_unit_in_training_is_an_incident_that_was_learned(before, during, learned):
    scaled = {**learned.features, "delay": learned.features["delay"] * 60}
    found = decided(before, during, replace(learned, features=scaled))
    assert (found["L3"].verdict, found["L3"].features) == ("supported", ("delay",))
    assert found["L3"].parameters["factor"] == pytest.approx(60)


def test_outcomes_that_stand_for_a_feature_in_training_are_a_proxy(before, during, learned):
    high = learned.features["noise"] > 0.3
    found = decided(before, during, replace(learned, y=np.where(high, 1.0, learned.y)))
    assert verdicts(found) == {"M1": "inconclusive", "M6": "supported", "L3": "inconclusive"}
    assert found["M6"].parameters["follows"] == "noise"


def test_features_that_stand_still_in_training_tell_nothing_of_labels(rng, before, during, learned):
    """A bad job; whether labels are turned round as well can't be told."""
    still = {**learned.features, "load": np.zeros(len(learned.y))}
    turned = np.where(rng.random(len(learned.y)) < 0.4, 1 - learned.y, learned.y)
    found = decided(before, during, TrainingRows(still, turned))
    assert verdicts(found) == {"M1": "confirmed", "M6": "refuted", "L3": "not_tested"}
    assert "labels tell nothing" in found["L3"].result


@pytest.mark.parametrize("kept", [0.1, 0.2, 0.5, 0.8])
def test_a_sample_of_the_negatives_is_how_models_are_trained(rng, before, during, learned, kept):
    rows = (learned.y == 1) | (rng.random(len(learned.y)) < kept)
    features = {name: column[rows] for name, column in learned.features.items()}
    found = decided(before, during, TrainingRows(features, learned.y[rows]))
    assert verdicts(found) == {"M1": "confirmed", "M6": "refuted", "L3": "refuted"}


def test_another_season_in_training_is_no_other_unit(rng, before, during):
    """Delays really were half as long again, and labels came by them."""
    features = inputs(rng, 4000)
    features["delay"] = features["delay"] * 1.5
    found = decided(before, during, TrainingRows(features, labels(rng, features)))
    assert (found["M1"].verdict, found["L3"].verdict != "supported") == ("confirmed", True)


@pytest.mark.parametrize("lacking", ["table", "rows", "feature"])
def test_what_the_training_table_lacks_is_said(before, during, learned, lacking):
    few = np.arange(20)
    training = {
        "table": None,
        "rows": TrainingRows({name: one[few] for name, one in learned.features.items()}, learned.y[few]),
        "feature": TrainingRows({"noise": learned.features["noise"]}, learned.y),
    }[lacking]
    good = models()["good"].score

    def score(columns, **_):
        if "delay" not in columns:
            raise Problem("the model expects delay")
        return good(columns)

    files = {**models(), "good": Scorer("good", score)}
    found = {one.id: one for one in decide_promotion(facts_of(before, during, training=training, models=files))}
    assert (found["L3"].verdict, found["M1"].verdict) == ("not_tested", "confirmed")
    said = {"table": "training.label", "rows": "fewer than", "feature": "delay"}[lacking]
    assert said in found["L3"].result


def test_a_version_that_does_no_worse_learned_nothing_that_harms(rng, before, learned):
    rows = replace(served(rng, 4000, window=INCIDENT, turned=-0.5), version=np.full(4000, "same", dtype=object))
    facts = facts_of(before, rows, training=learned, models={**models(), "same": models()["good"]})
    assert {one.id: one.verdict for one in decide_promotion(facts)} == dict.fromkeys(("M1", "M6", "L3"), "refuted")


def test_a_version_that_came_with_the_failure_and_cant_be_tried_is_the_first_thing_to_do(before, during):
    weighed = weigh(facts_of(before, during, models={}, profile=profile_of(before, during)))
    assert weighed.answer == "unknown"
    assert weighed.actions[0].title.startswith("Roll back from bad to good, or hand over the files of both")
