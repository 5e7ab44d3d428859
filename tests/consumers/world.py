"""A user's machine with an instance role, a service, and a profile that names credproc."""

from __future__ import annotations

import select
import subprocess
import time
from typing import TYPE_CHECKING

from tests.harness import CREDPROC, LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness import Host, Process, Result
    from tests.servers.imds import ImdsServer
    from tests.servers.s3 import S3Server
    from tests.servers.sts import StsServer

#: Tells what a run of credproc can know of who runs it, and becomes credproc.
WRAPPER = """\
#!/bin/sh
printf 'run\\n' >>"{notes}/runs"
printf '%s\\n' "$1" >"{notes}/mark"
env >"{notes}/environ"
shift
exec {credproc} "$@"
"""

#: A shell makes its own name of the mark; without one it stays as it is.
MARK = "$0"


class World:
    """One profile, ``app``, whose credentials are the instance's, run from an awkward path."""

    def __init__(self, host: Host, imds: ImdsServer, sts: StsServer, s3: S3Server) -> None:
        self.host = host
        self.imds = imds
        self.sts = sts
        self.s3 = s3
        self.notes = host.folder / "notes"
        self.notes.mkdir()
        self.wrapper = host.folder / "a folder" / "cred proc"
        self.wrapper.parent.mkdir()
        self.wrapper.write_text(WRAPPER.format(notes=self.notes, credproc=CREDPROC))
        self.wrapper.chmod(0o755)
        host.environ.update(
            AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url,
            AWS_EC2_METADATA_DISABLED=None,
            AWS_ENDPOINT_URL=None,
            AWS_ENDPOINT_URL_S3=s3.url,
            AWS_ENDPOINT_URL_STS=sts.url,
            AWS_DEFAULT_REGION="eu-central-1",
            AWS_REGION="eu-central-1",
            PROFILE="app",
            STS=sts.url,
            S3=s3.url,
        )
        self.profile()

    def profile(self, *options: str, quote: str = "'") -> None:
        """Write the profile; the options are credproc's."""
        line = " ".join([f'{quote}{self.wrapper}{quote} "{MARK}"', *options])
        self.host.config(f"[profile app]\nregion = eu-central-1\ncredential_process = {line}\n")

    def break_(self) -> None:
        """Let credproc fail from now on: the instance has no role, and nothing is held."""
        self.imds.role = None

    @property
    def runs(self) -> int:
        """How often credproc was run."""
        path = self.notes / "runs"
        return path.stat().st_size // len("run\n") if path.exists() else 0

    @property
    def by_a_shell(self) -> bool:
        """Whether a shell stood between the consumer and the last run."""
        return (self.notes / "mark").read_text().strip() != MARK

    @property
    def keys(self) -> list[str]:
        """The access keys that signed what reached the services, in order of arrival."""
        signed = [
            (request.at, key) for request, key in zip(self.s3.requests, self.s3.keys, strict=True)
        ]
        signed += [(call.at, call.access_key) for call in self.sts.calls]
        return [key for _, key in sorted(signed)]


class Running:
    """A program that goes on, and makes as many requests as it is told to."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def request(self, count: int, timeout: float = LIMIT) -> None:
        """Let it make that many requests; AssertionError if it fails or takes too long."""
        popen = self.process.popen
        assert popen.stdin is not None
        assert popen.stdout is not None
        popen.stdin.write(f"{count}\n".encode())
        popen.stdin.flush()
        end = time.monotonic() + timeout
        ready, _, _ = select.select([popen.stdout], [], [], max(0, end - time.monotonic()))
        assert ready, "no answer"
        line = popen.stdout.readline()
        if line != b"done\n":
            popen.stdin.close()
            popen.stdin = None
            rest = popen.communicate(timeout=timeout)
            raise AssertionError(f"{line!r} {rest!r}")


def start(world: World, command: list[str], extra: Mapping[str, str | None]) -> Running:
    """Start a program that reads numbers from stdin."""
    env = world.host.env(**extra)
    process = world.host.processes.start(command, env, stdin=subprocess.PIPE, cwd=world.host.home)
    return Running(process)


def run(
    world: World, command: list[str], extra: Mapping[str, str | None], stdin: bytes | None = None
) -> Result:
    """Run a command to its end."""
    env = world.host.env(**extra)
    process = world.host.processes.start(command, env, stdin=stdin, cwd=world.host.home)
    return process.wait(120)
