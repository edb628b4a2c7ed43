"""Metrics in tables: wide or long, in files, frames or databases, read column by column into series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mortis.problems import InputProblem, counted
from mortis.records import Input
from mortis.sources.metrics.forms import Form, form_of, is_lone_value, name_level, time_column
from mortis.sources.metrics.moments import Moments, moments_of
from mortis.sources.metrics.points import Bools, Ints, sort_points
from mortis.sources.metrics.reading import Asked, MetricsRead, check_window, finished, inside
from mortis.sources.metrics.selectors import parse_series
from mortis.sources.metrics.sheets import UNNAMED, Column, Sheet, numbers_of, open_sheets
from mortis.sources.metrics.words import Words, combine
from mortis.sources.tables import Table, fingerprint
from mortis.telemetry import MetricSeries

STATISTIC = "statistic"
LONE = "value"


@dataclass(frozen=True, slots=True, eq=False)
class _Timed:
    """A sheet with the form of its columns, its moments, and the rows that have a time and a name in the window."""

    sheet: Sheet
    form: Form
    moments: Moments
    kept: Bools | slice

    @property
    def known_seconds(self) -> Ints:
        """The moments of the rows that have one."""
        return self.moments.seconds if self.moments.known.all() else self.moments.seconds[self.moments.known]


def read_table(table: Table, asked: Asked, *, time: str | None = None) -> MetricsRead:
    """The series in a table: what its columns hold is guessed by their names and kinds, and the guess is told.

    `time` names the column of times where the user does. Raises InputProblem where the table can't be read, has no
    times or no numbers, or no rows in the window.
    """
    where = asked.place("table")
    sheets = open_sheets(table, key=where)
    rows = sum(sheet.rows for sheet in sheets)
    if not rows:
        raise InputProblem(f"{where}: {table.name} has columns but no rows; hand over a table with rows")
    notes: list[str] = []
    timed = [_timed(sheet, time, asked, notes) for sheet in sheets if sheet.rows]
    check_window([one.known_seconds for one in timed], asked, f"{where}: no rows of {table.name} lie in")
    parts = [part for one in timed for part in _series(one, notes)]
    inputs = [Input(table.name, rows, fingerprint(table), "metrics")]
    return finished(parts, where=f"{where}: {table.name}", notes=notes, inputs=inputs)


def _timed(sheet: Sheet, stated: str | None, asked: Asked, notes: list[str]) -> _Timed:
    place = asked.place("time")
    time = time_column(sheet, stated, where=place)
    moments = moments_of(time, where=f"{place}: column {time.title!r} of {sheet.name}")
    form = form_of(sheet, time, moments, where=asked.place("table"))
    told = [form.guess]
    if moments.unit:
        told.append(f"{time.title!r} counts {moments.unit} since 1970")
    told.extend(form.notes)
    kept = _kept(form, moments.known, inside(moments.seconds, asked.window), asked, told)
    notes.extend(f"{sheet.name}: {one}" for one in told)
    return _Timed(sheet, form, moments, kept)


def _kept(form: Form, known: Bools, within: Bools, asked: Asked, told: list[str]) -> Bools | slice:
    """The rows that have a time and a name, and lie in the window; a slice where all do."""
    if not known.all():
        told.append(f"{counted(int((~known).sum()), 'row')} without a time left out")
    named = known if form.name is None else known & (form.name.words.codes >= 0)
    if not named[known].all():
        told.append(f"{counted(int((known & ~named).sum()), 'row')} without a name left out")
    kept = named & within
    if not kept[named].all():
        told.append(f"{counted(int((named & ~within).sum()), 'row')} outside {asked.window} left out")
    return slice(None) if kept.all() else kept


def _series(timed: _Timed, notes: list[str]) -> Iterator[MetricSeries]:
    """The series of a sheet: its rows sorted once, then each column of values cut into them."""
    form, kept = timed.form, timed.kept
    seconds = timed.moments.seconds[kept]
    telling = [column.where(kept) for column in _telling(timed)]
    codes, groups = combine(telling, rows=len(seconds))
    points = sort_points(codes, seconds, groups=len(groups))
    if points.merged:
        rows = counted(points.merged, "row")
        notes.append(f"{timed.sheet.name}: {rows} averaged with another of the same series and second")
    for column in form.values:
        values = points.values(numbers_of(column)[kept])
        for place, group in enumerate(groups):
            part = slice(int(points.bounds[place]), int(points.bounds[place + 1]))
            name, labels = _called(timed, column, group)
            yield MetricSeries(name, points.seconds[part], values[part], labels)


def _telling(timed: _Timed) -> list[Words]:
    """The columns that tell series apart by row: that of names, or of several files, then the labels."""
    form = timed.form
    first = [form.name.words] if form.name else []
    if is_lone_value(form) and timed.sheet.of_file is not None:
        first = [Words.of(timed.sheet.stems, timed.sheet.of_file)]
    return [*first, *(label.words for label in form.labels)]


def _called(timed: _Timed, column: Column, group: tuple[str | None, ...]) -> tuple[str, Mapping[str, str]]:
    """The name and the labels of the series in a column's rows of one group."""
    form, sheet = timed.form, timed.sheet
    if sheet.levels:
        return _levelled(column, sheet.levels)
    ahead = len(group) - len(form.labels)
    labels = {label.title: word for label, word in zip(form.labels, group[ahead:], strict=True) if word}
    if form.name is not None and len(form.values) > 1:
        labels[STATISTIC] = column.title
    file = sheet.stems[0] if len(sheet.stems) == 1 else LONE
    own_title = file if is_lone_value(form) else column.title
    text = (group[0] if ahead else own_title) or UNNAMED
    name, own = (parse_series(text) if "{" in text else None) or (text, {})
    return name or file, own | labels


def _levelled(column: Column, levels: tuple[str, ...]) -> tuple[str, Mapping[str, str]]:
    """The name and labels that several header rows give to a column."""
    place = name_level(levels)
    labels = {
        level: text for i, (level, text) in enumerate(zip(levels, column.heading, strict=True)) if i != place and text
    }
    return column.heading[place] or column.title, labels
