"""From a judged corruption to a repair: which rows it struck, what is put in their place, and how it is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mortis.integrity.kinds.donors import donors_for
from mortis.integrity.kinds.judge import Judge, Verdict
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.repair import Bools, Ints, Parameters, Region, Repair, Undo
from mortis.profiles import Floats
from mortis.rows import Column, RowSample, is_number

Values = Callable[[Column], Column]
Chooser = Callable[[RowSample], Bools]
ALL_STRUCK = 0.95


@dataclass(frozen=True, slots=True)
class Told:
    """What a corruption is called, its parameters, and how it is said after the feature's name.

    `cost` is taken from the fit: what a freer form explains by its freedom alone. `donors`
    tells that lost values are replaced by stand-ins.
    """

    kind: str
    parameters: Parameters
    says: str
    cost: float = 0.0
    donors: bool = False


def reversible(pair: Pair, judge: Judge, verdict: Verdict, told: Told, *, forward: Column, back: Values) -> Repair:
    """A repair that gives the true values back: `back` turns a struck value into the one before.

    Where only part of the region's rows was struck, the rows more likely struck than not are turned back.
    """
    name, region = judge.feature, judge.region

    def struck(sample: RowSample) -> Bools:
        rows = region.rows(sample)
        if verdict.share < ALL_STRUCK:
            rows &= chance_struck(pair, judge, verdict.share, forward, sample) > 0.5
        return rows

    def undo(sample: RowSample) -> RowSample:
        rows = struck(sample)
        column = sample.features[name].copy()
        column[rows] = back(column[rows])
        return sample.with_feature(name, column)

    return repair_of(pair, judge.region, (name,), verdict, told, struck=struck, undo=undo)


def restored(
    pair: Pair,
    judge: Judge,
    verdict: Verdict,
    told: Told,
    *,
    struck: Chooser,
    pool: Bools | None = None,
    own: Callable[[Column], Ints] | None = None,
    features: tuple[str, ...] = (),
) -> Repair:
    """A repair of values that are lost: rows that `struck` marks get those of like baseline rows, `pool` of them.

    `own` codes the values that a donor must share with the taker, after the corruption is put into the donor's.
    """
    names = features or (judge.feature,)
    like = tuple(name for name in pair.related[judge.feature] if name not in names)

    def chosen(sample: RowSample) -> Bools:
        return judge.region.rows(sample) & struck(sample)

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

    return repair_of(pair, judge.region, names, verdict, replace(told, donors=True), struck=chosen, undo=undo)


def repair_of(
    pair: Pair,
    region: Region,
    features: tuple[str, ...],
    verdict: Verdict,
    told: Told,
    *,
    struck: Chooser,
    undo: Undo,
) -> Repair:
    """The record, with the region and the struck share among its parameters and in its statement."""
    rows = struck(pair.incident)
    part = "" if verdict.share >= ALL_STRUCK else f", in about {verdict.share:.0%} of those rows"
    parameters: dict[str, str | float] = {**told.parameters, "share": round(verdict.share, 4)}
    if region.scope:
        parameters |= {"scope_column": region.scope[0], "scope_value": region.scope[1]}
    if region.since is not None:
        parameters["since"] = float(region.since)
    if region.until is not None:
        parameters["until"] = float(region.until)
    return Repair(
        kind=told.kind,
        features=features,
        parameters=parameters,
        statement=f"{' and '.join(features)} {told.says}{region.text()}{part}",
        fit=max(0.0, verdict.fit - told.cost),
        region=region,
        share=verdict.share,
        rows=None if rows.all() else rows,
        undo=undo,
        donors=told.donors,
    )


def chance_struck(pair: Pair, judge: Judge, share: float, forward: Column, sample: RowSample) -> Floats:
    """Probability of each row to have been struck, by its value and its most related column."""
    given = np.zeros(len(sample), dtype=np.int64)
    if len(judge.views) > 1:
        given = pair.coding[judge.given[0]].of(sample.features[judge.given[0]])
    return judge.odds(forward, share, sample.features[judge.feature], given)


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
