"""A substitute for macOS: Linux with the name, the cache directory and the missing fork of macOS.

It shows that those ways of credproc work, not that macOS does: its kernel, its C library and its
file systems are Linux's here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host

#: Every interpreter of the machine takes itself for one on macOS.
CUSTOMIZE = "import sys\nsys.platform = 'darwin'\n"
#: What urllib asks there for the proxies of the system's settings.
PROXIES = "def _get_proxies(): return {}\ndef _get_proxy_settings(): return {}\n"


def darwin(host: Host) -> Path:
    """Make the host one of macOS; return the directory of its caches."""
    folder = host.folder / "darwin"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CUSTOMIZE, "utf-8")
    (folder / "_scproxy.py").write_text(PROXIES, "utf-8")
    host.environ["PYTHONPATH"] = str(folder)
    caches = host.home / "Library" / "Caches"
    caches.mkdir(parents=True)
    return caches
