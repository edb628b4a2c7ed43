"""The packages in what `mortis snapshot` records."""

from __future__ import annotations

from mortis.problems import InputProblem, printable
from mortis.sources.changes.dependencies.documents import Document
from mortis.sources.changes.dependencies.packages import Package, PackageList, canonical, one_each
from mortis.sources.snapshot import KIND, Snapshot


def is_snapshot(document: Document) -> bool:
    """Whether the document is what `mortis snapshot` writes."""
    return document.form == "json" and document.entries.get("kind") == KIND


def read_snapshot_packages(document: Document) -> PackageList:
    """The packages of a snapshot; raises InputProblem where it is none that this version reads."""
    return packages_of(opened_snapshot(document.text, document.name, document.key))


def opened_snapshot(text: str, name: str, key: str) -> Snapshot:
    """The snapshot in the text of a file; raises InputProblem, with the file's name, where it holds none."""
    try:
        return Snapshot.from_json(text)
    except InputProblem as problem:
        raise InputProblem(f"{key}: {name} is {problem}") from None


def packages_of(snapshot: Snapshot) -> PackageList:
    """The packages that were installed when a snapshot was taken, each with the hash of its content.

    Those of locks are hashes of archives, with which this one has nothing in common.
    """
    stated = (
        Package(
            canonical(printable(one.name)),
            printable(one.version),
            hashes=frozenset({one.hash.replace("sha256:", "content:")} if one.hash else ()),
            source=printable(one.source),
        )
        for one in snapshot.packages
    )
    return PackageList(one_each(stated), covers="installed", format="mortis snapshot")
