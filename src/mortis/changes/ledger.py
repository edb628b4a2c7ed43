"""The ledger: changes from all sources in the order of time, with one entry for each thing that was changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from mortis.problems import listed
from mortis.records import Change

MOST_NAMED = 3
SAME_MOMENT = timedelta(minutes=5)
CLOCKS_DIFFER = timedelta(hours=1)

_GIT = re.compile(r"git\d*\.(?P<name>.+)")
_SHA = re.compile(r"[0-9a-f]{7,64}")
_WORD = re.compile(r"[\w][\w./+-]*")
_SHORTEST = 7
_UNDONE = re.compile(r"\b(?:revert\w*|roll(?:s|ed|ing)?[ -]?back|undo(?:es|ne|ing)?|backs? out)\b", re.IGNORECASE)


def put_together(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes in the order of time, those without a time last: each thing once, each id once.

    A commit becomes a part of the deploys that name it, as they took it live, and of a tag that was set within the
    hour; a tag of the deploys that name it. What is recorded twice alike within five minutes is one. The order in
    which changes are handed over makes no difference.
    """
    ordered = list(_with_unique_ids(_without_repeats(sorted(changes, key=order))))
    named = _Named.of(ordered)
    carried = {one.id: named.carried_by(one) for one in ordered}
    inside = {other.id for others in carried.values() for other in others}
    # Two deploys that differed in what they named are alike once both carry it.
    whole = [_carrying(one, carried[one.id]) for one in ordered if one.id not in inside]
    return tuple(sorted(_without_repeats(whole), key=order))


def order(one: Change) -> tuple[bool, datetime, str, str, str, str]:
    """What puts changes in the order of time, those without one last; the same whatever order they come in."""
    rest = str((one.kind, sorted(one.scope.items()), one.parts))
    return (one.time is None, one.time or datetime.max.replace(tzinfo=UTC), one.id, one.source, one.summary, rest)


def _without_repeats(ordered: Iterable[Change]) -> Iterator[Change]:
    """The changes, of those recorded alike within five minutes the first, with both sources."""
    kept: dict[tuple[object, ...], Change] = {}
    for one in ordered:
        said = " ".join(one.summary.casefold().split())
        alike = (one.kind.casefold(), said, tuple(sorted(one.scope.items())), one.parts)
        first = kept.get(alike)
        if first is not None and not _far_apart(first, one):
            kept[alike] = replace(first, source=_joined("; ", (first.source, one.source)))
            continue
        if first is not None:
            yield first
        kept[alike] = one
    yield from kept.values()


def _far_apart(one: Change, other: Change) -> bool:
    if one.time is None or other.time is None:
        return one.time is not other.time
    return abs(one.time - other.time) > SAME_MOMENT


def _with_unique_ids(changes: Iterable[Change]) -> Iterator[Change]:
    taken: dict[str, int] = {}
    for one in sorted(changes, key=order):
        taken[one.id] = taken.get(one.id, 0) + 1
        yield one if taken[one.id] == 1 else replace(one, id=f"{one.id}-{taken[one.id]}")


@dataclass(frozen=True, slots=True)
class _Named:
    """Commits and tags by what other records call them."""

    commits: dict[str, list[Change]] = field(default_factory=dict)
    tags: dict[str, list[Change]] = field(default_factory=dict)

    @classmethod
    def of(cls, changes: Iterable[Change]) -> _Named:
        """Those among the changes that come from git."""
        named = cls()
        for one in changes:
            name = name_in_git(one)
            if name and is_tag(one):
                named.tags.setdefault(name, []).append(one)
            elif name and _SHA.fullmatch(name):
                named.commits.setdefault(name[:_SHORTEST], []).append(one)
        return named

    def carried_by(self, one: Change) -> list[Change]:
        """What a deploy or a tag took live, in the order of time; nothing where it says that it took it back."""
        if one.time is None or _UNDONE.search(one.summary):
            return []
        if is_tag(one):
            return [other for other in self._commits(one) if _within(one, other, CLOCKS_DIFFER)]
        if name_in_git(one):
            return []  # a commit that names another says something about it
        found: dict[str, Change] = {}
        reached = [one]
        while reached:  # a deploy names a tag, the tag a commit, and another tag stands on that commit
            reached = [other for source in reached for other in self._beside(source) if _not_after(other, one)]
            reached = [other for other in reached if other.id not in found and other.id != one.id]
            found |= {other.id: other for other in reached}
        return sorted(found.values(), key=order)

    def _beside(self, one: Change) -> list[Change]:
        """What a deploy, a tag or a commit leads to at once: the tags and commits it names, the tags set on it."""
        if name_in_git(one) and not is_tag(one):
            return [tag for tags in self.tags.values() for tag in tags if one in self._commits(tag)]
        return [*(tag for word in _words(one) for tag in self.tags.get(word, ())), *self._commits(one)]

    def _commits(self, one: Change) -> list[Change]:
        words = [word for word in _words(one) if _SHA.fullmatch(word) and any(sign.isdigit() for sign in word)]
        return [
            commit
            for word in words
            for commit in self.commits.get(word[:_SHORTEST], ())
            if name_in_git(commit).startswith(word) or word.startswith(name_in_git(commit))
        ]


def name_in_git(one: Change) -> str:
    """What git calls a change: a commit's short hash, a tag's name; empty where it isn't git's.

    >>> name_in_git(Change("git.1a2b3c4", "code", None, "")), name_in_git(Change("events.3", "deploy", None, ""))
    ('1a2b3c4', '')
    """
    found = _GIT.fullmatch(one.id)
    return found["name"] if found else ""


def is_tag(one: Change) -> bool:
    """Whether a change is a tag of git: its part says which commit it names."""
    return bool(name_in_git(one)) and [part.name for part in one.parts] == ["commit"]


def _words(one: Change) -> list[str]:
    """The words of a change that may name another: those of its own summary, and the commit that a tag is set on."""
    said = [one.brief, *(part.after or "" for part in one.parts if part.name == "commit")]
    return list(dict.fromkeys(word.rstrip(".") for text in said for word in _WORD.findall(text)))


def _within(one: Change, other: Change, gap: timedelta) -> bool:
    return one.time is not None and other.time is not None and abs(one.time - other.time) <= gap


def _not_after(other: Change, one: Change) -> bool:
    """Whether the other was there when the first happened, as far as two clocks can tell."""
    return one.time is not None and other.time is not None and other.time <= one.time + CLOCKS_DIFFER


def _carrying(one: Change, others: Sequence[Change]) -> Change:
    """A deploy or a tag with what it took live: their kinds, parts and sources are its own."""
    if not others:
        return one
    said = listed((f"{other.id}: {other.summary}" for other in others), most=MOST_NAMED)
    return replace(
        one,
        kind=_joined(", ", (kind for each in (one, *others) for kind in each.kind.split(", "))),
        summary=f"{one.summary} [{said}]",
        parts=tuple(dict.fromkeys(part for each in (one, *others) for part in each.parts)),
        source=_joined("; ", (source for each in (one, *others) for source in each.source.split("; "))),
    )


def _joined(sign: str, words: Iterable[str]) -> str:
    return sign.join(dict.fromkeys(word for word in words if word))
