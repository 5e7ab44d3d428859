"""What is in a cache directory, seen from outside: entries, their times, what was left behind."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import time
from typing import TYPE_CHECKING

from credproc.cache import Entry, decode
from credproc.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Let this process write no byte to any file: OSError, as on a disk that is full."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def names(folder: Path, end: str) -> list[str]:
    """Return the names in the directory that end so; none if it is missing."""
    return sorted(path.name for path in folder.glob(f"*{end}"))


def entries(folder: Path) -> list[Entry]:
    """Return every entry; AssertionError if one of the files is not a whole one."""
    found = []
    for name in names(folder, ".entry"):
        entry = decode((folder / name).read_bytes())
        assert entry is not None, f"{name} is torn"
        found.append(entry)
    return found


def answer(folder: Path) -> Path:
    """Return the file of the one answer in the directory."""
    (name,) = [
        name
        for name in names(folder, ".entry")
        if (entry := decode((folder / name).read_bytes())) and entry.key.startswith(b"answer")
    ]
    return folder / name


def change(folder: Path, **times: int) -> None:
    """Replace every entry by one with these times, in seconds from now."""
    now = int(time.time())
    for entry in entries(folder):
        for name, seconds in times.items():
            setattr(entry, name, now + seconds)
        Store(str(folder)).write(entry)


def leave(folder: Path, seconds: float) -> None:
    """Move all times of every entry back, so that it has so many seconds left."""
    for entry in entries(folder):
        gone = int(entry.expiration - time.time() - seconds)
        for name in ("issued", "ahead", "now", "look", "expiration"):
            setattr(entry, name, max(getattr(entry, name) - gone, 0))
        Store(str(folder)).write(entry)


def age(folder: Path, seconds: float, only: Iterable[str] | None = None) -> None:
    """Make all files, or those of these names, look as if they had been written so long ago."""
    moment = time.time() - seconds
    for name in names(folder, "") if only is None else only:
        os.utime(folder / name, (moment, moment), follow_symlinks=False)


def clear(folder: Path) -> None:
    """Remove the directory and what is in it."""
    if folder.exists():
        shutil.rmtree(folder)
