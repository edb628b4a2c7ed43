"""What the model predicts, by what the case states and the labels hold: the task, the positive label, the metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mortis.case import Case
from mortis.clarify.metrics import METRICS, metric_for
from mortis.engine.dataset import LabelTable, Task
from mortis.intake.columns import Origin, check_numbers, is_number
from mortis.problems import InputProblem, listed

MOST_CLASSES = 50
YES = ("1", "true", "yes", "y", "positive", "pos", "1.0")
NULL = "(null)"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A case with its opened log and, where labels lie in a table of their own, with that."""

    case: Case
    log: Origin
    table: LabelTable | None

    @property
    def key(self) -> str:
        """The key of the case file that names the label's column."""
        return "labels.label" if self.table else "predictions.label"

    @property
    def has_labels(self) -> bool:
        """Whether the case names labels at all."""
        return self.table is not None or self.case.predictions.label is not None

    @property
    def is_judged(self) -> bool:
        """Whether the case names a prediction or a score that a label can be held against."""
        return bool(self.case.predictions.prediction or self.case.predictions.score)

    def column(self) -> tuple[Origin, str] | None:
        """Where the labels stand, and under which name; None where there are none."""
        if self.table is not None:
            engine = self.log.engine
            return Origin(engine, self.table.table, engine.schema(self.table.table)), self.table.label
        label = self.case.predictions.label
        return (self.log, label) if label else None

    def values(self) -> Mapping[str, int]:
        """The commonest labels with their rows, null left out; empty where there are no labels."""
        where = self.column()
        if where is None:
            return {}
        found = self.log.engine.values(where[0].table, where[1], most=MOST_CLASSES + 2)
        return {value: rows for value, rows in found.items() if value != NULL}


def guess_task(labelled: Labelled, guesses: list[str]) -> Task:
    """The task, by the stated roles and by how many different labels there are; why is added to the guesses."""
    stated, values, where = labelled.case.predictions, labelled.values(), labelled.column()
    numeric = where is not None and is_number(*where)
    task: Task
    if stated.group:
        task, why = "ranking", "`predictions.group` is stated"
    elif isinstance(stated.score, dict):
        task, why = "multiclass", "there is one score per class"
    elif not values:
        task, why = ("score", "there are no labels") if stated.score else ("operational", "there are no labels")
    elif len(values) <= 2:
        task, why = "binary", f"the labels are {listed(sorted(values))}"
    elif numeric and (len(values) > MOST_CLASSES or not stated.prediction):
        task, why = "regression", "the labels are numbers of many values"
    else:
        task, why = "multiclass", f"there are {'many' if len(values) > MOST_CLASSES else len(values)} different labels"
    guesses.append(f"model.task = {task}: {why}")
    return task


def judged_task(task: Task, labelled: Labelled) -> Task:
    """The task that can be judged: without labels, or anything to hold against them, only the service's figures are.

    Raises InputProblem where the task needs a column that the case doesn't name, or one that holds something else.
    """
    stated = labelled.case.predictions
    if task == "ranking" and not stated.group:
        raise InputProblem("predictions.group: a ranking needs the column that tells which rows belong to one query")
    if task == "multiclass" and not stated.prediction:
        raise InputProblem("predictions.prediction: a multiclass model needs the column with the predicted class")
    if task == "score":
        if not isinstance(stated.score, str):
            raise InputProblem("predictions.score: task `score` needs the column with the per-row quality figure")
        return task
    if not labelled.has_labels or not labelled.is_judged:
        return "operational"
    if task in ("regression", "ranking"):
        _check_numeric(task, labelled)
    return task


def _check_numeric(task: Task, labelled: Labelled) -> None:
    remedy = f"a {task} needs them" if task == "ranking" else "state another model.task, or name the column of numbers"
    if where := labelled.column():
        check_numbers(*where, key=labelled.key, remedy=remedy)
    if column := labelled.case.predictions.prediction:
        check_numbers(labelled.log, column, key="predictions.prediction", remedy=remedy)


def check_metric(labelled: Labelled, asked: Task, task: Task) -> None:
    """Raises InputProblem where the stated metric is none of the task's, or needs a column that the case doesn't name.

    `asked` is the task as stated or guessed, `task` the one that the columns allow.
    """
    name = labelled.case.failure.metric
    if name is None:
        return
    stated = labelled.case.predictions
    given = {
        "prediction": labelled.is_judged,
        "score": bool(stated.score),
        "probability": bool(stated.score),
        "label": labelled.has_labels,
        "latency_ms": bool(stated.latency_ms),
        "error": bool(stated.error),
    }
    metric = metric_for(name, asked)
    lacking = [need for need in metric.needs if not given[need]]
    if not lacking and task != asked and metric.name not in METRICS[task] and metric.kind == "quality":
        lacking = ["label"]
    if lacking:
        keys = ["predictions.score" if need == "probability" else f"predictions.{need}" for need in lacking]
        more = ", or `labels`" if "label" in lacking else ""
        raise InputProblem(
            f"failure.metric: {metric.name} needs {' and '.join(keys)}{more}; name the column, or another metric"
        )


def positive_label(labelled: Labelled, task: Task, guesses: list[str]) -> str | None:
    """The positive label of a binary model, as text; None for other tasks.

    Raises InputProblem where labels are too few or too many, or labels and predictions don't speak of the same values.
    """
    if task not in ("binary", "multiclass"):
        return None
    key, values = labelled.key, labelled.values()
    if not values:
        raise InputProblem(f"{key}: the column holds no label at all; hand over labels, or leave the key out")
    if len(values) == 1:
        raise InputProblem(
            f"{key}: every label is {next(iter(values))!r}; a metric needs at least two different labels"
        )
    if task == "multiclass":
        return None
    if len(values) > 2:
        raise InputProblem(
            f"{key}: {len(values)} different labels ({listed(values, most=5)}); set model.task: multiclass"
        )
    stated = labelled.case.model.positive
    positive = _as_text(stated) if stated is not None else next((v for v in values if v.lower() in YES), None)
    if positive is None:
        raise InputProblem(f"model.positive: say which label is the positive one; there are {listed(sorted(values))}")
    known = next((value for value in values if same_label(positive, value)), None)
    if known is None:
        raise InputProblem(f"model.positive: no label is {positive!r}; there are {listed(sorted(values))}")
    if stated is None:
        guesses.append(f"model.positive = {known}: the labels are {listed(sorted(values))}")
    _check_predicted(labelled, values)
    return known


def _check_predicted(labelled: Labelled, labels: Iterable[str]) -> None:
    column = labelled.case.predictions.prediction
    if column is None:
        return
    found = labelled.log.engine.values(labelled.log.table, column, most=5)
    strange = [value for value in found if value != NULL and not any(same_label(value, label) for label in labels)]
    if strange:
        raise InputProblem(
            f"predictions.prediction: column {column!r} holds {strange[0]!r}, which is no label "
            f"({listed(sorted(labels))}); if it is a probability, name it as predictions.score"
        )


def _as_text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def same_label(one: str, other: str) -> bool:
    """Whether two texts mean the same label: 1, 1.0 and true do.

    >>> same_label("1", "1.0"), same_label("1", "true"), same_label("yes", "no")
    (True, True, False)
    """
    plain = {"true": "1", "false": "0"}
    one, other = plain.get(one.lower(), one), plain.get(other.lower(), other)
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False
