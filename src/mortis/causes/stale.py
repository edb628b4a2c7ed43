"""Values that stand still, seen in the log alone: held for hours, or again and again those of the days before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mortis.causes.earlier import comparable
from mortis.causes.facts import Bools, Facts, percent
from mortis.causes.infrastructure import first_rows
from mortis.causes.inputs import distance
from mortis.integrity.kinds.repair import Reenactment, Region, Repair
from mortis.rows import Column, Ints, RowSample, is_number

STILL = "still"
COMMON = 0.9  # of the rows with one value: that is a constant, and a cause of its own
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
    before, during = _Coded.of(once.before), _Coded.of(once.during)
    texts = [name for name, column in once.before.features.items() if not is_number(column)]
    # Where a column parts the rows into fewer groups than it did, neighbours in time are others.
    parts = {name: during.groups(name) / before.groups(name) for name in texts}
    groups = ["", *(name for name in texts if ALIKE <= parts[name] <= 1 / ALIKE)]
    for name in facts.before.features:
        told = _held(before, during, name, groups) or _of_the_last_days(once, name)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """A window's rows in the order of time: every feature's values as numbers (n,), equal where these are."""

    codes: Mapping[str, Ints]

    @classmethod
    def of(cls, sample: RowSample) -> _Coded:
        order = np.argsort(sample.second, kind="stable")
        coded = {
            name: np.unique(comparable(column), return_inverse=True)[1][order]
            for name, column in sample.features.items()
        }
        return cls({"": np.zeros(len(sample), np.int64), **coded})

    def groups(self, by: str) -> float:
        """How many groups of one size would part rows as finely as a column does: one by Simpson's index."""
        shares = np.bincount(self.codes[by]) / max(1, len(self.codes[by]))
        return float(1 / max(float((shares**2).sum()), 1e-12))

    def top(self, name: str) -> float:
        """The share of the commonest value."""
        return float(np.bincount(self.codes[name]).max(initial=0) / max(1, len(self.codes[name])))

    def equal_neighbours(self, name: str, by: str) -> tuple[float, float]:
        """The share of rows equal to the one before in time, of their group, and as many as chance would give."""
        codes, group = self.codes[name], self.codes[by]
        order = np.argsort(group, kind="stable")
        same_group = group[order][1:] == group[order][:-1]
        seen = float((codes[order][1:] == codes[order][:-1])[same_group].mean()) if same_group.any() else 0.0
        _, pairs = np.unique(group * (int(codes.max(initial=0)) + 1) + codes, return_counts=True)
        rows = np.bincount(group)
        alike, every = (float((n * (n - 1.0)).sum()) for n in (pairs, rows))
        return seen, alike / max(1.0, every)


def _held(before: _Coded, during: _Coded, name: str, groups: Sequence[str]) -> tuple[float, str] | None:
    """Rows that follow each other in time, of one value of a text column or of all, hold equal values."""
    if during.top(name) > COMMON:
        return None
    best: tuple[float, str, float, float] | None = None
    for by in (one for one in groups if one != name):
        (usual, by_chance), (now, now_by_chance) = (one.equal_neighbours(name, by) for one in (before, during))
        more = (now - now_by_chance) - (usual - by_chance)
        if best is None or more > best[0]:
            best = (more, by, now, usual)
    if best is None or best[0] < HELD:
        return None
    more, by, now, usual = best
    each = f" of the same {by}" if by else ""
    share = float(np.sqrt(min(1.0, more / max(1e-9, 1 - usual))))
    statement = f"is held: {percent(now)} of rows{each} hold the value of the row before ({percent(usual)} before)"
    return share, statement


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


def _of_other_rows(facts: Facts, name: str, share: float) -> RowSample:
    """The baseline's rows, so many of them with the value of another: what stands still tells nothing of its row."""
    rng, column = facts.rng(), facts.before.features[name].copy()
    rows = rng.random(len(column)) < share
    column[rows] = rng.permutation(facts.before.features[name])[rows]
    return facts.before.with_feature(name, column)
