"""Categories under other names: respelled, or mapped to one another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from mortis.integrity.kinds.coding import counts, value_shares
from mortis.integrity.kinds.judge import Judge, judge_of
from mortis.integrity.kinds.pair import Pair
from mortis.integrity.kinds.proposal import Proposal, Told, listed_pairs, reversible, suppose
from mortis.profiles import Floats
from mortis.rows import Column, Ints, Texts, is_number

MOST_VALUES = 60
MOST_NUMBERS = 20
FEWEST_SEEN = 5
KEPT_PARTS = (0.2, 0.35, 0.5, 0.6, 0.7, 0.8)
Spelling = Callable[[str], str]
Names = Mapping[float | str, float | str]


def _mojibake(text: str) -> str:
    """UTF-8 read as Latin-1."""
    return text.encode("utf-8").decode("latin-1")


SPELLINGS: dict[str, Spelling] = {
    "lower case": str.lower,
    "upper case": str.upper,
    "title case": str.title,
    "trimmed": str.strip,
    "blank in front": lambda text: " " + text,
    "blank behind": lambda text: text + " ",
    "underscores for blanks": lambda text: text.replace(" ", "_"),
    "underscores for hyphens": lambda text: text.replace("-", "_"),
    "blanks for hyphens": lambda text: text.replace("-", " "),
    "no hyphens": lambda text: text.replace("-", ""),
    "no blanks": lambda text: text.replace(" ", ""),
    "UTF-8 read as Latin-1": _mojibake,
    "UTF-8 read as Latin-1 twice": lambda text: _mojibake(_mojibake(text)),
    "quoted": lambda text: f'"{text}"',
}


def propose_respelling(pair: Pair) -> Iterator[Proposal]:
    """The same categories in another spelling: case, blanks, a prefix or suffix, cut short, another encoding."""
    for change in pair.changes:
        if is_number(pair.before.features[change.feature]):
            continue
        judge = judge_of(pair, change)
        known, strange = _by_share(judge.before), set(_by_share(judge.after)) - set(_by_share(judge.before))
        if not strange:
            continue
        for name, spelling in (SPELLINGS | _affixes(known, strange)).items():
            renamed: Names = {old: spelling(old) for old in known}
            # Of several that are now spelled alike, the commonest is put back: it stands last.
            origin = {new: old for old, new in renamed.items()}
            back: Names = {new: old for new, old in origin.items() if new != old}
            if sum(new in back for new in strange) < 0.5 * len(strange):
                continue
            told = Told("respelling", {"how": name, "mapping": _as_text(renamed)}, f"is respelled ({name})")
            yield _as_proposal(pair, judge, told, renamed, back)


def propose_remaps(pair: Pair) -> Iterator[Proposal]:
    """The categories' names were exchanged or replaced: which is which follows from what the related columns tell."""
    for change in pair.changes:
        judge = judge_of(pair, change)
        column = pair.before.features[change.feature]
        old, new = (_codes(part) for part in (judge.before, judge.after))
        most = MOST_NUMBERS if is_number(column) else MOST_VALUES
        if not 2 <= len(old) <= most or not 2 <= len(new) <= most:
            continue
        best = max(
            _renamings(judge, old, new), key=lambda one: judge.weigh(_mapped(judge.before, one)).fit, default=None
        )
        if best is not None:
            told = Told(
                "remap",
                {"mapping": _as_text(best)},
                f"has its categories renamed ({listed_pairs(_texts(best))})",
                cost=0.1 if is_number(column) else 0.03,
            )
            yield _as_proposal(pair, judge, told, best, {b: a for a, b in best.items()})


def _by_share(column: Column) -> list[str]:
    """The values, the commonest last."""
    values, shares = value_shares(column)
    return [str(value) for value in values[np.argsort(shares, kind="stable")]]


def _affixes(known: list[str], strange: set[str]) -> dict[str, Spelling]:
    """A prefix or suffix common to the new names, and a length they were cut to."""
    found: dict[str, Spelling] = {}
    length = max(map(len, strange))
    if length < max(map(len, known)):
        found[f"cut to {length} characters"] = lambda text: text[:length]
    for new in sorted(strange):
        for old in known:
            if old and new.endswith(old) and len(new) > len(old):
                prefix = new[: -len(old)]
                found[f"prefix {prefix!r}"] = _with_prefix(prefix)
            if old and new.startswith(old) and len(new) > len(old):
                suffix = new[len(old) :]
                found[f"suffix {suffix!r}"] = _with_suffix(suffix)
        if len(found) > 8:
            break
    return found


def _with_prefix(prefix: str) -> Spelling:
    return lambda text: prefix + text


def _with_suffix(suffix: str) -> Spelling:
    return lambda text: text + suffix


def _codes(column: Column) -> dict[float | str, int]:
    """The values that occur often enough to be told apart, numbered."""
    values, shares = value_shares(column)
    enough = shares * len(column) >= FEWEST_SEEN
    return {value: i for i, value in enumerate(values[enough].tolist())}


def _renamings(judge: Judge, old: Mapping[float | str, int], new: Mapping[float | str, int]) -> list[Names]:
    """What the names may have become: if all rows were struck, if only those with strange names, if a part."""
    strange = {name: i for i, name in enumerate(name for name in new if name not in old)}
    found = [_assigned(judge, old, new, kept=0.0)]
    if strange:
        found.append(_assigned(judge, old, strange, kept=0.0))
    both = {name: i for i, name in enumerate(name for name in old if name in new)}
    if len(both) > 1:
        found += [_assigned(judge, both, both, kept=kept) for kept in KEPT_PARTS]
    return [names for names in found if names]


def _assigned(judge: Judge, old: Mapping[float | str, int], new: Mapping[float | str, int], *, kept: float) -> Names:
    """Old names to new ones, by the greatest likelihood of the incident's rows; empty where every name stays.

    `kept` is the part of the rows thought untouched: what they would show is taken off first.

    Source: Kuhn (1955), "The Hungarian method for the assignment problem", on log likelihoods.
    """
    from scipy.optimize import linear_sum_assignment

    likelihood = np.zeros((len(new), len(old)))
    old_codes, new_codes = _places(judge.before, old), _places(judge.after, new)
    for view in judge.views[1:] or judge.views:
        given_old = _joint(old_codes, view.before, len(old), view.size)
        given_new = _joint(new_codes, view.after, len(new), view.size)
        if kept:
            same = given_old[[old[name] for name in new]]
            given_new = np.maximum(0.0, given_new - kept * same * given_new.sum() / max(1.0, same.sum()))
        smooth = (given_old + 0.3) / (given_old + 0.3).sum()
        likelihood += given_new @ np.log(smooth).T
    if not kept:
        # A name that is known stays, unless the rows speak clearly against it.
        likelihood += 12.0 * np.array([[a == b for b in old] for a in new])
    rows, columns = linear_sum_assignment(-likelihood)
    names_old, names_new = list(old), list(new)
    renamed = {names_old[c]: names_new[r] for r, c in zip(rows, columns, strict=True)}
    return {a: b for a, b in renamed.items() if a != b}


def _places(column: Column, place: Mapping[float | str, int]) -> Ints:
    return np.array([place.get(value, -1) for value in column.tolist()], dtype=np.int64)


def _joint(codes: Ints, given: Ints, size: int, given_size: int) -> Floats:
    known = codes >= 0
    return counts(given[known], codes[known], (size, given_size))


def _as_proposal(
    pair: Pair,
    judge: Judge,
    told: Told,
    renamed: Names,
    back: Names,
) -> Proposal:
    return reversible(pair, suppose(judge, _mapped(judge.before, renamed)), told, lambda column: _mapped(column, back))


def _mapped(column: Column, names: Names) -> Column:
    values = [names.get(value, value) for value in column.tolist()]
    if is_number(column):
        return np.array(values, dtype=np.float64)
    texts: Texts = np.array(values, dtype=object)
    return texts


def _texts(renamed: Names) -> dict[str, str]:
    return {
        f"{a:g}" if isinstance(a, float) else a: f"{b:g}" if isinstance(b, float) else b for a, b in renamed.items()
    }


def _as_text(renamed: Names) -> str:
    """The renaming as JSON, old name to new one."""
    return json.dumps(_texts(renamed), ensure_ascii=False)
