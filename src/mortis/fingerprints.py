"""A table's content in a few numbers, whatever the order of its rows: to know again what a model was trained on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mortis.problems import InputProblem, listed

PREFIX = "mortis1:"
_SHORT = 4
_WRAP = 1 << 64
_EXACT = 2.0**53

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class ColumnPrint:
    """One column's content in any order of rows: type, sum (modulo 2^64) and exclusive or of its values' hashes, nulls.

    Adding those of two parts gives that of the whole; parts of different types can't be added.
    """

    type: str
    sum_hash: int
    xor_hash: int
    nulls: int

    def __add__(self, other: ColumnPrint) -> ColumnPrint:
        if self.type != other.type:
            raise ValueError(f"a column of {self.type} can't be added to one of {other.type}")
        total = (self.sum_hash + other.sum_hash) % _WRAP
        return ColumnPrint(self.type, total, self.xor_hash ^ other.xor_hash, self.nulls + other.nulls)

    def digest(self, name: str) -> bytes:
        """16 bytes that stand for the column's name and content."""
        text = json.dumps([name, self.type, self.sum_hash, self.xor_hash, self.nulls])
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class TableFingerprint:
    """A table's content, whatever the order of its rows and columns: how many rows, and each column's print.

    Adding the fingerprints of two parts gives that of the whole; `TableFingerprint()` is the identity.

    >>> found = TableFingerprint(2, {"age": ColumnPrint("number", 7, 3, 0)})
    >>> TableFingerprint.from_json(found.to_json()) == found
    True
    >>> found.text()
    'mortis1:2:...:...'
    """

    rows: int = 0
    columns: Mapping[str, ColumnPrint] = field(default_factory=dict)

    def __add__(self, other: TableFingerprint) -> TableFingerprint:
        if not self.columns or not other.columns:
            return TableFingerprint(self.rows + other.rows, self.columns or other.columns)
        if self.columns.keys() != other.columns.keys():
            raise ValueError("tables of different columns can't be added")
        columns = {name: one + other.columns[name] for name, one in self.columns.items()}
        return TableFingerprint(self.rows + other.rows, columns)

    def to_json(self) -> str:
        """One JSON text that `from_json` reads back."""
        columns = {name: [c.type, c.sum_hash, c.xor_hash, c.nulls] for name, c in sorted(self.columns.items())}
        return json.dumps({"rows": self.rows, "columns": columns})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The fingerprint that `to_json` wrote."""
        data = json.loads(text)
        return cls(data["rows"], {name: ColumnPrint(*parts) for name, parts in data["columns"].items()})

    def text(self) -> str:
        """The compact form for a case file: rows, a hash of everything, and eight bytes for each column."""
        short = b"".join(_key(name) + one.digest(name)[:_SHORT] for name, one in sorted(self.columns.items()))
        return f"{PREFIX}{self.rows}:{self._total()}:{base64.urlsafe_b64encode(short).decode().rstrip('=')}"

    def _total(self) -> str:
        whole = hashlib.blake2b(str(self.rows).encode(), digest_size=16)
        for name, one in sorted(self.columns.items()):
            whole.update(one.digest(name))
        return whole.hexdigest()

    def recorded(self) -> RecordedFingerprint:
        """The same as its compact form holds it."""
        return read_fingerprint(self.text())


def column_print(hashes: Hashes, *, type_name: str, nulls: int) -> ColumnPrint:
    """The print of a column from its known values' hashes (n,), in any order.

    >>> column_print(hashed(np.array([1.0, 2.0])), type_name="number", nulls=1) == column_print(
    ...     hashed(np.array([2, 1])), type_name="number", nulls=1
    ... )
    True
    """
    total = int(np.add.reduce(hashes, dtype=np.uint64))
    return ColumnPrint(type_name, total, int(np.bitwise_xor.reduce(hashes, dtype=np.uint64)), nulls)


def hashed(values: npt.NDArray[Any]) -> Hashes:
    """A hash for each known value (n,): numbers, truths as 0 and 1, or texts.

    The hashes are Mortis' own and the same on every machine: an equal table has an equal print years later. A whole
    number has the hash of the double that equals it.
    """
    if values.dtype.kind == "O":
        each = (hashlib.blake2b(str(v).encode(), digest_size=8).digest() for v in values.tolist())
        return np.frombuffer(b"".join(each), dtype="<u8").astype(np.uint64)
    doubles = values.astype(np.float64) + 0.0  # minus zero is zero
    bits = np.where(np.isnan(doubles), np.nan, doubles).view(np.uint64)
    if values.dtype.kind in "iu":
        exact = np.abs(doubles) < _EXACT
        bits = np.where(exact, bits, values.astype(np.uint64))  # beyond it several whole numbers share a double
    return _mixed(bits)


def _mixed(bits: Hashes) -> Hashes:
    """Bits spread over all 64 places.

    Source: Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators": the finaliser of SplitMix64.
    """
    with np.errstate(over="ignore"):
        mixed = bits + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class RecordedFingerprint:
    """What the compact form holds: rows, a hash of everything, short hashes of columns by those of their names."""

    rows: int
    total: str
    columns: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class TableMatch:
    """Whether a table is the recorded one: which columns hold something else, which are new, how many are gone."""

    same: bool
    statement: str
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    gone: int = 0


def read_fingerprint(text: str) -> RecordedFingerprint:
    """The fingerprint that a case file's `training.fingerprint` records.

    Raises InputProblem where it is none.

    >>> read_fingerprint("1f2e3d4c")
    Traceback (most recent call last):
    mortis.problems.InputProblem: training.fingerprint: '1f2e3d4c' looks like a digest of MLflow, which covers ...
    """
    form = re.fullmatch(PREFIX + r"(\d{1,18}):([0-9a-f]{32}):([\w-]*)", text.strip(), re.ASCII)
    short = _unpacked(form[3]) if form else None
    if form is None or short is None:
        raise InputProblem(_unreadable(text))
    pairs = [short[i : i + 2 * _SHORT] for i in range(0, len(short), 2 * _SHORT)]
    return RecordedFingerprint(int(form[1]), form[2], {pair[:_SHORT]: pair[_SHORT:] for pair in pairs})


def _unpacked(packed: str) -> bytes | None:
    """The bytes behind the columns' part; None where it was cut off."""
    try:
        short = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return None if len(short) % (2 * _SHORT) else short


def _unreadable(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    remedy = f"record Mortis' own, which begins with {PREFIX!r}, when the model is trained, or leave the key out"
    if re.fullmatch(r"[0-9a-f]{8}", text.strip()):
        why = "looks like a digest of MLflow, which covers 10,000 rows at most and can't be compared"
        return f"training.fingerprint: {shown!r} {why}; {remedy}"
    return f"training.fingerprint: {shown!r} is no fingerprint of a table; {remedy}"


def compare_tables(recorded: RecordedFingerprint, found: TableFingerprint) -> TableMatch:
    """Whether the table that was found is the one that was recorded, and which columns tell them apart.

    The order of rows and columns doesn't matter; a column's type does.

    >>> before = TableFingerprint(2, {"age": ColumnPrint("number", 7, 3, 0), "city": ColumnPrint("text", 1, 1, 0)})
    >>> after = TableFingerprint(2, {"age": ColumnPrint("number", 7, 3, 0), "city": ColumnPrint("text", 2, 1, 0)})
    >>> compare_tables(before.recorded(), after).statement
    'the training table is not the recorded one: city holds other values (2 rows in both)'
    """
    now = found.recorded()
    changed = tuple(sorted(n for n in found.columns if now.columns[_key(n)] != recorded.columns.get(_key(n))))
    added = tuple(name for name in changed if _key(name) not in recorded.columns)
    changed = tuple(name for name in changed if name not in added)
    gone = len(recorded.columns.keys() - now.columns.keys())
    if now.total == recorded.total:
        return TableMatch(same=True, statement=f"the training table is the recorded one, in all {found.rows:,} rows")
    parts = [
        f"{listed(changed, most=6)} {'holds' if len(changed) == 1 else 'hold'} other values" if changed else "",
        f"{listed(added, most=6)} {'was' if len(added) == 1 else 'were'} not recorded" if added else "",
        f"{gone} recorded {'column is' if gone == 1 else 'columns are'} not there" if gone else "",
    ]
    rows = (
        f"{found.rows:,} rows in both"
        if found.rows == recorded.rows
        else f"{recorded.rows:,} rows then, {found.rows:,} now"
    )
    why = "; ".join(part for part in parts if part) or "its rows differ"
    return TableMatch(
        same=False,
        statement=f"the training table is not the recorded one: {why} ({rows})",
        changed=changed,
        added=added,
        gone=gone,
    )


def _key(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=_SHORT).digest()
