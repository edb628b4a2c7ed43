"""A file of dependencies as text, and as data where it is TOML, JSON or YAML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mortis.problems import InputProblem
from mortis.sources.changes.before_after import read_text

Form = Literal["toml", "json", "yaml", "text"]
MOST_YAML_BYTES = 256 << 10  # seconds of work, and a hundred times what an environment.yml holds
_FORMS: dict[str, Form] = {".toml": "toml", ".json": "json", ".yml": "yaml", ".yaml": "yaml", ".txt": "text"}
_NAMED: dict[str, Form] = {"uv.lock": "toml", "poetry.lock": "toml", "Pipfile.lock": "json"}


@dataclass(frozen=True, slots=True)
class Document:
    """A file: its name as stated, the folder that the name starts from, its text, and its data (None for text).

    `lines` tells in which line of YAML each path of keys stands.
    """

    name: str
    root: Path
    key: str
    text: str
    form: Form
    data: Any = None
    lines: Mapping[tuple[Any, ...], int] = field(default_factory=dict)

    @property
    def entries(self) -> dict[str, Any]:
        """The data's keys; none where it is no mapping."""
        return self.data if isinstance(self.data, dict) else {}

    def line_of(self, needle: str) -> str:
        """Where a text first stands, as messages say it; nothing where it doesn't."""
        found = (number for number, line in enumerate(self.text.splitlines(), 1) if needle in line)
        number = next(found, None)
        return "" if number is None else f" line {number}"


def open_document(name: str, *, root: Path, key: str) -> Document:
    """The document in a file, by what it is called and, where that doesn't say it, by how its text begins.

    Raises InputProblem where there is no such file, or it isn't what its name or its beginning says.
    """
    text = read_text(name, root=root, key=key)
    form = _form(Path(name), text)
    return Document(name, root, key, text, form, *_data(text, form, f"{key}: {name}"))


def _form(file: Path, text: str) -> Form:
    said = _NAMED.get(file.name) or _FORMS.get(file.suffix.lower())
    return said if said and said != "text" else _form_of(text)


def _form_of(text: str) -> Form:
    r"""The form of a text by how it begins.

    >>> [_form_of(text) for text in ('{"a": 1}', "[[package]]", "name: a\ndependencies:\n- b", "numpy==1.26.4")]
    ['json', 'toml', 'yaml', 'text']
    """
    if re.match(r"\s*(\{|\[\s*(\{|\]))", text):
        return "json"
    skipped = r"\A(?:[ \t]*(?:#[^\n]*)?\n)*"  # comments and blank lines
    if re.match(skipped + r"""(\[\[?["\w.-]+\]\]?\s*$|["\w-]+ = )""", text, re.MULTILINE):
        return "toml"
    return "yaml" if re.search(r"^dependencies:\s*$", text, re.MULTILINE) else "text"


def _data(text: str, form: Form, where: str) -> tuple[Any, Mapping[tuple[Any, ...], int]]:
    try:
        if form == "json":
            return json.loads(text), {}
        if form == "toml":
            return tomllib.loads(text), {}
        return _yaml(text, where) if form == "yaml" else (None, {})
    except json.JSONDecodeError as error:
        raise InputProblem(f"{where} line {error.lineno}: not JSON: {error.msg}; hand over the whole file") from None
    except tomllib.TOMLDecodeError as error:
        reason, _, at = str(error).removesuffix(")").partition(" (at ")
        raise InputProblem(
            f"{where}: not TOML: {reason}{f' at {at}' if at else ''}; hand over the whole file"
        ) from None
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        raise InputProblem(f"{where}: no tool writes such data; hand over a file that one wrote") from None


def _yaml(text: str, where: str) -> tuple[Any, Mapping[tuple[Any, ...], int]]:
    import yaml

    from mortis.case.reading import load_yaml

    if len(text) > MOST_YAML_BYTES:
        raise InputProblem(f"{where} is larger than {MOST_YAML_BYTES >> 10} KiB; hand over what `conda list` prints")
    try:
        return load_yaml(text)
    except InputProblem as problem:
        raise InputProblem(f"{where} {problem}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputProblem(f"{where}{f' line {mark.line + 1}' if mark else ''}: not YAML: {said}") from None
