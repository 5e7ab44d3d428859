"""Run credproc every second across the ends of short sessions: does any run wait?

    python -m tests.simulation.rollover [--lifetime SECONDS] [--sessions N] [--every SECONDS]

The sessions are those of a two-hop chain, from an STS on loopback that answers after 150 ms and
issues nothing longer. Beside each run a bare interpreter runs, to tell what the machine does. Then
the same with an STS that is down while a session should be renewed; it is well again before the
session ends.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from credproc.cache import AHEAD
from tests import cachedir
from tests.cloud import CHAIN, KEYS
from tests.harness import CREDPROC, Host, Processes
from tests.servers import faults
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds that STS takes for an answer.
DELAY = 0.15
BARE = [sys.executable, "-c", "pass"]


class Run(NamedTuple):
    """One run: what it printed, what its caller waited (ms), and what it was about.

    ``work`` is the processor time that the run itself took (ms), which other processes do not
    change much; ``bare`` is what the caller of a bare interpreter waited just afterwards.
    """

    document: bytes
    waited: float
    work: float
    bare: float
    state: str
    left: int


class Loop:
    """Runs of credproc, one after the other, on a host of their own."""

    def __init__(self, host: Host, sts: StsServer, every: float) -> None:
        self.host = host
        self.sts = sts
        self.every = every
        self.env = host.env(AWS_ENDPOINT_URL_STS=sts.url, **KEYS)
        self.runs: list[Run] = []

    def until_new(self, sessions: int) -> None:
        """Run until the document has changed so many times."""
        changes = 0
        while changes < sessions:
            before = self.runs[-1].document if self.runs else b""
            self.once()
            changes += bool(before) and before != self.runs[-1].document

    def once(self) -> None:
        """Run once, when it is time."""
        state, left = self._state()
        document, waited, work = timed([str(CREDPROC), *CHAIN], self.env)
        _, bare, _ = timed(BARE, self.env)
        self.runs.append(Run(document, waited, work, bare, state, left))
        time.sleep(max(self.every - (waited + bare) / 1000, 0))

    def _state(self) -> tuple[str, int]:
        """Return what the run will find, and how many seconds are left of it."""
        for entry in cachedir.entries(self.host.cache):
            if b"\0chain\0" in entry.key[:20] and entry.document:
                return entry.judge(time.time()), int(entry.expiration - time.time())
        return "nothing", 0


def timed(command: list[str], env: dict[str, str]) -> tuple[bytes, float, float]:
    """Run a command; return what it wrote, the milliseconds until it was gone and silent, and
    those in which it had a processor.
    """
    reads, writes = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writes, 1), (os.POSIX_SPAWN_CLOSE, reads)]
    begun = time.perf_counter()
    pid = os.posix_spawn(command[0], command, env, file_actions=actions)
    os.close(writes)
    with open(reads, "rb") as pipe:
        document = pipe.read()
    _, status, used = os.wait4(pid, 0)
    waited = (time.perf_counter() - begun) * 1000
    if status:
        raise RuntimeError(f"{command[0]}: status {os.waitstatus_to_exitcode(status)}")
    return document, waited, (used.ru_utime + used.ru_stime) * 1000


def report(title: str, runs: Sequence[Run], calls: int) -> None:
    """Print how long runs took, and the slowest of them."""
    hits = [run for run in runs if run.state != "nothing"]
    waited, bare = [run.waited for run in hits], [run.bare for run in hits]
    middle = statistics.median(waited)
    print(f"\n{title}: {len(hits)} runs, {calls} calls of STS")
    print(f"  credproc:         {words(waited)}")
    print(f"  bare interpreter: {words(bare)}")
    print(f"  processor time:   {words([run.work for run in hits])}")
    for run in sorted(hits, key=lambda run: -run.waited)[:5]:
        print(f"  {run.waited:7.1f} ms = {run.waited / middle:4.1f} x the median: {about(run)}")
    started = [run for run in hits if run.state == AHEAD]
    if started:
        print(f"  runs that started a refresh: {words([run.waited for run in started])}")
        print(f"             processor time:   {words([run.work for run in started])}")


def about(run: Run) -> str:
    """Return what a run was about."""
    return (
        f"{run.left} s left, {run.state}; {run.work:.0f} ms of processor time; the bare "
        f"interpreter beside it {run.bare:.1f} ms"
    )


def words(samples: Sequence[float]) -> str:
    """Return the distribution of milliseconds."""
    ordered = sorted(samples)
    middle = statistics.median(ordered)
    near = ordered[int(len(ordered) * 0.95)]
    return (
        f"median {middle:.1f} ms, 95 % below {near:.1f}, slowest {ordered[-1]:.1f} "
        f"({ordered[-1] / middle:.1f} x)"
    )


def main() -> None:
    """Run both loops and print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.rollover")
    parser.add_argument("--lifetime", type=int, default=40)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--every", type=float, default=1.0)
    given = parser.parse_args()
    processes = Processes()
    with (
        tempfile.TemporaryDirectory(prefix="credproc-rollover-") as folder,
        StsServer(DELAY, max_lifetime=given.lifetime) as sts,
    ):
        host = Host(Path(folder), processes)
        try:
            loop = Loop(host, sts, given.every)
            loop.until_new(given.sessions)
            report(f"{given.sessions} roll-overs", loop.runs, sts.count())

            loop.runs, before = [], sts.count()
            loop.once()
            while loop.runs[-1].left > given.lifetime * 0.6:
                loop.once()
            sts.fail(faults.reset())
            while loop.runs[-1].left > given.lifetime * 0.1:
                loop.once()
            down, tried = list(loop.runs), sts.count() - before
            report("a roll-over with STS down from before it", down, tried)
            sts.heal()
            loop.until_new(1)
            report("until it was well again", loop.runs[len(down) :], sts.count() - before - tried)
        finally:
            processes.end()
            host.end()


if __name__ == "__main__":
    main()
