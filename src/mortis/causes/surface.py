"""Whether all of it lies on one surface: a segment's inputs and outcomes changed (W5), or a caller added to it (P4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from mortis.causes.facts import CONFIDENCE, Facts, Outcome, each_plainly, plainly
from mortis.causes.inputs import MOST_NAMED, distance
from mortis.causes.record import on_record, said
from mortis.causes.relation import Place, relation
from mortis.causes.trial import says, with_usual_labels
from mortis.records import STANDING, CauseVerdict
from mortis.rows import RowSample

NAME = "difference in differences: one surface against the others"
MOVED, TIMES = 0.07, 3.0  # how far an input moved there, and how many times as far as elsewhere
GROWN = 1.3
FEWEST = 100
MOST = 0.5  # of the fall must be what labels there make, or more than that surface changed


@dataclass(frozen=True, slots=True)
class Surface:
    """A segment's value where labels come out otherwise, and the inputs that moved there alone.

    `grown` is the rise of its rows in multiples of that of the others.
    """

    place: Place
    moved: tuple[str, ...]
    grown: float

    @property
    def differs(self) -> bool:
        """Whether more than the labels differs there."""
        return bool(self.moved) or self.grown >= GROWN


@lru_cache(maxsize=1)  # the tests of labels ask it too
def surface_of(facts: Facts) -> Surface | None:
    """The one value of a column to which a changed relation is confined; None where it isn't confined to one."""
    found = relation(facts)
    way = found.best if found else None
    place = (way.place.part_of or way.place) if way else Place()
    if not place.value:
        return None
    (was, others_was), (now, others_now) = (_parted(sample, place) for sample in (facts.before, facts.during))
    if min(map(len, (was, others_was, now, others_now))) < FEWEST:
        return None
    moved = {}
    for name, column in was.features.items():
        here = distance(column, now.features[name])
        there = distance(others_was.features[name], others_now.features[name])
        if name != place.column and here >= max(MOVED, TIMES * there):
            moved[name] = here
    named = tuple(sorted(moved, key=lambda name: -moved[name])[:MOST_NAMED])
    grown = (len(now) / len(was)) / (len(others_now) / len(others_was))
    return Surface(place, named, grown)


def _parted(sample: RowSample, place: Place) -> tuple[RowSample, RowSample]:
    inside = place.holds(sample)
    return sample.where(inside), sample.where(~inside)


def decide_surface(facts: Facts) -> Iterable[Outcome]:
    """W5 and P4: whether inputs and what comes of them changed for one value of a column and for no other.

    Where the rows there grew far beyond the others', somebody adds requests that nothing comes of (P4); where they
    didn't, and the inputs are others, people are asked in another way (W5). Supported at most.
    """
    usual = relation(facts) if facts.metric.kind == "quality" else None
    if usual is None:
        why = "there are no labels whose relation can be told"
        yield from each_plainly(("W5", "P4"), "not_tested", NAME, f"not tested, because {why}")
        return
    found = surface_of(facts)
    if found is None or not found.differs:
        where = f"where {found.place} labels differ and inputs don't" if found else "no one value of a column is hit"
        yield from each_plainly(("W5", "P4"), "refuted", NAME, f"{where}; n = {len(facts.during):,}")
        return
    taken = with_usual_labels(facts, usual)
    id_ = "P4" if found.grown >= GROWN else "W5"
    told = f"labels come out otherwise where {found.place}, and not elsewhere"
    told += f"; rows there are {found.grown:.2f} times as many against the others as in the baseline"
    told += f"; {', '.join(found.moved)} moved there, and hardly elsewhere" if found.moved else ""
    told += f"; with labels as in the baseline, {says(taken, facts.metric.name)}"
    record = on_record(facts, "product", *(("deploy",) if id_ == "P4" else ()))
    verdict: CauseVerdict = "refuted" if taken.verdict == "refuted" else "inconclusive"
    if taken.verdict in STANDING and taken.share.value >= MOST:
        verdict = "supported"
    sure = CONFIDENCE[verdict] if verdict != "supported" else 0.85 if record else 0.7
    named = {"caller": found.place.value} if id_ == "P4" else {}
    yield Outcome(
        id_,
        verdict,
        NAME,
        f"{told}; {said(record, 'product')}",
        sure,
        taken.share,
        features=found.moved if id_ == "W5" else (),
        parameters={**named, "share_of_rows": round(float(found.place.holds(facts.during).mean()), 3)},
        scope=str(found.place),
    )
    other = "W5" if id_ == "P4" else "P4"
    rather = f"that is rather {id_}" if verdict == "supported" else f"if anything, that is {id_}"
    yield plainly(other, "refuted", NAME, f"{told}: {rather}")
