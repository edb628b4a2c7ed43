"""A bounded sample of rows, for the questions that sums can't answer: re-scoring with a model, fitting a corruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.profiles import Floats

Texts = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]
Column = Floats | Texts


@dataclass(frozen=True, slots=True, eq=False)
class RowSample:
    """Rows of one window, chosen by the hash of their id: the same rows each time, in the same order.

    `features` maps each feature to doubles (NaN for null) or to texts (None for null), in the log's order. `y` and `p`
    are the label and the prediction (0 and 1, numbers, or class names; NaN or None where missing), `score` the model's
    figure, `second` the time in epoch seconds, `outcome` the place in the judgement's outcomes. `rows` is how many the
    window has. `group` numbers the query of each row (n,), where a model ranks; whole queries are sampled then.
    """

    features: Mapping[str, Column]
    y: Column
    p: Column
    score: Floats
    second: npt.NDArray[np.int64]
    version: Texts
    outcome: npt.NDArray[np.int8]
    latency_ms: Floats
    ids: Texts
    rows: int
    group: Ints | None = None

    def __len__(self) -> int:
        return len(self.second)

    def where(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> RowSample:
        """The rows for which `keep` holds, or at its places in their order."""
        parts: dict[str, Any] = {
            name: getattr(self, name)[keep]
            for name in ("y", "p", "score", "second", "version", "outcome", "latency_ms", "ids")
        }
        parts["group"] = None if self.group is None else self.group[keep]
        return replace(self, features={name: column[keep] for name, column in self.features.items()}, **parts)

    def with_feature(self, name: str, column: Column) -> RowSample:
        """The same rows with one feature's values put in place of its own."""
        return replace(self, features={**self.features, name: column})


def is_number(column: Column) -> bool:
    """Whether the column holds doubles rather than texts."""
    return column.dtype.kind == "f"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """Rows that a model learned from, at most so many: the log's features that the table has, and the labels (n,)."""

    features: Mapping[str, Column]
    y: Column


@dataclass(frozen=True, slots=True, eq=False)
class OfflineRows:
    """What the training pipeline computes for a sample's rows, in their order; `found` tells which rows it knows.

    `repeated` counts the rows whose id it has more than once: which of its values is meant can't be told.
    """

    columns: Mapping[str, Column]
    found: npt.NDArray[np.bool_]
    repeated: int = 0
