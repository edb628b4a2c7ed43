"""Raw logs of four systems whose true templates are known, through the reader and the masks of the product."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from mortis.case import LogsSource
from mortis.records import Window
from mortis.signals.masking import mask
from mortis.signals.templates import TemplateTree, tokens_of
from mortis.sources.logs import read_logs

BEGINS = {
    "Apache": datetime(2005, 12, 4, tzinfo=UTC),
    "HDFS": datetime(2008, 11, 9, tzinfo=UTC),
    "OpenStack": datetime(2017, 5, 16, tzinfo=UTC),
    "Spark": datetime(2017, 6, 9, tzinfo=UTC),
}
LENGTH = timedelta(days=3)


def grouping_accuracy(found: Sequence[Hashable], true: Sequence[Hashable]) -> float:
    """The share of lines whose group holds exactly the lines that its true template has.

    As defined by Zhu et al. (2019), "Tools and benchmarks for automated log parsing".
    """
    groups, templates = defaultdict(set), defaultdict(set)
    for line, (group, template) in enumerate(zip(found, true, strict=True)):
        groups[group].add(line)
        templates[template].add(line)
    whole = {frozenset(lines) for lines in templates.values()}
    return sum(len(lines) for lines in groups.values() if frozenset(lines) in whole) / len(found)


def test_a_group_counts_only_as_a_whole():
    assert grouping_accuracy("aab", "xxy") == 1.0
    assert grouping_accuracy("aaa", "xxy") == 0.0
    assert grouping_accuracy("abcc", "xxyy") == 0.5


@pytest.fixture
def groups(shared_data):
    """The number of each line's template and the true one, by system."""
    folder = shared_data("loghub-2k")
    found = {}
    for system, begins in BEGINS.items():
        baseline = Window(begins, begins + LENGTH)
        incident = Window(baseline.end, baseline.end + LENGTH)
        source = LogsSource(files=f"{system}/{system}_2k.log")
        reading = read_logs([source], root=folder, baseline=baseline, incident=incident)
        tree = TemplateTree()
        entries = [entry for _, entries in reading.baseline_entries() for entry in entries]
        numbers = [tree.learn(tokens_of(mask(entry.message))) for entry in entries]
        [read] = reading.files
        assert read.counts == {"lines": 2000, "baseline": 2000} | ({"long": 2} if system == "HDFS" else {})
        frozen, final = tree.frozen()
        assert [frozen.match(tokens_of(mask(entry.message))) for entry in entries] == [final[n] for n in numbers]
        truth = folder / "2k_dataset" / system / f"{system}_2k.log_structured_corrected.csv"
        with truth.open(encoding="utf-8", newline="") as stream:
            true = [row["EventId"] for row in csv.DictReader(stream)]
        found[system] = ([final[n] for n in numbers], true)
    return found


def test_lines_are_grouped_as_by_their_true_templates(groups):
    """Mean grouping accuracy of at least 0.84 over the four systems, with one setting for all."""
    accuracy = {system: grouping_accuracy(found, true) for system, (found, true) in groups.items()}
    mean = sum(accuracy.values()) / len(accuracy)
    told = ", ".join(f"{system} {value:.3f}" for system, value in accuracy.items())
    print(f"grouping accuracy {mean:.3f}: {told}")  # noqa: T201  the figure to watch
    assert mean >= 0.84
