"""Requirements as pip reads them, line by line: requirements.txt with what it includes, and `pip freeze`."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from mortis.problems import CaseProblem, InputProblem
from mortis.sources.changes.before_after import read_text
from mortis.sources.changes.dependencies.documents import Document
from mortis.sources.changes.dependencies.packages import (
    Covers,
    NotARequirement,
    Package,
    PackageList,
    allowed,
    condition,
    from_place,
    from_requirement,
    hidden,
    one_each,
    place,
)

CONSTRAINT = "constraint"
_PLACE = re.compile(
    r"[A-Za-z][\w+.-]*://|file:|[.~/\\]|[A-Za-z]:\\|[^\s;@]+\.(whl|zip|tar\.gz|tar\.bz2|tgz)(\[|$|\s|#)"
)


@dataclass(frozen=True, slots=True)
class _Stated:
    """What one line states: a package, or an option with its value; `at` is its file and line."""

    at: str
    package: Package | None = None
    option: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file on the way of inclusions: its text, the files that led to it, and what its packages come under."""

    text: str
    chain: tuple[Path, ...]
    folder: Path
    key: str
    where: str = ""
    read: set[tuple[Path, str]] = field(default_factory=set)  # shared along the way: what is included twice counts once

    @property
    def name(self) -> str:
        file = self.chain[-1]
        return str(file.relative_to(self.folder)) if file.is_relative_to(self.folder) else file.name


def looks_like_requirements(document: Document) -> bool:
    """Whether a text is named like requirements, or its first line states one."""
    if re.search(r"requirements|constraints|freeze", Path(document.name).name, re.IGNORECASE):
        return True
    _, line = next(logical_lines(document.text), (0, ""))
    try:
        return bool(line) and bool(_parsed(line, ""))
    except ValueError:
        return False


def read_requirements(document: Document) -> PackageList:
    """The packages of requirements and of the files that these include, from within the case's folder.

    A constraint is put into what requires its package, or is an entry of its own where nothing does. Raises
    InputProblem for a line that can't be read, with its file and number; for a package pinned to two versions; and for
    inclusions that go round, leave the folder or lie on the network.
    """
    file = (document.root / document.name).resolve()
    root = document.root.resolve()
    folder = root if file.is_relative_to(root) else file.parent
    stated = list(_stated(_Opened(document.text, (file,), folder, document.key)))
    _refuse_twins(stated, document.key)
    packages = _constrained(one_each(one.package for one in stated if one.package))
    required = [one for one in packages if CONSTRAINT not in one.where]
    options: dict[str, list[str]] = {}
    for name, value in (one.option for one in stated if one.option):
        options.setdefault(name, []).append(value)
    return PackageList(
        packages,
        _covered(required),
        options={name: " ".join(dict.fromkeys(values)) for name, values in options.items()},
    )


def _covered(required: list[Package]) -> Covers:
    """A list without a single range is what a tool wrote: `pip freeze` of one machine, or a lock for several."""
    if not required or not all(one.version or one.source for one in required):
        return "asked"
    locked = any(one.hashes for one in required) or all(one.where for one in required)
    return "possible" if locked else "installed"


def _constrained(packages: tuple[Package, ...]) -> tuple[Package, ...]:
    """The packages, a constraint without a marker put into what requires its package; other ones stay entries."""
    bounds = {one.name: one for one in packages if one.where == CONSTRAINT}
    required = {one.name for one in packages if CONSTRAINT not in one.where} & bounds.keys()
    return tuple(
        _bounded(one, bounds[one.name]) if one.name in required else one
        for one in packages
        if not (one.name in required and one.where == CONSTRAINT)
    )


def _bounded(one: Package, bound: Package) -> Package:
    version = one.version or bound.version
    return replace(
        one,
        version=version,
        wanted="" if version else allowed(",".join(filter(None, (one.wanted, bound.wanted)))),
        hashes=one.hashes | bound.hashes,
        source=one.source or bound.source,
    )


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    r"""Each line with its number (from 1), continued ones joined, without comments and blank lines.

    >>> list(logical_lines("# pins\na==1 \\\n    --hash=sha256:0f  # by hand\n\nb"))
    [(2, 'a==1     --hash=sha256:0f'), (5, 'b')]

    Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/
    """
    begun, joined = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        begun = begun if joined else number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            joined += line.strip("\\")  # as pip does
            continue
        whole = joined if comment else joined + line
        whole = (re.sub(r"(^|\s)#.*$", "", whole) if "#" in whole else whole).strip()
        joined = ""
        if whole:
            yield begun, whole


def _stated(opened: _Opened) -> Iterator[_Stated]:
    """What a file's lines state, and after each inclusion what the included file does."""
    for number, line in logical_lines(opened.text):
        at = f"{opened.name} line {number}"
        try:
            package, said = _parsed(line, opened.where)
        except NotARequirement as problem:
            hint = "; pip pins with ==" if re.match(r"[\w.-]+=[^=]", problem.text) else ""
            raise InputProblem(f"{opened.key}: {at}: {problem}{hint}") from None
        except ValueError as error:
            raise InputProblem(f"{opened.key}: {at}: {hidden(str(error))}; see `pip install --help`") from None
        if package:
            yield _Stated(at, package)
        for name, value in _options(said):
            yield _Stated(at, option=(name, value))
        for kind, names in (("", said.requirement), (CONSTRAINT, said.constraint)):
            for name in names:
                included = _included(name, kind or opened.where, opened, at)
                yield from _stated(included) if included else ()


def _included(name: str, where: str, opened: _Opened, at: str) -> _Opened | None:
    """The file that a line includes, None if it was read before; its name starts from the file of the line."""
    said = f"{opened.key}: {at}"
    if "://" in name:
        raise InputProblem(f"{said}: includes {place(name)}, and nothing is fetched; save it beside and name that file")
    file = (opened.chain[-1].parent / name).resolve()
    if not file.is_relative_to(opened.folder):
        raise InputProblem(f"{said}: includes {name}, which lies outside {opened.folder}; copy it into that folder")
    if file in opened.chain:
        names = [str(one.relative_to(opened.folder)) for one in (*opened.chain[opened.chain.index(file) :], file)]
        raise InputProblem(f"{said}: the files include each other in a circle: {' → '.join(names)}; take one line out")
    if (file, where) in opened.read:
        return None
    opened.read.add((file, where))
    try:
        text = read_text(str(file.relative_to(opened.folder)), root=opened.folder, key=said)
    except CaseProblem as problem:
        raise InputProblem(str(problem)) from None  # the case names the file that includes it
    return replace(opened, text=text, chain=(*opened.chain, file), where=where)


def _refuse_twins(stated: list[_Stated], key: str) -> None:
    """Raises InputProblem where one package is pinned to two versions under the same condition."""
    pins: dict[tuple[str, str], tuple[str, str]] = {}
    for one in stated:
        if one.package is None or not one.package.version:
            continue
        version, at = pins.setdefault((one.package.name, one.package.where), (one.package.version, one.at))
        if version != one.package.version:
            raise InputProblem(
                f"{key}: {one.at}: {one.package.name} is pinned to {one.package.version}, and to {version} in {at}; "
                "keep one, or give each its marker"
            )


class _Options(argparse.ArgumentParser):
    """The options that a line may hold; a ValueError says what is wrong with them."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _known_options() -> _Options:
    options = _Options(add_help=False, allow_abbrev=False, usage="")
    for names in (
        ("-r", "--requirement"),
        ("-c", "--constraint"),
        ("-e", "--editable"),
        ("-i", "--index-url", "--pypi-url"),
        ("--extra-index-url",),
        ("-f", "--find-links"),
        ("--no-binary",),
        ("--only-binary",),
        ("--trusted-host",),
        ("--use-feature",),
        ("--hash",),
        ("-C", "--config-settings", "--config-setting"),
        ("--global-option",),
        ("--install-option",),
    ):
        options.add_argument(*names, action="append", default=[])
    for name in ("--no-index", "--pre", "--prefer-binary", "--require-hashes"):
        options.add_argument(name, action="store_true")
    return options


_KNOWN = _known_options()
_ADDRESSES = {"index_url": "--index-url", "extra_index_url": "--extra-index-url", "find_links": "--find-links"}
_CHOICES = {"no_binary": "--no-binary", "only_binary": "--only-binary"}
_SWITCHES = {"no_index": "--no-index", "pre": "--pre", "prefer_binary": "--prefer-binary"}


def _parsed(line: str, where: str) -> tuple[Package | None, argparse.Namespace]:
    """A line's package and its options; raises ValueError where it can't be read."""
    begins = re.search(r"(?:^|\s)--?[A-Za-z]", line)
    requirement, options = (line[: begins.start()], line[begins.start() :]) if begins else (line, "")
    quoted = re.search(r"""['"\\]""", options)
    said = _KNOWN.parse_args(shlex.split(options) if quoted else options.split())  # shlex goes sign by sign
    requirement = requirement.strip() or next(iter(said.editable), "")
    if not requirement:
        return None, said
    if said.editable or _PLACE.match(requirement):
        address, _, marker = requirement.partition(" ;")
        found = from_place(address.strip())
        return replace(found, hashes=found.hashes | {*said.hash}, where=condition(marker.strip(), where)), said
    found = from_requirement(requirement, hashes=said.hash, where=where)
    return replace(found, build=" ".join([*said.config_settings, *said.global_option, *said.install_option])), said


def _options(said: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The options that decide where packages come from or which files of them are taken."""
    for key, name in _ADDRESSES.items():
        yield from ((name, place(value) or "(the usual index)") for value in getattr(said, key))
    for key, name in _CHOICES.items():
        yield from ((name, value) for value in getattr(said, key))
    yield from ((name, "on") for key, name in _SWITCHES.items() if getattr(said, key))
