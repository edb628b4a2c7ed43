"""What is to happen in a case: one fault, several, none, or one that cannot be told; by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mortis.lab.bases.base import Base, Service
from mortis.lab.kinds import KINDS
from mortis.lab.kinds.choosing import judged, relies_on
from mortis.lab.kinds.kind import Family, Planted, Severity, Step
from mortis.lab.traces import ChangeTrace, Traces
from mortis.lab.traffic import Bools, Traffic
from mortis.lab.truth import Answer
from mortis.problems import InputProblem, listed, near

Source = str
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Script:
    """A plot with its particulars drawn: the faults, and what is around them.

    `noise` multiplies what the metric varies by from day to day, `blips` are single bad days by chance in the baseline,
    and one in the incident's window; `needed` are sources withheld without which nobody could tell; `amplifier` sends
    more of the traffic where the first fault is, some days after its onset.
    """

    faults: tuple[Planted, ...]
    noise: float = 1.0
    blips: int = 0
    needed: tuple[Source, ...] = ()
    amplifier: Planted | None = None


class Unseen(InputProblem):
    """No draw gave an incident that shows in the metric, or that is what its plot says."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: its name (the kind's id where one kind of fault is all), its meaning, and how a script is drawn.

    `answer` is the right one, `suits` says into which bases it can be put.
    """

    name: str
    meaning: str
    answer: Answer
    script: Callable[[Service, np.random.Generator, Severity], Script]
    suits: Callable[[Base], bool]
    family: Family | None = None


def plot_of(name: str) -> Plot:
    """The plot of that name; InputProblem for none."""
    if name not in PLOTS:
        raise InputProblem(f"no kind is named {name!r}; there are: {listed(PLOTS, most=60)}{near(name, PLOTS)}")
    return PLOTS[name]


def _of_kind(name: str) -> Plot:
    kind = KINDS[name]

    def script(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
        return Script((kind.plant(service, rng, severity),))

    return Plot(name, kind.meaning, "cause", script, kind.suits, kind.family)


def _healthy(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001  asked alike
    return Script(())


def _noisy(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001
    return Script((), noise=1.0 + severity)


def _blip(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001
    """One bad day by chance, over when somebody looks; the weeks before had such days too."""
    return Script((), blips=2 + severity)


def _two(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
    """Two faults of the data in features apart from each other, both of them there for good."""
    first, second = (KINDS[str(name)] for name in rng.choice(_PAIRABLE, 2, replace=False))
    one = replace(first.plant(service, rng, severity), shapes=("abrupt",))
    for _ in range(_TRIES):
        other = replace(second.plant(service, rng, severity), shapes=("abrupt",))
        if not set(one.features) & set(other.features):
            return Script((one, other))
    raise Unseen(f"{first.id} and {second.id} hit one feature of {service.base.name} each time; take another seed")


def _amplified(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
    """A wrong version on one replica; days later a change of routing sends that replica most of the traffic."""
    for _ in range(_TRIES):
        fault = KINDS["M2"].plant(service, rng, _MILDER[severity])
        if set(fault.scope) == {"replica"}:
            routing = ChangeTrace("config", "gateway", "send more of the traffic where answers come fastest")
            amplifier = Planted("", {"asked": _routed(fault.scope["replica"])}, Traces(change=routing), share=0.6)
            return Script((replace(fault, share=1.0, shapes=("abrupt",)),), amplifier=amplifier)
    raise Unseen(f"no replica of {service.base.name} was given another version; take another seed")


def _routed(replica: str) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.with_asked("replica", np.full(len(traffic), replica, dtype=object), hit)

    return step


def _outside(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001
    """Answers handed to other requests of the same hour, wherever they were worked out, and no record mentions it."""
    return Script((Planted("unknown", {"scored": _exchanged}, Traces(), share=0.2 + 0.2 * severity),))


def _exchanged(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """The scores of those hit change places within each hour."""
    places = np.flatnonzero(hit)
    hour = traffic.at[places] // HOUR
    in_order, by_lot = (places[np.lexsort((key, hour))] for key in (places, rng.random(len(places))))
    score = traffic.score.copy()
    score[in_order] = traffic.score[by_lot]
    return replace(traffic, score=score)


def _withheld(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
    """A feature in another unit, and nothing handed over by which to score again or to see the change."""
    return Script((KINDS["D3"].plant(service, rng, severity),), needed=("models", "changes", "logs"))


_PAIRABLE = ("D1", "D2", "D3")
_MILDER: Mapping[Severity, Severity] = MappingProxyType({1: 1, 2: 2, 3: 2})  # at the harshest all replicas are hit
_TRIES = 20


def _has_replicas(base: Base) -> bool:
    return judged(base) and "replica" in base.segments


PLOTS: Mapping[str, Plot] = MappingProxyType(
    {name: _of_kind(name) for name in KINDS}
    | {
        one.name: one
        for one in (
            Plot("E5", "nothing failed: a bad day by chance, as there were before", "no_failure", _blip, judged),
            Plot("healthy", "nothing failed", "no_failure", _healthy, lambda base: True),  # noqa: ARG005
            Plot("noisy", "nothing failed, and the metric varies much from day to day", "no_failure", _noisy, judged),
            Plot("two", "two faults at once", "several", _two, relies_on("number", "category", fewest=2)),
            Plot("amplified", "a fault, and a later change that widened its reach", "cause", _amplified, _has_replicas),
            Plot("outside", "a fault that no cause of the catalogue describes: unknown", "unknown", _outside, judged),
            Plot("withheld", "the key evidence is missing: unknown, and what to fetch", "unknown", _withheld, judged),
        )
    }
)
"""Every plot by name."""
