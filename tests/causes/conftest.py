"""Two windows served as they should be, for tests of causes to put their fault into."""

from __future__ import annotations

import pytest

from weighable import INCIDENT, served  # type: ignore[import-not-found]  # pytest finds it in the folder above


@pytest.fixture
def size():
    """How many rows each window has."""
    return 3000


@pytest.fixture
def before(rng, size):
    """The baseline's rows."""
    return served(rng, size)


@pytest.fixture
def during(rng, size):
    """The incident's rows as they should have been served."""
    return served(rng, size, window=INCIDENT)
