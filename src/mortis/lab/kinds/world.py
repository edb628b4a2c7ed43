"""The world changed: who asks, what comes of it, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mortis.lab.bases.base import Base, Feature, Service
from mortis.lab.kinds.choosing import a_feature, judged, known, vocabulary, years_after
from mortis.lab.kinds.kind import Kind, Planted, Severity, Step
from mortis.lab.kinds.regions import Region, a_region, harder_regions
from mortis.lab.traces import ChangeTrace, MetricTrace, Traces
from mortis.lab.traffic import DAY, YEAR, Bools, Column, Floats, Traffic, joined, texts

_CHOICES = 4
_GRID = 24


# --- W1: a population grows


def _grown(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """More requests of a region in which the model was never good; each comes out as such requests always did."""
    times = int(rng.integers(*((4, 6), (6, 9), (9, 13))[severity - 1]))
    harder = harder_regions(service, (0.12, 0.2, 0.3)[severity - 1], times=times)[:_CHOICES]
    gains = np.maximum([worse for _, worse in harder], 1e-6) ** 2
    region = harder[int(rng.choice(len(harder), p=gains / gains.sum()))][0]
    is_segment = region.column in service.base.segments
    scope = {region.column: region.value} if is_segment else {}
    inside = region.holds(service.past.columns).mean() if service.past else 0.0
    more = 1 + float(inside) * (times - 1)
    launch = ChangeTrace("product", "gateway", f"campaign for {region}")
    return Planted(
        "W1",
        {"asked": _with_more(region, times)},
        Traces(
            (
                MetricTrace("gateway.requests_per_minute", times=more),
                MetricTrace("features.rows_written", times=more),
                MetricTrace("warehouse.rows_loaded", times=more),
            ),
            change=launch if rng.random() < 0.5 else None,
        ),
        features=() if is_segment else (region.column,),
        parameters={"region": str(region), "times": float(times)},
        scope=scope,
        shapes=("abrupt", "gradual"),
    )


def _with_more(region: Region, times: int) -> Step:
    """So many times the region's requests: further ones like those of all days, at the same hour of another."""

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        inside = region.holds(traffic.columns)
        wanted = np.repeat(traffic.at[inside & hit], times - 1)
        like = traffic.take(rng.choice(np.flatnonzero(inside), len(wanted)))
        moved = np.round((wanted - like.at) / DAY).astype(np.int64) * DAY
        fresh = _fresh_ids(traffic.ids, len(like), rng)
        more = replace(like, ids=fresh, at=like.at + moved, labelled=like.labelled + moved)
        first = traffic.at[hit].min(initial=traffic.at[-1])
        return joined(traffic, more.take((more.at >= first) & (more.at <= traffic.at[-1])))

    return step


def _fresh_ids(ids: NDArray[np.object_], n: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """So many ids like the others, that none of them has."""
    prefix = re.sub(r"\d+$", "", str(ids[0]))
    taken = np.char.lstrip(np.char.replace(ids.astype(str), prefix, ""), "-")
    numbers = max((int(one) for one in taken if one.isdigit()), default=0) + 1 + rng.permutation(n)
    return texts(np.char.add(prefix, numbers.astype(str)))


# --- what comes of requests


@dataclass(frozen=True, slots=True)
class Drift:
    """Outcomes rise or fall: the class of this part (0..1) of them, a figure by this part of itself."""

    rises: bool
    amount: float

    def of(self, traffic: Traffic, where: Bools, base: Base, rng: np.random.Generator) -> Traffic:
        """The same requests, with other outcomes where the mask holds; what is never recorded stays so."""
        if base.task == "binary":
            turned = rng.random(len(traffic)) < self.amount
            y = np.where(where & turned, float(self.rises), traffic.y)
        else:
            factor = 1 + self.amount if self.rises else 1 / (1 + self.amount)
            y = np.where(where, traffic.y * factor, traffic.y)
        label = np.where(where & ~np.isnan(traffic.label), y, traffic.label)
        return replace(traffic, y=y, label=label)


def _drift(service: Service, rng: np.random.Generator, amount: float) -> Drift:
    """Either way; where the positive class is rare, its rise is in proportion to that."""
    rises = bool(rng.random() < 0.5)
    if service.base.task == "binary" and rises and service.past:
        amount *= min(1.0, 3 * float(np.nanmean(service.past.y)))
    return Drift(rises, round(amount, 3))


def _said(drift: Drift) -> dict[str, float | str]:
    return {"outcomes": "more" if drift.rises else "fewer", "amount": drift.amount}


# --- W2: concept drift


def _other_concept(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """The same inputs come out otherwise than before, in one region of them."""
    region = a_region(service, rng, (0.3, 0.4, 0.5)[severity - 1])
    drift = _drift(service, rng, (0.35, 0.55, 0.8)[severity - 1])

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
        return drift.of(traffic, hit & region.holds(traffic.columns), service.base, rng)

    return Planted(
        "W2",
        {"asked": step},
        features=(region.column,),
        parameters={"region": str(region)} | _said(drift),
        shapes=("abrupt", "gradual"),
    )


# --- W3: season


def _season(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """These weeks are as the same weeks of the year before were: other inputs, other outcomes."""
    feature = a_feature(service, rng, "number")
    factor = (1.15, 1.25, 1.4)[severity - 1]
    drift = _drift(service, rng, (0.25, 0.4, 0.6)[severity - 1])

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
        season = hit | _a_year_before(traffic.at, hit)
        traffic = drift.of(traffic, season, service.base, rng)
        return traffic.with_asked(feature.name, _more_of(service, feature, traffic, factor), season)

    return Planted(
        "W3",
        {"asked": step},
        Traces((MetricTrace("gateway.requests_per_minute", times=1.08),)),
        features=(feature.name,),
        parameters={"factor": factor} | _said(drift),
        shapes=("abrupt",),
        year_before=True,
    )


def _a_year_before(at: NDArray[np.int64], hit: Bools) -> Bools:
    """Which requests (n,) came in the weeks a year before those in which requests are hit."""
    year = int(YEAR.total_seconds())
    first = at[hit].min(initial=at[-1])
    return np.asarray((at >= first - year) & (at <= at[-1] - year))


def _more_of(service: Service, feature: Feature, traffic: Traffic, factor: float) -> Column:
    """The feature's true values times a factor: whole where they always are, and none beyond what was ever seen."""
    values, past = traffic.columns[feature.name] * factor, known(service, feature.name)
    if np.array_equal(past, np.round(past)):
        values = np.round(values)
    return np.clip(values, past.min(), past.max())


# --- W4: an adversary


def _gamed(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """Some who would be found out give figures with which they just pass."""
    first = a_feature(service, rng, "number")
    others = [one for one in service.base.of_kind("number") if one != first]
    features = (first, *others[:1])
    change = ChangeTrace("product", "gateway", "the answer says which figures counted against it")

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:  # noqa: ARG001
        return _passing(traffic, hit & (traffic.y == 1), service, features)

    return Planted(
        "W4",
        {"asked": step},
        Traces(
            (MetricTrace("gateway.requests_per_minute", times=1.12),),
            change=change if rng.random() < 0.7 else None,
        ),
        features=tuple(one.name for one in features),
        parameters={"threshold": service.base.threshold},
        shapes=("abrupt", "gradual"),
        share=(0.5, 0.7, 0.95)[severity - 1],
    )


def _passing(traffic: Traffic, some: Bools, service: Service, features: tuple[Feature, ...]) -> Traffic:
    """The requests, those of the mask with figures that make them pass: of the first feature, or where need be of more.

    Each takes the figure whose score is the highest below the threshold, so that scores bunch there; who would need
    more than all of these features stays as it is.
    """
    threshold = service.base.threshold
    columns = {one.name: traffic.columns[one.name].copy() for one in service.base.features}
    places = np.flatnonzero(some)
    changed = {name: column[places] for name, column in columns.items()}
    left = np.flatnonzero(service.scores(changed, service.current) >= threshold)
    for one in features:
        grid = np.unique(np.quantile(known(service, one.name), np.linspace(0, 1, _GRID), method="nearest"))
        score = _scores_on(service, {name: column[left] for name, column in changed.items()}, one.name, grid)
        passes = score < threshold
        # Just under the threshold where that can be; else the least that the feature can do, and the next one helps.
        best = np.where(passes.any(1), np.where(passes, score, -np.inf).argmax(1), score.argmin(1))
        changed[one.name][left] = grid[best]
        for name in changed:
            columns[name][places[left[passes.any(1)]]] = changed[name][left[passes.any(1)]]
        left = left[~passes.any(1)]
    for one in features:
        traffic = traffic.with_asked(one.name, columns[one.name], some)
    return traffic


def _scores_on(service: Service, columns: dict[str, Column], name: str, grid: Floats) -> Floats:
    """The scores (n, k) of requests with each of these values of a feature."""
    n, k = len(columns[name]), len(grid)
    tried = {other: np.repeat(column, k) for other, column in columns.items()} | {name: np.tile(grid, n)}
    return service.scores(tried, service.current).reshape(n, k) if n else np.empty((0, k))


# --- W5: the product changed


def _product(service: Service, rng: np.random.Generator, severity: Severity) -> Planted:
    """On one surface people are asked in another way: they answer otherwise, and other things come of it."""
    surfaces = [name for name in service.base.segments if name != "replica"]
    column = str(rng.choice(surfaces))
    values, shares = vocabulary(service, column)
    surface = values[int(rng.choice(len(values), p=shares))]
    feature = a_feature(service, rng, "number")
    factor = (1.25, 1.5, 2.0)[severity - 1]
    drift = _drift(service, rng, (0.4, 0.6, 0.85)[severity - 1])

    def step(traffic: Traffic, hit: Bools, service: Service, rng: np.random.Generator) -> Traffic:
        traffic = drift.of(traffic, hit, service.base, rng)
        return traffic.with_asked(feature.name, _more_of(service, feature, traffic, factor), hit)

    return Planted(
        "W5",
        {"asked": step},
        Traces(change=ChangeTrace("product", "gateway", f"new form for {column} {surface}")),
        features=(feature.name,),
        parameters={"factor": factor} | _said(drift),
        scope={column: surface},
        shapes=("abrupt", "gradual"),
    )


KINDS = (
    Kind(
        "W1",
        "world",
        "a population grows for which the model was never good",
        "more requests, all of them from one region of the inputs; within it the error stays; perhaps a campaign",
        _grown,
        judged,
    ),
    Kind(
        "W2",
        "world",
        "the same inputs come out otherwise than before",
        "outcomes change in one region of the inputs; features and scores stay; no change on record",
        _other_concept,
        lambda base: judged(base) and bool(base.of_kind("number", "category")),
    ),
    Kind(
        "W3",
        "world",
        "a season that comes every year",
        "the same inputs, outcomes and fall in the same weeks of the year before",
        _season,
        lambda base: judged(base) and bool(base.of_kind("number")) and bool(years_after(base)),
    ),
    Kind(
        "W4",
        "world",
        "people find out what passes, and give just that",
        "scores of those who turn out positive bunch under the threshold; more requests; perhaps a change of product",
        _gamed,
        lambda base: judged(base) and base.task == "binary" and bool(base.of_kind("number")),
    ),
    Kind(
        "W5",
        "world",
        "a change of the product on one surface",
        "inputs and outcomes change for one value of a segment and for no other; a launch on record",
        _product,
        lambda base: judged(base) and bool(base.of_kind("number")) and bool(set(base.segments) - {"replica"}),
    ),
)
