#!/usr/bin/env python3
"""The demo: real ``aws`` commands get their credentials from credproc, on this machine alone.

    python3 tests/demo.py [--venv FOLDER]

Needs Python and pip. Everything lives in a folder that is removed at the end, however it ends;
every step is checked, and the first one that does not give what it should ends the demo.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036  # the one file that an older Python may get to see
    sys.exit("demo: needs Python 3.10 or newer")

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.dont_write_bytecode = True

from tests import artefacts, venvs  # noqa: E402  # found by the line above
from tests.harness import Host, Processes, Result, herd  # noqa: E402
from tests.loopback import OTHER_ACCOUNT, Loopback, arn, identity  # noqa: E402
from tests.servers import moto  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

WIDTH = 80
CROWD = 20

JUMP, DEPLOY, REPORTS = arn("jump"), arn("deploy", OTHER_ACCOUNT), arn("reports")

#: Profiles, and what their credential_process gives credproc to do.
PROFILES = {
    "app": "",
    "anywhere": f"--imds --role-arn {JUMP} --role-arn {DEPLOY} --source profile:laptop",
    "reports": "--profile reports-role",
}
CONFIG = """\
# The instance's role.
[profile app]
credential_process = {app}

# The instance's role, else two roles, the first with the keys of `laptop`.
[profile anywhere]
credential_process = {anywhere}

# What another profile describes, and every process would ask for anew.
[profile reports]
credential_process = {reports}

[profile reports-role]
role_arn = {role}
source_profile = laptop
"""

#: Fields of the document whose values are not the point.
MASKED = ("SecretAccessKey", "SessionToken")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failed(Exception):
    """A step that did not give what it should."""


def main() -> int:
    """Play the demo and return its exit status."""
    options = _parser().parse_args()
    for number in SIGNALS[1:]:
        signal.signal(number, _leave)
    started = time.monotonic()
    try:
        print("credproc at work: real `aws` commands, a made-up EC2 instance, no AWS account")
        with set_up(options.venv) as stage:
            on_an_instance(stage)
            anywhere(stage)
            from_a_profile(stage)
            by_hand(stage)
            all_at_once(stage)
    except (Failed, AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"\ndemo: FAILED: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit) as left:
        print("\ndemo: interrupted; nothing is left of it", file=sys.stderr)
        return int(left.code or 1) if isinstance(left, SystemExit) else 130
    seconds = time.monotonic() - started
    print(f"\nEvery step gave what it should ({seconds:.0f} s). Nothing is left of it.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Show credproc at work: real `aws` commands, no AWS account.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--venv", type=Path, help="use this environment; it has credproc, awscli, moto's server"
    )
    return parser


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def set_up(given: Path | None) -> Iterator[Stage]:
    """Set up a home, the programs and the servers; take all of it away afterwards."""
    with contextlib.ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix="credproc-demo-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made)).resolve()
            os.environ["TMPDIR"] = str(folder)  # pip, if it is ended, leaves its own files behind
            title("Getting ready")
            venv = venvs.Venv(given or folder / "venv")
            if not given:
                _install(venv, folder)
            processes = Processes()
            host = Host(folder, processes)
            stack.callback(host.end)
            stack.callback(processes.end)
            host.environ["PATH"] = f"{venv.scripts}:/usr/bin:/bin"
            env = host.env(PYTHONDONTWRITEBYTECODE="1")
            world = stack.enter_context(Loopback(folder, venv.python, env))
            world.furnish(host)
            yield Stage(host, world, venv.scripts / "credproc")
        finally:
            # Tidying up takes a second, and nobody's impatience should leave half of it.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)


def _install(venv: venvs.Venv, folder: Path) -> None:
    with timed("a virtual environment"):
        venv.make()
    with timed("credproc from this tree, awscli, moto's server"):
        tree = folder / "tree"
        artefacts.copy(venvs.ROOT, tree)  # a build would leave its files in the tree
        venv.install(str(tree), "awscli", *moto.REQUIREMENTS)


# The chapters.


def on_an_instance(stage: Stage) -> None:
    """Show the instance's role, cold and cached."""
    title("An EC2 instance: its role")
    stage.host.environ.update(stage.world.instance)
    stage.who("app", identity("app"), "cold", imds=3)
    stage.who("app", identity("app"), "cached")
    stage.buckets("app", "home-account-data")


def anywhere(stage: Stage) -> None:
    """Show one profile on an instance, and the same without a metadata service."""
    title("One profile for every machine: the instance's role, else two roles")
    say("On the instance:")
    stage.who("anywhere", identity("app"), "cold", imds=3)
    say("On a laptop, where the connection to IMDS is refused:")
    stage.host.environ.update(stage.world.laptop)
    deploy = identity("deploy", "credproc-", OTHER_ACCOUNT)
    stage.who("anywhere", deploy, "cold", [JUMP, DEPLOY])
    stage.who("anywhere", deploy, "cached")
    stage.buckets("anywhere", "other-account-data")


def from_a_profile(stage: Stage) -> None:
    """Show what a profile describes, cached."""
    title("A cache for what another profile describes")
    stage.who("reports", identity("reports", "credproc-"), "cold", [REPORTS])
    stage.who("reports", identity("reports", "credproc-"), "cached")
    stage.buckets("reports", "home-account-data")


def by_hand(stage: Stage) -> None:
    """Show what people otherwise get out of IMDS with curl, awk and sed."""
    title("By hand on the instance, without curl, awk or sed")
    stage.host.environ.update(stage.world.instance)
    served = stage.world.imds.current
    say("The name of the instance's role:")
    expect(stage.run("credprocctl role name"), "app")
    say("The credentials (one line of JSON, wrapped and masked here):")
    document = json.loads(stage.run("credproc", shown=False))
    masked = {name: "*" * 8 if name in MASKED else value for name, value in document.items()}
    print(wrapped(json.dumps(masked), "  "))
    for name, key in (("SecretAccessKey", "SecretAccessKey"), ("SessionToken", "Token")):
        expect(document[name], served[key], name)
    for name in ("AccessKeyId", "SecretAccessKey", "Expiration"):
        say(f"The {name} alone:")
        expect(stage.run(f"credproc --field {name}"), served[name])


def all_at_once(stage: Stage) -> None:
    """Show that many processes on a cold cache make one call."""
    title(f"{CROWD} processes at once, nothing cached: one call")
    world = stage.world
    stage.host.environ.update(world.laptop)
    world.forget()
    command = "credproc --profile reports-role"
    print(f"$ for i in $(seq {CROWD}); do {command} & done; wait", flush=True)
    program, *arguments = shlex.split(command)
    empty: dict[str, str | None] = {"CREDPROC_CACHE_DIR": str(stage.host.folder / "empty-cache")}
    results = herd(stage.host, CROWD, *arguments, command=stage.path(program), env=empty)
    documents = {printed(result) for result in results}
    expect(len(documents), 1, "the number of different documents")
    expect(world.assumed, [REPORTS], "the roles that STS was asked for")
    seconds = max(result.seconds for result in results)
    say(f"{CROWD} times the same document; {seconds:.2f} s; AssumeRole once.")


class Stage:
    """A made-up machine, the services that it talks to, and the commands that are run there."""

    def __init__(self, host: Host, world: Loopback, credproc: Path) -> None:
        self.host = host
        self.world = world
        self.credproc = credproc
        say(f"IMDS, of an instance with the role `app`: {world.imds.url}")
        say(f"STS and S3, which check every signature: {world.moto.url}")
        say("~/.aws/config:")
        quoted = shlex.quote(str(credproc))
        lines = {name: f"{quoted} {given}".rstrip() for name, given in PROFILES.items()}
        config = CONFIG.format(**lines, role=REPORTS)
        host.config(config)
        for line in config.splitlines():
            print(wrapped(line, "    "))

    def path(self, program: str) -> Path:
        """Return where a program of the environment is."""
        return self.credproc.with_name(program)

    def run(self, command: str, shown: bool = True) -> str:
        """Show and run a command, which must succeed in silence; return what it printed."""
        print(f"$ {command}", flush=True)
        program, *arguments = shlex.split(command)
        said = printed(self.host.run(*arguments, command=self.path(program)))
        if shown:
            print(textwrap.indent(said, "  "), flush=True)
        return said

    def who(
        self, profile: str, wanted: str, state: str, roles: list[str] | None = None, imds: int = 0
    ) -> None:
        """Ask STS, by the AWS CLI, who the profile is; check that, and what it took."""
        self.world.forget()
        started = time.monotonic()
        found = self.run(
            f"aws sts get-caller-identity --profile {profile} --query Arn --output text"
        )
        seconds = time.monotonic() - started
        expect(found[: len(wanted)], wanted, "the identity")
        requests, assumed = len(self.world.imds.requests), self.world.assumed
        expect(requests, imds, "the number of requests to IMDS")
        expect(assumed, roles or [], "the roles that STS was asked for")
        given = shlex.split(PROFILES[profile])
        alone = self.host.run(*given, command=self.credproc)
        key = json.loads(printed(alone))["AccessKeyId"]
        expect(self.world.callers, [key], "the access key that `aws` signed with")
        took = f"{state}: {seconds:.2f} s"
        if state == "cached":
            took += f" (credproc alone: {alone.seconds * 1000:.0f} ms)"
        say(f"{took}; IMDS requests: {requests}; AssumeRole calls: {len(assumed)}")

    def buckets(self, profile: str, bucket: str) -> None:
        """List the buckets of the profile's account, of which each has one."""
        lines = self.run(f"aws s3 ls --profile {profile}").splitlines()
        expect([line.split()[-1] for line in lines], [bucket], "the buckets")


def printed(result: Result) -> str:
    """Return what a command printed; it must have succeeded in silence."""
    if result.status or result.stderr:
        raise Failed(f"status {result.status}: {result.stderr.strip()}")
    return result.stdout.decode().rstrip("\n")


def expect(found: object, wanted: object, what: str = "it") -> None:
    """Fail unless that was found which should be."""
    if found != wanted:
        raise Failed(f"{what} should be {wanted}, not {found}")


# How it is told.


def title(text: str) -> None:
    """Begin a chapter."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def say(text: str) -> None:
    """Say a sentence."""
    print(wrapped(f"# {text}", ""), flush=True)


@contextlib.contextmanager
def timed(text: str) -> Iterator[None]:
    """Say what is done, and then how long it took."""
    print(f"# {text} ... ", end="", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:.0f} s", flush=True)


def wrapped(text: str, indent: str) -> str:
    """Return the text in lines that fit; those after the first are indented further."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    sys.exit(main())
