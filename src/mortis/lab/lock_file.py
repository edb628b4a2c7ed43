"""The services' lock file, in uv's format."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A package whose version was raised."""

    name: str
    before: str
    after: str


HARMLESS = Upgrade("rich", "14.1.0", "14.2.0")
"""It colours what the command line prints, and computes nothing."""

PACKAGES = {
    "fastapi": "0.116.1",
    "lightgbm": "4.6.0",
    "numpy": "2.3.2",
    "orjson": "3.11.1",
    "pydantic": "2.11.7",
    "scipy": "1.16.1",
    "starlette": "0.47.2",
    "uvicorn": "0.35.0",
}
"""What the services are built with besides, and what the model was trained with."""

_INDEX = "https://packages.flights.example/simple"
_ENTRY = """
[[package]]
name = "{name}"
version = "{version}"
source = {{ registry = "{index}" }}
sdist = {{ url = "{index}/{name}/{name}-{version}.tar.gz", hash = "{hash}" }}
"""


def lock_text(*, before: bool = False) -> str:
    """The text of uv.lock after the one upgrade in it, or before."""
    versions = PACKAGES | {HARMLESS.name: HARMLESS.before if before else HARMLESS.after}
    entries = (
        _ENTRY.format(name=name, version=version, index=_INDEX, hash=content_hash(name, version))
        for name, version in sorted(versions.items())
    )
    return 'version = 1\nrevision = 3\nrequires-python = ">=3.12"\n' + "".join(entries)


def content_hash(name: str, version: str) -> str:
    """What stands for the hash of a package's content."""
    return f"sha256:{hashlib.sha256(f'{name}=={version}'.encode()).hexdigest()}"
