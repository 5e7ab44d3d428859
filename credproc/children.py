"""Helper processes of a run, and their end: none outlives the run that started it."""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator

#: Seconds that a helper gets to tidy up (to switch the terminal's echo on) before it is killed.
PATIENCE = 0.1


def end(children: Iterable[subprocess.Popen[bytes]]) -> None:
    """End those that still run, and all that they started: SIGTERM first, SIGKILL soon after.

    They share the process group of whoever called credproc, for a helper in a group of its own
    could not ask anything on the terminal; so they are found by who started whom.
    """
    running = [child for child in children if child.poll() is None]
    if not running:
        return
    table = _table()
    doomed = [child.pid for child in running]
    for pid in doomed:  # grows while it is gone through
        doomed += [each for each, (parent, _) in table.items() if parent == pid]
    _signal(doomed, signal.SIGTERM)
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit and any(child.poll() is None for child in running):
        time.sleep(0.005)
    for child in running:
        if child.poll() is None:
            child.kill()
    _signal(_same(doomed, table), signal.SIGKILL)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # it has ended, or became another user


def _same(pids: list[int], table: dict[int, tuple[int, str]]) -> Iterator[int]:
    """Keep those that are still the process which had that number before."""
    now = _table()
    for pid in pids:
        if pid in table and pid in now and now[pid][1] == table[pid][1]:
            yield pid


def _table() -> dict[int, tuple[int, str]]:
    """Return each process's parent and the time it started at; nothing where there is no /proc."""
    table = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return {}
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                table[int(name)] = (int(fields[1]), fields[19].decode())
            except (OSError, IndexError):
                pass  # it has just ended
    return table
