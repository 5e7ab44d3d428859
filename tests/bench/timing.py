"""Timing whole processes, interleaved: whatever else the machine does hits all rows alike."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Runs its arguments and prints their peak memory. A process of its own, and a small one, because
#: a child's peak starts at its parent's.
PEAK = (
    "import os,sys\n"
    "null=os.open(os.devnull,os.O_RDWR)\n"
    "pid=os.posix_spawn(sys.argv[1],sys.argv[1:],os.environ,"
    "file_actions=[(os.POSIX_SPAWN_DUP2,null,1)])\n"
    "status=os.wait4(pid,0)\n"
    "print(status[2].ru_maxrss)\n"
    "sys.exit(os.waitstatus_to_exitcode(status[1]))\n"
)


@dataclass
class Row:
    """One command that is measured; ``prepare`` runs before each run and is not timed."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    prepare: Callable[[], object] | None = None
    #: Milliseconds of each run.
    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median, in milliseconds."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles around the median, in milliseconds."""
        low, _, high = statistics.quantiles(self.samples, n=4)
        return low, high

    def once(self) -> float:
        """Run the command; return its milliseconds. RuntimeError unless it succeeds."""
        if self.prepare:
            self.prepare()
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]
        begun = time.perf_counter()
        pid = os.posix_spawn(self.command[0], self.command, self.env, file_actions=actions)
        _, status = os.waitpid(pid, 0)
        elapsed = (time.perf_counter() - begun) * 1000
        os.close(null)
        if status:
            said = subprocess.run(
                self.command, env=self.env, capture_output=True, text=True, check=False
            )
            raise RuntimeError(f"{self.name}: status {status}: {said.stderr[-500:]}")
        return elapsed

    def peak(self) -> float:
        """Return the peak memory of one run, in MiB."""
        if self.prepare:
            self.prepare()
        launcher = ["/usr/bin/env", "python3", "-I", "-S", "-c", PEAK, *self.command]
        ran = subprocess.run(launcher, env=self.env, capture_output=True, text=True, check=True)
        return int(ran.stdout) / 1024


def measure(rows: Sequence[Row], rounds: int, seed: int = 1) -> None:
    """Fill the rows' samples: in every round each row runs once, in a new random order."""
    draw = random.Random(seed)
    for row in rows:
        row.once()  # the first run reads files from the disk, and compiles what is not compiled
    for _ in range(rounds):
        for row in draw.sample(list(rows), len(rows)):
            row.samples.append(row.once())
