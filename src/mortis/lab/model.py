"""The demo's model of late arrivals: gradient-boosted trees, kept in LightGBM's own text format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mortis.lab.flights import PackageMissing

if TYPE_CHECKING:
    import pyarrow as pa

BEFORE_DEPARTURE = (
    *("carrier", "origin", "dest", "hour", "distance", "seats", "plane_age"),
    *("wind_speed", "visibility", "precipitation", "origin_delay"),
)
"""What is known an hour before a flight's scheduled departure."""

AT_PUSH_BACK = (*BEFORE_DEPARTURE, "dep_delay")
"""What is known when a flight leaves the gate, or is cancelled: then it has no departure delay."""

CATEGORIES = ("carrier", "origin", "dest")


@dataclass(frozen=True, slots=True)
class ArrivalModel:
    """A trained model: its text, the features in their order, and the category values in the order of their codes."""

    text: str
    features: tuple[str, ...]
    vocabulary: dict[str, tuple[str, ...]]

    def score(self, rows: pa.Table) -> NDArray[np.float64]:
        """Probability (n,) that each flight arrives late; a category unseen in training counts as missing."""
        booster = _lightgbm().Booster(model_str=self.text)
        scores = booster.predict(encoded(rows, self.features, self.vocabulary), num_threads=1)
        return np.asarray(scores, dtype=np.float64)


def train(
    rows: pa.Table,
    *,
    features: tuple[str, ...] = AT_PUSH_BACK,
    rounds: int = 80,
    leaves: int = 31,
    balanced: bool = False,
    seed: int = 7,
) -> ArrivalModel:
    """A model fitted to the rows' `late`: same rows and seed, same text.

    `balanced` weighs the rarer outcome up until both weigh the same: more flights are called late, fewer rightly so.

    The text ends with the category values in the order of their codes, on the line where LightGBM keeps those of data
    frames, so that the file alone is enough to score logged rows.
    """
    lgb = _lightgbm()
    vocabulary = {name: tuple(rows[name].unique().drop_null().to_pylist()) for name in features if name in CATEGORIES}
    vocabulary = {name: tuple(sorted(values)) for name, values in vocabulary.items()}
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": 0.1,
        "min_data_in_leaf": 200,
        "cat_smooth": 50,
        "is_unbalance": balanced,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        # One thread: on a busy machine the threads of a fit wait for each other longer than they save.
        "num_threads": 1,
        "verbose": -1,
    }
    data = lgb.Dataset(
        encoded(rows, features, vocabulary),
        rows["late"].to_numpy(),
        feature_name=list(features),
        categorical_feature=list(vocabulary),
    )
    booster = lgb.train(settings, data, num_boost_round=rounds)
    booster.pandas_categorical = [list(values) for values in vocabulary.values()]
    return ArrivalModel(booster.model_to_string(), features, vocabulary)


def encoded(rows: pa.Table, features: tuple[str, ...], vocabulary: dict[str, tuple[str, ...]]) -> NDArray[np.float64]:
    """The features (n, k) as numbers: a category becomes its place in the vocabulary; nulls and unknown values NaN.

    >>> import pyarrow as pa
    >>> rows = pa.table({"origin": ["LGA", "XXX"], "hour": [6.5, None]})
    >>> encoded(rows, ("origin", "hour"), {"origin": ("EWR", "LGA")})
    array([[1. , 6.5],
           [nan, nan]])
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for name in features:
        column = rows[name]
        if name in vocabulary:
            column = pc.index_in(column, value_set=pa.array(vocabulary[name], pa.string()))
        columns.append(column.cast(pa.float64()).to_numpy())
    return np.column_stack(columns)


def _lightgbm() -> Any:
    """The package, whose import takes seconds and which only the demo's extra brings along."""
    try:
        import lightgbm
    except ModuleNotFoundError as absent:
        raise PackageMissing.of("lightgbm") from absent
    return lightgbm
