"""When a failure began: the first affected time bucket, with the interval that holds it, or no change at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mortis.onset.levels import (
    Fit,
    FloatArray,
    Harm,
    IntArray,
    Levels,
    Run,
    Search,
    affected,
    best_pulse,
    best_step,
    contrast_share,
    level_values,
    make_levels,
    runs_gain,
    start_log_posterior,
)
from mortis.onset.noise import autocorrelation, bucket_weights, remove_season, residuals, tame_outliers
from mortis.onset.shapes import find_runs, fit_ramp, two_clusters

Shape = Literal["abrupt", "gradual", "intermittent"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Errors among n predictions in each time bucket, in order of time; buckets with n = 0 are known to be empty."""

    errors: ArrayLike
    n: ArrayLike


@dataclass(frozen=True, slots=True)
class Values:
    """A metric's value in each time bucket, in order of time, and the rows behind it (0 where there were none)."""

    value: ArrayLike
    n: ArrayLike


@dataclass(frozen=True, slots=True)
class Onset:
    """When a change began, in bucket indices.

    `best` is the most probable first affected bucket, with posterior `probability`; `low..high` (both included) holds
    it with 95 % probability. A bucket counts as affected if most of it is: in time see `span`. `recovered` is the first
    normal bucket after the last affected one, None where the series ends affected. `runs` are the affected stretches,
    half-open. `evidence` is the log likelihood over no change, discounted for autocorrelation. `before` and `after` are
    the normal and the affected level.
    """

    best: int
    low: int
    high: int
    shape: Shape
    recovered: int | None
    probability: float
    evidence: float
    before: float
    after: float
    runs: tuple[Run, ...]

    @property
    def span(self) -> tuple[float, float]:
        """The interval in time, in buckets from the series' start: a change inside a bucket went to its nearer edge."""
        return self.low - 0.5, self.high + 0.5


@dataclass(frozen=True, slots=True)
class _Series:
    """The usable buckets: their indices, values and rows."""

    index: IntArray
    values: FloatArray
    n: FloatArray
    counts: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A fit to sums, and what it must gain to be believed."""

    levels: Levels
    fit: Fit
    price: float

    @property
    def worth(self) -> float:
        """What the fit gains beyond its price, or its start beyond that of an onset, whichever is less.

        Without the second, a series that begins badly and gets better would count as failing from its second bucket.
        """
        (_, end), *rest = self.fit.runs
        begun = ((0, end), *rest)
        startless = runs_gain(self.levels, begun) if begun != ((0, self.levels.size),) else 0.0
        return self.fit.gain - max(self.price, startless + step_threshold(self.levels.size))


@dataclass(frozen=True, slots=True)
class _Choice:
    """The fit believed, and those that still have a say in where its first run starts."""

    best: _Candidate
    rivals: tuple[_Candidate, ...]


@dataclass(frozen=True, slots=True)
class _Start:
    """Where the first run starts, in usable buckets, and the shape of what starts there."""

    best: int
    low: int
    high: int
    probability: float
    shape: Shape


CONFIDENCE = 0.95
"""Posterior probability that low..high holds the onset."""

FEWEST_BUCKETS = 6
"""A shorter series cannot show its own variation from bucket to bucket, so nothing can be told from it."""

FEWEST_BASELINE = 40
"""A shorter baseline says less about noise than the whole series does."""


def find_onset(
    series: Counts | Values,
    *,
    harm: Harm | None = None,
    baseline: int | None = None,
    earliest: int = 1,
    shortest: int = 1,
    season: int | None = None,
    certain: bool = False,
) -> Onset | None:
    """The onset of the one change a series holds, or None where no change explains it as well.

    `harm` is the direction that counts, None for both. `baseline` is how many leading buckets are known to be normal:
    noise and season are estimated there where they are enough. `earliest` is the first bucket an onset may have,
    `shortest` the fewest buckets a failure lasts. `season` is a period in buckets (7 for days, 24 for hours). `certain`
    says that a change is known to exist: its likeliest onset is given even where the series alone doesn't prove it.

    A series of fewer than six buckets with rows gives None. ValueError where lengths differ, n is negative, errors
    exceed n, a bucket with rows has no finite entry, an option is out of range, or the baseline (without one, the
    series) has fewer than two cycles of the season.

    >>> errors = [5, 6, 4, 5, 6, 5, 4, 5, 15, 17, 14, 16]
    >>> onset = find_onset(Counts(errors, [100] * 12), harm="up")
    >>> onset.best, onset.low, onset.high, onset.shape, onset.recovered
    (8, 8, 8, 'abrupt', None)

    Sources: the posterior of one change point with Jeffreys priors on levels and scale; Williams (1982) for the
    overdispersion of rates; likelihoods discounted by (1 - phi) / (1 + phi) for lag-1 autocorrelation phi.
    """
    _check_options(earliest=earliest, shortest=shortest, season=season)
    usable = _usable(series)
    if usable.index.size < FEWEST_BUCKETS or np.ptp(usable.values) == 0:
        return None
    known = int(np.searchsorted(usable.index, baseline or 0))
    search = Search(harm, max(1, int(np.searchsorted(usable.index, earliest))), shortest)
    if season is not None:
        usable = _without_season(usable, season, known, search)
    tamed = replace(usable, values=tame_outliers(usable.values, usable.n))
    levels = _with_noise(tamed, known, search)
    choice = _choose(tamed, levels, search, certain=certain)
    if choice is None:
        return None
    return _onset(usable, choice.best, _posterior(choice, search))


def _check_options(*, earliest: int, shortest: int, season: int | None) -> None:
    if earliest < 1:
        raise ValueError(f"earliest must be 1 or more, as an onset needs a bucket before it; got {earliest}")
    if shortest < 1:
        raise ValueError(f"shortest must be 1 or more; got {shortest}")
    if season is not None and season < 2:
        raise ValueError(f"season is a period of 2 or more buckets; got {season}")


def _usable(series: Counts | Values) -> _Series:
    first = np.asarray(series.errors if isinstance(series, Counts) else series.value, dtype=np.float64)
    n = np.asarray(series.n, dtype=np.float64)
    if first.ndim != 1 or first.shape != n.shape:
        raise ValueError(f"a series needs one entry and one n per bucket; got shapes {first.shape} and {n.shape}")
    if np.any(~(n >= 0)):
        raise ValueError("n must be 0 or more in every bucket")
    index = np.flatnonzero(n)
    entries, rows = first[index], n[index]
    if not np.all(np.isfinite(entries)):
        bad = int(index[~np.isfinite(entries)][0])
        raise ValueError(f"bucket {bad} has rows but no finite entry; give it n = 0 to leave it out")
    counts = isinstance(series, Counts)
    if counts and (np.any(entries < 0) or np.any(entries > rows)):
        raise ValueError("errors must lie in 0..n in every bucket")
    return _Series(index, entries / rows if counts else entries, rows, counts)


def _without_season(usable: _Series, season: int, known: int, search: Search) -> _Series:
    """The series with matched phases (weekdays, hours) brought to one level."""
    levels = make_levels(usable.values, usable.n, counts=usable.counts, phi=0.0)
    fit = _best_single(levels, search) if known == 0 else None
    part = slice(0, known or None)
    expected = _expected(levels, fit)
    values = remove_season(
        usable.values, usable.n, expected, phase=usable.index % season, part=part, counts=usable.counts
    )
    return _Series(usable.index, values, usable.n, usable.counts)


def _expected(levels: Levels, fit: Fit | None) -> FloatArray:
    if fit is None:
        return np.full(levels.size, levels.cum_y[-1] / levels.cum_w[-1])
    return _two_levels(levels, affected(levels.size, fit.runs))


def _with_noise(usable: _Series, known: int, search: Search) -> Levels:
    """The sums weighted and tempered by the noise of the baseline, or else of what the best change leaves."""
    if known >= FEWEST_BASELINE:
        return _judged(usable, np.full(usable.n.size, _mean(usable, slice(0, known))), slice(0, known), fitted=1)
    everything = slice(None)
    levels = _judged(usable, np.full(usable.n.size, _mean(usable, everything)), everything, fitted=1)
    return _judged(usable, _expected(levels, _best_single(levels, search)), everything, fitted=2)


def _best_single(levels: Levels, search: Search) -> Fit | None:
    fits = [fit for fit in (best_step(levels, search), best_pulse(levels, search)) if fit]
    return max(fits, key=lambda fit: fit.gain, default=None)


def _mean(usable: _Series, part: slice) -> float:
    return float(usable.n[part] @ usable.values[part] / usable.n[part].sum())


def _judged(usable: _Series, expected: FloatArray, part: slice, *, fitted: int) -> Levels:
    """The sums with weights and temper from the residuals about what is expected, inside `part`."""
    values, n, counts = usable.values, usable.n, usable.counts
    weights = bucket_weights(values[part], n[part], expected[part], counts=counts, fitted=fitted).of(n)
    left = residuals(values, weights, expected, counts=counts)[part]
    return make_levels(values, weights, counts=counts, phi=autocorrelation(left, fitted=fitted))


def _choose(usable: _Series, levels: Levels, search: Search, *, certain: bool) -> _Choice | None:
    """No change, a step, a pulse, or several runs: the one that gains most beyond its price."""
    directions = float(np.log(2)) if search.harm is None else 0.0
    single = [
        _single(levels, fit, price + directions)
        for fit, price in (
            (best_step(levels, search), step_threshold(levels.size)),
            (best_pulse(levels, search), pulse_threshold(levels.size)),
        )
        if fit
    ]
    several = [c for one in single if (c := _several(usable, one, search)) is not None]
    worth = [c for c in (*single, *several) if certain or c.worth > 0]
    if not worth:
        return None
    best = max(worth, key=lambda c: c.worth)
    # A single run that ends and one that lasts share the doubt about the start; several runs stand alone.
    rivals = tuple(c for c in single if c is not best) if len(best.fit.runs) == 1 else ()
    return _Choice(best, rivals)


def _single(levels: Levels, fit: Fit, price: float) -> _Candidate:
    """The candidate of one run, with the evidence that autocorrelation leaves to a run of its length."""
    share = contrast_share(levels, fit.runs[0])
    return _Candidate(replace(levels, temper=levels.temper * share), Fit(fit.runs, fit.gain * share), price)


def step_threshold(size: int) -> float:
    """What a lasting change must gain over no change, in log likelihood, for a series of `size` buckets.

    Found by simulation of AR(1) series without a change; benchmarks/onset_coverage.py prints the false alarms.
    """
    return 3.25 + 0.5 * float(np.log(size)) + 40.0 / size


def pulse_threshold(size: int) -> float:
    """What a passing change must gain over no change; as `step_threshold`."""
    return 5.25 + float(np.log(size)) + 40.0 / size


def run_price(size: int) -> float:
    """What each run after the first must gain: two more edges somewhere among `size` buckets."""
    return 2.0 + float(np.log(size))


SEVERAL_PRICE = 3.0
"""One failure in twenty comes and goes: what several runs must gain beyond the price of their edges."""

CLEAR_SEPARATION = 3.25
"""Distance of the two levels, in standard deviations of a bucket, from which coming and going is not just slow noise.

Autocorrelated Gaussian noise cut in two at its mean gives 2.65.
"""


def _several(usable: _Series, one: _Candidate, search: Search) -> _Candidate | None:
    """The best runs of a series that comes and goes, if its two levels lie clearly apart.

    Noise is judged anew by what the two levels leave, as a single run leaves the other runs in it.
    """
    near = two_clusters(one.levels, one.fit.runs)
    rough = _judged(usable, _two_levels(one.levels, near), slice(None), fitted=2)
    runs = find_runs(replace(rough, temper=1.0), near, switch_cost=run_price(rough.size) / 2)
    if len(runs) < 2 or runs[0][0] < search.earliest or min(b - a for a, b in runs) < search.shortest:
        return None
    on_buckets = affected(rough.size, runs)
    expected = _two_levels(rough, on_buckets)
    levels = _judged(usable, expected, slice(None), fitted=2)
    off, on = level_values(levels, on_buckets)
    left = residuals(usable.values, levels.w, expected, counts=levels.counts)
    apart = residuals(expected + abs(on - off), levels.w, expected, counts=levels.counts)
    if apart.mean() < CLEAR_SEPARATION * left.std() or search.harm not in (None, "up" if on > off else "down"):
        return None
    price = one.price + run_price(levels.size) * (len(runs) - 1) + SEVERAL_PRICE
    return _Candidate(levels, Fit(runs, runs_gain(levels, runs)), price)


def _two_levels(levels: Levels, on_buckets: NDArray[np.bool_]) -> FloatArray:
    off, on = level_values(levels, on_buckets)
    return np.where(on_buckets, on, off)


def _posterior(choice: _Choice, search: Search) -> _Start:
    """The start averaged over what it may be the start of: a run that lasts, one that ends, a ramp."""
    levels, fit = choice.best.levels, choice.best.fit
    starts, log_p = start_log_posterior(levels, fit.runs, search)
    best = int(starts[log_p.argmax()])
    if len(fit.runs) > 1:
        return _summary(starts, np.exp(log_p - log_p.max()), best, "intermittent")
    mixed = np.full(levels.size, -np.inf)
    for candidate in (choice.best, *choice.rivals):
        rival_starts, rival_log_p = start_log_posterior(levels, candidate.fit.runs, search)
        mixed[rival_starts] = np.logaddexp(mixed[rival_starts], rival_log_p - candidate.price)
    p = np.exp(mixed - mixed.max())
    p /= p.sum()
    ramp = fit_ramp(levels, search, stop=fit.runs[0][1])
    shape: Shape = "abrupt"
    if ramp:
        log_odds = ramp.log_bayes_factor + RAMP_LOG_ODDS
        share = float(np.exp(-np.logaddexp(0.0, -log_odds)))  # the logistic function, for odds of any size
        p *= 1 - share
        p[ramp.starts] += share * ramp.probability
        if log_odds > 0:
            best, shape = int(ramp.starts[ramp.probability.argmax()]), "gradual"
    return _summary(np.arange(levels.size), p, best, shape)


RAMP_LOG_ODDS = float(np.log(0.25))
"""Before the data are seen, one change in five comes on gradually."""


def _summary(starts: IntArray, weights: FloatArray, best: int, shape: Shape) -> _Start:
    """The ends of the highest-density set, stretched to hold the best start of the fit that is believed."""
    p = weights / weights.sum()
    order = np.argsort(-p, kind="stable")
    # Rounding must not push the set one bucket beyond a posterior that is certain.
    inside = starts[order[: int(np.searchsorted(np.cumsum(p[order]), CONFIDENCE - 1e-12)) + 1]]
    probability = float(p[starts == best].sum())
    return _Start(best, min(best, int(inside.min())), max(best, int(inside.max())), probability, shape)


def _onset(usable: _Series, believed: _Candidate, start: _Start) -> Onset:
    """In bucket indices of the whole series, empty buckets included."""
    runs = ((start.best, believed.fit.runs[0][1]), *believed.fit.runs[1:])
    on = affected(believed.levels.size, runs)
    weights = believed.levels.w
    end, index = runs[-1][1], usable.index
    return Onset(
        best=int(index[start.best]),
        # The change may lie anywhere in the empty buckets before the first one seen to be affected.
        low=int(index[start.low - 1]) + 1,
        high=int(index[start.high]),
        shape=start.shape,
        recovered=int(index[end]) if end < index.size else None,
        probability=start.probability,
        evidence=believed.fit.gain,
        before=float(np.average(usable.values[~on], weights=weights[~on])),
        after=float(np.average(usable.values[on], weights=weights[on])),
        runs=tuple((int(index[a]), int(index[b - 1]) + 1) for a, b in runs),
    )
