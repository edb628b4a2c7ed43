"""Numbers worked out with a wrong reference: off by another amount for each value of a column, or in wrong buckets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mortis.integrity.kinds.coding import value_shares
from mortis.integrity.kinds.judge import Judge, number_judges
from mortis.integrity.kinds.pair import FEWEST_ROWS, Pair
from mortis.integrity.kinds.proposal import Proposal, Told, likely_struck, restored, suppose
from mortis.integrity.kinds.repair import texts_of
from mortis.profiles import Floats
from mortis.rows import RowSample

LEVELS = np.linspace(0.05, 0.95, 19)
FEWEST_SHIFTED = 2
UNLIKE = 0.25  # of the feature's spread: so far apart must the largest and the smallest offset be
WITHIN = 0.1  # of the feature's spread: so alike must the quantiles of one value have moved
MOST_BUCKETS = 16
IN_BUCKETS = 0.9
DISPLACED = 0.3  # of the rows hold a bucket that their rank doesn't belong to; at the ends it stays the same
OUTSIDE = 0.02


def propose_references(pair: Pair) -> Iterator[Proposal]:
    """Statistics worked out anew and wrongly: each value of a column is off by its own amount, or buckets moved."""
    for judge in number_judges(pair):
        if judge.region.scope is not None:
            continue
        for name in pair.scopes:
            found = _by_value(pair, judge, name)
            if found is not None:
                yield found
        bucketed = _by_bucket(pair, judge)
        if bucketed is not None:
            yield bucketed


def _by_value(pair: Pair, judge: Judge, name: str) -> Proposal | None:
    """Offsets for each value of the column; None where they are alike, or no offset is what moved the values."""
    old, new = texts_of(pair.before, name), texts_of(pair.after, name)
    rows = np.flatnonzero(judge.region.rows(pair.after))
    late = rows[len(rows) // 2 :]  # what grows over days is there by then
    before, after = (one.features[judge.feature].astype(float) for one in (pair.before, pair.after))
    spread = float(np.nanstd(before))
    offsets: dict[str, float] = {}
    for value in pair.scopes[name][1]:
        own, now = before[old == value], after[late[new[late] == value]]
        own, now = own[~np.isnan(own)], now[~np.isnan(now)]
        if min(len(own), len(now)) < FEWEST_ROWS:
            return None
        moved = np.quantile(now, LEVELS) - np.quantile(own, LEVELS)
        offsets[value] = float(np.median(moved))
        if np.median(np.abs(moved - offsets[value])) > WITHIN * spread:
            return None
    known = list(offsets.values())
    # An offset of one value alone is another unit there.
    shifted = [by for by in known if abs(by) > WITHIN * spread]
    if len(shifted) < FEWEST_SHIFTED or max(known) - min(known) < UNLIKE * spread:
        return None
    shift = np.array([offsets.get(value, 0.0) for value in old.tolist()])
    supposed = suppose(judge, (before + shift)[judge.region.in_scope(pair.before)])
    struck = likely_struck(pair, supposed)
    rounded = {value: float(f"{by:.4g}") for value, by in offsets.items()}
    says = f"is off by another amount for each {name} ({', '.join(f'{v} {by:+.3g}' for v, by in rounded.items())})"
    told = Told("reference", {"by": name, **rounded}, says, cost=0.03)

    def undo(sample: RowSample) -> RowSample:
        by = np.array([offsets.get(value, 0.0) for value in texts_of(sample, name).tolist()])
        column = sample.features[judge.feature]
        return sample.with_feature(judge.feature, np.where(struck(sample), column.astype(float) - by, column))

    return Proposal(supposed, told, struck, undo)


def _by_bucket(pair: Pair, judge: Judge) -> Proposal | None:
    """Values that fell into few buckets, each of them another than their rank belongs to; None where they didn't.

    Rounding gives few values too, but each is near those that it stands for.
    """
    before, after = judge.before.astype(float), judge.after.astype(float)
    own, now = before[~np.isnan(before)], after[~np.isnan(after)]
    values, shares = value_shares(now)
    usual = np.sort(value_shares(own)[1])[::-1][:MOST_BUCKETS].sum()
    top = np.argsort(-shares)[:MOST_BUCKETS]
    if len(own) < FEWEST_ROWS or shares[top].sum() < IN_BUCKETS or usual > IN_BUCKETS / 2 or len(values) < 3:
        return None
    forward = before.copy()
    forward[~np.isnan(before)] = _coupled(own, now)
    levels = values[top].astype(float)
    if _displaced(own, forward[~np.isnan(before)], levels) < DISPLACED:
        return None
    says = "holds the middles of wrong buckets"
    return restored(pair, suppose(judge, forward), Told("reference", {"by": "bucket"}, says, cost=0.05))


def _coupled(own: Floats, now: Floats) -> Floats:
    """The values (n,) that those of the same rank hold now."""
    rank = (np.argsort(np.argsort(own, kind="stable"), kind="stable") + 0.5) / len(own)
    return np.asarray(np.quantile(now, rank, method="inverted_cdf"), dtype=np.float64)


def _displaced(own: Floats, forward: Floats, levels: Floats) -> float:
    """The share of rows whose level ranks, among the values before, outside those that became it."""
    ranked = np.sort(own)
    outside = np.zeros(len(own), bool)
    for level in levels:
        mine = forward == level
        if mine.any():
            low, high = (np.searchsorted(ranked, one) / len(own) for one in (own[mine].min(), own[mine].max()))
            place = np.searchsorted(ranked, level) / len(own)
            outside[mine] = not low - OUTSIDE <= place <= high + OUTSIDE
    return float(outside.mean())
