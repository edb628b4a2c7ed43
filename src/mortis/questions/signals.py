"""Step 2: which metrics moved and which log lines changed, before, with and after the failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mortis.case import Case, LogsSource, MetricsSource, TableSource
from mortis.intake.windows import two_windows
from mortis.problems import InputProblem, counted
from mortis.questions.answering import Examined, Gaps, answered, asked, each_asked
from mortis.records import Evidence, Failure, Input, LogTemplate, NotChecked, Signal, Window
from mortis.signals.analysis import SignalsFound, find_signals
from mortis.signals.graph import CallGraph, Candidate
from mortis.signals.logs import LogsFound, log_templates
from mortis.sources.graph import Calls, CallsRead, read_calls
from mortis.sources.logs import read_logs
from mortis.sources.metrics import read_metrics

METRICS = NotChecked(
    "system and model metrics before and during (step 2)",
    "no metrics were handed over",
    "`metrics`: a table of series, or a Prometheus server with its queries",
)
LOGS = NotChecked(
    "logs before and during (step 2)",
    "no log files were handed over",
    "`logs`: the services' log files of both windows",
)
GRAPH = NotChecked(
    "call graph: which services lie behind the symptom (step 2)",
    "no graph was handed over",
    "`graph`: a table of callers and callees",
)
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Signals:
    """Step 2's answer: the series that moved (None where no metrics were read), and the log lines that changed.

    `candidates` are the services that lie behind the symptom, likeliest first; `calls` are who calls whom.
    """

    signals: tuple[Signal, ...] | None = None
    candidates: tuple[Candidate, ...] = ()
    log_templates: tuple[LogTemplate, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    not_checked: Gaps = ()
    calls: Calls = ()
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class _Measured:
    """The series that moved; what was read, and what was guessed and left out on reading it."""

    found: SignalsFound
    notes: tuple[str, ...]
    inputs: tuple[Input, ...]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(_of_metrics(self.found, self.notes))


def analyse_signals(known: Examined) -> Signals:
    """What moved in the metrics and changed in the logs that the case names; what it doesn't name, as gaps."""
    case = known.case
    if known.failure.incident_window is None:
        return Signals()
    graph, unknown = graph_of(case)
    metrics, unmeasured = _metrics(known, graph)
    logs, unread = asked(LOGS, case.logs, lambda sources: _logs(known, sources))
    return Signals(
        signals=metrics.found.signals if metrics else None,
        candidates=metrics.found.candidates if metrics else (),
        log_templates=logs.templates if logs else (),
        evidence=(
            *(metrics.evidence if metrics else ()),
            *(_of_logs(logs) if logs and logs.is_compared else ()),
        ),
        not_checked=(*unmeasured, *unknown, *unread, *(_one_sided(logs) if logs else ())),
        calls=graph.calls if graph else (),
        inputs=(*(metrics.inputs if metrics else ()), *(logs.inputs if logs else ())),
    )


def signals_of_metrics(
    table: TableSource,
    *,
    windows: tuple[str | Window, str | Window],
    graph: str | None = None,
    symptom: str | None = None,
) -> Signals:
    """The series of a table that moved, without a case; with a graph and a symptom, what lies behind it.

    `windows` are the baseline and the incident, as Window or as text 'A..B', half-open, in UTC. Raises InputProblem
    where a table, a window or the symptom can't be what it is said to be.
    """
    baseline, incident = two_windows(windows)
    if baseline.start > incident.start:
        raise InputProblem(
            f"--baseline {baseline} comes after --incident {incident}; what moved is held against what came before it"
        )
    calls = read_calls(graph, root=Path(), key="--graph").calls if graph else ()
    span = Window(baseline.start, incident.end)
    read = read_metrics(MetricsSource(table=table), root=Path(), window=span, key="--metrics")
    found = find_signals(
        read.series,
        baseline=baseline,
        incident=incident,
        graph=CallGraph.of(calls) if calls else None,
        symptom=symptom,
    )
    measured = _Measured(found, read.notes, read.inputs)
    evidence = measured.evidence
    if calls and found.no_candidates:
        told = f"no service is named: {found.no_candidates}"
        evidence += (Evidence("signals.walk", "What lies behind the symptom?", told, "observed"),)
    return Signals(found.signals, found.candidates, evidence=evidence, calls=calls, inputs=measured.inputs)


def graph_of(case: Case) -> tuple[CallsRead | None, Gaps]:
    """Who calls whom, as the case's graph says; None without one, and where it can't be read, which is a gap."""
    if not case.graph:
        return None, ()
    return asked(GRAPH, case.graph, lambda stated: read_calls(stated, root=case.root))


def compared(failure: Failure) -> tuple[Window, Window]:
    """The baseline and the incident as step 2 compares them: from the first moment at which it may have begun.

    Raises ValueError where there is no incident window.
    """
    incident = failure.incident_window
    if incident is None:
        raise ValueError("no incident window")
    began = min(failure.onset.low, incident.start) if failure.onset else incident.start
    start = max(began, failure.baseline_window.start)
    return Window(failure.baseline_window.start, min(failure.baseline_window.end, start)), Window(start, incident.end)


def _metrics(known: Examined, graph: CallsRead | None) -> tuple[_Measured | None, Gaps]:
    """The series that moved, with what was guessed and left out on reading them; None where none could be read."""
    baseline, incident = compared(known.failure)
    span, root = Window(baseline.start, incident.end), known.case.root
    read, unread = each_asked(
        METRICS,
        known.case.metrics,
        lambda i, one: read_metrics(one, root=root, window=span, key=f"metrics.{i}"),
    )
    if not read:
        return None, unread
    found, failed = answered(
        METRICS.what,
        lambda: find_signals(
            [series for one in read for series in one.series],
            baseline=baseline,
            incident=incident,
            onset=known.failure.onset,
            graph=CallGraph.of(graph.calls) if graph else None,
        ),
    )
    gaps = (*unread, *failed)
    if found is None:
        return None, gaps
    notes = tuple(note for one in read for note in one.notes)
    inputs = tuple(one for source in read for one in source.inputs)
    return _Measured(found, notes, (*inputs, graph.input) if graph else inputs), gaps


def _logs(known: Examined, sources: Sequence[LogsSource]) -> LogsFound:
    baseline, incident = compared(known.failure)
    case = known.case
    reading = read_logs(sources, root=case.root, baseline=baseline, incident=incident, sensitive=case.sensitive)
    return log_templates(reading)


def _of_metrics(found: SignalsFound, notes: tuple[str, ...]) -> Iterator[Evidence]:
    yield Evidence("signals.metrics", "Which metrics moved in the incident?", found.statement, "tested")
    for i, one in enumerate(found.signals[:MOST_TOLD], 1):
        told = f"{one.statement}; {one.order} the failure"
        yield Evidence(f"signals.metric-{i}", f"{one.name}: did it move?", told, "tested")
    for i, candidate in enumerate(found.candidates, 1):
        yield Evidence(f"signals.walk-{i}", "What lies behind the symptom?", candidate.reason, "inferred")
    if found.unjudged:
        few = "; ".join(f"{one.name}: {one.why}" for one in found.unjudged[:MOST_TOLD])
        more = len(found.unjudged) - MOST_TOLD
        told = f"{few}{f'; and {more} more' if more > 0 else ''}"
        yield Evidence("signals.unjudged", "Which series could not be judged?", told)
    if notes:
        yield Evidence("signals.sources", "How were the metrics read?", "; ".join(notes))


def _one_sided(found: LogsFound) -> Gaps:
    """Log lines that can't be compared, as one of the windows holds none."""
    if found.is_compared:
        return ()
    return (NotChecked(LOGS.what, "; ".join(found.notes), "log lines of both windows"),)


def _of_logs(found: LogsFound) -> Iterator[Evidence]:
    lines = sum(sum(both) for both in found.levels.values())
    told = (
        f"{counted(lines, 'line')} of {counted(len(found.files), 'file')}, "
        f"{counted(found.known, 'template')} in the baseline; "
        f"{counted(found.tests, 'test')}, {counted(len(found.templates), 'template')} changed"
    )
    yield Evidence("signals.logs", "Which log lines are new, more frequent, or gone?", told, "tested")
    if found.notes:
        yield Evidence("signals.log-files", "What was read of the logs, and what not?", "; ".join(found.notes))
