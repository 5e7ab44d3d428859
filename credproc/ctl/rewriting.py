"""A file of the user's that is rewritten: locked, whole or not at all, its original kept."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from typing import TYPE_CHECKING

from credproc import files, system
from credproc.ctl.configfile import ConfigFile
from credproc.ctl.mounts import mounted
from credproc.ctl.steps import Failed
from credproc.store import foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that another credprocctl may hold the lock.
PATIENCE = 10
#: What is added to the name of the file for what it was before the first change.
BACKUP = ".credproc.bak"
#: Directories whose files are made by a package manager, and by which.
STORES = {"/nix/store/": "Nix or Home Manager", "/gnu/store/": "Guix"}
MOUNTED = "is a mount point (a file mounted into a container?), which cannot be replaced from here"

_EFFECTIVE = os.access in os.supports_effective_ids


def read(path: str) -> bytes:
    """Return what a regular file contains; Failed for anything else, OSError without one."""
    try:
        return system.read(path)
    except system.Unfit as error:
        raise Failed(f"{path} {error}") from None


class Unwritable(Failed):
    """A file that cannot be replaced here, whatever its content: it has to be edited by hand."""


class Rewriting:
    """A file as it was read under its lock; without a file, empty, and private when written."""

    def __init__(self, path: str) -> None:
        # The target of a link is replaced, not the link: dotfiles live elsewhere.
        self.path = os.path.realpath(path)
        self.exists = os.path.exists(self.path)
        self.data = b""
        self.status: os.stat_result | None = None
        if self.exists:
            self.status = os.stat(self.path)  # first, so that a change in between is noticed
            self.data = read(self.path)

    def config(self, path: str) -> ConfigFile:
        """Return what was read as a config file; ``path`` is what messages call it."""
        return ConfigFile(self.data, path)

    def replace(self, data: bytes, backup: bool = True) -> str:
        """Write the new content; return the path of the user's original if it was copied for that.

        The original is what the file was before the first change, and is removed when the file is
        the same again; without ``backup`` none is made.
        """
        copy = self.path + BACKUP
        is_first = backup and self.exists and not os.path.lexists(copy)
        if is_first:
            self._write(copy, self.data)
        try:
            self._write(self.path, data)
        except BaseException:
            if is_first:
                os.unlink(copy)
            raise
        if is_first:
            return copy
        if backup and data == original(self.path):
            os.unlink(copy)
        return ""

    def _check(self) -> None:
        """Refuse to go on if the file is not what was read: the AWS CLI knows nothing of locks."""
        if self._has_changed():
            raise Failed(f"{self.path}: another program changed it just now; run this again")

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
            put(path, data, check=self._check)
        else:
            owner = (status.st_uid, status.st_gid)
            put(path, data, stat.S_IMODE(status.st_mode), owner, self._check)


def original(path: str) -> bytes | None:
    """Return what a file was before the first change, None if it was not changed."""
    try:
        return read(os.path.realpath(path) + BACKUP)
    except OSError:
        return None


def _version(status: os.stat_result) -> tuple[int, ...]:
    """Return what differs after any change of a file, even by who puts its time back."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def put(
    path: str,
    data: bytes,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Put a new file in the place of ``path``: see files.write; Failed where that cannot be done.

    ``check`` comes last, when all that takes time is done; what it raises leaves the old file.
    """

    def publish(temporary: str) -> None:
        check()
        try:
            os.replace(temporary, path)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EPERM):
                raise
            reason = MOUNTED if error.errno == errno.EBUSY else "is immutable (see lsattr)"
            raise Unwritable(f"{path} {reason}") from error

    try:
        files.write(path, data, mode=mode, owner=owner, publish=publish)
    except FileNotFoundError:
        folder = os.path.dirname(path)
        raise Failed(f"{path}: the directory {folder} does not exist: make it first") from None


def obstacle(path: str) -> str:
    """Return why a file, given by its real path, cannot be replaced here; "" if it can."""
    for folder, manager in STORES.items():
        if path.startswith(folder):
            return f"is in {folder}, managed by {manager}: change it in the configuration there"
    if path in dict(mounted()):
        return MOUNTED
    with contextlib.suppress(FileNotFoundError):
        if not os.stat(path).st_mode & 0o222:
            return "is read-only: no one may write it (see chmod)"
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return ""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "is on a read-only file system"
    is_writable = os.access(folder, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE)
    return "" if is_writable else f"cannot be replaced: {folder} is not writable by this user"


def _sweep(path: str) -> None:
    """Remove what a killed run left beside the file, whose lock is held."""
    folder, name = os.path.split(path)
    left = re.compile(rf"{re.escape(name)}({re.escape(BACKUP)})?\.\d+\.[0-9a-f]{{8}}\.tmp")
    for each in filter(left.fullmatch, os.listdir(folder)):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, each))


@contextlib.contextmanager
def rewriting(path: str) -> Iterator[Rewriting]:
    """Lock the file and give its content; the directory is made, 0700, if it is missing.

    Nothing is made or locked where the file cannot be replaced (Unwritable), nor in a directory of
    another user, as sudo may leave in HOME: that user could not take a lock of root's.
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
    reason = obstacle(target)
    if reason:
        raise Unwritable(f"{target} {reason}")
    if not os.path.isdir(folder):
        os.makedirs(folder, 0o700)
        os.chmod(folder, 0o700)
    lock = filelock.FileLock(f"{target}.lock", timeout=PATIENCE, mode=0o600)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise Failed(
            f"{target}: another process has had its lock ({target}.lock) for more than {PATIENCE} s"
        ) from None
    try:
        _sweep(target)
        yield Rewriting(target)
    finally:
        lock.release()
