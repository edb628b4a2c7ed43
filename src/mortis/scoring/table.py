"""The score as lines of text for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mortis.scoring.summary import Score, Share


def score_lines(score: Score) -> Iterator[str]:
    """The score as a table: overall, per kind, calibration, naive rules, and what is mistaken for what."""
    yield f"{score.cases} cases, seed {score.seed} ({score.half} half of the seeds)"
    if score.unmade:
        yield f"{score.unmade} of them could not be made so that the fault shows, and count for nothing"
    yield from (f"the program broke on {one}" for one in score.broke)
    yield ""
    yield from (f"{name:<46} {figure}" for name, figure in overall(score))
    yield ""
    yield f"{'kind':<10} {'first':>9} {'in three':>9} {'feature':>9} {'figures':>9}   meaning"
    for one in score.kinds:
        shares = (one.first, one.among, one.feature, one.parameters)
        yield f"{one.plot:<10} {' '.join(f'{counted(share):>9}' for share in shares)}   {one.meaning}"
    yield ""
    yield "stated confidence against how often the first named cause is right"
    for band in score.bands:
        yield f"  {band.low:.1f} to {band.high:.1f}   stated {band.stated:.2f}   right {told(band.right)}"
    yield ""
    yield f"{'simple rules on the same cases':<46} {'rule':>16} {'Mortis':>16} {'alarms when healthy':>20}"
    for rule in score.naive:
        figures = f"{brief(rule.right):>16} {brief(rule.product):>16} {brief(rule.false_alarms):>20}"
        yield f"{rule.rule:<46} {figures}   names {rule.names}"
    yield ""
    yield "what was told first, by what was true"
    for true, answers in score.confusion.items():
        yield f"  {true:<12} {', '.join(f'{answer} {n}' for answer, n in answers.items())}"


def overall(score: Score) -> Iterator[tuple[str, str]]:
    """What is asked over all cases, and the answers."""
    yield "right cause first", told(score.first)
    yield "right causes among the first three", told(score.among)
    yield "right features, where there are any to name", told(score.feature)
    yield "right figures (factor, version ...)", told(score.parameters)
    yield "change that brought it ranked first", told(score.change)
    yield "false causes where nothing failed", told(score.false_causes)
    yield "unknown where nobody can tell", told(score.unknown)
    yield "says what to fetch where evidence is missing", told(score.asks)
    yield "onset inside its interval", told(score.onset_covered)
    yield "onset off by, median", "-" if score.onset_hours is None else f"{score.onset_hours:.0f} hours"
    yield "share of the drop inside its interval", told(score.share_covered)
    yield (
        "share of the drop off by, median",
        "-" if score.share_error is None else f"{100 * score.share_error:.1f} points",
    )
    yield (
        "seconds for a case, median and slowest",
        "-" if score.seconds is None else f"{score.seconds:.1f}, {score.slowest:.1f}",
    )


def told(share: Share) -> str:
    """The share in percent with its interval and the cases behind it.

    >>> told(Share(9, 10)), told(Share(0, 0))
    ('90 % (60 to 98 %, n = 10)', '-')
    """
    found = share.interval
    if found is None:
        return "-"
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f} %, n = {share.n})"


def brief(share: Share) -> str:
    """The share in percent with the cases behind it.

    >>> brief(Share(9, 10))
    '90 % (n = 10)'
    """
    return f"{100 * share.right / share.n:.0f} % (n = {share.n})" if share.n else "-"


def counted(share: Share) -> str:
    """How many of how many.

    >>> counted(Share(3, 4)), counted(Share(0, 0))
    ('3/4', '-')
    """
    return f"{share.right}/{share.n}" if share.n else "-"


def score_json(score: Score) -> str:
    """The score as a JSON object; each share with its interval."""
    return json.dumps(_with_intervals(asdict(score)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _with_intervals(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"right", "n"}:
        found = Share(**value).interval
        return value | ({"share": found.value, "low": found.low, "high": found.high} if found else {})
    if isinstance(value, dict):
        return {key: _with_intervals(item) for key, item in value.items()}
    return [_with_intervals(item) for item in value] if isinstance(value, list | tuple) else value
