"""From an engine's small result tables to a profile; every engine ends here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mortis.engine.dataset import OUTCOMES, Dataset, Layout, NumberLayout
from mortis.profiles import NULL, CategoryProfile, Cell, DistinctSketch, Extremes, Floats, NumberProfile, Profile, Tally

if TYPE_CHECKING:
    import pyarrow as pa

Mask = npt.NDArray[np.bool_]
EVERY_ROW: Mask = np.ones((), dtype=np.bool_)


def assemble_profile(
    dataset: Dataset,
    layout: Layout,
    *,
    numbers: pa.Table,
    categories: dict[str, pa.Table],
    quality: pa.Table,
    classes: dict[str, pa.Table],
) -> Profile:
    """The profile that the pass's result tables add up to."""
    outcomes = OUTCOMES[dataset.judgement.by]
    figures, confusion = _quality(dataset, quality)
    for label, table in classes.items():
        figures = figures + _class_scores(table, label)
    return Profile(
        width=dataset.width,
        rows=int(figures.column("rows").sum()),
        quality=figures,
        confusion=confusion,
        numbers=_numbers(numbers, layout, outcomes),
        categories={name: _category(table, outcomes) for name, table in categories.items()},
        outcomes=_outcomes(numbers, outcomes),
    )


def assemble_columns(layout: Layout, numbers: pa.Table, categories: dict[str, pa.Table]) -> Profile:
    """The profile of a table without outcomes, in one bucket."""
    outcomes = ("rows",)
    cell = (0, "", *outcomes)
    counted = {
        name: dict(zip(table["named"].to_pylist(), table["rows"].to_pylist(), strict=True))
        for name, table in categories.items()
    }
    named = {name: CategoryProfile(Tally.of({cell: values})) for name, values in counted.items()}
    rows = sum(numbers["rows"].to_pylist())
    return Profile(rows=rows, numbers=_numbers(numbers, layout, outcomes), categories=named)


def _numbers(table: pa.Table, layout: Layout, outcomes: Sequence[str]) -> dict[str, NumberProfile]:
    cells: list[Cell] = list(
        zip(
            table["bucket"].to_pylist(),
            table["version"].to_pylist(),
            (outcomes[code] for code in table["outcome"].to_pylist()),
            strict=True,
        )
    )
    order = sorted(range(len(cells)), key=cells.__getitem__)
    sorted_cells = tuple(cells[i] for i in order)

    def column(name: str, kind: str = "float64") -> Any:
        filled = table[name].combine_chunks().fill_null(0)
        return filled.to_numpy(zero_copy_only=False).astype(kind)[order]

    rows = column("rows")
    return {name: _number(sorted_cells, cut, i, column, rows) for i, (name, cut) in enumerate(layout.numbers.items())}


def _number(cells: tuple[Cell, ...], cut: NumberLayout, i: int, column: Any, rows: Any) -> NumberProfile:
    known = column(f"{i}_n")
    below = np.stack([np.zeros_like(known), *(column(f"{i}_below_{j}") for j in range(len(cut.edges))), known])
    bins = np.diff(below, axis=0).T
    sums = np.column_stack([bins, rows - known, column(f"{i}_sum"), column(f"{i}_square")])
    slots = (*(f"bin:{j}" for j in range(bins.shape[1])), "nulls", "sum", "square")
    low = np.where(known > 0, column(f"{i}_low"), np.inf)
    high = np.where(known > 0, column(f"{i}_high"), -np.inf)
    sketch = DistinctSketch()
    if cut.sketched:
        sketch = DistinctSketch(cells, tuple(column(f"{i}_places", kind="int64").tolist()))
    return NumberProfile(cut.edges, cut.centre, Tally(cells, slots, sums), Extremes(cells, low, high), sketch)


def _outcomes(table: pa.Table, outcomes: Sequence[str]) -> Tally:
    sums: dict[Cell, dict[str, float]] = {}
    for row in table.select(["bucket", "version", "outcome", "rows"]).to_pylist():
        sums.setdefault((row["bucket"], row["version"]), {})[outcomes[row["outcome"]]] = row["rows"]
    return Tally.of(sums)


def _category(table: pa.Table, outcomes: Sequence[str]) -> CategoryProfile:
    sums: dict[Cell, dict[str, float]] = {}
    distinct = 0
    for row in table.to_pylist():
        cell = (row["bucket"], row["version"], outcomes[row["outcome"]])
        sums.setdefault(cell, {})[row["named"]] = row["rows"]
        distinct = row["all_values"]
    has_null = any(NULL in values for values in sums.values())
    return CategoryProfile(Tally.of(sums), distinct - has_null)


def _quality(dataset: Dataset, table: pa.Table) -> tuple[Tally, Tally]:
    """The quality figures by (bucket, version), and the label→prediction counts where there are classes."""
    if dataset.task == "binary":
        return _binary(table), _confusion(table)
    if dataset.task == "multiclass":
        return _multiclass(table), _confusion(table)
    named = [c for c in table.column_names if c not in ("bucket", "version")]
    sums: dict[Cell, dict[str, float]] = {
        (row["bucket"], row["version"]): {c: float(row[c] or 0) for c in named} for row in table.to_pylist()
    }
    return Tally.of(sums), Tally()


def _add(sums: dict[Cell, dict[str, float]], cell: Cell, figures: Iterable[tuple[str, float | None]]) -> None:
    own = sums.setdefault(cell, {})
    for slot, figure in figures:
        own[slot] = own.get(slot, 0.0) + float(figure or 0.0)


class _Scatter:
    """Adds figures up by cell and slot, a whole column at a time: many versions and scores make many rows here."""

    def __init__(self, table: pa.Table) -> None:
        keys = list(zip(table["bucket"].to_pylist(), table["version"].to_pylist(), strict=True))
        self._cells = tuple(sorted(set(keys)))
        place = {cell: i for i, cell in enumerate(self._cells)}
        self._row = np.array([place[key] for key in keys], dtype=np.intp)
        self._sums: dict[str, Floats] = {}

    def add(self, slot: str, figures: Floats, where: Mask = EVERY_ROW) -> None:
        """Add the figures of the rows where a condition holds to one slot."""
        chosen = np.broadcast_to(where, self._row.shape)
        own = self._sums.setdefault(slot, np.zeros(len(self._cells)))
        own += np.bincount(self._row[chosen], figures[chosen], len(self._cells))

    def add_by(self, prefix: str, number: Floats, figures: Floats, where: Mask) -> None:
        """Add the figures to the slots `prefix` + number, row by row its own."""
        for one in np.unique(number[where]):
            self.add(f"{prefix}{int(one)}", figures, where & (number == one))

    def tally(self) -> Tally:
        """What was added."""
        values = np.column_stack(list(self._sums.values())) if self._sums else np.zeros((len(self._cells), 0))
        return Tally(self._cells, tuple(self._sums), values)


def _binary(table: pa.Table) -> Tally:
    def column(name: str) -> Floats:
        return np.asarray(table[name].cast("float64").to_numpy(zero_copy_only=False), dtype=float)

    rows, y, p, at = column("rows"), column("y"), column("p"), column("bin")
    labelled, predicted, known = np.isfinite(y), np.isfinite(p), np.isfinite(y) & np.isfinite(at)
    sums = _Scatter(table)
    for slot in ("rows", "unserved", "failures"):
        sums.add(slot, np.nan_to_num(column(slot)))
    sums.add("predicted", rows, predicted)
    sums.add("positives", rows, predicted & (p == 1))
    sums.add("labelled", rows, labelled & predicted)
    for slot, label, prediction in (("tn", 0, 0), ("fp", 0, 1), ("fn", 1, 0), ("tp", 1, 1)):
        sums.add(slot, rows, (y == label) & (p == prediction))
    scored, tenth = column("scored"), column("tenth")
    for slot in ("scored", "log_loss", "brier"):
        sums.add(slot, np.nan_to_num(column(slot)), known)
    for label in (0, 1):
        sums.add_by(f"score{label}:", at, scored, known & (y == label))
    sums.add_by("calibration_n:", tenth, scored, known)
    sums.add_by("calibration_score:", tenth, np.nan_to_num(column("score")), known)
    sums.add_by("calibration_positive:", tenth, scored, known & (y == 1))
    return sums.tally()


def _multiclass(table: pa.Table) -> Tally:
    sums: dict[Cell, dict[str, float]] = {}
    for row in table.to_pylist():
        cell = (row["bucket"], row["version"])
        _add(sums, cell, [(slot, row[slot]) for slot in ("rows", "unserved", "failures", "log_loss", "scored")])
        if row["y"] is None or row["p"] is None:
            continue
        pair = [(f"label={row['y']}", row["rows"]), (f"predicted={row['p']}", row["rows"])]
        right = [("right", row["rows"]), (f"right={row['y']}", row["rows"])] if row["y"] == row["p"] else []
        _add(sums, cell, [("labelled", row["rows"]), *pair, *right])
    return Tally.of(sums)


def _confusion(table: pa.Table) -> Tally:
    sums: dict[Cell, dict[str, float]] = {}
    for row in table.to_pylist():
        if row["y"] is not None and row["p"] is not None:
            _add(sums, (row["bucket"], row["version"]), [(f"{row['y']}\t{row['p']}", row["rows"])])
    return Tally.of(sums)


def _class_scores(table: pa.Table, label: str) -> Tally:
    sums: dict[Cell, dict[str, float]] = {}
    for row in table.to_pylist():
        _add(sums, (row["bucket"], row["version"]), [(f"{label}/score{row['y']}:{row['bin']}", row["rows"])])
    return Tally.of(sums)
