"""What a post-mortem can't say yet, with what it needs, and what to do next on what it can say."""

from __future__ import annotations

from collections.abc import Sequence

from mortis.case import Case
from mortis.records import STANDING, Action, Cause, Change, Failure, Guard, NotChecked, Onset, Slice, Test, iso


def unknown_cause() -> Cause:
    """The hypothesis that stands where the tests of causes could not be run."""
    return Cause(
        id="unknown",
        name="Unknown",
        verdict="not_tested",
        confidence=0.0,
        test=Test("none", "the tests of causes could not be run; see what was not checked"),
    )


def unanswered(
    case: Case, failure: Failure, causes: Sequence[Cause], guards: Sequence[Guard]
) -> tuple[NotChecked, ...]:
    """The causes and guards that could not be had, each with the reason and with what to hand over."""
    if failure.verdict != "failure":
        return ()
    asked: list[NotChecked] = []
    if not case.models:
        why = "no model file was handed over, so nothing could be repaired and scored again"
        needs = "the files of the versions that may have served, as `models`"
        asked.append(NotChecked("data faults and served versions (causes D, S, M)", why, needs))
    if not guards and any(one.verdict in STANDING for one in causes):
        why = "no figure by day of the causes that stand fails in the incident and passes in the baseline"
        asked.append(NotChecked("guards", why, "a baseline of more days, or a check of your own"))
    elif not guards:
        asked.append(NotChecked("guards", "a guard is made from a cause that stands", "a confirmed or supported cause"))
    return tuple(asked)


def next_actions(
    failure: Failure, slices: Sequence[Slice], remedies: Sequence[Action], changes: Sequence[Change]
) -> tuple[Action, ...]:
    """What to do on what is known: contain the slice that is hit, then the causes' remedies; without any, look on.

    `changes` are those that fit the causes: each is to be taken back, or mended by whoever made it.
    """
    if failure.verdict == "no_failure":
        return tuple(remedies)
    if failure.verdict == "cannot_tell":
        done = "the verdict is `failure` or `no failure`"
        title = (
            "Run again with more rows or labels, a longer baseline, or the figure that was promised (failure.expected)"
        )
        return (Action(title, "process", "the verdict", done),)
    hit = next((one for one in slices if one.held_out), None)
    actions = [_contain(hit)] if hit else []
    actions += [_take_back(one) for one in changes]
    actions += remedies
    actions += [_list_changes(failure.onset)] if failure.onset and not remedies else []
    return (*actions, _watch(failure.metric, by_slice=hit is not None))


def _take_back(change: Change) -> Action:
    return Action(
        f"Take back, or have mended by whoever made it: {change.brief}",
        "mitigate",
        f"the change that fits ({change.id})",
        "the metric is back in the baseline's range after it",
    )


def _contain(hit: Slice) -> Action:
    usual = f"back at {hit.baseline.value:.1%}" if hit.baseline.n else "no higher than elsewhere"
    return Action(
        f"Take the model's answers out of use where {hit.where}, or have them reviewed",
        "mitigate",
        f"{hit.contribution:.0%} of the excess errors",
        f"the error rate there is {usual}, or none of its answers is used",
    )


def _list_changes(onset: Onset) -> Action:
    return Action(
        f"List everything that changed between {iso(onset.low)} and {iso(onset.high)}",
        "process",
        "the unknown cause",
        "each change in that interval is named with its scope, and tested or ruled out",
    )


def _watch(metric: str, *, by_slice: bool) -> Action:
    return Action(
        f"Alert on {metric} by day" + (" and by this slice" if by_slice else ""),
        "detect",
        "the time until it was noticed",
        "the alert fires on the incident's days and not on the baseline's",
    )
