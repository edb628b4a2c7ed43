"""Files that may run code and that the user trusts, opened and scored in a process of their own.

It is a process without the caller's environment variables and working folder, ended when it takes too long. It is no
sandbox: such a file may still do whatever the user who runs Mortis may do.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from mortis.problems import InputProblem, WorkProblem
from mortis.profiles import Floats
from mortis.rows import Column
from mortis.sources.models.scorer import Scorer

TIMEOUT_SECONDS = 300.0
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL")
_CHILD = "import sys; sys.path.append(sys.argv[1]); from mortis.sources.models.worker import main; main(sys.argv[2:])"


def load(file: Path, name: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Scorer:
    """The scorer of a trusted file, which a process of its own opens now and keeps until the scorer is let go.

    Raises InputProblem where the object is no model, WorkProblem where opening it fails or takes too long.
    """
    worker = _Worker(file, name, timeout_seconds)
    about = worker.answer()
    return Scorer(
        name,
        worker.scores,
        features=_names(about["features"]),
        classes=_names(about["classes"]),
        width=about["width"],
        notes=tuple(about["notes"]),
    )


def _names(stated: list[str] | None) -> tuple[str, ...] | None:
    return None if stated is None else tuple(stated)


class _Worker:
    """A process that holds an unpickled model: rows go in as an Arrow file, scores come back as a NumPy file."""

    def __init__(self, file: Path, name: str, timeout_seconds: float) -> None:
        self.name = name
        self.timeout_seconds = timeout_seconds
        self.folder = tempfile.TemporaryDirectory(prefix="mortis-model-")
        root = Path(self.folder.name)
        self.errors = root / "errors.txt"
        package = Path(__file__).resolve().parents[3]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(  # noqa: S603  this Python, and a program of our own
                [sys.executable, "-I", "-c", _CHILD, str(package), str(file.resolve()), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=root,
                env={key: os.environ[key] for key in _KEPT if key in os.environ} | {"HOME": str(root)},
                start_new_session=True,
            )
        self.answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        reader = threading.Thread(target=_pass_on, args=(self.process.stdout, self.answers), daemon=True)
        reader.start()
        self.stop = weakref.finalize(self, _end, self.process, reader, self.folder)

    def scores(self, columns: Mapping[str, Column]) -> Floats:
        """The model's prediction for the columns.

        Raises InputProblem where the model can't score them, WorkProblem where its process ended or takes too long.
        """
        import pyarrow as pa

        if not self.stop.alive:
            raise WorkProblem(f"{self.name}: the model's process has ended")
        rows, result = Path(self.folder.name) / "rows.arrow", Path(self.folder.name) / "scores.npy"
        table = pa.table({feature: pa.array(column) for feature, column in columns.items()})
        with pa.OSFile(str(rows), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        self._ask()
        self.answer()
        # What the process wrote is a stranger's: an array without objects, or an error.
        try:
            return np.asarray(np.load(result, allow_pickle=False), dtype=np.float64)
        except (OSError, ValueError):
            raise WorkProblem(f"{self.name}: the model's process left no scores that can be read") from None

    def _ask(self) -> None:
        stdin = self.process.stdin
        try:
            if stdin:
                stdin.write(b"score\n")
                stdin.flush()
        except OSError:
            return  # it has ended, which waiting for the answer tells, with the reason

    def answer(self) -> dict[str, Any]:
        """What the process answers next."""
        try:
            line = self.answers.get(timeout=self.timeout_seconds)
        except queue.Empty:
            self.stop()
            raise WorkProblem(
                f"{self.name}: the model took more than {self.timeout_seconds:g} s and was ended"
            ) from None
        if not line:
            reason = self._last_error()
            self.stop()
            raise WorkProblem(f"{self.name}: the model's process ended: {reason}")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.stop()
            raise WorkProblem(f"{self.name}: the model's process answered what can't be read, and was ended")
        if "problem" in answer:
            raise InputProblem(str(answer["problem"]))
        return answer

    def _last_error(self) -> str:
        """The last line that the process, which is about to end, wrote as an error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        text = self.errors.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.process.poll()}, and no message"


def _pass_on(stream: IO[bytes], answers: queue.SimpleQueue[bytes]) -> None:
    """Pass the lines on, and an empty one where the stream ends: a pipe's own reading knows no timeout everywhere."""
    with stream:
        for line in stream:
            answers.put(line)
    answers.put(b"")


def _end(process: subprocess.Popen[bytes], reader: threading.Thread, folder: tempfile.TemporaryDirectory[str]) -> None:
    """End the process and what it started, and remove its folder."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    reader.join(timeout=5)
    if process.stdin:
        process.stdin.close()
    folder.cleanup()
