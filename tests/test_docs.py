"""The documentation keeps up with the code: everything is documented, what it shows runs, its links lead somewhere."""

from __future__ import annotations

import ast
import copy
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generate_docs import (  # type: ignore[import-not-found]  # pytest finds it beside this file
    PARTS,
    ROOT,
    commands,
    renewed,
)

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RENEW = "renew it with: python tests/generate_docs.py"


def text_of(place: str) -> str:
    text: str = (ROOT / place).read_text(encoding="utf-8")
    return text


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language, their indentation taken off."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def keys_of(schema: dict[str, Any], node: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every key of a JSON Schema, a dot leading into objects and into the entries of lists."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    choices = (*node.get("anyOf", ()), *node.get("oneOf", ()))
    for inner in (*choices, *([node["items"]] if "items" in node else ())):
        yield from keys_of(schema, inner, path)
    for key, value in node.get("properties", {}).items():
        at = f"{path}.{key}" if path else key
        yield at
        yield from keys_of(schema, value, at)


def in_tables(place: str) -> set[str]:
    """The names in code that stand in a page's tables."""
    rows = re.findall(r"^\|.*$", text_of(place), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize("name", PARTS)
def test_what_the_code_writes_is_current(name: str) -> None:
    """Commands with their options, metrics with their definitions, and messages are those of the code."""
    page, is_, should_be = renewed(name)
    assert is_ == should_be, f"{page.relative_to(ROOT)} is behind the code; {RENEW}"


def test_every_key_of_a_case_is_documented() -> None:
    """No key of the case file is undocumented, and none is documented that doesn't exist."""
    from mortis.case import Case

    schema = Case.schema_json()
    known = set(keys_of(schema, schema))
    documented = in_tables("docs/case-file.md")
    assert known - documented == set()
    dotted = {name for name in documented if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name)}
    assert dotted - known == set()


def test_every_key_of_a_postmortem_is_documented() -> None:
    """No key of postmortem.json is undocumented (those of intervals once for all), and none is that doesn't exist."""
    from mortis.document import postmortem_schema

    schema = postmortem_schema()
    known = set(keys_of(schema, schema))
    intervals = {key for key in known if {f"{key}.low", f"{key}.high", f"{key}.value"} <= known}
    parts = {f"{key}.{part}" for key in intervals for part in ("value", "low", "high", "n")}
    documented = in_tables("docs/document.md")
    assert known - parts - documented == set()
    first = {name for name in documented if name.partition(".")[0] in known and "." in name}
    assert first - known == set()


@pytest.mark.parametrize("name", ["case-file.md", "tutorial.md"])
def test_the_case_files_shown_are_valid(name: str) -> None:
    """Every case in the documentation is one."""
    from mortis.case import Case

    shown = [code for code in blocks(ROOT / "docs" / name, "yaml") if "predictions:" in code]
    assert shown
    for code in shown:
        Case.parse(_loaded(code))


def _loaded(code: str) -> dict[str, Any]:
    import yaml

    data: dict[str, Any] = yaml.safe_load(code)
    return data


def test_every_command_shown_exists() -> None:
    """Commands in terminal blocks name commands and options that the program has."""
    known = commands()
    for page in PAGES:
        for line in re.findall(r"^\$ mortis (.+?)(?: +#.*)?$", "\n".join(_terminal(page)), re.MULTILINE):
            name = next((one for one in known if f"{line} ".startswith(f"{one} ")), line)
            rest = line.removeprefix(name).split()
            assert name in known, f"{page.name}: mortis {line}"
            options = {option for p in known[name].params for option in (*p.opts, *p.secondary_opts)}
            assert {word for word in rest if word.startswith("-")} <= options, f"{page.name}: mortis {line}"


def _terminal(page: Path) -> list[str]:
    """Terminal blocks with continued lines joined."""
    return [re.sub(r" *\\\n *", " ", code) for code in blocks(page, "console")]


def test_every_engine_and_format_is_documented() -> None:
    """What can be named on the command line or as a table's kind stands in the documentation."""
    from mortis.document import FORMATS
    from mortis.engine import ENGINES
    from mortis.sources.models import MODEL_FORMATS
    from mortis.sources.tables import FORMATS as FILES

    document, extending, case = (text_of(f"docs/{name}.md") for name in ("document", "extending", "case-file"))
    assert [name for name in FORMATS if f"`{name}`" not in document or f"`{name}`" not in extending] == []
    assert [name for name in ENGINES if f"`{name}`" not in extending] == []
    assert [suffix for suffix in FILES if f"`{suffix}`" not in case] == []
    assert [suffix for suffix in MODEL_FORMATS if f"`{suffix}`" not in case] == []


def test_every_integrity_check_and_tested_cause_is_documented() -> None:
    """The page of a step names each check that may stand out, and each cause that may be confirmed or refuted."""
    from mortis.causes.repairs import CAUSE_OF_KIND
    from mortis.integrity.checks import COLUMN_CHECKS, TRAFFIC_CHECKS

    integrity, causes = text_of("docs/steps/integrity.md"), text_of("docs/steps/causes.md")
    rows = " ".join(re.findall(r"^\| ([a-z, ]+) \|", integrity, re.MULTILINE))
    assert [name for name in (*COLUMN_CHECKS, *TRAFFIC_CHECKS) if name not in rows] == []
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/mortis/causes").glob("*.py"))
    tested = set(re.findall(r'"([DSMPHWLE]\d)"', source)) | set(CAUSE_OF_KIND.values())
    ranges = {
        f"{a}{i}" for a, b, c in re.findall(r"([A-Z])(\d) to [A-Z](\d)", causes) for i in range(int(b), int(c) + 1)
    }
    assert {id_ for id_ in tested - ranges if id_ not in causes} == set()


def test_every_bucket_length_task_and_exit_code_is_documented() -> None:
    from typing import get_args

    from mortis.case import BUCKET_SECONDS, TaskName
    from mortis.cli import INTERRUPTED
    from mortis.problems import InputProblem, WorkProblem

    case, errors = text_of("docs/case-file.md"), text_of("docs/errors.md")
    assert [name for name in (*BUCKET_SECONDS, *get_args(TaskName)) if f"`{name}`" not in case] == []
    for code in (InputProblem.exit_code, WorkProblem.exit_code, INTERRUPTED):
        assert f"\n| {code} |" in errors


@pytest.mark.parametrize(
    ("constant", "page", "phrase"),
    [
        ("mortis.clarify.verdict.FEWEST_ROWS", "clarify", "fewer than {} rows"),
        ("mortis.clarify.verdict.PLACEBO_MARGIN", "clarify", "at least {} times what the"),
        ("mortis.clarify.verdict.MATERIAL_SHARE", "clarify", "at least {:.0%} of the baseline's value"),
        ("mortis.intervals.FEWEST_BLOCKS", "clarify", "from {} buckets on"),
        ("mortis.errors.search.LEAST_LIFT", "errors", "at least {} times as much"),
        ("mortis.errors.scan.PSEUDO_ROWS", "errors", "by {:.0f} rows so that"),
        ("mortis.engine.layout.BINS", "errors", "into {} bins"),
        ("mortis.engine.coding.CODED_CATEGORIES", "errors", "by their {} commonest values"),
        ("mortis.questions.errors.ROWS_SEARCHED", "errors", "about {:,} rows per window"),
        ("mortis.integrity.checks.MARGIN", "integrity", "more than {} times the largest"),
        ("mortis.integrity.checks.MOST_Q", "integrity", "all checks of the case is at most {:.0%}"),
        ("mortis.questions.integrity.MOST_FLAGGED", "integrity", "lists the {} strongest"),
        ("mortis.sources.changes.git.MOST_COMMITS", "changes", "at most {:,} of them"),
        ("mortis.changes.ranking.HALF_LIFE", "changes", "halves with every {0.days} days"),
        ("mortis.changes.ranking.TIME_UNKNOWN", "changes", "{} where nobody recorded when"),
        ("mortis.changes.ranking.KIND_UNDECIDED", "changes", "{} where no cause stands"),
        ("mortis.changes.ranking.KIND_UNFIT", "changes", "{} where one stands and the kind doesn't fit"),
        ("mortis.changes.ranking.KIND_UNKNOWN", "changes", "{} where its word for the kind isn't known"),
        ("mortis.changes.ranking.KIND_HARMLESS", "changes", "{} for documentation and tests"),
        ("mortis.changes.ranking.NAMES_NOTHING", "changes", "{} where it names nothing of that"),
        ("mortis.changes.ranking.FITS", "changes", "From {:.2f} on a change *fits*"),
        ("mortis.changes.ranking.POSSIBLE", "changes", "from {} on it is *possible*"),
        ("mortis.questions.answering.ROWS_WEIGHED", "causes", "Up to {:,} rows per window"),
        ("mortis.causes.replay.REPRODUCED", "causes", "reproduce at least {:.0%} of the logged answers"),
        ("mortis.causes.replay.TOLERANCE", "causes", "reproduced within {:.5f}"),
        ("mortis.causes.versions.RISEN", "causes", "larger share of the rows than in the baseline, by at least {:.0%}"),
        ("mortis.causes.infrastructure.RISEN", "causes", "gained at least {:.0%} of the rows"),
        ("mortis.causes.infrastructure.REPEATED", "causes", "at least {:.0%} more rows than before repeat"),
        ("mortis.causes.scoring.DRAWS", "causes", "from {} paired bootstrap draws"),
        ("mortis.causes.scoring.CONFIRMED", "causes", "lies wholly at or above {:.0%}"),
        ("mortis.causes.scoring.CONFIRMED", "causes", "lies wholly below {:.0%}"),
        ("mortis.causes.scoring.SUPPORTED", "causes", "lies above 0, and the part is at least {:.0%}"),
        ("mortis.causes.attempts.SAME", "causes", "within {:.0%} of the fall"),
        ("mortis.causes.weighing.EXPLAINED", "causes", "explain at least {:.0%} of the drop"),
        ("mortis.causes.mix.MOST", "causes", "at least {:.0%} lies between the values"),
        ("mortis.causes.mix.CLEARLY", "causes", "surely more than {:.0%}"),
        ("mortis.causes.world.MOST", "causes", "*Supported*, if the part is at least {:.0%} and"),
        ("mortis.causes.world.CLEARLY", "causes", "and surely at least {:.0%}"),
        ("mortis.causes.world.LITTLE", "causes", "surely less than {:.0%}"),
        ("mortis.causes.world.NO_SUPPORT", "causes", "an AUC of {:.2f} or more"),
        ("mortis.causes.world.FEWEST_ROWS", "causes", "at least {} rows per window"),
        ("mortis.causes.attribution.MOST_SHARED", "causes", "the first {} of them"),
        ("mortis.sources.metrics.prometheus.MOST_POINTS", "signals", "at most {:,} points"),
        ("mortis.sources.metrics.counters.MOST_FALLS", "signals", "at most {:.0%} of the steps"),
        ("mortis.sources.logs.layouts.SAMPLED_LINES", "signals", "found from the first {} and told"),
        ("mortis.sources.logs.LONGEST_MESSAGE", "signals", "a message of more than {:,} characters"),
        ("mortis.signals.templates.FEWEST_SIBLINGS", "signals", "where at least {} templates differ"),
        ("mortis.signals.log_shift.GONE_BELOW", "signals", "at most {:.0%} of the awaited lines are left"),
        ("mortis.signals.log_shift.LEAST_RATIO", "signals", "at no less than {:.0f} times the rate"),
        ("mortis.signals.log_shift.MARGIN", "signals", "at least {} times as far as windows of the baseline"),
        ("mortis.signals.log_shift.MOST_Q", "signals", "a false-discovery rate of at most {:.0%} over all tests"),
        ("mortis.sources.metrics.forms.FEWEST_MOMENTS", "signals", "at least {} moments and it has each"),
        ("mortis.guards.FAILS", "causes", "at least {:.0%} of the incident's days fail"),
        ("mortis.guards.MOST_ALARMS", "causes", "at most {:.0%} of the baseline's days"),
        ("mortis.causes.inputs.APART", "causes", "that moved by {} or more"),
        ("mortis.guards.FEWEST_DAYS", "causes", "at least {} days of baseline"),
        ("mortis.guards.FEWEST_ROWS_A_DAY", "causes", "with {} rows each"),
    ],
)
def test_figures_in_the_text_are_those_of_the_code(constant: str, page: str, phrase: str) -> None:
    module, _, name = constant.rpartition(".")
    value = getattr(importlib.import_module(module), name)
    shown = phrase.format({5: "five", 12: "twelve"}.get(value, value)).replace("%", " %")
    assert shown in " ".join(text_of(f"docs/steps/{page}.md").split()), f"docs/steps/{page}.md should say: {shown}"


def test_the_tutorial_tells_what_the_demo_prints() -> None:
    """The tutorial's figures are those of the README's transcript, which `generate_docs.py --demo` takes from a run."""
    transcript = text_of("README.md").split("<!-- begin transcript -->")[1].split("<!-- end transcript -->")[0]
    transcript = " ".join(transcript.split())  # a thin space stands before a percent sign
    tutorial = text_of("docs/tutorial.md").split("## When nothing is wrong")[0]
    for figure in ("0.894", "0.613", "0.28", "15 windows", "2013-11-07", "99 %", "91 % to 110 %"):
        assert figure in transcript, f"{figure} is no longer what the demo prints: mend docs/tutorial.md"
        assert figure in tutorial
    assert "Precision fell from 0.894 to 0.613" in text_of("README.md").split("</picture>")[0].replace(" p", " P")


@pytest.fixture
def incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with `predictions.parquet`: precision and recall fall after forty days."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(5)
    hours = np.arange(60 * 24 * 2) // 2
    label = rng.integers(0, 2, hours.size)
    wrong = rng.random(hours.size) < np.where(hours < 40 * 24, 0.1, 0.4)
    at = np.datetime64("2026-01-01T00:00:00") + hours.astype("timedelta64[h]")
    table = {"at": at.astype("datetime64[us]"), "y_pred": np.where(wrong, 1 - label, label), "y_true": label}
    site = pa.array(np.array(["north", "south"])[rng.integers(0, 2, hours.size)])
    parquet.write_table(pa.table(table | {"site": site}), tmp_path / "predictions.parquet")
    monkeypatch.chdir(tmp_path)


PYTHON = [
    pytest.param(code, id=f"{page.name}-{i}") for page in PAGES for i, code in enumerate(blocks(page, "python"), 1)
]


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize("code", PYTHON)
def test_python_in_the_documentation_runs(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each block runs by itself, with nothing but a prediction log beside it; where it prints, it finds the failure."""
    from mortis.clarify import metrics
    from mortis.sources import metrics as sources_of_metrics
    from mortis.sources import models, tables

    monkeypatch.setattr(metrics, "METRICS", copy.deepcopy(metrics.METRICS))
    monkeypatch.setattr(tables, "FORMATS", dict(tables.FORMATS))
    monkeypatch.setattr(sources_of_metrics, "KINDS", dict(sources_of_metrics.KINDS))
    monkeypatch.setattr(models, "MODEL_FORMATS", dict(models.MODEL_FORMATS))
    exec(compile(code, "documentation", "exec"), {})  # noqa: S102  it is our own
    if "print(" in code:
        assert capsys.readouterr().out.startswith("failure ")


def test_the_readmes_python_is_eight_lines() -> None:
    (code,) = blocks(ROOT / "README.md", "python")
    assert len(code.splitlines()) == 8
    ast.parse(code)


def test_relative_links_resolve() -> None:
    """Every link to a file or a heading of this repository leads somewhere."""
    broken = []
    for page in PAGES:
        bare = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        targets = re.findall(r"\]\(([^)\s]+)\)", bare) + re.findall(r'(?:src|srcset)="([^"]+)"', bare)
        for target in targets:
            file, _, heading = target.partition("#")
            if "://" in target:
                continue
            place = (page.parent / file).resolve() if file else page
            if not place.exists() or (heading and heading not in _headings(place)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def _headings(page: Path) -> set[str]:
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", line.lower()).strip()) for line in lines}


def test_every_page_is_in_the_navigation() -> None:
    """The site's menu and the folder of pages hold the same."""

    def pages(entry: Any) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            yield from (page for value in entry.values() for page in pages(value))
        else:
            yield from (page for value in entry for page in pages(value))

    nav = tomllib.loads(text_of("zensical.toml"))["project"]["nav"]
    docs = ROOT / "docs"
    assert sorted(pages(nav)) == sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md"))


def test_the_architecture_shows_the_order_of_imports() -> None:
    """The picture of the order is the contract's, without what doesn't exist yet; every module is described."""
    text = text_of("docs/architecture.md")
    package = ROOT / "src" / "mortis"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    modules = folders | {path.stem for path in package.glob("[a-z]*.py")}
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "order")
    order = [{name for name in re.findall(r"\w+", layer) if name in modules} for layer in layers]
    shown = text.split("## The order of imports")[1].split("```text\n")[1].split("```")[0].splitlines()
    assert [set(line.split(" · ")) for line in shown] == [line for line in order if line]
    assert {name for name in modules if f"| `mortis.{name}` |" not in text} == set()


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size <= 250_000, picture.name
