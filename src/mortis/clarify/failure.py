"""Step 1's answer: whether the metric failed, by how much, since when, and how many predictions it hit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING

from mortis.clarify.maturity import Maturity, label_maturity
from mortis.clarify.metrics import Metric, by_bucket
from mortis.clarify.series import Series, change_in, in_time, series_of
from mortis.clarify.verdict import MetricShift, Ruling, because, rule, shift_between
from mortis.intervals import newcombe
from mortis.onset import Onset as BucketOnset
from mortis.profiles import Profile, Tally
from mortis.records import Evidence, Failure, Impact, Interval, NotChecked, Onset, Point, Rate, Window, iso

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user says about the failure: windows as far as known, the expected figure, when it was noticed.

    `log` is the stretch that the predictions cover; `as_of` is when the labels were taken out.
    """

    log: Window
    baseline: Window | None = None
    incident: Window | None = None
    expected: float | None = None
    detected_at: datetime | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clarified:
    """Step 1's answer with its evidence.

    `seemed` is the answer by all labels there are, where the windows were compared at equal label age; else None.
    """

    failure: Failure
    evidence: tuple[Evidence, ...]
    not_checked: tuple[NotChecked, ...]
    seemed: Failure | None = None


def clarify(profile: Profile, quality: Tally, metric: Metric, stated: Stated, *, rng: np.random.Generator) -> Clarified:
    """The failure: verdict, size, onset, impact.

    `quality` holds the metric's sums by (bucket, version). Without windows, they are found from the series: the
    baseline is what comes before the change. The verdict is `failure` only where the incident's interval lies on the
    harmful side, beyond what windows of the same length do inside the baseline, and the shift is large enough to
    matter; `cannot_tell` where rows or labels are too few to say either.

    >>> import numpy as np
    >>> from mortis.clarify.metrics import metric_for
    >>> days = [(day * 86400, "v1") for day in range(12)]
    >>> wrong = [50, 54, 47, 51, 55, 46, 52, 49, 180, 190, 170, 185]
    >>> log = Tally.of({day: {"rows": 500, "labelled": 500, "fp": w, "tn": 500 - w} for day, w in zip(days, wrong)})
    >>> outcomes = Tally.of({day: {"fp": w, "tn": 500 - w} for day, w in zip(days, wrong)})
    >>> stated = Stated(Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 13, tzinfo=UTC)))
    >>> accuracy, rng = metric_for("accuracy", "binary"), np.random.default_rng(0)
    >>> failure = clarify(Profile(86400, 6000, outcomes=outcomes), log, accuracy, stated, rng=rng).failure
    >>> failure.verdict, iso(failure.onset.best), round(failure.impact.excess_errors.value)
    ('failure', '1970-01-09', 523)
    """
    series = series_of(quality, profile.width)
    maturity = label_maturity(profile, stated.as_of)
    found = _found(series, metric, stated, maturity, rng)
    baseline, incident, shift, onset = found.baseline, found.incident, found.shift, found.onset
    began = in_time(series, onset, incident) if onset else None
    failure = Failure(
        verdict=found.ruling.verdict,
        metric=metric.name,
        kind=metric.kind,
        baseline=shift.baseline,
        incident=shift.incident,
        shift=shift.change,
        onset=began,
        impact=_impact(profile, metric, baseline, incident, began),
        label_maturity=maturity.of(incident),
        reason=found.ruling.reason,
        definition=metric.definition,
        error_means=metric.error_means,
        better=metric.better,
        baseline_window=baseline,
        incident_window=incident,
        detected_at=stated.detected_at,
        bucket_seconds=profile.width,
        series=_points(series, metric, maturity),
    )
    evidence = (*_figures(failure, shift, metric), *_circumstances(failure, metric, maturity))
    return Clarified(failure, evidence, _not_checked(failure, maturity))


@dataclass(frozen=True, slots=True)
class _Found:
    """The windows that were compared, the verdict on them, and the onset where it is a failure."""

    baseline: Window
    incident: Window
    shift: MetricShift
    ruling: Ruling
    onset: BucketOnset | None = None


def _found(series: Series, metric: Metric, stated: Stated, maturity: Maturity, rng: np.random.Generator) -> _Found:
    """The verdict on the windows as stated or found; else on the part of a stated incident that shows a change."""
    baseline, incident, onset = _windows(series, metric, stated, maturity)
    usual = maturity.of(baseline)

    def judged(window: Window, *, searched: bool) -> _Found:
        shift = shift_between(series, metric, baseline, window, rng=rng)
        mature, expected = maturity.of(window), stated.expected
        ruling = rule(metric, shift, expected=expected, mature=mature, usual=usual, searched=searched)
        return _Found(baseline, window, shift, ruling)

    whole = judged(incident, searched=False)
    if whole.ruling.verdict == "failure":
        return replace(whole, onset=onset or change_in(series, metric, baseline, incident, certain=True))
    part = None
    if onset is None and stated.expected is None:
        part = _affected_part(series, metric, baseline, incident)
    narrow = judged(part, searched=True) if part else whole
    if narrow.ruling.verdict != "failure":
        return whole
    reason = f"{narrow.ruling.reason}; of the stated incident window only {part} is affected"
    sure = change_in(series, metric, baseline, narrow.incident, certain=True)
    return replace(narrow, ruling=Ruling("failure", reason), onset=sure)


def _windows(
    series: Series, metric: Metric, stated: Stated, maturity: Maturity
) -> tuple[Window, Window, BucketOnset | None]:
    """Baseline and incident, as stated or found from the series, and the onset where finding them found it."""
    if stated.baseline and stated.incident:
        return stated.baseline, stated.incident, None
    start = stated.baseline.start if stated.baseline else series.moment(0)
    known_end = stated.baseline.end if stated.baseline else None
    # Labels may be immature before a stated baseline ends: at least a bucket is left to judge, or to refuse to.
    fewest = series.index(known_end) + 1 if known_end else 2
    stop = max(series.index(min(stated.log.end, maturity.until or stated.log.end)), fewest)
    last = series.moment(stop)
    onset = change_in(series, metric, Window(start, known_end or last), Window(known_end or start, last), certain=False)
    if onset is None:
        middle = known_end or series.moment(stop // 2)
        return Window(start, middle), Window(middle, last), None
    begins = series.moment(onset.best)
    ends = series.moment(onset.recovered) if onset.recovered is not None else last
    return Window(start, min(known_end or begins, begins)), Window(begins, ends), onset


def _affected_part(series: Series, metric: Metric, baseline: Window, incident: Window) -> Window | None:
    """The part of a stated incident in which the series shows a change; None where it is none, or all of it."""
    onset = change_in(series, metric, baseline, incident, certain=False)
    if onset is None:
        return None
    start = max(series.moment(onset.best), incident.start)
    end = min(series.moment(onset.recovered), incident.end) if onset.recovered is not None else incident.end
    part = Window(start, end) if start < end else incident
    return None if part == incident else part


def _impact(profile: Profile, metric: Metric, baseline: Window, incident: Window, onset: Onset | None) -> Impact:
    """Predictions served from the onset until it recovered (or in the incident window), and errors beyond the usual."""
    start, end = incident.start, incident.end
    if onset:
        start, end = max(onset.best, start), onset.recovered or end
    hit = Window(start, end) if start < end else incident
    before, after = error_rate(profile, metric, baseline), error_rate(profile, metric, hit)
    served = int(profile.outcomes.within(hit).values.sum())
    if not before.n or not after.n or not metric.judgement.errors:
        return Impact(served, Interval(float("nan"), float("nan"), float("nan"), after.n))
    change = newcombe(before, after)
    return Impact(served, Interval(change.value * after.n, change.low * after.n, change.high * after.n, after.n))


def error_rate(profile: Profile, metric: Metric, window: Window) -> Rate:
    """Errors among the rows that the metric is about, in a window.

    >>> from mortis.clarify.metrics import metric_for
    >>> profile = Profile(86400, 100, outcomes=Tally.of({(0, "v1"): {"tp": 30, "fp": 10, "tn": 60}}))
    >>> day = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC))
    >>> error_rate(profile, metric_for("precision", "binary"), day)
    Rate(errors=10, n=40)
    """
    total = profile.outcomes.within(window).total()
    errors = sum(total.get(outcome, 0) for outcome in metric.judgement.errors)
    return Rate(int(errors), int(sum(total.get(outcome, 0) for outcome in metric.judgement.among)))


def _points(series: Series, metric: Metric, maturity: Maturity) -> tuple[Point, ...]:
    return tuple(
        Point(datetime.fromtimestamp(start, UTC), value, maturity.at(start))
        for start, value in by_bucket(metric, series.tally)
        if value.n
    )


def _figures(failure: Failure, shift: MetricShift, metric: Metric) -> Iterator[Evidence]:
    """The evidence on the size of the failure: before, in the incident, and the difference."""
    yield Evidence(
        "clarify.baseline",
        f"What was {metric.title} before?",
        _says(metric, failure.baseline, failure.baseline_window),
        value=failure.baseline,
    )
    yield Evidence(
        "clarify.incident",
        f"What was {metric.title} in the incident?",
        _says(metric, failure.incident, failure.incident_window),
        value=failure.incident,
    )
    question = "Did it change by more than it usually does?"
    yield Evidence("clarify.shift", question, because(metric, shift), "tested", value=shift.change)


def _circumstances(failure: Failure, metric: Metric, maturity: Maturity) -> Iterator[Evidence]:
    """The evidence on since when, who was hit, and whether the labels can be compared."""
    if failure.onset:
        when = failure.onset
        found = f"{when.shape} change at {iso(when.best)}, 95 % interval {iso(when.low)} to {iso(when.high)}"
        yield Evidence("clarify.onset", "Since when?", found, "tested")
    if failure.verdict == "failure":
        excess = failure.impact.excess_errors
        hit = f"{failure.impact.predictions} predictions were served in the failure"
        if isfinite(excess.value):
            hit += (
                f", with {excess.value:.0f} errors ({excess.low:.0f} to {excess.high:.0f}) more than the baseline's "
                f"rate makes; an error is {metric.error_means}"
            )
        yield Evidence("clarify.impact", "Who was hit?", hit, value=excess)
    if failure.label_maturity is not None:
        arrived = maturity.says(failure.baseline_window, failure.incident_window)
        yield Evidence("clarify.maturity", "Have the labels arrived?", arrived)


def _says(metric: Metric, one: Interval, window: Window | None) -> str:
    if not isfinite(one.value):
        return f"{metric.title} can't be computed in {window}: {one.n} rows to compute it on"
    return f"{metric.title} {one.value:.4g} (95 % interval {one.low:.4g} to {one.high:.4g}, n = {one.n}) in {window}"


def _not_checked(failure: Failure, maturity: Maturity) -> tuple[NotChecked, ...]:
    if maturity.timed or failure.label_maturity is None:
        return ()
    why = "no time of arrival is known for the labels, so the windows could not be compared at equal label age"
    return (NotChecked("label age", why, "labels.time, the column that says when each label arrived"),)
