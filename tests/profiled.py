"""Profiles of plain columns, as the engine's pass would leave them, for tests that need many."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mortis.engine.layout import number_layout
from mortis.profiles import NULL, OTHER, CategoryProfile, Cell, Extremes, NumberProfile, Profile, Tally
from mortis.records import Window

BEGINS = datetime(2024, 3, 4, tzinfo=UTC)
DAY = 86400
NAMED = 64

Columns = Mapping[str, NDArray[Any]]


def days(first: float, end: float) -> Window:
    """A window in days from the log's first."""
    return Window(BEGINS + timedelta(days=first), BEGINS + timedelta(days=end))


def profile_of(columns: Columns, day: NDArray[np.int64], *, reference: int | None = None) -> Profile:
    """The profile by day of doubles (NaN for null) and texts (None for null); edges from days before `reference`."""
    width = int(day.max()) + 1 if len(day) else 1
    cells: tuple[Cell, ...] = tuple((int(BEGINS.timestamp()) + i * DAY, "v1", "unlabelled") for i in range(width))
    known = day < reference if reference else np.ones(len(day), dtype=bool)
    numbers, categories = {}, {}
    for name, column in columns.items():
        if column.dtype.kind == "f":
            numbers[name] = _number(column, day, known, cells)
        else:
            categories[name] = _category(column, day, cells)
    rows = np.bincount(day, minlength=width).astype(float)
    filled = np.flatnonzero(rows)
    quality = Tally(tuple(cells[i][:2] for i in filled), ("rows",), rows[filled, None])
    return Profile(DAY, len(day), quality, Tally(), numbers, categories)


def _number(
    x: NDArray[Any], day: NDArray[np.int64], known: NDArray[np.bool_], cells: tuple[Cell, ...]
) -> NumberProfile:
    cut = number_layout(x[known])
    finite = np.isfinite(x)
    bins = np.searchsorted(cut.edges, x[finite], side="right")
    values = np.zeros((len(cells), len(cut.edges) + 2))
    np.add.at(values, (day[finite], bins), 1.0)
    np.add.at(values, (day[~finite], len(cut.edges) + 1), 1.0)
    low, high = np.full(len(cells), np.inf), np.full(len(cells), -np.inf)
    np.minimum.at(low, day[finite], x[finite])
    np.maximum.at(high, day[finite], x[finite])
    slots = (*(f"bin:{i}" for i in range(len(cut.edges) + 1)), "nulls")
    return NumberProfile(cut.edges, cut.centre, Tally(cells, slots, values), Extremes(cells, low, high))


def _category(x: NDArray[Any], day: NDArray[np.int64], cells: tuple[Cell, ...]) -> CategoryProfile:
    texts = np.array([NULL if value is None else str(value) for value in x])
    values, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    named = [i for i in order[:NAMED] if values[i] != NULL] + [i for i in range(len(values)) if values[i] == NULL]
    place = np.full(len(values), len(named))
    place[named] = np.arange(len(named))
    sums = np.zeros((len(cells), len(named) + 1))
    np.add.at(sums, (day, place[codes]), 1.0)
    slots = tuple(str(values[i]) for i in named)
    if len(named) < len(values):
        return CategoryProfile(Tally(cells, (*slots, OTHER), sums), len(values))
    return CategoryProfile(Tally(cells, slots, sums[:, :-1]), len(values))


def healthy(rng: np.random.Generator, *, rows: int, length: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """A log of independent rows over `length` days with columns of every kind, and the day of each row."""
    day = np.sort(rng.integers(0, length, rows))
    ranks = 1 / np.arange(1, 301)
    columns: dict[str, NDArray[Any]] = {
        "amount": rng.lognormal(3, 1, rows).round(2),
        "age": rng.normal(40, 12, rows).round(),
        "gain": np.where(rng.random(rows) < 0.9, 0.0, rng.lognormal(8, 1.5, rows)),
        "share": rng.beta(2, 5, rows),
        "flag": (rng.random(rows) < 0.03).astype(float),
        "tail": rng.standard_t(2, rows),
        "gappy": np.where(rng.random(rows) < 0.05, np.nan, rng.normal(0, 1, rows)),
        "region": rng.choice(np.array(["eu", "us", "asia"], dtype=object), rows, p=[0.5, 0.4, 0.1]),
        "city": rng.choice(np.array([f"c{i:03d}" for i in range(300)], dtype=object), rows, p=ranks / ranks.sum()),
        "plan": rng.choice(np.array(["free", "paid", None], dtype=object), rows, p=[0.7, 0.25, 0.05]),
    }
    return columns, day
