"""The machine as each system shows it: boot and machine id, host name, the directory for caches.

Loaded on every run, so it imports only what a bare interpreter has loaded. What else differs
between Linux and macOS is in processes and darwin.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Where Linux gives a new id to each boot, and where an installed machine keeps its id.
BOOT = "/proc/sys/kernel/random/boot_id"
MACHINE = ("/etc/machine-id", "/var/lib/dbus/machine-id")


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
