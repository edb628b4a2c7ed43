"""Values of another moment: hours of another time zone, values that are late, values that stand still."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mortis.integrity.kinds.coding import counts, value_shares
from mortis.integrity.kinds.judge import Judge, judge_of, number_judges
from mortis.integrity.kinds.pair import Coded, Pair
from mortis.integrity.kinds.proposal import Proposal, Told, Values, restored, reversible, suppose
from mortis.integrity.kinds.repair import Bools
from mortis.profiles import Floats
from mortis.rows import Column, Ints, RowSample

PERIODS = {24.0: "hours", 7.0: "days", 1440.0: "minutes", 86400.0: "seconds", 12.0: "months"}
LAGS_HOURS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 168)
HOUR = 3600
GROUPS_TRIED = 2
LEAST_TOLD = 0.03


def propose_shifts(pair: Pair) -> Iterator[Proposal]:
    """A clock of another zone: a column that runs in a circle is turned."""
    for judge in number_judges(pair):
        before = judge.before.astype(np.float64)
        found = _period(before, judge.after.astype(np.float64))
        if found is None:
            continue
        period, lowest = found
        step = period / (24 if period in {24.0, 1440.0, 86400.0} else period)
        shifts = [k * step for k in range(1, int(period / step))]
        turned = {shift: _turned(before, shift, period, lowest) for shift in shifts}
        rough = sorted(shifts, key=lambda shift: -judge.alone.weigh(turned[shift]).fit)[:4]
        verdicts = {shift: judge.weigh(turned[shift]) for shift in rough}
        shift = max(verdicts, key=lambda one: verdicts[one].fit - verdicts[one].off)
        signed = shift if shift <= period / 2 else shift - period
        told = Told(
            "timezone",
            {"shift": signed, "period": period},
            f"is turned by {signed:+g} {PERIODS[period]}",
            cost=0.01,
        )
        yield reversible(pair, suppose(judge, turned[shift]), told, _turner(-shift, period, lowest))


def propose_stale(pair: Pair) -> Iterator[Proposal]:
    """Values that are late: each is what it was some hours earlier, or stands still since the region began."""
    for change in pair.changes:
        judge = judge_of(pair, change)
        frozen = _frozen(pair, judge)
        if frozen:
            yield frozen
        late = _late(pair, judge)
        if late:
            yield late


def _period(before: Floats, after: Floats) -> tuple[float, float] | None:
    """The period of a column that looks like a clock or calendar, and its lowest value."""
    old, new = before[~np.isnan(before)], after[~np.isnan(after)]
    if not len(old) or not len(new):
        return None
    low, high = min(old.min(), new.min()), max(old.max(), new.max())
    for period in PERIODS:
        lowest = 1.0 if low >= 1 and high <= period and high > period - 1 else 0.0
        if low >= lowest and high < period + lowest and high - low >= 0.75 * (period - 1):
            return period, lowest
    return None


def _turned(values: Floats, shift: float, period: float, lowest: float) -> Floats:
    return np.asarray(np.mod(values - lowest + shift, period) + lowest)


def _turner(shift: float, period: float, lowest: float) -> Values:
    def back(values: Column) -> Floats:
        return _turned(values.astype(np.float64), shift, period, lowest)

    return back


def _late(pair: Pair, judge: Judge) -> Proposal | None:
    """The lag at which values go with what the related columns told that much earlier; None where there is none."""
    rows = np.flatnonzero(judge.region.in_scope(pair.before)), np.flatnonzero(judge.region.rows(pair.after))
    second = pair.before.second[rows[0]], pair.after.second[rows[1]]
    lags = [lag for lag in LAGS_HOURS if all(4 * lag * HOUR <= one[-1] - one[0] for one in second)]
    if not lags or len(judge.views) < 2:
        return None
    found: dict[tuple[int, str], float] = {}
    for name, groups in _groups(pair, judge.feature):
        group = groups.before[rows[0]], groups.after[rows[1]]
        for lag in lags:
            before, after = (_earlier(one, two, lag * HOUR) for one, two in zip(second, group, strict=True))
            found[lag, name] = _goes_with(judge, after) - max(0.0, _goes_with(judge, before, baseline=True))
    lag, name = max(found, key=lambda one: found[one])
    if found[lag, name] < LEAST_TOLD:
        return None
    kept_by = dict(_groups(pair, judge.feature))[name].before[rows[0]]
    forward = judge.before[_earlier(second[0], kept_by, lag * HOUR)]
    each = f" for each {name}" if name else ""
    told = Told("stale", {"lag_hours": float(lag), "by": name}, f"is what it was {lag} h earlier{each}")
    return restored(pair, suppose(judge, forward), told, struck=_everything)


def _goes_with(judge: Judge, earlier: Ints, *, baseline: bool = False) -> float:
    """How much the related columns of earlier rows tell of the feature, in nats, mean over them."""
    own = judge.code.of(judge.before if baseline else judge.after)
    views = [(view.before if baseline else view.after, view.size) for view in judge.views[1:]]
    return float(np.mean([_told(own, codes[earlier], (size, judge.code.size)) for codes, size in views]))


def _told(now: Ints, earlier: Ints, shape: tuple[int, int]) -> float:
    """How much earlier codes tell of present ones, in nats, less what chance would show (Miller and Madow)."""
    joint = counts(now, earlier, shape)
    n = joint.sum()
    expected = joint.sum(1, keepdims=True) * joint.sum(0) / n
    seen = joint > 0
    told = float((joint[seen] * np.log(joint[seen] / expected[seen])).sum() / n)
    filled = [int((joint.sum(axis) > 0).sum()) - 1 for axis in (0, 1)]
    return told - filled[0] * filled[1] / (2 * float(n))


def _frozen(pair: Pair, judge: Judge) -> Proposal | None:
    """The column within which each value's rows all hold one value now, though they didn't before."""
    rows = judge.region.in_scope(pair.before), judge.region.rows(pair.after)
    for name, (group, _) in pair.scopes.items():
        if name == judge.feature:
            continue
        old, new = group.before[rows[0]], group.after[rows[1]]
        before, _ = _modes(judge.before, old)
        after, mode = _modes(judge.after, new)
        if after < 0.97 or before > 0.7 or len(set(mode.values())) < 2:
            continue
        forward = judge.before.copy()
        for code, value in mode.items():
            forward[old == code] = value
        told = Told("stale", {"by": name, "lag_hours": "frozen"}, f"stands still for each {name}", cost=0.05)
        return restored(pair, suppose(judge, forward), told, struck=_everything)
    return None


def _modes(column: Column, group: Ints) -> tuple[float, dict[int, float | str]]:
    """Share of rows that hold their group's most frequent value, and that value by group."""
    held, mode = 0.0, {}
    for code in np.unique(group):
        values, shares = value_shares(column[group == code])
        if len(values):
            top = int(np.argmax(shares))
            mode[int(code)] = values[top].item() if hasattr(values[top], "item") else values[top]
            held += float(shares[top]) * float((group == code).sum())
    return held / max(1, len(column)), mode


def _groups(pair: Pair, feature: str) -> list[tuple[str, Coded]]:
    """What a stale value may have been kept by: nothing, or one of the text columns most related to the feature."""
    texts = [name for name in pair.related[feature] if name in pair.scopes]
    texts += [name for name in pair.scopes if name not in texts and name != feature]
    whole = Coded(np.zeros(len(pair.before), np.int64), np.zeros(len(pair.after), np.int64), 1)
    return [("", whole), *((name, pair.scopes[name][0]) for name in texts[:GROUPS_TRIED])]


def _earlier(second: Ints, group: Ints, lag: int) -> Ints:
    """For each row, in order of time, the last row of its group at least `lag` seconds earlier.

    Where the rows don't reach back that far, the first one as much later: it is as far off.
    """
    found = np.arange(len(second))
    for code in np.unique(group):
        members = np.flatnonzero(group == code)
        back = np.searchsorted(second[members], second[members] - lag, side="right") - 1
        ahead = np.minimum(np.searchsorted(second[members], second[members] + lag), len(members) - 1)
        found[members] = members[np.where(back >= 0, back, ahead)]
    return found


def _everything(sample: RowSample) -> Bools:
    return np.ones(len(sample), dtype=np.bool_)
