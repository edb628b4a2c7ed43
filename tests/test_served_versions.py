"""The log's versions beside the registry's: what is the same, what was meant to serve, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from mortis.integrity.versions import intended_version, registry_statement, same_version
from mortis.records import Window
from mortis.sources.registry import RegisteredVersion

INCIDENT = Window(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 8, tzinfo=UTC))
OLD = RegisteredVersion("1", created_at=datetime(2024, 1, 1, tzinfo=UTC))
CURRENT = RegisteredVersion("2", aliases=("champion",), created_at=datetime(2024, 2, 1, tzinfo=UTC), is_current=True)
LATE = RegisteredVersion("3", created_at=datetime(2024, 4, 1, tzinfo=UTC), is_current=True)


def texts(*parts):
    return np.array([name for name, times in parts for _ in range(times)], dtype=object)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("v2", "V 2", True),
        ("version-2", "2", True),
        ("models:/arrivals/2", "arrivals:2", True),
        ("2", "2.0", False),
        ("v", "", False),
        ("candidate", "Candidate", True),
        ("v2", "v12", False),
    ],
)
def test_a_version_is_known_by_its_name_however_it_is_written(one, other, same):
    assert same_version(one, other) == same_version(other, one) == same


def test_the_version_meant_to_serve_is_the_one_that_was_marked_in_time():
    assert intended_version([OLD, CURRENT], INCIDENT) == CURRENT
    assert intended_version([OLD], INCIDENT) is None
    assert intended_version([OLD, LATE], INCIDENT) is None
    assert intended_version([CURRENT, RegisteredVersion("4", is_current=True)], INCIDENT) is None


@pytest.mark.parametrize(
    ("registered", "before", "during", "statement"),
    [
        ([], [("2", 9)], [("2", 9)], "holds no version of the model"),
        ([OLD], [("1", 9)], [("1", 9)], "none, or several, are marked"),
        ([OLD, LATE], [("1", 9)], [("1", 9)], "3, was registered after the incident"),
        ([OLD, CURRENT], [("", 9)], [("", 9)], "the log names no versions"),
        ([OLD, CURRENT], [("v2", 9)], [("v2", 9)], "for 100.0 % of the incident's rows (100.0 % before)"),
        (
            [OLD, CURRENT],
            [("v2", 10)],
            [("v2", 4), ("v1", 6)],
            "the log names it for 40.0 % of the incident's rows (100.0 % before), and v1",
        ),
    ],
)
def test_the_registry_and_the_log_are_told_side_by_side(registered, before, during, statement):
    assert statement in registry_statement(registered, texts(*before), texts(*during), INCIDENT)
