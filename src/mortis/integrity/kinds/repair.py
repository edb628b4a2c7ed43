"""What a kind of corruption proposes: where it struck, with which parameters, and how to undo it on rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from mortis.rows import RowSample, Texts

Bools = npt.NDArray[np.bool_]
Undo = Callable[[RowSample], RowSample]
Parameters = Mapping[str, str | float]

VERSION = "(version)"
"""The name under which the served version stands as a column of a scope."""


@dataclass(frozen=True, slots=True)
class Region:
    """The rows a corruption is looked for in: where a column has a value, from `since` up to before `until`.

    Times are epoch seconds. What is None restricts nothing.
    """

    column: str | None = None
    value: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def scope(self) -> tuple[str, str] | None:
        """The column and its value, or None where every value is meant."""
        return None if self.column is None or self.value is None else (self.column, self.value)

    def in_scope(self, sample: RowSample) -> Bools:
        """Which rows (n,) have the column's value, at whatever time."""
        if self.scope is None:
            return np.ones(len(sample), dtype=np.bool_)
        return np.asarray(texts_of(sample, self.scope[0]) == self.scope[1], dtype=np.bool_)

    def rows(self, sample: RowSample) -> Bools:
        """Which rows (n,) lie in the region."""
        found = self.in_scope(sample)
        if self.since is not None:
            found &= sample.second >= self.since
        if self.until is not None:
            found &= sample.second < self.until
        return found

    def text(self) -> str:
        """The region as the end of a sentence; empty where it holds every row.

        >>> Region("origin", "EWR", since=1383804000).text()
        ' where origin is EWR, from 2013-11-07 06:00 UTC'
        """
        scope = f" where {self.column} is {self.value}" if self.scope else ""
        since = f", from {_clock(self.since)}" if self.since is not None else ""
        return scope + since + (f", until {_clock(self.until)}" if self.until is not None else "")


def texts_of(sample: RowSample, column: str) -> Texts:
    """A text column of the sample, or its versions."""
    if column == VERSION:
        return sample.version
    texts: Texts = sample.features[column].astype(object)
    return texts


def _clock(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True, eq=False)
class Reenactment:
    """A corruption put into the baseline's rows: as they were, and as they would have been under it."""

    usual: RowSample
    struck: RowSample


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """One corruption that would explain how features changed, and the way back.

    `parameters` describe it (a factor, a value, a shift). `fit` (0..1) is the share of the change, given the most
    related columns, that goes away when the corruption is put into baseline rows. `share` is the part of the region's
    rows that it struck, `rows` marks the incident's rows thought affected (None: all). `undo` takes incident rows and
    gives them back repaired, the same ones each time; `donors` tells that the true values are lost and stand-ins were
    drawn from like baseline rows. `reenacted` is the way there: the corruption put into as many of the baseline's rows.
    """

    kind: str
    features: tuple[str, ...]
    parameters: Parameters
    statement: str
    fit: float
    region: Region
    share: float
    rows: Bools | None
    undo: Undo
    donors: bool = False
    reenacted: Reenactment | None = None

    @property
    def scope(self) -> tuple[str, str] | None:
        """The column and value whose rows were struck; None where it isn't bound to one."""
        return self.region.scope

    def with_fit(self, fit: float) -> Repair:
        """The same repair with another fit."""
        return replace(self, fit=fit)


def undone(parts: Sequence[Repair]) -> Undo:
    """What undoes several repairs, one after the other."""

    def undo(sample: RowSample) -> RowSample:
        for one in parts:
            sample = one.undo(sample)
        return sample

    return undo
