"""credprocctl profile show: the commands that profiles run, and any problems with them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import recursion
from credproc.ctl import arguments, commandline, wrapping
from credproc.ctl.output import Result, short
from credproc.ctl.shared import KEY, load, of_profile
from credproc.errors import CredprocError, UsageError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.ctl.shared import Shared


def add(parts: Any) -> None:
    """Add the command to those of ``profile``."""
    made = arguments.command(
        parts, "show", shown, "show the profiles that run credproc, or one profile",
        example="credprocctl profile show\ncredprocctl profile show dev",
    )  # fmt: skip
    arguments.value(made, arguments.PROFILE, "name", metavar="NAME", nargs="?", help="the profile")


def shown(given: argparse.Namespace, console: Console) -> Result:
    """Show the commands that the profiles run, and any problems with them."""
    shared = load(os.environ).check()
    if given.name:
        entry = _described(shared, given.name)
        return Result(console.pairs(_pairs(entry, shared)), entry)
    found = [_described(shared, name) for name in shared.commands()]
    if not found:
        text = (
            f"No profile in {shared.config.path} runs credproc. "
            "`credprocctl profile add NAME` adds one.\n"
        )
        return Result(text, found)
    rows = []
    for each in found:
        problems = each["problems"]
        rows.append((each["profile"], "problem" if problems else "ok", short(each[KEY])))
        rows += [("", "", f"-> {problem}") for problem in problems]
    return Result(console.table(("PROFILE", "STATE", "COMMAND"), rows), found)


def _described(shared: Shared, name: str) -> dict[str, Any]:
    problems = []
    line = shared.keys(name).get(KEY, "")
    try:
        target = of_profile(shared, name)
        if target.slip:
            problems.append(target.slip)
        elif target.line:
            problems += _executable_problems(line)
            recursion.check(target.request, {recursion.VARIABLE: name})
    except UsageError as error:
        problems.append(str(error))
    except CredprocError as error:
        if not shared.has(name):
            raise
        problems.append(str(error))
    problems += [
        f"overridden by or in conflict with {each}" for each in shared.rivals(name) if line
    ]
    twice = shared.config.twice(name)
    problems += [f"{twice}; tools differ in which one they use"] * bool(twice)
    path, number = shared.place(name, KEY)
    return {
        "profile": name,
        "file": path,
        "line": number,
        KEY: commandline.line_shown(line),
        "runs_credproc": commandline.runs_credproc(line),
        "problems": problems,
    }


def _executable_problems(line: str) -> list[str]:
    path = commandline.split(line)[0]
    if not os.path.isabs(path):
        return [f"{path} is not an absolute path: cron and editors have a different PATH"]
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return [f"{path} does not exist, or is not executable"]
    return []


def _pairs(entry: dict[str, Any], shared: Shared) -> list[tuple[str, str]]:
    name, line = entry["profile"], entry["line"]
    where = f"{entry['file']}, line {line}" if line else entry["file"]
    return [
        ("profile", name),
        ("file", where),
        ("command", entry[KEY] or f"none: {wrapping.advice(shared, name)}"),
        *(("problem", problem) for problem in entry["problems"]),
    ]
