"""The bases: services with a real or realistic table of requests and models really trained, into which faults are put.

A further base is one module with a `Base` and one line in `BASES`.

The tables that come with scikit-learn are left out: the largest of them, digits, has 1,797 rows of ten classes, two
days of traffic at most, and those that are large enough (covtype, California housing) have to be downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from mortis.lab.bases.base import Base, Feature, Model, Service
from mortis.lab.bases.clicks import CLICKS
from mortis.lab.bases.credit import CREDIT
from mortis.lab.bases.credit_linear import CREDIT_LINEAR
from mortis.lab.bases.demand import DEMAND
from mortis.lab.bases.flights import FLIGHTS_DELAY, FLIGHTS_LATE
from mortis.lab.bases.fraud import FRAUD
from mortis.lab.bases.judge import JUDGE
from mortis.problems import InputProblem, listed, near

__all__ = ["BASES", "Base", "Feature", "Model", "Service", "service_of"]

BASES: Mapping[str, Base] = MappingProxyType(
    {
        one.name: one
        for one in (
            FLIGHTS_LATE,
            FLIGHTS_DELAY,
            CREDIT,
            CREDIT_LINEAR,
            DEMAND,
            CLICKS,
            FRAUD,
            JUDGE,
        )
    }
)
"""The bases by name."""


@cache
def service_of(name: str) -> Service:
    """A base with its trained models, which take seconds and are the same for every case; InputProblem for no base."""
    if name not in BASES:
        raise InputProblem(f"no base is named {name!r}; there are: {listed(BASES)}{near(name, BASES)}")
    base = BASES[name]
    past = base.past() if base.past else None
    return Service(base, past, base.train(past) if past else {})
