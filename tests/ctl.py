"""credprocctl as a real process of a made-up machine."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.harness import LIMIT, SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from tests.harness import Host, Result

CREDPROCCTL = SCRIPTS / "credprocctl"


def ctl(host: Host, *args: str, status: int = 0, **env: Any) -> str:
    """Run credprocctl; it must end with the status, and only a failure says anything on stderr."""
    result = host.run(*args, command=CREDPROCCTL, **env)
    assert result.status == status, result
    if status == 0:
        assert "Traceback" not in result.stderr, result
    return result.stdout.decode()


def failed(host: Host, *args: str, status: int = 1, **env: Any) -> str:
    """Run credprocctl, which must fail with one line on stderr and nothing on stdout; return it."""
    result = host.run(*args, command=CREDPROCCTL, **env)
    assert (result.status, result.stdout) == (status, b""), result
    return one_line(result)


def one_line(result: Result) -> str:
    """Return what a failure says; AssertionError unless it is one line."""
    assert result.stderr.startswith("credprocctl: "), result
    assert result.stderr.endswith("\n"), result
    assert result.stderr.count("\n") == 1, result
    return result.stderr.removeprefix("credprocctl: ").rstrip("\n")


def data(host: Host, *args: str, status: int = 0, **env: Any) -> Any:
    """Run credprocctl with --output json; return what stdout carries, and nothing else."""
    return json.loads(ctl(host, *args, "--output", "json", status=status, **env))


class Terminal:
    """A command on a terminal of its own; what it shows is read until something appears."""

    def __init__(
        self, command: Sequence[str | Path], env: Mapping[str, str], columns: int = 100
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self.popen = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm", **env, "COLUMNS": str(columns), "LINES": "50"},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str, timeout: float = LIMIT) -> str:
        """Return what was shown since the last call, when the text is in it."""
        end = time.monotonic() + timeout
        while text not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} did not appear: {self.shown!r}"
            assert self._read(), f"{text!r} did not appear before the end: {self.shown!r}"
        shown, self.shown = self.shown, ""
        return shown

    def end(self, timeout: float = LIMIT) -> tuple[int, str]:
        """Wait for the command to end; return its status and the rest of what it showed."""
        end = time.monotonic() + timeout
        while select.select([self._ours], [], [], max(0.0, end - time.monotonic()))[0]:
            if not self._read():
                break
        return self.popen.wait(GRACE), self.shown

    def _read(self) -> bool:
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # whoever had the other side has gone
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)


#: Seconds for a command that has closed its terminal to end.
GRACE = 5.0
