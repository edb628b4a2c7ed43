"""Causes in the serving itself: fallback scores, and rows that are there twice."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Facts, Outcome
from mortis.causes.scoring import Recovery, recovery
from mortis.rows import RowSample

CONFIDENCE = {"confirmed": 0.95, "supported": 0.7, "inconclusive": 0.4, "refuted": 0.05}
RISEN = 0.02


def decide_fallback(facts: Facts) -> Iterable[Outcome]:
    """H1: one score value that gained mass; without its rows, is the metric as before?"""
    name = "leave the rows with the fallback score out"
    score = facts.during.score
    known = score[np.isfinite(score)]
    if not len(known):
        yield Outcome("H1", "not_tested", name, "not tested, because the log holds no scores", 0.05)
        return
    values, counts = np.unique(known, return_counts=True)
    fallback = float(values[np.argmax(counts)])
    share, usual = counts.max() / len(known), _share_of(facts.before, fallback)
    if share - usual < RISEN:
        result = (
            f"no score gained mass: the commonest, {fallback:.4g}, has {share:.1%} of the rows ({usual:.1%} before)"
        )
        yield Outcome("H1", "refuted", name, result, 0.05)
        return
    kept = score != fallback
    if kept.sum() < RISEN * len(score):
        yield Outcome(
            "H1", "inconclusive", name, f"nearly every score is {fallback:.4g}: nothing is left to judge", 0.4
        )
        return
    found = _without(facts, kept)
    result = (
        f"the score {fallback:.4g} has {share:.1%} of the rows ({usual:.1%} before); without them the metric is "
        f"{found.after:.4g} instead of {found.during:.4g} (before: {found.before:.4g})"
    )
    yield Outcome(
        "H1",
        found.verdict,
        name,
        result,
        CONFIDENCE[found.verdict],
        found.share,
        parameters={"fallback_score": fallback, "share_of_rows": round(float(share), 4)},
    )


def _without(facts: Facts, keep: npt.NDArray[np.bool_]) -> Recovery:
    """What the metric is on the incident's rows that are kept."""
    incident = facts.judged(facts.during)
    return recovery(facts.metric, facts.judged(facts.before), incident, incident.only(keep), rng=facts.rng())


def _share_of(sample: RowSample, value: float) -> float:
    known = sample.score[np.isfinite(sample.score)]
    return float((known == value).mean()) if len(known) else 0.0


def decide_duplicates(facts: Facts) -> Iterable[Outcome]:
    """D7: ids that repeat more than before; with one row for each id, is the metric as before?"""
    name = "keep one row per id"
    if not (facts.during.ids != None).any():  # noqa: E711  elementwise on an array of objects
        yield Outcome("D7", "not_tested", name, "not tested, because the log has no ids (predictions.id)", 0.05)
        return
    first, usual = _first_rows(facts.during), 1 - _first_rows(facts.before).mean()
    repeated = 1 - float(first.mean())
    if repeated - usual < RISEN / 2:
        result = f"{repeated:.2%} of the incident's rows repeat an id ({usual:.2%} before)"
        yield Outcome("D7", "refuted", name, result, 0.02)
        return
    found = _without(facts, first)
    result = (
        f"{repeated:.1%} of the rows repeat an id ({usual:.1%} before); with one row per id the metric is "
        f"{found.after:.4g} instead of {found.during:.4g} (before: {found.before:.4g})"
    )
    yield Outcome(
        "D7",
        found.verdict,
        name,
        result,
        CONFIDENCE[found.verdict],
        found.share,
        parameters={"share_of_rows": round(repeated, 4)},
    )


def _first_rows(sample: RowSample) -> npt.NDArray[np.bool_]:
    """Whether each row is the first with its id; rows without one count as first."""
    seen: set[object] = set()
    first = np.ones(len(sample), dtype=bool)
    for i, key in enumerate(sample.ids):
        if key is not None and key in seen:
            first[i] = False
        seen.add(key)
    return first
