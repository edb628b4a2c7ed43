"""How far inputs moved is a distance between distributions; the model hangs on what it reads, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.causes.inputs import APART, distance, moved, moved_features, reliance
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    corrupted,
    facts_of,
    models,
    served,
)

numbers = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30).map(np.array)
texts = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=30).map(lambda v: np.array(v, object))


@given(numbers, numbers)
def test_the_distance_of_numbers_is_kolmogorovs(one, other):
    gaps = [abs((one <= x).mean() - (other <= x).mean()) for x in (*one, *other)]
    assert distance(one, other) == pytest.approx(max(gaps))


@given(st.one_of(st.tuples(texts, texts), st.tuples(numbers, numbers)))
def test_the_distance_lies_from_nought_to_one_and_is_alike_both_ways(columns):
    one, other = columns
    assert 0 <= distance(one, other) <= 1
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert distance(one, one) == 0


def test_what_became_null_moved():
    assert distance(np.array([1.0, 2.0]), np.array([1.0, np.nan])) == 0.5
    assert distance(np.array(["a", "b"], object), np.array([None, None], object)) == 1


def test_the_model_hangs_on_what_it_reads(rng):
    """`good` reads delay, load and region; `bad` knows nothing of load, and noise is noise to both."""
    facts = facts_of(served(rng, 1500), served(rng, 1500, window=INCIDENT))
    found = reliance(facts)
    assert set(found) == set(facts.before.features)
    assert max(found.values()) == 1
    assert found["noise"] < 0.1 < found["delay"]
    assert found["load"] == 1
    assert reliance(replace(facts)) == found, "the same rows are shuffled the same way"


def test_without_a_model_that_replays_nothing_is_known_of_reliance(rng):
    before, during = served(rng, 600), served(rng, 600, window=INCIDENT)
    assert reliance(facts_of(before, during, models={})) == {}
    assert reliance(facts_of(before, during, models={"good": models()["bad"]})) == {}


def test_features_are_named_that_moved_and_that_the_model_reads(rng):
    """Noise moved farther than load: with the model at hand it isn't named, without it it comes first."""
    before, clean = served(rng, 2000), served(rng, 2000, window=INCIDENT)
    struck = corrupted(clean, "load", clean.features["load"] + 0.8)
    during = struck.with_feature("noise", struck.features["noise"] + 3)
    facts = facts_of(before, during)
    far = moved(facts)
    assert far["noise"] > far["load"] > APART > far["delay"]
    assert moved_features(facts) == ("load",)
    assert moved_features(facts_of(before, during, models={})) == ("noise", "load")
