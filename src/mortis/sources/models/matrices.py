"""Columns as one matrix of numbers: texts become their place among the model's categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mortis.problems import InputProblem
from mortis.profiles import Floats
from mortis.rows import Column, is_number
from mortis.sources.models.scorer import as_text

_AS_LOGGED = {True: ("True", "true", "1"), False: ("False", "false", "0")}


def as_matrix(
    columns: Mapping[str, Column], *, name: str, categories: Mapping[str, Sequence[Any]] | None = None
) -> Floats:
    """The columns (n, k) as numbers; a value unseen in training counts as missing.

    Raises InputProblem where a column is text and has no categories.

    >>> as_matrix({"a": np.array([0.5]), "c": np.array(["y"], object)}, name="m", categories={"c": ["x", "y"]})
    array([[0.5, 1. ]])
    """
    known = categories or {}
    return np.column_stack(
        [
            coded(column, known[feature]) if feature in known else numbers(column, feature=feature, name=name)
            for feature, column in columns.items()
        ]
    )


def coded(column: Column, categories: Sequence[Any]) -> Floats:
    """Places (n,) of the values among the categories, NaN where the value is missing or is none of them.

    >>> coded(np.array([5.0, 3.0, np.nan]), [3, 5])
    array([ 1.,  0., nan])
    """
    places = {text: float(i) for i, category in enumerate(categories) for text in _texts(category)}
    if not is_number(column):
        return np.array([places.get(value, np.nan) for value in column])
    values, where = np.unique(column, return_inverse=True)
    return np.array([places.get(as_text(value), np.nan) for value in values])[where]


def _texts(category: Any) -> tuple[str, ...]:
    """How a log may show the category."""
    return _AS_LOGGED[bool(category)] if isinstance(category, bool | np.bool_) else (as_text(category),)


def numbers(column: Column, *, feature: str, name: str) -> Floats:
    """The column as doubles (n,); a column of texts that are all missing is one of NaN.

    Raises InputProblem where it holds texts.
    """
    if is_number(column):
        return np.asarray(column, dtype=np.float64)
    if all(value is None for value in column):
        return np.full(len(column), np.nan)
    raise InputProblem(
        f"{name}: feature {feature!r} is text, and the model file carries no categories for it; hand over a file that "
        "does (ONNX, skops, or a booster trained on a data frame with category columns)"
    )
