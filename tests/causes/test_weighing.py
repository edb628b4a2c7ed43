"""Causes in order, shares that sum with the remainder to one, and no cause confirmed where nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.causes.attribution import shapley
from mortis.causes.catalogue import catalogue
from mortis.causes.weighing import weigh
from mortis.records import STANDING
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    answered,
    corrupted,
    facts_of,
    models,
    profile_of,
    repair_of,
    served,
)


def hours(sample):
    return sample.with_feature("delay", sample.features["delay"] / 60)


def unit():
    return repair_of("unit", "delay", hours, statement="delay is multiplied by 60", parameters={"factor": 60.0})


def counted(weighed):
    """The shares of the causes that stand, and what is left."""
    shares = [one.share_of_drop.value for one in weighed.causes if one.share_of_drop is not None]
    return sum(shares) + weighed.unexplained.value


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_shares_are_averages_over_the_orders_and_sum_to_the_whole(values):
    sets = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    worth = {one: np.array([value if one else 0.0]) for one, value in zip(sets, values, strict=True)}
    shares = [float(shapley(worth, player, 3)[0]) for player in range(3)]
    assert sum(shares) == pytest.approx(float(worth[(0, 1, 2)][0]))
    for player in range(3):
        added = []
        for order in permutations(range(3)):
            before = tuple(sorted(order[: order.index(player)]))
            added.append(float((worth[tuple(sorted((*before, player)))] - worth[before])[0]))
        assert shares[player] == pytest.approx(np.mean(added))


def test_a_confirmed_fault_is_the_answer_and_the_world_is_not_blamed(rng):
    before, clean = served(rng, 3000), served(rng, 3000, window=INCIDENT)
    during = corrupted(clean, "delay", clean.features["delay"] * 60)
    weighed = weigh(facts_of(before, during, repairs=[unit()], profile=profile_of(before, during)))
    first = weighed.causes[0]
    assert (first.id, first.verdict, weighed.answer) == ("D3", "confirmed", "cause")
    assert {one.verdict for one in weighed.causes if one.id in ("W1", "W2", "E3")} == {"not_tested"}
    assert counted(weighed) == pytest.approx(1)
    assert weighed.unexplained.low <= 0 <= weighed.unexplained.high
    assert weighed.actions[0].addresses == "D3 delay"


def test_a_fault_and_a_changed_relation_share_the_drop(rng):
    """Part of it is taken back by the repair; of the rest the relation gets its part, and nothing is counted twice."""
    before, clean = served(rng, 4000), served(rng, 4000, window=INCIDENT, turned=0.2)
    hit = np.arange(4000) % 3 == 0
    during = corrupted(clean, "delay", np.where(hit, clean.features["delay"] * 60, clean.features["delay"]))
    undo = repair_of(
        "unit", "delay", lambda s: s.with_feature("delay", np.where(hit, s.features["delay"] / 60, s.features["delay"]))
    )
    weighed = weigh(facts_of(before, during, repairs=[undo], profile=profile_of(before, during)))
    found = {one.id: one for one in weighed.causes if one.share_of_drop is not None}
    assert {one: found[one].verdict for one in found} == {"D3": "confirmed", "W2": "supported"}, found
    assert counted(weighed) == pytest.approx(1)
    assert abs(weighed.unexplained.value) < 0.25
    assert "with the faults put right" in found["W2"].test.result


def test_what_stand_ins_for_lost_values_leave_is_not_called_drift(rng):
    """Values drawn from other rows mend in part; the rest is no evidence of a changed relation."""
    before, clean = served(rng, 4000), served(rng, 4000, window=INCIDENT)
    hit = np.arange(4000) % 2 == 0
    during = corrupted(clean, "load", np.where(hit, np.nan, clean.features["load"]))
    stand_ins = np.where(np.arange(4000) % 3 == 0, rng.choice(before.features["load"], 4000), clean.features["load"])

    def undo(sample):
        return sample.with_feature("load", np.where(hit, stand_ins, sample.features["load"]))

    lost = repair_of("null", "load", undo, donors=True)
    weighed = weigh(facts_of(before, during, repairs=[lost], profile=profile_of(before, during)))
    found = {one.id: one for one in weighed.causes}
    assert found["D1"].verdict in STANDING
    assert found["W2"].verdict != "supported"
    assert counted(weighed) == pytest.approx(1)
    assert found["D1"].share_of_drop.value < 0.9
    assert found["D1"].share_of_drop.high >= 1, "all of the fall was the lost values'"
    assert weighed.unexplained.low <= 0


def test_a_fault_beside_lost_values_keeps_its_limits(rng):
    """Of two faults only the one whose values are lost may have done what is left."""
    before, clean = served(rng, 4000), served(rng, 4000, window=INCIDENT)
    third = np.arange(4000) % 3
    seconds = np.where(third == 0, clean.features["delay"] * 60, clean.features["delay"])
    lost = np.where(third == 1, np.nan, clean.features["load"])
    during = corrupted(corrupted(clean, "delay", seconds), "load", lost)
    other = (third == 1) & (rng.random(4000) < 0.5)
    donors = np.where(other, rng.choice(before.features["load"], 4000), clean.features["load"])
    repairs = [
        repair_of("unit", "delay", lambda s: s.with_feature("delay", clean.features["delay"])),
        repair_of("null", "load", lambda s: s.with_feature("load", donors), donors=True),
    ]
    weighed = weigh(facts_of(before, during, repairs=repairs, profile=profile_of(before, during)))
    share = {one.id: one.share_of_drop for one in weighed.causes if one.verdict in STANDING}
    assert set(share) == {"D1", "D3"}, weighed.causes[:4]
    left = weighed.unexplained.value
    assert share["D1"].high >= share["D1"].value + left > share["D1"].value
    assert share["D3"].high < share["D3"].value + left + 0.1
    assert weighed.unexplained.low <= 0.0 + 1e-9
    assert counted(weighed) == pytest.approx(1)


def test_two_faults_share_the_drop_and_are_several(rng):
    """A unit in one half of the rows and another version in the other: applied together they take it all back."""
    before, clean = served(rng, 4000), served(rng, 4000, window=INCIDENT)
    half = np.arange(4000) % 2 == 0
    struck = corrupted(clean, "delay", np.where(half, clean.features["delay"] * 60, clean.features["delay"]))
    during = answered(struck, np.where(half, struck.score, models()["bad"].score(struck.features)))
    undo = repair_of(
        "unit",
        "delay",
        lambda s: s.with_feature("delay", np.where(half, s.features["delay"] / 60, s.features["delay"])),
    )
    weighed = weigh(facts_of(before, during, repairs=[undo], profile=profile_of(before, during)))
    named = {one.id: one.share_of_drop for one in weighed.causes if one.verdict == "confirmed"}
    assert set(named) == {"D3", "M2"}
    assert weighed.answer == "several"
    assert counted(weighed) == pytest.approx(1)
    assert min(share.value for share in named.values()) > 0.25
    assert abs(weighed.unexplained.value) < 0.25


def test_answers_that_went_to_other_requests_are_not_called_drift(rng):
    """Like inputs fare worse, but by answers that no version gives them: the world is not to blame for these."""
    before, clean = served(rng, 4000), served(rng, 4000, window=INCIDENT)
    score = clean.score.copy()
    score[::3] = np.roll(score[::3], 1)
    during = answered(clean, score)
    weighed = weigh(facts_of(before, during, profile=profile_of(before, during)))
    drift = next(one for one in weighed.causes if one.id == "W2")
    assert (weighed.answer, drift.verdict) == ("unknown", "inconclusive")
    assert "are the model's own" in drift.test.result


def test_drift_is_unknown_or_the_worlds_and_never_confirmed(rng):
    before, during = served(rng, 3000), served(rng, 3000, window=INCIDENT, turned=-0.5)
    weighed = weigh(facts_of(before, during, profile=profile_of(before, during)))
    assert [one.id for one in weighed.causes if one.verdict in STANDING] == ["W2"]
    assert counted(weighed) == pytest.approx(1)


def test_a_cause_that_no_test_knows_is_unknown(rng):
    """Labels turned at random, no model and no features: everything is left unexplained."""
    before, during = (replace(served(rng, 1500, window=w), features={}) for w in (INCIDENT, INCIDENT))
    wrong = (rng.random(1500) < 0.4) ^ (during.y == 1)
    worse = answered(replace(during, y=wrong.astype(float)), during.score)
    weighed = weigh(facts_of(before, worse, models={}))
    assert (weighed.causes[0].id, weighed.answer, weighed.unexplained.value) == ("unknown", "unknown", 1.0)
    assert weighed.actions == ()


def test_every_cause_of_the_catalogue_is_in_the_list_best_first(rng):
    before, during = served(rng, 1200), served(rng, 900, window=INCIDENT, turned=0.0)
    weighed = weigh(facts_of(before, during, profile=profile_of(before, during)))
    rank = {"confirmed": 0, "supported": 1, "inconclusive": 2, "refuted": 3, "not_tested": 4}
    verdicts = [rank[one.verdict] for one in weighed.causes if one.id != "unknown"]
    assert verdicts == sorted(verdicts)
    assert {one.id for one in weighed.causes} >= set(catalogue())
    assert len({one.id for one in weighed.evidence}) == len(weighed.evidence)
    for one in weighed.causes:
        assert one.test is not None
        assert "nan" not in one.test.result
        assert "%" not in one.test.result or " %" in one.test.result


def test_weighing_twice_gives_the_same(rng):
    before, during = served(rng, 900), served(rng, 900, window=INCIDENT, turned=-0.5)
    facts = [facts_of(replace(before), replace(during), profile=profile_of(before, during)) for _ in range(2)]
    assert weigh(facts[0]).causes == weigh(facts[1]).causes


def test_on_healthy_windows_no_cause_is_confirmed():
    """30 pairs of windows from one world, with a harmless repair each: none is confirmed, and at most one supported."""
    supported = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        before, during = served(rng, 900), served(rng, 600, window=INCIDENT)
        harmless = repair_of("sign", "noise", lambda s: s.with_feature("noise", -s.features["noise"]))
        weighed = weigh(facts_of(before, during, repairs=[harmless]))
        assert not [one.id for one in weighed.causes if one.verdict == "confirmed"]
        supported += any(one.verdict == "supported" for one in weighed.causes)
    assert supported <= 1


@pytest.mark.parametrize("metric", ["auroc", "precision", "latency_p95", "error_rate"])
def test_every_kind_of_metric_is_weighed(rng, metric):
    """Also one that rows can't be judged by: then tests say so."""
    before, during = served(rng, 900), served(rng, 900, window=INCIDENT, turned=-0.5)
    weighed = weigh(facts_of(before, during, metric=metric, profile=profile_of(before, during)))
    assert {one.id for one in weighed.causes} >= set(catalogue())
    assert not [one.id for one in weighed.causes if one.verdict == "confirmed"]
