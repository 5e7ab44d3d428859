"""A file of the user's that is rewritten: locked, whole or not at all, with what it was kept."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from credproc.ctl.steps import Failed
from credproc.store import foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that another credprocctl may hold the lock.
PATIENCE = 10
#: What is added to the name of the file for what it was before.
BACKUP = ".credproc.bak"


def read(path: str) -> tuple[bytes, os.stat_result]:
    """Return what a plain file holds, and its status; nothing else is waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Failed(f"{path}: is no plain file")
        return file.read(), status


class Rewriting:
    """A file as it was read under its lock; without a file, empty, and private when written."""

    def __init__(self, path: str) -> None:
        # The target of a link is replaced, not the link: dotfiles live elsewhere.
        self.path = os.path.realpath(path)
        self.exists = os.path.exists(self.path)
        self.data = b""
        self.status: os.stat_result | None = None
        if self.exists:
            self.data, self.status = read(self.path)

    def replace(self, data: bytes) -> str:
        """Write the new text; return the path of the copy of the old one, "" if there was none."""
        backup = ""
        if self.exists:
            backup = self.path + BACKUP
            self._write(backup, self.data)
        self._write(self.path, data)
        return backup

    def _check(self) -> None:
        """Refuse to go on if the file is not what was read: the AWS CLI knows nothing of locks."""
        if self._has_changed():
            raise Failed(f"{self.path}: somebody else changed it just now; run this again")

    def _has_changed(self) -> bool:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return self.exists
        return self.status is None or _version(self.status) != _version(status)

    def _write(self, path: str, data: bytes) -> None:
        """Put a new file in the place of ``path``, with the mode and the owner of what was read."""
        status = self.status
        if status is None:
            put(path, data, 0o600, check=self._check)
        else:
            owner = (status.st_uid, status.st_gid)
            put(path, data, stat.S_IMODE(status.st_mode), owner, self._check)


def _version(status: os.stat_result) -> tuple[int, ...]:
    """Return what differs after any change of a file, even by who puts its time back."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def put(
    path: str,
    data: bytes,
    mode: int,
    owner: tuple[int, int] | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Put a new file in the place of ``path``, whole or not at all; the mode is not the umask's.

    ``check`` comes last, when all that takes time is done; what it raises leaves the old file.
    """
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(temporary, flags, 0o600)
    except FileNotFoundError:
        folder = os.path.dirname(path)
        raise Failed(f"{path}: the folder {folder} does not exist: make it first") from None
    try:
        with open(descriptor, "wb") as file:
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        check()
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def rewriting(path: str) -> Iterator[Rewriting]:
    """Hold the file's lock, and give what it holds; the folder is made, 0700, if it is missing.

    Nothing is made or locked in a folder of another user, as sudo may leave in HOME: that user
    could not take a lock of root's.
    """
    import filelock

    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    problem = foreign(folder)
    if problem:
        raise Failed(
            f"{target} is left alone, because {problem}: run this as that user, or with sudo -H if "
            "root's own is meant"
        )
    if not os.path.isdir(folder):
        os.makedirs(folder, 0o700)
        os.chmod(folder, 0o700)
    lock = filelock.FileLock(f"{target}.lock", timeout=PATIENCE, mode=0o600)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise Failed(
            f"{target}: another process holds its lock for more than {PATIENCE} s ({target}.lock)"
        ) from None
    try:
        yield Rewriting(target)
    finally:
        lock.release()
