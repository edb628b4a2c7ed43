"""How the series of one case moved, and which moved further than chance and their own baseline allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mortis.records import Window
from mortis.signals.gate import Gate, judge
from mortis.signals.shift import Measured, Shift, measure_shifts
from mortis.telemetry import MetricSeries

WIDE = 3.0  # a margin that hides moderate failures


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
        """How many times as far as in any healthy stretch a shift went; 0 where it went the other way."""
        return max(0.0, float(self.gate.times[at]))

    def of_series(self, indices: Sequence[int]) -> list[int]:
        """The places of the shifts of some series, the furthest gone first."""
        wanted = set(indices)
        places = [at for at, shift in enumerate(self.shifts) if shift.index in wanted]
        return sorted(places, key=lambda at: (-float(self.gate.times[at]), self.title(at)))

    def loudest(self) -> tuple[int, int] | None:
        """The place of the shift and the stretch that went furthest beyond the others, where that makes a margin wide.

        Of lasting shifts of series that vary; None where their margin is not wide.
        """
        main = [at for at, shift in enumerate(self.shifts) if not shift.mostly_equal and not shift.brief]
        if not main or self.gate.margins[main[0]] < WIDE:
            return None
        row, stretch = np.unravel_index(int(self.gate.healthy[main].argmax()), (len(main), self.gate.stretches))
        return main[int(row)], int(stretch)

    def named(self) -> list[int]:
        """The places of the shifts that are named, highest score first: of each series the one that went furthest."""
        best: dict[int, int] = {}
        for at in np.flatnonzero(self.gate.named).tolist():
            index = self.shifts[at].index
            if index not in best or self.gate.times[at] > self.gate.times[best[index]]:
                best[index] = at
        return sorted(best.values(), key=lambda at: (-self.shifts[at].score, self.title(at)))
