"""Files by path, folder or glob."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from pathlib import Path

from mortis.problems import CaseProblem, listed, near


def find_files(source: str, *, root: Path, key: str, wanted: Callable[[Path], bool], none_inside: str) -> list[Path]:
    """The files behind a path, a glob, or a folder (those `wanted` below it), in the order of their names.

    Raises CaseProblem where there is none, which of a folder is told by `none_inside`.
    """
    # A folder that is yet to be made, as in `init -o new/incident.yaml ../log.csv`, can't be walked out of.
    path = root / source if root.is_dir() else Path(os.path.normpath(root / source))
    if path.is_dir():
        inside = sorted(f for f in path.rglob("*") if f.is_file() and wanted(f))
        if not inside:
            raise CaseProblem(f"{key}: folder {source} holds no {none_inside}")
        return inside
    if path.is_file():
        return [path]
    # Path.glob refuses absolute patterns; and only the source is a pattern, whatever the root's name holds.
    pattern, start = (source, root) if root.is_dir() else (str(path), Path())
    matches = (start / f for f in glob.glob(pattern, root_dir=start, recursive=True))  # noqa: PTH207
    found = sorted(file for file in matches if file.is_file())
    if not found:
        what = "no file matches" if any(sign in source for sign in "*?[") else "no such file:"
        raise CaseProblem(f"{key}: {what} {source} (looked in {root.resolve()}){neighbours(path)}")
    return found


def neighbours(path: Path) -> str:
    """What stands where a file was looked for, as the end of a message: the nearest name first."""
    folder = path.parent
    if any(sign in folder.name for sign in "*?["):
        return "; correct the pattern"
    if not folder.is_dir():
        return f"; there is no folder {folder.name} either"
    names = sorted(f.name for f in folder.iterdir() if not f.name.startswith("."))
    return f"{near(path.name, names) or ';'} there are: {listed(names, most=8)}" if names else "; that folder is empty"
