"""Which table is what: the prediction log and its parts, labels, training set, and what else lies beside them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mortis.drafting.columns import Sheet, open_sheet
from mortis.drafting.names import AFTER_WORDS, BEFORE_WORDS, LABEL_WORDS, OFFLINE_WORDS, TRAINING_WORDS, plain, words
from mortis.drafting.roles import Found, Guess, find, find_roles, find_time, proposed
from mortis.engine import Engine
from mortis.problems import InputProblem, listed

_JOIN_SAMPLE = 50_000


@dataclass(frozen=True, slots=True)
class LabelGuess:
    """A table of labels: the key it joins by, the label, and when it arrived."""

    sheet: Sheet
    id: Guess
    label: Guess
    time: Guess | None


@dataclass(frozen=True, slots=True)
class Beside:
    """A table that is neither log nor labels, what it is taken for, and why; `column` is the one it is read by."""

    sheet: Sheet
    key: str
    why: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What every table is: the whole log with its parts in the order of time, and the tables beside it."""

    log: Sheet
    parts: tuple[Sheet, ...]
    roles: Found
    labels: LabelGuess | None
    beside: tuple[Beside, ...]

    def first(self, key: str) -> Beside | None:
        """The first table taken for that key."""
        return next((one for one in self.beside if one.key == key), None)

    @property
    def overlaps(self) -> bool:
        """Whether parts of the log cover the same time, so that they may hold the same predictions twice."""
        time = self.roles["time"].column
        return any(not _follows(one, other, time) for one, other in pairwise(self.parts))

    @property
    def split(self) -> tuple[Sheet, Sheet] | None:
        """The part before and the part after, where the log was handed in so: by its name, and one after the other."""
        if len(self.parts) < 2:
            return None
        before, after = self.parts[0], self.parts[1]
        named = _bears(before, BEFORE_WORDS) or (len(self.parts) == 2 and _bears(after, AFTER_WORDS))
        return (before, after) if named and _follows(before, after, self.roles["time"].column) else None


def arrange(sheets: Sequence[Sheet], *, root: Path, engine: Engine) -> Arrangement:
    """What every table is.

    Raises InputProblem where no table is a prediction log: no column of times, or nothing to judge.
    """
    parts = _log_parts(sheets)
    log = parts[0] if len(parts) == 1 else open_sheet(_sources(parts), root=root, engine=engine)
    roles = find_roles(log, label=_partial_label(parts), lenient=not _is_log(find_roles(log)))
    rest = [sheet for sheet in sheets if sheet not in parts]
    labels, keyed = _label_table(rest, log, roles)
    if labels and keyed:
        told = Guess(labels.label.column, f"as in {labels.sheet.name}") if labels.label.column in log.columns else None
        roles = find_roles(log, label=told or roles.get("label"), id_=keyed)
    label = labels.label.column if labels else roles["label"].column if "label" in roles else None
    others = [sheet for sheet in rest if labels is None or sheet is not labels.sheet]
    beside = tuple(_beside(sheet, log, roles, label=label) for sheet in others)
    return Arrangement(log, tuple(parts), roles, labels, beside)


def _is_log(roles: Found) -> bool:
    return "time" in roles and bool({"prediction", "score", "latency_ms"} & set(roles))


def _log_parts(sheets: Sequence[Sheet]) -> list[Sheet]:
    """The tables that together are the prediction log, in the order of time."""
    known = {id(sheet): find_roles(sheet) for sheet in sheets}
    logs = [sheet for sheet in sheets if _is_log(known[id(sheet)])]
    logs = [sheet for sheet in logs if not _bears(sheet, TRAINING_WORDS)] or logs
    if not logs:
        return [_last_resort(sheets)]
    main = max(logs, key=lambda sheet: len(sheet.columns))
    time = known[id(main)]["time"].column
    alike = [
        s
        for s in logs
        if s.table.format == main.table.format and _alike(s, main) and known[id(s)]["time"].column == time
    ]
    return sorted(alike, key=lambda sheet: _first(sheet, time))


def _alike(one: Sheet, other: Sheet) -> bool:
    """Whether two tables have the same columns, but for one, or a fifth of them: a late label, a column dropped."""
    a, b = set(one.columns), set(other.columns)
    return len(a ^ b) <= max(1, len(a | b) // 5)


def _first(sheet: Sheet, time: str) -> int:
    span = sheet.span(time)
    return span.first if span and span.first is not None else 0


def _follows(before: Sheet, after: Sheet, time: str) -> bool:
    span = before.span(time)
    return span is not None and span.last is not None and span.last <= _first(after, time)


def _sources(parts: Sequence[Sheet]) -> tuple[str, ...]:
    return tuple(source for part in parts for source in part.sources)


def _bears(sheet: Sheet, known: frozenset[str]) -> bool:
    return bool(known & {*words(sheet.stem), plain(sheet.stem)})


def _last_resort(sheets: Sequence[Sheet]) -> Sheet:
    """The first table with times and anything like a score.

    Raises InputProblem where there is none, which says what each lacks and which command takes such a table.
    """
    for sheet in sheets:
        if _is_log(find_roles(sheet, lenient=True)):
            return sheet
    for sheet in sheets:
        if not any(sheet.counts(column.name) for column in sheet.columns.values() if column.kind != "other"):
            raise InputProblem(f"{sheet.name} has columns but no values in them; hand over a log with predictions")
    timed = [sheet for sheet in sheets if find_time(sheet)]
    if timed:
        raise InputProblem(_nothing_to_judge(timed[0]))
    sheet = max(sheets, key=lambda one: len(one.columns))
    misread = [
        f"{column} can't be read as times ({value!r})"
        for column, _ in proposed(sheet.columns, "time")
        if (value := sheet.not_a_time(column)) is not None
    ]
    raise InputProblem(
        f"predictions.time: no column of times was found in {sheet.name}"
        + (f": {misread[0]}; write them as ISO 8601, like 2013-08-01T06:00:00Z" if misread else "")
        + f"; there are {listed(sheet.columns, most=15)}"
        + ("" if misread else "; hand over a log that tells when each prediction was made")
    )


def _nothing_to_judge(sheet: Sheet) -> str:
    time = find_time(sheet)
    moment = time.column if time else "COL"
    others = [column for column in sheet.columns.values() if column.name != moment]
    count = find(sheet, "count")
    columns, windows = listed(sheet.columns, most=15), "--baseline A..B --incident A..B"
    lacking = f"nothing to judge in {sheet.name}: no column of predictions, scores or latencies among {columns}"
    file = shlex.quote(sheet.sources[0])
    if count:
        errors = find(sheet, "errors", taken=[count.column])
        named = [shlex.quote(name) for name in (errors.column if errors else "COL", count.column, moment)]
        return (
            f"{lacking}; it looks like counts by attribute, for which there is `mortis errors --table {file} "
            f"--errors {named[0]} --count {named[1]} --time {named[2]} {windows}`"
        )
    if others and all(column.kind == "number" for column in others):
        command = f"`mortis signals --metrics {file} --symptom NAME {windows}`"
        return f"{lacking}; it looks like a table of series, for which there is {command}"
    return f"{lacking}; name one y_pred, y_pred_proba or latency_ms, or state it in a case file (`mortis schema case`)"


def _partial_label(parts: Sequence[Sheet]) -> Guess | None:
    """The one column that only some parts of the log hold: a label that the later ones have not got yet."""
    everywhere = set.intersection(*(set(part.columns) for part in parts))
    somewhere = [column for part in parts for column in part.columns if column not in everywhere]
    if len(set(somewhere)) != 1:
        return None
    holders = [part for part in parts if somewhere[0] in part.columns]
    return Guess(somewhere[0], f"only {holders[0].name} holds it, and the rest of the log doesn't")


def _label_table(rest: Sequence[Sheet], log: Sheet, roles: Found) -> tuple[LabelGuess | None, Guess | None]:
    """The table of labels and the key by which the log joins it; tables named so go first."""
    for sheet in sorted(rest, key=lambda one: not _bears(one, LABEL_WORDS)):
        keys = None if _bears(sheet, TRAINING_WORDS) else _keys(sheet, log, roles)
        if keys is None:
            continue
        wide = _shares_features(sheet, log, roles, key=keys[1].column) and not _bears(sheet, LABEL_WORDS)
        labels = None if wide else _labels_by(sheet, log, keys[0])
        if labels:
            return labels, keys[1]
    return None, None


def _keys(sheet: Sheet, log: Sheet, roles: Found) -> tuple[Guess, Guess] | None:
    """The column by which a table joins the log, and the log's own."""
    own = roles.get("id")
    if own and own.column in sheet.columns:
        return Guess(own.column, f"named as in {log.name}"), own
    shared = [
        column for column in log.columns if column in sheet.columns and _is_key(sheet, column) and _is_key(log, column)
    ]
    if shared:
        both = Guess(shared[0], f"a value of its own in every row of {sheet.name} and of the log")
        return both, both
    other = find(sheet, "id")
    if own and other and _overlap(sheet, other.column, log, own.column):
        return Guess(other.column, f"holds the values of {own.column}"), own
    return None


def _is_key(sheet: Sheet, column: str) -> bool:
    kind = sheet.columns[column]
    plain_kind = kind.kind in ("number", "category") and not (kind.is_float or kind.is_bool)
    return plain_kind and sheet.distinct(column) > 2 and sheet.is_unique(column)


def _overlap(one: Sheet, column: str, other: Sheet, key: str) -> bool:
    """Whether two columns have values in common, as far as a bounded look tells."""
    left = one.engine.values(one.table, column, most=_JOIN_SAMPLE)
    right = other.engine.values(other.table, key, most=_JOIN_SAMPLE)
    return bool(set(left) & set(right))


def _labels_by(sheet: Sheet, log: Sheet, key: Guess) -> LabelGuess | None:
    """What a table that joins the log by a key holds as labels; None where that can't be told."""
    time = find(sheet, "label_time", taken=[key.column]) or find_time(sheet)
    if time and (sheet.columns[time.column].kind == "number" or time.column == key.column):
        time = None  # arrival must be a time proper: a case states no unit for it
    taken = {key.column} | ({time.column} if time else set())
    label = find(sheet, "label", taken=taken)
    rest = [column for column in sheet.columns if column not in taken]
    own = [column for column in rest if column not in log.columns]
    if label is None and (len(rest) == 1 or len(own) == 1):
        label = Guess((rest if len(rest) == 1 else own)[0], "what that table holds besides its key")
    return LabelGuess(sheet, key, label, time) if label else None


def _shares_features(sheet: Sheet, log: Sheet, roles: Found, *, key: str = "") -> bool:
    """Whether a table holds at least half of what in the log plays no role, nor is the key: its features."""
    features = set(log.columns) - {guess.column for guess in roles.values()} - {key}
    return len(features) > 0 and 2 * len(features & set(sheet.columns)) >= len(features)


def _beside(sheet: Sheet, log: Sheet, roles: Found, *, label: str | None) -> Beside:
    """What a table is that is neither log nor labels."""
    names = {plain(column) for column in sheet.columns}
    if {"caller", "callee"} <= names:
        return Beside(sheet, "graph", "it has the columns caller and callee")
    if {"time", "kind", "summary"} <= names:
        return Beside(sheet, "events", "it has the columns time, kind and summary")
    if _is_log(find_roles(sheet)) and not _bears(sheet, TRAINING_WORDS):
        return Beside(sheet, "unused", "a prediction log of other columns or of another format; one case holds one log")
    alike = _shares_features(sheet, log, roles)
    if alike or _bears(sheet, TRAINING_WORDS):
        return _training_or_offline(sheet, log, roles, label=label)
    time = find_time(sheet)
    rest = [column for column in sheet.columns.values() if time is None or column.name != time.column]
    if time and rest and all(column.kind == "number" for column in rest):
        return Beside(sheet, "metrics", "times and nothing but numbers beside them", time.column)
    return Beside(sheet, "unused", "no log, labels, training set or metrics could be told from its columns")


def _training_or_offline(sheet: Sheet, log: Sheet, roles: Found, *, label: str | None) -> Beside:
    label = label if label in sheet.columns else _training_label(sheet, log, roles)
    key = roles["id"].column if "id" in roles else ""
    if key in sheet.columns and not _bears(sheet, TRAINING_WORDS) and (label is None or _bears(sheet, OFFLINE_WORDS)):
        return Beside(sheet, "offline_features", f"it has the log's features and its {key}", key)
    why = "named so" if _bears(sheet, TRAINING_WORDS) else "it has the log's features"
    return Beside(sheet, "training", why, label)


def _training_label(sheet: Sheet, log: Sheet, roles: Found) -> str | None:
    named = find(sheet, "label", taken=[guess.column for guess in roles.values()])
    own = [column for column in sheet.columns if column not in log.columns]
    return named.column if named else own[0] if len(own) == 1 else None
