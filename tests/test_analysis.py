"""Step 5 over two windows: from coded rows to slices and their SQL, and from confusion counts to what moved."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.engine import CodedSample
from mortis.engine.dataset import OUTCOMES, Condition, Judgement
from mortis.errors.analysis import as_sql, conditions_of, confusion_cells, search_slices, slice_record
from mortis.errors.examples import fulfils
from mortis.profiles import Tally
from mortis.records import Rate, Window

NAMES = OUTCOMES["binary"]
ACCURACY = Judgement("binary", ("fp", "fn"), ("tn", "fp", "fn", "tp"))
PRECISION = Judgement("binary", ("fp",), ("fp", "tp"))
SITES = ("a", "b", "c")


def sample(rng: np.random.Generator, rows: int, *, hit: float) -> CodedSample:
    """Rows of three sites with a tenth of errors, and the given rate at site b."""
    codes = rng.integers(0, 3, (rows, 1)).astype(np.uint8)
    wrong = rng.random(rows) < np.where(codes[:, 0] == 1, hit, 0.1)
    positive = rng.random(rows) < 0.5
    outcome = np.where(positive, np.where(wrong, NAMES.index("fp"), NAMES.index("tp")), np.where(wrong, 2, 0))
    return CodedSample(
        columns=("site",),
        codes=codes,
        names=(SITES,),
        conditions=(tuple(Condition("site", value=site) for site in SITES),),
        outcome=outcome.astype(np.int8),
        half=rng.random(rows) < 0.5,
        exact=True,
    )


def test_the_planted_slice_is_found_and_its_condition_known(rng):
    before, after = sample(rng, 4000, hit=0.1), sample(rng, 2000, hit=0.6)
    report = search_slices((before, after), ACCURACY)
    assert report is not None
    assert report.slices[0].conditions == (("site", "b"),)
    assert conditions_of(report.slices[0].conditions, after) == (Condition("site", value="b"),)


@pytest.mark.parametrize("judgement", [ACCURACY, PRECISION])
def test_only_rows_the_metric_is_about_are_counted(rng, judgement):
    """Precision's slices hold predicted positives alone."""
    before, after = sample(rng, 4000, hit=0.1), sample(rng, 2000, hit=0.6)
    report = search_slices((before, after), judgement)
    assert report is not None
    among = np.isin(after.outcome, [NAMES.index(outcome) for outcome in judgement.among])
    assert report.slices[0].incident.n == int((among & (after.codes[:, 0] == 1)).sum())


def test_too_few_rows_are_not_searched(rng):
    assert search_slices((sample(rng, 4000, hit=0.1), sample(rng, 15, hit=0.6)), ACCURACY) is None


def test_a_slice_contributes_all_at_most(rng):
    """Where errors became fewer elsewhere, a slice's excess is more than the whole: all is what it is called."""
    before, after = sample(rng, 4000, hit=0.1), sample(rng, 4000, hit=0.9)
    calm = np.where((after.codes[:, 0] != 1) & np.isin(after.outcome, (1, 2)), 0, after.outcome).astype(np.int8)
    better = CodedSample(after.columns, after.codes, after.names, after.conditions, calm, after.half, exact=True)
    report = search_slices((before, better), ACCURACY)
    assert report is not None
    found = report.slices[0]
    assert found.contribution > 1
    record = slice_record(found, [Condition("site", value="b")], (Rate(130, 1300), Rate(1200, 1300)))
    assert record.contribution == 1


texts = st.text(alphabet="ab'\"; é", max_size=4)
conditions = st.one_of(
    st.builds(Condition, st.just("number"), low=st.one_of(st.none(), st.floats(-3, 3)), high=st.floats(-3, 3)),
    st.builds(Condition, st.just("number"), is_null=st.just(value=True)),
    st.builds(Condition, st.just("te xt"), value=texts),
    st.builds(Condition, st.just("te xt"), none_of=st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(Condition, st.just("te xt"), is_null=st.just(value=True)),
)


@given(
    conditions,
    st.lists(st.tuples(st.one_of(st.none(), st.floats(-3, 3)), st.one_of(st.none(), texts)), min_size=1, max_size=12),
)
def test_the_sql_of_a_condition_keeps_the_rows_that_fulfil_it(condition, drawn):
    """What the report prints can be run on the log and gives the same rows, whatever quotes names and values hold."""
    rows = [{"number": number, "te xt": text} for number, text in drawn]
    kind = pa.schema([("number", pa.float64()), ("te xt", pa.string())])
    table = pa.Table.from_pylist(rows, schema=kind)
    # The report rounds bounds to ten digits, which a value may lie within.
    near = [
        bound is not None and row["number"] is not None and 0 < abs(row["number"] - bound) < 1e-6
        for row in rows
        for bound in (condition.low, condition.high)
    ]
    if any(near):
        return
    with duckdb.connect() as con:
        con.register("log", table)
        (count,) = con.execute(f"SELECT count(*) FROM log WHERE {as_sql(condition)}").fetchone() or (None,)
    assert count == sum(fulfils(row, condition) for row in rows)


def window(first: int, end: int) -> Window:
    return Window(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(end, UTC))


def test_confusion_moves_are_told_largest_first():
    """Pairs of label and prediction by how much their share of the labelled rows changed."""
    tally = Tally.of(
        {
            (0, ""): {"a\ta": 90.0, "a\tb": 10.0, "b\tb": 100.0},
            (60, ""): {"a\ta": 50.0, "a\tb": 50.0, "b\tb": 95.0, "b\ta": 5.0},
        }
    )
    cells = confusion_cells(tally, window(0, 60), window(60, 120))
    assert [(one.label, one.prediction) for one in cells[:2]] in ([("a", "a"), ("a", "b")], [("a", "b"), ("a", "a")])
    assert (cells[0].baseline + cells[1].baseline, cells[0].incident + cells[1].incident) == (100, 100)
    sizes = [abs(one.change.value) for one in cells]
    assert sizes == sorted(sizes, reverse=True)


def test_confusion_of_an_empty_window_is_empty():
    tally = Tally.of({(0, ""): {"a\ta": 90.0}})
    assert confusion_cells(tally, window(0, 60), window(60, 120)) == ()
