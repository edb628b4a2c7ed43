"""What the tests of causes may look at, and what a test gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mortis.causes.scoring import Judged, judged_rows
from mortis.clarify.metrics import Metric
from mortis.engine.dataset import Task
from mortis.profiles import Floats, Profile
from mortis.records import CauseVerdict, Failure, Interval
from mortis.rows import Column, RowSample

if TYPE_CHECKING:
    from mortis.integrity.kinds.repair import Repair


class Scorer(Protocol):
    """A model file that scores rows; `features` are its own names of the columns it takes, in order, where it has them."""

    @property
    def features(self) -> tuple[str, ...] | None:
        """The names of the model's columns."""

    def score(self, features: Mapping[str, Column]) -> Floats:
        """The model's figure for each row."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """All that is known when causes are weighed: step 1's failure, the profile, bounded samples, candidate models, repairs.

    `before` are rows of the baseline, `during` of the incident since its onset. `equal_age` tells that both windows were
    compared at equal label age. `threshold` is the score from which the baseline's predictions were positive.
    """

    failure: Failure
    task: Task
    metric: Metric
    profile: Profile
    before: RowSample
    during: RowSample
    models: Mapping[str, Scorer] = field(default_factory=dict)
    repairs: Sequence[Repair] = ()
    label_ages_known: bool = False
    threshold: float | None = None
    seed: int = 0

    def rng(self) -> np.random.Generator:
        """A generator of its own for each test, so that none depends on which ran before."""
        return np.random.default_rng(self.seed)

    def judged(self, sample: RowSample) -> Judged:
        """The sample's rows as the metric takes them."""
        return judged_rows(self.task, sample.y, sample.p, sample.score)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test of a cause found; `share` is the part of the drop it explains, where the test measures that."""

    id: str
    verdict: CauseVerdict
    test: str
    result: str
    confidence: float
    share: Interval | None = None
    features: tuple[str, ...] = ()
    parameters: dict[str, str | float] = field(default_factory=dict)
    scope: str = ""


Decider = Callable[[Facts], Iterable[Outcome]]
