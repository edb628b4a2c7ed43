"""Post-mortems made by hand: a rich one, and the answers that a document must put right as well."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from mortis.records import (
    Action,
    CaseSummary,
    Cause,
    Change,
    ConfusionCell,
    Evidence,
    Example,
    Failure,
    Guard,
    Impact,
    Input,
    Interval,
    LogTemplate,
    NotChecked,
    Onset,
    Point,
    Postmortem,
    Provenance,
    Rate,
    Signal,
    Slice,
    Test,
    Window,
)

DAY = timedelta(days=1)
START = datetime(2013, 6, 16, tzinfo=UTC)
ONSET = datetime(2013, 8, 1, tzinfo=UTC)
END = START + 60 * DAY
NAN = float("nan")
SCRIPT = "<script>alert('1')</script>"
HOSTILE = (
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "a|b|c",
    "`code` ``more``",
    "</style></title></svg>",
    "{{ 7 * 7 }} {% raw %}",
    "\u202eright to left\u2066",
    "مرحبا 🙂 שלום",
    "line one\nline two\r\n\tthree",
    "\x00\x1b[31m\ud800",
    "[link](javascript:alert(1)) ![i](x) @everyone #1 *b* _i_ ~~s~~ &lt; \\",
    "very-long-" + "x" * 3000,
)


def series(
    days: int = 60, *, before: float = 0.91, after: float = 0.84, start: datetime = START, onset: datetime = ONSET
) -> tuple[Point, ...]:
    """A daily metric that steps down at the onset, with one gap and one thin day."""
    rng = np.random.default_rng(20130801)
    points = []
    for i in range(days):
        day = start + i * DAY
        n = 40 if i == 20 else int(880 + 60 * math.sin(i / 1.1))
        level = before if day < onset else after
        value = float(np.clip(level + rng.normal(0, 0.007), 0, 1))
        half = 1.96 * math.sqrt(value * (1 - value) / n)
        interval = Interval(NAN, NAN, NAN, 0) if i == 33 else Interval(value, value - half, value + half, n)
        maturity = min(1.0, 1.0 if i < 52 else 1.0 - 0.06 * (i - 51))
        points.append(Point(day, interval, maturity))
    return tuple(points)


def failure() -> Failure:
    """Precision that fell on the first of August."""
    return Failure(
        verdict="failure",
        metric="precision",
        kind="quality",
        baseline=Interval(0.9104, 0.9075, 0.9132, 40_512),
        incident=Interval(0.8417, 0.8349, 0.8483, 12_204),
        shift=Interval(-0.0687, -0.0760, -0.0615, 52_716),
        onset=Onset(ONSET, ONSET - DAY, ONSET + DAY, "abrupt"),
        impact=Impact(31_880, Interval(842, 754, 931, 12_204)),
        label_maturity=0.964,
        reason=(
            "Precision fell by 0.069, more than in any of 40 placebo windows of the baseline (largest 0.012), "
            "and the interval excludes no change"
        ),
        definition="tp / (tp + fp): of the flights predicted late, the share that arrived 15 minutes late or more",
        error_means="a flight predicted late that arrived on time",
        better="up",
        baseline_window=Window(START, ONSET),
        incident_window=Window(ONSET, END),
        detected_at=datetime(2013, 8, 5, 9, 20, tzinfo=UTC),
        bucket_seconds=86400,
        series=series(),
    )


def causes() -> tuple[Cause, ...]:
    """One hypothesis of each verdict."""
    return (
        Cause(
            "D3",
            "Unit change",
            "confirmed",
            0.97,
            features=("distance",),
            parameters={"factor": 1.609344, "map": "miles to kilometres"},
            scope="model version v7",
            changes=("deploy-118",),
            share_of_drop=Interval(0.88, 0.81, 0.94, 12_204),
            evidence_for=("integrity.distance", "causes.D3.repair"),
            test=Test(
                "Repair and re-score",
                "distance divided by 1.609 restores precision to 0.902 on the 12 204 incident rows; "
                "elsewhere nothing changes",
            ),
        ),
        Cause(
            "W3",
            "Season",
            "supported",
            0.61,
            scope="weekends",
            share_of_drop=Interval(0.07, -0.02, 0.15, 12_204),
            evidence_for=("clarify.shift",),
            evidence_against=("clarify.onset",),
            test=Test("Same weekdays a month before", "weekend precision is 0.006 lower in both months"),
        ),
        Cause(
            "E2",
            "Immature labels",
            "inconclusive",
            0.2,
            evidence_against=("clarify.maturity",),
            test=Test(
                "Compare at equal label age",
                "the drop stands at three days of age, labels of the last days are missing",
            ),
        ),
        Cause(
            "M2",
            "Wrong model version served",
            "refuted",
            0.02,
            evidence_against=("integrity.version",),
            test=Test("Reproduce the scores", "v7 reproduces 100 % of 5 000 sampled scores exactly"),
        ),
        Cause("H3", "Defective device", "not_tested", 0.0),
    )


def slices() -> tuple[Slice, ...]:
    """Four slices, the last of hostile text."""
    rows = (
        Example(
            {"carrier": "UA", "origin": "EWR", "distance": "3942.9", "dep_delay": "11", "score": "0.81"}, wrong=True
        ),
        Example(
            {"carrier": "UA", "origin": "EWR", "distance": "2450.0", "dep_delay": "11", "score": "0.34"}, wrong=False
        ),
        Example(
            {"carrier": "DL", "origin": "JFK", "distance": "3983.1", "dep_delay": "8", "score": "0.77"}, wrong=True
        ),
        Example(
            {"carrier": "DL", "origin": "JFK", "distance": "2475.0", "dep_delay": "8", "score": "0.29"}, wrong=False
        ),
    )
    strange = Example({f"column {i}": text for i, text in enumerate(HOSTILE)}, wrong=True)
    return (
        Slice(
            {"distance": "[2000, 5000)", "model_version": "v7"},
            "distance >= 2000 AND distance < 5000 AND model_version = 'v7'",
            Rate(402, 6_120),
            Rate(711, 1_904),
            Interval(0.3077, 0.2854, 0.3302, 4_012),
            0.63,
            312.4,
            0.00001,
            held_out=True,
            aliases=("air_time = [270, 700)",),
            examples=rows,
        ),
        Slice(
            {"dest": "LAX"},
            "dest = 'LAX'",
            Rate(96, 1_440),
            Rate(150, 466),
            Interval(0.2552, 0.2140, 0.2981, 953),
            0.14,
            71.2,
            0.0004,
            held_out=True,
            examples=rows[:1],
        ),
        Slice(
            {"carrier": "HA", "origin": "JFK"},
            "carrier = 'HA' AND origin = 'JFK'",
            Rate(0, 0),
            Rate(9, 21),
            Interval(NAN, NAN, NAN, 21),
            0.02,
            6.1,
            None,
            held_out=False,
        ),
        Slice(
            {SCRIPT: HOSTILE[1], "a|b": HOSTILE[3]},
            "\n".join(HOSTILE[:6]),
            Rate(30, 900),
            Rate(31, 310),
            Interval(0.0667, 0.0371, 0.1046, 605),
            0.03,
            9.8,
            0.0312,
            held_out=True,
            aliases=HOSTILE[4:9],
            examples=(strange,),
        ),
    )


def evidence() -> tuple[Evidence, ...]:
    """Evidence of several steps."""
    return (
        Evidence("clarify.baseline", "What was precision before?", "0.910", "observed", "", failure().baseline),
        Evidence(
            "clarify.incident", "What was precision in the incident?", "0.842", "observed", "", failure().incident
        ),
        Evidence(
            "clarify.shift",
            "Did precision fall by more than it usually does?",
            "It fell by 0.069; the largest of 40 placebo windows fell by 0.012",
            "tested",
            "SELECT day, sum(tp) / sum(tp + fp)\nFROM profile\nGROUP BY day",
            Interval(-0.0687, -0.0760, -0.0615, 52_716),
        ),
        Evidence("clarify.onset", "Since when?", "The change point is 2013-08-01", "tested", "", None),
        Evidence("clarify.impact", "How many more errors?", "842 more than the baseline's rate gives", "inferred"),
        Evidence("clarify.maturity", "Had the labels arrived?", "96.4 % had", "observed"),
        Evidence(
            "integrity.distance",
            "Is distance on the scale it had?",
            "All its quantiles were multiplied by 1.609 (residual 0.0002)",
            "tested",
            "SELECT quantile_cont(distance, [0.1, 0.5, 0.9]) FROM predictions",
            Interval(1.6093, 1.6091, 1.6096, 31_880),
        ),
        Evidence("integrity.version", "Which version served?", "v7, on all of 5 000 sampled rows", "tested"),
        Evidence("integrity.strange", SCRIPT, HOSTILE[10], "reported", HOSTILE[9]),
        Evidence("errors.slice-1", "Where did the errors rise?", "distance from 2000 to 5000, v7", "tested"),
        Evidence("errors.slice-2", "Where did the errors rise?", "dest LAX", "tested"),
        Evidence("errors.confusion", "How did the confusion move?", "False positives rose", "observed"),
        Evidence("causes.D3.repair", "Does undoing the unit change restore precision?", "It does, to 0.902", "tested"),
    )


def example() -> Postmortem:
    """A post-mortem with every part filled, hostile text among it."""
    return Postmortem(
        schema_version=1,
        case=CaseSummary(
            "Precision of the late-arrival model fell after the August release",
            "arrivals",
            "binary",
            (
                Input("predictions/*.parquet", 72_392, "f3b1c07a9d2e4411", "predictions"),
                Input(f"labels/{SCRIPT}.parquet", 70_120, "0d11fa2299cc01ab", "labels"),
            ),
        ),
        failure=failure(),
        causes=causes(),
        unexplained_share=Interval(0.05, -0.04, 0.13, 12_204),
        answer="cause",
        signals=(
            Signal("feature_service.latency_p99", 8.21, ONSET - timedelta(hours=5), "up", "before"),
            Signal("gateway.requests", 2.4, ONSET + 3 * DAY, "down", "after"),
            Signal("cpu", 1.1, None, "up", "with"),
        ),
        log_templates=(
            LogTemplate("distance outside training range: <*>", "new", 0, 1_904, 1e-9),
            LogTemplate(SCRIPT, "gone", 412, 0, 0.002),
        ),
        changes=(
            Change(
                "deploy-118",
                "deploy",
                ONSET - timedelta(hours=18),
                "feature pipeline 4.2 (kilometres everywhere)",
                0.93,
                "confirmed",
            ),
            Change("lock-77", "dependency", START + 20 * DAY, "lightgbm 4.5 to 4.6", 0.21, "refuted"),
            Change("cfg-9", "config", ONSET + 2 * DAY, HOSTILE[0] + HOSTILE[6], 0.05, ""),
        ),
        slices=slices(),
        confusion=(
            ConfusionCell("on time", "late", 3_630, 1_932, Interval(0.0687, 0.0615, 0.0760, 52_716)),
            ConfusionCell("late", "late", 36_882, 10_272, Interval(-0.0687, -0.0760, -0.0615, 52_716)),
            ConfusionCell(SCRIPT, "late", 3, 1, Interval(0.0001, -0.0004, 0.0006, 52_716)),
        ),
        slices_note="5 210 slices of up to 3 conditions were searched on one half of the rows, confirmed on the other",
        evidence=evidence(),
        actions=(
            Action(
                "Divide distance by 1.609 in pipeline 4.2, or roll it back to 4.1",
                "repair",
                "D3 Unit change",
                "quantile ratio back to 1.00 ± 0.01",
            ),
            Action(
                "Rescore the 31 880 predictions served since 2013-08-01",
                "mitigate",
                "impact",
                "precision of the rescored rows is at least 0.90",
            ),
            Action(
                "State the unit of distance in the data contract",
                "prevent",
                "D3 Unit change",
                "the guard runs in the pipeline's CI",
            ),
            Action(SCRIPT, "document", "", ""),
        ),
        guards=(
            Guard("unit-distance", "quantile_ratio(distance) between 0.95 and 1.05", True, True, 0.004),
            Guard(SCRIPT, "a|b", False, False, float("nan")),
        ),
        not_checked=(
            NotChecked("training set", "no training table was handed over", "training.table"),
            NotChecked("hardware", HOSTILE[10], SCRIPT),
        ),
        provenance=Provenance(
            "0.1.0",
            datetime(2013, 8, 16, 9, 0, tzinfo=UTC),
            "duckdb",
            {"duckdb": "1.5.6", "numpy": "2.3.1", "python": "3.12.4"},
            ("SELECT time_bucket, count(*)\nFROM predictions\nGROUP BY ALL", HOSTILE[1]),
            12.4,
            ("time is scheduled_at, the only column of moments", SCRIPT),
        ),
    )


def presentable() -> Postmortem:
    """The rich one as a real case would read, without the hostile text: what pictures are taken of."""
    full = example()
    return replace(
        full,
        case=replace(
            full.case, inputs=(full.case.inputs[0], Input("labels.parquet", 70_120, "0d11fa2299cc01ab", "labels"))
        ),
        slices=full.slices[:3],
        log_templates=full.log_templates[:1],
        changes=(*full.changes[:2], replace(full.changes[2], summary="decision threshold 0.50 to 0.48")),
        confusion=full.confusion[:2],
        evidence=tuple(item for item in full.evidence if item.id != "integrity.strange"),
        actions=full.actions[:3],
        guards=full.guards[:1],
        not_checked=(
            full.not_checked[0],
            NotChecked("hardware", "no environment was recorded", "changes: environment"),
        ),
        provenance=replace(full.provenance, queries=full.provenance.queries[:1], guesses=full.provenance.guesses[:1]),
    )


def bare() -> Postmortem:
    """A failure of which no more is known: the later steps were not run."""
    full = example()
    later = "this step is not part of this version"
    return replace(
        full,
        causes=(),
        unexplained_share=Interval(NAN, NAN, NAN, 0),
        answer="unknown",
        signals=(),
        log_templates=(),
        changes=(),
        slices=(),
        confusion=(),
        slices_note="Errors rose alike everywhere",
        evidence=full.evidence[:6],
        actions=(),
        guards=(),
        not_checked=(
            NotChecked("causes", "no changes, models or training set were handed over", "changes, models and training"),
            NotChecked("signals and logs", later, "metrics, logs"),
            NotChecked("integrity", later, "training.table"),
            NotChecked("changes", later, "changes"),
        ),
    )


def unknown() -> Postmortem:
    """A failure whose hypotheses were all refuted."""
    full = example()
    return replace(full, answer="unknown", causes=(Cause("unknown", "Unknown", "supported", 0.7), *full.causes[3:]))


def healthy() -> Postmortem:
    """A case in which nothing failed."""
    full = bare()
    calm = replace(
        full.failure,
        verdict="no_failure",
        incident=Interval(0.9088, 0.9030, 0.9143, 12_204),
        shift=Interval(-0.0016, -0.0080, 0.0047, 52_716),
        onset=None,
        impact=Impact(31_880, Interval(NAN, NAN, NAN, 0)),
        reason="Precision moved by −0.002, as 31 of 40 placebo windows of the baseline did",
        detected_at=None,
        series=series(after=0.91),
    )
    return replace(full, failure=calm, answer="no_failure", slices_note="", not_checked=full.not_checked[1:])


def untellable() -> Postmortem:
    """A case whose labels have not arrived."""
    full = bare()
    dim = replace(
        full.failure,
        verdict="cannot_tell",
        incident=Interval(NAN, NAN, NAN, 0),
        shift=Interval(NAN, NAN, NAN, 0),
        onset=None,
        impact=Impact(31_880, Interval(NAN, NAN, NAN, 0)),
        label_maturity=0.031,
        reason="3.1 % of the incident's labels have arrived, against 99 % of the baseline's at that age",
        series=full.failure.series[:46],
    )
    missing = NotChecked("precision", "labels are too few", "the labels of 2013-08-01 to 2013-08-15")
    return replace(full, failure=dim, not_checked=(missing, *full.not_checked))


def latency() -> Postmortem:
    """An operational failure in milliseconds, measured hourly, that recovered."""
    rng = np.random.default_rng(7)
    start = datetime(2024, 3, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=i) for i in range(96)]
    levels = [184 + 9 * math.sin(i / 4) + float(rng.normal(0, 5)) + (228 if 60 <= i < 88 else 0) for i in range(96)]
    points = tuple(Point(t, Interval(v, v - 14, v + 14, 5_200), None) for t, v in zip(hours, levels, strict=True))
    slow = Failure(
        verdict="failure",
        metric="latency_p95_ms",
        kind="operational",
        baseline=Interval(184.21, 181.9, 186.6, 312_000),
        incident=Interval(412.53, 398.0, 427.9, 145_600),
        shift=Interval(228.32, 213.1, 243.4, 457_600),
        onset=Onset(hours[60], hours[59], hours[61], "abrupt", recovered=hours[88]),
        impact=Impact(145_600, Interval(41_870, 40_100, 43_650, 145_600)),
        label_maturity=None,
        reason="The 95th percentile of latency rose by 228 ms, beyond all 30 placebo windows",
        definition="the 95th percentile of the time to answer a request",
        error_means="a request that took longer than 300 ms",
        better="down",
        baseline_window=Window(hours[0], hours[60]),
        incident_window=Window(hours[60], hours[88]),
        detected_at=hours[63] + timedelta(minutes=12),
        bucket_seconds=3600,
        series=points,
    )
    full = bare()
    return replace(full, failure=slow, case=replace(full.case, title="Answers took twice as long", task="ranking"))


def enormous() -> Postmortem:
    """More of everything than any report can hold, in signs that grow when they are escaped."""
    full = example()
    wide = {f"{'q' * 60}{i}": '"' * 5_000 for i in range(400)}
    rows = tuple(Example(wide, wrong=i % 2 == 0) for i in range(20))
    points = tuple(
        Point(START + timedelta(minutes=i), Interval(0.5 + 0.4 * math.sin(i / 50), 0.0, 1.0, i), 1.0)
        for i in range(20_000)
    )
    long = '"&<>' * 30_000
    return replace(
        full,
        failure=replace(full.failure, series=points, bucket_seconds=60, reason=long),
        slices=tuple(
            replace(full.slices[0], conditions=wide, query=long, examples=rows, aliases=(long,) * 50)
            for _ in range(300)
        ),
        causes=tuple(replace(full.causes[i % 5], parameters=dict(wide), features=(long,) * 90) for i in range(300)),
        evidence=tuple(Evidence(f"integrity.{i}", long, long, "tested", long) for i in range(2_000)),
        changes=tuple(replace(full.changes[0], id=f"c{i}", summary=long) for i in range(2_000)),
        not_checked=tuple(NotChecked(long, long, long) for _ in range(1_000)),
        provenance=replace(full.provenance, queries=(long,) * 100, guesses=(long,) * 100, versions=dict(wide)),
    )
