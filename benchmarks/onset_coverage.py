"""Prints how often the 95 % onset set holds the true onset, and how often a changeless series gives an onset.

    python benchmarks/onset_coverage.py [--runs 400] [--buckets 120]

Series have AR(1) noise; rates are binomial around a rate that itself varies from bucket to bucket by as much as
sampling does. Effects are in standard deviations of a bucket; effect 0 gives false alarms under `found`. `covered` and
`width` are of the onsets found, `certain` is the coverage where the change is stated to exist.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mortis.onset import Counts, Onset, Values, find_onset

FloatArray = NDArray[np.float64]
ROWS = 1000
RATE = 0.1
SHAPES = ("abrupt", "gradual", "intermittent", "recovered")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    family: str
    buckets: int
    phi: float
    effect: float


@dataclass(frozen=True, slots=True)
class Result:
    """Shares in 0..1 over the runs of one setting; `covered` and `width` (buckets) are of the runs with an onset."""

    found: float
    covered: float
    width: float
    covered_certain: float
    shapes: dict[str, float]


def ar1(rng: np.random.Generator, size: int, phi: float) -> FloatArray:
    """Gaussian AR(1) noise of unit variance."""
    noise = rng.normal(size=size)
    for i in range(1, size):
        noise[i] = phi * noise[i - 1] + np.sqrt(1 - phi**2) * noise[i]
    return noise


def make_series(rng: np.random.Generator, setting: Setting, affected: FloatArray) -> Counts | Values:
    """A series whose affected share (0..1 by bucket) is shifted upward by the setting's effect."""
    signal = ar1(rng, setting.buckets, setting.phi)
    if setting.family == "values":
        return Values(20 + signal + setting.effect * affected, np.ones(setting.buckets))
    sampling = np.sqrt(RATE * (1 - RATE) / ROWS)
    rate = RATE + sampling * (signal + np.sqrt(2) * setting.effect * affected)
    n = rng.integers(ROWS // 2, 2 * ROWS, size=setting.buckets)
    return Counts(rng.binomial(n, np.clip(rate, 0, 1)), n)


def measure(setting: Setting, runs: int, rng: np.random.Generator) -> Result:
    """Coverage over onsets at all positions but three buckets at either end; effect 0 gives false alarms in `found`."""
    onsets: list[tuple[int, Onset]] = []
    held: list[bool] = []
    for _ in range(runs):
        start = int(rng.integers(3, setting.buckets - 2))
        affected = (np.arange(setting.buckets) >= start).astype(np.float64)
        series = make_series(rng, setting, affected)
        onset = find_onset(series, harm="up")
        held.append(holds(find_onset(series, harm="up", certain=True), start))
        if onset is not None:
            onsets.append((start, onset))
    shapes = [onset.shape for _, onset in onsets]
    return Result(
        found=len(onsets) / runs,
        covered=mean(holds(onset, start) for start, onset in onsets),
        covered_certain=mean(held),
        width=mean(onset.high - onset.low + 1 for _, onset in onsets),
        shapes={shape: mean(s == shape for s in shapes) for shape in SHAPES[:3]}
        | {"recovered": mean(onset.recovered is not None for _, onset in onsets)},
    )


def holds(onset: Onset | None, start: int) -> bool:
    """Whether the onset's interval holds the true start."""
    return onset is not None and onset.low <= start <= onset.high


def mean(values: Iterable[float]) -> float:
    """The mean, NaN of nothing."""
    kept = list(values)
    return float(np.mean(kept)) if kept else float("nan")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--buckets", type=int, default=120)
    options = parser.parse_args()
    rng = np.random.default_rng(20130208)
    columns = ("family", "buckets", "phi", "effect", "found", "covered", "width", "certain", *SHAPES)
    print("".join(f"{column:>13}" for column in columns))
    for family in ("values", "rates"):
        for phi in (0.0, 0.3, 0.6):
            for effect in (0.0, 1.0, 2.0, 4.0):
                setting = Setting(family, options.buckets, phi, effect)
                result = measure(setting, options.runs, rng)
                truth = (result.covered, result.width, result.covered_certain) if effect else (float("nan"),) * 3
                shares = [result.shapes[shape] for shape in SHAPES]
                print(
                    f"{family:>13}{options.buckets:13d}"
                    + "".join(f"{x:13.3f}" for x in (phi, effect, result.found, *truth, *shares))
                )


if __name__ == "__main__":
    main()
