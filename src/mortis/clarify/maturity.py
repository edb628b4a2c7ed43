"""Label maturity: which share of the labels has arrived, and whether two windows can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from mortis.engine.dataset import LABEL_AGE
from mortis.profiles import Profile
from mortis.records import Window

MATURE = 0.95
EARLY = 0.25
AS_COMPLETE = 0.99  # a hundredth of the labels still missing can move a rate by a point at most


@dataclass(frozen=True, slots=True)
class Maturity:
    """Rows and labelled rows by bucket start; `until` is the moment before which labels had time to arrive.

    `timed` tells that the labels' times of arrival are known, `has_labels` that there are any.
    """

    rows: dict[int, tuple[int, int]]
    has_labels: bool
    timed: bool
    until: datetime | None

    def of(self, window: Window | None) -> float | None:
        """The share of a window's predictions whose label has arrived; None where the metric needs none."""
        if window is None or not self.has_labels:
            return None
        start, end = window.start.timestamp(), window.end.timestamp()
        inside = [pair for bucket, pair in self.rows.items() if start <= bucket < end]
        n = sum(all_rows for all_rows, _ in inside)
        return sum(labelled for _, labelled in inside) / n if n else None

    def at(self, bucket: int) -> float | None:
        """The share of one bucket's predictions whose label has arrived."""
        if not self.has_labels or not self.rows.get(bucket, (0, 0))[0]:
            return None
        n, labelled = self.rows[bucket]
        return labelled / n

    def says(self, baseline: Window, incident: Window | None) -> str:
        """The maturity of both windows as a sentence."""
        before, after = self.of(baseline), self.of(incident)
        return (
            f"{(before or 0):.1%} of the baseline's and {(after or 0):.1%} of the incident's predictions have a label"
        )


def label_maturity(profile: Profile, as_of: datetime | None) -> Maturity:
    """The maturity by bucket, from the outcomes' counts; with the labels' ages, also until when they are mature.

    `as_of` is when the labels were taken out; without it, or without ages, nothing is known of when they are mature.

    >>> from mortis.profiles import Tally
    >>> outcomes = Tally.of({(0, "v1"): {"right": 90, "wrong": 5, "unlabelled": 5}, (60, "v1"): {"unlabelled": 40}})
    >>> maturity = label_maturity(Profile(60, 140, outcomes=outcomes), None)
    >>> maturity.at(0), maturity.at(60), maturity.until
    (0.95, 0.0, None)
    """
    by_bucket = profile.outcomes.by(lambda cell: (int(cell[0]),))
    missing = by_bucket.column("unlabelled")
    every = by_bucket.values.sum(axis=1)
    rows = {int(c[0]): (int(n), int(n - m)) for c, n, m in zip(by_bucket.cells, every, missing, strict=True)}
    ages = profile.numbers.get(LABEL_AGE)
    has_labels = any(
        slot in by_bucket.slots for slot in ("tp", "tn", "fp", "fn", "right", "wrong", "over", "under", "hit", "miss")
    )
    until = None
    if ages is not None and ages.n and as_of is not None:
        until = as_of - timedelta(hours=mature_age(profile))
    return Maturity(rows, has_labels, ages is not None, until)


@dataclass(frozen=True, slots=True)
class EqualAge:
    """The label age in hours at which two windows can be compared, and the part of the incident that is old enough."""

    hours: float
    incident: Window


def equal_age(profile: Profile, baseline: Window, incident: Window, as_of: datetime | None) -> EqualAge | None:
    """At what label age the windows can be compared; None where those of the incident are as complete.

    This is the age that the incident's last prediction has reached, or, if hardly any label arrives so soon, the age at
    which a quarter has: then the youngest predictions are left out. None also where the ages of the labels are not
    known, or all of the incident is younger than that.
    """
    ages = profile.numbers.get(LABEL_AGE)
    if as_of is None or ages is None or not ages.n:
        return None
    maturity = label_maturity(profile, as_of)
    before, after = maturity.of(baseline), maturity.of(incident)
    if before is None or after is None or after >= AS_COMPLETE * before:
        return None
    reached = (as_of - incident.end).total_seconds() / 3600
    if reached >= mature_age(profile):
        return None
    hours = max(reached, age_of(profile, EARLY))
    buckets = int((as_of - timedelta(hours=hours) - incident.start).total_seconds() // profile.width)
    end = min(incident.end, incident.start + timedelta(seconds=buckets * profile.width))
    return EqualAge(hours, Window(incident.start, end)) if end > incident.start else None


def mature_age(profile: Profile) -> float:
    """The age in hours by which 95 % of the labels that arrived at all had done so."""
    return age_of(profile, MATURE)


def age_of(profile: Profile, share: float) -> float:
    """The age in hours by which a share of the labels that arrived at all had done so: the upper edge of its bin."""
    ages = profile.numbers[LABEL_AGE]
    counts = np.cumsum(ages.counts.sum(axis=0))
    place = int(np.searchsorted(counts, share * counts[-1]))
    return float(ages.edges[min(place, len(ages.edges) - 1)]) if ages.edges else 0.0
