"""The machine on Linux and macOS: IDs, host name, the directory for caches, regular files.

Loaded on every run, so it imports only what a bare interpreter has loaded. Other differences
between Linux and macOS are in processes and darwin.
"""

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Bytes. The longest file that credproc reads.
LONGEST = 64 * 2**20
#: The files with the ID of the current boot, and with the ID of the installed machine.
BOOT = "/proc/sys/kernel/random/boot_id"
MACHINE = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class Unfit(ValueError):
    """Raised for anything but a regular file, and for a file that is too long."""


def read(
    path: str, longest: int = LONGEST, folder: "int | None" = None, is_private: bool = False
) -> bytes:
    """Return the bytes of a regular file; OSError if it cannot be read.

    Unfit for anything else, such as a terminal or an endless device, and for more than ``longest``
    bytes. ``folder`` is a descriptor of the directory to which a path is relative. With
    ``is_private``, symbolic links and whatever check_private() refuses raise OSError.
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


def text(path: str, longest: int = LONGEST) -> str:
    """Return the text of a regular file; "" if it cannot be read, for whatever reason."""
    try:
        return read(path, longest).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def check_private(status: os.stat_result) -> None:
    """Raise PermissionError unless this is a private regular file of this user, without links.

    It may have no name, because another process may just have replaced it.
    """
    if (
        not stat.S_ISREG(status.st_mode)
        or status.st_uid != os.geteuid()
        or status.st_mode & 0o077
        or status.st_nlink > 1
    ):
        raise PermissionError("not a private regular file of this user")


def boot_id(platform: str = sys.platform) -> str:
    """Return an ID of 36 characters that changes with every boot; "" if there is none."""
    if platform != "darwin":
        return _line(BOOT)
    from credproc import darwin

    return darwin.boot_session()


def host_name() -> str:
    """Return the machine's current name; DHCP or a VPN may change a laptop's."""
    return os.uname().nodename


def instance() -> str:
    """Return what distinguishes instances that share a home directory: boot ID and host name.

    The name is included because an IMDS emulator may serve several containers on one kernel.
    """
    return f"{boot_id()} {host_name()}"


def working_directory() -> str:
    """Return device and inode of the working directory, which do not change if it is renamed."""
    try:
        status = os.stat(".")
    except OSError:
        return "removed 0"
    return f"{status.st_dev} {status.st_ino}"


def machine_id(paths: "Iterable[str]" = MACHINE, platform: str = sys.platform) -> str:
    """Return an ID that survives renaming and restarting the machine; else its host name.

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
    """Return the user's cache directory by a quick rule, "" if the rule does not apply.

    The rule is that of platformdirs for the ordinary case: Linux or macOS, and absolute paths.
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
    # Releases of platformdirs treat spaces around a path differently.
    return base if base.startswith("/") and base == base.strip() else ""


def has_proxy_settings(platform: str = sys.platform) -> bool:
    """Whether a proxy may be configured outside of variables, as on macOS (urllib finds it)."""
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
