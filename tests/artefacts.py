"""The distributions: how sdist and wheel are built from a clean copy of the tree."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
from pathlib import Path

from tests import venvs

#: Names, in the environment of the tests, of the source tree and of what was built from it.
SOURCE = "CREDPROC_TEST_SOURCE"
DIST = "CREDPROC_TEST_DIST"

#: Any fixed moment after 1980, before which zip files know no time: two builds are the same bytes.
EPOCH = "1767225600"

#: Not part of the tree, wherever they are.
DEBRIS = (".git", ".venv", ".*_cache", ".hypothesis", ".coverage*", "__pycache__", "*.pyc",
          "*.egg-info")  # fmt: skip


def source() -> Path:
    """Return the source tree that is tested; the tests themselves may run elsewhere."""
    return Path(os.environ.get(SOURCE) or venvs.ROOT)


def copy(tree: Path, target: Path, without: tuple[str, ...] = ()) -> None:
    """Copy the tree without git's files and without what building or running left behind."""

    def ignore(folder: str, names: list[str]) -> set[str]:
        top = (*without, "build", "dist") if Path(folder) == tree else ()
        return shutil.ignore_patterns(*DEBRIS, *top)(folder, names)

    shutil.copytree(tree, target, ignore=ignore)


def build(tree: Path, target: Path, python: str, *options: str) -> None:
    """Build from a copy, where no earlier build can leave its files in the new one.

    Without options the sdist is built, and the wheel from it, as when the sdist is installed.
    """
    clean = target.with_name(f"{target.name}-tree")
    copy(tree, clean)
    # A wheel has the modes of its files, which are those of a checkout and of a umask.
    for path in clean.rglob("*"):
        path.chmod(_mode(path.stat().st_mode))
    command = ["sh", "-c", 'umask 022 && exec "$@"', "sh", python, "-m", "build"]
    command += ["--outdir", str(target), *options, str(clean)]
    venvs.call(command, quiet=True, cwd=target.parent, SOURCE_DATE_EPOCH=EPOCH)
    for path in target.glob("*.tar.gz"):
        _settle(path)


def _settle(path: Path) -> None:
    """Write an sdist again without the time, the umask and the user of its build.

    setuptools obeys SOURCE_DATE_EPOCH in wheels alone.
    """
    with tarfile.open(path) as built:
        members = [(member, built.extractfile(member)) for member in built]
        with (
            path.with_suffix(".new").open("wb") as file,
            # Without a name, which gzip would write down, too.
            gzip.GzipFile("", "wb", 9, file, int(EPOCH)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as settled,
        ):
            for member, content in sorted(members, key=lambda pair: pair[0].name):
                new = tarfile.TarInfo(member.name)
                new.type, new.size, new.mtime = member.type, member.size, int(EPOCH)
                new.mode = _mode(member.mode)
                settled.addfile(new, content)
    path.with_suffix(".new").replace(path)


def _mode(mode: int) -> int:
    """Return the mode of a file or directory, but for what a umask makes of it."""
    return 0o755 if mode & stat.S_IXUSR else 0o644


def wheel(folder: Path) -> Path:
    """Return the one wheel in the folder."""
    (path,) = folder.glob("*.whl")
    return path


def sdist(folder: Path) -> Path:
    """Return the one sdist in the folder."""
    (path,) = folder.glob("*.tar.gz")
    return path
