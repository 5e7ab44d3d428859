"""The distributions that are looked at."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests import artefacts


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the distributions: those that the test command installed, or new ones."""
    built = os.environ.get(artefacts.DIST)
    if built:
        return Path(built)
    folder = tmp_path_factory.mktemp("built") / "dist"
    artefacts.build(artefacts.source(), folder, sys.executable, "--no-isolation")
    return folder


@pytest.fixture
def wheel(dist: Path) -> Path:
    """The wheel that is tested."""
    return artefacts.wheel(dist)
