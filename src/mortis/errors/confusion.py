"""Confusion of labels and predictions: its rates by segment, and how it moved between two windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mortis.intervals import bh, newcombe, wilson
from mortis.records import Interval, Rate

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ConfusionRates:
    """A segment value's confusion of one class against the others. A rate is None where no row can decide it."""

    value: str
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    false_positive_rate: Interval | None
    false_negative_rate: Interval | None
    precision: Interval | None
    recall: Interval | None


@dataclass(frozen=True, slots=True)
class RatesShift:
    """A segment value's rates in both windows and their changes. A change is None where a window has no rate."""

    value: str
    baseline: ConfusionRates
    incident: ConfusionRates
    false_positive_rate: Interval | None
    false_negative_rate: Interval | None
    precision: Interval | None
    recall: Interval | None


@dataclass(frozen=True, slots=True)
class CellShift:
    """One label→prediction pair, its part of all labeled rows in both windows, the change, and its q-value."""

    label: str
    prediction: str
    baseline: Rate
    incident: Rate
    change: Interval
    q: float

    @property
    def wrong(self) -> bool:
        """Whether the prediction differs from the label."""
        return self.label != self.prediction


def confusion_counts(
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    classes: int,
    segment: ArrayLike | None = None,
    segments: int = 1,
    n: ArrayLike | None = None,
) -> IntArray:
    """Counts (segments, classes, classes) of segment × label × prediction; counts of parts add up to the whole's.

    `labels` and `predictions` are codes below `classes`, `segment` (all 0 when left out) codes below `segments`, `n`
    what a row stands for (1 when left out). A ValueError for codes out of range or unequal lengths.

    >>> confusion_counts([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], classes=2).tolist()
    [[[1, 1], [1, 2]]]

    Source: a contingency table.
    """
    label, prediction = np.asarray(labels, dtype=np.int64), np.asarray(predictions, dtype=np.int64)
    part = np.zeros(label.shape, np.int64) if segment is None else np.asarray(segment, dtype=np.int64)
    weight = np.ones(label.shape, np.int64) if n is None else np.asarray(n, dtype=np.int64)
    shapes = {array.shape for array in (label, prediction, part, weight)}
    if len(shapes) > 1 or label.ndim != 1:
        raise ValueError(f"labels, predictions, segment and n must be rows of one length; got shapes {sorted(shapes)}")
    for name, codes, size in (
        ("labels", label, classes),
        ("predictions", prediction, classes),
        ("segment", part, segments),
    ):
        if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < size:
            raise ValueError(f"{name} must be codes in 0..{size - 1}; got {int(codes.min())}..{int(codes.max())}")
    keys = (part * classes + label) * classes + prediction
    counts = np.bincount(keys, weights=weight, minlength=segments * classes * classes)
    return np.rint(counts).astype(np.int64).reshape(segments, classes, classes)


def rates_by(counts: IntArray, values: Sequence[str], *, positive: int = 1) -> tuple[ConfusionRates, ...]:
    """Each segment value's false-positive and false-negative rate, precision and recall, with Wilson's 95 % intervals.

    `counts` is (segments, classes, classes) from `confusion_counts`; `values` names the segments. With more than two
    classes `positive` is set against all others.

    >>> counts = confusion_counts([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], classes=2)
    >>> rates = rates_by(counts, ["all"])[0]
    >>> rates.false_positive_rate.value, rates.recall.n
    (0.5, 3)

    Source: Wilson (1927) for the intervals.
    """
    if counts.ndim != 3 or counts.shape[0] != len(values) or counts.shape[1] != counts.shape[2]:
        raise ValueError(
            f"counts must be ({len(values)}, classes, classes) for {len(values)} values; got {counts.shape}"
        )
    if not 0 <= positive < counts.shape[1]:
        raise ValueError(f"positive must be a class in 0..{counts.shape[1] - 1}; got {positive}")
    return tuple(_rates(value, table, positive) for value, table in zip(values, counts, strict=True))


def rates_shift_by(
    baseline: IntArray, incident: IntArray, values: Sequence[str], *, positive: int = 1
) -> tuple[RatesShift, ...]:
    """How each segment value's rates changed between two windows, with Newcombe's 95 % intervals.

    Both counts are (segments, classes, classes), as for `rates_by`.

    >>> before, after = np.array([[[90, 10], [5, 45]]]), np.array([[[70, 30], [5, 45]]])
    >>> round(rates_shift_by(before, after, ["all"])[0].false_positive_rate.value, 3)
    0.2

    Source: Newcombe (1998), method 10.
    """
    pairs = zip(
        rates_by(baseline, values, positive=positive), rates_by(incident, values, positive=positive), strict=True
    )
    return tuple(
        RatesShift(
            before.value,
            before,
            after,
            false_positive_rate=_change(_false_positives(before), _false_positives(after)),
            false_negative_rate=_change(_false_negatives(before), _false_negatives(after)),
            precision=_change(_precise(before), _precise(after)),
            recall=_change(_recalled(before), _recalled(after)),
        )
        for before, after in pairs
    )


def confusion_shift(baseline: IntArray, incident: IntArray, classes: Sequence[str]) -> tuple[CellShift, ...]:
    """Every label→prediction pair and how its part of the labeled rows changed, the one that gained most first.

    Both counts are (classes, classes), label × prediction. A ValueError where a window has no rows. The q-values are
    over all pairs, so that the largest of many changes isn't taken for more than it is.

    >>> shifts = confusion_shift(np.array([[90, 10], [5, 45]]), np.array([[70, 30], [5, 45]]), ["no", "yes"])
    >>> shifts[0].label, shifts[0].prediction, round(shifts[0].change.value, 3), shifts[0].q < 0.01
    ('no', 'yes', 0.133, True)

    Source: Newcombe (1998) for the interval; the pooled two-proportion test, Benjamini and Hochberg (1995) for q.
    """
    size = len(classes)
    if baseline.shape != (size, size) or incident.shape != (size, size):
        raise ValueError(
            f"both counts must be ({size}, {size}) for {size} classes; got {baseline.shape}, {incident.shape}"
        )
    n_before, n_after = int(baseline.sum()), int(incident.sum())
    if not n_before or not n_after:
        raise ValueError("both windows need labeled rows to compare their confusion")
    pairs = [(i, j) for i in range(size) for j in range(size)]
    rates = [(Rate(int(baseline[at]), n_before), Rate(int(incident[at]), n_after)) for at in pairs]
    q = bh([_two_sided_p(before, after) for before, after in rates])
    shifts = [
        CellShift(classes[i], classes[j], before, after, newcombe(before, after), float(q_value))
        for (i, j), (before, after), q_value in zip(pairs, rates, q, strict=True)
    ]
    return tuple(sorted(shifts, key=lambda shift: -shift.change.value))


def _rates(value: str, table: IntArray, positive: int) -> ConfusionRates:
    tp = int(table[positive, positive])
    fn, fp = int(table[positive].sum()) - tp, int(table[:, positive].sum()) - tp
    tn = int(table.sum()) - tp - fn - fp
    return ConfusionRates(
        value, tp, fp, tn, fn, _rate(fp, fp + tn), _rate(fn, fn + tp), _rate(tp, tp + fp), _rate(tp, tp + fn)
    )


def _rate(hits: int, n: int) -> Interval | None:
    return wilson(hits, n) if n else None


def _change(before: Rate, after: Rate) -> Interval | None:
    return newcombe(before, after) if before.n and after.n else None


def _false_positives(rates: ConfusionRates) -> Rate:
    return Rate(rates.false_positives, rates.false_positives + rates.true_negatives)


def _false_negatives(rates: ConfusionRates) -> Rate:
    return Rate(rates.false_negatives, rates.false_negatives + rates.true_positives)


def _precise(rates: ConfusionRates) -> Rate:
    return Rate(rates.true_positives, rates.true_positives + rates.false_positives)


def _recalled(rates: ConfusionRates) -> Rate:
    return Rate(rates.true_positives, rates.true_positives + rates.false_negatives)


def _two_sided_p(before: Rate, after: Rate) -> float:
    """The p-value of "both rates are the same", 1 where nothing varies."""
    pooled = (before + after).value
    variance = pooled * (1 - pooled) * (1 / before.n + 1 / after.n)
    return math.erfc(abs(after.value - before.value) / math.sqrt(2 * variance)) if variance > 0 else 1.0
