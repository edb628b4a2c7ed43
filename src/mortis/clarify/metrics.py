"""Metrics by name, and their values with intervals: of a window, of each bucket, and from one window to another.

A window's interval allows for two kinds of chance: that of the rows, and that of time buckets which differ by more than
their rows explain. The first comes from the metric's own limits, the second from a bootstrap of the buckets; on each
side the wider limit counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mortis.clarify import definitions
from mortis.clarify.definitions import Maker, Metric, Options
from mortis.clarify.measures import Sums
from mortis.engine.dataset import LATENCY, Task
from mortis.intervals import FEWEST_BLOCKS, block_bootstrap, block_bootstrap_shift
from mortis.problems import InputProblem, listed, near
from mortis.profiles import Cell, Floats, Profile, Tally
from mortis.records import Interval, Window

__all__ = [
    "METRICS",
    "Metric",
    "Sums",
    "bucket_sums",
    "by_bucket",
    "cutoff_of",
    "difference",
    "estimate",
    "metric_for",
    "register_metric",
    "window_sums",
    "with_operations",
]

# task -> name -> maker. A name that ends in '@' or '_p' takes a number, as in `ndcg@5` and `latency_p99`.
METRICS: dict[Task, dict[str, Maker]] = {
    "binary": {},
    "multiclass": {},
    "regression": {},
    "ranking": {},
    "score": {},
    "operational": {},
}
DEFAULTS: dict[Task, str] = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "mae",
    "ranking": "ndcg",
    "score": "mean_score",
    "operational": "latency_p95",
}
ALIASES = {
    "acc": "accuracy",
    "f1_score": "f1",
    "macro_precision": "precision",
    "macro_recall": "recall",
    "macro_f1": "f1",
    "sensitivity": "recall",
    "auc": "auroc",
    "roc_auc": "auroc",
    "pr_auc": "auprc",
    "average_precision": "auprc",
    "logloss": "log_loss",
    "brier_score": "brier",
    "ece": "calibration_error",
    "mean_absolute_error": "mae",
    "r_squared": "r2",
    "latency": "latency_p95",
}


def register_metric(name: str, make: Maker, *tasks: Task) -> None:
    """Make a metric known to tasks; built-in ones go through the same door."""
    for task in tasks:
        METRICS[task][name] = make


def _always(metric: Metric) -> Maker:
    return lambda _: metric


def _register_built_in() -> None:
    by_task: dict[Task, tuple[Metric, ...]] = {
        "binary": definitions.BINARY,
        "multiclass": definitions.MULTICLASS,
        "regression": definitions.REGRESSION,
        "score": definitions.SCORE,
    }
    for task, metrics in by_task.items():
        for metric in metrics:
            register_metric(metric.name, _always(metric), task)
    for name, make in (("ndcg@", definitions.ndcg), ("mrr@", definitions.mrr), ("hit_rate@", definitions.hit_rate)):
        register_metric(name, make, "ranking")
    register_metric("latency_p", definitions.latency, *METRICS)
    for metric in definitions.OPERATIONAL:
        register_metric(metric.name, _always(metric), *METRICS)


_register_built_in()


def metric_for(name: str | None, task: Task, *, top_k: int = 10, latency_edges: tuple[float, ...] = ()) -> Metric:
    """The metric of that name for a task, or the task's usual one where the name is None.

    `top_k` is the number of places where `ndcg`, `mrr` or `hit_rate` states none; `latency_edges` (milliseconds) are
    those the pass cut the latency at. Raises InputProblem where the task has no such metric.

    >>> metric_for("hit_rate@5", "ranking").name, metric_for(None, "binary").name
    ('hit_rate@5', 'accuracy')
    >>> metric_for("recal", "binary")
    Traceback (most recent call last):
    mortis.problems.InputProblem: failure.metric: 'recal' is not a metric of a binary model; did you mean 'recall'? ...
    """
    known = METRICS[task]
    wanted = (name or DEFAULTS[task]).strip().lower().replace(" ", "_").replace("-", "_")
    wanted = ALIASES.get(wanted, wanted)
    options = Options(top_k=top_k, latency_edges=latency_edges)
    if match := re.fullmatch(r"(\w+@)([1-9]\d*)", wanted):
        wanted, options = match[1], replace(options, top_k=int(match[2]))
    elif match := re.fullmatch(r"(latency_p)([1-9]\d?(?:\.\d+)?)", wanted):
        wanted, options = match[1], replace(options, percent=float(match[2]))
    elif wanted.endswith(("@", "_p")):  # a family without its number
        wanted = ""
    elif f"{wanted}@" in known:
        wanted = f"{wanted}@"
    if wanted not in known:
        raise InputProblem(_unknown(str(name), task))
    return known[wanted](options)


def _unknown(name: str, task: Task) -> str:
    shown = [one for key in METRICS[task] for one in _shown(key)]
    guess = near(name.lower(), shown) or ";"
    article = "an" if task == "operational" else "a"
    there = listed(shown, most=40)
    return f"failure.metric: {name!r} is not a metric of {article} {task} model{guess} there are {there}"


def _shown(key: str) -> tuple[str, ...]:
    """A registered name as a user may write it."""
    if key == "latency_p":
        return ("latency_p50", "latency_p90", "latency_p95", "latency_p99")
    return (f"{key}10",) if key.endswith("@") else (key,)


def cutoff_of(name: str) -> int | None:
    """The number of places that a ranking metric looks at; None for any other.

    >>> cutoff_of("ndcg@5"), cutoff_of("accuracy")
    (5, None)
    """
    match = re.search(r"@(\d+)$", name)
    return int(match[1]) if match else None


def with_operations(profile: Profile, *, covered: Window | None = None) -> Tally:
    """The profile's quality figures with what operational metrics read: `latency:BIN` rows, `seconds` of each bucket.

    Buckets without a row, between the first and the last, appear with their seconds alone. `covered` is the stretch the
    log spans, where known: seconds outside it don't count. The versions of a bucket share its seconds in proportion to
    their rows, so throughput is that of all versions together.
    """
    tally = profile.quality
    latency = profile.numbers.get(LATENCY)
    if latency is not None:
        by_version = latency.sums.by(lambda cell: cell[:2])
        chosen = [j for j, slot in enumerate(by_version.slots) if slot.startswith("bin:")]
        slots = tuple(by_version.slots[j].replace("bin:", "latency:") for j in chosen)
        tally = tally + Tally(by_version.cells, slots, by_version.values[:, chosen])
    return tally + _seconds(tally, profile.width, covered)


def _seconds(tally: Tally, width: int, covered: Window | None) -> Tally:
    if not tally.cells or not width:
        return Tally()
    seen: dict[int, dict[Cell, float]] = {}
    for cell, n in zip(tally.cells, tally.column("rows").tolist(), strict=True):
        seen.setdefault(int(cell[0]), {})[cell] = n
    first, last = min(seen), max(seen)
    begin, end = float(first), float(last + width)
    if covered is not None:
        begin, end = covered.start.timestamp(), covered.end.timestamp()
        first = min(first, first + int((begin - first) // width) * width)
        last = max(last, last + -int((last + width - end) // width) * width)
    seconds: dict[Cell, dict[str, float]] = {}
    cells: dict[Cell, float] = seen[min(seen)]
    for start in range(first, last + width, width):
        # An empty bucket is ascribed to the version served last.
        cells = seen.get(start) or {(start, *max(cells)[1:]): 1.0}
        length = max(0.0, min(start + width, end) - max(start, begin))
        rows = sum(cells.values())
        seconds |= {cell: {"seconds": length * n / rows} for cell, n in cells.items() if length}
    return Tally.of(seconds)


def window_sums(tally: Tally) -> Sums:
    """All cells of a tally added up: values of shape (1, slots)."""
    return Sums(tally.slots, tally.values.sum(axis=0, keepdims=True).reshape(1, len(tally.slots)))


def bucket_sums(tally: Tally) -> tuple[npt.NDArray[np.int64], Sums]:
    """Starts of the buckets (epoch seconds), ascending, and their sums over versions: values (buckets, slots)."""
    by_start = tally.by(lambda cell: (int(cell[0]),))
    return np.array([cell[0] for cell in by_start.cells], dtype=np.int64), Sums(by_start.slots, by_start.values)


@dataclass(frozen=True, slots=True)
class _Window:
    """A metric in a window: its value, the limits that its rows give, and the sums of the buckets that hold rows."""

    metric: Metric
    value: float
    n: int
    limits: tuple[float, float] | None
    slots: tuple[str, ...]
    blocks: Floats

    @property
    def long(self) -> bool:
        """Whether there are enough buckets to see how much they vary."""
        return len(self.blocks) >= FEWEST_BLOCKS

    def statistic(self, sums: npt.NDArray[np.float64]) -> Floats:
        """The metric from summed buckets, (draws, slots) to (draws,)."""
        return self.metric.compute(Sums(self.slots, sums))


def _window(metric: Metric, tally: Tally, slots: tuple[str, ...]) -> _Window:
    whole = window_sums(tally)
    _, each = bucket_sums(tally)
    filled = (metric.n(each) > 0) | np.isfinite(metric.compute(each))
    place = {slot: j for j, slot in enumerate(each.slots)}
    blocks = np.zeros((int(filled.sum()), len(slots)))
    for j, slot in enumerate(slots):
        if slot in place:
            blocks[:, j] = each.values[filled, place[slot]]
    limits = None
    if metric.measure.limits is not None:
        low, high = (float(limit[0]) for limit in metric.measure.limits(whole))
        limits = (low, high) if np.isfinite(low) and np.isfinite(high) else None
    return _Window(metric, float(metric.compute(whole)[0]), int(metric.n(whole)[0]), limits, slots, blocks)


def estimate(metric: Metric, tally: Tally, *, rng: np.random.Generator, draws: int = 1000) -> Interval:
    """The metric over all cells of a tally with its 95 % interval; NaN where it is undefined.

    From five time buckets on, the interval is at least as wide as that of a bootstrap of the buckets. With fewer it is
    that of the rows alone (rates, means with squares, F1, AUROC, latency), and NaN where the metric has no such limits.

    >>> tally = Tally.of({(0, ""): {"tp": 60.0, "fp": 40.0}})
    >>> estimate(metric_for("precision", "binary"), tally, rng=np.random.default_rng(0))
    Interval(value=0.6, low=0.502..., high=0.690..., n=100)
    """
    window = _window(metric, tally, tally.slots)
    if not np.isfinite(window.value):
        return _interval(window.value, None, window.n)
    return _interval(window.value, _limits(window, rng, draws), window.n)


def _interval(value: float, limits: tuple[float, float] | None, n: int) -> Interval:
    """The interval of these limits; it holds the value, which the limits of a biased figure may miss."""
    if limits is None:
        return Interval(value, float("nan"), float("nan"), n)
    return Interval(value, min(limits[0], value), max(limits[1], value), n)


def _limits(window: _Window, rng: np.random.Generator, draws: int) -> tuple[float, float] | None:
    """The outer ones of the limits by rows and by buckets."""
    by_buckets = None
    if window.long:
        by_buckets = _tried(
            lambda: block_bootstrap(window.blocks, window.statistic, n=window.n, rng=rng, draws=draws, run=None)
        )
    return _outer((window.limits, by_buckets))


def _tried(bootstrap: Callable[[], Interval]) -> tuple[float, float] | None:
    """The limits of a bootstrap; None where most of its draws leave the metric undefined, as with a handful of rows."""
    try:
        found = bootstrap()
    except ValueError:
        return None
    return found.low, found.high


def _outer(limits: Iterable[tuple[float, float] | None]) -> tuple[float, float] | None:
    known = [pair for pair in limits if pair is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def difference(
    metric: Metric, baseline: Tally, incident: Tally, *, rng: np.random.Generator, draws: int = 1000
) -> Interval:
    """The metric in the incident minus the metric in the baseline with its 95 % interval; n counts the rows of both.

    The limits of both windows are put together as Newcombe's interval does it for rates. Where both have five buckets,
    the interval is at least as wide as that of a bootstrap of both; a shorter window is taken to vary from bucket to
    bucket as much as the longer. NaN are the limits where neither rows nor buckets give any, and the value where the
    metric is undefined.

    >>> before, after = (Tally.of({(0, ""): {"tp": tp, "fp": 1000.0 - tp}}) for tp in (970.0, 945.0))
    >>> difference(metric_for("precision", "binary"), before, after, rng=np.random.default_rng(0))
    Interval(value=-0.025..., low=-0.043..., high=-0.007..., n=2000)

    Source: Zou and Donner (2008), "Construction of confidence limits about effect measures: a general approach".
    """
    slots = tuple(dict.fromkeys((*baseline.slots, *incident.slots)))
    old, new = (_window(metric, tally, slots) for tally in (baseline, incident))
    n = old.n + new.n
    if not np.isfinite(old.value) or not np.isfinite(new.value):
        return _interval(float("nan"), None, n)
    by_buckets, before, after = None, old.limits, new.limits
    if old.long and new.long:
        by_buckets = _tried(
            lambda: block_bootstrap_shift(old.blocks, new.blocks, old.statistic, n=n, rng=rng, draws=draws)
        )
    elif old.long or new.long:
        longer = old if old.long else new
        limits = _limits(longer, rng, draws)
        before, after = (
            limits if window is longer else _outer((window.limits, _borrowed(window, longer, limits)))
            for window in (old, new)
        )
    return _interval(new.value - old.value, _outer((_apart(old.value, before, new.value, after), by_buckets)), n)


def _borrowed(short: _Window, longer: _Window, limits: tuple[float, float] | None) -> tuple[float, float] | None:
    """The limits a short window has if it varies like the longer one: wider, as fewer buckets and rows average out."""
    if limits is None:
        return None
    scale = np.sqrt(max(len(longer.blocks) / max(len(short.blocks), 1), longer.n / max(short.n, 1)))
    low, high = (float(scale) * abs(limit - longer.value) for limit in limits)
    return short.value - low, short.value + high


def _apart(
    old: float, before: tuple[float, float] | None, new: float, after: tuple[float, float] | None
) -> tuple[float, float] | None:
    """The limits of new - old from the limits of each."""
    if before is None or after is None:
        return None
    change = new - old
    low, high = np.hypot(new - after[0], before[1] - old), np.hypot(after[1] - new, old - before[0])
    return float(change - low), float(change + high)


def by_bucket(metric: Metric, tally: Tally) -> tuple[tuple[int, Interval], ...]:
    """The metric in each time bucket with the limits its rows give, NaN where they give none: (start, interval).

    Starts are in epoch seconds, ascending.

    >>> by_bucket(metric_for("precision", "binary"), Tally.of({(60, ""): {"tp": 6.0, "fp": 4.0}}))
    ((60, Interval(value=0.6, low=0.312..., high=0.831..., n=10)),)
    """
    starts, sums = bucket_sums(tally)
    values, n = metric.compute(sums), metric.n(sums)
    nothing = np.full(values.shape, np.nan)
    low, high = metric.measure.limits(sums) if metric.measure.limits else (nothing, nothing)
    return tuple(
        (int(start), Interval(float(value), float(under), float(over), int(rows)))
        for start, value, under, over, rows in zip(starts, values, low, high, n, strict=True)
    )
