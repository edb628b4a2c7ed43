"""What people did to the services in these weeks: ordinary work, what misleads, and the change that brought a fault."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import yaml

from mortis.lab.bases.base import Base
from mortis.lab.traces import ChangeTrace
from mortis.lab.traffic import Stretch

if TYPE_CHECKING:
    import numpy as np

LEAD = (6, 40)
"""Minutes by which a change comes before the fault that it brings, from and to."""

_ORDINARY = (
    ("deploy", "notifier", "mails go out in batches"),
    ("deploy", "notifier", "greetings in Spanish"),
    ("deploy", "gateway", "log the client's name with each request"),
    ("deploy", "gateway", "answer health checks without a token"),
    ("config", "gateway", "keep idle connections longer"),
    ("config", "notifier", "smaller batches"),
    ("deploy", "dashboards", "a page for the weekly figures"),
    ("deploy", "dashboards", "larger type"),
    ("data", "warehouse", "old partitions moved to the archive"),
    ("deploy", "billing", "invoices in two languages"),
    ("config", "dashboards", "refresh more often"),
    ("hardware", "warehouse", "one more disk"),
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change on record: its row in the table of events, and the pair of files before and after it, if any."""

    at: int
    kind: str
    service: str
    summary: str
    tag: str
    scope: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """By which its record is found again."""
        return f"{self.kind}: {self.tag}"


def ordinary(stretch: Stretch, n: int, rng: np.random.Generator) -> tuple[Recorded, ...]:
    """So many changes that have nothing to do with the model, in working hours."""
    found = []
    for place in rng.permutation(len(_ORDINARY))[:n].tolist():
        kind, service, summary = _ORDINARY[place]
        day = stretch.start + timedelta(
            days=int(rng.integers(stretch.days)), minutes=int(rng.integers(9 * 60, 17 * 60))
        )
        found.append(Recorded(int(day.timestamp()), kind, service, summary, f"{service}-{101 + place}"))
    return tuple(found)


def misleading(
    onset: datetime, base: Base, scope: Mapping[str, str], others: Sequence[str], rng: np.random.Generator
) -> Recorded:
    """A change in the hours before a fault that can't have brought it: it reached others, or nothing of the model's."""
    at = int((onset - timedelta(minutes=int(rng.integers(45, 180)))).timestamp())
    column = next(iter(base.segments), "")
    if others and column in scope:
        return Recorded(
            at,
            "deploy",
            "features",
            "ask once more after a timeout",
            "features-301",
            {column: str(rng.choice(list(others)))},
        )
    return Recorded(at, "deploy", "notifier", "shorter subject lines", "notifier-301")


def brought(
    trace: ChangeTrace, onset: datetime, scope: Mapping[str, str], place: int, rng: np.random.Generator
) -> Recorded:
    """The record of the change that brought a fault, some minutes before it."""
    at = onset - timedelta(minutes=int(rng.integers(*LEAD)))
    tag = f"{trace.service}-{401 + 20 * place + int(rng.integers(20))}"
    return Recorded(
        int(at.timestamp()), trace.kind, trace.service, trace.summary, tag, scope, trace.before, trace.after
    )


# --- files


def _yaml(settings: Mapping[str, object]) -> str:
    return yaml.safe_dump(dict(settings), sort_keys=True)


def _json_schema(columns: Mapping[str, object]) -> str:
    properties = {name: type_ if isinstance(type_, dict) else {"type": type_} for name, type_ in columns.items()}
    return json.dumps({"type": "object", "properties": properties, "required": sorted(columns)}, indent=2) + "\n"


def _requirements(packages: Mapping[str, object]) -> str:
    return "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))


def _snapshot(parts: Mapping[str, object]) -> str:
    """What `mortis snapshot` would have recorded: "cpu", "gpu", "driver", "TZ", and packages with their versions."""
    from mortis.sources.snapshot import Cpu, Gpu, InstalledPackage, Memory, Python, Snapshot, System

    said = {name: str(value) for name, value in parts.items()}
    cpu, gpu, driver, zone = (said.pop(name, usual) for name, usual in _MACHINE.items())
    packages = (InstalledPackage(name, version, _hash(name, version), "") for name, version in sorted(said.items()))
    return Snapshot(
        python=Python("3.12.11", "CPython", "main Jul 23 2025 00:34:44", "Clang 20.1.4"),
        packages=tuple(packages),
        system=System("Debian GNU/Linux 12 (bookworm)", "6.1.0-38-cloud-amd64", "x86_64", "glibc 2.36"),
        cpu=Cpu(cpu, 4, 4, 0.0, ("avx", "avx2", "fma", "sse4_2")),
        memory=Memory(16 << 30, 0),
        gpus=(Gpu(gpu, 24_576, driver),) if gpu else (),
        settings={"LANG": "C.UTF-8"},
        encoding="utf-8",
        timezone=zone,
        variables=("HOME", "LANG", "PATH", "PORT"),
        container=("docker",),
    ).to_json()


_MACHINE = {"cpu": "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", "gpu": "", "driver": "", "TZ": "Etc/UTC"}


def _hash(name: str, version: str) -> str:
    return f"sha256:{hashlib.sha256(f'{name}=={version}'.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Pairing:
    """How a kind of change is handed over as two files: the case file's key, the suffix, and what is written."""

    key: str
    suffix: str
    text: Callable[[Mapping[str, object]], str]


PAIRS: Mapping[str, Pairing] = MappingProxyType(
    {
        "config": Pairing("config", ".yaml", _yaml),
        "schema": Pairing("schema", ".json", _json_schema),
        "dependency": Pairing("dependencies", ".txt", _requirements),
        "environment": Pairing("environment", ".json", _snapshot),
    }
)


def write_changes(changes: Iterable[Recorded], base: Base, folder: Path) -> list[dict[str, object]]:
    """The case file's `changes`: a table of events, and a pair of files for each change that has one."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(changes, key=lambda one: (one.at, one.tag))
    parted = [one for one in ordered if one.before or one.after]
    _write_events([one for one in ordered if one not in parted], base, folder / "events.csv")
    return [{"events": "changes/events.csv"}, *(_write_pair(one, folder) for one in parted)]


def _write_events(changes: Iterable[Recorded], base: Base, path: Path) -> None:
    columns = ("time", "kind", "service", "summary", "tag", *base.segments)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(_row(one, base) for one in changes)


def _row(one: Recorded, base: Base) -> Iterator[str]:
    yield from (_time(one.at), one.kind, one.service, one.summary, one.tag)
    yield from (one.scope.get(column, "") for column in base.segments)


def _write_pair(one: Recorded, folder: Path) -> dict[str, object]:
    pair = PAIRS[one.kind]
    names = {}
    for which, content in (("before", one.before), ("after", one.after)):
        names[which] = f"changes/{one.tag}.{which}{pair.suffix}"
        (folder / f"{one.tag}.{which}{pair.suffix}").write_text(pair.text(content), encoding="utf-8", newline="\n")
    return {pair.key: {**names, "at": _time(one.at)}}


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
