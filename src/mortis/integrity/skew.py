"""Training-serving skew proper: a row's feature as it was served against what the training pipeline computes for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.intervals import wilson
from mortis.profiles import Floats
from mortis.records import Interval
from mortis.rows import Column, OfflineRows, RowSample, is_number

Mask = npt.NDArray[np.bool_]

TOLERANCE = 1e-5
EXPLAINED = 0.95
FEWEST_PAIRS = 5
# A limit with hardly a value within it is no limit, but one value in place of all.
LEAST_WITHIN = 0.01
LEAST_DIFFERING = 0.001  # of the rows: below it a late value or two is nothing to act on


@dataclass(frozen=True, slots=True)
class Fit:
    """One way in which the values differ; `explained` is the share (0..1) of differing pairs that it makes equal."""

    how: str
    explained: float
    parameters: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skew:
    """How often and how a feature's served values differ from the offline ones.

    `mismatch` is the share of compared rows that differ, with its interval; `how` is "equal", "null served", "null
    offline", "factor", "offset", "affine", "rounded", "stepped", "constant", "clipped", "renamed", "permuted" or
    "other".
    """

    feature: str
    mismatch: Interval
    how: str
    explained: float
    parameters: Mapping[str, str | float]
    statement: str


def skew(
    served: RowSample, offline: Mapping[str, Column], *, found: Mask | None = None, tolerance: float = TOLERANCE
) -> tuple[Skew, ...]:
    """How each feature's served values differ from the training pipeline's for the same rows; most different first.

    `offline` maps features to values in the order of `served`; `found` tells which rows the pipeline knew (all where
    left out). Numbers are equal within `tolerance`, relative to their size; null equals null. Features that one side
    lacks, or that are a number on one side only, are left out: that is a difference of schemas.

    Raises ValueError where a column has another length than `served`.
    """
    known = np.ones(len(served), dtype=np.bool_) if found is None else found
    results = []
    for name, values in offline.items():
        if name not in served.features or is_number(values) != is_number(served.features[name]):
            continue
        if len(values) != len(served):
            raise ValueError(f"{name!r}: {len(values)} offline values for {len(served)} served rows")
        if known.any():
            results.append(skew_of(name, served.features[name][known], values[known], tolerance=tolerance))
    return tuple(sorted(results, key=lambda one: (-one.mismatch.value, one.feature)))


@dataclass(frozen=True, slots=True)
class Parity:
    """A feature's skew in the incident beside that in the baseline (None where no row of the baseline was found)."""

    feature: str
    before: Skew | None
    during: Skew

    @property
    def differs(self) -> bool:
        """Whether the incident's rows differ by more than chance allows."""
        return self.during.mismatch.low >= LEAST_DIFFERING

    @property
    def rose(self) -> bool:
        """Whether more rows differ than did in the baseline, beyond both intervals."""
        usual = self.before.mismatch.high if self.before else 0.0
        return self.differs and self.during.mismatch.low > usual

    @property
    def statement(self) -> str:
        """Both windows in a sentence."""
        if self.before is None:
            return f"in the incident, {self.during.statement}"
        usual = self.before.mismatch
        return f"in the incident, {self.during.statement}; in the baseline {100 * usual.value:.1f} % (n = {usual.n:,})"


def parity(before: RowSample, old: OfflineRows, during: RowSample, new: OfflineRows) -> tuple[Parity, ...]:
    """Each feature's skew in both windows: those that differ more than before first, then the most different."""
    usual = {one.feature: one for one in skew(before, old.columns, found=old.found)}
    both = [Parity(one.feature, usual.get(one.feature), one) for one in skew(during, new.columns, found=new.found)]
    return tuple(sorted(both, key=lambda one: (not one.rose, -one.during.mismatch.value, one.feature)))


def skew_of(name: str, served: Column, offline: Column, *, tolerance: float = TOLERANCE) -> Skew:
    """The skew of one feature from pairs of values, one row each at least.

    >>> skew_of(
    ...     "delay", np.array([60.0, 120.0, 300.0, 0.0, 600.0, 660.0]), np.array([1.0, 2.0, 5.0, 0.0, 10.0, 11.0])
    ... ).statement
    'delay: 5 of 6 rows differ (83.3 %, 95 % interval 43.6 to 97.0); served = 60 × offline in 100 % of them'
    """
    differ = differing(served, offline, tolerance=tolerance)
    mismatch = wilson(int(differ.sum()), len(differ))
    fit = _fit(served, offline, differ, tolerance)
    words = _words(fit)
    share = f"{100 * mismatch.value:.1f} %, 95 % interval {100 * mismatch.low:.1f} to {100 * mismatch.high:.1f}"
    return Skew(
        feature=name,
        mismatch=mismatch,
        how=fit.how,
        explained=fit.explained,
        parameters=fit.parameters,
        statement=f"{name}: {int(differ.sum()):,} of {len(differ):,} rows differ ({share})"
        + (f"; {words}" if words else ""),
    )


def _words(fit: Fit) -> str:
    """What a fit says, for people."""
    part = f"in {100 * fit.explained:.0f} % of them"
    given = {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in fit.parameters.items()}
    texts = {
        "equal": "",
        "null served": f"nothing was served where offline there is a value, {part}",
        "null offline": f"a value was served where offline there is none, {part}",
        "factor": f"served = {given.get('factor')} × offline {part}",
        "offset": f"served = offline + {given.get('offset')} {part}",
        "affine": f"served = {given.get('factor')} × offline + {given.get('offset')} {part}",
        "rounded": f"served is offline rounded to {given.get('digits')} decimals {part}",
        "constant": f"always {given.get('value')} served {part}",
        "stepped": f"served is offline cut to whole multiples of {given.get('step')} {part}",
        "clipped": f"served stays {given.get('side')} {given.get('limit')} {part}",
        "renamed": f"values bear other names ({given.get('example')}) {part}",
        "permuted": "the same values, on other rows",
        "other": "no single rule makes them equal",
    }
    return texts[fit.how]


def differing(served: Column, offline: Column, *, tolerance: float = TOLERANCE) -> Mask:
    """Which values (n,) differ from the offline ones; null equals null."""
    return np.asarray(~_equal(served, offline, tolerance), dtype=np.bool_)


def _equal(served: Column, offline: Column, tolerance: float) -> Mask:
    if not is_number(served):
        return np.asarray(served == offline, dtype=np.bool_)
    a, b = served.astype(np.float64), offline.astype(np.float64)
    return np.asarray(_close(a, b, tolerance) | (np.isnan(a) & np.isnan(b)), dtype=np.bool_)


def _close(a: Floats, b: Floats, tolerance: float) -> Mask:
    with np.errstate(invalid="ignore"):
        near = np.abs(a - b) <= tolerance * np.maximum(np.abs(a), np.abs(b))
        return np.asarray((a == b) | near, dtype=np.bool_)


def _is_null(column: Column) -> Mask:
    if is_number(column):
        return np.asarray(np.isnan(column.astype(np.float64)), dtype=np.bool_)
    return np.array([value is None for value in column], dtype=np.bool_)


def _fit(served: Column, offline: Column, differ: Mask, tolerance: float) -> Fit:
    """The first rule, simplest first, that makes nearly all differing pairs equal; else what explains most."""
    if not differ.any():
        return Fit("equal", 1.0)
    a, b = served[differ], offline[differ]
    lacking, invented = _is_null(a), _is_null(b)
    both = ~lacking & ~invented
    fits = [Fit("null served", float(lacking.mean())), Fit("null offline", float(invented.mean()))]
    if both.sum() >= FEWEST_PAIRS:
        part = float(both.mean())
        pairs = _Pairs(a[both], b[both], offline[~_is_null(offline)], tolerance)
        found = [fit(pairs) for fit in (NUMBER_FITS if is_number(served) else TEXT_FITS)]
        fits += [Fit(one.how, one.explained * part, one.parameters) for one in found]
        fits.append(Fit("permuted", part * float(_same_values(served, offline, tolerance))))
    good = [one for one in fits if one.explained >= EXPLAINED]
    if good:
        return good[0]
    best = max(fits, key=lambda one: one.explained)
    return best if best.explained >= 0.5 else Fit("other", 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """The pairs that differ and are known on both sides, and every known value of the training pipeline."""

    served: Any
    offline: Any
    every: Any
    tolerance: float

    def matched(self, made: Any) -> float:
        """The share of pairs in which what a rule makes of the offline value was served."""
        return float(_close(self.served, made, max(self.tolerance, 1e-9)).mean())


def _factor(pairs: _Pairs) -> Fit:
    usable = pairs.offline != 0
    if not usable.any():
        return Fit("factor", 0.0)
    factor = _median_ratio(pairs.served[usable], pairs.offline[usable])
    return Fit("factor", pairs.matched(factor * pairs.offline) if factor else 0.0, {"factor": factor})


def _offset(pairs: _Pairs) -> Fit:
    offset = float(np.median(pairs.served - pairs.offline))
    return Fit("offset", pairs.matched(pairs.offline + offset), {"offset": offset})


def _affine(pairs: _Pairs) -> Fit:
    """A line through the medians of slopes between rows far apart in rank (Theil-Sen on half of the pairs)."""
    order = np.argsort(pairs.offline)
    half = len(order) // 2
    low, high = order[:half], order[-half:]
    rise = pairs.offline[high] - pairs.offline[low]
    if not (rise > 0).any():
        return Fit("affine", 0.0)
    slope = _median_ratio((pairs.served[high] - pairs.served[low])[rise > 0], rise[rise > 0])
    offset = float(np.median(pairs.served - slope * pairs.offline))
    explained = pairs.matched(slope * pairs.offline + offset) if slope else 0.0
    return Fit("affine", explained, {"factor": slope, "offset": offset})


def _median_ratio(a: Any, b: Any) -> float:
    """The median of a / b; 0 where that is beyond what a double holds."""
    with np.errstate(over="ignore"):
        ratio = float(np.median(a / b))
    return ratio if abs(ratio) < 1e100 else 0.0


def _rounded(pairs: _Pairs) -> Fit:
    for digits in range(4):
        for form in (np.round, _cut):
            explained = pairs.matched(form(pairs.offline, digits))
            if explained >= EXPLAINED:
                return Fit("rounded", explained, {"digits": float(digits)})
    return Fit("rounded", 0.0)


def _cut(values: Floats, digits: int) -> Floats:
    scale = 10.0**digits
    return np.asarray(np.trunc(values * scale) / scale, dtype=np.float64)


def _stepped(pairs: _Pairs) -> Fit:
    """The step between the values served, where each is the multiple at or below the offline value."""
    levels = np.unique(pairs.served)
    if not 2 <= len(levels) <= len(pairs.served) / 2:
        return Fit("stepped", 0.0)
    step = float(np.diff(levels).min())
    return Fit("stepped", pairs.matched(np.floor(pairs.offline / step) * step), {"step": step})


def _clipped(pairs: _Pairs) -> Fit:
    """The limit that all differing values stand at, each of them offline beyond it, where others are within it."""
    limit = float(np.median(pairs.served))
    above = float((pairs.offline > limit).mean()) > 0.5
    beyond = pairs.offline > limit if above else pairs.offline < limit
    within = float((pairs.every < limit if above else pairs.every > limit).mean())
    held = _close(pairs.served, np.full(len(beyond), limit), pairs.tolerance) & beyond
    explained = float(held.mean()) if within >= LEAST_WITHIN else 0.0
    return Fit("clipped", explained, {"side": "at most" if above else "at least", "limit": limit})


def _constant(pairs: _Pairs) -> Fit:
    value, count = Counter(pairs.served.tolist()).most_common(1)[0]
    # One value offline as well says nothing of a rule.
    varied = len(set(pairs.offline.tolist())) > 1
    return Fit("constant", count / len(pairs.served) if varied else 0.0, {"value": value})


def _renamed(pairs: _Pairs) -> Fit:
    """Each offline value served under one other name, and no two under the same."""
    counts = Counter(zip(pairs.offline.tolist(), pairs.served.tolist(), strict=True))
    names: dict[str, str] = {}
    taken: set[str] = set()
    explained = 0
    for (old, new), count in counts.most_common():
        if old not in names and new not in taken:
            names[old] = new
            taken.add(new)
            explained += count
    if 3 * len(names) > len(pairs.served):
        return Fit("renamed", 0.0)  # a name for every row explains nothing
    example = ", ".join(f"{old} → {new}" for old, new in list(names.items())[:3])
    return Fit("renamed", explained / len(pairs.served), {"example": example})


def _same_values(served: Column, offline: Column, tolerance: float) -> bool:
    """Whether the two columns hold the same values as often, whatever the rows."""
    if not is_number(served):
        return Counter(served.tolist()) == Counter(offline.tolist())
    ours, theirs = (np.sort(values.astype(np.float64)) for values in (served, offline))
    return bool(_equal(ours, theirs, tolerance).all())


PairFit = Callable[[_Pairs], Fit]

NUMBER_FITS: tuple[PairFit, ...] = (_factor, _offset, _rounded, _stepped, _clipped, _constant, _affine)
"""What numbers are tried for, simplest first. A new rule is a function, a line here and one in `_words`."""

TEXT_FITS: tuple[PairFit, ...] = (_constant, _renamed)
"""What texts are tried for."""
