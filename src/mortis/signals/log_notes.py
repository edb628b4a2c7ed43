"""How log files were read, what was left out, and what they can't tell, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import numpy as np

from mortis.problems import counted, listed
from mortis.records import iso
from mortis.signals.template_counts import Buckets, TemplateCounts
from mortis.signals.templates import MOST_TEMPLATES, OTHER
from mortis.sources.logs import LONGEST_MESSAGE, FileRead, LogReading

LISTED = 3
ENDS_EARLY = 0.1
_KINDS = {
    "untimed": "bear no time as the first ones of their file do and are not used",
    "unparsed": "are not laid out like the first ones of their file and are not used",
    "undecoded": "aren't UTF-8 and are read with a sign for what isn't",
    "nulls": "hold null bytes, which were taken out",
    "long": f"have messages of more than {LONGEST_MESSAGE:,} characters, cut there",
    "cut": "are longer than a MiB, cut there",
}


def notes_on(
    reading: LogReading, counts: TemplateCounts, buckets: Buckets, *, silent: Mapping[str, int]
) -> Iterator[str]:
    """How files were read, what was left out of them, and what can't be told for it; each in a sentence."""
    files = reading.files
    yield from _layouts(files)
    for fault in dict.fromkeys(one.fault for one in files if one.fault):
        yield f"{listed((one.file.name for one in files if one.fault == fault), most=LISTED)}: {fault}"
    for kind, what in _KINDS.items():
        yield from _left_out(files, kind, what)
    without = [one.file.name for one in files if not one.has_offset]
    if without:
        yield f"the times of {listed(without, most=LISTED)} bear no offset and are taken as UTC"
    yield from _spans(files)
    yield from _windows(counts, buckets)
    for source, lines in silent.items():
        before = counted(lines, "line")
        yield f"{source} writes nothing in the incident, after {before} in the baseline; none is told as gone"
    yield from _too_many(counts, buckets)


def _layouts(files: Sequence[FileRead]) -> Iterator[str]:
    """How the lines of files are laid out, and how they write their times: both are guessed."""
    alike: dict[str, list[str]] = {}
    for one in files:
        if one.kind:
            alike.setdefault(f"read as {one.kind}, times as {one.clock}", []).append(one.file.name)
    yield from (f"{listed(names, most=LISTED)}: {how}" for how, names in alike.items())


def _left_out(files: Sequence[FileRead], kind: str, what: str) -> Iterator[str]:
    """How many lines of a kind there are, and where; of files whose layout is known, as the others tell their fault."""
    read = [one for one in files if one.kind]
    having = [(one.file.name, one.counts[kind], one.first[kind]) for one in read if one.counts.get(kind)]
    if having:
        total = sum(lines for _, lines, _ in having)
        among = sum(one.counts["lines"] for one in read if one.counts.get(kind))
        where = listed((f"{name} ({lines:,}, first line {first:,})" for name, lines, first in having), most=LISTED)
        yield f"{total:,} of {among:,} lines {what}: {where}"


def _spans(files: Sequence[FileRead]) -> Iterator[str]:
    """Files whose entries lie outside both windows."""
    spans = [
        f"{one.file.name} ({iso(one.begins)} to {iso(one.ends)})"
        for one in files
        if one.begins and one.ends and not one.counts.get("baseline") and not one.counts.get("incident")
    ]
    if spans:
        yield f"files without a line in the windows: {len(spans):,}, {listed(spans, most=LISTED)}"


def _windows(counts: TemplateCounts, buckets: Buckets) -> Iterator[str]:
    """Windows that hold no line, and an incident whose lines end early."""
    lines = sum(counts.rows.values(), np.zeros(len(buckets), dtype=np.int64))
    before, after = lines[: buckets.split], lines[buckets.split :]
    empty = [name for name, window in (("baseline", before), ("incident", after)) if not window.any()]
    if empty:
        yield f"no log line lies in the {' or in the '.join(empty)}: nothing can be compared"
    if before.any() and after.any():
        silent = int(np.flatnonzero(after[::-1])[0])
        if silent > ENDS_EARLY * len(after):
            end = buckets.incident.end - timedelta(seconds=silent * buckets.seconds)
            yield f"the logs end at about {iso(end)}, before the incident does; they are compared up to there"


def _too_many(counts: TemplateCounts, buckets: Buckets) -> Iterator[str]:
    """Lines that are in no template, as there were too many."""
    other = sum((lines for (number, _), lines in counts.rows.items() if number == OTHER), np.zeros(len(buckets)))
    before, after = int(other[: buckets.split].sum()), int(other[buckets.split :].sum())
    if before:
        yield (
            f"the baseline has more than {MOST_TEMPLATES:,} kinds of lines; {before:,} lines of it and {after:,} of "
            "the incident are in none, and no kind can be told to be new"
        )
    elif after:
        yield f"the incident has more than {MOST_TEMPLATES:,} new kinds of lines; {after:,} lines of it are in none"
