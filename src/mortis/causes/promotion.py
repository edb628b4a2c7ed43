"""A version that serves more than before and does worse: merely so, by a proxy, or as its training was spoilt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mortis.causes.contamination import learned
from mortis.causes.facts import CONFIDENCE, Facts, Outcome, Remedy, each_plainly, percent, plainly
from mortis.causes.proxies import proxy_of
from mortis.causes.replay import why_not_replayed
from mortis.causes.trial import says, tried
from mortis.causes.versions import registered_version, shares_of_versions
from mortis.integrity.versions import RISEN, same_version
from mortis.records import STANDING

NAME = "same rows under the old and the new version"
IDS = ("M1", "M6", "L3")
SUSPECTED = 0.3  # how much a version that came with the failure is to be suspected, where it can't be tried


@dataclass(frozen=True, slots=True)
class _Promotion:
    """The version that serves more than before, the one it replaced, and that in words."""

    new: str
    old: str
    says: str


def decide_promotion(facts: Facts) -> Iterable[Outcome]:
    """M1, M6 and L3: a version that served less before; its rows scored by the version that it replaced.

    It is M6 where the new version answers by something that the outcome doesn't follow, and L3 where the training table
    holds rows as an incident leaves them.
    """
    if set(facts.during.version.tolist()) <= {""}:
        reason = "the log names no versions (predictions.version)"
        yield from each_plainly(IDS, "not_tested", NAME, f"not tested, because {reason}")
        return
    promoted = _promotion(facts)
    if promoted is None:
        result = "no version serves a larger share of rows than in the baseline"
        yield from each_plainly(IDS, "refuted", NAME, result)
        return
    registered = registered_version(facts)
    if registered and not same_version(promoted.new, registered):
        result = f"{promoted.says}, but the registry means {registered} to be served: see M2"
        yield from each_plainly(IDS, "refuted", NAME, result)
        return
    missing = "" if promoted.old in facts.models else f"the file of {promoted.old or 'the old version'} is absent"
    why = why_not_replayed(facts) or missing
    if why:
        told = f"{promoted.says}; not tested, because {why}"
        yield Outcome("M1", "not_tested", NAME, told, SUSPECTED, parameters=_named(promoted))
        yield from each_plainly(IDS[1:], "not_tested", NAME, told)
        return
    yield from _by_what_it_learned(facts, promoted)


def _named(promoted: _Promotion) -> dict[str, str | float]:
    return {"version": promoted.new, "replaced": promoted.old}


def _promotion(facts: Facts) -> _Promotion | None:
    before, during = shares_of_versions(facts.before), shares_of_versions(facts.during)
    new = max(during, key=lambda version: during[version] - before.get(version, 0.0), default="")
    if during.get(new, 0.0) - before.get(new, 0.0) < RISEN:
        return None
    old = max((v for v in before if v != new), key=lambda version: before[version], default="")
    began = f"{new} serves {percent(during[new])} of the rows ({percent(before.get(new, 0.0))} in the baseline)"
    return _Promotion(new, old, began)


def _by_what_it_learned(facts: Facts, promoted: _Promotion) -> Iterable[Outcome]:
    """Whether the new version does worse, and why, as far as its answers and the training table tell."""
    new, old = promoted.new, promoted.old
    remedy = Remedy(version=np.where(facts.during.version == new, old, ""))
    found = tried(facts, remedy)
    told = f"{promoted.says}; scored by {old}, {says(found, facts.metric.name)}"
    merely = Outcome(
        id="M1",
        verdict=found.verdict,
        test=NAME,
        result=told,
        confidence=CONFIDENCE[found.verdict],
        share=found.share,
        parameters=_named(promoted),
        remedy=remedy,
    )
    if found.verdict not in STANDING:
        yield merely
        yield from each_plainly(
            IDS[1:], found.verdict, NAME, f"{told}: what it learned is not asked where it isn't worse"
        )
        return
    held = learned(facts, old)
    if held.cause:
        yield _for_that(merely, held.cause, held.says, held.parameters, held.features, held.scope)
        yield plainly("M1", "inconclusive", NAME, f"{told}; {held.says}: see {held.cause}")
        rest = "M6" if held.cause == "L3" else "L3"
        yield plainly(rest, "inconclusive", NAME, f"not told apart from {held.cause}: {held.says}")
        return
    proxy = proxy_of(facts, new, old)
    if proxy:
        # Worse it is by either; that it was trained on spoilt outcomes by mistake can't be told from meaning to.
        yield _for_that(merely, "M6", proxy.says, {"follows": proxy.feature})
        yield plainly("M1", "inconclusive", NAME, f"{told}; {proxy.says}: see M6")
    else:
        yield merely
        yield plainly("M6", "refuted", NAME, "no new version answers by what the outcome doesn't follow")
    if held.unread:
        yield plainly("L3", "not_tested", NAME, f"not tested, because {held.unread}; {told}")
    else:
        yield plainly("L3", "refuted", NAME, held.says)


def _for_that(
    merely: Outcome,
    id_: str,
    why: str,
    parameters: Mapping[str, str | float],
    features: tuple[str, ...] = (),
    scope: str = "",
) -> Outcome:
    """A worse version's outcome with the reason; supported at most, as the reason was seen and not undone."""
    return replace(
        merely,
        id=id_,
        verdict="supported",
        result=f"{merely.result}, whatever made it worse; {why}",
        confidence=CONFIDENCE["supported"],
        features=features,
        parameters={**merely.parameters, **parameters},
        scope=scope,
    )
