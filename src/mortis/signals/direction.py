"""Which way a metric moves for the worse, as far as its name tells."""

from __future__ import annotations

import re

from mortis.records import Harm

# fmt: off
WORSE_UP = frozenset(
    {
        "latency", "duration", "delay", "lag", "wait", "waiting", "blocked", "time", "timeout", "staleness",
        "age", "error", "exception", "fault", "failure", "fail", "failed", "crash", "panic", "oom", "restart",
        "retry", "retries", "dropped", "rejected", "aborted", "throttled", "evicted", "eviction", "loss",
        "lost", "miss", "missing", "unavailable", "unhealthy", "queue", "queued", "backlog", "pending",
        "saturation", "cpu", "memory", "mem", "rss", "heap", "swap", "used", "usage", "pause", "gc", "4xx",
        "5xx",
    }
)
WORSE_DOWN = frozenset(
    {
        "availability", "success", "succeeded", "successful", "hit", "healthy", "alive", "ready",
        "accuracy", "precision", "recall", "f1", "auc", "auroc",
    }
)
# fmt: on
WHAT_IS_LEFT = frozenset({"free", "available", "idle", "remaining", "headroom", "unused"})
"""What is left of a resource falls where its use rises: free memory, idle CPU."""

UNDECIDED = frozenset({"not", "no", "non", "without", "gpu"})
"""Negations turn a name's meaning; a GPU that is idle is as bad a sign as one that is full."""


def harm_of(name: str) -> Harm | None:
    """The direction in which a metric of this name gets worse; None where its words say nothing, or contradict.

    Traffic, throughput and temperature are in neither list: what is too much for one system is too little for another.

    >>> harm_of("http_request_duration_seconds"), harm_of("CPUUtilization"), harm_of("node_memory_free_bytes")
    ('up', 'up', 'down')
    >>> harm_of("availability"), harm_of("requests"), harm_of("success_latency")
    ('down', None, None)
    """
    words = _words(name)
    if words & UNDECIDED:
        return None
    if words & WHAT_IS_LEFT:
        return "down"
    up, down = bool(words & WORSE_UP), bool(words & WORSE_DOWN)
    if up == down:
        return None
    return "up" if up else "down"


def _words(name: str) -> set[str]:
    """The words of a name in any of the usual spellings, plurals also in the singular."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d?(?![a-z0-9])|[A-Z]?[a-z]+|\d+[a-z]*", name)
    words = {part.lower() for part in parts}
    plural = [word for word in words if len(word) > 3 and word.endswith("s")]
    return words | {word.removesuffix(end) + y for word in plural for end, y in (("s", ""), ("es", ""), ("ies", "y"))}
