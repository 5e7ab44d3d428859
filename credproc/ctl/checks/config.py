"""The config files, the profile, what overrides it, and its command line as credproc reads it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from credproc import recursion
from credproc.ctl import wrapping
from credproc.ctl.checks import FAIL, OK, WARN, Check
from credproc.ctl.commandline import credproc_arguments, join, shown, split
from credproc.ctl.shared import DEFAULT, GIVEN, KEY, Target, in_use, of_profile
from credproc.errors import CredprocError
from credproc.request import GO_PATIENCE, Chain
from credproc.windows import SIGNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credproc.ctl.checks import Case
    from credproc.ctl.shared import Shared


def files(case: Case) -> Iterator[Check]:
    """Check the two files themselves."""
    if case.shared is None:
        return  # reported where they were read
    for name, path, variable in (
        ("config file", case.shared.config.path, "AWS_CONFIG_FILE"),
        ("credentials file", case.shared.credentials.path, "AWS_SHARED_CREDENTIALS_FILE"),
    ):
        needed = name == "config file" and not case.shared.credentials.profiles()
        yield _file(name, path, variable if case.environ.get(variable) else "", needed)


def _file(name: str, path: str, variable: str, needed: bool) -> Check:
    named = f" (from {variable})" if variable else ""
    try:
        status = os.stat(path)
    except OSError as error:
        text = f"{path or 'none'}{named}: {(error.strerror or '').lower()}"
        if variable:
            return Check(FAIL, name, text, f"unset {variable}, or make it the path of a file")
        if not needed:
            return Check(OK, name, f"{text}; not needed")
        return Check(WARN, name, text, "`credprocctl profile add NAME` creates it")
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, os.geteuid()):
        return Check(WARN, name, f"{path}{named} belongs to another user (uid {status.st_uid})",
                     "HOME may be that user's, as with sudo: use sudo -H")  # fmt: skip
    if mode & 0o022 or (mode & 0o077 and name == "credentials file"):
        return Check(WARN, name, f"{path}{named} has mode {mode:04o}: other users have access",
                     f"chmod 600 {path}")  # fmt: skip
    return Check(OK, name, f"{path}{named}, mode {mode:04o}")


def profile(case: Case, given: str | None, options: Sequence[str] | None) -> Iterator[Check]:
    """Find the profile to check, and its command line."""
    if options is not None:
        case.target = Target(options)
        yield Check(OK, "profile", "none: checking the options after --")
        return
    if case.shared is None:
        yield Check(WARN, "profile", "not checked, because the config files cannot be read")
        return
    name, origin = in_use(given, case.environ)
    if name in case.shared.profiles():
        yield from _found(case, case.shared, name, origin)
    elif origin == DEFAULT:
        case.target = Target([])
        yield Check(WARN, "profile", "no profile is named and there is no default profile; "
                    "checking what credproc does without options",
                    "run `credprocctl doctor PROFILE`")  # fmt: skip
    else:
        near = case.shared.near(name)
        advice = "correct that header" if near is not None else (
            f"`credprocctl profile add {name}` creates one that runs credproc"
        )  # fmt: skip
        lead = "" if origin == GIVEN else f"{origin}: "
        yield Check(FAIL, "profile", f"{lead}{case.shared.unknown(name)}", advice)


def _found(case: Case, shared: Shared, name: str, origin: str) -> Iterator[Check]:
    path, number = shared.place(name, KEY)
    named = name if origin == GIVEN else f"{name} ({origin})"
    where = f"{named}, line {number} of {path}"
    line = shared.keys(name).get(KEY, "")
    twice = shared.config.twice(name)
    if twice:
        yield Check(WARN, "profile", f"{twice}: botocore uses the last one, other tools may use "
                    "the first", "merge the two")  # fmt: skip
    try:
        cut = _cut_path(line)
        case.target = None if cut else of_profile(shared, name)
    except CredprocError as error:
        yield Check(OK, "profile", where)
        yield Check(FAIL, "command", str(error), _rewritten(shared, name))
        return
    if case.target is None:
        yield Check(FAIL, "profile", f"{where}, does not run credproc: the path {cut} contains "
                    "spaces, and ends at the first one",
                    f"put a backslash before each: {KEY} = {join([cut])} ...")  # fmt: skip
        return
    if case.target.line:
        yield Check(OK, "profile", where)
        if case.target.slip:
            yield Check(FAIL, "command", case.target.slip, _rewritten(shared, name))
        return
    runs = f"it runs {shown(split(line))}" if line else "it has no credential_process"
    yield Check(WARN, "profile", f"{where}, does not run credproc ({runs}); checking "
                f"`credproc --profile {name}`", wrapping.advice(shared, name))  # fmt: skip


def _rewritten(shared: Shared, name: str) -> str:
    """Return where to correct the line."""
    path, number = shared.place(name, KEY)
    return f"edit {path} below line {number}"


def _cut_path(line: str) -> str:
    """Return the path of credproc in the line, if it is correct but for missing quotes."""
    words = split(line) if line else []
    for count in range(2, len(words) + 1):
        path = " ".join(words[:count])
        if credproc_arguments([path]) is not None and os.path.isfile(path):
            return path
    return ""


def precedence(case: Case) -> Iterator[Check]:
    """Check what comes before the profile."""
    target = case.target
    sources = [each.source for each in target.request.providers if isinstance(each, Chain)] if (
        target
    ) else []  # fmt: skip
    key = case.environ.get("AWS_ACCESS_KEY_ID")
    if key and "env" not in sources:
        yield Check(WARN, "environment", "AWS_ACCESS_KEY_ID is set: tools use those keys, unless "
                    "they are given --profile", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY "
                    "AWS_SESSION_TOKEN")  # fmt: skip
    else:
        yield Check(OK, "environment", "no keys that would override a profile" if not key else
                    "its keys are the source of the chain")  # fmt: skip
    if case.shared is None or target is None or not target.line:
        return
    rivals = case.shared.rivals(target.profile)
    for rival in rivals:
        yield Check(FAIL, "profile's keys", f"{target.profile} has {rival}",
                    "remove it, or use another profile for credproc")  # fmt: skip
    if not rivals:
        yield Check(OK, "profile's keys", "none that override credential_process or conflict "
                    "with it")  # fmt: skip


def command(case: Case) -> Iterator[Check]:
    """Check the command line."""
    target = case.target
    if target is None:
        return
    request = target.request
    yield Check(OK, "command", target.words)
    try:
        recursion.check(request, {recursion.VARIABLE: target.profile if target.line else ""})
    except CredprocError as error:
        yield Check(FAIL, "command", str(error))
    if request.field or request.format != "process":
        yield Check(FAIL, "command", "--format and --field: tools need the JSON document",
                    "remove them from the profile")  # fmt: skip
    if request.refresh or request.no_cache:
        option = "--refresh" if request.refresh else "--no-cache"
        yield Check(WARN, "command", f"{option} fetches new credentials at every run", "remove it")
    if request.verbose:
        yield Check(WARN, "command", "--verbose: some SDKs take text on stderr for the document",
                    "set CREDPROC_LOG instead")  # fmt: skip
    if request.timeout >= GO_PATIENCE:
        yield Check(WARN, "command", f"--timeout {request.timeout:g}: the SDKs for Go give up "
                    f"after {GO_PATIENCE} s", f"use less than {GO_PATIENCE}")  # fmt: skip
    for hop in request.chain().hops if any(isinstance(p, Chain) for p in request.providers) else []:
        if 0 < hop.duration_seconds <= 2 * SIGNING:
            yield Check(WARN, "command", f"--duration-seconds {hop.duration_seconds}: botocore "
                        "runs credproc at every request while less than 15 min are left",
                        "use 3600 or more")  # fmt: skip


def path(case: Case) -> str:
    """Return the program that the profile names, "" if none does."""
    if case.target is None or not case.target.line:
        return ""
    words = split(case.target.line)
    return words[0] if credproc_arguments(words[:1]) is not None else ""
