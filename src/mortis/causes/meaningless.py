"""A feature that labels depend on no more: they come out as if its values were those of any rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mortis.causes.facts import Facts
from mortis.causes.inputs import APART, distance, reliance
from mortis.causes.likelihood import JudgedLabels, LabelLaw
from mortis.causes.propensity import codes_of
from mortis.causes.relation import CLEAR, FEWEST_ROWS, Place, labelled, places_of
from mortis.causes.replay import figures, mostly_served, replay, why_not_own, why_not_replayed
from mortis.integrity.kinds.repair import Reenactment, Region, Repair
from mortis.profiles import Floats
from mortis.rows import Column, RowSample, is_number

OTHER_CODES = "other codes"
"""The kind of a feature that means nothing for one value of a column, where its values are others than before."""
OTHER_ROWS = "other rows"
"""The kind of a feature whose values are the usual ones, but not those of their rows."""
FIT = 0.85  # below what is beyond doubt: labels tell it, not the feature itself
RELIED = 0.1  # of the strongest reliance: what answers hardly hang on can't be seen in labels
MOST_FEATURES, MOST_ROWS, DRAWS = 5, 5_000, 5
LEFT = 0.3  # of a change is left at most: some of the rows may be of the time before
SURELY = 3.0  # deviations
FEWEST = 50


def meaningless_repairs(facts: Facts) -> Iterator[Repair]:
    """A repair for the feature that labels no longer depend on, though answers do; the true values are lost.

    Two likelihoods of the incident's labels are held against each other, both learned from the baseline: by the model's
    answers, and by its answers to rows whose value of the feature is anybody's. Where the second is higher, labels must
    come as in the baseline once the feature is left out of account, follow the other features still, and not differ by
    its values: that tells a feature that broke from labels that broke, from a world that changed, and from values that
    mean something in another form.

    Source: the conditional randomisation test, Candès et al. (2018), "Panning for gold", on likelihoods.
    """
    if why_not_asked(facts):
        return
    best = _best(facts, *(_answered(facts, sample) for sample in (facts.before, facts.during)))
    repair = _repair(facts, best) if best else None
    if repair is not None:
        yield repair


def why_not_asked(facts: Facts) -> str:
    """Why labels can't tell whether a feature means something still; empty where they can."""
    if facts.task not in ("binary", "regression"):
        return "only labels of a yes or no, or of a figure, are held against features"
    why = why_not_replayed(facts) or why_not_own(facts)
    if why:
        return why
    few = min(len(_answered(facts, sample).rows) for sample in (facts.before, facts.during)) < FEWEST_ROWS
    return f"fewer than {FEWEST_ROWS} sampled rows of a window have labels and answers" if few else ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A feature, where labels don't depend on it, and by how much (nats)."""

    name: str
    place: Place
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class _Answered:
    """Rows with what the version that served most of the baseline answers (n,)."""

    rows: RowSample
    given: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """The labels of both windows, judged alike."""

    before: JudgedLabels
    during: JudgedLabels

    def within(self, place: Place) -> _Windows:
        """The rows in a place."""
        return _Windows(*(one.within(place.holds(one.rows)) for one in (self.before, self.during)))

    @property
    def further(self) -> float:
        """By how much more labels lie above what is expected than in the baseline."""
        return float(self.during.off.mean() - self.before.off.mean())

    @property
    def unlikelier(self) -> float:
        """By how many nats a label is less likely than in the baseline, in the mean."""
        return float(self.before.likelihood.mean() - self.during.likelihood.mean())


def _best(facts: Facts, old: _Answered, new: _Answered) -> _Found | None:
    """The feature and place that gain most, beyond what a search so wide gains by chance."""
    relied = reliance(facts)
    names = sorted((name for name in relied if relied[name] >= RELIED), key=lambda name: -relied[name])[:MOST_FEATURES]
    places = [place for place in places_of(new.rows) if place.whole]
    if not names:
        return None
    seeing = _judged(facts, old, new)
    found: list[_Found] = []
    for name in names:
        blind = _blind(facts, old.rows, new.rows, name)
        if blind is None:
            continue
        for place in (place for place in places if place.column != name):
            without, with_it = blind.within(place), seeing.within(place)
            if _comes_as_before(without, with_it) and _depends_no_more(name, without):
                found.append(_Found(name, place, without.during.gain_over(with_it.during)))
    best = max(found, key=lambda one: one.gain, default=None)
    return best if best and best.gain >= CLEAR + np.log(len(names) * len(places)) else None


def _comes_as_before(without: _Windows, with_it: _Windows) -> bool:
    """Whether labels come as in the baseline, once the feature is left out of account.

    They lie no further from what is expected and are hardly less likely, measured by how it is where the feature
    counts; and they follow what the other features make expected about as closely as they did.
    """
    was, now = without.before, without.during
    if min(len(was.rows), len(now.rows)) < FEWEST:
        return False
    error = float(np.sqrt(was.off.var() / len(was.off) + now.off.var() / len(now.off)))
    as_far = abs(without.further) <= max(SURELY * error, LEFT * abs(with_it.further))
    as_likely = without.unlikelier <= LEFT * with_it.unlikelier
    usual, least = _slope(was)
    return as_far and as_likely and least > 0 and _slope(now)[0] >= (1 - LEFT) * usual


def _slope(one: JudgedLabels) -> tuple[float, float]:
    """By how much labels rise with what is expected of them (1: as much), and what that surely is at least."""
    spread = float(one.expected.var()) * len(one.expected)
    if spread <= 0:
        return 0.0, 0.0
    slope = 1 + float(((one.expected - one.expected.mean()) * one.off).sum()) / spread
    return slope, slope - SURELY * float(one.off.std()) / float(np.sqrt(spread))


def _depends_no_more(name: str, without: _Windows) -> bool:
    """Whether labels, the other features apart, differ by the feature's value no more than by chance, or far less.

    A feature that matters otherwise than it did still matters; one that has a single value can't be asked.
    """
    usual, _ = _explained(without.before.rows.features[name], without.before.off)
    share, chance = _explained(without.during.rows.features[name], without.during.off)
    # Of rows of the time before a part LEFT would leave so much of the slope, and its square of what that explains.
    return chance > 0 and share <= max(chance, LEFT**2 * usual)


def _explained(column: Column, off: Floats) -> tuple[float, float]:
    """The share of the squares of `off` (n,) that lies between a feature's values, and what chance would make of it.

    Both are 0 where the feature has one value alone.
    """
    codes = np.unique(codes_of(column), return_inverse=True)[1]
    counts = np.bincount(codes)
    freedom = len(counts) - 1
    if freedom < 1:
        return 0.0, 0.0
    means = np.bincount(codes, off - off.mean()) / counts
    share = float((counts * means**2).sum() / max(len(off) * float(off.var()), 1e-12))
    return share, (freedom + SURELY * np.sqrt(2 * freedom)) / len(off)


@lru_cache(maxsize=2)  # of both windows
def _answered(facts: Facts, sample: RowSample) -> _Answered:
    """At most so many rows with labels and answers, evenly spread."""
    given = np.asarray(replay(facts, sample).given[mostly_served(facts)], dtype=float)
    rows = np.flatnonzero(labelled(sample))
    some = rows[np.linspace(0, len(rows) - 1, min(MOST_ROWS, len(rows))).astype(np.int64)]
    some = some[np.isfinite(given[some])]
    return _Answered(sample.where(some), given[some])


def _judged(facts: Facts, old: _Answered, new: _Answered) -> _Windows:
    """The labels of both windows by what follows from the baseline's answers."""
    law = LabelLaw.of(facts.task, old.given, old.rows.y)
    return _Windows(*(law.judged(one.rows, one.given) for one in (old, new)))


def _blind(facts: Facts, old: RowSample, new: RowSample, name: str) -> _Windows | None:
    """Labels judged by the mean answers to rows whose value of a feature is that of any row of the baseline.

    None where the model has no answer to some.
    """
    rng, column = facts.rng(), old.features[name]

    def answered(rows: RowSample) -> _Answered:
        changed = (rows.with_feature(name, rng.choice(column, len(rows))) for _ in range(DRAWS))
        drawn = [figures(facts, mostly_served(facts), one) for one in changed]
        return _Answered(rows, np.asarray(np.mean(drawn, axis=0), dtype=float))

    before, during = answered(old), answered(new)
    known = all(np.isfinite(one.given).all() for one in (before, during))
    return _judged(facts, before, during) if known else None


def _repair(facts: Facts, found: _Found) -> Repair | None:
    """What put meaningless values there, done to the baseline's rows; None where their mechanism has no name."""
    name, place = found.name, found.place
    region = Region(place.column or None, place.value or None)
    was, now = (sample.features[name][region.in_scope(sample)] for sample in (facts.before, facts.during))
    moved = distance(was, now) >= APART
    if moved and not place.value:
        return None
    column, rows = facts.before.features[name].copy(), region.in_scope(facts.before)
    column[rows] = facts.rng().choice(now, int(rows.sum()))
    there = "; its values there are others than before" if moved else ""
    told = f"labels no longer depend on {name}{region.text()}: they come as if its values were those of any rows"
    told += f" (log-likelihood ratio {found.gain:.0f}){there}; a world in which it matters no more would look the same"
    return Repair(
        kind=OTHER_CODES if moved else OTHER_ROWS,
        features=(name,),
        parameters={"items": place.value, **_ends(now)} if moved else {},
        statement=told,
        fit=FIT,
        region=region,
        share=1.0,
        rows=None,
        undo=lambda sample: sample,
        donors=True,
        reenacted=Reenactment(facts.before, facts.before.with_feature(name, column)),
    )


def _ends(column: Column) -> dict[str, float]:
    """Between what nearly all of a number's values lie."""
    if not is_number(column):
        return {}
    low, high = np.nanquantile(np.asarray(column, dtype=float), [0.005, 0.995])
    return {"low": float(f"{low:.4g}"), "high": float(f"{high:.4g}")}
