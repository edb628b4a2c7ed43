"""Logistic regressions of scikit-learn for the bases, saved by skops, in types that skops trusts."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mortis.lab.bases.packages import needed
from mortis.lab.traffic import Columns, Floats

_ID = re.compile(r'("__id__": |"file": ")(\d+)')
_WHEN = (2024, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Logistic:
    """skops's archive of a pipeline that reads a data frame, and its features in their order."""

    data: bytes
    features: tuple[str, ...]
    suffix: str = ".skops"

    def score(self, columns: Columns) -> Floats:
        """Probability of the positive class (n,); a category unseen in training counts for nothing."""
        pipeline = needed("skops.io").loads(self.data, trusted=[])
        return np.asarray(pipeline.predict_proba(_frame(columns, self.features))[:, 1], dtype=np.float64)

    def save(self, path: Path) -> None:
        """Write the bytes."""
        path.write_bytes(self.data)


def logistic(columns: Columns, y: Floats) -> Logistic:
    """A regression fitted to y (n,) by these columns: same rows, same bytes.

    Numbers are scaled, and missing ones taken from the nearest rows: SimpleImputer keeps a type that skops doesn't
    trust. The file holds those rows, so let them be a thousand or two. A missing category is a category.
    """
    preprocessing, compose = needed("sklearn.preprocessing"), needed("sklearn.compose")
    pipeline_of = needed("sklearn.pipeline").make_pipeline
    numbers = [name for name, column in columns.items() if column.dtype != object]
    categories = [name for name in columns if name not in numbers]
    filled = pipeline_of(preprocessing.StandardScaler(), needed("sklearn.impute").KNNImputer(n_neighbors=20))
    coded = preprocessing.OneHotEncoder(handle_unknown="ignore")
    features = compose.make_column_transformer((filled, numbers), (coded, categories))
    pipeline = pipeline_of(features, needed("sklearn.linear_model").LogisticRegression())
    with needed("threadpoolctl").threadpool_limits(1):
        pipeline.fit(_frame(columns, tuple(columns)), y.astype(np.int64))
    return Logistic(_settled(needed("skops.io").dumps(pipeline)), tuple(columns))


def _frame(columns: Columns, features: tuple[str, ...]) -> Any:
    return needed("pandas").DataFrame({name: columns[name] for name in features})


def _settled(data: bytes) -> bytes:
    """The archive without what differs from one process to the next: addresses in memory as ids, and the time."""
    numbers: dict[str, int] = {}

    def renumbered(found: re.Match[str]) -> str:
        return f"{found[1]}{numbers.setdefault(found[2], len(numbers))}"

    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        schema = _ID.sub(renumbered, old.read("schema.json").decode())
        contents = {"schema.json": schema.encode()}
        for name in old.namelist():
            stem, dot, suffix = name.partition(".")
            if stem in numbers:
                contents[f"{numbers[stem]}{dot}{suffix}"] = old.read(name)
        for name in sorted(contents):
            new.writestr(zipfile.ZipInfo(name, _WHEN), contents[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()
