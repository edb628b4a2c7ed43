"""The same failure under different windows, and failures that begin and end in different ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planted import Rows, began, day, first_slice, told, window

PREDICTIONS = {"prediction": "pred", "label": "y"}
BOTH = pytest.mark.parametrize("fault", [True, False], ids=["fault", "healthy"])


def log_with(rows: Rows, error: NDArray[Any]) -> dict[str, Any]:
    """A binary log whose predictions are wrong with the given probability."""
    label = (rows.rng.random(rows.n) < 0.4).astype(int)
    log: dict[str, Any] = rows.columns(pred=label ^ (rows.rng.random(rows.n) < error), y=label)
    return log


def us_error(rows: Rows, strength: NDArray[Any] | float = 1.0) -> NDArray[Any]:
    """A tenth of all predictions is wrong, and up to half of those that the fault hits."""
    return np.where(rows.hit, 0.1 + 0.4 * np.asarray(strength), 0.1)


@pytest.mark.parametrize(
    "windows",
    [
        pytest.param({}, id="none"),
        pytest.param({"baseline": window(0, 20)}, id="baseline alone"),
        pytest.param({"incident": window(31, 37)}, id="incident alone"),
        pytest.param({"baseline": window(0, 31), "incident": window(31, 37)}, id="both"),
        pytest.param({"baseline": window(0, 25), "incident": window(25, 37), "bucket": "1d"}, id="much too wide"),
        pytest.param({"baseline": window(2, 12), "incident": window(33, 35), "bucket": "1d"}, id="far apart"),
    ],
)
def test_the_incident_is_found_under_any_windows(investigated, windows):
    """What is not stated is found: the baseline is what comes before the change."""
    rows = Rows(21)
    found = investigated(log_with(rows, us_error(rows)), predictions=PREDICTIONS, windows=windows)
    assert found.failure.verdict == "failure", told(found)
    assert first_slice(found) == {"region": "us"}, told(found)
    late = found.failure.incident_window.start > day(rows.since)
    assert began(found, day(rows.since)) or late, told(found)


@pytest.mark.parametrize("windows", [{}, {"baseline": window(0, 20)}, {"incident": window(31, 37)}])
@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_log_holds_no_incident(investigated, windows, seed):
    """Searching for an incident where there is none finds none."""
    rows = Rows(100 + seed)
    found = investigated(log_with(rows, np.full(rows.n, 0.1)), predictions=PREDICTIONS, windows=windows)
    assert found.failure.verdict == "no_failure", told(found)
    assert found.failure.onset is None
    assert found.slices == ()


@pytest.mark.parametrize("stated", [True, False])
def test_a_pulse_that_recovers(investigated, stated):
    """The end of a passing failure is found as well, whether it lies in a stated window or not."""
    rows = Rows(22, since=25.0)
    rows.hit &= rows.days < 29.0
    windows = {"baseline": window(0, 24), "incident": window(24, 37), "bucket": "1d"} if stated else {"bucket": "1d"}
    found = investigated(log_with(rows, us_error(rows, 1.5)), predictions=PREDICTIONS, windows=windows)
    assert began(found, day(25)), told(found)
    assert found.failure.onset.best == day(25)
    end = found.failure.onset.recovered or found.failure.incident_window.end
    assert end == day(29), told(found)
    assert first_slice(found) == {"region": "us"}, told(found)


def test_a_gradual_ramp(investigated):
    """A slow rise is seen, and its onset interval reaches back to where it began."""
    rows = Rows(23, since=20.0, a_day=500)
    strength = np.clip((rows.days - 20) / 12, 0, 1)
    windows = {"baseline": window(0, 20), "incident": window(20, 37), "bucket": "1d"}
    found = investigated(log_with(rows, us_error(rows, strength)), predictions=PREDICTIONS, windows=windows)
    assert began(found, day(20)), told(found)
    assert first_slice(found) == {"region": "us"}, told(found)


@BOTH
def test_hours(investigated, fault):
    """Hour buckets: a failure since 14:20 of the last day, in a log with a rhythm of day and night."""
    rows = Rows(24, days=8, a_day=4000, since=7 + 14 / 24 + 20 / 1440)
    rhythm = 0.04 * np.sin(2 * np.pi * rows.days)
    windows = {"baseline": window(0, 7), "incident": window(7.5, 8), "bucket": "1h"}
    error = us_error(rows) if fault else np.full(rows.n, 0.1)
    found = investigated(log_with(rows, error + rhythm), predictions=PREDICTIONS, windows=windows)
    if fault:
        assert began(found, day(rows.since)), told(found)
        onset = found.failure.onset
        assert (onset.high - onset.low).total_seconds() <= 6 * 3600
        assert first_slice(found) == {"region": "us"}, told(found)
    else:
        assert found.failure.verdict == "no_failure", told(found)


@BOTH
def test_a_weekly_season_is_no_failure(investigated, fault):
    """Weekends are worse every week: an incident window of a weekend is no failure, unless it is worse than others."""
    rows = Rows(25, days=35, a_day=1200, since=33.0)
    weekend = rows.days % 7 >= 5
    error = np.where(weekend, 0.25, 0.1) + np.where(rows.hit & fault, 0.4, 0.0)
    windows = {"baseline": window(0, 33), "incident": window(33, 35), "bucket": "1d"}
    found = investigated(log_with(rows, error), predictions=PREDICTIONS, windows=windows)
    if fault:
        assert began(found, day(33)), told(found)
        assert first_slice(found) == {"region": "us"}, told(found)
    else:
        assert found.failure.verdict == "no_failure", told(found)


def test_forty_rows_cannot_tell(investigated):
    """Too few rows for any verdict: the report says so, and what would be needed."""
    rows = Rows(26, days=10, a_day=4, since=5.0)
    windows = {"baseline": window(0, 5), "incident": window(5, 10)}
    found = investigated(log_with(rows, us_error(rows)), predictions=PREDICTIONS, windows=windows)
    assert found.failure.verdict == "cannot_tell", told(found)
    assert "fewer than 30" in found.failure.reason
    assert found.answer == "unknown"
    assert len(found.actions) == 1


def test_a_stated_figure_decides(investigated):
    """What was expected goes before what was usual: a tenth of errors fails a promise of 95 %, not one of 85 %."""
    rows = Rows(27)
    log = log_with(rows, np.full(rows.n, 0.1))
    verdicts = [
        investigated(log, predictions=PREDICTIONS, failure={"metric": "accuracy", "expected": promised}).failure.verdict
        for promised in (0.95, 0.85)
    ]
    assert verdicts == ["failure", "no_failure"]
