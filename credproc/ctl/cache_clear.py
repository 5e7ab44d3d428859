"""credprocctl cache clear and prune: remove entries so that no run writes them again."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from credproc import sweep
from credproc.ctl import arguments, machine, sessions, shared
from credproc.ctl.cached import ANSWER, SESSION, Cached, cached, foreign, names, one
from credproc.ctl.output import Result
from credproc.ctl.steps import Failed, Steps
from credproc.ctl.usage import Usage
from credproc.errors import CredprocError, UsageError
from credproc.generation import CLEARED
from credproc.store import SWEEP, is_ours

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.store import Store

#: Seconds to wait for other processes to finish writing an entry.
PATIENCE = 5.0


def add(parts: Any) -> None:
    """Add the commands to those of ``cache``."""
    made = arguments.command(
        parts, "clear", clear, "remove entries, so that the next run fetches new credentials",
        "Give ids, a profile, or --all. An answer is removed with its sessions, and a session "
        "with everything that was made from it. Runs that have already started do not write the "
        "old credentials again.",
        example="credprocctl cache clear --profile dev\ncredprocctl cache clear --all --dry-run",
    )  # fmt: skip
    made.add_argument("id", metavar="ID", nargs="*", help="from `cache list`")
    arguments.value(
        made, arguments.PROFILE, "--profile", metavar="NAME",
        help="everything that this profile uses",
    )  # fmt: skip
    made.add_argument("--all", action="store_true", help="everything")
    arguments.changes(made, question=False)
    arguments.cache_dir(made)
    made = arguments.command(
        parts, "prune", prune, "remove entries that no run can use",
        "These are entries that have expired or cannot be read, and temporary files of killed "
        "runs. credproc itself also removes them: a day after an entry has expired, or after a "
        "week if it cannot be read.",
        example="credprocctl cache prune --dry-run",
    )  # fmt: skip
    arguments.changes(made, question=False)
    arguments.cache_dir(made)


def clear(given: argparse.Namespace, console: Console) -> Result:
    """Remove the selected entries."""
    _check(given)
    store = machine.store(given)
    # The entries are selected while no other process writes one.
    alone = contextlib.nullcontext() if given.dry_run else _clearing(store)
    with Steps(console, given.dry_run) as steps, alone:
        _clear(given, store, steps)
    data = {"path": store.path, "dry_run": given.dry_run, "steps": steps.data()}
    return Result("", data)


@contextlib.contextmanager
def _clearing(store: Store) -> Iterator[None]:
    """Keep other processes from writing entries; Failed if they do not stop."""
    with contextlib.ExitStack() as stack:
        try:
            if names(store):
                stack.enter_context(store.clearing(PATIENCE))
        except OSError as error:
            why = error.strerror or str(error)
            raise Failed(f"{store.path} could not be cleared: {why}") from error
        yield


def _check(given: argparse.Namespace) -> None:
    count = bool(given.id) + (given.profile is not None) + given.all
    if count != 1:
        only = "only one of these: " if count else ""
        raise UsageError(f"give {only}ids, --profile NAME, or --all")


def _clear(given: argparse.Namespace, store: Store, steps: Steps) -> None:
    chosen = _chosen(given, cached(store))
    for item in chosen:
        name = f"{item.id} ({item.described})"
        steps.change(name, "removed", partial(_remove, store, item.name))
    if not chosen:
        steps.same(store.path, "nothing to clear")


def _chosen(given: argparse.Namespace, items: list[Cached]) -> list[Cached]:
    """Return the entries to remove; RequestError for an id that is unknown or ambiguous."""
    if given.all:
        return items
    usage = Usage(items, partial(machine.run, given))
    if given.profile:
        return _with_sessions(usage, _of_profile(given, usage))
    named = [one(items, text) for text in given.id]
    later = [each for item in named if item.kind == SESSION for each in usage.made_from(item)]
    return _with_sessions(usage, [*named, *later])


def _with_sessions(usage: Usage, chosen: list[Cached]) -> list[Cached]:
    """Return these entries, the sessions of the answers among them, and each answer that needs one
    of these sessions."""
    removed = {item.name for item in chosen}
    for item in chosen:
        if item.kind == ANSWER:
            removed |= {each.name for each, _ in usage.needs(item)}
    for item in usage.answers:
        if any(each.name in removed for each, _ in usage.needs(item)):
            removed.add(item.name)
    return [item for item in usage.items if item.name in removed]


def _of_profile(given: argparse.Namespace, usage: Usage) -> list[Cached]:
    """Return what a profile uses, by today's config and by the cached answers."""
    needed: set[str] = set()
    problem: CredprocError | None = None
    try:
        target = shared.of_profile(shared.load(os.environ), given.profile)
        needed |= sessions.reachable(machine.run(given), target.argv)
    except CredprocError as error:
        problem = error  # what was cached for the profile before can still be cleared
    found = usage.of_profile(given.profile, needed)
    if problem and not found:
        raise problem
    return found


def _remove(store: Store, name: str) -> None:
    try:
        store.remove(name)
    except FileNotFoundError:
        pass  # another process removed it
    except OSError as error:
        raise Failed(error.strerror or str(error)) from error


def prune(given: argparse.Namespace, console: Console) -> Result:
    """Remove what no run can use."""
    store = machine.store(given)
    now = time.time()
    with Steps(console, given.dry_run) as steps:
        for name, why in _useless(store, now):
            if given.dry_run or _is_swept(store, name, now):
                steps.change(name, f"removed ({why})", lambda: None)
            else:
                steps.same(name, "not removed: in use, or this user may not remove it")
        if not steps.taken:
            steps.same(store.path, "nothing to remove")
        others = foreign(store)
        for name in others:
            steps.same(name, "not a credproc file, ignored")
    data = {
        "path": store.path,
        "dry_run": given.dry_run,
        "foreign": others,
        "steps": steps.data(),
    }
    return Result("", data)


def _useless(store: Store, now: float) -> list[tuple[str, str]]:
    """Return the files to remove and why: as the sweep does, but without waiting for a day."""
    troubles = {item.name: item.trouble for item in cached(store)}
    found = []
    for name in names(store):
        if is_ours(name) and name not in (SWEEP, CLEARED):
            why = sweep.useless(store, name, now, ended=0, unreadable=0)
            if why:
                found.append((name, troubles.get(name) or why))
    return found


def _is_swept(store: Store, name: str, now: float) -> bool:
    """Remove a file under its entry's lock, since another process may be replacing the entry.

    Return whether the file is gone.
    """
    removed = sweep.remove(store, name, now, ended=0, unreadable=0)
    return removed or name not in names(store)
