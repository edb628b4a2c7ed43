"""skops files: scikit-learn models whose types are looked at before anything is built from them.

Trees are among what skops doesn't trust: their nodes point to places that scikit-learn doesn't check.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path

from mortis.problems import InputProblem, listed
from mortis.sources.models.estimators import estimator_scorer
from mortis.sources.models.scorer import Scorer, first_line, needed


def fault(head: bytes) -> str | None:
    """What is wrong with a file by its first bytes; None where it begins like skops's archive."""
    return None if head.startswith(b"PK") else "it does not begin like skops's archive; name it by what it holds"


def load(file: Path, name: str) -> Scorer:
    """The scorer of a skops file that holds types alone that skops trusts.

    Raises InputProblem where it holds others, naming them, or is no skops file.
    """
    persistence = needed("skops.io")
    try:
        untrusted = persistence.get_untrusted_types(file=file)
        if untrusted:
            raise InputProblem(
                f"{name}: it holds types that skops doesn't trust: {listed(untrusted)}; hand over the model as ONNX, "
                "or allow it with --unpickle if you trust who wrote it"
            )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = persistence.load(file, trusted=[])
    except (zipfile.BadZipFile, EOFError, OSError, json.JSONDecodeError) as error:
        raise InputProblem(f"{name} isn't what its name says: {first_line(error)}; fetch the whole file") from None
    except (KeyError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise InputProblem(f"{name}: skops can't build the model: {first_line(error)}") from None
    return estimator_scorer(model, name=name, notes=tuple(first_line(one.message) for one in caught))  # type: ignore[arg-type]
