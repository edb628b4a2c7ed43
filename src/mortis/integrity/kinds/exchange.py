"""Values that belong to another column or to another row: swapped, overwritten, joined to the wrong rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from mortis.integrity.kinds.hellinger import apart
from mortis.integrity.kinds.judge import Judge, Verdict, judge_of
from mortis.integrity.kinds.pair import Change, Pair, tally
from mortis.integrity.kinds.proposal import ALL_STRUCK, Chooser, Told, chance_struck, repair_of, restored
from mortis.integrity.kinds.repair import Bools, Repair
from mortis.rows import Column, RowSample, is_number

MOST_TOGETHER = 5
ALIKE = 0.5


def propose_swaps(pair: Pair) -> Iterator[Repair]:
    """Two columns changed places."""
    for one, other in _swappable(pair):
        change = max((pair.changes[name] for name in (one, other) if name in pair.changes), key=lambda c: c.excess)
        judges = [judge_of(pair, change, name, apart_from=(one, other)) for name in (one, other)]
        rows = change.region.in_scope(pair.before)
        forwards = [pair.before.features[name][rows] for name in (other, one)]
        verdicts = [judge.weigh(forward) for judge, forward in zip(judges, forwards, strict=True)]
        if min(verdict.fit for verdict in verdicts) > 0.3:
            yield _as_swap(pair, judges, verdicts, forwards)


def propose_overwrites(pair: Pair) -> Iterator[Repair]:
    """One column's values were written into another, which lost its own."""
    for name, change in pair.changes.items():
        judge = judge_of(pair, change)
        rows = change.region.in_scope(pair.before)
        for source in _same_kind(pair, name):
            column, now = pair.before.features[source], pair.after.features
            agree = float(np.mean(_equal(now[name], now[source])[change.region.rows(pair.after)]))
            if agree < 0.2 + float(np.mean(_equal(judge.before, column[rows]))):
                continue
            told = Told("overwritten", {"by": source}, f"holds the values of {source}")
            yield restored(pair, judge, judge.weigh(column[rows]), told, struck=_agreeing(name, source))


def propose_permutations(pair: Pair) -> Iterator[Repair]:
    """Rows got other rows' values: each column by itself looks as before, but no longer goes with the others."""
    moved = [change for change in pair.changes.values() if _kept_alone(pair, change)]
    names = [change.feature for change in moved]
    groups: list[tuple[str, ...]] = [(name,) for name in names]
    if len(names) <= MOST_TOGETHER:
        groups += combinations(names, 2)
    if len(names) > 2:
        groups.append(tuple(names))
    for group in groups:
        found = _as_permutation(pair, group)
        if found:
            yield found


def _kept_alone(pair: Pair, change: Change) -> bool:
    """Whether a feature by itself changed by little of what it changed by given the related columns."""
    if not pair.related[change.feature]:
        return False
    judge = judge_of(pair, change)
    return judge.alone.excess <= 0.35 * judge.excess


def _as_permutation(pair: Pair, group: tuple[str, ...]) -> Repair | None:
    change = max((pair.changes[name] for name in group), key=lambda one: one.excess)
    rng = np.random.default_rng(pair.seed)
    judges = [judge_of(pair, change, name, apart_from=group) for name in group]
    if any(len(judge.views) < 2 or judge.excess <= judge.natural for judge in judges):
        return None
    forwards = [judge.before[rng.permutation(len(judge.before))] for judge in judges]
    verdicts = [judge.weigh(forward) for judge, forward in zip(judges, forwards, strict=True)]
    fit = float(np.average([v.fit for v in verdicts], weights=[j.excess for j in judges]))
    share = float(np.mean([v.share for v in verdicts]))
    first = judges[int(np.argmax([judge.excess for judge in judges]))]
    forward = forwards[judges.index(first)]

    def struck(sample: RowSample) -> Bools:
        if share >= ALL_STRUCK:
            return np.ones(len(sample), dtype=np.bool_)
        return np.asarray(chance_struck(pair, first, share, forward, sample) > 0.5, dtype=np.bool_)

    says = "belongs to other rows" if len(group) == 1 else "belong to other rows, together"
    told = Told("permutation", {}, says, cost=0.03)
    return restored(pair, first, Verdict(fit, share), told, struck=struck, features=group)


def _swappable(pair: Pair) -> list[tuple[str, str]]:
    """Pairs of columns of one kind, at least one of which changed, where each looks more like the other did."""
    found = []
    names = [name for name in pair.coarse if name in pair.changes]
    for one in names:
        for other in _same_kind(pair, one):
            if other in names and other < one:
                continue
            if _nearer(pair, one, other) and _nearer(pair, other, one):
                found.append((one, other))
    return found


def _nearer(pair: Pair, one: str, other: str) -> bool:
    """Whether a column's values after lie nearer to another's before than to its own."""
    region = (pair.changes.get(one) or pair.changes[other]).region
    rows = region.rows(pair.after)
    code, other_code = pair.coding[one], pair.coding[other]
    seen = pair.after.features[one][rows]
    own = apart(tally(code.of(pair.before.features[one]), code.size), tally(code.of(seen), code.size))
    theirs = apart(
        tally(other_code.of(pair.before.features[other]), other_code.size),
        tally(other_code.of(seen), other_code.size),
    )
    return float(theirs.excess) < ALIKE * float(own.excess)


def _same_kind(pair: Pair, name: str) -> list[str]:
    number = is_number(pair.before.features[name])
    return [other for other in pair.coarse if other != name and is_number(pair.before.features[other]) == number]


def _as_swap(pair: Pair, judges: list[Judge], verdicts: list[Verdict], forwards: list[Column]) -> Repair:
    one, other = judges[0].feature, judges[1].feature
    region, share = judges[0].region, float(np.mean([v.share for v in verdicts]))
    fit = float(np.average([v.fit for v in verdicts], weights=[j.excess for j in judges]))
    sure = judges[int(np.argmax([judge.excess for judge in judges]))]

    def struck(sample: RowSample) -> Bools:
        rows = region.rows(sample)
        if share < ALL_STRUCK:
            rows &= chance_struck(pair, sure, share, forwards[judges.index(sure)], sample) > 0.5
        return rows

    def undo(sample: RowSample) -> RowSample:
        rows, first, second = struck(sample), sample.features[one], sample.features[other]
        swapped = sample.with_feature(one, np.where(rows, second, first))
        return swapped.with_feature(other, np.where(rows, first, second))

    told = Told("swap", {"one": one, "other": other}, "changed places")
    return repair_of(pair, region, (one, other), Verdict(fit, share), told, struck=struck, undo=undo)


def _equal(one: Column, other: Column) -> Bools:
    return np.asarray(one == other, dtype=np.bool_)


def _agreeing(name: str, source: str) -> Chooser:
    """The rows of a sample in which two columns hold the same value."""

    def chosen(sample: RowSample) -> Bools:
        return _equal(sample.features[name], sample.features[source])

    return chosen
