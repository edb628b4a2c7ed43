"""Whether an investigation names what was put into census rows: `python benchmarks/census.py --data ../shared/data`.

Adult (census income) as the log of a service: rows arrive over six weeks in three regions, more of those with a high
income in the evening and where the region's index stands high, so that the hour and the index tell something of the
label. A LightGBM model is trained on rows of its own and kept as a file. From the fifth week on a corruption is put in
at three severities and the rows are scored again; `investigate` gets the log and the model file. A row of the table is
right where the cause named first has the catalogue's id, the features and the parameter of what was put in. Healthy
logs, in which nothing was put, follow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corruption import (  # type: ignore[import-not-found]  # it stands beside this file
    Bools,
    Injection,
    adult_injections,
    anything,
    encoded,
    frozen,
    late,
    permuted,
    read_adult,
    sample_of,
    turned,
)
from mortis import Case, investigate
from mortis.causes.repairs import CAUSE_OF_KIND
from mortis.records import Cause, Postmortem
from mortis.rows import Column, RowSample, is_number
from mortis.sources.models import Scorer, open_model

Floats = npt.NDArray[np.float64]
BEGINS = datetime(2024, 3, 4, tzinfo=UTC)
BASELINE_DAYS, INCIDENT_DAYS, TRAINED_DAYS = 28, 14, 56
HOUR = 3600
REGIONS = ("centre", "east", "islands", "north", "south", "west")
MEMORY = 0.9
THRESHOLD = 0.5
SEVERITIES = ("all", "segment", "part")
HURTS = 2.0
STANDING = ("confirmed", "supported")


@dataclass(frozen=True, slots=True, eq=False)
class Census:
    """The census rows of both files, those the model was trained on, and the model's file."""

    features: Mapping[str, Column]
    y: Floats
    file: Path
    model: Scorer


@dataclass(frozen=True, slots=True)
class Judged:
    """What the investigation said of one injection."""

    injection: Injection
    severity: str
    fall: float
    found: Postmortem
    right: bool
    in_place: bool
    seconds: float


def read_census(folder: Path, out: Path) -> Census:
    """The census with a model that was trained on a third of the rows; the other rows are there to be logged."""
    parts = [read_adult(folder / name) for name in ("adult.data", "adult.test")]
    y = np.concatenate([label for _, label in parts])
    columns = {name: np.concatenate([features[name] for features, _ in parts]) for name in parts[0][0]}
    order = np.random.default_rng(11).permutation(len(y))
    known, rest = order[: len(y) // 3], order[len(y) // 3 :]
    trained = arrived(taken(columns, known), y[known], rows=len(known) // 2, days=TRAINED_DAYS, seed=11)
    file = out / "v1.txt"
    file.write_text(model_text(trained), encoding="utf-8")
    return Census(taken(columns, rest), y[rest], file, open_model(file))


def taken(features: Mapping[str, Column], places: npt.NDArray[np.int64]) -> dict[str, Column]:
    """The features of these rows."""
    return {name: column[places] for name, column in features.items()}


def arrived(features: Mapping[str, Column], y: Floats, *, rows: int, days: int, seed: int) -> RowSample:
    """So many of the rows, each once, in the order in which they came, with hour, region and feeds among the features.

    Most come in the afternoon. A region's index, about 100, compares it with the others; its vacancies follow loosely.
    """
    rng = np.random.default_rng(seed)
    busy = np.tile(1 + 0.8 * np.cos(2 * np.pi * (np.arange(24) - 15) / 24), days)
    at = np.sort(rng.choice(days * 24, rows, p=busy / busy.sum()))
    region = rng.integers(0, len(REGIONS), rows)
    level, hour = wandering(days * 24, rng)[region, at], at % 24
    rich = rng.random(rows) < 1 / (1 + np.exp(2.2 - 1.4 * np.cos(2 * np.pi * (hour - 20) / 24) - 1.8 * level))
    place = np.empty(rows, dtype=np.int64)
    for label in (0, 1):
        pool = rng.permutation(np.flatnonzero(y == label))
        place[rich == label] = pool[: int((rich == label).sum())]
    own: dict[str, Column] = {
        "hour": hour.astype(np.float64),
        "region": np.array(REGIONS, dtype=object)[region],
        "index": np.round(100 + 10 * level, 1),
        "vacancies": rng.poisson(np.exp(3 + 0.5 * level)).astype(np.float64),
    }
    second = np.sort(at * HOUR + rng.integers(0, HOUR, rows)) + int(BEGINS.timestamp())
    rows_of: RowSample = sample_of({**taken(features, place), **own}, y[place], second)
    return rows_of


def wandering(hours: int, rng: np.random.Generator) -> Floats:
    """A level (regions, hours) with variance near 1 that is forgotten within half a day; in each hour its mean is 0."""
    level = rng.normal(0, 1, (len(REGIONS), hours))
    for hour in range(1, hours):
        level[:, hour] = MEMORY * level[:, hour - 1] + np.sqrt(1 - MEMORY**2) * level[:, hour]
    centred: Floats = level - level.mean(axis=0)
    return centred


def model_text(sample: RowSample) -> str:
    """A model of these rows in LightGBM's text format, with its categories."""
    import lightgbm

    names = tuple(sample.features)
    vocabulary = {
        name: {value: i for i, value in enumerate(sorted({v for v in column if v is not None}))}
        for name, column in sample.features.items()
        if not is_number(column)
    }
    matrix = encoded(sample.features, names, vocabulary)
    data = lightgbm.Dataset(matrix, sample.y, feature_name=list(names), categorical_feature=list(vocabulary))
    settings = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "seed": 1, "verbose": -1, "cat_smooth": 20}
    booster = lightgbm.train(settings, data, num_boost_round=80)
    booster.pandas_categorical = [list(values) for values in vocabulary.values()]
    return str(booster.model_to_string())


def logged(census: Census, *, rows: int, seed: int) -> RowSample:
    """Six weeks of rows in which nothing happened."""
    return arrived(census.features, census.y, rows=rows, days=BASELINE_DAYS + INCIDENT_DAYS, seed=seed)


def case_of(census: Census, log: RowSample, **failure: Any) -> Case:
    """The case that somebody on call would hand in."""
    score = census.model.score(log.features)
    columns: dict[str, Any] = {
        "at": log.second.astype("datetime64[s]").astype("datetime64[us]"),
        "request": log.ids,
        "score": score,
        "said": (score >= THRESHOLD).astype(np.int8),
        "label": np.asarray(log.y).astype(np.int8),
    }
    columns |= {name: pa.array(column, from_pandas=True) for name, column in log.features.items()}
    ends = [BEGINS + timedelta(days=days) for days in (0, BASELINE_DAYS, BASELINE_DAYS + INCIDENT_DAYS)]
    return Case.parse(
        {
            "model": {"name": "income", "task": "binary", "positive": 1},
            "predictions": {
                "table": pa.table(columns),
                "time": "at",
                "id": "request",
                "score": "score",
                "prediction": "said",
                "label": "label",
                "features": list(log.features),
            },
            "failure": {"metric": "accuracy"} | failure,
            "windows": {"baseline": ends[:2], "incident": ends[1:], "bucket": "1d"},
            "models": [{"version": "v1", "file": census.file.name}],
        },
        root=census.file.parent,
    )


def struck_rows(log: RowSample, severity: str, segment: tuple[str, str], rng: np.random.Generator) -> Bools:
    """Which rows of the incident window a corruption strikes: all, one segment's from a moment on, two in five."""
    begins = int((BEGINS + timedelta(days=BASELINE_DAYS)).timestamp())
    during = log.second >= begins
    if severity == "all":
        return during
    if severity == "part":
        return during & (rng.random(len(log)) < 0.4)
    later = log.second >= begins + 3 * 24 * HOUR
    return np.asarray(during & later & (log.features[segment[0]] == segment[1]), dtype=np.bool_)


def fall_of(found: Postmortem) -> float:
    """By how many points the metric fell from the baseline to the incident window."""
    return 100 * (found.failure.baseline.value - found.failure.incident.value)


def judged(
    census: Census, injection: Injection, severity: str, *, rows: int, seed: int, segment: tuple[str, str]
) -> Judged:
    """One injection put into a log and investigated."""
    rng = np.random.default_rng([seed, 1])
    log = logged(census, rows=rows, seed=seed)
    hit = injection.put(log, struck_rows(log, severity, segment, rng), rng)
    start = time.perf_counter()
    found = investigate(case_of(census, hit))
    seconds = time.perf_counter() - start
    first = found.causes[0] if found.causes else None
    right = first is not None and is_right(first, injection)
    scope = " = ".join(segment) if severity == "segment" else ""
    place = first is not None and first.scope == scope
    return Judged(injection, severity, fall_of(found), found, right, place, seconds)


def is_right(first: Cause, injection: Injection) -> bool:
    """Whether a cause stands and has the id, the features and the parameter of what was put in."""
    ids = {CAUSE_OF_KIND.get(kind, "D7") for kind in injection.kinds} | (
        {"S3"} if "remap" in injection.kinds else set()
    )
    told = {"offset": 0.0, **first.parameters}
    named = first.id in ids and set(first.features) == set(injection.features)
    return first.verdict in STANDING and named and injection.right(told)


def retried(name: str, value: str) -> Injection:
    """The rows of one value are logged three times over."""

    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:  # noqa: ARG001  # one signature
        again = np.flatnonzero(rows & np.asarray(sample.features[name] == value, dtype=np.bool_))
        places = np.sort(np.concatenate([np.arange(len(sample)), again, again]))
        return sample.where(places)  # NumPy takes places where it takes a mask

    return Injection(f"{name} = {value} retried", ("duplication",), (), put, anything)


def injections() -> list[Injection]:
    """Corruptions of the census rows, and of hour, index and ids."""
    own = [turned("hour", 8.0), turned("hour", -5.0), late("index", 6.0, "region"), late("index", 24.0, "region")]
    return [
        *adult_injections(),
        *own,
        *(frozen("index", "region"), permuted("index"), permuted("hour")),
        retried("marital", "Married-civ-spouse"),
    ]


def line(one: Judged) -> str:
    """One line of the table."""
    mark = "right" if one.right and one.in_place else "cause" if one.right else "WRONG"
    first = one.found.causes[0] if one.found.causes else None
    said = f"{first.id} {first.verdict}: {first.test.result if first.test else ''}" if first else "nothing"
    head = f"{mark} {one.fall:6.1f} {one.seconds:5.2f}s  {one.injection.name:32s} {one.severity:8s}"
    return f"{head} {one.found.failure.verdict} {said[:160]}"


def summary(judged: list[Judged]) -> str:
    """How many of those that hurt are right."""
    hurt = [one for one in judged if one.fall >= HURTS]
    right, placed = sum(one.right for one in hurt), sum(one.right and one.in_place for one in hurt)
    seconds = [one.seconds for one in judged]
    return (
        f"accuracy fell by >= {HURTS:g} points in {len(hurt)} of {len(judged)}: cause, features and parameter right in "
        f"{right} ({right / max(1, len(hurt)):.0%}), scope too in {placed}\n"
        f"seconds: median {np.median(seconds):.2f}, most {max(seconds):.2f}"
    )


def healthy(census: Census, *, rows: int, seeds: range) -> Iterator[tuple[int, Postmortem]]:
    """Investigations of logs in which nothing happened."""
    for seed in seeds:
        yield seed, investigate(case_of(census, logged(census, rows=rows, seed=seed)))


def standing(found: Postmortem) -> list[Cause]:
    """The causes that were confirmed or supported."""
    return [cause for cause in found.causes if cause.verdict in STANDING]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=24_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--healthy", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        census = read_census(options.data / "adult", Path(folder))
        segment = (("sex", "Male"), ("race", "White"), ("region", "north"))[options.seed % 3]
        table = []
        for injection in injections():
            if options.only in injection.name:
                for severity in SEVERITIES:
                    one = judged(census, injection, severity, rows=options.rows, seed=options.seed, segment=segment)
                    table.append(one)
                    print(line(one), flush=True)
        if table:
            print(summary(table))
        begun = time.perf_counter()
        for seed, found in healthy(census, rows=options.rows, seeds=range(1000, 1000 + options.healthy)):
            named = "; ".join(f"{cause.id} {cause.verdict}" for cause in standing(found))
            print(f"healthy {seed}: {found.failure.verdict} {named}")
        print(f"{time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
