"""The detached process that refreshes ahead, while the run that started it has already printed."""

from __future__ import annotations

import os
import time

from credproc import cache, processes, windows
from credproc.store import Store, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def start(path: str, entry: cache.Entry, refresh: Callable[[], int]) -> None:
    """Call ``refresh`` in a process of its own, which ends with the status that it returns.

    Whoever comes first puts off the next look, so of any number of runs one starts the refresh. If
    that process dies, the next look comes a minute later. No trouble here is the caller's: its
    document is out.
    """
    try:
        if _is_mine(Store(path), entry.request):
            detach(refresh)
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


def detach(work: Callable[[], int]) -> None:
    """Fork: the child leaves the session, lets go of every descriptor it was born with, and works.

    It ends with the status that ``work`` returns.
    """
    if not os.fork():  # pragma: no cover - the child closes what coverage writes to
        _work(work)


def _work(work: Callable[[], int]) -> None:  # pragma: no cover - runs in that child alone
    status = 1
    try:
        _let_go()
        os.setsid()
        status = work()
    finally:
        os._exit(status)  # never back into the caller's code, whatever was raised


def _let_go() -> None:  # pragma: no cover - closes what coverage writes to, too
    """Close all descriptors. The folder stays: paths in the environment may start there."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    processes.close_all(3)
