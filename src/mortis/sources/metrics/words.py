"""Columns of text: their distinct words, the numbers in them, and several of them combined into one code per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mortis.profiles import Floats
from mortis.sources.metrics.points import Ints

_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$|^\s*[+-]?[iI]nf(inity)?\s*$"
_NOTHING = r"(?i)^\s*(-|nan|null|none|n/a|na|undefined)?\s*$"
_LOOKED_UP = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of text as a code per row into its distinct words; -1 where there is none."""

    codes: Ints
    words: Any  # an Arrow array of text

    @classmethod
    def of(cls, words: Sequence[str], codes: Ints) -> Words:
        """The words and each row's place among them."""
        import pyarrow as pa

        return cls(codes, pa.array(words, pa.string()))

    def __len__(self) -> int:
        return len(self.words)

    def word(self, row: int) -> str | None:
        """The word of a row."""
        code = int(self.codes[row])
        return None if code < 0 else str(self.words[code].as_py())

    def where(self, kept: Any) -> Words:
        """The words of the rows that are kept."""
        return Words(self.codes[kept], self.words)


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """A column of text as numbers: NaN where there is none; `bad` cells hold other text, the first by row (from 1)."""

    values: Floats
    known: int
    bad: int
    first_bad: tuple[int, str] | None


def words_of(data: Any) -> Words:
    """The distinct words of an Arrow chunked array and each row's code; what is no text is written as text."""
    import pyarrow as pa
    import pyarrow.types as at

    if not at.is_dictionary(data.type):
        data = data.cast(pa.string()).dictionary_encode()
    if not data.num_chunks:
        return Words(np.zeros(0, np.int64), pa.array([], pa.string()))
    if not at.is_string(data.type.value_type):
        data = pa.chunked_array(
            [pa.DictionaryArray.from_arrays(c.indices, c.dictionary.cast(pa.string())) for c in data.chunks]
        )
    data = data.unify_dictionaries()
    codes = np.empty(len(data), np.int64)
    start = 0
    for chunk in data.chunks:
        found = chunk.indices.fill_null(-1) if chunk.null_count else chunk.indices
        codes[start : start + len(chunk)] = found.to_numpy(zero_copy_only=False)
        start += len(chunk)
    return Words(codes, data.chunk(0).dictionary)


def parse_numbers(words: Words) -> Parsed:
    """The numbers in a column of text; cells such as `-`, `NaN` and `n/a` count as empty."""
    import pyarrow.compute as pc

    if not len(words):
        return Parsed(np.full(len(words.codes), np.nan), 0, 0, None)
    is_number, is_nothing = (
        pc.match_substring_regex(words.words, pattern).to_numpy(zero_copy_only=False) for pattern in (_NUMBER, _NOTHING)
    )
    plain = pc.utf8_trim_whitespace(words.words)
    figures = pc.if_else(is_number, plain, None).cast("float64").to_numpy(zero_copy_only=False)
    rows = np.bincount(words.codes[words.codes >= 0], minlength=len(words))
    is_bad = ~is_number & ~is_nothing
    bad, first_bad = int(rows[is_bad].sum()), None
    if bad:
        row = int(np.argmax(np.append(is_bad, False)[words.codes]))  # the last place is that of code -1
        first_bad = (row + 1, str(words.word(row)))
    return Parsed(np.append(figures, np.nan)[words.codes], int(rows[is_number].sum()), bad, first_bad)


def combine(columns: Sequence[Words], *, rows: int) -> tuple[Ints, list[tuple[str | None, ...]]]:
    """One code per row for the words that it has in all columns, and the words of each code; None is no word.

    >>> import pyarrow as pa
    >>> codes, groups = combine([words_of(pa.chunked_array([["b", "a", None, "b"]]))], rows=4)
    >>> [groups[code] for code in codes]
    [('b',), ('a',), (None,), ('b',)]
    """
    codes: Ints = np.zeros(rows, np.int64)
    groups: list[tuple[str | None, ...]] = [()]
    for column in columns:
        present, codes = refine(codes, len(groups), column)
        size = len(column) + 1
        words = [None, *column.words.to_pylist()]
        groups = [(*groups[code // size], words[code % size]) for code in present.tolist()]
    return codes, groups


def refine(codes: Ints, groups: int, column: Words) -> tuple[Ints, Ints]:
    """The groups parted further by a column: the pairs that occur, as group * (words + 1) + word + 1, and new codes."""
    size = len(column) + 1
    return dense(column.codes + 1 if groups == 1 else codes * size + column.codes + 1, groups * size)


def dense(codes: Ints, limit: int) -> tuple[Ints, Ints]:
    """The codes (from 0, below the limit) that occur, ascending, and each row's place among them."""
    if limit > max(_LOOKED_UP, 4 * len(codes)):
        present, places = np.unique(codes, return_inverse=True)
        return present, places.astype(np.int64)
    occurs = np.zeros(limit, dtype=np.bool_)
    occurs[codes] = True
    present = np.flatnonzero(occurs)
    gapless = len(present) > 0 and present[-1] - present[0] + 1 == len(present)
    return present, codes - present[0] if gapless else (np.cumsum(occurs) - 1)[codes]
