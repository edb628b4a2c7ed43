"""What is wrong with a case, as one line: file, line, key, what exists and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from mortis.problems import listed, near

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_KEYS = 30


def one_line(
    error: ValidationError,
    model: type[BaseModel],
    data: Mapping[str, Any],
    *,
    name: str,
    lines: Mapping[tuple[Any, ...], int],
) -> str:
    """The first thing that is wrong, as one line; an unknown key first, as it may explain what is missing."""
    problems = error.errors()
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path = _stated(first["loc"], data)
    line = next((lines[path[:i]] for i in range(len(path), 0, -1) if path[:i] in lines), None)
    where = f"{name} line {line}" if line else name
    if first["type"] == "extra_forbidden":
        known = keys_of(_section(model, path[:-1]))
        guess = near(str(path[-1]), known) or ";"
        return f"{where}: unknown key {path[-1]!r}{guess} keys there: {listed(known, most=MOST_KEYS)}"
    key = ".".join(str(step) for step in path)
    if first["type"] == "missing":
        key = ".".join(str(step) for step in (*path, first["loc"][-1]))
        return f"{where}: missing key {key!r}; it is compulsory"
    return f"{where}: {key}: {_message(first, _section(model, path))}"


def _message(problem: ErrorDetails, section: type[BaseModel]) -> str:
    if problem["type"] in ("model_type", "model_attributes_type"):
        return f"must hold keys; there are {listed(keys_of(section), most=MOST_KEYS)}"
    if problem["type"] == "literal_error":
        known = [choice.strip("'") for choice in problem["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        value = problem["input"]
        return f"{value!r} is not known{near(str(value), known) or ';'} there are {listed(known)}"
    message = problem["msg"]
    own = message.removeprefix("Value error, ")
    return own if own != message else message[:1].lower() + message[1:]


def _stated(loc: tuple[int | str, ...], data: Any) -> tuple[int | str, ...]:
    """The steps of a location that the data hold; pydantic puts the names of a union's members between them."""
    path: list[int | str] = []
    for step in loc:
        if (isinstance(data, Mapping) and step in data) or (
            isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)
        ):
            path.append(step)
            data = data[step]  # type: ignore[index]  # a mapping has the step, a list has the place
    return tuple(path)


def _section(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """The model class that a key path leads to."""
    current = model
    for step in path:
        fields = {(f.alias or name): f for name, f in current.model_fields.items()}
        inner = fields.get(str(step))
        current = (_model_in(inner.annotation) if inner else None) or current
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a section of the case file may hold."""
    return [f.alias or name for name, f in model.model_fields.items() if name != "root"]
