"""Drafting: a commented case file from the tables alone, with what was guessed and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mortis.drafting.columns import open_sheet
from mortis.drafting.writing import Section, written
from mortis.engine import Engine
from mortis.problems import InputProblem, printable


@dataclass(frozen=True, slots=True)
class Draft:
    """A case file's text, and what was guessed in it: one line each, `key = value: why`."""

    text: str
    guesses: tuple[str, ...]


def draft_case(tables: Sequence[str], *, root: Path, engine: Engine) -> Draft:
    """A commented case file from the tables alone, and what was guessed and why.

    `tables` are files, globs or folders relative to `root`, the folder in which the case file will lie. Every key of a
    case is shown; what could not be guessed stands as a comment.

    Raises InputProblem where no table is given, one can't be read, no column of times exists, or nothing can be judged.

    >>> from contextlib import closing
    >>> from mortis.engine import open_engine
    >>> with closing(open_engine()) as engine:
    ...     draft_case([], root=Path(), engine=engine)
    Traceback (most recent call last):
    mortis.problems.InputProblem: init: no table was handed in; ...
    """
    from mortis.drafting.arrangement import arrange
    from mortis.drafting.stating import said, stated_sections

    if not tables:
        raise InputProblem(
            "init: no table was handed in; name the prediction log, as in `mortis init predictions.parquet`"
        )
    sheets = [open_sheet((table,), root=root, engine=engine) for table in dict.fromkeys(tables)]
    found = arrange(sheets, root=root, engine=engine)
    sections: tuple[Section, ...] = stated_sections(found)
    head = (
        f"Drafted by `mortis init` from {', '.join(dict.fromkeys(tables))}.",
        "Every value below is a guess with its reason beside it: correct what is wrong, then `mortis run` this file.",
        "Lines that begin with # state nothing: they show what could be added. Paths are relative to this file.",
    )
    return Draft(written(head, sections), tuple(printable(line) for line in said(sections, found)))
