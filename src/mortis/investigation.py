"""The whole flow: from the case to the post-mortem, in the order of the six steps."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from mortis.case import Case
from mortis.clarify.failure import Clarified, Stated, clarify
from mortis.clarify.maturity import mature_age
from mortis.clarify.metrics import Metric, cutoff_of, metric_for, with_operations
from mortis.engine import Engine, Watch, open_engine, silent
from mortis.engine.dataset import LABEL_AGE, LATENCY, OUTCOMES, Dataset, Layout
from mortis.engine.layout import make_layout
from mortis.errors.analysis import conditions_of, confusion_cells, search_slices, slice_record
from mortis.errors.examples import pick_examples
from mortis.intake import Intake, take_in
from mortis.outlook import next_actions, unanswered, unknown_cause
from mortis.problems import InputProblem, Problem
from mortis.profiles import Profile
from mortis.records import (
    CaseSummary,
    ErrorAnalysis,
    Evidence,
    Failure,
    Interval,
    NotChecked,
    Postmortem,
    Provenance,
    Slice,
    Window,
)

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
SAMPLE_FOR_EDGES = 20_000
ROWS_SEARCHED = 250_000
ROWS_LOOKED_AT = 4_000
LIBRARIES = ("duckdb", "ibis-framework", "numpy", "pyarrow", "scipy")


@dataclass(frozen=True, slots=True)
class Ready:
    """What the pass needs: the dataset with its judgement and tolerance, how columns are cut, and the metric."""

    intake: Intake
    dataset: Dataset
    layout: Layout
    metric: Metric


def investigate(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> Postmortem:
    """The post-mortem of a case: what failed and since when, who was hit, what was ruled out, and what was not checked.

    The same case, engine and seed give the same post-mortem, but for the time of its making.

    Raises InputProblem where the case or its tables are wrong, WorkProblem where a source can't be reached.
    """
    begun = time.perf_counter()
    with closing(open_engine(engine, watch=watch)) as running:
        ready = make_ready(case, running)
        profile = running.profile(ready.dataset, ready.layout)
        clarified, ready, profile = _clarify(case, running, ready, profile, seed)
        errors, missing = _analyse_errors(case, running, ready, profile, clarified.failure)
        return _assemble(case, running, ready, clarified, errors, missing, begun)


def clarify_case(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> Clarified:
    """Step 1 alone: the failure with its evidence."""
    with closing(open_engine(engine, watch=watch)) as running:
        ready = make_ready(case, running)
        profile = running.profile(ready.dataset, ready.layout)
        return _clarify(case, running, ready, profile, seed)[0]


def errors_of_case(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> ErrorAnalysis:
    """Step 5 alone: where the errors rose since the onset."""
    with closing(open_engine(engine, watch=watch)) as running:
        ready = make_ready(case, running)
        profile = running.profile(ready.dataset, ready.layout)
        clarified, ready, profile = _clarify(case, running, ready, profile, seed)
        return _analyse_errors(case, running, ready, profile, clarified.failure)[0]


def make_ready(case: Case, engine: Engine) -> Ready:
    """The case's tables opened, its columns cut by a sample of the baseline, its metric chosen."""
    intake = take_in(case, engine)
    reference = intake.baseline or Window(intake.log.start, intake.log.start + (intake.log.end - intake.log.start) / 2)
    sample = engine.sample(intake.dataset, reference, most=SAMPLE_FOR_EDGES)
    if not sample.num_rows:
        raise InputProblem(f"windows.baseline: {reference} holds no predictions; the log spans {intake.log}")
    scores = sample["s"].drop_null().to_numpy()
    dataset = replace(intake.dataset, probability=bool(len(scores) == 0 or (scores.min() >= 0 and scores.max() <= 1)))
    layout = make_layout(dataset, sample)
    edges = layout.numbers[LATENCY].edges if LATENCY in layout.numbers else ()
    metric = metric_for(case.failure.metric, dataset.task, latency_edges=edges)
    judgement = replace(metric.judgement, tolerance=_tolerance(metric.judgement.by, sample))
    dataset = replace(dataset, judgement=judgement, top_k=cutoff_of(metric.name) or dataset.top_k)
    return Ready(intake, dataset, layout, replace(metric, judgement=judgement))


def _tolerance(by: str, sample: pa.Table) -> float:
    """Beyond what a row counts as an error where a task has no right and wrong: the baseline's worst 10 or 5 %."""
    if by == "regression":
        off = np.abs(sample["p"].to_numpy() - sample["y"].to_numpy())
        return _quantile(off, 0.9)
    if by == "score":
        return _quantile(sample["s"].to_numpy(), 0.1)
    return _quantile(sample["latency"].to_numpy(), 0.95) if by == "latency" else 0.0


def _quantile(values: Any, q: float) -> float:
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return float(np.quantile(known, q)) if len(known) else 0.0


def _clarify(case: Case, engine: Engine, ready: Ready, profile: Profile, seed: int) -> tuple[Clarified, Ready, Profile]:
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
    answer = clarify(profile, with_operations(profile), ready.metric, stated, rng=np.random.default_rng(seed))
    age = _equal_age(profile, answer.failure, intake.as_of)
    if age is None:
        return answer, ready, profile
    ready = replace(ready, dataset=replace(ready.dataset, label_age_hours=age))
    profile = engine.profile(ready.dataset, ready.layout)
    answer = clarify(profile, with_operations(profile), ready.metric, stated, rng=np.random.default_rng(seed))
    note = Evidence(
        "clarify.label-age",
        "Were the windows compared at equal label age?",
        f"yes: only labels that arrived within {age:.1f} hours count in both windows, "
        "as the incident's had no more time",
        "tested",
    )
    return replace(answer, evidence=(*answer.evidence, note)), ready, profile


def _equal_age(profile: Profile, failure: Failure, as_of: datetime | None) -> float | None:
    """The label age in hours that both windows can be compared at; None where all labels had time, or none had."""
    window = failure.incident_window
    if as_of is None or window is None or LABEL_AGE not in profile.numbers or not profile.numbers[LABEL_AGE].n:
        return None
    age = (as_of - window.end).total_seconds() / 3600
    return age if 0 < age < mature_age(profile) else None


def _analyse_errors(
    case: Case, engine: Engine, ready: Ready, profile: Profile, failure: Failure
) -> tuple[ErrorAnalysis, tuple[NotChecked, ...]]:
    """Step 5, since the onset where there is one; a failure in it is told, and costs no other answer."""
    if failure.incident_window is None or not ready.metric.judgement.errors:
        return ErrorAnalysis(note="the metric has no errors that could be told apart by slice"), ()
    if failure.verdict == "no_failure":
        return ErrorAnalysis(note="not searched: no failure was found"), ()
    try:
        return _errors(case, engine, ready, profile, failure), ()
    except Problem:
        raise
    except Exception as error:  # noqa: BLE001  a failed question must be shown, and must not cost the other answers
        why = f"the question failed: {type(error).__name__}: {error}"
        return ErrorAnalysis(note=why), (NotChecked("error slices", why, "a report of this message to the project"),)


def _errors(case: Case, engine: Engine, ready: Ready, profile: Profile, failure: Failure) -> ErrorAnalysis:
    baseline, incident = failure.baseline_window, _since_onset(failure)
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
            examples=pick_examples(rows, tests, ready.dataset.features, sensitive=case.sensitive),
        )
        for found, tests, counted in zip(report.slices, conditions, rates, strict=True)
    )
    return ErrorAnalysis(slices, confusion, report.searched, _search_note(report.statement, report.searched, samples))


def _search_note(statement: str, searched: int, samples: Sequence[Any]) -> str:
    sizes = " and ".join(f"{len(sample.outcome):,}" for sample in samples)
    reach = "all rows" if all(sample.exact for sample in samples) else "rows chosen by the hash of their id"
    return f"{statement}. {searched:,} slices of up to three conditions were searched on {sizes} rows ({reach})"


def _since_onset(failure: Failure) -> Window:
    """The incident window from the onset on: clean days before it would only dilute the slices."""
    window, onset = failure.incident_window, failure.onset
    if window is None:
        raise ValueError("no incident window")
    if onset is None or onset.best not in window:
        return window
    return Window(onset.best, onset.recovered or window.end)


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


def _assemble(
    case: Case,
    engine: Engine,
    ready: Ready,
    clarified: Clarified,
    errors: ErrorAnalysis,
    missing: Sequence[NotChecked],
    begun: float,
) -> Postmortem:
    failure = clarified.failure
    failed = failure.verdict == "failure"
    found = tuple(_slice_evidence(i, one) for i, one in enumerate(errors.slices, 1))
    return Postmortem(
        schema_version=SCHEMA_VERSION,
        case=CaseSummary(case.title, case.model.name, ready.dataset.task, ready.intake.inputs),
        failure=failure,
        causes=(unknown_cause(),) if failed else (),
        unexplained_share=Interval(1.0, 1.0, 1.0, failure.incident.n) if failed else Interval(0.0, 0.0, 0.0, 0),
        answer="no_failure" if failure.verdict == "no_failure" else "unknown",
        signals=(),
        log_templates=(),
        changes=(),
        slices=errors.slices,
        confusion=errors.confusion,
        slices_note=errors.note,
        evidence=_with_queries((*clarified.evidence, *found), engine),
        actions=next_actions(failure, errors.slices),
        guards=(),
        not_checked=(*clarified.not_checked, *missing, *unanswered(case, failure)),
        provenance=_provenance(engine, ready, begun),
    )


def _slice_evidence(i: int, one: Slice) -> Evidence:
    held = "confirmed on the half not searched" if one.held_out else "not confirmed on a second half"
    where = " and ".join(f"{column} {value}" for column, value in one.conditions.items())
    before, after = one.baseline, one.incident
    return Evidence(
        f"errors.slice-{i}",
        "Where did the errors rise?",
        f"{where}: {before.errors} errors of {before.n} before, {after.errors} of {after.n} in the incident "
        f"({one.change.low:+.3f} to {one.change.high:+.3f}); {held}",
        "tested",
        query=one.query,
        value=one.change,
    )


def _with_queries(evidence: Sequence[Evidence], engine: Engine) -> tuple[Evidence, ...]:
    """The evidence of step 1 with the query its figures come from."""
    quality = dict(engine.queries).get("quality figures", "")
    return tuple(
        one if one.query or not one.id.startswith("clarify.") else replace(one, query=quality) for one in evidence
    )


def _provenance(engine: Engine, ready: Ready, begun: float) -> Provenance:
    return Provenance(
        mortis=version("mortis"),
        created_at=datetime.now(UTC).replace(microsecond=0),
        engine=engine.name,
        versions={"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        queries=tuple(f"-- {what}\n{sql}" for what, sql in engine.queries),
        seconds=round(time.perf_counter() - begun, 2),
        guesses=ready.intake.guesses,
    )
