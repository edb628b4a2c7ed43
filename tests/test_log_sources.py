"""Log files: every way to write a time, every line accounted for, the baseline's entries before the incident's."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.case import LogsSource
from mortis.problems import InputProblem, WorkProblem
from mortis.records import Window
from mortis.sources.logs import LONGEST_MESSAGE, LogEntry, LogReading, blocks, read_logs
from mortis.sources.logs.blocks import Blocks
from mortis.sources.logs.levels import without_header

BEGINS = datetime(2013, 8, 1, tzinfo=UTC)
BASELINE = Window(BEGINS, BEGINS + timedelta(days=7))
INCIDENT = Window(BASELINE.end, BASELINE.end + timedelta(days=1))
SIX = datetime(2013, 8, 1, 6, tzinfo=UTC)


def reading(folder: Path, files: str | list[str] = "*", **options) -> LogReading:
    return read_logs([LogsSource(files=files)], root=folder, baseline=BASELINE, incident=INCIDENT, **options)


def entries_of(logs: LogReading) -> tuple[list[LogEntry], list[LogEntry]]:
    """The entries of both windows."""
    baseline = [entry for _, entries in logs.baseline_entries() for entry in entries]
    return baseline, [entry for _, entries in logs.incident_entries() for entry in entries]


def entry_of(folder: Path, *lines: str) -> LogEntry:
    """The one entry of the baseline in a file of these lines, of which all are accounted for."""
    (folder / "app.log").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    logs = reading(folder)
    [entry], _ = entries_of(logs)
    assert logs.files[0].counts["lines"] == len(lines)
    return entry


TIMES = {
    "ISO 8601, Z": "2013-08-01T06:00:00Z INFO started",
    "ISO 8601, offset": "2013-08-01T08:00:00.123+02:00 INFO started",
    "ISO 8601, offset without colon": "[2013-08-01 04:30:00 -0130] [7] [INFO] started",
    "ISO 8601, comma": "2013-08-01 06:00:00,123 INFO started",
    "ISO 8601, UTC": "[2013-08-01, 06:00:00 UTC] {task.py:1} INFO - started",
    "ISO 8601, slashes": "2013/08/01 06:00:00 [info] started",
    "OpenStack": "nova-api.log.1.2017-05-16_13:53:08 2013-08-01 06:00:00.008 25746 INFO nova.api [-] started",
    "Spark": "13/08/01 06:00:00 INFO executor.Executor: started",
    "HDFS": "130801 060000 148 INFO dfs.DataNode$PacketResponder: started",
    "compact": "20130801-06:00:00:606|started",
    "compact, T": "20130801T060000Z INFO started",
    "Apache": "[Thu Aug 01 06:00:00 2013] [notice] started",
    "Apache, fractions": "[Thu Aug 01 06:00:00.123456 2013] [core:notice] [pid 3] started",
    "access log": '10.0.0.1 - anna [01/Aug/2013:08:00:00 +0200] "GET / HTTP/1.1" 200',
    "Redis": "123:M 01 Aug 2013 06:00:00.123 * started",
    "syslog": "Aug  1 06:00:00 host app[123]: started",
    "syslog with priority": "<34>Aug  1 06:00:00 host app[123]: started",
    "glog": "I0801 06:00:00.123456    1234 server.cc:12] started",
    "level first": "INFO 2013-08-01 06:00:00 started",
    "seconds": "1375336800.25 INFO started",
    "milliseconds": "1375336800250 INFO started",
    "microseconds": "1375336800250000 INFO started",
    "nanoseconds": "1375336800250000000 INFO started",
    "JSON, text": '{"time": "2013-08-01T08:00:00.5+02:00", "level": "info", "message": "started"}',
    "JSON, seconds": '{"ts": 1375336800.25, "level": "info", "msg": "started"}',
    "JSON, milliseconds": '{"timestamp": 1375336800250, "severity": "INFO", "event": "started"}',
    "JSON, Elastic": '{"@timestamp": "2013-08-01T06:00:00Z", "log.level": "info", "message": "started"}',
    "JSON, Docker": '{"log": "started\\n", "stream": "stderr", "time": "2013-08-01T06:00:00.123456789Z"}',
    "key=value": 'time=2013-08-01T06:00:00Z level=info msg="started"',
}


@pytest.mark.parametrize("line", TIMES.values(), ids=TIMES)
def test_every_way_to_write_a_time_is_read(tmp_path, line):
    """Whole seconds in UTC, whatever the clock; without a year it is that of the windows."""
    entry = entry_of(tmp_path, line)
    assert datetime.fromtimestamp(entry.seconds, UTC) == SIX
    assert "started" in entry.message or "GET" in entry.message


@pytest.mark.parametrize("start", [datetime(2012, 12, 28, tzinfo=UTC), datetime(2016, 2, 27, tzinfo=UTC)])
def test_a_year_that_is_not_written_is_the_one_nearest_to_the_windows(tmp_path, start):
    """Over New Year and in leap years."""
    moments = [start + timedelta(hours=6 * i) for i in range(40)]
    lines = [f"{moment:%b} {moment.day:2} {moment:%H:%M:%S} host app[1]: started\n" for moment in moments]
    (tmp_path / "syslog").write_text("".join(lines), encoding="utf-8")
    baseline = Window(start, start + timedelta(days=6))
    incident = Window(baseline.end, start + timedelta(days=10))
    before, after = entries_of(
        read_logs([LogsSource(files="syslog")], root=tmp_path, baseline=baseline, incident=incident)
    )
    assert [datetime.fromtimestamp(entry.seconds, UTC) for entry in (*before, *after)] == moments


@pytest.mark.parametrize(
    ("rest", "level", "logger", "message"),
    [
        (" - mymod - INFO - loaded", "INFO", "", "loaded"),
        (" INFO [main] org.x.Y: started in 3 s", "INFO", "org.x.Y", "started in 3 s"),
        ("  INFO 12345 --- [main] c.e.Demo : Started", "INFO", "c.e.Demo", "Started"),
        (" | WARNING  | module:function:12 - low", "WARN", "module:function:12", "low"),
        ("\tERROR\tcaller/file.go:12\tlost", "ERROR", "caller/file.go:12", "lost"),
        (" [123] FATAL:  no such role", "FATAL", "", "no such role"),
        ("] [error] [client 10.0.0.1] File missing", "ERROR", "", "File missing"),
        (" ERROR ValueError: not a number", "ERROR", "", "ValueError: not a number"),
        (" ERROR java.lang.NullPointerException: null", "ERROR", "", "java.lang.NullPointerException: null"),
        (" Retrying after ERROR code 5", "", "", "Retrying after ERROR code 5"),
        (" host app[123]: CRITICAL on fire", "FATAL", "", "on fire"),
        (" host app[123]: on fire", "", "app", "on fire"),
        (" workerEnv.init() ok", "", "", "workerEnv.init() ok"),
        (" INFO example.com is down", "INFO", "", "example.com is down"),
        (" ERROR", "ERROR", "", "ERROR"),
    ],
)
def test_what_stands_before_a_message_is_taken_off(rest, level, logger, message):
    assert without_header(rest) == (level, logger, message)


def test_keys_of_json_lines_become_level_message_and_scope(tmp_path):
    """Whatever they are called; a failure's last line joins the message; keys named sensitive are passed over."""
    line = {"time": "2013-08-01T06:00:00Z", "levelname": "WARNING", "msg": "slow", "service": "api", "version": 2}
    lines = [
        line | {"exc_info": "Traceback (most recent call last):\n  File x\nKeyError: 'dep_delay'"},
        line | {"levelname": 50, "host": "h1"},
        {"time": "2013-08-01T06:00:00Z", "status": 500, "path": "/predict", "region": "eu", "tags": ["a"]},
        {"time": "2013-08-01T06:00:00Z", "log": {"level": "error"}, "message": "nested"},
    ]
    (tmp_path / "app.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found, _ = entries_of(reading(tmp_path))
    assert [entry[1:4] for entry in found] == [
        ("WARN", "slow | KeyError: 'dep_delay'", (("service", "api"), ("version", "2"))),
        ("ERROR", "slow", (("service", "api"), ("version", "2"), ("host", "h1"))),
        ("", "status=500 path=/predict", (("region", "eu"),)),
        ("ERROR", "nested", ()),
    ]
    hidden, _ = entries_of(reading(tmp_path, sensitive=["service", "path"]))
    assert hidden[0].scope == (("version", "2"),)
    assert hidden[2].message == "status=500"


def test_lines_of_a_traceback_belong_to_the_entry_before(tmp_path):
    """The failure they tell joins its message, whatever window the lines around it are in."""
    lines = [
        "2013-08-01 06:00:00 ERROR request failed",
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in f',
        "    x = row['dep_delay']",
        "KeyError: 'dep_delay'",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        "  ...",
        "serving.BadRequest: no such column",
        "serving.errors.BadRequestError: no such column",
        "2001-01-01 06:00:00 ERROR long ago",
        "java.io.IOException: disk full",
        "\tat a.b.C(D.java:1)",
        "2013-08-08 06:00:00 ERROR write failed",
        "java.io.IOException: disk full",
        "\tat a.b.C(D.java:1)",
        "Caused by: java.io.NoSpaceError: none left",
        "\t... 3 more",
        "this one belongs to it too",
        "2013-08-08 07:00:00 ERROR by itself",
        "this one belongs to nothing",
    ]
    (tmp_path / "app.log").write_text("\n".join(lines), encoding="utf-8")
    logs = reading(tmp_path)
    baseline, incident = entries_of(logs)
    assert [entry.message for entry in baseline] == ["request failed | serving.errors.BadRequestError: no such column"]
    assert [(entry.message, entry.line) for entry in incident] == [
        ("write failed | Caused by: java.io.NoSpaceError: none left", 16),
        ("by itself", 22),
    ]
    assert logs.files[0].counts == {
        "lines": 23, "baseline": 1, "incident": 2, "outside": 1, "continued": 16, "blank": 2, "untimed": 1
    }  # fmt: skip
    assert logs.files[0].first["untimed"] == 23


@pytest.mark.parametrize("kind", ["text", "json"])
@given(
    offsets=st.lists(st.integers(-3 * 86_400, 10 * 86_400), max_size=60),
    files=st.integers(1, 3),
    block=st.sampled_from([64, 300, 1 << 18]),
)
def test_the_baseline_comes_first_and_every_line_is_accounted_for(tmp_path_factory, kind, offsets, files, block):
    """Files in any order of time give the entries of each window as a plain loop does, in blocks of any size."""
    folder = tmp_path_factory.mktemp("logs")
    moments = [BEGINS + timedelta(seconds=offset) for offset in offsets]
    expected: dict[Window, list[tuple[int, str]]] = {BASELINE: [], INCIDENT: []}
    for i in range(files):
        with (folder / f"{i}.log").open("w", encoding="utf-8") as stream:
            for j, moment in list(enumerate(moments))[i::files]:
                line = f"{moment.isoformat()} INFO entry {j}"
                stream.write(line if kind == "text" else json.dumps({"time": moment.isoformat(), "msg": f"entry {j}"}))
                stream.write("\n")
                for window in expected:
                    expected[window] += [(int(moment.timestamp()), f"entry {j}")] if moment in window else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        logs = reading(folder)
        found = entries_of(logs)
    assert [[(e.seconds, e.message) for e in entries] for entries in found] == list(expected.values())
    total = sum((Counter(read.counts) for read in logs.files), Counter())
    assert total["lines"] == len(offsets)
    assert total["baseline"] + total["incident"] + total["outside"] == len(offsets)
    assert (total["baseline"], total["incident"]) == tuple(map(len, found))


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=30),
    block=st.integers(1, 50),
    ends=st.booleans(),
    pack=st.sampled_from(
        [lambda data: data, gzip.compress, zstd, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])]
    ),
)
def test_blocks_hold_whole_lines_from_any_place_on(tmp_path_factory, lines, block, ends, pack):
    """Packed or not, in one piece or strung together, together they are the file; each begins where it says."""
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    if data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return
    file = tmp_path_factory.mktemp("blocks") / "app.log"
    file.write_bytes(pack(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        found = list(Blocks(file).read())
        assert b"".join(piece for _, piece in found) == data
        assert all(piece.endswith(b"\n") for _, piece in found[:-1])
        for place, piece in found:
            assert data[place : place + len(piece)] == piece
            assert b"".join(rest for _, rest in Blocks(file).read(place)) == data[place:]


def test_a_line_without_end_takes_bounded_memory(tmp_path):
    """Its beginning is read, what follows is left out and counted, and the next line is read again."""
    head, middle = b"2013-08-01T06:00:00Z INFO ", b"x" * (10 << 20)
    (tmp_path / "app.log").write_bytes(head + middle + b"\n" + head + b"short\n" + head + middle)
    largest = max(len(piece) for _, piece in Blocks(tmp_path / "app.log").read())
    assert largest <= blocks.LONGEST_LINE + 2 * blocks.BLOCK
    logs = reading(tmp_path)
    found, _ = entries_of(logs)
    assert [len(entry.message) for entry in found] == [LONGEST_MESSAGE, 5, LONGEST_MESSAGE]
    assert logs.files[0].counts == {"lines": 3, "baseline": 3, "long": 2, "cut": 2}


LINE = b"2013-08-01T06:00:00Z INFO started\n"
TIMELESS = "none of its first lines bears a time in a known form; its lines, {}, are unused"
JSON = b'{"time": "2013-08-01T06:00:00Z", "msg": "started"}\n'
PACKED = gzip.compress(b"".join(b"2013-08-01T06:00:%02dZ INFO entry %d\n" % (i % 60, i * 7919) for i in range(20_000)))
BROKEN: dict[str, tuple[bytes, dict[str, int], str]] = {
    "empty": (b"", {}, "it is empty"),
    "binary": (bytes(range(256)) * 40, {}, "it holds binary data, no text"),
    "null bytes alone": (bytes(5000), {}, "it holds binary data, no text"),
    "UTF-16": ("2013-08-01T06:00:00Z INFO a\n".encode("utf-16"), {}, "it is UTF-16; save it as UTF-8"),
    "packed by bzip2": (b"BZh91AY&SY", {}, "it is packed by bzip2; unpack it"),
    "a zip archive": (b"PK\x03\x04" + bytes(30), {}, "it is a zip archive; unpack it"),
    "Parquet": (b"PAR1" + bytes(30), {}, "it is Parquet, no log"),
    "no times": (b"started\nstopped\n", {"lines": 2, "untimed": 2}, TIMELESS.format(2)),
    "JSON without times": (b'{"a": 1}\n' * 3, {"lines": 3, "untimed": 3}, TIMELESS.format(3)),
    "times that can't be": (
        LINE + b"2013-13-01T06:00:00Z INFO never\n2013-08-01T25:00:00Z INFO never\n",
        {"lines": 3, "baseline": 1, "untimed": 2},
        "",
    ),
    "null bytes": (bytes(300) + LINE * 3, {"lines": 3, "baseline": 3, "nulls": 1}, ""),
    "no UTF-8": (LINE + LINE.replace(b"started", b"gr\xfc\xdfe"), {"lines": 2, "baseline": 2, "undecoded": 1}, ""),
    "text and then JSON": (LINE * 9 + JSON * 4, {"lines": 13, "baseline": 9, "untimed": 4}, ""),
    "JSON and then text": (JSON * 9 + LINE * 4, {"lines": 13, "baseline": 9, "unparsed": 4}, ""),
    "JSON that is no object": (
        JSON * 4 + b'[1, 2]\n"text"\n17\nnull\n{"time": 1}\n{"time": [3]}\n{"broken": \n',
        {"lines": 11, "baseline": 4, "unparsed": 5, "untimed": 2},
        "",
    ),
    "JSON nested without end": (JSON + b'{"a":' * 100_000 + b"\n", {"lines": 2, "baseline": 1, "unparsed": 1}, ""),
    "far outside": (b"1970-01-01T00:00:00Z a\n2013-08-01T06:00:00Z b\n2099-01-01T00:00:00Z c\n", {
        "lines": 3, "baseline": 1, "outside": 2
    }, ""),
    "Windows line ends, colors": (
        b"\x1b[32m2013-08-01T06:00:00Z\x1b[0m INFO a\r\n\r\n", {"lines": 2, "baseline": 1, "blank": 1}, ""
    ),
    "packed, of nothing": (gzip.compress(b""), {}, "it is empty"),
    "packed twice by name": (gzip.compress(gzip.compress(LINE)), {}, "it holds binary data, no text"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "counts", "fault"), BROKEN.values(), ids=BROKEN)
def test_whatever_is_broken_is_counted_and_told(tmp_path, content, counts, fault):
    """No line is dropped silently, and nothing raises."""
    (tmp_path / "app.log").write_bytes(content)
    logs = reading(tmp_path)
    found, _ = entries_of(logs)
    [read] = logs.files
    assert (read.counts, read.fault) == (counts, fault)
    assert len(found) == counts.get("baseline", 0)
    assert (fault or f"{counts['lines']:,} lines") in read.statement


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (PACKED[:-9], "it is cut short"),
        (PACKED[: len(PACKED) // 2] + b"\xff" * 999 + PACKED[len(PACKED) // 2 :], "from there on it is damaged"),
        (zstd(gzip.decompress(PACKED))[:-9], "it is cut short or damaged"),
    ],
)
def test_what_can_be_unpacked_is_read(tmp_path, content, fault):
    (tmp_path / "app.log.gz").write_bytes(content)
    logs = reading(tmp_path)
    found, _ = entries_of(logs)
    assert logs.files[0].fault == fault
    assert 2_000 < len(found) <= 20_000


def test_a_path_without_files_is_refused_in_one_line(tmp_path):
    (tmp_path / "logs").mkdir()
    with pytest.raises(
        InputProblem, match=r"^logs\[0\]\.files: no such file: app\.log \(looked in .*\); there are: logs$"
    ):
        reading(tmp_path, "app.log")
    with pytest.raises(InputProblem, match=r"^logs\[0\]\.files: no file matches logs/\*\.jsonl "):
        reading(tmp_path, "logs/*.jsonl")
    with pytest.raises(InputProblem, match=r"^logs\[0\]\.files: folder logs holds no file$"):
        reading(tmp_path, "logs")


def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path):
    (tmp_path / "app.log").write_bytes(LINE)
    logs = reading(tmp_path)
    (tmp_path / "app.log").unlink()
    with pytest.raises(WorkProblem, match=r"^logs: app\.log can't be read: No such file or directory$"):
        entries_of(logs)


def test_each_source_is_an_input_with_the_lines_of_its_files(tmp_path):
    for name, lines in (("a.log", 3), ("b.log", 2)):
        (tmp_path / name).write_text("2013-08-01T06:00:00Z INFO started\n" * lines, encoding="utf-8")
    (tmp_path / "c.log.gz").write_bytes(gzip.compress(b"2013-08-08T06:00:00Z INFO stopped\nTraceback\n"))
    sources = [LogsSource(files="*.log"), LogsSource(files=["c.log.gz"])]
    logs = read_logs(sources, root=tmp_path, baseline=BASELINE, incident=INCIDENT)
    entries_of(logs)
    assert [(one.path, one.rows, one.role) for one in logs.inputs] == [("*.log", 5, "logs"), ("c.log.gz", 2, "logs")]
    assert len({one.fingerprint for one in logs.inputs}) == 2


def test_a_folder_is_read_with_all_its_files_each_once(tmp_path):
    for name in ("a.log", "deep/b.log", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(LINE)
    logs = reading(tmp_path, [".", "a.log", "*.log"])
    assert len(entries_of(logs)[0]) == 2
    assert [read.file.name for read in logs.files] == ["a.log", "deep/b.log"]


def test_the_second_reading_goes_over_the_incidents_part_alone(tmp_path, monkeypatch):
    """Of a long baseline little is read twice."""
    monkeypatch.setattr(blocks, "BLOCK", 1 << 12)
    step = timedelta(days=8) / 8_000
    lines = [f"{(BEGINS + i * step).isoformat()} INFO entry {i}\n" for i in range(8_000)]
    (tmp_path / "app.log").write_text("".join(lines), encoding="utf-8")
    logs = reading(tmp_path)
    for _, entries in logs.baseline_entries():
        assert len(list(entries)) == 7_000
    starts, read = [], Blocks.read

    def noted(self, start=0):
        starts.append(start)
        return read(self, start)

    monkeypatch.setattr(Blocks, "read", noted)
    [(_, entries)] = logs.incident_entries()
    found = list(entries)
    assert [entry.line for entry in found] == list(range(7_001, 8_001))
    assert starts[0] > 0.85 * sum(map(len, lines))
