"""credprocctl: the commands, the error line, the exit status."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from credproc import __version__, cli, options
from credproc.ctl import cache, completion, doctor, execute, explain, launcher, profile, role
from credproc.ctl.arguments import COMMAND, Parser
from credproc.ctl.output import Console
from credproc.ctl.steps import INTERRUPTED
from credproc.errors import CredprocError, ProviderFailed, UsageError, clean, mistake
from credproc.log import Log, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from credproc.ctl.output import Result

    Command = Callable[[argparse.Namespace, Console], Result]

DESCRIPTION = """\
Set up credproc, inspect what it has cached, and diagnose problems.
"""

EPILOG = """\
on an EC2 instance (the first two commands need an administrator's credentials):
  credprocctl role create app --policy AmazonS3FullAccess
  credprocctl role attach app --instance this
  credprocctl profile add app --from-role app
  aws s3 ls --profile app

exit status:
  0 success, 1 failure (or doctor found an error), 2 usage or configuration
  error, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run credprocctl and return its exit status; every error becomes one line on stderr here.

    ``argv``, by default that of the process, has the arguments without the program's name.
    """
    argv = sys.argv[1:] if argv is None else argv
    log = Log(os.environ.get("CREDPROC_LOG", ""), time.time)
    environ = dict(os.environ)
    cli.forget_empty(os.environ)
    try:
        return run(argv, log, environ)
    except CredprocError as error:
        log.trace(error)
        line = clean(str(error), log.secrets)
        _print_failure(line, error, argv)
        say(line, "credprocctl")
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 1  # the reader of the pipe has closed it
    except Exception as error:
        log.trace(error)
        say(mistake(error, "credprocctl"), "credprocctl")
        return 1


def _print_failure(line: str, error: CredprocError, argv: Sequence[str]) -> None:
    """Print a failure and the steps completed before it as JSON, with --output json."""
    words = [*argv, ""]
    if "--output=json" not in words and ("--output", "json") not in pairwise(words):
        return
    steps = getattr(error, "steps", [])
    with contextlib.suppress(OSError, ValueError):  # stderr has the error line anyway
        json.dump({"error": line, "status": error.status, "steps": steps}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        sys.stdout.flush()


def run(argv: Sequence[str], log: Log, environ: Mapping[str, str]) -> int:
    """Run the command that ``argv`` names, show its result, and return the exit status.

    ``environ`` is for the programs that ``exec`` runs.
    """
    if sys.stdout is None:
        raise ProviderFailed("stdout is closed")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # characters that the locale cannot encode
    _check(split(argv)[0])
    given, rest = parser().parse_known_args(split(argv)[0])
    if rest:
        raise UsageError(_unknown(rest[0].partition("=")[0], given))
    given.options = split(argv)[1]
    given.log = log
    given.environ = environ
    log.verbose = given.verbose
    command: Command = given.command
    if given.options is not None and not given.takes_options:
        raise UsageError("this command takes no credproc options after --")
    console = Console(os.environ, given.output == "json", secrets=log.secrets)
    try:
        result = command(given, console)
        console.show(result)
    except OSError as error:
        # If writing to stdout failed, the interpreter must not flush it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise ProviderFailed(f"{where}{error.strerror or error}") from error
    return result.status


def _check(words: Sequence[str]) -> None:
    """Refuse options before the command, and empty values: a script's unset variable must not
    select everything, or nothing."""
    first = words[0].partition("=")[0] if words else ""
    if first.startswith("-") and first not in ("-h", "--help", "--version"):
        raise UsageError(f"{first}: options come after the command, as in: credprocctl cache list "
                         "--output json")  # fmt: skip
    for before, word in pairwise(["", *words]):
        name, equals, value = word.partition("=") if word.startswith("--") else ("", "=", word)
        if equals and not value.strip():
            name = name or (before if before.startswith("-") else "an argument")
            raise UsageError(f"{name}: empty value (an unset variable?)")


def _unknown(word: str, given: argparse.Namespace) -> str:
    """Return the error for an option or argument that the command does not have."""
    where = f" (see {given.parser.prog} --help)"
    if word in given.parser.options:
        return f"{word}: options come after the whole command, as in: {given.parser.prog} {word}"
    is_exec = given.command is execute.run
    if not word.startswith("-"):
        return f"unexpected argument {word}{f': {execute.FORM}' if is_exec else where}"
    if given.takes_options and not is_exec and word in options.parser().options:
        return f"unknown option {word}: credproc's options go after --"
    return f"unknown option {word}{options.suggestion(word, given.parser.options)}{where}"


def split(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return the words before ``--`` and those after it, which are None without ``--``."""
    words = list(argv)
    if "--" not in words:
        return words, None
    place = words.index("--")
    return words[:place], words[place + 1 :]


def parser() -> argparse.ArgumentParser:
    """Return the parser; each command sets ``command`` to the function that runs it."""
    made = Parser(
        prog="credprocctl",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    made.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}", help="print the version"
    )
    commands = made.add_subparsers(title="commands", required=True, metavar=COMMAND)
    for module in (role, profile, execute, doctor, cache, explain, launcher, completion):
        module.add(commands)
    return made


if __name__ == "__main__":
    sys.exit(main())
