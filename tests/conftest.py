"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from mlflow_server import running  # type: ignore[import-not-found]  # pytest finds it beside this file

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no failure. CI draws the same examples every time: what it says is then about the change alone.
settings.register_profile("mortis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("mortis"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "mortis")


@pytest.fixture
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of random numbers, seeded alike in every test."""
    return np.random.default_rng(20130208)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server; the test is skipped where MLflow is not installed."""
    yield from running(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """A file or folder of the shared data by its name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"../shared/data/{name} is absent")
        return path

    return find
