"""Parts of an SVG picture as text, and axes with round ticks. Whatever comes from data is escaped here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

# Signs that no HTML or SVG document may hold: controls and halves of surrogate pairs.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# Steps between ticks: seconds up to two weeks, from there on months.
SECONDS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600)
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
MONTH = 30.44 * 86400
DAY = 86400

Value = str | float | None


def clean(text: str) -> str:
    r"""The text with every sign that a document may not hold replaced.

    >>> ascii(clean("a\x00b"))
    "'a\\ufffdb'"
    """
    return FORBIDDEN.sub("\ufffd", text)


def element(tag: str, *content: str, **attributes: Value) -> str:
    """An element of markup; attributes are escaped, content is markup already.

    `class_` gives `class`, other underscores become hyphens; None leaves an attribute out.

    >>> element("rect", x=1.25, class_="a<b")
    '<rect x="1.2" class="a&lt;b"/>'
    """
    named = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    written = "".join(f' {key}="{_attribute(value)}"' for key, value in named)
    return f"<{tag}{written}>{''.join(content)}</{tag}>" if content else f"<{tag}{written}/>"


def _attribute(value: str | float) -> str:
    return escape(clean(value)) if isinstance(value, str) else short(value)


def short(value: float) -> str:
    """A coordinate with one decimal at most.

    >>> short(3.0), short(2.26)
    ('3', '2.3')
    """
    return f"{value:.1f}".removesuffix(".0")


def words(text: str) -> str:
    """Text as the content of an element: escaped, and kept from turning its neighbours' direction."""
    return f"\u2068{escape(clean(text))}\u2069"


def label(x: float, y: float, text: str, **attributes: Value) -> str:
    """A line of text in a picture."""
    return element("text", words(text), x=x, y=y, **attributes)


def fitted(text: str, width: float, *, per_letter: float = 6.4) -> str:
    """The text cut to about that many pixels.

    >>> fitted("a long name", 40)
    'a lon…'
    """
    room = max(1, int(width / per_letter))
    return text if len(text) <= room else text[: max(1, room - 1)] + "…"


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear map from values to pixels.

    >>> Axis(0.0, 10.0, 100.0, 200.0)(5.0)
    150.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def inside(self, value: float) -> float:
        """The pixel of a value, held within the axis."""
        first, last = sorted((self.start, self.end))
        return min(last, max(first, self(value)))


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values within low..high, at most `most` + 1 of them.

    >>> round_ticks(0.83, 0.96, 4)
    [0.85, 0.9, 0.95]
    """
    raw = (high - low) / max(1, most)
    if not 0 < raw < math.inf:
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def time_ticks(start: datetime, end: datetime, most: int = 7) -> list[tuple[datetime, str]]:
    """Round UTC moments within start..end with their labels; the year is named once, then where it changes.

    >>> [text for _, text in time_ticks(datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 7, 9, tzinfo=UTC), 4)]
    ['2013-07-02', '07-04', '07-06', '07-08']
    """
    span = (end - start).total_seconds() / max(1, most)
    step = next((s for s in SECONDS if s >= span), None)
    if step is None:
        months = next((m for m in MONTHS if m * MONTH >= span), MONTHS[-1])
        return [(when, f"{when:%Y-%m}") for when in _months(start, end, months)]
    first = math.ceil(start.timestamp() / step) * step
    moments = [datetime.fromtimestamp(t, UTC) for t in range(first, int(end.timestamp()) + 1, step)]
    texts = [_tick_text(when, moments[i - 1] if i else None, step) for i, when in enumerate(moments)]
    return list(zip(moments, texts, strict=True))


def _months(start: datetime, end: datetime, step: int) -> Iterator[datetime]:
    index = -(-(start.year * 12 + start.month - 1) // step) * step
    while (when := datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)) <= end:
        if when >= start:
            yield when
        index += step


def _tick_text(when: datetime, previous: datetime | None, step: int) -> str:
    if step >= DAY:
        return f"{when:%Y-%m-%d}" if previous is None or previous.year != when.year else f"{when:%m-%d}"
    if previous is None or previous.date() != when.date():
        return f"{when:%m-%d %H:%M}"
    return f"{when:%H:%M:%S}" if step < 60 else f"{when:%H:%M}"
