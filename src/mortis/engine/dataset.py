"""What an engine is asked about: the tables, the roles of their columns, and how rows are cut into buckets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mortis.sources.tables import Table

Task = Literal["binary", "multiclass", "regression", "ranking", "score", "operational"]
Kind = Literal["number", "category", "time", "other"]

# Profiled columns that play a role stand in parentheses, apart from every feature's name.
SCORE = "(score)"
PREDICTION = "(prediction)"
LABEL = "(label)"
LABEL_AGE = "(label age, hours)"
LATENCY = "(latency, ms)"

# What can come of a prediction, by the way it is judged. The first is the good one; "unlabelled" is no error.
OUTCOMES: dict[str, tuple[str, ...]] = {
    "binary": ("tn", "fp", "fn", "tp", "unlabelled"),
    "multiclass": ("right", "wrong", "unlabelled"),
    "regression": ("fine", "over", "under", "unlabelled"),
    "ranking": ("hit", "miss", "unlabelled"),
    "score": ("fine", "low", "unlabelled"),
    "latency": ("fine", "slow", "unlabelled"),
    "failed": ("fine", "failed", "unlabelled"),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a row is judged: by which outcomes, beyond which tolerance, and among which outcomes an error is counted.

    `tolerance` is the absolute error (regression), the figure (score) or the latency (milliseconds) beyond which a row
    counts as an error.
    """

    by: str
    errors: tuple[str, ...]
    among: tuple[str, ...]
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which role in the prediction log; None where none does."""

    time: str
    id: str | None = None
    prediction: str | None = None
    score: str | None = None
    class_scores: dict[str, str] = field(default_factory=dict)
    label: str | None = None
    version: str | None = None
    latency_ms: str | None = None
    error: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labels in a table of their own, joined by id; `time_unit` tells what a numeric time counts, as in Dataset."""

    table: Table
    id: str
    label: str
    time: str | None = None
    time_unit: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The prediction log with its roles, ready for an engine.

    `origin` (epoch seconds) is where time buckets of `width` seconds are counted from; `time_unit` tells what a numeric
    time column counts ("s", "ms", "us"), and is empty for times proper. `label_age_hours` is the age up to which labels
    count.
    """

    predictions: Table
    roles: Roles
    task: Task
    judgement: Judgement
    labels: LabelTable | None = None
    features: tuple[str, ...] = ()
    positive: str | None = None
    width: int = 86400
    origin: int = 0
    time_unit: str = ""
    label_age_hours: float | None = None
    top_k: int = 10
    probability: bool = True


@dataclass(frozen=True, slots=True)
class NumberLayout:
    """Where the bucket edges of a numeric column lie, and the centre its moments are taken about.

    `sketched` has its distinct values counted too: left out where the baseline's sample holds more than a sketch
    can tell apart, as hashing every value costs as much as the bare scan.
    """

    edges: tuple[float, ...]
    centre: float
    sketched: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """How the pass cuts each column: edges of the numbers; the names of the categories."""

    numbers: dict[str, NumberLayout]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a slice on one column: a value, none of some values, null, or a half-open range."""

    column: str
    value: str | None = None
    none_of: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    is_null: bool = False
