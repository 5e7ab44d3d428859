"""credprocctl profile: the credential_process line of a profile, written, shown and removed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import limits, recursion
from credproc.ctl import arguments, commandline, iam, trying
from credproc.ctl.configfile import ConfigFile
from credproc.ctl.output import Result
from credproc.ctl.plan import profile_of
from credproc.ctl.rewriting import rewriting
from credproc.ctl.shared import KEY, Shared, of_profile, parsed, read, rivals
from credproc.ctl.steps import Steps
from credproc.errors import CredprocError, RequestError, UsageError
from credproc.request import GO_PATIENCE

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.request import Request


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    parts = arguments.group(commands, "profile", "profiles that run credproc")
    made = arguments.command(
        parts, "add", added, "make a profile run credproc",
        "Writes credential_process into the shared config (AWS_CONFIG_FILE, else ~/.aws/config) "
        "and keeps everything else there as it is. The options behind -- are credproc's; without "
        "any, the instance's role is meant.",
        takes_options=True,
    )  # fmt: skip
    made.usage = f"%(prog)s [OPTION ...] NAME [{arguments.OPTIONS}]"
    made.add_argument("name", metavar="NAME", help="the profile; `default` is used by default")
    made.add_argument(
        "--from-role", metavar="ROLE",
        help="the instance's role, if it is ROLE (the same as -- --imds ROLE)",
    )  # fmt: skip
    arguments.value(
        made, arguments.FILE, "--executable", metavar="PATH",
        help="the credproc to run (default: the one beside this)",
    )  # fmt: skip
    made.add_argument(
        "--region", help="the region that tools use with this profile (default: as configured)"
    )
    made.add_argument(
        "--replace", action="store_true",
        help="replace a credential_process, or a region, that is there",
    )  # fmt: skip
    arguments.changes(made, question=False)
    made = arguments.command(parts, "show", shown, "show the profiles that run credproc, or one")
    arguments.value(made, arguments.PROFILE, "name", metavar="NAME", nargs="?", help="the profile")
    made = arguments.command(
        parts, "remove", removed, "make a profile run credproc no longer",
        "Only the line goes; if nothing else is left of the profile, so does the profile.",
    )  # fmt: skip
    arguments.value(made, arguments.PROFILE, "name", metavar="NAME", help="the profile")
    arguments.changes(made, question=False)


def added(given: argparse.Namespace, console: Console) -> Result:
    """Write the profile's line."""
    name: str = given.name
    _check_name(name)
    argv = [*_from_role(given.from_role), *(given.options or [])]
    asked = parsed(argv)
    notes = _check(name, asked)
    shared = Shared(os.environ)
    notes += _unknown(asked, shared)
    _check_region(given.region)
    line = commandline.join([commandline.executable(given.executable, os.environ), *argv])
    wanted = {KEY: line, **({"region": given.region} if given.region else {})}
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        notes.append("AWS_ACCESS_KEY_ID is set here, and beats every profile: unset it")

    def change(config: ConfigFile) -> ConfigFile | None:
        return _written(config, shared.credentials, name, wanted, given.replace)

    with Steps(console, given.dry_run) as steps:
        _change(shared.config_path, f"profile {name}", "written to", change, steps)
    for note in notes:
        console.note(note)
    text = "".join(f"{key} = {value}\n" for key, value in wanted.items())
    if not given.dry_run:
        text += f"Try it: {trying.command(given, asked, shared)}\n"
    data = {
        "profile": name,
        "file": shared.config_path,
        **wanted,
        "notes": notes,
        "dry_run": given.dry_run,
        "steps": steps.data(),
    }
    return Result(text, data)


def _written(
    config: ConfigFile, credentials: ConfigFile, name: str, wanted: dict[str, str], replace: bool
) -> ConfigFile | None:
    """Return the config with the profile's lines, None if they are there already."""
    others = rivals(config, credentials, name)
    if others:
        raise RequestError(
            f"profile {name} has {' and '.join(others)}: remove that, or choose another name"
        )
    changed = config
    for key, value in wanted.items():
        held = config.keys(name).get(key)
        if held == value:
            continue
        if held is not None and not replace:
            shown = _shown(held) if key == KEY else held
            raise RequestError(
                f"profile {name} has a {key} already ({shown}): --replace it, or choose another "
                "name"
            )
        changed = changed.with_value(name, key, value)
    return None if changed is config else changed


def _check_name(name: str) -> None:
    problem = limits.profile_name(name)
    if problem:
        raise RequestError(f"the profile's name {problem}")


def _check_region(region: str | None) -> None:
    problem = "" if region is None else limits.sts_region(region)
    if problem:
        raise UsageError(f"--region: {problem}")


def _from_role(role: str | None) -> list[str]:
    if role is None:
        return []
    iam.check(role)
    return ["--imds", role]


def _check(name: str, asked: Request) -> list[str]:
    """Refuse options that no credential_process can have; return what else is to be said."""
    if asked.field or asked.format != "process":
        raise UsageError("--format and --field: consumers of a profile want the whole document")
    if asked.verbose:
        raise UsageError("--verbose: some consumers take what is on stderr for credentials; set "
                         "CREDPROC_LOG instead")  # fmt: skip
    if name in recursion.profiles(asked):
        raise RequestError(
            f"profile {name} would lead back to itself: let credproc read another profile"
        )
    notes = []
    if asked.refresh or asked.no_cache:
        notes.append("--refresh and --no-cache in a profile ask AWS anew at every run")
    if asked.timeout >= GO_PATIENCE:
        notes.append(f"--timeout {asked.timeout:g}: the SDKs for Go give up after {GO_PATIENCE} s")
    return notes


def _unknown(asked: Request, shared: Shared) -> list[str]:
    """Return what is to be said of profiles that the options name and no file has."""
    names = dict.fromkeys(map(profile_of, asked.providers))
    missing = [name for name in names if name and name not in shared.profiles()]
    return [f"there is no profile {name} yet, and credproc fails without it" for name in missing]


def _change(path: str, subject: str, participle: str, change: Any, steps: Steps) -> None:
    """Change the file, under its lock, by what ``change`` makes of it; None means no change."""
    if not path:
        raise RequestError("there is no home directory to keep ~/.aws/config in: set HOME")
    if steps.dry_run:
        if change(read(path)) is None:
            steps.same(subject, f"stands in {path} already")
        else:
            steps.change(subject, f"{participle} {path}", lambda: None)
        return
    with rewriting(path) as file:
        changed = change(ConfigFile(file.data, path))
        if changed is None:
            steps.same(subject, f"stands in {path} already")
            return
        backup = steps.change(
            subject, f"{participle} {path}", lambda: file.replace(changed.encode())
        )
        if backup:
            steps.same("the file as it was", f"kept as {backup}")


def removed(given: argparse.Namespace, console: Console) -> Result:
    """Remove the profile's line."""
    name: str = given.name
    shared = Shared(os.environ)

    def change(config: ConfigFile) -> ConfigFile | None:
        line = config.keys(name).get(KEY)
        if line is None:
            raise RequestError(f"profile {name} has no credential_process in {config.path}")
        if commandline.credproc_arguments(commandline.split(line)) is None:
            raise RequestError(f"profile {name} does not run credproc, but {_shown(line)}")
        return config.without(name, KEY)

    with Steps(console, given.dry_run) as steps:
        _change(shared.config_path, f"profile {name}", "taken out of", change, steps)
    data = {"profile": name, "file": shared.config_path, "dry_run": given.dry_run,
            "steps": steps.data()}  # fmt: skip
    return Result("", data)


def shown(given: argparse.Namespace, console: Console) -> Result:
    """Show what the profiles run, and what is wrong with that."""
    shared = Shared(os.environ)
    if given.name:
        entry = _described(shared, given.name)
        return Result(console.pairs(_pairs(entry)), entry)
    names = [name for name in shared.profiles() if _is_ours(shared, name)]
    found = [_described(shared, name) for name in names]
    if not found:
        text = f"No profile in {shared.config_path} runs credproc; `credprocctl profile add`.\n"
        return Result(text, found)
    rows = [
        (each["profile"], "; ".join(each["problems"]) or "ok", each[KEY]) for each in found
    ]  # fmt: skip
    return Result(console.table(("PROFILE", "STATE", "COMMAND"), rows), found)


def _is_ours(shared: Shared, name: str) -> bool:
    try:
        words = commandline.split(shared.keys(name).get(KEY, ""))
    except RequestError:
        return False
    return commandline.credproc_arguments(words) is not None


def _described(shared: Shared, name: str) -> dict[str, Any]:
    problems = []
    line = shared.keys(name).get(KEY, "")
    try:
        target = of_profile(shared, name)
        if target.line:
            problems += _executable_problems(line)
            recursion.check(target.request, {recursion.VARIABLE: name})
    except UsageError as error:
        problems.append(str(error))
    except CredprocError as error:
        if name not in shared.profiles():
            raise
        problems.append(str(error))
    problems += [f"beaten or broken by {rival}" for rival in shared.rivals(name) if line]
    section = shared.config.section(name)
    return {
        "profile": name,
        "file": shared.config_path,
        "line": section.line + 1 if section else None,
        KEY: _shown(line),
        "runs_credproc": _is_ours(shared, name),
        "problems": problems,
    }


def _shown(line: str) -> str:
    try:
        return commandline.shown(commandline.split(line))
    except RequestError:
        return "(open quotes)"


def _executable_problems(line: str) -> list[str]:
    path = commandline.split(line)[0]
    if not os.path.isabs(path):
        return [f"{path} is no absolute path: cron and editors have another PATH"]
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return [f"{path} is not there, or cannot be run"]
    return []


def _pairs(entry: dict[str, Any]) -> list[tuple[str, str]]:
    name, line = entry["profile"], entry["line"]
    where = f"{entry['file']}, line {line}" if line else entry["file"]
    none = f"none; `credproc --profile {name}` would cache what it describes"
    return [
        ("profile", name),
        ("file", where),
        ("command", entry[KEY] or none),
        *(("problem", problem) for problem in entry["problems"]),
    ]
