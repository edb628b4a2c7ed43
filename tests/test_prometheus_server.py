"""A Prometheus server as a source: a real one's values come back exactly; what goes wrong is told in one line."""

from __future__ import annotations

import json
import math
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mortis.case import MetricsSource
from mortis.problems import InputProblem, WorkProblem
from mortis.records import Window
from mortis.sources import http
from mortis.sources.metrics import MetricsRead, prometheus, read_metrics

START_SECONDS = 60
BEGIN = 1_704_067_200  # 2024-01-01
MINUTES = 240
NAMES = ("prometheus", "promtool")


def window(first: float = 0, last: float = MINUTES) -> Window:
    """A window of minutes since BEGIN."""
    start, end = (datetime.fromtimestamp(BEGIN + 60 * minute, UTC) for minute in (first, last))
    return Window(start, end)


def temperature(host: str, minute: int) -> float:
    """A figure with all its digits."""
    return 20 + math.sin(minute / 7) / (3 if host == "a" else 7)


def exposition() -> str:
    """What the server holds: a gauge of two hosts, a counter that restarts, a label that needs escapes."""
    lines = ["# TYPE temperature gauge"]
    for host in ("a", 'b "x"\\\\é'):
        escaped = host.replace("\\", "\\\\").replace('"', '\\"')
        lines += [
            f'temperature{{host="{escaped}",job="api"}} {temperature(host, minute)!r} {BEGIN + 60 * minute}'
            for minute in range(MINUTES)
        ]
    lines += ["# TYPE requests counter"]
    lines += [f'requests_total{{job="api"}} {(minute % 200) * 30} {BEGIN + 60 * minute}' for minute in range(MINUTES)]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def promtool() -> str:
    """The program that fills a database."""
    missing = [name for name in NAMES if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed (Debian's package prometheus)")
    return str(shutil.which("promtool"))


@pytest.fixture(scope="module")
def database(promtool, tmp_path_factory) -> Path:
    """The folder of a database that holds the exposition."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "samples.om").write_text(exposition(), encoding="utf-8")
    filling = [promtool, "tsdb", "create-blocks-from", "openmetrics", "samples.om", "data"]
    subprocess.run(filling, cwd=folder, check=True, capture_output=True, timeout=START_SECONDS)
    return folder


@pytest.fixture(scope="module")
def server(database) -> Iterator[str]:
    """The address of a real Prometheus server over that database, on a free port of this machine."""
    (database / "prometheus.yml").write_text("global: {}\n", encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (database / "log.txt").open("wb") as log:
        running = subprocess.Popen(
            [
                *(str(shutil.which("prometheus")), "--config.file=prometheus.yml", "--storage.tsdb.path=data"),
                *("--storage.tsdb.retention.time=100y", f"--web.listen-address={address}", "--log.level=warn"),
            ],
            cwd=database,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(f"http://{address}/-/ready", running, database / "log.txt")
        yield f"http://{address}"
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(timeout=20)


def wait_for(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the address answers; fails with the log where it doesn't within the time."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and running.poll() is None:
        try:
            with opener.open(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"Prometheus did not start:\n{log.read_text(errors='replace')[-2000:]}")


def ask(address: str, within: Window | None = None, *, step: int | None = None, **queries: str) -> MetricsRead:
    """What is read of a server."""
    source = MetricsSource(prometheus=address, queries=queries)
    return read_metrics(source, root=Path(), window=within or window(), step_seconds=step)


class TestRealServer:
    """What was put into a server is what is read from it."""

    def test_values_labels_and_times_come_back_exactly(self, server):
        found = ask(server, heat="temperature")
        assert [one.title for one in found.series] == sorted(one.title for one in found.series)
        assert {one.name for one in found.series} == {"heat"}
        for host in ("a", 'b "x"\\\\é'):
            (one,) = [one for one in found.series if one.labels == {"host": host, "job": "api"}]
            assert one.seconds.tolist() == [BEGIN + 60 * minute for minute in range(MINUTES)]
            assert one.values.tolist() == [temperature(host, minute) for minute in range(MINUTES)]
        (read,) = found.inputs
        assert (read.path, read.rows, read.role) == (server, 2 * MINUTES, "metrics")

    def test_points_lie_on_multiples_of_the_step_inside_the_window(self, server):
        found = ask(server, window(9.5, 30), step=300, heat='temperature{host="a"}')
        assert found.series[0].seconds.tolist() == [BEGIN + 300 * i for i in range(2, 6)]
        assert found.notes == (f"{server} was asked for a point every 300 s",)

    def test_a_range_of_more_points_than_a_server_gives_at_once_is_whole(self, server):
        """A point a second over four hours: two requests, the last known value at every second."""
        found = ask(server, step=1, heat='temperature{host="a"}')
        seconds = np.arange(BEGIN, BEGIN + 60 * MINUTES)
        assert found.series[0].seconds.tolist() == seconds.tolist()
        minutes = [temperature("a", minute) for minute in range(MINUTES)]
        assert found.series[0].values.tolist() == np.repeat(minutes, 60).tolist()

    def test_stretches_are_the_whole(self, server, monkeypatch):
        whole = ask(server, step=60, heat="temperature")
        monkeypatch.setattr(prometheus, "MOST_POINTS", 7)
        parts = ask(server, step=60, heat="temperature")
        assert [one.title for one in parts.series] == [one.title for one in whole.series]
        for one, other in zip(parts.series, whole.series, strict=True):
            assert np.array_equal(one.seconds, other.seconds)
            assert np.array_equal(one.values, other.values)

    def test_a_bare_counter_comes_as_its_rate_and_a_rate_as_it_is(self, server):
        found = ask(server, bare="requests_total", rate="rate(requests_total[2m])")
        bare, rate = found.series
        assert (bare.title, rate.title) == ('rate(bare){job="api"}', 'rate{job="api"}')
        assert set(bare.values.tolist()) == {0.0, 0.5}  # 30 a minute, and nothing counted yet where it began anew
        assert np.median(rate.values) == pytest.approx(0.5)
        assert "counters are replaced by their increase per second, as rate(name): bare" in found.notes

    def test_several_metrics_of_one_query_keep_their_names_as_labels(self, server):
        found = ask(server, api='{job="api"}')
        assert {one.labels["__name__"] for one in found.series} == {"temperature", "requests_total"}

    def test_a_query_without_series_is_told_and_where_none_has_any_it_is_refused(self, server):
        found = ask(server, heat="temperature", nothing="nothing_of_the_kind")
        assert f"{server} has no series in {window()} for nothing" in found.notes
        with pytest.raises(
            InputProblem, match=rf"^metrics\.queries: {server} has no series in [^\n]* for a, b; try the"
        ):
            ask(server, a="nothing_of_the_kind", b="temperature > 1000")

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("temperature{", r"1:13: parse error: unexpected end of input inside braces"),
            ("rate(temperature)", r"1:6: parse error: expected type range vector in call to function \"rate\""),
            ("temperature * on() temperature", r"found duplicate series for the match group [^\n]*"),
        ],
    )
    def test_what_the_server_says_of_a_wrong_query_is_passed_on(self, server, query, said):
        with pytest.raises(InputProblem, match=rf"^metrics\.queries\.heat: {server} refuses '[^\n]*': {said}[^\n]*$"):
            ask(server, heat=query)

    def test_a_dump_of_the_database_is_read_as_samples(self, promtool, database, server):
        """`promtool tsdb dump` writes what the server answers."""
        copied = database / "copy"
        shutil.copytree(database / "data", copied, ignore=shutil.ignore_patterns("lock"), dirs_exist_ok=True)
        dump = subprocess.run([promtool, "tsdb", "dump", str(copied)], capture_output=True, check=True, timeout=60)
        (database / "dump.prom").write_bytes(dump.stdout)
        found = read_metrics(MetricsSource(table="dump.prom"), root=database, window=window())
        asked = ask(server, temperature="temperature")
        read = {one.title: one for one in found.series}
        for one in asked.series:
            assert np.array_equal(read[one.title].seconds, one.seconds)
            assert np.array_equal(read[one.title].values, one.values)
        assert 'rate(requests_total){job="api"}' in read


def answer(**keys: object) -> bytes:
    """An answer in the form of Prometheus, with other keys."""
    result = [{"metric": {"__name__": "up"}, "values": [[BEGIN, "1"], [BEGIN + 60, "NaN"]]}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}} | keys).encode()


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"PROMETHEUS_{name}", raising=False)


class TestServersThatAnswerBadly:
    @pytest.mark.parametrize(
        ("status", "body", "message"),
        [
            (200, b"<html>Grafana</html>", "answers no JSON of Prometheus; is it a Prometheus server"),
            (200, b"{}", "answers in a form that is not Prometheus's"),
            (200, answer(data=3), "answers in a form that is not Prometheus's"),
            (200, answer(data={"resultType": "vector", "result": []}), "in a form that is not Prometheus's"),
            (
                200,
                answer(data={"resultType": "matrix", "result": [{"metric": {}, "values": [["x", "1"]]}]}),
                "form that",
            ),
            (
                200,
                answer(data={"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "one"]]}]}),
                "form that",
            ),
            (200, answer(status="error"), "in a form that is not Prometheus's"),
            (404, b"not here", "answers HTTP 404: is it a Prometheus server"),
            (400, b"bad gateway", "answers HTTP 400: is it a Prometheus server"),
            (503, b'{"status": "error", "error": "query timed\\nout"}', "answers HTTP 503: query timed out"),
            (401, b"", r"refuses access \(HTTP 401\); set PROMETHEUS_TOKEN to a token"),
            (403, b"", r"refuses access \(HTTP 403\)"),
        ],
    )
    def test_it_is_told_in_one_line(self, answering, status, body, message):
        address, _ = answering(status, body)
        with pytest.raises(WorkProblem, match=f"^metrics.prometheus: {address} [^\n]*{message}[^\n]*$"):
            ask(address, up="up")

    def test_an_answer_in_part_is_refused(self, answering):
        address, _ = answering(body=answer(warnings=["store eu-1 is\nnot reachable"]))
        with pytest.raises(
            WorkProblem,
            match=rf"^metrics\.queries\.up: {address} answers only in part: store eu-1 is not reachable; mend what",
        ):
            ask(address, up="up")

    def test_a_remark_about_a_query_is_noted(self, answering):
        remark = 'PromQL info: metric might not be a counter: "up"'
        address, _ = answering(body=answer(infos=[remark]))
        found = ask(address, up="up")
        assert f"up: {remark}" in found.notes
        assert np.isnan(found.series[0].values[1])

    def test_native_histograms_are_left_out_and_told(self, answering):
        result = [
            {"metric": {"__name__": "h"}, "histograms": [[BEGIN, {"count": "1"}]]},
            {"metric": {}, "values": [[BEGIN, "1"]]},
        ]
        address, _ = answering(body=answer(data={"resultType": "matrix", "result": result}))
        assert any("native histograms are left out" in note for note in ask(address, h="h").notes)

    def test_an_answer_that_is_too_large_is_told(self, answering, monkeypatch):
        monkeypatch.setattr(prometheus, "MOST_BYTES", 1 << 20)
        address, _ = answering(body=b" " * ((1 << 20) + 1))
        with pytest.raises(WorkProblem, match=f"{address} answers with more than 1 MiB; ask for less at a time$"):
            ask(address, up="up")

    def test_a_server_that_is_not_there_slow_or_trickling_is_told(self, answering, monkeypatch):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(
            WorkProblem, match=rf"^metrics\.prometheus: {free} can't be reached: [^\n]*; is the server running\?$"
        ):
            ask(free, up="up")
        monkeypatch.setattr(prometheus, "TIMEOUT_SECONDS", 0.2)
        address, _ = answering(delay=1.0)
        with pytest.raises(WorkProblem, match=f"{address} can't be reached: timed out"):
            ask(address, up="up")
        monkeypatch.setattr(http, "_WHOLE_ANSWER", 2)
        with trickling() as slow, pytest.raises(WorkProblem, match=f"{slow} can't be reached: its answer takes longer"):
            ask(slow, up="up")

    def test_a_redirect_is_not_followed_so_the_token_stays(self, answering, monkeypatch):
        monkeypatch.setenv("PROMETHEUS_TOKEN", "t0ken")
        other, seen = answering(body=answer())
        address, _ = answering(302, location=other)
        with pytest.raises(WorkProblem, match=r"redirects \(HTTP 302\); state the address it redirects to"):
            ask(address, up="up")
        assert seen == []


@contextmanager
def trickling() -> Iterator[str]:
    """The address of a server that sends a byte every twentieth of a second, for ever."""
    done = threading.Event()

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not done.wait(0.05):
                    connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        done.set()
    thread.join(timeout=5)


class TestCredentials:
    def test_the_token_goes_into_the_header_and_into_no_message(self, answering, monkeypatch):
        monkeypatch.setenv("PROMETHEUS_TOKEN", "t0ken")
        address, seen = answering(body=answer())
        assert ask(address, up="up").series[0].name == "up"
        assert {headers["Authorization"] for _, headers in seen} == {"Bearer t0ken"}
        refusing, _ = answering(403)
        with pytest.raises(WorkProblem) as problem:
            ask(refusing, up="up")
        assert "t0ken" not in str(problem.value)

    def test_an_addresss_own_credentials_are_not_shown(self, answering):
        address, seen = answering(body=answer())
        found = ask(address.replace("//", "//anna:s3cret@"), up="up")
        assert seen[0][1]["Authorization"].startswith("Basic ")
        assert "s3cret" not in repr((found.notes, found.inputs))


class TestWhatIsAsked:
    """What can't be asked of any server is told before one is asked."""

    @pytest.mark.parametrize("address", ["", "127.0.0.1:9090", "ftp://anna:s3cret@host", "http://"])
    def test_what_is_no_address(self, address):
        with pytest.raises(
            InputProblem, match=r"^metrics\.prometheus: .* is no server's address; write it like http:"
        ) as it:
            ask(address, up="up")
        assert "s3cret" not in str(it.value)

    def test_no_window(self):
        with pytest.raises(InputProblem, match=r"^metrics\.prometheus: a server has to be told from when until when"):
            read_metrics(MetricsSource(prometheus="http://127.0.0.1:1", queries={"up": "up"}), root=Path())

    @pytest.mark.parametrize("step", [0, -60])
    def test_a_step_that_is_none(self, step):
        with pytest.raises(InputProblem, match=rf"^metrics\.prometheus: a step of {step} s is none; state at least 1"):
            ask("http://127.0.0.1:1", step=step, up="up")

    def test_a_step_longer_than_the_window(self):
        with pytest.raises(InputProblem, match=r"no multiple of 7200 s lies in [^\n]*; state a shorter step$"):
            ask("http://127.0.0.1:1", window(10, 70), step=7200, up="up")

    @pytest.mark.parametrize(("days", "step"), [(1, 60), (7, 60), (14, 120), (60, 600), (400, 3600), (40_000, 345_600)])
    def test_the_step_is_the_shortest_with_which_one_request_does(self, answering, days, step):
        address, seen = answering(body=answer())
        found = ask(address, window(0, days * 1440), up="up")
        assert found.notes[0] == f"{address} was asked for a point every {step:,} s"
        assert len(seen) == 1
        assert f"step={step}" in seen[0][0]
