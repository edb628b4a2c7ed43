"""The worst points of a window to either side: a failure need not fill the window that it is looked for in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mortis.profiles import Floats
from mortis.signals.season import Flags, Ints, between

FEWEST_POINTS = 3  # one point may be a slip, and the worst of two is one point
LASTING, BRIEF = 0.25, 0.0
"""The share of a window's points that count as its worst; three points at least."""

Share = float | Floats


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Points in ascending order over the last axis, unknown ones last, and the number of those that are known."""

    values: Floats
    known: Ints

    @classmethod
    def of(cls, values: Floats) -> Ordered:
        """The points ordered."""
        return cls(np.sort(values, axis=-1), np.isfinite(values).sum(axis=-1))

    @property
    def enough(self) -> Flags:
        """Where there are three points at least; elsewhere nothing below is a number."""
        return np.asarray(self.known >= FEWEST_POINTS)

    def taken(self, share: Share) -> Ints:
        """How many points are the worst."""
        return np.maximum(FEWEST_POINTS, np.ceil(share * self.known).astype(np.int64))

    def medians(self, share: Share) -> tuple[Floats, Floats]:
        """The median of the lowest points and that of the highest.

        >>> low, high = Ordered.of(np.array([5.0, 1.0, 9.0, 2.0, 8.0])).medians(LASTING)
        >>> float(low), float(high)
        (2.0, 8.0)
        """
        taken = self.taken(share)
        near, far, last = (taken - 1) // 2, taken // 2, self.known - 1
        return between(self.values, near, far, self.enough), between(self.values, last - far, last - near, self.enough)
