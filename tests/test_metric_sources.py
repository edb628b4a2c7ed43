"""Metrics as series: from wide and long tables of every kind and from OpenMetrics text, exactly, whatever the order."""

from __future__ import annotations

import csv
import gzip
import math
import os
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mortis.case import MetricsSource
from mortis.problems import InputProblem
from mortis.records import Window
from mortis.sources import metrics
from mortis.sources.metrics import Kind, MetricsRead, openmetrics, read_metrics, register_kind
from mortis.sources.metrics.openmetrics import OPENMETRICS_FORMATS, read_samples
from mortis.sources.metrics.points import sort_points
from mortis.sources.metrics.selectors import parse_series
from mortis.telemetry import MetricSeries

BEGIN = 1_704_067_200  # 2024-01-01
MINUTES = 120
HOSTS = ("web-1", "web-2")
Points = dict[tuple[str, tuple[tuple[str, str], ...]], dict[int, float | None]]


def read(table: Any, root: Path = Path(), *, time: str | None = None, window: Window | None = None) -> MetricsRead:
    """What is read of a table."""
    return read_metrics(MetricsSource(table=table, time=time), root=root, window=window)


def points(found: MetricsRead) -> Points:
    """Every series by name and labels, as value by second; None where it isn't a number, so that these are equal."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): dict(
            zip(one.seconds.tolist(), [None if math.isnan(v) else v for v in one.values.tolist()], strict=True)
        )
        for one in found.series
    }


def moment(minute: int) -> str:
    return datetime.fromtimestamp(BEGIN + 60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def value(metric: str, host: str, minute: int) -> float | None:
    """A figure that binary fractions hold, None where nothing was measured."""
    if metric == "memory" and minute % 17 == 3:
        return None
    return len(metric) * 1000 + HOSTS.index(host) * 100 + minute / 8


def wide() -> pa.Table:
    """Two metrics of two hosts, minute by minute, a column a metric."""
    rows = [(minute, host) for minute in range(MINUTES) for host in HOSTS]
    return pa.table(
        {
            "time": [moment(minute) for minute, _ in rows],
            "host": [host for _, host in rows],
            **{metric: [value(metric, host, minute) for minute, host in rows] for metric in ("cpu", "memory")},
        }
    )


def long() -> pa.Table:
    """The same, a row a value."""
    rows = [(m, host, metric) for metric in ("cpu", "memory") for m in range(MINUTES) for host in HOSTS]
    return pa.table(
        {
            "time": [moment(minute) for minute, *_ in rows],
            "metric": [metric for *_, metric in rows],
            "value": [value(metric, host, minute) for minute, host, metric in rows],
            "host": [host for _, host, _ in rows],
        }
    )


EXPECTED: Points = {
    (metric, (("host", host),)): {BEGIN + 60 * minute: value(metric, host, minute) for minute in range(MINUTES)}
    for metric in ("cpu", "memory")
    for host in HOSTS
}


def written(table: pa.Table, file: Path) -> Path:
    """The table as a file, of the kind that its name says."""
    plain = file.with_suffix("") if file.suffix in (".gz", ".zst") else file
    if plain.suffix == ".parquet":
        pyarrow.parquet.write_table(table, plain)
    elif plain.suffix in (".csv", ".tsv"):
        mark = "\t" if plain.suffix == ".tsv" else ","
        pyarrow.csv.write_csv(table, plain, pyarrow.csv.WriteOptions(delimiter=mark))
    else:
        plain.write_text(table.to_pandas().to_json(orient="records", lines=plain.suffix == ".jsonl"), encoding="utf-8")
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(plain.read_bytes()))
    elif file.suffix == ".zst":
        with pa.output_stream(str(file), compression="zstd") as stream:
            stream.write(plain.read_bytes())
    return file


class TestEveryKindOfTable:
    """One set of figures has one set of series, however it is handed in."""

    @pytest.mark.parametrize("form", [wide, long])
    @pytest.mark.parametrize(
        "name",
        [
            *("m.csv", "m.tsv", "m.csv.gz", "m.csv.zst", "m.parquet", "m.jsonl", "m.json", "m.jsonl.gz"),
            *("M.PARQUET", "m.CSV"),
        ],
    )
    def test_files(self, form, name, tmp_path):
        file = written(form(), tmp_path / name.lower()).rename(tmp_path / name)
        found = read(name, tmp_path)
        assert points(found) == EXPECTED
        rows = form().num_rows
        assert [(one.path, one.rows, one.role) for one in found.inputs] == [(file.name, rows, "metrics")]

    @pytest.mark.parametrize("form", [wide, long])
    @pytest.mark.parametrize(
        "frame",
        [
            lambda table: table,
            lambda table: table.to_pandas(),
            pl.from_arrow,
            lambda table: table.to_pandas().assign(time=lambda df: pd.to_datetime(df.time)).set_index("time"),
            lambda table: pl.from_arrow(table).with_columns(pl.col("host").cast(pl.Categorical)),
            lambda table: pa.table({name: table[name].cast(large(table[name].type)) for name in table.column_names}),
        ],
        ids=["Arrow", "pandas", "Polars", "pandas by time", "Polars categories", "large text"],
    )
    def test_frames(self, form, frame):
        assert points(read(frame(form()))) == EXPECTED

    @pytest.mark.parametrize("form", [wide, long])
    def test_databases(self, form, tmp_path):
        table = form()
        with closing(sqlite3.connect(tmp_path / "m.db")) as connection, connection:
            connection.execute(f"CREATE TABLE m ({', '.join(table.column_names)})")
            marks = ", ".join("?" * table.num_columns)
            connection.executemany(
                f"INSERT INTO m VALUES ({marks})", [tuple(row.values()) for row in table.to_pylist()]
            )
        assert points(read({"url": "sqlite:///m.db", "table": "m"}, tmp_path)) == EXPECTED

    @pytest.mark.parametrize("form", [wide, long])
    @pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
    def test_parts_are_the_whole(self, form, suffix, tmp_path):
        table = form()
        third = -(-table.num_rows // 3)
        for part in range(3):
            written(table.slice(part * third, third), tmp_path / f"{part}.{suffix}")
        assert points(read(f"*.{suffix}", tmp_path)) == EXPECTED

    def test_files_of_different_columns_are_put_together(self, tmp_path):
        """A file for each metric gives what one file gives, and no time of one stands as not measured in the other."""
        written(wide().select(["time", "host", "cpu"]), tmp_path / "a.csv")
        written(wide().select(["time", "host", "memory"]).slice(0, 100), tmp_path / "b.csv")
        found = points(read("*.csv", tmp_path))
        assert found["cpu", (("host", "web-1"),)] == EXPECTED["cpu", (("host", "web-1"),)]
        assert len(found["memory", (("host", "web-1"),)]) == 50

    def test_order_of_rows_does_not_matter(self, rng):
        for table in (wide(), long()):
            assert points(read(table.take(rng.permutation(table.num_rows)))) == EXPECTED

    def test_the_series_stand_in_the_order_of_their_titles(self):
        titles = [one.title for one in read(long()).series]
        assert titles == sorted(titles)
        assert titles[0] == 'cpu{host="web-1"}'


def large(kind: pa.DataType) -> pa.DataType:
    return pa.large_string() if pa.types.is_string(kind) else kind


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from(["x", "y", None]),
            st.integers(BEGIN, BEGIN + 5),
            st.one_of(st.none(), st.integers(-8, 8)),
        ),
        min_size=1,
        max_size=30,
    )
)
@example(rows=[("a", "x", BEGIN, 1), ("a", "x", BEGIN, None), ("a", "x", BEGIN, 2), ("a", "y", BEGIN, None)])
def test_points_are_those_of_counting_by_hand(rows):
    """Each second of a series once, ascending, the average of what was measured then; series of nothing left out."""
    frame = pa.table(
        {
            "ts": pa.array([row[2] for row in rows], pa.int64()),
            "metric": [row[0] for row in rows],
            "value": pa.array([row[3] for row in rows], pa.float64()),
            "host": pa.array([row[1] for row in rows], pa.string()),
        }
    )
    named, hosted = {(row[0], row[2]) for row in rows}, {row[:3] for row in rows}
    tells = len(named) < len(rows) and len(hosted) > len(named)
    is_label = tells or len({row[:2] for row in rows}) == len({row[0] for row in rows})
    by_hand: dict[Any, dict[int, list[float]]] = {}
    for name, host, second, figure in rows:
        key = (name, (("host", host),) if host and is_label else ())
        by_hand.setdefault(key, {}).setdefault(second, []).extend([] if figure is None else [figure])
    expected = {
        key: {second: sum(found) / len(found) if found else None for second, found in of.items()}
        for key, of in by_hand.items()
        if any(of.values())
    }
    if not expected:
        with pytest.raises(InputProblem, match="holds no number in"):
            read(frame)
        return
    found = read(frame)
    assert points(found) == expected
    again = len(rows) - sum(map(len, by_hand.values()))
    assert any("averaged" in note for note in found.notes) == (again > 0)


@given(
    points=st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5), st.sampled_from([1.0, 2.0, 4.0, math.nan]))),
    sort=st.booleans(),
)
def test_sorted_points_are_those_of_sorting_by_hand(points, sort):
    points = sorted(points, key=lambda one: one[:2]) if sort else points
    codes, seconds = (np.array([one[i] for one in points], dtype=np.int64) for i in (0, 1))
    found = sort_points(codes, seconds, groups=4)
    pairs = sorted({one[:2] for one in points})
    assert found.seconds.tolist() == [second for _, second in pairs]
    assert found.bounds.tolist() == [sum(code < group for code, _ in pairs) for group in range(5)]
    assert found.merged == len(points) - len(pairs)
    for pair, value in zip(pairs, found.values(np.array([one[2] for one in points], dtype=float)), strict=True):
        measured = [one[2] for one in points if one[:2] == pair and not math.isnan(one[2])]
        assert value == sum(measured) / len(measured) if measured else math.isnan(value)


class TestTimes:
    """However a time is written, it is the same second."""

    SECONDS = (BEGIN, BEGIN + 86_400, BEGIN + 2 * 86_400)

    @pytest.mark.parametrize(
        "column",
        [
            ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"],
            ["2024-01-01 00:00:00", "2024-01-02 00:00", "2024-01-03"],
            ["2024-01-01T02:00:00+02:00", "2024-01-01T19:00:00-05:00", "2024-01-03T00:00:00.75Z"],
            ["2024/01/01 00:00:00", "2024/01/02 00:00:00", "2024/01/03 00:00:00"],
            ["2024-01-01", "2024-01-02", "2024-01-03"],
            [str(second) for second in SECONDS],
            [f"{second}.75" for second in SECONDS],
            [f"{second}250" for second in SECONDS],
            [f"{second}250000" for second in SECONDS],
            [f"{second}250000999" for second in SECONDS],
        ],
        ids=["Z", "bare", "offset", "slashes", "dates", "s", "s with fractions", "ms", "us", "ns"],
    )
    @pytest.mark.parametrize("kind", ["csv", "jsonl", "frame"])
    def test_texts_and_numbers(self, column, kind, tmp_path):
        table = pa.table({"ts": column, "cpu": [1.0, 2.0, 3.0]})
        source = table if kind == "frame" else written(table, tmp_path / f"m.{kind}").name
        found = read(source, tmp_path)
        assert points(found) == {("cpu", ()): dict(zip(self.SECONDS, [1.0, 2.0, 3.0], strict=True))} or kind == "csv"
        assert found.series[0].seconds.tolist() == list(self.SECONDS)

    @pytest.mark.parametrize(
        "kind",
        [pa.timestamp("s"), pa.timestamp("ns", "UTC"), pa.timestamp("ms", "Europe/Paris"), pa.date32(), pa.date64()],
        ids=str,
    )
    def test_times_proper(self, kind):
        stamps = pa.array(self.SECONDS, pa.int64()).cast(pa.timestamp("s")).cast(kind)
        found = read(pa.table({"ts": stamps, "cpu": [1.0, 2.0, 3.0]}))
        assert found.series[0].seconds.tolist() == list(self.SECONDS)

    def test_before_1970_fractions_are_cut_downwards(self):
        found = read(pa.table({"ts": ["1969-12-31T23:59:58.5Z", "1970-01-01T00:00:00Z"], "cpu": [1.0, 2.0]}))
        assert found.series[0].seconds.tolist() == [-2, 0]

    def test_what_numbers_count_is_told(self):
        found = read(pa.table({"ts": [BEGIN * 1000, BEGIN * 1000 + 60_000], "cpu": [1.0, 2.0]}))
        assert "frame: 'ts' counts milliseconds since 1970" in found.notes

    def test_rows_without_a_time_are_left_out_and_counted(self, tmp_path):
        (tmp_path / "m.csv").write_text("ts,cpu\n2024-01-01,1\n,2\n-,3\n2024-01-02,4\n", encoding="utf-8")
        found = read("m.csv", tmp_path)
        assert points(found) == {("cpu", ()): {BEGIN: 1.0, BEGIN + 86_400: 4.0}}
        assert "m.csv: 2 rows without a time left out" in found.notes

    def test_the_stated_column_goes_before_the_guess(self):
        table = pa.table({"time": [BEGIN, BEGIN + 1], "when": [BEGIN + 60, BEGIN + 120], "cpu": [1.0, 2.0]})
        assert read(table, time="when").series[0].seconds.tolist() == [BEGIN + 60, BEGIN + 120]

    def test_a_window_is_half_open(self):
        """Its start is inside, its end is not; what lies outside is counted."""
        window = Window(*(datetime.fromtimestamp(BEGIN + 60 * minute, UTC) for minute in (10, 20)))
        found = read(long(), window=window)
        assert {s for of in points(found).values() for s in of} == {BEGIN + 60 * minute for minute in range(10, 20)}
        assert "frame: 440 rows outside 2024-01-01T00:10:00Z..2024-01-01T00:20:00Z left out" in found.notes


class TestWholeNumbers:
    """Numbers that only say whose row it is are no metric, as far as that can be told."""

    @staticmethod
    def of(*, hosts: int = 3, moments: int = 5, **columns: Any) -> MetricsRead:
        seconds = np.repeat(BEGIN + 60 * np.arange(moments), hosts)
        cpu = np.arange(hosts * moments) * 0.5
        given = {name: np.tile(values, moments) for name, values in columns.items()}
        return read(pa.table({"ts": seconds, "cpu": cpu, **given}))

    @pytest.mark.parametrize("name", ["pod_id", "id", "podId", "ID", "pod ID", "pid"])
    def test_an_id_by_its_name_is_a_label(self, name):
        found = self.of(**{name: [7, 8, 9]}, moments=2)
        assert [one.title for one in found.series] == [f'cpu{{{name}="{pod}"}}' for pod in (7, 8, 9)]

    @pytest.mark.parametrize("name", ["valid", "grid", "bid", "Covid"])
    def test_a_word_that_ends_alike_is_a_metric(self, name):
        assert {one.name for one in self.of(**{name: [1]}, hosts=1).series} == {"cpu", name}

    def test_each_value_once_at_every_moment_is_a_label(self):
        assert [one.title for one in self.of(shard=[0, 1, 2]).series] == [f'cpu{{shard="{i}"}}' for i in range(3)]

    def test_a_row_number_is_left_out_and_told(self):
        found = read(pa.table({"ts": [BEGIN + i for i in range(4)], "id": [1, 2, 3, 4], "cpu": [0.5, 0.75, 0.5, 1.0]}))
        assert [one.title for one in found.series] == ["cpu"]
        assert any("tell none apart: id" in note for note in found.notes)

    def test_what_repeats_at_a_moment_or_varies_between_them_is_a_metric(self):
        assert {one.name for one in self.of(queue=[0, 0, 2], host=["a", "b", "c"]).series} == {"cpu", "queue"}
        seconds = np.repeat(BEGIN + 60 * np.arange(4), 2)
        queue = [1, 2, 3, 4, 1, 2, 5, 6]
        found = read(pa.table({"ts": seconds, "queue": queue, "host": ["a", "b"] * 4}))
        assert [one.title for one in found.series] == ['queue{host="a"}', 'queue{host="b"}']

    def test_two_moments_are_too_few_to_tell(self):
        assert {one.name for one in self.of(shard=[0, 1, 2], moments=2).series} == {"cpu", "shard"}


class TestGuesses:
    """What the tools that people export from write is read as meant, and the guess is told."""

    @staticmethod
    def of(text: str, root: Path, name: str = "m.csv") -> MetricsRead:
        (root / name).write_text(text, encoding="utf-8")
        return read(name, root)

    def test_grafana_with_series_joined_by_time(self, tmp_path):
        found = self.of(
            'sep=,\n"Time","{__name__=""up"", job=""a, b""}","cpu{host=""x""}","{job=""y""}"\n'
            f"{BEGIN}000,1,0.5,\n{BEGIN + 15}000,0,NaN,3\n",
            tmp_path,
        )
        assert points(found) == {
            ("up", (("job", "a, b"),)): {BEGIN: 1.0, BEGIN + 15: 0.0},
            ("cpu", (("host", "x"),)): {BEGIN: 0.5, BEGIN + 15: None},
            ("m", (("job", "y"),)): {BEGIN: None, BEGIN + 15: 3.0},
        }

    def test_grafana_with_a_row_per_value(self, tmp_path):
        found = self.of(
            f'"Series";"Time";"Value"\ncpu;{moment(0)};1,5\ncpu;{moment(1)};2\n"a;b";{moment(0)};3\n', tmp_path
        )
        assert points(found) == {("cpu", ()): {BEGIN: None, BEGIN + 60: 2.0}, ("a;b", ()): {BEGIN: 3.0}}
        assert (
            "m.csv: column 'Value': 1 cell taken as not measured, being no number, the first '1,5' in row 1"
            in found.notes
        )

    def test_cloudwatch_with_several_statistics(self, tmp_path):
        found = self.of(
            f"Timestamp,MetricName,Average,Maximum,Unit\n{moment(0)},CPU,1,2,Percent\n{moment(0)},Net,3,4,Bytes\n",
            tmp_path,
        )
        assert points(found) == {
            ("CPU", (("Unit", "Percent"), ("statistic", "Average"))): {BEGIN: 1.0},
            ("CPU", (("Unit", "Percent"), ("statistic", "Maximum"))): {BEGIN: 2.0},
            ("Net", (("Unit", "Bytes"), ("statistic", "Average"))): {BEGIN: 3.0},
            ("Net", (("Unit", "Bytes"), ("statistic", "Maximum"))): {BEGIN: 4.0},
        }

    def test_influxdb_with_annotations(self, tmp_path):
        found = self.of(
            "#group,false,false,true,true,false,true\n#default,_result,,,,,\n"
            ",result,_start,_time,_value,_field,_measurement\n"
            f",,{moment(0)},{moment(0)},1.5,usage,cpu\n,,{moment(0)},{moment(1)},2.5,usage,cpu\n",
            tmp_path,
        )
        assert points(found) == {("usage", (("_measurement", "cpu"),)): {BEGIN: 1.5, BEGIN + 60: 2.5}}
        assert "m.csv: column '_start' left out: it holds times" in found.notes

    def test_a_lone_value_is_named_after_its_file(self, shared_data):
        """As the 58 series of NAB are, each in a file of its own; counted with the csv module."""
        folder = shared_data("nab/data")
        found = points(read("*/*.csv", folder))
        by_hand: dict[str, dict[int, list[float]]] = {}
        for file in folder.glob("*/*.csv"):
            for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
                second = int(datetime.fromisoformat(row["timestamp"] + "+00:00").timestamp())
                by_hand.setdefault(file.stem, {}).setdefault(second, []).append(float(row["value"]))
        assert len(found) == 58
        assert found == {
            (name, ()): {second: pytest.approx(sum(v) / len(v), rel=1e-15) for second, v in of.items()}
            for name, of in by_hand.items()
        }

    def test_files_of_one_name_are_told_apart_by_their_folders(self, tmp_path):
        for host in "ab":
            (tmp_path / host).mkdir()
            self.of(f"ts,value\n{BEGIN},{ord(host)}\n", tmp_path / host, "cpu.csv")
        found = read("*/cpu.csv", tmp_path)
        assert points(found) == {("a/cpu", ()): {BEGIN: 97.0}, ("b/cpu", ()): {BEGIN: 98.0}}

    @pytest.mark.parametrize(
        "place", ["high_traffic/noissue", "high_traffic/train/issue_0", "low_traffic/train/issue_3"]
    )
    def test_three_header_rows_are_name_and_labels(self, place, shared_data):
        """As in PetShop's tables, compared with the csv module cell by cell."""
        folder = shared_data(f"petshop/{place}")
        services, names, statistics, _, *rows = csv.reader(
            (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()
        )
        expected = {}
        for i in range(1, len(services)):
            key = (names[i], (("microservice", services[i]), ("statistic", statistics[i])))
            cells = {int(float(row[0])): float(row[i]) if row[i] else None for row in rows}
            if any(cell is not None for cell in cells.values()):
                expected[key] = cells
        found = read("metrics.csv", folder)
        assert points(found) == expected
        assert (
            "3 header rows: times from 'unix_timestamp', names from 'metric', labels 'microservice'" in found.notes[0]
        )

    @pytest.mark.parametrize("named", [True, False])
    @pytest.mark.parametrize("kind", ["csv", "frame", "parquet"])
    def test_columns_of_several_levels_from_pandas(self, named, kind, tmp_path):
        columns = pd.MultiIndex.from_tuples([("a", "cpu"), ("b", "cpu")], names=["svc", "metric"] if named else None)
        index = pd.DatetimeIndex([moment(0), moment(1)], name="at" if named else None).tz_localize(None)
        frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=index, columns=columns)
        if kind == "csv":
            frame.to_csv(tmp_path / "m.csv")
        elif kind == "parquet":
            frame.to_parquet(tmp_path / "m.parquet")
        found = points(read(frame if kind == "frame" else f"m.{kind}", tmp_path))
        assert found == {
            ("cpu" if named else host, (("svc", host) if named else ("level 2", "cpu"),)): {
                BEGIN: float(place + 1),
                BEGIN + 60: float(place + 3),
            }
            for place, host in enumerate("ab")
        }

    def test_text_tells_series_apart_only_where_times_repeat(self):
        """A text that changes over time is no label, one that never changes is; both are told."""
        table = pa.table(
            {"ts": [BEGIN, BEGIN + 60], "cpu": [1.0, 2.0], "status": ["ok", "slow"], "host": ["web-1", "web-1"]}
        )
        found = read(table)
        assert points(found) == {("cpu", (("host", "web-1"),)): {BEGIN: 1.0, BEGIN + 60: 2.0}}
        assert "frame: columns left out, as they make no series and tell none apart: status" in found.notes

    def test_a_text_of_its_own_in_most_rows_tells_no_series_apart(self):
        rows = 300
        table = pa.table(
            {
                "ts": [BEGIN + 60 * (i // 2) for i in range(rows)],
                "cpu": [1.0] * rows,
                "trace": [str(i) + "x" for i in range(rows)],
            }
        )
        found = read(table)
        assert [(one.title, len(one)) for one in found.series] == [("cpu", 150)]
        assert any("trace" in note for note in found.notes)

    def test_numbers_beside_the_value_are_labels_only_where_they_tell_apart(self):
        """The bounds of a histogram's buckets do, a count of samples doesn't."""
        table = pa.table(
            {
                "ts": [BEGIN, BEGIN, BEGIN + 60, BEGIN + 60],
                "name": ["b"] * 4,
                "value": [1.0, 2.0, 3.0, 4.0],
                "le": [0.5, 2.5, 0.5, 2.5],
                "n": [9, 9, 8, 8],
            }
        )
        assert points(read(table)) == {
            ("b", (("le", "0.5"),)): {BEGIN: 1.0, BEGIN + 60: 3.0},
            ("b", (("le", "2.5"),)): {BEGIN: 2.0, BEGIN + 60: 4.0},
        }

    def test_numbers_in_text_keep_their_notes_and_signs(self, tmp_path):
        lines = [f"{moment(i)},cpu,{cell}" for i, cell in enumerate(("+1", "-2.5e0", "oops", "+Inf", "-infinity"))]
        found = self.of("ts,metric,load\n" + "\n".join(lines), tmp_path)
        assert points(found) == {
            ("cpu", ()): {BEGIN: 1.0, BEGIN + 60: -2.5, BEGIN + 120: None, BEGIN + 180: None, BEGIN + 240: None}
        }
        assert any("the first 'oops' in row 3" in note for note in found.notes)
        assert "2 infinite values taken as not measured" in found.notes

    @pytest.mark.parametrize(("names", "first"), [(("index", "started"), [0, 1]), (("min", "t"), [5.0, 6.0])])
    def test_a_name_that_may_mean_a_time_is_believed_where_the_column_holds_times(self, names, first):
        found = read(pa.table({names[0]: first, names[1]: [moment(0), moment(1)], "cpu": [1.0, 2.0]}), time=None)
        assert [one.name for one in found.series if one.name == "cpu"] == ["cpu"]
        assert found.series[0].seconds.tolist() == [BEGIN, BEGIN + 60]

    @pytest.mark.parametrize("cell", ["", "-", "NaN", "nan", "null", "N/A"])
    def test_cells_of_nothing_are_not_measured(self, cell, tmp_path):
        found = self.of(f"ts,cpu\n{moment(0)},1\n{moment(1)},{cell}\n{moment(2)},3\n", tmp_path)
        assert points(found) == {("cpu", ()): {BEGIN: 1.0, BEGIN + 60: None, BEGIN + 120: 3.0}}
        assert len(found.notes) == 1

    @pytest.mark.parametrize("row", [1, 700, 40_000])
    def test_a_cell_that_is_no_number_is_told_wherever_it_stands(self, row, tmp_path):
        lines = [f"{BEGIN + i},{i}" for i in range(40_000)]
        lines[row - 1] = f"{BEGIN + row - 1},overload"
        found = self.of("ts,cpu\n" + "\n".join(lines), tmp_path)
        assert len(found.series[0]) == 40_000
        assert np.flatnonzero(np.isnan(found.series[0].values)).tolist() == [row - 1]
        assert f"the first 'overload' in row {row:,}" in found.notes[2]

    def test_infinite_values_are_not_measured(self):
        found = read(pa.table({"ts": [BEGIN, BEGIN + 1], "cpu": [math.inf, 1.0]}))
        assert points(found) == {("cpu", ()): {BEGIN: None, BEGIN + 1: 1.0}}
        assert "1 infinite value taken as not measured" in found.notes

    def test_series_without_a_number_are_left_out_and_named(self):
        found = read(pa.table({"ts": [BEGIN, BEGIN + 1], "cpu": [1.0, 2.0], "gpu": [math.nan, math.nan]}))
        assert [one.name for one in found.series] == ["cpu"]
        assert "1 series without a number left out: gpu" in found.notes

    def test_true_and_false_are_one_and_zero(self, tmp_path):
        found = self.of(f"ts,up\n{moment(0)},true\n{moment(1)},false\n", tmp_path)
        assert points(found) == {("up", ()): {BEGIN: 1.0, BEGIN + 60: 0.0}}


class TestCounters:
    """What only grows comes as its increase per second; what a name alone promises is not believed."""

    def test_a_counter_is_a_rate_and_may_begin_anew(self):
        seconds = [BEGIN + 60 * i for i in range(14)]
        total = [*range(0, 780, 60), 30]  # it restarts before the last point
        found = read(pa.table({"ts": seconds, "requests_total": [float(one) for one in total]}))
        rates = dict.fromkeys(seconds[1:-1], 1.0) | {seconds[-1]: 0.5}
        assert points(found) == {("rate(requests_total)", ()): rates}
        assert found.notes[-2:] == (
            "counters are replaced by their increase per second, as rate(name): requests_total",
            "1 fall of counters taken as their beginning anew at 0",
        )

    def test_a_point_not_measured_is_bridged(self):
        found = read(pa.table({"ts": [BEGIN, BEGIN + 60, BEGIN + 120], "x_total": [0.0, math.nan, 60.0]}))
        assert points(found) == {("rate(x_total)", ()): {BEGIN + 120: 0.5}}

    def test_a_total_per_interval_is_left_as_it_is(self, rng):
        totals = rng.poisson(20, 100).astype(float)
        found = read(pa.table({"ts": [BEGIN + 60 * i for i in range(100)], "orders_total": totals}))
        assert found.series[0].name == "orders_total"
        assert found.series[0].values.tolist() == totals.tolist()

    def test_the_parts_of_histograms_and_summaries_are_counters_too(self):
        """Told without types by the bounds or quantiles beside them; another count is a level."""
        grows = [float(i) for i in range(5)]
        names = {'h_bucket{le="1"}', "h_count", "h_sum", 's{quantile="0.5"}', "s_count", "pod_count", "x_bucket"}
        found = read(pa.table({"ts": [BEGIN + i for i in range(5)], **dict.fromkeys(sorted(names), grows)}))
        rates = {"rate(h_bucket)", "rate(h_count)", "rate(h_sum)", "rate(s_count)"}
        assert {one.name for one in found.series} == rates | {"s", "pod_count", "x_bucket"}

    def test_one_restarting_instance_is_a_counter_like_the_others(self):
        """The name decides, over all its series."""
        rows = [
            (BEGIN + i, host, float(i % (7 if host == "h0" else 1000)))
            for i in range(100)
            for host in (f"h{k}" for k in range(5))
        ]
        seconds, hosts, values = zip(*rows, strict=True)
        found = read(pa.table({"ts": seconds, "host": hosts, "x_total": values}))
        assert {one.name for one in found.series} == {"rate(x_total)"}


OPENMETRICS = """\
# HELP http_requests Requests.
# TYPE http_requests counter
http_requests_total{code="200",path="/a b"} 10 1704067200
http_requests_total{code="200",path="/a b"} 70 1704067260.0
http_requests_created{code="200",path="/a b"} 1704060000 1704067200
# TYPE temperature_celsius gauge
# UNIT temperature_celsius celsius
temperature_celsius 21.5 1.7040672e9
temperature_celsius{room="\\"b\\" \\\\ }#"} -1e-3 1704067200
# TYPE latency histogram
latency_bucket{le="0.1"} 5 1704067200
latency_bucket{le="0.1"} 11 1704067260 # {trace_id="x y"} 0.05 1704067259.5
latency_bucket{le="+Inf"} 6 1704067200
latency_bucket{le="+Inf"} 18 1704067260
latency_sum 1.5 1704067200
latency_sum 4.5 1704067260
latency_count 6 1704067200
latency_count 18 1704067260
# EOF
"""


class TestOpenMetrics:
    """Samples in text are read as they stand; what the types call counters comes as rates."""

    @staticmethod
    def of(text: str, root: Path, name: str = "m.om", **asked: Any) -> MetricsRead:
        (root / name).write_bytes(text.encode())
        return read(name, root, **asked)

    def test_every_type(self, tmp_path):
        found = self.of(OPENMETRICS, tmp_path)
        later = BEGIN + 60
        assert points(found) == {
            ("rate(http_requests_total)", (("code", "200"), ("path", "/a b"))): {later: 1.0},
            ("temperature_celsius", ()): {BEGIN: 21.5},
            ("temperature_celsius", (("room", '"b" \\ }#'),)): {BEGIN: -0.001},
            ("rate(latency_bucket)", (("le", "0.1"),)): {later: 0.1},
            ("rate(latency_bucket)", (("le", "+Inf"),)): {later: 0.2},
            ("rate(latency_sum)", ()): {later: 0.05},
            ("rate(latency_count)", ()): {later: 0.2},
        }
        assert found.notes[0] == "m.om: 13 samples, timestamps in seconds since 1970"
        assert found.inputs[0].rows == 13

    def test_prometheus_text_counts_milliseconds(self, tmp_path):
        text = (
            f'# TYPE x_total counter\nx_total{{a="b",}} 1 {BEGIN}000\nx_total {{ a = "b" }}\t31 {BEGIN + 60}000\r\n\n'
        )
        text += f"up 1 {BEGIN}999"
        found = self.of(text, tmp_path, "m.prom")
        assert points(found) == {("rate(x_total)", (("a", "b"),)): {BEGIN + 60: 0.5}, ("up", ()): {BEGIN: 1.0}}
        assert found.notes[0] == "m.prom: 3 samples, timestamps in milliseconds since 1970"

    def test_a_gauge_that_is_called_a_total_and_grows_is_no_counter(self, tmp_path):
        found = self.of(f"# TYPE x_total gauge\nx_total 1 {BEGIN}\nx_total 2 {BEGIN + 1}\n# EOF\n", tmp_path)
        assert found.series[0].name == "x_total"

    def test_samples_without_a_timestamp_are_left_out_and_counted(self, tmp_path):
        found = self.of(f"a 1 {BEGIN}\na 2\nb 3\n", tmp_path, "m.prom")
        assert points(found) == {("a", ()): {BEGIN: 1.0}}
        assert "m.prom: 2 samples without a timestamp left out" in found.notes

    def test_a_missing_end_is_told(self, tmp_path):
        found = self.of(f"a 1 {BEGIN}\n", tmp_path)
        assert "m.om: the last line is not '# EOF', so that the file's end may be missing" in found.notes

    def test_a_window_is_half_open(self, tmp_path):
        window = Window(*(datetime.fromtimestamp(BEGIN + second, UTC) for second in (0, 60)))
        found = self.of("".join(f"a {i} {BEGIN + 30 * i}\n" for i in range(-1, 4)), tmp_path, window=window)
        assert points(found) == {("a", ()): {BEGIN: 0.0, BEGIN + 30: 1.0}}

    @pytest.mark.parametrize("packed", ["gz", "zst"])
    def test_packed_files_and_several_of_them(self, packed, tmp_path):
        for part in range(2):
            with pa.output_stream(
                str(tmp_path / f"{part}.om.{packed}"), compression="gzip" if packed == "gz" else "zstd"
            ) as stream:
                stream.write(f"a {part} {BEGIN + part}\n# EOF\n".encode())
        assert points(read(f"*.om.{packed}", tmp_path)) == {("a", ()): {BEGIN: 0.0, BEGIN + 1: 1.0}}
        assert points(read(".", tmp_path)) == points(read(f"*.om.{packed}", tmp_path))

    def test_blocks_are_the_whole(self, tmp_path, monkeypatch):
        whole = points(self.of(OPENMETRICS, tmp_path))
        for size in (1, 7, 64, 150):
            monkeypatch.setattr(openmetrics, "_BLOCK", size)
            assert points(read("m.om", tmp_path)) == whole


NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,5}", fullmatch=True)
KEYS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,3}", fullmatch=True).filter(lambda key: key != "__name__")
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=6)
SERIES = st.tuples(NAMES, st.dictionaries(KEYS, TEXTS, max_size=3))
BLANKS = st.sampled_from(["", " ", "\t "])


def exposed(name: str, labels: Mapping[str, str], blank: str = "", *, outside: bool = False) -> str:
    """A series as the text format has it; its name may stand outside the braces or in them."""
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
    inner = [f'{key}{blank}={blank}"{text.translate(escapes)}"' for key, text in labels.items()]
    inner = inner if outside else [f'__name__="{name}"', *inner]
    return (name if outside else "") + (f"{{{blank}{f',{blank}'.join(inner)}{blank}}}" if inner else "")


@given(series=SERIES, blank=BLANKS, outside=st.booleans())
def test_a_series_that_is_written_is_read_back(series, blank, outside):
    assert parse_series(exposed(series[0], series[1], blank, outside=outside)) == series


@given(text=st.text(st.sampled_from('ab{}=",\\ _\n'), max_size=14))
def test_whatever_is_no_series_is_told_and_never_crashes(text):
    """What is read is what its own spelling is read as."""
    found = parse_series(text)
    if found is not None and found[0]:
        assert parse_series(exposed(*found)) == found


@given(
    samples=st.lists(
        st.tuples(SERIES, st.floats(allow_infinity=False), st.integers(BEGIN, BEGIN + 3), BLANKS, st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_samples_that_are_written_are_read_back(samples, tmp_path_factory):
    """Names, labels, values and times, whatever blanks stand between them."""
    file = tmp_path_factory.mktemp("om") / "m.om"
    lines = [
        f"{exposed(one[0], one[1], blank, outside=outside)}{blank} {v!r}{blank} {t}\n"
        for one, v, t, blank, outside in samples
    ]
    file.write_bytes(("".join(lines) + "# EOF\n").encode())
    found = read_samples(file, key="t")
    texts = found.series.words.to_pylist()
    assert [parse_series(texts[code]) for code in found.series.codes] == [one[0] for one in samples]
    assert np.array_equal(found.values, [one[1] for one in samples], equal_nan=True)
    assert found.times.tolist() == [one[2] for one in samples]
    assert found.ended


def test_another_kind_of_source_goes_through_the_same_door(monkeypatch):
    """What is registered last is asked first."""
    monkeypatch.setattr(metrics, "KINDS", dict(metrics.KINDS))
    one = MetricSeries("x", np.array([0]), np.array([1.0]))
    register_kind(
        Kind("own", lambda source: source.table == "own", lambda _, asked: MetricsRead((one,), (asked.key,), ()))
    )
    assert read("own").notes == ("metrics",)
    assert points(read(wide())) == EXPECTED


def test_every_suffix_of_samples_is_documented(root):
    text = (root / "docs" / "case-file.md").read_text(encoding="utf-8")
    assert [suffix for suffix in OPENMETRICS_FORMATS if f"`{suffix}`" not in text] == []


GOOD = f"ts,cpu\n{moment(0)},1\n{moment(1)},2\n"
KNOWN = (
    ".csv, .csv.gz, .csv.zst, .json, .jsonl, .jsonl.gz, .jsonl.zst, .ndjson, .ndjson.gz, .ndjson.zst, .om, .om.gz, "
    ".om.zst, .openmetrics, .openmetrics.gz, .openmetrics.zst, .parquet, .pq, .prom, .prom.gz, .prom.zst, .tsv, "
    ".tsv.gz, .tsv.zst"
)
BROKEN = {
    "no file": ("m.csv", None, "metrics.table: no such file: m.csv (looked in {here}); that folder is empty"),
    "empty": ("m.csv", b"", "metrics.table: m.csv is empty; hand over a file with rows"),
    "header alone": ("m.csv", b"ts,cpu\n", "metrics.table: m.csv has columns but no rows; hand over a table with rows"),
    "no header": (
        "m.csv",
        GOOD.partition("\n")[2].encode(),
        "metrics.table: m.csv line 1 holds '2024-01-01T00:00:00Z', where the columns' names should stand; add them",
    ),
    "unknown suffix": (
        "m.txt",
        GOOD.encode(),
        f"metrics.table: m.txt: unknown kind of file '.txt'; known: {KNOWN}",
    ),
    "no time column": (
        "m.csv",
        b"service,cpu\na,1\nb,2\n",
        (
            "metrics.time: no column of m.csv is named like a time or holds times; state which does; "
            "there are: service, cpu"
        ),
    ),
    "unparsable time": (
        "m.csv",
        f"ts,cpu\n{moment(0)},1\nyesterday,2\n".encode(),
        (
            "metrics.time: column 'ts' of m.csv: row 2 holds 'yesterday', which is no time; "
            "write ISO 8601 like 2013-08-01T06:00:00Z"
        ),
    ),
    "mixed offsets": (
        "m.csv",
        f"ts,cpu\n{moment(0)},1\n2024-01-01T00:01:00,2\n".encode(),
        (
            "metrics.time: column 'ts' of m.csv mixes times with and without a time zone; "
            "write all of them with an offset, or none"
        ),
    ),
    "numbers that are no times": (
        "m.csv",
        b"ts,cpu\n1,1\n2,2\n",
        "metrics.time: column 'ts' of m.csv holds numbers up to 2, which are no epoch times; name a column of times",
    ),
    "no times at all": (
        "m.csv",
        b"ts,cpu\n-,1\n,2\n",
        "metrics.time: column 'ts' of m.csv is empty in every row; name the column with the times",
    ),
    "no numeric column": (
        "m.csv",
        f"ts,state\n{moment(0)},up\n{moment(1)},down\n".encode(),
        "metrics.table: no column of m.csv beside 'ts' holds numbers; there are: ts, state",
    ),
    "NaN only": (
        "m.csv",
        f"ts,cpu,mem\n{moment(0)},NaN,nan\n{moment(1)},-,\n".encode(),
        "metrics.table: no column of m.csv beside 'ts' holds numbers; there are: ts, cpu, mem",
    ),
    "a column twice": ("m.csv", b"ts,cpu,cpu\n1,1,1\n", "metrics.table: m.csv has two columns named 'cpu'; rename one"),
    "a short row": (
        "m.csv",
        (GOOD + "2024-01-01\n").encode(),
        "metrics.table: m.csv line 4: 1 values for 2 columns; mend that row, or quote what holds the delimiter",
    ),
    "not UTF-8": (
        "m.csv",
        GOOD.replace("cpu", "host,cpu").replace("Z,", "Z,a,").encode() + f"{moment(2)},\xe9t\xe9,3\n".encode("latin-1"),
        "metrics.table: m.csv line 4: it is not UTF-8; save the file as UTF-8",
    ),
    "header not UTF-8": (
        "m.csv",
        b"ts,temp\xe9rature\n1,2\n",
        "metrics.table: m.csv line 1: it is not UTF-8; save the file as UTF-8",
    ),
    "UTF-16": (
        "m.csv",
        GOOD.encode("utf-16"),
        "metrics.table: m.csv isn't what its name says: it is UTF-16; save it as UTF-8",
    ),
    "not gzip": (
        "m.csv.gz",
        GOOD.encode(),
        "metrics.table: m.csv.gz isn't what its name says: it is not compressed by gzip; name it by its kind",
    ),
    "gzip cut short": (
        "m.csv.gz",
        gzip.compress(os.urandom(3000).hex().encode())[:-900],
        "metrics.table: m.csv.gz is damaged (Truncated compressed stream); fetch it again",
    ),
    "samples that are none": (
        "m.om",
        f"cpu 1 {BEGIN}\ncpu one {BEGIN}\n".encode(),
        f"metrics.table: m.om line 2: 'cpu one {BEGIN}' is no sample; write name{{{{label=\"text\"}}}} value timestamp",
    ),
    "labels that are none": (
        "m.om",
        f'cpu 1 {BEGIN}\n\ncpu{{host="a" "b"}} 1 {BEGIN}\n'.encode(),
        'metrics.table: m.om line 3: \'cpu{{host="a" "b"}}\' is no sample; write name{{label="text"}} value timestamp',
    ),
    "samples after the end": (
        "m.om",
        f"cpu 1 {BEGIN}\n# EOF\ncpu 2 {BEGIN}\n".encode(),
        "metrics.table: m.om line 3 follows '# EOF' in line 2; take that one out",
    ),
    "samples without times": (
        "m.prom",
        b"cpu 1\nmem 2\n",
        (
            "metrics.table: m.prom holds samples without timestamps, which show one moment; "
            "hand over samples over time, such as `promtool tsdb dump` writes"
        ),
    ),
    "no samples": (
        "m.om",
        b"# TYPE cpu gauge\n# EOF\n",
        "metrics.table: m.om holds no samples; hand over lines like `cpu 0.5 1700000000`",
    ),
    "samples not UTF-8": (
        "m.om",
        f"cpu 1 {BEGIN}\n# \xe9t\xe9\n".encode("latin-1"),
        "metrics.table: m.om line 2: it is not UTF-8; save the file as UTF-8",
    ),
}


class TestBrokenInput:
    """What is wrong is told in one line, with its place and the remedy."""

    @pytest.mark.parametrize("name", BROKEN)
    def test_files(self, name, tmp_path):
        file, content, message = BROKEN[name]
        if content is not None:
            (tmp_path / file).write_bytes(content)
        with pytest.raises(InputProblem) as problem:
            read(file, tmp_path)
        assert str(problem.value) == message.format(here=tmp_path)

    @pytest.mark.parametrize("broken", [1, 2, 7, 20])
    @pytest.mark.parametrize(
        ("name", "between", "pack"),
        [
            ("m.jsonl", "\n", bytes),
            ("m.jsonl", "\r\n", bytes),
            ("m.jsonl", "\n\n", bytes),
            ("m.jsonl.gz", "\n", gzip.compress),
        ],
        ids=["lines", "Windows", "blank lines", "packed"],
    )
    def test_json_lines_name_the_line_that_is_broken(self, broken, name, between, pack, tmp_path):
        """Whatever DuckDB, which reads them, calls it: some versions name the one after it, and count no blank ones."""
        lines = [f'{{"ts": {1704067200 + 60 * i}, "cpu": {i}}}' for i in range(20)]
        lines[broken - 1] = lines[broken - 1].replace(", ", " ")
        (tmp_path / name).write_bytes(pack(between.join([*lines, ""]).encode()))
        line = 1 + (broken - 1) * between.count("\n")
        with pytest.raises(
            InputProblem, match=rf"^{re.escape(name)} line {line}: unexpected character[^\n]*; mend that row$"
        ):
            read(name, tmp_path)

    def test_parquet_cut_short_and_damaged(self, tmp_path):
        raw = written(long(), tmp_path / "m.parquet").read_bytes()
        (tmp_path / "short.parquet").write_bytes(raw[:-100])
        with pytest.raises(
            InputProblem, match=r"^metrics\.table: short\.parquet isn't .*: it is Parquet cut short; fetch the whole"
        ):
            read("short.parquet", tmp_path)
        (tmp_path / "damaged.parquet").write_bytes(raw[:4] + bytes(200) + raw[204:])
        with pytest.raises(
            InputProblem, match=r"^metrics\.table: damaged\.parquet is damaged \([^\n]*\); fetch it again$"
        ):
            read("damaged.parquet", tmp_path)

    def test_a_stated_column_that_is_not_there(self):
        with pytest.raises(
            InputProblem,
            match=r"^metrics\.time: column 'tme' not found in frame; did you mean 'time'\? there are: time, host, cpu",
        ):
            read(wide(), time="tme")

    def test_a_stated_column_that_holds_no_times(self):
        with pytest.raises(
            InputProblem, match=r"^metrics\.time: column 'host' of frame: row 1 holds 'web-1', which is no time"
        ):
            read(wide(), time="host")

    def test_a_window_without_a_row(self, tmp_path):
        window = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))
        (tmp_path / "m.om").write_text(f"cpu 1 {BEGIN}\n", encoding="utf-8")
        with pytest.raises(
            InputProblem,
            match=r"no rows of frame lie in 2025-01-01\.\.2025-01-02; it spans 2024-01-01 to 2024-01-01T01:59:00Z$",
        ):
            read(wide(), window=window)
        with pytest.raises(
            InputProblem, match=r"no samples of m\.om lie in 2025-01-01\.\.2025-01-02; it spans 2024-01-01 to 2024"
        ):
            read("m.om", tmp_path, window=window)

    def test_messages_begin_with_the_option_where_there_is_no_case(self, tmp_path):
        with pytest.raises(InputProblem, match=r"^--metrics: no such file: m\.csv"):
            read_metrics(MetricsSource(table="m.csv"), root=tmp_path, key="--metrics")
