"""credprocctl cache: list, show and clear what credproc has cached; never a secret."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from credproc import answer
from credproc.ctl import arguments, cache_clear, cache_warm, machine, sessions, witnesses
from credproc.ctl.cached import ANSWER, ORPHAN, Cached, cached, foreign, one, renewal, when
from credproc.ctl.output import Result, legible, short, span
from credproc.ctl.usage import Usage

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc import cache
    from credproc.ctl.output import Console
    from credproc.session import Parts

EXAMPLES = """\
examples:
  credprocctl cache list
  credprocctl cache list --all
in a shell's prompt:
  credprocctl cache list --expiring 15m >/dev/null || printf 'aws! '
"""

HEAD = ("ID", "STATE", "EXPIRES", "CACHED")
#: A terminal with at least as many columns has room for ARNs.
WIDE = 120


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    parts = arguments.group(commands, "cache", "the credentials that credproc has cached")
    made = arguments.command(
        parts, "list", listed, "list the cached answers and their sessions",
        "An answer is what one command line prints. Below it are the sessions it was made "
        "from: the last role, the credentials that assumed it, and so on. Each session is listed "
        "once.",
        example=EXAMPLES,
    )  # fmt: skip
    made.add_argument(
        "--all", action="store_true",
        help="also list failures, sessions that no answer needs, and files that are not entries",
    )  # fmt: skip
    made.add_argument(
        "--expiring", type=arguments.seconds, metavar="TIME",
        help="list only what expires within this time, or has expired within it: 15m, 1h30m, or "
        "seconds without a unit; the exit status is 1 if anything is listed",
    )  # fmt: skip
    arguments.cache_dir(made)
    cache_warm.add(parts)
    made = arguments.command(
        parts, "show", show, "show an entry: its times, its sessions, what it depends on",
        example="credprocctl cache show 1a2b3c4d",
    )  # fmt: skip
    made.add_argument("id", metavar="ID", help="from `cache list`")
    arguments.cache_dir(made)
    cache_clear.add(parts)
    made = arguments.command(
        parts, "path", path, "print the cache directory", example="credprocctl cache path"
    )
    arguments.cache_dir(made)


def path(given: argparse.Namespace, _: Console) -> Result:
    """Print where the cache is."""
    found = machine.store(given).path
    return Result(f"{found}\n", {"path": found, "exists": os.path.isdir(found)})


def listed(given: argparse.Namespace, console: Console) -> Result:
    """List the answers, each with its sessions below it."""
    place = machine.store(given)
    now = time.time()
    items = cached(place)
    usage = Usage(items, partial(machine.run, given))
    others = foreign(place)
    rows, data = [], []
    items = [item for item in items if _is_expiring(item, now, given.expiring)]
    listing = tree(usage, [item for item in items if given.all or _is_useful(item)])
    for item, depth, shared in listing:
        rows.append(_row(item, depth, shared, now, arns=not 0 < console.width < WIDE))
        data.append({**item.data(now), "needs": [each.id for each, _ in usage.needs(item)]})
    hidden = len(items) - len(listing)
    found = {"path": place.path, "entries": data, "hidden": hidden, "foreign": others}
    count = _count(listing)
    if given.expiring is not None and not listing:
        count = f"nothing expires within {span(given.expiring)}"
    text = f"{place.path}: {count}\n" + (console.table(HEAD, rows) if rows else "")
    if hidden:
        text += f"{hidden} more with --all: failed, unreadable, or not needed by any answer\n"
    for name in others:
        text += f"not a credproc file, ignored: {legible(name)}\n"
    return Result(text, found, 1 if listing and given.expiring is not None else 0)


def _is_expiring(item: Cached, now: float, seconds: float | None) -> bool:
    """Whether credentials expire within ``seconds``, or expired within them; None selects all.

    Credentials that expired long ago are no news for a prompt.
    """
    if seconds is None:
        return True
    entry = item.entry
    return entry is not None and not item.failed and abs(entry.expiration - now) <= seconds


def _count(listing: list[tuple[Cached, int, list[Cached]]]) -> str:
    if not listing:
        return "no credentials are cached"
    answers = sum(item.kind == ANSWER for item, _, _ in listing)
    rest = len(listing) - answers
    return ", ".join(
        f"{count} {word}{'s' * (count != 1)}"
        for count, word in ((answers, "answer"), (rest, "session"))
    )


def _is_useful(item: Cached) -> bool:
    return item.entry is not None and not item.failed and item.unused != ORPHAN


def tree(usage: Usage, items: list[Cached]) -> list[tuple[Cached, int, list[Cached]]]:
    """Return the entries in order, each with its depth and the sessions listed further up."""
    found: list[tuple[Cached, int, list[Cached]]] = []
    placed: set[str] = set()
    for item in sorted(items, key=_by_expiration):
        if item.kind != ANSWER:
            continue
        needs = [(each, depth) for each, depth in usage.needs(item) if each in items]
        above = [(each, depth) for each, depth in needs if each.name in placed]
        first = min((depth for _, depth in above), default=0)
        found.append((item, 0, [each for each, depth in above if depth == first]))
        found += [(each, depth, []) for each, depth in needs if each.name not in placed]
        placed |= {each.name for each, _ in needs}
    rest = [item for item in items if item.kind != ANSWER and item.name not in placed]
    return found + [(item, 0, []) for item in sorted(rest, key=_by_expiration)]


def _by_expiration(item: Cached) -> tuple[bool, bool, int, str]:
    """Return the sort key: by expiration, then failures, then entries that cannot be read."""
    end = item.entry.expiration if item.entry else 0
    return item.entry is None, not end, end, item.name


def _row(item: Cached, depth: int, above: list[Cached], now: float, arns: bool) -> tuple[str, ...]:
    """Return the cells of an entry's row; ``arns``: with the full ARN of a session."""
    entry = item.entry
    if entry is None:
        return (item.id, item.state(now), "-", f"{item.name}: {item.trouble}")
    what = "  " * depth + short(item.described)
    if item.failed:
        return (item.id, item.state(now), "-", f"{what}: {entry.failure}")
    arn = str(item.about.get("arn") or "")
    if item.kind != ANSWER and arn:
        what += f" ({arn})" if arns else f" as {arn.rpartition('/')[2]}"
    if item.profiles:
        what += f" [{', '.join(item.profiles)}]"
    if above:
        what += f" (uses {', '.join(each.id for each in above)})"
    left = entry.expiration - now
    ends = f"in {span(left)}" if left > 0 else f"{span(left)} ago"
    return (item.id, item.state(now), ends, what)


def show(given: argparse.Namespace, console: Console) -> Result:
    """Show one entry."""
    place = machine.store(given)
    now = time.time()
    items = cached(place)
    usage = Usage(items, partial(machine.run, given))
    item = one(items, given.id)
    data = item.data(now)
    pairs = [("id", item.id), ("file", f"{place.path}/{item.name}")]
    if item.entry is None:
        return Result(console.pairs([*pairs, ("state", f"unreadable: {item.trouble}")]), data)
    pairs += [(item.kind, item.described), *_facts(item, item.entry, now)]
    needs = [each for each, _ in usage.needs(item)]
    data["needs"] = [each.data(now) for each in needs]
    pairs += [("made from", f"{each.described} ({each.id}, {each.state(now)})") for each in needs]
    if item.parts is not None:
        users = usage.users(item)
        data["users"] = [each.id for each in users]
        pairs += [("used by", f"{each.described} ({each.id})") for each in users]
        pairs += _role(item.parts)
    data["depends_on"] = depends = dependences(item.entry)
    pairs += [("" if number else "depends on", text) for number, text in enumerate(depends)]
    return Result(console.pairs(pairs), data)


def dependences(entry: cache.Entry) -> list[str]:
    """Describe everything that an answer depends on: variables, files, the machine."""
    try:
        answer.words(entry.key)
    except ValueError:
        return []
    return [*witnesses.variables(entry.key), *witnesses.dependences(entry.witnesses)]


def _facts(item: Cached, entry: cache.Entry, now: float) -> list[tuple[str, str]]:
    """Return what is known about an entry, as labels and text."""
    document = item.document
    facts = [("provider", entry.provider), ("state", item.state(now))]
    facts += [("changed", text) for text in item.changed]
    facts += [("profiles", ", ".join(item.profiles))] * bool(item.profiles)
    if document is not None:
        facts += [
            ("account", document.account_id or "unknown"),
            ("access key", str(item.data(now)["access_key"])),
        ]
    if item.about.get("arn"):
        facts.append(("ARN", str(item.about["arn"])))
    if not item.failed:
        facts.append(("issued", when(entry.issued, now)))
        renewed = renewal(entry, now, since=0)
        facts += [("" if number else "refreshed", text) for number, text in enumerate(renewed)]
        facts.append(("expires", when(entry.expiration, now)))
    if entry.look:
        facts.append(("next refresh", f"not before {when(entry.look, now)}"))
    if entry.failure:
        facts.append(("last failure", entry.failure))
    return facts


def _role(parts: Parts) -> list[tuple[str, str]]:
    """Return the full ARNs in the key of a role's session."""
    names = (("role_arn", "role"), ("web_identity", "role"), ("serial_number", "MFA device"))
    facts = [(label, str(parts[name])) for name, label in names if parts.get(name)]
    if sessions.is_elsewhere(parts):
        facts.append(("belongs to", "another machine, or this one before it was restarted"))
    return facts
