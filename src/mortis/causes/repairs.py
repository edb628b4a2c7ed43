"""Data faults are decided by undoing them: repair the incident's rows, score again, and see whether the metric recovers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mortis.causes.facts import Facts, Outcome
from mortis.causes.replay import replay, rescored, why_not_replayed
from mortis.causes.scoring import Recovery, recovery

if TYPE_CHECKING:
    from mortis.integrity.kinds.repair import Repair

CAUSE_OF_KIND = {
    "affine": "D3",
    "unit": "D3",
    "sign": "D3",
    "encoding": "D3",
    "clipping": "D3",
    "rounding": "D3",
    "null": "D1",
    "default": "D1",
    "constant": "D1",
    "sentinel": "D2",
    "vocabulary": "D4",
    "category remap": "D4",
    "stale": "D5",
    "duplication": "D7",
    "swap": "S2",
    "permutation": "D6",
    "timezone": "S4",
}
NAME = "repair and score again"


def decide_repairs(facts: Facts) -> Iterable[Outcome]:
    """One outcome per proposed corruption; of several on the same feature, the one that recovers most stands."""
    if not facts.repairs:
        return
    why = why_not_replayed(facts)
    if why:
        for one in facts.repairs:
            yield _untested(one, why)
        return
    tried = sorted(((_try(facts, one), one) for one in facts.repairs), key=lambda pair: -pair[0].share.value)
    taken: set[str] = set()
    for found, one in tried:
        rival = bool(taken & set(one.features))
        yield _outcome(found, one, rival=rival)
        if found.verdict in ("confirmed", "supported") and not rival:
            taken |= set(one.features)


def _try(facts: Facts, repair: Repair) -> Recovery:
    fixed = repair.undo(facts.during)
    scores = replay(facts, fixed).by_logged()
    changed = facts.judged(rescored(facts, facts.during, scores))
    return recovery(facts.metric, facts.judged(facts.before), facts.judged(facts.during), changed, rng=facts.rng())


def _outcome(found: Recovery, repair: Repair, *, rival: bool) -> Outcome:
    share = found.share
    result = (
        f"{repair.statement}; undone, {found.during:.4g} becomes {found.after:.4g} (before: {found.before:.4g}): "
        f"{share.value:.0%} of the fall is taken back (95 % interval {share.low:.0%} to {share.high:.0%}, n = {share.n})"
    )
    verdict = found.verdict
    if rival and verdict in ("confirmed", "supported"):
        verdict, result = "refuted", f"{result}; another repair of the same feature takes back more"
    return Outcome(
        id=CAUSE_OF_KIND[repair.kind],
        verdict=verdict,
        test=NAME,
        result=result,
        confidence={"confirmed": 0.95, "supported": 0.7, "inconclusive": 0.4}.get(verdict, 0.05),
        share=share,
        features=repair.features,
        parameters={"kind": repair.kind, **repair.parameters},
        scope=_scope(repair),
    )


def _untested(repair: Repair, why: str) -> Outcome:
    return Outcome(
        id=CAUSE_OF_KIND[repair.kind],
        verdict="not_tested",
        test=NAME,
        result=f"{repair.statement}; not tested, because {why}",
        confidence=0.3 * repair.fit,
        features=repair.features,
        parameters={"kind": repair.kind, **repair.parameters},
        scope=_scope(repair),
    )


def _scope(repair: Repair) -> str:
    return " = ".join(repair.scope) if repair.scope else ""
