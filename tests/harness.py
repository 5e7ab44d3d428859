"""The harness: credproc as a real process on a machine that is made up.

A process's environment is built from nothing, so neither the developer's credentials nor a real
metadata service can get into a test.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Where pip puts the commands of the environment that runs the tests.
SCRIPTS = Path(sysconfig.get_path("scripts"))
CREDPROC = SCRIPTS / "credproc"

#: No service uses port 1: connections to it are refused at once.
NOWHERE = "http://127.0.0.1:1"

#: Seconds after which a process has failed the test, and that it has to end before it is killed.
LIMIT = 30.0
GRACE = 5.0

#: Tells the harness, through the FIFO, that it is there; becomes the command at the end of stdin.
LAUNCHER = 'printf . >"$0"; read -r _; exec "$@" </dev/null'


@dataclass(frozen=True)
class Result:
    """What a process left: its status, all it wrote, and how long it took."""

    status: int
    stdout: bytes
    stderr: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The credentials; AssertionError unless the run kept the contract of a success."""
        assert self.status == 0, self
        assert self.stderr == "", self
        assert self.stdout.isascii(), self
        assert self.stdout.endswith(b"\n"), self
        assert self.stdout.count(b"\n") == 1, self
        document = json.loads(self.stdout)
        assert document["Version"] == 1, self
        return dict(document)


class Process:
    """A command that was started, alone in a session and so without a terminal."""

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        env: Mapping[str, str],
        *,
        stdin: bytes | int | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._input = stdin if isinstance(stdin, bytes) else None
        pipe = subprocess.PIPE if self._input is not None else subprocess.DEVNULL
        self.started = time.monotonic()
        self.popen = subprocess.Popen(
            command,
            stdin=stdin if isinstance(stdin, int) else pipe,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        self.pid = self.popen.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.popen.poll() is None

    def wait(self, timeout: float = LIMIT) -> Result:
        """Return the result; AssertionError if the process, or what holds its output, runs on."""
        try:
            stdout, stderr = self.popen.communicate(self._input, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.end(0)
            said = (error.stdout, error.stderr)
            raise AssertionError(f"{self.popen.args!r} ran for {timeout} s: {said}") from None
        seconds = time.monotonic() - self.started
        return Result(self.popen.returncode, stdout, stderr.decode(), seconds)

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self.popen.send_signal(number)

    def end(self, grace: float = GRACE) -> None:
        """End the process and its group; a process that does not end in time is killed."""
        if self.running and grace:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(grace)
        if self.running:
            # The leader has not been waited for, so the group's number is still its own.
            os.killpg(self.pid, signal.SIGKILL)
            self.popen.wait(GRACE)
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()


class Processes:
    """Whatever a test starts, so that it can be ended."""

    def __init__(self) -> None:
        self._started: list[Process] = []

    def start(
        self,
        command: Sequence[str | os.PathLike[str]],
        env: Mapping[str, str],
        *,
        stdin: bytes | int | None = None,
        cwd: Path | None = None,
    ) -> Process:
        """Start a command that does not outlive the test."""
        process = Process(command, env, stdin=stdin, cwd=cwd)
        self._started.append(process)
        return process

    def end(self) -> None:
        """End all that still run."""
        while self._started:
            self._started.pop().end()


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let this process have these variables and no others."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Host:
    """A made-up machine with one user: a home, an environment, and credproc on PATH.

    ``environ`` is what every process there gets; a test changes it, or passes variables to one run.
    None takes a variable away.
    """

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self.folder = folder
        self.processes = processes
        self.environ: dict[str, str | None] = {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": f"{SCRIPTS}:{programs.folder()}",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": NOWHERE,
            "AWS_ENDPOINT_URL": NOWHERE,
        }
        # The one thing that passes through: it measures which lines the processes run.
        coverage = {k: v for k, v in os.environ.items() if k.startswith("COVERAGE_")}
        self.environ.update(coverage)

    @property
    def cache(self) -> Path:
        """The folder of the entries, unless the environment says otherwise."""
        return self.home / ".cache" / "credproc"

    def env(self, **extra: str | None) -> dict[str, str]:
        """Return the environment of a process, with the extra variables."""
        merged = {**self.environ, **extra}
        return {name: value for name, value in merged.items() if value is not None}

    def config(self, text: str) -> Path:
        """Write ~/.aws/config."""
        return self._aws("config", text)

    def credentials(self, text: str) -> Path:
        """Write ~/.aws/credentials."""
        return self._aws("credentials", text)

    def _aws(self, name: str, text: str) -> Path:
        path = self.home / ".aws" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def start(
        self,
        *args: str,
        command: str | Path = CREDPROC,
        stdin: bytes | int | None = None,
        cwd: Path | None = None,
        **env: str | None,
    ) -> Process:
        """Start credproc, or another command, and return at once."""
        folder = cwd or self.home
        return self.processes.start([command, *args], self.env(**env), stdin=stdin, cwd=folder)

    def run(
        self,
        *args: str,
        command: str | Path = CREDPROC,
        stdin: bytes | None = None,
        timeout: float = LIMIT,
        cwd: Path | None = None,
        **env: str | None,
    ) -> Result:
        """Run credproc, or another command, to its end."""
        return self.start(*args, command=command, stdin=stdin, cwd=cwd, **env).wait(timeout)

    def document(self, *args: str, **env: str | None) -> dict[str, Any]:
        """Run credproc, which must succeed, and return the credentials that it printed."""
        process = self.processes.start([CREDPROC, *args], self.env(**env), cwd=self.home)
        return process.wait().document

    def strays(self) -> list[int]:
        """Return the ids of this machine's processes, also of those that left their session."""
        mark = f"HOME={self.home}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended, or is another user's
                continue
            if mark in variables:
                found.append(int(folder.name))
        return found

    def settle(self, timeout: float = LIMIT) -> None:
        """Wait until nothing runs in the background; AssertionError if something still does."""
        deadline = time.monotonic() + timeout
        while self.strays():
            assert time.monotonic() < deadline, f"still running: {self.strays()}"
            time.sleep(0.01)

    def end(self) -> None:
        """Kill what still runs in the background of this machine."""
        for pid in self.strays():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def run(
    *args: str,
    env: Mapping[str, str],
    stdin: bytes | None = None,
    timeout: float = LIMIT,
    cwd: Path | None = None,
) -> Result:
    """Run the installed credproc in exactly this environment, on no machine in particular."""
    return Process([CREDPROC, *args], env, stdin=stdin, cwd=cwd).wait(timeout)


#: So many at once, on a machine that does other things too, may keep IMDS from answering in 2 s.
PATIENT = {"AWS_METADATA_SERVICE_TIMEOUT": "10", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1"}


def herd(
    host: Host,
    count: int,
    *args: str,
    command: str | Path = CREDPROC,
    timeout: float = LIMIT,
    env: Mapping[str, str | None] | None = None,
) -> list[Result]:
    """Start that many processes, hold all of them, let them go at once, return their results.

    The time of a result begins when they are let go.
    """
    fifo = host.folder / f"herd-{time.monotonic_ns()}"
    os.mkfifo(fifo, 0o600)
    arrivals = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    gate, release = os.pipe()
    try:
        launcher = ["/bin/sh", "-c", LAUNCHER, str(fifo), str(command), *args]
        environ = host.env(**{**PATIENT, **(env or {})})
        herded = [
            host.processes.start(launcher, environ, stdin=gate, cwd=host.home) for _ in range(count)
        ]
        _wait_for(arrivals, count, timeout)
    finally:
        for descriptor in (gate, release, arrivals):
            os.close(descriptor)
    released = time.monotonic()
    for process in herded:
        process.started = released
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(lambda process: process.wait(timeout), herded))


def _wait_for(arrivals: int, count: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    missing = count
    while missing:
        ready, _, _ = select.select([arrivals], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{missing} of {count} processes did not start in {timeout} s"
        missing -= len(os.read(arrivals, missing))
