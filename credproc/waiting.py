"""Waiting for another process that is fetching the same credentials, and what to do if it is stuck.

A run waits for a running process as long as enough time is left for a call of its own. A process
that is stopped, or long past its deadline, will not release its lock. In both cases one waiting
run goes on in its place, and the others wait for that one.
"""

from __future__ import annotations

import contextlib
import time

from credproc.errors import StillWaiting, reason
from credproc.locks import release
from credproc.store import lock_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credproc.cache import Entry
    from credproc.deadline import Deadline
    from credproc.locks import Holder
    from credproc.log import Log
    from credproc.store import Store

    Look = Callable[[], "Entry | None"]

#: Seconds between two checks of the cache and of the process that has the lock.
SLICE = 1.0
#: Time at the end of a run that is reserved for its own call: in seconds, and as a fraction.
RESERVE, PART = 15.0, 1 / 3
#: Seconds before its end at which a run that is still waiting reports that.
LAST = 0.2


class Waiting:
    """Waits for the locks of one run.

    ``tell`` tells the user about the prompt of a process that has a lock; it returns True when
    there is nothing more to tell. ``passes`` says whether not to wait for a process.
    """

    def __init__(
        self,
        store: Store,
        log: Log,
        tell: Callable[[Holder], bool],
        passes: Callable[[Holder], bool],
    ) -> None:
        self.store = store
        self.log = log
        self.tell = tell
        self.passes = passes
        #: Processes that are stuck, and those that took too long: this run does not wait for their
        #: other locks, but for the latter it does if they may be waiting for the user.
        self.stuck: set[tuple[int, str]] = set()
        self.late: set[tuple[int, str]] = set()

    @contextlib.contextmanager
    def lock(
        self, key: bytes, deadline: Deadline, look: Look, person: bool = False
    ) -> Iterator[Entry | None]:
        """Take the lock of an entry and yield None; or yield what ``look`` found while waiting.

        ``look`` reads the cache again: it returns what another process cached meanwhile, None if
        that is of no use, and raises the failure of another process. With ``person`` the other
        process may be waiting for the user, so no second one goes on while it runs. StillWaiting
        at the end of the deadline. If locks do not work, there is no waiting.
        """
        found, taken = None, None
        try:
            if self.store.path:
                self.store.make()
                taken = self.store.claim(key)
                if taken is None:
                    self.log("cache: waiting for another process")
                    found, taken = self._wait(key, deadline, look, person)
        except OSError as error:
            self.log(f"cache: no lock: {reason(error)}")
        try:
            yield found
        finally:
            release(taken)

    def _wait(
        self, key: bytes, deadline: Deadline, look: Look, person: bool
    ) -> tuple[Entry | None, int | None]:
        """Return what ``look`` found, or the lock."""
        name = lock_name(key)
        first = self.store.lock_file(name)
        is_reported = False
        while True:
            file = self.store.lock_file(name)
            holder = self.store.holder(key)
            if not self._is_passed(holder, person):
                is_reported = is_reported or bool(holder and self.tell(holder))
                left = deadline.left() - LAST
                taken = self.store.wait(key, max(min(SLICE, left), 0))
                if taken is not None:
                    return None, taken
                file = self.store.lock_file(name)
                holder = self.store.holder(key)
            found = look()
            if found is not None:
                return found, None
            # Of the waiting runs one goes on: the others have another file to wait for.
            over = deadline.left() < min(RESERVE, deadline.seconds * PART) and file == first
            if self._is_passed(holder, person) or (over and not person):
                self.store.free(name, file)
                taken = self.store.claim(key)
                if taken is not None:
                    self.late.update({holder.identity} if holder else ())
                    return None, taken
                time.sleep(SLICE / 10)
            if deadline.left() <= LAST:
                raise StillWaiting(_late(holder, deadline.seconds))

    def _is_passed(self, holder: Holder | None, person: bool) -> bool:
        if holder is None:
            return False
        is_known = holder.identity in self.stuck
        if not is_known and (holder.is_stuck(time.time()) or self.passes(holder)):
            self.stuck.add(holder.identity)
            self.log(f"cache: no longer waiting for {holder.described(time.time())}")
        is_late = holder.identity in self.late and not person
        return is_late or holder.identity in self.stuck


def _late(holder: Holder | None, seconds: float) -> str:
    who = holder.described(time.time()) if holder else "its process ID is unknown"
    return (
        f"another credproc is fetching these credentials and has not finished within {seconds:g} s "
        f"({who})"
    )
