"""The post-mortem as JSON, with the keys that scripts rely on, and its JSON Schema."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from numbers import Integral, Real
from typing import Any

from mortis.document.svg import clean
from mortis.records import LogTemplate, Postmortem

# Python keeps the word `class` for itself.
RENAMED: dict[tuple[type, str], str] = {(LogTemplate, "change"): "class"}


def as_json(postmortem: Postmortem) -> str:
    """The whole post-mortem as JSON text.

    Keys stand in the records' order, times are RFC 3339 in UTC, and what is no number is null.
    """
    return json.dumps(as_data(postmortem), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def as_data(value: Any) -> Any:
    """Records, tuples and moments as objects, lists and texts, ready to be written as JSON.

    >>> as_data(LogTemplate("timeout after <*>", "new", 0, 12, float("nan")))
    {'template': 'timeout after <*>', 'class': 'new', 'baseline': 0, 'incident': 12, 'q': None, ...}
    """
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        return {RENAMED.get((kind, f.name), f.name): as_data(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {clean(str(key)): as_data(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_data(item) for item in value]
    return _single(value)


def _single(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)  # NumPy's integers are none of JSON's
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return value


@cache
def postmortem_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every `postmortem.json` keeps to.

    >>> postmortem_schema()["title"]
    'Postmortem'
    """
    from pydantic import TypeAdapter

    schema = TypeAdapter(Postmortem).json_schema(mode="serialization")
    for (kind, old), new in RENAMED.items():
        definition = schema["$defs"][kind.__name__]
        for part in ("properties", "required"):
            definition[part] = _renamed(definition[part], old, new)
        definition["properties"][new]["title"] = new.title()
    nullable: dict[str, Any] = _nullable(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **nullable}


def _renamed(part: Any, old: str, new: str) -> Any:
    if isinstance(part, dict):
        return {new if key == old else key: value for key, value in part.items()}
    return [new if key == old else key for key in part]


def _nullable(node: Any) -> Any:
    """The schema with null allowed for every number, as JSON has no other word for 'not a number'."""
    if isinstance(node, list):
        return [_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _nullable(value) for key, value in node.items()}
    return {**inner, "type": ["number", "null"]} if node.get("type") == "number" else inner
