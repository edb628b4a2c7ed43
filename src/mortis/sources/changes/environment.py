"""Snapshots of an environment before and after a change: what differs in its software, and in its hardware."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from mortis.case import BeforeAfter
from mortis.problems import counted, printable
from mortis.records import Change, ChangedPart
from mortis.sources.changes.before_after import Comparison, read_text
from mortis.sources.changes.dependencies.differences import Difference, computes, differences, summarised
from mortis.sources.changes.dependencies.packages import step
from mortis.sources.changes.dependencies.snapshots import opened_snapshot, packages_of
from mortis.sources.snapshot import Gpu, Snapshot


def read_environment(stated: BeforeAfter, *, root: Path, key: str, name: str) -> Comparison:
    """The changes between two snapshots: one of kind `environment`, one of kind `hardware`, each where there is any.

    Paths start from `root`, `key` is the place in the case (`changes.0.environment`), and ids begin with `name`. Raises
    InputProblem where a file is missing, or is no snapshot that this version reads.
    """
    before = _opened(stated.before, root, f"{key}.before")
    after = _opened(stated.after, root, f"{key}.after")
    packages = differences(packages_of(before), packages_of(after))
    found = {
        "environment": _by_weight(software_differences(before, after), packages.found),
        "hardware": tuple(hardware_differences(before, after)),
    }
    changes = tuple(
        Change(
            id=name if kind == "environment" else f"{name}.{kind}",
            kind=kind,
            time=stated.at,
            summary=summarised(ones),
            parts=tuple(one.part for one in ones),
            source=f"{stated.before} → {stated.after}",
        )
        for kind, ones in found.items()
        if ones
    )
    differ = ", ".join(
        f"{counted(len(ones), 'difference') if ones else 'no differences'} in {kind}" for kind, ones in found.items()
    )
    said = f"{stated.before} ({len(before.packages)} packages) and {stated.after} ({len(after.packages)}): {differ}"
    return Comparison(changes, "; ".join((said, *packages.remarks, *_unread(before, after))))


def _opened(name: str, root: Path, key: str) -> Snapshot:
    return opened_snapshot(read_text(name, root=root, key=key), name, key)


def _by_weight(own: Iterable[Difference], packages: Iterable[Difference]) -> tuple[Difference, ...]:
    """The interpreter and libraries that compute, then settings and system, then other packages and names."""
    return tuple(sorted((*own, *packages), key=_weight))  # sorting keeps the order within


def _weight(one: Difference) -> int:
    if computes(one.part.name):
        return 0
    return {"option": 1, "where": 3}.get(one.aspect, 2)


def software_differences(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    """What differs between two environments besides packages: the interpreter, settings, the system, names.

    Of variables that are no settings only the names are known: those that came or went.
    """
    old, new = before.python, after.python
    if old.version != new.version:
        yield Difference(
            ChangedPart("Python", printable(old.version), printable(new.version)),
            "version",
            step(old.version, new.version),
        )
    yield from _each(
        ("Python implementation", old.implementation, new.implementation),
        ("Python build", f"{old.build}, {old.compiler}", f"{new.build}, {new.compiler}"),
        *((name, before.settings.get(name, ""), after.settings.get(name, "")) for name in _both(before, after)),
        ("C library", before.system.libc, after.system.libc),
        ("operating system", before.system.os, after.system.os),
        ("kernel", before.system.kernel, after.system.kernel),
        ("time zone", before.timezone, after.timezone),
        ("text encoding", before.encoding, after.encoding),
        ("container", ", ".join(before.container), ", ".join(after.container)),
    )
    known = before.settings.keys() | after.settings.keys()
    for name in sorted({*before.variables} ^ {*after.variables}):
        if name not in known:
            gone, shown = name in before.variables, printable(name)
            yield Difference(ChangedPart("variable", shown if gone else None, None if gone else shown), "where")


def _both(before: Snapshot, after: Snapshot) -> list[str]:
    return sorted(before.settings.keys() | after.settings.keys())


def hardware_differences(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    """What differs in the machine: graphics cards and their driver, the processor and its flags, cores, memory."""
    old, new = before.cpu, after.cpu
    yield from _each(("architecture", before.system.machine, after.system.machine))
    if not (before.unread or after.unread):
        yield from _each(*_graphics(before.gpus, after.gpus))
    yield from _each(
        ("CPU", old.model, new.model),
        ("CPU flags", *_apart(old.flags, new.flags)),
        ("CPU cores", str(old.cores), str(new.cores)),
        ("usable CPU cores", str(old.usable), str(new.usable)),
        ("CPU quota", _cores(old.quota), _cores(new.quota)),
        ("memory", _gib(before.memory.total_bytes), _gib(after.memory.total_bytes)),
        ("memory limit", _gib(before.memory.limit_bytes), _gib(after.memory.limit_bytes)),
    )


def _graphics(old: tuple[Gpu, ...], new: tuple[Gpu, ...]) -> Iterator[tuple[str, str, str]]:
    """Cards by name and number; drivers and memory where both snapshots tell them."""
    yield "GPU", _cards(old), _cards(new)
    if all(one.driver for one in (*old, *new)) and old and new:
        yield "GPU driver", _drivers(old), _drivers(new)
    if all(one.memory_mib for one in (*old, *new)) and _cards(old) == _cards(new):
        yield "GPU memory", _sizes(old), _sizes(new)


def _cards(cards: tuple[Gpu, ...]) -> str:
    """The names of cards, with their number where there are several of a name."""
    return ", ".join(
        name if n == 1 else f"{n} × {name}" for name, n in sorted(Counter(one.name for one in cards).items())
    )


def _drivers(cards: tuple[Gpu, ...]) -> str:
    return ", ".join(sorted({one.driver for one in cards}))


def _sizes(cards: tuple[Gpu, ...]) -> str:
    return ", ".join(f"{one.memory_mib:,} MiB" for one in cards)


def _apart(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, str]:
    """What stands only in the one, and only in the other; the shortest names, which are the families' own, first."""
    gone, come = ({*one} - {*other} for one, other in ((old, new), (new, old)))
    return ", ".join(sorted(gone, key=_length)), ", ".join(sorted(come, key=_length))


def _length(name: str) -> tuple[int, str]:
    return len(name), name


def _cores(quota: float) -> str:
    return f"{quota:g} cores" if quota else ""


def _gib(bytes_: int) -> str:
    """Bytes in GiB to a tenth, as two machines of one kind differ by a few pages; empty for none."""
    return f"{bytes_ / 2**30:.1f} GiB" if bytes_ else ""


def _each(*compared: tuple[str, str, str]) -> Iterator[Difference]:
    """A difference for each name whose two texts differ; an empty one was not there."""
    for name, *sides in compared:
        old, new = map(printable, sides)
        if old != new:
            yield Difference(ChangedPart(name, old or None, new or None), "option")


def _unread(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """What was not compared, because one snapshot could not find it out."""
    for which, one in (("before", before), ("after", after)):
        yield from (f"not compared, as the snapshot {which} could not read it: {what}" for what in one.unread)
