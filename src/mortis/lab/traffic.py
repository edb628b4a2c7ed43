"""The requests that a service answered over some weeks: asked, served, scored, decided, logged and labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Column = NDArray[Any]
Columns = Mapping[str, Column]

DAY = 86_400
YEAR = timedelta(days=364)
"""Whole weeks, so that weekdays meet."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The weeks that a case tells of: served from `start` on; after `before` days the incident's window of `during`."""

    start: datetime
    before: int = 28
    during: int = 14

    @property
    def incident(self) -> datetime:
        """When the incident's window begins, and the baseline's ends."""
        return self.start + timedelta(days=self.before)

    @property
    def end(self) -> datetime:
        """When the incident's window ends; exclusive, as all ends are."""
        return self.incident + timedelta(days=self.during)

    def holds(self, at: NDArray[np.int64]) -> Bools:
        """Which of these moments (n,), in epoch seconds, lie in it."""
        return (at >= self.start.timestamp()) & (at < self.end.timestamp())

    def year_before(self) -> Stretch:
        """The same weeks of the year before."""
        return replace(self, start=self.start - YEAR)

    @property
    def days(self) -> int:
        """How many days are served in all."""
        return self.before + self.during


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Requests in the order of time, one row each; every array has their number n.

    `columns` are the true values of features and segments, `served` what the model is asked with and the log keeps:
    doubles (NaN for null) or texts (None for null). `y` is what really came of each, `label` what is recorded as that
    (0 and 1, or a figure; NaN where none ever comes), at `labelled` in epoch seconds, as is `at`. `served_by` is the
    version that scores, `version` the one that the log names. `score` and `prediction` are the service's answers, NaN
    until they are given. `row` is each one's place among the requests as they were first asked: repeats share it.
    """

    ids: NDArray[np.object_]
    at: NDArray[np.int64]
    columns: Columns
    y: Floats
    label: Floats
    labelled: NDArray[np.int64]
    served: Columns = field(default_factory=dict)
    version: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    served_by: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    score: Floats = field(default_factory=lambda: np.empty(0))
    prediction: Floats = field(default_factory=lambda: np.empty(0))
    latency_ms: Floats = field(default_factory=lambda: np.empty(0))
    row: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.at)

    def take(self, places: NDArray[Any]) -> Traffic:
        """The rows at these places, or where this mask holds."""
        parts: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Mapping):
                parts[one.name] = {name: column[places] for name, column in value.items()}
            else:
                parts[one.name] = value[places] if len(value) else value
        return replace(self, **parts)

    def with_served(self, name: str, values: Column, where: Bools) -> Traffic:
        """The same requests, served these values of a feature where the mask holds."""
        usual = self.served[name]
        changed = np.where(where, values, usual)
        return replace(self, served={**self.served, name: changed.astype(usual.dtype)})

    def with_asked(self, name: str, values: Column, where: Bools) -> Traffic:
        """The same requests, truly about these values of a feature where the mask holds; served as they are."""
        usual = self.columns[name]
        changed = np.where(where, values, usual).astype(usual.dtype)
        return replace(self, columns={**self.columns, name: changed})


def in_scope(traffic: Traffic, scope: Mapping[str, str]) -> Bools:
    """Which requests (n,) have these values in these columns; all for an empty scope."""
    found = np.ones(len(traffic), bool)
    for name, value in scope.items():
        found &= traffic.columns[name] == value
    return found


def missing(values: Column) -> Bools:
    """Where a column of doubles or texts (n,) has no value."""
    if values.dtype != object:
        return np.isnan(values)
    return np.array([one is None for one in values], dtype=bool)


def joined(first: Traffic, second: Traffic) -> Traffic:
    """The rows of both in the order of time; `row` tells which were the same request."""
    parts: dict[str, Any] = {}
    for one in fields(first):
        ours, theirs = getattr(first, one.name), getattr(second, one.name)
        if isinstance(ours, Mapping):
            parts[one.name] = {name: np.concatenate([column, theirs[name]]) for name, column in ours.items()}
        else:
            parts[one.name] = np.concatenate([ours, theirs])
    both = Traffic(**parts)
    return both.take(np.argsort(both.at, kind="stable"))


def texts(values: NDArray[Any]) -> NDArray[np.object_]:
    """Texts as objects, so that a missing one can be None."""
    return np.asarray(values).astype(str).astype(object)
