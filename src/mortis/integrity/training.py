"""The training table: how its schema and its features differ from the log's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mortis.integrity.drift import drift_reading
from mortis.integrity.readings import IntegrityCheck, Reading
from mortis.integrity.windows import Column, Counts, Kind, columns_of, slots_of
from mortis.profiles import NULL, OTHER, CategoryProfile, Cell, Profile, Tally
from mortis.records import Interval, Window

_NAN = float("nan")


def schema_checks(training: Mapping[str, Kind], log: Mapping[str, Kind]) -> tuple[IntegrityCheck, ...]:
    """One check for every feature that the training table and the log don't share by name and kind.

    What the log lacks and what is of another kind is flagged; what only the log has is told.

    >>> [c.statement for c in schema_checks({"age": "number"}, {"age": "category"})]
    ['age: a number in the training table, a category in the log']
    """
    found = []
    for name in sorted({*training, *log}):
        trained, logged = training.get(name), log.get(name)
        if trained == logged:
            continue
        if trained and logged:
            words = f"a {trained} in the training table, a {logged} in the log"
        else:
            words = "in the training table, not in the log" if trained else "in the log, not in the training table"
        found.append(
            IntegrityCheck(
                feature=name,
                check="schema",
                baseline=_NAN,
                incident=_NAN,
                effect=Interval(_NAN, _NAN, _NAN),
                n_baseline=0,
                n_incident=0,
                usual=None,
                q=_NAN,
                strength=1.0 if trained else 0.0,
                flagged=trained is not None,
                statement=f"{name}: {words}",
            )
        )
    return tuple(found)


def training_readings(training: Profile, log: Profile, baseline: Window) -> tuple[Reading, ...]:
    """How far each feature of the log's baseline lies from the training table, profiled under the same layout.

    The yardstick is how far halves of the baseline lie from each other. Judge the readings with `checks.judge`.

    Raises ValueError where a number was cut at other edges.
    """
    found: list[Reading] = []
    for column in columns_of(log, baseline, baseline):
        if column.name.startswith("("):
            continue
        trained = slots_of(training, column.name)
        if not trained or trained[0] != column.kind:
            continue
        if column.kind == "number" and training.numbers[column.name].edges != column.edges:
            raise ValueError(f"{column.name!r}: the training table was profiled with other edges than the log")
        found += drift_reading(
            _against(column, trained[1]), check="training drift", length=max(len(column.baseline.rows) // 2, 1)
        )
    return tuple(found)


def _against(column: Column, trained: Mapping[str, float]) -> Column:
    """The column with the training table's rows in place of the incident's, over the slots of both."""
    slots = (*column.slots[:-1], *(s for s in trained if s not in column.slots), column.slots[-1])
    wide = np.zeros((len(column.baseline.rows), len(slots)))
    wide[:, [slots.index(slot) for slot in column.slots]] = column.baseline.rows
    rows = np.array([[trained.get(slot, 0.0) for slot in slots]])
    nothing = np.zeros(0)
    return Column(
        column.name, column.kind, slots, column.edges, Counts(wide, nothing, nothing), Counts(rows, nothing, nothing)
    )


def folded(training: Profile, log: Profile) -> Profile:
    """The training table's profile with the values that the log's profile doesn't name counted as other, as it does."""
    categories = {name: _folded(one, log.categories.get(name)) for name, one in training.categories.items()}
    return replace(training, categories=categories)


def _folded(trained: CategoryProfile, logged: CategoryProfile | None) -> CategoryProfile:
    if logged is None or OTHER not in logged.sums.slots:
        return trained
    known = {*logged.sums.slots, NULL}
    sums: dict[Cell, dict[str, float]] = {}
    for cell, row in zip(trained.sums.cells, trained.sums.values.tolist(), strict=True):
        for slot, rows in zip(trained.sums.slots, row, strict=True):
            kept = sums.setdefault(cell, {})
            named = slot if slot in known else OTHER
            kept[named] = kept.get(named, 0.0) + rows
    return replace(trained, sums=Tally.of(sums))
