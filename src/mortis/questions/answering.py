"""What the questions have in common: the case as step 1 left it, and how a failed one becomes a visible gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeVar

from mortis.case import Case
from mortis.engine import Engine
from mortis.engine.sampling import row_sample
from mortis.preparation import Ready
from mortis.problems import CaseProblem, InputProblem, WorkProblem
from mortis.profiles import Profile
from mortis.records import Failure, NotChecked, Window
from mortis.rows import RowSample

Answer = TypeVar("Answer")
Source = TypeVar("Source")
Gaps = tuple[NotChecked, ...]
ROWS_WEIGHED = 10_000
REACHED = "the source, reachable, and another run"
MENDED = "the source put right, and another run"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the user allows: the seed of all that is drawn, and whether a pickled model may run its code."""

    seed: int = 0
    unpickle: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SampledRows:
    """The rows that tests look at: of the baseline, and of the incident since its onset."""

    before: RowSample
    during: RowSample


@dataclass(frozen=True, eq=False)  # without slots: the rows are drawn when they are first asked for
class Examined:
    """A case whose failure is known: what the later steps ask about.

    `seemed` is the failure by all labels there are, where it was judged at equal label age; else None.
    """

    case: Case
    engine: Engine
    ready: Ready
    profile: Profile
    failure: Failure
    seemed: Failure | None = None

    @cached_property
    def rows(self) -> SampledRows | None:
        """At most about 10,000 rows of each window; None where there is no incident window."""
        if self.failure.incident_window is None:
            return None
        return SampledRows(self._sampled(self.failure.baseline_window), self._sampled(self.failure.since_onset))

    def _sampled(self, window: Window) -> RowSample:
        table = self.engine.sample(self.ready.dataset, window, most=ROWS_WEIGHED)
        return row_sample(table, self.ready.dataset, rows=int(self.profile.outcomes.within(window).values.sum()))


def asked(gap: NotChecked, source: Source | None, question: Callable[[Source], Answer]) -> tuple[Answer | None, Gaps]:
    """The answer to a question about a source; a gap where the case names none, or it can't be used (see `tried`)."""
    return tried(gap.what, partial(question, source)) if source else (None, (gap,))


def each_asked(
    gap: NotChecked, sources: Sequence[Source], question: Callable[[int, Source], Answer]
) -> tuple[tuple[Answer, ...], Gaps]:
    """The answers of those sources that can be used, and a gap for each of the others (see `tried`)."""
    if not sources:
        return (), (gap,)
    found = [tried(gap.what, partial(question, i, one)) for i, one in enumerate(sources)]
    return tuple(answer for answer, _ in found if answer is not None), tuple(one for _, gaps in found for one in gaps)


def tried(what: str, read: Callable[[], Answer]) -> tuple[Answer | None, Gaps]:
    """What comes of a source; a gap where it can't be used.

    A source that is broken (InputProblem) costs its own answer and no other; where the case names what is not there
    (CaseProblem), the work ends, as only its author can put it right.
    """
    try:
        return answered(what, read)
    except CaseProblem:
        raise
    except InputProblem as problem:
        return None, (NotChecked(what, str(problem), MENDED),)


def answered(what: str, question: Callable[[], Answer]) -> tuple[Answer | None, Gaps]:
    """The question's answer; None and what is to be shown instead where it failed, so that it costs no other answer.

    A source that can't be reached (WorkProblem) becomes such a gap; what is wrong with the predictions (InputProblem)
    ends the work, as nothing can be said without them.
    """
    try:
        return question(), ()
    except InputProblem:
        raise
    except WorkProblem as problem:
        return None, (NotChecked(what, str(problem), REACHED),)
    except Exception as error:  # noqa: BLE001  the one place where a failed question becomes a visible gap
        why = f"the question failed: {type(error).__name__}: {error}"
        return None, (NotChecked(what, why, "a report of this message to the project"),)
