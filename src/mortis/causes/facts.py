"""What the tests of causes may look at, and what a test gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from mortis.causes.scoring import Judged, judged_rows
from mortis.clarify.metrics import Metric
from mortis.engine.dataset import Task
from mortis.profiles import Floats, Profile
from mortis.records import CauseVerdict, Change, Failure, Interval, Signal
from mortis.rows import Column, OfflineRows, RowSample, Texts, TrainingRows

if TYPE_CHECKING:
    from mortis.integrity.kinds.repair import Reenactment, Repair
    from mortis.integrity.skew import Parity

Bools = npt.NDArray[np.bool_]

CONFIDENCE: Mapping[CauseVerdict, float] = {
    "confirmed": 0.95,
    "supported": 0.7,
    "inconclusive": 0.4,
    "refuted": 0.05,
    "not_tested": 0.1,
}
"""How sure a verdict is where its test measures nothing finer."""


class Scorer(Protocol):
    """A model file that scores rows; `classes` names the classes in the order of the scores' columns, where known."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the model's classes."""

    def score(self, features: Mapping[str, Column], *, positive: str | None = None) -> Floats:
        """The model's figures: (n,) values or probabilities of `positive`, or (n, k) for three classes or more."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """All that is known when causes are weighed.

    `before` are sampled rows of the baseline, `during` of the incident since its onset. `repairs` are the corruptions
    that would explain how features changed; None where they were not looked for. `offline` holds the training
    pipeline's values of the incident's rows and `skews` how each feature departs from them, `training` rows that a
    version learned from, `intended` the version that the registry means to be served. `signals` are the metrics that
    moved, `changes` those on record (None where none were handed over); `unrecorded` names the sources of changes that
    were not. `threshold` is the score from which the baseline's predictions were positive, `probability` whether scores
    lie in 0..1.
    """

    failure: Failure
    task: Task
    metric: Metric
    profile: Profile
    before: RowSample
    during: RowSample
    models: Mapping[str, Scorer] = field(default_factory=dict)
    repairs: Sequence[Repair] | None = None
    offline: OfflineRows | None = None
    training: TrainingRows | None = None
    skews: Sequence[Parity] = ()
    intended: str | None = None
    signals: Sequence[Signal] | None = None
    changes: Sequence[Change] | None = None
    unrecorded: Sequence[str] = ()
    label_ages_known: bool = False
    threshold: float | None = None
    positive: str | None = None
    probability: bool = True
    seed: int = 0

    def rng(self) -> np.random.Generator:
        """A generator of its own for each test, so that none depends on which ran before."""
        return np.random.default_rng(self.seed)

    def judged(self, sample: RowSample) -> Judged:
        """The sample's rows as the metric takes them."""
        return judged_rows(
            self.task,
            sample.y,
            sample.p,
            sample.score,
            probability=self.probability,
            metric=self.metric,
            group=sample.group,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Remedy:
    """What would have been done without a cause: put features right, serve another version, decide or drop rows anew.

    `undo` gives the rows back repaired; `version` names for each row the version that should have scored it ("" as
    logged); `threshold` is the rule that should have decided; `keep` marks the rows that should have been there.
    `exact` tells that the true values come back: not stand-ins drawn from like rows, nor in rows that were guessed.
    `again` is the cause put into the baseline's rows, which tells what it cost where the true values are lost.
    """

    undo: Callable[[RowSample], RowSample] | None = None
    version: Texts | None = None
    threshold: float | None = None
    keep: Bools | None = None
    exact: bool = True
    again: Reenactment | None = None

    @property
    def only_again(self) -> bool:
        """Whether nothing is put right by it: what the cause cost is told by doing it again alone."""
        return self.again is not None and all(
            one is None for one in (self.undo, self.version, self.threshold, self.keep)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What the test of a cause found; `share` is the part of the drop it explains, where the test measures that."""

    id: str
    verdict: CauseVerdict
    test: str
    result: str
    confidence: float
    share: Interval | None = None
    features: tuple[str, ...] = ()
    parameters: dict[str, str | float] = field(default_factory=dict)
    scope: str = ""
    remedy: Remedy | None = None


Decider = Callable[[Facts], Iterable[Outcome]]


def plainly(id_: str, verdict: CauseVerdict, test: str, result: str) -> Outcome:
    """An outcome that says no more than its verdict and its result.

    >>> plainly("E2", "refuted", "equal age", "the fall stands").confidence
    0.05
    """
    return Outcome(id_, verdict, test, result, CONFIDENCE[verdict])


def each_plainly(ids: Iterable[str], verdict: CauseVerdict, test: str, result: str) -> list[Outcome]:
    """The same plain outcome of several causes that one test decides."""
    return [plainly(id_, verdict, test, result) for id_ in ids]


def per_second(sample: RowSample, rows: Bools) -> float:
    """How many rows like the marked ones (n,) a window has per second; NaN where all are of one moment."""
    seconds = float(np.ptp(sample.second)) if len(sample) else 0.0
    return sample.rows * float(rows.mean()) / seconds if seconds > 0 else float("nan")


def percent(share: float, decimals: int = 0) -> str:
    """A share in per cent; `nothing` where it is not defined.

    >>> percent(0.553), percent(0.0123, 1), percent(-0.001), percent(float("nan"))
    ('55 %', '1.2 %', '0 %', 'nothing')
    """
    if not np.isfinite(share):
        return "nothing"
    return f"{round(100 * share, decimals) + 0.0:.{decimals}f} %"


def bounded(share: Interval) -> str:
    """A share with its interval, in per cent.

    >>> bounded(Interval(0.55, 0.48, 0.64, 900))
    '55 % (95 % interval 48 % to 64 %)'
    """
    return f"{percent(share.value)} (95 % interval {percent(share.low)} to {percent(share.high)})"
