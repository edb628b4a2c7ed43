"""What leads from the answer that the model file gives to the one that was served, where they depart.

Each way is a plain thing that a service can do: keep an answer for other requests, hand it to another one, put it on
another scale, round it, or ask the model on other values than were logged. It stands where it gives the answers back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mortis.causes.asked import altered, coarse, recoded
from mortis.causes.departures import Departed, Settings, Way
from mortis.causes.facts import percent
from mortis.causes.replay import answers_in
from mortis.profiles import Floats
from mortis.rows import is_number

STANDS = 0.9  # of the rows
PARTLY, HALF = 0.8, 0.5  # of what can be seen in a sample of the rows
CHANCE = 0.3  # where answers coincide so often anyway, that they do says nothing
FEWEST = 20  # different answers, to tell one scale from another
COARSE = 0.2  # as many different answers as the file gives, or less
BITS = 0.3  # of the answers: others may have been cut to what an answer can be
HOUR = 3600

Seconds = npt.NDArray[np.int64]


def repeated(departed: Departed, settings: Settings) -> Way | None:  # noqa: ARG001  all ways are asked alike
    """Rows with other inputs share an answer that the file gives to the earliest of them."""
    sample = departed.facts.during
    group, counts = _groups(np.asarray(answers_in(departed.facts, sample), dtype=float))
    lost = np.flatnonzero(departed.rows)
    shares = counts[group[lost]] > 1
    before = np.asarray(answers_in(departed.facts, departed.facts.before), dtype=float)
    usual = _shared(before[: len(sample)])
    if usual > CHANCE or shares.mean() < PARTLY * departed.sampled:
        return None
    groups = np.unique(group[lost[shares]])
    order = np.lexsort((sample.second, group))
    first = order[np.searchsorted(group[order], groups)]
    if len(groups) < 3 or (~departed.rows[first]).mean() < HALF * departed.sampled:
        return None
    told = _key_and_time(departed, group, groups)
    key = f" and the same {told['key']}" if "key" in told else ""
    said = f"{percent(float(shares.mean()))} of them are the answer to another request with other inputs, which came"
    return Way("repeated", float(shares.mean()), f"{said} within {told['hours']:.3g} h{key}", parameters=told)


def _groups(answers: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The group (n,) of rows with the very same answer that each row is in, and the groups' sizes."""
    _, group, counts = np.unique(answers, return_inverse=True, return_counts=True, equal_nan=False)
    return group, counts


def _shared(answers: Floats) -> float:
    group, counts = _groups(answers)
    return float((counts[group] > 1).mean())


def _key_and_time(
    departed: Departed, group: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]
) -> dict[str, str | float]:
    """What rows with one answer have in common: categories that others of the time don't share, and so many hours."""
    sample = departed.facts.during
    rows = np.flatnonzero(np.isin(group, groups))
    order = rows[np.lexsort((sample.second[rows], group[rows]))]
    starts = np.flatnonzero(np.r_[True, group[order[1:]] != group[order[:-1]]])
    sizes = np.diff(np.r_[starts, len(order)])
    first = np.repeat(order[starts], sizes)
    second = sample.second[order]
    longest = float(np.quantile(second[starts + sizes - 1] - second[starts], 0.99))
    other = _of_the_time(departed, np.repeat(second[starts], sizes), np.repeat(second[starts + sizes - 1], sizes))
    key = [
        name
        for name, column in sample.features.items()
        if not is_number(column)
        and (column[order] == column[first]).mean() >= STANDS
        and (column[other] == column[first]).mean() < STANDS
    ]
    told: dict[str, str | float] = {"hours": round(longest / HOUR, 2)}
    return told | ({"key": ", ".join(sorted(key))} if key else {})


def _of_the_time(departed: Departed, earliest: Seconds, latest: Seconds) -> npt.NDArray[np.int64]:
    """For each of these stretches (k,) a row of it, drawn by lot."""
    by_time = np.argsort(departed.facts.during.second, kind="stable")
    second = departed.facts.during.second[by_time]
    low, high = np.searchsorted(second, earliest, "left"), np.searchsorted(second, latest, "right")
    return by_time[departed.facts.rng().integers(low, high)]


def exchanged(departed: Departed, settings: Settings) -> Way | None:  # noqa: ARG001
    """The answers are those that the file gives to other departed rows, each to one."""
    share = _found(departed.served, departed.given, departed.near)
    usual = np.asarray(answers_in(departed.facts, departed.facts.before), dtype=float)
    chance = _found(usual[np.isfinite(usual)], departed.given, departed.near)  # models of few leaves repeat themselves
    if share < HALF * departed.sampled or chance > CHANCE * share:
        return None
    return Way("exchanged", share, f"{percent(share)} of them are what the file gives to another of these rows")


def _found(these: Floats, those: Floats, near: float) -> float:
    """The share of the figures to which one of the others is equal."""
    known = np.concatenate([[-np.inf], np.sort(those), [np.inf]])
    place = np.searchsorted(known, these)
    return float((np.minimum(known[place] - these, these - known[place - 1]) <= near).mean())


def rescaled(departed: Departed, settings: Settings) -> Way | None:
    """The answer follows from the file's alone, and grows with it: another scale, offset or calibration."""
    share, different = _grows(departed)
    if share < STANDS or different[0] < max(FEWEST, COARSE * different[1]):
        return None
    told = _scale(departed)
    key = next((name for name, value in settings.items() if _put_in(value, told)), "")
    said = f"{percent(share)} of them follow from the file's answer alone and grow with it ({_as_text(told)})"
    if not key:
        return Way("rescaled", share, said, parameters=told)
    put_in: dict[str, str | float] = {"key": key, "value": settings[key]}
    return Way("set", share, f"{said}, as {key} = {settings[key]:.6g} makes them", parameters=put_in)


def rounded(departed: Departed, settings: Settings) -> Way | None:  # noqa: ARG001
    """The answers are the file's, on few steps."""
    share, different = _grows(departed)
    if share < STANDS or not 3 <= different[0] < COARSE * different[1]:
        return None
    said = f"they are the file's, brought to {different[0]:,} different values from {different[1]:,}"
    return Way("rounded", share, said, parameters={"values": float(different[0])})


@lru_cache(maxsize=1)  # asked by two ways
def _grows(departed: Departed) -> tuple[float, tuple[int, int]]:
    """The share of answers that lie on one growing curve over the file's, and how many differ: served, and given."""
    from scipy.optimize import isotonic_regression

    order = np.lexsort((departed.served, departed.given))
    served = departed.served[order]
    share = float(departed.alike(isotonic_regression(served).x, served).mean())
    different = [len(np.unique(np.round(one / (4 * departed.near)))) for one in (departed.served, departed.given)]
    return share, (different[0], different[1])


def _scale(departed: Departed) -> dict[str, str | float]:
    """The plainest scale that gives the answers back: by an offset, in the answer or its log odds, or by a line."""
    given, served = departed.given, departed.served
    if _by_offset(served - given, departed.near):
        return {"offset": round(float(np.median(served - given)), 6)}
    if departed.facts.probability and departed.facts.task == "binary":
        inside = (np.minimum(given, served) > 1e-4) & (np.maximum(given, served) < 1 - 1e-4)
        moved = _logit(served[inside]) - _logit(given[inside])
        if inside.any() and _by_offset(moved, 1e-3 + departed.near):
            return {"scale": "log odds", "offset": round(float(np.median(moved)), 6)}
    slope, offset = (float(one) for one in np.polyfit(given, served, 1))
    if departed.alike(slope * given + offset, served).mean() >= STANDS:
        return {"slope": round(slope, 6), "offset": round(offset, 6)}
    return {"scale": "a curve"}


def _by_offset(moved: Floats, near: float) -> bool:
    return bool((np.abs(moved - np.median(moved)) <= 4 * near).mean() >= STANDS)


def _logit(p: Floats) -> Floats:
    return np.asarray(np.log(p / (1 - p)), dtype=float)


def _put_in(value: float, told: dict[str, str | float]) -> bool:
    """Whether a figure is that of the scale: its offset, its slope, or the part that its slope takes away."""
    slope, offset = told.get("slope"), told.get("offset")
    figures = [one for one in (offset, slope) if isinstance(one, float)]
    figures += [1 - slope] if isinstance(slope, float) else []
    return any(abs(one - value) <= 0.005 * abs(value) for one in figures if value)


def _as_text(told: dict[str, str | float]) -> str:
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else str(value) for name, value in told.items())


def bits(departed: Departed, settings: Settings) -> Way | None:  # noqa: ARG001
    """The file's answers times powers of two, this one and that: bits of the exponent are turned."""
    ratio, known = np.ones(len(departed.served)), (departed.served > 0) & (departed.given > 0)
    power = np.log2(np.divide(departed.served, departed.given, out=ratio, where=known))
    hit = (np.abs(power - np.round(power)) < 1e-4) & (np.round(power) != 0)
    powers = np.unique(np.round(power[hit]))
    share = float(hit.mean())
    if share < BITS or len(powers) < 2:
        return None
    said = f"{percent(share)} of them are the file's times a power of two, of {len(powers)} different ones"
    return Way("bits", share, said, parameters={"powers": ", ".join(f"{one:+.0f}" for one in powers[:8])})


WAYS: tuple[Callable[[Departed, Settings], Way | None], ...] = (
    repeated,
    rescaled,
    rounded,
    exchanged,
    bits,
    altered,
    recoded,
    coarse,
)


def way_of(departed: Departed, settings: Settings) -> Way | None:
    """The first way that stands, the plainest first; None where none does."""
    return next((way for attempt in WAYS if (way := attempt(departed, settings))), None)
