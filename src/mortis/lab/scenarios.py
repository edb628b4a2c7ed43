"""The demo's scenarios: which models there were, which one was served when, and what is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from mortis.lab.faults import FAULTS, Fault
from mortis.lab.model import AT_PUSH_BACK, BEFORE_DEPARTURE
from mortis.records import Window

WEATHER = ("wind_speed", "visibility", "precipitation")

SEGMENTS = ("origin", "carrier", "dest_region")
"""The columns by which the service's log tells who was asked for."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version of the model: the time whose flights trained it, the features it reads, `train`'s other settings."""

    version: str
    trained: Window
    features: tuple[str, ...]
    rounds: int
    leaves: int
    balanced: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which model was served when, which stretch is looked at, and what is true of it.

    `logged` are the features in the log. `current` is the version that should serve; `earlier` lies beside it.
    `happened` is the onset of a failure that nobody injected; `slices` names who is hit.
    """

    title: str
    metric: str
    logged: tuple[str, ...]
    earlier: Release
    current: Release
    served: Window
    baseline: Window
    incident: Window
    detected_at: datetime
    fault: Fault | None = None
    cause: str | None = None
    happened: datetime | None = None
    slices: tuple[dict[str, str], ...] = ()

    @property
    def releases(self) -> tuple[Release, ...]:
        """Both versions, the earlier one first."""
        return self.earlier, self.current


def _window(start: str, end: str) -> Window:
    return Window(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end)))


def _autumn(fault: Fault | None) -> Scenario:
    """Late arrivals foretold at push-back: a quiet stretch of autumn, into which a fault may be put."""
    return Scenario(
        title="Precision of the late-arrival model seems to have fallen in November",
        metric="precision",
        logged=AT_PUSH_BACK,
        # It foretold an hour earlier, without the departure delay, and raised an alarm sooner.
        earlier=Release("v1", _window("2013-01-01", "2013-04-01"), BEFORE_DEPARTURE, 40, 15, balanced=True),
        current=Release("v2", _window("2013-01-01", "2013-08-01"), AT_PUSH_BACK, 80, 31),
        served=_window("2013-10-01", "2013-11-22"),
        baseline=_window("2013-10-08", "2013-11-05"),
        incident=_window("2013-11-05", "2013-11-19"),
        detected_at=datetime(2013, 11, 22, 9, tzinfo=UTC),
        fault=fault,
    )


def _winter() -> Scenario:
    """The blizzard of 8-9 February, as it was: flights scored an hour before departure, the cancelled ones too.

    The models may only know what came before: days of January, whose weather taught them nothing that held.
    """
    features = tuple(name for name in BEFORE_DEPARTURE if name not in WEATHER)
    return Scenario(
        title="Accuracy of the late-arrival model seems to have fallen in February",
        metric="accuracy",
        logged=BEFORE_DEPARTURE,
        earlier=Release("v1", _window("2013-01-01", "2013-01-11"), features, 20, 7),
        current=Release("v2", _window("2013-01-01", "2013-01-21"), features, 40, 15),
        served=_window("2013-01-21", "2013-02-13"),
        baseline=_window("2013-01-21", "2013-02-08"),
        incident=_window("2013-02-08", "2013-02-10"),
        detected_at=datetime(2013, 2, 13, 14, tzinfo=UTC),
        cause="W1",
        # The morning's first full hour: 41 % late, against 9 % in the same hour of the day before.
        happened=datetime(2013, 2, 8, 11, tzinfo=UTC),
        # No flight had left the airport in the last hours: half of the excess errors.
        slices=({"origin_delay": "null"},),
    )


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {name: _autumn(fault) for name, fault in FAULTS.items()} | {"world": _winter(), "none": _autumn(None)}
)
"""What `mortis demo --fault` knows, by name."""
