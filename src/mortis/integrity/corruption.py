"""Which corruption of which feature would explain the incident's rows, fitted and ready to be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np

from mortis.integrity.kinds.clock import propose_shifts, propose_stale
from mortis.integrity.kinds.exchange import propose_overwrites, propose_permutations, propose_swaps
from mortis.integrity.kinds.filling import propose_defaults, propose_nulls, propose_values
from mortis.integrity.kinds.pair import FEWEST_ROWS, Pair, pair_of
from mortis.integrity.kinds.proposal import Proposal
from mortis.integrity.kinds.ranking import ranked
from mortis.integrity.kinds.reference import propose_references
from mortis.integrity.kinds.repair import Repair
from mortis.integrity.kinds.repetition import propose_repeats
from mortis.integrity.kinds.resolution import propose_clipping, propose_rounding
from mortis.integrity.kinds.scaling import propose_curves, propose_signs, propose_units
from mortis.integrity.kinds.vocabulary import propose_remaps, propose_respelling
from mortis.rows import RowSample

Kind = Callable[[Pair], Iterable[Proposal]]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "unit": propose_units,
        "sign": propose_signs,
        "transform": propose_curves,
        "null": propose_nulls,
        "default": propose_defaults,
        "value": propose_values,
        "clip": propose_clipping,
        "rounding": propose_rounding,
        "reference": propose_references,
        "timezone": propose_shifts,
        "stale": propose_stale,
        "swap": propose_swaps,
        "overwritten": propose_overwrites,
        "permutation": propose_permutations,
        "respelling": propose_respelling,
        "remap": propose_remaps,
        "duplication": propose_repeats,
    }
)
"""The kinds of corruption by name; a further one is one function and one entry."""

LEAST_FIT = 0.3
MOST_PER_FEATURE = 3
MOST_WEIGHED = 40


def propose(
    baseline: RowSample,
    incident: RowSample,
    *,
    reliance: Mapping[str, float] | None = None,
    most: int = 12,
    rng: np.random.Generator,
) -> tuple[Repair, ...]:
    """The corruptions that would explain how features changed, best first; none where nothing changed beyond the usual.

    Each is fitted by putting it into the baseline's rows: in the region where the feature changed, in the share of rows
    that comes nearest. The order is by fit, times the model's `reliance` on the features where it is given (a feature
    that it doesn't name counts a tenth of the strongest). At most three are kept per set of features. Whether one is
    true is for re-scoring to decide.

    >>> rng = np.random.default_rng(0)
    >>> def rows(minutes: np.ndarray) -> RowSample:
    ...     n = len(minutes)
    ...     numbers, texts, whole = np.zeros(n), np.full(n, None, object), np.zeros(n, np.int64)
    ...     return RowSample(
    ...         {"delay": minutes}, numbers, numbers, numbers, whole, texts, whole.astype(np.int8), numbers, texts, n
    ...     )
    >>> before, after = rng.integers(1, 90, 3000) * 1.0, rng.integers(1, 90, 3000) * 60.0
    >>> best = propose(rows(before), rows(after), rng=rng)[0]
    >>> best.statement, best.parameters["factor"]
    ('delay is multiplied by 60', 60.0)
    """
    if min(len(baseline), len(incident)) < FEWEST_ROWS:
        return ()
    pair = pair_of(baseline, incident, seed=int(rng.integers(2**32)))
    fitting = [one for kind in KINDS.values() for one in kind(pair) if one.fit >= LEAST_FIT]
    proposals = _strongest(_placed(pair, fitting))
    weights = _weights(reliance)
    found = [(one, fit) for one, fit in ranked(pair, proposals) if fit >= LEAST_FIT]
    found.sort(key=lambda one: -one[1] * weights(one[0].features))
    return tuple(one.repair(pair, fit) for one, fit in found[:most])


def _placed(pair: Pair, proposals: list[Proposal]) -> list[Proposal]:
    """The proposals without those that call values other rows' where it is known from which moment they are.

    Nor do columns belong to other rows that no longer go with a late one.
    """
    late = {one.features[0] for one in proposals if one.told.kind == "stale"}
    beside = late | {name for name, related in pair.related.items() if late & set(related)}
    return [one for one in proposals if one.told.kind != "permutation" or not beside & set(one.features)]


def _strongest(proposals: list[Proposal]) -> list[Proposal]:
    """The proposals that fit best, a few for each set of features and region."""
    kept: list[Proposal] = []
    for one in sorted(proposals, key=lambda one: -one.fit):
        alike = [o for o in kept if (o.features, o.supposed.region) == (one.features, one.supposed.region)]
        if len(alike) < MOST_PER_FEATURE:
            kept.append(one)
    return kept[:MOST_WEIGHED]


def _weights(reliance: Mapping[str, float] | None) -> Callable[[tuple[str, ...]], float]:
    """How much a set of features counts: 1 for the strongest, a tenth for what the model doesn't rely on."""
    strongest = max((reliance or {}).values(), default=0.0)
    if reliance is None or strongest <= 0:
        return lambda _: 1.0

    def weight(features: tuple[str, ...]) -> float:
        if not features:
            return 1.0
        return 0.1 + 0.9 * max(max(0.0, reliance.get(name, 0.0)) for name in features) / strongest

    return weight


def not_testable(baseline: RowSample, incident: RowSample) -> tuple[str, ...]:
    """The kinds that these rows can't show, each with what is lacking."""
    lacking = []
    second = np.concatenate([baseline.second, incident.second])
    if not len(second) or second.min() == second.max():
        lacking.append("stale values: the rows carry no time")
    if all(one is None for one in incident.ids.tolist()):
        lacking.append("repeated rows: the log has no ids")
    if min(len(baseline), len(incident)) < FEWEST_ROWS:
        lacking.append(f"every kind: fewer than {FEWEST_ROWS} rows in a window")
    absent = [name for name in baseline.features if name not in incident.features]
    lacking += [f"corruption of {name}: the incident's rows don't have it" for name in absent]
    return tuple(lacking)
