"""The whole flow: from the case to the post-mortem, in the order of the six steps."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

from mortis.case import Case
from mortis.clarify.failure import Clarified
from mortis.engine import Engine, Watch, open_engine, silent
from mortis.outlook import next_actions, unanswered
from mortis.preparation import Ready
from mortis.questions.answering import Allowed, Examined
from mortis.questions.causes import Findings, Weighing, weigh_causes
from mortis.questions.changes import Changes, read_record, review_changes
from mortis.questions.errors import Errors, analyse_errors
from mortis.questions.failure import examine
from mortis.questions.integrity import Integrity, check_integrity
from mortis.questions.signals import Signals, analyse_signals, graph_of
from mortis.records import (
    CaseSummary,
    Change,
    Checked,
    ErrorAnalysis,
    Evidence,
    Input,
    NotChecked,
    Postmortem,
    Provenance,
    Slice,
)

SCHEMA_VERSION = 1
LIBRARIES = ("duckdb", "ibis-framework", "numpy", "pyarrow", "scipy")


def investigate(
    case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0, unpickle: bool = False
) -> Postmortem:
    """The post-mortem of a case: what failed and since when, who was hit, what was ruled out, and what was not checked.

    The same case, engine and seed give the same post-mortem, but for the time of its making. `unpickle` allows pickled
    models to be opened, which runs whatever code they hold.

    Raises InputProblem where the case or its tables are wrong, WorkProblem where a source can't be reached.
    """
    begun = time.perf_counter()
    with closing(open_engine(engine, watch=watch)) as running:
        clarified, known = examine(case, running, seed)
        signals = analyse_signals(known)
        integrity = check_integrity(known)
        record = read_record(known)
        errors = analyse_errors(known)
        weighing = weigh_causes(known, Findings(signals, integrity, record.read), Allowed(seed, unpickle))
        changes = review_changes(known, record, errors.analysis, weighing.weighed.causes, signals.calls)
        return _assemble(known, Answers(clarified, signals, integrity, errors, weighing, changes), begun)


def clarify_case(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> Clarified:
    """Step 1 alone: the failure with its evidence."""
    with closing(open_engine(engine, watch=watch)) as running:
        return examine(case, running, seed)[0]


def integrity_of_case(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> Checked:
    """Step 3 alone: served data, training set, training pipeline and registry, and what could not be asked."""
    with closing(open_engine(engine, watch=watch)) as running:
        found = check_integrity(examine(case, running, seed)[1])
        return Checked(found.evidence, found.not_checked)


def signals_of_case(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> Signals:
    """Step 2 alone: the metrics that moved, the log lines that changed, and what could not be asked."""
    with closing(open_engine(engine, watch=watch)) as running:
        return analyse_signals(examine(case, running, seed)[1])


def changes_of_case(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> Changes:
    """Step 4 alone: the changes on record held against the failure and those who were hit; causes are not weighed."""
    with closing(open_engine(engine, watch=watch)) as running:
        known = examine(case, running, seed)[1]
        graph, unknown = graph_of(case)
        calls = graph.calls if graph else ()
        found = review_changes(known, read_record(known), analyse_errors(known).analysis, (), calls)
        return replace(found, not_checked=(*found.not_checked, *unknown))


def errors_of_case(case: Case, *, engine: str = "duckdb", watch: Watch = silent, seed: int = 0) -> ErrorAnalysis:
    """Step 5 alone: where the errors rose since the onset."""
    with closing(open_engine(engine, watch=watch)) as running:
        return analyse_errors(examine(case, running, seed)[1]).analysis


@dataclass(frozen=True, slots=True)
class Answers:
    """What the steps gave: the document is made of these."""

    clarified: Clarified
    signals: Signals
    integrity: Integrity
    errors: Errors
    weighing: Weighing
    changes: Changes

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All evidence, in the order of the steps."""
        found = (_slice_evidence(i, one) for i, one in enumerate(self.errors.analysis.slices, 1))
        asked = (self.clarified, self.signals, self.integrity, self.changes)
        return (*(one for step in asked for one in step.evidence), *found, *self.weighing.evidence)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What was read besides the tables of the pass."""
        return (*self.signals.inputs, *self.changes.inputs)

    @property
    def not_checked(self) -> tuple[NotChecked, ...]:
        """All gaps, in the order of the steps."""
        asked = (self.clarified, self.signals, self.integrity, self.changes, self.errors, self.weighing)
        return tuple(one for step in asked for one in step.not_checked)


def _assemble(known: Examined, answers: Answers, begun: float) -> Postmortem:
    ready, failure, errors = known.ready, known.failure, answers.errors.analysis
    weighed, guards = answers.weighing.weighed, answers.weighing.guards
    return Postmortem(
        schema_version=SCHEMA_VERSION,
        case=CaseSummary(
            known.case.title, known.case.model.name, ready.dataset.task, (*ready.intake.inputs, *answers.inputs)
        ),
        failure=failure,
        causes=answers.changes.causes,
        unexplained_share=weighed.unexplained,
        answer="no_failure" if failure.verdict == "no_failure" else weighed.answer,
        signals=answers.signals.signals or (),
        log_templates=answers.signals.log_templates,
        changes=answers.changes.changes,
        slices=errors.slices,
        confusion=errors.confusion,
        slices_note=errors.note,
        evidence=_with_queries(answers.evidence, known.engine),
        actions=next_actions(failure, errors.slices, weighed.actions, _fitting(answers.changes)),
        guards=guards,
        not_checked=(*answers.not_checked, *unanswered(known.case, failure, answers.changes.causes, guards)),
        provenance=_provenance(known.engine, ready, begun),
    )


def _fitting(found: Changes) -> tuple[Change, ...]:
    """The change that fits each standing cause best, once each."""
    first = {cause.changes[0] for cause in found.causes if cause.changes}
    return tuple(one for one in found.changes if one.id in first)


def _slice_evidence(i: int, one: Slice) -> Evidence:
    held = "confirmed on the half not searched" if one.held_out else "not confirmed on a second half"
    before, after = one.baseline, one.incident
    return Evidence(
        f"errors.slice-{i}",
        "Where did the errors rise?",
        f"{one.where}: {before.errors} errors of {before.n} before, {after.errors} of {after.n} in the incident "
        f"({one.change.low:+.3f} to {one.change.high:+.3f}); {held}",
        "tested",
        query=one.query,
        value=one.change,
    )


def _with_queries(evidence: Sequence[Evidence], engine: Engine) -> tuple[Evidence, ...]:
    """The evidence of step 1 with the query its figures come from."""
    quality = dict(engine.queries).get("quality figures", "")
    return tuple(
        one if one.query or not one.id.startswith("clarify.") else replace(one, query=quality) for one in evidence
    )


def _provenance(engine: Engine, ready: Ready, begun: float) -> Provenance:
    return Provenance(
        mortis=version("mortis"),
        created_at=datetime.now(UTC).replace(microsecond=0),
        engine=engine.name,
        versions={"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        queries=tuple(f"-- {what}\n{sql}" for what, sql in engine.queries),
        seconds=round(time.perf_counter() - begun, 2),
        guesses=ready.intake.guesses,
    )
