"""The columns that a JSON Schema states, nested ones by dotted names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from mortis.problems import InputProblem
from mortis.sources.changes.columns import ANY, Column, Families, Schema

MOST_DEPTH = 30
MOST_COLUMNS = 20_000

# What a JSON type may stand for elsewhere: text holds what JSON has no type for.
_FAMILIES: Mapping[str, Families] = {
    "string": frozenset({"text", "date", "time", "timestamp", "uuid", "binary", "decimal"}),
    "number": frozenset({"number", "decimal", "whole number"}),
    "integer": frozenset({"whole number"}),
    "boolean": frozenset({"truth"}),
    "object": frozenset({"mapping"}),
    "array": frozenset({"list"}),
}
_FORMATS: Mapping[str, Families] = {
    "date-time": frozenset({"timestamp"}),
    "date": frozenset({"date"}),
    "time": frozenset({"time"}),
    "uuid": frozenset({"uuid", "text"}),
    "binary": frozenset({"binary"}),
}
_NOT_READ = ("if", "patternProperties", "dependentSchemas", "not", "$dynamicRef", "propertyNames")


@dataclass(frozen=True, slots=True)
class _Node:
    """A subschema with its references followed: what it says, its types apart from null, whether null is one.

    `references` are those that led here.
    """

    says: Mapping[str, Any]
    types: tuple[str, ...]
    null: bool
    references: frozenset[str] = frozenset()


def json_columns(text: str, where: str, tell: Callable[[str], None]) -> Schema:
    """The schema in a JSON text; what of it is not understood is told.

    Raises InputProblem where the text is no JSON Schema of an object.

    Source: JSON Schema, draft 2020-12, and the drafts before it where they agree.
    """
    try:
        data = json.loads(text)
        root = data.get("items", data) if isinstance(data, dict) and data.get("type") == "array" else data
        node = _resolved(root, data, tell) if isinstance(root, dict) else None
        if node is None or not isinstance(node.says.get("properties"), dict):
            raise InputProblem(
                f"{where} is no JSON Schema with `properties`; hand over one, or a .sql or .parquet file"
            )
        columns = tuple(islice(_columns(node, _Place(data, tell)), MOST_COLUMNS + 1))
    except ValueError as error:
        raise InputProblem(f"{where} is not JSON: {error}; mend that place") from None
    except RecursionError:
        raise InputProblem(f"{where} is nested too deeply to be compared") from None
    if len(columns) > MOST_COLUMNS:
        raise InputProblem(f"{where} states more than {MOST_COLUMNS:,} fields; hand over the part that matters")
    return Schema("JSON Schema", columns)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema an object stands: the whole, what its fields' names begin with, the references above it."""

    root: Any
    tell: Callable[[str], None]
    prefix: str = ""
    above: frozenset[str] = frozenset()


def _columns(node: _Node, place: _Place) -> Iterator[Column]:
    """The fields of an object, and those within them."""
    if place.above & node.references or place.prefix.count(".") > MOST_DEPTH:
        place.tell(f"{place.prefix.rstrip('.')} holds itself, or is nested too deeply; what lies below was left out")
        return
    required = node.says.get("required") or ()
    above = place.above | node.references
    for name, stated in node.says["properties"].items():
        inner = _resolved(stated if isinstance(stated, dict) else {}, place.root, place.tell)
        column = _column(f"{place.prefix}{name}", inner, optional=name not in required)
        yield column
        yield from _below(inner, replace(place, prefix=column.name, above=above))


def _below(node: _Node, place: _Place) -> Iterator[Column]:
    """The fields within a field that is an object, or a list."""
    if isinstance(node.says.get("properties"), dict):
        yield from _columns(node, replace(place, prefix=f"{place.prefix}."))
    items = node.says.get("items")
    if isinstance(items, dict) and place.prefix.count("[]") <= MOST_DEPTH:
        element = _resolved(items, place.root, place.tell)
        name = f"{place.prefix}[]"
        yield _column(name, element, optional=False)
        yield from _below(element, replace(place, prefix=name))


def _column(name: str, node: _Node, *, optional: bool) -> Column:
    says = node.says
    form = str(says.get("format") or "")
    families = ANY.union(*(_FAMILIES.get(one, ANY) for one in node.types))
    values = says.get("enum", [says["const"]] if "const" in says else None)
    about = [str(says[key]) for key in ("title", "description") if says.get(key)]
    about += [f"unit: {says[key]}" for key in ("unit", "units") if says.get(key)]
    return Column(
        name=name,
        type=(" or ".join(node.types) or "any") + (f" ({form})" if form else ""),
        families=_FORMATS.get(form, families) if node.types == ("string",) else families,
        nulls=optional or node.null,
        default=json.dumps(says["default"]) if "default" in says else None,
        values=tuple(_text(one) for one in values if one is not None) if isinstance(values, list) else None,
        about="; ".join(about),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _resolved(stated: Mapping[str, Any], root: Any, tell: Callable[[str], None], *, depth: int = 0) -> _Node:
    """A subschema with its reference, `allOf`, and choices between a type and null put into one."""
    unread = [key for key in _NOT_READ if key in stated]
    if unread:
        tell(f"`{'`, `'.join(unread)}` is not understood and was left out")
    says: dict[str, Any] = {key: value for key, value in stated.items() if key not in ("$ref", "allOf")}
    parents: list[Mapping[str, Any]] = [part for part in stated.get("allOf") or () if isinstance(part, dict)]
    references: set[str] = set()
    if "$ref" in stated:
        references.add(str(stated["$ref"]))
        parents.append(_referred(str(stated["$ref"]), root, tell))
    for parent in parents if depth < MOST_DEPTH else ():
        inner = _resolved(parent, root, tell, depth=depth + 1)
        says = _over(inner.says, says)
        references |= inner.references
    return _with_choices(
        _Node(says, _types(says), "null" in _listed(says.get("type")), frozenset(references)), root, tell, depth
    )


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What a subschema says over what it is based on: properties and what is required add up."""
    properties = {**(base.get("properties") or {}), **(own.get("properties") or {})}
    required = [*(base.get("required") or ()), *(own.get("required") or ())]
    together = ({"properties": properties} if properties else {}) | ({"required": required} if required else {})
    return {**base, **own, **together}


def _with_choices(node: _Node, root: Any, tell: Callable[[str], None], depth: int) -> _Node:
    """The node with what its `anyOf` or `oneOf` offers: all their types; the fields where one alone has any."""
    choices = [one for key in ("anyOf", "oneOf") for one in node.says.get(key) or () if isinstance(one, dict)]
    if not choices or depth >= MOST_DEPTH:
        return node
    inner = [_resolved(one, root, tell, depth=depth + 1) for one in choices]
    types = tuple(dict.fromkeys(type_ for one in (node, *inner) for type_ in one.types))
    real = [one for one in inner if one.types or one.says.get("properties")]
    if len(real) > 1 and any("properties" in one.says for one in real):
        tell("a choice between several objects is not understood; its fields were left out")
    return _Node(
        says=_over(real[0].says, node.says) if len(real) == 1 else node.says,
        types=types,
        null=node.null or any(one.null for one in inner),
        references=node.references.union(*(one.references for one in real[:1])),
    )


def _types(says: Mapping[str, Any]) -> tuple[str, ...]:
    stated = tuple(one for one in _listed(says.get("type")) if one != "null")
    if stated or not says.get("enum"):
        return stated
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return tuple(sorted({names[type(one)] for one in says["enum"] if type(one) in names}))


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else (str(value),) if value else ()


def _referred(reference: str, root: Any, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """What a reference within the file points to; one to another file is not followed, and told."""
    if not reference.startswith("#"):
        tell(f"the reference to {reference} was not followed")
        return {}
    found = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        found = found if not name else found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        tell(f"the reference to {reference} leads nowhere")
        return {}
    return found
