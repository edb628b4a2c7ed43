"""The steps' questions put to the engine: each takes the profile and what rows it needs, and hands on records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mortis.case import Case
from mortis.causes.facts import Facts
from mortis.causes.scoring import decision_threshold
from mortis.causes.weighing import Weighed, weigh
from mortis.clarify.failure import Clarified, Stated, clarify
from mortis.clarify.maturity import EqualAge, equal_age
from mortis.clarify.metrics import with_operations
from mortis.engine import Engine
from mortis.engine.dataset import LABEL_AGE, OUTCOMES, NumberLayout
from mortis.engine.sampling import row_sample
from mortis.engine.types import kind_of
from mortis.errors.analysis import conditions_of, confusion_cells, most_conditions, search_slices, slice_record
from mortis.errors.examples import pick_examples
from mortis.guards import make_guards
from mortis.integrity.checks import check_profile
from mortis.integrity.corruption import propose
from mortis.integrity.readings import IntegrityCheck
from mortis.preparation import Ready
from mortis.problems import Problem
from mortis.profiles import NULL, Profile
from mortis.records import ErrorAnalysis, Evidence, Failure, Guard, NotChecked, Window, iso
from mortis.sources.models import open_model

if TYPE_CHECKING:
    import pyarrow as pa

Answer = TypeVar("Answer")
ROWS_WEIGHED = 10_000
MOST_FLAGGED = 20
ROWS_SEARCHED = 250_000
ROWS_LOOKED_AT = 4_000
MOST_VERSIONS = 30


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the user allows: the seed of all that is drawn, and whether a pickled model may run its code."""

    seed: int = 0
    unpickle: bool = False


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
    answer = _clarified(profile, ready, replace(stated, baseline=baseline, incident=equal.incident), seed)
    return replace(answer, evidence=(*answer.evidence, _age_evidence(equal, incident))), ready, profile


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


def analyse_errors(
    case: Case, engine: Engine, ready: Ready, profile: Profile, failure: Failure
) -> tuple[ErrorAnalysis, tuple[NotChecked, ...]]:
    """Step 5, since the onset where there is one; a failure in it is told, and costs no other answer."""
    if failure.incident_window is None or not ready.metric.judgement.errors:
        return ErrorAnalysis(note="the metric has no errors that could be told apart by slice"), ()
    if failure.verdict == "no_failure":
        return ErrorAnalysis(note="not searched: no failure was found"), ()
    found, gaps = _answered("error slices", lambda: _errors(case, engine, ready, profile, failure))
    return found or ErrorAnalysis(note=gaps[0].why), gaps


def _errors(case: Case, engine: Engine, ready: Ready, profile: Profile, failure: Failure) -> ErrorAnalysis:
    baseline, incident = failure.baseline_window, _since_onset(failure)
    ready = _with_versions(ready, profile, engine)
    samples = engine.coded(ready.dataset, ready.layout, [baseline, incident], most=ROWS_SEARCHED)
    confusion = confusion_cells(profile.confusion, baseline, incident)
    report = search_slices(samples, ready.metric.judgement)
    if report is None:
        return ErrorAnalysis(confusion=confusion, note="too few rows, or no features, to search for slices")
    conditions = [conditions_of(found.conditions, samples[0]) for found in report.slices]
    rates = engine.count(ready.dataset, conditions, [baseline, incident])
    rows = _rows(engine.sample(ready.dataset, incident, most=ROWS_LOOKED_AT), ready) if conditions else []
    slices = tuple(
        slice_record(
            found,
            tests,
            counted,
            examples=pick_examples(rows, tests, ready.dataset.features, sensitive=_masked(case)),
        )
        for found, tests, counted in zip(report.slices, conditions, rates, strict=True)
    )
    return ErrorAnalysis(slices, confusion, report.searched, _search_note(report.statement, report.searched, samples))


def _with_versions(ready: Ready, profile: Profile, engine: Engine) -> Ready:
    """With the version among the columns to slice by, where several served: a bad one is found as any slice is."""
    dataset, layout = ready.dataset, ready.layout
    column = dataset.roles.version
    served = {str(cell[1]) for cell in profile.outcomes.cells} - {NULL}
    if column is None or len(served) < 2 or column in dataset.features:
        return ready
    if kind_of(engine.schema(dataset.predictions).field(column).type) == "number":
        numbers = sorted(float(version) for version in served)[-MOST_VERSIONS:]
        edges = tuple((one + other) / 2 for one, other in pairwise(numbers))
        layout = replace(layout, numbers=layout.numbers | {column: NumberLayout(edges, 0.0)})
    return replace(ready, dataset=replace(dataset, features=(*dataset.features, column)), layout=layout)


def _search_note(statement: str, searched: int, samples: Sequence[Any]) -> str:
    sizes = " and ".join(f"{len(sample.outcome):,}" for sample in samples)
    reach = "all rows" if all(sample.exact for sample in samples) else "rows chosen by the hash of their id"
    most = {2: "two", 3: "three"}[most_conditions(len(samples[0].columns))]
    return f"{statement}. {searched:,} slices of up to {most} conditions were searched on {sizes} rows ({reach})"


def _since_onset(failure: Failure) -> Window:
    """The incident window from the onset on: clean days before it would only dilute the slices."""
    window, onset = failure.incident_window, failure.onset
    if window is None:
        raise ValueError("no incident window")
    if onset is None or onset.best not in window:
        return window
    return Window(onset.best, onset.recovered or window.end)


def _masked(case: Case) -> list[str]:
    """The sensitive columns, and the titles under which a role of theirs is shown."""
    stated, hidden = case.predictions, set(case.sensitive)
    labels = {stated.label, case.labels.label if case.labels else None} - {None}
    titles = [("label", labels & hidden), ("prediction", {stated.prediction} & hidden)]
    return [*case.sensitive, *(title for title, columns in titles if columns)]


def _rows(sample: pa.Table, ready: Ready) -> list[Mapping[str, Any]]:
    """The sampled rows as the examples need them."""
    judgement, roles = ready.metric.judgement, ready.dataset.roles
    names = OUTCOMES[judgement.by]
    shown = {"label": "y", "prediction": "p"} | ({roles.score: "s"} if roles.score else {})
    rows: list[Mapping[str, Any]] = []
    for row in sample.to_pylist():
        outcome = names[row["outcome"]]
        error = outcome in judgement.errors if outcome in judgement.among else None
        features = {name: row[f"f:{name}"] for name in ready.dataset.features}
        rows.append(features | {"is_error": error, "shown": {title: row[column] for title, column in shown.items()}})
    return rows


def weigh_causes(
    case: Case, engine: Engine, ready: Ready, profile: Profile, failure: Failure, allowed: Allowed
) -> tuple[Weighed | None, tuple[Guard, ...], tuple[NotChecked, ...]]:
    """Every cause weighed by its test on bounded samples, and the guards of those that stand; None where it failed."""
    if failure.verdict != "failure":
        return None, (), ()

    def ask() -> tuple[Weighed, tuple[Guard, ...]]:
        facts = _facts(case, engine, ready, profile, failure, allowed)
        weighed = weigh(facts)
        return weighed, make_guards(weighed.causes, facts)

    found, gaps = _answered("causes", ask)
    return (*found, gaps) if found else (None, (), gaps)


def _facts(case: Case, engine: Engine, ready: Ready, profile: Profile, failure: Failure, allowed: Allowed) -> Facts:
    """What the tests of causes may look at: rows of both windows, the candidate models, the corruptions that fit."""
    windows = (failure.baseline_window, _since_onset(failure))
    before, during = (
        row_sample(
            engine.sample(ready.dataset, window, most=ROWS_WEIGHED), ready.dataset, rows=_rows_in(profile, window)
        )
        for window in windows
    )
    models = {one.version: open_model(case.root / one.file, unpickle=allowed.unpickle) for one in case.models}
    return Facts(
        failure=failure,
        task=ready.dataset.task,
        metric=ready.metric,
        profile=profile,
        before=before,
        during=during,
        models=models,
        repairs=propose(before, during, rng=np.random.default_rng(allowed.seed)),
        label_ages_known=LABEL_AGE in profile.numbers,
        threshold=decision_threshold(before) if ready.dataset.task == "binary" else None,
        positive=ready.dataset.positive,
        probability=ready.dataset.probability,
        seed=allowed.seed,
    )


def _rows_in(profile: Profile, window: Window) -> int:
    start, end = window.start.timestamp(), window.end.timestamp()
    return int(profile.outcomes.where(lambda cell: start <= int(cell[0]) < end).values.sum())


def check_integrity(profile: Profile, failure: Failure) -> tuple[tuple[Evidence, ...], tuple[NotChecked, ...]]:
    """Step 3 on the data as served: what stands out of every feature's checks since the onset, worst first."""
    if failure.incident_window is None:
        return (), ()
    found, gaps = _answered("integrity of the served data", lambda: _integrity(profile, failure))
    return found or (), gaps


def _integrity(profile: Profile, failure: Failure) -> tuple[Evidence, ...]:
    checks = check_profile(profile, failure.baseline_window, _since_onset(failure))
    flagged = sorted((one for one in checks if one.flagged), key=lambda one: -one.strength)
    columns = len({one.feature for one in checks})
    told = (
        f"{len(checks)} checks of {columns} columns were made; {len(flagged)} stand out beyond the baseline's own ways"
    )
    summary = Evidence("integrity.checks", "Are the served data as in the baseline?", told, "tested")
    return (summary, *(_integrity_evidence(one, i) for i, one in enumerate(flagged[:MOST_FLAGGED], 1)))


def _integrity_evidence(one: IntegrityCheck, place: int) -> Evidence:
    question = f"{one.feature}: {one.check}"
    return Evidence(
        f"integrity.{place}-{one.check.replace(' ', '-')}", question, one.statement, "tested", value=one.effect
    )


def _answered(what: str, question: Callable[[], Answer]) -> tuple[Answer | None, tuple[NotChecked, ...]]:
    """The question's answer; None and what is to be shown instead where it failed, so that it costs no other answer."""
    try:
        return question(), ()
    except Problem:
        raise
    except Exception as error:  # noqa: BLE001  the one place where a failed question becomes a visible gap
        why = f"the question failed: {type(error).__name__}: {error}"
        return None, (NotChecked(what, why, "a report of this message to the project"),)
