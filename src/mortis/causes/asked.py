"""Ways by asking: answers are those to other values than were logged, of one feature, of codes, or of all numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from mortis.causes.departures import Departed, Settings, Way
from mortis.causes.facts import percent
from mortis.causes.replay import answers
from mortis.profiles import Floats
from mortis.rows import Column, Ints, RowSample, Texts, is_number

STANDS = 0.9  # of the rows
PROMISING = 0.6  # of what stands, on the few rows of a search
SEARCHED, CHECKED, COMPARED = 24, 300, 120  # rows
MOST_PROMISING = 12
QUANTILES = 16  # of a number, tried in place of its values
MOST_VALUES = 30  # of a category
MOST_COMBINED = 400
LEAST_SEEN = 0.2  # of the rows at hand, to look for a neighbour's value
BEYOND = 0.01  # of the baseline's values lie beyond a limit, or nothing was cut
LESS = 0.5  # of the departures' squares are left at most, where coarse inputs explain them
ENDS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)  # cut off
STEPS = (2, 3, 4, 5, 6, 7, 8, 16, 32)
FINE = 255

Columns = Mapping[str, Column]
Codes = Mapping[tuple[str, str], str]
"""By feature and value, the value that is read in its place."""


@dataclass(frozen=True, slots=True, eq=False)
class Alteration:
    """A feature's values (n,) as they may have reached the model.

    `expected` is the share of rows on which that would show, as not every neighbour of a sampled row is sampled too.
    `constant` is the one value for all, and `setting` the figure on record that it comes from.
    """

    feature: str
    way: str
    values: Column
    expected: float = 1.0
    constant: float | None = None
    setting: str = ""


def altered(departed: Departed, settings: Settings) -> Way | None:
    """One feature reached the model otherwise than logged: turned, of another row, lost, or cut at a limit."""
    features = departed.facts.during.features
    every = [one for name in features for one in _alterations(departed, name, settings)]
    shares = _shares(departed, every, SEARCHED)
    order = [i for i in np.argsort(-shares, kind="stable")[:MOST_PROMISING] if shares[i] >= STANDS * PROMISING]
    promising = [every[i] for i in order]
    if not promising:
        return None
    shares = _shares(departed, promising, CHECKED)
    # Trees can't tell one low value from another: of what stands, that which is on record.
    best = max(range(len(promising)), key=lambda i: (shares[i] >= STANDS and bool(promising[i].setting), shares[i]))
    return _told(departed, promising[best], float(shares[best])) if shares[best] >= STANDS else None


def _alterations(departed: Departed, name: str, settings: Settings) -> Iterator[Alteration]:
    column, before = departed.facts.during.features[name], departed.facts.before.features[name]
    if departed.sampled >= LEAST_SEEN:
        yield from _neighbours(departed, name, column)
    if not is_number(column):
        values = Counter(one for one in before.tolist() if one is not None)
        for value in (None, *(one for one, _ in values.most_common(MOST_VALUES))):
            yield Alteration(name, f"always {value or 'missing'}", np.full(len(column), value, dtype=object))
        return
    # What is on record comes first: of what does as well in the search, the first are looked at more closely.
    for setting, constant in settings.items():
        yield replace(_always(name, constant, len(column)), setting=setting)
    yield Alteration(name, "with its sign turned", -np.asarray(column, dtype=float))
    known = np.asarray(before, dtype=float)[np.isfinite(np.asarray(before, dtype=float))]
    quantiles = np.unique(np.quantile(known, np.linspace(0, 1, QUANTILES))).tolist() if len(known) else []
    for constant in (0.0, -1.0, float("nan"), *quantiles):
        yield _always(name, constant, len(column))


def _always(name: str, constant: float, n: int) -> Alteration:
    said = "missing" if np.isnan(constant) else f"{constant:.6g}"
    return Alteration(name, f"always {said}", np.full(n, constant), constant=constant)


def _neighbours(departed: Departed, name: str, column: Column) -> Iterator[Alteration]:
    """The values of the request before and after."""
    order = np.argsort(departed.facts.during.second, kind="stable")
    for step, which in ((1, "before"), (-1, "after")):
        values = column.copy()
        values[order] = np.roll(column[order], step)
        yield Alteration(name, f"of the request {which}", values, expected=departed.sampled)


def _shares(departed: Departed, tried: Sequence[Alteration], most: int) -> Floats:
    """Of the rows on which each alteration would show, the share (tried,) whose answers it gives back."""
    places, rows = departed.few(most)
    given = asked(departed, rows, [{one.feature: one.values[rows]} for one in tried])
    found = departed.alike(given, departed.served[places]).mean(axis=1)
    return np.asarray(np.minimum(found / [one.expected for one in tried], 1.0), dtype=float)


def asked(departed: Departed, rows: Ints, otherwise: Sequence[Columns]) -> Floats:
    """What the file gives to these rows with other values: (otherwise, rows)."""
    sample = departed.facts.during.where(rows)
    features = {
        name: np.concatenate([one.get(name, column) for one in otherwise]) for name, column in sample.features.items()
    }
    many: RowSample = replace(sample, features=features)
    given = answers(departed.facts, departed.facts.models[departed.version], many)
    return np.asarray(given, dtype=float).reshape(len(otherwise), len(rows))


def _told(departed: Departed, one: Alteration, share: float) -> Way:
    limit = "" if one.constant is None else _limit(departed, one.feature, one.constant)
    way = limit or one.way
    said = f"asked with {one.feature} {way}, the file gives {percent(share)} of them"
    if not one.setting:
        return Way("altered", share, said, (one.feature,), {"way": way})
    told: dict[str, str | float] = {"key": one.setting, "value": float(one.constant or 0.0)}
    return Way("set", share, f"{said}, and {one.setting} was set to that", (one.feature,), told)


def _limit(departed: Departed, name: str, constant: float) -> str:
    """How a feature was cut, where the rows that depart lie beyond the value on one side alone; empty where not."""
    hit, usual = (
        np.asarray(one, dtype=float)
        for one in (departed.facts.during.features[name][departed.rows], departed.facts.before.features[name])
    )
    if (hit >= constant).mean() >= STANDS and (usual < constant).mean() > BEYOND:
        return f"cut to {constant:.6g} at most"
    if (hit <= constant).mean() >= STANDS and (usual > constant).mean() > BEYOND:
        return f"cut to {constant:.6g} at least"
    return ""


# --- codes


def recoded(departed: Departed, settings: Settings) -> Way | None:  # noqa: ARG001  all ways are asked alike
    """Each value of a category, or of several, is read as another one, always the same."""
    values = _values_read(departed)
    places, rows = departed.few(SEARCHED)
    names = list(values)
    subsets = [(name,) for name in names] + ([tuple(names)] if len(names) > 1 else [])
    for chosen in subsets:
        combined = list(product(*(values[name] for name in chosen)))
        if len(combined) > MOST_COMBINED:
            continue
        codes = _codes(departed, rows, places, chosen, combined)
        share = _by_codes(departed, codes)
        if share >= STANDS:
            turned = tuple(name for name in chosen if any(key[0] == name and key[1] != to for key, to in codes.items()))
            said = ", ".join(f"{value} as {to}" for (_, value), to in list(codes.items())[:4])
            told = f"asked with {' and '.join(turned)} in other codes ({said}), the file gives {percent(share)} of them"
            return Way("recoded", share, told, turned, {"way": "category codes"})
    return None


def _values_read(departed: Departed) -> dict[str, list[str]]:
    """The values of each category that the model reads."""
    _, rows = departed.few(SEARCHED)
    found = {}
    for name, column in departed.facts.before.features.items():
        values = Counter(one for one in column.tolist() if one is not None) if not is_number(column) else Counter()
        if not 2 <= len(values) <= MOST_VALUES:
            continue
        given = asked(departed, rows, [{name: np.full(len(rows), value, dtype=object)} for value in values])
        if (np.ptp(given, axis=0) > departed.near).any():
            found[name] = sorted(values)
    return found


def _codes(
    departed: Departed, rows: Ints, places: Ints, names: Sequence[str], combined: Sequence[tuple[str, ...]]
) -> dict[tuple[str, str], str]:
    """For each value of these categories the one that most often gives the answers back."""
    otherwise = [
        {name: np.full(len(rows), value, dtype=object) for name, value in zip(names, one, strict=True)}
        for one in combined
    ]
    equal = departed.alike(asked(departed, rows, otherwise), departed.served[places])
    votes: dict[tuple[str, str], dict[str, float]] = {}
    for i, row in enumerate(rows):
        fitting = np.flatnonzero(equal[:, i])
        for at, name in enumerate(names):
            value = departed.facts.during.features[name][row]
            count = votes.setdefault((name, str(value)), {})
            for one in fitting.tolist():
                count[combined[one][at]] = count.get(combined[one][at], 0.0) + 1 / len(fitting)
    return {key: max(count, key=lambda value: count[value]) for key, count in votes.items() if count}


def _by_codes(departed: Departed, codes: Codes) -> float:
    """The share of departed rows whose answers come back with these codes, of rows whose values they hold."""
    places, rows = departed.few(CHECKED)
    columns: dict[str, Texts] = {}
    for name in dict.fromkeys(name for name, _ in codes):
        column = departed.facts.during.features[name][rows]
        columns[name] = np.array([codes.get((name, str(one)), one) for one in column.tolist()], dtype=object)
    if not columns:
        return 0.0
    return float(departed.alike(asked(departed, rows, [columns])[0], departed.served[places]).mean())


# --- coarse numbers


def coarse(departed: Departed, settings: Settings) -> Way | None:  # noqa: ARG001
    """All numbers reach the model in few steps, and cut at both ends, as a conversion to small integers does it.

    Which ends it was calibrated with isn't known, so that the answers come back only nearly.
    """
    before = departed.facts.before.features
    numbers = [name for name, column in before.items() if is_number(column) and np.isfinite(column).any()]
    if not numbers:
        return None
    ends = list(product(ENDS, ENDS))
    left = _left(departed, numbers, [(low, high, FINE) for low, high in ends])
    low, high = ends[int(left.argmin())]
    left = _left(departed, numbers, [(low, high, steps) for steps in STEPS])
    best = int(left.argmin())
    if left[best] > LESS:
        return None
    said = f"in about {STEPS[best]} steps, cut at the lowest {percent(low)} and the highest {percent(high)}"
    told = f"asked with numbers {said}, the file leaves {percent(left[best])} of how far they depart, in mean square"
    return Way("coarse", float(1 - left[best]), told, parameters={"steps": float(STEPS[best]), "cut": low + high})


def _left(departed: Departed, numbers: Sequence[str], tried: Sequence[tuple[float, float, int]]) -> Floats:
    """The part (tried,) of the departures' squares that coarse numbers leave: (low end, high end, steps) of each."""
    before = departed.facts.before.features
    places, rows = departed.few(COMPARED)
    sample = departed.facts.during.where(rows)
    every = sorted({*ENDS, *(1 - one for one in ENDS)})
    quantiles = {name: np.nanquantile(np.asarray(before[name], dtype=float), every) for name in numbers}
    at = {name: dict(zip(every, values.tolist(), strict=True)) for name, values in quantiles.items()}
    otherwise = [
        {name: stepped(sample.features[name], at[name][low], at[name][1 - high], steps) for name in numbers}
        for low, high, steps in tried
    ]
    off = ((asked(departed, rows, otherwise) - departed.served[places]) ** 2).sum(axis=1)
    return np.asarray(off / max(float(((departed.given - departed.served)[places] ** 2).sum()), 1e-300), dtype=float)


def stepped(values: Column, low: float, high: float, steps: int) -> Floats:
    """Numbers cut to a range and brought to so many steps of it.

    >>> stepped(np.array([-9.0, 0.4, 9.0]), 0.0, 1.0, 2).tolist()
    [0.0, 0.5, 1.0]
    """
    figures = np.asarray(values, dtype=float)
    if high <= low:
        return figures
    place = (np.clip(figures, low, high) - low) / (high - low)
    return np.asarray(low + np.round(place * steps) / steps * (high - low), dtype=float)
