"""The embedded engine: DuckDB through its own connection, out of core, one pass of a few group-bys."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from mortis.engine import CodedSample, Span, Watch, silent
from mortis.engine import expressions as ex
from mortis.engine.assembly import assemble_columns, assemble_profile
from mortis.engine.coding import assemble_samples
from mortis.engine.printing import fingerprint_of
from mortis.engine.types import schema_of
from mortis.problems import WorkProblem
from mortis.profiles import NULL
from mortis.records import Rate
from mortis.sources.refusals import problem_of
from mortis.sources.times import OFFSET

if TYPE_CHECKING:
    import pyarrow as pa

    from mortis.engine.dataset import Condition, Dataset, Layout
    from mortis.fingerprints import TableFingerprint
    from mortis.profiles import Profile
    from mortis.records import Window
    from mortis.sources.tables import Table

MEMORY = "1200MB"
PRINTED_ROWS = 1 << 17  # of a batch whose values are hashed together
_HALF_BIT = 1 << 40  # far from the low bits that thin the sample


def _hash_of(text: str) -> dt.uint64:
    """DuckDB's own hash, as Ibis is told of it; Ibis's form takes four times as long."""


_hash: Callable[[ir.Value], ir.IntegerValue] = ibis.udf.scalar.builtin(_hash_of, name="hash")


def _microseconds_of(moment: dt.timestamp) -> dt.int64:
    """DuckDB's own epoch; Ibis's form goes through the local time, at a third of a bare scan, and rounds."""


_microseconds: Callable[[ir.Value], ir.IntegerValue] = ibis.udf.scalar.builtin(_microseconds_of, name="epoch_us")


def _epoch(moment: ir.Value) -> ir.IntegerValue:
    return _microseconds(moment) // 1_000_000


def _count_if_of(condition: dt.boolean) -> dt.int64:
    """DuckDB's own count; Ibis's form, a sum of numbers, takes half as long again."""


FUNCTIONS = ex.Functions(_epoch, ibis.udf.agg.builtin(_count_if_of, name="count_if"))


def _whole_row(table: ir.Table) -> ir.StringValue:
    """A row's content as text, for a log without ids: equal rows are then sampled together."""
    return ibis.literal("|").join([table[name].cast("string").fill_null(NULL) for name in table.columns])


def _thinned(table: ir.Table, key: ir.Value, rows: int, most: int) -> tuple[ir.Table, bool]:
    """The `rows` of a table with the hash of their key, thinned to about `most`, and whether all are there."""
    table = table.mutate(row_hash=_hash(key))
    every = -(-rows // most)
    return (table.filter(table.row_hash % every == 0) if every > 1 else table), every <= 1


class DuckDBEngine:
    """An in-process DuckDB that spills to a temporary folder and never reaches for the network."""

    name = "duckdb"

    def __init__(self, *, watch: Watch = silent, memory: str = MEMORY) -> None:
        self._spill = TemporaryDirectory(prefix="mortis-")
        self._con = duckdb.connect(
            config={
                "memory_limit": memory,
                "threads": os.cpu_count() or 1,
                "temp_directory": self._spill.name,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        self._con.execute("SET TimeZone = 'UTC'")
        self._watch = watch
        self._queries: list[tuple[str, str]] = []
        self._views: dict[tuple[Table, tuple[str, ...]], str] = {}
        self._log_rows = 0
        self._rows_of: tuple[Dataset, ir.Table] | None = None
        self._rows_kind = ""

    @property
    def queries(self) -> Sequence[tuple[str, str]]:
        """What each query was for, and its SQL, in the order they ran."""
        return tuple(self._queries)

    def close(self) -> None:
        """Close the connection and delete what was spilled."""
        self._con.close()
        self._spill.cleanup()

    def schema(self, table: Table, *, text: Iterable[str] = ()) -> pa.Schema:
        """Column names and Arrow types of a table."""
        view = self._view(table, text=tuple(text))
        return self._fetch(f"SELECT * FROM {_quoted(view)} LIMIT 0", "reading the columns").schema

    def span(self, table: Table, column: str, unit: str) -> Span:
        """What the time column of a table holds; text is parsed as ISO 8601."""
        view = self._view(table, text=(column,))
        kind = self._kind(view, column)
        rows = ibis.table({column: kind}, name=view)
        if not kind.is_string():
            seconds = ex.seconds(rows[column], unit, FUNCTIONS)
            query = rows.aggregate(
                rows=rows.count(), nulls=rows[column].isnull().sum(), first=seconds.min(), last=seconds.max()
            )
            found = self._run(query, "reading the times").to_pylist()[0]
            self._log_rows = max(self._log_rows, found["rows"])
            return Span(found["rows"], found["nulls"] or 0, found["first"], found["last"], None, mixed_zones=False)
        return self._text_span(view, column)

    def _text_span(self, view: str, column: str) -> Span:
        name, source = _quoted(column), _quoted(view)
        parsed = f"TRY_CAST({name} AS TIMESTAMPTZ)"
        second = f"epoch_us({parsed}) // 1000000"
        offset = f"regexp_matches({name}, {_literal(OFFSET)})"
        found = self._fetch(
            f"SELECT count(*) AS rows, count(*) - count({name}) AS nulls, min({second}) AS first,"
            f" max({second}) AS last, count({name}) - count({parsed}) AS bad,"
            f" coalesce(count_if({offset}), 0) AS zoned FROM {source}",
            "reading the times",
        ).to_pylist()[0]
        self._log_rows = max(self._log_rows, found["rows"])
        unparsable = None
        if found["bad"]:
            row = self._fetch(
                f"SELECT nth, value FROM (SELECT row_number() OVER () AS nth, {name} AS value FROM {source})"
                " WHERE value IS NOT NULL AND TRY_CAST(value AS TIMESTAMPTZ) IS NULL ORDER BY nth LIMIT 1",
                "reading the times",
            ).to_pylist()[0]
            unparsable = (row["nth"], row["value"])
        known = found["rows"] - found["nulls"] - found["bad"]
        mixed = 0 < found["zoned"] < known
        return Span(found["rows"], found["nulls"], found["first"], found["last"], unparsable, mixed_zones=mixed)

    def values(self, table: Table, column: str, *, most: int) -> Mapping[str, int]:
        """The commonest values of a column as text with their rows, commonest first."""
        view = self._view(table)
        rows = ibis.table({column: self._kind(view, column)}, name=view)
        value = rows[column].cast("string").fill_null(NULL)
        counted = rows.group_by(value.name("value")).aggregate(rows=rows.count())
        ordered = counted.order_by([ibis.desc(counted["rows"]), counted["value"]]).limit(most)
        return {row["value"]: row["rows"] for row in self._run(ordered, f"reading {column}").to_pylist()}

    def keys(self, table: Table, column: str) -> tuple[int, int]:
        """Rows with a key, and how many of these keys are distinct."""
        view = self._view(table)
        rows = ibis.table({column: self._kind(view, column)}, name=view)
        query = rows.aggregate(n=rows[column].count(), distinct=rows[column].nunique())
        found = self._run(query, f"counting {column}").to_pylist()[0]
        return found["n"], found["distinct"]

    def sample(self, dataset: Dataset, window: Window, *, most: int) -> pa.Table:
        """At most about `most` rows of a window, chosen by the hash of their id, in the order of that hash."""
        table, _ = self._sampled(dataset, window, most)
        return self._run(table.order_by("row_hash"), "sampling rows")

    def profile(self, dataset: Dataset, layout: Layout) -> Profile:
        """The one pass: numbers in one group-by, each category in its own, the quality figures in one."""
        table = self._canonical(dataset)
        numbers = self._run(ex.numbers_pass(table, layout, FUNCTIONS), "numbers")
        categories = {
            name: self._run(ex.category_pass(table, name), f"categories of {name}") for name in layout.categories
        }
        quality = self._run(ex.quality_pass(dataset, table), "quality figures")
        classes = {
            label: self._run(ex.class_pass(dataset, table, label), f"scores of class {label}")
            for label in dataset.roles.class_scores
        }
        return assemble_profile(
            dataset, layout, numbers=numbers, categories=categories, quality=quality, classes=classes
        )

    def coded(self, dataset: Dataset, layout: Layout, windows: Sequence[Window], *, most: int) -> Sequence[CodedSample]:
        """Each window's rows as small integers, with the same codes in all windows."""
        columns = dataset.features
        fetched = []
        for window in windows:
            table, exact = self._sampled(dataset, window, most)
            half = (table.row_hash & _HALF_BIT) == 0
            chosen = {f"k{i}": code for i, code in enumerate(ex.coded(table, layout, columns).values())}
            fetched.append((self._run(table.select(outcome="outcome", half=half, **chosen), "coding rows"), exact))
        return assemble_samples(layout, columns, fetched)

    def count(
        self, dataset: Dataset, slices: Sequence[Sequence[Condition]], windows: Sequence[Window]
    ) -> tuple[tuple[Rate, ...], ...]:
        """Errors and rows of every slice in every window, over all rows."""
        table = self._canonical(dataset)
        wrong, among = _error_codes(dataset)
        counted = table.outcome.isin(among)
        figures: dict[str, ir.Value] = {}
        for w, window in enumerate(windows):
            inside = counted & ex.inside(table, window, dataset.time_unit)
            for i, conditions in enumerate(slices):
                hit = inside & ex.matches(table, conditions)
                figures[f"n_{i}_{w}"] = FUNCTIONS.count_if(hit)
                figures[f"e_{i}_{w}"] = FUNCTIONS.count_if(hit & table.outcome.isin(wrong))
        if not figures:
            return ()
        found = self._run(table.aggregate(**figures), "counting slices").to_pylist()[0]
        return tuple(
            tuple(Rate(int(found[f"e_{i}_{w}"]), int(found[f"n_{i}_{w}"])) for w in range(len(windows)))
            for i in range(len(slices))
        )

    def columns(self, table: Table, layout: Layout) -> Profile:
        """A table without a log's roles in one bucket: its columns that the layout cuts and whose kind it knows."""
        rows = ex.plain(self._rows(table), layout)
        layout = ex.layout_of(rows, layout)
        numbers = self._run(ex.numbers_pass(rows, layout, FUNCTIONS), f"numbers of {table.name}")
        categories = {
            name: self._run(ex.values_pass(rows, name), f"{name} of {table.name}") for name in layout.categories
        }
        return assemble_columns(layout, numbers, categories)

    def lookup(self, table: Table, key: str, keys: Sequence[str], features: Sequence[str]) -> pa.Table:
        """The rows of a table whose key, as text, is one of the keys: `row_key`, and each feature as `f:NAME`."""
        import pyarrow as pa

        self._con.register("mortis_keys", pa.table({"wanted": pa.array(list(keys), pa.string())}))
        rows = self._rows(table)
        plain = rows.select(row_key=ex.key(rows[key]), **{f"f:{name}": ex.feature(rows[name]) for name in features})
        wanted = ibis.table({"wanted": "string"}, name="mortis_keys")
        try:
            return self._run(plain.semi_join(wanted, plain.row_key == wanted.wanted), f"looking up in {table.name}")
        finally:
            self._con.unregister("mortis_keys")

    def learned(self, dataset: Dataset, table: Table, label: str, features: Sequence[str], *, most: int) -> pa.Table:
        """At most about `most` rows of the training table, with labels as the log has them, in the order of a hash."""
        rows = self._rows(table)
        rows = rows.select(
            y=ex.label(dataset, rows[label]), **{f"f:{name}": ex.feature(rows[name]) for name in features}
        )
        thinned, _ = _thinned(rows, _whole_row(rows), self.rows(table), most)
        return self._run(thinned.order_by("row_hash").drop("row_hash"), f"sampling {table.name}")

    def rows(self, table: Table) -> int:
        """How many rows a table has."""
        rows = self._rows(table)
        return int(self._run(rows.aggregate(n=rows.count()), f"counting {table.name}").to_pylist()[0]["n"])

    def fingerprint(self, table: Table) -> TableFingerprint:
        """The content of a table in any order of rows."""
        view = self._view(table)

        def work() -> TableFingerprint:
            return fingerprint_of(self._con.sql(f"SELECT * FROM {_quoted(view)}").to_arrow_reader(PRINTED_ROWS))

        printed: TableFingerprint = self._beside(work, f"reading {table.name}")
        return printed

    def grouped(self, table: Table, *, time: str, unit: str, sums: Sequence[str], window: Window) -> pa.Table:
        """A window's rows grouped by every other column as text, with the `sums` columns added up."""
        rows = self._rows(table, text=(time,))
        second = ex.seconds(rows[time], unit, FUNCTIONS)
        rows = rows.filter((second >= int(window.start.timestamp())) & (second < int(window.end.timestamp())))
        keys = [rows[c].cast("string").fill_null(NULL).name(c) for c in rows.columns if c not in (time, *sums)]
        totals = {f"mortis_{i}": rows[column].cast("float64").sum() for i, column in enumerate(sums)}
        return self._run(rows.group_by(keys).aggregate(**totals), "adding up counts")

    def _sampled(self, dataset: Dataset, window: Window, most: int) -> tuple[ir.Table, bool]:
        """The window's rows with their hash, thinned to about `most`, and whether all are there."""
        table = self._canonical(dataset)
        table = table.filter(ex.inside(table, window, dataset.time_unit)).drop("moment")
        count = self._run(table.aggregate(n=table.count()), "counting rows").to_pylist()[0]["n"]
        key = table.row_key if dataset.roles.id else _whole_row(table)
        if dataset.task == "ranking":
            key = table.query  # a part of a query can't be ranked
        return _thinned(table, key, count, most)

    def _canonical(self, dataset: Dataset) -> ir.Table:
        """The log under canonical names, compiled once per dataset: a view, or a table where it joins or ranks."""
        if self._rows_of is None or self._rows_of[0] != dataset:
            self._name(ex.PREDICTIONS, self._view(dataset.predictions, text=(dataset.roles.time,)))
            label_schema = None
            if dataset.labels is not None:
                self._name(ex.LABELS, self._view(dataset.labels.table))
                label_schema = self._schema_of(ex.LABELS)
            rows = ex.canonical(dataset, self._schema_of(ex.PREDICTIONS), label_schema, FUNCTIONS)
            self._make_rows(rows, stored=dataset.labels is not None or dataset.task == "ranking")
            self._rows_of = (dataset, ibis.table(rows.schema(), name=ex.ROWS))
        return self._rows_of[1]

    def _make_rows(self, rows: ir.Table, *, stored: bool) -> None:
        """What every question reads, under one name; stored where each question would join or rank anew."""
        for kind in ("VIEW", "TABLE"):
            if self._rows_kind == kind:
                self._con.execute(f"DROP {kind} {ex.ROWS}")
        self._rows_kind = "TABLE" if stored else "VIEW"
        sql = f"CREATE TEMP {self._rows_kind} {ex.ROWS} AS {ibis.to_sql(rows, dialect='duckdb')}"
        self._queries.append(("the log under canonical names", sql))
        self._execute(sql, "joining labels" if stored else "naming columns")

    def _name(self, alias: str, view: str) -> None:
        self._con.execute(f"CREATE OR REPLACE TEMP VIEW {_quoted(alias)} AS SELECT * FROM {_quoted(view)}")

    def _schema_of(self, view: str) -> ibis.Schema:
        return schema_of(self._con.sql(f"SELECT * FROM {_quoted(view)} LIMIT 0").to_arrow_table().schema)

    def _kind(self, view: str, column: str) -> Any:
        return self._schema_of(view)[column]

    def _rows(self, table: Table, *, text: tuple[str, ...] = ()) -> ir.Table:
        """A table's rows as an Ibis expression."""
        view = self._view(table, text=text)
        return ibis.table(self._schema_of(view), name=view)

    def _view(self, table: Table, *, text: tuple[str, ...] = ()) -> str:
        """The name of a view on the table, made on first use."""
        text = text if table.format == "csv" else ()
        # A frame goes by its identity, which lasts as long as its view: comparing frames would compare their rows.
        key = (table, text)
        if key not in self._views:
            view = f"mortis_source_{len(self._views)}"
            self._make_view(table, view, text)
            self._views[key] = view
        return self._views[key]

    def _make_view(self, table: Table, view: str, text: tuple[str, ...]) -> None:
        if table.format == "frame":
            self._con.register(view, table.frame)
            return
        if table.format == "query":
            self._spool(table, view)
            return
        try:
            self._con.execute(f"CREATE TEMP VIEW {_quoted(view)} AS SELECT * FROM {self._scan(table, text)}")
        except duckdb.Error as error:
            raise problem_of(error, f"{table.name} can't be read as {table.format}") from None

    def _scan(self, table: Table, text: tuple[str, ...]) -> str:
        match table.format:
            case "parquet":
                return f"read_parquet({_files(table)}, union_by_name = true)"
            case "jsonl":
                return f"read_json({_files(table)}, union_by_name = true, maximum_sample_files = 8)"
            case "csv":
                return self._csv_scan(table, text)
            case other:
                raise WorkProblem(f"{table.name}: the DuckDB engine has no reader for {other}")

    def _csv_scan(self, table: Table, text: tuple[str, ...]) -> str:
        """The scan of CSV files, with times left as text: what DuckDB would silently make of them is looked at."""
        scan = f"read_csv({_files(table)}, union_by_name = true"
        if not text:
            return scan + ")"
        found = self._con.sql(f"DESCRIBE SELECT * FROM {scan})").fetchall()
        times = [name for name, kind, *_ in found if name in text and not kind.endswith(("INT", "INTEGER", "DOUBLE"))]
        types = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in times)
        return f"{scan}, types = {{{types}}})" if times else scan + ")"

    def _spool(self, table: Table, view: str) -> None:
        """A query's rows, batch by batch, into a temporary table that may spill to disk."""
        from mortis.sources.databases import read_query

        done = 0
        for i, batch in enumerate(read_query(table.url, table.query)):
            self._con.register("mortis_batch", batch)
            verb = f"CREATE TEMP TABLE {_quoted(view)} AS" if i == 0 else f"INSERT INTO {_quoted(view)}"
            self._con.execute(f"{verb} SELECT * FROM mortis_batch")
            self._con.unregister("mortis_batch")
            done += batch.num_rows
            self._watch("reading the database", done, 0)

    def _run(self, expression: ir.Table, what: str) -> pa.Table:
        """The rows of an Ibis expression, compiled for DuckDB and run here."""
        sql = str(ibis.to_sql(expression, dialect="duckdb"))
        self._queries.append((what, sql))
        return self._fetch(sql, what)

    def _fetch(self, sql: str, what: str) -> pa.Table:
        """The query's result as an Arrow table."""
        return self._beside(lambda: self._con.sql(sql).to_arrow_table(), what)

    def _execute(self, sql: str, what: str) -> None:
        """Run a statement that returns no rows."""
        self._beside(lambda: self._con.execute(sql).fetchall(), what)

    def _beside(self, work: Callable[[], Any], what: str) -> Any:
        """What the work returns, done beside a loop that reports progress and lets Ctrl-C through."""
        result: list[Any] = []
        failure: list[BaseException] = []
        done = threading.Event()  # a thread whose join is interrupted passes for ended, up to Python 3.12

        def run() -> None:
            try:
                result.append(work())
            except BaseException as error:  # noqa: BLE001  whatever ends the thread is raised again in the caller's
                failure.append(error)
            finally:
                done.set()

        threading.Thread(target=run, daemon=True).start()
        try:
            while not done.wait(0.2):
                self._report(what)
        except KeyboardInterrupt:
            while not done.wait(0.05):
                self._con.interrupt()  # again and again, as it is lost between two queries
            raise
        if failure and isinstance(failure[0], duckdb.Error):
            raise problem_of(failure[0], what) from None
        if failure:
            raise failure[0]
        return result[0]

    def _report(self, what: str) -> None:
        share = max(self._con.query_progress(), 0.0) / 100
        self._watch(what, int(share * self._log_rows), self._log_rows)


def _error_codes(dataset: Dataset) -> tuple[list[int], list[int]]:
    from mortis.engine.dataset import OUTCOMES

    names = OUTCOMES[dataset.judgement.by]
    return [names.index(o) for o in dataset.judgement.errors], [names.index(o) for o in dataset.judgement.among]


def _files(table: Table) -> str:
    return "[" + ", ".join(_literal(str(Path(f).resolve())) for f in table.files) + "]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
