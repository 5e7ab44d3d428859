"""credprocctl exec: run a command with the credentials of a profile."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from credproc import credentials
from credproc.ctl import arguments, machine, origins
from credproc.ctl.output import Result
from credproc.ctl.shared import load, of_profile
from credproc.ctl.steps import Failed
from credproc.errors import RequestError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn

    from credproc.ctl.output import Console
    from credproc.ctl.shared import Shared, Target
    from credproc.run import Run

EXAMPLES = """\
examples:
  credprocctl exec dev -- terraform plan
  credprocctl exec dev --env -- ./program-that-reads-no-profile
  credprocctl exec dev --dry-run -- aws s3 ls

exit status:
  that of the command; 127 if there is no such command, 126 if it cannot be
  run; with --env, that of credproc if there are no credentials
"""

#: Variables besides keys that choose an identity: a profile, or what SDKs prefer to a profile.
IDENTITIES = (
    "AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)  # fmt: skip
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
NO_IMDS = "AWS_EC2_METADATA_DISABLED"
#: Sources that read variables which SDKs prefer to a profile, and one of these variables each.
FROM_VARIABLES = {"env": "AWS_ACCESS_KEY_ID", "web-identity": "AWS_WEB_IDENTITY_TOKEN_FILE"}
#: What to do about a command line that does not have this form.
FORM = "give a command after --, as in: credprocctl exec NAME -- aws s3 ls"
#: Signals that Python ignores; the command must not inherit that.
RESTORED = ("SIGPIPE", "SIGXFZ", "SIGXFSZ")


class NotRun(Failed):
    """The command could not be started; ``status`` is what a shell would return."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands, "exec", run, "run a command with the credentials of a profile",
        "The command runs with AWS_PROFILE set and without any keys in its environment, so that "
        "the credentials are renewed automatically. Unless the profile may use the role of the "
        "instance, AWS_EC2_METADATA_DISABLED=true is set, so that tools do not switch to that role "
        "when credproc fails.",
        example=EXAMPLES,
        takes_options=True,
    )  # fmt: skip
    made.usage = "%(prog)s [OPTION ...] NAME -- COMMAND [ARGUMENT ...]"

    arguments.value(made, arguments.PROFILE, "name", metavar="NAME", help="the profile")
    made.add_argument(
        "--env", action="store_true",
        help="set variables with the credentials, for programs that do not read profiles; they are "
        "not renewed",
    )  # fmt: skip
    arguments.changes(made, question=False)


def run(given: argparse.Namespace, console: Console) -> Result:
    """Replace this process with the command; with --dry-run, show its environment instead."""
    words: list[str] = given.options or []
    if not words or not words[0]:
        raise UsageError(FORM)
    if console.machine and not given.dry_run:
        raise UsageError("--output json needs --dry-run: otherwise the command writes to stdout")
    shared = load(os.environ)
    target = of_profile(shared, given.name)
    fetched: Mapping[str, str] | None = None
    if given.env and given.dry_run:
        fetched = dict.fromkeys(credentials.VARIABLES, "...")
    elif given.env:
        status, data = _document(target)
        if status:
            return Result("", None, status)
        fetched = credentials.variables(data)
    before: Mapping[str, str] = given.environ
    environ = environment(before, machine.run(given), given.name, shared, target, fetched)
    if not given.dry_run:
        _replace_process(words, environ)
    return _shown(given.name, words, before, environ)


def environment(
    before: Mapping[str, str],
    run: Run,
    name: str,
    shared: Shared,
    target: Target,
    fetched: Mapping[str, str] | None,
) -> dict[str, str]:
    """Return the environment of a command that uses the profile, or the variables ``fetched``.

    ``before`` is the environment to change: that of ``run`` lacks the variables that were empty.
    """
    gone = {*credentials.VARIABLES, *IDENTITIES}
    made = {key: value for key, value in before.items() if key not in gone}
    if fetched is not None:
        region = shared.keys(name).get("region")
        if region and not any(before.get(each) for each in REGIONS):
            made.update(dict.fromkeys(REGIONS, region))
        return made | {key: value for key, value in fetched.items() if value}
    sources = origins.sources(run, shared, target.request.providers, [name])
    for source in sources & set(FROM_VARIABLES):
        raise RequestError(
            f"profile {name} reads {FROM_VARIABLES[source]}, which tools would use instead "
            "of the profile: add --env"
        )
    made |= {"AWS_PROFILE": name, "AWS_SDK_LOAD_CONFIG": "1"}
    if not sources & {"imds", ""} and not made.get(NO_IMDS):
        made[NO_IMDS] = "true"
    return made


def _document(target: Target) -> tuple[int, bytes]:
    """Run credproc as the profile does; return its status and its document."""
    words = target.command()
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    except OSError as error:
        raise Failed(f"{words[0]} cannot be run: {error.strerror}") from error
    return done.returncode, done.stdout


def _shown(
    name: str, words: Sequence[str], before: Mapping[str, str], environ: Mapping[str, str]
) -> Result:
    """Return the differences between the environments, without secrets."""
    made = {key: value for key, value in environ.items() if before.get(key) != value}
    gone = sorted(set(before) - set(environ))
    text = "".join(f"set {key}={value}\n" for key, value in made.items())
    text += "".join(f"unset {key}\n" for key in gone)
    data = {"profile": name, "set": made, "unset": gone, "command": list(words), "dry_run": True}
    return Result(f"{text}run {shlex.join(words)}\n", data)


def _replace_process(words: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process with the command, which then has the status, signals and terminal."""
    sys.stdout.flush()
    for name in RESTORED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(words[0], list(words), dict(environ))  # noqa: S606  # the user's own command
    except FileNotFoundError as error:
        raise NotRun(f"{words[0]}: no such command", 127) from error
    except OSError as error:
        raise NotRun(f"{words[0]} cannot be run: {error.strerror}", 126) from error
