"""What numbers and texts mean as moments: the unit of epoch numbers, which texts carry an offset, a cell's moment."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

UNITS = ((1e8, 1e11, "s"), (1e11, 1e14, "ms"), (1e14, 1e17, "us"), (1e17, 1e20, "ns"))
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# A clock followed by an offset, as a regular expression that DuckDB (RE2) reads.
OFFSET = r"[0-9][0-9]:[0-9:.]+ ?(Z|[+-][0-9]{2}:?([0-9]{2})?)$"


def epoch_unit(latest: float) -> str:
    """What numbers up to `latest` count since 1970 ("s", "ms", "us", "ns"); empty where they are no times.

    >>> epoch_unit(1_700_000_000), epoch_unit(1_700_000_000_000.5), epoch_unit(20240101)
    ('s', 'ms', '')
    """
    return next((unit for low, high, unit in UNITS if low <= latest < high), "")


_EPOCH_DIGITS = (10, 13, 16, 19)  # of our days in each unit; other runs of digits may be dates


def moment_of(value: Any) -> datetime | None:
    """The moment in UTC that a cell states, ISO 8601 or an epoch number; None where it states none.

    What carries no offset is taken as UTC.

    >>> print(moment_of("2013-08-01T08:00:00+02:00"), moment_of(1375336800), moment_of("last week"))
    2013-08-01 06:00:00+00:00 2013-08-01 06:00:00+00:00 None
    >>> {str(moment_of(f"1375336800{zeros}")) for zeros in ("", "000", "000000", "000000000")}
    {'2013-08-01 06:00:00+00:00'}
    """
    if isinstance(value, str):
        text = value.strip()
        is_epoch = text.isascii() and text.isdigit() and len(text) in _EPOCH_DIGITS
        value = int(text) if is_epoch else text.removesuffix(" UTC")
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and (unit := epoch_unit(value)):
            value = datetime.fromtimestamp(value / PER_SECOND[unit], UTC)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001  taken as UTC below
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
