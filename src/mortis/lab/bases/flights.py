"""The flights that left New York City in 2013: will one arrive late, and by how much? Both are foretold at push-back.

The rows are real; which machine answered and which client asked is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mortis.lab.bases.base import Base, Feature, Model
from mortis.lab.bases.boosting import boosted
from mortis.lab.bases.drawing import REPLICAS, drawn, later
from mortis.lab.bases.xgboosting import xgboosted
from mortis.lab.flights import data_folder, read_flights
from mortis.lab.traffic import Column, Floats, Stretch, Traffic

_ORIGINS = ("EWR", "JFK", "LGA")
_REGIONS = ("Eastern", "Central", "Pacific", "Mountain", "Caribbean", "Alaska and Hawaii")
_CLIENTS = {"app": 0.5, "web": 0.35, "desk": 0.15}
_TEXTS = ("origin", "dest_region", "carrier", "dest")
_NUMBERS = (
    *("dep_delay", "origin_delay", "hour", "distance", "seats", "plane_age"),
    *("wind_speed", "visibility", "precipitation"),
)
_KEPT = 0.9  # of a stretch's flights, so that no two cases are alike
_TRAINED = 0.3  # of the flights from January to July: more make the models no better
_FIRST = datetime(2013, 1, 1, tzinfo=UTC)
_LEARNED_UNTIL = datetime(2013, 8, 1, tzinfo=UTC)
_SHORT = datetime(2013, 3, 1, tzinfo=UTC)

_FEATURES = (
    Feature("dep_delay", units=(60.0, 1 / 60), default=0.0),
    Feature("origin_delay", units=(60.0, 1 / 60), default=0.0, weight=0.0),
    Feature("hour", "hour", default=0.0, weight=0.0),
    Feature("distance", units=(1.609344, 0.868976), default=0.0, weight=0.0),
    Feature("seats", default=0.0, weight=0.0),
    Feature("plane_age", units=(12.0,), default=-1.0, weight=0.0),
    Feature("wind_speed", units=(1.609344, 0.44704), default=0.0, weight=0.0),
    Feature("visibility", units=(1.609344,), default=0.0, weight=0.0),
    Feature("precipitation", units=(25.4,), default=0.0, weight=0.0),
    Feature("carrier", "category", default="unknown", weight=0.0),
    Feature("dest", "category", default="unknown", weight=0.0),
)


@cache
def _flown() -> Mapping[str, Column]:
    """The flights' columns in the order of time; reading them takes more than a second."""
    table = read_flights(data_folder(extra="lab"))
    columns: dict[str, NDArray[Any]] = {
        "id": table["request_id"].to_numpy().astype(object),
        "at": table["scheduled_at"].to_numpy().astype("datetime64[s]").astype(np.int64),
    }
    columns |= {name: table[name].to_numpy().astype(object) for name in _TEXTS}
    return columns | {name: table[name].to_numpy().astype(np.float64) for name in (*_NUMBERS, "late", "arr_delay")}


def _between(start: datetime, end: datetime, rng: np.random.Generator, *, share: float, target: str) -> Traffic:
    """This share of the flights, with when it was known whether or how late they had arrived."""
    flown = _flown()
    first, last = np.searchsorted(flown["at"], (start.timestamp(), end.timestamp()))
    places = first + np.flatnonzero(rng.random(last - first) < share)
    if target == "arr_delay":  # a cancelled flight has no push-back at which to ask
        places = places[~np.isnan(flown["dep_delay"][places])]
    rows = {name: column[places] for name, column in flown.items()}
    n, at, y = len(places), rows["at"], rows[target]
    columns = {name: rows[name] for name in (*_TEXTS, *_NUMBERS)}
    columns |= {"client": drawn(_CLIENTS, n, rng), "replica": drawn(dict.fromkeys(REPLICAS, 1), n, rng)}
    labelled = later(at, _hours_until_known(rows, rng) / 24)
    return Traffic(rows["id"], at, columns, y, y, labelled)


def _hours_until_known(rows: Mapping[str, Column], rng: np.random.Generator) -> Floats:
    """The flight at 450 miles an hour, its delay, and the airline's report some hours after."""
    delay = np.nan_to_num(rows["dep_delay"]) / 60
    return np.asarray(1 + rows["distance"] / 450 + np.maximum(delay, 0) + rng.gamma(2, 3, len(delay)))


def _draw_late(stretch: Stretch, rng: np.random.Generator) -> Traffic:
    return _between(stretch.start, stretch.end, rng, share=_KEPT, target="late")


def _draw_delay(stretch: Stretch, rng: np.random.Generator) -> Traffic:
    return _between(stretch.start, stretch.end, rng, share=_KEPT, target="arr_delay")


def _past_late() -> Traffic:
    return _between(_FIRST, _LEARNED_UNTIL, np.random.default_rng(23_005), share=_TRAINED, target="late")


def _past_delay() -> Traffic:
    past = _between(_FIRST, _LEARNED_UNTIL, np.random.default_rng(23_006), share=_TRAINED, target="arr_delay")
    return past.take(~np.isnan(past.y))  # some were diverted and arrived elsewhere


def _every(past: Traffic) -> dict[str, Column]:
    return {one.name: past.columns[one.name] for one in _FEATURES}


def _fewer(past: Traffic) -> tuple[dict[str, Column], Floats]:
    """What the earlier versions learned from: two months of winter, without the delay at departure."""
    early = past.at < _SHORT.timestamp()
    return {name: column[early] for name, column in _every(past).items() if name != "dep_delay"}, past.y[early]


def _train_late(past: Traffic) -> Mapping[str, Model]:
    first = boosted(*_fewer(past), rounds=40)
    return {"v1": first, "v2": boosted(_every(past), past.y, rounds=80, leaves=31)}


def _train_delay(past: Traffic) -> Mapping[str, Model]:
    first = xgboosted(*_fewer(past), objective="reg:absoluteerror", rounds=30)
    return {"v1": first, "v2": xgboosted(_every(past), past.y, objective="reg:absoluteerror", rounds=80, leaves=31)}


def _days(first: datetime, last: datetime) -> tuple[datetime, ...]:
    return tuple(first + timedelta(days=i) for i in range((last - first).days + 1))


# Autumn is quiet, but from mid-October on winter's winds blow: fewer of the late arrivals are foretold then.
_QUIET_LATE = _days(datetime(2013, 10, 3, tzinfo=UTC), datetime(2013, 10, 12, tzinfo=UTC))
_QUIET_DELAY = _days(datetime(2013, 9, 13, tzinfo=UTC), datetime(2013, 10, 10, tzinfo=UTC))
_SEGMENTS = {"origin": _ORIGINS, "dest_region": _REGIONS, "client": tuple(_CLIENTS), "replica": REPLICAS}

FLIGHTS_LATE = Base(
    name="flights-late",
    meaning="flights of 2013: arrival 15 minutes late or more (real; LightGBM)",
    task="binary",
    metric="accuracy",
    features=_FEATURES,
    segments=_SEGMENTS,
    draw=_draw_late,
    past=_past_late,
    train=_train_late,
    starts=_QUIET_LATE,
    daily=860,
    latency_ms=18.0,
    wait=timedelta(days=3),
)

FLIGHTS_DELAY = Base(
    name="flights-delay",
    meaning="flights of 2013: minutes of delay at arrival (real; XGBoost)",
    task="regression",
    metric="mae",
    features=_FEATURES,
    segments=_SEGMENTS,
    draw=_draw_delay,
    past=_past_delay,
    train=_train_delay,
    starts=_QUIET_DELAY,
    daily=850,
    latency_ms=18.0,
    wait=timedelta(days=3),
)
