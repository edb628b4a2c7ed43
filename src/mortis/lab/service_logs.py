"""What the services around the demo's model write into their logs: requests, polls, jobs, mishaps, a fault's traces."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mortis.lab.faults import Affine, Fault, Missing, WrongVersion, affected
from mortis.lab.scenarios import Scenario
from mortis.lab.service_changes import Rollout
from mortis.lab.service_metrics import BATCH_HOST, NIGHTLY_HOUR, Spike
from mortis.lab.services import DISPLAYS, FEATURES, GATEWAY, MODEL, NOTIFIER, Services, feed_of

if TYPE_CHECKING:
    import pyarrow as pa

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000
_SCORED, _READ, _ASKED = 12_000, 6_000, 8_000  # requests of which a line is written, over the whole stretch
_SLOW_A_DAY, _MISHAPS_A_DAY = 9.0, 3.0
_EXPORTED = 30  # lines of one night's export
_RESTART_HOUR = 9  # on Mondays, UTC

Ints = NDArray[np.int64]


class Line(NamedTuple):
    """One line: milliseconds (epoch, UTC), level, service, the instance that wrote it, message.

    `value` is that of the services' column, where the line is about flights of one value.
    """

    at: int
    level: str
    service: str
    pod: str
    message: str
    value: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """The flights that the model was asked about: as they were, as they were served, and how long each answer took."""

    asked: pa.Table
    served: pa.Table
    latency_ms: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _About:
    """What lines are about: `at` (n,) is when each flight was asked for, in milliseconds, `value` (n,) whose it is."""

    scenario: Scenario
    fault: Fault | None
    services: Services
    traffic: Traffic
    at: Ints
    value: NDArray[Any]
    flight: NDArray[Any]

    @property
    def start(self) -> int:
        return _ms(self.scenario.served.start)

    @property
    def days(self) -> int:
        return int(self.scenario.served.seconds // 86_400)

    def of(self, service: str, place: int) -> tuple[str, str]:
        """The instance of a service that answers for a flight, and the flight's value."""
        value = str(self.value[place])
        return self.services.replica(service, value), value


def log_lines(
    scenario: Scenario,
    fault: Fault | None,
    services: Services,
    traffic: Traffic,
    *,
    rollouts: Sequence[Rollout],
    spike: Spike,
    rng: np.random.Generator,
) -> list[Line]:
    """The lines of all services in the order of time. A fault leaves traces where it touched a flight, nowhere else."""
    about = _about(scenario, fault, services, traffic, rng)
    lines = chain(
        _requests(about, rng),
        _polls(about),
        _jobs(about, spike, rng),
        _health(about, rng),
        _mishaps(about, rng),
        _releases(about, rollouts),
        _loads(about, rng),
        _traces(about, fault) if fault else (),
    )
    end = _ms(scenario.served.end)
    return sorted(line for line in lines if about.start <= line.at < end)


def _about(
    scenario: Scenario, fault: Fault | None, services: Services, traffic: Traffic, rng: np.random.Generator
) -> _About:
    flights = traffic.served
    scheduled = flights["scheduled_at"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    # A request comes within the minutes after the moment that the log names, never before.
    at = scheduled + rng.integers(0, 4 * _MINUTE, len(scheduled))
    value = np.array([one or "" for one in traffic.asked[services.column].to_pylist()], dtype=object)
    flight = np.array([name.split("-")[1] for name in flights["request_id"].to_pylist()], dtype=object)
    return _About(scenario, fault, services, traffic, at, value, flight)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * _SECOND)


# --- every day's lines


def _requests(about: _About, rng: np.random.Generator) -> Iterator[Line]:
    """A part of the requests, as each of three services tells of them."""
    latency, at = about.traffic.latency_ms, about.at
    for i in _some(len(at), _SCORED, rng):
        pod, value = about.of(MODEL, i)
        yield Line(int(at[i]), "INFO", MODEL, pod, f"scored {about.flight[i]} in {latency[i]:.1f} ms", value)
    reading = np.round(latency * rng.uniform(0.2, 0.5, len(at)), 1)
    for i in _some(len(at), _READ, rng):
        pod, value = about.of(FEATURES, i)
        yield Line(int(at[i]), "INFO", FEATURES, pod, f"read {about.flight[i]} in {reading[i]} ms", value)
    whole = np.round(latency + rng.lognormal(3, 0.4, len(at))).astype(np.int64)
    for i in _some(len(at), _ASKED, rng):
        message = f"GET /v1/flights/{about.flight[i]} 200 {whole[i]} ms"
        yield Line(int(at[i]) + int(latency[i]), "INFO", GATEWAY, f"{GATEWAY}-{i % 2}", message)


def _some(n: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """About so many of n places, all where there are fewer."""
    return [int(i) for i in np.flatnonzero(rng.random(n) < wanted / max(n, 1))]


def _polls(about: _About) -> Iterator[Line]:
    """Each feed's count of the last hour's flights, where there were any."""
    hour = (about.at - about.start) // _HOUR
    for value in about.services.values:
        feed = feed_of(value)
        hours, counts = np.unique(hour[about.value == value], return_counts=True)
        for at, n in zip((about.start + (hours + 1) * _HOUR).tolist(), counts.tolist(), strict=True):
            yield Line(at, "INFO", feed, f"{feed}-0", f"handed on {n} flights of the last hour", value)


def _jobs(about: _About, spike: Spike, rng: np.random.Generator) -> Iterator[Line]:
    """The nightly export, line by line, and the one job out of turn."""
    for day in range(about.days):
        at = about.start + day * _DAY + NIGHTLY_HOUR * _HOUR + 10 * _MINUTE
        rows = rng.integers(900, 1_100, _EXPORTED).tolist()
        yield Line(at, "INFO", "batch", BATCH_HOST, "job export started")
        for i, n in enumerate(rows):
            message = f"export: {n} rows of part {i + 1} written"
            yield Line(at + (i + 1) * 80 * _SECOND, "INFO", "batch", BATCH_HOST, message)
        yield Line(at + 49 * _MINUTE, "INFO", "batch", BATCH_HOST, f"job export finished, {sum(rows)} rows")
    yield Line(_ms(spike.start), "INFO", "batch", BATCH_HOST, "job backfill started")
    yield Line(_ms(spike.end), "INFO", "batch", BATCH_HOST, "job backfill finished, 14 days read again")


def _health(about: _About, rng: np.random.Generator) -> Iterator[Line]:
    """What each service says when it is asked once an hour whether it is well."""
    services = (GATEWAY, MODEL, FEATURES, NOTIFIER, DISPLAYS)
    taken = rng.integers(1, 9, (24 * about.days, len(services))).tolist()
    for hour, row in enumerate(taken):
        for i, (service, ms) in enumerate(zip(services, row, strict=True)):
            at = about.start + hour * _HOUR + (7 * i + 3) * _MINUTE
            yield Line(at, "INFO", service, f"{service}-0", f"GET /health 200 {ms} ms")


_MISHAPS = (
    ("ERROR", GATEWAY, "upstream closed the connection after {n} ms"),
    ("ERROR", NOTIFIER, "mail provider answered 503, {n} mails wait"),
    ("ERROR", "weather", "station report timed out after {n} ms"),
    ("WARN", DISPLAYS, "board {n} did not answer, asked again"),
)


def _mishaps(about: _About, rng: np.random.Generator) -> Iterator[Line]:
    """Slow answers and errors as there always are, each kind now and then, in bursts of one to three."""
    end = about.start + about.days * _DAY
    for at in rng.integers(about.start, end, rng.poisson(_SLOW_A_DAY * about.days)).tolist():
        message = f"slow answer: {round(400 + 300 * rng.exponential())} ms"
        yield Line(at, "WARN", GATEWAY, f"{GATEWAY}-{at % 2}", message)
    for level, service, message in _MISHAPS:
        for at in rng.integers(about.start, end, rng.poisson(_MISHAPS_A_DAY / len(_MISHAPS) * about.days)).tolist():
            for i in range(int(rng.integers(1, 4))):
                said = message.format(n=int(rng.integers(1, 6_000)))
                yield Line(at + 2 * i * _SECOND, level, service, f"{service}-0", said)


def _releases(about: _About, rollouts: Iterable[Rollout]) -> Iterator[Line]:
    """The start of each release, by the service that it reached."""
    for one in rollouts:
        value = one.scope.get(about.services.column, "")
        pod = about.services.replica(one.service, value) if one.service == MODEL and value else f"{one.service}-0"
        yield Line(_ms(one.time), "INFO", one.service, pod, f"started as {one.tag}", value)


def _loads(about: _About, rng: np.random.Generator) -> Iterator[Line]:
    """Which version each replica of the model's service loads: on Mondays, and where a wrong one comes to serve."""
    pinned, since = _pinned(about)
    current = about.scenario.current.version
    for day in range(about.days):
        monday = (about.scenario.served.start + timedelta(days=day)).weekday() == 0
        for i, value in enumerate(about.services.values if monday else ()):
            at = about.start + day * _DAY + _RESTART_HOUR * _HOUR + 4 * i * _MINUTE
            yield _loaded(about, value, pinned.get(value, current) if at >= since else current, at, rng)
    for value, version in pinned.items():
        # The first answer comes from a model that was loaded just before.
        yield _loaded(about, value, version, since - _SECOND, rng)


def _pinned(about: _About) -> tuple[dict[str, str], int]:
    """The wrong version by the value that it serves, and since when in milliseconds; nothing without such a fault."""
    fault = about.fault
    if fault is None or not isinstance(fault.kind, WrongVersion):
        return {}, 0
    return dict.fromkeys(about.services.touched(fault), fault.kind.version), _ms(fault.onset)


def _loaded(about: _About, value: str, version: str, at: int, rng: np.random.Generator) -> Line:
    message = f"loaded model {version} in {int(rng.integers(300, 600))} ms"
    return Line(at, "INFO", MODEL, about.services.replica(MODEL, value), message, value)


# --- a fault's traces


def _traces(about: _About, fault: Fault) -> Iterator[Line]:
    """What the service that reads the features warns of: one line a minute at most for each of its instances."""
    kind = fault.kind
    if isinstance(kind, WrongVersion):
        return
    hit = affected(about.traffic.served, fault).to_numpy()
    if isinstance(kind, Missing):
        told = hit & about.traffic.asked[kind.feature].is_valid().to_numpy()
        messages = {
            int(i): f"field {kind.feature} missing in payload of {about.flight[i]}" for i in np.flatnonzero(told)
        }
    else:
        messages = _outside(about, kind, hit)
    written: set[tuple[str, int]] = set()
    for i, message in messages.items():
        pod, value = about.of(FEATURES, i)
        at = int(about.at[i])
        if (pod, at // _MINUTE) not in written:
            written.add((pod, at // _MINUTE))
            yield Line(at, "WARN", FEATURES, pod, message, value)


def _outside(about: _About, kind: Affine, hit: NDArray[np.bool_]) -> dict[int, str]:
    """A warning for each value out of these weeks' true range; none where a fault makes values smaller."""
    usual, served = (
        np.asarray(table[kind.feature].cast("float64").to_numpy(zero_copy_only=False))
        for table in (about.traffic.asked, about.traffic.served)
    )
    low, high = np.nanmin(usual), np.nanmax(usual)
    places = np.flatnonzero(hit & ((served < low) | (served > high)))
    said = f"outside the usual range {low:g} to {high:g}"
    return {int(i): f"value of {kind.feature} for {about.flight[i]} is {served[i]:g}, {said}" for i in places}


# --- files


def write_logs(lines: Sequence[Line], folder: Path, *, column: str) -> None:
    """One packed file of JSON lines for each week, from Monday on, named by its first day."""
    times = np.datetime_as_string(np.array([line.at for line in lines], dtype="datetime64[ms]"))
    day = np.array([line.at for line in lines], dtype=np.int64) // _DAY
    monday = (day - (day + 3) % 7).tolist()  # day 0 of the epoch was a Thursday
    for week, places in groupby(range(len(lines)), key=monday.__getitem__):
        text = "".join(_json(lines[i], f"{times[i]}Z", column) for i in places)
        name = f"week-{np.datetime64(week, 'D')}.jsonl.gz"
        # Without the time of packing, same lines are the same bytes.
        (folder / name).write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))


def _json(line: Line, time: str, column: str) -> str:
    fields = {"time": time, "level": line.level, "service": line.service, "pod": line.pod}
    if line.value:
        fields[column] = line.value
    return json.dumps(fields | {"message": line.message}) + "\n"
