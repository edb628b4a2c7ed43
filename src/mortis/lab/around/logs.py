"""What the services log: requests, health checks, jobs, mishaps as there always are, releases, and a fault's traces."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mortis.lab.around.changes import Recorded
from mortis.lab.around.metrics import Spike
from mortis.lab.traces import LogTrace
from mortis.lab.traffic import DAY, Bools, Traffic

_REQUESTS = 4_000  # of which a line is written, over the whole stretch
_MISHAPS = (
    ("ERROR", "gateway", "upstream closed the connection after {n} ms", 0.8),
    ("WARN", "gateway", "slow answer: {n} ms", 6.0),
    ("ERROR", "notifier", "mail provider answered 503, {n} mails wait", 0.6),
    ("WARN", "features", "read again after {n} ms without an answer", 1.5),
    ("WARN", "model", "queue of {n} requests", 1.0),
)


class Line(NamedTuple):
    """One line: epoch seconds, level, service, message."""

    at: int
    level: str
    service: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A fault's log trace and the requests (a mask) that it may be written for."""

    trace: LogTrace
    hit: Bools


def lines_of(
    traffic: Traffic,
    traced: Iterable[Traced],
    changes: Iterable[Recorded],
    spikes: Iterable[Spike],
    rng: np.random.Generator,
) -> list[Line]:
    """The lines of all services in the order of time; a fault leaves traces where it hit a request, nowhere else."""
    first, last = int(traffic.at[0]) // DAY, int(traffic.at[-1]) // DAY + 1
    lines = [
        *_requests(traffic, rng),
        *_health(first, last, rng),
        *_mishaps(first, last, rng),
        *(Line(one.at, "INFO", one.service, f"started as {one.tag}") for one in changes if one.tag),
        *(Line(one.start, "INFO", one.metric.partition(".")[0], "job backfill started") for one in spikes),
        *(line for one in traced for line in _traces(traffic, one)),
    ]
    return sorted(lines)


def _requests(traffic: Traffic, rng: np.random.Generator) -> Iterator[Line]:
    for i in np.flatnonzero(rng.random(len(traffic)) < _REQUESTS / max(len(traffic), 1)).tolist():
        yield Line(int(traffic.at[i]), "INFO", "model", f"scored {traffic.ids[i]} in {traffic.latency_ms[i]:.1f} ms")


def _health(first: int, last: int, rng: np.random.Generator) -> Iterator[Line]:
    services = ("gateway", "model", "features", "notifier", "warehouse")
    for hour in range(first * 24, last * 24, 2):
        for service, ms in zip(services, rng.integers(1, 9, len(services)).tolist(), strict=True):
            yield Line(hour * 3600 + 60 * ms, "INFO", service, f"GET /health 200 {ms} ms")


def _mishaps(first: int, last: int, rng: np.random.Generator) -> Iterator[Line]:
    for level, service, message, daily in _MISHAPS:
        for at in rng.integers(first * DAY, last * DAY, rng.poisson(daily * (last - first))).tolist():
            yield Line(at, level, service, message.format(n=int(rng.integers(1, 6_000))))


def _traces(traffic: Traffic, traced: Traced) -> Iterator[Line]:
    """Lines for the first requests of each hour that were hit, as many as the trace allows."""
    trace, places = traced.trace, np.flatnonzero(traced.hit)
    written: dict[int, int] = {}
    for i in places.tolist():
        hour = int(traffic.at[i]) // 3600
        written[hour] = written.get(hour, 0) + 1
        if written[hour] <= trace.hourly:
            yield Line(int(traffic.at[i]), trace.level, trace.service, trace.message.format_map(_about(traffic, i)))


def _about(traffic: Traffic, place: int) -> dict[str, object]:
    columns = {**traffic.columns, **traffic.served}
    return {name: column[place] for name, column in columns.items()} | {
        "id": traffic.ids[place],
        "at": int(traffic.at[place]),
    }


def write_lines(lines: Sequence[Line], path: Path) -> None:
    """One packed file of JSON lines; same lines, same bytes."""
    times = np.datetime_as_string(np.array([line.at for line in lines], dtype="datetime64[s]"))
    fields = ("level", "service", "message")
    text = "".join(
        json.dumps({"time": f"{time}Z"} | dict(zip(fields, line[1:], strict=True))) + "\n"
        for time, line in zip(times, lines, strict=True)
    )
    # Without the time of packing, same lines are the same bytes.
    path.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))
