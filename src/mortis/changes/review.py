"""Step 4's answer: the changes on record held against the failure, and what is not on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mortis.changes.ledger import put_together
from mortis.changes.ranking import Ledger, linked, rank_changes
from mortis.changes.scopes import Served
from mortis.problems import listed
from mortis.records import Cause, Evidence, Failure, NotChecked, Slice, Window
from mortis.sources.changes import ChangesRead


@dataclass(frozen=True, slots=True)
class Review:
    """The ledger, the causes with the changes that may have brought them about, the evidence, and what is missing."""

    ledger: Ledger
    causes: tuple[Cause, ...]
    evidence: tuple[Evidence, ...]
    not_checked: tuple[NotChecked, ...]


def period_of(failure: Failure) -> Window:
    """The stretch whose changes bear on a failure: from the baseline's start until it was noticed, or its data end."""
    ends = [failure.baseline_window.end]
    ends += [failure.incident_window.end] if failure.incident_window else []
    ends += [failure.detected_at] if failure.detected_at else []
    ends += [failure.onset.high] if failure.onset else []
    return Window(failure.baseline_window.start, max(ends))


def review(
    read: ChangesRead,
    failure: Failure,
    *,
    slices: Sequence[Slice] = (),
    causes: Sequence[Cause] = (),
    model: Served | None = None,
) -> Review:
    """What was read of changes, held against the failure, the confirmed slices and the causes.

    `model` says which services bear on it, as far as that is known.
    """
    if failure.verdict == "no_failure":
        together = put_together(read.changes)
        n = f"{len(together):,} change{'s are' if len(together) != 1 else ' is'} on record"
        ledger = Ledger(together, (), f"{n}; none was ranked, as no failure was found")
    else:
        ledger = rank_changes(
            read.changes,
            onset=failure.onset,
            hit=[one.conditions for one in slices if one.held_out],
            causes=causes,
            baseline=failure.baseline_window,
            model=model,
            unrecorded=read.unrecorded,
        )
    return Review(ledger, linked(causes, ledger), _evidence(ledger, read), _not_checked(read))


def _evidence(ledger: Ledger, read: ChangesRead) -> tuple[Evidence, ...]:
    found = Evidence("changes.ledger", "Which recorded change fits the failure?", ledger.statement, "tested")
    if not read.notes:
        return (found,)
    return (found, Evidence("changes.sources", "What was read of changes, and what not?", "; ".join(read.notes)))


def _not_checked(read: ChangesRead) -> tuple[NotChecked, ...]:
    if not read.unrecorded:
        return ()
    return (
        NotChecked(
            f"changes (step 4) of which there is no record: {listed(read.unrecorded)}",
            "a change that is on no record can't be found, nor ruled out",
            "entries under `changes` in the case file",
        ),
    )
