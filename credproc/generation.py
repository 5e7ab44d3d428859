"""The generation of a cache's entries: clearing starts a new one, and none of an earlier one is
written any more.

What says it is in the file of the lock that those who write entries share, behind the line about
the process that has taken it.
"""

from __future__ import annotations

import os
import time

from credproc import files, locks, system

#: The lock of those who write entries, shared, and of those who clear; the byte where it begins.
CLEARED, PLACE = "cleared.lock", 512
#: Seconds between two tries to take a lock that is never taken for long.
PAUSE = 0.02


def current(folder: int) -> bytes:
    """Return the generation; b"" before the first clearing."""
    try:
        return system.read(CLEARED, 2 * PLACE, folder, is_private=True)[PLACE : PLACE + 32]
    except (OSError, ValueError):
        return b""


def renew(folder: int) -> None:
    """Start a new generation; OSError if that cannot be done."""
    descriptor = files.make(CLEARED, os.O_RDWR | os.O_NONBLOCK, folder)
    try:
        system.check_private(os.fstat(descriptor))
        os.pwrite(descriptor, os.urandom(16).hex().encode(), PLACE)
    finally:
        os.close(descriptor)


def lock(folder: int, seconds: float, until: float, shared: bool = False) -> int | None:
    """Take the lock of clearing, or share it with others who write; None without locks.

    TimeoutError if another process has it for longer than ``seconds``. For ``until`` see Store.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            taken = locks.take(CLEARED, folder, until, shared)
        except OSError:
            return None  # the generation has to do
        if taken is not None:
            return taken
        if time.monotonic() > end:
            work = "clearing" if shared else "writing to"
            raise TimeoutError(f"another process has been {work} the cache for {seconds:g} s")
        time.sleep(PAUSE)


class Clearing:
    """Lets entries be removed for good: no run that is under way writes one afterwards.

    A new generation starts at the beginning and at the end: a run that begins meanwhile may read
    what is not removed yet. TimeoutError if other processes have not finished writing after
    ``seconds``. ``folder`` is the descriptor of the cache, and is closed at the end.
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
