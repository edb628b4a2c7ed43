"""What became of the relation of inputs and labels: the labels as the baseline would have them, and ways to differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Bools, Facts
from mortis.causes.propensity import MOST_FITTED, expit, logistic, one_hot
from mortis.causes.replay import nulls
from mortis.profiles import Floats
from mortis.rows import Column, RowSample, is_number

FEWEST_ROWS = 300
MOST_VALUES = 12
FEWEST_OF_VALUE = 0.02
ENDS = np.arange(0.1, 0.95, 0.05)
PARTS = np.concatenate([np.arange(0.02, 0.98, 0.04), [0.98, 0.995]])
FACTORS = np.array([0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.87, 0.93, 1.08, 1.15, 1.25, 1.4, 1.55, 1.8, 2.2])
CLEAR = 15.0  # nats beyond the labels as the baseline has them, on top of what the search over places finds by chance
APART = 4.0  # nats by which one way must beat the other ways
LEAST = 1e-4
RARE = 0.05
PARTIAL = ("fewer", "more")  # ways that may hold in a region of the inputs only
TURNS = 40

Marks = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the relation differs: a column's value, or its values from or up to a bound; everywhere without a column.

    Where `part_of` is given, only within that.
    """

    column: str = ""
    value: str = ""
    low: float = -np.inf
    high: float = np.inf
    part_of: Place | None = None

    @property
    def whole(self) -> bool:
        """Whether it is everybody, or all whose column bears one value."""
        return not self.column or bool(self.value)

    def holds(self, sample: RowSample) -> Bools:
        """Which rows (n,) lie in it."""
        if not self.column:
            return np.ones(len(sample), dtype=bool)
        column = sample.features[self.column]
        if self.value:
            return np.asarray(column == self.value, dtype=bool)
        numbers = np.asarray(column, dtype=float)
        inside = np.asarray((numbers >= self.low) & (numbers <= self.high))
        return inside & self.part_of.holds(sample) if self.part_of else inside

    def __str__(self) -> str:
        if not self.column:
            return ""
        if self.value:
            return f"{self.column} = {self.value}"
        bound = f"{self.column} >= {self.low:g}" if np.isfinite(self.low) else f"{self.column} <= {self.high:g}"
        return f"{self.part_of} and {bound}" if self.part_of else bound


@dataclass(frozen=True, slots=True)
class Way:
    """A way in which labels depart from the baseline's relation, and how well it fits.

    `name` is flipped (the opposite of what came), exchanged (another row's), zero (nothing, whatever came), fewer or
    more (what came falls or rises). `part` is the share (0..1) of the rows in `place` whose label is so, of a figure
    that falls or rises its factor. `gain` is the log-likelihood (nats) over labels as the baseline has them.
    """

    name: str
    place: Place
    part: float
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """The incident's labelled rows, their labels as the baseline's relation has them, and the best of each way.

    `unmoved` (n,) are labels drawn from the baseline's relation for all of the incident's rows, NaN where unlabelled.
    `chance` is what a search over so many places gains where nothing differs.
    """

    ways: tuple[Way, ...]
    unmoved: Floats
    chance: float
    n: int

    @property
    def best(self) -> Way | None:
        """The way that fits best; None where labels are as the baseline has them."""
        return self.ways[0] if self.ways and self.ways[0].gain >= self.chance else None

    @property
    def fitting(self) -> frozenset[str]:
        """The ways that fit about as well as the best: where positives are half, turned round is as exchanged."""
        return frozenset(one.name for one in self.ways if one.gain > self.ways[0].gain - APART)


@lru_cache(maxsize=1)  # several tests ask for it
def relation(facts: Facts) -> Relation | None:
    """How the incident's labels depart from the baseline's relation to inputs and scores; None where it can't be told.

    Each way is a mixture: of the rows in a place, a part bears labels by that way, the others as in the baseline. The
    part is the likeliest; ways and places are compared by their likelihood.

    Source: mixtures of known components, McLachlan and Peel (2000), "Finite mixture models", 2.
    """
    if facts.task not in ("binary", "regression") or not facts.before.features:
        return None
    old, new = (labelled(sample) for sample in (facts.before, facts.during))
    if min(old.sum(), new.sum()) < FEWEST_ROWS:
        return None
    before, during = facts.before.where(old), facts.during.where(new)
    rng = facts.rng()
    usual = _binary(before, during, rng) if facts.task == "binary" else _figures(before, during, rng)
    places = list(places_of(during))
    inside = np.array([place.holds(during) for place in places], dtype=np.float32)
    found = [
        _narrowed(_best(name, logs, parts, places, inside), logs, parts, places, inside)
        for name, logs, parts in usual.ways
    ]
    unmoved = np.full(len(facts.during), np.nan)
    unmoved[new] = usual.drawn
    ways = tuple(sorted(found, key=lambda one: -one.gain))
    return Relation(ways, unmoved, CLEAR + float(np.log(len(places))), len(during))


def labelled(sample: RowSample) -> Bools:
    """Which rows (n,) have a label, and an answer to hold it against."""
    known = ~nulls(sample.y) & ~nulls(sample.p)
    return known & np.isfinite(sample.score) if np.isfinite(sample.score).any() else known


def places_of(sample: RowSample) -> Iterator[Place]:
    """Everywhere, both ends of each number at many bounds, and each text that is common in a column of few."""
    yield Place()
    for name, column in sample.features.items():
        if is_number(column):
            known = np.asarray(column, dtype=float)
            known = known[np.isfinite(known)]
            ends = np.unique(np.quantile(known, ENDS, method="nearest")) if len(known) else ()
            for end in ends:
                yield Place(name, low=float(end))
                yield Place(name, high=float(end))
        else:
            yield from (Place(name, value) for value in _values(column))


def _values(column: Column) -> Iterator[str]:
    values, counts = np.unique([str(one) for one in column if one is not None], return_counts=True)
    if len(values) <= MOST_VALUES:
        yield from (str(one) for one, n in zip(values, counts, strict=True) if n >= FEWEST_OF_VALUE * len(column))


def _best(name: str, logs: Floats, parts: Floats, places: list[Place], inside: Marks) -> Way:
    """The likeliest part and place of a way; those that are not partial to inputs know no bounds of numbers."""
    gains = inside @ logs.astype(np.float32)
    if name not in PARTIAL:
        gains[[not place.whole for place in places]] = -np.inf
    where, part = np.unravel_index(int(np.argmax(gains)), gains.shape)
    return Way(name, places[where], float(parts[part]), float(gains[where, part]))


def _narrowed(way: Way, logs: Floats, parts: Floats, places: list[Place], inside: Marks) -> Way:
    """The way within bounds of a number, where its place is a value and that fits clearly better."""
    if way.name not in PARTIAL or not way.place.value:
        return way
    bounds = [i for i, place in enumerate(places) if not place.whole]
    both = inside[bounds] * inside[places.index(way.place)]
    gains = both @ logs.astype(np.float32)
    where, part = np.unravel_index(int(np.argmax(gains)), gains.shape)
    if gains[where, part] < way.gain + CLEAR:
        return way
    place = replace(places[bounds[where]], part_of=way.place)
    return Way(way.name, place, float(parts[part]), float(gains[where, part]))


@dataclass(frozen=True, slots=True, eq=False)
class _Usual:
    """Labels drawn from the baseline's relation (n,), and by way the log-likelihood ratios (n, parts)."""

    drawn: Floats
    ways: tuple[tuple[str, Floats, Floats], ...]


def _mixed(usual: Floats, other: Floats) -> Floats:
    """Log ratios (n, parts) of the mixtures of two densities (n,) over the first."""
    ratio = other / np.maximum(usual, 1e-12)
    return np.asarray(np.log(np.maximum((1 - PARTS) + ratio[:, None] * PARTS, 1e-6)))


def _binary(before: RowSample, during: RowSample, rng: np.random.Generator) -> _Usual:
    was, y = np.asarray(before.y, dtype=float), np.asarray(during.y, dtype=float)
    chance = np.clip(_chances(before, during, rng), LEAST, 1 - LEAST)
    common = float(np.clip(was.mean(), LEAST, 1 - LEAST))
    usual = np.where(y == 1, chance, 1 - chance)
    others = {
        "flipped": 1 - usual,
        "exchanged": np.where(y == 1, common, 1 - common),
        "fewer": np.where(y == 0, 1.0, 0.0),
        "more": np.where(y == 1, 1.0, 0.0),
    }
    drawn = (rng.random(len(y)) < chance).astype(float)
    return _Usual(drawn, tuple((name, _mixed(usual, other), PARTS) for name, other in others.items()))


def _chances(before: RowSample, during: RowSample, rng: np.random.Generator) -> Floats:
    """The baseline's chance of the positive class for the incident's rows, from scores and inputs."""
    x = one_hot(before, during)
    scores = np.concatenate([before.score, during.score])
    if np.isfinite(scores).all():
        x = np.column_stack([x, bent(scores, scores)]).astype(np.float32)
    seen = rng.permutation(len(before))[:MOST_FITTED]
    beta, _ = logistic(x[seen], np.asarray(before.y, dtype=float)[seen])
    return expit(x[len(before) :] @ beta)


def bent(scores: Floats, like: Floats) -> Floats:
    """Scores on a scale on which chances are about straight, and again where they are low (n, 2), to bend there.

    The scale is that of scores `like` these, which have median 0 and spread 1 on it; of what lies in 0..1 are logits.
    """
    if like.min() >= 0 and like.max() <= 1:
        scores, like = (
            np.log(sure / (1 - sure)) for sure in (np.clip(one, LEAST, 1 - LEAST) for one in (scores, like))
        )
    height = (scores - np.median(like)) / max(float(like.std()), 1e-9)
    return np.column_stack([height, np.minimum(height, 0)])


def _figures(before: RowSample, during: RowSample, rng: np.random.Generator) -> _Usual:
    """Of figures: how far labels lie from predictions, by the height of the prediction."""
    (p, was), (q, y) = ((np.asarray(one.p, dtype=float), np.asarray(one.y, dtype=float)) for one in (before, during))
    edges = np.unique(np.quantile(p, np.arange(0.1, 0.95, 0.1)))
    old, new = np.searchsorted(edges, p), np.searchsorted(edges, q)
    tenths = range(len(edges) + 1)
    middle = np.array([np.median((was - p)[old == one]) if (old == one).any() else 0.0 for one in tenths])
    spread = np.array(
        [np.abs((was - p)[old == one] - middle[one]).mean() if (old == one).any() else 1 for one in tenths]
    )
    spread = np.maximum(spread, 1e-3 * max(float(was.std()), 1e-9))
    bounds = np.unique(np.quantile(was, np.arange(0, 1.01, 0.04)))
    mass = np.histogram(was, bounds)[0] / len(was) / np.diff(bounds)

    def common(value: Floats) -> Floats:
        inside = (value >= bounds[0]) & (value <= bounds[-1])
        return np.where(inside, mass[np.clip(np.searchsorted(bounds, value, "right") - 1, 0, len(mass) - 1)], 0.0)

    floor = RARE / max(float(np.ptp(was)), 1e-9)

    def usual(value: Floats) -> Floats:
        near = np.exp(-np.abs(value - q - middle[new]) / spread[new]) / (2 * spread[new])
        return np.asarray((1 - RARE) * near + RARE * common(value) + LEAST * floor)

    now = usual(y)
    # What a figure was turned round about isn't known: that which explains the rows best.
    turns = np.linspace(float(was.min()), float(np.quantile(y + q, 0.999)), TURNS)
    turned = [usual(turn - y) for turn in turns]
    best = max(turned, key=lambda other: float(np.log(np.maximum(0.9 + 0.1 * other / now, 1e-6)).sum()))
    others = {"flipped": best, "exchanged": common(y)}
    if np.mean(was == 0) < RARE:
        others["zero"] = np.where(y == 0, 1 / spread.mean(), 0.0)
    ways = [(name, _mixed(now, other), PARTS) for name, other in others.items()]
    for name, factors in (("fewer", FACTORS[FACTORS < 1]), ("more", FACTORS[FACTORS > 1])):
        logs = np.column_stack([np.log(usual(y / factor) / factor / now) for factor in factors])
        ways.append((name, logs, factors))
    sources = [np.flatnonzero(old == one) if (old == one).any() else np.arange(len(p)) for one in tenths]
    drawn = np.array([(was - p)[rng.choice(sources[one])] for one in new]) + q
    return _Usual(drawn, tuple(ways))


def with_labels(sample: RowSample, y: Floats) -> RowSample:
    """The rows with these labels where they had one."""
    return replace(sample, y=np.where(nulls(sample.y), np.nan, y))
