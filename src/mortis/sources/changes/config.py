"""Configuration before and after, compared key by key; secrets are told as changed and never shown."""

from __future__ import annotations

from collections.abc import Iterator

from mortis.case import BeforeAfter
from mortis.problems import InputProblem, listed
from mortis.records import Change, ChangedPart
from mortis.sources.changes.masking import masked_value, one_line
from mortis.sources.changes.reading import MOST_NAMED, ReadingContext, change_of_pair, text_of
from mortis.sources.changes.settings import KeyPath, Settings, Value, dotted, read_settings

MOST_SHOWN = 80


def read_config(source: BeforeAfter, context: ReadingContext) -> Iterator[Change]:
    """The change from one configuration file to the other, a part for each key that was added, removed or altered.

    A type counts: "5" → 5 is a change, unless one of the formats knows texts alone. Raises InputProblem where a file is
    not there or not what its suffix says.
    """
    before, after = (
        _settings(name, f"{context.key}.{when}", context)
        for name, when in ((source.before, "before"), (source.after, "after"))
    )
    yield from change_of_pair("config", source, context, list(compared(before, after)))


def _settings(name: str, key: str, context: ReadingContext) -> Settings:
    found = read_settings(name, text_of(name, key, context), key)
    lone = found.values.get(())
    if lone is not None and lone.kind not in ("mapping", "list", "nothing"):
        raise InputProblem(f"{key}: {name} holds no keys, but one {lone.kind} alone; hand over a mapping of keys")
    if found.twice:
        named = listed(map(one_line, found.twice), most=MOST_NAMED)
        context.tell(f"{key}: {name}: of keys that stand twice the last counts: {named}")
    return found


def compared(before: Settings, after: Settings) -> Iterator[ChangedPart]:
    """The keys that differ, in the order of the file after, the removed ones last."""
    typed = before.typed and after.typed
    for path in dict.fromkeys((*after.values, *before.values)):
        old, new = before.values.get(path), after.values.get(path)
        if not _same(old, new, typed=typed):
            yield ChangedPart(one_line(dotted(path)), *_shown(path, old, new))


def _same(old: Value | None, new: Value | None, *, typed: bool) -> bool:
    if old is None or new is None or typed:
        return old == new
    return old.text == new.text


def _shown(path: KeyPath, old: Value | None, new: Value | None) -> tuple[str | None, str | None]:
    """Both values as they may be shown; what would look alike, cut where it is long, says where it differs."""
    whole = [None if one is None else _masked(path, one) for one in (old, new)]
    cut = [None if text is None else one_line(text, most=MOST_SHOWN) for text in whole]
    if cut[0] == cut[1] and whole[0] != whole[1] and whole[0] is not None and whole[1] is not None:
        first = next(
            i for i in range(max(map(len, (whole[0], whole[1])))) if whole[0][i : i + 1] != whole[1][i : i + 1]
        )
        cut = [one_line(f"…{text[max(0, first - 20) :]}", most=MOST_SHOWN) for text in (whole[0], whole[1])]
    return cut[0], cut[1]


def _masked(path: KeyPath, value: Value) -> str:
    shown = masked_value([str(step) for step in path if isinstance(step, str)], value.text)
    return str(value) if shown == value.text else shown
