"""Rows of two windows with a cause that is known, and two small models, for tests of the causes and the guards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mortis.causes.facts import Facts
from mortis.causes.scoring import outcomes_of
from mortis.clarify.metrics import metric_for
from mortis.engine import open_engine
from mortis.engine.dataset import Dataset, Roles
from mortis.engine.layout import make_layout
from mortis.integrity.kinds.repair import Region, Repair, Undo
from mortis.profiles import Profile
from mortis.records import Failure, Impact, Interval, Window
from mortis.rows import Column, RowSample, is_number
from mortis.sources.models.scorer import Scorer
from mortis.sources.tables import open_table

BEGINS = datetime(2024, 3, 4, tzinfo=UTC)
DAYS, DAYS_HIT = 20, 10
BASELINE = Window(BEGINS, BEGINS + timedelta(days=DAYS))
INCIDENT = Window(BASELINE.end, BASELINE.end + timedelta(days=DAYS_HIT))
NAMES = ("delay", "load", "noise", "region")
REGIONS = ("asia", "eu", "us")

Columns = dict[str, Column]


def inputs(rng: np.random.Generator, n: int, *, us: float = 0.3) -> Columns:
    """Features of n rows; `us` is that region's share."""
    region = rng.choice(REGIONS, n, p=[(1 - us) / 2, (1 - us) / 2, us]).astype(object)
    return {
        "delay": rng.exponential(20, n),
        "load": rng.normal(0, 1, n),
        "noise": rng.normal(0, 1, n),
        "region": region,
    }


def labels(rng: np.random.Generator, features: Columns, *, turned: float = 1.0) -> NDArray[np.float64]:
    """Labels that follow delay and load; `turned` is the sign and strength of load's part."""
    delay, load = np.asarray(features["delay"], float), np.asarray(features["load"], float)
    logit = 0.12 * (delay - 20) + 2.5 * turned * load + 0.5 * (features["region"] == "us")
    return (rng.random(len(delay)) < 1 / (1 + np.exp(-logit))).astype(float)


@cache
def models() -> dict[str, Scorer]:
    """`good`, and `bad`, which knows nothing of load."""
    import lightgbm

    rng = np.random.default_rng(99)
    features = inputs(rng, 6000)
    y = labels(rng, features)
    made = {}
    for name, used in (("good", NAMES), ("bad", ("delay", "noise"))):
        options = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 15, "seed": 1}
        booster = lightgbm.train(options, lightgbm.Dataset(_matrix(features, used), y), num_boost_round=25)
        made[name] = Scorer(name, partial(_predicted, booster, used))
    return made


def _predicted(booster: Any, used: tuple[str, ...], columns: Mapping[str, Column]) -> NDArray[np.float64]:
    return np.asarray(booster.predict(_matrix(columns, used), num_threads=1), dtype=float)


def _matrix(features: Mapping[str, Column], used: tuple[str, ...]) -> NDArray[np.float64]:
    columns = [
        np.asarray(features[name], float)
        if is_number(features[name])
        else np.array([REGIONS.index(v) if v in REGIONS else np.nan for v in features[name]])
        for name in used
    ]
    return np.column_stack(columns)


def rows_of(
    features: Columns,
    y: Column,
    p: Column,
    score: NDArray[np.float64],
    *,
    window: Window = BASELINE,
    metric: Any = None,
) -> RowSample:
    """A sample of these rows, spread evenly over a window."""
    n = len(score)
    second = int(window.start.timestamp()) + (np.arange(n) * window.seconds / n).astype(np.int64)
    judgement = (metric or metric_for("accuracy", "binary")).judgement
    outcome = outcomes_of(judgement, y, p, score)
    return RowSample(
        features=features,
        y=y,
        p=p,
        score=score,
        second=second,
        version=np.full(n, "good", dtype=object),
        outcome=np.zeros(n, np.int8) if outcome is None else outcome,
        latency_ms=np.full(n, np.nan),
        ids=np.array([f"{second[0]}-{i}" for i in range(n)], dtype=object),
        rows=n,
    )


def served(
    rng: np.random.Generator, n: int, *, window: Window = BASELINE, turned: float = 1.0, us: float = 0.3
) -> RowSample:
    """Rows as the good model served them, decided at 0.5."""
    features = inputs(rng, n, us=us)
    score = models()["good"].score(features)
    return rows_of(features, labels(rng, features, turned=turned), (score >= 0.5).astype(float), score, window=window)


def answered(sample: RowSample, score: NDArray[np.float64], *, threshold: float = 0.5) -> RowSample:
    """The same rows as if these scores had been served."""
    p = (score >= threshold).astype(float)
    outcome = outcomes_of(metric_for("accuracy", "binary").judgement, sample.y, p, score)
    if outcome is None:
        raise ValueError("the metric has no errors")
    return replace(sample, score=score, p=p, outcome=outcome)


def corrupted(sample: RowSample, name: str, column: Column) -> RowSample:
    """The rows as the good model serves them with other values in a feature; labels stay those of the true values."""
    struck = sample.with_feature(name, column)
    return answered(struck, models()["good"].score(struck.features))


def facts_of(before: RowSample, during: RowSample, *, metric: str = "accuracy", **more: Any) -> Facts:
    """Facts of a failure between two samples; with both models, no profile and nothing proposed unless stated."""
    chosen = metric_for(metric, more.pop("task", "binary"))
    given: dict[str, Any] = {"models": models(), "threshold": 0.5, "repairs": (), "profile": Profile()}
    task = "regression" if chosen.judgement.by == "regression" else chosen.judgement.by
    given["task"] = task if task in ("binary", "multiclass", "regression", "score") else "binary"
    return Facts(failure=failure(), metric=chosen, before=before, during=during, **(given | more))


def failure(**more: Any) -> Failure:
    """A failure between the two windows."""
    figure = Interval(0.9, 0.88, 0.92, 1000)
    stated: dict[str, Any] = {
        "verdict": "failure",
        "metric": "accuracy",
        "kind": "quality",
        "baseline": figure,
        "incident": figure,
        "shift": figure,
        "onset": None,
        "impact": Impact(0, figure),
        "label_maturity": 1.0,
        "reason": "it fell",
        "definition": "",
        "error_means": "",
        "better": "up",
        "baseline_window": BASELINE,
        "incident_window": INCIDENT,
        "detected_at": None,
        "bucket_seconds": 86400,
    }
    return Failure(**(stated | more))


def repair_of(kind: str, feature: str, undo: Undo, **more: Any) -> Repair:
    """A hand-made repair of a feature."""
    given: dict[str, Any] = {
        "parameters": {},
        "statement": f"{feature} is struck by {kind}",
        "fit": 0.9,
        "region": Region(),
        "share": 1.0,
        "rows": None,
    }
    return Repair(kind=kind, features=(feature,), undo=undo, **(given | more))


def profile_of(before: RowSample, during: RowSample) -> Profile:
    """The profile that the engine's pass makes of both samples' rows."""
    both = {
        "second": np.concatenate([before.second, during.second]),
        "y": np.concatenate([before.y, during.y]),
        "p": np.concatenate([before.p, during.p]),
        "s": np.concatenate([before.score, during.score]),
    }
    features = {name: np.concatenate([before.features[name], during.features[name]]) for name in before.features}
    dataset = Dataset(
        open_table(pa.table(both | features), root=Path(), key="predictions"),
        Roles("second", prediction="p", score="s", label="y"),
        "binary",
        metric_for("accuracy", "binary").judgement,
        features=tuple(features),
        positive="1",
        time_unit="s",
        origin=int(BEGINS.timestamp()),
    )
    engine = open_engine()
    try:
        always = Window(BASELINE.start, INCIDENT.end)
        return engine.profile(dataset, make_layout(dataset, engine.sample(dataset, always, most=20_000)))
    finally:
        engine.close()
