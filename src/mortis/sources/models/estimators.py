"""Estimators and pipelines of scikit-learn's manner as scorers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mortis.problems import InputProblem, WorkProblem
from mortis.profiles import Floats
from mortis.rows import Column, is_number
from mortis.sources.models import lightgbm, xgboost
from mortis.sources.models.scorer import Predict, Scorer, as_text, first_line, two_columns

_OUTPUTS = ("predict_proba", "decision_function", "predict")


def estimator_scorer(model: Any, *, name: str, notes: tuple[str, ...] = ()) -> Scorer:
    """The scorer of an estimator: its probabilities, else its decision function, else its predictions.

    Boosters and their scikit-learn wrappers are scored by their own library. Raises InputProblem where the object is
    none of these.
    """
    booster = _booster_scorer(model, name)
    if booster:
        return replace(booster, notes=booster.notes + notes)
    output = next((one for one in _OUTPUTS if hasattr(model, one)), None)
    if output is None:
        raise InputProblem(f"{name}: a {type(model).__name__} is no model: it has no predict")
    names = getattr(model, "feature_names_in_", None)
    return Scorer(
        name,
        _predict_by(model, output, name=name, named=names is not None),
        features=None if names is None else tuple(map(str, names)),
        classes=_classes(model),
        width=getattr(model, "n_features_in_", None),
        notes=notes,
    )


def _classes(model: Any) -> tuple[str, ...] | None:
    """The classes as texts; an estimator of several outputs has a list of arrays, which has no one score."""
    classes = getattr(model, "classes_", None)
    return tuple(map(as_text, classes)) if isinstance(classes, np.ndarray) else None


def _booster_scorer(model: Any, name: str) -> Scorer | None:
    """The library's own scorer of a booster or of its scikit-learn wrapper; None where the model is something else."""
    library, kind = type(model).__module__.partition(".")[0], type(model).__name__
    if library == "lightgbm":
        scorer = lightgbm.booster_scorer(model if kind == "Booster" else model.booster_, name=name)
    elif library == "xgboost":
        scorer = xgboost.booster_scorer(model if kind == "Booster" else model.get_booster(), name=name)
    else:
        return None
    classes = _classes(model)
    if classes is None or len(classes) != 2:
        return replace(scorer, classes=classes)
    return replace(scorer, classes=classes, predict=lambda columns: two_columns(scorer.predict(columns)))


def _predict_by(model: Any, output: str, *, name: str, named: bool) -> Predict:
    """The estimator's prediction by the method of that name; both columns of a two-class decision function."""

    def predict(columns: Mapping[str, Column]) -> Floats:
        rows = _frame(columns) if named else _array(columns)
        try:
            with warnings.catch_warnings():
                # Without pandas the rows come as an array, in the order of the model's names.
                warnings.filterwarnings("ignore", message="X does not have valid feature names")
                values = np.asarray(getattr(model, output)(rows), dtype=np.float64)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise InputProblem(f"{name}: the model can't score these rows: {first_line(error)}") from None
        two_sided = output == "decision_function" and values.ndim == 1
        return np.column_stack([-values, values]) if two_sided else values

    return predict


def _frame(columns: Mapping[str, Column]) -> Any:
    """The columns as the pandas frame that a model with feature names was trained on, or as an array without pandas."""
    try:
        import pandas as pd
    except ModuleNotFoundError:
        texts = [feature for feature, column in columns.items() if not is_number(column)]
        if texts:
            raise WorkProblem(
                f"feature {texts[0]!r} is text, which this model takes in a pandas frame; run: pip install pandas"
            ) from None
        return _array(columns)
    return pd.DataFrame(dict(columns))


def _array(columns: Mapping[str, Column]) -> Any:
    """The columns as an array (n, k): doubles, or objects where one is text."""
    return np.column_stack(list(columns.values()))
