"""Laws that every registered engine keeps; the oracle is NumPy over the same rows."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import pytest

from mortis.case import Query
from mortis.clarify.metrics import metric_for
from mortis.engine import ENGINES, open_engine
from mortis.engine.dataset import Condition, Dataset, Judgement, LabelTable, Layout, Roles
from mortis.engine.layout import make_layout
from mortis.profiles import NULL, OTHER, Profile
from mortis.records import Rate, Window
from mortis.sources.tables import open_table

START = 1_600_041_600  # a midnight in UTC
DAY = 86_400
JUDGEMENT = Judgement("binary", ("fp", "fn"), ("tn", "fp", "fn", "tp"))


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request):
    opened = open_engine(request.param)
    yield opened
    opened.close()


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def window(first=0, last=7):
    return Window(moment(START + first * DAY), moment(START + last * DAY))


def make_rows(seed=0, rows=4000):
    """A week of predictions with every kind of hole: null, NaN, infinity, unlabelled, unserved."""
    rng = np.random.default_rng(seed)

    def holed(values, share=0.1):
        return pa.array(values, mask=rng.random(rows) < share)

    x = rng.normal(10, 3, rows)
    x[rng.random(rows) < 0.05] = np.nan
    x[rng.random(rows) < 0.02] = np.inf
    return pa.table(
        {
            "t": START + rng.integers(0, 7 * DAY, rows),
            "id": rng.permutation(rows),
            "y": holed(rng.integers(0, 2, rows)),
            "p": holed(rng.integers(0, 2, rows)),
            "s": holed(rng.random(rows)),
            "v": rng.choice(["v1", "v2"], rows),
            "x": holed(x),
            "i": holed(rng.integers(-3, 4, rows)),
            "c": holed(rng.choice(["red", "green", "blue"], rows)),
            "b": holed(rng.random(rows) < 0.5),
        }
    )


def make_dataset(source: Any, **changes: Any) -> Dataset:
    """The dataset over a frame, file or query, with the columns of `make_rows` in their roles."""
    dataset = Dataset(
        predictions=open_table(source, root=Path(), key="predictions"),
        roles=Roles("t", id="id", prediction="p", score="s", label="y", version="v"),
        task="binary",
        judgement=JUDGEMENT,
        features=("x", "i", "c", "b"),
        positive="1",
        origin=START,
        time_unit="s",
    )
    return replace(dataset, **changes)


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module")
def layout(rows):
    """Edges that every test of this file shares, whatever engine it runs."""
    with_engine = open_engine()
    dataset = make_dataset(rows)
    made = make_layout(dataset, with_engine.sample(dataset, window(), most=10_000))
    with_engine.close()
    return made


def figures(profile: Profile) -> dict[tuple[Any, ...], float]:
    """Every figure of a profile by where it stands, without zeros, so that profiles compare whatever their order."""
    data = json.loads(profile.to_json())
    tallies = [(part, data[part]) for part in ("quality", "confusion", "outcomes")]
    tallies += [(name, one["sums"]) for kind in ("numbers", "categories") for name, one in data[kind].items()]
    found: dict[tuple[Any, ...], float] = {("rows",): data["rows"]}
    for name, tally in tallies:
        for cell, values in zip(tally["cells"], tally["values"], strict=True):
            for slot, figure in zip(tally["slots"], values, strict=True):
                if abs(figure) > 1e-9:
                    found[name, tuple(cell), slot] = figure
    for name, one in data["numbers"].items():
        for cell, low, high in one["extremes"]:
            found[name, tuple(cell), "low"], found[name, tuple(cell), "high"] = low, high
    return found


def assert_equal(one: Profile, other: Profile) -> None:
    left, right = figures(one), figures(other)
    assert left.keys() == right.keys()
    assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


def test_profiles_of_two_halves_added_are_the_profile_of_the_whole(engine, rows, layout):
    whole = engine.profile(make_dataset(rows), layout)
    for cut in (1, 1700):
        halves = (engine.profile(make_dataset(part), layout) for part in (rows[:cut], rows[cut:]))
        assert_equal(sum(halves, Profile()), whole)


def test_the_order_of_the_rows_does_not_matter(engine, rows, layout, rng):
    shuffled = rows.take(rng.permutation(len(rows)))
    assert_equal(engine.profile(make_dataset(shuffled), layout), engine.profile(make_dataset(rows), layout))


def test_a_profile_comes_back_from_json_as_it_was(engine, rows, layout):
    profile = engine.profile(make_dataset(rows), layout)
    assert_equal(Profile.from_json(profile.to_json()), profile)


def test_every_row_is_counted_once_in_its_bucket_version_and_outcome(engine, rows, layout):
    profile = engine.profile(make_dataset(rows), layout)
    names = {(0, 0): "tn", (0, 1): "fp", (1, 0): "fn", (1, 1): "tp"}
    expected = Counter(
        ((row["t"] - (row["t"] - START) % DAY, row["v"]), names.get((row["y"], row["p"]), "unlabelled"))
        for row in rows.to_pylist()
    )
    found = {(cell, slot): n for _, cell, slot, n in _cells(profile.outcomes)}
    assert found == expected
    assert profile.rows == len(rows)
    assert profile.quality.total()["rows"] == len(rows)
    assert profile.quality.total()["unserved"] == rows["p"].null_count
    for part in (*profile.numbers.values(), *profile.categories.values()):
        assert part.n + part.nulls == len(rows)


def _cells(tally):
    for cell, values in zip(tally.cells, tally.values.tolist(), strict=True):
        yield from ((None, cell, slot, n) for slot, n in zip(tally.slots, values, strict=True) if n)


def test_nan_and_infinity_are_counted_as_nulls(engine, rows, layout):
    one = engine.profile(make_dataset(rows), layout).numbers["x"]
    x = rows["x"].to_numpy(zero_copy_only=False)
    assert one.nulls == (~np.isfinite(x)).sum() > rows["x"].null_count
    assert np.isfinite(one.range).all()


@pytest.mark.parametrize("name", ["x", "i", "(score)"])
def test_buckets_moments_and_extremes_of_a_number_are_numpys(engine, rows, layout, name):
    one = engine.profile(make_dataset(rows), layout).numbers[name]
    values = rows["s" if name == "(score)" else name].to_numpy(zero_copy_only=False).astype(float)
    day = (rows["t"].to_numpy() - START) // DAY
    for i in range(7):
        part = one.where(lambda cell, i=i: cell[0] == START + i * DAY)
        known = values[(day == i) & np.isfinite(values)]
        places = np.searchsorted(layout.numbers[name].edges, known, side="right")
        counts = np.bincount(places, minlength=len(layout.numbers[name].edges) + 1)
        assert part.counts.sum(axis=0).tolist() == counts.tolist()
        assert (part.mean, part.std) == pytest.approx((known.mean(), known.std()))
        assert part.range == (known.min(), known.max())


def test_categories_count_their_values_and_keep_the_null_apart(engine, rows, layout):
    profile = engine.profile(make_dataset(rows), layout)
    for name, text in (("c", str), ("b", lambda value: str(value).lower())):
        expected = Counter(NULL if value is None else text(value) for value in rows[name].to_pylist())
        assert profile.categories[name].sums.total() == expected
        assert profile.categories[name].distinct == len(expected) - 1


def test_rare_categories_are_folded_into_other_and_none_is_lost(engine):
    """The 64 commonest stay; how many there were is told."""
    values = [f"k{i:03}" for i in range(200) for _ in range(400 - 2 * i)] + [None] * 3
    rows = pa.table({"t": np.full(len(values), START), "c": values, "p": np.ones(len(values), dtype=int)})
    dataset = make_dataset(rows, roles=Roles("t", prediction="p"), features=("c",))
    one = engine.profile(dataset, Layout({}, ("c",))).categories["c"]
    total = one.sums.total()
    assert set(total) == {f"k{i:03}" for i in range(64)} | {OTHER, NULL}
    assert total[OTHER] == sum(400 - 2 * i for i in range(64, 200))
    assert (one.n, one.nulls, one.distinct) == (len(values) - 3, 3, 200)


@pytest.mark.parametrize("width", [3600, DAY, 7 * DAY])
def test_buckets_are_counted_from_the_origin_in_both_directions(engine, rows, layout, width):
    origin = START + 3 * DAY + 1800
    profile = engine.profile(make_dataset(rows, width=width, origin=origin), layout)
    seconds = rows["t"].to_numpy()
    starts, n = np.unique(origin + (seconds - origin) // width * width, return_counts=True)
    by_start = profile.quality.by(lambda cell: cell[:1])
    assert [cell[0] for cell in by_start.cells] == starts.tolist()
    assert by_start.column("rows").tolist() == n.tolist()


def test_a_sample_is_the_same_whatever_the_order_of_the_rows(engine, rows, rng):
    """It is bounded, holds whole rows, and lies inside the window."""
    dataset = make_dataset(rows)
    sample = engine.sample(dataset, window(1, 3), most=300)
    seconds = sample["second"].to_numpy()
    assert 150 < len(sample) <= 450
    assert seconds.min() >= START + DAY
    assert seconds.max() < START + 3 * DAY
    shuffled = make_dataset(rows.take(rng.permutation(len(rows))))
    assert engine.sample(shuffled, window(1, 3), most=300)["row_key"] == sample["row_key"]
    assert engine.sample(dataset, window(1, 3), most=300)["row_key"] == sample["row_key"]
    assert not len(engine.sample(dataset, window(50, 51), most=300))


def test_a_sample_of_more_rows_than_there_are_holds_them_all(engine, rows):
    sample = engine.sample(make_dataset(rows), window(), most=len(rows))
    assert sorted(map(int, sample["row_key"].to_pylist())) == list(range(len(rows)))


def test_rows_without_an_id_are_sampled_as_well(engine, rows):
    dataset = make_dataset(rows.drop(["id"]), roles=Roles("t", prediction="p", label="y"))
    first, second = (engine.sample(dataset, window(), most=500) for _ in range(2))
    assert 250 < len(first) < 750
    assert first["f:x"].to_pylist() == pytest.approx(second["f:x"].to_pylist(), nan_ok=True)


def test_coded_rows_agree_with_the_edges_and_with_counting(engine, rows, layout):
    """Each code's rows are those that fulfil its condition, and every window has the same codes."""
    dataset = make_dataset(rows)
    windows = [window(0, 4), window(4, 7)]
    samples = engine.coded(dataset, layout, windows, most=len(rows))
    assert samples[0].names == samples[1].names
    assert samples[0].conditions == samples[1].conditions
    wanted = [[one] for conditions in samples[0].conditions for one in conditions]
    counted = engine.count(dataset, wanted, windows)
    for w, sample in enumerate(samples):
        assert sample.exact
        among = np.isin(sample.outcome, [0, 1, 2, 3])
        wrong = np.isin(sample.outcome, [1, 2])
        codes = [
            (column, code) for column in range(len(sample.columns)) for code in range(len(sample.conditions[column]))
        ]
        for (column, code), rates in zip(codes, counted, strict=True):
            hit = among & (sample.codes[:, column] == code)
            assert rates[w] == Rate(int((hit & wrong).sum()), int(hit.sum())), sample.names[column][code]


def test_coded_numbers_lie_between_their_edges(engine, rows, layout):
    (sample,) = engine.coded(make_dataset(rows), layout, [window()], most=len(rows))
    x = rows["x"].to_numpy(zero_copy_only=False)
    edges = layout.numbers["x"].edges
    places = np.where(np.isfinite(x), np.searchsorted(edges, x, side="right"), len(edges) + 1)
    found = np.bincount(sample.codes[:, sample.columns.index("x")], minlength=len(edges) + 2)
    assert found.tolist() == np.bincount(places, minlength=len(edges) + 2).tolist()


def test_half_of_the_coded_rows_is_kept_apart_whether_thinned_or_not(engine, rows, layout):
    for most in (len(rows), 1000):
        (sample,) = engine.coded(make_dataset(rows), layout, [window()], most=most)
        assert sample.exact is (most == len(rows))
        assert 0.4 < sample.half.mean() < 0.6
        (again,) = engine.coded(make_dataset(rows), layout, [window()], most=most)
        assert Counter(map(tuple, again.codes)) == Counter(map(tuple, sample.codes))


def test_counting_slices_is_counting_rows(engine, rows):
    """Conditions on ranges, values, all but some values, and nulls; the ends of windows and of ranges are half-open."""
    conditions = [
        [Condition("x", low=8.0, high=12.0)],
        [Condition("x", high=8.0), Condition("c", value="red")],
        [Condition("c", none_of=("red", "green"))],
        [Condition("c", is_null=True), Condition("i", low=0.0)],
        [Condition("x", is_null=True)],
        [Condition("b", value="true")],
        [],
    ]
    table = rows.to_pandas()
    x, i, c, b = table["x"].where(np.isfinite(table["x"])), table["i"], table["c"], table["b"]
    hits = [
        (x >= 8) & (x < 12),
        (x < 8) & (c == "red"),
        c.notna() & ~c.isin(["red", "green"]),
        c.isna() & (i >= 0),
        x.isna(),
        b == True,  # noqa: E712  null is not true
        pd.Series(data=True, index=table.index),
    ]
    known = table["y"].notna() & table["p"].notna()
    wrong = known & (table["y"] != table["p"])
    windows = [window(0, 2), window(5, 7)]
    found = engine.count(make_dataset(rows), conditions, windows)
    for hit, rates in zip(hits, found, strict=True):
        for one, rate in zip(windows, rates, strict=True):
            start, end = one.start.timestamp(), one.end.timestamp()
            inside = (table["t"] >= start) & (table["t"] < end) & hit
            assert rate == Rate(int((inside & wrong).sum()), int((inside & known).sum()))
    assert engine.count(make_dataset(rows), [], windows) == ()


@pytest.fixture
def labels(rows):
    """Labels of their own: late ones, repeated ones, null ones, and some of predictions that were never made."""
    table = rows.select(["id", "t", "y"]).filter(pc.is_valid(rows["y"]))
    arrived = pa.array(table["t"].to_numpy() + table["id"].to_numpy() % 100 * 3600)
    first = pa.table({"id": table["id"], "y": table["y"], "at": arrived})
    again = pa.table({"id": first["id"], "y": pc.subtract(1, first["y"]), "at": pc.add(first["at"], 60)})
    null = pa.table({"id": first["id"], "y": pa.nulls(len(first), pa.int64()), "at": pc.subtract(first["at"], 60)})
    strange = pa.table({"id": pc.add(first["id"], 10**6), "y": first["y"], "at": first["at"]})
    whole = pa.concat_tables([again, null, strange, first])
    return whole.set_column(2, "at", whole["at"].cast(pa.timestamp("s", "UTC")))


def without_label_column(rows, labels, **changes):
    spec = LabelTable(open_table(labels, root=Path(), key="labels"), "id", "y", "at")
    roles = Roles("t", id="id", prediction="p", score="s", version="v")
    return make_dataset(rows.drop(["y"]), roles=roles, labels=spec, **changes)


def test_joined_labels_are_those_that_arrived_first_and_multiply_no_rows(engine, rows, labels, layout):
    """A null is no label, however early; labels of predictions that were never made count nowhere."""
    assert_equal(engine.profile(without_label_column(rows, labels), layout), engine.profile(make_dataset(rows), layout))


def test_labels_older_than_the_age_limit_do_not_count(engine, rows, labels, layout):
    found = engine.profile(without_label_column(rows, labels, label_age_hours=48.0), layout)
    young = pa.array(rows["id"].to_numpy() % 100 <= 48)
    kept = rows.set_column(rows.column_names.index("y"), "y", pc.if_else(young, rows["y"], None))
    assert_equal(found, engine.profile(make_dataset(kept), layout))


@pytest.mark.parametrize(
    ("label", "prediction", "positive"),
    [
        (lambda y: pc.cast(y, pa.bool_()), lambda p: p, "true"),
        (lambda y: y, lambda p: pc.cast(p, pa.bool_()), "1"),
        (lambda y: pc.cast(y, pa.float64()), lambda p: pc.cast(p, pa.decimal128(19, 0)), "1.0"),
        (lambda y: pc.if_else(pc.equal(y, 1), "yes", "no"), lambda p: p, "yes"),
        (lambda y: pc.subtract(1, y), lambda p: pc.cast(pc.subtract(1, p), pa.bool_()), "false"),
    ],
    ids=["boolean label", "boolean prediction", "float and decimal", "text label", "false is positive"],
)
def test_the_positive_class_is_found_however_classes_are_written(engine, rows, layout, label, prediction, positive):
    written = rows.set_column(rows.column_names.index("y"), "y", label(rows["y"]))
    written = written.set_column(rows.column_names.index("p"), "p", prediction(rows["p"]))
    found = engine.profile(make_dataset(written, positive=positive), layout).outcomes.total()
    assert found == engine.profile(make_dataset(rows), layout).outcomes.total()


def plain_rows():
    """Rows that every format can hold: no infinity, no boolean, which SQLite doesn't have."""
    rows = make_rows(seed=1, rows=1000).drop(["b"])
    x = rows["x"].to_numpy(zero_copy_only=False)
    return rows.set_column(rows.column_names.index("x"), "x", pa.array(x, mask=~np.isfinite(x)))


def written(rows: pa.Table, kind: str, folder: Path) -> Any:
    """The rows as a source of this kind."""
    match kind:
        case "arrow":
            return rows
        case "pandas":
            return rows.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
        case "polars":
            return pl.DataFrame(rows)
        case "parquet":
            pyarrow.parquet.write_table(rows, folder / "rows.parquet")
        case "csv":
            pyarrow.csv.write_csv(rows, folder / "rows.csv")
        case "jsonl":
            pl.DataFrame(rows).write_ndjson(folder / "rows.jsonl")
        case "folder":
            for i, part in enumerate((rows[:300], rows[300:])):
                pyarrow.parquet.write_table(part, folder / f"part-{i}.parquet")
            return str(folder)
        case "sqlite":
            return _sqlite(rows, folder / "rows.db")
    return str(folder / f"rows.{kind}")


def _sqlite(rows: pa.Table, file: Path) -> Query:
    connection = sqlite3.connect(file)
    try:
        connection.execute(f"CREATE TABLE log ({', '.join(rows.column_names)})")
        places = ", ".join("?" * rows.num_columns)
        connection.executemany(f"INSERT INTO log VALUES ({places})", zip(*rows.to_pydict().values(), strict=True))
        connection.commit()
    finally:
        connection.close()
    return Query(url=f"sqlite:///{file}", query="SELECT * FROM log")


SOURCES = ("pandas", "polars", "parquet", "csv", "jsonl", "folder", "sqlite")


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_rows_give_the_same_profile_from_every_source(engine, tmp_path, layout, kind):
    rows, features = plain_rows(), ("x", "i", "c")
    cut = Layout({name: layout.numbers[name] for name in ("x", "i", "(score)")}, ("c",))
    expected = engine.profile(make_dataset(rows, features=features), cut)
    found = engine.profile(make_dataset(written(rows, kind, tmp_path), features=features), cut)
    assert_equal(found, expected)


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_rows_give_the_same_sample_from_every_source(engine, tmp_path, kind):
    """Chosen by the id, not by where a row lies in a file."""
    rows, features = plain_rows(), ("x", "i", "c")
    expected = engine.sample(make_dataset(rows, features=features), window(), most=200)
    found = engine.sample(make_dataset(written(rows, kind, tmp_path), features=features), window(), most=200)
    assert found["row_key"].to_pylist() == expected["row_key"].to_pylist()


def iso(seconds, form):
    return [moment(s).strftime(form) for s in seconds]


TIMES = {
    "milliseconds": (lambda s: pa.array(s * 1000 + 7), "ms"),
    "microseconds": (lambda s: pa.array(s * 1_000_000 + 7), "us"),
    "nanoseconds": (lambda s: pa.array(s * 1_000_000_000 + 7), "ns"),
    "timestamp": (lambda s: pa.array(s).cast(pa.timestamp("s")).cast(pa.timestamp("us")), ""),
    "timestamp in UTC": (lambda s: pa.array(s).cast(pa.timestamp("s", "UTC")), ""),
    "timestamp elsewhere": (lambda s: pa.array(s).cast(pa.timestamp("s", "America/New_York")), ""),
    "text": (lambda s: pa.array(iso(s, "%Y-%m-%d %H:%M:%S")), ""),
    "text with Z": (lambda s: pa.array(iso(s, "%Y-%m-%dT%H:%M:%SZ")), ""),
    "text with an offset": (lambda s: pa.array(iso(s + 7200, "%Y-%m-%dT%H:%M:%S+02:00")), ""),
}


@pytest.mark.parametrize("form", TIMES)
@pytest.mark.parametrize("kind", ["arrow", "csv", "parquet"])
def test_the_same_moments_give_the_same_profile_however_they_are_written(engine, tmp_path, layout, form, kind):
    rows = plain_rows()
    write, unit = TIMES[form]
    cut = Layout({"x": layout.numbers["x"], "(score)": layout.numbers["(score)"]}, ())
    expected = engine.profile(make_dataset(rows, features=("x",), width=3600), cut)
    timed = rows.set_column(0, "t", write(rows["t"].to_numpy()))
    dataset = make_dataset(written(timed, kind, tmp_path), features=("x",), width=3600, time_unit=unit)
    assert_equal(engine.profile(dataset, cut), expected)
    span = engine.span(dataset.predictions, "t", unit)
    seconds = rows["t"].to_numpy()
    assert (span.first, span.last, span.rows, span.nulls) == (seconds.min(), seconds.max(), len(rows), 0)
    assert span.unparsable is None
    assert not span.mixed_zones


LAST_MOMENTS = {
    "milliseconds": (lambda us: pa.array(us // 1000), "ms"),
    "seconds with decimals": (lambda us: pa.array(us / 1e6), "s"),
    "timestamp": (lambda us: pa.array(us).cast(pa.timestamp("us")), ""),
    "timestamp in nanoseconds": (lambda us: pa.array(us * 1000).cast(pa.timestamp("ns")), ""),
    "timestamp in UTC": (lambda us: pa.array(us).cast(pa.timestamp("us", "UTC")), ""),
    "timestamp elsewhere": (lambda us: pa.array(us).cast(pa.timestamp("us", "America/New_York")), ""),
    "text": (lambda us: pa.array([moment(one / 1e6).isoformat() for one in us.tolist()]), ""),
}


@pytest.mark.parametrize("form", LAST_MOMENTS)
def test_the_last_moment_of_a_day_counts_in_that_day(engine, tmp_path, layout, form):
    """In its bucket, in the log's span, in samples, counts and coded rows: a window holds what lies before its end."""
    write, unit = LAST_MOMENTS[form]
    late = (START + DAY * np.arange(1, 4)) * 1_000_000 - 300_000  # 23:59:59.7
    rows = make_rows(rows=3)
    timed = rows.set_column(0, "t", write(late))
    dataset = make_dataset(written(timed, "csv" if form == "text" else "arrow", tmp_path), time_unit=unit)
    profile = engine.profile(dataset, layout)
    assert [cell[0] for cell in profile.quality.by(lambda cell: cell[:1]).cells] == [START + i * DAY for i in range(3)]
    span = engine.span(dataset.predictions, "t", unit)
    assert (span.first, span.last) == (START + DAY - 1, START + 3 * DAY - 1)
    for i in range(3):
        day = window(i, i + 1)
        assert engine.sample(dataset, day, most=10)["row_key"].to_pylist() == [str(rows["id"][i])]
        assert len(engine.coded(dataset, layout, [day], most=10)[0].outcome) == 1
    everywhere = engine.count(dataset, [[]], [window(i, i + 1) for i in range(3)])
    assert [rate.n for rate in everywhere[0]] == pc.and_(rows["y"].is_valid(), rows["p"].is_valid()).to_numpy().tolist()


def test_dates_are_the_midnights_they_begin_with(engine, layout):
    rows = plain_rows()
    days = (rows["t"].to_numpy() - START) // DAY
    dates = pa.array([(moment(START) + timedelta(days=int(day))).date() for day in days])
    cut = Layout({"x": layout.numbers["x"]}, ())
    found = engine.profile(make_dataset(rows.set_column(0, "t", dates), features=("x",), time_unit=""), cut)
    assert_equal(found, engine.profile(make_dataset(rows, features=("x",)), cut))


def test_a_span_names_the_first_row_that_is_no_time(engine, tmp_path):
    times = ["2020-09-14", "2020-09-14T10:00:00", "yesterday", None, "soon"]
    file = tmp_path / "rows.csv"
    file.write_text("t,p\n" + "".join(f"{t or ''},1\n" for t in times))
    span = engine.span(open_table(str(file), root=Path(), key="predictions"), "t", "")
    assert (span.rows, span.nulls, span.unparsable) == (5, 1, (3, "yesterday"))


def test_values_and_keys_are_counted(engine, rows):
    table = open_table(rows, root=Path(), key="predictions")
    counts = Counter(NULL if c is None else c for c in rows["c"].to_pylist())
    assert dict(engine.values(table, "c", most=10)) == counts
    assert list(engine.values(table, "c", most=2)) == [name for name, _ in counts.most_common(2)]
    assert engine.keys(table, "id") == (len(rows), len(rows))
    assert engine.keys(table, "i") == (len(rows) - rows["i"].null_count, 7)


def test_two_frames_are_told_apart(engine, layout):
    """A second frame is another table, whatever was read before."""
    first, second = make_rows(seed=2, rows=50), make_rows(seed=3, rows=70)
    assert [engine.profile(make_dataset(one), layout).rows for one in (first, second, first)] == [50, 70, 50]


def test_every_query_is_told_with_what_it_was_for(engine, rows, layout):
    before = len(engine.queries)
    engine.profile(make_dataset(rows), layout)
    told = engine.queries[before:]
    assert told
    assert all(what and "SELECT" in sql.upper() for what, sql in told)


def test_a_table_without_roles_is_profiled_like_the_log_in_one_bucket(engine, rows, layout):
    """Columns of another kind than the layout's, and those it doesn't cut, are left out; others hold every row."""
    log = engine.profile(make_dataset(rows), layout)
    plain = rows.select(["x", "i", "c"]).set_column(1, "i", pa.array(["text"] * rows.num_rows))
    found = engine.columns(open_table(plain, root=Path(), key="training.table"), layout)
    assert (set(found.numbers), set(found.categories), found.rows) == ({"x"}, {"c"}, rows.num_rows)
    np.testing.assert_array_equal(found.numbers["x"].counts.sum(axis=0), log.numbers["x"].counts.sum(axis=0))
    assert found.numbers["x"].nulls == log.numbers["x"].nulls
    assert found.categories["c"].sums.total() == log.categories["c"].sums.total()


def test_rows_are_looked_up_by_the_text_of_their_key(engine, rows):
    """A whole number is the same key as a double, as text or as a decimal; what isn't there isn't found."""
    wanted = [*(str(one) for one in rows["id"].to_pylist()[:50]), "absent"]
    for kind in (pa.int64(), pa.float64(), pa.string()):
        table = open_table(rows.set_column(1, "id", rows["id"].cast(kind)), root=Path(), key="offline")
        found = engine.lookup(table, "id", wanted, ["c", "i"])
        assert sorted(found["row_key"].to_pylist()) == sorted(wanted[:-1])
        assert set(found.column_names) == {"row_key", "f:c", "f:i"}
        place = {str(key): i for i, key in enumerate(rows["id"].to_pylist())}
        assert [rows["c"][place[key]].as_py() for key in found["row_key"].to_pylist()] == found["f:c"].to_pylist()


def test_queries_of_a_ranking_are_sampled_whole(engine, rows):
    """A part of a query can't be ranked."""
    queries = [f"q{i // 8}" for i in range(rows.num_rows)]
    dataset = make_dataset(
        rows.append_column("q", [queries]),
        task="ranking",
        judgement=metric_for(None, "ranking").judgement,
        roles=Roles("t", id="id", prediction="s", label="y", group="q"),
    )
    drawn = engine.sample(dataset, window(), most=800)
    assert 300 < drawn.num_rows < 1600
    whole = Counter(queries)
    assert all(n == whole[name] for name, n in Counter(drawn["query"].to_pylist()).items())


def test_training_rows_come_with_labels_as_the_log_has_them(engine, rows):
    """All of a small table's; of a large one about so many, the same ones in whatever order they stand."""
    table, dataset = open_table(rows, root=Path(), key="training.table"), make_dataset(rows)
    found = engine.learned(dataset, table, "y", ["x", "c"], most=10_000)
    assert set(found.column_names) == {"y", "f:x", "f:c"}
    labels = [None if y is None else float(y == 1) for y in rows["y"].to_pylist()]
    assert Counter(zip(found["y"].cast("float64").to_pylist(), found["f:c"].to_pylist(), strict=True)) == Counter(
        zip(labels, rows["c"].to_pylist(), strict=True)
    )
    some = engine.learned(dataset, table, "y", ["x", "c"], most=500)
    assert 250 <= some.num_rows <= 750
    turned = open_table(rows.take(np.arange(rows.num_rows)[::-1]), root=Path(), key="training.table")
    assert engine.learned(dataset, turned, "y", ["x", "c"], most=500).equals(some)


def test_all_rows_of_a_table_are_counted(engine, rows):
    assert engine.rows(open_table(rows, root=Path(), key="training.table")) == rows.num_rows


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string(), pa.decimal128(30, 2)])
def test_labels_are_joined_whatever_type_their_id_has(engine, rows, labels, layout, kind):
    cast = labels.set_column(0, "id", labels["id"].cast(kind))
    found = engine.profile(without_label_column(rows, cast), layout)
    assert_equal(found, engine.profile(make_dataset(rows), layout))
