"""Locks: files with a flock, each with a line about the process that has taken it.

The process that has taken a lock may remove its file. So a lock is valid only if the locked file
still has the lock's name; a process that opened the file before opens the new one.
"""

from __future__ import annotations

import _thread
import errno
import fcntl
import os
import stat
import time

from credproc import files, processes
from credproc.system import check_private

#: Errors of opening something other than a private regular file; None is what _check raises.
UNFIT = (None, errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENXIO)
#: How often others may remove a lock file between opening and locking it.
TRIES = 100
#: Seconds that a non-blocking flock may take: on NFS without a lock manager it blocks.
CLAIM = 2.0
#: Seconds after its deadline that a process may take to end.
GRACE = 3.0


class Holder:
    """The process that has taken a lock, from its line in the lock file: its ID and times.

    ``start`` distinguishes it from another process with the same ID. It took the lock at ``since``,
    and its deadline is ``until`` (epoch seconds). ValueError if the line is not valid.
    """

    def __init__(self, data: bytes) -> None:
        line, _, self.note = data.partition(b"\n")
        pid, since, until, self.start = line.decode("ascii").split(" ", 3)
        self.pid, self.since, self.until = int(pid), int(since), int(until)
        self.identity = (self.pid, self.start)

    def is_stopped(self) -> bool:
        """Whether the process was stopped (Ctrl-Z, SIGSTOP), as far as this system shows it."""
        found = self.process()
        return found is not None and found.state in ("T", "t")

    def process(self) -> processes.Process | None:
        """Return the process, None if it is not visible here: in another container its ID may be
        that of another process."""
        found = processes.one(self.pid)
        return found if found and found.start == self.start else None

    def is_stuck(self, now: float) -> bool:
        """Whether it will not release the lock: it is stopped, or long past its deadline."""
        return self.is_stopped() or now > self.until + GRACE

    def described(self, now: float) -> str:
        """Return the process and what to do about it, for an error message."""
        who, advice = f"process {self.pid}", "wait for it, or kill it"
        if self.process() is None:
            who = (
                "a process that is not visible here, perhaps in another container or on another "
                "machine"
            )
            advice = "wait for it, or end it there"
        elif self.is_stopped():
            who += ", stopped"
            advice = f"resume it (kill -CONT {self.pid}) or kill it (kill {self.pid})"
        return f"{who}, lock taken {max(now - self.since, 0):.0f} s ago: {advice}"


def take(name: str, folder: int, until: float = 0, shared: bool = False) -> int | None:
    """Take the lock in the file ``name`` if it is free: return a descriptor to release, else None.

    It is the same lock as filelock's (flock on the file), without the cost of importing filelock.
    With ``until``, our deadline in epoch seconds, this process writes its line into the file.
    OSError if locking does not work.
    """
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    for _ in range(TRIES):
        descriptor = _open(name, folder)
        try:
            if not _flock(descriptor, operation | fcntl.LOCK_NB):
                os.close(descriptor)
                return None
            if _has_name(descriptor, name, folder):
                if until and not shared:
                    _sign(descriptor, until)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise FileNotFoundError(f"other processes keep removing {name}")


def release(descriptor: int | None) -> None:
    """Release a lock. Closing may report a file system error, but releases the lock anyway."""
    try:
        if descriptor is not None:
            os.close(descriptor)
    except OSError:
        pass


def signature(until: float) -> bytes:
    """Return the line about this process, whose deadline is ``until``, for a lock file."""
    pid = processes.own()
    found = processes.one(pid)
    line = f"{pid} {time.time():.0f} {until:.0f} {found.start if found else ''}\n"
    return line.encode()


def _sign(descriptor: int, until: float) -> None:
    """Write our line for those who wait; on a full disk we have the lock without it."""
    try:
        os.pwrite(descriptor, signature(until), 0)
    except OSError:
        pass


def _flock(descriptor: int, operation: int) -> bool:
    """Whether the lock was free; TimeoutError if flock does not return within CLAIM seconds.

    It runs in a thread, because neither a signal nor a timeout ends every such wait. Importing
    ``threading`` would cost a hit that starts a refresh 2 ms.
    """
    errors: list[OSError] = []
    done = _thread.allocate_lock()
    done.acquire()

    def work() -> None:
        try:
            fcntl.flock(descriptor, operation)
        except OSError as error:
            errors.append(error)
        finally:
            done.release()

    try:
        _thread.start_new_thread(work, ())
    except RuntimeError:  # the memory or process limit allows no thread
        work()
    if not done.acquire(timeout=CLAIM):
        raise TimeoutError(errno.ETIMEDOUT, "flock does not return")
    if errors and not isinstance(errors[0], BlockingIOError):
        raise errors[0]
    return not errors


def _open(name: str, folder: int, tries: int = 3) -> int:
    """Open a lock file without blocking; remove anything else of that name, never follow a link."""
    try:
        descriptor = files.make(name, os.O_RDWR | os.O_NONBLOCK, folder)
        try:
            _check(os.fstat(descriptor))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
    except OSError as error:
        if tries == 1 or error.errno not in UNFIT:
            raise
    _discard(name, folder)
    return _open(name, folder, tries - 1)


def _discard(name: str, folder: int) -> None:
    """Remove something that has a lock's name but is not a lock file; OSError if that fails."""
    try:
        status = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        _check(status)
    except PermissionError:
        remove = os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink
        remove(name, dir_fd=folder)


def _check(status: os.stat_result) -> None:
    check_private(status)
    if status.st_mode & 0o600 != 0o600:
        raise PermissionError("not writable by this user")


def _has_name(descriptor: int, name: str, folder: int) -> bool:
    try:
        named = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
