"""Prints how often step 1 calls healthy logs a failure, and how often it finds failures that were planted.

    python benchmarks/healthy.py [--seeds 1000] [--first 1000]

Each seed draws one log: a metric, a baseline of 7 to 60 days, an incident of 3 to 14, 50 to 2,000 predictions a day,
and days that differ by chance alone, by more than chance, with the weekday, or with a memory (AR(1), phi 0.5). The same
logs are judged as they are, under stated windows and under none, and with rises of 3, 5 and 10 points planted into the
rate of errors. The constants of `mortis.clarify.verdict` were chosen on seeds 0 to 999; printed by default are others.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mortis.clarify.failure import Stated, clarify
from mortis.clarify.metrics import Metric, metric_for
from mortis.engine.dataset import Task
from mortis.profiles import Profile, Tally
from mortis.records import FailureVerdict, Window

Floats = NDArray[np.float64]
Figures = Mapping[str, NDArray[Any]]

DAY = 86_400
BEGINS = datetime(2013, 6, 3, tzinfo=UTC)  # a Monday
NOISE = ("chance", "day effects", "weekday", "memory")
MEMORY = 0.5
ERROR_RATE = 0.12
LATENCY_EDGES = tuple(float(edge) for edge in np.geomspace(10, 5000, 36))


@dataclass(frozen=True, slots=True)
class Days:
    """What a log's days are like: predictions of each, and how far each lies from its usual level, in standard units.

    `planted` is what was added to the rate of errors on each day.
    """

    n: NDArray[np.int64]
    effect: Floats
    planted: Floats


@dataclass(frozen=True, slots=True)
class Log:
    """A log as step 1 reads it."""

    metric: Metric
    profile: Profile
    stated: Stated


@dataclass(frozen=True, slots=True)
class Setting:
    """What one seed drew."""

    metric: str
    noise: str
    baseline: int
    incident: int


Draw = Callable[[Days, np.random.Generator], Figures]


def error_rates(days: Days) -> Floats:
    """The rate of errors that each day has beneath its sampling noise: one standard unit is a tenth of the odds."""
    logit = np.log(ERROR_RATE / (1 - ERROR_RATE)) + 0.1 * days.effect
    return np.asarray(np.clip(1 / (1 + np.exp(-logit)) + days.planted, 0.0, 1.0))


def binary(days: Days, rng: np.random.Generator) -> Figures:
    """Four cells of a binary model, a third of whose rows are positive; half of the errors are false alarms."""
    rate = error_rates(days)
    positive = rng.binomial(days.n, 1 / 3)
    negative = days.n - positive
    fn, fp = rng.binomial(positive, np.clip(rate * 1.5, 0, 1)), rng.binomial(negative, np.clip(rate * 0.75, 0, 1))
    return {"tp": positive - fn, "fn": fn, "fp": fp, "tn": negative - fp, "rows": days.n, "labelled": days.n}


def scored(days: Days, rng: np.random.Generator) -> Figures:
    """The figures of a probability whose separation of the classes moves with the day."""
    figures: dict[str, list[float]] = {}
    for day, (n, rate) in enumerate(zip(days.n, error_rates(days), strict=True)):
        y = rng.random(n) < 0.4
        logit = (2 * y - 1) * 1.6 * (1 - 2.5 * (rate - ERROR_RATE)) + rng.normal(0, 1.3, n)
        score = 1 / (1 + np.exp(-1.6 * logit))
        bins = np.clip(np.floor(logit * 8), -96, 95).astype(int) + 96
        sure = np.clip(np.where(y, score, 1 - score), 1e-9, 1)
        wrong = (score >= 0.5) != y
        own = {
            "scored": n,
            "rows": n,
            "labelled": n,
            "log_loss": -np.log(sure).sum(),
            "brier": ((score - y) ** 2).sum(),
        }
        own |= {"fp": (wrong & ~y).sum(), "fn": (wrong & y).sum(), "tp": (~wrong & y).sum(), "tn": (~wrong & ~y).sum()}
        for label in (0, 1):
            places, counts = np.unique(bins[y == label], return_counts=True)
            own |= {f"score{label}:{place}": rows for place, rows in zip(places, counts, strict=True)}
        for slot, value in own.items():
            figures.setdefault(slot, [0.0] * len(days.n))[day] = float(value)
    return {slot: np.array(values) for slot, values in figures.items()}


def multiclass(days: Days, rng: np.random.Generator) -> Figures:
    """Right predictions among those with a label."""
    wrong = rng.binomial(days.n, error_rates(days))
    return {"right": days.n - wrong, "wrong": wrong, "labelled": days.n, "rows": days.n}


def regression(days: Days, rng: np.random.Generator) -> Figures:
    """Errors of a regression, whose spread moves with the day."""
    off = [rng.normal(0, r / ERROR_RATE, n) for n, r in zip(days.n, error_rates(days), strict=True)]
    y = [rng.normal(10, 3, len(day)) for day in off]
    far = np.array([(np.abs(day) > 1.64).sum() for day in off])
    return {
        "absolute": np.array([np.abs(day).sum() for day in off]),
        "squared": np.array([(day**2).sum() for day in off]),
        "error": np.array([day.sum() for day in off]),
        "y": np.array([day.sum() for day in y]),
        "y_square": np.array([(day**2).sum() for day in y]),
        "labelled": days.n,
        "rows": days.n,
        "over": far,
        "fine": days.n - far,
    }


def grades(days: Days, rng: np.random.Generator) -> Figures:
    """A judge's grades from 1 to 5, the mean of which moves with the day."""
    share = np.clip(0.8 - (error_rates(days) - ERROR_RATE), 0, 1)
    given = [1 + rng.binomial(4, p, n) for n, p in zip(days.n, share, strict=True)]
    low = np.array([(day <= 2).sum() for day in given])
    return {
        "value": np.array([day.sum() for day in given]),
        "square": np.array([(day**2).sum() for day in given]),
        "labelled": days.n,
        "rows": days.n,
        "low": low,
        "fine": days.n - low,
    }


def ranking(days: Days, rng: np.random.Generator) -> Figures:
    """Queries with a gain between 0 and 1, a quarter as many as rows."""
    queries = np.maximum(days.n // 4, 1)
    gain = [rng.beta(8 * (1 - r), 8 * r, n).sum() for n, r in zip(queries, error_rates(days), strict=True)]
    return {"ndcg": np.array(gain), "ndcg_n": queries, "labelled": queries, "rows": days.n, "hit": days.n}


def service(days: Days, rng: np.random.Generator) -> Figures:
    """Latencies, failed requests and empty answers of a service, whose traffic moves with the day too."""
    n = rng.poisson(days.n * np.exp(0.05 * days.effect))
    rate = error_rates(days)
    latency = np.array(
        [
            np.bincount(np.searchsorted(LATENCY_EDGES, 60 * (r / ERROR_RATE) * rng.lognormal(0, 0.5, m)), minlength=37)
            for m, r in zip(n, rate, strict=True)
        ]
    )
    failed = rng.binomial(n, rate)
    figures = {f"latency:{i}": latency[:, i] for i in range(latency.shape[1])}
    return figures | {
        "rows": n,
        "failures": failed,
        "failed": failed,
        "fine": n - failed,
        "seconds": np.full(len(n), DAY),
    }


METRICS: tuple[tuple[str, Task, Draw], ...] = (
    ("accuracy", "binary", binary),
    ("precision", "binary", binary),
    ("recall", "binary", binary),
    ("f1", "binary", binary),
    ("auroc", "binary", scored),
    ("log_loss", "binary", scored),
    ("accuracy", "multiclass", multiclass),
    ("mae", "regression", regression),
    ("rmse", "regression", regression),
    ("mean_score", "score", grades),
    ("ndcg", "ranking", ranking),
    ("latency_p95", "operational", service),
    ("error_rate", "operational", service),
    ("throughput", "operational", service),
)
OUTCOME_SLOTS = ("tp", "tn", "fp", "fn", "right", "wrong", "fine", "over", "under", "low", "hit", "failed")


def make_log(seed: int, *, drop: float = 0.0, late: float = 0.0, stated: bool = True) -> tuple[Setting, Log]:
    """The log of a seed, with the rate of errors raised by `drop` from the incident's first day on.

    `late` is the share of the incident window that is still normal; `stated` tells whether windows are stated at all.

    The same seed draws the same setting and days, whatever the drop.
    """
    rng = np.random.default_rng(seed)
    name, task, draw = METRICS[seed % len(METRICS)]
    noise = NOISE[seed // len(METRICS) % len(NOISE)]
    before, after = int(rng.choice([7, 10, 14, 21, 28, 42, 60])), int(rng.integers(3, 15))
    usual = int(np.exp(rng.uniform(np.log(50), np.log(2000))))
    n = np.maximum(rng.poisson(usual, before + after), 1)
    effect = day_effects(noise, before + after, rng)
    days = Days(n, effect, np.where(np.arange(before + after) >= before + round(late * after), drop, 0.0))
    figures = draw(days, rng)
    split, end = BEGINS + timedelta(days=before), BEGINS + timedelta(days=before + after)
    windows = (Window(BEGINS, split), Window(split, end)) if stated else (None, None)
    metric = metric_for(name, task, latency_edges=LATENCY_EDGES)
    outcomes = tally({slot: figures[slot] for slot in OUTCOME_SLOTS if slot in figures})
    profile = Profile(DAY, int(n.sum()), tally(figures), outcomes=outcomes)
    return Setting(name, noise, before, after), Log(metric, profile, Stated(Window(BEGINS, end), *windows))


def day_effects(noise: str, days: int, rng: np.random.Generator) -> Floats:
    """How far each day lies from the usual level: nothing, independent, by weekday, or with a memory."""
    if noise == "chance":
        return np.zeros(days)
    own = rng.normal(size=days)
    if noise == "weekday":
        return rng.normal(0, 2, 7)[np.arange(days) % 7] + 0.5 * own
    if noise == "memory":
        for i in range(1, days):
            own[i] = MEMORY * own[i - 1] + np.sqrt(1 - MEMORY**2) * own[i]
    return np.asarray(own)


def tally(figures: Figures) -> Tally:
    """Figures by day as sums by (bucket, version)."""
    starts = [int(BEGINS.timestamp()) + DAY * i for i in range(len(next(iter(figures.values()))))]
    cells = tuple((start, "") for start in starts)
    return Tally(cells, tuple(figures), np.column_stack([np.asarray(v, dtype=float) for v in figures.values()]))


def verdict(log: Log, seed: int) -> FailureVerdict:
    """What step 1 says of a log."""
    rng = np.random.default_rng(seed)
    return clarify(log.profile, log.profile.quality, log.metric, log.stated, rng=rng).failure.verdict


def shares(verdicts: Iterable[str]) -> str:
    """Failures, cannot tell and no failure, in percent, and how many there were."""
    counts = Counter(verdicts)
    n = max(counts.total(), 1)
    return "".join(f"{100 * counts[v] / n:>14.1f}" for v in ("failure", "cannot_tell", "no_failure")) + f"{n:>8}"


def print_table(title: str, keyed: Iterable[tuple[str, str]]) -> None:
    """Verdicts (percent) by key."""
    rows: dict[str, list[str]] = {}
    for key, one in keyed:
        rows.setdefault(key, []).append(one)
    print(f"\n{title:<32}{'failure':>14}{'cannot tell':>14}{'no failure':>14}{'n':>8}")
    for key, verdicts in rows.items():
        print(f"{key:<32}{shares(verdicts)}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the healthy logs: errors raised by `drop`, from when on, and whether windows are stated."""

    title: str
    drop: float = 0.0
    late: float = 0.0
    stated: bool = True


HEALTHY = Plan("windows stated")
UNSTATED = Plan("no windows stated", stated=False)
PLANTED = (
    Plan("3 points", 0.03),
    Plan("5 points", 0.05),
    Plan("10 points", 0.10),
    Plan("10 points, half of the window", 0.10, late=0.5),
    Plan("10 points, no windows stated", 0.10, stated=False),
)


def judge(plan: Plan, seeds: Iterable[int]) -> list[tuple[Setting, FailureVerdict]]:
    """The verdict on each seed's log under a plan."""
    judged = []
    for seed in seeds:
        setting, log = make_log(seed, drop=plan.drop, late=plan.late, stated=plan.stated)
        judged.append((setting, verdict(log, seed)))
    return judged


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1000)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    healthy = judge(HEALTHY, seeds)
    quiet = [(plan.title, one) for plan in (HEALTHY, UNSTATED) for _, one in judge(plan, seeds)]
    print_table("healthy logs", quiet)
    print_table("... by noise", [(setting.noise, one) for setting, one in healthy])
    print_table("... by metric", [(setting.metric, one) for setting, one in healthy])
    by_length = sorted((setting.baseline, one) for setting, one in healthy)
    print_table("... by days of baseline", [(str(days), one) for days, one in by_length])
    # Traffic doesn't depend on the rate of errors.
    failing = [seed for seed in seeds if METRICS[seed % len(METRICS)][0] != "throughput"]
    print_table("planted rise of errors", [(plan.title, one) for plan in PLANTED for _, one in judge(plan, failing)])


if __name__ == "__main__":
    main()
