"""The metrics by task: what each means, which rows count as its errors, and how it is computed from sums."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mortis.clarify import measures
from mortis.clarify.measures import Limits, Sums, ratio
from mortis.engine.dataset import Judgement
from mortis.profiles import Floats
from mortis.records import FailureKind, Harm

Formula = Callable[[Sums], Floats]
Rate = tuple[tuple[str, ...], tuple[str, ...]]
Need = Literal["prediction", "score", "probability", "label", "latency_ms", "error"]


@dataclass(frozen=True, slots=True)
class Measure:
    """How a metric is computed: its value, the rows behind it, its slots if it is a rate, its limits if rows give any.

    The formulas keep the leading dimensions of the sums (draws, buckets) and give NaN where the figure is undefined.
    `rate` is (numerator, denominator), each the slots that are added up; `limits` takes rows as independent.
    """

    compute: Formula
    n: Formula
    rate: Rate | None = None
    limits: Callable[[Sums], Limits] | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of quality or operation; `judgement` tells which rows count as its errors, `error_means` in words.

    `needs` names the columns without which it can't be computed (a score may stand for the prediction). `two_sided`
    says that a move either way may be harm; `better` then is the direction more often wished for.
    """

    name: str
    title: str
    better: Harm
    kind: FailureKind
    definition: str
    judgement: Judgement
    error_means: str
    measure: Measure
    needs: tuple[Need, ...] = ("label",)
    two_sided: bool = False

    @property
    def compute(self) -> Formula:
        """The metric's value from sums."""
        return self.measure.compute

    @property
    def n(self) -> Formula:
        """The rows behind the value (queries, for a ranking)."""
        return self.measure.n

    @property
    def rate(self) -> Rate | None:
        """Numerator's and denominator's slots where the metric is a share of rows."""
        return self.measure.rate


@dataclass(frozen=True, slots=True)
class Options:
    """What a name such as `ndcg@5` or `latency_p99` states, and where the pass cut the latency (milliseconds)."""

    top_k: int = 10
    percent: float = 95.0
    latency_edges: tuple[float, ...] = ()


Maker = Callable[[Options], Metric]


def share(top: tuple[str, ...], bottom: tuple[str, ...]) -> Measure:
    """The measure of a plain rate of rows, with Wilson's limits."""
    return Measure(
        compute=lambda s: ratio(s.total(top), s.total(bottom)),
        n=lambda s: s.total(bottom),
        rate=(top, bottom),
        limits=lambda s: measures.rate_limits(s.total(top), s.total(bottom)),
    )


def mean(total: str, n: str, *, square: str = "") -> Measure:
    """The measure of a mean of rows; with normal limits where their squares are summed too."""
    return Measure(
        compute=lambda s: ratio(s[total], s[n]),
        n=lambda s: s[n],
        limits=(lambda s: measures.mean_limits(s[total], s[square], s[n])) if square else None,
    )


_CELLS = ("tn", "fp", "fn", "tp")
_WRONG = Judgement("binary", ("fp", "fn"), _CELLS), "a prediction that differs from its label (fp or fn)"
_FALSE_ALARM = Judgement("binary", ("fp",), ("fp", "tp")), "a predicted positive that is none (fp)"
_MISSED = Judgement("binary", ("fn",), ("fn", "tp")), "a positive that was predicted negative (fn)"
_FALSE_POSITIVE = Judgement("binary", ("fp",), ("tn", "fp")), "a negative that was predicted positive (fp)"
_NOT_FOUND = Judgement("binary", ("fp", "fn"), ("fp", "fn", "tp")), "a false positive or a missed positive (fp or fn)"
_POSITIVE = Judgement("binary", ("fp", "tp"), _CELLS), "a positive prediction (tp or fp)"
_OTHER_CLASS = Judgement("multiclass", ("wrong",), ("right", "wrong")), "a prediction of another class than the label's"
_FAR_OFF = (
    Judgement("regression", ("over", "under"), ("fine", "over", "under")),
    "a prediction further from its label than the tolerance",
)
_NO_HIT = Judgement("ranking", ("miss",), ("hit", "miss")), "a row of a query with nothing relevant in its first places"
_LOW = Judgement("score", ("low",), ("fine", "low")), "a row whose score lies below the tolerance"
_SLOW = Judgement("latency", ("slow",), ("fine", "slow")), "a request slower than the tolerance"
_NOTHING = Judgement("failed", (), ("fine", "failed")), "none: requests that never came leave no rows"
_FAILED = Judgement("failed", ("failed",), ("fine", "failed")), "a request that failed or got no prediction"


def _scored(s: Sums) -> Floats:
    return s["scored"]


def _errors(s: Sums) -> Floats:
    return s["fp"] + s["fn"]


BINARY = (
    Metric(
        "accuracy", "Accuracy", "up", "quality",
        "(tp + tn) / labelled rows: of the predictions with a label, the share that is right",
        *_WRONG, share(("tp", "tn"), _CELLS), ("prediction", "label"),
    ),
    Metric(
        "precision", "Precision", "up", "quality",
        "tp / (tp + fp): of the labelled rows predicted positive, the share that is",
        *_FALSE_ALARM, share(("tp",), ("tp", "fp")), ("prediction", "label"),
    ),
    Metric(
        "recall", "Recall", "up", "quality",
        "tp / (tp + fn): of the positives, the share that was predicted positive",
        *_MISSED, share(("tp",), ("tp", "fn")), ("prediction", "label"),
    ),
    Metric(
        "specificity", "Specificity", "up", "quality",
        "tn / (tn + fp): of the negatives, the share that was predicted negative",
        *_FALSE_POSITIVE, share(("tn",), ("tn", "fp")), ("prediction", "label"),
    ),
    Metric(
        "f1", "F1", "up", "quality",
        "2 tp / (2 tp + fp + fn): the harmonic mean of precision and recall over the labelled rows",
        *_NOT_FOUND,
        Measure(
            compute=lambda s: measures.f1(s["tp"], _errors(s)),
            n=lambda s: s["tp"] + _errors(s),
            limits=lambda s: measures.f1_limits(s["tp"], _errors(s)),
        ),
        ("prediction", "label"),
    ),
    Metric(
        "auroc", "AUROC", "up", "quality",
        "the share of pairs of a positive and a negative, among rows with label and score, in which the positive has "
        "the higher score (ties half; scores in narrow bins)",
        *_WRONG,
        Measure(
            compute=lambda s: measures.auroc(*s.blocks("score0:", "score1:")),
            n=_scored,
            limits=lambda s: measures.auroc_limits(*s.blocks("score0:", "score1:")),
        ),
        ("score", "label"),
    ),
    Metric(
        "auprc", "AUPRC", "up", "quality",
        "average precision: the mean over the positives of the precision down to their score, rows with label and "
        "score (in narrow bins, evenly mixed inside each)",
        *_WRONG, Measure(lambda s: measures.auprc(*s.blocks("score0:", "score1:")), _scored), ("score", "label"),
    ),
    Metric(
        "log_loss", "Log loss", "down", "quality",
        "mean of -ln(probability given to the label) over the rows with label and score",
        *_WRONG, mean("log_loss", "scored"), ("probability", "label"),
    ),
    Metric(
        "brier", "Brier score", "down", "quality",
        "mean of (score - label)² over the rows with label and score",
        *_WRONG, mean("brier", "scored"), ("probability", "label"),
    ),
    Metric(
        "calibration_error", "Calibration error", "down", "quality",
        "mean over 10 equal bins of the score, weighted by rows, of |mean score - share of positives|",
        *_WRONG,
        Measure(
            lambda s: measures.calibration_error(
                *s.blocks("calibration_n:", "calibration_score:", "calibration_positive:")
            ),
            _scored,
        ),
        ("probability", "label"),
    ),
    Metric(
        "positive_rate", "Positive rate", "down", "quality",
        "predicted positives / predictions: of all rows with a prediction, labelled or not, the share that is positive",
        *_POSITIVE, share(("positives",), ("predicted",)), ("prediction",), two_sided=True,
    ),
)  # fmt: skip


def _macro(bottom: str) -> Formula:
    def compute(s: Sums) -> Floats:
        right, label, predicted = s.blocks("right=", "label=", "predicted=")
        below = {"label": label, "predicted": predicted, "both": (label + predicted) / 2}[bottom]
        return measures.macro(right, below, label + predicted)

    return compute


def _one_against_rest(s: Sums) -> Floats:
    matches = (re.fullmatch(r"(.+)/score[01]:\d+", slot) for slot in s.slots)
    classes = sorted({match[1] for match in matches if match})
    areas = [measures.auroc(*s.blocks(f"{name}/score0:", f"{name}/score1:")) for name in classes]
    return measures.macro_auroc(np.stack(areas, axis=-1)) if areas else np.full(s.values.shape[:-1], np.nan)


def _labelled(s: Sums) -> Floats:
    return s["labelled"]


MULTICLASS = (
    Metric(
        "accuracy", "Accuracy", "up", "quality",
        "right predictions / labelled rows: of the predictions with a label, the share of the label's class",
        *_OTHER_CLASS, share(("right",), ("labelled",)), ("prediction", "label"),
    ),
    Metric(
        "precision", "Precision (macro)", "up", "quality",
        "mean over the classes of: of the labelled rows predicted so, the share that is (0 where none is predicted so)",
        *_OTHER_CLASS, Measure(_macro("predicted"), _labelled), ("prediction", "label"),
    ),
    Metric(
        "recall", "Recall (macro)", "up", "quality",
        "mean over the classes of: of the rows with this label, the share predicted so (0 where there is none)",
        *_OTHER_CLASS, Measure(_macro("label"), _labelled), ("prediction", "label"),
    ),
    Metric(
        "f1", "F1 (macro)", "up", "quality",
        "mean over the classes of the harmonic mean of precision and recall, over the labelled rows",
        *_OTHER_CLASS, Measure(_macro("both"), _labelled), ("prediction", "label"),
    ),
    Metric(
        "log_loss", "Log loss", "down", "quality",
        "mean of -ln(probability given to the label's class) over the rows with a label and its class's score",
        *_OTHER_CLASS, mean("log_loss", "scored"), ("probability", "label"),
    ),
    Metric(
        "auroc", "AUROC (macro)", "up", "quality",
        "mean over the classes of the area under the ROC curve of each against the rest (ties half; scores in narrow "
        "bins)",
        *_OTHER_CLASS, Measure(_one_against_rest, _labelled), ("probability", "label"),
    ),
)  # fmt: skip

REGRESSION = (
    Metric(
        "mae", "Mean absolute error", "down", "quality",
        "mean of |prediction - label| over the labelled rows",
        *_FAR_OFF, mean("absolute", "labelled", square="squared"), ("prediction", "label"),
    ),
    Metric(
        "rmse", "Root mean squared error", "down", "quality",
        "square root of the mean of (prediction - label)² over the labelled rows",
        *_FAR_OFF, Measure(lambda s: np.sqrt(ratio(s["squared"], s["labelled"])), _labelled), ("prediction", "label"),
    ),
    Metric(
        "mape", "Mean absolute percentage error", "down", "quality",
        "mean of |prediction - label| / |label|, as a share, over the rows whose label isn't 0",
        *_FAR_OFF, mean("relative", "relative_n"), ("prediction", "label"),
    ),
    Metric(
        "r2", "R²", "up", "quality",
        "1 - sum of squared errors / sum of squares of the labels about their mean, over the labelled rows",
        *_FAR_OFF,
        Measure(lambda s: measures.r_squared(s["squared"], s["y"], s["y_square"], s["labelled"]), _labelled),
        ("prediction", "label"),
    ),
    Metric(
        "bias", "Bias", "down", "quality",
        "mean of (prediction - label) over the labelled rows: above 0 the model predicts too much",
        *_FAR_OFF, mean("error", "labelled", square="squared"), ("prediction", "label"), two_sided=True,
    ),
)  # fmt: skip

SCORE = (
    Metric(
        "mean_score", "Mean score", "up", "quality",
        "mean of the score over the rows that have one",
        *_LOW, mean("value", "labelled", square="square"), ("score",),
    ),
)  # fmt: skip


def ndcg(options: Options) -> Metric:
    """Normalized discounted cumulative gain in the first places."""
    k = options.top_k
    return Metric(
        f"ndcg@{k}", f"NDCG@{k}", "up", "quality",
        f"mean over the queries with a relevant row of gain discounted by log2(place + 1) in the first {k} places / "
        "the most there could be (linear gain; rows without a label gain 0)",
        *_NO_HIT, mean("ndcg", "ndcg_n"), ("prediction", "label"),
    )  # fmt: skip


def mrr(options: Options) -> Metric:
    """Mean reciprocal rank in the first places."""
    k = options.top_k
    return Metric(
        f"mrr@{k}", f"MRR@{k}", "up", "quality",
        f"mean over the queries with a label of 1 / place of the first relevant row, 0 where none is in the first {k}",
        *_NO_HIT, mean("reciprocal", "labelled"), ("prediction", "label"),
    )  # fmt: skip


def hit_rate(options: Options) -> Metric:
    """Share of the queries with something relevant in the first places."""
    k = options.top_k
    return Metric(
        f"hit_rate@{k}", f"Hit rate@{k}", "up", "quality",
        f"queries with a relevant row in the first {k} places / queries with a label",
        *_NO_HIT, share(("hits",), ("labelled",)), ("prediction", "label"),
    )  # fmt: skip


def latency(options: Options) -> Metric:
    """A quantile of the latency."""
    name, edges, q = f"{options.percent:g}", options.latency_edges, options.percent / 100
    return Metric(
        f"latency_p{name}", f"Latency p{name}", "down", "operational",
        f"the latency in milliseconds that {name} % of the requests stay below, interpolated inside its bin",
        *_SLOW,
        Measure(
            lambda s: measures.quantile(s.block("latency:"), edges, q),
            lambda s: s.block("latency:").sum(axis=-1),
            limits=lambda s: measures.quantile_limits(s.block("latency:"), edges, q),
        ),
        ("latency_ms",),
    )  # fmt: skip


OPERATIONAL = (
    Metric(
        "error_rate", "Error rate", "down", "operational",
        "failed requests / rows: of all rows of the log, the share marked as failed",
        *_FAILED, share(("failures",), ("rows",)), ("error",),
    ),
    Metric(
        "throughput", "Throughput", "up", "operational",
        "rows per second, empty time buckets included",
        *_NOTHING,
        Measure(
            lambda s: ratio(s["rows"], s["seconds"]),
            lambda s: s["rows"],
            limits=lambda s: measures.frequency_limits(s["rows"], s["seconds"]),
        ),
        (),
    ),
    Metric(
        "null_share", "Null share", "down", "operational",
        "rows without a prediction / rows: of all rows of the log, the share that got none",
        *_FAILED, share(("unserved",), ("rows",)), (),
    ),
)  # fmt: skip
