"""A cache that can be written: entries replaced, locks taken.

A hit never gets here. Readers see an old entry or a new one, whole; the kernel frees the locks of a
killed process.
"""

from __future__ import annotations

import fcntl
import os

from credproc.cache import NOFOLLOW, Cache, Entry, check_private, encode, fingerprint


class Store(Cache):
    """A directory of entries that are read, written and locked."""

    __slots__ = ()

    def make(self) -> None:
        """Make the directory if it is missing, mode 0700, and so those above it.

        Nothing is made below a directory of somebody else's home, as sudo may leave in HOME.
        """
        if not self.path:
            return
        missing = []
        path = self.path.rstrip("/")
        while not os.path.lexists(path):
            missing.append(path)
            path = os.path.dirname(path)
        owner = os.stat(path).st_uid
        if missing and owner not in (0, os.geteuid()):
            raise PermissionError(f"{path} belongs to another user (uid {owner})")
        for folder in reversed(missing):
            try:
                os.mkdir(folder, 0o700)
                os.chmod(folder, 0o700)  # whatever the umask
            except FileExistsError:
                pass  # another run was faster

    def write(self, entry: Entry, sync: bool = True) -> None:
        """Replace the entry of its request; OSError if that cannot be done.

        Readers see the old entry or the new one, whole. Without ``sync`` a power cut may lose it.
        """
        if not self.path:
            return
        folder = self.open()
        name = fingerprint(entry.request)
        temporary = f"{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
        try:
            _write_new(temporary, encode(entry), folder, sync)
            try:
                os.replace(temporary, f"{name}.entry", src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(temporary, dir_fd=folder)
                raise
        finally:
            os.close(folder)

    def lock_path(self, request: bytes) -> str:
        """Return the path of the lock beside the request's entry."""
        return f"{self.path}/{fingerprint(request)}.lock"

    def claim(self, request: bytes) -> int | None:
        """Take the lock if it is free: a descriptor to close when done, or None if it is held.

        The lock is filelock's own (flock on the same file), taken without the price of importing
        filelock; waiting for it is left to filelock. OSError if there can be no lock.
        """
        folder = self.open()
        try:
            descriptor = os.open(
                os.path.basename(self.lock_path(request)),
                os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | NOFOLLOW,
                0o600,
                dir_fd=folder,
            )
        finally:
            os.close(folder)
        try:
            status = os.fstat(descriptor)
            check_private(status)
            if status.st_mode & 0o600 != 0o600:
                os.fchmod(descriptor, 0o600)  # just made, under a strange umask
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _write_new(name: str, data: bytes, folder: int, sync: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        try:
            os.fchmod(descriptor, 0o600)  # whatever the umask
            while data:
                data = data[os.write(descriptor, data) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
