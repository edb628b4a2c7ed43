"""Values that belong to another column or to another row: swapped, overwritten, joined to the wrong rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from mortis.integrity.kinds.judge import judge_of
from mortis.integrity.kinds.pair import Change, Pair
from mortis.integrity.kinds.proposal import (
    Chooser,
    Proposal,
    Told,
    likely_struck,
    restored,
    suppose,
    suppose_together,
)
from mortis.integrity.kinds.repair import Bools
from mortis.rows import Column, RowSample, is_number

MOST_TOGETHER = 5
REGIONS_TRIED = 2
ALIKE = 0.5


def propose_swaps(pair: Pair) -> Iterator[Proposal]:
    """Two columns changed places."""
    changed = pair.changed
    for one, other in combinations(pair.coarse, 2):
        if is_number(pair.before.features[one]) != is_number(pair.before.features[other]):
            continue
        strongest = sorted((changed[n] for n in (one, other) if n in changed), key=lambda c: -c.excess)
        if len(strongest) == 2:
            found = _as_swap(pair, strongest[0], one, other)
            if found:
                yield found


def propose_overwrites(pair: Pair) -> Iterator[Proposal]:
    """One column's values were written into another, which lost its own."""
    for change in pair.changes:
        name, judge = change.feature, judge_of(pair, change)
        rows = change.region.in_scope(pair.before)
        for source in _same_kind(pair, name):
            column, now = pair.before.features[source], pair.after.features
            agree = float(np.mean(_equal(now[name], now[source])[change.region.rows(pair.after)]))
            if agree < 0.15 + float(np.mean(_equal(judge.before, column[rows]))):
                continue
            told = Told("overwritten", {"by": source}, f"holds the values of {source}")
            yield restored(pair, suppose(judge, column[rows]), told, struck=_agreeing(name, source))


def propose_permutations(pair: Pair) -> Iterator[Proposal]:
    """Rows got other rows' values: each column by itself looks as before, but no longer goes with the others."""
    moved = [change for change in pair.changes if _kept_alone(pair, change)]
    for change in moved:
        yield from _as_permutation(pair, change, (change.feature,))
    by_size = sorted(moved, key=lambda change: -change.excess)
    names = list(dict.fromkeys(change.feature for change in by_size))[:MOST_TOGETHER]
    groups: list[tuple[str, ...]] = list(combinations(names, 2))
    if len(names) > 2:
        groups.append(tuple(names))
    for group in groups:
        regions = {c.region: c for c in reversed(by_size) if c.feature in group and c.region.column not in group}
        for change in list(regions.values())[-REGIONS_TRIED:]:
            yield from _as_permutation(pair, change, group)


def _kept_alone(pair: Pair, change: Change) -> bool:
    """Whether a feature by itself changed by little of what it changed by given the related columns."""
    if not pair.related[change.feature]:
        return False
    judge = judge_of(pair, change, plain=True)
    return judge.alone.excess <= 0.35 * judge.excess


def _as_permutation(pair: Pair, change: Change, group: tuple[str, ...]) -> Iterator[Proposal]:
    judges = tuple(judge_of(pair, change, name, apart_from=group, plain=True) for name in group)
    if any(len(judge.views) < 2 or judge.excess <= judge.natural for judge in judges):
        return
    order = np.random.default_rng(pair.seed).permutation(len(judges[0].before))
    supposed = suppose_together(judges, tuple(judge.before[order] for judge in judges))
    says = "belongs to other rows" if len(group) == 1 else "belong to other rows, together"
    yield restored(pair, supposed, Told("permutation", {}, says, cost=0.03))


def _same_kind(pair: Pair, name: str) -> list[str]:
    number = is_number(pair.before.features[name])
    return [other for other in pair.coarse if other != name and is_number(pair.before.features[other]) == number]


def _as_swap(pair: Pair, change: Change, one: str, other: str) -> Proposal | None:
    judges = tuple(judge_of(pair, change, name, apart_from=(one, other)) for name in (one, other))
    forwards = (judges[1].before, judges[0].before)
    if any(judge.alone.weigh(forward).fit < ALIKE for judge, forward in zip(judges, forwards, strict=True)):
        return None
    supposed = suppose_together(judges, forwards)
    struck = likely_struck(pair, supposed)

    def undo(sample: RowSample) -> RowSample:
        rows, first, second = struck(sample), sample.features[one], sample.features[other]
        swapped = sample.with_feature(one, np.where(rows, second, first))
        return swapped.with_feature(other, np.where(rows, first, second))

    return Proposal(supposed, Told("swap", {"one": one, "other": other}, "changed places"), struck, undo)


def _equal(one: Column, other: Column) -> Bools:
    return np.asarray(one == other, dtype=np.bool_)


def _agreeing(name: str, source: str) -> Chooser:
    """The rows of a sample in which two columns hold the same value."""

    def chosen(sample: RowSample) -> Bools:
        return _equal(sample.features[name], sample.features[source])

    return chosen
