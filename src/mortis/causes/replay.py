"""Scoring the sampled rows again: which version reproduces what was served, and what a repair would have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Facts
from mortis.profiles import Floats
from mortis.rows import RowSample

TOLERANCE = 1e-5
REPRODUCED = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Every version's scores of a sample's rows, and where they equal the logged ones."""

    scores: Mapping[str, Floats]
    equal: Mapping[str, npt.NDArray[np.bool_]]
    logged: npt.NDArray[np.object_]

    def by_logged(self) -> Floats:
        """Each row's score by the version the log names; NaN where that version's file is not at hand."""
        chosen = np.full(len(self.logged), np.nan)
        for version, scores in self.scores.items():
            mine = self.logged == version
            chosen[mine] = scores[mine]
        return chosen

    def reproduced(self) -> npt.NDArray[np.bool_]:
        """Rows whose logged version gives the logged score."""
        hit = np.zeros(len(self.logged), dtype=bool)
        for version, equal in self.equal.items():
            hit |= (self.logged == version) & equal
        return hit


def replay(facts: Facts, sample: RowSample) -> Replay:
    """The sample scored by every candidate version."""
    scores = {version: model.score(sample.features) for version, model in facts.models.items()}
    equal = {version: np.abs(one - sample.score) <= TOLERANCE for version, one in scores.items()}
    return Replay(scores, equal, logged_versions(facts, sample))


def logged_versions(facts: Facts, sample: RowSample) -> npt.NDArray[np.object_]:
    """The version that should have served each row: as logged, or the only one at hand where none is logged."""
    if len(facts.models) == 1 and not (sample.version != "").any():
        return np.full(len(sample), next(iter(facts.models)), dtype=object)
    return sample.version


def why_not_replayed(facts: Facts) -> str | None:
    """Why scoring again would prove nothing, or None where it does: a model must first reproduce the baseline's scores."""
    if not facts.models:
        return "no model file was handed over"
    known = np.isfinite(facts.before.score)
    if not known.any():
        return "the log holds no scores to compare a model's with"
    share = float(replay(facts, facts.before).reproduced()[known].mean())
    if share < REPRODUCED:
        return f"the model files reproduce only {share:.0%} of the baseline's logged scores"
    return None


def rescored(facts: Facts, sample: RowSample, scores: Floats) -> RowSample:
    """The sample as it would have been with these scores, decided by the baseline's threshold; NaN keeps what was logged."""
    score = np.where(np.isfinite(scores), scores, sample.score)
    if facts.task == "binary":
        decided = np.asarray(sample.p, dtype=float)
        if facts.threshold is not None:
            changed = np.isfinite(scores) & (np.abs(score - sample.score) > TOLERANCE)
            decided = np.where(changed, (score >= facts.threshold).astype(float), decided)
        return replace(sample, score=score, p=decided)
    return replace(sample, score=score, p=score if facts.task == "regression" else sample.p)
