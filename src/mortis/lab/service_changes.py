"""What people did to the services around the demo's model in these weeks: ordinary work, decoys, a fault's cause."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from mortis.lab.faults import Affine, Fault, Missing
from mortis.lab.lock_file import HARMLESS, lock_text
from mortis.lab.repository import Author, Commit
from mortis.lab.scenarios import Scenario
from mortis.lab.services import DISPLAYS, FEATURES, GATEWAY, MODEL, NOTIFIER, Services, feed_of, slug

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Role = Literal["ordinary", "decoy", "cause"]
PairKey = Literal["", "dependencies", "schema", "config", "environment"]

BEFORE_THE_CAUSE = timedelta(hours=2)
_FIRST_TAG = 101
_COMMITTED, _TAGGED = timedelta(minutes=50), timedelta(minutes=45)  # before a release goes live
_HISTORY = timedelta(days=45)
_FIRST_MESSAGE = "One repository for all services"

_LOCK, _SERVING = "uv.lock", "config/serving.yaml"
_HANDBOOK, _TESTS = "docs/handbook.md", "tests/test_services.py"
_AUTHORS = tuple(
    Author(name, f"{name.partition(' ')[0].lower()}@flights.example")
    for name in ("Ada Moreau", "Ben Castellano", "Nora Duarte", "Tomas Lindqvist")
)


@dataclass(frozen=True, slots=True)
class Edit:
    """In the file at `path` the text `old` becomes `new`; without `old`, `new` is added at its end."""

    path: str
    new: str
    old: str = ""

    def applied(self, text: str) -> str:
        """The file's text after the edit."""
        return text.replace(self.old, self.new, 1) if self.old else text + self.new


@dataclass(frozen=True, slots=True)
class Work:
    """Something somebody did: a commit that took effect `at` some time.

    With a `family` it is one of its numbered releases, which reached a `service` for those in `scope`. The case hands
    over the first edited file before and after it under the key `pair`, if that is given.
    """

    at: datetime
    message: str
    edits: tuple[Edit, ...]
    family: str = ""
    service: str = ""
    kind: str = "deploy"
    scope: Mapping[str, str] = field(default_factory=dict)
    pair: PairKey = ""
    role: Role = "ordinary"

    @property
    def committed(self) -> datetime:
        """When its commit was made: a release's a while before it went live."""
        return self.at - _COMMITTED if self.family else self.at


@dataclass(frozen=True, slots=True)
class Rollout:
    """A release that went live: a row of the table of events."""

    time: datetime
    kind: str
    summary: str
    service: str
    tag: str
    scope: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """A file before and after a change; `name` is what both are called, with `{}` for which of them it is."""

    key: PairKey
    name: str
    before: str
    after: str
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """All work in the order of time, as repository, events and pairs of files keep it.

    `cause` names the change that brought the fault (None without one), `decoys` those laid out to mislead: each as
    "kind: release" or "kind: file", such as "deploy: feeds-104".
    """

    commits: tuple[Commit, ...]
    rollouts: tuple[Rollout, ...]
    pairs: tuple[Pair, ...]
    cause: str | None
    decoys: tuple[str, ...]


def history_of(
    scenario: Scenario,
    fault: Fault | None,
    services: Services,
    flights: pa.Table,
    *,
    rng: np.random.Generator,
) -> History:
    """What was done to the services: without a fault nothing that could have brought a failure about."""
    about = _About(scenario, fault, services, flights)
    work = [*_notes(scenario, rng), *_ordinary(about, rng), *_decoys(about, rng)]
    if fault:
        work.append(_cause(fault, about, rng))
    return _recorded(sorted(work, key=lambda one: one.committed), about, rng)


def anchor_of(scenario: Scenario, fault: Fault | None) -> datetime:
    """The moment that decoys stand before: a failure's onset, or else the start of the incident's window."""
    return fault.onset if fault else scenario.happened or scenario.incident.start


@dataclass(frozen=True, slots=True)
class _About:
    """What work is about; `flights` tell the features' types."""

    scenario: Scenario
    fault: Fault | None
    services: Services
    flights: pa.Table

    @property
    def anchor(self) -> datetime:
        return anchor_of(self.scenario, self.fault)

    @property
    def others(self) -> tuple[str, ...]:
        """The values whose feeds a fault did not come in by."""
        scope = self.fault.scope if self.fault else None
        return tuple(value for value in self.services.values if scope is None or value != scope[1])

    @property
    def fields(self) -> dict[str, str]:
        """What a feed delivers, by name, with its type in JSON."""
        import pyarrow as pa

        names = dict.fromkeys(self.scenario.logged)
        if self.fault and isinstance(self.fault.kind, Affine | Missing):
            names |= {self.fault.kind.feature: None}
        types = {name: self.flights.schema.field(name).type for name in names}
        return {name: "string" if pa.types.is_string(type_) else "number" for name, type_ in types.items()}


# --- ordinary work: days from the anchor, what was done, and to which file

_TOPICS = (
    "who is on call in the holidays",
    "how labels reach us",
    "glossary of the codes on boards",
    "steps to add a client",
    "what the nightly export holds",
    "links to the dashboards",
    "how to read a trace",
    "quotas of the mail provider",
    "where the runbooks moved",
    "notes of the quarterly review",
    "naming of branches",
    "how releases are numbered",
    "how long logs are kept",
    "contacts at the providers",
)
_TESTED = (
    "boards without a terminal",
    "mails in two languages",
    "an empty page of a board",
    "a client without a name",
    "the last row of an export",
    "a slow clock on the runner",
    "a retry after a closed connection",
    "fixtures in one place",
    "no network in small tests",
    "a board with one row",
    "addresses with a plus sign",
    "tests in random order",
    "a faster start of the runner",
    "boards sorted by gate",
)
_SETTINGS = (
    (-21, "gateway: keep idle connections longer", "config/gateway.yaml", "idle_s: 60", "idle_s: 75"),
    (-14, "notifier: smaller batches", "config/notifier.yaml", "batch: 50", "batch: 40"),
    (-7, "displays: refresh more often", "config/displays.yaml", "refresh_s: 30", "refresh_s: 20"),
    (4, "gateway: allow longer requests", "config/gateway.yaml", "body_kib: 64", "body_kib: 128"),
)
_RELEASES = (
    (-31, DISPLAYS, "larger type on the boards", 'TYPE = "large"'),
    (-24, NOTIFIER, "mails go out in batches", "BATCHES = True"),
    (-19, GATEWAY, "log the client's name with each request", "LOG_CLIENT = True"),
    (-16, DISPLAYS, "boards show the terminal", "SHOW_TERMINAL = True"),
    (-13, NOTIFIER, "greetings in Spanish", 'LANGUAGES = ("en", "es")'),
    (-9, GATEWAY, "answer health checks without a token", "OPEN_HEALTH = True"),
    (2, DISPLAYS, "boards dim at night", "DIM_AT_NIGHT = True"),
    (5, NOTIFIER, "one mail for each trip", "ONE_MAIL = True"),
    (9, GATEWAY, "count requests by client", "COUNT_CLIENTS = True"),
)
_FEEDS = (
    (-27, "keep the connection open", "KEEP_ALIVE = True"),
    (-20, "ask for packed answers", "PACKED = True"),
    (-10, "log how long the provider takes", "LOG_WAIT = True"),
    (7, "follow redirects", "REDIRECTS = True"),
)


def _notes(scenario: Scenario, rng: np.random.Generator) -> Iterator[Work]:
    """Commits to docs and tests, spread evenly over the weeks, within working hours."""
    first = scenario.served.start - timedelta(days=2)
    spread = (scenario.detected_at - first) / (2 * len(_TOPICS))
    for i in range(2 * len(_TOPICS)):
        at = _working(first + i * spread, rng)
        if at < scenario.detected_at:
            yield _note(i // 2, at) if i % 2 == 0 else _test(i // 2, at)


def _note(place: int, at: datetime) -> Work:
    topic = _TOPICS[place]
    return Work(at, f"docs: {topic}", (Edit(_HANDBOOK, f"\n## {topic.capitalize()}\n"),))


def _test(place: int, at: datetime) -> Work:
    case = _TESTED[place]
    body = f'\n\ndef test_{slug(case).replace("-", "_")}(services):\n    services.keep("{case}")\n'
    return Work(at, f"tests: {case}", (Edit(_TESTS, body),))


def _ordinary(about: _About, rng: np.random.Generator) -> Iterator[Work]:
    """Edits of settings, releases of services that the model doesn't need, and of feeds that no fault came in by."""
    for days, message, path, old, new in _SETTINGS:
        yield from _within(about, Work(_day(about, days, rng), message, (Edit(path, new, old),)))
    for days, service, message, line in _RELEASES:
        edit = Edit(_settings(service), f"{line}\n")
        yield from _within(about, Work(_day(about, days, rng), f"{service}: {message}", (edit,), service, service))
    others = about.others
    for i, (days, message, line) in enumerate(_FEEDS if others else ()):
        value = others[i % len(others)]
        feed, at = feed_of(value), _day(about, days, rng)
        edit = Edit(_module(feed), f"\n{line}\n")
        scope = {about.services.column: value}
        yield from _within(about, Work(at, f"{feed}: {message}", (edit,), "feeds", feed, scope=scope))


def _day(about: _About, days: int, rng: np.random.Generator) -> datetime:
    """A moment of the working hours, so many days from the anchor."""
    return _working(about.anchor + timedelta(days=days), rng)


def _working(day: datetime, rng: np.random.Generator) -> datetime:
    """A moment of the day's working hours: 9 to 17 in New York."""
    return day.replace(hour=14, minute=0, second=0, microsecond=0) + timedelta(minutes=int(rng.integers(8 * 60)))


def _within(about: _About, work: Work) -> Iterator[Work]:
    """The work, where it lies in the weeks that the case tells of."""
    if about.scenario.served.start - timedelta(days=3) <= work.committed and work.at < about.scenario.detected_at:
        yield work


# --- decoys


def _decoys(about: _About, rng: np.random.Generator) -> Iterator[Work]:
    """Changes that look suspicious by their time or kind, and reached nothing that was hit."""
    yield _innocent(about)
    at = _day(about, -4, rng)
    lock = Edit(_LOCK, lock_text(), lock_text(before=True))
    yield Work(at, f"deps: {HARMLESS.name} {HARMLESS.after}", (lock,), pair="dependencies", role="decoy")
    if not about.fault or not isinstance(about.fault.kind, Missing):
        yield _schema_decoy(_day(about, -6, rng))
    if about.services.hit != MODEL:
        yield _config_decoy(_day(about, -11, rng))


def _innocent(about: _About) -> Work:
    """A release two hours before the anchor: of another value's feed, or of a service that never meets the model."""
    at = about.anchor - BEFORE_THE_CAUSE
    if about.fault and about.fault.scope and about.others:
        service = feed_of(about.others[0])
        edit = Edit(_module(service), "\nRETRIES = 2\n")
        scope = {about.services.column: about.others[0]}
        return Work(
            at, f"{service}: ask once more after a timeout", (edit,), "feeds", service, scope=scope, role="decoy"
        )
    edit = Edit(_settings(NOTIFIER), "SHORT_SUBJECTS = True\n")
    return Work(at, f"{NOTIFIER}: shorter subject lines", (edit,), NOTIFIER, NOTIFIER, role="decoy")


def _schema_decoy(at: datetime) -> Work:
    edit = Edit(_schema(DISPLAYS), _board(gate=True), _board(gate=False))
    message = f"{DISPLAYS}: boards may name the gate"
    return Work(at, message, (edit,), DISPLAYS, DISPLAYS, pair="schema", role="decoy")


def _config_decoy(at: datetime) -> Work:
    edit = Edit(_SERVING, "health_check_s: 15", "health_check_s: 10")
    return Work(
        at, "serving: check replicas less often", (edit,), "serving", MODEL, "config", pair="config", role="decoy"
    )


# --- the cause


def _cause(fault: Fault, about: _About, rng: np.random.Generator) -> Work:
    """The release that brought the fault, some minutes before the onset, as its author would tell of it."""
    at = fault.onset - timedelta(minutes=int(rng.integers(6, 15)))
    service = about.services.hit
    scope = dict([fault.scope]) if fault.scope else {}
    if isinstance(fault.kind, Affine):
        feature = fault.kind.feature
        edit = Edit(_module(service), _line(feature, _converted(fault.kind)), _line(feature))
        message = f"{service}: {feature} in the unit of the provider's new API"
        return Work(at, message, (edit,), _family(service), service, scope=scope, role="cause")
    if isinstance(fault.kind, Missing):
        feature = fault.kind.feature
        fewer = {name: type_ for name, type_ in about.fields.items() if name != feature}
        schema = Edit(_schema(service), _payload(service, fewer), _payload(service, about.fields))
        edits = (schema, Edit(_module(service), "", _line(feature)))
        message = f"{service}: payload without {feature}, which boards no longer read"
        return Work(at, message, edits, _family(service), service, scope=scope, pair="schema", role="cause")
    current, version = about.scenario.current.version, fault.kind.version
    touched = about.services.touched(fault)
    pinned = _replicas(about.services, dict.fromkeys(touched, version), current)
    whose = f"replica {about.services.replica(MODEL, fault.scope[1])}" if fault.scope else "all replicas"
    edit = Edit(_SERVING, pinned, _replicas(about.services, {}, current))
    message = f"serving: {whose} on {version} to compare latencies"
    return Work(at, message, (edit,), "serving", service, scope=scope, pair="config", role="cause")


def _family(service: str) -> str:
    return service if service == FEATURES else "feeds"


def _converted(kind: Affine) -> str:
    times = f" * {kind.factor:.10g}" if kind.factor != 1 else ""
    return times + (f" {'-' if kind.offset < 0 else '+'} {abs(kind.offset):.10g}" if kind.offset else "")


# --- the files


def _module(service: str) -> str:
    """The file of a feed, or of the service that reads all feeds."""
    name = service.removesuffix("-feed").replace("-", "_")
    return f"{FEATURES}/reading.py" if service == FEATURES else f"feeds/{name}.py"


def _settings(service: str) -> str:
    return f"{service}/settings.py"


def _schema(service: str) -> str:
    return f"schemas/{service}.json"


def _line(feature: str, converted: str = "") -> str:
    return f'        "{feature}": record["{feature}"]{converted},\n'


def _module_text(fields: Iterable[str], what: str) -> str:
    return f'"""{what}."""\n\n\ndef payload(record):\n    return {{\n{"".join(map(_line, fields))}    }}\n'


def _payload(service: str, fields: Mapping[str, str]) -> str:
    """The JSON Schema of what a service hands on; a number may be null, as a cancelled flight has none."""
    types = {name: {"type": type_ if type_ == "string" else [type_, "null"]} for name, type_ in fields.items()}
    return _object(f"What {service} hands on for a flight", types, required=list(types))


def _board(*, gate: bool) -> str:
    texts = ("flight", "terminal", "remark", *(("gate",) if gate else ()))
    return _object("A row of a board", {name: {"type": "string"} for name in texts}, required=["flight", "terminal"])


def _object(title: str, properties: Mapping[str, object], *, required: Sequence[str]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
    }
    return json.dumps(schema, indent=2) + "\n"


def _replicas(services: Services, pinned: Mapping[str, str], current: str) -> str:
    """The part of the serving settings that says which version each replica loads."""
    lines = (f"  {slug(value)}: {{model: {pinned.get(value, current)}}}\n" for value in services.values)
    return f"replicas:\n{''.join(lines)}"


def _texts(about: _About) -> dict[str, str]:
    """The files of the repository before anything of the history happened."""
    services, fields = about.services, about.fields
    texts = {
        "README.md": "# The services around the model of late arrivals\n",
        _HANDBOOK: "# Handbook\n",
        _TESTS: '"""What the services keep to."""\n',
        _LOCK: lock_text(before=True),
        _SERVING: f"service: {MODEL}\nhealth_check_s: 10\n" + _replicas(services, {}, about.scenario.current.version),
        "config/gateway.yaml": "idle_s: 60\nbody_kib: 64\n",
        "config/notifier.yaml": "batch: 50\nsender: flights.example\n",
        "config/displays.yaml": "refresh_s: 30\n",
        _schema(DISPLAYS): _board(gate=False),
        _module(FEATURES): _module_text(fields, "What all feeds deliver, as the model is asked with it"),
        _schema(FEATURES): _payload(FEATURES, fields),
    }
    texts |= {_settings(name): f'"""Settings of the {name}."""\n\n' for name in (DISPLAYS, NOTIFIER, GATEWAY)}
    for value in services.values:
        feed = feed_of(value)
        texts[_module(feed)] = _module_text(fields, f"Flights of {value}, from its own provider")
        texts[_schema(feed)] = _payload(feed, fields)
    return texts


# --- the record


@dataclass(frozen=True, slots=True)
class _Done:
    """Work with its release's tag (empty where it is none), and the files it edited, by path, before and after."""

    work: Work
    tag: str
    before: Mapping[str, str]
    after: Mapping[str, str]

    def commit(self, author: Author) -> Commit:
        tagged = self.work.at - _TAGGED if self.tag else None
        return Commit(self.work.committed, author, self.work.message, self.after, self.tag, tagged)

    def rollout(self) -> Rollout:
        one = self.work
        return Rollout(one.at, one.kind, one.message.partition(": ")[2], one.service, self.tag, one.scope)

    def pair(self) -> Pair:
        path = self.work.edits[0].path
        return Pair(self.work.pair, self._pair_name(path), self.before[path], self.after[path], self.work.at)

    def _pair_name(self, path: str) -> str:
        """What a pair's files are called: after the release, or else the file itself."""
        stem, _, suffix = path.rpartition("/")[2].rpartition(".")
        return f"{self.tag or stem}.{{}}.{suffix}"

    @property
    def name(self) -> str:
        """Kind and release, or kind and file, by which its record is found again."""
        kind = self.work.kind if self.work.role == "cause" else self.work.pair or self.work.kind
        return f"{kind}: {self.tag or self.pair().name.format('after')}"


def _recorded(work: Sequence[Work], about: _About, rng: np.random.Generator) -> History:
    """The work as commits, rollouts and pairs of files."""
    texts = _texts(about)
    begun = Commit(min(work[0].committed, about.scenario.served.start) - _HISTORY, _AUTHORS[0], _FIRST_MESSAGE, texts)
    done = list(_done(work, texts))
    authors = (_AUTHORS[i] for i in rng.integers(len(_AUTHORS), size=len(done)))
    return History(
        (begun, *(one.commit(author) for one, author in zip(done, authors, strict=True))),
        tuple(sorted((one.rollout() for one in done if one.tag), key=lambda one: one.time)),
        tuple(sorted((one.pair() for one in done if one.work.pair), key=lambda one: one.key)),
        next((one.name for one in done if one.work.role == "cause"), None),
        tuple(one.name for one in done if one.work.role == "decoy"),
    )


def _done(work: Iterable[Work], texts: Mapping[str, str]) -> Iterator[_Done]:
    """Each work as it was done to the files; releases of a family are numbered in the order of time."""
    texts, numbers = dict(texts), Counter[str]()
    for one in work:
        before = {edit.path: texts[edit.path] for edit in one.edits}
        for edit in one.edits:
            texts[edit.path] = edit.applied(texts[edit.path])
        tag = f"{one.family}-{_FIRST_TAG + numbers[one.family]}" if one.family else ""
        numbers[one.family] += 1
        yield _Done(one, tag, before, {path: texts[path] for path in before})
