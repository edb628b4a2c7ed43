"""Files of dependencies: each format is read as its tool means it, and what differs is told, exactly and in order."""

from __future__ import annotations

import json
import random
import re
import socket
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from mortis.case import BeforeAfter
from mortis.problems import InputProblem
from mortis.records import Change, ChangedPart
from mortis.sources.changes import before_after
from mortis.sources.changes.dependencies import (
    FORMATS,
    Format,
    libraries_changed,
    read_dependencies,
    register_dependency_format,
)
from mortis.sources.changes.dependencies.differences import computes, differences
from mortis.sources.changes.dependencies.formats import read_package_list
from mortis.sources.changes.dependencies.packages import Package, PackageList, one_each, same_version, step
from mortis.sources.changes.dependencies.requirements import logical_lines

DATA = Path(__file__).resolve().parent / "data" / "dependencies"
KEY, NAME = "changes.0.dependencies", "dependencies.1"
AARCH64 = '(platform_machine == "aarch64" and sys_platform == "linux")'
LINUX = '(sys_platform == "linux")'
PYSOCKS = " and ".join(['python_version >= "2.7"', *(f'python_version != "3.{i}"' for i in range(4))])
INSTALLED = ["numpy 1.26.4 → 2.1.3", "orjson 3.9.15 → 3.10.18", "urllib3 2.0.7 → 2.2.3"]
CONDA = [
    "lightgbm 4.3.0 → 4.5.0",
    "libopenblas 0.3.26 removed",
    "mkl 2024.0.0 added",
    "libblas 3.9.0 21_linux64_openblas → 3.9.0 21_linux64_mkl",
    "numpy 1.26.4 py311h64a7726_0 → 1.26.4 py311h64a7726_1",
    "openssl 1.1.1w → 3.2.1",
    "tzdata 2024a h04d1e81_0 → 2024a h0c530f3_0",
]
EXPORTED = [
    *INSTALLED[:2],
    f"tomli 2.0.2 {AARCH64} → 2.2.1 {AARCH64}",
    INSTALLED[2],
    f"narwhals 1.20.1 {LINUX} added",
    f"pysocks 1.7.1 {LINUX} removed",
]
LISTED = [*INSTALLED, "narwhals 1.20.1 added", "pysocks 1.7.1 removed"]
# What the tools that wrote these files had done: the differences between the two folders, by format and file.
FILES = {
    "uv.lock": (
        "uv.lock",
        [
            "numpy 1.26.4 → 2.1.3",
            "arrivals 1.4.0 → 1.5.0",
            "orjson 3.9.15 → 3.10.18",
            "pathspec 0.11.2 → 0.10.3",
            f"tomli 2.0.2 {AARCH64} → 2.2.1 {AARCH64}",
            "urllib3 2.0.7 → 2.2.3",
            "narwhals 1.20.1 added",
            "pysocks 1.7.1 removed",
        ],
    ),
    "pylock.toml": ("pylock.toml", EXPORTED),
    "requirements.txt": ("requirements.txt or pip freeze", EXPORTED),
    "freeze.txt": ("requirements.txt or pip freeze", LISTED),
    "list.txt": ("pip list", LISTED),
    "list.json": ("pip list", LISTED),
    "sbom.json": ("CycloneDX JSON", LISTED),
    "uv-sbom.json": (
        "CycloneDX JSON",
        [
            *INSTALLED,
            "tomli 2.0.1 and 2.0.2 → 2.0.1 and 2.2.1",
            "narwhals 1.20.1 added",
            "pysocks 1.7.1 removed",
        ],
    ),
    "pyproject.toml": (
        "pyproject.toml",
        [
            "numpy 1.26.4 → 2.1.3",
            "orjson 3.9.15 → 3.10.18",
            "pathspec 0.11.2 → 0.10.3",
            'tomli 2.0.2 (platform_machine == "aarch64") → 2.2.1 (platform_machine == "aarch64")',
            "narwhals 1.20.1 added",
            "urllib3 <2.1,>=2.0 → <2.3,>=2.0",
        ],
    ),
    "poetry/pyproject.toml": (
        "pyproject.toml",
        [
            "numpy ^1.26 → ^2.1,<2.2",
            "iniconfig 2.1.0 → 2.0.0",
            "tomli 2.0.2 (python >=3.12) → 2.2.1 (python >=3.12)",
            "urllib3 2.0.* → ^2.0,<2.3",
        ],
    ),
    "poetry/poetry.lock": (
        "poetry.lock",
        [
            "numpy 1.26.4 → 2.1.3",
            "iniconfig 2.1.0 → 2.0.0",
            'tomli 2.0.2 (python_version == "3.12") → 2.2.1 (python_version == "3.12")',
            "urllib3 2.0.7 → 2.2.3",
            "pysocks 1.7.1 removed",
        ],
    ),
    "Pipfile.lock": (
        "Pipfile.lock",
        [
            "pathspec 0.11.2 → 0.10.3",
            "threadpoolctl 3.4.0 → 3.5.0",
            "urllib3 2.0.7 → 2.2.3",
            f"pysocks 1.7.1 ({PYSOCKS}) removed",
        ],
    ),
    "conda-list.txt": ("conda list", CONDA),
    "conda-list.json": ("conda list", CONDA),
    "conda-export.txt": ("conda list --export", CONDA),
    "conda-explicit.txt": ("conda list", CONDA[1:]),  # which lists no package that pip put there
    "environment.yml": ("conda environment.yml", CONDA),
}


def compared(before, after, *, root=DATA):
    return read_dependencies(BeforeAfter(before=before, after=after), root=root, key=KEY, name=NAME)


def parts_of(comparison):
    return [str(part) for change in comparison.changes for part in change.parts]


def listed(name, *, root=DATA):
    return read_package_list(name, root=root, key=f"{KEY}.before")


def write(folder, text, name="requirements.txt"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return name


def of(text, folder):
    """The packages of requirements in a text, by name."""
    return {one.name: one for one in listed(write(folder, text), root=folder).packages}


class TestFormats:
    @pytest.mark.parametrize("name", FILES)
    def test_what_the_tools_did_is_found(self, name):
        """Each genuine pair of files differs in what its tool was told to change, computing libraries first."""
        format_, expected = FILES[name]
        found = compared(f"before/{name}", f"after/{name}")
        assert parts_of(found) == expected
        assert f"before/{name} ({format_}, " in found.note
        assert f"{len(expected)} differences" in found.note

    def test_every_format_has_its_files(self):
        assert {format_ for format_, _ in FILES.values()} == FORMATS.keys() - {"mortis snapshot"}

    @pytest.mark.parametrize("name", FILES)
    def test_a_file_equals_itself_and_that_is_said(self, name):
        found = compared(f"before/{name}", f"before/{name}")
        assert found.changes == ()
        assert found.note.endswith(": no difference")

    @pytest.mark.parametrize("name", FILES)
    def test_what_a_file_holds_tells_its_format_whatever_it_is_called(self, name, tmp_path):
        text = (DATA / "after" / name).read_text(encoding="utf-8")
        assert listed(write(tmp_path, text, "new"), root=tmp_path) == listed(f"after/{name}")

    @pytest.mark.parametrize("name", FILES)
    def test_the_way_back_is_the_way_there_mirrored(self, name):
        """The same parts in the same order, with their sides swapped."""
        there, back = compared(f"before/{name}", f"after/{name}"), compared(f"after/{name}", f"before/{name}")
        (change,), (mirrored,) = there.changes, back.changes
        assert mirrored.parts == tuple(ChangedPart(part.name, part.after, part.before) for part in change.parts)

    @pytest.mark.parametrize("side", ["before", "after"])
    @pytest.mark.parametrize(
        "names",
        [
            ("uv.lock", "requirements.txt", "pylock.toml", "uv-sbom.json", "freeze.txt", "list.json", "list.txt"),
            ("list.json", "list.txt", "freeze.txt", "sbom.json"),
            ("conda-list.txt", "conda-list.json", "conda-export.txt", "environment.yml"),
            ("pyproject.toml", "uv.lock"),
            ("poetry/pyproject.toml", "poetry/poetry.lock"),
        ],
    )
    def test_one_environment_in_two_formats_is_no_change(self, names, side):
        """What a tool exported, installed or locked is the same thing, whichever file tells it."""
        for one in names:
            for other in names:
                found = compared(f"{side}/{one}", f"{side}/{other}")
                assert found.changes == (), (one, other)
                assert one == other or "of two kinds" in found.note or one[:4] == other[:4]

    @pytest.mark.parametrize("side", ["before", "after"])
    def test_a_lock_and_its_exports_hold_the_same_hashes(self, side):
        """uv's own exports are the oracle for reading uv.lock: versions, conditions and hashes."""
        lock, exported, pylock, sbom = (
            {(one.name, one.version): one for one in listed(f"{side}/{name}").packages}
            for name in ("uv.lock", "requirements.txt", "pylock.toml", "uv-sbom.json")
        )
        assert len(exported) == 7
        for key, one in exported.items():
            assert one.hashes == lock[key].hashes == pylock[key].hashes
            assert one.where == pylock[key].where
            assert lock[key].where in ("", one.where)
            assert key[0] == "tomli" or one.hashes == sbom[key].hashes

    def test_a_change_carries_time_source_and_summary(self):
        stated = BeforeAfter(before="before/freeze.txt", after="after/freeze.txt", at="2013-08-01T06:00:00Z")
        (change,) = read_dependencies(stated, root=DATA, key=KEY, name=NAME).changes
        assert (change.id, change.kind, change.time) == (NAME, "dependency", datetime(2013, 8, 1, 6, tzinfo=UTC))
        assert change.source == "before/freeze.txt → after/freeze.txt"
        assert change.summary == (
            "numpy 1.26.4 → 2.1.3 (major), orjson 3.9.15 → 3.10.18 (minor), urllib3 2.0.7 → 2.2.3 (minor) and 2 more"
        )

    def test_conditions_stand_in_the_parts_and_not_in_the_summary(self):
        (change,) = compared("before/requirements.txt", "after/requirements.txt").changes
        assert "tomli 2.0.2 → 2.2.1 (minor)" in change.summary

    def test_a_registered_format_is_read(self, tmp_path, monkeypatch):
        """One line in the registry makes a further format known, ahead of nothing that was there."""
        monkeypatch.setattr("mortis.sources.changes.dependencies.formats.FORMATS", FORMATS)
        before = dict(FORMATS)
        read = lambda document: PackageList((Package("numpy", document.text.split()[1]),), "asked")  # noqa: E731
        try:
            register_dependency_format(Format("pins", lambda document: document.text.startswith("pin "), read))
            write(tmp_path, "pin 1.0", "a")
            write(tmp_path, "pin 2.0", "b")
            assert parts_of(compared("a", "b", root=tmp_path)) == ["numpy 1.0 → 2.0"]
        finally:
            FORMATS.clear()
            FORMATS.update(before)

    def test_nothing_is_fetched(self, monkeypatch):
        """No file's reading opens a connection, though many name addresses."""

        def refuse(*_: object) -> None:
            raise AssertionError("a connection was opened")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        for name in FILES:
            listed(f"before/{name}")

    def test_utf_16_as_powershell_writes_it_is_read(self, tmp_path):
        (tmp_path / "freeze.txt").write_bytes("numpy==1.26.4\r\nscipy==1.15.0\r\n".encode("utf-16"))
        assert [one.name for one in listed("freeze.txt", root=tmp_path).packages] == ["numpy", "scipy"]

    def test_poetrys_first_lock_version_is_read(self, tmp_path):
        """Its hashes stood in the metadata, its groups in a category."""
        text = (
            '[[package]]\nname = "Six"\nversion = "1.16.0"\ncategory = "main"\n\n[package.source]\ntype = "git"\n'
            'url = "https://anna:key@example.org/six.git"\nreference = "main"\nresolved_reference = "4f1c"\n\n'
            '[metadata]\nlock-version = "1.1"\ncontent-hash = "0a"\npython-versions = "^3.8"\n\n'
            '[metadata.files]\nsix = [{file = "six-1.16.0.tar.gz", hash = "sha256:1e61"}]\n'
        )
        found = listed(write(tmp_path, text, "poetry.lock"), root=tmp_path)
        source = "git+https://example.org/six.git@4f1c"
        assert found.packages == (Package("six", "1.16.0", hashes=frozenset({"sha256:1e61"}), source=source),)
        assert found.options == {"requires-python": "^3.8"}

    def test_purls_tell_ecosystems_apart(self, tmp_path):
        """A Debian package isn't the one of PyPI by the same name; nested components count; conda's builds stay."""
        components = [
            {"name": "NumPy", "version": "1.26.4", "purl": "pkg:pypi/numpy@1.26.4"},
            {"name": "numpy", "version": "1:1.24.2-1", "purl": "pkg:deb/debian/numpy@1%3A1.24.2-1?arch=amd64"},
            {
                "name": "image",
                "version": "7",
                "components": [{"name": "mkl", "version": "2024.0", "purl": "pkg:conda/mkl@2024.0?build=h6_1"}],
            },
            {"group": "@scope", "name": "left", "version": "1.0", "purl": "pkg:npm/%40scope/left@1.0"},
        ]
        text = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})
        found = {one.name: one for one in listed(write(tmp_path, text, "bom.json"), root=tmp_path).packages}
        assert found.keys() == {"numpy", "deb/debian/numpy", "image", "mkl", "npm/@scope/left"}
        assert found["mkl"].build == "h6_1"

    def test_the_projects_own_lock_files_are_read_whole(self, root):
        """Every entry with all its hashes; a search for the beginnings of lines is the oracle."""
        for name in ("requirements/lock.txt", "requirements/bootstrap.txt"):
            text = (root / name).read_text(encoding="utf-8")
            found = listed(name, root=root)
            pins = re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", text, re.MULTILINE)
            assert {(one.name, one.version) for one in found.packages} == {(canonicalize_name(n), v) for n, v in pins}
            assert sum(len(one.hashes) for one in found.packages) == text.count("--hash=")
            assert found.covers == "possible"

    def test_dependencies_that_stand_elsewhere_are_remarked(self, tmp_path):
        write(tmp_path, '[project]\nname = "a"\ndynamic = ["dependencies"]\n', "pyproject.toml")
        note = compared("pyproject.toml", "pyproject.toml", root=tmp_path).note
        assert note.endswith("calls its dependencies dynamic: hand over the file that lists them")

    def test_pyprojects_sources_and_indexes_count(self, tmp_path):
        """A package that comes from a branch instead of the index, and an index put before, are changes."""
        head = '[project]\nname = "a"\ndependencies = ["torch==2.1.0"]\n'
        write(tmp_path, head, "a/pyproject.toml")
        tools = (
            '[tool.uv]\nindex = [{url = "https://u:p@download.example.org/cpu"}]\n'
            '[tool.uv.sources]\ntorch = {git = "https://example.org/torch", rev = "4f1c"}\n'
        )
        write(tmp_path, head + tools, "b/pyproject.toml")
        assert parts_of(compared("a/pyproject.toml", "b/pyproject.toml", root=tmp_path)) == [
            "torch 2.1.0 from the usual index → 2.1.0 from git+https://example.org/torch@4f1c",
            "index https://download.example.org/cpu added",
        ]


class TestRequirements:
    def test_all_that_a_line_may_state(self, tmp_path):
        """Names in any spelling, extras, ranges, markers, hashes, continued lines, comments, addresses, paths."""
        found = of(
            "# the model's own\n"
            "Scikit_Learn == 1.5.2  # not later\n"
            "uvicorn[Standard]>=0.30 , <1 ; python_version<'3.12' \\\n"
            "    --hash=sha256:0a \\\n"
            "    --hash=sha256:0b\n"
            "--pre\n"
            "torch==2.1.0+cpu --config-settings=a=b\n"
            "requests @ https://anna:key@example.org/requests-2.31.0-py3-none-any.whl#sha256=0c\n"
            "git+https://example.org/team/shared.git@4f1c#egg=Shared.Code\n"
            "-e ./libs/own_code[dev]\n"
            "./wheels/idna-3.7.tar.gz\n"
            "C:\\wheels\\pywin32-306-cp311-cp311-win_amd64.whl\n"
            "legacy===2004d\n"
            "anything\n",
            tmp_path,
        )
        assert found["scikit-learn"] == Package("scikit-learn", "1.5.2")
        assert found["uvicorn"] == Package(
            "uvicorn",
            wanted="<1,>=0.30",
            extras=("standard",),
            hashes=frozenset({"sha256:0a", "sha256:0b"}),
            where='python_version < "3.12"',
        )
        assert (found["torch"].version, found["torch"].build) == ("2.1.0+cpu", "a=b")
        assert (found["requests"].version, found["requests"].hashes) == ("2.31.0", frozenset({"sha256:0c"}))
        assert found["requests"].source == "https://example.org/requests-2.31.0-py3-none-any.whl"
        assert found["shared-code"].source == "git+https://example.org/team/shared.git@4f1c"
        assert (found["own-code"].source, found["own-code"].extras) == ("./libs/own_code", ("dev",))
        assert (found["idna"].version, found["idna"].source) == ("3.7", "./wheels/idna-3.7.tar.gz")
        assert found["legacy"].version == "2004d"
        assert found["anything"] == Package("anything")
        assert found["pywin32"].version == "306"
        assert len(found) == 10

    def test_options_of_where_packages_come_from_are_changes(self, tmp_path):
        write(tmp_path, "torch==2.1.0\n--extra-index-url https://u:p@download.example.org/cpu?token=1\n", "a.txt")
        write(tmp_path, "torch==2.1.0\n--extra-index-url=https://download.example.org/cu121\n--pre\n", "b.txt")
        assert parts_of(compared("a.txt", "b.txt", root=tmp_path)) == [
            "--extra-index-url https://download.example.org/cpu → https://download.example.org/cu121",
            "--pre on added",
        ]

    def test_included_files_count_as_if_they_stood_there(self, tmp_path):
        """Also in subfolders, several times, and one inclusion within another; each name starts from its own file."""
        write(tmp_path, "-r more/base.txt\n-rmore/extra.txt\n--requirement=more/base.txt\nscipy==1.15.0\n")
        write(tmp_path, "-r core.txt\npandas==2.2.0\n", "more/base.txt")
        write(tmp_path, "-r ./core.txt\n", "more/extra.txt")
        write(tmp_path, "numpy==2.1.0\n", "more/core.txt")
        found = listed("requirements.txt", root=tmp_path).packages
        assert [(one.name, one.version) for one in found] == [
            ("numpy", "2.1.0"),
            ("pandas", "2.2.0"),
            ("scipy", "1.15.0"),
        ]

    def test_a_file_above_but_within_the_cases_folder_may_be_included(self, tmp_path):
        write(tmp_path, "-r ../base.txt\n", "serving/requirements.txt")
        write(tmp_path, "numpy==2.1.0\n", "base.txt")
        assert listed("serving/requirements.txt", root=tmp_path).names == {"numpy"}

    def test_files_that_include_each_other_over_and_over_are_read_once(self, tmp_path):
        """Thirty files, each including the next twice: two to the thirtieth ways lead to the last."""
        for i in range(30):
            write(tmp_path, f"-r {i + 1}.txt\n-r {i + 1}.txt\n", f"{i}.txt" if i else "requirements.txt")
        write(tmp_path, "numpy==2.1.0\n", "30.txt")
        assert listed("requirements.txt", root=tmp_path).names == {"numpy"}

    def test_a_constraint_binds_what_is_required_and_stands_by_itself_otherwise(self, tmp_path):
        write(tmp_path, "numpy>=1.20\nscipy\n-c constraints.txt\n")
        write(tmp_path, "numpy==1.26.4\nurllib3<2\nscipy<1.16\n", "constraints.txt")
        found = {one.name: one for one in listed("requirements.txt", root=tmp_path).packages}
        assert found["numpy"] == Package("numpy", "1.26.4")
        assert found["scipy"] == Package("scipy", wanted="<1.16")
        assert found["urllib3"] == Package("urllib3", wanted="<2", where="constraint")

    @given(
        st.lists(
            st.sampled_from(
                [
                    "numpy==1.0",
                    "  ",
                    "\\",
                    " \\",
                    "#",
                    " # a",
                    "a#b",
                    "\n",
                    "\\\n",
                    "\n",
                    "-r x",
                    "--hash=sha256:0",
                    "\t",
                ]
            ),
            max_size=12,
        ).map("".join)
    )
    def test_lines_are_joined_and_stripped_as_pip_does(self, text):
        """pip's own reading of lines is the oracle."""
        preprocess = pips_preprocess()
        assert [line.split() for _, line in logical_lines(text)] == [line.split() for _, line in preprocess(text)]

    @given(st.data())
    def test_what_is_written_is_read(self, data):
        """Requirements, however their names are spelled and in whatever order, give the same packages."""
        packages = data.draw(PACKAGES)
        lines = [as_requirement(one, data.draw(SPELLING)) for one in packages]
        expected = tuple(sorted(packages, key=lambda one: one.name))
        text = "\n".join(data.draw(st.permutations(lines)))
        document = text + ("\n" if data.draw(st.booleans()) else "")
        assert read_text_as_requirements(document) == expected


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,4})?", fullmatch=True).filter(lambda name: name != "pip")
VERSIONS = st.builds(
    lambda release, more: ".".join(map(str, release)) + more,
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.sampled_from(["", "", "", "rc1", ".post1", ".dev2", "+cpu"]),
)
HASHES = st.frozensets(st.sampled_from([f"sha256:{i:x}" for i in range(4)]), max_size=3)
PACKAGE = st.builds(
    Package,
    NAMES,
    VERSIONS,
    extras=st.sampled_from([(), ("dev",), ("dev", "fast")]),
    hashes=HASHES,
    where=st.sampled_from(["", 'python_version < "3.12"']),
)
PACKAGES = st.lists(PACKAGE, max_size=8, unique_by=lambda one: one.name)
SPELLING = st.randoms(use_true_random=False)
LISTS = st.builds(
    lambda packages, format_, covers, options: PackageList(one_each(packages), covers, options, format_),
    st.lists(
        st.builds(
            Package,
            st.sampled_from(["numpy", "scipy", "requests", "tomli"]),
            st.one_of(st.just(""), VERSIONS, st.sampled_from(["1.0", "2.0", "1.1.1w"])),
            wanted=st.sampled_from(["", ">=1.0", "<2,>=1", "^1.2"]),
            extras=st.sampled_from([(), ("dev",)]),
            build=st.sampled_from(["", "py311_0", "py311_1"]),
            hashes=HASHES,
            source=st.sampled_from(["", "https://mirror.example.org/simple"]),
            where=st.sampled_from(["", 'python_version < "3.12"', "group dev"]),
        ),
        max_size=6,
    ),
    st.sampled_from(["uv.lock", "conda list"]),
    st.sampled_from(["asked", "installed", "possible"]),
    st.dictionaries(st.sampled_from(["--pre", "index"]), st.sampled_from(["on", "https://example.org"]), max_size=2),
)


def pips_preprocess():
    try:
        return import_module("pip._internal.req.req_file").preprocess
    except ImportError:
        pytest.skip("pip is not installed")


def as_requirement(one: Package, spelled: random.Random) -> str:
    name = "".join(spelled.choice([c.lower(), c.upper()]) if c != "-" else spelled.choice("-_.") for c in one.name)
    extras = f"[{','.join(one.extras)}]" if one.extras else ""
    marker = f" ; {one.where}" if one.where else ""
    hashes = "".join(f" \\\n  --hash={digest}" for digest in sorted(one.hashes))
    return f"{name}{extras}{spelled.choice(['==', ' == '])}{one.version}{marker}{hashes}"


def read_text_as_requirements(text: str) -> tuple[Package, ...]:
    from mortis.sources.changes.dependencies.documents import Document
    from mortis.sources.changes.dependencies.requirements import read_requirements

    return read_requirements(Document("requirements.txt", DATA, KEY, text, "text")).packages


class TestDifferences:
    @given(LISTS)
    def test_a_list_does_not_differ_from_itself(self, one):
        assert differences(one, one).found == ()

    @given(LISTS, LISTS)
    def test_the_way_back_is_mirrored(self, before, after):
        """Sides are swapped, aspects and sizes stay, a rise becomes a fall, and as much is left untold."""
        there, back = differences(before, after), differences(after, before)
        assert [(one.part.name, one.part.before, one.part.after, one.aspect) for one in there.found] == [
            (one.part.name, one.part.after, one.part.before, one.aspect) for one in back.found
        ]
        assert [one.size.split(" ")[0] for one in there.found] == [one.size.split(" ")[0] for one in back.found]
        assert len(there.remarks) == len(back.remarks)

    @given(LISTS, LISTS)
    def test_no_change_of_version_is_missed_between_files_of_a_kind(self, before, after):
        """A name with other versions than before, or there no more, is told; brute force over names is the oracle."""
        after = replace(after, format=before.format, covers=before.covers)
        told = {one.part.name for one in differences(before, after).found}
        for name in before.names | after.names:
            stated = [
                {(one.where, Version(one.version) if one.version != "1.1.1w" else "w") for one in ones if one.version}
                for ones in ([p for p in each.packages if p.name == name] for each in (before, after))
                if all(" and " not in one.version for one in ones)
            ]
            if len(stated) == 2 and stated[0] != stated[1]:
                assert name in told

    def test_a_condition_that_is_new_is_told_though_the_package_also_moved(self):
        old = Package("numpy", "2.1.0", hashes=frozenset(["sha256:0"]), source="https://mirror.example.org/simple")
        new = replace(old, source="", where='python_version < "3.12"')
        lists = (PackageList((one,), "possible", {}, "uv.lock") for one in (old, new))
        assert [one.aspect for one in differences(*lists).found] == ["where"]

    @given(VERSIONS, VERSIONS)
    def test_a_step_goes_down_where_pep_440_says_so(self, before, after):
        size = step(before, after)
        old, new = Version(before), Version(after)
        assert (size == "") == (old == new) == same_version(before, after)
        if size not in ("", "build"):
            assert size.endswith("downgrade") == (new < old)
            first, other = ((*v.release, 0, 0, 0) for v in (old, new))
            place = next((i for i in range(3) if first[i] != other[i]), 2)
            assert size.split(" ")[0] == ("major", "minor", "patch")[place]

    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            (Package("a", "1.0"), Package("a", "1.0.0"), None),
            (Package("a", "1.0+cpu"), Package("a", "1.0+cu121"), "a 1.0+cpu → 1.0+cu121 (build)"),
            (Package("a", "1.0rc1"), Package("a", "1.0"), "a 1.0rc1 → 1.0 (patch)"),
            (Package("a", "1!1.0"), Package("a", "2.0"), "a 1!1.0 → 2.0 (major downgrade)"),
            (Package("a", "1.1.1w"), Package("a", "3.0.2"), "a 1.1.1w → 3.0.2"),
            (Package("a", wanted=">=1"), Package("a", wanted=">=2"), "a >=1 → >=2"),
            (Package("a"), Package("a", "2.0"), "a any version → 2.0"),
            (Package("a", "1", extras=("x",)), Package("a", "1"), "a 1 [x] → 1 without extras"),
            (Package("a", "1", where="group dev"), Package("a", "1"), "a 1 (group dev) → 1 (always)"),
            (Package("a", source="git+u@1"), Package("a", source="git+u@2"), "a from git+u@1 → from git+u@2"),
            (Package("a", "1", source="s"), Package("a", "2", source="t"), "a 1 from s → 2 from t (major)"),
            (
                Package("a", "1", hashes=frozenset({"sha256:0123456789abcdef"})),
                Package("a", "1", hashes=frozenset({"sha256:1123456789abcdef"})),
                "a 1 sha256:0123456789ab → 1 sha256:1123456789ab",
            ),
            (
                Package("a", "1", hashes=frozenset({"sha256:0", "sha256:1"})),
                Package("a", "1", hashes=frozenset({"sha256:1", "sha256:2", "sha256:3"})),
                "a 1 (2 hashes, 1 in both) → 1 (3 hashes, 1 in both)",
            ),
            (
                Package("a", "1", hashes=frozenset({"md5:0"})),
                Package("a", "1", hashes=frozenset({"sha256:1"})),
                None,
            ),
        ],
    )
    def test_what_is_told_of_two_entries(self, before, after, told):
        """The first respect in which they differ; hashes of two kinds can't be compared."""
        found = differences(*(PackageList((one,), "possible", format="uv.lock") for one in (before, after))).found
        assert [str(one) for one in found] == ([told] if told else [])

    def test_a_mirror_of_the_same_files_is_a_remark(self):
        one = Package("a", "1", hashes=frozenset({"sha256:0"}))
        lists = [PackageList((replace(one, source=source),), "possible", format="uv.lock") for source in ("", "m")]
        assert differences(*lists).found == ()
        assert differences(*lists).remarks == ("1 package with the same hashes from another place",)

    def test_a_lock_in_place_of_ranges_is_remarked(self, tmp_path):
        """What came along unnamed looks added, and that is said."""
        write(tmp_path, "numpy>=1.20\n", "a.txt")
        write(tmp_path, "numpy==1.26.4\ntzdata==2024.1\n", "b.txt")
        found = compared("a.txt", "b.txt", root=tmp_path)
        assert parts_of(found) == ["numpy >=1.20 → 1.26.4", "tzdata 2024.1 added"]
        assert "so what the other doesn't name may have been there all along" in found.note

    def test_computing_libraries_come_first_then_larger_steps(self):
        before = PackageList(tuple(Package(n, "1.0.0") for n in ("a", "lightgbm", "numpy", "zlib")), "installed")
        after = PackageList(
            (Package("a", "9.0.0"), Package("lightgbm", "1.1.0"), Package("numpy", "2.0.0"), Package("zlib", "1.0.1")),
            "installed",
        )
        assert [one.part.name for one in differences(before, after).found] == ["numpy", "lightgbm", "a", "zlib"]

    def test_the_libraries_of_a_change_are_those_that_compute(self):
        parts = tuple(ChangedPart(name, "1", "2") for name in ("nvidia-cublas-cu12", "requests", "torch"))
        change = Change("c", "dependency", None, "", parts=parts)
        assert [part.name for part in libraries_changed(change)] == ["nvidia-cublas-cu12", "torch"]

    @given(NAMES, SPELLING)
    def test_a_name_computes_however_it_is_spelled(self, name, spelled):
        written = as_requirement(Package(name, "1"), spelled).partition("=")[0].strip()
        assert canonicalize_name(written) == name
        assert computes(written) == computes(name)


class TestSecrets:
    def test_no_credentials_are_shown(self, tmp_path):
        """Neither in what differs nor in what can't be read."""
        write(tmp_path, "a @ https://anna:s3cret@example.org/a\n-i https://anna:s3cret@example.org/simple\n", "a.txt")
        write(
            tmp_path, "a @ git+ssh://anna:s3cret@example.org/a@1\n--find-links https://s3cret@example.org/w\n", "b.txt"
        )
        assert "s3cret" not in repr(compared("a.txt", "b.txt", root=tmp_path))
        for line in ("a @ https://anna:s3cret@example.org/a b", "a==1 --foo=https://anna:s3cret@example.org"):
            write(tmp_path, f"numpy==1.0\n{line}\n", "c.txt")
            with pytest.raises(InputProblem) as problem:
                listed("c.txt", root=tmp_path)
            assert "s3cret" not in str(problem.value)


FORMATS_KNOWN = (
    "uv.lock, poetry.lock, pylock.toml, pyproject.toml, Pipfile.lock, CycloneDX JSON, mortis snapshot, conda list, "
    "conda list --export, conda environment.yml, pip list, requirements.txt or pip freeze"
)


def cyclic(folder):
    write(folder, "numpy==1.0\n-r more/a.txt\n")
    write(folder, "-r b.txt\n", "more/a.txt")
    write(folder, "\n-r ../more/a.txt\n", "more/b.txt")


def outside(folder):
    write(folder.parent, "numpy==1.0\n", "outside.txt")
    write(folder, "-r ../outside.txt\n")


def linked_outside(folder):
    write(folder.parent, "numpy==1.0\n", "outside.txt")
    (folder / "base.txt").symlink_to(folder.parent / "outside.txt")
    write(folder, "-r base.txt\n")


def huge(folder):
    with (folder / "requirements.txt").open("wb") as file:
        file.truncate(before_after.MOST_BYTES + 1)


# What is broken, the file that is read, what breaks it, and the whole message ({at} is the key, {here} the folder).
BROKEN = [
    (
        "missing",
        "old.lok",
        lambda folder: write(folder, "numpy==1.0", "old.lock"),
        "{at}: no such file: old.lok (looked in {here}); did you mean 'old.lock'? there are: old.lock",
    ),
    (
        "in no folder",
        "no/old.lock",
        lambda _: None,
        "{at}: no such file: no/old.lock (looked in {here}); there is no folder no either",
    ),
    ("a folder", "old", lambda folder: (folder / "old").mkdir(), "{at}: old is a folder; name a file"),
    (
        "empty",
        "a.txt",
        lambda folder: write(folder, " \n", "a.txt"),
        "{at}: a.txt is empty; hand over a file with content",
    ),
    (
        "binary",
        "a.whl",
        lambda folder: (folder / "a.whl").write_bytes(b"PK\x03\x04\x00\xff"),
        "{at}: a.whl holds binary data; hand over text in UTF-8",
    ),
    (
        "huge",
        "requirements.txt",
        huge,
        "{at}: requirements.txt is larger than 16 MiB; hand over a smaller file",
    ),
    (
        "of no known format",
        "notes.txt",
        lambda folder: write(folder, "We upgraded numpy on Monday.\n", "notes.txt"),
        f"{{at}}: notes.txt is of no format known for dependencies; there are: {FORMATS_KNOWN}",
    ),
    (
        "JSON of no known format",
        "package.json",
        lambda folder: write(folder, '{"dependencies": {}}', "package.json"),
        f"{{at}}: package.json is of no format known for dependencies; there are: {FORMATS_KNOWN}",
    ),
    (
        "TOML cut short",
        "uv.lock",
        lambda folder: write(folder, 'version = 1\n[[package]]\nname = "num', "uv.lock"),
        "{at}: uv.lock: not TOML: ",
    ),
    (
        "TOML with a wrong line",
        "pyproject.toml",
        lambda folder: write(folder, "[project]\nname = arrivals\n", "pyproject.toml"),
        "{at}: pyproject.toml: not TOML: Invalid value at line 2, column 8; hand over the whole file",
    ),
    (
        "JSON cut short",
        "Pipfile.lock",
        lambda folder: write(folder, '{"_meta": {},\n "default": {', "Pipfile.lock"),
        "{at}: Pipfile.lock line 2: not JSON: ",
    ),
    (
        "YAML",
        "environment.yml",
        lambda folder: write(folder, "dependencies:\n  - numpy=1.26\n - scipy\n", "environment.yml"),
        "{at}: environment.yml line 3: not YAML: ",
    ),
    (
        "YAML with a key twice",
        "environment.yml",
        lambda folder: write(folder, "dependencies: [a]\ndependencies: [b]\n", "environment.yml"),
        "{at}: environment.yml line 2: key 'dependencies' stands twice (first in line 1); keep one",
    ),
    (
        "JSON nested too deeply",
        "a.json",
        lambda folder: write(folder, "[" * 100_000, "a.json"),
        "{at}: a.json: no tool writes such data; hand over a file that one wrote",
    ),
    (
        "a number of thousands of digits",
        "a.json",
        lambda folder: write(folder, "[" + "9" * 5000 + "]", "a.json"),
        "{at}: a.json: no tool writes such data; hand over a file that one wrote",
    ),
    (
        "an entry without its version",
        "list.json",
        lambda folder: write(folder, '{"bomFormat": "CycloneDX", "components": [{"version": "1"}]}', "list.json"),
        ("{at}: list.json: an entry is not as CycloneDX JSON has them (it lacks 'name'); let the tool write it again"),
    ),
    (
        "entries of another kind",
        "uv.lock",
        lambda folder: write(folder, 'version = 1\nrequires-python = ">=3.11"\npackage = "numpy"\n', "uv.lock"),
        "{at}: uv.lock: an entry is not as uv.lock has them ('str' object has no attribute ",
    ),
    (
        "a circle of inclusions",
        "requirements.txt",
        cyclic,
        (
            "{at}: more/b.txt line 2: the files include each other in a circle: more/a.txt → more/b.txt → more/a.txt; "
            "take one line out"
        ),
    ),
    (
        "an inclusion outside the folder",
        "requirements.txt",
        outside,
        "{at}: requirements.txt line 1: includes ../outside.txt, which lies outside {here}; copy it into that folder",
    ),
    (
        "a link outside the folder",
        "requirements.txt",
        linked_outside,
        "{at}: requirements.txt line 1: includes base.txt, which lies outside {here}; copy it into that folder",
    ),
    (
        "an inclusion from the network",
        "requirements.txt",
        lambda folder: write(folder, "-r https://u:p@example.org/base.txt\n"),
        (
            "{at}: requirements.txt line 1: includes https://example.org/base.txt, and nothing is fetched; "
            "save it beside and name that file"
        ),
    ),
    (
        "an inclusion that is missing",
        "requirements.txt",
        lambda folder: write(folder, "numpy==1.0\n\n-c constraint.txt\n"),
        "{at}: requirements.txt line 3: no such file: constraint.txt (looked in {here}); there are: requirements.txt",
    ),
    (
        "a package with two versions",
        "requirements.txt",
        lambda folder: write(folder, "NumPy==1.26.4\nscipy==1.15.0\nnumpy==2.1.0\n"),
        (
            "{at}: requirements.txt line 3: numpy is pinned to 2.1.0, and to 1.26.4 in requirements.txt line 1; "
            "keep one, or give each its marker"
        ),
    ),
    (
        "a line that states nothing",
        "requirements.txt",
        lambda folder: write(folder, "numpy==1.26.4\nscipy=1.15.0\n"),
        "{at}: requirements.txt line 2: not a requirement: 'scipy=1.15.0': ",
    ),
    (
        "a line for pip in conda's file",
        "environment.yml",
        lambda folder: write(
            folder, "dependencies:\n  - python=3.11\n  - pip:\n      - numpy\n      - sci py\n", "environment.yml"
        ),
        "{at}: environment.yml line 5: not a requirement: 'sci py': ",
    ),
    (
        "a marker nested too deeply",
        "requirements.txt",
        lambda folder: write(folder, f"numpy ; {'(' * 100_000}\n"),
        "{at}: requirements.txt line 1: not a requirement: 'numpy ; ((((",
    ),
    (
        "a text where an array is due",
        "pyproject.toml",
        lambda folder: write(folder, '[project]\ndependencies = "numpy"\n', "pyproject.toml"),
        "{at}: pyproject.toml: an entry is not as pyproject.toml has them ('numpy' is no array); ",
    ),
    (
        "an option that pip doesn't have",
        "requirements.txt",
        lambda folder: write(folder, "numpy==1.26.4 \\\n  --hsah=sha256:0a\n"),
        "{at}: requirements.txt line 1: unrecognized arguments: --hsah=sha256:0a; see `pip install --help`",
    ),
    (
        "a requirement in a project's file",
        "pyproject.toml",
        lambda folder: write(folder, '[project]\ndependencies = [\n  "numpy",\n  "sci py",\n]\n', "pyproject.toml"),
        "{at}: pyproject.toml line 4: not a requirement: 'sci py': ",
    ),
    (
        "a line in conda's list",
        "conda.txt",
        lambda folder: write(folder, "# Name  Version  Build  Channel\nnumpy 1.26.4\n", "conda.txt"),
        "{at}: conda.txt: an entry is not as conda list has them (not enough values to unpack ",
    ),
    (
        "a snapshot of another version",
        "s.json",
        lambda folder: write(folder, '{"kind": "mortis-snapshot", "schema_version": 9}', "s.json"),
        (
            "{at}: s.json is a snapshot of schema version 9, and this version of Mortis reads 1; "
            "take both with the same version of Mortis"
        ),
    ),
]


@pytest.mark.parametrize(("name", "file", "breaks", "message"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_what_is_broken_is_told_in_one_line(name, file, breaks, message, tmp_path):
    """The key, the file, the line, what is wrong and what would be right."""
    folder = tmp_path / "case"
    folder.mkdir()
    breaks(folder)
    with pytest.raises(InputProblem) as problem:
        listed(file, root=folder)
    told = str(problem.value)
    expected = message.format(at=f"{KEY}.before", here=folder.resolve())
    assert told.startswith(expected) if message.endswith((" ", "((((")) else told == expected
    assert len(told.splitlines()) == 1
    assert len(told) < 450
    assert not re.search(r"\s$", told), name


def refusal(name: str, root: Path) -> str:
    """Why a file is not read; nothing where it is."""
    try:
        listed(name, root=root)
    except InputProblem as problem:
        return str(problem)
    return ""


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text):
    """No text brings anything else than packages or one line."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "requirements.txt").write_text(text, encoding="utf-8", newline="")
        assert len(refusal("requirements.txt", Path(folder)).splitlines()) <= 1


@pytest.mark.parametrize("name", FILES)
def test_any_damage_to_a_file_is_read_or_refused_in_one_line(name, tmp_path, rng):
    """Cut short anywhere, or with a piece overwritten, a file gives packages or one line."""
    text = (DATA / "before" / name).read_text(encoding="utf-8")
    for _ in range(25):
        at, to = sorted(rng.integers(0, len(text), 2))
        broken = text[:at] if rng.random() < 0.5 else f"{text[:at]}{rng.choice(['', '[]', '1', '{'])}{text[to:]}"
        write(tmp_path, broken, Path(name).name)
        assert len(refusal(Path(name).name, tmp_path).splitlines()) <= 1
