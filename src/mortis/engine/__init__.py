"""Engines run the one pass where the rows are; one protocol, one registry, DuckDB embedded by default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from mortis.problems import InputProblem, listed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mortis.engine.dataset import Condition, Dataset, Layout
    from mortis.fingerprints import TableFingerprint
    from mortis.profiles import Profile
    from mortis.records import Rate, Window
    from mortis.sources.tables import Table

# Called with what is being done, rows done and rows in all (0 where unknown).
Watch = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _rows: int) -> None:
    """The watcher that shows nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a column of times holds: rows, nulls, first and last moment (epoch seconds), first row that is no time."""

    rows: int
    nulls: int
    first: int | None
    last: int | None
    unparsable: tuple[int, str] | None
    mixed_zones: bool


@dataclass(frozen=True, slots=True)
class CodedSample:
    """Rows as small integers, for what searches over rows: one array per column, the outcome, and the half it falls in.

    `exact` tells that every row of the window is there; `names` gives each code's text.
    """

    columns: tuple[str, ...]
    codes: npt.NDArray[np.uint8]
    names: tuple[tuple[str, ...], ...]
    conditions: tuple[tuple[Condition, ...], ...]
    outcome: npt.NDArray[np.int8]
    half: npt.NDArray[np.bool_]
    exact: bool


class Engine(Protocol):
    """What runs the pass. Rows leave it only as sums and as bounded samples."""

    name: str

    @property
    def queries(self) -> Sequence[tuple[str, str]]:
        """What each query so far was for, and its SQL, as anyone could run it again."""

    def schema(self, table: Table, *, text: Iterable[str] = ()) -> pa.Schema:
        """Column names and Arrow types; the columns in `text` are read as text whatever they look like."""

    def span(self, table: Table, column: str, unit: str) -> Span:
        """What the time column of a table holds."""

    def values(self, table: Table, column: str, *, most: int) -> Mapping[str, int]:
        """The commonest values of a column as text with their rows; null is '(null)'."""

    def keys(self, table: Table, column: str) -> tuple[int, int]:
        """Rows with a key, and how many of these keys are distinct."""

    def sample(self, dataset: Dataset, window: Window, *, most: int) -> pa.Table:
        """At most about `most` rows of a window, chosen by the hash of their id, under canonical names."""

    def profile(self, dataset: Dataset, layout: Layout) -> Profile:
        """The one pass."""

    def coded(self, dataset: Dataset, layout: Layout, windows: Sequence[Window], *, most: int) -> Sequence[CodedSample]:
        """Each window's rows as small integers, at most about `most` each; the same codes in all windows."""

    def count(
        self, dataset: Dataset, slices: Sequence[Sequence[Condition]], windows: Sequence[Window]
    ) -> Sequence[Sequence[Rate]]:
        """Errors and rows of every slice in every window, over all rows: [slice][window]."""

    def columns(self, table: Table, layout: Layout) -> Profile:
        """A table without a log's roles, such as the training set, in one bucket: the columns of the layout."""

    def lookup(self, table: Table, key: str, keys: Sequence[str], features: Sequence[str]) -> pa.Table:
        """The rows of a table whose key, as text, is one of the keys: `row_key`, and each feature as `f:NAME`."""

    def learned(self, dataset: Dataset, table: Table, label: str, features: Sequence[str], *, most: int) -> pa.Table:
        """At most about `most` rows of the training table, chosen by the hash of their content: `y`, `f:NAME`."""

    def rows(self, table: Table) -> int:
        """How many rows a table has."""

    def fingerprint(self, table: Table) -> TableFingerprint:
        """The content of a table in any order of rows."""

    def grouped(self, table: Table, *, time: str, unit: str, sums: Sequence[str], window: Window) -> pa.Table:
        """A window's rows grouped by every other column as text, with the `sums` columns added up as `mortis_0`, ..."""

    def close(self) -> None:
        """Let go of files and memory."""


EngineFactory = Callable[..., Engine]

# name -> "module:factory"; third parties add theirs by the entry point group `mortis.engines`.
ENGINES: dict[str, str] = {"duckdb": "mortis.engine.duckdb:DuckDBEngine"}


def open_engine(name: str = "duckdb", *, watch: Watch = silent) -> Engine:
    """The engine of that name.

    Raises InputProblem where there is none.

    >>> open_engine("sqlite")
    Traceback (most recent call last):
    mortis.problems.InputProblem: --engine sqlite: no such engine; there are ...duckdb...
    """
    known = ENGINES | {e.name: e.value for e in entry_points(group="mortis.engines")}
    if name not in known:
        raise InputProblem(f"--engine {name}: no such engine; there are {listed(sorted(known))}")
    module, _, factory = known[name].partition(":")
    made: Engine = getattr(import_module(module), factory)(watch=watch)
    return made
