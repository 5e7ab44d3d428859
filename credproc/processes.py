"""Processes as each system shows them: table, memory, descriptors, whether a fork is safe."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Descriptors that are closed where no directory lists the open ones.
MANY = 65536
#: What `ps` is asked where there is no /proc.
PS = ("/bin/ps", "-A", "-o", "pid=,ppid=,state=,lstart=")


class Process:
    """A process: its parent, its state (one letter, Z for a zombie), and when it started.

    ``start`` is only good for comparing: a process of the same number and start is the same.
    """

    __slots__ = ("parent", "start", "state")

    def __init__(self, parent: int, state: str, start: str) -> None:
        self.parent = parent
        self.state = state
        self.start = start


def table() -> dict[int, Process]:
    """Return every process by its number; nothing if the system does not say."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return listed(PS)
    return {pid: found for pid in pids if (found := _stat(pid))}


def one(pid: int) -> Process | None:
    """Return the process of that number; None if there is none, or the system does not say."""
    if os.path.exists("/proc/self/stat"):
        return _stat(pid)
    return listed([PS[0], "-p", str(pid), *PS[2:]]).get(pid)


def listed(command: Iterable[str]) -> dict[int, Process]:
    """Return the processes that `ps` lists with the columns of PS; nothing if it cannot be run."""
    import subprocess  # 6 ms, where a helper runs, which has loaded it

    try:
        said = subprocess.run(
            list(command),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            timeout=1,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    # The last column is a date of several words.
    rows = [line.split(None, 3) for line in said.decode("ascii", "replace").splitlines()]
    return {
        int(row[0]): Process(int(row[1]), row[2][:1], row[3])
        for row in rows
        if len(row) == 4 and row[0].isdigit() and row[1].isdigit()
    }


def may_fork() -> bool:
    """Whether a forked process may go on in Python.

    Not on macOS: a child that looks for proxies or uses the network there aborts or hangs, since
    its libraries are not made for a fork without exec.
    """
    return sys.platform != "darwin"


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    import resource  # for runs that wait

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def close_all(first: int) -> None:
    """Close every descriptor from ``first`` on."""
    try:
        directory = "/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"
        end = max(map(int, os.listdir(directory))) + 1
    except (OSError, ValueError):
        end = MANY  # the limit itself may be a thousand million, and closing so many takes minutes
    os.closerange(first, end)


def _stat(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].decode("ascii").split()
        return Process(int(fields[1]), fields[0], fields[19])
    except (OSError, IndexError, ValueError):
        return None  # it has just ended


def readable(descriptors: Sequence[int], seconds: float) -> list[int]:
    """Return which descriptors can be read within so many seconds; with none, just wait.

    By poll, since a caller may leave open more descriptors than select can number; macOS, whose
    poll knows no terminals, has to do with select.
    """
    import select  # 1 ms

    if sys.platform == "darwin":
        return select.select(descriptors, [], [], seconds)[0]
    else:  # noqa: RET505 - mypy would call what follows unreachable on macOS
        poller = select.poll()
        for descriptor in descriptors:
            poller.register(descriptor, select.POLLIN)
        return [descriptor for descriptor, _ in poller.poll(max(seconds, 0) * 1000)]


def is_readable(descriptor: int, seconds: float) -> bool:
    """Whether the descriptor can be read within so many seconds."""
    return bool(readable([descriptor], seconds))
