"""What a metric is on made requests, worked out plainly and apart from the product, so that one can check the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mortis.lab.bases.base import Base
from mortis.lab.traffic import DAY, Bools, Column, Floats, Traffic

_DRAWS = 60
Metric = Callable[[Traffic, Base], float]
Figures = TypeVar("Figures", float, Floats)


def _precision(traffic: Traffic, base: Base) -> float:  # noqa: ARG001  all metrics are asked alike
    return _part(traffic.label[traffic.prediction == 1] == 1)


def _recall(traffic: Traffic, base: Base) -> float:  # noqa: ARG001
    return _part(traffic.prediction[traffic.label == 1] == 1)


def _part(those: Bools) -> float:
    """The share of true ones, NaN of none at all."""
    return float(np.mean(those)) if len(those) else float("nan")


def _f1(traffic: Traffic, base: Base) -> float:  # noqa: ARG001
    said, came = traffic.prediction == 1, traffic.label == 1
    either = int(said.sum() + came.sum())
    return 2 * int((said & came).sum()) / either if either else float("nan")


def _accuracy(traffic: Traffic, base: Base) -> float:  # noqa: ARG001
    return float(np.mean(traffic.prediction == traffic.label))


def _mae(traffic: Traffic, base: Base) -> float:  # noqa: ARG001
    return float(np.mean(np.abs(traffic.prediction - traffic.label)))


def _mean_score(traffic: Traffic, base: Base) -> float:  # noqa: ARG001
    return float(np.mean(traffic.score))


def _latency(traffic: Traffic, base: Base) -> float:  # noqa: ARG001
    return float(np.quantile(traffic.latency_ms, 0.95))


def _ndcg(traffic: Traffic, base: Base, *, most: int = 10) -> float:
    """Mean over the queries that have anything relevant; ties in the order of the rows.

    Source: Järvelin, Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques.
    """
    query = _queries(traffic, base)
    served, best = (
        _discounted(query, traffic.label, order, most)
        for order in (np.lexsort((-traffic.score, query)), np.lexsort((-traffic.label, query)))
    )
    return float(np.mean(served[best > 0] / best[best > 0]))


def _discounted(query: Column, gain: Floats, order: Column, most: int) -> Floats:
    first = np.searchsorted(query[order], query[order])
    place = np.arange(len(order)) - first
    worth = np.where(place < most, gain[order] / np.log2(place + 2), 0.0)
    return np.asarray(np.bincount(query[order], weights=worth), dtype=np.float64)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "precision": _precision,
        "recall": _recall,
        "f1": _f1,
        "accuracy": _accuracy,
        "mae": _mae,
        "mean_score": _mean_score,
        "latency_p95": _latency,
        "ndcg@10": _ndcg,
    }
)
"""The metrics that cases are about, by the product's names."""

_WORSE_UPWARDS = frozenset({"mae", "latency_p95"})


def worse_by(metric: str, before: Figures, after: Figures) -> Figures:
    """By how much a metric, or each of an array of its figures, is worse after than before.

    >>> worse_by("mae", 2.0, 5.0), worse_by("f1", 0.75, 0.5)
    (3.0, 0.25)
    """
    return after - before if metric in _WORSE_UPWARDS else before - after


def measured(traffic: Traffic, base: Base, metric: str) -> float:
    """The metric of the requests whose outcome is recorded, NaN where there are none to judge."""
    judged = traffic if metric in ("latency_p95", "mean_score") else traffic.take(~np.isnan(traffic.label))
    return METRICS[metric](judged, base) if len(judged) else float("nan")


def usual_spread(traffic: Traffic, base: Base, metric: str, *, days: int, rng: np.random.Generator) -> float:
    """By how much the metric of so many days differs from time to time: the spread over draws of whole days."""
    day = traffic.at // DAY
    every = np.unique(day)
    parts = {one: np.flatnonzero(day == one) for one in every}
    if base.group:
        traffic = replace(traffic, columns={**traffic.columns, base.group: _queries(traffic, base)})
    draws = ([parts[one] for one in rng.choice(every, days)] for _ in range(_DRAWS))
    return float(np.nanstd([measured(_together(traffic, base, drawn), base, metric) for drawn in draws]))


def _together(traffic: Traffic, base: Base, parts: Sequence[NDArray[np.int64]]) -> Traffic:
    """The rows at the places of all parts; a query of a part that is there twice is two queries."""
    found = traffic.take(np.concatenate(parts))
    if not base.group:
        return found
    queries = traffic.columns[base.group]
    drawn = np.concatenate([queries[places] + i * len(traffic) for i, places in enumerate(parts)])
    return replace(found, columns={**found.columns, base.group: drawn})


def _queries(traffic: Traffic, base: Base) -> NDArray[np.int64]:
    """Each row's query (n,) as a number."""
    column = traffic.columns[base.group]
    return np.unique(column.astype(str) if column.dtype == object else column, return_inverse=True)[1]
