"""The values of a configuration file by key path: YAML, JSON, TOML, INI, .env, .properties; nothing in it is run."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mortis.problems import InputProblem, listed

if TYPE_CHECKING:
    import yaml

Kind = Literal["text", "whole number", "number", "truth", "nothing", "time", "list", "mapping"]
KeyPath = tuple[str | int, ...]
MOST_VALUES = 20_000
MOST_DEPTH = 50
MOST_VISITS = 10 * MOST_VALUES


@dataclass(frozen=True, slots=True)
class Value:
    """A value as the file states it. A list or a mapping is one only where it is empty."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        """The value with quotes where a text would pass for something else.

        >>> print(Value("text", "5"), Value("whole number", "5"), Value("text", "five"))
        "5" 5 five
        """
        if self.kind != "text":
            return self.text
        return json.dumps(self.text) if not self.text.strip() or _plain(self.text).kind != "text" else self.text


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of a file; `typed` tells that its format knows numbers from texts, `twice` which keys it repeats."""

    values: Mapping[KeyPath, Value]
    typed: bool
    twice: tuple[str, ...] = ()


Twice = Callable[[str], None]
"""What is told of a key that stands twice in one place; the last one counts."""
Format = tuple[Callable[[str, Twice], Iterator[tuple[KeyPath, Value]]], bool]


class _Unreadable(Exception):
    """Why a text isn't of its format."""


def read_settings(name: str, text: str, key: str) -> Settings:
    """The values in the text of a configuration file, by the suffix of its name.

    Raises InputProblem where the suffix is unknown, or the text isn't what it says or holds more than can be compared.
    """
    known = next((suffix for suffix in FORMATS if _is_of(Path(name).name, suffix)), None)
    if known is None:
        kind = Path(name).suffix or "(no suffix)"
        raise InputProblem(f"{key}: {name}: unknown kind of configuration {kind!r}; known: {listed(FORMATS)}")
    read, typed = FORMATS[known]
    twice: dict[str, None] = {}
    try:
        values = dict(islice(read(text, lambda told: twice.update({told: None})), MOST_VALUES + 1))
    except _Unreadable as why:
        raise InputProblem(f"{key}: {name}: {' '.join(str(why).split())}; mend that file") from None
    except RecursionError:
        raise InputProblem(f"{key}: {name}: it is nested too deeply to be compared") from None
    if len(values) > MOST_VALUES:
        raise InputProblem(f"{key}: {name}: it holds more than {MOST_VALUES:,} values; hand over the part that matters")
    return Settings(values, typed, tuple(twice))


def _is_of(name: str, suffix: str) -> bool:
    name = name.lower()
    return name.endswith(suffix) or (suffix == ".env" and name.startswith(".env"))


def dotted(path: KeyPath) -> str:
    """A key path as text: dots between keys, places of lists in brackets, quotes around a key that holds such signs.

    >>> dotted(("model", "thresholds", 0, "v1.2"))
    'model.thresholds[0]."v1.2"'
    """
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            shown += ("." if shown else "") + (json.dumps(step) if re.search(r'[.\[\]"\s]|^$', step) else step)
    return shown or "(the whole)"


def _leaves(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Value]]:
    """The values of nested mappings and lists."""
    if len(path) > MOST_DEPTH:
        raise _Unreadable(f"it is nested deeper than {MOST_DEPTH} levels")
    if isinstance(data, dict) and data:
        for key, inner in data.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(data, list) and data:
        for i, inner in enumerate(data):
            yield from _leaves(inner, (*path, i))
    else:
        yield path, _value(data)


def _value(data: Any) -> Value:
    """The value of what a parser made of it."""
    if isinstance(data, Value):
        return data
    kinds: tuple[tuple[Any, Kind], ...] = (
        (bool, "truth"),
        (int, "whole number"),
        (float, "number"),
        (str, "text"),
        (dict, "mapping"),
        (list, "list"),
    )
    kind = next((kind for type_, kind in kinds if isinstance(data, type_)), "nothing" if data is None else "time")
    if kind in ("truth", "nothing", "mapping", "list"):
        return Value(kind, json.dumps(data))
    return Value(kind, str(data))


def _plain(text: str) -> Value:
    """What an unquoted text means in YAML."""
    import yaml

    resolver: Any = _resolver()
    return _scalar(yaml.ScalarNode(resolver.resolve(yaml.ScalarNode, text, (True, False)), text))


@cache
def _resolver() -> yaml.SafeLoader:
    """What tells the kinds of scalars, and constructs them; it holds no text."""
    import yaml

    return yaml.SafeLoader("")


_TAGS: Mapping[str, Kind] = {
    "int": "whole number",
    "float": "number",
    "bool": "truth",
    "null": "nothing",
    "timestamp": "time",
    "binary": "text",
}


def _scalar(node: yaml.ScalarNode) -> Value:
    """A scalar's value; numbers, truths and nothing are made alike however they are written."""
    import yaml

    kind = _TAGS.get(node.tag.removeprefix("tag:yaml.org,2002:"), "text")
    if kind in ("text", "time"):
        return Value(kind, node.value)
    try:
        return _value(_resolver().construct_object(node))
    except (ValueError, yaml.YAMLError):
        return Value("text", node.value)


def _yaml(text: str, twice: Twice) -> Iterator[tuple[KeyPath, Value]]:
    import yaml

    # The parser in C is many times faster. It has no guard against deep nesting, so that is looked for first.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(yaml.parse(text, Loader=loader))
        documents = list(yaml.compose_all(text, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise _Unreadable(f"{where}not YAML: {getattr(error, 'problem', None) or error}") from None
    visits = count()
    for i, node in enumerate(documents):
        yield from _yaml_leaves(node, (i,) if len(documents) > 1 else (), visits, twice)


def _check_depth(events: Iterable[yaml.Event]) -> None:
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise _Unreadable(f"it is nested deeper than {MOST_DEPTH} levels")


def _yaml_leaves(
    node: yaml.Node, path: KeyPath, visits: Iterator[int], twice: Twice
) -> Iterator[tuple[KeyPath, Value]]:
    """The values under a node. Nothing is constructed but plain scalars, so a tag that names a type makes none.

    `visits` counts what is walked: aliases of aliases multiply without end.
    """
    import yaml

    if len(path) > MOST_DEPTH or next(visits) > MOST_VISITS:
        raise _Unreadable(f"it is nested deeper than {MOST_DEPTH} levels, or its aliases multiply beyond measure")
    if isinstance(node, yaml.MappingNode) and node.value:
        for name, inner in _entries(node, visits, twice).items():
            yield from _yaml_leaves(inner, (*path, name), visits, twice)
    elif isinstance(node, yaml.SequenceNode) and node.value:
        for i, inner in enumerate(node.value):
            yield from _yaml_leaves(inner, (*path, i), visits, twice)
    elif isinstance(node, yaml.ScalarNode):
        yield path, _scalar(node)
    else:
        yield path, Value("list", "[]") if isinstance(node, yaml.SequenceNode) else Value("mapping", "{}")


def _entries(mapping: yaml.Node, visits: Iterator[int], twice: Twice) -> dict[str, yaml.Node]:
    """A mapping's entries by key, over those that it merges in (`<<`); of a key that stands twice, the last."""
    import yaml

    if not isinstance(mapping, yaml.MappingNode) or next(visits) > MOST_VISITS:
        return {}
    merged: dict[str, yaml.Node] = {}
    own: dict[str, yaml.Node] = {}
    for key, value in mapping.value:
        if key.tag == "tag:yaml.org,2002:merge":
            for one in reversed(value.value if isinstance(value, yaml.SequenceNode) else [value]):
                merged |= _entries(one, visits, twice)
        else:
            name = key.value if isinstance(key, yaml.ScalarNode) else "(a key that is no text)"
            if name in own:
                twice(f"{name} (line {key.start_mark.line + 1})")
            own[name] = value
    return merged | own


def _whole_number(digits: str) -> Value:
    return Value("whole number", digits)


def _json(text: str, twice: Twice) -> Iterator[tuple[KeyPath, Value]]:
    def as_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            for key, times in Counter(key for key, _ in pairs).items():
                if times > 1:
                    twice(key)
        return found

    try:
        # A number with a hundred thousand digits is kept as it is written, and not computed.
        data = json.loads(text, parse_int=_whole_number, object_pairs_hook=as_mapping)
    except ValueError as error:
        raise _Unreadable(f"not JSON: {error}") from None
    yield from _leaves(data)


def _toml(text: str, _: Twice) -> Iterator[tuple[KeyPath, Value]]:
    import tomllib

    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise _Unreadable(f"not TOML: {error}") from None
    yield from _leaves(data)


def _ini(text: str, twice: Twice) -> Iterator[tuple[KeyPath, Value]]:
    import configparser

    def parsed(*, strict: bool) -> configparser.RawConfigParser:
        parser = configparser.RawConfigParser(strict=strict, allow_no_value=True, default_section="\0")
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
        parser.read_string(text)
        return parser

    try:
        try:
            parser = parsed(strict=True)
        except (configparser.DuplicateOptionError, configparser.DuplicateSectionError) as error:
            parser = parsed(strict=False)
            key = getattr(error, "option", "")
            where = f"{error.section}.{key}" if key else f"[{error.section}]"
            twice(f"{where} (line {error.lineno}, and maybe more)")
    except configparser.Error as error:
        raise _Unreadable(f"not INI: {error}") from None
    for section in parser.sections():
        for key, value in parser.items(section):
            yield (section, key), Value("text", value or "")


_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([^\s=:]+)(?:\s*[=:]\s*|\s+|$)(.*)")


def _lines(text: str, twice: Twice) -> Iterator[tuple[KeyPath, Value]]:
    """KEY=VALUE by line, as in .env and .properties; a line that ends in a backslash goes on in the next."""
    seen: set[str] = set()
    for line in re.sub(r"\\\n[ \t]*", "", text.replace("\r\n", "\n")).split("\n"):
        found = _ASSIGNMENT.fullmatch(line)
        if found and not line.lstrip().startswith(("#", "!")):
            if found[1] in seen:
                twice(found[1])
            seen.add(found[1])
            quoted = re.match(r"""(['"])(.*)\1(?:\s+\#.*)?$""", found[2])
            yield (found[1],), Value("text", quoted[2] if quoted else found[2].strip())


FORMATS: Mapping[str, Format] = {
    ".yaml": (_yaml, True),
    ".yml": (_yaml, True),
    ".json": (_json, True),
    ".toml": (_toml, True),
    ".ini": (_ini, False),
    ".cfg": (_ini, False),
    ".conf": (_ini, False),
    ".properties": (_lines, False),
    ".env": (_lines, False),
}
"""Formats by suffix, each with whether it knows numbers from texts. A new one is a function and a line here."""
