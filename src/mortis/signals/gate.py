"""Which shifts are beyond what healthy stretches of the baseline show, many series being looked at together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mortis.intervals import bh
from mortis.profiles import Floats
from mortis.signals.season import Flags
from mortis.signals.shift import FEWEST_STRETCHES, Shift

MARGIN = 1.25  # as in the other steps: what moved must leave the range of the healthy stretches by a quarter
MOST_FALSE = 0.05  # of the healthy stretches, had each been taken for an incident
MOST_Q = 0.05
LEAST_USUAL = 1.0  # in units of the series' scale: where healthy stretches don't move at all, ratios to them mean nothing
LEAST_SPREAD = 0.25  # of a healthy stretch's score, for the same reason


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """What the shifts of one case are held to.

    `times` is each shift's score in multiples of the largest of its healthy stretches, `healthy` the same for every
    stretch among the others (shifts, stretches), `q` the false-discovery rate, `margin` what `times` must reach, and
    `named` says which shifts pass. `alarms` is how many of the stretches would have been named something.
    """

    times: Floats
    healthy: Floats
    q: Floats
    margin: float
    named: Flags
    alarms: int

    @property
    def stretches(self) -> int:
        """How many healthy stretches there are."""
        return self.healthy.shape[1]


def judge(shifts: Sequence[Shift]) -> Gate:
    """The shifts held to what the baseline's own stretches do.

    A shift is named where its score is at least `margin` times the largest of its series' healthy stretches, and its
    q-value is at most 5 %. The margin is a quarter beyond, or more where the baseline asks for it: every healthy
    stretch is held to the others in turn, and the margin is raised until at most one in twenty would have named
    anything. So wild series, and many of them, raise it for all.

    >>> calm = np.array([0.5, 0.8, 1.2, 0.7, 0.9, 1.1])
    >>> gate = judge([Shift(i, "up", "up", score, calm, 0, 0, 1, 9) for i, score in enumerate((1.3, 9.0))])
    >>> gate.named.tolist(), gate.times.round(2).tolist(), gate.margin
    ([False, True], [1.08, 7.5], 1.36...)

    Source: conformal prediction (Vovk and others 2005), the score being the largest ratio over all series; Student's
    prediction of one further value; Benjamini and Hochberg (1995).
    """
    if not shifts:
        none = np.zeros(0)
        return Gate(none, np.zeros((0, 0)), none, MARGIN, np.zeros(0, dtype=np.bool_), 0)
    score = np.array([shift.score for shift in shifts])
    known = np.stack([shift.healthy for shift in shifts])
    filled = np.where(np.isfinite(known), known, -np.inf)
    times = score / np.maximum(filled.max(axis=1), LEAST_USUAL)
    healthy = filled / np.maximum(_largest_other(filled), LEAST_USUAL)
    records = healthy.max(axis=0)
    margin = max(MARGIN, one_in_twenty(records))
    q = bh(_chance(score, known))
    named = (times >= margin) & (q <= MOST_Q)
    return Gate(times, healthy, q, margin, named, int(np.count_nonzero(records >= margin)))


def one_in_twenty(records: Floats) -> float:
    """What one further value among such exceeds once in twenty times; a quarter beyond the largest of fewer than 19.

    >>> one_in_twenty(np.arange(40.0)), one_in_twenty(np.array([4.0, 1.0]))
    (38.0, 5.0)
    """
    rank = int(np.ceil((1 - MOST_FALSE) * (len(records) + 1)))
    ordered = np.sort(records)
    return float(ordered[rank - 1] if rank <= len(ordered) else MARGIN * ordered[-1])


def _largest_other(values: Floats) -> Floats:
    """For each entry the largest of the others in its row."""
    ordered = np.sort(values, axis=1)
    return np.where(values == ordered[:, -1:], ordered[:, -2:-1], ordered[:, -1:])


def _chance(score: Floats, healthy: Floats) -> Floats:
    """The chance that one further stretch scores as high, given those there are."""
    from scipy.special import stdtr

    n = np.isfinite(healthy).sum(axis=1)
    mean = np.nanmean(healthy, axis=1)
    spread = np.maximum(np.nanstd(healthy, axis=1, ddof=1), LEAST_SPREAD)
    enough = np.maximum(n, FEWEST_STRETCHES)
    p: Floats = stdtr(enough - 1, -(score - mean) / (spread * np.sqrt(1 + 1 / enough)))
    return p
