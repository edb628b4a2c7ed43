"""The parts of the documentation that the code writes: `python tests/generate_docs.py` renews them.

Each stands in its page between two comments, `<!-- begin NAME -->` and `<!-- end NAME -->`. With `--demo` the demo is
run too, for the README's transcript and, where a browser is installed, for the pictures of its report.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROBLEMS = {"InputProblem", "WorkProblem", "DemoFolderTaken"}
SHORTEST_MESSAGE = 12  # a shorter one only passes another's words on


def commands() -> dict[str, Any]:
    """Every command of the program by name, those of a group by both names, as Click knows them."""
    from typer.main import get_command

    from mortis.cli import app

    return dict(_within(get_command(app)))


def _within(group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", one) for inner, one in _within(command))
        else:
            yield name, command


def cli_reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    parts = []
    for name, command in commands().items():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        usage = " ".join(["mortis", name, *(_argument(p) for p in arguments), *(["[OPTIONS]"] if options else [])])
        rows = [(f"`{_argument(p)}`", p.help or _arguments_meaning(p), "–") for p in arguments]
        rows += [(f"`{_option(p)}`", p.help, _default(p)) for p in options]
        table = _table(("argument or option", "says", "default"), rows)
        parts.append(f"## `mortis {name}`\n\n{inspect.cleandoc(command.help)}\n\n```text\n{usage}\n```\n\n{table}")
    return "\n\n".join(parts)


def _argument(parameter: Any) -> str:
    shown: str = parameter.metavar or parameter.name.upper()
    return shown if parameter.required or shown.startswith("[") else f"[{shown}]"


def _arguments_meaning(parameter: Any) -> str:
    return "One of these words." if "|" in str(parameter.metavar) else ""


def _option(parameter: Any) -> str:
    names = " / ".join((", ".join(parameter.opts), *parameter.secondary_opts))
    if parameter.is_flag:
        return names
    return f"{names} {parameter.metavar or parameter.name.upper()}"


def _default(parameter: Any) -> str:
    if parameter.default is None or parameter.default is False:
        return "–"
    if parameter.default is True:
        return f"`{parameter.opts[0]}`"
    return f"`{parameter.default}`"


def metrics_tables() -> str:
    """Every metric by task, as Markdown; those of operation, which every task has, once."""
    from mortis.clarify.metrics import METRICS

    shared = METRICS["operational"]
    parts = []
    for task, makers in METRICS.items():
        own = makers if task == "operational" else {name: make for name, make in makers.items() if name not in shared}
        title = "Of operation, for every task" if task == "operational" else f"Task `{task}`"
        columns = ("metric", "is", "counts as an error", "better")
        rows = [_metric_row(name, task) for name in own]
        parts.append(f"## {title}\n\n{_table(columns, rows)}")
    return "\n\n".join(parts)


def _metric_row(name: str, task: Any) -> tuple[str, ...]:
    from mortis.clarify.metrics import DEFAULTS, metric_for

    number = {"@": "10", "p": "95"}[name[-1]] if name.endswith(("@", "_p")) else ""
    metric = metric_for(name + number, task)
    shown = f"`{name}{'K' if name.endswith('@') else 'Q'}`" if number else f"`{name}`"
    usual = DEFAULTS[task] == name + number or f"{DEFAULTS[task]}@" == name
    definition = re.sub(r"\b(10|95)(?= (places|%))", "K" if name.endswith("@") else "Q", metric.definition)
    definition = re.sub(r"in the first 10$", "in the first K", definition) if number else metric.definition
    better = "either way" if metric.two_sided else {"up": "higher", "down": "lower"}[metric.better]
    return (f"{shown}, the usual one" if usual else shown, definition, metric.error_means, better)


def lab_kinds() -> str:
    """Every kind of incident and every base that the lab knows, as Markdown."""
    from mortis.lab.bases import BASES
    from mortis.lab.kinds import KINDS
    from mortis.lab.plots import PLOTS

    traces = {name: kind.traces for name, kind in KINDS.items()}
    kinds = [(f"`{one.name}`", one.meaning, traces.get(one.name, "–")) for one in PLOTS.values()]
    bases = [(f"`{one.name}`", one.meaning, f"`{one.metric}`") for one in BASES.values()]
    tables = (_table(("kind", "what goes wrong", "traces"), kinds), _table(("base", "service", "metric"), bases))
    return "\n\n".join(tables)


def causes_catalogue() -> str:
    """Every cause of the catalogue: what it predicts, its test and what that needs, what to do, the guard."""
    from mortis.causes.catalogue import catalogue
    from mortis.causes.weighing import DECIDERS, WORLD_DECIDERS

    executed = {id_ for _, ids in (*DECIDERS, *(one for tier in WORLD_DECIDERS for one in tier)) for id_ in ids}
    parts = []
    for one in catalogue().values():
        how = (
            "Its test is executed."
            if one.id in executed
            else "Its test is not executed yet: it is listed as not tested."
        )
        actions = "".join(f"\n- Action ({kind}): {title}. Done when {done}." for kind, title, done in one.actions)
        actions += "".join(
            f"\n- Action after a failure of operation ({kind}): {title}. Done when {done}."
            for kind, title, done in one.operational
        )
        parts.append(
            f"## {one.id}: {one.name}\n\n- Predicts: {one.predicts}.\n- Test: {one.test}. {how}\n"
            f"- Needs: {one.needs}.{actions}\n- Guard: {one.guard}."
        )
    return "\n\n".join(parts)


def messages() -> str:
    """Every message that a mistake in the input or a failing source can bring, by module, as Markdown."""
    parts = []
    for file in sorted((ROOT / "src" / "mortis").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found = dict.fromkeys(_stated(tree, validates=module.startswith("mortis.case")))
        if found:
            parts.append(f"`{module}`\n\n" + "\n".join(f"- {_code(text)}" for text in found))
    return "\n\n".join(parts)


def _stated(tree: ast.Module, *, validates: bool) -> Iterator[str]:
    """The messages of the problems made, … for what is filled in; where a case is validated, of ValueErrors too."""
    known = PROBLEMS | ({"ValueError"} if validates else set())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            made_by_itself = node.func.id == "cls" and isinstance(node.args[0], ast.JoinedStr)
            text = _text(node.args[0]) if node.func.id in known or made_by_itself else ""
            if len(text.strip("…: ")) >= SHORTEST_MESSAGE:
                yield re.sub("…+", "…", text.replace("\n", " "))


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    quoted = isinstance(node, ast.FormattedValue) and node.conversion == ord("r")
    return "'…'" if quoted else "…"


def _code(text: str) -> str:
    """A text that may hold backticks, as code."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "commands": ("docs/cli.md", cli_reference),
    "kinds": ("docs/lab.md", lab_kinds),
    "metrics": ("docs/metrics.md", metrics_tables),
    "messages": ("docs/errors.md", messages),
    "causes": ("docs/causes.md", causes_catalogue),
}


def renewed(name: str) -> tuple[Path, str, str]:
    """A part's page, its text as it is, and as it should be."""
    place, make = PARTS[name]
    page = ROOT / place
    text = page.read_text(encoding="utf-8")
    return page, text, _with_part(text, name, make())


def _with_part(text: str, name: str, part: str) -> str:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{part}\n\n{end}{rest.split(end)[1]}"


def renew_demo() -> None:
    """Write the README's transcript and the pictures of the report anew."""
    from chromium import Browser, chromium

    with TemporaryDirectory() as folder:
        program = Path(sys.executable).with_name("mortis")
        shown = subprocess.run([program, "demo"], cwd=folder, capture_output=True, text=True, check=True).stdout
        page = ROOT / "README.md"
        block = f"```console\n$ mortis demo\n{shown.strip()}\n```"
        page.write_text(_with_part(page.read_text(encoding="utf-8"), "transcript", block), encoding="utf-8")
        browser = chromium()
        if browser is None:
            return
        with Browser(browser, Path(folder) / "profile") as window:
            for name, dark in (("report.png", False), ("report-dark.png", True)):
                window.open(Path(folder) / "mortis-demo/report/postmortem.html", width=1280, height=1240, dark=dark)
                window.picture(ROOT / "docs" / "images" / name, whole=False)


if __name__ == "__main__":
    for part in PARTS:
        page, _, new = renewed(part)
        page.write_text(new, encoding="utf-8")
    if "--demo" in sys.argv:
        renew_demo()
