"""The mounted file systems, as Linux lists them; on other systems the list is empty."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The list of Linux: the mount point is the fifth word, the type the first after " - ".
LIST = "/proc/self/mountinfo"


def mounted(path: str = LIST) -> Iterator[tuple[str, str]]:
    """Yield each mount point, which may be a single file, and the type of the file system."""
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", _unescaped, before.split()[4])
        yield os.fsdecode(point), os.fsdecode(after.split()[0])


def _unescaped(code: re.Match[bytes]) -> bytes:
    return bytes([int(code[1], 8)])


def filesystem(path: str, mounts: str = LIST) -> str:
    """Return the type of the file system that a path is on."""
    best, kind = "", "an unknown file system"
    real = os.path.realpath(path)
    for point, each in mounted(mounts):
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, each
    return kind
