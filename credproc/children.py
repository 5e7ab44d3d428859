"""Helper processes: none outlives the run that started it."""

from __future__ import annotations

import os
import signal
import threading
import time

from credproc import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Sequence
    from typing import Any

#: Seconds that a helper has to clean up (to turn the terminal's echo on) before it is killed.
PATIENCE = 0.1
#: Seconds that the end of a run waits for a helper that another thread is starting.
STARTING = 0.5


class Children:
    """The helpers that this run has started, but not what its process started before.

    (A shell may start something and then run `exec credproc` in the same process.)
    """

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        self._starting = threading.RLock()
        self._over = False

    def start(self, words: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
        """Start a program as subprocess.Popen does; OSError or ValueError if it cannot be run."""
        import subprocess  # 6 ms

        with self._starting:
            if self._over:
                raise InterruptedError("the run has ended")
            child = subprocess.Popen(words, **how)
            self.started.append(child)
        return child

    def end(self) -> None:
        """End all helpers that still run; none can be started after that."""
        starting = self._starting.acquire(timeout=STARTING)
        self._over = True
        end(self.started)
        if starting:
            self._starting.release()


def end(children: Iterable[subprocess.Popen[bytes]]) -> None:
    """End the children that still run, and their descendants: SIGTERM first, SIGKILL soon after.

    Helpers share the run's process group, because a helper in its own group could not prompt on the
    terminal. So the descendants are found by their parent, not by group.
    """
    running = [child for child in children if child.poll() is None]
    if not running:
        return
    table = processes.table()
    doomed = [child.pid for child in running]
    for pid in doomed:  # grows while the loop runs
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
            child.kill()  # if there is no process table


def finish(child: subprocess.Popen[bytes]) -> None:
    """End the child if it still runs, and close its pipes, which its own children may hold open."""
    end([child])
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()


def ending(returncode: int) -> str:
    """Return how a process ended, in words."""
    return (
        f"exited with status {returncode}"
        if returncode > 0
        else f"was killed by signal {-returncode}"
    )


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # it has ended, or now runs as another user


def _is_same(pid: int, table: dict[int, processes.Process]) -> bool:
    """Whether the process with that ID still runs, and is the same as in the table."""
    row = processes.one(pid)
    return row is not None and pid in table and row.start == table[pid].start and row.state != "Z"
