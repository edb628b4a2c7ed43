"""The investigation of a log with a planted failure, as a fixture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from planted import sound, window
from pyarrow import parquet

from mortis import Case, investigate
from mortis.records import Postmortem

Investigated = Callable[..., Postmortem]


@pytest.fixture
def investigated(tmp_path: Path) -> Investigated:
    """The post-mortem of a log (columns) and a case; everything that must hold for any post-mortem is asserted."""

    def run(log: Mapping[str, Any], *, label_rows: Mapping[str, Any] | None = None, **case: Any) -> Postmortem:
        parquet.write_table(pa.table(dict(log)), tmp_path / "log.parquet")
        if label_rows is not None:
            parquet.write_table(pa.table(dict(label_rows)), tmp_path / "labels.parquet")
        stated = {"table": "log.parquet", "time": "at", "id": "key"} | case.pop("predictions")
        windows = case.pop("windows", {"baseline": window(0, 30), "incident": window(30, 37), "bucket": "1d"})
        parsed = Case.parse({"predictions": stated, "windows": windows} | case, root=tmp_path)
        found: Postmortem = sound(investigate(parsed))
        return found

    return run
