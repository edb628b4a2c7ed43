"""From a judged corruption to a repair: which rows it struck, what is put in their place, and how it is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mortis.integrity.kinds.donors import donors_for
from mortis.integrity.kinds.judge import ALL_STRUCK, Judge, Verdict
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.repair import Bools, Parameters, Reenactment, Region, Repair, Undo
from mortis.profiles import Floats
from mortis.rows import Column, Ints, RowSample, is_number

Values = Callable[[Column], Column]
Chooser = Callable[[RowSample], Bools]


@dataclass(frozen=True, slots=True)
class Told:
    """What a corruption is called, its parameters, and how it is said after the feature's name.

    `cost` is taken from the fit: what a freer form explains by its freedom alone. `donors`
    tells that lost values are replaced by stand-ins, `counted` gives shares that say how many rows were struck.
    """

    kind: str
    parameters: Parameters
    says: str
    cost: float = 0.0
    donors: bool = False
    counted: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Supposed:
    """A corruption of one or more features of a region, judged: what the region's baseline values would become."""

    judges: tuple[Judge, ...]
    forwards: tuple[Column, ...]
    verdict: Verdict

    @property
    def features(self) -> tuple[str, ...]:
        """The features struck."""
        return tuple(judge.feature for judge in self.judges)

    @property
    def region(self) -> Region:
        """Where."""
        return self.judges[0].region if self.judges else Region()

    @property
    def surest(self) -> int:
        """The place of the feature that changed most: it tells best which rows were struck."""
        return int(np.argmax([judge.excess for judge in self.judges]))


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A supposed corruption with its name, how to find the rows it struck, and how to undo it."""

    supposed: Supposed
    told: Told
    struck: Chooser
    undo: Undo

    @property
    def features(self) -> tuple[str, ...]:
        """The features struck."""
        return self.supposed.features

    @property
    def fit(self) -> float:
        """The verdict's fit, less by what it is off and by what the corruption's freedom costs."""
        verdict = self.supposed.verdict
        return max(0.0, verdict.fit * (1 - verdict.off) - self.told.cost)

    def repair(self, pair: Pair, fit: float) -> Repair:
        """The record for the reader, with the region and the struck share among its parameters."""
        region, share = self.supposed.region, self.supposed.verdict.share
        rows = self.struck(pair.incident)
        parameters: dict[str, str | float] = {**self.told.parameters, "share": round(share, 4)}
        if region.scope:
            parameters |= {"scope_column": region.scope[0], "scope_value": region.scope[1]}
        parameters |= {
            name: float(second)
            for name, second in (("since", region.since), ("until", region.until))
            if second is not None
        }
        return Repair(
            kind=self.told.kind,
            features=self.features,
            parameters=parameters,
            statement=self._statement(region, share),
            fit=fit,
            region=region,
            share=share,
            rows=None if rows.all() else rows,
            undo=self.undo,
            donors=self.told.donors,
            reenacted=self._reenacted(pair),
        )

    def _reenacted(self, pair: Pair) -> Reenactment:
        """The corruption in the baseline's rows, in as large a part of the region's as it struck of the incident's."""
        supposed, struck = self.supposed, pair.before
        rows = struck_rows(pair, supposed)
        for name, forward in zip(supposed.features, supposed.forwards, strict=True):
            column = pair.before.features[name].copy()
            column[rows] = forward[rows[supposed.region.in_scope(pair.before)]]
            struck = struck.with_feature(name, column)
        return Reenactment(pair.before, struck)

    def _statement(self, region: Region, share: float) -> str:
        part = "" if share >= ALL_STRUCK or self.told.counted else f", in about {share:.0%} of those rows"
        counted = f": {self.told.counted}" if self.told.counted else ""
        return f"{' and '.join(self.features) or 'rows'} {self.told.says}{region.text()}{part}{counted}"


def suppose(judge: Judge, forward: Column) -> Supposed:
    """One feature's corruption, judged."""
    return Supposed((judge,), (forward,), judge.weigh(forward))


def suppose_together(judges: tuple[Judge, ...], forwards: tuple[Column, ...]) -> Supposed:
    """Several features' corruption at once, judged: each counts by how much it changed."""
    verdicts = [judge.weigh(forward) for judge, forward in zip(judges, forwards, strict=True)]
    weights = [max(judge.excess, 1e-9) for judge in judges]
    figures = ((one.fit, one.share, one.off) for one in verdicts)
    mean = Verdict(*(float(np.average(figure, weights=weights)) for figure in zip(*figures, strict=True)))
    return Supposed(judges, forwards, mean)


def reversible(pair: Pair, supposed: Supposed, told: Told, back: Values) -> Proposal:
    """A corruption of one feature that leaves the true values to be had: `back` turns a struck value into them.

    Where only part of the region's rows was struck, the rows more likely struck than not are turned back.
    """
    name = supposed.features[0]
    struck = likely_struck(pair, supposed)

    def undo(sample: RowSample) -> RowSample:
        rows = struck(sample)
        column = sample.features[name].copy()
        column[rows] = back(column[rows])
        return sample.with_feature(name, column)

    return Proposal(supposed, told, struck, undo)


def restored(
    pair: Pair,
    supposed: Supposed,
    told: Told,
    *,
    struck: Chooser | None = None,
    pool: Bools | None = None,
    own: Callable[[Column], Ints] | None = None,
) -> Proposal:
    """A corruption that lost the true values: the rows struck get those of like baseline rows, `pool` of them.

    Without `struck`, the rows of the region that are more likely struck than not. `own` codes the values that a donor
    must share with the taker, after the corruption is put into the donor's.
    """
    names = supposed.features
    like = tuple(name for name in pair.related[names[supposed.surest]] if name not in names)
    region, likely = supposed.region, likely_struck(pair, supposed)

    def chosen(sample: RowSample) -> Bools:
        return likely(sample) if struck is None else region.rows(sample) & struck(sample)

    def undo(sample: RowSample) -> RowSample:
        rows = chosen(sample)
        codes = None
        if own is not None:
            codes = own(pair.before.features[names[0]]), own(sample.features[names[0]][rows])
        places = donors_for(pair, sample, rows, like=like, pool=pool, own=codes)
        for name in names:
            column = sample.features[name].copy()
            column[rows] = np.where(places >= 0, pair.before.features[name][places], column[rows])
            sample = sample.with_feature(name, column)
        return sample

    return Proposal(supposed, replace(told, donors=True), chosen, undo)


def likely_struck(pair: Pair, supposed: Supposed) -> Chooser:
    """The rows of a sample that lie in the region and, where not all were struck, more likely were than not."""

    def struck(sample: RowSample) -> Bools:
        rows = supposed.region.rows(sample)
        if supposed.verdict.share < ALL_STRUCK:
            rows &= _chance_struck(pair, supposed, sample) > 0.5
        return rows

    return struck


def _chance_struck(pair: Pair, supposed: Supposed, sample: RowSample) -> Floats:
    """Probability of each row to have been struck, by its value and its most related column."""
    judge, forward = supposed.judges[supposed.surest], supposed.forwards[supposed.surest]
    given = np.zeros(len(sample), dtype=np.int64)
    if judge.given:
        given = pair.coding[judge.given[0]].of(sample.features[judge.given[0]])
    return judge.odds(forward, supposed.verdict.share, sample.features[judge.feature], given)


def struck_rows(pair: Pair, supposed: Supposed) -> Bools:
    """The rows of `pair.before` (n,) to put a corruption into: the region's share that it struck in the incident."""
    region, scope = supposed.region, supposed.region.in_scope(pair.before)
    inside = float(region.in_scope(pair.after).sum())
    part = supposed.verdict.share * float(region.rows(pair.after).sum()) / max(1.0, inside)
    return scope & (np.random.default_rng(pair.seed).random(len(scope)) < part)


def drawn(pair: Pair, rows: Bools, share: float) -> Bools:
    """About that share of the marked rows, the same ones each time."""
    return rows & (np.random.default_rng([pair.seed, 1]).random(len(rows)) < share)


def filled(like: Column, value: float | str | None, rows: Bools | None = None) -> Column:
    """A copy of a column with a value (None: null) put into its rows, or into the marked ones."""
    column = like.copy()
    column[slice(None) if rows is None else rows] = np.nan if value is None and is_number(like) else value
    return column


def number(value: float) -> str:
    """A number as a reader would write it.

    >>> number(60.0), number(2.20462)
    ('60', '2.205')
    """
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def listed_pairs(pairs: Mapping[str, str], *, most: int = 3) -> str:
    """A renaming as text: the first few pairs and how many more there are.

    >>> listed_pairs({"a": "b", "c": "d"}, most=1)
    'a → b and 1 more'
    """
    shown = [f"{old} → {new}" for old, new in list(pairs.items())[:most]]
    more = len(pairs) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
