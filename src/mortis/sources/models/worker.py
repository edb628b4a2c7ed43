"""The program of the process that opens a trusted file: it describes the model, then scores rows at each request."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mortis.problems import Problem
from mortis.sources.models.estimators import estimator_scorer
from mortis.sources.models.scorer import Scorer, needed


def main(arguments: Sequence[str]) -> None:
    """Open the file named first, calling it by the name that comes second, and answer until standard input ends.

    An error of the file's own ends the program with its message on standard error.
    """
    file, name = arguments
    # What the model prints must not come between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            scorer = estimator_scorer(_opened(Path(file)), name=name)
        except Problem as problem:
            _answer(answers, {"problem": str(problem)})
            return
        _answer(answers, _about(scorer))
        for _ in sys.stdin:
            _answer(answers, _scored(scorer))


def _opened(file: Path) -> Any:
    """The object in the file, trusted whatever it is; joblib reads its own files and plain pickles."""
    if file.suffix.lower() == ".skops":
        persistence = needed("skops.io")
        return persistence.load(file, trusted=persistence.get_untrusted_types(file=file))
    try:
        joblib = importlib.import_module("joblib")
    except ModuleNotFoundError:
        with file.open("rb") as stream:
            return pickle.load(stream)  # noqa: S301  this process exists because the user allowed it
    return joblib.load(file)


def _answer(answers: Any, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _about(scorer: Scorer) -> dict[str, Any]:
    return {"features": scorer.features, "classes": scorer.classes, "width": scorer.width, "notes": scorer.notes}


def _scored(scorer: Scorer) -> dict[str, Any]:
    """Score `rows.arrow` of the working folder into `scores.npy`; what went wrong, if anything did."""
    import pyarrow as pa

    with pa.OSFile("rows.arrow") as source:
        table = pa.ipc.open_file(source).read_all()
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    try:
        values = scorer.predict(columns)
    except Problem as problem:
        return {"problem": str(problem)}
    np.save("scores.npy", values, allow_pickle=False)
    return {}
