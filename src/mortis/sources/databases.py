"""Queries of a database, read in batches through SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mortis.problems import InputProblem, WorkProblem

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult
    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.exc import DBAPIError

BATCH_ROWS = 50_000
_SECRETS = ("password", "passwd", "pwd", "token", "sslpassword", "secret")


def located(url: str, *, root: Path, key: str) -> str:
    """The URL with a SQLite file's path made absolute from `root`, so that opening it creates no empty database.

    Raises InputProblem where it is no database URL, or there is no such SQLite file.
    """
    parsed = _parsed(url, key)
    if (
        parsed.get_backend_name() != "sqlite"
        or not parsed.database
        or parsed.database.startswith((":memory:", "file:"))
    ):
        return url
    file = root / parsed.database
    if not file.is_file():
        raise InputProblem(f"{key}: no such database file: {parsed.database} (looked in {root.resolve()})")
    return parsed.set(database=str(file.resolve())).render_as_string(hide_password=False)


def _parsed(url: str, key: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    example = "write it like postgresql://host/name or sqlite:///file.db"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise InputProblem(f"{key}: the url is no database URL; {example}") from None
    try:
        parsed.get_dialect()
    except NoSuchModuleError:
        raise InputProblem(f"{key}: {masked(url)}: unknown kind of database {parsed.drivername!r}; {example}") from None
    except ModuleNotFoundError:
        return parsed  # its driver is absent, which opening it tells
    return parsed


def read_query(url: str, query: str) -> Iterator[pa.RecordBatch]:
    """The query's rows as Arrow batches of at most 50,000 rows, the first batch's types for all.

    Raises InputProblem where the query is wrong, WorkProblem where the database can't be reached.
    """
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    engine = _opened(url)
    try:
        with _connected(engine, url) as connection:
            yield from _batches(connection, query, masked(url))
    except DBAPIError as error:
        problem = InputProblem if _is_the_querys_fault(error) else WorkProblem
        raise problem(f"{masked(url)}: the query failed: {_reason(error)}") from None
    except SQLAlchemyError as error:
        raise InputProblem(f"{masked(url)}: the query failed: {_reason(error)}") from None
    finally:
        engine.dispose()


def _opened(url: str) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    postgres = parsed.get_backend_name() == "postgresql"
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")  # SQLAlchemy 2.0 would take psycopg2
    try:
        return create_engine(parsed)
    except ModuleNotFoundError as error:
        remedy = "pip install 'mortis[postgres]'" if postgres else "install it beside mortis"
        raise WorkProblem(f"{masked(url)}: its driver {error.name} is not installed; {remedy}") from None


def _connected(engine: Engine, url: str) -> Connection:
    """A connection that only reads."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise WorkProblem(f"{masked(url)} can't be reached: {_reason(error)}") from None
    return connection.execution_options(postgresql_readonly=True)


def _batches(connection: Connection, query: str, where: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from sqlalchemy import text

    streamed = connection.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS)
    result = streamed.execute(text(query))
    names = list(result.keys()) if result.returns_rows else []
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise InputProblem(f"{where}: the query gives two columns named {repeated[0]!r}; rename one with AS")
    schema: pa.Schema | None = None
    done = 0
    for rows in _fetched(result):
        columns = dict(zip(names, map(_values, zip(*rows, strict=True)), strict=True))
        schema = schema or _schema(connection, query, columns)
        try:
            batch = pa.RecordBatch.from_pydict(columns, schema=schema)
        except (pa.ArrowException, OverflowError) as error:
            reason = str(error).splitlines()[0]
            raise InputProblem(
                f"{where}: a column changes its type after row {done:,}; give it one with CAST: {reason}"
            ) from None
        done += batch.num_rows
        yield batch
    if schema is None:
        raise InputProblem(f"{where}: the query returned no rows; check it in the database")


def _fetched(result: CursorResult[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    if result.returns_rows:
        while rows := result.fetchmany(BATCH_ROWS):
            yield rows


def _values(column: Sequence[Any]) -> list[Any]:
    """A column's values as Arrow and the engine take them: decimals as floats, UUIDs as text."""
    first = next((value for value in column if value is not None), None)
    if isinstance(first, Decimal):
        return [None if value is None else float(value) for value in column]
    return [None if value is None else str(value) for value in column] if isinstance(first, UUID) else list(column)


def _schema(connection: Connection, query: str, columns: Mapping[str, list[Any]]) -> pa.Schema:
    """The types of the first batch; a column without a value there takes the type of its first value after it."""
    import pyarrow as pa
    from sqlalchemy import column, select, text

    types = {}
    for name, values in columns.items():
        known = pa.array(values)
        if pa.types.is_null(known.type) and len(values) == BATCH_ROWS:
            rows = text(f"({query.strip().rstrip(';')}) AS mortis_query")
            first = connection.execute(
                select(column(name)).select_from(rows).where(column(name).is_not(None)).limit(1)
            ).scalar()
            known = pa.array(_values([first]))
        types[name] = known.type
    return pa.schema(types)


def _is_the_querys_fault(error: DBAPIError) -> bool:
    """Whether the database refused the query, and not the service: SQLite calls both an operational error."""
    from sqlalchemy.exc import OperationalError

    if not isinstance(error, OperationalError):
        return True
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def masked(url: str) -> str:
    """The URL without its password.

    >>> masked("postgresql://anna:secret@db/prod"), masked("postgresql://db/prod?password=secret")
    ('postgresql://anna:***@db/prod', 'postgresql://db/prod?password=***')
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "database url"
    hidden = {name: "***" for name in parsed.query if name.lower() in _SECRETS}
    return parsed.update_query_dict(hidden).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")
