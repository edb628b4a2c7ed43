"""Answers that the file doesn't give: each thing that may be done to them is told from what looks alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mortis.causes.asked import stepped
from mortis.causes.departures import confined
from mortis.causes.promotion import decide_promotion
from mortis.causes.proxies import proxy_of
from mortis.causes.serving import decide_departures
from mortis.causes.versions import decide_decision_rule
from mortis.records import Change, ChangedPart
from mortis.sources.models.scorer import Scorer
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    answered,
    facts_of,
    models,
)

IN_TIME = INCIDENT.start - timedelta(hours=3)
UPGRADE = Change("dependencies.1", "dependency", IN_TIME, "lightgbm 4.5.0 → 4.7.0")
COMMIT = Change("git.1a2b3c4", "code", IN_TIME, "Round features before scoring")
ENGINE = Change(
    "environment.1", "environment", IN_TIME, "another engine", parts=(ChangedPart("tensorrt", None, "10.7.0"),)
)
MACHINES = np.array(["r1", "r2", "r3", "r4"], dtype=object)


@pytest.fixture
def before(before):
    return on_machines(before)


@pytest.fixture
def during(during):
    return on_machines(during)


def on_machines(sample, name="replica"):
    return sample.with_feature(name, MACHINES[np.arange(len(sample)) * 7 % 4])


def setting(name, value):
    return Change("config.1", "config", IN_TIME, "settings", parts=(ChangedPart(name, "0", str(value)),))


def given(sample):
    return models()["good"].score(sample.features)


def decided(before, during, score, **more):
    facts = facts_of(before, answered(during, score), **more)
    return {one.id: one for one in decide_departures(facts)}


def standing(found):
    return {id_ for id_, one in found.items() if one.verdict in ("confirmed", "supported")}


def logit(p):
    return np.log(p / (1 - p))


def moved_in_log_odds(score, by):
    return 1 / (1 + np.exp(-logit(score) - by))


def blurred(rng, sample):
    return np.clip(0.6 - 0.8 * (sample.score - 0.5) + rng.normal(0, 0.05, len(sample)), 0, 1)


@pytest.mark.parametrize("changes", [None, [], [COMMIT], [UPGRADE, COMMIT]], ids=["none", "empty", "commit", "both"])
def test_that_answers_depart_names_no_cause(rng, before, during, changes):
    """Nothing gives them back, and the record can't decide either."""
    assert standing(decided(before, during, blurred(rng, during), changes=changes)) == set()


def test_an_upgrade_alone_on_record_supports_the_library(rng, before, during):
    found = decided(before, during, blurred(rng, during), changes=[UPGRADE])
    assert (standing(found), found["P1"].verdict) == ({"P1"}, "supported")
    assert "lightgbm 4.5.0 → 4.7.0 (dependencies.1)" in found["P1"].result


@pytest.mark.parametrize("days", [-40, -3, 11], ids=["before the baseline", "days before", "after the incident"])
def test_a_change_out_of_time_speaks_for_nothing(rng, before, during, days):
    late = replace(UPGRADE, time=INCIDENT.start + timedelta(days=days))
    assert standing(decided(before, during, blurred(rng, during), changes=[late])) == set()


def test_answers_that_the_file_gives_rule_all_out(before, during):
    found = decided(before, during, during.score, changes=[UPGRADE, COMMIT, setting("weight", 0.4)])
    assert {one.verdict for one in found.values()} == {"refuted"}


def test_a_fallback_score_is_none_of_them(before, during):
    score = np.where(np.arange(len(during)) % 2 == 0, 0.5, during.score)
    assert {one.verdict for one in decided(before, during, score, changes=[UPGRADE]).values()} == {"refuted"}


def test_a_feature_that_the_code_spoils_is_named(before, during):
    """Its sign, its row, or the value for none: the log shows the right values."""
    for way, values in (
        ("sign", -during.features["load"]),
        ("before", np.roll(during.features["load"], 1)),
        ("0", np.zeros(len(during))),
    ):
        found = decided(before, during, given(during.with_feature("load", values)))
        assert (standing(found), found["P3"].features) == ({"P3"}, ("load",)), way
        assert found["P3"].verdict == "confirmed"


def test_a_row_before_that_was_not_sampled_is_missed_in_part_only(rng, before, during):
    score = given(during.with_feature("load", np.roll(during.features["load"], 1)))
    half = rng.random(len(during)) < 0.5
    found = decided(before, replace(during.where(half), rows=len(during)), score[half])
    assert (standing(found), found["P3"].parameters["way"]) == ({"P3"}, "of the request before")


def test_a_cut_on_record_is_a_setting_and_not_code(before, during):
    """The same answers: by the figure on record M4, without it P3."""
    score = given(during.with_feature("load", np.minimum(during.features["load"], -0.25)))
    found = decided(before, during, score, changes=[setting("most_load", -0.25)])
    assert (standing(found), found["M4"].features) == ({"M4"}, ("load",))
    assert (found["M4"].parameters["key"], found["M4"].parameters["value"]) == ("most_load", -0.25)
    assert standing(decided(before, during, score, changes=[setting("most_load", 40)])) <= {"P3"}


def test_another_scale_is_a_calibration_or_a_library_or_a_setting(before, during):
    """The offset in log odds is told; a line whose weight is on record is that setting's."""
    score = moved_in_log_odds(during.score, -2.0)
    found = decided(before, during, score, changes=[COMMIT])
    assert (standing(found), found["M3"].verdict) == ({"M3"}, "supported")
    assert found["M3"].parameters["offset"] == pytest.approx(-2.0, abs=1e-3)
    assert standing(decided(before, during, score, changes=[UPGRADE])) == {"P1"}
    leaning = 0.4 * during.score + 0.6 * 0.1
    found = decided(before, during, leaning, changes=[setting("prior_weight", 0.6)])
    assert (standing(found), found["M4"].parameters["key"]) == ({"M4"}, "prior_weight")
    assert standing(decided(before, during, leaning, changes=[setting("prior_weight", 0.9)])) == {"M3"}


def test_another_scale_is_told_once(before, during):
    """The test of the decision rule leaves it to that of the answers."""
    facts = facts_of(before, answered(during, moved_in_log_odds(during.score, -2.0)))
    assert list(decide_decision_rule(facts)) == []
    assert [one.verdict for one in decide_decision_rule(facts_of(before, during))] == ["refuted"]


def test_a_rule_that_holds_for_a_part_names_both_thresholds(before, during):
    us = during.features["region"] == "us"
    p = np.where(us, during.score >= 0.9, during.score >= 0.5).astype(float)
    found = next(iter(decide_decision_rule(facts_of(before, replace(answered(during, during.score), p=p)))))
    assert (found.scope, found.parameters["before"]) == ("region = us", 0.5)
    assert found.parameters["threshold"] == pytest.approx(0.9, abs=0.02)


def smooth(columns):
    """A score that no two rows share."""
    return 1 / (1 + np.exp(-0.12 * (columns["delay"] - 20) - 2.5 * columns["load"]))


def test_a_cache_under_too_small_a_key_is_told_with_key_and_time(before, during):
    """All requests of a region within six hours get the answer to the first of them."""
    old, new = (answered(one, smooth(one.features)) for one in (before, during))
    region = np.unique(new.features["region"].astype(str), return_inverse=True)[1]
    key = np.column_stack([new.second // (6 * 3600), region])
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    kept = {"models": {"good": Scorer("good", smooth)}, "changes": [COMMIT]}
    found = decided(old, new, new.score[first[group.ravel()]], **kept)
    assert (standing(found), found["H5"].verdict, found["H5"].parameters["key"]) == ({"H5"}, "confirmed", "region")
    assert found["H5"].parameters["hours"] == pytest.approx(6, abs=0.5)


def test_answers_handed_to_other_requests_are_no_cause_of_the_catalogue(rng, before, during):
    old, new = (answered(one, smooth(one.features)) for one in (before, during))
    score = new.score.copy()
    hit = np.flatnonzero(rng.random(len(score)) < 0.5)
    score[hit] = score[rng.permutation(hit)]
    found = decided(old, new, score, models={"good": Scorer("good", smooth)}, changes=[COMMIT])
    assert (standing(found), found["P3"].verdict) == (set(), "inconclusive")
    assert "another of these rows" in found["P3"].result


@pytest.mark.parametrize("wrong", ["lanes", "bits"])
def test_a_machine_that_computes_wrongly_is_named(rng, before, during, wrong):
    """Not all of its rows; the same in a region is no defective device."""
    for column, value, named in (("replica", "r2", {"H3"}), ("region", "us", set())):
        hit = np.flatnonzero((during.features[column] == value) & (rng.random(len(during)) < 0.8))
        score = during.score.copy()
        other = np.clip(np.ldexp(score[hit], rng.choice([-8, -4, 4, 8], len(hit))), 0.001, 0.999)
        score[hit] = score[rng.permutation(hit)] if wrong == "lanes" else other
        found = decided(before, during, score, changes=[])
        assert standing(found) == named
        if named:
            assert (found["H3"].scope, found["H3"].parameters["replica"]) == ("replica = r2", "r2")


def test_coarse_numbers_are_less_precision_and_more_surely_with_another_engine(before, during):
    """Numbers in four steps between the quantiles that a tight calibration would take."""
    struck = during
    for name in ("delay", "load", "noise"):
        low, high = np.quantile(before.features[name], [0.12, 0.85])
        struck = struck.with_feature(name, stepped(during.features[name], low, high, 4))
    found = decided(before, during, given(struck), changes=[ENGINE])
    assert standing(found) == {"P2"}
    assert standing(decided(before, during, given(struck), changes=[])) == {"P2"}


def test_codes_that_a_library_turned_are_told_from_code(before, during):
    """A model that reads the region; each is read as another one."""
    model = Scorer("m", lambda c: np.clip(0.3 + 0.2 * (c["region"] == "us") - 0.15 * (c["region"] == "eu")
                                          + 0.2 * np.tanh(c["load"]), 0, 1))  # fmt: skip
    others = {"us": "eu", "eu": "asia", "asia": "us"}
    turned = np.array([others[one] for one in during.features["region"]], dtype=object)
    old, new = (answered(one, model.score(one.features)) for one in (before, during.with_feature("region", turned)))
    rng = np.random.default_rng(5)
    truth = [answered(one, model.score(one.features)) for one in (before, during)]
    y = [(rng.random(len(one)) < np.where(one.p == 1, 0.95, 0.05)).astype(float) for one in truth]
    new = new.with_feature("region", during.features["region"])
    old, new = replace(old, y=y[0]), replace(new, y=y[1])
    for change, named in ((UPGRADE, "P1"), (COMMIT, "P3")):
        found = {one.id: one for one in decide_departures(facts_of(old, new, models={"good": model}, changes=[change]))}
        assert (standing(found), found[named].features) == ({named}, ("region",))


def test_a_scope_holds_the_rows_hit_and_perhaps_others(during):
    hit = (during.features["replica"] == "r3") & (np.arange(len(during)) % 3 == 0)
    assert confined(during, hit) == ("replica", "r3")
    assert confined(during, np.arange(len(during)) % 5 == 0) is None


def test_a_version_that_answers_by_a_proxy_is_told_from_one_that_knows_less(before, during):
    """Higher by what the outcome doesn't follow: M6. The bad version knows nothing of a feature: M1."""
    proxy = Scorer("proxy", lambda c: 0.6 + 0.4 / (1 + np.exp(-2 * c["noise"])))
    for name, model, named in (("proxy", proxy, "M6"), ("bad", models()["bad"], "M1")):
        new = replace(answered(during, model.score(during.features)), version=np.full(len(during), name, dtype=object))
        facts = facts_of(before, new, models={"good": models()["good"], name: model})
        assert standing({one.id: one for one in decide_promotion(facts)}) == {named}
        seen = proxy_of(facts, name, "good")
        assert (seen.feature if seen else None) == ("noise" if named == "M6" else None)
