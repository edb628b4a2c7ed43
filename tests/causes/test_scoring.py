"""Sampled rows judged by themselves give the figures of the pass; a recovery is what it says, and covers the truth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mortis.causes.scoring import Bootstrap, decision_threshold, judged_rows, outcomes_of, redrawn
from mortis.clarify.metrics import Sums, metric_for, window_sums
from mortis.engine import open_engine
from mortis.engine.dataset import Dataset, Roles
from mortis.engine.layout import make_layout
from mortis.engine.sampling import row_sample
from mortis.records import Window
from mortis.sources.tables import open_table
from weighable import rows_of  # type: ignore[import-not-found]  # pytest finds it in the folder above

ALWAYS = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
NAMES = {
    "binary": ("accuracy", "f1", "auroc", "auprc", "log_loss", "brier", "calibration_error", "positive_rate"),
    "multiclass": ("accuracy", "precision", "recall", "f1"),
    "regression": ("mae", "rmse", "mape", "r2", "bias"),
    "score": ("mean_score",),
}


@pytest.fixture(scope="module")
def engine():
    opened = open_engine()
    yield opened
    opened.close()


def maybe(values):
    return st.one_of(st.none(), values)


CHANCE = st.floats(0, 1).map(lambda x: round(x, 3))
ROWS = {
    "binary": st.tuples(maybe(st.integers(0, 1)), maybe(st.integers(0, 1)), maybe(CHANCE)),
    "raw": st.tuples(maybe(st.integers(0, 1)), maybe(st.integers(0, 1)), maybe(st.integers(-400, 400).map(float))),
    "multiclass": st.tuples(maybe(st.sampled_from("abc")), maybe(st.sampled_from("abd")), st.none()),
    "regression": st.tuples(maybe(st.integers(-3, 9).map(float)), maybe(st.floats(-5, 9)), st.none()),
    "score": st.tuples(st.none(), st.none(), maybe(CHANCE)),
}
TYPES = {
    "binary": (pa.int64(), pa.int64()),
    "raw": (pa.int64(), pa.int64()),
    "multiclass": (pa.string(), pa.string()),
    "regression": (pa.float64(), pa.float64()),
    "score": (pa.float64(), pa.float64()),
}


@pytest.mark.parametrize("kind", ROWS)
@settings(max_examples=12)
@given(data=st.data())
def test_judged_rows_sum_to_what_the_engines_pass_sums_to(engine, kind, data):
    """Every slot that both know has one figure, and every metric one value; outcomes are the engine's, row by row."""
    rows = data.draw(st.lists(ROWS[kind], min_size=1, max_size=40))
    task = "binary" if kind == "raw" else kind
    y, p, s = (list(column) for column in zip(*rows, strict=True))
    of_y, of_p = TYPES[kind]
    columns = {"y": pa.array(y, of_y), "p": pa.array(p, of_p), "s": pa.array(s, pa.float64())}
    roles = Roles("t", score="s") if task == "score" else Roles("t", label="y", prediction="p", score="s")
    judgement = replace(metric_for(None, task).judgement, tolerance=0.5)
    dataset = Dataset(
        open_table(pa.table({"t": np.full(len(rows), 1_700_000_000)} | columns), root=Path(), key="predictions"),
        roles,
        task,
        judgement,
        positive="1",
        time_unit="s",
        probability=kind != "raw",
    )
    drawn = engine.sample(dataset, ALWAYS, most=1000)
    passed = window_sums(engine.profile(dataset, make_layout(dataset, drawn)).quality)
    sample = row_sample(drawn, dataset, rows=len(rows))
    judged = judged_rows(task, sample.y, sample.p, sample.score, probability=kind != "raw")
    ours = Sums(judged.slots, judged.matrix.sum(axis=0, keepdims=True))
    known = set(passed.slots) - {"unserved", "failures"} - ({"log_loss", "scored"} if task == "multiclass" else set())
    for slot in known | set(ours.slots):
        assert ours[slot] == pytest.approx(passed[slot], abs=1e-9), slot
    for name in NAMES[task]:
        metric = metric_for(name, task)
        assert metric.compute(ours) == pytest.approx(metric.compute(passed), abs=1e-9, nan_ok=True), name
    assert outcomes_of(judgement, sample.y, sample.p, sample.score).tolist() == sample.outcome.tolist()


RANKED = st.lists(
    st.tuples(st.sampled_from("abcd"), maybe(st.integers(0, 3).map(float)), maybe(st.integers(-2, 2).map(float))),
    min_size=1,
    max_size=40,
)


@settings(max_examples=25)
@given(rows=RANKED, places=st.integers(1, 5))
def test_rows_of_rankings_sum_to_what_the_engines_pass_sums_to(engine, rows, places):
    """Ties, rows without a prediction or a label, queries without any, and more rows than places."""
    query, y, p = (list(column) for column in zip(*rows, strict=True))
    columns = {"q": query, "y": pa.array(y, pa.float64()), "p": pa.array(p, pa.float64())}
    ids = [f"{i:03d}" for i in range(len(rows))]
    dataset = Dataset(
        open_table(pa.table({"t": np.full(len(rows), 1_700_000_000), "id": ids} | columns), root=Path(), key="log"),
        Roles("t", id="id", group="q", label="y", prediction="p"),
        "ranking",
        metric_for(None, "ranking").judgement,
        time_unit="s",
        top_k=places,
    )
    drawn = engine.sample(dataset, ALWAYS, most=1000)
    passed = window_sums(engine.profile(dataset, make_layout(dataset, drawn)).quality)
    sample = row_sample(drawn, dataset, rows=len(rows))
    for name in ("ndcg", "mrr", "hit_rate"):
        metric = metric_for(f"{name}@{places}", "ranking")
        judged = judged_rows("ranking", sample.y, sample.p, sample.score, metric=metric, group=sample.group)
        ours = Sums(judged.slots, judged.matrix.sum(axis=0, keepdims=True))
        assert metric.compute(ours) == pytest.approx(metric.compute(passed), abs=1e-9, nan_ok=True)


def test_rows_of_a_query_are_drawn_together(rng):
    group = np.repeat(np.arange(20), 5)
    y, p = rng.integers(0, 3, 100).astype(float), rng.normal(0, 1, 100)
    judged = judged_rows("ranking", y, p, p, metric=metric_for("ndcg@3", "ranking"), group=group)
    weights = judged.redrawn(rng)
    assert weights.shape[1] == 100
    np.testing.assert_array_equal(weights, np.repeat(weights[:, ::5], 5, axis=1))
    assert (weights[:, ::5].sum(axis=1) == 20).all()


def binary(rng, n, wrong):
    """Labels, scores that part them, and predictions of which some are wrong."""
    y = (rng.random(n) < 0.4).astype(float)
    missed = rng.random(n) < wrong
    score = np.clip(np.where((y == 1) ^ missed, 0.8, 0.2) + rng.normal(0, 0.08, n), 0.01, 0.99)
    return y, (score >= 0.5).astype(float), score


def windows(task, rng):
    """A baseline, an incident that is worse, and the incident as it would have been."""
    if task == "binary":
        good, bad = binary(rng, 1500, 0.1), binary(rng, 1200, 0.35)
        right = np.where(rng.random(1200) < 0.1, 1 - bad[0], bad[0])
        return good, bad, (bad[0], right, np.where(right == 1, 0.8, 0.2) + rng.normal(0, 0.05, 1200))
    y = rng.normal(5, 2, 2700)
    noise = rng.normal(0, 1, 2700)
    if task == "regression":
        nothing = np.full(2700, np.nan)
        good, bad = (y, y + noise, nothing), (y, y + 3 * noise, nothing)
        return good, bad, (y, y + noise, nothing)
    label = np.array(list("abc"), dtype=object)[rng.integers(0, 3, 2700)]
    other = np.array(list("abc"), dtype=object)[rng.integers(0, 3, 2700)]
    nothing = np.full(2700, np.nan)
    slip, slide = rng.random(2700) < 0.1, rng.random(2700) < 0.5
    mild, hard = np.where(slip, other, label), np.where(slide, other, label)
    return (label, mild, nothing), (label, hard, nothing), (label, mild, nothing)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("binary", "accuracy"), ("binary", "f1"), ("binary", "auroc"), ("binary", "log_loss"), ("regression", "mae"),
        ("regression", "r2"), ("multiclass", "f1"), ("multiclass", "accuracy"),
    ],
)  # fmt: skip
def test_a_recovery_is_nought_for_no_change_and_one_for_what_undoes_the_fall(rng, task, name):
    baseline, incident, mended = (judged_rows(task, *columns) for columns in windows(task, rng))
    metric = metric_for(name, task)
    same = Bootstrap.of(metric, baseline, incident, rng=rng).recovery(incident)
    assert (same.share.value, same.share.low, same.share.high, same.verdict) == (0, 0, 0, "refuted")
    whole = Bootstrap.of(metric, baseline, incident, rng=rng).recovery(mended)
    assert whole.share.low <= whole.share.value <= whole.share.high
    assert whole.share.value == pytest.approx(1, abs=0.2)
    assert whole.verdict == "confirmed"
    still = Bootstrap.of(metric, baseline, baseline, rng=rng)
    back = still.recovery(mended if task != "binary" else baseline)
    assert back.verdict == "inconclusive" or np.isnan(back.share.value), "without a fall there is nothing to take back"


def test_a_recoverys_interval_holds_the_true_share():
    """Half of the added errors are mended, so the true share is one half: at least 90 % of 100 intervals hold it."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n, y = 500, np.ones(500)
        before = (rng.random(n) >= 0.1).astype(float)
        chance = rng.random(n)
        during, after = (chance >= 0.4).astype(float), (chance >= 0.25).astype(float)
        nothing = np.full(n, np.nan)
        good, bad, mended = (judged_rows("binary", y, p, nothing) for p in (before, during, after))
        share = Bootstrap.of(metric_for("accuracy", "binary"), good, bad, rng=rng).recovery(mended).share
        held += share.low <= 0.5 <= share.high
    assert held >= 90


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "positive_rate", "f1", "auroc", "log_loss"])
def test_a_metric_has_one_value_from_what_it_reads_and_from_all(rng, name):
    metric, rows = metric_for(name, "binary"), binary(rng, 400, 0.2)
    read, all_of_it = judged_rows("binary", *rows, metric=metric), judged_rows("binary", *rows)
    assert read.value(metric) == pytest.approx(all_of_it.value(metric))
    assert len(read.slots) <= 4 or not metric.rate


def test_rows_are_redrawn_as_a_multinomial_draws_them(rng):
    """Every draw takes as many rows as there are, leaves a row out with probability 1/e, and its count varies by 1."""
    counts = redrawn(400, rng, draws=2000)
    assert (counts.sum(axis=1) == 400).all()
    assert (counts == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)
    assert counts.var() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(counts[:, 0], counts[:, 1])[0, 1] == pytest.approx(0, abs=0.08)


@settings(max_examples=60)
@given(
    scores=st.lists(CHANCE, min_size=2, max_size=60),
    threshold=st.floats(0.01, 0.99).map(lambda x: round(x, 2)),
)
def test_the_threshold_found_decides_every_row_as_the_log_did(scores, threshold):
    score = np.array(scores)
    p = (score >= threshold).astype(float)
    found = decision_threshold(rows_of({}, p, p, score))
    if p.any() and not p.all():
        assert ((score >= found) == (p == 1)).all()
        assert len(f"{found:.10g}") <= len(f"{threshold:.10g}"), "the rounder of two equal thresholds is told"
    else:
        assert found is None


def test_predictions_that_follow_no_threshold_have_none(rng):
    score = rng.random(500)
    for p in ((rng.random(500) < 0.5), score < 0.5):
        assert decision_threshold(rows_of({}, score, p.astype(float), score)) is None
