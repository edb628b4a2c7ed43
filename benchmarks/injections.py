"""Corruptions that can be put into rows, each with what a right answer says of it: what `corruption.py` puts in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.rows import Column, RowSample, is_number

Bools = npt.NDArray[np.bool_]
Put = Callable[[RowSample, Bools, np.random.Generator], RowSample]
Told = Callable[[Mapping[str, str | float]], bool]


LOST, ERROR = ("D1",), ("D2",)


@dataclass(frozen=True, slots=True)
class Injection:
    """A corruption put into one or more features of marked rows, and what a right answer says of it.

    `ids` are the causes of the catalogue that it is (several where its own words don't part them), `kinds` the names
    under which it may be proposed, `put` does it, `right` judges the parameters told.
    """

    name: str
    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    features: tuple[str, ...]
    put: Put
    right: Told


def changed(name: str, values: Callable[[Column], Any]) -> Put:
    """Puts `values(column)` in place of the marked rows' values."""

    def put(sample: RowSample, rows: Bools, _: np.random.Generator) -> RowSample:
        column = sample.features[name].copy()
        column[rows] = values(column[rows])
        return sample.with_feature(name, column)

    return put


def near(key: str, value: float, tolerance: float = 0.01) -> Told:
    """Whether a parameter lies within a relative tolerance of the truth."""
    return lambda found: bool(abs(float(found.get(key, np.nan)) - value) <= tolerance * abs(value) + 1e-9)


def same(key: str, value: str | float) -> Told:
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
        ("D3",),
        ("sign",) if factor == -1 else ("unit",),
        (name,),
        changed(name, lambda v: v * factor + offset),
        lambda p: near_factor(p) and (factor == -1 or near_offset(p)),
    )


def filled(name: str, value: float | str | None, *, ids: tuple[str, ...] = LOST) -> Injection:
    """One value for all, or null: lost and imputed values are D1, what stands for an error D2."""
    put = changed(name, lambda v: np.nan if value is None and is_number(v) else value)
    if value is None:
        return Injection(f"{name} null", ids, ("null",), (name,), put, anything)
    return Injection(f"{name} = {value}", ids, ("sentinel", "constant"), (name,), put, same("value", value))


def defaulted(name: str, value: str) -> Injection:
    def put(sample: RowSample, rows: Bools, _: np.random.Generator) -> RowSample:
        column = sample.features[name].copy()
        column[rows & np.array([v is None for v in column])] = value
        return sample.with_feature(name, column)

    return Injection(f"{name} null -> {value}", ("D1",), ("default",), (name,), put, same("value", value))


def clipped(name: str, bound: float, side: str) -> Injection:
    limit = np.minimum if side == "upper" else np.maximum
    return Injection(
        f"{name} clipped {side} {bound:g}",
        ("S1",),
        ("clip",),
        (name,),
        changed(name, lambda v: limit(v, bound)),
        same("bound", bound),
    )


def rounded(name: str, step: float) -> Injection:
    put = changed(name, lambda v: step * np.floor(v / step))
    return Injection(f"{name} cut to {step:g}", ("S1",), ("rounding",), (name,), put, near("step", step))


def curved(name: str, function: str) -> Injection:
    put = changed(name, getattr(np, function))
    return Injection(f"{name} {function}", ("D3",), ("transform",), (name,), put, same("function", function))


def swapped(one: str, other: str) -> Injection:
    def put(sample: RowSample, rows: Bools, _: np.random.Generator) -> RowSample:
        first, second = sample.features[one], sample.features[other]
        return sample.with_feature(one, np.where(rows, second, first)).with_feature(
            other, np.where(rows, first, second)
        )

    return Injection(f"{one} <-> {other}", ("S2",), ("swap",), (one, other), put, anything)


def overwritten(name: str, source: str) -> Injection:
    def put(sample: RowSample, rows: Bools, _: np.random.Generator) -> RowSample:
        return sample.with_feature(name, np.where(rows, sample.features[source], sample.features[name]))

    return Injection(f"{name} := {source}", ("S2",), ("overwritten",), (name,), put, same("by", source))


def permuted(*names: str) -> Injection:
    def put(sample: RowSample, rows: Bools, rng: np.random.Generator) -> RowSample:
        place = np.arange(len(sample))
        place[rows] = rng.permutation(place[rows])
        for name in names:
            sample = sample.with_feature(name, sample.features[name][place])
        return sample

    return Injection(f"{'+'.join(names)} permuted", ("D6",), ("permutation", "other rows"), names, put, anything)


def respelled(name: str, how: str, spelling: Callable[[str], str]) -> Injection:
    put = changed(name, lambda v: np.array([t if t is None else spelling(t) for t in v], dtype=object))
    return Injection(f"{name} {how}", ("D4",), ("respelling",), (name,), put, same("how", how))


def remapped(name: str, mapping: Mapping[Any, Any], label: str) -> Injection:
    """Categories renamed; right where at least three quarters of the new names are the true ones."""
    put = changed(name, lambda v: np.array([mapping.get(t, t) for t in v.tolist()], dtype=v.dtype))
    truth = {text_of(old): text_of(new) for old, new in mapping.items() if old != new}

    def right(found: Mapping[str, str | float]) -> bool:
        said = json.loads(str(found.get("mapping", "{}")))
        hits = sum(said.get(old, old) == new for old, new in truth.items())
        return bool(hits >= 0.75 * len(truth))

    return Injection(f"{name} {label}", ("D4", "S3"), ("remap",), (name,), put, right)


def text_of(value: float | str) -> str:
    """A category as a renaming is written."""
    return value if isinstance(value, str) else f"{value:g}"


def turned(name: str, shift: float) -> Injection:
    put = changed(name, lambda v: (v + shift) % 24)
    return Injection(f"{name} turned {shift:+g} h", ("S4",), ("timezone",), (name,), put, near("shift", shift))


def rotated(values: list[Any]) -> dict[Any, Any]:
    """Each value becomes the next."""
    return dict(zip(values, [*values[1:], values[0]], strict=True))


def late(name: str, hours: float, group: str) -> Injection:
    """The value that the group's last row had so many hours earlier."""

    def put(sample: RowSample, rows: Bools, _: np.random.Generator) -> RowSample:
        column = sample.features[name].copy()
        for value in dict.fromkeys(sample.features[group].tolist()):
            members = np.flatnonzero(sample.features[group] == value)
            second = sample.second[members]
            place = np.maximum(np.searchsorted(second, second - hours * 3600, side="right") - 1, 0)
            column[members] = sample.features[name][members[place]]
        return sample.with_feature(name, np.where(rows, column, sample.features[name]))

    return Injection(f"{name} {hours:g} h late", ("D5",), ("stale",), (name,), put, near("lag_hours", hours, 0.34))


def frozen(name: str, group: str) -> Injection:
    """The value that the group's first struck row had."""

    def put(sample: RowSample, rows: Bools, _: np.random.Generator) -> RowSample:
        column = sample.features[name].copy()
        for value in dict.fromkeys(sample.features[group].tolist()):
            members = np.flatnonzero(rows & (sample.features[group] == value))
            if len(members):
                column[members] = column[members[0]]
        return sample.with_feature(name, column)

    return Injection(f"{name} frozen by {group}", ("D5", "D1"), ("stale", "still", "constant"), (name,), put, anything)


def retried(name: str, value: str) -> Injection:
    """The rows of one value are logged three times over."""

    def put(sample: RowSample, rows: Bools, _: np.random.Generator) -> RowSample:
        again = np.flatnonzero(rows & np.asarray(sample.features[name] == value, dtype=np.bool_))
        places = np.sort(np.concatenate([np.arange(len(sample)), again, again]))
        return sample.where(places)  # NumPy takes places where it takes a mask

    return Injection(f"{name} = {value} retried", ("D7",), ("duplication",), (), put, anything)


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
    lost = [
        filled("dep_delay", None),
        *(filled(name, 0.0, ids=(*LOST, *ERROR)) for name in ("dep_delay", "origin_delay", "hour")),
    ]
    bounds = [clipped("dep_delay", 0.0, "lower"), clipped("dep_delay", 10.0, "upper"), rounded("dep_delay", 30.0)]
    moved = [permuted("dep_delay"), permuted("origin_delay"), permuted("hour"), swapped("dep_delay", "origin_delay")]
    names = [respelled("carrier", "lower case", str.lower), swapped("seats", "plane_age"), swapped("dest", "carrier")]
    return [*minutes, *units, *clocks, *stale, *lost, *bounds, *moved, *names]


def adult_injections() -> list[Injection]:
    """Corruptions of the census rows, and of the hour, the feeds and the ids that its log has."""
    return [*_adult_numbers(), *_adult_lost(), *_adult_moved(), *_adult_names(), *_adult_served()]


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
    # 99999 stands for an error, but is also what the census itself puts for the highest gains.
    errors = [filled("age", -1.0, ids=ERROR), filled("age", 999.0, ids=ERROR), filled("education_num", 0.0, ids=ERROR)]
    imputed: tuple[tuple[str, float | str], ...] = (
        *(("hours", 40.0), ("relationship", "Husband"), ("marital", "unknown"), ("capital_gain", 0.0)),
    )
    uppers = {"age": 35.0, "education_num": 9.0, "capital_gain": 3000.0, "hours": 35.0}
    return [
        *(filled(name, None) for name in nulls),
        *(*errors, filled("capital_gain", 99999.0, ids=(*LOST, *ERROR))),
        *(filled(name, value) for name, value in imputed),
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


def _adult_served() -> list[Injection]:
    return [
        *(turned("hour", 8.0), turned("hour", -5.0)),
        *(late("index", 6.0, "region"), late("index", 24.0, "region"), frozen("index", "region")),
        *(permuted("index"), permuted("hour"), retried("marital", "Married-civ-spouse")),
    ]
