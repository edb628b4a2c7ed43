"""The answer in a few lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from mortis.document.figures import moment
from mortis.document.wording import Claim, Clarified, headline, since_when, summary, what_failed
from mortis.records import (
    Change,
    Checked,
    ErrorAnalysis,
    Evidence,
    LogTemplate,
    NotChecked,
    Postmortem,
    Signal,
    Slice,
)

Told = tuple[tuple[Evidence, ...], tuple[NotChecked, ...]]
"""A step's evidence, and the questions that could not be asked."""

WIDTH = 100
INDENT = 16


def summary_lines(postmortem: Postmortem) -> list[str]:
    """The post-mortem's first screen as lines: headline, then each question with its answer."""
    lines = ["", headline(postmortem.failure), ""]
    for claim in summary(postmortem):
        lines += _answer(claim)
    if postmortem.not_checked:
        gaps = "; ".join(one.what for one in postmortem.not_checked)
        lines += _answer(Claim("Not checked", gaps))
    return lines


def failure_lines(clarified: Clarified) -> list[str]:
    """Step 1's answer as lines."""
    claims = [what_failed(clarified), since_when(clarified)]
    return [headline(clarified.failure), "", *(line for claim in claims if claim for line in _answer(claim))]


def signal_lines(signals: Sequence[Signal], templates: Sequence[LogTemplate], told: Told) -> list[str]:
    """Step 2's answer as lines: the series that moved, furthest first, then the log lines, then the evidence."""
    lines: list[str] = []
    for one in signals:
        when = f" {moment(one.onset)}" if one.onset else ""
        lines += [f"{one.score:8.3g}  {one.name} went {one.direction}{when}, {one.order} the failure"]
    for found in templates:
        figures = f"{found.baseline:,} before, {found.incident:,} in the incident"
        lines += [f"{found.change:>9}  {found.template}", f"           {figures}"]
    return [*lines, *([""] if lines else []), *evidence_lines(Checked(*told))]


def change_lines(changes: Sequence[Change], told: Told) -> list[str]:
    """Step 4's answer as lines: the changes, those that fit best first, each with its verdict, then the evidence."""
    rest = " " * 6
    lines: list[str] = []
    for one in changes:
        title = f"{one.ranking:4.2f}  {moment(one.time)}  {one.kind}: {one.summary} ({one.id})"
        lines += textwrap.wrap(title, WIDTH, subsequent_indent=rest)
        lines += textwrap.wrap(one.verdict, WIDTH, initial_indent=rest, subsequent_indent=rest)
    return [*lines, *([""] if lines else []), *evidence_lines(Checked(*told))]


def evidence_lines(found: Checked) -> list[str]:
    """A step's answer as lines: each question with what was found, then what was not checked.

    >>> evidence_lines(Checked((Evidence("integrity.checks", "Are the data as before?", "yes, all of them"),)))
    ['Are the data as before?', '    yes, all of them']
    """
    rest = "    "
    lines: list[str] = []
    for one in found.evidence:
        lines += [one.question, *textwrap.wrap(one.statement, WIDTH, initial_indent=rest, subsequent_indent=rest)]
    for gap in found.not_checked:
        told = f"not checked: {gap.why}; it needs {gap.needs}"
        lines += [gap.what, *textwrap.wrap(told, WIDTH, initial_indent=rest, subsequent_indent=rest)]
    return lines


def slice_lines(found: ErrorAnalysis) -> list[str]:
    """Step 5's answer as lines: the note, then one block per slice.

    >>> slice_lines(ErrorAnalysis(note="not searched: no failure was found"))
    ['not searched: no failure was found']
    """
    return [*textwrap.wrap(found.note, WIDTH), *(line for one in found.slices for line in _slice(one))]


def _answer(claim: Claim) -> list[str]:
    """A question and its answer beside it, wrapped."""
    return _beside(claim.question, [claim.text, *claim.details])


def _beside(title: str, texts: Sequence[str]) -> list[str]:
    rest = " " * INDENT
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(text, WIDTH, initial_indent=rest, subsequent_indent=rest)
    return [title.ljust(INDENT) + lines[0][INDENT:], *lines[1:]] if lines else []


def _slice(one: Slice) -> list[str]:
    held = "confirmed on the half not searched" if one.held_out else "not confirmed on a second half"
    figures = (
        f"errors {one.baseline.errors} of {one.baseline.n} before, "
        f"{one.incident.errors} of {one.incident.n} in the incident "
        f"({one.change.low:+.3f} to {one.change.high:+.3f}); {one.contribution:.0%} of the excess; {held}"
    )
    wrapped = textwrap.wrap(figures, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return ["", one.where, *wrapped, f"  {one.query}"]
