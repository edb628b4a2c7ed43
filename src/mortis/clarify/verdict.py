"""The rules of the verdict: when a shift between windows is a failure, when it is none, when neither can be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.clarify.metrics import Metric, Sums, difference, estimate
from mortis.clarify.placebo import Placebo, compare_with_placebo, placebo_shifts
from mortis.clarify.season import season_of, shift_beside_baseline
from mortis.clarify.series import FEWEST_CYCLES, Series, harm_of
from mortis.records import FailureVerdict, Harm, Interval, Window

FEWEST_ROWS = 30
# What lies between 0 and 1 fails by moving half of its distance to the nearer end (an error rate of 1 %, half a point),
# or two points, which are enough for any. All other figures fail by moving a twentieth.
MATERIAL_ODDS = 0.5
MATERIAL_RATES = 0.001, 0.02
MATERIAL_SHARE = 0.05
TO_99 = 1.314  # a 95 % interval is reported, but stretched to this many times its width to accuse
PLACEBO_MARGIN = 1.25  # placebo windows are few: the incident must leave their range by a quarter
SEARCHED_MARGIN = 1.5  # the worst part of a window lies beyond most windows anyhow
FEWEST_PLACEBOS = 3


@dataclass(frozen=True, slots=True)
class MetricShift:
    """The two windows' figures, their difference, and what the baseline's own windows do."""

    baseline: Interval
    incident: Interval
    change: Interval
    placebo: Placebo | None = None

    def moved(self, harm: Harm) -> float:
        """By how much it moved in the direction of harm."""
        return self.change.value if harm == "up" else -self.change.value

    def shown(self, harm: Harm) -> bool:
        """Whether the whole interval of the change, at 99 %, lies in the direction of harm."""
        least = self.change.low if harm == "up" else -self.change.high
        return self.moved(harm) - TO_99 * (self.moved(harm) - least) > 0

    def most(self, harm: Harm | None) -> float:
        """How much worse it may have become at most, by the interval; not below zero. None takes either way as harm."""
        up, down = max(0.0, self.change.high), max(0.0, -self.change.low)
        return {"up": up, "down": down, None: max(up, down)}[harm]


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
    change = shift_beside_baseline(series, metric, baseline, incident) or difference(metric, before, after, rng=rng)
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
    slots, period = before.slots, season_of(series, metric, baseline)
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
    searched: bool = False,
) -> Ruling:
    """The verdict on a shift, against the `expected` figure where one is stated, else against the baseline.

    `mature` and `usual` are the shares of labels (0..1) that have arrived for the incident and for the baseline; None
    where the metric needs none. `searched` says that the window was picked as the worst part of a longer one: it must
    then leave the placebo windows' range further behind.

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
    material = _material(metric, shift) * (SEARCHED_MARGIN if searched else 1.0)
    harm = harm_of(metric) or ("up" if shift.change.value > 0 else "down")
    if shift.shown(harm) and shift.moved(harm) >= material:
        return Ruling("failure", because(metric, shift))
    if shift.most(harm_of(metric)) <= 2 * material:
        return Ruling("no_failure", f"{because(metric, shift)}: within what is ordinary, or too little to matter")
    return Ruling("cannot_tell", f"{because(metric, shift)}: that neither shows a failure nor rules one out")


def _undecidable(metric: Metric, shift: MetricShift, mature: float | None, usual: float | None) -> str:
    """Why no rule can decide: too few rows, labels still missing, a figure that isn't defined; empty where one can."""
    for name, one in (("baseline", shift.baseline), ("incident", shift.incident)):
        if one.n < FEWEST_ROWS:
            return f"the {name} has {one.n} rows that {metric.title} can be computed on, fewer than {FEWEST_ROWS}"
    if mature is not None and usual and mature < 0.5 * usual:
        return f"only {mature:.0%} of the incident's labels have arrived, against {usual:.0%} of the baseline's"
    return "" if np.isfinite(shift.change.value) else because(metric, shift)


def _against_expected(metric: Metric, one: Interval, expected: float) -> Ruling:
    """The verdict against a stated figure: a failure where the whole interval is worse than it."""
    above, below = one.low > expected, one.high < expected
    harm = harm_of(metric)
    worse = {"up": above, "down": below, None: above or below}[harm]
    as_good = {"up": one.high <= expected, "down": one.low >= expected, None: False}[harm]
    says = f"{metric.title} was {one.value:.4g} ({one.low:.4g} to {one.high:.4g}) where {expected:.4g} was expected"
    if worse:
        return Ruling("failure", f"{says}: all of its interval is worse")
    if as_good:
        return Ruling("no_failure", f"{says}: all of its interval is at least as good")
    return Ruling("cannot_tell", f"{says}: the interval holds the expected figure")


def _material(metric: Metric, shift: MetricShift) -> float:
    """The smallest harmful shift that counts as a failure: beyond the placebo windows, and large enough to matter."""
    floor = _smallest(metric, shift.baseline.value)
    if shift.placebo is None:
        return floor
    down, up = -shift.placebo.low, shift.placebo.high
    return max(floor, PLACEBO_MARGIN * {"up": up, "down": down, None: max(up, down)}[harm_of(metric)])


def _smallest(metric: Metric, usual: float) -> float:
    """The smallest shift that matters, given the baseline's figure."""
    of_one = metric.rate is not None or (metric.better == "up" and metric.kind == "quality" and 0 <= usual <= 1)
    if not of_one:
        return MATERIAL_SHARE * abs(usual)
    return float(np.clip(MATERIAL_ODDS * min(usual, 1 - usual), *MATERIAL_RATES))


def because(metric: Metric, shift: MetricShift) -> str:
    """By how much the metric moved, and how much it does so by itself, as a sentence without a full stop.

    >>> from mortis.clarify.metrics import metric_for
    >>> before, after, change = Interval(0.9, 0.89, 0.91), Interval(0.8, 0.78, 0.82), Interval(-0.1, -0.12, -0.08)
    >>> because(metric_for("recall", "binary"), MetricShift(before, after, change)).partition(";")[0]
    'Recall moved by -0.1 (95 % interval -0.12 to -0.08)'
    """
    change = shift.change
    if not np.isfinite(change.value):
        return f"{metric.title} is not defined in one of the windows"
    moved = f"{metric.title} moved by {change.value:+.3g} (95 % interval {change.low:+.3g} to {change.high:+.3g})"
    if shift.placebo is None:
        return f"{moved}; the baseline is too short to show how much it varies by itself"
    usual = f"{shift.placebo.low:+.3g} to {shift.placebo.high:+.3g}"
    return f"{moved}; between {shift.placebo.windows} windows of the baseline it moves by {usual}"
