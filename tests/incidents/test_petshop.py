"""16 injected faults of a shop of microservices, and two days of each load without any, as `mortis signals` sees them.

The command reads the shop's own files. The faults' five rows (25 minutes) were recorded months before the two quiet
days, so the times in their first column, and nothing else of them, are moved to follow these days at the same time of
day. Looked at while the rules were made: all 16 faults, whose cause is always the same node, and both quiet
recordings. Nothing else of this data is there: no second part to test on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from small_case import CommandLine  # type: ignore[import-not-found]  # pytest finds it in the folder above

LOADS = ("low_traffic", "high_traffic")
ROWS, STEP, DAY = 5, 300, 86_400
HEADINGS = 4


@pytest.fixture
def signals(monkeypatch, capsys):
    """What `mortis signals --json` prints for a table of series."""
    mortis = CommandLine(monkeypatch, capsys)

    def run(metrics, graph, symptom, baseline, incident):
        windows = ("--baseline", baseline, "--incident", incident)
        ended = mortis("signals", "--metrics", metrics, "--graph", graph, "--symptom", symptom, *windows, "--json")
        assert (ended.code, ended.err) == (0, "")
        return json.loads(ended.out)

    return run


def seconds(metrics):
    """The moments of a file's rows."""
    rows = metrics.read_text(encoding="utf-8").splitlines()[HEADINGS:]
    return [int(float(row.partition(",")[0])) for row in rows]


def window(start, stop):
    """Moments as the command takes them."""
    return "..".join(datetime.fromtimestamp(moment, UTC).isoformat() for moment in (start, stop))


def moved(metrics, by):
    """A file's text with its times later by so many seconds."""
    *headings, rest = metrics.read_text(encoding="utf-8").split("\n", HEADINGS)
    rows = (row.partition(",") for row in rest.splitlines())
    return "\n".join([*headings, *(f"{float(time) + by}{comma}{cells}" for time, comma, cells in rows)]) + "\n"


def test_the_faulty_service_is_named(shared_data, signals, tmp_path):
    """First in half of the faults, among the first three in three quarters."""
    ranks = []
    for load in LOADS:
        folder = shared_data("petshop") / load
        quiet = folder / "noissue" / "metrics.csv"
        (tmp_path / "quiet.csv").write_bytes(quiet.read_bytes())
        begin, *_, last = seconds(quiet)
        end = last + STEP
        for issue in sorted((folder / "train").iterdir()):
            first, *_, last = seconds(issue / "metrics.csv")
            later = -(-(end - first) // DAY) * DAY
            (tmp_path / "issue.csv").write_text(moved(issue / "metrics.csv", later), encoding="utf-8")
            target = json.loads((issue / "target.json").read_text(encoding="utf-8"))
            of, cause = target["target"], target["root_cause"]["node"]
            symptom = f'{of["metric"]}{{microservice="{of["node"]}",statistic="{of["agg"]}"}}'
            incident = window(first + later, last + later + STEP)
            found = signals(tmp_path, folder / "graph.csv", symptom, window(begin, end), incident)
            names = [one["node"] for one in found["candidates"]]
            ranks.append(names.index(cause) + 1 if cause in names else 99)
    top_1, top_3 = (sum(rank <= most for rank in ranks) / len(ranks) for most in (1, 3))
    print(f"top-1 {top_1:.2f}, top-3 {top_3:.2f} over {len(ranks)} faults; ranks {ranks}")  # noqa: T201  the figures to watch
    assert len(ranks) == 16
    assert top_1 >= 0.50
    assert top_3 >= 0.75


def test_on_quiet_days_nothing_is_named(shared_data, signals):
    """Each 25 minutes of the second quiet day, all before them being the baseline: on 90 % no node, and no series."""
    silent = nothing = asked = 0
    for load in LOADS:
        folder = shared_data("petshop") / load
        quiet = folder / "noissue" / "metrics.csv"
        moments = seconds(quiet)
        for at in range(len(moments) // 2, len(moments) - ROWS + 1, ROWS):
            before, then = window(moments[0], moments[at]), window(moments[at], moments[at] + ROWS * STEP)
            for metric in ("latency", "availability"):
                symptom = f'{metric}{{microservice="PetSite",statistic="Average"}}'
                found = signals(quiet, folder / "graph.csv", symptom, before, then)
                asked, silent, nothing = asked + 1, silent + (not found["candidates"]), nothing + (not found["signals"])
    print(f"no node in {silent}, no series in {nothing} of {asked} quiet windows")  # noqa: T201  the figures to watch
    assert silent >= 0.9 * asked
    assert nothing >= 0.9 * asked
