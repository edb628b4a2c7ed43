"""A wrong version, a worse version, a moved threshold, a changed library, a fallback, repeats: each by its own test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mortis.causes.infrastructure import decide_duplicates, decide_fallback, first_rows
from mortis.causes.promotion import decide_promotion
from mortis.causes.replay import tolerance, touched, why_not_replayed
from mortis.causes.serving import decide_departures
from mortis.causes.versions import decide_decision_rule, decide_served_version
from mortis.clarify.metrics import metric_for
from mortis.sources.models.scorer import Scorer
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    BASELINE,
    INCIDENT,
    answered,
    corrupted,
    facts_of,
    models,
    rows_of,
    served,
)

TESTS = {
    "M2": decide_served_version,
    "P1": decide_departures,
    "M1": decide_promotion,
    "M3": decide_decision_rule,
    "H1": decide_fallback,
    "D7": decide_duplicates,
}


def decided(facts):
    return {id_: next(iter(test(facts))) for id_, test in TESTS.items()}


def verdicts(facts):
    return {id_: one.verdict for id_, one in decided(facts).items()}


def by_bad(sample, rows):
    """The sample with the bad version's scores in some rows."""
    return answered(sample, np.where(rows, models()["bad"].score(sample.features), sample.score))


def test_another_version_than_the_logged_one_served_some_rows(before, during):
    """All of one region's: the version, the region and the share of the fall are named."""
    hit = during.features["region"] == "us"
    facts = facts_of(before, by_bad(during, hit))
    found = decided(facts)["M2"]
    assert (found.verdict, found.scope) == ("confirmed", "region = us")
    assert (found.parameters["served"], found.parameters["logged"]) == ("bad", "good")
    assert found.share.value == pytest.approx(1, abs=0.5)
    assert verdicts(facts) == dict.fromkeys(TESTS, "refuted") | {"M2": "confirmed"}


def test_a_version_that_is_not_at_hand_is_not_called_wrong(before, during):
    """Rows logged as v3, whose file is absent, may well equal another version's."""
    during = replace(by_bad(during, np.ones(3000, bool)), version=np.full(3000, "v3", dtype=object))
    found = decided(facts_of(before, during))
    assert (found["M2"].verdict, found["P1"].verdict) == ("not_tested", "refuted")
    assert "not handed over" in found["M2"].result


def test_a_worse_version_was_promoted(before, during):
    hit = np.arange(3000) % 5 > 0
    during = replace(by_bad(during, hit), version=np.where(hit, "bad", "good").astype(object))
    facts = facts_of(before, during)
    found = decided(facts)["M1"]
    assert found.verdict == "confirmed"
    assert found.parameters == {"version": "bad", "replaced": "good"}
    assert found.share.low <= 1.05
    assert verdicts(facts) == dict.fromkeys(TESTS, "refuted") | {"M1": "confirmed"}


def test_a_new_version_is_not_blamed_for_a_world_that_changed(rng, before):
    """The version that came with the fall scores these rows no worse than the old one would have."""
    during = replace(served(rng, 3000, window=INCIDENT, turned=0.1), version=np.full(3000, "twin", dtype=object))
    facts = facts_of(before, during, models=models() | {"twin": models()["good"]})
    assert decided(facts)["M1"].verdict == "refuted"


def test_the_threshold_moved(before, during):
    """Scores as before, decided at 0.9 instead of 0.5."""
    facts = facts_of(before, answered(during, during.score, threshold=0.9))
    found = decided(facts)["M3"]
    assert (found.verdict, found.parameters["before"], found.parameters["threshold"]) == ("confirmed", 0.5, 0.9)
    assert verdicts(facts) == dict.fromkeys(TESTS, "refuted") | {"M3": "confirmed"}


def test_scores_that_no_version_gives_any_more(rng, before, during):
    """Something between model and log changed, and nothing says what: no cause is named for it."""
    blurred = np.clip(during.score + rng.normal(0, 0.5, 3000), 0, 1)
    facts = facts_of(before, answered(during, blurred))
    found = verdicts(facts)
    assert (found["P1"], found["M2"]) == ("inconclusive", "inconclusive")
    assert {found[id_] for id_ in ("M1", "M3", "D7")} == {"refuted"}


def test_fallback_scores_with_a_model_at_hand(rng, before, during):
    """Half of the rows got 0.02: confirmed with the model, which doesn't give it; supported without one."""
    hit = rng.random(3000) < 0.5
    during = answered(during, np.where(hit, 0.02, during.score))
    facts = facts_of(before, during)
    found = decided(facts)["H1"]
    assert found.verdict == "confirmed"
    assert found.parameters["fallback_score"] == 0.02
    assert found.parameters["share_of_rows"] == pytest.approx(0.5, abs=0.03)
    assert verdicts(facts) == dict.fromkeys(TESTS, "refuted") | {"H1": "confirmed", "M2": "inconclusive"}
    assert decided(facts_of(before, during, models={}))["H1"].verdict == "supported"


def test_a_score_that_the_model_itself_gives_is_no_fallback(before, during):
    """A feature stuck at one value, and the same score for all such rows: the model's doing."""
    stuck = {name: column.copy() for name, column in during.features.items()}
    for name, value in (("delay", 300.0), ("load", 3.0), ("noise", 0.0), ("region", "eu")):
        stuck[name][:900] = value
    struck = replace(during, features=stuck)
    facts = facts_of(before, answered(struck, models()["good"].score(stuck)))
    found = decided(facts)["H1"]
    assert found.verdict == "refuted"
    assert "the model itself gives it" in found.result


def test_repeated_rows_that_pull_the_metric_down(before, during):
    """Every wrong row is there four times."""
    wrong = np.flatnonzero(during.p != during.y)
    again = np.concatenate([np.arange(3000), np.repeat(wrong, 3)])
    parts = {
        name: getattr(during, name)[again]
        for name in ("y", "p", "score", "second", "version", "outcome", "latency_ms", "ids")
    }
    repeated = replace(during, features={name: column[again] for name, column in during.features.items()}, **parts)
    facts = facts_of(before, repeated)
    found = decided(facts)["D7"]
    assert found.verdict == "confirmed"
    assert found.share.value == pytest.approx(1, abs=0.35)
    assert first_rows(repeated).sum() == 3000


def test_healthy_windows_name_no_cause_and_know_why():
    """In 30 pairs of windows that the good model served, every one of these tests comes out against its cause."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        assert set(verdicts(facts_of(served(rng, 800), served(rng, 600, window=INCIDENT))).values()) == {"refuted"}


def test_drift_names_no_version(rng, before):
    """The relation turned; all versions and rules are as they were."""
    facts = facts_of(before, served(rng, 3000, window=INCIDENT, turned=-0.5))
    assert set(verdicts(facts).values()) == {"refuted"}


def test_scoring_again_is_refused_where_it_would_prove_nothing(rng, before, during):
    other = Scorer("other", lambda columns: rng.random(len(columns["delay"])))
    lacking = Scorer("lacking", lambda columns: columns["speed"], features=("speed",))
    two = rows_of(before.features, before.y, (rng.random(3000) < 0.5).astype(float), before.score)
    for facts, why in (
        (facts_of(before, during, models={}), "no model file"),
        (facts_of(before, during, models={"good": other}), "reproduce only 0 %"),
        (facts_of(before, during, models={"good": lacking}), "features that are not given"),
        (facts_of(replace(before, score=np.full(3000, np.nan)), during), "no scores"),
        (facts_of(two, during, threshold=None), "one threshold"),
        (facts_of(replace(before, p=np.zeros(3000)), during, threshold=None), "prediction of the baseline is negative"),
        (facts_of(before, during, metric="latency_p95"), "doesn't depend on what the model answered"),
    ):
        assert why in why_not_replayed(facts)
        assert decided(facts)["M2"].verdict == "not_tested"
    assert why_not_replayed(facts_of(before, during)) is None
    assert why_not_replayed(facts_of(two, during, threshold=None, metric="auroc")) is None


def test_a_log_without_versions_is_held_against_the_version_that_gave_the_baseline(before, during):
    hit = np.arange(3000) % 2 == 0
    nameless = [replace(one, version=np.full(3000, "", dtype=object)) for one in (before, by_bad(during, hit))]
    found = decided(facts_of(*nameless))["M2"]
    assert (found.verdict, found.parameters["logged"]) == ("confirmed", "good")


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_versions_are_told_by_numbers_and_by_classes_too(rng, task):
    """The same planted wrong version, for a model that answers numbers and one that names classes."""
    x = [rng.integers(0, 9, 2500).astype(float), rng.integers(0, 9, 2000).astype(float)]
    if task == "regression":
        known = {"good": Scorer("good", lambda c: 2 * c["x"]), "bad": Scorer("bad", lambda c: c["x"] + 3)}
        answer = {name: (lambda v, m=model: m.score({"x": v})) for name, model in known.items()}
        y = [2 * one + rng.normal(0, 1, len(one)) for one in x]
        metric = "mae"
    else:
        names = ("a", "b", "c")
        eye = np.eye(3)
        known = {
            "good": Scorer("good", lambda c: eye[c["x"].astype(int) % 3], classes=names),
            "bad": Scorer("bad", lambda c: eye[c["x"].astype(int) % 2], classes=names),
        }
        answer = {
            name: (lambda v, m=model: np.array(names, object)[m.score({"x": v}).argmax(axis=1)])
            for name, model in known.items()
        }
        y = [np.array(names, object)[one.astype(int) % 3] for one in x]
        metric = "f1"
    p = [answer["good"](one) for one in x]
    hit = rng.random(2000) < 0.5
    p[1] = np.where(hit, answer["bad"](x[1]), p[1])
    nothing = [np.full(len(one), np.nan) for one in x]
    before, during = (
        rows_of({"x": column}, label, said, empty, window=window, metric=metric_for(metric, task))
        for column, label, said, empty, window in zip(x, y, p, nothing, (BASELINE, INCIDENT), strict=True)
    )
    facts = facts_of(before, during, metric=metric, task=task, models=known, threshold=None)
    found = decided(facts)["M2"]
    assert (found.verdict, found.parameters["served"]) == ("confirmed", "bad")
    assert found.share.value == pytest.approx(1, abs=0.1)


def test_logs_that_round_their_scores_still_match_the_model(before, during):
    rounded = [replace(one, score=np.round(one.score, 4)) for one in (before, during)]
    assert tolerance(rounded[0].score) == pytest.approx(6e-5)
    assert why_not_replayed(facts_of(*rounded)) is None


def test_the_rows_that_a_change_touches(before):
    """Nulls that stay null are untouched."""
    column = before.features["delay"].copy()
    column[:3] = np.nan
    start = before.with_feature("delay", column)
    other = column.copy()
    other[2:5] = 7.0
    assert np.flatnonzero(touched(start, start.with_feature("delay", other))).tolist() == [2, 3, 4]
    assert not touched(start, corrupted(start, "load", start.features["load"].copy())).any()


def test_the_registry_tells_a_wrong_version_from_a_worse_one(before, during):
    """The log names what served: M2 where the registry means the other version, M1 where it means that one."""
    bad = np.full(len(during), "bad", dtype=object)
    struck = replace(by_bad(during, np.ones(len(during), bool)), version=bad)
    meant = {name: verdicts(facts_of(before, struck, intended=name)) for name in ("good", "bad")}
    assert (meant["good"]["M2"], meant["good"]["M1"]) == ("confirmed", "refuted")
    assert (meant["bad"]["M2"], meant["bad"]["M1"]) == ("refuted", "confirmed")
    unknown = verdicts(facts_of(before, struck, intended="another"))
    assert (unknown["M2"], unknown["M1"]) == ("refuted", "confirmed")


def test_a_canary_that_was_there_before_is_no_wrong_version(before, during):
    """The same part of the rows was served by the other version in the baseline too: the log's word stands."""
    canary = [np.where(np.arange(len(one)) % 5 == 0, "bad", "good").astype(object) for one in (before, during)]
    old, new = (
        replace(by_bad(one, version == "bad"), version=version)
        for one, version in zip((before, during), canary, strict=True)
    )
    assert verdicts(facts_of(old, new, intended="good"))["M2"] == "refuted"
