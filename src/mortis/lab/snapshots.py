"""What `mortis snapshot` would have recorded where the demo's model was trained, and where it serves."""

from __future__ import annotations

import json
from typing import Any

from mortis.lab.lock_file import HARMLESS, PACKAGES, content_hash

_AT_HAND = {HARMLESS.name: HARMLESS.before, "matplotlib": "3.10.5", "jupyterlab": "4.4.5", "pytest": "8.4.1"}
_COMPUTE = ("lightgbm", "numpy", "scipy")
_FLAGS = ["avx", "avx2", "f16c", "fma", "sse4_1", "sse4_2", "ssse3"]


def training_snapshot() -> str:
    """The environment in which the model was trained: a workstation with what people look at results with."""
    packages = {name: PACKAGES[name] for name in _COMPUTE} | _AT_HAND
    system = {"os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-37-amd64"}
    return _snapshot(packages, system, cores=16, gib=64, variables=["HOME", "JUPYTER_RUNTIME_DIR", "LANG", "PATH"])


def serving_snapshot() -> str:
    """The environment in which it serves: the same libraries that compute, in a container on a smaller machine."""
    system = {"os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-38-cloud-amd64"}
    packages = PACKAGES | {HARMLESS.name: HARMLESS.before}
    variables = ["HOME", "LANG", "PATH", "PORT"]
    return _snapshot(packages, system, cores=4, gib=16, variables=variables, container=["docker"])


def _snapshot(
    packages: dict[str, str],
    system: dict[str, str],
    *,
    cores: int,
    gib: int,
    variables: list[str],
    container: list[str] | None = None,
) -> str:
    """A snapshot's text, key by key in the order of `mortis snapshot`."""
    taken: dict[str, Any] = {
        "kind": "mortis-snapshot",
        "schema_version": 1,
        "python": {
            "version": "3.12.11",
            "implementation": "CPython",
            "build": "main Jul 23 2025 00:34:44",
            "compiler": "Clang 20.1.4",
        },
        "packages": [
            {"name": name, "version": version, "hash": content_hash(name, version), "source": ""}
            for name, version in sorted(packages.items())
        ],
        "system": system | {"machine": "x86_64", "libc": "glibc 2.36"},
        "cpu": {
            "model": "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz",
            "cores": cores,
            "usable": cores,
            "quota": 0.0,
            "flags": _FLAGS,
        },
        "memory": {"total_bytes": gib << 30, "limit_bytes": 0},
        "gpus": [],
        "settings": {"LANG": "C.UTF-8"},
        "encoding": "utf-8",
        "timezone": "Etc/UTC",
        "variables": variables,
        "container": container or [],
        "unread": [],
    }
    return json.dumps(taken, indent=2, ensure_ascii=False) + "\n"
