"""A remedy tried: what the metric would have been on the incident's rows, and what part of the fall that takes back."""

from __future__ import annotations

from functools import lru_cache

from mortis.causes.facts import Facts, Remedy, percent
from mortis.causes.replay import reenacted, remedied
from mortis.causes.scoring import Bootstrap, Judged, Recovery
from mortis.rows import RowSample


def judged_with(facts: Facts, *remedies: Remedy) -> Judged:
    """The incident's rows as the metric would have taken them under the remedies together."""
    sample, keep = remedied(facts, remedies)
    return facts.judged(sample).only(keep)


def tried(facts: Facts, remedy: Remedy) -> Recovery:
    """What the remedy by itself takes back."""
    return drawn(facts).recovery(judged_with(facts, remedy))


def done_again(facts: Facts, usual: RowSample, struck: RowSample) -> Recovery:
    """What part of the fall comes of a fault once it is put into the baseline's rows."""
    again = reenacted(facts, usual, struck)
    return drawn(facts).reenactment(facts.judged(usual), facts.judged(again), rng=facts.rng())


@lru_cache(maxsize=1)  # every remedy is held against the same draws
def drawn(facts: Facts) -> Bootstrap:
    """The draws of both windows' rows that remedies are held against."""
    return Bootstrap.of(facts.metric, facts.judged(facts.before), facts.judged(facts.during), rng=facts.rng())


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
    limits = f"{percent(found.share.low)} to {percent(found.share.high)}"
    return (
        f"{moved}: that makes {percent(found.share.value)} of the fall (95 % interval {limits}, n = {found.share.n:,})"
    )
