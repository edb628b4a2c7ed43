"""The case file's text: YAML as data, with the line on which each key stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mortis.problems import InputProblem, near

Lines = dict[tuple[Any, ...], int]


def read_case_file(file: Path) -> tuple[Mapping[str, Any], Lines]:
    """The mapping in a case file, and the line (from 1) on which each key path stands.

    Raises InputProblem, in one line, where the file is missing, is not YAML, or holds no mapping.
    """
    if not file.exists():
        beside = [one.name for one in file.parent.iterdir()] if file.parent.is_dir() else []
        meant = near(file.name, beside)
        raise InputProblem(f"{file}: no such case file{meant}; `mortis init TABLE -o {file}` writes one")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputProblem(f"{file}: not a case file: it is not UTF-8 text; hand over an incident.yaml") from None
    try:
        data, lines = load_yaml(text)
    except InputProblem as problem:
        raise InputProblem(f"{file} {problem}") from None
    except yaml.YAMLError as error:
        raise InputProblem(_not_yaml(file, error)) from None
    except RecursionError:
        raise InputProblem(f"{file}: not a case: it is nested too deeply") from None
    if not isinstance(data, dict):
        raise InputProblem(f"{file}: not a case: it must hold keys such as `predictions:`; see `mortis schema case`")
    return data, lines


def _not_yaml(file: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"{file} line {mark.line + 1}" if mark else str(file)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    return f"{where}: not YAML: {f'{context}, ' if context else ''}{problem}"


class _Loader(yaml.SafeLoader):
    """YAML whose dates stay text, so that a wrong one is reported with its key and an offset isn't lost.

    `yes`, `no`, `on` and `off` stay text too: a label of that name is no truth value.
    """


_TRUTH = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, _TRUTH if tag == "tag:yaml.org,2002:bool" else pattern)
        for tag, pattern in resolvers
        if tag != "tag:yaml.org,2002:timestamp"
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(text: str) -> tuple[Any, Lines]:
    """The data of a YAML text, and the line (from 1) on which each key path stands.

    Raises InputProblem where a key stands twice in one place, or is no plain text; yaml.YAMLError where it is not YAML.

    >>> load_yaml("model: {positive: yes}")
    ({'model': {'positive': 'yes'}}, {('model',): 1, ('model', 'positive'): 1})
    """
    node = yaml.compose(text, Loader=_Loader)
    lines: Lines = {}
    for path, line in _key_lines(node, (), set()) if node else ():
        if path in lines:
            raise InputProblem(f"line {line}: key {path[-1]!r} stands twice (first in line {lines[path]}); keep one")
        lines[path] = line
    return yaml.load(text, Loader=_Loader), lines  # noqa: S506  a SafeLoader without timestamps


def _key_lines(node: yaml.Node, path: tuple[Any, ...], seen: set[int]) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Each key's path and line; what an alias repeats is walked once, as aliases of aliases multiply without end."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputProblem(f"line {line}: a key must be plain text, not a list or a mapping")
            inner = (*path, key.value)
            yield inner, line
            yield from _key_lines(value, inner, seen)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield (*path, i), value.start_mark.line + 1
            yield from _key_lines(value, (*path, i), seen)
