"""The writable cache: entries replaced, locks taken, files removed.

A hit does not need this module. Readers see a complete old entry or a complete new one; the kernel
releases the locks of a killed process. Clearing starts a new generation: a process that read
entries of an earlier generation writes no more.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from credproc import files, generation, locks
from credproc.cache import Cache, Entry, encode, fingerprint
from credproc.generation import CLEARED

TYPE_CHECKING = False

#: File name suffixes: of an entry, of a lock, of an entry that is being written.
ENTRY, LOCK, TEMPORARY = ".entry", ".lock", files.TEMPORARY
#: The lock of the one process that replaces the lock file of a stuck process.
REPLACING = ".next.lock"
#: The lock for removing old files; its mtime says when that was done last.
SWEEP = "sweep.lock"
#: The most directories that are created: the cache's own, and its parent.
DEPTH = 2


class Store(Cache):
    """A directory of entries that are read, written and locked.

    ``written`` says whether this process has replaced an entry.
    """

    __slots__ = ("generation", "lockless", "until", "written")

    def __init__(self, path: str, seconds: float = 60) -> None:
        super().__init__(path)
        #: When this process will have released all its locks (epoch seconds).
        self.until = time.time() + seconds
        #: The generation of entries that this process works with; None before it has read any.
        self.generation: bytes | None = None
        #: Whether locking was tried and the file system hung.
        self.lockless = False
        self.written = False

    def unusable(self) -> str:
        """Make the directory; if it cannot be used, turn the cache off and return why, else ""."""
        try:
            if self.path:
                self.make()
                os.close(self.open())
        except OSError as error:
            self.path = ""
            from credproc.errors import reason  # imports re; a hit that starts a refresh must not

            return reason(error)
        return ""

    def make(self) -> None:
        """Create the directory with mode 0700 if it is missing, and its parent (~/.cache).

        Nothing else is created, such as a home directory; and nothing in a directory of another
        user, which sudo may leave in HOME. A cache directory that others may read becomes private.
        """
        if not self.path:
            return
        missing = []
        path = self.folder
        while not os.path.lexists(path):
            missing.append(path)
            path = os.path.dirname(path)
        if not missing:
            self._close_to_others()
            return
        problem = foreign(path)
        if len(missing) > DEPTH:
            problem = f"{missing[-1]} does not exist"
        if problem:
            raise PermissionError(f"not creating {self.path}: {problem}")
        for folder in reversed(missing):
            _make(folder)

    def _close_to_others(self) -> None:
        status = os.lstat(self.folder)
        if not stat.S_ISDIR(status.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "a file"
            raise NotADirectoryError(f"{self.path} is {kind}, not a directory")
        if not _is_only_readable(status):
            return
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            names = os.listdir(folder)
            # Not an empty directory, which the user may want for something else.
            if _is_only_readable(os.fstat(folder)) and names and all(map(is_ours, names)):
                os.fchmod(folder, 0o700)
        finally:
            os.close(folder)

    def read(self, key: bytes) -> Entry | None:
        """Return the entry for the key, or None."""
        self._note()
        return super().read(key)

    def write(self, entry: Entry, sync: bool = True) -> None:
        """Write the entry in place of the old one with its key; OSError if that fails.

        Readers see the complete old entry or the complete new one. Without ``sync`` a power cut may
        lose it. PermissionError if the cache was cleared since this process first read it: what was
        resolved before must not come back.
        """
        if not self.path:
            return
        self._note()
        folder = self.open()
        name = fingerprint(entry.key) + ENTRY
        try:
            files.write(
                name,
                encode(entry),
                folder,
                sync=sync,
                publish=lambda temporary: self._publish(temporary, name, folder),
            )
            self.written = True
        finally:
            os.close(folder)

    def _publish(self, temporary: str, name: str, folder: int) -> None:
        """Rename a file to an entry's name, unless the cache was cleared meanwhile."""
        lock = None
        if not self.lockless:
            lock = generation.lock(folder, locks.CLAIM, self.until, shared=True)
        try:
            if generation.current(folder) != self.generation:
                raise PermissionError("the cache was cleared during this run")
            files.replace(temporary, name, folder)
        finally:
            locks.release(lock)

    def was_cleared(self) -> bool:
        """Whether the cache was cleared since this process first read it."""
        return self.generation is not None and self._generation() not in (None, self.generation)

    def clearing(self, seconds: float) -> generation.Clearing:
        """Return a context in which entries can be removed for good: see generation.Clearing."""
        return generation.Clearing(self.open(), seconds, self.until)

    def _note(self) -> None:
        """Record the generation of entries before this process reads any."""
        if self.generation is None and self.path:
            self.generation = self._generation()

    def _generation(self) -> bytes | None:
        """Return the current generation of entries, None if the cache cannot be opened."""
        try:
            folder = self.open()
            try:
                return generation.current(folder)
            finally:
                os.close(folder)
        except OSError:
            return None

    def claim(self, key: bytes) -> int | None:
        """Take the lock if it is free: return a descriptor to release, None if it is taken."""
        return self.take(lock_name(key), self.until)

    def take(self, name: str, until: float = 0) -> int | None:
        """Take the lock in the file ``name`` if it is free; OSError if locking does not work.

        With ``until``, this process writes its line into the file: see locks.take.
        """
        if self.lockless:
            raise TimeoutError(errno.ETIMEDOUT, "locks on this file system hang")
        folder = self.open()
        try:
            return locks.take(name, folder, until)
        except TimeoutError:
            self.lockless = True  # once is enough: every lock of a chain would wait as long
            raise
        finally:
            os.close(folder)

    def holder(self, key: bytes) -> locks.Holder | None:
        """Return the process that has the lock of a key, None if unknown."""
        return self.holder_of(lock_name(key))

    def holder_of(self, name: str) -> locks.Holder | None:
        """Return the process that has the lock in the file ``name``, None if unknown."""
        try:
            return locks.Holder(self.contents(name))
        except (OSError, ValueError):
            return None

    def lock_path(self, key: bytes) -> str:
        """Return the path of the lock for a key."""
        return f"{self.folder}/{lock_name(key)}"

    def wait(self, key: bytes, seconds: float) -> int | None:
        """Wait for the lock: return a descriptor to release, or None if it was never free.

        filelock only waits, and claim() then takes the lock, because filelock may have locked a
        file that was removed while it waited.
        """
        import filelock  # 36 ms, but only for a run that has to wait anyway

        lock = filelock.FileLock(self.lock_path(key), mode=0o600)
        end = time.monotonic() + seconds
        try:
            while True:
                lock.acquire(timeout=max(0.0, end - time.monotonic()))
                lock.release()
                descriptor = self.claim(key)
                if descriptor is not None:
                    return descriptor
        except filelock.Timeout:
            return None

    def lock_file(self, name: str) -> tuple[int, int] | None:
        """Return the device and inode of the lock file ``name``, None if there is none."""
        try:
            status = os.lstat(f"{self.folder}/{name}")
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def free(self, name: str, file: tuple[int, int] | None, note: bytes = b"") -> None:
        """Replace the lock file of a process that does not release it, so that it can be taken.

        One process at a time does this, and only while ``file`` is still the lock file, so a lock
        is freed once. ``note`` becomes the second line of the new file. OSError if that fails.
        """
        guard = name[: -len(LOCK)] + REPLACING
        lock = self.take(guard)
        if lock is None:
            return
        folder = self.open()
        try:
            if file == self.lock_file(name):
                files.write(name, note and b"\n" + note, folder, sync=False)
            self.remove(guard)
        finally:
            os.close(folder)
            locks.release(lock)

    def remove(self, name: str) -> None:
        """Remove a file of the cache; OSError if that fails."""
        folder = self.open()
        try:
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)


def lock_name(key: bytes) -> str:
    """Return the name of a key's lock file."""
    return fingerprint(key) + LOCK


def foreign(path: str) -> str:
    """Return that another user owns ``path``, or the directory it would be created in; else ""."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    for owner in (os.lstat(path).st_uid, os.stat(path).st_uid):  # of a link, and of its target
        if owner not in (0, os.geteuid()):
            return f"{path} belongs to another user (uid {owner})"
    return ""


def is_ours(name: str) -> bool:
    """Whether a file name is one that the cache uses."""
    stem, end = name[:32], name[32:]
    return name in (SWEEP, CLEARED) or (
        len(stem) == 32
        and not stem.strip("0123456789abcdef")
        and (end in (ENTRY, LOCK, REPLACING) or (end.startswith(".") and end.endswith(TEMPORARY)))
    )


def _is_only_readable(status: os.stat_result) -> bool:
    """Whether others may read this directory of ours, but not write to it."""
    mode = status.st_mode
    return status.st_uid == os.geteuid() and bool(mode & 0o055) and not mode & 0o022


def _make(folder: str) -> None:
    before = os.umask(0o077)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass  # another run made it first
    finally:
        os.umask(before)
