"""One incident per task: a planted failure is found with its onset and slice, and its healthy twin stays healthy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planted import Rows, began, day, first_slice, told

BOTH = pytest.mark.parametrize("fault", [True, False], ids=["fault", "healthy"])


def judged(found, since: float, conditions: dict[str, str], *, fault: bool) -> None:
    """The verdict of a planted failure or of its healthy twin."""
    if not fault:
        assert found.failure.verdict == "no_failure", told(found)
        return
    assert began(found, day(since)), told(found)
    assert first_slice(found) == conditions, told(found)


def binary_log(rows: Rows, *, fault: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores and labels of a calibrated model; where the fault hits, half of the labels are the other one."""
    score = rows.rng.beta(0.6, 0.8, rows.n)
    label = rows.rng.random(rows.n) < score
    return score, label ^ rows.chance(0.0, 0.5, fault=fault)


@BOTH
def test_binary_with_a_score_and_no_prediction(investigated, fault):
    """A score alone is judged at one half."""
    rows = Rows(1)
    score, label = binary_log(rows, fault=fault)
    found = investigated(
        rows.columns(p=score, y=label.astype(int)), predictions={"score": "p", "label": "y"}, model={"task": "binary"}
    )
    assert found.failure.metric == "accuracy"
    judged(found, rows.since, {"region": "us"}, fault=fault)


@BOTH
@pytest.mark.parametrize("metric", ["precision", "recall", "f1", "auroc", "log_loss", "brier"])
def test_binary_metrics(investigated, metric, fault):
    rows = Rows(2, a_day=600)
    score, label = binary_log(rows, fault=fault)
    found = investigated(
        rows.columns(p=score, pred=(score > 0.5).astype(int), y=label.astype(int)),
        predictions={"score": "p", "prediction": "pred", "label": "y"},
        failure={"metric": metric},
    )
    judged(found, rows.since, {"region": "us"}, fault=fault)


@BOTH
def test_binary_with_labels_in_words(investigated, fault):
    """The positive label is guessed from yes and no, and the guess is told."""
    rows = Rows(3)
    words = np.array(["no", "yes"])
    label = (rows.rng.random(rows.n) < 0.4).astype(int)
    answer = label ^ rows.chance(0.1, 0.4, fault=fault)
    found = investigated(
        rows.columns(pred=words[answer], y=words[label]), predictions={"prediction": "pred", "label": "y"}
    )
    assert any("model.positive = yes" in guess for guess in found.provenance.guesses)
    judged(found, rows.since, {"region": "us"}, fault=fault)


@BOTH
@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "f1"])
def test_multiclass_with_one_score_for_each_class(investigated, metric, fault):
    rows = Rows(41, a_day=600)
    classes = np.array(["a", "b", "c"])
    label = rows.rng.integers(0, 3, rows.n)
    taken = np.where(rows.chance(0.12, 0.5, fault=fault), (label + 1) % 3, label)
    sure = 0.7 * np.eye(3)[taken] + 0.3 * rows.rng.dirichlet([1, 1, 1], rows.n)
    scores = {f"p_{name}": sure[:, i] for i, name in enumerate(classes)}
    found = investigated(
        rows.columns(pred=classes[taken], y=classes[label], **scores),
        predictions={"prediction": "pred", "label": "y", "score": {name: f"p_{name}" for name in "abc"}},
        failure={"metric": metric},
    )
    assert found.case.task == "multiclass"
    assert bool(found.confusion) >= fault
    judged(found, rows.since, {"region": "us"}, fault=fault)


@BOTH
@pytest.mark.parametrize("metric", ["mae", "rmse", "bias"])
def test_regression_that_drifts_in_one_region(investigated, metric, fault):
    rows = Rows(5)
    value = rows.rng.normal(50, 10, rows.n)
    predicted = value + rows.rng.normal(0, 2, rows.n) + 4.0 * (rows.hit & fault)
    found = investigated(
        rows.columns(pred=predicted, y=value),
        predictions={"prediction": "pred", "label": "y"},
        model={"task": "regression"},
        failure={"metric": metric},
    )
    judged(found, rows.since, {"region": "us"}, fault=fault)


def test_a_bias_downward_is_a_failure_as_well(investigated):
    """A metric that may be harmed either way fails when it falls, too."""
    rows = Rows(6)
    value = rows.rng.normal(50, 10, rows.n)
    predicted = value + rows.rng.normal(0, 2, rows.n) - 4.0 * rows.hit
    found = investigated(
        rows.columns(pred=predicted, y=value),
        predictions={"prediction": "pred", "label": "y"},
        model={"task": "regression"},
        failure={"metric": "bias"},
    )
    judged(found, rows.since, {"region": "us"}, fault=True)


@BOTH
def test_ranking_whose_best_items_sink(investigated, fault):
    """NDCG falls for the queries of one region, whose scores are shuffled."""
    rows = Rows(7, a_day=300)
    query, first = np.unique(np.arange(rows.n) // 10, return_index=True)
    of_row = np.arange(rows.n) // 10
    region, days = rows.region[first][of_row], rows.days[first][of_row]
    relevant = rows.rng.binomial(3, 0.2, rows.n)
    hit = (region == "us") & (days >= rows.since) & fault
    score = np.where(hit, rows.rng.normal(0, 1, rows.n), relevant + rows.rng.normal(0, 0.6, rows.n))
    found = investigated(
        rows.columns(score=score, gain=relevant, query=of_row) | {"region": region},
        predictions={"score": "score", "label": "gain", "group": "query"},
    )
    assert len(query) == len(first)
    assert found.failure.metric == "ndcg@10"
    if fault:
        assert began(found, day(rows.since)), told(found)
    else:
        assert found.failure.verdict == "no_failure", told(found)


@BOTH
def test_grades_of_a_judge_that_fall_on_one_route(investigated, fault):
    """A score per row needs no labels."""
    rows = Rows(8)
    route = rows.rng.choice(["billing", "returns", "search"], rows.n)
    hit = (route == "returns") & (rows.days >= rows.since) & fault
    grade = np.clip(rows.rng.normal(4.2, 0.6, rows.n) - 1.2 * hit, 1, 5).round(1)
    found = investigated(
        rows.columns(grade=grade, route=route), predictions={"score": "grade"}, model={"task": "score"}
    )
    assert found.failure.label_maturity is None
    judged(found, rows.since, {"route": "returns"}, fault=fault)


@BOTH
def test_latency_alone(investigated, fault):
    """A case with latency as its failure, and no label at all, yields a complete report."""
    rows = Rows(9)
    latency = rows.rng.lognormal(4, 0.4, rows.n) * np.where(rows.hit & fault, 2.5, 1.0)
    found = investigated(rows.columns(ms=latency), predictions={"latency_ms": "ms"})
    assert found.failure.metric == "latency_p95"
    assert found.failure.kind == "operational"
    assert "label" not in {gap.what for gap in found.not_checked}
    judged(found, rows.since, {"region": "us"}, fault=fault)


@BOTH
def test_failed_requests(investigated, fault):
    rows = Rows(10)
    failed = rows.chance(0.02, 0.12, fault=fault)
    found = investigated(
        rows.columns(ms=rows.rng.lognormal(4, 0.4, rows.n), failed=failed),
        predictions={"latency_ms": "ms", "error": "failed"},
        failure={"metric": "error_rate"},
    )
    judged(found, rows.since, {"region": "us"}, fault=fault)


@BOTH
def test_answers_that_stay_empty(investigated, fault):
    rows = Rows(11)
    empty = rows.chance(0.01, 0.15, fault=fault)
    score = [None if gone else float(s) for gone, s in zip(empty, rows.rng.random(rows.n), strict=True)]
    found = investigated(rows.columns(p=score), predictions={"score": "p"}, failure={"metric": "null_share"})
    judged(found, rows.since, {"region": "us"}, fault=fault)


@BOTH
def test_throughput_that_breaks_in(investigated, fault):
    """Rows that never came have no slice, and the report says so."""
    rows = Rows(12, a_day=900)
    log = rows.columns(ms=rows.rng.lognormal(4, 0.4, rows.n))
    kept = ~((rows.days >= rows.since) & (rows.rng.random(rows.n) < 0.5) & fault)
    found = investigated(
        {name: np.asarray(column)[kept] for name, column in log.items()},
        predictions={"latency_ms": "ms"},
        failure={"metric": "throughput"},
    )
    if fault:
        assert began(found, day(rows.since)), told(found)
        assert found.slices == ()
        assert found.slices_note
    else:
        assert found.failure.verdict == "no_failure", told(found)
