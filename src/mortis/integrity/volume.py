"""Checks of how many rows came: of all rows, of buckets without any, and of each value's part of the traffic."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mortis.integrity.readings import Reading, Share, percent, share_of, share_reading
from mortis.integrity.windows import Column
from mortis.integrity.yardstick import (
    Spread,
    Usual,
    compare,
    distance,
    rare_p,
    ratio_interval,
    stretches,
    usual,
)
from mortis.profiles import Floats

LEAST_VOLUME = 0.2
LEAST_FALL = 0.3
LEAST_GAP = 0.05
SEGMENT_SHARE = 0.01
SEGMENT_ROWS = 20


def volume(column: Column) -> Iterable[Reading]:
    """How many rows come in a bucket, incident against baseline, as a ratio less 1."""
    before, after = column.baseline.rows.sum(axis=1), column.incident.rows.sum(axis=1)
    if not before.sum() or not len(after):
        return
    found = _count_dispersion(before, len(after))
    rows = int(before.sum()), int(after.sum())
    effect = ratio_interval((rows[0], len(before)), (rows[1], len(after)), found)
    sums = np.column_stack([before, np.ones(len(before))])
    inside, rest = stretches(sums, len(after))
    with np.errstate(invalid="ignore", divide="ignore"):
        placebo = usual((inside[:, 0] / inside[:, 1]) / (rest[:, 0] / rest[:, 1]) - 1)
    rates = rows[0] / len(before), rows[1] / len(after)
    yield Reading(
        feature=column.name,
        check="volume",
        baseline=rates[0],
        incident=rates[1],
        effect=effect,
        rows=rows,
        p=_ratio_p(rows, (len(before), len(after)), found),
        usual=placebo,
        least=LEAST_VOLUME,
        strength=0.0,
        statement=(
            f"{rates[1]:,.1f} rows in a bucket, {rates[0]:,.1f} before ({100 * effect.value:+.0f} %, 95 % interval "
            f"{100 * effect.low:+.0f} to {100 * effect.high:+.0f})"
        ),
    )


def _count_dispersion(rows: Floats, length: int) -> float:
    """Variance of a bucket's rows over their mean, or the same of stretches where these vary more; 1 at least."""
    if len(rows) < 2:
        return 1.0
    inside, _ = stretches(rows[:, None], length)
    between = float(inside.var() / inside.mean()) if len(inside) > 2 and inside.any() else 1.0
    return max(1.0, float(rows.var(ddof=1) / rows.mean()), between)


def _ratio_p(rows: tuple[int, int], buckets: tuple[int, int], dispersion: float) -> float:
    """The chance of such different counts at one rate: Wald's test on the logarithm, against Student's t."""
    from scipy.special import stdtr

    after = max(rows[1], 0.5)
    z = np.log(after / buckets[1] * buckets[0] / rows[0]) / np.sqrt(dispersion / rows[0] + dispersion / after)
    return float(2 * stdtr(buckets[0] + 4, -abs(z)))


def gaps(column: Column) -> Iterable[Reading]:
    """The share of buckets without a row."""
    before, after = (part.rows.sum(axis=1) == 0 for part in (column.baseline, column.incident))
    if not len(before) or not len(after):
        return
    share = Share(
        np.column_stack([before, ~before]).astype(np.float64), np.column_stack([after, ~after]).astype(np.float64)
    )
    reading = share_reading(column, "gaps", share, what="", least=LEAST_GAP)
    words = (
        f"{int(after.sum())} of {len(after)} buckets hold no row ({_longest(after)} in a row at most), "
        f"{int(before.sum())} of {len(before)} before"
    )
    yield Reading(
        feature=column.name,
        check="gaps",
        baseline=reading.baseline,
        incident=reading.incident,
        effect=reading.effect,
        rows=(int(column.baseline.rows.sum()), int(column.incident.rows.sum())),
        p=reading.p if before.any() else _first_gaps_p(column, int(after.sum())),
        usual=reading.usual,
        least=LEAST_GAP,
        strength=0.0,
        statement=words,
    )


def _first_gaps_p(column: Column, empty: int) -> float:
    """The chance of so many empty buckets where the baseline had none, by a negative binomial law of their rows."""
    from scipy.special import bdtrc

    rows, buckets = column.baseline.rows.sum(axis=1), len(column.incident.rows)
    mean, dispersion = float(rows.mean()), _count_dispersion(rows, buckets)
    shape = 1.0 if dispersion < 1 + 1e-9 else float(np.log(dispersion)) / (dispersion - 1)
    return float(bdtrc(empty - 1, buckets, np.exp(-mean * shape))) if empty else 1.0


def _longest(empty: np.ndarray) -> int:
    """The longest run of true entries.

    >>> _longest(np.array([True, False, True, True]))
    2
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], empty, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def segment_volume(column: Column) -> Iterable[Reading]:
    """The value whose rows fell most surely below their usual part of the traffic, as a ratio less 1."""
    if column.kind != "category":
        return
    a, b = column.baseline.rows.sum(axis=0), column.incident.rows.sum(axis=0)
    if not a.sum() or not b.sum():
        return
    expected = a / a.sum() * b.sum()
    watched = [i for i in column.named if a[i] >= SEGMENT_SHARE * a.sum() and expected[i] >= SEGMENT_ROWS]
    if len(watched) < 2:
        return
    every = tuple(range(len(column.slots)))
    fallen = min(watched, key=lambda i: (b[i] - expected[i]) / np.sqrt(expected[i]))
    share = share_of(column, (fallen,), every)
    name = column.slots[fallen]
    yield Reading(
        feature=column.name,
        check="segment volume",
        baseline=float(expected[fallen]),
        incident=float(b[fallen]),
        effect=ratio_interval((a[fallen], a.sum()), (b[fallen], b.sum()), Spread.of(share.before).dispersion),
        rows=(int(a[fallen]), int(b[fallen])),
        p=min(1.0, _share_p(share) * len(watched)),
        usual=_usual_fall(column, watched),
        least=LEAST_FALL,
        strength=float(distance(share.before.sum(axis=0)[None], share.after.sum(axis=0)[None])[0]),
        statement=(
            f"{name}: {b[fallen]:,.0f} rows where its part of the traffic ({percent(a[fallen] / a.sum())}) would give "
            f"{expected[fallen]:,.0f}"
        ),
        about=name,
    )


def _share_p(share: Share) -> float:
    before, after = share.before.sum(axis=0), share.after.sum(axis=0)
    exact = rare_p((before[0], after[0]), (float(before.sum()), float(after.sum())))
    return max(compare(share.before, share.after).p, exact)


def _usual_fall(column: Column, watched: list[int]) -> Usual | None:
    """The furthest fall among the watched values, in stretches of the baseline."""
    inside, rest = stretches(column.baseline.rows, len(column.incident.rows))
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = inside / inside.sum(axis=1, keepdims=True) / (rest / rest.sum(axis=1, keepdims=True))
        return usual(parts[:, watched].min(axis=1) - 1) if len(parts) else None
