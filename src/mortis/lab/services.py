"""The services around the demo's model: who calls whom, and which of them a fault comes in by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mortis.lab.faults import Fault, WrongVersion

if TYPE_CHECKING:
    import pyarrow as pa

MODEL, FEATURES, GATEWAY, DISPLAYS, NOTIFIER = "arrivals", "features", "gateway", "displays", "notifier"
MOST_FEEDS = 16

_CALLS = ((DISPLAYS, GATEWAY), (GATEWAY, NOTIFIER), (GATEWAY, MODEL), (MODEL, FEATURES), (FEATURES, "weather"))


@dataclass(frozen=True, slots=True)
class Services:
    """The flights are parted by `column`; for each of its `values` there are a feed and replicas that answer for it.

    The busiest value comes first. `hit` is the service that a fault comes in by, empty without one.
    """

    column: str
    values: tuple[str, ...]
    hit: str = ""

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """Callers and the services they call."""
        return (*_CALLS, *((FEATURES, feed_of(value)) for value in self.values))

    def touched(self, fault: Fault) -> tuple[str, ...]:
        """The values for which a fault was served."""
        return (fault.scope[1],) if fault.scope else self.values

    def replica(self, service: str, value: str) -> str:
        """The replica of a service that answers for a value; beyond the busiest values one answers for all."""
        return f"{service}-{slug(value) if value in self.values else 'other'}"


def services_of(flights: pa.Table, fault: Fault | None) -> Services:
    """The services for these flights, parted by the column of the fault's scope, or else by airport."""
    import pyarrow.compute as pc

    column, own = fault.scope if fault and fault.scope else ("origin", "")
    counted = [(-one["counts"], str(one["values"])) for one in pc.value_counts(flights[column].drop_null()).to_pylist()]
    busiest = [value for _, value in sorted(counted)][:MOST_FEEDS]
    values = tuple(dict.fromkeys([*busiest, own] if own else busiest))
    return Services(column, values, _hit(fault) if fault else "")


def _hit(fault: Fault) -> str:
    """The service that a fault comes in by: the model's own, one value's feed, or the one that reads all feeds."""
    if isinstance(fault.kind, WrongVersion):
        return MODEL
    return feed_of(fault.scope[1]) if fault.scope else FEATURES


def feed_of(value: str) -> str:
    """The service that hands on the flights of one value.

    >>> feed_of("EWR"), feed_of("Alaska and Hawaii")
    ('ewr-feed', 'alaska-and-hawaii-feed')
    """
    return f"{slug(value)}-feed"


def slug(value: str) -> str:
    """A value as a part of a service's name."""
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-") or "unnamed"
