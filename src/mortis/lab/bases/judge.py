"""Answers of a language model with a judge's score each: no model of one's own, no labels, only the log."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from mortis.lab.bases.base import Base, Feature
from mortis.lab.bases.drawing import by_day, chance, drawn, drawn_by, effect, holed, moments, mondays, request_ids
from mortis.lab.traffic import Stretch, Traffic

_ROUTES = {"support": 0.42, "search": 0.27, "summary": 0.19, "code": 0.12}
_REGIONS = {"eu": 0.44, "us": 0.36, "ap": 0.20}
_HARDWARE = {
    "eu": {"h100": 0.55, "a100": 0.45},
    "us": {"h100": 0.35, "a100": 0.35, "tpu": 0.30},
    "ap": {"a100": 0.6, "tpu": 0.4},
}
_PROMPTS = {"p7": 0.85, "p8": 0.15}
_ASKED = {"support": 5.2, "search": 5.9, "summary": 7.4, "code": 6.6}
_ANSWERED = {"support": 4.9, "search": 5.0, "summary": 5.3, "code": 6.2}
_GOOD = {"support": 0.3, "search": 0.1, "summary": 0.25, "code": -0.35}
_BETTER = {"p8": 0.05}
_SURE = 7.0
_DAILY = 1_000

_FEATURES = (
    Feature("tokens_in", weight=0.0),
    Feature("tokens_out", weight=0.0),
)
"""What is logged beside the score; no model of one's own reads it."""


def _draw(stretch: Stretch, rng: np.random.Generator) -> Traffic:
    at = moments(stretch, _DAILY, rng)
    n = len(at)
    route, region, prompt = drawn(_ROUTES, n, rng), drawn(_REGIONS, n, rng), drawn(_PROMPTS, n, rng)
    asked = np.round(np.exp(rng.normal(effect(route, _ASKED), 0.7)))
    answered = np.round(np.exp(rng.normal(effect(route, _ANSWERED), 0.45)))
    columns = {
        "region": region,
        "route": route,
        "hardware": drawn_by(region, _HARDWARE, rng),
        "prompt_version": prompt,
        "tokens_in": asked,
        # Of an answer that was broken off nobody counts the tokens.
        "tokens_out": holed(answered, 0.01, rng),
    }
    # Long questions are harder, and so is what is asked on some days.
    logit = 1.35 + effect(route, _GOOD) + effect(prompt, _BETTER) - 0.25 * (np.log(asked) - effect(route, _ASKED))
    mean = chance(logit + np.log(by_day(at, 0.05, rng)))
    score = np.round(rng.beta(_SURE * mean, _SURE * (1 - mean)), 3)
    none = np.full(n, np.nan)
    return Traffic(request_ids("answer", n, rng), at, columns, score, none, at, score=score)


JUDGE = Base(
    name="judge",
    meaning="answers of a language model, scored by a judge (drawn; no model file, no labels)",
    task="score",
    metric="mean_score",
    features=_FEATURES,
    segments={
        "region": tuple(_REGIONS),
        "route": tuple(_ROUTES),
        "hardware": ("h100", "a100", "tpu"),
        "prompt_version": tuple(_PROMPTS),
    },
    draw=_draw,
    past=None,
    train=lambda past: {},  # noqa: ARG005  there is nothing to learn
    starts=mondays(datetime(2025, 1, 6), 40),  # noqa: DTZ001  it gets its zone there
    daily=_DAILY,
    latency_ms=1_900.0,
    wait=timedelta(days=1),
)
