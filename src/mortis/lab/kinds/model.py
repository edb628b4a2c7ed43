"""Faults of the model and its versions: which one serves, how its scores are decided upon, with which settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mortis.lab.bases.base import Base, Feature, Service
from mortis.lab.course import Shape
from mortis.lab.kinds.answers import has_models, is_judged, judged_worse, logit, rehearsal, rescored, scored_on
from mortis.lab.kinds.choosing import a_feature, a_machine, a_part, a_scope, machines_of
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.kinds.retraining import NEW, relied_on, retrained
from mortis.lab.traces import ChangeTrace, Traces
from mortis.lab.traffic import Bools, Columns, Floats, Traffic, in_scope, texts

_STEADY: tuple[Shape, ...] = ("abrupt", "gradual")

# --- M1, M6: another version


def promoted(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
    """The requests hit are routed to the new version, and the log names it."""
    new = texts(np.full(len(traffic), NEW))
    return replace(
        traffic,
        served_by=np.where(hit, new, traffic.served_by),
        version=np.where(hit, new, traffic.version),
    )


def _promotion(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    recipes = ("two stuck",) if severity == 1 else ("three stuck", "odd weeks")
    recipe = str(rng.choice(recipes[: 1 if service.base.task == "ranking" else None]))
    learned = retrained(service, recipe)
    why = "on the holiday weeks" if recipe == "odd weeks" else f"with the new export of {relied_on(service.base)[0]}"
    return Planted(
        "M1",
        {"routed": promoted},
        Traces(change=ChangeTrace("model", "model", f"{NEW} in place of {service.current}, trained {why}")),
        version=NEW,
        parameters={"version": NEW, "replaced": service.current, "trained": recipe},
        scope=a_scope(service, rng, severity),
        shapes=_STEADY,
        models={NEW: learned.model},
        training=learned.rows,
    )


def _objective(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    learned = retrained(service, "proxy")
    what = str(rng.choice(("opens", "early signals", "answers within the hour")))
    return Planted(
        "M6",
        {"routed": promoted},
        Traces(change=ChangeTrace("model", "model", f"{NEW} in place of {service.current}, learns from {what} too")),
        version=NEW,
        parameters={"version": NEW, "replaced": service.current},
        scope=a_scope(service, rng, severity),
        shapes=_STEADY,
        models={NEW: learned.model},
    )


# --- M2: a version that the log doesn't name


def _wrongly_served(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    if is_judged(service.base):
        return _misrouted(service, rng, severity)
    version = service.earlier
    scope = a_part(service, rng, severity)
    whose = f"replica {scope['replica']}" if "replica" in scope else "the replicas"
    settings = {"model": {"version": service.current, "image": f"model:{service.current}"}, "workers": 4}
    pinned = {"model": {"version": service.current, "image": f"model:{version}"}, "workers": 4}
    changes = (
        ChangeTrace("deploy", "model", f"{whose} started anew on the cached image"),
        ChangeTrace("config", "model", f"image of {whose} pinned", settings, pinned),
        ChangeTrace("deploy", "model", f"{whose} started anew", recorded=False),
    )
    return Planted(
        "M2",
        {"routed": _routed_to(version)},
        Traces(change=changes[int(rng.choice(3, p=(0.4, 0.4, 0.2)))]),
        version=version,
        parameters={"served": version, "logged": service.current},
        scope=scope,
    )


def _misrouted(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """A part of the requests to some machines is answered by a version that was made for other ones."""
    scope = a_machine(service, rng)
    (machines,) = scope.values()
    pools = {"pools": {machines: {"model": service.current, "weight": 10}}, "sticky": True}
    mixed = {"pools": {machines: {"model": "canary", "weight": 10}}, "sticky": True}
    return Planted(
        "M2",
        {"scored": judged_worse((0.8, 1.3, 2.0)[severity - 1])},
        Traces(change=ChangeTrace("config", "gateway", "pools balanced anew", pools, mixed)),
        parameters={"logged": service.current},
        scope=scope,
        share=float(rng.uniform(0.5, 0.9)),
    )


def _routed_to(version: str) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return replace(traffic, served_by=np.where(hit, texts(np.full(len(traffic), version)), traffic.served_by))

    return step


# --- M3: the decision rule


def _rule(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    if rng.random() < 0.5:
        return _threshold(service, rng, severity)
    return _calibration(service, rng, severity)


def _threshold(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    scope = a_scope(service, rng, severity)
    usual, score = service.base.threshold, rehearsal(service).traffic.score
    shift = rehearsal(service).enough(
        severity, scope, lambda by: rehearsal(service).fall(score, float(_shifted(np.array(usual), by)))
    )
    limit = round(float(_shifted(np.array(usual), shift * rng.uniform(1, 1.2))), 3)
    settings = {"model": {"version": service.current}, "decision": {"threshold": usual, "review_share": 0.02}}
    changed = {**settings, "decision": {"threshold": limit, "review_share": 0.02}}
    return Planted(
        "M3",
        {"decided": _decided_by(limit)},
        Traces(change=ChangeTrace("config", "model", "decision rule as agreed with the desk", settings, changed)),
        parameters={"threshold": limit, "before": usual},
        scope=scope,
        shapes=("abrupt",),
    )


def _decided_by(limit: float) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return replace(traffic, prediction=np.where(hit, traffic.score >= limit, traffic.prediction))

    return step


def _calibration(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Scores on another scale, so that what was the right threshold for them is so no more."""
    scope, score = a_scope(service, rng, severity), rehearsal(service).traffic.score
    shift = rehearsal(service).enough(severity, scope, lambda by: rehearsal(service).fall(_shifted(score, by)))
    shift *= float(rng.uniform(1, 1.2))
    return Planted(
        "M3",
        {"scored": rescored(lambda scores: _shifted(scores, shift))},
        Traces(change=ChangeTrace("deploy", "model", "scores calibrated anew on the last quarter")),
        parameters={"offset": shift},
        scope=scope,
        shapes=("abrupt",),
    )


def _shifted(score: Floats, shift: float) -> Floats:
    """Probabilities with so much added to their log odds."""
    return np.asarray(1 / (1 + np.exp(-logit(score) - shift)), dtype=np.float64)


# --- M4: settings


def _setting(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    base = service.base
    if is_judged(base):
        return _prompted(service, rng, severity)
    ways = [_capped] if base.of_kind("number") else []
    if base.task != "ranking":
        ways.append(_leaning)
    if base.task != "binary" and _within_queries(service):
        ways.append(_boosted)
    return ways[int(rng.integers(len(ways)))](service, rng, severity)


def _settings(service: Service, key: str, before: object, after: object) -> tuple[dict[str, object], dict[str, object]]:
    """The settings before and after a change of one key that matters; one that doesn't is changed along with it."""
    common: dict[str, object] = {"version": service.current, "workers": 4}
    return common | {"log_level": "info", key: before}, common | {"log_level": "warning", key: after}


def _configured(
    service: Service,
    rng: np.random.Generator,
    severity: Severity,
    step: Step,
    setting: tuple[str, object, float],
    features: tuple[str, ...] = (),
) -> Planted:
    key, before, after = setting
    return Planted(
        "M4",
        {"scored": step},
        Traces(change=ChangeTrace("config", "model", "settings tidied up", *_settings(service, key, before, after))),
        features=features,
        parameters={"key": key, "value": after},
        scope=a_scope(service, rng, severity),
        shapes=_STEADY,
    )


def _capped(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """A feature is cut at a most before it is scored, and logged as it came."""
    feature = a_feature(service, rng, "number").name
    values = rehearsal(service).traffic.columns[feature]
    most = float(np.round(np.nanquantile(values, (0.3, 0.15, 0.05)[severity - 1]), 4))

    def reading(traffic: Traffic, hit: Bools) -> Columns:  # noqa: ARG001
        return {feature: np.minimum(traffic.served[feature], most)}

    return _configured(
        service, rng, severity, scored_on(reading), (f"most_{feature}", float(np.nanmax(values)), most), (feature,)
    )


def _prompted(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """The same model is asked in another way: less effort, another prompt, fewer words."""
    keys: tuple[tuple[str, object, object], ...] = (
        ("effort", "high", "medium"),
        ("most_words", 400, 80),
        ("system_prompt", "prompts/answer-7.txt", "prompts/answer-8.txt"),
    )
    key, before, after = keys[int(rng.integers(len(keys)))]
    column = str(rng.choice([name for name in service.base.segments if name != machines_of(service.base)]))
    scope = {} if severity == 3 else {column: str(rng.choice(service.base.segments[column]))}
    return Planted(
        "M4",
        {"scored": judged_worse((0.35, 0.5, 0.7)[severity - 1])},
        Traces(change=ChangeTrace("config", "model", "settings tidied up", *_settings(service, key, before, after))),
        parameters={"key": key, "value": str(after)},
        scope=scope,
        shapes=_STEADY,
    )


def _leaning(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Every score leans on the usual one: the prior's weight is another."""
    prior = float(np.nanmean(rehearsal(service).traffic.score))
    weight = round(float(rng.uniform(0.75, 1.0)) * (0.35, 0.55, 0.8)[severity - 1], 2)
    step = rescored(lambda scores: (1 - weight) * scores + weight * prior)
    return _configured(service, rng, severity, step, ("prior_weight", 0.0, weight))


def _boosted(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """What has one value of a category is scored higher, by a bonus."""
    column = str(rng.choice(_within_queries(service)))
    value = str(rng.choice(sorted({one for one in rehearsal(service).traffic.columns[column] if one is not None})))
    bonus = float(np.nanstd(rehearsal(service).traffic.score)) * (1.0, 1.6, 2.4)[severity - 1]

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        there = hit & in_scope(traffic, {column: value})
        return replace(traffic, score=np.where(there, traffic.score + bonus, traffic.score))

    return _configured(service, rng, severity, step, (f"bonus_{value}", 0.0, round(bonus, 4)))


def _within_queries(service: Service) -> list[str]:
    """The categories in which the items of one query differ; all where there are no queries."""
    base, traffic = service.base, rehearsal(service).traffic
    names = [one.name for one in base.of_kind("category")]
    if not base.group:
        return names
    _, first, query = np.unique(traffic.columns[base.group].astype(str), return_index=True, return_inverse=True)
    return [name for name in names if (traffic.columns[name] != traffic.columns[name][first[query]]).any()]


def _a_value(base: Base, rng: np.random.Generator) -> tuple[str, str]:
    """A segment's column and one of its values, not that of replicas."""
    names = [name for name in base.segments if name != "replica"] or list(base.segments)
    name = str(rng.choice(names))
    return name, str(rng.choice(base.segments[name]))


# --- M5: parts that don't fit


def _likeness(base: Base) -> tuple[Feature, ...]:
    """The numbers that compare two things, or may be taken for such."""
    numbers = base.of_kind("number")
    named = tuple(one for one in numbers if "similar" in one.name)
    return named or numbers[:2]


def _incompatible(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Where items were encoded by an earlier encoder, what compares them with requests is low and means nothing."""
    likeness = _likeness(service.base)
    feature = likeness[int(rng.integers(len(likeness)))].name
    column, value = _old_items(service, rng)
    values = rehearsal(service).traffic.columns[feature]
    low, high = (float(np.nanquantile(values, share)) for share in (0.01, (0.2, 0.12, 0.06)[severity - 1]))
    return Planted(
        "M5",
        {"served": _meaningless(feature, low, high)},
        Traces(change=ChangeTrace("deploy", "features", "encoder 2.0 for requests; items stay as they are indexed")),
        features=(feature,),
        parameters={"items": value, "low": low, "high": high},
        scope={column: value},
        shapes=_STEADY,
    )


def _meaningless(feature: str, low: float, high: float) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        known = hit & ~np.isnan(traffic.served[feature])
        return traffic.with_served(feature, rng.uniform(low, high, len(traffic)), known)

    return step


def _old_items(service: Service, rng: np.random.Generator) -> tuple[str, str]:
    """A value that stands for the items indexed long ago, the commonest of a category, or else one of a segment."""
    found = service.base.of_kind("category")
    if not found:
        return _a_value(service.base, rng)
    name = found[int(rng.integers(len(found)))].name
    column = rehearsal(service).traffic.columns[name]
    values, counts = np.unique(np.array([one for one in column if one is not None], dtype=str), return_counts=True)
    return name, str(values[np.argmax(counts)])


KINDS = (
    Kind(
        "M1",
        "model",
        "a worse version was promoted",
        "a step where the log names a new version; the record of its promotion, with an odd training window",
        _promotion,
        has_models,
    ),
    Kind(
        "M2",
        "model",
        "another version serves than the log names",
        "scores of a replica, a region or all that only the earlier version gives; mostly a restart on record",
        _wrongly_served,
        lambda base: has_models(base) or (is_judged(base) and bool(machines_of(base))),
    ),
    Kind(
        "M3",
        "model",
        "the decision rule doesn't fit the scores",
        "decisions shift while scores stay, or scores while the threshold stays; the settings before and after",
        _rule,
        lambda base: has_models(base) and base.task == "binary",
    ),
    Kind(
        "M4",
        "model",
        "a setting of serving was changed",
        "scores that no version gives, the weights being the same; the settings before and after",
        _setting,
        lambda base: has_models(base) or is_judged(base),
    ),
    Kind(
        "M5",
        "model",
        "parts don't fit together: what is stored was encoded by another encoder",
        "a number is low and means nothing for items stored long ago, the others are as before; a release",
        _incompatible,
        lambda base: bool(base.of_kind("number")),
    ),
    Kind(
        "M6",
        "model",
        "a version learned to serve a proxy",
        "the log names a new version; mean score up, quality down; the record of its promotion",
        _objective,
        lambda base: has_models(base) and bool(base.of_kind("number")),
    ),
)
