"""The demo's case folder: two versions of a model of late arrivals, and what was served in the weeks after training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mortis.lab.faults import Fault, Missing, WrongVersion, affected, inject, serving
from mortis.lab.flights import read_flights
from mortis.lab.model import ArrivalModel, train
from mortis.lab.repository import is_others
from mortis.lab.scenarios import SCENARIOS, SEGMENTS, Release, Scenario
from mortis.lab.service_logs import Traffic
from mortis.lab.surroundings import REPOSITORY, surround
from mortis.problems import InputProblem, listed, near
from mortis.records import Window, iso

if TYPE_CHECKING:
    import pyarrow as pa

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened, for those who judge a diagnosis. It never enters the case folder.

    Of a fault: its `feature`, `factor` and `offset`, or the `version` that served wrongly; and the `share` (0..1) that
    it touched of the incident window's rows from the onset on. Each of `slices` names who is hit, as columns and
    their values; "null" stands for a missing one. `change` is the one that brought the fault, `decoys` are laid out to
    mislead; each is given as its kind and what its record names, such as "deploy: feeds-104".
    """

    scenario: str
    verdict: str
    metric: str
    cause: str | None
    onset: datetime | None
    feature: str | None = None
    factor: float | None = None
    offset: float | None = None
    version: str | None = None
    share: float | None = None
    scope: dict[str, str] | None = None
    slices: tuple[dict[str, str], ...] = ()
    change: str | None = None
    decoys: tuple[str, ...] = ()

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


def build_demo(
    out: Path,
    *,
    fault: str = "unit",
    seed: int = 7,
    injected: Fault | None = None,
    scenario: Scenario | None = None,
) -> DemoCase:
    """The case at `out`/case/incident.yaml and its truth, which is also written to `out`/truth.json.

    `scenario` is served in place of the one that the fault is named for, `injected` puts another fault in place of the
    scenario's own. Same arguments, same bytes. An earlier demo at the same place is overwritten; DemoFolderTaken where
    the case there is somebody else's; PackageMissing without the extra `demo`.
    """
    if fault not in SCENARIOS:
        raise InputProblem(f"no demo is named {fault!r}; there are: {listed(SCENARIOS)}{near(fault, SCENARIOS)}")
    scenario = scenario or SCENARIOS[fault]
    put_in = injected or scenario.fault
    _check_version(put_in, scenario)
    case = _ours(out / "case")
    flights = read_flights()
    models = {one.version: _trained(flights, one, seed=seed) for one in scenario.releases}
    asked = within(flights, scenario.served)
    served = inject(asked, put_in) if put_in else asked

    rng = np.random.default_rng(seed)
    log = _log(served, models, scenario, put_in, rng=rng)
    _write_weeks(log, _emptied(case / "predictions"))
    _write(labels(served, known_by=scenario.detected_at, rng=rng), case / "labels.parquet")
    training = within(flights, scenario.current.trained).select([*scenario.logged, "late"])
    _write(training.rename_columns([*scenario.logged, "y_true"]), case / "training.parquet")
    (case / "models").mkdir(exist_ok=True)
    for version, model in models.items():
        (case / "models" / f"{version}.txt").write_text(model.text, encoding="utf-8", newline="\n")
    around = surround(case, scenario, put_in, Traffic(asked, served, _numpy(log, "latency_ms")), seed=seed)
    text = case_text(scenario) + around.sections
    (case / "incident.yaml").write_text(text, encoding="utf-8", newline="\n")

    truth = replace(_truth(fault, scenario, put_in, asked), change=around.change, decoys=around.decoys)
    (out / "truth.json").write_text(truth.to_json(), encoding="utf-8", newline="\n")
    return DemoCase(case / "incident.yaml", truth)


def within(flights: pa.Table, window: Window) -> pa.Table:
    """The flights scheduled in the window."""
    at = _numpy(flights, "scheduled_at")
    start, end = (np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us") for moment in _ends(window))
    return _where(flights, (at >= start) & (at < end))


def _trained(flights: pa.Table, release: Release, *, seed: int) -> ArrivalModel:
    return train(
        within(flights, release.trained),
        features=release.features,
        rounds=release.rounds,
        leaves=release.leaves,
        balanced=release.balanced,
        seed=seed,
    )


def _log(
    flights: pa.Table,
    models: Mapping[str, ArrivalModel],
    scenario: Scenario,
    fault: Fault | None,
    *,
    rng: np.random.Generator,
) -> pa.Table:
    """What the service logged: one row per flight with its score, its features as served, and no label.

    The log names the version that should have served, whichever did.
    """
    import pyarrow as pa

    logged = scenario.current.version
    score = _scores(flights, models, serving(flights, fault, logged=logged))
    columns = {
        "request_id": flights["request_id"],
        "scheduled_at": flights["scheduled_at"],
        "model_version": pa.array([logged] * len(score)),
        "y_pred": pa.array((score >= THRESHOLD).astype(np.int8)),
        "y_score": pa.array(score),
        "latency_ms": pa.array(np.round(14 * rng.lognormal(0, 0.35, len(score)), 2)),
    }
    return pa.table(columns | {name: flights[name] for name in dict.fromkeys((*scenario.logged, *SEGMENTS))})


def _scores(flights: pa.Table, models: Mapping[str, ArrivalModel], versions: NDArray[Any]) -> NDArray[np.float64]:
    """Each flight's score by the version (n,) that served it."""
    score = np.full(flights.num_rows, np.nan)
    for version in np.unique(versions):
        mine = versions == version
        score[mine] = models[version].score(_where(flights, mine))
    return score


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
training: {{table: training.parquet, label: y_true}}   # what {current} was trained on
failure: {{metric: {metric}, expected: baseline}}   # no target was agreed on: the weeks before are the yardstick
windows:
  baseline: [{baseline}]
  incident: [{incident}]
  bucket: 1d
detected_at: {detected}
models:                              # LightGBM's own text format
{models}
"""

_MODEL = "  - {{version: {version}, file: models/{version}.txt}}   # trained on {start:%Y-%m-%d} to {end:%Y-%m-%d}"


def case_text(scenario: Scenario) -> str:
    """The case file's text up to the surroundings: what somebody on call would write, and nothing of the truth."""
    return _FIRST_LINE + _CASE.format(
        title=scenario.title,
        segments=", ".join(SEGMENTS),
        features=", ".join(scenario.logged),
        metric=scenario.metric,
        baseline=", ".join(iso(moment) for moment in _ends(scenario.baseline)),
        incident=", ".join(iso(moment) for moment in _ends(scenario.incident)),
        detected=iso(scenario.detected_at),
        current=scenario.current.version,
        models="\n".join(_model_line(release) for release in scenario.releases),
    )


def _model_line(release: Release) -> str:
    last = release.trained.end - timedelta(days=1)
    return _MODEL.format(version=release.version, start=release.trained.start, end=last)


def _check_version(fault: Fault | None, scenario: Scenario) -> None:
    """InputProblem where the fault serves a version that isn't there, or the one that should serve."""
    if fault is None or not isinstance(fault.kind, WrongVersion):
        return
    asked, current, other = fault.kind.version, scenario.current.version, scenario.earlier.version
    if asked != other:
        raise InputProblem(f"version {asked!r} can't be served in place of {current}; the only other one is {other}")


def _truth(name: str, scenario: Scenario, fault: Fault | None, asked: pa.Table) -> Truth:
    """What is true of a scenario with this fault in it; `asked` are the flights before it went in."""
    if fault is None:
        verdict = "failure" if scenario.happened else "no_failure"
        return Truth(name, verdict, scenario.metric, scenario.cause, scenario.happened, slices=scenario.slices)
    scope = dict([fault.scope]) if fault.scope else None
    return Truth(
        name,
        "failure",
        scenario.metric,
        fault.kind.cause,
        fault.onset,
        share=_share(within(asked, scenario.incident), fault),
        scope=scope,
        slices=tuple(_hit(fault)),
        **asdict(fault.kind),
    )


def _hit(fault: Fault) -> Iterator[dict[str, str]]:
    """The ways to name the rows that the fault touches."""
    if fault.scope:
        yield dict([fault.scope])
    if isinstance(fault.kind, Missing):
        yield {fault.kind.feature: "null"}


def _share(flights: pa.Table, fault: Fault) -> float | None:
    """The share of the flights from the onset on that the fault touches; None where it began after the last."""
    since = int(affected(flights, replace(fault, scope=None)).to_numpy().sum())
    touched = int(affected(flights, fault).to_numpy().sum())
    return round(touched / since, 4) if since else None


def _ours(case: Path) -> Path:
    """The same folder, unless somebody else's case is in it."""
    file = case / "incident.yaml"
    if file.exists() and not file.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE):
        raise DemoFolderTaken(f"{file} is not the demo's: choose another folder with --out")
    if is_others(case / REPOSITORY):
        raise DemoFolderTaken(f"{case / REPOSITORY} is not the demo's: choose another folder with --out")
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
