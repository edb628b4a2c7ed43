"""A fault that destroys what it strikes is decided by doing it again in the baseline's rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mortis.causes.attempts import try_repair
from mortis.causes.repairs import decide_repairs
from mortis.causes.stale import stale_repairs
from mortis.integrity.corruption import propose
from mortis.integrity.kinds.repair import Reenactment
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    corrupted,
    facts_of,
    repair_of,
    served,
)


@pytest.fixture
def size():
    return 4000


def named(before, during, **more):
    """The causes that stand, with their outcomes."""
    repairs = propose(before, during, rng=np.random.default_rng(0))
    found = decide_repairs(facts_of(before, during, repairs=repairs, **more))
    return {one.id: one for one in found if one.verdict in ("confirmed", "supported")}


@pytest.mark.parametrize(
    ("value", "cause"), [(None, "D1"), (-999.0, "D2")], ids=["the mean in place of all", "a sentinel in place of all"]
)
def test_one_value_in_place_of_all_makes_the_whole_fall(before, during, value, cause):
    """Nothing gives the values back, and yet the fall is explained; what the value is tells which fault it was."""
    put = float(before.features["load"].mean()) if value is None else value
    found = named(before, corrupted(during, "load", np.full(len(during), put)))
    assert list(found) == [cause]
    assert (found[cause].verdict, found[cause].features) == ("confirmed", ("load",))
    assert found[cause].share.value == pytest.approx(1, abs=0.2)


def test_a_population_that_grew_is_no_value_in_place_of_others(rng, before):
    """Rows of one region on top of as many others as ever: their look-alike, the region put in for others, is D1."""
    grown = served(rng, 4000, window=INCIDENT, us=0.8)
    many, same = replace(grown, rows=7000), replace(grown, rows=2000)
    repair = propose_value()
    assert "D1" not in named(before, many)
    added = [
        one.added for one in (try_repair(facts_of(before, sample, repairs=[repair]), repair) for sample in (many, same))
    ]
    assert added == [True, False]


def test_a_fault_that_would_have_cost_far_more_is_not_what_happened(before, during):
    """A quarter of the rows hold the value; supposed to be in all of them, it makes far more than the fall."""
    quarter = np.arange(len(during)) % 4 == 0
    struck = corrupted(during, "load", np.where(quarter, 0.0, during.features["load"]))
    again = Reenactment(before, before.with_feature("load", np.zeros(len(before))))
    repair = repair_of(
        "constant", "load", lambda sample: sample, donors=True, reenacted=again, parameters={"value": 0.0}
    )
    tried = try_repair(facts_of(before, struck, repairs=[repair]), repair)
    assert (tried.verdict, tried.recovers, tried.found.share.low > 1.25) == ("inconclusive", False, True)


def test_requests_that_came_on_top_are_no_values_of_other_rows(rng, before):
    """A third of the rows mix the values of others: as many more in all, or in place of what was there."""
    during = served(rng, 3000, window=INCIDENT)
    repair = repair_of("permutation", "delay", lambda sample: sample, donors=True, share=1 / 3)
    many, same = replace(during, rows=3000), replace(during, rows=2000)
    added = [try_repair(facts_of(before, sample, repairs=[repair]), repair).added for sample in (many, same)]
    assert added == [True, False]


def propose_value():
    """The region us in place of others, as it would be fitted."""
    return repair_of("sentinel", "region", lambda sample: sample, parameters={"value": "us"}, statement="region is us")


def test_features_null_on_the_same_rows_are_a_join_without_a_partner(before, during, rng):
    """D6 with both features; on rows apart from each other they are two missing fields."""
    hit = rng.random(len(during)) < 0.6
    one, other = during, during
    for name, rows in (("load", hit), ("delay", hit)):
        one = corrupted(one, name, np.where(rows, np.nan, one.features[name]))
    for name, rows in (("load", hit), ("delay", ~hit)):
        other = corrupted(other, name, np.where(rows, np.nan, other.features[name]))
    joined = named(before, one)
    assert set(joined) == {"D6"}
    assert set(joined["D6"].features) == {"load", "delay"}
    assert "D6" not in named(before, other)


def test_offsets_by_the_value_of_a_column_are_a_wrong_reference(before, during):
    """D8 with each value's offset; its look-alike, one offset for all, is another unit."""
    by = {"asia": 2.0, "eu": -1.5, "us": 2.5}
    off = np.array([by[value] for value in during.features["region"].tolist()])
    found = named(before, corrupted(during, "load", during.features["load"] + off))
    assert next(iter(found)) == "D8"
    assert [found["D8"].parameters[value] for value in by] == pytest.approx(list(by.values()), abs=0.15)
    assert "D8" not in named(before, corrupted(during, "load", during.features["load"] + 2.0))


def test_wrong_buckets_are_a_wrong_reference(before, during):
    """D8: middles of buckets three up; its look-alike, values rounded where they are, is not."""
    load = before.features["load"]
    edges = np.unique(np.quantile(load, np.linspace(0, 1, 9)))
    middles = (edges[1:] + edges[:-1]) / 2
    place = np.searchsorted(edges, during.features["load"], side="right") - 1
    found = named(before, corrupted(during, "load", middles[np.clip(place + 3, 0, 7)]))
    assert found["D8"].features == ("load",)
    assert "D8" not in named(before, corrupted(during, "load", middles[np.clip(place, 0, 7)]))


@pytest.mark.parametrize("how", ["held", "of the last days"])
def test_values_that_stand_still_are_told_from_the_log_alone(before, during, rng, how):
    """D5 where values are held for hours, and where they are again and again those of before the onset."""
    if how == "held":
        still = during.features["load"][np.arange(len(during)) // 100 * 100]
    else:
        still = rng.choice(before.features["load"][-150:], len(during))
    found = named(before, corrupted(during, "load", still))
    assert list(found) == ["D5"]
    assert found["D5"].features == ("load",)


def test_nothing_is_named_where_nothing_changed(before, during):
    assert named(before, during) == {}


def test_rows_that_were_logged_twice_hold_no_value(before, during):
    """A row and its repetition follow each other and are equal in all features."""
    twice = during.where(np.sort(np.concatenate([np.arange(len(during))] * 2)))
    assert not list(stale_repairs(facts_of(before, twice)))


def test_a_column_that_parts_rows_no_more_makes_no_other_column_stand_still(rng, before, during):
    """By the hour rows in order of time are alike; that their groups became one makes them no more so."""
    hours, shops = (
        [one.with_feature("noise", np.floor(np.arange(len(one)) / 200.0)) for one in (before, during)],
        rng.integers(0, 100, len(before)).astype(str).astype(object),
    )
    lost = hours[1].with_feature("region", np.full(len(during), None, dtype=object))
    assert not list(stale_repairs(facts_of(hours[0].with_feature("region", shops), lost)))
