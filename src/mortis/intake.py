"""From what the user states to what an engine can run: columns found, roles checked, windows and buckets settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING

from mortis.case import BUCKET_SECONDS, Case
from mortis.engine.dataset import Dataset, Judgement, LabelTable, Roles, Task
from mortis.problems import InputProblem, listed, near
from mortis.records import Input, Window, iso
from mortis.sources.tables import Table, fingerprint, open_table

if TYPE_CHECKING:
    import pyarrow as pa

    from mortis.engine import Engine, Span

MOST_BUCKETS = 400
FEWEST_ROWS_A_BUCKET = 50
MOST_VERSIONS = 50
MOST_CLASSES = 50
ID_LIKE_SHARE = 0.5
UNITS = ((1e8, 1e11, "s"), (1e11, 1e14, "ms"), (1e14, 1e17, "us"), (1e17, 1e20, "ns"))
YES = ("1", "true", "yes", "y", "positive", "pos", "1.0")


@dataclass(frozen=True, slots=True)
class Intake:
    """A case made ready: the dataset, the windows as far as stated, what was read and what was guessed.

    `log` is the stretch of time the prediction log spans, `as_of` the moment up to which labels can have arrived.
    """

    dataset: Dataset
    baseline: Window | None
    incident: Window | None
    log: Window
    as_of: datetime | None
    inputs: tuple[Input, ...]
    guesses: tuple[str, ...]


def take_in(case: Case, engine: Engine, *, judgement: Judgement | None = None) -> Intake:
    """The case with its tables opened and looked into; nothing of it is computed yet.

    Raises InputProblem, one line naming key, file and remedy, where the tables can't be what the case says.
    """
    guesses: list[str] = []
    stated = case.predictions
    table = open_table(stated.table, root=case.root, key="predictions")
    schema = engine.schema(table, text=(stated.time,))
    _check_columns(case, table, schema)
    unit, span = check_time(engine, table, schema, stated.time)
    labels = _labels(case, engine, schema)
    roles = _roles(case)
    task = case.model.task or _guess_task(case, engine, table, labels, guesses)
    task = _checked_task(task, case, labels)
    positive = _positive(case, engine, table, labels, task, guesses)
    baseline, incident, log = _windows(case, span)
    dataset = Dataset(
        predictions=table,
        roles=roles,
        task=task,
        judgement=judgement or Judgement(task if task != "operational" else "latency", (), ()),
        labels=labels,
        features=_features(case, engine, table, schema, span.rows, guesses),
        positive=positive,
        time_unit=unit,
        origin=int((baseline or log).start.timestamp()),
        width=_width(case, log, [w for w in (baseline, incident) if w], span.rows, guesses),
    )
    return Intake(
        dataset,
        baseline,
        incident,
        log,
        _as_of(case, engine, labels),
        _inputs(engine, dataset, span.rows),
        tuple(guesses),
    )


def _check_columns(case: Case, table: Table, schema: pa.Schema) -> None:
    """Raises InputProblem for the first stated column that the table doesn't have."""
    stated = case.predictions
    single = ("time", "id", "prediction", "label", "version", "latency_ms", "error", "group")
    wanted = [(f"predictions.{role}", getattr(stated, role)) for role in single if getattr(stated, role)]
    scores = stated.score.values() if isinstance(stated.score, Mapping) else [stated.score] if stated.score else []
    wanted += [("predictions.score", column) for column in scores]
    wanted += [("predictions.segments", column) for column in stated.segments]
    wanted += [("predictions.features", column) for column in stated.features if stated.features != "auto"]
    for key, column in wanted:
        check_column(key, column, table, schema)
    for column in scores:
        if not _is_number(schema, column):
            raise InputProblem(
                f"predictions.score: column {column!r} of {table.name} holds {schema.field(column).type}, not numbers; "
                "name the column with the probability"
            )


def check_column(key: str, column: str, table: Table, schema: pa.Schema) -> None:
    """Raises InputProblem, naming the key, where the table has no such column."""
    if column not in schema.names:
        raise InputProblem(
            f"{key}: column {column!r} not found in {table.name}{near(column, schema.names)}; "
            f"there are: {listed(schema.names, most=40)}"
        )


def _is_number(schema: pa.Schema, column: str) -> bool:
    from mortis.engine.types import kind_of

    return kind_of(schema.field(column).type) == "number"


def check_time(
    engine: Engine, table: Table, schema: pa.Schema, column: str, *, key: str = "predictions.time"
) -> tuple[str, Span]:
    """The unit of a numeric time column ('' for times proper), and what the column holds.

    Raises InputProblem, naming the key, where it holds no times, or times that can't be compared.
    """
    key, unit = f"{key}: column {column!r} of {table.name}", ""
    if _is_number(schema, column):
        span = engine.span(table, column, "s")
        latest = span.last or 0
        unit = next((u for low, high, u in UNITS if low <= latest < high), "")
        if not unit:
            raise InputProblem(f"{key} holds numbers up to {latest}, which are no epoch times; name a column of times")
    span = engine.span(table, column, unit)
    if not span.rows:
        raise InputProblem(f"predictions.table: {table.name} has columns but no rows; hand over a log with predictions")
    if span.unparsable:
        row, value = span.unparsable
        raise InputProblem(
            f"{key}: row {row} holds {value!r}, which is no time; write ISO 8601 like 2013-08-01T06:00:00Z"
        )
    if span.mixed_zones:
        raise InputProblem(f"{key} mixes times with and without a time zone; write all of them with an offset, or none")
    if span.first is None or span.last is None:
        raise InputProblem(f"{key} is empty in every row; name the column with the times")
    return unit, span


def _labels(case: Case, engine: Engine, schema: pa.Schema) -> LabelTable | None:
    """The label table, opened and checked; None where labels, if any, stand in the log itself."""
    if case.labels is None:
        return None
    stated = case.labels
    if case.predictions.id is None:
        raise InputProblem(
            f"labels.id: joining labels needs `predictions.id` too; columns there: {listed(schema.names)}"
        )
    table = open_table(stated.table, root=case.root, key="labels")
    own = engine.schema(table)
    for role in ("id", "label", "time"):
        if column := getattr(stated, role):
            check_column(f"labels.{role}", column, table, own)
    if stated.time:
        span = engine.span(table, stated.time, "")
        if span.unparsable:
            row, value = span.unparsable
            raise InputProblem(
                f"labels.time: row {row} of {table.name} holds {value!r}, which is no time; write ISO 8601"
            )
    return LabelTable(table, stated.id, stated.label, stated.time)


def _roles(case: Case) -> Roles:
    stated = case.predictions
    by_class = stated.score if isinstance(stated.score, dict) else {}
    return Roles(
        time=stated.time,
        id=stated.id,
        prediction=stated.prediction,
        score=stated.score if isinstance(stated.score, str) else None,
        class_scores=by_class,
        label=stated.label,
        version=stated.version,
        latency_ms=stated.latency_ms,
        error=stated.error,
        group=stated.group,
    )


def _label_values(case: Case, engine: Engine, table: Table, labels: LabelTable | None) -> Mapping[str, int]:
    """The commonest labels with their rows, null left out; empty where there are no labels."""
    if labels is not None:
        found = engine.values(labels.table, labels.label, most=MOST_CLASSES + 2)
    elif case.predictions.label:
        found = engine.values(table, case.predictions.label, most=MOST_CLASSES + 2)
    else:
        return {}
    return {value: rows for value, rows in found.items() if value != "(null)"}


def _guess_task(case: Case, engine: Engine, table: Table, labels: LabelTable | None, guesses: list[str]) -> Task:
    stated = case.predictions
    values = _label_values(case, engine, table, labels)
    task: Task
    if stated.group:
        task, why = "ranking", "`predictions.group` is stated"
    elif isinstance(stated.score, dict):
        task, why = "multiclass", "there is one score per class"
    elif not values:
        task, why = ("score", "there are no labels") if stated.score else ("operational", "there are no labels")
    elif len(values) <= 2:
        task, why = "binary", f"the labels are {listed(sorted(values))}"
    elif len(values) > MOST_CLASSES or not stated.prediction:
        task, why = "regression", "the labels are numbers of many values"
    else:
        task, why = "multiclass", f"there are {len(values)} different labels"
    guesses.append(f"model.task = {task}: {why}")
    return task


def _checked_task(task: Task, case: Case, labels: LabelTable | None) -> Task:
    """The task that can be judged: without labels, quality is left to the score, or to the service's own figures."""
    has_labels = labels is not None or case.predictions.label is not None
    if task == "ranking" and not case.predictions.group:
        raise InputProblem("predictions.group: a ranking needs the column that tells which rows belong to one query")
    if task == "multiclass" and not case.predictions.prediction:
        raise InputProblem("predictions.prediction: a multiclass model needs the column with the predicted class")
    if task == "score" and not isinstance(case.predictions.score, str):
        raise InputProblem("predictions.score: task `score` needs the column with the per-row quality figure")
    return task if has_labels or task in ("score", "operational") else "operational"


def _positive(
    case: Case, engine: Engine, table: Table, labels: LabelTable | None, task: Task, guesses: list[str]
) -> str | None:
    """The positive label of a binary model, as text; checks that labels and predictions speak of the same values."""
    if task not in ("binary", "multiclass"):
        return None
    key, values = "labels.label" if labels else "predictions.label", _label_values(case, engine, table, labels)
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
    stated = case.model.positive
    positive = _as_text(stated) if stated is not None else next((v for v in values if v.lower() in YES), None)
    if positive is None:
        raise InputProblem(f"model.positive: say which label is the positive one; there are {listed(sorted(values))}")
    if not any(_same(positive, value) for value in values):
        raise InputProblem(f"model.positive: no label is {positive!r}; there are {listed(sorted(values))}")
    if stated is None:
        guesses.append(f"model.positive = {positive}: the labels are {listed(sorted(values))}")
    _check_predicted(case, engine, table, values)
    return positive


def _check_predicted(case: Case, engine: Engine, table: Table, labels: Mapping[str, int]) -> None:
    column = case.predictions.prediction
    if column is None:
        return
    predicted = [v for v in engine.values(table, column, most=5) if v != "(null)"]
    strange = [value for value in predicted if not any(_same(value, label) for label in labels)]
    if strange:
        raise InputProblem(
            f"predictions.prediction: column {column!r} holds {strange[0]!r}, which is no label "
            f"({listed(sorted(labels))}); if it is a probability, name it as predictions.score"
        )


def _as_text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _same(one: str, other: str) -> bool:
    """Whether two texts mean the same label: 1, 1.0 and true do.

    >>> _same("1", "1.0"), _same("1", "true"), _same("yes", "no")
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


def _features(
    case: Case, engine: Engine, table: Table, schema: pa.Schema, rows: int, guesses: list[str]
) -> tuple[str, ...]:
    """The feature columns: as stated, or all that play no other role and aren't keys or times."""
    from mortis.engine.types import kind_of

    stated = case.predictions
    if stated.features != "auto":
        return tuple(dict.fromkeys([*stated.features, *stated.segments]))
    taken = {
        getattr(stated, role)
        for role in ("time", "id", "prediction", "label", "version", "latency_ms", "error", "group")
    }
    taken |= set(stated.score.values()) if isinstance(stated.score, dict) else {stated.score}
    features, left_out = [], []
    for field in schema:
        if field.name in taken:
            continue
        kind = kind_of(field.type)
        if kind in ("time", "other"):
            left_out.append(f"{field.name} ({field.type})")
        elif kind == "category" and field.name not in stated.segments and _is_key(engine, table, field.name, rows):
            left_out.append(f"{field.name} (nearly every value is different)")
        else:
            features.append(field.name)
    if left_out:
        guesses.append(f"predictions.features leaves out {listed(left_out)}")
    return tuple(features)


def _is_key(engine: Engine, table: Table, column: str, rows: int) -> bool:
    """Whether a text column is more of a key than a category: most of its values occur once."""
    common = engine.values(table, column, most=1)
    if rows < 100 or next(iter(common.values()), 0) > rows * 0.01:
        return False
    n, distinct = engine.keys(table, column)
    return n > 0 and distinct > ID_LIKE_SHARE * n


def _windows(case: Case, span: Span) -> tuple[Window | None, Window | None, Window]:
    """The stated windows, checked against the log, and the log's own stretch of whole seconds."""
    log = Window(datetime.fromtimestamp(span.first or 0, UTC), datetime.fromtimestamp((span.last or 0) + 1, UTC))
    for name in ("baseline", "incident"):
        stated = getattr(case.windows, name)
        if stated and not Window(*stated).overlaps(log):
            raise InputProblem(
                f"windows.{name}: {Window(*stated)} holds no predictions; the log spans {iso(log.start)} to {iso(log.end)}"
            )
    baseline = Window(*case.windows.baseline) if case.windows.baseline else None
    incident = Window(*case.windows.incident) if case.windows.incident else None
    if baseline is None and incident is not None:
        if incident.start <= log.start:
            raise InputProblem(
                f"windows.baseline: nothing comes before the incident ({incident}); the log spans "
                f"{iso(log.start)} to {iso(log.end)}; state a baseline"
            )
        baseline = Window(log.start, incident.start)
    return baseline, incident, log


def _width(case: Case, log: Window, windows: Iterable[Window], rows: int, guesses: list[str]) -> int:
    """The bucket length in seconds: the longest round one that fits the windows' boundaries and leaves enough buckets."""
    windows = list(windows)
    bounds = [int(moment.timestamp()) for w in windows for moment in (w.start, w.end)]
    common = reduce(gcd, (b - bounds[0] for b in bounds), 0) if bounds else 0
    if case.windows.bucket:
        width = BUCKET_SECONDS[case.windows.bucket]
        if common % width:
            raise InputProblem(
                f"windows.bucket: {case.windows.bucket} buckets don't meet the windows' boundaries; "
                f"move these to whole buckets, or take one of {listed(_fitting(common))}"
            )
        return width
    shortest = min((w.seconds for w in windows), default=log.seconds / 2)
    fitting = [w for w in BUCKET_SECONDS.values() if common % w == 0] or [gcd(common, 60) or 1]
    enough = [
        w for w in fitting if log.seconds / w <= MOST_BUCKETS and rows / (log.seconds / w) >= FEWEST_ROWS_A_BUCKET
    ]
    fine = [w for w in enough if shortest / w >= 6] or enough or fitting[-1:]
    width = max((w for w in fine if log.seconds / w >= 20), default=min(fine))
    guesses.append(f"windows.bucket = {bucket_name(width)}: {max(1, round(log.seconds / width))} buckets over the log")
    return width


def _fitting(common: int) -> list[str]:
    return [name for name, width in BUCKET_SECONDS.items() if common % width == 0] or ["1min"]


def bucket_name(width: int) -> str:
    """The bucket's length as the case file writes it.

    >>> bucket_name(86400), bucket_name(90)
    ('1d', '90s')
    """
    return next((name for name, seconds in BUCKET_SECONDS.items() if seconds == width), f"{width}s")


def _as_of(case: Case, engine: Engine, labels: LabelTable | None) -> datetime | None:
    """The moment up to which labels can have arrived: when the failure was detected, or the last label's arrival."""
    if labels is None or labels.time is None:
        return None
    last = engine.span(labels.table, labels.time, "").last
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
