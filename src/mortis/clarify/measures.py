"""Formulas of the metrics over sums, one value per draw or bucket, and the limits that the rows alone give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mortis.intervals import normal_quantile, wilson_bounds
from mortis.profiles import Floats

Limits = tuple[Floats, Floats]
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums by slot, the slots along the last axis of `values`: (..., slots). What was never counted is zero.

    >>> sums = Sums(("tp", "score1:2", "score1:10"), np.array([[3.0, 1.0, 2.0]]))
    >>> sums["tp"].tolist(), sums["fp"].tolist(), sums.block("score1:").tolist()
    ([3.0], [0.0], [[1.0, 2.0]])
    """

    slots: tuple[str, ...]
    values: Floats

    def __getitem__(self, slot: str) -> Floats:
        if slot not in self.slots:
            return np.zeros(self.values.shape[:-1])
        column: Floats = self.values[..., self.slots.index(slot)]
        return column

    def total(self, slots: Sequence[str]) -> Floats:
        """Several slots added up: (...)."""
        added: Floats = np.sum([self[slot] for slot in slots], axis=0)
        return added

    def block(self, prefix: str) -> Floats:
        """The slots whose name begins so, in the order of what follows: (..., k)."""
        return self.blocks(prefix)[0]

    def blocks(self, *prefixes: str) -> tuple[Floats, ...]:
        """For each prefix its slots by what follows, for everything that follows any of them: (..., k) each."""
        names = {s.removeprefix(p) for p in prefixes for s in self.slots if s.startswith(p)}
        order = sorted(names, key=_in_order)
        place = {slot: i for i, slot in enumerate(self.slots)}
        # One column of zeros behind the last stands for all that was never counted.
        padded = np.concatenate([self.values, np.zeros((*self.values.shape[:-1], 1))], axis=-1)
        return tuple(padded[..., [place.get(p + name, -1) for name in order]] for p in prefixes)


def _in_order(name: str) -> tuple[int, int, str]:
    """Numbers by their value, before text."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Quotient of two sums, elementwise; not a number where the bottom isn't positive.

    >>> ratio(np.array([1.0, 1.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    top, bottom = np.broadcast_arrays(np.asarray(top, dtype=float), np.asarray(bottom, dtype=float))
    quotient: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return quotient


def rate_limits(top: Floats, bottom: Floats) -> Limits:
    """Wilson's limits of a share of rows; not a number where there are none.

    >>> [limit.round(4).tolist() for limit in rate_limits(np.array([5.0]), np.array([100.0]))]
    [[0.0215], [0.1118]]
    """
    low, high = wilson_bounds(top, bottom, confidence=CONFIDENCE)
    return np.where(bottom > 0, low, np.nan), np.where(bottom > 0, high, np.nan)


def mean_limits(total: Floats, square: Floats, n: Floats) -> Limits:
    """Normal limits of a mean from the sum, the sum of squares and the rows; not a number below two rows.

    >>> [limit.round(2).tolist() for limit in mean_limits(np.array([30.0]), np.array([110.0]), np.array([10.0]))]
    [[2.08], [3.92]]
    """
    mean = ratio(total, n)
    variance = ratio(np.maximum(square - total * mean, 0.0), n - 1)
    half = normal_quantile(CONFIDENCE) * np.sqrt(ratio(variance, n))
    return mean - half, mean + half


def f1(tp: Floats, errors: Floats) -> Floats:
    """F1 of true positives and errors (false positives and false negatives together).

    >>> f1(np.array([8.0]), np.array([4.0])).tolist()
    [0.8]
    """
    return ratio(2 * tp, 2 * tp + errors)


def f1_limits(tp: Floats, errors: Floats) -> Limits:
    """Limits of F1: it rises with tp / (tp + errors), which is a share of rows and has Wilson's limits.

    >>> [limit.round(3).tolist() for limit in f1_limits(np.array([80.0]), np.array([40.0]))]
    [[0.733], [0.854]]
    """
    low, high = rate_limits(tp, tp + errors)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def auroc(negative: Floats, positive: Floats) -> Floats:
    """Area under the ROC curve from rows by score bin, ascending, (..., bins); rows of one bin count as ties, half.

    >>> auroc(np.array([[3.0, 1.0]]), np.array([[1.0, 3.0]])).tolist()
    [0.75]

    Source: Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic curve".
    """
    below = np.cumsum(negative, axis=-1) - negative / 2
    return ratio((positive * below).sum(axis=-1), negative.sum(axis=-1) * positive.sum(axis=-1))


def auroc_limits(negative: Floats, positive: Floats) -> Limits:
    """Limits of the area: Wilson's, for the number of rows at which a share would vary as much as the area does.

    >>> low, high = auroc_limits(np.array([[300.0, 100.0]]), np.array([[100.0, 300.0]]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.719], [0.779])

    Source: the variance of DeLong, DeLong and Clarke-Pearson (1988); with score limits no area of 1 passes for certain.
    """
    n0, n1 = negative.sum(axis=-1), positive.sum(axis=-1)
    area = auroc(negative, positive)
    beaten = ratio(np.cumsum(negative, axis=-1) - negative / 2, n0[..., None])
    beating = ratio(n1[..., None] - np.cumsum(positive, axis=-1) + positive / 2, n1[..., None])
    of_positive = ratio((positive * (beaten - area[..., None]) ** 2).sum(axis=-1), n1 * np.maximum(n1 - 1, 1))
    of_negative = ratio((negative * (beating - area[..., None]) ** 2).sum(axis=-1), n0 * np.maximum(n0 - 1, 1))
    effective = ratio(area * (1 - area), of_positive + of_negative)
    rows = np.clip(np.where(np.isnan(effective), np.minimum(n0, n1), effective), 1.0, n0 + n1 + 1.0)
    defined = np.isfinite(area)
    low, high = wilson_bounds(np.where(defined, area, 0.0) * rows, rows, confidence=CONFIDENCE)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def auprc(negative: Floats, positive: Floats) -> Floats:
    """Average precision from rows by score bin, ascending, (..., bins), as if the rows of a bin were evenly mixed.

    Bins an eighth of a logit wide cost about 0.001 at 1,000 positives; to take each bin for one tie would cost 0.01.

    >>> auprc(np.array([[300.0, 100.0]]), np.array([[100.0, 300.0]])).round(3).tolist()
    [0.713]

    Source: Davis and Goadrich (2006), "The relationship between precision-recall and ROC curves", on interpolation.
    """
    gained, rows = positive[..., ::-1], (positive + negative)[..., ::-1]
    # Half a row: the first positive of a bin counts itself.
    found, above = (np.cumsum(x, axis=-1) - x + 0.5 for x in (gained, rows))
    share = np.nan_to_num(ratio(gained, rows))
    slope = np.nan_to_num(ratio(np.log1p(rows / above), rows))
    precision = share + (found - share * above) * slope
    return ratio((gained * precision).sum(axis=-1), positive.sum(axis=-1))


def calibration_error(rows: Floats, scores: Floats, positives: Floats) -> Floats:
    """Expected calibration error from rows, summed scores and positives by bin of the score: (..., bins).

    >>> calibration_error(np.array([[10.0, 10.0]]), np.array([[1.0, 9.0]]), np.array([[2.0, 9.0]])).tolist()
    [0.05]

    Source: Guo and others (2017), "On calibration of modern neural networks".
    """
    return ratio(np.abs(positives - scores).sum(axis=-1), rows.sum(axis=-1))


def macro(top: Floats, bottom: Floats, seen: Floats) -> Floats:
    """Mean over the classes of top / bottom: (..., classes); one without a bottom counts 0, one never seen not at all.

    >>> macro(np.array([[1.0, 0.0, 0.0]]), np.array([[2.0, 0.0, 0.0]]), np.array([[3.0, 1.0, 0.0]])).tolist()
    [0.25]
    """
    each = np.where(seen > 0, np.nan_to_num(ratio(top, bottom)), 0.0)
    return ratio(each.sum(axis=-1), (seen > 0).sum(axis=-1).astype(float))


def macro_auroc(areas: Floats) -> Floats:
    """Mean of the classes' one-against-rest areas that are defined: (..., classes).

    >>> macro_auroc(np.array([[0.8, 0.6, np.nan]])).round(3).tolist()
    [0.7]
    """
    known = np.isfinite(areas)
    return ratio(np.where(known, areas, 0.0).sum(axis=-1), known.sum(axis=-1).astype(float))


def r_squared(squared: Floats, y: Floats, y_square: Floats, n: Floats) -> Floats:
    """1 - squared errors / squares of the labels about their mean; not a number where the labels are all alike.

    >>> r_squared(np.array([1.0]), np.array([6.0]), np.array([14.0]), np.array([3.0])).tolist()
    [0.5]
    """
    spread = y_square - y * ratio(y, n)
    # Below this the difference of the two large sums is rounding.
    return 1 - ratio(squared, np.where(spread > 1e-12 * y_square, spread, 0.0))


def quantile(counts: Floats, edges: Sequence[float], q: Floats | float) -> Floats:
    """The q-quantile of non-negative figures from rows by bin: (..., len(edges) + 1), interpolated inside the bin.

    The first bin begins at 0. In the last, which is open, the answer is its edge: the quantile is that at least.

    >>> quantile(np.array([[0.0, 10.0, 10.0, 0.0]]), (100.0, 200.0, 400.0), 0.75).tolist()
    [300.0]
    """
    if not edges or not counts.shape[-1]:
        return np.full(counts.shape[:-1], np.nan)
    if counts.shape[-1] != len(edges) + 1:
        raise ValueError(f"{len(edges)} edges cut {len(edges) + 1} bins, here are {counts.shape[-1]}")
    bounds = np.array([min(0.0, edges[0]), *edges, edges[-1]])
    reached = np.cumsum(counts, axis=-1)
    wanted = np.asarray(q)[..., None] * reached[..., -1:]
    at = np.minimum((reached < wanted).sum(axis=-1, keepdims=True), len(edges))
    inside = np.take_along_axis(counts, at, axis=-1)
    begun = np.take_along_axis(reached, at, axis=-1) - inside
    share = np.clip(np.where(inside > 0, ratio(wanted - begun, inside), 0.0), 0.0, 1.0)
    value = (bounds[at] + share * (bounds[at + 1] - bounds[at]))[..., 0]
    return np.where(reached[..., -1] > 0, value, np.nan)


def quantile_limits(counts: Floats, edges: Sequence[float], q: float) -> Limits:
    """Limits of a quantile: the quantiles at the normal limits of its rank, whatever the distribution.

    >>> [limit.tolist() for limit in quantile_limits(np.array([[0.0, 100.0, 0.0]]), (0.0, 100.0), 0.5)]
    [[40.2...], [59.7...]]

    Source: the order statistics interval, as in Conover (1999), "Practical nonparametric statistics".
    """
    n = counts.sum(axis=-1)
    half = normal_quantile(CONFIDENCE) * np.sqrt(q * (1 - q)) * np.sqrt(np.nan_to_num(ratio(np.ones_like(n), n)))
    return (
        quantile(counts, edges, np.clip(q - half, 0.0, 1.0)),
        quantile(counts, edges, np.clip(q + half, 0.0, 1.0)),
    )


def frequency_limits(events: Floats, seconds: Floats) -> Limits:
    """Score limits of events per second, the events being Poisson.

    >>> [limit.round(2).tolist() for limit in frequency_limits(np.array([100.0]), np.array([10.0]))]
    [[8.22], [12.16]]
    """
    z = normal_quantile(CONFIDENCE)
    middle, half = events + z**2 / 2, z * np.sqrt(events + z**2 / 4)
    return ratio(np.maximum(middle - half, 0.0), seconds), ratio(middle + half, seconds)
