"""Baseline and incident rows side by side: how columns hang together, and where and when each one changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mortis.integrity.kinds.coding import Code, code_of, counts, grouped_counts
from mortis.integrity.kinds.hellinger import Apart, apart
from mortis.integrity.kinds.repair import VERSION, Bools, Region, texts_of
from mortis.profiles import Floats
from mortis.rows import Column, Ints, RowSample, is_number

MOST_ROWS = 8000
MOST_RELATED = 3
MOST_SCOPE_VALUES = 30
FEWEST_ROWS = 40
BLOCKS = 16
LEAST_CERTAIN = 6.0
LEAST_CHANGE = 0.0012
AS_WHOLLY = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """One column's codes in both windows, and how many codes there are."""

    before: Ints
    after: Ints
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A feature that changed: in which rows, by how much there, and by how much within the baseline itself.

    `excess` is the squared Hellinger distance above chance, averaged over the feature alone and given each related
    column; `natural` the largest of the same between a stretch of the baseline and the rest of it, beyond chance.
    `plain`: it shows in few codes only. `restless` names the related columns ("" for none) given which the feature
    changed no more than it does within the baseline: they tell nothing.
    """

    feature: str
    region: Region
    excess: float
    natural: float
    plain: bool
    restless: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """At most 8,000 rows of each window, with coarse codes of every column and each feature's related columns.

    `related` names up to three columns that tell most about the feature in the baseline, best first. `scopes` are the
    text columns and the version, coded finely enough to name a value. `incident` has all rows, `coding` the coarse
    codings for rows that aren't in the pair, and `seed` what stand-ins are drawn with.
    """

    before: RowSample
    after: RowSample
    incident: RowSample
    seed: int
    coding: Mapping[str, Code]
    coarse: Mapping[str, Coded]
    related: Mapping[str, tuple[str, ...]]
    scopes: Mapping[str, tuple[Coded, tuple[str, ...]]]
    changes: tuple[Change, ...]

    @property
    def changed(self) -> dict[str, Change]:
        """The changes by feature, each where it was located."""
        return {change.feature: change for change in reversed(self.changes)}

    def views(self, feature: str) -> tuple[Coded, ...]:
        """What the feature is looked at given: nothing, then each related column."""
        nothing = Coded(np.zeros(len(self.before), np.int64), np.zeros(len(self.after), np.int64), 1)
        return (nothing, *(self.coarse[name] for name in self.related[feature]))


def pair_of(baseline: RowSample, incident: RowSample, *, seed: int) -> Pair:
    """The two samples, thinned, with the features that changed beyond chance and beyond the baseline's own changes."""
    before, after = _thin(baseline), _thin(incident)
    names = [name for name in before.features if _comparable(before, after, name)]
    coding = {name: coarse_code(before.features[name]) for name in names}
    coarse = {
        name: Coded(code.of(before.features[name]), code.of(after.features[name]), code.size)
        for name, code in coding.items()
    }
    scopes = _scopes(before, after, names)
    pair = Pair(before, after, incident, seed, coding, coarse, _related(coarse), scopes, ())
    return replace(pair, changes=tuple(change for name in names for change in find_changes(pair, name)))


def coarse_code(before: Column) -> Code:
    """A coding made for the baseline, with few codes."""
    code = code_of([before], bins=6, least=0.05)
    return code if is_number(before) else Code(code.atoms[:7], code.edges)


def _thin(sample: RowSample) -> RowSample:
    """Evenly spaced rows, in the order of time; of a ranking all rows of evenly spaced queries."""
    order = np.argsort(sample.second, kind="stable")
    if len(order) > MOST_ROWS and sample.group is not None:
        queries = sample.group[order][np.sort(np.unique(sample.group[order], return_index=True)[1])]
        some = queries[np.linspace(0, len(queries) - 1, MOST_ROWS * len(queries) // len(order)).astype(np.int64)]
        order = order[np.isin(sample.group[order], some)]
    elif len(order) > MOST_ROWS:
        order = order[np.linspace(0, len(order) - 1, MOST_ROWS).astype(np.int64)]
    return sample.where(order)


def _comparable(before: RowSample, after: RowSample, name: str) -> bool:
    """Whether both windows have the feature, as the same kind of column."""
    return name in after.features and is_number(before.features[name]) == is_number(after.features[name])


def _related(coarse: Mapping[str, Coded]) -> dict[str, tuple[str, ...]]:
    """Per column the others that tell most about it in the baseline, those that kept their own distribution first."""
    steady = {
        name: float(apart(tally(one.before, one.size), tally(one.after, one.size)).excess) < 0.02
        for name, one in coarse.items()
    }
    names = list(coarse)
    told = np.zeros((len(names), len(names)))
    for i, one in enumerate(names):
        for j in range(i):
            told[i, j] = told[j, i] = _information(coarse[one], coarse[names[j]])
    found: dict[str, tuple[str, ...]] = {}
    for i, name in enumerate(names):
        best = [names[j] for j in np.argsort(-told[i], kind="stable") if told[i, j] > 0.002]
        kept = [other for other in best if steady[other]]
        found[name] = tuple((kept if len(kept) > 1 else kept + [o for o in best if o not in kept])[:MOST_RELATED])
    return found


def tally(codes: Ints, size: int) -> Floats:
    """The counts of one column by itself: (1, x)."""
    return counts(codes, np.zeros(len(codes), np.int64), (1, size))


def _information(one: Coded, other: Coded) -> float:
    """Mutual information of two columns in the baseline, in nats, less what chance would show (Miller and Madow)."""
    joint = counts(one.before, other.before, (other.size, one.size))
    n = max(1.0, float(joint.sum()))
    rows, columns = joint.sum(1), joint.sum(0)
    expected = rows[:, None] * columns / n
    seen = joint > 0
    told: float = float((joint[seen] * np.log(joint[seen] / expected[seen])).sum() / n)
    chance = float(((rows > 0).sum() - 1) * ((columns > 0).sum() - 1)) / (2 * float(n))
    return told - chance


def _scopes(before: RowSample, after: RowSample, names: list[str]) -> dict[str, tuple[Coded, tuple[str, ...]]]:
    """The columns whose values a corruption may be bound to."""
    found: dict[str, tuple[Coded, tuple[str, ...]]] = {}
    columns = [name for name in names if not is_number(before.features[name])]
    for name in (*columns, VERSION):
        old, new = texts_of(before, name), texts_of(after, name)
        code = code_of([old, new], bins=MOST_SCOPE_VALUES, least=0.01)
        values = tuple(str(value) for value in code.atoms[:MOST_SCOPE_VALUES])
        if len(values) > 1:
            kept = Code(values, np.empty(0))
            found[name] = (Coded(kept.of(old), kept.of(new), kept.size), values)
    return found


def find_changes(pair: Pair, feature: str) -> tuple[Change, ...]:
    """Where and when the feature changed; nothing where it didn't, or no more than the baseline itself does.

    Where the change was located in one value of a column, the same without that bound follows: what changed may
    chiefly occur there. Where the feature's fine codes show nothing, its plain ones are asked.
    """
    before, after = pair.before.features[feature], pair.after.features[feature]
    for plain, code in ((False, fine_code(before, after)), (True, plain_code(before))):
        x = Coded(code.of(before), code.of(after), code.size)
        scope = _scope(pair, feature, x)
        found = _change_in(pair, feature, x, _with_time(pair, feature, x, Region(*(scope or ()))), plain=plain)
        if found is None:
            continue
        whole = replace(found.region, column=None, value=None)
        wider = _change_in(pair, feature, x, whole, plain=plain) if scope else None
        return (found,) if wider is None else (found, wider)
    return ()


def _change_in(pair: Pair, feature: str, x: Coded, region: Region, *, plain: bool) -> Change | None:
    """The feature's change in a region; None where it is too small."""
    old_rows, new_rows = region.in_scope(pair.before), region.rows(pair.after)
    if min(old_rows.sum(), new_rows.sum()) < FEWEST_ROWS:
        return None
    distances = []
    for z in pair.views(feature):
        shape = (z.size, x.size)
        old = counts(x.before[old_rows], z.before[old_rows], shape)
        distances.append(apart(old, counts(x.after[new_rows], z.after[new_rows], shape)))
    excess, sd = (
        np.array([float(part) for part in parts]) for parts in zip(*((d.excess, d.sd) for d in distances), strict=True)
    )
    natural = _natural(pair, feature, x, old_rows)
    restless = (natural > 0.001) & (excess < 1.5 * natural)
    if restless.all():
        return None
    in_all = float(excess[~restless].mean() * new_rows.mean())
    certain = float((excess / np.maximum(sd, 1e-12))[~restless].max())
    if certain < LEAST_CERTAIN or in_all < LEAST_CHANGE:
        return None
    names = np.array(["", *pair.related[feature]], dtype=object)[restless]
    return Change(
        feature, region, float(excess[~restless].mean()), float(natural[~restless].mean()), plain, tuple(names)
    )


def fine_code(before: Column, after: Column) -> Code:
    """Codes for both windows together: up to sixteen bins, fewer where rows are few."""
    rows = max(1, min(len(before), len(after)))
    bins = int(np.clip(np.sqrt(rows) / 5, 6, 16))
    return code_of([before, after], bins=bins, least=0.3 / bins)


def plain_code(before: Column) -> Code:
    """Few codes, for changes that many would drown: numbers by null, frequent values, four bins."""
    return code_of([before], bins=4, least=0.2) if is_number(before) else coarse_code(before)


def _natural(pair: Pair, feature: str, x: Coded, inside: Bools) -> Floats:
    """By view the largest change between a quarter of the baseline's time and the rest; 0 where time stands still."""
    rows = np.flatnonzero(inside)
    second = pair.before.second[rows]
    if len(rows) < 4 * FEWEST_ROWS or second[0] == second[-1]:
        return np.zeros(len(pair.views(feature)))
    quarter = (np.arange(len(rows)) * 4) // len(rows)
    largest = []
    for z in pair.views(feature):
        table = grouped_counts(quarter, x.before[rows], z.before[rows], (4, z.size, x.size))
        found = apart(table.sum(0) - table, table)
        largest.append(max(0.0, float((found.excess - 2 * found.sd).max())))
    return np.array(largest)


def _by_group(pair: Pair, feature: str, x: Coded, group: Coded) -> Apart:
    """The feature's change within each group, averaged over the views."""
    parts = []
    for z in pair.views(feature):
        shape = (group.size, z.size, x.size)
        parts.append(
            apart(
                grouped_counts(group.before, x.before, z.before, shape),
                grouped_counts(group.after, x.after, z.after, shape),
            )
        )
    return _mean(parts)


def _mean(parts: list[Apart]) -> Apart:
    return Apart(
        np.mean([one.excess for one in parts], axis=0), np.mean([one.sd for one in parts], axis=0), parts[0].rows
    )


def _scope(pair: Pair, feature: str, x: Coded) -> tuple[str, str] | None:
    """The column and value whose rows hold nearly all of the change; None where it is spread.

    Of those that hold it about as wholly, the one whose rows changed most: the narrowest.
    """
    held: list[tuple[float, float, str, str]] = []
    for name, (group, values) in pair.scopes.items():
        if name == feature:
            continue
        found = _by_group(pair, feature, x, group)
        enough = np.minimum(np.bincount(group.before, minlength=group.size), found.rows) >= FEWEST_ROWS
        level = np.where(enough, np.maximum(found.excess - found.sd, 0.0), 0.0)
        mass = level * found.rows
        top = int(np.argmax(mass))
        if not 1 <= top <= len(values) or found.excess[top] < LEAST_CERTAIN * found.sd[top]:
            continue
        others = (mass.sum() - mass[top]) / max(1.0, found.rows.sum() - found.rows[top])
        located = float(mass[top] / mass.sum())
        if located >= 0.75 and others <= 0.15 * level[top] and found.rows[top] <= 0.9 * found.rows.sum():
            held.append((located - others / float(level[top]), float(level[top]), name, values[top - 1]))
    wholly = max((one[0] for one in held), default=0.0) - AS_WHOLLY
    narrowest = max((one for one in held if one[0] >= wholly), key=lambda one: one[1], default=None)
    return narrowest[2:] if narrowest else None


def _with_time(pair: Pair, feature: str, x: Coded, region: Region) -> Region:
    """The region cut to the stretch of the incident window that changed, where the rest of it didn't."""
    inside = region.in_scope(pair.before)
    rows = np.flatnonzero(region.in_scope(pair.after))
    blocks = min(BLOCKS, len(rows) // (2 * FEWEST_ROWS))
    if blocks < 3 or pair.after.second[rows[0]] == pair.after.second[rows[-1]]:
        return region
    block = (np.arange(len(rows)) * blocks) // len(rows)
    parts = []
    for z in pair.views(feature):
        old = counts(x.before[inside], z.before[inside], (z.size, x.size))
        parts.append(apart(old[None], grouped_counts(block, x.after[rows], z.after[rows], (blocks, z.size, x.size))))
    found = _mean(parts)
    start, end = _stretch(found.excess)
    within = np.arange(blocks)
    struck = (within >= start) & (within < end)
    if not _stands_out(found, struck, (within == start - 1) | (within == end)):
        return region
    odds = _odds(x, pair.views(feature), inside, rows, struck[block])
    edges = np.searchsorted(block, [start, end])
    reach = len(rows) // blocks + 1
    first, last = _cut(odds, edges[0], reach), _cut(-odds, edges[1], reach)
    second = pair.after.second[rows]
    return Region(
        region.column,
        region.value,
        int(second[first]) if start > 0 else None,
        int(second[last]) if end < blocks else None,
    )


def _stands_out(found: Apart, struck: Bools, beside: Bools) -> bool:
    """Whether the struck blocks changed and the others didn't; those beside them may be struck in part."""
    level = float(found.excess[struck].mean())
    if struck.all() or level < LEAST_CERTAIN * float(found.sd.max()):
        return False
    far = ~struck & ~beside
    if far.any():
        return float(found.excess[far].mean()) <= 0.15 * level
    return float(found.excess[~struck].mean()) <= 0.6 * level


def _stretch(level: Floats) -> tuple[int, int]:
    """The contiguous blocks that are best told from the others by their mean level."""
    n, total = len(level), np.concatenate([[0.0], np.cumsum(level)])
    best, found = 0.0, (0, n)
    for start in range(n):
        for end in range(start + 1, n + 1):
            size = end - start
            if size == n:
                continue
            inside, outside = (total[end] - total[start]) / size, (total[n] - total[end] + total[start]) / (n - size)
            gain = size * (n - size) / n * (inside - outside) * abs(inside - outside)
            if gain > best:
                best, found = gain, (start, end)
    return found


def _odds(
    x: Coded,
    views: tuple[Coded, ...],
    inside: Bools,
    rows: Ints,
    struck: Bools,
) -> Floats:
    """Log odds of each incident row to come from the struck stretch rather than from the baseline."""
    z = views[min(1, len(views) - 1)]
    shape = (z.size, x.size)
    old = counts(x.before[inside], z.before[inside], shape) + 0.5
    new = counts(x.after[rows[struck]], z.after[rows[struck]], shape) + 0.5
    old, new = old / old.sum(-1, keepdims=True), new / new.sum(-1, keepdims=True)
    table: Floats = np.log(new / old)
    return table[z.after[rows], x.after[rows]]


def _cut(odds: Floats, edge: int, reach: int) -> int:
    """The place near `edge` from which on the log odds add up to most."""
    low, high = max(0, edge - reach), min(len(odds), edge + reach)
    if low >= high - 1:
        return min(edge, len(odds) - 1)
    ahead = np.cumsum(odds[low:high][::-1])[::-1]
    return low + int(np.argmax(ahead))
