"""credprocctl as a real process of a made-up machine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import select
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any

from tests.harness import LIMIT, SCRIPTS, Result, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from tests.harness import Host

CREDPROCCTL = SCRIPTS / "credprocctl"


def ctl(host: Host, *args: str, status: int = 0, **env: Any) -> str:
    """Run credprocctl in this process; return what it says if it ends with the status."""
    return _said(Inside(host).run(*args, command=CREDPROCCTL, **env), status)


def real(host: Host, *args: str, status: int = 0, **env: Any) -> str:
    """Run credprocctl as a process; return what it says if it ends with the status."""
    return _said(host.run(*args, command=CREDPROCCTL, **env), status)


def _said(result: Result, status: int) -> str:
    assert result.status == status, result
    assert "Traceback" not in result.stderr, result
    return result.stdout.decode()


def failed(host: Host, *args: str, status: int = 1, **env: Any) -> str:
    """Run credprocctl, which must fail with one line on stderr and nothing on stdout; return it."""
    result = Inside(host).run(*args, command=CREDPROCCTL, **env)
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
        """Return what was shown since the last call, up to the text, when that is there."""
        end = time.monotonic() + timeout
        while text not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} did not appear: {self.shown!r}"
            assert self._read(), f"{text!r} did not appear before the end: {self.shown!r}"
        before, _, self.shown = self.shown.partition(text)
        return before

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
        except OSError:  # the process on the other side has ended
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)


#: Seconds for a command that has closed its terminal to end.
GRACE = 5.0


class Inside:
    """credprocctl run in this very process, where starting one would cost more than the test.

    It has the environment of the host and nothing else; streams are what the process would have.
    """

    def __init__(self, host: Host) -> None:
        self.host = host

    def run(self, *args: str, command: str | Path = CREDPROCCTL, **env: str | None) -> Result:
        """Run credprocctl to its end."""
        from credproc.ctl.__main__ import main

        environ = self.host.env(**env)
        started = time.monotonic()
        with (
            tempfile.TemporaryFile() as error,
            _descriptor(2, error.fileno()),
            open(2, "w", encoding="utf-8", closefd=False) as stderr,
            io.TextIOWrapper(io.BytesIO(), "utf-8") as output,
            environment(environ),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(stderr),
        ):
            status = main(args)
            output.flush()
            stdout = output.buffer.getvalue()
            stderr.flush()
            error.seek(0)
            said = error.read().decode()
        return Result(status, stdout, said, time.monotonic() - started)


@contextlib.contextmanager
def _descriptor(number: int, instead: int) -> Iterator[None]:
    """Let another file stand for a descriptor."""
    kept = os.dup(number)
    os.dup2(instead, number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)
