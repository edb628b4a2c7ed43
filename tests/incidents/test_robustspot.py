"""68 incidents of a video service with labelled causes, through the engine and the table of counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import yaml

from mortis.counts import errors_of_counts
from mortis.records import Window

BASELINE = timedelta(minutes=4)
INCIDENT = timedelta(minutes=1)


def test_labelled_causes_are_named(shared_data):
    """Slices equal to the labelled causes reach F1 of at least 0.60."""
    folder = shared_data("robustspot-rs")
    hits = false = missed = 0
    for incident in yaml.safe_load((folder / "anomaly.yaml").read_text(encoding="utf-8")):
        causes = incident["cause"] if isinstance(incident["cause"], list) else [incident["cause"]]
        truth = {frozenset((name, str(value)) for name, value in cause.items()) for cause in causes}
        begins = datetime.fromtimestamp(incident["timestamp"], UTC)
        found = errors_of_counts(
            str(folder / f"{incident['data']}.csv"),
            errors="value",
            count="cnt",
            time="min",
            windows=(Window(begins - BASELINE, begins), Window(begins, begins + INCIDENT)),
        )
        named = {frozenset(one.conditions.items()) for one in found.slices}
        hits, false, missed = hits + len(named & truth), false + len(named - truth), missed + len(truth - named)
    f1 = 2 * hits / (2 * hits + false + missed)
    print(f"F1 {f1:.3f}: {hits} causes named, {missed} missed, {false} others")  # noqa: T201  the figure to watch
    assert f1 >= 0.60
