"""The slice that is named, for columns of every make: versions, nulls, few values, constants, hundreds of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from planted import Rows, began, day, first_slice, told, window

PREDICTIONS = {"prediction": "pred", "label": "y"}


def wrong_where(rows: Rows, hit: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Predictions of which a tenth is wrong, and half where the fault hits."""
    label = (rows.rng.random(rows.n) < 0.4).astype(int)
    return {"pred": label ^ (rows.rng.random(rows.n) < np.where(hit, 0.5, 0.1)), "y": label}


def test_a_bad_version_is_named(investigated):
    """A version that serves part of the traffic from some day on, and was never seen before, is the slice."""
    rows = Rows(51)
    canary = (rows.days >= rows.since) & (rows.rng.random(rows.n) < 0.4)
    log = rows.columns(version=np.where(canary, "v2", "v1"), **wrong_where(rows, canary))
    found = investigated(log, predictions=PREDICTIONS | {"version": "version"})
    assert began(found, day(rows.since)), told(found)
    assert first_slice(found) == {"version": "v2"}, told(found)
    assert found.slices[0].held_out


def test_a_version_that_is_a_number_is_named_too(investigated):
    """Versions 3 and 4 are cut between them."""
    rows = Rows(60)
    canary = (rows.days >= rows.since) & (rows.rng.random(rows.n) < 0.4)
    log = rows.columns(version=np.where(canary, 4, 3), **wrong_where(rows, canary))
    found = investigated(log, predictions=PREDICTIONS | {"version": "version"})
    assert first_slice(found) == {"version": ">= 3.5"}, told(found)


def test_a_version_that_replaced_the_other_is_told_from_a_slice(investigated):
    """Where every answer comes from the new version, no part of the traffic stands out."""
    rows = Rows(52)
    new = rows.days >= rows.since
    log = rows.columns(version=np.where(new, "v2", "v1"), **wrong_where(rows, new))
    found = investigated(log, predictions=PREDICTIONS | {"version": "version"})
    assert began(found, day(rows.since)), told(found)
    assert "region" not in first_slice(found), told(found)


def test_a_feature_that_became_null(investigated):
    """The slice is "no value", in a column that always had one."""
    rows = Rows(53)
    lost = (rows.days >= rows.since) & (rows.region != "eu")
    age = [None if gone else float(x) for gone, x in zip(lost, rows.rng.normal(40, 10, rows.n), strict=True)]
    found = investigated(rows.columns(age=age, **wrong_where(rows, lost)), predictions=PREDICTIONS)
    assert began(found, day(rows.since)), told(found)
    assert first_slice(found) == {"age": "(null)"}, told(found)
    assert found.slices[0].query == '"age" IS NULL'
    assert any(example.values["age"] == "null" for example in found.slices[0].examples)


def test_a_feature_that_is_null_throughout_the_incident(investigated):
    """A column that is empty from the onset on splits nothing, and breaks nothing."""
    rows = Rows(54)
    gone = rows.days >= rows.since
    age = [None if lost else float(x) for lost, x in zip(gone, rows.rng.normal(40, 10, rows.n), strict=True)]
    found = investigated(rows.columns(age=age, **wrong_where(rows, gone)), predictions=PREDICTIONS)
    assert began(found, day(rows.since)), told(found)
    assert "region" not in first_slice(found), told(found)


def test_numbers_of_few_values(investigated):
    """A number with few values is cut between them: the slice is one value."""
    rows = Rows(55)
    floor = rows.rng.integers(0, 4, rows.n)
    hit = (floor == 2) & (rows.days >= rows.since)
    found = investigated(rows.columns(floor=floor, **wrong_where(rows, hit)), predictions=PREDICTIONS)
    assert began(found, day(rows.since)), told(found)
    assert list(first_slice(found)) == ["floor"], told(found)
    low, high = found.slices[0].baseline.n, int((floor[rows.days < 30] == 2).sum())
    assert low == high, "exactly the rows of that value"


def test_a_constant_column_is_never_named(investigated):
    rows = Rows(56)
    found = investigated(
        rows.columns(plan=np.full(rows.n, "basic"), zero=np.zeros(rows.n), **wrong_where(rows, rows.hit)),
        predictions=PREDICTIONS,
    )
    assert first_slice(found) == {"region": "us"}, told(found)
    assert not any({"plan", "zero"} & set(one.conditions) for one in found.slices)


def test_two_conditions_at_once(investigated):
    """Where only a combination is hit, the combination is named."""
    rows = Rows(57, a_day=600)
    hit = rows.hit & (rows.device == "ios")
    found = investigated(rows.columns(**wrong_where(rows, hit)), predictions=PREDICTIONS)
    assert began(found, day(rows.since)), told(found)
    assert first_slice(found) == {"region": "us", "device": "ios"}, told(found)


def test_two_hundred_features_on_two_thousand_rows(investigated):
    """A wide and short log is searched by pairs, and the right one of 203 columns comes first."""
    rows = Rows(58, days=40, a_day=50, since=30.0)
    noise = {f"x{i:03d}": rows.rng.normal(size=rows.n) for i in range(200)}
    log = rows.columns(**noise, **wrong_where(rows, rows.hit))
    found = investigated(
        log, predictions=PREDICTIONS, windows={"baseline": window(0, 30), "incident": window(30, 40), "bucket": "1d"}
    )
    assert found.failure.verdict == "failure", told(found)
    assert first_slice(found) == {"region": "us"}, told(found)
    assert "up to two conditions" in found.slices_note


def test_a_segment_hidden_from_the_report(investigated):
    """A sensitive column's values show in no example."""
    rows = Rows(59)
    found = investigated(rows.columns(**wrong_where(rows, rows.hit)), predictions=PREDICTIONS, sensitive=["amount"])
    shown = {example.values["amount"] for one in found.slices for example in one.examples}
    assert shown == {"(masked)"}
