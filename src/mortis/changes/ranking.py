"""How well each change fits the failure: by time, by whom it reached, by its kind, and by what it names.

Refuted is a change that came too late, that was there all along, that reached others than those hit, or that is of a
kind that can't bring about what is confirmed. The others are ranked by the product of four figures in 0..1. A ranking
is no proof: it says where to look first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mortis.changes.kinds import LINKS, PARTS_NAMED, Link, kinds_of
from mortis.changes.ledger import order, put_together
from mortis.changes.scopes import Reach, ScopeFit, Served, Where, hit_by_cause, is_telling, scope_fit
from mortis.problems import listed
from mortis.records import STANDING, Cause, CauseVerdict, Change, Onset, Window

HALF_LIFE = timedelta(days=2)
SHORTLY, DAY = timedelta(hours=1), timedelta(days=1)
TIME_UNKNOWN = 0.4
REACHED: Mapping[Reach, float] = {"hit": 1.0, "not stated": 0.7, "not comparable": 0.5, "elsewhere": 0.0}
NAMES_NOTHING = 0.75
KIND_UNDECIDED, KIND_UNKNOWN, KIND_UNFIT, KIND_HARMLESS = 0.6, 0.4, 0.25, 0.05
FITS, POSSIBLE = 0.5, 0.15
LEAST = 0.001  # zero is for what is refuted
EXPLAINED = 0.75  # of the drop, from which on little is left for a change that brings about none of what explains it

# How far a cause's verdict says that it is the one. What was refuted, or never looked at, says nothing.
BELIEF: Mapping[CauseVerdict, float] = {"confirmed": 1.0, "supported": 0.96, "inconclusive": 0.4, "not_tested": 0.4}
_LEADING: tuple[CauseVerdict, ...] = (*STANDING, "inconclusive")
_HARMLESS = frozenset({"docs", "tests"})
_NAMING = ("version", "replaced", "library", "package", "key")
_OF_COLUMNS = re.compile(r"schema\d*\.\d+")  # a schema before and after: its parts are all columns that differ
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The changes, those that fit best first, and what they say together; `fitting` are the ids of those that fit."""

    changes: tuple[Change, ...]
    fitting: tuple[str, ...]
    statement: str

    def by_time(self) -> tuple[Change, ...]:
        """The changes in the order of time, those without a time last."""
        return tuple(sorted(self.changes, key=order))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A change with its figure, what speaks for it, and what refutes it (empty where nothing does), in short too."""

    change: Change
    ranking: float
    reasons: tuple[str, ...]
    refuted: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What the changes are held against."""

    onset: Onset | None
    baseline: Window | None
    hit: tuple[Where, ...]
    hit_by_causes: tuple[Where, ...]
    causes: tuple[Cause, ...]
    model: Served


def rank_changes(
    changes: Iterable[Change],
    *,
    onset: Onset | None,
    hit: Sequence[Mapping[str, str]] = (),
    causes: Sequence[Cause] = (),
    baseline: Window | None = None,
    model: Served | None = None,
    unrecorded: Sequence[str] = (),
) -> Ledger:
    """The ledger of changes, each with its ranking (0..1) and a verdict in words.

    `hit` has a conjunction of columns and values for each group that was hit; whom standing causes hit counts too. A
    change before the `baseline` was there all along. `model` says which services bear on it. `unrecorded` are the kinds
    of sources that were not handed over, for the statement.
    """
    together = put_together(changes)
    standing = [one for one in causes if one.verdict in STANDING]
    by_causes = tuple(where for where in map(hit_by_cause, standing) if where)
    failure = _Failure(onset, baseline, tuple(hit), by_causes, tuple(causes), model or Served())
    judged = sorted((_judged(one, failure) for one in together), key=lambda one: _best_first(one, onset))
    fitting = tuple(one.change.id for one in judged if one.ranking >= FITS)
    return Ledger(
        tuple(replace(one.change, ranking=one.ranking, verdict=_verdict(one)) for one in judged),
        fitting,
        _statement(judged, standing, unrecorded),
    )


def linked(causes: Sequence[Cause], ledger: Ledger) -> tuple[Cause, ...]:
    """The causes, each that stands with the ids of the changes that fit and may have brought it about."""
    fitting = [one for one in ledger.changes if one.id in ledger.fitting]
    return tuple(
        replace(one, changes=tuple(change.id for change in fitting if _link(change, one) or _named(change, [one])))
        if one.verdict in STANDING
        else one
        for one in causes
    )


def _best_first(one: _Judged, onset: Onset | None) -> tuple[float, float, str]:
    apart = abs((one.change.time - onset.best).total_seconds()) if one.change.time and onset else float("inf")
    return (-one.ranking, apart, one.change.id)


def _judged(change: Change, failure: _Failure) -> _Judged:
    time = _time(change.time, failure)
    scope = _scope(change, failure)
    if time.because:
        return _Judged(change, 0.0, (), time.said, time.because)
    if scope.reach == "elsewhere":
        return _Judged(change, 0.0, (), f"{time.said}, but {scope.said}", "reached others than those hit")
    kind, why = _kind(change, failure.causes)
    names = _named(change, failure.causes, (*failure.hit, *failure.hit_by_causes))
    if not names and _brings_none_about(change, failure.causes):
        return _Judged(change, 0.0, (), f"{time.said}, but {why}", "can't bring about what is confirmed")
    figure = time.figure * REACHED[scope.reach] * kind * (1.0 if names else NAMES_NOTHING)
    named = f"it names {listed(names, most=4)}" if names else ""
    return _Judged(
        change, max(round(figure, 3), LEAST), tuple(part for part in (time.said, scope.said, why, named) if part)
    )


def _scope(change: Change, failure: _Failure) -> ScopeFit:
    """Whom a change reached, held against the groups that were hit, and against those that the causes hit.

    The two describe the same failure: contradicting either is enough.
    """
    told = [groups for groups in (failure.hit, failure.hit_by_causes) if groups] or [()]
    fits = [scope_fit(change.scope, groups, model=failure.model) for groups in told]
    order: tuple[Reach, ...] = ("elsewhere", "hit", "not comparable", "not stated")
    return min(fits, key=lambda fit: order.index(fit.reach))


@dataclass(frozen=True, slots=True)
class _TimeFit:
    """How a change's time fits (0..1), said as a part of a sentence; `because` in short where it refutes the change."""

    figure: float
    said: str
    because: str = ""


def _time(time: datetime | None, failure: _Failure) -> _TimeFit:
    """How a change's time fits the onset's interval: inside or shortly before it, never after it."""
    if time is None:
        return _TimeFit(TIME_UNKNOWN, "nobody recorded when it came")
    if failure.onset is None:
        return _TimeFit(TIME_UNKNOWN, "no onset is known that its time could be held against")
    return _refuted_by_time(time, failure.onset, failure.baseline) or _nearness(time, failure.onset)


def _refuted_by_time(time: datetime, onset: Onset, baseline: Window | None) -> _TimeFit | None:
    """Why a change can't have brought the failure about by its time alone; None where it can."""
    if time > onset.high:
        said = f"came {span(time - onset.high)} after the onset's interval"
        if onset.recovered is not None and abs(time - onset.recovered) <= max(onset.high - onset.low, SHORTLY):
            said += "; the metric recovered about then, so it may be what mended it"
        return _TimeFit(0.0, said, "came after the onset")
    if baseline is not None and time < baseline.start:
        said = f"came {span(baseline.start - time)} before the baseline, which was served with it"
        return _TimeFit(0.0, said, "came before the baseline")
    return None


def _nearness(time: datetime, onset: Onset) -> _TimeFit:
    """How near the onset's interval a change came that did not come after it."""
    age = onset.low - time
    if age <= timedelta(0):
        return _TimeFit(1.0, "came inside the onset's interval")
    if _is_midnight(time) and age < DAY:
        return _TimeFit(1.0, "may have come inside the onset's interval, as no more than its day is recorded")
    return _TimeFit(0.5 ** (age / HALF_LIFE), f"came {span(age)} before the onset's interval")


def _is_midnight(time: datetime) -> bool:
    """Whether a time is a day's beginning, as a date alone is read."""
    return time.hour == time.minute == time.second == time.microsecond == 0


def span(gap: timedelta) -> str:
    """A stretch of time in words, in its largest unit.

    >>> span(timedelta(days=3, hours=2)), span(timedelta(minutes=60)), span(timedelta(seconds=5))
    ('3 days', '1 hour', 'less than a minute')
    """
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        n = round(gap.total_seconds() / size)
        if gap.total_seconds() >= size:
            return f"{n} {unit}{'s' if n > 1 else ''}"
    return "less than a minute"


def _kind(change: Change, causes: Sequence[Cause]) -> tuple[float, str]:
    """How a change's kind fits the causes, as far as these are believed; the reason in words."""
    kinds = kinds_of(change.kind)
    if kinds and _HARMLESS.issuperset(kinds):
        return KIND_HARMLESS, f"{' and '.join(kinds)} run nowhere"
    believed = [(BELIEF.get(one.verdict, 0.0), one) for one in causes if one.features or one.verdict in _LEADING]
    doubt = 1 - max((belief for belief, _ in believed), default=0.0)
    floor = KIND_UNFIT + doubt * (KIND_UNDECIDED - KIND_UNFIT)
    best = max(
        ((belief * link.weight, one, link) for belief, one in believed if (link := _link(change, one))),
        key=lambda found: (found[0], found[1].id),
        default=None,
    )
    if best is not None and best[0] > floor:
        return best[0], f"{best[1].id} is {best[1].verdict.replace('_', ' ')}, and {best[2].reason}"
    if not kinds:
        return max(floor, KIND_UNKNOWN), f"what kind of change {change.kind!r} is can't be told"
    standing = [one for one in causes if one.verdict in STANDING]
    if not standing:
        return floor, "no cause stands that would speak for one kind of change"
    other = next((one for one in standing if _is_of_other_columns(change, one)), None)
    if other is not None:
        altered, features = (listed(names, most=3) for names in ((part.name for part in change.parts), other.features))
        return floor, f"it alters {altered}, and {other.id} is of {features}"
    ids = dict.fromkeys(one.id for one in standing)
    return floor, f"a change of {' and '.join(kinds)} doesn't bring about {' or '.join(ids)}"


def _brings_none_about(change: Change, causes: Sequence[Cause]) -> bool:
    """Whether a change of this kind is known to bring about none of the causes that explain the failure.

    All that stand must be confirmed and explain most of the drop; one that was left undecided could be its doing.
    """
    standing = [one for one in causes if one.verdict in STANDING]
    explained = sum(one.share_of_drop.value for one in standing if one.share_of_drop)
    decided = explained >= EXPLAINED and all(one.verdict == "confirmed" and one.id in LINKS for one in standing)
    open_ones = [one for one in causes if one.verdict in _LEADING]
    return decided and bool(kinds_of(change.kind)) and not any(_link(change, one) for one in open_ones)


def _link(change: Change, cause: Cause) -> Link | None:
    if _is_of_other_columns(change, cause):
        return None
    links = LINKS.get(cause.id, {})
    return max(
        (links[kind] for kind in kinds_of(change.kind) if kind in links), key=lambda link: link.weight, default=None
    )


def _is_of_other_columns(change: Change, cause: Cause) -> bool:
    """Whether a schema before and after differs in columns alone that share no word with the cause's features."""
    if not _OF_COLUMNS.fullmatch(change.id) or not change.parts or not cause.features:
        return False
    said = [text for part in change.parts for text in (part.name, part.before, part.after) if text]
    words = {word for text in said for word in _spelled(text).split()}
    return not any(words.intersection(_spelled(feature).split()) for feature in cause.features)


def _named(change: Change, causes: Sequence[Cause], hit: Sequence[Where] = ()) -> tuple[str, ...]:
    """What a change names of what was found: features, versions, libraries and parts of the causes, values hit."""
    said = [change.summary, *(text for part in change.parts for text in (part.name, part.before, part.after) if text)]
    text = " . ".join(map(_spelled, said))
    return tuple(dict.fromkeys(name for name in _findings(causes, hit) if _is_in(name, text)))


def _is_in(name: str, text: str) -> bool:
    """Whether a text holds a name's words, the last one perhaps in the plural."""
    words = _spelled(name).rstrip()
    return bool(words) and (f"{words} " in text or f"{words}s " in text)


def _findings(causes: Sequence[Cause], hit: Sequence[Where]) -> Iterator[str]:
    for cause in causes:
        if cause.verdict in BELIEF:
            yield from cause.features
            yield from (str(cause.parameters[key]) for key in _NAMING if key in cause.parameters)
        if cause.verdict in STANDING:
            yield from PARTS_NAMED.get(cause.id, ())
    for where in hit:
        yield from (value for value in where.values() if is_telling(value))


def _spelled(text: str) -> str:
    """A text's words in lower case between blanks, so that a name is found whole, however it is written.

    >>> _spelled("dep_delay") in _spelled("Use depDelay in km"), _spelled("AS") in _spelled("ask again")
    (True, False)
    """
    return f" {' '.join(word.casefold() for word in _WORD.findall(text))} "


def _verdict(one: _Judged) -> str:
    if one.refuted:
        return f"refuted: {one.refuted}"
    word = "fits" if one.ranking >= FITS else "possible" if one.ranking >= POSSIBLE else "unlikely"
    return f"{word}: {'; '.join(one.reasons)}"


def _statement(judged: Sequence[_Judged], standing: Sequence[Cause], unrecorded: Sequence[str]) -> str:
    """What the ledger says as a whole, and what it can't say for want of sources."""
    missing = f"; not on record: {listed(unrecorded)}" if unrecorded else ""
    if not judged:
        return f"no change is on record{missing}"
    n = f"{len(judged):,} change{'s are' if len(judged) > 1 else ' is'} on record"
    fitting = [one for one in judged if one.ranking >= FITS]
    if fitting:
        fit = f"{len(fitting):,} fit{'s' if len(fitting) == 1 else ''} the failure"
        return f"{n}, {fit}, best {fitting[0].change.id} ({fitting[0].change.summary}){missing}"
    reasons = Counter(one.because for one in judged if one.because)
    told = [f"{count:,} {because}" for because, count in reasons.most_common()]
    told += [f"{count:,} {word}" for word, count in _leads(judged) if count]
    alone = [one.id for one in standing if not LINKS.get(one.id)]
    lead = judged[0].change
    told_lead = f"; the first to look at is {lead.id} ({lead.summary})" if judged[0].ranking >= POSSIBLE else ""
    needs_none = f"; {' and '.join(alone)} needs none" if alone and len(alone) == len(standing) else ""
    return f"{n}, and none fits the failure ({', '.join(told)}){told_lead}{needs_none}{missing}"


def _leads(judged: Sequence[_Judged]) -> tuple[tuple[str, int], ...]:
    possible = sum(POSSIBLE <= one.ranking < FITS for one in judged)
    unlikely = sum(not one.refuted and one.ranking < POSSIBLE for one in judged)
    return (("possible", possible), ("unlikely", unlikely))
