"""Samples with their times in the text formats of OpenMetrics and Prometheus, as `promtool` and others write them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mortis.problems import InputProblem, counted
from mortis.profiles import Floats
from mortis.records import Input
from mortis.sources.metrics.counters import PARTS, TOTAL
from mortis.sources.metrics.headings import not_utf8, unpacked
from mortis.sources.metrics.points import Bools, Ints, sort_points
from mortis.sources.metrics.reading import Asked, MetricsRead, check_window, finished, inside
from mortis.sources.metrics.selectors import parse_series
from mortis.sources.metrics.words import Words, words_of
from mortis.sources.tables import Format, Table, fingerprint, not_packed, not_text
from mortis.sources.times import PER_SECOND, UNIT_NAMES, epoch_unit
from mortis.telemetry import MetricSeries

OPENMETRICS = "openmetrics"
SUFFIXES = (".om", ".openmetrics", ".prom")
OPENMETRICS_FORMATS = {
    suffix + packed: Format(OPENMETRICS, (suffix + packed,), fault)
    for suffix in SUFFIXES
    for packed, fault in (
        ("", not_text),
        (".gz", not_packed("gzip", b"\x1f\x8b")),
        (".zst", not_packed("zstd", b"\x28\xb5\x2f\xfd")),
    )
}
# Which series of a family count up, by the family's type; those of no other type do.
_COUNTING = {"counter": ("", TOTAL), "histogram": PARTS, "summary": PARTS}
_CREATED = "_created"
_BLOCK = 64 << 20
_NEWLINE = 0x0A
_SHOWN = 80
_FIGURE = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_LABELS = r'\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}'
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = (
    rf"^[ \t]*(?P<series>(?:{_NAME}[ \t]*)?{_LABELS}|{_NAME})"
    rf"[ \t]+(?P<value>{_FIGURE}|[+-]?(?i:inf(?:inity)?|nan))"
    rf"(?:[ \t]+(?P<time>{_FIGURE}))?(?:[ \t]+#[^\n]*)?[ \t]*\r?\n?$"
)
_NO_SAMPLE = r"^[ \t]*(?:#[^\n]*)?\r?\n?$"
_TYPE = rf"^#[ \t]+TYPE[ \t]+(?P<name>{_NAME})[ \t]+(?P<type>[a-z]+)[ \t]*\r?\n?$"
_END = r"^# EOF\r?\n?$"


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The samples of a file in its order: which series, the value, and the time as it is written (NaN where it isn't).

    `types` are those of the metric families, `ended` whether the file says that it ends.
    """

    series: Words
    values: Floats
    times: Floats
    types: Mapping[str, str]
    ended: bool


def read_openmetrics(table: Table, asked: Asked) -> MetricsRead:
    """The series in files of samples, counters as rates: those of counters, histograms and summaries by their type.

    Timestamps count seconds or milliseconds, as their size tells; samples without one are left out and counted.
    Raises InputProblem where a line is no sample, or no sample has a time in the window.
    """
    where = asked.place("table")
    notes: list[str] = []
    parts: list[MetricSeries] = []
    types: dict[str, str] = {}
    rows, spans = 0, []
    for file in table.files:
        samples = read_samples(file, key=where)
        seconds = _seconds(samples, file, where, notes)
        rows += len(samples.values)
        types |= samples.types
        spans.append(seconds[~np.isnan(seconds)])
        parts.extend(_series(samples, seconds, file, asked, notes))
    check_window([span.astype(np.int64) for span in spans], asked, f"{where}: no samples of {table.name} lie in")
    created = {family.removesuffix(TOTAL) + _CREATED for family, kind in types.items() if kind in _COUNTING}
    return finished(
        [part for part in parts if part.name not in created],
        where=f"{where}: {table.name}",
        notes=notes,
        inputs=[Input(table.name, rows, fingerprint(table), "metrics")],
        counters=_counting(types),
    )


def _counting(types: Mapping[str, str]) -> dict[str, bool]:
    """The names of the series whose type is known, and whether they count up."""
    known = dict.fromkeys(types, False)
    for family, kind in types.items():
        known |= {family + suffix: True for suffix in _COUNTING.get(kind, ())}
    return known


def _seconds(samples: Samples, file: Path, where: str, notes: list[str]) -> Floats:
    """The samples' times in seconds since 1970; raises InputProblem where none has one."""
    timed = samples.times[~np.isnan(samples.times)]
    if not len(timed):
        raise InputProblem(
            f"{where}: {file.name} holds samples without timestamps, which show one moment; "
            "hand over samples over time, such as `promtool tsdb dump` writes"
        )
    unit = epoch_unit(float(timed.max())) or ("s" if samples.ended else "")
    if not unit:
        raise InputProblem(
            f"{where}: {file.name} holds timestamps up to {timed.max():g}, no epoch times; write seconds since 1970"
        )
    samples_read = counted(len(samples.values), "sample")
    notes.append(f"{file.name}: {samples_read}, timestamps in {UNIT_NAMES[unit]} since 1970")
    if len(timed) < len(samples.times):
        untimed = counted(len(samples.times) - len(timed), "sample")
        notes.append(f"{file.name}: {untimed} without a timestamp left out")
    if unit == "s" and not samples.ended:
        notes.append(f"{file.name}: the last line is not '# EOF', so that the file's end may be missing")
    return np.asarray(np.floor(samples.times / PER_SECOND[unit]))


def _series(samples: Samples, seconds: Floats, file: Path, asked: Asked, notes: list[str]) -> Iterator[MetricSeries]:
    """The series of a file, its samples in the window sorted by series and time."""
    timed = ~np.isnan(seconds)
    within = timed & inside(seconds, asked.window)
    if outside := int((timed & ~within).sum()):
        notes.append(f"{file.name}: {counted(outside, 'sample')} outside {asked.window} left out")
    texts = samples.series.words.to_pylist()
    points = sort_points(samples.series.codes[within], seconds[within].astype(np.int64), groups=len(texts))
    if points.merged:
        notes.append(
            f"{file.name}: {counted(points.merged, 'sample')} averaged with another of the same series and second"
        )
    values = points.values(samples.values[within])
    for place, text in enumerate(texts):
        part = slice(int(points.bounds[place]), int(points.bounds[place + 1]))
        parsed = parse_series(text)
        if parsed is None:
            raise _no_sample(file, _line_of(file, text), text, asked.place("table"))
        if part.start < part.stop:
            yield MetricSeries(parsed[0], points.seconds[part], values[part], parsed[1])


def read_samples(file: Path, *, key: str) -> Samples:
    """The samples of a file in OpenMetrics or Prometheus text.

    Raises InputProblem, with the line, where one is neither a sample nor a comment, or where samples follow `# EOF`.

    Source: https://prometheus.io/docs/specs/om/open_metrics_spec/
    """
    import pyarrow as pa

    types: dict[str, str] = {}
    series, values, times = [], [], []
    before, end = 0, None
    for lines in _lines(file, key):
        samples, others, places = _told_apart(lines, before, file, key)
        end = end if end is not None else next(iter(places[_matches(others, _END)].tolist()), None)
        if end is not None and before + len(lines) - 1 > end:
            _check_end(lines, before, end, file, key)
        types |= _types(others)
        series.append(samples.field("series").dictionary_encode())
        values.append(samples.field("value").cast(pa.float64()).to_numpy(zero_copy_only=False))
        times.append(_times(samples.field("time")))
        before += len(lines)
    if not sum(map(len, values)):
        raise InputProblem(f"{key}: {file.name} holds no samples; hand over lines like `cpu 0.5 1700000000`")
    words = words_of(pa.chunked_array(series))
    return Samples(words, np.concatenate(values), np.concatenate(times), types, end is not None)


def _told_apart(lines: Any, before: int, file: Path, key: str) -> tuple[Any, Any, Ints]:
    """A block's samples taken apart; its other lines, and where in the file (from 0) these stand."""
    import pyarrow.compute as pc

    found = pc.extract_regex(lines, _SAMPLE)
    is_sample = found.is_valid().to_numpy(zero_copy_only=False)
    places = np.flatnonzero(~is_sample)
    others = lines.take(places)
    bad = places[~_matches(others, _NO_SAMPLE)]
    if len(bad):
        raise _no_sample(file, before + int(bad[0]) + 1, lines[int(bad[0])].as_py(), key)
    return found.filter(is_sample), others, places + before


def _no_sample(file: Path, line: int, text: str, key: str) -> InputProblem:
    """The problem of a line that can't be read."""
    shown = text.strip() if len(text) <= _SHOWN else f"{text[:_SHOWN].strip()}..."
    return InputProblem(
        f'{key}: {file.name} line {line}: {shown!r} is no sample; write name{{label="text"}} value timestamp'
    )


def _check_end(lines: Any, before: int, end: int, file: Path, key: str) -> None:
    """Raises InputProblem where anything but blank lines follows the line that says the file ends."""
    after = lines.slice(max(0, end + 1 - before))
    rest = np.flatnonzero(~_matches(after, r"^\s*$"))
    if len(rest):
        line = max(before, end + 1) + int(rest[0]) + 1
        raise InputProblem(f"{key}: {file.name} line {line} follows '# EOF' in line {end + 1}; take that one out")


def _types(others: Any) -> dict[str, str]:
    """The types of metric families that comments state."""
    import pyarrow.compute as pc

    stated = pc.extract_regex(others, _TYPE).drop_null().to_pylist()
    return {one["name"]: one["type"] for one in stated}


def _times(texts: Any) -> Floats:
    """Timestamps as they are written; NaN where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)
    return np.asarray(known.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _matches(lines: Any, pattern: str) -> Bools:
    import pyarrow.compute as pc

    return np.asarray(pc.match_substring_regex(lines, pattern).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _lines(file: Path, key: str) -> Iterator[Any]:
    """The lines of a file, each with its end, block by block as Arrow arrays over the very bytes."""
    import pyarrow as pa

    for block in _blocks(file, key):
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE).astype(np.int32) + 1
        ends = ends if len(ends) and ends[-1] == len(block) else np.append(ends, np.int32(len(block)))
        offsets = np.concatenate((np.zeros(1, np.int32), ends))
        lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(block))
        try:
            lines.validate(full=True)
        except pa.ArrowInvalid:
            raise not_utf8(file, key) from None
        yield lines


def _blocks(file: Path, key: str) -> Iterator[bytes]:
    """The bytes of a file in blocks of whole lines."""
    rest = b""
    try:
        with unpacked(file) as stream:
            while piece := stream.read(_BLOCK):
                whole, newline, after = (rest + piece).rpartition(b"\n")
                if newline:
                    yield whole + newline
                rest = after
    except OSError as error:
        raise InputProblem(f"{key}: {file.name} is damaged ({error}); fetch it again") from None
    if rest:
        yield rest


def _line_of(file: Path, text: str) -> int:
    """The first line (from 1) of a file that begins with a text."""
    with unpacked(file) as stream:
        begins = (line.lstrip().startswith(text.encode()) for line in io.BufferedReader(stream))
        return next((number for number, found in enumerate(begins, 1) if found), 0)
