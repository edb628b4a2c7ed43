"""The windows as far as they are stated, and the time buckets that meet their boundaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from math import ceil, gcd
from typing import TYPE_CHECKING

from mortis.case import BUCKET_SECONDS, Windows
from mortis.problems import InputProblem, listed
from mortis.records import Window, iso

if TYPE_CHECKING:
    from mortis.engine import Span

MOST_BUCKETS = 400
MOST_FORCED_BUCKETS = 25_000
FEWEST_BUCKETS = 20
FEWEST_ROWS_A_BUCKET = 50
BUCKETS_A_WINDOW = 6
A_MONDAY = 4 * 86_400  # 1970-01-05, in epoch seconds


@dataclass(frozen=True, slots=True)
class Settled:
    """The windows, the stretch that the log spans in whole seconds, its buckets' first edge and width in seconds."""

    baseline: Window | None
    incident: Window | None
    log: Window
    origin: int
    width: int


def settle_windows(stated: Windows, span: Span, guesses: list[str]) -> Settled:
    """The windows checked against the log, and buckets of which every stated boundary is an edge.

    An incident without a baseline gets all that lies before it. Raises InputProblem where a window holds no
    predictions, or no buckets fit.
    """
    first, last = span.first or 0, span.last or 0
    log = Window(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last + 1, UTC))
    baseline = Window(*stated.baseline) if stated.baseline else None
    incident = Window(*stated.incident) if stated.incident else None
    _check_inside(baseline, incident, log)
    known = [window for window in (baseline, incident) if window]
    width = bucket_width(stated.bucket, known, log, rows=span.rows)
    if stated.bucket is None:
        guesses.append(
            f"windows.bucket = {bucket_name(width)}: {max(1, round(log.seconds / width))} buckets over the log"
        )
    if baseline is None and incident is not None:
        buckets = ceil((incident.start - log.start).total_seconds() / width)
        baseline = Window(incident.start - timedelta(seconds=buckets * width), incident.start)
        guesses.append(f"windows.baseline = {baseline}: what lies before the incident")
    # Where no boundary is stated, buckets are the calendar's: whole hours, days from midnight, weeks from Monday.
    edge = int(baseline.start.timestamp()) if baseline else (first - A_MONDAY) // width * width + A_MONDAY
    return Settled(baseline, incident, log, edge, width)


def _check_inside(baseline: Window | None, incident: Window | None, log: Window) -> None:
    spans = f"the log spans {iso(log.start)} to {iso(log.end)}"
    for name, window in (("baseline", baseline), ("incident", incident)):
        if window and not window.overlaps(log):
            raise InputProblem(f"windows.{name}: {window} holds no predictions; {spans}")
    if baseline is not None and incident is None and baseline.end >= log.end:
        raise InputProblem(
            f"windows.baseline: {baseline} reaches to the log's end, so no incident is left to find; {spans}; "
            "end it where the failure may have begun, or leave it out"
        )
    if baseline is None and incident is not None and incident.start <= log.start:
        raise InputProblem(
            f"windows.baseline: nothing comes before the incident ({incident}); {spans}; state a baseline"
        )


def bucket_width(stated: str | None, windows: Iterable[Window], log: Window, *, rows: int) -> int:
    """The bucket length in seconds: as stated, or the longest round one that meets the windows and isn't too long.

    Raises InputProblem where no bucket, or only a tiny one, meets the boundaries.
    """
    windows = list(windows)
    common = _common(windows)
    if stated:
        width = BUCKET_SECONDS[stated]
        if common % width:
            raise InputProblem(
                f"windows.bucket: {stated} buckets don't meet the windows' boundaries; {_remedy(common)}"
            )
        return _bearable(width, log, key="windows.bucket")
    shortest = min((w.seconds for w in windows), default=log.seconds / 2)
    fitting = [w for w in BUCKET_SECONDS.values() if common % w == 0] or [common]
    buckets = {width: log.seconds / width for width in fitting}
    enough = [w for w in fitting if buckets[w] <= MOST_BUCKETS and rows / buckets[w] >= FEWEST_ROWS_A_BUCKET]
    fine = [w for w in enough if shortest / w >= BUCKETS_A_WINDOW] or enough or fitting[-1:]
    width = max((w for w in fine if buckets[w] >= FEWEST_BUCKETS), default=min(fine))
    return _bearable(width, log, key="windows")


def _common(windows: Iterable[Window]) -> int:
    """The longest width in seconds of which every boundary is an edge, 0 where any will do."""
    bounds = [int(moment.timestamp()) for w in windows for moment in (w.start, w.end)]
    return reduce(gcd, (bound - bounds[0] for bound in bounds), 0)


def _remedy(common: int) -> str:
    fitting = [name for name, width in BUCKET_SECONDS.items() if common % width == 0]
    other = f", or take one of {listed(fitting)}" if fitting else ""
    return f"move these to whole buckets{other}"


def _bearable(width: int, log: Window, *, key: str) -> int:
    if log.seconds / width > MOST_FORCED_BUCKETS:
        raise InputProblem(
            f"{key}: buckets of {bucket_name(width)} are {round(log.seconds / width):,} over the log, more than "
            f"{MOST_FORCED_BUCKETS:,}; move the windows' boundaries to whole hours or days, and take longer buckets"
        )
    return width


def bucket_name(width: int) -> str:
    """The bucket's length as the case file writes it.

    >>> bucket_name(86400), bucket_name(90)
    ('1d', '90s')
    """
    return next((name for name, seconds in BUCKET_SECONDS.items() if seconds == width), f"{width}s")


def two_windows(stated: tuple[str | Window, str | Window]) -> tuple[Window, Window]:
    """The baseline and the incident of a command line; raises InputProblem where they are none, or overlap."""
    before, after = (parse_window(one, key) for one, key in zip(stated, ("--baseline", "--incident"), strict=True))
    if before.overlaps(after):
        raise InputProblem(
            f"--baseline {before} and --incident {after} overlap; end the baseline where the incident begins"
        )
    return before, after


def parse_window(text: str | Window, key: str) -> Window:
    """A window written 'A..B', each a date or an ISO 8601 moment; what has no offset is UTC.

    >>> parse_window("2013-08-01..2013-08-02T12:00", "--baseline").seconds
    129600.0
    """
    if isinstance(text, Window):
        return text
    parts = text.split("..")
    try:
        start, end = (datetime.fromisoformat(part.strip()) for part in parts)
    except ValueError:
        raise InputProblem(f"{key} {text!r}: not a window; write it like 2013-08-01..2013-08-15") from None
    moments = [m.replace(tzinfo=UTC) if m.tzinfo is None else m.astimezone(UTC) for m in (start, end)]
    if moments[0] >= moments[1]:
        raise InputProblem(f"{key} {text!r}: the window is empty; its end must come after its start")
    return Window(moments[0], moments[1])
