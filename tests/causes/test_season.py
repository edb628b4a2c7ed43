"""A season is told by the same weeks of the year before, and only where the log reaches back to them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from mortis.causes.season import decide_season
from mortis.records import Interval, Point
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    BASELINE,
    INCIDENT,
    facts_of,
    failure,
    served,
)

DAY = timedelta(days=1)


def decided(rng, falls, *, days):
    """The outcome on a series by day that ends with the incident and falls in the given windows."""
    starts = [INCIDENT.end - (days - i) * DAY for i in range(days)]
    noise = rng.normal(0, 0.004, days)
    values = [0.9 - 0.1 * any(start in one for one in falls) + e for start, e in zip(starts, noise, strict=True)]
    points = tuple(Point(start, Interval(v, v, v, 100)) for start, v in zip(starts, values, strict=True))
    facts = facts_of(served(rng, 50), served(rng, 50, window=INCIDENT), models={})
    object.__setattr__(facts, "failure", failure(series=points))
    return next(iter(decide_season(facts)))


def a_year_before(window):
    return type(window)(window.start - 364 * DAY, window.end - 364 * DAY)


def test_the_same_fall_a_year_before_supports_the_season(rng):
    found = decided(rng, [INCIDENT, a_year_before(INCIDENT)], days=420)
    assert found.verdict == "supported"
    assert found.share is None


def test_a_year_before_without_the_fall_rules_the_season_out(rng):
    assert decided(rng, [INCIDENT], days=420).verdict == "refuted"


def test_a_log_of_weeks_says_that_it_can_not_tell(rng):
    found = decided(rng, [INCIDENT], days=60)
    assert found.verdict == "not_tested"
    assert "the log reaches back 50 days from the onset, and a season takes a year" in found.result


@pytest.mark.parametrize("seed", range(20))
def test_a_series_that_never_moved_is_never_called_a_season(seed):
    assert decided(np.random.default_rng(seed), [], days=420).verdict != "confirmed"


def test_the_baseline_is_the_yardstick_of_its_own_year(rng):
    """A level that was lower all through the year before is no season."""
    before = type(INCIDENT)(BASELINE.start - 400 * DAY, INCIDENT.end - 300 * DAY)
    assert decided(rng, [INCIDENT, before], days=470).verdict == "refuted"
