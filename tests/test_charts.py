"""The charts: well-formed, complete without their data's goodwill, and true to the figures."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from example_postmortem import HOSTILE, NAN, START, bare, enormous, example, failure, healthy, latency, untellable
from mortis.document.charts import common_axis, interval_chart, rate_bars
from mortis.document.figures import MetricStyle, metric_style
from mortis.document.html import marks
from mortis.document.limits import LEVELS, shortened
from mortis.document.svg import Axis, clean, fitted, round_ticks, time_ticks
from mortis.document.timeline import Mark, runs, thinned, timeline
from mortis.records import Interval, Onset, Point, Rate

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False) | st.just(NAN)
INTERVALS = st.builds(Interval, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 10**9))


def series_of(values: list[float]) -> tuple[Point, ...]:
    return tuple(Point(START + timedelta(hours=i), Interval(v, v - 1, v + 1, 10)) for i, v in enumerate(values))


def picture_of(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - the project's own picture; that it parses is the law


def coordinates(svg: str) -> list[float]:
    plain = re.sub(r"<(title|desc|text).*?</\1>", "", svg, flags=re.DOTALL)
    return [float(x) for d in re.findall(r' d="([^"]*)"', plain) for x in re.findall(r"-?\d+\.?\d*", d)]


@given(st.lists(st.floats(0, 1) | st.just(NAN), min_size=1, max_size=3000))
def test_thinning_keeps_order_and_extremes(values):
    """At most 400 points of a long series remain, in order, the lowest and the highest among them."""
    points = series_of(values)
    kept = thinned(points)
    if len(points) <= 600:
        assert kept == points
    else:
        assert len(kept) <= 400
    assert [p.start for p in kept] == sorted({p.start for p in kept})
    assert set(kept) <= set(points) or any(math.isnan(p.value.value) for p in points)
    seen = [v for v in values if not math.isnan(v)]
    if seen:
        shown = [p.value.value for p in kept if not math.isnan(p.value.value)]
        assert (min(shown), max(shown)) == (min(seen), max(seen))


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 12))
def test_ticks_of_values_lie_within_and_apart(low, size, most):
    """Ticks lie on the axis in rising order, and there are no more than asked for, give or take one."""
    ticks = round_ticks(low, low + size, most)
    assert len(ticks) <= most + 1
    assert ticks == sorted(set(ticks))
    assert all(low - 1e-6 * size - 1e-9 <= tick <= low + size * (1 + 1e-6) + 1e-9 for tick in ticks)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(1, 10**9), st.integers(2, 9))  # noqa: DTZ001
def test_ticks_of_time_lie_within_and_name_the_year(start, seconds, most):
    """Ticks lie on the axis in rising order, few enough to be read, and the first one says which day or month it is."""
    begin = start.replace(tzinfo=UTC)
    end = begin + timedelta(seconds=seconds)
    ticks = time_ticks(begin, end, most)
    moments = [when for when, _ in ticks]
    assert moments == sorted(set(moments))
    assert all(begin <= when <= end for when in moments)
    assert len(ticks) <= 2 * most + 1
    if ticks:
        assert re.match(r"\d{4}-\d\d|\d\d-\d\d \d\d:\d\d", ticks[0][1])


@given(st.lists(NUMBERS, min_size=1, max_size=50), INTERVALS, INTERVALS, st.sampled_from([344, 860]))
def test_a_timeline_of_any_numbers_is_well_formed(values, before, after, width):
    """Whatever the series and the windows hold, the picture parses and stays within its frame; no number is 'nan'."""
    shown = replace(failure(), series=series_of(values), baseline=before, incident=after)
    svg = timeline(shown, (), style=metric_style(shown), width=width, name="t")
    if all(math.isnan(v) for v in values):
        assert svg == ""
        return
    picture_of(svg)
    assert "nan" not in svg
    assert "inf" not in svg
    box = [float(v) for v in picture_of(svg).attrib["viewBox"].split()]
    assert all(-11 <= x <= max(box[2], box[3]) + 11 for x in coordinates(svg))


@pytest.mark.parametrize("case", [example, bare, healthy, untellable, latency, enormous])
def test_a_timeline_says_in_words_what_it_draws(case):
    """It is an image with a title and a description, and wide and narrow share no id."""
    shown = shortened(case(), LEVELS[0])
    ids: list[str] = []
    for name, width in (("wide", 860), ("narrow", 344)):
        svg = timeline(shown.failure, marks(shown), style=metric_style(shown.failure), width=width, name=name)
        picture = picture_of(svg)
        assert picture.attrib["role"] == "img"
        labels = picture.attrib["aria-labelledby"].split()
        named = {node.attrib["id"]: node.text for node in picture.iter() if "id" in node.attrib}
        assert all(named[label] for label in labels)
        ids += named
        assert len(svg) < 120_000
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_in_a_picture_stays_text(text):
    """Markup, controls and quotes in a mark's name become no element and no attribute."""
    shown = failure()
    tame = timeline(shown, [Mark(START, "x", "change")], style=metric_style(shown), width=860, name="t")
    wild = timeline(shown, [Mark(START, text, "change")], style=metric_style(shown), width=860, name="t")
    assert [n.tag for n in picture_of(wild).iter()] == [n.tag for n in picture_of(tame).iter()]
    said = " ".join("".join(picture_of(wild).itertext()).split())
    assert " ".join(fitted(clean(text), 300).rstrip("…").split()) in said


def test_a_gap_in_the_series_stays_a_gap():
    """A line never bridges a bucket without a value."""
    points = series_of([0.5, 0.6, NAN, 0.7])
    assert [len(run) for run in runs(points, limits=False)] == [2, 1]


def test_the_axis_holds_what_matters_and_no_thin_buckets_interval_flattens_it():
    """A bucket of few rows whose interval spans everything leaves at least half of the plot to the values."""
    points = (*series_of([0.90, 0.91, 0.84, 0.85]), Point(START + timedelta(hours=4), Interval(0.88, -50, 50, 1)))
    shown = replace(failure(), series=points, bucket_seconds=3600)
    svg = timeline(shown, (), style=metric_style(shown), width=860, name="t")
    heights = [float(y) for y in re.findall(r"[ML]\S+ (\S+?)(?=L|\")", _line(svg))]
    frame = picture_of(svg)
    plot = float(frame.attrib["data-bottom"]) - float(frame.attrib["data-top"])
    assert max(heights) - min(heights) > 0.4 * plot


def _line(svg: str) -> str:
    return next(m[0] for m in re.finditer(r"<path [^>]*>", svg) if "line series" in m[0])


def test_an_onset_known_to_the_bucket_is_still_seen():
    """Where the interval of the onset has no width, its band keeps three pixels."""
    moment = START + timedelta(days=46)
    shown = replace(failure(), onset=Onset(moment, moment, moment, "abrupt"))
    svg = timeline(shown, (), style=metric_style(shown), width=860, name="t")
    band = next(n for n in picture_of(svg).iter() if n.attrib.get("class") == "onset-range")
    assert float(band.attrib["width"]) == 3


@given(INTERVALS, st.lists(INTERVALS, max_size=4))
def test_an_interval_chart_of_any_numbers_is_well_formed(interval, others):
    """It parses and holds no 'nan'; without a value there is no chart."""
    svg = interval_chart(interval, common_axis([interval, *others]), text='a "b" <c>')
    if math.isnan(interval.value):
        assert svg == ""
    else:
        assert picture_of(svg)[0].text == '\u2068a "b" <c>\u2069'
        assert "nan" not in svg


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_bars_are_as_long_as_their_rates(errors, right, later_errors, later_right):
    """Lengths are in proportion to the rates; a window without rows says so."""
    before, after = Rate(errors, errors + right), Rate(later_errors, later_errors + later_right)
    svg = rate_bars(before, after, highest=1.0, text="")
    if not before.n and not after.n:
        assert svg == ""
        return
    bars = {n.attrib["class"]: float(n.attrib["width"]) for n in picture_of(svg).iter() if n.tag == "rect"}
    for name, rate in (("baseline", before), ("incident", after)):
        if rate.n:
            assert bars[f"rate {name}-rate"] == pytest.approx(max(1.5, 184 * rate.value), abs=0.06)
    assert ("no rows" in svg) == (before.n == 0 or after.n == 0)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1))
def test_an_axis_maps_its_ends_onto_its_ends(low, size, part):
    """Low lands on start, high on end, and what lies between stays between."""
    axis = Axis(low, low + size, 10.0, 110.0)
    assert axis(low) == 10.0
    assert axis(low + size) == pytest.approx(110.0)
    assert 10.0 <= axis.inside(low + part * size) <= 110.0
    assert axis.inside(low - size) == 10.0


def test_one_metric_is_written_alike_everywhere():
    """Its decimals come from the failure as a whole, so that figures compare."""
    style = metric_style(failure())
    assert isinstance(style, MetricStyle)
    assert (style.value(0.9), style.value(0.9104), style.change(-0.0687)) == ("0.900", "0.910", "−0.069")
