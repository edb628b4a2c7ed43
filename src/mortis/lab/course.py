"""How a fault comes about in time: at once, over days, or on and off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mortis.lab.traffic import DAY, Floats

Shape = Literal["abrupt", "gradual", "intermittent"]
SHAPES: tuple[Shape, ...] = ("abrupt", "gradual", "intermittent")
BLOCK = DAY // 4
"""Seconds for which an intermittent fault is either there or not."""


@dataclass(frozen=True, slots=True)
class Course:
    """From `onset` on; gradual: growing to full strength over `ramp` days; intermittent: where `blocks` (in turn) say so."""

    onset: datetime
    shape: Shape = "abrupt"
    ramp: float = 4.0
    blocks: tuple[bool, ...] = ()

    def strength(self, at: NDArray[Any]) -> Floats:
        """The share (0..1) of what it reaches that it hits at these moments (n,), in epoch seconds.

        >>> from datetime import UTC
        >>> at = datetime(2024, 5, 1, tzinfo=UTC)
        >>> Course(at, "gradual", ramp=2).strength(np.array([at.timestamp() - 1, at.timestamp() + 86_400]))
        array([0. , 0.5])
        """
        since = np.asarray(at, dtype=np.float64) - self.onset.timestamp()
        there = since >= 0
        if self.shape == "gradual":
            return np.where(there, np.clip(since / (self.ramp * DAY), 0, 1), 0.0)
        if self.shape == "intermittent":
            block = np.maximum(since, 0).astype(np.int64) // BLOCK
            return (there & np.asarray(self.blocks)[block % len(self.blocks)]).astype(np.float64)
        return there.astype(np.float64)


def course_of(onset: datetime, shape: Shape, rng: np.random.Generator) -> Course:
    """A course whose particulars are drawn; an intermittent fault is there at its onset, and more than half of the time."""
    blocks = (True, *(bool(one) for one in rng.random(59) < 0.6))
    return Course(onset, shape, float(rng.uniform(2, 5)), blocks if shape == "intermittent" else ())


def peaks_of(onset: datetime) -> Course:
    """There from nine in the morning to nine in the evening, from the day of the onset on."""
    return Course(onset.replace(hour=9, minute=0, second=0), "intermittent", blocks=(True, True, False, False))
