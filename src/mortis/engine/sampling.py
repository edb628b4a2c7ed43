"""From an engine's sampled rows to the record that steps and causes work on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mortis.engine.dataset import Dataset
from mortis.profiles import Floats
from mortis.rows import Column, Ints, OfflineRows, RowSample, TrainingRows

if TYPE_CHECKING:
    import pyarrow as pa


def row_sample(table: pa.Table, dataset: Dataset, *, rows: int) -> RowSample:
    """The rows of a table under canonical names; `rows` is how many the window has.

    Numbers become doubles with NaN for null, everything else texts with None for null. Of a ranking they come in the
    order of their ids, by which the pass ranks rows of equal prediction.
    """
    if dataset.task == "ranking":
        table = table.sort_by("row_key")
    return RowSample(
        features={name: _column(table[f"f:{name}"]) for name in dataset.features},
        y=_column(table["y"]),
        p=_column(table["p"]),
        score=_doubles(table["s"]),
        second=table["second"].to_numpy().astype(np.int64),
        version=_texts(table["version"]),
        outcome=table["outcome"].to_numpy().astype(np.int8),
        latency_ms=_doubles(table["latency"]),
        ids=_texts(table["row_key"]),
        rows=rows,
        group=_queries(table) if dataset.task == "ranking" else None,
    )


def _queries(table: pa.Table) -> Ints:
    """Each row's query as a number; one that is asked in two buckets counts as two, as in the pass."""
    codes = [np.unique(_texts(table[name]), return_inverse=True)[1] for name in ("query", "bucket")]
    return np.asarray(np.unique(codes[0] * (codes[1].max(initial=0) + 1) + codes[1], return_inverse=True)[1])


def training_rows(table: pa.Table, features: Sequence[str]) -> TrainingRows:
    """The sampled rows of a training table."""
    return TrainingRows({name: _column(table[f"f:{name}"]) for name in features}, _column(table["y"]))


def offline_rows(table: pa.Table, sample: RowSample, features: Sequence[str]) -> OfflineRows:
    """A looked-up table's values in the order of a sample's rows; what it lacks, or has twice, is not found."""
    keys = table["row_key"].to_pylist()
    times = Counter(keys)
    place = {key: i for i, key in enumerate(keys) if times[key] == 1}
    at = np.array([place.get(key, -1) for key in sample.ids.tolist()], dtype=np.int64)
    columns = {name: _column(table[f"f:{name}"])[np.maximum(at, 0)] for name in features if len(keys)}
    return OfflineRows(columns, at >= 0, sum(times[key] > 1 for key in sample.ids.tolist()))


def _column(column: pa.ChunkedArray) -> Column:
    kind = str(column.type)
    return _doubles(column) if kind.startswith(("int", "uint", "float", "double", "bool")) else _texts(column)


def _doubles(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast("float64").to_numpy(), dtype=float)


def _texts(column: pa.ChunkedArray) -> Any:
    values = np.empty(len(column), dtype=object)
    values[:] = column.cast("string").to_pylist()
    return values
