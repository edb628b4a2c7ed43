"""A real MLflow server over SQLite on this machine, and what registers models there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 240


def mlflow_command(root: Path) -> str | None:
    """The command that runs MLflow: that of MORTIS_TEST_MLFLOW, of .venv-mlflow, of this Python or of the path."""
    places = (root / ".venv-mlflow" / "bin" / "mlflow", Path(sys.executable).parent / "mlflow")
    named = os.environ.get("MORTIS_TEST_MLFLOW") or next((str(one) for one in places if one.is_file()), None)
    return named or shutil.which("mlflow")


def running(folder: Path) -> Iterator[str]:
    """The address of a server that keeps its things in a folder, on a free port; the test is skipped without MLflow."""
    command = mlflow_command(Path(__file__).resolve().parent.parent)
    if command is None:
        pytest.skip("MLflow is not installed (looked in .venv-mlflow, beside this Python and on the path)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [
                *(command, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{folder / 'registry.db'}"),
                *("--artifacts-destination", str(folder / "artifacts")),
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, folder / "log.txt")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    started = time.monotonic()
    while time.monotonic() - started < START_SECONDS and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  the server that the fixture started
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the MLflow server did not start: {log.read_text()[-2000:]}")


def post(server: str, path: str, **what: Any) -> Any:
    body, headers = json.dumps(what).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server}/api/2.0/mlflow/{path}", body, headers)  # noqa: S310  as above
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  as above
        return json.load(response)
