"""credprocctl profile: the credential_process line of a profile, written and removed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import headers, limits, recursion
from credproc.ctl import (
    arguments,
    changing,
    commandline,
    configfile,
    iam,
    machine,
    profile_show,
    profile_wrap,
    rewriting,
    trying,
    wrapping,
)
from credproc.ctl.configfile import ConfigFile
from credproc.ctl.output import Result
from credproc.ctl.rewriting import Unwritable
from credproc.ctl.shared import KEY, Shared, parsed, rivals
from credproc.ctl.steps import Steps
from credproc.ctl.wrapping import Files
from credproc.errors import RequestError, UsageError
from credproc.providers import check
from credproc.request import GO_PATIENCE, Profile

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.request import Request

EPILOG = """\
example:
  credprocctl profile add app --from-role app
  credprocctl profile add dev-cached -- --profile dev
  credprocctl profile remove app
"""

#: What a profile takes along from the one behind its cache.
TAKEN_ALONG = ("region", "output")


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
    made.epilog = EPILOG
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
    profile_show.add(parts)
    profile_wrap.add(parts)
    made = arguments.command(
        parts, "remove", removed, "remove credproc from a profile",
        "Only the line is removed, with what `profile add` wrote beside it; if nothing else is "
        "left of the profile, the profile is removed, too.",
    )  # fmt: skip
    made.epilog = EPILOG
    arguments.value(made, arguments.PROFILE, "name", metavar="NAME", help="the profile")
    arguments.changes(made, question=False)


def added(given: argparse.Namespace, console: Console) -> Result:
    """Write the profile's line."""
    name: str = given.name
    _check_name(name)
    argv = [*_from_role(given.from_role), *(given.options or [])]
    asked = parsed(argv)
    notes = _check(name, asked)
    check(machine.run(given), asked)
    shared = Shared(os.environ)
    _check_header(name, shared)
    notes += _unknown(asked, shared)
    _check_region(given.region)
    line = commandline.join([commandline.executable(given.executable, os.environ), *argv])
    wanted = {KEY: line, **({"region": given.region} if given.region else {})}
    wanted |= _taken_along(name, asked, shared, wanted)
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        notes.append("AWS_ACCESS_KEY_ID is set here, and beats every profile: unset it")

    def change(config: ConfigFile) -> ConfigFile | None:
        return _written(config, shared.credentials, name, wanted, given.replace)

    problem = ""
    with Steps(console, given.dry_run) as steps:
        try:
            changing.change(shared.config_path, f"profile {name}", "written to", change, steps)
        except Unwritable as error:
            problem = str(error)
            notes.insert(0, f"{problem}; add these lines by hand")
    for note in notes:
        console.note(note)
    text = "".join(f"{key} = {value}\n" for key, value in wanted.items())
    if problem:
        text = f"[{configfile.header(name)}]\n{text}"
    elif not given.dry_run:
        region = wanted.get("region") or shared.keys(name).get("region", "")
        text += f"Try it: {trying.command(given, asked, region)}\n"
    data = {
        "profile": name,
        "file": shared.config_path,
        **wanted,
        "notes": notes,
        "problem": problem,
        "dry_run": given.dry_run,
        "steps": steps.data(),
    }
    return Result(text, data, 1 if problem else 0)


def _taken_along(
    name: str, asked: Request, shared: Shared, wanted: dict[str, str]
) -> dict[str, str]:
    """Return region and output of the profile behind the cache, as far as none are given."""
    first = asked.providers[0]
    if not isinstance(first, Profile):
        return {}
    have, behind = {**shared.keys(name), **wanted}, shared.keys(first.name)
    return {key: behind[key] for key in TAKEN_ALONG if behind.get(key) and key not in have}


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
            shown = commandline.line_shown(held) if key == KEY else held
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


def _check_header(name: str, shared: Shared) -> None:
    """Refuse a profile that is there under a header that tools do not read."""
    if shared.config.section(name) is None:
        near = headers.near(shared.config_path, shared.credentials_path, name)
        if near is not None and near.same:
            raise RequestError(f"profile {name} already has a header, which is wrong: {near}")


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
        if Profile(name) in asked.providers:
            raise RequestError(
                f"profile {name} cannot have a cache of itself: `credprocctl profile wrap {name}` "
                f"renames it to {name}{wrapping.SUFFIX} and puts the cache in front of that"
            )
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
    names = dict.fromkeys(recursion.profiles(asked))
    missing = [name for name in names if name not in shared.profiles()]
    return [f"there is no profile {name} yet, and credproc fails without it" for name in missing]


def removed(given: argparse.Namespace, console: Console) -> Result:
    """Remove the profile's line."""
    name: str = given.name
    shared = Shared(os.environ)

    def change(config: ConfigFile) -> ConfigFile | None:
        line = config.keys(name).get(KEY)
        if line is None:
            raise RequestError(f"profile {name} has no credential_process in {config.path}")
        if commandline.credproc_arguments(commandline.split(line)) is None:
            other = commandline.line_shown(line)
            raise RequestError(f"profile {name} does not run credproc, but {other}")
        before = ConfigFile(rewriting.original(config.path) or b"", config.path)
        source = wrapping.behind(Files(config, shared.credentials), name)
        if source == name + wrapping.SUFFIX and before.section(source) is None:
            raise RequestError(
                f"profile {name} was wrapped: `credprocctl profile unwrap {name}` restores it"
            )
        return _undone(config, name, before)

    with Steps(console, given.dry_run) as steps:
        changing.change(shared.config_path, f"profile {name}", "removed from", change, steps)
    data = {"profile": name, "file": shared.config_path, "dry_run": given.dry_run,
            "steps": steps.data()}  # fmt: skip
    return Result("", data)


def _undone(config: ConfigFile, name: str, before: ConfigFile) -> ConfigFile:
    """Return the config as it was before the line, as far as the user's original tells."""
    helper = before.keys(name).get(KEY, "")
    if helper and "\n" not in helper and not commandline.runs_credproc(helper):
        return config.with_value(name, KEY, helper)
    section, was = config.section(name), before.section(name)
    keys = [item.name for item in section.items] if section else []
    # A section that `add` made has the line first, and below it no more than it takes along.
    made = was is None and keys[0] == KEY and set(keys[1:]) <= set(TAKEN_ALONG)
    return config.without(name, *(keys if made else [KEY]), empty=was is not None)
