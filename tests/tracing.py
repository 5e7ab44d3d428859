"""Runs under strace: which system calls touch the cache, and a fault or a kill at any of them.

strace counts the calls of each thread for itself, so a run under it gets no second thread: the
kernel refuses to make one, and credproc then works in the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests import needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.harness import Host, Result

#: What a run may do to a file system, and nothing that strace would have to stop it for in vain.
CALLS = (
    "access,chdir,chmod,close,fchmod,fchmodat,fchown,fdatasync,flock,fstat,fsync,ftruncate,"
    "getdents64,link,linkat,lseek,lstat,mkdir,mkdirat,mmap,newfstatat,open,openat,pwrite64,read,"
    "readlink,rename,renameat,renameat2,rmdir,stat,symlink,symlinkat,truncate,unlink,unlinkat,"
    "utimensat,write"
)
#: Those of them that leave everything as it is; what closing does to a lock, a kill does as well.
LOOKING = ("access", "close", "fstat", "getdents64", "lseek", "lstat", "mmap", "newfstatat", "open",
           "openat", "read", "readlink", "stat")  # fmt: skip
ONE_THREAD = "inject=clone3:error=EAGAIN"

#: How often a step is looked for again.
TRIES = 3

#: What is looked for in the trace: a call, the paths in it, the names that no two runs give alike.
LINE = re.compile(r"(?:(\d+) +)?(\w+)\((.*)")
PATH = re.compile(r'"[^"]*"|<@[^>]*>')
TEMPORARY = re.compile(r"\d+\.[0-9a-f]{8}\.tmp")


@dataclass(frozen=True)
class Step:
    """One system call: the ``number``-th of its name in its process, and its line in the trace."""

    name: str
    number: int
    line: str

    @property
    def changes(self) -> bool:
        """Whether what other processes can see differs before and after it."""
        makes = "O_CREAT" in self.line
        return makes or self.name not in LOOKING

    @property
    def key(self) -> tuple[object, ...]:
        """What tells the call from all others of its run, and is the same in every run."""
        given = TEMPORARY.sub("new.tmp", self.line.partition(" = ")[0])
        paths = [path for path in PATH.findall(given) if path != '""']
        return self.name, self.number, "O_CREAT" in given, *paths

    def inject(self, fault: str) -> str:
        """Return strace's words for a fault at this call."""
        kind = "error" if fault.startswith("E") else "signal"
        return f"{self.name}:{kind}={fault}:when={self.number}"


class Tracer:
    """Runs commands of a host under strace; ``mark`` is in the paths of what is of interest."""

    def __init__(self, host: Host, mark: Path, *, follow: bool = True) -> None:
        needs.demand("strace")
        self.host = host
        self.mark = str(mark)
        self.file = host.folder / "trace"
        self.options = ["-f"] if follow else []

    def run(
        self, *command: str, inject: str = "", env: Mapping[str, str | None] | None = None
    ) -> Result:
        """Run the command; ``inject`` is strace's own word for a fault."""
        options = [*self.options, "-qq", "-y", "-s", "0", "-o", str(self.file)]
        options += ["-e", f"trace={CALLS},clone3", "-e", ONE_THREAD]
        options += ["-e", f"inject={inject}"] if inject else []
        environ = self.host.env(**(env or {}))
        started = self.host.processes.start(
            ["strace", *options, *command], environ, cwd=self.host.home
        )
        return started.wait()

    def steps(self) -> list[Step]:
        """Return the calls of the latest run that are of interest, in order."""
        counts: dict[tuple[str, str], int] = {}
        found = []
        for line in self.file.read_text().splitlines():
            match = LINE.match(line)
            if not match:
                continue
            process, name, rest = match.groups()
            counts[process, name] = counts.get((process, name), 0) + 1
            if self.mark in rest:
                found.append(Step(name, counts[process, name], rest.replace(self.mark, "@")))
        return found

    def fail_at_each(
        self,
        prepare: Callable[[], object],
        faults: Callable[[Step], Iterable[str]],
        *command: str,
        choose: Callable[[list[Step]], list[Step]] = list,
    ) -> Iterator[tuple[Step, Result]]:
        """Run the command once for each fault at each chosen step; yield the step and the result.

        A fault is a signal's or an error's name: KILL comes as the call is made, which then is not;
        EIO is what the call answers instead of being made.
        """
        steps = self._chosen(prepare, command, choose)
        for index in range(len(steps)):
            for fault in faults(steps[index]):
                for _ in range(TRIES):
                    step = steps[index]
                    prepare()
                    result = self.run(*command, inject=step.inject(fault))
                    if step.key in {each.key for each in self.steps()}:
                        break
                    # It was another call: a source file was edited or compiled in the meantime.
                    steps = self._chosen(prepare, command, choose)
                else:
                    raise AssertionError(f"{step} was never reached")
                yield step, result

    def _chosen(
        self,
        prepare: Callable[[], object],
        command: Sequence[str],
        choose: Callable[[list[Step]], list[Step]],
    ) -> list[Step]:
        prepare()
        result = self.run(*command)
        assert result.status == 0, result
        return choose(self.steps())


def kill(step: Step) -> list[str]:
    """Choose SIGKILL, for every step."""
    return ["KILL"]


def changing(steps: list[Step]) -> list[Step]:
    """Choose the steps that others can see the effect of."""
    return [step for step in steps if step.changes]
