"""Served values that are true ones of an earlier moment: a feed that stood still, or a job that took old inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Bools, Facts
from mortis.profiles import Floats
from mortis.rows import Column, Ints, OfflineRows, is_number

SURELY = 0.2  # of the rows, more than of rows as they should be: values that recur by themselves tell nothing
MOSTLY = 0.98  # of the rows hold values that the feature has had before
FOLLOWS = 0.5  # rank correlation with the true value of the row: more, and the value is worked out from it
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Earlier:
    """How served values compare with true ones of earlier rows.

    `found` is the share (0..1) of the struck rows whose values, taken together, an earlier row had; `usual` the same of
    the values that they should have had. `days` is the commonest age of those found, in whole days.
    """

    found: float
    usual: float
    days: int

    @property
    def surely(self) -> bool:
        """Whether the values are earlier ones beyond what recurs by itself."""
        return self.found >= self.usual + SURELY


def earlier_values(facts: Facts, offline: OfflineRows, names: Sequence[str], rows: Bools) -> Earlier:
    """How far the values served to these rows of the incident are those of rows before them, all features together.

    True values are those served in the baseline, and in the incident those of the training pipeline.
    """
    known = offline.found
    true = [np.concatenate([facts.before.features[name], offline.columns[name][known]]) for name in names]
    served = [facts.during.features[name][rows] for name in names]
    should = [offline.columns[name][rows] for name in names]
    keys, asked, own = _keys(true, served, should)
    second = np.concatenate([facts.before.second, facts.during.second[known]])
    now = facts.during.second[rows]
    age = _age(keys, second, asked, now)
    usual = _age(keys, second, own, now)
    hit = np.isfinite(age)
    days = np.round(age[hit] / DAY).astype(np.int64)
    return Earlier(
        float(hit.mean()) if len(hit) else 0.0,
        float(np.isfinite(usual).mean()) if len(usual) else 0.0,
        int(np.bincount(days).argmax()) if len(days) else 0,
    )


def follows_truth(served: Column, true: Column) -> bool:
    """Whether served values are worked out from the true ones of their rows, if in another way: their ranks agree.

    >>> x = np.random.default_rng(0).normal(size=500)
    >>> follows_truth(np.floor(x), x), follows_truth(x[::-1], x)
    (True, False)
    """
    if not is_number(served):
        return False
    from scipy.stats import rankdata

    a, b = np.asarray(served, dtype=float), np.asarray(true, dtype=float)
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return False
    return bool(np.corrcoef(rankdata(a[both]), rankdata(b[both]))[0, 1] >= FOLLOWS)


def values_known(facts: Facts, name: str, rows: Bools) -> bool:
    """Whether nearly all values served to these rows are ones that the baseline's rows have, too."""
    had = {value for value in facts.before.features[name].tolist() if value is not None}
    served = facts.during.features[name][rows].tolist()
    return bool(np.mean([value in had for value in served]) >= MOSTLY) if served else False


def _keys(*parts: Sequence[Column]) -> tuple[Ints, ...]:
    """One number (n,) per combination of values, the same for the same ones in all parts."""
    key = np.zeros(sum(len(part[0]) for part in parts), np.int64)
    for columns in zip(*parts, strict=True):
        both = np.concatenate(columns)
        code = np.unique(comparable(both), return_inverse=True)[1]
        key = np.unique(key * (code.max() + 1) + code, return_inverse=True)[1]
    ends = np.cumsum([len(part[0]) for part in parts])[:-1]
    return tuple(np.split(key, ends))


def comparable(column: Column) -> npt.NDArray[Any]:
    """The values (n,) so that equal ones are equal and they can be sorted: null is a value of its own."""
    return np.nan_to_num(np.asarray(column, dtype=float), nan=-np.inf) if is_number(column) else column.astype(str)


def _age(keys: Ints, second: Ints, asked: Ints, now: Ints) -> Floats:
    """Seconds (m,) since the latest row before each asked one that has its key; NaN where none has."""
    begins = int(min(second.min(initial=0), now.min(initial=0)))
    span = int(max(second.max(initial=0), now.max(initial=0))) - begins + 2
    order = np.sort(keys * span + (second - begins))
    place = np.searchsorted(order, asked * span + (now - begins), side="left") - 1
    last = order[np.maximum(place, 0)] if len(order) else np.zeros(len(asked), np.int64)
    same = (place >= 0) & (last // span == asked) if len(order) else np.zeros(len(asked), bool)
    return np.where(same, now - begins - last % span, np.nan)
