"""The small loans once more, with an older kind of model: a logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mortis.lab.bases.base import Model
from mortis.lab.bases.credit import CREDIT
from mortis.lab.bases.logistic import logistic
from mortis.lab.traffic import Traffic

_ROWS = 1_600
_WEIGHTS = {"months_known": 0.4, "hour": 0.0}  # otherwise than the trees


def _train(past: Traffic) -> Mapping[str, Model]:
    """Both learned from a sample; the earlier version from a smaller one, without what was asked for only later."""
    rows = past.take(np.linspace(0, len(past) - 1, _ROWS).astype(np.int64))
    every = {one.name: rows.columns[one.name] for one in CREDIT.features}
    fewer = {name: column[::4] for name, column in every.items() if name not in ("utilization", "work")}
    return {"v1": logistic(fewer, rows.y[::4]), "v2": logistic(every, rows.y)}


CREDIT_LINEAR = replace(
    CREDIT,
    name="credit-linear",
    meaning="small loans: missed instalments (drawn; categories, missing values; logistic regression by skops)",
    features=tuple(replace(one, weight=_WEIGHTS.get(one.name, one.weight)) for one in CREDIT.features),
    train=_train,
    threshold=0.35,
)
