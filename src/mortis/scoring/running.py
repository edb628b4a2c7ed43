"""Makes, investigates and judges cases, several at once."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mortis.case import Case
from mortis.document.as_json import as_data
from mortis.investigation import investigate
from mortis.lab.making import played
from mortis.lab.writing import write_case
from mortis.problems import Problem
from mortis.scoring.judging import Judged, failed, judged
from mortis.scoring.mix import Planned
from mortis.scoring.naive import Guessed, guessed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a planned case: the product's answer and the naive ones.

    There are none where no such case could be made (`unmade` says why), or where the program itself broke (`broke`).
    """

    planned: Planned
    judged: Judged | None = None
    guessed: Guessed | None = None
    unmade: str = ""
    broke: str = ""


Watch = Callable[[int], None]


def outcomes(cases: Sequence[Planned], *, jobs: int, watch: Watch) -> tuple[Outcome, ...]:
    """The cases' outcomes in their order; `watch` is told how many are done.

    A program that breaks on one case costs that case, and not the others.
    """
    # Processes start anew, as threads of numerical libraries don't survive a fork, and use one thread each.
    context = multiprocessing.get_context("spawn")
    found = []
    with ProcessPoolExecutor(max(jobs, 1), mp_context=context, initializer=_alone) as pool:
        running = [pool.submit(outcome, one) for one in cases]
        for done, (one, future) in enumerate(zip(cases, running, strict=True), 1):
            error = future.exception()
            found.append(Outcome(one, broke=f"{type(error).__name__}: {error}") if error else future.result())
            watch(done)
    return tuple(found)


def _alone() -> None:
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))


def outcome(planned: Planned) -> Outcome:
    """One case made in a folder of its own, investigated without its truth, and judged."""
    with tempfile.TemporaryDirectory(prefix="mortis-lab-") as folder:
        try:
            made = write_case(played(planned.plot, planned.base, planned.seed), Path(folder))
        except Problem as problem:
            return Outcome(planned, unmade=str(problem))
        begun = time.perf_counter()
        try:
            answered = as_data(investigate(Case.load(made.case_file)))
        except Problem as problem:
            seconds = round(time.perf_counter() - begun, 2)
            return Outcome(planned, failed(made.truth, str(problem), seconds=seconds), guessed(made))
        seconds = round(time.perf_counter() - begun, 2)
        return Outcome(planned, judged(made.truth, answered, seconds=seconds), guessed(made))
