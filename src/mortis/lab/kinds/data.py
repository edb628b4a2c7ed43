"""Faults of the data pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from mortis.lab.bases.base import Base, Feature, Service
from mortis.lab.kinds.choosing import a_feature, a_scope, judged, known, one_of, relies_on, vocabulary
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.traces import ChangeTrace, LogTrace, MetricTrace, Traces
from mortis.lab.traffic import DAY, Bools, Column, Traffic, in_scope

_FACTORS = (0.001, 0.01, 1 / 60, 0.3048, 1.609344, 2.54, 60.0, 100.0, 1000.0)
_SENTINELS = (-1.0, 0.0, 999.0, 1970.0)
_UNIT_KINDS = ("factor", "factor", "offset", "affine", "log")


# --- D1: missing at the source


def _missing(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = a_feature(service, rng, "number", "category")
    scope = a_scope(service, rng, severity)
    imputed = bool(rng.random() < 0.4)
    value = _usual(service, feature) if imputed else _null(feature)
    release = f"{feature.name} left out of the new form"
    change = ChangeTrace("deploy", "features", release)
    if rng.random() < 0.5:
        before = _columns(service)
        after = {name: type_ for name, type_ in before.items() if name != feature.name}
        change = ChangeTrace("schema", "features", release, before, after)
    plus = 0.03 if scope else 0.1
    return Planted(
        "D1",
        {"served": _served(feature.name, lambda values: np.full(len(values), value, values.dtype))},
        Traces(
            (MetricTrace("features.error_rate", plus=plus),),
            (LogTrace("features", "WARN", f"field {feature.name} missing for {{id}}"),),
            change,
        ),
        features=(feature.name,),
        parameters={"value": value} if imputed and value is not None else {},
        scope=scope,
    )


def _usual(service: Service, feature: Feature) -> float | str:
    """What a feed puts in for a missing value: the mean of a number, the commonest category."""
    if feature.kind == "category":
        values, shares = vocabulary(service, feature.name)
        return values[int(np.argmax(shares))]
    return float(np.round(known(service, feature.name).mean(), 4))


def _null(feature: Feature) -> float | None:
    return None if feature.kind == "category" else float("nan")


# --- D2: a sentinel


def _sentinel(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = a_feature(service, rng, "number")
    legal = feature.default if isinstance(feature.default, float) else _SENTINELS[0]
    value = float(rng.choice((*_SENTINELS, legal)))
    share = (0.35, 0.6, 0.9)[severity - 1] * float(rng.uniform(0.9, 1.1))
    return Planted(
        "D2",
        {"served": _served(feature.name, lambda values: np.full(len(values), value))},
        Traces(
            (
                MetricTrace("features.error_rate", plus=0.25 * share),
                MetricTrace("features.latency_p99_ms", times=2.5),
                MetricTrace("warehouse.cpu_percent", times=1.6),
            ),
            (LogTrace("features", "ERROR", f"rpc to the source of {feature.name} failed for {{id}}: UNAVAILABLE"),),
        ),
        features=(feature.name,),
        parameters={"value": value},
        scope=a_scope(service, rng, severity),
        share=min(share, 1.0),
    )


# --- D3: another unit


def _unit(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = a_feature(service, rng, "number")
    values = known(service, feature.name)
    how = str(rng.choice(_UNIT_KINDS))
    if how == "log" and (values.min() < 0 or np.median(values) < 2):
        how = "factor"  # of shares and of what can be negative nobody takes the logarithm
    factor, offset = 1.0, 0.0
    if how == "affine":
        factor, offset = 1.8, 32.0
    if how == "offset":
        sign = 1 if rng.random() < 0.5 else -1
        offset = sign * _rounded((0.7, 1.2, 2.0)[severity - 1] * float(values.std()))
    if how == "factor":
        factor = float(rng.choice(feature.units or _FACTORS))
    summary = f"{feature.name} in the unit of the provider's new interface"
    return Planted(
        "D3",
        {"served": _served(feature.name, np.log1p if how == "log" else lambda values: values * factor + offset)},
        Traces(
            logs=(
                LogTrace(
                    "features",
                    "WARN",
                    f"value of {feature.name} for {{id}} is {{{feature.name}}}, outside the usual range",
                ),
            ),
            change=ChangeTrace("deploy", "features", summary),
        ),
        features=(feature.name,),
        parameters=dict(_map(how, factor, offset)),
        scope=a_scope(service, rng, severity),
    )


def _map(how: str, factor: float, offset: float) -> Iterator[tuple[str, float | str]]:
    if how == "log":
        yield "function", "log1p"
    if factor != 1:
        yield "factor", factor
    if offset:
        yield "offset", offset


def _rounded(value: float) -> float:
    """The value with two digits, as people choose figures."""
    return float(f"{value:.1e}")


# --- D4: another vocabulary or type


def _vocabulary(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = one_of(tuple(one for one in service.base.of_kind("category", "number") if _recodable(one)), rng)
    if feature.kind == "number":
        return _cast(service, feature, a_scope(service, rng, severity))
    values, shares = vocabulary(service, feature.name)
    how = str(rng.choice(("capitals", "codes", "renamed")))
    new = {value: value.upper() for value in values}
    if how == "codes" or list(new) == list(new.values()):
        new = {value: f"{feature.name[:1].upper()}{place:02d}" for place, value in enumerate(values, 1)}
    elif how == "renamed":
        # Replaced are some of the common values, more of them where it is to be harsh.
        most = max(1, round(len(values) * (0.3, 0.5, 0.8)[severity - 1]))
        chosen = rng.choice(len(values), min(most, len(values)), replace=False, p=shares)
        new = {values[place]: f"{values[place]} (new)" for place in sorted(chosen.tolist())}
    return _recoded(
        service,
        feature,
        {"served": _served(feature.name, lambda column: replaced(column, new))},
        dict(new),
        a_scope(service, rng, severity),
        _enumerated(values, [new.get(value, value) for value in values]),
        LogTrace("features", "WARN", f"unknown value {{{feature.name}}} of {feature.name} for {{id}}"),
    )


def _cast(service: Service, feature: Feature, scope: Mapping[str, str]) -> Planted:
    return _recoded(
        service,
        feature,
        {"served": _served(feature.name, np.trunc)},
        {"cast": "integer"},
        scope,
        ("number", "integer"),
        LogTrace("features", "WARN", f"{feature.name} of {{id}} parsed as integer: {{{feature.name}}}"),
    )


def _recoded(
    service: Service,
    feature: Feature,
    steps: Mapping[str, Step],
    parameters: Mapping[str, float | str],
    scope: Mapping[str, str],
    types: tuple[object, object],
    line: LogTrace,
) -> Planted:
    """A field of another vocabulary or type, by a change of the schema from the one type to the other."""
    before, after = ({**_columns(service), feature.name: type_} for type_ in types)
    change = ChangeTrace("schema", "features", f"{feature.name} as the new payload has it", before, after)
    return Planted(
        "D4",
        {"served": steps["served"]},
        Traces((MetricTrace("features.error_rate", plus=0.01),), (line,), change),
        features=(feature.name,),
        parameters=parameters,
        scope=scope,
    )


def _recodable(feature: Feature) -> bool:
    """Whether it has a vocabulary, or is a share, of which a whole number keeps nothing."""
    return feature.kind == "category" or feature.units == (100.0,)


def _enumerated(before: list[str], after: list[str]) -> tuple[object, object]:
    return {"type": "string", "enum": before}, {"type": "string", "enum": after}


def replaced(column: Column, by: Mapping[str, str]) -> Column:
    """A category's values (n,), each replaced by the one that stands for it, and as it is where none does."""
    return np.array([by.get(value, value) for value in column], dtype=object)


# --- D5: stale


def _stale(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    feature = a_feature(service, rng, "number", "category")
    by = next(iter(service.base.segments), "")
    hours = int(rng.choice((6, 12, 24, 48)))
    frozen = bool(rng.random() < 0.5)
    step = _frozen(feature.name, by, hours) if frozen else _carried(feature.name, by, hours)
    age = MetricTrace("features.lag_seconds", daily=float(DAY)) if frozen else _lag(hours)
    return Planted(
        "D5",
        {"served": step},
        Traces(
            (age,),
            (LogTrace("warehouse", "INFO", f"job refresh_{feature.name} finished: success, 0 rows changed", hourly=1),),
            ChangeTrace("config", "warehouse", f"refresh_{feature.name} moved to the new scheduler")
            if rng.random() < 0.4
            else None,
        ),
        features=(feature.name,),
        parameters={"values": "frozen at the onset" if frozen else "renewed at times", "hours": float(hours)},
        scope=a_scope(service, rng, severity),
        shapes=("abrupt", "gradual"),
        offline=bool(rng.random() < 0.5),
    )


def _lag(hours: int) -> MetricTrace:
    return MetricTrace("features.lag_seconds", plus=hours * 1800.0)


def _frozen(feature: str, by: str, hours: int) -> Step:
    """Each request hit is served the value of a request from the last hours before the onset, of its own segment."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        since = traffic.at[hit].min(initial=np.iinfo(np.int64).max)
        earlier = (traffic.at < since) & (traffic.at >= since - hours * 3600)
        values = traffic.served[feature].copy()
        for mine in _parts(traffic, by):
            pool, places = np.flatnonzero(mine & earlier), np.flatnonzero(mine & hit)
            if len(pool):
                values[places] = values[rng.choice(pool, len(places))]
        return traffic.with_served(feature, values, hit)

    return step


def _carried(feature: str, by: str, hours: int) -> Step:
    """Each is served the last value of its segment from before the latest renewal, which comes every so many hours."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        renewed = traffic.at // (hours * 3600) * hours * 3600
        values = traffic.served[feature].copy()
        for mine in _parts(traffic, by):
            places = np.flatnonzero(mine)
            last = np.searchsorted(traffic.at[places], renewed[places]) - 1
            values[places] = traffic.served[feature][places[np.maximum(last, 0)]]
        return traffic.with_served(feature, values, hit)

    return step


def _parts(traffic: Traffic, by: str) -> Iterator[Bools]:
    """A mask (n,) for the requests of each value of a segment; one for all where there is none."""
    if not by:
        yield np.ones(len(traffic), bool)
        return
    for value in np.unique(traffic.columns[by].astype(str)):
        yield in_scope(traffic, {by: str(value)})


# --- D6: a join that fails


def _unjoined(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Some requests find no partner in a join: most of them go on without its features, the others aren't written."""
    first = a_feature(service, rng, "number", "category")
    rest = [one for one in service.base.of_kind("number", "category") if one != first]
    more = rng.permutation(len(rest))[: int(rng.integers(1, 3))].tolist()
    features = (first, *(rest[place] for place in more))
    scope = a_scope(service, rng, severity)
    share = (0.5, 0.7, 0.95)[severity - 1]
    lost = float(np.round(rng.uniform(0.25, 0.5), 2))
    reach = _share_of(service, scope) * share
    table = "profiles" if rng.random() < 0.5 else "accounts"

    def unfilled(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        for one in features:
            nulls = np.full(len(traffic), _null(one), traffic.served[one.name].dtype)
            traffic = traffic.with_served(one.name, nulls, hit)
        return traffic

    def unwritten(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.take(~(hit & (rng.random(len(traffic)) < lost)))

    return Planted(
        "D6",
        {"served": unfilled, "logged": unwritten},
        Traces(
            (
                MetricTrace("features.rows_written", times=1 - reach * lost),
                MetricTrace("warehouse.rows_loaded", times=1 - reach),
            ),
            (LogTrace("features", "WARN", f"join with {table} found no row for {{id}}"),),
            ChangeTrace("data", "warehouse", f"partitions of {table} come from the new cluster"),
        ),
        features=tuple(one.name for one in features),
        parameters={"lost": lost, "table": table},
        scope=scope,
        share=share,
    )


def _share_of(service: Service, scope: Mapping[str, str]) -> float:
    return float(in_scope(service.past, scope).mean()) if service.past else 1.0


# --- D7: delivered twice


def _repeated(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Answers that weren't acknowledged are delivered again, as they are: of hard cases more than of others."""
    hard, easy = (0.5, 0.75, 0.9)[severity - 1], 0.08
    most = int(rng.integers(2, 4))

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
        chance = np.where(_hardest(traffic, service.base), hard, easy)
        again = np.where(hit & (rng.random(len(traffic)) < chance), rng.integers(1, most + 1, len(traffic)), 0)
        return traffic.take(np.repeat(np.arange(len(traffic)), 1 + again))

    more = 1 + 0.35 * hard * most / 2
    return Planted(
        "D7",
        {"logged": step},
        Traces(
            (
                MetricTrace("features.rows_written", times=more),
                MetricTrace("warehouse.rows_loaded", times=more),
                MetricTrace("model.memory_mib", times=1.15),
            ),
            (LogTrace("gateway", "WARN", "no acknowledgement for {id}, delivered again"),),
            ChangeTrace("config", "gateway", "deliver at least once") if rng.random() < 0.6 else None,
        ),
        parameters={"most": float(most)},
        scope=a_scope(service, rng, severity),
    )


def _hardest(traffic: Traffic, base: Base) -> Bools:
    """The requests that were answered worst: wrongly, or by the largest fifth of all errors."""
    error = np.abs(np.nan_to_num(traffic.prediction - traffic.y))
    return error > 0 if base.task == "binary" else error > np.quantile(error, 0.8)


# --- D8: a corrupted reference


def _reference(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """A derived feature is worked out with wrong statistics of its segment, or with the wrong edges of its buckets."""
    feature = a_feature(service, rng, "number")
    values = known(service, feature.name)
    by, parts = _statistics_by(service)
    strength = (0.8, 1.3, 2.0)[severity - 1]
    if parts and rng.random() < 0.6:
        shifts = _shifts(parts, strength * float(values.std()), rng)
        step, about = _shifted(feature.name, by, shifts), {"by": by} | shifts
    else:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, 9)))
        moved = int(rng.choice((-1, 1))) * (2, 3, 4)[severity - 1]
        step = _served(feature.name, lambda column: _bucketed(column, edges, moved))
        about = {"by": "bucket", "moved": float(moved)}
    table = f"{feature.name}_statistics"
    return Planted(
        "D8",
        {"served": step},
        Traces(
            (MetricTrace("warehouse.cpu_percent", times=1.15),),
            (LogTrace("features", "INFO", f"{feature.name} of {{id}} worked out with {table} 2", hourly=2),),
            ChangeTrace("data", "warehouse", f"{table} worked out anew"),
        ),
        features=(feature.name,),
        parameters=about,
        shapes=("abrupt", "gradual"),
    )


def _statistics_by(service: Service) -> tuple[str, tuple[str, ...]]:
    """The column by whose values statistics are kept, and these: the first segment, or a category of a query's items.

    What is the same for all of a query's items wouldn't change their order.
    """
    base = service.base
    if base.task != "ranking":
        return next(iter(base.segments.items()), ("", ()))
    categories = base.of_kind("category")
    return (categories[0].name, tuple(vocabulary(service, categories[0].name)[0])) if categories else ("", ())


def _shifts(segments: tuple[str, ...], size: float, rng: np.random.Generator) -> dict[str, float | str]:
    """By how much each value's statistics are off: some too high, some too low."""
    signs = np.where(rng.permutation(len(segments)) % 2, 1.0, -1.0)
    by = signs * size * rng.uniform(0.8, 1.3, len(segments))
    return {name: _rounded(float(one)) for name, one in zip(segments, by, strict=True)}


def _shifted(feature: str, segment: str, shifts: Mapping[str, float | str]) -> Step:
    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        by = np.array([shifts.get(value, 0.0) for value in traffic.columns[segment]], dtype=np.float64)
        return traffic.with_served(feature, traffic.served[feature] + by, hit)

    return step


def _bucketed(column: Column, edges: Column, moved: int) -> Column:
    """Each value's bucket by wrong edges: it gets the middle of the bucket so many further up or down."""
    middles = (edges[1:] + edges[:-1]) / 2
    place = np.clip(np.searchsorted(edges, column, side="right") - 1 + moved, 0, len(middles) - 1)
    return np.where(np.isnan(column), np.nan, middles[place])


# --- all


def _served(feature: str, change: Callable[[Column], Column]) -> Step:
    """Serves other values of a feature, worked out from those that would be served."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return traffic.with_served(feature, change(traffic.served[feature]), hit)

    return step


def _columns(service: Service) -> dict[str, object]:
    """The payload's columns with their types."""
    return {one.name: "string" if one.kind == "category" else "number" for one in service.base.features}


KINDS = (
    Kind(
        "D1",
        "data",
        "a field is missing at its source, or filled with one usual value",
        "nulls or one value in one segment's feed or all; warnings of a missing field; a release or changed schema",
        _missing,
        relies_on("number", "category"),
    ),
    Kind(
        "D2",
        "data",
        "a sentinel such as -1 or 1970 is taken for a value",
        "one value gains mass while errors and latency of the upstream call rise; errors in the log; no change",
        _sentinel,
        relies_on("number"),
    ),
    Kind(
        "D3",
        "data",
        "a feature is served in another unit or on another scale",
        "its quantiles follow one map and its ranks stay; a warning of values out of range; a release of its feed",
        _unit,
        relies_on("number"),
    ),
    Kind(
        "D4",
        "data",
        "a field has another vocabulary or type",
        "values that training never had, or shares cut to whole numbers; warnings; the schema before and after",
        _vocabulary,
        lambda base: base.past is not None and any(_recodable(one) for one in base.of_kind("category", "number")),
    ),
    Kind(
        "D5",
        "data",
        "a feed is no longer renewed, or too seldom",
        "values from before are repeated; the age of features grows; the job says success",
        _stale,
        relies_on("number", "category"),
    ),
    Kind(
        "D6",
        "data",
        "a join finds no partner: its features are missing, and some rows are never written",
        "nulls in all of the join's features at once; fewer rows written and loaded, requests as ever; warnings",
        _unjoined,
        # A query of which some items are lost is an easier one: its metric would rise.
        lambda base: judged(base) and len(base.of_kind("number", "category")) > 1,
    ),
    Kind(
        "D7",
        "data",
        "rows are delivered more than once",
        "ids repeat, hard cases' most; more rows written and loaded, requests as ever; warnings of a second delivery",
        _repeated,
        judged,
    ),
    Kind(
        "D8",
        "data",
        "a derived feature is worked out with a corrupted reference",
        "one feature shifts, by segment or bucket, and the others don't; a table of statistics worked out anew",
        _reference,
        relies_on("number"),
    ),
)
