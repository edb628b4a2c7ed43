"""Changes as sources tell them, real ones: nothing in them runs, and nothing goes missing silently."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import string
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mortis.case import BeforeAfter, ChangeSource
from mortis.problems import InputProblem, Problem, WorkProblem
from mortis.records import ChangedPart, Window
from mortis.sources import changes as sources
from mortis.sources.changes import READERS, events, git, read_changes, settings
from mortis.sources.changes.columns import units_in
from mortis.sources.changes.ddl import ddl_schemas
from mortis.sources.changes.json_schema import json_columns
from mortis.sources.changes.masking import MASK, is_secret_key, masked_text, masked_value, one_line
from mortis.sources.changes.paths import kind_of_path
from mortis.sources.changes.settings import FORMATS, dotted
from mortis.sources.times import moment_of

START = datetime(2024, 5, 1, tzinfo=UTC)
AROUND = Window(START, START + timedelta(days=30))
AT = "2024-05-10T06:00:00Z"
GIT = shutil.which("git") or ""


def read(root, *stated, around=AROUND):
    return read_changes([ChangeSource.model_validate(one) for one in stated], root=root, around=around)


def pair(root, before, after, *, kind="schema", name="schema.json", at=AT):
    """What is read of a file before and after, handed over by its text or its bytes, or as a file that is there."""
    stated = []
    for folder, content in (("old", before), ("new", after)):
        (root / folder).mkdir(exist_ok=True)
        if isinstance(content, Path):
            stated.append(str(content))
            continue
        file = root / folder / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        stated.append(f"{folder}/{name}")
    return read(root, {kind: {"before": stated[0], "after": stated[1]} | ({"at": at} if at else {})})


def parts(found):
    return [str(part) for change in found.changes for part in change.parts]


@dataclass
class Repository:
    """A real repository whose commits bear the times they are given."""

    folder: Path
    name: str = "Anna Example"

    def git(self, *command, at=START, given=None):
        stamp = f"{int(at.timestamp())} +0200"
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", self.name), ("EMAIL", "anna@example.com"), ("DATE", stamp))
        }
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.folder)}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(
            [GIT, "-C", str(self.folder), *command],
            env=kept | who | own,
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message, *, after, **files):
        """A commit so long after the start that writes files (None removes one); its hash."""
        for name, content in files.items():
            path = self.folder / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if content is None else path.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, at=START + after)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    if not GIT:
        pytest.skip("git is not installed")
    folder = tmp_path / "repo"
    folder.mkdir()
    made = Repository(folder)
    made.git("init", "-q", "-b", "main")
    return made


DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class TestGit:
    def test_commits_in_the_window_are_told_with_time_author_files_and_kinds(self, repository, tmp_path):
        repository.commit("Before the window", after=-DAY, a_DOT_py="1")
        sha = repository.commit(
            "Distances in km", after=2 * DAY, conf__feed_DOT_yaml="unit: km", feed_DOT_py="x", b_DOT_py="y"
        )
        repository.commit("After the window", after=31 * DAY, a_DOT_py="2")
        (change,) = read(tmp_path, {"git": "repo"}).changes
        assert change.id == f"git.{sha[:7]}"
        assert change.time == START + 2 * DAY
        assert change.kind == "code, config"
        assert change.summary == "Distances in km (Anna Example; 3 files)"
        assert [(part.name, part.before) for part in change.parts] == [
            ("b.py", None),
            ("conf/feed.yaml", None),
            ("feed.py", None),
        ]
        assert change.source == "repo"

    def test_a_parts_before_and_after_name_the_contents_that_git_shows(self, repository, tmp_path):
        repository.commit("one", after=DAY, a_DOT_py="old\n", b_DOT_py="gone\n")
        repository.commit("two", after=2 * DAY, a_DOT_py="new\n", b_DOT_py=None)
        changed, removed = read(tmp_path, {"git": "repo"}).changes[0].parts
        assert repository.git("cat-file", "-p", changed.before) == "old"
        assert repository.git("cat-file", "-p", changed.after) == "new"
        assert (removed.name, removed.after) == ("b.py", None)

    def test_the_window_is_half_open_and_clocks_that_differ_hide_nothing(self, repository, tmp_path):
        """An older date in front of a younger one must not end the walk."""
        repository.commit("at the start", after=timedelta(0))
        repository.commit("inside", after=5 * DAY)
        repository.commit("a machine whose clock stands in the past", after=-400 * DAY)
        repository.commit("at the end", after=30 * DAY)
        found = {change.summary.split(" (")[0] for change in read(tmp_path, {"git": "repo"}).changes}
        assert found == {"at the start", "inside"}

    def test_a_merge_bears_what_it_brings_to_the_branch(self, repository, tmp_path):
        repository.commit("base", after=DAY, a_DOT_py="1")
        repository.git("checkout", "-q", "-b", "topic")
        repository.commit("topic work", after=2 * DAY, requirements_DOT_txt="numpy==2")
        repository.git("checkout", "-q", "main")
        repository.commit("main work", after=3 * DAY, b_DOT_py="1")
        repository.git("merge", "-q", "--no-ff", "topic", "-m", "Take in the topic", at=START + 4 * DAY)
        merge, *others = read(tmp_path, {"git": "repo"}).changes
        assert merge.summary == "merge: Take in the topic (Anna Example; 1 file)"
        assert merge.kind == "dependency"
        assert [part.name for part in merge.parts] == ["requirements.txt"]
        assert len(others) == 3

    def test_tags_are_deploys_an_annotated_one_at_its_own_time(self, repository, tmp_path):
        sha = repository.commit("work", after=DAY, a_DOT_py="1")
        repository.git("tag", "v1")
        repository.git("tag", "-a", "v2", "-m", "Release two\n\nby anna@example.com", at=START + 3 * DAY)
        repository.git("tag", "-a", "v3", "-m", "later", at=START + 40 * DAY)
        found = read(tmp_path, {"git": "repo"})
        tags = {change.id: change for change in found.changes if change.kind == "deploy"}
        assert set(tags) == {"git.v1", "git.v2"}
        assert (tags["git.v1"].time, tags["git.v2"].time) == (START + DAY, START + 3 * DAY)
        assert tags["git.v2"].summary == "tag v2: Release two"
        assert tags["git.v2"].parts == (ChangedPart("commit", None, sha[:7]),)
        assert any("1 tag bears its commit's time" in note for note in found.notes)

    def test_people_are_named_but_their_addresses_are_not(self, repository, tmp_path):
        repository.name = "anna@example.com"
        repository.commit("Thanks to bob.b@mail.example.org\x1b[31m", after=DAY, a="1")
        (change,) = read(tmp_path, {"git": "repo"}).changes
        assert change.summary == f"Thanks to {MASK} [31m ({MASK}; 1 file)"

    def test_no_file_name_can_pose_as_a_commit(self, repository, tmp_path):
        """Names may hold anything but a zero byte: line ends, colons, what looks like git's own output."""
        sha = repository.commit("first", after=DAY, a="1")
        hostile = [f"{sha}\n:100644", ":000000 100644 x", "\t", "ü\n"]
        for name in hostile:
            (repository.folder / name).write_text("x")
        repository.git("add", "-A")
        repository.git("commit", "-q", "-m", "second", at=START + 2 * DAY)
        second, first = read(tmp_path, {"git": "repo"}).changes
        assert (len(second.parts), len(first.parts)) == (len(hostile), 1)
        assert {part.name for part in second.parts} == {one_line(name) for name in hostile}

    def test_what_is_cut_is_told(self, repository, tmp_path, monkeypatch):
        monkeypatch.setattr(git, "MOST_COMMITS", 3)
        monkeypatch.setattr(git, "MOST_FILES", 2)
        for i in range(5):
            repository.commit(f"number {i}", after=i * DAY, **{f"f{j}": f"{i}" for j in range(4)})
        found = read(tmp_path, {"git": "repo"})
        assert [change.summary[:8] for change in found.changes] == ["number 4", "number 3", "number 2"]
        assert all(len(change.parts) == 2 and "4 files" in change.summary for change in found.changes)
        assert any("the newest 3 of them were read, back to 2024-05-03" in note for note in found.notes)
        assert any("of 3 commits with more than 2 files" in note for note in found.notes)

    def test_a_shallow_clone_says_where_its_history_begins(self, repository, tmp_path):
        for i in range(4):
            repository.commit(
                f"number {i}", after=i * DAY, a=f"{i}", **({f"big{j}": "x" for j in range(9)} if i == 0 else {})
            )
        subprocess.run(
            [GIT, "clone", "-q", "--depth", "2", f"file://{repository.folder}", str(tmp_path / "clone")], check=True
        )
        found = read(tmp_path, {"git": "clone"})
        assert [change.summary for change in found.changes] == [
            "number 3 (Anna Example; 1 file)",
            "number 2 (Anna Example; its files are not known)",
        ]
        assert any("clone is a shallow clone: nothing is known before 2024-05-03" in note for note in found.notes)

    def test_a_folder_of_a_repository_has_the_commits_that_touch_it(self, repository, tmp_path):
        repository.commit("service", after=DAY, service__a_DOT_py="1", other_DOT_py="1")
        repository.commit("elsewhere", after=2 * DAY, other_DOT_py="2")
        found = read(tmp_path, {"git": "repo/service"})
        (change,) = found.changes
        assert [part.name for part in change.parts] == ["service/a.py"]
        assert any("its commits are those that touch service/" in note for note in found.notes)

    def test_a_repository_without_commits_and_a_bare_one_are_read(self, repository, tmp_path):
        assert any("has no commits" in note for note in read(tmp_path, {"git": "repo"}).notes)
        repository.commit("work", after=DAY, a="1")
        repository.git("clone", "-q", "--bare", str(repository.folder), str(tmp_path / "bare"))
        assert len(read(tmp_path, {"git": "bare"}).changes) == 1

    def test_nothing_that_the_repository_names_runs(self, repository, tmp_path):
        """Configuration, attributes and hooks name programs; a signed commit and a lost object would call some."""
        repository.commit("work", after=DAY, a_DOT_py="1", _DOT_gitattributes="* diff=evil filter=evil\n")
        raw = repository.git("cat-file", "-p", "HEAD")
        head, _, message = raw.partition("\n\n")
        signed = (
            f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n{message} signed\n"
        )
        sha = repository.git("hash-object", "-t", "commit", "-w", "--stdin", given=signed)
        repository.git("update-ref", "HEAD", sha)
        trap, sprung = tmp_path / "trap", tmp_path / "sprung"
        trap.write_text(f"#!/bin/sh\ntouch {sprung}\n")
        trap.chmod(0o755)
        named = (
            "core.fsmonitor core.pager pager.log pager.rev-list pager.for-each-ref diff.external diff.evil.textconv "
            "diff.evil.command filter.evil.clean filter.evil.smudge filter.evil.process gpg.program core.sshCommand "
            "core.gitProxy core.editor credential.helper remote.origin.uploadpack alias.log alias.rev-list"
        )
        for key in named.split():
            repository.git("config", key, str(trap))
        repository.git("config", "log.showSignature", "true")
        repository.git("config", "core.repositoryFormatVersion", "1")
        repository.git("config", "extensions.partialClone", "origin")
        repository.git("config", "remote.origin.promisor", "true")
        repository.git("config", "remote.origin.url", f"ext::{trap}")
        repository.git("config", "protocol.ext.allow", "always")
        hooks = repository.folder / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"):
            shutil.copy(trap, hooks / hook)
        tree = repository.git("rev-parse", "HEAD^{tree}")
        (change, *_) = read(tmp_path, {"git": "repo"}).changes
        assert change.summary.startswith("work")
        (repository.folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
        with pytest.raises(WorkProblem):
            read(tmp_path, {"git": "repo"})
        assert not sprung.exists()

    def test_reading_leaves_the_repository_as_it_was(self, repository, tmp_path):
        repository.commit("work", after=DAY, a="1")
        before = {path: path.stat().st_mtime_ns for path in repository.folder.rglob("*")}
        read(tmp_path, {"git": "repo"})
        assert {path: path.stat().st_mtime_ns for path in repository.folder.rglob("*")} == before

    def test_another_owners_repository_is_read_too(self, repository, tmp_path):
        """Git refuses it for its configuration's sake, of which nothing runs here."""
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        repository.commit("work", after=DAY, a="1")
        for path in (repository.folder, *repository.folder.rglob("*")):
            os.chown(path, 12345, 12345)
        assert len(read(tmp_path, {"git": "repo"}).changes) == 1

    def test_the_surroundings_of_git_decide_nothing(self, repository, tmp_path, monkeypatch):
        """A hook that starts a post-mortem hands on where its own repository lies."""
        repository.commit("work", after=DAY, a="1")
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "nowhere"))
        assert len(read(tmp_path, {"git": "repo"}).changes) == 1

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("requirements/prod.txt", "dependency"),
            ("poetry.lock", "dependency"),
            ("pyproject.toml", "dependency"),
            ("db/migrations/0004_add.py", "schema"),
            ("api/arrivals.proto", "schema"),
            ("schemas/feed.json", "schema"),
            ("conf/serving.yaml", "config"),
            (".env.production", "config"),
            ("Dockerfile.gpu", "environment"),
            (".github/workflows/release.yml", "deploy"),
            ("helm/values.yaml", "deploy"),
            ("infra/nodes.tf", "hardware"),
            ("models/v2.txt", "model"),
            ("artifacts/v2.onnx", "model"),
            ("reference/airports.csv", "data"),
            ("README.md", "docs"),
            ("tests/test_a.py", "tests"),
            ("src/features.py", "code"),
            ("src/data/loader.py", "code"),
        ],
    )
    def test_a_path_tells_the_kind(self, path, kind):
        assert kind_of_path(path) == kind


EVENTS = "time,kind,summary,service,region,author\n"


class TestInputs:
    """What was read is told with its rows and a fingerprint that another content doesn't have."""

    def test_every_source_stands_among_the_inputs(self, repository, tmp_path):
        repository.commit("Before the window", after=-DAY, a_DOT_py="1")
        repository.commit("Distances in km", after=2 * DAY, a_DOT_py="2")
        (tmp_path / "deploys.csv").write_text(EVENTS + "2024-05-02,deploy,v2,,,\n2024-06-20,deploy,too late,,,\n")
        (tmp_path / "old.yaml").write_text("a: 1\nb: 2\n")
        (tmp_path / "new.yaml").write_text("a: 1")
        sources = ({"git": "repo"}, {"events": "deploys.csv"}, {"config": {"before": "old.yaml", "after": "new.yaml"}})
        found = read(tmp_path, *sources).inputs
        rows = {"repo": 2, "deploys.csv": 2, "old.yaml": 2, "new.yaml": 1}
        assert {one.path: one.rows for one in found} == rows
        assert {one.role for one in found} == {"changes"}
        assert len({one.fingerprint for one in found}) == 4
        assert read(tmp_path, *sources).inputs == found

    def test_another_commit_or_tag_is_another_content(self, repository, tmp_path):
        seen = []
        for change in (
            lambda: None,
            lambda: repository.commit("one", after=DAY, a_DOT_py="1"),
            lambda: repository.git("tag", "v1"),
        ):
            change()
            (one,) = read(tmp_path, {"git": "repo"}).inputs
            seen.append((one.rows, one.fingerprint))
        assert [rows for rows, _ in seen] == [0, 1, 1]
        assert len({fingerprint for _, fingerprint in seen}) == 3

    def test_a_binary_file_has_no_lines(self, tmp_path):
        for name, kind in (("old.parquet", pa.int64()), ("new.parquet", pa.float64())):
            parquet.write_table(pa.table({"a": pa.array([1], kind)}), tmp_path / name)
        found = read(tmp_path, {"schema": {"before": "old.parquet", "after": "new.parquet"}}).inputs
        assert [(one.path, one.rows) for one in found] == [("old.parquet", 0), ("new.parquet", 0)]


class TestEvents:
    def written(self, root, text, name="deploys.csv", **stated):
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(root, {"events": name}, **stated)

    def test_an_event_has_its_time_kind_scope_and_the_row_it_stands_in(self, tmp_path):
        found = self.written(
            tmp_path,
            EVENTS
            + "2024-05-02T08:00:00+02:00,Deploy,roll out v2 for anna@example.com,arrivals,*,anna\n"
            + "2024-06-20,deploy,too late,,,\n"
            + "2024-05-03,config,flag flipped,arrivals,west,\n",
        )
        first, second = found.changes
        assert (first.id, second.id) == ("events.1", "events.3")
        assert first.time == datetime(2024, 5, 2, 6, tzinfo=UTC)
        assert (first.kind, first.summary) == ("deploy", f"roll out v2 for {MASK}")
        assert (first.scope, second.scope) == (
            {"service": "arrivals"},
            {"service": "arrivals", "region": "west"},
        )
        assert any("holds 3 events, 1 of them outside" in note for note in found.notes)
        assert any("not taken for whom an event reached: author" in note for note in found.notes)

    def test_what_was_rolled_out_stands_with_what_happened(self, tmp_path):
        (change,) = self.written(tmp_path, "time,kind,summary,commit\n2024-05-02,deploy,v2,1a2b3c4d\n").changes
        assert change.summary == "v2 (commit 1a2b3c4d)"
        assert change.scope == {}

    def test_every_format_tells_the_same(self, tmp_path):
        rows = [
            {"time": "2024-05-02T06:00:00Z", "kind": "deploy", "summary": "v2, all of it", "region": "west"},
            {"time": "2024-05-03T06:00:00Z", "kind": "config", "summary": "flag", "region": "east"},
        ]
        as_csv = "\ufefftime;kind;summary;region\n" + "".join(";".join(row.values()) + "\n" for row in rows)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        moments = pa.array([datetime.fromisoformat(row["time"]) for row in rows], pa.timestamp("ns", "UTC"))
        table = pa.Table.from_pylist(rows).set_column(0, "time", moments)
        parquet.write_table(table, tmp_path / "e.parquet")
        with pa.output_stream(str(tmp_path / "e.csv.gz"), compression="gzip") as stream:
            stream.write(as_csv.encode())
        with pa.output_stream(str(tmp_path / "e.jsonl.zst"), compression="zstd") as stream:
            stream.write(lines.encode())
        epochs = [row | {"time": int(datetime.fromisoformat(row["time"]).timestamp())} for row in rows]
        told = [
            self.written(tmp_path, as_csv, "e.csv"),
            self.written(tmp_path, lines, "e.jsonl"),
            self.written(tmp_path, json.dumps(epochs), "e.json"),
            *(read(tmp_path, {"events": name}) for name in ("e.parquet", "e.csv.gz", "e.jsonl.zst")),
        ]
        seen = [[(c.id, c.kind, c.time, c.summary, c.scope) for c in one.changes] for one in told]
        assert len(seen[0]) == 2
        assert all(one == seen[0] for one in seen)

    def test_a_row_that_cant_be_used_is_told_by_its_line(self, tmp_path):
        found = self.written(
            tmp_path,
            'time,kind,summary\nyesterday,deploy,when?\n2024-05-02,deploy,"two\nlines"\n2024-05-03,deploy,a,b\n',
        )
        assert [(change.id, change.time) for change in found.changes] == [
            ("events.1", None),
            ("events.2", datetime(2024, 5, 2, tzinfo=UTC)),
        ]
        assert any("kept without a time, as theirs can't be read: line 2 ('yesterday')" in note for note in found.notes)
        assert any("left out, as its fields are not 3, as in the header: line 5" in note for note in found.notes)
        lines = '{"time": "2024-05-02", "kind": "deploy", "summary": "a"}\n{"time": \n[1]\n'
        found = self.written(tmp_path, lines, "deploys.jsonl")
        assert len(found.changes) == 1
        assert any("left out, as it is no JSON object: line 2, line 3" in note for note in found.notes)

    def test_files_behind_a_glob_are_one_table(self, tmp_path):
        for name in ("a", "b"):
            (tmp_path / f"{name}.csv").write_text(f"time,kind,summary\n2024-05-02,deploy,{name}\nnever,deploy,x\n")
        found = read(tmp_path, {"events": "*.csv"})
        assert [change.id for change in found.changes] == ["events.1", "events.2", "events.3", "events.4"]
        assert any("a.csv line 3 ('never'), b.csv line 3" in note for note in found.notes)

    def test_a_nested_scope_is_a_scope(self, tmp_path):
        row = {
            "time": "2024-05-02",
            "kind": "deploy",
            "summary": "x",
            "scope": {"region": ["west", "north"], "all": "*"},
        }
        (change,) = self.written(tmp_path, json.dumps([row]), "e.json").changes
        assert change.scope == {"region": "west, north"}

    def test_a_table_without_rows_holds_no_events(self, tmp_path):
        found = self.written(tmp_path, EVENTS)
        assert found.changes == ()
        assert any("holds 0 events" in note for note in found.notes)

    def test_rows_beyond_the_bound_are_told(self, tmp_path, monkeypatch):
        monkeypatch.setattr(events, "MOST_ROWS", 2)
        found = self.written(tmp_path, "time,kind,summary\n" + "2024-05-02,deploy,a\n" * 3)
        assert len(found.changes) == 2
        assert any("the first 2 rows of each file were read" in note for note in found.notes)

    @given(st.integers(315_532_800, 4_102_444_800), st.integers(-12 * 60, 12 * 60))
    def test_a_moment_is_read_whatever_its_form(self, stamp, minutes):
        exact = datetime.fromtimestamp(stamp, UTC)
        shifted = exact + timedelta(minutes=minutes)
        sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
        offset = f"{shifted:%Y-%m-%dT%H:%M:%S}{sign}{hours:02}:{rest:02}"
        assert moment_of(offset) == exact
        assert moment_of(exact.isoformat().replace("+00:00", "Z")) == exact
        assert moment_of(exact.replace(tzinfo=None)) == exact
        assert {moment_of(stamp * 10**power) for power in (0, 3, 6, 9)} == {exact}
        assert all(moment_of(one) is None for one in ("soon", "", None, True, 5, float("nan"), []))


SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.text(max_size=6)
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(st.text(max_size=5), NESTED, max_size=4)


def leaves(data, path=()):
    """Every value with its key path, in the plainest way."""
    if isinstance(data, dict) and data:
        return {k: v for key, inner in data.items() for k, v in leaves(inner, (*path, key)).items()}
    if isinstance(data, list) and data:
        return {k: v for i, inner in enumerate(data) for k, v in leaves(inner, (*path, i)).items()}
    return {path: (type(data), data)}


def values_in(text, suffix):
    twice: list[str] = []
    found = dict(FORMATS[suffix][0](text, twice.append))
    assert twice == []
    return found


class TestConfig:
    def test_keys_are_compared_one_by_one(self, tmp_path):
        old = "model: {threshold: 0.5, features: [a, b]}\nworkers: '5'\ngone: 1\nsame: 0.50\n"
        new = "model: {threshold: 0.7, features: [a, c, d]}\nworkers: 5\nsame: 5.0e-1\nadded: {x: {}}\n"
        found = pair(tmp_path, old, new, kind="config", name="serving.yaml")
        assert parts(found) == [
            "model.threshold 0.5 → 0.7",
            "model.features[1] b → c",
            "model.features[2] d added",
            'workers "5" → 5',
            "added.x {} added",
            "gone 1 removed",
        ]
        (change,) = found.changes
        assert (change.id, change.kind, change.time) == ("config.1", "config", START + 9 * DAY + 6 * HOUR)
        assert change.summary.startswith("serving.yaml: 6 differences: model.threshold 0.5 → 0.7, ")

    @given(CONFIGS)
    def test_yaml_and_json_of_the_same_data_hold_the_same_values(self, data):
        from_yaml = values_in(yaml.safe_dump(data), ".yaml")
        assert from_yaml == values_in(json.dumps(data), ".json")
        assert set(from_yaml) == set(leaves(data))

    @given(CONFIGS, CONFIGS)
    def test_a_key_is_told_just_where_its_value_differs(self, old, new):
        before, after = leaves(old), leaves(new)
        expected = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        read_before, read_after = values_in(json.dumps(old), ".json"), values_in(json.dumps(new), ".json")
        told = {path for path in {*read_before, *read_after} if read_before.get(path) != read_after.get(path)}
        assert told == expected

    @given(st.lists(st.lists(st.text(max_size=4) | st.integers(0, 9), max_size=4).map(tuple), unique=True, max_size=6))
    def test_different_key_paths_read_differently(self, paths):
        # Only what can't be shown on one line, or is empty altogether, may be alike.
        assert len({dotted(path) for path in paths}) == len(set(paths))

    @pytest.mark.parametrize(
        ("name", "old", "new", "expected"),
        [
            ("a.toml", '[s]\nn = 1\nt = "1"\n', '[s]\nn = "1"\nt = "1"\n', ['s.n 1 → "1"']),
            ("a.ini", "[s]\nNo = 1\n[DEFAULT]\nx=1\n", "[s]\nNo: 2\n[DEFAULT]\nx=1\n", ['s.No "1" → "2"']),
            (".env", "export A=1\n# B=2\nC='x y' # c\n", "A=2\nC=x y\nEMPTY=\n", ['A "1" → "2"', 'EMPTY "" added']),
            ("a.properties", "a.b: 1\\\n  2\n! no\n", "a.b = 13\n", ['"a.b" "12" → "13"']),
            ("a.json", '{"a": [1, {"b": null}]}', '{"a": [1, {"b": false}]}', ["a[1].b null → false"]),
            ("a.yml", "--- {a: 1}\n--- {a: 2}\n", "--- {a: 1}\n--- {a: 3}\n", ["[1].a 2 → 3"]),
            ("a.yaml", "on: yes\n", "on: true\n", []),
            (
                "a.yaml",
                "b: &b {x: 1, y: 1}\nc: {<<: *b, y: 2}\n",
                "b: &b {x: 2, y: 1}\nc: {<<: *b, y: 2}\n",
                ["b.x 1 → 2", "c.x 1 → 2"],
            ),
        ],
    )
    def test_every_format_is_read(self, tmp_path, name, old, new, expected):
        assert parts(pair(tmp_path, old, new, kind="config", name=name)) == expected

    def test_formats_that_know_texts_alone_are_compared_as_texts(self, tmp_path):
        (tmp_path / "old.env").write_text("A=5\nB=x\n")
        (tmp_path / "new.yaml").write_text("A: 5\nB: y\n")
        found = read(tmp_path, {"config": {"before": "old.env", "after": "new.yaml", "at": AT}})
        assert parts(found) == ["B x → y"]

    def test_secrets_are_told_as_changed_and_never_shown(self, tmp_path):
        secrets = {
            "db": {"password": "hunter2-{}", "url": "postgresql://anna:hunter2-{}@db/prod"},
            "API_KEY": "hunter2-{}",
            "credentials": {"user": "hunter2-{}"},
            "header": "Bearer hunter2-{}abcdefgh",
            "note": "token=hunter2-{}",
            "aws": "AKIAABCDEFGHIJKLMNO{}",
            "gh": "ghp_0123456789abcdef0123456789abcdef012{}",
            "plain": "q8ZfK2mP0rT7vX3bN6cJ9dL{}w",
        }
        old, new = (json.dumps(secrets).replace("{}", sign) for sign in "12")
        found = pair(tmp_path, old, new, kind="config", name="secrets.json")
        assert len(parts(found)) == len(leaves(secrets))
        told = f"{found}"
        assert not any(secret in told for secret in ("hunter2", "AKIA", "ghp_", "q8Z"))

    def test_what_only_sounds_like_a_secret_is_shown(self):
        harmless = ("max_tokens", "tokenizer", "partition_key", "primaryKey", "keyboard", "author", "passenger_count")
        assert not any(is_secret_key(key) for key in harmless)
        assert masked_value(("model", "image"), f"sha256:{'0a' * 32}") == "sha256:0a0a0a0…"
        kept = "s3://bucket/models/arrivals-2024-05-01/model.onnx"
        assert masked_text(kept) == kept
        assert (
            masked_text("fix 1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d")
            == "fix 1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d"
        )

    def test_long_values_show_where_they_differ(self, tmp_path):
        old, new = (json.dumps({"prompt": "a" * 500 + end + "c" * 500}) for end in ("X", "Y"))
        (part,) = pair(tmp_path, old, new, kind="config", name="p.json").changes[0].parts
        assert part.before != part.after
        assert len(part.before) <= 80
        assert ("X" in part.before, "Y" in part.after) == (True, True)

    def test_a_tag_in_yaml_makes_no_object(self, tmp_path):
        trap = tmp_path / "sprung"
        old = f"a: !!python/object/apply:os.system ['touch {trap}']\nb: !vault |\n  secret-thing\n"
        assert parts(pair(tmp_path, old, "a: 1\n", kind="config", name="a.yaml")) != []
        assert not trap.exists()

    def test_files_that_dont_differ_are_told_and_make_no_change(self, tmp_path):
        found = pair(tmp_path, "a: 1", "{a: 1}", kind="config", name="a.yaml")
        assert found.changes == ()
        assert found.notes == ("changes.0.config: a.yaml and a.yaml don't differ",)

    def test_a_change_without_its_time_is_told(self, tmp_path):
        found = pair(tmp_path, "a: 1", "a: 2", kind="config", name="a.yaml", at=None)
        assert found.changes[0].time is None
        assert any("when a.yaml took effect is not stated; add `at:" in note for note in found.notes)


POSTGRES = """
-- dumped by pg_dump
SET search_path = public;
CREATE TYPE public.cabin AS ENUM ('economy', 'business');
CREATE TABLE public.arrivals (
    id bigint NOT NULL,
    "Carrier" character varying(2) DEFAULT 'UA'::character varying NOT NULL,
    distance double precision DEFAULT 0.0,
    cabin public.cabin,
    seen_at timestamp(6) with time zone DEFAULT now(),
    note text CHECK (note IN ('late; maybe', 'it''s fine')),
    fare numeric(10,2) REFERENCES fares(id) ON DELETE SET NULL,
    CONSTRAINT arrivals_pk PRIMARY KEY (id)
);
COMMENT ON COLUMN public.arrivals.distance IS 'Great-circle distance in miles';
CREATE INDEX ON public.arrivals (distance);
COPY public.arrivals (id, note) FROM stdin;
1\tit's; (broken
\\.
"""
MYSQL = """
CREATE TABLE IF NOT EXISTS `arrivals` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `Carrier` varchar(2) CHARACTER SET utf8mb4 NOT NULL DEFAULT 'UA' COMMENT 'it\\'s the airline, (two letters)',
  `distance` double DEFAULT '0' COMMENT 'in km',
  `cabin` enum('economy','premium','business') DEFAULT NULL,
  `seen_at` timestamp(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  `late` tinyint(1) NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`), KEY `by_carrier` (`Carrier`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT='a; b';
"""
SQLITE = (
    'CREATE TABLE [arrivals] (id INTEGER PRIMARY KEY AUTOINCREMENT, "dist" REAL DEFAULT (-1.5), raw, '
    "t TEXT COLLATE NOCASE);"
)

# Types and defaults as SQLite takes them; it is the oracle below.
SQL_TYPES = ["INTEGER", "REAL", "TEXT", "VARCHAR(20)", "NUMERIC(10, 2)", "DOUBLE PRECISION", ""]
SQL_DEFAULTS = ["", " DEFAULT 5", " DEFAULT 'a, (b'", " DEFAULT (1 + 2)", " DEFAULT -1", " DEFAULT NULL"]


@st.composite
def tables(draw):
    """A CREATE TABLE statement that SQLite accepts."""
    names = draw(
        st.lists(
            st.text(string.ascii_lowercase + "_ ,()'", min_size=1, max_size=8), min_size=1, max_size=5, unique=True
        )
    )
    columns = []
    for name in names:
        properties = draw(st.sampled_from(["", " NOT NULL"])) + draw(st.sampled_from(SQL_DEFAULTS))
        check = draw(st.sampled_from(["", " CHECK (1 > 0)", " /* a; ) */"]))
        columns.append(f'"{name}" {draw(st.sampled_from(SQL_TYPES))}{properties}{check}')
    between = ", -- x;\n"
    return f"CREATE TABLE t ({between.join(columns)})"


def columns_of(sql):
    return {column.name: column for column in ddl_schemas(sql, "t.sql", lambda _: None)[0].columns}


class TestSchema:
    @given(tables())
    def test_columns_nulls_and_defaults_are_those_that_sqlite_sees(self, sql):
        database = sqlite3.connect(":memory:")
        database.execute(sql)
        seen = database.execute("PRAGMA table_info(t)").fetchall()
        database.close()
        found = columns_of(sql)
        assert list(found) == [name for _, name, *_ in seen]
        for _, name, _, not_null, default, _ in seen:
            assert found[name].nulls is (not not_null)
            stated = None if default in (None, "NULL") else default.strip("()").replace(" ", "")
            assert (found[name].default or "").replace(" ", "").strip("()") == (stated or "")

    def test_postgres_dumps_are_read(self):
        found = columns_of(POSTGRES)
        assert [(one.name, one.type, one.nulls, one.default) for one in found.values()] == [
            ("id", "bigint", False, None),
            ("Carrier", "varchar(2)", False, "'UA'"),
            ("distance", "double", True, "0"),
            ("cabin", "enum", True, None),
            ("seen_at", "timestamptz(6)", True, "now()"),
            ("note", "text", True, None),
            ("fare", "decimal(10, 2)", True, None),
        ]
        assert found["cabin"].values == ("economy", "business")
        assert found["note"].values == ("late; maybe", "it's fine")
        assert units_in(found["distance"].about) == ("miles",)

    def test_mysql_dumps_are_read(self):
        found = columns_of(MYSQL)
        assert [(one.name, one.type, one.nulls, one.default) for one in found.values()] == [
            ("id", "bigint unsigned", False, None),
            ("Carrier", "varchar(2)", False, "'UA'"),
            ("distance", "double", True, "0"),
            ("cabin", "enum", True, None),
            ("seen_at", "timestamp(6)", True, "current_timestamp(6)"),
            ("late", "boolean", False, "'0'"),
        ]
        assert found["Carrier"].about == "it's the airline, (two letters)"

    def test_sqlite_schemas_are_read(self):
        found = columns_of(SQLITE)
        assert [(one.name, one.type, one.nulls) for one in found.values()] == [
            ("id", "integer", False),
            ("dist", "real", True),
            ("raw", "", True),
            ("t", "text", True),
        ]

    def test_dialects_are_compared_by_what_they_mean(self, tmp_path):
        (tmp_path / "pg.sql").write_text(POSTGRES)
        (tmp_path / "my.sql").write_text(MYSQL)
        found = read(tmp_path, {"schema": {"before": "pg.sql", "after": "my.sql", "at": AT}})
        assert parts(found) == [
            "id bigint → bigint unsigned",
            "distance (unit) miles → km",
            "cabin (value) premium added",
            "seen_at timestamptz(6) → timestamp(6)",
            "seen_at (default) now() → current_timestamp(6)",
            "late boolean added",
            "note text removed",
            "fare decimal(10, 2) removed",
        ]

    def test_statements_that_are_not_understood_are_told(self, tmp_path):
        old = "CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int; CREATE VIEW v AS SELECT 1; GRANT ALL ON t TO x;"
        found = pair(tmp_path, old, "CREATE TABLE t (a text); CREATE TABLE u AS SELECT 1;", name="t.sql")
        assert parts(found) == ["a integer → text"]
        assert any("1 × ALTER TABLE ... ADD COLUMN, 1 × CREATE VIEW" in note for note in found.notes)
        assert any("1 × CREATE TABLE without columns of its own" in note for note in found.notes)

    def test_several_tables_are_compared_by_name(self, tmp_path):
        old = "CREATE TABLE a (x int, y int); CREATE TABLE b (x int); CREATE TABLE c (x int)"
        new = "CREATE TABLE a (x int); CREATE TABLE b (x bigint); CREATE TABLE d (x int)"
        assert parts(pair(tmp_path, old, new, name="t.sql")) == [
            "a.y integer removed",
            "b.x integer → bigint",
            "d table of 1 columns added",
            "c table of 1 columns removed",
        ]

    def test_parquet_footers_tell_names_types_nulls_and_units(self, tmp_path):
        def field(name, kind, unit=None, *, nullable=True):
            return pa.field(name, kind, nullable, {"unit": unit} if unit else None)

        old = pa.schema(
            [
                field("id", pa.int64(), nullable=False),
                field("distance", pa.float64(), "miles"),
                field("carrier", pa.string()),
                field("at", pa.timestamp("us")),
                field("legs", pa.list_(pa.struct([("km", pa.float32())]))),
                field("gone", pa.bool_()),
            ]
        )
        new = pa.schema(
            [
                field("id", pa.int64()),
                field("distance", pa.float64(), "km"),
                field("airline", pa.string()),
                field("at", pa.timestamp("ns")),
                field("legs", pa.list_(pa.struct([("km", pa.float64())]))),
                field("brand_new", pa.int8()),
            ]
        )
        files = []
        for name, schema in (("old", old), ("new", new)):
            files.append(tmp_path / f"{name}.parquet")
            parquet.write_table(schema.empty_table(), files[-1])
        assert parts(pair(tmp_path, *files)) == [
            "id (missing values) not allowed → allowed",
            "distance (unit) miles → km",
            "column 3 renamed (a guess) carrier → airline",
            "at timestamp[us] → timestamp[ns]",
            "legs[].km float → double",
            "brand_new int8 added",
            "gone bool removed",
        ]

    def test_json_schemas_are_compared_with_references_followed(self, tmp_path):
        old = {
            "type": "object",
            "required": ["id", "carrier"],
            "properties": {
                "id": {"type": "integer"},
                "carrier": {"$ref": "#/$defs/Carrier"},
                "distance": {"type": ["number", "null"], "description": "Distance in miles"},
                "seen": {"type": "string", "format": "date-time"},
                "plane": {"anyOf": [{"$ref": "#/$defs/Plane"}, {"type": "null"}]},
                "tree": {"$ref": "#/$defs/Tree"},
            },
            "$defs": {
                "Carrier": {"enum": ["UA", "AA"]},
                "Plane": {"type": "object", "properties": {"seats": {"type": "integer"}}},
                "Tree": {"properties": {"left": {"$ref": "#/$defs/Tree"}, "right": {"$ref": "#/$defs/Tree"}}},
            },
        }
        new = json.loads(json.dumps(old))
        new["required"] = ["id"]
        new["$defs"]["Carrier"]["enum"] = ["UA", "WN"]
        new["properties"]["distance"] |= {"description": "Distance in km", "default": 0}
        new["properties"]["id"] = {"type": "string"}
        new["$defs"]["Plane"] = {"allOf": [{"properties": {"seats": {"type": "number"}}}], "required": ["seats"]}
        found = pair(tmp_path, json.dumps(old), json.dumps(new))
        assert parts(found) == [
            "id integer → string",
            "carrier (missing values) not allowed → allowed",
            "carrier (value) WN added",
            "carrier (value) AA removed",
            "distance (default) 0 added",
            "distance (unit) miles → km",
            "plane object → any",
            "plane.seats integer → number",
            "plane.seats (missing values) allowed → not allowed",
        ]
        assert any("tree.left holds itself" in note for note in found.notes)

    def test_json_schema_that_is_not_understood_is_told(self):
        told = []
        text = json.dumps(
            {"properties": {"a": {"$ref": "other.json#/x"}, "b": {"$ref": "#/nowhere"}}, "patternProperties": {"x": {}}}
        )
        assert [one.name for one in json_columns(text, "s.json", told.append).columns] == ["a", "b"]
        assert told == [
            "`patternProperties` is not understood and was left out",
            "the reference to other.json#/x was not followed",
            "the reference to #/nowhere leads nowhere",
        ]

    def test_kinds_of_schema_are_compared_by_name_and_family(self, tmp_path):
        """The same table as SQL, Parquet, JSON Schema and CSV doesn't differ; a column of another family does."""
        (tmp_path / "t.sql").write_text("CREATE TABLE t (id bigint, name text, at timestamp, share double precision)")
        (tmp_path / "t.csv").write_text("id,name,at,share\n1,a,2024-05-01,0.5\n")
        types = {"id": pa.int32(), "name": pa.large_string(), "at": pa.timestamp("ns"), "share": pa.float32()}
        parquet.write_table(pa.schema(list(types.items())).empty_table(), tmp_path / "t.parquet")
        kinds = {"id": "integer", "name": "string", "at": "string", "share": "number"}
        schema = {"properties": {name: {"type": kind} for name, kind in kinds.items()}, "required": list(kinds)}
        (tmp_path / "t.json").write_text(json.dumps(schema))
        names = ("t.sql", "t.csv", "t.parquet", "t.json")
        for before in names:
            for after in names:
                stated = {"schema": {"before": before, "after": after, "at": AT}}
                expected = ["(missing values)"] if {before, after} == {"t.sql", "t.json"} else []
                assert all(any(sign in part for sign in expected) for part in parts(read(tmp_path, stated))), stated
        schema["properties"]["share"]["type"] = "boolean"
        (tmp_path / "u.json").write_text(json.dumps(schema))
        found = read(tmp_path, {"schema": {"before": "t.parquet", "after": "u.json", "at": AT}})
        assert parts(found) == ["share float → boolean"]

    def test_a_renamed_column_is_a_guess_by_name_or_place_and_type(self, tmp_path):
        assert parts(pair(tmp_path, "id,dist_mi,late\n", "id,dist_km,late\n", name="h.csv")) == [
            "column 2 renamed (a guess) dist_mi → dist_km"
        ]
        old, new = "CREATE TABLE t (a int, b text, c int)", "CREATE TABLE t (a int, zzz text, c int)"
        assert parts(pair(tmp_path, old, new, name="t.sql")) == ["column 2 renamed (a guess) b → zzz"]
        new = "CREATE TABLE t (a int, zzz int, c int)"
        assert parts(pair(tmp_path, old, new, name="t.sql")) == ["zzz integer added", "b text removed"]

    def test_other_words_of_a_description_are_told_but_no_change(self, tmp_path):
        old = "CREATE TABLE t (a int COMMENT 'how long, in minutes')"
        found = pair(tmp_path, old, old.replace("how long", "duration"), name="t.sql")
        assert found.changes == ()
        assert any("described in other words, with no other unit: a" in note for note in found.notes)

    @pytest.mark.parametrize(
        ("about", "units"),
        [
            ("Distance in miles", ("miles",)),
            ("distance (km)", ("km",)),
            ("unit: m", ("metres",)),
            ("share of m in all", ("share",)),
            ("delay, minutes", ("minutes",)),
            ("the minute book", ("minutes",)),
            ("amount in EUR", ("EUR",)),
            ("nothing to measure", ()),
            ("s3://bucket/kmeans", ()),
        ],
    )
    def test_units_are_found_in_words(self, about, units):
        assert units_in(about) == units


class TestReading:
    def test_ids_are_unique_and_what_is_missing_is_named(self, tmp_path):
        for name in ("a", "b"):
            (tmp_path / f"{name}.csv").write_text("time,kind,summary\n2024-05-02,deploy,x\n")
            (tmp_path / f"{name}.yaml").write_text(f"x: {name}")
        swap = {"config": {"before": "a.yaml", "after": "b.yaml", "at": AT}}
        back = {"config": {"before": "b.yaml", "after": "a.yaml", "at": AT}}
        found = read(tmp_path, {"events": "a.csv"}, {"events": "b.csv"} | swap, back)
        assert sorted(change.id for change in found.changes) == ["config.1", "config.2", "events.1", "events2.1"]
        assert found.unrecorded == (
            "a git repository",
            "dependency files",
            "environment snapshots",
            "data schemas",
        )

    def test_a_source_without_a_reader_is_told_and_stays_missing(self, tmp_path):
        (tmp_path / "a.csv").write_text("time,kind,summary\n")
        found = read_changes(
            [ChangeSource(events="a.csv")], root=tmp_path, around=AROUND, readers={"git": READERS["git"]}
        )
        assert found.notes == (
            "changes.0.events: nothing reads it in this version; what was handed over was left unread",
        )
        assert "deploys and other events" in found.unrecorded

    def test_a_reader_is_a_function_and_a_line(self, tmp_path):
        seen = []

        def own(part, context):
            seen.append((part, context.key, context.name))
            return []

        source = ChangeSource(environment=BeforeAfter(before="a", after="b"))
        read_changes([source], root=tmp_path, around=AROUND, readers={"environment": own})
        assert seen == [(source.environment, "changes.0.environment", "environment.1")]

    def test_every_kind_of_source_that_a_case_may_state_has_a_title(self):
        stated = {field.alias or name for name, field in ChangeSource.model_fields.items()}
        assert set(sources.TITLES) == stated
        assert set(READERS) <= stated


def stated(kind, before, after="after.yaml"):
    return {kind: {"before": before, "after": after}}


BROKEN = [
    (
        "no folder",
        {"git": "rep"},
        r"changes\.0\.git: no such folder: rep \(looked in .*\); did you mean 'repos'\? there are: ",
    ),
    (
        "no repository",
        {"git": "repos"},
        r"changes\.0\.git: repos is no git repository, or a damaged one; name the folder that holds \.git",
    ),
    (
        "no events",
        {"events": "deploy.csv"},
        r"changes\.0\.events: no such file: deploy\.csv .*did you mean 'deploys\.csv'",
    ),
    (
        "a column misspelt",
        {"events": "misspelt.csv"},
        r"misspelt\.csv has no column 'time'; did you mean 'tme'\? there are: tme, kind, summary",
    ),
    (
        "no time readable",
        {"events": "timeless.csv"},
        r"none of the times can be read, such as 'soon'; write ISO 8601 like",
    ),
    (
        "every row broken",
        {"events": "ragged.csv"},
        r"holds no event that can be read: line 2: its fields are not 3, as in the header",
    ),
    ("events not text", {"events": "latin.csv"}, r"latin\.csv is not UTF-8 text; save it as UTF-8"),
    ("events not JSON", {"events": "broken.json"}, r"broken\.json is not JSON: .*hand over a list of objects"),
    ("a spreadsheet", {"events": "deploys.xlsx"}, r"unknown kind of file '\.xlsx'; known: "),
    (
        "a pair half there",
        stated("config", "before1.yaml"),
        r"changes\.0\.config\.before: no such file: before1\.yaml \(looked in .*\); did you mean 'before\.yaml'\?",
    ),
    (
        "an empty file",
        stated("config", "empty.yaml"),
        r"changes\.0\.config\.before: empty\.yaml is empty; hand over a file with content",
    ),
    ("a folder", stated("config", "repos"), r"changes\.0\.config\.before: repos is a folder; name a file"),
    (
        "unknown configuration",
        stated("config", "a.xml"),
        r"a\.xml: unknown kind of configuration '\.xml'; known: \.yaml, \.yml, \.json",
    ),
    ("not YAML", stated("config", "broken.yaml"), r"broken\.yaml: line 2: not YAML: "),
    (
        "YAML without end",
        stated("config", "bomb.yaml"),
        r"bomb\.yaml: (it is nested deeper|it holds more than 20,000 values)",
    ),
    (
        "YAML in itself",
        stated("config", "loop.yaml"),
        r"loop\.yaml: it is nested deeper than 50 levels, or its aliases multiply",
    ),
    ("JSON too deep", stated("config", "deep.json"), r"deep\.json: it is nested "),
    ("not JSON", stated("config", "broken.json"), r"broken\.json: not JSON: "),
    ("not TOML", stated("config", "broken.toml"), r"broken\.toml: not TOML: "),
    ("not INI", stated("config", "broken.ini"), r"broken\.ini: not INI: .*no section headers"),
    (
        "binary configuration",
        stated("config", "binary.yaml"),
        r"binary\.yaml holds binary data; hand over text in UTF-8",
    ),
    (
        "too large",
        stated("config", "large.yaml"),
        r"large\.yaml holds more than 1,048,576 signs; hand over the part that matters",
    ),
    ("unknown schema", stated("schema", "a.xml"), r"a\.xml: unknown kind of schema '\.xml'; known: \.parquet, "),
    ("Parquet cut short", stated("schema", "cut.parquet"), r"cut\.parquet isn't what its name says: "),
    (
        "no table",
        stated("schema", "query.sql"),
        r"query\.sql creates no table that can be read; hand over CREATE TABLE",
    ),
    ("no JSON Schema", stated("schema", "list.json"), r"list\.json is no JSON Schema with `properties`"),
    ("schema not JSON", stated("schema", "broken.json"), r"broken\.json is not JSON: "),
    ("no header", stated("schema", "blank.csv"), r"blank\.csv: its first line names no columns"),
]


@pytest.fixture(scope="module")
def broken_files(tmp_path_factory):
    """A folder with what can be wrong."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "repos").mkdir()
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    texts = {
        "deploys.csv": "time,kind,summary\n",
        "misspelt.csv": "tme,kind,summary\n2024-05-02,deploy,x\n",
        "timeless.csv": "time,kind,summary\nsoon,deploy,x\nlater,deploy,x\n",
        "ragged.csv": "time,kind,summary\n1,2\n1\n",
        "broken.json": '[{"a": }]',
        "deploys.xlsx": "x",
        "before.yaml": "a: 1",
        "after.yaml": "a: 2",
        "empty.yaml": "",
        "a.xml": "<a/>",
        "broken.yaml": "a: [1\nb: 2",
        "bomb.yaml": bomb,
        "loop.yaml": "a: &a [*a]",
        "deep.json": "[" * 100_000,
        "broken.toml": "a = = 1",
        "broken.ini": "a = 1",
        "large.yaml": "a: " + "x" * (1 << 20),
        "query.sql": "SELECT 1;",
        "list.json": "[1, 2]",
        "blank.csv": ",,\n1,2,3\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "latin.csv").write_bytes("time,kind,summary\n2024-05-02,deploy,Zürich\n".encode("latin-1"))
    (folder / "binary.yaml").write_bytes(b"a: \0\1\2")
    parquet.write_table(pa.table({"a": [1]}), folder / "whole.parquet")
    (folder / "cut.parquet").write_bytes((folder / "whole.parquet").read_bytes()[:-20])
    return folder


@pytest.mark.parametrize(("source", "message"), [pytest.param(*one[1:], id=one[0]) for one in BROKEN])
def test_what_is_broken_is_told_in_one_line(broken_files, source, message):
    with pytest.raises(InputProblem, match=message) as raised:
        read(broken_files, source)
    assert "\n" not in str(raised.value)


def test_without_git_the_way_out_is_named(tmp_path, monkeypatch):
    (tmp_path / "repo").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        WorkProblem, match=r"git is not installed, so repo can't be read; install git, or hand over the"
    ):
        read(tmp_path, {"git": "repo"})


@pytest.mark.usefixtures("repository")
def test_a_git_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    monkeypatch.setattr(git, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(WorkProblem, match="git took longer than 0 seconds on repo"):
        read(tmp_path, {"git": "repo"})


def refusal(reads):
    """The message with which something is refused; empty where it is read."""
    try:
        reads()
    except Problem as problem:
        return str(problem)
    return ""


@given(st.text(), st.sampled_from(sorted(FORMATS)))
def test_any_text_is_read_or_refused_in_one_line(text, suffix):
    assert "\n" not in refusal(lambda: settings.read_settings(f"any{suffix}", text, "changes.0.config.before"))


@given(st.text(string.ascii_letters + " (),;'\"`[]$-/*\n=.", max_size=200))
def test_any_sql_is_read_or_refused_in_one_line(text):
    for sql in (text, f"CREATE TABLE t ({text})", f"ALTER TABLE {text}", f"COMMENT ON COLUMN {text}"):
        assert "\n" not in refusal(lambda sql=sql: ddl_schemas(sql, "t.sql", lambda _: None))
