"""What a base is: requests that can be drawn, models trained on them, and what is usual for the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from mortis.lab.traffic import Columns, Floats, Stretch, Traffic

FeatureKind = Literal["number", "category", "hour"]
Task = Literal["binary", "regression", "ranking", "score"]


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that the model reads: a number (hour: one of the day's 24 hours), or a category.

    `default` is what the service puts where a value is missing in upstream errors (0, -1, "unknown"); `units` are
    plausible factors to another unit, such as 60 for minutes to seconds. `weight` is how much the model relies on it,
    from 0 to 1, so that faults hit what matters: the root of what the metric loses where the values are exchanged
    between requests, as a share of the most that it loses for any feature; 0 where nobody would see the loss.
    """

    name: str
    kind: FeatureKind = "number"
    units: tuple[float, ...] = ()
    default: float | str | None = None
    weight: float = 1.0


class Model(Protocol):
    """A trained model that scores columns and can be saved in a format that is safe to open."""

    @property
    def suffix(self) -> str:
        """The saved file's, such as ".onnx"."""
        ...

    def score(self, columns: Columns) -> Floats:
        """Probability of the positive class or predicted figure (n,), as the saved file gives it too."""
        ...

    def save(self, path: Path) -> None:
        """Write the model file: same model, same bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Base:
    """A service whose requests are drawn by `draw` for a stretch of weeks, about `daily` each day.

    `draw` gives requests with their true columns, outcomes, labels and the times at which these come, in the order of
    time; `past` the requests that the models learn from, always the same, and `train` the versions' models by name,
    the one in use last; neither where no model of one's own answers and `draw` gives the scores. `segments` are the
    columns that part the traffic, with their values, the one by which feeds are parted first; "replica" is the
    machine that answers; `group` is the column of the query for a ranking. `starts` are the days from which a stretch
    may begin. A prediction is `score >= threshold` for a binary task. `wait` is how long after the incident's window
    somebody notices.
    """

    name: str
    meaning: str
    task: Task
    metric: str
    features: tuple[Feature, ...]
    segments: Mapping[str, tuple[str, ...]]
    draw: Callable[[Stretch, np.random.Generator], Traffic]
    past: Callable[[], Traffic] | None
    train: Callable[[Traffic], Mapping[str, Model]]
    starts: tuple[datetime, ...]
    daily: int = 1000
    threshold: float = 0.5
    group: str = ""
    latency_ms: float = 20.0
    wait: timedelta = timedelta(days=3)

    def feature(self, name: str) -> Feature:
        """The feature of that name."""
        return next(one for one in self.features if one.name == name)

    def of_kind(self, *kinds: FeatureKind) -> tuple[Feature, ...]:
        """The features of these kinds that the model relies on, those it relies on most first."""
        chosen = (one for one in self.features if one.kind in kinds and one.weight > 0)
        return tuple(sorted(chosen, key=lambda one: -one.weight))


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A base with its models; the last of `models` is the version in use, the one before it the earlier one.

    Where there is no model, as for judges behind an API, the base's own draw has given the scores.
    """

    base: Base
    past: Traffic | None
    models: Mapping[str, Model]

    @property
    def current(self) -> str:
        """The version in use."""
        return list(self.models)[-1] if self.models else "v2"

    @property
    def earlier(self) -> str:
        """The version before it."""
        return list(self.models)[-2] if self.models else "v1"

    def with_models(self, models: Mapping[str, Model]) -> Service:
        """The service with further versions at hand; the one in use stays the same."""
        return replace(self, models={**models, **self.models}) if models else self

    def scores(self, columns: Columns, version: str) -> Floats:
        """What a version answers (n,) to these columns."""
        return self.models[version].score(columns)

    def decided(self, score: Floats) -> Floats:
        """The predictions (n,) that follow from the scores."""
        return (score >= self.base.threshold).astype(np.float64) if self.base.task == "binary" else score

    def answered(self, traffic: Traffic) -> Traffic:
        """The requests with the answers of the version in use to what they are truly about."""
        score = self.scores({one.name: traffic.columns[one.name] for one in self.base.features}, self.current)
        return replace(traffic, score=score, prediction=self.decided(score))
