"""Whether people found out what passes: scores bunch below the threshold, and rows there aren't what they were."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, percent, plainly
from mortis.causes.inputs import APART, distance
from mortis.causes.record import on_record, said
from mortis.causes.relation import relation
from mortis.causes.replay import nulls
from mortis.causes.trial import says, with_usual_labels
from mortis.intervals import newcombe
from mortis.records import STANDING, CauseVerdict, Rate
from mortis.rows import RowSample

NAME = "rows just below the threshold against those further below"
BAND, NEXT = 0.05, 0.15  # of the baseline's rows below the threshold, from it downwards
TIMES = 1.4
CONFIDENT = 0.999
MOST_NAMED = 2


def decide_gaming(facts: Facts) -> Iterable[Outcome]:
    """W4: whether rows bunch just below the threshold and are worse than such rows were.

    Supported at most, as a fault of one feature could push scores there too.

    Source: McCrary (2008), "Manipulation of the running variable in the regression discontinuity design".
    """
    t = facts.threshold
    if facts.task != "binary" or facts.metric.kind != "quality" or t is None:
        yield plainly("W4", "not_tested", NAME, "not tested, because no threshold of a score decides")
        return
    below = np.sort(facts.before.score[facts.before.score < t])
    low, lower = (float(np.quantile(below, 1 - part)) for part in (BAND, BAND + NEXT))

    def band(sample: RowSample) -> Bools:
        return np.asarray((sample.score >= low) & (sample.score < t))

    old, new = (_near(sample, lower, low, t) for sample in (facts.before, facts.during))
    share = newcombe(old, new, confidence=CONFIDENT)
    times = _odds(new) / max(_odds(old), 1e-9)
    was, now = (_positive(sample, band(sample)) for sample in (facts.before, facts.during))
    told = (
        f"scores from {low:.4g} to the threshold of {t:.4g} are {times:.1f} times as common against those below as in "
        f"the baseline; of the rows there {percent(now.value)} are positive (n = {now.n:,}), {percent(was.value)} in "
        f"the baseline (n = {was.n:,})"
    )
    if not (share.low > 0 and times >= TIMES and now.n and was.n and newcombe(was, now, confidence=CONFIDENT).low > 0):
        yield plainly("W4", "refuted", NAME, told)
        return
    usual = relation(facts)
    if usual is None:
        yield plainly("W4", "inconclusive", NAME, f"{told}; too few rows have labels to tell what that is worth")
        return
    taken = with_usual_labels(facts, usual)
    record = on_record(facts, "product")
    verdict: CauseVerdict = "supported" if taken.verdict in STANDING else taken.verdict
    yield Outcome(
        "W4",
        verdict,
        NAME,
        f"{told}; were labels what such inputs and scores meant, {says(taken, facts.metric.name)}; "
        f"{said(record, 'product')}",
        (0.85 if record else 0.7) if verdict == "supported" else CONFIDENCE[verdict],
        taken.share if verdict == "supported" else None,
        features=_given(facts, band(facts.during)) if verdict == "supported" else (),
        parameters={"threshold": t, "times": round(times, 2)} if verdict == "supported" else {},
    )


def _near(sample: RowSample, lower: float, low: float, t: float) -> Rate:
    """The rows just below the threshold, of those and the ones further below."""
    score = sample.score
    return Rate(int(((score >= low) & (score < t)).sum()), int(((score >= lower) & (score < t)).sum()))


def _odds(rate: Rate) -> float:
    return rate.errors / max(rate.n - rate.errors, 1)


def _positive(sample: RowSample, inside: Bools) -> Rate:
    known = inside & ~nulls(sample.y)
    return Rate(int((np.asarray(sample.y, dtype=float)[known] == 1).sum()), int(known.sum()))


def _given(facts: Facts, inside: Bools) -> tuple[str, ...]:
    """The inputs of the bunch that lie furthest from those of the baseline's rows that are positive."""
    those = facts.before.where(np.asarray(facts.before.y, dtype=float) == 1)
    bunch = facts.during.where(inside & (np.asarray(facts.during.y, dtype=float) == 1))
    far = {name: distance(column, bunch.features[name]) for name, column in those.features.items()}
    named = sorted((name for name in far if far[name] >= APART), key=lambda name: -far[name])
    return tuple(named[:MOST_NAMED])
