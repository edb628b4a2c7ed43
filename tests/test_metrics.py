"""Metrics from an engine's sums are those of scikit-learn from the rows; their intervals hold what they promise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mortis.clarify import measures
from mortis.clarify.measures import Sums
from mortis.clarify.metrics import (
    METRICS,
    bucket_sums,
    by_bucket,
    cutoff_of,
    difference,
    estimate,
    metric_for,
    window_sums,
    with_operations,
)
from mortis.engine import open_engine
from mortis.engine.dataset import LATENCY, OUTCOMES, Dataset, Roles, Task
from mortis.engine.layout import make_layout
from mortis.intervals import newcombe, wilson
from mortis.problems import InputProblem
from mortis.profiles import Profile, Tally
from mortis.records import Rate, Window
from mortis.sources.tables import open_table

START = 1_600_041_600  # a midnight in UTC
DAY = 86_400
ALWAYS = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
EXACT = 1e-9
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def engine():
    opened = open_engine()
    yield opened
    opened.close()


def measured(engine, columns, task, *, top_k=10, **roles):
    """The profile of rows and what its metrics need; times are drawn over a week where none are given."""
    rows = len(next(iter(columns.values())))
    columns = {"t": START + np.random.default_rng(rows).integers(0, 7 * DAY, rows)} | columns
    dataset = Dataset(
        predictions=open_table(pa.table(columns), root=Path(), key="predictions"),
        roles=Roles("t", **roles),
        task=task,
        judgement=metric_for(None, task).judgement,
        positive="1",
        time_unit="s",
        top_k=top_k,
    )
    layout = make_layout(dataset, engine.sample(dataset, ALWAYS, most=100_000))
    return engine.profile(dataset, layout), layout


def value(name, profile, task, *, edges=()):
    return metric_for(name, task, latency_edges=edges).compute(window_sums(with_operations(profile)))[0]


def with_nulls(values, rng, share=0.1):
    return pa.array(values, mask=rng.random(len(values)) < share)


def known(*arrays):
    """The rows on which none of the Arrow arrays is null, as NumPy arrays."""
    keep = np.logical_and.reduce([array.is_valid().to_numpy(zero_copy_only=False) for array in arrays])
    return [array.to_numpy(zero_copy_only=False)[keep] for array in arrays]


def binary_rows(seed, rows=3000):
    """Labels, predictions and scores, a tenth of each missing."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.3).astype(int)
    score = 1 / (1 + np.exp(-rng.normal(2.0 * y - 1, 1.5)))
    return with_nulls(y, rng), with_nulls((score > 0.4).astype(int), rng), with_nulls(score, rng)


@pytest.mark.parametrize("seed", SEEDS)
def test_binary_metrics_are_those_of_scikit_learn(engine, seed):
    y, p, s = binary_rows(seed)
    profile, _ = measured(engine, {"y": y, "p": p, "s": s}, "binary", prediction="p", score="s", label="y")
    true, predicted = known(y, p)
    labels, scores = known(y, s)
    expected = {
        "accuracy": sk.accuracy_score(true, predicted),
        "precision": sk.precision_score(true, predicted),
        "recall": sk.recall_score(true, predicted),
        "specificity": sk.recall_score(true, predicted, pos_label=0),
        "f1": sk.f1_score(true, predicted),
        "log_loss": sk.log_loss(labels, scores),
        "brier": sk.brier_score_loss(labels, scores),
        "positive_rate": np.mean(known(p)[0]),
        "null_share": p.null_count / len(p),
    }
    assert {name: value(name, profile, "binary") for name in expected} == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("seed", SEEDS)
def test_areas_are_those_of_scikit_learn_but_for_what_the_bins_cost(engine, seed):
    """Bins an eighth of a logit wide cost less than 0.002; the ROC curve's takes the rows of a bin for ties."""
    y, p, s = binary_rows(seed)
    profile, _ = measured(engine, {"y": y, "p": p, "s": s}, "binary", prediction="p", score="s", label="y")
    labels, scores = known(y, s)
    binned = np.floor(8 * np.log(scores / (1 - scores)))
    assert value("auroc", profile, "binary") == pytest.approx(sk.roc_auc_score(labels, binned), abs=EXACT)
    assert value("auroc", profile, "binary") == pytest.approx(sk.roc_auc_score(labels, scores), abs=0.002)
    assert value("auprc", profile, "binary") == pytest.approx(sk.average_precision_score(labels, scores), abs=0.002)


@pytest.mark.parametrize(("centre", "scale"), [(0.0, 1.0), (600.0, 60.0), (-3e4, 1e4), (0.0, 1e6)])
def test_the_area_is_right_whatever_the_scale_of_a_score_that_is_no_probability(engine, centre, scale):
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 4000)
    s = centre + scale * (rng.normal(size=4000) + y)
    dataset = Dataset(
        open_table(pa.table({"t": np.full(4000, START), "y": y, "s": s}), root=Path(), key="predictions"),
        Roles("t", score="s", label="y"),
        "binary",
        metric_for("auroc", "binary").judgement,
        positive="1",
        time_unit="s",
        probability=False,
    )
    profile = engine.profile(dataset, make_layout(dataset, engine.sample(dataset, ALWAYS, most=10_000)))
    assert value("auroc", profile, "binary") == pytest.approx(sk.roc_auc_score(y, s), abs=0.005)


@pytest.mark.parametrize("seed", SEEDS)
def test_calibration_error_is_that_of_a_plain_loop(engine, seed):
    y, p, s = binary_rows(seed)
    profile, _ = measured(engine, {"y": y, "p": p, "s": s}, "binary", prediction="p", score="s", label="y")
    labels, scores = known(y, s)
    error = 0.0
    for low in range(10):
        inside = (np.floor(scores * 10) == low) | ((low == 9) & (scores == 1))
        if inside.any():
            error += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    assert value("calibration_error", profile, "binary") == pytest.approx(error, abs=EXACT)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_a_handful_of_rows_gives_the_same_as_counting_them(engine, rows, seed):
    """Undefined where there is nothing to divide by, and without a warning."""
    rng = np.random.default_rng(seed)
    y, p = (with_nulls(rng.integers(0, 2, rows), rng, share=0.3) for _ in range(2))
    if not y.is_valid().to_numpy(zero_copy_only=False).any():
        return
    profile, _ = measured(engine, {"y": y, "p": p}, "binary", prediction="p", label="y")
    true, predicted = (array == 1 for array in known(y, p))
    pairs = {
        "accuracy": ((true == predicted).sum(), len(true)),
        "precision": ((true & predicted).sum(), predicted.sum()),
        "recall": ((true & predicted).sum(), true.sum()),
        "specificity": ((~true & ~predicted).sum(), (~true).sum()),
    }
    for name, (top, bottom) in pairs.items():
        assert value(name, profile, "binary") == pytest.approx(top / bottom if bottom else np.nan, nan_ok=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_multiclass_metrics_are_those_of_scikit_learn(engine, seed):
    """Also where a class is never predicted and where one is predicted that no label has."""
    rng = np.random.default_rng(seed)
    names = np.array(["ant", "bee", "cat", "dog"])
    place = rng.choice(4, 2000, p=[0.6, 0.25, 0.1, 0.05])
    scores = rng.dirichlet(np.ones(4), 2000) + 0.5 * np.eye(4)[place]
    scores /= scores.sum(axis=1, keepdims=True)
    scores = np.clip(scores, 1e-6, None) / np.clip(scores, 1e-6, None).sum(axis=1, keepdims=True)
    p = names[scores.argmax(axis=1)]
    p = np.where(p == "dog", "eel", p)
    y = with_nulls(names[place], rng)
    columns = {"y": y, "p": p} | {f"s_{name}": scores[:, i] for i, name in enumerate(names)}
    class_scores = {str(name): f"s_{name}" for name in names}
    profile, _ = measured(engine, columns, "multiclass", prediction="p", label="y", class_scores=class_scores)
    true, predicted = known(y, pa.array(p))
    labelled = y.is_valid().to_numpy(zero_copy_only=False)
    macro = {"average": "macro", "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(true, predicted),
        "precision": sk.precision_score(true, predicted, **macro),
        "recall": sk.recall_score(true, predicted, **macro),
        "f1": sk.f1_score(true, predicted, **macro),
        "log_loss": sk.log_loss(true, scores[labelled], labels=list(names)),
    }
    assert {name: value(name, profile, "multiclass") for name in expected} == pytest.approx(expected, abs=EXACT)
    area = sk.roc_auc_score(true, scores[labelled], multi_class="ovr", labels=list(names))
    assert value("auroc", profile, "multiclass") == pytest.approx(area, abs=0.002)


def test_metrics_of_classes_need_no_scores(engine):
    """Those of the scores are then undefined."""
    columns = {"y": ["a", "b", "a", None], "p": ["a", "a", "a", "b"]}
    profile, _ = measured(engine, columns, "multiclass", prediction="p", label="y")
    assert value("accuracy", profile, "multiclass") == pytest.approx(2 / 3)
    assert np.isnan([value(name, profile, "multiclass") for name in ("log_loss", "auroc")]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_regression_metrics_are_those_of_scikit_learn(engine, seed):
    """MAPE leaves out labels of 0, which scikit-learn divides by a tiny number."""
    rng = np.random.default_rng(seed)
    y = with_nulls(np.where(rng.random(2000) < 0.05, 0.0, rng.normal(50, 20, 2000)), rng)
    p = with_nulls(y.fill_null(0).to_numpy() + rng.normal(1, 5, 2000), rng)
    profile, _ = measured(engine, {"y": y, "p": p}, "regression", prediction="p", label="y")
    true, predicted = known(y, p)
    expected = {
        "mae": sk.mean_absolute_error(true, predicted),
        "rmse": sk.root_mean_squared_error(true, predicted),
        "mape": sk.mean_absolute_percentage_error(true[true != 0], predicted[true != 0]),
        "r2": sk.r2_score(true, predicted),
        "bias": np.mean(predicted - true),
    }
    assert {name: value(name, profile, "regression") for name in expected} == pytest.approx(expected, abs=EXACT)


def test_r2_of_labels_that_are_all_alike_is_undefined(engine):
    profile, _ = measured(engine, {"y": np.full(9, 0.1), "p": np.arange(9.0)}, "regression", prediction="p", label="y")
    assert np.isnan(value("r2", profile, "regression"))


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("seed", SEEDS)
def test_ranking_metrics_are_those_of_scikit_learn_and_of_a_plain_loop(engine, seed, k):
    """Scikit-learn's NDCG gains linearly too; it averages ties, so there are none. Missing relevance gains nothing."""
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(120), 8)
    relevance = with_nulls(rng.integers(0, 3, 960) * (rng.random(960) < 0.4), rng)
    score = rng.random(960) + 0.2 * relevance.fill_null(0).to_numpy()
    columns = {"t": START + query * 3600, "id": np.arange(960), "q": query, "y": relevance, "p": score}
    profile, _ = measured(engine, columns, "ranking", prediction="p", label="y", group="q", id="id", top_k=k)
    gain = relevance.fill_null(0).to_numpy().reshape(120, 8)
    judged = np.asarray(relevance.is_valid()).reshape(120, 8).any(axis=1)
    ranked = np.take_along_axis(gain, np.argsort(-score.reshape(120, 8), axis=1), axis=1)[:, :k] > 0
    first = np.asarray(ranked.any(axis=1) / (ranked.argmax(axis=1) + 1.0))
    some = np.flatnonzero(gain.sum(axis=1))
    expected = {
        f"ndcg@{k}": sk.ndcg_score(gain[some], score.reshape(120, 8)[some], k=k),
        f"mrr@{k}": first[judged].mean(),
        f"hit_rate@{k}": (first > 0)[judged].mean(),
    }
    assert {name: value(name, profile, "ranking") for name in expected} == pytest.approx(expected, abs=EXACT)


def test_the_mean_score_is_that_of_the_rows_that_have_one(engine):
    rng = np.random.default_rng(1)
    s = with_nulls(rng.normal(3, 1, 500), rng)
    profile, _ = measured(engine, {"s": s}, "score", score="s")
    assert value("mean_score", profile, "score") == pytest.approx(known(s)[0].mean(), abs=EXACT)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slower", [1.0, 5.0, 200.0])
def test_a_latency_quantile_lies_within_one_bin_of_numpys(engine, seed, slower):
    """Also when most requests are far slower than the stretch the bins were made for."""
    rng = np.random.default_rng(seed)
    before, after = rng.lognormal(3, 0.5, 4000), slower * rng.lognormal(3, 0.5, 2000)
    columns = {"t": np.repeat([START, START + DAY], [4000, 2000]), "ms": np.concatenate([before, after])}
    dataset = Dataset(
        open_table(pa.table(columns), root=Path(), key="predictions"),
        Roles("t", latency_ms="ms"),
        "operational",
        metric_for(None, "operational").judgement,
        time_unit="s",
        origin=START,
    )
    baseline = Window(datetime.fromtimestamp(START, UTC), datetime.fromtimestamp(START + DAY, UTC))
    layout = make_layout(dataset, engine.sample(dataset, baseline, most=100_000))
    edges = layout.numbers[LATENCY].edges
    _, sums = bucket_sums(with_operations(engine.profile(dataset, layout)))
    for q in (50, 90, 95, 99):
        found = metric_for(f"latency_p{q}", "operational", latency_edges=edges).compute(sums)
        for one, rows in zip(found, (before, after), strict=True):
            true = np.quantile(rows, q / 100)
            place = np.searchsorted(edges, true)
            lower, upper = edges[max(place - 2, 0)], edges[min(place + 1, len(edges) - 1)]
            assert lower <= one <= upper
            assert one == pytest.approx(true, rel=0.1 if slower == 1 else 0.2)


def test_operational_rates_count_all_rows(engine):
    rng = np.random.default_rng(3)
    failed = rng.random(700) < 0.2
    p = with_nulls(rng.integers(0, 2, 700), rng)
    y = rng.integers(0, 2, 700)
    profile, _ = measured(engine, {"y": y, "p": p, "e": failed}, "binary", prediction="p", label="y", error="e")
    assert value("error_rate", profile, "binary") == pytest.approx(failed.mean())
    assert value("null_share", profile, "binary") == pytest.approx(p.null_count / 700)


def operations(rows_by_cell, *, width=60, covered=None):
    tally = Tally.of({cell: {"rows": float(rows)} for cell, rows in rows_by_cell.items()})
    return with_operations(Profile(width, int(sum(rows_by_cell.values())), tally), covered=covered)


def test_throughput_counts_the_seconds_of_empty_buckets_and_of_each_bucket_once():
    """Two versions in one bucket share its minute; the two empty minutes count; then 60 rows took 300 s."""
    tally = operations({(0, "a"): 10, (0, "b"): 20, (180, "b"): 20, (240, "b"): 10})
    assert window_sums(tally)["seconds"].tolist() == [300.0]
    assert metric_for("throughput", "score").compute(window_sums(tally)).tolist() == [0.2]
    assert [one.value for _, one in by_bucket(metric_for("throughput", "score"), tally)] == [
        0.5,
        0,
        0,
        20 / 60,
        10 / 60,
    ]


def test_throughput_counts_only_the_seconds_that_the_log_covers():
    covered = Window(datetime.fromtimestamp(30, UTC), datetime.fromtimestamp(200, UTC))
    tally = operations({(0, ""): 10, (60, ""): 20}, covered=covered)
    assert window_sums(tally)["seconds"].tolist() == [170.0]
    assert bucket_sums(tally)[0].tolist() == [0, 60, 120, 180]


@pytest.mark.parametrize("task", list(METRICS))
def test_every_metric_is_described_and_judges_by_outcomes_that_exist(task):
    for key in METRICS[task]:
        metric = metric_for(f"{key}50" if key.endswith("_p") else key.removesuffix("@"), task)
        outcomes = OUTCOMES[metric.judgement.by]
        assert set(metric.judgement.errors) <= set(metric.judgement.among) <= set(outcomes) - {"unlabelled"}
        assert metric.judgement.errors or metric.name == "throughput", "rows that never came can't be errors"
        assert metric.title
        assert metric.definition
        assert metric.error_means
        assert metric_for(metric.name, task).name == metric.name


@pytest.mark.parametrize("task", list(METRICS))
def test_a_metric_of_nothing_is_undefined_and_warns_of_nothing(task, rng):
    for key in METRICS[task]:
        metric = metric_for(f"{key}50" if key.endswith("_p") else key.removesuffix("@"), task, latency_edges=(1.0, 2.0))
        for tally in (Tally(), Tally.of({(0, ""): {"rows": 0.0}})):
            one = estimate(metric, tally, rng=rng)
            assert np.isnan([one.value, one.low, one.high]).all()
            assert one.n == 0
            change = difference(metric, tally, tally, rng=rng)
            assert np.isnan([change.value, change.low, change.high]).all()
        assert by_bucket(metric, Tally()) == ()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_many_draws_at_once_give_the_same_as_one_by_one(seed):
    """Sums keep their leading dimensions through every metric."""
    rng = np.random.default_rng(seed)
    slots: dict[Task, tuple[str, ...]] = {
        "binary": ("tp", "fp", "fn", "tn", "predicted", "positives", "scored", "log_loss", "brier",
                   "score0:1", "score0:12", "score1:2", "score1:12", "calibration_n:0", "calibration_score:0",
                   "calibration_positive:0", "latency:0", "latency:1", "latency:2", "rows", "seconds"),
        "multiclass": ("labelled", "right", "label=a", "label=b", "right=a", "predicted=a", "predicted=c", "scored",
                       "log_loss", "a/score0:3", "a/score1:3", "b/score0:2", "b/score1:9"),
        "regression": ("labelled", "error", "absolute", "squared", "y", "y_square", "relative", "relative_n"),
        "ranking": ("labelled", "ndcg", "ndcg_n", "reciprocal", "hits"),
    }  # fmt: skip
    for task, names in slots.items():
        values = rng.integers(0, 4, (2, 3, len(names))).astype(float)
        for key in METRICS[task]:
            if key in ("null_share", "error_rate"):
                continue
            name = f"{key}50" if key.endswith("_p") else key.removesuffix("@")
            metric = metric_for(name, task, latency_edges=(1.0, 2.0))
            together = metric.compute(Sums(names, values))
            single = [[metric.compute(Sums(names, values[i, j])) for j in range(3)] for i in range(2)]
            assert together.shape == (2, 3)
            assert together == pytest.approx(np.array(single, dtype=float), nan_ok=True)


def test_buckets_are_windows_of_one_bucket_with_versions_added_up(engine):
    rng = np.random.default_rng(5)
    columns = {
        "y": rng.integers(0, 2, 900),
        "p": rng.integers(0, 2, 900),
        "v": rng.choice(["v1", "v2"], 900),
    }
    profile, _ = measured(engine, columns, "binary", prediction="p", label="y", version="v")
    metric = metric_for("recall", "binary")
    for start, one in by_bucket(metric, profile.quality):
        part = profile.quality.where(lambda cell, start=start: cell[0] == start)
        assert len(part.cells) == 2
        assert one.value == pytest.approx(metric.compute(window_sums(part))[0])
        total = part.total()
        assert one == wilson(int(total["tp"]), int(total["tp"] + total["fn"]))


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        (
            "recal",
            "binary",
            "failure.metric: 'recal' is not a metric of a binary model; did you mean 'recall'? there are acc",
        ),
        ("mae", "binary", "failure.metric: 'mae' is not a metric of a binary model; there are accuracy, precision, "),
        (
            "auroc",
            "operational",
            "'auroc' is not a metric of an operational model; there are latency_p50, latency_p90, ",
        ),
        ("precision@5", "binary", "'precision@5' is not a metric"),
        ("ndcg@0", "ranking", "'ndcg@0' is not a metric of a ranking model; did you mean 'ndcg@10'?"),
        ("latency_p0", "score", "did you mean 'latency_p90'?"),
        ("latency_p", "score", "'latency_p' is not a metric"),
        ("latency_p100", "score", "'latency_p100' is not a metric"),
        ("ndcg@", "ranking", "'ndcg@' is not a metric"),
        ("", "binary", None),
    ],
)
def test_a_metric_the_task_does_not_have_is_refused_in_one_line(name, task, message):
    if message is None:
        assert metric_for(name, task).name == "accuracy"
        return
    with pytest.raises(InputProblem) as caught:
        metric_for(name, task)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_may_carry_its_number_and_be_written_in_the_usual_ways():
    assert metric_for("ROC AUC", "binary").name == "auroc"
    assert metric_for("F1-score", "multiclass").name == "f1"
    assert metric_for("ndcg", "ranking", top_k=7).name == "ndcg@7"
    assert metric_for("latency_p99.9", "binary").name == "latency_p99.9"
    assert [cutoff_of(name) for name in ("mrr@12", "mrr", "latency_p95")] == [12, None, None]


def days(values, n, *, slot="tp", other="fp", first=0):
    """A tally of one bucket a day with so many successes among n rows."""
    return Tally.of({((first + i) * DAY, ""): {slot: float(k), other: float(n - k)} for i, k in enumerate(values)})


def test_a_rate_over_few_buckets_has_wilsons_and_newcombes_intervals(rng):
    metric = metric_for("precision", "binary")
    before, after = days([90, 80], 100), days([70], 100, first=2)
    assert estimate(metric, before, rng=rng) == wilson(170, 200)
    change, expected = difference(metric, before, after, rng=rng), newcombe(Rate(170, 200), Rate(70, 100))
    assert (change.value, change.low, change.high, change.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 300)
    )


def test_buckets_that_differ_more_than_their_rows_explain_widen_the_interval(rng):
    metric = metric_for("precision", "binary")
    steady, unsteady = days([500] * 20, 1000), days([350, 650] * 10, 1000)
    assert estimate(metric, steady, rng=rng) == wilson(10_000, 20_000)
    widths = [one.high - one.low for one in (estimate(metric, tally, rng=rng) for tally in (steady, unsteady))]
    assert widths[1] > 4 * widths[0]


def test_a_short_window_borrows_the_unsteadiness_of_the_long_one(rng):
    """Three days of an unsteady model say little, however many rows they have."""
    metric = metric_for("precision", "binary")
    short = days([600, 400, 560], 1000, first=30)
    steady = difference(metric, days([500] * 20, 1000), short, rng=rng)
    unsteady = difference(metric, days([350, 650] * 10, 1000), short, rng=rng)
    assert steady.low > 0
    assert unsteady.low < -0.1
    assert unsteady.value == steady.value


def test_a_figure_without_limits_of_its_own_needs_five_buckets(rng):
    metric = metric_for("log_loss", "binary")
    tally = days(rng.normal(50, 5, 8), 100, slot="log_loss", other="scored")
    short = estimate(metric, tally.where(lambda cell: cell[0] < 4 * DAY), rng=rng)
    assert np.isfinite(short.value)
    assert np.isnan([short.low, short.high]).all()
    whole = estimate(metric, tally, rng=rng)
    assert whole.low < whole.value < whole.high
    change = difference(metric, tally, tally.where(lambda cell: cell[0] < 2 * DAY), rng=rng)
    assert change.low < 0 < change.high


def test_the_interval_of_a_rate_holds_the_truth_as_often_as_it_says(rng):
    """Forty days of 200 rows, with and without variation beyond chance: in 95 %, less the noise of 300 repetitions."""
    metric = metric_for("precision", "binary")
    for spread in (0.0, 0.05):
        hits = 0
        for _ in range(300):
            level = np.clip(0.8 + spread * rng.normal(size=40), 0, 1)
            one = estimate(metric, days(rng.binomial(200, level), 200), rng=rng, draws=400)
            hits += one.low <= 0.8 <= one.high
        assert hits / 300 >= 0.91


def test_nothing_changed_is_seldom_called_a_change(rng):
    """Thirty days against five and three, each day with a level of its own: the interval misses 0 in 10 % at most."""
    metric = metric_for("precision", "binary")
    for length in (5, 3):
        misses = 0
        for _ in range(200):
            level = np.clip(0.8 + 0.04 * rng.normal(size=30 + length), 0, 1)
            good = rng.binomial(400, level)
            change = difference(metric, days(good[:30], 400), days(good[30:], 400, first=30), rng=rng, draws=300)
            misses += not change.low <= 0 <= change.high
        assert misses / 200 <= 0.10


@pytest.mark.parametrize("distance", [0.5, 1.5, 3.0])
def test_the_limits_of_an_area_hold_the_truth_as_often_as_they_say(rng, distance):
    from scipy.special import ndtr

    edges, hits = np.linspace(-4, 7, 200), 0
    for _ in range(400):
        negative = np.histogram(rng.normal(size=80), edges)[0].astype(float)
        positive = np.histogram(rng.normal(size=40) + distance, edges)[0].astype(float)
        low, high = measures.auroc_limits(negative, positive)
        hits += low <= ndtr(distance / np.sqrt(2)) <= high
    assert hits / 400 >= 0.91


def test_the_limits_of_a_quantile_a_mean_and_f1_hold_the_truth_as_often_as_they_say(rng):
    edges = tuple(np.linspace(1, 400, 400))
    hits = np.zeros(3)
    for _ in range(400):
        x = rng.exponential(50, 300)
        counts = np.bincount(np.searchsorted(edges, x, side="right"), minlength=401).astype(float)
        tp, wrong = rng.binomial(300, 0.5), 0
        wrong = 300 - tp
        limits = (
            (measures.quantile_limits(counts, edges, 0.9), -50 * np.log(0.1)),
            (measures.mean_limits(np.array(x.sum()), np.array((x**2).sum()), np.array(300.0)), 50.0),
            (measures.f1_limits(np.array(float(tp)), np.array(float(wrong))), 2 / 3),
        )
        hits += [low <= truth <= high for (low, high), truth in limits]
    assert (hits / 400 >= 0.91).all()


def test_numbers_in_slots_are_aligned_and_in_order():
    sums = Sums(("a:10", "a:9", "b:9", "b:2"), np.array([[1.0, 2.0, 3.0, 4.0]]))
    first, second = sums.blocks("a:", "b:")
    assert first.tolist() == [[0.0, 2.0, 1.0]]
    assert second.tolist() == [[4.0, 3.0, 0.0]]
