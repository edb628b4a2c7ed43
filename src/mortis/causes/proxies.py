"""Whether a new version answers by something else than the outcome: higher, and by what the outcome doesn't follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import Bools, Facts
from mortis.causes.replay import replay
from mortis.profiles import Floats
from mortis.rows import Column, is_number

FEWEST_LABELLED = 100
HIGHER = 0.5  # of the old answers' standard deviation above the outcomes: the version counts something else
LEVEL = 0.25  # within which the old version's answers lie at the outcomes' level
FOLLOWS, HALF = 0.4, 0.5  # the answers' rank correlation with a feature, and what part of it outcomes may have


@dataclass(frozen=True, slots=True)
class Proxy:
    """The feature by which a version's answers rose, which the outcome doesn't follow."""

    feature: str
    says: str


def proxy_of(facts: Facts, new: str, old: str) -> Proxy | None:
    """What the version `new` answers by in place of the outcome; None where that isn't seen.

    On the same rows its answers lie far above the outcomes, where those of `old` are level with them; and they follow
    a feature that neither does. A version that merely knows less, or learned of fewer
    outcomes than there are, shows otherwise.
    """
    replayed, sample = replay(facts, facts.during), facts.during
    if not {new, old} <= set(replayed.given) or not is_number(sample.y) or not is_number(replayed.given[new]):
        return None
    rows = np.asarray((sample.version == new) & np.isfinite(np.asarray(sample.y, dtype=float)), dtype=bool)
    if rows.sum() < FEWEST_LABELLED:
        return None
    y, was, now = (np.asarray(one, dtype=float)[rows] for one in (sample.y, replayed.given[old], replayed.given[new]))
    spread = float(np.std(was))
    level, higher = float(np.mean(was - y)), float(np.mean(now - y))
    if spread <= 0 or abs(level) > LEVEL * spread or higher < HIGHER * spread:
        return None
    followed = {name: follow(column[rows], now) for name, column in sample.features.items()}
    usual = {name: max(follow(sample.features[name][rows], one) for one in (y, was)) for name in followed}
    feature = max(followed, key=lambda name: followed[name] - usual[name], default="")
    if not feature or followed[feature] < FOLLOWS or usual[feature] > HALF * followed[feature]:
        return None
    return Proxy(
        feature,
        f"on these rows {new} answers {np.mean(now):.4g} on average and {old} {np.mean(was):.4g}, the outcome being "
        f"{np.mean(y):.4g}, and it follows {feature} (rank correlation {followed[feature]:.2f}), which neither the "
        f"outcome nor {old} does ({usual[feature]:.2f} at most, n = {rows.sum():,})",
    )


def follow(column: Column, figures: Floats) -> float:
    """How much figures go with a column, 0..1: the rank correlation, or the correlation ratio of ranks by category.

    >>> follow(np.array([1.0, 2.0, 3.0, np.nan]), np.array([9.0, 5.0, 1.0, 7.0]))
    1.0
    >>> round(follow(np.array(["a", "a", "b", "b"], dtype=object), np.array([1.0, 2.0, 3.0, 4.0])), 2)
    0.89
    """
    from scipy.stats import rankdata

    known: Bools = np.isfinite(np.asarray(column, dtype=float)) if is_number(column) else np.ones(len(column), bool)
    if known.sum() < 3 or np.ptp(figures[known]) == 0:
        return 0.0
    ranks = rankdata(figures[known])
    if is_number(column):
        own = rankdata(np.asarray(column, dtype=float)[known])
        return float(abs(np.corrcoef(own, ranks)[0, 1])) if np.ptp(own) > 0 else 0.0
    place = np.unique(column.astype(str), return_inverse=True)[1]
    n = np.bincount(place)
    means = np.bincount(place, weights=ranks) / n
    return float(np.sqrt(np.average((means - ranks.mean()) ** 2, weights=n) / ranks.var()))
