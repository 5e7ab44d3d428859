"""Files: regular ones read without waiting, and new ones that replace old ones whole."""

from __future__ import annotations

import os
import stat


class Unfit(ValueError):
    """What has a file's name, and is not a file that can be read whole."""


def read(path: str, longest: int) -> bytes:
    """Return the bytes of a regular file; OSError if it cannot be read.

    Unfit for anything else, which might never end or be a terminal, and for more than ``longest``
    bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unfit("is not a regular file")
        data = file.read(longest + 1)
    if len(data) > longest:
        raise Unfit(f"is longer than {longest} bytes")
    return data


def make(name: str, flags: int, folder: int | None = None) -> int:
    """Open a file, and make it if it is missing: 0600 from the start, whatever the umask."""
    before = os.umask(0o077)
    try:
        return os.open(name, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    finally:
        os.umask(before)


def write(name: str, data: bytes, folder: int | None = None, sync: bool = True) -> None:
    """Write a new file, which is removed again if that fails; the caller renames it."""
    descriptor = make(name, os.O_WRONLY | os.O_EXCL, folder)
    try:
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        forget(name, folder)
        raise


def replace(temporary: str, name: str, folder: int | None = None) -> None:
    """Rename a file to ``name``, in place of a file or an empty directory there."""
    try:
        try:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            os.rmdir(name, dir_fd=folder)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        forget(temporary, folder)
        raise


def forget(name: str, folder: int | None = None) -> None:
    """Remove a file if possible: the error that led here matters more than one of this."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass
