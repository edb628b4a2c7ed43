"""The metric on sampled rows: what each row adds to the sums, so that changed rows are judged as the log was."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mortis.clarify.metrics import Metric, Sums, cutoff_of
from mortis.engine.dataset import OUTCOMES, Judgement, Task
from mortis.profiles import Floats
from mortis.records import CauseVerdict, Interval
from mortis.rows import Column, Ints, RowSample

DRAWS = 200
CONFIRMED, SUPPORTED = 0.25, 0.10
CLEAR = 0.99  # of the draws must show a fall, or there is nothing to share out
LIKELY = 0.9  # of them, where the change is judged by itself
LOGIT_LIMIT, BINS_PER_LOGIT = 12, 8
RAW_LIMIT, RAW_BINS = 24, 64
PLACES = 10  # that a ranking is judged by where its metric states none


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Rows with what they add to the metric's sums: `matrix` is (rows, slots).

    `group` numbers the query of each row (rows,), where rows of one are drawn together.
    """

    slots: tuple[str, ...]
    matrix: Floats
    group: Ints | None = None

    def only(self, keep: npt.NDArray[np.bool_] | Floats) -> Judged:
        """The same rows, those left out adding nothing; a weight lets a row count so many times."""
        return replace(self, matrix=self.matrix * keep[:, None])

    def redrawn(self, rng: np.random.Generator) -> Floats:
        """How often each of many draws with replacement takes each row: (draws, rows); rows of a query together."""
        if self.group is None:
            return redrawn(len(self.matrix), rng)
        return redrawn(int(self.group.max(initial=-1)) + 1, rng)[:, self.group]

    def value(self, metric: Metric, weights: Floats | None = None) -> Floats:
        """The metric over the rows, or over each of the weightings (draws, rows)."""
        weights = np.ones((1, len(self.matrix))) if weights is None else weights
        return metric.compute(Sums(self.slots, weights @ self.matrix))


def judged_rows(
    task: Task,
    y: Column,
    p: Column,
    score: Floats,
    *,
    probability: bool = True,
    metric: Metric | None = None,
    group: Ints | None = None,
) -> Judged:
    """The rows' contributions under the names that the pass uses; a row without a label adds nothing but `rows`.

    All that is known of them, or only what a `metric` that is a plain rate reads. `group` numbers the query of each row
    of a ranking; within the places that the metric looks at, each row adds its part of its query's figure.

    >>> y, p = np.array([1.0, 0.0, np.nan]), np.array([1.0, 1.0, 0.0])
    >>> rows = judged_rows("binary", y, p, np.array([0.9, 0.6, 0.1]))
    >>> [float(rows.matrix[:, rows.slots.index(slot)].sum()) for slot in ("rows", "tp", "fp", "predicted")]
    [3.0, 1.0, 1.0, 3.0]
    """
    figures: dict[str, Floats] = {"rows": np.ones(len(score))}
    read = {slot for side in metric.rate for slot in side} if metric and metric.rate else None
    if task == "binary":
        labels, decided = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
        figures |= _decisions(labels, decided)
        if read is None or not read <= set(figures):
            figures |= _scores(labels, score, probability=probability)
    elif task == "regression":
        figures |= _regression(np.asarray(y, dtype=float), np.asarray(p, dtype=float))
    elif task == "multiclass":
        figures |= _multiclass(y, p)
    elif task == "ranking" and group is not None:
        group = np.unique(group, return_inverse=True)[1]
        places = cutoff_of(metric.name) if metric else None
        figures |= _ranking(np.asarray(y, dtype=float), np.asarray(p, dtype=float), group, places or PLACES)
    elif task == "score":
        known = np.isfinite(score)
        value = np.where(known, score, 0.0)
        figures |= {"labelled": known.astype(float), "value": value, "square": value**2}
    kept = {slot: figure for slot, figure in figures.items() if read is None or slot in read}
    return Judged(tuple(kept), np.column_stack(list(kept.values())), group if task == "ranking" else None)


def _decisions(y: Floats, p: Floats) -> dict[str, Floats]:
    both = np.isfinite(y) & np.isfinite(p)
    names = {"tn": (0, 0), "fp": (0, 1), "fn": (1, 0), "tp": (1, 1)}
    figures = {slot: (both & (y == label) & (p == said)).astype(float) for slot, (label, said) in names.items()}
    figures["labelled"] = both.astype(float)
    return figures | {"predicted": np.isfinite(p).astype(float), "positives": (p == 1).astype(float)}


def _scores(y: Floats, score: Floats, *, probability: bool) -> dict[str, Floats]:
    known = np.isfinite(y) & np.isfinite(score)
    seen, label = np.where(known, score, 0.5), np.where(known, y, 0.0)
    sure = np.clip(seen, 1e-15, 1 - 1e-15) if probability else np.full(len(y), 0.5)
    figures = {
        "scored": known.astype(float),
        "log_loss": np.where(known, -np.log(np.where(label == 1, sure, 1 - sure)), 0.0),
        "brier": np.where(known, (seen - label) ** 2, 0.0),
    }
    place = _score_bin(seen, probability=probability)
    for one in (0, 1):
        chosen = known & (label == one)
        figures |= {f"score{one}:{b}": (chosen & (place == b)).astype(float) for b in np.unique(place[chosen])}
    tenth = np.clip(np.floor(seen * 10), 0, 9).astype(int)
    for b in np.unique(tenth[known]):
        inside = known & (tenth == b)
        figures[f"calibration_n:{b}"] = inside.astype(float)
        figures[f"calibration_score:{b}"] = np.where(inside, seen, 0.0)
        figures[f"calibration_positive:{b}"] = (inside & (label == 1)).astype(float)
    return figures


def _score_bin(score: Floats, *, probability: bool) -> npt.NDArray[np.int64]:
    """The bins of the pass: an eighth of a logit for a probability, else a 64th of ln(1 + |x|)."""
    if probability:
        sure = np.clip(score, 1e-9, 1 - 1e-9)
        wide = np.clip(np.log(sure / (1 - sure)), -LOGIT_LIMIT, LOGIT_LIMIT) * BINS_PER_LOGIT
        return np.asarray(np.floor(wide) + LOGIT_LIMIT * BINS_PER_LOGIT, dtype=np.int64)
    wide = np.minimum(np.log1p(np.abs(score)), RAW_LIMIT) * RAW_BINS
    return np.asarray(np.floor(np.where(score < 0, -wide, wide)) + RAW_LIMIT * RAW_BINS, dtype=np.int64)


def _regression(y: Floats, p: Floats) -> dict[str, Floats]:
    off = p - y
    seen = np.isfinite(off)
    off, y = np.where(seen, off, 0.0), np.where(seen, y, 0.0)
    relative = seen & (y != 0)
    return {
        "labelled": seen.astype(float),
        "error": off,
        "absolute": np.abs(off),
        "squared": off**2,
        "y": y,
        "y_square": y**2,
        "relative": np.where(relative, np.abs(off) / np.abs(np.where(relative, y, 1.0)), 0.0),
        "relative_n": relative.astype(float),
    }


def _multiclass(y: Column, p: Column) -> dict[str, Floats]:
    known = np.array([a is not None and b is not None for a, b in zip(y, p, strict=True)], dtype=bool)
    right = known & (y == p)
    figures = {"labelled": known.astype(float), "right": right.astype(float)}
    for one in sorted({*y[known], *p[known]}):
        figures[f"label={one}"] = (known & (y == one)).astype(float)
        figures[f"predicted={one}"] = (known & (p == one)).astype(float)
        figures[f"right={one}"] = (right & (y == one)).astype(float)
    return figures


def _ranking(y: Floats, p: Floats, group: Ints, places: int) -> dict[str, Floats]:
    """What each row adds: its discounted gain against the best of its query, and an equal part of what the query is.

    Rows without a prediction come last; ties stand in the order of the rows.

    Source: Järvelin and Kekäläinen 2002, 'Cumulated gain-based evaluation of IR techniques' (linear gain).
    """
    known, gain = np.isfinite(y), np.nan_to_num(y)
    served, ideal = (_places(group, by) for by in (np.where(np.isfinite(p), p, -np.inf), np.where(known, y, -np.inf)))
    size = np.bincount(group)[group]

    def in_query(of: Floats) -> Floats:
        return np.asarray(np.bincount(group, of)[group], dtype=float)

    discounted, best = (np.where(at < places, gain / np.log2(at + 2.0), 0.0) for at in (served, ideal))
    most, judged = in_query(best), in_query(known.astype(float)) > 0
    reciprocal = np.where((gain > 0) & (served < places), 1.0 / (served + 1.0), 0.0)
    first = np.zeros(int(group.max(initial=-1)) + 1)
    np.maximum.at(first, group, reciprocal)
    return {
        "labelled": judged / size,
        "ndcg": np.where(judged & (most > 0), discounted / np.where(most > 0, most, 1.0), 0.0),
        "ndcg_n": (judged & (most > 0)) / size,
        "reciprocal": np.where(judged, first[group], 0.0) / size,
        "hits": (judged & (first[group] > 0)) / size,
    }


def _places(group: Ints, by: Floats) -> Ints:
    """The place (0: first) of each row (n,) within its group, the largest first."""
    order = np.lexsort((-by, group))
    begins = np.searchsorted(group[order], group[order])
    place = np.empty(len(group), np.int64)
    place[order] = np.arange(len(group)) - begins
    return place


@dataclass(frozen=True, slots=True)
class Recovery:
    """How much of the metric's fall a change to the incident's rows takes back: 1 is all of it.

    The share's limits are NaN where the sampled rows don't show the fall clearly. `better` tells that the same rows
    clearly fare better with the change, whatever the fall was: that takes fewer rows than to tell two windows apart.
    """

    share: Interval
    before: float
    during: float
    after: float
    better: bool = False

    @property
    def verdict(self) -> CauseVerdict:
        """What the interval says: a quarter of the fall or more, some of it, none of it, or too little to tell.

        Where no share can be told, but the same rows clearly fare better by as much, that supports it.
        """
        if self.better and np.isnan(self.share.low) and self.share.value >= CONFIRMED:
            return "supported"
        if self.share.low >= CONFIRMED:
            return "confirmed"
        if self.share.low > 0 and self.share.value >= SUPPORTED:
            return "supported"
        return "refuted" if self.share.high < CONFIRMED else "inconclusive"


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Baseline and incident under the same draws of rows, to hold changes of the incident's rows against.

    `weights` are the draws of the incident's rows (draws, rows); `falls` what each draw's metric fell by, in the
    direction of harm, and `fall` what it fell by over all rows.
    """

    metric: Metric
    weights: Floats
    before: float
    during: float
    during_drawn: Floats
    falls: Floats
    fall: float

    @classmethod
    def of(cls, metric: Metric, baseline: Judged, incident: Judged, *, rng: np.random.Generator) -> Bootstrap:
        """The draws of both windows' rows."""
        old = baseline.value(metric, baseline.redrawn(rng))
        weights = incident.redrawn(rng)
        new = incident.value(metric, weights)
        before, during = float(baseline.value(metric)[0]), float(incident.value(metric)[0])
        return cls(metric, weights, before, during, new, old - new, before - during)

    @property
    def clear(self) -> bool:
        """Whether nearly all draws moved the way that is harm, so that shares of the fall mean something."""
        return self._shown(CLEAR)

    def _shown(self, share: float) -> bool:
        harm = np.sign(self.fall) if self.metric.two_sided else (1.0 if self.metric.better == "up" else -1.0)
        return bool(np.mean(self.falls * harm > 0) >= share)

    def draws(self, changed: Judged) -> tuple[float, Floats]:
        """The share of the fall that the changed rows take back: over all rows, and in each draw."""
        return self._shares(*self._values(changed))

    def _values(self, changed: Judged) -> tuple[float, Floats]:
        """The metric of the changed rows: over all, and in each draw."""
        return float(changed.value(self.metric)[0]), changed.value(self.metric, self.weights)

    def _shares(self, after: float, drawn: Floats) -> tuple[float, Floats]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.divide(after - self.during, self.fall)), (drawn - self.during_drawn) / self.falls

    def recovery(self, changed: Judged) -> Recovery:
        """What part of the fall the incident's rows take back where they are as in `changed`, in the same order.

        Both are drawn together, so that what they share cancels out.

        Source: the paired bootstrap, Efron and Tibshirani (1993), "An introduction to the bootstrap", chapter 8.
        """
        after, drawn = self._values(changed)
        gains = (drawn - self.during_drawn) * np.sign(self.fall)
        better = bool(np.mean(gains > 0) >= CLEAR and self._shown(LIKELY))
        return Recovery(self.interval(*self._shares(after, drawn)), self.before, self.during, after, better)

    def draws_again(self, usual: Judged, struck: Judged, weights: Floats) -> tuple[float, Floats]:
        """The share of the fall that baseline rows show once a fault is put into them: over all rows, and in each draw.

        What a fault destroys nothing gives back; but it can be done again where the truth is at hand. `weights` are the
        draws of the baseline's rows (draws, rows).
        """
        before, after = (float(one.value(self.metric)[0]) for one in (usual, struck))
        old, new = (one.value(self.metric, weights) for one in (usual, struck))
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.divide(before - after, before - self.during)), (old - new) / (old - self.during_drawn)

    def interval(self, share: float, draws: Floats) -> Interval:
        """The share with the limits of its draws; NaN limits where the fall isn't clear."""
        known = draws[np.isfinite(draws)]
        n = self.weights.shape[1]
        if not self.clear or len(known) < CLEAR * len(draws):
            return Interval(share, float("nan"), float("nan"), n)
        low, high = np.quantile(known, [0.025, 0.975])
        return Interval(share, min(float(low), share), max(float(high), share), n)


def redrawn(rows: int, rng: np.random.Generator, *, draws: int = DRAWS) -> Floats:
    """How often each of many draws with replacement takes each row: (draws, rows).

    >>> redrawn(5, np.random.default_rng(0), draws=3).sum(axis=1).tolist()
    [5.0, 5.0, 5.0]
    """
    # Counting the places drawn takes a tenth of the time of NumPy's multinomial.
    places = rng.integers(0, max(rows, 1), (draws, rows)) + rows * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=draws * rows).reshape(draws, rows).astype(float)


def decision_threshold(sample: RowSample) -> float | None:
    """The score from which the log's predictions are positive; None where they don't follow from one threshold.

    Of the numbers that part the decisions alike, the one with the fewest digits.
    """
    p, s = np.asarray(sample.p, dtype=float), sample.score
    known = np.isfinite(p) & np.isfinite(s)
    values, place = np.unique(s[known], return_inverse=True)
    negative, positive = (np.bincount(place[p[known] == said], minlength=len(values)) for said in (0, 1))
    if not negative.any() or not positive.any():
        return None
    # Rows decided otherwise if all scores from the k-th value on were positive, and no others.
    wrong = np.concatenate([[0], np.cumsum(positive)]) + np.concatenate([np.cumsum(negative[::-1])[::-1], [0]])
    best = int(np.argmin(wrong))
    if wrong[best] > 0.005 * known.sum() or not 0 < best < len(values):
        return None
    return _roundest(float(values[best - 1]), float(values[best]))


def _roundest(low: float, high: float) -> float:
    """The number with the fewest decimals above `low` and not above `high`."""
    for decimals in range(16):
        found = float(np.floor(high * 10**decimals) / 10**decimals)
        if low < found <= high:
            return found
    return high


def errors_among(sample: RowSample, judgement: Judgement) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which rows (n,) the metric is about, and which of all rows are its errors."""
    names = OUTCOMES[judgement.by]
    among = np.isin(sample.outcome, [names.index(outcome) for outcome in judgement.among])
    return among, np.isin(sample.outcome, [names.index(outcome) for outcome in judgement.errors])


def outcomes_of(judgement: Judgement, y: Column, p: Column, score: Floats) -> npt.NDArray[np.int8] | None:
    """What came of rows (n,), as places in the judgement's outcomes; None where that needs more than these columns.

    >>> binary = Judgement("binary", ("fp", "fn"), ("tn", "fp", "fn", "tp"))
    >>> y, p = np.array([1.0, 0.0, np.nan]), np.array([1.0, 1.0, 0.0])
    >>> [OUTCOMES["binary"][place] for place in outcomes_of(binary, y, p, p)]
    ['tp', 'fp', 'unlabelled']
    """
    last = len(OUTCOMES[judgement.by]) - 1
    if judgement.by == "multiclass":
        known = np.array([a is not None and b is not None for a, b in zip(y, p, strict=True)], dtype=bool)
        return np.where(known, y != p, last).astype(np.int8)
    if judgement.by not in ("binary", "regression", "score"):
        return None
    if judgement.by == "score":
        return np.where(np.isfinite(score), score < judgement.tolerance, last).astype(np.int8)
    labels, said = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    known = np.isfinite(labels) & np.isfinite(said)
    labels, said = np.where(known, labels, 0.0), np.where(known, said, 0.0)
    off = said - labels
    code = labels * 2 + said if judgement.by == "binary" else np.where(off < 0, 2, 1) * (abs(off) > judgement.tolerance)
    return np.where(known, code, last).astype(np.int8)
