"""How the series of one case moved, and which moved further than chance and their own baseline allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mortis.records import Window
from mortis.signals.gate import MOST_Q, Gate, judge
from mortis.signals.shift import Measured, Shift, measure_shifts
from mortis.telemetry import MetricSeries


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """The series with their measured shifts and what these were held to; a shift's place is the same in both."""

    series: Sequence[MetricSeries]
    baseline: Window
    incident: Window
    measured: Measured
    gate: Gate

    @classmethod
    def of(cls, series: Sequence[MetricSeries], *, baseline: Window, incident: Window) -> Moves:
        """The shifts from baseline to incident, measured and judged."""
        measured = measure_shifts(series, baseline=baseline, incident=incident)
        return cls(series, baseline, incident, measured, judge(measured.shifts))

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """Every shift that was measured."""
        return self.measured.shifts

    def title(self, at: int) -> str:
        """The title of the series of the shift at a place."""
        return self.series[self.shifts[at].index].title

    def went(self, at: int) -> float:
        """How many times as far as in any healthy stretch a shift went; 0 where that may be chance."""
        return max(0.0, float(self.gate.times[at])) if self.gate.q[at] <= MOST_Q else 0.0

    def of_series(self, indices: Sequence[int]) -> list[int]:
        """The places of the shifts of some series, the furthest gone first."""
        wanted = set(indices)
        places = [at for at, shift in enumerate(self.shifts) if shift.index in wanted]
        return sorted(places, key=lambda at: (-self.went(at), -float(self.gate.times[at]), self.title(at)))

    def named(self) -> list[int]:
        """The places of the shifts that are named, highest score first: of each series the one that went furthest."""
        best: dict[int, int] = {}
        for at in np.flatnonzero(self.gate.named).tolist():
            index = self.shifts[at].index
            if index not in best or self.gate.times[at] > self.gate.times[best[index]]:
                best[index] = at
        return sorted(best.values(), key=lambda at: (-self.shifts[at].score, self.title(at)))
