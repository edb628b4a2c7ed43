"""Makes, investigates and judges cases, several at once."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mortis.case import Case
from mortis.document.as_json import as_data
from mortis.investigation import investigate
from mortis.lab.making import played
from mortis.lab.plots import Unseen
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
    found: list[Outcome] = []
    with _one_thread_each():
        while len(found) < len(cases):
            for one in _until_killed(cases[len(found) :], jobs=jobs):
                found.append(one)
                watch(len(found))
    return tuple(found)


def _until_killed(cases: Sequence[Planned], *, jobs: int) -> Iterator[Outcome]:
    """The cases' outcomes up to the first whose process was killed, which takes those after it along."""
    pool = ProcessPoolExecutor(max(jobs, 1), mp_context=multiprocessing.get_context("spawn"))
    try:
        for one, future in [(one, pool.submit(outcome, one)) for one in cases]:
            error = future.exception()
            if isinstance(error, Problem):
                raise error  # a package that is missing is missing for all
            yield Outcome(one, broke=f"{type(error).__name__}: {error}") if error else future.result()
            if isinstance(error, BrokenProcessPool):
                return
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile use one thread each in numerical libraries, which read this as they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def outcome(planned: Planned) -> Outcome:
    """One case made in a folder of its own, investigated without its truth, and judged."""
    with tempfile.TemporaryDirectory(prefix="mortis-lab-") as folder:
        try:
            made = write_case(played(planned.plot, planned.base, planned.seed), Path(folder))
        except Unseen as problem:
            return Outcome(planned, unmade=str(problem))
        begun = time.perf_counter()
        try:
            answered = as_data(investigate(Case.load(made.case_file)))
        except Problem as problem:
            seconds = round(time.perf_counter() - begun, 2)
            return Outcome(planned, failed(made.truth, str(problem), seconds=seconds), guessed(made))
        seconds = round(time.perf_counter() - begun, 2)
        return Outcome(planned, judged(made.truth, answered, seconds=seconds), guessed(made))
