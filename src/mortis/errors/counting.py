"""Exact counts of every conjunction of column values, by few passes over coded rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.uint8] | NDArray[np.uint16]
Condition = tuple[int, int]
"""A column's index and a code in it."""

BASELINE_N, BASELINE_ERRORS, INCIDENT_N, INCIDENT_ERRORS = range(4)
CUBE_CELLS = 1 << 16  # cells of one cube of counts: 0.5 MiB stays in a core's cache; larger ones are slower
DENSE_CELLS = 1 << 22  # one table alone may be larger; beyond that only cells that occur are kept


@dataclass(frozen=True, slots=True)
class CodedRows:
    """One window's rows: per column a code into its values, `errors` among `n` predictions, and the search half.

    `codes` is (rows, columns), uint8 or uint16; `values[c][k]` is the label of code k in column c. A row may stand for
    one prediction (n = 1) or for many that were counted beforehand. `search` marks the rows that the search may see;
    the others confirm. None means that there is no second half.
    """

    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: CodeArray
    n: IntArray
    errors: IntArray
    search: BoolArray | None = None

    def __post_init__(self) -> None:
        rows = self.n.shape[0]
        if len(self.values) != len(self.columns):
            raise ValueError(f"{len(self.columns)} columns need as many lists of values; got {len(self.values)}")
        if self.codes.shape != (rows, len(self.columns)):
            raise ValueError(f"codes must be {(rows, len(self.columns))} (rows, columns); got {self.codes.shape}")
        if self.errors.shape != (rows,) or (self.search is not None and self.search.shape != (rows,)):
            raise ValueError(f"n, errors and search must hold one entry for each of the {rows} rows")
        if bool(np.any(self.errors < 0)) or bool(np.any(self.errors > self.n)):
            raise ValueError("errors must lie in 0..n in every row")
        for index, (name, labels) in enumerate(zip(self.columns, self.values, strict=True)):
            if rows and int(self.codes[:, index].max()) >= len(labels):
                raise ValueError(f"column {name!r} has codes beyond its {len(labels)} values")


@dataclass(frozen=True, slots=True)
class Tally:
    """Something counted over rows: each column's codes, and what each row weighs (None: one)."""

    codes: tuple[CodeArray, ...]
    weights: FloatArray | None
    rows: int

    @property
    def total(self) -> float:
        """The sum of the weights."""
        return float(self.rows) if self.weights is None else float(self.weights.sum())

    def matching(self, conditions: Sequence[Condition]) -> BoolArray:
        """Which rows meet every condition."""
        met = np.ones(self.rows, dtype=np.bool_)
        for column, code in conditions:
            met &= self.codes[column] == code
        return met

    def sum_where(self, rows: BoolArray) -> float:
        """The weight of the rows marked."""
        return float(np.count_nonzero(rows)) if self.weights is None else float(self.weights[rows].sum())

    def keep(self, rows: BoolArray) -> Tally:
        """The rows marked, alone."""
        at = np.flatnonzero(rows)
        weights = None if self.weights is None else self.weights[at]
        return Tally(tuple(codes.take(at) for codes in self.codes), weights, at.size)


@dataclass(frozen=True, slots=True)
class Tallies:
    """Predictions and errors of both windows, in the order of BASELINE_N ... INCIDENT_ERRORS."""

    parts: tuple[Tally, Tally, Tally, Tally]

    def totals(self) -> FloatArray:
        """The four sums over all rows, (4,)."""
        return np.array([part.total for part in self.parts])

    def of(self, conditions: Sequence[Condition]) -> FloatArray:
        """The four sums over the rows that meet every condition, (4,)."""
        return np.array([part.sum_where(part.matching(conditions)) for part in self.parts])

    def without(self, conditions: Sequence[Condition]) -> Tallies:
        """What is left when the rows that meet every condition are taken out."""
        a, b, c, d = (part.keep(~part.matching(conditions)) for part in self.parts)
        return Tallies((a, b, c, d))


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts of some slices of the same columns: their codes (cells, columns) and the four sums (4, cells)."""

    columns: tuple[int, ...]
    codes: IntArray
    counts: FloatArray


@dataclass(frozen=True, slots=True)
class _Group:
    """Columns counted in one cube, and the combinations of them that are read off its margins."""

    columns: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]


def tallies_of(baseline: CodedRows, incident: CodedRows, *, half: bool | None = None) -> Tallies:
    """The four tallies of two windows: of the search half (True), of the confirming one (False), or of all rows (None).

    >>> rows = CodedRows(("site",), (("a", "b"),), np.array([[0], [1]], np.uint8), np.array([5, 7]), np.array([1, 0]))
    >>> tallies_of(rows, rows).totals().tolist()
    [12.0, 1.0, 12.0, 1.0]
    """
    b, i = (_window(rows, half=half) for rows in (baseline, incident))
    return Tallies((b[0], b[1], i[0], i[1]))


def count_slices(tallies: Tallies, *, max_conditions: int, min_errors: float) -> Iterator[Cells]:
    """The counts of every slice of 1..max_conditions conditions that holds at least `min_errors` incident errors.

    Nothing is approximated: a slice holds no more errors than each of its conditions alone, so values with fewer are
    put together, and tables of errors, which are cheap to count, decide where the predictions are counted at all.
    One column always comes whole in one `Cells`. Several combinations of columns are read off the margins of one cube.

    >>> rows = CodedRows(("site",), (("a", "b"),), np.array([[0], [1]], np.uint8), np.array([5, 7]), np.array([1, 0]))
    >>> [
    ...     (c.columns, c.codes.tolist(), c.counts[:, 0].tolist())
    ...     for c in count_slices(tallies_of(rows, rows), max_conditions=3, min_errors=1)
    ... ]
    [((0,), [[0]], [5.0, 1.0, 5.0, 1.0])]

    Source: the cube and its margins, Gray et al. (1997), "Data Cube"; the bound, Agrawal and Srikant (1994).
    """
    min_errors = max(min_errors, 1.0)
    kept = _values_kept(tallies.parts[INCIDENT_ERRORS], min_errors)
    columns = tuple(column for column, codes in enumerate(kept) if codes.size)
    if not columns:
        return
    sizes = {column: kept[column].size + 1 for column in columns}
    recoded = [_recode(part, kept) for part in tallies.parts]
    for group in _plan(columns, sizes, max_conditions):
        for cells in _count_group(recoded, group, sizes, min_errors):
            codes = np.stack([kept[c][cells.codes[:, k]] for k, c in enumerate(cells.columns)], axis=1)
            yield Cells(cells.columns, codes, cells.counts)


def distinct_slices(sizes: Sequence[int], max_conditions: int) -> int:
    """How many slices of 1..max_conditions conditions there are for columns of these numbers of values.

    >>> distinct_slices([10] * 20, 3)
    1159200
    """
    sums = [1] + [0] * max_conditions
    for size in sizes:
        for k in range(max_conditions, 0, -1):
            sums[k] += sums[k - 1] * size
    return sum(sums[1:])


def values_seen(tally: Tally) -> list[int]:
    """How many different values each column has."""
    return [int(np.count_nonzero(np.bincount(codes))) for codes in tally.codes]


def _window(rows: CodedRows, *, half: bool | None) -> tuple[Tally, Tally]:
    """A window's predictions and errors, rows of weight 0 left out."""
    wanted = rows.n > 0
    if half is not None and rows.search is not None:
        wanted &= rows.search == half
    return _tally(rows.codes, rows.n, wanted), _tally(rows.codes, rows.errors, wanted & (rows.errors > 0))


def _tally(codes: CodeArray, weights: IntArray, wanted: BoolArray) -> Tally:
    at = np.flatnonzero(wanted)  # rows are taken by their places several times as fast as by a mask
    chosen = weights[at]
    ones = bool(np.all(chosen == 1))
    kept = tuple(codes[:, column].take(at) for column in range(codes.shape[1]))
    return Tally(kept, None if ones else chosen.astype(np.float64), int(chosen.size))


def _values_kept(errors: Tally, min_errors: float) -> list[IntArray]:
    """Per column the codes that hold enough errors for a slice of them to hold enough."""
    return [
        np.flatnonzero(np.bincount(codes, weights=errors.weights) >= min_errors).astype(np.int64)
        for codes in errors.codes
    ]


def _recode(tally: Tally, kept: Sequence[IntArray]) -> Tally:
    """The same rows with kept values numbered from 0 and all others sharing the number after the last."""
    recoded: list[CodeArray] = []
    for codes, values in zip(tally.codes, kept, strict=True):
        table = np.full(int(np.iinfo(codes.dtype).max) + 1, values.size, dtype=np.uint16)
        table[values] = np.arange(values.size, dtype=np.uint16)
        recoded.append(table[codes] if values.size > 254 else table.astype(np.uint8)[codes])
    return Tally(tuple(recoded), tally.weights, tally.rows)


def _plan(columns: tuple[int, ...], sizes: dict[int, int], max_conditions: int) -> list[_Group]:
    """Groups of columns such that every combination of up to `max_conditions` is read off exactly one of them."""
    order = min(max_conditions, len(columns))
    waiting = {combo for k in range(1, order + 1) for combo in combinations(columns, k)}
    uncovered = np.zeros((max(columns) + 1,) * 3, dtype=np.bool_)
    for triple in combinations(columns, 3):
        _mark(uncovered, triple, covered=order < 3)
    groups: list[_Group] = []
    for combo in sorted(waiting, key=lambda c: (-len(c), c)):
        if combo not in waiting:
            continue
        chosen = _widen(combo, columns, sizes, uncovered) if len(combo) == 3 else combo
        smaller = range(order, 0, -1) if _cells(chosen, sizes) <= DENSE_CELLS else (len(combo),)
        members = [member for k in smaller for member in combinations(chosen, k) if member in waiting]
        waiting.difference_update(members)
        for member in members:
            if len(member) == 3:
                _mark(uncovered, member, covered=True)
        groups.append(_Group(chosen, tuple(members)))
    return groups


def _widen(
    combo: tuple[int, ...], columns: tuple[int, ...], sizes: dict[int, int], uncovered: BoolArray
) -> tuple[int, ...]:
    """Three columns and as many more as fit into a cube, each the one that covers the most triples not yet covered."""
    chosen = combo
    while True:
        room = min(CUBE_CELLS, DENSE_CELLS) // _cells(chosen, sizes)
        gain = np.sum([uncovered[pair] for pair in combinations(chosen, 2)], axis=0)
        fitting = [c for c in columns if c not in chosen and sizes[c] <= room and gain[c] > 0]
        if not fitting:
            return chosen
        best = max(fitting, key=lambda c: (int(gain[c]), -c))
        chosen = tuple(sorted((*chosen, best)))


def _mark(uncovered: BoolArray, triple: tuple[int, ...], *, covered: bool) -> None:
    for order in permutations(triple):
        uncovered[order] = not covered


def _cells(columns: Sequence[int], sizes: dict[int, int]) -> int:
    return math.prod(sizes[column] for column in columns)


def _count_group(parts: list[Tally], group: _Group, sizes: dict[int, int], min_errors: float) -> Iterator[Cells]:
    """The slices of a group's members with enough errors; predictions are counted only where there is one."""
    if _cells(group.columns, sizes) > DENSE_CELLS:
        yield from _count_sparse(parts, group.columns, sizes, min_errors)
        return
    shape = tuple(sizes[column] for column in group.columns)
    errors = _margins(_cube(parts[INCIDENT_ERRORS], group.columns, shape), group)
    wanted = {member: _enough(table, min_errors) for member, table in errors.items()}
    if not any(cells.size for cells in wanted.values()):
        return
    others = [_margins(_cube(part, group.columns, shape), group) for part in parts[:INCIDENT_ERRORS]]
    for member, cells in wanted.items():
        if cells.size:
            counts = np.stack([tables[member].ravel()[cells] for tables in (*others, errors)])
            codes = np.stack(np.unravel_index(cells, errors[member].shape), axis=1).astype(np.int64)
            yield Cells(member, codes, counts)


def _enough(table: FloatArray, min_errors: float) -> IntArray:
    """Cells with enough errors, those left out that hold a column's values put together (its last code)."""
    named = table[tuple(slice(0, -1) for _ in table.shape)]
    found = np.nonzero(named >= min_errors)
    return np.ravel_multi_index(found, table.shape).astype(np.int64)


def _cube(tally: Tally, columns: tuple[int, ...], shape: tuple[int, ...]) -> FloatArray:
    """The weight in every cell of some columns, shaped by their sizes."""
    counted = np.bincount(_keys(tally, columns, shape), weights=tally.weights, minlength=math.prod(shape))
    return counted.astype(np.float64, copy=False).reshape(shape)


def _keys(tally: Tally, columns: tuple[int, ...], shape: tuple[int, ...]) -> IntArray:
    """Each row's cell as one number: the codes as digits of a number in mixed radix."""
    keys = tally.codes[columns[0]].astype(np.int64)
    for column, size in zip(columns[1:], shape[1:], strict=True):
        keys *= size
        keys += tally.codes[column]
    return keys


def _margins(cube: FloatArray, group: _Group) -> dict[tuple[int, ...], FloatArray]:
    """Every member's table, columns summed out one at a time so that tables share the work.

    The first go first: NumPy adds up whole blocks along an early axis, and single numbers along the last.
    """
    known = {group.columns: cube}

    def table(columns: tuple[int, ...]) -> FloatArray:
        if columns not in known:
            spare = next(c for c in reversed(group.columns) if c not in columns)
            wider = tuple(sorted((*columns, spare)))
            known[columns] = table(wider).sum(axis=wider.index(spare))
        return known[columns]

    return {member: table(member) for member in group.members}


def _count_sparse(
    parts: list[Tally], columns: tuple[int, ...], sizes: dict[int, int], min_errors: float
) -> Iterator[Cells]:
    """The same for a table too large to lay out: only cells in which errors occur are kept."""
    shape = tuple(sizes[column] for column in columns)
    errors = parts[INCIDENT_ERRORS]
    cells, row_cells = np.unique(_keys(errors, columns, shape), return_inverse=True)
    counted = np.bincount(row_cells, weights=errors.weights)
    codes = np.stack(np.unravel_index(cells, shape), axis=1).astype(np.int64)
    named = np.all(codes < np.array(shape) - 1, axis=1) & (counted >= min_errors)
    if not named.any():
        return
    cells, codes = cells[named], codes[named]
    counts = [_sums_at(part, _keys(part, columns, shape), cells) for part in parts]
    yield Cells(columns, codes, np.stack(counts))


def _sums_at(tally: Tally, keys: IntArray, cells: IntArray) -> FloatArray:
    """The weight of the rows in each of some cells, given in ascending order."""
    at = np.minimum(np.searchsorted(cells, keys), cells.size - 1)
    found = cells[at] == keys
    weights = None if tally.weights is None else tally.weights[found]
    return np.bincount(at[found], weights=weights, minlength=cells.size).astype(np.float64, copy=False)
