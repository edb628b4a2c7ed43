"""Step 4: what changed, held against the failure, those who were hit, and the causes that stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mortis.changes.review import period_of, review
from mortis.changes.scopes import Served
from mortis.questions.answering import Examined, Gaps, tried
from mortis.records import Cause, Change, ErrorAnalysis, Evidence, Input, NotChecked
from mortis.signals.graph import CallGraph
from mortis.sources.changes import ChangesRead, read_changes
from mortis.sources.graph import Calls

CHANGES = NotChecked(
    "changes (step 4): schema, dependencies, hardware, configuration, code, deploys",
    "no record of changes was handed over",
    "entries under `changes`: a repository, deploy events, files before and after",
)


@dataclass(frozen=True, slots=True)
class Changes:
    """Step 4's answer: the changes, those that fit best first, and the causes with those that may have brought them."""

    changes: tuple[Change, ...] = ()
    causes: tuple[Cause, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    not_checked: Gaps = ()
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What the case's sources have on record; None where they were not handed over, or can't be read now."""

    read: ChangesRead | None = None
    not_checked: Gaps = ()


def read_record(known: Examined) -> Record:
    """The changes that the case's sources know of, not yet held against anything."""
    case = known.case
    if not case.changes:
        return Record(not_checked=(CHANGES,))
    gaps: list[NotChecked] = []

    def attempt(read: Callable[[], tuple[Change, ...]]) -> tuple[Change, ...] | None:
        found, unread = tried(CHANGES.what, read)
        gaps.extend(unread)
        return found

    return Record(
        read_changes(case.changes, root=case.root, around=period_of(known.failure), attempt=attempt), tuple(gaps)
    )


def review_changes(
    known: Examined, record: Record, errors: ErrorAnalysis, causes: Sequence[Cause], calls: Calls
) -> Changes:
    """What was read of changes, held against everything that the other steps found."""
    if record.read is None:
        return Changes(causes=tuple(causes), not_checked=record.not_checked)
    model = _served(known.case.model.name, calls)
    found = review(record.read, known.failure, slices=errors.slices, causes=causes, model=model)
    gaps = (*record.not_checked, *found.not_checked)
    return Changes(found.ledger.changes, found.causes, found.evidence, gaps, record.read.inputs)


def _served(name: str, calls: Calls) -> Served:
    """The model among the services: those of the graph that it neither calls nor is called by have no bearing on it."""
    graph = CallGraph.of(calls)
    if name not in graph.callees:
        return Served(name)
    near = {name, *graph.behind(name)} | {node for node in graph.callees if name in graph.behind(node)}
    return Served(name, {"service": sorted(graph.callees.keys() - near)})
