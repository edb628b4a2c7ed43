"""Numbers in another unit, on another scale, or with the other sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mortis.integrity.kinds.judge import Judge, Verdict, number_judges
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.proposal import Proposal, Told, number, reversible, suppose
from mortis.profiles import Floats

# Of time, length, mass, speed, volume, energy and computing; each is tried both ways.
FACTORS = (
    *(7.0, 12.0, 24.0, 52.1775, 60.0, 365.25, 1440.0, 3600.0, 86400.0, 604800.0),
    *(0.3048, 0.9144, 1.609344, 1.852, 2.54, 25.4, 3.6, 2.236936),
    *(0.45359237, 2.20462262, 28.349523, 3.785412, 4.184, 1.150779, 1.943844),
    *(10.0, 100.0, 1000.0, 10_000.0, 1e6, 1e9, 1024.0, 1_048_576.0),
)
TEMPERATURES = {
    "Celsius to Fahrenheit": (1.8, 32.0),
    "Fahrenheit to Celsius": (1 / 1.8, -32 / 1.8),
    "Celsius to kelvin": (1.0, 273.15),
    "kelvin to Celsius": (1.0, -273.15),
    "Fahrenheit to kelvin": (1 / 1.8, 273.15 - 32 / 1.8),
}
CURVES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "log1p": (np.log1p, np.expm1),
    "log": (np.log, np.exp),
    "log10": (np.log10, lambda v: np.asarray(10.0**v)),
    "expm1": (np.expm1, np.log1p),
    "sqrt": (np.sqrt, np.square),
    "square": (np.square, np.sqrt),
}
TRIED_IN_FULL = 6
VALUES_PAIRED = 5


@dataclass(frozen=True, slots=True)
class Affine:
    """x becomes factor * x + offset."""

    factor: float
    offset: float = 0.0
    name: str = ""
    cost: float = 0.0

    def of(self, values: Floats) -> Floats:
        """The values after."""
        return self.factor * values + self.offset

    def back(self, values: Floats) -> Floats:
        """The values before."""
        return (values - self.offset) / self.factor


def propose_units(pair: Pair) -> Iterator[Proposal]:
    """A change of unit: x becomes factor * x + offset, with a factor that units have, or a free one at a cost."""
    for judge in number_judges(pair):
        known = [Affine(f, name="unit") for c in FACTORS for f in (c, 1 / c)]
        known += [Affine(*both, name=name) for name, both in TEMPERATURES.items()]
        found = [best for best in (_best(judge, known), _best(judge, _free(judge))) if best is not None]
        for affine in found:
            yield _as_proposal(pair, judge, affine)


def propose_signs(pair: Pair) -> Iterator[Proposal]:
    """The sign turned: x becomes -x."""
    for judge in number_judges(pair):
        if not np.any(np.nan_to_num(judge.before.astype(float)) != 0):
            continue
        forward = -judge.before.astype(np.float64)
        told = Told("sign", {"factor": -1.0}, "has the other sign")
        yield reversible(pair, suppose(judge, forward), told, lambda v: -v.astype(np.float64))


def propose_curves(pair: Pair) -> Iterator[Proposal]:
    """A transformation applied once too often or left out: logarithm, exponential, root, square."""
    for judge in number_judges(pair):
        with np.errstate(all="ignore"):
            forwards = {name: _finite(forth(judge.before.astype(float))) for name, (forth, _) in CURVES.items()}
        verdicts = {name: judge.weigh(forward) for name, forward in forwards.items()}
        name = max(verdicts, key=lambda one: verdicts[one].fit - verdicts[one].off)
        told = Told("transform", {"function": name}, f"is transformed by {name}", cost=0.02)
        yield reversible(pair, suppose(judge, forwards[name]), told, _backwards(name))


def _backwards(name: str) -> Callable[..., Floats]:
    def back(values: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return _finite(CURVES[name][1](values))

    return back


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _best(judge: Judge, tried: list[Affine]) -> Affine | None:
    """The map that fits best: all are tried on the feature alone, the nearest few given its related columns."""
    if not tried:
        return None
    thin = np.linspace(0, len(judge.before) - 1, min(1500, len(judge.before))).astype(np.int64)
    alone = judge.alone.thinned(thin)
    rough = sorted(tried, key=lambda one: -_score(one, alone.weigh(one.of(alone.before.astype(float)))))
    weighed = [(one, judge.weigh(one.of(judge.before.astype(float)))) for one in rough[:TRIED_IN_FULL]]
    return max(weighed, key=lambda pair: _score(*pair))[0]


def _score(affine: Affine, verdict: Verdict) -> float:
    return verdict.fit - verdict.off - affine.cost - verdict.freedom


def _free(judge: Judge) -> list[Affine]:
    """Maps read off the data: by which offset or factor the quantiles moved, or values that gained and lost share."""
    old, new = (column.astype(float)[~np.isnan(column.astype(float))] for column in (judge.before, judge.after))
    if not len(old) or not len(new) or old.min() == old.max():
        return []
    levels = np.linspace(0.02, 0.98, 49)
    first, then = np.quantile(old, levels), np.quantile(new, levels)
    offsets, factors = [float(np.median(then - first))], []
    if np.median(np.abs(first)) > 0:
        factors.append(float(np.median(then[first != 0] / first[first != 0])))
    gained, lost = _gained_and_lost(old, new)
    offsets += [a - b for a in gained for b in lost]
    factors += [a / b for a in gained for b in lost if b != 0]
    tried = [Affine(1.0, by, "offset", cost=0.05) for by in set(offsets)]
    # A factor read off the data that is a unit's but for its inexactness adds nothing.
    tried += [Affine(by, name="factor", cost=0.08) for by in set(factors) if not _is_a_units(by)]
    slopes = [float((then[-1] - then[0]) / (first[-1] - first[0]))] if first[-1] > first[0] else []
    if first[36] > first[12]:
        slopes.append(float((then[36] - then[12]) / (first[36] - first[12])))
    tried += [Affine(by, float(np.median(then - by * first)), "scale", cost=0.12) for by in slopes]
    return [one for one in tried if abs(one.factor) > 1e-9 and (one.factor != 1.0 or one.offset != 0.0)]


def _is_a_units(factor: float) -> bool:
    return any(abs(factor / known - 1) < 0.015 for one in FACTORS for known in (one, 1 / one))


def _gained_and_lost(old: Floats, new: Floats) -> tuple[list[float], list[float]]:
    """The few values whose share rose most, and those whose share fell most."""
    values, place = np.unique(np.concatenate([old, new]), return_inverse=True)
    rise = np.bincount(place[len(old) :], minlength=len(values)) / len(new)
    rise = rise - np.bincount(place[: len(old)], minlength=len(values)) / len(old)
    order = np.argsort(rise)
    lost = [float(values[i]) for i in order[:VALUES_PAIRED] if rise[i] < -0.004]
    gained = [float(values[i]) for i in order[::-1][:VALUES_PAIRED] if rise[i] > 0.004]
    return gained, lost


def _as_proposal(pair: Pair, judge: Judge, affine: Affine) -> Proposal:
    if affine.offset == 0.0:
        says = f"is multiplied by {number(affine.factor)}"
        if affine.name == "unit" and affine.factor < 1:
            says = f"is divided by {number(1 / affine.factor)}"
    elif affine.factor == 1.0:
        says = f"is moved by {number(affine.offset)}"
    else:
        says = f"is {number(affine.factor)} times itself plus {number(affine.offset)}"
    if affine.name in TEMPERATURES:
        says = f"went from {affine.name}"
    told = Told("unit", {"factor": affine.factor, "offset": affine.offset}, says, affine.cost)
    forward = affine.of(judge.before.astype(float))
    return reversible(pair, suppose(judge, forward), told, lambda v: affine.back(v.astype(np.float64)))
