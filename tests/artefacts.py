"""The distributions: how sdist and wheel are built from a clean copy of the tree."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests import venvs

#: Names, in the environment of the tests, of the source tree and of what was built from it.
SOURCE = "CREDPROC_TEST_SOURCE"
DIST = "CREDPROC_TEST_DIST"

#: Any fixed moment after 1980, before which zip files know no time: two builds are the same bytes.
EPOCH = "1767225600"

#: Not part of the tree, wherever they are.
DEBRIS = (".*", "__pycache__", "*.pyc", "*.egg-info")


def source() -> Path:
    """Return the source tree that is tested; the tests themselves may run elsewhere."""
    return Path(os.environ.get(SOURCE) or venvs.ROOT)


def copy(tree: Path, target: Path, without: tuple[str, ...] = ()) -> None:
    """Copy the tree without hidden files and without what building or running left behind."""

    def ignore(folder: str, names: list[str]) -> set[str]:
        top = (*without, "build", "dist") if Path(folder) == tree else ()
        return shutil.ignore_patterns(*DEBRIS, *top)(folder, names)

    shutil.copytree(tree, target, ignore=ignore)


def build(tree: Path, target: Path, python: str, *options: str) -> None:
    """Build from a copy, where no earlier build can leave its files in the new one.

    Without options the sdist is built, and the wheel from it, as whoever installs the sdist does.
    """
    clean = target.with_name(f"{target.name}-tree")
    copy(tree, clean)
    command = [python, "-m", "build", "--outdir", str(target), *options, str(clean)]
    venvs.call(command, quiet=True, cwd=target.parent, SOURCE_DATE_EPOCH=EPOCH)


def wheel(folder: Path) -> Path:
    """Return the one wheel in the folder."""
    (path,) = folder.glob("*.whl")
    return path


def sdist(folder: Path) -> Path:
    """Return the one sdist in the folder."""
    (path,) = folder.glob("*.tar.gz")
    return path
