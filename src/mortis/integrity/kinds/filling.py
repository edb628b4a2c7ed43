"""One value in place of many: null, a default, a sentinel, a constant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mortis.integrity.kinds.coding import null_rows, value_shares
from mortis.integrity.kinds.judge import CONSTANT, Judge, judge_of
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.proposal import Chooser, Proposal, Told, drawn, filled, number, restored, suppose
from mortis.integrity.kinds.repair import Bools
from mortis.rows import Column, RowSample

LEAST_RISE = 0.01
VALUES_TRIED = 3
USUAL = (-1.0, 0.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 1970.0, 1900.0)
USUAL_TEXTS = ("", "?", "-", "0", "na", "n/a", "nan", "none", "null", "unknown", "other", "default", "missing", "error")


def propose_nulls(pair: Pair) -> Iterator[Proposal]:
    """The field went missing: values became null."""
    for change in pair.changes:
        judge = judge_of(pair, change)
        before, after = float(null_rows(judge.before).mean()), float(null_rows(judge.after).mean())
        if after - before < LEAST_RISE:
            continue
        forward = filled(judge.before, None)
        told = Told("null", {"nulls": round(after, 4)}, "is null", counted=_counted(before, after))
        yield restored(
            pair,
            suppose(judge, forward),
            told,
            struck=_in_excess(pair, judge.feature, None, 1 - before / after),
            pool=~null_rows(pair.before.features[judge.feature]),
        )


def propose_values(pair: Pair) -> Iterator[Proposal]:
    """Values became one and the same: a constant where all did, otherwise a sentinel or default."""
    for change in pair.changes:
        judge = judge_of(pair, change)
        for value, before, after in _risen(judge):
            forward = filled(judge.before, value)
            constant = after >= CONSTANT
            told = Told(
                "constant" if constant else "sentinel",
                {"value": value},
                f"is {shown(value)}",
                cost=0.0 if constant or usual(value) else 0.03,
                counted=_counted(before, after),
            )
            yield restored(
                pair,
                suppose(judge, forward),
                told,
                struck=_in_excess(pair, judge.feature, value, 1 - before / after),
                pool=~_is(pair.before.features[judge.feature], value) if before < 0.5 * after else None,
            )


def propose_defaults(pair: Pair) -> Iterator[Proposal]:
    """Nulls became a value: they are filled in upstream, where the model knew them as missing."""
    for change in pair.changes:
        judge = judge_of(pair, change)
        nulls = null_rows(judge.before)
        if nulls.mean() - null_rows(judge.after).mean() < LEAST_RISE:
            continue
        for value, before, after in _risen(judge):
            told = Told(
                "default",
                {"value": value},
                f"is {shown(value)} instead of null",
                counted=_counted(before, after),
            )
            column = pair.before.features[judge.feature]
            yield restored(
                pair,
                suppose(judge, filled(judge.before, value, nulls)),
                told,
                struck=_holding(judge.feature, value),
                pool=null_rows(column) | _is(column, value),
            )


def usual(value: float | str) -> bool:
    """Whether a value is one that systems put where they know none."""
    return value.strip().casefold() in USUAL_TEXTS if isinstance(value, str) else value in USUAL


def shown(value: float | str) -> str:
    """A value within a sentence."""
    return repr(value) if isinstance(value, str) else number(value)


def _counted(before: float, after: float) -> str:
    return f"{after:.1%} of rows, {before:.1%} before"


def _risen(judge: Judge) -> list[tuple[float | str, float, float]]:
    """The values whose share rose most, with the shares before and after."""
    old = dict(zip(*(part.tolist() for part in value_shares(judge.before)), strict=True))
    new = dict(zip(*(part.tolist() for part in value_shares(judge.after)), strict=True))
    risen = sorted(new, key=lambda value: old.get(value, 0.0) - new[value])[:VALUES_TRIED]
    return [
        (value, old.get(value, 0.0), new[value]) for value in risen if new[value] - old.get(value, 0.0) >= LEAST_RISE
    ]


def _is(column: Column, value: float | str | None) -> Bools:
    """Which rows hold the value, or none."""
    if value is None:
        return null_rows(column)
    return np.asarray(column == value, dtype=np.bool_)


def _holding(feature: str, value: float | str | None) -> Chooser:
    """The rows of a sample in which the feature holds the value."""

    def chosen(sample: RowSample) -> Bools:
        return _is(sample.features[feature], value)

    return chosen


def _in_excess(pair: Pair, feature: str, value: float | str | None, share: float) -> Chooser:
    """Of the rows that hold the value that share: as many as hold it beyond what is usual."""

    def chosen(sample: RowSample) -> Bools:
        return drawn(pair, _is(sample.features[feature], value), share)

    return chosen
