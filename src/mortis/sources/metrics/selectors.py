"""Series as Prometheus writes them: a name and labels in braces."""

from __future__ import annotations

import re

_BLANK = re.compile(r"[ \t]*")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:.]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_series(text: str) -> tuple[str, dict[str, str]] | None:
    r"""The name (empty where none is stated) and the labels of a series; None where the text is none.

    A label `__name__` is the name, and so is a text in quotes without a label before it.

    >>> parse_series('up{job="api", path="C:\\\\x"}')
    ('up', {'job': 'api', 'path': 'C:\\x'})
    >>> parse_series('{__name__="up"}'), parse_series('{"http.errors", job="api"}'), parse_series("up{job=api}")
    (('up', {}), ('http.errors', {'job': 'api'}), None)
    """
    text = text.strip(" \t")
    head = _NAME.match(text)
    name, at = (head[0], head.end()) if head else ("", 0)
    at = _after_blank(text, at)
    if at == len(text):
        return (name, {}) if name else None
    if text[at] != "{" or text[-1] != "}":
        return None
    labels = _labels(text, at + 1)
    if labels is None or (name and "__name__" in labels):
        return None
    return labels.pop("__name__", name), labels


def _labels(text: str, at: int) -> dict[str, str] | None:
    """The labels from a place on up to the closing brace, which ends the text."""
    labels: dict[str, str] = {}
    end = len(text) - 1
    while (at := _after_blank(text, at)) < end:
        quoted = _QUOTED.match(text, at)
        plain = quoted or _NAME.match(text, at)
        if plain is None:
            return None
        key, at = _plain(quoted[1]) if quoted else plain[0], _after_blank(text, plain.end())
        if text[at] == "=":
            value = _QUOTED.match(text, _after_blank(text, at + 1))
            if value is None:
                return None
            at = _after_blank(text, value.end())
        elif quoted:
            value, key = quoted, "__name__"
        else:
            return None
        if key in labels or text[at] not in ",}":
            return None
        labels[key] = _plain(value[1])
        at += text[at] == ","
    return labels if at == end else None


def _after_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _plain(quoted: str) -> str:
    """The text between quotes with its escapes undone; a backslash before any other sign is one."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1] if found[1] in '\\"' else found[0], quoted)
