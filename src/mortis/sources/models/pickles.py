"""What a pickle would run when opened, told from its opcodes without running one."""

from __future__ import annotations

import bz2
import lzma
import pickletools
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from mortis.problems import InputProblem, WorkProblem, listed

_MOST_BYTES = 256 << 20
_USUAL = ("collections", "copyreg", "joblib", "lightgbm", "numpy", "pandas", "scipy", "sklearn", "xgboost")
_PLAIN = re.compile(rb"c([A-Za-z_][\w.]*)\n([A-Za-z_][\w.]*)\n")
_STACKED = re.compile(rb"\x8c(.)([A-Za-z_][\w.]*)\x94?\x8c(.)([A-Za-z_][\w.]*)\x94?\x93", flags=re.DOTALL)


def fault(head: bytes) -> str | None:
    """What is wrong with a file by its first bytes; nothing, as those of the oldest pickles can be any."""
    return "it is a zip archive; name it by what it holds" if head.startswith(b"PK\x03\x04") else None


def refuse(file: Path, name: str) -> NoReturn:
    """Never a scorer: raises InputProblem with what opening the pickle would import, or that it is none.

    Raises WorkProblem where it can't be read.
    """
    try:
        with file.open("rb") as stream:
            data = _unpacked(stream.read(_MOST_BYTES))
    except OSError as error:
        raise WorkProblem(f"{name} can't be read: {error.strerror}") from None
    names = imports_of(data)
    if names is None:
        raise InputProblem(f"{name} isn't what its name says: it does not read as a pickle")
    # What no model needs comes first, so that no number of usual names hides it.
    first = sorted(names, key=lambda one: one.partition(".")[0] in _USUAL)
    what = f"it would import {listed(first, most=8)}" if names else "it would import nothing, so it is no model either"
    raise InputProblem(
        f"{name}: a pickle runs code when opened; {what}; hand over ONNX, booster-native or skops, or allow it with "
        "--unpickle if you trust who wrote it"
    )


def _unpacked(data: bytes) -> bytes:
    """The pickle inside a file that joblib compressed, its first 256 MiB at most; other data as they are."""
    openers: dict[bytes, Callable[[], Any]] = {
        b"\x1f\x8b": lambda: zlib.decompressobj(31),
        b"x": zlib.decompressobj,
        b"BZh": bz2.BZ2Decompressor,
        b"\xfd7zXZ": lzma.LZMADecompressor,
        b"]\x00\x00": lzma.LZMADecompressor,
    }
    opener = next((opener for magic, opener in openers.items() if data.startswith(magic)), None)
    if opener is None:
        return data
    try:
        unpacked: bytes = opener().decompress(data, _MOST_BYTES)
    except (zlib.error, OSError, lzma.LZMAError):
        return data  # an old pickle may begin like one of these
    return unpacked


def imports_of(data: bytes) -> tuple[str, ...] | None:
    r"""The dotted names that opening a pickle would import, in their order; None where the bytes are no pickle.

    A name that the pickle computes shows as '(computed)'. Where joblib put an array's bytes between the opcodes, what
    follows them is searched for the usual forms of an import.

    >>> imports_of(b"cos\nsystem\n(S'ls'\ntR.")
    ('os.system',)
    """
    found: list[str] = []
    ended = False
    try:
        found.extend(_walked(data))
        ended = True
    except _Broken as broken:
        found.extend(broken.found)
    if not ended:
        found.extend(_swept(data))
    return tuple(dict.fromkeys(found)) if found or ended else None


class _Broken(Exception):
    """The opcodes end in something that is none; `found` are the imports before it."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found


def _walked(data: bytes) -> list[str]:
    """The imports on the way from the first opcode to STOP."""
    machine = _Machine()
    found: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(data):
            imported = machine.step(code, argument)
            if imported:
                found.append(_shown(imported))
    except (ValueError, IndexError, KeyError, OverflowError, UnicodeDecodeError):
        raise _Broken(found) from None
    return found


def _swept(data: bytes) -> Iterator[str]:
    """The imports in their usual forms, anywhere in the bytes."""
    for match in _PLAIN.finditer(data):
        yield _shown(b".".join(match.groups()).decode())
    for match in _STACKED.finditer(data):
        length, module, other, name = match.groups()
        if length[0] == len(module) and other[0] == len(name):
            yield _shown(f"{module.decode()}.{name.decode()}")


def _shown(name: str) -> str:
    """A name on one line, of bounded length."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 80 else f"{text[:77]}..."


_MARK = object()


@dataclass(slots=True)
class _Machine:
    """The pickle machine's stack and memo, holding texts as they are and None for all else; it never builds a thing."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, code: pickletools.OpcodeInfo, argument: Any) -> str | None:
        """Take one opcode; the name that it imports, if it does."""
        kind = code.name
        if kind in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if kind == "MEMOIZE" else int(argument)] = self.stack[-1]
            return None
        if kind in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(argument)])
            return None
        if kind == "DUP":
            self.stack.append(self.stack[-1])
            return None
        popped = self._popped(code)
        self.stack.extend(_pushed(code, argument))
        return _imported(kind, argument, popped)

    def _popped(self, code: pickletools.OpcodeInfo) -> list[Any]:
        """What the opcode takes from the stack; all down to the last mark where it takes a slice."""
        before = list(code.stack_before)
        count = len(before)
        if pickletools.markobject in before or (code.name == "POP" and self.stack[-1] is _MARK):
            while self.stack.pop() is not _MARK:
                pass
            count = before.index(pickletools.markobject) if pickletools.markobject in before else 0
        if count > len(self.stack):
            raise IndexError("the stack is too short")
        popped = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return popped


def _pushed(code: pickletools.OpcodeInfo, argument: Any) -> list[Any]:
    """What the opcode leaves on the stack."""
    if code.name == "MARK":
        return [_MARK]
    return [argument if one.name in ("str", "bytes_or_str") else None for one in code.stack_after]


def _imported(kind: str, argument: Any, popped: list[Any]) -> str | None:
    if kind in ("GLOBAL", "INST"):
        return ".".join(str(argument).split(" ", 1))
    if kind == "STACK_GLOBAL":
        return ".".join(part if isinstance(part, str) else "(computed)" for part in popped)
    return f"the copyreg extension {argument}" if kind in ("EXT1", "EXT2", "EXT4") else None
