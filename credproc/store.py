"""A cache that can be written: entries replaced, locks taken, files removed.

A hit never gets here. Readers see an old entry or a new one, whole; the kernel frees the locks of a
killed process.

A lock file may be removed by whoever holds it. So a lock counts only if the file that was locked
is still the one which has the name: whoever opened it before it was removed takes the next one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

from credproc.cache import Cache, Entry, check_private, encode, fingerprint

#: What the names end in: an entry, its lock, an entry that is being written.
ENTRY, LOCK, TEMPORARY = ".entry", ".lock", ".tmp"
#: The lock of those who remove old files; its time says when that was done last.
SWEEP = "sweep.lock"
#: How many directories are made at most: the cache's own, and the one that it is in.
DEPTH = 2

#: Errors of opening what is no plain file of this user's; None is what _check_lock raises.
UNFIT = (None, errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENXIO)
#: How often a lock may be removed by others in the moment between opening and locking it.
TRIES = 10


class Store(Cache):
    """A directory of entries that are read, written and locked.

    ``written`` says whether this process has replaced an entry.
    """

    __slots__ = ("written",)

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.written = False

    def make(self) -> None:
        """Make the directory if it is missing, mode 0700, and the one above it (~/.cache).

        Nothing else is made, such as a home; and nothing below a folder of another user, as sudo
        may leave in HOME. A directory that others may read becomes private if it is a cache.
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
            raise PermissionError(f"{self.path} is not made, because {problem}")
        for folder in reversed(missing):
            _make(folder)

    def _close_to_others(self) -> None:
        status = os.lstat(self.folder)
        if not stat.S_ISDIR(status.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "a file"
            raise NotADirectoryError(f"{self.path} is {kind} where a directory must be")
        if not _is_only_readable(status):
            return
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            names = os.listdir(folder)
            # An empty one was only named. The user may have other plans for it.
            if _is_only_readable(os.fstat(folder)) and names and all(map(is_ours, names)):
                os.fchmod(folder, 0o700)
        finally:
            os.close(folder)

    def write(self, entry: Entry, sync: bool = True) -> None:
        """Replace the entry of its request; OSError if that cannot be done.

        Readers see the old entry or the new one, whole. Without ``sync`` a power cut may lose it.
        """
        if not self.path:
            return
        folder = self.open()
        name = fingerprint(entry.request)
        temporary = f"{name}.{os.getpid()}.{os.urandom(4).hex()}{TEMPORARY}"
        try:
            _write_new(temporary, encode(entry), folder, sync)
            _replace(temporary, name + ENTRY, folder)
            self.written = True
        finally:
            os.close(folder)

    def lock_path(self, request: bytes) -> str:
        """Return the path of the lock beside the request's entry."""
        return f"{self.folder}/{fingerprint(request)}{LOCK}"

    def claim(self, request: bytes) -> int | None:
        """Take the lock if it is free: a descriptor to release, or None if it is held."""
        return self.hold(fingerprint(request) + LOCK)

    def hold(self, name: str) -> int | None:
        """Take the lock in the file ``name``: a descriptor to release, or None if it is held.

        It is filelock's own (flock on the same file), taken without the price of importing
        filelock. OSError if there can be no lock.
        """
        folder = self.open()
        try:
            for _ in range(TRIES):
                descriptor = _open_lock(name, folder)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _has_name(descriptor, name, folder):
                        return descriptor
                except BlockingIOError:
                    os.close(descriptor)
                    return None
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)
        finally:
            os.close(folder)
        raise FileNotFoundError(f"{name} is removed again and again")

    def wait(self, request: bytes, seconds: float) -> int | None:
        """Wait for the lock: a descriptor to release, or None if it was held all the time.

        filelock waits; what counts is what claim() says, because filelock may have locked a file
        that was removed while it waited.
        """
        import filelock  # 36 ms, and only for those who have to wait anyway

        lock = filelock.FileLock(self.lock_path(request), mode=0o600)
        end = time.monotonic() + seconds
        try:
            while True:
                lock.acquire(timeout=max(0.0, end - time.monotonic()))
                lock.release()
                descriptor = self.claim(request)
                if descriptor is not None:
                    return descriptor
        except filelock.Timeout:
            return None

    def remove(self, name: str) -> None:
        """Remove a file of the cache; OSError if that cannot be done."""
        folder = self.open()
        try:
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)


def release(descriptor: int | None) -> None:
    """Give a lock back. Closing may report a fault of the file system; the lock is gone anyway."""
    try:
        if descriptor is not None:
            os.close(descriptor)
    except OSError:
        pass


def foreign(path: str) -> str:
    """Return whose folder ``path`` is, or would be made in; "" if it is ours or root's."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    for owner in (os.lstat(path).st_uid, os.stat(path).st_uid):  # of a link, and where it leads
        if owner not in (0, os.geteuid()):
            return f"{path} belongs to another user (uid {owner})"
    return ""


def is_ours(name: str) -> bool:
    """Whether a file's name is one that the cache gives."""
    stem, end = name[:32], name[32:]
    return name == SWEEP or (
        len(stem) == 32
        and not stem.strip("0123456789abcdef")
        and (end in (ENTRY, LOCK) or (end.startswith(".") and end.endswith(TEMPORARY)))
    )


def _is_only_readable(status: os.stat_result) -> bool:
    """Whether others may look into this directory of ours, and not put anything there."""
    mode = status.st_mode
    return status.st_uid == os.geteuid() and bool(mode & 0o055) and not mode & 0o022


def _make(folder: str) -> None:
    before = os.umask(0o077)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass  # another run was faster
    finally:
        os.umask(before)


def _open_new(name: str, flags: int, folder: int) -> int:
    """Open a file that may be made by that: 0600 from its first moment, whatever the umask."""
    before = os.umask(0o077)
    try:
        return os.open(name, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    finally:
        os.umask(before)


def _open_lock(name: str, folder: int) -> int:
    """Open a lock file, without waiting; what cannot be one is removed, never followed."""
    for tries_left in (2, 1, 0):  # pragma: no branch - the last of them raises or returns
        try:
            descriptor = _open_new(name, os.O_RDWR | os.O_NONBLOCK, folder)
            try:
                _check_lock(os.fstat(descriptor))
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            if not tries_left or error.errno not in UNFIT:
                raise
            _discard(name, folder)
        else:
            return descriptor
    raise AssertionError  # pragma: no cover - the last try raises or returns


def _discard(name: str, folder: int) -> None:
    """Remove what has a lock's name and cannot be one; OSError if it stays."""
    try:
        status = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        _check_lock(status)
    except PermissionError:
        remove = os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink
        remove(name, dir_fd=folder)


def _check_lock(status: os.stat_result) -> None:
    check_private(status)
    if status.st_mode & 0o600 != 0o600:
        raise PermissionError("what is there is not for this user to write")


def _has_name(descriptor: int, name: str, folder: int) -> bool:
    try:
        named = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _write_new(name: str, data: bytes, folder: int, sync: bool) -> None:
    descriptor = _open_new(name, os.O_WRONLY | os.O_EXCL, folder)
    try:
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        _forget(name, folder)
        raise


def _replace(temporary: str, name: str, folder: int) -> None:
    try:
        try:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            os.rmdir(name, dir_fd=folder)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _forget(temporary, folder)
        raise


def _forget(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # why it cannot be removed matters less than why it was to be
