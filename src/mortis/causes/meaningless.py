"""A feature that tells nothing any more: labels come out as if its values were those of any rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Facts
from mortis.causes.inputs import APART, distance, reliance
from mortis.causes.propensity import codes_of, expit, logistic
from mortis.causes.relation import CLEAR, FEWEST_ROWS, LEAST, Place, labelled, level, places_of
from mortis.causes.replay import answers, replay, why_not_own, why_not_replayed
from mortis.integrity.kinds.repair import Reenactment, Region, Repair
from mortis.profiles import Floats
from mortis.rows import Column, RowSample, is_number

OTHER_CODES = "other codes"
"""The kind of a feature that means nothing for one value of a column, where its values are others than before."""
OTHER_ROWS = "other rows"
"""The kind of a feature whose values are the usual ones, but not those of their rows."""
FIT = 0.9
RELIED = 0.1  # of the strongest reliance: what answers hardly hang on can't be seen in labels
MOST_FEATURES, MOST_ROWS, DRAWS = 5, 5_000, 5
LEFT = 0.3  # of a change is left at most: some rows may be of the time before
SURELY = 3.0  # deviations
FEWEST = 50
MOST_NATS = 4.0  # that one row counts


def meaningless_repairs(facts: Facts) -> Iterator[Repair]:
    """A repair for the feature that labels no longer hang on, though answers do; the true values are lost.

    Two likelihoods of the incident's labels are held against each other, both learned from the baseline: by the model's
    answers, and by its answers to rows whose value of the feature is anybody's. Where the second is higher, labels must
    come as in the baseline once the feature is left out of account, and not differ by its values: that tells a feature
    that broke from a world that changed, and from values that mean something in another form.

    Source: the conditional randomisation test, Candès et al. (2018), "Panning for gold", on likelihoods.
    """
    if facts.task not in ("binary", "regression") or why_not_replayed(facts) or why_not_own(facts):
        return
    old, new = (_thinned(sample) for sample in (facts.before, facts.during))
    if min(len(old), len(new)) < FEWEST_ROWS:
        return
    best = _best(facts, old, new)
    repair = _repair(facts, best) if best else None
    if repair is not None:
        yield repair


@dataclass(frozen=True, slots=True)
class _Found:
    """A feature, where labels don't hang on it, and by how much (nats)."""

    name: str
    place: Place
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Rows with the log-likelihoods of their labels (n,), and how far these lie above what is expected."""

    rows: RowSample
    log: Floats
    off: Floats

    def within(self, place: Place) -> _Judged:
        """The rows in a place."""
        inside = place.holds(self.rows)
        return _Judged(self.rows.where(inside), self.log[inside], self.off[inside])


def _best(facts: Facts, old: RowSample, new: RowSample) -> _Found | None:
    """The feature and place that gain most, beyond what a search so wide gains by chance."""
    relied = reliance(facts)
    names = sorted((name for name in relied if relied[name] >= RELIED), key=lambda name: -relied[name])[:MOST_FEATURES]
    if not names:
        return None
    places = [place for place in places_of(new) if place.whole]
    law = _Law.of(facts.task, _answers(facts, old), old.y)
    seen = tuple(law.judged(rows, _answers(facts, rows)) for rows in (old, new))
    found: list[_Found] = []
    for name in names:
        blind = _blind(facts, old, new, name)
        for place in (place for place in places if place.column != name):
            was, now, seen_was, seen_now = (one.within(place) for one in (*blind, *seen))
            enough = min(len(was.rows), len(now.rows)) >= FEWEST
            if enough and _comes_as_before(was, now, seen_was, seen_now) and _hangs_no_more(name, was, now):
                gained = np.clip(now.log - seen_now.log, -MOST_NATS, MOST_NATS)
                found.append(_Found(name, place, float(gained.sum())))
    best = max(found, key=lambda one: one.gain, default=None)
    return best if best and best.gain >= CLEAR + np.log(len(names) * len(places)) else None


def _comes_as_before(was: _Judged, now: _Judged, seen_was: _Judged, seen_now: _Judged) -> bool:
    """Whether labels come as in the baseline, once the feature is left out of account.

    They lie no further above or below what is expected, and are hardly less likely, measured by how far off and how
    much less likely they are where the feature counts.
    """
    error = float(np.sqrt(was.off.var() / len(was.off) + now.off.var() / len(now.off)))
    further, seen_further = (abs(float(b.off.mean() - a.off.mean())) for a, b in ((was, now), (seen_was, seen_now)))
    lost, seen_lost = (float(a.log.mean() - b.log.mean()) for a, b in ((was, now), (seen_was, seen_now)))
    return further <= max(SURELY * error, LEFT * seen_further) and lost <= LEFT * seen_lost


def _hangs_no_more(name: str, was: _Judged, now: _Judged) -> bool:
    """Whether labels, the other features apart, differ by the feature's value no more than by chance, or far less.

    A feature that matters otherwise than it did still matters.
    """
    usual, _ = _explained(was.rows.features[name], was.off)
    share, chance = _explained(now.rows.features[name], now.off)
    return share <= max(chance, LEFT**2 * usual)


def _explained(column: Column, off: Floats) -> tuple[float, float]:
    """The share of the squares of `off` (n,) that lies between a feature's values, and what chance would make of it."""
    codes = np.unique(codes_of(column), return_inverse=True)[1]
    counts = np.bincount(codes)
    means = np.bincount(codes, off - off.mean()) / counts
    freedom = len(counts) - 1
    share = float((counts * means**2).sum() / max(len(off) * float(off.var()), 1e-12))
    return share, (freedom + SURELY * np.sqrt(2 * freedom)) / len(off)


def _thinned(sample: RowSample) -> RowSample:
    rows = np.flatnonzero(labelled(sample))
    return sample.where(rows[np.linspace(0, len(rows) - 1, min(MOST_ROWS, len(rows))).astype(np.int64)])


def _answers(facts: Facts, sample: RowSample) -> Floats:
    """What the version that served most of the baseline answers."""
    served = Counter(one for one in replay(facts, facts.before).logged.tolist() if one in facts.models)
    return np.asarray(answers(facts, facts.models[served.most_common(1)[0][0]], sample), dtype=float)


def _blind(facts: Facts, old: RowSample, new: RowSample, name: str) -> tuple[_Judged, _Judged]:
    """Labels judged by the mean answers to rows whose value of a feature is that of any rows of the baseline."""
    rng, column = facts.rng(), facts.before.features[name]

    def answered(rows: RowSample) -> Floats:
        drawn = [_answers(facts, rows.with_feature(name, rng.choice(column, len(rows)))) for _ in range(DRAWS)]
        return np.asarray(np.mean(drawn, axis=0), dtype=float)

    before, during = answered(old), answered(new)
    law = _Law.of(facts.task, before, old.y)
    return law.judged(old, before), law.judged(new, during)


@dataclass(frozen=True, slots=True, eq=False)
class _Law:
    """How likely labels are at an answer, as the baseline has it: by a logistic curve, or by Laplace's about a line.

    `usual` are the baseline's answers, `line` the coefficients, `spread` how far labels lie from the line in the mean.
    """

    usual: Floats
    line: Floats
    spread: float = 1.0
    binary: bool = False

    @classmethod
    def of(cls, task: str, given: Floats, y: Column) -> _Law:
        labels = np.asarray(y, dtype=float)
        if task == "binary":
            beta, _ = logistic(_design(given, given), labels)
            return cls(given, np.asarray(beta, dtype=float), binary=True)
        line = np.polyfit(given, labels, 1)
        off = np.abs(labels - np.polyval(line, given))
        return cls(given, np.asarray(line, dtype=float), max(float(off.mean()), 1e-9))

    def judged(self, rows: RowSample, given: Floats) -> _Judged:
        """The rows' labels held against what is expected at these answers (n,)."""
        labels = np.asarray(rows.y, dtype=float)
        if self.binary:
            chance = np.clip(expit(_design(given, self.usual) @ self.line.astype(np.float32)), LEAST, 1 - LEAST)
            return _Judged(rows, np.log(np.where(labels == 1, chance, 1 - chance)), labels - chance)
        off = labels - np.polyval(self.line, given)
        return _Judged(rows, -np.abs(off) / self.spread - np.log(self.spread), off)


def _design(given: Floats, usual: Floats) -> npt.NDArray[np.float32]:
    height = level(given, usual)
    return np.column_stack([np.ones(len(height)), height, np.minimum(height, 0)]).astype(np.float32)


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
    told = f"{name} tells nothing of labels{region.text()}: they come as if its values were those of any rows"
    told += f" (log-likelihood ratio {found.gain:.0f})"
    return Repair(
        kind=OTHER_CODES if moved else OTHER_ROWS,
        features=(name,),
        parameters={"items": place.value, **_ends(now)} if moved else {},
        statement=f"{told}; its values there are others than before" if moved else told,
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
