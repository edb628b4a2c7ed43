"""The environment of this process as a record, for a later comparison, by means of the standard library alone."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from mortis.problems import InputProblem

KIND = "mortis-snapshot"
SCHEMA_VERSION = 1
GPU_SECONDS = 3.0
ROOT = Path("/")

# Variables whose values are recorded: they move numbers (threads, kernels, determinism, locale) and hold no secrets.
_SETTINGS = """
OMP_NUM_THREADS OMP_THREAD_LIMIT OMP_DYNAMIC OMP_SCHEDULE OMP_PROC_BIND OMP_PLACES OMP_WAIT_POLICY GOMP_CPU_AFFINITY
KMP_AFFINITY KMP_BLOCKTIME KMP_DETERMINISTIC_REDUCTION MKL_NUM_THREADS MKL_DYNAMIC MKL_CBWR MKL_DEBUG_CPU_TYPE
MKL_ENABLE_INSTRUCTIONS MKL_THREADING_LAYER OPENBLAS_NUM_THREADS OPENBLAS_CORETYPE GOTO_NUM_THREADS BLIS_NUM_THREADS
BLIS_ARCH_TYPE VECLIB_MAXIMUM_THREADS NUMEXPR_NUM_THREADS NUMEXPR_MAX_THREADS NUMBA_NUM_THREADS NUMBA_CPU_NAME
NPY_DISABLE_CPU_FEATURES NPY_ENABLE_CPU_FEATURES RAYON_NUM_THREADS POLARS_MAX_THREADS ARROW_DEFAULT_MEMORY_POOL
TOKENIZERS_PARALLELISM CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_LAUNCH_BLOCKING CUBLAS_WORKSPACE_CONFIG
NVIDIA_TF32_OVERRIDE NVIDIA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES TORCH_ALLOW_TF32_CUBLAS_OVERRIDE
TF_DETERMINISTIC_OPS TF_CUDNN_DETERMINISTIC TF_ENABLE_ONEDNN_OPTS TF_NUM_INTRAOP_THREADS TF_NUM_INTEROP_THREADS
ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA ATEN_CPU_CAPABILITY PYTHONHASHSEED PYTHONOPTIMIZE PYTHONUTF8
LANG LANGUAGE LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME TZ
"""
SETTINGS = frozenset(_SETTINGS.split())
_LONGEST_VALUE = 200
_EDITABLE = "editable folder"
# Instructions that numerical libraries choose their kernels by.
_NUMERIC_FLAG = re.compile(
    r"ssse3|sse4_[12]|avx\w*|amx_\w+|fma4?|f16c|asimd\w*|fp|fphp|sve\w*|sme|sme[2bif]\w*|bf16|i8mm|neon|vfpv4"
)
# What an installer adds to a package, or makes for the place it stands in, as scripts with their first line.
_INSTALLERS_OWN = re.compile(
    r"^(\.\.|bin|Scripts)/|\.pyc$|\.dist-info/(RECORD(\.\w+)?|INSTALLER|REQUESTED|direct_url\.json|uv_\w+\.json)$"
)


@dataclass(frozen=True, slots=True)
class Python:
    """The interpreter."""

    version: str
    implementation: str
    build: str
    compiler: str


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package; `hash` is of its content as its RECORD tells it, empty where that says nothing of it."""

    name: str
    version: str
    hash: str
    source: str


@dataclass(frozen=True, slots=True)
class System:
    """The operating system."""

    os: str
    kernel: str
    machine: str
    libc: str


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor: its logical cores, those that this process may use, and the flags that matter for numerics.

    `quota` is how many cores' time a container may take, 0 where nothing limits it.
    """

    model: str
    cores: int
    usable: int
    quota: float
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the machine, and those that a container may take, 0 where nothing limits it."""

    total_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card; memory in MiB, 0 where it isn't told."""

    name: str
    memory_mib: int
    driver: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The environment of a process. Taken twice in one environment, it is the same to the byte once written.

    `settings` are the values of a fixed list of variables (`SETTINGS`); of all others only the names are kept.
    `unread` tells what could not be found out.
    """

    python: Python
    packages: tuple[InstalledPackage, ...]
    system: System
    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...]
    settings: dict[str, str]
    encoding: str
    timezone: str
    variables: tuple[str, ...]
    container: tuple[str, ...]
    unread: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The snapshot as JSON text."""
        head = {"kind": KIND, "schema_version": SCHEMA_VERSION}
        return json.dumps(head | asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """The snapshot in a text that `to_json` made.

        Raises InputProblem, in one line without the file's name, where it holds none that this version reads.
        """
        return _loaded(text)


def take_snapshot(*, root: Path = ROOT) -> Snapshot:
    """The environment of this process; `root` is where /proc, /sys and /etc are looked for."""
    gpus, unread = _gpus(root)
    return Snapshot(
        python=Python(
            platform.python_version(),
            platform.python_implementation(),
            " ".join(platform.python_build()),
            platform.python_compiler(),
        ),
        packages=installed_packages(sys.path),
        system=System(_os_name(root), platform.release(), platform.machine(), _libc()),
        cpu=_cpu(root),
        memory=_memory(root),
        gpus=gpus,
        settings={name: _harmless(os.environ[name]) for name in sorted(SETTINGS & os.environ.keys())},
        encoding=sys.getfilesystemencoding(),
        timezone=_timezone(root),
        variables=tuple(sorted(os.environ.keys() - {"_"})),  # the shell's own, other for each command
        container=_container(root),
        unread=unread,
    )


def _harmless(value: str) -> str:
    """A setting's value, unless it is nothing like one."""
    fits = re.fullmatch(r"[\w.,:;=+*\-/ ()%@{}]*", value) and len(value) <= _LONGEST_VALUE
    return value if fits else "(not shown)"


def installed_packages(path: Iterable[str]) -> tuple[InstalledPackage, ...]:
    """The packages in the folders of a path, by name; of one that stands there twice, the first is imported."""
    found: dict[str, InstalledPackage] = {}
    for one in metadata.distributions(path=list(path)):
        head = (one.read_text("METADATA") or one.read_text("PKG-INFO") or "").partition("\n\n")[0]
        fields = dict(re.findall(r"^(Name|Version):[ \t]*(.*?)\s*$", head, re.MULTILINE))
        if fields.keys() >= {"Name", "Version"}:
            name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()
            if name not in found:
                source = _source(one)
                content = "" if source == _EDITABLE else _content(one)
                found[name] = InstalledPackage(name, fields["Version"], content, source)
    return tuple(found[name] for name in sorted(found))


def _content(one: metadata.Distribution) -> str:
    """A hash over the hashes of a package's files, the same whichever installer put the same files there.

    Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    rows = csv.reader((one.read_text("RECORD") or "").splitlines())
    files = sorted(
        f"{row[0]} {row[1]}" for row in rows if len(row) > 1 and row[1] and not _INSTALLERS_OWN.search(row[0])
    )
    return "sha256:" + hashlib.sha256("\n".join(files).encode()).hexdigest() if files else ""


def _source(one: metadata.Distribution) -> str:
    """Where a package comes from that no index gave: a repository with its commit, an address, a folder.

    Source: https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        stated = json.loads(one.read_text("direct_url.json") or "{}")
    except ValueError:
        return ""
    if "dir_info" in stated:
        return _EDITABLE if stated["dir_info"].get("editable") else "local folder"
    url = re.sub(r"//[^/]*@|[?#].*$", lambda found: "//" if found[0].startswith("//") else "", stated.get("url", ""))
    vcs = stated.get("vcs_info")
    return f"{vcs.get('vcs', '')}+{url}@{vcs.get('commit_id', '')}" if vcs else url


def _os_name(root: Path) -> str:
    stated = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', _text(root / "etc/os-release"), re.MULTILINE)
    return stated[1] if stated else platform.system()


def _libc() -> str:
    if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ()):
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    return " ".join(platform.libc_ver()).strip()


def _cpu(root: Path) -> Cpu:
    stated: dict[str, str] = {}
    for key, value in re.findall(r"^([^:\n]*?)\s*:[ \t]*(.*)$", _text(root / "proc/cpuinfo"), re.MULTILINE):
        stated.setdefault(key, value)  # the first core's
    part = " ".join(f"{key} {stated[key]}" for key in ("CPU implementer", "CPU part") if key in stated)
    flags = (stated.get("flags") or stated.get("Features") or "").split()
    cores = os.cpu_count() or 0
    return Cpu(
        stated.get("model name") or part or platform.processor(),
        cores,
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores,
        _quota(root),
        tuple(sorted(flag for flag in flags if _NUMERIC_FLAG.fullmatch(flag))),
    )


def _quota(root: Path) -> float:
    """How many cores' time the control group allows (version 2, then 1); 0 where it doesn't limit it."""
    limit, period = (*_text(root / "sys/fs/cgroup/cpu.max").split(), "", "")[:2]
    limit = limit or _text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip()
    period = period or _text(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us").strip()
    return round(int(limit) / int(period), 3) if limit.isdecimal() and period.isdecimal() and int(period) else 0.0


def _memory(root: Path) -> Memory:
    total = re.search(r"^MemTotal:\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    bytes_ = int(total[1]) * 1024 if total else 0
    limits = (_text(root / "sys/fs/cgroup" / name).strip() for name in ("memory.max", "memory/memory.limit_in_bytes"))
    limit = next((int(one) for one in limits if one.isdecimal()), 0)
    return Memory(bytes_, limit if limit < bytes_ else 0)  # version 1 writes a huge number for none


def _gpus(root: Path) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """The graphics cards that nvidia-smi, else /proc and /sys show, and what could not be found out."""
    shown, unread = _asked_nvidia()
    found = shown or [*_nvidia(root), *_amd(root)]
    return tuple(sorted(found, key=lambda one: (one.name, one.driver, one.memory_mib))), unread


def _asked_nvidia() -> tuple[list[Gpu], tuple[str, ...]]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return [], ()
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
    answer = _answer([program, *query])
    if answer is None:
        return [], (f"graphics cards: nvidia-smi failed, or gave no answer within {GPU_SECONDS:g} s",)
    rows = [[cell.strip() for cell in row] for row in csv.reader(answer.splitlines()) if len(row) == 3]
    return [Gpu(name, int(memory) if memory.isdecimal() else 0, driver) for name, memory, driver in rows], ()


def _answer(command: list[str]) -> str | None:
    """What a program prints; None where it fails or takes too long. Nobody waits for one that its driver holds."""
    try:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603  it is nvidia-smi
    except OSError:
        return None
    try:
        out, _ = running.communicate(timeout=GPU_SECONDS)
    except subprocess.TimeoutExpired:
        running.kill()
        with suppress(subprocess.TimeoutExpired):
            running.wait(timeout=0.2)
        return None
    finally:
        if running.stdout:
            running.stdout.close()
    return out.decode(errors="replace") if running.returncode == 0 else None


def _nvidia(root: Path) -> Iterator[Gpu]:
    """What NVIDIA's kernel module tells, also where nvidia-smi is absent."""
    said = re.search(r"Kernel Module.*?\s(\d+\.\d[\d.]*)\s", _text(root / "proc/driver/nvidia/version"))
    for card in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        model = re.search(r"^Model:\s*(.*?)\s*$", _text(card), re.MULTILINE)
        yield Gpu(model[1] if model else "NVIDIA", 0, said[1] if said else "")


def _amd(root: Path) -> Iterator[Gpu]:
    driver = _text(root / "sys/module/amdgpu/version").strip()
    for card in sorted((root / "sys/class/drm").glob("card*/device/vendor")):
        if _text(card).strip() == "0x1002":
            device = _text(card.with_name("device")).strip()
            memory = _text(card.with_name("mem_info_vram_total")).strip()
            name = _text(card.with_name("product_name")).strip() or f"AMD {device}"
            yield Gpu(name, int(memory) >> 20 if memory.isdecimal() else 0, driver)


def _timezone(root: Path) -> str:
    """The zone's name as TZ, the link /etc/localtime or /etc/timezone says, else its abbreviations."""
    link = root / "etc/localtime"
    linked = str(link.readlink()).partition("zoneinfo/")[2] if link.is_symlink() else ""
    stated = os.environ.get("TZ") or linked or _text(root / "etc/timezone").strip()
    return _harmless(stated) if stated else "/".join(time.tzname)


def _container(root: Path) -> tuple[str, ...]:
    """Signs that the process runs in a container, and of what kind."""
    signs = {
        name for name, file in (("docker", ".dockerenv"), ("podman", "run/.containerenv")) if (root / file).exists()
    }
    signs |= set(re.findall(r"kubepods|docker|containerd|libpod|lxc", _text(root / "proc/1/cgroup")))
    return tuple(sorted(signs | ({"kubernetes"} if "KUBERNETES_SERVICE_HOST" in os.environ else set())))


def _text(file: Path) -> str:
    """What a small file says; nothing where it is absent or shut."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _loaded(text: str) -> Snapshot:
    remedy = "`mortis snapshot -o FILE` makes one"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}: {error.msg})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputProblem(f"no snapshot, as it isn't JSON, or is cut short{where}; {remedy}") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise InputProblem(f"JSON, but no snapshot of an environment; {remedy}")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputProblem(
            f"a snapshot of schema version {version}, and this version of Mortis reads {SCHEMA_VERSION}; "
            "take both with the same version of Mortis"
        )
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Snapshot).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputProblem(f"a snapshot whose {place} can't be read: {first['msg'].lower()}; {remedy}") from None
