"""What DuckDB refuses, as a problem with a one-line message: file, line, what is wrong there."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import duckdb

from mortis.problems import InputProblem, Problem, WorkProblem

_KIND = re.compile(r"^[A-Z][A-Za-z ]* Error: ")
_CSV_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CSV_FILE = re.compile(r"^ *file = (.+)$", re.MULTILINE)
_CSV_CAST = re.compile(r'Error when converting column "(.+)"\. Could not convert string "(.*?)"? to \'(\w+)')
_CSV_WIDTH = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_JSON_PLACE = re.compile(r'in file "(.+?)", (?:at byte \d+ )?in (line|record/value) (\d+): (.+)')
_PATH = re.compile(r"""(["'])(/[^"']*/)([^/"']+)\1""")
_NUMBERS = ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT", "DECIMAL")


def problem_of(error: duckdb.Error, what: str) -> Problem | duckdb.Error:
    """The problem that DuckDB's error tells of; the error itself where it is no fault of the input or the machine.

    `what` says what was being done, as in 'log.csv can't be read' or 'reading the times'.
    """
    text = str(error).strip()
    if place := (_csv_place(text) or _json_place(text)):
        return InputProblem(place)
    line = _PATH.sub(r"\3", _KIND.sub("", text.splitlines()[0])).strip()
    if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
        return WorkProblem(f"{what}: {line}")
    if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException):
        return InputProblem(f"{what}: {line}")
    if type(error) is duckdb.Error:  # what a file's damaged pages raise
        return InputProblem(f"{what}: a file is damaged ({line}); fetch it again")
    return error


def _csv_place(text: str) -> str | None:
    line = _CSV_LINE.search(text)
    if line is None:
        return None
    file = _CSV_FILE.search(text)
    where = f"{Path(file[1]).name if file else 'CSV'} line {line[1]}"
    if cast := _CSV_CAST.search(text):
        wanted = "a number" if cast[3] in _NUMBERS else cast[3].lower()
        return f"{where}: column {cast[1]!r} holds {cast[2]!r}, where the rows before hold {wanted}; mend that row"
    if width := _CSV_WIDTH.search(text):
        return f"{where}: {width[2]} values for {width[1]} columns; mend that row, or quote what holds the delimiter"
    if "not utf-8" in text.lower():
        return f"{where}: it is not UTF-8; save the file as UTF-8"
    reasons = [one.strip() for one in text.splitlines()[1:] if one.strip() and not one.startswith("Original Line")]
    return f"{where}: {reasons[0] if reasons else 'it can not be read'}; mend that row"


def _json_place(text: str) -> str | None:
    place = _JSON_PLACE.search(text)
    if place is None:
        return None
    line = _broken_line(Path(place[1]), int(place[3]))
    where = f"line {line}" if line else f"{place[2]} {place[3]}"
    return f"{Path(place[1]).name} {where}: {place[4].strip().rstrip('.')}; mend that row"


def _broken_line(file: Path, told: int) -> int | None:
    """The line of a file of JSON lines that is no JSON; None where it isn't about where it was told to be.

    DuckDB counts records, not lines, and in some versions names the one after the broken one.
    """
    import pyarrow as pa

    record = 0
    with io.BufferedReader(pa.input_stream(str(file))) as lines:
        for number, line in enumerate(lines, 1):
            record += bool(line.strip())
            if record > told:
                break
            if record >= told - 1 and line.strip() and not _is_json(line):
                return number
    return None


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
