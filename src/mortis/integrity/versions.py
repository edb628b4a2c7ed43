"""The versions that the log names beside those that the registry means to be served."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from mortis.records import Window, iso
from mortis.rows import Texts
from mortis.sources.registry import RegisteredVersion

RISEN = 0.05  # a larger share of rows than in the baseline by this much is more than a canary's wobble


def same_version(one: str, other: str) -> bool:
    """Whether two names mean one version: `v2`, `V2`, `2` and `arrivals:2` do.

    >>> same_version("v2", "2"), same_version("arrivals:2", "v2"), same_version("2", "12")
    (True, True, False)
    """
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    last = re.split(r"[:/@]", name.strip().casefold())[-1]
    return re.sub(r"^(?:version|ver|v)[ ._-]?(?=\d)", "", last)


def intended_version(registered: Sequence[RegisteredVersion], incident: Window) -> RegisteredVersion | None:
    """The one version that the registry means to be served; None where it names none, or several.

    A version that was registered after the incident can't have been meant to serve in it.
    """
    current = [one for one in registered if one.is_current and _was_there(one, incident.end)]
    return current[0] if len(current) == 1 else None


def _was_there(one: RegisteredVersion, end: datetime) -> bool:
    return one.created_at is None or one.created_at < end


def named_alike(intended: str, names: Sequence[str]) -> str | None:
    """The log's own name for a version; None where it has none."""
    return next((name for name in names if same_version(name, intended)), None)


def share_of_version(logged: Texts, version: str) -> float:
    """The share of rows (n,) that the log says a version served."""
    return sum(same_version(str(one), version) for one in logged.tolist()) / max(len(logged), 1)


def registry_statement(registered: Sequence[RegisteredVersion], before: Texts, during: Texts, incident: Window) -> str:
    """What the registry and the log say of the version that served."""
    if not registered:
        return "the registry holds no version of the model"
    intended = intended_version(registered, incident)
    if intended is None:
        late = [one.version for one in registered if one.is_current and not _was_there(one, incident.end)]
        if late:
            return f"the registry's current version, {', '.join(late)}, was registered after the incident"
        return f"of {len(registered)} registered versions none, or several, are marked as the one to serve"
    known = f"the registry means version {intended.version} to be served{_since(intended)}"
    if not {str(one) for one in during.tolist()} - {""}:
        return f"{known}; the log names no versions"
    usual, share = (share_of_version(texts, intended.version) for texts in (before, during))
    others = sorted({str(one) for one in during.tolist() if not same_version(str(one), intended.version)})
    told = f"{known}; the log names it for {100 * share:.1f} % of the incident's rows ({100 * usual:.1f} % before)"
    told += f", and {', '.join(others[:5])} for the others" if others else ""
    return told


def _since(one: RegisteredVersion) -> str:
    marks = [*one.aliases, *([one.stage] if one.stage else [])]
    told = [*([", ".join(marks)] if marks else []), *([f"registered {iso(one.created_at)}"] if one.created_at else [])]
    return f" ({'; '.join(told)})" if told else ""
