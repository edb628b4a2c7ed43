"""Payments by card: is it fraud? Rare positives, whose labels come with chargebacks, days to weeks later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from mortis.lab.bases.base import Base, Feature, Model
from mortis.lab.bases.drawing import (
    REPLICAS,
    by_day,
    drawn,
    drawn_by,
    effect,
    holed,
    later,
    moments,
    mondays,
    request_ids,
    without,
)
from mortis.lab.bases.xgboosting import xgboosted
from mortis.lab.traffic import Bools, Column, Floats, Stretch, Traffic

_REGIONS = {"europe": 0.46, "america": 0.34, "asia": 0.20}
_CHANNELS = {"online": 0.5, "terminal": 0.32, "wallet": 0.18}
_RATES = {"online": 0.036, "terminal": 0.011, "wallet": 0.018}
_WORSE = {"europe": 0.9, "america": 1.2, "asia": 1.0}
_SHOPS = {
    "online": {"clothes": 0.34, "electronics": 0.2, "games": 0.16, "travel": 0.14, "gift cards": 0.05, "food": 0.11},
    "terminal": {"food": 0.52, "fuel": 0.2, "clothes": 0.14, "restaurant": 0.12, "electronics": 0.02},
    "wallet": {"food": 0.4, "restaurant": 0.28, "travel": 0.12, "clothes": 0.2},
}
_SHOPS_OF_FRAUD = {
    "online": {"clothes": 0.12, "electronics": 0.34, "games": 0.15, "travel": 0.11, "gift cards": 0.25, "food": 0.03},
    "terminal": {"food": 0.2, "fuel": 0.32, "clothes": 0.12, "restaurant": 0.06, "electronics": 0.3},
    "wallet": {"food": 0.25, "restaurant": 0.2, "travel": 0.25, "clothes": 0.3},
}
_USUAL = {
    "clothes": 55.0,
    "electronics": 160.0,
    "games": 22.0,
    "travel": 210.0,
    "gift cards": 70.0,
    "food": 31.0,
    "fuel": 48.0,
    "restaurant": 38.0,
}
_DEVICES = {"known": 0.91, "new": 0.09}
_DEVICES_OF_FRAUD = {"known": 0.15, "new": 0.85}
_COUNTRIES = {"home": 0.93, "neighbour": 0.05, "far": 0.02}
_COUNTRIES_OF_FRAUD = {"home": 0.42, "neighbour": 0.14, "far": 0.44}
_DAILY = 1_500  # as positives are rare, and a metric of few of them tells little

_FEATURES = (
    Feature("amount", units=(100.0, 0.01, 0.92), default=0.0, weight=0.9),
    Feature("usual_amount", units=(100.0, 0.01), default=0.0, weight=0.5),
    Feature("tries_24h", default=-1.0, weight=0.8),
    Feature("minutes_since_last", units=(60.0, 1 / 60), default=0.0),
    Feature("card_age_days", units=(1 / 30.4, 24.0), default=0.0, weight=0.3),
    Feature("distance_km", units=(0.621371, 1000.0), default=0.0, weight=0.5),
    Feature("device", "category", default="unknown", weight=0.7),
    Feature("country", "category", default="unknown", weight=0.45),
    Feature("shop", "category", default="unknown", weight=0.2),
    Feature("hour", "hour", default=0.0, weight=0.5),
)


def _draw(stretch: Stretch, rng: np.random.Generator) -> Traffic:
    at = moments(stretch, _DAILY, rng)
    n = len(at)
    region, channel = drawn(_REGIONS, n, rng), drawn(_CHANNELS, n, rng)
    hour = (at // 3600 % 24).astype(np.float64)
    rate = effect(channel, _RATES) * effect(region, _WORSE) * np.where(hour < 6, 8.0, 0.45) * by_day(at, 0.2, rng)
    fraud = rng.random(n) < rate
    shop = _either(fraud, drawn_by(channel, _SHOPS_OF_FRAUD, rng), drawn_by(channel, _SHOPS, rng))
    device = _either(fraud, drawn(_DEVICES_OF_FRAUD, n, rng), drawn(_DEVICES, n, rng))
    usual = effect(shop, _USUAL) * rng.lognormal(0, 0.45, n)
    columns = {
        "region": region,
        "channel": channel,
        "replica": drawn(dict.fromkeys(REPLICAS, 1), n, rng),
        "amount": np.round(usual * rng.lognormal(0, 0.6, n) * np.where(fraud, rng.lognormal(1.2, 0.5, n), 1.0), 2),
        "usual_amount": np.round(usual, 2),
        "tries_24h": rng.negative_binomial(2, np.where(fraud, 0.25, 0.66), n).astype(np.float64),
        # The first payment with a card has none before it.
        "minutes_since_last": holed(np.round(rng.exponential(np.where(fraud, 190, 1_000), n)), 0.03, rng),
        "card_age_days": np.round(rng.gamma(np.where(fraud, 0.9, 1.6), np.where(fraud, 420, 560), n)),
        # Nobody knows from where an order came; a terminal knows no device.
        "distance_km": without(_distance(fraud, rng), channel == "online"),
        "device": without(device, channel == "terminal"),
        "country": holed(_either(fraud, drawn(_COUNTRIES_OF_FRAUD, n, rng), drawn(_COUNTRIES, n, rng)), 0.01, rng),
        "shop": shop,
        "hour": hour,
    }
    y = fraud.astype(np.float64)
    # A payment counts as honest once its statement is paid, which takes as long as a chargeback does.
    labelled = later(at, np.clip(3 + rng.gamma(2.2, 2.6, n), 3, 30))
    return Traffic(request_ids("payment", n, rng), at, columns, y, y, labelled)


def _either(fraud: Bools, if_so: Column, if_not: Column) -> Column:
    return np.where(fraud, if_so, if_not)


def _distance(fraud: Bools, rng: np.random.Generator) -> Floats:
    """From the place of the payment before, in km."""
    return np.round(rng.lognormal(np.where(fraud, 4.9, 1.5), np.where(fraud, 1.5, 1.2), len(fraud)), 1)


def _past() -> Traffic:
    return _draw(Stretch(datetime(2023, 8, 7, tzinfo=UTC), 42, 0), np.random.default_rng(23_002))


def _train(past: Traffic) -> Mapping[str, Model]:
    """The earlier version learned from two weeks, before devices and places were asked for."""
    every = {one.name: past.columns[one.name] for one in _FEATURES}
    early = past.at < past.at[0] + timedelta(days=14).total_seconds()
    late_comers = ("device", "country", "distance_km")
    fewer = {name: column[early] for name, column in every.items() if name not in late_comers}
    return {"v1": xgboosted(fewer, past.y[early], rounds=20, leaves=6), "v2": xgboosted(every, past.y)}


FRAUD = Base(
    name="fraud",
    meaning="payments by card: fraud (drawn; rare positives, labels weeks late; XGBoost)",
    task="binary",
    metric="f1",
    features=_FEATURES,
    segments={"region": tuple(_REGIONS), "channel": tuple(_CHANNELS), "replica": REPLICAS},
    draw=_draw,
    past=_past,
    train=_train,
    starts=mondays(datetime(2024, 1, 8), 40),  # noqa: DTZ001  it gets its zone there
    daily=_DAILY,
    threshold=0.4,
    latency_ms=12.0,
    wait=timedelta(days=21),
)
