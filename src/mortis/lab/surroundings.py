"""What stands around the demo's model: metrics, logs, call graph, records of changes, and the case's parts for them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mortis.lab.faults import Fault
from mortis.lab.repository import make_repository
from mortis.lab.scenarios import SEGMENTS, Scenario
from mortis.lab.service_changes import Pair, Rollout, anchor_of, history_of
from mortis.lab.service_logs import Traffic, log_lines, write_logs
from mortis.lab.service_metrics import SPIKED, metric_table, spike_of
from mortis.lab.services import Services, services_of
from mortis.lab.snapshots import serving_snapshot, training_snapshot
from mortis.records import iso

if TYPE_CHECKING:
    import pyarrow as pa

REPOSITORY = "services.git"
_WRITTEN = {"logs": ("week-*.jsonl.gz",), "changes": ("*.before.*", "*.after.*")}
_SNAPSHOT = "environment.{}.json"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The parts of the case file; and of the truth the change that brought the fault, and what misleads."""

    sections: str
    change: str | None
    decoys: tuple[str, ...]


def surround(
    case: Path,
    scenario: Scenario,
    fault: Fault | None,
    traffic: Traffic,
    *,
    seed: int,
) -> Surroundings:
    """What stands around the model, written into the case's folder: all from the scenario, the fault and the seed.

    An earlier demo's files are overwritten; raises WorkProblem where somebody else's repository is in the way.
    """
    # Streams of their own, so that what is drawn for one part doesn't move another.
    for_changes, for_metrics, for_logs = np.random.default_rng([seed, 1]).spawn(3)
    services = services_of(traffic.asked, fault)
    history = history_of(scenario, fault, services, traffic.asked, rng=for_changes)
    spike = spike_of(scenario.served, scenario.incident, anchor_of(scenario, fault))
    _emptied(case)

    asked = traffic.asked["scheduled_at"].to_numpy()
    _write_metrics(metric_table(scenario.served, asked, spike, rng=for_metrics), case / "metrics.csv")
    _write_rows(case / "services.csv", ("caller", "callee"), services.calls)
    lines = log_lines(scenario, fault, services, traffic, rollouts=history.rollouts, spike=spike, rng=for_logs)
    write_logs(lines, case / "logs", column=services.column)
    _write_rollouts(history.rollouts, case / "changes" / "deploys.csv", services)
    environments = _environments(scenario)
    pairs = (*history.pairs, environments)
    for pair in pairs:
        for which, text in (("before", pair.before), ("after", pair.after)):
            (case / "changes" / pair.name.format(which)).write_text(text, encoding="utf-8", newline="\n")
    missing = make_repository(case / REPOSITORY, history.commits)
    decoys = (*history.decoys, f"{environments.key}: {environments.name.format('after')}", f"metric: {SPIKED}")
    return Surroundings(_sections(pairs, missing), history.cause, decoys)


def _environments(scenario: Scenario) -> Pair:
    """Where the model was trained, and where it has served from the first."""
    at = scenario.served.start - timedelta(hours=15)
    return Pair("environment", _SNAPSHOT, training_snapshot(), serving_snapshot(), at)


# --- the case file

_SECTIONS = """\
metrics:                             # of the systems around the model, every 10 minutes
  - {{table: metrics.csv, time: time}}
graph: services.csv                  # who calls whom
logs:
  - {{files: "logs/*.jsonl.gz"}}       # one file a week, of all services
changes:
{repository}
  - {{events: changes/deploys.csv}}    # what went live, when, in which service, for whom
{pairs}
"""
_GIT = f"  - {{git: {REPOSITORY}}}              # the services' code, a bare clone: git -C {REPOSITORY} log"
_NO_GIT = f"  # The services' repository, {REPOSITORY}, was left out: {{}}."
_PAIR = "  - {{{key}: {{before: changes/{before}, after: changes/{after}, at: {at}}}}}"


def _sections(pairs: Sequence[Pair], missing: str) -> str:
    """The parts of the case file; `missing` says why there is no repository."""
    lines = (
        _PAIR.format(key=pair.key, before=pair.name.format("before"), after=pair.name.format("after"), at=iso(pair.at))
        for pair in pairs
    )
    return _SECTIONS.format(repository=_NO_GIT.format(missing) if missing else _GIT, pairs="\n".join(lines))


# --- files


def _emptied(case: Path) -> None:
    """The folders are there, without the files that an earlier demo wrote."""
    for name, patterns in _WRITTEN.items():
        (case / name).mkdir(exist_ok=True)
        for pattern in patterns:
            for old in (case / name).glob(pattern):
                old.unlink()


def _write_metrics(table: pa.Table, path: Path) -> None:
    from pyarrow import csv as arrow_csv

    with path.open("wb") as file:
        # Arrow would put the names in quotes.
        file.write(f"{','.join(table.column_names)}\n".encode())
        arrow_csv.write_csv(table, file, arrow_csv.WriteOptions(include_header=False, quoting_style="none"))


def _write_rollouts(rollouts: Sequence[Rollout], path: Path, services: Services) -> None:
    """A column for each way to part the flights; a release for all leaves them empty."""
    columns = tuple(dict.fromkeys((*SEGMENTS, services.column)))
    rows = (
        (iso(one.time), one.kind, one.summary, one.service, one.tag, *(one.scope.get(column, "") for column in columns))
        for one in rollouts
    )
    _write_rows(path, ("time", "kind", "summary", "service", "tag", *columns), rows)


def _write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
