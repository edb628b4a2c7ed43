"""How severe a log line says it is, and where its message begins."""

from __future__ import annotations

import re
from typing import Any, Final

LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""From the least severe to the most."""

_WORDS = {
    "TRACE": "trace finest finer",
    "DEBUG": "debug fine",
    "INFO": "info information notice",
    "WARN": "warn warning",
    "ERROR": "error err severe",
    "FATAL": "fatal critical crit alert emerg emergency panic",
}
_LEVEL_OF = {word: level for level, words in _WORDS.items() for word in words.split()}
_LETTERS = {"D": "DEBUG", "I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL"}
_NUMBERS = dict(zip((10, 20, 30, 40, 50, 60), LEVELS, strict=True))  # pino's and bunyan's

_ANY = "|".join(sorted(_LEVEL_OF, key=len, reverse=True))
_UPPER = _ANY.upper()
_SEPARATORS = r"[\s|:,>)\]-]*"
# What may stand between the time and the level: brackets, words with a sign or digit in them, a name before a dash,
# a host before a program.
_BEFORE = (
    r"(?:(?:\[[^\]]{0,200}\]|[^\s\[\]]*[^\sA-Za-z\[\]][^\s\[\]]*|[\w./-]+\[\d+\]:"
    r"|\w+(?= [-|] | [\w./-]+\[\d+\]: ))[\s|:]+){0,4}?"
)
_LEVEL = (
    rf"(?:[\[({{<]\s*(?:\w*:)?(?i:(?P<boxed>{_ANY}))\s*[\])}}>]|(?P<upper>{_ANY.upper()})(?=[\s:,|\]/)]|$)"
    rf"|(?i:(?P<told>{_ANY})):(?=\s)|(?:level|lvl|severity)=\"?(?i:(?P<named>{_ANY}))\"?(?!\w))"
)
# A process, a name in code, and the brackets of thread or request, that stand before the message.
_PROCESS = r"(?:/[\w-]+\]|\d+ --- )?"
_NAME = (
    r"(?P<logger>[A-Za-z_$][\w$]*(?:[.:$/]+[\w$<>]+)+(?<!Error)(?<!Exception))"
    r"(?=\s*(?::\s|:$|\s--?\s|\t|\||\[|\]|\s\())"
)
_BRACKETS = r"(?:[\[(][^\])]{0,300}[\])])?"
_WITH_LEVEL = re.compile(
    rf"{_SEPARATORS}{_BEFORE}{_LEVEL}{_SEPARATORS}{_PROCESS}{_BRACKETS}{_SEPARATORS}"
    rf"(?:{_NAME}\s*{_BRACKETS})?{_SEPARATORS}"
)
_WITHOUT_LEVEL = re.compile(
    rf"{_SEPARATORS}(?:[\w.-]+\s+(?P<program>[\w./-]+)\[\d+\]:{_SEPARATORS}|{_NAME}{_SEPARATORS})?"
)


def level_of(value: Any) -> str:
    """The level that a word or one of pino's numbers means; nothing where it is none.

    >>> level_of("warning"), level_of("Crit"), level_of(50), level_of("loud")
    ('WARN', 'FATAL', 'ERROR', '')
    """
    if isinstance(value, str):
        return _LEVEL_OF.get(value.strip().lower(), "")
    return _NUMBERS.get(value, "") if isinstance(value, int) else ""


def level_of_letter(letter: str) -> str:
    """The level of a glog line's first letter."""
    return _LETTERS[letter]


def without_header(rest: str) -> tuple[str, str, str]:
    """Level, name of the logger, and message of a line after its time; nothing where it states none.

    >>> without_header(" 148 INFO dfs.FSNamesystem: BLOCK* ask 10.0.0.1 to delete")
    ('INFO', 'dfs.FSNamesystem', 'BLOCK* ask 10.0.0.1 to delete')
    >>> without_header("] [error] [client 10.0.0.1] File does not exist")
    ('ERROR', '', 'File does not exist')
    >>> without_header(" model loaded in 3 s")
    ('', '', 'model loaded in 3 s')
    """
    found = _WITH_LEVEL.match(rest)
    if found is None:
        found = _WITHOUT_LEVEL.match(rest)
        level, name = "", (found["program"] or found["logger"] or "") if found else ""
    else:
        level = _LEVEL_OF[(found["boxed"] or found["upper"] or found["told"] or found["named"]).lower()]
        name = found["logger"] or ""
    message = rest[found.end() :] if found else rest
    return level, name, message or rest.strip()
