"""The registry of formats in which dependencies are listed, and the list in a file of any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mortis.problems import InputProblem, listed, printable
from mortis.sources.changes.dependencies.documents import Document, open_document
from mortis.sources.changes.dependencies.listings import (
    is_conda_environment,
    is_conda_export,
    is_conda_list,
    is_cyclonedx,
    is_pip_list,
    is_pipfile_lock,
    read_conda_environment,
    read_conda_export,
    read_conda_list,
    read_cyclonedx,
    read_pip_list,
    read_pipfile_lock,
)
from mortis.sources.changes.dependencies.packages import NotARequirement, Package, PackageList, shortened
from mortis.sources.changes.dependencies.projects import (
    is_poetry_lock,
    is_pylock,
    is_pyproject,
    is_uv_lock,
    read_poetry_lock,
    read_pylock,
    read_pyproject,
    read_uv_lock,
)
from mortis.sources.changes.dependencies.requirements import looks_like_requirements, read_requirements
from mortis.sources.changes.dependencies.snapshots import is_snapshot, read_snapshot_packages


@dataclass(frozen=True, slots=True)
class Format:
    """A format of dependency files: its name, whether a document is of it, and what reads the packages."""

    name: str
    fits: Callable[[Document], bool]
    read: Callable[[Document], PackageList]


FORMATS: dict[str, Format] = {}


def register_dependency_format(one: Format) -> None:
    """Make a format known by its name; built-in ones go through the same door. The first one that fits reads a file."""
    FORMATS[one.name] = one


for _format in (
    Format("uv.lock", is_uv_lock, read_uv_lock),
    Format("poetry.lock", is_poetry_lock, read_poetry_lock),
    Format("pylock.toml", is_pylock, read_pylock),
    Format("pyproject.toml", is_pyproject, read_pyproject),
    Format("Pipfile.lock", is_pipfile_lock, read_pipfile_lock),
    Format("CycloneDX JSON", is_cyclonedx, read_cyclonedx),
    Format("mortis snapshot", is_snapshot, read_snapshot_packages),
    Format("conda list", is_conda_list, read_conda_list),
    Format("conda list --export", is_conda_export, read_conda_export),
    Format("conda environment.yml", is_conda_environment, read_conda_environment),
    Format("pip list", is_pip_list, read_pip_list),
    Format("requirements.txt or pip freeze", looks_like_requirements, read_requirements),
):
    register_dependency_format(_format)


def read_package_list(name: str, *, root: Path, key: str) -> PackageList:
    """What a file of dependencies lists, in the format that its content and its name show it to be of.

    Raises InputProblem where there is no such file, it is of no format known, or not what it seems.
    """
    document = open_document(name, root=root, key=key)
    format_ = next((one for one in FORMATS.values() if one.fits(document)), None)
    if format_ is None:
        raise InputProblem(f"{key}: {name} is of no format known for dependencies; there are: {listed(FORMATS)}")
    found = _read(format_, document)
    return replace(found, packages=tuple(map(_plain, found.packages)), format=format_.name)


def _plain(one: Package) -> Package:
    return replace(
        one,
        name=printable(one.name),
        version=printable(one.version),
        wanted=printable(one.wanted),
        build=printable(one.build),
        source=printable(one.source),
        where=printable(one.where),
    )


def _read(format_: Format, document: Document) -> PackageList:
    try:
        return format_.read(document)
    except NotARequirement as problem:
        raise InputProblem(f"{document.key}: {document.name}{document.line_of(problem.text)}: {problem}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else shortened(str(error), most=120)
        raise InputProblem(
            f"{document.key}: {document.name}: an entry is not as {format_.name} has them ({reason}); "
            "let the tool write it again"
        ) from None
