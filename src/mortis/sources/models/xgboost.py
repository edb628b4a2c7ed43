"""XGBoost's own files, JSON and UBJSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mortis.problems import InputProblem
from mortis.profiles import Floats
from mortis.rows import Column
from mortis.sources.models.matrices import as_matrix
from mortis.sources.models.scorer import Scorer, first_line, needed


def fault(head: bytes) -> str | None:
    """What is wrong with a file by its first bytes; None where it begins like XGBoost's."""
    if head.lstrip().startswith(b"{") and b"learner" in head:
        return None
    return "it does not begin like an XGBoost model, with the key 'learner'"


def load(file: Path, name: str) -> Scorer:
    """The scorer of an XGBoost file, with the categories that XGBoost 3.1 and later keep in it.

    Raises InputProblem where the file is cut short or damaged.
    """
    library = needed("xgboost")
    try:
        return booster_scorer(library.Booster(model_file=file), name=name)
    except (library.core.XGBoostError, ValueError) as error:
        raise InputProblem(f"{name} isn't what its name says: {_reason(error)}") from None


def booster_scorer(booster: Any, *, name: str) -> Scorer:
    """The scorer of a booster, with all its trees: probabilities, or what its objective predicts; without classes."""
    library = needed("xgboost")
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    if objective == "multi:softmax":
        booster = booster.copy()
        booster.set_param({"objective": "multi:softprob"})  # the same trees, and the chance of each class
    categories = _categories(booster)

    def predict(columns: Mapping[str, Column]) -> Floats:
        matrix = as_matrix(columns, name=name, categories=categories)
        try:
            rows = library.DMatrix(
                matrix,
                feature_names=booster.feature_names,
                feature_types=booster.feature_types,
                enable_categorical=True,
            )
            return np.asarray(booster.predict(rows), dtype=np.float64)
        except (library.core.XGBoostError, ValueError) as error:
            raise InputProblem(f"{name}: the model can't score these rows: {_reason(error)}") from None

    names = booster.feature_names
    return Scorer(
        name,
        predict,
        features=tuple(names) if names else None,
        width=booster.num_features(),
        notes=_early_stop(booster),
    )


def _categories(booster: Any) -> dict[str, list[Any]]:
    """Each categorical feature's values in the order of their codes; none where the file is of an older XGBoost."""
    if "c" not in (booster.feature_types or ()):
        return {}
    kept = booster.get_categories(export_to_arrow=True).to_arrow()
    return {feature: values.to_pylist() for feature, values in kept or () if values is not None}


def _early_stop(booster: Any) -> tuple[str, ...]:
    """A note where training went on after the best round: XGBoost's scikit-learn wrapper leaves out what came later."""
    best = booster.attr("best_iteration")
    rounds = booster.num_boosted_rounds()
    if best is None or int(best) + 1 >= rounds:
        return ()
    return (f"scored with all {rounds} rounds; training was best at round {int(best) + 1}, where some services stop",)


def _reason(error: Exception) -> str:
    """XGBoost's message without its time stamp and source line: '[08:00:00] /src/json.cc:1: Expecting ...'."""
    line = first_line(error)
    return line.rpartition(": ")[2] if line.startswith("[") else line
