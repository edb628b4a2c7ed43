"""The traces that a fault leaves outside of the data: in system metrics, logs, records of changes, environments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ChangeKind = Literal[
    "deploy",
    "config",
    "schema",
    "dependency",
    "environment",
    "data",
    "model",
    "hardware",
    "product",
    "label",
    "code",
    "measurement",
]


@dataclass(frozen=True, slots=True)
class MetricTrace:
    """While the fault is there, a metric such as "features.error_rate" is what it would be, times `times`, plus `plus`.

    With `daily` it also grows by so much with each day since the onset, as the age of what is no longer renewed does.
    """

    metric: str
    times: float = 1.0
    plus: float = 0.0
    daily: float = 0.0


@dataclass(frozen=True, slots=True)
class LogTrace:
    """A line written for some of the requests that are hit, at most `hourly` an hour.

    `message` may hold {id}, {at} (seconds) and any served or true column's value by name.
    """

    service: str
    level: Literal["INFO", "WARN", "ERROR"]
    message: str
    hourly: float = 12.0


@dataclass(frozen=True, slots=True)
class ChangeTrace:
    """The change that brought the fault, a few minutes before it: what its record says, of which service.

    With `before` and `after` the case holds a pair of files: settings (flat or nested mappings) for a config, columns with
    their types for a schema, packages with their versions for a dependency or an environment. A change with
    `recorded` False left no record: somebody did it by hand.
    """

    kind: ChangeKind
    service: str
    summary: str
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class Traces:
    """All traces of a fault."""

    metrics: tuple[MetricTrace, ...] = ()
    logs: tuple[LogTrace, ...] = ()
    change: ChangeTrace | None = None
