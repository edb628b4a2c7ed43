"""Answers that no version gives any more: which rows bear them, and where these lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from mortis.causes.facts import Bools, Facts
from mortis.causes.replay import answered, answers_in, replay
from mortis.profiles import Floats
from mortis.rows import Ints, RowSample, is_number

FEWEST_ROWS = 20
LEAST_SHARE = 0.01
CONFINED = 0.98  # of the rows lie where a scope says, or it isn't one
EVERYWHERE = 0.95  # a value that so many rows have is no scope


@dataclass(frozen=True, slots=True, eq=False)
class Departed:
    """Rows of the incident whose answers no version gives, one version's alone.

    `rows` (n,) marks them among the incident's; `served` and `given` (k,) are what was answered and what the file of
    `version`, which should have served them, gives; `share` is that of all departed rows, whatever their version.
    `near` is how far apart the two lie at most where they are the same (times the figure, where that is above 1), and
    `sampled` the share of the window's rows that are at hand.
    """

    facts: Facts
    rows: Bools
    served: Floats
    given: Floats
    version: str
    share: float
    near: float
    sampled: float

    def few(self, most: int) -> tuple[Ints, Ints]:
        """Places (at most `most`,) among the departed rows, spread evenly over them, and their rows in the incident."""
        k = len(self.served)
        places = np.unique(np.linspace(0, k - 1, min(most, k)).astype(np.int64))
        return places, np.flatnonzero(self.rows)[places]

    def alike(self, one: Floats, other: Floats) -> Bools:
        """Whether answers are the same."""
        return np.asarray(np.abs(one - other) <= self.near * np.maximum(1, np.abs(other)), dtype=bool)


def lost_rows(facts: Facts) -> tuple[Bools, Bools]:
    """Rows of the incident that no version at hand reproduces, and those that could be held against their version's."""
    replayed = replay(facts, facts.during)
    known = answered(facts, facts.during) & replayed.at_hand()
    return known & ~np.logical_or.reduce(list(replayed.equal.values())), known


def enough(lost: Bools, known: Bools) -> bool:
    """Whether so many answers depart that it is more than a stray one."""
    return bool(lost.sum() >= max(FEWEST_ROWS, LEAST_SHARE * known.sum()))


@lru_cache(maxsize=1)  # asked by each test of an answer that departs
def departed(facts: Facts) -> Departed | None:
    """The departed rows of the version that has most of them; None where there are too few, or answers are classes."""
    served, (lost, known) = answers_in(facts, facts.during), lost_rows(facts)
    if not enough(lost, known) or not is_number(served):
        return None
    replayed = replay(facts, facts.during)
    names, counts = np.unique(replayed.logged[lost].astype(str), return_counts=True)
    version = str(names[counts.argmax()])
    rows = lost & (replayed.logged == version)
    given = np.asarray(replayed.given[version], dtype=float)[rows]
    n = len(facts.during)
    return Departed(
        facts,
        rows,
        np.asarray(served, dtype=float)[rows],
        given,
        version,
        float(lost.sum() / known.sum()),
        _near(facts),
        n / max(facts.during.rows, n),
    )


def _near(facts: Facts) -> float:
    """How far the files' answers lie from those in the baseline's log where they are the same: by rounding, mostly."""
    replayed, served = replay(facts, facts.before), np.asarray(answers_in(facts, facts.before), dtype=float)
    off = []
    for version, given in replayed.given.items():
        own = replayed.equal[version] & (replayed.logged == version)
        off.append(np.abs(np.asarray(given, dtype=float) - served)[own] / np.maximum(1, np.abs(served[own])))
    return max(3 * float(np.quantile(np.concatenate(off), 0.99)), 1e-12)


def confined(sample: RowSample, hit: Bools) -> tuple[str, str] | None:
    """The column and value that nearly all rows hit have, of those the rarest; None where there is none.

    Not all rows with the value need be hit.
    """
    best: tuple[str, str] | None = None
    least = EVERYWHERE
    for name, column in sample.features.items():
        if is_number(column) or not hit.any():
            continue
        values, counts = np.unique(column[hit].astype(str), return_counts=True)
        value = str(values[counts.argmax()])
        share = float((column == value).mean())
        if counts.max() >= CONFINED * hit.sum() and share < least:
            best, least = (name, value), share
    return best


@dataclass(frozen=True, slots=True)
class Way:
    """A plain thing done to answers, or to what a model is asked, that gives the served answers back.

    It does so on a `share` of the departed rows on which it was tried.
    """

    kind: str
    share: float
    says: str
    features: tuple[str, ...] = ()
    parameters: Mapping[str, str | float] = field(default_factory=dict)


Settings = Mapping[str, float]
"""Figures that changes on record put in, by the name of what was set."""
