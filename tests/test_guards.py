"""A guard fails on the incident's days and passes on the baseline's, or it isn't made; a person can run its text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mortis.guards import DAY, Watched, bounds, by_day, make_guards
from mortis.records import Cause
from weighable import (  # type: ignore[import-not-found]  # pytest finds it beside this file
    INCIDENT,
    answered,
    corrupted,
    facts_of,
    models,
    served,
)


def cause(id_, *features, verdict="confirmed", scope="", **parameters):
    return Cause(id_, id_, verdict, 0.9, features=features, scope=scope, parameters=parameters)


@pytest.fixture
def before(rng):
    return served(rng, 4000)


@pytest.fixture
def during(rng):
    return served(rng, 2000, window=INCIDENT)


def guards(before, during, *causes):
    return make_guards(causes, facts_of(before, during))


def outside(before, during, low, high, figure):
    """The shares of the days (baseline, incident) whose figure lies outside the bounds, counted plainly."""
    shares = []
    for sample in (before, during):
        days = sample.second // DAY
        values = [figure(sample.where(days == day)) for day in np.unique(days)]
        shares.append(np.mean([not low <= value <= high for value in values]))
    return shares


def test_a_features_unit_is_guarded_by_its_median_where_it_was_struck(before, during):
    """The text's bounds, run by hand, fail on the incident's days and pass on the baseline's."""
    hit = during.features["region"] == "us"
    struck = corrupted(during, "delay", np.where(hit, during.features["delay"] * 60, during.features["delay"]))
    made = guards(before, struck, cause("D3", "delay", scope="region = us"))
    assert [one.id for one in made] == ["D3-1"]
    one = made[0]
    assert (one.fails_on_incident, one.passes_on_baseline) == (True, True)
    assert one.check.startswith("by day (UTC), the median of delay where region = us lies from ")
    low, high = (float(word) for word in one.check.rsplit("from ", 1)[1].split(" to "))

    def figure(rows):
        return np.median(rows.features["delay"][rows.features["region"] == "us"])

    old, new = outside(before, struck, low * 0.999, high * 1.001, figure)
    assert old == 0
    assert new >= 0.5


def test_each_cause_is_guarded_by_its_own_symptom(rng, before, during):
    n = len(during)
    hit = rng.random(n) < 0.4
    region = during.features["region"]
    bad = models()["bad"].score(during.features)
    cases = {
        "null share of delay": (
            corrupted(during, "delay", np.where(hit, np.nan, during.features["delay"])), cause("D1", "delay")),
        "share of delay = -1": (
            corrupted(during, "delay", np.where(hit, -1.0, during.features["delay"])), cause("D2", "delay", value=-1)),
        "share of region = eu": (
            corrupted(during, "region", np.where(hit, "eu", region).astype(object)), cause("S3", "region")),
        "share of region other than asia, eu, us": (
            corrupted(during, "region", np.where(hit, "USA", region).astype(object)), cause("D4", "region")),
        "share of served answers that the logged version's file gives": (
            answered(during, np.where(hit, bad, during.score)), cause("M2")),
        "share of predictions that depart from score >= 0.5": (
            answered(during, during.score, threshold=0.8), cause("M3", before=0.5)),
        "share of rows with score = 0.02": (
            answered(during, np.where(hit, 0.02, during.score)), cause("H1", fallback_score=0.02)),
        "share of rows that repeat an id": (
            replace(during, ids=np.where(hit, "same", during.ids).astype(object)), cause("D7")),
        "share of errors (fp, fn) among labelled rows": (
            served(rng, n, window=INCIDENT, turned=-1.0), cause("W2", verdict="supported")),
    }  # fmt: skip
    for what, (struck, one) in cases.items():
        checks = [guard.check for guard in guards(before, struck, one)]
        assert any(what in check for check in checks), (what, checks)


def test_what_does_not_stand_or_does_not_show_makes_no_guard(before, during):
    assert guards(before, during, cause("D3", "delay")) == (), "the feature is as it was"
    hit = corrupted(during, "delay", during.features["delay"] * 60)
    assert guards(before, hit, cause("D3", "delay", verdict="refuted"), cause("E2")) == ()
    short = before.where(before.second < before.second[0] + 3 * DAY)
    assert guards(short, hit, cause("D3", "delay")) == (), "three days set no bounds"


def test_a_guard_alarms_on_few_of_the_days_that_it_was_not_drawn_from():
    """Bounds from 20 healthy days: on the next 10 days of 30 such worlds, one in 20 lies outside at most."""
    outside_days = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        watched = Watched("median of delay", lambda rows: rows.features["delay"], median=True)
        low, high = bounds(by_day(watched, served(rng, 2000)))
        later = by_day(watched, served(rng, 1000, window=INCIDENT))
        outside_days += ((later < low) | (later > high)).tolist()
    assert np.mean(outside_days) <= 0.05


def test_the_false_alarm_rate_is_that_of_each_day_held_against_the_others(before, during):
    struck = corrupted(during, "delay", during.features["delay"] * 60)
    one = guards(before, struck, cause("D3", "delay"))[0]
    days = by_day(Watched("", lambda rows: rows.features["delay"], median=True), before)
    alarms = 0
    for i, value in enumerate(days):
        low, high = bounds(np.delete(days, i))
        alarms += not low <= value <= high
    assert one.false_alarm_rate == pytest.approx(alarms / len(days))


def test_days_with_too_few_rows_and_rows_that_do_not_count_are_left_out(before):
    some = before.where(np.arange(len(before)) < 205)
    watched = Watched("", lambda rows: np.where(np.arange(len(rows)) < 204, 1.0, np.nan))
    assert by_day(watched, some).tolist() == [1.0]
    assert by_day(Watched("", lambda rows: rows.features["load"], scope="region = nowhere"), before).tolist() == []
