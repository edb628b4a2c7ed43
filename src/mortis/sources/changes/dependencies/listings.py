"""What other tools list: `pip list`, `conda list`, conda's environment.yml, Pipfile.lock, and CycloneDX as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote

from mortis.sources.changes.dependencies.documents import Document
from mortis.sources.changes.dependencies.packages import (
    Package,
    PackageList,
    allowed,
    canonical,
    condition,
    one_each,
    place,
)
from mortis.sources.changes.dependencies.requirements import logical_lines, read_requirements

Entry = Mapping[str, Any]
_PIP_TABLE = re.compile(r"^Package +Version.*\n-+ +-+", re.MULTILINE)
_CONDA_TABLE = re.compile(r"^[ \t]*#?[ \t]*Name +Version +Build.*$", re.MULTILINE)
_CONDA_EXPORT = re.compile(r"[\w.-]+=[^=\s]+=[^=\s]+")
_CONDA_SPEC = re.compile(
    r"(?:(?P<channel>[^\s:]+)::)?(?P<name>[\w.-]+)\s*(?P<wanted>[^\[]*)(?P<more>\[.*\])?", re.DOTALL
)
_CONDA_PIN = re.compile(r"={1,2}\s*(?P<version>[^=<>!~|,*\s]+)(?:=(?P<build>\S+))?")


def is_pip_list(document: Document) -> bool:
    """Whether the document is what `pip list` prints, as its table or as JSON."""
    return _is_array(document, "name", "version") if document.form == "json" else bool(_PIP_TABLE.search(document.text))


def _is_array(document: Document, *keys: str) -> bool:
    """Whether a JSON document is an array of objects that hold the keys; an empty one is."""
    data = document.data
    return isinstance(data, list) and all(isinstance(one, dict) and one.keys() >= {*keys} for one in data)


def read_pip_list(document: Document) -> PackageList:
    """The packages that `pip list` shows; an editable one's folder is its source.

    Source: https://pip.pypa.io/en/stable/cli/pip_list/
    """
    entries = document.data if document.form == "json" else _pip_table(document.text)
    stated = (
        Package(
            canonical(one["name"]),
            one["version"],
            source=f"editable {location}" if (location := one.get("editable_project_location")) else "",
        )
        for one in entries
    )
    return PackageList(one_each(stated), covers="installed")


def _pip_table(text: str) -> Iterator[Entry]:
    """The rows under the table's dashes, up to the next blank line."""
    head = _PIP_TABLE.search(text)
    for line in text[head.end() if head else 0 :].splitlines()[1:]:
        if not line.strip():
            return
        name, version, *location = line.split(maxsplit=2)
        yield {"name": name, "version": version, "editable_project_location": "".join(location)}


def is_conda_list(document: Document) -> bool:
    """Whether the document is what `conda list` prints: its table, `--explicit` or `--json`."""
    if document.form == "json":
        return _is_array(document, "name", "version", "build_string") and bool(document.data)
    return document.form == "text" and bool(_CONDA_TABLE.search(document.text) or _first(document) == "@EXPLICIT")


def _first(document: Document) -> str:
    return next((line for _, line in logical_lines(document.text)), "")


def read_conda_list(document: Document) -> PackageList:
    """The packages that `conda list` shows, with build and channel.

    Source: https://docs.conda.io/projects/conda/en/stable/commands/list.html
    """
    if document.form == "json":
        stated: Iterable[Package] = map(_conda_object, document.data)
    else:
        stated = (_conda_explicit if _first(document) == "@EXPLICIT" else _conda_table)(document.text)
    return PackageList(one_each(stated), covers="installed")


def is_conda_export(document: Document) -> bool:
    """Whether the document is what `conda list --export` prints."""
    return document.form == "text" and bool(_CONDA_EXPORT.fullmatch(_first(document)))


def read_conda_export(document: Document) -> PackageList:
    """The packages that `conda list --export` shows, with build; their channels aren't said.

    Source: as `read_conda_list`.
    """
    rows = (line.split("=") for _, line in logical_lines(document.text))
    stated = (replace(_conda(name, version, build), source="") for name, version, build in rows)
    return PackageList(one_each(stated), covers="installed")


def _conda(
    name: str, version: str, build: str = "", channel: str = "", hashes: frozenset[str] = frozenset()
) -> Package:
    """A package of conda; one that pip put there has no build of conda's."""
    from_pip = build.startswith("pypi") or channel == "pypi"
    return Package(
        canonical(name),
        version,
        build="" if from_pip else build,
        hashes=hashes,
        source="" if from_pip else _channel(channel),
    )


def _channel(address: str) -> str:
    """A channel by its name, as `conda list` has it, also where its address is given.

    >>> _channel("https://conda.anaconda.org/conda-forge/linux-64"), _channel("conda-forge"), _channel("")
    ('conda-forge', 'conda-forge', 'defaults')
    """
    known = re.match(r"https://(?:conda\.anaconda\.org|repo\.anaconda\.com/pkgs)/([\w.-]+)", address)
    name = known[1] if known else place(address)
    return "defaults" if name in ("", "main", "pkgs/main") else name


def _conda_table(text: str) -> Iterator[Package]:
    head = _CONDA_TABLE.search(text)
    for _, line in logical_lines(text[head.end() if head else 0 :]):
        if line.strip("─- "):
            name, version, build, *channel = line.split()
            yield _conda(name, version, build, "".join(channel))


def _conda_explicit(text: str) -> Iterator[Package]:
    """Packages by their addresses; behind # stands an MD5 or a SHA-256."""
    for _, line in logical_lines(text):
        if line != "@EXPLICIT":
            address, _, digest = line.partition("#")
            folder, _, file = address.rpartition("/")
            name, version, build = re.sub(r"\.(conda|tar\.bz2)$", "", file).rsplit("-", 2)
            kind = "md5:" if re.fullmatch(r"[0-9a-f]{32}", digest) else ""
            yield _conda(name, version, build, folder, frozenset({kind + digest} if digest else ()))


def _conda_object(entry: Entry) -> Package:
    return _conda(entry["name"], entry["version"], entry["build_string"], entry.get("channel", ""))


def is_conda_environment(document: Document) -> bool:
    """Whether the document is conda's environment.yml."""
    return document.form == "yaml" and isinstance(document.entries.get("dependencies"), list)


def read_conda_environment(document: Document) -> PackageList:
    """The packages of environment.yml, those under `pip:` as pip reads them; `name=1.2` is taken for the version 1.2.

    Source: https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
    """
    stated, options = [], {}
    channels = [channel for channel in document.entries.get("channels") or () if channel != "nodefaults"]
    if channels:
        options["channels"] = " ".join(map(_channel, channels))
    for i, entry in enumerate(document.entries["dependencies"]):
        if isinstance(entry, str):
            stated.append(_of_spec(entry))
            continue
        for_pip = read_requirements(replace(document, text=_pip_lines(document, i, entry["pip"] or ())))
        stated += for_pip.packages
        options |= for_pip.options
    packages = one_each(stated)
    exported = bool(packages) and all(one.build or one.source for one in packages)
    return PackageList(packages, "installed" if exported else "asked", options)


def _pip_lines(document: Document, place: int, entries: Sequence[str]) -> str:
    """What stands under `pip:` as lines of requirements, each in its own line of the file."""
    lines = [""] * len(document.text.splitlines())
    for j, entry in enumerate(entries):
        lines[document.lines["dependencies", place, "pip", j] - 1] += " ".join(entry.split())
    return "\n".join(lines)


def _of_spec(text: str) -> Package:
    """The package of a match specification.

    >>> one = _of_spec("conda-forge::numpy=1.26.4=py311h64a7726_0")
    >>> one.name, one.version, one.build, one.source
    ('numpy', '1.26.4', 'py311h64a7726_0', 'conda-forge')
    >>> _of_spec("scipy >=1.11,<2").wanted
    '<2,>=1.11'
    """
    found = _CONDA_SPEC.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no specification of conda's")
    wanted = " ".join(filter(None, (found["wanted"].strip(), found["more"])))
    pin = _CONDA_PIN.fullmatch(wanted)
    return Package(
        canonical(found["name"]),
        pin["version"] if pin else "",
        "" if pin else allowed(wanted),
        build=(pin["build"] or "") if pin else "",
        source=_channel(found["channel"]) if found["channel"] else "",
    )


def is_pipfile_lock(document: Document) -> bool:
    """Whether the document is Pipenv's lock."""
    return document.form == "json" and document.entries.keys() >= {"_meta", "default"}


def read_pipfile_lock(document: Document) -> PackageList:
    """The packages of Pipfile.lock, those for development under a condition of that name.

    Source: https://pipenv.pypa.io/en/latest/pipfile.html
    """
    meta = document.entries["_meta"]
    stated = [
        _of_pipfile(name, entry, "" if section == "default" else f"group {section}")
        for section, entries in document.entries.items()
        for name, entry in entries.items()
        if section != "_meta"
    ]
    urls = " ".join(filter(None, (place(one["url"]) for one in meta.get("sources", ()))))
    options = {"requires-python": meta.get("requires", {}).get("python_version", ""), "index": urls}
    return PackageList(one_each(stated), "possible", {name: value for name, value in options.items() if value})


def _of_pipfile(name: str, entry: Entry, where: str) -> Package:
    git, path = entry.get("git", ""), entry.get("path") or entry.get("file", "")
    return Package(
        canonical(name),
        entry.get("version", "").removeprefix("=="),
        extras=tuple(sorted(map(canonical, entry.get("extras", ())))),
        hashes=frozenset(entry.get("hashes", ())),
        source=f"git+{place(git)}@{entry.get('ref', '')}" if git else place(path),
        where=condition(entry.get("markers", ""), where),
    )


def is_cyclonedx(document: Document) -> bool:
    """Whether the document is a bill of materials after CycloneDX."""
    return document.form == "json" and document.entries.get("bomFormat") == "CycloneDX"


def read_cyclonedx(document: Document) -> PackageList:
    """The components of a bill of materials and what these hold; what is in it several times has all its versions.

    What the bill is for (`metadata.component`) is none of them.

    Source: https://cyclonedx.org/docs/1.6/json/
    """
    waiting = [*document.entries.get("components", ())]
    stated = []
    while waiting:
        component = waiting.pop()
        waiting += component.get("components", ())
        stated.append(_of_component(component))
    return PackageList(one_each(stated), covers="installed")


def _of_component(component: Entry) -> Package:
    name, build, source = component["name"], "", ""
    if component.get("group"):
        name = f"{component['group']}/{name}"
    purl = re.fullmatch(
        r"pkg:/*(?P<kind>[^/@?#]+)/(?P<path>[^@?#]+)(@[^?#]*)?(\?(?P<more>[^#]*))?.*", component.get("purl", "")
    )
    if purl:
        more = {key: values[0] for key, values in parse_qs(purl["more"] or "").items()}
        kind, path = purl["kind"].lower(), unquote(purl["path"].strip("/"))
        name = canonical(path) if kind in ("pypi", "conda") else f"{kind}/{path}"
        build = more.get("build", "")
        source = place(next((more[key] for key in ("vcs_url", "download_url", "repository_url") if key in more), ""))
    elif "/" not in name:
        name = canonical(name)
    return Package(name, str(component.get("version", "")), build=build, hashes=_of_files(component), source=source)


def _of_files(component: Entry) -> frozenset[str]:
    """The hashes of a component, or else of the files that it is distributed as."""
    references = [one for one in component.get("externalReferences", ()) if one.get("type") == "distribution"]
    stated = component.get("hashes") or [digest for one in references for digest in one.get("hashes", ())]
    return frozenset(f"{one['alg'].replace('SHA-', 'sha').lower()}:{one['content']}" for one in stated)
