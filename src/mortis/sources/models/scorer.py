"""What every model file opens to: columns in, one figure per row out."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mortis.problems import InputProblem, WorkProblem, listed, near
from mortis.profiles import Floats
from mortis.rows import Column

Predict = Callable[[Mapping[str, Column]], Floats]
"""A model's own prediction for columns in its order: (n,) values, or (n, k) probabilities in its classes' order."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model that scores rows.

    `features` are the model's own feature names in their order, None where the file doesn't carry them; then the
    caller's order counts, and `width` is how many columns it takes, where known. `classes` names the classes in the
    order of the scores' columns, None for a regression or where the file doesn't name them. `notes` tell what a reader
    of the scores must know, such as another version of the library that saved the file.
    """

    name: str
    predict: Predict
    features: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    width: int | None = None
    notes: tuple[str, ...] = ()

    def score(self, features: Mapping[str, Column], *, positive: str | None = None) -> Floats:
        """Figures of the rows: (n,) values or probabilities of `positive`; (n, k) for three classes or more.

        Columns are doubles (NaN for null) or texts (None for null); those that the model doesn't read are left out.
        `positive` is the second class unless it is named. Raises InputProblem where a feature is missing or of the
        wrong kind, or the class is unknown.

        >>> twice = Scorer("twice", lambda columns: 2 * columns["a"], features=("a",))
        >>> twice.score({"b": np.array([7.0]), "a": np.array([1.5])})
        array([3.])
        """
        columns = self._chosen(features)
        rows = {len(column) for column in columns.values()}
        if len(rows) != 1:
            raise InputProblem(f"{self.name}: the columns to score must be of one length; theirs: {sorted(rows)}")
        if not any(rows):
            return np.empty((0, len(self.classes)) if self.classes and len(self.classes) > 2 else 0)
        return self._figures(np.asarray(self.predict(columns), dtype=np.float64), positive, rows.pop())

    def _chosen(self, given: Mapping[str, Column]) -> dict[str, Column]:
        """The model's columns in its order, or the given ones where it has no names."""
        if self.features is None:
            if self.width not in (None, len(given)):
                raise InputProblem(
                    f"{self.name}: the model takes {self.width} features and doesn't name them, and {len(given)} are "
                    f"given ({listed(given)}); list in `predictions.features` those it was trained on, in its order"
                )
            return dict(given)
        # Booster libraries put an underline for each blank in a name.
        known = {feature.replace(" ", "_"): feature for feature in given} | {feature: feature for feature in given}
        missing = [feature for feature in self.features if feature not in known]
        if missing:
            guess = near(missing[0], given) or ";"
            raise InputProblem(
                f"{self.name}: the model reads features that are not given: {listed(missing)}{guess} there are: "
                f"{listed(given, most=30)}"
            )
        return {feature: given[known[feature]] for feature in self.features}

    def _figures(self, values: Floats, positive: str | None, rows: int) -> Floats:
        """The column asked for; raises InputProblem where the model's output has no row for each of the given ones."""
        if len(values) != rows or values.ndim > 2:
            raise InputProblem(f"{self.name}: the model answers {values.shape} figures for {rows:,} rows")
        if positive is not None and self.classes and positive not in self.classes:
            raise InputProblem(f"{self.name}: the model knows no class {positive!r}; it has {listed(self.classes)}")
        if values.ndim == 1 or values.shape[1] == 1:
            return values.reshape(rows)
        if values.shape[1] > 2:
            return values
        return values[:, self.classes.index(positive) if self.classes and positive is not None else 1]


def two_columns(chances: Floats) -> Floats:
    """Probabilities (n, 2) of both classes from those (n,) of the second.

    >>> two_columns(np.array([0.25]))
    array([[0.75, 0.25]])
    """
    return np.column_stack([1 - chances, chances])


def as_text(value: Any) -> str:
    """The value as a log shows it: whole numbers without a point.

    >>> as_text(3.0), as_text(True), as_text("late")
    ('3', 'True', 'late')
    """
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def needed(library: str) -> Any:
    """The library that a model format needs, imported when it is.

    Raises WorkProblem where it is not installed.

    >>> needed("json").loads("[1]")
    [1]
    """
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as absent:
        if absent.name != library.partition(".")[0]:
            raise
        raise WorkProblem(
            f'this model needs the package {absent.name}; install it: pip install "mortis[models]"'
        ) from None


def first_line(error: Exception) -> str:
    r"""An error's first line of text, or its kind where it has none.

    >>> first_line(ValueError("no such column\n  at line 3")), first_line(KeyError())
    ('no such column', 'KeyError')
    """
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
