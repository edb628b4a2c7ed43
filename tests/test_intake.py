"""From the case to the dataset: roles, tasks, times, features, windows and buckets."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from mortis.case import BUCKET_SECONDS, Case, Windows
from mortis.engine import Span, open_engine
from mortis.intake import Intake, take_in
from mortis.intake.windows import MOST_BUCKETS, MOST_FORCED_BUCKETS, bucket_name, settle_windows
from mortis.problems import InputProblem
from mortis.records import Window
from small_case import START, changed, log, times, with_column  # type: ignore[import-not-found]  # pytest finds it there

N = 240


def taken(table: Any, predictions: dict[str, Any], **case: Any) -> Intake:
    """What is made of a frame with these roles."""
    with closing(open_engine()) as engine:
        return take_in(Case.parse({"predictions": {"table": table, "time": "ts", **predictions}, **case}), engine)


def frame(**columns: Any) -> pa.Table:
    """A table of 240 rows, its times every 24 minutes."""
    return pa.table({"ts": times(N)} | {name: list(values) for name, values in columns.items()})


BINARY = [i % 2 for i in range(N)]
NUMBERS = [i * 0.5 for i in range(N)]
CLASSES = ["abc"[i % 3] for i in range(N)]


@pytest.mark.parametrize(
    ("columns", "roles", "task"),
    [
        ({"y": BINARY, "p": BINARY}, {"label": "y", "prediction": "p"}, "binary"),
        ({"y": BINARY, "s": NUMBERS}, {"label": "y", "score": "s"}, "binary"),
        ({"y": ["no", "yes"] * 120, "p": ["no", "yes"] * 120}, {"label": "y", "prediction": "p"}, "binary"),
        ({"y": CLASSES, "p": CLASSES}, {"label": "y", "prediction": "p"}, "multiclass"),
        ({"y": NUMBERS, "p": NUMBERS}, {"label": "y", "prediction": "p"}, "regression"),
        ({"y": [i % 30 for i in range(N)], "s": NUMBERS}, {"label": "y", "score": "s"}, "regression"),
        (
            {"y": [str(i % 60) for i in range(N)], "p": [str(i % 60) for i in range(N)]},
            {"label": "y", "prediction": "p"},
            "multiclass",
        ),
        ({"y": BINARY, "s": NUMBERS, "q": range(N)}, {"label": "y", "score": "s", "group": "q"}, "ranking"),
        (
            {"y": BINARY, "p": BINARY, "a": NUMBERS, "b": NUMBERS},
            {"label": "y", "prediction": "p", "score": {"0": "a", "1": "b"}},
            "multiclass",
        ),
        ({"s": NUMBERS}, {"score": "s"}, "score"),
        ({"p": BINARY}, {"prediction": "p"}, "operational"),
        ({"l": NUMBERS}, {"latency_ms": "l"}, "operational"),
    ],
)
def test_the_task_is_guessed_from_roles_and_labels(columns: dict[str, Any], roles: dict[str, Any], task: str) -> None:
    """What isn't stated is told by what there is, and the guess is told with its reason."""
    made = taken(frame(**columns), roles)
    assert made.dataset.task == task
    assert any(guess.startswith(f"model.task = {task}: ") for guess in made.guesses)


@pytest.mark.parametrize(
    ("stated", "columns", "roles", "task"),
    [
        ("multiclass", {"y": BINARY, "p": BINARY}, {"label": "y", "prediction": "p"}, "multiclass"),
        ("regression", {"y": BINARY, "p": BINARY}, {"label": "y", "prediction": "p"}, "regression"),
        ("binary", {"p": BINARY}, {"prediction": "p"}, "operational"),
        ("binary", {"y": BINARY, "l": NUMBERS}, {"label": "y", "latency_ms": "l"}, "operational"),
        ("score", {"y": BINARY, "s": NUMBERS}, {"label": "y", "score": "s"}, "score"),
    ],
)
def test_a_stated_task_holds_as_far_as_it_can_be_judged(
    stated: str, columns: dict[str, Any], roles: dict[str, Any], task: str
) -> None:
    """Without labels, or without anything to hold against them, only the service's own figures are left."""
    assert taken(frame(**columns), roles, model={"task": stated}).dataset.task == task


@pytest.mark.parametrize(
    ("labels", "stated", "positive"),
    [
        ([0, 1], None, "1"),
        ([0, 1], True, "1"),
        ([0, 1], 0, "0"),
        ([0.0, 1.0], 1, "1.0"),
        ([False, True], None, "true"),
        ([False, True], 1, "true"),
        (["no", "yes"], None, "yes"),
        (["N", "Y"], None, "Y"),
        (["late", "punctual"], "late", "late"),
    ],
)
def test_the_positive_label_is_the_one_that_is_meant(labels: list[Any], stated: Any, positive: str) -> None:
    """As the labels write it, whether it is stated as a number, a truth value or a word."""
    values = [labels[i % 2] for i in range(N)]
    model = {} if stated is None else {"positive": stated}
    made = taken(frame(y=values, p=values), {"label": "y", "prediction": "p"}, model=model)
    assert made.dataset.positive == positive


def test_every_role_finds_its_column() -> None:
    """Roles that are stated are taken over; those that aren't are absent."""
    names = ("id", "prediction", "score", "label", "version", "latency_ms", "error", "group")
    columns = {f"the_{name}": BINARY for name in names}
    made = taken(frame(**columns), {name: f"the_{name}" for name in names}, model={"task": "binary"})
    roles = made.dataset.roles
    assert [getattr(roles, name) for name in names] == [f"the_{name}" for name in names]
    assert made.dataset.features == ()
    assert taken(frame(s=NUMBERS), {"score": "s"}).dataset.roles.id is None


def test_a_version_is_no_feature() -> None:
    """The model doesn't read its own version; only the search for slices looks at it."""
    roles = {"score": "s", "version": "v"}
    assert taken(frame(s=NUMBERS, v=CLASSES, x=NUMBERS), roles).dataset.features == ("x",)


def test_features_leave_out_keys_and_times() -> None:
    """`auto` takes what may explain an error: not roles, times, nested values, nor what differs in every row."""
    table = frame(
        s=NUMBERS,
        number=NUMBERS,
        region=CLASSES,
        key=[f"k{i}" for i in range(N)],
        at=times(N),
        day=[moment.date() for moment in times(N)],
        tags=[["a"]] * N,
        flag=[i % 2 == 0 for i in range(N)],
    )
    made = taken(table, {"score": "s"})
    assert made.dataset.features == ("number", "region", "flag")
    (told,) = (guess for guess in made.guesses if guess.startswith("predictions.features leaves out "))
    for name in ("key (nearly every value is different)", "at (timestamp", "day (date32", "tags (list"):
        assert name in told
    assert taken(table, {"score": "s", "features": ["key", "region"]}).dataset.features == ("key", "region")
    assert taken(table, {"score": "s", "segments": ["key"]}).dataset.features == ("number", "region", "key", "flag")


@pytest.mark.parametrize(("unit", "per"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_numbers_are_epoch_times_of_the_unit_their_size_tells(unit: str, per: int) -> None:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970: the log spans the same time."""
    plain = taken(log(), {"score": "y_score"})
    epoch = [int(moment.timestamp()) * per for moment in times(log().num_rows)]
    made = taken(with_column("ts", epoch), {"score": "y_score"})
    assert made.dataset.time_unit == unit
    assert made.log == plain.log


@pytest.mark.parametrize(
    "stamps",
    [
        times(N),
        [moment.replace(tzinfo=None) for moment in times(N)],
        [moment.isoformat() for moment in times(N)],
        [(moment + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00" for moment in times(N)],
        [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in times(N)],
    ],
    ids=["zoned", "plain", "ISO", "offset", "space"],
)
def test_times_are_utc_however_they_are_written(stamps: list[Any]) -> None:
    """With a zone, with an offset or with neither, the log spans the same time."""
    made = taken(pa.table({"ts": stamps, "s": NUMBERS}), {"score": "s"})
    assert made.log == Window(START, times(N)[-1] + timedelta(seconds=1))


def test_rows_without_a_time_are_left_out_and_counted() -> None:
    """What belongs to no bucket is told."""
    stamps = [None if i % 6 == 0 else moment for i, moment in enumerate(times(N))]
    made = taken(pa.table({"ts": stamps, "s": NUMBERS}), {"score": "s"})
    assert "predictions.time: 40 rows without a time are left out" in made.guesses


@pytest.mark.parametrize(
    "make", [lambda t: t, lambda t: t.to_pandas(), pl.from_arrow], ids=["Arrow", "pandas", "Polars"]
)
def test_frames_of_any_kind_are_taken_in_alike(make: Any) -> None:
    """What differs between the libraries is gone after the intake: the same roles, features, windows and guesses."""
    stated = changed(predictions__table=log())
    with closing(open_engine()) as engine:
        plain = take_in(Case.parse(stated), engine)
        made = take_in(Case.parse(changed(predictions__table=make(log()))), engine)
    assert (made.baseline, made.incident, made.log) == (plain.baseline, plain.incident, plain.log)
    assert made.dataset.features == plain.dataset.features == ("region", "amount")
    assert made.inputs[0].rows == plain.inputs[0].rows == log().num_rows
    assert made.guesses == plain.guesses


@pytest.mark.parametrize("unit", ["", "s", "ms"])
def test_labels_that_arrived_are_known_up_to_the_last(unit: str) -> None:
    """The moment up to which labels can have arrived is the last arrival, or the failure's detection, if later."""
    arrived = [moment + timedelta(days=2) for moment in times(N)]
    per = {"": 0, "s": 1, "ms": 1000}[unit]
    column = [int(moment.timestamp()) * per for moment in arrived] if per else arrived
    labels = pd.DataFrame({"id": range(N), "y": BINARY, "at": column})
    table = frame(id=range(N), p=BINARY)
    stated = {"labels": {"table": labels, "id": "id", "label": "y", "time": "at"}}
    made = taken(table, {"id": "id", "prediction": "p"}, **stated)
    assert made.as_of == arrived[-1]
    assert [one.role for one in made.inputs] == ["predictions", "labels"]
    later = arrived[-1] + timedelta(days=1)
    assert taken(table, {"id": "id", "prediction": "p"}, detected_at=later, **stated).as_of == later


@st.composite
def stated_windows(draw: st.DrawFn) -> tuple[Windows, Span]:
    """Windows whose boundaries lie on a grid of some length, over a log of up to sixty days."""
    grid = draw(st.sampled_from([1, 7, 60, 420, 900, 3600, 10_800, 86_400, 604_800]))
    places = sorted(draw(st.lists(st.integers(0, 5_184_000 // grid), min_size=4, max_size=4, unique=True)))
    base = int(START.timestamp())
    marks = [datetime.fromtimestamp(base + place * grid, UTC) for place in places]
    both = draw(st.booleans())
    bucket = draw(st.none() | st.sampled_from(sorted(BUCKET_SECONDS)))
    windows = Windows(baseline=(marks[0], marks[1]) if both else None, incident=(marks[2], marks[3]), bucket=bucket)
    first = base + draw(st.integers(-100_000, places[1] * grid - 1 if both else places[2] * grid - 1))
    last = base + places[2] * grid + draw(st.integers(1, 600_000))
    rows = draw(st.integers(1, 10**7))
    return windows, Span(rows, 0, first, last, None, mixed_zones=False)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])  # many boundaries fit no bucket
@given(stated_windows())
def test_the_windows_boundaries_are_edges_of_buckets(stated: tuple[Windows, Span]) -> None:
    """Whatever bucket is chosen, no bucket lies half inside a window, and there are not too many; or it is refused."""
    windows, span = stated
    guesses: list[str] = []
    try:
        settled = settle_windows(windows, span, guesses)
    except InputProblem as problem:
        refused = str(problem)
        event(refused.partition(":")[0])
        assume(not refused.startswith(("windows: buckets of", "windows.bucket: ")))
        raise
    assert settled.baseline is not None
    assert settled.incident is not None
    for moment in (settled.baseline.start, settled.baseline.end, settled.incident.start, settled.incident.end):
        assert (moment.timestamp() - settled.origin) % settled.width == 0
    assert settled.log.seconds / settled.width <= MOST_FORCED_BUCKETS
    assert settled.baseline.start.timestamp() <= (span.first or 0) or windows.baseline
    if windows.bucket:
        assert settled.width == BUCKET_SECONDS[windows.bucket]
    else:
        assert f"windows.bucket = {bucket_name(settled.width)}: " in " ".join(guesses)
    assert not settled.baseline.overlaps(settled.incident)


@given(st.integers(1, 10**7), st.integers(1, 5_184_000))
def test_without_windows_buckets_are_few_and_round(rows: int, seconds: int) -> None:
    """Where nothing is stated, any log gets one of the known bucket lengths, and not more buckets than are useful."""
    first = int(START.timestamp())
    settled = settle_windows(Windows(), Span(rows, 0, first, first + seconds - 1, None, mixed_zones=False), [])
    assert settled.width in BUCKET_SECONDS.values()
    assert settled.log.seconds / settled.width <= max(MOST_BUCKETS, 1)
    assert (settled.baseline, settled.incident) == (None, None)


def test_an_incident_alone_has_all_before_it_as_its_baseline() -> None:
    """From the first whole bucket that holds the log's beginning up to the incident."""
    late = START + timedelta(minutes=7, seconds=13)
    table = pa.table({"ts": [late + timedelta(minutes=24 * i) for i in range(N * 5)], "s": NUMBERS * 5})
    incident = ["2024-01-15", "2024-01-21"]
    made = taken(table, {"score": "s"}, windows={"incident": incident, "bucket": "1d"})
    assert made.baseline == Window(START, datetime(2024, 1, 15, tzinfo=UTC))
    assert "windows.baseline = 2024-01-01..2024-01-15: what lies before the incident" in made.guesses
