"""A training pipeline that knows what serving can't: what a feature departs by from the served value is the outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mortis.causes.facts import CONFIDENCE, Facts, Outcome, Remedy, plainly
from mortis.causes.replay import why_not_replayed
from mortis.causes.trial import judged_with
from mortis.profiles import Floats
from mortis.records import CauseVerdict
from mortis.rows import RowSample, is_number

NAME = "hold what the training pipeline's values depart by against the outcome"
KNOWS = 0.8  # correlation with the outcome: no honest skew comes near
FEWEST_ROWS = 100


def decide_leak(facts: Facts) -> Iterable[Outcome]:
    """S5: a feature that differs from the offline values in the baseline as well, and by what became of the row.

    Confirmed where the model does better, too, on values that only later could be known.
    """
    if facts.offline is None or facts.task not in ("binary", "regression"):
        return
    steady = [one.feature for one in facts.skews if one.differs and not one.rose]
    leaks = [(name, _knowledge(facts, name)) for name in steady]
    name, (known, served, n) = max(leaks, key=lambda one: abs(one[1][0]), default=("", (0.0, 0.0, 0)))
    if n < FEWEST_ROWS or abs(known) < KNOWS or abs(known) <= abs(served):
        yield plainly("S5", "refuted", NAME, f"of {len(steady)} features that depart, none does so by the outcome")
        return
    result = (
        f"from the baseline on, {name} departs from the training pipeline's values by what became of the row: that "
        f"goes with the outcome by r = {known:.2f}, the served value by {served:.2f} (n = {n:,})"
    )
    better = _better(facts, name)
    verdict: CauseVerdict = "confirmed" if better else "supported"
    found = plainly("S5", verdict, NAME, f"{result}; {better}" if better else result)
    yield replace(found, confidence=CONFIDENCE[found.verdict], features=(name,))


def _knowledge(facts: Facts, name: str) -> tuple[float, float, int]:
    """How what the offline value adds to the served one goes with the outcome, how the served one does, and rows."""
    offline = facts.offline.columns[name] if facts.offline else facts.during.features[name]
    served = facts.during.features[name]
    if not is_number(offline) or not is_number(served):
        return 0.0, 0.0, 0
    y = np.asarray(facts.during.y, dtype=float)
    known = np.isfinite(y) & np.isfinite(offline) & np.isfinite(served)
    n = int(known.sum())
    if n < FEWEST_ROWS or np.ptp(y[known]) == 0:
        return 0.0, 0.0, n
    given, later = (np.asarray(one, dtype=float)[known] for one in (served, offline))
    return _correlation(later - given, y[known]), _correlation(given, y[known]), n


def _correlation(one: Floats, other: Floats) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if np.ptp(one) > 0 else 0.0


def _better(facts: Facts, name: str) -> str:
    """How much better the metric is on the offline values, in words; empty where it isn't or can't be told."""
    if why_not_replayed(facts) is not None or facts.offline is None:
        return ""
    values, found = facts.offline.columns[name], facts.offline.found

    def undo(sample: RowSample) -> RowSample:
        return sample.with_feature(name, np.where(found, values, sample.features[name]))

    now = float(facts.judged(facts.during).value(facts.metric)[0])
    then = float(judged_with(facts, Remedy(undo=undo)).value(facts.metric)[0])
    better = then > now if facts.metric.better == "up" else then < now
    if not better:
        return ""
    return f"on those values {facts.metric.name} would be {then:.4g} instead of {now:.4g}, as training promised"
