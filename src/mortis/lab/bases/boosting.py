"""Boosted trees for the bases, in LightGBM's own text format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mortis.lab.bases.packages import needed
from mortis.lab.traffic import Columns, Floats


@dataclass(frozen=True, slots=True)
class Boosted:
    """LightGBM's text, the features in their order, and the category values in the order of their codes."""

    text: str
    features: tuple[str, ...]
    vocabulary: Mapping[str, tuple[str, ...]]
    suffix: str = ".txt"

    def score(self, columns: Columns) -> Floats:
        """Probability of the positive class or predicted figure (n,); an unseen category counts as missing."""
        booster = needed("lightgbm").Booster(model_str=self.text)
        found = booster.predict(coded(columns, self.features, self.vocabulary), num_threads=1)
        return np.asarray(found, dtype=np.float64)

    def save(self, path: Path) -> None:
        """Write the text."""
        path.write_text(self.text, encoding="utf-8", newline="\n")


def boosted(
    columns: Columns,
    y: Floats,
    *,
    objective: str = "binary",
    rounds: int = 60,
    leaves: int = 15,
    group: Sequence[int] | None = None,
) -> Boosted:
    """Trees fitted to y (n,) by these columns: same rows, same text. `group` is each query's number of rows.

    The text ends with the category values in the order of their codes, on the line where LightGBM keeps those of data
    frames, so that the file alone is enough to score logged rows.
    """
    library = needed("lightgbm")
    features = tuple(columns)
    vocabulary = vocabulary_of(columns)
    settings = {
        "objective": objective,
        "num_leaves": leaves,
        "learning_rate": 0.12,
        "min_data_in_leaf": 60,
        "cat_smooth": 30,
        "seed": 7,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = library.Dataset(
        coded(columns, features, vocabulary),
        y,
        group=group,
        feature_name=list(features),
        categorical_feature=list(vocabulary),
    )
    booster = library.train(settings, data, num_boost_round=rounds)
    booster.pandas_categorical = [list(values) for values in vocabulary.values()]
    return Boosted(booster.model_to_string(), features, vocabulary)


def vocabulary_of(columns: Columns) -> dict[str, tuple[str, ...]]:
    """Each category's values in the order of their codes.

    >>> vocabulary_of({"a": np.array([0.5]), "c": np.array(["y", None, "x"], object)})
    {'c': ('x', 'y')}
    """
    return {
        name: tuple(sorted({value for value in column if value is not None}))
        for name, column in columns.items()
        if column.dtype == object
    }


def coded(columns: Columns, features: Sequence[str], vocabulary: Mapping[str, Sequence[str]]) -> Floats:
    """The features (n, k) as numbers: a category becomes its place in the vocabulary; nulls and unknown values NaN.

    >>> coded({"a": np.array([0.5]), "c": np.array(["y"], object)}, ["c", "a"], {"c": ["x", "y"]})
    array([[1. , 0.5]])
    """
    return np.column_stack([_numbers(columns[name], vocabulary.get(name)) for name in features])


def _numbers(column: Any, known: Sequence[str] | None) -> Floats:
    if known is None:
        return np.asarray(column, dtype=np.float64)
    places = {value: float(i) for i, value in enumerate(known)}
    return np.array([places.get(value, np.nan) for value in column], dtype=np.float64)
