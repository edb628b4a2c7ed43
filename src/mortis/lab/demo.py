"""The demo's case folder: a model of late arrivals, trained on the first part of 2013 and served on what came after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mortis.lab.faults import FAULTS, Fault, inject
from mortis.lab.flights import read_flights
from mortis.lab.model import AT_PUSH_BACK, BEFORE_DEPARTURE, ArrivalModel, train
from mortis.problems import InputProblem, listed, near
from mortis.records import Window, iso

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "v1"
THRESHOLD = 0.5
SEGMENTS = ("origin", "carrier", "dest_region")
WEATHER = ("wind_speed", "visibility", "precipitation")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the model is, when it was trained and served, which stretch is looked at, and what is true of it.

    `logged` are the features in the log, `used` those the model reads; `flown_only` leaves out cancelled flights.
    `happened` is the onset of a failure that nobody injected; `slices` names who is hit.
    """

    title: str
    metric: str
    logged: tuple[str, ...]
    used: tuple[str, ...]
    flown_only: bool
    rounds: int
    leaves: int
    trained: Window
    served: Window
    baseline: Window
    incident: Window
    detected_at: datetime
    fault: Fault | None = None
    cause: str | None = None
    happened: datetime | None = None
    slices: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened, for those who judge a diagnosis. It never enters the case folder.

    `slices` names who is hit, each as columns and their values; "null" stands for a missing one.
    """

    scenario: str
    verdict: str
    metric: str
    cause: str | None
    onset: datetime | None
    feature: str | None = None
    factor: float | None = None
    offset: float | None = None
    scope: dict[str, str] | None = None
    slices: tuple[dict[str, str], ...] = ()

    def to_json(self) -> str:
        """The truth as a JSON object; the onset in UTC, null where nothing failed."""
        return json.dumps(asdict(self) | {"onset": iso(self.onset) if self.onset else None}, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class DemoCase:
    """A case file ready to be investigated, and the truth it must not know."""

    case_file: Path
    truth: Truth


class DemoFolderTaken(InputProblem):
    """The folder holds a case that the demo didn't write."""


def _window(start: str, end: str) -> Window:
    return Window(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end)))


def _autumn(fault: Fault | None) -> Scenario:
    """Late arrivals foretold at push-back: a quiet stretch of autumn, into which a fault may be put."""
    return Scenario(
        title="Precision of the late-arrival model seems to have fallen in November",
        metric="precision",
        logged=AT_PUSH_BACK,
        used=AT_PUSH_BACK,
        flown_only=True,
        rounds=80,
        leaves=31,
        trained=_window("2013-01-01", "2013-08-01"),
        served=_window("2013-10-01", "2013-11-22"),
        baseline=_window("2013-10-08", "2013-11-05"),
        incident=_window("2013-11-05", "2013-11-19"),
        detected_at=datetime(2013, 11, 22, 9, tzinfo=UTC),
        fault=fault,
    )


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "unit": _autumn(FAULTS["unit"]),
        "none": _autumn(None),
        # The blizzard of 8-9 February, as it was. Flights are scored an hour before departure, the cancelled ones too.
        # The model may only know what came before: three weeks of January, whose weather taught it nothing that held.
        "world": Scenario(
            title="Accuracy of the late-arrival model seems to have fallen in February",
            metric="accuracy",
            logged=BEFORE_DEPARTURE,
            used=tuple(name for name in BEFORE_DEPARTURE if name not in WEATHER),
            flown_only=False,
            rounds=40,
            leaves=15,
            trained=_window("2013-01-01", "2013-01-21"),
            served=_window("2013-01-21", "2013-02-13"),
            baseline=_window("2013-01-21", "2013-02-08"),
            incident=_window("2013-02-08", "2013-02-10"),
            detected_at=datetime(2013, 2, 13, 14, tzinfo=UTC),
            cause="W1",
            # The morning's first full hour: 41 % late, against 9 % in the same hour of the day before.
            happened=datetime(2013, 2, 8, 11, tzinfo=UTC),
            # No flight had left the airport in the last hours: half of the excess errors.
            slices=({"origin_delay": "null"},),
        ),
    }
)
"""What `mortis demo --fault` knows, by name."""


def build_demo(out: Path, *, fault: str = "unit", seed: int = 7, injected: Fault | None = None) -> DemoCase:
    """The case at `out`/case/incident.yaml and its truth, which is also written to `out`/truth.json.

    `injected` puts another fault in place of the scenario's own. Same arguments, same bytes. An earlier demo at the
    same place is overwritten; DemoFolderTaken where the case there is somebody else's; DemoDataMissing without the
    extra `demo`.
    """
    if fault not in SCENARIOS:
        raise InputProblem(f"no demo is named {fault!r}; there are: {listed(SCENARIOS)}{near(fault, SCENARIOS)}")
    scenario = SCENARIOS[fault]
    put_in = injected or scenario.fault
    case = _ours(out / "case")
    flights = read_flights()
    if scenario.flown_only:
        flights = _where(flights, ~_numpy(flights, "cancelled"))

    known = within(flights, scenario.trained)
    model = train(known, features=scenario.used, rounds=scenario.rounds, leaves=scenario.leaves, seed=seed)
    served = within(flights, scenario.served)
    if put_in:
        served = inject(served, put_in)

    rng = np.random.default_rng(seed)
    _write_weeks(predictions(served, model, scenario.logged, rng=rng), _emptied(case / "predictions"))
    _write(labels(served, known_by=scenario.detected_at, rng=rng), case / "labels.parquet")
    training = known.select([*scenario.logged, "late"]).rename_columns([*scenario.logged, "y_true"])
    _write(training, case / "training.parquet")
    (case / "models").mkdir(exist_ok=True)
    (case / "models" / f"{VERSION}.txt").write_text(model.text, encoding="utf-8", newline="\n")
    (case / "incident.yaml").write_text(case_text(scenario), encoding="utf-8", newline="\n")

    truth = _truth(fault, scenario, put_in)
    (out / "truth.json").write_text(truth.to_json(), encoding="utf-8", newline="\n")
    return DemoCase(case / "incident.yaml", truth)


def within(flights: pa.Table, window: Window) -> pa.Table:
    """The flights scheduled in the window."""
    at = _numpy(flights, "scheduled_at")
    start, end = (np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us") for moment in _ends(window))
    return _where(flights, (at >= start) & (at < end))


def predictions(
    flights: pa.Table, model: ArrivalModel, logged: tuple[str, ...], *, rng: np.random.Generator
) -> pa.Table:
    """The log of the served model: one row per flight with its score, its features as served, and no label."""
    import pyarrow as pa

    score = model.score(flights)
    columns = {
        "request_id": flights["request_id"],
        "scheduled_at": flights["scheduled_at"],
        "model_version": pa.array([VERSION] * len(score)),
        "y_pred": pa.array((score >= THRESHOLD).astype(np.int8)),
        "y_score": pa.array(score),
        "latency_ms": pa.array(np.round(14 * rng.lognormal(0, 0.35, len(score)), 2)),
    }
    return pa.table(columns | {name: flights[name] for name in dict.fromkeys((*logged, *SEGMENTS))})


def labels(flights: pa.Table, *, known_by: datetime, rng: np.random.Generator) -> pa.Table:
    """The outcomes that had arrived by then: airlines report a flight half a day to three days after it left."""
    import pyarrow as pa

    hours = np.clip(12 + rng.gamma(2, 8, flights.num_rows), 12, 72)
    at = _numpy(flights, "left_at").astype("datetime64[s]") + (hours * 3600).astype("timedelta64[s]")
    table = pa.table(
        {
            "request_id": flights["request_id"],
            "y_true": flights["late"],
            "labelled_at": pa.array(at.astype("datetime64[us]")).cast(pa.timestamp("us", "UTC")),
        }
    )
    moment = np.datetime64(known_by.astimezone(UTC).replace(tzinfo=None), "us")
    return table.filter(pa.array(at <= moment)).sort_by([("labelled_at", "ascending"), ("request_id", "ascending")])


_FIRST_LINE = "# A case written by `mortis demo`.\n"

_CASE = """\
title: {title}
model: {{name: arrivals, task: binary, positive: 1}}   # 1: 15 minutes late at its destination, or never there
predictions:
  table: predictions/*.parquet       # one file a week, as the service logged them
  time: scheduled_at                 # the flight's scheduled departure, UTC
  id: request_id
  prediction: y_pred
  score: y_score                     # probability of 1
  version: model_version
  latency_ms: latency_ms
  segments: [{segments}]
  features: [{features}]
labels:
  table: labels.parquet              # airlines report half a day to three days later
  id: request_id
  label: y_true
  time: labelled_at
training: {{table: training.parquet, label: y_true}}
failure: {{metric: {metric}, expected: baseline}}   # no target was agreed on: the weeks before are the yardstick
windows:
  baseline: [{baseline}]
  incident: [{incident}]
  bucket: 1d
detected_at: {detected}
models:
  - {{version: {version}, file: models/{version}.txt}}   # LightGBM's own text format
"""


def case_text(scenario: Scenario) -> str:
    """The case file's text: what somebody on call would write, and nothing of the truth."""
    return _FIRST_LINE + _CASE.format(
        title=scenario.title,
        segments=", ".join(SEGMENTS),
        features=", ".join(scenario.logged),
        metric=scenario.metric,
        baseline=", ".join(iso(moment) for moment in _ends(scenario.baseline)),
        incident=", ".join(iso(moment) for moment in _ends(scenario.incident)),
        detected=iso(scenario.detected_at),
        version=VERSION,
    )


def _truth(name: str, scenario: Scenario, fault: Fault | None) -> Truth:
    """What is true of a scenario with this fault in it."""
    if fault is None:
        verdict = "failure" if scenario.happened else "no_failure"
        return Truth(name, verdict, scenario.metric, scenario.cause, scenario.happened, slices=scenario.slices)
    scope = dict([fault.scope]) if fault.scope else None
    return Truth(
        name,
        "failure",
        scenario.metric,
        fault.cause,
        fault.onset,
        feature=fault.feature,
        factor=fault.factor,
        offset=fault.offset,
        scope=scope,
        slices=(scope,) if scope else (),
    )


def _ours(case: Path) -> Path:
    """The same folder, unless somebody else's case is in it."""
    file = case / "incident.yaml"
    if file.exists() and not file.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE):
        raise DemoFolderTaken(f"{file} is not the demo's: choose another folder with --out")
    return case


def _emptied(log: Path) -> Path:
    """The log's folder, made or freed of the files that an earlier demo wrote."""
    log.mkdir(parents=True, exist_ok=True)
    for old in log.glob("week-*.parquet"):
        old.unlink()
    return log


def _write_weeks(table: pa.Table, folder: Path) -> None:
    """One file for each week, from Monday on, named by its first day."""
    day = _numpy(table, "scheduled_at").astype("datetime64[D]")
    # Numpy's weeks begin on Thursdays, as 1970 did.
    monday = (day + 3).astype("datetime64[W]").astype("datetime64[D]") - 3
    for week in np.unique(monday):
        _write(_where(table, monday == week), folder / f"week-{week}.parquet")


def _write(table: pa.Table, path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(table, path, compression="zstd")


def _where(table: pa.Table, keep: NDArray[np.bool_]) -> pa.Table:
    import pyarrow as pa

    return table.filter(pa.array(keep)).combine_chunks()


def _numpy(table: pa.Table, column: str) -> NDArray[Any]:
    """A column without nulls as an array; times as UTC without a zone."""
    values: NDArray[Any] = table[column].to_numpy()
    return values


def _ends(window: Window) -> tuple[datetime, datetime]:
    return window.start, window.end
