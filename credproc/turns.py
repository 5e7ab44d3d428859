"""Whose turn it is to ask for a device's code, across processes, and which code was used last."""

from __future__ import annotations

import contextlib
import os
import time

from credproc import processes
from credproc.cache import check_private, fingerprint
from credproc.errors import CodeNotGiven
from credproc.locks import release
from credproc.store import LOCK, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credproc.deadline import Deadline

#: Seconds that a used code is remembered: as long as AWS might still take another for it.
MEMORY = 120
#: Seconds between two looks at a lock that another process has.
POLL = 0.1
#: Bytes of a lock file that are looked at.
NOTE = 4096


class Holder:
    """What a lock file says: who has the lock, what that process asks, and the last code's mark.

    ``question`` is "" if it asks nobody. The mark has 16 bits, too few to tell the code; ``used``
    is when it was used (epoch seconds).
    """

    def __init__(self, pid: int = 0, mark: str = "-", used: int = 0, question: str = "") -> None:
        self.pid = pid
        self.mark = mark
        self.used = used
        self.question = question

    def encode(self) -> bytes:
        """Return what decode() reads."""
        return f"{self.pid} {self.mark} {self.used} {self.question}".encode("utf-8", "replace")

    @property
    def described(self) -> str:
        """The process in words."""
        found = processes.one(self.pid)
        stopped = " (stopped)" if found and found.state in "Tt" else ""
        return f"process {self.pid}{stopped}"


def decode(note: bytes) -> Holder:
    """Read what a lock file says; an empty Holder for anything else."""
    words = note.decode("utf-8", "replace").split(" ", 3)
    if len(words) != 4 or not (words[0].isdigit() and words[2].isdigit()):
        return Holder()
    return Holder(int(words[0]), words[1], int(words[2]), words[3])


class Turn:
    """A device, or a terminal, that no other process uses meanwhile."""

    def __init__(self, name: str, descriptor: int | None, now: Callable[[], float]) -> None:
        self.name = name
        self.descriptor = descriptor
        self.now = now
        self.holder = Holder()

    def note(self, question: str) -> None:
        """Tell other processes who has the lock, and what it asks; the last code stays."""
        if self.descriptor is not None:
            with contextlib.suppress(OSError):
                self.holder = decode(os.pread(self.descriptor, NOTE, 0))
        self.holder.pid, self.holder.question = os.getpid(), question
        self._write()

    def is_used(self, code: str) -> bool:
        """Whether this was the last code that AWS was sent, a moment ago."""
        return self.holder.mark == self._mark(code) and (
            abs(self.now() - self.holder.used) < MEMORY
        )

    def use(self, code: str) -> None:
        """Remember that AWS was sent the code, which works once."""
        self.holder.mark, self.holder.used = self._mark(code), int(self.now())
        self._write()

    def _mark(self, code: str) -> str:
        return f"{int(fingerprint(f'{self.name} {code}'.encode()), 16) % 65521:04x}"

    def _write(self) -> None:
        if self.descriptor is None:
            return
        with contextlib.suppress(OSError):  # a full disk: STS refuses the code a second time
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, self.holder.encode()[:NOTE], 0)


class Turns:
    """One process at a time, by a lock in the cache; without a cache, this run alone."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self.store = store
        self.now = now
        self._alone: dict[str, Turn] = {}

    @contextlib.contextmanager
    def turn(
        self,
        name: str,
        question: str,
        deadline: Deadline,
        notice: Callable[[Holder], None],
    ) -> Iterator[Turn]:
        """Wait for the turn and take it; CodeNotGiven if it does not come in time.

        ``notice`` is called once, if another process asks a person first.
        """
        descriptor = self._taken(fingerprint(name.encode()) + LOCK, deadline, notice)
        try:
            if descriptor is None:
                turn = self._alone.setdefault(name, Turn(name, None, self.now))
            else:
                turn = Turn(name, descriptor, self.now)
            turn.note(question)
            yield turn
        finally:
            release(descriptor)

    def _taken(self, file: str, deadline: Deadline, notice: Callable[[Holder], None]) -> int | None:
        """Return the descriptor of the lock; None where there can be none."""
        told = False
        while True:
            try:
                self.store.make()
                descriptor = self.store.hold(file)
            except OSError:
                return None
            if descriptor is not None:
                return descriptor
            holder = self._holder(file)
            if holder.question and not told:
                notice(holder)
                told = True
            if deadline.left() <= POLL:
                raise CodeNotGiven(_late(holder))
            time.sleep(POLL)

    def _holder(self, file: str) -> Holder:
        """Return what the process that has the lock says of itself."""
        try:
            folder = self.store.open()
            try:
                descriptor = os.open(
                    file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder
                )
            finally:
                os.close(folder)
            try:
                check_private(os.fstat(descriptor))
                return decode(os.read(descriptor, NOTE))
            finally:
                os.close(descriptor)
        except OSError:
            return Holder()


def _late(holder: Holder) -> str:
    if not holder.question:
        return f"no MFA code in time: {holder.described} was getting one first, all the time"
    asked = holder.question.rstrip(": ")
    return f"no MFA code in time: {holder.described} was asking first ({asked}); answer or end it"
