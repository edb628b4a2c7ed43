"""Which cases a score is made over: the mix of what goes wrong in production, and the two halves of the seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mortis.lab.bases import BASES
from mortis.lab.kinds.kind import Family
from mortis.lab.plots import PLOTS, plot_of

FIRST_PUBLISHED = 5_000
"""Seeds below are for development: only what they show may guide a change. Those from here on are for publishing."""

SHARES: Mapping[Family, int] = MappingProxyType(
    {
        "data": 25,
        "model": 20,
        "infrastructure": 15,
        "skew": 10,
        "world": 10,
        "software": 8,
        "measurement": 7,
        "labels": 5,
    }
)
"""Percent of the failures by family, after what is published about incidents in production."""

BESIDES: Mapping[str, int] = MappingProxyType(
    {"healthy": 6, "noisy": 2, "E5": 2, "two": 4, "amplified": 2, "outside": 4, "withheld": 4}
)
"""On top of each hundred failures: nothing failed, more than one thing did, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A case to be made."""

    plot: str
    base: str
    seed: int


def half_of(seed: int) -> str:
    """Which half of the seeds one belongs to."""
    return "development" if seed < FIRST_PUBLISHED else "published"


def planned(cases: int, seed: int, *, kind: str | None = None) -> tuple[Planned, ...]:
    """So many cases whose plots come in the shares of the mix, each family's kinds in turn, or all of one kind.

    The same arguments give the same cases. InputProblem where the kind is unknown.
    """
    if kind is not None:
        plot_of(kind)
    rng = np.random.default_rng([seed, 17])
    plots = [kind] * cases if kind else _plots(cases, rng)
    found = []
    for i, plot in enumerate(plots):
        bases = [one.name for one in BASES.values() if PLOTS[plot].suits(one)]
        found.append(Planned(plot, bases[int(rng.integers(len(bases)))], seed * 10_000 + i))
    return tuple(found)


def _plots(cases: int, rng: np.random.Generator) -> list[str]:
    """The plots' names, in an order drawn by lot."""
    whole = sum(SHARES.values()) + sum(BESIDES.values())
    turns = {family: _turns(family, rng) for family in SHARES}
    chances = [*((family, share) for family, share in SHARES.items()), *BESIDES.items()]
    counts = _apportioned([cases * share / whole for _, share in chances], cases)
    found: list[str] = []
    for (name, _), count in zip(chances, counts, strict=True):
        found += [next(turns[name]) if name in turns else name for _ in range(count)]
    return [found[i] for i in rng.permutation(len(found))]


def _turns(family: str, rng: np.random.Generator) -> Iterator[str]:
    """The family's kinds, each in turn, endlessly."""
    kinds = [one.name for one in PLOTS.values() if one.family == family]
    order = rng.permutation(len(kinds))
    while kinds:
        yield from (kinds[i] for i in order)


def _apportioned(wanted: list[float], whole: int) -> list[int]:
    """Whole numbers near what is wanted that sum to the whole: the largest remainders are rounded up.

    >>> _apportioned([1.5, 1.3, 0.2], 3)
    [2, 1, 0]
    """
    counts = [int(one) for one in wanted]
    rest = sorted(range(len(wanted)), key=lambda i: counts[i] - wanted[i])
    for i in rest[: whole - sum(counts)]:
        counts[i] += 1
    return counts
