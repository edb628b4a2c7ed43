"""ONNX files, run by onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mortis.problems import InputProblem, listed
from mortis.profiles import Floats
from mortis.rows import Column, is_number
from mortis.sources.models.matrices import numbers
from mortis.sources.models.scorer import Scorer, as_text, first_line, needed

_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
_FLOATS = ("tensor(float)", "tensor(double)")
_FAILURES = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")


def fault(head: bytes) -> str | None:
    """What is wrong with a file by its first bytes: ONNX has none that are always there, so only what it can't be."""
    if head[:2] in (b"PK", b"\x80\x04", b"\x80\x05") or head[:1] in (b"{", b"["):
        return "it does not begin like ONNX; name it by what it holds"
    return None


def load(file: Path, name: str) -> Scorer:
    """The scorer of an ONNX file: one tensor of all features, or one input for each.

    A file of one tensor may name its features as a JSON list in the metadata key `feature_names`. Raises InputProblem
    where it is no ONNX, or its inputs or outputs leave open what goes where.
    """
    runtime = needed("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised, and told by us
    try:
        session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except _failures() as error:
        raise InputProblem(f"{name} isn't what its name says: {_reason(error)}") from None
    inputs, classes = session.get_inputs(), _classes(file.read_bytes())
    _check_inputs(inputs, name)
    output = _output(session.get_outputs(), name)

    def predict(columns: Mapping[str, Column]) -> Floats:
        feed = _feed(inputs, columns, name)
        try:
            (values,) = session.run([output], feed)
        except _failures() as error:
            raise InputProblem(f"{name}: the model can't score these rows: {_reason(error)}") from None
        return _from_maps(values, classes) if isinstance(values, list) else np.asarray(values, dtype=np.float64)

    features, width = _features(session, inputs)
    return Scorer(name, predict, features=features, classes=classes, width=width)


def _failures() -> tuple[type[Exception], ...]:
    """The runtime's own exceptions, which share no class but Exception, and what a damaged name makes of one."""
    state = needed("onnxruntime.capi.onnxruntime_pybind11_state")
    return (*(getattr(state, kind) for kind in _FAILURES), UnicodeDecodeError)


def _reason(error: Exception) -> str:
    """The runtime's message without its code: '[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model ...'."""
    if isinstance(error, UnicodeDecodeError):
        return "it is damaged: its names are no text"
    return first_line(error).rpartition(" : ")[2]


def _features(session: Any, inputs: Sequence[Any]) -> tuple[tuple[str, ...] | None, int | None]:
    """The features' names, where the file has them, and how many there are, where it says so."""
    if len(inputs) > 1:
        return tuple(one.name for one in inputs), len(inputs)
    stated = session.get_modelmeta().custom_metadata_map.get("feature_names")
    if stated:
        return tuple(map(str, json.loads(stated))), None
    width = inputs[0].shape[1] if len(inputs[0].shape) == 2 else 1
    return None, width if isinstance(width, int) else None


def _check_inputs(inputs: Sequence[Any], name: str) -> None:
    """Raises InputProblem where an input is of a kind or shape that columns can't fill."""
    for one in inputs:
        if one.type not in _TYPES:
            raise InputProblem(f"{name}: input {one.name!r} is a {one.type}; known: {listed(_TYPES)}")
        if len(one.shape) > 2:
            raise InputProblem(f"{name}: input {one.name!r} has {len(one.shape)} dimensions; rows and features are two")
        if len(inputs) > 1 and len(one.shape) == 2 and one.shape[1] != 1:
            raise InputProblem(
                f"{name}: input {one.name!r} takes {one.shape[1]} features, whose names the file doesn't tell; export "
                "the model with one input for each feature, or one for all"
            )


def _output(outputs: Sequence[Any], name: str) -> str:
    """The output that holds the score: maps by class, else floats, those called probabilities first."""
    maps = [str(one.name) for one in outputs if one.type.startswith("seq(map(")]
    floats = [str(one.name) for one in outputs if one.type in _FLOATS]
    named = [one for one in floats if "prob" in one.lower()]
    found = maps or named or floats
    if len(found) == 1:
        return found[0]
    raise InputProblem(
        f"{name}: which output is the score? it has {listed(f'{one.name} ({one.type})' for one in outputs)}; export "
        "one of floats, or call one of them 'probabilities'"
    )


def _feed(inputs: Sequence[Any], columns: Mapping[str, Column], name: str) -> dict[str, Any]:
    """The columns as the tensors that the inputs take."""
    if len(inputs) == 1:
        (one,) = inputs
        cast = [_cast(column, one.type, feature=feature, name=name) for feature, column in columns.items()]
        return {one.name: np.column_stack(cast) if len(one.shape) == 2 else cast[0]}
    return {
        one.name: _cast(columns[one.name], one.type, feature=one.name, name=name).reshape((-1, 1)[: len(one.shape)])
        for one in inputs
    }


def _cast(column: Column, kind: str, *, feature: str, name: str) -> Any:
    """The column as the input's type; a missing text is the empty text, as ONNX knows no other.

    Raises InputProblem where values are missing that the type can't leave out.
    """
    if kind == "tensor(string)":
        missing = np.isnan(column) if is_number(column) else [value is None for value in column]
        return np.array(["" if gone else as_text(v) for v, gone in zip(column, missing, strict=True)], dtype=object)
    values = numbers(column, feature=feature, name=name)
    gaps = int(np.isnan(values).sum())
    if gaps and kind not in _FLOATS:
        raise InputProblem(
            f"{name}: feature {feature!r} is missing in {gaps:,} rows, and the model takes a {kind}, which has no gaps"
        )
    return values.astype(_TYPES[kind])


def _from_maps(rows: Sequence[Mapping[Any, float]], classes: tuple[str, ...] | None) -> Floats:
    """Probabilities (n, k) of rows that map each class to its own, in the order of the classes."""
    keys = list(rows[0])
    if classes and sorted(classes) == sorted(map(as_text, keys)):
        keys.sort(key=lambda key: classes.index(as_text(key)))
    return np.array([[row[key] for key in keys] for row in rows], dtype=np.float64)


def _classes(data: bytes) -> tuple[str, ...] | None:
    """The class names that the last classifying node of the file's graph states; None where none does.

    The runtime doesn't hand out a graph's attributes, so they are read from the file: field 7 of the model is the
    graph, its field 1 a node, whose field 5 is an attribute with name (1), integers (8) and strings (9).

    Source: onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
    """
    found: tuple[str, ...] | None = None
    for graph in _parts(memoryview(data), 7):
        for node in _parts(graph, 1):
            for attribute in _parts(node, 5):
                if any(bytes(one).startswith(b"classlabels_") for one in _parts(attribute, 1)):
                    labels = [as_text(bytes(one)) for one in _parts(attribute, 9)] or [*map(str, _integers(attribute))]
                    found = tuple(labels) or found
    return found


def _parts(message: memoryview, number: int) -> Iterator[memoryview]:
    """The values of a message's length-delimited field."""
    return (value for field, value in _fields(message) if field == number and isinstance(value, memoryview))


def _integers(attribute: memoryview) -> Iterator[int]:
    """An attribute's integers, packed into one value or one by one."""
    for field, value in _fields(attribute):
        if field != 8:
            continue
        if isinstance(value, int):
            yield _signed(value)
            continue
        at = 0
        while at < len(value):
            integer, at = _varint(value, at)
            yield _signed(integer)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """A protobuf message's fields: number, and its integer or its bytes.

    Source: https://protobuf.dev/programming-guides/encoding/
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = _varint(message, at)
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The integer that begins at a place, seven bits a byte, and the place after it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
