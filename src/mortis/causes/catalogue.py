"""The catalogue of causes as data: what each predicts, the test that decides it, what to do, what guards against it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import cast

from mortis.records import Action, ActionType, FailureKind


@dataclass(frozen=True, slots=True)
class CauseEntry:
    """One way a model fails in production; `actions` are (type, title, acceptance).

    `operational` are those after a failure of operation, where they are others.
    """

    id: str
    name: str
    predicts: str
    test: str
    needs: str
    actions: tuple[tuple[ActionType, str, str], ...]
    guard: str
    operational: tuple[tuple[ActionType, str, str], ...] = ()

    def actions_for(self, addresses: str, kind: FailureKind) -> tuple[Action, ...]:
        """The entry's actions after a failure of this kind, as records, said to address something."""
        stated = (self.operational if kind == "operational" else ()) or self.actions
        return tuple(Action(title, type_, addresses, acceptance) for type_, title, acceptance in stated)


@cache
def catalogue() -> dict[str, CauseEntry]:
    """Every cause by its id, in the catalogue's order.

    >>> catalogue()["D3"].name
    'Unit, scale or encoding of a feature changed'
    """
    data = tomllib.loads(files("mortis.causes").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    return {
        id_: CauseEntry(
            id_,
            entry["name"],
            entry["predicts"],
            entry["test"],
            entry["needs"],
            _actions(entry["actions"]),
            entry["guard"],
            _actions(entry.get("operational", ())),
        )
        for id_, entry in data.items()
    }


def _actions(stated: Iterable[tuple[str, str, str]]) -> tuple[tuple[ActionType, str, str], ...]:
    return tuple((cast("ActionType", type_), title, acceptance) for type_, title, acceptance in stated)
