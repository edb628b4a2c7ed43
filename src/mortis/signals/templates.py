"""Kinds of log lines: templates learned from masked lines, frozen, and matched again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import eq

WILDCARD = "<*>"
OTHER = -1
"""The number of lines in no template, as there were too many."""

DEPTH = 4
SIMILARITY = 0.5
MOST_CHILDREN = 100
MOST_IN_LEAF = 100
MOST_TEMPLATES = 5_000
FEWEST_SIBLINGS = 10
CACHED_WORDS = 1 << 14

Tokens = tuple[str, ...]
_MASKED = re.compile(r"<[a-z*]+>")
_ALL_MASKED = re.compile(r"[^\w<>]*<[a-z*]+>[^\w<>]*")
_ANY_MASK = "<>"
_WILD = ""  # the key of a wildcard, which no word has


def tokens_of(masked: str) -> Tokens:
    """The words of a masked line; of masked words that repeat one after the other, the first.

    >>> tokens_of("delete blk_<num> blk_<num> blk_<num> of <ip>")
    ('delete', 'blk_<num>', 'of', '<ip>')
    """
    return tuple(
        word for word, run in groupby(masked.split()) for _ in range(1 if _MASKED.search(word) else len(tuple(run)))
    )


@lru_cache(CACHED_WORDS)
def _key(word: str) -> str:
    """What stands for a word in comparisons: all kinds of masks are one, as a number may be taken for a hash."""
    return _ANY_MASK if _ALL_MASKED.fullmatch(word) else word


@dataclass(slots=True)
class _Node:
    """A branch of the tree: by next word, with the templates that end here."""

    children: dict[str, _Node] = field(default_factory=dict)
    templates: list[int] = field(default_factory=list)


class TemplateTree:
    """Templates learned line by line: a tree of fixed depth, by number of words and the first words without a mask.

    A line joins the most similar template of its leaf, where at least `similarity` of the words are alike; words that
    differ become the wildcard `<*>`. Else it is a template of its own, until there are `most`: what comes then and is
    like none has the number OTHER. A leaf with MOST_IN_LEAF templates holds free text: what comes then joins the most
    similar one in any case.

    Source: He, Zhu, Zheng and Lyu (2017), "Drain: An online log parsing approach with fixed depth tree". Masked words
    are no branches here, so that the depth is spent on words that tell lines apart.
    """

    def __init__(self, *, similarity: float = SIMILARITY, depth: int = DEPTH, most: int = MOST_TEMPLATES) -> None:
        self._similarity = similarity
        self._branchings = depth - 2
        self._most = most
        self._roots: dict[int, _Node] = {}
        self._templates: list[list[str]] = []
        self._keys: list[list[str]] = []

    def __len__(self) -> int:
        return len(self._templates)

    def learn(self, line: Tokens) -> int:
        """The number of the template that a line belongs to, made or widened where need be."""
        leaf, keys = self._leaf(line), [_key(word) for word in line]
        best, alike = self._most_similar(leaf, keys)
        is_full = len(leaf.templates) >= MOST_IN_LEAF
        if best != OTHER and (is_full or alike >= self._similarity * len(line)):
            self._widen(best, keys)
            return best
        if len(self._templates) >= self._most:
            return OTHER
        leaf.templates.append(len(self._templates))
        self._templates.append(list(line))
        self._keys.append(keys)
        return len(self._templates) - 1

    def _leaf(self, line: Tokens) -> _Node:
        node = self._roots.setdefault(len(line), _Node())
        for word in _first_plain(line, self._branchings):
            if word not in node.children and len(node.children) >= MOST_CHILDREN:
                word = WILDCARD  # noqa: PLW2901  the branch of all further words
            node = node.children.setdefault(word, _Node())
        return node

    def _most_similar(self, leaf: _Node, keys: Sequence[str]) -> tuple[int, int]:
        """The template of a leaf with the most words alike, then with the most wildcards; and how many are alike."""
        best, most = OTHER, (-1, -1)
        for number in leaf.templates:
            own = self._keys[number]
            likeness = (sum(map(eq, own, keys)), own.count(_WILD))
            if likeness > most:
                best, most = number, likeness
        return best, most[0]

    def _widen(self, number: int, keys: Sequence[str]) -> None:
        own = self._keys[number]
        for i, (mine, its) in enumerate(zip(own, keys, strict=True)):
            if mine not in (its, _WILD):
                own[i], self._templates[number][i] = _WILD, WILDCARD

    def frozen(self) -> tuple[Templates, tuple[int, ...]]:
        """The templates as they are now, and for each number given so far the one that it has among them.

        Where FEWEST_SIBLINGS or more templates differ in one word alone, that word is a variable one, and they become
        one template.
        """
        merged = merge_siblings([tuple(one) for one in self._templates])
        texts = tuple(dict.fromkeys(merged))
        place = {tokens: i for i, tokens in enumerate(texts)}
        return Templates(texts), tuple(place[tokens] for tokens in merged)


def _first_plain(line: Tokens, most: int) -> Iterator[str]:
    """The first words that hold no mask, at most so many."""
    for word in line:
        if most == 0:
            return
        if not _MASKED.search(word):
            most -= 1
            yield word


def merge_siblings(templates: Iterable[Tokens], *, fewest: int = FEWEST_SIBLINGS) -> list[Tokens]:
    """The templates, in order, with a wildcard where `fewest` or more of them differ in that one word alone.

    >>> merge_siblings([("user", name, "left") for name in ("ann", "bob", "cid")] + [("all", "left")], fewest=3)
    [('user', '<*>', 'left'), ('user', '<*>', 'left'), ('user', '<*>', 'left'), ('all', 'left')]
    """
    merged = list(templates)
    while True:
        siblings: dict[tuple[int, Tokens], dict[str, list[int]]] = {}
        for number, tokens in enumerate(merged):
            for i, word in enumerate(tokens):
                if not _ALL_MASKED.fullmatch(word):
                    rest = (*tokens[:i], *tokens[i + 1 :])
                    siblings.setdefault((i, rest), {}).setdefault(word, []).append(number)
        many = [(i, words) for (i, _), words in siblings.items() if len(words) >= fewest]
        if not many:
            return merged
        for i, words in many:
            for number in (number for numbers in words.values() for number in numbers):
                merged[number] = (*merged[number][:i], WILDCARD, *merged[number][i + 1 :])


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates that no longer change, and which of them a line matches.

    >>> known = Templates((("user", "<*>", "left"), ("user", "ann", "left"), ("took", "<num>", "ms")))
    >>> [known.match(tokens_of(line)) for line in ("user ann left", "user bob left", "took <hex> ms", "took <num>")]
    [1, 0, 2, None]
    """

    tokens: tuple[Tokens, ...] = ()
    _roots: dict[int, _Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        roots: dict[int, _Node] = {}
        for number in sorted(range(len(self.tokens)), key=lambda i: (self.tokens[i].count(WILDCARD), i)):
            template = self.tokens[number]
            node = roots.setdefault(len(template), _Node())
            for word in template[:DEPTH]:
                node = node.children.setdefault(word if word == WILDCARD else _key(word), _Node())
            node.templates.append(number)
        object.__setattr__(self, "_roots", roots)

    def __len__(self) -> int:
        return len(self.tokens)

    def text(self, number: int) -> str:
        """A template as it is shown."""
        return " ".join(self.tokens[number])

    def match(self, line: Tokens) -> int | None:
        """The template all of whose words are the line's, of several that with the fewest wildcards; else None."""
        nodes = [self._roots[len(line)]] if len(line) in self._roots else []
        for word in line[:DEPTH]:
            branches = {_key(word), WILDCARD}
            nodes = [node.children[branch] for node in nodes for branch in branches if branch in node.children]
        matching = (number for node in nodes for number in node.templates if _covers(self.tokens[number], line))
        return min(matching, key=lambda i: (self.tokens[i].count(WILDCARD), i), default=None)


def _covers(template: Tokens, line: Tokens) -> bool:
    return all(mine == WILDCARD or _key(mine) == _key(its) for mine, its in zip(template, line, strict=True))
