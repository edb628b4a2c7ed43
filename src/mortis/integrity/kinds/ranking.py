"""Which proposals explain most of all that changed, and which only echo others or a change of the population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mortis.integrity.kinds.coding import Code
from mortis.integrity.kinds.hellinger import apart
from mortis.integrity.kinds.pair import Pair, fine_code, plain_code
from mortis.integrity.kinds.proposal import Proposal, struck_rows
from mortis.profiles import Floats
from mortis.rows import Ints

MOST_STEPS = 4
LEAST_GAIN = 0.03
ECHO = 0.3
ENOUGH = 0.7
AS_FAR = 0.8
FEW_STRUCK = 0.02
HEAVIEST = 20.0
FEWEST_EFFECTIVE = 0.1
View = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """All features' changes at once, each alone and given related columns and scopes, as the baseline stands by now.

    `fine` and `coarse` are the baseline's codes, which every accepted explanation changes, `weights` its rows' weights;
    `after` are the incident's counts by view (feature, given column), `left` the change that remains in each.
    """

    codes: Mapping[str, Code]
    fine: Mapping[str, Ints]
    coarse: Mapping[str, Ints]
    sizes: Mapping[str, int]
    weights: Floats
    after: Mapping[View, Floats]
    left: Mapping[View, float]

    @property
    def total(self) -> float:
        """All that is left to explain."""
        return sum(self.left.values())

    def with_codes(self, fine: Mapping[str, Ints], coarse: Mapping[str, Ints]) -> Board:
        """The board after some columns of the baseline were changed."""
        touched = [view for view in self.after if view[0] in fine or view[1] in coarse]
        changed = replace(self, fine={**self.fine, **fine}, coarse={**self.coarse, **coarse})
        return replace(changed, left={**self.left, **changed.distances(touched)})

    def with_weights(self, weights: Floats) -> Board:
        """The board after the baseline's rows were given other weights."""
        changed = replace(self, weights=self.weights * weights)
        return replace(changed, left=changed.distances(list(self.after)))

    def distances(self, views: Sequence[View]) -> dict[View, float]:
        """The change left in these views."""
        found = {}
        for name, given in views:
            shape = self.after[name, given].shape
            flat = self.coarse[given] * shape[1] + self.fine[name]
            before: Floats = np.bincount(flat, self.weights, shape[0] * shape[1]).reshape(shape).astype(np.float64)
            found[name, given] = float(apart(before, self.after[name, given]).excess)
        return found


def board_of(pair: Pair, proposals: Sequence[Proposal]) -> Board:
    """The board before anything is explained; scopes that a proposal names are looked at for every feature."""
    scopes = {p.supposed.region.column for p in proposals if p.supposed.region.column in pair.coarse}
    plain = {change.feature for change in pair.changes if change.plain}
    codes, fine, after = {}, {}, {}
    coarse = {name: one.before for name, one in pair.coarse.items()} | {"": np.zeros(len(pair.before), np.int64)}
    for name in pair.coarse:
        before, now = pair.before.features[name], pair.after.features[name]
        codes[name] = plain_code(before) if name in plain else fine_code(before, now)
        fine[name], x = codes[name].of(before), codes[name].of(now)
        for given in dict.fromkeys(("", *pair.related[name], *sorted(str(s) for s in scopes if s != name))):
            size = pair.coarse[given].size if given else 1
            z = pair.coarse[given].after if given else np.zeros(len(x), np.int64)
            flat = np.bincount(z * codes[name].size + x, minlength=size * codes[name].size)
            after[name, given] = flat.reshape(size, codes[name].size).astype(np.float64)
    sizes = {name: code.size for name, code in codes.items()}
    empty = Board(codes, fine, coarse, sizes, np.ones(len(pair.before)), after, {})
    return empty.with_weights(np.ones(len(pair.before)))


def ranked(pair: Pair, proposals: Sequence[Proposal]) -> list[tuple[Proposal, float]]:
    """The proposals that explain something the others don't, each with its fit, what others explain taken off.

    The one that explains most of all changes is accepted and put into the baseline, then the next is sought among
    those of other features. At each step a change of the population's mix by one feature competes: where it explains
    more, it is accepted instead, and what it explains is no corruption's.
    """
    board = board_of(pair, proposals)
    whole = max(board.total, 1e-12)
    # Repeated rows change no column; they explain nothing here and stand for themselves.
    found = [(one, one.fit) for one in proposals if not one.features]
    open_ones = [one for one in proposals if one.features]
    first: dict[int, float] = {}
    for _ in range(MOST_STEPS):
        tried = [_Tried(one, _with(pair, board, one)) for one in open_ones]
        for one in tried:
            first.setdefault(id(one.proposal), board.total - one.board.total)
        mixed = _best_mix(pair, board)
        best = max(tried, key=lambda one: _score(board, one, whole), default=None)
        gain = (board.total - best.board.total) / whole if best else 0.0
        mix_gain = (board.total - mixed.total) / whole if mixed else 0.0
        if max(mix_gain, gain) < LEAST_GAIN:
            break
        if mixed and (best is None or mix_gain > gain + 0.02):
            board = mixed
        elif best is not None:
            accepted = _accepted(pair, board, best, tried, first)
            found += accepted
            told = {id(one) for one, _ in accepted}
            open_ones = [one for one in open_ones if id(one) not in told]
            board = best.board
    return found + [(one, _own_fit(pair, board, _Tried(one, _with(pair, board, one)), first)) for one in open_ones]


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    """A proposal and the board with it put in."""

    proposal: Proposal
    board: Board


def _score(board: Board, one: _Tried, whole: float) -> float:
    """What a proposal explains of all changes and, to tell near ones apart, its own verdict less what it's off by."""
    proposal, verdict = one.proposal, one.proposal.supposed.verdict
    own = 0.2 * verdict.fit - verdict.off - verdict.freedom - proposal.told.cost
    return (board.total - one.board.total) / whole + own


def _accepted(
    pair: Pair, board: Board, best: _Tried, tried: Sequence[_Tried], first: Mapping[int, float]
) -> list[tuple[Proposal, float]]:
    """The accepted proposal and, behind it, the others of the same features by how much of its gain they reach.

    Of two columns that no longer go together, either may belong to other rows: both are kept, for re-scoring to decide.
    """
    fit, gain = _own_fit(pair, board, best, first), board.total - best.board.total
    found = [(best.proposal, fit)]
    for one in tried:
        if one is best or gain <= 0:
            continue
        reach = float(np.clip((board.total - one.board.total) / gain, 0.0, 0.99))
        either = reach >= AS_FAR and {one.proposal.told.kind, best.proposal.told.kind} == {"permutation"}
        if either or set(one.proposal.features) & set(best.proposal.features):
            found.append((one.proposal, reach * min(one.proposal.fit, fit)))
    return found


def _own_fit(pair: Pair, board: Board, one: _Tried, first: Mapping[int, float]) -> float:
    """The fit, less what other explanations took from it, and less what else changed in its features' whole window.

    Little is left, too, of what struck too few rows to fail a model.
    """
    gain, at_first = board.total - one.board.total, first.get(id(one.proposal), 0.0)
    part = float(np.clip(gain / at_first, 0.0, 1.0)) if at_first > 0 else 0.0
    views = [view for view in board.left if view[0] in one.proposal.features]
    there = sum(max(0.0, board.left[view]) for view in views)
    told = there - sum(max(0.0, one.board.left[view]) for view in views)
    reach = float(np.clip(told / (ENOUGH * there), 0.0, 1.0)) if there > 0 else 0.0
    supposed = one.proposal.supposed
    struck = supposed.verdict.share * float(supposed.region.rows(pair.after).mean())
    return one.proposal.fit * part * reach * min(1.0, struck / FEW_STRUCK) if part >= ECHO else 0.0


def _with(pair: Pair, board: Board, one: Proposal) -> Board:
    """The board with a corruption put into the share of the baseline's rows that it struck of the incident's."""
    scope, rows = one.supposed.region.in_scope(pair.before), struck_rows(pair, one.supposed)
    fine, coarse = {}, {}
    for name, forward in zip(one.features, one.supposed.forwards, strict=True):
        values = forward[rows[scope]]
        fine[name], coarse[name] = board.fine[name].copy(), board.coarse[name].copy()
        fine[name][rows], coarse[name][rows] = board.codes[name].of(values), pair.coding[name].of(values)
    return board.with_codes(fine, coarse)


def _best_mix(pair: Pair, board: Board) -> Board | None:
    """The board after the mix of one changed feature's values was made the incident's; None where none changed."""
    boards = []
    for name in pair.changed:
        old = np.bincount(board.fine[name], weights=board.weights, minlength=board.sizes[name])
        new = board.after[name, ""].sum(0)
        ratio = (new / max(1.0, new.sum())) / np.maximum(old / max(1.0, old.sum()), 1e-9)
        ratio = np.where(old > 0, np.minimum(ratio, HEAVIEST), 1.0)
        # Values that the baseline lacks, or has in hardly any row, can't have come in by a change of mix.
        lacking = new[old <= 0].sum() / max(1.0, new.sum())
        weights = board.weights * ratio[board.fine[name]]
        if lacking > 0.1 or np.square(weights.sum()) < FEWEST_EFFECTIVE * len(weights) * np.square(weights).sum():
            continue
        boards.append(board.with_weights(ratio[board.fine[name]]))
    return min(boards, key=lambda one: one.total, default=None)
