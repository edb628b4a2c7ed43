"""Seasons are taken out where they explain, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from metric_series import HOUR, ar1, clock
from mortis.signals.season import DAY, WEEK, median, without_season


def level_of(values, known, step=HOUR):
    seconds = clock(values.shape[-1], step)
    return without_season(np.atleast_2d(values), seconds, slice(0, known), needed=slice(known, values.shape[-1]))


def by_loop(values, seconds, known, period, length):
    """Each value less the median over the cycles of its phase's means."""
    cells = {}
    for second, value in zip(seconds[:known], values[:known], strict=True):
        cells.setdefault((second % period // length, second // period), []).append(value)
    means = {}
    for (phase, _), members in cells.items():
        means.setdefault(phase, []).append(np.mean(members))
    return np.array(
        [value - np.median(means[second % period // length]) for second, value in zip(seconds, values, strict=True)]
    )


def test_what_is_left_of_a_daily_course_equals_the_definition(rng):
    """Quarter hours, five days: hourly means, the median over the days."""
    values = 50 + 20 * np.sin(2 * np.pi * np.arange(576) / 96) + rng.normal(0, 1, 576)
    level = level_of(values, 480, step=900)
    assert level.period.tolist() == [DAY]
    np.testing.assert_allclose(level.values[0], by_loop(values, clock(576, 900), 480, DAY, HOUR))


def test_a_week_is_told_from_a_day(rng):
    """Weekends at half the traffic, over four weeks."""
    hours = np.arange(24 * 35)
    values = np.where(hours // 24 % 7 < 5, 100.0, 50.0) + rng.normal(0, 3, len(hours))
    assert level_of(values, 24 * 28).period.tolist() == [WEEK]
    days = np.where(np.arange(40) % 7 < 5, 100.0, 50.0) + rng.normal(0, 3, 40)
    assert level_of(days, 28, step=DAY).period.tolist() == [WEEK]


@pytest.mark.parametrize("days", [2, 3, 7, 20])
def test_noise_has_no_season(rng, days):
    """Of a hundred series without one, five at most seem to have one."""
    noise = ar1(rng, (100, 24 * (days + 1)), 0.5)
    assert np.count_nonzero(level_of(noise, 24 * days).period) <= 5


def test_one_cycle_is_no_season():
    values = np.sin(2 * np.pi * np.arange(48) / 24)
    level = level_of(values, 40)
    assert level.period.tolist() == [0]
    assert level.values.tolist() == [values.tolist()]


def test_an_incident_does_not_bend_the_season_it_is_measured_by(rng):
    values = 50 + 20 * np.sin(2 * np.pi * np.arange(192) / 24) + rng.normal(0, 1, 192)
    hit = values + np.where(np.arange(192) >= 168, 30.0, 0.0)
    np.testing.assert_allclose(level_of(hit, 168).values[0] - level_of(values, 168).values[0], hit - values)


def test_a_season_that_lacks_an_hour_of_the_incident_stays(rng):
    """The baseline has no nights: what the incident's nights should be is not known."""
    hours = np.arange(24 * 8)
    values = 50 + 20 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 1, len(hours))
    values[(hours % 24 < 6) & (hours < 168)] = np.nan
    assert level_of(values, 168).period.tolist() == [0]


def test_medians_leave_out_what_is_unknown(rng):
    values = rng.normal(size=(20, 9))
    values[rng.random((20, 9)) < 0.3] = np.nan
    np.testing.assert_allclose(median(values), np.nanmedian(values, axis=1))
