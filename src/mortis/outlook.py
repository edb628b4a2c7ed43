"""What a post-mortem can't say yet, with what it needs, and what to do next on what it can say."""

from __future__ import annotations

from collections.abc import Sequence

from mortis.case import Case
from mortis.records import Action, Cause, Failure, NotChecked, Onset, Slice, Test, iso


def unknown_cause() -> Cause:
    """The hypothesis that stands while no other was tested."""
    return Cause(
        id="unknown",
        name="Unknown",
        verdict="not_tested",
        confidence=0.0,
        test=Test("none", "no hypothesis about the cause was tested by this version"),
    )


def unanswered(case: Case, failure: Failure) -> tuple[NotChecked, ...]:
    """The steps that were not taken, each with the reason and with what it will need."""
    asked: list[NotChecked] = []
    handed = bool(case.metrics or case.logs)
    asked.append(
        NotChecked(
            "metrics and logs before and during (step 2)",
            "this version does not analyse them yet" + ("; those handed over were left unread" if handed else ""),
            "metrics (CSV, Parquet, Prometheus) and logs (JSON lines, text) of baseline and incident, a later version",
        )
    )
    handed = bool(case.training or case.models or case.registry or case.offline_features)
    asked.append(
        NotChecked(
            "data and model integrity (step 3): the intended training data, equal features, the right version",
            "this version does not check it yet" + ("; what was handed over was left unread" if handed else ""),
            "the training table, the model files of the versions, "
            "the training pipeline's feature values, a later version",
        )
    )
    asked.append(
        NotChecked(
            "changes (step 4): schema, dependencies, hardware, configuration, code, deploys",
            "this version does not review them yet" + ("; those handed over were left unread" if case.changes else ""),
            "the git repository, lock files and configuration before and after, a list of deploys, a later version",
        )
    )
    if failure.verdict == "failure":
        why = "a cause is reported only when a test was executed, and this version executes none"
        asked.append(NotChecked("causes", why, "the inputs of steps 2 to 4, a later version"))
        asked.append(NotChecked("guards", "a guard is made from a confirmed cause", "a confirmed cause"))
    return tuple(asked)


def next_actions(failure: Failure, slices: Sequence[Slice]) -> tuple[Action, ...]:
    """What to do on what is known: contain the slice that is hit, look at the onset, keep the figures watched."""
    if failure.verdict == "no_failure":
        return ()
    if failure.verdict == "cannot_tell":
        done = f"the verdict is no longer `cannot tell` ({failure.reason})"
        return (Action("Hand over what is missing and run again", "process", "the verdict", done),)
    hit = next((one for one in slices if one.held_out), None)
    actions = [_contain(hit)] if hit else []
    actions += [_list_changes(failure.onset)] if failure.onset else []
    return (*actions, _watch(failure.metric, by_slice=hit is not None))


def _contain(hit: Slice) -> Action:
    where = " and ".join(f"{column} {value}" for column, value in hit.conditions.items())
    return Action(
        f"Take the model's answers out of use where {where}, or have them reviewed",
        "mitigate",
        f"{hit.contribution:.0%} of the excess errors",
        f"the error rate there is back at {hit.baseline.value:.1%} or none of its answers is used",
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
