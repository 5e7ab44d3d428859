"""A terminal, with a person who types."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

from tests.harness import CREDPROC, LIMIT, Result

if TYPE_CHECKING:
    from typing_extensions import Self

    from tests.harness import Host

#: What to put before the command of a new session, to make stdin its controlling terminal.
TAKE = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
CONTROLLED = [sys.executable, "-Ic", TAKE]
#: The same; but the command's own stdin is empty.
LAUNCH = [*CONTROLLED, "/bin/sh", "-c", 'exec "$@" </dev/null', "sh"]


class Terminal:
    """A pseudo-terminal; ``shown`` is what has been seen on its screen so far."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.leader, self.follower = os.openpty()
        self.modes = termios.tcgetattr(self.follower)
        self.shown = ""
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        os.close(self.leader)
        os.close(self.follower)

    def start(self, *argv: str, script: str = "", **env: Any) -> subprocess.Popen[bytes]:
        """Start credproc, or a shell script where it is "$@", alone on this terminal."""
        command: list[Any] = [CREDPROC, *argv]
        if script:
            command = ["/bin/sh", "-c", script, "sh", *command]
        process = subprocess.Popen(
            [*LAUNCH, *command],
            stdin=self.follower,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.host.env(**env),
            cwd=self.host.home,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.leader, text.encode())

    def wait_for(self, text: str) -> None:
        """Return when the text has been shown; AssertionError if it does not come."""
        limit = time.monotonic() + LIMIT
        while text not in self.shown:
            ready, _, _ = select.select([self.leader], [], [], max(0.0, limit - time.monotonic()))
            assert ready, f"{text!r} did not come, but {self.shown!r}"
            self.shown += os.read(self.leader, 4096).decode()

    def read(self) -> str:
        """Return everything that has been shown, once no process can write to it any more."""
        while select.select([self.leader], [], [], 0)[0]:
            self.shown += os.read(self.leader, 4096).decode()
        return self.shown

    @property
    def is_sane(self) -> bool:
        """Whether the terminal's modes are what they were."""
        return termios.tcgetattr(self.follower) == self.modes


def result(process: subprocess.Popen[bytes], timeout: float = LIMIT) -> Result:
    """Return what a process left."""
    started = time.monotonic()
    stdout, stderr = process.communicate(timeout=timeout)
    return Result(process.returncode, stdout, stderr.decode(), time.monotonic() - started)
