"""The order of imports, the time to start, and the lock file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEAVY = {
    "duckdb",
    "ibis",
    "jinja2",
    "lightgbm",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "scipy",
    "sqlalchemy",
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The import linter's verdict on the package under folder/src."""
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    return subprocess.run(
        [program, "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_run_one_way(root: Path) -> None:
    """Every contract of pyproject.toml holds: the order, no cycles, and who may reach for data."""
    verdict = lint_imports(root)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


@pytest.mark.parametrize(
    ("module", "statement", "complaint"),
    [
        ("clarify", "import mortis.errors", "mortis.clarify is not allowed to import mortis.errors"),
        ("errors", "import duckdb", "mortis.errors is not allowed to import duckdb"),
        ("records", "import scipy", "mortis.records is not allowed to import scipy"),
        ("records", "import mortis.profiles", "mortis.records is not allowed to import mortis.profiles"),
        ("lab", "import mortis.investigation", "mortis.lab is not allowed to import mortis.investigation"),
        ("unplaced", "", "mortis.unplaced"),
    ],
)
def test_a_forbidden_import_is_noticed(root: Path, tmp_path: Path, module: str, statement: str, complaint: str) -> None:
    """The contracts bite: one wrong import, or a module without a place in the order, breaks them."""
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "mortis" / module
    target = package / "wrong.py" if package.is_dir() else package.with_suffix(".py")
    target.write_text(f'"""Breaks a contract."""\n{statement}\n', encoding="utf-8")

    verdict = lint_imports(tmp_path)

    assert verdict.returncode == 1
    assert complaint in verdict.stdout


def test_help_imports_nothing_heavy(root: Path) -> None:
    """`mortis --help` answers without loading the packages that an investigation needs."""
    program = (
        "import json, sys\n"
        "from mortis.cli import main\n"
        "sys.argv = ['mortis', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    *text, modules = run.stdout.splitlines()
    assert any("Usage" in line for line in text)
    assert HEAVY.isdisjoint(json.loads(modules))


def locked(root: Path) -> dict[str, str]:
    """The lock file's entries: name to everything that stands behind it."""
    text = (root / "requirements" / "lock.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    return {canonicalize_name(entry.partition("==")[0]): entry for entry in entries}


def test_the_lock_file_holds_every_direct_dependency(root: Path) -> None:
    """What pyproject.toml asks for stands in the lock file, in a version that it allows."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    asked = [
        Requirement(line)
        for lines in [project["project"]["dependencies"], *extras, *groups]
        for line in lines
        if isinstance(line, str)
    ]
    entries = locked(root)
    assert asked
    for requirement in asked:
        version = re.match(r"\S+?==([^\s;]+)", entries[canonicalize_name(requirement.name)])
        assert version, requirement
        assert requirement.specifier.contains(version[1]), f"{requirement} but {version[1]}: run make lock"


def test_the_lock_files_name_no_place(root: Path) -> None:
    """Each release is known by its hashes alone, so that any mirror serves it."""
    assert all("--hash=sha256:" in entry for entry in locked(root).values())
    for path in (root / "requirements").glob("*.txt"):
        assert not re.search(r"://|file:|index-url|find-links", path.read_text(encoding="utf-8")), path.name
