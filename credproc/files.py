"""Writing files: private from the first byte, and replacing the old file atomically."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: The suffix of a file that is being written, after the process ID and random digits.
TEMPORARY = ".tmp"


def make(name: str, flags: int, folder: int | None = None) -> int:
    """Open a file, creating it if it is missing: mode 0600 from the start, whatever the umask."""
    before = os.umask(0o077)
    try:
        return os.open(name, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    finally:
        os.umask(before)


def replace(temporary: str, name: str, folder: int | None = None) -> None:
    """Rename a file to ``name``, replacing a file or an empty directory."""
    try:
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except IsADirectoryError:
        os.rmdir(name, dir_fd=folder)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def write(
    name: str,
    data: bytes,
    folder: int | None = None,
    *,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
    sync: bool = True,
    publish: Callable[[str], None] | None = None,
) -> None:
    """Replace the file ``name`` atomically, with the given mode, whatever the umask.

    ``owner`` (user and group ID) is set if this user may do that. Without ``sync`` a power cut may
    lose the file. ``publish`` is called instead of replace() to rename the new file; if it raises,
    the old file stays.
    """
    temporary = f"{name}.{os.getpid()}.{os.urandom(4).hex()}{TEMPORARY}"
    descriptor = make(temporary, os.O_WRONLY | os.O_EXCL, folder)
    try:
        try:
            _restrict(descriptor, mode, owner)
            while data:
                data = data[os.write(descriptor, data) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if publish:
            publish(temporary)
        else:
            replace(temporary, name, folder)
    except BaseException:
        forget(temporary, folder)
        raise


def _restrict(descriptor: int, mode: int, owner: tuple[int, int] | None) -> None:
    """Set the owner of a new file, if this user may, and its mode.

    If the group cannot be set, the file's group gets no more access than everyone has.
    """
    if owner:
        mode = _given(descriptor, mode, *owner)
    if mode != 0o600:
        os.fchmod(descriptor, mode)


def _given(descriptor: int, mode: int, user: int, group: int) -> int:
    """Set a file's owner and group as far as this user may; return the mode that it can have."""
    status = os.fstat(descriptor)
    if (user, group) == (status.st_uid, status.st_gid):
        return mode
    for each in (user, -1):  # the group alone, if the file cannot be given away
        try:
            os.fchown(descriptor, each, group)
            return mode
        except PermissionError:
            pass
    if group == status.st_gid:
        return mode
    return mode & ~0o070 | (mode & mode << 3 & 0o070)


def forget(name: str, folder: int | None = None) -> None:
    """Remove a file if possible; an error is ignored, since the one that led here matters more."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass
