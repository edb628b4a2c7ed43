"""Where the pass cuts each column: edges from a deterministic sample of the baseline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from mortis.engine.dataset import LABEL, LABEL_AGE, LATENCY, PREDICTION, SCORE, Dataset, Layout, NumberLayout

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 12
SKETCHED = 150  # distinct values, about as many as a sketch tells apart
# The baseline's body and tail, and beyond its 99th percentile half octaves up to 512 times that: incidents are slow.
LATENCY_QUANTILES = (0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99)
LATENCY_HALF_OCTAVES = 18
LABEL_AGE_EDGES = (0, 1, 6, 12, 24, 36, 48, 72, 96, 120, 144, 168, 240, 336, 504, 720, 1080, 1440, 2160, 4320)


def make_layout(dataset: Dataset, sample: pa.Table, *, bins: int = BINS) -> Layout:
    """The layout for a dataset, from a sample of its baseline under canonical names."""
    numbers: dict[str, NumberLayout] = {}
    categories: list[str] = []
    for name in dataset.features:
        column = sample[f"f:{name}"]
        if _is_number(column):
            numbers[name] = number_layout(_values(column), bins=bins)
        else:
            categories.append(name)
    if dataset.roles.score:
        numbers[SCORE] = number_layout(_values(sample["s"]), bins=bins)
    if dataset.task in ("regression", "ranking"):
        numbers[PREDICTION] = number_layout(_values(sample["p"]), bins=bins)
        numbers[LABEL] = number_layout(_values(sample["y"]), bins=bins)
    if dataset.roles.latency_ms:
        numbers[LATENCY] = latency_layout(_values(sample["latency"]))
    if dataset.labels is not None and dataset.labels.time:
        numbers[LABEL_AGE] = NumberLayout(tuple(float(edge) for edge in LABEL_AGE_EDGES), 0.0)
    return Layout(numbers, tuple(categories))


def _is_number(column: pa.ChunkedArray) -> bool:
    return str(column.type) == "double"


def _values(column: pa.ChunkedArray) -> np.ndarray:
    known: np.ndarray = column.drop_null().to_numpy()
    return known


def number_layout(values: Iterable[float], *, bins: int = BINS) -> NumberLayout:
    """Edges at the quantiles of the values, or between all of them where there are few; no edges where there are none.

    >>> number_layout([1.0, 2.0, 2.0, 3.0]).edges
    (2.0, 3.0)
    """
    x = np.asarray(list(values) if not isinstance(values, np.ndarray) else values, dtype=float)
    x = x[np.isfinite(x)]
    if not len(x):
        return NumberLayout((), 0.0)
    distinct = np.unique(x)
    if len(distinct) <= bins:
        edges = distinct[1:]
    else:
        edges = np.unique(np.quantile(x, np.arange(1, bins) / bins, method="higher"))
        edges = edges[edges > distinct[0]]
    return NumberLayout(tuple(float(e) for e in edges), float(np.median(x)), len(distinct) <= SKETCHED)


def latency_layout(values: np.ndarray) -> NumberLayout:
    """Edges at quantiles of the latencies (milliseconds) and, above the 99th percentile, at equal ratios.

    >>> [round(edge) for edge in latency_layout(np.arange(1.0, 101.0)).edges[11:16]]
    [97, 98, 99, 140, 198]
    """
    x = values[np.isfinite(values)]
    if not len(x):
        return NumberLayout((), 0.0)
    body = np.quantile(x, LATENCY_QUANTILES, method="inverted_cdf")
    tail = max(float(body[-1]), 1e-3) * np.sqrt(2.0) ** np.arange(1, LATENCY_HALF_OCTAVES + 1)
    return NumberLayout(tuple(float(e) for e in np.unique([*body, *tail])), float(np.median(x)))
