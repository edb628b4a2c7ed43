"""When series began to move, and how that is told against the failure."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metric_series import BEGINS, HOUR, ar1, series, windows
from mortis.records import Window
from mortis.signals.course import course_of
from mortis.signals.order import Began, begin_of, order_of
from mortis.telemetry import MetricSeries


def at(hours):
    return BEGINS + timedelta(hours=float(hours))


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4))
def test_only_intervals_apart_are_ordered(edges):
    """Mirrored: what was before is after when the two change places."""
    (a, b), (c, d) = sorted(edges[:2]), sorted(edges[2:])
    one, other = Began(at(a), at(a), at(b)), Began(at(c), at(c), at(d))
    order = order_of(one, other)
    assert order == ("before" if b < c else "after" if a > d else "with")
    assert order_of(other, one) == {"before": "after", "after": "before", "with": "with"}[order]


def test_what_is_not_known_is_told_with_the_failure():
    assert order_of(None, Began(at(1), at(1), at(2))) == "with"


@pytest.mark.parametrize("lead", [-5, 0, 5])
def test_the_interval_holds_the_onset(lead):
    """Under autocorrelation, in 93 of 100; before the incident window too."""
    baseline, incident = windows(240, 24)
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        values = ar1(rng, (264,), 0.5) + np.where(np.arange(264) >= 240 + lead, 4.0, 0.0)
        began = begin_of(series(values), "up", baseline=baseline, incident=incident)
        held += began.low <= at(240 + lead) <= began.high
    assert held >= 93


def test_a_season_neither_hides_nor_makes_an_onset(rng):
    baseline, incident = windows(240, 24)
    place = np.arange(264)
    values = 20 * np.sin(2 * np.pi * place / 24) + rng.normal(size=264) + np.where(place >= 250, 8.0, 0.0)
    began = begin_of(series(values), "up", baseline=baseline, incident=incident)
    assert began.low <= at(250) <= began.high
    assert began.high - began.low <= timedelta(hours=2)


def test_a_gap_between_the_windows_is_one_unknown_bucket(rng):
    """A baseline of two months before: the change may lie anywhere between."""
    place = np.arange(240)
    seconds = int(BEGINS.timestamp()) + HOUR * np.where(place < 200, place, place + 1440)
    values = rng.normal(size=240) + np.where(place >= 200, 8.0, 0.0)
    baseline, incident = Window(BEGINS, at(200)), Window(at(1640), at(1680))
    one = MetricSeries("latency", seconds, values)
    assert len(course_of(one, baseline=baseline, incident=incident).starts) < 240
    began = begin_of(one, "up", baseline=baseline, incident=incident)
    assert began.low <= at(200)
    assert began.high <= at(1641)


@given(st.integers(0, 10_000), st.integers(2, 400), st.integers(1, 400), st.integers(0, 800))
def test_every_point_lies_in_its_bucket(seed, before, during, gap):
    """Buckets ascend, the incident begins at one of their edges, and no point between first and last is lost."""
    rng = np.random.default_rng(seed)
    hours = np.unique(rng.integers(0, before + gap + during, 300))
    one = MetricSeries("m", int(BEGINS.timestamp()) + hours * HOUR, rng.normal(size=len(hours)))
    baseline, incident = Window(BEGINS, at(before)), Window(at(before + gap), at(before + gap + during))
    course = course_of(one, baseline=baseline, incident=incident)
    if course is None:
        return
    assert (np.diff(course.starts) > 0).all()
    assert course.moment(course.incident) == incident.start
    assert len(course.starts) <= 403
    in_incident = (one.seconds >= incident.start.timestamp()) & (one.seconds < incident.end.timestamp())
    assert course.n[course.incident :].sum() == in_incident.sum()
    assert course.n.sum() <= len(hours)


def test_too_few_points_have_no_onset():
    baseline, incident = windows(40, 6)
    one = MetricSeries("m", np.array([int(at(3).timestamp())]), np.array([1.0]))
    assert begin_of(one, "up", baseline=baseline, incident=incident) is None
