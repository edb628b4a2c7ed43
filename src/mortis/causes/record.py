"""What is on record about the onset, for the tests that a record tells more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from mortis.causes.facts import Facts
from mortis.changes.kinds import kinds_of
from mortis.records import Change

SHORTLY = timedelta(days=1)  # a change takes effect within it


def on_record(facts: Facts, *kinds: str) -> Sequence[Change]:
    """Changes of these kinds that came within a day of the onset's interval."""
    onset = facts.failure.onset
    since = facts.failure.since_onset.start
    low, high = (onset.low, onset.high) if onset else (since, since)
    return [
        one
        for one in facts.changes or ()
        if one.time is not None and low - SHORTLY <= one.time <= high + SHORTLY and set(kinds) & set(kinds_of(one.kind))
    ]


def said(record: Sequence[Change], kind: str) -> str:
    """The changes in words, at most two."""
    if not record:
        return f"no change of kind {kind} is on record about the onset"
    return "on record about the onset: " + "; ".join(f"{one.summary} ({one.id})" for one in record[:2])
