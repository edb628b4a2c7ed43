"""Files of dependencies before and after a change: which packages were added, removed, upgraded or built anew."""

from __future__ import annotations

from pathlib import Path

from mortis.case import BeforeAfter
from mortis.records import Change
from mortis.sources.changes.before_after import Comparison
from mortis.sources.changes.dependencies.differences import differences, libraries_changed, summarised
from mortis.sources.changes.dependencies.formats import FORMATS, Format, read_package_list, register_dependency_format
from mortis.sources.changes.dependencies.packages import PackageList

__all__ = ["FORMATS", "Format", "libraries_changed", "read_dependencies", "register_dependency_format"]


def read_dependencies(stated: BeforeAfter, *, root: Path, key: str, name: str) -> Comparison:
    """The change between two files of dependencies; none where they list the same, which the note then says.

    Paths start from `root`, `key` is the place in the case (`changes.0.dependencies`), and `name` becomes the change's
    id. Its parts stand in the order in which they may matter for a model's output. Nothing is fetched. Raises
    InputProblem where a file is missing, of an unknown format, or can't be read as what it seems.
    """
    before = read_package_list(stated.before, root=root, key=f"{key}.before")
    after = read_package_list(stated.after, root=root, key=f"{key}.after")
    compared = differences(before, after)
    note = "; ".join((_compared(stated, before, after, len(compared.found)), *compared.remarks))
    if not compared.found:
        return Comparison((), note)
    change = Change(
        id=name,
        kind="dependency",
        time=stated.at,
        summary=summarised(compared.found),
        parts=tuple(one.part for one in compared.found),
        source=f"{stated.before} → {stated.after}",
    )
    return Comparison((change,), note)


def _compared(stated: BeforeAfter, before: PackageList, after: PackageList, found: int) -> str:
    files = [
        f"{name} ({each.format}, {len(each.names)} packages)"
        for name, each in ((stated.before, before), (stated.after, after))
    ]
    differ = f"{found} differences" if found > 1 else "1 difference" if found else "no difference"
    return f"{files[0]} and {files[1]}: {differ}"
