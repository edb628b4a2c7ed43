"""What a kind of fault is, and what one looks like once its particulars are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import numpy as np

from mortis.lab.bases.base import Base, Model, Service
from mortis.lab.course import SHAPES, Shape
from mortis.lab.traces import Traces
from mortis.lab.traffic import Bools, Traffic

Family = Literal["data", "skew", "model", "software", "infrastructure", "world", "labels", "measurement"]
Severity = Literal[1, 2, 3]
Stage = Literal["asked", "served", "routed", "scored", "decided", "logged", "labelled"]

Step = Callable[[Traffic, Bools, Service, np.random.Generator], Traffic]
"""What a fault does to the requests that it hits (a mask), at one stage; it leaves the others as they are."""

STAGES: tuple[Stage, ...] = ("asked", "served", "routed", "scored", "decided", "logged", "labelled")
"""In the order in which a request meets them.

asked: the world is another one (columns, y); served: what the model is asked with (served); routed: which version
scores (served_by); scored: the score; decided: the prediction from it; logged: which rows the log keeps, and latency;
labelled: what is recorded as the outcome, and when.
"""


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault with its particulars: where (`scope`: columns and their values, empty for all), in what way over time.

    `steps` say what it does at which stages. `features`, `parameters` and `version` are what a diagnosis has to name.
    `metric` is what it makes fail, the base's own where empty. `share` (0..1) of the requests in scope are hit, those
    of one replica for instance. With `whole_stretch` it was there from the first day, as a fault of measuring may be.

    Where they are given: `offline` hands over the training pipeline's values (the true columns, by id), `wait` is how
    long after the window somebody looks at it, in place of the base's own, `expected` the figure that somebody says
    the metric should be. `trained` gives the service whose models learned with the fault, where it was there in
    training already. `year_before`: the log keeps the same weeks of the year before, too. `models` are further
    versions that it puts into service or leaves about, `training` the rows from which the one it put into service
    learned, handed over as the training table. With `peaks` it is there from the morning to the evening only.
    """

    kind: str
    steps: Mapping[Stage, Step]
    traces: Traces = field(default_factory=Traces)
    features: tuple[str, ...] = ()
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    version: str = ""
    scope: Mapping[str, str] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = SHAPES
    share: float = 1.0
    metric: str = ""
    whole_stretch: bool = False
    offline: bool = False
    wait: timedelta | None = None
    expected: float | None = None
    trained: Callable[[Service], Service] | None = None
    year_before: bool = False
    models: Mapping[str, Model] = field(default_factory=dict)
    training: Traffic | None = None
    peaks: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: the catalogue's id, what it means, the traces its entry names, and how one is drawn.

    `plant` draws the particulars for a service, mild for severity 1 and harsh for 3; `suits` says into which bases it
    can be put.
    """

    id: str
    family: Family
    meaning: str
    traces: str
    plant: Callable[[Service, np.random.Generator, Severity], Planted]
    suits: Callable[[Base], bool] = lambda base: base.past is not None  # else no model of its own answers
