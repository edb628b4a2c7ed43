"""Labels that arrive late, twice, in two places or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from planted import BEGINS, Rows, began, day, first_slice, told

PREDICTIONS = {"prediction": "pred"}
Array = NDArray[Any]
LABELS = {"table": "labels.parquet", "id": "key", "label": "y", "time": "known"}


class Labelled:
    """A log without labels, and its label table: each label arrives some days after its prediction."""

    def __init__(
        self, rows: Rows, error: Array, delay: Array, *, known_until: float, label: Array | None = None
    ) -> None:
        self.label = (rows.rng.random(rows.n) < 0.4).astype(int) if label is None else label
        self.answer = self.label ^ (rows.rng.random(rows.n) < error)
        self.log = rows.columns(pred=self.answer)
        arrived = rows.days + delay
        self.here = arrived < known_until
        micros = (arrived * 86_400e6).astype("timedelta64[us]")
        known = np.datetime64(BEGINS.replace(tzinfo=None), "us") + micros
        keys = np.array(self.log["key"])
        self.table = {"key": keys[self.here], "y": self.label[self.here], "known": known[self.here]}


def half_error(rows: Rows) -> Array:
    """Half of the predictions that the fault hits are wrong, a tenth of the others."""
    return np.where(rows.hit, 0.5, 0.1)


def test_windows_are_compared_at_equal_label_age(investigated):
    """The incident's youngest labels are missing: both windows are judged by labels of the same age."""
    rows = Rows(31, a_day=500)
    case = Labelled(rows, half_error(rows), rows.rng.gamma(2, 1.5, rows.n), known_until=39)
    found = investigated(case.log, label_rows=case.table, predictions=PREDICTIONS, labels=LABELS)
    assert began(found, day(rows.since)), told(found)
    assert first_slice(found) == {"region": "us"}, told(found)
    assert "clarify.label-age" in {one.id for one in found.evidence}


def test_labels_that_come_sooner_for_errors_make_no_failure(investigated):
    """Errors are reported within a day, the rest within two weeks: the young incident looks bad, and is not."""
    rows = Rows(32, a_day=500)
    error = rows.rng.random(rows.n) < 0.1
    delay = np.where(error, rows.rng.uniform(0, 1, rows.n), rows.rng.uniform(0, 14, rows.n))
    case = Labelled(rows, error.astype(float), delay, known_until=39)
    at_hand = case.here & (rows.days >= 30)
    naive = np.mean(case.label[at_hand] != case.answer[at_hand])
    assert naive > 0.14, "the trap must be set"
    found = investigated(case.log, label_rows=case.table, predictions=PREDICTIONS, labels=LABELS)
    assert found.failure.verdict != "failure", told(found)


def test_positives_that_come_late_make_no_failure(investigated):
    """Negatives are reported at once and positives late: the young incident's precision looks bad, and is not."""
    rows = Rows(33, a_day=500)
    label = (rows.rng.random(rows.n) < 0.4).astype(int)
    delay = np.where(label == 1, rows.rng.uniform(6, 12, rows.n), rows.rng.uniform(0, 1, rows.n))
    case = Labelled(rows, np.full(rows.n, 0.1), delay, known_until=38, label=label)
    at_hand = case.here & (rows.days >= 30) & (case.answer == 1)
    assert label[at_hand].mean() < 0.6, "the trap must be set: few of the late positives are known"
    found = investigated(
        case.log, label_rows=case.table, predictions=PREDICTIONS, labels=LABELS, failure={"metric": "precision"}
    )
    assert found.failure.verdict != "failure", told(found)


def test_half_of_the_labels_missing_cannot_tell(investigated):
    """Where most of the incident's labels are still to come and their times are unknown, nothing is claimed."""
    rows = Rows(34)
    case = Labelled(rows, half_error(rows), np.zeros(rows.n), known_until=60)
    keep = (rows.days < 30) | (rows.rng.random(rows.n) < 0.2)
    table = {"key": np.array(case.log["key"])[keep], "y": case.label[keep]}
    stated = {name: column for name, column in LABELS.items() if name != "time"}
    found = investigated(case.log, label_rows=table, predictions=PREDICTIONS, labels=stated)
    assert found.failure.verdict == "cannot_tell", told(found)
    assert "labels have arrived" in found.failure.reason


def test_labels_in_the_log_and_in_a_table(investigated):
    """The log's own label counts where it has one, and the table's elsewhere."""
    rows = Rows(35)
    case = Labelled(rows, half_error(rows), np.full(rows.n, 0.5), known_until=60)
    split = rows.days < 15
    log = case.log | {"y_true": [int(y) if own else None for y, own in zip(case.label, split, strict=True)]}
    table = {name: column[~split] for name, column in case.table.items()}
    found = investigated(log, label_rows=table, predictions=PREDICTIONS | {"label": "y_true"}, labels=LABELS)
    assert began(found, day(rows.since)), told(found)
    assert found.failure.label_maturity == 1.0
    assert found.failure.baseline.n + found.failure.incident.n <= rows.n


def test_repeated_labels_count_once(investigated):
    """A label table that repeats itself changes no figure."""
    rows = Rows(36)
    case = Labelled(rows, half_error(rows), np.full(rows.n, 0.5), known_until=60)
    twice = {name: np.concatenate([column, column[::3]]) for name, column in case.table.items()}
    once, repeated = (
        investigated(case.log, label_rows=table, predictions=PREDICTIONS, labels=LABELS).failure
        for table in (case.table, twice)
    )
    assert once == repeated
    assert once.verdict == "failure"
