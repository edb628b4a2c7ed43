"""Model files as sources: each format opens to a scorer; what would run a stranger's code is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mortis.problems import InputProblem, WorkProblem, listed
from mortis.sources.files import neighbours
from mortis.sources.models import lightgbm, onnx, pickles, skops, unpickling, xgboost
from mortis.sources.models.scorer import Scorer, needed

__all__ = ["MODEL_FORMATS", "ModelFormat", "Scorer", "needed", "open_model", "register_model_format"]

_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ModelFormat:
    """A format of model files, known by its suffixes.

    `fault` says what is wrong with a file by its first bytes (None where nothing is); `load` opens it, under the name
    that messages bear, without running anything that the file brings along. `load_trusted` opens it where the user says
    that its writer is trusted; without it, trust makes no difference.
    """

    name: str
    suffixes: tuple[str, ...]
    fault: Callable[[bytes], str | None]
    load: Callable[[Path, str], Scorer]
    load_trusted: Callable[[Path, str], Scorer] | None = None


MODEL_FORMATS: dict[str, ModelFormat] = {}


def register_model_format(one: ModelFormat) -> None:
    """Make a model format known by its suffixes; built-in ones go through the same door."""
    for suffix in one.suffixes:
        MODEL_FORMATS[suffix] = one


for _format in (
    ModelFormat("ONNX", (".onnx",), onnx.fault, onnx.load),
    ModelFormat("LightGBM", (".txt", ".lgb", ".model"), lightgbm.fault, lightgbm.load),
    ModelFormat("XGBoost", (".json", ".ubj"), xgboost.fault, xgboost.load),
    ModelFormat("skops", (".skops",), skops.fault, skops.load, unpickling.load),
    ModelFormat("pickle", (".pkl", ".pickle", ".joblib"), pickles.fault, pickles.refuse, unpickling.load),
):
    register_model_format(_format)


def open_model(file: Path, *, key: str = "models", unpickle: bool = False) -> Scorer:
    """The scorer in a model file, by its suffix.

    `unpickle` says that who wrote the file is trusted: a pickle, or a skops file with types that skops doesn't trust,
    is then opened in a process of its own. `key` is what messages begin with. Raises InputProblem where there is no
    such file, it isn't what its suffix says, or it takes that trust and hasn't got it; WorkProblem where it can't be
    read or a library is missing.
    """
    suffix = file.suffix.lower()
    if suffix not in MODEL_FORMATS:
        kind = suffix or "(no suffix)"
        raise InputProblem(
            f"{key}: {file.name}: unknown kind of model {kind!r}; known: {listed(sorted(MODEL_FORMATS))}"
        )
    form = MODEL_FORMATS[suffix]
    name = f"{key}: {file.name}"
    fault = form.fault(_head(file, name))
    if fault:
        raise InputProblem(f"{name} isn't what its name says: {fault}")
    return form.load_trusted(file, name) if unpickle and form.load_trusted else form.load(file, name)


def _head(file: Path, name: str) -> bytes:
    if not file.is_file():
        raise InputProblem(f"{name}: no such file (looked in {file.parent.resolve()}){neighbours(file)}")
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise WorkProblem(f"{name} can't be read: {error.strerror}") from None
    if not head.strip():
        raise InputProblem(f"{name} is empty; hand over the model as it was saved")
    return head
