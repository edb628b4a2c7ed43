"""Commits, merges and tags of a git repository, read through `git` without running anything that the repository names.

The repository may be a stranger's, and its configuration can name programs: hooks, monitors, pagers, checkers of
signatures, transports. Each is switched off, for every call; nothing is fetched, and nothing in it is written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from mortis.problems import CaseProblem, InputProblem, WorkProblem, counted
from mortis.records import Change, ChangedPart, Input, Window, iso
from mortis.sources.changes.masking import one_line
from mortis.sources.changes.paths import kinds_of_paths
from mortis.sources.changes.reading import ReadingContext
from mortis.sources.files import neighbours

MOST_COMMITS = 2_000
MOST_TAGS = 10_000
MOST_FILES = 100
TIMEOUT_SECONDS = 120.0
SHORT = 7
_MOST_WALKED = 2_000_000
_SUBMODULE = "160000"

_SAFE = (
    *("--no-pager", "--no-replace-objects", "--literal-pathspecs"),
    *("-c", "safe.directory=*"),  # who owns the folder matters no more, as nothing of its configuration runs
    *("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", f"core.attributesFile={os.devnull}"),
    *("-c", "log.showSignature=false", "-c", "gpg.program=false", "-c", "diff.external=", "-c", "protocol.allow=never"),
    *("-c", "core.sshCommand=false", "-c", "credential.helper=", "-c", "maintenance.auto=false", "-c", "gc.auto=0"),
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder that git reads; `key` is what messages begin with, `stated` what the case calls it."""

    folder: Path
    key: str
    stated: str

    def run(self, *command: str, given: str = "") -> str:
        """What git prints; raises InputProblem where the folder is no repository, WorkProblem where git refuses."""
        program = shutil.which("git")
        if program is None:
            raise WorkProblem(
                f"{self.key}: git is not installed, so {self.stated} can't be read; install git, or hand over "
                "the deploys as `events`"
            )
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | _ENVIRONMENT
        try:
            done = subprocess.run(  # noqa: S603  a list of arguments, no shell
                [program, "-C", str(self.folder), *_SAFE, *command],
                input=given.encode(),
                capture_output=True,
                env=environment,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorkProblem(
                f"{self.key}: git took longer than {TIMEOUT_SECONDS:.0f} seconds on {self.stated}; "
                "hand over the deploys as `events`"
            ) from None
        if done.returncode:
            raise self._refused(done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace")

    def _refused(self, said: str) -> InputProblem | WorkProblem:
        if "not a git repository" in said:
            return InputProblem(
                f"{self.key}: {self.stated} is no git repository, or a damaged one; name the folder that holds .git"
            )
        if "dubious ownership" in said:
            return WorkProblem(
                f"{self.key}: git reads {self.stated} for its owner alone; "
                f"run: git config --global --add safe.directory {self.folder.resolve()}"
            )
        lines = [line for line in said.splitlines() if line.startswith(("fatal:", "error:"))] or said.splitlines()
        reason = one_line(lines[-1]) if lines else "it gives no reason"
        return WorkProblem(
            f"{self.key}: git can't read {self.stated}: {reason}; clone it anew, or hand over the deploys as `events`"
        )


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: when it was committed (UTC), by whom, after which parents, and the files it touches."""

    sha: str
    time: datetime
    parents: tuple[str, ...]
    author: str
    subject: str


def read_git(source: str, context: ReadingContext) -> Iterator[Change]:
    """The commits on the checked-out branch, and the tags, that were made in the window; newest commits first.

    A commit's time is the committer's; its kinds come from the paths it touches, a merge's from what it brings to the
    first parent. The parts' before and after are git's own names of the files' contents. What is left out is told.
    Raises InputProblem where the folder is no repository, WorkProblem where git is missing or can't read it.
    """
    folder = context.root / source
    if folder.is_file():
        raise CaseProblem(f"{context.key}: {source} is a file; name the folder that holds .git")
    if not folder.is_dir():
        raise CaseProblem(
            f"{context.key}: no such folder: {source} (looked in {context.root.resolve()}){neighbours(folder)}"
        )
    repository = Repository(folder, context.key, source)
    inside = repository.run("rev-parse", "--show-prefix").rstrip("\n")
    if inside:
        context.tell(
            f"{context.key}: {source} lies in a repository; its commits are those that touch {one_line(inside)}"
        )
    cut = _cut_short(repository)
    head = _head(repository)
    if head:
        yield from _commits(repository, context, cut, head, only_here=bool(inside))
    else:
        context.record(_input(repository, 0, head))
        context.tell(f"{context.key}: {source} has no commits on the branch that is checked out")
    yield from _tags(repository, context)


def _input(repository: Repository, commits: int, head: str) -> Input:
    """The repository with its commits; where branch and tags stand tells it again, as each names its history."""
    heads = repository.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags")
    if commits:
        heads = head + heads
    return Input(repository.stated, commits, f"sha256-git:{hashlib.sha256(heads.encode()).hexdigest()[:32]}", "changes")


def _head(repository: Repository) -> str:
    """The line with the newest commit's hash; empty where there is none."""
    try:
        return repository.run("rev-parse", "--verify", "--quiet", "HEAD")
    except WorkProblem:
        # Git says no more than that: the branch is yet to be born.
        return ""


def _cut_short(repository: Repository) -> frozenset[str]:
    """The commits where a shallow clone's history ends; their parents, and so what they changed, are unknown."""
    if repository.run("rev-parse", "--is-shallow-repository").strip() != "true":
        return frozenset()
    file = repository.folder / repository.run("rev-parse", "--git-path", "shallow").rstrip("\n")
    try:
        return frozenset(file.read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError) as error:
        raise WorkProblem(f"{repository.key}: the end of the shallow clone can't be read: {error}") from None


def _commits(
    repository: Repository, context: ReadingContext, cut: frozenset[str], head: str, *, only_here: bool
) -> Iterator[Change]:
    paths = ("--", ".") if only_here else ("--",)
    walked = repository.run("rev-list", "--timestamp", f"--max-count={_MOST_WALKED}", "HEAD", *paths).splitlines()
    times = {sha: int(stamp) for stamp, sha in (line.split() for line in walked)}
    context.record(_input(repository, len(times), head))
    # Clocks differ between machines: the whole history is asked, as an old commit may stand before a younger one.
    inside = sorted((sha for sha, at in times.items() if _within(at, context.around)), key=lambda sha: -times[sha])
    kept = inside[:MOST_COMMITS]
    context.tell(f"{context.key}: {len(inside):,} of {len(times):,} commits lie in {context.around}")
    if len(walked) == _MOST_WALKED:
        context.tell(f"{context.key}: the history is longer than {_MOST_WALKED:,} commits; what lies before isn't read")
    if len(inside) > len(kept):
        since = iso(datetime.fromtimestamp(times[kept[-1]], UTC))
        context.tell(
            f"{context.key}: the newest {len(kept):,} of them were read, back to {since}; "
            "a shorter baseline brings those before within reach"
        )
    if cut:
        oldest = iso(datetime.fromtimestamp(min(times.values()), UTC)) if times else "its end"
        context.tell(
            f"{context.key}: {repository.stated} is a shallow clone: nothing is known before {oldest}; "
            "`git fetch --unshallow` brings the rest"
        )
    commits = list(_described(repository, kept))
    files = _files(repository, [one for one in commits if one.sha not in cut], paths)
    long = [one for one in commits if len(files.get(one.sha, ())) > MOST_FILES]
    if long:
        context.tell(
            f"{context.key}: of {counted(len(long), 'commit')} with more than {MOST_FILES} files, so many are listed"
        )
    names = _short_names(kept)
    for one in commits:
        id_ = f"{context.name}.{names[one.sha]}"
        yield _commit(one, files.get(one.sha, []), id_=id_, source=repository.stated, known=one.sha not in cut)


def _within(at: int, window: Window) -> bool:
    return window.start.timestamp() <= at < window.end.timestamp()


def _described(repository: Repository, shas: Sequence[str]) -> Iterator[Commit]:
    if not shas:
        return
    told = repository.run(
        *("log", "--no-walk=unsorted", "--stdin", "-z", "--no-patch", "--no-color", "--no-decorate", "--no-mailmap"),
        *("--no-show-signature", "--no-notes", "--encoding=UTF-8", "--format=%H%x00%ct%x00%P%x00%an%x00%s"),
        given="\n".join(shas) + "\n",
    )
    fields = iter(told.split("\0"))
    while len(five := tuple(islice(fields, 5))) == 5:
        sha, at, parents, author, subject = five
        yield Commit(sha, datetime.fromtimestamp(int(at), UTC), tuple(parents.split()), author, subject)


def _files(
    repository: Repository, commits: Sequence[Commit], paths: Sequence[str]
) -> dict[str, list[tuple[str, str, ChangedPart]]]:
    """Each commit's files as mode, path and part: those it changes of its first parent, all of them at the root."""
    if not commits:
        return {}
    told = repository.run(
        *("diff-tree", "--stdin", "-z", "-r", "--root", "--raw", "--no-abbrev", "--no-renames"),
        *("--no-ext-diff", "--no-textconv", "--no-color", *paths),
        given="".join(f"{' '.join((one.sha, *one.parents[:1]))}\n" for one in commits),
    )
    found: dict[str, list[tuple[str, str, ChangedPart]]] = {}
    sha = ""
    tokens = iter(told.split("\0"))
    for token in tokens:
        if not token.startswith(":"):
            sha = token.partition(" ")[0].strip() or sha
            continue
        # A path follows each line of modes and names, so that none can pose as another commit.
        mode_before, mode_after, before, after, _ = token[1:].split()
        path = next(tokens)
        mode = _SUBMODULE if _SUBMODULE in (mode_before, mode_after) else mode_after
        part = ChangedPart(one_line(path), _content(before), _content(after))
        found.setdefault(sha, []).append((mode, path, part))
    return found


def _content(name: str) -> str | None:
    """Git's name of a content, cut short; None where the file is not there."""
    return name[:SHORT] if name.strip("0") else None


def _short_names(shas: Iterable[str]) -> dict[str, str]:
    """Each commit's name, cut to seven signs, or to more where two begin alike."""
    shas = list(shas)
    length = next((n for n in range(SHORT, 65) if len({sha[:n] for sha in shas}) == len(shas)), 64)
    return {sha: sha[:length] for sha in shas}


def _commit(
    one: Commit, files: Sequence[tuple[str, str, ChangedPart]], *, id_: str, source: str, known: bool
) -> Change:
    kinds = kinds_of_paths("/.gitmodules" if mode == _SUBMODULE else path for mode, path, _ in files)
    author = one_line(one.author, most=60)
    told = one_line(one.subject) or "(no message)"
    if len(one.parents) > 1 and not told.lower().startswith("merge"):
        told = f"merge: {told}"
    what = counted(len(files), "file") if known else "its files are not known"
    return Change(
        id=id_,
        kind=", ".join(kinds) or "code",
        time=one.time,
        summary=f"{told} ({author + '; ' if author else ''}{what})",
        parts=tuple(part for _, _, part in files[:MOST_FILES]),
        source=source,
    )


def _tags(repository: Repository, context: ReadingContext) -> Iterator[Change]:
    """The tags made in the window, as deploys: a release is often no more than a tag."""
    fields = ("%(refname:strip=2)", "%(objecttype)", "%(objectname)", "%(*objectname)", "%(creatordate:unix)")
    told = repository.run(
        *("for-each-ref", "--sort=-creatordate", f"--count={MOST_TAGS}"),
        *(f"--format={'%00'.join((*fields, '%(contents:subject)'))}", "refs/tags"),
    )
    light = untimed = 0
    lines = told.split("\n")[:-1]
    for line in lines:
        name, kind, target, pointed_at, at, subject = line.split("\0")
        untimed += not at
        if not at or not _within(int(at), context.around):
            continue
        light += kind != "tag"
        about = f": {one_line(subject)}" if kind == "tag" and subject.strip() else ""
        yield Change(
            id=f"{context.name}.{one_line(name)}",
            kind="deploy",
            time=datetime.fromtimestamp(int(at), UTC),
            summary=f"tag {one_line(name)}{about}",
            parts=(ChangedPart("commit", None, (pointed_at or target)[:SHORT]),),
            source=repository.stated,
        )
    if len(lines) == MOST_TAGS:
        context.tell(f"{context.key}: the newest {MOST_TAGS:,} tags were read; what was tagged before is not known")
    if untimed:
        context.tell(f"{context.key}: {counted(untimed, 'tag')} without a time left out")
    if light:
        s = "s bear their commits' times" if light > 1 else " bears its commit's time"
        context.tell(f"{context.key}: {light:,} tag{s}: git doesn't record when a plain tag was set")
