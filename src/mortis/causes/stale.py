"""Values that stand still, seen in the log alone: held for hours, or again and again those of the days before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mortis.causes.earlier import comparable
from mortis.causes.facts import Bools, Facts, percent
from mortis.causes.infrastructure import first_rows
from mortis.causes.inputs import distance
from mortis.integrity.kinds.repair import Reenactment, Region, Repair
from mortis.rows import Column, Ints, RowSample, is_number

STILL = "still"
ALIKE = 0.7  # times as many groups as before, or the other way round
FIT = 0.94  # one value in place of many, or a step, fits better where it is that
HELD = 0.25  # more neighbours in time with equal values than the baseline has: values are held
RECURRING = 0.3  # more rows than in the baseline share their value with two others at least
FEWEST_VALUES = 5
RECENT = 3 * 86_400  # seconds: values of a feed that stopped are those of its last days
SURELY_RECENT = 0.9
FEWEST_ROWS = 200
FEWEST_DRAWN = 30
GRID = 0.01
CHANCE = 1.63  # Kolmogorov's distance that one in a hundred pairs of samples exceeds, times the root of their size


def stale_repairs(facts: Facts) -> Iterator[Repair]:
    """A repair for each feature whose values stand still; the true ones are lost, so that it is only done again."""
    if min(len(facts.before), len(facts.during)) < FEWEST_ROWS or np.ptp(facts.during.second) == 0:
        return
    # A row that is logged twice equals its neighbour, and holds nothing.
    once = replace(facts, before=_once(facts.before), during=_once(facts.during))
    for name in facts.before.features:
        told = _held(once, name) or _of_the_last_days(once, name)
        if told:
            share, statement = told
            yield Repair(
                kind=STILL,
                features=(name,),
                parameters={},
                statement=f"{name} {statement}",
                fit=FIT,
                region=Region(),
                share=share,
                rows=None,
                undo=lambda sample: sample,
                donors=True,
                reenacted=Reenactment(facts.before, _of_other_rows(facts, name, share)),
            )


def _once(sample: RowSample) -> RowSample:
    return sample.where(first_rows(sample))


def _held(facts: Facts, name: str) -> tuple[float, str] | None:
    """Rows that follow each other in time, of one value of a text column or of all, hold equal values."""
    best: tuple[float, str, float, float] | None = None
    groups = [""] + [other for other, column in facts.before.features.items() if not is_number(column)]
    for by in groups:
        if by == name or (by and not _parts_alike(facts, by)):
            continue
        before, during = (_equal_neighbours(sample, name, by) for sample in (facts.before, facts.during))
        more = (during[0] - during[1]) - (before[0] - before[1])
        if best is None or more > best[0]:
            best = (more, by, during[0], before[0])
    if best is None or best[0] < HELD or _top(facts.during.features[name]) > 0.9:
        return None
    more, by, now, usual = best
    each = f" of the same {by}" if by else ""
    share = float(np.sqrt(min(1.0, more / max(1e-9, 1 - usual))))
    statement = f"is held: {percent(now)} of rows{each} hold the value of the row before ({percent(usual)} before)"
    return share, statement


def _parts_alike(facts: Facts, by: str) -> bool:
    """Whether a column parts the rows into about as many groups as before: of fewer, neighbours in time are others."""
    before, during = (_groups(sample.features[by]) for sample in (facts.before, facts.during))
    return ALIKE * before <= during <= before / ALIKE


def _groups(column: Column) -> float:
    """How many groups of one size would part rows as finely as these do: one by Simpson's index."""
    shares = np.unique(comparable(column), return_counts=True)[1] / max(1, len(column))
    return float(1 / max(float((shares**2).sum()), 1e-12))


def _equal_neighbours(sample: RowSample, name: str, by: str) -> tuple[float, float]:
    """The share of rows equal to the one before in time, of their group, and as many as chance would give."""
    codes = np.unique(comparable(sample.features[name]), return_inverse=True)[1]
    group = (
        np.unique(comparable(sample.features[by]), return_inverse=True)[1] if by else np.zeros(len(sample), np.int64)
    )
    order = np.lexsort((sample.second, group))
    same_group = group[order][1:] == group[order][:-1]
    seen = float((codes[order][1:] == codes[order][:-1])[same_group].mean()) if same_group.any() else 0.0
    return seen, _by_chance(codes, group)


def _by_chance(codes: Ints, group: Ints) -> float:
    """The chance that two rows of one group hold one value."""
    pairs = np.unique(np.column_stack([group, codes]), axis=0, return_counts=True)
    rows = np.bincount(group)
    each = np.bincount(pairs[0][:, 0], weights=pairs[1] * (pairs[1] - 1.0))
    return float(each.sum() / max(1.0, float((rows * (rows - 1.0)).sum())))


def _of_the_last_days(facts: Facts, name: str) -> tuple[float, str] | None:
    """Values recur that hardly did before, and they are earlier ones.

    Those that the baseline knows are all of its last days. Where it knows none, as days lie between it and the onset,
    they are spread as its own are and lie on no grid, as rounded ones would.
    """
    column, before = facts.during.features[name], facts.before.features[name]
    if not is_number(column):
        return None
    n = min(len(column), len(before))
    recurring, old = _recurring(column), _recurring(before[-n:])
    share = float(recurring.mean() - old.mean())
    values = np.unique(np.asarray(column[recurring], dtype=float))
    if share < RECURRING or len(values) < FEWEST_VALUES:
        return None
    last = facts.before.second >= facts.during.second.min() - RECENT
    known, recent = np.isin(values, before), np.isin(values, before[last])
    if known.sum() < FEWEST_VALUES and not _as_drawn_before(values, column, before):
        return None
    if known.sum() >= FEWEST_VALUES and recent.sum() < SURELY_RECENT * known.sum():
        return None
    statement = (
        f"repeats itself: {percent(float(recurring.mean()))} of rows share their value with two others or more "
        f"({percent(float(old.mean()))} before), {len(values):,} values, as they were before the onset"
    )
    return min(1.0, share / max(1e-9, 1 - float(old.mean()))), statement


def _as_drawn_before(values: Column, column: Column, before: Column) -> bool:
    """Whether few values are spread as the baseline's are, with gaps that are no multiples of the smallest."""
    gaps = np.diff(values.astype(float))
    steps = gaps / gaps.min()
    on_grid = float((np.abs(steps - np.round(steps)) < GRID).mean())
    chance = CHANCE * float(np.sqrt(1 / len(values) + 1 / len(before)))
    return len(values) >= FEWEST_DRAWN and on_grid < 0.5 and distance(before, column) <= chance


def _recurring(column: Column) -> Bools:
    """Which rows (n,) hold a value that two others hold as well; nulls don't count."""
    known = ~np.isnan(np.asarray(column, dtype=float))
    _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    return np.asarray(known & (counts[place] >= 3), dtype=np.bool_)


def _top(column: Column) -> float:
    """The share of the commonest value."""
    return float(np.unique(comparable(column), return_counts=True)[1].max() / max(1, len(column)))


def _of_other_rows(facts: Facts, name: str, share: float) -> RowSample:
    """The baseline's rows, so many of them with the value of another: what stands still tells nothing of its row."""
    rng, column = facts.rng(), facts.before.features[name].copy()
    rows = rng.random(len(column)) < share
    column[rows] = rng.permutation(facts.before.features[name])[rows]
    return facts.before.with_feature(name, column)
