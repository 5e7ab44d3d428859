"""Removal of old cache files: expired entries, their locks, and what killed runs have left.

It runs once a day, after a miss, in a detached process. No file that is in use is removed: every
step is taken under the lock of the entry (see store).
"""

from __future__ import annotations

import os

from credproc.cache import fingerprint
from credproc.errors import reason
from credproc.generation import CLEARED
from credproc.locks import release
from credproc.store import ENTRY, LOCK, REPLACING, SWEEP, TEMPORARY, is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from credproc.store import Store

#: Seconds from one sweep to the next.
EVERY = 86400
#: Seconds until removal: after the end of an entry, and after the last write of an unreadable one,
#: which may belong to another version.
ENDED, UNREADABLE = 86400, 7 * 86400
#: Seconds. No run writes for longer: --timeout allows at most an hour.
WRITING = 7200
#: Why a file that is named like an entry, but is not one, is useless.
NO_ENTRY = "cannot be read"


def is_due(store: Store, now: float) -> bool:
    """Whether the last sweep was a day ago; the first is due a day after the first miss."""
    try:
        stamp = _status(store, SWEEP)
        if stamp is None:
            release(store.take(SWEEP))
        return stamp is not None and _age(stamp, now) >= EVERY
    except OSError:
        return False


def sweep(store: Store, now: float, log: Callable[[str], None]) -> int:
    """Remove old files, unless another process is doing so; return an exit status."""
    try:
        _sweep(store, now, log)
    except OSError as error:
        log(f"cache: cannot remove old files: {reason(error)}")
        return 1
    return 0


def _age(status: os.stat_result, now: float) -> float:
    """Return the seconds since the last change; a time in the future comes from a wrong clock."""
    return abs(now - status.st_mtime)


def _sweep(store: Store, now: float, log: Callable[[str], None]) -> None:
    try:
        lock = store.take(SWEEP)
        if lock is None:
            return
    except OSError:
        lock = None  # locks do not work here
    try:
        count = sum(remove(store, name, now) for name in _old(store, now))
        folder = store.open()
        try:
            os.utime(SWEEP, (now, now), dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(folder)
        log(f"cache: {count} old files removed")
    finally:
        release(lock)


def _old(store: Store, now: float) -> list[str]:
    """Return the names of files whose last change was long ago."""
    folder = store.open()
    try:
        found = []
        with os.scandir(folder) as files:
            for file in files:
                limit = WRITING if file.name.endswith(TEMPORARY) else ENDED
                if is_ours(file.name) and file.name not in (SWEEP, CLEARED):
                    try:
                        status = file.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if _age(status, now) >= limit:
                        found.append(file.name)
        return found
    finally:
        os.close(folder)


def remove(
    store: Store, name: str, now: float, ended: int = ENDED, unreadable: int = UNREADABLE
) -> bool:
    """Remove a file if it is useless, under the lock of its entry; return whether it was removed.

    If no entry is left, the lock file is removed too. For the seconds see useless().
    """
    stem = name[:32]
    try:
        if name.endswith(LOCK) and not useless(store, name, now, ended, unreadable):
            return False
        lock = store.take(name if name.endswith(REPLACING) else stem + LOCK)
        if lock is None:
            return False  # in use
    except OSError:
        lock = None
    try:
        is_useless = bool(useless(store, name, now, ended, unreadable))
        if is_useless and not name.endswith(LOCK):
            store.remove(name)
        if name.endswith(REPLACING):
            store.remove(name)
        elif not _status(store, stem + ENTRY):
            store.remove(stem + LOCK)
        return is_useless
    except OSError:
        return False  # already removed, or not removable: go on with the others
    finally:
        release(lock)


def useless(
    store: Store, name: str, now: float, ended: int = ENDED, unreadable: int = UNREADABLE
) -> str:
    """Return why a cache file is useless, "" if it may be useful.

    ``ended`` and ``unreadable`` are the seconds before such entries are removed.
    """
    status = _status(store, name)
    if status is None:
        return ""
    if name.endswith(TEMPORARY):
        return "left by a killed run" if _age(status, now) >= WRITING else ""
    if name.endswith(LOCK):
        is_old = _age(status, now) >= max(ended, WRITING)
        return "lock without an entry" if is_old and not _status(store, name[:32] + ENTRY) else ""
    entry = store.load(name)
    if entry is None or name != fingerprint(entry.key) + ENTRY:
        return NO_ENTRY if _age(status, now) >= unreadable else ""
    if max(entry.expiration, entry.look) + ended > now:
        return ""
    return "expired" if entry.document else "an old failure"


def _status(store: Store, name: str) -> os.stat_result | None:
    folder = store.open()
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    finally:
        os.close(folder)
