"""Which model version served, whether a new one is worse, and whether its decisions still follow the baseline's rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Facts, Outcome
from mortis.causes.replay import logged_versions, replay, rescored, why_not_replayed
from mortis.causes.scoring import Recovery, recovery
from mortis.rows import RowSample

FEWEST_ROWS = 20
LEAST_SHARE = 0.01
CONFIDENCE = {"confirmed": 0.95, "supported": 0.7, "inconclusive": 0.4, "refuted": 0.05}


def decide_served_version(facts: Facts) -> Iterable[Outcome]:
    """M2: rows whose served score another version reproduces, and the logged one doesn't."""
    name = "replay with every candidate version"
    why = why_not_replayed(facts)
    if why or len(facts.models) < 2:
        reason = why or "only one version's file was handed over"
        yield Outcome("M2", "not_tested", name, f"not tested, because {reason}", 0.1)
        return
    replayed = replay(facts, facts.during)
    known = np.isfinite(facts.during.score)
    missed = known & ~replayed.reproduced()
    others = {version: equal & missed for version, equal in replayed.equal.items()}
    served = max(others, key=lambda version: int(others[version].sum()))
    wrong = others[served]
    share = float(wrong.sum() / max(1, known.sum()))
    reproduced = float(replayed.reproduced()[known].mean())
    if share < LEAST_SHARE or wrong.sum() < FEWEST_ROWS:
        result = f"the logged version reproduces {reproduced:.1%} of the incident's served scores (n = {known.sum()})"
        verdict = "refuted" if reproduced > 1 - LEAST_SHARE else "inconclusive"
        yield Outcome("M2", verdict, name, result, CONFIDENCE[verdict])
        return
    found = _recovered(facts, np.where(wrong, replayed.by_logged(), np.nan))
    scope = _scope(facts.during, wrong)
    logged = replayed.logged[wrong][0]
    result = (
        f"{share:.1%} of the incident's rows, logged as {logged}, carry scores that {served} gives and {logged} doesn't"
        f"{f' ({scope})' if scope else ''}; scored by {logged}, {_says(found)}"
    )
    parameters: dict[str, str | float] = {"served": served, "logged": str(logged), "share_of_rows": round(share, 4)}
    yield Outcome(
        "M2", found.verdict, name, result, CONFIDENCE[found.verdict], found.share, parameters=parameters, scope=scope
    )


def decide_promotion(facts: Facts) -> Iterable[Outcome]:
    """M1: a version that hardly served before; the same rows scored by the version it replaced."""
    name = "same rows under the old and the new version"
    before, during = _shares(facts, facts.before), _shares(facts, facts.during)
    risen = {v: s - before.get(v, 0.0) for v, s in during.items()}
    new = max(risen, key=lambda version: risen[version], default="")
    if risen.get(new, 0.0) < 0.05:
        yield Outcome("M1", "refuted", name, "no version serves a larger share than in the baseline", 0.05)
        return
    old = max(before, key=lambda version: before[version], default="")
    why = why_not_replayed(facts)
    if why or old not in facts.models:
        reason = why or f"the file of {old} was not handed over"
        yield Outcome("M1", "not_tested", name, f"{new} began to serve; not tested, because {reason}", 0.3)
        return
    scores = np.where(
        logged_versions(facts, facts.during) == new, facts.models[old].score(facts.during.features), np.nan
    )
    found = _recovered(facts, scores)
    result = (
        f"{new} serves {during[new]:.0%} of the rows ({before.get(new, 0):.0%} before); scored by {old}, {_says(found)}"
    )
    yield Outcome(
        "M1", found.verdict, name, result, CONFIDENCE[found.verdict], found.share, parameters={"version": new}
    )


def decide_decision_rule(facts: Facts) -> Iterable[Outcome]:
    """M3: the baseline's threshold applied to the incident's scores."""
    name = "the baseline's decision rule on the incident's scores"
    if facts.task != "binary":
        return
    if facts.threshold is None:
        reason = "predictions or scores are missing, or don't follow from one threshold"
        yield Outcome("M3", "not_tested", name, f"not tested, because {reason}", 0.05)
        return
    sample = facts.during
    p, known = np.asarray(sample.p, dtype=float), np.isfinite(sample.score)
    ruled = np.where(known, (sample.score >= facts.threshold).astype(float), p)
    differ = known & np.isfinite(p) & (ruled != p)
    if differ.sum() < max(FEWEST_ROWS, LEAST_SHARE * len(sample)):
        result = f"{differ.sum()} of {known.sum()} decisions differ from score >= {facts.threshold:.3g}"
        yield Outcome("M3", "refuted", name, result, 0.05)
        return
    found = recovery(
        facts.metric,
        facts.judged(facts.before),
        facts.judged(sample),
        facts.judged(replace(sample, p=ruled)),
        rng=facts.rng(),
    )
    result = f"{differ.sum()} decisions differ from score >= {facts.threshold:.3g}; by that rule, {_says(found)}"
    yield Outcome(
        "M3",
        found.verdict,
        name,
        result,
        CONFIDENCE[found.verdict],
        found.share,
        parameters={"threshold": round(facts.threshold, 6)},
    )


def _recovered(facts: Facts, scores: npt.NDArray[np.float64]) -> Recovery:
    changed = facts.judged(rescored(facts, facts.during, scores))
    return recovery(facts.metric, facts.judged(facts.before), facts.judged(facts.during), changed, rng=facts.rng())


def _says(found: Recovery) -> str:
    share = found.share
    return (
        f"the metric is {found.after:.4g} instead of {found.during:.4g} (before: {found.before:.4g}): {share.value:.0%} of the "
        f"fall is taken back (95 % interval {share.low:.0%} to {share.high:.0%}, n = {share.n})"
    )


def _shares(facts: Facts, sample: RowSample) -> dict[str, float]:
    versions, counts = np.unique(logged_versions(facts, sample).astype(str), return_counts=True)
    return dict(zip(versions.tolist(), (counts / counts.sum()).tolist(), strict=True))


def _scope(sample: RowSample, hit: npt.NDArray[np.bool_]) -> str:
    """The one category value that tells the hit rows from the others best, where it tells them nearly all; else nothing."""
    best, named = 0.0, ""
    for name, column in sample.features.items():
        if column.dtype.kind == "f":
            continue
        for value in {v for v in column[hit] if v is not None}:
            inside = column == value
            overlap = float((inside & hit).sum())
            score = 2 * overlap / (inside.sum() + hit.sum())
            if score > best:
                best, named = score, f"{name} = {value}"
    return named if best >= 0.8 else ""
