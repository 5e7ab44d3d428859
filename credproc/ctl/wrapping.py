"""Profiles that get the cache under their own names: how the shared files change, and back.

The section of NAME keeps every line and becomes NAME-source by its header alone; a new section
NAME, above it, runs credproc for that. So to undo it is to remove the one and to rename the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from credproc import recursion, request
from credproc.ctl import commandline
from credproc.ctl.configfile import KEY_LINE, header, line_end, quoted
from credproc.ctl.shared import KEY, RIVALS, parsed, rivals
from credproc.errors import CredprocError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credproc.ctl.configfile import ConfigFile, Item, Section

#: What is added to the name of a profile that gets a cache.
SUFFIX = "-source"

KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
#: What says, beside keys, where credentials come from.
DESCRIBING = {*RIVALS, KEY}.difference(KEYS, ("source_profile", "credential_source"))
#: What says how: it goes with a role or with keys, and is of no use without them.
PARAMETERS = {
    "aws_security_token", "duration_seconds", "external_id", "mfa_serial", "role_session_name",
}  # fmt: skip
REFERENCE = "source_profile"


class Files(NamedTuple):
    """Both shared files."""

    config: ConfigFile
    credentials: ConfigFile

    def keys(self, profile: str) -> dict[str, str]:
        """Return a profile's keys as the SDKs see them."""
        return {**self.config.keys(profile), **self.credentials.keys(profile)}

    def profiles(self) -> list[str]:
        """Return the names of all profiles."""
        return list(dict.fromkeys([*self.config.profiles(), *self.credentials.profiles()]))


def behind(files: Files, name: str) -> str:
    """Return the profile that a profile is a cache of, "" if it runs anything else."""
    try:
        words = commandline.split(files.config.keys(name).get(KEY, ""))
        argv = commandline.credproc_arguments(words)
        providers = parsed(argv).providers if argv is not None else []
    except CredprocError:
        return ""
    first = providers[0] if len(providers) == 1 else None
    return first.name if isinstance(first, request.Profile) else ""


def check(files: Files, name: str, source: str) -> None:
    """Raise RequestError, with the reason, if a profile cannot be wrapped."""
    if name not in files.profiles():
        raise RequestError(f"there is no profile {name} in {files.config.path}")
    values = files.keys(name)
    if commandline.runs_credproc(values.get(KEY, "")):
        raise RequestError(f"profile {name} runs credproc already")
    if source in files.profiles():
        raise RequestError(f"there is a profile {source} already: choose another --suffix")
    describes = any(values.get(key) for key in DESCRIBING)
    if describes and any(key in files.credentials.keys(name) for key in KEYS):
        raise RequestError(
            f"profile {name} has keys in {files.credentials.path} and other credentials besides, "
            "of which tools do not all choose the same: give the keys a profile of their own"
        )
    if describes:
        return
    if "aws_session_token" in values:
        raise RequestError(
            f"profile {name} has temporary keys, written by another tool: wrap a profile whose "
            "credential_process is that tool"
        )
    if any(key in values for key in KEYS):
        raise RequestError(
            f"profile {name} has long-term keys, which need no cache: wrap the profiles that "
            f"have source_profile = {name}"
        )
    raise RequestError(
        f"profile {name} does not say where credentials come from (role_arn, sso_session, "
        "credential_process, ...)"
    )


def wrapped(files: Files, name: str, source: str, line: str) -> Files:
    """Return the files with NAME as a cache, by this credential_process, of NAME's old section."""
    section = files.config.section(name)
    copies = _copies(files, name)
    values = {KEY: line, **{key: files.keys(name)[key] for key in copies}}
    if section is None:
        config = _appended(files.config, name, values, copies)
    else:
        config = _split(files.config, section, source, values, copies)
    changed = Files(config, _renamed(files.credentials, name, source))
    if rivals(*changed, name):
        raise RequestError(f"profile {name} inherits credentials from [DEFAULT]: edit it by hand")
    caches = _caches(changed, source.removeprefix(name))
    has_keys = any(key in changed.keys(source) for key in KEYS)
    for user in changed.profiles():
        target = changed.keys(user).get(REFERENCE)
        if target == name and (user == source or user in caches or has_keys):
            changed = _pointed(changed, user, source)
        elif user == source and target and caches.get(own := target + source[len(name) :]):
            changed = _pointed(changed, user, own)
    return changed


def completed(files: Files, name: str, source: str) -> Files | None:
    """Return the files with the rest of a change that was interrupted; None if it is whole."""
    if any(key in files.credentials.keys(name) for key in DESCRIBING):
        return Files(files.config, _renamed(files.credentials, name, source))
    return None


def unwrapped(files: Files, name: str, source: str) -> Files:
    """Return the files as they were before NAME was wrapped, with what was changed there since."""
    if not any(file.section(source) for file in files) and not files.credentials.section(name):
        raise RequestError(f"profile {source}, which {name} is a cache of, does not exist")
    _check_users(files, name, source)
    since = {
        key: value for key, value in files.config.keys(name).items()
        if key != KEY and files.keys(source).get(key) != value
    }  # fmt: skip
    caches = _caches(files, source.removeprefix(name))
    for user in files.profiles():
        target = files.keys(user).get(REFERENCE, "")
        if target == source:
            files = _pointed(files, user, name)
        elif user == source and target in caches and not set(KEYS) & set(files.keys(target)):
            files = _pointed(files, user, caches[target])
    config = _joined(files.config, name, source)
    files = Files(config, _renamed(files.credentials, source, name))
    for key, value in since.items():
        files = _kept(files, name, key, value)
    return files


def _caches(files: Files, suffix: str) -> dict[str, str]:
    """Return the profiles that are behind a cache, and the caches' names."""
    found = {behind(files, name): name for name in files.config.profiles()}
    return {source: name for source, name in found.items() if source == name + suffix}


def _copies(files: Files, name: str) -> dict[str, list[str]]:
    """Return the lines of the keys that have nothing to do with credentials, by key."""
    values = files.keys(name)
    gone = {*RIVALS, KEY}
    if any(key in values for key in ("role_arn", *KEYS)):
        gone |= PARAMETERS  # a helper may read them in its profile, under the old name
    found = {}
    for file in files:
        section = file.section(name)
        for item in section.items if section else []:
            if item.name not in gone and item.name[:4] != "sso_":
                lines = file.lines[item.first : item.after]
                found[item.name] = [_without_indent(line, item) for line in lines]
    return found


def _without_indent(line: str, item: Item) -> str:
    return line.removeprefix(item.indent).rstrip("\r\n")


def _appended(
    config: ConfigFile, name: str, values: dict[str, str], copies: dict[str, list[str]]
) -> ConfigFile:
    """Return the config with a new section at its end."""
    added = config.with_value(name, KEY, values[KEY])
    end = line_end(config.lines)
    text = "".join(added.lines) + ("" if added.lines[-1].endswith(end) else end)
    text += "".join(f"{line}{end}" for lines in copies.values() for line in lines)
    if not added.lines[-1].endswith(end):
        text = text.removesuffix(end)
    return config.checked([text], {header(name): values})


def _split(
    config: ConfigFile,
    section: Section,
    source: str,
    values: dict[str, str],
    copies: dict[str, list[str]],
) -> ConfigFile:
    """Return the config with the section under its new name, and a new one above it."""
    end = line_end(config.lines)
    head = config.lines[section.line]
    words = re.match(r"\S+\s+", section.header)
    renamed = f"{words[0]}{quoted(source)}" if words else header(source)
    indent = section.items[0].indent if section.items else section.indent
    block = [head.rstrip("\r\n"), f"{indent}{KEY} = {values[KEY]}"]
    block += [indent + line for lines in copies.values() for line in lines]
    lines = list(config.lines)
    lines[section.line : section.line + 1] = [
        *[line + end for line in [*block, ""]],
        head.replace(f"[{section.header}]", f"[{renamed}]"),
    ]
    return config.checked(lines, {section.header: values}, {section.header: renamed})


def _joined(config: ConfigFile, name: str, source: str) -> ConfigFile:
    """Return the config without the section of the cache, whose header the other one gets back."""
    cache, section = config.section(name), config.section(source)
    if cache is None or section is None:
        return config.without(name, *config.keys(name))
    gone = {cache.line, *(line for item in cache.items for line in range(item.first, item.after))}
    if not config.lines[max(gone) + 1].strip("\r\n"):
        gone.add(max(gone) + 1)
    head = config.lines[cache.line].rstrip("\r\n")
    lines = [line for number, line in enumerate(config.lines) if number not in gone]
    apart = config.checked(lines, {cache.header: dict.fromkeys(config.keys(name))})
    place = section.line - len([line for line in gone if line < section.line])
    old = lines[place]
    lines[place] = head + old[len(old.rstrip("\r\n")) :]
    return apart.checked(lines, {}, {section.header: cache.header})


def _renamed(credentials: ConfigFile, old: str, new: str) -> ConfigFile:
    """Return the credentials file with another name for a profile's section, if there is one."""
    section = credentials.section(old)
    if section is None:
        return credentials
    lines = list(credentials.lines)
    lines[section.line] = lines[section.line].replace(f"[{old}]", f"[{new}]")
    return credentials.checked(lines, {}, {old: new})


def _pointed(files: Files, user: str, target: str) -> Files:
    """Return the files with another source_profile, in the one or both that have it."""
    return Files(*(_pointed_in(file, user, target) for file in files))


def _pointed_in(file: ConfigFile, user: str, target: str) -> ConfigFile:
    section = file.section(user)
    item = (
        next((each for each in section.items if each.name == REFERENCE), None) if section else None
    )
    if section is None or item is None:
        return file
    lines = list(file.lines)
    match = KEY_LINE.fullmatch(lines[item.first])
    if match is None or item.after != item.first + 1:
        raise RequestError(
            f"{file.path}: the {REFERENCE} of {user} is not one line: edit it by hand"
        )
    value = match[4].strip()
    lines[item.first] = "".join(match.group(1, 2, 3)) + match[4].replace(value, target, 1)
    return file.checked(lines, {section.header: {REFERENCE: target}})


def _kept(files: Files, name: str, key: str, value: str) -> Files:
    """Return the files with what was changed in the cache's section since."""
    if "\n" in value:
        raise RequestError(f"{key} of profile {name} has changed since: edit it by hand")
    if key in files.credentials.keys(name):
        return Files(files.config, files.credentials.with_value(name, key, value))
    return Files(files.config.with_value(name, key, value), files.credentials)


def _check_users(files: Files, name: str, source: str) -> None:
    """Raise if another profile runs credproc for the one that is to lose its name."""
    users = [user for user in _users(files, source) if user != name]
    if users:
        raise RequestError(f"profile {users[0]} runs credproc for {source}: change that first")


def _users(files: Files, source: str) -> Iterator[str]:
    for user in files.config.profiles():
        line = files.config.keys(user).get(KEY, "")
        if commandline.runs_credproc(line):
            argv = commandline.credproc_arguments(commandline.split(line)) or []
            try:
                if source in recursion.profiles(parsed(argv)):
                    yield user
            except CredprocError:
                continue
