"""LightGBM's own text files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mortis.problems import InputProblem
from mortis.profiles import Floats
from mortis.rows import Column, is_number
from mortis.sources.models.matrices import as_matrix
from mortis.sources.models.scorer import Scorer, first_line, needed

_UNNAMED = re.compile(r"Column_\d+")
_COMPULSORY = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_SPLIT_LINES = (*_COMPULSORY, "split_gain", "internal_value", "internal_weight", "internal_count")
_LEAF_LINES = ("leaf_value", "leaf_weight", "leaf_count")
_CATEGORICAL = re.compile(r"-?\d+(:-?\d+)*")


def fault(head: bytes) -> str | None:
    """What is wrong with a file by its first bytes; None where it begins like LightGBM's text."""
    if head.startswith((b"tree\n", b"tree\r\n")):
        return None
    if head.startswith(b"{") and b"learner" in head:
        return "it begins like XGBoost's; name it .json or .ubj"
    return "it does not begin like LightGBM's text, with the line 'tree'"


def load(file: Path, name: str) -> Scorer:
    """The scorer of a LightGBM text file, its categories read from the line `pandas_categorical`.

    Raises InputProblem where the file is cut short or damaged.
    """
    library = needed("lightgbm")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputProblem(f"{name} isn't what its name says: it is not UTF-8 text") from None
    damage = _damage(text)
    if damage:
        raise InputProblem(f"{name} isn't what its name says: {damage}; fetch the whole file")
    try:
        booster = library.Booster(model_str=text)
    except (library.basic.LightGBMError, ValueError) as error:
        raise InputProblem(f"{name} isn't what its name says: {first_line(error)}") from None
    return booster_scorer(booster, name=name)


def _damage(text: str) -> str | None:
    """What is wrong with a model's text, None where nothing is found.

    LightGBM's parser ends the whole process where a tree lacks a line, so trees are looked at before it sees them.
    """
    head, *trees = re.split(r"\n(?=Tree=\d+\n)", text.partition("\nend of trees")[0])
    if "\nend of trees" not in text:
        return "it is LightGBM's text cut short: its line 'end of trees' is missing"
    facts = _facts(head)
    absent = [key for key in ("version", "max_feature_idx", "feature_names", "feature_infos") if key not in facts]
    if absent:
        return f"it is LightGBM's text without its line {absent[0]!r}"
    if len(trees) != len(facts.get("tree_sizes", "").split()):
        return f"it is LightGBM's text with {len(trees)} trees, and its line 'tree_sizes' names another number"
    if not facts["max_feature_idx"].isdigit() or not trees:
        return "it is LightGBM's text without trees, or its line 'max_feature_idx' is damaged"
    features = int(facts["max_feature_idx"]) + 1
    if {len(facts[key].split()) for key in ("feature_names", "feature_infos")} != {features}:
        return "it is LightGBM's text, and its lines of features differ in number"
    broken = next((i for i, tree in enumerate(trees) if not _is_whole(_facts(tree), features)), None)
    return None if broken is None else f"it is LightGBM's text, and its tree {broken} is damaged"


def _facts(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _is_whole(tree: Mapping[str, str], features: int) -> bool:
    """Whether a tree's lines hold as many numbers as it has leaves, splits and groups, pointing inside the tree."""
    try:
        values = {key: [float(word) for word in words.split()] for key, words in tree.items() if key != "Tree"}
        ((leaves,), (groups,)) = values["num_leaves"], values["num_cat"]
        splits = int(max(leaves - 1, 0))
        due = dict.fromkeys(_LEAF_LINES, leaves) | dict.fromkeys(_SPLIT_LINES, splits)
        # What a tree can do without may be an empty line.
        lines = [key for key in values if values[key]] + ["leaf_value", *(_COMPULSORY if splits else ())]
        counts_fit = all(len(values[key]) == due[key] for key in lines if key in due)
        groups_fit = not groups or _groups_fit(values["cat_boundaries"], values["cat_threshold"], groups)
        return counts_fit and groups_fit and (not splits or _points_inside(values, splits, features, groups))
    except (KeyError, ValueError):
        return False


def _groups_fit(bounds: list[float], words: list[float], groups: float) -> bool:
    """Whether the bounds of the groups of categories rise to the number of words that hold them."""
    return len(bounds) == groups + 1 and bounds[0] == 0 and bounds == sorted(bounds) and bounds[-1] == len(words)


def _points_inside(values: Mapping[str, list[float]], splits: int, features: int, groups: float) -> bool:
    """Whether each split reads a feature and a group that there are, and leads to leaves or to splits made after it."""
    sides = (values["left_child"], values["right_child"])
    kinds = zip(values["decision_type"], values["threshold"], strict=True)
    return (
        all(-splits - 1 <= child < 0 or i < child < splits for side in sides for i, child in enumerate(side))
        and all(0 <= one < features for one in values["split_feature"])
        and all(0 <= group < groups for kind, group in kinds if int(kind) & 1)
    )


def booster_scorer(booster: Any, *, name: str) -> Scorer:
    """The scorer of a booster: probabilities, or whatever its objective predicts. It names no classes."""
    names = tuple(booster.feature_name())
    categorical = _categorical(booster)
    library = needed("lightgbm")

    def predict(columns: Mapping[str, Column]) -> Floats:
        categories = _categories(booster.pandas_categorical or [], columns, categorical, name)
        matrix = as_matrix(columns, name=name, categories=categories)
        try:
            return np.asarray(booster.predict(matrix), dtype=np.float64)
        except library.basic.LightGBMError as error:
            raise InputProblem(f"{name}: the model can't score these rows: {first_line(error)}") from None

    unnamed = all(_UNNAMED.fullmatch(one) for one in names)
    return Scorer(name, predict, features=None if unnamed else names, width=len(names))


def _categorical(booster: Any) -> list[int]:
    """The places of the categorical features, as far as the model tells: their infos list codes, not a range."""
    stated = booster.params.get("categorical_feature")
    if isinstance(stated, list) and stated and all(isinstance(one, int) for one in stated):
        return sorted(stated)
    found = re.search(r"^feature_infos=(.*)$", booster.model_to_string(num_iteration=1), flags=re.MULTILINE)
    infos = found.group(1).split() if found else []
    return [i for i, info in enumerate(infos) if _CATEGORICAL.fullmatch(info)]


def _categories(
    listed: Sequence[Sequence[Any]], columns: Mapping[str, Column], categorical: Sequence[int], name: str
) -> dict[str, Sequence[Any]]:
    """Each categorical feature's values in the order of their codes.

    The file lists the values in the features' order, without names. Raises InputProblem where neither the model nor the
    columns tell which features they belong to.
    """
    if not listed:
        return {}
    features = list(columns)
    marked = [features[i] for i in categorical if i < len(features)]
    texts = [feature for feature, column in columns.items() if not is_number(column)]
    for owners in (marked, texts):
        if len(owners) == len(listed):
            return dict(zip(owners, listed, strict=True))
    raise InputProblem(
        f"{name}: the model lists categories of {len(listed)} features and marks {len(marked)} as categorical, so it "
        "can't be told whose they are; save it from a model trained on a data frame with category columns"
    )
