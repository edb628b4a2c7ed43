"""Boosted trees for the bases, in XGBoost's own binary format, which keeps the categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mortis.lab.bases.boosting import coded, vocabulary_of
from mortis.lab.bases.packages import needed
from mortis.lab.traffic import Columns, Floats

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class XgBoosted:
    """XGBoost's bytes, the features in their order, and the category values in the order of their codes."""

    data: bytes
    features: tuple[str, ...]
    vocabulary: Mapping[str, tuple[str, ...]]
    suffix: str = ".ubj"

    def score(self, columns: Columns) -> Floats:
        """Probability of the positive class or predicted figure (n,); an unseen category counts as missing."""
        library = needed("xgboost")
        booster = library.Booster({"nthread": 1}, model_file=bytearray(self.data))
        rows = library.DMatrix(
            coded(columns, self.features, self.vocabulary),
            feature_names=list(self.features),
            feature_types=["c" if name in self.vocabulary else "float" for name in self.features],
            enable_categorical=True,
            nthread=1,
        )
        return np.asarray(booster.predict(rows), dtype=np.float64)

    def save(self, path: Path) -> None:
        """Write the bytes."""
        path.write_bytes(self.data)


def xgboosted(
    columns: Columns, y: Floats, *, objective: str = "binary:logistic", rounds: int = 60, leaves: int = 15
) -> XgBoosted:
    """Trees fitted to y (n,) by these columns: same rows, same bytes."""
    library = needed("xgboost")
    vocabulary = vocabulary_of(columns)
    settings = {
        "objective": objective,
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": leaves,
        "max_depth": 0,
        "learning_rate": 0.12,
        "min_child_weight": 4,
        "seed": 7,
        "nthread": 1,
    }
    # XGBoost keeps the categories of a table, not those of a matrix.
    table = _table(columns, vocabulary)
    booster = library.train(settings, library.DMatrix(table, y, enable_categorical=True, nthread=1), rounds)
    return XgBoosted(bytes(booster.save_raw("ubj")), tuple(columns), vocabulary)


def _table(columns: Columns, vocabulary: Mapping[str, tuple[str, ...]]) -> pa.Table:
    import pyarrow as pa

    return pa.table(dict(_arrays(columns, vocabulary)))


def _arrays(columns: Columns, vocabulary: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa

    for name, column in columns.items():
        if name not in vocabulary:
            yield name, pa.array(column, pa.float64(), from_pandas=True)
            continue
        values = pa.array(vocabulary[name], pa.string())
        codes = pa.array(coded(columns, [name], vocabulary)[:, 0], pa.int32(), from_pandas=True)
        yield name, pa.DictionaryArray.from_arrays(codes, values)
