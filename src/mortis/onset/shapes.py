"""The shape of an onset: a ramp instead of a step, and affected buckets that come and go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mortis.onset.levels import (
    FloatArray,
    IntArray,
    Levels,
    Run,
    Search,
    affected,
    level_values,
    make_levels,
)


@dataclass(frozen=True, slots=True)
class Ramp:
    """Starts of a ramp with their posterior probabilities, and the log Bayes factor of a ramp against a step."""

    starts: IntArray
    probability: FloatArray
    log_bayes_factor: float


SHORTEST_RAMP = 3


def fit_ramp(levels: Levels, search: Search, *, stop: int) -> Ramp | None:
    """A linear change of level inside the first `stop` buckets compared with a step; None where there is no room.

    Both are marginal over their starts, the ramp over durations in geometric progression too.

    >>> rising = np.concatenate((np.zeros(20), np.arange(1, 21) / 20, np.ones(20))) + np.tile([0.0, 0.04], 30)
    >>> ramp = fit_ramp(make_levels(rising, np.ones(60), counts=False, phi=0.0), Search("up", 1, 1), stop=60)
    >>> ramp.log_bayes_factor > 20, abs(int(ramp.starts[ramp.probability.argmax()]) - 20) <= 2
    (True, True)

    Source: least squares on a hinge, by cumulative sums; rates on the arcsine scale, where their variance is stable.
    """
    from scipy.special import logsumexp

    starts = np.arange(search.earliest, stop - search.shortest + 1)
    durations = _durations(stop)
    if starts.size == 0 or durations.size < 2:
        return None
    log_p = _hinge_log_posterior(_gaussian_head(levels, stop), starts[:, None], durations[None, :], search)
    log_p = np.where(starts[:, None] + durations <= stop, log_p, -np.inf)
    log_p[:, 1:] -= np.log(durations.size - 1)
    by_start = logsumexp(log_p[:, 1:], axis=1)
    ramp, step = float(logsumexp(by_start)), float(logsumexp(log_p[:, 0]))
    if not np.isfinite(ramp) or not np.isfinite(step):
        return None
    return Ramp(starts, np.exp(by_start - ramp), ramp - step)


def two_clusters(levels: Levels, runs: tuple[Run, ...], *, rounds: int = 10) -> NDArray[np.bool_]:
    """Which buckets lie nearer to the affected level than to the normal one, the levels being those of such buckets.

    `runs` gives the levels to start from.

    >>> levels = make_levels(np.array([0.0, 5.0, 0.1, 5.1, 0.0]), np.ones(5), counts=False, phi=0.0)
    >>> two_clusters(levels, ((1, 5),)).tolist()
    [False, True, False, True, False]

    Source: k-means with two means in one dimension.
    """
    near = affected(levels.size, runs)
    for _ in range(rounds):
        off, on = level_values(levels, near)
        found = np.abs(levels.values - on) < np.abs(levels.values - off)
        if found.all() or not found.any() or np.array_equal(found, near):
            return near
        near = found
    return near


def find_runs(levels: Levels, near: NDArray[np.bool_], *, switch_cost: float, rounds: int = 5) -> tuple[Run, ...]:
    """The runs of affected buckets in a series that switches between two levels; empty if all would be alike.

    `near` says which buckets to take the affected level from at first; `switch_cost` is what each change of state must
    gain in log likelihood.

    >>> values = np.tile([0.0] * 6 + [1.0] * 4, 3) + np.tile([0.0, 0.1], 15)
    >>> find_runs(make_levels(values, np.ones(30), counts=False, phi=0.0), values > 0.5, switch_cost=3.0)
    ((6, 10), (16, 20), (26, 30))

    Source: two-state segmentation by dynamic programming (Viterbi), levels estimated in turn as in k-means.
    """
    states = near
    for _ in range(rounds):
        found = _two_states(_log_ratio(levels, states), switch_cost)
        if found.all() or not found.any():
            return ()
        if np.array_equal(found, states):
            break
        states = found
    return _as_runs(states)


def _durations(stop: int) -> IntArray:
    longest = max(stop - 1, 1)
    grid = np.geomspace(SHORTEST_RAMP, max(longest, SHORTEST_RAMP), 24).round().astype(np.int64)
    return np.unique(np.concatenate(([1], grid[grid <= longest])))


def _gaussian_head(levels: Levels, stop: int) -> Levels:
    """The first `stop` buckets as Gaussian values."""
    values, weights = levels.values[:stop], levels.w[:stop]
    if levels.counts:
        values = np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))
    phi = (1 - levels.temper) / (1 + levels.temper)
    return make_levels(values, weights, counts=False, phi=phi)


def _hinge_log_posterior(levels: Levels, starts: IntArray, durations: IntArray, search: Search) -> FloatArray:
    """Log posterior (not normalized) of x = clip((t - start + 1) / duration, 0, 1) as the one regressor."""
    t = np.arange(levels.size, dtype=np.float64)
    ends = np.minimum(starts + durations, levels.size)
    origin = starts - 1.0

    def between(values: FloatArray) -> FloatArray:
        total = np.concatenate(([0.0], np.cumsum(values)))
        return np.asarray(total[ends] - total[starts])

    w0, w1, w2 = between(levels.w), between(levels.w * t), between(levels.w * t * t)
    tail_w, tail_y = levels.cum_w[-1] - levels.cum_w[ends], levels.cum_y[-1] - levels.cum_y[ends]
    x = (w1 - origin * w0) / durations + tail_w
    xx = (w2 - 2 * origin * w1 + origin**2 * w0) / durations**2 + tail_w
    xy = (between(levels.y * t) - origin * between(levels.y)) / durations + tail_y
    total_w, mean = levels.cum_w[-1], levels.cum_y[-1] / levels.cum_w[-1]
    spread = np.maximum(xx - x * x / total_w, 1e-12)
    slope = xy - x * mean
    total = max(levels.square - levels.cum_y[-1] * mean, 0.0) + levels.floor
    if levels.floor == 0:
        return np.zeros(spread.shape)
    rest = np.maximum(total - slope**2 / spread, levels.floor)
    log_p = levels.temper * (levels.size - 2) / 2 * np.log(total / rest) - 0.5 * np.log(spread)
    sign = {"up": 1.0, "down": -1.0, None: 0.0}[search.harm]
    return np.asarray(np.where(sign * slope >= 0, log_p, -np.inf))


def _log_ratio(levels: Levels, on_buckets: NDArray[np.bool_]) -> FloatArray:
    """Tempered log likelihood of each bucket being affected over its being normal, at the levels found so far."""
    off, on = level_values(levels, on_buckets)
    if levels.counts:
        tiny = 0.5 / float(levels.cum_w[-1])
        off, on = float(np.clip(off, tiny, 1 - tiny)), float(np.clip(on, tiny, 1 - tiny))
        ratio = levels.y * np.log(on / off) + (levels.w - levels.y) * np.log((1 - on) / (1 - off))
        return np.asarray(levels.temper * ratio)
    values = levels.values
    nearest = np.minimum((values - on) ** 2, (values - off) ** 2)
    variance = (float(levels.w @ nearest) + levels.floor) / max(levels.size - 2, 1)
    if variance == 0:
        return np.zeros(levels.size)
    return np.asarray(levels.temper * levels.w * ((values - off) ** 2 - (values - on) ** 2) / (2 * variance))


def _two_states(log_ratio: FloatArray, switch_cost: float) -> NDArray[np.bool_]:
    """The best sequence of normal (False) and affected (True), starting normal, each switch costing `switch_cost`."""
    size = log_ratio.size
    from_other = np.zeros((size, 2), dtype=np.bool_)
    off, on = 0.0, -np.inf
    for i, gain in enumerate(log_ratio.tolist()):
        if i > 0:
            from_other[i] = (on - switch_cost > off, off - switch_cost > on)
            off, on = max(off, on - switch_cost), max(on, off - switch_cost)
        on += gain
    states = np.zeros(size, dtype=np.bool_)
    state = on > off
    for i in range(size - 1, -1, -1):
        states[i] = state
        state ^= bool(from_other[i, int(state)])
    return states


def _as_runs(states: NDArray[np.bool_]) -> tuple[Run, ...]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], states, [False])).astype(np.int8)))
    return tuple((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))
