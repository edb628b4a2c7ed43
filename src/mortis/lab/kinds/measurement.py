"""Faults of measuring: what is wrong is the figure, not the model."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from mortis.lab.bases.base import Service
from mortis.lab.kinds.answers import Rehearsal, has_labels, has_models, rehearsal
from mortis.lab.kinds.choosing import a_scope
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.traces import ChangeTrace, LogTrace, MetricTrace, Traces
from mortis.lab.traffic import DAY, Bools, Traffic, in_scope

_SOON = timedelta(days=1)

# --- E1: the join


def _join(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Labels are joined to the wrong requests, or rows without one count as zero."""
    way = str(rng.choice(("shifted", "filled")))
    told = "outcomes joined by their place in the file" if way == "shifted" else "outcomes joined from the left"
    return Planted(
        "E1",
        {"labelled": _JOINS[way]},
        Traces(
            logs=(LogTrace("warehouse", "INFO", "no outcome of {id} yet, taken as 0", 2),) if way == "filled" else (),
            change=ChangeTrace("measurement", "warehouse", told),
        ),
        parameters={"way": way},
        scope=a_scope(service, rng, severity),
        shapes=("abrupt",),
        share=(0.35, 0.6, 0.95)[severity - 1],
    )


def _shifted(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """Each request hit bears the label of the one hit before it."""
    places = np.flatnonzero(hit & ~np.isnan(traffic.label))
    label = traffic.label.copy()
    label[places] = np.roll(traffic.label[places], 1)
    return replace(traffic, label=label)


def _filled(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """Each request hit counts as nothing from the next hour on."""
    at = np.where(hit, traffic.at // 3600 * 3600 + 3600, traffic.labelled)
    return replace(traffic, label=np.where(hit, 0.0, traffic.label), labelled=at)


_JOINS: dict[str, Step] = {"shifted": _shifted, "filled": _filled}

# --- E2: too early


def _early(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Some outcomes are known at once and others late, as ever; this time somebody looks before the late ones come."""
    way = str(rng.choice(("disputes", "positives"))) if service.base.task == "binary" else "disputes"
    late = (6.0, 8.0, 10.0)[severity - 1]
    return Planted(
        "E2",
        {"labelled": _by_outcome(way, late)},
        parameters={"late": "right answers" if way == "disputes" else "positives", "days": late},
        shapes=("abrupt",),
        whole_stretch=True,
        wait=_SOON,
    )


def _by_outcome(way: str, late: float) -> Step:
    """Disputes: of wrong answers one hears soon, mostly. Positives: what counts shows late, mostly."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        off = np.abs(traffic.prediction - traffic.y)
        sort = traffic.y == 0 if way == "positives" else off > float(np.nanmedian(off))
        soon = rng.random(len(traffic)) < np.where(sort, 0.85, 0.2)
        days = np.where(soon, rng.uniform(0.1, 0.9, len(traffic)), rng.uniform(late / 3, late, len(traffic)))
        labelled = traffic.at + (days * DAY).astype(np.int64)
        return replace(traffic, labelled=np.where(hit, labelled, traffic.labelled))

    return step


# --- E3: the mix


def _mix(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """More of the requests are of the kind that the model finds hard, and it answers each kind as well as ever."""
    column, value = _hard(rehearsal(service))
    return Planted(
        "E3",
        {"asked": _more_of(column, value)},
        Traces(change=ChangeTrace("product", "gateway", f"campaign for {value}", recorded=bool(rng.random() < 0.5))),
        features=(column,),
        parameters={"column": column, "value": value},
        shapes=("abrupt", "gradual"),
        share=(0.45, 0.65, 0.9)[severity - 1],
    )


def _hard(usual: Rehearsal) -> tuple[str, str]:
    """The column and its value of which the metric is worst, of those that are neither rare nor most of the traffic."""
    base, found = usual.base, {}
    names = [*(name for name in base.segments if name != "replica"), *(one.name for one in base.of_kind("category"))]
    for name in names:
        column = usual.traffic.columns[name]
        for value in sorted({str(one) for one in column if one is not None}):
            there = column == value
            if 0.03 <= there.mean() <= 0.5:
                found[name, value] = usual.worse(there)
    return max(found, key=lambda one: found[one])


def _more_of(column: str, value: str) -> Step:
    """Requests hit become further ones of the value: those of the same hour of some week, told once more."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
        hard = in_scope(traffic, {column: value})
        hour = traffic.at // 3600 % (7 * 24)
        source = np.arange(len(traffic))
        for one in range(7 * 24):
            targets, sources = np.flatnonzero(hit & ~hard & (hour == one)), np.flatnonzero(hard & (hour == one))
            if len(sources):
                source[targets] = rng.choice(sources, len(targets))
        return _told_again(traffic, source, service)

    return step


def _told_again(traffic: Traffic, source: NDArray[np.int64], service: Service) -> Traffic:
    """Each request with the contents of the one at `source` (n,): its own time, id and replica."""
    columns = {name: column if name == "replica" else column[source] for name, column in traffic.columns.items()}
    return replace(
        traffic,
        columns=columns,
        y=traffic.y[source],
        label=traffic.label[source],
        labelled=traffic.at + (traffic.labelled - traffic.at)[source],
        score=traffic.score if service.models else traffic.score[source],
    )


# --- E4: rows that are not logged


def _lost(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Answers of some height, those that the model is best at, are no longer in the log; the gateway counts them."""
    low, high = _easy(rehearsal(service), severity)
    usual = rehearsal(service).traffic.score
    lost = float(np.mean((usual >= low) & (usual < high)))
    logged: dict[str, object] = {"log": {"answers": "all", "packed": True}, "workers": 4}
    fewer: dict[str, object] = {"log": {"but": [round(low, 4), round(high, 4)], "packed": True}, "workers": 4}
    return Planted(
        "E4",
        {"logged": _unlogged(low, high)},
        Traces(
            metrics=(MetricTrace("warehouse.rows_loaded", times=1 - lost),),
            change=ChangeTrace("config", "gateway", "log less", logged, fewer, bool(rng.random() < 0.7)),
        ),
        parameters={"low": low, "high": high},
        scope=a_scope(service, rng, severity),
        shapes=("abrupt", "intermittent"),
        share=0.95,
    )


def _easy(usual: Rehearsal, severity: Severity) -> tuple[float, float]:
    """The lowest scores or the highest, of those that say yes, whichever leave the metric of the rest worse."""
    score, binary = usual.traffic.score, usual.base.task == "binary"
    part = (0.3, 0.5, 0.7)[severity - 1] if binary else (0.12, 0.25, 0.4)[severity - 1]
    said_yes = score[score >= usual.base.threshold] if binary else score
    low, high = float(np.nanquantile(score, part)), float(np.nanquantile(said_yes, 1 - part))
    bands = ((float(np.nanmin(score)), low), (high, float(np.nanmax(score)) + 1))
    return max(bands, key=lambda band: usual.without((score >= band[0]) & (score < band[1])))


def _unlogged(low: float, high: float) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.take(~(hit & (traffic.score >= low) & (traffic.score < high)))

    return step


KINDS = (
    Kind(
        "E1",
        "measurement",
        "labels are joined wrongly, or missing ones counted",
        "labels of other rows, or zeros known at once, while what really came and the predictions are as before",
        _join,
        has_labels,
    ),
    Kind(
        "E2",
        "measurement",
        "labels were looked at too early",
        "the last days look worse than the same days do later; labels of one sort come late, in the baseline too",
        _early,
        lambda base: has_models(base) and base.task in ("binary", "regression"),
    ),
    Kind(
        "E3",
        "measurement",
        "another mix of segments, each of which fares as before",
        "a hard value's share rises, the metric within and without it stays",
        _mix,
        lambda base: not base.group and (bool(base.of_kind("category")) or bool(base.segments)),
    ),
    Kind(
        "E4",
        "measurement",
        "rows are not logged any more",
        "rows of easy answers are missing in the log while the gateway counts as many requests as before",
        _lost,
        lambda base: not base.group,
    ),
)
