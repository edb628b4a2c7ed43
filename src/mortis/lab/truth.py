"""What is true of a made case, for those who judge a diagnosis; it lies beside the case's folder, never in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mortis.records import iso

Answer = Literal["cause", "several", "unknown", "no_failure"]
FILE = "truth.json"


@dataclass(frozen=True, slots=True)
class PlantedTruth:
    """A fault as it was put in: the catalogue's id, what a diagnosis has to name, since when, how, and whom it reached.

    `share` is the part (0..1) of the incident window's requests since the onset that it hit, `share_of_drop` the part
    of the metric's fall that would not be there without it. `change` names the record of what brought it ("kind:
    tag").
    """

    kind: str
    features: tuple[str, ...]
    parameters: dict[str, float | str]
    version: str
    scope: dict[str, str]
    onset: datetime
    shape: str
    share: float
    share_of_drop: float
    change: str | None


@dataclass(frozen=True, slots=True)
class CaseTruth:
    """The truth about a case: what was asked for, the right answer, and what was put in.

    `baseline`, `incident` and `without` are the metric of the windows as served (the incident's since the onset), and
    of the incident without any fault, all labels known. `decoys` name the changes laid out to mislead, `withheld` the
    sources that were not handed over, `needed` those of them without which the right answer is "unknown".
    """

    plot: str
    base: str
    seed: int
    severity: int
    answer: Answer
    metric: str
    baseline: float
    incident: float
    without: float
    faults: tuple[PlantedTruth, ...] = ()
    decoys: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    amplifier: str | None = None
    spikes: tuple[str, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        """The catalogue's ids that a diagnosis has to name; none where there is no failure or no telling."""
        return tuple(one.kind for one in self.faults) if self.answer in ("cause", "several") else ()

    def to_json(self) -> str:
        """The truth as a JSON object, times in UTC."""
        data = asdict(self)
        for told, one in zip(data["faults"], self.faults, strict=True):
            told["onset"] = iso(one.onset)
        return json.dumps(data, indent=2, allow_nan=False) + "\n"


def read_truth(path: Path) -> CaseTruth:
    """The truth in a file that `to_json` wrote."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    faults = tuple(_planted(one) for one in data.pop("faults"))
    listed = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    return CaseTruth(**data | listed, faults=faults)


def _planted(data: Mapping[str, Any]) -> PlantedTruth:
    moment = datetime.fromisoformat(data["onset"])
    return PlantedTruth(**dict(data) | {"features": tuple(data["features"]), "onset": moment})
