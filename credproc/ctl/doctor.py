"""credprocctl doctor: check all that a run depends on, one line a check, and say what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc.ctl import arguments, machine
from credproc.ctl.checks import (
    FAIL,
    OK,
    WARN,
    Case,
    Check,
    answer,
    config,
    consumers,
    installation,
    instance,
    live,
    network,
    roles,
)
from credproc.ctl.output import Result
from credproc.ctl.shared import load
from credproc.ctl.steps import Failed
from credproc.errors import CredprocError, RequestError, clean, mistake

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from credproc.ctl.output import Console

#: Columns of a check's status and of its name.
STATUS, NAME = 6, 18

#: The checks that need to know the profile, in order.
CHECKS: tuple[Callable[[Case], Iterator[Check]], ...] = (
    config.precedence,
    config.command,
    roles.mfa,
    roles.role,
    installation.executable,
    installation.log,
    installation.cache_directory,
    live.containers,
    live.providers,
    instance.other_role,
    network.sts,
    network.clocks,
    answer.cached,
    consumers.installed,
)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands, "doctor", doctor, "find out why credproc does not work",
        "Checks everything that a run depends on, and tries every provider. Nothing is cached, and "
        "there is no prompt for an MFA code. The exit status is 1 if a check fails.",
        example="credprocctl doctor dev\ncredprocctl doctor -- --imds --profile dev",
        takes_options=True,
    )  # fmt: skip
    arguments.target(made, "check")


def doctor(given: argparse.Namespace, console: Console) -> Result:
    """Run all checks, each shown when it is known."""
    given.profile = arguments.named(given)
    checks = []
    for check in results(given, os.environ):
        checks.append(check)
        show(console, check)
    worst = max(checks, key=lambda each: (OK, WARN, FAIL).index(each.status)).status
    counts = {status: sum(each.status == status for each in checks) for status in (WARN, FAIL)}
    first = next((each for each in checks if each.status == worst), None) if worst != OK else None
    if first:
        counted = f"{_count(counts[FAIL], 'error')}, {_count(counts[WARN], 'warning')}"
        lines = [console.paint(f"{counted}. Look at this first:", worst)]
        lines += console.hanging("  ", f"{first.name}: {first.text}")
        if first.advice:
            lines += console.hanging("  -> ", first.advice)
        text = "".join(f"{line}\n" for line in lines)
    else:
        text = "No problems found.\n"
    data = {"status": worst, "first": first and first.name, "checks": [vars(e) for e in checks]}
    return Result(text, data, status=int(worst == FAIL))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def results(
    given: argparse.Namespace,
    environ: Mapping[str, str],
    checks: Sequence[Callable[[Case], Iterator[Check]]] = CHECKS,
) -> Iterator[Check]:
    """Yield the results of all checks, in the order in which a run depends on their subjects."""
    try:
        shared = load(environ).check()
    except RequestError as error:
        yield Check(FAIL, "config file", str(error), "correct it: boto3 and the AWS CLI cannot "
                    "read it, and other tools may read it differently")  # fmt: skip
        shared = None
    case = Case(environ, given.log, shared)
    yield from _run(case, "config file", config.files)
    yield from _run(
        case, "command", lambda case: config.profile(case, given.profile, given.options)
    )
    try:
        case.store = machine.store(given, case.target.request if case.target else None)
    except Failed:
        pass  # a check of its own reports it
    for check in checks:
        yield from _run(case, check.__name__.replace("_", " "), check)


def _run(case: Case, name: str, check: Callable[[Case], Iterator[Check]]) -> Iterator[Check]:
    """Run one check; whatever it raises, the other checks still run."""
    try:
        yield from check(case)
    except CredprocError as error:
        yield Check(FAIL, name, clean(str(error), case.log.secrets))
    except Exception as error:
        case.log.trace(error)
        yield Check(FAIL, name, mistake(error, "credprocctl"))


def show(console: Console, check: Check) -> None:
    """Show a check, and below it what to do."""
    indent = " " * (STATUS + NAME)
    lead = console.paint(check.status.ljust(STATUS), check.status) + check.name.ljust(NAME)
    lines = console.hanging(indent, check.text)
    if len(check.name) < NAME:
        lines[0] = lead + lines[0].lstrip()
    else:
        lines.insert(0, lead)
    if check.advice:
        lines += console.hanging(f"{indent}-> ", check.advice)
    console.lines(lines)
