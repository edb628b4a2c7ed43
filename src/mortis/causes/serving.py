"""Answers that no model file gives any more: told apart by what gives them back, by whom they hit, and by the record.

That answers depart says only that something between the log and the answer changed. A cause is named where it is seen
what: the answer of another request, another scale, another value of a feature, fewer steps, one machine alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from mortis.causes.departures import LEAST_SHARE, Settings, Way, confined, departed, enough, lost_rows
from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, Remedy, each_plainly, percent, plainly
from mortis.causes.payloads import names_machines
from mortis.causes.record import SHORTLY
from mortis.causes.replay import answers_in, replay, why_not_answered, why_not_replayed
from mortis.causes.scoring import Recovery
from mortis.causes.trial import says, tried
from mortis.causes.ways import way_of
from mortis.changes.kinds import kinds_of
from mortis.records import CauseVerdict, Change
from mortis.sources.changes import TITLES

NAME = "replay outside the serving environment, and what gives the answers back"
OF_ANSWERS = ("M4", "P1", "P2", "P3", "H3", "H5")
IDS = ("M3", *OF_ANSWERS)  # M3 where the scale alone departs
LIBRARIES = frozenset({"dependency", "environment", "hardware"})
CODE = frozenset({"code", "deploy"})
UNRECORDED = 0.5  # how sure a cause is that the record of changes would tell from others, were it there
CLOSE = 0.1  # of the departures' squares left, where coarse inputs explain nearly all
_ACCELERATOR = re.compile(
    r"(?i)gpu|cuda|cudnn|tensorrt|onnx|openvino|driver|quanti|precision|\bint8\b|\bb?fp?16\b|\bcpu\b|compiler|\bxla\b"
)
_CAUSE_OF_WAY: Mapping[str, str] = {
    "repeated": "H5",
    "set": "M4",
    "altered": "P3",
    "rounded": "P2",
    "coarse": "P2",
}
"""What a way shows by itself; of the others the record and those hit decide."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The changes on record shortly before the first answer that departs, by what they change."""

    libraries: tuple[Change, ...]
    code: tuple[Change, ...]
    settings: Settings

    @classmethod
    def of(cls, facts: Facts, lost: Bools) -> Recent:
        """What came within a day before, and not after the first departing answer; what has no time may have."""
        second = facts.during.second
        first = datetime.fromtimestamp(int(second[lost].min()), UTC)
        onset, since = facts.failure.onset, first
        if (second < second[lost].min()).mean() < LEAST_SHARE:
            # They depart from the first row on: since when isn't seen, but that the baseline's didn't.
            since = min(first, facts.failure.baseline_window.end)
        since = min(since, onset.low if onset else since) - SHORTLY
        near = [one for one in facts.changes or () if one.time is None or since <= one.time <= first]
        libraries, code = (tuple(one for one in near if of & set(kinds_of(one.kind))) for of in (LIBRARIES, CODE))
        config = [one for one in near if "config" in kinds_of(one.kind)]
        return cls(libraries, code, _settings(config))

    @property
    def accelerator(self) -> bool:
        """Whether something that computes, or converts a model for it, is among what changed."""
        parts = (f"{part.name} {part.before} {part.after}" for one in self.libraries for part in one.parts)
        return any(_ACCELERATOR.search(text) for text in (*parts, *(one.summary for one in self.libraries)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the departing answers: what gives them back, whom they hit, and what changed before."""

    way: Way | None
    where: tuple[str, str] | None
    recent: Recent

    @property
    def one_machine(self) -> bool:
        return self.where is not None and names_machines(self.where[0])

    @property
    def cause(self) -> str:
        """The cause that this shows; empty where it shows none, or one as well as another."""
        kind = self.way.kind if self.way else ""
        by_library = bool(self.recent.libraries) and not self.recent.accelerator
        if kind in ("exchanged", "bits", ""):
            if self.one_machine and (kind or not self.recent.libraries):
                return "H3"
            return "P1" if not kind and self.recent.libraries and not self.recent.code else ""
        if kind == "rescaled":
            return "P1" if self.recent.libraries else "M3"
        if kind == "recoded":
            return "P1" if self.recent.libraries else "P3"
        if kind == "rounded" and by_library:
            return "P1"
        return _CAUSE_OF_WAY[kind]

    @property
    def sure(self) -> bool:
        """Whether no other cause of the catalogue looks alike, so that what a remedy confirms is confirmed."""
        kind = self.way.kind if self.way else ""
        if self.cause == "H3":
            return kind in ("exchanged", "bits") and self.one_machine
        if kind == "coarse":
            return self.recent.accelerator and self.way is not None and self.way.share >= 1 - CLOSE
        return kind in ("repeated", "set", "altered")


def decide_departures(facts: Facts) -> Iterable[Outcome]:
    """M4, P1, P2, P3, H3, H5, and M3 by another scale: answers that no version gives, though it gave the baseline's."""
    why = why_not_answered(facts)
    if why:
        yield from each_plainly(OF_ANSWERS, "not_tested", NAME, f"not tested, because {why}")
        return
    lost, known = lost_rows(facts)
    share = float(lost.sum() / max(1, known.sum()))
    if not enough(lost, known):
        result = f"the model files give {percent(1 - share, 1)} of the incident's answers (n = {known.sum():,})"
        yield from each_plainly(OF_ANSWERS, "refuted", NAME, result)
        return
    fallback = _fallback(facts, lost)
    if fallback:
        yield from each_plainly(OF_ANSWERS, "refuted", NAME, fallback)
        return
    yield from _by_what_is_seen(facts, lost, share)


def _fallback(facts: Facts, lost: Bools) -> str:
    """What is said where the answers that no version gives are mostly one score; empty where they are not."""
    served = answers_in(facts, facts.during)[lost].tolist()
    value, times = Counter(served).most_common(1)[0]
    if facts.task != "binary" or times <= len(served) / 2:
        return ""
    return f"the answers that no version gives are mostly one score, {value:.4g}: a fallback"


def _by_what_is_seen(facts: Facts, lost: Bools, share: float) -> Iterable[Outcome]:
    seen = _seen(facts)
    remedy = Remedy(version=np.where(lost, replay(facts, facts.during).logged, ""))
    recovery = None if why_not_replayed(facts) else tried(facts, remedy)
    told = f"no version gives {percent(share, 1)} of the answers"
    told += f"; {seen.way.says}" if seen.way else "; nothing that was tried gives them back"
    told += f"; all of them where {' = '.join(seen.where)}" if seen.where else ""
    if seen.cause:
        yield _outcome(seen, facts, share, told, recovery, remedy)
    for id_ in IDS:
        if id_ != seen.cause and (id_ != "M3" or _alike(id_, seen)):
            verdict: CauseVerdict = "inconclusive" if _alike(id_, seen) else "refuted"
            yield plainly(id_, verdict, NAME, f"{told}; {_against(id_, seen, facts)}")


@lru_cache(maxsize=1)  # the decision rule's test asks it too
def _seen(facts: Facts) -> _Seen:
    (lost, _), found = lost_rows(facts), departed(facts)
    recent = Recent.of(facts, lost)
    return _Seen(way_of(found, recent.settings) if found else None, confined(facts.during, lost), recent)


def on_another_scale(facts: Facts) -> bool:
    """Whether answers depart and lie on another scale than the files give, as `decide_departures` tells of M3."""
    if why_not_answered(facts) or not enough(*lost_rows(facts)) or _fallback(facts, lost_rows(facts)[0]):
        return False
    way = _seen(facts).way
    return way is not None and way.kind == "rescaled"


def _outcome(seen: _Seen, facts: Facts, share: float, told: str, recovery: Recovery | None, remedy: Remedy) -> Outcome:
    way, verdict, taken_back = seen.way, recovery.verdict if recovery else "supported", why_not_replayed(facts)
    if verdict == "confirmed" and not seen.sure:
        verdict = "supported"
    if recovery:
        taken_back = f"scored by the file, {says(recovery, facts.metric.name)}"
    parameters: dict[str, str | float] = {"share_of_rows": round(share, 4)}
    parameters |= way.parameters if way else {}
    parameters |= {seen.where[0]: seen.where[1]} if seen.cause == "H3" and seen.where else {}
    return Outcome(
        seen.cause,
        verdict,
        NAME,
        f"{told}; {taken_back}; {_on_record(seen.cause, seen, facts)}",
        UNRECORDED if verdict == "supported" and facts.changes is None else CONFIDENCE[verdict],
        recovery.share if recovery else None,
        features=way.features if way else (),
        parameters=parameters,
        scope=" = ".join(seen.where) if seen.where else "",
        remedy=remedy if recovery else None,
    )


def _alike(id_: str, seen: _Seen) -> bool:
    """Whether a cause that isn't the one shown could look as what is seen does."""
    kind = seen.way.kind if seen.way else ""
    if kind in ("repeated", "set", "altered"):
        return False
    alike = {
        "rescaled": ("M3", "M4", "P1"),
        "recoded": ("P1", "P3"),
        "rounded": ("P1", "P2"),
        "coarse": ("P1", "P2"),
        "bits": ("H3",),
        "exchanged": ("P3",),
    }.get(kind, ("M4", "P1", "P2", "P3", "H3"))
    return id_ in alike and (id_ != "H3" or seen.one_machine or kind == "bits")


def _against(id_: str, seen: _Seen, facts: Facts) -> str:
    """Why a cause isn't the one that is named."""
    if not _alike(id_, seen):
        return f"that is not how it shows; see {seen.cause}" if seen.cause else "that is not how it shows"
    return _on_record(id_, seen, facts)


def _on_record(id_: str, seen: _Seen, facts: Facts) -> str:
    """What the record says for or against a cause."""
    if id_ in ("P1", "P2", "H3"):
        changes, what = seen.recent.libraries, "libraries or machines"
        sources = [TITLES["dependencies"], TITLES["environment"]]
    else:
        changes, what, sources = seen.recent.code, "code", [TITLES["git"]]
    if changes:
        named = "; ".join(f"{one.summary} ({one.id})" for one in changes[:3])
        return f"on record of {what} shortly before: {named}"
    if facts.changes is not None and not set(sources) & set(facts.unrecorded):
        return f"no change of {what} shortly before is on record"
    return f"no record of {what} was handed over ({' and '.join(sources)})"


def _settings(changes: Sequence[Change]) -> Settings:
    """The figures that changes of settings put in, by what was set."""
    found = {}
    for part in (part for one in changes for part in one.parts):
        figure = _figure(part.after)
        if figure is not None and part.before != part.after:
            found[part.name] = figure
    return found


def _figure(text: str | None) -> float | None:
    try:
        figure = float(text or "")
    except ValueError:
        return None
    return figure if np.isfinite(figure) else None
