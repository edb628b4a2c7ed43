"""How far series moved: the definition by brute force, and what must not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, median_abs_deviation

from metric_series import BEGINS, HOUR, clock, series, windows
from mortis.records import Window
from mortis.signals.shift import healthy_stretches, measure_shifts
from mortis.telemetry import MetricSeries

BEFORE, NORMAL, DURING = 40, 38, 8  # hours: shorter than two days, so that no season comes in


def measured(*members, before=BEFORE, during=DURING, step=HOUR):
    baseline, incident = windows(before, during, step)
    return measure_shifts(members, baseline=baseline, incident=incident)


def by_hand(values):
    """The score of the worst quarter upwards, and that of each healthy stretch: eight hours each, from the end back.

    Three points of the usual stretch may be more than a quarter: as large a share is then taken of the incident's.
    """
    known = values[:NORMAL]
    center, scale = np.nanmedian(known), median_abs_deviation(known, scale=1 / 1.4826, nan_policy="omit")

    def score(part, share):
        part = np.sort(part[np.isfinite(part)])[::-1]
        return (
            (np.median(part[: max(3, int(np.ceil(share * len(part))))]) - center) / scale if len(part) >= 3 else np.nan
        )

    parts = [values[start : start + DURING] for start in range(6, NORMAL, DURING)]
    stretches = np.array([score(part, 0.25) for part in parts])
    usual = max(3, np.median([np.isfinite(part).sum() for part in parts]))
    count = np.isfinite(stretches).sum()
    return score(values[BEFORE:], max(0.25, 3 / usual)), stretches * count / max(count - 1, 1)


@given(st.integers(0, 10_000), st.floats(0, 0.5))
def test_scores_equal_the_definition(seed, gaps):
    """Gaps included: a stretch with fewer than three points has no score."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(size=BEFORE + DURING)
    values[:BEFORE][rng.random(BEFORE) < gaps] = np.nan
    found = measured(series(values, "latency")).shifts
    if not found:  # too few points
        assert np.isfinite(by_hand(values)[1]).sum() < 3 or np.isfinite(values[:NORMAL]).sum() < 20
        return
    score, stretches = by_hand(values)
    np.testing.assert_allclose(found[0].score, score)
    np.testing.assert_allclose(found[0].healthy, stretches)


@given(st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_the_unit_does_not_matter(seed, factor):
    values = np.random.default_rng(seed).lognormal(size=BEFORE + DURING)
    one, other = (measured(series(each, "latency")).shifts[0] for each in (values, values * factor))
    np.testing.assert_allclose(one.score, other.score)
    np.testing.assert_allclose(one.healthy, other.healthy)


@given(st.integers(0, 10_000))
def test_a_series_mirrored_moves_the_other_way(seed):
    values = np.random.default_rng(seed).lognormal(size=BEFORE + DURING)
    down, up = measured(series(values)).shifts
    mirrored_down, mirrored_up = measured(series(-values)).shifts
    np.testing.assert_allclose([down.score, up.score], [mirrored_up.score, mirrored_down.score])


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.randoms())
def test_neither_order_nor_company_matters(seed, random):
    """A series among others, of the same times or not, scores as it does alone."""
    rng = np.random.default_rng(seed)
    members = [series(rng.lognormal(size=BEFORE + DURING), f"m{i}") for i in range(4)]
    members += [replace(one, name=f"late {one.name}", seconds=one.seconds + 60) for one in members[:2]]
    alone = {one.name: measured(one).shifts for one in members}
    random.shuffle(members)
    for shift in measured(*members).shifts:
        twin = next(one for one in alone[members[shift.index].name] if one.direction == shift.direction)
        assert (shift.score, shift.level, shift.points) == pytest.approx(
            (twin.score, twin.level, twin.points), rel=1e-12
        )
        np.testing.assert_allclose(shift.healthy, twin.healthy, rtol=1e-12)


def test_only_harm_counts_where_the_name_tells_it(rng):
    values = rng.normal(100, 1, BEFORE + DURING) - np.where(np.arange(BEFORE + DURING) >= BEFORE, 50.0, 0.0)
    (better,) = measured(series(values, "latency")).shifts
    assert better.score < 0
    (worse,) = measured(series(values, "availability")).shifts
    assert worse.score > 20
    assert [shift.direction for shift in measured(series(values)).shifts] == ["down", "up"]


def test_a_brief_failure_is_measured_beside_a_lasting_one(rng):
    """Three bad points among 96 leave the worst quarter where it was."""
    values = rng.normal(100, 1, 96 * 15)
    values[96 * 14 + 40 : 96 * 14 + 43] += 50
    lasting, brief = measured(series(values, "latency", step=900), before=96 * 14, during=96, step=900).shifts
    assert (lasting.taken, lasting.brief, brief.taken, brief.brief) == (24, False, 3, True)
    assert brief.score > 5 * brief.usual
    assert lasting.score < 2 * lasting.usual


NOTHING, SOME = np.full(BEFORE + DURING, np.nan), np.ones(BEFORE + DURING)
PLACE = np.arange(BEFORE + DURING)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (NOTHING, "no value in either window"),
        (np.full(BEFORE + DURING, np.inf), "no value in either window"),
        (np.where(PLACE < BEFORE, np.nan, 1.0), "no value in the normal baseline, 8 in the incident"),
        (np.where(PLACE < BEFORE, 1.0, np.nan), "38 values in the normal baseline, none in the incident"),
        (np.where(PLACE < 30, np.nan, 1.0), "8 values in the normal baseline, fewer than 20"),
        (np.where(PLACE < 42, 1.0, np.nan), "2 values in the incident, fewer than 3"),
        (np.where((PLACE < 26) | (PLACE >= BEFORE), PLACE, np.nan), ""),
    ],
)
def test_what_cannot_be_judged_is_told(values, why, rng):
    """Whatever stands beside it is judged."""
    found = measured(series(values, "latency", host="a"), series(rng.normal(size=BEFORE + DURING), "lag"))
    assert {shift.index for shift in found.shifts} == ({1} if why else {0, 1})
    assert [one.name for one in found.unjudged] == (['latency{host="a"}'] if why else [])
    assert all(one.why.startswith(why) for one in found.unjudged)


def test_too_few_healthy_stretches_are_told():
    """Points on two days of the baseline alone: two stretches hold them."""
    values = np.where(np.arange(240) < 162, np.nan, 1.0)
    found = measured(series(values), before=216, during=24)
    assert found.shifts == ()
    assert found.unjudged[0].why == "fewer than 3 healthy stretches of the baseline hold 3 points"


@pytest.mark.parametrize(("incident", "score"), [(100.05, 0.5), (101.0, 10.0), (0.0, -1000.0)])
def test_a_constant_is_measured_in_thousandths_of_itself(incident, score):
    """A scale of zero doesn't decide."""
    (shift,) = measured(series(np.where(PLACE < BEFORE, 100.0, incident), "latency")).shifts
    assert shift.score == pytest.approx(score)
    assert shift.usual == 0


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_what_leaves_a_constant_zero_is_measured_by_itself(size):
    (shift,) = measured(series(np.where(PLACE < BEFORE, 0.0, size), "errors")).shifts
    assert shift.score == pytest.approx(1000)


def test_nothing_but_zeros_moves_nowhere():
    assert [shift.score for shift in measured(series(np.zeros(BEFORE + DURING))).shifts] == [0, 0]


@given(st.integers(1, 400), st.integers(1, 2000), st.integers(0, 500))
def test_healthy_stretches_lie_in_the_baseline_and_apart(before, during, gap):
    """In hours; as long as the incident, or a quarter of the baseline."""
    baseline, incident = windows(before, during)
    later = Window(incident.start + timedelta(hours=gap), incident.end + timedelta(hours=gap))
    found = healthy_stretches(baseline, later)
    assert found.length == min(during * HOUR, before * HOUR // 4)
    assert len(found.starts) >= 4
    assert found.starts[0] >= baseline.start.timestamp()
    assert found.starts[-1] + found.length <= baseline.end.timestamp()
    assert (np.diff(found.starts) >= found.length).all()
    if found.by_clock:
        assert {(start - int(later.start.timestamp())) % 86_400 for start in found.starts.tolist()} == {0}


def test_a_long_baseline_is_sampled_evenly():
    """A quarter hour against nineteen days, which are too few to compare the same hour of the day: 500 stretches."""
    baseline, incident = windows(19 * 24, 1)
    short = Window(incident.start, incident.start + timedelta(minutes=15))
    found = healthy_stretches(baseline, short)
    assert (len(found.starts), found.by_clock) == (500, False)


def test_an_incident_longer_than_its_stretches_is_no_more_extreme(rng):
    """Three of its points are compared with the same share of a stretch's: on noise, scores are no higher."""
    noise = rng.normal(size=(300, 40 + 80))
    found = measured(*(series(values, "latency") for values in noise), before=40, during=80).shifts
    lasting = [shift for shift in found if not shift.brief]
    assert np.mean([shift.score > shift.usual for shift in lasting]) < 0.2


def test_series_of_other_times_are_cut_by_their_own():
    """A point belongs to a window that holds its time: the start is inside, the end is not."""
    seconds = clock(BEFORE + DURING) + 1800
    values = np.where(seconds < BEGINS.timestamp() + BEFORE * HOUR, np.resize([1.0, 2.0, 3.0], len(seconds)), 9.0)
    (shift,) = measured(MetricSeries("latency", seconds, values)).shifts
    assert (shift.points, shift.center, shift.level) == (DURING, 2.0, 9.0)


@given(st.integers(0, 10_000))
def test_the_chance_of_departures_is_the_binomial_tail(seed):
    """Scipy's as oracle; series that vary have none."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(BEFORE + DURING) < 0.2, 5.0, 0.0)
    (found,) = measured(series(values, "errors")).shifts
    before, during = (int((part > 0).sum()) for part in (values[:NORMAL], values[BEFORE:]))
    if found.mostly_equal and before < NORMAL / 4:
        expected = binom.sf(during - 1, DURING, (before + 1) / (NORMAL + 2))
        assert found.chance == pytest.approx(expected, rel=1e-9)
    (varying,) = measured(series(rng.normal(size=BEFORE + DURING), "errors")).shifts
    assert varying.chance == 0
