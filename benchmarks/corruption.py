"""Whether an investigation names what was put into real rows: `python benchmarks/corruption.py --data ../shared/data`.

Two services' logs, with a model of each that was trained on rows of its own. The census: Adult's rows, which have no
time, get one over six weeks by a seeded shuffle, in six regions; more of those with a high income come in the evening
and where the region's index stands high, so that the hour and the index tell something of the label. The flights of
2013: four weeks of a quiet autumn and the two weeks after. Every corruption is put in at three severities: into all of
the incident's rows, into one segment's from a moment on, into a random part of them; the rows are scored again. Where
accuracy then lies two points or more below the baseline's, and below that of the same rows without the corruption,
`investigate` gets the log and the model file. A line of the table is right where the cause named first has the
catalogue's id, kind, features and parameter of what was put in.
Splits in which nothing was put, and honest drifts of the census's population, follow.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from injections import (  # type: ignore[import-not-found]  # it stands beside this file
    Bools,
    Injection,
    adult_injections,
    flight_injections,
)
from mortis import Case, investigate
from mortis.records import STANDING, Cause, Postmortem
from mortis.rows import Column, RowSample, is_number
from mortis.sources.models import Scorer, open_model

Floats = npt.NDArray[np.float64]
NUMBERS = frozenset({"age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours"})
NAMES = (
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation", "relationship", "race"),
    *("sex", "capital_gain", "capital_loss", "hours", "native_country"),
)
REGIONS = ("centre", "east", "islands", "north", "south", "west")
AUTUMN = (datetime(2013, 10, 8, tzinfo=UTC), datetime(2013, 11, 5, tzinfo=UTC), datetime(2013, 11, 19, tzinfo=UTC))
MEMORY = 0.9
HOUR = 3600
SEVERITIES = ("all", "segment", "part")
HURTS = 2.0
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A log that can be drawn by a seed with nothing put in, the model that served it, and what may strike it.

    `ends` are the moments at which the baseline begins, the incident window begins, and it ends.
    """

    name: str
    draw: Callable[[int], RowSample]
    file: Path
    model: Scorer
    ends: tuple[datetime, datetime, datetime]
    segments: tuple[tuple[str, str], ...]
    injections: Sequence[Injection]

    def incident(self, log: RowSample) -> Bools:
        """The rows of the incident window."""
        return np.asarray(log.second >= self.ends[1].timestamp(), dtype=np.bool_)

    def accuracy(self, log: RowSample) -> tuple[float, float]:
        """Accuracy in the baseline and in the incident window, in points."""
        right = (self.model.score(log.features) >= THRESHOLD) == (np.asarray(log.y) == 1)
        during = self.incident(log)
        return 100 * float(right[~during].mean()), 100 * float(right[during].mean())


@dataclass(frozen=True, slots=True)
class Judged:
    """What the investigation said of one injection that made accuracy fall by so many points."""

    injection: Injection
    severity: str
    fall: float
    found: Postmortem
    right: bool
    in_place: bool
    seconds: float


def census(folder: Path, out: Path, *, rows: int) -> Service:
    """Adult with a model that was trained on a third of its rows; the others are there to be logged."""
    parts = [read_adult(folder / name) for name in ("adult.data", "adult.test")]
    y = np.concatenate([label for _, label in parts])
    columns = {name: np.concatenate([features[name] for features, _ in parts]) for name in parts[0][0]}
    order = np.random.default_rng(11).permutation(len(y))
    known, rest = order[: len(y) // 3], order[len(y) // 3 :]
    begins = datetime(2024, 3, 4, tzinfo=UTC)

    def arrived(places: npt.NDArray[np.int64], rows: int, days: int, seed: int) -> RowSample:
        features = {name: column[places] for name, column in columns.items()}
        return served(features, y[places], rows=rows, begins=begins, days=days, seed=seed)

    file = trained(arrived(known, len(known) // 2, 56, 11), out / "income.txt")
    return Service(
        "census",
        lambda seed: arrived(rest, rows, 42, seed),
        file,
        open_model(file),
        (begins, begins + timedelta(days=28), begins + timedelta(days=42)),
        (("sex", "Male"), ("race", "White"), ("region", "north")),
        adult_injections(),
    )


def read_adult(path: Path) -> tuple[dict[str, Column], Floats]:
    """Features and label (income above 50,000) of an Adult file; "?" is null."""
    with path.open(encoding="utf-8") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if len(row) == 15]
    columns: dict[str, Column] = {}
    for place, name in enumerate(NAMES):
        cells = [row[place] for row in rows]
        if name in NUMBERS:
            columns[name] = np.array([float(cell) for cell in cells])
        else:
            columns[name] = np.array([None if cell == "?" else cell for cell in cells], dtype=object)
    return columns, np.array([float(row[14].startswith(">50K")) for row in rows])


def served(
    features: Mapping[str, Column], y: Floats, *, rows: int, begins: datetime, days: int, seed: int
) -> RowSample:
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
    second = np.sort(at * HOUR + rng.integers(0, HOUR, rows)) + int(begins.timestamp())
    return sample_of({name: column[place] for name, column in features.items()} | own, y[place], second)


def wandering(hours: int, rng: np.random.Generator) -> Floats:
    """A level (regions, hours) with variance near 1 that is forgotten within half a day; in each hour its mean is 0."""
    level = rng.normal(0, 1, (len(REGIONS), hours))
    for hour in range(1, hours):
        level[:, hour] = MEMORY * level[:, hour - 1] + np.sqrt(1 - MEMORY**2) * level[:, hour]
    centred: Floats = level - level.mean(axis=0)
    return centred


def flights(out: Path, *, rows: int) -> Service:
    """The flights with a model of the first seven months'."""
    whole = flight_rows()
    autumn = whole.where((whole.second >= AUTUMN[0].timestamp()) & (whole.second < AUTUMN[2].timestamp()))
    known = thinned(whole.where(whole.second < datetime(2013, 8, 1, tzinfo=UTC).timestamp()), 60_000, seed=0)
    file = trained(known, out / "late.txt")
    return Service(
        "flights",
        lambda seed: thinned(autumn, rows, seed=seed),
        file,
        open_model(file),
        AUTUMN,
        (("origin", "EWR"), ("origin", "LGA"), ("origin", "JFK")),
        flight_injections(),
    )


def flight_rows() -> RowSample:
    """The flights of 2013 that left."""
    from mortis.lab.flights import read_flights
    from mortis.lab.model import AT_PUSH_BACK

    table = read_flights()
    features: dict[str, Column] = {}
    for name in AT_PUSH_BACK:
        cells = table[name].to_numpy()
        features[name] = cells if cells.dtype == object else cells.astype(np.float64)
    second = table["scheduled_at"].to_numpy().astype("datetime64[s]").astype(np.int64)
    whole = sample_of(features, table["late"].to_numpy().astype(np.float64), second)
    return whole.where(~table["cancelled"].to_numpy().astype(np.bool_))


def thinned(sample: RowSample, most: int, *, seed: int) -> RowSample:
    """About as many random rows at most."""
    return sample.where(np.random.default_rng([seed, 4]).random(len(sample)) < most / len(sample))


def sample_of(features: Mapping[str, Column], y: Floats, second: npt.NDArray[np.int64]) -> RowSample:
    """Rows with labels, times and ids; they are scored when they are logged."""
    n = len(y)
    none, nothing = np.full(n, None, dtype=object), np.full(n, np.nan)
    ids = np.array([f"{place:06d}" for place in range(n)], dtype=object)
    return RowSample(features, y, nothing, nothing, second, none, np.zeros(n, np.int8), nothing, ids, n)


def trained(sample: RowSample, file: Path) -> Path:
    """The file of a model of these rows, in LightGBM's text format, with its categories."""
    import lightgbm

    vocabulary = {
        name: sorted({value for value in column if value is not None})
        for name, column in sample.features.items()
        if not is_number(column)
    }
    codes = {name: {value: i for i, value in enumerate(values)} for name, values in vocabulary.items()}
    matrix = np.column_stack(
        [
            np.array([codes[name].get(value, np.nan) for value in column]) if name in codes else column
            for name, column in sample.features.items()
        ]
    )
    names = list(sample.features)
    data = lightgbm.Dataset(matrix, sample.y, feature_name=names, categorical_feature=list(vocabulary))
    settings = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "seed": 1, "verbose": -1, "cat_smooth": 20}
    booster = lightgbm.train(settings, data, num_boost_round=80)
    booster.pandas_categorical = list(vocabulary.values())
    file.write_text(booster.model_to_string(), encoding="utf-8")
    return file


def case_of(service: Service, log: RowSample) -> Case:
    """The case that somebody on call would hand in."""
    score = service.model.score(log.features)
    columns: dict[str, Any] = {
        "at": log.second.astype("datetime64[s]").astype("datetime64[us]"),
        "request": log.ids,
        "score": score,
        "said": (score >= THRESHOLD).astype(np.int8),
        "truth": np.asarray(log.y).astype(np.int8),
    }
    columns |= {name: pa.array(column, from_pandas=True) for name, column in log.features.items()}
    roles = {"time": "at", "id": "request", "score": "score", "prediction": "said", "label": "truth"}
    return Case.parse(
        {
            "model": {"name": service.name, "task": "binary", "positive": 1},
            "predictions": {"table": pa.table(columns), **roles, "features": list(log.features)},
            "failure": {"metric": "accuracy"},
            "windows": {"baseline": service.ends[:2], "incident": service.ends[1:], "bucket": "1d"},
            "models": [{"version": "v1", "file": service.file.name}],
        },
        root=service.file.parent,
    )


def struck_rows(
    service: Service, log: RowSample, severity: str, segment: tuple[str, str], rng: np.random.Generator
) -> Bools:
    """Which rows of the incident window are struck: all, one segment's from a moment on, or a random part."""
    during, (since, part) = service.incident(log), rng.uniform((0.15, 0.3), (0.45, 0.6))
    if severity == "all":
        return during
    if severity == "part":
        return during & (rng.random(len(log)) < part)
    moment = np.quantile(log.second[during], since)
    return np.asarray(during & (log.second >= moment) & (log.features[segment[0]] == segment[1]), dtype=np.bool_)


def is_right(first: Cause, injection: Injection) -> bool:
    """Whether a cause stands and has the id, the kind, the features and the parameter of what was put in."""
    kind = str(first.parameters.get("kind", "duplication"))
    named = kind in injection.kinds and first.id in injection.ids and set(first.features) == set(injection.features)
    return first.verdict in STANDING and named and injection.right({"offset": 0.0, **first.parameters})


def table(service: Service, chosen: Iterable[Injection], *, seed: int) -> Iterator[Judged]:
    """Every chosen injection at the three severities, investigated where it hurts."""
    log, segment = service.draw(seed), service.segments[seed % len(service.segments)]
    without = min(service.accuracy(log))
    for injection in chosen:
        for severity in SEVERITIES:
            rng = np.random.default_rng([seed, 1])
            hit = injection.put(log, struck_rows(service, log, severity, segment, rng), rng)
            fall = without - service.accuracy(hit)[1]
            if fall < HURTS:
                continue
            start = time.perf_counter()
            found = investigate(case_of(service, hit))
            seconds = time.perf_counter() - start
            right = is_right(found.causes[0], injection) if found.causes else False
            scope = " = ".join(segment) if severity == "segment" else ""
            in_place = right and found.causes[0].scope == scope
            yield Judged(injection, severity, fall, found, right, in_place, seconds)


def line(one: Judged) -> str:
    """One line of the table."""
    mark = "right" if one.in_place else "cause" if one.right else "WRONG"
    first = one.found.causes[0] if one.found.causes else None
    said = f"{first.id} {first.verdict}: {first.test.result if first.test else ''}" if first else "nothing"
    head = f"{mark} {one.fall:5.1f} {one.seconds:5.2f}s  {one.injection.name:30s} {one.severity:8s}"
    return f"{head} {one.found.failure.verdict} {said[:160]}"


def summary(judged: Sequence[Judged], *, tried: int) -> str:
    """How many of those that hurt are right."""
    right, placed = sum(one.right for one in judged), sum(one.in_place for one in judged)
    unseen = sum(one.found.failure.verdict != "failure" for one in judged)
    seconds = [one.seconds for one in judged] or [0.0]
    return (
        f"accuracy fell by >= {HURTS:g} points in {len(judged)} of {tried}: cause, kind, features and parameter right "
        f"in {right} ({right / max(1, len(judged)):.1%}), scope too in {placed}; in {unseen} the fall was not told "
        f"from the baseline's own ways; "
        f"seconds: median {np.median(seconds):.2f}, most {max(seconds):.2f}"
    )


def healthy(service: Service, seeds: Iterable[int]) -> Iterator[tuple[int, Postmortem]]:
    """Investigations of logs in which nothing happened."""
    for seed in seeds:
        yield seed, investigate(case_of(service, service.draw(seed)))


def standing(found: Postmortem) -> list[Cause]:
    """The causes that were confirmed or supported."""
    return [cause for cause in found.causes if cause.verdict in STANDING]


def drifted(service: Service, seed: int) -> Iterator[tuple[str, Postmortem]]:
    """Investigations of the census where the population of the incident moved and nothing is corrupt."""
    log, rng = service.draw(seed), np.random.default_rng([seed, 2])
    during = service.incident(log)
    age, hours, schooling, gain = (
        np.asarray(log.features[name], dtype=np.float64) for name in ("age", "hours", "education_num", "capital_gain")
    )
    weights: dict[str, Floats] = {
        "older": np.exp(age / 15),
        "better schooled": np.exp(schooling / 3),
        "more hours": np.exp(hours / 15),
        "capital gains": np.where(gain > 0, 4.0, 1.0),
        "more women": np.where(log.features["sex"] == "Female", 4.0, 1.0),
        "singles": np.where(log.features["marital"] == "Never-married", 5.0, 1.0),
        "older, more women": np.exp(age / 20) * np.where(log.features["sex"] == "Female", 3.0, 1.0),
    }
    for name, weight in weights.items():
        kept = rng.random(len(log)) < weight / np.quantile(weight, 0.97)
        yield name, investigate(case_of(service, log.where(kept | ~during)))


def print_table(service: Service, *, only: str, seed: int) -> None:
    """Prints the table as it comes."""
    chosen = [one for one in service.injections if only in one.name]
    found = []
    for one in table(service, chosen, seed=seed):
        found.append(one)
        print(line(one), flush=True)
    print(f"{service.name}: {summary(found, tried=len(chosen) * len(SEVERITIES))}", flush=True)


def print_healthy(service: Service, *, splits: int, seed: int) -> None:
    """Prints how often a cause is named where nothing happened, and which splits say more than that."""
    verdicts: Counter[str] = Counter()
    accused = 0
    for split, found in healthy(service, range(1000 * (seed + 1), 1000 * (seed + 1) + splits)):
        causes = [f"{one.id} {one.verdict}" for one in standing(found)]
        verdicts[found.failure.verdict] += 1
        accused += bool(causes)
        if causes or found.failure.verdict == "failure":
            print(f"healthy {split}: {found.failure.verdict} {causes}")
    print(f"healthy splits: a cause confirmed or supported in {accused} of {splits}; verdicts {dict(verdicts)}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder that holds adult/")
    parser.add_argument("--rows", type=int, default=24_000, help="rows of a log")
    parser.add_argument("--seed", type=int, default=0, help="another draw of rows, segment, moment and part")
    parser.add_argument("--only", default="", help="injections whose name holds this text")
    parser.add_argument("--healthy", type=int, default=30, help="splits of the census in which nothing happened")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_table(flights(Path(folder), rows=options.rows), only=options.only, seed=options.seed)
        if not (options.data / "adult").exists():
            print(f"the census is left out: {options.data / 'adult'} is absent")
            return
        people = census(options.data / "adult", Path(folder), rows=options.rows)
        print_table(people, only=options.only, seed=options.seed)
        print_healthy(people, splits=options.healthy, seed=options.seed)
        for name, drift in drifted(people, options.seed):
            print(f"drift, {name}: {drift.failure.verdict} {[f'{one.id} {one.verdict}' for one in standing(drift)]}")


if __name__ == "__main__":
    main()
