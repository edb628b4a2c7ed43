"""What each standing cause is worth of the drop: shares that sum, with what they leave, to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np

from mortis.causes.facts import Facts, Outcome, Remedy
from mortis.causes.replay import remedied
from mortis.causes.scoring import Bootstrap, outcomes_of
from mortis.causes.trial import drawn, judged_with, shares_done_again
from mortis.profiles import Floats
from mortis.records import STANDING, Interval

MOST_SHARED = 3  # each further cause doubles the number of times that rows are scored again

Coalition = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SharedOut:
    """Outcomes whose shares sum to `explained`, what the remedies of all take back together."""

    outcomes: tuple[Outcome, ...]
    explained: Interval


def share_out(facts: Facts, outcomes: Sequence[Outcome]) -> SharedOut:
    """The drop shared out among the standing causes that have a remedy, the confirmed first.

    Each gets what its remedy takes back, averaged over the orders in which the remedies can be applied; where there are
    more than three, the others keep their verdict and get no share. Stand-ins for lost values mend less than the true
    ones would: where a remedy puts such in, the upper limit of its share takes in what is left unexplained.

    Source: Shapley (1953), "A value for n-person games", on the metric of rows scored again.
    """
    standing = [one for one in outcomes if one.remedy is not None and one.verdict in STANDING]
    standing.sort(key=lambda one: (one.verdict != "confirmed", -(one.share.value if one.share else 0.0)))
    shared, unshared = standing[:MOST_SHARED], standing[MOST_SHARED:]
    if not shared:
        return SharedOut(tuple(outcomes), Interval(0.0, 0.0, 0.0, len(facts.during)))
    shares, explained = _shares(facts, shared)
    left = max(1 - explained.value, 0.0)
    given: dict[int, Outcome] = {id(one): replace(one, share=None) for one in unshared}
    for one, share in zip(shared, shares, strict=True):
        given[id(one)] = replace(one, share=share if _exact(one) else _perhaps(share, left))
    explained = explained if all(_exact(one) for one in shared) else _perhaps(explained, left)
    return SharedOut(tuple(given.get(id(one), one) for one in outcomes), explained)


def _shares(facts: Facts, standing: Sequence[Outcome]) -> tuple[list[Interval], Interval]:
    """Each outcome's share, and that of all together."""
    if len(standing) == 1 and standing[0].share is not None:
        return [standing[0].share], standing[0].share
    draws = drawn(facts)
    worth = _worth(facts, draws, [one.remedy for one in standing if one.remedy])
    values = [shapley(worth, i, len(standing)) for i in range(len(standing))]
    together = worth[tuple(range(len(standing)))]
    return [_interval(draws, one) for one in values], _interval(draws, together)


def _interval(draws: Bootstrap, values: Floats) -> Interval:
    return draws.interval(float(values[0]), values[1:])


def _exact(one: Outcome) -> bool:
    return one.remedy is None or one.remedy.exact


def _perhaps(share: Interval, more: float) -> Interval:
    """A share whose upper limit allows for more."""
    return Interval(share.value, share.low, max(share.high, share.value + more), share.n)


def _worth(facts: Facts, draws: Bootstrap, remedies: Sequence[Remedy]) -> dict[Coalition, Floats]:
    """What every set of remedies takes back together: over all rows, then in each draw.

    Where true values are lost, what every set of the faults costs together once they are done again. Beside faults that
    can only be undone, what can only be done again counts by itself.
    """
    worth: dict[Coalition, Floats] = {(): np.zeros(len(draws.weights) + 1)}
    again = [one.again for one in remedies if one.again is not None]
    lost = {i: one.again for i, one in enumerate(remedies) if one.again is not None and one.only_again}
    same_rows = len(again) == len(remedies) and all(one.usual is again[0].usual for one in again)
    once_more = same_rows and not all(one.exact for one in remedies)
    for size in range(1, len(remedies) + 1):
        for chosen in combinations(range(len(remedies)), size):
            if once_more:
                share, shares = shares_done_again(facts, [again[i] for i in chosen])
            else:
                share, shares = draws.draws(judged_with(facts, *(remedies[i] for i in chosen if i not in lost)))
                for i in lost.keys() & set(chosen):
                    alone, drawn_alone = shares_done_again(facts, [lost[i]])
                    share, shares = share + alone, shares + drawn_alone
            worth[chosen] = np.concatenate([[share], shares])
    return worth


def shapley(worth: dict[Coalition, Floats], one: int, players: int) -> Floats:
    """A player's part of what all are worth together: what it adds, averaged over all orders.

    >>> worth = {(): np.array([0.0]), (0,): np.array([0.6]), (1,): np.array([0.5]), (0, 1): np.array([0.8])}
    >>> [round(float(shapley(worth, player, 2)[0]), 2) for player in (0, 1)]
    [0.45, 0.35]
    """
    added = np.zeros_like(worth[()])
    others = [i for i in range(players) if i != one]
    for size in range(players):
        for before in combinations(others, size):
            with_it = tuple(sorted((*before, one)))
            added = added + (worth[with_it] - worth[before]) / (players * comb(players - 1, size))
    return added


def repaired_facts(facts: Facts, outcomes: Sequence[Outcome]) -> Facts | None:
    """The facts with the incident's rows under all standing causes' remedies; None where they can't be rejudged."""
    remedies = [one.remedy for one in outcomes if one.remedy is not None and one.verdict in STANDING and one.share]
    if not remedies:
        return facts
    sample, keep = remedied(facts, remedies)
    outcome = outcomes_of(facts.metric.judgement, sample.y, sample.p, sample.score)
    return None if outcome is None else replace(facts, during=replace(sample, outcome=outcome).where(keep))


def scaled(share: Interval, by: float) -> Interval:
    """A share of a part as a share of the whole.

    >>> scaled(Interval(0.5, 0.4, 0.6, 9), 0.5)
    Interval(value=0.25, low=0.2, high=0.3, n=9)
    """
    return Interval(share.value * by, share.low * by, share.high * by, share.n)


def remainder(explained: Interval, world: Sequence[Interval]) -> Interval:
    """What is left of one; the limits take the parts as independent.

    >>> left = remainder(Interval(0.5, 0.4, 0.6, 9), [Interval(0.25, 0.15, 0.35, 9)])
    >>> left.value, round(left.low, 3), round(left.high, 3)
    (0.25, 0.109, 0.391)
    """
    known = (explained, *world)
    value = 1 - sum(one.value for one in known)
    down = float(np.sqrt(sum((one.high - one.value) ** 2 for one in known)))
    up = float(np.sqrt(sum((one.value - one.low) ** 2 for one in known)))
    return Interval(value, value - down, value + up, explained.n)
