"""What can go wrong, told in one line: where, what is wrong, what exists, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Problem(Exception):
    """A failure with a one-line message for the user; `exit_code` is what the command ends with."""

    exit_code = 3


class InputProblem(Problem):
    """What was handed in is wrong: the message names the key or file and the remedy."""

    exit_code = 2


class CaseProblem(InputProblem):
    """What the case names is not there, or can't be asked for: nobody but its author can put it right.

    Other input problems lie in what a source holds; they cost that source's answers and no others.
    """


class WorkProblem(Problem):
    """The work could not be completed: a source is unreachable, the disk is full, an extra is missing."""

    exit_code = 3


def near(word: str, known: Iterable[str]) -> str:
    """The known word closest to a mistyped one as a question, or nothing where none is close.

    >>> near("latncy_ms", ["latency_ms", "score"])
    "; did you mean 'latency_ms'?"
    >>> near("zzz", ["latency_ms"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def listed(words: Iterable[str], *, most: int = 12) -> str:
    """The words joined by commas, at most `most` of them, with the number left out.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    words = list(words)
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def counted(n: int, noun: str) -> str:
    """A number of things in words.

    >>> counted(1, "row"), counted(1204, "row"), counted(0, "row")
    ('1 row', '1,204 rows', '0 rows')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def printable(text: str) -> str:
    r"""A stranger's text on one line, without signs that can't be printed.

    >>> printable("numpy\n\x1b[31m 2.1"), printable("a\nb\u2028c")
    ('numpy [31m 2.1', 'a b c')
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
