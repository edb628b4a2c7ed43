"""What numbers and texts mean as moments: the unit that epoch numbers count in, and which texts carry an offset."""

from __future__ import annotations

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
