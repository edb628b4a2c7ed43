"""Mortis conducts the post-mortem of a machine-learning model that failed in production.

>>> import mortis
>>> sorted(mortis.__all__)
['Case', 'Postmortem', 'investigate']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mortis.case import Case
    from mortis.investigation import investigate
    from mortis.records import Postmortem

__all__ = ["Case", "Postmortem", "investigate"]

_HOMES = {"Case": "mortis.case", "Postmortem": "mortis.records", "investigate": "mortis.investigation"}


def __getattr__(name: str) -> Any:
    """Public names, imported when they are first asked for: `mortis --help` must not wait for them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mortis' has no attribute {name!r}; there are {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
