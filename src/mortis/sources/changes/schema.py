"""A data schema before and after: Parquet footers, JSON Schema, SQL's CREATE TABLE, CSV headers, in any combination."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mortis.case import BeforeAfter
from mortis.problems import InputProblem, WorkProblem, listed
from mortis.records import Change, ChangedPart
from mortis.sources.changes.before_after import plain_file
from mortis.sources.changes.columns import ANY, Column, Families, Schema, differences, reworded
from mortis.sources.changes.ddl import ddl_schemas
from mortis.sources.changes.json_schema import json_columns
from mortis.sources.changes.masking import one_line
from mortis.sources.changes.reading import ReadingContext, change_of_pair, text_of

_LONGEST_HEADER = 1 << 20

SchemaReader = Callable[[str, str, ReadingContext], tuple[Schema, ...]]
"""From a file's name, the key that states it, and where it stands, to the tables that the file states."""


def read_schema(source: BeforeAfter, context: ReadingContext) -> Iterator[Change]:
    """The change from one schema to the other: columns added, removed, renamed (a guess), and altered.

    Schemas of different kinds are compared by name and by family of types. Raises InputProblem where a file is not
    there, or not what its suffix says.
    """
    before = _schemas(source.before, f"{context.key}.before", context)
    after = _schemas(source.after, f"{context.key}.after", context)
    parts = [part for pair in _paired(before, after, context) for part in pair]
    yield from change_of_pair("schema", source, context, parts)


def _schemas(name: str, key: str, context: ReadingContext) -> tuple[Schema, ...]:
    suffix = Path(name).suffix.lower()
    if suffix not in SCHEMA_FORMATS:
        kind = suffix or "(no suffix)"
        raise InputProblem(f"{key}: {name}: unknown kind of schema {kind!r}; known: {listed(SCHEMA_FORMATS)}")
    schemas = SCHEMA_FORMATS[suffix](
        name, key, replace(context, tell=lambda said: context.tell(f"{key}: {name}: {said}"))
    )
    return tuple(
        replace(one, columns=tuple(replace(column, name=one_line(column.name)) for column in one.columns))
        for one in schemas
    )


def _paired(
    before: Sequence[Schema], after: Sequence[Schema], context: ReadingContext
) -> Iterator[Iterator[ChangedPart]]:
    """The differences of the tables that stand for each other: by name, or the ones that share most columns."""
    if len(before) == 1 or len(after) == 1:
        old, new = max(
            ((one, other) for one in before for other in after),
            key=lambda pair: len({c.name for c in pair[0].columns} & {c.name for c in pair[1].columns}),
        )
        if len(before) > 1 or len(after) > 1:
            context.tell(
                f"{context.key}: compared: table {old.table or new.table}, which shares most columns with the other"
            )
        elif old.table != new.table and old.table and new.table:
            context.tell(f"{context.key}: table {old.table} is called {new.table} now")
        _tell_reworded(old, new, context)
        yield differences(old, new)
        return
    olds, news = ({one.table: one for one in schemas} for schemas in (before, after))
    for name, new in news.items():
        if name in olds:
            _tell_reworded(olds[name], new, context)
            yield (replace(part, name=f"{name}.{part.name}") for part in differences(olds[name], new))
        else:
            yield iter([ChangedPart(name, None, f"table of {len(new.columns)} columns")])
    for name, old in olds.items():
        if name not in news:
            yield iter([ChangedPart(name, f"table of {len(old.columns)} columns", None)])


def _tell_reworded(old: Schema, new: Schema, context: ReadingContext) -> None:
    names = reworded(old, new)
    if names:
        context.tell(f"{context.key}: described in other words, with no other unit: {listed(names)}")


def _parquet(name: str, key: str, context: ReadingContext) -> tuple[Schema, ...]:
    """The schema in a Parquet file's footer; no row is read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = f"{key}: {name}"
    try:
        schema = pq.read_schema(plain_file(name, root=context.root, key=key))
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and not isinstance(error, pa.ArrowException) and error.errno:
            raise WorkProblem(f"{where} can't be read: {error.strerror}") from None
        raise InputProblem(f"{where} isn't what its name says: {one_line(str(error))}; fetch it again") from None
    return (Schema("Parquet", tuple(column for field in schema for column in _arrow_columns(field, ""))),)


def _arrow_columns(field: Any, prefix: str) -> Iterator[Column]:
    """A field, and those within it."""
    import pyarrow as pa

    type_ = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    name = f"{prefix}{field.name}"
    metadata = {key.decode(errors="replace").lower(): value for key, value in (field.metadata or {}).items()}
    said = [metadata[key].decode(errors="replace") for key in ("description", "comment") if key in metadata]
    said += [f"unit: {metadata[key].decode(errors='replace')}" for key in ("unit", "units") if key in metadata]
    nested = pa.types.is_struct(type_) or pa.types.is_list(type_) or pa.types.is_large_list(type_)
    shown = ("struct" if pa.types.is_struct(type_) else "list") if nested else str(type_)
    yield Column(name, shown, _arrow_families(type_), nulls=field.nullable, about="; ".join(said))
    if pa.types.is_struct(type_):
        for i in range(type_.num_fields):
            yield from _arrow_columns(type_.field(i), f"{name}.")
    elif nested:
        yield from _arrow_columns(type_.value_field.with_name("[]"), name)


def _arrow_families(type_: Any) -> Families:
    import pyarrow as pa

    tests: tuple[tuple[Callable[[Any], bool], str], ...] = (
        (pa.types.is_boolean, "truth"),
        (pa.types.is_integer, "whole number"),
        (pa.types.is_floating, "number"),
        (pa.types.is_decimal, "decimal"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
        (pa.types.is_time, "time"),
        (lambda one: pa.types.is_string(one) or pa.types.is_large_string(one), "text"),
        (lambda one: pa.types.is_binary(one) or pa.types.is_large_binary(one), "binary"),
        (lambda one: pa.types.is_list(one) or pa.types.is_large_list(one), "list"),
        (lambda one: pa.types.is_struct(one) or pa.types.is_map(one), "mapping"),
    )
    return next((frozenset({family}) for test, family in tests if test(type_)), ANY)


def _json(name: str, key: str, context: ReadingContext) -> tuple[Schema, ...]:
    return (json_columns(text_of(name, key, context), f"{key}: {name}", context.tell),)


def _sql(name: str, key: str, context: ReadingContext) -> tuple[Schema, ...]:
    return ddl_schemas(text_of(name, key, context), f"{key}: {name}", context.tell)


def _csv(name: str, key: str, context: ReadingContext) -> tuple[Schema, ...]:
    """The names in a CSV file's first line, parted by what occurs there most; the columns' content is not looked at."""
    where, file = f"{key}: {name}", plain_file(name, root=context.root, key=key)
    try:
        with file.open("r", encoding="utf-8-sig", newline="") as stream:
            first = stream.readline(_LONGEST_HEADER)
    except UnicodeDecodeError:
        raise InputProblem(f"{where} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise WorkProblem(f"{where} can't be read: {error.strerror}") from None
    try:
        names = next(csv.reader([first], delimiter=max(",;\t|", key=first.count)), [])
    except csv.Error as error:
        raise InputProblem(f"{where}: its first line is no CSV header: {error}") from None
    if not any(name.strip() for name in names) or "\0" in first:
        raise InputProblem(f"{where}: its first line names no columns")
    context.tell("a CSV header states names alone: types and missing values were not compared")
    return (Schema("CSV header", tuple(Column(name.strip()) for name in names)),)


SCHEMA_FORMATS: Mapping[str, SchemaReader] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".json": _json,
    ".sql": _sql,
    ".ddl": _sql,
    ".csv": _csv,
    ".tsv": _csv,
}
"""Kinds of schema by suffix. A new one is a function and a line here."""
