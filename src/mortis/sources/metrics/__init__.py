"""Metrics of systems and models over time, read as series from tables, OpenMetrics text or a Prometheus server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mortis.case import MetricsSource
from mortis.records import Window
from mortis.sources.metrics.openmetrics import OPENMETRICS, OPENMETRICS_FORMATS, read_openmetrics
from mortis.sources.metrics.prometheus import read_prometheus
from mortis.sources.metrics.reading import Asked, MetricsRead, MetricsReader
from mortis.sources.metrics.tables import read_table
from mortis.sources.tables import FORMATS, open_files, open_table, paths_in

__all__ = ["KINDS", "Asked", "Kind", "MetricsRead", "MetricsReader", "read_metrics", "register_kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: whether a source is of it, and what reads it."""

    name: str
    takes: Callable[[MetricsSource], bool]
    read: MetricsReader


KINDS: dict[str, Kind] = {}


def register_kind(kind: Kind) -> None:
    """Make a kind of source known; the one registered last is asked first whether a source is its own."""
    KINDS[kind.name] = kind


def _read_table(source: MetricsSource, asked: Asked) -> MetricsRead:
    """The series in files, frames or a database; files of samples are known by their suffix."""
    where = asked.place("table")
    paths = paths_in(source.table)
    # Several header rows repeat names, so that the names of a table's columns are looked at when it is read.
    table = (
        open_files(paths, root=asked.root, key=where, formats=FORMATS | OPENMETRICS_FORMATS)
        if paths
        else open_table(source.table, root=asked.root, key=where)
    )
    if table.format == OPENMETRICS:
        return read_openmetrics(table, asked)
    return read_table(table, asked, time=source.time)


register_kind(Kind("table", lambda source: source.table is not None, _read_table))
register_kind(Kind("prometheus", lambda source: source.prometheus is not None, read_prometheus))


def read_metrics(
    source: MetricsSource,
    *,
    root: Path,
    window: Window | None = None,
    step_seconds: int | None = None,
    key: str = "metrics",
) -> MetricsRead:
    """The series of a source, in the order of their titles, and what was guessed, left out and read.

    Relative paths start at `root`. Points outside `window` stay out; a server needs one. `step_seconds` is the distance
    of a server's points. `key` is what messages begin with, as "metrics.0" or "--metrics". Counters come as their
    increase per second, points of one series in one second as their average, and infinite values as not measured.

    Raises InputProblem where the source can't be what it says, WorkProblem where a server can't be reached or answers
    only in part; each in one line.

    >>> import pyarrow as pa
    >>> frame = pa.table({"time": ["2024-01-01T00:00", "2024-01-01T00:05"], "host": ["a", "a"], "cpu": [0.5, 0.75]})
    >>> read = read_metrics(MetricsSource(table=frame), root=Path())
    >>> read.series[0].title, read.series[0].values.tolist()
    ('cpu{host="a"}', [0.5, 0.75])
    >>> read.notes
    ("frame: read as one column per metric (1): times from 'time', labels 'host'",)
    """
    asked = Asked(root, window, step_seconds, key)
    return next(kind for kind in reversed(KINDS.values()) if kind.takes(source)).read(source, asked)
