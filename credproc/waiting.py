"""Waiting for another process that is getting the same credentials, and what to do if it is stuck.

A process that runs is waited for as long as there is time for a call of one's own afterwards. One
that is stopped, or whose time is long over, will not release its lock. Then, and when that time has
come, one of those who wait goes on in its place, and the others wait for that one.
"""

from __future__ import annotations

import contextlib
import time

from credproc.errors import StillWaiting, reason
from credproc.locks import release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credproc.cache import Entry
    from credproc.deadline import Deadline
    from credproc.locks import Holder
    from credproc.log import Log
    from credproc.store import Store

    Look = Callable[[], "Entry | None"]

#: Seconds from one look at the cache, and at the process that has the lock, to the next.
SLICE = 1.0
#: Seconds before the end of a run that are kept for a call of its own, and their part of the whole.
RESERVE, PART = 15.0, 1 / 3
#: Seconds before its end at which a run that still waits says so.
LAST = 0.2


class Waiting:
    """The waiting of one run, for any of its locks.

    ``tell`` tells the person of the prompt of a process that has a lock; True if that is done.
    """

    def __init__(self, store: Store, log: Log, tell: Callable[[Holder], bool]) -> None:
        self.store = store
        self.log = log
        self.tell = tell
        #: The processes that are known to be stuck: their other locks are not waited for.
        self.stuck: set[tuple[int, str]] = set()

    @contextlib.contextmanager
    def lock(
        self, key: bytes, deadline: Deadline, look: Look, person: bool = False
    ) -> Iterator[Entry | None]:
        """Take the lock of an entry, and give None; or what ``look`` found while another had it.

        ``look`` reads the cache again: it returns what another process cached meanwhile, None if
        that is nothing of use, and raises the failure of another process. With ``person`` the
        other process may be waiting for one, and no second one goes on beside it while it runs.
        StillWaiting at the end of the deadline. Without locks nothing is waited for.
        """
        found, taken, successor = None, None, False
        try:
            if self.store.path:
                self.store.make()
                taken = self.store.claim(key)
                if taken is None:
                    self.log("cache: waiting for another process")
                    found, taken, successor = self._wait(key, deadline, look, person)
        except OSError as error:
            self.log(f"cache: no lock: {reason(error)}")
        try:
            yield found
        finally:
            if successor:
                with contextlib.suppress(OSError):
                    self.store.remove_successor(key)
            release(taken)

    def _wait(
        self, key: bytes, deadline: Deadline, look: Look, person: bool
    ) -> tuple[Entry | None, int | None, bool]:
        """Return what was found, the lock that was taken, and whether it is the successor's."""
        told = False
        while True:
            holder = self.store.holder(key)
            told = told or bool(holder and self.tell(holder))
            if not self._is_stuck(holder):
                left = deadline.left() - LAST
                taken = self.store.wait(key, max(min(SLICE, left), 0))
                if taken is not None:
                    return None, taken, False
                holder = self.store.holder(key)
            found = look()
            if found is not None:
                return found, None, False
            over = deadline.left() < min(RESERVE, deadline.seconds * PART)
            if self._is_stuck(holder) or (over and not person):
                taken = self.store.claim(key, successor=True)
                if taken is not None:
                    return None, taken, True
                time.sleep(SLICE / 10)
            if deadline.left() <= LAST:
                raise StillWaiting(_late(holder, deadline.seconds))

    def _is_stuck(self, holder: Holder | None) -> bool:
        if holder is None:
            return False
        name = (holder.pid, holder.start)
        if name not in self.stuck and holder.is_stuck(time.time()):
            self.stuck.add(name)
            self.log(f"cache: going on without {holder.described(time.time())}")
        return name in self.stuck


def _late(holder: Holder | None, seconds: float) -> str:
    who = holder.described(time.time()) if holder else "a process that does not say who it is"
    return (
        f"another credproc is getting these credentials, and has not finished within {seconds:g} s "
        f"({who})"
    )
