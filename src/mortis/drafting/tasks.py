"""What the model predicts, as its labels, predictions and scores show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mortis.case import TaskName
from mortis.drafting.arrangement import Arrangement
from mortis.drafting.columns import MOST_VALUES, Sheet
from mortis.drafting.names import CLASS_SCORE_NAMES, WATCHED_WORDS, YES_WORDS, plain
from mortis.drafting.roles import in_unit_interval, short
from mortis.problems import listed

_MOST_INTEGER_CLASSES = 10
_SURE_GROUPS = frozenset({"queryid", "qid", "predictiongroupid", "searchid", "rankinggroup"})

Positive = str | int | float


@dataclass(frozen=True, slots=True)
class TaskGuess:
    """The task with its positive class and its score columns, each with the reason; None where it can't be told."""

    task: TaskName | None
    why: str
    positive: Positive | None = None
    positive_why: str = ""
    class_scores: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of what is judged: its column in words, whether numbers, and the rows of each value."""

    column: str
    numeric: bool
    counts: Counter[str]

    @property
    def numbers(self) -> list[float]:
        return [float(value) for value in self.counts] if self.numeric else []

    @property
    def whole(self) -> bool:
        return self.numeric and all(x.is_integer() for x in self.numbers)


def guess_task(found: Arrangement) -> TaskGuess:
    """The task, from the values of the labels, or of the predictions where there are no labels."""
    labels, predictions = _labels(found), _predictions(found)
    if _is_ranking(found, labels):
        return TaskGuess("ranking", f"{found.roles['group'].column} groups rows, and a score orders them")
    values = labels or predictions
    if values is None:
        return _without_values(found)
    if len(values.counts) == 2 or (len(values.counts) == 1 and (predictions is None or len(predictions.counts) <= 2)):
        return _binary(found, values, predictions)
    name, why = _many_valued(values, predictions)
    if name == "regression":
        return TaskGuess(name, why)
    return TaskGuess(name, why + _unlike(values, predictions), class_scores=_class_scores(found, list(values.counts)))


def _labels(found: Arrangement) -> _Values | None:
    """The labels' values in the log and in the table of labels together."""
    places = [(found.labels.sheet, found.labels.label.column)] if found.labels else []
    places += [(found.log, found.roles["label"].column)] if "label" in found.roles else []
    return _values("label", places)


def _predictions(found: Arrangement) -> _Values | None:
    column = found.roles["prediction"].column if "prediction" in found.roles else None
    return _values("prediction", [(found.log, column)] if column else [])


def _values(what: str, places: Sequence[tuple[Sheet, str]]) -> _Values | None:
    counts: Counter[str] = Counter()
    for sheet, column in places:
        boolean = sheet.columns[column].is_bool
        for value, rows in sheet.counts(column).items():
            counts[_as_number(value) if boolean else short(value)] += rows
    if not counts:
        return None
    kinds = [sheet.columns[column] for sheet, column in places]
    return _Values(f"{what} {places[0][1]}", all(k.kind == "number" or k.is_bool for k in kinds), counts)


def _as_number(boolean: str) -> str:
    return "1" if boolean.casefold() in ("true", "1") else "0"


def _is_ranking(found: Arrangement, labels: _Values | None) -> bool:
    """Whether rows are judged by their order in a group: numbers order them, and no class was predicted."""
    roles, log = found.roles, found.log
    if "group" not in roles:
        return False
    orders = [roles[role].column for role in ("score", "prediction") if role in roles]
    ordered = any(log.columns[c].kind == "number" and log.distinct(c) > 2 for c in orders)
    classes = "prediction" in roles and log.distinct(roles["prediction"].column) <= 2
    graded = labels is not None and labels.whole and 2 < len(labels.counts) <= _MOST_INTEGER_CLASSES
    judged = labels is None or (labels.whole and len(labels.counts) <= _MOST_INTEGER_CLASSES)
    return ordered and not classes and judged and (graded or plain(roles["group"].column) in _SURE_GROUPS)


def _without_values(found: Arrangement) -> TaskGuess:
    if "score" in found.roles:
        return TaskGuess(
            "score",
            f"there is a score and nothing it could be compared with: {found.roles['score'].column} itself is judged",
        )
    return TaskGuess(None, "only latencies are judged")


def _unlike(labels: _Values, predictions: _Values | None) -> str:
    """What is said where labels and predictions have no value in common, so that every prediction would be wrong."""
    if predictions is None or set(labels.counts) & set(predictions.counts):
        return ""
    return f"; but the {predictions.column} reads {listed(predictions.counts, most=3)}: write both alike"


def _binary(found: Arrangement, values: _Values, predictions: _Values | None) -> TaskGuess:
    positive, why = _positive(values)
    columns = _class_scores(found, list(values.counts))
    own = {str(positive): columns[str(positive)]} if columns and str(positive) in columns else None
    unlike = _unlike(values, predictions)
    many = "two values" if len(values.counts) == 2 else "one value"
    return TaskGuess("binary", f"the {values.column} has {many} ({listed(values.counts)}){unlike}", positive, why, own)


def _positive(values: _Values) -> tuple[Positive, str]:
    """The positive class of two, and why."""
    rarest_first = sorted(values.counts, key=lambda value: (values.counts[value], value))
    typed = {value: _typed(value) if values.numeric else value for value in rarest_first}
    if values.numeric and set(values.numbers) <= {0.0, 1.0, -1.0}:
        return 1, "1 against 0" if 0.0 in values.numbers else "1 of 1 and -1" if len(
            typed
        ) == 2 else "the usual sign of it"
    for known, why in ((YES_WORDS, "it means yes"), (WATCHED_WORDS, "it names the event that is watched for")):
        meant = [value for value in rarest_first if not values.numeric and value.strip().casefold() in known]
        if len(meant) == 1:
            return typed[meant[0]], why
    return typed[rarest_first[0]], "the rarer of the two; state the other if that is what the score speaks of"


def _typed(value: str) -> Positive:
    number = float(value)
    return int(number) if number.is_integer() else number


def _many_valued(values: _Values, predictions: _Values | None) -> tuple[TaskName, str]:
    """Multiclass or regression, and why."""
    n = "many" if len(values.counts) >= MOST_VALUES else len(values.counts)
    if not values.numeric:
        lacking = "" if predictions else "; it needs predictions.prediction, the predicted class"
        return "multiclass", f"the {values.column} has {n} values as text{lacking}"
    judged = predictions or values
    if values.whole and judged.whole and max(len(values.counts), len(judged.counts)) <= _MOST_INTEGER_CLASSES:
        return (
            "multiclass",
            f"the {values.column} has {n} whole numbers as values; state regression if they are amounts",
        )
    return "regression", f"the {values.column} is a number of {n} values"


def _class_scores(found: Arrangement, classes: Sequence[str]) -> Mapping[str, str] | None:
    """The column of each class's score; None unless every class has one."""
    log = found.log
    taken = {guess.column for role, guess in found.roles.items() if role != "score"}
    numbers = {plain(c): c for c in log.columns if c not in taken and log.columns[c].kind == "number"}
    prefixes = [*sorted(CLASS_SCORE_NAMES), *([""] if len(classes) > 2 else [])]
    for prefix in prefixes:
        columns = {value: numbers[prefix + plain(value)] for value in classes if prefix + plain(value) in numbers}
        if len(columns) == len(classes) > 1 and all(in_unit_interval(log, column) for column in columns.values()):
            return columns
    return None
