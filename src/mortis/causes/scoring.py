"""The metric on sampled rows: each row's contribution to the sums, so that a repaired or re-weighted sample is judged alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.clarify.metrics import Metric, Sums
from mortis.engine.dataset import OUTCOMES, Judgement, Task
from mortis.profiles import Floats
from mortis.records import CauseVerdict, Interval
from mortis.rows import Column, RowSample

DRAWS = 200
CONFIRMED, SUPPORTED = 0.25, 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Rows with what they add to the metric's sums: `matrix` is (rows, slots)."""

    slots: tuple[str, ...]
    matrix: Floats

    def only(self, keep: npt.NDArray[np.bool_]) -> Judged:
        """The same rows, those left out adding nothing."""
        return Judged(self.slots, self.matrix * keep[:, None])

    def value(self, metric: Metric, weights: Floats | None = None) -> Floats:
        """The metric over the rows, or over each of the weightings (draws, rows)."""
        weights = np.ones((1, len(self.matrix))) if weights is None else weights
        return metric.compute(Sums(self.slots, weights @ self.matrix))


def judged_rows(task: Task, y: Column, p: Column, score: Floats) -> Judged:
    """The rows' contributions under the names that the pass uses; rows without a label add nothing but `rows`."""
    figures: dict[str, Floats] = {"rows": np.ones(len(score))}
    if task == "binary":
        figures |= _binary(np.asarray(y, dtype=float), np.asarray(p, dtype=float), score)
    elif task == "regression":
        figures |= _regression(np.asarray(y, dtype=float), np.asarray(p, dtype=float))
    elif task == "multiclass":
        figures |= _multiclass(y, p)
    else:
        known = np.isfinite(score)
        value = np.where(known, score, 0.0)
        figures |= {"labelled": known.astype(float), "value": value, "square": value**2}
    return Judged(tuple(figures), np.column_stack(list(figures.values())))


def _binary(y: Floats, p: Floats, score: Floats) -> dict[str, Floats]:
    both = np.isfinite(y) & np.isfinite(p)
    known = np.isfinite(y) & np.isfinite(score)
    names = {"tn": (0, 0), "fp": (0, 1), "fn": (1, 0), "tp": (1, 1)}
    figures = {slot: (both & (y == label) & (p == said)).astype(float) for slot, (label, said) in names.items()}
    figures |= {"labelled": both.astype(float), "scored": known.astype(float)}
    figures |= {"predicted": np.isfinite(p).astype(float), "positives": (p == 1).astype(float)}
    sure = np.clip(np.where(known, score, 0.5), 1e-15, 1 - 1e-15)
    figures["log_loss"] = np.where(known, -np.log(np.where(y == 1, sure, 1 - sure)), 0.0)
    figures["brier"] = np.where(known, (np.where(known, score, 0.0) - np.where(known, y, 0.0)) ** 2, 0.0)
    place = np.clip(np.floor(np.log(sure / (1 - sure)) * 8) + 96, 0, 192).astype(int)
    for label in (0, 1):
        chosen = known & (y == label)
        figures |= {f"score{label}:{b}": (chosen & (place == b)).astype(float) for b in np.unique(place[chosen])}
    tenth = np.clip(np.floor(np.where(known, score, 0.0) * 10), 0, 9).astype(int)
    for b in np.unique(tenth[known]):
        inside = known & (tenth == b)
        figures[f"calibration_n:{b}"] = inside.astype(float)
        figures[f"calibration_score:{b}"] = np.where(inside, score, 0.0)
        figures[f"calibration_positive:{b}"] = (inside & (y == 1)).astype(float)
    return figures


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
    known = np.array([a is not None and b is not None for a, b in zip(y, p, strict=True)])
    right = known & (y == p)
    figures = {"labelled": known.astype(float), "right": right.astype(float)}
    for one in sorted({*y[known], *p[known]}):
        figures[f"label={one}"] = (known & (y == one)).astype(float)
        figures[f"predicted={one}"] = (known & (p == one)).astype(float)
        figures[f"right={one}"] = (right & (y == one)).astype(float)
    return figures


@dataclass(frozen=True, slots=True)
class Recovery:
    """How much of the metric's fall a change to the incident's rows takes back: 1 is all of it."""

    share: Interval
    before: float
    during: float
    after: float

    @property
    def verdict(self) -> CauseVerdict:
        """What the interval says: a quarter of the fall or more, some of it, none of it, or too little to tell."""
        if self.share.low >= CONFIRMED:
            return "confirmed"
        if self.share.low > 0 and self.share.value >= SUPPORTED:
            return "supported"
        return "refuted" if self.share.high < CONFIRMED else "inconclusive"


def recovery(
    metric: Metric, baseline: Judged, incident: Judged, changed: Judged, *, rng: np.random.Generator
) -> Recovery:
    """The share of the fall from baseline to incident that the changed rows take back, by a bootstrap of rows.

    `changed` holds the incident's rows, in the same order, as they would have been. Both are drawn together, so that what they
    share cancels out.
    """
    base_weights, own_weights = _weights(len(baseline.matrix), rng), _weights(len(incident.matrix), rng)
    before, during, after = (
        one.value(metric, weights)
        for one, weights in ((baseline, base_weights), (incident, own_weights), (changed, own_weights))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (after - during) / (before - during)
    shares = shares[np.isfinite(shares)]
    middle = [float(one.value(metric)[0]) for one in (baseline, incident, changed)]
    fall = middle[0] - middle[1]
    value = (middle[2] - middle[1]) / fall if fall else float("nan")
    low, high = np.quantile(shares, [0.025, 0.975]) if len(shares) else (float("nan"), float("nan"))
    return Recovery(Interval(value, float(low), float(high), len(incident.matrix)), *middle)


def _weights(rows: int, rng: np.random.Generator) -> Floats:
    return rng.multinomial(rows, np.full(rows, 1 / rows), size=DRAWS).astype(float)


def decision_threshold(sample: RowSample) -> float | None:
    """The score from which the log's predictions are positive; None where predictions don't follow from one threshold."""
    p, s = np.asarray(sample.p, dtype=float), sample.score
    known = np.isfinite(p) & np.isfinite(s)
    p, s = p[known], s[known]
    if not (p == 1).any() or not (p == 0).any():
        return None
    order = np.argsort(s, kind="stable")
    wrong = np.cumsum(p[order] == 1) + ((p == 0).sum() - np.cumsum(p[order] == 0))
    best = int(np.argmin(wrong))
    if wrong[best] > 0.005 * len(p):
        return None
    upper = s[order][best + 1] if best + 1 < len(s) else s[order][best]
    return float((s[order][best] + upper) / 2)


def errors_among(sample: RowSample, judgement: Judgement) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which rows the metric is about, and which of all rows are its errors."""
    names = OUTCOMES[judgement.by]
    among = np.isin(sample.outcome, [names.index(outcome) for outcome in judgement.among])
    return among, np.isin(sample.outcome, [names.index(outcome) for outcome in judgement.errors])
