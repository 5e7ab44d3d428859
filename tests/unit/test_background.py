"""Which run starts the refresh in the background, and that none is harmed by that."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from credproc import background
from credproc.locks import release
from credproc.store import Store
from tests import cachedir
from tests.refreshing import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from credproc.cache import Entry

    Begin = Callable[[Callable[[], int]], None]


class Starts:
    """Counts processes instead of starting them."""

    def __init__(self) -> None:
        self.count = 0
        self.error: OSError | None = None

    def __call__(self, refresh: Callable[[], int]) -> None:
        if self.error:
            raise self.error
        self.count += 1


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def starts() -> Starts:
    return Starts()


def start(world: World, begin: Begin, entry: Entry | None) -> None:
    """Start the refresh of an entry that a run has just printed."""
    assert entry
    background.start(world.store.path, entry, [], lambda: 0, world.clock, begin)


def test_first_run_starts_a_refresh_and_postpones_the_next_one(
    world: World, starts: Starts
) -> None:
    read = [world.put("ahead")] * 5
    for entry in read:  # all have read it before any of them came to start
        start(world, starts, entry)
    kept = world.cached()
    assert starts.count == 1
    assert kept
    assert 45 <= kept.look - world.clock.now <= 75
    assert kept.judge(world.clock.now) == "fresh"


def test_refresh_that_died_is_started_again_after_the_next_look(
    world: World, starts: Starts
) -> None:
    start(world, starts, world.put("ahead"))
    kept = world.cached()
    assert kept
    world.clock.now = kept.look - 1
    start(world, starts, kept)
    assert starts.count == 1
    world.clock.now += 1
    start(world, starts, kept)
    assert starts.count == 2


@pytest.mark.parametrize("state", ["fresh", "now", "expired"])
def test_entry_that_has_changed_meanwhile_is_left_alone(
    world: World, starts: Starts, state: str
) -> None:
    read = world.put("ahead")
    changed = world.put(state)
    start(world, starts, read)
    assert starts.count == 0
    assert world.cached() == changed


def test_entry_that_has_gone_is_left_alone(world: World, starts: Starts) -> None:
    read = world.put("ahead")
    world.remove()
    start(world, starts, read)
    assert starts.count == 0


def test_entry_that_another_run_refreshes_already_is_left_alone(
    world: World, starts: Starts
) -> None:
    read = world.put("ahead")
    lock = world.store.claim(world.key)
    start(world, starts, read)
    release(lock)
    assert starts.count == 0
    assert world.cached() == read


def test_lock_is_free_again_before_the_process_starts(world: World) -> None:
    free = []

    def begin(refresh: Callable[[], int]) -> None:
        lock = world.store.claim(world.key)
        free.append(lock is not None)
        release(lock)

    start(world, begin, world.put("ahead"))
    assert free == [True]


def test_background_errors_do_not_reach_the_caller(
    world: World, starts: Starts, tmp_path: Path
) -> None:
    read = world.put("ahead")
    starts.error = BlockingIOError(11, "Resource temporarily unavailable")
    start(world, starts, read)  # no process more

    starts.error = None
    world.store = Store(str(tmp_path / "nowhere"))
    start(world, starts, read)  # no directory

    read = world.put("ahead")
    with cachedir.no_room():
        start(world, starts, read)
    assert starts.count == 0


def test_no_refresh_starts_if_the_interpreter_path_is_unknown() -> None:
    code = "import sys; sys.executable = ''; from credproc import background; background.spawn([])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert b"FileNotFoundError" in ended.stderr
