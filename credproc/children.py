"""Helper processes of a run, and their end: none outlives the run that started it."""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

    Table = dict[int, "Row"]

#: Seconds that a helper gets to tidy up (to switch the terminal's echo on) before it is killed.
PATIENCE = 0.1


class Row:
    """What the system says of a process: who started it, its session, and when it started."""

    __slots__ = ("parent", "session", "start", "state")

    def __init__(self, stat: bytes) -> None:
        fields = stat.rpartition(b")")[2].split()
        self.state = fields[0]
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.start = int(fields[19])


def end(children: Iterable[subprocess.Popen[bytes]], unknown: bool = False) -> None:
    """End those that still run, and all that they started: SIGTERM first, SIGKILL soon after.

    They share the process group of whoever called credproc, for a helper in a group of its own
    could not ask anything on the terminal; so they are found by who started whom. With ``unknown``
    also those that are being started at this moment, in another thread.
    """
    running = [child for child in children if child.poll() is None]
    if not running and not unknown:
        return
    table = _table()
    doomed = [child.pid for child in running]
    if unknown:
        me, mine = os.getpid(), os.getsid(0)  # a refresh in the background has another session
        new = [pid for pid, row in table.items() if row.parent == me and row.session == mine]
        doomed += [pid for pid in new if pid not in doomed]
    for pid in doomed:  # grows while it is gone through
        doomed += [each for each, row in table.items() if row.parent == pid]
    _signal(doomed, signal.SIGTERM)
    limit = time.monotonic() + PATIENCE
    left = doomed
    while left and time.monotonic() < limit:
        time.sleep(0.005)
        left = [pid for pid in left if _is_same(pid, table)]
    _signal(left, signal.SIGKILL)
    for child in running:
        if child.poll() is None:
            child.kill()  # where there is no /proc


def finish(child: subprocess.Popen[bytes]) -> None:
    """End the child if it still runs, and let go of its pipes.

    Something that it left running may hold their other ends.
    """
    end([child])
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()


def ending(returncode: int) -> str:
    """Return how a process ended, in words."""
    return f"status {returncode}" if returncode > 0 else f"signal {-returncode}"


def last_line(complaint: bytes) -> str:
    """Return the last of what a process said on stderr; its earlier lines are for logs."""
    return complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # it has ended, or became another user


def _is_same(pid: int, table: Table) -> bool:
    """Whether the process still runs which had that number before."""
    row = _row(pid)
    return row is not None and pid in table and row.start == table[pid].start and row.state != b"Z"


def _table() -> Table:
    """Return every process; nothing where there is no /proc."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return {}
    return {pid: row for pid in pids if (row := _row(pid))}


def _row(pid: int) -> Row | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return Row(file.read())
    except (OSError, IndexError, ValueError):
        return None  # it has just ended
