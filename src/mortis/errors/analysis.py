"""Step 5 over two windows: from coded rows to slices with their conditions, and from confusion counts to what moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mortis.engine import CodedSample
from mortis.engine.dataset import OUTCOMES, Condition, Judgement
from mortis.errors.confusion import confusion_shift
from mortis.errors.counting import CodedRows
from mortis.errors.slices import FoundSlice, Named, SliceReport, find_slices
from mortis.intervals import newcombe
from mortis.profiles import Tally
from mortis.records import ConfusionCell, Example, Rate, Slice, Window

MOST_CONFUSION_CELLS = 8
FEWEST_ROWS_A_WINDOW = 20
MOST_COLUMNS_IN_TRIPLES = 80


def search_slices(samples: Sequence[CodedSample], judgement: Judgement) -> SliceReport | None:
    """The slices in which errors rose between two windows' coded rows; None where a window has too few to search."""
    before, after = (_coded_rows(sample, judgement) for sample in samples)
    if min(len(before.n), len(after.n)) < FEWEST_ROWS_A_WINDOW or not before.columns:
        return None
    return find_slices(before, after, max_conditions=most_conditions(len(before.columns)))


def most_conditions(columns: int) -> int:
    """The most conditions of a slice that are searched: three, or two where the triples of columns are too many.

    >>> most_conditions(30), most_conditions(200)
    (3, 2)
    """
    return 3 if columns <= MOST_COLUMNS_IN_TRIPLES else 2


def _coded_rows(sample: CodedSample, judgement: Judgement) -> CodedRows:
    """The rows that the metric is about, with an error as 1, and the half of them that is searched."""
    names = OUTCOMES[judgement.by]
    among = np.isin(sample.outcome, [names.index(outcome) for outcome in judgement.among])
    wrong = np.isin(sample.outcome, [names.index(outcome) for outcome in judgement.errors])
    codes = sample.codes[among]
    return CodedRows(
        columns=sample.columns,
        values=sample.names,
        codes=np.asfortranarray(codes),
        n=np.ones(len(codes), dtype=np.int64),
        errors=wrong[among].astype(np.int64),
        search=sample.half[among],
    )


def conditions_of(named: Named, sample: CodedSample) -> tuple[Condition, ...]:
    """What an engine must test for a slice's named conditions, each a column with the name of one of its codes."""
    places = {column: i for i, column in enumerate(sample.columns)}
    return tuple(
        sample.conditions[places[column]][sample.names[places[column]].index(value)] for column, value in named
    )


def slice_record(
    found: FoundSlice, conditions: Sequence[Condition], rates: Sequence[Rate], *, examples: Sequence[Example] = ()
) -> Slice:
    """A found slice as the document shows it; `rates` are its exact counts in the baseline and in the incident.

    Its contribution is 1 at most: where errors became fewer elsewhere, the slice's own excess is more than all of it.
    """
    before, after = rates
    change = newcombe(before, after) if before.n and after.n else found.change
    return Slice(
        conditions=dict(found.conditions),
        query=" AND ".join(as_sql(one) for one in conditions),
        baseline=before,
        incident=after,
        change=change,
        contribution=min(found.contribution, 1.0),
        score=found.score,
        q=found.q,
        held_out=bool(found.held_out),
        aliases=tuple(" and ".join(f"{column} {value}" for column, value in alias) for alias in found.aliases),
        examples=tuple(examples),
    )


def as_sql(condition: Condition) -> str:
    r"""The condition as SQL that anyone can run on the prediction log.

    >>> as_sql(Condition("origin", value="EWR")), as_sql(Condition("delay", low=60.0))
    ('"origin" = \'EWR\'', '"delay" >= 60')
    """
    column = '"' + condition.column.replace('"', '""') + '"'
    if condition.is_null:
        return f"{column} IS NULL"
    if condition.value is not None:
        return f"{column} = {_literal(condition.value)}"
    if condition.none_of:
        return f"{column} NOT IN ({', '.join(_literal(value) for value in condition.none_of)})"
    bounds = [(">=", condition.low), ("<", condition.high)]
    tests = [f"{column} {sign} {_exact(bound)}" for sign, bound in bounds if bound is not None]
    return " AND ".join(tests) or f"{column} IS NOT NULL"


def _exact(bound: float) -> str:
    """The bound in few digits, or in all of them where few would move it."""
    short = f"{bound:.10g}"
    return short if float(short) == bound else repr(bound)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def confusion_cells(confusion: Tally, baseline: Window, incident: Window) -> tuple[ConfusionCell, ...]:
    """The label→prediction pairs whose share of the rows changed most, either way; empty without both windows.

    `confusion` counts rows by (bucket, version), its slots are LABEL, a tab, PREDICTION.
    """
    before, after = (_confusion_in(confusion, window) for window in (baseline, incident))
    classes = sorted({part for pair in (*before, *after) for part in pair})
    if not before or not after:
        return ()
    tables = [np.array([[counts.get((i, j), 0) for j in classes] for i in classes]) for counts in (before, after)]
    shifts = confusion_shift(tables[0], tables[1], classes)
    largest = sorted(shifts, key=lambda shift: -abs(shift.change.value))[:MOST_CONFUSION_CELLS]
    return tuple(
        ConfusionCell(one.label, one.prediction, one.baseline.errors, one.incident.errors, one.change)
        for one in largest
        if one.baseline.errors or one.incident.errors
    )


def _confusion_in(confusion: Tally, window: Window) -> dict[tuple[str, str], int]:
    total = confusion.within(window).total()
    pairs = {slot: slot.split("\t", 1) for slot in total}
    return {(label, prediction): int(total[slot]) for slot, (label, prediction) in pairs.items()}
