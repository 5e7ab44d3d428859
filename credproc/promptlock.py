"""Locks on what one process may use at a time: an MFA device, a prompt, a terminal, a sign-in.

The lock of a device records which code was used last.
"""

from __future__ import annotations

import contextlib
import os
import time

from credproc.cache import fingerprint
from credproc.errors import CodeNotGiven
from credproc.locks import Holder, release, signature
from credproc.store import LOCK, Store, lock_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credproc.deadline import Deadline

#: Seconds for which a used code is remembered, so that it is not sent again.
USED_CODE_SECONDS = 120
#: Seconds between two tries to take a lock that another process has.
POLL = 0.1
#: Bytes. The most that is read of a lock file.
SIZE = 4096


class Note:
    """The second line of a lock file: the prompt of its process, and a mark of the last code.

    ``question`` is "" if the process does not prompt. The mark has 16 bits, too few to reveal the
    code; ``used`` is when the code was used (epoch seconds).
    """

    def __init__(self, mark: str = "-", used: int = 0, question: str = "") -> None:
        self.mark = mark
        self.used = used
        self.question = question

    def encode(self) -> bytes:
        """Return what decode() reads."""
        return f"{self.mark} {self.used} {self.question}".encode("utf-8", "replace")


def decode(line: bytes) -> Note:
    """Parse the second line of a lock file; an empty Note for anything else."""
    words = line.decode("utf-8", "replace").split(" ", 2)
    if len(words) != 3 or not words[1].isdecimal():
        return Note()
    return Note(words[0], int(words[1]), words[2])


class PromptLock:
    """The exclusive use of a device, a prompt, a terminal or a sign-in by this process."""

    def __init__(self, name: str, descriptor: int | None, until: float) -> None:
        self.name = name
        self.descriptor = descriptor
        self.until = until
        self.note = Note()
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self.note = decode(os.pread(descriptor, SIZE, 0).partition(b"\n")[2])

    def prompt(self, question: str) -> None:
        """Tell other processes which process has the lock, and its prompt; keep the last code."""
        self.note.question = question
        self._write()

    def is_used(self, code: str, now: float) -> bool:
        """Whether this is the last code that was sent to AWS, a moment ago."""
        return self.note.mark == self._mark(code) and abs(now - self.note.used) < USED_CODE_SECONDS

    def record(self, code: str, now: float) -> None:
        """Record that the code, which works once, was sent to AWS."""
        self.note.mark, self.note.used = self._mark(code), int(now)
        self._write()

    def _mark(self, code: str) -> str:
        return f"{int(fingerprint(f'{self.name} {code}'.encode()), 16) % 65521:04x}"

    def _write(self) -> None:
        if self.descriptor is None:
            return
        text = signature(self.until) + self.note.encode()[: SIZE // 2]
        with contextlib.suppress(OSError):  # if the disk is full, STS rejects a repeated code
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, text, 0)


class PromptLocks:
    """These locks of one run: files in the cache. Without a cache nothing is locked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._unlocked: dict[str, PromptLock] = {}

    @contextlib.contextmanager
    def lock(
        self,
        name: str,
        question: str,
        deadline: Deadline,
        notice: Callable[[Holder, str], None],
    ) -> Iterator[PromptLock]:
        """Take a lock, waiting if necessary; CodeNotGiven if it is not free in time.

        ``notice`` is called once if another process prompts first, with that process and its
        prompt.
        """
        descriptor = self._wait(name, deadline, notice)
        until = time.time() + deadline.left()
        try:
            if descriptor is None:
                lock = self._unlocked.setdefault(name, PromptLock(name, None, until))
            else:
                lock = PromptLock(name, descriptor, until)
            lock.prompt(question)
            yield lock
        finally:
            release(descriptor)

    def question(self, process: Holder) -> str:
        """Return the open prompt of a process, "" if it has none."""
        try:
            names = [name for name in os.listdir(self.store.folder) if name.endswith(LOCK)]
        except OSError:
            return ""
        for name in names:
            holder, question = self._holder(name)
            if question and holder and holder.identity == process.identity:
                return question
        return ""

    def _wait(
        self, name: str, deadline: Deadline, notice: Callable[[Holder, str], None]
    ) -> int | None:
        """Return the descriptor of the lock; None if locks do not work."""
        file = lock_name(name.encode())
        has_noticed = False
        while True:
            try:
                self.store.make()
                descriptor = self.store.take(file)
            except OSError:
                return None
            if descriptor is not None:
                return descriptor
            status = self.store.lock_file(file)
            holder, question = self._holder(file)
            if holder and holder.is_stuck(time.time()):
                self._free(file, status, decode(holder.note))
            elif holder and question and not has_noticed:
                notice(holder, question)
                has_noticed = True
            if deadline.left() <= POLL:
                raise CodeNotGiven(_late(name, holder, question))
            time.sleep(POLL)

    def _free(self, file: str, status: tuple[int, int] | None, note: Note) -> None:
        """Free the lock of a stuck process, and keep the mark of the last code."""
        with contextlib.suppress(OSError):
            self.store.free(file, status, Note(note.mark, note.used).encode())

    def _holder(self, file: str) -> tuple[Holder | None, str]:
        """Return the process that has the lock, and its prompt, as far as known."""
        holder = self.store.holder_of(file)
        return holder, decode(holder.note).question if holder else ""


def _late(name: str, holder: Holder | None, question: str) -> str:
    who = f" ({holder.described(time.time())})" if holder else ""
    if not question:
        return f"timed out waiting for another credproc that is using {name}{who}"
    what = question.rstrip(": ")
    return f"timed out waiting for another credproc that is prompting: {what}{who}"
