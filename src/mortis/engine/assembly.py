"""From an engine's small result tables to a profile; every engine ends here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mortis.engine.dataset import OUTCOMES, Dataset, Layout, NumberLayout
from mortis.profiles import NULL, CategoryProfile, Cell, Extremes, NumberProfile, Profile, Tally

if TYPE_CHECKING:
    import pyarrow as pa


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

    def column(name: str) -> Any:
        filled = table[name].combine_chunks().fill_null(0)
        return filled.to_numpy(zero_copy_only=False).astype(float)[order]

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
    return NumberProfile(cut.edges, cut.centre, Tally(cells, slots, sums), Extremes(cells, low, high))


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
    sums = {(row["bucket"], row["version"]): {c: float(row[c] or 0) for c in named} for row in table.to_pylist()}
    return Tally.of(sums), Tally()


def _add(sums: dict[Cell, dict[str, float]], cell: Cell, figures: Iterable[tuple[str, float | None]]) -> None:
    own = sums.setdefault(cell, {})
    for slot, figure in figures:
        own[slot] = own.get(slot, 0.0) + float(figure or 0.0)


def _binary(table: pa.Table) -> Tally:
    sums: dict[Cell, dict[str, float]] = {}
    names = {(0, 0): "tn", (0, 1): "fp", (1, 0): "fn", (1, 1): "tp"}
    for row in table.to_pylist():
        cell = (row["bucket"], row["version"])
        _add(sums, cell, [(slot, row[slot]) for slot in ("rows", "unserved", "failures")])
        if row["y"] is None:
            continue
        if row["p"] is not None:
            _add(sums, cell, [("labelled", row["rows"]), (names[row["y"], row["p"]], row["rows"])])
        if row["bin"] is not None:
            at, scored = row["tenth"], row["scored"]
            _add(
                sums,
                cell,
                [
                    (f"score{row['y']}:{row['bin']}", scored),
                    ("scored", scored),
                    ("log_loss", row["log_loss"]),
                    ("brier", row["brier"]),
                    (f"calibration_n:{at}", scored),
                    (f"calibration_score:{at}", row["score"]),
                    (f"calibration_positive:{at}", scored * row["y"]),
                ],
            )
    return Tally.of(sums)


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
