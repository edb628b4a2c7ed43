"""Census rows in a service's log: nothing is named where nothing happened, and what was put in is named.

Protocol: the log, its model and what is put in are those of `benchmarks/corruption.py`, which runs all of it; here a
quarter of the corruptions is drawn by a seed, with a fifth of the healthy splits. A corruption counts where accuracy
falls by two points or more; it is right where the cause named first has its id, kind, features and parameter.
"""

from __future__ import annotations

import numpy as np
import pytest

import corruption  # type: ignore[import-not-found]  # the benchmark, by its folder

SEED = 4


@pytest.fixture(scope="module")
def people(shared_data, tmp_path_factory):
    """The census's service."""
    pytest.importorskip("lightgbm", reason="the extra `demo` is not installed")
    return corruption.census(shared_data("adult"), tmp_path_factory.mktemp("census"), rows=16_000)


def test_no_cause_is_named_where_nothing_happened(people):
    for split, found in corruption.healthy(people, range(1000, 1006)):
        assert not corruption.standing(found), split
        assert found.failure.verdict != "failure", split


def test_no_fault_of_the_data_is_named_where_only_the_population_moved(people):
    for name, found in corruption.drifted(people, SEED):
        blamed = [cause.id for cause in corruption.standing(found) if cause.id[0] in "DS"]
        assert blamed == [], name


def test_nine_in_ten_harmful_corruptions_are_named(people):
    drawn = np.random.default_rng(SEED).permutation(len(people.injections))[: len(people.injections) // 4]
    table = list(corruption.table(people, [people.injections[place] for place in drawn], seed=SEED))
    tried = len(drawn) * len(corruption.SEVERITIES)
    shown = "\n".join([*map(corruption.line, table), corruption.summary(table, tried=tried)])
    print(shown)  # noqa: T201  # the table is the acceptance: `pytest -s` shows it
    assert len(table) >= 10, shown
    assert sum(one.right for one in table) >= 0.9 * len(table), shown
