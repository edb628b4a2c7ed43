"""Whatever is broken in logs, metrics, graphs and records of changes is told in one line or counted, and ends no run.

A source that is broken costs its own answers: it stands as not checked, with the reason. What of a source can't be used
is counted in the notes on it. Only where the case names what is not there, the work ends.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mortis import Case
from mortis.engine import open_engine
from mortis.problems import CaseProblem
from mortis.questions.answering import Examined
from mortis.questions.changes import read_record, review_changes
from mortis.questions.failure import examine
from mortis.questions.signals import analyse_signals, signals_of_metrics
from mortis.records import ErrorAnalysis, NotChecked
from mortis.sources.metrics import prometheus
from mortis.sources.snapshot import take_snapshot
from small_case import (  # type: ignore[import-not-found]  # pytest finds it beside this file
    START,
    CommandLine,
    changed,
    write_case,
    write_log,
)

HOURS = [START + timedelta(hours=i) for i in range(960)]
WORSE = 720
STAMPS = [f"{hour:%Y-%m-%dT%H:%M:%SZ}" for hour in HOURS]
LINES = [f"{stamp} INFO api.server: request served in {i % 17} ms" for i, stamp in enumerate(STAMPS)]
JSON_LINES = [json.dumps({"ts": stamp, "level": "INFO", "msg": "request served"}) for stamp in STAMPS]
VALUES = [10 + (i * 37 % 97) / 97 + 8 * (i >= WORSE) for i in range(960)]
SERIES = "ts,cpu\n" + "".join(f"{stamp},{value:.3f}\n" for stamp, value in zip(STAMPS, VALUES, strict=True))
SERVICES = "ts,service,latency_ms\n" + "".join(
    f"{stamp},{service},{value:.3f}\n" for stamp, value in zip(STAMPS, VALUES, strict=True) for service in ("web", "db")
)
SAMPLES = [f'cpu{{host="a"}} {value:.3f} {hour.timestamp():.0f}' for hour, value in zip(HOURS, VALUES, strict=True)]
EVENTS = "time,kind,summary\n2024-01-30,deploy,v2\n"
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
ISO = "write ISO 8601 like 2013-08-01T06:00:00Z"
NEITHER = "no log line lies in the baseline or in the incident: nothing can be compared"
NONE_IN_INCIDENT = (
    "no log line lies in the incident: nothing can be compared; app.log writes nothing in the incident, after {} lines "
    "in the baseline; none is told as gone"
)
LAID_OUT = "app.log: read as text, times as ISO 8601; "
UNTIMED = "lines bear no time as the first ones of their file do and are not used: app.log"
UNPARSED = "lines are not laid out like the first ones of their file and are not used: app.log"
TIMELESS = "app.log: none of its first lines bears a time in a known form; its lines, {:,}, are unused"


@dataclass(frozen=True, slots=True)
class Broken:
    """What is broken, and what is told of it: `gap` why it was not checked, else `note` what is counted of it.

    `refusal` is the message of a case that names what is not there.
    """

    name: str
    puts: Callable[[Path], object]
    case: dict[str, Any]
    gap: str = ""
    note: str = ""
    refusal: str = ""


def text_of(content: str | bytes | list[str]) -> bytes:
    """Content as bytes; a list is its lines."""
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else "\n".join(content) + "\n").encode()


def putting(**files: str | bytes | list[str]) -> Callable[[Path], None]:
    """What writes files; a name's `__` stands for its dot."""

    def put(folder: Path) -> None:
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_bytes(text_of(content))

    return put


def log(name: str, content: str | bytes | list[str], **told: str) -> Broken:
    """A log file that is broken."""
    return Broken(f"log: {name}", putting(app__log=content), {"logs": [{"files": "app.log"}]}, **told)


def metrics(name: str, content: str | bytes, *, file: str = "m.csv", time: str | None = None, **told: str) -> Broken:
    """A file of metrics that is broken."""
    source = {"table": file} | ({"time": time} if time else {})
    return Broken(
        f"metrics: {name}", lambda folder: (folder / file).write_bytes(text_of(content)), {"metrics": [source]}, **told
    )


def graph(name: str, content: str, **told: str) -> Broken:
    """A call graph that is broken, beside series that are sound."""
    return Broken(
        f"graph: {name}",
        putting(m__csv=SERVICES, g__csv=content),
        {"metrics": [{"table": "m.csv"}], "graph": "g.csv"},
        **told,
    )


def changes(name: str, source: dict[str, Any], puts: Callable[[Path], object], **told: str) -> Broken:
    """A record of changes that is broken."""
    return Broken(f"changes: {name}", puts, {"changes": [source]}, **told)


def events(name: str, content: str | bytes, *, file: str = "e.csv", **told: str) -> Broken:
    """A table of events that is broken."""
    return changes(name, {"events": file}, lambda folder: (folder / file).write_bytes(text_of(content)), **told)


def pair(kind: str, name: str, suffix: str, before: str | bytes, after: str | bytes, **told: str) -> Broken:
    """Two files, one of them broken."""
    source = {kind: {"before": f"a{suffix}", "after": f"b{suffix}", "at": "2024-01-30"}}

    def puts(folder: Path) -> None:
        (folder / f"a{suffix}").write_bytes(text_of(before))
        (folder / f"b{suffix}").write_bytes(text_of(after))

    return changes(f"{kind}, {name}", source, puts, **told)


def git(folder: Path, *command: str) -> str:
    """What git prints."""
    named = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dated = {f"GIT_{who}_DATE": "2024-01-30T12:00:00Z" for who in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        [str(shutil.which("git")), *command],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | named | dated,
        text=True,
    )
    return done.stdout.strip()


def repository(folder: Path, *, commits: int = 2, name: str = "repo") -> Path:
    """A repository of some commits in the incident."""
    made = folder / name
    made.mkdir()
    git(made, "init", "--quiet", "--initial-branch=main")
    for i in range(commits):
        (made / "model.py").write_text(f"VERSION = {i}\n", encoding="utf-8")
        git(made, "add", ".")
        git(made, "commit", "--quiet", f"--message=version {i}")
    return made


def junk(folder: Path) -> None:
    """A repository whose objects were overwritten."""
    for file in (repository(folder) / ".git/objects").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"junk")


def headless(folder: Path) -> None:
    """A repository that no longer says which branch is checked out."""
    (repository(folder) / ".git/HEAD").write_text("junk", encoding="ascii")


def bare(folder: Path) -> None:
    repository(folder, name="whole")
    git(folder, "clone", "--quiet", "--bare", "whole", "repo")


def shallow(folder: Path) -> None:
    repository(folder, name="whole")
    git(folder, "clone", "--quiet", "--depth=1", f"file://{folder}/whole", "repo")


def snapshot(**changed_keys: Any) -> str:
    """A snapshot of an environment with other keys."""
    return json.dumps(json.loads(take_snapshot().to_json()) | changed_keys)


LOGS = [
    log(
        "gzip cut short",
        gzip.compress(text_of(LINES))[:-3000],
        gap=f"{LAID_OUT}app.log: it is cut short; " + NONE_IN_INCIDENT.format(123),
    ),
    log("binary", bytes(range(256)) * 50, gap=f"app.log: it holds binary data, no text; {NEITHER}"),
    log("UTF-16", "\n".join(LINES).encode("utf-16"), gap=f"app.log: it is UTF-16; save it as UTF-8; {NEITHER}"),
    log("empty", b"", gap=f"app.log: it is empty; {NEITHER}"),
    log("one line of 10 MB", b"x" * 10_000_000, gap=f"{TIMELESS.format(1)}; {NEITHER}"),
    log(
        "a line of 10 MB among others",
        [*LINES[:700], f"{STAMPS[700]} INFO {'x' * 10_000_000}", *LINES[701:]],
        note="1 of 960 lines are longer than a MiB, cut there: app.log (1, first line 701)",
    ),
    log("no times", [f"hello {i}" for i in range(500)], gap=f"{TIMELESS.format(500)}; {NEITHER}"),
    log(
        "some lines without a time",
        [line if i % 4 else "no time here" for i, line in enumerate(LINES)],
        note=f"240 of 960 {UNTIMED} (240, first line 1)",
    ),
    log(
        "mixed clocks",
        LINES[:480] + [f"{hour:%b %d %H:%M:%S} INFO ready" for hour in HOURS[480:]],
        gap=f"{LAID_OUT}480 of 960 {UNTIMED} (480, first line 481); {NONE_IN_INCIDENT.format(480)}",
    ),
    log(
        "dates that can't be",
        [line.replace("2024-01-", "2024-13-") for line in LINES[:300]],
        gap=f"{TIMELESS.format(300)}; {NEITHER}",
    ),
    log(
        "no time zone",
        [line.replace("Z", "", 1) for line in LINES],
        note="the times of app.log bear no offset and are taken as UTC",
    ),
    log(
        "not UTF-8",
        text_of([*LINES[:9], *(line.replace("served", "sérved") for line in LINES[9:19]), *LINES[19:]])
        .decode()
        .encode("latin1"),
        note="10 of 960 lines aren't UTF-8 and are read with a sign for what isn't: app.log (10, first line 10)",
    ),
    log(
        "null bytes",
        text_of([*LINES[:5], *(line.replace("request", "requ\0est") for line in LINES[5:8]), *LINES[8:]]),
        note="3 of 960 lines hold null bytes, which were taken out: app.log (3, first line 6)",
    ),
    log(
        "JSON nested too deep",
        [*JSON_LINES[:900], *['{"ts":"' + STAMPS[900] + '","a":' + "[" * 100_000] * 3, *JSON_LINES[903:]],
        note=f"3 of 960 {UNPARSED} (3, first line 901)",
    ),
    log(
        "JSON that breaks off",
        [line if i % 3 else line[:20] for i, line in enumerate(JSON_LINES)],
        note=f"320 of 960 {UNPARSED} (320, first line 1)",
    ),
    log(
        "JSON times that are no numbers",
        ['{"ts": NaN, "msg": "a"}'] * 20 + JSON_LINES,
        note=f"20 of 980 {UNTIMED} (20, first line 1)",
    ),
    log(
        "of another year",
        [line.replace("2024", "2023") for line in LINES],
        gap=f"{LAID_OUT}files without a line in the windows: 1, app.log (2023-01-01 to 2023-02-09T23:00:00Z); "
        + NEITHER,
    ),
    Broken(
        "log: glob without a match",
        putting(app__log=LINES),
        {"logs": [{"files": "*.lgo"}]},
        refusal="logs[0].files: no file matches *.lgo (looked in {here}); there are: app.log",
    ),
]

METRICS = [
    metrics("empty", b"", gap="metrics.0.table: m.csv is empty; hand over a file with rows"),
    metrics(
        "a time column that is not there",
        SERIES,
        time="tss",
        refusal="metrics.0.time: column 'tss' not found in m.csv; did you mean 'ts'? there are: ts, cpu",
    ),
    metrics(
        "text in numbers",
        SERIES.replace(",10.", ",about 10.", 2),
        note="m.csv: column 'cpu': 2 cells taken as not measured, being no number, the first 'about 10.000' in row 1",
    ),
    metrics(
        "NaN alone",
        "ts,cpu\n" + "".join(f"{stamp},NaN\n" for stamp in STAMPS),
        gap="metrics.0.table: no column of m.csv beside 'ts' holds numbers; there are: ts, cpu",
    ),
    metrics(
        "infinite alone",
        "ts,cpu\n" + "".join(f"{stamp},inf\n" for stamp in STAMPS),
        gap="metrics.0.table: m.csv holds no number in 1 series; hand over values that were measured",
    ),
    metrics(
        "stamps twice",
        SERIES + "".join(SERIES.splitlines(keepends=True)[1:300]),
        note="m.csv: 299 rows averaged with another of the same series and second",
    ),
    metrics(
        "mixed time zones",
        SERIES.replace("Z,", ",", 100),
        gap="metrics.0.time: column 'ts' of m.csv mixes times with and without a time zone; write all of them with an "
        "offset, or none",
    ),
    metrics(
        "a quote never closed",
        SERIES.replace(",10.", ',"10.', 1),
        gap="metrics.0.table: m.csv line 2: a cell goes over several lines; close its quote",
    ),
    metrics(
        "null bytes",
        text_of(SERIES).replace(b"10.", b"\0", 3),
        gap="metrics.0.table: m.csv isn't what its name says: it holds binary data; hand over text",
    ),
    metrics(
        "samples without an end",
        "\n".join(SAMPLES),
        file="m.om",
        note="m.om: the last line is not '# EOF', so that the file's end may be missing",
    ),
    metrics(
        "labels with a quote never closed",
        "\n".join([*SAMPLES[:7], SAMPLES[7].replace('"a"', '"a'), *SAMPLES[8:], "# EOF"]),
        file="m.om",
        gap="metrics.0.table: m.om line 8: 'cpu{host=\"a} "
        + SAMPLES[7].partition(" ")[2]
        + '\' is no sample; write name{label="text"} value timestamp',
    ),
    metrics(
        "labels with an escape that is none",
        "\n".join([*(one.replace('"a"', '"a\\x"') for one in SAMPLES[:5]), *SAMPLES[5:], "# EOF"]),
        file="m.om",
        note='cpu{host="a\\x"}: 5 values in the normal baseline, none in the incident',
    ),
    metrics(
        "counters that fall",
        "# TYPE req counter\n"
        + "".join(f"req_total {i * 7 % 500} {hour.timestamp():.0f}\n" for i, hour in enumerate(HOURS))
        + "# EOF\n",
        file="m.om",
        note="13 falls of counters taken as their beginning anew at 0",
    ),
    metrics(
        "timestamps beyond measure",
        "\n".join([*SAMPLES[:-1], 'cpu{host="a"} 1 1e300']),
        file="m.om",
        gap="metrics.0.table: m.om holds timestamps up to 1e+300, no epoch times; write seconds since 1970",
    ),
    metrics(
        "of another year",
        SERIES.replace("2024", "2023"),
        gap="metrics.0.table: no rows of m.csv lie in 2024-01-01..2024-02-10; it spans 2023-01-01 to "
        "2023-02-09T23:00:00Z",
    ),
    Broken(
        "metrics: no file",
        putting(),
        {"metrics": [{"table": "m.csv"}]},
        refusal="metrics.0.table: no such file: m.csv (looked in {here}); that folder is empty",
    ),
    Broken(
        "metrics: no address",
        putting(),
        {"metrics": [{"prometheus": "prometheus:9090", "queries": {"up": "up"}}]},
        refusal="metrics.0.prometheus: 'prometheus:9090' is no server's address; write it like http://127.0.0.1:9090",
    ),
    graph(
        "unknown columns",
        "from_service,to_service\nweb,db\n",
        gap="graph: g.csv holds no calls; hand over columns `caller` and `callee`, or a matrix of services; columns "
        "there: from_service, to_service",
    ),
    graph("empty", "", gap="graph: g.csv is empty; hand over a file with rows"),
    graph(
        "a quote never closed",
        'caller,callee\nweb,"db\nweb,cache\n',
        gap="graph: g.csv line 2: a cell goes over several lines; close its quote",
    ),
]

GIT = {"git": "repo"}
LEDGERS = [
    changes(
        "no repository",
        GIT,
        lambda folder: (folder / "repo").mkdir(),
        gap="changes.0.git: repo is no git repository, or a damaged one; name the folder that holds .git",
    ),
    changes(
        "a repository without its head",
        GIT,
        headless,
        gap="changes.0.git: repo is no git repository, or a damaged one; name the folder that holds .git",
    ),
    changes(
        "a corrupt repository",
        GIT,
        junk,
        gap="changes.0.git: git can't read repo: *; clone it anew, or hand over the deploys as `events`",
    ),
    changes(
        "a repository without commits",
        GIT,
        lambda folder: repository(folder, commits=0),
        note="changes.0.git: repo has no commits on the branch that is checked out",
    ),
    changes("a bare repository", GIT, bare, note="changes.0.git: 2 of 2 commits lie in 2024-01-01..2024-02-10"),
    changes(
        "a shallow clone",
        GIT,
        shallow,
        note="changes.0.git: repo is a shallow clone: nothing is known before 2024-01-30T12:00:00Z; "
        "`git fetch --unshallow` brings the rest",
    ),
    changes(
        "a file in place of a repository",
        GIT,
        putting(repo="x"),
        refusal="changes.0.git: repo is a file; name the folder that holds .git",
    ),
    changes(
        "no folder",
        GIT,
        putting(rope="x"),
        refusal="changes.0.git: no such folder: repo (looked in {here}); there are: rope",
    ),
    events("empty", b"", gap="changes.0.events: e.csv is empty; hand over a file with rows"),
    events(
        "times that can't be read",
        EVENTS + "soon,deploy,v3\n",
        note=f"changes.0.events: e.csv: kept without a time, as theirs can't be read: line 3 ('soon'); {ISO}",
    ),
    events(
        "no time that can be read",
        EVENTS.replace("2024-01-30", "soon"),
        gap=f"changes.0.events: e.csv: none of the times can be read, such as 'soon'; {ISO}",
    ),
    events(
        "unknown columns",
        EVENTS.replace("time", "when"),
        gap="changes.0.events: e.csv has no column 'time'; there are: when, kind, summary",
    ),
    events(
        "a quote never closed",
        EVENTS + '2024-01-31,deploy,"v3\n' + "2024-02-01,deploy,v4\n" * 9,
        gap="changes.0.events: e.csv line 3: a quote is opened and never closed; mend that row",
    ),
    events(
        "rows of other widths",
        EVENTS + "2024-01-31,deploy\n2024-01-31,deploy,v3,eu\n",
        note="changes.0.events: e.csv: left out, as its fields are not 3, as in the header: line 3, line 4",
    ),
    events(
        "not UTF-8",
        (EVENTS + "2024-01-31,deploy,Zürich\n").encode("latin1"),
        gap="changes.0.events: e.csv is not UTF-8 text; save it as UTF-8",
    ),
    events(
        "gzip cut short",
        gzip.compress(text_of(EVENTS + "".join(f"2024-01-31,deploy,{hash(str(i))}\n" for i in range(500))))[:-900],
        file="e.csv.gz",
        gap="changes.0.events: e.csv.gz is damaged (Truncated compressed stream); fetch it again",
    ),
    events(
        "JSON nested too deep",
        "[" * 200_000,
        file="e.json",
        gap="changes.0.events: e.json is not JSON: it is nested too deeply; hand over a list of objects",
    ),
    events(
        "JSON lines that break off",
        '{"time": "2024-01-30", "kind": "deploy", "summary": "v2"}\n{"time": \n',
        file="e.jsonl",
        note="changes.0.events: e.jsonl: left out, as it is no JSON object: line 2",
    ),
    pair(
        "dependencies",
        "of an unknown format",
        ".lock",
        "<xml/>",
        "<xml/>",
        gap="changes.0.dependencies.before: a.lock is of no format known for dependencies; there are: uv.lock, "
        "poetry.lock, pylock.toml, pyproject.toml, Pipfile.lock, CycloneDX JSON, mortis snapshot, conda list, "
        "conda list --export, conda environment.yml, pip list, requirements.txt or pip freeze",
    ),
    pair(
        "dependencies",
        "both the same",
        ".txt",
        "numpy==1.0\n",
        "numpy==1.0\n",
        note="a.txt (requirements.txt or pip freeze, 1 packages) and b.txt (requirements.txt or pip freeze, 1 "
        "packages): no difference",
    ),
    changes(
        "dependencies, before missing",
        {"dependencies": {"before": "a.txt", "after": "b.txt"}},
        putting(b__txt="numpy==1.0\n"),
        refusal="changes.0.dependencies.before: no such file: a.txt (looked in {here}); did you mean 'b.txt'? "
        "there are: b.txt",
    ),
    pair(
        "schema",
        "of broken JSON",
        ".json",
        '{"properties": ',
        '{"properties": {}}',
        gap="changes.0.schema.before: a.json is not JSON: Expecting value: line 1 column 16 (char 15); mend that place",
    ),
    pair(
        "schema",
        "of broken DDL",
        ".sql",
        "CREATE TABLE loans (id int, amount",
        "CREATE TABLE loans (id int);",
        gap="changes.0.schema.before: a.sql creates no table that can be read (1 × CREATE TABLE loans, whose bracket "
        "is never closed); hand over CREATE TABLE with its columns",
    ),
    pair(
        "schema",
        "a dump cut short",
        ".sql",
        "CREATE TABLE loans (id int); CREATE TABLE people (id int, na",
        "CREATE TABLE loans (id int);",
        note="not understood and left out: 1 × CREATE TABLE people, whose bracket is never closed",
    ),
    pair(
        "schema",
        "Parquet cut short",
        ".parquet",
        b"PAR1" + bytes(50) + b"PAR1",
        b"PAR1",
        gap="changes.0.schema.before: a.parquet isn't what its name says: *; fetch it again",
    ),
    pair(
        "environment",
        "of another version",
        ".json",
        snapshot(schema_version=9),
        snapshot(),
        gap="changes.0.environment.before: a.json is a snapshot of schema version 9, and this version of Mortis reads "
        "1; take both with the same version of Mortis",
    ),
    pair(
        "config",
        "aliases that multiply",
        ".yaml",
        BOMB,
        "a: 1",
        gap="changes.0.config.before: a.yaml: it holds more than 20,000 values; hand over the part that matters",
    ),
    pair(
        "config",
        "keys twice in YAML",
        ".yaml",
        "a: 1\nb: {c: 1, c: 2}\na: 2\n",
        "a: 1",
        note="changes.0.config.before: a.yaml: of keys that stand twice the last counts: a (line 3), c (line 2)",
    ),
    pair(
        "config",
        "keys twice in JSON",
        ".json",
        '{"a": 1, "a": 2}',
        '{"a": 1}',
        note="changes.0.config.before: a.json: of keys that stand twice the last counts: a",
    ),
    pair(
        "config",
        "keys twice in INI",
        ".ini",
        "[s]\na = 1\na = 2\n",
        "[s]\na = 1\n",
        note="changes.0.config.before: a.ini: of keys that stand twice the last counts: s.a (line 3, and maybe more)",
    ),
    pair(
        "config",
        "keys twice among variables",
        ".env",
        "A=1\nA=2\n",
        "A=1\n",
        note="changes.0.config.before: a.env: of keys that stand twice the last counts: A",
    ),
    pair(
        "config",
        "no mapping",
        ".yaml",
        "just a text",
        "a: 1",
        gap="changes.0.config.before: a.yaml holds no keys, but one text alone; hand over a mapping of keys",
    ),
    pair(
        "config",
        "of broken TOML",
        ".toml",
        "a = = 1",
        "a = 1",
        gap="changes.0.config.before: a.toml: not TOML: Invalid value (at line 1, column 5); mend that file",
    ),
]

TABLE = [*LOGS, *METRICS, *LEDGERS]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    """The small case, examined once: each row hands it other sources."""
    folder = tmp_path_factory.mktemp("case")
    write_log(folder)
    write_case(folder)
    with closing(open_engine("duckdb")) as engine:
        yield examine(Case.load(folder), engine, 0)[1]


def told_of(known: Examined, folder: Path, stated: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Why something was not checked of the sources stated, and every statement made of them."""
    case = Case.parse(changed(**stated), root=folder)
    of_case = replace(known, case=case)
    signals, record = analyse_signals(of_case), read_record(of_case)
    reviewed = review_changes(of_case, record, ErrorAnalysis(), (), signals.calls)
    gaps: tuple[NotChecked, ...] = (*signals.not_checked, *reviewed.not_checked)
    said = [one.statement for one in (*signals.evidence, *reviewed.evidence)]
    unstated = ("no metrics were handed over", "no log files were handed over", "no record of changes was handed over")
    return [one.why for one in gaps if one.why not in unstated and "on no record" not in one.why], said


def is_like(told: str, message: str) -> bool:
    """Whether it is that message, in which a star stands for what another program says."""
    return re.fullmatch(".+".join(map(re.escape, message.split("*"))), told) is not None


@pytest.mark.parametrize("broken", TABLE, ids=lambda broken: broken.name.replace(" ", "-"))
def test_it_is_told_in_one_line_or_counted(broken: Broken, known: Examined, tmp_path: Path) -> None:
    """The reason is exact and on one line; a count stands in the notes; only what is not there is refused."""
    broken.puts(tmp_path)
    if broken.refusal:
        with pytest.raises(CaseProblem) as refused:
            told_of(known, tmp_path, broken.case)
        assert str(refused.value) == broken.refusal.replace("{here}", str(tmp_path))
        return
    gaps, said = told_of(known, tmp_path, broken.case)
    assert not any("\n" in one for one in (*gaps, *said))
    if broken.gap:
        (gap,) = gaps
        assert is_like(gap, broken.gap), gap
    else:
        assert gaps == []
        assert any(broken.note in one for one in said), said


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address of a server on this machine that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def saying(code: int, body: str, **headers: str) -> Answer:
    """An answer of that code, body and headers."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body.encode())

    return answer


def without_end(request: BaseHTTPRequestHandler) -> None:
    """An answer that never ends."""
    request.send_response(200)
    request.end_headers()
    with suppress(OSError):
        while True:
            request.wfile.write(b" " * 65536)


def refused(code: int, kind: str, error: str) -> Answer:
    return saying(code, json.dumps({"status": "error", "errorType": kind, "error": error}))


SERVERS = [
    pytest.param(
        saying(200, "<html>Grafana</html>"),
        "metrics.0.prometheus: {server} answers no JSON of Prometheus; is it a Prometheus server?",
        id="answers-HTML",
    ),
    pytest.param(
        refused(422, "execution", "found duplicate series"),
        "metrics.0.queries.up: {server} refuses 'up': found duplicate series",
        id="can't-run-the-query",
    ),
    pytest.param(
        saying(302, "", Location="http://127.0.0.1:9/"),
        "metrics.0.prometheus: {server} redirects (HTTP 302); state the address it redirects to",
        id="redirects",
    ),
    pytest.param(
        without_end,
        "metrics.0.prometheus: {server} answers with more than 1 MiB; ask for less at a time",
        id="never-ends",
    ),
    pytest.param(
        saying(200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})),
        "metrics.0.queries: {server} has no series in 2024-01-01..2024-02-10 for up; try the queries on its own page",
        id="knows-no-series",
    ),
    pytest.param(
        saying(503, "busy"),
        "metrics.0.prometheus: {server} answers HTTP 503: is it a Prometheus server?",
        id="is-busy",
    ),
]


@pytest.mark.parametrize(("answer", "message"), SERVERS)
def test_a_server_that_answers_badly_costs_its_series_alone(
    answer: Answer, message: str, known: Examined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The series of a sound table beside it are judged all the same."""
    monkeypatch.setattr(prometheus, "MOST_BYTES", 1 << 20)
    putting(m__csv=SERIES)(tmp_path)
    with serving(answer) as server:
        sources = [{"prometheus": server, "queries": {"up": "up"}}, {"table": "m.csv"}]
        gaps, said = told_of(known, tmp_path, {"metrics": sources})
    assert gaps == [message.replace("{server}", server)]
    assert any(one.startswith("1 of 1 series moved") for one in said)


def test_a_server_that_does_not_answer_is_told(known: Examined, tmp_path: Path) -> None:
    sources = [{"prometheus": "http://127.0.0.1:1", "queries": {"up": "up"}}]
    (gap,), _ = told_of(known, tmp_path, {"metrics": sources})
    assert gap.startswith("metrics.0.prometheus: http://127.0.0.1:1 can't be reached: ")
    assert gap.endswith("Connection refused; is the server running?")


def test_a_query_that_is_none_is_the_cases_own_mistake(known: Examined, tmp_path: Path) -> None:
    with serving(refused(400, "bad_data", "1:4: parse error: unexpected end of input")) as server:
        sources = [{"prometheus": server, "queries": {"up": "up{"}}]
        with pytest.raises(CaseProblem) as problem:
            told_of(known, tmp_path, {"metrics": sources})
    assert str(problem.value) == (
        f"metrics.0.queries.up: {server} refuses 'up{{': 1:4: parse error: unexpected end of input"
    )


@pytest.mark.parametrize(
    ("calls", "symptom", "told"),
    [
        ("web,db\ndb,web\n", "web", 'latency_ms{service="db"} moved with the symptom'),
        ("web,web\nweb,db\ndb,db\n", "web", 'latency_ms{service="db"} moved with the symptom'),
        ("web,web\n", "web", "no service is named: no node that web calls has a series"),
        ("search,cache\n", "search", "no service is named: none of the symptom's series could be judged"),
    ],
    ids=["a circle", "calls of itself", "calls of itself alone", "services without a series"],
)
def test_odd_graphs_are_walked_to_an_end(calls: str, symptom: str, told: str, tmp_path: Path) -> None:
    """Each service is visited once, whoever calls whom; where none can be named, it is said why."""
    putting(m__csv=SERVICES, g__csv=f"caller,callee\n{calls}")(tmp_path)
    windows = "2024-01-01..2024-01-31", "2024-01-31..2024-02-10"
    found = signals_of_metrics(str(tmp_path / "m.csv"), windows=windows, graph=str(tmp_path / "g.csv"), symptom=symptom)
    (walked,) = [one.statement for one in found.evidence if one.id.startswith("signals.walk")]
    assert walked.startswith(told)


def test_a_run_goes_to_its_end_with_all_of_it_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 0, says nothing on standard error, and the report tells of each source why it was not checked."""
    monkeypatch.chdir(tmp_path)
    write_log(tmp_path)
    (tmp_path / "repo").mkdir()
    putting(app__log=b"", m__csv=b"", g__csv=b"", e__csv=b"", a__yaml=BOMB, b__yaml="a: 1")(tmp_path)
    write_case(
        tmp_path,
        logs=[{"files": "app.log"}],
        metrics=[{"table": "m.csv"}, {"prometheus": "http://127.0.0.1:1", "queries": {"up": "up"}}],
        graph="g.csv",
        changes=[{"git": "repo"}, {"events": "e.csv"}, {"config": {"before": "a.yaml", "after": "b.yaml"}}],
    )
    ended = CommandLine(monkeypatch, capsys)("run", "incident.yaml", "--out", "out")
    assert (ended.code, ended.err) == (0, "")
    whys = [one["why"] for one in json.loads((tmp_path / "out/postmortem.json").read_text())["not_checked"]]
    for begins in (
        "metrics.0.table: ", "metrics.1.prometheus: ", "graph: ", "app.log: ", "changes.0.git: ", "changes.1.events: ",
        "changes.2.config.before: ",
    ):  # fmt: skip
        assert [one for one in whys if one.startswith(begins)], begins


def test_what_was_not_read_is_on_no_record(known: Examined, tmp_path: Path) -> None:
    """Of two repositories one is broken: what the other tells is read, but silence about code is no sign of calm."""
    repository(tmp_path)
    case = Case.parse(changed(changes=[GIT, {"git": "gone"}]), root=tmp_path)
    (tmp_path / "gone").mkdir()
    record = read_record(replace(known, case=case))
    assert record.read is not None
    assert len(record.read.changes) == 2
    assert "a git repository" in record.read.unrecorded


def test_the_table_is_long_enough() -> None:
    assert len({one.name for one in TABLE}) == len(TABLE) >= 50
    assert all(bool(one.gap) + bool(one.note) + bool(one.refusal) == 1 for one in TABLE)
