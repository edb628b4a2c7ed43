"""Histogram gradient boosting of scikit-learn for the bases, saved as ONNX: skops doesn't trust its trees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mortis.lab.bases.packages import needed
from mortis.lab.traffic import Columns, Floats

_OPSETS = {"": 18, "ai.onnx.ml": 3}
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Histogram:
    """A regression as ONNX, with one input for each feature: floats of 32 bits or texts, "" for a missing one."""

    data: bytes
    suffix: str = ".onnx"

    def score(self, columns: Columns) -> Floats:
        """Predicted figure (n,); a category unseen in training gets a code of its own."""
        runtime = needed("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        session = runtime.InferenceSession(self.data, options, providers=["CPUExecutionProvider"])
        (values,) = session.run(None, {one.name: _input(columns[one.name]) for one in session.get_inputs()})
        return np.asarray(values, dtype=np.float64).reshape(-1)

    def save(self, path: Path) -> None:
        """Write the bytes."""
        path.write_bytes(self.data)


def _input(column: Any) -> Any:
    if column.dtype == object:
        return np.array([value or "" for value in column], dtype=object).reshape(-1, 1)
    return column.astype(np.float32).reshape(-1, 1)


def histogram(
    columns: Columns, y: Floats, *, loss: str = "absolute_error", rounds: int = 60, leaves: int = 15
) -> Histogram:
    """Trees fitted to y (n,) by these columns: same rows, same bytes."""
    frame = needed("pandas").DataFrame({name: _input(column)[:, 0] for name, column in columns.items()})
    categories = [name for name, column in columns.items() if column.dtype == object]
    encoder = needed("sklearn.preprocessing").OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=_UNKNOWN, dtype=np.float32
    )
    trees = needed("sklearn.ensemble").HistGradientBoostingRegressor(
        loss=loss, max_iter=rounds, max_leaf_nodes=leaves, learning_rate=0.12, early_stopping=False, random_state=7
    )
    compose = needed("sklearn.compose").make_column_transformer((encoder, categories), remainder="passthrough")
    pipeline = needed("sklearn.pipeline").make_pipeline(compose, trees)
    with needed("threadpoolctl").threadpool_limits(1):
        pipeline.fit(frame, y)
    return Histogram(_as_onnx(pipeline, columns))


def _as_onnx(pipeline: Any, columns: Columns) -> bytes:
    types = needed("skl2onnx.common.data_types")
    kinds = {True: types.StringTensorType, False: types.FloatTensorType}
    trees = type(pipeline[-1])
    made = needed("skl2onnx").convert_sklearn(
        pipeline,
        name="trees",  # else it is another one each time
        initial_types=[(name, kinds[column.dtype == object]([None, 1])) for name, column in columns.items()],
        target_opset=_OPSETS,
        custom_conversion_functions={trees: _converted},
        custom_shape_calculators={trees: needed("skl2onnx.common._registration").get_shape_calculator(_ALIAS)},
    )
    # They come out of a set, in an order of its own each time.
    imports = sorted((one.domain, one.version) for one in made.opset_import)
    for one, (domain, version) in zip(made.opset_import, imports, strict=True):
        one.domain, one.version = domain, version
    return bytes(made.SerializeToString(deterministic=True))


_ALIAS = "SklearnHistGradientBoostingRegressor"


def _converted(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's own conversion; it hands over booleans that newer versions of protobuf refuse as integers."""
    add = container.add_node

    def add_whole(kind: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        add(kind, inputs, outputs, **{name: _whole(value) for name, value in attributes.items()})

    container.add_node = add_whole
    try:
        needed("skl2onnx.common._registration").get_converter(_ALIAS)(scope, operator, container)
    finally:
        del container.add_node


def _whole(value: Any) -> Any:
    if isinstance(value, list) and any(isinstance(one, bool | np.integer | np.bool_) for one in value):
        return [int(one) for one in value]
    return value
