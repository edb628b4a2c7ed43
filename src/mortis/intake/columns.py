"""The columns of a table and what they hold: found, of the right kind, times that can be compared, features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mortis.case import Predictions
from mortis.problems import InputProblem, listed, near
from mortis.sources.tables import Table
from mortis.sources.times import epoch_unit

if TYPE_CHECKING:
    import pyarrow as pa

    from mortis.engine import Engine, Span
    from mortis.engine.dataset import Kind

ID_LIKE_SHARE = 0.5
SINGLE_ROLES = ("time", "id", "prediction", "label", "version", "latency_ms", "error", "group")


@dataclass(frozen=True, slots=True)
class Origin:
    """A table as it was opened: the engine that reads it, the table, and its columns."""

    engine: Engine
    table: Table
    schema: pa.Schema


def _stated_columns(stated: Predictions) -> Iterator[tuple[str, str]]:
    """Every column that the case names in the log, with its key."""
    for role in SINGLE_ROLES:
        if column := getattr(stated, role):
            yield f"predictions.{role}", column
    yield from (("predictions.score", column) for column in score_columns(stated))
    yield from (("predictions.segments", column) for column in stated.segments)
    if stated.features != "auto":
        yield from (("predictions.features", column) for column in stated.features)


def score_columns(stated: Predictions) -> tuple[str, ...]:
    """The columns of scores: none, one, or one per class."""
    if isinstance(stated.score, Mapping):
        return tuple(stated.score.values())
    return (stated.score,) if stated.score else ()


def check_columns(stated: Predictions, origin: Origin) -> None:
    """Raises InputProblem for the first column that the case names and the log lacks."""
    for key, column in _stated_columns(stated):
        check_column(origin, column, key=key)


def check_kinds(stated: Predictions, origin: Origin) -> None:
    """Raises InputProblem for the first column whose kind its role can't have."""
    for column in score_columns(stated):
        check_numbers(origin, column, key="predictions.score", remedy="name the column with the probability or figure")
    if stated.latency_ms:
        check_numbers(origin, stated.latency_ms, key="predictions.latency_ms", remedy="name the column of milliseconds")
    if stated.error and _type_of(origin, stated.error) != "bool":
        check_numbers(
            origin, stated.error, key="predictions.error", remedy="name a column of true and false, or 1 and 0"
        )


def check_column(origin: Origin, column: str, *, key: str) -> None:
    """Raises InputProblem, naming the key, where the table has no such column, or one that no question reads."""
    names = origin.schema.names
    if column not in names:
        guess = near(column, names) or ";"
        raise InputProblem(
            f"{key}: column {column!r} not found in {origin.table.name}{guess} there are: {listed(names, most=40)}"
        )
    if kind(origin, column) == "other":
        raise InputProblem(
            f"{key}: column {column!r} of {origin.table.name} holds {_type_of(origin, column)}, "
            "not numbers, text or times; name a plain column"
        )


def check_numbers(origin: Origin, column: str, *, key: str, remedy: str) -> None:
    """Raises InputProblem, naming the key and the remedy, where the column doesn't hold numbers."""
    if not is_number(origin, column):
        raise InputProblem(
            f"{key}: column {column!r} of {origin.table.name} holds {_type_of(origin, column)}, not numbers; {remedy}"
        )


def is_number(origin: Origin, column: str) -> bool:
    """Whether the column holds numbers."""
    return kind(origin, column) == "number"


def kind(origin: Origin, column: str) -> Kind:
    """What the column is good for."""
    from mortis.engine.types import kind_of

    return kind_of(origin.schema.field(column).type)


def _type_of(origin: Origin, column: str) -> str:
    """The column's Arrow type in a word a user knows, without what is nested in it."""
    name = str(origin.schema.field(column).type).partition("<")[0]
    return "text" if "string" in name else name


def check_time(origin: Origin, column: str, *, key: str) -> tuple[str, Span]:
    """The unit of a numeric time column ('' for times proper), and what the column holds.

    Raises InputProblem, naming the key, where it holds no times, or times that can't be compared.
    """
    engine, table = origin.engine, origin.table
    where, unit = f"{key}: column {column!r} of {table.name}", ""
    if _type_of(origin, column) == "bool":
        raise InputProblem(f"{where} holds bool, not times; name a column of times")
    if is_number(origin, column):
        latest = engine.span(table, column, "s").last
        unit = "s" if latest is None else epoch_unit(latest)
        if not unit:
            raise InputProblem(
                f"{where} holds numbers up to {latest}, which are no epoch times; name a column of times"
            )
    span = engine.span(table, column, unit)
    if not span.rows:
        raise InputProblem(f"{key}: {table.name} has columns but no rows; hand over a table with rows")
    if span.unparsable:
        row, value = span.unparsable
        raise InputProblem(
            f"{where}: row {row} holds {value!r}, which is no time; write ISO 8601 like 2013-08-01T06:00:00Z"
        )
    if span.mixed_zones:
        raise InputProblem(
            f"{where} mixes times with and without a time zone; write all of them with an offset, or none"
        )
    if span.first is None or span.last is None:
        raise InputProblem(f"{where} is empty in every row; name the column with the times")
    return unit, span


def feature_columns(stated: Predictions, origin: Origin, rows: int, guesses: list[str]) -> tuple[str, ...]:
    """The feature columns: as stated, or all that play no other role and aren't keys or times."""
    if stated.features != "auto":
        return tuple(dict.fromkeys([*stated.features, *stated.segments]))
    taken = {getattr(stated, role) for role in SINGLE_ROLES} | set(score_columns(stated))
    features, left_out = [], []
    for name in origin.schema.names:
        if name in taken:
            continue
        found = kind(origin, name)
        if found in ("time", "other"):
            left_out.append(f"{name} ({origin.schema.field(name).type})")
        elif found == "category" and name not in stated.segments and _is_key(origin, name, rows):
            left_out.append(f"{name} (nearly every value is different)")
        else:
            features.append(name)
    if left_out:
        guesses.append(f"predictions.features leaves out {listed(left_out)}")
    return tuple(dict.fromkeys([*features, *stated.segments]))


def _is_key(origin: Origin, column: str, rows: int) -> bool:
    """Whether a text column is more of a key than a category: most of its values occur once."""
    common = origin.engine.values(origin.table, column, most=1)
    if rows < 100 or next(iter(common.values()), 0) > rows * 0.01:
        return False
    n, distinct = origin.engine.keys(origin.table, column)
    return n > 0 and distinct > ID_LIKE_SHARE * n
