"""Packages as files of dependencies state them: names made equal, requirements read, versions told apart by size."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

SIZES = ("major", "minor", "patch", "build")
Covers = Literal["asked", "installed", "possible"]
_USUAL_INDEX = re.compile(r"https://(pypi\.org|pypi\.python\.org|files\.pythonhosted\.org)/")


@dataclass(frozen=True, slots=True)
class Package:
    """A package as a file states it; empty where it says nothing.

    `version` is the one that is installed or pinned, `wanted` the versions allowed where none is. `build`, `hashes` and
    `source` tell files of one version apart; no source is the usual index. `where` says when the entry counts: a
    marker, a group.
    """

    name: str
    version: str = ""
    wanted: str = ""
    extras: tuple[str, ...] = ()
    build: str = ""
    hashes: frozenset[str] = frozenset()
    source: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class PackageList:
    """What a file lists, one entry for each name and condition; `options` say where else packages come from.

    `covers` says which packages it names: those asked for, all that are installed, or all that may be on some machine.
    `remark` tells what the file leaves to another one.
    """

    packages: tuple[Package, ...]
    covers: Covers
    options: Mapping[str, str] = field(default_factory=dict)
    format: str = ""
    remark: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The names of the packages."""
        return frozenset(one.name for one in self.packages)


class NotARequirement(ValueError):
    """A text that states no requirement: `text` as it stands, and the reason."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"not a requirement: {shortened(hidden(text))!r}: {reason}")
        self.text = text


def canonical(name: str) -> str:
    """A package's name as all its spellings have it; leading underscores, which only conda allows, stay.

    >>> canonical("Scikit_Learn"), canonical("_libgcc_mutex")
    ('scikit-learn', '_libgcc-mutex')

    Source: PEP 503.
    """
    bare = name.lstrip("_")
    return "_" * (len(name) - len(bare)) + canonicalize_name(bare) if bare.strip(".") else name


def from_requirement(text: str, *, hashes: Iterable[str] = (), where: str = "") -> Package:
    """The package that a requirement (PEP 508) states; raises NotARequirement where it states none.

    >>> one = from_requirement("NumPy[dev] == 1.26.4; python_version<'3.12'")
    >>> one.name, one.version, one.extras, one.where
    ('numpy', '1.26.4', ('dev',), 'python_version < "3.12"')
    """
    try:
        stated = Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        raise NotARequirement(text, str(error).partition("\n")[0]) from None
    version = pinned(stated.specifier)
    placed = from_place(stated.url) if stated.url else Package("")
    return Package(
        canonical(stated.name),
        version or placed.version,
        "" if version else str(stated.specifier),
        tuple(sorted(canonical(one) for one in stated.extras)),
        hashes=frozenset(hashes) | placed.hashes,
        source=placed.source,
        where=condition(str(stated.marker or ""), where),
    )


def from_place(text: str) -> Package:
    """The package at an address or path: its name and version by the file's name or the address's `#egg=`.

    >>> from_place("git+https://anna:key@example.org/team/Shared.Code.git@4f1c#egg=shared-code").source
    'git+https://example.org/team/Shared.Code.git@4f1c'
    >>> one = from_place("https://example.org/numpy-2.1.0-cp311-cp311-linux_x86_64.whl#sha256=0a1b")
    >>> one.name, one.version, one.hashes
    ('numpy', '2.1.0', frozenset({'sha256:0a1b'}))
    """
    address, _, fragment = text.partition("#")
    said = dict(one.partition("=")[::2] for one in fragment.split("&"))
    path, _, extras = address[:-1].rpartition("[") if address.endswith("]") else (address, "", "")
    last = unquote(re.split(r"[/\\]", path.rstrip("/\\"))[-1])
    name, version = _of_file(last)
    egg, _, egg_extras = said.get("egg", "").partition("[")
    extra_names = re.findall(r"[\w.-]+", f"{extras},{egg_extras}")
    return Package(
        canonical(egg or name),
        version,
        extras=tuple(sorted(map(canonical, extra_names))),
        hashes=frozenset(f"{kind}:{said[kind]}" for kind in ("sha256", "sha384", "sha512", "md5") if said.get(kind)),
        source=place(path),
    )


def _of_file(name: str) -> tuple[str, str]:
    """Name and version by a distribution file's name; otherwise the name without a revision and `.git`."""
    try:
        parsed = parse_wheel_filename(name) if name.endswith(".whl") else parse_sdist_filename(name)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return name.partition("@")[0].removesuffix(".git"), ""
    return str(parsed[0]), str(parsed[1])


def place(address: str) -> str:
    """An address as it may be shown, without credentials, query and fragment; empty for the usual index.

    >>> place("https://anna:key@pypi.example.org/simple?token=1"), place("https://pypi.org/simple")
    ('https://pypi.example.org/simple', '')
    """
    if _USUAL_INDEX.match(f"{address}/"):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "(not an address)"
    if not parts.netloc:
        return address.partition("?")[0].rstrip("/")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")


def hidden(text: str) -> str:
    """A text without the credentials of the addresses in it.

    >>> hidden("--index-url https://anna:key@example.org/simple")
    '--index-url https://***@example.org/simple'
    """
    return re.sub(r"//[^/\s]*@", "//***@", text)


def pinned(specifier: SpecifierSet) -> str:
    """The one version that a specifier allows, or nothing.

    >>> pinned(SpecifierSet("==1.2")), pinned(SpecifierSet("==1.*")), pinned(SpecifierSet(">=1,<2"))
    ('1.2', '', '')
    """
    clauses = list(specifier)
    if len(clauses) != 1 or clauses[0].operator not in ("==", "===") or clauses[0].version.endswith(".*"):
        return ""
    return clauses[0].version


def allowed(text: str) -> str:
    """A constraint in one form, whatever the order of its clauses; one that isn't PEP 440 without its blanks.

    >>> allowed(">=1, <2"), allowed("^1.2 || ^2"), allowed("*")
    ('<2,>=1', '^1.2||^2', '')
    """
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        return "" if text.strip() == "*" else "".join(text.split())


def condition(*stated: str) -> str:
    """When an entry counts, markers in one form; empty where always.

    >>> condition("python_version<'3.12'", "", "group lint")
    'python_version < "3.12", group lint'
    """
    return ", ".join(_marker(one) for one in stated if one)


def _marker(text: str) -> str:
    try:
        return str(Marker(text))
    except (InvalidMarker, RecursionError):
        return text


def one_each(packages: Iterable[Package]) -> tuple[Package, ...]:
    """The packages by name and condition; where a file states one several times, what it says is joined.

    >>> [one.version for one in one_each([Package("tomli", "2.0.2"), Package("tomli", "2.0.1"), Package("a", "1")])]
    ['1', '2.0.1 and 2.0.2']
    """
    stated: dict[tuple[str, str], list[Package]] = defaultdict(list)
    for one in packages:
        stated[one.name, one.where].append(one)
    return tuple(_joined(ones) for _, ones in sorted(stated.items()))


def _joined(ones: list[Package]) -> Package:
    first = ones[0]
    if len(ones) == 1:
        return first
    return Package(
        first.name,
        " and ".join(sorted({one.version for one in ones} - {""})),
        allowed(",".join(sorted({one.wanted for one in ones} - {""}))),
        tuple(sorted({extra for one in ones for extra in one.extras})),
        " and ".join(sorted({one.build for one in ones} - {""})),
        frozenset().union(*(one.hashes for one in ones)),
        " and ".join(sorted({one.source for one in ones} - {""})),
        first.where,
    )


def satisfies(version: str, wanted: str) -> bool | None:
    """Whether a version lies among those wanted; None where one of the two isn't written after PEP 440.

    >>> satisfies("2.1.0", "<2,>=1"), satisfies("2.1.0", ""), satisfies("2.1.0", "^1.2")
    (False, True, None)
    """
    try:
        return SpecifierSet(wanted).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return None if wanted else True


def step(before: str, after: str) -> str:
    """The size of a change of version, by the first part that differs; empty where it isn't written after PEP 440.

    >>> step("1.26.4", "2.1.0"), step("4.7.0", "4.5.0"), step("2.1.0+cpu", "2.1.0+cu121"), step("1.1.1w", "3.0.2")
    ('major', 'minor downgrade', 'build', '')

    Source: PEP 440 for the order; that parts mean major, minor and patch is usage, and releases by date keep to none.
    """
    try:
        old, new = Version(before), Version(after)
    except InvalidVersion:
        return ""
    if Version(old.public) == Version(new.public):
        return "" if old.local == new.local else "build"
    length = max(len(old.release), len(new.release), 3)
    padded = [(one.epoch, *one.release, *[0] * (length - len(one.release))) for one in (old, new)]
    differs = next((i for i in range(length + 1) if padded[0][i] != padded[1][i]), length)
    size = SIZES[max(0, min(differs, 3) - 1)]
    return f"{size} downgrade" if new < old else size


def same_version(one: str, other: str) -> bool:
    """Whether two versions are one, as 1.0 and 1.0.0 are.

    >>> same_version("1.0", "1.0.0"), same_version("1.0", "1.0.post1")
    (True, False)
    """
    try:
        return one == other or Version(one) == Version(other)
    except InvalidVersion:
        return False


def shortened(text: str, *, most: int = 60) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."
