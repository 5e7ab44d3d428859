"""The machine as each system shows it: ids, host name, the directory for caches, regular files.

Loaded on every run, so it imports only what a bare interpreter has loaded. What else differs
between Linux and macOS is in processes and darwin.
"""

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Bytes. No file that credproc reads is longer.
LONGEST = 64 * 2**20
#: Where Linux gives a new id to each boot, and where an installed machine keeps its id.
BOOT = "/proc/sys/kernel/random/boot_id"
MACHINE = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class Unfit(ValueError):
    """Raised for a file that is not a regular one, or is too long to be read."""


def read(
    path: str, longest: int = LONGEST, folder: "int | None" = None, is_private: bool = False
) -> bytes:
    """Return the bytes of a regular file; OSError if it cannot be read.

    Unfit for anything else, which might never end or be a terminal, and for more than ``longest``
    bytes. ``folder`` is the descriptor of the directory that a relative path starts from. A private
    file is not a symbolic link, and is refused as check_private() does.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (os.O_NOFOLLOW if is_private else 0)
    descriptor = os.open(path, flags, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if is_private:
            check_private(status)
        elif not stat.S_ISREG(status.st_mode):
            raise Unfit("is not a regular file")
        data = os.read(descriptor, min(status.st_size, longest) + 1)
        # Files of /proc have no size; others may grow now, or be returned in pieces.
        while len(data) != status.st_size and len(data) <= longest:
            piece = os.read(descriptor, longest + 1 - len(data))
            if not piece:
                break
            data += piece
    finally:
        os.close(descriptor)
    if len(data) > longest:
        raise Unfit(f"is longer than {longest} bytes")
    return data


def check_private(status: os.stat_result) -> None:
    """Raise PermissionError unless this is a regular file of this user's, with no access for
    others and no second name.

    It may have no name: a file that was replaced a moment ago is as good as before.
    """
    if (
        not stat.S_ISREG(status.st_mode)
        or status.st_uid != os.geteuid()
        or status.st_mode & 0o077
        or status.st_nlink > 1
    ):
        raise PermissionError("not a private regular file of this user")


def boot_id(platform: str = sys.platform) -> str:
    """Return an id that changes with every boot, in 36 characters; "" where there is none."""
    if platform != "darwin":
        return _line(BOOT)
    from credproc import darwin

    return darwin.boot_session()


def host_name() -> str:
    """Return the name that the machine has now; DHCP or a VPN may give a laptop another."""
    return os.uname().nodename


def instance() -> str:
    """Return what tells instances apart that share a home directory: boot id and host name.

    The name is part of it because an emulator of IMDS tells apart containers on one kernel.
    """
    return f"{boot_id()} {host_name()}"


def working_directory() -> str:
    """Return device and inode of the working directory; they stay when it is renamed."""
    try:
        status = os.stat(".")
    except OSError:
        return "removed 0"
    return f"{status.st_dev} {status.st_ino}"


def machine_id(paths: "Iterable[str]" = MACHINE, platform: str = sys.platform) -> str:
    """Return an id that the machine keeps when it is renamed or restarted; else its host name.

    On macOS this loads ctypes (4 ms), so compare the host name first: with the same name, a default
    role session name is the same too.
    """
    if platform == "darwin":
        from credproc import darwin

        return darwin.host_uuid() or host_name()
    for path in paths:
        found = _line(path)
        # systemd writes "uninitialized" at the first boot of an image.
        if len(found) == 32 and not found.strip("0123456789abcdef"):
            return found
    return host_name()


def cache_home(environ: "Mapping[str, str]", platform: str = sys.platform) -> str:
    """Return the directory for the caches of programs by a quick rule, or "" to decline.

    The rule is platformdirs' for Linux, macOS and absolute paths; it declines what needs thought.
    """
    if platform == "darwin":
        below = "/Library/Caches"
    elif platform.startswith("linux") and environ.get("ANDROID_DATA") != "/data":
        below = "/.cache"
    else:
        return ""
    base = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME", "")
    if not base and home.startswith("/"):
        base = home.rstrip("/") + below
    # Releases of platformdirs differ in what they do with blanks around a path.
    return base if base.startswith("/") and base == base.strip() else ""


def has_proxy_settings(platform: str = sys.platform) -> bool:
    """Whether a proxy may be configured elsewhere than in variables, as macOS lets urllib know."""
    return not platform.startswith("linux")


def _line(path: str) -> str:
    """Return the first 64 bytes of a small file, as text; "" if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, 64).decode("ascii", "replace").strip()
        finally:
            os.close(descriptor)
    except OSError:
        return ""
