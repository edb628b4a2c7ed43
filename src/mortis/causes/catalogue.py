"""The catalogue of causes as data: what each predicts, the test that decides it, what to do, what guards against it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import cast

from mortis.records import Action, ActionType


@dataclass(frozen=True, slots=True)
class CauseEntry:
    """One way a model fails in production; `actions` are (type, title, acceptance)."""

    id: str
    name: str
    predicts: str
    test: str
    needs: str
    actions: tuple[tuple[ActionType, str, str], ...]
    guard: str

    def actions_for(self, addresses: str) -> tuple[Action, ...]:
        """The entry's actions as records, said to address something."""
        return tuple(Action(title, kind, addresses, acceptance) for kind, title, acceptance in self.actions)


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
            tuple((cast("ActionType", kind), title, acceptance) for kind, title, acceptance in entry["actions"]),
            entry["guard"],
        )
        for id_, entry in data.items()
    }
