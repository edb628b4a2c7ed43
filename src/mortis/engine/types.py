"""Arrow types in Ibis's terms, and what a column is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.datatypes as dt

from mortis.engine.dataset import Kind

if TYPE_CHECKING:
    import pyarrow as pa


def to_ibis(kind: pa.DataType) -> dt.DataType | None:
    """The Ibis type of an Arrow type; None for nested and binary ones, which no question reads.

    >>> import pyarrow as pa
    >>> to_ibis(pa.int16()), to_ibis(pa.large_string()), to_ibis(pa.list_(pa.int16()))
    (Int16(nullable=True), String(length=None, nullable=True), None)
    """
    import pyarrow.types as at

    plain = {"bool": "boolean", "float": "float32", "double": "float64", "halffloat": "float16", "date32[day]": "date"}
    name = str(kind)
    if name in plain:
        return ibis.dtype(plain[name])
    if at.is_integer(kind):
        return ibis.dtype(name)
    if at.is_decimal(kind):
        return dt.Decimal(kind.precision, kind.scale)
    if at.is_timestamp(kind):
        return dt.Timestamp(timezone=kind.tz)
    if at.is_date(kind):
        return ibis.dtype("timestamp")
    text = at.is_string(kind) or at.is_large_string(kind) or at.is_string_view(kind) or at.is_dictionary(kind)
    return ibis.dtype("string") if text or at.is_null(kind) else None


def schema_of(arrow: pa.Schema) -> ibis.Schema:
    """The Ibis schema of an Arrow schema, without the columns that no question reads.

    >>> import pyarrow as pa
    >>> schema_of(pa.schema({"hour": pa.int8(), "raw": pa.binary()})).names
    ('hour',)
    """
    kinds = {field.name: to_ibis(field.type) for field in arrow}
    return ibis.schema({name: kind for name, kind in kinds.items() if kind is not None})


def kind_of(arrow: pa.DataType) -> Kind:
    """What a column of this type is good for.

    >>> import pyarrow as pa
    >>> kind_of(pa.float32()), kind_of(pa.bool_()), kind_of(pa.timestamp("us")), kind_of(pa.binary())
    ('number', 'category', 'time', 'other')
    """
    kind = to_ibis(arrow)
    if kind is None:
        return "other"
    if kind.is_timestamp() or kind.is_date():
        return "time"
    return "number" if kind.is_numeric() and not kind.is_boolean() else "category"
