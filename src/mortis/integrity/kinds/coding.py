"""Columns as small integers: null, frequent values each by itself, bins for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mortis.profiles import Floats
from mortis.rows import Column, Ints, Texts, is_number


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """A column's coding: 0 is null, then each of `atoms`, then the bins between `edges` (texts: one for others)."""

    atoms: Floats | tuple[str, ...]
    edges: Floats

    @property
    def size(self) -> int:
        """How many codes there are."""
        return 2 + len(self.atoms) + len(self.edges)

    def of(self, column: Column) -> Ints:
        """The codes (n,) of a column of the kind the coding was made for."""
        if isinstance(self.atoms, tuple):
            place: dict[str | None, int] = {None: 0} | {value: i + 1 for i, value in enumerate(self.atoms)}
            other = len(self.atoms) + 1
            return np.array([place.get(value, other) for value in column.tolist()], dtype=np.int64)
        found = len(self.atoms) + 1 + np.searchsorted(self.edges, column, side="right")
        if len(self.atoms):
            nearest = np.minimum(np.searchsorted(self.atoms, column), len(self.atoms) - 1)
            found = np.where(_same(self.atoms[nearest], column), nearest + 1, found)
        return np.where(np.isnan(column.astype(np.float64)), 0, found).astype(np.int64)


def code_of(columns: Sequence[Column], *, bins: int, least: float) -> Code:
    """A coding for columns of one kind: values with at least the share `least` in one of them stand by themselves.

    >>> code = code_of([np.array([0.0, 0.0, 1.0, 2.0, 3.0, np.nan])], bins=2, least=0.3)
    >>> code.of(np.array([np.nan, 0.0, 1.0, 9.0])).tolist()
    [0, 1, 2, 3]
    """
    if is_number(columns[0]):
        return _number_code([np.asarray(one, dtype=np.float64) for one in columns], bins, least)
    shares: dict[str, float] = {}
    for column in columns:
        values, share = value_shares(column)
        for value, part in zip(values, share, strict=True):
            shares[value] = max(shares.get(value, 0.0), float(part))
    frequent = sorted((value for value, share in shares.items() if share >= least), key=lambda v: (-shares[v], v))
    return Code(tuple(frequent[: 2 * bins]), np.empty(0))


def _number_code(columns: Sequence[Floats], bins: int, least: float) -> Code:
    shares: dict[float, float] = {}
    for column in columns:
        values, share = value_shares(column)
        for value in np.flatnonzero(share >= least):
            shares[float(values[value])] = max(shares.get(float(values[value]), 0.0), float(share[value]))
    frequent = np.array(sorted(sorted(shares, key=lambda v: (-shares[v], v))[: 2 * bins]))
    pooled = np.concatenate(columns)
    rest = pooled[~np.isnan(pooled)]
    if len(frequent) and len(rest):
        rest = rest[~_same(frequent[np.minimum(np.searchsorted(frequent, rest), len(frequent) - 1)], rest)]
    if not len(rest):
        return Code(frequent, np.empty(0))
    return Code(frequent, np.unique(np.quantile(rest, np.linspace(0, 1, bins + 1)[1:-1])))


def _same(atoms: Floats, values: Column) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether values are the atoms but for the last digits, which a unit change may cost."""
    return np.asarray(np.abs(atoms - values) <= 1e-9 * np.maximum(np.abs(atoms), 1e-300), dtype=np.bool_)


def value_shares(column: Column) -> tuple[Column, Floats]:
    """The distinct values that aren't null, in order, and the share of all rows that each has."""
    if is_number(column):
        values, count = np.unique(column[~np.isnan(column.astype(np.float64))], return_counts=True)
        return values.astype(np.float64), count / max(1, len(column))
    tally = Counter(column.tolist())
    names = sorted(value for value in tally if value is not None)
    found: Texts = np.array(names, dtype=object)
    return found, np.array([tally[name] for name in names]) / max(1, len(column))


def null_rows(column: Column) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which rows (n,) have no value."""
    if is_number(column):
        return np.isnan(column.astype(np.float64))
    return np.array([value is None for value in column], dtype=np.bool_)


def counts(x: Ints, z: Ints, shape: tuple[int, int]) -> Floats:
    """How many rows have each pair of codes: (z, x)."""
    flat = np.bincount(z * shape[1] + x, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64)


def grouped_counts(group: Ints, x: Ints, z: Ints, shape: tuple[int, int, int]) -> Floats:
    """The same within each group: (group, z, x)."""
    flat = np.bincount((group * shape[1] + z) * shape[2] + x, minlength=int(np.prod(shape)))
    return flat.reshape(shape).astype(np.float64)
