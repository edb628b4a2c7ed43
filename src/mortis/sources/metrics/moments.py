"""The column of times: texts, dates, times and epoch numbers as whole seconds since 1970, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.problems import InputProblem
from mortis.sources.metrics.points import Ints
from mortis.sources.metrics.sheets import Column, embedded_database, numbers_of
from mortis.sources.metrics.words import Words, parse_numbers
from mortis.sources.times import OFFSET, PER_SECOND, UNIT_NAMES, epoch_unit


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Whole epoch seconds, a second's fractions cut off, where they are known, and what numbers were taken to count."""

    seconds: Ints
    known: npt.NDArray[np.bool_]
    unit: str = ""


def moments_of(column: Column, *, where: str) -> Moments:
    """The moments in a column of times; times without an offset are UTC.

    Raises InputProblem, beginning with `where`, if the column holds no times, or some with an offset and some without.
    """
    if column.data.null_count == len(column.data):
        raise InputProblem(f"{where} is empty in every row; name the column with the times")
    match column.kind:
        case "time":
            return _from_arrow(column.data)
        case "number":
            return _from_numbers(column, where)
        case "text":
            return _from_text(column.words, where)
        case _:
            what = str(column.data.type).partition("<")[0]
            raise InputProblem(f"{where} holds {what}, not times; name a column of times")


def _from_arrow(data: Any) -> Moments:
    import pyarrow as pa

    stamps = data.cast(pa.timestamp("ms")) if pa.types.is_date(data.type) else data
    per = PER_SECOND[stamps.type.unit]
    ticks = stamps.cast(pa.int64())
    known = ticks.is_valid().to_numpy() if ticks.null_count else np.ones(len(ticks), dtype=np.bool_)
    counted = (ticks.fill_null(0) if ticks.null_count else ticks).to_numpy()
    return Moments(counted if per == 1 else counted // per, known)


def _from_numbers(column: Column, where: str) -> Moments:
    import pyarrow as pa

    if pa.types.is_boolean(column.data.type):
        raise InputProblem(f"{where} holds bool, not times; name a column of times")
    return _from_epoch(numbers_of(column), where)


def _from_epoch(numbers: npt.NDArray[np.float64], where: str) -> Moments:
    known = np.isfinite(numbers)
    latest = float(numbers[known].max()) if known.any() else 0.0
    unit = epoch_unit(latest)
    if not unit:
        raise InputProblem(f"{where} holds numbers up to {latest:g}, which are no epoch times; name a column of times")
    seconds = np.floor(np.where(known, numbers, 0.0) / PER_SECOND[unit]).astype(np.int64)
    return Moments(seconds, known, UNIT_NAMES[unit])


def _from_text(words: Words, where: str) -> Moments:
    parsed = parse_numbers(words)
    if parsed.known and not parsed.bad:
        return _from_epoch(parsed.values, where)
    micros, zoned = _parsed(words.words)
    bad = np.append(np.isnan(micros), False)[words.codes]  # the last place is that of code -1
    if bad.any():
        row = int(np.argmax(bad))
        value = words.word(row)
        raise InputProblem(
            f"{where}: row {row + 1} holds {value!r}, which is no time; write ISO 8601 like 2013-08-01T06:00:00Z"
        )
    if 0 < zoned < len(words):
        raise InputProblem(
            f"{where} mixes times with and without a time zone; write all of them with an offset, or none"
        )
    seconds = np.floor(np.append(micros, 0.0) / PER_SECOND["us"]).astype(np.int64)
    return Moments(seconds[words.codes], words.codes >= 0)


def _parsed(words: Any) -> tuple[npt.NDArray[np.float64], int]:
    """Microseconds since 1970 of every text, NaN where it is no time, and how many carry an offset."""
    import pyarrow as pa

    with embedded_database() as connection:
        connection.register("words", pa.table({"word": words}))
        found: Any = connection.sql(
            "SELECT epoch_us(TRY_CAST(word AS TIMESTAMPTZ))::DOUBLE AS micros, regexp_matches(word, $offset) AS zoned"
            " FROM words",
            params={"offset": OFFSET},
        ).to_arrow_table()
    return found["micros"].to_numpy(), found["zoned"].to_pylist().count(True)
