"""How the columns of a table make series: which hold times, names, values and labels, by their names and kinds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mortis.problems import CaseProblem, InputProblem, counted, listed, near
from mortis.sources.metrics.headings import is_moment
from mortis.sources.metrics.moments import Moments
from mortis.sources.metrics.points import Bools, Ints
from mortis.sources.metrics.sheets import Column, Sheet
from mortis.sources.metrics.words import Words, dense, parse_numbers, refine

# Names without their signs, likeliest first. Grafana, InfluxDB, CloudWatch, NAB and pandas write some of them.
TIMES = (
    *(
        "time",
        "timestamp",
        "ts",
        "datetime",
        "eventtime",
        "unixtimestamp",
        "unixtime",
        "epoch",
        "timestampms",
        "timems",
    ),
    *("timestamputc", "timeutc", "walltime", "date"),
)
# Names that other things have too, believed where the column begins with a time.
PERHAPS_TIMES = ("at", "when", "day", "hour", "minute", "min", "t", "periodstart", "windowstart", "bucket", "index")
METRICS = ("field", "metric", "metricname", "metrickey", "metricid", "measurement", "kpi", "kpiname")
NAMES = ("name", "series", "seriesname", "signal", "variable", "key", "label")
VALUES = ("value", "val", "metricvalue", "datapoint", "reading", "v", "y")
FEW_ROWS = 100
FEWEST_MOMENTS = 3
_ID = re.compile(r"(?i:(?:^|[^a-z0-9])(?:id|pid|uid|uuid|guid))$|(?<=[a-z])I[dD]$", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Which column of a sheet plays which part, and in `guess` and `notes`, what was guessed and left out.

    `name` holds the series' names, row by row; without it each column of `values` is a series' own. `labels` tell
    series apart further.
    """

    values: tuple[Column, ...]
    guess: str
    name: Column | None = None
    labels: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()


def plain(name: str) -> str:
    """A name in lower case without signs, as names are compared.

    >>> plain("@timestamp"), plain("Metric_Name")
    ('timestamp', 'metricname')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def time_column(sheet: Sheet, stated: str | None, *, where: str) -> Column:
    """The column of times: as stated, else by its name, else the first that holds times.

    Raises InputProblem, beginning with `where`, if there is none.
    """
    if stated is not None:
        found = next((column for column in sheet.columns if stated in (column.heading[0], column.title)), None)
        if found is None:
            guess = near(stated, [column.heading[0] for column in sheet.columns]) or ";"
            raise CaseProblem(
                f"{where}: column {stated!r} not found in {sheet.name}{guess} there are: {sheet.titles()}"
            )
        return found
    usable = [column for column in sheet.columns if column.kind != "other"]
    kinds = [column for column in usable if column.kind == "time"]
    texts = [column for column in usable if column.kind == "text"]
    perhaps = [*_called(usable, PERHAPS_TIMES), *texts, *usable[:1]]
    for column in (*_called(usable, TIMES), *kinds, *filter(_begins_with_a_moment, perhaps)):
        return column
    raise InputProblem(
        f"{where}: no column of {sheet.name} is named like a time or holds times; state which does; "
        f"there are: {sheet.titles()}"
    )


def _called(columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    """The columns that bear one of the names, in the order of the names."""
    called = [column for column in columns if plain(column.heading[0]) in names]
    return sorted(called, key=lambda column: names.index(plain(column.heading[0])))


def _begins_with_a_moment(column: Column) -> bool:
    known = column.data.slice(0, FEW_ROWS).drop_null()
    return len(known) > 0 and is_moment(str(known[0].as_py()))


def form_of(sheet: Sheet, time: Column, moments: Moments, *, where: str) -> Form:
    """How the sheet's columns make series beside its column of times.

    Long where a column is named like one of metrics' names and another like one of values, or only one holds numbers;
    wide elsewhere. Other columns are labels where they tell apart rows of one series and moment, or are the same
    throughout every series. Raises InputProblem, beginning with `where`, if no column holds numbers.
    """
    notes: list[str] = []
    others = _usable([column for column in sheet.columns if column is not time], notes)
    long = None if sheet.levels else _long(others, time, moments, notes)
    numbers = long.values if long else _numbers(_measured(sheet, others, moments), notes)
    if not numbers:
        raise InputProblem(
            f"{where}: no column of {sheet.name} beside {time.title!r} holds numbers; there are: {sheet.titles()}"
        )
    form = long or _wide(sheet, time, numbers, others, moments)
    titles = {column.title for column in (*form.values, *form.labels, *((form.name,) if form.name else ()))}
    unused = [column.title for column in others if column.title not in titles]
    if unused:
        notes.append(f"columns left out, as they make no series and tell none apart: {listed(unused, most=3)}")
    return replace(form, notes=tuple(notes))


def _usable(columns: Sequence[Column], notes: list[str]) -> list[Column]:
    """The columns of numbers and text; others can be no part of a series."""
    empty = [column.title for column in columns if column.kind == "empty"]
    if empty:
        notes.append(f"columns without a value left out: {listed(empty, most=3)}")
    for column in columns:
        if column.kind in ("time", "other"):
            what = "times" if column.kind == "time" else str(column.data.type).partition("<")[0]
            notes.append(f"column {column.title!r} left out: it holds {what}")
    return [column for column in columns if column.kind in ("number", "text")]


def _long(columns: Sequence[Column], time: Column, moments: Moments, notes: list[str]) -> Form | None:
    """The form of a table with a value a row; None where it is none."""
    texts = [column for column in columns if column.kind == "text"]
    name = next(iter(_called(texts, (*METRICS, *NAMES))), None)
    if name is None:
        return None
    rest = [column for column in columns if column is not name]
    value, told = _called(rest, VALUES)[:1], list[str]()
    numbers = _numbers(value or rest, told)
    if not numbers or (not value and len(numbers) > 1 and plain(name.title) not in METRICS):
        return None
    notes.extend(told)
    taken = {column.title for column in numbers}
    labels = _labels(name.words, [column for column in rest if column.title not in taken], moments)
    what = f"values from {_quoted(numbers)}" + (f", labels {_quoted(labels)}" if labels else "")
    guess = f"read as one value per row: times from {time.title!r}, names from {name.title!r}, {what}"
    return Form(tuple(numbers), guess, name, labels)


def _wide(sheet: Sheet, time: Column, numbers: Sequence[Column], columns: Sequence[Column], moments: Moments) -> Form:
    """The form of a table with a column for each metric."""
    taken = {column.title for column in numbers}
    rest = [] if sheet.levels else [column for column in columns if column.title not in taken]
    labels = _labels(None, rest, moments)
    form = Form(tuple(numbers), "", None, labels)
    what, names, levels = f"one column per metric ({len(numbers):,})", "", [repr(label.title) for label in labels]
    if sheet.levels:
        place = name_level(sheet.levels)
        what = f"one column per series ({len(numbers):,}) under {len(sheet.levels)} header rows"
        names = f", names from {sheet.levels[place]!r}"
        levels = [repr(level) for i, level in enumerate(sheet.levels) if i != place]
    elif is_lone_value(form) and sheet.stems:
        what = "one series per file, named after it" if len(sheet.stems) > 1 else "one series, named after the file"
    told_apart = f", labels {listed(levels, most=8)}" if levels else ""
    return replace(form, guess=f"read as {what}: times from {time.title!r}{names}{told_apart}")


def _measured(sheet: Sheet, columns: Sequence[Column], moments: Moments) -> list[Column]:
    """The columns of a wide table but for whole numbers that only tell rows apart, which measure nothing."""
    if sheet.levels:
        return list(columns)
    rows = _Parted.of(moments)
    return [column for column in columns if not (_is_whole(column) and _tells_rows_apart(column, rows, moments))]


def _is_whole(column: Column) -> bool:
    import pyarrow.types as at

    return bool(at.is_integer(column.data.type))


def _tells_rows_apart(column: Column, rows: _Parted, moments: Moments) -> bool:
    """Whether a column of whole numbers is named like an id, or has each of its values once at every moment."""
    if _ID.search(column.title):
        return True
    if rows.times < FEWEST_MOMENTS or rows.times == len(rows.at):
        return False
    parted = rows.further(column.words.where(_known(moments)))
    return parted.pairs == len(rows.at) == parted.groups * rows.times


def _labels(name: Words | None, columns: Sequence[Column], moments: Moments) -> tuple[Column, ...]:
    """The columns that tell series apart, those of text asked first.

    A column does where rows of one series and moment differ in it. A text that is the same throughout every series goes
    along, as it says what the series is of.
    """
    columns = sorted(columns, key=lambda one: one.kind != "text")
    if not columns:
        return ()
    kept, parted = _known(moments), _Parted.of(moments)
    parted = parted if name is None else parted.further(name.where(kept))
    telling: list[Column] = []
    for column in columns:
        if parted.pairs == len(parted.at):
            break
        finer = parted.further(column.words.where(kept))
        if finer.pairs > parted.pairs and not _is_key(column):
            parted = finer
            telling.append(column)
    texts = [column for column in columns if column.kind == "text" and column not in telling]
    telling += [column for column in texts if parted.further(column.words.where(kept)).groups == parted.groups]
    return tuple(telling)


def _known(moments: Moments) -> Bools | slice:
    """The rows that have a time; a slice where all do."""
    return slice(None) if moments.known.all() else moments.known


def _from_zero(seconds: Ints) -> tuple[Ints, int]:
    return seconds - seconds.min(), int(seconds.max() - seconds.min()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class _Parted:
    """Rows parted into groups, `at` one of `times` moments each, and how many pairs of group and moment there are."""

    codes: Ints
    groups: int
    at: Ints
    times: int
    pairs: int

    @classmethod
    def of(cls, moments: Moments) -> _Parted:
        """The rows that have a time, all in one group."""
        times, at = dense(*_from_zero(moments.seconds[_known(moments)]))
        return cls(np.zeros(len(at), np.int64), 1, at, len(times), len(times))

    def further(self, words: Words) -> _Parted:
        """The groups parted by words."""
        present, codes = refine(self.codes, self.groups, words)
        pairs, _ = dense(codes * self.times + self.at, len(present) * self.times)
        return _Parted(codes, len(present), self.at, self.times, len(pairs))


def name_level(levels: Sequence[str]) -> int:
    """Which of several header rows names the metric: one that is called so, else the first.

    >>> name_level(("microservice", "metric", "statistic")), name_level(("host", "what"))
    (1, 0)
    """
    called = [plain(level) for level in levels]
    return next((called.index(known) for known in (*METRICS, *NAMES) if known in called), 0)


def is_lone_value(form: Form) -> bool:
    """Whether the one column of values is called just that, so that it has no name of its own."""
    return form.name is None and len(form.values) == 1 and plain(form.values[0].title) in VALUES


def _numbers(columns: Sequence[Column], notes: list[str]) -> list[Column]:
    """The columns that hold numbers, those of text among them where at least half of their cells are numbers."""
    found = []
    for column in columns:
        if column.kind == "number":
            found.append(column)
            continue
        parsed = parse_numbers(column.words)
        if not parsed.known or parsed.known < parsed.bad:
            continue
        found.append(column.with_values(parsed.values))
        if parsed.first_bad:
            row, cell = parsed.first_bad
            notes.append(
                f"column {column.title!r}: {counted(parsed.bad, 'cell')} taken as not measured, being no number, the "
                f"first {cell!r} in row {row:,}"
            )
    return found


def _is_key(column: Column) -> bool:
    """Whether more than half of the rows have a word of their own, so that it would tell points apart, not series."""
    rows = len(column.words.codes)
    return rows > FEW_ROWS and len(column.words) > rows / 2


def _quoted(columns: Sequence[Column]) -> str:
    return listed([repr(column.title) for column in columns], most=8)
