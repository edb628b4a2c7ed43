"""Numbers that lost part of what they told: clipped at a bound, or rounded to coarser steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mortis.integrity.kinds.coding import value_shares
from mortis.integrity.kinds.judge import ALL_STRUCK, Judge, number_judges
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.proposal import Proposal, Told, number, restored, suppose
from mortis.integrity.kinds.repair import Bools
from mortis.profiles import Floats
from mortis.rows import Column, Ints, RowSample

BOUNDS_TRIED = 3
STEPS_TRIED = 4
STEPS = (15.0, 30.0, 60.0, *(step * 10.0**power for power in range(-4, 6) for step in (1.0, 2.0, 2.5, 5.0)))
ROUNDINGS: dict[str, Callable[[Floats], Floats]] = {
    "floor": np.floor,
    "round": np.round,
    "ceil": np.ceil,
    "trunc": np.trunc,
}


def propose_clipping(pair: Pair) -> Iterator[Proposal]:
    """Values beyond a bound became the bound."""
    for judge in number_judges(pair):
        for bound, side in _bounds(judge):
            forward = _clipped(judge.before, bound, side)
            told = Told(
                "clip", {"bound": bound, "side": side}, f"never goes {_beyond(side)} {number(bound)}", cost=0.005
            )
            yield restored(
                pair,
                suppose(judge, forward),
                told,
                struck=_at(judge.feature, bound),
                pool=_from(pair.before.features[judge.feature], bound, side),
            )


def propose_rounding(pair: Pair) -> Iterator[Proposal]:
    """Values were rounded, cut or cast to multiples of a step."""
    for judge in number_judges(pair):
        before = judge.before.astype(float)
        tried = {
            (step, name): step * cut(before / step)
            for step in coarser_steps(before, judge.after.astype(float))
            for name, cut in ROUNDINGS.items()
        }
        if not tried:
            continue
        verdicts = {key: judge.weigh(forward) for key, forward in tried.items()}
        step, name = max(verdicts, key=lambda key: verdicts[key].fit - verdicts[key].off)
        told = Told(
            "rounding", {"step": step, "how": name}, f"holds only multiples of {number(step)} ({name})", cost=0.005
        )
        yield restored(
            pair,
            suppose(judge, tried[step, name]),
            told,
            struck=None if verdicts[step, name].share < ALL_STRUCK else _everything,
            own=_rounded_codes(step, name),
        )


def coarser_steps(before: Floats, after: Floats) -> list[float]:
    """The few steps whose multiples gained most share, with the largest of those that gained alike first.

    >>> coarser_steps(np.arange(300.0), np.arange(0.0, 300, 10))[0]
    10.0
    """
    old, new = before[~np.isnan(before) & (before != 0)], after[~np.isnan(after) & (after != 0)]
    if len(old) < 20 or len(new) < 20:
        return []
    rise = {step: _multiples(new, step) - _multiples(old, step) for step in STEPS}
    risen = [step for step in STEPS if rise[step] >= 0.1]
    return sorted(risen, key=lambda step: (-round(rise[step], 2), -step))[:STEPS_TRIED]


def _multiples(values: Floats, step: float) -> float:
    """The share of values that are multiples of the step."""
    ratio = values / step
    return float(np.mean(np.abs(ratio - np.round(ratio)) <= 1e-6))


def _bounds(judge: Judge) -> list[tuple[float, str]]:
    """Values that gained share and that a good part of the baseline lies beyond, with the side they bound."""
    old = dict(zip(*(part.tolist() for part in value_shares(judge.before)), strict=True))
    new = dict(zip(*(part.tolist() for part in value_shares(judge.after)), strict=True))
    gained = sorted(new, key=lambda value: old.get(value, 0.0) - new[value])[:BOUNDS_TRIED]
    known = judge.before[~np.isnan(judge.before.astype(float))]
    found = []
    for bound in gained:
        rise = new[bound] - old.get(bound, 0.0)
        for side, beyond in (("upper", known > bound), ("lower", known < bound)):
            if rise >= 0.01 and 0.5 * rise <= float(beyond.mean()) <= 0.97:
                found.append((bound, side))
    return found


def _clipped(values: Column, bound: float, side: str) -> Floats:
    clipped: Floats = np.minimum(values, bound) if side == "upper" else np.maximum(values, bound)
    return clipped


def _beyond(side: str) -> str:
    return "above" if side == "upper" else "below"


def _from(column: Column, bound: float, side: str) -> Bools:
    return np.asarray(column >= bound if side == "upper" else column <= bound, dtype=np.bool_)


def _at(feature: str, bound: float) -> Callable[[RowSample], Bools]:
    def chosen(sample: RowSample) -> Bools:
        return np.asarray(sample.features[feature] == bound, dtype=np.bool_)

    return chosen


def _rounded_codes(step: float, how: str) -> Callable[[Column], Ints]:
    """Codes that agree where the rounded values do."""

    def codes(column: Column) -> Ints:
        with np.errstate(invalid="ignore"):
            units = ROUNDINGS[how](np.asarray(column, dtype=np.float64) / step + 1e-9)
        return np.clip(np.nan_to_num(units, nan=-1e6), -1e6, 1e6).astype(np.int64)

    return codes


def _everything(sample: RowSample) -> Bools:
    return np.ones(len(sample), dtype=np.bool_)
