"""Wrapping profiles: the changes to the shared files that put the cache in front, and the undo.

The section of NAME is renamed to NAME-source and keeps every line; a new section NAME, above it,
runs credproc for it. Undoing that removes the new section and renames the old one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import recursion, request
from credproc.ctl import commandline
from credproc.ctl.edits import Edits
from credproc.ctl.shared import KEY, RIVALS, Shared, parsed, rivals
from credproc.errors import CredprocError, RequestError
from credproc.slips import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


#: The default suffix of a profile that was wrapped.
SUFFIX = "-source"

#: Keys of a profile, besides access keys, that say where credentials come from.
DESCRIBING = {*RIVALS, KEY}.difference(KEYS, ("source_profile", "credential_source"))
#: Parameters of a role or of access keys, which have no effect without them.
PARAMETERS = {
    "aws_security_token", "duration_seconds", "external_id", "mfa_serial", "role_session_name",
}  # fmt: skip
REFERENCE = "source_profile"


def cached_by(files: Shared, name: str) -> str:
    """Return the profile that a profile caches, "" if it runs anything else."""
    argv = commandline.credproc_line(files.config.keys(name).get(KEY, ""))
    try:
        providers = parsed(argv).providers if argv is not None else []
    except CredprocError:
        return ""
    first = providers[0] if len(providers) == 1 else None
    return first.name if isinstance(first, request.Profile) else ""


def check(files: Shared, name: str, source: str) -> None:
    """Raise RequestError, with the reason, if a profile cannot be wrapped."""
    if not files.has(name):
        raise files.unknown(name)
    twice = files.config.twice(name)
    if twice:
        raise RequestError(f"{twice}: merge them by hand first")
    values = files.keys(name)
    if commandline.runs_credproc(values.get(KEY, "")):
        raise RequestError(f"profile {name} already runs credproc")
    if files.has(source):
        raise RequestError(f"a profile {source} already exists: choose another --suffix")
    describes = any(values.get(key) for key in DESCRIBING)
    if describes and any(key in files.credentials.keys(name) for key in KEYS):
        raise RequestError(
            f"profile {name} has keys in {files.credentials.path} and also other credentials, and "
            "tools differ in which they use: move the keys to a profile of their own"
        )
    if describes:
        _check_sources(files, name)
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


def advice(files: Shared, name: str) -> str:
    """Return how to cache what a profile describes, or why that cannot be done."""
    try:
        check(files, name, name + SUFFIX)
    except RequestError as error:
        return str(error)
    return f"`credprocctl profile wrap {name}` puts the cache in front of it"


def _check_sources(files: Shared, name: str) -> None:
    """Raise if a source profile is missing, directly or further on: the profile does not work."""
    chain = [name]
    while True:
        values = files.keys(chain[-1])
        below = values.get(REFERENCE)
        if "role_arn" not in values or not below:
            return
        if not files.has(below):
            raise RequestError(
                f"profile {name} does not work: {below}, the source_profile of {chain[-1]}, does "
                "not exist"
            )
        if below in chain:
            return  # its own keys are the source, or credproc reports the loop
        chain.append(below)


def wrapped(files: Shared, lines: Mapping[str, str], suffix: str) -> Shared:
    """Return the files with the profiles wrapped; ``lines`` are their new lines, by profile.

    If a profile was wrapped before, an interrupted change is completed.
    """
    caches = _caches(files, suffix)
    edits = [Edits(file) for file in files]
    for name, line in lines.items():
        if name + suffix not in caches:
            _add_cache(edits[0], files, name, line)
        for each, is_config in zip(edits, (True, False), strict=True):
            section = each.file.section(name)
            if section is not None and (name + suffix not in caches or not is_config):
                each.rename(section, name + suffix, is_config)
    new = {name: name + suffix for name in lines}
    every = {**{name: source for source, name in caches.items()}, **new}
    for user, target in _references(files):
        # A wrapped profile's source starts from another source, and users of keys keep using them.
        if (user in new or user in caches) and target in every:
            _set_source(edits, user, every[target])
        elif target in new and _has_keys(files, target):
            _set_source(edits, user, new[target])
    changed = Shared(*(each.made() for each in edits))
    for name in lines:
        if rivals(changed, name):
            raise RequestError(
                f"profile {name} inherits credentials from [DEFAULT]: edit it by hand"
            )
    return changed


def is_whole(files: Shared, name: str) -> bool:
    """Whether nothing is left to do for a profile that was wrapped."""
    return not any(key in files.credentials.keys(name) for key in DESCRIBING)


def unwrapped(files: Shared, names: Iterable[str], suffix: str) -> Shared:
    """Return the files as they were before, with later changes of settings."""
    caches = _caches(files, suffix)
    sources = {name + suffix: name for name in names}
    for source, name in sources.items():
        if not any(each.has(source) for each in files) and not files.credentials.has(name):
            raise RequestError(f"profile {source}, which {name} caches, does not exist")
    _check_users(files, sources)
    edits = [Edits(file) for file in files]
    for user, target in _references(files):
        if target in sources:
            _set_source(edits, user, sources[target])
        elif user in sources and target in caches and not _has_keys(files, target):
            _set_source(edits, user, caches[target])
    for source, name in sources.items():
        _remove_cache(edits, files, name, source)
    changed = Shared(*(each.made() for each in edits))
    for name in [name for source, name in sources.items() if not files.config.has(source)]:
        keys = files.config.keys(name)
        changed = Shared(changed.config.without(name, *keys), changed.credentials)
    for source, name in sources.items():
        changed = _with_changes(changed, name, _changes_since(files, name, source))
    return changed


def _changes_since(files: Shared, name: str, source: str) -> dict[str, str]:
    """Return the settings of a cache that differ from those of its source."""
    before = files.keys(source) or files.credentials.keys(name)
    return {
        key: value for key, value in files.config.keys(name).items()
        if key != KEY and before.get(key) != value
    }  # fmt: skip


def _references(files: Shared) -> Iterator[tuple[str, str]]:
    """Yield the profiles that have a source_profile, each with that."""
    for user in files.profiles():
        target = files.keys(user).get(REFERENCE)
        if target:
            yield user, target


def _has_keys(files: Shared, profile: str) -> bool:
    return any(key in files.keys(profile) for key in KEYS)


def _caches(files: Shared, suffix: str) -> dict[str, str]:
    """Return the profiles that were wrapped, by the name of the renamed section."""
    found = {cached_by(files, name): name for name in files.config.profiles()}
    return {source: name for source, name in found.items() if source == name + suffix}


def _copies(files: Shared, name: str) -> dict[str, list[str]]:
    """Return the lines of the settings that have nothing to do with credentials, by key."""
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
                found[item.name] = [line.removeprefix(item.indent).rstrip("\r\n") for line in lines]
    return found


def _add_cache(edits: Edits, files: Shared, name: str, line: str) -> None:
    """Add the section that runs credproc, above the old one or at the end of the config."""
    copies = _copies(files, name)
    keys = files.keys(name)
    values = {KEY: line, **{key: keys[key] for key in copies}}
    lines = [f"{KEY} = {line}", *(each for group in copies.values() for each in group)]
    section = files.config.section(name)
    if section is None:
        edits.append(name, values, lines)
    else:
        edits.insert_above(section, values, lines)


def _remove_cache(edits: Sequence[Edits], files: Shared, name: str, source: str) -> None:
    """Remove the section that runs credproc, and give the old section its header back."""
    cache, section = files.config.section(name), files.config.section(source)
    if cache is not None and section is not None:
        edits[0].remove(cache)
        edits[0].retitle(section, cache)
    own = files.credentials.section(source)
    if own is not None:
        edits[1].rename(own, name, is_config=False)


def _set_source(edits: Sequence[Edits], user: str, target: str) -> None:
    """Give a profile another source_profile, in each file that has one."""
    for each in edits:
        section = each.file.section(user)
        if section is not None and any(item.name == REFERENCE for item in section.items):
            each.set(section, REFERENCE, target)


def _with_changes(files: Shared, name: str, since: Mapping[str, str]) -> Shared:
    """Return the files with the settings that were changed in the new section."""
    for key, value in since.items():
        if "\n" in value:
            raise RequestError(
                f"{key} of profile {name} was changed to several lines: move it to the old section "
                "by hand"
            )
        if key in files.credentials.keys(name):
            files = Shared(files.config, files.credentials.with_value(name, key, value))
        else:
            files = Shared(files.config.with_value(name, key, value), files.credentials)
    return files


def _check_users(files: Shared, sources: Mapping[str, str]) -> None:
    """Raise if another profile runs credproc for a profile that would be renamed."""
    for user in files.config.profiles():
        argv = commandline.credproc_line(files.config.keys(user).get(KEY, ""))
        if argv is None:
            continue
        try:
            used = [each for each in recursion.profiles(parsed(argv)) if each in sources]
        except CredprocError:
            continue
        if used and sources[used[0]] != user:
            raise RequestError(f"profile {user} runs credproc for {used[0]}: change that first")
