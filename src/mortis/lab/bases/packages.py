"""The packages that the extra `lab` brings along, imported by the functions that need them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mortis.lab.flights import PackageMissing


def needed(name: str) -> Any:
    """The module of that name; PackageMissing, with the remedy, where its package isn't installed.

    >>> needed("json").loads("[1]")
    [1]
    """
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ModuleNotFoundError as absent:
        if absent.name != package:
            raise
        raise PackageMissing.of(package, extra="lab") from absent
