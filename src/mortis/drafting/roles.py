"""Which column plays which role: the name proposes, the values decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mortis.drafting.columns import MOST_VALUES, Sheet
from mortis.drafting.names import Match, RoleName, is_personal, match, plain, words
from mortis.problems import listed

FEW_VALUES = 20
_ISO_DATE_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Guess:
    """The column taken for a role, and why."""

    column: str
    why: str


Found = Mapping[RoleName, Guess]
# What a column's values say for a role, in words; None where they speak against it.
Check = Callable[[Sheet, str], str | None]


def _is_id(sheet: Sheet, column: str) -> str | None:
    kind = sheet.columns[column]
    if kind.kind not in ("number", "category") or kind.is_bool or kind.is_float:
        return None
    return "a value of its own in every row" if sheet.counts(column) and sheet.is_unique(column) else None


def _is_verdict(sheet: Sheet, column: str) -> str | None:
    kind = sheet.columns[column].kind
    values = sheet.distinct(column)
    if kind not in ("number", "category") or not values:
        return None
    if kind == "number":
        return f"numbers ({shown(sheet, column)})" if values <= FEW_VALUES else "numbers of many values"
    return f"{values} values ({shown(sheet, column)})" if values < MOST_VALUES else None


def _is_score(sheet: Sheet, column: str) -> str | None:
    found = sheet.numbers(column)
    if not found:
        return None
    inside = 0 <= min(found) <= max(found) <= 1
    return "a number in 0..1" if inside else f"a number in {min(found):g}..{max(found):g}, so no probability"


def _is_version(sheet: Sheet, column: str) -> str | None:
    values = sheet.counts(column)
    doubtful = plain(column) in ("model", "modelname", "build", "release", "deployment")
    if not values or len(values) > (10 if doubtful else 50) or sheet.columns[column].kind not in ("number", "category"):
        return None
    if doubtful and not all(any(c.isdigit() for c in value) for value in values):
        return None
    return "one value" if len(values) == 1 else f"{len(values)} values"


def _is_latency(sheet: Sheet, column: str) -> str | None:
    found = sheet.numbers(column)
    if not found or min(found) < 0:
        return None
    return (
        "numbers from 0"
        if words(column)[-1:] in (("ms",), ("millis",), ("milliseconds",))
        else "numbers from 0, read as milliseconds"
    )


def _is_error(sheet: Sheet, column: str) -> str | None:
    if sheet.columns[column].is_bool:
        return "true or false"
    found = sheet.numbers(column)
    return "0 or 1" if found and set(found) <= {0.0, 1.0} else None


def _is_group(sheet: Sheet, column: str) -> str | None:
    counts = sheet.counts(column)
    if sheet.columns[column].is_float or sheet.columns[column].kind not in ("number", "category") or len(counts) < 2:
        return None
    rows, values = sheet.engine.keys(sheet.table, column)
    return f"{rows / values:.1f} rows to each value" if rows >= 2 * values else None


def _is_time(sheet: Sheet, column: str) -> str | None:
    if unit := sheet.time_unit(column):
        return f"{unit} since 1970"
    span = sheet.span(column)
    if span is None:
        return None
    kind = "times" if sheet.columns[column].kind == "time" else "text in ISO 8601"
    if span.unparsable:
        kind += f", but row {span.unparsable[0]} reads {span.unparsable[1]!r}: correct it"
    return kind + (", some with an offset from UTC and some without: write all alike" if span.mixed_zones else "")


def _is_count(sheet: Sheet, column: str) -> str | None:
    found = sheet.numbers(column)
    return "counts" if found and min(found) >= 0 else None


_CHECKS: dict[RoleName, Check] = {
    "time": _is_time,
    "id": _is_id,
    "prediction": _is_verdict,
    "score": _is_score,
    "label": _is_verdict,
    "version": _is_version,
    "latency_ms": _is_latency,
    "error": _is_error,
    "group": _is_group,
    "label_time": _is_time,
    "count": _is_count,
    "errors": _is_count,
}
_LOG_ROLES: tuple[RoleName, ...] = ("prediction", "score", "label", "id", "version", "latency_ms", "error", "group")


def shown(sheet: Sheet, column: str, *, most: int = 3) -> str:
    """A column's commonest values in words, numbers without a needless '.0'."""
    return listed([short(value) for value in sheet.counts(column)], most=most)


def short(value: str) -> str:
    """A value as text, a whole number without its fraction.

    >>> short("1.0"), short("0.25"), short("v1.0")
    ('1', '0.25', 'v1.0')
    """
    return value[:-2] if value.endswith(".0") and value[:-2].lstrip("-").isdigit() else value


def proposed(columns: Iterable[str], role: RoleName) -> list[tuple[str, Match]]:
    """The columns whose names fit a role, best first."""
    fits = [(column, fit) for column in columns if (fit := match(column, role))]
    return sorted(fits, key=lambda one: one[1].rank)


def find(sheet: Sheet, role: RoleName, *, taken: Iterable[str] = (), lenient: bool = False) -> Guess | None:
    """The column that plays a role: the best of those whose name fits and whose values agree.

    A score that is no probability must be called by a name that is wholly known, unless `lenient`.
    """
    free = [column for column in sheet.columns if column not in set(taken) and sheet.columns[column].kind != "other"]
    for column, fit in proposed(free, role):
        fact = _CHECKS[role](sheet, column)
        if fact and (role != "score" or fit.exact or lenient or in_unit_interval(sheet, column)):
            return Guess(column, f"{fact}, {fit.why}")
    return None


def find_time(sheet: Sheet) -> Guess | None:
    """The column that tells when each prediction was made: by its name, else by what it holds."""
    personal = {column for column in sheet.columns if is_personal(column)}
    named = find(sheet, "time", taken=personal)
    if named:
        return named
    times = [c.name for c in sheet.columns.values() if c.kind == "time" and not match(c.name, "label_time")]
    for column in [c for c in times if c not in personal]:
        if sheet.span(column):
            others = [one for one in times if one not in (column, *personal)]
            only = f"the first of {len(others) + 1} columns of times" if others else "the only column of times"
            return Guess(column, only)
    for column in sheet.columns:
        if (
            column not in personal
            and not match(column, "label_time")
            and _looks_iso(sheet, column)
            and sheet.span(column)
        ):
            return Guess(column, "text in ISO 8601")
    return None


def _looks_iso(sheet: Sheet, column: str) -> bool:
    if sheet.columns[column].kind != "category" or sheet.columns[column].is_bool:
        return False
    values = list(sheet.counts(column))[:5]
    return bool(values) and all(_is_iso(value) for value in values)


def _is_iso(value: str) -> bool:
    head = value[:_ISO_DATE_LENGTH]
    return len(head) == _ISO_DATE_LENGTH and head[4] == head[7] == "-" and head.replace("-", "").isdigit()


def find_roles(
    sheet: Sheet, *, label: Guess | None = None, id_: Guess | None = None, lenient: bool = False
) -> dict[RoleName, Guess]:
    """Every role a prediction log's columns play; what other tables told of label and id goes first."""
    found: dict[RoleName, Guess] = {}
    if label and label.column in sheet.columns:
        found["label"] = label
    if id_ and id_.column in sheet.columns:
        found["id"] = id_
    time = find_time(sheet)
    if time:
        found["time"] = time
    for role in _LOG_ROLES:
        taken = {guess.column for guess in found.values()}
        guess = None if role in found else find(sheet, role, taken=taken, lenient=lenient)
        if guess:
            found[role] = guess
    return _settled(sheet, found)


def _settled(sheet: Sheet, found: dict[RoleName, Guess]) -> dict[RoleName, Guess]:
    """The roles once they have been held against one another."""
    prediction, label = found.get("prediction"), found.get("label")
    fractions = prediction and in_unit_interval(sheet, prediction.column) and sheet.distinct(prediction.column) > 2
    if prediction and fractions and "score" not in found:
        if label is None or sheet.distinct(label.column) <= 2:
            found["score"] = Guess(found.pop("prediction").column, "fractions in 0..1, so a score and no class")
    elif prediction and label is None:
        like = _judged_by(sheet, prediction.column, {guess.column for guess in found.values()})
        if like:
            found["label"] = like
    return found


def in_unit_interval(sheet: Sheet, column: str) -> bool:
    """Whether a column holds numbers, and all of them within 0..1."""
    found = sheet.numbers(column)
    return bool(found) and 0 <= min(found) <= max(found) <= 1


def _judged_by(sheet: Sheet, prediction: str, taken: Iterable[str]) -> Guess | None:
    """The one column with the very values of a prediction of few classes: what it is judged by."""
    classes = {short(value) for value in sheet.counts(prediction)}
    if not 2 <= len(classes) <= FEW_VALUES:
        return None
    kind = sheet.columns[prediction]
    free = [
        c
        for c in sheet.columns.values()
        if c.name not in set(taken) and (c.kind, c.is_bool) == (kind.kind, kind.is_bool)
    ]
    like = [c.name for c in free if {short(value) for value in sheet.counts(c.name)} == classes]
    why = (
        f"the only column with the values of {prediction} ({shown(sheet, prediction)}); check that it is what came true"
    )
    return Guess(like[0], why) if len(like) == 1 else None
