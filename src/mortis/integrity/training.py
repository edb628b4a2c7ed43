"""The training table: whether it is the one that was recorded, and how the log's features differ from it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from mortis.integrity.drift import drift_reading
from mortis.integrity.readings import IntegrityCheck, Reading
from mortis.integrity.windows import Column, Counts, Kind, columns_of, slots_of
from mortis.problems import InputProblem, listed
from mortis.profiles import Profile
from mortis.records import Interval, Window

PREFIX = "mortis1:"
_NAN = float("nan")
_SHORT = 4


@dataclass(frozen=True, slots=True)
class ColumnPrint:
    """One column's content in any order of rows: type, sum and exclusive or of its values' hashes, nulls."""

    type: str
    sum_hash: int
    xor_hash: int
    nulls: int

    def digest(self, name: str) -> bytes:
        """16 bytes that stand for the column's name and content."""
        text = json.dumps([name, self.type, self.sum_hash, self.xor_hash, self.nulls])
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class TableFingerprint:
    """A table's content, whatever the order of its rows and columns: how many rows, and each column's print.

    >>> found = TableFingerprint(2, {"age": ColumnPrint("double", 7, 3, 0)})
    >>> TableFingerprint.from_json(found.to_json()) == found
    True
    >>> found.text()
    'mortis1:2:...:...'
    """

    rows: int
    columns: Mapping[str, ColumnPrint]

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

    >>> before = TableFingerprint(2, {"age": ColumnPrint("double", 7, 3, 0), "city": ColumnPrint("text", 1, 1, 0)})
    >>> after = TableFingerprint(2, {"age": ColumnPrint("double", 7, 3, 0), "city": ColumnPrint("text", 2, 1, 0)})
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


def schema_checks(training: Mapping[str, Kind], log: Mapping[str, Kind]) -> tuple[IntegrityCheck, ...]:
    """One check for every feature that the training table and the log don't share by name and kind.

    What the log lacks and what is of another kind is flagged; what only the log has is told.

    >>> [c.statement for c in schema_checks({"age": "number"}, {"age": "category"})]
    ['age: a number in the training table, a category in the log']
    """
    found = []
    for name in sorted({*training, *log}):
        trained, logged = training.get(name), log.get(name)
        if trained == logged:
            continue
        if trained and logged:
            words = f"a {trained} in the training table, a {logged} in the log"
        else:
            words = "in the training table, not in the log" if trained else "in the log, not in the training table"
        found.append(
            IntegrityCheck(
                feature=name,
                check="schema",
                baseline=_NAN,
                incident=_NAN,
                effect=Interval(_NAN, _NAN, _NAN),
                n_baseline=0,
                n_incident=0,
                usual=None,
                q=_NAN,
                strength=1.0 if trained else 0.0,
                flagged=trained is not None,
                statement=f"{name}: {words}",
            )
        )
    return tuple(found)


def training_readings(training: Profile, log: Profile, baseline: Window) -> tuple[Reading, ...]:
    """How far each feature of the log's baseline lies from the training table, profiled under the same layout.

    The yardstick is how far halves of the baseline lie from each other. Judge the readings with `checks.judge`.

    Raises ValueError where a number was cut at other edges.
    """
    found: list[Reading] = []
    for column in columns_of(log, baseline, baseline):
        if column.name.startswith("("):
            continue
        trained = slots_of(training, column.name)
        if not trained or trained[0] != column.kind:
            continue
        if column.kind == "number" and training.numbers[column.name].edges != column.edges:
            raise ValueError(f"{column.name!r}: the training table was profiled with other edges than the log")
        found += drift_reading(
            _against(column, trained[1]), check="training drift", length=max(len(column.baseline.rows) // 2, 1)
        )
    return tuple(found)


def _against(column: Column, trained: Mapping[str, float]) -> Column:
    """The column with the training table's rows in place of the incident's, over the slots of both."""
    slots = (*column.slots[:-1], *(s for s in trained if s not in column.slots), column.slots[-1])
    wide = np.zeros((len(column.baseline.rows), len(slots)))
    wide[:, [slots.index(slot) for slot in column.slots]] = column.baseline.rows
    rows = np.array([[trained.get(slot, 0.0) for slot in slots]])
    nothing = np.zeros(0)
    return Column(
        column.name, column.kind, slots, column.edges, Counts(wide, nothing, nothing), Counts(rows, nothing, nothing)
    )
