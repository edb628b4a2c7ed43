"""From what the user states to what an engine can run: columns found, roles checked, windows and buckets settled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mortis.case import Case
from mortis.engine.dataset import Dataset, Judgement, LabelTable, Roles
from mortis.intake.columns import (
    Origin,
    check_column,
    check_columns,
    check_kinds,
    check_numbers,
    check_time,
    feature_columns,
    kind,
)
from mortis.intake.references import OfflineTable, TrainingSet, offline_table, training_set
from mortis.intake.tasks import Labelled, check_metric, guess_task, judged_task, positive_label
from mortis.intake.windows import bucket_name, settle_windows
from mortis.problems import InputProblem, listed
from mortis.records import Input, Window
from mortis.sources.tables import fingerprint, open_table

if TYPE_CHECKING:
    import pyarrow as pa

    from mortis.engine import Engine

__all__ = ["Intake", "Origin", "bucket_name", "check_column", "check_numbers", "check_time", "kind", "take_in"]


@dataclass(frozen=True, slots=True)
class Intake:
    """A case made ready: the dataset, the windows as far as stated, what was read and what was guessed.

    `log` is the stretch of time the prediction log spans, `as_of` the moment up to which labels can have arrived.
    `training` and `offline` are the tables that the log is held against, where they were handed over.
    """

    dataset: Dataset
    baseline: Window | None
    incident: Window | None
    log: Window
    as_of: datetime | None
    inputs: tuple[Input, ...]
    guesses: tuple[str, ...]
    training: TrainingSet | None = None
    offline: OfflineTable | None = None


def take_in(case: Case, engine: Engine, *, judgement: Judgement | None = None) -> Intake:
    """The case with its tables opened and looked into; nothing of it is computed yet.

    Raises InputProblem, one line naming key, file and remedy, where the tables can't be what the case says.
    """
    guesses: list[str] = []
    stated = case.predictions
    table = open_table(stated.table, root=case.root, key="predictions.table")
    schema = engine.schema(table, text=(stated.time,))
    origin = Origin(engine, table, schema)
    check_columns(stated, origin)
    unit, span = check_time(origin, stated.time, key="predictions.time")
    if span.nulls:
        guesses.append(f"predictions.time: {span.nulls:,} rows without a time are left out")
    check_kinds(stated, origin)  # after the times, which tell a file without rows: its columns have no kinds
    labels = _labels(case, engine, schema)
    labelled = Labelled(case, origin, labels)
    asked = case.model.task or guess_task(labelled, guesses)
    task = judged_task(asked, labelled)
    check_metric(labelled, asked, task)
    settled = settle_windows(case.windows, span, guesses)
    dataset = Dataset(
        predictions=table,
        roles=_roles(case),
        task=task,
        judgement=judgement or Judgement(task if task != "operational" else "latency", (), ()),
        labels=labels,
        features=feature_columns(stated, origin, span.rows, guesses),
        positive=positive_label(labelled, task, guesses),
        time_unit=unit,
        origin=settled.origin,
        width=settled.width,
    )
    training, offline = training_set(case, engine), offline_table(case, engine, dataset.features)
    return Intake(
        dataset=dataset,
        baseline=settled.baseline,
        incident=settled.incident,
        log=settled.log,
        as_of=_as_of(case, engine, labels),
        inputs=(*_inputs(engine, dataset, span.rows), *_references(engine, training, offline)),
        guesses=tuple(guesses),
        training=training,
        offline=offline,
    )


def _labels(case: Case, engine: Engine, schema: pa.Schema) -> LabelTable | None:
    """The label table, opened and checked; None where labels, if any, stand in the log itself."""
    if case.labels is None:
        return None
    stated = case.labels
    if case.predictions.id is None:
        raise InputProblem(
            f"labels.id: joining labels needs `predictions.id` too; columns there: {listed(schema.names)}"
        )
    table = open_table(stated.table, root=case.root, key="labels.table")
    own = engine.schema(table)
    origin = Origin(engine, table, own)
    for role in ("id", "label", "time"):
        if column := getattr(stated, role):
            check_column(origin, column, key=f"labels.{role}")
    unit = check_time(origin, stated.time, key="labels.time")[0] if stated.time else ""
    return LabelTable(table, stated.id, stated.label, stated.time, unit)


def _roles(case: Case) -> Roles:
    stated = case.predictions
    return Roles(
        time=stated.time,
        id=stated.id,
        prediction=stated.prediction,
        score=stated.score if isinstance(stated.score, str) else None,
        class_scores=stated.score if isinstance(stated.score, dict) else {},
        label=stated.label,
        version=stated.version,
        latency_ms=stated.latency_ms,
        error=stated.error,
        group=stated.group,
    )


def _as_of(case: Case, engine: Engine, labels: LabelTable | None) -> datetime | None:
    """The moment up to which labels can have arrived: when the failure was detected, or the last label's arrival."""
    if labels is None or labels.time is None:
        return None
    last = engine.span(labels.table, labels.time, labels.time_unit).last
    latest = datetime.fromtimestamp(last, UTC) if last is not None else None
    if case.detected_at and latest:
        return max(case.detected_at, latest)
    return latest


def _inputs(engine: Engine, dataset: Dataset, rows: int) -> tuple[Input, ...]:
    log = Input(dataset.predictions.name, rows, fingerprint(dataset.predictions), "predictions")
    if dataset.labels is None:
        return (log,)
    labels = dataset.labels
    return (log, Input(labels.table.name, engine.keys(labels.table, labels.id)[0], fingerprint(labels.table), "labels"))


def _references(engine: Engine, training: TrainingSet | None, offline: OfflineTable | None) -> Iterator[Input]:
    for role, one in (("training", training), ("offline features", offline)):
        if one is not None:
            yield Input(one.table.name, engine.rows(one.table), fingerprint(one.table), role)
