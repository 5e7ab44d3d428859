"""credprocctl cache clear and prune: entries removed under their locks."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from credproc import sweep
from credproc.ctl import arguments, machine, shared
from credproc.ctl.held import Held, described, foreign, held, listed, one, serves
from credproc.ctl.output import Result
from credproc.ctl.plan import Plan, plans
from credproc.ctl.steps import Failed, Steps
from credproc.errors import CredprocError, UsageError
from credproc.store import ENTRY, LOCK, SWEEP, is_ours, release

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.store import Store

#: Seconds that an entry in use is waited for: a run that refreshes it holds its lock.
PATIENCE = 5.0
PAUSE = 0.1


def add(parts: Any) -> None:
    """Add the commands to those of ``cache``."""
    made = arguments.command(
        parts, "clear", clear, "remove entries, so that the next run asks anew",
        "One or more by their ids, all that a profile uses (the roles and the source on its way, "
        "too), or all.",
    )  # fmt: skip
    made.add_argument("id", metavar="ID", nargs="*", help="as `cache list` shows it")
    arguments.value(
        made, arguments.PROFILE, "--profile", metavar="NAME", help="what this profile uses"
    )
    made.add_argument("--all", action="store_true", help="everything")
    arguments.changes(made, question=False)
    arguments.cache_dir(made)
    made = arguments.command(
        parts, "prune", prune, "remove what is of no use any more",
        "Entries that have expired or cannot be read, and what killed runs left behind. credproc "
        "does the same by itself, later.",
    )  # fmt: skip
    arguments.changes(made, question=False)
    arguments.cache_dir(made)


def clear(given: argparse.Namespace, console: Console) -> Result:
    """Remove the entries that are meant."""
    if bool(given.id) + bool(given.profile) + given.all != 1:
        raise UsageError("cache clear: give ids, --profile NAME, or --all")
    store = machine.store(given)
    items = held(store)
    if given.id:
        items = [one(items, text) for text in given.id]
    elif given.profile:
        items = _of_profile(items, given.profile)
    with Steps(console, given.dry_run) as steps:
        for item in items:
            name = f"{item.id} ({described(item) if item.entry else item.name})"
            steps.change(name, "removed", partial(_remove, store, item.name))
        if not items:
            steps.same(store.path, "holds nothing of that")
    data = {"path": store.path, "dry_run": given.dry_run, "steps": steps.data()}
    return Result("", data)


def _of_profile(items: list[Held], name: str) -> list[Held]:
    """Return what a profile uses: by what it says today, and by its name in what is held."""
    found: list[Plan] = []
    try:
        asked = shared.of_profile(shared.Shared(os.environ), name)
        found = plans(asked.request.providers)
    except CredprocError:
        pass  # it is gone, or in disorder; what has its name can be cleared all the same
    return [
        item for item in items if name in item.purpose.profiles() or (found and serves(item, found))
    ]


def _remove(store: Store, name: str) -> None:
    """Remove a file under its entry's lock; Failed if somebody else holds that all the time."""
    lock = _lock(store, name[:32] + LOCK)
    try:
        _unlink(store, name)
        if lock is not None and name[:32] + ENTRY not in listed(store):
            _unlink(store, name[:32] + LOCK)  # as only whoever holds a lock may
    finally:
        release(lock)


def _unlink(store: Store, name: str) -> None:
    try:
        store.remove(name)
    except FileNotFoundError:
        pass  # somebody else removed it
    except OSError as error:
        raise Failed(error.strerror or str(error)) from error


def _lock(store: Store, name: str) -> int | None:
    """Return the lock, once it is free; None where there can be none."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            lock = store.hold(name)
        except OSError:
            return None  # where there are no locks nothing can be protected by them
        if lock is not None:
            return lock
        if time.monotonic() >= end:
            raise Failed(f"another process holds its lock for more than {PATIENCE:g} s")
        time.sleep(PAUSE)


def prune(given: argparse.Namespace, console: Console) -> Result:
    """Remove what nobody can use."""
    store = machine.store(given)
    now = time.time()
    with Steps(console, given.dry_run) as steps:
        for name, why in _useless(store, now):
            steps.change(
                name, f"removed ({why})", partial(_remove, store, name)
            )  # fmt: skip
        if not steps.taken:
            steps.same(store.path, "nothing to remove")
        strangers = foreign(store)
        for name in strangers:
            steps.same(name, "not credproc's, and left alone")
    data = {
        "path": store.path,
        "dry_run": given.dry_run,
        "foreign": strangers,
        "steps": steps.data(),
    }
    return Result("", data)


def _useless(store: Store, now: float) -> list[tuple[str, str]]:
    """Return the files to remove, and why: as the sweep does, but without waiting a day or more."""
    troubles = {item.name: item.trouble for item in held(store)}
    found = []
    for name in listed(store):
        if is_ours(name) and name != SWEEP:
            why = sweep.useless(store, name, now, ended=0, unreadable=0)
            if why:
                found.append((name, troubles.get(name) or why))
    return found
