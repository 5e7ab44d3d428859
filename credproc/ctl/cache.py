"""credprocctl cache: what credproc holds, and clearing it. Never a secret."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from credproc.ctl import arguments, cache_clear, identity, machine
from credproc.ctl.held import (
    STATES,
    Held,
    described,
    foreign,
    held,
    on_the_way,
    one,
    renewal,
    when,
)
from credproc.ctl.output import Result, legible, span
from credproc.ctl.plan import Plan, plans

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from credproc import cache
    from credproc.ctl.output import Console


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    parts = arguments.group(commands, "cache", "the credentials that credproc holds")
    made = arguments.command(
        parts, "list", listed, "list what is held, and for which request",
        "The roles and the source on the way of a chain stand below it.",
    )  # fmt: skip
    arguments.cache_dir(made)
    made = arguments.command(parts, "show", show, "show an entry: times, roles on its way, failure")
    made.add_argument("id", metavar="ID", help="as `cache list` shows it")
    arguments.cache_dir(made)
    cache_clear.add(parts)
    made = arguments.command(parts, "path", path, "print the cache directory")
    arguments.cache_dir(made)


def path(given: argparse.Namespace, _: Console) -> Result:
    """Print where the cache is."""
    found = machine.store(given).path
    return Result(f"{found}\n", {"path": found, "exists": os.path.isdir(found)})


def listed(given: argparse.Namespace, console: Console) -> Result:
    """List the entries, those on the way of a chain below the chain."""
    place = machine.store(given)
    now = time.time()
    items = held(place)
    strangers = foreign(place)
    data = {
        "path": place.path,
        "entries": [item.data(now) for item in items],
        "foreign": strangers,
    }
    if not items and not strangers:
        return Result(f"{place.path}: nothing is held\n", data)
    rows = [_row(item, depth, now) for item, depth in tree(items)]
    head = ("ID", "STATE", "EXPIRES", "AGE", "ACCOUNT", "FOR")
    text = f"{place.path}: {len(items)} {'entry' if len(items) == 1 else 'entries'}\n"
    text += console.table(head, rows) if rows else ""
    for name in strangers:
        text += f"not credproc's, and left alone: {legible(name)}\n"
    return Result(text, data)


def _row(item: Held, depth: int, now: float) -> tuple[str, ...]:
    entry, document = item.entry, item.document
    if entry is None:
        return (item.id, "no entry", "-", "-", "-", f"{item.name}: {item.trouble}")
    what = "  " * depth + described(item)
    if document is None:
        return (item.id, "failed", "-", "-", "-", f"{what}: {entry.failure}")
    left = entry.expiration - now
    return (
        item.id,
        STATES[entry.judge(now)] + (" (failing)" if entry.failure else ""),
        f"in {span(left)}" if left > 0 else f"{span(left)} ago",
        span(now - entry.issued),
        document.account_id or "-",
        what,
    )


def tree(items: Sequence[Held]) -> list[tuple[Held, int]]:
    """Return the entries in order, each with its depth: below a chain what is on its way."""
    found: list[tuple[Held, int]] = []
    rest = [item for item in items if item.purpose.kind in (identity.HOP, identity.SOURCE)]
    placed = set()
    for item in sorted(items, key=_first_to_end):
        if item in rest:
            continue
        found.append((item, 0))
        for each in plans(item.purpose.providers) if rest else []:
            way = [other for other in rest if on_the_way(other, each)]
            for other in sorted(way, key=lambda one: -len(one.purpose.hops)):
                found.append((other, 1 + len(each.hops) - len(other.purpose.hops)))
                placed.add(other.name)
    return found + [(item, 0) for item in rest if item.name not in placed]


def _first_to_end(item: Held) -> tuple[bool, bool, int, str]:
    """Return where an entry stands: what ends first comes first; then failures, then no entries."""
    entry = item.entry
    end = entry.expiration if entry else 0
    return entry is None, not end, end, item.name


def show(given: argparse.Namespace, console: Console) -> Result:
    """Show one entry."""
    place = machine.store(given)
    now = time.time()
    items = held(place)
    item = one(items, given.id)
    data = item.data(now)
    pairs = [("id", item.id), ("file", f"{place.path}/{item.name}"), ("for", described(item))]
    if item.entry is None:
        pairs[2:] = [("state", f"no entry: {item.trouble}")]
        return Result(console.pairs(pairs), data)
    pairs += _facts(item, item.entry, now)
    way = [other for each in plans(item.purpose.providers) for other in _way(items, each)]
    data["on_the_way"] = [other.data(now) for other in way]
    for other in way:
        pairs.append(("on the way", f"{described(other)} ({other.id}, {_state(other, now)})"))
    return Result(console.pairs(pairs), data)


def _way(items: Sequence[Held], each: Plan) -> list[Held]:
    """Return what is held on the way of a plan, the source first."""
    found = [item for item in items if on_the_way(item, each)]
    return sorted(found, key=lambda item: len(item.purpose.hops))


def _state(item: Held, now: float) -> str:
    if item.entry is None or not item.entry.document:
        return "failed"
    left = item.entry.expiration - now
    return f"{STATES[item.entry.judge(now)]}, {span(left)} {'left' if left > 0 else 'too old'}"


def _facts(item: Held, entry: cache.Entry, now: float) -> list[tuple[str, str]]:
    """Return what is known of an entry, in words."""
    document = item.document
    data = item.data(now)
    facts = [("from", entry.provider), ("state", item.state(now))]
    if document is not None:
        facts += [
            ("account", data["account"] or "not told"),
            ("access key", data["access_key"]),
            ("issued", when(entry.issued, now)),
        ]
        renewed = renewal(entry, now, since=0)
        facts += [("" if number else "refreshed", text) for number, text in enumerate(renewed)]
        facts.append(("expires", when(entry.expiration, now)))
    if entry.look:
        facts.append(("next look", f"not before {when(entry.look, now)}"))
    if entry.failure:
        facts.append(("last failure", entry.failure))
    if item.purpose.kind == identity.HOP:
        facts.append(("asked of", f"STS in {item.purpose.region}"))
        facts.append(("session name", item.purpose.session_name))
    return facts
