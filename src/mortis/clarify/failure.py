"""Step 1's question: did the metric fail, by how much, since when, and how many predictions did it hit?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from mortis.clarify.maturity import Maturity, label_maturity
from mortis.clarify.metrics import Metric, Sums, bucket_sums, by_bucket, difference, estimate
from mortis.clarify.onset import Counts, Values, find_onset
from mortis.clarify.onset import Onset as BucketOnset
from mortis.clarify.placebo import Placebo, compare_with_placebo, placebo_shifts
from mortis.profiles import Profile, Tally
from mortis.records import (
    Evidence,
    Failure,
    FailureVerdict,
    Harm,
    Impact,
    Interval,
    NotChecked,
    Onset,
    Point,
    Rate,
    Window,
    iso,
)

FEWEST_ROWS = 30
SMALLEST_MATERIAL_RATE = 0.02  # a rate that moves by less is not called a failure on its own authority
SMALLEST_MATERIAL_SHARE = 0.05  # nor is any other figure that moves by less than this share of its baseline
PLACEBO_MARGIN = 1.25  # placebo windows are few: the incident must leave their range by a quarter
FEWEST_PLACEBOS = 3
PERIODS = {86400: 7, 3600: 24, 10800: 8, 21600: 4}  # days in a week; hours, or stretches of three or six, in a day
FEWEST_CYCLES = 3


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user says about the failure: windows as far as known, the expected figure, when it was noticed."""

    log: Window
    baseline: Window | None = None
    incident: Window | None = None
    expected: float | None = None
    detected_at: datetime | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clarified:
    """Step 1's answer with its evidence."""

    failure: Failure
    evidence: tuple[Evidence, ...]
    not_checked: tuple[NotChecked, ...]


@dataclass(frozen=True, slots=True)
class _Series:
    """The metric's sums by bucket: where each bucket starts (epoch seconds), and how long all of them are."""

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
        start, end = window.start.timestamp(), window.end.timestamp()
        return self.tally.where(lambda cell: start <= int(cell[0]) < end)


@dataclass(frozen=True, slots=True)
class _Shift:
    """The two windows' figures, their difference, and what the baseline's own windows do."""

    baseline: Interval
    incident: Interval
    change: Interval
    placebo: Placebo | None

    def harmful(self, better: Harm) -> bool:
        """Whether the whole interval of the change is to the worse."""
        return self.change.high < 0 if better == "up" else self.change.low > 0

    def worst(self, better: Harm) -> float:
        """How much worse it may have become at most, by the interval; not below zero."""
        return max(0.0, -self.change.low if better == "up" else self.change.high)


def clarify(profile: Profile, quality: Tally, metric: Metric, stated: Stated, *, rng: np.random.Generator) -> Clarified:
    """The failure: verdict, size, onset, impact.

    `quality` holds the metric's sums by (bucket, version). Without windows, they are found from the series: the baseline is
    what comes before the change. The verdict is `failure` only where the incident's interval lies on the harmful side, beyond
    what windows of the same length do inside the baseline, and the shift is large enough to matter; `cannot_tell` where rows
    or labels are too few to say either.
    """
    series = _series(quality, profile.width)
    maturity = label_maturity(profile, stated.as_of)
    baseline, incident, found = _windows(series, metric, stated, maturity)
    shift = _shift(series, metric, baseline, incident, rng)
    verdict, reason = _verdict(metric, shift, stated, maturity.of(incident), maturity.of(baseline))
    onset = None
    if verdict == "failure":
        onset = found or _onset(series, metric, baseline, incident, certain=True)
    failure = Failure(
        verdict=verdict,
        metric=metric.name,
        kind=metric.kind,
        baseline=shift.baseline,
        incident=shift.incident,
        shift=shift.change,
        onset=_in_time(series, onset, incident) if onset else None,
        impact=_impact(profile, metric, baseline, incident, onset and series.moment(onset.best)),
        label_maturity=maturity.of(incident),
        reason=reason,
        definition=metric.definition,
        error_means=metric.error_means,
        better=metric.better,
        baseline_window=baseline,
        incident_window=incident,
        detected_at=stated.detected_at,
        bucket_seconds=profile.width,
        series=_points(series, metric, maturity),
    )
    return Clarified(failure, _evidence(failure, shift, metric, maturity), _not_checked(failure, maturity))


def _series(quality: Tally, width: int) -> _Series:
    """The sums by bucket with the empty buckets between filled in, so that places count time."""
    by_start = quality.by(lambda cell: (int(cell[0]),))
    first, last = int(by_start.cells[0][0]), int(by_start.cells[-1][0])
    starts = np.arange(first, last + width, width)
    values = np.zeros((len(starts), len(by_start.slots)))
    values[[(int(cell[0]) - first) // width for cell in by_start.cells]] = by_start.values
    return _Series(starts, Tally(tuple((int(s),) for s in starts), by_start.slots, values), width)


def _windows(
    series: _Series, metric: Metric, stated: Stated, maturity: Maturity
) -> tuple[Window, Window, BucketOnset | None]:
    """Baseline and incident, as stated or found from the series, and the onset where finding them found it."""
    if stated.baseline and stated.incident:
        return stated.baseline, stated.incident, None
    end = min(stated.log.end, max(maturity.until or stated.log.end, series.moment(2)))
    last = series.moment(series.index(end))
    start = stated.baseline.start if stated.baseline else series.moment(0)
    known_end = stated.baseline.end if stated.baseline else None
    onset = _onset(series, metric, Window(start, known_end or last), Window(known_end or start, last), certain=False)
    if onset is None:
        middle = known_end or series.moment(len(series.starts) // 2)
        return Window(start, middle), Window(middle, max(last, series.moment(series.index(middle) + 1))), None
    begins = series.moment(onset.best)
    ends = series.moment(onset.recovered) if onset.recovered is not None else last
    return Window(start, min(known_end or begins, begins)), Window(begins, ends), onset


def _onset(series: _Series, metric: Metric, baseline: Window, incident: Window, *, certain: bool) -> BucketOnset | None:
    """The change in the series from the baseline's start to the incident's end, in buckets of the whole series."""
    first, stop = series.index(baseline.start), series.index(incident.end)
    known = (
        series.index(baseline.end) - first
        if baseline.end <= incident.start and incident.start > baseline.start
        else None
    )
    _, sums = bucket_sums(series.tally)
    part = Sums(sums.slots, sums.values[first:stop])
    numbers: Counts | Values
    if metric.rate:
        good, whole = (np.sum([part[slot] for slot in side], axis=0) for side in metric.rate)
        bad = whole - good if metric.better == "up" else good
        numbers, harm = Counts(bad, whole), "up"
    else:
        rows = np.where(np.isfinite(metric.compute(part)), metric.n(part), 0.0)
        numbers, harm = Values(np.where(rows > 0, metric.compute(part), 0.0), rows), _harm(metric)
    # People date an incident from when it hurt: the onset may lie somewhat before the window they state.
    earliest = max(1, known - known // 10) if known else 1
    if stop - first <= earliest:
        return None
    direction: Harm = "up" if harm == "up" else "down"
    season = _season(series.width, np.asarray(numbers.n), known)
    onset = find_onset(numbers, harm=direction, baseline=known, earliest=earliest, certain=certain, season=season)
    return onset and _moved(onset, first)


def _moved(onset: BucketOnset, by: int) -> BucketOnset:
    recovered = None if onset.recovered is None else onset.recovered + by
    runs = tuple((start + by, end + by) for start, end in onset.runs)
    return replace(
        onset, best=onset.best + by, low=onset.low + by, high=onset.high + by, recovered=recovered, runs=runs
    )


def _harm(metric: Metric) -> Harm:
    return "down" if metric.better == "up" else "up"


def _season(width: int, n: npt.NDArray[np.float64], known: int | None) -> int | None:
    """The period to remove, in buckets: a week of days or a day of hours, where the baseline shows each phase three times."""
    period = PERIODS.get(width)
    if period is None or not known:
        return None
    seen = np.bincount(np.flatnonzero(n[:known]) % period, minlength=period)
    return period if seen.min() >= FEWEST_CYCLES else None


def _shift(series: _Series, metric: Metric, baseline: Window, incident: Window, rng: np.random.Generator) -> _Shift:
    before, after = series.within(baseline), series.within(incident)
    shifts = _placebos(series, metric, baseline, incident)
    change = difference(metric, before, after, rng=rng)
    placebo = None
    if len(shifts) >= FEWEST_PLACEBOS and np.isfinite(change.value):
        placebo = compare_with_placebo(change.value, shifts, harm=_harm(metric))
    return _Shift(estimate(metric, before, rng=rng), estimate(metric, after, rng=rng), change, placebo)


def _placebos(series: _Series, metric: Metric, baseline: Window, incident: Window) -> npt.NDArray[np.float64]:
    """What the metric does between windows of the incident's length (at most half the baseline) and the rest of it."""
    before = series.within(baseline)
    length = min(max(1, len(series.within(incident).cells)), len(before.cells) // 2)
    if length < 1:
        return np.zeros(0)
    slots, period = before.slots, PERIODS.get(series.width)
    phase = series.index(incident.start) - series.index(baseline.start)

    def statistic(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return metric.compute(Sums(slots, sums))

    if period and len(before.cells) >= length + FEWEST_CYCLES * period:
        matched = placebo_shifts(before.values, statistic, length, period=period, phase=phase)
        if len(matched) >= FEWEST_PLACEBOS:
            return matched
    return placebo_shifts(before.values, statistic, length)


def _verdict(
    metric: Metric, shift: _Shift, stated: Stated, mature: float | None, usual: float | None
) -> tuple[FailureVerdict, str]:
    """The verdict, and the one sentence that says why."""
    short = [name for name, one in (("baseline", shift.baseline), ("incident", shift.incident)) if one.n < FEWEST_ROWS]
    if short:
        return (
            "cannot_tell",
            f"the {' and the '.join(short)} window has fewer than {FEWEST_ROWS} rows that {metric.title} can be computed on",
        )
    if mature is not None and usual and mature < 0.5 * usual:
        return (
            "cannot_tell",
            f"only {mature:.0%} of the incident's labels have arrived, against {usual:.0%} of the baseline's",
        )
    if not np.isfinite(shift.change.value):
        return "cannot_tell", f"{metric.title} is not defined in one of the windows"
    if stated.expected is not None:
        return _against_expected(metric, shift, stated.expected)
    material = _material(metric, shift)
    moved = -shift.change.value if metric.better == "up" else shift.change.value
    if shift.harmful(metric.better) and moved >= material:
        return "failure", _because(metric, shift)
    if shift.worst(metric.better) <= max(2 * material, 2 * SMALLEST_MATERIAL_RATE if metric.rate else 0.0):
        return "no_failure", _because_not(metric, shift)
    return "cannot_tell", (
        f"the change of {metric.title} lies between {shift.change.low:+.3g} and {shift.change.high:+.3g}: "
        "a failure is neither shown nor ruled out by so few rows or so unsteady a baseline"
    )


def _against_expected(metric: Metric, shift: _Shift, expected: float) -> tuple[FailureVerdict, str]:
    """The verdict against a stated figure: a failure where the whole interval is worse than it."""
    one = shift.incident
    worse, better = (
        (one.high < expected, one.low >= expected)
        if metric.better == "up"
        else (one.low > expected, one.high <= expected)
    )
    says = f"{metric.title} was {one.value:.4g} ({one.low:.4g} to {one.high:.4g}) where {expected:.4g} was expected"
    if worse:
        return "failure", f"{says}: all of its interval is worse"
    if better:
        return "no_failure", f"{says}: all of its interval is at least as good"
    return "cannot_tell", f"{says}: the interval holds the expected figure"


def _material(metric: Metric, shift: _Shift) -> float:
    """The smallest harmful shift that counts as a failure: beyond the placebo windows, and large enough to matter."""
    floor = SMALLEST_MATERIAL_RATE if metric.rate else SMALLEST_MATERIAL_SHARE * abs(shift.baseline.value)
    if shift.placebo is None:
        return floor
    ordinary = -shift.placebo.low if metric.better == "up" else shift.placebo.high
    return max(floor, PLACEBO_MARGIN * ordinary)


def _because(metric: Metric, shift: _Shift) -> str:
    ordinary = _ordinary(shift)
    return f"{metric.title} moved by {shift.change.value:+.3g} (95 % interval {shift.change.low:+.3g} to {shift.change.high:+.3g}){ordinary}"


def _ordinary(shift: _Shift) -> str:
    if shift.placebo is None:
        return "; the baseline is too short to show how much it varies by itself"
    p = shift.placebo
    return f"; between {p.windows} windows of the baseline it moves by {p.low:+.3g} to {p.high:+.3g}"


def _because_not(metric: Metric, shift: _Shift) -> str:
    return _because(metric, shift) + ": within what is ordinary, or too little to matter"


def _in_time(series: _Series, onset: BucketOnset, incident: Window) -> Onset:
    low, high = onset.span
    recovered = onset.recovered
    back = series.moment(recovered) if recovered is not None else None
    return Onset(
        best=series.moment(onset.best),
        low=series.moment(max(low, 0.0)),
        high=min(series.moment(high), incident.end),
        shape=onset.shape,
        recovered=back if back is not None and back < incident.end else None,
    )


def _impact(profile: Profile, metric: Metric, baseline: Window, incident: Window, since: datetime | None) -> Impact:
    """Predictions served since the onset (or in the incident window), and errors beyond the baseline's rate."""
    hit = Window(max(since, incident.start), incident.end) if since else incident
    before, after = error_rate(profile, metric, baseline), error_rate(profile, metric, hit)
    served = int(_outcomes(profile, hit).values.sum())
    if not before.n or not after.n:
        return Impact(served, Interval(float("nan"), float("nan"), float("nan"), after.n))
    from mortis.intervals import newcombe

    change = newcombe(before, after)
    return Impact(served, Interval(*(bound * after.n for bound in (change.value, change.low, change.high)), after.n))


def error_rate(profile: Profile, metric: Metric, window: Window) -> Rate:
    """Errors among the rows that the metric is about, in a window."""
    total = _outcomes(profile, window).total()
    errors = sum(total.get(outcome, 0) for outcome in metric.judgement.errors)
    return Rate(int(errors), int(sum(total.get(outcome, 0) for outcome in metric.judgement.among)))


def _outcomes(profile: Profile, window: Window) -> Tally:
    start, end = window.start.timestamp(), window.end.timestamp()
    return profile.outcomes.where(lambda cell: start <= int(cell[0]) < end)


def _points(series: _Series, metric: Metric, maturity: Maturity) -> tuple[Point, ...]:
    return tuple(
        Point(datetime.fromtimestamp(start, UTC), value, maturity.at(start))
        for start, value in by_bucket(metric, series.tally)
        if value.n
    )


def _evidence(failure: Failure, shift: _Shift, metric: Metric, maturity: Maturity) -> tuple[Evidence, ...]:
    found = [
        Evidence(
            "clarify.baseline",
            f"What was {metric.title} before?",
            _says(metric, failure.baseline, failure.baseline_window),
            value=failure.baseline,
        ),
        Evidence(
            "clarify.incident",
            f"What was {metric.title} in the incident?",
            _says(metric, failure.incident, failure.incident_window),
            value=failure.incident,
        ),
        Evidence(
            "clarify.shift",
            "Did it change by more than it usually does?",
            _because(metric, shift),
            "tested",
            value=shift.change,
        ),
    ]
    if failure.onset:
        when = failure.onset
        found.append(
            Evidence(
                "clarify.onset",
                "Since when?",
                f"{when.shape} change at {iso(when.best)}, 95 % interval {iso(when.low)} to {iso(when.high)}",
                "tested",
            )
        )
    if failure.verdict == "failure":
        impact = failure.impact
        found.append(
            Evidence(
                "clarify.impact",
                "Who was hit?",
                f"{impact.predictions} predictions were served in the failure, with {impact.excess_errors.value:.0f} errors "
                f"({impact.excess_errors.low:.0f} to {impact.excess_errors.high:.0f}) more than the baseline's rate makes; "
                f"an error is {metric.error_means}",
                value=impact.excess_errors,
            )
        )
    if failure.label_maturity is not None:
        found.append(
            Evidence(
                "clarify.maturity",
                "Have the labels arrived?",
                maturity.says(failure.baseline_window, failure.incident_window),
            )
        )
    return tuple(found)


def _says(metric: Metric, one: Interval, window: Window | None) -> str:
    return f"{metric.title} {one.value:.4g} (95 % interval {one.low:.4g} to {one.high:.4g}, n = {one.n}) in {window}"


def _not_checked(failure: Failure, maturity: Maturity) -> Sequence[NotChecked] | tuple[NotChecked, ...]:
    if maturity.timed or failure.label_maturity is None:
        return ()
    why = "no time of arrival is known for the labels, so the windows could not be compared at equal label age"
    return (NotChecked("label age", why, "labels.time, the column that says when each label arrived"),)
