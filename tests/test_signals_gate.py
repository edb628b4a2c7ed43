"""Which shifts are named: the rule by brute force, and how often healthy series are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from metric_series import ar1, clock, series, windows
from mortis.signals.gate import MAIN_PART, MARGIN, judge, seldom_exceeded
from mortis.signals.moves import Moves
from mortis.signals.shift import Shift


def shift(score, healthy, **kind):
    return Shift(0, "up", "up", score, np.asarray(healthy, dtype=np.float64), 0.0, 0.0, 3, 9, **kind)


def by_loop(shifts):
    """Times, margins and q, one shift and one stretch after the other."""
    count = len(shifts[0].healthy)
    records = {}
    for place, one in enumerate(shifts):
        for at in range(count):
            others = [value for i, value in enumerate(one.healthy) if i != at and np.isfinite(value)]
            known = np.isfinite(one.healthy[at])
            records[place, at] = one.healthy[at] / max(1.0, *others) if known else -np.inf
    margins = []
    for one in shifts:
        alike = [
            i for i, other in enumerate(shifts) if (other.mostly_equal, other.brief) == (one.mostly_equal, one.brief)
        ]
        largest = sorted(max(records[i, at] for i in alike) for at in range(count))
        share = 0.05 * (MAIN_PART if not (one.mostly_equal or one.brief) else (1 - MAIN_PART) / 2)
        rank = int(np.ceil((1 - share) * (count + 1)))
        margins.append(max(MARGIN, largest[rank - 1] if rank <= count else MARGIN * largest[-1]))
    times = [one.score / max(1.0, np.nanmax(one.healthy)) for one in shifts]
    p = []
    for one in shifts:
        known = one.healthy[np.isfinite(one.healthy)]
        spread = max(known.std(ddof=1), 0.25) * np.sqrt(1 + 1 / len(known))
        p.append(max(one.chance, stats.t.sf((one.score - known.mean()) / spread, len(known) - 1)))
    return times, margins, stats.false_discovery_control(p)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(4, 30))
def test_the_rule_equals_its_definition(seed, size, stretches):
    """Kinds mixed, a few stretches unknown."""
    rng = np.random.default_rng(seed)
    known = np.exp(rng.normal(size=(size, stretches)))
    known[(rng.random(known.shape) < 0.1) & (np.arange(stretches) >= 3)] = np.nan
    kinds = rng.random((size, 2)) < 0.3
    shifts = [
        shift(
            score,
            values,
            mostly_equal=bool(equal),
            brief=bool(brief),
            chance=float(rng.random() ** 8) if equal else 0.0,
        )
        for score, values, (equal, brief) in zip(np.exp(3 * rng.normal(size=size)), known, kinds, strict=True)
    ]
    times, margins, q = by_loop(shifts)
    gate = judge(shifts)
    np.testing.assert_allclose(gate.times, times)
    np.testing.assert_allclose(gate.margins, margins)
    np.testing.assert_allclose(gate.q, q)
    assert gate.named.tolist() == [t >= m and r <= 0.05 for t, m, r in zip(times, margins, q, strict=True)]


def test_no_shift_gives_an_empty_gate():
    assert (judge([]).stretches, judge([]).alarms) == (0, 0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200), st.integers(0, 2**32 - 1))
def test_one_further_value_seldom_exceeds_the_bound(values, seed):
    """Drawn from the same values with no order among them: at most one in twenty, where there are nineteen others."""
    drawn = np.random.default_rng(seed).permutation(values)
    over = [drawn[at] > seldom_exceeded(np.delete(drawn, at)) for at in range(len(drawn)) if len(drawn) > 19]
    assert np.sum(over) <= 0.05 * len(drawn)


def counters(rng, size, points):
    return rng.poisson(0.3, (size, points)).astype(float)


def of_all_kinds(rng, size, points):
    """Smooth, seasonal, skewed, heavy-tailed, counting, and hardly ever anything."""
    day = 3 * np.sin(2 * np.pi * np.arange(points) / 24)
    part = size // 5
    return np.concatenate(
        (
            ar1(rng, (part, points), 0.9),
            day * rng.uniform(0, 2, (part, 1)) + ar1(rng, (part, points), 0.5),
            rng.lognormal(size=(part, points)),
            rng.standard_t(2, (part, points)),
            np.where(rng.random((part, points)) < 0.02, rng.exponential(size=(part, points)), 0.0),
        )
    )


NOISE = {
    "memory": lambda rng, size, points: ar1(rng, (size, points), 0.8),
    "season": lambda rng, size, points: (
        5 * np.sin(2 * np.pi * np.arange(points) / 24 + rng.uniform(0, 6, (size, 1))) + ar1(rng, (size, points), 0.5)
    ),
    "counts": counters,
    "all kinds": of_all_kinds,
}


@pytest.mark.parametrize(
    ("noise", "before", "during"),
    [("memory", 240, 6), ("season", 240, 24), ("counts", 240, 6), ("all kinds", 240, 6), ("all kinds", 240, 24)],
)
def test_healthy_series_are_seldom_named(noise, before, during):
    """Of 200 cases with a hundred healthy series each, something is named in one of twenty at most."""
    alarms = 0
    baseline, incident = windows(before, during)
    for seed in range(200):
        values = 10 + NOISE[noise](np.random.default_rng(seed), 100, before + during)
        alarms += bool(Moves.of([series(one) for one in values], baseline=baseline, incident=incident).named())
    assert alarms <= 0.05 * 200


def test_a_few_wild_series_do_not_hide_the_others(rng):
    """Twenty counters of rare errors beside one latency that rises."""
    baseline, incident = windows(480, 12)
    wild = np.where(rng.random((20, 492)) < 0.02, rng.exponential(size=(20, 492)) ** 3, 0.0)
    slow = 100 + ar1(rng, (492,), 0.5) + np.where(np.arange(492) >= 480, 6.0, 0.0)
    members = [*(series(one, "errors") for one in wild), series(slow, "latency")]
    moves = Moves.of(members, baseline=baseline, incident=incident)
    assert [moves.title(at) for at in moves.named()] == ["latency"]


@pytest.mark.parametrize(("hours", "named"), [(240, []), (600, ["latency"])])
def test_a_failure_like_an_earlier_one_is_not_new(rng, hours, named):
    """What the baseline holds already is not beyond it. In a short one it hides others too, and is pointed out."""
    place = np.arange(hours + 12)
    now, earlier = place >= hours, (place >= 117) & (place < 129)
    baseline, incident = windows(hours, 12)
    twice, once = (100 + rng.normal(size=len(place)) + 20.0 * bad for bad in (now | earlier, now))
    moves = Moves.of([series(twice, "lag"), series(once, "latency")], baseline=baseline, incident=incident)
    assert [moves.title(at) for at in moves.named()] == named
    loudest = moves.loudest()
    if named:
        assert loudest is None
    else:
        assert moves.title(loudest[0]) == "lag"
        assert moves.measured.stretches.starts[loudest[1]] == clock(118)[-1]
