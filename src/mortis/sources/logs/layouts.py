"""How the lines of a log file are laid out, found out from its first ones: text, JSON or key=value."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mortis.records import Window
from mortis.sources.logs.clocks import CLOCKS, Clock, epoch_seconds, seconds_of
from mortis.sources.logs.levels import level_of, level_of_letter, without_header

SAMPLED_LINES = 200
MOST_LEADING_WORDS = 5

Scope = tuple[tuple[str, str], ...]
"""What a line says of where it comes from: (service, api), (version, v2) ..."""

Content = tuple[str, str, Scope]
"""Level, message, scope."""

TIME_KEYS = (
    "time", "timestamp", "@timestamp", "ts", "asctime", "datetime", "date", "t", "eventTime", "created", "timeMillis",
)  # fmt: skip
LEVEL_KEYS = ("level", "severity", "levelname", "log.level", "lvl", "loglevel", "level_name", "severityText")
MESSAGE_KEYS = ("message", "msg", "event", "log", "textPayload", "body", "text", "MESSAGE")
FAILURE_KEYS = ("exc_info", "exception", "error.stack_trace", "stack_trace", "stacktrace", "stack", "error", "err")
SCOPE_KEYS = {
    "service": "service", "service.name": "service", "app": "service", "application": "service",
    "host": "host", "hostname": "host", "host.name": "host", "pod": "pod", "namespace": "namespace",
    "version": "version", "model_version": "version", "service.version": "version",
    "region": "region", "zone": "zone", "env": "environment", "environment": "environment",
    "logger": "logger", "logger_name": "logger", "log.logger": "logger", "name": "logger",
}  # fmt: skip
LONGEST_SCOPE = 80
MOST_PLANS = 1_000
FAILURE = " | "
"""What stands between a message and the failure that the lines after it tell."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file's lines are read.

    `moment` gives a line's whole seconds (epoch, UTC) and its rest, or None where it bears no time; `content` what the
    rest says. `is_parsed` tells a line that is laid out so but bears no time from one that isn't laid out so.
    `continues` is whether lines without a time may belong to the one before. `clock` tells how times are written, and
    `has_offset` whether they say which zone they are in.
    """

    kind: str
    clock: str
    has_offset: bool
    moment: Callable[[str], tuple[int, Any] | None]
    content: Callable[[Any], Content]
    is_parsed: Callable[[str], bool]
    continues: bool = False


def layout_of(lines: Sequence[str], windows: tuple[Window, ...], *, sensitive: Collection[str] = ()) -> Layout | None:
    """The layout of a file that begins with these lines; None where none of them bears a time that is known.

    Keys named `sensitive` are not read.
    """
    sample = [line for line in lines if line.strip()][:SAMPLED_LINES]
    for kind, parse in (("JSON lines", _json), ("key=value", _pairs)):
        parsed = [fields for line in sample if (fields := parse(line)) is not None]
        if 2 * len(parsed) > len(sample):
            return _keyed(kind, parse, parsed, windows, sensitive)
    return _text(sample, windows)


_object_at = json.JSONDecoder().raw_decode


def _json(line: str) -> dict[str, Any] | None:
    """The object of a line, None where it is none."""
    text = line if line.startswith("{") else line.strip()
    if not text.startswith("{"):
        return None
    try:
        found, end = _object_at(text)
    except (ValueError, RecursionError):
        return None
    return found if end == len(text) or text[end:].isspace() else None


_PAIR = re.compile(r'([A-Za-z_@][\w.@-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')


def _pairs(line: str) -> dict[str, Any] | None:
    """The pairs of a line that begins with three or more, None where it doesn't."""
    if "=" not in line[:40]:
        return None
    found: dict[str, Any] = {}
    end = len(line) - len(line.lstrip())
    for pair in _PAIR.finditer(line):
        if pair.start() > end + 1:
            break
        key, value = pair.groups()
        found.setdefault(key, re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value)
        end = pair.end()
    return found if len(found) >= 3 else None


def _keyed(
    kind: str,
    parse: Callable[[str], dict[str, Any] | None],
    parsed: Sequence[Mapping[str, Any]],
    windows: tuple[Window, ...],
    sensitive: Collection[str],
) -> Layout | None:
    """The layout of lines of keys and values; None where none of the parsed ones bears a time."""
    reader = _time_reader(parsed, windows)
    if reader is None:
        return None
    key, name, has_offset, seconds = reader
    passed_over = {key, *sensitive}

    def moment(line: str) -> tuple[int, Any] | None:
        fields = parse(line)
        when = None if fields is None else seconds(fields.get(key))
        return None if when is None else (when, fields)

    return Layout(
        kind,
        f"{name} in {key!r}",
        has_offset,
        moment,
        _content_of(passed_over),
        lambda line: parse(line) is not None,
    )


TimeReader = tuple[str, str, bool, Callable[[Any], int | None]]
"""Key, name of the clock, whether it has offsets, and what gives the seconds of a value."""


def _time_reader(parsed: Sequence[Mapping[str, Any]], windows: tuple[Window, ...]) -> TimeReader | None:
    """The key and clock that read most of the parsed lines' times."""
    found: list[tuple[int, TimeReader]] = []
    for key in TIME_KEYS:
        values = [fields[key] for fields in parsed if key in fields]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if numbers:
            found.append((sum(epoch_seconds(value) is not None for value in numbers), (key, "epoch", True, _of_number)))
        texts = [value for value in values if isinstance(value, str)]
        for clock in CLOCKS if texts else ():
            pattern = re.compile(rf"\s*{clock.pattern}")
            has_offset = any(_offset(match) for text in texts if (match := pattern.match(text)))
            read = _of_text(pattern, clock, windows)
            known = sum(read(text) is not None for text in texts)
            found.append((known, (key, clock.name, has_offset or clock.fields is None, read)))
    best = max(found, key=lambda one: one[0], default=None)
    return best[1] if best and best[0] else None


def _of_number(value: Any) -> int | None:
    return epoch_seconds(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _of_text(pattern: re.Pattern[str], clock: Clock, windows: tuple[Window, ...]) -> Callable[[Any], int | None]:
    seconds = seconds_of(clock, windows)
    has_offset = "offset" in pattern.groupindex

    def read(value: Any) -> int | None:
        match = pattern.match(value) if isinstance(value, str) else None
        return seconds(match["when"], (match["offset"] or "") if has_offset else "") if match else None

    return read


def _offset(match: re.Match[str]) -> str:
    return (match["offset"] or "") if "offset" in match.re.groupindex else ""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which of an object's keys hold level, message, failures and scope; `rest` stands in for a message."""

    level: str | None
    message: str | None
    failures: tuple[str, ...]
    scope: tuple[tuple[str, str], ...]
    rest: tuple[str, ...]


def _plan(keys: Collection[str], passed_over: Collection[str]) -> _Plan:
    left = [key for key in keys if key not in passed_over]
    known = {*LEVEL_KEYS, *MESSAGE_KEYS, *FAILURE_KEYS, *SCOPE_KEYS}
    return _Plan(
        next((key for key in LEVEL_KEYS if key in left), None),
        next((key for key in MESSAGE_KEYS if key in left), None),
        tuple(key for key in FAILURE_KEYS if key in left),
        tuple((SCOPE_KEYS[key], key) for key in left if key in SCOPE_KEYS),
        tuple(key for key in left if key not in known),
    )


def _content_of(passed_over: Collection[str]) -> Callable[[Mapping[str, Any]], Content]:
    """What reads what an object says; objects with the same keys are read by one plan."""
    plans: dict[tuple[str, ...], _Plan] = {}

    def content(fields: Mapping[str, Any]) -> Content:
        keys = tuple(fields)
        plan = plans.get(keys)
        if plan is None:
            if len(plans) >= MOST_PLANS:
                plans.clear()
            plan = plans[keys] = _plan(keys, passed_over)
        level = "" if plan.level is None else level_of(fields[plan.level])
        scope = tuple([(noun, _short(fields[key])) for noun, key in plan.scope])
        message = fields[plan.message] if plan.message is not None else None
        if not isinstance(message, str):
            message = " ".join(
                f"{key}={fields[key]}" for key in plan.rest if isinstance(fields[key], str | int | float)
            )
        else:
            message = message.strip()
        if not level:
            level = _nested_level(fields) or without_header(message[:200])[0]
        if plan.failures:
            message = with_failure(message, _last_failure(fields[key] for key in plan.failures))
        return level, message, scope

    return content


def _short(value: Any) -> str:
    return value if type(value) is str and len(value) <= LONGEST_SCOPE else str(value)[:LONGEST_SCOPE]


def _nested_level(fields: Mapping[str, Any]) -> str:
    log = fields.get("log")
    return level_of(log.get("level")) if isinstance(log, Mapping) else ""


def _last_failure(values: Iterable[Any]) -> str:
    traces = (value for value in values if isinstance(value, str))
    failures = [failure for trace in traces for line in trace.splitlines() if (failure := failure_in(line))]
    return failures[-1] if failures else ""


def _text(sample: Sequence[str], windows: tuple[Window, ...]) -> Layout | None:
    """The layout of text, its lines' times written by the clock that reads most of them, after as many words."""
    best: tuple[int, int, int, Clock] | None = None
    for place, clock in enumerate(CLOCKS):
        words = Counter(_leading_words(clock, sample, windows))
        if words:
            lead, count = max(words.items(), key=lambda one: (one[1], -one[0]))
            best = max(filter(None, (best, (count, -lead, -place, clock))), key=lambda one: one[:3])
    if best is None:
        return None
    clock, lead = best[3], -best[1]
    pattern = _line_pattern(clock, lead)
    seconds = seconds_of(clock, windows)
    match, has_letter = pattern.match, "letter" in pattern.groupindex
    has_offset = "offset" in pattern.groupindex

    def moment(line: str) -> tuple[int, Any] | None:
        found = match(line)
        if found is None:
            return None
        when = seconds(found["when"], (found["offset"] or "") if has_offset else "")
        return None if when is None else (when, found)

    def content(found: re.Match[str]) -> Content:
        level, name, message = without_header(found.string[found.end() :])
        level = level or (level_of_letter(found["letter"]) if has_letter else level_of(found.string.split(None, 1)[0]))
        return level, message, (("logger", name),) if name else ()

    offsets = any(_offset(found) for line in sample if (found := match(line)))
    return Layout("text", clock.name, offsets or clock.fields is None, moment, content, lambda _: True, continues=True)


def _line_pattern(clock: Clock, lead: int) -> re.Pattern[str]:
    """What begins a line: so many words, signs, and a time."""
    return re.compile(rf"(?:\S+\s+){{{lead}}}(?:<\d{{1,3}}>\d?\s*)?[^\w\s]{{0,3}}{clock.pattern}")


def _leading_words(clock: Clock, sample: Iterable[str], windows: tuple[Window, ...]) -> Iterator[int]:
    """For each line of the sample that bears a time of the clock, how many words stand before it."""
    patterns = [_line_pattern(clock, lead) for lead in range(MOST_LEADING_WORDS + 1 if clock.fields else 1)]
    seconds = seconds_of(clock, windows)
    for line in sample:
        for lead, pattern in enumerate(patterns):
            found = pattern.match(line[:400])
            if found and seconds(found["when"], _offset(found)) is not None:
                yield lead
                break


_FAILURE = re.compile(r"(?:Caused by: )?[\w.$]*(?:Error|Exception|Warning|Exit|Interrupt|Fault|Panic)\b")
_PASSED_OVER = ("Traceback (most recent", "During handling of", "The above exception")


def is_continuation(line: str, *, after_failure: bool) -> bool:
    """Whether a line without a time belongs to the one before: it is indented, blank, or part of a traceback."""
    return (
        line[:1] in ("", " ", "\t", "}", ")", "]")
        or line.startswith((*_PASSED_OVER, "Caused by:", "at ", "..."))
        or after_failure
        or _FAILURE.match(line) is not None
    )


def failure_in(line: str) -> str:
    """The failure that a line after an entry's first tells, as Python and Java write it; nothing where it tells none.

    >>> (
    ...     failure_in("KeyError: 'dep_delay'"),
    ...     failure_in("  File x, line 3"),
    ...     failure_in("Traceback (most recent call last):"),
    ... )
    ("KeyError: 'dep_delay'", '', '')
    """
    return line.strip() if _FAILURE.match(line) else ""


def with_failure(message: str, failure: str) -> str:
    """A message with the failure that the lines after it tell, unless it tells it itself.

    >>> with_failure("request failed", "KeyError: 'dep_delay'"), with_failure("no luck", "")
    ("request failed | KeyError: 'dep_delay'", 'no luck')
    """
    return f"{message}{FAILURE}{failure}" if failure and failure not in message else message
