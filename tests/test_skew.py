"""Laws of row-level skew: pairs that agree are equal, and a rule that was put in is found with its parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mortis.integrity.skew import skew, skew_of
from mortis.rows import Column, RowSample, Texts

N = 1000


@pytest.fixture
def offline(rng) -> NDArray[np.float64]:
    """Values of the training pipeline, a few of them zero or missing."""
    values: NDArray[np.float64] = rng.normal(50, 20, N)
    values[::50], values[1::70] = 0.0, np.nan
    return values


def sample(features: dict[str, Column]) -> RowSample:
    """A sample of rows with these features and nothing else of interest."""
    n = len(next(iter(features.values())))
    nothing, texts = np.zeros(n), np.full(n, "", dtype=object)
    return RowSample(
        features, nothing, nothing, nothing, np.zeros(n, np.int64), texts, np.zeros(n, np.int8), nothing, texts, n
    )


def texts(values) -> Texts:
    return np.array(values, dtype=object)


NUMBERS: dict[str, tuple[Callable[[Any], Any], dict[str, str | float]]] = {
    "factor": (lambda x: 60 * x, {"factor": 60.0}),
    "sign": (lambda x: -x, {"factor": -1.0}),
    "offset": (lambda x: x + 273.15, {"offset": 273.15}),
    "affine": (lambda x: 1.8 * x + 32, {"factor": 1.8, "offset": 32.0}),
    "rounded": (lambda x: np.round(x, 1), {"digits": 1.0}),
    "truncated": (np.trunc, {"digits": 0.0}),
    "constant": (lambda x: np.full_like(x, -1.0), {"value": -1.0}),
    "clipped": (lambda x: np.minimum(x, 40.0), {"side": "at most", "limit": 40.0}),
}
NAMED = {"sign": "factor", "truncated": "rounded"}


@pytest.mark.parametrize("rule", NUMBERS)
@pytest.mark.parametrize("part", [1.0, 0.3], ids=["all rows", "some rows"])
def test_rules_of_numbers_are_found_with_their_parameters(rng, offline, rule, part):
    made, parameters = NUMBERS[rule]
    hit = rng.random(N) < part
    served: NDArray[np.float64] = np.where(hit & ~np.isnan(offline), made(offline), offline)
    found = skew_of("x", served, offline)
    assert found.how == NAMED.get(rule, rule)
    assert found.explained >= 0.95
    assert found.parameters == {k: pytest.approx(v) if isinstance(v, float) else v for k, v in parameters.items()}
    differ = ~((np.abs(served - offline) <= 1e-5 * np.abs(offline)) | (np.isnan(served) & np.isnan(offline)))
    assert found.mismatch.value == pytest.approx(differ.mean())
    assert found.mismatch.n == N


def test_values_missing_on_one_side_are_told_apart(offline):
    assert skew_of("x", np.where(np.arange(N) % 3 == 0, np.nan, offline), offline).how == "null served"
    assert skew_of("x", np.where(np.isnan(offline), 0.0, offline), offline).how == "null offline"


def test_the_same_values_on_other_rows_are_permuted(rng, offline):
    assert skew_of("x", rng.permutation(offline), offline).how == "permuted"
    cities = texts(rng.choice([f"c{i}" for i in range(40)], N))
    assert skew_of("x", rng.permutation(cities), cities).how == "permuted"


def test_noise_follows_no_rule(rng, offline):
    found = skew_of("x", offline + rng.normal(0, 5, N), offline)
    assert (found.how, found.explained) == ("other", 0.0)
    assert found.statement.endswith("no single rule makes them equal")


def test_renamed_and_constant_texts_are_found(rng):
    cities = texts(rng.choice(["berlin", "paris", "rome"], N))
    found = skew_of("city", texts([city.upper() for city in cities]), cities)
    assert found.how == "renamed"
    assert "berlin → BERLIN" in str(found.parameters["example"])
    assert skew_of("city", texts(["n/a"] * N), cities).how == "constant"
    assert skew_of("city", texts([None] * N), cities).how == "null served"


def test_names_for_every_row_are_no_renaming(rng):
    ids = texts([f"id{i}" for i in range(N)])
    assert skew_of("id", texts([f"x{i}" for i in rng.permutation(N)]), ids).how == "other"


@given(st.lists(st.one_of(st.floats(allow_infinity=False, width=32), st.just(float("nan"))), min_size=1, max_size=50))
def test_equal_values_have_no_skew_and_float32_is_equal(values):
    offline = np.array(values, dtype=np.float64)
    found = skew_of("x", offline * (1 + 3e-8), offline)
    assert (found.how, found.mismatch.value) == ("equal", 0.0)
    assert found.statement.startswith(f"x: 0 of {len(values)} rows differ (0.0 %")


@given(st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=9), st.data())
def test_any_texts_are_compared(values, data):
    other = data.draw(st.lists(st.sampled_from(["a", "b", None]), min_size=len(values), max_size=len(values)))
    found = skew_of("x", texts(values), texts(other))
    assert found.mismatch.value == pytest.approx(np.mean([a != b for a, b in zip(values, other, strict=True)]))
    assert 0 <= found.explained <= 1


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=30))
def test_any_numbers_are_compared(pairs):
    served, offline = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    found = skew_of("x", served, offline)
    assert 0 <= found.explained <= 1
    assert found.mismatch.low <= found.mismatch.value <= found.mismatch.high


def test_features_are_ordered_by_mismatch_and_only_known_rows_count(rng, offline):
    """Features the log lacks, or of another kind, are left out; rows the pipeline didn't know don't count."""
    cities = texts(rng.choice(["a", "b"], N))
    served = sample({"calm": offline, "scaled": 2 * offline, "city": cities, "kind": cities})
    known = np.arange(N) < 900
    recorded = {
        "calm": np.where(known, offline, np.nan),
        "scaled": offline,
        "city": cities,
        "kind": offline,
        "gone": offline,
    }
    found = skew(served, recorded, found=known)
    assert [(one.feature, one.how) for one in found] == [("scaled", "factor"), ("calm", "equal"), ("city", "equal")]
    assert all(one.mismatch.n == 900 for one in found)
    assert skew(served, recorded, found=np.zeros(N, dtype=bool)) == ()


def test_columns_of_another_length_are_refused(offline):
    with pytest.raises(ValueError, match=r"'x': 10 offline values for 1000 served rows"):
        skew(sample({"x": offline}), {"x": offline[:10]})
