"""Whatever is broken in what is handed in, one line says what and where, and what to do; nothing is written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from small_case import (  # type: ignore[import-not-found]  # pytest finds it beside this file
    A_DAY,
    CASE,
    CommandLine,
    log,
    times,
    with_column,
    write_case,
    write_log,
)

RUN = ("run", "incident.yaml", "--out", "out")
COLUMNS = "request_id, ts, y_pred, y_score, y_true, region, amount, latency"
ROLES = "table, time, id, prediction, score, label, version, latency_ms, error, group, segments, features"
SECTIONS = (
    "title, model, predictions, labels, training, offline_features, failure, windows, detected_at, models, registry, "
    "metrics, graph, logs, changes, sensitive"
)
OPERATIONAL = "latency_p50, latency_p90, latency_p95, latency_p99, error_rate, throughput, null_share"
BINARY = (
    "accuracy, precision, recall, specificity, f1, auroc, auprc, log_loss, brier, calibration_error, positive_rate, "
    f"{OPERATIONAL}"
)
SUFFIXES = (
    ".csv, .csv.gz, .csv.zst, .json, .jsonl, .jsonl.gz, .jsonl.zst, .ndjson, .ndjson.gz, .ndjson.zst, .parquet, .pq, "
    ".tsv, .tsv.gz, .tsv.zst"
)
ISO = "write ISO 8601 like 2013-08-01T06:00:00Z"
MOMENT = "write it like 2013-08-01 or 2013-08-01T06:00:00Z"
BUCKETS = "1min, 5min, 15min, 30min, 1h, 3h, 6h, 12h, 1d"
COUNTS = ("--errors", "bad", "--count", "all", "--time", "t")
WINDOWS = ("--baseline", "2024-01-01..2024-01-02", "--incident", "2024-01-02..2024-01-03")
ERRORS = ("errors", "--table", "counts.csv", *COUNTS, *WINDOWS)
SIGNALS = ("signals", "--metrics", "counts.csv", *WINDOWS)


@dataclass(frozen=True, slots=True)
class Broken:
    """What is broken, the message that says so ({here} is the case's folder), and the exit code."""

    name: str
    message: str
    breaks: Callable[[Path], object]
    args: tuple[str, ...] = RUN
    code: int = 2


def stated(name: str, message: str, **changes: Any) -> Broken:
    """A case file that states something that can't be."""
    return Broken(name, message, lambda folder: write_case(folder, **changes))


def written(name: str, message: str, content: str | bytes) -> Broken:
    """A case file with another text."""
    raw = content.encode() if isinstance(content, str) else content
    return Broken(name, message, lambda folder: (folder / "incident.yaml").write_bytes(raw))


def logged(name: str, message: str, file: str, put: Callable[[Path], object], **changes: Any) -> Broken:
    """A log of that name, put in place by a function of its path."""

    def breaks(folder: Path) -> None:
        write_case(folder, predictions__table=file, **changes)
        put(folder / file)

    return Broken(name, message, breaks)


def held(name: str, message: str, column: str, values: Callable[[int], Iterable[Any]], **changes: Any) -> Broken:
    """A log in which one column holds something else."""

    def put(file: Path) -> None:
        write_log(file.parent, with_column(column, list(values(log().num_rows))), name=file.name)

    return logged(name, message, "other.parquet", put, **changes)


def called(name: str, message: str, *args: str, breaks: Callable[[Path], object] = write_case) -> Broken:
    """A command line that can't be."""
    return Broken(name, message, breaks, args)


def as_csv(edit: Callable[[str], str], *, copies: int = 1) -> Callable[[Path], object]:
    """The log as CSV, its text edited."""

    def put(file: Path) -> None:
        write_log(file.parent, pa.concat_tables([log()] * copies), name=file.name)
        file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")

    return put


def with_line(number: int, edit: Callable[[str], str]) -> Callable[[str], str]:
    """A text with one line (from 1) edited."""

    def edited(text: str) -> str:
        lines = text.splitlines()
        lines[number - 1] = edit(lines[number - 1])
        return "\n".join(lines) + "\n"

    return edited


def labels(name: str, message: str, table: Callable[[pa.Table], pa.Table], **changes: Any) -> Broken:
    """Labels in a table of their own that can't be joined or read."""
    own = {"table": "labels.parquet", "id": "request_id", "label": "y_true", "time": "ts"}

    def breaks(folder: Path) -> None:
        write_case(folder, **({"predictions__label": None, "labels": own} | changes))
        write_log(folder, table(log().select(["request_id", "y_true", "ts"])), name="labels.parquet")

    return Broken(name, message, breaks)


def database(name: str, message: str, url: str, code: int = 2, **source: str) -> Broken:
    """A log in a database that can't be opened or asked."""

    def breaks(folder: Path) -> None:
        write_case(folder, predictions__table={"url": url, **source})
        sqlite(folder / "log.db")

    return Broken(name, message, breaks, code=code)


def sqlite(file: Path) -> None:
    """A database with one small table."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE log (ts TEXT, y_score REAL)")


def counts(folder: Path, *, leave_out: str = "", text: Callable[[str], str] = str) -> None:
    """A table of counts: three attributes over two days."""
    rows = [f"2024-01-0{day}T00:{m:02},{'ns'[m % 2]},1,10" for day in (1, 2) for m in range(20)]
    lines = ["t,region,bad,all", *rows]
    if leave_out:
        place = lines[0].split(",").index(leave_out)
        lines = [",".join(v for i, v in enumerate(line.split(",")) if i != place) for line in lines]
    (folder / "counts.csv").write_text(text("\n".join(lines) + "\n"), encoding="utf-8")


def errors(name: str, message: str, *args: str, **broken: Any) -> Broken:
    """A call of `errors --table` with other arguments or another table."""
    return called(name, message, *args, breaks=lambda folder: counts(folder, **broken))


def instead(option: str, value: str) -> tuple[str, ...]:
    """The arguments of `errors --table` with another value of one option."""
    place = ERRORS.index(option)
    return (*ERRORS[: place + 1], value, *ERRORS[place + 2 :])


def signals(name: str, message: str, *args: str) -> Broken:
    """A call of `signals --metrics` with other arguments."""
    return called(name, message, *args, breaks=counts)


def nothing(_: Path) -> None:
    """Break nothing: the folder holds the log alone."""


def zeroed(file: Path) -> None:
    """A Parquet file whose first half was overwritten."""
    raw = write_log(file.parent, name=file.name).read_bytes()
    half = len(raw) // 2
    file.write_bytes(raw[:4] + bytes(half) + raw[4 + half :])


def bad_json(file: Path) -> None:
    """JSON lines of which the 501st breaks off."""
    text = write_log(file.parent, name=file.name).read_text(encoding="utf-8")
    file.write_text(with_line(501, lambda line: line[: line.index('"y_pred"') + 10])(text), encoding="utf-8")


CASE_FILE = [
    stated(
        "unknown key",
        "incident.yaml line 25: unknown key 'failures'; did you mean 'failure'? keys there: " + SECTIONS,
        failures={"metric": "f1"},
    ),
    stated(
        "unknown nested key",
        f"incident.yaml line 15: unknown key 'latncy'; did you mean 'latency_ms'? keys there: {ROLES}",
        predictions__latncy="latency",
    ),
    stated(
        "unknown key in a list",
        "incident.yaml line 26: unknown key 'gti'; did you mean 'git'? keys there: git, dependencies, schema, "
        "environment, config, events",
        changes=[{"gti": "repo"}],
    ),
    stated(
        "metrics of nothing",
        "incident.yaml line 26: metrics.0: state one of `table` (files of series) and `prometheus` (a server's "
        "address, with `queries`)",
        metrics=[{"time": "ts"}],
    ),
    stated(
        "metrics of two things",
        "incident.yaml line 26: metrics.0: state one of `table` (files of series) and `prometheus` (a server's "
        "address, with `queries`)",
        metrics=[{"table": "m.csv", "prometheus": "http://127.0.0.1:9090"}],
    ),
    stated(
        "server without queries",
        "incident.yaml line 26: metrics.0: state at least one of `queries`, as in "
        "{cpu: 'rate(process_cpu_seconds_total[5m])'}",
        metrics=[{"prometheus": "http://127.0.0.1:9090"}],
    ),
    stated(
        "changes of nothing",
        "incident.yaml line 26: changes.0: states no source; there are: git, dependencies, schema, environment, "
        "config, events",
        changes=[{}],
    ),
    stated(
        "one file in place of two",
        "incident.yaml line 26: changes.0.config: must hold keys; there are before, after, at",
        changes=[{"config": "serving.yaml"}],
    ),
    stated(
        "log files that match nothing",
        "logs[0].files: no file matches *.lgo (looked in {here}); there are: incident.yaml, log.parquet",
        logs=[{"files": "*.lgo"}],
    ),
    stated("missing section", "incident.yaml: missing key 'predictions'; it is compulsory", predictions=None),
    stated(
        "missing key", "incident.yaml line 5: missing key 'predictions.time'; it is compulsory", predictions__time=None
    ),
    stated(
        "nothing to judge",
        "incident.yaml line 5: predictions: needs one of `prediction`, `score`, `latency_ms`",
        predictions={"table": "log.parquet", "time": "ts"},
    ),
    stated(
        "section without keys",
        f"incident.yaml line 5: predictions: must hold keys; there are {ROLES}",
        predictions="log.parquet",
    ),
    stated(
        "unknown task",
        "incident.yaml line 3: model.task: 'binery' is not known; did you mean 'binary'? there are binary, multiclass, "
        "regression, ranking, score",
        model__task="binery",
    ),
    stated(
        "expected is no figure",
        "incident.yaml line 17: failure.expected: 'high' is neither a number nor `baseline`",
        failure__expected="high",
    ),
    written(
        "YAML syntax",
        "incident.yaml line 2: not YAML: while parsing a flow mapping, expected ',' or '}', but got ':'",
        "predictions: {table: log.parquet\ntitle: x\n",
    ),
    written(
        "YAML with a tab",
        "incident.yaml line 2: not YAML: while scanning for the next token, found character '\\t' that cannot start "
        "any token",
        "predictions:\n\ttable: log.parquet\n",
    ),
    written(
        "key twice",
        "incident.yaml line 3: key 'title' stands twice (first in line 1); keep one",
        "title: a\npredictions: {table: log.parquet, time: ts, score: y_score}\ntitle: b\n",
    ),
    written(
        "key that is a list",
        "incident.yaml line 1: a key must be plain text, not a list or a mapping",
        "? [a, b]\n: 1\n",
    ),
    written(
        "code in YAML",
        "incident.yaml line 1: not YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.system'",
        "title: !!python/object/apply:os.system [ls]\n",
    ),
    written(
        "not UTF-8",
        "incident.yaml: not a case file: it is not UTF-8 text; hand over an incident.yaml",
        "title: Zürich\n".encode("latin1"),
    ),
    written(
        "a list",
        "incident.yaml: not a case: it must hold keys such as `predictions:`; see `mortis schema case`",
        "- predictions\n",
    ),
    written(
        "nested without end", "incident.yaml: not a case: it is nested too deeply", "a: " + "[" * 5000 + "]" * 5000
    ),
    called(
        "no case file",
        "absent.yaml: no such case file; `mortis init TABLE -o absent.yaml` writes one",
        "run",
        "absent.yaml",
        breaks=nothing,
    ),
]

WINDOWS_STATED = [
    stated(
        "window that is empty",
        "incident.yaml line 18: windows.baseline: the window is empty: it begins 2024-01-05 and ends 2024-01-05; "
        "its end must come after its start",
        windows__baseline=["2024-01-05", "2024-01-05"],
    ),
    stated(
        "window that is reversed",
        "incident.yaml line 18: windows.baseline: the window is empty: it begins 2024-01-26 and ends 2024-01-01; "
        "its end must come after its start",
        windows__baseline=["2024-01-26", "2024-01-01"],
    ),
    stated(
        "windows that overlap",
        "incident.yaml line 17: windows: baseline 2024-01-01..2024-01-26 and incident 2024-01-20..2024-02-10 overlap; "
        "end the baseline where the incident begins",
        windows__incident=["2024-01-20", "2024-02-10"],
    ),
    stated(
        "window of one moment",
        "incident.yaml line 21: windows.incident: a window needs its start and its end, as in [2013-08-01, 2013-08-15]",
        windows__incident=["2024-01-26"],
    ),
    stated(
        "window that is no time",
        f"incident.yaml line 22: windows.incident.0: 'yesterday' is not a time; {MOMENT}",
        windows__incident=["yesterday", "2024-02-10"],
    ),
    stated(
        "window outside the log",
        "windows.incident: 2025-01-26..2025-02-10 holds no predictions; the log spans 2024-01-01 to "
        "2024-02-09T23:36:01Z",
        windows__incident=["2025-01-26", "2025-02-10"],
    ),
    stated(
        "incident with nothing before it",
        "windows.baseline: nothing comes before the incident (2024-01-01..2024-02-10); the log spans 2024-01-01 to "
        "2024-02-09T23:36:01Z; state a baseline",
        windows={"incident": ["2024-01-01", "2024-02-10"]},
    ),
    stated(
        "bucket that doesn't fit",
        "windows.bucket: 7d buckets don't meet the windows' boundaries; move these to whole buckets, or take one of "
        f"{BUCKETS}",
        windows__bucket="7d",
    ),
    stated(
        "unknown bucket",
        f"incident.yaml line 24: windows.bucket: '2d' is not a bucket length; there are {BUCKETS}, 7d",
        windows__bucket="2d",
    ),
    stated(
        "windows that only tiny buckets meet",
        "windows: buckets of 1s are 3,454,561 over the log, more than 25,000; move the windows' boundaries to whole "
        "hours or days, and take longer buckets",
        windows={"baseline": ["2024-01-01T00:07:13", "2024-01-26"], "incident": ["2024-01-26", "2024-02-10"]},
    ),
    stated(
        "detected at no time", f"incident.yaml line 25: detected_at: 'soon' is not a time; {MOMENT}", detected_at="soon"
    ),
]

FILES = [
    stated(
        "file that is absent",
        "predictions.table: no such file: logs.parquet (looked in {here}); did you mean 'log.parquet'? "
        "there are: incident.yaml, log.parquet",
        predictions__table="logs.parquet",
    ),
    stated(
        "pattern that matches nothing",
        "predictions.table: no file matches days/*.parquet (looked in {here}); there is no folder days either",
        predictions__table="days/*.parquet",
    ),
    logged(
        "folder without tables",
        f"predictions.table: folder days holds no table; files may end in {SUFFIXES}",
        "days",
        Path.mkdir,
    ),
    logged(
        "unknown suffix",
        f"predictions.table: log.xlsx: unknown kind of file '.xlsx'; known: {SUFFIXES}",
        "log.xlsx",
        lambda file: file.write_bytes(b"PK\x03\x04"),
    ),
    logged(
        "several formats",
        "predictions.table: files of different formats (csv, parquet); hand over one format",
        "*.[cp]*",
        lambda file: write_log(file.parent, name="log.csv"),
    ),
    logged(
        "empty file",
        "predictions.table: log.csv is empty; hand over a file with rows",
        "log.csv",
        lambda file: file.write_text("\n"),
    ),
    logged(
        "header without rows",
        "predictions.time: log.csv has columns but no rows; hand over a table with rows",
        "log.csv",
        as_csv(lambda text: text.splitlines()[0] + "\n"),
    ),
    logged(
        "Parquet without rows",
        "predictions.time: none.parquet has columns but no rows; hand over a table with rows",
        "none.parquet",
        lambda file: write_log(file.parent, log().slice(0, 0), name=file.name),
    ),
    logged(
        "text named .parquet",
        "predictions.table: text.parquet isn't what its name says: it does not begin like Parquet; name it by what it "
        "holds",
        "text.parquet",
        lambda file: file.write_text("ts,y_pred\n2024-01-01,1\n"),
    ),
    logged(
        "Parquet named .csv",
        "predictions.table: log.csv isn't what its name says: it is Parquet; name it .parquet",
        "log.csv",
        lambda file: file.write_bytes((file.parent / "log.parquet").read_bytes()),
    ),
    logged(
        "spreadsheet named .csv",
        "predictions.table: log.csv isn't what its name says: it is a zip archive (a spreadsheet?); export it as CSV "
        "or Parquet",
        "log.csv",
        lambda file: file.write_bytes(b"PK\x03\x04\x14\x00" + bytes(100)),
    ),
    logged(
        "CSV named .jsonl",
        "predictions.table: log.jsonl isn't what its name says: it does not begin like JSON; name it by what it holds",
        "log.jsonl",
        lambda file: file.write_text("ts,y_pred\n2024-01-01,1\n"),
    ),
    logged(
        "CSV named .csv.gz",
        "predictions.table: log.csv.gz isn't what its name says: it is not compressed by gzip; name it by its kind",
        "log.csv.gz",
        lambda file: file.write_text("ts,y_pred\n2024-01-01,1\n"),
    ),
    logged(
        "UTF-16",
        "predictions.table: log.csv isn't what its name says: it is UTF-16; save it as UTF-8",
        "log.csv",
        lambda file: file.write_text("ts,y_pred\n2024-01-01,1\n", encoding="utf-16"),
    ),
    logged(
        "Latin-1",
        "log.csv line 2: it is not UTF-8; save the file as UTF-8",
        "log.csv",
        lambda file: file.write_bytes("ts,y_pred,place\n2024-01-01,1,Zürich\n".encode("latin1")),
    ),
    logged(
        "Parquet cut short",
        "predictions.table: cut.parquet isn't what its name says: it is Parquet cut short; fetch the whole file",
        "cut.parquet",
        lambda file: file.write_bytes((file.parent / "log.parquet").read_bytes()[:20_000]),
    ),
    logged(
        "Parquet with damaged pages",
        "reading the times: a file is damaged (TProtocolException: Invalid data); fetch it again",
        "damaged.parquet",
        zeroed,
    ),
    logged(
        "two columns of one name",
        "predictions.table: log.csv has two columns named 'amount'; rename one",
        "log.csv",
        as_csv(lambda text: text.replace('"region"', '"amount"', 1)),
    ),
    logged(
        "text among numbers, late in the file",
        "log.csv line 30000: column 'amount' holds 'lots', where the rows before hold a number; mend that row",
        "log.csv",
        as_csv(with_line(30_000, lambda line: ",".join([*line.split(",")[:6], "lots", "1"])), copies=13),
    ),
    logged(
        "too many values, late in the file",
        "log.csv line 30000: 9 values for 8 columns; mend that row, or quote what holds the delimiter",
        "log.csv",
        as_csv(with_line(30_000, lambda line: line + ",9"), copies=13),
    ),
    logged("JSON that breaks off", "log.jsonl line 501: unexpected character; mend that row", "log.jsonl", bad_json),
]

COLUMNS_HELD = [
    stated(
        "column that is absent",
        f"predictions.score: column 'y_scor' not found in log.parquet; did you mean 'y_score'? there are: {COLUMNS}",
        predictions__score="y_scor",
    ),
    stated(
        "segment that is absent",
        f"predictions.segments: column 'device' not found in log.parquet; there are: {COLUMNS}",
        predictions__segments=["device"],
    ),
    stated(
        "feature that is absent",
        f"predictions.features: column 'amounts' not found in log.parquet; did you mean 'amount'? there are: {COLUMNS}",
        predictions__features=["amounts"],
    ),
    logged(
        "column with quotes in its name",
        "predictions.segments: column 'region' not found in log.csv; did you mean 'the \"region\"'? there are: "
        + COLUMNS.replace("region", 'the "region"'),
        "log.csv",
        as_csv(lambda text: text.replace('"region"', '"the ""region"""', 1)),
    ),
    logged(
        "time that doesn't parse",
        f"predictions.time: column 'ts' of log.csv: row 121 holds '3rd of January', which is no time; {ISO}",
        "log.csv",
        as_csv(lambda text: text.replace("2024-01-03 00:00:00.000000Z", "3rd of January", 1)),
    ),
    logged(
        "time that is no date",
        f"predictions.time: column 'ts' of log.csv: row 121 holds '2024-02-30', which is no time; {ISO}",
        "log.csv",
        as_csv(lambda text: text.replace("2024-01-03 00:00:00.000000Z", "2024-02-30", 1)),
    ),
    logged(
        "mixed time zones",
        "predictions.time: column 'ts' of log.csv mixes times with and without a time zone; write all of them with an "
        "offset, or none",
        "log.csv",
        as_csv(lambda text: text.replace("000Z", "000", 100)),
    ),
    stated(
        "numbers that are no epoch",
        "predictions.time: column 'latency' of log.parquet holds numbers up to {latest}, which are no epoch times; "
        "name a column of times",
        predictions__time="latency",
        predictions__latency_ms=None,
    ),
    held(
        "no time in any row",
        "predictions.time: column 'ts' of other.parquet is empty in every row; name the column with the times",
        "ts",
        lambda n: pa.nulls(n, pa.timestamp("us")).to_pylist(),
    ),
    held(
        "truth values as times",
        "predictions.time: column 'ts' of other.parquet holds bool, not times; name a column of times",
        "ts",
        lambda n: [True] * n,
    ),
    held(
        "lists as ids",
        "predictions.id: column 'request_id' of other.parquet holds list, not numbers, text or times; name "
        "a plain column",
        "request_id",
        lambda n: [[1]] * n,
    ),
    held(
        "score of text",
        "predictions.score: column 'y_score' of other.parquet holds text, not numbers; name the column with the "
        "probability or figure",
        "y_score",
        lambda n: ["high"] * n,
    ),
    held(
        "latency of text",
        "predictions.latency_ms: column 'latency' of other.parquet holds text, not numbers; name the column of "
        "milliseconds",
        "latency",
        lambda n: ["12 ms"] * n,
    ),
    held(
        "probabilities as predictions",
        "predictions.prediction: column 'y_pred' holds '0.25', which is no label (0, 1); if it is a probability, name "
        "it as predictions.score",
        "y_pred",
        lambda n: [0.25] * n,
    ),
]

LABELS = [
    held(
        "one label",
        "predictions.label: every label is '1'; a metric needs at least two different labels",
        "y_true",
        lambda n: [1] * n,
    ),
    held(
        "no label",
        "predictions.label: the column holds no label at all; hand over labels, or leave the key out",
        "y_true",
        lambda n: [None] * n,
    ),
    held(
        "three labels of two",
        "predictions.label: 3 different labels (0, 1, 2); set model.task: multiclass",
        "y_true",
        lambda n: [i % 3 for i in range(n)],
    ),
    held(
        "which label is positive",
        "model.positive: say which label is the positive one; there are late, punctual",
        "y_true",
        lambda n: ["late" if i % 3 else "punctual" for i in range(n)],
        model__positive=None,
    ),
    stated("positive that is no label", "model.positive: no label is 'late'; there are 0, 1", model__positive="late"),
    held(
        "regression on text",
        "predictions.label: column 'y_true' of other.parquet holds text, not numbers; state another model.task, or "
        "name the column of numbers",
        "y_true",
        lambda n: ["late" if i % 3 else "punctual" for i in range(n)],
        model={"task": "regression"},
        failure__metric="mae",
    ),
    labels(
        "labels without their id",
        "labels.id: column 'request_id' not found in labels.parquet; there are: y_true, ts",
        lambda table: table.drop_columns("request_id"),
    ),
    labels(
        "labels without the log's id",
        f"labels.id: joining labels needs `predictions.id` too; columns there: {COLUMNS}",
        lambda table: table,
        predictions__id=None,
    ),
    labels(
        "label that is absent",
        "labels.label: column 'y_tru' not found in labels.parquet; did you mean 'y_true'? there are: request_id, "
        "y_true, ts",
        lambda table: table,
        labels={"table": "labels.parquet", "id": "request_id", "label": "y_tru"},
    ),
    labels(
        "labels that arrived at no time",
        f"labels.time: column 'ts' of labels.parquet: row 1 holds 'soon', which is no time; {ISO}",
        lambda table: table.set_column(2, "ts", pa.array(["soon"] * len(table))),
    ),
    labels(
        "ids written in two ways",
        "labels.id: no id of labels.parquet (such as 'r0.0') is one of log.parquet (such as 'r0'); write ids "
        "alike in both",
        lambda table: table.set_column(0, "request_id", pa.array([f"r{i}.0" for i in range(len(table))])),
    ),
    labels(
        "labels without rows",
        "labels.time: labels.parquet has columns but no rows; hand over a table with rows",
        lambda table: table.slice(0, 0),
    ),
]

TASKS = [
    stated(
        "unknown metric",
        f"failure.metric: 'accurate' is not a metric of a binary model; did you mean 'accuracy'? there are {BINARY}",
        failure__metric="accurate",
    ),
    stated(
        "metric of another task",
        f"failure.metric: 'rmse' is not a metric of a binary model; there are {BINARY}",
        failure__metric="rmse",
    ),
    stated(
        "metric without its score",
        "failure.metric: auroc needs predictions.score; name the column, or another metric",
        failure__metric="auroc",
        predictions__score=None,
    ),
    stated(
        "metric without labels",
        "failure.metric: accuracy needs predictions.label, or `labels`; name the column, or another metric",
        predictions__label=None,
    ),
    stated(
        "metric without latencies",
        "failure.metric: latency_p99 needs predictions.latency_ms; name the column, or another metric",
        failure__metric="latency_p99",
        predictions__latency_ms=None,
    ),
    stated(
        "multiclass without prediction",
        "predictions.prediction: a multiclass model needs the column with the predicted class",
        model={"task": "multiclass"},
        predictions__prediction=None,
    ),
    stated(
        "ranking without group",
        "predictions.group: a ranking needs the column that tells which rows belong to one query",
        model={"task": "ranking"},
    ),
    stated(
        "score without a score",
        "predictions.score: task `score` needs the column with the per-row quality figure",
        model={"task": "score"},
        predictions__score=None,
    ),
]

DATABASES = [
    database(
        "unknown kind of database",
        "predictions.table: postgres://anna:***@host/db: unknown kind of database 'postgres'; write it like "
        "postgresql://host/name or sqlite:///file.db",
        "postgres://anna:secret@host/db",
        query="SELECT 1",
    ),
    database(
        "no url",
        "predictions.table: the url is no database URL; write it like postgresql://host/name or sqlite:///file.db",
        "log.db",
        table="log",
    ),
    database(
        "database file that is absent",
        "predictions.table: no such database file: absent.db (looked in {here})",
        "sqlite:///absent.db",
        table="log",
    ),
    database(
        "neither query nor table",
        "incident.yaml line 6: predictions.table: a database needs either `query` or `table` beside `url`, "
        "and not both",
        "sqlite:///log.db",
    ),
    database(
        "query that is wrong",
        'sqlite:///{here}/log.db: the query failed: near "CHOOSE": syntax error',
        "sqlite:///log.db",
        query="CHOOSE * FROM log",
    ),
    database(
        "table that is absent",
        "sqlite:///{here}/log.db: the query failed: no such table: logs",
        "sqlite:///log.db",
        table="logs",
    ),
    database(
        "query without rows",
        "sqlite:///{here}/log.db: the query returned no rows; check it in the database",
        "sqlite:///log.db",
        table="log",
    ),
    database(
        "query with a column twice",
        "sqlite:///{here}/log.db: the query gives two columns named 'ts'; rename one with AS",
        "sqlite:///log.db",
        query="SELECT ts, ts FROM log",
    ),
    database(
        "database that can't be reached",
        "postgresql://anna:***@127.0.0.1:1/db can't be reached: connection failed: connection to server at "
        '"127.0.0.1", port 1 failed: Connection refused',
        "postgresql://anna:secret@127.0.0.1:1/db",
        code=3,
        query="SELECT 1",
    ),
]

COMMAND_LINE = [
    called("unknown format", "--format: no such format 'pdf'; there are html, md, json", *RUN, "--format", "html,pdf"),
    called("no format", "--format: no format is named; there are html, md, json", *RUN, "--format", ","),
    called("unknown engine", "--engine sparkk: no such engine; there are duckdb", *RUN, "--engine", "sparkk"),
    called("unknown command", "no such command 'rnu'. Did you mean 'run'? (see `mortis --help`)", "rnu"),
    called("no case", "missing argument 'CASE' (see `mortis run --help`)", "run"),
    called(
        "unknown schema", "schema cas: no such schema; did you mean 'case'? there are case, postmortem", "schema", "cas"
    ),
    called(
        "report into a file",
        "--out: log.parquet is no folder; name another place with --out",
        "run",
        "incident.yaml",
        "--out",
        "log.parquet",
    ),
    called("init without tables", "missing argument 'TABLE...' (see `mortis init --help`)", "init", breaks=nothing),
    called(
        "init over a file",
        "incident.yaml exists; name another file with -o, or overwrite it with --force",
        "init",
        "log.parquet",
    ),
    called(
        "init into a folder",
        "-o new: it is a folder; name the case file, as in new/incident.yaml",
        "init",
        "log.parquet",
        "-o",
        "new",
        breaks=lambda folder: (folder / "new").mkdir(),
    ),
    called(
        "init of what is absent",
        "init: no such file: logs.parquet (looked in {here}); did you mean 'log.parquet'? there are: log.parquet",
        "init",
        "logs.parquet",
        breaks=nothing,
    ),
    called(
        "errors of nothing",
        "errors: give a CASE, or all of --table, --errors, --count, --time, --baseline, --incident; missing: --count, "
        "--time, --baseline, --incident",
        *ERRORS[:5],
    ),
    called(
        "errors of two things",
        "errors: give a CASE or a table of counts, not both; leave out incident.yaml or --table",
        "errors",
        "incident.yaml",
        "--table",
        "counts.csv",
    ),
    errors(
        "window that isn't one",
        "--baseline 'yesterday': not a window; write it like 2013-08-01..2013-08-15",
        *instead("--baseline", "yesterday"),
    ),
    errors(
        "window of counts that is empty",
        "--incident '2024-01-03..2024-01-02': the window is empty; its end must come after its start",
        *instead("--incident", "2024-01-03..2024-01-02"),
    ),
    errors(
        "windows of counts that overlap",
        "--baseline 2024-01-01..2024-01-02T12:00:00Z and --incident 2024-01-02..2024-01-03 overlap; end the baseline "
        "where the incident begins",
        *instead("--baseline", "2024-01-01..2024-01-02T12:00"),
    ),
    errors(
        "window without counts",
        "--table: no rows of counts.csv lie in 2023-01-01..2023-01-02; it spans 2024-01-01 to 2024-01-02T00:19:01Z",
        *instead("--baseline", "2023-01-01..2023-01-02"),
    ),
    errors(
        "counts that are absent",
        "--errors: column 'badd' not found in counts.csv; did you mean 'bad'? there are: t, region, bad, all",
        *instead("--errors", "badd"),
    ),
    errors(
        "counts of text",
        "--count: column 'region' of counts.csv holds text, not numbers; name a column of counts",
        *instead("--count", "region"),
    ),
    errors(
        "one column twice",
        "--count: column 'bad' is that of --errors already; there are: t, region, bad, all",
        *instead("--count", "bad"),
    ),
    errors(
        "rates as counts",
        "--errors: the column holds fractions or no numbers; name a column of whole counts, not of rates",
        *ERRORS,
        text=lambda text: text.replace(",1,10", ",0.11,10"),
    ),
    errors(
        "more errors than rows",
        "--errors: some rows count more errors than rows in all, or fewer than none; check --errors and --count",
        *ERRORS,
        text=lambda text: text.replace(",1,10", ",11,10"),
    ),
    errors(
        "nothing to slice by",
        "--table: no column of counts.csv is left to slice by; there are: t, bad, all",
        *ERRORS,
        leave_out="region",
    ),
    errors(
        "times of counts that don't parse",
        f"--time: column 't' of counts.csv: row 2 holds 'later', which is no time; {ISO}",
        *ERRORS,
        text=lambda text: text.replace("2024-01-01T00:01", "later"),
    ),
    signals(
        "signals of nothing",
        "signals: give a CASE, or all of --metrics, --baseline, --incident; missing: --baseline, --incident",
        *SIGNALS[:3],
    ),
    signals(
        "a baseline after the incident",
        "--baseline 2024-01-02..2024-01-03 comes after --incident 2024-01-01..2024-01-02; what moved is held against "
        "what came before it",
        *("signals", "--metrics", "counts.csv", "--baseline", WINDOWS[3], "--incident", WINDOWS[1]),
    ),
    signals(
        "an engine for a table of series",
        "signals: --engine runs the pass over a CASE's predictions; leave it out with --metrics",
        *SIGNALS,
        *("--engine", "duckdb"),
    ),
    signals(
        "a symptom that is absent",
        "symptom: 'bda' is neither a series nor a node of the graph; did you mean 'bad'?",
        *SIGNALS,
        *("--symptom", "bda"),
    ),
]

TABLE = [*CASE_FILE, *WINDOWS_STATED, *FILES, *COLUMNS_HELD, *LABELS, *TASKS, *DATABASES, *COMMAND_LINE]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the healthy log, from which commands run."""
    write_log(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mortis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, run in this process."""
    return CommandLine(monkeypatch, capsys)


def filled(message: str, folder: Path) -> str:
    """The message with what it names of this run."""
    latest = str(int(max(log()["latency"].to_pylist())))
    return message.replace("{here}", str(folder)).replace("{latest}", latest)


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_the_unbroken_case_is_investigated(folder: Path, mortis: CommandLine) -> None:
    """What the table below breaks is sound: it ends with 0, says nothing on standard error, and writes its report."""
    write_case(folder)
    ended = mortis(*RUN)
    assert (ended.code, ended.err) == (0, "")
    assert {file.name for file in (folder / "out").iterdir()} == {"postmortem.html", "postmortem.md", "postmortem.json"}


@pytest.mark.parametrize("broken", TABLE, ids=lambda broken: broken.name.replace(" ", "-"))
def test_one_line_says_what_is_wrong(broken: Broken, folder: Path, mortis: CommandLine) -> None:
    """The message is exact and alone, the exit code tells whose fault it is, and no file or folder was added."""
    broken.breaks(folder)
    before = everything(folder)

    ended = mortis(*broken.args)

    assert ended.err == f"mortis: {filled(broken.message, folder)}\n"
    assert (ended.code, ended.out) == (broken.code, "")
    assert everything(folder) == before


@pytest.mark.parametrize("name", ["unknown key", "time that doesn't parse", "database that can't be reached"])
def test_a_process_of_its_own_says_the_same(name: str, folder: Path) -> None:
    """Started as a program, the command ends in the same way: one line, no traceback, the same exit code."""
    broken = next(one for one in TABLE if one.name == name)
    broken.breaks(folder)
    before = everything(folder)

    ended = subprocess.run(
        [sys.executable, "-m", "mortis", *broken.args], cwd=folder, env=os.environ, capture_output=True, check=False
    )

    assert ended.stderr.decode() == f"mortis: {filled(broken.message, folder)}\n"
    assert (ended.returncode, ended.stdout) == (broken.code, b"")
    assert everything(folder) == before


def test_a_password_is_never_shown(folder: Path, mortis: CommandLine) -> None:
    """Neither in the address, nor among its parameters, nor in what the driver says."""
    for url in ("postgresql://anna:hunter2@127.0.0.1:1/db", "postgresql://127.0.0.1:1/db?password=hunter2&user=anna"):
        write_case(folder, predictions__table={"url": url, "query": "SELECT 1"})
        ended = mortis(*RUN)
        assert ended.code == 3
        assert "hunter2" not in ended.err


def test_times_are_named_by_their_row_deep_in_a_file(folder: Path, mortis: CommandLine) -> None:
    """The row of a time that doesn't parse is counted from the first row of data, however late it comes."""
    last = A_DAY * 40 * 20
    stamps = [moment.isoformat() for moment in times(last)]
    stamps[last - 2] = "never"
    table = pa.table({"ts": stamps, "y_score": [0.5] * last})
    write_log(folder, table, name="log.csv")
    write_case(folder, predictions={"table": "log.csv", "time": "ts", "score": "y_score"}, model=None, failure=None)
    ended = mortis(*RUN)
    assert ended.err == (
        f"mortis: predictions.time: column 'ts' of log.csv: row {last - 1} holds 'never', which is no time; {ISO}\n"
    )


def test_the_table_is_long_enough() -> None:
    """Every name is its own, and the case that is broken is the one that is written."""
    assert len({broken.name for broken in TABLE}) == len(TABLE) >= 40
    assert CASE["predictions"]["table"] == "log.parquet"
