"""Checks of what values can be: one only, outside the range, fewer than before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mortis.integrity.readings import Reading, percent
from mortis.integrity.windows import Column, Counts
from mortis.integrity.yardstick import Spread, distance, stretch_starts, stretches, usual
from mortis.profiles import NULL, SKETCH_PLACES, DistinctSketch, Floats
from mortis.records import Interval

LEAST_OTHER = 0.01
LEAST_BEYOND = 0.5
LEAST_LOST = 0.25
LEAST_FEWER = 0.5
FULL_SKETCH = 150.0
_NAN = float("nan")


def constant(column: Column) -> Iterable[Reading]:
    """Whether the incident holds a single value where the baseline held several."""
    known = list(column.named)
    before, after = column.baseline.rows[:, known], column.incident.rows[:, known]
    a, b = before.sum(axis=0), after.sum(axis=0)
    unnamed = column.incident.rows.sum() - column.incident.rows[:, [*known, *_null(column)]].sum()
    if not a.sum() or not b.sum():
        return
    top = int(np.argmax(b))
    value = _only_value(column, top)
    single = value is not None and not unnamed and np.count_nonzero(b) == 1
    shares = float(a[top] / a.sum()), float(b[top] / b.sum())
    change = shares[1] - shares[0] if single else 0.0
    certain = shares[0] ** (b.sum() / Spread.of(before).dispersion) if single else 1.0
    both = np.array([[a[top], a.sum() - a[top]]]), np.array([[b[top], b.sum() - b[top]]])
    yield Reading(
        feature=column.name,
        check="constant",
        baseline=shares[0],
        incident=shares[1],
        effect=Interval(change, _NAN, _NAN, int(a.sum() + b.sum())),
        rows=(int(a.sum()), int(b.sum())),
        p=float(min(1.0, certain)),
        usual=None,
        least=LEAST_OTHER,
        strength=float(distance(*both)[0]) if single else 0.0,
        statement=(
            f"always {value} in the incident; before, at most {percent(shares[0])} of rows held it"
            if single
            else "more than one value in the incident"
        ),
        about=value or "",
    )


def _null(column: Column) -> list[int]:
    return [column.slots.index(NULL)] if NULL in column.slots else []


def _only_value(column: Column, top: int) -> str | None:
    """The value that the incident's rows share as far as their slot goes; None where their numbers differ."""
    if column.kind == "category":
        return column.slots[column.named[top]]
    low, high = column.incident.low.min(initial=np.inf), column.incident.high.max(initial=-np.inf)
    return f"{low:.6g}" if low == high else None


def value_range(column: Column) -> Iterable[Reading]:
    """How far the incident's values lie outside the baseline's range, in multiples of that range."""
    if column.kind != "number":
        return
    low, high = _ends(column.baseline)
    new_low, new_high = _ends(column.incident)
    if not np.isfinite([low, high, new_low, new_high]).all():
        return
    span = high - low or abs(high) or 1.0
    above = new_high - high >= low - new_low
    beyond = max(new_high - high if above else low - new_low, 0.0) / span
    peaks, peak = (column.baseline.high, new_high) if above else (-column.baseline.low, -new_low)
    yield Reading(
        feature=column.name,
        check="range",
        baseline=high if above else low,
        incident=new_high if above else new_low,
        effect=Interval(beyond, _NAN, _NAN, int(column.baseline.rows.sum() + column.incident.rows.sum())),
        rows=(int(column.baseline.rows.sum()), int(column.incident.rows.sum())),
        p=_record_p(peaks[np.isfinite(peaks)], peak, len(column.incident.rows)) if beyond else 1.0,
        usual=usual(_usual_beyond(column)),
        least=LEAST_BEYOND,
        strength=0.0,
        statement=(
            f"values from {new_low:.6g} to {new_high:.6g}, against {low:.6g} to {high:.6g} before"
            + (f": {beyond:.3g} times that range {'above' if above else 'below'} it" if beyond else "")
        ),
        about="above" if above else "below",
    )


def _ends(counts: Counts) -> tuple[float, float]:
    return float(counts.low.min(initial=np.inf)), float(counts.high.max(initial=-np.inf))


def _record_p(peaks: Floats, peak: float, buckets: int) -> float:
    """The chance of a record as high in so many buckets, given the baseline's largest value of each bucket.

    Gumbel's law fitted to them by moments, on the values or, among positive ones, on their logarithms:
    whichever makes the record likelier. With fewer than five buckets only that records fall anywhere alike.

    Source: Gumbel (1958), "Statistics of extremes".
    """
    if len(peaks) < 5:
        return buckets / (len(peaks) + buckets)
    scales = [(peaks, peak)]
    if peak > 0 and np.count_nonzero(peaks > 0) >= 5:
        scales.append((np.log(peaks[peaks > 0]), float(np.log(peak))))
    chances = []
    for values, record in scales:
        # Few buckets tell the spread of their records badly.
        scale = float(values.std(ddof=1)) * np.sqrt(6) / np.pi * (1 + 1 / np.sqrt(len(values)))
        location = float(values.mean()) - np.euler_gamma * scale
        tail = np.exp(-min((record - location) / scale, 700.0)) if scale > 0 else 0.0
        chances.append(-float(np.expm1(-buckets * len(values) / len(peaks) * tail)))
    return max(chances)


def _usual_beyond(column: Column) -> Floats:
    """How far stretches of the baseline reach beyond the rest of it, in multiples of the rest's range."""
    low, high = column.baseline.low, column.baseline.high
    starts, length = stretch_starts(len(low), len(column.incident.rows))
    found = []
    for start in starts:
        end = start + length
        rest_low = min(low[:start].min(initial=np.inf), low[end:].min(initial=np.inf))
        rest_high = max(high[:start].max(initial=-np.inf), high[end:].max(initial=-np.inf))
        beyond = max(high[start:end].max() - rest_high, rest_low - low[start:end].min(), 0.0)
        found.append(beyond / (rest_high - rest_low or abs(rest_high) or 1.0))
    return np.array(found, dtype=np.float64)


def distinct(column: Column) -> Iterable[Reading]:
    """How many of the values to be expected in the incident's rows are gone, as a share of them (negative)."""
    if column.kind == "number":
        yield from _distinct_numbers(column)
        return
    known = list(column.named)
    before, after = column.baseline.rows[:, known], column.incident.rows[:, known]
    a, b = before.sum(axis=0), after.sum(axis=0)
    if np.count_nonzero(a) < 2 or not b.sum():
        return
    expected, spread = _expected_distinct(a[None], b.sum(keepdims=True))
    found = np.count_nonzero(b)
    lost = [column.slots[known[i]] for i in np.argsort(-a) if a[i] and not b[i]]
    change = found / expected[0] - 1
    reach = 1.96 * spread[0] / expected[0]
    inside, rest = stretches(before, len(after))
    yield Reading(
        feature=column.name,
        check="distinct",
        baseline=float(expected[0]),
        incident=float(found),
        effect=Interval(float(change), float(change - reach), float(change + reach), int(a.sum() + b.sum())),
        rows=(int(a.sum()), int(b.sum())),
        p=_gone_p(a, b, Spread.of(before).dispersion),
        usual=usual(np.count_nonzero(inside, axis=1) / _expected_distinct(rest, inside.sum(axis=1))[0] - 1),
        least=LEAST_LOST,
        strength=float(distance(a[None], b[None])[0]),
        statement=f"{found} different values where {expected[0]:.0f} were to be expected"
        + (f"; gone: {', '.join(lost[:3])}{' and more' if len(lost) > 3 else ''}" if lost else ""),
        about=lost[0] if lost else "",
    )


def _expected_distinct(a: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Distinct values to be expected among n rows each drawn by count rows (m, slots), and their standard deviation."""
    with np.errstate(invalid="ignore", divide="ignore"):
        absent = (1 - a / a.sum(axis=1, keepdims=True)) ** n[:, None]
    return np.maximum((1 - absent).sum(axis=1), 1.0), np.sqrt((absent * (1 - absent)).sum(axis=1))


def _gone_p(a: Floats, b: Floats, dispersion: float) -> float:
    """The chance that the commonest of the values that are gone would be gone where nothing changed."""
    gone = (a > 0) & (b == 0)
    if not gone.any():
        return 1.0
    share = a[gone].max() / a.sum()
    return float(min(1.0, np.count_nonzero(a) * (1 - share) ** (b.sum() / dispersion)))


def _distinct_numbers(column: Column) -> Iterable[Reading]:
    """The same for numbers, from the sketch of their values, where the pass made one.

    The yardstick is the stretch of the baseline with the fewest values; the chance is that of the sketch's error.
    """
    bits, new_bits = column.baseline.bits, column.incident.bits
    starts, length = stretch_starts(len(bits), len(new_bits))
    if not len(starts) or not any(new_bits):
        return
    usual_counts = np.array([_distinct_of(bits[start : start + length]) for start in starts])
    found, before, fewest = _distinct_of(new_bits), _distinct_of(bits), float(usual_counts.min())
    change = found / before - 1
    # Standard error of linear counting (Whang, Vander-Zanden and Taylor 1990), and one for what it rounds.
    load = found / SKETCH_PLACES
    error = float(np.sqrt(SKETCH_PLACES * (np.exp(load) - load - 1)) + 1)
    rows = int(column.baseline.rows.sum()), int(column.incident.rows.sum())
    low, high = max(found - 2 * error, 0) / before - 1, (found + 2 * error) / before - 1
    yield Reading(
        feature=column.name,
        check="distinct",
        baseline=before,
        incident=found,
        effect=Interval(change, low, high, sum(rows)),
        rows=rows,
        p=_normal_tail((fewest - found) / error),
        usual=usual(usual_counts / before - 1),
        least=LEAST_FEWER,
        strength=0.0,
        statement=f"{_about(found)} different values, {_about(before)} before",
    )


def _distinct_of(bits: Sequence[int]) -> float:
    return min(DistinctSketch(((),) * len(bits), tuple(bits)).distinct, FULL_SKETCH)


def _about(distinct_values: float) -> str:
    return f"about {distinct_values:.0f}" if distinct_values < FULL_SKETCH else f"more than {FULL_SKETCH:.0f}"


def _normal_tail(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(-z))
