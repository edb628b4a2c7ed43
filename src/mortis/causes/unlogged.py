"""Whether the log lost rows: answers of some height that are rarer than they were, up to a sharp edge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import CONFIDENCE, Bools, Facts, Outcome, per_second, percent, plainly
from mortis.causes.record import on_record, said
from mortis.causes.relation import Place, places_of
from mortis.causes.trial import made_of, says_again
from mortis.problems import listed
from mortis.profiles import Floats
from mortis.records import CauseVerdict
from mortis.rows import RowSample, is_number

NAME = "rows of the log by the height of the answer, against the others"
ENDS = np.arange(0.05, 0.96, 0.025)
FEWEST = 60
LOST = 0.7  # of the rows that should be there, against those beyond the edge
CLEAR = 30.0  # nats that fewer rows beyond an edge must explain
MORE, AS_OFTEN = 1.3, 0.9  # times as many rows beyond the edge as before, and in the band: then the others grew
EVEN = 0.25  # how unevenly rows may be lost on one side of the edge: a shift of inputs has no edge
_ROWS = re.compile(r"(?i)rows?|records?|events?|logged|written|loaded|ingest")
_ASKED = re.compile(r"(?i)requests?|traffic|calls|qps|rps|throughput")


@dataclass(frozen=True, slots=True)
class Band:
    """Scores from `low` to below `high` of which, in a place, `left` (0..1) of the expected rows are in the log."""

    place: Place
    low: float
    high: float
    left: float
    gain: float

    def holds(self, sample: RowSample) -> Bools:
        """Which rows (n,) lie in it."""
        return self.place.holds(sample) & (heights(sample) >= self.low) & (heights(sample) < self.high)


def decide_unlogged(facts: Facts) -> Iterable[Outcome]:
    """E4: whether rows of high or low scores are missing from the log while those beyond an edge are as many as ever.

    The same rows are left out of the baseline to see what that makes of the metric. Supported at most where no count
    from elsewhere tells that rows are missing.
    """
    if facts.metric.kind != "quality" or not np.isfinite(heights(facts.before)).any():
        yield plainly("E4", "not_tested", NAME, "not tested, because there are no scores of judged predictions")
        return
    band = _emptied(facts)
    if band is None:
        yield plainly(
            "E4", "refuted", NAME, f"no band of scores lost rows against the others (n = {len(facts.during):,})"
        )
        return
    others, own = _times_as_often(facts, band)
    if others > MORE and own >= AS_OFTEN:
        told = f"rows with a score {_edge(band)} are rarer against the others, but come {own:.1f} times as often as"
        yield plainly("E4", "refuted", NAME, f"{told} before; the others grew, to {others:.1f} times")
        return
    before = facts.before
    missing = band.holds(before) & (facts.rng().random(len(before)) > band.left)
    whole = facts.judged(before)
    found = made_of(facts, whole, whole.only(~missing))
    fewer, asked = _counted(facts)
    told = (
        f"of the rows with a score {_edge(band)}, {percent(band.left)} of those expected from the others are in the "
        f"log, evenly up to the edge; left out of the baseline, {says_again(found, facts.metric.name)}"
    )
    if fewer:
        told += f"; {listed(fewer, most=2)} fell with it, and no count of requests did" if not asked else ""
    record = on_record(facts, "measurement", "config")
    verdict: CauseVerdict = "refuted" if found.verdict == "refuted" else "supported"
    if verdict == "supported" and fewer and not asked:
        verdict = "confirmed"
    elif verdict == "supported" and others > MORE:
        verdict = "inconclusive"
        told += f"; but those others come {others:.1f} times as often as before, and may have taken the place of these"
    yield Outcome(
        "E4",
        verdict,
        NAME,
        f"{told}; {said(record, 'measurement or config')}",
        CONFIDENCE[verdict],
        found.share if verdict != "refuted" else None,
        parameters={name: round(end, 4) for name, end in (("low", band.low), ("high", band.high)) if np.isfinite(end)},
        scope=str(band.place),
    )


def _edge(band: Band) -> str:
    edge = f"of {band.low:.4g} or more" if np.isfinite(band.low) else f"below {band.high:.4g}"
    return f"{edge} where {band.place}" if band.place.column else edge


def _times_as_often(facts: Facts, band: Band) -> tuple[float, float]:
    """How often rows of the place come against the baseline's: those beyond the band's edge, and those in the band."""

    def often(sample: RowSample) -> tuple[float, float]:
        inside = band.holds(sample)
        return per_second(sample, band.place.holds(sample) & ~inside), per_second(sample, inside)

    was, now = often(facts.before), often(facts.during)
    return now[0] / was[0], now[1] / was[1]


def heights(sample: RowSample) -> Floats:
    """How high each row's answer is (n,): its score, or the figure that was predicted; NaN where it is neither."""
    if np.isfinite(sample.score).any() or not is_number(sample.p):
        return sample.score
    return np.asarray(sample.p, dtype=float)


def _counted(facts: Facts) -> tuple[list[str], list[str]]:
    """The counts of rows, and those of requests, that fell with the failure."""
    fell = [one.name for one in facts.signals or () if one.direction == "down" and one.order == "with"]
    rows = [name for name in fell if _ROWS.search(name) and not _ASKED.search(name)]
    return rows, [name for name in fell if _ASKED.search(name)]


def _emptied(facts: Facts) -> Band | None:
    """The band of scores that lost most rows, where it did so evenly up to its edge; None where none did."""
    ends = np.unique(np.nanquantile(heights(facts.before), ENDS))
    found = [band for place in places_of(facts.during) if place.whole for band in _bands(facts, place, ends)]
    best = max(found, key=lambda one: one.gain, default=None)
    if best is None or best.gain < CLEAR + np.log(len(found)) or best.left > LOST:
        return None
    return best if _is_even(facts, best) else None


def _bands(facts: Facts, place: Place, ends: Floats) -> Iterator[Band]:
    old, new = (heights(sample)[place.holds(sample)] for sample in (facts.before, facts.during))
    for end in ends.tolist():
        for low, high in ((-np.inf, end), (end, np.inf)):
            was, now = (float(((one >= low) & (one < high)).sum()) for one in (old, new))
            if was >= FEWEST and min(len(old) - was, len(new) - now) >= FEWEST:
                left = (now / was) / ((len(new) - now) / (len(old) - was))
                yield Band(place, low, high, left, _gain(was, now, len(old), len(new)) if left < 1 else 0.0)


def _gain(was: float, now: float, old: int, new: int) -> float:
    """Half the likelihood ratio statistic (nats) of two windows having the same share of rows in a band."""

    def log(k: float, n: float) -> float:
        parts = [(one, one / n) for one in (k, n - k) if one > 0]
        return float(sum(count * np.log(share) for count, share in parts))

    return log(was, old) + log(now, new) - log(was + now, old + new)


def _is_even(facts: Facts, band: Band) -> bool:
    """Whether rows are lost alike near the edge and far from it, and kept alike on its other side."""
    edge = band.low if np.isfinite(band.low) else band.high
    old, new = (heights(sample)[band.place.holds(sample)] for sample in (facts.before, facts.during))
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    cuts = [float(np.median(old[old < edge])), edge, float(np.median(old[old >= edge]))]
    was, now = (np.bincount(np.searchsorted(cuts, one, "right"), minlength=4) for one in (old, new))
    rates = now / np.maximum(was, 1)
    kept = rates[:2] if np.isfinite(band.low) else rates[2:]
    return bool(np.abs(rates[[0, 2]] - rates[[1, 3]]).max() <= EVEN * kept.mean())
