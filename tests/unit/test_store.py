"""The store: what it makes and with which modes, who holds a lock, what a sweep removes."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from credproc import files, locks, sweep
from credproc import store as stores
from credproc.cache import Entry
from credproc.generation import CLEARED
from credproc.locks import release
from credproc.store import SWEEP, Store, is_ours
from tests import cachedir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Host

DAY = 86400
NOW = int(time.time())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path / "cache"))
    made.make()
    return made


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    assert tmp_path.is_dir(), "made under the umask that was"
    before = os.umask(request.param)
    yield request.param
    assert os.umask(before) == request.param, "it was not put back"


def entry(name: str = "one", ends_in: int = 3600) -> Entry:
    """Return an entry whose key has the name in it."""
    made = Entry(f"key {name}".encode())
    made.document = b'{"Version": 1}\n'
    made.expiration = NOW + ends_in
    return made


def contents(store: Store) -> list[str]:
    """Return the names of the cache's files but that of the lock of those who write."""
    return [name for name in os.listdir(store.path) if name != CLEARED]


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "b" / "cache"))
    store.make()
    store.write(entry())
    release(store.claim(entry().key))

    assert [mode(tmp_path / path) for path in ("b", "b/cache")] == [0o700] * 2
    files = sorted((tmp_path / "b/cache").iterdir())
    assert [path.suffix for path in files] == [".entry", ".lock", ".lock"]
    assert [mode(path) for path in files] == [0o600] * 3
    assert store.read(entry().key) == entry()


@pytest.mark.parametrize("path", ["/", "//", "///"])
def test_root_of_the_file_system_is_not_a_cache(path: str) -> None:
    store = Store(path)
    store.make()
    with pytest.raises(PermissionError):
        store.open()


def test_readable_directory_becomes_private_if_it_holds_nothing_else(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write(entry())
    for bits in (0o755, 0o750, 0o711, 0o705):
        tmp_path.chmod(bits)
        with pytest.raises(PermissionError, match=f"mode {bits:04o} .* mode 0700"):
            store.open()
        store.make()
        assert mode(tmp_path) == 0o700
        store.write(entry())
    (tmp_path / "other").touch()
    tmp_path.chmod(0o755)
    store.make()
    assert mode(tmp_path) == 0o755


def test_empty_directory_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store(str(tmp_path)).make()
    assert mode(tmp_path) == 0o755


def test_no_more_than_the_directory_and_the_one_above_it_are_made(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "home" / ".cache" / "credproc"))
    with pytest.raises(PermissionError, match=f": {tmp_path}/home does not exist"):
        store.make()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("bits", [0o770, 0o702, 0o777, 0o1777])
def test_directory_that_others_may_write_to_is_left_alone(tmp_path: Path, bits: int) -> None:
    tmp_path.chmod(bits)
    Store(str(tmp_path)).make()
    assert mode(tmp_path) == bits


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0123456789abcdef0123456789abcdef.entry", True),
        ("0123456789abcdef0123456789abcdef.lock", True),
        ("0123456789abcdef0123456789abcdef.77.0a1b2c3d.tmp", True),
        (SWEEP, True),
        ("sweep.log", False),
        ("0123456789abcdef0123456789abcdef", False),
        ("0123456789abcdef0123456789abcdef.entry.bak", False),
        ("0123456789abcdef0123456789abcdef-77.tmp", False),
        ("0123456789ABCDEF0123456789abcdef.entry", False),
        ("0123456789abcdef.entry", False),
        (".bashrc", False),
    ],
)
def test_own_names_are_known(name: str, expected: bool) -> None:
    assert is_ours(name) is expected


def test_write_replaces_and_leaves_nothing_else(store: Store) -> None:
    store.write(entry(ends_in=10))
    store.write(entry(ends_in=20), sync=False)

    assert store.written
    assert len(contents(store)) == 1
    found = store.read(entry().key)
    assert found is not None
    assert found.expiration == entry(ends_in=20).expiration


def test_failed_write_leaves_nothing(store: Store) -> None:
    with cachedir.no_room(), pytest.raises(OSError, match="File too large"):
        store.write(entry())
    assert contents(store) == []
    assert not store.written


def test_reader_of_a_replaced_entry_has_it_whole(store: Store) -> None:
    store.write(entry())
    path = f"{store.path}/{contents(store)[0]}"
    with open(path, "rb") as before:
        store.write(entry(ends_in=7200))
        assert str(entry().expiration).encode() in before.read()


def test_reason_for_an_unreadable_entry_is_recorded(store: Store) -> None:
    assert store.read(b"nothing") is None
    assert store.trouble is None
    store.write(entry())
    (name,) = contents(store)
    os.chmod(f"{store.path}/{name}", 0o644)
    assert store.read(entry().key) is None
    assert "not a private regular file" in str(store.trouble)
    os.chmod(f"{store.path}/{name}", 0o600)
    assert store.read(entry().key) == entry()
    assert store.trouble is None


def test_lock_is_exclusive(store: Store) -> None:
    first = store.claim(b"key")
    assert first is not None
    assert store.claim(b"key") is None
    other = store.claim(b"another key")
    assert other is not None
    release(other)
    release(first)
    again = store.claim(b"key")
    assert again is not None
    release(again)


def test_lock_that_was_removed_by_its_holder_is_not_taken(store: Store) -> None:
    """A waiter that had the file open before is not to share the lock with a newcomer."""
    holder = store.claim(b"key")
    waited: list[int | None] = []
    thread = threading.Thread(target=lambda: waited.append(store.wait(b"key", 10)))
    thread.start()
    os.unlink(store.lock_path(b"key"))
    release(holder)
    thread.join()

    assert waited[0] is not None
    assert store.claim(b"key") is None
    assert os.path.samestat(os.fstat(waited[0]), os.stat(store.lock_path(b"key")))
    release(waited[0])


@pytest.mark.parametrize("times", [1, locks.TRIES - 1, locks.TRIES])
def test_lock_that_is_removed_between_opening_and_locking_is_opened_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    flock = fcntl.flock
    removed: list[int] = []

    def late(descriptor: int, how: int) -> None:
        if len(removed) < times:
            removed.append(os.fstat(descriptor).st_ino)
            os.unlink(store.lock_path(b"key"))
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    if times == locks.TRIES:
        with pytest.raises(FileNotFoundError, match="keep removing"):
            store.claim(b"key")
        return

    lock = store.claim(b"key")
    assert lock is not None
    assert os.path.samestat(os.fstat(lock), os.stat(store.lock_path(b"key")))
    release(lock)


def test_waiting_ends_in_time(store: Store) -> None:
    holder = store.claim(b"key")
    begun = time.monotonic()
    assert store.wait(b"key", 0.2) is None
    assert 0.2 <= time.monotonic() - begun < 10
    release(holder)


def test_lock_file_that_waiting_made_is_private(store: Store) -> None:
    held = store.wait(b"key", 1)
    assert held is not None
    assert mode(store.lock_path(b"key")) == 0o600
    release(held)


CONTENDER = """
import fcntl, os, sys
from credproc.locks import release
from credproc.store import Store
flock = fcntl.flock
def late(descriptor, how):  # much may happen between opening and locking
    for _ in range(300):
        os.sched_yield()
    flock(descriptor, how)
fcntl.flock = late
store, turns = Store(sys.argv[1]), int(sys.argv[2])
inside = sys.argv[1] + "/inside"
while turns:
    lock = store.wait(b"key", 0.01 * (turns % 7)) if turns % 9 == 0 else store.claim(b"key")
    if lock is None:
        continue
    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # FileExistsError if another process is here
    for _ in range(300):
        os.sched_yield()
    os.unlink(inside)
    if turns % 2:
        os.unlink(store.lock_path(b"key"))
    release(lock)
    turns -= 1
"""


def test_removing_a_lock_does_not_let_another_process_in(store: Store, host: Host) -> None:
    contenders = [
        host.start("-c", CONTENDER, store.path, "200", command=sys.executable) for _ in range(4)
    ]
    for contender in contenders:
        assert contender.wait().stderr == ""


def swept(store: Store, in_days: float = 0) -> list[str]:
    """Sweep, and return the names of the files that remain, but for the sweep's own."""
    logged: list[str] = []
    release(store.take(SWEEP))
    assert sweep.sweep(store, time.time() + in_days * DAY, logged.append) == 0, logged
    return sorted(set(contents(store)) - {SWEEP})


def look_old(store: Store, names: list[str], seconds: float) -> None:
    for name in names:
        moment = time.time() - seconds
        os.utime(f"{store.path}/{name}", (moment, moment))


def keep(store: Store, made: Entry, age: float) -> list[str]:
    """Write an entry that is so many seconds old, with its lock; return the names of the two."""
    before = set(contents(store))
    store.write(made)
    release(store.claim(made.key))
    names = sorted(set(contents(store)) - before)
    for name in names:
        moment = time.time() - age
        os.utime(f"{store.path}/{name}", (moment, moment))
    return names


@pytest.mark.parametrize(
    ("age", "ends_in", "stays"),
    [
        (60, -30, True),  # ended, but not long ago
        (2 * DAY, -DAY + 3600, True),
        (2 * DAY, -DAY - 3600, False),
        (30 * DAY, -29 * DAY, False),
        (30 * DAY, 3600, True),  # a long life
        (60, -29 * DAY, True),  # a moment ago: it may be in use
    ],
)
def test_entry_that_ended_long_ago_is_swept_with_its_lock(
    store: Store,
    age: float,
    ends_in: int,
    stays: bool,
) -> None:
    names = keep(store, entry(ends_in=ends_in), age)
    fresh = keep(store, entry("two"), 0)

    assert swept(store) == sorted(names * stays + fresh)


@pytest.mark.parametrize(("days", "stays"), [(6, True), (8, False)])
def test_entry_that_cannot_be_read_is_swept_after_a_week(
    store: Store, days: int, stays: bool
) -> None:
    names = keep(store, entry(), 0)
    with open(f"{store.path}/{names[0]}", "ab") as file:
        file.write(b"of another version")
    look_old(store, names, days * DAY)

    assert swept(store) == names * stays


def test_temporary_file_of_a_dead_run_is_swept_and_one_being_written_stays(store: Store) -> None:
    (name, lock) = keep(store, entry(), 0)
    old = name.replace(".entry", ".1.00000000.tmp")
    new = name.replace(".entry", ".2.00000000.tmp")
    alone = f"{'0' * 32}.3.00000000.tmp"
    for each in (old, new, alone):
        open(f"{store.path}/{each}", "w").close()
    look_old(store, [old, alone], 3 * 3600)

    assert swept(store) == sorted([name, lock, new])


def test_locked_entry_is_in_use_and_stays(store: Store) -> None:
    names = keep(store, entry(ends_in=-9 * DAY), 10 * DAY)
    temporary = names[0].replace(".entry", ".1.00000000.tmp")
    open(f"{store.path}/{temporary}", "w").close()
    look_old(store, [temporary], DAY)
    held = store.claim(entry().key)

    assert swept(store) == sorted([*names, temporary])

    release(held)
    assert swept(store) == []


def test_lock_without_an_entry_is_swept_after_a_day(store: Store) -> None:
    release(store.claim(b"long-term keys"))
    (name,) = contents(store)

    assert swept(store) == [name]
    assert swept(store, in_days=1.1) == []


def test_files_of_others_are_never_swept(store: Store) -> None:
    for name in ("notes", "x.entry", f"{'0' * 32}.lock.old"):
        open(f"{store.path}/{name}", "w").close()
    look_old(store, contents(store), 365 * DAY)

    assert swept(store) == sorted(["notes", "x.entry", f"{'0' * 32}.lock.old"])


def test_folder_with_an_old_name_does_not_stop_the_sweep(store: Store) -> None:
    blocked = f"{'0' * 32}.entry"
    os.mkdir(f"{store.path}/{blocked}")
    os.mkdir(f"{store.path}/{blocked}/kept")
    keep(store, entry(ends_in=-9 * DAY), 10 * DAY)
    look_old(store, [blocked], 30 * DAY)

    left = swept(store)
    assert blocked in left
    assert all(name.startswith("0" * 32) for name in left)


def test_sweep_is_due_once_a_day(store: Store) -> None:
    now = time.time()
    assert not sweep.is_due(store, now)  # nothing is old yet
    assert mode(f"{store.path}/{SWEEP}") == 0o600
    assert not sweep.is_due(store, now + 0.9 * DAY)
    assert sweep.is_due(store, now + 1.1 * DAY)

    swept(store, in_days=1.1)

    assert not sweep.is_due(store, now + 2 * DAY)
    assert sweep.is_due(store, now + 2.2 * DAY)


def test_wrong_clock_does_not_postpone_the_sweep_forever(store: Store) -> None:
    swept(store, in_days=5000)
    assert sweep.is_due(store, time.time())


def test_sweep_that_fails_is_due_again(store: Store) -> None:
    swept(store)
    logged: list[str] = []
    Path(store.path).chmod(0o755)
    assert sweep.sweep(store, time.time() + 2 * DAY, logged.append) == 1
    assert "cannot remove old files" in logged[0]
    Path(store.path).chmod(0o700)
    assert sweep.is_due(store, time.time() + 2 * DAY)


def test_one_sweeps_at_a_time(store: Store) -> None:
    names = keep(store, entry(ends_in=-9 * DAY), 10 * DAY)
    other = store.take(SWEEP)
    logged: list[str] = []
    assert sweep.sweep(store, time.time(), logged.append) == 0
    assert logged == []
    assert sorted(contents(store)) == sorted([*names, SWEEP])
    release(other)
    assert swept(store) == []


@pytest.mark.parametrize("path", ["", "/proc/nowhere/cache"])
def test_cache_that_is_not_there_is_not_swept(path: str) -> None:
    logged: list[str] = []
    assert not sweep.is_due(Store(path), time.time())
    assert sweep.sweep(Store(path), time.time(), logged.append) == 1
    assert len(logged) == 1


def test_cache_without_locks_is_swept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(descriptor: int, how: int) -> None:
        raise OSError(38, "Function not implemented")

    keep(store, entry(ends_in=-9 * DAY), 10 * DAY)
    assert not sweep.is_due(store, time.time())
    monkeypatch.setattr(fcntl, "flock", unknown)
    logged: list[str] = []
    assert sweep.is_due(store, time.time() + 2 * DAY)
    assert sweep.sweep(store, time.time() + 2 * DAY, logged.append) == 0
    assert contents(store) == [SWEEP]
    assert not sweep.is_due(store, time.time() + 2 * DAY)


def test_no_entry_is_torn(store: Store, tmp_path: Path) -> None:
    store.write(entry())
    assert cachedir.entries(tmp_path / "cache") == [entry()]


# What the system may do between two steps.


def test_cache_that_is_off_is_made_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store("").make()

    assert list(tmp_path.iterdir()) == []


def test_lock_whose_file_system_has_gone_is_let_go() -> None:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)

    release(descriptor)


def test_directory_that_another_run_has_just_made_is_taken(store: Store) -> None:
    stores._make(store.path)

    assert mode(store.path) == 0o700


def test_what_was_no_lock_and_has_gone_needs_no_removal(store: Store) -> None:
    folder = store.open()
    locks._discard("gone.lock", folder)
    files.forget("gone.tmp", folder)
    os.close(folder)


def test_file_that_its_owner_cannot_write_is_not_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(mode=0o400)

    with pytest.raises(PermissionError):
        locks._check(path.stat())


def test_old_file_that_goes_by_itself_stops_no_sweep(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(entry("one"))
    store.write(entry("two"))
    (name, other) = cachedir.names(Path(store.path), ".entry")

    def gone(found: str) -> bool:
        if found == name:
            os.unlink(os.path.join(store.path, name))
        return is_ours(found)

    monkeypatch.setattr(sweep, "is_ours", gone)

    assert sweep._old(store, time.time() + 400 * 86400) == [other]
    assert not sweep.useless(store, name, time.time())


def test_process_is_named_only_where_it_is_visible() -> None:
    """In another container its ID is that of another process, which must not be killed."""
    own = locks.Holder(locks.signature(200))
    assert own.described(own.since).startswith(f"process {os.getpid()}, lock taken 0 s ago: ")
    other = locks.Holder(f"{os.getpid()} 100 200 1".encode())
    assert other.described(107) == (
        "a process that is not visible here, perhaps in another container or on another machine, "
        "lock taken 7 s ago: wait for it, or end it there"
    )
