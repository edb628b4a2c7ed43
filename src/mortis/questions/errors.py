"""Step 5: where the errors rose since the onset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mortis.case import Case
from mortis.engine import Engine
from mortis.engine.dataset import OUTCOMES, NumberLayout
from mortis.engine.types import kind_of
from mortis.errors.analysis import conditions_of, confusion_cells, most_conditions, search_slices, slice_record
from mortis.errors.examples import pick_examples
from mortis.preparation import Ready
from mortis.profiles import NULL, Profile
from mortis.questions.answering import Examined, Gaps, answered
from mortis.records import ErrorAnalysis

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_SEARCHED = 250_000
ROWS_LOOKED_AT = 4_000
MOST_VERSIONS = 30


@dataclass(frozen=True, slots=True)
class Errors:
    """Step 5's answer."""

    analysis: ErrorAnalysis
    not_checked: Gaps = ()


def analyse_errors(known: Examined) -> Errors:
    """Step 5, since the onset where there is one; a failure in it is told, and costs no other answer."""
    failure, ready = known.failure, known.ready
    if failure.incident_window is None or not ready.metric.judgement.errors:
        return Errors(ErrorAnalysis(note="the metric has no errors that could be told apart by slice"))
    if failure.verdict == "no_failure":
        return Errors(ErrorAnalysis(note="not searched: no failure was found"))
    found, gaps = answered("error slices", lambda: _errors(known))
    return Errors(found or ErrorAnalysis(note=gaps[0].why), gaps)


def _errors(known: Examined) -> ErrorAnalysis:
    engine, profile, failure = known.engine, known.profile, known.failure
    baseline, incident = failure.baseline_window, failure.since_onset
    ready = _with_versions(known.ready, profile, engine)
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
            examples=pick_examples(rows, tests, ready.dataset.features, sensitive=_masked(known.case)),
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
