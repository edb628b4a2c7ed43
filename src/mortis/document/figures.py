"""Numbers and times as the reader sees them: one way of writing each, in every format of the report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from mortis.records import Failure, Interval

NARROW = "\u202f"  # a narrow space at which no line breaks
MINUS = "−"
NONE = "–"
INTERVAL = f"95{NARROW}% interval"
DAY = 86400

# Abbreviations that are not written like words.
NAMES = {
    "auroc": "AUROC",
    "brier": "Brier score",
    "auprc": "AUPRC",
    "f1": "F1",
    "log_loss": "log loss",
    "mae": "MAE",
    "mape": "MAPE",
    "mrr": "MRR",
    "ndcg": "NDCG",
    "r2": "R²",
    "rmse": "RMSE",
}


def known(*values: float | None) -> bool:
    """Whether every value is a number that can be written.

    >>> known(1.0, 2), known(float("nan")), known(None)
    (True, False, False)
    """
    return all(value is not None and math.isfinite(value) for value in values)


def count(n: float) -> str:
    """A whole number with its thousands apart.

    >>> count(1234567)
    '1,234,567'
    """
    return fixed(n, 0)


def fixed(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """A number with that many decimals, a real minus sign and thousands apart; a dash where there is none.

    >>> fixed(-0.0521, 3), fixed(0.25, 1, signed=True), fixed(float("nan"), 1)
    ('−0.052', '+0.2', '–')
    """
    if value is None or not math.isfinite(value):  # the type checker doesn't see through `known`
        return NONE
    rounded = round(value, decimals) + 0.0  # -0.0 + 0.0 is 0.0
    sign = "+" if signed and rounded > 0 else ""
    return sign + f"{rounded:,.{decimals}f}".replace("-", MINUS)


def number(value: float | None, *, signed: bool = False) -> str:
    """A number of unknown kind with three significant digits, all digits of its whole part kept.

    >>> number(0.012345), number(1.5), number(812.4)
    ('0.0123', '1.5', '812')
    """
    if value is None or not math.isfinite(value):
        return NONE
    text = fixed(value, min(8, significant(value)), signed=signed)
    return text.rstrip("0").rstrip(".") if "." in text else text


def parameter(value: str | float) -> str:
    """A parameter of a cause: text as it is, a number to six digits.

    >>> parameter(1.609344), parameter("miles")
    ('1.60934', 'miles')
    """
    return value if isinstance(value, str) else f"{value:.6g}".replace("-", MINUS)


def significant(value: float) -> int:
    """How many decimals show three significant digits of the value."""
    return max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0


def percent(share: float | None, decimals: int = 1) -> str:
    """A share in 0..1 as a percentage.

    >>> percent(0.0512).replace(NARROW, " ")
    '5.1 %'
    """
    text = fixed(None if share is None else 100 * share, decimals)
    return text if text == NONE else f"{text}{NARROW}%"


def points(change: float | None, decimals: int = 1) -> str:
    """A change of a share, in percentage points.

    >>> points(-0.0512).replace(NARROW, " ")
    '−5.1 pp'
    """
    text = fixed(None if change is None else 100 * change, decimals, signed=True)
    return text if text == NONE else f"{text}{NARROW}pp"


def estimate(interval: Interval) -> str:
    """A figure of unknown kind with its interval and rows, in enough decimals to tell the limits apart.

    >>> estimate(Interval(1.6093, 1.6091, 1.6096, 31880)).replace(NARROW, " ")
    '1.6093 (95 % interval: 1.6091 to 1.6096, n = 31,880)'
    """
    if not known(interval.value):
        return NONE
    bounded = known(interval.low, interval.high)
    needed = digits_apart(interval.low, interval.high) if bounded else 0
    decimals = min(8, max(significant(interval.value), needed))
    limits = [f"{INTERVAL}: {fixed(interval.low, decimals)} to {fixed(interval.high, decimals)}"] if bounded else []
    inside = [*limits, f"n = {count(interval.n)}"]
    return f"{fixed(interval.value, decimals)} ({', '.join(inside)})"


def digits_apart(low: float, high: float) -> int:
    """How many decimals tell two limits apart; none where they are alike.

    >>> digits_apart(0.9075, 0.9132)
    3
    """
    return max(0, math.ceil(-math.log10(high - low))) if known(low, high) and high > low else 0


def chance(q: float | None) -> str:
    """A false-discovery rate or p-value, never as zero.

    >>> chance(0.00004), chance(0.0312)
    ('< 0.001', '0.031')
    """
    if q is None or not math.isfinite(q):
        return NONE
    return "< 0.001" if q < 0.001 else f"{q:.3f}"


def moment(when: datetime | None, *, clock: bool = True) -> str:
    """A UTC moment to the minute; its date alone where no clock is wanted and it is midnight.

    >>> moment(datetime(2013, 8, 1, 6, 30, tzinfo=UTC)), moment(datetime(2013, 8, 1, tzinfo=UTC), clock=False)
    ('2013-08-01 06:30', '2013-08-01')
    """
    if when is None:
        return NONE
    when = when.astimezone(UTC)
    midnight = when.hour == when.minute == when.second == 0
    return f"{when:%Y-%m-%d}" if midnight and not clock else f"{when:%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """A stretch of time in the largest unit that fits.

    >>> duration(3600), duration(2.5 * 86400), duration(90)
    ('1 hour', '2.5 days', '1.5 minutes')
    """
    for unit, size in (("day", DAY), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            amount = f"{seconds / size:.1f}".removesuffix(".0")
            return f"{amount} {unit}" if amount == "1" else f"{amount} {unit}s"
    return f"{fixed(seconds, 1 if seconds % 1 else 0)} seconds"


def metric_name(metric: str) -> str:
    """The metric as a word in a sentence.

    >>> metric_name("auroc"), metric_name("error_rate"), metric_name("latency_p95_ms"), metric_name("ndcg@5")
    ('AUROC', 'error rate', 'latency p95', 'NDCG@5')
    """
    name, at, places = metric.partition("@")
    return (NAMES.get(name.lower()) or name.removesuffix("_ms").replace("_", " ")) + at + places


@dataclass(frozen=True, slots=True)
class MetricStyle:
    """How one metric is written throughout the document: unit, factor from the raw value, decimals.

    >>> style = MetricStyle("latency_ms", unit="ms", factor=1.0, decimals=0)
    >>> style.value(412.3).replace(NARROW, " "), style.change(-12).replace(NARROW, " ")
    ('412 ms', '−12 ms')
    """

    metric: str
    unit: str
    factor: float
    decimals: int

    def value(self, value: float | None) -> str:
        """A level of the metric, with its unit."""
        return self._written(value, self.unit, signed=False)

    def change(self, value: float | None) -> str:
        """A difference of two levels, with its sign; of percentages in percentage points."""
        return self._written(value, "pp" if self.unit == "%" else self.unit, signed=True)

    def between(self, interval: Interval, *, signed: bool = False) -> str:
        """The interval's limits; a dash where there are none."""
        if not known(interval.low, interval.high):
            return NONE
        write = self.change if signed else self.value
        return f"{write(interval.low)} to {write(interval.high)}"

    def _written(self, value: float | None, unit: str, *, signed: bool) -> str:
        text = fixed(None if value is None else self.factor * value, self.decimals, signed=signed)
        return f"{text}{NARROW}{unit}" if unit and text != NONE else text


def metric_style(failure: Failure) -> MetricStyle:
    """The style of the failure's metric: its unit where it has one, and decimals.

    Shares and rates are written in percent, latencies in milliseconds, throughput in rows per second.
    Decimals are enough to tell the limits of the narrowest interval apart, so that figures of one document compare.
    """
    name = failure.metric.lower().partition("@")[0]
    unit, factor = "", 1.0
    if name.endswith(("_rate", "_share")) or name == "mape":
        unit, factor = "%", 100.0
    elif "latency" in name or name.endswith("_ms"):
        unit = "ms"
    elif name == "throughput":
        unit = "/s"
    intervals = (failure.baseline, failure.incident)
    least = 1 if unit == "%" else significant(factor * largest(i.value for i in intervals))
    needed = (digits_apart(factor * i.low, factor * i.high) for i in intervals)
    return MetricStyle(failure.metric, unit, factor, min(6, max(min(least, 3), *needed)))


def largest(values: Iterable[float]) -> float:
    """The largest finite magnitude; zero where there is none."""
    return max((abs(value) for value in values if known(value)), default=0.0)
