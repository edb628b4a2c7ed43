"""How log lines write their time: one pattern for each way, and the seconds that it means."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from mortis.records import Window
from mortis.sources.times import PER_SECOND, epoch_unit

CACHED_TIMES = 1 << 12
Seconds = Callable[[str, str], int | None]
"""From the text of a time and of its offset to whole seconds of the epoch, UTC; None where it is no time."""

_FRACTION = r"(?:[.,]\d+)?"
_OFFSET = r"(?: ?(?P<offset>Z|UTC|GMT|[+-]\d\d:?\d\d))?"
_MONTHS = {
    name: i
    for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d\d:\d\d:\d\d"
_EARLIEST, _LATEST = -2_208_988_800, 4_102_444_800  # 1900 and 2100


@dataclass(frozen=True, slots=True)
class Clock:
    """One way to write a time: `pattern` has a group `when`, and may have `offset` and `letter` (a level).

    `fields` is the regular expression of `when`'s parts: year, month, day, hour, minute, second, as groups y m d H M S;
    without a year, it is that of the case's windows. None where `when` is a number of seconds since 1970, or of
    fractions of them.
    """

    name: str
    pattern: str
    fields: str | None


CLOCKS: list[Clock] = []


def register_clock(clock: Clock) -> None:
    """Make a way to write times known; built-in ones go through the same door."""
    CLOCKS.append(clock)


_HMS = r"(?P<H>\d\d):?(?P<M>\d\d):?(?P<S>\d\d)"
for _clock in (
    Clock(
        "ISO 8601",
        rf"(?P<when>\d{{4}}[-/.]\d\d[-/.]\d\d(?:T|, ?| ){_CLOCK}){_FRACTION}{_OFFSET}",
        rf"(?P<y>\d{{4}}).(?P<m>\d\d).(?P<d>\d\d)[T, ]+{_HMS}",
    ),
    Clock(
        "year with two digits (yy/mm/dd)",
        rf"(?P<when>\d\d/\d\d/\d\d {_CLOCK}){_FRACTION}",
        rf"(?P<y>\d\d)/(?P<m>\d\d)/(?P<d>\d\d) {_HMS}",
    ),
    Clock("yymmdd hhmmss", r"(?P<when>\d{6} \d{6})", r"(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d) " + _HMS),
    Clock(
        "yyyymmdd",
        rf"(?P<when>\d{{8}}[T -](?:\d{{6}}|{_CLOCK})){_FRACTION}{_OFFSET}",
        r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)." + _HMS,
    ),
    Clock(
        "ctime",
        rf"(?P<when>[A-Z][a-z]{{2}} {_MONTH} [ \d]\d {_CLOCK}{_FRACTION} \d{{4}})",
        rf"\w+ (?P<m>\w+) +(?P<d>\d+) {_HMS}[.,\d]* (?P<y>\d{{4}})",
    ),
    Clock(
        "common log format",
        rf"(?P<when>\d\d/{_MONTH}/\d{{4}}:{_CLOCK})(?: (?P<offset>[+-]\d{{4}}))?",
        rf"(?P<d>\d\d)/(?P<m>\w+)/(?P<y>\d{{4}}):{_HMS}",
    ),
    Clock(
        "day, month, year",
        rf"(?P<when>\d\d? {_MONTH} \d{{4}} {_CLOCK}){_FRACTION}{_OFFSET}",
        rf"(?P<d>\d+) (?P<m>\w+) (?P<y>\d{{4}}) {_HMS}",
    ),
    Clock("syslog, no year", rf"(?P<when>{_MONTH} [ \d]\d {_CLOCK})", rf"(?P<m>\w+) +(?P<d>\d+) {_HMS}"),
    Clock(
        "glog, no year", rf"(?P<letter>[DIWEF])(?P<when>\d{{4}} {_CLOCK}){_FRACTION}", r"(?P<m>\d\d)(?P<d>\d\d) " + _HMS
    ),
    Clock("epoch", r"(?P<when>\d{9,10}(?:\.\d+)?|\d{12,13}|\d{15,16}|\d{18,19})(?!\S)", None),
):
    register_clock(_clock)


def seconds_of(clock: Clock, windows: tuple[Window, ...]) -> Seconds:
    """What reads a clock's times: whole seconds of the epoch; without an offset they are UTC.

    >>> iso, windows = CLOCKS[0], ()
    >>> read = seconds_of(iso, windows)
    >>> read("2013-08-01 06:00:00", ""), read("2013-08-01T06:00:00", "+02:00"), read("2013-13-01 06:00:00", "")
    (1375336800, 1375329600, None)
    """
    if clock.fields is None:
        return lambda when, _: epoch_seconds(float(when))
    fields = re.compile(clock.fields)

    @lru_cache(CACHED_TIMES)
    def read(when: str, offset: str) -> int | None:
        found = fields.fullmatch(when)
        if found is None:
            return None
        part, zone = found.groupdict(), _zone(offset)
        return _seconds(_year(part["y"]), part, zone) if "y" in part else _nearest(part, zone, windows)

    if not clock.fields.endswith(_HMS):
        return read

    def read_by_minute(when: str, offset: str) -> int | None:
        """The minute from the cache, as lines of one second are few and those of one minute many."""
        minute = read(when[:-2] + "00", offset)
        return None if minute is None else minute + int(when[-2:])

    return read_by_minute


def epoch_seconds(number: float) -> int | None:
    """Whole seconds since 1970 of a number of seconds, milli-, micro- or nanoseconds; None where that is no time.

    >>> [epoch_seconds(1375336800 * scale) for scale in (1, 1e3, 1e6, 1e9)]
    [1375336800, 1375336800, 1375336800, 1375336800]
    >>> epoch_seconds(12.5) is None
    True
    """
    unit = epoch_unit(number)
    seconds = int(number // PER_SECOND[unit]) if unit else _LATEST
    return seconds if seconds < _LATEST else None


def _zone(offset: str) -> timezone:
    if offset[:1] not in ("+", "-"):
        return UTC
    shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
    return timezone(shift if offset[0] == "+" else -shift) if shift < timedelta(days=1) else UTC


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)


def _seconds(year: int, part: dict[str, str], zone: timezone) -> int | None:
    month = int(part["m"]) if part["m"].isdecimal() else _MONTHS.get(part["m"].lower(), 0)
    try:
        moment = datetime(
            year, month, int(part["d"]), int(part["H"]), int(part["M"]), min(int(part["S"]), 59), tzinfo=zone
        )
    except ValueError:
        return None
    seconds = int(moment.timestamp())
    return seconds if _EARLIEST <= seconds < _LATEST else None


def _nearest(part: dict[str, str], zone: timezone, windows: tuple[Window, ...]) -> int | None:
    """The moment in the year that brings it nearest to the windows; inside them, the latest."""
    start = min(window.start for window in windows).timestamp()
    end = max(window.end for window in windows).timestamp()
    years = range(min(w.start.year for w in windows) - 1, max(w.end.year for w in windows) + 2)
    moments = [moment for year in years if (moment := _seconds(year, part, zone)) is not None]
    return min(reversed(moments), key=lambda moment: max(start - moment, moment - end, 0), default=None)
