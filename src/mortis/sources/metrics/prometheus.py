"""Metrics of a Prometheus server: each named query evaluated over a window, in steps."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mortis.case import MetricsSource
from mortis.problems import CaseProblem, InputProblem, Problem, WorkProblem, listed
from mortis.records import Input, Window
from mortis.sources.http import Server, line
from mortis.sources.metrics.counters import counter_names
from mortis.sources.metrics.reading import Asked, MetricsRead, finished
from mortis.telemetry import MetricSeries

TIMEOUT_SECONDS = 60.0
MOST_POINTS = 11_000
MOST_BYTES = 256 << 20
STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_PATH = "api/v1/query_range"
_NO_QUERY, _UNFIT_QUERY = 400, 422  # what can't be parsed, and what doesn't fit the series that the server holds
_REMARK = "PromQL "  # how warnings begin that tell of the query, not of data that is missing
_METRIC = "__name__"


@dataclass(frozen=True, slots=True)
class _Query:
    """A query under its name, and what messages about it begin with."""

    name: str
    text: str
    where: str


def read_prometheus(source: MetricsSource, asked: Asked) -> MetricsRead:
    """The series that a server answers to each query over the window, named by the query's name.

    Points lie on whole multiples of the step; without a stated one, the step is the shortest of one minute and more
    with which a series has at most 11,000 points. A server gets the token in the environment variable
    PROMETHEUS_TOKEN, or PROMETHEUS_USERNAME and PROMETHEUS_PASSWORD. Raises InputProblem where the address, a query or
    the step is wrong, or no query gives a series; WorkProblem where the server can't be reached, refuses, or answers
    in part.

    Source: https://prometheus.io/docs/prometheus/latest/querying/api/
    """
    where = asked.place("prometheus")
    server = Server.at(
        str(source.prometheus), key=where, kind="Prometheus", variables="PROMETHEUS", example="http://127.0.0.1:9090"
    )
    queries = [_Query(name, text, f"{asked.place('queries')}.{name}") for name, text in source.queries.items()]
    if asked.window is None:
        raise InputProblem(f"{where}: a server has to be told from when until when; state a window")
    moments = grid(asked.window, _step(asked.window, asked.step_seconds, where))
    if not moments:
        raise InputProblem(f"{where}: no multiple of {moments.step} s lies in {asked.window}; state a shorter step")
    notes = [f"{server.address} was asked for a point every {moments.step:,} s"]
    answers = {query.name: _answered(server, query, moments, notes) for query in queries}
    return _read(server, queries, answers, asked, notes)


def _read(
    server: Server, queries: Sequence[_Query], answers: Mapping[str, list[MetricSeries]], asked: Asked, notes: list[str]
) -> MetricsRead:
    """What was read: the answers under their queries' names."""
    silent = [name for name, parts in answers.items() if not parts]
    if len(silent) == len(answers):
        raise InputProblem(
            f"{asked.place('queries')}: {server.address} has no series in {asked.window} for {listed(silent)}; "
            "try the queries on its own page"
        )
    if silent:
        notes.append(f"{server.address} has no series in {asked.window} for {listed(silent)}")
    digest = hashlib.sha256("\n".join(f"{query.name}: {query.text}" for query in queries).encode()).hexdigest()[:32]
    points = sum(len(part) for parts in answers.values() for part in parts)
    return finished(
        [one for name, parts in answers.items() for one in _named(name, parts)],
        where=f"{asked.place('prometheus')}: {server.address}",
        notes=notes,
        inputs=[Input(server.address, points, f"sha256-query:{digest}", "metrics")],
        counters={name: _count_up(parts) for name, parts in answers.items()},
    )


def _named(name: str, parts: Sequence[MetricSeries]) -> list[MetricSeries]:
    """The series under the query's name; that of the metric is a label where the query gives several metrics."""
    metrics = {part.name for part in parts}
    return [
        replace(part, name=name, labels={_METRIC: part.name, **part.labels} if len(metrics) > 1 else part.labels)
        for part in parts
    ]


def _count_up(parts: Sequence[MetricSeries]) -> bool:
    """Whether a query gives bare counters, every metric of it."""
    return bool(parts) and {part.name for part in parts} <= counter_names(parts)


def _step(window: Window, stated: int | None, where: str) -> int:
    """The distance of points in seconds."""
    if stated is not None:
        if stated < 1:
            raise InputProblem(f"{where}: a step of {stated} s is none; state at least 1 second")
        return stated
    least = window.seconds / MOST_POINTS
    return next((step for step in STEPS if step >= least), math.ceil(least / STEPS[-1]) * STEPS[-1])


def grid(window: Window, step: int) -> range:
    """The multiples of a step, in epoch seconds, that lie in the half-open window.

    >>> from datetime import UTC, datetime
    >>> hour = Window(datetime(2024, 1, 1, 0, 0, 30, tzinfo=UTC), datetime(2024, 1, 1, 0, 3, tzinfo=UTC))
    >>> [moment % 3600 for moment in grid(hour, 60)]
    [60, 120]
    """
    first = math.ceil(window.start.timestamp() / step) * step
    return range(first, math.ceil(window.end.timestamp()), step)


def _answered(server: Server, query: _Query, moments: range, notes: list[str]) -> list[MetricSeries]:
    """The series of one query under their metrics' names, asked for in stretches that a server answers."""

    def refusal(code: int, answer: Mapping[str, Any]) -> Problem | None:
        if code not in (_NO_QUERY, _UNFIT_QUERY) or answer.get("status") != "error":
            return None
        kind = CaseProblem if code == _NO_QUERY else InputProblem
        return kind(f"{query.where}: {server.address} refuses {query.text!r}: {line(answer.get('error', ''))}")

    parts: list[MetricSeries] = []
    for start in range(0, len(moments), MOST_POINTS):
        stretch = moments[start : start + MOST_POINTS]
        asked = {"query": query.text, "start": stretch[0], "end": stretch[-1], "step": moments.step}
        answer = server.get(_PATH, asked, timeout=TIMEOUT_SECONDS, most_bytes=MOST_BYTES, refusal=refusal)
        try:
            _check_whole(server, query, answer, notes)
            parts.extend(_series(one, query, notes) for one in answer["data"]["result"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise WorkProblem(f"{server.key}: {server.address} answers in a form that is not Prometheus's") from None
    return [part for part in parts if len(part)]


def _check_whole(server: Server, query: _Query, answer: Mapping[str, Any], notes: list[str]) -> None:
    """Raises WorkProblem where the answer is only a part; remarks about the query are noted."""
    said = [line(one) for one in (*(answer.get("warnings") or ()), *(answer.get("infos") or ()))]
    partial = [one for one in said if not one.startswith(_REMARK)]
    if partial:
        raise WorkProblem(
            f"{query.where}: {server.address} answers only in part: {partial[0]}; mend what it names and run again"
        )
    notes.extend(f"{query.name}: {one}" for one in said)
    if answer["status"] != "success" or answer["data"]["resultType"] != "matrix":
        raise ValueError("not a matrix")


def _series(one: Mapping[str, Any], query: _Query, notes: list[str]) -> MetricSeries:
    """A series of the answer; histograms that are no numbers are left out of it."""
    if one.get("histograms"):
        notes.append(f"{query.name}: native histograms are left out; ask for histogram_quantile() or histogram_avg()")
    labels = {str(key): str(value) for key, value in one["metric"].items()}
    name = labels.pop(_METRIC, query.name)
    values = one.get("values") or []
    seconds = np.array([round(moment) for moment, _ in values], dtype=np.int64)
    return MetricSeries(name, seconds, np.array([float(value) for _, value in values], dtype=np.float64), labels)
