"""How well a supposed corruption, put into the baseline's rows, explains what the incident's rows look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mortis.integrity.kinds.coding import Code, counts, value_shares
from mortis.integrity.kinds.hellinger import apart
from mortis.integrity.kinds.pair import Change, Coded, Pair, fine_code, plain_code
from mortis.integrity.kinds.repair import Region
from mortis.profiles import Floats
from mortis.rows import Column, Ints, is_number

NEARLY = 0.02
ALL_STRUCK = 0.95
PARTLY = 0.03
CONSTANT = 0.98


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well a corruption fits (0..1), the share of rows it struck, and how far the distribution stays off.

    `off` is the largest difference of cumulative shares that remains (0 for texts): it tells near parameters apart.
    """

    fit: float
    share: float
    off: float = 0.0

    @property
    def freedom(self) -> float:
        """What supposing that only a part of the rows was struck costs: it is one more thing that was fitted."""
        return PARTLY if self.share < ALL_STRUCK else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """One feature in one region: its values before and after, and their counts given each related column.

    `excess` is the mean change over the views, `chance` its standard deviation where nothing changed, `natural` the
    change that would be nothing special: the baseline's own, and three such deviations. `telling` are the views in
    which the baseline itself is steadier.
    """

    feature: str
    region: Region
    before: Column
    after: Column
    code: Code
    views: tuple[Coded, ...]
    old: tuple[Floats, ...]
    new: tuple[Floats, ...]
    excess: float
    chance: float
    natural: float
    given: tuple[str, ...]
    telling: tuple[int, ...]

    @property
    def alone(self) -> Judge:
        """The same judge, looking at the feature by itself."""
        excess = float(apart(self.old[0], self.new[0]).excess)
        return replace(
            self, views=self.views[:1], old=self.old[:1], new=self.new[:1], excess=excess, given=(), telling=(0,)
        )

    def thinned(self, places: Ints) -> Judge:
        """The same judge with fewer baseline rows, for a first look."""
        before = self.before[places]
        views = tuple(Coded(view.before[places], view.after, view.size) for view in self.views)
        x = self.code.of(before)
        old = tuple(counts(x, view.before, (view.size, self.code.size)) for view in views)
        return replace(self, before=before, views=views, old=old)

    def weigh(self, forward: Column) -> Verdict:
        """The verdict on a corruption that turns the region's baseline values into `forward`.

        Not every row need be struck: the share that is follows by least squares from the counts.
        """
        codes = self.code.of(forward)
        old, new = [self.old[i] for i in self.telling], [self.new[i] for i in self.telling]
        put_in = [counts(codes, self.views[i].before, (self.views[i].size, self.code.size)) for i in self.telling]
        share = struck_share(old, put_in, new)
        if self.excess <= 0 or share <= 0:
            return Verdict(0.0, 0.0, 1.0)
        left = remaining(old, put_in, new, share)
        # All rows, unless a part of them explains clearly more: beyond what chance leaves.
        whole = remaining(old, put_in, new, 1.0)
        if max(0.0, whole) <= max(0.0, left) + NEARLY * self.excess + self.chance:
            share, left = 1.0, whole
        fit = 1 - max(0.0, left) / self.excess
        trust = max(0.0, 1 - self.natural / self.excess)
        off = _off(self.before, forward, self.after, share) if is_number(forward) else 0.0
        return Verdict(float(np.clip(fit * trust, 0, 1)), share, off)

    def odds(self, forward: Column, share: float, values: Column, given: Ints) -> Floats:
        """Probability that rows with these values and codes of the first related column were struck."""
        view = self.views[min(1, len(self.views) - 1)]
        shape = (view.size, self.code.size)
        kept = _conditional(self.old[min(1, len(self.views) - 1)])
        hit = _conditional(counts(self.code.of(forward), view.before, shape))
        table = share * hit / np.maximum(share * hit + (1 - share) * kept, 1e-12)
        return np.asarray(table[given, self.code.of(values)], dtype=np.float64)


def judge_of(
    pair: Pair, change: Change, feature: str | None = None, *, apart_from: tuple[str, ...] = (), plain: bool = False
) -> Judge:
    """The judge of a change; of another feature in the same region where one is named.

    Related columns named in `apart_from` aren't looked at: they are thought to be struck too. `plain` looks at few
    codes of the feature: enough to see what it has to do with others.
    """
    name = feature or change.feature
    old_rows, new_rows = change.region.in_scope(pair.before), change.region.rows(pair.after)
    before, after = pair.before.features[name][old_rows], pair.after.features[name][new_rows]
    code = plain_code(before) if plain or change.plain else fine_code(before, after)
    kept = [Coded(view.before[old_rows], view.after[new_rows], view.size) for view in pair.views(name)]
    named = (None, *pair.related[name])
    views = tuple(view for view, column in zip(kept, named, strict=True) if column not in apart_from)
    x_old, x_new = code.of(before), code.of(after)
    old = tuple(counts(x_old, view.before, (view.size, code.size)) for view in views)
    new = tuple(counts(x_new, view.after, (view.size, code.size)) for view in views)
    known = pair.changed.get(name)
    restless = change.restless if name == change.feature else known.restless if known else ()
    kept_names = [column or "" for column in named if column not in apart_from]
    telling = tuple(i for i, column in enumerate(kept_names) if column not in restless) or tuple(range(len(views)))
    distances = [apart(old[i], new[i]) for i in telling]
    excess = float(np.mean([one.excess for one in distances]))
    chance = float(np.mean([one.sd for one in distances]) / np.sqrt(len(distances)))
    natural = change.natural + 3 * chance
    given = tuple(column for column in pair.related[name] if column not in apart_from)
    return Judge(name, change.region, before, after, code, views, old, new, excess, chance, natural, given, telling)


def number_judges(pair: Pair) -> Iterator[Judge]:
    """The judges of the changes of numbers that still tell rows apart: what went constant can't be turned back."""
    for change in pair.changes:
        if is_number(pair.before.features[change.feature]):
            judge = judge_of(pair, change)
            if not _went_constant(judge):
                yield judge


def _went_constant(judge: Judge) -> bool:
    before, after = (max(value_shares(column)[1], default=0.0) for column in (judge.before, judge.after))
    return bool(after >= CONSTANT > before)


def struck_share(old: Sequence[Floats], put_in: Sequence[Floats], new: Sequence[Floats]) -> float:
    """The share of rows (0..1) whose corruption brings the mixture nearest to the counts seen."""
    above = below = 0.0
    for a, f, b in zip(old, put_in, new, strict=True):
        mix = b.sum(-1, keepdims=True) / max(1.0, b.sum())
        p, q, g = (mix * part / np.maximum(part.sum(-1, keepdims=True), 1.0) for part in (a, b, f))
        weight = 1 / np.maximum(p + q + g, 1e-9)
        above += float((weight * (q - p) * (g - p)).sum())
        below += float((weight * np.square(g - p)).sum())
    return float(np.clip(above / below, 0.0, 1.0)) if below > 1e-9 else 0.0


def remaining(old: Sequence[Floats], put_in: Sequence[Floats], new: Sequence[Floats], share: float) -> float:
    """The change that is left between the baseline with the corruption in it and the incident, mean over the views."""
    left = []
    for a, f, b in zip(old, put_in, new, strict=True):
        n = a.sum(-1, keepdims=True)
        mixed = n * ((1 - share) * a / np.maximum(n, 1.0) + share * f / np.maximum(f.sum(-1, keepdims=True), 1.0))
        left.append(float(apart(mixed, b).excess))
    return float(np.mean(left))


def _conditional(table: Floats) -> Floats:
    """Shares of x given z, drawn towards those of x alone where rows are few."""
    alone = table.sum(0) + 0.05
    alone = alone / alone.sum()
    smoothed: Floats = (table + 3 * alone) / (table.sum(-1, keepdims=True) + 3)
    return smoothed


def _off(before: Column, forward: Column, after: Column, share: float) -> float:
    """Kolmogorov's distance of the incident's values, nulls below all, from a mixture of untouched and struck ones."""
    whole = [np.asarray(column, dtype=np.float64) for column in (before, forward, after)]
    if not all(map(len, whole)):
        return 1.0
    below = np.nanmin(np.concatenate([*whole, [0.0]])) - 1
    old, hit, new = (np.sort(np.where(np.isnan(column), below, column)) for column in whole)
    # Multiplying and dividing costs the last digits; a value must still count as reached.
    at = new + 1e-9 * np.abs(new)
    seen = np.searchsorted(new, at, side="right") / len(new)
    mixed = (1 - share) * np.searchsorted(old, at, side="right") / len(old)
    mixed += share * np.searchsorted(hit, at, side="right") / len(hit)
    return float(np.abs(seen - mixed).max())
