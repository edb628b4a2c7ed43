"""What simple rules say of the same cases: the yardstick for what an investigation adds.

They see what a monitor sees: the log, the labels and the record of changes, cut at the incident's window.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from mortis.lab.bases import BASES
from mortis.lab.measuring import measured, worse_by
from mortis.lab.traffic import DAY, Floats, Traffic
from mortis.lab.truth import CaseTruth
from mortis.lab.writing import MadeCase

DRIFTED = 0.1
"""The Jensen-Shannon distance from which monitors usually raise an alarm."""
CORRELATED = 0.5
ALARM = 3.0
"""Standard deviations of the baseline's days from which a day stands out."""

_BINS = 20
Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Guessed:
    """What the rules say, and whether it is right: None where a rule has nothing to be right about.

    `drifted` and `correlated` are features, `latest` a change, empty where the rule stays silent; `estimated` is
    whether the performance that the scores alone promise raised an alarm, None without scores.
    """

    drifted: str
    drifted_right: bool | None
    correlated: str
    correlated_right: bool | None
    latest: str
    latest_right: bool | None
    estimated: bool | None
    estimated_right: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The log by day: each feature's counts (days, bins), the metric (days,), greater where better, and the mean score.

    `during` (days,) marks the incident window's days, the first of which begins at `start`.
    """

    counts: Mapping[str, Counts]
    metric: Floats
    sure: Floats
    during: NDArray[np.bool_]
    start: datetime


def guessed(made: MadeCase) -> Guessed:
    """The rules' answers to a case."""
    case = yaml.safe_load(made.case_file.read_text(encoding="utf-8"))
    seen, truth = _seen(case, made.case_file.parent, made.truth), made.truth
    faults = truth.faults if truth.causes else ()
    drifted, correlated, latest = _drifted(seen), _correlated(seen), _latest(case, made.case_file.parent, seen)
    estimated = _estimated(seen) if case["model"]["task"] == "binary" else None
    features = {name for one in faults for name in one.features}
    brought = {one.change for one in faults if one.change and "changes" in case}
    return Guessed(
        drifted,
        drifted in features if features else None,
        correlated,
        correlated in features if features else None,
        latest,
        latest in brought if brought else None,
        estimated,
        None if estimated is None else estimated == bool(truth.faults),
    )


# --- the log


def _seen(case: Mapping[str, Any], folder: Path, truth: CaseTruth) -> _Seen:
    import pyarrow.compute as pc
    from pyarrow import parquet

    log = parquet.read_table(folder / "predictions.parquet")
    moments = pc.cast(log["asked_at"], "int64")
    first_moment = int(datetime.fromisoformat(case["windows"]["baseline"][0]).replace(tzinfo=UTC).timestamp() * 1e6)
    log = log.filter(pc.greater_equal(moments, first_moment))  # the year before is no baseline
    at = log["asked_at"].cast("int64").to_numpy() // 1_000_000
    start = datetime.fromisoformat(case["windows"]["incident"][0]).replace(tzinfo=UTC)
    day = at // DAY - at.min() // DAY
    first = int(start.timestamp()) // DAY - int(at.min()) // DAY
    features = [name for name in case["predictions"]["features"] if name in log.column_names]
    counts = {name: _counted(log[name].to_numpy(), day, day < first) for name in features}
    score = log["y_score" if "y_score" in log.column_names else "y_pred"].to_numpy().astype(np.float64)
    sure = np.bincount(day, np.maximum(score, 1 - score)) / np.maximum(np.bincount(day), 1)
    return _Seen(counts, _daily(log, folder, day, truth), sure, np.arange(day.max() + 1) >= first, start)


def _counted(values: NDArray[Any], day: NDArray[np.int64], usual: NDArray[np.bool_]) -> Counts:
    """Rows by day and bin: a category's values, or twenty parts of the usual numbers; those missing apart."""
    if values.dtype == object:
        code = np.unique(values.astype(str), return_inverse=True)[1]
    else:
        edges = np.unique(np.nanquantile(values[usual], np.linspace(0, 1, _BINS + 1)[1:-1]))
        code = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
    bins = int(code.max()) + 1
    flat = np.bincount(day * bins + code, minlength=(int(day.max()) + 1) * bins)
    return flat.reshape(-1, bins).astype(np.float64)


def _daily(log: Any, folder: Path, day: NDArray[np.int64], truth: CaseTruth) -> Floats:
    """The metric of each day, turned so that more is better."""
    base = BASES[truth.base]
    score = log["y_score" if "y_score" in log.column_names else "y_pred"].to_numpy().astype(np.float64)
    whole = Traffic(
        log["request_id"].to_numpy(),
        day,
        {base.group: log[base.group].to_numpy()} if base.group else {},
        label := _labels(log, folder),
        label,
        day,
        score=score,
        prediction=log["y_pred"].to_numpy().astype(np.float64) if "y_pred" in log.column_names else score,
        latency_ms=log["latency_ms"].to_numpy(),
    )
    figures = np.array([measured(whole.take(day == one), base, truth.metric) for one in range(int(day.max()) + 1)])
    return worse_by(truth.metric, figures, np.zeros_like(figures))  # the higher, the better the day


def _labels(log: Any, folder: Path) -> Floats:
    from pyarrow import parquet

    if not (folder / "labels.parquet").is_file():
        return np.full(log.num_rows, np.nan)
    table = parquet.read_table(folder / "labels.parquet")
    known = dict(zip(table["request_id"].to_pylist(), table["y_true"].to_pylist(), strict=True))
    return np.array([known.get(one, np.nan) for one in log["request_id"].to_pylist()], dtype=np.float64)


# --- the rules


def distances(counts: Counts, usual: Counts) -> Floats:
    """The Jensen-Shannon distance (0..1) of each row's counts (n, bins) from the usual ones (bins,), in bits.

    >>> distances(np.array([[5.0, 5.0], [10.0, 0.0]]), np.array([50.0, 50.0])).round(2)
    array([0.  , 0.56])
    """
    one = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    other = np.broadcast_to(usual / max(usual.sum(), 1), one.shape)
    middle = (one + other) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(part > 0, part * np.log2(part / middle), 0.0).sum(axis=1) for part in (one, other)]
    return np.asarray(np.sqrt(np.maximum(sum(parts) / 2, 0.0)))


def _drifted(seen: _Seen) -> str:
    """The feature that moved most between the windows; empty where none moved as far as monitors mind."""
    far = {
        name: float(distances(counts[seen.during].sum(axis=0, keepdims=True), counts[~seen.during].sum(axis=0))[0])
        for name, counts in seen.counts.items()
    }
    name = max(far, key=far.__getitem__, default="")
    return name if name and far[name] >= DRIFTED else ""


def _correlated(seen: _Seen) -> str:
    """The feature whose drift from day to day goes most with the metric's fall; empty where none does much."""
    from scipy.stats import spearmanr

    known = ~np.isnan(seen.metric)
    rho = {}
    for name, counts in seen.counts.items():
        drift = distances(counts, counts[~seen.during].sum(axis=0))[known]
        if np.ptp(drift) and np.ptp(seen.metric[known]):
            rho[name] = float(spearmanr(drift, seen.metric[known]).statistic)
    name = min(rho, key=rho.__getitem__, default="")
    return name if name and rho[name] <= -CORRELATED else ""


def _latest(case: Mapping[str, Any], folder: Path, seen: _Seen) -> str:
    """The last change on record before the end of the first day that stands out; empty where there is none."""
    usual = seen.metric[~seen.during]
    out = seen.during & (seen.metric < np.nanmean(usual) - ALARM * np.nanstd(usual))
    days = int(np.argmax(out)) - int(np.argmax(seen.during)) + 1 if out.any() else 1
    until = seen.start.timestamp() + days * DAY
    before = [(at, name) for at, name in _recorded(case, folder) if at < until]
    return max(before, default=(0.0, ""))[1]


def _recorded(case: Mapping[str, Any], folder: Path) -> Iterator[tuple[float, str]]:
    """When each change on record came, and its name as the truth has it."""
    for source in case.get("changes", ()):
        for key, value in source.items():
            if key == "events":
                with (folder / value).open(encoding="utf-8", newline="") as file:
                    for row in csv.DictReader(file):
                        yield datetime.fromisoformat(row["time"]).timestamp(), f"{row['kind']}: {row['tag']}"
            else:
                kind = "dependency" if key == "dependencies" else key
                tag = str(value["after"]).rpartition("/")[2].partition(".after")[0]
                yield datetime.fromisoformat(str(value["at"])).timestamp(), f"{kind}: {tag}"


def _estimated(seen: _Seen) -> bool:
    """Whether the accuracy that calibrated scores promise leaves the band of the baseline's days.

    Source: https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html (CBPE).
    """
    usual = seen.sure[~seen.during]
    return bool(abs(seen.sure[seen.during].mean() - usual.mean()) > ALARM * usual.std())
