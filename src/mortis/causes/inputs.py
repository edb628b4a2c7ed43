"""What changed in the inputs: how far each feature's distribution moved, and how much the model hangs on it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from mortis.causes.facts import Facts
from mortis.causes.replay import answers, mostly_served, why_not_replayed
from mortis.rows import Column, is_number

APART = 0.15  # a feature this far from the baseline's (0..1) has moved in a way worth naming
HARDLY = 0.05  # of the strongest reliance: what the model reads less of can't have harmed it
MOST_SHUFFLED = 1_500
MOST_NAMED = 3


def distance(one: Column, other: Column) -> float:
    """How far two columns' distributions are apart, 0..1: Kolmogorov's distance of numbers, else total variation.

    Nulls count as a value of their own, below all numbers.

    >>> distance(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))
    0.333...
    >>> distance(np.array(["a", "b"], dtype=object), np.array(["a", None], dtype=object))
    0.5
    """
    if is_number(one) and is_number(other):
        a, b = (np.sort(np.nan_to_num(column, nan=-np.inf)) for column in (one, other))
        both = np.concatenate([a, b])
        below = [np.searchsorted(column, both, side="right") / len(column) for column in (a, b)]
        return float(np.abs(below[0] - below[1]).max())
    values, place = np.unique([str(v) for v in (*one, *other)], return_inverse=True)
    shares = [np.bincount(p, minlength=len(values)) / len(p) for p in (place[: len(one)], place[len(one) :])]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def moved(facts: Facts) -> Mapping[str, float]:
    """How far each feature of the incident's rows lies from the baseline's, 0..1."""
    return {name: distance(column, facts.during.features[name]) for name, column in facts.before.features.items()}


@lru_cache(maxsize=2)  # asked of the facts, and of those with the faults put right
def reliance(facts: Facts) -> Mapping[str, float]:
    """How much the model's answers hang on each feature, 1 for the strongest; empty where no model can be replayed.

    It is the mean change of the answers to baseline rows when the feature's values are shuffled among them: the share
    of rows answered otherwise where the answer is a class.

    Source: Breiman (2001), "Random forests", on answers in place of errors.
    """
    if why_not_replayed(facts) is not None:
        return {}
    rows = facts.before.where(np.arange(len(facts.before)) < MOST_SHUFFLED)
    model, rng = facts.models[mostly_served(facts)], facts.rng()
    usual = answers(facts, model, rows)
    changes = {
        name: _change(usual, answers(facts, model, rows.with_feature(name, column[rng.permutation(len(rows))])))
        for name, column in rows.features.items()
    }
    most = max(changes.values(), default=0.0)
    return {name: change / most for name, change in changes.items()} if most > 0 else {}


def _change(usual: Column, otherwise: Column) -> float:
    if not is_number(usual):
        return float(np.mean(usual != otherwise))
    return float(np.nanmean(np.abs(np.asarray(otherwise, dtype=float) - usual)))


def moved_features(facts: Facts) -> tuple[str, ...]:
    """The features that moved notably and that the model hangs on, as far as that is known; at most three.

    They come in the order of how far they moved times how much the model hangs on them.
    """
    far, relied = moved(facts), reliance(facts)
    weight = {name: far[name] * relied.get(name, 0.0 if relied else 1.0) for name in far}
    notable = [name for name in far if far[name] >= APART and (not relied or relied.get(name, 0.0) >= HARDLY)]
    return tuple(sorted(notable, key=lambda name: -weight[name])[:MOST_NAMED])
