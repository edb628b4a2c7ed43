"""Values of another moment: hours of another time zone, values that are late, values that stand still."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mortis.integrity.kinds.coding import counts, value_shares
from mortis.integrity.kinds.judge import Judge, judge_of, number_judges
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.proposal import Proposal, Told, Values, restored, reversible, suppose
from mortis.integrity.kinds.repair import Bools, Ints
from mortis.profiles import Floats
from mortis.rows import Column, RowSample

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
    """The lag that explains best what the related columns no longer tell; None where values don't last.

    Late values that tell nothing of the present ones can't be told from other rows' values.
    """
    rows = np.flatnonzero(judge.region.in_scope(pair.before))
    second = pair.before.second[rows]
    lags = [lag for lag in LAGS_HOURS if 4 * lag * HOUR <= second[-1] - second[0]]
    if not lags or len(judge.views) < 2:
        return None
    best: tuple[float, int, str, Column] | None = None
    own = judge.code.of(judge.before)
    for name, group in _groups(pair, judge.feature):
        for lag in lags:
            place = _earlier(second, group[rows], lag * HOUR)
            mixed = _told(own, own[place[_shuffled(group[rows], pair.seed)]], judge.code.size)
            if _told(own, own[place], judge.code.size) < mixed + LEAST_TOLD:
                continue
            forward = judge.before[place]
            fit = judge.weigh(forward).fit
            if best is None or fit > best[0]:
                best = (fit, lag, name, forward)
    if best is None:
        return None
    _, lag, name, forward = best
    each = f" for each {name}" if name else ""
    told = Told("stale", {"lag_hours": float(lag), "by": name}, f"is what it was {lag} h earlier{each}", cost=0.04)
    return restored(pair, suppose(judge, forward), told, struck=_everything)


def _shuffled(group: Ints, seed: int) -> Ints:
    """Places (n,) of rows in random order within each group."""
    chance = np.random.default_rng(seed).random(len(group))
    found = np.empty(len(group), np.int64)
    found[np.argsort(group, kind="stable")] = np.lexsort((chance, group))
    return found


def _told(now: Ints, earlier: Ints, size: int) -> float:
    """How much an earlier value tells of the present one, in nats: nothing where values don't last."""
    joint = counts(now, earlier, (size, size))
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


def _groups(pair: Pair, feature: str) -> list[tuple[str, Ints]]:
    """What a stale value may have been kept by: nothing, or one of the text columns most related to the feature."""
    texts = [name for name in pair.related[feature] if name in pair.scopes]
    texts += [name for name in pair.scopes if name not in texts and name != feature]
    kept = [(name, pair.scopes[name][0].before) for name in texts[:GROUPS_TRIED]]
    return [("", np.zeros(len(pair.before), np.int64)), *kept]


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
