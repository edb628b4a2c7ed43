"""The columns of a schema, of whatever kind it is written in, and what differs between two of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mortis.records import ChangedPart

Families = frozenset[str]
ANY: Families = frozenset()
ALIKE = 0.6
_NUMBERS: Families = frozenset({"whole number", "number", "decimal"})
_NULLS_BY_DEFAULT = frozenset({"Parquet"})  # most writers allow missing values in every column, whatever the data mean


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its schema states it; what the schema doesn't say is None, or empty.

    `type` is the type in the schema's own words, `families` what it may hold (whole number, number, text, ...; none
    where nothing is known), `nulls` whether a value may be missing, `values` the only ones allowed, `about` the
    description or comment.
    """

    name: str
    type: str = ""
    families: Families = ANY
    nulls: bool | None = None
    default: str | None = None
    values: tuple[str, ...] | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of one table in their order, and the kind of schema that states them."""

    kind: str
    columns: tuple[Column, ...]
    table: str = ""


def differences(before: Schema, after: Schema) -> Iterator[ChangedPart]:
    """What differs between two schemas: columns added, removed, renamed (a guess), and each column's own properties.

    Schemas of different kinds are compared by what both state, and their types by families.

    >>> old = Schema("csv header", (Column("id"), Column("dist_mi"), Column("late")))
    >>> new = Schema("csv header", (Column("id"), Column("dist_km"), Column("late"), Column("carrier")))
    >>> [str(part) for part in differences(old, new)]
    ['column 2 renamed (a guess) dist_mi → dist_km', 'carrier column added']
    """
    old, new = ({one.name: one for one in schema.columns} for schema in (before, after))
    renamed = _renamed(before.columns, after.columns)
    kinds = before.kind, after.kind
    for name, one in new.items():
        if name in renamed:
            yield ChangedPart(f"column {list(new).index(name) + 1} renamed (a guess)", renamed[name], name)
            yield from _altered(old[renamed[name]], one, kinds)
        elif name in old:
            yield from _altered(old[name], one, kinds)
        elif not _part_of_known(name, old, kinds):
            yield ChangedPart(name, None, one.type or "column")
    for name, one in old.items():
        if name not in new and name not in renamed.values() and not _part_of_known(name, new, kinds):
            yield ChangedPart(name, one.type or "column", None)


def _part_of_known(name: str, others: Container[str], kinds: tuple[str, str]) -> bool:
    """Whether a nested field belongs to a column that the other schema has, and by its kind can't look into."""
    parent = re.split(r"\.|\[\]", name)[0]
    return kinds[0] != kinds[1] and parent != name and parent in others


def _altered(old: Column, new: Column, kinds: tuple[str, str]) -> Iterator[ChangedPart]:
    """What differs between a column and itself, as far as both kinds of schema state it."""
    name, same_kind = new.name, kinds[0] == kinds[1]
    if old.type != new.type if same_kind else _contradict(old, new):
        yield ChangedPart(name, old.type, new.type)
    nulls_meant = same_kind or not _NULLS_BY_DEFAULT & set(kinds)
    if nulls_meant and None not in (old.nulls, new.nulls) and old.nulls != new.nulls:
        yield ChangedPart(f"{name} (missing values)", _allowed(old), _allowed(new))
    if old.default != new.default and (same_kind or None not in (old.default, new.default)):
        yield ChangedPart(f"{name} (default)", old.default, new.default)
    yield from _values_altered(old, new, same_kind=same_kind)
    units = units_in(old.about), units_in(new.about)
    if all(units) and units[0] != units[1]:
        yield ChangedPart(f"{name} (unit)", ", ".join(units[0]), ", ".join(units[1]))


def _contradict(old: Column, new: Column) -> bool:
    """Whether the two can't hold the same values."""
    return bool(old.families and new.families) and not old.families & new.families


def _values_altered(old: Column, new: Column, *, same_kind: bool) -> Iterator[ChangedPart]:
    """The only values allowed that came and went, one by one where both schemas list them."""
    if old.values is not None and new.values is not None:
        yield from (ChangedPart(f"{new.name} (value)", None, value) for value in new.values if value not in old.values)
        yield from (ChangedPart(f"{new.name} (value)", value, None) for value in old.values if value not in new.values)
    elif same_kind and old.values != new.values:
        yield ChangedPart(f"{new.name} (values)", _listed(old.values), _listed(new.values))


def _allowed(one: Column) -> str:
    return "allowed" if one.nulls else "not allowed"


def _listed(values: tuple[str, ...] | None) -> str | None:
    return None if values is None else f"only {', '.join(values)}"


def reworded(before: Schema, after: Schema) -> list[str]:
    """The columns that both schemas describe, in other words and without another unit: no change of the data."""
    old = {one.name: one.about for one in before.columns}
    pairs = [(one.name, old[one.name], one.about) for one in after.columns if one.about and old.get(one.name)]
    return [
        name
        for name, said, says in pairs
        if said.split() != says.split()
        and (units_in(said) == units_in(says) or not (units_in(said) and units_in(says)))
        and (units_in(said) == units_in(says) or not (units_in(said) and units_in(says)))
    ]


def _renamed(before: Sequence[Column], after: Sequence[Column]) -> dict[str, str]:
    """New names with the old names they seem to stand for: like types, and like names or the same place.

    Each is used once, the likest first.
    """
    names = {one.name for one in before}, {one.name for one in after}
    gone = [(i, one) for i, one in enumerate(before) if one.name not in names[1]]
    come = [(i, one) for i, one in enumerate(after) if one.name not in names[0]]
    pairs = []
    for i, old in gone:
        for j, new in come:
            if _contradict(old, new) and not (old.families <= _NUMBERS and new.families <= _NUMBERS):
                continue
            likeness = difflib.SequenceMatcher(None, old.name.casefold(), new.name.casefold()).ratio()
            placed = _neighbours(before, i) == _neighbours(after, j) and old.type == new.type
            if likeness >= ALIKE or placed:
                pairs.append((-likeness - placed, i, j))
    renamed: dict[str, str] = {}
    for _, i, j in sorted(pairs):
        if after[j].name not in renamed and before[i].name not in renamed.values():
            renamed[after[j].name] = before[i].name
    return renamed


def _neighbours(columns: Sequence[Column], i: int) -> tuple[str, str]:
    """The names beside a column; its place, however many stand before it."""
    return (columns[i - 1].name if i else "", columns[i + 1].name if i + 1 < len(columns) else "")


# Units by their spellings in the words of a description; those of one letter or two count after "in" or "unit" alone.
_UNITS: dict[str, str] = {
    spelling: unit
    for unit, spellings in {
        "km": "km kilometer kilometers kilometre kilometres",
        "miles": "mi mile miles",
        "nautical miles": "nmi",
        "metres": "m meter meters metre metres",
        "feet": "ft foot feet",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "mm": "mm millimeter millimeters millimetre millimetres",
        "inches": "inch inches",
        "days": "day days",
        "hours": "h hr hrs hour hours",
        "minutes": "min mins minute minutes",
        "seconds": "s sec secs second seconds",
        "milliseconds": "ms msec millisecond milliseconds",
        "microseconds": "us microsecond microseconds",
        "nanoseconds": "ns nanosecond nanoseconds",
        "kg": "kg kilogram kilograms",
        "g": "g gram grams",
        "lb": "lb lbs pound pounds",
        "°C": "celsius °c degc",
        "°F": "fahrenheit °f degf",
        "K": "kelvin",
        "per cent": "% percent percentage",
        "share": "share fraction ratio",
        "EUR": "eur euro euros €",
        "USD": "usd dollar dollars $",
        "GBP": "gbp £",
        "cents": "cent cents",
        "mph": "mph",
        "knots": "kn kt knot knots",
        "km/h": "km/h kmh kph",
        "m/s": "m/s mps",
        "hPa": "hpa mbar millibar",
        "bytes": "byte bytes",
        "kB": "kb kib kilobytes",
        "MB": "mb mib megabytes",
        "GB": "gb gib gigabytes",
        "UTC": "utc gmt",
        "local time": "local",
    }.items()
    for spelling in spellings.split()
}


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SHORT = [word for word in _UNITS if len(word) < 3 and word.isalpha()]
_UNIT = re.compile(
    rf"(?<![\w/])(?:{_any_of(set(_UNITS) - set(_SHORT))})(?![\w/])"
    rf"|(?:(?<=in )|(?<=unit )|(?<=unit: )|(?<=\()|(?<=\[))(?:{_any_of(_SHORT)})(?![\w/])"
)


def units_in(about: str) -> tuple[str, ...]:
    """The units that a description names, each once, in alphabetical order.

    >>> units_in("Distance flown in miles"), units_in("unit: km"), units_in("a name")
    (('miles',), ('km',), ())
    """
    return tuple(sorted({_UNITS[found[0]] for found in _UNIT.finditer(about.lower())}))
