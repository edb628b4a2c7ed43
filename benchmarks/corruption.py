"""How often the corruption put into real rows is named: `python benchmarks/corruption.py --data ../shared/data`.

Adult (census income) and the flights of 2013, a model trained on rows of their own for each. Every corruption is put
in at three severities: into all of the incident's rows, into one segment's from a moment on, into a random part of
them. The table tells for each whether kind, scope and parameter of what was proposed first are right and by how many
points F1 fell. Healthy pairs and an honest drift of the population follow.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.integrity.corruption import propose
from mortis.integrity.kinds.repair import Repair
from mortis.rows import Column, RowSample, is_number

Bools = npt.NDArray[np.bool_]
NAMES = (
    *(
        "age",
        "workclass",
        "fnlwgt",
        "education",
        "education_num",
        "marital",
        "occupation",
        "relationship",
        "race",
        "sex",
    ),
    *("capital_gain", "capital_loss", "hours", "native_country"),
)
NUMBERS = frozenset({"age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours"})
SEVERITIES = ("all", "segment", "part")
HURTS = 2.0
DAY = 86400
ADULT_SEGMENTS = (("sex", "Male"), ("race", "White"), ("workclass", "Private"), ("relationship", "Husband"))
FLIGHT_SEGMENTS = (("origin", "EWR"), ("origin", "LGA"), ("origin", "JFK"))
FLIGHT_DAYS = {
    "trained": "2013-01-01",
    "until": "2013-08-01",
    "baseline": "2013-10-08",
    "incident": "2013-11-05",
    "end": "2013-11-19",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Whom a corruption strikes: one segment's rows from a share of the window on, or a random part of all rows."""

    seed: int
    segment: tuple[str, str]
    since: float = 0.4
    part: float = 0.4


@dataclass(frozen=True, slots=True)
class Injection:
    """A corruption put into one or more features of marked rows, and what a right answer says of it."""

    name: str
    kinds: tuple[str, ...]
    features: tuple[str, ...]
    put: Callable[[RowSample, Bools, np.random.Generator], RowSample]
    right: Callable[[Mapping[str, str | float]], bool]


@dataclass(frozen=True, slots=True)
class Scored:
    """What came out of one injection."""

    injection: Injection
    severity: str
    fall: float
    answer: Repair | None
    kind_right: bool
    right: bool
    seconds: float


def sample_of(features: Mapping[str, Column], y: npt.NDArray[np.float64], second: npt.NDArray[np.int64]) -> RowSample:
    """Rows with labels and times; scores and predictions aren't needed here."""
    n = len(y)
    none = np.full(n, None, dtype=object)
    ids = np.array([f"{place:06d}" for place in range(n)], dtype=object)
    nothing = np.full(n, np.nan)
    return RowSample(features, y, nothing, nothing, second, none, np.zeros(n, np.int8), nothing, ids, n)


def read_adult(path: Path) -> tuple[dict[str, Column], npt.NDArray[np.float64]]:
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


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A gradient-boosted model with its vocabularies: unknown categories count as missing."""

    booster: Any
    vocabulary: Mapping[str, Mapping[str, int]]
    names: tuple[str, ...]

    def f1(self, sample: RowSample) -> float:
        """F1 of the class 1, at a threshold of one half, in points."""
        p = self.booster.predict(encoded(sample.features, self.names, self.vocabulary), num_threads=1) >= 0.5
        y = np.asarray(sample.y, dtype=np.float64) == 1
        hits = float((p & y).sum())
        return 200 * hits / max(1.0, float(p.sum()) + float(y.sum()))


def encoded(
    features: Mapping[str, Column], names: tuple[str, ...], vocabulary: Mapping[str, Mapping[str, int]]
) -> npt.NDArray[np.float64]:
    """The features as numbers."""
    columns = []
    for name in names:
        column = features[name]
        if name in vocabulary:
            columns.append(np.array([vocabulary[name].get(value, np.nan) for value in column], dtype=np.float64))
        else:
            columns.append(np.asarray(column, dtype=np.float64))
    return np.column_stack(columns)


def train(features: Mapping[str, Column], y: npt.NDArray[np.float64]) -> Model:
    """A model of these rows."""
    import lightgbm

    names = tuple(features)
    vocabulary = {
        name: {value: i for i, value in enumerate(sorted({v for v in column if v is not None}))}
        for name, column in features.items()
        if not is_number(column)
    }
    data = lightgbm.Dataset(
        encoded(features, names, vocabulary), y, feature_name=list(names), categorical_feature=list(vocabulary)
    )
    settings = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "seed": 1, "verbose": -1, "cat_smooth": 20}
    return Model(lightgbm.train(settings, data, num_boost_round=80), vocabulary, names)


def changed(name: str, values: Callable[[Column], Any]) -> Callable[[RowSample, Bools, np.random.Generator], RowSample]:
    """Puts `values(column)` in place of the marked rows' values."""

    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:  # noqa: ARG001  # some draw
        column = sample.features[name].copy()
        column[rows] = values(column[rows])
        return sample.with_feature(name, column)

    return put


def near(key: str, value: float, tolerance: float = 0.01) -> Callable[[Mapping[str, str | float]], bool]:
    """Whether a parameter lies within a relative tolerance of the truth."""
    return lambda found: bool(abs(float(found.get(key, np.nan)) - value) <= tolerance * abs(value) + 1e-9)


def same(key: str, value: str | float) -> Callable[[Mapping[str, str | float]], bool]:
    """Whether a parameter is the true one."""
    return lambda found: found.get(key) == value


def anything(found: Mapping[str, str | float]) -> bool:
    """Right whatever the parameters."""
    return bool(found) or True


def scaled(name: str, factor: float, offset: float = 0.0) -> Injection:
    label = f"{name} x {factor:.4g}" + (f" + {offset:.4g}" if offset else "")
    near_factor, near_offset = near("factor", factor, 0.02), near("offset", offset, 0.05)
    return Injection(
        label,
        ("sign",) if factor == -1 else ("unit",),
        (name,),
        changed(name, lambda v: v * factor + offset),
        lambda p: near_factor(p) and (factor == -1 or near_offset(p)),
    )


def filled(name: str, value: float | str | None) -> Injection:
    put = changed(name, lambda v: np.nan if value is None and is_number(v) else value)
    if value is None:
        return Injection(f"{name} null", ("null",), (name,), put, anything)
    return Injection(f"{name} = {value}", ("sentinel", "constant"), (name,), put, same("value", value))


def defaulted(name: str, value: str) -> Injection:
    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:  # noqa: ARG001  # one signature
        column = sample.features[name].copy()
        column[rows & np.array([v is None for v in column])] = value
        return sample.with_feature(name, column)

    return Injection(f"{name} null -> {value}", ("default",), (name,), put, same("value", value))


def clipped(name: str, bound: float, side: str) -> Injection:
    limit = np.minimum if side == "upper" else np.maximum
    return Injection(
        f"{name} clipped {side} {bound:g}",
        ("clip",),
        (name,),
        changed(name, lambda v: limit(v, bound)),
        same("bound", bound),
    )


def rounded(name: str, step: float) -> Injection:
    put = changed(name, lambda v: step * np.floor(v / step))
    return Injection(f"{name} cut to {step:g}", ("rounding",), (name,), put, near("step", step))


def curved(name: str, function: str) -> Injection:
    return Injection(
        f"{name} {function}", ("transform",), (name,), changed(name, getattr(np, function)), same("function", function)
    )


def swapped(one: str, other: str) -> Injection:
    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:  # noqa: ARG001  # one signature
        first, second = sample.features[one], sample.features[other]
        return sample.with_feature(one, np.where(rows, second, first)).with_feature(
            other, np.where(rows, first, second)
        )

    return Injection(f"{one} <-> {other}", ("swap",), (one, other), put, anything)


def overwritten(name: str, source: str) -> Injection:
    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:  # noqa: ARG001  # one signature
        return sample.with_feature(name, np.where(rows, sample.features[source], sample.features[name]))

    return Injection(f"{name} := {source}", ("overwritten",), (name,), put, same("by", source))


def permuted(*names: str) -> Injection:
    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:
        place = np.arange(len(sample))
        place[rows] = rng.permutation(place[rows])
        for name in names:
            sample = sample.with_feature(name, sample.features[name][place])
        return sample

    return Injection(f"{'+'.join(names)} permuted", ("permutation",), names, put, anything)


def respelled(name: str, how: str, spelling: Callable[[str], str]) -> Injection:
    put = changed(name, lambda v: np.array([t if t is None else spelling(t) for t in v], dtype=object))
    return Injection(f"{name} {how}", ("respelling",), (name,), put, same("how", how))


def remapped(name: str, mapping: Mapping[Any, Any], label: str) -> Injection:
    """Categories renamed; right where at least three quarters of the new names are the true ones."""
    put = changed(name, lambda v: np.array([mapping.get(t, t) for t in v.tolist()], dtype=v.dtype))
    truth = {text_of(old): text_of(new) for old, new in mapping.items() if old != new}

    def right(found: Mapping[str, str | float]) -> bool:
        said = json.loads(str(found.get("mapping", "{}")))
        hits = sum(said.get(old, old) == new for old, new in truth.items())
        return bool(hits >= 0.75 * len(truth))

    return Injection(f"{name} {label}", ("remap",), (name,), put, right)


def text_of(value: float | str) -> str:
    """A category as a renaming is written."""
    return value if isinstance(value, str) else f"{value:g}"


def turned(name: str, shift: float) -> Injection:
    put = changed(name, lambda v: (v + shift) % 24)
    return Injection(f"{name} turned {shift:+g} h", ("timezone",), (name,), put, near("shift", shift))


def rotated(values: list[Any]) -> dict[Any, Any]:
    """Each value becomes the next."""
    return dict(zip(values, [*values[1:], values[0]], strict=True))


def late(name: str, hours: float, group: str) -> Injection:
    """The value that the group's last row had so many hours earlier."""

    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:  # noqa: ARG001  # one signature
        column = sample.features[name].copy()
        for value in dict.fromkeys(sample.features[group].tolist()):
            members = np.flatnonzero(sample.features[group] == value)
            second = sample.second[members]
            place = np.maximum(np.searchsorted(second, second - hours * 3600, side="right") - 1, 0)
            column[members] = sample.features[name][members[place]]
        return sample.with_feature(name, np.where(rows, column, sample.features[name]))

    return Injection(f"{name} {hours:g} h late", ("stale",), (name,), put, near("lag_hours", hours, 0.34))


def frozen(name: str, group: str) -> Injection:
    """The value that the group's first struck row had."""

    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:  # noqa: ARG001  # one signature
        column = sample.features[name].copy()
        for value in dict.fromkeys(sample.features[group].tolist()):
            members = np.flatnonzero(rows & (sample.features[group] == value))
            if len(members):
                column[members] = column[members[0]]
        return sample.with_feature(name, column)

    return Injection(f"{name} frozen by {group}", ("stale", "constant"), (name,), put, anything)


def flight_injections() -> list[Injection]:
    """Corruptions of the flights' rows."""
    minutes = [scaled("dep_delay", factor) for factor in (60.0, 1 / 60, -1.0)]
    units = [scaled(*both) for both in (("distance", 1.609344), ("wind_speed", 0.868976), ("origin_delay", 60.0))]
    clocks = [turned("hour", 5.0), turned("hour", -4.0)]
    stale = [
        late("origin_delay", 6.0, "origin"),
        late("origin_delay", 24.0, "origin"),
        frozen("origin_delay", "origin"),
    ]
    lost = [filled("dep_delay", None), filled("dep_delay", 0.0), filled("origin_delay", 0.0), filled("hour", 0.0)]
    bounds = [clipped("dep_delay", 0.0, "lower"), clipped("dep_delay", 10.0, "upper"), rounded("dep_delay", 30.0)]
    moved = [permuted("dep_delay"), permuted("origin_delay"), permuted("hour"), swapped("dep_delay", "origin_delay")]
    names = [respelled("carrier", "lower case", str.lower), swapped("seats", "plane_age"), swapped("dest", "carrier")]
    return [*minutes, *units, *clocks, *stale, *lost, *bounds, *moved, *names]


def adult_injections() -> list[Injection]:
    """Corruptions of the census rows."""
    return [*_adult_numbers(), *_adult_lost(), *_adult_moved(), *_adult_names()]


def _adult_numbers() -> list[Injection]:
    factors = {
        "age": (12.0, 365.25, 0.1),
        "hours": (60.0, 1 / 7, 1 / 24),
        "education_num": (10.0, 1 / 12),
        "capital_gain": (0.01, 0.45359237, 0.001, -1.0),
    }
    offsets = [scaled("hours", 1.8, 32.0), scaled("age", 1.0, 15.0), scaled("education_num", 1.0, -4.0)]
    curves = [curved("capital_gain", "log1p"), curved("age", "sqrt"), curved("hours", "log1p")]
    return [*(scaled(name, factor) for name, all_of in factors.items() for factor in all_of), *offsets, *curves]


def _adult_lost() -> list[Injection]:
    nulls = ("age", "marital", "education_num", "capital_gain", "relationship", "occupation")
    values: tuple[tuple[str, float | str], ...] = (
        *(("age", -1.0), ("age", 999.0), ("education_num", 0.0), ("capital_gain", 99999.0), ("hours", 40.0)),
        *(("relationship", "Husband"), ("marital", "unknown"), ("capital_gain", 0.0)),
    )
    uppers = {"age": 35.0, "education_num": 9.0, "capital_gain": 3000.0, "hours": 35.0}
    return [
        *(filled(name, None) for name in nulls),
        *(filled(name, value) for name, value in values),
        *(defaulted("occupation", "Exec-managerial"), defaulted("workclass", "Private")),
        *(clipped(name, bound, "upper") for name, bound in uppers.items()),
        *(clipped("age", 45.0, "lower"), rounded("age", 10.0), rounded("education_num", 5.0)),
        rounded("capital_gain", 10000.0),
    ]


def _adult_moved() -> list[Injection]:
    swaps = (
        *(("age", "hours"), ("education_num", "hours"), ("relationship", "marital"), ("age", "education_num")),
        *(("workclass", "occupation"), ("capital_gain", "capital_loss")),
    )
    alone = ("age", "education_num", "marital", "relationship", "capital_gain", "occupation")
    return [
        *(swapped(*both) for both in swaps),
        *(overwritten("education_num", "hours"), overwritten("age", "education_num")),
        *(permuted(name) for name in alone),
        permuted("marital", "relationship"),
    ]


def _adult_names() -> list[Injection]:
    relation = ["Husband", "Not-in-family", "Own-child", "Unmarried", "Wife"]
    circles: dict[str, list[Any]] = {
        "marital": ["Married-civ-spouse", "Never-married", "Divorced", "Separated", "Widowed"],
        "relationship": relation,
        "education": ["HS-grad", "Some-college", "Bachelors", "Masters", "Assoc-voc", "11th", "Assoc-acdm", "10th"],
        "occupation": ["Prof-specialty", "Craft-repair", "Exec-managerial", "Adm-clerical", "Sales", "Other-service"],
        "education_num": [9.0, 10.0, 13.0, 14.0, 11.0, 7.0],
    }
    return [
        *(respelled("marital", "lower case", str.lower), respelled("relationship", "upper case", str.upper)),
        respelled("marital", "cut to 4 characters", lambda text: text[:4]),
        respelled("relationship", "prefix 'rel_'", lambda text: f"rel_{text}"),
        respelled("occupation", "blank in front", lambda text: f" {text}"),
        *(remapped(name, rotated(values), "rotated") for name, values in circles.items()),
        remapped("relationship", {name: f"r{place}" for place, name in enumerate(relation)}, "coded"),
    ]


def setting_of(seed: int, segments: Sequence[tuple[str, str]]) -> Setting:
    """What a seed strikes; the first is the one that the tests take."""
    rng = np.random.default_rng([seed, 7])
    segment = segments[seed % len(segments)]
    return Setting(seed, segment, *rng.uniform(0.25, 0.6, 2).tolist()) if seed else Setting(seed, segment)


def struck_rows(sample: RowSample, severity: str, setting: Setting, rng: np.random.Generator) -> Bools:
    """Which rows an injection strikes."""
    if severity == "all":
        return np.ones(len(sample), dtype=np.bool_)
    if severity == "part":
        return rng.random(len(sample)) < setting.part
    column, value = setting.segment
    moment = np.quantile(sample.second, setting.since)
    return np.asarray((sample.features[column] == value) & (sample.second >= moment), dtype=np.bool_)


def judged(
    injection: Injection,
    baseline: RowSample,
    incident: RowSample,
    model: Model,
    *,
    severity: str,
    setting: Setting,
) -> Scored:
    """One injection put in, proposed for, and compared with the truth."""
    rng = np.random.default_rng([setting.seed, 5])
    rows = struck_rows(incident, severity, setting, rng)
    hit = injection.put(incident, rows, rng)
    start = time.perf_counter()
    proposals = propose(baseline, hit, rng=np.random.default_rng([setting.seed, 1]))
    seconds = time.perf_counter() - start
    answer = proposals[0] if proposals else None
    kind_right = (
        answer is not None and answer.kind in injection.kinds and set(answer.features) == set(injection.features)
    )
    right = (
        answer is not None and kind_right and injection.right(answer.parameters) and in_place(answer, severity, setting)
    )
    return Scored(injection, severity, model.f1(incident) - model.f1(hit), answer, kind_right, right, seconds)


def in_place(answer: Repair, severity: str, setting: Setting) -> bool:
    """Whether the scope is the true one, or the struck share is near the truth where rows were struck at random."""
    if severity == "segment":
        return answer.scope == setting.segment
    return answer.scope is None and (severity == "all" or abs(answer.share - setting.part) <= 0.1)


def adult_pairs(folder: Path, *, seed: int = 0) -> tuple[Model, RowSample, RowSample]:
    """A model of the training part; the test part's rows at random times, first half and second half."""
    model = train(*read_adult(folder / "adult.data"))
    features, y = read_adult(folder / "adult.test")
    order = np.random.default_rng([seed, 3]).permutation(len(y))
    whole = sample_of({name: column[order] for name, column in features.items()}, y[order], clock(len(y)))
    half = np.arange(len(y)) < len(y) // 2
    return model, whole.where(half), whole.where(~half)


def clock(n: int) -> npt.NDArray[np.int64]:
    """n moments, evenly spread over sixty days."""
    return np.linspace(0, 60 * DAY, n, endpoint=False).astype(np.int64) + 1_700_000_000


def flight_rows(*, seed: int = 0) -> tuple[RowSample, RowSample, RowSample]:
    """Flights that left: the first seven months', four weeks of a quiet autumn, and the two weeks after."""
    from mortis.lab.flights import read_flights
    from mortis.lab.model import AT_PUSH_BACK

    table = read_flights()
    left = ~table["cancelled"].to_numpy().astype(np.bool_)
    second = table["scheduled_at"].to_numpy().astype("datetime64[s]").astype(np.int64)
    features: dict[str, Column] = {}
    for name in AT_PUSH_BACK:
        cells = table[name].to_numpy()
        features[name] = cells if cells.dtype == object else cells.astype(np.float64)
    whole = sample_of(features, table["late"].to_numpy().astype(np.float64), second)
    day = {name: int(np.datetime64(text, "s").astype(np.int64)) for name, text in FLIGHT_DAYS.items()}
    ends = (("trained", "until"), ("baseline", "incident"), ("incident", "end"))
    known, baseline, incident = (
        thinned(whole.where(left & (second >= day[start]) & (second < day[end])), most, seed=seed)
        for (start, end), most in zip(ends, (60_000, 10_000, 10_000), strict=True)
    )
    return known, baseline, incident


def flight_pairs(*, seed: int = 0) -> tuple[Model, RowSample, RowSample]:
    """A model of the first seven months' flights, and the two windows of autumn."""
    known, baseline, incident = flight_rows(seed=seed)
    return train(known.features, np.asarray(known.y, dtype=np.float64)), baseline, incident


def thinned(sample: RowSample, most: int, *, seed: int) -> RowSample:
    """About as many random rows at most."""
    return sample.where(np.random.default_rng([seed, 4]).random(len(sample)) < most / len(sample))


def line(one: Scored) -> str:
    """One line of the table."""
    mark = "right" if one.right else "kind " if one.kind_right else "WRONG"
    said = f"{one.answer.fit:.2f} {one.answer.kind}: {one.answer.statement}" if one.answer else "nothing"
    return f"{mark} {one.fall:6.1f} {one.seconds:5.2f}s  {one.injection.name:32s} {one.severity:8s} {said[:150]}"


def summary(scored: list[Scored]) -> str:
    """How many of those that hurt are right."""
    lines = []
    for label, chosen in (("all", scored), (f"F1 fell by >= {HURTS:g}", [s for s in scored if s.fall >= HURTS])):
        right, kind, n = sum(s.right for s in chosen), sum(s.kind_right for s in chosen), len(chosen)
        lines.append(f"{label}: kind {kind} of {n}, kind, scope and parameter {right} ({right / max(1, n):.0%})")
    seconds = [s.seconds for s in scored]
    return "\n".join([*lines, f"seconds: median {np.median(seconds):.2f}, most {max(seconds):.2f}"])


def healthy(
    baseline: RowSample, incident: RowSample, *, times: int, first_seed: int = 0
) -> Iterator[tuple[Repair, ...]]:
    """Proposals on random halves of rows in which nothing happened."""
    for seed in range(first_seed, first_seed + times):
        rng = np.random.default_rng(seed)
        for sample in (baseline, incident):
            first = rng.random(len(sample)) < 0.5
            yield propose(sample.where(first), sample.where(~first), rng=rng)


def drifted(baseline: RowSample, incident: RowSample) -> Iterator[tuple[str, tuple[Repair, ...]]]:
    """Proposals where the mix of the population moved and nothing is corrupt."""
    age, hours, schooling, gain = (
        np.asarray(incident.features[name], dtype=np.float64)
        for name in ("age", "hours", "education_num", "capital_gain")
    )
    weights: dict[str, npt.NDArray[np.float64]] = {
        "older": np.exp(age / 15),
        "better schooled": np.exp(schooling / 3),
        "more hours": np.exp(hours / 15),
        "capital gains": np.where(gain > 0, 4.0, 1.0),
        "more women": np.where(incident.features["sex"] == "Female", 4.0, 1.0),
        "singles": np.where(incident.features["marital"] == "Never-married", 5.0, 1.0),
        "older, more women": np.exp(age / 20) * np.where(incident.features["sex"] == "Female", 3.0, 1.0),
    }
    rng = np.random.default_rng(0)
    for name, weight in weights.items():
        kept = rng.random(len(incident)) < weight / np.quantile(weight, 0.97)
        yield name, propose(baseline, incident.where(kept), rng=rng)


def table(
    injections: list[Injection], pair: tuple[Model, RowSample, RowSample], setting: Setting, only: str
) -> list[Scored]:
    """Prints the table and gives its lines back."""
    model, baseline, incident = pair
    scored = []
    for injection in injections:
        if only not in injection.name:
            continue
        for severity in SEVERITIES:
            scored.append(judged(injection, baseline, incident, model, severity=severity, setting=setting))
            print(line(scored[-1]), flush=True)
    if scored:
        print(summary(scored))
    return scored


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", default="", help="injections whose name holds this text")
    parser.add_argument("--seed", type=int, default=0, help="another draw of rows, segment, moment and part")
    parser.add_argument("--times", type=int, default=15, help="healthy halves of each window")
    options = parser.parse_args()
    seed = options.seed
    adult, flights = adult_pairs(options.data / "adult", seed=seed), flight_pairs(seed=seed)
    scored = table(adult_injections(), adult, setting_of(seed, ADULT_SEGMENTS), options.only)
    scored += table(flight_injections(), flights, setting_of(seed, FLIGHT_SEGMENTS), options.only)
    if scored:
        print(f"both\n{summary(scored)}")
    for name, (_, baseline, incident) in {"Adult": adult, "flights": flights}.items():
        best = [
            found[0].fit if found else 0.0
            for found in healthy(baseline, incident, times=options.times, first_seed=100 * seed)
        ]
        print(f"healthy halves, {name}: {sum(fit > 0 for fit in best)} of {len(best)} named, best fit {max(best):.2f}")
    print(f"flights, nothing put in: {propose(*flights[1:], rng=np.random.default_rng(seed))}")
    for name, proposals in drifted(*adult[1:]):
        print(f"drift, {name}: " + "; ".join(f"{one.fit:.2f} {one.kind} {one.statement}" for one in proposals[:2]))


if __name__ == "__main__":
    main()
