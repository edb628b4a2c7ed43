"""Log files' answer to what changed: kinds of lines that are new, surged, gone, or written at a higher level."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import add

from mortis.records import Input, LogTemplate
from mortis.signals.log_notes import notes_on
from mortis.signals.log_shift import Shifted, judge, severity
from mortis.signals.masking import mask
from mortis.signals.template_counts import Buckets, Place, TemplateCounts, count_entries
from mortis.signals.templates import OTHER, Templates, TemplateTree, tokens_of
from mortis.sources.logs import FileRead, LogEntry, LogFile, LogReading

CACHED_LINES = 1 << 15
NEARLY_ALL = 0.95
FEW_OTHERS = 0.5
FEWEST_AWAITED = 5
_PERSONAL = re.compile("<(?:email|ip|person|secret|url)>")


@dataclass(frozen=True, slots=True)
class LogsFound:
    """What the log files tell: the templates that changed, the most severe first; what was read; what can't be known.

    `known` is how many templates the baseline has, `tests` how many tests were made. `levels` counts the lines of each
    level in both windows; the empty one is that of lines that state none. `notes` say in words what was left out,
    `inputs` what was read.
    """

    templates: tuple[LogTemplate, ...] = ()
    known: int = 0
    tests: int = 0
    levels: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    files: tuple[FileRead, ...] = ()
    notes: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()

    @property
    def lines(self) -> Mapping[str, int]:
        """How many lines of all files were what; the kinds are those of `FileRead.counts`."""
        return reduce(add, (Counter(one.counts) for one in self.files), Counter())

    @property
    def is_compared(self) -> bool:
        """Whether both windows hold a line; where one holds none, the notes say why."""
        return all(any(lines[window] for lines in self.levels.values()) for window in (0, 1))


def log_templates(reading: LogReading) -> LogsFound:
    """The templates of log lines that are new, surged, gone or escalated in the incident, against the baseline.

    The baseline's lines are read and learned first, whatever the order of files and lines; then templates are frozen,
    and each line of the incident belongs to the one that it matches, or to a new one. Raises WorkProblem where a file
    can't be read.
    """
    buckets = Buckets.over(reading.baseline, reading.incident)
    tree = TemplateTree()
    before = _counted(reading.baseline_entries(), lambda line: tree.learn(tokens_of(line)), buckets, in_incident=False)
    known, numbers = tree.frozen()
    fresh = _Fresh(known)
    after = _counted(reading.incident_entries(), fresh.number, buckets, in_incident=True)
    templates, fresh_numbers = fresh.frozen()
    counts = before.renumbered(lambda old: OTHER if old == OTHER else numbers[old]) + after.renumbered(fresh_numbers)
    silent, scopes = _silent_sources(counts, buckets), _Scopes(counts)
    judged = judge(counts, buckets.split, known=len(known), silent=_only_in(silent, counts))
    return LogsFound(
        tuple(_record(one, templates, counts, scopes) for one in judged.shifted),
        len(known),
        judged.tests,
        _levels(counts, buckets.split),
        reading.files,
        tuple(notes_on(reading, counts, buckets, silent=silent)),
        reading.inputs,
    )


class _Numbers(dict[str, int]):
    """The number of each masked line, asked for once while it is kept."""

    def __init__(self, number_of: Callable[[str], int]) -> None:
        super().__init__()
        self._number_of = number_of

    def __missing__(self, masked: str) -> int:
        if len(self) >= CACHED_LINES:
            self.clear()
        self[masked] = number = self._number_of(masked)
        return number


class _Fresh:
    """Numbers of the incident's lines: that of the frozen template that one matches, else of one learned anew."""

    def __init__(self, known: Templates) -> None:
        self._known = known
        self._tree = TemplateTree()

    def number(self, masked: str) -> int:
        line = tokens_of(masked)
        found = self._known.match(line)
        if found is not None:
            return found
        learned = self._tree.learn(line)
        return OTHER if learned == OTHER else len(self._known) + learned

    def frozen(self) -> tuple[Templates, Callable[[int], int]]:
        """The known templates and the new ones after them, and what gives the number among them of one given so far."""
        new, numbers = self._tree.frozen()
        known = len(self._known)
        return (
            Templates((*self._known.tokens, *new.tokens)),
            lambda old: old if old < known else known + numbers[old - known],
        )


def _counted(
    files: Iterable[tuple[LogFile, Iterator[LogEntry]]],
    number_of: Callable[[str], int],
    buckets: Buckets,
    *,
    in_incident: bool,
) -> TemplateCounts:
    """The lines of all files' entries in one window, masked and numbered."""
    numbers = _Numbers(number_of)
    return reduce(
        add,
        (
            count_entries(entries, lambda text: numbers[mask(text)], buckets, file=file.name, in_incident=in_incident)
            for file, entries in files
        ),
        TemplateCounts(),
    )


def stream_of(file: str) -> str:
    """What files of one log have in common: their name without the numbers and dates of rotation, and of packing.

    >>> {stream_of(name) for name in ("api-2013-08-01.log.gz", "api-2013-08-02.log", "api.log.1", "api.log")}
    {'api.log'}
    """
    parts = re.sub(r"\.(?:gz|zst)$", "", file).split("/")
    named = [re.sub(r"(?:^|[-._])\d[\d._T:-]*(?=[-._]|$)", "", part) for part in parts]
    return "/".join(part if part[:1] not in ("", ".") else f"*{part}" for part in named)


def _source(place: Place) -> str:
    """What wrote the lines of a place: a log, and in it a service, where lines name one."""
    file, scope = place
    service = next((value for key, value in scope if key == "service"), "")
    return f"{stream_of(file)} ({service})" if service else stream_of(file)


def _silent_sources(counts: TemplateCounts, buckets: Buckets) -> dict[str, int]:
    """The sources that write nothing in the incident, with their lines in the baseline, where some were awaited."""
    before, after = Counter[str](), Counter[str]()
    for (_, in_incident, place), lines in counts.places.items():
        (after if in_incident else before)[_source(place)] += lines
    times = buckets.incident.seconds / buckets.baseline.seconds
    return {
        source: lines for source, lines in before.items() if source not in after and lines * times >= FEWEST_AWAITED
    }


def _only_in(sources: Iterable[str], counts: TemplateCounts) -> frozenset[int]:
    """The templates nearly all of whose lines in the baseline these sources wrote."""
    sources = frozenset(sources)
    own, every = Counter[int](), Counter[int]()
    for (number, in_incident, place), lines in counts.places.items():
        if not in_incident:
            every[number] += lines
            own[number] += lines if _source(place) in sources else 0
    return frozenset(number for number, lines in own.items() if lines >= NEARLY_ALL * every[number] > 0)


def _levels(counts: TemplateCounts, split: int) -> dict[str, tuple[int, int]]:
    """The lines of each level in both windows, the most severe level first."""
    sums: dict[str, tuple[int, int]] = {}
    for (_, level), lines in counts.rows.items():
        before, after = sums.get(level, (0, 0))
        sums[level] = (before + int(lines[:split].sum()), after + int(lines[split:].sum()))
    return dict(sorted(sums.items(), key=lambda one: (-severity(one[0]), one[0])))


def _record(one: Shifted, templates: Templates, counts: TemplateCounts, scopes: _Scopes) -> LogTemplate:
    first = counts.firsts.get(one.number)
    return LogTemplate(
        templates.text(one.number),
        one.change,
        one.baseline,
        one.incident,
        one.q,
        one.level,
        one.ratio,
        datetime.fromtimestamp(first[0], UTC) if first else None,
        f"{first[1]}:{first[2]}" if first else "",
        scopes.of(one.number, in_incident=one.change != "gone"),
    )


Pair = tuple[str, str]


class _Scopes:
    """What lines state of where they come from, by template and window."""

    def __init__(self, counts: TemplateCounts) -> None:
        self._own: defaultdict[tuple[int, bool], Counter[Pair]] = defaultdict(Counter)
        self._every: dict[bool, Counter[Pair]] = {True: Counter(), False: Counter()}
        for (template, in_incident, (file, scope)), lines in counts.places.items():
            for pair in {("log", stream_of(file)), *scope}:
                self._own[template, in_incident][pair] += lines
                self._every[in_incident][pair] += lines

    def of(self, template: int, *, in_incident: bool) -> dict[str, str]:
        """What nearly all lines of a template in a window have in common, and at most half of the others there."""
        own, every = self._own[template, in_incident], self._every[in_incident]
        total, total_every = _lines(own), _lines(every)
        return {
            key: _impersonal(value)
            for (key, value), lines in sorted(own.items())
            if lines >= NEARLY_ALL * total and every[key, value] - lines <= FEW_OTHERS * (total_every - total)
            if total < total_every
        }


def _lines(pairs: Counter[Pair]) -> int:
    """How many lines there are: each stands in one log."""
    return sum(lines for (key, _), lines in pairs.items() if key == "log")


def _impersonal(value: str) -> str:
    masked = mask(value)
    return masked if _PERSONAL.search(masked) else value
