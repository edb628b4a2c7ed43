"""Writes a made incident as a case folder that somebody on call would hand over, and the truth beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from mortis.lab.around.changes import Recorded, brought, misleading, ordinary, write_changes
from mortis.lab.around.logs import Traced, lines_of, write_lines
from mortis.lab.around.metrics import Spike, series_of, spikes_of
from mortis.lab.bases import Base, Service
from mortis.lab.making import Acting, Incident, share_of_drop
from mortis.lab.measuring import measured
from mortis.lab.traffic import Column, Floats, Traffic
from mortis.lab.truth import FILE, CaseTruth, PlantedTruth
from mortis.problems import InputProblem
from mortis.records import iso

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_LINE = "# A case written by `mortis lab make`.\n"
_CALLS = (("gateway", "notifier"), ("gateway", "model"), ("model", "features"), ("features", "warehouse"))
_OPTIONAL = ("logs", "metrics", "changes", "training")
_WITHHELD = 0.3  # of the cases lack one of the sources that one can do without


@dataclass(frozen=True, slots=True)
class MadeCase:
    """A case file ready to be investigated, and the truth it must not know."""

    case_file: Path
    truth: CaseTruth


@dataclass(frozen=True, slots=True)
class _Around:
    """What was drawn to stand around the incident."""

    changes: tuple[Recorded, ...]
    causes: tuple[Recorded | None, ...]
    decoys: tuple[str, ...]
    amplifier: Recorded | None
    spikes: tuple[Spike, ...]
    withheld: tuple[str, ...]


def write_case(incident: Incident, out: Path) -> MadeCase:
    """The case at `out`/case and its truth at `out`/truth.json: same incident, same bytes.

    An earlier case of the lab's at the same place is overwritten; InputProblem where the one there is somebody else's.
    """
    case = _ours(out / "case")
    rng = np.random.default_rng([incident.seed, 3])
    around = _around(incident, rng)
    sections: dict[str, Any] = dict(_head(incident))
    sections |= _data(incident, case, without=around.withheld)
    for name, write in (("metrics", _metrics), ("logs", _logs), ("changes", _changes)):
        if name not in around.withheld:
            sections |= write(incident, around, case, rng)
    truth = _truth(incident, around)
    (out / FILE).write_text(truth.to_json(), encoding="utf-8", newline="\n")
    text = _FIRST_LINE + yaml.safe_dump(sections, sort_keys=False, width=120, default_flow_style=None)
    (case / "incident.yaml").write_text(text, encoding="utf-8", newline="\n")
    return MadeCase(case / "incident.yaml", truth)


def _ours(case: Path) -> Path:
    """The folder, made and free of an earlier case of the lab's."""
    file = case / "incident.yaml"
    mine = file.is_file() and file.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE)
    if not mine and case.exists() and (not case.is_dir() or any(case.iterdir())):
        raise InputProblem(f"{case} is not the lab's: choose another folder with --out")
    if not mine and (case.parent / FILE).exists():
        raise InputProblem(f"{case.parent / FILE} is not the lab's: choose another folder with --out")
    for folder in (case, case / "models", case / "logs", case / "changes"):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.is_file():
                old.unlink()
    # First of all, so that what an interruption leaves is known for the lab's.
    file.write_text(_FIRST_LINE, encoding="utf-8", newline="\n")
    return case


def _around(incident: Incident, rng: np.random.Generator) -> _Around:
    onset, base = incident.onset, incident.service.base
    scope = dict(incident.acting[0].fault.scope) if incident.acting else {}
    first = next(iter(base.segments), "")
    others = [value for value in base.segments.get(first, ()) if value != scope.get(first)]
    decoy = misleading(onset, base, scope, others, rng)
    causes = tuple(_brought(one, place, rng) for place, one in enumerate(incident.acting))
    widened = next((_brought(one, len(causes), rng) for one in incident.widening), None)
    everyday = ordinary(incident.stretch, int(rng.integers(4, 9)), rng)
    changes = (*everyday, decoy, *(one for one in (*causes, widened) if one))
    spikes = spikes_of(incident.stretch, int(rng.integers(1, 4)), rng)
    optional = (str(rng.choice(_OPTIONAL)),) if rng.random() < _WITHHELD else ()
    withheld = tuple(dict.fromkeys((*incident.script.needed, *optional)))
    return _Around(changes, causes, (decoy.name,), widened, spikes, withheld)


def _brought(one: Acting, place: int, rng: np.random.Generator) -> Recorded | None:
    """The record of what brought a fault; None where nobody changed or recorded anything."""
    change = one.fault.traces.change
    found = brought(change, one.course.onset, one.fault.scope, place, rng) if change else None
    return found if change and change.recorded else None


# --- the case file's parts


def _head(incident: Incident) -> Iterator[tuple[str, Any]]:
    base, stretch = incident.service.base, incident.stretch
    yield "title", f"{_spoken(incident.metric)} of {base.name} seems to have become worse"
    model: dict[str, Any] = {"name": base.name, "task": base.task}
    yield "model", model | ({"positive": 1} if base.task == "binary" else {})
    stated = (one.fault.expected for one in incident.acting if one.fault.expected is not None)
    yield "failure", {"metric": incident.metric, "expected": next(stated, "baseline")}
    windows = {"baseline": (stretch.start, stretch.incident), "incident": (stretch.incident, stretch.end)}
    yield "windows", {name: [iso(moment) for moment in ends] for name, ends in windows.items()} | {"bucket": "1d"}
    yield "detected_at", iso(incident.noticed)


def _spoken(metric: str) -> str:
    return metric.replace("_", " ").replace("@", " at ").capitalize()


def _data(incident: Incident, case: Path, *, without: tuple[str, ...]) -> dict[str, Any]:
    """The log, the labels known by then, the training table and the models."""
    service, traffic = incident.service, incident.traffic
    base = service.base
    _write(_log(traffic, service), case / "predictions.parquet")
    roles: dict[str, Any] = {"table": "predictions.parquet", "time": "asked_at", "id": "request_id"}
    if base.task == "binary":
        roles |= {"prediction": "y_pred", "score": "y_score"}
    else:
        roles |= {"score": "y_score"} if base.task == "score" else {"prediction": "y_pred"}
    roles |= {"version": "model_version", "latency_ms": "latency_ms"}
    roles |= {"group": base.group} if base.group else {}
    roles |= {"segments": list(base.segments), "features": [one.name for one in base.features]}
    sections: dict[str, Any] = {"predictions": roles}
    if not np.isnan(traffic.label).all():
        _write(_labels(incident), case / "labels.parquet")
        sections["labels"] = {"table": "labels.parquet", "id": "request_id", "label": "y_true", "time": "labelled_at"}
    learned = next((one.fault.training for one in incident.acting if one.fault.training), service.past)
    if learned and "training" not in without:
        _write(_training(service, learned), case / "training.parquet")
        sections["training"] = {"table": "training.parquet", "label": "y_true"}
    if any(one.fault.offline for one in incident.acting):
        _write(_offline(traffic, base), case / "offline.parquet")
        sections["offline_features"] = {"table": "offline.parquet", "id": "request_id"}
    if service.models and "models" not in without:
        sections["models"] = list(_saved(service, case))
    return sections


def _log(traffic: Traffic, service: Service) -> pa.Table:
    base = service.base
    columns: dict[str, Any] = {
        "request_id": traffic.ids,
        "asked_at": _times(traffic.at),
        "model_version": traffic.version,
    }
    if base.task == "binary":
        columns |= {"y_pred": _whole(traffic.prediction), "y_score": traffic.score}
    else:
        columns |= {"y_score" if base.task == "score" else "y_pred": traffic.score}
    columns["latency_ms"] = traffic.latency_ms
    columns |= {base.group: traffic.columns[base.group]} if base.group else {}
    segments = {name: traffic.columns[name] for name in base.segments}
    return _table(columns | segments | {one.name: traffic.served[one.name] for one in base.features})


def _labels(incident: Incident) -> pa.Table:
    """The outcomes that had arrived when the failure was noticed, in the order in which they did; one for each id."""
    traffic = incident.traffic
    known = np.flatnonzero((traffic.labelled <= incident.noticed.timestamp()) & ~np.isnan(traffic.label))
    first = np.unique(traffic.ids[known].astype(str), return_index=True)[1]
    found = traffic.take(known[first])
    found = found.take(np.lexsort((found.ids.astype(str), found.labelled)))
    label = _whole(found.label) if incident.service.base.task == "binary" else found.label
    return _table({"request_id": found.ids, "y_true": label, "labelled_at": _times(found.labelled)})


def _training(service: Service, past: Traffic) -> pa.Table:
    label = _whole(past.label) if service.base.task == "binary" else past.label
    return _table({one.name: past.columns[one.name] for one in service.base.features} | {"y_true": label})


def _offline(traffic: Traffic, base: Base) -> pa.Table:
    """What the training pipeline computes for the requests: the true values."""
    first = np.unique(traffic.ids.astype(str), return_index=True)[1]
    once = traffic.take(np.sort(first))
    return _table({"request_id": once.ids} | {one.name: once.columns[one.name] for one in base.features})


def _saved(service: Service, case: Path) -> Iterator[dict[str, str]]:
    for version, model in sorted(service.models.items()):
        file = f"models/{version}{model.suffix}"
        model.save(case / file)
        yield {"version": version, "file": file}


def _metrics(incident: Incident, around: _Around, case: Path, rng: np.random.Generator) -> dict[str, Any]:
    traces = [(trace, one.course) for one in incident.acting for trace in one.fault.traces.metrics]
    series = series_of(incident.stretch, traces, around.spikes, rng)
    times = np.datetime_as_string(series.pop("time").astype("datetime64[s]"))
    with (case / "metrics.csv").open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(("time", *series)) + "\n")
        rows = zip(times, *([f"{value:.6g}" for value in values] for values in series.values()), strict=True)
        file.writelines(f"{time}Z,{','.join(values)}\n" for time, *values in rows)
    with (case / "services.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows((("caller", "callee"), *_CALLS))
    return {"metrics": [{"table": "metrics.csv", "time": "time"}], "graph": "services.csv"}


def _logs(incident: Incident, around: _Around, case: Path, rng: np.random.Generator) -> dict[str, Any]:
    # Services keep their lines for weeks, not for a year as the predictions' log may.
    logged = incident.traffic.take(incident.stretch.holds(incident.traffic.at))
    traced = (Traced(trace, one.hits(logged)) for one in incident.acting for trace in one.fault.traces.logs)
    lines = lines_of(logged, traced, around.changes, around.spikes, rng)
    write_lines(lines, case / "logs" / "services.jsonl.gz")
    return {"logs": [{"files": "logs/*.jsonl.gz"}]}


def _changes(incident: Incident, around: _Around, case: Path, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG001
    return {"changes": write_changes(around.changes, incident.service.base, case / "changes")}


# --- the truth


def _truth(incident: Incident, around: _Around) -> CaseTruth:
    base = incident.service.base
    windows = (
        incident.before(incident.healthy),
        incident.served_since(incident.traffic),
        incident.served_since(incident.healthy),
    )
    baseline, during, without = (round(measured(one, base, incident.metric), 6) for one in windows)
    shares = share_of_drop(incident)
    planted = zip(incident.acting, shares, around.causes, strict=True)
    return CaseTruth(
        incident.plot.name,
        base.name,
        incident.seed,
        incident.severity,
        incident.plot.answer,
        incident.metric,
        baseline,
        during,
        without,
        faults=tuple(_planted(incident, one, share, cause) for one, share, cause in planted),
        decoys=around.decoys,
        withheld=around.withheld,
        needed=incident.script.needed,
        amplifier=around.amplifier.name if around.amplifier else None,
        spikes=tuple(one.metric for one in around.spikes),
    )


def _planted(incident: Incident, acting: Acting, share: float, cause: Recorded | None) -> PlantedTruth:
    fault, since = acting.fault, incident.served_since(incident.traffic)
    return PlantedTruth(
        fault.kind,
        fault.features,
        dict(fault.parameters),
        fault.version,
        dict(fault.scope),
        acting.course.onset,
        acting.course.shape,
        round(float(acting.hits(since).mean()), 4) if len(since) else 0.0,
        round(share, 4),
        cause.name if cause else None,
    )


# --- tables


def _table(columns: Mapping[str, Column]) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            name: values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
            for name, values in columns.items()
        }
    )


def _times(at: Any) -> Any:
    import pyarrow as pa

    return pa.array(at * 1_000_000, pa.timestamp("us", "UTC"))


def _whole(values: Floats) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.int8(), from_pandas=True) if np.isnan(values).any() else pa.array(values.astype(np.int8))


def _write(table: pa.Table, path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(table, path, compression="zstd")
