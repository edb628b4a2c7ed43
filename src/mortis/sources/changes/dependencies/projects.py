"""Files in TOML: a project's pyproject.toml, and the locks of uv, Poetry and PEP 751."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mortis.sources.changes.dependencies.documents import Document
from mortis.sources.changes.dependencies.packages import (
    Package,
    PackageList,
    allowed,
    canonical,
    condition,
    from_requirement,
    one_each,
    place,
)

Entry = Mapping[str, Any]


def is_pyproject(document: Document) -> bool:
    """Whether the document is a project's file that can state dependencies."""
    tools = document.entries.get("tool")
    stated = isinstance(tools, dict) and not tools.keys().isdisjoint(("poetry", "uv"))
    return document.form == "toml" and (
        not document.entries.keys().isdisjoint(("project", "dependency-groups")) or stated
    )


def read_pyproject(document: Document) -> PackageList:
    """What a project asks for: PEP 621, the groups of PEP 735, and the tables of Poetry and uv.

    Source: https://packaging.python.org/en/latest/specifications/pyproject-toml/ and .../dependency-groups/
    """
    project, groups = document.entries.get("project", {}), document.entries.get("dependency-groups", {})
    tools = document.entries.get("tool", {})
    uv, poetry = tools.get("uv", {}), tools.get("poetry", {})
    sources = {canonical(name): _source_of(source) for name, source in uv.get("sources", {}).items()}
    stated = [
        *map(from_requirement, _array(project.get("dependencies", []))),
        *_of_extras(project.get("optional-dependencies", {})),
        *_of_groups(groups),
        *(from_requirement(one, where="group dev") for one in _array(uv.get("dev-dependencies", []))),
        *_of_poetry(poetry),
    ]
    placed = (replace(one, source=sources.get(one.name, one.source)) for one in stated)
    python = project.get("requires-python") or poetry.get("dependencies", {}).get("python")
    dynamic = "dependencies" in project.get("dynamic", ())
    remark = "a pyproject.toml calls its dependencies dynamic: hand over the file that lists them" if dynamic else ""
    return PackageList(one_each(placed), "asked", _python(python) | _indexes(uv, poetry), remark=remark)


def _array(value: Any) -> list[Any]:
    """The entries of an array; raises TypeError for a text, whose signs are no entries."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no array")
    return value


def _python(wanted: str | None) -> dict[str, str]:
    """The versions of Python that a file asks for, as an option: which one runs, it doesn't say."""
    return {"requires-python": allowed(wanted)} if wanted else {}


def _of_extras(extras: Mapping[str, Iterable[str]]) -> Iterator[Package]:
    for extra, texts in extras.items():
        yield from (from_requirement(text, where=f"extra {canonical(extra)}") for text in _array(texts))


def _of_groups(groups: Mapping[str, Iterable[str | Entry]]) -> Iterator[Package]:
    """Each group's own entries: what it includes stands under the group that states it."""
    for group, entries in groups.items():
        texts = (entry for entry in _array(entries) if isinstance(entry, str))
        yield from (from_requirement(text, where=f"group {canonical(group)}") for text in texts)


def _of_poetry(poetry: Entry) -> Iterator[Package]:
    yield from _poetry_table(poetry.get("dependencies", {}), "")
    yield from _poetry_table(poetry.get("dev-dependencies", {}), "group dev")
    for group, table in poetry.get("group", {}).items():
        yield from _poetry_table(table.get("dependencies", {}), f"group {canonical(group)}")


def _poetry_table(table: Mapping[str, Any], where: str) -> Iterator[Package]:
    for name, stated in table.items():
        entries = stated if isinstance(stated, list) else [stated]
        for entry in entries if name != "python" else ():
            yield _poetry_entry(name, {"version": entry} if isinstance(entry, str) else entry, where)


def _poetry_entry(name: str, entry: Entry, where: str) -> Package:
    """A dependency in Poetry's own words, in which a bare version pins.

    Source: https://python-poetry.org/docs/dependency-specification/
    """
    wanted = allowed(entry.get("version", "*"))
    version = wanted.removeprefix("==")
    is_pin = version[:1].isdigit() and not set(version) & set("*|,")
    python, system = entry.get("python"), entry.get("platform")
    return Package(
        canonical(name),
        version if is_pin else "",
        "" if is_pin else wanted,
        tuple(sorted(map(canonical, entry.get("extras", ())))),
        source=_source_of(entry),
        where=condition(
            entry.get("markers", ""), f"python {python}" if python else "", f"on {system}" if system else "", where
        ),
    )


def _source_of(entry: Entry | list[Entry]) -> str:
    """Where a package comes from, when an entry of uv or Poetry names a place of its own."""
    if isinstance(entry, list):
        return " and ".join(sorted(filter(None, map(_source_of, entry))))
    if "git" in entry:
        revision = next((entry[key] for key in ("rev", "tag", "branch") if key in entry), "")
        return f"git+{place(entry['git'])}{f'@{revision}' if revision else ''}"
    for key in ("url", "path", "file", "index", "source"):
        if key in entry:
            return place(str(entry[key]))
    return "workspace" if entry.get("workspace") else ""


def _indexes(uv: Entry, poetry: Entry) -> dict[str, str]:
    urls = [one["url"] for one in (*uv.get("index", ()), *poetry.get("source", ())) if "url" in one]
    urls += [uv[key] for key in ("index-url",) if key in uv] + list(uv.get("extra-index-url", ()))
    shown = list(dict.fromkeys(filter(None, map(place, urls))))
    return {"index": " ".join(shown)} if shown else {}


def is_uv_lock(document: Document) -> bool:
    """Whether the document is uv's lock."""
    return document.form == "toml" and document.entries.keys() >= {"version", "requires-python"}


def read_uv_lock(document: Document) -> PackageList:
    """The packages of uv.lock; one that is locked to several versions has an entry for each with its markers.

    Source: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile
    """
    stated = []
    for entry in document.entries.get("package", ()):
        source = entry.get("source", {})
        kind, address = next(iter(source.items()), ("registry", ""))
        files = [*([entry["sdist"]] if "sdist" in entry else []), *entry.get("wheels", ())]
        stated.append(
            Package(
                canonical(entry["name"]),
                entry.get("version", ""),
                hashes=frozenset(one["hash"] for one in files if "hash" in one),
                source=_uv_source(kind, str(address)),
                where=" or ".join(condition(marker) for marker in entry.get("resolution-markers", ())),
            )
        )
    return PackageList(one_each(stated), "possible", _python(document.entries.get("requires-python")))


def _uv_source(kind: str, address: str) -> str:
    """A source in uv's lock; a repository's commit stands behind #."""
    if kind == "git":
        return f"git+{place(address)}@{address.partition('#')[2]}"
    return place(address) if kind in ("registry", "url") else f"{kind} {address}"


def is_poetry_lock(document: Document) -> bool:
    """Whether the document is Poetry's lock: its metadata holds a content hash."""
    metadata = document.entries.get("metadata")
    return document.form == "toml" and isinstance(metadata, dict) and "content-hash" in metadata


def read_poetry_lock(document: Document) -> PackageList:
    """The packages of poetry.lock, of lock versions 1 and 2.

    Source: the lock files that Poetry 1.1 to 2.1 write; https://python-poetry.org/docs/libraries/#lock-file
    """
    metadata = document.entries["metadata"]
    files = {canonical(name): ones for name, ones in metadata.get("files", {}).items()}  # where lock version 1 has them
    stated = []
    for entry in document.entries.get("package", ()):
        name = canonical(entry["name"])
        stated.append(
            Package(
                name,
                entry["version"],
                hashes=frozenset(one["hash"] for one in (*entry.get("files", ()), *files.get(name, ()))),
                source=_poetry_source(entry.get("source", {})),
                where=_poetry_markers(entry.get("markers", "")),
            )
        )
    return PackageList(one_each(stated), "possible", _python(metadata.get("python-versions")))


def _poetry_source(source: Entry) -> str:
    kind, address = source.get("type", "legacy"), place(source.get("url", ""))
    if kind == "git":
        return f"git+{address}@{source.get('resolved_reference') or source.get('reference', '')}"
    return address if kind in ("legacy", "url", "file") else f"{kind} {address}"


def _poetry_markers(markers: str | Mapping[str, str]) -> str:
    """The markers of an entry; of one that stands in several groups, those of each."""
    if isinstance(markers, str):
        return condition(markers)
    return "; ".join(f"group {group}: {condition(text)}" for group, text in sorted(markers.items()))


def is_pylock(document: Document) -> bool:
    """Whether the document is a lock after PEP 751."""
    return document.form == "toml" and "lock-version" in document.entries and "packages" in document.entries


def read_pylock(document: Document) -> PackageList:
    """The packages of pylock.toml.

    Source: https://packaging.python.org/en/latest/specifications/pylock-toml/
    """
    stated = []
    for entry in document.entries["packages"]:
        single = [entry[key] for key in ("sdist", "archive") if key in entry]
        hashes = (one.get("hashes", {}) for one in (*single, *entry.get("wheels", ())))
        stated.append(
            Package(
                canonical(entry["name"]),
                entry.get("version", ""),
                hashes=frozenset(f"{kind}:{digest}" for ones in hashes for kind, digest in ones.items()),
                source=_pylock_source(entry),
                where=condition(entry.get("marker", "")),
            )
        )
    return PackageList(one_each(stated), "possible", _python(document.entries.get("requires-python")))


def _pylock_source(entry: Entry) -> str:
    vcs, archive, folder = (entry.get(key, {}) for key in ("vcs", "archive", "directory"))
    if vcs:
        return f"{vcs.get('type', 'git')}+{place(vcs.get('url') or vcs.get('path', ''))}@{vcs.get('commit-id', '')}"
    if folder:
        return f"{'editable' if folder.get('editable') else 'directory'} {folder.get('path', '')}"
    return place(archive.get("url") or archive.get("path", "") if archive else entry.get("index", ""))
