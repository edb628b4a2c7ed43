"""Stand-ins for values that a corruption lost: drawn from baseline rows that are alike in the related columns."""

from __future__ import annotations

import numpy as np

from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.repair import Bools
from mortis.rows import Ints, RowSample


def donors_for(
    pair: Pair,
    sample: RowSample,
    rows: Bools,
    *,
    like: tuple[str, ...],
    pool: Bools | None = None,
    own: tuple[Ints, Ints] | None = None,
) -> Ints:
    """For each marked row of the sample the place of a row of `pair.before`, drawn among those like it.

    Alike is who has the same coarse codes in the columns `like`; where nobody has, the last of the columns is dropped,
    and so on until none is left. `pool` marks who may give. `own` are codes that must agree in any case where somebody
    has them: of the baseline's rows, and of the sample's marked rows. The same rows draw the same donors each time.

    Source: hot-deck imputation within adjustment cells, as reviewed by Andridge and Little (2010), "A Review of Hot
    Deck Imputation for Survey Non-response".
    """
    givers = np.flatnonzero(np.ones(len(pair.before), np.bool_) if pool is None else pool)
    chance = np.random.default_rng(pair.seed).random(len(rows))[rows]
    found = np.full(int(rows.sum()), -1, dtype=np.int64)
    old = [pair.coarse[name].before[givers] for name in like]
    new = [pair.coding[name].of(sample.features[name][rows]) for name in like]
    tries = [(own, depth) for depth in range(len(like), -1, -1)] + ([(None, 0)] if own else [])
    for must, depth in tries:
        open_rows = np.flatnonzero(found < 0)
        if not len(open_rows) or not len(givers):
            break
        first = _keys(old[:depth], len(givers))
        second = _keys([code[open_rows] for code in new[:depth]], len(open_rows))
        if must is not None:
            first, second = first + must[0][givers] * 10**9, second + must[1][open_rows] * 10**9
        order = np.argsort(first, kind="stable")
        low = np.searchsorted(first[order], second, side="left")
        high = np.searchsorted(first[order], second, side="right")
        hit = high > low
        place = low + np.floor(chance[open_rows] * (high - low)).astype(np.int64)
        found[open_rows[hit]] = givers[order[place[hit]]]
    return found


def _keys(codes: list[Ints], rows: int) -> Ints:
    """One number per combination of codes."""
    key = np.zeros(rows, np.int64)
    for code in codes:
        key = key * 100 + code
    return key
