"""Which templates changed: exact tests, nothing named on healthy logs, and each kind of change found where it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mortis.case import LogsSource
from mortis.intervals import fall_p, rate_ratio, rise_p
from mortis.records import Window
from mortis.signals.log_shift import judge
from mortis.signals.logs import LogsFound, log_templates, stream_of
from mortis.signals.poisson import Spread, widened
from mortis.signals.template_counts import TemplateCounts
from mortis.signals.templates import OTHER
from mortis.sources.logs import read_logs

SPLIT, SIZE = 168, 192
BEGINS = datetime(2024, 5, 1, tzinfo=UTC)
BASELINE = Window(BEGINS, BEGINS + timedelta(days=7))
INCIDENT = Window(BASELINE.end, BASELINE.end + timedelta(days=1))

few = st.integers(0, 40)
exposures = st.floats(0.05, 5)


class TestTests:
    @given(few, few, exposures)
    def test_the_chance_is_that_of_the_binomial_tail(self, before, after, exposure):
        """Given both counts' sum, those after are binomial: summed up term by term."""
        share = exposure / (1 + exposure)
        terms = stats.binom.pmf(np.arange(before + after + 1), before + after, share)
        assert float(rise_p(before, after, exposure)) == pytest.approx(terms[after:].sum(), abs=1e-12)
        assert float(fall_p(before, after, exposure)) == pytest.approx(terms[: after + 1].sum(), abs=1e-12)

    @given(st.integers(1, 40), few, exposures)
    def test_a_ratio_lies_in_its_interval_whose_ends_are_just_believable(self, before, after, exposure):
        """At each end the tail holds 2.5 %, as Clopper and Pearson define it."""
        ratio = rate_ratio(before, after, exposure)
        assert ratio.low <= ratio.value <= ratio.high
        if after:
            assert float(rise_p(before, after, exposure * ratio.low)) == pytest.approx(0.025, rel=1e-6)
        assert float(fall_p(before, after, exposure * ratio.high)) == pytest.approx(0.025, rel=1e-6)

    @given(st.floats(1e-12, 1), st.floats(1, 1e6))
    def test_an_estimated_dispersion_widens(self, p, freedom):
        assert p * (1 - 1e-9) <= widened(p, freedom) <= 1

    def test_dispersion_is_one_by_chance_and_that_of_bursts_else(self, rng):
        """Bursts of 20 lines over three buckets, and a rate that drifts for days, show in full."""
        chance = rng.poisson(5, (200, 400))
        assert np.median(Spread.of(chance, longest=24).dispersion) < 1.3
        bursts = rng.poisson(0.1, (200, 400)).repeat(3, axis=1)[:, :400] * 7
        assert 15 < np.median(Spread.of(bursts, longest=24).dispersion) < 45
        spread = Spread.of(np.exp(np.cumsum(rng.normal(0, 0.1, (50, 400)), axis=1)) * 100, longest=100)
        assert np.median(spread.freedom) < 20


def counts(rows: dict[tuple[int, str], object]) -> TemplateCounts:
    return TemplateCounts(SIZE, {row: np.asarray(lines, dtype=np.int64) for row, lines in rows.items()})


def changed(rows: dict[tuple[int, str], object], *, known: int, **options) -> dict[int, str]:
    """The templates that are named, with what became of them."""
    return {one.number: one.change for one in judge(counts(rows), SPLIT, known=known, **options).shifted}


@pytest.fixture
def usual(rng) -> dict[tuple[int, str], object]:
    """Thirty templates with up to 50 lines in each bucket, which do not change."""
    rates = np.exp(rng.uniform(np.log(0.02), np.log(50), 30))
    return {(i, "INFO"): rng.poisson(rate, SIZE) for i, rate in enumerate(rates)}


def late(lines, *, start=SPLIT + 6):
    """Lines in each bucket of the incident from `start` on."""
    return np.where(np.arange(SIZE) >= start, lines, 0)


class TestJudge:
    def test_each_kind_of_change_is_found_and_nothing_else(self, rng, usual):
        usual |= {
            (30, "INFO"): rng.poisson(3, SIZE) + late(rng.poisson(9, SIZE)),
            (31, "INFO"): rng.poisson(np.where(np.arange(SIZE) < SPLIT, 3, 0)),
            (32, "INFO"): rng.poisson(np.where(np.arange(SIZE) < SPLIT, 5, 1)),
            (32, "ERROR"): rng.poisson(np.where(np.arange(SIZE) < SPLIT, 0.1, 4)),
            (33, "ERROR"): late(rng.poisson(2, SIZE)),
        }
        found = judge(counts(usual), SPLIT, known=33)
        named = {one.number: (one.change, one.level) for one in found.shifted}
        assert named == {
            30: ("surged", "INFO"), 31: ("gone", "INFO"), 32: ("escalated", "ERROR"), 33: ("new", "ERROR")
        }  # fmt: skip
        assert {one.number for one in found.shifted[:2]} == {32, 33}
        assert all(one.q <= 0.05 for one in found.shifted)
        new = next(one for one in found.shifted if one.change == "new")
        assert (new.baseline, new.ratio) == (0, None)
        surged = next(one for one in found.shifted if one.change == "surged")
        assert surged.ratio.low > 1.8
        assert surged.ratio.low < surged.incident / surged.baseline * 7 < surged.ratio.high * 1.2

    def test_few_lines_or_a_small_ratio_are_not_named(self, rng, usual):
        usual |= {(30, "ERROR"): late(1, start=SIZE - 4), (31, "INFO"): rng.poisson(np.where(late(1), 18, 10))}
        usual[31, "INFO"], usual[30, "INFO"] = usual.pop((30, "ERROR")), usual[31, "INFO"]
        assert changed(usual, known=31) == {}

    def test_more_traffic_is_no_surge_and_less_is_nothing_gone(self, rng, usual):
        """What all lines do alike says nothing of any of them, nor what only the hours of the clock do."""
        for factor in (5, 0.1):
            moved = {row: np.where(np.arange(SIZE) < SPLIT, n, n * factor) for row, n in usual.items()}
            assert changed(moved, known=30) == {}
        alive = {(30, "INFO"): np.full(SIZE, 4)}
        quiet = {row: np.where(np.arange(SIZE) < SPLIT, n, rng.binomial(n, 1 / 8)) for row, n in usual.items()}
        assert changed(quiet | alive, known=31) == {}

    def test_a_flood_makes_nothing_else_rare(self, rng, usual):
        """A new template with a thousand times the lines of all others."""
        usual[30, "ERROR"] = late(rng.poisson(200_000, SIZE))
        assert changed(usual, known=30) == {30: "new"}

    def test_what_comes_in_bursts_is_named_only_beyond_them(self, rng, usual):
        """Bursts as in the baseline are nothing, however many lines; ten times as many bursts are a surge."""
        bursts = np.zeros(SIZE)
        bursts[rng.choice(SPLIT, 14, replace=False)] = 60
        for n, expected in ((3, {}), (20, {30: "surged"})):
            late_ones = bursts.copy()
            late_ones[SPLIT + rng.choice(SIZE - SPLIT, n, replace=False)] = 60
            assert changed(usual | {(30, "WARN"): late_ones}, known=31) == expected

    def test_a_burst_alone_is_named_only_as_a_storm(self, usual):
        """One bucket with thirty new lines may be a job that runs once a month; one with a thousand is a storm."""
        for lines, expected in ((30, {}), (1_000, {30: "new"})):
            assert changed(usual | {(30, "INFO"): late(lines) * (np.arange(SIZE) == SPLIT + 9)}, known=30) == expected

    def test_new_kinds_that_the_baseline_brings_too_are_not_named(self, rng, usual):
        """Where each day of the baseline brings one with 80 lines, those of the incident must have more."""
        for day in range(7):
            usual[30 + day, "INFO"] = np.where(np.arange(SIZE) // 24 == day, rng.poisson(80 / 24, SIZE), 0)
        for rate, expected in ((80 / 24, {}), (10, {37: "new"})):
            assert changed(usual | {(37, "INFO"): late(rng.poisson(rate, SIZE), start=SPLIT)}, known=37) == expected
        errors = usual | {(37, "ERROR"): late(rng.poisson(80 / 24, SIZE), start=SPLIT)}
        assert changed(errors, known=37) == {37: "new"}

    def test_what_stays_away_for_days_in_the_baseline_is_not_gone(self, rng, usual):
        weekdays = np.where((np.arange(SIZE) // 24) % 3 < 2, rng.poisson(5, SIZE), 0)
        weekdays[SPLIT:] = 0
        assert changed(usual | {(30, "INFO"): weekdays}, known=31) == {}

    def test_what_a_silent_source_wrote_is_not_gone(self, usual):
        usual[30, "INFO"] = np.where(np.arange(SIZE) < SPLIT, 3, 0)
        assert changed(usual, known=31) == {30: "gone"}
        assert changed(usual, known=31, silent={30}) == {}

    def test_nothing_is_new_where_the_baseline_was_too_much_to_keep(self, usual):
        usual[30, "ERROR"] = late(50)
        assert changed(usual, known=30) == {30: "new"}
        assert changed(usual | {(OTHER, "INFO"): np.ones(SIZE)}, known=30) == {}

    def test_an_empty_window_is_not_judged(self, usual):
        for start, stop in ((0, SPLIT), (SPLIT, SIZE)):
            emptied = {
                row: np.where((np.arange(SIZE) >= start) & (np.arange(SIZE) < stop), 0, n) for row, n in usual.items()
            }
            assert judge(counts(emptied), SPLIT, known=30).tests == 0
        assert judge(TemplateCounts(), 0, known=0).shifted == ()

    def test_logs_that_end_early_are_compared_up_to_there(self, usual):
        """Nothing is gone because the logs were fetched in the middle of the incident."""
        cut = {row: np.where(np.arange(SIZE) < SPLIT + 8, n, 0) for row, n in usual.items()}
        assert changed(cut, known=30) == {}


def healthy(seed: int) -> tuple[dict[tuple[int, str], object], int]:
    """Templates of a log in which nothing happened, half of them in bursts; those of the baseline come first."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.uniform(np.log(0.002), np.log(50), rng.choice([10, 30, 90])))
    hours = 1 + 0.6 * np.sin(2 * np.pi * np.arange(SIZE) / 24)
    rows = []
    for rate in rates:
        lines = rng.poisson(rate * np.where(rng.random() < 0.5, hours, 1.0), SIZE)
        if rng.random() < 0.5:
            size = np.exp(rng.uniform(np.log(2), np.log(100)))
            places = np.repeat(np.arange(SIZE), rng.poisson(rate / size, SIZE))
            own = rng.geometric(1 / size, places.size)
            spread = np.repeat(places, own) + rng.integers(0, rng.geometric(0.5, own.sum()) + 1)
            lines = np.bincount(np.minimum(spread, SIZE - 1), minlength=SIZE)
        rows.append(lines)
    rows.sort(key=lambda lines: lines[:SPLIT].sum() == 0)
    return {(i, "INFO"): lines for i, lines in enumerate(rows)}, sum(int(lines[:SPLIT].any()) for lines in rows)


def test_nothing_is_named_on_healthy_logs():
    """In at least 95 % of cases, where half of the templates come in bursts and the others with the time of day."""
    alarms = 0
    for seed in range(150):
        rows, known = healthy(seed)
        alarms += bool(changed(rows, known=known))
    assert alarms <= 7


def test_planted_changes_are_found_in_noisy_logs():
    """Nine in ten of errors that are new, thrice as frequent, or gone, among templates that come in bursts."""
    found = 0
    for seed in range(60):
        rows, known = healthy(1_000 + seed)
        rng = np.random.default_rng(seed)
        for kind in ("new", "surged", "gone"):
            before, after = {"new": (0, 12), "surged": (4, 16), "gone": (4, 0)}[kind]
            planted = rng.poisson(np.where(np.arange(SIZE) < SPLIT, before, after))
            moved = {(i + 1, level): lines for (i, level), lines in rows.items()} | {(0, "ERROR"): planted}
            if kind == "new":
                moved = rows | {(len(rows), "ERROR"): planted}
            found += changed(moved, known=known + (kind != "new")).get(len(rows) if kind == "new" else 0) == kind
    assert found >= 162


class TestThroughFiles:
    """The whole way from log files to records."""

    @staticmethod
    def found(folder, **options) -> LogsFound:
        return log_templates(
            read_logs([LogsSource(files="*")], root=folder, baseline=BASELINE, incident=INCIDENT, **options)
        )

    @staticmethod
    def minutes():
        """Every five minutes of both windows, and whether each is in the incident since its sixth hour."""
        return [(BEGINS + timedelta(minutes=5 * i), 5 * i >= (7 * 24 + 6) * 60) for i in range(8 * 24 * 12)]

    def test_what_changed_is_told_with_its_first_line_level_and_scope(self, tmp_path, rng):
        text, lines = [], []
        for i, (moment, hit) in enumerate(self.minutes()):
            text.append(f"{moment:%Y-%m-%d %H:%M:%S},000 INFO serving: answered {i} in {rng.random():.3f} ms")
            if hit and i % 3 == 0:
                text.append(f"{moment:%Y-%m-%d %H:%M:%S},000 ERROR serving: request {i} of user=anna failed")
                text += ["Traceback (most recent call last):", f'  File "a.py", line {i}', "KeyError: 'dep_delay'"]
            version = "v2" if hit else "v1"
            for service in ("features", "scores"):
                bad = hit and service == "features" and i % 4 == 0
                line = {"ts": moment.timestamp(), "level": "warning" if bad else "info", "msg": f"batch {i} written"}
                lines.append(json.dumps(line | {"service": service, "version": version}))
        (tmp_path / "api.log").write_text("\n".join(text), encoding="utf-8")
        (tmp_path / "batch.jsonl").write_text("\n".join(lines), encoding="utf-8")
        found = self.found(tmp_path)
        new, escalated = found.templates
        assert (new.template, new.change, new.level) == (
            "serving: request <num> of user=<person> failed | KeyError: dep_delay", "new", "ERROR"
        )  # fmt: skip
        hits = [moment for moment, hit in self.minutes() if hit]
        first = next(moment for i, (moment, hit) in enumerate(self.minutes()) if hit and i % 3 == 0)
        line = next(i for i, one in enumerate(text, 1) if " ERROR " in one)  # type: ignore[misc]  # a generated row
        assert (new.first_seen, new.first_line, new.scope) == (first, f"api.log:{line}", {"log": "api.log"})
        assert (new.baseline, new.incident) == (0, sum(" ERROR " in one for one in text))
        assert (escalated.template, escalated.change, escalated.level) == ("batch <num> written", "escalated", "WARN")
        assert found.known == 2
        assert found.levels == {"ERROR": (0, new.incident), "WARN": (0, escalated.incident), "INFO": (
            3 * 7 * 288, 3 * 288 - escalated.incident
        )}  # fmt: skip
        assert len(hits) == 18 * 12
        assert found.lines["continued"] == 3 * new.incident
        assert found.notes == (
            "api.log: read as text, times as ISO 8601",
            "batch.jsonl: read as JSON lines, times as epoch in 'ts'",
            "the times of api.log bear no offset and are taken as UTC",
        )

    def test_a_silent_log_is_told_as_such(self, tmp_path):
        """Not as many templates that are gone; one that another log stops writing is still told."""
        for name, until in (("api.log", None), ("worker-1.log", BASELINE.end), ("worker-2.log", BASELINE.end)):
            lines = []
            for i, (moment, _) in enumerate(self.minutes()):
                if until is None or moment < until:
                    lines.append(f"{moment.isoformat()} INFO {name[:3]} step {'abcdefgh'[i % 8]} of run {i} done")
                if name == "api.log" and moment < BASELINE.end:
                    lines.append(f"{moment.isoformat()} INFO cache warmed")
            (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
        found = self.found(tmp_path)
        assert [(one.template, one.change) for one in found.templates] == [("cache warmed", "gone")]
        assert found.notes == (
            "api.log, worker-1.log, worker-2.log: read as text, times as ISO 8601",
            "worker.log writes nothing in the incident, after 4,032 lines in the baseline; none is told as gone",
        )

    def test_the_order_of_files_and_lines_changes_nothing(self, tmp_path, rng):
        """Lines of both windows mixed over files give what sorted ones give, but for the place of the first line."""
        lines = []
        for i, (moment, hit) in enumerate(self.minutes()):
            lines.append(f"{moment.isoformat()} INFO answered {i} in {rng.random():.3f} ms")
            if hit:
                lines.append(f"{moment.isoformat()} WARN column dep_delay outside its range: {i} rows")
        tables = []
        for order, cuts in ((range(len(lines)), [len(lines)]), (rng.permutation(len(lines)), [200, 900, len(lines)])):
            folder = tmp_path / str(len(cuts))
            folder.mkdir()
            shuffled, start = [lines[i] for i in order], 0
            for cut in cuts:
                (folder / f"{cut}.log").write_text("\n".join(shuffled[start:cut]), encoding="utf-8")
                start = cut
            named = self.found(folder).templates
            tables.append([(o.template, o.change, o.baseline, o.incident, o.q, o.first_seen) for o in named])
        assert tables[0] == tables[1]
        assert [row[:2] for row in tables[0]] == [("column dep_delay outside its range: <num> rows", "new")]

    def test_what_is_left_out_is_told(self, tmp_path):
        long = b"x" * 3_000
        (tmp_path / "empty.log").write_bytes(b"")
        (tmp_path / "old.log").write_bytes(b"2001-01-01T00:00:00Z INFO old\n")
        (tmp_path / "app.log").write_bytes(
            b"banner\n2024-05-02 00:00:00 INFO a\xff\n2024-05-02 00:00:01 INFO b\nstray\n2024-05-02 00:00:01 %s" % long
        )
        found = self.found(tmp_path)
        assert found.templates == ()
        assert found.notes == (
            "app.log, old.log: read as text, times as ISO 8601",
            "empty.log: it is empty",
            "2 of 5 lines bear no time as the first ones of their file do and are not used: app.log (2, first line 1)",
            "1 of 5 lines aren't UTF-8 and are read with a sign for what isn't: app.log (1, first line 2)",
            "1 of 5 lines have messages of more than 2,000 characters, cut there: app.log (1, first line 5)",
            "the times of app.log bear no offset and are taken as UTC",
            "files without a line in the windows: 1, old.log (2001-01-01 to 2001-01-01)",
            "no log line lies in the incident: nothing can be compared",
        )

    def test_scope_that_is_personal_or_sensitive_is_not_shown(self, tmp_path):
        lines = []
        for i, (moment, hit) in enumerate(self.minutes()):
            usual = {"msg": f"answered {i}", "host": "10.0.0.1", "service": "anna"}
            for line in (usual, {"msg": "disk full", "host": "10.0.0.7", "service": "bob"})[: 1 + hit]:
                lines.append(json.dumps({"time": moment.isoformat(), **line}))  # noqa: PERF401  two loops in one are no clearer
        (tmp_path / "app.jsonl").write_text("\n".join(lines), encoding="utf-8")
        [full] = self.found(tmp_path).templates
        assert full.scope == {"host": "<ip>", "service": "bob"}
        [full] = self.found(tmp_path, sensitive=["service"]).templates
        assert full.scope == {"host": "<ip>"}


@pytest.mark.parametrize(
    ("file", "stream"),
    [
        ("logs/api-2013-08-01.log.gz", "logs/api.log"),
        ("api.log.3", "api.log"),
        ("worker-12.jsonl.zst", "worker.jsonl"),
        ("2013-08-01/20130801.log", "*/*.log"),
        ("v2/app.log", "v2/app.log"),
    ],
)
def test_files_of_one_log_are_one_stream(file, stream):
    assert stream_of(file) == stream
