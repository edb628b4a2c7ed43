"""The command line: what each command prints and writes, how it ends, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from jsonschema import Draft202012Validator

from mortis.case.reading import load_yaml
from small_case import (  # type: ignore[import-not-found]  # pytest finds it beside this file
    CommandLine,
    log,
    write_case,
    write_log,
)

COMMANDS = ("demo", "init", "run", "clarify", "errors", "snapshot", "schema")
REPORT = {"postmortem.html", "postmortem.md", "postmortem.json"}
PROGRAM = [sys.executable, "-m", "mortis"]


@pytest.fixture
def mortis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, run in this process."""
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the small case, from which commands run."""
    write_log(tmp_path)
    write_case(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a case of two million predictions with ten features."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(20240131)
    n = 2_000_000
    columns = {f"x{i}": rng.integers(0, 5000, n, dtype=np.int16) / 7 for i in range(10)}
    epoch = 1_704_067_200 + np.arange(n) * 40 * 86400 // n
    label = rng.integers(0, 2, n, dtype=np.int8)
    table = pa.table({"ts": pa.array(epoch, pa.timestamp("s", tz="UTC")), "y_true": label, "y_pred": label, **columns})
    pq.write_table(table, folder / "log.parquet")
    predictions = {"table": "log.parquet", "time": "ts", "prediction": "y_pred", "label": "y_true"}
    write_case(folder, predictions=predictions)
    return folder


def named(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_its_help(command: str, mortis: CommandLine) -> None:
    """`--help` ends with 0 and says what the command does and how it is called."""
    ended = mortis(*filter(None, [command]), "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.lstrip().startswith(f"Usage: mortis {command}".rstrip())


def test_without_a_command_the_help_is_shown(mortis: CommandLine) -> None:
    """`mortis` alone is a question, not a mistake: it answers as `--help` does."""
    assert mortis() == mortis("--help")


def test_the_version_is_the_installed_one(mortis: CommandLine) -> None:
    """`--version` prints it and ends, whatever else is asked."""
    assert mortis("--version").out == f"mortis {version('mortis')}\n"
    assert mortis("--version", "run", "absent.yaml").code == 0


def test_the_module_is_the_program(folder: Path) -> None:
    """`python -m mortis` does what `mortis` does."""
    ended = subprocess.run([*PROGRAM, "--version"], cwd=folder, capture_output=True, text=True, check=True)
    assert ended.stdout == f"mortis {version('mortis')}\n"


def test_run_writes_three_files_and_says_where(folder: Path, mortis: CommandLine) -> None:
    """They lie where `--out` says, or else in the case's folder; a folder stands for the incident.yaml in it."""
    ended = mortis("run", "incident.yaml", "--out", "new/report")
    assert (ended.code, ended.err) == (0, "")
    assert named(folder / "new" / "report") == REPORT
    for name in REPORT:
        assert f"wrote   new/report/{name}\n" in ended.out
    assert mortis("run", folder).code == 0
    assert named(folder) == REPORT | {"incident.yaml", "log.parquet", "new"}


def test_only_the_wanted_formats_are_written(folder: Path, mortis: CommandLine) -> None:
    """`--format json` writes that one; a list writes each of its formats."""
    assert mortis("run", "incident.yaml", "--out", "a", "--format", "json").code == 0
    assert named(folder / "a") == {"postmortem.json"}
    assert mortis("run", "incident.yaml", "--out", "b", "--format", "md, json", "--no-library").code == 0
    assert named(folder / "b") == {"postmortem.md", "postmortem.json"}


def test_a_second_run_replaces_the_first(folder: Path, mortis: CommandLine) -> None:
    """The report of a run stands in place of the one before, and nothing else is left beside it."""
    (folder / "out").mkdir()
    (folder / "out" / "postmortem.md").write_text("of yesterday", encoding="utf-8")
    assert mortis("run", "incident.yaml", "--out", "out").code == 0
    assert named(folder / "out") == REPORT
    assert "of yesterday" not in (folder / "out" / "postmortem.md").read_text(encoding="utf-8")


def test_clarify_and_errors_print_text_or_json(folder: Path, mortis: CommandLine) -> None:
    """One step alone, on the same case; with `--json` what is printed is one JSON value, and no file is written."""
    before = named(folder)
    assert "Accuracy fell" in mortis("clarify", "incident.yaml").out
    assert json.loads(mortis("clarify", "incident.yaml", "--json").out)["failure"]["verdict"] == "failure"
    assert mortis("errors", "incident.yaml").out
    assert "slices" in json.loads(mortis("errors", "incident.yaml", "--json").out)
    assert named(folder) == before


def test_errors_of_a_table_of_counts(folder: Path, mortis: CommandLine) -> None:
    """A table of counts needs no case file: the slice in which the errors rose is found."""
    rows = [
        f"2024-01-0{day}T{hour:02}:00,{region},{device},{30 if (day, region) == (2, 'north') else 5},100"
        for day in (1, 2)
        for hour in range(24)
        for region in ("north", "south")
        for device in ("phone", "desk")
    ]
    (folder / "counts.csv").write_text("\n".join(["t,region,device,bad,all", *rows]) + "\n", encoding="utf-8")
    counted = ("errors", "--table", "counts.csv", "--errors", "bad", "--count", "all", "--time", "t")
    windows = ("--baseline", "2024-01-01..2024-01-02", "--incident", "2024-01-02..2024-01-03")
    found = json.loads(mortis(*counted, *windows, "--json").out)
    assert found["slices"][0]["conditions"] == {"region": "north"}
    assert "'north'" in mortis(*counted, *windows).out


@pytest.mark.parametrize("what", ["case", "postmortem"])
def test_schemas_are_json_schemas(what: str, mortis: CommandLine) -> None:
    """What `schema` prints is itself valid under the draft it names."""
    schema = json.loads(mortis("schema", what).out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_the_demo_is_built_and_reported_and_keeps_the_schemas(tmp_path: Path, mortis: CommandLine) -> None:
    """The case and the post-mortem are what `schema case` and `schema postmortem` say; quiet weeks are no failure."""
    demo = tmp_path / "demo"
    ended = mortis("demo", "--fault", "none", "--out", demo)
    if ended.code == 3 and "demo needs the package" in ended.err:
        pytest.skip("the demo's extra is not installed")
    assert (ended.code, ended.err) == (0, "")
    assert "No failure found" in ended.out
    case = Draft202012Validator(json.loads(mortis("schema", "case").out))
    case.validate(load_yaml((demo / "case" / "incident.yaml").read_text(encoding="utf-8"))[0])
    postmortem = json.loads((demo / "report" / "postmortem.json").read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(mortis("schema", "postmortem").out)).validate(postmortem)
    assert postmortem["answer"] == "no_failure"
    assert json.loads((demo / "truth.json").read_text(encoding="utf-8"))["verdict"] == "no_failure"
    assert {path.name for path in (demo / "report").iterdir()} == REPORT


def test_a_drafted_case_stands_anywhere(folder: Path, mortis: CommandLine) -> None:
    """`init -o sub/x.yaml log.parquet`: tables are named from where one stands, and written from the file's folder."""
    for target, table in (("sub/deep/drafted.yaml", "log.parquet"), ("drafted.yaml", "*.parquet")):
        ended = mortis("init", table, "-o", target)
        assert (ended.code, ended.err) == (0, "")
        assert f"wrote {target}; check it, then: mortis run {target}\n" in ended.out
        stated = load_yaml((folder / target).read_text(encoding="utf-8"))[0]
        assert stated["predictions"]["table"] == f"{'../' * target.count('/')}{table}"
        schema = json.loads(mortis("schema", "case").out)
        Draft202012Validator(schema).validate(stated)
        assert mortis("run", target, "--out", "out").code == 0


def test_a_drafted_case_is_not_overwritten_unasked(folder: Path, mortis: CommandLine) -> None:
    """Only `--force` replaces a case file."""
    before = (folder / "incident.yaml").read_bytes()
    assert mortis("init", "log.parquet").code == 2
    assert (folder / "incident.yaml").read_bytes() == before
    assert mortis("init", "log.parquet", "--force").code == 0
    assert (folder / "incident.yaml").read_bytes() != before


def test_a_full_disk_leaves_no_half_report(folder: Path) -> None:
    """Where a file can't be written whole, none is there: one line, exit code 3, no folder left behind."""

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    before = named(folder)
    ended = subprocess.run(
        [*PROGRAM, "run", "incident.yaml", "--out", "new/report"],
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=small_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (3, "mortis: new/report can't be written to: File too large\n")
    assert named(folder) == before


def test_where_one_file_has_no_place_all_stay_as_they_were(folder: Path, mortis: CommandLine) -> None:
    """A report whose last file can't be put in its place leaves none of the others, and an older one untouched."""
    out = folder / "out"
    (out / "postmortem.json").mkdir(parents=True)
    (out / "postmortem.html").write_text("an older report", encoding="utf-8")
    before = named(folder)
    ended = mortis("run", "incident.yaml", "--out", "out", "--format", "html,md,json")
    assert (ended.code, ended.out, ended.err) == (3, "", "mortis: out can't be written to: Is a directory\n")
    assert named(folder) == before
    assert (out / "postmortem.html").read_text(encoding="utf-8") == "an older report"
    (out / "postmortem.json").rmdir()
    assert mortis("run", "incident.yaml", "--out", "out").code == 0
    assert {file.name for file in out.iterdir()} == {"postmortem.html", "postmortem.md", "postmortem.json"}
    assert "an older report" not in (out / "postmortem.html").read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
@pytest.mark.usefixtures("folder")
def test_a_folder_that_can_not_be_made(mortis: CommandLine) -> None:
    """A report that has no place ends the run with 3 and one line."""
    ended = mortis("run", "incident.yaml", "--out", "/proc/report")
    assert (ended.code, ended.out) == (3, "")
    assert re.fullmatch(r"mortis: .*/proc.* can't be written to.*\n", ended.err)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(folder: Path, mortis: CommandLine) -> None:
    """That nothing can be written is told before the work is done."""
    (folder / "shut").mkdir(mode=0o555)
    ended = mortis("run", "incident.yaml", "--out", "shut/report")
    message = "--out: folder shut can't be written to; name another place with --out"
    assert (ended.code, ended.err) == (3, f"mortis: {message}\n")


def test_ctrl_c_ends_a_run_cleanly(large: Path, tmp_path: Path) -> None:
    """Interrupted in the middle of the pass: 130 within two seconds, one line, no report, no temporary folder."""
    before = named(large)
    # Arrow's conversions import pandas where there is one, and take what interrupts that for its absence.
    program = "import sys; sys.modules['pandas'] = None; from mortis.cli import main; main()"
    running = subprocess.Popen(
        [sys.executable, "-c", program, "run", "incident.yaml", "--out", "out"],
        cwd=large,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and running.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.5)  # the engine stands; by now it reads
    assert running.poll() is None, running.communicate()
    running.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = running.communicate(timeout=30)
    assert time.monotonic() - sent < 2
    assert (running.returncode, out, err) == (130, "", "mortis: interrupted; no result was written\n")
    assert named(large) == before
    assert not list(tmp_path.iterdir())


PROGRESS = """
import time
from mortis.cli import _Progress
with _Progress() as watch:
    for step in range(38):
        watch("numbers", step * 100_000, 4_000_000)
        time.sleep(0.1)
"""


def on_a_terminal(arguments: list[str], folder: Path) -> list[tuple[float, bytes]]:
    """What a program shows on a terminal, piece by piece, each with its second."""
    leader, follower = pty.openpty()
    began = time.monotonic()
    shown: list[tuple[float, bytes]] = []
    with subprocess.Popen(
        arguments, cwd=folder, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"}, stderr=follower
    ) as program:
        os.close(follower)
        with contextlib.suppress(OSError):  # Linux tells so that the other side has closed
            while program.poll() is None or select.select([leader], [], [], 0)[0]:
                if select.select([leader], [], [], 0.1)[0]:
                    shown.append((time.monotonic() - began, os.read(leader, 4096)))
    os.close(leader)
    assert program.returncode == 0
    return shown


def test_progress_is_shown_after_two_seconds_on_a_terminal(tmp_path: Path) -> None:
    """With rows done, rows in all and the time that remains; nothing before two seconds have passed."""
    shown = on_a_terminal([sys.executable, "-c", PROGRESS], tmp_path)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(piece for _, piece in shown).decode())  # without the colours
    assert shown[0][0] >= 2
    assert re.search(r"numbers .*[23][0-9]00000/4000000 rows", text)
    assert re.search(r"rows.* \d:\d\d:\d\d", text)


def test_progress_is_not_shown_in_a_pipe(tmp_path: Path) -> None:
    """What is no terminal gets results and complaints alone."""
    ended = subprocess.run([sys.executable, "-c", PROGRESS], cwd=tmp_path, capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_a_reader_that_leaves_is_no_failure_of_ours(folder: Path) -> None:
    """`mortis schema case | head -1` prints one line and no traceback."""
    command = f"{sys.executable} -m mortis schema case | head -1"
    ended = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S607
    assert (ended.stdout, ended.stderr) == ("{\n", "")


def test_the_case_file_is_left_as_it_was(folder: Path, mortis: CommandLine) -> None:
    """An investigation reads: neither the case nor its tables change."""
    before = {name: (folder / name).read_bytes() for name in named(folder)}
    assert mortis("run", "incident.yaml", "--out", "out").code == 0
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert yaml.safe_load(before["incident.yaml"])["predictions"]["table"] == "log.parquet"
    assert pq.read_table(folder / "log.parquet").equals(log())
