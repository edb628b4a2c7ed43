"""The metric's sums in time: windows as stretches of buckets, and the change that is found in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from mortis.clarify.metrics import Metric, Sums, bucket_sums
from mortis.onset import Counts, Values, find_onset
from mortis.onset import Onset as BucketOnset
from mortis.profiles import Tally
from mortis.records import Harm, Onset, Window

PERIODS = {86400: 7, 3600: 24, 10800: 8, 21600: 4}  # days in a week; hours, or stretches of three or six, in a day
FEWEST_CYCLES = 3


@dataclass(frozen=True, slots=True)
class Series:
    """The metric's sums by bucket: where each bucket starts (epoch seconds), and how long all of them are (seconds)."""

    starts: npt.NDArray[np.int64]
    tally: Tally
    width: int

    def index(self, moment: datetime) -> int:
        """The first bucket that starts at or after the moment."""
        return int(np.searchsorted(self.starts, moment.timestamp()))

    def moment(self, place: float) -> datetime:
        """The time at a place counted in buckets from the first."""
        return datetime.fromtimestamp(float(self.starts[0]) + place * self.width, UTC)

    def within(self, window: Window) -> Tally:
        """The sums of a window's buckets."""
        return self.tally.within(window)


def series_of(quality: Tally, width: int) -> Series:
    """The sums by bucket of `width` seconds, with the empty buckets between filled in, so that places count time.

    >>> series = series_of(
    ...     Tally.of({(0, "v1"): {"rows": 5}, (7200, "v1"): {"rows": 2}, (7200, "v2"): {"rows": 1}}), 3600
    ... )
    >>> series.starts.tolist(), series.tally.column("rows").tolist()
    ([0, 3600, 7200], [5.0, 0.0, 3.0])
    """
    by_start = quality.by(lambda cell: (int(cell[0]),))
    first, last = int(by_start.cells[0][0]), int(by_start.cells[-1][0])
    starts = np.arange(first, last + width, width)
    values = np.zeros((len(starts), len(by_start.slots)))
    values[[(int(cell[0]) - first) // width for cell in by_start.cells]] = by_start.values
    return Series(starts, Tally(tuple((int(s),) for s in starts), by_start.slots, values), width)


def harm_of(metric: Metric) -> Harm | None:
    """The direction in which the metric moves for the worse; None where either may be harm."""
    if metric.two_sided:
        return None
    return "down" if metric.better == "up" else "up"


def change_in(
    series: Series, metric: Metric, baseline: Window, incident: Window, *, certain: bool
) -> BucketOnset | None:
    """The change between the baseline's start and the incident's end, in buckets of the whole series; None without one.

    `certain` says that a change is known to be there, and only its place is asked for.

    >>> from mortis.clarify.metrics import metric_for
    >>> wrong = [5, 4, 7, 5, 6, 4, 30, 28, 33]
    >>> days = Tally.of({(i * 86400, "v1"): {"labelled": 100, "fp": w, "tn": 100 - w} for i, w in enumerate(wrong)})
    >>> series = series_of(days, 86400)
    >>> whole, accuracy = Window(series.moment(0), series.moment(9)), metric_for("accuracy", "binary")
    >>> change_in(series, accuracy, whole, whole, certain=False).best
    6
    """
    first, stop = series.index(baseline.start), series.index(incident.end)
    apart = baseline.end <= incident.start and incident.start > baseline.start
    known = series.index(baseline.end) - first if apart else None
    # People date an incident from when it hurt: the onset may lie somewhat before the window they state.
    earliest = max(1, known - known // 10) if known else 1
    if stop - first <= earliest:
        return None
    numbers, harm = _numbers(series, metric, slice(first, stop))
    season = _season(series.width, np.asarray(numbers.n), known)
    onset = find_onset(numbers, harm=harm, baseline=known, earliest=earliest, certain=certain, season=season)
    return _moved(onset, first) if onset else None


def _numbers(series: Series, metric: Metric, part: slice) -> tuple[Counts | Values, Harm | None]:
    """The metric by bucket (counts of what is bad where it is a share of rows), and the direction of harm in these."""
    _, whole = bucket_sums(series.tally)
    sums = Sums(whole.slots, whole.values[part])
    if metric.rate:
        top, n = (np.sum([sums[slot] for slot in side], axis=0) for side in metric.rate)
        return Counts(n - top if metric.better == "up" else top, n), None if metric.two_sided else "up"
    value = metric.compute(sums)
    rows = np.where(np.isfinite(value), metric.n(sums), 0.0)
    return Values(np.where(rows > 0, value, 0.0), rows), harm_of(metric)


def _season(width: int, n: npt.NDArray[np.float64], known: int | None) -> int | None:
    """The period to remove, in buckets: a week of days, a day of hours, where the baseline has each phase thrice."""
    period = PERIODS.get(width)
    if period is None or not known:
        return None
    seen = np.bincount(np.flatnonzero(n[:known]) % period, minlength=period)
    return period if seen.min() >= FEWEST_CYCLES else None


def _moved(onset: BucketOnset, by: int) -> BucketOnset:
    return replace(
        onset,
        best=onset.best + by,
        low=onset.low + by,
        high=onset.high + by,
        recovered=None if onset.recovered is None else onset.recovered + by,
        runs=tuple((start + by, end + by) for start, end in onset.runs),
    )


def in_time(series: Series, onset: BucketOnset, incident: Window) -> Onset:
    """An onset counted in buckets as moments in UTC, none of them after the incident's end."""
    low, high = onset.span
    back = series.moment(onset.recovered) if onset.recovered is not None else None
    return Onset(
        best=series.moment(onset.best),
        low=series.moment(max(low, 0.0)),
        high=min(series.moment(high), incident.end),
        shape=onset.shape,
        recovered=back if back is not None and back < incident.end else None,
    )
