"""Log lines without what varies from one to the next, and without personal data and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

CACHED_WORDS = 1 << 16
LONGEST_CACHED = 100
_MARK = "\0"  # stands after a word whose next word is a secret
_ZEROED = bytes(ord("0") if chr(i).isdigit() and i < 128 else i for i in range(256))

_METHODS = "GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|CONNECT|TRACE"
_OF_SECRETS = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|(?:api|access|private)[-_.]?key|auth(?:orization)?|credentials?|"
    r"cookie"
)
_OF_PERSONS = (
    r"user(?:[-_.]?(?:name|id))?|login|account|customer|passenger|patient|e?mail|phone|mobile|iban|ssn|"
    r"session(?:[-_.]?id)?|(?:first|last|full|sur)[-_.]?name"
)

# Quotes hold what users typed, but for those that `_quoted` takes off.
_QUOTED = re.compile(
    r'"(?:[^"\\]|\\.)*"'
    r"|'(?<![\w>]')(?:[^'\\]|\\.)*'(?![\w<])"
    r"|`[^`]*`"
)
_REQUEST = re.compile(rf"(?:{_METHODS}) [^\"'`]*$")
_BEFORE_TEXT = re.compile(r"\b(?:msg|message|event|err|error|reason)=$")
_BEFORE_NAME = re.compile(r"(?i)(?:\b(column|feature|field|attribute|argument|parameter|module)s?:?|error:) $")
_NAME = re.compile(r"[\w.-]+")
_COMPOUND_NAME = re.compile(r"[\w.-]+_[\w.-]+")
_KEYED = re.compile(
    rf"(?i)(?<![^\W\d_])(?:(?P<secret>{_OF_SECRETS})|{_OF_PERSONS})(?P<sign>[\"']?[=:]+[\"']?)(?P<value>[^\s,;&)\]}}\"']+)"
)
_ENDS_OF_KEYS = "=:\"'"
_KEY_ALONE = re.compile(rf"(?i)(?<![^\W\d_])(?:{_OF_SECRETS})[\"']?[=:]+[\"']?$")
_AFTER_KEY = re.compile(rf"{_MARK}(?:( (?:Basic|Digest|Negotiate|Token|Bearer{_MARK}))? [^\s{_MARK}]+(?!\S))?")
# In this order: what comes first is taken first. Digits are zeroes already.
_KINDS = {
    "masked": r"<[a-z*]+>",
    "url": r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"')\]}]+",
    "email": r"[\w.+%-]+@(?![0a-f]+(?![\w.-]))[\w-]+(?:\.[\w-]+)*",
    "uuid": r"[0a-fA-F]{8}-(?:[0a-fA-F]{4}-){3}[0a-fA-F]{12}",
    "hex": r"(?<![^\W_])(?=0*[a-fA-F])(?=[a-fA-F]*0)[0a-fA-F]{6,}(?![^\W_])",
    "secret": (
        r"(?<![^\W_])(?:eyJ[\w-]{5,}\.[\w.-]+|(?:AKIA|ASIA)[0A-Z]{12,}"
        r"|(?:sk|pk|rk|gh[a-z]|hf|glpat|xox[a-z])[-_][\w-]{10,})"
        r"|(?<![\w+/=~.-])(?=[\w+/=~-]*[A-Z])(?=[\w+/=~-]*[a-z])(?=(?:[\w+/=~-]*?0){3})[\w+/=~-]{20,}"
    ),
    "time": (
        r"0000[-/]00[-/]00(?:[T_]00:00(?::00)?(?:[.,]0+)?(?:Z|[+-]00:?00)?)?"
        r"|(?<![0:])00?:00:00(?:[.,]0+)?(?![0:])|(?<![0/])00/00/00(?:00)?(?![0/])"
    ),
    "ip": (
        r"(?<![\w.])(?:0{1,3}\.){3}0{1,3}(?::0+)?(?![\w.]*0)"
        r"|(?<![\w:])(?=\S*0)(?:[0a-fA-F]{0,4}:){2,7}[0a-fA-F]{0,4}(?:%\w+)?(?![\w:])"
    ),
    "path": r"(?<![\w.<>/])(?:/[\w.@%+~:=,<>*$&!-]+)+/?(?:\?\S*)?|^/$|[A-Za-z]:\\\S+",
    "num": (r"(?:(?<![^\W_])(?<![>)\]])[-+])?(?<![^\W_])\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?![^\W_]|[.,]\d)"),
    "mixed": r"[^\W_]*\d(?:[.,](?=\d)|[^\W_])*",
}


def _pattern(kinds: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{kind}>{_KINDS[kind]})" for kind in kinds))


_VARIABLE = _pattern(_KINDS)
_WITHOUT_ADDRESS = _pattern(kind for kind in _KINDS if kind not in ("url", "email"))
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_RUN = re.compile(rf"{_DIGITS.pattern}|\D+")
_REPEATED = re.compile(r"(<[a-z]+>)(?:[,;|]\1)+")


def mask(text: str) -> str:
    """The text with times, addresses, paths, numbers, identifiers, quotes, personal data and secrets replaced by kinds.

    No digit is left. White space becomes single blanks. Masking again changes nothing. A name or secret that bears no
    sign of being one (an address, a quote, a key before it) stays.

    >>> mask("2013-08-01 06:00:00 user=anna asked 10.1.2.3:80 for /v1/predict?id=7 in 12.5ms, token: s3cr3t")
    '<time> <time> user=<person> asked <ip> for <path> in <num>ms, token: <secret>'
    >>> mask('"GET /a/b HTTP/1.1" 200; blk_-17 of rdd_4_2 by "Anna", e9b1c0ffee')
    'GET <path> HTTP/<num> <num>; blk_<num> of rdd_<num>_<num> by <str>, <hex>'
    """
    masked = _masked(text.replace(_MARK, " ") if _MARK in text else text)
    # What quotes are left may have come together only now.
    while ('"' in masked or "'" in masked or "`" in masked) and masked != text:
        text, masked = masked, _masked(masked)
    return masked


def _masked(text: str) -> str:
    if '"' in text or "'" in text or "`" in text:
        text = _QUOTED.sub(_quoted, text)
    # Which digits they are doesn't matter, and words with their digits zeroed are met again: most come from the cache.
    zeroed = text.encode("utf-8", "replace").translate(_ZEROED).decode()
    masked = " ".join(map(_words.__getitem__, zeroed.split()))
    return _AFTER_KEY.sub(_secret_after_key, masked) if _MARK in masked else masked


def _quoted(found: re.Match[str]) -> str:
    """What stands for a quote: its content where that is a request, a message behind its key, or a name in code."""
    content = found[0][1:-1]
    if _REQUEST.match(content) or _BEFORE_TEXT.search(found.string, max(0, found.start() - 12), found.start()):
        return content
    before = _BEFORE_NAME.search(found.string, max(0, found.start() - 12), found.start())
    return content if before and (_NAME if before[1] else _COMPOUND_NAME).fullmatch(content) else "<str>"


def _secret_after_key(found: re.Match[str]) -> str:
    scheme = (found[1] or "").replace(_MARK, "")
    return f"{scheme} <secret>" if found[0] != _MARK else ""


class _MaskedWords(dict[str, str]):
    """Words with their digits zeroed, masked: kept until there are too many, as a plain dict is the fastest to ask."""

    def __missing__(self, word: str) -> str:
        masked = _masked_word(word)
        if len(word) <= LONGEST_CACHED:
            if len(self) >= CACHED_WORDS:
                self.clear()
            self[word] = masked
        return masked


_words = _MaskedWords()


def _masked_word(word: str) -> str:
    """The word masked, the mark behind it where the next word is a secret; digits are zeroes already."""
    if word.isalpha():
        return word + _MARK if word.lower() == "bearer" else word
    masked = (_VARIABLE if "@" in word or "://" in word else _WITHOUT_ADDRESS).sub(_variable, word)
    if "=" in masked or ":" in masked:
        masked = _KEYED.sub(_keyed, masked)
    if ">," in masked or ">;" in masked or ">|" in masked:
        masked = _REPEATED.sub(r"\1", masked)
    # What is masked may bring together what is to be masked, as in "1,,2".
    if masked != word:
        return _words[masked]
    return word + _MARK if word[-1] in _ENDS_OF_KEYS and _KEY_ALONE.search(word) else word


def _keyed(found: re.Match[str]) -> str:
    key = found[0][: found.start("sign") - found.start()]
    return f"{key}{found['sign']}{'<secret>' if found['secret'] else '<person>'}"


def _variable(found: re.Match[str]) -> str:
    kind = str(found.lastgroup)
    if kind == "masked":
        return found[0]
    return _mixed(found[0]) if kind == "mixed" else f"<{kind}>"


def _mixed(word: str) -> str:
    """A word of letters and digits: an identifier where they alternate, else its digits alone are masked."""
    return "<id>" if len(_RUN.findall(word)) > 3 else _DIGITS.sub("<num>", word)
