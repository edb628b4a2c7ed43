"""The kinds of fault that can be put into a case, by the catalogue's id; a further one is a function and a line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mortis.lab.kinds import data, infrastructure, labels, measurement, model, skew, software, world
from mortis.lab.kinds.kind import Kind, Planted

__all__ = ["KINDS", "Kind", "Planted"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        one.id: one
        for family in (
            data.KINDS,
            skew.KINDS,
            model.KINDS,
            software.KINDS,
            infrastructure.KINDS,
            world.KINDS,
            labels.KINDS,
            measurement.KINDS,
        )
        for one in family
    }
)
"""Every kind of fault by its id, in the catalogue's order."""
