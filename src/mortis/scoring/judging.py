"""One answer held against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mortis.lab.truth import CaseTruth, PlantedTruth
from mortis.records import STANDING

CONSIDERED = (*STANDING, "inconclusive")
NEAR = 0.05
"""A figure is right within this share of the true one."""

_ASKED_FOR = {"models": "model file", "changes": "`changes`", "logs": "`logs`"}
"""What an answer has to say for a source, by the name of the source."""

_IDLE = frozenset({"share_of_rows", "kind", "fit", "served", "replaced"})
Answered = Mapping[str, Any]
"""A post-mortem as `postmortem.json` holds it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a case. Figures that don't apply are None: no feature to name, no onset to find.

    `told` is the first cause that was named, or the answer where none was. `first` says whether the right answer came
    first: the cause, both causes, "unknown" or "no_failure"; `among` whether every right cause is among the first
    three. `onset_hours` is how far the onset's best figure lies from the true one, `share_error` that of the share of
    the drop. `confidence` is that of the first named cause. `problem` is set where the investigation itself failed.
    """

    plot: str
    base: str
    seed: int
    answer: str
    causes: tuple[str, ...]
    told: str
    first: bool
    among: bool
    false_cause: bool
    feature: bool | None = None
    parameters: bool | None = None
    change: bool | None = None
    failure: bool | None = None
    onset_hours: float | None = None
    onset_covered: bool | None = None
    share_error: float | None = None
    share_covered: bool | None = None
    confidence: float | None = None
    asks: bool | None = None
    seconds: float = 0.0
    problem: str = ""


def judged(truth: CaseTruth, answered: Answered, *, seconds: float) -> Judged:
    """The answer's judgement.

    A cause counts as named where it is confirmed or supported; a right one among the first three may also be
    inconclusive, as what was ruled out or not tested follows after.
    """
    named = [one for one in answered["causes"] if one["verdict"] in STANDING]
    fault, right = _met(truth, named)
    return Judged(
        truth.plot,
        truth.base,
        truth.seed,
        truth.answer,
        truth.causes,
        _told(answered, named),
        first=_first(truth, answered, named),
        among=_among(truth, answered),
        false_cause=not truth.faults and bool(named),
        feature=_feature(fault, right),
        parameters=_parameters(fault, right),
        change=_change(truth, answered),
        failure=(answered["failure"]["verdict"] == "failure") == _fails(truth),
        **_onset(truth, answered),
        **_share(fault, right),
        confidence=named[0]["confidence"] if named else None,
        asks=_asks(truth, answered),
        seconds=seconds,
    )


def failed(truth: CaseTruth, problem: str, *, seconds: float) -> Judged:
    """The judgement of an investigation that ended without an answer."""
    return Judged(
        truth.plot,
        truth.base,
        truth.seed,
        truth.answer,
        truth.causes,
        "no answer",
        first=False,
        among=False,
        false_cause=False,
        seconds=seconds,
        problem=problem,
    )


def _fails(truth: CaseTruth) -> bool:
    """Whether anything failed: labels that were looked at too early only make it seem so."""
    return any(one.kind != "E2" for one in truth.faults)


def _told(answered: Answered, named: Sequence[Answered]) -> str:
    if named:
        return str(named[0]["id"])
    verdict = answered["failure"]["verdict"]
    return "unknown" if verdict == "failure" else str(verdict)


def _met(truth: CaseTruth, named: Sequence[Answered]) -> tuple[PlantedTruth | None, Answered | None]:
    """The first fault that is named and the cause that names it; where none is, the first fault, and None."""
    if not truth.causes:
        return None, None
    pairs = ((fault, one) for one in named for fault in truth.faults if one["id"] == fault.kind)
    return next(pairs, (truth.faults[0], None))


def _first(truth: CaseTruth, answered: Answered, named: Sequence[Answered]) -> bool:
    ids = [one["id"] for one in named]
    if truth.answer == "no_failure":
        return not ids and answered["failure"]["verdict"] != "failure"
    if truth.answer == "unknown":
        return not ids and answered["failure"]["verdict"] != "no_failure"
    return set(ids[: len(truth.causes)]) == set(truth.causes)


def _among(truth: CaseTruth, answered: Answered) -> bool:
    considered = [one["id"] for one in answered["causes"] if one["verdict"] in CONSIDERED][:3]
    if truth.answer in ("no_failure", "unknown"):
        return not any(one["verdict"] in STANDING for one in answered["causes"])
    return set(truth.causes) <= set(considered)


def _feature(fault: PlantedTruth | None, right: Answered | None) -> bool | None:
    """Whether the features are named; False too where the cause isn't."""
    if fault is None or not fault.features:
        return None
    return right is not None and set(right["features"]) == set(fault.features)


def _parameters(fault: PlantedTruth | None, right: Answered | None) -> bool | None:
    """Whether what is told of the fault agrees with it, of the parameters that both name, and the version."""
    if fault is None or not (fault.parameters or fault.version):
        return None
    if right is None:
        return False
    told = {name: value for name, value in right["parameters"].items() if name not in _IDLE}
    if fault.version and fault.version not in {str(value) for value in told.values()}:
        return False
    shared = [(told[name], fault.parameters[name]) for name in told if name in fault.parameters]
    return all(_alike(one, other) for one, other in shared) and bool(shared or fault.version)


def _alike(told: Any, true: float | str) -> bool:
    if isinstance(true, str) or isinstance(told, str):
        return str(told) == str(true)
    return abs(float(told) - true) <= NEAR * max(abs(true), 1e-9)


def _change(truth: CaseTruth, answered: Answered) -> bool | None:
    """Whether the record of what brought a fault is ranked first; None where there is none on record."""
    tags = [one.change.partition(": ")[2] for one in truth.faults if one.change]
    if not truth.causes or not tags or "changes" in truth.withheld:
        return None
    first = next((f"{one['id']} {one['summary']} {one.get('source', '')}" for one in answered["changes"]), "")
    return any(tag in first for tag in tags)


def _onset(truth: CaseTruth, answered: Answered) -> dict[str, Any]:
    onset = answered["failure"]["onset"]
    if not truth.faults or not onset or not onset.get("best"):
        return {}
    best, low, high = (datetime.fromisoformat(onset[name]) for name in ("best", "low", "high"))
    true = min(one.onset for one in truth.faults)
    hours = abs((best - true).total_seconds()) / 3600
    return {"onset_hours": round(hours, 2), "onset_covered": low <= true <= high}


def _share(fault: PlantedTruth | None, right: Answered | None) -> dict[str, Any]:
    share = right["share_of_drop"] if right else None
    if fault is None or not share or share["value"] is None:
        return {}
    covered = share["low"] <= fault.share_of_drop <= share["high"]
    return {"share_error": round(abs(share["value"] - fault.share_of_drop), 4), "share_covered": covered}


def _asks(truth: CaseTruth, answered: Answered) -> bool | None:
    """Whether an answer that can't be given says what to fetch: each source that was withheld and is needed."""
    if not truth.needed:
        return None
    told = [f"{one['what']} {one['needs']}" for one in answered["not_checked"]]
    told += [one["test"]["result"] for one in answered["causes"] if one["test"] and one["verdict"] == "not_tested"]
    return all(any(_ASKED_FOR[source] in text for text in told) for source in truth.needed)
