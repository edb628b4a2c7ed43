"""Search in a shop: in which order do ten items best answer a query? What was clicked and bought tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from mortis.lab.bases.base import Base, Feature, Model
from mortis.lab.bases.boosting import boosted
from mortis.lab.bases.drawing import (
    REPLICAS,
    by_day,
    chance,
    drawn,
    effect,
    holed,
    later,
    moments,
    mondays,
    request_ids,
)
from mortis.lab.traffic import Column, Floats, Stretch, Traffic, texts

_REGIONS = {"europe": 0.45, "america": 0.35, "asia": 0.20}
_DEVICES = {"phone": 0.6, "desktop": 0.32, "tablet": 0.08}
_TOPICS = {"shoes": 0.24, "garden": 0.16, "books": 0.2, "kitchen": 0.22, "toys": 0.18}
# What a topic's buyers look at: that the words fit, that it is cheap, that others liked it.
_WORDS = {"shoes": 4.6, "garden": 5.6, "books": 8.0, "kitchen": 5.4, "toys": 4.2}
_CHEAP = {"shoes": 1.8, "garden": 2.7, "books": 0.9, "kitchen": 2.3, "toys": 3.2}
_LIKED = {"shoes": 1.2, "garden": 1.5, "books": 2.0, "kitchen": 2.0, "toys": 1.4}
_ITEMS = 10
_QUERIES = 110

_FEATURES = (
    Feature("words_match", units=(100.0,), default=0.0),
    Feature("clicks_month", units=(0.01, 100.0), default=0.0, weight=0.7),
    Feature("rating", units=(20.0, 2.0), default=0.0, weight=0.7),
    Feature("price_ratio", units=(100.0, 0.01), default=1.0, weight=0.8),
    Feature("brand_affinity", units=(100.0,), default=0.0, weight=0.9),
    Feature("days_listed", units=(24.0, 1 / 30.4), default=0.0, weight=0.0),
    Feature("delivery", "category", default="standard", weight=0.6),
    Feature("topic", "category", default="unknown", weight=0.3),
    Feature("device", "category", default="unknown", weight=0.0),
)


def _draw(stretch: Stretch, rng: np.random.Generator) -> Traffic:
    asked = moments(stretch, _QUERIES, rng)
    queries = len(asked)
    # Columns of a query, repeated for each of its items.
    per_query = {
        "query": request_ids("query", queries, rng),
        "region": drawn(_REGIONS, queries, rng),
        "device": drawn(_DEVICES, queries, rng),
        "topic": drawn(_TOPICS, queries, rng),
        "replica": drawn(dict.fromkeys(REPLICAS, 1), queries, rng),
    }
    columns: dict[str, Column] = {name: np.repeat(values, _ITEMS) for name, values in per_query.items()}
    at = np.repeat(asked, _ITEMS)
    n = len(at)
    listed = np.round(rng.gamma(1.1, 260, n))
    liked = rng.normal(0, 1, n)
    columns |= {
        "words_match": np.round(rng.beta(2.2, 1.8, n), 4),
        # A new item has no clicks of a month yet, and nobody has rated it.
        "clicks_month": np.where(listed < 20, np.nan, rng.poisson(30 * np.exp(0.7 * liked + rng.normal(0, 0.5, n)))),
        "rating": np.round(holed(np.clip(4 + 0.5 * liked + rng.normal(0, 0.3, n), 1, 5), _unrated(listed), rng), 1),
        "price_ratio": np.round(rng.lognormal(0, 0.35, n), 3),
        "brand_affinity": np.round(rng.beta(0.8, 2.4, n), 3),
        "days_listed": listed,
        "delivery": drawn({"next day": 0.35, "standard": 0.5, "pickup": 0.15}, n, rng),
    }
    wanted = _worth(columns, liked, listed) - 7.0 + np.log(by_day(at, 0.12, rng))
    clicked = rng.random(n) < chance(wanted)
    bought = rng.random(n) < 0.22
    y = np.where(clicked, np.where(bought, 2.0, 1.0), 0.0)
    ids = texts(np.char.add(columns["query"].astype(str), np.char.add("-", (np.arange(n) % _ITEMS).astype(str))))
    # What was bought is known the day after.
    return Traffic(ids, at, columns, y, y, later(at, 1 + rng.gamma(1.5, 0.2, n)))


def _unrated(listed: Floats) -> Floats:
    return np.where(listed < 60, 0.5, 0.04)


def _worth(columns: Mapping[str, Column], liked: Floats, listed: Floats) -> Floats:
    topic = columns["topic"]
    cheap = np.where(columns["device"] == "phone", 1.3, 0.9) * effect(topic, _CHEAP)
    delivery = effect(columns["delivery"], {"next day": 1.2, "pickup": -0.5})
    worth = effect(topic, _WORDS) * columns["words_match"] - cheap * np.log(columns["price_ratio"])
    worth += effect(topic, _LIKED) * liked + 4.4 * columns["brand_affinity"] + delivery
    return np.asarray(worth + 0.5 * (listed < 60), dtype=np.float64)


def _past() -> Traffic:
    return _draw(Stretch(datetime(2023, 9, 4, tzinfo=UTC), 28, 0), np.random.default_rng(23_004))


def _train(past: Traffic) -> Mapping[str, Model]:
    """The earlier version learned from a week, before tastes, delivery and ratings were asked for."""
    every = {one.name: past.columns[one.name] for one in _FEATURES}
    early = past.at < past.at[0] + timedelta(days=7).total_seconds()
    late_comers = ("rating", "brand_affinity", "delivery")
    fewer = {name: column[early] for name, column in every.items() if name not in late_comers}
    first = boosted(fewer, past.y[early], objective="lambdarank", rounds=20, leaves=6, group=_sizes(int(early.sum())))
    return {"v1": first, "v2": boosted(every, past.y, objective="lambdarank", rounds=80, group=_sizes(len(past)))}


def _sizes(rows: int) -> list[int]:
    return [_ITEMS] * (rows // _ITEMS)


CLICKS = Base(
    name="clicks",
    meaning="ten items for each query of a shop's search, by clicks (drawn; LightGBM's lambdarank)",
    task="ranking",
    metric="ndcg@10",
    features=_FEATURES,
    segments={"region": tuple(_REGIONS), "device": tuple(_DEVICES), "replica": REPLICAS},
    draw=_draw,
    past=_past,
    train=_train,
    starts=mondays(datetime(2024, 1, 8), 40),  # noqa: DTZ001  it gets its zone there
    daily=_QUERIES * _ITEMS,
    group="query",
    latency_ms=42.0,
    wait=timedelta(days=3),
)
