"""What a check measures before it is judged, and the record that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mortis.integrity.windows import Column
from mortis.integrity.yardstick import (
    Usual,
    compare,
    distance,
    rare_p,
    share_change,
    stretches,
    usual,
)
from mortis.profiles import Floats
from mortis.records import Interval


@dataclass(frozen=True, slots=True)
class Reading:
    """What one check found in one column, not yet judged.

    `baseline` and `incident` are the figure in the two windows, `effect` the change in the check's own terms, `rows`
    the rows behind each figure, `p` the chance of it where nothing changed, `usual` the same effect inside the
    baseline, `least` the smallest effect (by size) worth naming, `strength` the change as a Jensen-Shannon distance,
    which checks of every kind share (0 to 1; 0 where it has none). `about` is the value or range that is meant;
    `statement` tells the figures.
    """

    feature: str
    check: str
    baseline: float
    incident: float
    effect: Interval
    rows: tuple[int, int]
    p: float
    usual: Usual | None
    least: float
    strength: float
    statement: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class IntegrityCheck:
    """One question about one column's data, answered: baseline against incident.

    `feature` is the column, or a name in parentheses for the model's output and for all rows. `effect` is in the
    check's own terms (a difference of shares, a distance, a ratio less 1); its limits are not a number where no
    interval is defined. `usual` is the same effect between stretches of the baseline; `q` the false-discovery rate
    among all checks of the case, not a number where the question has nothing to do with chance. `strength` is the
    change as a Jensen-Shannon distance, which checks of every kind share; 0 where it has none.
    """

    feature: str
    check: str
    baseline: float
    incident: float
    effect: Interval
    n_baseline: int
    n_incident: int
    usual: Usual | None
    q: float
    strength: float
    flagged: bool
    statement: str
    about: str = ""


Check = Callable[[Column], Iterable[Reading]]
"""What a check is: from a column in two windows to what it measured there; nothing where the question has no sense."""


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Rows that have something and rows that have not, by bucket: (buckets, 2) in each window."""

    before: Floats
    after: Floats

    @property
    def rows(self) -> tuple[int, int]:
        """Rows in each window."""
        return int(self.before.sum()), int(self.after.sum())

    @property
    def values(self) -> tuple[float, float]:
        """The share in each window; not a number where there are no rows."""
        before, after = (part.sum(axis=0) for part in (self.before, self.after))
        return _share(before), _share(after)


def share_of(column: Column, part: tuple[int, ...], whole: tuple[int, ...]) -> Share:
    """Rows in some slots of a column among those in others, which include them."""
    both = []
    for rows in (column.baseline.rows, column.incident.rows):
        inside = rows[:, list(part)].sum(axis=1)
        both.append(np.column_stack([inside, rows[:, list(whole)].sum(axis=1) - inside]))
    return Share(both[0], both[1])


def share_reading(
    column: Column, check: str, share: Share, *, what: str, least: float, looked_at: int = 1, about: str = ""
) -> Reading:
    """A change of a share as a reading; `what` names its rows, `looked_at` is how many shares it was picked from.

    The chance is the larger of that by the chi-square, which knows how days differ, and that by the exact test, which
    knows how few rows there are.
    """
    before, after = share.before.sum(axis=0), share.after.sum(axis=0)
    found = compare(share.before, share.after)
    values = share.values
    effect = share_change(before, after, found.dispersion)
    rarest = int(np.argmin(before + after))
    exact = rare_p((before[rarest], after[rarest]), (float(before.sum()), float(after.sum())))
    placebo = usual(share_changes(*stretches(share.before, len(share.after))))
    return Reading(
        feature=column.name,
        check=check,
        baseline=values[0],
        incident=values[1],
        effect=effect,
        rows=share.rows,
        p=min(1.0, max(found.p, exact) * looked_at),
        usual=placebo,
        least=least,
        strength=float(distance(before[None], after[None])[0]),
        statement=f"{what}: {moved(values)} of rows{limits(effect)}",
        about=about,
    )


def share_changes(rest: Floats, inside: Floats) -> Floats:
    """Differences of the first slot's share between pairs of [part, rest] counts, (m, 2) each: second minus first."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(inside[:, 0] / inside.sum(axis=1) - rest[:, 0] / rest.sum(axis=1), dtype=np.float64)


def moved(values: tuple[float, float]) -> str:
    """How a share moved, in words.

    >>> moved((0.05, 0.102)), moved((0.2, 0.2))
    ('5.0 % before, 10.2 % in the incident', '20.0 % before, 20.0 % in the incident')
    """
    return f"{percent(values[0])} before, {percent(values[1])} in the incident"


def percent(share: float) -> str:
    """A share in per cent, with more digits where it is small; 'no rows' where it is not defined.

    >>> percent(0.1234), percent(0.00042), percent(0.0), percent(float("nan"))
    ('12.3 %', '0.042 %', '0 %', 'no rows')
    """
    if not np.isfinite(share):
        return "no rows"
    if share == 0:
        return "0 %"
    return f"{100 * share:.1f} %" if abs(share) >= 0.001 else f"{100 * share:.2g} %"


def limits(effect: Interval) -> str:
    """The interval of a difference of shares, in points, to stand behind its figures."""
    if not np.isfinite(effect.value):
        return ""
    return f" ({100 * effect.value:+.1f} points, 95 % interval {100 * effect.low:+.1f} to {100 * effect.high:+.1f})"


def _share(part: Floats) -> float:
    return float(part[0] / part.sum()) if part.sum() else float("nan")
