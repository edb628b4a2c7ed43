"""Which model version served, whether a new one is worse, and whether decisions still follow the baseline's rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mortis.causes.departures import LEAST_SHARE, confined, enough
from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, Remedy, percent, plainly
from mortis.causes.replay import Replay, answered, replay, why_no_threshold, why_not_replayed
from mortis.causes.scoring import decision_threshold
from mortis.causes.serving import on_another_scale
from mortis.causes.trial import says, tried
from mortis.integrity.versions import RISEN, named_alike, share_of_version
from mortis.rows import RowSample, is_number


def decide_served_version(facts: Facts) -> Iterable[Outcome]:
    """M2: rows whose served score another version reproduces, and the one that should have served doesn't."""
    name = "replay with every candidate version"
    why = why_not_replayed(facts) or _too_few_versions(facts)
    if why:
        yield plainly("M2", "not_tested", name, f"not tested, because {why}")
        return
    replayed, registered = replay(facts, facts.during), registered_version(facts)
    if registered:
        replayed = replace(replayed, logged=np.full(len(facts.during), registered, dtype=object))
    which = "registered" if registered else "logged"
    known = answered(facts, facts.during) & replayed.at_hand()
    missed = known & ~replayed.reproduced()
    others = {version: equal & missed for version, equal in replayed.equal.items()}
    served = max(others, key=lambda version: int(others[version].sum()))
    wrong = others[served]
    if not enough(wrong, known):
        reproduced = float(replayed.reproduced()[known].mean())
        nearly_all = reproduced > 1 - LEAST_SHARE
        result = f"the {which} version gives {percent(reproduced, 1)} of the incident's answers (n = {known.sum():,})"
        rest = "" if nearly_all else "; no other version at hand gives the rest"
        yield plainly("M2", "refuted" if nearly_all else "inconclusive", name, result + rest)
        return
    yield _wrongly_served(facts, replayed, served, wrong, float(wrong.sum() / known.sum()), which)


def registered_version(facts: Facts) -> str | None:
    """The version that should have served by the registry, under its file's name; None where the log's word stands.

    It stands unless more rows than in the baseline name another version: a canary that was there before is no fault.
    """
    name = named_alike(facts.intended, list(facts.models)) if facts.intended else None
    if name is None:
        return None
    usual, share = (share_of_version(one.version, name) for one in (facts.before, facts.during))
    logged = set(facts.during.version.tolist()) - {""}
    return None if logged and usual - share < RISEN else name


def _wrongly_served(facts: Facts, replayed: Replay, served: str, wrong: Bools, share: float, which: str) -> Outcome:
    """The outcome where a share of the rows carries another version's answers than that of the one in `replayed`.

    `which` says how that one is known: "registered" or "logged".
    """
    right = Counter(replayed.logged[wrong].tolist()).most_common(1)[0][0]
    remedy = Remedy(version=np.where(wrong, replayed.logged, ""))
    found = tried(facts, remedy)
    scope = scope_of(facts.during, wrong)
    where = f" where {scope}" if scope else ""
    carry = f"{percent(share, 1)} of the incident's rows carry the scores of {served}{where}"
    why = f"are logged as {right}" if which == "logged" else f"should by the registry have been served by {right}"
    return Outcome(
        "M2",
        found.verdict,
        "replay with every candidate version",
        f"{carry}, and {why}; scored by {right}, {says(found, facts.metric.name)}",
        CONFIDENCE[found.verdict],
        found.share,
        parameters={"served": served, which: right, "share_of_rows": round(share, 4)},
        scope=scope,
        remedy=remedy,
    )


def decide_decision_rule(facts: Facts) -> Iterable[Outcome]:
    """M3: the baseline's threshold applied to the incident's scores; their scale is told of by `decide_departures`."""
    name = "the baseline's decision rule on the incident's scores"
    why = _no_rule(facts)
    if why and on_another_scale(facts):
        return
    if why or facts.threshold is None:
        yield plainly("M3", "not_tested", name, f"not tested, because {why}")
        return
    sample, rule = facts.during, f"score >= {facts.threshold:.3g}"
    p = np.asarray(sample.p, dtype=float)
    known = np.isfinite(p) & np.isfinite(sample.score)
    differ = known & ((sample.score >= facts.threshold) != (p == 1))
    if not enough(differ, known):
        if not on_another_scale(facts):
            result = f"{differ.sum():,} of {known.sum():,} decisions depart from the baseline's rule, {rule}"
            yield plainly("M3", "refuted", name, result)
        return
    where = confined(sample, differ)
    now = decision_threshold(sample.where(_inside(sample, where)))
    remedy = Remedy(threshold=facts.threshold)
    found = tried(facts, remedy)
    yield Outcome(
        "M3",
        found.verdict,
        name,
        f"{differ.sum():,} of {known.sum():,} decisions depart from the baseline's rule, {rule}"
        f"{_now(now, where)}; decided by the baseline's, {says(found, facts.metric.name)}",
        CONFIDENCE[found.verdict],
        found.share,
        parameters={"before": round(facts.threshold, 6), **({} if now is None else {"threshold": round(now, 6)})},
        scope=" = ".join(where or ()),
        remedy=remedy,
    )


def _inside(sample: RowSample, where: tuple[str, str] | None) -> Bools:
    if where is None:
        return np.ones(len(sample), dtype=bool)
    return np.asarray(sample.features[where[0]] == where[1], dtype=bool)


def _now(threshold: float | None, where: tuple[str, str] | None) -> str:
    """The rule in use now, in words; empty where decisions follow none."""
    scope = f" where {' = '.join(where)}" if where else ""
    return scope if threshold is None else f"{scope}, and follow score >= {threshold:.3g}"


def _no_rule(facts: Facts) -> str:
    if facts.task != "binary":
        return "only a binary model decides by a threshold"
    if facts.metric.kind == "operational":
        return f"{facts.metric.name} doesn't depend on decisions"
    return "" if facts.threshold is not None else why_no_threshold(facts)


def _too_few_versions(facts: Facts) -> str:
    if len(facts.models) < 2:
        return "only one version's file was handed over"
    return "" if replay(facts, facts.during).at_hand().any() else "the file of the logged version was not handed over"


def shares_of_versions(sample: RowSample) -> dict[str, float]:
    """The share of rows that each logged version served."""
    counts = Counter(str(version) for version in sample.version)
    return {version: n / len(sample) for version, n in counts.items()}


def scope_of(sample: RowSample, hit: Bools) -> str:
    """The category value whose rows are the hit ones, or nearly, in words; empty where there is none."""
    return " = ".join(hit_value(sample, hit) or ())


def hit_value(sample: RowSample, hit: Bools) -> tuple[str, str] | None:
    """The column and value whose rows are the hit ones, or nearly (four in five by F1); None where there is none."""
    best, named = 0.8, None
    for name, column in sample.features.items():
        if is_number(column):
            continue
        for value in {one for one in column[hit].tolist() if one is not None}:
            inside = column == value
            f1 = 2 * float((inside & hit).sum()) / float(inside.sum() + hit.sum())
            if f1 >= best and inside.mean() < 0.95:
                best, named = f1, (name, str(value))
    return named
