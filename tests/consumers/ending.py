"""How long before the end of its credentials a consumer fetches new ones.

``python -m tests.consumers.ending [NAME]...`` measures it, for all consumers that are up for more
than one request, or for those whose names contain a word that is given.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.consumers.consumer import CONSUMERS
from tests.consumers.install import Installer
from tests.consumers.world import made, start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.consumers.world import World

#: Seconds that are tried.
TRIED = (2, 4, 6, 9, 11, 14, 16, 19, 22, 28, 32, 58, 62, 118, 122, 295, 305, 595, 605, 895, 905)


def fetches(world: World, command: list[str], env: Mapping[str, str | None], seconds: int) -> bool:
    """Whether the second of two requests fetches credentials, while so many seconds are left."""
    world.forget()
    world.leave(seconds)
    program = start(world, command, env)
    try:
        program.request(1)
        before = world.runs
        program.request(1)
        return world.runs > before
    finally:
        program.process.end()


def ahead(world: World, command: list[str], env: Mapping[str, str | None]) -> tuple[int, int]:
    """Return the longest time left at which it fetches, and the shortest at which it does not."""
    low, high = 0, len(TRIED)
    while low < high:
        middle = (low + high) // 2
        if fetches(world, command, env, TRIED[middle]):
            low = middle + 1
        else:
            high = middle
    return (0, *TRIED)[low], (*TRIED, 3600)[low]


def main() -> None:
    """Measure, and print a line for each."""
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="consumers-") as folder:
        kept = Path(os.environ.get("CREDPROC_TEST_CONSUMERS") or folder)
        packages = {package for each in CONSUMERS for package in each.packages}
        installer = Installer(kept, packages, may_change_debian=True)
        for number, each in enumerate(CONSUMERS):
            if not each.goes_on or (words and not any(word in each.name for word in words)):
                continue
            command = each.get(installer).command
            home = Path(folder) / str(number)
            home.mkdir()
            with made(home) as world:
                world.profile(file=each.file)
                found = ahead(world, command, each.env)
            print(f"{each.name}: {found[0]} to {found[1]} s", flush=True)


if __name__ == "__main__":
    main()
