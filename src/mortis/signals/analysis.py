"""Step 2's answer on metric series: which moved, in which order, and where in the call graph the failure begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mortis.records import Onset, Signal, Window, iso
from mortis.signals.graph import CallGraph, Candidate
from mortis.signals.moves import Moves
from mortis.signals.order import Began, begin_of, order_of
from mortis.signals.shift import Unjudged
from mortis.signals.suspects import find_suspects
from mortis.signals.symptom import Symptom, find_symptom
from mortis.telemetry import MetricSeries

MOST_ONSETS = 50


@dataclass(frozen=True, slots=True)
class SignalsFound:
    """The series that moved, furthest first, and the candidates of the walk, likeliest first.

    `unjudged` are the series that could not be judged, `stretches` how many healthy stretches there were to compare
    with, `alarms` in how many of them something would have been named. `no_candidates` says why there are none;
    `statement` sums up what was looked at.
    """

    signals: tuple[Signal, ...]
    candidates: tuple[Candidate, ...]
    no_candidates: str
    unjudged: tuple[Unjudged, ...]
    looked_at: int
    stretches: int
    alarms: int
    statement: str


def find_signals(
    series: Sequence[MetricSeries],
    *,
    baseline: Window,
    incident: Window,
    onset: Onset | None = None,
    graph: CallGraph | None = None,
    symptom: str | None = None,
) -> SignalsFound:
    """The series that moved in the incident, what each did when, and the nodes behind the symptom that moved with it.

    A series counts as moved where it left its baseline further than healthy stretches of the same length do, by the
    rule of `mortis.signals.gate.judge`. `onset` is the failure's; without it a signal's order is told against the onset
    of the symptom's own series, or without these against the incident window. `symptom` is a series (its title, or its
    name where one series has it) or a node of the graph. With both, the graph is walked: see `mortis.signals.graph`.

    Raises ValueError where the baseline doesn't end before the incident, InputProblem where the symptom is unknown.

    >>> day = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 8, 9)]
    >>> seconds = int(day[0].timestamp()) + np.arange(192) * 3600
    >>> calm = np.random.default_rng(0).normal(50, 5, 192)
    >>> rising = MetricSeries("cpu", seconds, calm + 40 * (np.arange(192) >= 175))
    >>> still = MetricSeries("memory", seconds, calm[::-1].copy())
    >>> found = find_signals([rising, still], baseline=Window(*day[:2]), incident=Window(*day[1:]))
    >>> [(one.name, one.direction, one.onset.isoformat()) for one in found.signals]
    [('cpu', 'up', '2024-01-08T07:00:00+00:00')]
    """
    if baseline.end > incident.start:
        raise ValueError(f"the baseline {baseline} must end before the incident {incident} starts")
    shown = find_symptom(series, symptom, graph) if symptom is not None else None
    moves = Moves.of(series, baseline=baseline, incident=incident)
    candidates, no_candidates = _candidates(moves, graph, shown)
    named = moves.named()
    failure = _failure(moves, shown, onset)
    began = [_begin(moves, at) for at in named[:MOST_ONSETS]] + [None] * len(named[MOST_ONSETS:])
    return SignalsFound(
        signals=tuple(_signal(moves, at, when, failure) for at, when in zip(named, began, strict=True)),
        candidates=candidates,
        no_candidates=no_candidates,
        unjudged=moves.measured.unjudged,
        looked_at=len(series),
        stretches=moves.gate.stretches,
        alarms=moves.gate.alarms,
        statement=_statement(moves, len(named)),
    )


def _candidates(moves: Moves, graph: CallGraph | None, symptom: Symptom | None) -> tuple[tuple[Candidate, ...], str]:
    """The candidates of the walk, or why there are none."""
    if graph is None or symptom is None:
        return (), f"no {'call graph' if graph is None else 'symptom'} was stated"
    return find_suspects(moves, graph, symptom)


def _begin(moves: Moves, at: int) -> Began | None:
    shift = moves.shifts[at]
    return begin_of(moves.series[shift.index], shift.direction, baseline=moves.baseline, incident=moves.incident)


def _failure(moves: Moves, symptom: Symptom | None, onset: Onset | None) -> Began:
    """The interval in which the failure began, as far as it is known."""
    if onset is not None:
        return Began(onset.best, onset.low, onset.high)
    own = moves.of_series(symptom.series) if symptom else []
    began = _begin(moves, own[0]) if own else None
    return began or Began(moves.incident.start, moves.incident.start, moves.incident.end)


def _signal(moves: Moves, at: int, began: Began | None, failure: Began) -> Signal:
    shift = moves.shifts[at]
    known = int(np.isfinite(shift.healthy).sum())
    return Signal(
        name=moves.title(at),
        score=shift.score,
        onset=began.best if began else None,
        direction=shift.direction,
        order=order_of(began, failure),
        statement=(
            f"from {shift.center:.4g} (the baseline's median) to {shift.level:.4g} (that of the worst {shift.taken} of "
            f"{shift.points} points): {shift.score:.3g} times the usual spread, where {known} healthy stretches reach "
            f"{shift.usual:.3g} at most"
        ),
        onset_low=began.low if began else None,
        onset_high=began.high if began else None,
        usual=shift.usual,
        harm=shift.harm,
        n=shift.points,
    )


def _statement(moves: Moves, named: int) -> str:
    left_out = len(moves.measured.unjudged)
    parts = [f"{named} of {len(moves.series) - left_out} series moved"]
    if left_out:
        parts.append(f"{left_out} more could not be judged")
    if moves.gate.stretches:
        parts.append(_compared(moves))
    loudest = moves.loudest()
    if loudest is not None:
        parts.append(_loud(moves, *loudest))
    if named > MOST_ONSETS:
        parts.append(f"when they began was asked of the {MOST_ONSETS} furthest")
    return "; ".join(parts)


def _compared(moves: Moves) -> str:
    """What the series were compared with, and how often that alone would have been named."""
    gate, stretches = moves.gate, moves.measured.stretches
    hours = f"{stretches.length / 3600:.3g} h{', at the same time of day' if stretches.by_clock else ''}"
    low, high = float(gate.margins.min()), float(gate.margins.max())
    times = f"{low:.3g} times" if high < 1.005 * low else f"{low:.3g} to {high:.3g} times"
    return (
        f"to be named, a series must go {times} as far as in any of {gate.stretches} healthy stretches of the baseline "
        f"({hours}); in {gate.alarms} of these, something would have been named"
    )


def _loud(moves: Moves, at: int, stretch: int) -> str:
    """The stretch that makes the margin wide, which may be a failure of its own."""
    start = datetime.fromtimestamp(int(moves.measured.stretches.starts[stretch]), UTC)
    times = float(moves.gate.healthy[at, stretch])
    return (
        f"in the stretch from {iso(start)}, {moves.title(at)} went {times:.3g} times as far as in any other: "
        "if that was a failure too, a baseline without it shows more"
    )
