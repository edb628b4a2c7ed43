"""Mix shift: whether segments changed their share of the rows while none of them fared worse (Simpson's paradox)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mortis.causes.facts import Bools, Facts, Outcome, percent, plainly
from mortis.causes.relation import relation
from mortis.intervals import newcombe
from mortis.profiles import Floats, Tally
from mortis.records import STANDING, CauseVerdict, Interval, Rate, Window

DRAWS = 1000
NAME = "split the rise exactly within and between segments"
MOST, CLEARLY, HALF = 0.8, 0.5, 0.5
ALL = 1.25  # of the rise: where the mix makes more, rates fell within the values, which are not what they were
TIMES, STEADY = 1.8, 0.85  # a value's rows against what they were, and how far the others may vary
NOTABLE = 0.05  # of the rise: below it, a value whose rate rose doesn't matter however sure that is
RISKY = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Rows that the metric is about, and its errors among them, by value of a column: (values,)."""

    n: Floats
    errors: Floats

    @property
    def rate(self) -> float:
        """Errors over all values."""
        return float(self.errors.sum() / self.n.sum())

    def rates(self, absent: float) -> Floats:
        """Errors by value; `absent` where there are no rows."""
        return np.where(self.n > 0, self.errors / np.maximum(self.n, 1), absent)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A column's split of the rise: the share that lies between its values, and the values that fared worse."""

    column: str
    values: tuple[str, ...]
    before: Counts
    during: Counts
    between: float
    risen: tuple[str, ...]


def decide_mix(facts: Facts) -> Iterable[Outcome]:
    """E3: the change of the error rate split exactly within and between a column's values; the best column counts."""
    splits = [split for column, sums in _columns(facts) if (split := _split(facts, column, sums)) is not None]
    if not splits:
        yield plainly("E3", "not_tested", NAME, "not tested, because there are no columns or no rise of errors")
        return
    best = max(splits, key=lambda one: (one.between >= MOST and not one.risen, one.between))
    share = _interval(best, len(splits), facts.rng())
    verdict = _verdict(best, share)
    result = (
        f"{percent(best.between)} of the rise of the error rate comes from other shares of the values of "
        f"{best.column}, {percent(1 - best.between)} from other error rates within them"
    )
    if best.risen:
        result += f"; errors rose where {best.column} is {', '.join(best.risen[:3])}"
    elif verdict == "confirmed":
        result += "; no value of it fares worse than before"
    if verdict in STANDING and best.between > ALL:
        verdict = "inconclusive"
        result += "; but that is more than all of it: such rows are not what they were"
    changed = relation(facts) if verdict == "confirmed" else None
    if changed and changed.best:
        # Which rows a metric such as F1 is about hangs on their labels, so that their mix moves with these.
        verdict = "inconclusive"
        result += "; but labels of like inputs come out otherwise"
    grown = added_to(facts) if verdict == "confirmed" else None
    if grown:
        verdict = "inconclusive"
        result += f"; rows where {grown.where} came on top of the others, which are as many as before: see W1"
    if verdict in STANDING:
        yield Outcome("E3", verdict, NAME, result, 0.9 if verdict == "confirmed" else 0.6, share, (best.column,))
    else:
        yield plainly("E3", verdict, NAME, result)


@dataclass(frozen=True, slots=True)
class Grown:
    """A value, or range, whose rows came on top of the others: `times` what they were against them."""

    column: str
    value: str
    times: float

    @property
    def where(self) -> str:
        """The rows meant."""
        return f"{self.column} is {self.value}"


def added_to(facts: Facts) -> Grown | None:
    """The values of a column whose rows grew most, where the others are as many a day as before; None where none did.

    Neighbouring ranges of a number that grew are named together.
    """
    best: tuple[float, Grown] | None = None
    for column, sums in _columns(facts):
        old, new = (
            np.asarray(sums.within(one).values.sum(axis=0)) / (one.end - one.start).total_seconds()
            for one in (facts.failure.baseline_window, facts.failure.since_onset)
        )
        more = (new >= TIMES * old) & (old > 0)
        rest = old[~more].sum()
        if not more.any() or rest <= 0 or not STEADY <= new[~more].sum() / rest <= 1 / STEADY:
            continue
        added = float(new[more].sum() - old[more].sum())
        # The fewer values take it in, the better a column tells what grew.
        weight = added / max(new.sum(), 1e-12) * (1 - float(old[more].sum() / old.sum()))
        times = float(new[more].sum() / old[more].sum()) / float(new[~more].sum() / rest)
        values = " or ".join(one for one, grew in zip(sums.slots, more, strict=True) if grew)
        if best is None or weight > best[0]:
            best = (weight, Grown(column, values, times))
    return best[1] if best and best[0] > NOTABLE else None


def _verdict(best: Split, share: Interval) -> CauseVerdict:
    if best.between < HALF or best.risen:
        return "refuted" if best.between < HALF else "inconclusive"
    if best.between >= MOST and share.low >= CLEARLY:
        return "confirmed"
    return "inconclusive"


def _columns(facts: Facts) -> Iterable[tuple[str, Tally]]:
    """Each feature's counts by (bucket, version, outcome) and value or bin."""
    for name, column in facts.profile.categories.items():
        if name in facts.before.features:
            yield name, column.sums
    for name, number in facts.profile.numbers.items():
        if name in facts.before.features:
            named = _ranges(number.edges)
            bins = [i for i, slot in enumerate(number.sums.slots) if slot in named]
            slots = tuple(named[number.sums.slots[i]] for i in bins)
            yield name, Tally(number.sums.cells, slots, number.sums.values[:, bins])


def _ranges(edges: Sequence[float]) -> dict[str, str]:
    """A number's slots as a reader would name them.

    >>> _ranges((0.0, 10.0))
    {'nulls': 'null', 'bin:0': 'below 0', 'bin:1': '0 to 10', 'bin:2': '10 or more'}
    """
    names = {"nulls": "null", "bin:0": f"below {edges[0]:g}" if edges else "any number"}
    names |= {f"bin:{i}": f"{low:g} to {high:g}" for i, (low, high) in enumerate(pairwise(edges), 1)}
    return names | ({f"bin:{len(edges)}": f"{edges[-1]:g} or more"} if edges else {})


def _split(facts: Facts, column: str, sums: Tally) -> Split | None:
    """The column's split, or None where there are no rows or no rise."""
    old, new = _counts(facts, sums, facts.failure.baseline_window), _counts(facts, sums, facts.failure.since_onset)
    if old is None or new is None or new.rate <= old.rate:
        return None
    between, within = split_by_value(old, new)
    rise = new.rate - old.rate
    risen = tuple(
        value
        for value, part, worse in zip(sums.slots, within, _fared_worse(old, new), strict=True)
        if worse and part >= NOTABLE * rise
    )
    return Split(column, sums.slots, old, new, float(between.sum() / rise), risen)


def split_by_value(old: Counts, new: Counts) -> tuple[Floats, Floats]:
    """What each value adds to the rise of the error rate by its share of the rows, and by its own rate: (values,) each.

    Together they sum to the rise. A value that one window lacks has that window's overall rate there.

    >>> old, new = Counts(np.array([90.0, 10]), np.array([9.0, 5])), Counts(np.array([50.0, 50]), np.array([5.0, 25]))
    >>> [round(float(part.sum()), 3) for part in split_by_value(old, new)]
    [0.16, 0.0]

    Source: Kitagawa (1955), "Components of a difference between two rates".
    """
    before, after = old.n / old.n.sum(), new.n / new.n.sum()
    was, now = old.rates(old.rate), new.rates(new.rate)
    return (after - before) * (was + now) / 2, (now - was) * (before + after) / 2


def _fared_worse(old: Counts, new: Counts) -> Bools:
    """Values whose error rate rose beyond chance; one that is new is held against the whole baseline."""
    confidence = 1 - RISKY / max(1, len(old.n))
    whole = Rate(int(old.errors.sum()), int(old.n.sum()))
    rose = np.zeros(len(old.n), dtype=bool)
    for i in np.flatnonzero(new.n > 0):
        before = Rate(int(old.errors[i]), int(old.n[i])) if old.n[i] else whole
        rose[i] = newcombe(before, Rate(int(new.errors[i]), int(new.n[i])), confidence=confidence).low > 0
    return rose


def _counts(facts: Facts, sums: Tally, window: Window) -> Counts | None:
    """The counts of a window; None where it has no rows that the metric is about."""
    judgement = facts.metric.judgement
    inside = sums.within(window)

    def count(outcomes: Iterable[str]) -> Floats:
        kept = set(outcomes)
        return np.asarray(inside.where(lambda cell: cell[2] in kept).values.sum(axis=0))

    n = count(judgement.among)
    return Counts(n, count(judgement.errors)) if n.sum() else None


def _interval(one: Split, columns: int, rng: np.random.Generator) -> Interval:
    """The share between the values, limits by a bootstrap of the counts, wide enough for the best of many columns."""
    rows = int(one.before.n.sum() + one.during.n.sum())
    old, new = (_drawn(counts, rng) for counts in (one.before, one.during))
    shares = np.array([_share(Counts(*a), Counts(*b)) for a, b in zip(old, new, strict=True)])
    if np.mean(np.isfinite(shares)) < 1 - RISKY / 2:
        return Interval(one.between, float("nan"), float("nan"), rows)
    tail = RISKY / 2 / columns
    low, high = np.quantile(shares[np.isfinite(shares)], [tail, 1 - tail])
    return Interval(one.between, float(low), float(high), rows)


def _drawn(counts: Counts, rng: np.random.Generator) -> Floats:
    """Draws (draws, 2, values) of rows and errors."""
    cells = np.stack([counts.errors, counts.n - counts.errors])
    total = int(cells.sum())
    drawn = rng.multinomial(total, (cells / total).ravel(), size=DRAWS).reshape(DRAWS, *cells.shape)
    return np.stack([drawn.sum(axis=1), drawn[:, 0]], axis=1).astype(float)


def _share(old: Counts, new: Counts) -> float:
    rise = new.rate - old.rate
    return float(split_by_value(old, new)[0].sum() / rise) if rise > 0 else float("nan")
