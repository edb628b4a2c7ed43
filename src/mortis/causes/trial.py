"""A remedy tried: what the metric would have been on the incident's rows, and what part of the fall that takes back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mortis.causes.facts import Facts, Remedy, bounded, percent
from mortis.causes.relation import Relation, with_labels
from mortis.causes.replay import reenacted, remedied, touched
from mortis.causes.scoring import Bootstrap, Judged, Recovery, redrawn
from mortis.profiles import Floats

if TYPE_CHECKING:
    from mortis.integrity.kinds.repair import Reenactment


def judged_with(facts: Facts, *remedies: Remedy) -> Judged:
    """The incident's rows as the metric would have taken them under the remedies together."""
    sample, keep = remedied(facts, remedies)
    return facts.judged(sample).only(keep)


def tried(facts: Facts, remedy: Remedy) -> Recovery:
    """What the remedy by itself takes back."""
    return drawn(facts).recovery(judged_with(facts, remedy))


@lru_cache(maxsize=1)  # asked by each test of what became of labels
def with_usual_labels(facts: Facts, found: Relation) -> Recovery:
    """What labels as the baseline's relation has them would make of the metric."""
    return drawn(facts).recovery(facts.judged(with_labels(facts.during, found.unmoved)))


def done_again(facts: Facts, fault: Reenactment) -> Recovery:
    """What part of the fall comes of a fault once it is put into the baseline's rows."""
    return made_of(facts, facts.judged(fault.usual), facts.judged(reenacted(facts, fault.usual, fault.struck)))


def made_of(facts: Facts, usual: Judged, struck: Judged) -> Recovery:
    """What part of the fall it makes that baseline rows are judged as `struck` instead of as usual."""
    share, draws = drawn(facts).draws_again(usual, struck, _drawn_again(facts, usual))
    before, after = (float(one.value(facts.metric)[0]) for one in (usual, struck))
    return Recovery(drawn(facts).interval(share, draws), before, drawn(facts).during, after)


def shares_done_again(facts: Facts, faults: Sequence[Reenactment]) -> tuple[float, Floats]:
    """The share of the fall that comes of several faults in the same baseline rows: over all rows, and in each draw."""
    usual = struck = faults[0].usual
    for one in faults:
        rows = touched(usual, one.struck)
        for name, column in one.struck.features.items():
            if column is not usual.features[name]:
                struck = struck.with_feature(name, np.where(rows, column, struck.features[name]))
    again = facts.judged(reenacted(facts, usual, struck))
    as_usual = facts.judged(usual)
    return drawn(facts).draws_again(as_usual, again, _drawn_again(facts, as_usual))


@lru_cache(maxsize=1)  # every remedy is held against the same draws
def drawn(facts: Facts) -> Bootstrap:
    """The draws of both windows' rows that remedies are held against."""
    return Bootstrap.of(facts.metric, facts.judged(facts.before), facts.judged(facts.during), rng=facts.rng())


def _drawn_again(facts: Facts, usual: Judged) -> Floats:
    return _of_rows(facts, len(usual.matrix)) if usual.group is None else usual.redrawn(facts.rng())


@lru_cache(maxsize=1)  # every fault is put into as many rows
def _of_rows(facts: Facts, rows: int) -> Floats:
    return redrawn(rows, facts.rng())


def says(found: Recovery, metric: str) -> str:
    """A recovery in words: the metric as it was, as it would have been, and the part of the fall taken back."""
    moved = f"{metric} would be {found.after:.4g} instead of {found.during:.4g} ({found.before:.4g} in the baseline)"
    if found.share.low != found.share.low:
        return f"{moved}; the sampled rows don't show the fall clearly, so no share of it can be told"
    value = found.share.value
    if f"{found.after:.4g}" == f"{found.during:.4g}":
        return f"{metric} stays at {found.during:.4g} ({found.before:.4g} in the baseline, n = {found.share.n:,})"
    how = "nothing" if abs(value) < 0.005 else "more than all" if value > 1.005 else percent(value)
    if value <= -0.005:
        return f"{moved}: worse, not better (n = {found.share.n:,})"
    limits = f"{percent(found.share.low)} to {percent(found.share.high)}"
    return f"{moved}: that takes back {how} of the fall (95 % interval {limits}, n = {found.share.n:,})"


def says_again(found: Recovery, metric: str) -> str:
    """A fault done again in the baseline's rows, in words."""
    moved = f"{metric} there goes from {found.before:.4g} to {found.after:.4g} ({found.during:.4g} in the incident)"
    if found.share.low != found.share.low:
        return f"{moved}; the sampled rows don't show the fall clearly, so no share of it can be told"
    return f"{moved}: that makes {bounded(found.share)} of the fall (n = {found.share.n:,})"
