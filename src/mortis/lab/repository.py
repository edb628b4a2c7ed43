"""A real git repository, made by `git` from commits whose authors and times are known: same commits, same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mortis.problems import WorkProblem

BRANCH = "refs/heads/main"
TIMEOUT_SECONDS = 60.0
_DESCRIPTION = "The services around the model of late arrivals; written by `mortis demo`, which overwrites it.\n"
# Nothing of the user's or the machine's settings, templates and hooks takes part.
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit on the one branch: the files it writes, by path, and the tag set on it `tagged` later, if any."""

    time: datetime
    author: Author
    message: str
    files: Mapping[str, str]
    tag: str = ""
    tagged: datetime | None = None


def make_repository(folder: Path, commits: Iterable[Commit]) -> str:
    """Why there is no repository in the folder; empty where a bare one was made, with these commits one after another.

    An earlier one is overwritten. Where git is missing or refuses, nothing stays. Raises WorkProblem where somebody
    else's repository is there.
    """
    remove_repository(folder)
    program = shutil.which("git")
    if program is None:
        return "git is not installed"
    try:
        # The description comes first: it tells a later demo whose folder this is, however far git comes.
        folder.mkdir(parents=True)
        (folder / "description").write_text(_DESCRIPTION, encoding="utf-8", newline="\n")
        _git(program, "init", "--quiet", "--bare", "--template=", str(folder))
        _git(program, "-C", str(folder), "symbolic-ref", "HEAD", BRANCH)
        stream = b"".join(_stream(commits))
        # One process for all commits, and one pack however few there are.
        importing = ("-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--date-format=raw")
        _git(program, "-C", str(folder), *importing, given=stream)
    except (subprocess.SubprocessError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        return "git refuses to make one here"
    return ""


def is_others(folder: Path) -> bool:
    """Whether something is there that `make_repository` didn't write."""
    description = folder / "description"
    if folder.is_symlink() or (folder.exists() and not description.is_file()):
        return True
    return folder.exists() and description.read_text(encoding="utf-8", errors="replace") != _DESCRIPTION


def remove_repository(folder: Path) -> None:
    """Remove a repository that `make_repository` wrote; WorkProblem where somebody else's is there."""
    if is_others(folder):
        raise WorkProblem(f"{folder} is not the demo's: choose another folder with --out")
    if folder.exists():
        shutil.rmtree(folder)


def _git(program: str, *command: str, given: bytes = b"") -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | _ENVIRONMENT
    subprocess.run(  # noqa: S603  a list of arguments, no shell
        [program, *command], input=given, capture_output=True, env=environment, timeout=TIMEOUT_SECONDS, check=True
    )


def _stream(commits: Iterable[Commit]) -> Iterator[bytes]:
    """What `git fast-import` reads.

    Source: https://git-scm.com/docs/git-fast-import#_input_format
    """
    for one in commits:
        who = f"{one.author.name} <{one.author.email}>"
        yield f"commit {BRANCH}\ncommitter {who} {_raw(one.time)}\n".encode() + _data(f"{one.message}\n")
        for path, text in sorted(one.files.items()):
            yield f"M 100644 inline {path}\n".encode() + _data(text)
        if one.tag:
            yield f"tag {one.tag}\nfrom {BRANCH}\ntagger {who} {_raw(one.tagged or one.time)}\n".encode()
            yield _data("Ready to go live\n")
    yield b"done\n"


def _raw(time: datetime) -> str:
    return f"{int(time.timestamp())} +0000"


def _data(text: str) -> bytes:
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)
