"""Old files of the cache and their removal: entries that ended long ago, their locks, and what runs
left behind that were killed while they wrote.

Some miss does it, once a day, after its document is out. Nothing that anybody uses is removed:
every step is taken under the lock of the entry that it is about (see store).
"""

from __future__ import annotations

import os

from credproc.store import ENTRY, LOCK, SWEEP, TEMPORARY, is_ours, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from credproc.store import Store

#: Seconds from one sweep to the next.
EVERY = 86400
#: Seconds after its end that an entry is kept, and after its writing one that cannot be read, which
#: may be another version's.
ENDED, UNREADABLE = 86400, 7 * 86400
#: Seconds. No run writes for longer: --timeout allows an hour.
WRITING = 7200
#: Files that one run removes at most, so that nobody waits for it; the next miss goes on.
LIMIT = 1000


def sweep(store: Store, now: float, log: Callable[[str], None]) -> None:
    """Remove what is old, if that was not done today; no trouble with it is anybody's."""
    try:
        if store.path and _is_due(store, now):
            _sweep(store, now, log)
    except OSError as error:
        log(f"cache: old files stay: {error}")


def _is_due(store: Store, now: float) -> bool:
    folder = store.open()
    try:
        stamp = os.stat(SWEEP, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return True
    finally:
        os.close(folder)
    # It is empty until the first sweep has come to its end.
    return not stamp.st_size or _age(stamp, now) >= EVERY


def _age(status: os.stat_result, now: float) -> float:
    """Return the seconds since the last change; one in the future is by a clock that was wrong."""
    return abs(now - status.st_mtime)


def _sweep(store: Store, now: float, log: Callable[[str], None]) -> None:
    stamp = store.hold(SWEEP)
    if stamp is None:
        return  # another run does it
    try:
        count = 0
        for name in _old(store, now):
            count += _remove(store, name, now)
            if count >= LIMIT:
                break
        else:
            os.ftruncate(stamp, 1)
            os.utime(stamp, (now, now))
        if count:
            log(f"cache: {count} old files removed")
    finally:
        release(stamp)


def _old(store: Store, now: float) -> list[str]:
    """Return the names of files that were last changed long ago."""
    folder = store.open()
    try:
        found = []
        with os.scandir(folder) as files:
            for file in files:
                limit = WRITING if file.name.endswith(TEMPORARY) else ENDED
                if is_ours(file.name) and file.name != SWEEP:
                    try:
                        status = file.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if _age(status, now) >= limit:
                        found.append(file.name)
        return found
    finally:
        os.close(folder)


def _remove(store: Store, name: str, now: float) -> int:
    """Remove an old file if it is of no use, under the lock of its entry; return how many went."""
    stem = name[:32]
    if name.endswith(LOCK) and _status(store, stem + ENTRY):
        return 0
    try:
        lock = store.hold(stem + LOCK)
        if lock is None:
            return 0  # in use
    except OSError:
        lock = None  # where there are no locks nothing can be protected by them
    try:
        count = 0
        if not name.endswith(LOCK) and _is_useless(store, name, now):
            store.remove(name)
            count = 1
        if not _status(store, stem + ENTRY) and _status(store, stem + LOCK):
            store.remove(stem + LOCK)
            count += 1
        return count
    except OSError:
        return 0  # it went by itself, or it cannot be removed; that is no reason to keep the others
    finally:
        release(lock)


def _is_useless(store: Store, name: str, now: float) -> bool:
    status = _status(store, name)
    if status is None:
        return False
    if name.endswith(TEMPORARY):
        return _age(status, now) >= WRITING
    entry = store.load(name)
    if entry is None:
        return _age(status, now) >= UNREADABLE
    return max(entry.expiration, entry.look) + ENDED <= now


def _status(store: Store, name: str) -> os.stat_result | None:
    folder = store.open()
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    finally:
        os.close(folder)
