"""Snapshots: what is there is recorded without a secret, the same each time; what differs between two is told."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from mortis.case import BeforeAfter
from mortis.problems import InputProblem
from mortis.records import ChangedPart
from mortis.sources import snapshot
from mortis.sources.changes.dependencies import read_dependencies
from mortis.sources.changes.environment import hardware_differences, read_environment, software_differences
from mortis.sources.snapshot import (
    SETTINGS,
    Cpu,
    Gpu,
    InstalledPackage,
    Memory,
    Python,
    Snapshot,
    System,
    installed_packages,
    take_snapshot,
)
from small_case import CommandLine  # type: ignore[import-not-found]  # pytest finds it beside this file

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, NAME = "changes.0.environment", "environment.1"
T4, A10 = Gpu("Tesla T4", 15360, "535.104.05"), Gpu("NVIDIA A10", 23028, "550.54.14")
SERVER = Snapshot(
    python=Python("3.11.4", "CPython", "main Jun  7 2023 00:00:00", "GCC 12.2.0"),
    packages=(
        InstalledPackage("lightgbm", "4.5.0", "sha256:" + "a" * 64, ""),
        InstalledPackage("numpy", "1.26.4", "sha256:" + "b" * 64, ""),
        InstalledPackage("requests", "2.31.0", "sha256:" + "c" * 64, ""),
    ),
    system=System("Debian GNU/Linux 12 (bookworm)", "6.1.0-18-amd64", "x86_64", "glibc 2.36"),
    cpu=Cpu("Intel(R) Xeon(R) Platinum 8259CL", 8, 8, 0.0, ("avx", "avx2", "avx512bw", "avx512f", "fma")),
    memory=Memory(32 << 30, 0),
    gpus=(T4, T4),
    settings={"LANG": "C.UTF-8", "OMP_NUM_THREADS": "4"},
    encoding="utf-8",
    timezone="Etc/UTC",
    variables=("LANG", "MODEL_TOKEN", "OMP_NUM_THREADS", "PATH"),
    container=("docker",),
)


@pytest.fixture
def mortis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, run in this process."""
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def plain(monkeypatch):
    """No program that tells of graphics cards on the path."""
    monkeypatch.setenv("PATH", "")


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


class TestTaking:
    def test_the_same_environment_gives_the_same_bytes(self):
        """Nothing of the moment is in it, so two snapshots can be told apart by what they say alone."""
        first, second = take_snapshot(), take_snapshot()
        assert first.to_json() == second.to_json()
        assert Snapshot.from_json(first.to_json()) == first
        assert json.loads(first.to_json())["schema_version"] == 1

    def test_the_packages_are_those_that_python_would_import(self):
        """Names and versions by the standard library's own reading are the oracle; each stands once, in order."""
        found = {one.name: one.version for one in take_snapshot().packages}
        assert len(found) > 20
        assert list(found) == sorted(found)
        assert found.keys() == {canonicalize_name(one.metadata["Name"]) for one in metadata.distributions()}
        for name, version in found.items():
            assert metadata.version(name) == version

    def test_values_of_variables_stay_where_they_are(self, monkeypatch):
        """Names are recorded, values only of the settings listed; of these none that doesn't look like one."""
        monkeypatch.setenv("MODEL_TOKEN", "s3cret-value")
        monkeypatch.setenv("OMP_NUM_THREADS", "4")
        monkeypatch.setenv("TZ", "s3cret\nvalue")
        monkeypatch.setenv("LC_ALL", "s3cret" * 40)
        taken = take_snapshot()
        assert "s3cret" not in taken.to_json()
        assert {"MODEL_TOKEN", "OMP_NUM_THREADS", "TZ"} <= set(taken.variables)
        assert taken.settings["OMP_NUM_THREADS"] == "4"
        assert taken.settings["TZ"] == taken.settings["LC_ALL"] == taken.timezone == "(not shown)"

    def test_the_standard_library_is_enough(self, tmp_path):
        """So that it is fast, and fails in no environment that lacks a package or has a broken one."""
        program = (
            "import sys; from mortis.sources.snapshot import take_snapshot; take_snapshot().to_json(); "
            "print({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
        )
        run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
        modules = {name for name in re.findall(r"'(\w+)'", run.stdout) if not name.startswith(("_", "sitecustomize"))}
        assert modules == {"mortis"}

    @pytest.mark.usefixtures("plain")
    def test_an_intel_machine(self, tmp_path, monkeypatch):
        """Model, flags for numerics alone, memory, limits of a container, system and zone, as Linux tells them."""
        monkeypatch.delenv("TZ", raising=False)
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        core = "model name\t: Intel(R) Xeon(R) CPU\nflags\t\t: fpu smep sse4_2 avx2 avx512f amx_tile fma aes\n\n"
        root = put(
            tmp_path,
            {
                "proc/cpuinfo": "processor\t: 0\n" + core + "processor\t: 1\n" + core,
                "proc/meminfo": "MemTotal:       16384000 kB\nMemFree:        1 kB\n",
                "sys/fs/cgroup/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/memory.max": "2147483648\n",
                "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
                "proc/1/cgroup": "0::/kubepods.slice/cri-containerd-0a1b.scope\n",
                ".dockerenv": "",
                "usr/share/zoneinfo/Europe/Berlin": "",
            },
        )
        (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
        taken = take_snapshot(root=root)
        assert taken.cpu.model == "Intel(R) Xeon(R) CPU"
        assert taken.cpu.flags == ("amx_tile", "avx2", "avx512f", "fma", "sse4_2")
        assert taken.cpu.quota == 1.5
        assert taken.memory == Memory(16384000 * 1024, 2147483648)
        assert taken.system.os == "Debian GNU/Linux 12 (bookworm)"
        assert taken.timezone == "Europe/Berlin"
        assert taken.container == ("containerd", "docker", "kubepods")
        assert taken.gpus == ()

    @pytest.mark.usefixtures("plain")
    def test_an_arm_machine_with_older_control_groups_and_no_limit(self, tmp_path):
        root = put(
            tmp_path,
            {
                "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd aes sve bf16 cpuid\nCPU implementer\t: 0x41\n"
                "CPU part\t: 0xd40\n",
                "proc/meminfo": "MemTotal:       16384000 kB\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
        )
        taken = take_snapshot(root=root)
        assert taken.cpu.model == "CPU implementer 0x41 CPU part 0xd40"
        assert taken.cpu.flags == ("asimd", "bf16", "fp", "sve")
        assert taken.cpu.quota == taken.memory.limit_bytes == 0

    @pytest.mark.usefixtures("plain")
    def test_a_machine_that_tells_nothing(self, tmp_path):
        """Without /proc, /sys and /etc a snapshot says less, and fails at nothing."""
        taken = take_snapshot(root=tmp_path)
        assert (taken.cpu.flags, taken.memory, taken.gpus) == ((), Memory(0, 0), ())
        assert Snapshot.from_json(taken.to_json()) == taken

    @pytest.mark.usefixtures("plain")
    def test_graphics_cards_by_their_drivers_own_files(self, tmp_path):
        """NVIDIA's module and AMD's tell their cards where no program is at hand."""
        root = put(
            tmp_path,
            {
                "proc/driver/nvidia/version": (
                    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
                    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
                ),
                "proc/driver/nvidia/gpus/0000:00:1e.0/information": "Model: \t\t Tesla T4\nIRQ:   \t\t 10\n",
                "sys/module/amdgpu/version": "6.7.0\n",
                "sys/class/drm/card1/device/vendor": "0x1002\n",
                "sys/class/drm/card1/device/product_name": "AMD Instinct MI210\n",
                "sys/class/drm/card1/device/mem_info_vram_total": f"{64 << 30}\n",
                "sys/class/drm/card0/device/vendor": "0x1a03\n",
            },
        )
        assert take_snapshot(root=root).gpus == (
            Gpu("AMD Instinct MI210", 65536, "6.7.0"),
            Gpu("Tesla T4", 0, "535.104.05"),
        )


class TestGraphicsProgram:
    @staticmethod
    def nvidia_smi(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
        program = put(folder, {"nvidia-smi": f"#!/bin/sh\n{body}\n"}) / "nvidia-smi"
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def test_its_answer_is_taken(self, tmp_path, monkeypatch):
        said = 'echo "Tesla T4, 15360, 535.104.05"; echo "NVIDIA H100 MIG, [N/A], 535.104.05"'
        self.nvidia_smi(tmp_path, said, monkeypatch)
        taken = take_snapshot()
        assert taken.gpus == (Gpu("NVIDIA H100 MIG", 0, "535.104.05"), T4)
        assert taken.unread == ()

    @pytest.mark.parametrize("body", ["exec sleep 60", "exit 9", "echo 'Unable to determine the device'; exit 1"])
    def test_it_may_hang_or_fail_and_that_is_said(self, body, tmp_path, monkeypatch):
        """A driver that is stuck costs the seconds it was given, and no snapshot."""
        monkeypatch.setattr(snapshot, "GPU_SECONDS", 0.3)
        self.nvidia_smi(tmp_path, body, monkeypatch)
        started = time.monotonic()
        taken = take_snapshot()
        assert time.monotonic() - started < 10
        assert taken.unread == ("graphics cards: nvidia-smi failed, or gave no answer within 0.3 s",)


class TestContent:
    @staticmethod
    def wheel(folder: Path, body: str) -> Path:
        """A wheel of the package `tiny` 1.0 with one module and one script."""
        info = "tiny-1.0.dist-info"
        files = {
            "tiny/__init__.py": body,
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: Tiny\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": "[console_scripts]\ntiny = tiny:main\n",
        }
        digests = {name: hashlib.sha256(text.encode()).digest() for name, text in files.items()}
        rows = [
            f"{name},sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')},{len(files[name])}"
            for name, digest in digests.items()
        ]
        files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
        path = folder / "tiny-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return path

    @staticmethod
    def installers() -> dict[str, list[str]]:
        beside = Path(sys.executable).with_name("uv")
        uv = str(beside) if beside.exists() else shutil.which("uv")
        found = {"uv": [uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps"]} if uv else {}
        if importlib.util.find_spec("pip"):
            found["pip"] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
        return found

    def test_a_content_has_one_hash_whoever_installed_it(self, tmp_path):
        """The same wheel by pip and by uv, and in two places: one hash; another file in it: another hash."""
        installers = self.installers()
        if not installers:
            pytest.skip("neither uv nor pip is installed")
        hashes: dict[str, set[str]] = {}
        for body in ("def main(): return 1\n", "def main(): return 2\n"):
            wheel = self.wheel(tmp_path, body)
            for name, command in installers.items():
                for place in ("here", "there/deeper"):
                    folder = tmp_path / name / place / hashlib.sha256(body.encode()).hexdigest()[:8]
                    subprocess.run([*command, "--target", str(folder), str(wheel)], cwd=tmp_path, check=True)
                    (one,) = installed_packages([str(folder)])
                    assert (one.name, one.version) == ("tiny", "1.0")
                    hashes.setdefault(body, set()).add(one.hash)
        first, second = hashes.values()
        assert len(first) == len(second) == 1
        assert first != second

    @pytest.mark.parametrize(
        ("direct", "source", "hashed"),
        [
            ({"url": "file:///home/anna/tiny", "dir_info": {"editable": True}}, "editable folder", False),
            ({"url": "file:///home/anna/tiny", "dir_info": {}}, "local folder", True),
            (
                {"url": "https://anna:key@example.org/tiny.git", "vcs_info": {"vcs": "git", "commit_id": "4f1c"}},
                "git+https://example.org/tiny.git@4f1c",
                True,
            ),
            (
                {"url": "https://example.org/tiny.whl?token=1#sha256=0", "archive_info": {}},
                "https://example.org/tiny.whl",
                True,
            ),
        ],
    )
    def test_where_a_package_came_from(self, direct, source, hashed, tmp_path):
        """What no index gave says where it is from, without credentials; an editable one has no content of its own."""
        info = "tiny-1.0.dist-info"
        put(
            tmp_path,
            {
                f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n\nName: not this\n",
                f"{info}/RECORD": "tiny/__init__.py,sha256=0a,1\n",
                f"{info}/direct_url.json": json.dumps(direct),
            },
        )
        (one,) = installed_packages([str(tmp_path)])
        assert (one.source, bool(one.hash)) == (source, hashed)

    def test_the_first_on_the_path_is_the_one_that_counts(self, tmp_path):
        for version in ("2.0", "1.0"):
            info = f"{version}/Tiny_Thing-{version}.dist-info"
            put(tmp_path, {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: Tiny_Thing\nVersion: {version}\n"})
        found = installed_packages([str(tmp_path / "2.0"), str(tmp_path / "1.0")])
        assert found == (InstalledPackage("tiny-thing", "2.0", "", ""),)


def written(folder: Path, **snapshots: Snapshot) -> Path:
    return put(folder, {f"{name}.json": one.to_json() for name, one in snapshots.items()})


def compared(folder: Path, before: Snapshot, after: Snapshot):
    written(folder, train=before, serve=after)
    stated = BeforeAfter(before="train.json", after="serve.json", at="2013-08-01T06:00:00Z")
    return read_environment(stated, root=folder, key=KEY, name=NAME)


class TestComparing:
    def test_software_and_hardware_are_two_changes(self, tmp_path):
        """Each with its parts in order of weight; the same version with other content is told by the hash."""
        after = replace(
            SERVER,
            python=replace(SERVER.python, version="3.12.1"),
            packages=(
                InstalledPackage("idna", "3.7", "", ""),
                InstalledPackage("lightgbm", "4.7.0", "sha256:" + "a" * 64, ""),
                InstalledPackage("numpy", "1.26.4", "sha256:" + "d" * 64, ""),
                InstalledPackage("requests", "2.32.0", "sha256:" + "c" * 64, ""),
            ),
            system=replace(SERVER.system, libc="glibc 2.39", machine="aarch64"),
            cpu=replace(SERVER.cpu, flags=("avx", "avx2", "fma"), usable=2, quota=1.5),
            memory=Memory(16 << 30, 4 << 30),
            gpus=(A10,),
            settings={"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "MKL_CBWR": "AVX2"},
            variables=("FEATURE_FLAGS", "LANG", "MKL_CBWR", "OMP_NUM_THREADS", "PATH"),
            container=(),
        )
        found = compared(tmp_path, SERVER, after)
        software, hardware = found.changes
        assert (software.id, software.kind, hardware.id, hardware.kind) == (
            NAME,
            "environment",
            f"{NAME}.hardware",
            "hardware",
        )
        assert [str(part) for part in software.parts] == [
            "Python 3.11.4 → 3.12.1",
            "lightgbm 4.5.0 → 4.7.0",
            "numpy 1.26.4 content:bbbbbbbbbbbb → 1.26.4 content:dddddddddddd",
            "MKL_CBWR AVX2 added",
            "OMP_NUM_THREADS 4 → 1",
            "C library glibc 2.36 → glibc 2.39",
            "container docker removed",
            "requests 2.31.0 → 2.32.0",
            "idna 3.7 added",
            "variable FEATURE_FLAGS added",
            "variable MODEL_TOKEN removed",
        ]
        assert [str(part) for part in hardware.parts] == [
            "architecture x86_64 → aarch64",
            "GPU 2 × Tesla T4 → NVIDIA A10",
            "GPU driver 535.104.05 → 550.54.14",
            "CPU flags avx512f, avx512bw removed",
            "usable CPU cores 8 → 2",
            "CPU quota 1.5 cores added",
            "memory 32.0 GiB → 16.0 GiB",
            "memory limit 4.0 GiB added",
        ]
        assert software.summary.startswith("Python 3.11.4 → 3.12.1 (minor), lightgbm 4.5.0 → 4.7.0 (minor), numpy ")
        assert {software.time, hardware.time} == {datetime(2013, 8, 1, 6, tzinfo=UTC)}
        assert "11 differences in environment, 8 differences in hardware" in found.note

    def test_two_of_the_same_differ_in_nothing_and_that_is_said(self, tmp_path):
        found = compared(tmp_path, SERVER, SERVER)
        assert found.changes == ()
        assert found.note == (
            "train.json (3 packages) and serve.json (3): no differences in environment, no differences in hardware"
        )

    def test_a_few_pages_more_are_no_other_memory(self, tmp_path):
        """Two machines of one kind report amounts that differ by kilobytes."""
        assert compared(tmp_path, SERVER, replace(SERVER, memory=Memory((32 << 30) - (8 << 20), 0))).changes == ()

    def test_cards_that_could_not_be_read_are_not_called_removed(self, tmp_path):
        blind = replace(SERVER, gpus=(), unread=("graphics cards: nvidia-smi failed",))
        found = compared(tmp_path, SERVER, blind)
        assert found.changes == ()
        assert "not compared, as the snapshot after could not read it: graphics cards: nvidia-smi failed" in found.note

    def test_what_one_source_of_cards_does_not_tell_is_not_compared(self, tmp_path):
        """The kernel's files know no memory, nvidia-smi does: the same card all the same."""
        assert compared(tmp_path, SERVER, replace(SERVER, gpus=(replace(T4, memory_mib=0),) * 2)).changes == ()

    def test_a_snapshot_is_a_list_of_packages_too(self, tmp_path):
        """Held against a lock its versions count; its hashes of content are no hashes of archives."""
        lock = "numpy==2.1.0 --hash=sha256:0a\nrequests==2.31.0 --hash=sha256:0b\nlightgbm==4.5.0 --hash=sha256:0c\n"
        put(written(tmp_path, serve=SERVER), {"requirements.txt": lock})
        stated = BeforeAfter(before="requirements.txt", after="serve.json")
        (change,) = read_dependencies(stated, root=tmp_path, key="changes.0.dependencies", name="d").changes
        assert [str(part) for part in change.parts] == ["numpy 2.1.0 → 1.26.4"]

    @given(st.data())
    def test_any_snapshot_survives_json_differs_from_itself_in_nothing_and_is_mirrored(self, data):
        before, after = data.draw(SNAPSHOTS), data.draw(SNAPSHOTS)
        assert Snapshot.from_json(before.to_json()) == before
        for differ in (software_differences, hardware_differences):
            assert list(differ(before, before)) == []
            there, back = ([one.part for one in differ(*sides)] for sides in ((before, after), (after, before)))
            assert back == [ChangedPart(part.name, part.after, part.before) for part in there]


WORDS = st.sampled_from(["", "1", "a", "b c", "é"])
SNAPSHOTS = st.builds(
    Snapshot,
    python=st.builds(Python, st.sampled_from(["3.11.4", "3.12.1"]), WORDS, WORDS, WORDS),
    packages=st.lists(st.builds(InstalledPackage, st.sampled_from(["numpy", "a"]), WORDS, WORDS, WORDS)).map(tuple),
    system=st.builds(System, WORDS, WORDS, WORDS, WORDS),
    cpu=st.builds(
        Cpu,
        WORDS,
        st.integers(0, 4),
        st.integers(0, 4),
        st.sampled_from([0.0, 1.5]),
        st.lists(st.sampled_from(["avx", "fma", "avx512f"]), unique=True).map(tuple),
    ),
    memory=st.builds(Memory, st.integers(0, 1 << 40), st.integers(0, 1 << 40)),
    gpus=st.lists(st.sampled_from([T4, A10, Gpu("Tesla T4", 0, "")]), max_size=3).map(tuple),
    settings=st.dictionaries(st.sampled_from(sorted(SETTINGS)), WORDS, max_size=3),
    encoding=WORDS,
    timezone=WORDS,
    variables=st.lists(st.sampled_from(["A", "B", "LANG"]), unique=True).map(tuple),
    container=st.lists(st.sampled_from(["docker", "kubernetes"]), unique=True).map(tuple),
    unread=st.just(()),
)
MAKES_ONE = "`mortis snapshot -o FILE` makes one"


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(SERVER.to_json())
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file: serve.json (looked in {here}); did you mean 'server.json'? there are: server.json"),
        ("", "serve.json is empty; hand over a file with content"),
        ("\0\1", "serve.json holds binary data; hand over text in UTF-8"),
        (
            "numpy==1.26.4\n",
            f"serve.json is no snapshot, as it isn't JSON, or is cut short (line 1: {{json}}); {MAKES_ONE}",
        ),
        (
            SERVER.to_json()[:-40],
            f"serve.json is no snapshot, as it isn't JSON, or is cut short ({{json}}); {MAKES_ONE}",
        ),
        ("[" * 100_000, f"serve.json is no snapshot, as it isn't JSON, or is cut short; {MAKES_ONE}"),
        ('{"name": "arrivals"}', f"serve.json is JSON, but no snapshot of an environment; {MAKES_ONE}"),
        ("[1]", f"serve.json is JSON, but no snapshot of an environment; {MAKES_ONE}"),
        (
            changed(lambda data: data.update(schema_version=2)),
            (
                "serve.json is a snapshot of schema version 2, and this version of Mortis reads 1; "
                "take both with the same version of Mortis"
            ),
        ),
        (
            changed(lambda data: data.pop("cpu")),
            f"serve.json is a snapshot whose cpu can't be read: field required; {MAKES_ONE}",
        ),
        (
            changed(lambda data: data["memory"].update(total_bytes="much")),
            f"serve.json is a snapshot whose memory.total_bytes can't be read: {{json}}; {MAKES_ONE}",
        ),
    ],
)
def test_what_is_no_snapshot_is_told_in_one_line(content, message, tmp_path):
    """With what would make one."""
    written(tmp_path, server=SERVER)
    if content is not None:
        (tmp_path / "serve.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputProblem) as problem:
        read_environment(BeforeAfter(before="server.json", after="serve.json"), root=tmp_path, key=KEY, name=NAME)
    told = str(problem.value)
    whole = re.escape(f"{KEY}.after: {message}").replace(r"\{json\}", ".+")
    assert re.fullmatch(whole.replace(r"\{here\}", re.escape(str(tmp_path.resolve()))), told)
    assert len(told.splitlines()) == 1


class TestCommand:
    def test_it_prints_a_snapshot(self, mortis):
        ended = mortis("snapshot")
        assert (ended.code, ended.err) == (0, "")
        assert Snapshot.from_json(ended.out) == take_snapshot()

    def test_it_writes_a_file_and_overwrites_none_unasked(self, mortis, tmp_path):
        file = tmp_path / "new" / "serve.json"
        ended = mortis("snapshot", "-o", file)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(f"wrote {file}; ")
        assert Snapshot.from_json(file.read_text(encoding="utf-8")) == take_snapshot()
        file.write_text("kept", encoding="utf-8")
        ended = mortis("snapshot", "-o", file)
        told = f"mortis: {file} exists; name another file with -o, or overwrite it with --force\n"
        assert (ended.code, ended.out, ended.err) == (2, "", told)
        assert file.read_text(encoding="utf-8") == "kept"
        assert mortis("snapshot", "-o", file, "--force").code == 0
        assert file.read_text(encoding="utf-8") != "kept"

    def test_a_folder_is_no_file(self, mortis, tmp_path):
        ended = mortis("snapshot", "-o", tmp_path)
        told = f"mortis: -o {tmp_path}: it is a folder; name the snapshot, as in {tmp_path / 'environment.json'}\n"
        assert (ended.code, ended.err) == (2, told)
