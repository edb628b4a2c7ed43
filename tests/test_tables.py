"""Tables: found by path, pattern and folder; taken from frames and databases; known by their fingerprint."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.case import Case, Query
from mortis.engine import open_engine
from mortis.investigation import clarify_case
from mortis.problems import InputProblem, WorkProblem
from mortis.records import Failure
from mortis.sources import tables
from mortis.sources.databases import BATCH_ROWS, masked, read_query
from mortis.sources.tables import fingerprint, open_table
from small_case import changed, log, write_log  # type: ignore[import-not-found]  # pytest finds it beside this file


def found(source: Any, root: Path) -> list[str]:
    """The names of the files behind a source."""
    return [file.relative_to(root).as_posix() for file in open_table(source, root=root, key="t").files]


def failure_of(source: Any, root: Path = Path()) -> Failure:
    """What step 1 says of the small case on another table."""
    return clarify_case(Case.parse(changed(predictions__table=source), root=root)).failure


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Failure:
    """What step 1 says of the small case on its Parquet file."""
    folder = tmp_path_factory.mktemp("expected")
    write_log(folder)
    return failure_of("log.parquet", folder)


def test_paths_patterns_folders_and_lists_find_files_in_order(tmp_path: Path) -> None:
    """Relative ones from the root, by name within a pattern or a folder, as stated within a list."""
    for name in (
        "days/b.parquet",
        "days/a.parquet",
        "days/more/c.parquet",
        "days/_SUCCESS",
        "days/a.parquet.crc",
        "z.pq",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_log(tmp_path, log().slice(0, 2), name="one.parquet").replace(tmp_path / name)
    assert found("z.pq", tmp_path) == ["z.pq"]
    assert found("days/*.parquet", tmp_path) == ["days/a.parquet", "days/b.parquet"]
    assert found("days/**/*.parquet", tmp_path) == ["days/a.parquet", "days/b.parquet", "days/more/c.parquet"]
    assert found("days", tmp_path) == ["days/a.parquet", "days/b.parquet", "days/more/c.parquet"]
    assert found(["z.pq", "days/a.parquet"], tmp_path) == ["z.pq", "days/a.parquet"]
    assert found(str(tmp_path / "days" / "*.parquet"), tmp_path) == ["days/a.parquet", "days/b.parquet"]


def test_only_the_source_is_a_pattern(tmp_path: Path) -> None:
    """A case in a folder whose name holds brackets finds its files; so does a file whose own name does."""
    root = tmp_path / "case [1]"
    root.mkdir()
    write_log(root, log().slice(0, 2), name="a[b].csv")
    write_log(root, log().slice(0, 2), name="c.csv")
    assert found("*.csv", root) == ["a[b].csv", "c.csv"]
    assert found("a[b].csv", root) == ["a[b].csv"]


def test_a_folder_yet_to_be_made_can_be_walked_out_of(tmp_path: Path) -> None:
    """`../log.csv` from a folder that doesn't exist is the file beside it."""
    write_log(tmp_path, log().slice(0, 2), name="log.csv")
    for source in ("../log.csv", "../*.csv", "deep/../../log.csv"):
        assert [file.name for file in open_table(source, root=tmp_path / "new", key="t").files] == ["log.csv"]


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.csv.gz", "log.PARQUET"])
def test_every_format_gives_the_same_answer(name: str, tmp_path: Path, expected: Failure) -> None:
    """One log as Parquet, CSV, JSON lines or compressed CSV has one answer."""
    plain = write_log(tmp_path, name=name.removesuffix(".gz").lower())
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))
    elif name != plain.name:
        plain.replace(tmp_path / name)
    assert failure_of(name, tmp_path) == expected


def test_parts_of_a_log_are_the_log(tmp_path: Path, expected: Failure) -> None:
    """A log cut into files, handed in as a list, a pattern or a folder, has the answer of the whole."""
    (tmp_path / "days").mkdir()
    for part in range(4):
        write_log(tmp_path / "days", log().slice(part * 600, 600), name=f"{part}.parquet")
    for source in (["days/3.parquet", "days/[012].parquet"], "days/*.parquet", "days"):
        assert failure_of(source, tmp_path) == expected


@pytest.mark.parametrize(
    "frame", [log, lambda: log().to_pandas(), lambda: pl.from_arrow(log())], ids=["Arrow", "pandas", "Polars"]
)
def test_frames_are_tables(frame: Any, expected: Failure) -> None:
    """A frame from Python has the answer of the file with its rows."""
    assert failure_of(frame()) == expected


@pytest.mark.parametrize("thing", [5, None, [], [1], object(), {1, 2}], ids=lambda thing: type(thing).__name__)
def test_what_is_no_table_is_refused(thing: Any) -> None:
    """Anything else is told by its kind."""
    with pytest.raises(InputProblem, match=f"t: {type(thing).__name__} is not a table; hand over a path or an Arrow"):
        open_table(thing, root=Path(), key="t")


def test_a_frame_with_a_name_twice_is_refused() -> None:
    """As a file with a name twice is."""
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(InputProblem, match="t: the frame has two columns named 'a'; rename one"):
        open_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), root=Path(), key="t")
    with pytest.raises((InputProblem, ValueError)):
        open_table(twice, root=Path(), key="t")


def test_the_fingerprint_of_a_file_is_the_start_of_its_sha256(tmp_path: Path) -> None:
    """So that anyone can check it with sha256sum; the name plays no part, the content does."""
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("ts,p\n2024-01-01,1\n", encoding="utf-8")
    shutil.copy(one, other)
    told = [fingerprint(open_table(name, root=tmp_path, key="t")) for name in ("a.csv", "b.csv")]
    assert told[0] == told[1] == f"sha256:{hashlib.sha256(one.read_bytes()).hexdigest()[:32]}"
    one.write_text("ts,p\n2024-01-01,2\n", encoding="utf-8")
    assert fingerprint(open_table("a.csv", root=tmp_path, key="t")) != told[0]


def test_large_files_are_sampled_for_their_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a size blocks are read, and the prefix says so; a change of size or of what is read changes it."""
    monkeypatch.setattr(tables, "SAMPLED_ABOVE", 10)
    file = tmp_path / "a.csv"
    told = set()
    for text in ("ts,p\n2024-01-01,1\n", "ts,p\n2024-01-01,2\n", "ts,p\n2024-01-01,2\n\n"):
        file.write_text(text, encoding="utf-8")
        told.add(fingerprint(open_table("a.csv", root=tmp_path, key="t")))
    assert len(told) == 3
    assert all(one.startswith("sha256-sampled:") for one in told)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_frames_of_one_fingerprint_hold_one_content(one: list[int], other: list[int]) -> None:
    """Equal frames have equal fingerprints, different ones different ones; a slice counts as what it shows."""
    told = [fingerprint(open_table(pa.table({"a": values}), root=Path(), key="t")) for values in (one, other)]
    assert (told[0] == told[1]) == (one == other)
    sliced = pa.table({"a": [9, *one, 9]}).slice(1, len(one))
    assert fingerprint(open_table(sliced, root=Path(), key="t")) == told[0]


def test_a_file_that_can_not_be_read_is_not_the_users_mistake(tmp_path: Path) -> None:
    """A file whose bytes don't come is a failure of the machine: exit code 3."""
    if not Path("/proc/self/mem").exists():
        pytest.skip("there is no /proc here")
    (tmp_path / "log.csv").symlink_to("/proc/self/mem")  # reading its first page fails with an input/output error
    with pytest.raises(WorkProblem, match=r"t: log\.csv can't be read: Input/output error"):
        open_table("log.csv", root=tmp_path, key="t")


def sqlite(file: Path, table: pa.Table) -> Path:
    """A SQLite database with the table as `log`, its times as text."""
    text = table.set_column(1, "ts", table["ts"].cast(pa.timestamp("s")).cast(pa.string()))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE log ({', '.join(text.column_names)})")
        marks = ", ".join("?" * text.num_columns)
        connection.executemany(f"INSERT INTO log VALUES ({marks})", [tuple(row.values()) for row in text.to_pylist()])
    return file


def test_a_sqlite_database_is_a_table(tmp_path: Path, expected: Failure) -> None:
    """By table or by query, its file named from the case's folder; it is left as it was."""
    file = sqlite(tmp_path / "log.db", log())
    before = file.read_bytes()
    assert failure_of({"url": "sqlite:///log.db", "table": "log"}, tmp_path) == expected
    assert failure_of({"url": "sqlite:///log.db", "query": "SELECT * FROM log;"}, tmp_path) == expected
    assert failure_of({"url": f"sqlite:///{file}", "query": "SELECT * FROM log -- all"}, tmp_path) == expected
    with pytest.raises(InputProblem, match="the query returned no rows"):
        failure_of({"url": "sqlite:///log.db", "query": "DELETE FROM log"}, tmp_path)
    assert file.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"log.db"}


def test_a_column_that_begins_empty_keeps_its_type(tmp_path: Path) -> None:
    """A column without a value in the first batch has the type of its first value, not that of nothing."""
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("CREATE TABLE log (x, never)")
        connection.executemany("INSERT INTO log VALUES (?, NULL)", ((None,) for _ in range(BATCH_ROWS + 5)))
        connection.execute("INSERT INTO log VALUES (0.5, NULL)")
    batches = list(read_query(f"sqlite:///{tmp_path / 'log.db'}", "SELECT * FROM log ORDER BY rowid"))
    table = pa.Table.from_batches(batches)
    assert table.schema.field("x").type == pa.float64()
    assert table["x"].to_pylist()[-1] == 0.5
    assert table["x"].null_count == BATCH_ROWS + 5


def test_a_column_that_changes_its_type_is_told(tmp_path: Path) -> None:
    """Text where numbers were is no crash, and names what to do."""
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("CREATE TABLE log (x)")
        connection.executemany("INSERT INTO log VALUES (?)", ((1,) for _ in range(BATCH_ROWS)))
        connection.execute("INSERT INTO log VALUES ('lots')")
    with pytest.raises(InputProblem, match="a column changes its type after row 50,000; give it one with CAST"):
        list(read_query(f"sqlite:///{tmp_path / 'log.db'}", "SELECT * FROM log ORDER BY rowid"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://anna:s%40cret@db:5432/prod", "postgresql+psycopg://anna:***@db:5432/prod"),
        ("postgresql://db/prod?password=secret&user=anna", "postgresql://db/prod?password=***&user=anna"),
        ("sqlite:///log.db", "sqlite:///log.db"),
        ("secret", "database url"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """Wherever the password stands in it."""
    assert masked(url) == shown


def test_a_long_query_is_named_on_one_line() -> None:
    """Messages that name a query stay one line."""
    query = "SELECT *\nFROM log\nWHERE " + " AND ".join(f"x{i} > {i}" for i in range(50))
    name = open_table(Query(url="sqlite://", query=query), root=Path(), key="t").name
    assert name.startswith("SELECT * FROM log WHERE x0 > 0")
    assert len(name) <= 64


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test's own, on a free port of this machine."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL's server is not installed")
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    home = Path(tempfile.mkdtemp(prefix="mortis-postgres-"))
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(home, "nobody")
        user = {"user": "nobody"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, bin_ = home / "data", programs[-1].parent
    shown: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home}
    make: list[str | Path] = [bin_ / "initdb", "-D", data, "-U", "mortis", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(make, check=True, **shown, **user)
    serve: list[str | Path] = [bin_ / "postgres", "-D", data, "-k", home, "-h", "127.0.0.1", "-p", str(port), "-F"]
    server = subprocess.Popen(serve, **shown, **user)
    try:
        for _ in range(100):
            if (
                subprocess.run([bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode
                == 0
            ):
                break
            time.sleep(0.1)
        yield f"postgresql://mortis:secret@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(home)


def fill(url: str, table: pa.Table) -> None:
    """The small log as PostgreSQL's own types: numeric, uuid-like text, timestamps with time zone, booleans."""
    import psycopg

    kinds = "request_id text, ts timestamptz, y_pred int, y_score numeric, y_true int, region text"
    with psycopg.connect(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS log")
        cursor.execute("CREATE SEQUENCE IF NOT EXISTS counter")
        cursor.execute(f"CREATE TABLE log ({kinds}, amount float8, latency float8)")
        with cursor.copy("COPY log FROM STDIN") as copy:
            for row in table.to_pylist():
                copy.write_row(tuple(row.values()))


def test_a_postgresql_database_is_a_table(postgres: str, expected: Failure) -> None:
    """By table or by query, with or without the driver in the URL: the answer of the file with its rows."""
    fill(postgres, log())
    assert failure_of({"url": postgres, "table": "public.log"}) == expected
    driven = postgres.replace("postgresql:", "postgresql+psycopg:")
    assert failure_of({"url": driven, "query": "SELECT * FROM log WHERE ts >= '2024-01-01'"}) == expected


def test_postgresqls_types_come_as_numbers_text_and_times(postgres: str) -> None:
    """Decimals are numbers, UUIDs are text, moments keep their zone, dates and truth values stay what they are."""
    query = (
        "SELECT 1.5::numeric AS n, gen_random_uuid() AS u, now() AS t, current_date AS d, true AS b, 7::bigint AS i, "
        "NULL::text AS nothing"
    )
    (batch,) = read_query(postgres, query)
    kinds = {field.name: str(field.type) for field in batch.schema}
    assert kinds["t"].startswith("timestamp[us, tz=")
    assert kinds | {"t": ""} == {
        "n": "double", "u": "string", "t": "", "d": "date32[day]", "b": "bool", "i": "int64", "nothing": "null"
    }  # fmt: skip


def test_a_query_only_reads(postgres: str) -> None:
    """A query that writes is refused by the server, and what it refuses is the query's fault."""
    fill(postgres, log().slice(0, 3))
    for query, reason in (
        ("SELECT nextval('counter')", r"cannot execute nextval\(\) in a read-only transaction"),
        ("SELECT * FROM logs", 'relation "logs" does not exist'),
        ("CHOOSE 1", 'syntax error at or near "CHOOSE"'),
    ):
        with pytest.raises(InputProblem, match=f"the query failed: {reason}") as problem:
            list(read_query(postgres, query))
        assert "secret" not in str(problem.value)
    assert sum(batch.num_rows for batch in read_query(postgres, "SELECT * FROM log")) == 3


def test_a_database_that_is_absent_is_no_mistake_of_the_query(postgres: str) -> None:
    """What can't be reached ends with 3."""
    with pytest.raises(WorkProblem, match=r'can\'t be reached: .*database "absent" does not exist'):
        list(read_query(postgres.replace("/postgres", "/absent"), "SELECT 1"))


def test_a_table_of_a_database_is_read_once() -> None:
    """However often an engine is asked about it."""
    with closing(open_engine()) as engine:
        table = open_table(Query(url="sqlite://", query="SELECT 1 AS a UNION ALL SELECT 2"), root=Path(), key="t")
        assert engine.values(table, "a", most=5) == {"1": 1, "2": 1}
        assert engine.keys(table, "a") == (2, 2)
