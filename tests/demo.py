#!/usr/bin/env python3
"""The demo: the same commands with and without credproc, on this machine alone.

    python3 tests/demo.py [--shell] [--venv FOLDER]

Needs Python and pip. Everything is in a temporary directory, which is always removed at the end.
Every step is checked, and the first wrong result ends the demo. ``--shell`` opens a shell with the
simulated EC2 instance, STS and S3, instead of running the steps.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036  # the only file that an older Python may run
    sys.exit("demo: needs Python 3.10 or newer")

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.dont_write_bytecode = True

from tests import artefacts, venvs  # noqa: E402  # found by the line above
from tests.harness import Host, Processes, Result, herd  # noqa: E402
from tests.loopback import OTHER_ACCOUNT, Loopback, arn, identity  # noqa: E402
from tests.servers import moto  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

WIDTH = 80
CROWD = 20

JUMP, DEPLOY, REPORTS = arn("jump"), arn("deploy", OTHER_ACCOUNT), arn("reports")

#: Profiles, and the options that their credential_process gives to credproc.
PROFILES = {
    "app": "",
    "anywhere": f"--imds --role-arn {JUMP} --role-arn {DEPLOY} --source profile:laptop",
    "reports": "--profile reports-role",
}
CONFIG = """\
# The instance's role.
[profile app]
credential_process = {app}

# The instance's role; without one, two roles, assumed with the keys of `laptop`.
[profile anywhere]
credential_process = {anywhere}

# A cache for the role of another profile.
[profile reports]
credential_process = {reports}

[profile reports-role]
role_arn = {role}
source_profile = laptop
"""
#: A program that uses an SDK.
PROGRAM = """\
import sys, boto3
print(boto3.Session(profile_name=sys.argv[1]).get_credentials().access_key)
"""
#: The commands that people try first in the shell of --shell.
TRY = """\
This shell runs on an EC2 instance with the role `app`, with ~/.aws/config as above. Try:
  aws sts get-caller-identity --profile app
  credprocctl explain app
  credprocctl cache list
  credprocctl doctor app
To simulate a laptop, without instance metadata:
  export AWS_EC2_METADATA_SERVICE_ENDPOINT={nowhere}
`exit` removes everything.
"""

#: Fields of the document whose values are not the point.
MASKED = ("SecretAccessKey", "SessionToken")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failed(Exception):
    """A step had a wrong result."""


def main() -> int:
    """Run the demo and return its exit status."""
    options = _parser().parse_args()
    for number in SIGNALS[1:]:
        signal.signal(number, _leave)
    started = time.monotonic()
    try:
        print("credproc at work: real `aws` commands, a simulated EC2 instance, no AWS account")
        with set_up(options.venv) as stage:
            if options.shell:
                return a_shell(stage)
            for chapter in (on_an_instance, anywhere, in_programs, by_hand, all_at_once):
                chapter(stage)
    except (Failed, AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"\ndemo: FAILED: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit) as left:
        print("\ndemo: interrupted; everything has been removed", file=sys.stderr)
        return int(left.code or 1) if isinstance(left, SystemExit) else 130
    seconds = time.monotonic() - started
    print(f"\nEvery step had the right result ({seconds:.0f} s). Everything has been removed.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Show credproc at work: real `aws` commands, no AWS account.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--shell", action="store_true", help="open a shell to try things in, and run no steps"
    )
    parser.add_argument(
        "--venv", type=Path, help="use this environment, with credproc, awscli and moto's server"
    )
    return parser


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def set_up(given: Path | None) -> Iterator[Stage]:
    """Set up a home directory, the programs and the servers; remove all of it afterwards."""
    with contextlib.ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix="credproc-demo-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made)).resolve()
            os.environ["TMPDIR"] = str(folder)  # pip leaves files behind if it is killed
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
            # Removing everything takes a second, and must not be interrupted.
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
    """Show the instance's role, fetched and cached."""
    title("The role of an EC2 instance")
    stage.host.environ.update(stage.world.instance)
    stage.who("app", identity("app"), Cost(imds=3))
    stage.who("app", identity("app"), Cost())
    stage.without("aws sts get-caller-identity --query Arn --output text", Cost(imds=3))
    stage.buckets("app", "home-account-data")


def anywhere(stage: Stage) -> None:
    """Show one profile on an instance, and then without a metadata service."""
    title("One profile for every machine: the instance's role, or two roles")
    say("On the instance, whose credentials are cached from the profile `app`:")
    stage.who("anywhere", identity("app"), Cost())
    say("On a laptop, where connections to IMDS are refused:")
    stage.host.environ.update(stage.world.laptop)
    deploy = identity("deploy", "credproc-", OTHER_ACCOUNT)
    stage.who("anywhere", deploy, Cost(roles=2))
    stage.who("anywhere", deploy, Cost())
    tell("without credproc", "impossible with one profile, which has only one source", bad=True)
    stage.buckets("anywhere", "other-account-data")


def in_programs(stage: Stage) -> None:
    """Show a program that assumes a role at each start, and one that uses the cache."""
    title("A role in your own programs (boto3)")
    stage.who("reports", identity("reports", "credproc-"), Cost(roles=1))
    stage.measured("python program.py reports", Cost())
    for _ in range(2):
        stage.without("python program.py reports-role", Cost(roles=1))


def by_hand(stage: Stage) -> None:
    """Show how to get credentials from IMDS without curl, awk and sed."""
    title("In scripts on the instance, without curl, awk or sed")
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
        say(f"Only the {name}:")
        expect(stage.run(f"credproc --field {name}"), served[name])


def all_at_once(stage: Stage) -> None:
    """Show how many calls are made by programs that start at once, with nothing cached."""
    title(f"{CROWD} programs at once, with nothing cached")
    stage.host.environ.update(stage.world.laptop)
    empty = {"CREDPROC_CACHE_DIR": str(stage.host.folder / "empty-cache")}
    command = "python program.py reports"
    command_line(f"for i in $(seq {CROWD}); do {command} & done; wait")
    stage.crowd(command, Cost(roles=1), empty)
    stage.crowd("python program.py reports-role", Cost(roles=CROWD), empty, bad=True)


def a_shell(stage: Stage) -> int:
    """Open a shell on the simulated instance; return its exit status."""
    title("A shell")
    host = stage.host
    host.environ.update(stage.world.instance)
    print(TRY.format(nowhere=stage.world.laptop["AWS_EC2_METADATA_SERVICE_ENDPOINT"]), flush=True)
    shell = shutil.which("bash") or "/bin/sh"
    env = host.env(PS1="(credproc demo) $ ", TERM=os.environ.get("TERM", "dumb"))
    # Ctrl-C is for the programs in the shell.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        options = ["--norc"] if shell.endswith("bash") else []
        done = subprocess.run([shell, *options], env=env, cwd=host.home, check=False)
    finally:
        signal.signal(signal.SIGINT, before)
    print("Everything has been removed.")
    return done.returncode


@dataclass(frozen=True)
class Cost:
    """How many requests to IMDS, and calls of AssumeRole, a step makes."""

    imds: int = 0
    roles: int = 0

    def __str__(self) -> str:
        return f"IMDS requests: {self.imds:2}   AssumeRole calls: {self.roles:2}"


class Stage:
    """A simulated machine, the services that it calls, and the commands that run there."""

    def __init__(self, host: Host, world: Loopback, credproc: Path) -> None:
        self.host = host
        self.world = world
        self.credproc = credproc
        say(f"IMDS of an instance with the role `app`: {world.imds.url}")
        say(f"STS and S3, which check every signature: {world.moto.url}")
        say("~/.aws/config:")
        quoted = shlex.quote(str(credproc))
        lines = {name: f"{quoted} {given}".rstrip() for name, given in PROFILES.items()}
        config = CONFIG.format(**lines, role=REPORTS)
        host.config(config)
        (host.home / "program.py").write_text(PROGRAM)
        for line in config.splitlines():
            print(wrapped(line, "    "))

    def path(self, program: str) -> Path:
        """Return the path of a program in the environment."""
        return self.credproc.with_name(program)

    def run(self, command: str, shown: bool = True) -> str:
        """Show and run a command, which must succeed without a message; return its output."""
        command_line(command)
        program, *arguments = shlex.split(command)
        said = printed(self.host.run(*arguments, command=self.path(program)))
        if shown:
            print(textwrap.indent(said, "  "), flush=True)
        return said

    def who(self, profile: str, wanted: str, cost: Cost) -> None:
        """Get the profile's identity from STS by the AWS CLI; check it, and the calls made."""
        found = self.measured(
            f"aws sts get-caller-identity --profile {profile} --query Arn --output text", cost
        )
        expect(found[: len(wanted)], wanted, "the identity")
        alone = self.host.run(*shlex.split(PROFILES[profile]), command=self.credproc)
        key = json.loads(printed(alone))["AccessKeyId"]
        expect(self.world.callers, [key], "the access key that `aws` signed with")

    def measured(self, command: str, cost: Cost) -> str:
        """Show and run a command that uses credproc; check the calls made."""
        return self._measured(command, cost, bad=False)

    def without(self, command: str, cost: Cost) -> None:
        """Run a command that does the same without credproc; check the calls made."""
        self._measured(command, cost, bad=True)

    def _measured(self, command: str, cost: Cost, *, bad: bool) -> str:
        self.world.forget()
        started = time.monotonic()
        found = self.run(command)
        seconds = time.monotonic() - started
        expect(self.cost(), cost, "the cost")
        tell("without credproc" if bad else "with credproc", f"{seconds:5.2f} s   {cost}", bad=bad)
        return found

    def cost(self) -> Cost:
        """Return the requests since the beginning of the last step."""
        return Cost(len(self.world.imds.requests), len(self.world.assumed))

    def crowd(self, command: str, cost: Cost, env: Mapping[str, str], *, bad: bool = False) -> None:
        """Run a command many times at once; check the calls made by all of them together."""
        self.world.forget()
        program, *arguments = shlex.split(command)
        results = herd(self.host, CROWD, *arguments, command=self.path(program), env=env)
        keys = {printed(result) for result in results}
        expect(self.cost(), cost, "the cost")
        expect(len(keys), cost.roles, "the number of different access keys")
        seconds = max(result.seconds for result in results)
        tell("without credproc" if bad else "with credproc", f"{seconds:5.2f} s   {cost}", bad=bad)

    def buckets(self, profile: str, bucket: str) -> None:
        """List the buckets of the profile's account; each account has one."""
        lines = self.run(f"aws s3 ls --profile {profile}").splitlines()
        expect([line.split()[-1] for line in lines], [bucket], "the buckets")


def printed(result: Result) -> str:
    """Return the output of a command, which must have succeeded without a message."""
    if result.status or result.stderr:
        raise Failed(f"status {result.status}: {result.stderr.strip()}")
    return result.stdout.decode().rstrip("\n")


def expect(found: object, wanted: object, what: str = "it") -> None:
    """Fail if a wrong value was found."""
    if found != wanted:
        raise Failed(f"{what} should be {wanted}, not {found}")


# Output.


BOLD, DIM, GREEN, YELLOW = "1", "2", "32", "33"


def color(text: str, code: str) -> str:
    """Return the text in a color, if stdout is a terminal that has colors."""
    plain = (
        not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    )
    return text if plain else f"\033[{code}m{text}\033[0m"


def title(text: str) -> None:
    """Begin a chapter."""
    print(color(f"\n{text}\n{'-' * len(text)}", BOLD), flush=True)


def say(text: str) -> None:
    """Print a comment."""
    print(color(wrapped(f"# {text}", ""), DIM), flush=True)


def command_line(text: str) -> None:
    """Print a command as it would be typed."""
    print(f"$ {color(text, BOLD)}", flush=True)


def tell(label: str, text: str, *, bad: bool) -> None:
    """Print the cost of a step."""
    print(color(f"  {label:16} {text}", YELLOW if bad else GREEN), flush=True)


@contextlib.contextmanager
def timed(text: str) -> Iterator[None]:
    """Print what is being done, and then how long it took."""
    print(color(f"# {text} ... ", DIM), end="", flush=True)
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
