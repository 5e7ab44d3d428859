"""IDs that macOS returns only through its C library: of the boot, and of the hardware."""

from __future__ import annotations

import ctypes


def boot_session() -> str:
    """Return sysctl's kern.bootsessionuuid, which changes with every boot; "" if there is none."""
    text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    try:
        failed = ctypes.CDLL(None).sysctlbyname(
            b"kern.bootsessionuuid", text, ctypes.byref(size), None, ctypes.c_size_t(0)
        )
    except AttributeError:
        return ""
    return "" if failed else text.value.decode("ascii", "replace")


def host_uuid() -> str:
    """Return gethostuuid(2) in 32 hex digits; "" if the system does not return it in a second."""
    found, wait = ctypes.create_string_buffer(16), (ctypes.c_long * 2)(1, 0)
    try:
        failed = ctypes.CDLL(None).gethostuuid(found, wait)
    except AttributeError:
        return ""
    return "" if failed else found.raw.hex()
