"""What a post-mortem must not repeat: secrets, by their key or their looks; people's addresses; signs for terminals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mortis.problems import printable
from mortis.sources.changes.reading import word_set

MASK = "***"
MOST_SHOWN = 200

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
_TOKEN = re.compile(
    r"-----BEGIN [A-Z ]+-----.*"  # a key in PEM
    r"|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"  # a JSON Web Token
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS
    r"|\b(?:gh[opusr]|github_pat|glpat|xox[abprs]|sk|pk|rk|hf|npm|pypi|dop_v1|AIza|ya29)[-_.]?[\w-]{16,}"
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"
)
_ASSIGNED = re.compile(
    r"(?i)\b((?:\w*[-_])?(?:password|passwd|pwd|secret|token|api[-_]?key|credentials?))(\s*[=:]\s*)\S+"
)
_RANDOM = re.compile(r"(?<![\w/.-])[A-Za-z0-9+/_-]{24,}={0,2}(?![\w/-])")
_HEX = re.compile(r"(?:sha\d+:)?[0-9a-fA-F]{32,128}")

# A word anywhere in a key that makes its value a secret; one that does so at the key's end; and what stands before
# "key" where a key opens nothing.
_SECRET = word_set("password passwd passphrase passcode pwd secret secrets credential credentials")
_SECRET_LAST = word_set("token key apikey auth authorization cookie dsn pat pass jwt")
_SECRET_PLURAL = {("api", "keys"), ("access", "keys"), ("private", "keys"), ("access", "tokens"), ("api", "tokens")}
_HARMLESS_KEYS = word_set("""
    partition primary foreign sort cache join group routing hash shard row index idx unique dedup natural
    surrogate lookup entity feature order""")
_DIGESTS = word_set("sha sha1 sha256 digest hash commit image revision version checksum fingerprint md5 etag")


def masked_value(path: Sequence[str], value: str) -> str:
    """A configuration's value as it may be shown: hidden where its key, or one above it, or its looks tell a secret.

    >>> masked_value(("db", "password"), "hunter2"), masked_value(("max_tokens",), "512")
    ('***', '512')
    >>> masked_value(("url",), "postgresql://anna:hunter2@db/prod")
    'postgresql://***@db/prod'
    """
    if any(is_secret_key(key) for key in path) and value not in ("", "null", "true", "false", "[]", "{}"):
        return MASK
    keys = {word for key in path for word in _words(key)}
    if _HEX.fullmatch(value):
        return f"{value[: value.find(':') + 8]}…" if keys & _DIGESTS or ":" in value else MASK
    return masked_text(value)


def is_secret_key(key: str) -> bool:
    """Whether a key is named like a secret's.

    >>> [key for key in ("apiKey", "partition_key", "SECRET_ID", "tokenizer", "access_token") if is_secret_key(key)]
    ['apiKey', 'SECRET_ID', 'access_token']
    """
    parts = _words(key)
    if _SECRET & set(parts) or tuple(parts[-2:]) in _SECRET_PLURAL:
        return True
    return parts[-1:] != [] and parts[-1] in _SECRET_LAST and not (parts[-1] == "key" and set(parts) & _HARMLESS_KEYS)


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(key)]


def masked_text(text: str) -> str:
    """A text without addresses of people, credentials and what looks like a token.

    >>> masked_text("by anna@example.com, token=abc123")
    'by ***, token=***'
    """
    text = _CREDENTIALS.sub(MASK, text)
    text = _TOKEN.sub(MASK, text)
    text = _ASSIGNED.sub(rf"\1\2{MASK}", text)
    text = _EMAIL.sub(MASK, text)
    return _RANDOM.sub(lambda found: MASK if _looks_random(found[0]) else found[0], text)


def _looks_random(text: str) -> bool:
    """Whether a long run of signs reads like drawn by chance: digits, small and capital letters, again and again."""
    if _HEX.fullmatch(text):
        return False  # a commit or a digest
    kinds = [0 if sign.isdigit() else 1 if sign.islower() else 2 if sign.isupper() else 3 for sign in text]
    turns = sum(one != other for one, other in pairwise(kinds))
    return {0, 1, 2} <= set(kinds) and turns >= len(text) / 4


def one_line(text: str, *, most: int = MOST_SHOWN) -> str:
    r"""A stranger's text as one line that may be shown: masked, without control signs, cut where it is long.

    >>> one_line("fix\x1b[31m   units\n\nby anna@example.com")
    'fix [31m units by ***'
    """
    line = masked_text(printable(text[: 20 * most]))
    return line if len(line) <= most else f"{line[: most - 1]}…"
