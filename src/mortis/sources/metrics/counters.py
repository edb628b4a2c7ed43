"""Counters, which only ever grow: told by name and course, and turned into rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from mortis.telemetry import MetricSeries

TOTAL, BUCKET, PARTS = "_total", "_bucket", ("_bucket", "_count", "_sum")
MOST_FALLS = 0.1


def counter_names(series: Sequence[MetricSeries]) -> set[str]:
    """The names like a counter's whose series rise, falling in at most a tenth of the steps that change them.

    Such a name ends in `_total`, or is the buckets, the sum or the count of a histogram or summary that is there too. A
    process that restarts counts anew, so some falls are to be expected; a total per interval falls half the time.

    >>> up, level = (
    ...     MetricSeries("x_total", np.arange(4), np.array(v)) for v in ([1.0, 2.0, 2.0, 5.0], [3.0, 1.0, 2.0, 1.0])
    ... )
    >>> counter_names([up]), counter_names([level])
    ({'x_total'}, set())
    """
    parts = _parts(series)
    steps: dict[str, list[int]] = {}
    for one in series:
        if one.name.endswith(TOTAL) or one.name in parts:
            change = np.diff(one.values[~np.isnan(one.values)])
            falls, rises = steps.setdefault(one.name, [0, 0])
            steps[one.name] = [falls + int((change < 0).sum()), rises + int((change > 0).sum())]
    return {name for name, (falls, rises) in steps.items() if rises and falls <= MOST_FALLS * (falls + rises)}


def _parts(series: Iterable[MetricSeries]) -> set[str]:
    """What the counting parts of histograms and summaries are called, told by their bounds and quantiles."""
    families = {one.name.removesuffix(BUCKET) for one in series if "le" in one.labels and one.name.endswith(BUCKET)}
    families |= {one.name for one in series if "quantile" in one.labels}
    return {family + part for family in families for part in PARTS}


def falls_of(series: MetricSeries) -> int:
    """How often a series falls from one measured point to the next: of a counter, how often it began anew."""
    return int((np.diff(series.values[~np.isnan(series.values)]) < 0).sum())


def rate(series: MetricSeries) -> MetricSeries:
    """A counter's increase per second between one measured point and the next, at the later one, as `rate(name)`.

    Where it falls it began anew at 0, so the increase is what it shows then.

    >>> rate(MetricSeries("x_total", np.array([0, 60, 120]), np.array([10.0, 70.0, 30.0]))).values.tolist()
    [1.0, 0.5]
    """
    known = ~np.isnan(series.values)
    seconds, values = series.seconds[known], series.values[known]
    increase = np.diff(values)
    increase = np.where(increase < 0, values[1:], increase)
    return replace(
        series, name=f"rate({series.name})", seconds=seconds[1:], values=increase / np.diff(seconds).astype(np.float64)
    )
