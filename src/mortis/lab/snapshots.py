"""What `mortis snapshot` would have recorded where the demo's model was trained, and where it serves."""

from __future__ import annotations

from collections.abc import Mapping

from mortis.lab.lock_file import HARMLESS, PACKAGES, content_hash
from mortis.sources.snapshot import Cpu, InstalledPackage, Memory, Python, Snapshot, System

_AT_HAND = {HARMLESS.name: HARMLESS.before, "matplotlib": "3.10.5", "jupyterlab": "4.4.5", "pytest": "8.4.1"}
_COMPUTE = ("lightgbm", "numpy", "scipy")
_FLAGS = ("avx", "avx2", "f16c", "fma", "sse4_1", "sse4_2", "ssse3")


def training_snapshot() -> str:
    """The environment in which the model was trained: a workstation with what people look at results with."""
    packages = {name: PACKAGES[name] for name in _COMPUTE} | _AT_HAND
    variables = ("HOME", "JUPYTER_RUNTIME_DIR", "LANG", "PATH")
    return _snapshot(packages, "6.1.0-37-amd64", cores=16, gib=64, variables=variables)


def serving_snapshot() -> str:
    """The environment in which it serves: the same libraries that compute, in a container on a smaller machine."""
    packages = PACKAGES | {HARMLESS.name: HARMLESS.before}
    variables = ("HOME", "LANG", "PATH", "PORT")
    return _snapshot(packages, "6.1.0-38-cloud-amd64", cores=4, gib=16, variables=variables, container=("docker",))


def _snapshot(
    packages: Mapping[str, str],
    kernel: str,
    *,
    cores: int,
    gib: int,
    variables: tuple[str, ...],
    container: tuple[str, ...] = (),
) -> str:
    """A snapshot's text."""
    return Snapshot(
        python=Python("3.12.11", "CPython", "main Jul 23 2025 00:34:44", "Clang 20.1.4"),
        packages=tuple(
            InstalledPackage(name, version, content_hash(name, version), "")
            for name, version in sorted(packages.items())
        ),
        system=System("Debian GNU/Linux 12 (bookworm)", kernel, "x86_64", "glibc 2.36"),
        cpu=Cpu("Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", cores, cores, 0.0, _FLAGS),
        memory=Memory(gib << 30, 0),
        gpus=(),
        settings={"LANG": "C.UTF-8"},
        encoding="utf-8",
        timezone="Etc/UTC",
        variables=variables,
        container=container,
    ).to_json()
