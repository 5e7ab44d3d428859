"""Processes on Linux and macOS: table, memory, descriptors, whether a fork is safe."""

from __future__ import annotations

# The C module behind signal, which a bare interpreter has loaded.
import _signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: How many descriptors are closed if no directory lists the open ones.
MANY = 65536
#: Seconds after its start by which a background refresh has ended and has been reaped.
OLD = 120
#: The `ps` command for systems without /proc.
PS = ("/bin/ps", "-A", "-o", "pid=,ppid=,state=,lstart=")


class Process:
    """A process: parent, state (one letter, Z for a zombie), start time, name.

    ``start`` is for comparison: a process with the same ID and start time is the same process. On
    Linux it is in clock ticks since boot.
    """

    __slots__ = ("name", "parent", "start", "state")

    def __init__(self, parent: int, state: str, start: str, name: str = "") -> None:
        self.parent = parent
        self.state = state
        self.start = start
        self.name = name


def table() -> dict[int, Process]:
    """Return all processes by ID; {} if the system does not list them."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return listed(PS)
    return {pid: found for pid in pids if (found := _stat(pid))}


def one(pid: int) -> Process | None:
    """Return the process with that ID; None if there is none, or the system does not list it."""
    if os.path.exists("/proc/self/stat"):
        return _stat(pid)
    return listed([PS[0], "-p", str(pid), *PS[2:]]).get(pid)


def own() -> int:
    """Return the ID of this process, as /proc has it: that may be mounted from outside of the
    container."""
    try:
        return int(os.readlink("/proc/self"))
    except (OSError, ValueError):
        return os.getpid()


def namespace() -> int:
    """Return a number for the container in which process IDs are unique, 0 if it is unknown."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def listed(command: Iterable[str]) -> dict[int, Process]:
    """Return the processes that `ps` lists with the columns of PS; {} if it cannot be run."""
    import subprocess  # 6 ms, unless a helper runs, which has loaded it

    try:
        output = subprocess.run(
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
    rows = [line.split(None, 3) for line in output.decode("ascii", "replace").splitlines()]
    return {
        int(row[0]): Process(int(row[1]), row[2][:1], row[3])
        for row in rows
        if len(row) == 4 and row[0].isdigit() and row[1].isdigit()
    }


def may_fork() -> bool:
    """Whether a forked process may go on in Python.

    Not on macOS: a child that looks up proxies or uses the network aborts or hangs, because the
    system libraries do not support a fork without exec.
    """
    return sys.platform != "darwin"


def leaves_zombies() -> bool:
    """Whether a process that outlives its parent would stay a zombie after its end.

    That happens in a container whose process 1 is an application that does not reap orphans.
    """
    try:
        with open("/proc/1/status", "rb") as file:
            status = file.read()
        with open("/proc/uptime", "rb") as file:
            uptime = float(file.read().split()[0])
    except (OSError, ValueError):
        return False
    return os.getpid() == 1 or never_waits(status) or has_old_zombie(_orphans(), uptime)


def _orphans() -> dict[int, Process]:
    """Return this process and the children of process 1; all processes if these are not listed."""
    pids = [os.getpid()]
    try:
        for thread in os.listdir("/proc/1/task"):
            with open(f"/proc/1/task/{thread}/children", "rb") as file:
                pids += map(int, file.read().split())
    except OSError:
        return table()
    return {pid: found for pid in pids if (found := _stat(pid))}


def never_waits(status: bytes) -> bool:
    """Whether process 1, according to /proc/1/status, never learns that an orphan has ended.

    It has one thread, and neither catches, ignores nor blocks SIGCHLD. A process 1 that calls
    wait() all the time looks the same, but is too rare to risk zombies for.
    """
    fields = dict(line.split(b":\t", 1) for line in status.splitlines() if b":\t" in line)
    masks = [int(fields.get(name, b"0"), 16) for name in (b"SigCgt", b"SigIgn", b"SigBlk")]
    learns = any(mask >> (_signal.SIGCHLD - 1) & 1 for mask in masks)
    return fields.get(b"Threads") == b"1" and not learns


def has_old_zombie(found: dict[int, Process], uptime: float) -> bool:
    """Whether an earlier process with this name is still a zombie of process 1."""
    name = found[os.getpid()].name if os.getpid() in found else ""
    latest = (uptime - OLD) * os.sysconf("SC_CLK_TCK")
    return any(
        row.parent == 1 and row.state == "Z" and row.name == name and int(row.start) < latest
        for row in found.values()
    )


def peak_memory() -> int:
    """Return the peak memory use of this process, in bytes."""
    import resource  # only for runs that wait

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def close_all(first: int) -> None:
    """Close every descriptor from ``first`` on."""
    try:
        directory = "/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"
        end = max(map(int, os.listdir(directory))) + 1
    except (OSError, ValueError):
        end = MANY  # the limit may be a billion, and closing that many takes minutes
    os.closerange(first, end)


def _stat(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, rest = file.read().decode("utf-8", "replace").rpartition(")")
        fields = rest.split()
        return Process(int(fields[1]), fields[0], fields[19], head.partition("(")[2])
    except (OSError, IndexError, ValueError):
        return None  # it has just ended


def readable(descriptors: Sequence[int], seconds: float) -> list[int]:
    """Return which descriptors become readable within so many seconds; without any, just wait.

    With poll, because descriptor numbers may be too large for select; on macOS, whose poll does not
    support terminals, with select.
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
    """Whether the descriptor becomes readable within so many seconds."""
    return bool(readable([descriptor], seconds))
