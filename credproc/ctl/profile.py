"""credprocctl profile add and remove: write and remove a profile's credential_process line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import headers, limits, recursion, regions
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
from credproc.ctl.shared import KEY, Shared, load, parsed, rivals
from credproc.ctl.steps import Steps
from credproc.errors import RequestError, UsageError
from credproc.providers import check
from credproc.request import GO_PATIENCE, Profile

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.request import Request

EXAMPLES = """\
credprocctl profile add app --from-role app
credprocctl profile add dev-cached -- --profile dev
credprocctl profile remove app"""

#: The settings that a new profile copies from the profile that it caches.
COPIED = ("region", "output")


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    parts = arguments.group(commands, "profile", "profiles that run credproc")
    made = arguments.command(
        parts, "add", added, "make a profile run credproc",
        "Writes the profile to ~/.aws/config (or AWS_CONFIG_FILE) and leaves the rest of the file "
        "unchanged. The options after -- are passed to credproc; the default is the EC2 "
        "instance's role.",
        example=EXAMPLES,
        takes_options=True,
    )  # fmt: skip
    made.usage = f"%(prog)s [OPTION ...] NAME [{arguments.OPTIONS}]"
    made.add_argument(
        "name",
        metavar="NAME",
        help="the profile; `default` is the one that tools use if none is named",
    )
    made.add_argument(
        "--from-role", metavar="ROLE",
        help="accept only this role of the instance (the same as -- --imds ROLE)",
    )  # fmt: skip
    arguments.executable(made)
    made.add_argument(
        "--region", help="the region that tools use with this profile (default: as configured)"
    )
    made.add_argument(
        "--replace", action="store_true",
        help="replace an existing credential_process or region",
    )  # fmt: skip
    arguments.changes(made, question=False)
    profile_show.add(parts)
    profile_wrap.add(parts)
    made = arguments.command(
        parts, "remove", removed, "remove credproc from a profile",
        "Removes the credential_process line and what `profile add` wrote with it, and the profile "
        "itself if nothing else is left of it.",
        example=EXAMPLES,
    )  # fmt: skip
    arguments.value(made, arguments.PROFILE, "name", metavar="NAME", help="the profile")
    arguments.changes(made, question=False)


def added(given: argparse.Namespace, console: Console) -> Result:
    """Write the profile's line."""
    name: str = given.name
    _check("NAME:", limits.profile_name(name))
    argv = [*_from_role(given.from_role), *(given.options or [])]
    request = parsed(argv)
    notes = _check_options(name, request)
    check(machine.run(given), request)
    shared = load(os.environ)
    _check_header(name, shared)
    notes += [*_unknown(request, shared), *_odd_region(given.region)]
    line = commandline.join([commandline.executable(given.executable, os.environ), *argv])
    wanted = {KEY: line, **({"region": given.region} if given.region else {})}
    wanted |= _copied(name, request, shared, wanted)
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        notes.append(
            "AWS_ACCESS_KEY_ID is set: tools use those keys unless they are given --profile; unset "
            "it"
        )

    def change(config: ConfigFile) -> ConfigFile | None:
        return _written(config, shared.credentials, name, wanted, given.replace)

    problem = ""
    with Steps(console, given.dry_run) as steps:
        try:
            changing.change(shared.config.path, f"profile {name}", "written to", change, steps)
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
        text += f"Try it: {trying.command(given, request, region)}\n"
    data = {
        "profile": name,
        "file": shared.config.path,
        **wanted,
        "notes": notes,
        "problem": problem,
        "dry_run": given.dry_run,
        "steps": steps.data(),
    }
    return Result(text, data, 1 if problem else 0)


def _copied(name: str, request: Request, shared: Shared, wanted: dict[str, str]) -> dict[str, str]:
    """Return region and output of the profile that is cached, unless they are set already."""
    first = request.providers[0]
    if not isinstance(first, Profile):
        return {}
    present, source = {**shared.keys(name), **wanted}, shared.keys(first.name)
    return {key: source[key] for key in COPIED if source.get(key) and key not in present}


def _written(
    config: ConfigFile, credentials: ConfigFile, name: str, wanted: dict[str, str], replace: bool
) -> ConfigFile | None:
    """Return the config with the profile's lines, None if they are there already."""
    others = rivals(Shared(config, credentials), name)
    if others:
        raise RequestError(
            f"profile {name} has {' and '.join(others)}: remove that, or choose another name"
        )
    changed = config
    for key, value in wanted.items():
        present = config.keys(name).get(key)
        if present == value:
            continue
        if present is not None and not replace:
            shown = commandline.line_shown(present) if key == KEY else present
            raise RequestError(
                f"profile {name} already has a {key} ({shown}): add --replace, or choose another "
                "name"
            )
        changed = changed.with_value(name, key, value)
    return None if changed is config else changed


def _check(what: str, problem: str) -> None:
    if problem:
        raise RequestError(f"{what} {problem}")


def _odd_region(region: str | None) -> list[str]:
    """Refuse what cannot be a region; return a warning about one that is not known."""
    if region is None:
        return []
    _check("--region:", limits.sts_region(region))
    return [each for each in (regions.unknown(region),) if each]


def _check_header(name: str, shared: Shared) -> None:
    """Refuse a profile that exists under a header that tools do not read."""
    if shared.config.section(name) is None:
        near = headers.near(shared.config.path, shared.credentials.path, name)
        if near is not None and near.same:
            raise RequestError(f"profile {name} already has a header, but it is wrong: {near}")


def _from_role(role: str | None) -> list[str]:
    if role is None:
        return []
    iam.check(role)
    return ["--imds", role]


def _check_options(name: str, request: Request) -> list[str]:
    """Refuse options that cannot work in a credential_process; return warnings about others."""
    if request.field or request.format != "process":
        raise UsageError("--format and --field: tools that read a profile need the JSON document")
    if request.verbose:
        raise UsageError("--verbose: some tools take the text on stderr for credentials; set "
                         "CREDPROC_LOG instead")  # fmt: skip
    if name in recursion.profiles(request):
        if Profile(name) in request.providers:
            raise RequestError(
                f"profile {name} cannot cache itself: `credprocctl profile wrap {name}` renames it "
                f"to {name}{wrapping.SUFFIX} and puts the cache in front of that"
            )
        raise RequestError(
            f"profile {name} would lead back to itself: name another profile after --"
        )
    notes = []
    if request.refresh or request.no_cache:
        option = "--refresh" if request.refresh else "--no-cache"
        notes.append(f"{option} in a profile fetches new credentials at every run")
    if request.timeout >= GO_PATIENCE:
        notes.append(
            f"--timeout {request.timeout:g}: the SDKs for Go give up after {GO_PATIENCE} s"
        )
    return notes


def _unknown(request: Request, shared: Shared) -> list[str]:
    """Return warnings about profiles that the options name and neither file has."""
    names = dict.fromkeys(recursion.profiles(request))
    missing = [name for name in names if name not in shared.profiles()]
    return [f"there is no profile {name} yet, and credproc fails without it" for name in missing]


def removed(given: argparse.Namespace, console: Console) -> Result:
    """Remove the profile's line."""
    name: str = given.name
    shared = load(os.environ)

    def change(config: ConfigFile) -> ConfigFile | None:
        line = config.keys(name).get(KEY)
        if line is None:
            if not shared.has(name):
                raise shared.unknown(name)
            raise RequestError(f"profile {name} has no credential_process in {config.path}")
        if commandline.credproc_arguments(commandline.split(line)) is None:
            other = commandline.line_shown(line)
            raise RequestError(f"profile {name} does not run credproc, but {other}")
        before = ConfigFile(rewriting.original(config.path) or b"", config.path)
        source = wrapping.cached_by(Shared(config, shared.credentials), name)
        if source == name + wrapping.SUFFIX and before.section(source) is None:
            raise RequestError(
                f"profile {name} was wrapped: `credprocctl profile unwrap {name}` restores it"
            )
        return _undone(config, name, before)

    with Steps(console, given.dry_run) as steps:
        changing.change(shared.config.path, f"profile {name}", "removed from", change, steps)
    data = {"profile": name, "file": shared.config.path, "dry_run": given.dry_run,
            "steps": steps.data()}  # fmt: skip
    return Result("", data)


def _undone(config: ConfigFile, name: str, before: ConfigFile) -> ConfigFile:
    """Return the config without the line, with what the user's original file had instead."""
    helper = before.keys(name).get(KEY, "")
    if helper and "\n" not in helper and not commandline.runs_credproc(helper):
        return config.with_value(name, KEY, helper)
    section, was = config.section(name), before.section(name)
    keys = [item.name for item in section.items] if section else []
    # In a section that `add` created, the line comes first, and then only settings it copied.
    made = was is None and keys[0] == KEY and set(keys[1:]) <= set(COPIED)
    return config.without(name, *(keys if made else [KEY]), empty=was is not None)
