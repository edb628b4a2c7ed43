"""Step 6: the post-mortem as a document. Drawing only: whatever is shown was computed before."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from mortis.document.as_json import as_data, as_json, postmortem_schema
from mortis.document.html import as_html, notebook_frame
from mortis.document.markdown import as_markdown
from mortis.problems import InputProblem, listed
from mortis.records import Postmortem

__all__ = [
    "FORMATS",
    "Renderer",
    "as_data",
    "as_html",
    "as_json",
    "as_markdown",
    "formats",
    "notebook_frame",
    "postmortem_schema",
    "render",
]

Renderer = Callable[[Postmortem], str]

# File extension -> renderer; third parties add theirs by the entry point group `mortis.formats`.
FORMATS: dict[str, Renderer] = {"html": as_html, "md": as_markdown, "json": as_json}


def formats() -> tuple[str, ...]:
    """The names of all formats, built-in ones first.

    >>> formats()[:3]
    ('html', 'md', 'json')
    """
    return tuple(dict.fromkeys([*FORMATS, *sorted(entry_points(group="mortis.formats").names)]))


def render(postmortem: Postmortem, name: str) -> str:
    """The post-mortem in the format of that name.

    Raises InputProblem where there is none.
    """
    if name in FORMATS:
        return FORMATS[name](postmortem)
    found = entry_points(group="mortis.formats", name=name)
    if not found:
        raise InputProblem(f"--format {name}: no such format; there are {listed(formats())}")
    renderer: Renderer = next(iter(found)).load()
    return renderer(postmortem)
