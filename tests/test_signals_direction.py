"""Names tell which way is worse, or nothing is guessed."""

from __future__ import annotations

import pytest

from mortis.signals.direction import harm_of


@pytest.mark.parametrize(
    "name",
    [
        "latency",
        "http_request_duration_seconds",
        "http.server.duration",
        "errors_total",
        "container_cpu_usage_seconds_total",
        "CPUUtilization",
        "jvm_memory_used_bytes",
        "kafka_consumergroup_lag",
        "QueueDepth",
        "pod.restarts",
        "http_5xx",
        "responseTime",
        "cache_misses",
    ],
)
def test_what_is_bad_when_it_rises(name):
    assert harm_of(name) == "up"


@pytest.mark.parametrize(
    "name",
    [
        "availability",
        "success_rate",
        "cache_hit_ratio",
        "node_memory_free_bytes",
        "node_memory_MemAvailable_bytes",
        "CPUIdle",
    ],
)
def test_what_is_bad_when_it_falls(name):
    assert harm_of(name) == "down"


@pytest.mark.parametrize(
    "name",
    [
        "requests",
        "throughput",
        "temperature",
        "gpu_utilization",
        "success_latency",
        "not_ready",
        "",
        "x",
        "pages",
        "coverage",
    ],
)
def test_what_may_be_bad_either_way(name):
    assert harm_of(name) is None
