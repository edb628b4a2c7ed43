"""Faults with a known cause, put into what a model is served or into which version serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mortis.problems import InputProblem, listed, near

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Affine:
    """A feature is served as `feature * factor + offset`: in another unit, on another scale, from another zero."""

    cause: ClassVar[str] = "D3"
    feature: str
    factor: float = 1.0
    offset: float = 0.0

    def served(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """The feature (n,) as it is served instead, as float64; InputProblem where it holds no numbers."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
            raise InputProblem(f"column {self.feature!r} holds {values.type}, not numbers: a unit can't change there")
        return pc.add(pc.multiply(values.cast(pa.float64()), self.factor), self.offset)


@dataclass(frozen=True, slots=True)
class Missing:
    """A feature is served as null."""

    cause: ClassVar[str] = "D1"
    feature: str

    def served(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Nulls (n,) of the feature's own type."""
        import pyarrow as pa

        return pa.chunked_array([pa.nulls(len(values), values.type)])


@dataclass(frozen=True, slots=True)
class WrongVersion:
    """A version scores that the log doesn't name; the features are as they should be."""

    cause: ClassVar[str] = "M2"
    version: str


Kind = Affine | Missing | WrongVersion


@dataclass(frozen=True, slots=True)
class Fault:
    """From `onset` on, what `kind` says goes wrong: on rows where the column of `scope` holds its value, or on all."""

    kind: Kind
    onset: datetime
    scope: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.onset.tzinfo is None:
            raise InputProblem(f"the fault's onset {self.onset.isoformat()} has no time zone: give it in UTC")


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        # One airport's feed begins to send the departure delay in seconds.
        "unit": Fault(Affine("dep_delay", factor=60.0), datetime(2013, 11, 7, 6, tzinfo=UTC), ("origin", "EWR")),
        # One airport's feed loses the departure delay, as it is lost for a cancelled flight: the model has learnt that.
        "nulls": Fault(Missing("dep_delay"), datetime(2013, 11, 8, 15, tzinfo=UTC), ("origin", "LGA")),
        # The replica that answers for one airport loads the earlier candidate's file.
        "version": Fault(WrongVersion("v1"), datetime(2013, 11, 6, 18, tzinfo=UTC), ("origin", "JFK")),
    }
)
"""The faults by name; a further one is one entry."""


def affected(rows: pa.Table, fault: Fault, *, time: str = "scheduled_at") -> pa.ChunkedArray:
    """Whether each row (n,) is served at or after the onset and in scope; never null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    _check_columns(rows, time, *(fault.scope or ())[:1])
    onset = fault.onset if rows.schema.field(time).type.tz else fault.onset.astimezone(UTC).replace(tzinfo=None)
    hit = pc.greater_equal(rows[time], pa.scalar(onset, rows.schema.field(time).type))
    if fault.scope:
        column, value = fault.scope
        hit = pc.and_(hit, pc.equal(rows[column], value))
    return pc.fill_null(hit, fill_value=False)


def inject(rows: pa.Table, fault: Fault, *, time: str = "scheduled_at") -> pa.Table:
    """The same rows as served with the fault: the feature changes where `affected`, and nothing else does.

    A wrong version changes no feature.

    >>> import pyarrow as pa
    >>> noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    >>> rows = pa.table({"at": pa.array([noon.replace(hour=11), noon, noon]), "x": [1.0, 2.0, None]})
    >>> inject(rows, Fault(Affine("x", factor=60.0), noon), time="at")["x"].to_pylist()
    [1.0, 120.0, None]
    >>> inject(rows, Fault(Missing("x"), noon), time="at")["x"].to_pylist()
    [1.0, None, None]
    """
    import pyarrow.compute as pc

    kind = fault.kind
    if isinstance(kind, WrongVersion):
        return rows
    hit = affected(rows, fault, time=time)
    _check_columns(rows, kind.feature)
    values = rows[kind.feature]
    changed = kind.served(values)
    place = rows.column_names.index(kind.feature)
    return rows.set_column(place, kind.feature, pc.if_else(hit, changed, values.cast(changed.type)))


def serving(rows: pa.Table, fault: Fault | None, *, logged: str, time: str = "scheduled_at") -> NDArray[Any]:
    """The version (n,) that scores each row: the logged one, but for the rows that get a wrong one.

    >>> import pyarrow as pa
    >>> noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    >>> rows = pa.table({"at": pa.array([noon.replace(hour=11), noon])})
    >>> serving(rows, Fault(WrongVersion("v1"), noon), logged="v2", time="at").tolist()
    ['v2', 'v1']
    """
    if fault is None or not isinstance(fault.kind, WrongVersion):
        return np.full(rows.num_rows, logged)
    return np.where(affected(rows, fault, time=time).to_numpy(), fault.kind.version, logged)


def _check_columns(rows: pa.Table, *names: str) -> None:
    """InputProblem for the first name that is no column."""
    known = rows.column_names
    for name in names:
        if name not in known:
            raise InputProblem(f"column {name!r} not found; there are: {listed(known)}{near(name, known)}")
