"""Confusion by segment, its change between windows, and ProPublica's table."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from mortis.errors.confusion import confusion_counts, confusion_shift, rates_by, rates_shift_by


@given(st.integers(2, 5), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_counts_are_those_of_scikit_learn(classes, rows, seed):
    rng = np.random.default_rng(seed)
    labels, predictions = rng.integers(0, classes, (2, rows))
    expected = confusion_matrix(labels, predictions, labels=list(range(classes)))
    assert confusion_counts(labels, predictions, classes=classes)[0].tolist() == expected.tolist()


@given(st.integers(0, 50), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_counts_of_parts_add_up_to_the_whole(cut, rows, seed):
    """So do those of segments, and a row that stands for n counts as n rows."""
    rng = np.random.default_rng(seed)
    labels, predictions, segment = rng.integers(0, 3, (3, rows))
    n = rng.integers(0, 4, rows)

    def counts(part):
        return confusion_counts(
            labels[part], predictions[part], classes=3, segment=segment[part], segments=3, n=n[part]
        )

    whole = counts(slice(None))
    assert (counts(slice(cut)) + counts(slice(cut, None)) == whole).all()
    repeated = confusion_counts(np.repeat(labels, n), np.repeat(predictions, n), classes=3)
    assert (whole.sum(axis=0) == repeated[0]).all()


@given(st.integers(2, 4), st.integers(20, 80), st.integers(0, 2**32 - 1), st.data())
def test_precision_and_recall_are_those_of_scikit_learn(classes, rows, seed, data):
    """One class against all others, in a problem of any number of classes."""
    positive = data.draw(st.integers(0, classes - 1))
    labels, predictions = np.random.default_rng(seed).integers(0, classes, (2, rows))
    (rates,) = rates_by(confusion_counts(labels, predictions, classes=classes), ["all"], positive=positive)
    true, predicted = labels == positive, predictions == positive
    for interval, score in ((rates.precision, precision_score), (rates.recall, recall_score)):
        if interval is not None:
            assert interval.value == pytest.approx(score(true, predicted))
    total = rates.true_positives + rates.false_positives + rates.true_negatives + rates.false_negatives
    assert total == rows


def test_intervals_are_wilsons():
    rates = rates_by(np.array([[[90, 10], [7, 43]]]), ["all"])[0]
    low, high = proportion_confint(10, 100, method="wilson")
    assert (rates.false_positive_rate.low, rates.false_positive_rate.high) == pytest.approx((low, high))
    assert rates.false_positive_rate.n == 100


def test_a_rate_that_no_row_decides_is_none():
    """Without negatives there is no false-positive rate, without positive predictions no precision."""
    rates = rates_by(np.array([[[0, 0], [5, 0]]]), ["all"])[0]
    assert rates.false_positive_rate is None
    assert rates.precision is None
    assert rates.recall.value == 0


def test_changes_of_rates_are_those_of_the_two_windows():
    before, after = np.array([[[90, 10], [5, 45]], [[8, 2], [0, 0]]]), np.array([[[70, 30], [9, 41]], [[7, 3], [1, 1]]])
    first, second = rates_shift_by(before, after, ["a", "b"])
    assert first.false_positive_rate.value == pytest.approx(0.2)
    assert first.false_positive_rate.low > 0
    assert first.recall.value == pytest.approx(-first.false_negative_rate.value)
    assert first.precision.value == pytest.approx(41 / 71 - 45 / 55)
    assert second.recall is None
    assert second.incident.recall.value == 0.5


def test_the_cell_that_gained_most_comes_first():
    before = np.array([[300, 5, 5], [10, 200, 10], [5, 5, 460]])
    after = np.array([[300, 5, 5], [80, 130, 10], [5, 5, 460]])
    shifts = confusion_shift(before, after, ["cat", "dog", "owl"])
    assert (shifts[0].label, shifts[0].prediction, shifts[0].wrong) == ("dog", "cat", True)
    assert shifts[0].change.value == pytest.approx(0.07)
    assert shifts[0].change.low > 0
    assert (shifts[-1].label, shifts[-1].prediction, shifts[-1].wrong) == ("dog", "dog", False)
    assert sum(shift.change.value for shift in shifts) == pytest.approx(0)


@given(st.lists(st.integers(1, 300), min_size=8, max_size=8))
def test_q_values_come_from_the_two_proportion_test(cells):
    """The q-value of the smallest p-value is at most p times the number of cells, and never below p."""
    before, after = np.array(cells[:4]).reshape(2, 2), np.array(cells[4:]).reshape(2, 2)
    for shift in confusion_shift(before, after, ["no", "yes"]):
        hits = [shift.baseline.errors, shift.incident.errors]
        p = proportions_ztest(hits, [shift.baseline.n, shift.incident.n])[1]
        assert p - 1e-9 <= shift.q <= 1


def test_no_change_of_confusion_is_rarely_called_one(rng):
    """100 pairs of windows with the same confusion: some cell has q ≤ 0.05 in at most 10."""
    shares = np.array([0.4, 0.05, 0.05, 0.1, 0.3, 0.1])
    alarms = 0
    for _ in range(100):
        before, after = (np.append(rng.multinomial(2000, shares), [0, 0, 0]).reshape(3, 3) for _ in range(2))
        alarms += any(shift.q <= 0.05 for shift in confusion_shift(before, after, ["a", "b", "c"]))
    assert alarms <= 10


def test_what_is_wrong_with_the_input_is_said():
    with pytest.raises(ValueError, match=r"labels must be codes in 0\.\.1; got 0\.\.2"):
        confusion_counts([0, 2], [0, 1], classes=2)
    with pytest.raises(ValueError, match="rows of one length"):
        confusion_counts([0, 1], [0], classes=2)
    with pytest.raises(ValueError, match=r"counts must be \(2, classes, classes\)"):
        rates_by(np.zeros((1, 2, 2), np.int64), ["a", "b"])
    with pytest.raises(ValueError, match=r"positive must be a class in 0\.\.1; got 2"):
        rates_by(np.zeros((1, 2, 2), np.int64), ["a"], positive=2)
    with pytest.raises(ValueError, match="labeled rows"):
        confusion_shift(np.zeros((2, 2), np.int64), np.ones((2, 2), np.int64), ["a", "b"])
    with pytest.raises(ValueError, match=r"both counts must be \(3, 3\)"):
        confusion_shift(np.ones((2, 2), np.int64), np.ones((2, 2), np.int64), ["a", "b", "c"])


def test_propublicas_table_is_reproduced(shared_data):
    """Score Low against Medium or High, two-year recidivism, 7,214 defendants."""
    with (shared_data("compas") / "compas-scores-two-years.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    races = sorted({row["race"] for row in rows})
    counts = confusion_counts(
        [int(row["two_year_recid"]) for row in rows],
        [int(row["score_text"] != "Low") for row in rows],
        classes=2,
        segment=[races.index(row["race"]) for row in rows],
        segments=len(races),
    )
    assert counts.sum() == 7214
    table = {
        rates.value: (100 * rates.false_positive_rate.value, 100 * rates.false_negative_rate.value)
        for rates in rates_by(counts, races)
    }
    assert table["African-American"] == pytest.approx((44.85, 27.99), abs=0.005)
    assert table["Caucasian"] == pytest.approx((23.45, 47.72), abs=0.005)
