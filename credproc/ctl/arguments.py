"""Helpers for the commands' parsers, and the options that many commands have in common."""

from __future__ import annotations

import argparse
import re
import textwrap
from typing import TYPE_CHECKING

from credproc.errors import UsageError
from credproc.options import plain, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

#: Kinds of values that a shell can complete.
FILE, FOLDER, PROFILE = "file", "directory", "profile"

#: The placeholder in a usage line for the words after ``--``.
OPTIONS = "-- CREDPROC OPTIONS"
#: The placeholder for the name of a command.
COMMAND = "COMMAND"
_TIME = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?", re.ASCII)
_CHOICE = re.compile(r"invalid choice: '?(.*?)'? \(choose from (.*)\)", re.DOTALL)
#: Columns of a description.
WIDTH = 79


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors instead of printing them, as do its commands' parsers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options
        )

    def add_subparsers(self, **options: Any) -> Any:
        """Add subcommands, and remember their names for the error if none is given."""
        made: Any = super().add_subparsers(**options)
        self.commands: Iterable[str] = made.choices
        return made

    @property
    def options(self) -> list[str]:
        """The names of all options."""
        return [name for action in self._actions for name in action.option_strings]

    def _listed(self) -> str:
        *names, last = self.commands
        return f"{', '.join(names)} or {last}"

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage and exiting."""
        name, _, problem = message.removeprefix("argument ").partition(": ")
        wrong = _CHOICE.fullmatch(problem)
        if problem == COMMAND:
            text = f"give a command: {self._listed()}"
        elif name.startswith("the following arguments"):
            text = f"{problem.replace(', ', ' and ')} {'are' if ',' in problem else 'is'} missing"
        elif wrong and name == COMMAND:
            near = suggestion(wrong[1], self.commands)
            text = f"unknown command {wrong[1]}{near or f'; use {self._listed()}'}"
        elif wrong:
            text = f"{name}: must be one of {wrong[2]}, not {wrong[1]}".replace("'", "")
        else:
            text = f"{name}: {plain(problem)}"
        raise UsageError(f"{text} (see {self.prog} --help)")


def group(commands: Any, name: str, text: str) -> Any:
    """Add a command that has subcommands; return the object that they are added to."""
    made = commands.add_parser(name, help=text, description=f"{sentence(text)}.")
    return made.add_subparsers(title="commands", required=True, metavar=COMMAND)


def command(
    commands: Any,
    name: str,
    run: Any,
    text: str,
    more: str = "",
    *,
    example: str,
    takes_options: bool = False,
) -> Any:
    """Add a command that calls ``run``; ``takes_options``: credproc's options, after ``--``.

    ``example`` is one command line or several, or, if it ends with a newline, all of the text at
    the end of --help.
    """
    description = f"{sentence(text)}.{more and f' {more}'}"
    # Folded here, because the formatter must leave the layout of the example alone.
    folded = textwrap.fill(description, WIDTH, break_on_hyphens=False)
    if not example.endswith("\n"):
        title = "examples" if "\n" in example else "example"
        example = f"{title}:\n{textwrap.indent(example, '  ')}"
    made = commands.add_parser(name, help=text, description=folded, epilog=example)
    made.set_defaults(command=run, takes_options=takes_options, parser=made)
    common = made.add_argument_group("common options")
    common.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="text for people (default), or JSON for scripts",
    )
    common.add_argument(
        "-v", "--verbose", action="store_true", help="log to stderr (secrets are never logged)"
    )
    return made


def changes(made: Any, question: bool = True) -> None:
    """Add the options of a command that changes something; ``question``: it asks you first."""
    made.add_argument(
        "--dry-run", action="store_true", help="show what would be done, and change nothing"
    )
    if question:
        made.add_argument(
            "--yes", action="store_true", help="do not ask first (required without a terminal)"
        )


def seconds(text: str) -> float:
    """Return a length of time, like 90, 15m or 1h30m, in seconds; ArgumentTypeError for others."""
    found = _TIME.fullmatch(text)
    if not found or not any(found.groups()):
        raise argparse.ArgumentTypeError(f"must be a time, like 90s, 15m or 1h30m, not {text}")
    hours, minutes, rest = (int(each or 0) for each in found.groups())
    return 3600.0 * hours + 60 * minutes + rest


def value(made: Any, kind: str, *names: str, **more: Any) -> None:
    """Add an argument whose value is of a kind that shells complete (see completion.py)."""
    made.add_argument(*names, **more).complete = kind


def target(made: Any, verb: str) -> None:
    """Add PROFILE, which may be replaced by credproc's options after ``--``; see named()."""
    made.usage = f"%(prog)s [OPTION ...] [PROFILE | {OPTIONS}]"
    value(
        made, PROFILE, "profile", metavar="PROFILE", nargs="?",
        help=f"the profile to {verb} (default: AWS_PROFILE, else default)",
    )  # fmt: skip
    value(
        made, PROFILE, "--profile", metavar="NAME", dest="named", help="the same as PROFILE"
    )  # fmt: skip


def named(given: argparse.Namespace) -> str | None:
    """Return the profile of target(), if there is one; UsageError if there is more than that."""
    if sum(each is not None for each in (given.profile, given.named, given.options)) > 1:
        raise UsageError("give a profile, or credproc's options after --, not both")
    name: str | None = given.profile or given.named
    return name


def profiles(made: Any, every: str) -> None:
    """Add the names of profiles, and --all for ``every`` one; see check_profiles()."""
    value(made, PROFILE, "names", metavar="NAME", nargs="*", help="one or more profiles")
    made.add_argument("--all", action="store_true", dest="every", help=every)


def check_profiles(given: argparse.Namespace) -> None:
    """Raise UsageError unless there are either names or --all."""
    if bool(given.names) == given.every:
        raise UsageError(f"give the names of profiles, or --all{', not both' * given.every}")


def executable(made: Any) -> None:
    """Add --executable."""
    value(
        made, FILE, "--executable", metavar="PATH",
        help="the path of credproc (default: the one installed with this command)",
    )  # fmt: skip


def account(made: Any) -> None:
    """Add the options that choose the account and the region, as in the AWS CLI."""
    made.add_argument(
        "--profile", help="the profile whose credentials are used (default: as for the AWS CLI)"
    )
    made.add_argument("--region", help="the region of the instances (default: as configured)")


def cache_dir(made: Any) -> None:
    """Add credproc's own --cache-dir."""
    value(
        made, FOLDER, "--cache-dir", metavar="DIR",
        help="the cache directory (default: the one that credproc uses)",
    )  # fmt: skip


def sentence(text: str) -> str:
    """Return the text with a capital letter."""
    return text[:1].upper() + text[1:]
