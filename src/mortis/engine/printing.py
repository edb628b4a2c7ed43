"""From batches of a table to its fingerprint; every engine ends here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from mortis.engine.types import kind_of
from mortis.fingerprints import ColumnPrint, Hashes, TableFingerprint, column_print, hashed

if TYPE_CHECKING:
    import pyarrow as pa


def fingerprint_of(batches: Iterable[pa.RecordBatch]) -> TableFingerprint:
    """The fingerprint of a table from its batches, one at a time."""
    return reduce(add, (_part(batch) for batch in batches), TableFingerprint())


def _part(batch: pa.RecordBatch) -> TableFingerprint:
    columns = {name: _column(batch.column(i)) for i, name in enumerate(batch.schema.names)}
    return TableFingerprint(batch.num_rows, columns)


def _column(column: Any) -> ColumnPrint:
    """Numbers by their value, times by their microseconds, anything else by its text."""
    import pyarrow as pa

    kind, known = kind_of(column.type), column.drop_null()
    if kind == "number" and pa.types.is_decimal(known.type):
        known = known.cast("float64")
    if kind == "number":
        return column_print(hashed(known.to_numpy(zero_copy_only=False)), type_name=kind, nulls=column.null_count)
    if kind == "time":
        moments = known.cast(pa.timestamp("us", getattr(known.type, "tz", None))).cast("int64")
        return column_print(hashed(moments.to_numpy(zero_copy_only=False)), type_name=kind, nulls=column.null_count)
    return column_print(_texts(known), type_name=kind, nulls=column.null_count)


def _texts(known: Any) -> Hashes:
    import pyarrow as pa

    if pa.types.is_nested(known.type) or pa.types.is_binary(known.type) or pa.types.is_large_binary(known.type):
        return hashed(np.array([repr(value) for value in known.to_pylist()], dtype=object))
    coded = known.cast("string").dictionary_encode()
    names = np.array(coded.dictionary.to_pylist(), dtype=object)
    places = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return hashed(names)[places] if len(names) else np.zeros(0, dtype=np.uint64)
