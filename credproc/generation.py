"""The generation of a cache's entries: clearing starts a new one, and entries of earlier
generations are no longer written.

It is stored in the file of the lock that processes share while they write entries, after the line
about the process that has taken the lock.
"""

from __future__ import annotations

import os
import time

from credproc import files, locks, system

#: The lock that writers of entries share and that clearing takes; the offset of the generation.
CLEARED, PLACE = "cleared.lock", 512
#: Seconds between two tries to take this lock, which is never taken for long.
PAUSE = 0.02


def current(folder: int) -> bytes:
    """Return the generation; b"" before the first clearing."""
    try:
        return system.read(CLEARED, 2 * PLACE, folder, is_private=True)[PLACE : PLACE + 32]
    except (OSError, ValueError):
        return b""


def renew(folder: int) -> None:
    """Start a new generation; OSError if that fails."""
    descriptor = files.make(CLEARED, os.O_RDWR | os.O_NONBLOCK, folder)
    try:
        system.check_private(os.fstat(descriptor))
        os.pwrite(descriptor, os.urandom(16).hex().encode(), PLACE)
    finally:
        os.close(descriptor)


def lock(folder: int, seconds: float, until: float, shared: bool = False) -> int | None:
    """Take the lock for clearing, or share it for writing; None if locks do not work.

    TimeoutError if another process has it for longer than ``seconds``. For ``until`` see Store.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            taken = locks.take(CLEARED, folder, until, shared)
        except OSError:
            return None  # go on without the lock; the generation alone must do
        if taken is not None:
            return taken
        if time.monotonic() > end:
            work = "clearing" if shared else "writing to"
            raise TimeoutError(f"another process has been {work} the cache for {seconds:g} s")
        time.sleep(PAUSE)


class Clearing:
    """A context in which entries are removed for good: no run in progress writes one afterwards.

    A new generation starts at the beginning and at the end, because a run that begins meanwhile may
    read what is not removed yet. TimeoutError if other processes have not finished writing after
    ``seconds``. ``folder`` is a descriptor of the cache, which is closed at the end.
    """

    def __init__(self, folder: int, seconds: float, until: float) -> None:
        self.folder = folder
        self.seconds = seconds
        self.until = until
        self.lock: int | None = None

    def __enter__(self) -> None:
        try:
            self.lock = lock(self.folder, self.seconds, self.until)
            renew(self.folder)
        except BaseException:
            self._end()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            renew(self.folder)
        finally:
            self._end()

    def _end(self) -> None:
        locks.release(self.lock)
        os.close(self.folder)
