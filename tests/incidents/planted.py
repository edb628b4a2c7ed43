"""Logs with a planted failure, and what every investigated incident must fulfil."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import numpy as np
from numpy.typing import NDArray

from mortis.document import formats, postmortem_schema, render
from mortis.document.terminal import summary_lines
from mortis.records import Postmortem

BEGINS = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday
REGIONS = ("asia", "eu", "us")
DEVICES = ("android", "ios", "web")
VALIDATOR = jsonschema.Draft202012Validator(postmortem_schema())
SLIPS = re.compile(r"\bnan\b|nan%|\binf\b|\bNone(?! of)\b")


def day(number: float) -> datetime:
    """A moment counted in days from the log's first."""
    return BEGINS + timedelta(days=number)


def window(first: float, end: float) -> list[str]:
    """A window of the case file, in days from the log's first."""
    return [day(first).isoformat(), day(end).isoformat()]


class Rows:
    """Rows of a log in order of time: when, and the features that every log here has.

    `hit` marks those of region `us` from day `since` on, where a failure is planted.
    """

    def __init__(self, seed: int, *, days: int = 37, a_day: int = 240, since: float = 31.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.n = days * a_day
        self.since = since
        self.days = np.sort(self.rng.uniform(0, days, self.n))
        self.region = self.rng.choice(REGIONS, self.n)
        self.device = self.rng.choice(DEVICES, self.n)
        self.amount = self.rng.lognormal(3, 1, self.n).round(2)
        self.hit = (self.region == "us") & (self.days >= since)

    def columns(self, **more: Any) -> dict[str, Any]:
        """The log's columns, with further ones."""
        micros = (self.days * 86_400e6).astype("timedelta64[us]")
        at = np.datetime64(BEGINS.replace(tzinfo=None), "us") + micros
        key = [f"r{i:06d}" for i in range(self.n)]
        named = {"at": at, "key": key, "region": self.region, "device": self.device, "amount": self.amount}
        return named | more

    def chance(self, usual: float, hit: float, *, fault: bool) -> NDArray[np.bool_]:
        """Whether something happened in each row: with the usual probability, or another one where the fault hits."""
        return self.rng.random(self.n) < np.where(self.hit & fault, hit, usual)


def sound(found: Postmortem) -> Postmortem:
    """The same post-mortem: every format shows it, it keeps to its schema, and its parts agree."""
    texts = {name: render(found, name) for name in formats()}
    VALIDATOR.validate(json.loads(texts["json"]))
    assert all(texts.values())
    shown = [*texts["md"].splitlines(), *summary_lines(found)]
    assert not [line for line in shown if SLIPS.search(line)]
    assert (found.answer == "no_failure") == (found.failure.verdict == "no_failure")
    assert (found.failure.onset is not None) <= (found.failure.verdict == "failure")
    return found


def began(found: Postmortem, at: datetime) -> bool:
    """Whether a failure was found whose onset interval holds the moment."""
    onset = found.failure.onset
    return found.failure.verdict == "failure" and onset is not None and onset.low <= at <= onset.high


def first_slice(found: Postmortem) -> dict[str, str]:
    """The conditions of the slice that is named first; empty without one."""
    return found.slices[0].conditions if found.slices else {}


def told(found: Postmortem) -> str:
    """What the terminal says, for a failed assertion's message."""
    return "\n".join(summary_lines(found))
