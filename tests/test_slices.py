"""Error slices: exact counts, the score, the search, what it confirms and what it refuses."""

from __future__ import annotations

import csv
import math
from itertools import combinations, product

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact, poisson

from mortis.errors import counting
from mortis.errors.counting import CodedRows, count_slices, distinct_slices, tallies_of
from mortis.errors.scan import rise_p, slice_score
from mortis.errors.search import Rules, best_slice
from mortis.errors.slices import complement, find_slices, rise_direction


def coded(codes, n, errors, *, sizes, search=None) -> CodedRows:
    names = tuple(f"c{index}" for index in range(len(sizes)))
    values = tuple(tuple(f"v{value}" for value in range(size)) for size in sizes)
    return CodedRows(names, values, codes, n, errors, search)


def drawn(rng, *, rows, sizes, rate=0.1, planted=(), planted_rate=0.5, halves=True) -> CodedRows:
    """One prediction per row, columns independent; rows that meet every planted condition fail at `planted_rate`."""
    codes = np.stack([rng.integers(0, size, rows) for size in sizes], axis=1).astype(np.uint8)
    p = np.full(rows, rate)
    if planted:
        p[np.all([codes[:, column] == code for column, code in planted], axis=0)] = planted_rate
    errors = (rng.random(rows) < p).astype(np.int64)
    return coded(codes, np.ones(rows, np.int64), errors, sizes=sizes, search=rng.random(rows) < 0.5 if halves else None)


@st.composite
def windows(draw):
    """Two small windows of the same columns, each row standing for 0 to 6 predictions."""
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def window():
        rows = int(rng.integers(1, 40))
        codes = np.stack([rng.integers(0, size, rows) for size in sizes], axis=1).astype(np.uint8)
        n = rng.integers(0, 7, rows)
        n[0] += 1
        return coded(codes, n, rng.integers(0, n + 1), sizes=sizes)

    return window(), window()


Counted = dict[tuple[tuple[int, int], ...], list[int]]


def plain_counts(baseline: CodedRows, incident: CodedRows, max_conditions: int) -> Counted:
    """Every slice that occurs in the incident, counted row by row in plain Python."""
    counts: Counted = {}
    for which, rows in ((2, incident), (0, baseline)):
        for codes, n, errors in zip(rows.codes.tolist(), rows.n.tolist(), rows.errors.tolist(), strict=True):
            for size in range(1, max_conditions + 1):
                for columns in combinations(range(len(codes)), size):
                    slice_ = tuple((column, codes[column]) for column in columns)
                    at = counts.setdefault(slice_, [0, 0, 0, 0])
                    at[which] += n
                    at[which + 1] += errors
    return counts


def plain_score(counts: list[int], whole: list[int], prior: float) -> tuple[float, float, float]:
    """Score, lift and excess of a slice by the formulas, one number at a time."""
    rest = [w - c for w, c in zip(whole, counts, strict=True)]

    def expected(k):
        return k[2] * (k[1] + 20 * prior) / (k[0] + 20)

    def term(o, e):
        return o * math.log(o / e) if o and e else 0.0

    e, e_rest, o, o_rest = expected(counts), expected(rest), counts[3], rest[3]
    if e == 0:
        return 0.0, 0.0, 0.0
    score = term(o, e) + term(o_rest, e_rest) - term(o + o_rest, e + e_rest)
    lift = (o / e) / ((o_rest + 0.5) / (e_rest + 0.5))
    return (score if o * e_rest > o_rest * e else 0.0), lift, o - e


@given(windows(), st.integers(1, 3), st.integers(1, 6))
def test_every_slice_is_counted_as_plain_python_counts_it(pair, max_conditions, min_errors):
    expected = {s: c for s, c in plain_counts(*pair, max_conditions).items() if c[3] >= min_errors}
    assert counted(pair, max_conditions, min_errors) == expected


@pytest.mark.parametrize(("cube", "dense"), [(1 << 16, 10), (8, 1 << 22), (1, 1)])
@given(pair=windows())
def test_counts_do_not_depend_on_how_tables_are_laid_out(cube, dense, pair):
    """Sparse tables and cubes of any size give the same counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "CUBE_CELLS", cube)
        patch.setattr(counting, "DENSE_CELLS", dense)
        assert counted(pair, 3, 2) == {s: c for s, c in plain_counts(*pair, 3).items() if c[3] >= 2}


def counted(pair, max_conditions, min_errors):
    found = {}
    for cells in count_slices(tallies_of(*pair), max_conditions=max_conditions, min_errors=min_errors):
        for codes, counts in zip(cells.codes.tolist(), cells.counts.T.tolist(), strict=True):
            slice_ = tuple(zip(cells.columns, codes, strict=True))
            assert slice_ not in found, "no slice is counted twice"
            found[slice_] = counts
    return found


def test_wide_codes_are_counted_too(rng):
    """Columns with more values than a byte holds go the same way."""
    sizes, rows = (700, 3, 900), 3000
    codes = np.stack([rng.integers(0, size, rows) for size in sizes], axis=1).astype(np.uint16)
    pair = [coded(codes, np.ones(rows, np.int64), rng.integers(0, 2, rows), sizes=sizes) for _ in range(2)]
    assert counted(pair, 3, 1) == {s: c for s, c in plain_counts(*pair, 3).items() if c[3] >= 1}


@given(windows(), st.integers(1, 3), st.floats(0, 5))
@settings(max_examples=200)
def test_the_best_slice_is_the_one_found_by_trying_all(pair, max_conditions, least_excess):
    """Fewest conditions within 99 % of the best score, then the higher score, then the first."""
    whole = [int(total) for total in tallies_of(*pair).totals()]
    prior = max(whole[1], 0.5) / whole[0]
    scored = {}
    for slice_, counts in plain_counts(*pair, max_conditions).items():
        score, lift, excess = plain_score(counts, whole, prior)
        if counts[3] >= 1 and score > 1e-9 and lift >= 1.5 and excess >= least_excess and excess > 0:
            scored[slice_] = score
    found = best_slice(tallies_of(*pair), Rules(max_conditions, prior, least_excess))
    if not scored:
        assert found == () or plain_score(plain_counts(*pair, 3)[found], whole, prior)[0] <= 1e-9
        return
    best = max(scored.values())
    fewest = min(len(slice_) for slice_, score in scored.items() if score >= 0.99 * best * (1 - 1e-9))
    assert len(found) == fewest
    top = max(score for slice_, score in scored.items() if len(slice_) == fewest)
    assert scored[found] == pytest.approx(top)


@given(windows(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(pair, random):
    def shuffled(rows):
        order = list(range(rows.n.size))
        random.shuffle(order)
        return CodedRows(rows.columns, rows.values, rows.codes[order], rows.n[order], rows.errors[order])

    assert find_slices(*pair, level=1.0) == find_slices(*map(shuffled, pair), level=1.0)


@given(windows())
def test_a_counted_row_is_as_many_single_predictions(pair):
    """A row of n predictions says the same as n rows, of which `errors` are wrong."""

    def single(rows):
        codes = np.repeat(rows.codes, rows.n, axis=0)
        errors = np.concatenate([np.arange(n) < e for n, e in zip(rows.n, rows.errors, strict=True)])
        return CodedRows(rows.columns, rows.values, codes, np.ones(len(codes), np.int64), errors.astype(np.int64))

    assert find_slices(*pair, level=1.0) == find_slices(*map(single, pair), level=1.0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(1, 3))
def test_distinct_slices_counts_what_an_enumeration_lists(sizes, max_conditions):
    listed = [
        slice_
        for k in range(1, max_conditions + 1)
        for columns in combinations(sizes, k)
        for slice_ in product(*map(range, columns))
    ]
    assert distinct_slices(sizes, max_conditions) == len(listed)


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_a_rise_has_the_p_value_of_fishers_exact_test(n_before, n_after, data):
    before, after = data.draw(st.integers(0, n_before)), data.draw(st.integers(0, n_after))
    table = [[after, n_after - after], [before, n_before - before]]
    expected = fisher_exact(table, alternative="greater").pvalue
    assert rise_p(np.array([n_before, before, n_after, after], float)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.integers(0, 90), st.integers(0, 90))
def test_the_score_is_the_likelihood_ratio_of_poisson_counts(inside, rest):
    """Own ratio for the slice and for the rest, against one ratio for both."""
    part, other = np.array([2000.0, 40.0, 500.0, inside]), np.array([8000.0, 160.0, 3000.0, rest])
    e, e_rest = (500 * (40 + 0.4) / 2020, 3000 * (160 + 0.4) / 8020)
    if inside / e <= rest / e_rest:
        assert slice_score(part, part + other, 0.02) == 0
        return
    common = (inside + rest) / (e + e_rest)
    own = poisson.logpmf(inside, inside) + poisson.logpmf(rest, rest)
    alike = poisson.logpmf(inside, e * common) + poisson.logpmf(rest, e_rest * common)
    assert float(slice_score(part, part + other, 0.02)) == pytest.approx(own - alike, abs=1e-9)


@pytest.mark.parametrize("planted", [((2, 1),), ((0, 3), (4, 2)), ((1, 0), (2, 1), (5, 1))])
def test_a_planted_slice_is_found_and_confirmed(rng, planted):
    sizes = (5, 3, 4, 4, 3, 3)
    before = drawn(rng, rows=20_000, sizes=sizes)
    report = find_slices(before, drawn(rng, rows=20_000, sizes=sizes, planted=planted))
    found = report.slices[0]
    assert found.conditions == tuple((f"c{column}", f"v{code}") for column, code in planted)
    assert found.held_out
    assert found.change.low <= 0.4 <= found.change.high
    assert report.verdict == "slices"
    assert found.contribution == pytest.approx(1.0, abs=0.2)


def test_two_planted_slices_are_found_one_after_the_other(rng):
    sizes = (5, 5, 4)
    before, after = (drawn(rng, rows=20_000, sizes=sizes) for _ in range(2))
    hit = (after.codes[:, 0] == 1) | (after.codes[:, 1] == 3)
    after.errors[hit] |= rng.random(int(hit.sum())) < 0.4
    report = find_slices(before, after)
    assert {slice_.conditions for slice_ in report.slices} == {(("c0", "v1"),), (("c1", "v3"),)}
    assert sum(slice_.contribution for slice_ in report.slices) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("halves", [True, False])
def test_healthy_windows_raise_no_more_false_alarms_than_the_level(halves):
    """100 pairs of windows in which nothing changed: a slice stands in at most 5 %."""
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        pair = [drawn(rng, rows=2000, sizes=(5, 4, 3, 6), halves=halves) for _ in range(2)]
        report = find_slices(*pair)
        alarms += report.verdict == "slices"
    assert alarms <= 5


@pytest.mark.parametrize("halves", [True, False])
def test_where_errors_rise_everywhere_alike_no_slice_is_named(halves):
    named = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        before = drawn(rng, rows=4000, sizes=(5, 4, 3, 2), halves=halves)
        report = find_slices(before, drawn(rng, rows=4000, sizes=(5, 4, 3, 2), rate=0.25, halves=halves))
        named += report.verdict != "alike"
        assert report.ratio == pytest.approx(2.5, rel=0.2)
    assert named <= 4


def test_a_slice_inside_a_common_rise_is_found(rng):
    """Everything doubled, one value rose sixfold: that value is the slice."""
    sizes = (5, 4, 3)
    before = drawn(rng, rows=20_000, sizes=sizes, rate=0.05)
    after = drawn(rng, rows=20_000, sizes=sizes, rate=0.08, planted=((1, 2),), planted_rate=0.4)
    assert find_slices(before, after).slices[0].conditions == (("c1", "v2"),)


def test_a_condition_that_only_inherits_is_not_added(rng):
    """99 of 100 rows of the hit value share another value too: the first condition alone is named."""
    rows = 20_000
    windows = []
    for rate in (0.1, 0.5):
        hit = rng.random(rows) < 0.3
        other = np.where(hit, rng.random(rows) < 0.99, rng.random(rows) < 0.5)
        p = np.where(hit, rate, 0.1)
        codes = np.stack([hit, other], axis=1).astype(np.uint8)
        errors = (rng.random(rows) < p).astype(np.int64)
        windows.append(coded(codes, np.ones(rows, np.int64), errors, sizes=(2, 2), search=rng.random(rows) < 0.5))
    found = find_slices(*windows).slices[0]
    assert found.conditions == (("c0", "v1"),)


@pytest.mark.parametrize(("rest", "conditions"), [(25, (("c0", "v0"),)), (11, (("c0", "v0"), ("c1", "v0")))])
def test_a_condition_goes_when_the_rows_it_leaves_out_rose_too(rest, conditions):
    """c0=v0 with c1=v0 rose tenfold. All of c0=v0 is the slice where its rest rose 2.5-fold, but not at 1.1-fold."""
    codes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.uint8)
    n = np.array([1000, 1000, 5000, 5000])
    before = coded(codes, n, np.array([10, 10, 50, 50]), sizes=(2, 2))
    after = coded(codes, n, np.array([100, rest, 50, 50]), sizes=(2, 2))
    assert find_slices(before, after).slices[0].conditions == conditions


def test_slices_of_the_same_rows_are_aliases(rng):
    """A copied column, renumbered, appears as another name of the slice and not as a slice of its own."""
    before, after = (drawn(rng, rows=8000, sizes=(4, 4, 3), planted=((0, 1),), planted_rate=p) for p in (0.1, 0.5))

    def with_copy(rows):
        codes = np.column_stack([rows.codes, 3 - rows.codes[:, 0]]).astype(np.uint8)
        return coded(codes, rows.n, rows.errors, sizes=(4, 4, 3, 4), search=rows.search)

    report = find_slices(with_copy(before), with_copy(after))
    assert [slice_.conditions for slice_ in report.slices] == [(("c0", "v1"),)]
    assert report.slices[0].aliases == ((("c3", "v2"),),)


@given(windows())
def test_aliases_share_nine_tenths_of_the_rows_and_no_such_slice_is_missed(pair):
    """The Jaccard index of the incident's predictions decides; slices that only add conditions to one are left out."""
    for slice_ in find_slices(*pair, level=1.0, max_slices=1).slices:
        expected = plain_aliases(pair[1], slice_.conditions)
        assert set(slice_.aliases) == expected


def plain_aliases(rows: CodedRows, conditions):
    def matching(named):
        met = np.ones(rows.n.size, bool)
        for column, value in named:
            at = rows.columns.index(column)
            met &= rows.codes[:, at] == rows.values[at].index(value)
        return met

    inside, found = matching(conditions), []
    for k in (1, 2, 3):
        for columns in combinations(range(len(rows.columns)), k):
            for codes in product(*(range(len(rows.values[column])) for column in columns)):
                named = tuple((rows.columns[c], rows.values[c][v]) for c, v in zip(columns, codes, strict=True))
                met = matching(named)
                union = rows.n[met | inside].sum()
                near = union and rows.n[met & inside].sum() / union > 0.9
                if near and not any(set(known) <= set(named) for known in (*found, conditions)):
                    found.append(named)
    return set(found)


def test_without_a_second_half_nothing_is_held_out(rng):
    before, after = (
        drawn(rng, rows=4000, sizes=(4, 4), planted=((0, 1),), planted_rate=p, halves=False) for p in (0.1, 0.5)
    )
    (found,) = find_slices(before, after).slices
    assert found.held_out is None
    assert found.q is None
    assert found.search_p < 0.05


def test_a_slice_of_one_half_only_is_not_confirmed(rng):
    """A rise that only the search half shows is reported as found and not held out."""
    before, after = (drawn(rng, rows=8000, sizes=(4, 4)) for _ in range(2))
    hit = (after.codes[:, 0] == 1) & after.search
    after.errors[hit] = rng.random(int(hit.sum())) < 0.5
    found = find_slices(before, after).slices[0]
    assert found.conditions == (("c0", "v1"),)
    assert found.held_out is False


def test_fewer_errors_than_before_give_no_slice(rng):
    report = find_slices(drawn(rng, rows=4000, sizes=(4, 4), rate=0.3), drawn(rng, rows=4000, sizes=(4, 4), rate=0.1))
    assert report.slices == ()
    assert report.verdict == "no_rise"


def test_a_rise_from_no_errors_at_all_is_found(rng):
    before = drawn(rng, rows=4000, sizes=(4, 4), rate=0.0)
    report = find_slices(before, drawn(rng, rows=4000, sizes=(4, 4), rate=0.0, planted=((1, 2),)))
    assert report.slices[0].conditions == (("c1", "v2"),)
    assert report.statement == "errors rose from none; 1 slice explains all of the excess"


def test_exchanging_errors_and_the_others_turns_a_fall_into_a_rise(rng):
    """Counts of successes fall where errors rise; the complement finds the same slice."""
    before, after = (drawn(rng, rows=4000, sizes=(4, 4), planted=((0, 1),), planted_rate=p) for p in (0.1, 0.5))
    good_before, good_after = complement(before), complement(after)
    assert rise_direction(good_before, good_after) == "down"
    assert rise_direction(before, after) == "up"
    assert find_slices(complement(good_before), complement(good_after)) == find_slices(before, after)


def test_what_is_wrong_with_the_input_is_said():
    codes, one = np.zeros((1, 1), np.uint8), np.array([1])
    rows = CodedRows(("c0",), (("v0",),), codes, one, one)
    empty = CodedRows(("c0",), (("v0",),), codes[:0], one[:0], one[:0])
    with pytest.raises(ValueError, match="baseline has no rows"):
        find_slices(empty, rows)
    with pytest.raises(ValueError, match="same columns with the same values"):
        find_slices(rows, CodedRows(("c1",), (("v0",),), codes, one, one))
    with pytest.raises(ValueError, match="either both windows are split"):
        find_slices(rows, CodedRows(("c0",), (("v0",),), codes, one, one, np.array([True])))
    with pytest.raises(ValueError, match="max_conditions must be 1, 2 or 3; got 4"):
        find_slices(rows, rows, max_conditions=4)
    with pytest.raises(ValueError, match="least_share must lie above 0"):
        find_slices(rows, rows, least_share=0)
    with pytest.raises(ValueError, match=r"errors must lie in 0\.\.n"):
        CodedRows(("c0",), (("v0",),), codes, one, one + 1)
    with pytest.raises(ValueError, match="'c0' has codes beyond its 0 values"):
        CodedRows(("c0",), ((),), codes, one, one)
    with pytest.raises(ValueError, match=r"codes must be \(1, 2\)"):
        CodedRows(("c0", "c1"), (("v0",), ("v0",)), codes, one, one)
    with pytest.raises(ValueError, match="2 columns need as many lists"):
        CodedRows(("c0", "c1"), (("v0",),), codes, one, one)
    with pytest.raises(ValueError, match="one entry for each of the 1 rows"):
        CodedRows(("c0",), (("v0",),), codes, one, one, np.array([True, False]))


def test_causes_of_real_incidents_are_named(shared_data):
    """68 incidents of a video service: slices equal to the labeled causes reach F1 of at least 0.60."""
    folder = shared_data("robustspot-rs")
    hits = false = missed = 0
    for incident in yaml.safe_load((folder / "anomaly.yaml").read_text(encoding="utf-8")):
        causes = incident["cause"] if isinstance(incident["cause"], list) else [incident["cause"]]
        truth = {frozenset((name, str(value)) for name, value in cause.items()) for cause in causes}
        before, after = minutes(folder / f"{incident['data']}.csv", incident["timestamp"])
        if rise_direction(before, after) == "down":
            before, after = complement(before), complement(after)
        found = {frozenset(slice_.conditions) for slice_ in find_slices(before, after).slices}
        hits += len(found & truth)
        false += len(found - truth)
        missed += len(truth - found)
    f1 = 2 * hits / (2 * hits + false + missed)
    print(f"F1 {f1:.3f}: {hits} causes named, {missed} missed, {false} others")  # noqa: T201, the figure to watch
    assert f1 >= 0.60


def minutes(path, at) -> tuple[CodedRows, CodedRows]:
    """The four minutes before an incident and its own minute."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if at - 240 <= int(row["min"]) <= at]
    columns = tuple(name for name in rows[0] if name not in {"min", "value", "cnt"})
    values = tuple(tuple(sorted({row[name] for row in rows})) for name in columns)

    def window(chosen):
        codes = [[values[k].index(row[name]) for k, name in enumerate(columns)] for row in chosen]
        n, errors = (np.array([int(row[name]) for row in chosen]) for name in ("cnt", "value"))
        return CodedRows(columns, values, np.array(codes, np.uint8), n, errors)

    return window([r for r in rows if int(r["min"]) < at]), window([r for r in rows if int(r["min"]) == at])
