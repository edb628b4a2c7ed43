"""Faults of labels and of what is learned from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mortis.lab.bases.base import Service
from mortis.lab.kinds.answers import has_labels, rehearsal
from mortis.lab.kinds.choosing import a_feature, a_scope
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.kinds.model import promoted
from mortis.lab.kinds.retraining import NEW, retrained
from mortis.lab.traces import ChangeTrace, MetricTrace, Traces
from mortis.lab.traffic import Bools, Floats, Traffic

# --- L1: another definition


def _break(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """What is recorded is the opposite of what came, or counts by another definition."""
    if rng.random() < 0.5:
        return Planted(
            "L1",
            {"labelled": _flipped},
            Traces(change=ChangeTrace("label", "warehouse", "outcomes from the new agency")),
            parameters={"way": "flipped"},
            scope=a_scope(service, rng, severity),
            shapes=("abrupt",),
            share=(0.3, 0.5, 0.85)[severity - 1],
        )
    feature = a_feature(service, rng, "number").name if service.base.of_kind("number") else ""
    return Planted(
        "L1",
        {"labelled": _redefined(service, feature, severity)},
        Traces(change=ChangeTrace("label", "warehouse", "outcomes by the new handbook")),
        features=(feature,) if feature else (),
        parameters={"way": "redefined"},
        scope=a_scope(service, rng, severity),
        shapes=("abrupt",),
    )


def _recorded(traffic: Traffic, label: Floats, hit: Bools) -> Traffic:
    """The same requests, recorded with these labels where the mask holds and there is one."""
    return replace(traffic, label=np.where(hit & ~np.isnan(traffic.label), label, traffic.label))


def _flipped(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    usual = rehearsal(service).traffic.label
    return _recorded(traffic, float(np.nanmin(usual)) + float(np.nanmax(usual)) - traffic.label, hit)


def _redefined(service: Service, feature: str, severity: Severity) -> Step:
    """What counts, counts only where a feature is high too, or low; a figure is a smaller part of what it was."""
    usual = rehearsal(service)
    part = (0.75, 0.6, 0.45)[severity - 1]

    def where(values: Floats, sign: float) -> Bools:
        least = np.nanquantile(sign * usual.traffic.columns[feature], 1 - part)
        return np.asarray(sign * values > least, dtype=bool)

    def fall(sign: float) -> float:
        return usual.relabelled(np.where(where(usual.traffic.columns[feature], sign), usual.traffic.label, 0.0))

    by_figure = service.base.task == "regression" or not feature
    sign = 1.0 if by_figure else max((-1.0, 1.0), key=fall)

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        if by_figure:
            return _recorded(traffic, traffic.label * part, hit)
        return _recorded(traffic, np.where(where(traffic.columns[feature], sign), traffic.label, 0.0), hit)

    return step


# --- L2: labels where the model acted


def _selective(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Outcomes are known only of requests that were acted upon, or only of those that were not, bar a few."""
    known = (0.3, 0.12, 0.02)[severity - 1]
    acted = service.base.metric not in ("f1", "recall") or rng.random() < 0.5
    told = "outcomes are followed up for alarms only" if acted else "stopped requests are not followed up any more"
    usual = float(np.mean(rehearsal(service).traffic.score >= service.base.threshold))
    lost = (1 - known) * (1 - usual if acted else usual)
    return Planted(
        "L2",
        {"labelled": _known_of(1.0 if acted else 0.0)},
        Traces(
            metrics=(MetricTrace("warehouse.labels_per_hour", times=1 - lost),),
            change=ChangeTrace("label", "warehouse", told),
        ),
        parameters={"labelled": "acted upon" if acted else "not acted upon", "others": known},
        scope=a_scope(service, rng, severity),
        shapes=("abrupt",),
        share=1 - known,
        metric="accuracy" if acted else "",
    )


def _known_of(prediction: float) -> Step:
    """Of the requests hit, only those with this prediction have a label."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return replace(traffic, label=np.where(hit & (traffic.prediction != prediction), np.nan, traffic.label))

    return step


# --- L3: the incident trains the next model


def _contaminated(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """The version learned from the rows of an earlier incident: flipped labels, or a feature in another unit."""
    recipes = ("flipped", "scaled") if service.base.of_kind("number") else ("flipped",)
    recipe = str(rng.choice(recipes))
    learned = retrained(service, recipe)
    feature = service.base.of_kind("number")[0].name if recipe == "scaled" else ""
    what = f"the weeks of the incident with {feature}" if feature else "the weeks of the incident with labels"
    return Planted(
        "L3",
        {"routed": promoted},
        Traces(change=ChangeTrace("model", "model", f"{NEW} in place of {service.current}, retrained, with {what}")),
        features=(feature,) if feature else (),
        version=NEW,
        parameters={"version": NEW, "replaced": service.current, "trained": recipe},
        scope=a_scope(service, rng, severity),
        shapes=("abrupt", "gradual"),
        models={NEW: learned.model},
        training=learned.rows,
    )


KINDS = (
    Kind(
        "L1",
        "labels",
        "labels are flipped, or by another definition",
        "the share of positives or the labels' level steps while predictions are as before; a change of labels",
        _break,
        has_labels,
    ),
    Kind(
        "L2",
        "labels",
        "labels only where the model acted, or only where it didn't",
        "labels are missing by decision; fewer labels an hour; a change of labels",
        _selective,
        lambda base: has_labels(base) and base.task == "binary",
    ),
    Kind(
        "L3",
        "labels",
        "an incident's rows trained the next version",
        "a step where the log names a new version; its training table holds the incident; the record of its promotion",
        _contaminated,
        has_labels,
    ),
)
