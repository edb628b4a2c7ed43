"""Every profile is a sum: the order and the grouping of what is added don't matter, nothing added changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.profiles import (
    NULL,
    OTHER,
    CategoryProfile,
    Cell,
    DistinctSketch,
    Extremes,
    NumberProfile,
    Profile,
    Tally,
    merge,
)
from mortis.records import Window

EDGES, CENTRE = (0.0, 1.0, 5.0), 0.5
cells = st.tuples(st.sampled_from([0, 60, 120]), st.sampled_from(["", "v1", "v2"]), st.sampled_from(["right", "wrong"]))
short_cells: st.SearchStrategy[Any] = cells.map(lambda cell: cell[:2])
sums = st.dictionaries(st.sampled_from(["rows", "right", "bin:3", "bin:12"]), st.integers(0, 50).map(float), min_size=1)
tallies = st.dictionaries(short_cells, sums, max_size=5).map(Tally.of)
rows = st.lists(st.tuples(cells, st.none() | st.integers(-20, 20).map(lambda k: k / 2)), max_size=30)
named_rows = st.lists(st.tuples(cells, st.sampled_from(["a", "b", "c", NULL, OTHER])), max_size=30)


@st.composite
def extremes(draw):
    chosen = draw(st.lists(short_cells, unique=True, max_size=5))
    pairs = [sorted(draw(st.tuples(st.floats(-9, 9), st.floats(-9, 9)))) for _ in chosen]
    return Extremes(
        tuple(chosen),
        np.array([low for low, _ in pairs], dtype=float),
        np.array([high for _, high in pairs], dtype=float),
    )


sketches = st.dictionaries(short_cells, st.integers(0, 2**62 - 1), max_size=5).map(
    lambda bits: DistinctSketch(tuple(bits), tuple(bits.values()))
)


def number_profile(rows):
    """What one pass leaves of (cell, value) rows: the plain way."""
    by_cell: dict[Cell, list[float | None]] = {}
    for cell, value in rows:
        by_cell.setdefault(cell, []).append(value)
    sums, low, high = {}, [], []
    for cell in sorted(by_cell):
        known = np.array([x for x in by_cell[cell] if x is not None], dtype=float)
        counts = np.bincount(np.searchsorted(EDGES, known, side="right"), minlength=len(EDGES) + 1)
        sums[cell] = {f"bin:{j}": float(n) for j, n in enumerate(counts)} | {
            "nulls": float(len(by_cell[cell]) - len(known)),
            "sum": float((known - CENTRE).sum()),
            "square": float(((known - CENTRE) ** 2).sum()),
        }
        low.append(known.min(initial=np.inf))
        high.append(known.max(initial=-np.inf))
    tally = Tally.of(sums)
    return NumberProfile(EDGES, CENTRE, tally, Extremes(tally.cells, np.array(low), np.array(high)))


def category_profile(rows):
    sums: dict[Cell, dict[str, float]] = {}
    for cell, value in rows:
        own = sums.setdefault(cell, {})
        own[value] = own.get(value, 0.0) + 1
    return CategoryProfile(Tally.of(sums), len({value for _, value in rows} - {NULL, OTHER}))


def whole_profile(rows, named):
    quality = reduce(add, (Tally.of({cell[:2]: {"rows": 1.0}}) for cell, _ in rows), Tally())
    return Profile(
        width=60,
        rows=len(rows),
        quality=quality,
        confusion=quality,
        numbers={"x": number_profile(rows)},
        categories={"c": category_profile(named)},
        outcomes=quality,
    )


def content(one):
    """What a summary says, without regard to order: two that say the same are the same sum."""
    match one:
        case Tally():
            return one._content()
        case Extremes():
            pairs = zip(one.cells, one.low.tolist(), one.high.tolist(), strict=True)
            return {cell: (low, high) for cell, low, high in pairs if low <= high}
        case DistinctSketch():
            return {cell: bits for cell, bits in zip(one.cells, one.bits, strict=True) if bits}
        case NumberProfile():
            return one.edges, one.centre, content(one.sums), content(one.extremes), content(one.sketch)
        case CategoryProfile():
            return content(one.sums), one.distinct
    parts = (one.quality, one.confusion, one.outcomes)
    columns = ({name: content(part) for name, part in own.items()} for own in (one.numbers, one.categories))
    return one.width, one.rows, [content(part) for part in parts], list(columns)


KINDS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "Tally": (tallies, Tally()),
    "Extremes": (extremes(), Extremes()),
    "DistinctSketch": (sketches, DistinctSketch()),
    "NumberProfile": (rows.map(number_profile), NumberProfile()),
    "CategoryProfile": (named_rows.map(category_profile), CategoryProfile()),
    "Profile": (st.builds(whole_profile, rows, named_rows), Profile()),
}


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_adding_is_associative_and_commutative_with_an_identity(kind, data):
    kinds, nothing = KINDS[kind]
    a, b, c = (data.draw(kinds) for _ in range(3))
    assert content((a + b) + c) == content(a + (b + c))
    assert content(a + b) == content(b + a)
    assert content(a + nothing) == content(a) == content(nothing + a)
    assert content(nothing + nothing) == content(nothing)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_adding_leaves_both_sides_as_they_were(kind, data):
    kinds, _ = KINDS[kind]
    a, b = data.draw(kinds), data.draw(kinds)
    before = content(a), content(b)
    _ = a + b
    assert (content(a), content(b)) == before


@given(rows, named_rows, st.integers(0, 30))
def test_halves_added_are_the_whole(rows, named, cut):
    whole = whole_profile(rows, named)
    halves = whole_profile(rows[:cut], named[:cut]), whole_profile(rows[cut:], named[cut:])
    assert content(halves[0] + halves[1]) == content(whole)
    assert content(merge(halves)) == content(whole)
    assert content(merge([])) == content(Profile())


@given(rows, named_rows)
def test_a_profile_comes_back_from_json_as_it_was(rows, named):
    """And the text is strict JSON, though a cell without a value has no finite extremes."""
    whole = whole_profile(rows, named)
    text = whole.to_json()
    json.loads(text, parse_constant=pytest.fail)
    again = Profile.from_json(text)
    assert content(again) == content(whole)
    assert again.to_json() == text


@given(rows)
def test_the_figures_of_a_number_are_those_of_numpy(rows):
    one = number_profile(rows)
    known = np.array([x for _, x in rows if x is not None], dtype=float)
    assert (one.n, one.nulls) == (len(known), len(rows) - len(known))
    if not len(known):
        assert np.isnan([one.mean, one.std, one.quantile(0.5)]).all()
        return
    assert one.mean == pytest.approx(known.mean(), abs=1e-9)
    assert one.std == pytest.approx(known.std(), abs=1e-6)
    assert one.range == (known.min(), known.max())
    for q in (0.0, 0.3, 0.5, 1.0):
        found = one.quantile(q)
        assert known.min() <= found <= known.max()
        below = max((edge for edge in EDGES if edge < found), default=-np.inf)
        above = min((edge for edge in EDGES if edge >= found), default=np.inf)
        assert (known < below).mean() <= q <= (known <= above).mean()


@given(rows, named_rows)
def test_a_part_and_the_rest_add_up_to_the_whole(rows, named):
    """Whatever the cells are chosen by; a part chosen twice is chosen once."""
    whole = whole_profile(rows, named)
    part, rest = whole.where(lambda cell: cell[0] == 60), whole.where(lambda cell: cell[0] != 60)
    both = part + rest
    assert [content(x) for x in (both.quality, both.numbers["x"], both.categories["c"])] == [
        content(x) for x in (whole.quality, whole.numbers["x"], whole.categories["c"])
    ]
    assert content(part.where(lambda cell: cell[0] == 60)) == content(part)
    minute = Window(datetime(1970, 1, 1, 0, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 2, tzinfo=UTC))
    assert content(whole.within(minute)) == content(part)
    assert content(whole.quality.within(minute)) == content(part.quality)


@given(tallies)
def test_adding_cells_up_by_a_part_of_their_key_loses_nothing(tally):
    assert tally.by(lambda cell: cell[:1]).total() == pytest.approx(tally.total())
    assert tally.by(lambda cell: cell) == tally


@given(tallies, tallies)
def test_totals_and_columns_add_up(a, b):
    both = a + b
    for slot in both.slots:
        assert both.column(slot).sum() == a.column(slot).sum() + b.column(slot).sum()
    assert not a.column("never counted").any()


def test_a_block_is_in_the_order_of_its_numbers():
    tally = Tally.of({(0, ""): {"bin:10": 3.0, "bin:9": 2.0, "rows": 5.0}})
    assert tally.block("bin:").tolist() == [[2.0, 3.0]]


def test_profiles_cut_differently_do_not_add():
    one = number_profile([((0, "", "right"), 1.0)])
    other = NumberProfile((0.0, 2.0), CENTRE, one.sums, one.extremes)
    with pytest.raises(ValueError, match="different edges"):
        _ = one + other
    with pytest.raises(ValueError, match="buckets of 60 s and 3600 s"):
        _ = Profile(width=60) + Profile(width=3600)


def test_an_empty_window_keeps_where_its_column_is_cut():
    empty = number_profile([((0, "", "right"), 1.0)]).where(lambda _: False)
    for summed in (empty, empty + NumberProfile(), NumberProfile() + empty):
        assert summed.edges == EDGES
        assert summed.centre == CENTRE


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_a_sketch_tells_roughly_how_many_values_there_were(distinct, seed):
    """Repeating them changes nothing, and 60 are told within a third or five."""
    places = np.random.default_rng(seed).integers(0, 64, distinct)
    bits = reduce(lambda so_far, place: so_far | 1 << int(place), places, 0)
    once = DistinctSketch(((0, ""),), (bits,))
    assert (once + once).distinct == once.distinct
    if distinct <= 10:
        assert once.distinct == pytest.approx(distinct, abs=6)
