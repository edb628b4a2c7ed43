"""Step 1: what failed and since when, at equal label age."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mortis.case import Case
from mortis.clarify.failure import Clarified, Stated, clarify
from mortis.clarify.maturity import EqualAge, equal_age
from mortis.clarify.metrics import with_operations
from mortis.engine import Engine
from mortis.preparation import Ready, make_ready
from mortis.problems import InputProblem
from mortis.profiles import NULL, Profile
from mortis.questions.answering import Examined
from mortis.records import Evidence, Window, iso

UNLABELLED = "unlabelled"
IDS_LOOKED_UP = 1_000


def examine(case: Case, engine: Engine, seed: int) -> tuple[Clarified, Examined]:
    """Step 1 answered, and with it what the later steps ask about."""
    ready = make_ready(case, engine)
    profile = engine.profile(ready.dataset, ready.layout)
    _check_joined(engine, ready, profile)
    clarified, ready, profile = clarify_failure(case, engine, ready, profile, seed)
    return clarified, Examined(case, engine, ready, profile, clarified.failure, clarified.seemed)


def _check_joined(engine: Engine, ready: Ready, profile: Profile) -> None:
    """Raises InputProblem where a table of labels knows no prediction: ids written in two ways join nothing."""
    labels = ready.dataset.labels
    if labels is None or any(rows for outcome, rows in profile.outcomes.total().items() if outcome != UNLABELLED):
        return
    sampled = engine.sample(ready.dataset, ready.intake.log, most=IDS_LOOKED_UP)["row_key"].drop_null().to_pylist()
    if not sampled or len(engine.lookup(labels.table, labels.id, sampled, ())):
        return
    theirs = next((one for one in engine.values(labels.table, labels.id, most=2) if one != NULL), None)
    if theirs is None:
        raise InputProblem(
            f"labels.id: {labels.table.name} holds no ids in column {labels.id!r}; name the one that does"
        )
    raise InputProblem(
        f"labels.id: no id of {labels.table.name} (such as {theirs!r}) is one of {ready.dataset.predictions.name} "
        f"(such as {min(sampled)!r}); write ids alike in both"
    )


def clarify_failure(
    case: Case, engine: Engine, ready: Ready, profile: Profile, seed: int
) -> tuple[Clarified, Ready, Profile]:
    """Step 1; once more at equal label age where the incident's labels have had less time than the baseline's."""
    intake = ready.intake
    expected = case.failure.expected
    stated = Stated(
        log=intake.log,
        baseline=intake.baseline,
        incident=intake.incident,
        expected=expected if isinstance(expected, float) else None,
        detected_at=case.detected_at,
        as_of=intake.as_of,
    )
    answer = _clarified(profile, ready, stated, seed)
    baseline, incident = answer.failure.baseline_window, answer.failure.incident_window
    equal = equal_age(profile, baseline, incident, intake.as_of) if incident else None
    if equal is None or incident is None:
        return answer, ready, profile
    ready = replace(ready, dataset=replace(ready.dataset, label_age_hours=equal.hours))
    profile = engine.profile(ready.dataset, ready.layout)
    seemed = answer.failure
    answer = _clarified(profile, ready, replace(stated, baseline=baseline, incident=equal.incident), seed)
    evidence = (*answer.evidence, _age_evidence(equal, incident))
    return replace(answer, evidence=evidence, seemed=seemed), ready, profile


def _age_evidence(equal: EqualAge, incident: Window) -> Evidence:
    young = f"; the predictions from {iso(equal.incident.end)} on are too young to be judged"
    return Evidence(
        "clarify.label-age",
        "Were the windows compared at equal label age?",
        f"yes: only labels that arrived within {equal.hours:.1f} hours count in both windows, as the incident's labels "
        f"are less complete than the baseline's{young if equal.incident.end < incident.end else ''}",
        "tested",
    )


def _clarified(profile: Profile, ready: Ready, stated: Stated, seed: int) -> Clarified:
    quality = with_operations(profile, covered=ready.intake.log)
    return clarify(profile, quality, ready.metric, stated, rng=np.random.default_rng(seed))
