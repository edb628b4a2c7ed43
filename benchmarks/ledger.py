"""Prints how often the ledger puts the causal change first, and how often an innocent one is said to fit.

    python benchmarks/ledger.py [--cases 2000]

Half of the cases hold no causal change at all. The planted change's kind is drawn from the ledger's own table, so these
figures can't tell whether that table is right; what they tell is what scope, kind and names add to time alone, and
how often innocent changes are said to fit.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from mortis.changes.kinds import LINKS
from mortis.changes.ranking import rank_changes
from mortis.records import Cause, CauseVerdict, Change, Onset, Window

START = datetime(2024, 5, 1, tzinfo=UTC)
BASELINE = Window(START, START + timedelta(days=14))
DAYS = 21
COVERAGE = 0.95
USUAL = {"code": 35, "config": 20, "deploy": 20, "dependency": 8, "docs": 5, "schema": 4, "tests": 3, "data": 3}
REGIONS = ("east", "west", "north", "south")
SERVICES = ("arrivals", "billing", "search", "weather", "login")
PLANTED = "events.0"


@dataclass(frozen=True, slots=True)
class Planted:
    """A case: its changes, the onset as step 1 would state it, and what steps 3 and 5 would have found."""

    changes: list[Change]
    onset: Onset
    hit: list[dict[str, str]]
    causes: list[Cause]
    causal: bool


def scope(rng: np.random.Generator) -> dict[str, str]:
    """Whom an innocent change says that it reached: often nothing, sometimes a service or a region."""
    said = {"service": str(rng.choice(SERVICES))} if rng.random() < 0.5 else {}
    return said | ({"region": str(rng.choice(REGIONS))} if rng.random() < 0.3 else {})


def innocents(rng: np.random.Generator, feature: str) -> Iterator[Change]:
    """Changes of the usual kinds at any time; now and then one names the feature by chance."""
    weights = np.array(list(USUAL.values())) / sum(USUAL.values())
    for i in range(1, 1 + rng.poisson(25)):
        named = f" of {feature}" if rng.random() < 0.03 else ""
        at = START + timedelta(days=DAYS * rng.random())
        yield Change(f"events.{i}", str(rng.choice(list(USUAL), p=weights)), at, f"work {i}{named}", scope=scope(rng))


def case(rng: np.random.Generator, *, causal: bool) -> Planted:
    """A case with or without a causal change; the onset's interval misses the truth as often as it may."""
    truth = BASELINE.end + timedelta(days=3 * rng.random())
    width = timedelta(hours=float(rng.choice([1, 3, 12, 24])))
    low = truth - width * rng.random()
    if rng.random() > COVERAGE:
        low += width * rng.choice([-1.5, 1.5])
    id_ = str(rng.choice(sorted(LINKS)))
    verdict: CauseVerdict = rng.choice(["confirmed", "supported", "inconclusive", "refuted"], p=[0.5, 0.2, 0.15, 0.15])
    region = rng.random() < 0.5
    changes = list(innocents(rng, "distance"))
    if causal:
        links = list(LINKS[id_].values())
        weights = np.array([link.weight for link in links])
        kind = links[rng.choice(len(links), p=weights / weights.sum())].kind
        lag = timedelta(hours=float(rng.choice([1, 24, 120], p=[0.6, 0.3, 0.1])) * rng.random())
        named = " of distance" if rng.random() < 0.4 else ""
        reached = {"region": "east"} if region and rng.random() < 0.5 else {}
        changes.append(Change(PLANTED, kind, truth - lag, f"work 0{named}", scope=reached))
    cause = Cause(id_, "", verdict, 0.5, features=("distance",), scope="region = east" if region else "")
    return Planted(changes, Onset(low + width / 2, low, low + width, "abrupt"), [], [cause], causal)


def by_time(one: Planted) -> list[str]:
    """The order that time alone gives: the latest before the interval's end first."""
    before = [change for change in one.changes if change.time and change.time <= one.onset.high]
    return [change.id for change in sorted(before, key=lambda change: change.time or START, reverse=True)]


def main() -> None:
    """Print the figures over so many cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="how many; half of them hold a causal change")
    cases: int = parser.parse_args().cases
    rng = np.random.default_rng(7)
    first, third, first_by_time, third_by_time, refuted = [], [], [], [], []
    fits_without, fits_with = [], []
    for i in range(cases):
        one = case(rng, causal=i % 2 == 0)
        ledger = rank_changes(one.changes, onset=one.onset, hit=one.hit, causes=one.causes, baseline=BASELINE)
        if not one.causal:
            fits_without.append(bool(ledger.fitting))
            continue
        order, simple = [change.id for change in ledger.changes], by_time(one)
        first.append(order[0] == PLANTED)
        third.append(PLANTED in order[:3])
        first_by_time.append(simple[:1] == [PLANTED])
        third_by_time.append(PLANTED in simple[:3])
        fits_with.append(PLANTED in ledger.fitting)
        refuted.append(next(change for change in ledger.changes if change.id == PLANTED).ranking == 0)
    print(f"{cases // 2:,} cases with a causal change among about 25 innocent ones, as many without")
    print(f"causal change first            {np.mean(first):6.1%}   by time alone {np.mean(first_by_time):6.1%}")
    print(f"causal change in the first 3   {np.mean(third):6.1%}   by time alone {np.mean(third_by_time):6.1%}")
    print(f"causal change said to fit      {np.mean(fits_with):6.1%}")
    print(f"causal change refuted          {np.mean(refuted):6.1%}")
    print(f"cases without one where some change is said to fit {np.mean(fits_without):6.1%}")


if __name__ == "__main__":
    main()
