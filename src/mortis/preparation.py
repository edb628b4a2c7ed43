"""The case made ready for the pass: tables opened, columns cut by a sample of the baseline, the metric chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mortis.case import Case
from mortis.clarify.metrics import Metric, cutoff_of, metric_for
from mortis.engine import Engine
from mortis.engine.dataset import LATENCY, Dataset, Layout
from mortis.engine.layout import make_layout
from mortis.intake import Intake, take_in
from mortis.problems import InputProblem
from mortis.records import Window

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_FOR_EDGES = 20_000


@dataclass(frozen=True, slots=True)
class Ready:
    """What the pass needs: the dataset with its judgement and tolerance, how columns are cut, and the metric."""

    intake: Intake
    dataset: Dataset
    layout: Layout
    metric: Metric


def make_ready(case: Case, engine: Engine) -> Ready:
    """The case's tables opened, its columns cut by a sample of the baseline, its metric chosen."""
    intake = take_in(case, engine)
    reference = intake.baseline or Window(intake.log.start, intake.log.start + (intake.log.end - intake.log.start) / 2)
    sample = engine.sample(intake.dataset, reference, most=SAMPLE_FOR_EDGES)
    if not sample.num_rows:
        raise InputProblem(f"windows.baseline: {reference} holds no predictions; the log spans {intake.log}")
    scores = sample["s"].drop_null().to_numpy()
    dataset = replace(intake.dataset, probability=bool(len(scores) == 0 or (scores.min() >= 0 and scores.max() <= 1)))
    layout = make_layout(dataset, sample)
    edges = layout.numbers[LATENCY].edges if LATENCY in layout.numbers else ()
    metric = metric_for(case.failure.metric, dataset.task, latency_edges=edges)
    _check_needs(metric, dataset)
    judgement = replace(metric.judgement, tolerance=_tolerance(metric.judgement.by, sample))
    dataset = replace(dataset, judgement=judgement, top_k=cutoff_of(metric.name) or dataset.top_k)
    return Ready(intake, dataset, layout, replace(metric, judgement=judgement))


def _check_needs(metric: Metric, dataset: Dataset) -> None:
    """Raises InputProblem where the case doesn't name a column that the metric is made of."""
    roles = dataset.roles
    scored = bool(roles.score or roles.class_scores)
    has = {
        "prediction": bool(roles.prediction) or (scored and (dataset.probability or dataset.task != "binary")),
        "score": scored,
        "probability": scored and dataset.probability,
        "label": bool(roles.label) or dataset.labels is not None,
        "latency_ms": bool(roles.latency_ms),
        "error": bool(roles.error),
    }
    for need in metric.needs:
        if not has[need]:
            remedy = {
                "probability": f"column {roles.score!r} of predictions.score holds figures outside 0..1",
                "label": "name labels as predictions.label, or hand over a `labels` table",
            }.get(need, f"name its column as predictions.{need}")
            raise InputProblem(f"failure.metric: {metric.name} needs a {need}; {remedy}")


def _tolerance(by: str, sample: pa.Table) -> float:
    """Beyond what a row counts as an error where a task has no right and wrong: the baseline's worst 10 or 5 %."""
    if by == "regression":
        off = np.abs(sample["p"].to_numpy() - sample["y"].to_numpy())
        return _quantile(off, 0.9)
    if by == "score":
        return _quantile(sample["s"].to_numpy(), 0.1)
    return _quantile(sample["latency"].to_numpy(), 0.95) if by == "latency" else 0.0


def _quantile(values: Any, q: float) -> float:
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return float(np.quantile(known, q)) if len(known) else 0.0
