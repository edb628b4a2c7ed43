"""Metric series that tests make: an hourly clock, noise of several kinds, and windows as parts of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from mortis.records import Window
from mortis.telemetry import MetricSeries

BEGINS = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
HOUR = 3600


def clock(points, step=HOUR):
    return int(BEGINS.timestamp()) + np.arange(points) * step


def windows(before, during, step=HOUR):
    """Baseline and incident of so many points each, the one after the other."""
    middle = BEGINS + timedelta(seconds=before * step)
    return Window(BEGINS, middle), Window(middle, middle + timedelta(seconds=during * step))


def ar1(rng, shape, phi):
    """Autocorrelated normal noise of variance one over the last axis."""
    from scipy.signal import lfilter

    noise = rng.normal(size=(*shape[:-1], shape[-1] + 200))
    return lfilter([1], [1, -phi], noise, axis=-1)[..., 200:] * np.sqrt(1 - phi**2)


def series(values, name="metric", step=HOUR, **labels):
    return MetricSeries(name, clock(len(values), step), np.asarray(values, dtype=np.float64), labels)
