"""The one pass as Ibis expressions: pure builders that any backend compiles; nothing here touches a row.

Two forms are avoided for their cost on DuckDB: aggregates with FILTER, and wide UNION ALLs of group-bys. Bucket counts
come from sums of comparisons with the edges, which every backend has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from mortis.engine.dataset import LABEL, LABEL_AGE, LATENCY, OUTCOMES, PREDICTION, SCORE, Condition, Dataset, Layout
from mortis.profiles import NULL, OTHER, SKETCH_PLACES
from mortis.records import Window
from mortis.sources.times import PER_SECOND

PREDICTIONS = "mortis_predictions"
LABELS = "mortis_labels"
ROWS = "mortis_rows"
SCORE_BINS_PER_LOGIT = 8
SCORE_LOGIT_LIMIT = 12
RAW_SCORE_BINS = 64
RAW_SCORE_LIMIT = 24
CALIBRATION_BINS = 10
NAMED_CATEGORIES = 64
EXACT = 2.0**53  # up to here a double holds every whole number
MOST_VALUES = 2_000  # of a table that is read for itself: it has one bucket alone
_ROLE_COLUMNS = {SCORE: "s", PREDICTION: "p", LABEL: "y", LATENCY: "latency", LABEL_AGE: "label_age"}


@dataclass(frozen=True, slots=True)
class Functions:
    """What engines have functions of their own for, quicker than what Ibis makes of it."""

    epoch: Callable[[ir.Value], ir.IntegerValue]
    """The whole second since 1970 in which a moment lies."""
    count_if: Callable[[ir.Value], ir.IntegerValue]
    """How many rows a condition holds for."""


def canonical(
    dataset: Dataset, schema: ibis.Schema, label_schema: ibis.Schema | None, functions: Functions
) -> ir.Table:
    """The prediction log under fixed names: bucket, version, outcome, y, p, s ... and every feature as `f:NAME`."""
    roles = dataset.roles
    rows = ibis.table(schema, name=PREDICTIONS)
    rows = rows.filter(rows[roles.time].notnull())  # what has no time belongs to no bucket
    columns: dict[str, ir.Value] = {
        "moment": rows[roles.time],
        "second": seconds(rows[roles.time], dataset.time_unit, functions),
        "version": _text(rows, roles.version, default=""),
        "s": _finite(rows[roles.score]) if roles.score else ibis.null("float64"),
        "p_raw": _plain(rows[roles.prediction]) if roles.prediction else ibis.null("string"),
        "latency": _finite(rows[roles.latency_ms]) if roles.latency_ms else ibis.null("float64"),
        "failed": rows[roles.error].cast("int8") != 0 if roles.error else ibis.null("boolean"),
        "row_key": key(rows[roles.id]) if roles.id else ibis.null("string"),
        "query": _text(rows, roles.group, default=""),
    }
    columns |= {f"f:{name}": feature(rows[name]) for name in dataset.features}
    columns |= {f"c:{label}": _finite(rows[column]) for label, column in roles.class_scores.items()}
    own = _plain(rows[roles.label]) if roles.label else None
    if dataset.labels is None:
        table = rows.select(
            **columns, y_raw=ibis.null("string") if own is None else own, label_second=ibis.null("int64")
        )
    elif own is None:
        table = _with_labels(dataset, rows.select(**columns), label_schema, functions)
    else:
        joined = _with_labels(dataset, rows.select(**columns, y_own=own), label_schema, functions)
        table = joined.mutate(y_raw=_first_known(joined.y_own, joined.y_raw))
    age = (table.label_second - table.second).cast("float64") / 3600
    table = table.mutate(label_age=age)
    if dataset.label_age_hours is not None:
        young = table.label_age <= dataset.label_age_hours
        table = table.mutate(y_raw=young.ifelse(table.y_raw, ibis.null(table.y_raw.type())))
    width = dataset.width
    bucket = dataset.origin + (table.second - dataset.origin) // width * width
    table = _judged(dataset, table.mutate(bucket=bucket))
    return table.mutate(outcome=_outcome(dataset, table))


def plain(rows: ir.Table, layout: Layout) -> ir.Table:
    """A table without a log's roles as the pass takes it: one bucket, and its columns of the layout's kind."""
    names = [name for name in (*layout.numbers, *layout.categories) if name in rows.columns]
    features = {name: feature(rows[name]) for name in names}
    fitting = {f"f:{n}": one for n, one in features.items() if one.type().is_floating() == (n in layout.numbers)}
    return rows.select(bucket=ibis.literal(0, "int64"), version=ibis.literal(""), outcome=ibis.literal(0), **fitting)


def layout_of(rows: ir.Table, layout: Layout) -> Layout:
    """The layout of those features that a table in the pass's form has."""
    numbers = {name: cut for name, cut in layout.numbers.items() if f"f:{name}" in rows.columns}
    return Layout(numbers, tuple(name for name in layout.categories if f"f:{name}" in rows.columns))


def values_pass(rows: ir.Table, name: str) -> ir.Table:
    """Rows by value, `named` after the commonest 2,000 values and `(other)`."""
    value = rows[column_of(name)].fill_null(NULL)
    counts = rows.group_by(value.name("value")).aggregate(rows=rows.count())
    order = [ibis.desc(counts["rows"]), counts.value]
    ranked = counts.mutate(nth=ibis.row_number().over(order_by=order))
    named = ((ranked.nth < MOST_VALUES) | (ranked.value == NULL)).ifelse(ranked.value, OTHER)
    return ranked.group_by(named.name("named")).aggregate(rows=ranked["rows"].sum())


def _first_known(own: ir.Value, joined: ir.Value) -> ir.Value:
    """The label in the log, or else the joined one; as text where the two columns' types differ."""
    same = own.type() == joined.type() or (own.type().is_numeric() and joined.type().is_numeric())
    return ibis.coalesce(own, joined) if same else ibis.coalesce(own.cast("string"), joined.cast("string"))


def _with_labels(dataset: Dataset, rows: ir.Table, label_schema: ibis.Schema | None, functions: Functions) -> ir.Table:
    """The rows with the label that arrived first for their id: a repeated label must not multiply predictions."""
    spec = dataset.labels
    if spec is None or label_schema is None:
        raise ValueError("a join needs the label table and its schema")
    labels = ibis.table(label_schema, name=LABELS)
    arrived = seconds(labels[spec.time], spec.time_unit, functions) if spec.time else ibis.null("int64")
    plain = labels.select(label_key=key(labels[spec.id]), y_raw=_plain(labels[spec.label]), label_second=arrived)
    plain = plain.filter(plain.y_raw.notnull())
    order = [plain.label_second, plain.y_raw.cast("string")]
    first = plain.mutate(nth=ibis.row_number().over(group_by=plain.label_key, order_by=order))
    first = first.filter(first.nth == 0).drop("nth")
    return rows.left_join(first, rows.row_key == first.label_key).drop("label_key")


def seconds(column: ir.Value, unit: str, functions: Functions) -> ir.IntegerValue:
    """The whole epoch seconds, as an integer: a double as grouping key is forty times slower."""
    kind = column.type()
    if unit:
        whole = column if kind.is_integer() else column.floor().cast("int64")  # a cast alone rounds half a second up
        return whole if unit == "s" else whole // PER_SECOND[unit]
    if kind.is_string():
        column = column.cast(dt.Timestamp(timezone="UTC"))
    elif kind.is_date():
        column = column.cast("timestamp")
    return functions.epoch(column)


def inside(table: ir.Table, window: Window, unit: str) -> ir.BooleanValue:
    """Whether a row lies in the window; told by the log's own times, so that what lies outside is skipped unread."""
    moment, ends = table.moment, [int(end.timestamp()) for end in (window.start, window.end)]
    kind = moment.type()
    if unit:
        start, end = (ibis.literal(second * PER_SECOND[unit]) for second in ends)
    elif kind.is_timestamp():
        utc = dt.Timestamp(timezone="UTC" if kind.timezone else None)
        start, end = (ibis.literal(datetime.fromtimestamp(second, UTC), utc) for second in ends)
    else:
        moment, (start, end) = table.second, ends
    return (moment >= start) & (moment < end)


def _text(rows: ir.Table, name: str | None, *, default: str) -> ir.Value:
    return rows[name].cast("string").fill_null(NULL) if name else ibis.literal(default)


def _plain(column: ir.Value) -> ir.Value:
    """A label or prediction as it compares: booleans as 0 and 1, decimals as floats."""
    kind = column.type()
    if kind.is_boolean():
        return column.cast("int8")
    return column.cast("float64") if kind.is_decimal() else column


def key(column: ir.Value) -> ir.Value:
    """An id as it is joined: as text, whole numbers without decimals, as a column with nulls holds them as doubles."""
    plain = _plain(column)
    if not plain.type().is_floating():
        return plain.cast("string")
    small = plain.abs() < EXACT
    whole = small.ifelse(plain, 0.0).cast("int64")
    return (small & (whole.cast("float64") == plain)).ifelse(whole.cast("string"), plain.cast("string"))


def _finite(column: ir.Value) -> ir.Value:
    """A number as a double, with NaN and infinity as null."""
    number = column.cast("float64")
    if not column.type().is_floating():
        return number
    # One comparison tells both: databases hold NaN for the greatest number.
    return (number.abs() <= sys.float_info.max).ifelse(number, ibis.null("float64"))


def feature(column: ir.Value) -> ir.Value:
    """A feature as the pass takes it: a finite double, or text."""
    kind = column.type()
    return _finite(column) if kind.is_numeric() and not kind.is_boolean() else column.cast("string")


def _judged(dataset: Dataset, table: ir.Table) -> ir.Table:
    """The table with `y` and `p` in the task's own terms: 0/1, text classes, or numbers."""
    match dataset.task:
        case "binary":
            p = _is_positive(dataset, table.p_raw) if dataset.roles.prediction else (table.s >= 0.5).cast("int8")
            return table.mutate(y=label(dataset, table.y_raw), p=p)
        case "multiclass":
            return table.mutate(y=label(dataset, table.y_raw), p=table.p_raw.cast("string"))
        case "regression" | "ranking":
            predicted = table.p_raw if dataset.roles.prediction else table.s
            table = table.mutate(y=label(dataset, table.y_raw), p=_finite(predicted))
            return _ranked(dataset, table) if dataset.task == "ranking" else table
        case _:
            return table.mutate(y=table.s, p=table.s)


def label(dataset: Dataset, column: ir.Value) -> ir.Value:
    """Labels in the task's own terms: 0/1, text classes, or finite numbers."""
    column = _plain(column)
    if dataset.task == "binary":
        return _is_positive(dataset, column)
    return column.cast("string") if dataset.task == "multiclass" else _finite(column)


def _is_positive(dataset: Dataset, column: ir.Value) -> ir.Value:
    kind = column.type()
    if kind.is_numeric():
        return (column.cast("float64") == _positive_number(dataset.positive)).cast("int8")
    return (column.cast("string") == str(dataset.positive)).cast("int8")


def _positive_number(positive: str | None) -> float:
    """The positive class in a column of numbers, which booleans are too by now; 1 where it is named by a word."""
    try:
        return float(positive or 1)
    except ValueError:
        return 0.0 if str(positive).lower() == "false" else 1.0


def _outcome(dataset: Dataset, table: ir.Table) -> ir.Value:
    """What came of each row, as its place in OUTCOMES; the last place is 'unlabelled'."""
    by, limit = dataset.judgement.by, dataset.judgement.tolerance
    last = len(OUTCOMES[by]) - 1
    match by:
        case "binary":
            code = table.y * 2 + table.p
        case "multiclass":
            code = (table.y != table.p).cast("int8")
        case "regression":
            over, under = table.p - table.y > limit, table.y - table.p > limit
            code = over.cast("int8") + under.cast("int8") * 2
        case "ranking":
            labelled = table.query_labels > 0
            code = labelled.ifelse((table.query_best == 0).cast("int8"), ibis.null("int8"))
        case "score":
            code = (table.s < limit).cast("int8")
        case "latency":
            code = (table.latency > limit).cast("int8")
        case _:
            code = _failed(dataset, table)
    return code.cast("int8").fill_null(last)


def _failed(dataset: Dataset, table: ir.Table) -> ir.Value:
    """Whether no prediction was served, or the log says that the request failed."""
    if dataset.roles.error:
        return table.failed.fill_null(ibis.literal(value=True)).cast("int8")
    served = table.p_raw if dataset.roles.prediction else table.s
    return served.isnull().cast("int8")


def _ranked(dataset: Dataset, table: ir.Table) -> ir.Table:
    """The rows with rank by score and by relevance (0 = best), gains discounted up to k, and if their query is a hit.

    Source: Järvelin and Kekäläinen 2002, 'Cumulated gain-based evaluation of IR techniques' (linear gain).
    """
    query = [table.bucket, table.query]
    by_score = ibis.row_number().over(group_by=query, order_by=[ibis.desc(table.p), table.row_key])
    by_gain = ibis.row_number().over(group_by=query, order_by=[ibis.desc(table.y), table.row_key])
    table = table.mutate(place=by_score.cast("float64"), ideal=by_gain.cast("float64"))
    gain, inside = table.y.fill_null(0.0), table.place < dataset.top_k

    def discounted(place: ir.Value) -> ir.Value:
        return (place < dataset.top_k).ifelse(gain / (place + 2.0).log2(), 0.0)

    table = table.mutate(
        dcg=discounted(table.place),
        idcg=discounted(table.ideal),
        reciprocal=((gain > 0) & inside).ifelse(1.0 / (table.place + 1.0), 0.0),
    )
    window = ibis.window(group_by=[table.bucket, table.query])
    return table.mutate(
        query_best=table.reciprocal.max().over(window), query_labels=table.y.notnull().cast("int64").sum().over(window)
    )


def numbers_pass(table: ir.Table, layout: Layout, functions: Functions) -> ir.Table:
    """Counts below each edge, moments, extremes, distinct sketch of every number by (bucket, version, outcome).

    One group-by. Columns of number i: `i_below_j`, `i_n`, `i_sum`, `i_square`, `i_low`, `i_high`, and `i_places`
    where its distinct values are counted.
    """
    figures: dict[str, ir.Value] = {"rows": table.count()}
    for i, (name, cut) in enumerate(layout.numbers.items()):
        x = table[column_of(name)]
        off = x - cut.centre
        figures |= {f"{i}_below_{j}": functions.count_if(x < edge) for j, edge in enumerate(cut.edges)}
        figures |= {
            f"{i}_n": x.count(),
            f"{i}_sum": off.sum(),
            f"{i}_square": (off * off).sum(),
            f"{i}_low": x.min(),
            f"{i}_high": x.max(),
        }
        if cut.sketched:
            figures[f"{i}_places"] = _place(x).bit_or()
    return table.group_by(["bucket", "version", "outcome"]).aggregate(**figures)


def _place(x: ir.Value) -> ir.Value:
    """One bit of the distinct sketch for a value, by its fractional multiple of the golden ratio, which spreads evenly.

    Source: Knuth, The Art of Computer Programming 3, 6.4: multiplicative hashing.
    """
    spread = x * 0.6180339887498949
    place = ((spread - spread.floor()) * float(SKETCH_PLACES)).floor().cast("int64")
    return ibis.literal(1, "int64") << place


def column_of(name: str) -> str:
    """The canonical table's column for a profiled name: a feature, or a role in parentheses.

    >>> column_of("distance"), column_of(LATENCY)
    ('f:distance', 'latency')
    """
    return _ROLE_COLUMNS.get(name, f"f:{name}")


def category_pass(table: ir.Table, name: str) -> ir.Table:
    """Rows by (bucket, version, outcome, value), `named` after the 64 commonest values and `(other)`.

    `all_values` is how many values there are, null among them.
    """
    value = table[column_of(name)].fill_null(NULL)
    counts = table.group_by(["bucket", "version", "outcome", value.name("value")]).aggregate(rows=table.count())
    totals = counts.group_by("value").aggregate(total=counts.rows.sum())
    order = [ibis.desc(totals.total), totals.value]
    ranked = totals.mutate(nth=ibis.row_number().over(order_by=order), all_values=totals.count().over())
    ranked = ranked.select(known=ranked.value, nth=ranked.nth, all_values=ranked.all_values)
    joined = counts.inner_join(ranked, counts.value == ranked.known)
    named = ((joined.nth < NAMED_CATEGORIES) | (joined.value == NULL)).ifelse(joined.value, OTHER)
    keys = ["bucket", "version", "outcome", named.name("named"), "all_values"]
    return joined.group_by(keys).aggregate(rows=joined.rows.sum())


def quality_pass(dataset: Dataset, table: ir.Table) -> ir.Table:
    """The figures that the metrics are made of, additive by (bucket, version); for classes, by y, p, score bin too."""
    served = table.p_raw if dataset.roles.prediction else table.s
    common = {"rows": table.count(), "unserved": served.isnull().cast("int32").sum()}
    common["failures"] = table.failed.cast("int32").sum() if dataset.roles.error else ibis.literal(0)
    match dataset.task:
        case "binary":
            return _binary_quality(dataset, table, common)
        case "multiclass":
            return _multiclass_quality(table, common)
        case "regression":
            return _regression_quality(table, common)
        case "ranking":
            return _ranking_quality(table, common)
        case _:
            figures = {"labelled": table.s.count(), "value": table.s.sum(), "square": (table.s * table.s).sum()}
            return table.group_by(["bucket", "version"]).aggregate(**common, **figures)


def _binary_quality(dataset: Dataset, table: ir.Table, common: dict[str, ir.Value]) -> ir.Table:
    sure = table.s.clip(lower=1e-15, upper=1 - 1e-15) if dataset.probability else ibis.literal(0.5)
    loss = -(table.y == 1).ifelse(sure, 1 - sure).ln()
    off = table.s - table.y
    bins = score_bin(dataset, table.s).name("bin"), _calibration_bin(table.s).name("tenth")
    figures = {"score": table.s.sum(), "log_loss": loss.sum(), "brier": (off * off).sum(), "scored": table.s.count()}
    return table.group_by(["bucket", "version", "y", "p", *bins]).aggregate(**common, **figures)


def score_bin(dataset: Dataset, score: ir.Value) -> ir.Value:
    """The score's bin, in the score's order: an eighth of a logit for a probability, else a 64th of ln(1 + |x|)."""
    if dataset.probability:
        sure = score.clip(lower=1e-9, upper=1 - 1e-9)
        wide = (sure / (1 - sure)).ln().clip(lower=-SCORE_LOGIT_LIMIT, upper=SCORE_LOGIT_LIMIT) * SCORE_BINS_PER_LOGIT
        return (wide.floor() + SCORE_LOGIT_LIMIT * SCORE_BINS_PER_LOGIT).cast("int16")
    wide = (1 + score.abs()).ln().clip(upper=RAW_SCORE_LIMIT) * RAW_SCORE_BINS
    return ((score < 0).ifelse(-wide, wide).floor() + RAW_SCORE_LIMIT * RAW_SCORE_BINS).cast("int16")


def _calibration_bin(score: ir.Value) -> ir.Value:
    last = CALIBRATION_BINS - 1
    return (score * float(CALIBRATION_BINS)).floor().clip(lower=0.0, upper=float(last)).cast("int16")


def _multiclass_quality(table: ir.Table, common: dict[str, ir.Value]) -> ir.Table:
    of_label = [(table.y == c.removeprefix("c:"), table[c]) for c in table.columns if c.startswith("c:")]
    rows = table.group_by(["bucket", "version", "y", "p"])
    if not of_label:
        return rows.aggregate(**common, log_loss=ibis.literal(0.0), scored=ibis.literal(0))
    loss = -ibis.cases(*of_label).clip(lower=1e-15, upper=1.0).ln()
    return rows.aggregate(**common, log_loss=loss.sum(), scored=loss.count())


def class_pass(dataset: Dataset, table: ir.Table, label: str) -> ir.Table:
    """Rows by (bucket, version, is this class, bin of its score), for one class against the rest."""
    score = table[f"c:{label}"]
    known = table.filter(table.y.notnull() & score.notnull())
    bin_ = score_bin(dataset, known[f"c:{label}"]).name("bin")
    keys = ["bucket", "version", (known.y == label).cast("int8").name("y"), bin_]
    return known.group_by(keys).aggregate(rows=known.count())


def _regression_quality(table: ir.Table, common: dict[str, ir.Value]) -> ir.Table:
    off = table.p - table.y
    seen = off.notnull()
    y = seen.ifelse(table.y, ibis.null("float64"))
    relative = (table.y != 0).ifelse(off.abs() / table.y.abs(), ibis.null("float64"))
    figures = {
        "labelled": off.count(),
        "error": off.sum(),
        "absolute": off.abs().sum(),
        "squared": (off * off).sum(),
        "y": y.sum(),
        "y_square": (y * y).sum(),
        "relative": relative.sum(),
        "relative_n": relative.count(),
    }
    return table.group_by(["bucket", "version"]).aggregate(**common, **figures)


def _ranking_quality(table: ir.Table, common: dict[str, ir.Value]) -> ir.Table:
    queries = table.group_by(["bucket", "version", "query"]).aggregate(
        **common,
        dcg=table.dcg.sum(),
        idcg=table.idcg.sum(),
        reciprocal=table.reciprocal.max(),
        judged=table.y.count(),
    )
    judged = queries.judged > 0
    ndcg = (judged & (queries.idcg > 0)).ifelse(queries.dcg / queries.idcg, ibis.null("float64"))
    return queries.group_by(["bucket", "version"]).aggregate(
        rows=queries["rows"].sum(),
        unserved=queries.unserved.sum(),
        failures=queries.failures.sum(),
        labelled=judged.cast("int32").sum(),
        ndcg=ndcg.sum(),
        ndcg_n=ndcg.count(),
        reciprocal=judged.ifelse(queries.reciprocal, 0.0).sum(),
        hits=(judged & (queries.reciprocal > 0)).cast("int32").sum(),
    )


def coded(table: ir.Table, layout: Layout, columns: Iterable[str]) -> dict[str, ir.Value]:
    """Each column's bucket as a small integer: a number's place between its edges, null as -1; categories stay text."""
    codes: dict[str, ir.Value] = {}
    for name in columns:
        x = table[column_of(name)]
        if name in layout.numbers:
            edges = layout.numbers[name].edges
            place: ir.Value = ibis.literal(0).cast("int16")
            for edge in edges:
                place = place + (x >= edge).cast("int16")
            codes[name] = place.fill_null(-1).cast("int16")
        else:
            codes[name] = x.fill_null(NULL)
    return codes


def matches(table: ir.Table, conditions: Iterable[Condition]) -> ir.BooleanValue:
    """Whether a row fulfils every condition of a slice; never null.

    >>> rows = ibis.table({"f:origin": "string"}, name="log")
    >>> print(ibis.to_sql(rows.filter(matches(rows, [Condition("origin", value="EWR")])), dialect="duckdb"))
    SELECT
      *
    FROM "log" AS "t0"
    WHERE
      TRUE AND COALESCE("t0"."f:origin" = 'EWR', FALSE)
    """
    fulfilled: Any = ibis.literal(value=True)
    for one in conditions:
        x = table[column_of(one.column)]
        if one.is_null:
            test = x.isnull()
        elif one.value is not None:
            test = x == one.value
        elif one.none_of:
            test = x.notin(one.none_of)
        else:
            test = x.notnull()
            test = test & (x >= one.low) if one.low is not None else test
            test = test & (x < one.high) if one.high is not None else test
        fulfilled = fulfilled & test.fill_null(ibis.literal(value=False))
    return fulfilled
