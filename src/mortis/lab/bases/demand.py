"""How much of each product will each store sell tomorrow? Weeks and a year in it, weather, prices and promotions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mortis.lab.bases.base import Base, Feature, Model
from mortis.lab.bases.drawing import REPLICAS, Ints, drawn, holed, later, mondays, request_ids
from mortis.lab.bases.histogram import histogram
from mortis.lab.traffic import DAY, Floats, Stretch, Traffic

_REGIONS = ("north", "south", "coast")
_FORMATS = ("city", "suburb", "station")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PROMOTIONS = {"none": 0.74, "leaflet": 0.16, "window": 0.10}
_LIFT = np.array([1.0, 1.5, 1.8])
_ELASTICITY = 2.0
_WEEK = np.array([0.98, 0.97, 0.98, 1.0, 1.04, 1.0, 1.0])  # what the weekend does depends on the department
# By department: what it sells on Saturdays and on Sundays, the year's part (in midsummer), what a degree more does.
_DEPARTMENTS = {
    "bakery": (1.1, 1.4, 0.0, 0.0),
    "dairy": (0.9, 0.75, 0.0, 0.0),
    "drinks": (1.35, 1.1, 0.06, 0.03),
    "fresh": (1.1, 0.75, 0.04, 0.015),
    "frozen": (0.85, 0.85, 0.04, 0.02),
    "household": (1.1, 0.7, 0.0, 0.0),
    "snacks": (1.1, 1.35, -0.03, 0.0),
    "soups": (0.7, 0.85, -0.08, -0.035),
}
_STORES, _PRODUCTS = 25, 40
_WARM_UP = 28
_DAILY = _STORES * _PRODUCTS
_TRAINED = 0.07  # of the past year's rows
_COLDEST = 15  # day of the year

_FEATURES = (
    Feature("sales_month", units=(28.0, 7.0, 1 / 7), default=0.0),
    Feature("sales_same_day", units=(7.0, 1 / 7), default=0.0, weight=0.1),
    Feature("promotion", "category", default="none", weight=0.5),
    Feature("weekday", "category", default="mon", weight=0.15),
    Feature("temperature", units=(1.8, 10.0), default=0.0, weight=0.0),
    Feature("discount", units=(100.0,), default=0.0, weight=0.5),
    Feature("price", units=(100.0, 0.01), default=0.0, weight=0.0),
    Feature("department", "category", default="unknown", weight=0.2),
    Feature("store", "category", default="unknown", weight=0.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Shops:
    """What doesn't change. A product in a store is a series (1,000 of them); `level` is what it usually sells."""

    level: Floats
    store: NDArray[np.int64]
    department: NDArray[np.int64]
    price: Floats
    region: NDArray[np.int64]
    format: NDArray[np.int64]


@cache
def _shops() -> _Shops:
    rng = np.random.default_rng(31_001)
    store, product = np.divmod(np.arange(_DAILY), _PRODUCTS)
    size, demand = rng.lognormal(0, 0.3, _STORES), rng.lognormal(2.6, 0.4, _PRODUCTS)
    level = size[store] * demand[product] * rng.lognormal(0, 0.2, _DAILY)
    department = rng.permutation(np.arange(_PRODUCTS) % len(_DEPARTMENTS))
    price = np.round(rng.lognormal(1.0, 0.6, _PRODUCTS), 2)
    region, kind = rng.integers(len(_REGIONS), size=_STORES), rng.integers(len(_FORMATS), size=_STORES)
    return _Shops(level, store, department[product], price[product], region[store], kind[store])


@dataclass(frozen=True, slots=True, eq=False)
class _Season:
    """All days of all series (days, series), from the warm-up's first on; temperatures are those of the regions."""

    first: int
    sales: NDArray[np.float64]
    promotion: NDArray[np.int64]
    discount: NDArray[np.float64]
    temperature: NDArray[np.float64]


def _season(stretch: Stretch, rng: np.random.Generator) -> _Season:
    shops, days = _shops(), stretch.days + _WARM_UP
    first = int(stretch.start.timestamp()) // DAY - _WARM_UP
    temperature = _temperature(first, days, rng)
    # Promotions and discounts last a week.
    week = (np.arange(days) + first % 7) // 7
    weeks = (days // 7 + 2, _DAILY)
    promotion = rng.choice(len(_PROMOTIONS), p=list(_PROMOTIONS.values()), size=weeks)[week]
    discount = np.where(rng.random(weeks) < 0.2, rng.integers(2, 7, weeks) / 20, 0.0)[week]
    on_saturday, on_sunday, in_summer, by_degree = np.array(list(_DEPARTMENTS.values()))[shops.department].T
    expected = shops.level * _LIFT[promotion] * (1 - discount) ** -_ELASTICITY
    weekday = (first + np.arange(days) + 3) % 7  # day 0 of the epoch was a Thursday
    expected *= _WEEK[weekday, None]
    expected *= np.where(weekday[:, None] == 5, on_saturday, 1.0) * np.where(weekday[:, None] == 6, on_sunday, 1.0)
    expected *= 1 + in_summer * _summer(first, days)[:, None]
    expected *= np.exp(by_degree * (temperature[:, shops.region] - 11))
    # Some days are busier than others, in all stores or in one.
    expected *= rng.lognormal(0, 0.02, (days, 1)) * rng.lognormal(0, 0.05, (days, _STORES))[:, shops.store]
    sales = rng.poisson(expected * rng.gamma(30, 1 / 30, expected.shape)).astype(np.float64)
    return _Season(first, sales, promotion, discount, temperature)


def _summer(first: int, days: int) -> Floats:
    """-1 where it is coldest, 1 half a year later."""
    angle = 2 * np.pi * (np.arange(first, first + days) - _COLDEST) / 365.25
    return np.asarray(-np.cos(angle))


def _temperature(first: int, days: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Degrees (days, regions): the year's course, weather that lasts some days, and the regions' own."""
    fresh = rng.normal(0, 2.5, days + 20)
    weather = np.convolve(fresh, 0.7 ** np.arange(20), mode="valid")[:days]
    own = np.array([-2.0, 2.0, 0.5]) + rng.normal(0, 0.8, (days, len(_REGIONS)))
    return np.asarray((11 + 8.5 * _summer(first, days) + 0.7 * weather)[:, None] + own)


def _draw(stretch: Stretch, rng: np.random.Generator) -> Traffic:
    return _asked(_season(stretch, rng), rng, share=0.98)


def _asked(season: _Season, rng: np.random.Generator, *, share: float) -> Traffic:
    """This share of the forecasts of the days after the warm-up, in the order of time."""
    shops = _shops()
    days = len(season.sales) - _WARM_UP
    day, series = np.divmod(np.flatnonzero(rng.random(days * _DAILY) < share), _DAILY)
    # Each store's forecasts run within an hour of its own.
    at = (season.first + _WARM_UP + day) * DAY + shops.store[series] * 23 // _STORES * 3600
    at += rng.integers(0, 3600, len(at))
    order = np.argsort(at, kind="stable")
    at, day, series = at[order], day[order] + _WARM_UP, series[order]
    total = np.cumsum(np.vstack([np.zeros(_DAILY), season.sales]), axis=0)
    departments = np.array(list(_DEPARTMENTS), dtype=object)
    n = len(at)
    columns = {
        "region": np.array(_REGIONS, dtype=object)[shops.region[series]],
        "format": np.array(_FORMATS, dtype=object)[shops.format[series]],
        "replica": drawn(dict.fromkeys(REPLICAS, 1), n, rng),
        "sales_month": np.round((total[day, series] - total[day - _WARM_UP, series]) / _WARM_UP, 3),
        # A till's report may be late.
        "sales_same_day": holed(season.sales[day - 7, series], 0.02, rng),
        "promotion": np.array(list(_PROMOTIONS), dtype=object)[season.promotion[day, series]],
        "weekday": np.array(_WEEKDAYS, dtype=object)[(season.first + day + 3) % 7],
        "temperature": _forecast(season, day, shops.region[series], rng),
        "discount": season.discount[day, series],
        "price": np.round(shops.price[series] * (1 - season.discount[day, series]), 2),
        "department": departments[shops.department[series]],
        "store": np.array([f"s{i:02}" for i in range(_STORES)], dtype=object)[shops.store[series]],
    }
    y = season.sales[day, series]
    closed = (at // DAY + 1) * DAY
    return Traffic(request_ids("forecast", n, rng), at, columns, y, y, later(closed, rng.gamma(2, 0.2, n)))


def _forecast(season: _Season, day: Ints, region: Ints, rng: np.random.Generator) -> Floats:
    """What the weather service said, nearly right; on some hours it says nothing."""
    found = season.temperature[day, region] + rng.normal(0, 1, len(day))
    return np.asarray(holed(np.round(found, 1), 0.015, rng), dtype=np.float64)


def _past() -> Traffic:
    rng = np.random.default_rng(23_003)
    return _asked(_season(Stretch(datetime(2023, 4, 3, tzinfo=UTC), 371, 0), rng), rng, share=_TRAINED)


def _train(past: Traffic) -> Mapping[str, Model]:
    """The earlier version learned from last summer alone, before promotions and the same day's sales were asked for."""
    every = {one.name: past.columns[one.name] for one in _FEATURES}
    early = past.at < past.at[0] + timedelta(days=120).total_seconds()
    late_comers = ("discount", "price", "promotion", "sales_same_day")
    fewer = {name: column[early] for name, column in every.items() if name not in late_comers}
    return {"v1": histogram(fewer, past.y[early], rounds=20, leaves=6), "v2": histogram(every, past.y, rounds=90)}


DEMAND = Base(
    name="demand",
    meaning="sales of 40 products in 25 stores (drawn; weeks and seasons; histogram gradient boosting as ONNX)",
    task="regression",
    metric="mae",
    features=_FEATURES,
    segments={"region": _REGIONS, "format": _FORMATS, "replica": REPLICAS},
    draw=_draw,
    past=_past,
    train=_train,
    # About midsummer and midwinter, when the seasons don't move what is sold.
    starts=mondays(datetime(2024, 6, 10), 4) + mondays(datetime(2024, 12, 9), 4) + mondays(datetime(2025, 6, 9), 4),  # noqa: DTZ001
    daily=_DAILY,
    latency_ms=31.0,
    wait=timedelta(days=3),
)
