"""How long before the end of its credentials a consumer fetches new ones.

``python -m tests.consumers.ending [NAME]...`` measures it, for all consumers, or for those whose
names contain a word that is given.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.consumers.consumer import CONSUMERS
from tests.consumers.install import Installer
from tests.consumers.world import made, make_requests, start

if TYPE_CHECKING:
    from tests.consumers.consumer import Consumer
    from tests.consumers.install import Installed
    from tests.consumers.world import World

#: Seconds that are tried.
TRIED = (2, 4, 6, 9, 11, 14, 16, 19, 22, 28, 32, 58, 62, 118, 122, 295, 305, 595, 605, 895, 905)


def fetches(world: World, consumer: Consumer, there: Installed, seconds: int) -> bool:
    """Whether a later request runs credproc again while so many seconds are left."""
    world.forget()
    world.leave(seconds)
    if not consumer.goes_on:
        result = make_requests(world, consumer, there, 3)
        assert result.status == 0, result
        return world.runs > consumer.runs
    program = start(world, there.command, consumer.env)
    try:
        program.request(1)
        before = world.runs
        program.request(1)
        return world.runs > before
    finally:
        program.process.end()


def ahead(world: World, consumer: Consumer, there: Installed) -> tuple[int, int]:
    """Return the longest time left at which it fetches, and the shortest at which it does not."""
    low, high = 0, len(TRIED)
    while low < high:
        middle = (low + high) // 2
        if fetches(world, consumer, there, TRIED[middle]):
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
            if words and not any(word in each.name for word in words):
                continue
            there = each.get(installer)
            home = Path(folder) / str(number)
            home.mkdir()
            with made(home) as world:
                world.profile(file=each.file)
                found = ahead(world, each, there)
            print(f"{each.name}: {found[0]} to {found[1]} s", flush=True)


if __name__ == "__main__":
    main()
