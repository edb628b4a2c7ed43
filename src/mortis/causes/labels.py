"""Whether it is the labels that broke: turned round, by another rule, of other rows, or where the model acted only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import CONFIDENCE, Facts, Outcome, each_plainly, percent, plainly
from mortis.causes.record import on_record, said
from mortis.causes.relation import PARTIAL, Place, Relation, Way, places_of, relation
from mortis.causes.replay import nulls, why_not_own
from mortis.causes.scoring import Recovery
from mortis.causes.surface import surface_of
from mortis.causes.trial import drawn, says, with_usual_labels
from mortis.engine.dataset import LABEL_AGE
from mortis.profiles import Floats
from mortis.records import STANDING, CauseVerdict, Window

NAME = "labels against those that the baseline's relation to inputs and scores would give"
NAME_SELECTIVE = "share of rows with a label by what was decided"
INVERTED = 0.6  # more rows turned round than not: no loss of information makes right answers wrong
A_RULE = 0.97  # of the rows in a place: what comes of like inputs is never so sure
AT_ONCE = 0.25  # of negatives that suddenly have an age which they had not
LOST, KEPT = 0.75, 0.85  # of the usual share with a label: less of the one decision, still so much of the other
FEWEST = 100


def decide_labels(facts: Facts) -> Iterable[Outcome]:
    """L1 and E1: whether labels depart from the baseline's relation in ways that the world doesn't take.

    Labels turned round, or by a rule without exception, are another definition (L1). Labels that are another row's, or
    that are nothing whatever came, are wrongly joined (E1). Both are seen in how labels hang on inputs and scores,
    where the model's answers are its own; the record of changes and the labels' age tell more.
    """
    why = _why_not(facts)
    found = None if why else relation(facts)
    if found is None:
        why = why or "labels and inputs of both windows are too few, or of a kind whose relation is not looked at"
        yield from each_plainly(("L1", "E1"), "not_tested", NAME, f"not tested, because {why}")
        return
    way = found.best
    if way is None:
        result = f"labels hang on inputs and scores as in the baseline (n = {found.n:,})"
        yield from each_plainly(("L1", "E1"), "refuted", NAME, result)
        return
    surface = surface_of(facts)
    if surface and surface.differs:
        result = (
            f"{in_words(way, facts)}; but there is more to it than labels: inputs or the number of rows moved there"
        )
        yield from each_plainly(("L1", "E1"), "refuted", NAME, result)
        return
    taken = with_usual_labels(facts, found)
    told = f"{in_words(way, facts)}; with labels as in the baseline, {says(taken, facts.metric.name)}"
    broken, joined = _broken(facts, found, way), _misjoined(facts, found, way)
    yield _outcome("L1", broken, told, way, taken)
    yield _outcome("E1", joined, told, way, taken)


def _why_not(facts: Facts) -> str:
    """Why a changed relation of labels would say nothing of labels; empty where it would."""
    if facts.metric.kind != "quality" or facts.failure.label_maturity is None:
        return f"{facts.metric.name} needs no labels"
    return why_not_own(facts)


@dataclass(frozen=True, slots=True)
class _Ruled:
    """A verdict on how labels broke, the name of the way, and why."""

    verdict: CauseVerdict
    confidence: float
    why: str = ""
    way: str = ""


_NO = _Ruled("refuted", CONFIDENCE["refuted"])


def _outcome(id_: str, ruled: _Ruled, told: str, way: Way, taken: Recovery) -> Outcome:
    verdict, sure = ruled.verdict, ruled.confidence
    if verdict in STANDING and taken.verdict == "refuted":
        verdict, sure = "refuted", CONFIDENCE["refuted"]
    stands = verdict in STANDING
    place = way.place
    return Outcome(
        id_,
        verdict,
        NAME,
        f"{told}; {ruled.why}" if ruled.why else told,
        sure,
        taken.share if stands else None,
        features=(place.column,) if stands and place.column and not place.value else (),
        parameters={"way": ruled.way, "share_of_rows": round(way.part, 3)} if stands else {},
        scope=str(place.part_of or (place if place.value else "")) if stands else "",
    )


def in_words(way: Way, facts: Facts) -> str:
    """A way as a sentence."""
    where = f" where {way.place}" if way.place.column else ""
    if way.name in ("fewer", "more") and facts.task == "regression":
        return f"labels{where} are {way.part:g} times what they were for like inputs"
    what = {
        "flipped": "are as the opposite of what came",
        "exchanged": "are as those of any row",
        "zero": "are nothing, whatever came",
        "fewer": "are negative, whatever came",
        "more": "are positive, whatever came",
    }[way.name]
    return f"about {percent(way.part)} of the labels{where} {what} (log-likelihood ratio {way.gain:.0f})"


def _broken(facts: Facts, found: Relation, way: Way) -> _Ruled:
    """L1: labels turned round, by a rule, or by another scale everywhere."""
    record = on_record(facts, "label")
    told = said(record, "label")
    if "flipped" in found.fitting and way.name in ("flipped", "exchanged"):
        return _turned_round(facts, found, way)
    if way.name not in PARTIAL:
        return _NO
    if facts.task == "binary" and way.part >= A_RULE and not _at_once(facts):
        return _Ruled("supported", 0.85 if record else 0.6, f"that is a rule without exception; {told}", "redefined")
    if facts.task == "regression" and way.place.whole and record:
        return _Ruled("supported", 0.75, f"all of them by one factor; {told}", "redefined")
    if record:
        return _Ruled("inconclusive", 0.45, f"what comes of like inputs may have changed as well; {told}")
    return _NO


def _turned_round(facts: Facts, found: Relation, way: Way) -> _Ruled:
    """L1 where labels are, or may be, the opposite of what came."""
    record = on_record(facts, "label")
    told = said(record, "label")
    if len(found.fitting) > 1:
        if record and not on_record(facts, "measurement"):
            return _Ruled("supported", 0.75, f"other ways fit as well, but {told}", "flipped")
        return _Ruled("inconclusive", 0.4, f"other ways fit as well, and {told}")
    if way.part >= INVERTED:
        return _Ruled("confirmed", 0.95, f"more labels are turned round than not; {told}", "flipped")
    return _Ruled("supported", 0.85 if record else 0.65, told, "flipped")


def _misjoined(facts: Facts, found: Relation, way: Way) -> _Ruled:
    """E1: labels of other rows, or nothing where no label came."""
    record = on_record(facts, "measurement")
    told = said(record, "measurement")
    if "exchanged" in found.fitting and way.name in ("flipped", "exchanged"):
        if record:
            return _Ruled("supported", 0.85, told, "shifted")
        return _Ruled("inconclusive", 0.45, f"inputs that say less than they did would look the same; {told}")
    if way.name == "zero":
        return _Ruled("confirmed", 0.9, f"the baseline had next to none; {told}", "filled")
    if way.name == "fewer" and facts.task == "binary" and way.place.whole:
        early = _at_once(facts)
        if early:
            return _Ruled("confirmed", 0.9, f"{early}; {told}", "filled")
        if record:
            return _Ruled("supported", 0.75, told, "filled")
    return _NO


def _at_once(facts: Facts) -> str:
    """What is said where many negatives have a label at an age at which hardly any had one; else empty."""
    ages = facts.profile.numbers.get(LABEL_AGE)
    if ages is None:
        return ""
    old, new = (_ages(facts, window) for window in (facts.failure.baseline_window, facts.failure.since_onset))
    if min(old.sum(), new.sum()) < FEWEST:
        return ""
    gained = new / new.sum() - old / old.sum()
    most = int(np.argmax(gained))
    if gained[most] < AT_ONCE:
        return ""
    edges = [0.0, *ages.edges]
    age = f"{edges[most]:g} to {edges[most + 1]:g}" if most + 1 < len(edges) else f"{edges[-1]:g} or more"
    return (
        f"{percent(float(new[most] / new.sum()))} of the negatives have their label at an age of {age} hours, "
        f"{percent(float(old[most] / old.sum()))} in the baseline"
    )


def _ages(facts: Facts, window: Window) -> Floats:
    """Negatives by age of their label."""
    sums = facts.profile.numbers[LABEL_AGE].sums.within(window).where(lambda cell: cell[2] in ("tn", "fp"))
    return np.asarray(sums.block("bin:").sum(axis=0))


def decide_selective(facts: Facts) -> Iterable[Outcome]:
    """L2: whether labels come by decision: of the one still, of the other less; and the metric were it not so.

    The rows with a label are weighed so that each decision counts as in the baseline.
    """
    if facts.task != "binary" or facts.metric.kind != "quality" or facts.failure.label_maturity is None:
        yield plainly("L2", "not_tested", NAME_SELECTIVE, "not tested, because there are no labels by yes or no")
        return
    place, kept = _least_covered(facts)
    other = 1 - kept
    old, new = _coverage(facts, place, "before"), _coverage(facts, place, "during")
    told = (
        f"{percent(new[other])} of the rows decided {_YES_NO[other]} have a label ({percent(old[other])} in the "
        f"baseline), and {percent(new[kept])} of those decided {_YES_NO[kept]} ({percent(old[kept])})"
    )
    if place.column:
        told = f"where {place}, {told}"
    if not new[other] < LOST * old[other] or new[kept] < KEPT * old[kept]:
        yield plainly("L2", "refuted", NAME_SELECTIVE, f"labels don't come by decision: {told}")
        return
    found = drawn(facts).recovery(facts.judged(facts.during).only(_weights(facts, place, old, new)))
    verdict: CauseVerdict = "confirmed" if found.verdict == "confirmed" else "supported"
    if found.verdict == "refuted":
        verdict = "refuted"
    yield Outcome(
        "L2",
        verdict,
        NAME_SELECTIVE,
        f"{told}; with both as in the baseline, {says(found, facts.metric.name)}",
        CONFIDENCE[verdict],
        found.share if verdict != "refuted" else None,
        parameters={
            "labelled": "acted upon" if kept else "not acted upon",
            "share_of_rows": round(float(new[other]), 3),
        },
        scope=str(place),
    )


_YES_NO = ("no", "yes")


def _least_covered(facts: Facts) -> tuple[Place, int]:
    """Where, and by which decision kept, labels are rarest against the baseline, in rows lost."""
    best: tuple[float, Place, int] = (-np.inf, Place(), 1)
    for place in _segments(facts):
        old, new = _coverage(facts, place, "before"), _coverage(facts, place, "during")
        inside = place.holds(facts.during)
        for kept in (0, 1):
            rows = float((inside & (np.asarray(facts.during.p, dtype=float) == 1 - kept)).sum())
            # By the root: half the rows lost in a part of them says more than the same number among all.
            lost = (new[kept] / max(old[kept], 1e-9) - new[1 - kept] / max(old[1 - kept], 1e-9)) * np.sqrt(rows)
            if rows >= FEWEST / 2 and lost > best[0]:
                best = (float(lost), place, kept)
    return best[1], best[2]


def _segments(facts: Facts) -> Iterable[Place]:
    return (place for place in places_of(facts.during) if place.whole)


def _coverage(facts: Facts, place: Place, window: str) -> Floats:
    """The share of rows with a label by decision: (2,)."""
    sample = facts.before if window == "before" else facts.during
    inside, p = place.holds(sample), np.asarray(sample.p, dtype=float)
    known = ~nulls(sample.y)
    return np.array([known[inside & (p == said)].mean() if (inside & (p == said)).any() else 0.0 for said in (0, 1)])


def _weights(facts: Facts, place: Place, old: Floats, new: Floats) -> Floats:
    p = np.asarray(facts.during.p, dtype=float)
    by_decision = old / np.maximum(new, 1e-9)
    return np.where(place.holds(facts.during) & np.isfinite(p), by_decision[np.nan_to_num(p).astype(int)], 1.0)
