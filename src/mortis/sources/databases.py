"""Queries of a database, read in batches through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mortis.problems import InputProblem, WorkProblem

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 50_000


def read_query(url: str, query: str) -> Iterator[pa.RecordBatch]:
    """The query's rows as Arrow batches of at most 50,000 rows, the first batch's types for all.

    Raises InputProblem where the URL or the query is wrong, WorkProblem where the database can't be reached.
    """
    import pyarrow as pa
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError):
        raise InputProblem(f"{masked(url)}: not a database URL; write it like postgresql+psycopg://host/name") from None
    except ModuleNotFoundError as error:
        raise WorkProblem(
            f"{masked(url)}: its driver {error.name} is not installed; pip install 'mortis[postgres]'"
        ) from None
    try:
        with engine.connect().execution_options(stream_results=True, max_row_buffer=BATCH_ROWS) as connection:
            result = connection.execute(text(query))
            names = list(result.keys())
            schema = None
            while rows := result.fetchmany(BATCH_ROWS):
                columns = dict(zip(names, zip(*rows, strict=True), strict=True))
                batch = pa.RecordBatch.from_pydict({n: list(v) for n, v in columns.items()}, schema=schema)
                schema = batch.schema
                yield batch
            if schema is None:
                raise InputProblem(f"{masked(url)}: the query returned no rows; check it in the database")
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise WorkProblem(f"{masked(url)}: {reason}") from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise InputProblem(f"{masked(url)}: the query failed: {reason}") from None
    finally:
        engine.dispose()


def masked(url: str) -> str:
    """The URL without its password.

    >>> masked("postgresql://anna:secret@db/prod")
    'postgresql://anna:***@db/prod'
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "database url"
