"""Faults with a known cause, put into a table of served features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from mortis.problems import InputProblem, listed, near

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Fault:
    """From `onset` on, `feature` is served as `feature * factor + offset`: on rows where `scope` holds, or on all.

    `cause` is the id in the cause catalogue; `scope` a column and its value.
    """

    cause: str
    feature: str
    onset: datetime
    factor: float = 1.0
    offset: float = 0.0
    scope: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.onset.tzinfo is None:
            raise InputProblem(f"the fault's onset {self.onset.isoformat()} has no time zone: give it in UTC")


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        # One airport's feed begins to send the departure delay in seconds.
        "unit": Fault(
            cause="D3",
            feature="dep_delay",
            onset=datetime(2013, 11, 7, 6, tzinfo=UTC),
            factor=60.0,
            scope=("origin", "EWR"),
        ),
    }
)
"""The faults by name; a further one is one entry."""


def affected(rows: pa.Table, fault: Fault, *, time: str = "scheduled_at") -> pa.ChunkedArray:
    """Whether each row (n,) is served at or after the onset and in scope; never null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in (fault.feature, time, *(fault.scope or ())[:1]):
        if name not in rows.column_names:
            known = rows.column_names
            raise InputProblem(f"column {name!r} not found; there are: {listed(known)}{near(name, known)}")
    onset = fault.onset if rows.schema.field(time).type.tz else fault.onset.astimezone(UTC).replace(tzinfo=None)
    hit = pc.greater_equal(rows[time], pa.scalar(onset, rows.schema.field(time).type))
    if fault.scope:
        column, value = fault.scope
        hit = pc.and_(hit, pc.equal(rows[column], value))
    return pc.fill_null(hit, fill_value=False)


def inject(rows: pa.Table, fault: Fault, *, time: str = "scheduled_at") -> pa.Table:
    """The same rows with the fault in them: nothing but the feature changes, and that only where `affected`.

    >>> import pyarrow as pa
    >>> noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    >>> rows = pa.table({"at": pa.array([noon.replace(hour=11), noon, noon]), "x": [1.0, 2.0, None]})
    >>> inject(rows, Fault("D3", "x", noon, factor=60.0), time="at")["x"].to_pylist()
    [1.0, 120.0, None]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    hit = affected(rows, fault, time=time)
    kind = rows.schema.field(fault.feature).type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise InputProblem(f"column {fault.feature!r} holds {kind}, not numbers: a unit can't change there")
    values = rows[fault.feature].cast(pa.float64())
    changed = pc.add(pc.multiply(values, fault.factor), fault.offset)
    place = rows.column_names.index(fault.feature)
    return rows.set_column(place, fault.feature, pc.if_else(hit, changed, values))
