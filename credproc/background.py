"""The detached process that refreshes ahead, while the run that started it has already printed."""

from __future__ import annotations

import os
import time

from credproc import cache, windows
from credproc.store import Store, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def start(path: str, entry: cache.Entry, argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Refresh the entry in a process of its own, unless somebody does so already.

    Whoever comes first puts off the next look, so of any number of runs one starts the refresh. If
    that process dies, the next look comes a minute later. No trouble here is the caller's: its
    document is out.
    """
    try:
        if _is_mine(Store(path), entry.request):
            _detach(argv, environ)
    except OSError:
        pass  # no lock, no room or no processes left: the second window refreshes instead


def _is_mine(store: Store, request: bytes) -> bool:
    descriptor = store.claim(request)
    if descriptor is None:
        return False
    try:
        now = time.time()
        entry = store.read(request)
        if entry is None or entry.judge(now) != cache.AHEAD:
            return False
        entry.look = windows.next_look(now, entry.expiration, windows.jitter())
        store.write(entry, sync=False)
        return True
    finally:
        release(descriptor)


def _detach(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Fork: the child leaves the session and lets go of every descriptor it was born with."""
    if os.fork():
        return
    status = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        from credproc import cli

        status = cli.main(argv, environ, in_background=True)
    finally:
        os._exit(status)  # never back into the caller's code, whatever was raised
