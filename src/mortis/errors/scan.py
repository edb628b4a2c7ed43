"""How much better "this slice rose by a ratio of its own" explains the errors than "everything rose alike"."""

from __future__ import annotations

import math

import numpy as np

from mortis.errors.counting import BASELINE_ERRORS, BASELINE_N, INCIDENT_ERRORS, INCIDENT_N, FloatArray

PSEUDO_ROWS = 20.0


def baseline_rate(totals: FloatArray) -> float:
    """The overall error rate of the baseline, of half an error where there was none: a rise from none can be scored.

    `totals` is (4,): baseline n, baseline errors, incident n, incident errors. A ValueError without baseline rows.

    >>> baseline_rate(np.array([100.0, 5.0, 10.0, 1.0])), baseline_rate(np.array([100.0, 0.0, 10.0, 1.0]))
    (0.05, 0.005)

    Source: Haldane's half count.
    """
    if totals[BASELINE_N] <= 0:
        raise ValueError("the baseline has no rows, so there is no rate to compare with")
    return float(max(totals[BASELINE_ERRORS], 0.5) / totals[BASELINE_N])


def expected_errors(counts: FloatArray, prior: float) -> FloatArray:
    """Incident errors expected at the baseline's rate, which is drawn towards `prior` by 20 pseudo-rows.

    `counts` is (4,) or (4, cells): baseline n, baseline errors, incident n, incident errors.

    >>> expected_errors(np.array([[80.0, 0.0], [4.0, 0.0], [50.0, 50.0], [9.0, 9.0]]), 0.05).tolist()
    [2.5, 2.5]

    Source: additive smoothing, as an empirical Bayes estimate of a rate in a small cell.
    """
    rate = (counts[BASELINE_ERRORS] + PSEUDO_ROWS * prior) / (counts[BASELINE_N] + PSEUDO_ROWS)
    return np.asarray(counts[INCIDENT_N] * rate)


def rise_score(observed: FloatArray, expected: FloatArray) -> FloatArray:
    """Log-likelihood ratio of a rise against none, O ln(O/E) - (O - E), and 0 where no more was seen than expected.

    >>> rise_score(np.array([20.0, 5.0]), np.array([10.0, 10.0])).round(3).tolist()
    [3.863, 0.0]

    Source: the likelihood of Poisson counts.
    """
    return np.where(observed > expected, _xlog(observed, expected) - (observed - expected), 0.0)


def slice_score(inside: FloatArray, whole: FloatArray, prior: float) -> FloatArray:
    """Log-likelihood ratio of "the slice and the rest each rose by their own ratio" against "both rose by one ratio".

    `inside` is (4,) or (4, cells), the counts of slices; `whole` (4,), of the rows they are cut from. 0 where the slice
    rose no more than the rest did: when everything rises alike no slice scores.

    >>> inside = np.array([[1000.0, 1000.0], [50.0, 50.0], [1000.0, 1000.0], [200.0, 60.0]])
    >>> slice_score(inside, np.array([2000.0, 100.0, 2000.0, 260.0]), 0.05).round(1).tolist()
    [39.8, 0.0]

    Source: Kulldorff (1997), "A spatial scan statistic", the Poisson model, with slices in the place of circles.
    """
    rest = _rest(inside, whole)
    e, e_rest = expected_errors(inside, prior), expected_errors(rest, prior)
    o, o_rest = inside[INCIDENT_ERRORS], rest[INCIDENT_ERRORS]
    together = _xlog(o + o_rest, e + e_rest)
    return np.where(o * e_rest > o_rest * e, np.maximum(_xlog(o, e) + _xlog(o_rest, e_rest) - together, 0.0), 0.0)


def slice_lift(inside: FloatArray, whole: FloatArray, prior: float) -> FloatArray:
    """By how much more a slice's errors multiplied than the rest's: O/E over the rest's O/E, half an error added there.

    >>> inside = np.array([[1000.0], [50.0], [1000.0], [200.0]])
    >>> slice_lift(inside, np.array([2000.0, 100.0, 2000.0, 250.0]), 0.05).round(2).tolist()
    [4.0]

    Source: a ratio of rate ratios, with Haldane's correction for empty cells.
    """
    rest = _rest(inside, whole)
    e, e_rest = expected_errors(inside, prior), expected_errors(rest, prior)
    ratio_rest = (rest[INCIDENT_ERRORS] + 0.5) / (e_rest + 0.5)
    ratio = np.divide(inside[INCIDENT_ERRORS], e, out=np.ones_like(e), where=e > 0)
    return np.asarray(ratio / ratio_rest)


def rise_p(counts: FloatArray) -> float:
    """One-sided p-value that the incident's error rate is above the baseline's, exact.

    `counts` is (4,), whole numbers.

    >>> round(rise_p(np.array([100.0, 5.0, 100.0, 15.0])), 4)
    0.0159

    Source: Fisher's exact test, the hypergeometric tail.
    """
    n_before, before, n_after, after = (round(float(count)) for count in counts)
    seen = np.arange(after, min(before + after, n_after) + 1, dtype=np.float64)
    tail = _log_choose(n_after, seen) + _log_choose(n_before, before + after - seen)
    everything = _log_choose(n_before + n_after, np.array([before + after], dtype=np.float64))
    return min(1.0, float(np.exp(tail - everything).sum())) if after else 1.0


def seen_before(inside: FloatArray, whole: FloatArray) -> FloatArray:
    """The counts of a slice; with the whole baseline for its own where it had none, as a new version or a new null.

    Both are (4,).

    >>> seen_before(np.array([0.0, 0.0, 50.0, 20.0]), np.array([1000.0, 50.0, 400.0, 60.0])).tolist()
    [1000.0, 50.0, 50.0, 20.0]

    Source: the expectation of `expected_errors`, which is the overall rate there too.
    """
    return inside if inside[BASELINE_N] > 0 else np.concatenate([whole[:INCIDENT_N], inside[INCIDENT_N:]])


def own_rise_p(inside: FloatArray, whole: FloatArray) -> float:
    """One-sided p-value that errors multiplied by more inside the slice than in the rest of the rows.

    Both are (4,). 1 where either part is missing from the incident, or the rest from the baseline.

    >>> inside = np.array([1000.0, 50.0, 1000.0, 100.0])
    >>> round(own_rise_p(inside, np.array([2000.0, 100.0, 2000.0, 200.0])), 3)
    0.5

    Source: Wald's test on the difference of two log rate ratios, half an error added to each count.
    """
    rest, inside = _rest(inside, whole), seen_before(inside, whole)
    if min(inside[BASELINE_N], inside[INCIDENT_N], rest[BASELINE_N], rest[INCIDENT_N]) <= 0:
        return 1.0
    ratios, variance = [], 0.0
    for part in (inside, rest):
        before, after = part[BASELINE_ERRORS] + 0.5, part[INCIDENT_ERRORS] + 0.5
        ratios.append(math.log(after / part[INCIDENT_N]) - math.log(before / part[BASELINE_N]))
        variance += 1 / before + 1 / after
    return 0.5 * math.erfc((ratios[0] - ratios[1]) / math.sqrt(2 * variance))


def _log_choose(n: int, k: FloatArray) -> FloatArray:
    """Logarithm of the number of ways to choose k of n, minus infinity where there is none."""
    from scipy.special import gammaln

    ways = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(np.maximum(n - k, 0.0) + 1.0)
    return np.where(k <= n, ways, -np.inf)


def _rest(inside: FloatArray, whole: FloatArray) -> FloatArray:
    return np.asarray((whole if inside.ndim == 1 else whole[:, None]) - inside)


def _xlog(observed: FloatArray, expected: FloatArray) -> FloatArray:
    """O ln(O/E), and 0 where nothing was observed."""
    seen = (observed > 0) & (expected > 0)
    ratio = np.divide(observed, expected, out=np.ones_like(expected), where=seen)
    return np.asarray(observed * np.log(ratio))
