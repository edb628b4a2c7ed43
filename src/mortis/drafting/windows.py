"""Where the baseline lies, as far as the log's parts or its time span tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mortis.drafting.arrangement import Arrangement
from mortis.drafting.writing import stated

BASELINE_SHARE = 0.6
_STEPS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A database's calendar is longer than Python's.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799


@dataclass(frozen=True, slots=True)
class WindowGuess:
    """The baseline window, None where the times don't tell one, and why."""

    baseline: tuple[datetime, datetime] | None
    why: str


def guess_windows(found: Arrangement) -> WindowGuess:
    """The baseline: the log's own part before where it was handed in so, else the first 60 % of its time, rounded."""
    time = found.roles["time"].column
    span = found.log.span(time)
    if span is None or span.first is None or span.last is None:
        return WindowGuess(None, "the log's first and last time could not be told; state where all was still well")
    if span.first == span.last:
        return WindowGuess(None, "all rows bear one time; a baseline needs times before the incident's")
    first, last = _moment(span.first), _moment(span.last)
    split = found.split
    if split:
        after = split[1].span(time)
        end = _moment(after.first) if after and after.first is not None else last
        baseline = _rounded(first, end)
        return WindowGuess(baseline, f"the time of {split[0].name}, up to {split[1].name} (from {stated(end)})")
    baseline = _rounded(first, first + (last - first) * BASELINE_SHARE)
    return WindowGuess(
        baseline, f"the first 60 % of the log ({stated(first)} to {stated(last)}); end it where all was still well"
    )


def _rounded(first: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Both moments rounded down to days, hours or minutes: the coarsest that leaves at least four steps."""
    step = next((step for step in _STEPS if end - first >= 4 * step), None)
    if step is None:
        return first, max(end, first + timedelta(seconds=1))
    return _floor(first, step), _floor(end, step)


def _floor(moment: datetime, step: timedelta) -> datetime:
    return _EPOCH + (moment - _EPOCH) // step * step


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=min(max(seconds, _EARLIEST), _LATEST))
