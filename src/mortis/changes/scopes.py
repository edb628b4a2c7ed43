"""Whom a change reached, held against whom the failure hit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from mortis.records import Cause, in_words

Where = Mapping[str, str]
"""A conjunction of columns and their values, such as a slice's conditions."""
Reach = Literal["hit", "not stated", "not comparable", "elsewhere"]

_VERSION = "version"
_ENVIRONMENT = frozenset({"environment", "env", "stage"})
_REHEARSAL = "staging stage dev development test testing qa sandbox preview local preprod uat integration"
_ELSEWHERE_THAN_PRODUCTION = frozenset(_REHEARSAL.split())
_PRODUCTION = frozenset({"production", "prod", "live"})
_DULL = frozenset({"", "model", "service", "v"})
_BOUNDS = ("< ", ">= ")


@dataclass(frozen=True, slots=True)
class ScopeFit:
    """Whether a change reached those who were hit, and the reason as a part of a sentence."""

    reach: Reach
    said: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """The model among the services: its name, and by column of a scope the values known to have no bearing on it.

    Such are the services of a call graph that neither call it nor are called by it. What isn't named decides nothing: a
    feed stands in no call graph.
    """

    name: str = ""
    apart: Mapping[str, Collection[str]] = field(default_factory=dict)


def scope_fit(scope: Where, hit: Sequence[Where], *, model: Served | None = None) -> ScopeFit:
    """Whether a change's scope holds those who were hit: `hit` has one conjunction for each group of them.

    A change is elsewhere only where no group can lie in its scope; columns that the groups don't name decide nothing.

    >>> scope_fit({"region": "west"}, [{"region": "east"}])
    ScopeFit(reach='elsewhere', said='its scope is region = west, and the failure is where region = east')
    >>> scope_fit({"service": "billing"}, [{"region": "east"}]).reach
    'not comparable'
    """
    model = model or Served()
    scope = {column: value for column, value in scope.items() if not _is_production(column, value)}
    if not scope:
        return ScopeFit("not stated")
    shown = f"its scope is {in_words(scope)}"
    if elsewhere := _elsewhere(scope, hit, model):
        return ScopeFit("elsewhere", f"{shown}, and {elsewhere}")
    if reached := _reached(scope, hit, model):
        return ScopeFit("hit", f"{shown}, {reached}")
    return ScopeFit("not comparable", f"{shown}, which can't be held against who was hit")


def _elsewhere(scope: Where, hit: Sequence[Where], model: Served) -> str:
    """Why a scope can hold neither the model nor those who were hit; empty where it may."""
    for column, value in scope.items():
        if _plain(column) in _ENVIRONMENT and all(one in _ELSEWHERE_THAN_PRODUCTION for one in _options(value)):
            return "the failure is in production"
        apart = {one.casefold() for name, known in model.apart.items() if _same_column(column, name) for one in known}
        if _options(value) and apart.issuperset(_options(value)):
            return f"the model neither calls nor serves {column} {value}"
    if hit and all(_against(scope, where) is False for where in hit):
        return f"the failure is where {_groups(scope, hit)}"
    return ""


def _reached(scope: Where, hit: Sequence[Where], model: Served) -> str:
    """Why a scope holds those who were hit; empty where that can't be told."""
    if any(_against(scope, where) for where in hit):
        return "where the failure is"
    shared = [value for value in scope.values() if _values_of(hit).intersection(_options(value))]
    if shared:
        return f"and {' and '.join(shared)} is a value of those hit"
    return "the model's own" if _is_own(scope, model.name) else ""


def _against(scope: Where, where: Where) -> bool | None:
    """Whether a group can lie in the scope; None where they have no column in common that could be compared."""
    shared = [
        _meet(value, other)
        for column, value in scope.items()
        for name, other in where.items()
        if _same_column(column, name) and not other.startswith(_BOUNDS)
    ]
    return all(shared) if shared else None


def _groups(scope: Where, hit: Sequence[Where]) -> str:
    """The groups in words, by those of their columns that contradict the scope."""
    said = [
        in_words({name: value for name, value in where.items() if any(_same_column(column, name) for column in scope)})
        for where in hit
    ]
    return " or ".join(dict.fromkeys(said))


def _is_production(column: str, value: str) -> bool:
    """Whether a scope says no more than production, where the failure is by itself."""
    return _plain(column) in _ENVIRONMENT and any(one in _PRODUCTION for one in _options(value))


def _values_of(hit: Sequence[Where]) -> set[str]:
    """The values of those hit that say as much without their column: records name columns as they like."""
    return {one for where in hit for value in where.values() if is_telling(value) for one in _options(value)}


def is_telling(value: str) -> bool:
    """Whether a value is a name that a text would not hold by chance.

    >>> is_telling("EWR"), is_telling("7"), is_telling("true"), is_telling(">= 60")
    (True, False, False, False)
    """
    return len(value) > 1 and any(sign.isalpha() for sign in value) and value.lower() not in ("true", "false", "(null)")


def _is_own(scope: Where, model: str) -> bool:
    """Whether all that a scope names is the model's own; a release's version takes nothing from that."""
    values = [value for column, value in scope.items() if not _plain(column).endswith(_VERSION)]
    return bool(values) and all(_bears(value, model) for value in values)


def _bears(value: str, model: str) -> bool:
    """Whether a value is named after the model: "arrivals-api" after "arrivals"."""
    words = [word for word in re.split(r"[\W_]+", model.casefold()) if word not in _DULL]
    return bool(words) and set(words) <= set(re.split(r"[\W_]+", value.casefold()))


def _same_column(one: str, other: str) -> bool:
    """Whether two names mean the same column: alike but for case and separators, or both a version.

    >>> _same_column("Dest Region", "dest_region"), _same_column("version", "(version)"), _same_column("a", "b")
    (True, True, False)
    """
    one, other = _plain(one), _plain(other)
    return one == other or (one.endswith(_VERSION) and other.endswith(_VERSION) and _VERSION in (one, other))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _options(value: str) -> list[str]:
    return [one.strip().casefold() for one in re.split(r"[,;|]", value) if one.strip()]


def _meet(value: str, other: str) -> bool:
    """Whether two values have one in common; a scope may list several, or hold a star for any text."""
    return any(_matches(one, another) for one in _options(value) for another in _options(other))


def _matches(one: str, other: str) -> bool:
    return one == other or ("*" in one and fnmatchcase(other, one)) or ("*" in other and fnmatchcase(one, other))


def hit_by_cause(cause: Cause) -> dict[str, str]:
    """Whom a cause hit, by its scope and the version it names; empty where it names nobody.

    >>> hit_by_cause(Cause("D3", "", "confirmed", 0.9, scope="origin = EWR"))
    {'origin': 'EWR'}
    """
    column, sign, value = cause.scope.partition(" = ")
    where = {column.strip("()"): value} if sign else {}
    version = cause.parameters.get("version")
    return where | ({"version": str(version)} if version is not None else {})
