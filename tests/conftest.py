"""What every test may ask for."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The tests' arrays are small: threads of BLAS and LightGBM would wait for each other, and for those of the other tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mlflow_server import running  # type: ignore[import-not-found]  # pytest finds it beside this file

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no failure. CI draws the same examples every time: what it says is then about the change alone.
settings.register_profile("mortis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("mortis"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "mortis")


@pytest.fixture
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of random numbers, seeded alike in every test."""
    return np.random.default_rng(20130208)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server; the test is skipped where MLflow is not installed."""
    yield from running(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """A file or folder of the shared data by its name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"../shared/data/{name} is absent")
        return path

    return find


@pytest.fixture
def answering():
    """Starts servers on this machine that answer every request alike and keep the requests' headers."""
    servers = []

    def start(status=200, body=b"{}", *, location=None, delay=0.0):
        seen = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append((self.path, dict(self.headers)))
                time.sleep(delay)
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", seen

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
