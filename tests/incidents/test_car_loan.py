"""Loan repayment predictions whose car values shift on 2019-03-31, in the case that `mortis init` makes of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from planted import began, sound, told

from mortis import Case, investigate
from mortis.records import Postmortem

SHIFTED = datetime(2019, 3, 31, tzinfo=UTC)
TABLES = ("reference", "analysis", "analysis_target")


@pytest.fixture
def found(shared_data, tmp_path: Path) -> Postmortem:
    """The post-mortem of the case as `mortis init` writes it from the three tables, with nothing edited."""
    folder = shared_data("nannyml-car-loan")
    files = [f"{name}.parquet" for name in TABLES]
    for name, file in zip(TABLES, files, strict=True):
        shutil.copy(folder / f"synthetic_car_loan_{name}.parquet", tmp_path / file)
    command = [sys.executable, "-m", "mortis", "init", *files, "-o", "incident.yaml"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    investigated: Postmortem = sound(investigate(Case.load(tmp_path)))
    return investigated


def test_the_shift_is_found_as_init_wrote_the_case(found):
    """Accuracy fails, and the onset interval holds the day of the shift."""
    assert found.failure.metric == "accuracy"
    assert began(found, SHIFTED), told(found)
    assert (found.failure.onset.high - found.failure.onset.low).days <= 14
    assert found.slices[0].held_out
    assert found.failure.baseline.value == pytest.approx(0.944, abs=0.006)
