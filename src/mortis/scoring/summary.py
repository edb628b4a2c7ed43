"""The score: over many judged cases, how often the diagnosis is right, per kind and overall, and what goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from mortis.intervals import wilson
from mortis.lab.plots import PLOTS
from mortis.records import Interval
from mortis.scoring.judging import Judged
from mortis.scoring.running import Outcome

NAIVE = (
    ("most drifted feature (Jensen-Shannon)", "the feature", "drifted", "feature"),
    ("drift that goes with the metric (Spearman)", "the feature", "correlated", "feature"),
    ("latest change before the first bad day", "the change", "latest", "change"),
    ("performance estimated from scores (CBPE)", "whether anything failed", "estimated", "failure"),
)
"""Each simple rule: its title, what it names, its field among what was guessed, and ours among what was judged."""

CONFIDENCE_BANDS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01))


@dataclass(frozen=True, slots=True)
class Share:
    """How many of n cases, with the 95 % interval of their share (Wilson's); None of none."""

    right: int
    n: int

    @property
    def interval(self) -> Interval | None:
        """The share with its interval; None where there are no cases."""
        return wilson(self.right, self.n) if self.n else None


@dataclass(frozen=True, slots=True)
class KindScore:
    """A plot's score: right first, among the first three, the feature and parameters that were right."""

    plot: str
    meaning: str
    first: Share
    among: Share
    feature: Share
    parameters: Share


@dataclass(frozen=True, slots=True)
class Band:
    """Of the first causes that were named with a confidence in this band, how many were right."""

    low: float
    high: float
    stated: float
    right: Share


@dataclass(frozen=True, slots=True)
class NaiveScore:
    """A simple rule beside the product: what it names, how often each is right, its alarms where nothing failed."""

    rule: str
    names: str
    right: Share
    product: Share
    false_alarms: Share


@dataclass(frozen=True, slots=True)
class Score:
    """What `mortis lab score` found. Shares are of the cases that a question applies to."""

    seed: int
    half: str
    cases: int
    unmade: int
    broke: tuple[str, ...]
    first: Share
    among: Share
    feature: Share
    parameters: Share
    change: Share
    false_causes: Share
    unknown: Share
    asks: Share
    onset_covered: Share
    onset_hours: float | None
    share_covered: Share
    share_error: float | None
    seconds: float | None
    slowest: float | None
    kinds: tuple[KindScore, ...]
    bands: tuple[Band, ...]
    naive: tuple[NaiveScore, ...]
    confusion: Mapping[str, Mapping[str, int]]
    wrong: tuple[Judged, ...]


def scored(outcomes: Sequence[Outcome], *, seed: int, half: str) -> Score:
    """The score of these outcomes. A case on which the program broke is wrong; one that couldn't be made counts not."""
    found = [one.judged or _lost(one) for one in outcomes if not one.unmade]
    broke = [one for one in outcomes if one.broke]
    failures = [one for one in found if one.answer in ("cause", "several")]
    healthy = [one for one in found if one.answer == "no_failure"]
    return Score(
        seed=seed,
        half=half,
        cases=len(outcomes),
        unmade=sum(bool(one.unmade) for one in outcomes),
        broke=tuple(f"{one.planned.plot} on {one.planned.base}, seed {one.planned.seed}: {one.broke}" for one in broke),
        first=_share(one.first for one in failures),
        among=_share(one.among for one in failures),
        feature=_share(one.feature for one in failures),
        parameters=_share(one.parameters for one in failures),
        change=_share(one.change for one in failures),
        false_causes=_share(one.false_cause for one in healthy),
        unknown=_share(one.first for one in found if one.answer == "unknown"),
        asks=_share(one.asks for one in found),
        onset_covered=_share(one.onset_covered for one in found),
        onset_hours=_middle(one.onset_hours for one in found),
        share_covered=_share(one.share_covered for one in found),
        share_error=_middle(one.share_error for one in found),
        seconds=_middle(one.seconds for one in found),
        slowest=max((one.seconds for one in found), default=None),
        kinds=tuple(_kinds(found)),
        bands=tuple(_bands(found)),
        naive=tuple(_naive(outcomes)),
        confusion=_confusion(found),
        wrong=tuple(one for one in found if not one.first),
    )


def _share(answers: Iterable[bool | None]) -> Share:
    known = [one for one in answers if one is not None]
    return Share(sum(known), len(known))


def _lost(broken: Outcome) -> Judged:
    """The judgement of a case on which the program broke: no answer, and so not the right one."""
    one = broken.planned
    answer = PLOTS[one.plot].answer
    causes = (one.plot,) if answer == "cause" else ()
    return Judged(
        one.plot, one.base, one.seed, answer, causes, "no answer", first=False, among=False, false_cause=False
    )


def _middle(figures: Iterable[float | None]) -> float | None:
    known = [one for one in figures if one is not None]
    return round(median(known), 3) if known else None


def _kinds(found: Sequence[Judged]) -> Iterator[KindScore]:
    for name, plot in PLOTS.items():
        mine = [one for one in found if one.plot == name]
        if mine:
            yield KindScore(
                name,
                plot.meaning,
                _share(one.first for one in mine),
                _share(one.among for one in mine),
                _share(one.feature for one in mine),
                _share(one.parameters for one in mine),
            )


def _bands(found: Sequence[Judged]) -> Iterator[Band]:
    """Of all cases in which a cause was named: that first cause is right where it is one of the true ones."""
    named = [(one.confidence, one.told in one.causes) for one in found if one.confidence is not None]
    for low, high in CONFIDENCE_BANDS:
        mine = [(stated, right) for stated, right in named if low <= stated < high]
        if mine:
            yield Band(
                low, min(high, 1.0), sum(stated for stated, _ in mine) / len(mine), _share(right for _, right in mine)
            )


def _naive(outcomes: Sequence[Outcome]) -> Iterator[NaiveScore]:
    """Each rule over the cases in which it has something to name, the product's figure over the same."""
    both = [(one.judged, one.guessed) for one in outcomes if one.judged and one.guessed]
    quiet = [guess for judged, guess in both if judged.answer == "no_failure"]
    for title, names, told, ours in NAIVE:
        asked = [(judged, guess) for judged, guess in both if getattr(guess, f"{told}_right") is not None]
        yield NaiveScore(
            title,
            names,
            _share(getattr(guess, f"{told}_right") for _, guess in asked),
            _share(getattr(judged, ours) for judged, _ in asked),
            _share(None if getattr(guess, told) is None else bool(getattr(guess, told)) for guess in quiet),
        )


def _confusion(found: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """What was told first, by what was true; the right answers are in it too."""
    counted: dict[str, Counter[str]] = {}
    for one in found:
        true = " + ".join(one.causes) or one.answer
        counted.setdefault(true, Counter())[one.told] += 1
    order = [*PLOTS, "unknown", "no_failure"]
    ranked = sorted(counted, key=lambda name: (order.index(name) if name in order else len(order), name))
    return {name: dict(counted[name].most_common()) for name in ranked}
