"""The verdict on many drawn logs: those in which nothing changed stay healthy, planted failures are found."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SEEDS = range(1000, 1210)


@pytest.fixture(scope="module")
def healthy() -> ModuleType:
    """The benchmark whose logs are drawn here too."""
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("healthy", root / "benchmarks" / "healthy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["healthy"] = module  # a dataclass asks its module for its annotations
    spec.loader.exec_module(module)
    return module


def share(judged: list[tuple[object, str]], verdict: str) -> float:
    """The share of the logs with this verdict."""
    return sum(one == verdict for _, one in judged) / len(judged)


@pytest.mark.parametrize("plan", ["HEALTHY", "UNSTATED"])
def test_healthy_logs_are_no_failures(healthy, plan):
    """At most 2 % of healthy logs are called a failure, whatever their metric and noise; four in five are cleared."""
    judged = healthy.judge(getattr(healthy, plan), SEEDS)
    assert share(judged, "failure") <= 0.02
    assert share(judged, "no_failure") >= 0.8


def test_ten_points_more_errors_are_found(healthy):
    """A rise of the error rate from 12 to 22 % is found in nineteen of twenty logs, and hardly ever denied."""
    seeds = [seed for seed in SEEDS if healthy.make_log(seed)[0].metric != "throughput"]
    judged = healthy.judge(healthy.Plan("", 0.10), seeds)
    assert share(judged, "failure") >= 0.95
    assert share(judged, "no_failure") <= 0.02
