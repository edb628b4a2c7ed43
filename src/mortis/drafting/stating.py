"""The guesses as entries of a case file: what each key states, why, and what it would take where nothing was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mortis.drafting.arrangement import Arrangement, Beside
from mortis.drafting.columns import Sheet
from mortis.drafting.names import USUAL_SEGMENTS, RoleName, is_personal, model_name, other_unit, words
from mortis.drafting.roles import Guess
from mortis.drafting.tasks import TaskGuess, guess_task
from mortis.drafting.windows import guess_windows
from mortis.drafting.writing import Entry, Section, scalar
from mortis.problems import listed

MOST_SEGMENTS = 5
_SEGMENT_VALUES = (2, 20)


def stated_sections(found: Arrangement) -> tuple[Section, ...]:
    """Every key of the case file, in the order of the contract."""
    task = guess_task(found)
    return (
        Section("", (Entry("title", "Untitled incident", "say in one line what was seen"),)),
        Section("model", _model(found, task)),
        Section("predictions", _predictions(found, task)),
        Section("labels", _labels(found)),
        Section("training", _training(found)),
        Section("offline_features", _offline(found)),
        Section("failure", _failure()),
        Section("windows", _windows(found)),
        Section("", tuple(_rest(found))),
    )


def said(sections: Iterable[Section], found: Arrangement) -> Iterator[str]:
    """Each guess as one line, then what was looked for and not found, then the tables that were left aside."""
    for section in sections:
        for entry in section.entries:
            key = f"{section.key}.{entry.key}" if section.key else entry.key
            if entry.value is not None and entry.key not in ("title", "name", "expected", "features"):
                yield f"{key} = {scalar(entry.value)}: {entry.comment}"
            elif entry.value is None and key == "predictions.label" and found.labels is None:
                yield f"{key}: {entry.comment}"
    for one in found.beside:
        if one.key == "unused":
            yield f"{one.sheet.name} is not used: {one.why}"
        elif one.key in ("training", "offline_features", "graph") and one is not found.first(one.key):
            yield f"{one.sheet.name} is not used: another table was taken for {one.key}"


def _table(sheet: Sheet) -> str | list[str]:
    return sheet.sources[0] if len(sheet.sources) == 1 else list(sheet.sources)


def _model(found: Arrangement, task: TaskGuess) -> tuple[Entry, ...]:
    one_class = "the label has one value only; " if "one value" in task.why else ""
    return (
        Entry("name", model_name(found.log.stem), "any name"),
        Entry("task", task.task, task.why, "binary"),
        Entry(
            "positive",
            task.positive,
            one_class + (task.positive_why or "for binary only: the class the score speaks of"),
            "1",
        ),
    )


def _predictions(found: Arrangement, task: TaskGuess) -> tuple[Entry, ...]:
    log = found.log
    return (
        Entry("table", _table(log), _parts_said(found)),
        _role(found, "time", "when each prediction was made", "COLUMN"),
        _role(
            found,
            "id",
            "no column has a value of its own in every row; labels in another table join by it",
            "request_id",
        ),
        _role(found, "prediction", "no column is named like a prediction", "y_pred"),
        _score(found, task),
        _label(found),
        _role(found, "version", "no column of few values is named like a model's version", "model_version"),
        _latency(found),
        _role(found, "error", "true where the request failed; no column is named so", "is_error"),
        _group(found, task),
        _segments(found),
        Entry("features", "auto", "every column without another role, or a list such as [age, income]"),
    )


def _parts_said(found: Arrangement) -> str:
    if len(found.parts) == 1:
        return "the prediction log: it has a column of times and one to judge"
    twice = "; their times overlap: if they hold the same predictions, keep one of them" if found.overlaps else ""
    return f"{len(found.parts)} tables of like columns are one prediction log, in the order of their times{twice}"


def _role(found: Arrangement, role: RoleName, absent: str, example: str) -> Entry:
    guess: Guess | None = found.roles.get(role)
    return Entry(role, guess.column, guess.why) if guess else Entry(role, None, absent, example)


def _score(found: Arrangement, task: TaskGuess) -> Entry:
    if task.class_scores and task.task == "multiclass":
        return Entry("score", dict(task.class_scores), "one column of numbers in 0..1 for each class")
    if task.class_scores:
        (label, column), *_ = task.class_scores.items()
        return Entry("score", column, f"a number in 0..1 named for the positive class {label}")
    if task.task == "multiclass" and "score" in found.roles:
        column = found.roles["score"].column
        why = f"for multiclass, one column for each class; {column} is one column, so it is left out"
        return Entry("score", None, why, "{a: p_a, b: p_b}")
    return _role(found, "score", "no column of numbers in 0..1 is named like a score", "y_score")


def _label(found: Arrangement) -> Entry:
    absent = (
        "they lie in a table of their own, see labels"
        if found.labels
        else ("no column is named like a label; without one, here or in labels, quality can't be judged")
    )
    return _role(found, "label", absent, "y_true")


def _latency(found: Arrangement) -> Entry:
    others = [f"{name} counts in {unit}" for name in found.log.columns if (unit := other_unit(name))]
    absent = f"{others[0]}; it must be milliseconds" if others else "no column is named like a latency"
    return _role(found, "latency_ms", absent, "latency_ms")


def _group(found: Arrangement, task: TaskGuess) -> Entry:
    if task.task != "ranking":
        return Entry("group", None, "for ranking only: the rows of one query", "query_id")
    return _role(found, "group", "", "query_id")


def _segments(found: Arrangement) -> Entry:
    """Up to five columns of few values, those first by which incidents are commonly told apart."""
    taken = _played(found) - ({found.roles["group"].column} if "group" in found.roles else set())
    free = [
        c.name
        for c in found.log.columns.values()
        if c.kind == "category" and c.name not in taken and not is_personal(c.name)
    ]
    chosen: list[str] = []
    least, most = _SEGMENT_VALUES
    for name in sorted(free, key=lambda one: not USUAL_SEGMENTS & set(words(one))):
        if len(chosen) < MOST_SEGMENTS and least <= found.log.distinct(name) <= most:
            chosen.append(name)
    if not chosen:
        return Entry("segments", None, "no column of text has 2 to 20 values", "[region, device]")
    return Entry("segments", chosen, "columns of 2 to 20 values, by which to tell who was hit")


def _labels(found: Arrangement) -> tuple[Entry, ...]:
    known = found.labels
    if known is None:
        return (
            Entry("table", None, "labels in a table of their own", "labels.parquet"),
            Entry("id", None, "joins predictions.id", "request_id"),
            Entry("label", None, "what came true", "y_true"),
            Entry("time", None, "when each label arrived", "labelled_at"),
        )
    arrived = Entry("time", known.time.column, known.time.why) if known.time else None
    return (
        Entry("table", _table(known.sheet), f"it joins the log by {known.id.column} and holds {known.label.column}"),
        Entry("id", known.id.column, known.id.why),
        Entry("label", known.label.column, known.label.why),
        arrived
        or Entry(
            "time",
            None,
            "no column of times was found there; without it, how late labels come can't be told",
            "labelled_at",
        ),
    )


def _training(found: Arrangement) -> tuple[Entry, ...]:
    known = found.first("training")
    absent = "what the model was trained on: the log's features and a label"
    return (
        Entry("table", _table(known.sheet), known.why) if known else Entry("table", None, absent, "training.parquet"),
        Entry("label", known.column if known else None, "its label", "y_true"),
        Entry("fingerprint", None, "what `mortis fingerprint` printed when the model was trained", '"mortis1:..."'),
    )


def _offline(found: Arrangement) -> tuple[Entry, ...]:
    known = found.first("offline_features")
    absent = "what the training pipeline computes for the served rows"
    return (
        Entry("table", _table(known.sheet), known.why) if known else Entry("table", None, absent, "offline.parquet"),
        Entry("id", known.column if known else None, "joins predictions.id", "request_id"),
    )


def _failure() -> tuple[Entry, ...]:
    return (
        Entry("metric", None, "what broke, if you know; else the task's usual metric", "precision"),
        Entry("expected", "baseline", "or a figure, such as 0.90"),
    )


def _windows(found: Arrangement) -> tuple[Entry, ...]:
    guess = guess_windows(found)
    return (
        Entry("baseline", guess.baseline, guess.why, "[2013-06-01, 2013-08-01]"),
        Entry("incident", None, "left out: it will be found", "[2013-08-01, 2013-08-15]"),
        Entry("bucket", None, "left out: chosen by the log's length", "1d"),
    )


def _rest(found: Arrangement) -> Iterator[Entry]:
    yield Entry("detected_at", None, "when it was noticed", "2013-08-16T09:00:00Z")
    yield Entry("models", None, "the versions as files", "[{version: v1, file: models/v1.onnx}]")
    yield Entry("registry", None, "where versions are registered", '{mlflow: "http://127.0.0.1:5000", name: NAME}')
    metrics = [one for one in found.beside if one.key == "metrics"]
    series = [{"table": _table(one.sheet), "time": one.column} for one in metrics] or None
    yield Entry("metrics", series, _why(metrics, "system metrics over time"), "[{table: metrics.csv, time: ts}]")
    graph = found.first("graph")
    yield Entry(
        "graph", graph.sheet.sources[0] if graph else None, graph.why if graph else "who calls whom", "services.csv"
    )
    yield Entry("logs", None, "log files", '[{files: "logs/*.jsonl"}]')
    events = [one for one in found.beside if one.key == "events"]
    changes = [{"events": one.sheet.sources[0]} for one in events] or None
    yield Entry(
        "changes",
        changes,
        _why(events, "also dependencies, schema, environment, config, git"),
        "[{events: deploys.csv}]",
    )
    personal = [name for name in found.log.columns if is_personal(name) and name not in _played(found)]
    why = (
        "named like personal data: kept out of the report"
        if personal
        else "columns to keep out of the report; none is named like it"
    )
    yield Entry("sensitive", personal or None, why, "[passenger_name]")


def _why(tables: list[Beside], absent: str) -> str:
    return listed([one.why for one in tables], most=1) if tables else absent


def _played(found: Arrangement) -> set[str]:
    return {guess.column for guess in found.roles.values()}
