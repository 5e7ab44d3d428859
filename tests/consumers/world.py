"""A user's machine with an instance role, two services, and a profile that names credproc."""

from __future__ import annotations

import contextlib
import select
import subprocess
import time
from typing import TYPE_CHECKING, Literal

from tests.cloud import KEYS, ONE
from tests.consumers.consumer import REQUESTS
from tests.harness import CREDPROC, LIMIT, Host, Processes
from tests.servers.imds import ImdsServer
from tests.servers.rotation import made_up
from tests.servers.s3 import S3Server
from tests.servers.signature import Keys, key_of, signed_by
from tests.servers.sts import StsServer, error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.consumers.consumer import Consumer
    from tests.consumers.install import Installed
    from tests.harness import Process, Result

#: Notes what a run of credproc can know of who runs it, and becomes credproc.
WRAPPER = """\
#!/bin/sh
printf 'run\\n' >>"{notes}/runs"
cat "/proc/$$/environ" >"{notes}/environ"
if [ -e "{notes}/noise" ]; then cat "{notes}/noise" >&2; fi
if [ -e "{notes}/left" ]; then
    read -r left <"{notes}/left"
    printf '{{"Version":1,"AccessKeyId":"ASIAMADEUP","SecretAccessKey":"s","SessionToken":"t",'
    exec date -u -d "+$left seconds" '+"Expiration":"%Y-%m-%dT%H:%M:%SZ"}}'
fi
if [ -e "{notes}/long" ]; then echo $$ >"{notes}/pid"; exec sleep "$(cat "{notes}/long")"; fi
case "${{1-}}" in mark*) printf '%s\\n' "$1" >"{notes}/mark"; shift ;; esac
exec "{credproc}" "$@"
"""

#: A shell makes its own name of the mark; without one it stays as it is.
MARK = "mark:$0"

#: Variables that a shell sets by itself.
SHELLS = {"PWD", "OLDPWD", "SHLVL", "_"}

#: What a machine's service says is wrong with a signature.
FORGED = "not signed with the instance's credentials"

#: How a path is written.
Quoting = Literal["single", "double", "backslash"]


class World:
    """One profile, ``app``, whose credentials are the instance's."""

    def __init__(self, host: Host, imds: ImdsServer, sts: StsServer, s3: S3Server) -> None:
        self.host = host
        self.imds = imds
        self.sts = sts
        self.s3 = s3
        self.notes = host.folder / "notes"
        self.notes.mkdir()
        self.plain = self._wrapper(host.folder / "plain" / "credproc")
        self.blank = self._wrapper(host.folder / "my tools" / "credproc")
        self.special = self._wrapper(host.folder / 'it\'s "my" $tools' / "credproc")
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
            RCLONE_S3_ENDPOINT=s3.url,
            AWS_S3_ENDPOINT=s3.url.removeprefix("http://"),  # GDAL's
            CPL_AWS_EC2_API_ROOT_URL=imds.url,
            TF_DATA_DIR=str(host.folder / "terraform"),
        )
        self.profile()

    def _wrapper(self, path: Path) -> Path:
        path.parent.mkdir()
        path.write_text(WRAPPER.format(notes=self.notes, credproc=CREDPROC))
        path.chmod(0o755)
        return path

    def profile(self, *options: str, path: str | None = None, file: str = "config") -> None:
        """Write the profile; the options are credproc's, and the path is as a line has it."""
        words = [path or str(self.plain), MARK, *options]
        self.write(f"credential_process = {' '.join(words)}", file)

    def write(self, line: str, file: str = "config") -> None:
        """Write the profile with a whole line, and nothing else that a test could know it by."""
        config, credentials = "[profile app]\nregion = eu-central-1\n", ""
        if file == "config":
            config += f"{line}\n"
        else:
            credentials = f"[app]\n{line}\n"
        self.host.config(config)
        if credentials:
            self.host.credentials(credentials)

    def here(self, line: str) -> str:
        """Return a line of the manual's, with the folders of this machine."""
        folder = self.host.folder
        return line.replace("/opt/", f"{folder}/").replace("/usr/local/bin/", f"{folder}/plain/")

    def refuse(self, file: str = "config") -> None:
        """Let credproc fail while the instance has a role: STS refuses the profile's role.

        The chain starts at a user's keys, so nothing in it needs the instance.
        """
        self.profile("--role-arn", ONE, "--source", "profile:laptop", file=file)
        self.sts.fail(error("AccessDenied"), action="AssumeRole")
        path = self.host.home / ".aws" / "config"
        keys = "".join(f"{name.lower()} = {value}\n" for name, value in KEYS.items())
        path.write_text(f"{path.read_text()}[profile laptop]\n{keys}")

    def break_(self) -> None:
        """Let credproc fail from now on: the instance has no role, and nothing is cached."""
        self.imds.role = None

    def make_noise(self, text: str) -> None:
        """Let each run say something on stderr, as credproc itself does not on success."""
        (self.notes / "noise").write_text(text)

    def leave(self, seconds: int) -> None:
        """Let each run print a document with so many seconds left, without credproc."""
        (self.notes / "left").write_text(f"{seconds}\n")

    def dawdle(self, seconds: int) -> None:
        """Let each run take so long, and print nothing."""
        (self.notes / "long").write_text(str(seconds))

    def dawdler(self, timeout: float = 0) -> int:
        """Return the process of the last run that takes so long, waiting until there is one."""
        path = self.notes / "pid"
        end = time.monotonic() + timeout
        while not (path.exists() and path.read_text().endswith("\n")):
            assert time.monotonic() < end, "credproc was not run"
            time.sleep(0.05)
        return int(path.read_text())

    def forget(self) -> None:
        """Forget the runs and calls so far; the cache stays."""
        (self.notes / "runs").unlink(missing_ok=True)
        for server in (self.s3, self.sts, self.imds):
            server.forget()

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
    def environ(self) -> dict[str, str]:
        """The environment of the last run."""
        pairs = (self.notes / "environ").read_text().split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)

    @property
    def keys(self) -> list[str]:
        """The access keys that signed what reached the services, in order of arrival.

        "" is an unsigned request; a signature that is not the instance's is FORGED.
        """
        requests = sorted((*self.s3.requests, *self.sts.requests), key=lambda each: each.at)
        known = self._known()
        return [
            key if not (key := key_of(request)) or (key in known and signed_by(request, known[key]))
            else FORGED
            for request in requests
        ]  # fmt: skip

    @property
    def signers(self) -> set[str]:
        """The access keys that signed the consumer's requests; AssumeRole is credproc's."""
        requests = (*self.s3.requests, *self.sts.requests)
        keys = {key_of(each) for each in requests if "AssumeRole" not in each.labels}
        return keys - {""}

    def _known(self) -> dict[str, Keys]:
        """Return the instance's credentials so far, also those that have ended."""
        found = {}
        for generation in range(self.imds.generation + 1):
            made = made_up(f"{self.imds.account}/app/{generation}")
            keys = Keys(made["AccessKeyId"], made["SecretAccessKey"], made["Token"])
            found[keys.access_key] = keys
        return found


def written(path: Path, quoting: Quoting) -> str:
    """Return a path in quotes, or with a backslash before all that is special."""
    marks = {"single": "'", "double": '"'}
    if quoting in marks:
        return f"{marks[quoting]}{path}{marks[quoting]}"
    return "".join(each if each.isalnum() or each in "/._-" else f"\\{each}" for each in str(path))


@contextlib.contextmanager
def made(folder: Path, address: str = "127.0.0.1", port: int = 0) -> Iterator[World]:
    """Yield a machine that is a test's second one, or of several tests; IMDS has that address."""
    processes = Processes()
    with ImdsServer(host=address, port=port) as imds, StsServer() as sts, S3Server() as s3:
        host = Host(folder, processes)
        try:
            yield World(host, imds, sts, s3)
        finally:
            processes.end()
            host.end()


class Running:
    """A program that goes on, and makes as many requests as it is told to."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def tell(self, count: int) -> None:
        """Tell it to make that many requests."""
        stdin = self.process.popen.stdin
        assert stdin is not None
        stdin.write(f"{count}\n".encode())
        stdin.flush()

    def done(self, timeout: float = LIMIT) -> None:
        """Return when it has made them; AssertionError if it fails or takes too long."""
        popen = self.process.popen
        assert popen.stdin is not None
        assert popen.stdout is not None
        end = time.monotonic() + timeout
        ready, _, _ = select.select([popen.stdout], [], [], max(0, end - time.monotonic()))
        assert ready, f"no answer in {timeout} s: {popen.args!r}"
        line = popen.stdout.readline()
        if line != b"done\n":
            popen.stdin.close()
            popen.stdin = None
            rest = popen.communicate(timeout=timeout)
            raise AssertionError(f"{line!r} {rest!r}")

    def request(self, count: int, timeout: float = LIMIT) -> None:
        """Let it make that many requests; AssertionError if it fails or takes too long."""
        self.tell(count)
        self.done(timeout)


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


def begin(world: World, consumer: Consumer, installed: Installed, count: int) -> Process:
    """Start the consumer, to make that many requests or more; wait() lets it end."""
    if consumer.goes_on:
        running = start(world, installed.command, consumer.env)
        running.tell(count)
        return running.process
    world.s3.pages = count
    env = world.host.env(**consumer.env)
    return world.host.processes.start(installed.command, env, cwd=world.host.home)


def make_requests(
    world: World, consumer: Consumer, installed: Installed, count: int = REQUESTS
) -> Result:
    """Let the consumer make that many requests or more, and end."""
    return begin(world, consumer, installed, count).wait(120)


def served(world: World, result: Result) -> bool:
    """Whether all went well, and the instance's credentials signed every request."""
    return result.status == 0 and set(world.keys) == {world.imds.current["AccessKeyId"]}
