"""The rules of the verdict: when a shift between windows is a failure, when it is none, when neither can be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.clarify.metrics import Metric, Sums, difference, estimate
from mortis.clarify.placebo import Placebo, compare_with_placebo, placebo_shifts
from mortis.clarify.series import FEWEST_CYCLES, PERIODS, Series, harm_of
from mortis.records import FailureVerdict, Harm, Interval, Window

FEWEST_ROWS = 30
SMALLEST_MATERIAL_RATE = 0.02  # a rate that moves by less is not called a failure on its own authority
SMALLEST_MATERIAL_SHARE = 0.05  # nor is any other figure that moves by less than this share of its baseline
PLACEBO_MARGIN = 1.25  # placebo windows are few: the incident must leave their range by a quarter
FEWEST_PLACEBOS = 3


@dataclass(frozen=True, slots=True)
class MetricShift:
    """The two windows' figures, their difference, and what the baseline's own windows do."""

    baseline: Interval
    incident: Interval
    change: Interval
    placebo: Placebo | None = None

    def harmful(self, better: Harm) -> bool:
        """Whether the whole interval of the change is to the worse."""
        return self.change.high < 0 if better == "up" else self.change.low > 0

    def worst(self, better: Harm) -> float:
        """How much worse it may have become at most, by the interval; not below zero."""
        return max(0.0, -self.change.low if better == "up" else self.change.high)


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict, and the one sentence that says why."""

    verdict: FailureVerdict
    reason: str


def shift_between(
    series: Series, metric: Metric, baseline: Window, incident: Window, *, rng: np.random.Generator
) -> MetricShift:
    """The metric's shift from baseline to incident, beside what it does between windows of the baseline alone.

    `placebo` is None where the baseline holds fewer than three windows of the incident's length.
    """
    before, after = series.within(baseline), series.within(incident)
    shifts = _placebos(series, metric, baseline, incident)
    change = difference(metric, before, after, rng=rng)
    placebo = None
    if len(shifts) >= FEWEST_PLACEBOS and np.isfinite(change.value):
        placebo = compare_with_placebo(change.value, shifts, harm=harm_of(metric))
    return MetricShift(estimate(metric, before, rng=rng), estimate(metric, after, rng=rng), change, placebo)


def _placebos(series: Series, metric: Metric, baseline: Window, incident: Window) -> npt.NDArray[np.float64]:
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


def rule(
    metric: Metric,
    shift: MetricShift,
    *,
    expected: float | None = None,
    mature: float | None = None,
    usual: float | None = None,
) -> Ruling:
    """The verdict on a shift, against the `expected` figure where one is stated, else against the baseline.

    `mature` and `usual` are the shares of labels (0..1) that have arrived for the incident and for the baseline; None
    where the metric needs none.

    >>> from mortis.clarify.metrics import metric_for
    >>> before, after = Interval(0.90, 0.89, 0.91, 5000), Interval(0.80, 0.78, 0.82, 1500)
    >>> rule(metric_for("precision", "binary"), MetricShift(before, after, Interval(-0.10, -0.12, -0.08, 6500))).verdict
    'failure'
    """
    undecidable = _undecidable(metric, shift, mature, usual)
    if undecidable:
        return Ruling("cannot_tell", undecidable)
    if expected is not None:
        return _against_expected(metric, shift.incident, expected)
    material = _material(metric, shift)
    moved = -shift.change.value if metric.better == "up" else shift.change.value
    if shift.harmful(metric.better) and moved >= material:
        return Ruling("failure", because(metric, shift))
    if shift.worst(metric.better) <= max(2 * material, 2 * SMALLEST_MATERIAL_RATE if metric.rate else 0.0):
        return Ruling("no_failure", f"{because(metric, shift)}: within what is ordinary, or too little to matter")
    return Ruling(
        "cannot_tell",
        f"the change of {metric.title} lies between {shift.change.low:+.3g} and {shift.change.high:+.3g}: "
        "a failure is neither shown nor ruled out by so few rows or so unsteady a baseline",
    )


def _undecidable(metric: Metric, shift: MetricShift, mature: float | None, usual: float | None) -> str:
    """Why no rule can decide: too few rows, labels still missing, a figure that isn't defined; empty where one can."""
    short = [name for name, one in (("baseline", shift.baseline), ("incident", shift.incident)) if one.n < FEWEST_ROWS]
    if short:
        windows = " and the ".join(short)
        return f"the {windows} window has fewer than {FEWEST_ROWS} rows that {metric.title} can be computed on"
    if mature is not None and usual and mature < 0.5 * usual:
        return f"only {mature:.0%} of the incident's labels have arrived, against {usual:.0%} of the baseline's"
    return "" if np.isfinite(shift.change.value) else f"{metric.title} is not defined in one of the windows"


def _against_expected(metric: Metric, one: Interval, expected: float) -> Ruling:
    """The verdict against a stated figure: a failure where the whole interval is worse than it."""
    worse, as_good = (one.high < expected, one.low >= expected)
    if metric.better == "down":
        worse, as_good = (one.low > expected, one.high <= expected)
    says = f"{metric.title} was {one.value:.4g} ({one.low:.4g} to {one.high:.4g}) where {expected:.4g} was expected"
    if worse:
        return Ruling("failure", f"{says}: all of its interval is worse")
    if as_good:
        return Ruling("no_failure", f"{says}: all of its interval is at least as good")
    return Ruling("cannot_tell", f"{says}: the interval holds the expected figure")


def _material(metric: Metric, shift: MetricShift) -> float:
    """The smallest harmful shift that counts as a failure: beyond the placebo windows, and large enough to matter."""
    floor = SMALLEST_MATERIAL_RATE if metric.rate else SMALLEST_MATERIAL_SHARE * abs(shift.baseline.value)
    if shift.placebo is None:
        return floor
    ordinary = -shift.placebo.low if metric.better == "up" else shift.placebo.high
    return max(floor, PLACEBO_MARGIN * ordinary)


def because(metric: Metric, shift: MetricShift) -> str:
    """By how much the metric moved, and how much it does so by itself, as a sentence without a full stop.

    >>> from mortis.clarify.metrics import metric_for
    >>> before, after, change = Interval(0.9, 0.89, 0.91), Interval(0.8, 0.78, 0.82), Interval(-0.1, -0.12, -0.08)
    >>> because(metric_for("recall", "binary"), MetricShift(before, after, change)).partition(";")[0]
    'Recall moved by -0.1 (95 % interval -0.12 to -0.08)'
    """
    change = shift.change
    moved = f"{metric.title} moved by {change.value:+.3g} (95 % interval {change.low:+.3g} to {change.high:+.3g})"
    if shift.placebo is None:
        return f"{moved}; the baseline is too short to show how much it varies by itself"
    usual = f"{shift.placebo.low:+.3g} to {shift.placebo.high:+.3g}"
    return f"{moved}; between {shift.placebo.windows} windows of the baseline it moves by {usual}"
