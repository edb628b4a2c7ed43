"""What the document says in sentences, the same in every format: the headline and the first screen's answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mortis.document.figures import (
    DAY,
    INTERVAL,
    count,
    duration,
    known,
    metric_name,
    metric_style,
    moment,
    percent,
    points,
)
from mortis.records import STANDING, Cause, Evidence, Failure, Interval, NotChecked, Postmortem, Slice

VERDICTS = {
    "confirmed": "confirmed",
    "supported": "supported",
    "inconclusive": "inconclusive",
    "refuted": "ruled out",
    "not_tested": "not tested",
}
SHAPES = {"abrupt": "It began abruptly", "gradual": "It grew gradually", "intermittent": "It came and went"}


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer to one question of the first screen: the sentence, how it is known, and the evidence's ids."""

    question: str
    text: str
    details: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class Clarified(Protocol):
    """What step 1's answer and the whole post-mortem have in common."""

    @property
    def failure(self) -> Failure:
        """The failure: verdict, size, onset, impact."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the failure is known by."""


def headline(failure: Failure) -> str:
    """The finding in one line: what moved from where to where, that nothing failed, or that it cannot be told."""
    name = metric_name(failure.metric)
    if failure.verdict == "no_failure":
        return "No failure found"
    if failure.verdict == "cannot_tell":
        return f"Cannot tell whether {name} failed"
    style = metric_style(failure)
    before, after = style.value(failure.baseline.value), style.value(failure.incident.value)
    name = name[:1].upper() + name[1:]
    if not known(failure.baseline.value, failure.incident.value):
        return f"{name} failed"
    return f"{name} {'fell' if failure.incident.value < failure.baseline.value else 'rose'} from {before} to {after}"


def summary(postmortem: Postmortem) -> tuple[Claim, ...]:
    """The first screen's answers, in order: what failed, since when, the cause, who was hit, what to do."""
    claims = [what_failed(postmortem), since_when(postmortem), why(postmortem)]
    if postmortem.failure.verdict == "failure":
        claims.append(who_was_hit(postmortem))
    claims.append(what_to_do(postmortem))
    return tuple(claim for claim in claims if claim is not None)


def what_failed(postmortem: Clarified) -> Claim:
    """What the metric is, and why the verdict is believed."""
    failure = postmortem.failure
    question = {"failure": "What failed", "no_failure": "Why not", "cannot_tell": "Why"}[failure.verdict]
    reason = sentence(failure.reason) or "No reason was recorded."
    name = first_up(metric_name(failure.metric))
    definition = f"{name} = {sentence(failure.definition)}" if failure.definition else f"{name}."
    labels = ""
    if failure.label_maturity is not None:
        labels = f"{percent(failure.label_maturity)} of the incident's labels had arrived."
    text, further = (definition, reason) if failure.verdict == "failure" else (reason, definition)
    details = tuple(part for part in (further, labels) if part)
    return Claim(question, text, details, about(postmortem.evidence, "clarify.shift", "clarify.maturity"))


def since_when(postmortem: Clarified) -> Claim | None:
    """The onset with its interval, its shape, and how long it took to be seen; None where nothing began."""
    failure = postmortem.failure
    onset = failure.onset
    if failure.verdict == "no_failure" or (failure.verdict == "cannot_tell" and onset is None):
        return None
    if onset is None:
        return Claim("Since when", "The onset could not be located.")
    clock = failure.bucket_seconds < DAY
    best, low, high = (moment(when, clock=clock) for when in (onset.best, onset.low, onset.high))
    details = [f"{INTERVAL}: {low} to {high}.", f"{SHAPES[onset.shape]}."]
    if onset.recovered is not None:
        details.append(f"It had recovered by {moment(onset.recovered, clock=clock)}.")
    if failure.detected_at is not None and failure.detected_at > onset.best:
        unseen = duration((failure.detected_at - onset.best).total_seconds())
        details.append(f"Detected {moment(failure.detected_at)}, {unseen} after it began.")
    return Claim("Since when", f"{best} UTC", tuple(details), about(postmortem.evidence, "clarify.onset"))


def why(postmortem: Postmortem) -> Claim | None:
    """The cause with how sure and why, or in plain words that it is unknown; None where nothing failed."""
    verdict = postmortem.failure.verdict
    if verdict == "no_failure":
        return None
    if verdict == "cannot_tell" and not hypotheses(postmortem):
        return Claim("Cause", "Not sought, as it is not certain that anything failed.")
    causes = leading(postmortem)
    if not causes:
        return unknown_cause(postmortem)
    text = "; and ".join(cause_name(cause) for cause in causes)
    details = [part for cause in causes for part in how_sure(cause, named=len(causes) > 1)]
    details += brought_by(postmortem, causes)
    ids = dict.fromkeys(id_ for cause in causes for id_ in cause.evidence_for)
    return Claim("Cause" if len(causes) == 1 else "Causes", f"{text}.", tuple(details), tuple(ids))


def brought_by(postmortem: Postmortem, causes: Sequence[Cause]) -> list[str]:
    """The change that fits each cause best, once each, as its record tells of it."""
    known = {change.id: change for change in postmortem.changes}
    fitting = dict.fromkeys(cause.changes[0] for cause in causes if cause.changes and cause.changes[0] in known)
    return [f"The change that fits: {known[id_].brief}, {moment(known[id_].time)} UTC." for id_ in fitting]


def hypotheses(postmortem: Postmortem) -> tuple[Cause, ...]:
    """Everything that was looked at, without the entry that stands for 'unknown'."""
    return tuple(cause for cause in postmortem.causes if cause.id != "unknown")


def leading(postmortem: Postmortem) -> tuple[Cause, ...]:
    """The causes that the answer names: the first for one cause, all that stand for several, none for unknown."""
    if postmortem.answer not in ("cause", "several"):
        return ()
    standing = tuple(c for c in hypotheses(postmortem) if c.verdict in STANDING)
    return standing[:1] if postmortem.answer == "cause" else standing[:4]


def cause_name(cause: Cause) -> str:
    """The cause with what it touched: its features and scope.

    >>> cause_name(Cause("D3", "Unit change", "confirmed", 0.9, features=("distance",), scope="version v7"))
    'Unit change in distance (version v7)'
    """
    where = f" in {', '.join(cause.features)}" if cause.features else ""
    return f"{cause.name}{where}" + (f" ({cause.scope})" if cause.scope else "")


def how_sure(cause: Cause, *, named: bool = False) -> list[str]:
    """How sure a cause is, by which test, and what part of the drop is its own, in sentences."""
    start = f"{cause.name}: {VERDICTS[cause.verdict]}" if named else first_up(VERDICTS[cause.verdict])
    parts = [f"{start}, confidence {percent(cause.confidence, 0)}."]
    if cause.test is not None:
        parts.append(f"{first_up(cause.test.name)}: {sentence(cause.test.result)}")
    if cause.share_of_drop is not None and known(cause.share_of_drop.value):
        parts.append(f"Share of the drop: {share_interval(cause.share_of_drop)}.")
    return parts


def unknown_cause(postmortem: Postmortem) -> Claim:
    """That the cause is unknown, and what became of the hypotheses, or why there were none."""
    looked_at = hypotheses(postmortem)
    tested = [cause for cause in looked_at if cause.verdict != "not_tested"]
    if not tested:
        return Claim("Cause", "Unknown.", tuple(untested(postmortem)))
    tally = [(sum(c.verdict == key for c in looked_at), word) for key, word in VERDICTS.items()]
    became = ", ".join(f"{n} {word}" for n, word in tally if n)
    details = [f"Of {len(looked_at)} hypotheses: {became}."]
    if known(postmortem.unexplained_share.value):
        details.append(f"Unexplained share of the drop: {share_interval(postmortem.unexplained_share)}.")
    against = dict.fromkeys(id_ for cause in tested for id_ in cause.evidence_against)
    return Claim("Cause", "Unknown. No hypothesis survived its test.", tuple(details), tuple(against))


def untested(postmortem: Postmortem) -> list[str]:
    """Why no hypothesis was tested, taken from what was not checked."""
    reasons = gaps(postmortem.not_checked, "cause", "hypothes") or postmortem.not_checked[:1]
    if not reasons:
        return ["No hypothesis was tested, because none was looked for."]
    first = reasons[0]
    parts = [f"No hypothesis was tested, because {lower_first(sentence(first.why))}"]
    return [*parts, f"To find it, hand over {lower_first(sentence(first.needs))}"] if first.needs else parts


def who_was_hit(postmortem: Postmortem) -> Claim:
    """The slice hit hardest, and how many predictions and errors the incident holds."""
    impact = postmortem.failure.impact
    details = [f"{count(impact.predictions)} predictions were served in the incident."]
    excess = impact.excess_errors
    if known(excess.value):
        limits = ""
        if known(excess.low, excess.high):
            limits = f" ({INTERVAL}: {count(excess.low)} to {count(excess.high)}, n = {count(excess.n)})"
        details.append(f"Errors beyond the baseline's rate: {count(excess.value)}{limits}.")
    ids = (
        *about(postmortem.evidence, "errors.slice.1", "errors.slices"),
        *about(postmortem.evidence, "clarify.impact"),
    )
    if not postmortem.slices:
        text = first_up(sentence(postmortem.slices_note)) or "No part of the traffic stands out."
        return Claim("Who was hit", text, tuple(details), ids)
    first = next((one for one in postmortem.slices if one.held_out), postmortem.slices[0])
    sure = "" if first.held_out else "; found by a search, and not confirmed on rows that it hadn't seen"
    return Claim("Who was hit", f"{hit(first)}{sure}.", tuple(details), ids)


def hit(found: Slice) -> str:
    r"""A slice in one sentence: where, and how its rate of errors moved.

    >>> from mortis.records import Rate
    >>> rise = Interval(0.1, 0.08, 0.12)
    >>> found = Slice({"device": "ios"}, "", Rate(5, 100), Rate(15, 100), rise, 0.4, 9.1, 0.001, True)
    >>> hit(found).replace("\u202f", " ")
    'device = ios: 5.0 % wrong before, 15.0 % in the incident; 40 % of the excess errors'
    """
    rates = ", ".join(
        f"{percent(rate.value)} {text}"
        for rate, text in ((found.baseline, "wrong before"), (found.incident, "in the incident"))
        if rate.n
    )
    return f"{conditions(found)}: {rates}; {percent(found.contribution, 0)} of the excess errors"


def conditions(found: Slice) -> str:
    """The slice's conditions in words.

    >>> from mortis.records import Rate
    >>> conditions(Slice({"a": "1", "b": "x"}, "", Rate(), Rate(), Interval(0, 0, 0), 0, 0, None, False))
    'a = 1 and b = x'
    """
    return found.where or "all rows"


def what_to_do(postmortem: Postmortem) -> Claim | None:
    """The first three actions, or what would let the question be answered."""
    if postmortem.actions:
        first, *others = (sentence(action.title) for action in postmortem.actions[:3])
        return Claim("What to do", first, tuple(others))
    if postmortem.failure.verdict == "no_failure":
        return None
    needs = [gap.needs for gap in postmortem.not_checked if gap.needs][:3]
    if postmortem.failure.verdict == "cannot_tell" and needs:
        return Claim("What is missing", *split_first([sentence(first_up(need)) for need in needs]))
    return Claim("What to do", "No action was proposed.")


def split_first(texts: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The first text and the others."""
    return texts[0], tuple(texts[1:])


def gaps(not_checked: Sequence[NotChecked], *words: str) -> tuple[NotChecked, ...]:
    """The questions left open that speak of one of the words.

    >>> [gap.why for gap in gaps([NotChecked("Changes", "no ledger", "git")], "change")]
    ['no ledger']
    """
    return tuple(gap for gap in not_checked if any(word in gap.what.lower() for word in words))


def about(evidence: Sequence[Evidence], *topics: str) -> tuple[str, ...]:
    """The ids of the evidence on topics such as `clarify.onset`.

    An id is `step.topic`, maybe `step.topic.detail`; other separators than the dot are understood too.

    >>> found = [Evidence("clarify.onset", "?", "."), Evidence("errors.slice-1", "?", ".")]
    >>> about(found, "clarify.onset"), about(found, "errors.slice.1"), about(found, "errors.slice.10")
    (('clarify.onset',), ('errors.slice-1',), ())
    """
    plain = [(re.sub(r"[^\w]+", ".", item.id).lower(), item.id) for item in evidence]
    return tuple(id_ for path, id_ in plain if any(f"{path}.".startswith(f"{topic}.") for topic in topics))


def of_step(evidence: Iterable[Evidence], step: str) -> list[Evidence]:
    """The evidence of one step, told by the first part of its id.

    >>> [
    ...     e.id
    ...     for e in of_step([Evidence("integrity.nulls", "?", "."), Evidence("clarify.metric", "?", ".")], "integrity")
    ... ]
    ['integrity.nulls']
    """
    return [item for item in evidence if re.match(rf"{step}\b", item.id.lower().replace("_", "."))]


def first_of_query(evidence: Sequence[Evidence]) -> dict[str, int]:
    """The number of the first evidence that rests on a query, by query: later ones refer to it.

    >>> first_of_query([Evidence("a", "?", ".", query="SELECT 1"), Evidence("b", "?", ".", query="SELECT 1")])
    {'SELECT 1': 1}
    """
    return {item.query: number for number, item in reversed(list(enumerate(evidence, start=1))) if item.query}


def share_interval(interval: Interval) -> str:
    """A share with its 95 % interval and the rows behind it."""
    inside = []
    if known(interval.low, interval.high):
        inside.append(f"{INTERVAL}: {percent(interval.low, 0)} to {percent(interval.high, 0)}")
    inside += [f"n = {count(interval.n)}"] if interval.n else []
    return percent(interval.value, 0) + (f" ({', '.join(inside)})" if inside else "")


def change_interval(interval: Interval) -> str:
    """The limits of a change of a rate, in percentage points."""
    return f"{points(interval.low)} to {points(interval.high)}"


def sentence(text: str) -> str:
    """The text with a full stop at its end, unless it is empty or ends with one.

    >>> sentence("it fell"), sentence("Why?"), sentence("")
    ('it fell.', 'Why?', '')
    """
    text = text.strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def first_up(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """The text with a small letter at its start, unless its first word is an abbreviation.

    >>> lower_first("No labels"), lower_first("AUC is one")
    ('no labels', 'AUC is one')
    """
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
