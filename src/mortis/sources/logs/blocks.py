"""Log files as blocks of whole lines, unpacked, in bounded memory."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 18
LONGEST_LINE = 1 << 20
"""Bytes of a line that are read at least; what follows until its end may be left out."""

_LOOKED_AT = 1 << 12
_MOST_CONTROLS = 0.1
_CONTROLS = bytes(i for i in range(32) if i not in b"\0\t\n\r\x0b\x0c\x1b")
_FOREIGN = {
    b"\xff\xfe": "it is UTF-16; save it as UTF-8",
    b"\xfe\xff": "it is UTF-16; save it as UTF-8",
    b"BZh": "it is packed by bzip2; unpack it",
    b"\xfd7zXZ": "it is packed by xz; unpack it",
    b"PK\x03\x04": "it is a zip archive; unpack it",
    b"PAR1": "it is Parquet, no log",
}
_COLORS = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(slots=True)
class Blocks:
    """A file's lines in blocks; `cut` lines so far were too long, a block each; `fault` tells what ended it early."""

    path: Path
    fault: str = ""
    cut: int = 0

    def read(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Whole lines, about a MiB at a time, with the place of the first in the unpacked bytes; from a place on.

        Raises OSError where the file can't be read.
        """
        place, rest, skipping = start, b"", False
        with self.path.open("rb") as stream:
            for piece in self._unpacked(stream, start):
                data = rest + piece
                if skipping:
                    skipped = data.find(b"\n") + 1 or len(data)
                    skipping = data[skipped - 1 : skipped] != b"\n"
                    place, data = place + skipped, data[skipped:]
                end = data.rfind(b"\n") + 1
                if end:
                    yield place, data[:end]
                place, rest = place + end, data[end:]
                if len(rest) > LONGEST_LINE:
                    self.cut += 1
                    yield place, rest[:LONGEST_LINE]
                    place, rest, skipping = place + len(rest), b"", True
        if rest:
            yield place, rest

    def _unpacked(self, stream: BinaryIO, start: int) -> Iterator[bytes]:
        """The file's bytes from a place on, unpacked by what its first bytes tell, whatever its name."""
        head = stream.read(_LOOKED_AT)
        stream.seek(0)
        if head.startswith(b"\x1f\x8b"):
            yield from _from_place(self._gunzipped(stream), start)
        elif head.startswith(b"\x28\xb5\x2f\xfd"):
            yield from _from_place(self._unzstd(), start)
        else:
            stream.seek(start)
            while piece := stream.read(BLOCK):
                yield piece

    def _gunzipped(self, stream: BinaryIO) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(wbits=31)
        while piece := stream.read(BLOCK):
            while piece:
                if unpacker.eof:  # files packed one by one may be strung together
                    unpacker = zlib.decompressobj(wbits=31)
                try:
                    yield unpacker.decompress(piece, BLOCK)
                except zlib.error:
                    self.fault = "from there on it is damaged"
                    return
                piece = unpacker.unconsumed_tail or unpacker.unused_data
        if not unpacker.eof:
            yield unpacker.flush()
            self.fault = "it is cut short"

    def _unzstd(self) -> Iterator[bytes]:
        import pyarrow as pa

        try:
            with pa.input_stream(str(self.path), compression="zstd") as stream:
                while piece := stream.read(BLOCK):
                    yield piece
        except (OSError, pa.ArrowException):
            self.fault = "it is cut short or damaged"


def _from_place(pieces: Iterator[bytes], start: int) -> Iterator[bytes]:
    for piece in pieces:
        if start < len(piece):
            yield piece[start:]
        start = max(0, start - len(piece))


def why_no_text(head: bytes) -> str:
    """Why a file that begins with these bytes is no text; nothing where it is.

    >>> why_no_text(b"PAR1"), why_no_text(b"2013-08-01 06:00:00 started")
    ('it is Parquet, no log', '')
    """
    for magic, why in _FOREIGN.items():
        if head.startswith(magic):
            return why
    looked_at = head.replace(b"\0", b"")[:_LOOKED_AT]
    controls = len(looked_at) - len(looked_at.translate(None, _CONTROLS))
    nothing_else = bool(head) and not looked_at
    return "it holds binary data, no text" if nothing_else or controls > _MOST_CONTROLS * len(looked_at) else ""


def decoded(block: bytes) -> tuple[list[str], list[int], list[int]]:
    r"""The lines of a block, and the places (from 0) of those that aren't UTF-8, and of those that hold null bytes.

    What isn't UTF-8 is replaced by a sign; null bytes and the colors of terminals are taken out.

    >>> decoded(b"a\r\nb\n"), decoded(b"a\xff\n\0b\n")
    ((['a', 'b'], [], []), (['a\ufffd', 'b'], [0], [1]))
    """
    nulls: list[int] = []
    if b"\0" in block:
        nulls = [place for place, line in enumerate(block.split(b"\n")) if b"\0" in line]
        block = block.replace(b"\0", b"")
    if b"\x1b" in block:
        block = _COLORS.sub(b"", block)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    block = block.removesuffix(b"\n")
    try:
        return block.decode().split("\n"), [], nulls
    except UnicodeDecodeError:
        lines = [line.decode(errors="replace") for line in block.split(b"\n")]
        return lines, [place for place, line in enumerate(lines) if "\ufffd" in line], nulls
