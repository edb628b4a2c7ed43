"""The nouns of a post-mortem, frozen: what the steps hand on and what the document is made of.

Field names are the keys of `postmortem.json`; times are UTC; shares lie in 0..1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

FailureVerdict = Literal["failure", "no_failure", "cannot_tell"]
FailureKind = Literal["quality", "operational", "data"]
Shape = Literal["abrupt", "gradual", "intermittent"]
CauseVerdict = Literal["confirmed", "supported", "inconclusive", "refuted", "not_tested"]
STANDING: tuple[CauseVerdict, ...] = ("confirmed", "supported")
"""Verdicts by which a cause was at work, surely or probably."""
Answer = Literal["cause", "several", "unknown", "no_failure"]
EvidenceStatus = Literal["observed", "tested", "inferred", "reported"]
ActionType = Literal["prevent", "detect", "mitigate", "repair", "process", "document"]
Harm = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time in UTC: start is inside, end is not."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"{iso(self.start)}..{iso(self.end)}"

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.start).total_seconds()

    def overlaps(self, other: Window) -> bool:
        """Whether the two share a moment."""
        return self.start < other.end and other.start < self.end


def iso(moment: datetime) -> str:
    """A UTC moment as text, without the clock when it is midnight.

    >>> iso(datetime(2013, 8, 1, tzinfo=UTC)), iso(datetime(2013, 8, 1, 6, 30, tzinfo=UTC))
    ('2013-08-01', '2013-08-01T06:30:00Z')
    """
    moment = moment.astimezone(UTC)
    if moment.hour == moment.minute == moment.second == moment.microsecond == 0:
        return moment.strftime("%Y-%m-%d")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval and the number of rows behind it; what is not defined is not a number (NaN)."""

    value: float
    low: float
    high: float
    n: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors among n rows. Adding two gives the rate of both; `Rate()` is the identity."""

    errors: int = 0
    n: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.n:
            raise ValueError(f"errors must lie in 0..n; got errors={self.errors}, n={self.n}")

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.errors + other.errors, self.n + other.n)

    @property
    def value(self) -> float:
        """The share of errors; not a number where there are no rows."""
        return self.errors / self.n if self.n else float("nan")


@dataclass(frozen=True, slots=True)
class Onset:
    """When the failure began: the best bucket and the 95 % set around it, as moments in UTC."""

    best: datetime
    low: datetime
    high: datetime
    shape: Shape
    recovered: datetime | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """Who was hit: predictions served in the failure, and errors beyond what the baseline would have made."""

    predictions: int
    excess_errors: Interval


@dataclass(frozen=True, slots=True)
class Point:
    """The metric in one time bucket, with its interval; `maturity` is the share of labels that have arrived."""

    start: datetime
    value: Interval
    maturity: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Step 1's answer: whether the metric failed, by how much, since when, and why that is believed."""

    verdict: FailureVerdict
    metric: str
    kind: FailureKind
    baseline: Interval
    incident: Interval
    shift: Interval
    onset: Onset | None
    impact: Impact
    label_maturity: float | None
    reason: str
    definition: str
    error_means: str
    better: Harm
    baseline_window: Window
    incident_window: Window | None
    detected_at: datetime | None
    bucket_seconds: int
    series: tuple[Point, ...] = ()

    @property
    def since_onset(self) -> Window:
        """The incident window from the onset on: clean days before it would only dilute what is looked for.

        Raises ValueError where there is no incident window.
        """
        window, onset = self.incident_window, self.onset
        if window is None:
            raise ValueError("no incident window")
        if onset is None or onset.best not in window:
            return window
        return Window(onset.best, onset.recovered or window.end)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One answered question: the statement, how it is known, and the query that anyone can run again."""

    id: str
    question: str
    statement: str
    status: EvidenceStatus = "observed"
    query: str = ""
    value: Interval | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """The test that decides a hypothesis, and what came out."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    name: str
    result: str


@dataclass(frozen=True, slots=True)
class Cause:
    """A hypothesis about why, with its verdict; ids are those of the cause catalogue."""

    id: str
    name: str
    verdict: CauseVerdict
    confidence: float
    features: tuple[str, ...] = ()
    parameters: dict[str, str | float] = field(default_factory=dict)
    scope: str = ""
    changes: tuple[str, ...] = ()
    share_of_drop: Interval | None = None
    evidence_for: tuple[str, ...] = ()
    evidence_against: tuple[str, ...] = ()
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric series that moved, and whether it did so before, with or after the failure's onset.

    `score` is how far it moved in units of its usual spread, `usual` the largest score of a healthy stretch of the same
    length. `harm` is the direction known to be for the worse, None where either may be; `n` the points in the incident.
    """

    name: str
    score: float
    onset: datetime | None
    direction: Literal["up", "down"]
    order: Literal["before", "with", "after"]
    statement: str = ""
    onset_low: datetime | None = None
    onset_high: datetime | None = None
    usual: float = float("nan")
    harm: Harm | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class LogTemplate:
    """A kind of log line that is new, surged, gone, or escalated: written at a higher level than before.

    `level` is that of most of its lines; of an escalated one, that which more of them bear now, and the lines counted
    are those at that level or above. `ratio` is the rate in the incident in multiples of the baseline's, None where it
    had none. `first_seen` is its first time in the incident and `first_line` the file and line there. `scope` names
    what nearly all of its lines have in common, and most others don't (service, version, log ...).
    """

    template: str
    change: Literal["new", "surged", "gone", "escalated"]
    baseline: int
    incident: int
    q: float
    level: str = ""
    ratio: Interval | None = None
    first_seen: datetime | None = None
    first_line: str = ""
    scope: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangedPart:
    """One thing that a change altered: what it was before and is after; None where it was not there."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name} {self.after} added"
        return (
            f"{self.name} {self.before} removed" if self.after is None else f"{self.name} {self.before} → {self.after}"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Something somebody or something changed; `time` is None where nobody recorded it.

    `ranking` (0..1) tells how well it fits the failure, `verdict` why. `scope` names what it reached, as columns and
    values (service, version, region ...); empty where it says nothing. `source` is where it was found.
    """

    id: str
    kind: str
    time: datetime | None
    summary: str
    ranking: float = 0.0
    verdict: str = ""
    scope: dict[str, str] = field(default_factory=dict)
    parts: tuple[ChangedPart, ...] = ()
    source: str = ""

    @property
    def brief(self) -> str:
        """The summary without the commits and tags that a deploy took live.

        >>> Change("events.3", "deploy", None, "roll out v2 [git.1a2b3c4: use metres]").brief
        'roll out v2'
        """
        return _CARRIED.sub("", self.summary)


_CARRIED = re.compile(r" \[git\d*\.\S+: .*\]$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """One sampled row: its columns as text; `wrong` tells an error from its nearest right neighbour."""

    values: dict[str, str]
    wrong: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """A conjunction of column values in which the errors rose.

    `contribution` is its part of all excess errors, `score` the log-likelihood ratio, `q` the false-discovery rate on
    the half of the rows that the search has not seen (None where there was no second half).
    """

    conditions: dict[str, str]
    query: str
    baseline: Rate
    incident: Rate
    change: Interval
    contribution: float
    score: float
    q: float | None
    held_out: bool
    aliases: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def where(self) -> str:
        """The conditions in words; empty where there are none.

        >>> hit, rise = {"origin": "EWR", "delay": ">= 60", "wind": "(null)"}, Interval(0.1, 0.0, 0.2)
        >>> Slice(hit, "", Rate(), Rate(), rise, 1, 1, None, False).where
        'origin = EWR and delay >= 60 and wind is null'
        """
        return in_words(self.conditions)


def in_words(where: Mapping[str, str]) -> str:
    """Columns and their values, or bounds, as one sentence says them: of a slice, a change or a log line.

    >>> in_words({"region": "eu", "service": "feed"})
    'region = eu and service = feed'
    """
    return " and ".join(_condition(column, value) for column, value in where.items())


def _condition(column: str, value: str) -> str:
    if value == "(null)":
        return f"{column} is null"
    if value.startswith(("< ", ">= ")):
        return f"{column} {value}"
    return f"{column} = {value}"


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do, what it addresses and how one sees that it is done."""

    title: str
    type: ActionType
    addresses: str
    acceptance: str


@dataclass(frozen=True, slots=True)
class Guard:
    """A check born from the incident, with the proof that it fails there and passes on the baseline."""

    id: str
    check: str
    fails_on_incident: bool
    passes_on_baseline: bool
    false_alarm_rate: float


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A question that was not answered, the reason, and what to hand over so that it can be."""

    what: str
    why: str
    needs: str


@dataclass(frozen=True, slots=True)
class Input:
    """What was read: where from, how many rows (lines of a text, commits, points), and a fingerprint of its content."""

    path: str
    rows: int
    fingerprint: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """What was handed in."""

    title: str
    model: str
    task: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """One label→prediction pair and how its share of the labelled rows moved from baseline to incident."""

    label: str
    prediction: str
    baseline: int
    incident: int
    change: Interval


@dataclass(frozen=True, slots=True)
class ErrorAnalysis:
    """Step 5's answer: where the errors rose, how the confusion moved, and how far the search reached."""

    slices: tuple[Slice, ...] = ()
    confusion: tuple[ConfusionCell, ...] = ()
    tested: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A step's answer: its evidence, and the questions that could not be asked."""

    evidence: tuple[Evidence, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the document came about: versions, seeds, and the queries of the one pass."""

    mortis: str
    created_at: datetime
    engine: str
    versions: dict[str, str]
    queries: tuple[str, ...]
    seconds: float
    guesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Postmortem:
    """The whole document. Built by `mortis.investigate`, rendered by `mortis.document`."""

    schema_version: int
    case: CaseSummary
    failure: Failure
    causes: tuple[Cause, ...]
    unexplained_share: Interval
    answer: Answer
    signals: tuple[Signal, ...]
    log_templates: tuple[LogTemplate, ...]
    changes: tuple[Change, ...]
    slices: tuple[Slice, ...]
    confusion: tuple[ConfusionCell, ...]
    slices_note: str
    evidence: tuple[Evidence, ...]
    actions: tuple[Action, ...]
    guards: tuple[Guard, ...]
    not_checked: tuple[NotChecked, ...]
    provenance: Provenance

    def with_evidence(self, *more: Evidence) -> Postmortem:
        """The same post-mortem with further evidence at the end."""
        return replace(self, evidence=(*self.evidence, *more))

    def _repr_html_(self) -> str:
        """The report as a notebook shows it: isolated in a frame, so that its styles stay its own."""
        from mortis.document.html import notebook_frame

        return notebook_frame(self)
