"""What a run does with what other runs do meanwhile, and where there can be no lock."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from credproc import credentials, result
from credproc.errors import (
    CachedFailure,
    ProviderFailed,
    StillWaiting,
)
from credproc.locks import release
from credproc.store import Store
from tests.refreshing import Gives, World, rows

if TYPE_CHECKING:
    from pathlib import Path

    from credproc.cache import Entry
    from credproc.credentials import Credentials
    from credproc.run import Run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# What another process did with the lock while this one waited for it, and what this one then
# answers: `theirs`, what is `cached`, their `error`; or it calls itself and gets something `new`.
WAITING = rows("""
state    run         refreshed  failed  died
absent   plain       theirs     error   new
expired  plain       theirs     error   new
now      plain       theirs     cached  new
now      typed       theirs     cached  new
now      background  theirs     cached  new
ahead    background  theirs     cached  new
absent   force       theirs     new     new
fresh    force       theirs     new     new
now      force       theirs     new     new
""")


@pytest.mark.parametrize(
    ("state", "kind", "did", "expected"),
    [
        (state, kind, did, expected)
        for state, kind, *cells in WAITING
        for did, expected in zip(("refreshed", "failed", "died"), cells, strict=True)
    ],
)
def test_waiting(world: World, state: str, kind: str, did: str, expected: str) -> None:
    cached = world.put(state, person=kind == "typed")
    own = Gives(world.credentials())
    other = world.credentials()
    lock = world.store.claim(world.key)
    waiter = Waiter(world, own, force=kind == "force", background=kind == "background")
    world.log.wait_for("waiting for another process")
    if did == "refreshed":
        entry = result.fetched(world.key, cached, other, world.clock.now, print)
        world.store.write(entry)
    if did == "failed":
        error = ProviderFailed("theirs broke")
        entry = result.failed(world.key, world.cached(), error, world.clock.now, ())
        world.store.write(entry)
    release(lock)

    waiter.check(expected, other, cached)
    assert own.calls == (expected == "new")


class Waiter:
    """A run in a thread, which waits for the lock, and its result."""

    def __init__(self, world: World, provider: Gives, **options: Any) -> None:
        self.provider = provider
        self.result: Entry | Exception | None = None
        self.thread = threading.Thread(target=self._run, args=(world, options), daemon=True)
        self.thread.start()

    def _run(self, world: World, options: dict[str, Any]) -> None:
        try:
            self.result = world.answer(self.provider, **options)
        except Exception as error:
            self.result = error

    def check(self, expected: str, other: Credentials, cached: Entry | None) -> None:
        """Wait for the result, which must be what is expected."""
        self.thread.join(10)
        if expected == "error":
            assert isinstance(self.result, CachedFailure)
            assert str(self.result) == "theirs broke"
            return
        assert self.result
        assert not isinstance(self.result, Exception), self.result
        key = credentials.from_document(self.result.document, "").access_key
        mine = self.provider.answers[0]
        assert not isinstance(mine, Exception)
        before = credentials.from_document(cached.document, "").access_key if cached else ""
        assert (
            key == {"theirs": other.access_key, "cached": before, "new": mine.access_key}[expected]
        )


@pytest.mark.parametrize("name", ["ASIA0000000000000000", "ASIA9999999999999999"])
def test_another_document_is_newer_whichever_it_is(world: World, name: str) -> None:
    cached = world.put("now")
    lock = world.store.claim(world.key)
    waiter = Waiter(world, Gives(world.credentials()), force=True)
    world.log.wait_for("waiting for another process")
    other = world.credentials(name=name)
    world.store.write(result.fetched(world.key, cached, other, world.clock.now, print))
    release(lock)

    waiter.check("theirs", other, cached)


def test_failure_is_reported_only_to_runs_that_waited_for_it(world: World) -> None:
    own = Gives(ProviderFailed("it broke"))
    with pytest.raises(ProviderFailed):
        world.answer(own)
    world.clock.now += 60
    with pytest.raises(ProviderFailed):
        world.answer(own)
    assert own.calls == 2


def test_valid_credentials_are_served_when_another_process_takes_too_long(
    world: World,
) -> None:
    world.hurry.faster = 20
    cached = world.put("now")
    lock = world.store.claim(world.key)
    own = Gives(world.credentials())
    try:
        entry = world.answer(own)
    finally:
        release(lock)
    assert cached
    assert entry.document == cached.document
    assert own.calls == 0


def test_run_that_waited_to_its_end_names_the_process(world: World) -> None:
    cached = world.put("expired", person=True)  # only one run at a time may prompt
    lock = world.store.claim(world.key)
    run = world.refresher(seconds=0.5)
    try:
        with pytest.raises(StillWaiting, match=rf"process {os.getpid()}, lock taken \d+ s ago"):
            run.answer(world.key, [Gives(world.credentials())], credentials.document)
    finally:
        release(lock)
    assert world.cached() == cached, "a run that only waited has no failure for others"


def test_one_run_goes_on_when_little_time_is_left(world: World) -> None:
    world.store.make()
    lock = world.store.claim(world.key)
    left: list[float] = []
    run = world.refresher(seconds=3)

    class Looks(Gives):
        def retrieve(self, run: Run) -> Credentials:
            left.append(run.deadline.left())
            return super().retrieve(run)

    try:
        run.answer(world.key, [Looks(world.credentials())], credentials.document)
    finally:
        release(lock)
    assert 0 < left[0] <= 1
    assert not [name for name in os.listdir(world.store.path) if ".next" in name]


class Faulty(Store):
    """A cache that cannot be written, and perhaps not locked."""

    lockable = True

    def write(self, entry: Entry, sync: bool = True) -> None:
        raise OSError(28, "No space left on device")

    def claim(self, key: bytes) -> int | None:
        if not self.lockable:
            raise OSError(30, "Read-only file system")
        return super().claim(key)


class ReadOnly(Faulty):
    lockable = False


@pytest.mark.parametrize("kind", [Faulty, ReadOnly])
@pytest.mark.parametrize("state", ["absent", "now"])
def test_cache_that_cannot_be_written_does_not_cost_the_credentials(
    world: World, state: str, kind: type[Store]
) -> None:
    cached = world.put(state)
    run = world.refresher(store=kind(world.store.path))
    entry = run.answer(world.key, [Gives(world.credentials())], credentials.document)

    assert entry.judge(world.clock.now) == "fresh"
    assert world.cached() == cached
    assert any("not written" in line for line in world.log.lines)


@pytest.mark.parametrize("kind", [Faulty, ReadOnly])
def test_cached_entry_is_served_when_neither_provider_nor_disk_works(
    world: World, kind: type[Store]
) -> None:
    cached = world.put("now")
    run = world.refresher(store=kind(world.store.path))
    entry = run.answer(world.key, [Gives(ProviderFailed("it broke"))], credentials.document)

    assert cached
    assert entry.document == cached.document


def test_cache_is_off_where_no_directory_can_be(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = world.refresher(store=Store(str(tmp_path / "file" / "cache")))
    assert run.answer(world.key, [Gives(world.credentials())], credentials.document).document
    assert any("no lock" in line for line in world.log.lines)


def test_without_a_cache_nothing_is_cached(world: World) -> None:
    provider = Gives(world.credentials(), world.credentials())
    for _ in range(2):
        world.refresher(store=Store("")).answer(world.key, [provider], credentials.document)
    assert provider.calls == 2
    assert world.cached() is None


class Fading(Store):
    """A cache whose entry is found once, and after that no more; ``why`` is the error."""

    looks = 0
    why: OSError | None = None

    def read(self, key: bytes) -> Entry | None:
        self.looks += 1
        found = super().read(key) if self.looks == 1 else None
        self.trouble = None if found else self.why
        return found


def test_entry_that_cannot_be_read_any_more_is_used_while_it_is_valid(world: World) -> None:
    cached = world.put("now")
    assert cached
    store = Fading(world.store.path)
    store.why = OSError(5, "Input/output error")
    provider = Gives(ProviderFailed("it broke"))
    entry = world.refresher(store=store).answer(world.key, [provider], credentials.document)

    assert entry.document == cached.document


def test_entry_that_was_cleared_meanwhile_is_not_used(world: World) -> None:
    world.put("now")
    run = world.refresher(store=Fading(world.store.path))
    with pytest.raises(ProviderFailed, match="it broke"):
        run.answer(world.key, [Gives(ProviderFailed("it broke"))], credentials.document)
