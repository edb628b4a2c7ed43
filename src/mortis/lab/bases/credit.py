"""Small loans: will the instalments of the first weeks be missed? Categories, missing values, a drawn population."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from mortis.lab.bases.base import Base, Feature, Model
from mortis.lab.bases.boosting import boosted
from mortis.lab.bases.drawing import REPLICAS, chance, drawn, effect, holed, later, moments, mondays, request_ids
from mortis.lab.traffic import Columns, Floats, Stretch, Traffic

_REGIONS = {"north": 0.34, "south": 0.27, "east": 0.22, "west": 0.17}
_CHANNELS = {"web": 0.52, "app": 0.33, "branch": 0.15}
_PURPOSES = {"car": 0.28, "home": 0.22, "debts": 0.25, "studies": 0.13, "travel": 0.12}
_RISK = {"car": -0.3, "home": -0.5, "debts": 0.9, "studies": 0.1, "travel": 0.4}
_WORK = {"employed": 0.62, "self-employed": 0.18, "between jobs": 0.08, "retired": 0.12}
_WORK_RISK = {"employed": -0.4, "self-employed": 0.2, "between jobs": 1.3, "retired": -0.2}
_DAILY = 1000

_FEATURES = (
    Feature("utilization", units=(100.0,), default=0.0),
    Feature("debt_ratio", units=(100.0,), default=-1.0, weight=0.9),
    Feature("income", units=(0.001, 12.0, 0.92), default=0.0, weight=0.5),
    Feature("purpose", "category", default="unknown", weight=0.6),
    Feature("work", "category", default="unknown", weight=0.5),
    Feature("months_known", units=(1 / 12, 30.4), default=0.0, weight=0.35),
    Feature("inquiries", default=-1.0, weight=0.45),
    Feature("amount", units=(0.001, 100.0), default=0.0, weight=0.3),
    Feature("hour", "hour", default=0.0, weight=0.6),
)


def draw(stretch: Stretch, rng: np.random.Generator) -> Traffic:
    """Applications of the stretch; what became of each is known some days later."""
    at = moments(stretch, _DAILY, rng)
    n = len(at)
    income = 2_400 * rng.lognormal(0, 0.45, n)
    columns = {
        "region": drawn(_REGIONS, n, rng),
        "channel": drawn(_CHANNELS, n, rng),
        "replica": drawn(dict.fromkeys(REPLICAS, 1), n, rng),
        "utilization": holed(rng.beta(1.6, 2.4, n), 0.03, rng),
        "debt_ratio": np.clip(rng.gamma(2.2, 0.16, n), 0, 2),
        "income": holed(np.round(income), 0.06, rng),
        "purpose": drawn(_PURPOSES, n, rng),
        "work": holed(drawn(_WORK, n, rng), 0.02, rng),
        "months_known": np.round(rng.exponential(40, n)),
        "inquiries": rng.poisson(1.1, n).astype(np.float64),
        "amount": np.round(rng.lognormal(8.1, 0.6, n), -1),
        "hour": (at // 3600 % 24).astype(np.float64),
    }
    y = (rng.random(n) < chance(_logit(columns, income))).astype(np.float64)
    labelled = later(at, 2 + rng.gamma(2.0, 1.0, n))
    return Traffic(request_ids("loan", n, rng), at, columns, y, y, labelled)


def _logit(columns: Columns, income: Floats) -> Floats:
    known = columns["months_known"]
    used = np.nan_to_num(columns["utilization"], nan=0.55)
    logit = -2.35 + 4.2 * (used - 0.4) + 3.2 * (columns["debt_ratio"] - 0.35) - 1.1 * np.log(income / 2_400)
    logit += 0.4 * columns["inquiries"] - 0.012 * np.minimum(known, 90) + 0.5 * np.log(columns["amount"] / 3_300)
    night = (columns["hour"] < 6) * 1.6
    return np.asarray(logit + night + effect(columns["purpose"], _RISK) + effect(columns["work"], _WORK_RISK))


def _past() -> Traffic:
    return draw(Stretch(datetime(2023, 9, 4, tzinfo=UTC), 28, 0), np.random.default_rng(23_001))


def _train(past: Traffic) -> Mapping[str, Model]:
    """The earlier version learned from less, and without what was asked for only later."""
    every = {one.name: past.columns[one.name] for one in _FEATURES}
    fewer = {name: column[: len(past) // 3] for name, column in every.items() if name not in ("utilization", "work")}
    first = boosted(fewer, past.y[: len(past) // 3], rounds=25, leaves=7)
    return {"v1": first, "v2": boosted(every, past.y)}


CREDIT = Base(
    name="credit",
    meaning="small loans: missed instalments (drawn; categories, missing values; LightGBM)",
    task="binary",
    metric="f1",
    features=_FEATURES,
    segments={"region": tuple(_REGIONS), "channel": tuple(_CHANNELS), "replica": REPLICAS},
    draw=draw,
    past=_past,
    train=_train,
    starts=mondays(datetime(2024, 1, 8), 40),  # noqa: DTZ001  it gets its zone there
    daily=_DAILY,
    threshold=0.4,
    latency_ms=24.0,
    wait=timedelta(days=7),
)
