"""What is to happen in a case: one fault, several, none, or one that cannot be told; by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mortis.lab.bases.base import Base, Service
from mortis.lab.kinds import KINDS
from mortis.lab.kinds.kind import Family, Planted, Severity
from mortis.lab.traces import ChangeTrace, Traces
from mortis.lab.traffic import Bools, Traffic
from mortis.lab.truth import Answer

Source = str


@dataclass(frozen=True, slots=True)
class Script:
    """A plot with its particulars drawn: the faults, the right answer, and what is around them.

    `noise` multiplies what the metric varies by from day to day, `blips` are single bad days by chance in the baseline,
    and one in the incident's window; `needed` are sources withheld without which nobody could tell; `amplifier` is a
    change after the onset that widens the first fault's reach.
    """

    faults: tuple[Planted, ...]
    answer: Answer
    noise: float = 1.0
    blips: int = 0
    needed: tuple[Source, ...] = ()
    amplifier: ChangeTrace | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: its name (the kind's id where one kind of fault is all), its meaning, and how a script is drawn."""

    name: str
    meaning: str
    family: Family | None
    script: Callable[[Service, np.random.Generator, Severity], Script]
    suits: Callable[[Base], bool]


def _of_kind(name: str) -> Plot:
    kind = KINDS[name]

    def script(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
        return Script((kind.plant(service, rng, severity),), "cause")

    return Plot(name, kind.meaning, kind.family, script, kind.suits)


def _healthy(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001  asked alike
    return Script((), "no_failure")


def _noisy(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001
    return Script((), "no_failure", noise=1.0 + severity)


def _blip(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001
    """One bad day by chance, over when somebody looks; the weeks before had such days too."""
    return Script((), "no_failure", blips=2 + severity)


def _two(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
    """Two faults of data or serving in features apart from each other, both of them there for good."""
    first, second = (KINDS[str(name)] for name in rng.choice(_PAIRABLE, 2, replace=False))
    one = first.plant(service, rng, severity)
    other = one
    for _ in range(_TRIES):
        other = second.plant(service, rng, severity)
        if not set(one.features) & set(other.features):
            break
    return Script((replace(one, shapes=("abrupt",)), replace(other, shapes=("abrupt",))), "several")


def _amplified(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
    """A wrong version on one replica; days later a change of routing sends that replica more of the traffic."""
    fault = KINDS["M2"].plant(service, rng, severity)
    routing = ChangeTrace("config", "gateway", "send the fastest replica more of the traffic")
    return Script((replace(fault, scope={"replica": "r2"}, share=1.0, shapes=("abrupt",)),), "cause", amplifier=routing)


def _outside(service: Service, rng: np.random.Generator, severity: Severity) -> Script:  # noqa: ARG001
    """Answers handed to the wrong requests of the same minute, which no list of causes tests and no record mentions."""
    return Script((Planted("unknown", {"scored": _exchanged}, Traces(), share=0.2 + 0.2 * severity),), "unknown")


def _exchanged(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    places = np.flatnonzero(hit)
    score = traffic.score.copy()
    score[places] = traffic.score[rng.permutation(places)]
    return replace(traffic, score=score)


def _withheld(service: Service, rng: np.random.Generator, severity: Severity) -> Script:
    """A feature in another unit, and nothing handed over by which to score again or to see the change."""
    fault = KINDS["D3"].plant(service, rng, severity)
    return Script((fault,), "unknown", needed=("models", "changes", "logs"))


_PAIRABLE = ("D1", "D3")
_TRIES = 20


def _has_model(base: Base) -> bool:
    return bool(base.features) and base.task in ("binary", "regression")


PLOTS: Mapping[str, Plot] = MappingProxyType(
    {name: _of_kind(name) for name in KINDS}
    | {
        one.name: one
        for one in (
            Plot("healthy", "nothing failed", None, _healthy, lambda base: True),  # noqa: ARG005
            Plot("noisy", "nothing failed, and the metric varies much from day to day", None, _noisy, _has_model),
            Plot("E5", "a bad day by chance, as there were before", "measurement", _blip, _has_model),
            Plot("two", "two faults at once", None, _two, _has_model),
            Plot("amplified", "a fault, and a later change that widened its reach", None, _amplified, _has_model),
            Plot("outside", "a fault that no cause of the catalogue describes: unknown", None, _outside, _has_model),
            Plot(
                "withheld", "the key evidence is missing: cannot tell, and what to fetch", None, _withheld, _has_model
            ),
        )
    }
)
"""Every plot by name."""
