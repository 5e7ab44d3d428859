"""credprocctl explain: what credproc would do, and why, without doing it.

No network, and nothing is written.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from credproc import cache, request
from credproc.ctl import arguments, identity, machine, shared
from credproc.ctl.commandline import discreet
from credproc.ctl.held import (
    STATES,
    Held,
    held,
    is_current,
    moment,
    on_the_way,
    renewal,
    when,
)
from credproc.ctl.output import Result
from credproc.ctl.plan import Plan, plan, region
from credproc.ctl.steps import Failed
from credproc.errors import CredprocError, UsageError, masked
from credproc.identity import CONTAINER_IDENTITIES, of_request
from credproc.providers import endpoint
from credproc.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.ctl.shared import Target

#: What a run does with what is held.
NEXT = {
    cache.FRESH: "print what is held; nobody is asked",
    cache.AHEAD: "print what is held, and ask in the background",
    cache.NOW: "ask first; print what is held if that fails",
    cache.EXPIRED: "ask first; what is held has expired",
    cache.ABSENT: "ask; nothing is held for the whole of it",
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands, "explain", explain, "say what credproc would do and why, without doing it",
        "Nobody is asked, and nothing is written.",
        takes_options=True,
    )  # fmt: skip
    made.usage = f"%(prog)s [OPTION ...] [PROFILE | {arguments.OPTIONS}]"
    arguments.value(
        made, arguments.PROFILE, "profile", metavar="PROFILE", nargs="?",
        help="the profile to explain (default: AWS_PROFILE, else default)",
    )  # fmt: skip
    arguments.value(
        made, arguments.PROFILE, "--profile", metavar="NAME", dest="named",
        help="the same as PROFILE",
    )  # fmt: skip


def target(profile: str | None, options: Sequence[str] | None) -> Target:
    """Return the command line that is meant: given by hand, or of a profile, as for the doctor."""
    if profile and options is not None:
        raise UsageError("give a profile, or credproc options behind --, not both")
    if options is not None:
        return shared.Target(options)
    files = shared.Shared(os.environ).check()
    name, origin = shared.in_use(profile, os.environ)
    if origin == shared.DEFAULT and name not in files.profiles():
        return shared.Target([])  # what credproc does without options
    return shared.of_profile(files, name)


def explain(given: argparse.Namespace, console: Console) -> Result:
    """Explain a command line."""
    if given.profile and given.named:
        raise UsageError("explain: give PROFILE or --profile, not both")
    asked = target(given.profile or given.named, given.options)
    now = time.time()
    try:
        place = machine.store(given, asked.request)
    except Failed:
        place = Store("")
    kept = of_request(asked.request, os.environ)
    name = f"{cache.fingerprint(kept)}.entry"
    items = held(place)
    entry = place.read(kept)
    found = Held(name, entry)
    providers = [_provider(each, items, now) for each in asked.request.providers]
    depends, next_ = identity.dependences(identity.read(kept)), _next(asked, entry, now)
    data = {
        "profile": asked.profile or None,
        "command": asked.words,
        "problem": asked.slip or None,
        "providers": providers,
        "cache": {"path": place.path, "file": name, "held": found.data(now) if entry else None},
        "depends_on": depends,
        "next": next_,
    }
    pairs = [("command", asked.words), *[("profile", asked.profile)] * bool(asked.profile)]
    pairs += [("problem", f"tools do not run it: {asked.slip}")] * bool(asked.slip)
    for number, each in enumerate(providers, 1):
        pairs.append((f"provider {number}", each["text"]))
        pairs += [(f"  {step['name']}", step["text"]) for step in each["way"]]
    where = f"{place.path}/{name}" if place.path else f"off: {machine.off(os.environ)[0]}"
    pairs.append(("cache", where))
    pairs += [("" if number else "depends on", text) for number, text in enumerate(depends)]
    pairs.append(("next run", next_))
    return Result(console.pairs(pairs), data)


def _next(asked: Target, entry: cache.Entry | None, now: float) -> str:
    """Return what a run would do now."""
    if asked.request.no_cache:
        return "ask (--no-cache): nothing is read from the cache, and nothing kept"
    if asked.request.refresh:
        return "ask (--refresh), whatever is held"
    verdict = entry.judge(now) if entry else cache.ABSENT
    text = NEXT[verdict]
    if entry is None:
        return text
    if not entry.document:
        again = f"; reported again until {moment(entry.look)}" if now < entry.look else ""
        return f"ask; the last run failed ({entry.failure}){again}"
    renewed = ", ".join(renewal(entry, now, since=now))
    ends = when(entry.expiration, now) if now < entry.expiration else ""
    parts = (text, renewed and f"refreshed {renewed}", ends and f"expires {ends}")
    return "; ".join(part for part in parts if part)


def _provider(
    asked: request.Imds | request.Chain | request.Profile, items: Sequence[Held], now: float
) -> dict[str, Any]:
    """Return what is known of a provider before it is asked."""
    if isinstance(asked, request.Imds):
        return {"provider": "imds", "text": _imds(asked), "way": []}
    try:
        found = plan(asked)
    except CredprocError as error:
        return {"provider": asked.identity()[0], "text": f"would fail: {error}", "way": []}
    name = asked.name if isinstance(asked, request.Profile) else ""
    what = f"what profile {name} describes" if name else "a chain"
    if not found.hops:
        return {"provider": "profile", "text": f"{what}: its own credentials, by botocore",
                "way": []}  # fmt: skip
    current = [item for item in items if is_current(item, os.environ)]
    way = [{"name": "source", "text": _source(found, current, now)}]
    for number, hop in enumerate(found.hops, 1):
        options = " ".join(discreet(identity.hop_words(hop))[1:])
        state = _state(_at(current, found, number), now)
        code = "; asks for an MFA code" if hop.serial_number else ""
        text = f"{options} ({_asked_where(found, number)}{code}; {state})"
        way.append({"name": f"role {number}", "text": text})
    count = f"{len(found.hops)} role{'s' * (len(found.hops) > 1)} from {found.source}"
    return {"provider": asked.identity()[0], "text": f"{what}: {count}", "way": way}


def _imds(asked: request.Imds) -> str:
    """Return whether IMDS would be asked, where, and what would make the next provider be asked."""
    which = f"if it is {asked.role}" if asked.role else "whatever it is"
    for name in CONTAINER_IDENTITIES:
        if os.environ.get(name) and not asked.role:
            return f"unavailable: {name} gives this container an identity of its own"
    try:
        where = endpoint.settings(os.environ, lambda _: None).url
    except CredprocError as error:
        return f"unavailable: {error}"
    return f"the instance's role, {which}, from {where}; the next provider if there is none"


def _source(found: Plan, items: Sequence[Held], now: float) -> str:
    kind = found.source.partition(":")[0]
    if kind == "env":
        key = os.environ.get("AWS_ACCESS_KEY_ID", "")
        return f"env (key {masked(key)})" if key else "env: AWS_ACCESS_KEY_ID is not set"
    return f"{found.source} ({_state(_at(items, found, 0), now)})"


def _at(items: Sequence[Held], found: Plan, depth: int) -> Held | None:
    """Return the entry of a role, or of the source (0), on the way of a plan."""
    return next(
        (item for item in items if len(item.purpose.hops) == depth and on_the_way(item, found)),
        None,
    )


def _state(item: Held | None, now: float) -> str:
    if item is None or item.entry is None:
        return "not held"
    if not item.entry.document:
        return f"failed: {item.entry.failure}"
    return f"{item.id}, {STATES[item.entry.judge(now)]}"


def _asked_where(found: Plan, number: int) -> str:
    name, why = region(found, number, os.environ)
    return f"STS in {name}, {why}" if name else f"STS in {why} region"
