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
MAIN_KIND, MAIN_PART = (False, False), 0.9  # shifts that last, of series that vary, and their part of the alarms
LEAST_USUAL = (
    1.0  # in units of the series' scale: where healthy stretches don't move at all, ratios to them mean nothing
)
LEAST_SPREAD = 0.25  # of a healthy stretch's score, for the same reason


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """What the shifts of one case are held to.

    `times` is each shift's score in multiples of the largest of its healthy stretches, `healthy` the same for every
    stretch held to the others (shifts, stretches), `margins` what `times` must reach, `q` the false-discovery rate.
    `named` says which shifts pass, `alarms` in how many of the stretches something would have.
    """

    margins: Floats
    times: Floats
    healthy: Floats
    q: Floats
    named: Flags
    alarms: int

    @property
    def stretches(self) -> int:
        """How many healthy stretches there are."""
        return int(self.healthy.shape[1])


def judge(shifts: Sequence[Shift]) -> Gate:
    """The shifts held to what the baseline's own stretches do.

    A shift is named where its score is at least its margin times the largest of its healthy stretches, and its q-value
    is at most 5 %. The margin is a quarter beyond, or more where the baseline asks for it: every healthy stretch is
    held to the others in turn, and the margin is raised until at most one in twenty would have been named anything.
    Lasting shifts, brief ones, and those of series that are mostly equal have a margin each, and a part of the one in
    twenty: else a few counters of rare errors would hide all others.

    >>> calm = np.array([0.5, 0.8, 1.2, 0.7, 0.9, 1.1])
    >>> gate = judge([Shift(i, "up", "up", score, calm, 0, 0, 3, 9) for i, score in enumerate((1.3, 9.0))])
    >>> gate.named.tolist(), gate.times.round(2).tolist(), gate.margins.round(2).tolist()
    ([False, True], [1.08, 7.5], [1.36, 1.36])

    Source: conformal prediction by group (Vovk and others 2005), the score being the largest ratio over all series;
    Student's prediction of one further value; Benjamini and Hochberg (1995).
    """
    if not shifts:
        none = np.zeros(0)
        return Gate(none, none, np.zeros((0, 0)), none, np.zeros(0, dtype=np.bool_), 0)
    score = np.array([shift.score for shift in shifts])
    known = np.stack([shift.healthy for shift in shifts])
    filled = np.where(np.isfinite(known), known, -np.inf)
    records = filled / np.maximum(_largest_other(filled), LEAST_USUAL)
    margins = _margins([(shift.mostly_equal, shift.brief) for shift in shifts], records)
    times = score / np.maximum(filled.max(axis=1), LEAST_USUAL)
    q = bh(np.maximum(_chance(score, known), [shift.chance for shift in shifts]))
    alarms = int((records >= margins[:, None]).any(axis=0).sum())
    return Gate(margins, times, records, q, (times >= margins) & (q <= MOST_Q), alarms)


def _margins(kinds: Sequence[tuple[bool, bool]], records: Floats) -> Floats:
    """The margin of each shift, from the largest record of its kind in each stretch."""
    found = np.empty(len(kinds))
    for kind in set(kinds):
        of_kind = np.array([one == kind for one in kinds])
        found[of_kind] = max(
            MARGIN,
            seldom_exceeded(
                records[of_kind].max(axis=0), MOST_FALSE * (MAIN_PART if kind == MAIN_KIND else (1 - MAIN_PART) / 2)
            ),
        )
    return found


def seldom_exceeded(records: Floats, share: float = MOST_FALSE) -> float:
    """What one further value among such exceeds in that share of cases; a quarter beyond the largest of too few.

    >>> seldom_exceeded(np.arange(40.0)), seldom_exceeded(np.array([4.0, 1.0]))
    (38.0, 5.0)
    """
    rank = int(np.ceil((1 - share) * (len(records) + 1)))
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
