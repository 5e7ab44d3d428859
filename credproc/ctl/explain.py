"""credprocctl explain: show what credproc would do, and why, without doing it.

Nothing is fetched and nothing is written.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from credproc import answer, cache, recursion
from credproc.ctl import arguments, explaining, machine, shared, witnesses
from credproc.ctl.cached import Cached, moment, renewal, when
from credproc.ctl.output import Result, short
from credproc.ctl.steps import Failed
from credproc.store import ENTRY, Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from credproc.ctl.explaining import Explained
    from credproc.ctl.output import Console
    from credproc.ctl.shared import Target

#: What a run does with the cached answer.
NEXT = {
    cache.FRESH: "print the cached answer; nothing is fetched",
    cache.AHEAD: "print the cached answer, and refresh it in the background",
    cache.NOW: "refresh first; print the cached answer if that fails",
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands, "explain", explain, "show what credproc would do and why, without doing it",
        "Nothing is fetched, and nothing is written.",
        example="credprocctl explain dev\ncredprocctl explain -- --imds --profile dev",
        takes_options=True,
    )  # fmt: skip
    arguments.target(made, "explain")


def _target(profile: str | None, options: Sequence[str] | None) -> Target:
    """Return the command line to explain: the options after ``--``, or those of a profile."""
    if options is not None:
        return shared.Target(options)
    files = shared.load(os.environ).check()
    name, origin = shared.in_use(profile, os.environ)
    if origin == shared.DEFAULT and name not in files.profiles():
        return shared.Target([])  # what credproc does without options
    return shared.of_profile(files, name)


def explain(given: argparse.Namespace, console: Console) -> Result:
    """Explain a command line."""
    target = _target(arguments.named(given), given.options)
    now = time.time()
    try:
        place = machine.store(given, target.request)
    except Failed:
        place = Store("")
    run = machine.run(given, recursion.profiles(target.request))
    run.mfa_session = target.request.mfa_session
    for path in target.request.files:
        run.witnesses.file(path)
    key = answer.key(target.argv, os.environ)
    found = Cached(cache.fingerprint(key) + ENTRY, place.read(key))
    providers = [explaining.provider(run, each, place, now) for each in target.request.providers]
    for each in providers[:-1]:
        each.text += "; the next provider if there is none" * (each.name == "imds")
    seen = found.entry.witnesses if found.entry else run.witnesses.encoded()
    found.changed = witnesses.changes(seen, os.environ) if found.entry else []
    depends = [*witnesses.variables(key), *witnesses.dependences(seen)]
    next_ = _next(target, found, providers, now)
    data = {
        "profile": target.profile or None,
        "command": target.words,
        "problem": target.slip or None,
        "providers": [each.data() for each in providers],
        "cache": {"path": place.path, "file": found.name,
                  "answer": found.data(now) if found.entry else None},
        "depends_on": depends,
        "next": next_,
    }  # fmt: skip
    pairs = [("command", target.words), *[("profile", target.profile)] * bool(target.profile)]
    pairs += [("problem", f"tools do not run it: {target.slip}")] * bool(target.slip)
    for number, each in enumerate(providers, 1):
        pairs.append((f"provider {number}", each.text))
        pairs += [(f"  {name}", short(text)) for name, text in each.steps]
    where = place.path or f"off: {machine.off(os.environ)[0]}"
    pairs += [("cache", where), ("answer", _state(found, now))]
    pairs += [("" if number else "depends on", text) for number, text in enumerate(depends)]
    pairs.append(("next run", next_))
    colors = {name: "ok" for name, text in pairs if text.endswith("fresh")}
    return Result(console.pairs(pairs, {**colors, "problem": "fail"}), data)


def _state(found: Cached, now: float) -> str:
    """Return what is cached for the whole command line."""
    if found.entry is None:
        return "not cached"
    changed = f"no longer valid: {'; '.join(found.changed)}" if found.changed else ""
    return changed or f"{found.state(now)} ({found.id})"


def _next(target: Target, found: Cached, providers: Sequence[Explained], now: float) -> str:
    """Return what a run would do now."""
    if target.request.no_cache:
        return "fetch (--no-cache): the cache is neither read nor written"
    if target.request.refresh:
        return "fetch (--refresh): cached credentials are ignored"
    entry = found.entry
    if entry is None or found.changed:
        return f"{'; '.join(found.changed) or 'no answer is cached'}: {_fetched(providers)}"
    if found.failed:
        again = f"; this failure is cached until {moment(entry.look)}" if now < entry.look else ""
        return f"the last run failed ({entry.failure}){again}: {_fetched(providers)}"
    verdict = entry.judge(now)
    if verdict == cache.EXPIRED:
        return f"the cached answer has expired: {_fetched(providers)}"
    renewed = ", ".join(renewal(entry, now, since=now))
    parts = (NEXT[verdict], renewed and f"refreshed {renewed}",
             f"expires {when(entry.expiration, now)}")  # fmt: skip
    return "; ".join(part for part in parts if part)


def _fetched(providers: Sequence[Explained]) -> str:
    """Return what would be fetched, by the first provider that is not known to be unavailable."""
    for each in providers:
        if not each.unavailable:
            return each.next
    return "fail: every provider is unavailable"
