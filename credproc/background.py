"""The detached process that refreshes in the background, started after the document is printed."""

from __future__ import annotations

import os
import sys
import time

from credproc import cache, processes, windows
from credproc.locks import release
from credproc.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


#: The program of a new interpreter; its arguments are the module path and our own arguments.
REFRESH = (
    "import os, sys; sys.path[:] = sys.argv.pop(1).splitlines(); "
    "from credproc.__main__ import hand_over; "
    "os._exit(hand_over(sys.argv[1:], os.environ, in_background=True))"
)


def detach(work: Callable[[], int]) -> None:
    """Fork: the child leaves the session, closes all inherited descriptors, and calls ``work``.

    It exits with the status that ``work`` returns. OSError if the process cannot be started, or
    would stay a zombie.
    """
    _check_end()
    if not os.fork():  # pragma: no cover - the child closes what coverage writes to
        _work(work)


def start(
    path: str,
    entry: cache.Entry,
    argv: Sequence[str],
    refresh: Callable[[], int],
    now: Callable[[], float] = time.time,
    begin: Callable[[Callable[[], int]], None] = detach,
) -> None:
    """Call ``refresh`` in a process of its own, which ends with the status that it returns.

    Where a process cannot go on after a fork, a new interpreter does the same for ``argv``.
    The first run postpones the next refresh, so of any number of runs only one starts it. If that
    process dies, a run starts the next one a minute later. Errors here do not reach the caller: its
    document has been printed.
    """
    try:
        if not _is_mine(Store(path), entry.key, now):
            return
        if processes.may_fork():
            begin(refresh)
        else:
            spawn(argv)
    except OSError:
        pass  # no lock, no room or no processes left: the second window refreshes instead


def _is_mine(store: Store, key: bytes, clock: Callable[[], float]) -> bool:
    descriptor = store.claim(key)
    if descriptor is None:
        return False
    try:
        now = clock()
        entry = store.read(key)
        if entry is None or entry.judge(now) != cache.AHEAD:
            return False
        entry.look = windows.retry_at(now, entry.expiration, windows.jitter())
        store.write(entry, sync=False)
        return True
    finally:
        release(descriptor)


def spawn(argv: Sequence[str]) -> None:
    """Start a new interpreter that refreshes for these arguments, like the child of a fork.

    It has the flags and the module path of this one. OSError if it cannot be started.
    """
    import subprocess  # 6 ms

    _check_end()
    if not sys.executable:
        raise FileNotFoundError("the path of the Python interpreter is unknown")
    flags = ["-I"] * sys.flags.isolated + ["-S"] * sys.flags.no_site
    subprocess.Popen(
        [sys.executable, *flags, "-c", REFRESH, "\n".join(sys.path), *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _check_end() -> None:
    """Raise ChildProcessError if a process that outlives this one would stay a zombie."""
    if processes.leaves_zombies():
        raise ChildProcessError("process 1 does not reap orphans")


def _work(work: Callable[[], int]) -> None:  # pragma: no cover - runs only in that child
    status = 1
    try:
        _close_descriptors()
        os.setsid()
        status = work()
    finally:
        os._exit(status)  # never return to the caller's code, whatever was raised


def _close_descriptors() -> None:  # pragma: no cover - closes what coverage writes to, too
    """Close all descriptors. The working directory stays: paths may be relative to it."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    processes.close_all(3)
