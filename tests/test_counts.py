"""Error slices on tables of counts: the same as on rows, exact, and either way round."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from mortis.counts import errors_of_counts
from mortis.intake.windows import parse_window
from mortis.problems import InputProblem
from mortis.records import ErrorAnalysis

if TYPE_CHECKING:
    from numpy.random import Generator

WINDOWS = "2024-03-04..2024-03-05", "2024-03-05..2024-03-06"


def counts(rng: Generator, *, hit: float = 0.4) -> dict[str, list[Any]]:
    """Totals and failures of two days by hour, site and device; site b fails on the second day."""
    columns: dict[str, list[Any]] = {name: [] for name in ("moment", "site", "device", "failed", "total")}
    for hour in range(48):
        for site in "abc":
            for device in ("ios", "web"):
                total = int(rng.integers(50, 200))
                rate = hit if site == "b" and hour >= 24 else 0.05
                moment = datetime(2024, 3, 4 + hour // 24, hour % 24, tzinfo=UTC)
                values = (moment, site, device, int(rng.binomial(total, rate)), total)
                for name, value in zip(columns, values, strict=True):
                    columns[name].append(value)
    return columns


def analysed(table: dict[str, list[Any]], **roles: str) -> ErrorAnalysis:
    """Step 5 on such a table."""
    named = {"errors": "failed", "count": "total", "time": "moment"} | roles
    return errors_of_counts(pa.table(table), windows=WINDOWS, **named)  # type: ignore[arg-type]


def test_the_failing_site_is_the_slice(rng):
    found = analysed(counts(rng))
    assert found.slices[0].conditions == {"site": "b"}
    assert not found.slices[0].held_out
    assert found.slices[0].q is None


def test_a_slice_counts_what_its_query_counts(rng):
    """The printed SQL gives the printed figures."""
    table = counts(rng)
    one = analysed(table).slices[0]
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("log", pa.table(table))
        sums = con.execute(
            f"SELECT sum(failed), sum(total) FROM log WHERE {one.query} GROUP BY moment::DATE ORDER BY moment::DATE"
        ).fetchall()
    assert sums == [(one.baseline.errors, one.baseline.n), (one.incident.errors, one.incident.n)]


def test_finer_rows_change_nothing(rng):
    """A table of hours and its sums by day give the same slices."""
    table = counts(rng)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("log", pa.table(table))
        by_day = con.sql(
            "SELECT date_trunc('day', moment) AS moment, site, device, sum(failed)::BIGINT AS failed,"
            " sum(total)::BIGINT AS total FROM log GROUP BY ALL"
        ).to_arrow_table()
    assert analysed(table) == analysed(by_day.to_pydict())


def test_successes_that_fell_are_errors_that_rose(rng):
    """Counting what went well finds the same slice with the counts turned round."""
    table = counts(rng)
    well = {**table, "failed": [n - e for e, n in zip(table["failed"], table["total"], strict=True)]}
    failures, successes = analysed(table), analysed(well)
    assert successes.slices == failures.slices
    assert "counting total - failed" in successes.note


def test_a_quiet_table_has_no_slice(rng):
    found = analysed(counts(rng, hit=0.05))
    assert found.slices == ()
    assert "did not rise" in found.note or "no slice stands out" in found.note


def test_csv_with_epoch_seconds(tmp_path: Path, rng):
    """Times may be epoch seconds in a CSV file, as monitoring systems write them."""
    table = counts(rng)
    lines = ["moment,site,device,failed,total"]
    for at, *values in zip(*table.values(), strict=True):
        lines.append(",".join([str(int(at.timestamp())), *(str(value) for value in values)]))
    file = tmp_path / "counts.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = errors_of_counts(str(file), errors="failed", count="total", time="moment", windows=WINDOWS)
    assert found.slices == analysed(table).slices


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"errors": "fail"}, r"--errors: column 'fail' not found in .*; did you mean 'failed'\?"),
        ({"errors": "total", "count": "failed"}, "--errors: some rows count more errors than rows in all"),
        ({"count": "failed"}, "--count: column 'failed' is that of --errors already"),
        ({"errors": "site"}, "--errors: column 'site' .* not numbers"),
    ],
)
def test_what_is_wrong_is_said(rng, change, message):
    with pytest.raises(InputProblem, match=message):
        analysed(counts(rng), **change)


def test_windows_must_hold_rows_and_lie_apart(rng):
    table = pa.table(counts(rng))
    with pytest.raises(InputProblem, match="overlap; end the baseline where the incident begins"):
        errors_of_counts(
            table, errors="failed", count="total", time="moment", windows=("2024-03-04..2024-03-06", WINDOWS[1])
        )
    with pytest.raises(InputProblem, match=r"no rows of .* lie in 2030"):
        errors_of_counts(
            table, errors="failed", count="total", time="moment", windows=(WINDOWS[0], "2030-01-01..2030-01-02")
        )


@pytest.mark.parametrize("text", ["2024-03-04", "2024-03-04..x", "a..b..c"])
def test_a_window_is_two_moments(text):
    with pytest.raises(InputProblem, match="not a window; write it like"):
        parse_window(text, "--baseline")


def test_offsets_are_minded():
    """A moment with an offset means itself, and one without is UTC."""
    one = parse_window("2024-03-04T02:00+02:00..2024-03-05", "--baseline")
    assert one == parse_window("2024-03-04..2024-03-05", "--baseline")
